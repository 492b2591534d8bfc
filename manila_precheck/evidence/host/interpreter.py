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

"""What a given Python could import, without importing any of it.

The interpreter runs isolated (``-I``) and writes no byte code. It looks for
the file of a module in the way of an import, and parses the file of a class.
Not even the parent packages of a module are imported, so no code of a vendor
runs.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import glob
import os
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import path_trust
from manila_precheck.evidence.host import programs

_SECONDS = 60.0

# Runs in whatever Python 3 the services have.
_SCRIPT = '''
import ast, importlib.machinery, importlib.util, json, sys, tokenize

def find(name):
    path, spec = None, None
    for number, part in enumerate(name.split('.')):
        if not number:
            try:
                spec = importlib.util.find_spec(part)
            except ValueError:
                return None
        else:
            # The last part alone: no parent is looked up, or imported.
            spec = importlib.machinery.PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
        path = [] if path is None else list(getattr(path, '_path', path))
    return spec

def bound(tree, name):
    for node in ast.walk(tree):
        names = []
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names = [node.name]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [(a.asname or a.name.split('.')[0]) for a in node.names]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        if name in names or '*' in names or '__getattr__' in names:
            return True
    return False

def has(spec, name):
    if not spec.origin or not spec.origin.endswith('.py'):
        return None
    try:
        with tokenize.open(spec.origin) as stream:
            return bound(ast.parse(stream.read()), name)
    except (OSError, SyntaxError, ValueError):
        return None

def version(package):
    try:
        from importlib import metadata
    except ImportError:
        return None
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

asked = json.load(sys.stdin)
classes = {}
for path in asked['classes']:
    module, _, name = path.rpartition('.')
    spec = find(module) if module else None
    classes[path] = [spec is not None, has(spec, name) if spec else None]
json.dump({
    'python': list(sys.version_info[:3]),
    'modules': {name: find(name) is not None for name in asked['modules']},
    'versions': {name: version(name) for name in asked['packages']},
    'classes': classes,
}, sys.stdout)
'''


class ClassFound(NamedTuple):
    """What is known about a class path."""

    module: bool
    """Whether its module exists."""

    name: Optional[bool]
    """Whether the module defines the name; None: unknown."""


class Importable(NamedTuple):
    """What one Python could import."""

    path: str
    """The interpreter, as it was given."""

    python: tuple[int, ...]
    """Its version: (3, 12, 3)."""

    modules: dict[str, bool]
    """Whether each module exists."""

    versions: dict[str, Optional[str]]
    """The version of each package; None when it is not installed."""

    classes: dict[str, ClassFound]
    """What is known about each class path."""


def loaded_at_start(path: str) -> list[str]:
    """Return the files that an interpreter loads before any script, sorted.

    Even when isolated, it runs lines of ``*.pth`` files in the directories of
    its packages (site.py).

    :param path: the interpreter, or a link to it in a virtual environment.
    """
    root = glob.escape(os.path.dirname(os.path.dirname(path)))
    return sorted(
        found
        for pattern in (
            'pyvenv.cfg',
            'lib*/python3*/*-packages',
            'lib*/python3*/*-packages/*.pth',
        )
        for found in glob.glob(os.path.join(root, pattern))
    )


def ask(
    path: str,
    modules: Iterable[str],
    packages: Iterable[str],
    classes: Iterable[str],
) -> Importable:
    """Ask a Python about modules, packages and classes.

    :param path: the interpreter, '/opt/manila/bin/python'.
    :raises SourceUnusable: when it cannot be run, does not answer, or when
        another user may change it or the packages that it loads.
    """
    programs.require_trusted(path)
    for loaded in loaded_at_start(path):
        weakness = path_trust.weakness(loaded)
        if weakness:
            raise exceptions.SourceUnusable(f'{path} was not run: {weakness}')
    return ask_by([path, '-I', '-B'], path, modules, packages, classes)


def ask_by(
    words: Sequence[str],
    name: str,
    modules: Iterable[str],
    packages: Iterable[str],
    classes: Iterable[str],
    variables: Optional[Mapping[str, str]] = None,
) -> Importable:
    """Ask a Python that a command starts, for example in a container.

    :param words: the command, without the arguments of Python's script.
    :param name: its name in messages.
    :param variables: the environment of the command.
    :raises SourceUnusable: when it cannot be run, or does not answer.
    """
    answer = programs.ask(
        words,
        _SCRIPT,
        {
            'modules': sorted(set(modules)),
            'packages': sorted(set(packages)),
            'classes': sorted(set(classes)),
        },
        _SECONDS,
        variables,
        name,
    )
    try:
        return Importable(
            name,
            tuple(answer['python']),
            dict(answer['modules']),
            dict(answer['versions']),
            {
                name: ClassFound(*found)
                for name, found in answer['classes'].items()
            },
        )
    except (KeyError, TypeError, AttributeError):
        raise exceptions.SourceUnusable(
            f'{name} did not answer like a Python interpreter'
        ) from None
