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

"""Decide where a file of ``--report`` may be written, and write it.

The command runs as root, in directories that other users may be able to write
to. A report is a new file with its own mode that replaces an existing file
atomically: nothing is written through a link, or into an existing file. Only
devices and pipes are written to directly.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import errno
import fnmatch
import glob
import os
import select
import stat
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import path_trust

# The mode of a report before the umask: others can never write to it.
_MODE = 0o644
# The modes of files that may contain secrets, and of their directories.
_PRIVATE = 0o600
_PRIVATE_DIRECTORY = 0o700

# How long to wait for the reader of a pipe.
_READER_SECONDS = 30

#: Identifies a file: its device and inode, or those of its directory with its
#: name. Two paths that lead to the same file have one in common.
Identity = tuple[object, ...]


class InputFiles:
    """The files that no report may replace.

    :param files: their paths; they need not exist.
    :param patterns: paths whose last part has wildcards: a new file with a
        matching name would be read.
    :param below: directories in which nothing may be written.
    """

    def __init__(
        self,
        files: Iterable[str] = (),
        patterns: Iterable[str] = (),
        below: Iterable[str] = (),
    ) -> None:
        real = {os.path.realpath(path): path for path in below}
        # With '/' no report could be written at all.
        self._below = {top: path for top, path in real.items() if top != '/'}
        self._files: dict[Identity, str] = {}
        self._kinds: list[tuple[Identity, str, str]] = []
        self._directories: dict[str, Optional[Identity]] = {}
        for path in sorted(files):
            self._add(path)
        for pattern in sorted(patterns):
            directory, name = os.path.split(pattern)
            for found in glob.glob(directory or '.'):
                inode = self._directory(found)
                if inode is not None:
                    self._kinds.append((inode, name, pattern))
            for path in glob.glob(pattern):
                self._add(path)

    def _add(self, path: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            directory, name = os.path.split(path)
            inode = self._directory(directory or '.')
            if inode is not None:
                self._files.setdefault((*inode, name), path)
            if os.path.islink(path):
                self._add(os.path.realpath(path))
            info = os.stat(path)
            if not stat.S_ISCHR(info.st_mode):
                self._files.setdefault(_inode(info), path)

    def _directory(self, path: str) -> Optional[Identity]:
        if path not in self._directories:
            try:
                self._directories[path] = _inode(os.stat(path))
            except (OSError, ValueError):
                self._directories[path] = None
        return self._directories[path]

    def refusal(self, place: path_trust.PathTarget) -> str:
        """Return why a report may not be written to a place; '' if it may."""
        for identity in identities(place):
            if identity in self._files:
                return (
                    f'it would replace {self._files[identity]}, which is '
                    'read or named in the configuration'
                )
        above = os.path.realpath(os.path.dirname(place.path) or '.')
        for top, path in self._below.items():
            if os.path.commonpath([top, above]) == top:
                return f'it would be written into {path}, which is read'
        directory = _inode(os.fstat(place.directory))
        for identity, name, pattern in self._kinds:
            if identity == directory and fnmatch.fnmatchcase(place.name, name):
                return f'it would be read as one of the files {pattern}'
        return ''


def _inode(info: os.stat_result) -> Identity:
    return (info.st_dev, info.st_ino)


def identities(place: path_trust.PathTarget) -> frozenset[Identity]:
    """Return the identities of a place, which other paths of it share.

    Empty for a character device: several reports may go to the same one.
    """
    entry = place.entry
    if entry is None:
        return frozenset([(*_inode(os.fstat(place.directory)), place.name)])
    if place.descriptor is not None:
        entry = os.fstat(place.descriptor)
    if stat.S_ISCHR(entry.st_mode):
        return frozenset()
    return frozenset(
        [_inode(entry), (*_inode(os.fstat(place.directory)), place.name)]
    )


def examine(path: str, inputs: InputFiles) -> frozenset[Identity]:
    """Make sure that a report can be written to a path, without writing.

    :returns: the identities of the file.
    :raises OutputError: when it cannot, or must not, be written.
    """
    try:
        with path_trust.located(path) as place:
            _require(place, path, inputs)
            return identities(place)
    except FileNotFoundError as exc:
        raise exceptions.OutputError(
            f'there is no directory {exc.filename}'
        ) from exc
    except OSError as exc:
        where = str(exc.filename or '')
        where = f'{where}: ' if where.startswith('/') else ''
        raise exceptions.OutputError(f'{where}{exc.strerror}') from exc
    except ValueError as exc:
        raise exceptions.OutputError(str(exc)) from exc


class _Unfinished:
    """A file that is written, but is not yet moved into place."""

    def __init__(
        self,
        directory: int,
        name: str,
        label: str,
        private: bool = False,
        owner: Optional[tuple[int, int]] = None,
    ) -> None:
        self.mode = _PRIVATE if private else _MODE
        self.owner = owner
        self.directory = directory
        self.temporary = f'.manila-precheck-{os.urandom(8).hex()}'
        self.name = name
        self.label = label
        self.descriptor = -1
        self.named = False

    def write(self, content: bytes) -> None:
        # A file without a name disappears with the process, however that ends.
        try:
            self.descriptor = os.open(
                '.',
                os.O_WRONLY | os.O_TMPFILE,
                self.mode,
                dir_fd=self.directory,
            )
            os.stat(self._link)
        except OSError:
            # Not every file system supports such files, and /proc, which
            # publish() needs, may not be mounted.
            self._close(self.descriptor)
            self.named = True
            self.descriptor = os.open(
                self.temporary,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
                self.mode,
                dir_fd=self.directory,
            )
        if self.owner is not None:
            os.fchown(self.descriptor, *self.owner)
        with open(self.descriptor, 'wb', closefd=False) as stream:
            stream.write(content)
        os.fsync(self.descriptor)

    @property
    def _link(self) -> str:
        return f'/proc/self/fd/{self.descriptor}'

    def publish(self) -> None:
        if not self.named:
            os.link(
                self._link,
                self.temporary,
                dst_dir_fd=self.directory,
                follow_symlinks=True,
            )
            self.named = True
        os.replace(
            self.temporary,
            self.name,
            src_dir_fd=self.directory,
            dst_dir_fd=self.directory,
        )
        there = os.stat(
            self.name, dir_fd=self.directory, follow_symlinks=False
        )
        if not os.path.samestat(there, os.fstat(self.descriptor)):
            raise exceptions.OutputError('another user replaced it')

    def discard(self) -> None:
        if self.named:
            with contextlib.suppress(OSError):
                os.unlink(self.temporary, dir_fd=self.directory)
        self._close(self.descriptor)
        self._close(self.directory)

    @staticmethod
    def _close(descriptor: int) -> None:
        with contextlib.suppress(OSError):
            os.close(descriptor)


#: The files that a signal handler has to remove if it ends the process.
_unfinished: list[_Unfinished] = []


def discard_unfinished() -> None:
    """Remove the temporary files that were not moved into place."""
    while _unfinished:
        _unfinished.pop().discard()


def make_directories(path: str) -> None:
    """Create the missing directories of a file, accessible only to the user.

    :raises OSError: when one cannot be created.
    """
    missing = []
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for one in reversed(missing):
        os.mkdir(one, _PRIVATE_DIRECTORY)


def stage(
    path: str,
    content: bytes,
    label: str,
    private: bool = False,
    owner: Optional[tuple[int, int]] = None,
) -> None:
    """Write a temporary file, for :func:`publish` to move it into place.

    Devices and pipes are written to directly.

    :param label: the name that :func:`publish` yields for an error.
    :param private: True if only its owner may read it.
    :param owner: the ids of its user and group.
    :raises OutputError: when it must not be written.
    :raises OSError: when it cannot be written.
    """
    with path_trust.located(path) as place:
        _require(place, path, InputFiles())
        entry = place.entry
        if entry is not None and not stat.S_ISREG(entry.st_mode):
            _pour(place, content)
            return
        one = _Unfinished(
            os.dup(place.directory), place.name, label, private, owner
        )
    _unfinished.append(one)
    try:
        one.write(content)
    except OSError:
        _unfinished.remove(one)
        one.discard()
        raise


def publish() -> Iterator[tuple[str, str]]:
    """Move the files into place; yield (label, error) for each failure."""
    for one in tuple(_unfinished):
        try:
            one.publish()
        except exceptions.OutputError as exc:
            yield one.label, str(exc)
        except OSError as exc:
            yield one.label, exc.strerror or str(exc)
    # Files that are in place have no temporary name any more.
    discard_unfinished()


def _require(
    place: path_trust.PathTarget, path: str, inputs: InputFiles
) -> None:
    reason = (
        _of_others(place)
        or _of_processes(place)
        or _of_kind(place, path)
        or _of_streams(place)
        or inputs.refusal(place)
        or _of_access(place)
    )
    if reason:
        raise exceptions.OutputError(reason)


def _of_others(place: path_trust.PathTarget) -> str:
    """Return why the path is not used because of other users, or ''."""
    for step in place.steps:
        entry = step.entry
        if entry is None or not step.shared:
            continue
        what, known = 'file', path_trust.owned(entry)
        if stat.S_ISDIR(entry.st_mode):
            # A directory of the owner of its parent is accepted, such as one
            # in the home directory of another user.
            what = 'directory'
            known |= entry.st_uid == step.directory.st_uid
        elif stat.S_ISLNK(entry.st_mode):
            # The owner of a link is known to have put it there only if the
            # directory is sticky.
            what = 'symbolic link'
            known &= bool(step.directory.st_mode & stat.S_ISVTX)
        if not known:
            return (
                f'{step.path} is a {what} of user {entry.st_uid} in a '
                'directory that other users may write to'
            )
    return ''


def _of_processes(place: path_trust.PathTarget) -> str:
    """Return why a path through /proc is not used, or ''.

    Links in /proc lead to the running program (/proc/self/exe) and into other
    roots, and files in /proc are settings of the kernel.
    """
    if place.descriptor is None and os.path.ismount('/proc'):
        device = os.stat('/proc').st_dev
        for step in place.steps:
            if step.directory.st_dev == device:
                return f'{step.path} is in /proc'
    return ''


def _of_kind(place: path_trust.PathTarget, path: str) -> str:
    entry = place.entry
    if place.descriptor is not None:
        if stat.S_ISREG(os.fstat(place.descriptor).st_mode):
            return f'it is file descriptor {place.descriptor}, not a name'
    elif path.endswith('/') or (entry and stat.S_ISDIR(entry.st_mode)):
        return 'it is a directory'
    elif entry and stat.S_ISBLK(entry.st_mode):
        return 'it is a block device'
    elif entry and stat.S_ISSOCK(entry.st_mode):
        return 'it is a socket'
    elif entry and stat.S_ISREG(entry.st_mode) and _is_mounted(place):
        return 'it is a mount point, which no new file can replace'
    return ''


def _is_mounted(place: path_trust.PathTarget) -> bool:
    """Say whether the file is a mount point, as in a container."""
    found = os.open(
        place.name, os.O_PATH | os.O_NOFOLLOW, dir_fd=place.directory
    )
    try:
        return _mount(found) != _mount(place.directory)
    finally:
        os.close(found)


def _mount(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        with open(f'/proc/self/fdinfo/{descriptor}', encoding='ascii') as info:
            for line in info:
                if line.startswith('mnt_id:'):
                    return line
    return ''


# The streams that the shell opened for the command; those of the child process
# are others.
_streams: dict[str, tuple[int, os.stat_result]] = {}


def note_streams() -> None:
    """Note the files of standard output and standard error."""
    for number, name in ((1, 'standard output'), (2, 'standard error')):
        with contextlib.suppress(OSError):
            _streams[name] = (number, os.fstat(number))


def _of_streams(place: path_trust.PathTarget) -> str:
    """Return why the file of a standard stream is not used, or ''."""
    for name, (number, stream) in _streams.items():
        if place.descriptor == number or _inode(stream) in identities(place):
            return f'{name} goes there'
    return ''


def _of_access(place: path_trust.PathTarget) -> str:
    directory = os.path.dirname(place.path) or '/'
    if place.descriptor is not None:
        return ''
    entry = place.entry
    if entry is None or stat.S_ISREG(entry.st_mode):
        name, mode = '.', os.W_OK | os.X_OK
        reason = f'no file can be created in {directory}'
    else:
        name, mode = place.name, os.W_OK
        reason = 'it is not writable'
    allowed = os.access(name, mode, dir_fd=place.directory, effective_ids=True)
    return '' if allowed else reason


def _pour(place: path_trust.PathTarget, content: bytes) -> None:
    """Write to a device or a pipe, with a time limit for its reader."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    if place.descriptor is None:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(place.name, flags, dir_fd=place.directory)
    except OSError as exc:
        if exc.errno == errno.ENXIO:
            raise exceptions.OutputError('no process reads it') from exc
        raise
    with contextlib.closing(os.fdopen(descriptor, 'wb', buffering=0)):
        if place.descriptor is None and (
            place.entry is None
            or not os.path.samestat(os.fstat(descriptor), place.entry)
        ):
            raise exceptions.OutputError('another file replaced it')
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        rest = memoryview(content)
        while rest:
            if not ready.poll(_READER_SECONDS * 1000):
                raise exceptions.OutputError(
                    f'nothing is read from it for {_READER_SECONDS} seconds'
                )
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(descriptor, rest) :]
