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

"""The commands that systemd units start, with the lines that have them."""

from collections.abc import Iterator
import os
import re
import shlex
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import machine_files

# Where Quadlet's generator writes its units.
_GENERATED = '/run/systemd/generator'

# Where systemd looks for a unit, in this order.
_DIRECTORIES = (
    '/etc/systemd/system',
    '/run/systemd/system',
    _GENERATED,
    '/usr/local/lib/systemd/system',
    '/usr/lib/systemd/system',
    '/lib/systemd/system',
)

_ASSIGNMENT = re.compile(
    r'\s*(ExecStart|Environment|EnvironmentFile|User|WorkingDirectory)'
    r'\s*=\s*(.*)'
)
_PREFIXES = '-@:+!|'
_VARIABLE = re.compile(r'\$(?:\{(\w+)\}|(\w+))')


class UnitCommand(NamedTuple):
    """A command that a unit starts."""

    unit: str
    """The name of the unit."""

    file: str
    """The file that has the command."""

    line: int
    """The line in it, counted from 1."""

    words: tuple[str, ...]
    """The words of the command; known variables are replaced."""

    enabled: bool
    """Whether the unit starts with the machine."""

    user: str = ''
    """The account that runs it; '' is root."""

    directory: str = ''
    """The working directory; '' is /."""

    environment: tuple[tuple[str, str], ...] = ()
    """The variables that the unit sets; they may hold secrets."""


def commands(site: tree.Tree, pattern: str = '') -> Iterator[UnitCommand]:
    """Yield the commands that a machine's units start, sorted by unit.

    :param site: the file system of the machine.
    :param pattern: the names of more units, which count although nothing
        starts them with the machine: Pacemaker, say, may start them.
    """
    wanted = {
        os.path.basename(path)
        for directory in (_DIRECTORIES[0], _GENERATED)
        for path in site.glob(f'{directory}/*.wants/*.service')
    }
    others = {
        os.path.basename(path)
        for directory in _DIRECTORIES
        for path in site.glob(os.path.join(directory, pattern))
        if pattern
    }
    # A template is started only through its instances.
    names = wanted | {name for name in others if '@.' not in name}
    for name in sorted(names):
        yield from _Unit(site, name).commands(name in wanted)


class _Unit:
    def __init__(self, site: tree.Tree, name: str) -> None:
        self._site = site
        self._name = name
        self._commands: list[tuple[str, int, str]] = []
        self._set: dict[str, str] = {}
        self._from_files: dict[str, str] = {}
        self._settings: dict[str, str] = {}

    def commands(self, enabled: bool) -> Iterator[UnitCommand]:
        for path in self._files():
            self._read(path)
        for path, number, text in self._commands:
            words = self._words(text)
            # An init script may start anything.
            if not words or '/init.d/' in words[0]:
                continue
            yield UnitCommand(
                self._name,
                self._site.shown(path),
                number,
                tuple(words),
                enabled,
                self._settings.get('User', ''),
                self._settings.get('WorkingDirectory', ''),
                tuple(sorted(self._environment.items())),
            )

    @property
    def _environment(self) -> dict[str, str]:
        # EnvironmentFile= wins over Environment= (systemd.exec(5)).
        return {**self._set, **self._from_files}

    def _files(self) -> Iterator[str]:
        """Yield the file of the unit, then its drop-in files."""
        for name in self._names():
            path = self._first(name)
            if path is not None:
                yield path
                if self._is_masked(path):
                    # A masked unit starts nothing.
                    return
                break
        dropped: dict[str, str] = {}
        for directory in reversed(_DIRECTORIES):
            for name in reversed(self._names()):
                for path in self._site.glob(
                    os.path.join(directory, tree.escape(f'{name}.d'), '*.conf')
                ):
                    dropped[os.path.basename(path)] = path
        for _, path in sorted(dropped.items()):
            yield path

    def _is_masked(self, path: str) -> bool:
        return (
            self._site.islink(path) and self._site.readlink(path) == os.devnull
        )

    def _names(self) -> tuple[str, ...]:
        """Return the name of the unit, then the name of its template."""
        before, mark, rest = self._name.partition('@')
        if not mark:
            return (self._name,)
        return (self._name, f'{before}@.{rest.rpartition(".")[2]}')

    def _first(self, name: str) -> Optional[str]:
        for directory in _DIRECTORIES:
            path = os.path.join(directory, name)
            if self._site.lexists(path):
                return path
        return None

    def _read(self, path: str) -> None:
        for number, line in machine_files.joined(
            machine_files.text(self._site, path) or ''
        ):
            found = _ASSIGNMENT.match(line)
            if found is None:
                continue
            name, value = found[1], found[2].strip()
            if name == 'ExecStart':
                if value.lstrip(_PREFIXES):
                    self._commands.append((path, number, value))
                else:
                    # An empty value resets the list.
                    self._commands.clear()
            elif name == 'Environment':
                if not value:
                    self._set.clear()
                self._set.update(_assignments(self._specified(value)))
            elif name == 'EnvironmentFile':
                if not value:
                    self._from_files.clear()
                    continue
                named = self._specified(value.lstrip('-'))
                for _, text in machine_files.joined(
                    machine_files.text(self._site, named) or ''
                ):
                    if not text.lstrip().startswith(('#', ';')):
                        self._from_files.update(_assignments(text, True))
            else:
                self._settings[name] = self._specified(value)

    def _specified(self, text: str) -> str:
        """Replace the specifiers for the unit's own name."""
        if '%' not in text:
            return text
        before, _, _ = self._name.rpartition('.')
        prefix, _, instance = before.partition('@')
        for mark, value in (
            ('%i', instance),
            ('%I', instance),
            ('%p', prefix),
            ('%n', self._name),
            ('%N', before),
        ):
            text = text.replace(mark, value)
        return text.replace('%%', '%')

    def _words(self, text: str) -> list[str]:
        found: list[str] = []
        for word in _split(self._specified(text.lstrip(_PREFIXES))):
            whole = _VARIABLE.fullmatch(word)
            if whole is not None and whole[2]:
                found += _split(self._environment.get(whole[2], ''))
            else:
                found.append(_VARIABLE.sub(self._braced, word))
        return found

    def _braced(self, found: 're.Match[str]') -> str:
        if found[1] is None:
            return found[0]
        return self._environment.get(found[1], '')


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _assignments(text: str, one: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the variables that a line assigns.

    :param one: whether the line comes from a file with a variable a line.
    """
    if one:
        name, equals, value = text.strip().partition('=')
        if equals:
            yield (
                name.strip(),
                ' '.join(_split(value))
                if (value.strip()[:1] in ('"', "'"))
                else value.strip(),
            )
        return
    for word in _split(text):
        name, equals, value = word.partition('=')
        if equals:
            yield name, value
