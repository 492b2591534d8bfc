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

"""Say what a real manila release could be configured with.

Run by judge_config.py inside the release, to make configurations from: every
driver, and for every option texts that its own type takes and refuses::

    {"drivers": [PATH], "plugins": [NAME],
     "vendors": {PACKAGE: {OPTION: SAMPLE}},
     "sections": {SECTION: {OPTION: SAMPLE}},
     "listed": {SECTION: {OPTION: SAMPLE}},
     "logins": {PLUGIN: {OPTION: SAMPLE}}}

A vendor is the module or package below manila.share.drivers that an option
is defined in, 'network' and '' (any back end's) beside them. What is defined
there need not be registered in any section: the verdicts say that.

    SAMPLE: {"good": TEXT, "bad": [TEXT], "edges": [TEXT], "old":
             [[SECTION or null, NAME]], "free": takes any text,
             "secret": marked so}
"""

import importlib
import inspect
import pkgutil

import judge_config

# Sample values, in the order of preference.
GOOD = (
    'text',
    '7',
    'true',
    'a:b',
    'a=b',
    '192.0.2.7',
    '/srv/file',
    'http://192.0.2.7:80/x',
    '1-5',
    '2001:db8::7',
    'one.example.org',
    '[a]',
    '{a:b}',
    'a:[b]',
)
BAD = (
    'no such value',
    'maybe',
    'seven',
    '1.5.5',
    '-7',
    '70000',
    'a b, c d',
    'no pair',
    '[',
    '300.300.300.300',
    'http:/',
    '',
)
# Base classes, and the two classes that NetAppDriver selects by its mode; none
# of them is ever named as share_driver.
NOT_NAMED = ('Base', 'MultiSvmShareDriver', 'SingleSvmShareDriver')
# NetAppDriver, which reads every option of its package, is no subclass of
# ShareDriver.
MORE_DRIVERS = (
    'manila.share.drivers.netapp.common.NetAppDriver',
    'manila.tests.share.drivers.dummy.DummyDriver',
)


def accepts(opt, text):
    try:
        opt.type(text)
    except Exception:
        return False
    return True


def sample(opt):
    """Return texts that the type of an option accepts and rejects."""
    kind = opt.type
    inner = getattr(kind, 'item_type', kind)
    choices = [str(item) for item in getattr(inner, 'choices', None) or ()]
    bounds = [getattr(kind, name, None) for name in ('min', 'max')]
    edges = [
        str(bound + step)
        for bound in bounds
        if bound is not None
        for step in (-1, 0, 1)
    ]
    edges += [text for item in choices[:3] for text in (item, item.upper())]
    # If the default is the path of a class, use it: other texts fail.
    default = str(opt.default or '')
    choices += [default] if default.startswith('manila.') else []
    good = [*choices, *GOOD, *map(str, filter(None, bounds))]
    return {
        'good': next((text for text in good if accepts(opt, text)), None),
        'bad': [text for text in BAD if not accepts(opt, text)][:2],
        'edges': edges,
        'old': [
            [old.group, old.name or opt.dest] for old in opt.deprecated_opts
        ],
        'free': accepts(opt, 'a/b:c d=e'),
        'secret': bool(opt.secret),
    }


def drivers():
    """Return the path of every driver of the package, sorted."""
    from manila.share import driver

    found = set(MORE_DRIVERS)
    for module in modules('manila.share.drivers'):
        for name, value in vars(module).items():
            if (
                inspect.isclass(value)
                and value.__module__ == module.__name__
                and issubclass(value, driver.ShareDriver)
                and not name.endswith(NOT_NAMED)
            ):
                found.add(f'{module.__name__}.{name}')
    return sorted(found)


def plugins():
    """Return the values that emc_share_backend may have."""
    from stevedore import extension

    manager = extension.ExtensionManager(
        'manila.share.drivers.dell_emc.plugins'
    )
    return sorted(manager.names())


def modules(name):
    package = importlib.import_module(name)
    found = [package]
    for info in pkgutil.walk_packages(package.__path__, name + '.'):
        module = judge_config.attempt(importlib.import_module, info.name)
        if module is not None:
            found.append(module)
    return found


def options_in(module):
    """Yield the options of a module, in lists or by themselves."""
    from oslo_config import cfg

    for value in list(vars(module).values()):
        items = value if isinstance(value, (list, tuple)) else [value]
        for item in items:
            if isinstance(item, cfg.Opt):
                yield item


def vendors():
    from manila import network
    from manila.share import driver
    from manila.share import hook
    from manila.share import manager

    common = ('helpers', 'ganesha', 'service_instance')
    found = {}
    for module in modules('manila.share.drivers'):
        vendor = module.__name__.split('.')[3:4]
        name = '' if not vendor or vendor[0] in common else vendor[0]
        add(found.setdefault(name, {}), options_in(module))
    for module in (driver, hook, manager):
        add(found.setdefault('', {}), options_in(module))
    for module in modules(network.__name__):
        add(found.setdefault('network', {}), options_in(module))
    dummy = importlib.import_module('manila.tests.share.drivers.dummy')
    add(found.setdefault('dummy', {}), options_in(dummy))
    return found


def add(samples, options):
    for opt in options:
        samples[opt.dest] = sample(opt)


def logins():
    from keystoneauth1 import loading

    found = {}
    for name in sorted(loading.get_available_plugin_names()):
        options = judge_config.attempt(
            loading.get_auth_plugin_conf_options, name
        )
        if options is not None:
            add(found.setdefault(name, {}), options)
    return found


def samples(conf):
    listed = {}
    for name in ('manila', 'keystonemiddleware.auth_token'):
        from oslo_config import generator

        for _name, groups in generator._list_opts([name]):
            for group, opts in groups:
                group = getattr(group, 'name', group) or 'DEFAULT'
                add(listed.setdefault(group, {}), opts)
    conf(
        [],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    judge_config.register_libraries(conf, judge_config.listed())
    neutron = importlib.import_module('manila.network.neutron.api')
    judge_config.attempt(neutron.API)
    sections = {}
    for group, _dest, opt in judge_config.every_option(conf):
        add(sections.setdefault(group, {}), [opt])
    return {
        'sections': sections,
        'listed': listed,
        'drivers': drivers(),
        'plugins': plugins(),
        'vendors': vendors(),
        'logins': logins(),
    }
