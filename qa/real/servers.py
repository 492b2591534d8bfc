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

"""The database servers on which manila's tables are made.

Everything here is plain SQL through the driver of the server, so that tests
determine what they expect without any code of the package.

``MANILA_PRECHECK_MYSQL_URL`` and ``MANILA_PRECHECK_POSTGRESQL_URL`` name the
servers: a URL without a database, with an account that may create databases
and accounts. The default is the account made by ``tools/test-setup.sh``.
"""

import contextlib
import os
import re
import secrets
from urllib import parse

import psycopg2
import pymysql

#: The prefix of the names of all databases and accounts of these tests.
PREFIX = 'rig_'


def execute(connection, sql):
    """Run one statement on a connection; return its rows."""
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


class Server:
    """A database server, used as its administrator."""

    name = ''
    drivername = ''
    variable = ''
    default = ''
    default_port = 0

    def __init__(self):
        url = parse.urlsplit(os.environ.get(self.variable, self.default))
        self.host = url.hostname or '127.0.0.1'
        self.port = url.port or self.default_port
        self.user = parse.unquote(url.username or '')
        self.password = parse.unquote(url.password or '')

    def connect(self, database=None):
        """Return a connection of the administrator."""
        raise NotImplementedError

    def tables(self, database):
        """Return the names of the tables of a database."""
        raise NotImplementedError

    def digest(self, database, table):
        """Return the digest of the rows of a table."""
        raise NotImplementedError

    def why_not(self):
        """Return why the server cannot be used; None when it can."""
        try:
            self.run('SELECT 1')
        except (pymysql.Error, psycopg2.Error) as exc:
            text = ' '.join(str(exc).split())
            return f'{self.name} at {self.host}:{self.port}: {text}'
        return None

    def url(self, database, user=None, password=None, port=None):
        """Return the URL of a database, for manila.conf."""
        if user is None:
            user, password = self.user, self.password
        return (
            f'{self.drivername}://{parse.quote(user, safe="")}:'
            f'{parse.quote(password or "", safe="")}@{self.host}:'
            f'{port or self.port}/{database}'
        )

    def run(self, sql, database=None):
        """Run one statement as the administrator; return its rows."""
        with contextlib.closing(self.connect(database)) as connection:
            return execute(connection, sql)

    def new_name(self):
        """Return a unique name for a database or an account."""
        return PREFIX + secrets.token_hex(5)

    def contents(self, database):
        """Return the digest of the rows of every table, by name."""
        return {
            table: self.digest(database, table)
            for table in sorted(self.tables(database))
        }


class MySQL(Server):
    """MariaDB or MySQL."""

    name = 'MySQL'
    drivername = 'mysql+pymysql'
    variable = 'MANILA_PRECHECK_MYSQL_URL'
    default = 'mysql://openstack_citest:openstack_citest@127.0.0.1'
    default_port = 3306

    def connect(self, database=None):
        """Return a connection of the administrator."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
        )

    def create(self, database):
        """Create an empty database as manila's installation guide does."""
        # NOTE: the migrations name utf8 for the tables that they create.
        self.run(f'CREATE DATABASE {database} CHARACTER SET utf8')

    def drop(self, database):
        """Drop a database."""
        self.run(f'DROP DATABASE IF EXISTS {database}')

    def create_reader(self, database, user, password):
        """Create an account that has only SELECT on a database."""
        self.run(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'")
        self.run(f"GRANT SELECT ON {database}.* TO '{user}'@'%'")

    def grant(self, database, user):
        """Grant an account SELECT on tables that were made since."""

    def asks_for_passwords(self, user):
        """Say whether the server verifies passwords."""
        return True

    def drop_account(self, database, user):
        """Drop an account."""
        self.run(f"DROP USER IF EXISTS '{user}'@'%'")

    def copy(self, template, database, edits=(), rows=True):
        """Make a copy of a database.

        :param edits: (table, or '' for all; pattern; text): replacements in
            the statements that create tables.
        :param rows: False copies only the rows of alembic_version.
        """
        self.create(database)
        missed = set(edits)
        with contextlib.closing(self.connect(database)) as connection:
            execute(connection, 'SET foreign_key_checks = 0')
            for table in self.tables(template):
                ((_, made),) = execute(
                    connection, f'SHOW CREATE TABLE {template}.{table}'
                )
                for only, pattern, text in edits:
                    if only in ('', table) and re.search(pattern, made):
                        made = re.sub(pattern, text, made)
                        missed.discard((only, pattern, text))
                execute(connection, made)
                if rows or table == 'alembic_version':
                    execute(
                        connection,
                        f'INSERT INTO {table} SELECT * FROM '
                        f'{template}.{table}',
                    )
        if missed:
            raise ValueError(f'nothing to edit: {missed}')

    def tables(self, database):
        """Return the names of the tables."""
        return [row[0] for row in self.run('SHOW TABLES', database)]

    def digest(self, database, table):
        """Return a digest of the rows of a table."""
        return self.run(f'CHECKSUM TABLE `{table}` EXTENDED', database)[0][1]

    def catalogue(self, database):
        """Return the structure of a database: every column and index."""
        return [
            *self.run(
                'SELECT table_name, create_time, engine FROM '
                'information_schema.tables WHERE table_schema = '
                f"'{database}' ORDER BY 1"
            ),
            *self.run(
                'SELECT table_name, column_name, column_type, is_nullable '
                'FROM information_schema.columns WHERE table_schema = '
                f"'{database}' ORDER BY 1, 2"
            ),
            *self.run(
                'SELECT table_name, index_name, seq_in_index, column_name '
                'FROM information_schema.statistics WHERE table_schema = '
                f"'{database}' ORDER BY 1, 2, 3"
            ),
        ]


class PostgreSQL(Server):
    """PostgreSQL."""

    name = 'PostgreSQL'
    drivername = 'postgresql+psycopg2'
    variable = 'MANILA_PRECHECK_POSTGRESQL_URL'
    default = 'postgresql://openstack_citest:openstack_citest@127.0.0.1'
    default_port = 5432

    def connect(self, database=None):
        """Return a connection of the administrator."""
        connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password or None,
            dbname=database or 'postgres',
        )
        connection.autocommit = True
        return connection

    def create(self, database):
        """Create an empty database."""
        self.run(
            f'CREATE DATABASE {database} TEMPLATE template0 ENCODING \'UTF8\''
        )

    def drop(self, database):
        """Drop a database, even if it is in use."""
        self.run(f'DROP DATABASE IF EXISTS {database} WITH (FORCE)')

    def create_reader(self, database, user, password):
        """Create an account that has only SELECT on a database."""
        self.run(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        self.grant(database, user)

    def grant(self, database, user):
        """Grant an account SELECT on tables that were made since."""
        self.run(
            f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}', database
        )

    def asks_for_passwords(self, user):
        """Say whether the server verifies passwords: not with method trust."""
        try:
            psycopg2.connect(
                host=self.host,
                port=self.port,
                user=user,
                password='of nobody',
                dbname='postgres',
            ).close()
        except psycopg2.OperationalError:
            return True
        return False

    def drop_account(self, database, user):
        """Drop an account."""
        if self.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
            self.run(f'DROP OWNED BY {user}', database)
            self.run(f'DROP ROLE {user}')

    def copy(self, template, database, edits=(), rows=True):
        """Make a copy of a database that is not in use.

        :param edits: not supported: there are no statements to edit.
        :param rows: False copies only the rows of alembic_version.
        """
        self.run(f'CREATE DATABASE {database} TEMPLATE {template}')
        if not rows:
            tables = set(self.tables(database)) - {'alembic_version'}
            self.run(f'TRUNCATE {", ".join(sorted(tables))} CASCADE', database)

    def tables(self, database):
        """Return the names of the tables."""
        return [
            row[0]
            for row in self.run(
                'SELECT tablename FROM pg_tables '
                "WHERE schemaname = 'public'",
                database,
            )
        ]

    def digest(self, database, table):
        """Return a digest of the rows of a table."""
        return self.run(
            "SELECT md5(coalesce(string_agg(r, '|' ORDER BY r), '')) FROM "
            f'(SELECT t::text AS r FROM "{table}" t) AS rows',
            database,
        )[0][0]

    def catalogue(self, database):
        """Return the structure of a database: every relation and column."""
        return [
            *self.run(
                'SELECT relname, relkind, relfilenode FROM pg_class WHERE '
                "relnamespace = 'public'::regnamespace ORDER BY 1",
                database,
            ),
            *self.run(
                'SELECT table_name, column_name, data_type, is_nullable FROM '
                "information_schema.columns WHERE table_schema = 'public' "
                'ORDER BY 1, 2',
                database,
            ),
        ]
