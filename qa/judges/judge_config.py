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

"""Ask a real manila release how it reads configuration files.

Run by the Python of a virtual environment that holds one release of manila.
It imports the modules that the services import, and builds the drivers of the
enabled back ends as manila-share does. Then it looks which options are
registered, and how oslo.config parses each value. It reads one JSON object on
standard input and writes one on standard output::

    {"ask": "samples"} -> see judge_samples.py
    {"ask": "verdicts", "sites": {NAME: [ARGUMENT, ...]},
     "wanted": {NAME: [[SECTION, OPTION], ...]}}
        -> {NAME: {"rows": [[SECTION, OPTION, VERDICT, VALUE, HOME]],
                   "wanted": [[SECTION, OPTION, VERDICT, VALUE, HOME]],
                   "errors": {SECTION: ERROR},
                   "moved": {PATH: PATH},
                   "broken": ERROR}}

An ARGUMENT is --config-file or --config-dir, as the services get it. A
VERDICT is 'known', 'old name', 'for removal', 'invalid' or 'unknown'; the
VALUE is the one that a service gets, None when it gets none. The HOME is the
section and the name under which the option is registered, and whether it is
marked as a secret; None when it is not registered. An ERROR says why a driver
could not be built; then some of its options are not known. "moved" has the
drivers of shares and of the scheduler that are loaded from a new path.
"broken" says why the files cannot be read. "wanted" has rows for options that
need not be set by any line.

Only the standard library and what manila itself brings may be imported.
"""

import importlib
import json
import logging
import os
import sys
import traceback
from unittest import mock

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'

# Modules that manila-api, -scheduler, -share and -data load.
MODULES = (
    'manila.common.config',
    'manila.service',
    'manila.share.manager',
    'manila.scheduler.manager',
    'manila.scheduler.drivers.filter',
    'manila.scheduler.host_manager',
    'manila.scheduler.weighers.netapp_aiq',
    'manila.scheduler.weighers.capacity',
    'manila.scheduler.weighers.pool',
    'manila.scheduler.scheduler_options',
    'manila.data.manager',
    'manila.data.drivers.nfs',
    'manila.api.openstack',
    'manila.api.common',
    'manila.api.middleware.auth',
    'manila.api.v2.router',
    'manila.coordination',
    'manila.compute.nova',
    'manila.volume.cinder',
    'manila.image.glance',
    'manila.quota',
    'manila.db.api',
    'manila.rpc',
    'manila.policy',
    'manila.transfer.api',
    'manila.share.hook',
    'manila.share.drivers_private_data',
    'manila.keymgr.barbican',
    'manila.privsep',
    # Filters of the API.
    'keystonemiddleware.audit',
)
LOGINS = (
    'keystone_authtoken',
    'nova',
    'cinder',
    'glance',
    'neutron',
    'barbican',
    'barbican_service_user',
)
# Libraries whose options are registered when they are used.
NAMESPACES = (
    'oslo.concurrency',
    'oslo.db',
    'oslo.log',
    'oslo.messaging',
    'oslo.middleware.cors',
    'oslo.middleware.http_proxy_to_wsgi',
    'oslo.middleware.sizelimit',
    'oslo.middleware.healthcheck',
    'oslo.middleware.ssl',
    'oslo.policy',
    'oslo.reports',
    'oslo.service.periodic_task',
    'oslo.service.service',
    'oslo.service.sslutils',
    'oslo.service.wsgi',
)
# Vendors' libraries that a driver imports when it is built.
VENDORS = (
    'ceph_argparse',
    'rados',
    'purity_fb',
    'infinisdk',
    'infinisdk.core',
    'infinisdk.core.exceptions',
    'infinisdk.core.api',
    'infinisdk.core.api.special_values',
    'capacity',
    'hpe3parclient',
    'hpe3parclient.http',
    'winrm',
)


def attempt(function, *args, **kwargs):
    """Call a function, and ignore its errors: it may need a real cloud."""
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit):
        return None


def in_a_child(function, *args):
    """Call a function in a forked child, and return what it returns."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        code = 1
        try:
            with os.fdopen(write, 'w') as stream:
                json.dump(function(*args), stream)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f'the child failed: {args[-1]}')
    return json.loads(text)


# -- what the services register ----------------------------------------------


def load():
    """Import what the services import; nothing is parsed yet."""
    logging.disable(logging.CRITICAL)
    # The first step of the commands; from 22 on it selects the threads.
    attempt(lambda: importlib.import_module('manila.monkey_patch').patch())
    from oslo_config import cfg
    from oslo_log import log

    # Importing drivers of other vendors may register required options.
    cfg.ConfigOpts._check_required_opts = lambda *args, **kwargs: None
    # Otherwise a bad value of debug and the like would end the parsing.
    cfg.ConfigOpts._validate_cli_options = lambda *args, **kwargs: None
    log.register_options(cfg.CONF)
    sys.argv = sys.argv[:1]
    for module in VENDORS:
        sys.modules.setdefault(module, mock.MagicMock())
    for module in MODULES:
        attempt(importlib.import_module, module)
    return cfg.CONF


def listed():
    """Return the options of libraries that register them only on use."""
    import keystonemiddleware.opts
    from oslo_config import generator

    found = list(keystonemiddleware.opts.list_auth_token_opts())
    for name in NAMESPACES:
        for _name, groups in attempt(generator._list_opts, [name]) or ():
            found.extend(groups)
    return [
        (getattr(group, 'name', group) or 'DEFAULT', opt)
        for group, opts in found
        for opt in opts
    ]


def register_libraries(conf, options):
    import oslo_messaging
    from oslo_middleware import cors
    from oslo_policy import policy

    attempt(importlib.import_module('manila.rpc').init, conf)
    for url in ('rabbit://', 'kafka://', 'amqp://'):
        attempt(oslo_messaging.get_rpc_transport, conf, url)
        attempt(oslo_messaging.get_notification_transport, conf, url)
    attempt(
        lambda: oslo_messaging.Notifier(
            oslo_messaging.get_notification_transport(conf, 'fake://'),
            driver='noop',
        )
    )
    attempt(policy.Enforcer, conf)
    # CORS registers its options section by section, up to the first bad value.
    # The values of [cors], which has manila's defaults, become the defaults of
    # the other sections.
    read = cors.CORS._conf_get
    with mock.patch.object(
        cors.CORS, '_conf_get', lambda *args: attempt(read, *args)
    ):
        attempt(cors.CORS, None, conf)
    for group, opt in options:
        home = None if group == 'DEFAULT' else group
        attempt(conf.register_opt, opt, group=home)


def register_logins(conf):
    """Load the plugin of each auth_type, for the section of auth_section.

    Return the sections whose plugin does not exist, and why.
    """
    from keystoneauth1 import loading

    errors = {}
    for group in LOGINS:
        if group not in conf:
            continue
        section = attempt(lambda g: conf[g].auth_section, group) or group
        loading.register_auth_conf_options(conf, group)
        plugin = attempt(lambda s: conf[s].auth_type, section)
        options = plugin and attempt(
            loading.get_auth_plugin_conf_options, plugin
        )
        if plugin and options is None:
            errors[normal(section)] = f'no plugin {plugin}'
        for opt in options or ():
            attempt(conf.register_opt, opt, group=section)
    return errors


# -- the verdict on a line ---------------------------------------------------


def every_option(conf):
    """Yield (section, dest, option) for every registered option."""
    for dest, info in conf._opts.items():
        yield 'DEFAULT', dest, info['opt']
    for name, group in conf._groups.items():
        for dest, info in group._opts.items():
            yield name, dest, info['opt']


def by_name(conf):
    """Return {(section, name): (section, dest, option, is an old name)}."""
    found = {}
    rows = list(every_option(conf))
    for group, dest, opt in rows:
        for old in opt.deprecated_opts:
            home = old.group or group
            key = (normal(home), old.name or dest)
            found[key] = (group, dest, opt, True)
    for group, dest, opt in rows:
        found[normal(group), dest] = (group, dest, opt, False)
    return found


def normal(section):
    return section if section == 'DEFAULT' else section.lower()


def verdict(conf, names, section, name):
    """Return the verdict on one name of a section, its value, and its home."""
    found = names.get((normal(section), name))
    if found is None:
        return 'unknown', None, None
    group, dest, opt, old = found
    where = [normal(group), dest, bool(opt.secret)]
    # manila.share.drivers_private_data may register a group "DEFAULT".
    home = None if dest in conf._opts and group == 'DEFAULT' else group
    home = home and conf._groups[home]
    try:
        value = plain(conf._get(dest, home))
    except Exception:
        return 'invalid', None, where
    if old:
        return 'old name', value, where
    word = 'for removal' if opt.deprecated_for_removal else 'known'
    return word, value, where


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def judge(conf, options, wanted, argv):
    """Return the verdict on every line that the services would read."""
    import judge_drivers
    from oslo_config import cfg

    try:
        conf(
            argv,
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
        )
    except (cfg.Error, UnicodeError) as exc:
        return {
            'rows': [],
            'wanted': [],
            'errors': {},
            'moved': {},
            'broken': type(exc).__name__,
        }
    sections = {}
    for path in files_of(argv):
        cfg.ConfigParser(path, sections).parse()
    register_libraries(conf, options)
    with judge_drivers.Lenient():
        attempt(importlib.import_module('manila.network.neutron.api').API)
        errors = judge_drivers.build_drivers(conf, sections)
        errors.update(register_logins(conf))
    names = by_name(conf)
    return {
        'errors': errors,
        'rows': [
            [section, name, *verdict(conf, names, section, name)]
            for section, lines in sections.items()
            for name in lines
        ],
        'wanted': [
            [section, name, *verdict(conf, names, section, name)]
            for section, name in wanted
        ],
        'moved': {
            **importlib.import_module('manila.share.manager').MAPPING,
            **importlib.import_module('manila.scheduler.manager').MAPPING,
        },
        'broken': '',
    }


def files_of(argv):
    """Return the files that the arguments name, in the order they are read."""
    for flag, path in zip(argv[::2], argv[1::2]):
        if flag == '--config-dir':
            for name in sorted(os.listdir(path)):
                if name.endswith('.conf'):
                    yield os.path.join(path, name)
        else:
            yield path


def main():
    question = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    conf = load()
    if question['ask'] == 'samples':
        import judge_samples

        reply = in_a_child(judge_samples.samples, conf)
    else:
        options = listed()
        wanted = question.get('wanted', {})
        reply = {
            name: in_a_child(judge, conf, options, wanted.get(name, ()), argv)
            for name, argv in question['sites'].items()
        }
    json.dump(reply, out)
    out.close()


if __name__ == '__main__':
    main()
