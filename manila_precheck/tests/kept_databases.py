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
"""Databases with the tables of a release that tests use one after another.

A server takes half a second to create the tables, and as long to drop them. So
the next test gets the database of an earlier one, with empty tables, if
nothing else in it differs from a new one; otherwise it is dropped.
"""

import contextlib
import re

from pymysql.constants import CLIENT
import sqlalchemy as sa

# What SHOW CREATE TABLE does not show: the sizes of the tables, the server's
# statistics of their rows, other objects, and connections.
_MYSQL_STATE = """
    SHOW FULL TABLES;
    SHOW CREATE DATABASE {name};
    SELECT table_name, engine, row_format, data_length, index_length,
           CASE table_name WHEN 'alembic_version' THEN 0 ELSE table_rows END,
           table_collation, create_options, table_comment
    FROM information_schema.tables WHERE table_schema = '{name}';
    SHOW TRIGGERS;
    SHOW EVENTS;
    SELECT routine_name FROM information_schema.routines
    WHERE routine_schema = '{name}';
    SELECT * FROM mysql.db WHERE db = '{name}';
    SELECT * FROM mysql.tables_priv WHERE db = '{name}';
    SELECT * FROM mysql.columns_priv WHERE db = '{name}';
    SELECT id FROM information_schema.processlist
    WHERE db = '{name}' AND id <> connection_id()
"""

# A changed row of a catalog has a new xmin, except when ANALYZE updates it in
# place.
_POSTGRESQL_STATE = """
    SELECT sum(reltuples), sum(relpages) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
      AND relname NOT LIKE 'alembic_version%';
    SELECT d.xmin::text, d.datacl::text, d.datconnlimit, s.setconfig
    FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid
    WHERE d.datname = current_database();
    SELECT count(*) FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database();
    SELECT gid FROM pg_prepared_xacts WHERE database = current_database();
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""
_POSTGRESQL_CATALOGS = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'
      AND NOT relisshared AND relname NOT LIKE 'pg_statistic%'
    ORDER BY relname
"""
_POSTGRESQL_SEQUENCES = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass,
                  start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""

_NUMBER = re.compile(r' AUTO_INCREMENT=[0-9]+')


def engine(url, **how):
    """Return an engine that can send several statements at once.

    It uses no TLS, for which PyMySQL would read all certificates of this host
    each time.

    :param how: further arguments of create_engine().
    """
    mysql = {
        'client_flag': CLIENT.MULTI_STATEMENTS,
        'ssl_disabled': True,
    }
    return sa.create_engine(
        url, connect_args=mysql if url.startswith('mysql') else {}, **how
    )


class Kept:
    """A database with the tables of a release, to be used again.

    It has to be new when this object is made.

    :param url: the URL of the database.
    :param tables: the names of its tables.
    :param stamp: the statement that writes its revision.
    """

    def __init__(self, url, tables, stamp):
        self.name = sa.make_url(url).database
        self._on_mysql = url.startswith('mysql')
        self._engine = engine(url, poolclass=sa.pool.NullPool)
        self._show = [f'SHOW CREATE TABLE {table}' for table in tables]
        self._empty = [f'DELETE FROM {table}' for table in tables] + [stamp]
        with self._cursor() as cursor:
            self._new = self._state(cursor)

    def is_as_new(self):
        """Empty the tables; return whether all else is as in a new one."""
        try:
            with self._cursor() as cursor:
                self._delete(cursor)
            with self._cursor() as cursor:
                return self._state(cursor) == self._new
        except (sa.exc.DBAPIError, self._engine.dialect.loaded_dbapi.Error):
            # A table or the database is missing, or something is locked.
            return False

    @contextlib.contextmanager
    def _cursor(self):
        with contextlib.closing(self._engine.raw_connection()) as connection:
            yield connection.cursor()
            connection.commit()

    def _rows(self, cursor, statements):
        """Return the rows of each statement."""
        if not self._on_mysql:
            found = []
            for statement in statements:
                cursor.execute(statement)
                found.append(cursor.fetchall() if cursor.description else [])
            return found
        cursor.execute(';'.join(statements))
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        return found

    def _delete(self, cursor):
        if not self._on_mysql:
            script = [
                "SET lock_timeout = '1s'",
                'SET session_replication_role = replica',
                *self._empty,
            ]
            self._rows(cursor, [';'.join(script), _POSTGRESQL_SEQUENCES])
            return
        numbered = [
            f'ALTER TABLE {row[0]} AUTO_INCREMENT = 1'
            for (row,) in self._rows(cursor, self._show)
            if _NUMBER.search(row[1])
        ]
        first = ['SET lock_wait_timeout = 1', 'SET foreign_key_checks = 0']
        self._rows(cursor, [*first, *self._empty, *numbered])

    def _state(self, cursor):
        if self._on_mysql:
            state = _MYSQL_STATE.format(name=self.name).split(';')
            return self._rows(cursor, [*self._show, *state])
        (found,) = self._rows(cursor, [_POSTGRESQL_CATALOGS])
        catalogs = ' UNION ALL '.join(
            f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}"
            for (name,) in found
        )
        return self._rows(cursor, [catalogs, *_POSTGRESQL_STATE.split(';')])
