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

"""manila's database, read only by order of its server.

Every session is set read only, READ COMMITTED, with a limit on the time of
a statement, before anything else is asked of it; an account that has nothing
but SELECT will do. What tables and columns there are is read once, in one
statement; a check names the columns that it reads, and is told of a missing
one before any SQL runs.

Importing this module imports no database library: SQLAlchemy loads when a
database is opened. Of oslo.db the options are used, not the engine.
"""

from collections.abc import Sequence
import datetime
import enum
import threading
import time
from typing import Any
from typing import Optional
from typing import TYPE_CHECKING
from typing import Union

from manila_precheck import exceptions
from manila_precheck.sources import database_url
from manila_precheck.sources import table_shapes

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

# 20000 UUIDs and more.
_IDS_LENGTH = 1_000_000


class State(str, enum.Enum):
    """What the database holds, as far as it can be told without a catalog."""

    # No table, or nothing but an alembic_version without a row: a first
    # install.
    EMPTY = 'empty'
    # Tables, and one alembic revision; whether a release has it, and
    # whether the tables are those of it, the catalog knows.
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
    ) -> None:
        self._url = url
        self._location = location
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._idle: list[sa_engine.Connection] = []
        self._busy: list[sa_engine.Connection] = []
        self._deadlines: dict[int, list[float]] = {}
        self._closed = False
        self._engine = self._create_engine()
        #: 'mysql' (for MariaDB too), 'postgresql' or 'sqlite'.
        self.dialect: str = self._engine.dialect.name
        self._read_state()

    def _create_engine(self) -> 'sa_engine.Engine':
        # Not oslo.db's engine: it logs each error with a traceback and the
        # statement, waits and tries again when a server is down, and its
        # import takes 8 MB and a quarter of the time of a run.
        import sqlalchemy
        from sqlalchemy import exc
        from sqlalchemy import pool

        try:
            return sqlalchemy.create_engine(
                self._url,
                # Each statement is a transaction of its own: nothing is
                # held on the server between two of them.
                isolation_level='AUTOCOMMIT',
                # Connections are kept here; see _take().
                poolclass=pool.NullPool,
            )
        except ImportError as error:
            raise self._unusable(
                'cannot be opened', database_url.missing_driver(error)
            ) from None
        except (exc.SQLAlchemyError, TypeError, ValueError) as error:
            raise self._unusable('cannot be opened', str(error)) from None

    def _read_state(self) -> None:
        #: The columns of every table that the account can see, by name.
        self.shape: table_shapes.Shape = self._read_shape()
        found = ()
        if VERSION_TABLE in self.shape:
            version = self.table(VERSION_TABLE, 'version_num')
            found = tuple(
                sorted(row[0] for row in self.rows(_select(version)))
            )
        #: Every row of alembic_version, sorted; one in a sound database.
        self.revisions: tuple[str, ...] = found
        if not set(self.shape) - {VERSION_TABLE} and not found:
            state = State.EMPTY
        elif len(found) > 1:
            state = State.AMBIGUOUS
        else:
            state = State.VERSIONED if found else State.UNVERSIONED
        #: What the database holds.
        self.state: State = state

    @property
    def revision(self) -> Optional[str]:
        """Return the alembic revision; None when there is not just one."""
        return self.revisions[0] if len(self.revisions) == 1 else None

    @property
    def words(self) -> str:
        """Return which database it is, for a message, without secrets."""
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
        from sqlalchemy import exc

        try:
            connection = self._engine.connect()
        except (
            exc.SQLAlchemyError,
            # What drivers raise before they talk to a server: no such
            # file (ssl_ca), an unknown argument, cryptography missing.
            ImportError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise self._unusable('cannot be reached', _reason(error)) from None
        try:
            self._set_up(connection)
        except exc.SQLAlchemyError as error:
            _discard(connection)
            raise self._unusable(
                'cannot be set read only', _reason(error)
            ) from None
        return connection

    def _set_up(self, connection: 'sa_engine.Connection') -> None:
        """Have the server refuse writes and end long statements."""
        seconds = self._timeout_seconds
        if self.dialect == 'sqlite':
            # The file was opened with mode=ro.
            deadline = [float('inf')]
            self._deadlines[id(connection)] = deadline
            _dbapi(connection).set_progress_handler(
                lambda: time.monotonic() > deadline[0], 20_000
            )
            return
        if self.dialect == 'postgresql':
            orders = [
                'SET default_transaction_read_only = on; '  # noqa: S608
                "SET default_transaction_isolation = 'read committed'; "
                f'SET statement_timeout = {seconds * 1000:d}; '
                'SET max_parallel_workers_per_gather = 0; '
                # To compile a statement takes longer than to run it. Not
                # SET: PostgreSQL 10 has no such thing.
                "SELECT set_config(name, 'off', false) FROM pg_settings "
                "WHERE name = 'jit'"
            ]
        else:
            # NOTE: PyMySQL has one limit for the handshake and for every
            # statement, and no name for it that is not its own. The server
            # ends a statement itself; this is for one that does not answer
            # at all any more.
            if getattr(_dbapi(connection), '_read_timeout', None):
                _dbapi(connection)._read_timeout = seconds + 10
            limit = (
                f'max_statement_time = {seconds:d}'
                if getattr(connection.dialect, 'is_mariadb', False)
                else f'max_execution_time = {seconds * 1000:d}'
            )
            orders = [
                'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, '
                'READ ONLY',
                # For a table that an ALTER of somebody else holds.
                f'SET SESSION {limit}, lock_wait_timeout = {seconds:d}, '
                # What GROUP_CONCAT() makes of some ids; MySQL has 1024.
                f'group_concat_max_len = {_IDS_LENGTH:d}',
            ]
        for order in orders:
            connection.exec_driver_sql(order)

    def _take(self) -> 'sa_engine.Connection':
        with self._lock:
            if self._closed:
                raise self._unusable('was closed', 'the run is over')
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

        Those are of checks that were given up, or of a run that the
        operator ended; where the server cannot be asked to end one, its own
        limit does.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for connection in busy:
            self._cancel(connection)
        for connection in idle:
            _discard(connection)
        self._engine.dispose()

    def _cancel(self, connection: 'sa_engine.Connection') -> None:
        """Ask the server to end what runs on a connection."""
        from sqlalchemy import exc

        driver: Any = self._engine.dialect.dbapi
        try:
            if self.dialect == 'sqlite':
                _dbapi(connection).interrupt()
            elif self.dialect == 'postgresql':
                _dbapi(connection).cancel()
            else:
                number = int(_dbapi(connection).thread_id())
                with self._engine.connect() as other:
                    other.exec_driver_sql(f'KILL QUERY {number:d}')
        except (
            exc.SQLAlchemyError,
            driver.Error,
            # It ended by itself, or the driver has no such method.
            AttributeError,
            OSError,
            RuntimeError,
        ):
            pass

    # Statements

    def rows(
        self, statement: 'Union[str, expression.Executable]', about: str = ''
    ) -> Sequence[Any]:
        """Return all rows of a statement; bound it where they are many.

        :param statement: built on :meth:`table`; or, where one statement
            goes to many tables and building each would cost more than
            running it, SQL that every server knows. A name in it goes
            through :meth:`quoted`, and no value from outside goes into it.
        :param about: what is read, for the message of an error: 'shares'.
        :raises StatementRefused: when the server refuses the statement; the
            next one may pass.
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
        """Return the name of a table or column as it stands in SQL."""
        return str(self._engine.dialect.identifier_preparer.quote(name))

    def _fetch(self, execute: Any, about: str) -> Any:
        from sqlalchemy import exc

        connection = self._take()
        deadline = self._deadlines.get(id(connection))
        if deadline is not None:
            deadline[0] = time.monotonic() + self._timeout_seconds
        found = None
        with self._lock:
            self._busy.append(connection)
        try:
            found = execute(connection).fetchall()
            if deadline is not None:
                deadline[0] = float('inf')
        except exc.SQLAlchemyError as error:
            raise self._failure(error, about) from None
        finally:
            with self._lock:
                self._busy.remove(connection)
            if found is None:
                self._deadlines.pop(id(connection), None)
                _discard(connection)
        self._give_back(connection)
        return found

    def now(self) -> datetime.datetime:
        """Return the time of the database server: naive, UTC."""
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
        """Return the server's version as it writes it itself."""
        statement = {
            'mysql': 'SELECT VERSION()',
            'postgresql': 'SHOW server_version',
        }.get(self.dialect, 'SELECT sqlite_version()')
        return str(self.rows(statement)[0][0])

    # Shape

    def _read_shape(self) -> table_shapes.Shape:
        shape = table_shapes.made(
            (text_of(value) for value in row)
            for row in self.rows(table_shapes.STATEMENTS[self.dialect])
        )
        if not shape and self.dialect == 'postgresql':
            elsewhere = self.rows(table_shapes.POSTGRESQL_ELSEWHERE)
            if elsewhere:
                raise self._unusable(
                    'shows no table',
                    f'manila is in schema {elsewhere[0][0]}, which is not on '
                    'the search_path of this account, or which it may not '
                    'use',
                )
        if not shape and self.dialect == 'mysql':
            self._require_no_hidden_table()
        return shape

    def _require_no_hidden_table(self) -> None:
        """Make sure that there is no table, not just none to be seen.

        :raises SourceUnusable: when the account may not read tables. MySQL
            leaves out those on which an account has no privilege, and tells
            one that has it that a table does not exist.
        """
        try:
            self.rows('SELECT version_num FROM alembic_version')
        except exceptions.StatementRefused as exc:
            if "doesn't exist" not in str(exc):
                raise self._unusable('shows no table', str(exc)) from None

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
        types: dict[table_shapes.ColumnType, Any] = {
            table_shapes.ColumnType.TEXT: sqlalchemy.String,
            table_shapes.ColumnType.INTEGER: sqlalchemy.BigInteger,
            table_shapes.ColumnType.BOOLEAN: sqlalchemy.Boolean,
            table_shapes.ColumnType.DATETIME: sqlalchemy.DateTime,
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
        """Return the condition of a row that manila still sees.

        :param table: what :meth:`table` returned, with column 'deleted'.
        """
        condition: sqlalchemy.ColumnElement[bool] = (
            table.c.deleted == self.live_value(table.name)
        )
        return condition

    def soft_deleted(
        self, table: 'expression.TableClause'
    ) -> 'sqlalchemy.ColumnElement[bool]':
        """Return the condition of a row that manila has marked as deleted.

        :param table: what :meth:`table` returned, with column 'deleted'.
        """
        condition: sqlalchemy.ColumnElement[bool] = (
            table.c.deleted != self.live_value(table.name)
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
        text = self.shape[table]['deleted'] is table_shapes.ColumnType.TEXT
        return LIVE_TEXT if text else LIVE_NUMBER

    # Errors

    def _unusable(self, what: str, why: str) -> exceptions.SourceUnusable:
        location = self._location
        return exceptions.SourceUnusable(
            f'{location.words} {what} ({location.option}): '
            f'{location.clean(why)}'
        )

    def _failure(
        self, error: BaseException, about: str
    ) -> exceptions.SourceUnusable:
        reason = self._location.clean(_reason(error))
        of_what = f' of {about}' if about else ''
        words = self._location.words
        if any(text in reason for text in _TIMED_OUT):
            return exceptions.SourceUnusable(
                f'a reading{of_what} in {words} took more than '
                f'{self._timeout_seconds} seconds ([manila_precheck] '
                'statement_timeout_seconds) and was ended'
            )
        if getattr(error, 'connection_invalidated', False):
            return exceptions.SourceUnusable(
                f'the connection to {words} was lost: {reason}'
            )
        return exceptions.StatementRefused(
            f'{words} refused a reading{of_what}: {reason}'
        )


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
            return Database(plain, location, statement_timeout_seconds)
        except exceptions.SourceUnusable as error:
            # The server, or the account, may insist on TLS.
            if 'timed out' in str(error):
                raise
    return Database(url, location, statement_timeout_seconds)


def _select(table: 'expression.TableClause') -> 'sqlalchemy.Select[Any]':
    import sqlalchemy

    return sqlalchemy.select(*table.c)


def _dbapi(connection: 'sa_engine.Connection') -> Any:
    return connection.connection.dbapi_connection


def text_of(value: Any) -> str:
    """Return what some servers and drivers give as bytes, as a text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _discard(connection: 'sa_engine.Connection') -> None:
    """Close a connection for good; a broken one too."""
    from sqlalchemy import exc

    try:
        connection.invalidate()
        connection.close()
    except (exc.SQLAlchemyError, OSError):
        # The server has ended it already.
        pass


def _reason(error: BaseException) -> str:
    """Return the driver's own words for an error, without the statement."""
    original = getattr(error, 'orig', None) or error
    if isinstance(original, OSError):
        return str(original)
    args = original.args
    # PyMySQL and mysqlclient: (number, text).
    if len(args) > 1 and isinstance(args[0], int):
        return str(args[1])
    return str(original) or type(original).__name__
