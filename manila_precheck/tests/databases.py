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
"""Databases for tests: a new one for each test, on three servers.

A test of a check is written once, as a class of scenarios; a class for each
server takes it over::

    class Scenarios(databases.Scenarios): ...
    class SoftDeletedRowsTest(Scenarios, databases.SQLiteTest): ...
    class SoftDeletedRowsMySQLTest(Scenarios, databases.MySQLTest): ...

The servers are those of OpenStack's CI: on this host, with the account that
tools/test-setup.sh creates. A test whose server does not answer is skipped.
"""

import contextlib
import datetime
import functools
import os
from typing import TYPE_CHECKING
import uuid

import fixtures
from pymysql.constants import CLIENT
import sqlalchemy as sa
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.evidence.database import connection as source
from manila_precheck.testing import schema

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
        engine = sa.create_engine(url_of(server, USER))
        with engine.connect():
            return ''
    except (sa.exc.SQLAlchemyError, ImportError) as exc:
        first = str(getattr(exc, 'orig', exc)).strip().splitlines()[0]
        return f'{first}; run tools/test-setup.sh to have it'


@functools.cache
def _tables(release, server):
    """Return the tables of a release, and the statements that make them."""
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
    head = facts.head(release)
    statements.append(f"INSERT INTO alembic_version VALUES ('{head}')")
    return metadata, ';\n'.join(statements)


class Database(fixtures.Fixture):
    """A new, empty database, dropped when the test is over.

    :param server: 'sqlite', 'mysql' or 'postgresql'.
    """

    def __init__(self, server):
        super().__init__()
        self.server = server

    def _setUp(self):
        self.name = f'openstack_citest_{uuid.uuid4().hex[:12]}'
        if self.server == 'sqlite':
            folder = self.useFixture(fixtures.TempDir()).path
            self.path = os.path.join(folder, 'manila.sqlite')
            self.url = f'sqlite:///{self.path}'
            open(self.path, 'w').close()
        else:
            self.url = url_of(self.server, self.name)
            self.admin(f'CREATE DATABASE {self.name}')
            self.addCleanup(self._drop)
        self.engine = sa.create_engine(self.url)
        self.addCleanup(self.engine.dispose)
        sa.event.listen(self.engine, 'connect', self._let_orphans_in)
        self.metadata = None

    def _let_orphans_in(self, connection, record):
        # A test names the rows that matter to it, without their parents.
        order = {
            'mysql': 'SET foreign_key_checks = 0',
            'postgresql': 'SET session_replication_role = replica',
        }.get(self.server)
        if order:
            connection.cursor().execute(order)
            connection.commit()

    def _drop(self):
        force = ' WITH (FORCE)' if self.server == 'postgresql' else ''
        self.admin(f'DROP DATABASE {self.name}{force}')

    def admin(self, *statements):
        """Run statements as the account that may do everything."""
        engine = sa.create_engine(
            url_of(self.server, USER),
            isolation_level='AUTOCOMMIT',
            poolclass=sa.pool.NullPool,
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def account(self, *grants):
        """Make an account of MySQL; return how a GRANT names it, and its URL.

        :param grants: '{db}' stands for the database, '{who}' for it.
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

        As :func:`schema.create_schema` does, in one message to the server.
        """
        self.metadata, script = _tables(release, self.server)
        several = {'mysql': {'client_flag': CLIENT.MULTI_STATEMENTS}}
        engine = sa.create_engine(
            self.url,
            connect_args=several.get(self.server, {}),
            poolclass=sa.pool.NullPool,
        )
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
        """Insert rows; what a row leaves out is made up."""
        made = self.metadata.tables[table]
        with self.engine.begin() as connection:
            for number, row in enumerate(rows):
                values = _made_up(made, number)
                values.update(row)
                connection.execute(made.insert().values(**values))

    def now(self):
        """Return the time of the server, without fractions."""
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
        made = self.useFixture(Database(self.server))
        if release is not None:
            made.create_schema(release)
        return made

    def connect(self, database, **limits):
        """Return a connected source over a database, closed at the end.

        :param limits: statement_timeout_seconds, connect_timeout_seconds.
        """
        url = database if isinstance(database, str) else database.url
        made = self.useFixture(testing.Site(connection=url))
        found = source.connect(made.context().conf, **limits)
        self.addCleanup(found.close)
        return found


# Scenarios are no tests, which a loader would run, before they have a server.
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
