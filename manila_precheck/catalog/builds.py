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

``manila-precheck catalog tool`` writes a zip application, which runs inside
the environment of any manila and writes a file::

    {
     "format": 1,
     "kind": "manila-build",
     "made": "2026-11-28T12:00:00Z",
     "python": "3.12.1",
     "release": {"version": "22.0.1", "requires_python": ">=3.10",
                 "requires": {"sqlalchemy": ">=1.4.0"}},
     "options": [{"name": "quota_shares", "in": ["[quota]"], ...}],
     "auth_plugins": [{"plugin": "password", "options": [...]}],
     "policies": [{"name": "share:create", "check": "rule:...", ...}],
     "drivers": [{"kind": "share", "name": "manila.share...", ...}],
     "revisions": [{"revision": "162a3e673105", "down": null, ...}],
     "said": ["what could not be read, in words"]
    }

Rows are those of the history files, without the releases. A later version
only adds to the format.
"""

from collections.abc import Iterator
import dataclasses
import io
import json
import pkgutil
from typing import Any
import zipfile

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import building
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import options
from manila_precheck.catalog import policies
from manila_precheck.catalog import schema

_MAIN = """\
from manila_precheck.catalog.building import __main__

__main__.main()
"""
# The packages above the tool's, which do not come with it.
_EMPTY = ('manila_precheck/__init__.py', 'manila_precheck/catalog/__init__.py')


@dataclasses.dataclass(frozen=True)
class Build:
    """A file of facts."""

    path: str
    """The file."""

    version: str
    """What the package calls its version: '22.0.1.dev7'."""

    release: releases.Release
    """The release that it is a build of."""

    made: str
    """When the file was made: '2026-11-28T12:00:00Z'."""

    said: tuple[str, ...]
    """What could not be read, in the words of the tool."""

    requires_python: str
    """The Python that the package asks for: '>=3.10'; '' not stated."""

    entries: dict[str, dict[str, list[history.Row]]]
    """{kind: {name: [row]}}: a kind that is not in it was not read."""


def tool() -> bytes:
    """Return the zip application that reads a build: catalog.pyz."""
    names = sorted(one.name for one in pkgutil.iter_modules(building.__path__))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, data: bytes) -> None:
            # The same bytes, whenever it is written.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)

        add('__main__.py', _MAIN.encode())
        for name in _EMPTY:
            add(name, b'')
        for name in ('__init__', *names):
            data = pkgutil.get_data(building.__name__, f'{name}.py')
            assert data is not None
            add(f'manila_precheck/catalog/building/{name}.py', data)
    return b'#!/usr/bin/env python3\n' + stream.getvalue()


def parse(text: str, path: str) -> Build:
    """Return what a file of facts holds.

    :param path: of the file, for messages.
    :raises CatalogError: when it is no such file, is damaged, or is of a
        release that this version does not know.
    """
    try:
        document = json.loads(text)
        if document['kind'] != building.KIND:
            raise KeyError('kind')
    except (ValueError, KeyError, TypeError, RecursionError):
        raise exceptions.CatalogError(
            f'{path} is not a file that "manila-precheck catalog build" or '
            'catalog.pyz wrote'
        ) from None
    if document.get('format') != building.FORMAT:
        raise exceptions.CatalogError(
            f'{path} has format {document.get("format")!r}, and this '
            f'manila-precheck reads {building.FORMAT}'
        )
    try:
        version = str(document['release']['version'])
        release = releases.build(version).release
        if release is None:
            raise exceptions.CatalogError(
                f'{path} is of manila {version}, and this manila-precheck '
                f'knows {releases.known_range()}'
            )
        found = Build(
            path=path,
            version=version,
            release=release,
            made=str(document['made']),
            said=tuple(map(str, document['said'])),
            requires_python=str(document['release']['requires_python'] or ''),
            entries=entries_of(document),
        )
        _try(found)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise exceptions.CatalogError(
            f'{path} is damaged ({type(exc).__name__}: {exc})'
        ) from None
    return found


def _try(build: Build) -> None:
    """Make every fact of a build once, so that none fails later."""
    entries = build.entries
    known = options.OptionSet(
        build.release, entries['options'], entries['auth_plugins']
    )
    for one in known:
        known.find('DEFAULT', one.name)
    policies.read(entries['policies'])
    drivers.read(entries['drivers'])
    drivers.read_paste(entries['drivers'])
    if not schema.read_chain(entries['revisions']):
        raise ValueError('no first revision')


def entries_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return {kind: {name: [row]}} of what the tool has written."""
    named: dict[str, dict[str, list[history.Row]]] = {
        kind: {}
        for kind in (
            'auth_plugins',
            'drivers',
            'options',
            'policies',
            'releases',
            'revisions',
        )
    }

    def add(kind: str, name: str, row: history.Row) -> None:
        named[kind].setdefault(name, []).append(row)

    for row in facts['options']:
        row = _known(row)
        add('options', row.pop('name'), row)
    for plugin in facts['auth_plugins']:
        if plugin['options'] is None:
            add('auth_plugins', plugin['plugin'], {'unloadable': True})
        for row in plugin['options'] or ():
            add('auth_plugins', plugin['plugin'], _known(row))
        if plugin['options'] == []:
            add('auth_plugins', plugin['plugin'], {'no_options': True})
    for row in facts['policies']:
        row = dict(row)
        add('policies', row.pop('name'), row)
    for row in facts['drivers']:
        row = dict(row)
        add('drivers', row.pop('name'), row)
    for row in facts['revisions']:
        row = dict(row)
        add('revisions', row.pop('revision'), row)
    for name, spec in facts['release']['requires'].items():
        add('releases', name, {'requires': spec})
    return named


_OPTION = {*(field.name for field in dataclasses.fields(options.Option)), 'in'}
_TYPE = {field.name for field in dataclasses.fields(options.ValueType)}


def _known(row: history.Row) -> history.Row:
    """Return an option without what other versions of the tool tell of it."""
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


def overlay(shipped: history.History, build: Build) -> history.History:
    """Return a history in which a build stands for its release.

    What the file has nothing of stays as it is shipped: the schema, what
    each migration does and what a driver cannot do without; where a
    distribution has put them out of the package, the sections of
    api-paste.ini and the requirements.
    """
    entries = build.entries.get(shipped.kind)
    if entries is None:
        return shipped
    if shipped.kind == 'drivers':
        entries = {name: list(rows) for name, rows in entries.items()}
        without_paste = not drivers.read_paste(entries)
        known = {*entries}
        for name, row in _rows(shipped, build.release):
            # Only of drivers that the build has.
            kept = row['kind'] == drivers.NEED and (
                name in known or name.startswith('emc:')
            )
            if kept or (row['kind'] == drivers.PASTE and without_paste):
                entries.setdefault(name, []).append(row)
    if shipped.kind == 'releases' and not entries:
        entries = {}
        for name, row in _rows(shipped, build.release):
            entries.setdefault(name, []).append(row)
    package = shipped.package(build.release)
    header = {
        'version': build.version,
        'filename': build.path,
        'sha256': '',
        'requires_python': build.requires_python or package.requires_python,
    }
    return shipped.replaced(build.release.major, header, entries)


def _rows(
    shipped: history.History, release: releases.Release
) -> Iterator[tuple[str, history.Row]]:
    """Yield (name, row without its releases) of what holds in a release."""
    for name, rows in shipped.at(release).items():
        for row in rows:
            yield name, {k: row[k] for k in row if k != 'releases'}
