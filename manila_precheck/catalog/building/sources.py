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

"""The modules of manila and of packages beside it, imported and parsed.

All facts from manila's source are found in them, as are the classes with a
given base.
"""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import sys
import types

from manila_precheck.catalog import building

DRIVERS = 'manila.share.drivers.'
TESTS = 'manila.tests.'

# Every driver inherits the classes of manila.share.driver.
SHARED_MODULES = ('manila.share.driver',)
SKIPPED_MODULES = re.compile(
    r'^manila\.(tests(\.|$)(?!share\.drivers\.dummy$)|test$'
    r'|db\.migrations\.alembic\.(env$|versions\.)|wsgi\.(api|wsgi)$'
    r'|cmd(\.|$))'
)
# For packages beside manila: importing these may run a command.
SKIPPED_OUT_OF_TREE = re.compile(r'\.(tests?|__main__|cmd|setup)(\.|$)')

#: The packages beside manila that are read, too; set by load().
out_of_tree = []


def is_out_of_tree(name):
    """Say whether a module belongs to a package beside manila."""
    return any(
        name == package or name.startswith(package + '.')
        for package in out_of_tree
    )


def holds_drivers(name):
    """Say whether a module may contain share drivers."""
    return name.startswith(DRIVERS) or is_out_of_tree(name)


def is_read(name):
    """Say whether a module belongs to manila or to a package beside it."""
    return (
        name == 'manila' or name.startswith('manila.') or is_out_of_tree(name)
    )


class Module:
    """One module: its namespace at run time, and its parsed source."""

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
        """Evaluate an expression in the module; None when that fails."""
        try:
            code = compile(ast.Expression(node), self.name, 'eval')
            return eval(code, dict(self.globals), {})
        except Exception:
            # The code of the release may raise anything.
            return None


def load(packages):
    """Import every module of manila except tests, commands and migrations.

    :param packages: the packages beside manila that are read, too.
    :returns: {name: Module}.
    """
    import manila

    stub_the_test_packages(manila.__path__[0])
    modules = {}
    load_below('manila', manila.__path__, SKIPPED_MODULES, modules)
    # A distribution may omit the tests, and the dummy driver with them.
    load_one('manila.tests.share.drivers.dummy', modules)
    out_of_tree.extend(packages)
    for name in packages:
        module = load_one(name, modules)
        paths = getattr(module, '__path__', ())
        load_below(name, paths, SKIPPED_OUT_OF_TREE, modules)
    return modules


def load_below(package, paths, skipped, modules):
    """Import all modules of a package recursively into a dict."""
    for info in pkgutil.iter_modules(paths, package + '.'):
        if not skipped.search(info.name) and info.name not in modules:
            module = load_one(info.name, modules)
            if info.ispkg and module is not None:
                load_below(info.name, module.__path__, skipped, modules)


def load_one(name, modules):
    """Import a module into a dict and return it; None when that fails."""
    try:
        module = importlib.import_module(name)
        modules[name] = Module(name, module)
    except (Exception, SystemExit) as exc:
        building.cannot_import(name, exc)
        return None
    return module


def stub_the_test_packages(root):
    """Make the dummy driver importable without the libraries of tests."""
    name, path = 'manila.tests', os.path.join(root, 'tests')
    for part in ('', 'share', 'drivers'):
        if part:
            name, path = f'{name}.{part}', os.path.join(path, part)
        package = types.ModuleType(name)
        package.__path__ = [path]
        sys.modules[name] = package


def value_in(modules, name, attribute):
    """Return a global of a module; None when it does not exist."""
    module = modules.get(name)
    return None if module is None else module.globals.get(attribute)


def dotted(cls):
    return f'{cls.__module__}.{cls.__name__}'


def bases_of(cls):
    return [
        (base.__module__, base.__name__)
        for base in cls.__mro__
        if base.__module__.startswith('manila.')
        or is_out_of_tree(base.__module__)
    ]


def subclasses_in(modules, prefix, base):
    """Return {path: class} of the subclasses of a base in some modules.

    :param prefix: the prefix, or a tuple of prefixes, of modules of manila;
        packages beside manila may have such classes anywhere.
    """
    found = {}
    for module in modules.values():
        if not (module.name.startswith(prefix) or is_out_of_tree(module.name)):
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
    """Return the names of all options in the source, from its syntax tree."""
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
