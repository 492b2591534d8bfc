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

"""manila's database, which its server keeps read only for this program.

Before any other statement, even one of SQLAlchemy, every session is set read
only and READ COMMITTED, with a limit on the time of a statement; an account
that has nothing but SELECT is enough. A server may answer with nonsense, with
nothing, or without end: each raises a SourceUnusable that names the server,
after a limited time and with a limited amount of memory
(:mod:`manila_precheck.evidence.database.watchdog`).

The tables and columns are read once, in one statement. A check names the
columns that it reads, and a missing one is reported before any SQL runs.

Importing this module imports no database library: SQLAlchemy is loaded when a
database is opened. It uses the options of oslo.db, not its engine.
"""

import _thread
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import datetime
import enum
import logging
import os
import struct
import threading
import time
from typing import Any
from typing import Callable
from typing import Optional
from typing import TYPE_CHECKING
from typing import Union
import weakref

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import read_rights
from manila_precheck.evidence.database import watchdog

if TYPE_CHECKING:
    from oslo_config import cfg
    import sqlalchemy
    from sqlalchemy import engine as sa_engine
    from sqlalchemy.sql import expression

VERSION_TABLE = 'alembic_version'

# manila's models override oslo.db's integer default with the text 'False'
# in 33 of their tables (manila 22.0.0 db/sqlalchemy/models.py:306).
LIVE_TEXT = 'False'
LIVE_NUMBER = 0

# The server's own words for a statement that ran too long: MariaDB, MySQL,
# PostgreSQL, and our own interrupt on SQLite.
_TIMED_OUT = (
    'max_statement_time exceeded',
    'maximum statement execution time exceeded',
    'due to statement timeout',
    'interrupted',
)

# The same for a lock that another session held.
_LOCKED_OUT = ('lock wait timeout exceeded', 'due to lock timeout')

# How long a statement may wait for a lock. Reading waits for no rows: only
# LOCK TABLE, an ALTER or the like keeps a table from being read.
_LOCK_SECONDS = 5

# Enough for more than 20000 UUIDs.
_IDS_LENGTH = 1_000_000

#: By how much the memory of the process may grow with one answer.
ANSWER_BYTES = 512 * 2**20

#: The name of this program's sessions, where the server supports names.
PROGRAM = 'manila-precheck'

#: A sound database has one row in alembic_version; more are read up to this.
_MAX_REVISIONS = 100

# How long after the limit of a statement the server may still report it.
_GRACE_SECONDS = 10

# A session may take this many times connect_timeout_seconds to open: to
# connect, for TLS and the login, and for the first statements.
_OPENING = 3

# How long to wait for the request to the server to end a statement.
_CANCEL_SECONDS = 3.0

# What a driver raises, in addition to its own errors, for an answer that
# makes no sense ...
_NONSENSE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    UnicodeDecodeError,
    struct.error,
)

# ... and before it talks to a server: no such file (ssl_ca), a port out of
# range, an unknown argument, cryptography missing.
_RAISED = (
    *_NONSENSE,
    ArithmeticError,
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
)

# Variables of libpq and of the C library of MySQL. The operator's shell sets
# them, not manila: they may name another server, settings of a session
# (PGOPTIONS) or code (LIBMYSQL_PLUGINS). SSLKEYLOGFILE makes Python's ssl
# write a file.
_FOREIGN = ('PG', 'MYSQL', 'LIBMYSQL', 'MARIADB', 'SSLKEYLOGFILE')
_ENVIRONMENT_LOCK = threading.Lock()

_OPEN: 'weakref.WeakSet[Database]' = weakref.WeakSet()


# Tables that every release of manila has (manila 12.0.0 and 23.0.1
# db/sqlalchemy/models.py), and that no other service of OpenStack has.
_OWN_TABLES = frozenset({'shares', 'share_instances'})

# Names the logger of this pool, so that other pools log as configured.
_LOGGING_NAME = 'manila_precheck'


class DatabaseState(str, enum.Enum):
    """What the database holds, as far as it can be told without a catalog."""

    # No table, or only an alembic_version without a row: a first
    # installation.
    EMPTY = 'empty'
    # Tables, and one alembic revision. Only the catalog knows whether a
    # release has the revision and whether the tables belong to it.
    VERSIONED = 'versioned'
    # Tables, but alembic_version is missing or has no row.
    UNVERSIONED = 'unversioned'
    # Tables, and more than one revision.
    AMBIGUOUS = 'ambiguous'


class Database:
    """An open, read only database: its shape, its revision, its rows."""

    def __init__(
        self,
        url: 'sa_engine.URL',
        location: database_url.Location,
        timeout_seconds: int,
        connect_timeout_seconds: int,
        as_of: Optional[datetime.datetime] = None,
        server_version: str = '',
        is_dump: bool = False,
    ) -> None:
        """Open it.

        :param as_of: the time of the rows, in UTC, without a time zone; None
            for now.
        :param server_version: the version of the server from which the rows
            come; '' for the server that is connected to.
        :param is_dump: whether it was restored from a dump, and nobody else
            has it open.
        """
        #: From a dump, so without sessions, accounts and settings of its own.
        self.is_dump = is_dump
        self._url = url
        self._as_of = as_of
        self._server_version = server_version
        self._location = location
        self._timeout_seconds = timeout_seconds
        self._lock_seconds = min(timeout_seconds, _LOCK_SECONDS)
        self._connect_timeout_seconds = connect_timeout_seconds
        self._lock = threading.Lock()
        self._idle: list[sa_engine.Connection] = []
        self._busy: list[sa_engine.Connection] = []
        self._closed = False
        # How often statements were cancelled in all, and how often before a
        # thread sent its first statement.
        self._cancelled = 0
        self._of_thread = threading.local()
        self._watchdog = watchdog.Watchdog(ANSWER_BYTES)
        self._remediation: Optional[Sequence[model.Remediation]] = None
        self._engine = self._create_engine()
        #: 'mysql' (for MariaDB too), 'postgresql' or 'sqlite'.
        self.dialect: str = self._engine.dialect.name
        _OPEN.add(self)
        try:
            self._read_state()
        except exceptions.PrecheckError:
            self.close()
            raise

    def _create_engine(self) -> 'sa_engine.Engine':
        # Not oslo.db's engine: it logs each error with a traceback and the
        # statement, waits and retries when a server is down, and its import
        # takes 8 MB and a quarter of the time of a run.
        import sqlalchemy
        from sqlalchemy import exc
        from sqlalchemy import pool

        name = self._url.drivername
        more: dict[str, Any] = {}
        if name.startswith('postgresql'):
            # Saves two statements.
            more['use_native_hstore'] = False
        elif name == 'mysql+pymysql':
            more['connect_args'] = {
                'auth_plugin_map': {
                    'mysql_clear_password': _ClearPassword,
                    'dialog': _OverTLS,
                }
            }
        elif name.startswith('mysql'):
            # PyMySQL's default; the C library under mysqlclient has its own.
            more['connect_args'] = {'local_infile': 0}
        try:
            engine = sqlalchemy.create_engine(
                self._url,
                # Each statement is a transaction of its own: nothing is
                # held on the server between two of them.
                isolation_level='AUTOCOMMIT',
                # Connections are kept here; see _take().
                poolclass=pool.NullPool,
                pool_logging_name=_LOGGING_NAME,
                **more,
            )
        except ImportError as error:
            raise self._unusable(
                'cannot be opened', database_url.missing_driver(error)
            ) from None
        except (exc.SQLAlchemyError, *_RAISED) as error:
            raise self._unusable('cannot be opened', str(error)) from None
        self._errors: tuple[type[BaseException], ...] = (
            exc.SQLAlchemyError,
            engine.dialect.dbapi.Error,  # type: ignore[union-attr]
            *_RAISED,
        )
        # The pool logs a connection that cannot be closed with a traceback.
        logging.getLogger(
            f'sqlalchemy.pool.impl.NullPool.{_LOGGING_NAME}'
        ).setLevel(logging.CRITICAL)
        # insert: before the statements that SQLAlchemy sends in a new session.
        sqlalchemy.event.listen(engine, 'connect', self._set_up, insert=True)
        return engine

    def _read_state(self) -> None:
        #: The columns of every table that the account can see, by name.
        self.shape: column_types.Shape = self._read_shape()
        found = self._read_revisions()
        #: Every row of alembic_version, sorted; one in a sound database.
        self.revisions: tuple[str, ...] = found
        if not set(self.shape) - {VERSION_TABLE} and not found:
            state = DatabaseState.EMPTY
        elif len(found) > 1:
            state = DatabaseState.AMBIGUOUS
        else:
            state = (
                DatabaseState.VERSIONED if found else DatabaseState.UNVERSIONED
            )
        #: What the database holds.
        self.state: DatabaseState = state

    def _read_revisions(self) -> tuple[str, ...]:
        if VERSION_TABLE not in self.shape:
            return ()
        try:
            version = self.table(VERSION_TABLE, 'version_num')
        except exceptions.SchemaMismatch as error:
            raise self._unusable('has no revision', str(error)) from None
        rows = self.rows(
            _select(version).limit(_MAX_REVISIONS + 1), VERSION_TABLE
        )
        if len(rows) > _MAX_REVISIONS:
            raise self._unusable(
                'has no revision',
                f'{VERSION_TABLE} holds more than {_MAX_REVISIONS} rows',
            )
        found = []
        for (value,) in rows:
            if not isinstance(value, (str, bytes)):
                what = 'NULL' if value is None else repr(value)
                raise self._unusable(
                    'has no revision',
                    f'version_num is {what} in a row of {VERSION_TABLE}',
                )
            found.append(text_of(value))
        return tuple(sorted(found))

    @property
    def revision(self) -> Optional[str]:
        """Return the alembic revision; None unless there is exactly one."""
        return self.revisions[0] if len(self.revisions) == 1 else None

    @property
    def foreign(self) -> str:
        """Why the database is not manila's; '' when it is, or is empty."""
        if self.state is DatabaseState.EMPTY or _OWN_TABLES & set(self.shape):
            return ''
        number = len(self.shape)
        return (
            f'{self.words} has {number} table{"" if number == 1 else "s"}, '
            "none of them manila's: it is not manila's database"
        )

    @property
    def words(self) -> str:
        """Return the name of the database for a message, without secrets."""
        return self._location.words

    @property
    def secrets(self) -> frozenset[str]:
        """Return the values of the URL that no text may show."""
        return self._location.secrets

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the parameters of the URL that are not used, sorted."""
        return self._location.left_out

    # Sessions

    def _open(self) -> 'sa_engine.Connection':
        limit = _OPENING * self._connect_timeout_seconds
        before = set(watchdog.open_sockets())

        def end() -> None:
            # No driver tells which socket it uses while it connects.
            for name, descriptor in watchdog.open_sockets().items():
                if name not in before:
                    watchdog.shut(descriptor)

        with self._watchdog.watching(limit, end) as watch:
            try:
                with _own_environment():
                    return self._engine.connect()
            except self._errors as error:
                if isinstance(error, exceptions.PrecheckError):
                    raise
                reason = _reason(error)
                if watch.too_large:
                    reason = f'it sent more than {_mebibytes(ANSWER_BYTES)}'
                elif watch.too_long:
                    reason = (
                        f'timed out: no session within {limit} seconds '
                        f'({_OPENING} times [manila_precheck] '
                        'connect_timeout_seconds)'
                    )
                raise self._unusable(
                    'cannot be reached',
                    reason,
                    read_rights.login(
                        self.dialect,
                        _original(error),
                        self._url.database or '',
                        self._url.username or '',
                        self._location.option,
                    ),
                ) from None

    def _set_up(self, dbapi_connection: Any, record: Any) -> None:
        """Have the server refuse writes and end long statements.

        :raises SourceUnusable: when the server does not accept the settings.
        """
        try:
            if self.dialect == 'postgresql':
                self._set_up_postgresql(dbapi_connection)
            elif self.dialect == 'mysql':
                self._set_up_mysql(dbapi_connection)
        except self._errors as error:
            with contextlib.suppress(*self._errors):
                dbapi_connection.close()
            raise self._unusable(
                'cannot be set read only', _reason(error)
            ) from None

    def _set_up_postgresql(self, connection: Any) -> None:
        # A rollback by SQLAlchemy would revert the settings.
        connection.autocommit = True
        orders = (
            'SET default_transaction_read_only = on; '  # noqa: S608
            f"SET application_name = '{PROGRAM}'; "
            "SET datestyle = 'ISO'; "
            "SET default_transaction_isolation = 'read committed'; "
            f'SET statement_timeout = {self._timeout_seconds * 1000:d}; '
            f'SET lock_timeout = {self._lock_seconds * 1000:d}; '
            'SET max_parallel_workers_per_gather = 0; '
            # Compiling a statement takes longer than running it. Not SET:
            # PostgreSQL 10 does not have this setting.
            "SELECT set_config(name, 'off', false) FROM pg_settings "
            "WHERE name = 'jit'"
        )
        # Ends a statement whose client is gone: from 14 on, and not on every
        # operating system of a server.
        watched = (
            "; SELECT set_config(name, '1s', false) FROM pg_settings "
            "WHERE name = 'client_connection_check_interval'"
        )
        with contextlib.closing(connection.cursor()) as cursor:
            try:
                cursor.execute(orders + watched)
            except self._engine.dialect.dbapi.Error:  # type: ignore[union-attr]
                cursor.execute(orders)

    def _set_up_mysql(self, connection: Any) -> None:
        seconds = self._timeout_seconds
        # NOTE: PyMySQL has one limit for the handshake and for every
        # statement, and only a private name for it. The server itself ends
        # a long statement; this limit is for a server that does not answer
        # at all any more.
        if getattr(connection, '_read_timeout', None):
            connection._read_timeout = seconds + _GRACE_SECONDS
        limit = (
            f'max_statement_time = {seconds:d}'
            if 'mariadb' in str(connection.get_server_info()).lower()
            else f'max_execution_time = {seconds * 1000:d}'
        )
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(
                'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, '
                'READ ONLY'
            )
            cursor.execute(
                f'SET SESSION {limit}, '
                f'lock_wait_timeout = {self._lock_seconds:d}, '
                # The length of GROUP_CONCAT() of ids; MySQL's default is 1024.
                f'group_concat_max_len = {_IDS_LENGTH:d}'
            )

    def _take(self) -> 'sa_engine.Connection':
        with self._lock:
            if self._closed:
                raise self._unusable('was closed', 'the run is over')
            # The thread of an aborted check continues, but may send nothing.
            # The main thread belongs to no check.
            began = vars(self._of_thread).setdefault('began', self._cancelled)
            if (
                began != self._cancelled
                and threading.current_thread() is not threading.main_thread()
            ):
                raise self._unusable(
                    'is no longer read', 'the check was aborted'
                )
            if self._idle:
                return self._idle.pop()
        return self._open()

    def _give_back(self, connection: 'sa_engine.Connection') -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        _discard(connection)

    def close(self) -> None:
        """Close every connection, and end the statements that still run.

        Such statements belong to checks that were aborted, or to a run that
        the operator ended. Where the server cannot be asked to end one, its
        own limit does.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        self.cancel()
        for connection in idle:
            _discard(connection)
        self._engine.dispose()
        self._watchdog.close()

    def cancel(self) -> None:
        """Have the server end the statements that run.

        The request goes through a connection of its own, and the server gets
        a few seconds to answer; where it cannot be asked, its own limit ends
        the statements. A thread that has sent one cannot send another.
        """
        with self._lock:
            self._cancelled += 1
            busy = list(self._busy)
        _within_seconds([_bound(self._cancel, one) for one in busy])

    def _cancel(self, connection: 'sa_engine.Connection') -> None:
        # Other errors: the statement ended by itself, or the driver has no
        # such method.
        with contextlib.suppress(*self._errors):
            if self.dialect == 'sqlite':
                _dbapi(connection).interrupt()
            elif self.dialect == 'postgresql':
                _dbapi(connection).cancel()
            else:
                number = int(_dbapi(connection).thread_id())
                with self._engine.connect() as other:
                    other.exec_driver_sql(f'KILL QUERY {number:d}')

    @property
    def sessions(self) -> frozenset[int]:
        """The ids that the server gave to the sessions of this run."""
        with self._lock:
            open_ = [*self._idle, *self._busy]
        found = set()
        for connection in open_:
            # Other errors: the session ended by itself.
            with contextlib.suppress(*self._errors):
                driver = _dbapi(connection)
                if self.dialect == 'mysql':
                    found.add(int(driver.thread_id()))
                elif self.dialect == 'postgresql':
                    found.add(int(driver.info.backend_pid))
        return frozenset(found)

    def _cut(self, connection: 'sa_engine.Connection') -> None:
        """Make the driver stop reading an answer."""
        with contextlib.suppress(*self._errors):
            driver = _dbapi(connection)
            if self.dialect == 'sqlite':
                driver.interrupt()
            else:
                # PyMySQL has no fileno() of its own.
                watchdog.shut(getattr(driver, '_sock', driver).fileno())

    # Statements

    def rows(
        self, statement: 'Union[str, expression.Executable]', about: str = ''
    ) -> Sequence[Any]:
        """Return all rows of a statement; the caller limits a large result.

        :param statement: built on :meth:`table`; or SQL that every server
            knows, where one statement reads many tables and building it
            would cost more than running it. Names in such SQL go through
            :meth:`quoted`, and no value from outside goes into it.
        :param about: what is read, for the message of an error: 'shares'.
        :raises StatementRefused: when the server refuses the statement; the
            next one may succeed.
        :raises SourceUnusable: when the connection is lost, or the statement
            takes longer than statement_timeout_seconds.
        """
        if isinstance(statement, str):
            text = statement
            found = self._fetch(
                lambda connection: connection.exec_driver_sql(
                    text, execution_options={'no_parameters': True}
                ),
                about,
            )
        else:
            clause = statement
            found = self._fetch(
                lambda connection: connection.execute(clause), about
            )
        rows: Sequence[Any] = found
        return rows

    def row(
        self, statement: 'Union[str, expression.Executable]', about: str = ''
    ) -> Any:
        """Return the one row of a statement such as a count.

        :raises StatementRefused: as :meth:`rows` does.
        :raises SourceUnusable: as :meth:`rows` does.
        """
        return self.rows(statement, about)[0]

    def quoted(self, name: str) -> str:
        """Return the name of a table or column, quoted for SQL as needed."""
        return str(self._engine.dialect.identifier_preparer.quote(name))

    def _fetch(self, execute: Any, about: str) -> Any:
        connection = self._take()
        seconds = self._timeout_seconds
        if self.dialect != 'sqlite':
            # The server itself ends the statement earlier.
            seconds += _GRACE_SECONDS
        found = None
        with self._lock:
            self._busy.append(connection)
        try:
            with self._watchdog.watching(
                seconds, lambda: self._cut(connection)
            ) as watch:
                found = execute(connection).fetchall()
        except self._errors as error:
            raise self._failure(error, about, watch) from None
        finally:
            with self._lock:
                self._busy.remove(connection)
            if found is None:
                _discard(connection)
        self._give_back(connection)
        return found

    def now(self) -> datetime.datetime:
        """Return the time of the database server: naive, UTC.

        For a dump it is the time at which it was made.
        """
        if self._as_of is not None:
            return self._as_of
        if self.dialect == 'sqlite':
            text = self.rows("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")[0][
                0
            ]
            return datetime.datetime.fromisoformat(text)
        found: datetime.datetime = self.rows(
            'SELECT UTC_TIMESTAMP(6)'
            if self.dialect == 'mysql'
            else "SELECT clock_timestamp() AT TIME ZONE 'UTC'"
        )[0][0]
        return found

    @property
    def server_version(self) -> str:
        """Return the server's version, as the server writes it.

        For a dump it is the version of the server that was dumped.
        """
        if self._server_version:
            return self._server_version
        statement = {
            'mysql': 'SELECT VERSION()',
            'postgresql': 'SHOW server_version',
        }.get(self.dialect, 'SELECT sqlite_version()')
        return str(self.rows(statement)[0][0])

    # Shape

    def _read_shape(self) -> column_types.Shape:
        rows = self.rows(column_types.STATEMENTS[self.dialect], 'its tables')
        try:
            shape = column_types.made(
                (text_of(value) for value in row) for row in rows
            )
        except (*_NONSENSE, ValueError) as error:
            raise self._unusable(
                'does not list its tables',
                f'{type(error).__name__}: {error}',
            ) from None
        if not shape and self.dialect == 'postgresql':
            elsewhere = self.rows(column_types.POSTGRESQL_ELSEWHERE)
            if elsewhere:
                raise self._unusable(
                    'shows no table',
                    f'manila is in schema {elsewhere[0][0]}, which is not on '
                    'the search_path of this account, or which the account '
                    'may not use',
                    self._rights(),
                )
        if self.dialect == 'mysql' and not _OWN_TABLES & set(shape):
            self._require_no_hidden_table(shape)
        return shape

    def _require_no_hidden_table(self, shape: column_types.Shape) -> None:
        """Make sure that manila's tables are missing, and not just hidden.

        :raises SourceUnusable: when the account may not read tables. MySQL
            hides tables on which an account has no privilege, and says that a
            table does not exist only to an account that has one.
        """
        for table in sorted({VERSION_TABLE, *_OWN_TABLES}.difference(shape)):
            try:
                self.rows(f'SELECT 1 FROM {table} LIMIT 1')  # noqa: S608
            except exceptions.StatementRefused as exc:
                if "doesn't exist" not in str(exc):
                    raise self._unusable(
                        'shows no table of manila', str(exc), exc.remediation
                    ) from None

    def has_table(self, table: str) -> bool:
        """Say whether the database has a table."""
        return table in self.shape

    def has_column(self, table: str, column: str) -> bool:
        """Say whether the database has a table with this column."""
        return column in self.shape.get(table, {})

    def table(self, name: str, *columns: str) -> 'expression.TableClause':
        """Return a table with just these columns, to build statements on.

        :raises SchemaMismatch: when it, or one of the columns, is missing;
            no statement was sent then.
        """
        import sqlalchemy

        if name not in self.shape:
            raise exceptions.SchemaMismatch(name)
        present = self.shape[name]
        types: dict[column_types.ColumnType, Any] = {
            column_types.ColumnType.TEXT: sqlalchemy.String,
            column_types.ColumnType.INTEGER: sqlalchemy.BigInteger,
            column_types.ColumnType.BOOLEAN: sqlalchemy.Boolean,
            column_types.ColumnType.DATETIME: sqlalchemy.DateTime,
        }
        for column in columns:
            if column not in present:
                raise exceptions.SchemaMismatch(name, column)
        return sqlalchemy.table(
            name,
            *(
                sqlalchemy.column(column, types.get(present[column]))
                for column in columns
            ),
        )

    def live(
        self, table: 'expression.TableClause'
    ) -> 'sqlalchemy.ColumnElement[bool]':
        """Return the condition of a row that was not deleted.

        :param table: what :meth:`table` returned, with column 'deleted'.
        """
        condition: sqlalchemy.ColumnElement[bool] = (
            table.c.deleted == self.live_value(table.name)
        )
        return condition

    def live_value(self, table: str) -> Any:
        """Return what ``deleted`` holds in a live row of a table.

        :raises SchemaMismatch: when the table has no such column.
        """
        if not self.has_column(table, 'deleted'):
            raise exceptions.SchemaMismatch(
                table, 'deleted' if table in self.shape else None
            )
        text = self.shape[table]['deleted'] is column_types.ColumnType.TEXT
        return LIVE_TEXT if text else LIVE_NUMBER

    # Errors

    def _unusable(
        self,
        what: str,
        why: str,
        remediation: Sequence[model.Remediation] = (),
    ) -> exceptions.SourceUnusable:
        location = self._location
        made = exceptions.SourceUnusable(
            f'{location.words} {what} ({location.option}): '
            f'{location.clean(why)}'
        )
        made.remediation = remediation
        return made

    def _failure(
        self, error: BaseException, about: str, watch: watchdog.Watch
    ) -> exceptions.SourceUnusable:
        reason = self._location.clean(_reason(error))
        of_what = f' of {about}' if about else ''
        words = self._location.words
        if watch.too_large:
            return exceptions.SourceUnusable(
                f'a query{of_what} on {words} used more than '
                f'{_mebibytes(ANSWER_BYTES)} of memory and was aborted'
            )
        if any(text in reason.lower() for text in _LOCKED_OUT):
            return exceptions.SourceUnusable(
                f'a query{of_what} on {words} waited more than '
                f'{self._lock_seconds} seconds for a lock that another '
                'session holds, and was aborted'
            )
        if watch.too_long or any(text in reason for text in _TIMED_OUT):
            return exceptions.SourceUnusable(
                f'a query{of_what} on {words} took more than '
                f'{self._timeout_seconds} seconds ([manila_precheck] '
                'statement_timeout_seconds) and was aborted'
            )
        if getattr(error, 'connection_invalidated', False):
            return exceptions.SourceUnusable(
                f'the connection to {words} was lost: {reason}'
            )
        if isinstance(_original(error), _RAISED):
            return exceptions.SourceUnusable(
                f'the answer of {words} to a query{of_what} is not valid: '
                f'{reason}'
            )
        refused = exceptions.StatementRefused(
            f'{words} rejected a query{of_what}: {reason}'
        )
        if read_rights.denied(self.dialect, _original(error)):
            refused.remediation = self._rights()
        return refused

    @property
    def missing_rights(self) -> Sequence[model.Remediation]:
        """Return how to let the account read; none if nothing was denied."""
        return self._remediation or ()

    def _rights(self) -> Sequence[model.Remediation]:
        """Return how to let the account read, as far as the server tells."""
        if self._remediation is None:
            # NOTE: set first, because these statements may be refused, too.
            self._remediation = ()
            with contextlib.suppress(exceptions.PrecheckError):
                self._remediation = read_rights.tables(
                    self.dialect,
                    self.rows,
                    self._url.database or '',
                    self._location.option,
                )
        return self._remediation


class _OverTLS:
    """Log in with the password in clear text, but only over TLS or a socket.

    An entry of PyMySQL's auth_plugin_map. By default PyMySQL sends the
    password to any server that asks for it.
    """

    def __init__(self, connection: Any) -> None:
        # _secure: the connection uses TLS or a Unix socket.
        if not connection._secure:
            raise RuntimeError(
                'the server requires the password in clear text, which is '
                'sent only over TLS (set ssl_ca in the URL)'
            )
        self._connection = connection


class _ClearPassword(_OverTLS):
    """The same for mysql_clear_password."""

    def authenticate(self, packet: Any) -> Any:
        """Send the password, and return the server's answer."""
        self._connection.write_packet(self._connection.password + b'\0')
        answer = self._connection._read_packet()
        answer.check_error()
        return answer


def connect(
    conf: 'cfg.ConfigOpts',
    statement_timeout_seconds: int = 60,
    connect_timeout_seconds: int = 10,
) -> Database:
    """Open the database that ``[database]`` of manila.conf names.

    :param conf: options whose files were parsed; oslo.db's own are
        registered on it.
    :param statement_timeout_seconds: how long one statement may take, 1 or
        more.
    :param connect_timeout_seconds: how long to wait for a server, 1 or more.
    :raises SourceNotGiven: when no connection is configured.
    :raises SourceUnusable: when the server, or the file, cannot be reached
        or refuses the account.
    """
    option, text = database_url.configured(conf)
    url, location = database_url.read(
        option, text, statement_timeout_seconds, connect_timeout_seconds
    )
    plain = database_url.without_tls(url)
    if plain is not None:
        try:
            return Database(
                plain,
                location,
                statement_timeout_seconds,
                connect_timeout_seconds,
            )
        except exceptions.SourceUnusable as error:
            # The server, or the account, may insist on TLS.
            if 'timed out' in str(error):
                raise
    return Database(
        url, location, statement_timeout_seconds, connect_timeout_seconds
    )


def cancel_all() -> None:
    """Have the servers end running statements before this process ends.

    For the handler of a signal: it takes a few seconds at most, whatever
    locks the interrupted code holds.
    """
    _within_seconds([_bound(one.cancel) for one in list(_OPEN)])


def _bound(call: Callable[..., None], *args: Any) -> Callable[[], None]:
    return lambda: call(*args)


def _within_seconds(calls: Sequence[Callable[[], None]]) -> None:
    """Make calls at the same time, and abandon those that take too long."""
    ends = time.monotonic() + _CANCEL_SECONDS
    done = []
    for call in calls:
        over = threading.Event()
        done.append(over)

        def body(call: Callable[[], None] = call, over: Any = over) -> None:
            try:
                call()
            finally:
                over.set()

        # Not threading.Thread: the interrupted code may hold the lock that
        # starting a thread needs.
        _thread.start_new_thread(body, ())
    for over in done:
        over.wait(max(0.0, ends - time.monotonic()))


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Hide the environment from a driver: it connects as manila.conf says."""
    with _ENVIRONMENT_LOCK:
        hidden = {
            name: os.environ.pop(name)
            for name in list(os.environ)
            if name.startswith(_FOREIGN)
        }
        try:
            yield
        finally:
            os.environ.update(hidden)


def _mebibytes(number: int) -> str:
    return f'{number // 2**20} MiB'


def _select(table: 'expression.TableClause') -> 'sqlalchemy.Select[Any]':
    import sqlalchemy

    return sqlalchemy.select(*table.c)


def _dbapi(connection: 'sa_engine.Connection') -> Any:
    return connection.connection.dbapi_connection


def text_literal(value: str) -> str:
    """Return a text as a literal of PostgreSQL's SQL."""
    return "'{}'".format(value.replace("'", "''"))


def text_of(value: Any) -> str:
    """Return a text that some servers and drivers return as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _discard(connection: 'sa_engine.Connection') -> None:
    """Close a connection for good, even a broken one."""
    from sqlalchemy import exc

    # Other errors: the server has ended the connection already.
    with contextlib.suppress(exc.SQLAlchemyError, *_RAISED):
        connection.invalidate()
        connection.close()


def _original(error: BaseException) -> BaseException:
    """Return what the driver raised."""
    return getattr(error, 'orig', None) or error


def _reason(error: BaseException) -> str:
    """Return the driver's own words for an error, without the statement."""
    original = _original(error)
    name = type(original).__name__
    if isinstance(original, _NONSENSE):
        return f'the driver fails ({name}: {original})'
    if isinstance(original, OSError):
        return str(original)
    args = original.args
    # PyMySQL and mysqlclient: (number, text).
    if len(args) > 1 and isinstance(args[0], int):
        return str(args[1]) or name
    return str(original) or name
