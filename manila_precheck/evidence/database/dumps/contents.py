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
"""A backup of the database: what it holds, and whether it is complete.

A dump is read once, from its beginning to its end, as a stream. It is
complete when it ends with the last line of its tool: '-- Dump completed'
(mysqldump, mariadb-dump) or '-- PostgreSQL database dump complete' (pg_dump).
A truncated dump lacks this line.
"""

import datetime
import enum
import glob
import hashlib
import os
import re
import time
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database.dumps import decompress
from manila_precheck.evidence.files import text_file

_OVERLAP_BYTES = 1 << 10
_TAIL_BYTES = 1 << 12
_CHUNK_BYTES = 1 << 20

# The names of databases, and the rows of alembic_version in each. No value in
# a dump of either tool contains a line end: it is written as \n. Like the
# other patterns, this one is compiled only when there is a dump.
_MARK = (
    rb'(?m)^(?:'
    rb'USE `(?P<use>(?:[^`\n]|``)+)`;'
    rb'|\\connect (?:-reuse-previous=on )?"?(?:dbname=)?\'?'
    rb'(?P<connect>[^"\'\s]+)'
    rb'|-- Host: .*?Database: (?P<host>\S+)'
    rb'|INSERT INTO (?:`alembic_version`|(?:\w+\.)?alembic_version)'
    rb'(?: \([^)\n]*\))? VALUES\s*(?P<values>\([^;\n]*(?:\n\([^;\n]*)*);'
    rb'|COPY (?:\w+\.)?alembic_version \([^)\n]*\) FROM stdin;\n'
    rb'(?P<copy>(?:\w*\n)*)\\\.\n'
    rb'|\\(?P<restrict>restrict) \S'
    rb'|CREATE TABLE (?:IF NOT EXISTS )?'
    rb'(?:`(?P<quoted>[^`\n]+)`|(?:\w+\.)?(?P<table>\w+)) \('
    rb')'
)
_MYSQL_END = (
    rb'\n-- Dump completed'
    rb'(?: on (\d{4}-\d\d-\d\d) +(\d{1,2}:\d\d:\d\d))?\n+\Z'
)
_POSTGRESQL_END = (
    rb'\n-- PostgreSQL database (?P<all>cluster )?dump complete\n--\n\n+'
    rb'(?P<unrestrict>\\unrestrict \S+\n\n+)?\Z'
)
# Every release of manila has them, and no other service of OpenStack.
_OWN_TABLES = frozenset({'shares', 'share_instances'})
# What mariabackup and xtrabackup leave in their directory.
_PHYSICAL = (
    'xtrabackup_checkpoints',
    'mariadb_backup_checkpoints',
    'xtrabackup_info',
    'mariadb_backup_info',
)


class Whole(enum.Enum):
    """Whether a backup is complete."""

    YES = 'yes'
    NO = 'no'
    # It was not read, or not to its end.
    UNKNOWN = 'unknown'


class Backup(NamedTuple):
    """One backup, as far as it could be read."""

    path: str

    kind: str
    """'mysql', 'postgresql', 'physical' or 'unknown'."""

    made: Optional[datetime.datetime]
    """When it was made, in UTC, with a time zone: by its last line, else by
    the last change of the file; None when that is not a date."""

    whole: Whole

    why: str
    """Why it is not complete, or could not be read; '' when it is."""

    size_bytes: int
    """The size of the uncompressed dump; on disk when that is unknown."""

    revisions: tuple[str, ...]
    """The alembic revisions of the requested database."""

    tables: frozenset[str]
    """The tables that the dump creates in that database."""

    databases: tuple[str, ...] = ()
    """The databases in which it creates manila's tables, sorted; '' is one
    without a name in the dump."""


def newest(pattern: str) -> Optional[str]:
    """Return the file or directory that changed last; None without a match.

    :param pattern: a path, which may contain * and ?.
    :raises SourceUnusable: when the age of a match is not known.
    """
    found = []
    for path in sorted(glob.glob(os.path.expanduser(pattern))):
        try:
            found.append((os.stat(path).st_mtime, path))
        except FileNotFoundError:
            # Removed a moment ago.
            continue
        except OSError as exc:
            raise exceptions.SourceUnusable(f'{path}: {exc.strerror}') from exc
    return max(found)[1] if found else None


def read(path: str, database: str, limit_seconds: float) -> Backup:
    """Read a backup to its end.

    :param path: a file, or the directory that a tool made.
    :param database: the database whose revision is needed, when the backup
        holds several.
    :param limit_seconds: how long reading may take.
    :raises SourceUnusable: when it cannot be opened.
    """
    try:
        changed = _moment(os.stat(path).st_mtime)
        size = _size(path)
        if os.path.isdir(path) and not os.path.exists(
            os.path.join(path, 'toc.dat')
        ):
            return _directory(path, changed, size)
        reader = _Reader(database)
        whole, why = _follow(reader, path, time.monotonic() + limit_seconds)
    except OSError as error:
        raise exceptions.SourceUnusable(
            f'the backup {path} cannot be read: {error.strerror or error}'
        ) from None
    if whole is Whole.YES:
        whole, why = reader.whole()
    return Backup(
        path,
        reader.kind,
        reader.completed() if reader.dated else changed,
        whole,
        why,
        reader.size_bytes or size,
        tuple(sorted(reader.revisions())),
        reader.tables(),
        reader.databases(),
    )


def files(path: str) -> list[str]:
    """Return the files of a dump: itself, or those in its directory."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(path, name) for name in sorted(os.listdir(path))]


def digest(path: str) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file, or of a directory's files.

    :raises SourceUnusable: when a file cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        for name in files(path):
            with text_file.open_file(name) as stream:
                while True:
                    chunk = stream.read(_CHUNK_BYTES)
                    if not chunk:
                        break
                    digest.update(chunk)
                    size += len(chunk)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'the dump {path} cannot be read: {exc.strerror}'
        ) from exc
    return digest.hexdigest(), size


def _follow(
    reader: '_Reader', path: str, deadline: float
) -> tuple[Whole, str]:
    try:
        for chunk in decompress.chunks(path, deadline):
            reader.feed(chunk)
    except decompress.Cut as error:
        return Whole.NO, str(error)
    except decompress.Unread as error:
        return Whole.UNKNOWN, str(error)
    return Whole.YES, ''


class _Reader:
    """What one pass over the text of a dump finds."""

    def __init__(self, database: str) -> None:
        self.size_bytes = 0
        self._database = database
        self._rest = b''
        self._tail = b'\n'
        self._head = b''
        self._current = ''
        self._found: dict[str, set[str]] = {}
        self._tables: dict[str, set[str]] = {}
        self._restricted = False

    def feed(self, chunk: bytes) -> None:
        """Read the next piece.

        :raises Unread: when it is not a dump that can be read here.
        """
        if not self.size_bytes and chunk[257:262] == b'ustar':
            raise decompress.Unread('it is a file archive')
        self.size_bytes += len(chunk)
        if len(self._head) < _TAIL_BYTES:
            self._head += chunk[:_TAIL_BYTES]
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        text = self._rest + chunk
        done = 0
        for mark in re.finditer(_MARK, text):
            self._mark(mark)
            if mark.end() < len(text):
                done = mark.end()
        # Keep a line that may continue in the next chunk, but not a long one.
        self._rest = text[max(done, len(text) - _OVERLAP_BYTES) :]

    def _mark(self, mark: 're.Match[bytes]') -> None:
        name = mark['use'] or mark['connect'] or mark['host']
        if name:
            self._current = name.decode('utf-8', 'replace')
        elif mark['restrict']:
            self._restricted = True
        elif mark['quoted'] or mark['table']:
            table = (mark['quoted'] or mark['table']).decode(
                'utf-8', 'replace'
            )
            self._tables.setdefault(self._current, set()).add(table)
        elif mark['values']:
            self._note(re.findall(rb"'(\w+)'", mark['values']))
        else:
            self._note((mark['copy'] or b'').split())

    def _note(self, revisions: list[bytes]) -> None:
        known = self._found.setdefault(self._current, set())
        known.update(revision.decode() for revision in revisions)

    @property
    def kind(self) -> str:
        if b'-- PostgreSQL database' in self._head:
            return 'postgresql'
        if re.search(rb'^-- (MySQL|MariaDB) dump', self._head, re.MULTILINE):
            return 'mysql'
        if self._found:
            return 'postgresql' if self._restricted else 'mysql'
        return 'unknown'

    def revisions(self) -> set[str]:
        """Return the revisions of the requested or of the only database."""
        if self._database in self._found:
            return self._found[self._database]
        if len(self._found) == 1:
            return next(iter(self._found.values()))
        return set()

    def tables(self) -> frozenset[str]:
        """Return the tables of the same database."""
        name = self._database
        if name not in self._tables and len(self._found) == 1:
            (name,) = self._found
        return frozenset(self._tables.get(name, ()))

    def databases(self) -> tuple[str, ...]:
        """Return the databases that have the tables of manila."""
        return tuple(
            sorted(
                name
                for name, tables in self._tables.items()
                if tables >= _OWN_TABLES
            )
        )

    def whole(self) -> tuple[Whole, str]:
        """Return whether the text ends with the last line of its tool."""
        if not self._head.strip():
            return Whole.NO, 'it is empty'
        if self.kind == 'unknown':
            return Whole.UNKNOWN, 'its format is not known'
        if self.kind == 'mysql':
            if re.search(_MYSQL_END, self._tail):
                return Whole.YES, ''
            return Whole.NO, 'it has no "-- Dump completed" at its end'
        end = re.search(_POSTGRESQL_END, self._tail)
        if end and (
            # In pg_dumpall's file the \unrestrict precedes its last line.
            end['unrestrict'] or end['all'] or not self._restricted
        ):
            return Whole.YES, ''
        return (
            Whole.NO,
            'it has no "-- PostgreSQL database dump complete" at its end',
        )

    @property
    def dated(self) -> bool:
        """Say whether the last line has a time."""
        end = re.search(_MYSQL_END, self._tail)
        return end is not None and end[1] is not None

    def completed(self) -> Optional[datetime.datetime]:
        """Return the time in the last line, which is local time.

        :returns: None when it is not a time.
        """
        end = re.search(_MYSQL_END, self._tail)
        if end is None or end[1] is None:
            return None
        # mysqldump writes the hour with a blank before its only digit.
        text = f'{end[1].decode()} {end[2].decode():0>8}'
        found = timestamps.parse(text)
        if found is None or found.time is None:
            return None
        try:
            return found.time.astimezone(datetime.timezone.utc)
        except (OverflowError, ValueError):
            # The time is within a day of the first or the last possible one.
            return None


def _moment(seconds: float) -> Optional[datetime.datetime]:
    """Return a file's time; None when it is after the year 9999."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None


def _size(path: str) -> int:
    if not os.path.isdir(path):
        return os.stat(path).st_size
    return sum(
        os.stat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(path)
        for name in names
    )


def _directory(
    path: str, changed: Optional[datetime.datetime], size: int
) -> Backup:
    physical = any(
        os.path.exists(os.path.join(path, name)) for name in _PHYSICAL
    )
    why = 'it is a directory in no known format'
    if not size:
        why = 'it is empty'
    if physical:
        why = "it is a copy of the server's files"
    return Backup(
        path,
        'physical' if physical else 'unknown',
        changed,
        Whole.UNKNOWN if size else Whole.NO,
        why,
        size,
        (),
        frozenset(),
    )
