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

"""Who may change a file, apart from root and the user of this process.

A path is walked from the root, one name at a time, each relative to the open
directory before it. So the file that is tested is the file that is used, even
if somebody exchanges a link meanwhile.
"""

from collections.abc import Collection
from collections.abc import Iterator
import contextlib
import errno
import os
import stat
from typing import NamedTuple
from typing import Optional

# The same limit as in Linux (path_resolution(7)).
_MOST_LINKS = 40

_ACL = 'system.posix_acl_access'


class PathStep(NamedTuple):
    """One name of a path, and the directory that contains it."""

    path: str
    """The path up to and including the name."""

    directory: os.stat_result

    entry: Optional[os.stat_result]
    """The status of the entry, not following a link; None: it is missing."""

    @property
    def shared(self) -> bool:
        """Say whether others may replace the entry."""
        return others_may_write(
            self.directory, os.path.dirname(self.path) or '/'
        )


class PathTarget(NamedTuple):
    """The place to which a path leads."""

    directory: int
    """A descriptor of the directory, valid while :func:`located` is open."""

    name: str
    """The last name, which is not a link; '' for the directory itself."""

    path: str
    """The path without links."""

    steps: tuple[PathStep, ...]
    """Every name that was looked up, including those in links."""

    descriptor: Optional[int] = None
    """The descriptor of this process that the path names (/dev/fd/3)."""

    @property
    def entry(self) -> Optional[os.stat_result]:
        """The status of the entry; None: it is missing."""
        if not self.name:
            return os.fstat(self.directory)
        return self.steps[-1].entry


def owned(info: os.stat_result, trusted: Collection[int] = ()) -> bool:
    """Say whether root or the user of this process owns a file.

    :param trusted: further accounts that may own it.
    """
    return info.st_uid in (0, os.geteuid(), *trusted)


def others_may_write(
    info: os.stat_result, path: str, trusted: Collection[int] = ()
) -> bool:
    """Say whether other users than root and ours may write to a file.

    The group of an ordinary user counts as that user's own.

    :param path: its path, to read its access control list.
    :param trusted: further accounts that may write.
    """
    if not owned(info, trusted) or info.st_mode & stat.S_IWOTH:
        return True
    if not info.st_mode & stat.S_IWGRP:
        return False
    groups = {0, os.getegid()} if os.geteuid() else {0}
    if info.st_gid not in groups:
        return True
    # With an ACL the bits of the group are the mask of all its entries.
    with contextlib.suppress(OSError):
        return _ACL in os.listxattr(path)
    return False


@contextlib.contextmanager
def located(path: str) -> Iterator[PathTarget]:
    """Find the place to which a path leads, following links.

    :param path: relative to the working directory, or absolute. Its last
        name need not exist.
    :raises OSError: when a directory does not exist, or cannot be searched.
    """
    rest = _names(os.path.join(os.getcwd(), path))
    steps: list[PathStep] = []
    links = 0
    with contextlib.ExitStack() as opened:

        def entered(name: str, directory: Optional[int] = None) -> int:
            # O_PATH: no device is opened, no pipe is waited for.
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
            opened.callback(os.close, found)
            return found

        here, where, last = entered('/'), '/', ''
        descriptor = None
        while rest and descriptor is None:
            name = rest.pop()
            if name == '..':
                here, where, last = (
                    entered(name, here),
                    os.path.dirname(where),
                    '',
                )
                continue
            directory, full, last = os.fstat(here), _join(where, name), name
            try:
                found = entered(name, here)
            except FileNotFoundError:
                if rest:
                    raise _error(errno.ENOENT, full) from None
                steps.append(PathStep(full, directory, None))
                break
            entry = os.fstat(found)
            steps.append(PathStep(full, directory, entry))
            if stat.S_ISLNK(entry.st_mode):
                if _is_own_descriptor(directory, name):
                    descriptor = int(name)
                    continue
                links += 1
                if links > _MOST_LINKS:
                    raise _error(errno.ELOOP, full)
                target, last = os.readlink('', dir_fd=found), ''
                if target.startswith('/'):
                    here, where = entered('/'), '/'
                rest += _names(target)
            elif stat.S_ISDIR(entry.st_mode) and rest:
                here, where = found, full
            elif rest:
                raise _error(errno.ENOTDIR, full)
        yield PathTarget(
            here, last, _join(where, last), tuple(steps), descriptor
        )


def _names(path: str) -> list[str]:
    """Return the names of a path, the first one last."""
    return [name for name in path.split('/')[::-1] if name not in ('', '.')]


def _join(directory: str, name: str) -> str:
    return os.path.join(directory, name) if name else directory


def _error(number: int, path: str) -> OSError:
    # Python chooses the subclass by the number.
    return OSError(number, os.strerror(number), path)


def _is_own_descriptor(directory: os.stat_result, name: str) -> bool:
    try:
        return name.isdigit() and os.path.samestat(
            directory, os.stat('/proc/self/fd')
        )
    except OSError:
        return False


def weakness(path: str, trusted: Collection[int] = ()) -> Optional[str]:
    """Return why others may change a file; None: they may not.

    :param path: a file or a directory.
    :param trusted: further accounts that may, by UID.
    :returns: 'every user may write to /srv/x'; None also for a path that does
        not exist.
    """
    try:
        with located(path) as place:
            for step in place.steps:
                if step.entry is None:
                    return None
                directory = os.path.dirname(step.path) or '/'
                is_protected = step.directory.st_mode & stat.S_ISVTX and owned(
                    step.entry, trusted
                )
                if not is_protected and others_may_write(
                    step.directory, directory, trusted
                ):
                    return _said(directory, step.directory, trusted)
            entry = place.entry
            if entry is not None and others_may_write(
                entry, place.path, trusted
            ):
                return _said(place.path, entry, trusted)
    except OSError:
        # The code that opens the file reports the error.
        return None
    return None


def _said(path: str, info: os.stat_result, trusted: Collection[int]) -> str:
    if not owned(info, trusted):
        return f'{path} belongs to user {info.st_uid}'
    if info.st_mode & stat.S_IWOTH:
        return f'every user may write to {path}'
    return f'group {info.st_gid} may write to {path}'
