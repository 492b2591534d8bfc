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

"""Ask a real release of manila what it registers; run inside its venv.

Reads one JSON object on standard input and writes one on standard output.
It is independent of catalog/building, so that the two do not share mistakes:
it reads no source and no lists, but imports modules, and builds drivers as
manila-share does.

    {"ask": "groups"}
        -> {section: {name: {"default": ..., "choices": ...}}}
    {"ask": "drivers", "sections": {section: {name: text}}}
        -> {section: {"backend": [name], "default": [name], "error": ...}}
    {"ask": "listed"} -> [[section, name]] of every list_opts() installed
    {"ask": "policies"} -> {rule: check string}
"""

import importlib
import json
import os
import socket
import sys
import tempfile
from typing import Any
from unittest import mock

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'
socket.gethostname = lambda: 'probe'
sys.argv = ['manila-share']

SERVICES = (
    'manila.api.common',
    'manila.api.middleware.auth',
    'manila.api.openstack',
    'manila.data.manager',
    'manila.db.sqlalchemy.api',
    'manila.data.helper',
    'manila.exception',
    'manila.message.api',
    'manila.quota',
    'manila.scheduler.host_manager',
    'manila.scheduler.manager',
    'manila.scheduler.weighers.capacity',
    'manila.scheduler.weighers.netapp_aiq',
    'manila.scheduler.weighers.pool',
    'manila.service',
    'manila.share.api',
    'manila.share.hook',
    'manila.share.manager',
    'manila.share.migration',
    'manila.transfer.api',
    'manila.compute.nova',
    'manila.image.glance',
    'manila.volume.cinder',
    'manila.keymgr.barbican',
    'manila.network.neutron.api',
    'manila.coordination',
    'manila.privsep',
)


def conf():
    from oslo_config import cfg

    cfg.CONF._check_required_opts = lambda *args, **kwargs: None
    return cfg.CONF


def start(paths):
    """Parse the files, and import the modules that the services import."""
    from manila.common import config

    importlib.import_module('oslo_policy.opts')
    CONF = conf()
    CONF(
        ['--config-file=' + path for path in paths],
        project='manila',
        version='0',
        default_config_files=[],
        default_config_dirs=[],
    )
    for name in ('set_lib_defaults', 'set_middleware_defaults'):
        if hasattr(config, name):
            getattr(config, name)()
    for name in SERVICES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            pass
    import oslo_messaging
    from oslo_policy import policy

    policy.Enforcer(CONF)
    oslo_messaging.get_rpc_transport(CONF, 'rabbit://')
    oslo_messaging.get_notification_transport(CONF, 'rabbit://')
    from manila.network.neutron import api

    api.API()
    from keystonemiddleware import auth_token
    from oslo_db import options as db_options
    from oslo_log import versionutils
    from oslo_service import wsgi

    db_options.set_defaults(CONF)
    versionutils.register_options()
    wsgi.register_opts(CONF)
    auth_token.AuthProtocol(
        lambda *args: None,
        {
            'oslo_config_project': 'manila',
            'delay_auth_decision': True,
            'log_name': 'x',
        },
    )
    return CONF


def options_of(CONF, section):
    if section == 'DEFAULT':
        return CONF._opts
    key = section if section in CONF._groups else section.lower()
    return CONF._groups[key]._opts if key in CONF._groups else {}


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def groups():
    CONF = start([])
    found = {}
    for section in ['DEFAULT', *sorted(CONF._groups)]:
        rows = found[section] = {}
        for name, info in options_of(CONF, section).items():
            opt = info['opt']
            rows[name] = {
                'default': plain(info.get('default', opt.default)),
                'choices': plain(
                    sorted(getattr(opt.type, 'choices', None) or (), key=str)
                ),
                'min': getattr(opt.type, 'min', None),
                'max': getattr(opt.type, 'max', None),
                'class': type(opt.type).__name__,
                'secret': bool(opt.secret),
                'multi': bool(opt.multi),
                'old': sorted(
                    [item.group, item.name] for item in opt.deprecated_opts
                ),
            }
    return found


def build(CONF, section, path):
    """Build a driver as the share manager does; return the error, if any."""
    from manila.share import configuration
    from manila.share import drivers_private_data
    from manila.share import manager
    from oslo_utils import importutils

    config = configuration.Configuration(
        manager.share_manager_opts, config_group=section
    )
    path = manager.MAPPING.get(path, path)
    storage = mock.Mock()
    try:
        drivers_private_data.DriverPrivateData(
            storage=storage, config_group=section
        )
        importutils.import_object(
            path, private_storage=storage, configuration=config
        )
    except Exception as exc:
        return f'{type(exc).__name__}: {exc}'
    return None


def in_a_child(function, *args):
    """Call a function in a forked child, and return what it returns."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, 'w') as stream:
            json.dump(function(*args), stream)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text)


def drivers(question):
    """Build each driver in a process of its own."""
    lines = []
    for section, values in question['sections'].items():
        lines.append(f'[{section}]')
        lines.extend(f'{name} = {value}' for name, value in values.items())
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as stream:
        stream.write('\n'.join(lines) + '\n')
        stream.flush()
        CONF = start([stream.name])
        return {
            section: in_a_child(
                one_driver, CONF, section, values['share_driver']
            )
            for section, values in question['sections'].items()
        }


def one_driver(CONF, section, path):
    error = build(CONF, section, path)
    return {
        'backend': sorted(options_of(CONF, section)),
        'default': sorted(options_of(CONF, 'DEFAULT')),
        'error': error,
    }


def listed():
    from importlib import metadata

    points: Any = metadata.entry_points()
    if hasattr(points, 'select'):
        points = points.select(group='oslo.config.opts')
    else:
        points = points.get('oslo.config.opts', ())
    found = set()
    for point in points:
        for group, opts in point.load()():
            group = getattr(group, 'name', group) or 'DEFAULT'
            found.update((group, opt.dest) for opt in opts)
    # pycadf has no list_opts(); keystonemiddleware.audit imports it.
    from oslo_config import cfg

    found.update(('audit', name) for name in cfg.CONF.audit)
    return sorted(found)


def policies():
    from manila import policies as rules

    return {rule.name: rule.check_str for rule in rules.list_rules()}


def main():
    question = json.load(sys.stdin)
    out = sys.stdout
    sys.stdout = sys.stderr
    ask = question['ask']
    if ask == 'groups':
        reply = groups()
    elif ask == 'drivers':
        reply = drivers(question)
    elif ask == 'listed':
        reply = listed()
    else:
        reply = policies()
    json.dump(reply, out)


if __name__ == '__main__':
    main()
