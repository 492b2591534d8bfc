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

"""Configuration files in manifests of Kubernetes and in values of Helm.

A Secret or a ConfigMap contains the files as they are mounted: those of
manila-operator (``manila-share-share0-config-data`` with ``00-config.conf``
to ``04-config.conf``) and of openstack-helm (``manila-etc`` with
``manila.conf``). A custom resource of manila-operator has
``customServiceConfig``, from which the operator generates such files, and the
values of openstack-helm's chart have each option as a key of its own.

The formats are those of openstack-k8s-operators/manila-operator
internal/manila/const.go, internal/controller/manila*_controller.go;
openstack-helm manila/templates/configmap-etc.yaml and
helm-toolkit/templates/utils/_to_oslo_conf.tpl, _to_ini.tpl.
"""

import base64
import binascii
from collections.abc import Iterator
from collections.abc import Mapping
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import yaml_file

#: The programs that read the configuration.
API = 'manila-api'
DATA = 'manila-data'
SCHEDULER = 'manila-scheduler'
SHARE = 'manila-share'
SERVICES = (API, SCHEDULER, DATA, SHARE)
#: The program of "manila-manage db sync".
MANAGE = 'manila-manage'

#: The files that manila-operator writes, in the order of reading.
SNIPPET = re.compile(r'\d\d-config\.conf')

# A key that cannot be the name of one of manila's files is ignored.
_FILE = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
_MAIN = 'manila.conf'

_DOCUMENT = re.compile(r'^---(?:[ \t].*)?$', re.MULTILINE)
# JSON may be on one line.
_KIND = re.compile(
    r'(?:^[ \t-]*|[{,]\s*)"?kind"?[ \t]*:[ \t]*"?(?:Secret|ConfigMap'
    r'|Manila\w*|OpenStackControlPlane)\b',
    re.MULTILINE,
)
_VALUES = re.compile(r'^conf:', re.MULTILINE)

# The places of customServiceConfig in a custom resource, by service.
_PARTS = (
    (API, 'manilaAPI'),
    (SCHEDULER, 'manilaScheduler'),
)
_OF_KIND = {
    'ManilaAPI': API,
    'ManilaScheduler': SCHEDULER,
    'ManilaShare': SHARE,
}
_CUSTOM = 'customServiceConfig'


class ManifestFiles(NamedTuple):
    """The files of one manifest."""

    folder: str
    """The virtual directory of the files: the path of the manifest, and the
    object in it."""

    files: dict[str, bytes]
    """The contents by name."""

    services: tuple[str, ...]
    """The programs that read them."""

    rendered: bool
    """Whether the services get the files as they are; otherwise they are
    generated from these."""

    @property
    def locations(self) -> tuple[str, ...]:
        """Return the configuration files, in the order of reading."""
        names = sorted(filter(SNIPPET.fullmatch, self.files))
        return tuple(
            f'{self.folder}/{name}'
            for name in (names or [_MAIN] if _MAIN in self.files else names)
        )


def may_hold(text: str) -> bool:
    """Say whether a text may be a manifest of manila."""
    return 'manila' in text.lower() and (
        _KIND.search(text) is not None or _VALUES.search(text) is not None
    )


def parse(path: str, text: str) -> Iterator[ManifestFiles]:
    """Yield the configuration files in a manifest.

    :param path: its name in messages.
    :raises SourceUnusable: when it is malformed.
    """
    for part in _DOCUMENT.split(text):
        if may_hold(part):
            for item in _items(yaml_file.parse(part, path).data):
                yield from _of_item(path, item)


def _items(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a document; those of a List one by one."""
    if not isinstance(data, dict):
        return
    items = data.get('items')
    if isinstance(items, list) and 'kind' in data:
        yield from (one for one in items if isinstance(one, dict))
        return
    yield data


def _of_item(path: str, item: Mapping[str, Any]) -> Iterator[ManifestFiles]:
    kind = item.get('kind')
    if kind in ('Secret', 'ConfigMap'):
        yield from _of_secret(path, item)
    elif kind is None and isinstance(item.get('conf'), dict):
        yield from _of_values(path, item['conf'])
    elif isinstance(kind, str):
        yield from _of_resource(path, kind, item)


def _name(item: Mapping[str, Any]) -> str:
    metadata = item.get('metadata')
    name = metadata.get('name') if isinstance(metadata, dict) else None
    return str(name or '').replace('/', '_') or 'unnamed'


def _of_secret(path: str, item: Mapping[str, Any]) -> Iterator[ManifestFiles]:
    name = _name(item)
    files: dict[str, bytes] = {}
    encoded = item['kind'] == 'Secret'
    for part in ('data', 'binaryData', 'stringData'):
        values = item.get(part)
        for key, value in values.items() if isinstance(values, dict) else ():
            if not isinstance(value, str) or not _FILE.fullmatch(key):
                continue
            if part == 'binaryData' or (part == 'data' and encoded):
                found = _decoded(value)
                if found is None:
                    if key == _MAIN or SNIPPET.fullmatch(key):
                        raise exceptions.SourceUnusable(
                            f'{path}: {key} of {item["kind"]} {name} is not '
                            'in base64'
                        )
                    continue
                files[key] = found
            else:
                files[key] = value.encode('utf-8', 'surrogateescape')
    if _MAIN in files or any(map(SNIPPET.fullmatch, files)):
        yield ManifestFiles(f'{path}/{name}', files, _services(name), True)


def _decoded(text: str) -> Optional[bytes]:
    try:
        return base64.b64decode(''.join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _services(name: str) -> tuple[str, ...]:
    """Return the programs that use a Secret, by its name."""
    for service in SERVICES:
        if service in name:
            return (service,)
    return SERVICES


def _of_resource(
    path: str, kind: str, item: Mapping[str, Any]
) -> Iterator[ManifestFiles]:
    """Yield the lines that a custom resource adds to the files."""
    spec = item.get('spec')
    if not isinstance(spec, dict):
        return
    if kind == 'OpenStackControlPlane':
        part = spec.get('manila')
        spec = part.get('template') if isinstance(part, dict) else None
    elif kind != 'Manila' and kind not in _OF_KIND:
        return
    if not isinstance(spec, dict):
        return
    base = f'{path}/{_name(item)}'
    if kind in _OF_KIND:
        yield from _custom(base, spec, '', (_OF_KIND[kind],))
        return
    yield from _custom(base, spec, '', SERVICES)
    for service, key in _PARTS:
        yield from _custom(base, spec.get(key), key, (service,))
    shares = spec.get('manilaShares')
    for name, part in sorted(
        shares.items() if isinstance(shares, dict) else ()
    ):
        if _FILE.fullmatch(name):
            yield from _custom(base, part, f'manilaShares/{name}', (SHARE,))


def _custom(
    base: str, part: Any, key: str, services: tuple[str, ...]
) -> Iterator[ManifestFiles]:
    text = part.get(_CUSTOM) if isinstance(part, dict) else None
    if isinstance(text, str) and text.strip():
        # The name that manila-operator gives it in the generated Secret.
        name = '03-config.conf' if key else '02-config.conf'
        folder = f'{base}/{key}' if key else base
        yield ManifestFiles(folder, {name: text.encode()}, services, False)


def _of_values(path: str, conf: Mapping[str, Any]) -> Iterator[ManifestFiles]:
    manila = conf.get('manila')
    if not isinstance(manila, dict):
        return
    files = {_MAIN: _oslo_conf(manila)}
    paste = conf.get('paste')
    if isinstance(paste, dict):
        files['api-paste.ini'] = _oslo_conf(paste)
    policy = conf.get('policy')
    if isinstance(policy, dict) and policy:
        import json

        # Not JSON as a whole: a finding would say that it should be YAML.
        lines = (f'{json.dumps(k)}: {json.dumps(policy[k])}' for k in policy)
        files['policy.yaml'] = '\n'.join([*lines, '']).encode()
    yield ManifestFiles(f'{path}/conf', files, SERVICES, False)


def _oslo_conf(sections: Mapping[str, Any]) -> bytes:
    """Return the file that the chart generates from the sections."""
    lines: list[str] = []
    for section, values in sections.items():
        if not isinstance(values, dict):
            continue
        lines.append(f'[{section}]')
        for name, value in values.items():
            lines += [f'{name} = {text}' for text in _texts(value)]
    return '\n'.join([*lines, '']).encode('utf-8', 'surrogateescape')


def _texts(value: Any) -> list[str]:
    """Return the lines that the chart writes for a value; none for null."""
    if value is None:
        return []
    if isinstance(value, list):
        return [','.join(map(_text, value))]
    if isinstance(value, dict):
        values = value.get('values')
        texts = [_text(one) for one in values or ()]
        if value.get('type') == 'multistring':
            return texts
        return [','.join(texts)] if value.get('type') == 'csv' else []
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # Further lines of a value have to begin with blanks.
    return '\n  '.join(str(value).splitlines()) or ''
