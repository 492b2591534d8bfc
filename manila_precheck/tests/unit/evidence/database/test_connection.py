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
import datetime
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading

import ddt
import fixtures
import sqlalchemy as sa
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import connection as database_connection
from manila_precheck.tests import databases

AT_20 = '0d8c8f6d54a4'

TEXT = column_types.ColumnType.TEXT
INTEGER = column_types.ColumnType.INTEGER


@ddt.ddt
class Scenarios(databases.Scenarios):
    def test_a_known_revision(self):
        found = self.connect(self.database('2025.1'))
        self.assertEqual(
            (
                database_connection.DatabaseState.VERSIONED,
                AT_20,
                (AT_20,),
                self.server,
            ),
            (found.state, found.revision, found.revisions, found.dialect),
        )
        self.assertRegex(found.server_version, r'^\d+\.\d+')

    def test_no_table(self):
        found = self.connect(self.database())
        self.assertEqual(
            (database_connection.DatabaseState.EMPTY, None, {}),
            (found.state, found.revision, found.shape),
        )

    def test_nothing_but_a_version_table_without_a_row(self):
        made = self.database()
        made.execute('CREATE TABLE alembic_version (version_num VARCHAR(32))')
        self.assertIs(
            database_connection.DatabaseState.EMPTY, self.connect(made).state
        )

    @ddt.data('DELETE FROM alembic_version', 'DROP TABLE alembic_version')
    def test_tables_without_a_revision(self, statement):
        made = self.database('2025.1')
        made.execute(statement)
        found = self.connect(made)
        self.assertEqual(
            (database_connection.DatabaseState.UNVERSIONED, None),
            (found.state, found.revision),
        )

    def test_two_revisions(self):
        made = self.database('2025.1')
        made.execute("INSERT INTO alembic_version VALUES ('00')")
        found = self.connect(made)
        self.assertEqual(
            (database_connection.DatabaseState.AMBIGUOUS, None, ('00', AT_20)),
            (found.state, found.revision, found.revisions),
        )

    @ddt.data(
        (
            'CREATE TABLE alembic_version (version_num VARCHAR(32))',
            'INSERT INTO alembic_version VALUES (NULL), (\'00\')',
            'version_num is NULL in a row of alembic_version',
        ),
        (
            'CREATE TABLE alembic_version (version_num INTEGER)',
            'INSERT INTO alembic_version VALUES (20)',
            'version_num is 20 in a row of alembic_version',
        ),
        (
            'CREATE TABLE alembic_version (version VARCHAR(32))',
            'INSERT INTO alembic_version VALUES (\'00\')',
            "the database has no column 'version_num' of table "
            "'alembic_version'",
        ),
        (
            'CREATE TABLE alembic_version (version_num VARCHAR(32))',
            'INSERT INTO alembic_version VALUES '
            + ', '.join(f"('{number}')" for number in range(101)),
            'alembic_version holds more than 100 rows',
        ),
    )
    @ddt.unpack
    def test_a_version_that_was_a_crash(self, create, insert, reason):
        made = self.database()
        made.execute(create, insert)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        words = made.path if self.server == 'sqlite' else made.name
        self.assertRegex(
            str(raised),
            f'database {words}.* has no revision \\(.database. connection'
            f'\\): {reason}$',
        )
        found = self.run_check('schema-revision', made, target='2026.1')
        self.assertEqual(
            (model.Outcome.ERROR, str(raised)), (found.outcome, found.reason)
        )

    def test_a_version_that_is_a_view(self):
        made = self.database('2025.1')
        made.execute(
            'DROP TABLE alembic_version',
            "CREATE VIEW alembic_version AS SELECT '00' AS version_num",
        )
        found = self.connect(made)
        expected = ('00',) if self.server == 'mysql' else ()
        self.assertEqual(expected, found.revisions)

    def test_the_shape(self):
        found = self.connect(self.database('2025.1'))
        self.assertEqual(49, len(found.shape))
        self.assertEqual(
            {
                'version_num': TEXT,
            },
            found.shape['alembic_version'],
        )
        self.assertEqual(
            {
                'id': INTEGER,
                'deleted': INTEGER,
                'disabled': True,
                'updated_at': column_types.ColumnType.DATETIME,
                'host': TEXT,
                'ensuring': True,
            },
            {
                # SQLite, MySQL and PostgreSQL differ in what a boolean is.
                name: kind
                if name not in ('disabled', 'ensuring')
                else kind in (column_types.ColumnType.BOOLEAN, INTEGER)
                for name, kind in found.shape['services'].items()
                if name
                in (
                    'id',
                    'deleted',
                    'disabled',
                    'updated_at',
                    'host',
                    'ensuring',
                )
            },
        )

    def test_a_missing_table_or_column_is_told_before_any_sql(self):
        found = self.connect(self.database('2025.1'))
        self.assertEqual(
            "the database has no table 'qos_types'",
            str(
                self.assertRaises(
                    exceptions.SchemaMismatch, found.table, 'qos_types', 'id'
                )
            ),
        )
        self.assertEqual(
            "the database has no column 'soul' of table 'shares'",
            str(
                self.assertRaises(
                    exceptions.SchemaMismatch,
                    found.table,
                    'shares',
                    'id',
                    'soul',
                )
            ),
        )
        self.assertRaises(
            exceptions.SchemaMismatch, found.live_value, 'alembic_version'
        )
        self.assertEqual(
            (True, False, False),
            (
                found.has_column('services', 'ensuring'),
                found.has_column('services', 'soul'),
                found.has_column('nothing', 'id'),
            ),
        )

    def test_live_rows_by_the_type_of_the_column(self):
        made = self.database('2025.1')
        made.insert(
            'shares', {'id': 'a'}, {'id': 'b', 'deleted': 'b'}, {'id': 'c'}
        )
        made.insert('services', {'id': 1}, {'id': 2, 'deleted': 2})
        found = self.connect(made)
        shares = found.table('shares', 'id', 'deleted')
        services = found.table('services', 'id', 'deleted')
        self.assertEqual(
            (['a', 'c'], [1]),
            tuple(
                sorted(
                    row.id
                    for row in found.rows(
                        sa.select(table.c.id).where(found.live(table))
                    )
                )
                for table in (shares, services)
            ),
        )

    def test_the_time_of_the_server(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        now = self.connect(self.database()).now()
        self.assertIsNone(now.tzinfo)
        away = now - before.replace(tzinfo=None)
        self.assertLess(abs(away.total_seconds()), 30)

    @ddt.data(
        "INSERT INTO shares (id) VALUES ('x')",
        "UPDATE shares SET deleted = 'x'",
        'DELETE FROM shares',
        'CREATE TABLE mine (id INTEGER)',
        'DROP TABLE shares',
        'ALTER TABLE shares ADD COLUMN mine INTEGER',
    )
    def test_the_server_refuses_to_write(self, statement):
        made = self.database('2025.1')
        made.insert('shares', {'id': 'a'})
        found = self.connect(made)
        raised = self.assertRaises(
            exceptions.StatementRefused, found.rows, statement
        )
        self.assertRegex(str(raised), '(?i)read.?only')
        # The next statement finds a new connection, read only as well.
        self.assertRaises(exceptions.StatementRefused, found.rows, statement)
        with made.engine.connect() as connection:
            rows = connection.exec_driver_sql('SELECT id, deleted FROM shares')
            self.assertEqual([('a', 'False')], [tuple(r) for r in rows])

    def test_a_statement_that_takes_too_long(self):
        slow = {
            'mysql': 'SELECT COUNT(*) FROM information_schema.columns a, '
            'information_schema.columns b, information_schema.columns c',
            'postgresql': 'SELECT count(*) FROM generate_series(1, 999999999)',
            'sqlite': 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT '
            'i + 1 FROM n) SELECT COUNT(*) FROM n',
        }[self.server]
        found = self.connect(
            self.database('2025.1'), statement_timeout_seconds=1
        )
        raised = self.assertRaises(
            exceptions.SourceUnusable, found.rows, slow, about='table shares'
        )
        self.assertNotIsInstance(raised, exceptions.StatementRefused)
        self.assertEqual(
            f'a query of table shares on {found.words} took more than 1 '
            'seconds ([manila_precheck] statement_timeout_seconds) and was '
            'aborted',
            str(raised),
        )
        self.assertEqual(1, found.row('SELECT 1')[0])

    def test_threads_and_the_connections_they_leave(self):
        found = self.connect(self.database('2025.1'))
        held = found._take()
        rows = []

        def read():
            rows.append(found.row('SELECT COUNT(*) FROM shares')[0])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([0] * 4, rows)
        found.close()
        found._give_back(held)
        self.assertTrue(held.closed)
        self.assertRaises(exceptions.SourceUnusable, found.rows, 'SELECT 1')

    def test_a_connection_that_cannot_be_closed(self):
        """SQLAlchemy's pool showed a traceback of it."""
        log = self.useFixture(fixtures.FakeLogger())
        found = self.connect(self.database('2025.1'))
        self.assertEqual((0,), found.row('SELECT COUNT(*) FROM shares'))
        refused = []

        def refuse(*args):
            refused.append(args)
            raise ValueError('no')

        for name in ('do_close', 'do_terminate'):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'sqlalchemy.engine.default.DefaultDialect.{name}', refuse
                )
            )
        found.close()
        self.assertNotEqual([], refused)
        self.assertEqual('', log.output)

    def test_a_check_that_was_given_up_went_on_reading(self):
        found = self.connect(self.database('2025.1'))
        began, cancelled = threading.Event(), threading.Event()
        said = []

        def read():
            said.append(found.row('SELECT 1')[0])
            began.set()
            cancelled.wait(60)
            try:
                said.append(found.row('SELECT 2')[0])
            except exceptions.SourceUnusable as exc:
                said.append(str(exc))

        given_up = threading.Thread(target=read)
        given_up.start()
        began.wait(60)
        found.cancel()
        cancelled.set()
        given_up.join()
        self.assertEqual(
            [
                1,
                f'{found.words} is no longer read ([database] connection): '
                'the check was aborted',
            ],
            said,
        )
        # The next check has a thread of its own.
        following = threading.Thread(target=read)
        following.start()
        following.join()
        self.assertEqual([1, 2], said[2:])
        self.assertEqual(3, found.row('SELECT 3')[0])

    def test_no_secret_in_what_it_says_of_itself(self):
        found = self.connect(self.database())
        self.assertNotIn('openstack_citest:', found.words)


@ddt.ddt
class DatabaseTest(Scenarios, databases.SQLiteTest):
    def test_a_file_that_is_not_there_is_not_made(self):
        made = self.database()
        os.unlink(made.path)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        self.assertEqual(
            f'the SQLite file {made.path} does not exist ([database] '
            'connection)',
            str(raised),
        )
        self.assertFalse(os.path.exists(made.path))

    def test_a_file_that_is_no_database(self):
        made = self.database()
        with open(made.path, 'w') as stream:
            stream.write('[DEFAULT]\nthis is = no database\n' * 100)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        self.assertIn('file is not a database', str(raised))

    def test_a_name_that_means_something_in_a_url(self):
        made = self.database('2025.1')
        made.engine.dispose()
        odd = os.path.join(os.path.dirname(made.path), 'a #1 é.sqlite')
        os.rename(made.path, odd)
        self.assertEqual(AT_20, self.connect(f'sqlite:///{odd}').revision)

    @ddt.data('a%20b?.sqlite', 'mode=rw.sqlite', 'a;b.sqlite', 'a %zz.sqlite')
    def test_a_name_that_means_something_to_sqlite(self, name):
        made = self.database('2025.1')
        made.engine.dispose()
        odd = os.path.join(os.path.dirname(made.path), name)
        os.rename(made.path, odd)
        url = f'sqlite:///{odd}'
        if '?' in name:
            # As manila reads it: what follows is no part of the name.
            raised = self.assertRaises(
                exceptions.SourceUnusable, self.connect, url
            )
            self.assertIn('does not exist', str(raised))
        else:
            self.assertEqual(AT_20, self.connect(url).revision)
        self.assertEqual([name], os.listdir(os.path.dirname(odd)))

    def test_nothing_is_written_beside_the_file(self):
        made = self.database('2025.1')
        made.engine.dispose()
        folder = os.path.dirname(made.path)
        os.chmod(made.path, stat.S_IRUSR)
        self.connect(made).row('SELECT COUNT(*) FROM shares')
        self.assertEqual(['manila.sqlite'], os.listdir(folder))

    def folder(self, made):
        """Return all there is of what is in the folder of a database."""
        folder = os.path.dirname(made.path)
        found = {'.': os.stat(folder).st_mtime_ns}
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            with open(path, 'rb') as stream:
                content = stream.read()
            found[name] = os.stat(path).st_mtime_ns, content
        return found

    def writing_ahead(self):
        made = self.database('2025.1')
        made.engine.dispose()
        connection = sqlite3.connect(made.path)
        self.addCleanup(connection.close)
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('CREATE TABLE mine (id INTEGER)')
        connection.commit()
        return made, connection

    def test_files_were_written_beside_one_that_writes_ahead(self):
        made, connection = self.writing_ahead()
        connection.close()
        before = self.folder(made)
        self.assertEqual({'.', 'manila.sqlite'}, set(before))
        link = self.useFixture(fixtures.TempDir()).join('link.sqlite')
        os.symlink(made.path, link)
        for url in (made.url, f'sqlite:///{link}?mode=rw&cache=shared'):
            found = self.connect(url)
            self.assertEqual(AT_20, found.revision)
            self.assertTrue(found.has_table('mine'))
            found.close()
        self.assertEqual(before, self.folder(made))
        self.assertEqual(['link.sqlite'], os.listdir(os.path.dirname(link)))

    def test_one_whose_last_changes_are_beside_it(self):
        made, _connection = self.writing_ahead()
        before = self.folder(made)
        self.assertIn('manila.sqlite-wal', before)
        result = self.run_check('schema-revision', made)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'the SQLite database {made.path} cannot be read without '
                'writing next to it ([database] connection): its last '
                f'changes are in {made.path}-wal. Stop what uses it and run: '
                f'sqlite3 {made.path} "PRAGMA wal_checkpoint(TRUNCATE)"',
            ),
            (result.outcome, result.reason),
        )
        self.assertEqual(before, self.folder(made))

    def test_one_whose_writer_was_killed(self):
        made = self.database('2025.1')
        made.engine.dispose()
        code = (
            'import os, sqlite3, sys\n'
            'c = sqlite3.connect(sys.argv[1], isolation_level=None)\n'
            'c.execute("PRAGMA cache_size = 1")\n'
            'c.execute("BEGIN")\n'
            'c.execute("UPDATE alembic_version SET version_num = 1")\n'
            'c.execute("CREATE TABLE big (a)")\n'
            'for i in range(2000):\n'
            '    c.execute("INSERT INTO big VALUES (zeroblob(999))")\n'
            'os._exit(0)\n'
        )
        subprocess.run([sys.executable, '-c', code, made.path], check=True)
        before = self.folder(made)
        self.assertIn('manila.sqlite-journal', before)
        result = self.run_check('schema-revision', made)
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn(f'the SQLite database {made.path}', result.reason)
        self.assertEqual(before, self.folder(made))

    def test_a_fifo(self):
        made = self.database()
        os.unlink(made.path)
        os.mkfifo(made.path)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        self.assertEqual(
            f'the SQLite file {made.path} is not a file ([database] '
            'connection)',
            str(raised),
        )

    def test_a_huge_file_that_is_no_database(self):
        made = self.database()
        os.truncate(made.path, 2**40)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        self.assertIn('file is not a database', str(raised))

    def test_rows_without_end(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.database.connection.ANSWER_BYTES',
                32 * 2**20,
            )
        )
        found = self.connect(self.database('2025.1'))
        raised = self.assertRaises(
            exceptions.SourceUnusable,
            found.rows,
            'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) '
            'SELECT i, zeroblob(999) FROM n',
            'table n',
        )
        self.assertEqual(
            f'a query of table n on {found.words} used more than 32 MiB of '
            'memory and was aborted',
            str(raised),
        )


class ImportTest(testtools.TestCase):
    def test_importing_loads_no_database_library(self):
        code = (
            'import sys\n'
            'import manila_precheck.evidence.database.connection\n'
            'import manila_precheck.evidence.database.migrations\n'
            'import manila_precheck.checks.soft_deleted_rows.sql.counting\n'
            'print([m for m in ("sqlalchemy", "oslo_db", "pymysql", '
            '"psycopg2", "sqlite3") if m in sys.modules])\n'
        )
        found = subprocess.run(
            [sys.executable, '-c', code],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        self.assertEqual('[]\n', found.stdout)


class SilentServerTest(testtools.TestCase):
    """A server that accepts and says nothing."""

    def refuse(self, drivername):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        host, port = listener.getsockname()
        site = self.useFixture(
            testing.Site(
                connection=f'{drivername}://u:geheim-99@{host}:{port}/m'
            )
        )
        conf = site.context().conf
        # The limit of a statement is far beyond that of any test.
        raised = self.assertRaises(
            exceptions.SourceUnusable,
            database_connection.connect,
            conf,
            36_000,
            1,
        )
        self.assertNotIn('geheim', str(raised))
        return str(raised)

    def test_mysql_is_not_waited_for_as_long_as_a_statement(self):
        self.assertIn('timed out', self.refuse('mysql+pymysql'))

    def test_postgresql_is_not_waited_for_as_long_as_a_statement(self):
        self.assertIn('timeout', self.refuse('postgresql+psycopg2'))


@ddt.ddt
class NotGivenTest(testtools.TestCase):
    def test_an_option_that_refers_to_itself_was_a_crash(self):
        for name in ('connection', 'slave_connection'):
            site = self.useFixture(
                testing.Site(f'[database]\n{name} = ${name}\n', source=None)
            )
            result = site.run('schema-revision')
            self.assertEqual(
                (
                    model.Outcome.ERROR,
                    f'[database] {name} cannot be read: it refers to itself',
                ),
                (result.outcome, result.reason),
            )

    def test_no_connection_is_configured(self):
        site = self.useFixture(testing.Site())
        raised = self.assertRaises(
            exceptions.SourceNotGiven,
            database_connection.connect,
            site.context().conf,
        )
        self.assertEqual(
            'no database is configured: [database] connection is not set in '
            'the files that were read',
            str(raised),
        )

    @ddt.data(
        ('mysql+pymysql://manila:********@10.0.0.1/manila', True),
        ('postgresql://manila:***@h:5432/m?sslmode=require', True),
        ('*********', True),
        ('mysql+pymysql://manila:**@192.0.2.1/manila', False),
        ('mysql+pymysql://manila:a***@192.0.2.1/manila', False),
        ('sqlite:////nope/***', False),
    )
    @ddt.unpack
    def test_a_masked_password(self, url, masked):
        """As in a sosreport: nobody can be asked for what it was."""
        for name in ('connection', 'slave_connection'):
            site = self.useFixture(
                testing.Site(
                    f'[database]\n{name} = {url}\n'
                    '[manila_precheck]\nconnect_timeout_seconds = 1\n',
                    source=None,
                )
            )
            result = site.run('schema-revision')
            if not masked:
                self.assertEqual(model.Outcome.ERROR, result.outcome)
                continue
            self.assertEqual(
                (
                    model.Outcome.SKIPPED,
                    f'[database] {name} is masked in the files that were read',
                ),
                (result.outcome, result.reason),
            )

    def test_none_is_wanted(self):
        """A server that cannot be reached would be an error."""
        site = self.useFixture(
            testing.Site(
                '[database]\nconnection = sqlite:////nope/m\n'
                '[manila_precheck]\nno_database = true\n',
                source=None,
            )
        )
        for check_id in ('schema-revision', 'live-services'):
            result = site.run(check_id)
            self.assertEqual(
                (
                    model.Outcome.SKIPPED,
                    'it needs the database (--no-database)',
                ),
                (result.outcome, result.reason),
            )

    def test_the_slave_is_preferred(self):
        site = self.useFixture(
            testing.Site(
                '[database]\nslave_connection = sqlite:////nope/slave\n'
                'connection = sqlite:////nope/master\n'
            )
        )
        raised = self.assertRaises(
            exceptions.SourceUnusable,
            database_connection.connect,
            site.context().conf,
        )
        self.assertEqual(
            'the SQLite file /nope/slave does not exist ([database] '
            'slave_connection)',
            str(raised),
        )
