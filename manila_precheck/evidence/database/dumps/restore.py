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
"""Read the rows of a dump: restore it into a server of our own.

A dump is a program for a database server, and this one may come from anybody.
So no client runs it. Each statement is compared with those that mysqldump,
mariadb-dump and pg_dump write: statements that make tables and rows are sent
to the server, other known ones are left out, and an unknown one ends the
restore. The server runs the statements under an account that may write to one
database and do nothing else; see :mod:`.private_server` for what the server
itself may do.
"""

import collections
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import os
import re
import threading
import time
import types
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database.dumps import contents
from manila_precheck.evidence.database.dumps import decompress
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.evidence.database.dumps import scratch_database
from manila_precheck.evidence.database.dumps import statements

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy.engine import URL

#: The name of the option in messages.
OPTION = '--database-dump'

# The account that creates the tables, and the one that reads them on MariaDB;
# on PostgreSQL the owner reads them.
_ACCOUNT = 'precheck'
_READER = 'precheck_reader'
_DATABASE = 'manila'

# The rights of the restoring account: to read and fill one database.
_MYSQL_ACCOUNT = (
    f'CREATE DATABASE {_DATABASE}',
    f'CREATE USER {_ACCOUNT}@localhost',
    'GRANT SELECT, INSERT, CREATE, CREATE VIEW, ALTER, INDEX, REFERENCES '
    f'ON {_DATABASE}.* TO {_ACCOUNT}@localhost',
    # The rights of manila's own account: a dump has no accounts to check.
    f'CREATE USER {_READER}@localhost',
    f'GRANT ALL ON {_DATABASE}.* TO {_READER}@localhost',
    # From now on no account has more rights.
    'DROP USER root@localhost',
)
# For a server that is not ours: the settings that our own server starts with.
_MYSQL_SESSION = (
    'SET foreign_key_checks = 0, unique_checks = 0, innodb_strict_mode = 0, '
    "sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', "
    "time_zone = '+00:00'",
)
_POSTGRESQL_ACCOUNT = (
    f'CREATE ROLE {_ACCOUNT} LOGIN',
    f'CREATE DATABASE {_DATABASE} TEMPLATE template0',
    f'REVOKE ALL ON DATABASE {_DATABASE}, postgres, template1 FROM PUBLIC',
    f'GRANT CONNECT ON DATABASE {_DATABASE} TO {_ACCOUNT}',
)
# During the restore nothing has to survive a crash. Later statements have to
# take the time that they take elsewhere.
_POSTGRESQL_FAST = (
    'ALTER SYSTEM SET fsync = off',
    'ALTER SYSTEM SET full_page_writes = off',
    'ALTER SYSTEM SET synchronous_commit = off',
    'SELECT pg_reload_conf()',
)
_POSTGRESQL_SAFE = (
    'ALTER SYSTEM RESET ALL',
    'SELECT pg_reload_conf()',
    'CHECKPOINT',
)
_MYSQL_COLLATION = (
    'SELECT table_collation FROM information_schema.tables WHERE '
    "table_schema = DATABASE() AND table_name = 'alembic_version'"
)
_MYSQL_SAFE = 'SET GLOBAL innodb_flush_log_at_trx_commit = 1'
_POSTGRESQL_HOME = (
    'SELECT n.nspname FROM pg_class c JOIN pg_namespace n '
    "ON n.oid = c.relnamespace WHERE c.relname = 'shares' "
    'ORDER BY n.nspname'
)

# The size of a server's files: by the size of the text, and a fixed part.
_DISK_FACTOR = 3
_DISK_BYTES = 320 << 20
_MOST_FACTOR = 4
_SPARE_BYTES = 64 << 20

# The speed at which MariaDB 10.11 and PostgreSQL 15 restored a dump with 10^6
# rows in each of two tables, on two processors that were busy otherwise, too
# (qa/benchmarks/benchmark_rehearsal.py).
_BYTES_A_SECOND = {'mysql': 5e6, 'postgresql': 15e6}
# How many times as fast another machine may be.
_FASTEST = 4

_CHUNK_BYTES = 1 << 20
_LOOK_SECONDS = 1.0
_SHOWN_BYTES = 60
_HEAD_BYTES = 4096
_LONGEST_BARE = 1 << 16

_TOO_LONG = 'reading all of it takes too long (database_dump_seconds)'

_WORD = rb'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\w+)'
_NAME = rb'(?:' + _WORD + rb'\.)?' + _WORD


def _all(*patterns: bytes) -> 're.Pattern[bytes]':
    return re.compile(
        rb'(?:' + rb'|'.join(patterns) + rb')', re.IGNORECASE | re.DOTALL
    )


# MySQL's dumps do not put the database before a name.
_MYSQL_RUN = _all(
    rb'CREATE TABLE (?:IF NOT EXISTS )?' + _WORD + rb'\s*\(',
    rb'(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO '
    + _WORD
    + rb'\s*(?:\(|VALUES)',
    rb'ALTER TABLE ' + _WORD + rb'\s+(?:ADD|MODIFY)\b',
)
# The first is a placeholder with the columns of a view, the second the view.
_MYSQL_NO_VIEW = _all(rb'CREATE VIEW ' + _WORD + rb' AS SELECT\s+1 AS ')
_MYSQL_VIEW = _all(
    rb'CREATE (?:OR REPLACE )?(?:ALGORITHM=\w+ )?(?:DEFINER=.*? )?'
    rb'(?:SQL SECURITY \w+ )?(?P<view>VIEW ' + _WORD + rb' AS .*)\Z'
)
_MYSQL_SKIP = {
    'triggers': _all(rb'CREATE (?:DEFINER=\S+ )?TRIGGER\b'),
    'routines': _all(
        rb'CREATE (?:DEFINER=\S+ )?(?:AGGREGATE )?(?:FUNCTION|PROCEDURE|'
        rb'PACKAGE)\b'
    ),
    'events': _all(rb'CREATE (?:DEFINER=\S+ )?EVENT\b'),
    'sequences': _all(rb'CREATE SEQUENCE\b'),
    '': _all(
        # A placeholder that is dropped before the view is created.
        rb'CREATE TABLE ',
        _MYSQL_NO_VIEW.pattern,
        rb'SET\b',
        rb'DROP (?:TABLE|VIEW|DATABASE|TRIGGER|FUNCTION|PROCEDURE|EVENT|'
        rb'SEQUENCE) IF EXISTS\b',
        rb'(?:LOCK|UNLOCK) TABLES\b',
        rb'ALTER TABLE ' + _WORD + rb' (?:DISABLE|ENABLE) KEYS\Z',
        rb'ALTER DATABASE\b',
        rb'CREATE DATABASE\b',
        rb'(?:GRANT|CREATE (?:USER|ROLE)|ALTER USER|FLUSH|CHANGE MASTER|'
        rb'CHANGE REPLICATION|START TRANSACTION|COMMIT|BEGIN|'
        rb'INSTALL PLUGIN|ANALYZE TABLE)\b',
        rb'SELECT COUNT\(\*\) INTO @\w+ FROM INFORMATION_SCHEMA\b',
        rb'PREPARE s? ?FROM\b|EXECUTE s\b|DEALLOCATE PREPARE\b',
        rb'\Z',
    ),
}

_POSTGRESQL_RUN = _all(
    rb'CREATE (?:UNLOGGED )?TABLE ' + _NAME + rb'\s*(?:\(|PARTITION OF\b)',
    rb'CREATE (?:UNIQUE )?INDEX\b',
    rb'CREATE SEQUENCE\b',
    rb'CREATE TYPE ' + _NAME + rb' AS (?:ENUM )?\(',
    rb'CREATE DOMAIN\b',
    rb'ALTER SEQUENCE (?:ONLY )?' + _NAME + rb'\s+OWNED BY\b',
    rb'ALTER TABLE (?:ONLY )?'
    + _NAME
    + rb'\s+(?:ADD|ALTER|REPLICA IDENTITY|CLUSTER ON|ATTACH PARTITION|'
    rb'INHERIT)\b',
    rb'ALTER INDEX ' + _NAME + rb' ATTACH PARTITION\b',
    rb'INSERT INTO ' + _NAME + rb'\s*(?:\(|VALUES)',
    rb"SELECT pg_catalog\.setval\('[^']*', \d+, (?:true|false)\)\Z",
)
_POSTGRESQL_COPY = _all(
    rb'COPY ' + _NAME + rb'\s*(?:\([^()]*\) )?FROM stdin\Z'
)
_POSTGRESQL_SCHEMA = _all(
    rb'CREATE SCHEMA (?:IF NOT EXISTS )?(?P<name>' + _WORD + rb')\Z'
)
_POSTGRESQL_VIEW = _all(
    rb'CREATE (?:OR REPLACE )?(?:MATERIALIZED )?VIEW ' + _NAME + rb'\s'
)
_POSTGRESQL_SKIP = {
    'triggers': _all(
        rb'CREATE (?:CONSTRAINT )?TRIGGER\b', rb'CREATE EVENT TRIGGER\b'
    ),
    'functions': _all(
        rb'CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|AGGREGATE)\b'
    ),
    'rules': _all(rb'CREATE (?:OR REPLACE )?RULE\b', rb'CREATE POLICY\b'),
    'extensions': _all(rb'CREATE EXTENSION\b'),
    '': _all(
        rb'SET\b',
        rb'SELECT pg_catalog\.(?:set_config|lo_\w+)\(',
        rb'COMMENT ON\b',
        rb'(?:GRANT|REVOKE|BEGIN|COMMIT|SECURITY LABEL)\b',
        rb'(?:CREATE|ALTER|DROP) (?:DATABASE|ROLE|USER|TABLESPACE)\b',
        rb'DROP\b',
        rb'ALTER .* OWNER TO ' + _WORD + rb'\Z',
        rb'ALTER TABLE (?:ONLY )?'
        + _NAME
        + rb'\s+(?:ENABLE|DISABLE|DROP|DETACH|SET|FORCE|NO)\b',
        rb'ALTER (?:DEFAULT PRIVILEGES|EXTENSION|FUNCTION|EVENT TRIGGER)\b',
        rb'REFRESH MATERIALIZED VIEW\b',
        rb'CREATE (?:LANGUAGE|CAST|COLLATION|STATISTICS|PUBLICATION|'
        rb'SUBSCRIPTION|SERVER|FOREIGN|TEXT SEARCH|OPERATOR|CONVERSION|'
        rb'TRANSFORM|ACCESS METHOD|TYPE)\b',
        rb'ALTER (?:TEXT SEARCH|OPERATOR|PUBLICATION|VIEW|MATERIALIZED)\b',
        rb'\Z',
    ),
}

_USE = _all(rb'USE (?P<name>' + _WORD + rb')\s*\Z')
_CONNECT = _all(
    rb'\\c(?:onnect)?\s+(?:-reuse-previous=on\s+)?'
    rb'(?P<name>"dbname=\'[^\']*\'"|"[^"]*"|\'[^\']*\'|\S+)'
)
_NAMES = _all(rb'SET NAMES (?P<name>\w+)\s*\Z')
_ENCODING = _all(rb"SET client_encoding = (?P<name>'\w+')\Z")

# A statement in a comment that only servers from some version on run.
_FOR_SERVERS = re.compile(rb'/\*M?!\d*\s?(.*?)\*/', re.DOTALL)

# Collations of MySQL 8 that MariaDB does not have.
_MYSQL_8 = re.compile(
    rb'\b(utf8mb4)_(?:[a-z_]+_)?0900_(?:ai_ci|as_ci|as_cs)\b'
)

# The table that a statement creates, or puts rows into.
_QUALIFIED = rb'(?:' + _WORD + rb'\.)?(?P<table>' + _WORD + rb')'
_MAKES = _all(rb'CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?' + _QUALIFIED)
_COPIES = _all(rb'COPY ' + _QUALIFIED)
_INSERTS = _all(
    rb'(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO '
    + _QUALIFIED
    + rb'\s*(?:\([^()]*\))?\s*VALUES'
)

# Errors that do not show that a dump is bad: with these no dump could be
# restored, or this server lacks something that the site's server may have.
# Errors of MySQL and MariaDB, by number:
_MYSQL_NOT_OF_DUMP = frozenset(
    (
        # Disk, memory, files.
        *(1021, 1026, 1030, 1037, 1038, 1041, 1114, 1878),
        # Too long, interrupted, read only.
        *(1053, 1153, 1205, 1213, 1290, 1317, 1836, 1969, 3024),
        # Missing rights of the account in --server-url.
        *(1044, 1045, 1142, 1143, 1227, 1370),
        # Character set, collation, engine, function.
        *(1115, 1273, 1286, 1305),
    )
)
# Errors of PostgreSQL, by the beginning of SQLSTATE: connections, resources,
# intervention of an operator, the system, a read-only server, rights;
# features, types and functions.
_POSTGRESQL_NOT_OF_DUMP = (
    *('08', '25', '53', '57', '58', 'XX', '42501'),
    *('0A', '42704', '42883'),
)

_CLIENT_OF_POSTGRESQL = (b'\\restrict', b'\\unrestrict', b'\\encoding')

_MADE_BY = re.compile(
    rb'^-- (?:Server version\s+|Dumped from database version )(\S+)',
    re.MULTILINE,
)


class Restored(NamedTuple):
    """A dump that has been restored into a database."""

    database: connection.Database

    read: model.DumpRead
    """The dump, for the report."""

    file: model.FileRead

    server: 'Union[private_server.Server, scratch_database.Scratch]'

    url: 'URL'
    """The URL for an account with the rights of manila's own account."""

    rows: dict[str, int]
    """The number of rows of each table in the text of the dump; empty when
    they were not counted."""

    seconds: float
    """How long the restore took, without reading the dump before it."""

    def close(self) -> None:
        """Close the database and end its server."""
        self.database.close()
        self.server.end()


class NotRestored(exceptions.SourceUnusable):
    """A dump that is no usable backup: it was read but cannot be restored."""

    def __init__(
        self,
        message: str,
        dump: '_Dump',
        why: str,
        words: str = '',
        server: str = '',
    ) -> None:
        """Store the reasons.

        :param message: the whole message, for the caller.
        :param why: the reason as a clause, without the server's words.
        :param words: the server's message; '' when no server was involved.
        :param server: its version; '' when no server was involved.
        """
        super().__init__(message)
        self.why = why
        self.words = words
        self.server = server
        #: The database that was to be read, for the report.
        self.database = model.DatabaseRead(
            dump.found.kind,
            dump.found.revisions[0]
            if len(dump.found.revisions) == 1
            else None,
            dump=dump.read,
        )
        self.file = dump.file


class _Dump(NamedTuple):
    """A dump before its restore."""

    found: contents.Backup
    read: model.DumpRead

    @property
    def file(self) -> model.FileRead:
        """The file, as the report lists it."""
        return model.FileRead(self.read.path, self.read.sha256)


class _Refused(Exception):
    """The server did not execute a statement; has the server's message."""


class _Rejected(_Refused):
    """The server is able to execute it, but rejects what it says."""


def restore(
    path: str,
    conf: 'cfg.ConfigOpts',
    limit_seconds: float,
    statement_timeout_seconds: int,
    connect_timeout_seconds: int,
    option: str = OPTION,
    scratch: 'Optional[scratch_database.Scratch]' = None,
    counted: bool = False,
    more_bytes: Callable[[int], int] = lambda size_bytes: 0,
    show: Callable[[str], None] = lambda text: None,
    lasting: bool = False,
    image: str = '',
    settings: Mapping[str, int] = types.MappingProxyType({}),
) -> Restored:
    """Restore a dump and return the database.

    :param path: the dump: a file, or a directory of pg_dump.
    :param conf: its ``[database] connection`` names the database, for a dump
        that holds several.
    :param limit_seconds: how long the restore may take.
    :param statement_timeout_seconds: as for :func:`connection.connect`.
    :param connect_timeout_seconds: as for :func:`connection.connect`.
    :param option: the option that has the path, for messages.
    :param scratch: an empty database to restore into; None: start a server.
    :param counted: whether to count the rows in the text of the dump.
    :param more_bytes: returns how much more disk space is needed, for the
        size of the uncompressed dump.
    :param show: called with the size of the dump and the expected time.
    :param lasting: as for :func:`private_server.start`.
    :param image: as for :func:`private_server.start`.
    :param settings: global variables that our own server gets after the
        restore: {'innodb_buffer_pool_size': 134217728}.
    :raises NotRestored: when it is not a complete dump of manila's database,
        or the server rejects its contents.
    :raises SourceUnusable: when neither can be determined here.
    :raises SourceUnusable: when that cannot be found out here.
    """
    deadline = time.monotonic() + limit_seconds
    path = os.path.abspath(os.path.expanduser(path))
    before = _state(path)
    found = contents.read(path, _name(conf), limit_seconds)
    unused = f'the dump {path} cannot be used: {found.why}'
    if found.whole is contents.Whole.UNKNOWN:
        raise exceptions.SourceUnusable(unused)
    digest, size = contents.digest(path)
    made = None if found.made is None else found.made.isoformat()
    dump = _Dump(found, model.DumpRead(path, size, digest, made))
    if found.whole is contents.Whole.NO:
        raise NotRestored(unused, dump, found.why)
    wanted = _wanted(dump, _name(conf))
    takes_seconds = found.size_bytes / _BYTES_A_SECOND[found.kind]
    if takes_seconds / _FASTEST > deadline - time.monotonic():
        raise exceptions.SourceUnusable(
            f'restoring {_mebibytes(found.size_bytes)} of text takes about '
            f'{_duration(takes_seconds)}, and no more than '
            f'{_duration(limit_seconds)} are allowed '
            '(database_dump_seconds)'
        )
    needed = found.size_bytes * _DISK_FACTOR + _DISK_BYTES
    server: Union[private_server.Server, scratch_database.Scratch]
    if scratch is None:
        needed += more_bytes(found.size_bytes)
        private_server.require_room(needed)
        server = private_server.start(found.kind, lasting, image)
    else:
        scratch.require(found.kind)
        server = scratch
    show(
        f'restoring {_mebibytes(found.size_bytes)} of text: about '
        f'{_duration(takes_seconds)}'
    )
    started = time.monotonic()
    try:
        target = _TARGETS[found.kind](server, deadline)
        with _watched(server, deadline, needed * _MOST_FACTOR) as watch:
            reader = _Restore(dump, target, wanted, watch, counted)
            reader.follow(deadline)
            reader.finish(settings)
        if _state(path) != before:
            raise exceptions.SourceUnusable(
                f'the dump {path} was changed while it was read'
            )
        seconds = time.monotonic() - started
        database = connection.Database(
            target.url(),
            database_url.Location(
                option,
                f'the dump {path}',
                frozenset() if scratch is None else scratch.location.secrets,
            ),
            statement_timeout_seconds,
            connect_timeout_seconds,
            as_of=found.made and found.made.replace(tzinfo=None),
            server_version=reader.made_by,
            is_dump=True,
        )
    except BaseException:
        server.end()
        raise
    return Restored(
        database,
        dump.read._replace(left_out=tuple(reader.left_out())),
        dump.file,
        server,
        target.url(),
        dict(reader.rows),
        seconds,
    )


def _name(conf: 'cfg.ConfigOpts') -> str:
    # A masked URL raises; the name of the database is masked with it.
    with contextlib.suppress(exceptions.PrecheckError):
        database_url.configured(conf)
        return database_url.name_of_manila(conf)
    return ''


def _wanted(dump: _Dump, name: str) -> str:
    """Return the name of manila's database in a dump.

    :raises NotRestored: when there is none.
    :raises SourceUnusable: when there are several and none is configured.
    """
    found = dump.found
    if not found.databases:
        why = (
            'does not have both shares and share_instances: it is not of '
            "manila's database"
        )
        raise NotRestored(f'the dump {found.path} {why}', dump, f'it {why}')
    if name in found.databases:
        return name
    if len(found.databases) > 1:
        raise exceptions.SourceUnusable(
            f'the dump {found.path} has the tables of manila in several '
            f'databases ({", ".join(found.databases)}), and [database] '
            'connection names none of them'
        )
    return found.databases[0]


def _state(path: str) -> list[tuple[int, ...]]:
    """Return the state of a dump's files, by which a change is noticed."""
    try:
        return [
            (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            for found in map(os.stat, contents.files(path))
        ]
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'the dump {path} cannot be read: {exc.strerror}'
        ) from exc


class _Watch:
    """The reason for which a restore was ended; '' when it was not."""

    reason = ''


@contextlib.contextmanager
def _watched(
    server: 'Union[private_server.Server, scratch_database.Scratch]',
    deadline: float,
    most_bytes: int,
) -> Iterator[_Watch]:
    """End the server in the block if it takes too much time or space."""
    watch, over = _Watch(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            if time.monotonic() > deadline:
                watch.reason = _TOO_LONG
            elif server.used_bytes() > most_bytes:
                watch.reason = (
                    'it takes far more disk space than a dump of this size '
                    'should'
                )
            elif server.free_bytes() < _SPARE_BYTES:
                watch.reason = (
                    f'{private_server.directory()} is full: set TMPDIR to a '
                    'directory with more space'
                )
            if watch.reason:
                server.end()
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


class _Restore:
    """The restore of one dump into a server."""

    def __init__(
        self,
        dump: _Dump,
        target: '_Target',
        wanted: str,
        watch: _Watch,
        counted: bool = False,
    ) -> None:
        self._dump = dump
        self._path = dump.found.path
        self._target = target
        self._wanted = wanted
        self._watch = watch
        self._current: Optional[str] = None
        self._skipping = False
        self._left_out: collections.Counter[str] = collections.Counter()
        self._counted = counted
        #: The number of rows of each table in the dump, if counted.
        self.rows: collections.Counter[str] = collections.Counter()
        #: The version of the dumped server, if the dump has it.
        self.made_by = ''

    def left_out(self) -> Iterator[str]:
        """Yield what the restored database lacks: '2 triggers'."""
        for kind, number in sorted((+self._left_out).items()):
            yield f'{number} {kind if number > 1 else kind[:-1]}'

    def follow(self, deadline: float) -> None:
        """Restore all statements.

        :raises NotRestored: when the server rejects a statement.
        :raises SourceUnusable: when the restore fails for another reason.
        """
        chunks = self._heeding_head(decompress.chunks(self._path, deadline))
        try:
            for statement in self._target.cut(chunks):
                self._take(statement)
        except (decompress.Cut, decompress.Unread) as error:
            raise self._unusable(str(error)) from None
        except statements.TooLong:
            raise self._unusable(
                'a statement is longer than '
                f'{statements.MAX_STATEMENT_BYTES >> 20} MiB'
            ) from None
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None

    def _heeding_head(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        begun = False
        for chunk in chunks:
            if not begun:
                # Only at the beginning: elsewhere the line may be data.
                found = _MADE_BY.search(chunk[:_HEAD_BYTES])
                if found:
                    self.made_by = found[1].decode('ascii', 'replace')
            begun = True
            yield chunk

    def finish(self, settings: Mapping[str, int]) -> None:
        """Finish the database after the last statement.

        :param settings: global variables that are set from then on.
        :raises SourceUnusable: when a statement fails.
        """
        try:
            self._target.finish(settings)
        except _Refused as error:
            raise self._unusable(str(error)) from None

    def _unusable(self, why: str) -> exceptions.SourceUnusable:
        return exceptions.SourceUnusable(
            f'the dump {self._path} cannot be restored: '
            f'{self._watch.reason or " ".join(why.split())}'
        )

    def _take(self, statement: statements.Statement) -> None:
        if statement.command:
            self._command(statement)
            return
        if self._skipping:
            self._leave_out(statement)
            return
        text = statement.text.strip()
        bare = self._target.bare(text)
        used = self._target.uses(bare)
        if used is not None:
            self._current = used
            return
        try:
            if self._target.heed(bare):
                return
            if self._current not in (None, self._wanted):
                return
            if self._target.run(text, statement.rows):
                if self._counted:
                    self._count(text, statement.rows)
                return
            view = self._target.view(bare)
            if view is not None:
                self._left_out['views'] += not view
                return
        except _Refused as error:
            raise self._refused(statement.line, error) from None
        self._leave_out(statement)

    def _refused(
        self, line: int, error: _Refused
    ) -> exceptions.SourceUnusable:
        unusable = self._unusable(f'line {line}: {error}')
        # The errors of a server that is being ended do not count.
        if self._watch.reason or not isinstance(error, _Rejected):
            return unusable
        server = self._target.version()
        return NotRestored(
            str(unusable),
            self._dump,
            f'{server} rejects line {line}',
            str(error),
            server,
        )

    def _count(self, text: bytes, rows: Optional[statements.Rows]) -> None:
        """Count the rows that the text of a statement has."""
        made = _MAKES.match(text)
        if made:
            self.rows[_bare_name(made['table'])] += 0
        elif rows is not None:
            found = _COPIES.match(text)
            if found:
                self.rows[_bare_name(found['table'])] += rows.number
        else:
            found = _INSERTS.match(text)
            if found:
                rest = self._target.strings.sub(b'', text[found.end() :])
                self.rows[_bare_name(found['table'])] += rest.count(b'(')

    def _leave_out(self, statement: statements.Statement) -> None:
        bare = self._target.bare(statement.text.strip())
        for kind, pattern in self._target.skip.items():
            if pattern.match(bare):
                if kind and self._current in (None, self._wanted):
                    self._left_out[kind] += 1
                return
        if not self._skipping:
            raise self._foreign(statement)

    def _command(self, statement: statements.Statement) -> None:
        """Handle a line that is a command of the client."""
        word, _, value = statement.text.partition(b' ')
        if word.lower() == b'delimiter':
            self._skipping = value.strip() != b';'
            return
        used = self._target.connects(statement.text)
        if used is not None:
            self._current = used
        elif word not in self._target.commands:
            raise self._foreign(statement)

    def _foreign(
        self, statement: statements.Statement
    ) -> exceptions.SourceUnusable:
        shown = statement.text.strip()[:_SHOWN_BYTES].decode(
            'utf-8', 'replace'
        )
        return self._unusable(
            f'line {statement.line} is nothing that {self._target.tool} '
            f'writes: {" ".join(shown.split())!r}'
        )


class _Target:
    """A server that runs the statements of a dump."""

    tool = ''
    #: A text literal in a statement.
    strings: 're.Pattern[bytes]' = re.compile(rb"'[^']*'")
    skip: dict[str, 're.Pattern[bytes]'] = {}
    commands: tuple[bytes, ...] = ()

    def __init__(
        self,
        server: 'Union[private_server.Server, scratch_database.Scratch]',
        deadline: float,
    ) -> None:
        self._server = server
        self._milliseconds = max(
            int((deadline - time.monotonic()) * 1000), 1000
        )

    def cut(self, chunks: Iterator[bytes]) -> Iterator[statements.Statement]:
        """Yield the statements of a dump."""
        raise NotImplementedError

    def bare(self, text: bytes) -> bytes:
        """Return a statement without comments, for comparisons."""
        return text

    def uses(self, text: bytes) -> Optional[str]:
        """Return the database that a statement selects; None: none."""
        return None

    def connects(self, text: bytes) -> Optional[str]:
        """Return the database that a command selects; None: none."""
        return None

    def heed(self, text: bytes) -> bool:
        """Run a statement about the dump's encoding; say if it is one.

        :raises _Refused: when the server does not execute it.
        """
        return False

    def run(self, text: bytes, rows: Optional[statements.Rows]) -> bool:
        """Run a statement that makes tables or rows; say if it is one.

        :raises _Refused: when the server does not execute it.
        """
        raise NotImplementedError

    def view(self, text: bytes) -> Optional[bool]:
        """Create a view; say if it worked, or None for another statement."""
        raise NotImplementedError

    def finish(self, settings: Mapping[str, int]) -> None:
        """Finish the database after the last statement.

        :param settings: global variables that are set from then on.
        :raises _Refused: when a statement fails.
        """
        raise NotImplementedError

    def version(self) -> str:
        """Return the name and version of the server: 'PostgreSQL 15.18'."""
        raise NotImplementedError

    def url(self) -> 'URL':
        """Return how to connect to the database."""
        raise NotImplementedError


class _MySQL(_Target):
    """MariaDB, for a dump of mysqldump or mariadb-dump."""

    tool = 'mysqldump'
    strings = re.compile(rb"'[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL)
    skip = _MYSQL_SKIP

    def __init__(
        self,
        server: 'Union[private_server.Server, scratch_database.Scratch]',
        deadline: float,
    ) -> None:
        super().__init__(server, deadline)
        import pymysql

        self._errors = (pymysql.err.MySQLError, OSError)
        self._admin: Any = None
        self._connect: Any = pymysql.connect
        if isinstance(server, scratch_database.Scratch):
            self._url = server.url
            self._connection = server.connect()
            for statement in _MYSQL_SESSION:
                self._connection.query(statement)
            return
        self._url = self._private_url(server)
        admin = server.wait(lambda: self._session('root'), pymysql.err.Error)
        for statement in _MYSQL_ACCOUNT:
            admin.query(statement)
        # Its account is dropped, but the session goes on; no statement of a
        # dump runs in it.
        self._admin = admin
        self._connection = self._session(_ACCOUNT, _DATABASE)
        self._connection.query(
            'SET foreign_key_checks = 0, unique_checks = 0, '
            f'max_statement_time = {self._milliseconds / 1000:.3f}'
        )

    def _session(self, user: str, database: Optional[str] = None) -> Any:
        assert isinstance(self._server, private_server.Server)
        return self._connect(
            unix_socket=self._server.socket,
            user=user,
            password='',
            database=database,
            charset='utf8mb4',
            autocommit=True,
            local_infile=False,
            read_timeout=self._milliseconds / 1000,
            write_timeout=self._milliseconds / 1000,
        )

    def cut(self, chunks: Iterator[bytes]) -> Iterator[statements.Statement]:
        return statements.of_mysql(chunks)

    def bare(self, text: bytes) -> bytes:
        if not text.startswith(b'/*'):
            return text
        text = _FOR_SERVERS.sub(rb'\1 ', text[:_LONGEST_BARE])
        return b' '.join(text.split())

    def uses(self, text: bytes) -> Optional[str]:
        found = _USE.match(text)
        return _plain(found['name']) if found else None

    def heed(self, text: bytes) -> bool:
        found = _NAMES.match(text)
        if found:
            self._send(b'SET NAMES ' + found['name'])
        return bool(found)

    def run(self, text: bytes, rows: Optional[statements.Rows]) -> bool:
        if not _MYSQL_RUN.match(text):
            return False
        if text[:6].upper() == b'CREATE':
            text = _MYSQL_8.sub(rb'\1_unicode_520_ci', text)
        self._send(text)
        return True

    def view(self, text: bytes) -> Optional[bool]:
        found = _MYSQL_VIEW.match(text)
        if not found or _MYSQL_NO_VIEW.match(text):
            return None
        try:
            self._send(b'CREATE ' + found['view'])
        except _Refused:
            # The view may need a function, or another database.
            return False
        return True

    def _send(self, text: bytes) -> None:
        try:
            self._connection.query(text)
        except self._errors as error:
            raise self._refused(error) from None

    @staticmethod
    def _refused(error: Exception) -> _Refused:
        number, words = error.args[0], str(error.args[-1])
        # Numbers from 2000 on are errors of the client: the server is gone.
        if (
            isinstance(number, int)
            and number // 1000 in (1, 3, 4)
            and number not in _MYSQL_NOT_OF_DUMP
        ):
            return _Rejected(words)
        return _Refused(words)

    def version(self) -> str:
        with contextlib.suppress(*self._errors):
            cursor = self._connection.cursor()
            cursor.execute('SELECT VERSION()')
            ((found,),) = cursor.fetchall()
            number = str(found).partition('-')[0]
            name = 'MariaDB' if 'MariaDB' in found else 'MySQL'
            return f'{name} {number}'
        return 'the server'

    def finish(self, settings: Mapping[str, int]) -> None:
        try:
            with contextlib.closing(self._connection) as session:
                cursor = session.cursor()
                cursor.execute('SHOW FULL TABLES')
                names = [
                    name
                    for name, kind in cursor.fetchall()
                    if kind == 'BASE TABLE'
                ]
                for name in names:
                    quoted = name.replace('`', '``')
                    # Updates the estimates of the number of rows.
                    cursor.execute(f'ANALYZE TABLE `{quoted}`')
                if self._admin is not None:
                    self._take_collation(cursor)
            if self._admin is not None:
                with contextlib.closing(self._admin) as admin:
                    admin.query(_MYSQL_SAFE)
                    for name, value in sorted(settings.items()):
                        admin.query(f'SET GLOBAL {name} = {value:d}')
        except self._errors as error:
            raise _Refused(str(error.args[-1])) from None

    def _take_collation(self, cursor: Any) -> None:
        """Give the database the default collation of the original.

        alembic creates its table without a collation, so the table has that
        of the database, which the dump of a single database does not contain.
        """
        cursor.execute(_MYSQL_COLLATION)
        for (name,) in cursor.fetchall():
            if re.fullmatch(r'\w+', name or ''):
                cursor.execute(f'ALTER DATABASE {_DATABASE} COLLATE {name}')

    def url(self) -> 'URL':
        return self._url

    @staticmethod
    def _private_url(server: private_server.Server) -> 'URL':
        from sqlalchemy import engine

        return engine.URL.create(
            'mysql+pymysql',
            _READER,
            host='localhost',
            database=_DATABASE,
            query={'unix_socket': server.socket, 'charset': 'utf8mb4'},
        )


class _PostgreSQL(_Target):
    """PostgreSQL, for a dump of pg_dump."""

    tool = 'pg_dump'
    skip = _POSTGRESQL_SKIP
    commands = _CLIENT_OF_POSTGRESQL

    def __init__(
        self,
        server: 'Union[private_server.Server, scratch_database.Scratch]',
        deadline: float,
    ) -> None:
        super().__init__(server, deadline)
        try:
            import psycopg2
        except ImportError:
            raise exceptions.SourceUnusable(
                'a dump of PostgreSQL needs the driver psycopg2: install '
                'psycopg2-binary'
            ) from None
        self._error = psycopg2.Error
        self._connect = psycopg2.connect
        if isinstance(server, scratch_database.Scratch):
            self._owned = False
            self._url = server.url
            self._admin = server.connect()
            self._begin(server.connect())
            return
        self._owned = True
        self._url = self._private_url(server)
        first = server.wait(
            lambda: self._session(private_server.ADMIN, 'postgres'),
            psycopg2.Error,
        )
        with contextlib.closing(first):
            for statement in (*_POSTGRESQL_ACCOUNT, *_POSTGRESQL_FAST):
                first.cursor().execute(statement)
        self._admin = self._session(private_server.ADMIN, _DATABASE)
        self._admin.cursor().execute(
            f'GRANT CREATE, USAGE ON SCHEMA public TO {_ACCOUNT}'
        )
        self._begin(self._session(_ACCOUNT, _DATABASE))

    def _begin(self, session: Any) -> None:
        self._connection = session
        self._cursor = session.cursor()
        self._cursor.execute(
            f'SET statement_timeout = {self._milliseconds:d}; '
            "SET search_path = ''"
        )

    def _session(self, user: str, database: str) -> Any:
        assert isinstance(self._server, private_server.Server)
        session = self._connect(
            host=self._server.socket, user=user, dbname=database
        )
        session.autocommit = True
        return session

    def cut(self, chunks: Iterator[bytes]) -> Iterator[statements.Statement]:
        return statements.of_postgresql(chunks)

    def connects(self, text: bytes) -> Optional[str]:
        found = _CONNECT.match(text)
        if not found:
            return None
        name = found['name'].strip(b'"').strip(b"'")
        if name.startswith(b'dbname='):
            name = name[len(b'dbname=') :].strip(b"'")
        return name.decode('utf-8', 'replace')

    def heed(self, text: bytes) -> bool:
        found = _ENCODING.match(text)
        if found:
            self._send(self._cursor, b'SET client_encoding = ' + found['name'])
        return bool(found)

    def run(self, text: bytes, rows: Optional[statements.Rows]) -> bool:
        schema = _POSTGRESQL_SCHEMA.match(text)
        if schema:
            if not self._owned:
                raise _Refused(
                    'its tables are in a schema of their own, which a scratch '
                    'database cannot have'
                )
            self._send(
                self._admin.cursor(),
                b'CREATE SCHEMA IF NOT EXISTS %s AUTHORIZATION %s'
                % (schema['name'], _ACCOUNT.encode()),
            )
            return True
        if rows is not None:
            if not _POSTGRESQL_COPY.match(text):
                return False
            try:
                self._cursor.copy_expert(text, rows, _CHUNK_BYTES)
            except self._error as error:
                raise self._refused(error) from None
            return True
        if not _POSTGRESQL_RUN.match(text):
            return False
        self._send(self._cursor, text)
        return True

    def view(self, text: bytes) -> Optional[bool]:
        if not _POSTGRESQL_VIEW.match(text):
            return None
        try:
            self._send(self._cursor, text)
        except _Refused:
            return False
        return True

    def _send(self, cursor: Any, text: bytes) -> None:
        try:
            cursor.execute(text)
        except self._error as error:
            raise self._refused(error) from None

    @staticmethod
    def _refused(error: Any) -> _Refused:
        state, details = error.pgcode, error.diag
        if state is None or state.startswith(_POSTGRESQL_NOT_OF_DUMP):
            return _Refused(str(error))
        # Without the context: for COPY this would be a whole row.
        words = filter(None, (details.message_primary, details.message_detail))
        return _Rejected('. '.join(words))

    def version(self) -> str:
        version = self._connection.info.parameter_status('server_version')
        return f'PostgreSQL {version.split()[0]}'

    def finish(self, settings: Mapping[str, int]) -> None:
        try:
            self._cursor.execute('ANALYZE')
            with contextlib.closing(self._admin) as admin:
                cursor = admin.cursor()
                cursor.execute(_POSTGRESQL_HOME)
                homes = [name for (name,) in cursor.fetchall()]
                if self._owned:
                    for statement in _POSTGRESQL_SAFE:
                        cursor.execute(statement)
                if self._owned and homes and 'public' not in homes:
                    quoted = homes[0].replace('"', '""')
                    cursor.execute(
                        f'ALTER ROLE {_ACCOUNT} SET search_path = "{quoted}"'
                    )
            self._connection.close()
        except self._error as error:
            raise _Refused(str(error)) from None

    def url(self) -> 'URL':
        return self._url

    @staticmethod
    def _private_url(server: private_server.Server) -> 'URL':
        from sqlalchemy import engine

        return engine.URL.create(
            'postgresql+psycopg2',
            _ACCOUNT,
            database=_DATABASE,
            query={'host': server.socket},
        )


_TARGETS: dict[str, type[_Target]] = {
    'mysql': _MySQL,
    'postgresql': _PostgreSQL,
}


def _bare_name(name: bytes) -> str:
    """Return the name of a table without its quotes."""
    return name.decode('utf-8', 'replace').strip('`"')


def _mebibytes(number: int) -> str:
    return f'{max(-(-number // 2**20), 1)} MiB'


def _duration(seconds: float) -> str:
    return (
        f'{max(seconds, 1):.0f} s'
        if seconds < 100
        else f'{seconds / 60:.0f} min'
    )


def _plain(name: bytes) -> str:
    """Return a name of MySQL without its quotes."""
    text = name.decode('utf-8', 'replace')
    return text[1:-1].replace('``', '`') if text.startswith('`') else text
