# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Ask a real manila release what follows from a manila.conf.

Run by the Python of a virtual environment that holds one release of manila.
Reads a JSON list of [what, text of manila.conf] on standard input; 'what' is
one of ASKS, the part of a service that is started. Prints a JSON list: for
each, '' when it came up, and the name of the exception when it did not;
'back end' prints where it ended as well: 'init: TypeError'.

Only the standard library and what manila itself brings may be imported.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import types
from unittest import mock

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'

SECONDS = 20


class Outside(BaseException):
    """A driver tried to reach its storage: so far it has come up."""


def turn_away(*args, **kwargs):
    raise Outside


def transport(conf):
    import oslo_messaging

    oslo_messaging.get_rpc_transport(conf)
    oslo_messaging.get_notification_transport(conf)


def notifier(conf):
    import oslo_messaging

    made = oslo_messaging.Notifier(
        oslo_messaging.get_notification_transport(conf)
    )
    names = made._driver_mgr.names()
    missing = set(conf.oslo_messaging_notifications.driver) - set(names)
    if missing:
        raise LookupError('nothing is sent by ' + ', '.join(missing))


def coordinator(conf):
    from manila import coordination

    coordination.Coordinator(prefix='a').start()


def scheduler(conf):
    from manila.scheduler import manager

    with mock.patch('manila.db.base.importutils.import_module', autospec=True):
        manager.SchedulerManager(host='a')


def filters(conf):
    from manila.scheduler import host_manager

    made = host_manager.HostManager()
    made._choose_host_filters(None)
    made._choose_host_weighers(None)
    made._choose_host_filters(conf.scheduler_default_share_group_filters)
    if 'scheduler_default_extend_filters' in conf:
        made._choose_host_filters(conf.scheduler_default_extend_filters)


def data(conf):
    from manila.data import manager

    manager.DataManager(host='a')


def quota(conf):
    from manila import quota

    quota.QuotaEngine()._driver  # noqa: B018


def database(conf):
    from oslo_db import options
    import sqlalchemy

    options.set_defaults(conf)
    for name in ('connection', 'slave_connection'):
        text = conf.database[name]
        if text:
            sqlalchemy.engine.make_url(text).get_dialect()


def back_end(conf):
    """Build and set up the driver of the section 'backend'."""
    from manila.share import configuration
    from manila.share import manager
    from oslo_utils import importutils

    socket.socket.connect = turn_away
    socket.getaddrinfo = turn_away
    subprocess.Popen.__init__ = turn_away
    stage = 'init'
    try:
        section = configuration.Configuration(
            manager.share_manager_opts, config_group='backend'
        )
        made = importutils.import_object(
            section.share_driver,
            private_storage=mock.Mock(),
            configuration=section,
        )
        stage = 'setup'
        made.do_setup(mock.Mock())
        made.check_for_setup_error()
    except Outside:
        pass
    except Exception as exc:
        cause = exc
        while cause is not None:
            if isinstance(cause, Outside):
                return
            cause = cause.__cause__ or cause.__context__
        raise RuntimeError(f'{stage}: {type(exc).__name__}') from exc


def log_in(name):
    def ask(conf):
        """Send a request to another service, as drivers do."""
        from manila import compute
        from manila import context
        from manila import image
        from manila import volume
        from manila.network.neutron import api

        socket.socket.connect = turn_away
        socket.getaddrinfo = turn_away
        admin = context.get_admin_context()
        {
            'cinder': lambda: volume.API().get(admin, 'a'),
            'glance': lambda: list(image.API().image_list(admin)),
            'neutron': lambda: api.API().client.list_networks(),
            'nova': lambda: compute.API().server_get(admin, 'a'),
        }[name]()

    return ask


ASKS = {
    **{name: log_in(name) for name in ('cinder', 'glance', 'neutron', 'nova')},
    'back end': back_end,
    'coordinator': coordinator,
    'data': data,
    'database': database,
    'filters': filters,
    'notifier': notifier,
    'quota': quota,
    'scheduler': scheduler,
    'transport': transport,
}


def ask(what, text):
    """Ask in a child of this process, and return the answer."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, 'w') as stream:
            stream.write(answer(what, text))
            stream.flush()
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        found = stream.read()
    os.waitpid(child, 0)
    return found


def answer(what, text):
    from oslo_config import cfg

    sys.stdout = sys.stderr
    conf = cfg.CONF
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'manila.conf')
        with open(path, 'w') as stream:
            stream.write(
                f'[DEFAULT]\nstate_path = {folder}\n'
                f'[oslo_concurrency]\nlock_path = {folder}\n{text}'
            )
        conf(
            ['--config-file', path],
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
        )
        # A part that is still waiting for a server counts as up.
        signal.signal(signal.SIGALRM, turn_away)
        signal.alarm(SECONDS)
        try:
            if what in ('back end', 'scheduler', 'data'):
                from manila import rpc

                rpc.TRANSPORT = rpc.NOTIFIER = mock.Mock()
            ASKS[what](conf)
        except Outside:
            return ''
        except RuntimeError as exc:
            if what == 'back end':
                return str(exc)
            return type(exc).__name__
        except Exception as exc:
            return type(exc).__name__
    return ''


def main():
    logging.disable(logging.CRITICAL)
    sys.argv = sys.argv[:1]
    # Libraries of vendors that drivers look for during setup.
    for name in ('capacity', 'infinisdk', 'purity_fb'):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ('ceph_argparse', 'rados', 'winrm'):
        sys.modules.setdefault(name, mock.MagicMock())
    from manila.common import config  # noqa: F401
    from manila.share import manager  # noqa: F401
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    json.dump([ask(*pair) for pair in json.load(sys.stdin)], sys.stdout)


if __name__ == '__main__':
    main()
