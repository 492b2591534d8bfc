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

"""Read the facts of the manila release that this interpreter has installed.

Run by tools/build_catalog.py with the Python of a virtual environment that
holds one manila release and nothing of this project: only the standard
library and what manila itself brings may be imported. Prints one JSON object
(options, auth_plugins, policies, drivers, revisions, release; with --schema,
the schema that a database holds) on standard output, and on standard error
whatever a person should look at.

Facts that depend on the machine are found by standing in for it: the host
name, its address, the number of processors, the home and the temporary
directory are replaced by marks before manila is imported. A default that
holds a mark, or a path of the environment, is a host default: its value is
not recorded.

Help strings and any other prose of manila are never read out.
"""

import argparse
import ast
import configparser
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import json
import multiprocessing
import os
import pkgutil
import re
import socket
import sys
import tempfile
import types

HOST = 'catalog-host-mark'
ADDRESS = '192.0.2.77'
ADDRESS6 = '2001:db8::77'
PROCESSORS = 7919
HOME = '/nonexistent/catalog-home-mark'
TEMPORARY = '/nonexistent/catalog-tmp-mark'
PROCESS = 'catalog-process-mark'

# What etc/oslo-config-generator/manila.conf of the releases names, and the
# libraries whose options manila's services register without naming them.
NAMESPACES = (
    'manila',
    'castellan.config',
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
AUTH_GROUPS = (
    'keystone_authtoken',
    'nova',
    'cinder',
    'glance',
    'neutron',
    'barbican',
)
DRIVERS = 'manila.share.drivers.'
TESTS = 'manila.tests.'
# manila.share.driver's own classes come with every driver by inheritance.
SHARED_MODULES = ('manila.share.driver',)
SKIPPED_MODULES = re.compile(
    r'^manila\.(tests(\.|$)(?!share\.drivers\.dummy$)|test$'
    r'|db\.migrations\.alembic\.(env$|versions\.)|wsgi\.(api|wsgi)$'
    r'|cmd(\.|$))'
)


def say(text):
    print(text, file=sys.stderr)


def stand_in_for_the_host():
    """Put marks where a library would ask the machine."""
    os.environ['HOME'] = HOME
    for name in ('TMPDIR', 'TEMP', 'TMP', 'OSLO_LOCK_PATH'):
        os.environ.pop(name, None)
    for name in list(os.environ):
        if name.startswith(('OS_', 'OSLO_', 'MANILA_', 'REQUESTS_')):
            del os.environ[name]
    os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'
    tempfile.tempdir = TEMPORARY
    socket.gethostname = lambda: HOST
    socket.getfqdn = lambda name='': HOST
    multiprocessing.cpu_count = lambda: PROCESSORS
    os.cpu_count = lambda: PROCESSORS
    real = os.uname()
    os.uname = lambda: _uname(real)
    sys.argv = [PROCESS]
    try:
        from oslo_concurrency import processutils
    except ImportError:
        pass
    else:
        processutils.get_worker_count = lambda: PROCESSORS
    from oslo_utils import netutils

    netutils.get_my_ipv4 = lambda: ADDRESS
    netutils.get_my_ipv6 = lambda: ADDRESS6


def _uname(real):
    fields = list(real)
    fields[1] = HOST
    return os.uname_result(fields)


# -- options -----------------------------------------------------------------


def jsonable(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value)


def is_of_the_host(value):
    if isinstance(value, dict):
        return any(is_of_the_host(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_of_the_host(item) for item in value)
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value and value % PROCESSORS == 0
    if not isinstance(value, str):
        return False
    marks = (HOST, ADDRESS, ADDRESS6, HOME, TEMPORARY, PROCESS, sys.prefix)
    return any(mark in value for mark in marks)


def type_facts(kind):
    """Describe a type of oslo.config by everything its constructor takes."""
    from oslo_config import types

    names = [
        (types.Port, 'port'),
        (types.Integer, 'integer'),
        (types.Float, 'float'),
        (types.Number, 'number'),
        (types.Boolean, 'boolean'),
        (types.List, 'list'),
        (types.Range, 'range'),
        (types.Dict, 'dict'),
        (types.IPAddress, 'ip_address'),
        (types.HostAddress, 'host_address'),
        (types.HostDomain, 'host_domain'),
        (types.Hostname, 'hostname'),
        (types.URI, 'uri'),
        (types.MultiString, 'string'),
        (types.String, 'string'),
    ]
    if not isinstance(kind, types.ConfigType):
        if kind is str:
            return 'string'
        return {
            'kind': 'opaque',
            'name': getattr(kind, '__name__', type(kind).__name__),
        }
    for cls, word in names:  # noqa: B007
        if isinstance(kind, cls):
            break
    else:
        cls = None
    if type(kind) is not cls:
        # What it accepts is known to its own code alone.
        return {'kind': 'opaque', 'name': type(kind).__name__}
    facts = {'kind': word}
    if word == 'port':
        plain = types.Port()
    elif word == 'range':
        plain = types.Range()
    else:
        plain = None
    for name in ('min', 'max'):
        bound = getattr(kind, name, None)
        if bound is not None and bound != getattr(plain, name, None):
            facts[name] = bound
    choices = getattr(kind, 'choices', None)
    if choices:
        facts['choices'] = sorted(
            choices, key=lambda item: (item is None, str(item))
        )
    for name in ('max_length', 'schemes'):
        if getattr(kind, name, None):
            facts[name] = jsonable(getattr(kind, name))
    regex = getattr(kind, 'regex', None)
    if regex is not None and word in ('string', 'uri'):
        facts['regex'] = getattr(regex, 'pattern', regex)
        if getattr(regex, 'flags', 0) & re.IGNORECASE:
            facts['ignore_case'] = True
    for name in ('quotes', 'ignore_case', 'bounds', 'inclusive'):
        if getattr(kind, name, None):
            facts[name] = True
    separator = getattr(kind, 'key_value_separator', ':')
    if separator != ':':
        facts['separator'] = separator
    if word == 'list':
        facts['item'] = type_facts(kind.item_type)
    elif word == 'dict':
        facts['item'] = type_facts(kind.value_type)
    elif word in ('ip_address', 'host_address'):
        version = ip_version(kind)
        if version:
            facts['version'] = version
    return compact_type(facts)


def ip_version(kind):
    address = getattr(kind, 'ip_address', kind)
    check = getattr(address, 'version_checker', None)
    name = getattr(check, '__name__', '')
    if 'ipv4' in name:
        return 4
    if 'ipv6' in name:
        return 6
    return None


def compact_type(facts):
    return facts['kind'] if len(facts) == 1 else facts


def option_facts(opt, default):
    """Say what oslo.config knows of one option, but its help."""
    from oslo_config import cfg

    facts = {'type': type_facts(opt.type)}
    value = jsonable(default)
    if is_of_the_host(value):
        facts['host_default'] = True
    elif value is not None:
        facts['default'] = value
    for name in (
        'secret',
        'required',
        'mutable',
        'advanced',
        'deprecated_for_removal',
    ):
        if getattr(opt, name, False):
            facts[name] = True
    if opt.multi:
        facts['multi'] = True
    if getattr(opt, 'deprecated_since', None):
        facts['deprecated_since'] = str(opt.deprecated_since)
    olds = set()
    for old in opt.deprecated_opts:
        assert isinstance(old, cfg.DeprecatedOpt)
        group, name = old.group, old.name
        # An old name without a group lies in the option's own group, an
        # old group without a name keeps the name.
        olds.add((group or '', name or opt.dest))
    if olds:
        facts['deprecated_names'] = sorted(
            {(group or None, name) for group, name in olds},
            key=lambda pair: (pair[0] or '', pair[1]),
        )
        facts['deprecated_names'] = [
            list(pair) for pair in facts['deprecated_names']
        ]
    return facts


class Registrations:
    """Every option that anything registers, where, and by which module."""

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
                say(
                    f'registered twice, differing: {opt.dest} by '
                    f'{watcher.caller()}'
                )
                return False

        def register_cli_opt(conf, opt, group=None, **kwargs):
            # The command line is parsed already, and not what matters.
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
        """Return the module of manila whose import this happens in."""
        frame = inspect.currentframe()
        while frame:
            name = frame.f_globals.get('__name__', '')
            if name.startswith('manila.') or name == 'manila':
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
    """Return the default after set_default() of the group, if any."""
    holder = (
        conf._opts
        if group == 'DEFAULT'
        else (conf._groups[group]._opts if group in conf._groups else {})
    )
    info = holder.get(opt.dest)
    if info and 'default' in info:
        return info['default']
    return opt.default


# -- where the options of back ends are registered ---------------------------


class Module:
    """One module of manila: its namespace at run time, and its source."""

    def __init__(self, name, module):
        self.name = name
        self.globals = vars(module)
        path = getattr(module, '__file__', None)
        source = ''
        if path and path.endswith('.py'):
            with open(path, encoding='utf-8') as stream:
                source = stream.read()
        self.tree = ast.parse(source)
        self.nodes = {}
        for statement in self.tree.body:
            if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
                self.nodes[statement.name] = statement

    def evaluate(self, node):
        """Evaluate an expression made of names of the module, or None."""
        try:
            code = compile(ast.Expression(node), self.name, 'eval')
            return eval(code, dict(self.globals), {})
        except Exception:
            return None


def source_modules():
    """Import every module of manila but tests, commands, migrations."""
    import manila

    modules = {}
    for info in pkgutil.walk_packages(
        manila.__path__, 'manila.', onerror=lambda name: None
    ):
        if SKIPPED_MODULES.match(info.name):
            continue
        try:
            module = importlib.import_module(info.name)
        except Exception as exc:
            say(f'not importable: {info.name}: {type(exc).__name__}: {exc}')
            continue
        modules[info.name] = Module(info.name, module)
    stub_the_test_packages(manila.__path__[0])
    name = 'manila.tests.share.drivers.dummy'
    modules[name] = Module(name, importlib.import_module(name))
    return modules


def stub_the_test_packages(root):
    """Let the dummy driver be imported without the libraries of tests."""
    name, path = 'manila.tests', os.path.join(root, 'tests')
    for part in ('', 'share', 'drivers'):
        if part:
            name, path = f'{name}.{part}', os.path.join(path, part)
        package = types.ModuleType(name)
        package.__path__ = [path]
        sys.modules[name] = package


class Site:
    """One place in the source that registers a list of options."""

    def __init__(self, module, scope, where, opts):
        self.module = module
        self.scope = scope
        self.where = where
        self.opts = opts


def flat_opts(value):
    from oslo_config import cfg

    if isinstance(value, cfg.Opt):
        return [value]
    if isinstance(value, (list, tuple)):
        return [opt for item in value for opt in flat_opts(item)]
    return []


def group_of_call(module, call, position):
    """Say in which kind of section a register call puts its options."""
    node = None
    for keyword in call.keywords:
        if keyword.arg == 'group':
            node = keyword.value
    if node is None and len(call.args) > position:
        node = call.args[position]
    if node is None:
        return 'DEFAULT'
    value = module.evaluate(node)
    if isinstance(value, str):
        return value
    text = ast.dump(node)
    if "'profile'" in text:
        return '<binding_profile>'
    if module.name.startswith('manila.network'):
        return '<network>'
    if module.name == 'manila.share.drivers_private_data':
        return '<backend>'
    say(f'group not understood in {module.name}: {ast.dump(node)}')
    return None


def sites(modules):
    """Find every place that registers options in a section made by config."""
    found = []
    for module in modules.values():
        for scope, node in module.nodes.items():
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    found.extend(sites_of_call(module, scope, call))
    return found


def sites_of_call(module, scope, call):
    name = getattr(call.func, 'attr', getattr(call.func, 'id', ''))
    out = []
    if name == 'append_config_values' and call.args:
        where, value = '<backend>', call.args[0]
        if 'backup' in scope:
            where = '<backup>'
        out.append((where, value))
    elif name == 'Configuration' and call.args:
        where = '<backend>'
        if 'backup' in scope:
            where = '<backup>'
        out.append((where, call.args[0]))
    elif name == '__init__':
        for keyword in call.keywords:
            if keyword.arg == 'config_opts':
                out.append(('<backend>', keyword.value))
    elif name in ('register_opts', 'register_opt') and call.args:
        if module.name == 'manila.share.configuration':
            return []
        where = group_of_call(module, call, 1)
        if where:
            out.append((where, call.args[0]))
    elif name in (
        'register_session_conf_options',
        'register_auth_conf_options',
        'register_adapter_conf_options',
    ):
        group = module.evaluate(call.args[1]) if len(call.args) > 1 else None
        olds = {}
        for keyword in call.keywords:
            if keyword.arg == 'deprecated_opts':
                olds = module.evaluate(keyword.value) or {}
        if isinstance(group, str):
            return [Site(module.name, scope, group, keystone_opts(name, olds))]
        say(f'group not understood in {module.name}: {ast.dump(call)}')
        return []
    result = []
    for where, value in out:
        opts = flat_opts(module.evaluate(value))
        if not opts and isinstance(value, ast.Attribute):
            cls = module.globals.get(scope)
            opts = flat_opts(getattr(cls, value.attr, None))
        if not opts:
            if isinstance(value, ast.Name) and value.id in (
                'config_opt_set',
                'share_opts',
            ):
                if module.evaluate(value) is None:
                    continue
            say(f'options not understood in {module.name}:{call.lineno}')
            continue
        result.append(Site(module.name, scope, where, opts))
    return result


def keystone_opts(name, olds):
    from keystoneauth1 import loading

    if name == 'register_session_conf_options':
        return loading.get_session_conf_options(deprecated_opts=olds or None)
    if name == 'register_adapter_conf_options':
        return loading.get_adapter_conf_options(deprecated_opts=olds or None)
    return loading.get_auth_common_conf_options()


class References:
    """Which classes of manila a class leads to, by the names in its code."""

    def __init__(self, modules):
        self.modules = modules
        self.edges = {}

    def reach(self, starts):
        seen = set()
        todo = list(starts)
        while todo:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            todo.extend(self.out(item))
        return seen

    def out(self, item):
        if item not in self.edges:
            self.edges[item] = self._out(*item)
        return self.edges[item]

    def _out(self, module_name, name):
        module = self.modules.get(module_name)
        if module is None:
            return set()
        node = module.nodes.get(name)
        if node is None:
            value = module.globals.get(name)
            return self.strings(value, module)
        found = set()
        # oslo.config takes a driver's bases from the inheritance itself.
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                found |= self.named(module, part.id)
            elif isinstance(part, ast.Attribute) and isinstance(
                part.value, (ast.Name, ast.Attribute)
            ):
                holder = module.evaluate(part.value)
                if inspect.ismodule(holder):
                    found |= self.target(holder.__name__, part.attr)
            elif isinstance(part, ast.Constant) and isinstance(
                part.value, str
            ):
                found |= self.strings(part.value, module)
        return found

    def named(self, module, name):
        if name in module.nodes:
            return {(module.name, name)}
        value = module.globals.get(name)
        if inspect.isclass(value) or inspect.isfunction(value):
            return self.target(value.__module__, value.__name__)
        if isinstance(value, (dict, list, tuple, str)):
            return {(module.name, name)}
        return set()

    def target(self, module_name, name):
        if not module_name.startswith(DRIVERS):
            return set()
        module = self.modules.get(module_name)
        if module is None:
            return set()
        if name in module.nodes:
            return {(module_name, name)}
        value = module.globals.get(name)
        if inspect.isclass(value) and value.__module__ != module_name:
            return self.target(value.__module__, value.__name__)
        if isinstance(value, (dict, list, tuple, str)):
            return {(module_name, name)}
        return set()

    def strings(self, value, module):
        """Follow dotted paths of classes, absolute or of the package."""
        found = set()
        if hasattr(value, 'dest') and hasattr(value, 'default'):
            # An option whose default is a class to load; all share_driver
            # has in common with a driver is that it may name it.
            if value.dest != 'share_driver':
                found |= self.strings(value.default, module)
        elif isinstance(value, dict):
            for item in value.values():
                found |= self.strings(item, module)
        elif isinstance(value, (list, tuple)):
            for item in value:
                found |= self.strings(item, module)
        elif isinstance(value, str) and re.match(r'^[\w.=]+\.\w+$', value):
            path = value.split('=')[-1]
            package = (
                module.name
                if module.name + '.' in str(list(self.modules))
                else module.name.rpartition('.')[0]
            )
            for prefix in (
                '',
                package + '.',
                module.name.rpartition('.')[0] + '.',
            ):
                holder, _, name = (prefix + path).rpartition('.')
                if holder in self.modules:
                    found |= self.target(holder, name)
        return found


def bases_of(cls):
    return [
        (base.__module__, base.__name__)
        for base in cls.__mro__
        if base.__module__.startswith('manila.')
    ]


def sites_of_driver(cls, all_sites, references):
    """Return the sites that run when the driver is built."""
    chain = bases_of(cls)
    starts = [item for item in chain if item[0] not in SHARED_MODULES]
    reached = references.reach(starts) | set(chain)
    return [site for site in all_sites if (site.module, site.scope) in reached]


# -- drivers -----------------------------------------------------------------


def dotted(cls):
    return f'{cls.__module__}.{cls.__name__}'


EMC_PLUGINS = 'manila.share.drivers.dell_emc.plugins'


def share_drivers(modules):
    """Find every class that share_driver may name."""
    base = importlib.import_module('manila.share.driver').ShareDriver
    found = subclasses_in(modules, (DRIVERS, TESTS), base)
    bases = {
        dotted(base) for cls in found.values() for base in cls.__mro__[1:]
    }
    common = importlib.import_module('manila.share.drivers.netapp.common')
    found[dotted(common.NetAppDriver)] = common.NetAppDriver
    return found, bases


def modes_of_class(cls, modules):
    """Read the literal that a driver hands to ShareDriver.__init__."""
    for base in cls.__mro__:
        module = modules.get(base.__module__)
        if module is None or base.__module__ in SHARED_MODULES:
            return None
        node = module.nodes.get(base.__name__)
        if node is None:
            continue
        init = [
            item
            for item in node.body
            if isinstance(item, ast.FunctionDef) and item.name == '__init__'
        ]
        if not init:
            continue
        for call in ast.walk(init[0]):
            if (
                isinstance(call, ast.Call)
                and getattr(call.func, 'attr', '') == '__init__'
            ):
                candidates = list(call.args[:2]) + [
                    keyword.value
                    for keyword in call.keywords
                    if keyword.arg == 'driver_handles_share_servers'
                ]
                for node in candidates:
                    modes = literal_modes(node)
                    if modes:
                        return modes
    return None


def literal_modes(node):
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError):
        return None
    if isinstance(value, bool):
        return [value]
    if (
        isinstance(value, (list, tuple, set))
        and value
        and all(isinstance(item, bool) for item in value)
    ):
        return sorted(value)
    return None


def plugin_modes(cls, modules):
    """Read driver_handles_share_servers of a Dell EMC plugin."""
    for base in cls.__mro__:
        module = modules.get(base.__module__)
        node = module and module.nodes.get(base.__name__)
        if not node:
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Assign) and any(
                getattr(target, 'attr', '') == 'driver_handles_share_servers'
                for target in part.targets
            ):
                modes = literal_modes(part.value)
                if modes:
                    return modes
    return None


def emc_plugins():
    """Return {name: class} of what emc_share_backend may name."""
    plugins = {}
    for name, target in entry_points(EMC_PLUGINS).items():
        module, _, attr = target.partition(':')
        plugins[name] = getattr(importlib.import_module(module), attr)
    return plugins


def says_deprecated(module, scope):
    """Say whether the code logs that the thing itself is deprecated."""
    node = module.nodes[scope]
    choices = {
        id(call)
        for part in ast.walk(node)
        if isinstance(part, ast.If) and isinstance(part.test, ast.Compare)
        for call in ast.walk(part)
    }
    for call in ast.walk(node):
        if id(call) in choices:
            continue
        if isinstance(call, ast.Call) and getattr(call.func, 'attr', '') in (
            'warning',
            'warn',
            'report_deprecated_feature',
        ):
            text = ' '.join(
                part.value
                for part in ast.walk(call)
                if isinstance(part, ast.Constant)
                and isinstance(part.value, str)
            )
            if re.search(r'driver (has been|is) deprecated', text):
                return True
    return False


def entry_points(group):
    """Return {name: value} of those of manila."""
    found = importlib.metadata.distribution('manila').entry_points
    return {point.name: point.value for point in found if point.group == group}


def subclasses_in(modules, prefix, base):
    """Return {path: class} of those that modules define.

    :param prefix: with what the name of such a module starts, or a tuple.
    """
    found = {}
    for module in modules.values():
        if not module.name.startswith(prefix):
            continue
        for name in module.nodes:
            value = module.globals.get(name)
            if (
                inspect.isclass(value)
                and issubclass(value, base)
                and value is not base
                and value.__module__ == module.name
            ):
                found[dotted(value)] = value
    return found


# What a URL or a driver of the notifications may name comes from libraries,
# and so from the upper constraints of the release.
LIBRARY_POINTS = (
    ('transport', 'oslo.messaging.drivers'),
    ('notification', 'oslo.messaging.notify.drivers'),
    ('coordination', 'tooz.backends'),
)


def library_facts():
    """Describe the schemes and names that libraries answer to."""
    rows = [
        {'kind': kind, 'name': name}
        for kind, group in LIBRARY_POINTS
        for name in sorted({point.name for point in points(group)})
    ]
    rows.extend({'kind': 'dialect', 'name': name} for name in dialects())
    return rows


# Dialects that are no package of their own; postgres up to SQLAlchemy 1.3.
DIALECT_HOMES = {'mariadb': 'mysql', 'postgres': 'postgresql'}


def dialects():
    """Return every dialect and dialect+driver that SQLAlchemy can load."""
    from sqlalchemy import dialects as package
    from sqlalchemy import exc

    found = set()
    names = {info.name for info in pkgutil.iter_modules(package.__path__)}
    for name in sorted(names | set(DIALECT_HOMES)):
        folder = DIALECT_HOMES.get(name, name)
        try:
            package.registry.load(name)
        except (exc.NoSuchModuleError, ImportError, AttributeError):
            continue
        found.add(name)
        holder = importlib.import_module(f'sqlalchemy.dialects.{folder}')
        for info in pkgutil.iter_modules(holder.__path__):
            try:
                package.registry.load(f'{name}.{info.name}')
            except (exc.NoSuchModuleError, ImportError, AttributeError):
                continue
            found.add(f'{name}+{info.name}')
    return sorted(found)


# Every class inherits from these; what does is not of one kind.
GENERAL_BASES = (
    'manila.db.base',
    'manila.manager',
    'manila.share.driver',
    'manila.share.configuration',
)


def class_facts(modules, options, known):
    """Describe the classes that an option names by path, and their like.

    :param options: the rows of the options: a default is such a path.
    :param known: the names that another kind has already.
    """
    defaults = set()
    for row in options:
        defaults |= paths_in(row.get('default'))
    found = set()
    roots = []
    for path in sorted(defaults):
        holder, _, name = path.rpartition('.')
        if path in modules:
            found.add(path)
        elif holder in modules and hasattr(
            importlib.import_module(holder), name
        ):
            found.add(path)
            value = getattr(importlib.import_module(holder), name)
            if inspect.isclass(value):
                roots.append(root_of(value))
    for module in modules.values():
        if module.name.startswith('manila.tests'):
            continue
        for name in module.nodes:
            value = module.globals.get(name)
            if (
                inspect.isclass(value)
                and value.__module__ == module.name
                and not name.startswith('_')
                and (
                    any(issubclass(value, root) for root in roots)
                    or (module.name.startswith(DRIVERS) and 'Helper' in name)
                )
            ):
                found.add(dotted(value))
    return [{'kind': 'class', 'name': name} for name in sorted(found - known)]


def paths_in(default):
    """Return the paths of manila that a default holds."""
    if isinstance(default, dict):
        return {path for item in default.values() for path in paths_in(item)}
    if isinstance(default, list):
        return {path for item in default for path in paths_in(item)}
    if not isinstance(default, str):
        return set()
    path = default.rpartition('=')[2]
    return {path} if re.match(r'^manila(\.\w+)+$', path) else set()


def root_of(cls):
    """Return the eldest class of manila that makes a class what it is."""
    found = cls
    for base in cls.__mro__:
        if (
            base.__module__.startswith('manila.')
            and base.__module__ not in GENERAL_BASES
        ):
            found = base
    return found


def share_driver_facts(modules):
    """Describe what share_driver may name, and emc_share_backend."""
    rows = []

    def add(kind, name, **facts):
        row = {'kind': kind, 'name': name}
        row.update(
            {
                key: value
                for key, value in facts.items()
                if value not in (None, [], {}, False)
            }
        )
        rows.append(row)

    classes, bases = share_drivers(modules)
    built = netapp_built()
    for path, cls in classes.items():
        modes = modes_of_class(cls, modules)
        internal = path in built or (path in bases and modes is None)
        if path.endswith('.netapp.common.NetAppDriver'):
            modes = netapp_modes(cls)
        add(
            'share',
            path,
            modes=modes,
            internal=internal,
            deprecated=says_deprecated(modules[cls.__module__], cls.__name__),
        )
    mapping = importlib.import_module('manila.share.manager').MAPPING
    for old, new in mapping.items():
        add('share_moved', old, target=new)
    targets = entry_points(EMC_PLUGINS)
    for name, cls in emc_plugins().items():
        add(
            'emc_plugin',
            name,
            target=targets[name].replace(':', '.'),
            modes=plugin_modes(cls, modules),
            deprecated=plugin_deprecated(name, modules),
        )
    for old, new in emc_aliases(modules).items():
        add('emc_alias', old, target=new, deprecated=True)
    return rows


# The other kinds of class that an option names, by kind: in which modules
# they are defined, and which class, of which module, makes them one. Not all
# releases have backups.
KINDS = {
    'network': ('manila.network.', 'manila.network', 'NetworkBaseAPI'),
    'scheduler': (
        'manila.scheduler.drivers.',
        'manila.scheduler.drivers.base',
        'Scheduler',
    ),
    'backup': (
        'manila.data.drivers.',
        'manila.data.backup_driver',
        'BackupDriver',
    ),
    'private_data': (
        'manila.share.drivers_private_data',
        'manila.share.drivers_private_data',
        'StorageDriver',
    ),
    'hook': ('manila.share.hooks.', 'manila.share.hook', 'HookBase'),
}


def classes_of_kind(modules, kind):
    """Return {path: class} of one of KINDS."""
    prefix, holder, base = KINDS[kind]
    if not importlib.util.find_spec(holder):
        return {}
    module = importlib.import_module(holder)
    return subclasses_in(modules, prefix, getattr(module, base))


def named_class_facts(modules):
    """Describe the classes of KINDS, and the scheduler's by their names."""
    rows = [
        {'kind': kind, 'name': path}
        for kind in KINDS
        for path in classes_of_kind(modules, kind)
    ]
    for kind in ('filter', 'weigher'):
        rows.extend(
            {'kind': kind, 'name': name, 'target': target.replace(':', '.')}
            for name, target in entry_points(
                f'manila.scheduler.{kind}s'
            ).items()
        )
    manager = importlib.import_module('manila.scheduler.manager')
    rows.extend(
        {'kind': 'scheduler_moved', 'name': old, 'target': new}
        for old, new in getattr(manager, 'MAPPING', {}).items()
    )
    return rows


def command_facts():
    """Describe the commands, and what serves the API without one."""
    rows = [
        {'kind': kind, 'name': name, 'target': target}
        for kind in ('console_script', 'wsgi_script')
        for name, target in entry_points(f'{kind}s').items()
    ]
    if importlib.util.find_spec('manila.wsgi.api'):
        rows.append({'kind': 'wsgi_module', 'name': 'manila.wsgi.api'})
    rows.extend(
        {'kind': 'api_module', 'name': name}
        for name in ('manila.api.v1', 'manila.api.v2')
        if importlib.util.find_spec(name)
    )
    return rows


def netapp_built():
    """Return the classes that only NetAppDriver itself builds."""
    common = importlib.import_module('manila.share.drivers.netapp.common')
    return {
        path
        for family in common.NETAPP_UNIFIED_DRIVER_REGISTRY.values()
        for path in family.values()
    }


def netapp_modes(cls):
    common = importlib.import_module(cls.__module__)
    modes = set()
    for family in common.NETAPP_UNIFIED_DRIVER_REGISTRY.values():
        for mode in family:
            modes.add(mode == common.MULTI_SVM)
    return sorted(modes)


def plugin_deprecated(name, modules):
    """Say whether the EMC driver logs that this plugin is deprecated."""
    module = modules['manila.share.drivers.dell_emc.driver']
    for part in ast.walk(module.tree):
        if not (
            isinstance(part, ast.If) and isinstance(part.test, ast.Compare)
        ):
            continue
        words = [
            item.value
            for item in ast.walk(part.test)
            if isinstance(item, ast.Constant)
        ]
        text = ' '.join(
            item.value
            for statement in part.body
            for item in ast.walk(statement)
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
        if name in words and 'deprecated' in text:
            return True
    return False


def emc_aliases(modules):
    """Return the values of emc_share_backend that the driver replaces."""
    found = {}
    module = modules['manila.share.drivers.dell_emc.driver']
    for part in ast.walk(module.tree):
        if not (
            isinstance(part, ast.If)
            and isinstance(part.test, ast.Compare)
            and getattr(part.test.left, 'attr', '') == 'backend_name'
        ):
            continue
        (old,) = [
            item.value
            for item in ast.walk(part.test)
            if isinstance(item, ast.Constant)
        ]
        for statement in part.body:
            if (
                isinstance(statement, ast.Assign)
                and getattr(statement.targets[0], 'attr', '') == 'backend_name'
                and isinstance(statement.value, ast.Constant)
            ):
                found[old] = statement.value.value
    return found


def shipped_paste():
    for file in importlib.metadata.distribution('manila').files or ():
        if file.name == 'api-paste.ini':
            return file.locate()
    path = os.path.join(sys.prefix, 'etc', 'manila', 'api-paste.ini')
    return path if os.path.exists(path) else None


def paste_facts():
    """Describe the sections of the api-paste.ini that manila ships."""
    path = shipped_paste()
    if path is None:
        say('no api-paste.ini is shipped')
        return []
    with open(path, encoding='utf-8') as stream:
        text = stream.read()
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_file(io.StringIO(text))
    rows = []
    for section in parser.sections():
        row = {
            'kind': 'paste',
            'name': section,
            'keys': dict(parser.items(section)),
        }
        rows.append(row)
    return rows


# -- everything else ---------------------------------------------------------


def auth_plugin_facts():
    """Describe the options of every keystoneauth plugin by its name."""
    from keystoneauth1 import loading

    rows = []
    names = sorted(point.name for point in points('keystoneauth1.plugin'))
    for name in dict.fromkeys(names):
        try:
            opts = loading.get_auth_plugin_conf_options(name)
        except Exception as exc:
            say(f'auth plugin {name}: {type(exc).__name__}: {exc}')
            rows.append({'plugin': name, 'options': None})
            continue
        options = []
        for opt in opts:
            facts = option_facts(opt, opt.default)
            facts['name'] = opt.dest
            options.append(facts)
        rows.append(
            {
                'plugin': name,
                'options': sorted(options, key=lambda facts: facts['name']),
            }
        )
    return rows


def points(group):
    """Return the entry points of a group, of every distribution."""
    found = importlib.metadata.entry_points()
    if hasattr(found, 'select'):
        return list(found.select(group=group))
    return list(found.get(group, ()))


def policy_facts():
    """Describe every rule that manila registers."""
    from manila import policies

    rows = []
    for rule in policies.list_rules():
        row = {'name': rule.name, 'check': rule.check_str}
        scopes = getattr(rule, 'scope_types', None)
        if scopes:
            row['scope_types'] = sorted(scopes)
        old = getattr(rule, 'deprecated_rule', None)
        if old:
            row['deprecated_rule'] = {'name': old.name, 'check': old.check_str}
            since = getattr(old, 'deprecated_since', None) or getattr(
                rule, 'deprecated_since', None
            )
            if since:
                row['deprecated_rule']['since'] = str(since)
        if getattr(rule, 'deprecated_for_removal', False):
            row['deprecated_for_removal'] = True
        rows.append(row)
    return sorted(rows, key=lambda row: row['name'])


def revision_facts():
    """Return the alembic chain from its root to its head."""
    from alembic import config as alembic_config
    from alembic import script
    import manila.db.migrations.alembic as here

    cfg = alembic_config.Config()
    cfg.set_main_option(
        'script_location',
        os.path.dirname(os.path.abspath(next(iter(here.__path__))))
        + '/alembic',
    )
    scripts = script.ScriptDirectory.from_config(cfg)
    chain = list(scripts.walk_revisions())
    chain.reverse()
    heads = scripts.get_heads()
    assert len(heads) == 1 and chain[-1].revision == heads[0], heads
    rows = []
    previous = None
    for item in chain:
        assert item.down_revision == previous, item.revision
        rows.append(
            {
                'revision': item.revision,
                'down': previous,
                'file': os.path.basename(item.path),
            }
        )
        previous = item.revision
    return rows


def release_facts():
    distribution = importlib.metadata.distribution('manila')
    metadata = distribution.metadata
    floors = {}
    for line in distribution.requires or ():
        match = re.match(r'^([A-Za-z0-9._-]+)\s*(\(?[^;]*)', line)
        if match and 'extra' not in line:
            name = match.group(1).lower().replace('_', '-').replace('.', '-')
            spec = match.group(2).strip(' ()')
            floors[name] = ','.join(
                sorted(part.strip() for part in spec.split(','))
            )
    return {
        'version': distribution.version,
        'requires_python': metadata.get('Requires-Python'),
        'requires': floors,
    }


# -- putting the options together --------------------------------------------


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
            say(f'{what}: {type(exc).__name__}: {exc}')

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
    """Return (group, option) of every namespace of the sample generator."""
    from oslo_config import generator

    known = {point.name for point in points('oslo.config.opts')}
    names = [name for name in NAMESPACES if name in known]
    if not importlib.util.find_spec('manila.keymgr'):
        names = [name for name in names if name != 'castellan.config']
    rows = []
    for namespace, listing in generator._list_opts(names):
        for group, opts in listing:
            group = getattr(group, 'name', group) or 'DEFAULT'
            rows.extend((namespace, group, opt) for opt in opts)
    return rows


def global_reads(modules):
    """Return the options that code reads as CONF.name."""
    names = set()
    for module in modules.values():
        for part in ast.walk(module.tree):
            if (
                isinstance(part, ast.Attribute)
                and isinstance(part.value, (ast.Name, ast.Attribute))
                and getattr(part.value, 'id', getattr(part.value, 'attr', ''))
                == 'CONF'
            ):
                names.add(part.attr)
    return names


def source_names(modules):
    """Return every option that the source of manila constructs: AST scan."""
    names = set()
    for module in modules.values():
        for call in ast.walk(module.tree):
            if (
                isinstance(call, ast.Call)
                and call.args
                and re.match(
                    r'^(?!Deprecated)(\w*Opt)$',
                    getattr(call.func, 'attr', getattr(call.func, 'id', '')),
                )
                and isinstance(call.args[0], ast.Constant)
                and isinstance(call.args[0].value, str)
            ):
                names.add(call.args[0].value.replace('-', '_'))
    return names


class Collector:
    """One row per option and set of facts, with all its places."""

    def __init__(self):
        self.rows = {}

    def add(self, opt, default, where, owner=None):
        """Take an option.

        :param owner: ('drivers' or 'plugins', a name); None when it is
            registered whatever the drivers are.
        """
        if type(opt).__name__ == 'SubCommandOpt' or getattr(
            opt, 'positional', False
        ):
            return
        facts = option_facts(opt, default)
        key = (opt.dest, json.dumps(facts, sort_keys=True))
        row = self.rows.setdefault(
            key, {'name': opt.dest, 'facts': facts, 'places': {}}
        )
        owners = row['places'].setdefault(
            where, {'drivers': set(), 'plugins': set(), 'any': False}
        )
        if owner is None:
            owners['any'] = True
        else:
            kind, name = owner
            owners[kind].add(name)

    def places(self):
        return {
            (row['name'], where)
            for row in self.rows.values()
            for where in row['places']
        }


class Owners:
    """Which drivers and plugins the registrations of options belong to."""

    def __init__(self, modules, all_sites):
        self.modules = modules
        self.classes, _bases = share_drivers(modules)
        self.plugins = emc_plugins()
        self.networks = classes_of_kind(modules, 'network')
        graph = References(modules)
        self.owned = {}
        for kind, named in (
            ('drivers', self.classes),
            ('plugins', self.plugins),
        ):
            for name, cls in named.items():
                for site in sites_of_driver(cls, all_sites, graph):
                    self.owned.setdefault(id(site), []).append((kind, name))

    def of_module(self, module):
        """Return the owner of what is registered as a module is imported.

        :returns: None, or the module of a driver: see resolve().
        """
        if not module.startswith((DRIVERS, TESTS)):
            return None
        return 'drivers', f'@{module}'

    def of_site(self, site):
        """Return the owners of what a site registers, [None] for any."""
        owned = self.owned.get(id(site), [None])
        if not site.where.startswith('<'):
            return owned
        if site.where == '<network>' and site.module != 'manila.network':
            return [
                ('drivers', path)
                for path, cls in self.networks.items()
                if (site.module, site.scope) in bases_of(cls)
            ]
        if site.where in ('<network>', '<backup>', '<binding_profile>'):
            return [None]
        if site.module in SHARED_MODULES and site.scope == 'ShareDriver':
            return [None]
        if id(site) not in self.owned and site.module.startswith(DRIVERS):
            say(f'no driver leads to {site.module}:{site.scope}')
        return owned

    def resolve(self, rows):
        """Turn '@module' owners into the drivers whose import loads it."""
        closure = import_closure(self.modules)
        by_module = {}
        for path, cls in self.classes.items():
            for base in {cls.__module__} | {m for m, _ in bases_of(cls)}:
                for name in closure.get(base, ()):
                    by_module.setdefault(name, set()).add(('drivers', path))
        for plugin, cls in self.plugins.items():
            for name in closure.get(cls.__module__, ()):
                by_module.setdefault(name, set()).add(('plugins', plugin))
        for row in rows:
            for owners in row['places'].values():
                for item in sorted(owners['drivers']):
                    if not item.startswith('@'):
                        continue
                    owners['drivers'].discard(item)
                    found = by_module.get(item[1:], ())
                    if not found:
                        owners['any'] = True
                    for kind, name in found:
                        owners[kind].add(name)


def add_registered(collector, watch, owners):
    """Add what an import, or a library at run time, really registers."""
    conf = watch.cfg.CONF
    for group, opt, module in watch.seen:
        collector.add(
            opt,
            effective_default(conf, group, opt),
            group,
            owners.of_module(module),
        )
    # What was registered before the watch began: by oslo.config itself.
    watched = {(group, opt.dest) for group, opt, _ in watch.seen}
    for dest, info in conf._opts.items():
        if ('DEFAULT', dest) not in watched:
            collector.add(info['opt'], info['opt'].default, 'DEFAULT')


def add_sites(collector, all_sites, owners):
    """Add what a driver registers in the section of its back end."""
    for site in all_sites:
        if site.where == 'DEFAULT':
            # Such calls serve a driver built without a configuration, which
            # the share manager never does; at import they were watched.
            continue
        for owner in owners.of_site(site):
            for opt in site.opts:
                collector.add(opt, opt.default, site.where, owner)


def add_listed(collector, listed):
    """Add what the sample generator shows; its [DEFAULT] has anything."""
    have = collector.places()
    names = {name for name, _ in have}
    for namespace, group, opt in listed:
        if (opt.dest, group) in have:
            continue
        if group in AUTH_GROUPS and opt.dest in password_options():
            # They come with the plugin that auth_type names.
            continue
        if namespace == 'manila' and opt.dest in names:
            collector.add(opt, opt.default, f'listed:{group}')
        else:
            if namespace == 'manila':
                say(f'listed, registered nowhere: [{group}] {opt.dest}')
            collector.add(opt, opt.default, group)


# Not functools.cache: releases up to 14 are read with Python 3.8.
@functools.lru_cache(maxsize=None)  # noqa: UP033
def password_options():
    from keystoneauth1 import loading

    return {
        opt.dest for opt in loading.get_auth_plugin_conf_options('password')
    }


def import_closure(modules):
    """Map each module of drivers to the driver modules it imports."""
    direct = {}
    for module in modules.values():
        if not module.name.startswith((DRIVERS, TESTS)):
            continue
        found = set()
        for part in ast.walk(module.tree):
            names = []
            if isinstance(part, ast.Import):
                names = [alias.name for alias in part.names]
            elif isinstance(part, ast.ImportFrom) and part.module:
                names = [part.module] + [
                    f'{part.module}.{alias.name}' for alias in part.names
                ]
            elif (
                isinstance(part, ast.Constant)
                and isinstance(part.value, str)
                and re.match(r'^[\w.]+\.\w+$', part.value)
            ):
                # A class to load, by its path or its path in the package.
                package = module.globals.get('__package__') or ''
                names = [part.value, f'{package}.{part.value}']
            for name in names:
                while name.startswith(DRIVERS.rstrip('.')):
                    if name in modules:
                        found.add(name)
                    name = name.rpartition('.')[0]
        name = module.name.rpartition('.')[0]
        while name.startswith(DRIVERS):
            found.add(name)
            name = name.rpartition('.')[0]
        direct[module.name] = found
    closure = {}
    for name in direct:
        seen, todo = set(), [name]
        while todo:
            item = todo.pop()
            if item not in seen:
                seen.add(item)
                todo.extend(direct.get(item, ()))
        closure[name] = seen
    return closure


def rows_of(row, reads, internal):
    """Return the rows of the catalog: places with the same owners share one.

    :param row: of a Collector.
    :param reads: the options that are read as CONF.name.
    :param internal: the drivers that nobody names.
    """
    listed_in = sorted(
        place[7:] for place in row['places'] if place.startswith('listed:')
    )
    by_owner = {}
    for where, owners in sorted(row['places'].items()):
        if where.startswith('listed:') and len(row['places']) > 1:
            continue
        drivers = (
            ()
            if owners['any']
            else tuple(sorted(owners['drivers'] - internal))
        )
        names = () if owners['any'] else tuple(sorted(owners['plugins']))
        by_owner.setdefault((drivers, names), []).append(where)
    out = []
    for (drivers, names), places in sorted(by_owner.items()):
        facts = dict(row['facts'])
        facts['in'] = sorted(
            place.strip('<>') if place.startswith('<') else '[' + place + ']'
            for place in places
            if not place.startswith('listed:')
        )
        if listed_in:
            facts['listed'] = listed_in
        if not facts['in']:
            del facts['in']
        if drivers:
            facts['drivers'] = list(drivers)
        if names:
            facts['plugins'] = list(names)
        if (
            '[DEFAULT]' in facts.get('in', ())
            and (drivers or names)
            and row['name'] in reads
        ):
            facts['read_in_default'] = True
        out.append({'name': row['name'], **facts})
    return out


def option_rows(modules, watch, listed):
    """Return the rows of every option, sorted."""
    all_sites = sites(modules)
    owners = Owners(modules, all_sites)
    collector = Collector()
    add_registered(collector, watch, owners)
    add_sites(collector, all_sites, owners)
    add_listed(collector, listed)
    owners.resolve(collector.rows.values())
    reads = global_reads(modules)
    internal = netapp_built()
    out = {}
    for found in collector.rows.values():
        for row in rows_of(found, reads, internal):
            out[json.dumps(row, sort_keys=True)] = row
    have = {row['name'] for row in out.values()}
    lost = sorted(source_names(modules) - have)
    if lost:
        say('in the source, in no row: ' + ', '.join(lost))
    return [row for _text, row in sorted(out.items())]


def extract():
    stand_in_for_the_host()
    watch = Registrations()
    # Before drivers are imported: some register required options.
    watch.cfg.CONF(
        [],
        project='manila',
        version='',
        default_config_files=[],
        default_config_dirs=[],
    )
    modules = source_modules()
    prepare_libraries(watch.cfg)
    listed = listed_options()
    options = option_rows(modules, watch, listed)
    drivers = [
        *share_driver_facts(modules),
        *named_class_facts(modules),
        *command_facts(),
        *library_facts(),
        *paste_facts(),
    ]
    drivers += class_facts(modules, options, {row['name'] for row in drivers})
    return {
        'release': release_facts(),
        'options': options,
        'auth_plugins': auth_plugin_facts(),
        'policies': policy_facts(),
        'drivers': sorted(drivers, key=lambda row: (row['kind'], row['name'])),
        'revisions': revision_facts(),
    }


# -- the schema --------------------------------------------------------------


def column_type(kind):
    """Describe a reflected type in words that every dialect has."""
    import sqlalchemy

    names = [
        (sqlalchemy.Boolean, 'boolean'),
        (sqlalchemy.BigInteger, 'biginteger'),
        (sqlalchemy.SmallInteger, 'smallinteger'),
        (sqlalchemy.Integer, 'integer'),
        (sqlalchemy.Float, 'float'),
        (sqlalchemy.Numeric, 'numeric'),
        (sqlalchemy.DateTime, 'datetime'),
        (sqlalchemy.Enum, 'enum'),
        (sqlalchemy.Text, 'text'),
        (sqlalchemy.String, 'string'),
    ]
    word = next(word for cls, word in names if isinstance(kind, cls))
    if type(kind).__name__ == 'TINYINT':
        word = 'boolean'
    facts = {'type': word}
    if type(kind).__name__ in ('MEDIUMTEXT', 'LONGTEXT', 'DOUBLE'):
        facts['mysql'] = type(kind).__name__.lower()
    if word == 'string':
        facts['length'] = kind.length
    if word == 'datetime' and getattr(kind, 'fsp', None) is not None:
        facts['fsp'] = kind.fsp
    if word == 'enum':
        facts['values'] = list(kind.enums)
        facts['enum'] = kind.name
    return facts


def schema_facts(url):
    """Reflect every table of a database."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    tables = {}
    for table in sorted(inspector.get_table_names()):
        columns = []
        for column in inspector.get_columns(table):
            default = column.get('default')
            row = {
                'name': column['name'],
                'nullable': column['nullable'],
                **column_type(column['type']),
            }
            if column.get('autoincrement') is True:
                row['autoincrement'] = True
            if default is not None:
                if 'nextval(' in default:
                    row['autoincrement'] = True
                else:
                    row['default'] = default
            columns.append(row)
        primary = inspector.get_pk_constraint(table)
        tables[table] = {
            'columns': columns,
            'primary': primary['constrained_columns'],
            'uniques': sorted(
                [item['name'], item['column_names']]
                for item in inspector.get_unique_constraints(table)
            ),
            'indexes': sorted(
                (
                    [item['name'], item['column_names'], bool(item['unique'])]
                    for item in inspector.get_indexes(table)
                ),
                key=lambda item: item[0],
            ),
            'foreign': sorted(
                (
                    [
                        item['name'],
                        item['constrained_columns'],
                        item['referred_table'],
                        item['referred_columns'],
                        {
                            key: value
                            for key, value in sorted(
                                item.get('options', {}).items()
                            )
                            if value
                        },
                    ]
                    for item in inspector.get_foreign_keys(table)
                ),
                key=lambda item: (item[1], item[0]),
            ),
        }
    return tables


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('output')
    parser.add_argument('--schema', metavar='URL')
    args = parser.parse_args()
    if args.schema:
        facts = schema_facts(args.schema)
    else:
        facts = extract()
    with open(args.output, 'w', encoding='utf-8') as stream:
        json.dump(facts, stream, indent=1, sort_keys=True)


if __name__ == '__main__':
    main()
