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

"""The history files: each fact once, with the releases in which it holds.

A file of package data holds the facts of one kind for all covered releases::

    {
     "entries": {
      "name": [
       {"fact": 1, "releases": "12-17"},
       {"fact": 2, "releases": "18-"}
      ]
     },
     "format": 2,
     "kind": "options",
     "releases": {
      "12": {"count": 1, "package": "manila", ...}
     }
    }

An entry lists rows; a row is a set of facts and the major versions of manila
in which they hold, as ranges. "18-" holds from 18 on, in every release that
the header ("releases") covers, and in no other: a fact is only stated for
releases from which it was read. Each row is one line, and changes only if a
fact begins or ends with a release, so the diff of a new release shows exactly
what changed. tools/build_catalog.py writes the files.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
import copy
import functools
import json
import pkgutil
import re
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TypeVar

from manila_precheck import exceptions
from manila_precheck import releases

FORMAT = 2
KINDS = (
    'auth_plugins',
    'drivers',
    'options',
    'policies',
    'releases',
    'revisions',
    'schema',
    'steps',
)

Row = dict[str, Any]
T = TypeVar('T')

_REQUIRES_PYTHON = re.compile(r'>=\s*([0-9]+)\.([0-9]+)')


class Package(NamedTuple):
    """The package of manila from which the facts of a release were read."""

    version: str
    """The latest point release when the catalog was built: '20.0.3'."""

    filename: str
    """The file on PyPI: 'manila-20.0.3-py3-none-any.whl'."""

    sha256: str
    """The hash of that file, in hexadecimal digits."""

    requires_python: str
    """The Python versions that the package requires: '>=3.9'."""

    built: str = ''
    """The day on which the facts were read, in UTC: '2026-11-25'; '' in files
    other than releases.json."""

    @property
    def least_python(self) -> tuple[int, int]:
        """The oldest Python on which the package can be installed: (3, 9).

        :raises CatalogError: when the requirement cannot be parsed.
        """
        match = _REQUIRES_PYTHON.fullmatch(self.requires_python)
        if match is None:
            raise exceptions.CatalogError(
                f'manila {self.version} requires Python '
                f'{self.requires_python!r}, which manila-precheck cannot '
                'parse'
            )
        return int(match[1]), int(match[2])


@functools.cache
def _spans(text: str) -> tuple[tuple[int, Optional[int]], ...]:
    spans: list[tuple[int, Optional[int]]] = []
    for part in text.split(','):
        first, dash, last = part.partition('-')
        open_ended = dash and not last
        spans.append((int(first), None if open_ended else int(last or first)))
    return tuple(spans)


@functools.cache
def holds(text: str, major: int) -> bool:
    """Say whether ranges include a major: '12-14,16-' has all but 15.

    An open range includes every major from its first on; the caller makes
    sure that the release is covered.
    """
    return any(
        first <= major and (last is None or major <= last)
        for first, last in _spans(text)
    )


def majors(text: str, covered: Collection[int]) -> frozenset[int]:
    """Return the covered majors that ranges include.

    :param text: '12-14,16' is 12, 13, 14 and 16; '12-' all from 12 on.
    """
    return frozenset(major for major in covered if holds(text, major))


def ranges(numbers: Collection[int], covered: Collection[int] = ()) -> str:
    """Return the shortest ranges for exactly these majors, in order.

    :param covered: the majors from which the facts were read: what holds in
        the newest of them has not ended, so its range is open.
    """
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    newest = max(covered, default=None)
    return ','.join(
        f'{first}-'
        if last == newest
        else str(first)
        if first == last
        else f'{first}-{last}'
        for first, last in parts
    )


class History:
    """One decoded file: the covered releases, and the rows of each."""

    def __init__(self, kind: str, text: str) -> None:
        """Decode a history file.

        :param kind: one of KINDS.
        :param text: the content of the file.
        :raises CatalogError: when it is damaged or of another format.
        """
        fix = 'reinstall manila-precheck'
        try:
            document = json.loads(text)
            self._format = document['format']
            self._entries: dict[str, list[Row]] = document['entries']
            self._releases: dict[str, Row] = document['releases']
            found = document['kind']
        except (ValueError, KeyError, TypeError) as exc:
            raise exceptions.CatalogError(
                f'the catalog file of {kind} is damaged ({exc}); {fix}'
            ) from exc
        if self._format != FORMAT:
            raise exceptions.CatalogError(
                f'the catalog file of {kind} has format {self._format!r}, '
                f'this version reads {FORMAT}; {fix}'
            )
        if found != kind:
            raise exceptions.CatalogError(
                f'the catalog file of {kind} holds {found!r}; {fix}'
            )
        self.kind = kind
        self.covered = frozenset(int(major) for major in self._releases)

    def replaced(
        self, major: int, header: Row, entries: dict[str, list[Row]]
    ) -> 'History':
        """Return a history with the rows of one release replaced.

        :param major: the release, which may be a new one.
        :param header: the header of the release, with Package's fields.
        :param entries: {name: [row]}, rows without 'releases'.
        """
        covered = self.covered | {major}

        @functools.cache
        def without(text: str) -> str:
            return ranges(majors(text, self.covered) - {major}, covered)

        found: dict[str, list[Row]] = {}
        for name, rows in self._entries.items():
            kept = [
                {**row, 'releases': without(row['releases'])} for row in rows
            ]
            found[name] = [row for row in kept if row['releases']]
        count = 0
        for name, rows in entries.items():
            distinct = [
                {**row, 'releases': str(major)}
                for number, row in enumerate(rows)
                if row not in rows[:number]
            ]
            count += len(distinct)
            found.setdefault(name, []).extend(distinct)
        made = copy.copy(self)
        made._entries = {name: found[name] for name in sorted(found)}
        made._releases = {
            **self._releases,
            str(major): {**header, 'count': count},
        }
        made.covered = covered
        return made

    def package(self, release: releases.Release) -> Package:
        """Return the package from which a release's facts were read.

        :raises CatalogError: when the release is not covered.
        """
        self.check(release)
        facts = self._releases[str(release.major)]
        return Package(
            version=facts['version'],
            filename=facts['filename'],
            sha256=facts['sha256'],
            requires_python=facts['requires_python'],
            built=facts.get('built', ''),
        )

    def count(self, release: releases.Release) -> int:
        """Return the number of a release's rows, by the header.

        :raises CatalogError: when the release is not covered.
        """
        self.check(release)
        return int(self._releases[str(release.major)]['count'])

    def check(self, release: releases.Release) -> None:
        """Raise CatalogError unless the release is covered."""
        if release.major not in self.covered:
            known = ', '.join(
                item.name
                for item in releases.RELEASES
                if item.major in self.covered
            )
            raise exceptions.CatalogError(
                f'the catalog has no {self.kind.replace("_", " ")} of '
                f'manila {release.major} ({release.name}); it covers {known}'
            )

    def at(self, release: releases.Release) -> dict[str, list[Row]]:
        """Return the rows that hold in a release, by entry, sorted by name.

        :raises CatalogError: when the release is not covered.
        """
        self.check(release)
        major = release.major
        by_name: dict[str, list[Row]] = {}
        for name, rows in self._entries.items():
            now = [row for row in rows if holds(row['releases'], major)]
            if now:
                by_name[name] = now
        return by_name

    def majors(self, row: Row) -> frozenset[int]:
        """Return the covered majors in which a row holds."""
        return majors(row['releases'], self.covered)

    def every_row(self) -> Iterator[tuple[str, Row]]:
        """Yield each entry's name with each of its rows."""
        for name, rows in self._entries.items():
            for row in rows:
                yield name, row

    def rows(self, name: str) -> list[Row]:
        """Return the rows of one entry for all releases."""
        return self._entries.get(name, [])


def read(kind: str) -> str:
    """Return the text of one file of the package data.

    :param kind: one of KINDS.
    :raises CatalogError: when the file is missing.
    """
    try:
        data: Optional[bytes] = pkgutil.get_data(
            'manila_precheck.catalog', f'data/{kind}.json'
        )
    except OSError as exc:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} is missing; reinstall manila-precheck'
        ) from exc
    if data is None:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} cannot be read from this kind of '
            f'installation; install manila-precheck with pip'
        )
    return data.decode('utf-8')


def load(kind: str) -> History:
    """Read and decode one file of the package data.

    :param kind: one of KINDS.
    :raises CatalogError: when it is missing, damaged or of another format.
    """
    return History(kind, read(kind))


def decode(
    kind: str,
    text: str,
    version: int,
    key: str,
    make: Callable[[Any], T],
) -> tuple[T, ...]:
    """Return the rows of one of the package's hand-written files.

    :param kind: the name of the file, without its extension.
    :param text: its content.
    :param version: the format that is supported.
    :param key: the key of the rows in the document.
    :param make: converts one row.
    :raises CatalogError: when it is damaged or of another format.
    """
    fix = 'reinstall manila-precheck'
    try:
        document = json.loads(text)
        found = document['format']
        rows = document[key] if found == version else []
        read = tuple(make(row) for row in rows)
    except (
        AttributeError,
        ValueError,
        KeyError,
        TypeError,
        exceptions.UsageError,
    ) as exc:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} is damaged ({exc}); {fix}'
        ) from exc
    if found != version:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} has format {found!r}, this version '
            f'reads {version}; {fix}'
        )
    return read


def dumps(document: dict[str, Any]) -> str:
    """Return the canonical text of a history file: sorted, a row a line.

    :param document: {'entries': {name: [row]}, 'format', 'kind',
        'releases': {major: header}}; rows keep their order.
    """
    lines = ['{', ' "entries": {']
    names = sorted(document['entries'])
    for name in names:
        lines.append(f'  {json.dumps(name)}: [')
        rows = document['entries'][name]
        for row in rows:
            comma = '' if row is rows[-1] else ','
            lines.append(f'   {json.dumps(row, sort_keys=True)}{comma}')
        lines.append('  ]' if name == names[-1] else '  ],')
    lines.append(' },')
    lines.append(f' "format": {json.dumps(document["format"])},')
    lines.append(f' "kind": {json.dumps(document["kind"])},')
    lines.append(' "releases": {')
    covered = sorted(document['releases'], key=int)
    for major in covered:
        comma = '' if major == covered[-1] else ','
        header = json.dumps(document['releases'][major], sort_keys=True)
        lines.append(f'  {json.dumps(major)}: {header}{comma}')
    lines.extend([' }', '}', ''])
    return '\n'.join(lines)
