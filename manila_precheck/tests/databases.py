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
"""Databases for tests: one for each test, on three servers.

A test of a check is written once, as a class of scenarios; a class for each
server inherits it::

    class Scenarios(databases.Scenarios): ...
    class SoftDeletedRowsTest(Scenarios, databases.SQLiteTest): ...
    class SoftDeletedRowsMySQLTest(Scenarios, databases.MySQLTest): ...

The servers are set up as in OpenStack's CI: on this host, with the account
that tools/test-setup.sh creates. A test whose server does not answer is
skipped.
"""

import atexit
import collections
import contextlib
import datetime
import functools
import os
import re
import sqlite3
import tempfile
from typing import TYPE_CHECKING
import uuid

import fixtures
import sqlalchemy as sa
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.evidence.database import connection as source
from manila_precheck.testing import schema
from manila_precheck.tests import kept_databases

USER = 'openstack_citest'
HOST = '127.0.0.1'

#: A time long before any test, without fractions, which MySQL may not keep.
LONG_AGO = datetime.datetime(2024, 3, 5, 6, 7, 8)


def url_of(server, name, user=USER, password=USER):
    """Return the URL of a database on one of the servers."""
    driver = {'mysql': 'mysql+pymysql', 'postgresql': 'postgresql+psycopg2'}
    return f'{driver[server]}://{user}:{password}@{HOST}/{name}'


@functools.cache
def _why_not(server):
    """Return why a server cannot be used; '' when it can."""
    try:
        engine = kept_databases.engine(url_of(server, USER))
        with engine.connect():
            return ''
    except (sa.exc.SQLAlchemyError, ImportError) as exc:
        first = str(getattr(exc, 'orig', exc)).strip().splitlines()[0]
        return f'{first}; run tools/test-setup.sh to have it'


@functools.cache
def _tables(release, server):
    """Return the tables of a release, and SQL to create and to stamp them."""
    facts = catalog.Catalog()
    release = releases.parse(release)
    metadata = schema.metadata(release, server, facts)
    made = []
    engine = sa.create_mock_engine(
        url_of(server, USER) if server != 'sqlite' else 'sqlite://',
        lambda statement, *_, **__: made.append(statement),
    )
    metadata.create_all(engine, checkfirst=False)
    statements = [str(one.compile(dialect=engine.dialect)) for one in made]
    stamp = f"INSERT INTO alembic_version VALUES ('{facts.head(release)}')"
    return metadata, ';\n'.join([*statements, stamp]), stamp


@functools.cache
def _file(release):
    """Return the content of an SQLite file with the tables of a release."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'manila.sqlite')
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(
                f'BEGIN;{_tables(release, "sqlite")[1]};COMMIT'
            )
        with open(path, 'rb') as stream:
            return stream.read()


def _admin(server, *statements):
    engine = kept_databases.engine(
        url_of(server, USER),
        isolation_level='AUTOCOMMIT',
        poolclass=sa.pool.NullPool,
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _drop(server, name):
    force = ' WITH (FORCE)' if server == 'postgresql' else ''
    _admin(server, f'DROP DATABASE IF EXISTS {name}{force}')


#: Databases that tests have returned: (server, release) -> databases.
_KEPT = collections.defaultdict(list)
_PROCESS = os.getpid()
_NAMES = {
    'mysql': 'SELECT schema_name FROM information_schema.schemata',
    'postgresql': 'SELECT datname FROM pg_database',
}


@functools.cache
def _drop_left_behind(server):
    """Drop databases that were kept by runs that have been killed."""
    engine = kept_databases.engine(url_of(server, USER))
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(_NAMES[server])
        for (name,) in cursor.fetchall():
            found = re.fullmatch(rf'{USER}_p([0-9]+)_\w+', name)
            if found and not os.path.exists(f'/proc/{found[1]}'):
                # Another process may be dropping it as well.
                with contextlib.suppress(sa.exc.DBAPIError):
                    _drop(server, name)
    engine.dispose()


@atexit.register
def _drop_kept():
    # A child that a test forks does not own the databases.
    if os.getpid() == _PROCESS:
        for (server, _release), kept in _KEPT.items():
            for one in kept:
                _drop(server, one.name)


class Database(fixtures.Fixture):
    """A database that is new, or in the same state as a new one.

    :param server: 'sqlite', 'mysql' or 'postgresql'.
    :param release: the release whose tables it has; None for no tables.
    """

    def __init__(self, server, release=None):
        super().__init__()
        self.server = server
        self._release = release

    def _setUp(self):
        self.name = f'{USER}_p{_PROCESS}_{uuid.uuid4().hex[:12]}'
        self.metadata = None
        self._kept = None
        if self.server == 'sqlite':
            folder = self.useFixture(fixtures.TempDir()).path
            self.path = os.path.join(folder, 'manila.sqlite')
            self.url = f'sqlite:///{self.path}'
            with open(self.path, 'wb') as stream:
                if self._release is not None:
                    stream.write(_file(self._release))
        else:
            self._take_or_make()
            self.addCleanup(self._leave)
            self.url = url_of(self.server, self.name)
        self.engine = kept_databases.engine(self.url)
        self.addCleanup(self.engine.dispose)
        sa.event.listen(self.engine, 'connect', self._let_orphans_in)
        if self._release is not None:
            self.metadata, _, stamp = _tables(self._release, self.server)
            if self.server != 'sqlite' and not self._kept:
                self.create_schema(self._release)
                self._kept = kept_databases.Kept(
                    self.url, self.metadata.tables, stamp
                )

    def _take_or_make(self):
        _drop_left_behind(self.server)
        kept = _KEPT[self.server, self._release]
        while kept:
            one = kept.pop()
            if one.is_as_new():
                self._kept = one
                self.name = one.name
                return
            _drop(self.server, one.name)
        _admin(self.server, f'CREATE DATABASE {self.name}')

    def _leave(self):
        if self._kept:
            _KEPT[self.server, self._release].append(self._kept)
        else:
            _drop(self.server, self.name)

    def _let_orphans_in(self, connection, record):
        # Tests insert only the rows that matter to them, without parents.
        order = {
            'mysql': 'SET foreign_key_checks = 0',
            'postgresql': 'SET session_replication_role = replica',
        }.get(self.server)
        if order:
            connection.cursor().execute(order)
            connection.commit()

    def admin(self, *statements):
        """Run statements as the account that may do everything."""
        _admin(self.server, *statements)

    def account(self, *grants):
        """Make an account of MySQL; return its name in a GRANT, and its URL.

        :param grants: GRANT statements; '{db}' stands for the database,
            '{who}' for the account.
        """
        name = f'd_{self.name[-12:]}'
        who = f"'{name}'@'%'"
        made = [
            grant.format(db=self.name, who=who)
            for grant in (f"CREATE USER {who} IDENTIFIED BY 'x'", *grants)
        ]
        self.addCleanup(self.admin, f"DROP USER '{name}'@'%%'")
        self.admin(*(one.replace('%', '%%') for one in made))
        return who, url_of('mysql', self.name, name, 'x')

    def create_schema(self, release):
        """Make the tables of a release and stamp its head.

        It does the same as :func:`schema.create_schema`, but sends only one
        message to the server.
        """
        self.metadata, script, _ = _tables(release, self.server)
        engine = kept_databases.engine(self.url, poolclass=sa.pool.NullPool)
        sa.event.listen(engine, 'connect', self._let_orphans_in)
        with contextlib.closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            if self.server == 'sqlite':
                cursor.executescript(f'BEGIN;{script};COMMIT')
            else:
                cursor.execute(script)
            while self.server == 'mysql' and cursor.nextset():
                pass
            connection.commit()

    def execute(self, *statements):
        """Run SQL in the database."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def insert(self, table, *rows):
        """Insert rows; columns that a row leaves out get made-up values."""
        made = self.metadata.tables[table]
        with self.engine.begin() as connection:
            for number, row in enumerate(rows):
                values = _made_up(made, number)
                values.update(row)
                connection.execute(made.insert().values(**values))

    def now(self):
        """Return the time of the server, without fractions of a second."""
        statement = {
            'mysql': 'SELECT UTC_TIMESTAMP()',
            'postgresql': "SELECT now() AT TIME ZONE 'UTC'",
        }.get(self.server, "SELECT datetime('now')")
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql(statement).scalar()
        if isinstance(found, str):
            found = datetime.datetime.fromisoformat(found)
        return found.replace(microsecond=0)


def _made_up(table, number):
    values = {}
    for column in table.columns:
        if column.name == 'deleted':
            text = isinstance(column.type, sa.String)
            values['deleted'] = 'False' if text else 0
        elif column.nullable or column.server_default is not None:
            continue
        elif isinstance(column.type, sa.String):
            made = f'{number}-{column.name}'
            values[column.name] = made[: column.type.length or 36]
        elif isinstance(column.type, sa.DateTime):
            values[column.name] = LONG_AGO
        elif isinstance(column.type, sa.Boolean):
            values[column.name] = False
        elif not (column.primary_key and column.autoincrement):
            values[column.name] = number + 1
    return values


class CheckTest(testtools.TestCase):
    """Base of the tests that run a check over a database."""

    def run_check(self, check_id, database, **site):
        """Return the result of a check over a database.

        :param site: arguments of :class:`testing.Site`.
        """
        url = database if isinstance(database, str) else database.url
        site.setdefault('source', None)
        made = self.useFixture(testing.Site(connection=url, **site))
        context = made.context()
        result = made.run(check_id, context)
        context.close()
        return result


class DatabaseTest(CheckTest):
    """Base of the tests that need a database; not a test itself."""

    server = ''

    def setUp(self):
        super().setUp()
        if self.server != 'sqlite' and _why_not(self.server):
            self.skipTest(_why_not(self.server))

    def database(self, release=None):
        """Return a new database, with the tables of a release if named."""
        return self.useFixture(Database(self.server, release))

    def connect(self, database, **limits):
        """Return a connected source over a database, closed at the end.

        :param limits: statement_timeout_seconds, connect_timeout_seconds.
        """
        url = database if isinstance(database, str) else database.url
        made = self.useFixture(testing.Site(connection=url))
        found = source.connect(made.context().conf, **limits)
        self.addCleanup(found.close)
        return found


# Without a server, scenarios must not be test cases, which a loader would run.
if TYPE_CHECKING:
    Scenarios = DatabaseTest
else:
    Scenarios = object


class SQLiteTest(DatabaseTest):
    """Run scenarios on SQLite."""

    server = 'sqlite'


class MySQLTest(DatabaseTest):
    """Run scenarios on MySQL or MariaDB."""

    server = 'mysql'


class PostgreSQLTest(DatabaseTest):
    """Run scenarios on PostgreSQL."""

    server = 'postgresql'
