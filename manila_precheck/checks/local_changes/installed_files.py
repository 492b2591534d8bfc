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

"""The files of the installed manila, compared with what was installed.

The original contents are known from the package manager of the distribution,
which verifies its own packages, or from the RECORD of the wheel, which has a
hash of each file (PEP 376, PEP 427). Byte code is ignored, and so are files
that another package of the distribution owns.
"""

import base64
import binascii
from collections.abc import Iterable
from collections.abc import Iterator
import csv
import enum
import importlib.machinery
import importlib.metadata
import os
import re
import stat
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.host import programs

_PACKAGE = 'manila'
_BYTE_CODE = ('.pyc', '.pyo')

# The package of manila 23 has 1,200 files.
_MOST_FILES = 100_000
_CHUNK_BYTES = 1 << 20
_SECONDS = 60.0
# This many paths fit on a command line with room to spare.
_PATHS_AT_ONCE = 500

# A line of both dpkg --verify and rpm -V (dpkg-query(1), rpm(8)): nine flags,
# with '5' for changed contents; the kind of the file, 'c' for a configuration
# file; its path, followed by the reason if it cannot be read.
_VERIFIED = re.compile(r'(.{8,9}?) +(?:[a-z] )? *(/.*?)(?: \([^)]*\))?')


class FileChange(enum.Enum):
    """How a file differs from the installed one."""

    CHANGED = 'changed'
    ADDED = 'added'
    MISSING = 'missing'


class Installed(NamedTuple):
    """The installed package and its local changes."""

    path: str
    """Its directory: '/usr/lib/python3/dist-packages/manila'."""

    manager: str
    """The package manager: 'dpkg', 'rpm', or 'pip' for a wheel's RECORD."""

    package: str
    """Its name in the package manager: 'python3-manila'."""

    files: int
    """How many of its files were compared."""

    changes: tuple[tuple[str, FileChange], ...]
    """Sorted by path: ('manila/share/api.py', FileChange.CHANGED)."""


class _Listing(NamedTuple):
    """The files of a package by its manager; paths are absolute."""

    manager: str
    package: str
    files: frozenset[str]
    changed: frozenset[str]
    missing: frozenset[str]


def look() -> Installed:
    """Return the manila of this environment, and what was changed in it.

    :raises SourceNotApplicable: when there is metadata, but no package.
    :raises SourceUnusable: when the original contents of the files are not
        known, or when the files cannot be read.
    """
    distribution = next(
        iter(importlib.metadata.distributions(name=_PACKAGE)), None
    )
    path = _directory(distribution)
    listing = _of_dpkg(path) or _of_rpm(path) or _of_record(distribution, path)
    if listing is None:
        raise exceptions.SourceUnusable(
            f'the original contents of the files of {path} are not known: no '
            'package of dpkg or rpm owns them, and their metadata has no '
            'RECORD'
        )
    there = frozenset(_walk(path))
    strange = there - listing.files
    if listing.manager != 'pip':
        strange -= _owned(listing.manager, strange)
    root = os.path.dirname(path)
    changes = [
        (os.path.relpath(file, root), change)
        for change, files in (
            (FileChange.CHANGED, listing.changed),
            (FileChange.MISSING, listing.missing),
            (FileChange.ADDED, strange),
        )
        for file in files
    ]
    return Installed(
        path,
        listing.manager,
        listing.package,
        len(listing.files),
        tuple(sorted(changes, key=lambda change: change[0])),
    )


def _directory(distribution: Optional[importlib.metadata.Distribution]) -> str:
    """Return the real path of the directory of the package."""
    spec = importlib.machinery.PathFinder.find_spec(_PACKAGE)
    beside = ''
    if distribution is not None:
        beside = os.path.realpath(str(distribution.locate_file(_PACKAGE)))
    if os.path.isdir(beside):
        return beside
    if spec is None or not spec.origin:
        raise exceptions.SourceNotApplicable(
            'this environment has metadata of manila and no package'
        )
    return os.path.dirname(os.path.realpath(spec.origin))


def _walk(path: str) -> Iterator[str]:
    """Yield the files below a directory, byte code left out.

    A symbolic link to a directory counts as a file.
    """
    count = 0

    def refused(exc: OSError) -> None:
        raise exceptions.SourceUnusable(
            f'{exc.filename} cannot be read: {exc.strerror}'
        ) from exc

    for folder, folders, files in os.walk(path, onerror=refused):
        links = [
            name
            for name in folders
            if os.path.islink(os.path.join(folder, name))
        ]
        folders[:] = [name for name in folders if name != '__pycache__']
        for name in (*files, *links):
            count += 1
            if count > _MOST_FILES:
                raise exceptions.SourceUnusable(
                    f'{path} has more than {_MOST_FILES} files'
                )
            if not name.endswith(_BYTE_CODE):
                yield os.path.join(folder, name)


# --- a wheel


def _of_record(
    distribution: Optional[importlib.metadata.Distribution], path: str
) -> Optional[_Listing]:
    """Compare the files with RECORD; None if it does not list them."""
    text = distribution.read_text('RECORD') if distribution else None
    if not text or distribution is None:
        return None
    site = os.path.realpath(str(distribution.locate_file('')))
    files, changed, missing = set(), set(), set()
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error as exc:
        raise exceptions.SourceUnusable(
            f'the RECORD of manila in {site} cannot be read: {exc}'
        ) from exc
    for row in rows:
        file = os.path.normpath(os.path.join(site, row[0] if row else ''))
        if not file.startswith(path + os.sep) or file.endswith(_BYTE_CODE):
            continue
        files.add(file)
        name, expected = (*row[1:3], '', '')[:2]
        found = _is_as_recorded(file, name, expected)
        if found is None:
            missing.add(file)
        elif not found:
            changed.add(file)
    if not files:
        return None
    return _Listing(
        'pip',
        _PACKAGE,
        frozenset(files),
        frozenset(changed),
        frozenset(missing),
    )


def _is_as_recorded(file: str, hashed: str, size: str) -> Optional[bool]:
    """Compare a file with a row of RECORD; None if it does not exist.

    :param hashed: 'sha256=' and the hash in base64 without padding.
    :param size: in bytes; '' if RECORD does not have it.
    """
    # hashlib is imported late because it loads OpenSSL, as in text_file.
    import hashlib

    name, _, text = hashed.partition('=')
    try:
        expected = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
        digest = hashlib.new(name) if name else None
    except (ValueError, binascii.Error) as exc:
        raise exceptions.SourceUnusable(
            f'the RECORD of manila has no known hash of {file}: '
            f'{hashed[:80]!r}'
        ) from exc
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{file} cannot be read: {exc.strerror}'
        ) from exc
    with open(descriptor, 'rb') as stream:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return False
        if digest is None:
            return True
        if size and str(info.st_size) != size:
            return False
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest() == expected


# --- a package of the distribution


def _of_dpkg(path: str) -> Optional[_Listing]:
    owner = _run('dpkg-query', '--search', _initial(path), nothing=1)
    # 'python3-manila: /usr/lib/python3/dist-packages/manila/__init__.py'
    name = owner.partition(':')[0]
    if not name:
        return None
    return _verified(
        path,
        'dpkg',
        name,
        _run('dpkg-query', '--listfiles', name),
        _run('dpkg', '--verify', name),
    )


def _of_rpm(path: str) -> Optional[_Listing]:
    name = _run('rpm', '-qf', '--qf', r'%{NAME}\n', _initial(path))
    # If no package owns the file, rpm prints a sentence and fails.
    name = name.strip()
    if not name or ' ' in name:
        return None
    return _verified(
        path,
        'rpm',
        name,
        _run('rpm', '-ql', name),
        _run('rpm', '-V', '--nodeps', '--noscripts', name),
    )


def _initial(path: str) -> str:
    return os.path.join(path, '__init__.py')


def _verified(
    path: str, manager: str, name: str, listed: str, verified: str
) -> _Listing:
    """Return the listing that a manager prints about a package."""
    inside = path + os.sep
    files = {
        file
        for file in listed.splitlines()
        if file.startswith(inside)
        and not file.endswith(_BYTE_CODE)
        and not (os.path.isdir(file) and not os.path.islink(file))
    }
    changed, missing = set(), set()
    for line in verified.splitlines():
        match = _VERIFIED.fullmatch(line)
        if match is None or match[2] not in files:
            continue
        if match[1].startswith('missing'):
            missing.add(match[2])
        # Contents, size or the target of a link; not mode or time.
        elif set(match[1]) & set('5SL'):
            changed.add(match[2])
    return _Listing(
        manager,
        name,
        frozenset(files),
        frozenset(changed),
        frozenset(missing),
    )


def _owned(manager: str, files: Iterable[str]) -> set[str]:
    """Return the files that any package of a manager owns."""
    ordered = sorted(files)
    found: set[str] = set()
    for start in range(0, len(ordered), _PATHS_AT_ONCE):
        some = ordered[start : start + _PATHS_AT_ONCE]
        if manager == 'dpkg':
            lines = _run(
                'dpkg-query', '--search', *some, nothing=1
            ).splitlines()
            found.update(line.partition(': ')[2] for line in lines)
        else:
            # rpm prints one line for each file, in the same order.
            words = ('rpm', '-qf', '--qf', r'owned\n')
            lines = _run(*words, *some).splitlines()
            found.update(f for f, line in zip(some, lines) if line == 'owned')
    return found


def _run(name: str, *words: str, nothing: int = 0) -> str:
    """Return what a program prints; '' if this machine lacks it.

    :param nothing: the exit code that the program has if it finds nothing.
    :raises SourceUnusable: when the program fails and prints nothing.
    """
    path = programs.find(name)
    if path is None:
        return ''
    done = programs.run([path, *words], _SECONDS, name=name)
    if done.code not in (0, nothing) and not done.stdout:
        reason = ' '.join(done.stderr.split())
        raise exceptions.SourceUnusable(
            f'{name} ended with {done.code}: {reason[:200]}'
        )
    return done.stdout
