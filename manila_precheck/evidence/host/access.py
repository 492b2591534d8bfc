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
"""What an account may do with a path of this host, by file permissions."""

import enum
import os
import pwd
import stat
from typing import NamedTuple
from typing import Optional


class Want(enum.IntEnum):
    """A kind of access to a path; the value is its permission bit."""

    READ = 4
    WRITE = 2
    ENTER = 1


class Account(NamedTuple):
    """An account that runs a service."""

    uid: int
    gids: frozenset[int]
    name: str


class Obstacle(NamedTuple):
    """What prevents the access of an account to a path."""

    path: str
    """The path itself, or the first directory above it that is the reason."""

    missing: bool = False
    """It does not exist."""

    kind: str = ''
    """What it is, if it is of the wrong kind: 'a directory'."""

    unseen: bool = False
    """This run may not see it, so the access is not known."""


def account(uid: int) -> Account:
    """Return an account with its groups."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, frozenset(), f'UID {uid}')
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(uid, frozenset(groups), entry.pw_name)


def named(name: str) -> Optional[Account]:
    """Return the account of a name; None when there is none."""
    try:
        return account(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return None


def obstacle(
    who: Account, path: str, *wants: Want, directory: bool = False
) -> Optional[Obstacle]:
    """Return what prevents the access to a path; None: nothing does.

    :param path: an absolute path; links are followed.
    :param directory: whether it must be a directory; else it must not.
    """
    real = os.path.realpath(path)
    parts = [part for part in real.split('/') if part]
    above = '/'
    for part in parts:
        found = _of_one(who, above, (Want.ENTER,))
        if found is not None:
            return found
        above = os.path.join(above, part)
    found = _of_one(who, above, wants)
    if found is not None:
        return found
    if directory != os.path.isdir(above):
        is_one = 'a directory' if not directory else 'not a directory'
        return Obstacle(above, kind=is_one)
    return None


def _of_one(
    who: Account, path: str, wants: tuple[Want, ...]
) -> Optional[Obstacle]:
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Obstacle(path, missing=True)
    except OSError:
        return Obstacle(path, unseen=True)
    for want in wants:
        if not _may(who, info, want) and not _has_list(path):
            return Obstacle(path)
    return None


def _may(who: Account, info: os.stat_result, want: Want) -> bool:
    if who.uid == 0:
        return True
    if info.st_uid == who.uid:
        shift = 6
    elif info.st_gid in who.gids:
        shift = 3
    else:
        shift = 0
    return bool(stat.S_IMODE(info.st_mode) >> shift & want)


def _has_list(path: str) -> bool:
    """Say whether an ACL decides, which this module does not read."""
    try:
        os.getxattr(path, 'system.posix_acl_access')
    except (OSError, AttributeError):
        return False
    return True


def nearest(path: str) -> str:
    """Return the path, or the nearest directory above it, that exists."""
    path = os.path.realpath(path)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
