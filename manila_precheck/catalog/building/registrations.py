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

"""The options that manila and its libraries register when they start.

oslo.config is patched to record them, before the first module of manila is
imported. In addition this has the options that the sample generator lists.
"""

import importlib
import importlib.util
import inspect

from manila_precheck.catalog import building
from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import out_of_tree
from manila_precheck.catalog.building import sources

# The namespaces in etc/oslo-config-generator/manila.conf of the releases, and
# libraries whose options manila's services register although it lacks them.
NAMESPACES = (
    'manila',
    'castellan.config',
    'keystonemiddleware.audit',
    'keystonemiddleware.auth_token',
    'oslo.concurrency',
    'oslo.db',
    'oslo.db.concurrency',
    'oslo.log',
    'oslo.messaging',
    'oslo.middleware',
    'oslo.middleware.cors',
    'oslo.middleware.healthcheck',
    'oslo.middleware.http_proxy_to_wsgi',
    'oslo.middleware.sizelimit',
    'oslo.middleware.ssl',
    'oslo.policy',
    'oslo.reports',
    'oslo.service.periodic_task',
    'oslo.service.service',
    'oslo.service.sslutils',
    'oslo.service.wsgi',
    'osprofiler',
)


class Registrations:
    """All registered options, with their groups and modules."""

    def __init__(self):
        from oslo_config import cfg

        self.cfg = cfg
        self.seen = []
        self.real = cfg.ConfigOpts.register_opt
        watcher = self

        def register_opt(conf, opt, group=None, cli=False, **kwargs):
            watcher.note(conf, opt, group)
            try:
                return watcher.real(conf, opt, group, cli, **kwargs)
            except cfg.DuplicateOptError:
                building.say(
                    f'registered twice, differing: {opt.dest} by '
                    f'{watcher.caller()}'
                )
                return False

        def register_cli_opt(conf, opt, group=None, **kwargs):
            # The command line was parsed before, and does not matter.
            return register_opt(conf, opt, group, **kwargs)

        cfg.ConfigOpts.register_opt = register_opt
        cfg.ConfigOpts.register_cli_opt = register_cli_opt

    def caller(self):
        frame = inspect.currentframe()
        while frame:
            name = frame.f_globals.get('__name__', '')
            if not name.startswith('oslo_config') and name != __name__:
                return name
            frame = frame.f_back
        return ''

    def manila_caller(self):
        """Return the module, of those that are read, that is imported now."""
        frame = inspect.currentframe()
        while frame:
            name = frame.f_globals.get('__name__', '')
            if sources.is_read(name):
                return name
            frame = frame.f_back
        return ''

    def note(self, conf, opt, group):
        if conf is not self.cfg.CONF:
            return
        if isinstance(group, self.cfg.OptGroup):
            group = group.name
        self.seen.append((group or 'DEFAULT', opt, self.manila_caller()))


def effective_default(conf, group, opt):
    """Return the default, as set_default() may have changed it."""
    holder = (
        conf._opts
        if group == 'DEFAULT'
        else (conf._groups[group]._opts if group in conf._groups else {})
    )
    info = holder.get(opt.dest)
    if info and 'default' in info:
        return info['default']
    return opt.default


def prepare_libraries(cfg):
    """Call what the services call, so that libraries register options."""
    from manila.common import config

    conf = cfg.CONF
    for name in (
        'set_lib_defaults',
        'set_middleware_defaults',
        'set_external_library_defaults',
    ):
        function = getattr(config, name, None)
        if function:
            function()

    def attempt(what, function):
        try:
            function()
        except Exception as exc:
            building.say(f'{what}: {type(exc).__name__}: {exc}')

    from oslo_log import log

    attempt('oslo.log', lambda: log.register_options(conf))
    import oslo_messaging

    for url in ('rabbit://', 'kafka://', 'amqp://', 'fake://'):
        attempt(
            url, lambda url=url: oslo_messaging.get_rpc_transport(conf, url)
        )
        attempt(
            url,
            lambda url=url: oslo_messaging.get_notification_transport(
                conf, url
            ),
        )
    attempt(
        'notifier',
        lambda: oslo_messaging.Notifier(
            oslo_messaging.get_notification_transport(conf, 'fake://'),
            driver='noop',
        ),
    )
    attempt(
        'server',
        lambda: oslo_messaging.get_rpc_server(
            oslo_messaging.get_rpc_transport(conf, 'fake://'),
            oslo_messaging.Target(topic='a', server='b'),
            [],
        ),
    )
    attempt(
        'client',
        lambda: (
            getattr(oslo_messaging, 'get_rpc_client', None)
            or oslo_messaging.RPCClient
        )(
            oslo_messaging.get_rpc_transport(conf, 'fake://'),
            oslo_messaging.Target(topic='a'),
        ),
    )
    attempt(
        'oslo.policy',
        lambda: importlib.import_module('oslo_policy.policy').Enforcer(conf),
    )
    attempt(
        'oslo.db',
        lambda: importlib.import_module('oslo_db.options').set_defaults(conf),
    )

    def reports():
        importlib.import_module('oslo_reports.opts').set_defaults(conf)

    attempt('oslo.reports', reports)

    def service():
        from oslo_service import service

        service.Launcher(conf)

    attempt('oslo.service', service)

    def sections():
        for name in ('sslutils', 'wsgi'):
            module = importlib.import_module('oslo_service.' + name)
            if hasattr(module, 'register_opts'):
                module.register_opts(conf)

    attempt('oslo.service sections', sections)
    if importlib.util.find_spec('manila.keymgr'):
        attempt(
            'castellan',
            lambda: importlib.import_module('castellan.options').set_defaults(
                conf
            ),
        )


def listed_options():
    """Return (namespace, group, option) from the sample generator."""
    from oslo_config import generator

    known = {point.name for point in libraries.points('oslo.config.opts')}
    names = [name for name in NAMESPACES if name in known]
    if not importlib.util.find_spec('manila.keymgr'):
        names = [name for name in names if name != 'castellan.config']
    try:
        listings = generator._list_opts(names)
    except Exception:
        # A package may raise anything. If one cannot be loaded, none can be
        # in one call.
        listings = [
            listing
            for name in names
            for listing in listings_of(generator, name)
        ]
    rows = []
    for namespace, listing in listings:
        for group, opts in listing:
            group = getattr(group, 'name', group) or 'DEFAULT'
            rows.extend((namespace, group, opt) for opt in opts)
    for point in libraries.points('oslo.config.opts'):
        if sources.is_out_of_tree(out_of_tree.module_of(point)):
            rows.extend(listed_out_of_tree(point))
    return rows


def listings_of(generator, namespace):
    """Return what the sample generator lists in one namespace."""
    try:
        return generator._list_opts([namespace])
    except Exception as exc:
        building.say(f'options of {namespace}: {type(exc).__name__}: {exc}')
        return []


def listed_out_of_tree(point):
    """Return the list of a package beside manila, as if it were manila's."""
    rows = []
    try:
        for group, opts in point.load()():
            group = getattr(group, 'name', group) or 'DEFAULT'
            rows.extend(('manila', group, opt) for opt in opts)
    except Exception as exc:
        building.say(f'options of {point.value}: {type(exc).__name__}: {exc}')
    return rows
