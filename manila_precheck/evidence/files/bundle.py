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

"""A site in a directory or an archive, and the place of manila in it.

``--root`` may name the file system of a machine (a sosreport, an image, the
root file system of a container), the contents of one of its directories
(/etc/kolla, /etc/manila, a mounted Secret), or manifests
(:mod:`manila_precheck.evidence.files.manifests`). In each case :func:`look`
returns a tree in which the files have the paths that the services of the site
use.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import os
import posixpath
import stat
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import manifests
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.files import yaml_file

# How many directories and files are searched, and how deep.
_MAX_ENTRIES = 300_000
_MAX_DEPTH = 16

# How many files are read to see whether they are manifests of manila, of which
# size each and together, and how many bytes of likely ones are parsed.
_MAX_MANIFESTS = 20_000
_MAX_MANIFEST_BYTES = 512 * 2**20
_ONE_MANIFEST_BYTES = yaml_file.MAX_BYTES
_MAX_PARSED_BYTES = 16 * 2**20

# How many nested directories without siblings are skipped.
_MAX_WRAPPED = 8

_ETC = '/etc/manila'
_KOLLA = '/etc/kolla'
# The directory that TripleO mounts as / in the containers (tripleo-heat-
# templates deployment/manila/manila-api-container-puppet.yaml).
_TRIPLEO = '/var/lib/config-data/puppet-generated/manila'

# Names in a directory of configuration files.
_MAIN = 'manila.conf'
_MAIN_DIRECTORY = 'manila.conf.d'
_OF_SERVICES = tuple(f'{name}.conf' for name in manifests.SERVICES)

# The root of a machine's file system has one of these.
_OF_ROOT = frozenset({'etc', 'usr', 'var', 'proc'})

_YAML = ('.yaml', '.yml', '.json')

# Directories of processes, of devices and of installed packages.
_NOT_OF_SITE = frozenset({'proc', 'sys', 'dev', 'site-packages', 'doc'})


class Contents(NamedTuple):
    """What was found of manila in a bundle."""

    files: tree.Bundle
    """The files, under the paths that the services use."""

    services: tuple[tuple[str, tuple[str, ...]], ...]
    """(program, its files and directories in the order of reading), for use
    where the site's own units and containers do not tell them; a program may
    occur twice."""


def open_root(path: str) -> tree.Bundle:
    """Return the contents of a directory or an archive of this host.

    :raises ConfigFileError: when it is neither.
    """
    path = os.path.expanduser(path)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as exc:
        reason = getattr(exc, 'strerror', None) or 'cannot be read'
        raise exceptions.ConfigFileError(f'{path}: {reason}') from exc
    if stat.S_ISDIR(mode):
        return tree.Directory(path)
    # Imported here: it loads zipfile and the libraries of compression.
    from manila_precheck.evidence.files import archive

    return archive.read(path)


def whole(path: str) -> tree.Bundle:
    """Return the contents of a directory or an archive without a search.

    Outer directories without siblings are skipped.

    :raises ConfigFileError: when it cannot be read.
    """
    return _unwrapped(open_root(path))


def look(base: tree.Bundle) -> Contents:
    """Return the files of manila in a bundle.

    :raises ConfigFileError: when there are none, or those of several
        machines.
    """
    found = _known(base)
    if found is not None:
        return found
    return _searched(base)


def _unwrapped(base: tree.Bundle) -> tree.Bundle:
    """Skip the outer directories that have no siblings."""
    for _ in range(_MAX_WRAPPED):
        names = _listed(base, '/')
        folders = [name for name in names if base.isdir(f'/{name}')]
        if (
            len(folders) != 1
            or folders[0] in _OF_ROOT
            or folders[0].startswith('manila')
            or _is_config(names)
            or any(name.endswith(_YAML) for name in names)
        ):
            break
        base = tree.Below(base, f'/{folders[0]}')
    return base


def _listed(base: tree.Bundle, path: str) -> list[str]:
    try:
        return base.listdir(path)
    except OSError:
        return []


def _is_config(names: Iterable[str]) -> bool:
    """Say whether a directory contains configuration files."""
    return any(
        name in (_MAIN, _MAIN_DIRECTORY, *_OF_SERVICES)
        or manifests.SNIPPET.fullmatch(name)
        for name in names
    )


def _known(base: tree.Bundle) -> Optional[Contents]:
    """Return the site if its files are in one of the usual places."""
    if _is_config(_listed(base, f'{_TRIPLEO}{_ETC}')):
        return Contents(tree.Below(base, _TRIPLEO), ())
    services = _of_kolla(base, _KOLLA)
    if services:
        return Contents(base, services)
    if _is_config(_listed(base, _ETC)):
        return Contents(base, ())
    if _of_kolla(base, '/'):
        files = tree.ExtendedBundle(base, {}, {_KOLLA: '/'})
        return Contents(files, _of_kolla(files, _KOLLA))
    names = _listed(base, '/')
    if any(map(manifests.SNIPPET.fullmatch, names)):
        place = f'{_ETC}/{_MAIN_DIRECTORY}'
        files = tree.ExtendedBundle(base, {}, {place: '/'}, [_ETC, '/'])
        return Contents(files, ())
    if _is_config(names):
        files = tree.ExtendedBundle(base, {}, {_ETC: '/'})
        return Contents(files, ())
    return None


def _of_kolla(
    base: tree.Bundle, folder: str
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the files of kolla's containers, by service."""
    return tuple(
        (service, (path,))
        for service in manifests.SERVICES
        for path in [posixpath.join(folder, service, _MAIN)]
        if base.isfile(path)
    )


class _Found:
    """The results of a search through a bundle."""

    def __init__(self) -> None:
        #: Directories that contain /etc/manila or /etc/kolla.
        self.machines: list[str] = []
        #: Directories of configuration files.
        self.folders: list[str] = []
        self.manifests: list[str] = []


def _searched(base: tree.Bundle) -> Contents:
    found = _search(base)
    machines = sorted(set(found.machines))
    if len(machines) == 1:
        inner = _known(tree.Below(base, machines[0]))
        if inner is not None:
            return inner
    if len(machines) > 1:
        raise exceptions.ConfigFileError(
            f'{base.name}: it holds the files of several machines; name one '
            f'of them: {", ".join(machines[:20])}'
        )
    entries = _entries(base, found.manifests)
    if entries:
        return _of_manifests(base, entries)
    folders = sorted(set(found.folders))
    if len(folders) == 1:
        inner = _known(tree.Below(base, folders[0]))
        if inner is not None:
            return inner
    if len(folders) > 1:
        inner = _of_folders(base, folders)
        if inner is not None:
            return inner
        raise exceptions.ConfigFileError(
            f'{base.name}: it holds several configurations of manila; name '
            f'one of them: {", ".join(folders[:20])}'
        )
    raise exceptions.ConfigFileError(
        f'{base.name}: no configuration of manila in it: no '
        f'etc/manila/{_MAIN}, no directory of kolla, no Secret or resource '
        'of Kubernetes that holds one'
    )


def _search(base: tree.Bundle) -> _Found:
    found = _Found()
    left = [('/', 0)]
    entries = 0
    while left:
        folder, depth = left.pop()
        names = _listed(base, folder)
        entries += len(names)
        if entries > _MAX_ENTRIES:
            raise exceptions.ConfigFileError(
                f'{base.name}: more than {_MAX_ENTRIES} files and '
                'directories, and no configuration of manila in the usual '
                'places; name the directory that holds it'
            )
        if _is_config(names):
            _note(found, folder)
            continue
        for name in reversed(names):
            path = posixpath.join(folder, name)
            if name.endswith(_YAML) and base.isfile(path):
                found.manifests.append(path)
            elif (
                depth < _MAX_DEPTH
                and name not in _NOT_OF_SITE
                and base.isdir(path)
                and not base.islink(path)
            ):
                left.append((path, depth + 1))
    return found


def _note(found: _Found, folder: str) -> None:
    for place in (_ETC, *(f'{_KOLLA}/{s}' for s in manifests.SERVICES)):
        if folder.endswith(place):
            found.machines.append(folder[: -len(place)] or '/')
            return
    found.folders.append(folder)


def _of_folders(base: tree.Bundle, folders: list[str]) -> Optional[Contents]:
    """Return the site if each directory has the name of a service."""
    services = []
    for folder in folders:
        named = [
            service
            for service in manifests.SERVICES
            if service in posixpath.basename(folder)
        ]
        if not named:
            return None
        names = _listed(base, folder)
        snippets = [n for n in names if manifests.SNIPPET.fullmatch(n)]
        chosen = snippets or [n for n in names if n == _MAIN]
        if chosen:
            paths = (posixpath.join(folder, name) for name in chosen)
            services.append((named[0], tuple(paths)))
    return Contents(base, tuple(services)) if services else None


def _entries(
    base: tree.Bundle, paths: list[str]
) -> list[manifests.ManifestFiles]:
    """Return the configuration files in manifests.

    If some files are as the services get them, those from which they are
    generated are omitted.
    """
    found: list[manifests.ManifestFiles] = []
    size = parsed = 0
    for number, path in enumerate(sorted(paths)):
        more = base.status(path).size
        if more > _ONE_MANIFEST_BYTES:
            continue
        size += more
        if number >= _MAX_MANIFESTS or size > _MAX_MANIFEST_BYTES:
            raise _too_many(base)
        try:
            data = text_file.read(path, _ONE_MANIFEST_BYTES, base)
        except exceptions.SourceUnusable:
            # The program that wrote the manifest could not use it either.
            continue
        text = data.decode('utf-8-sig', 'replace')
        if not manifests.may_hold(text):
            continue
        parsed += more
        if parsed > _MAX_PARSED_BYTES:
            raise _too_many(base)
        try:
            found += manifests.parse(path, text)
        except exceptions.SourceUnusable as exc:
            raise exceptions.ConfigFileError(str(exc)) from exc
    rendered = [one for one in found if one.rendered]
    return rendered or found


def _too_many(base: tree.Bundle) -> exceptions.ConfigFileError:
    return exceptions.ConfigFileError(
        f'{base.name}: more manifests than are read of a bundle '
        f'({_MAX_MANIFESTS}, {_MAX_PARSED_BYTES >> 20} MiB of them of '
        'manila); name the directory that holds those of manila'
    )


def _of_manifests(
    base: tree.Bundle, entries: list[manifests.ManifestFiles]
) -> Contents:
    files = {
        f'{one.folder}/{name}': data
        for one in entries
        for name, data in one.files.items()
    }
    folders = {one.folder for one in entries}
    mains = [one for one in entries if _MAIN in one.files]
    if len(entries) == 1 and mains:
        # It is mounted there, and its options name the files beside it.
        site = tree.ExtendedBundle(base, files, {_ETC: entries[0].folder})
        return Contents(site, ())
    site = tree.ExtendedBundle(base, files, {}, folders)
    return Contents(site, tuple(_by_service(entries)))


def _by_service(
    entries: list[manifests.ManifestFiles],
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the files of each service in several manifests.

    A manifest for all services is read first by each. But with
    manila-operator the Secret of a service is complete, and the Secret
    without a service is only for "manila-manage db sync".
    """
    common = [one for one in entries if len(one.services) > 1]
    own = [one for one in entries if len(one.services) == 1]
    if own and own[0].rendered:
        for one in common:
            yield manifests.MANAGE, one.locations
        common = []
    for service in manifests.SERVICES:
        mine = [one for one in own if one.services == (service,)]
        shared = tuple(path for one in common for path in one.locations)
        for one in mine:
            yield service, (*shared, *one.locations)
        if not mine and shared:
            yield service, shared
