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

"""Ask a real manila release what it says of a configuration file.

Run by the Python of a virtual environment that holds one release of manila,
with the path of a manila.conf: it imports what the services import, builds
the drivers of the enabled back ends as manila-share does, and looks at what
is registered by then. Prints a JSON list of [section, option, verdict]; a
verdict is 'known', 'old name', 'for removal', 'invalid' or 'unknown'.

Only the standard library and what manila itself brings may be imported.
"""

import importlib
import json
import logging
import os
import sys
from unittest import mock

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'

# What manila-api, -scheduler, -share and -data load.
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
)
LOGINS = (
    'keystone_authtoken',
    'nova',
    'cinder',
    'glance',
    'neutron',
    'barbican',
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
)


def attempt(function, *args, **kwargs):
    """Call what may fail without the world it was made for."""
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit):
        return None


def register_libraries(conf):
    import keystonemiddleware.opts
    from oslo_config import generator
    import oslo_messaging

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
    policy = importlib.import_module('oslo_policy.policy')
    attempt(policy.Enforcer, conf)
    namespaces = [
        'oslo.concurrency',
        'oslo.db',
        'oslo.log',
        'oslo.messaging',
        'oslo.middleware.cors',
        'oslo.middleware.http_proxy_to_wsgi',
        'oslo.middleware.sizelimit',
        'oslo.middleware.healthcheck',
        'oslo.policy',
        'oslo.reports',
        'oslo.service.periodic_task',
        'oslo.service.service',
        'oslo.service.sslutils',
        'oslo.service.wsgi',
    ]
    listed = [('', keystonemiddleware.opts.list_auth_token_opts())]
    for name in namespaces:
        listed.extend(attempt(generator._list_opts, [name]) or ())
    for _name, groups in listed:
        for group, opts in groups:
            group = getattr(group, 'name', group)
            for opt in opts:
                attempt(
                    conf.register_opt,
                    opt,
                    group=None if group in (None, 'DEFAULT') else group,
                )


def register_logins(conf):
    """Load the plugins that auth_type names, where auth_section says."""
    from keystoneauth1 import loading

    for group in LOGINS:
        if group not in conf:
            continue
        section = attempt(lambda g: conf[g].auth_section, group) or group
        loading.register_auth_conf_options(conf, section)
        plugin = attempt(lambda s: conf[s].auth_type, section)
        options = plugin and attempt(
            loading.get_auth_plugin_conf_options, plugin
        )
        for opt in options or ():
            attempt(conf.register_opt, opt, group=section)


def build_drivers(conf):
    """Build each back end's driver; most talk to nobody until do_setup."""
    from manila.share import configuration
    from manila.share import manager

    storage = importlib.import_module('manila.share.drivers_private_data')
    base = importlib.import_module('manila.share.driver')
    attempt(importlib.import_module('manila.network.neutron.api').API)
    for backend in conf.enabled_share_backends or [None]:
        settings = configuration.Configuration(
            manager.share_manager_opts, config_group=backend
        )
        path = manager.MAPPING.get(
            settings.share_driver, settings.share_driver
        )
        module, _, name = path.rpartition('.')
        if attempt(importlib.import_module, module) is None:
            attempt(settings.append_config_values, base.share_opts)
            continue
        attempt(
            storage.DriverPrivateData,
            context=mock.Mock(),
            backend_host='h@b',
            config_group=backend,
        )
        driver = getattr(sys.modules[module], name, None)
        attempt(driver, private_storage=mock.Mock(), configuration=settings)
        # A driver that gives up early has not come to these.
        attempt(settings.append_config_values, base.share_opts)
        if '.netapp.' in path:
            motion = importlib.import_module(
                'manila.share.drivers.netapp.dataontap.cluster_mode'
                '.data_motion'
            )
            peer = attempt(motion.get_backend_configuration, backend)
            kinds = peer and peer.safe_get('netapp_enabled_backup_types')
            for kind in kinds or ():
                attempt(motion.get_backup_configuration, kind)


def old_names(conf):
    found = set()
    for group, opts in [('DEFAULT', conf._opts)] + [
        (name, group._opts) for name, group in conf._groups.items()
    ]:
        for info in opts.values():
            for old in info['opt'].deprecated_opts:
                home = old.group or group
                name = old.name or info['opt'].dest
                found.add((home if home == 'DEFAULT' else home.lower(), name))
    return found


def verdict(conf, group, name, old):
    groups = {key.lower(): value for key, value in conf._groups.items()}
    if group == 'DEFAULT':
        known = name in conf._opts
        opts, home = conf._opts, None
    elif group in groups:
        opts, home = groups[group]._opts, groups[group].name
        known = name in opts
    else:
        known = False
    if not known:
        return 'old name' if (group, name) in old else 'unknown'
    try:
        conf._get(name, groups[group] if home else None)
    except Exception:
        return 'invalid'
    if opts[name]['opt'].deprecated_for_removal:
        return 'for removal'
    return 'known'


def main(path):
    logging.disable(logging.CRITICAL)
    from oslo_config import cfg
    from oslo_log import log

    conf = cfg.CONF
    # Importing drivers of other vendors may register required options.
    cfg.ConfigOpts._check_required_opts = lambda *args, **kwargs: None
    log.register_options(conf)
    sys.argv = sys.argv[:1]
    for module in VENDORS:
        sys.modules.setdefault(module, mock.MagicMock())
    for module in MODULES:
        attempt(importlib.import_module, module)
    conf(
        ['--config-file', path],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    register_libraries(conf)
    build_drivers(conf)
    register_logins(conf)
    old = old_names(conf)
    sections = {}
    parser = cfg.ConfigParser(path, sections)
    parser.parse()
    rows = []
    for section, options in sections.items():
        group = section if section == 'DEFAULT' else section.lower()
        for name in options:
            rows.append([section, name, verdict(conf, group, name, old)])
    json.dump(rows, sys.stdout)


if __name__ == '__main__':
    main(sys.argv[1])
