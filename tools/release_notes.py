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

"""Hold the ledger of release notes against the packages of manila.

    python tools/release_notes.py [--directory DIR] [--all]

The source packages of the last point release of each series, and of 12.0.0,
where the ledger begins, are taken from PyPI and kept in DIR, by default in a
cache directory. Their releasenotes/notes are compared with
manila_precheck/catalog/data/release_notes.json: every section that the ledger
has to account for has a row, and each row has the first build of each series
that has the note. With --all every point release is looked at: of those in
between, too.

What differs is printed, a note without a row as the row to fill in. The exit
code is 1 when there is something.
"""

import argparse
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
from typing import Optional
import venv

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from manila_precheck import releases  # noqa: E402
from manila_precheck.catalog import release_notes  # noqa: E402

# It was tagged, and is not on PyPI; it has the notes of 18.0.1.
_NEVER_PUBLISHED = {'18.0.0': '18.0.1'}

_FILE = re.compile(r'[^/]+/releasenotes/notes/(?:.*/)?([^/]+)\.yaml')

# Ten times as fast as the one in Python.
_LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

#: A note and one of its sections.
Key = tuple[str, str]


def cache() -> pathlib.Path:
    """Return where source packages are kept."""
    root = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return pathlib.Path(root, 'manila-precheck', 'sdists').expanduser()


def versions(every: bool = False) -> list[releases.Build]:
    """Return the builds whose notes are read, oldest first.

    :param every: every one; else the first of all and the last of each
        series.
    """
    found = []
    for release in releases.RELEASES:
        finals = releases.final_versions(release)
        if not every:
            first = release == releases.RELEASES[0]
            finals = (finals[0], finals[-1]) if first else finals[-1:]
        found += [one for one in finals if one.text not in _NEVER_PUBLISHED]
    return found


def fetch(wanted: Sequence[str], directory: pathlib.Path) -> None:
    """Download the source packages that are not in a directory yet.

    :raises CalledProcessError: when pip does not get one.
    """
    missing = [one for one in wanted if not _path(one, directory).is_file()]
    if not missing:
        return
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # pip asks a source package for its metadata, which pbr makes.
        venv.create(scratch, with_pip=True)
        pip = [f'{scratch}/bin/python', '-m', 'pip']
        subprocess.run(
            [*pip, 'install', '-q', 'pbr', 'setuptools', 'wheel'], check=True
        )
        # Most of the time is that of the metadata, in one process each.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            fetched = pool.map(lambda one: _download(pip, one), missing)
            for version, data in zip(missing, fetched):
                # A file is there whole, or not at all.
                part = directory / f'manila-{version}.part'
                part.write_bytes(data)
                part.replace(_path(version, directory))


def _download(pip: Sequence[str], version: str) -> bytes:
    """Return a source package."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [
                *pip,
                *('download', '-q', '--no-deps', '--no-build-isolation'),
                *('--no-binary', 'manila', '--dest', place),
                f'manila=={version}',
            ],
            check=True,
        )
        (got,) = pathlib.Path(place).glob('manila-*.tar.gz')
        return got.read_bytes()


def _path(version: str, directory: pathlib.Path) -> pathlib.Path:
    return directory / f'manila-{version}.tar.gz'


def read(path: pathlib.Path) -> dict[Key, str]:
    """Return the notes of a source package: {(note, section): text}."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            match = _FILE.fullmatch(member.name)
            stream = archive.extractfile(member) if match else None
            if match is None or stream is None:
                continue
            sections = yaml.load(stream, _LOADER) or {}
            for section, content in sections.items():
                found[match[1], section] = yaml.safe_dump(content)
    return found


def is_in(note: release_notes.Note, version: releases.Build) -> bool:
    """Say whether the ledger has a note in a build."""
    for one in note.since:
        if one == version.release:
            return (
                not one.build
                or releases.build(one.build).order <= version.order
            )
    return version.release is not None and note.release < version.release


def differences(
    ledger: Sequence[release_notes.Note],
    packages: Mapping[releases.Build, Mapping[Key, str]],
) -> Iterator[str]:
    """Yield what the ledger and the packages have otherwise.

    :param packages: their notes, the one where the ledger begins first.
    """
    rows = {(note.name, note.section): note for note in ledger}
    before, *_ = packages.values()
    since: dict[Key, list[releases.Build]] = {}
    for version, notes in packages.items():
        for key in notes:
            since.setdefault(key, []).append(version)
    for key, found in since.items():
        known = key in rows or key in before
        # Of the first series only what a later one has as well.
        later = found[-1].release != releases.RELEASES[0]
        if key[1] in release_notes.SECTIONS and later and not known:
            text = packages[found[-1]][key]
            yield f'{_row(key, found)}\n{text}'
    for key, note in rows.items():
        for version, notes in packages.items():
            if is_in(note, version) is not (key in notes):
                has = 'has' if key in notes else 'does not have'
                yield f'manila {version.text} {has} {key[1]} of {key[0]}'


def _row(key: Key, found: Sequence[releases.Build]) -> str:
    first: dict[Optional[releases.Release], str] = {}
    for version in found:
        first.setdefault(version.release, version.text)
    row = {
        'note': key[0],
        'section': key[1],
        'served_by': [{'reason': ''}],
        'since': list(first.values()),
    }
    return f'no row: {json.dumps(row, indent=1, sort_keys=True)}'


def compare(directory: pathlib.Path, every: bool = False) -> list[str]:
    """Return what the ledger and the packages on PyPI have otherwise."""
    builds = versions(every)
    fetch([one.text for one in builds], directory)
    packages = {one: read(_path(one.text, directory)) for one in builds}
    return list(differences(release_notes.load(), packages))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Print what differs; 1 when something does."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--directory', type=pathlib.Path, default=cache())
    parser.add_argument('--all', action='store_true')
    args = parser.parse_args(argv)
    found = compare(args.directory, args.all)
    for text in found:
        print(text)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
