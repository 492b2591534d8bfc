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

"""The file system that holds the files of the site.

That of this host, or what lies below a directory, or in an archive, as if it
were ``/``. Whatever belongs to the site is looked at through a :class:`Tree`;
what the operator names on this machine (waivers, a backup, the facts of a
build) is not.

A path is always one of the tree: ``/etc/manila/manila.conf``, wherever the
tree lies, and that is how a report calls it. A link leads where it leads
inside: an absolute one starts at the root of the tree, and ``..`` ends there.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import errno
import fnmatch
import glob as globbing
import io
import os
import posixpath
import stat
from typing import IO
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions

#: Through how many links a path may lead (as in Linux).
MAX_LINKS = 40

#: How many names of one directory are looked at.
MAX_NAMES = 50_000

# Of what a path consists that no system opens.
_MAX_PATH = 4096

_MAGIC = '*?['


class Status(NamedTuple):
    """What is known of a file beside what it holds."""

    mode: int
    """Kind and permissions, as of stat()."""

    size: int

    uid: Optional[int] = None
    """Who owns it; None where that says nothing of the site."""

    gid: Optional[int] = None

    modified: Optional[float] = None
    """In seconds; None when it is not known."""


class Tree:
    """A file system; this class is the one of this host."""

    #: What the operator calls it; '' for that of this host.
    name = ''

    #: The files, the processes and the packages of this machine are those of
    #: the site.
    is_host = True

    def shown(self, path: str) -> str:
        """Return what a report calls a path."""
        return path

    def expanduser(self, path: str) -> str:
        """Return a path with the home directory in the place of '~'."""
        return os.path.expanduser(path)

    def abspath(self, path: str) -> str:
        """Return a path that starts at the root, '..' resolved by name."""
        return os.path.abspath(path)

    def status(self, path: str, follow: bool = True) -> Status:
        """Return what is known of a file.

        :param follow: of where a link leads.
        :raises OSError: when there is none.
        """
        info = os.stat(path, follow_symlinks=follow)
        return Status(
            info.st_mode, info.st_size, info.st_uid, info.st_gid, info.st_mtime
        )

    def readlink(self, path: str) -> str:
        """Return what a link says.

        :raises OSError: when it is none.
        """
        return os.readlink(path)

    def realpath(self, path: str) -> str:
        """Return a path without links; unchanged if its target is missing."""
        return os.path.realpath(path)

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted.

        :raises OSError: when it cannot be read, or has too many.
        """
        names = []
        with os.scandir(path) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > MAX_NAMES:
                    raise _error(errno.EFBIG, path)
        return sorted(names)

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without waiting for anything.

        :raises OSError: when it cannot be opened.
        :raises SourceUnusable: when it is no file.
        """
        # A device may act when it is opened, so this comes first; and what
        # stands there may be another when it is.
        _require_file(path, os.stat(path).st_mode)
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return _opened(path, number)

    # -- what follows from these ---------------------------------------------

    def exists(self, path: str) -> bool:
        """Say whether there is something, where a link leads."""
        return self._mode(path) is not None

    def lexists(self, path: str) -> bool:
        """Say whether the path exists, if only as a dangling link."""
        return self._mode(path, follow=False) is not None

    def isfile(self, path: str) -> bool:
        """Say whether a path leads to a file."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISREG(mode)

    def isdir(self, path: str) -> bool:
        """Say whether a path leads to a directory."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISDIR(mode)

    def islink(self, path: str) -> bool:
        """Say whether a path is a link itself."""
        mode = self._mode(path, follow=False)
        return mode is not None and stat.S_ISLNK(mode)

    def has_all_of(self, folder: str) -> bool:
        """Say whether what is not in a directory is not at the site.

        A bundle seldom holds all that the machine has: what is missing in a
        directory that it does not hold may be there.
        """
        return True

    def glob(self, pattern: str) -> list[str]:
        """Return the paths of a pattern, sorted, as of glob.glob().

        A name that begins with a dot is found by its own name only, and
        '**' is '*'.
        """
        return sorted(dict.fromkeys(self._glob(pattern)))

    def _glob(self, pattern: str) -> Iterator[str]:
        folder, name = posixpath.split(pattern)
        if not _has_magic(pattern):
            if self.lexists(pattern):
                yield pattern
            return
        folders: Iterable[str] = [folder]
        if folder != pattern and _has_magic(folder):
            folders = self._glob(folder)
        for one in folders:
            if not _has_magic(name):
                path = posixpath.join(one, _unescaped(name))
                if self.lexists(path) if name else self.isdir(one):
                    yield path
                continue
            try:
                names = self.listdir(_unescaped(one) or '.')
            except OSError:
                continue
            for found in fnmatch.filter(names, name):
                if name.startswith('.') or not found.startswith('.'):
                    yield posixpath.join(_unescaped(one), found)

    def _mode(self, path: str, follow: bool = True) -> Optional[int]:
        try:
            return self.status(path, follow).mode
        except (OSError, ValueError):
            # ValueError: there is a null character in it.
            return None


#: The file system of this host.
HOST = Tree()


class Bundle(Tree):
    """Files of another machine; whoever derives from it knows their names.

    A path without a slash in front is one below the root, too.
    """

    is_host = False

    #: The bundle of which it is a part; None of a whole one.
    outer: 'Optional[Bundle]' = None

    def __init__(self, name: str) -> None:
        self.name = name

    def expanduser(self, path: str) -> str:
        """Return the path as it is: nobody's home directory is here."""
        return path

    def abspath(self, path: str) -> str:
        """Return the path below the root."""
        # Two slashes in front would stay.
        return posixpath.normpath(f'/{path}').replace('//', '/')

    def realpath(self, path: str) -> str:
        """Return a path without links; unchanged if its target is missing."""
        try:
            return '/' + '/'.join(self.resolve(path))
        except OSError:
            return self.abspath(path)

    def resolve(self, path: str, follow: bool = True) -> tuple[str, ...]:
        """Return the names that lead to a file, none of which is a link.

        :param follow: where the last one is a link, too.
        :raises OSError: when there is nothing.
        """
        if '\0' in path:
            raise _error(errno.EINVAL, path)
        found: list[str] = []
        left = [name for name in path.split('/') if name][::-1]
        links = 0
        while left:
            name = left.pop()
            if name == '.':
                continue
            if name == '..':
                del found[-1:]
                continue
            here = (*found, name)
            if sum(map(len, here)) > _MAX_PATH:
                raise _error(errno.ENAMETOOLONG, path)
            mode = self.entry(here).mode
            if stat.S_ISLNK(mode) and (left or follow):
                links += 1
                if links > MAX_LINKS:
                    raise _error(errno.ELOOP, path)
                target = self.link(here)
                if target.startswith('/'):
                    found.clear()
                left.extend([one for one in target.split('/') if one][::-1])
                continue
            if left and not stat.S_ISDIR(mode):
                raise _error(errno.ENOTDIR, path)
            found.append(name)
        return tuple(found)

    def has_all_of(self, folder: str) -> bool:
        """Say whether what is not in a directory is not at the site."""
        return self.isdir(folder)

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return what is known of what these names lead to.

        :param names: of directories, then of anything; () is the root.
        :raises OSError: when there is nothing.
        """
        raise NotImplementedError

    def link(self, names: tuple[str, ...]) -> str:
        """Return what a link says.

        :raises OSError: when it is none.
        """
        raise NotImplementedError

    def status(self, path: str, follow: bool = True) -> Status:
        """Return what is known of a file.

        :raises OSError: when there is none.
        """
        return self.entry(self.resolve(path, follow))

    def readlink(self, path: str) -> str:
        """Return what a link says.

        :raises OSError: when it is none.
        """
        return self.link(self.resolve(path, follow=False))


class Directory(Bundle):
    """What lies below a directory, as if that were '/'.

    :param root: the directory.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        #: The directory itself, wherever a link to it leads.
        self.root = os.path.realpath(root)

    def _real(self, names: tuple[str, ...]) -> str:
        return os.path.join(self.root, *names)

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return what is known of what these names lead to."""
        info = os.lstat(self._real(names))
        return Status(
            info.st_mode,
            info.st_size,
            info.st_uid,
            info.st_gid,
            info.st_mtime,
        )

    def link(self, names: tuple[str, ...]) -> str:
        """Return what a link says."""
        return os.readlink(self._real(names))

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        return super().listdir(self._real(self.resolve(path)))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without waiting for anything."""
        names = self.resolve(path)
        _require_plain(path, self.entry(names).mode)
        # Step by step, since a name may have become a link.
        number = os.open(
            self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        )
        for place, name in enumerate(names, 1):
            flags = os.O_DIRECTORY if place < len(names) else os.O_NONBLOCK
            try:
                below = os.open(
                    name,
                    os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags,
                    dir_fd=number,
                )
            finally:
                os.close(number)
            number = below
        return _opened(path, number)


def _opened(path: str, number: int) -> IO[bytes]:
    """Return the stream of a descriptor, which is closed when it is none."""
    try:
        mode = os.fstat(number).st_mode
        _require_file(path, mode)
        if stat.S_ISDIR(mode):
            raise _error(errno.EISDIR, path)
        return open(number, 'rb')
    except (OSError, exceptions.SourceUnusable):
        os.close(number)
        raise


def _require_file(path: str, mode: int) -> None:
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise exceptions.SourceUnusable(f'{path}: a pipe, not a file')
    if stat.S_ISCHR(mode) and path != os.devnull:
        raise exceptions.SourceUnusable(f'{path}: a device, not a file')


def _require_plain(path: str, mode: int) -> None:
    """Refuse what is no file in a bundle, the empty device included."""
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise exceptions.SourceUnusable(f'{path}: not a file')


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _has_magic(pattern: str) -> bool:
    return any(sign in pattern for sign in _MAGIC)


def _unescaped(pattern: str) -> str:
    """Return what glob.escape() was given."""
    for sign in _MAGIC:
        pattern = pattern.replace(f'[{sign}]', sign)
    return pattern


def escape(path: str) -> str:
    """Return the pattern that finds a path alone."""
    return globbing.escape(path)


class Below(Bundle):
    """What lies in a directory of a bundle, as if that were '/'.

    :param base: the bundle.
    :param path: the directory, as the bundle has it.
    """

    def __init__(self, base: Bundle, path: str) -> None:
        super().__init__(base.name)
        self._base = self.outer = base
        self._top = base.resolve(path)

    def _there(self, path: str) -> str:
        return '/' + '/'.join((*self._top, *self.resolve(path)))

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return what is known of what these names lead to."""
        return self._base.entry((*self._top, *names))

    def link(self, names: tuple[str, ...]) -> str:
        """Return what a link says."""
        return self._base.link((*self._top, *names))

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        return self._base.listdir(self._there(path))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without waiting for anything."""
        return self._base.open(self._there(path))


class ExtendedBundle(Bundle):
    """A bundle with further files and links in it, which no disk has.

    :param base: the bundle.
    :param files: path to content. What the bundle has as a file may be a
        directory here: that of what the file holds.
    :param links: path to where it leads.
    :param partial: directories that hold a part of what the site has there.
    """

    def __init__(
        self,
        base: Bundle,
        files: Mapping[str, bytes],
        links: Mapping[str, str],
        partial: Iterable[str] = (),
    ) -> None:
        super().__init__(base.name)
        self._base = self.outer = base
        self._files = {_names(path): data for path, data in files.items()}
        self._links = {_names(path): to for path, to in links.items()}
        self._folders: dict[tuple[str, ...], set[str]] = {(): set()}
        for names in (*self._files, *self._links):
            for place, name in enumerate(names):
                self._folders.setdefault(names[:place], set()).add(name)
        self._partial = {_names(path) for path in partial}

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return what is known of what these names lead to."""
        if names in self._links:
            return Status(stat.S_IFLNK | 0o777, len(self._links[names]))
        if names in self._files:
            return Status(stat.S_IFREG | 0o600, len(self._files[names]))
        if names in self._folders:
            return Status(stat.S_IFDIR | 0o700, 0)
        return self._base.entry(names)

    def link(self, names: tuple[str, ...]) -> str:
        """Return what a link says."""
        if names in self._links:
            return self._links[names]
        return self._base.link(names)

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        names = self.resolve(path)
        found = self._folders.get(names)
        if found is None:
            return self._base.listdir(_path(names))
        try:
            more = self._base.listdir(_path(names))
        except OSError:
            more = []
        return sorted({*found, *more})

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without waiting for anything."""
        names = self.resolve(path)
        if names in self._files:
            return io.BytesIO(self._files[names])
        if names in self._folders:
            raise _error(errno.EISDIR, path)
        return self._base.open(_path(names))

    def has_all_of(self, folder: str) -> bool:
        """Say whether what is not in a directory is not at the site."""
        return super().has_all_of(folder) and (
            _names(self.realpath(folder)) not in self._partial
        )


def _names(path: str) -> tuple[str, ...]:
    return tuple(name for name in path.split('/') if name)


def _path(names: Iterable[str]) -> str:
    return '/' + '/'.join(names)
