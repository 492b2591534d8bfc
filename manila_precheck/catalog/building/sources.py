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

"""The modules of manila: imported, and parsed.

Every fact that is found in the source of manila is found in these, and so are
the classes that are told by their bases.
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

# manila.share.driver's own classes come with every driver by inheritance.
SHARED_MODULES = ('manila.share.driver',)
SKIPPED_MODULES = re.compile(
    r'^manila\.(tests(\.|$)(?!share\.drivers\.dummy$)|test$'
    r'|db\.migrations\.alembic\.(env$|versions\.)|wsgi\.(api|wsgi)$'
    r'|cmd(\.|$))'
)


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


def load():
    """Import every module of manila but tests, commands, migrations."""
    import manila

    names = [
        info.name
        for info in pkgutil.walk_packages(
            manila.__path__, 'manila.', onerror=lambda name: None
        )
        if not SKIPPED_MODULES.match(info.name)
    ]
    stub_the_test_packages(manila.__path__[0])
    modules = {}
    # A distribution may leave the tests out, and the dummy driver with them.
    for name in [*names, 'manila.tests.share.drivers.dummy']:
        try:
            modules[name] = Module(name, importlib.import_module(name))
        except Exception as exc:
            building.say(
                f'not importable: {name}: {type(exc).__name__}: {exc}'
            )
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


def dotted(cls):
    return f'{cls.__module__}.{cls.__name__}'


def bases_of(cls):
    return [
        (base.__module__, base.__name__)
        for base in cls.__mro__
        if base.__module__.startswith('manila.')
    ]


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
