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

"""The facts of one build of manila, read from the build itself.

``manila-precheck catalog tool`` writes a zip application, which runs in the
environment of any manila and writes a file. The schema of the file is package
data: ``catalog/data/build-1.json``. Rows are those of the history files,
without the releases. Within a format keys may be added, but none is renamed,
removed or changed in type.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import functools
import io
import json
import pkgutil
from typing import Any
from typing import NamedTuple
from typing import Optional
import zipfile

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import building
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import json_schema
from manila_precheck.catalog import options
from manila_precheck.catalog import schema
from manila_precheck.catalog import values

#: The maximum size of a file in bytes; that of a release has 300 kB.
MAX_BYTES = 16 * 2**20
# The maximum nesting of arrays and objects.
_MOST_LEVELS = 32
# Larger numbers are not taken for a later format, but for damage.
_MOST_FORMATS = 1000
_MAIN = """\
from manila_precheck.catalog.building import __main__

__main__.main()
"""
# The parent packages of the tool; they are empty in the archive.
_EMPTY = ('manila_precheck/__init__.py', 'manila_precheck/catalog/__init__.py')


class FactsFile(NamedTuple):
    """A file of facts."""

    path: str
    """The file."""

    version: str
    """The version of the package, as it is: '22.0.1.dev7'."""

    release: releases.Release
    """The release to which the build belongs; its ``build`` is this build."""

    made: str
    """When the file was made: '2026-11-28T12:00:00Z'."""

    messages: tuple[str, ...]
    """What could not be read, as the tool reports it."""

    requires_python: str
    """The Python that the package requires: '>=3.10'; '' when unknown."""

    entries: dict[str, dict[str, list[history.Row]]]
    """{kind: {name: [row]}}; a kind that is missing was not read."""

    out_of_tree: tuple[str, ...]
    """The packages beside manila that were read, too."""

    unimportable: Mapping[str, str]
    """{module or package: why it cannot be imported in the build}."""

    importable: Optional[frozenset[str]]
    """The top-level names of all that can be imported in the build; None: an
    older tool made the file, which does not tell."""

    @property
    def secrets(self) -> frozenset[str]:
        """The names, old ones too, of all options that are marked secret."""
        return options.secret_names(
            (name, row)
            for kind in ('options', 'auth_plugins')
            for name, rows in self.entries[kind].items()
            for row in rows
        )

    def lacks_class(self, path: str) -> Optional[str]:
        """Return why the build cannot load a class; None: unknown."""
        parts = path.split('.')
        for count in range(1, len(parts)):
            error = self.unimportable.get('.'.join(parts[:count]))
            if error is not None:
                return f'its build cannot import it: {error}'
        if any(path.startswith(f'{name}.') for name in self.out_of_tree):
            return 'its build has the package, and no such class'
        return None


def tool() -> bytes:
    """Return the zip application that reads a build: catalog.pyz."""
    names = sorted(one.name for one in pkgutil.iter_modules(building.__path__))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, data: bytes) -> None:
            # Without a time stamp the archive is always the same.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)

        add('__main__.py', _MAIN.encode())
        for name in _EMPTY:
            add(name, b'')
        for name in ('__init__', *names):
            data = pkgutil.get_data(building.__name__, f'{name}.py')
            assert data is not None
            add(f'manila_precheck/catalog/building/{name}.py', data)
    return b'#!/usr/bin/env python3\n' + stream.getvalue()


def parse(text: str, path: str) -> FactsFile:
    """Return the contents of a file of facts.

    :param path: the path of the file, for messages.
    :raises CatalogError: when it is another file, is damaged, or belongs to a
        release that this version does not know.
    """
    document = _decoded(text, path)
    number = document.get('format')
    if type(number) is int and building.FORMAT < number < _MOST_FORMATS:
        raise exceptions.CatalogError(
            f'{path} has format {number}, and this manila-precheck reads '
            f'{building.FORMAT}'
        )
    try:
        _check()(document)
    except json_schema.Invalid as exc:
        raise exceptions.CatalogError(f'{path} is damaged: {exc}') from None
    version = document['release']['version']
    build = releases.build(version)
    release = releases.at(build.numbers[0]) if build.too_new else build.release
    if release is None:
        raise exceptions.CatalogError(
            f'{path} is of manila {version}, and this manila-precheck '
            f'knows {releases.known_range()}'
        )
    found = FactsFile(
        path=path,
        version=version,
        release=release.of_build(f'{version} of {path}'),
        made=document['made'],
        messages=tuple(document['said']),
        requires_python=document['release']['requires_python'] or '',
        entries=entries_of(document),
        out_of_tree=tuple(document.get('out_of_tree', ())),
        unimportable=document.get('unimportable', {}),
        importable=(
            frozenset(document['importable'])
            if 'importable' in document
            else None
        ),
    )
    try:
        _try(found)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise exceptions.CatalogError(f'{path} is damaged: {exc}') from None
    return found


def _decoded(text: str, path: str) -> dict[str, Any]:
    """Return the document of a file of facts.

    :raises CatalogError: when it is something else.
    """
    if len(text) <= MAX_BYTES:
        try:
            document = json.loads(text, parse_constant=_refused)
            if document['kind'] == building.KIND:
                if _levels(document) > _MOST_LEVELS:
                    raise exceptions.CatalogError(
                        f'{path} is damaged: it is nested more than '
                        f'{_MOST_LEVELS} levels deep'
                    )
                return dict(document)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
    raise exceptions.CatalogError(
        f'{path} is not a file that "manila-precheck catalog build" or '
        'catalog.pyz wrote'
    )


def _refused(word: str) -> Any:
    # NaN and similar, which are not JSON.
    raise ValueError(word)


def _levels(document: Any) -> int:
    """Return the depth of nested arrays and objects."""
    levels, here = 0, [document]
    while here and levels <= _MOST_LEVELS:
        levels += 1
        here = [
            one
            for holder in here
            for one in (
                holder.values() if isinstance(holder, dict) else holder
            )
            if isinstance(one, (dict, list))
        ]
    return levels


@functools.cache
def _check() -> json_schema.Check:
    """Return a function that validates a document by the format's schema."""
    data = pkgutil.get_data(
        'manila_precheck.catalog', f'data/build-{building.FORMAT}.json'
    )
    assert data is not None
    return json_schema.compiled(json.loads(data))


def _try(build: FactsFile) -> None:
    """Convert every fact of a build once, so that none fails later."""
    entries = build.entries
    known = options.OptionSet(
        build.release, entries['options'], entries['auth_plugins']
    )
    plugins = filter(None, map(known.auth_plugin, known.auth_plugins))
    added = (one for plugin in plugins for one in plugin.options.values())
    types = {one.type: one.name for one in (*known, *added)}
    for kind, name in types.items():
        try:
            values.parser(kind)
        except (AttributeError, TypeError, ValueError) as exc:
            raise ValueError(f'the type of the option {name}: {exc}') from None
    chain = schema.read_chain(entries['revisions'])
    if len(chain) != len(entries['revisions']):
        raise ValueError('the revisions do not form a chain')


def entries_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return {kind: {name: [row]}} from the document of the tool."""
    return {
        'auth_plugins': {
            plugin['plugin']: _login_options(plugin['options'])
            for plugin in facts['auth_plugins']
        },
        'drivers': _by('name', facts['drivers']),
        'options': _by('name', map(_known, facts['options'])),
        'policies': _by('name', facts['policies']),
        'releases': {
            name: [{'requires': spec}]
            for name, spec in facts['release']['requires'].items()
        },
        'revisions': _by('revision', facts['revisions']),
    }


def _by(key: str, rows: Iterable[history.Row]) -> dict[str, list[history.Row]]:
    """Return rows grouped by the value of one key, which is removed."""
    found: dict[str, list[history.Row]] = {}
    for row in rows:
        rest = dict(row)
        found.setdefault(rest.pop(key), []).append(rest)
    return found


def _login_options(rows: Optional[list[history.Row]]) -> list[history.Row]:
    """Return the rows of a plugin of keystoneauth.

    :param rows: its options; None for a plugin that does not load.
    """
    if rows is None:
        return [{'unloadable': True}]
    return [_known(row) for row in rows] or [{'no_options': True}]


_OPTION = {*options.Option._fields, 'in'}
_TYPE = {*options.ValueType._fields}


def _known(row: history.Row) -> history.Row:
    """Return an option without keys that only later tools write."""
    found = {name: row[name] for name in row if name in _OPTION}
    kind = found.get('type')
    if isinstance(kind, dict):
        found['type'] = _known_type(kind)
    return found


def _known_type(facts: dict[str, Any]) -> dict[str, Any]:
    found = {name: facts[name] for name in facts if name in _TYPE}
    if isinstance(found.get('item'), dict):
        found['item'] = _known_type(found['item'])
    return found


def overlay(shipped: history.History, build: FactsFile) -> history.History:
    """Return a history in which a build replaces its release.

    Facts that the file does not have are kept as shipped: the schema, the
    steps of the migrations and the requirements of drivers; also the sections
    of api-paste.ini and the package's requirements if a distribution has
    removed them from the package. For a release newer than the shipped ones
    the facts of the newest are used.
    """
    entries = build.entries.get(shipped.kind)
    release = releases.nearest(build.release)
    if entries is None:
        if release == build.release:
            return shipped
        entries = _grouped(_rows(shipped, release))
    if shipped.kind == 'drivers':
        entries = {name: list(rows) for name, rows in entries.items()}
        without_paste = not drivers.read_paste(entries)
        # The first versions of the tool did not try factories.
        untried = not drivers.read_factories(entries).ways
        known = {*entries}
        for name, row in _rows(shipped, release):
            # Only for drivers that the build has.
            as_shipped = row['kind'] == drivers.NEED and (
                name in known or name.startswith('emc:')
            )
            as_shipped |= row['kind'] == drivers.PASTE and without_paste
            as_shipped |= row['kind'] in drivers.FACTORY_KINDS and untried
            if as_shipped:
                entries.setdefault(name, []).append(row)
    if shipped.kind == 'releases' and not entries:
        entries = _grouped(_rows(shipped, release))
    package = shipped.package(release)
    header = {
        'version': build.version,
        'filename': build.path,
        'sha256': '',
        'requires_python': build.requires_python or package.requires_python,
        'built': build.made.partition('T')[0],
    }
    return shipped.replaced(build.release.major, header, entries)


def points(release: releases.Release) -> tuple[str, ...]:
    """Return the earlier versions of a release whose facts are shipped.

    :returns: '22.0.0', '22.0.1', oldest first.
    """
    finals = (one.text for one in releases.final_versions(release))
    return tuple(version for version in finals if version in _points())


class _Point(NamedTuple):
    """How an earlier version of a release differs from its last one."""

    version: str
    header: history.Row
    entries: dict[str, dict[str, list[history.Row]]]
    """{kind: {name: [row]}}; the list is empty if it lacks the name."""


@functools.cache
def _points() -> dict[str, _Point]:
    rows = history.decode(
        'points', history.read('points'), 1, 'points', _point
    )
    return {row.version: row for row in rows}


def _point(row: history.Row) -> _Point:
    header = {k: row[k] for k in row if k not in history.KINDS}
    entries = {k: row[k] for k in row if k in history.KINDS}
    return _Point(row['version'], header, entries)


def revision_hashes(shipped: history.History, revision: str) -> frozenset[str]:
    """Return the hashes of a migration in all known versions.

    :param shipped: the revisions.
    :returns: SHA-256 of its file; empty if no version has it.
    """
    rows = [*shipped.rows(revision)]
    for point in _points().values():
        rows += point.entries.get('revisions', {}).get(revision, [])
    return frozenset(row['sha256'] for row in rows)


def overlay_point(
    shipped: history.History, release: releases.Release
) -> history.History:
    """Return a history in which an earlier version replaces its release.

    Facts that are not known by version are kept from the last version: the
    schema, the steps of the migrations and the requirements of drivers.
    """
    point = _points().get(release.build)
    if point is None:
        return shipped
    entries = _grouped(_rows(shipped, release))
    entries.update(point.entries.get(shipped.kind, {}))
    header = {**point.header, 'built': shipped.package(release).built}
    return shipped.replaced(release.major, header, entries)


def _rows(
    shipped: history.History, release: releases.Release
) -> Iterator[tuple[str, history.Row]]:
    """Yield (name, row without 'releases') for a release."""
    for name, rows in shipped.at(release).items():
        for row in rows:
            yield name, {k: row[k] for k in row if k != 'releases'}


def _grouped(
    rows: Iterable[tuple[str, history.Row]],
) -> dict[str, list[history.Row]]:
    found: dict[str, list[history.Row]] = {}
    for name, row in rows:
        found.setdefault(name, []).append(row)
    return found
