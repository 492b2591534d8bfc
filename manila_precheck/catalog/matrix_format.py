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

"""The format of a support matrix, read strictly so that typos are found.

The format is that of data/support_matrix.json; the files of an operator and of
a vendor's package have the same, as JSON or as YAML::

    format: 2
    releases: {"22": 22.0.2}        (may be left out) what was read; an open
                                    range ends with the newest of them
    systems:                        (may be left out)
      Ceph:
        names: {Reef: "18"}         what a name stands for
        command: ceph versions      what shows the version without a login
    rows:
    - driver: acme.manila.Driver    a class path, or emc:PLUGIN
      releases: 2025.1-2026.1       also 20-22, "22-", "18,20"
      sources: [https://...]        who says so
      modes: [false]                driver_handles_share_servers
      storage:
      - system: AcmeOS
        minimum: "7.2"              the oldest that is documented
        tested: "7"                 or: the only documented one
        refused_below: "7.0"        the driver itself refuses older ones
        option: acme_dedup          counts where this option is true ...
        feature: deduplication      ... or the inventory names the feature
      libraries:
      - module: acmesdk             what the code imports
        package: acme-sdk           the distribution on PyPI, if any
        os_package: python3-acme    that of the operating system, if any
        minimum: "2.0"              as above, of the package
        refused_below: "1.4"
        moment: load                or setup: see requirements.Library.moment
        option: acme_dedup          counts where this option is true

Versions are texts; a YAML number is taken as it is written. Unknown keys are
rejected.
"""

from collections.abc import Mapping
from typing import Any
from typing import NoReturn
from typing import Union

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import requirements
from manila_precheck.catalog import versions
from manila_precheck.catalog.requirements import Support
from manila_precheck.catalog.requirements import System

FORMAT = 2

#: A place in a document: ('rows', 0, 'driver').
Path = tuple[Union[str, int], ...]


class NotAMatrix(exceptions.PrecheckError):
    """A document is not a support matrix; the text says where and why."""

    def __init__(self, path: Path, words: str) -> None:
        #: The place of the error.
        self.path = path
        where = ''.join(
            f'[{step}]' if isinstance(step, int) else f'.{step}'
            for step in path
        ).lstrip('.')
        super().__init__(f'{where}: {words}' if where else words)


class _Table:
    """An object of a document; each known key is removed when it is read."""

    def __init__(self, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            raise NotAMatrix(path, 'it must be a mapping')
        self._left = dict(value)
        self.path = path

    def fail(self, key: str, words: str) -> NoReturn:
        raise NotAMatrix((*self.path, key), words)

    def keys(self) -> list[str]:
        return sorted(self._left)

    def take(self, key: str) -> Any:
        return self._left.pop(key, None)

    def text(self, key: str, needed: bool = False) -> str:
        value = self.take(key)
        if value is None and not needed:
            return ''
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            self.fail(key, 'it must be a string')
        return str(value).strip()

    def version(self, key: str, names: Mapping[str, str]) -> str:
        text = self.text(key)
        if text and not versions.parse(text, names):
            self.fail(key, f'{text!r} is not a version')
        return text

    def items(self, key: str, needed: bool = False) -> list[Any]:
        value = self.take(key)
        if value is None and not needed:
            return []
        if not isinstance(value, list) or not value:
            self.fail(key, 'it must be a list that is not empty')
        return list(value)

    def end(self) -> None:
        for key in self._left:
            self.fail(key, 'unknown key')


def decode(
    document: Any, origin: str = ''
) -> tuple[tuple[Support, ...], dict[str, System]]:
    """Return the rows of a document, and its systems by name.

    :param document: the contents of the file.
    :param origin: the source of the rows; '' for this package.
    :raises NotAMatrix: when it is not a support matrix of this format.
    """
    table = _Table(document, ())
    found = table.take('format')
    if found != FORMAT:
        table.fail('format', f'it is {found!r}; this version reads {FORMAT}')
    covered = _covered(table.take('releases'))
    known = _systems(table.take('systems'))
    rows = []
    claimed: dict[tuple[str, int], int] = {}
    for number, row in enumerate(table.items('rows', needed=True)):
        made = _support(_Table(row, ('rows', number)), known, covered, origin)
        for major in sorted(made.majors):
            other = claimed.setdefault((made.driver, major), number)
            if other != number:
                raise NotAMatrix(
                    ('rows', number),
                    f'rows[{other}] is of {made.driver} in '
                    f'{releases.from_major(major)} as well',
                )
        rows.append(made)
    table.end()
    return tuple(rows), known


def _covered(value: Any) -> frozenset[int]:
    """Return the majors in the header; without a header all known ones."""
    if value is None:
        return frozenset(release.major for release in releases.RELEASES)
    table = _Table(value, ('releases',))
    found = set()
    for key in table.keys():
        table.text(key, needed=True)
        try:
            found.add(releases.parse(key).major)
        except exceptions.UsageError as exc:
            table.fail(key, str(exc))
    return frozenset(found)


def _systems(value: Any) -> dict[str, System]:
    if value is None:
        return {}
    table = _Table(value, ('systems',))
    found = {}
    for name in sorted(value):
        one = _Table(table.take(name), ('systems', name))
        names = one.take('names')
        found[name] = System(
            name,
            {}
            if names is None
            else _names(_Table(names, (*one.path, 'names'))),
            one.text('command'),
        )
        one.end()
    return found


def _names(table: _Table) -> dict[str, str]:
    return {word: table.version(word, {}) for word in table.keys()}


def _support(
    table: _Table,
    known: Mapping[str, System],
    covered: frozenset[int],
    origin: str,
) -> Support:
    made = Support(
        table.text('driver', needed=True),
        _majors(table, covered),
        _sources(table),
        tuple(
            _storage(_Table(item, (*table.path, 'storage', number)), known)
            for number, item in enumerate(table.items('storage'))
        ),
        tuple(
            _library(_Table(item, (*table.path, 'libraries', number)))
            for number, item in enumerate(table.items('libraries'))
        ),
        _modes(table),
        origin,
    )
    table.end()
    return made


def _sources(table: _Table) -> tuple[str, ...]:
    found = table.items('sources', needed=True)
    if not all(isinstance(item, str) and item for item in found):
        table.fail('sources', 'each must be a string')
    return tuple(found)


def _majors(table: _Table, covered: frozenset[int]) -> frozenset[int]:
    text = table.text('releases', needed=True)
    found: set[int] = set()
    for part in text.split(','):
        first, dash, last = (word.strip() for word in part.partition('-'))
        newest = releases.RELEASES[-1].name if dash else first
        try:
            low = releases.parse(first).major
            high = releases.parse(last or newest).major
        except exceptions.UsageError as exc:
            table.fail('releases', str(exc))
        if low > high:
            table.fail('releases', f'{part.strip()} ends before it begins')
        found.update(
            major
            for major in range(low, high + 1)
            if last or not dash or major in covered
        )
    if not found:
        table.fail('releases', f'the header lists none of {text}')
    for major in sorted(found - covered):
        table.fail(
            'releases',
            f'the header does not list {releases.from_major(major)}',
        )
    return frozenset(found)


def _modes(table: _Table) -> tuple[bool, ...]:
    modes = table.items('modes')
    if not all(isinstance(mode, bool) for mode in modes):
        table.fail('modes', 'each must be true or false')
    return tuple(sorted(set(modes)))


def _storage(
    table: _Table, known: Mapping[str, System]
) -> requirements.Storage:
    system = table.text('system', needed=True)
    names = known[system].names if system in known else {}
    made = requirements.Storage(
        system,
        table.version('minimum', names),
        table.version('tested', names),
        table.version('refused_below', names),
        table.text('feature'),
        table.text('option'),
    )
    table.end()
    if bool(made.minimum) == bool(made.tested):
        raise NotAMatrix(table.path, 'one of minimum and tested is needed')
    if made.option and not made.feature:
        table.fail('feature', 'an option needs the feature that it is for')
    return made


def _library(table: _Table) -> requirements.Library:
    made = requirements.Library(
        table.text('module', needed=True),
        table.text('moment', needed=True),
        table.text('package'),
        table.text('os_package'),
        table.version('minimum', {}),
        table.version('refused_below', {}),
        table.text('option'),
    )
    table.end()
    if not made.package and (made.minimum or made.refused_below):
        table.fail('package', 'a version needs the package that it is of')
    if made.moment not in (requirements.LOAD, requirements.SETUP):
        table.fail('moment', f'{made.moment!r} is neither load nor setup')
    return made
