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

"""What storage is behind each back end, as the operator declares it.

manila's database does not have the version of a storage system, and querying
the system requires credentials, so the operator declares it in YAML or JSON::

    backends:
      onefs1:
        system: OneFS
        version: 9.10.0.1
      ceph1:
      - system: Ceph
        version: 19.2.3
      - system: NFS-Ganesha
        version: 5.7
        features: [NFS exports]
"""

from typing import Any
from typing import NamedTuple

from manila_precheck.evidence.files import yaml_file


class Declared(NamedTuple):
    """One storage system behind one back end."""

    backend: str
    """The section of the back end."""

    system: str
    """'OneFS'."""

    version: str
    """As written in the file: '9.10.0.1'."""

    features: tuple[str, ...]
    """The features that are used, sorted."""

    line: int
    """Its line in the file, from 1."""


class Inventory(NamedTuple):
    """What an inventory file declares."""

    path: str
    """The file."""

    backends: dict[str, tuple[Declared, ...]]
    """The storage systems of each back end, by its section."""

    lines: dict[str, int]
    """The line at which each back end begins, from 1."""


def read(found: yaml_file.Document) -> Inventory:
    """Return what an inventory declares.

    :param found: the file.
    :raises SourceUnusable: when a line is wrong; the message names it.
    """
    top = _keys(found, (), found.data, {'backends'})
    backends = _mapping(found, ('backends',), top.get('backends'))
    declared = {}
    for name, value in backends.items():
        path: yaml_file.Path = ('backends', name)
        declared[name] = (
            (_declared(found, path, name, value),)
            if isinstance(value, dict)
            else _several(found, path, name, value)
        )
    return Inventory(
        found.name,
        declared,
        {name: found.line(('backends', name)) for name in declared},
    )


def _several(
    found: yaml_file.Document, path: yaml_file.Path, name: str, value: Any
) -> tuple[Declared, ...]:
    if not isinstance(value, list) or not value:
        raise found.wrong(
            path, f'{name} needs a system and a version, or a list of them'
        )
    made = tuple(
        _declared(found, (*path, number), name, item)
        for number, item in enumerate(value)
    )
    seen: set[str] = set()
    for number, item in enumerate(made):
        if item.system.lower() in seen:
            raise found.wrong(
                (*path, number), f'{name} lists {item.system} twice'
            )
        seen.add(item.system.lower())
    return made


def _declared(
    found: yaml_file.Document, path: yaml_file.Path, name: str, value: Any
) -> Declared:
    item = _keys(found, path, value, {'system', 'version', 'features'})
    features = item.get('features', [])
    if not isinstance(features, list) or not all(
        isinstance(feature, str) for feature in features
    ):
        raise found.wrong(
            (*path, 'features'), 'features must be a list of strings'
        )
    return Declared(
        name,
        _text(found, path, item, 'system'),
        _text(found, path, item, 'version'),
        tuple(sorted(features)),
        found.line(path),
    )


def _text(
    found: yaml_file.Document,
    path: yaml_file.Path,
    item: dict[str, Any],
    key: str,
) -> str:
    value = item.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise found.wrong((*path, key), f'{key} is missing or is not a string')
    return value.strip()


def _mapping(
    found: yaml_file.Document, path: yaml_file.Path, value: Any
) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        what = path[-1] if path else 'the file'
        raise found.wrong(path, f'{what} must be a mapping')
    return value


def _keys(
    found: yaml_file.Document,
    path: yaml_file.Path,
    value: Any,
    known: set[str],
) -> dict[str, Any]:
    table = _mapping(found, path, value)
    for key in table:
        if key not in known:
            others = ', '.join(sorted(known))
            raise found.wrong(
                (*path, key), f'unknown key {key!r}; known keys: {others}'
            )
    return table
