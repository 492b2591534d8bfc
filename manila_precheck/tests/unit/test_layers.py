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

"""The order of the modules, and what importing them may do."""

import ast
import functools
import pathlib
import re
import subprocess
import sys
import textwrap

import ddt
import testtools

import manila_precheck
from manila_precheck import releases

_ROOT = pathlib.Path(manila_precheck.__file__).parent

# From the top down, as HACKING.rst has it. An import goes to a lower layer.
# Within a layer the columns do not know each other; within a column it goes
# to a later name. A name is a module or a package of modules.
_LAYERS = (
    (('__main__', 'sphinxext', 'cmd'), ('testing',), ('check',)),
    (('upgradecheck', 'opts'),),
    (('act', 'merge'),),
    (('reporters',), ('checks',)),
    (('engine',),),
    (('evidence',),),
    (('catalog',), ('redact',)),
    (('model',), ('releases', 'exceptions', 'service_host')),
)

_PLACES = {
    name: (level, column, index)
    for level, columns in enumerate(_LAYERS)
    for column, names in enumerate(columns)
    for index, name in enumerate(names)
}


# How a statement is sent: by a method of connection.Database, or of a driver.
_SQL_LAYERS = {'evidence', 'catalog', 'testing'}
_SENDS = {'rows', 'row', 'execute', 'exec_driver_sql', 'scalar'}


_INSIDE = (('catalog', 'building'), ('act', 'rehearse', 'inside'))


def _modules():
    """Return (dotted name below the package, path), tests left out.

    What runs inside a release, on its own, has rules of its own: see
    tests/unit/catalog/test_building.py and act/rehearse/test_inside.py.
    """
    found = []
    for path in sorted(_ROOT.rglob('*.py')):
        parts = path.relative_to(_ROOT).with_suffix('').parts
        if parts[0] == 'tests' or parts == ('__init__',):
            continue
        if any(parts[: len(inside)] == inside for inside in _INSIDE):
            continue
        found.append(('.'.join(p for p in parts if p != '__init__'), path))
    return found


_NAMES = dict(_modules())


class _Imports(ast.NodeVisitor):
    """Every module that is imported, for annotations too."""

    def __init__(self):
        self.found = []

    def visit_Import(self, node):
        self.found += [(alias.name, node.lineno) for alias in node.names]

    def visit_ImportFrom(self, node):
        if node.level:
            self.found.append(('a relative import', node.lineno))
        for alias in node.names:
            self.found.append((f'{node.module}.{alias.name}', node.lineno))


def _tree(path):
    return ast.parse(path.read_text(encoding='utf-8'), str(path))


@functools.cache
def _imports(path):
    visitor = _Imports()
    visitor.visit(_tree(path))
    return visitor.found


def _allowed(importer, imported):
    """Say whether a module may import another of the package."""
    here, there = importer.split('.')[0], imported.split('.')[0]
    if here == there:
        # A check knows no other check; a large one is a package.
        return here != 'checks' or (
            importer.split('.')[1] == imported.split('.')[1]
        )
    level, column, index = _PLACES[here]
    other_level, other_column, other_index = _PLACES[there]
    if level != other_level:
        return level < other_level
    return column == other_column and index < other_index


_STARTERS = (
    re.compile(
        r'os\.(?:fork|forkpty|system|popen|startfile|'
        r'exec\w+|spawn\w+|posix_spawnp?)'
    ),
    re.compile(
        r'(?:subprocess|pty|multiprocessing|oslo_concurrency)\b.*'
        r'|concurrent\.futures\.ProcessPoolExecutor|asyncio\.\w*subprocess\w*'
    ),
)


def _starts(tree):
    """Yield what in a module may start a process, by its full name."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f'{node.module}.{alias.name}'
                names[alias.asname or alias.name] = full
                if any(word.fullmatch(full) for word in _STARTERS):
                    yield full
    # Of subprocess also the names of what others raise or have as a type.
    used = {
        f'{names.get(node.value.id)}.{node.attr}'
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in names
    }
    for full in used - {'subprocess.DEVNULL', 'subprocess.PIPE'}:
        if any(word.fullmatch(full) for word in _STARTERS):
            yield full


# A word that stands for one release, or for some: '2026.1', 'wallaby', '22-'.
_RELEASE = re.compile(
    '|'.join(
        [r'[0-9]{2}-(?:[0-9]{2})?']
        + [
            re.escape(word.lower())
            for release in releases.RELEASES
            for word in (release.name, release.code_name)
        ]
    )
)
_IN_WORDS = re.compile(r'\b20[0-9]{2}\.[12]\b')


def _is_major(node):
    return (isinstance(node, ast.Attribute) and node.attr == 'major') or (
        isinstance(node, ast.Name) and node.id == 'major'
    )


def _docstrings(tree):
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _numbers_of_releases(name, tree):
    """Yield where a module decides by the number or the name of a release."""
    top = name.split('.')[0]
    knows = top in ('catalog', 'releases')
    docstrings = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(_is_major, sides)) and (
                not knows or any(isinstance(s, ast.Constant) for s in sides)
            ):
                yield f'line {node.lineno}: {ast.unparse(node)}'
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ('releases.parse', 'releases.from_major') and any(
                isinstance(argument, ast.Constant) for argument in node.args
            ):
                yield f'line {node.lineno}: {ast.unparse(node)}'
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and name != 'releases'
            # Windows of tests.
            and top != 'testing'
            and (
                _RELEASE.fullmatch(node.value.lower())
                or (
                    (top in ('checks', 'evidence'))
                    and _IN_WORDS.search(node.value)
                )
            )
        ):
            yield f'line {node.lineno}: {node.value!r}'


@ddt.ddt
class LayersTest(testtools.TestCase):
    def test_every_module_has_a_layer(self):
        tops = {name.split('.')[0] for name in _NAMES}
        self.assertEqual(set(), tops - set(_PLACES))

    @ddt.data(*_NAMES)
    def test_imports_go_down(self, name):
        wrong = []
        for imported, line in _imports(_NAMES[name]):
            if not imported.startswith('manila_precheck.'):
                continue
            below = imported[len('manila_precheck.') :]
            if not _allowed(name, below):
                wrong.append(f'line {line}: {imported}')
        self.assertEqual([], wrong)

    @ddt.data(
        ('checks.a', 'model', True),
        ('checks.a', 'checks.b', False),
        ('checks.a.one', 'checks.a.two', True),
        ('checks.a.one', 'checks.ab.two', False),
        ('evidence.a', 'evidence.b', True),
        ('catalog.b', 'evidence.a', False),
        ('evidence.a', 'catalog.b', True),
        ('engine.a', 'checks.b', False),
        ('checks.a', 'reporters.table', False),
        ('model', 'engine.check', False),
    )
    @ddt.unpack
    def test_the_order_itself(self, importer, imported, expected):
        self.assertEqual(expected, _allowed(importer, imported))

    def test_hacking_rst_shows_this_order(self):
        text = (_ROOT.parent / 'HACKING.rst').read_text(encoding='utf-8')
        shown = '\n'.join(
            '    ' + ' | '.join(', '.join(names) for names in columns)
            for columns in _LAYERS
        )
        self.assertIn(f'::\n\n{shown}\n\n', text)

    @ddt.data(*_NAMES)
    def test_a_statement_is_sent_from_where_sql_belongs(self, name):
        # A check's own SQL is in its module, or its package, named sql.
        parts = name.split('.')
        # The catalog has rows of its own, and testing makes databases.
        if parts[0] in _SQL_LAYERS or 'sql' in parts[2:]:
            return
        wrong = [
            f'line {node.lineno}: {ast.unparse(node.func)}()'
            for node in ast.walk(_tree(_NAMES[name]))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _SENDS
        ]
        self.assertEqual([], wrong)

    @ddt.data(*_NAMES)
    def test_manila_is_never_imported(self, name):
        wrong = [
            imported
            for imported, _line in _imports(_NAMES[name])
            if imported.split('.')[0] == 'manila'
        ]
        self.assertEqual([], wrong)

    def test_only_one_module_imports_oslo_upgradecheck(self):
        users = [
            name
            for name, path in _NAMES.items()
            if any(
                imported.startswith('oslo_upgradecheck')
                for imported, _line in _imports(path)
            )
        ]
        self.assertEqual(['upgradecheck'], users)

    @ddt.data(*_NAMES)
    def test_only_the_runner_catches_everything(self, name):
        # And what the program itself cannot be loaded by.
        if name in ('engine.runner', 'cmd'):
            return
        wrong = []
        for node in ast.walk(_tree(_NAMES[name])):
            if isinstance(node, ast.ExceptHandler):
                caught = '' if node.type is None else ast.unparse(node.type)
                words = caught.strip('()').split(', ')
                last = node.body[-1]
                passed_on = isinstance(last, ast.Raise) and last.exc is None
                if passed_on:
                    continue
                if {'', 'Exception', 'BaseException'} & set(words):
                    wrong.append(f'line {node.lineno}: except {caught}')
        self.assertEqual([], wrong)

    @ddt.data(*_NAMES)
    def test_only_one_module_starts_processes(self, name):
        """os.fork() is for the process that runs the checks."""
        allowed = {
            'evidence.host.programs': {'subprocess.Popen'},
            'cmd.supervisor': {'os.fork'},
            # A program of its own, which programs starts.
            'evidence.database.dumps.guard': {'subprocess.Popen'},
        }.get(name, set())
        self.assertEqual(allowed, set(_starts(_tree(_NAMES[name]))))

    def test_what_starts_a_process(self):
        """The test above sees each of the ways."""
        for text in (
            'import subprocess\nsubprocess.run(x)',
            'from subprocess import run as go\ngo(x)',
            'import subprocess as s\ns.check_output(x)',
            'import os\nos.system(x)',
            'from os import popen\npopen(x)',
            'import os\nos.execvp(x, y)',
            'import os\nos.posix_spawn(x, y, z)',
            'import os\nos.fork()',
            'import pty\npty.spawn(x)',
            'import multiprocessing\nmultiprocessing.Process()',
            'from concurrent.futures import ProcessPoolExecutor',
            'import asyncio\nasyncio.create_subprocess_exec(x)',
            'from oslo_concurrency import processutils',
        ):
            self.assertNotEqual([], list(_starts(ast.parse(text))), text)
        self.assertEqual(
            [], list(_starts(ast.parse('import os\nos.path.join(x)')))
        )

    @ddt.data(*_NAMES)
    def test_no_release_is_named_in_code(self, name):
        """That is for catalog/data/behaviours.json."""
        found = _numbers_of_releases(name, _tree(_NAMES[name]))
        self.assertEqual([], list(found))

    @ddt.data(
        ('checks.a', 'x = release.major >= 23'),
        ('checks.a', 'x = 16 <= major'),
        ('engine.a', 'x = release.major == other.major'),
        ('evidence.a', 'x = release < releases.parse("2026.1")'),
        ('evidence.a', 'GOES = "2026.1"'),
        ('engine.a', 'GOES = "Zed"'),
        ('checks.a', 'x = {"a.b:factory": "12-21"}'),
        ('checks.a', 'x = f"{path}: before 2026.2, whose purge"'),
        ('catalog.a', 'x = release.major >= 23'),
        ('releases', 'x = from_major(22) if major == 22 else None'),
    )
    @ddt.unpack
    def test_how_a_release_is_named(self, name, text):
        """The test above sees each of the ways."""
        self.assertNotEqual(
            [], list(_numbers_of_releases(name, ast.parse(text)))
        )

    @ddt.data(
        ('catalog.a', 'x = release.major in covered'),
        ('checks.a', 'x = source < release <= target'),
        ('checks.a', 'def f():\n    """From 2026.1 on."""'),
        ('opts', 'help = "a series, such as 2026.1"'),
    )
    @ddt.unpack
    def test_what_names_no_release(self, name, text):
        self.assertEqual([], list(_numbers_of_releases(name, ast.parse(text))))

    @ddt.data(*_NAMES)
    def test_a_record_is_a_named_tuple(self, name):
        """A dataclass is compiled whenever its module is imported."""
        wrong = [
            f'line {line}: {imported}'
            for imported, line in _imports(_NAMES[name])
            if imported.split('.')[0] == 'dataclasses'
        ]
        self.assertEqual([], wrong)

    @ddt.data(*_NAMES)
    def test_nothing_prints(self, name):
        wrong = [
            f'line {node.lineno}'
            for node in ast.walk(_tree(_NAMES[name]))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == 'print'
        ]
        self.assertEqual([], wrong)


def _python(code, *args):
    """Run code in a new interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code), *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT.parent,
    )
    return done.stdout + done.stderr


class ImportTest(testtools.TestCase):
    def test_importing_does_nothing_but_import(self):
        # Everything is imported once, so that what other packages do then
        # is over; then ours again, under watch.
        printed = _python(
            """
            import importlib
            import os
            import sys

            from oslo_config import cfg

            names = ['manila_precheck.' + name for name in sys.argv[1:]]
            for name in names:
                importlib.import_module(name)
            for name in [n for n in sys.modules if n in names]:
                del sys.modules[name]
            opts = set(cfg.CONF._opts), set(cfg.CONF._groups)

            def watch(event, args):
                if event in ('socket.connect', 'subprocess.Popen'):
                    print(event, args)
                if event == 'open' and not str(args[0]).endswith(
                    ('.py', '.pyc', '.so')
                ) and '.pyc.' not in str(args[0]):
                    print('opens', args[0])

            sys.addaudithook(watch)
            for name in names:
                importlib.import_module(name)
            if opts != (set(cfg.CONF._opts), set(cfg.CONF._groups)):
                print('an option was registered')
            """,
            *_NAMES,
        )
        self.assertEqual('', printed)

    def test_importing_the_command_loads_no_check(self):
        printed = _python(
            """
            import sys

            import manila_precheck.cmd.precheck

            heavy = (
                'manila', 'sqlalchemy', 'alembic', 'oslo_db', 'oslo_policy',
                'oslo_upgradecheck', 'prettytable', 'wcwidth', 'yaml',
                'pymysql', 'psycopg2', 'fixtures', 'jinja2',
            )
            for name in sorted(sys.modules):
                if name.split('.')[0] in heavy:
                    print(name)
                if name.startswith('manila_precheck.checks.'):
                    print(name)
            """
        )
        self.assertEqual('', printed)
