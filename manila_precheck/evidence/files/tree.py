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

It is that of this host, or a directory or an archive whose contents are seen
as if its root were ``/``. The files of the site are only accessed through a
:class:`Tree`; files that the operator names on this machine (waivers, a
backup, the facts of a build) are not.

A path always belongs to the tree: ``/etc/manila/manila.conf``, wherever the
tree is on this host, and reports show it like this. A link leads to a place
inside: an absolute one starts at the root of the tree, and ``..`` cannot
leave it.
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

#: How many links a path may follow (as in Linux).
MAX_LINKS = 40

#: How many names of one directory are read.
MAX_NAMES = 50_000

# No system opens a longer path.
_MAX_PATH = 4096

_MAGIC = '*?['


class Status(NamedTuple):
    """The metadata of a file."""

    mode: int
    """The kind and the permissions, as in stat()."""

    size: int

    uid: Optional[int] = None
    """The owner; None where the UIDs are not those of the site."""

    gid: Optional[int] = None


class Tree:
    """A file system; this class is that of this host."""

    #: The operator's name for it; '' for that of this host.
    name = ''

    #: Whether files, processes and packages of this machine are those of the
    #: site.
    is_host = True

    def shown(self, path: str) -> str:
        """Return a path as reports show it."""
        return path

    def expanduser(self, path: str) -> str:
        """Return a path with '~' replaced by the home directory."""
        return os.path.expanduser(path)

    def abspath(self, path: str) -> str:
        """Return an absolute path, with '..' removed textually."""
        return os.path.abspath(path)

    def status(self, path: str, follow: bool = True) -> Status:
        """Return the metadata of a file.

        :param follow: whether to follow a link.
        :raises OSError: when it does not exist.
        """
        info = os.stat(path, follow_symlinks=follow)
        return Status(info.st_mode, info.st_size, info.st_uid, info.st_gid)

    def readlink(self, path: str) -> str:
        """Return the target of a link.

        :raises OSError: when it is not a link.
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
        """Open a file for reading, without blocking.

        :raises OSError: when it cannot be opened.
        :raises SourceUnusable: when it is not a file.
        """
        # Before it is opened, because opening a device may have an effect;
        # and again afterwards, because the file may have been replaced.
        _require_file(path, os.stat(path).st_mode)
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return _opened(path, number)

    # -- methods that use those above ----------------------------------------

    def exists(self, path: str) -> bool:
        """Say whether a path exists; a link's target must exist."""
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
        """Say whether a file missing in a directory is missing at the site.

        A bundle seldom has all files of the machine: a file in a directory
        that it does not have may exist at the site.
        """
        return True

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern, sorted, as glob.glob().

        Names that begin with a dot only match patterns that do, too, and
        '**' is the same as '*'.
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
            # ValueError: the path has a null character.
            return None


#: The file system of this host.
HOST = Tree()


class Bundle(Tree):
    """Files of another machine; a subclass knows where they are.

    A relative path starts at the root, too.
    """

    is_host = False

    #: The bundle that contains it; None when it is a whole one.
    outer: 'Optional[Bundle]' = None

    def __init__(self, name: str) -> None:
        self.name = name

    def expanduser(self, path: str) -> str:
        """Return the path unchanged: a bundle has no home directory."""
        return path

    def abspath(self, path: str) -> str:
        """Return an absolute path, starting at the root."""
        # normpath() keeps two slashes at the beginning.
        return posixpath.normpath(f'/{path}').replace('//', '/')

    def realpath(self, path: str) -> str:
        """Return a path without links; unchanged if its target is missing."""
        try:
            return '/' + '/'.join(self.resolve(path))
        except OSError:
            return self.abspath(path)

    def resolve(self, path: str, follow: bool = True) -> tuple[str, ...]:
        """Return the names that lead to a file, with all links replaced.

        :param follow: whether to follow a link that is the last name.
        :raises OSError: when it does not exist.
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
        """Say whether a file missing in a directory is missing at the site."""
        return self.isdir(folder)

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return the metadata of an entry.

        :param names: names of directories, then of the entry; () is the root.
        :raises OSError: when it does not exist.
        """
        raise NotImplementedError

    def link(self, names: tuple[str, ...]) -> str:
        """Return the target of a link.

        :raises OSError: when it is not a link.
        """
        raise NotImplementedError

    def status(self, path: str, follow: bool = True) -> Status:
        """Return the metadata of a file.

        :raises OSError: when it does not exist.
        """
        return self.entry(self.resolve(path, follow))

    def readlink(self, path: str) -> str:
        """Return the target of a link.

        :raises OSError: when it is not a link.
        """
        return self.link(self.resolve(path, follow=False))


class Directory(Bundle):
    """The contents of a directory, as if it were '/'.

    :param root: the directory.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        #: The directory without links.
        self.root = os.path.realpath(root)

    def _real(self, names: tuple[str, ...]) -> str:
        return os.path.join(self.root, *names)

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return the metadata of an entry."""
        info = os.lstat(self._real(names))
        return Status(info.st_mode, info.st_size, info.st_uid, info.st_gid)

    def link(self, names: tuple[str, ...]) -> str:
        """Return the target of a link."""
        return os.readlink(self._real(names))

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        return super().listdir(self._real(self.resolve(path)))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without blocking."""
        names = self.resolve(path)
        _require_plain(path, self.entry(names).mode)
        # Name by name, because one may have been replaced by a link.
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
    """Return a stream of a descriptor; close it when it is not a file."""
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
    """Refuse everything but files and directories, even the null device."""
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise exceptions.SourceUnusable(f'{path}: not a file')


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _has_magic(pattern: str) -> bool:
    return any(sign in pattern for sign in _MAGIC)


def _unescaped(pattern: str) -> str:
    """Return the path that glob.escape() was called with."""
    for sign in _MAGIC:
        pattern = pattern.replace(f'[{sign}]', sign)
    return pattern


def escape(path: str) -> str:
    """Return a pattern that only matches a path."""
    return globbing.escape(path)


class Below(Bundle):
    """A directory of a bundle, as if it were '/'.

    :param base: the bundle.
    :param path: the directory in the bundle.
    """

    def __init__(self, base: Bundle, path: str) -> None:
        super().__init__(base.name)
        self._base = self.outer = base
        self._top = base.resolve(path)

    def _there(self, path: str) -> str:
        return '/' + '/'.join((*self._top, *self.resolve(path)))

    def entry(self, names: tuple[str, ...]) -> Status:
        """Return the metadata of an entry."""
        return self._base.entry((*self._top, *names))

    def link(self, names: tuple[str, ...]) -> str:
        """Return the target of a link."""
        return self._base.link((*self._top, *names))

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        return self._base.listdir(self._there(path))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading, without blocking."""
        return self._base.open(self._there(path))


class ExtendedBundle(Bundle):
    """A bundle with further files and links, which exist only in memory.

    :param base: the bundle.
    :param files: contents by path. A path that is a file in the bundle may be
        a directory here, with files made from it.
    :param links: targets by path.
    :param partial: directories with only some of the site's files.
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
        """Return the metadata of an entry."""
        if names in self._links:
            return Status(stat.S_IFLNK | 0o777, len(self._links[names]))
        if names in self._files:
            return Status(stat.S_IFREG | 0o600, len(self._files[names]))
        if names in self._folders:
            return Status(stat.S_IFDIR | 0o700, 0)
        return self._base.entry(names)

    def link(self, names: tuple[str, ...]) -> str:
        """Return the target of a link."""
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
        """Open a file for reading, without blocking."""
        names = self.resolve(path)
        if names in self._files:
            return io.BytesIO(self._files[names])
        if names in self._folders:
            raise _error(errno.EISDIR, path)
        return self._base.open(_path(names))

    def has_all_of(self, folder: str) -> bool:
        """Say whether a file missing in a directory is missing at the site."""
        return super().has_all_of(folder) and (
            _names(self.realpath(folder)) not in self._partial
        )


def _names(path: str) -> tuple[str, ...]:
    return tuple(name for name in path.split('/') if name)


def _path(names: Iterable[str]) -> str:
    return '/' + '/'.join(names)
