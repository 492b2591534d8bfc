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

"""Tests that nothing is written: by what the server sees, and rejects."""

import re

import sqlalchemy

from manila_precheck import exceptions
from manila_precheck import testing
from qa.real import case
from qa.real import wire

# How a harmless statement begins. HARMFUL finds SELECT ... INTO, SELECT ...
# FOR UPDATE and functions that write.
HARMLESS = re.compile(
    r'(SELECT|SHOW|SET|QUIT|PING|ROLLBACK|COMMIT|BEGIN|CLOSE)\b', re.I
)
HARMFUL = re.compile(
    r'\b(INSERT|UPDATE|DELETE|REPLACE|MERGE|TRUNCATE|CREATE|ALTER|DROP|GRANT|'
    r'REVOKE|RENAME|LOCK|CALL|EXECUTE|DO|LOAD|HANDLER|OUTFILE|DUMPFILE|COPY|'
    r'VACUUM|ANALYZE|OPTIMIZE|REINDEX|CLUSTER|NOTIFY|LISTEN|KILL|FLUSH|RESET|'
    r'SHUTDOWN|PREPARE|(?<!^SHOW )GLOBAL|SETVAL|NEXTVAL|GET_LOCK|LO_[A-Z]+|'
    r'PG_ADVISORY[A-Z_]*|PG_TERMINATE[A-Z_]*|PG_CANCEL[A-Z_]*)\b'
    r'|READ\s+WRITE|FOR\s+UPDATE|LOCK\s+IN\s+SHARE|read_only\s*=\s*(off|0)',
    re.I,
)

READ_ONLY = {
    'MySQL': re.compile(
        r'^SET SESSION TRANSACTION\b.*\bREAD ONLY', re.I | re.S
    ),
    'PostgreSQL': re.compile(r'^SET default_transaction_read_only = on', re.I),
}


def harmful(statements):
    """Return the statements that may write, of a list of texts."""
    found = []
    for text in statements:
        # Text in quotes is a value.
        bare = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "''", text)
        for part in bare.split(';'):
            part = part.strip()
            if part and (
                not HARMLESS.match(part)
                or HARMFUL.search(part)
                or re.search(r'\bINTO\b', part, re.I)
            ):
                found.append(text)
                break
    return found


class ReadOnlyMixin(case.Scenarios):
    """A whole run writes nothing, and cannot."""

    def whole_run(self, *stages, port=None):
        """Run every check in some stages, and return the reports."""
        conf = self.site.conf(self.site.url(port=port))
        return [self.check('--stage', one, conf=conf)[1] for one in stages]

    def test_a_run_changes_nothing(self):
        before = (
            self.server.contents(self.site.database),
            self.server.catalogue(self.site.database),
        )
        self.assertGreater(len(before[0]), 40)
        self.whole_run('plan', 'stopped', 'upgraded')
        after = (
            self.server.contents(self.site.database),
            self.server.catalogue(self.site.database),
        )
        self.assertEqual(before, after)

    def test_every_statement_on_the_wire_reads(self):
        with wire.Tap(self.server) as tap:
            reports = self.whole_run('plan', 'upgraded', port=tap.port)
        self.assertEqual([], tap.errors)
        for report in reports:
            self.assertEqual(
                self.server.drivername.split('+')[0],
                report['database']['dialect'],
            )
        statements = tap.statements
        selects = [s for s in statements if s.upper().startswith('SELECT')]
        self.assertGreater(len(selects), 40)
        self.assertEqual([], harmful(statements))
        # No table is read before the session is read only, except for
        # pg_type, which psycopg2 reads. harmful() finds statements that
        # would make the session writable again.
        for session in filter(None, tap.sessions):
            orders = [
                index
                for index, text in enumerate(session)
                if READ_ONLY[self.server.name].match(text)
            ]
            self.assertTrue(orders, session)
            for text in session[: orders[0]]:
                self.assertNotRegex(text, r'(?i)\bFROM\s+(?!pg_type\b)')

    def test_the_tap_sees_a_write(self):
        """Test the test itself: the administrator writes through the tap."""
        with wire.Tap(self.server) as tap:
            server = self.server_class()
            server.host, server.port = '127.0.0.1', tap.port
            for text in (
                "UPDATE services SET host = 'x' WHERE id = -1",
                'CREATE TABLE rig_made (id integer)',
                'DROP TABLE rig_made',
            ):
                server.run(text, self.site.database)
        self.assertEqual(3, len(harmful(tap.statements)))

    def test_an_account_of_manila_itself_cannot_write(self):
        """Even with all rights on the database, the session is read only."""
        site = self.useFixture(
            testing.Site(
                connection=self.server.url(self.site.database),
                source=self.source.name,
                target=self.target.name,
            )
        )
        database = site.context().database
        before = self.server.contents(self.site.database)
        shape = self.server.catalogue(self.site.database)
        for text in (
            'DELETE FROM reservations',
            "UPDATE shares SET display_name = 'x'",
            "INSERT INTO alembic_version (version_num) VALUES ('x')",
            'DROP TABLE reservations',
            'CREATE TABLE rig_made (id integer)',
        ):
            self.assertRaises(
                exceptions.StatementRefused,
                database.rows,
                sqlalchemy.text(text),
            )
        self.assertEqual(before, self.server.contents(self.site.database))
        self.assertEqual(shape, self.server.catalogue(self.site.database))

    def test_the_account_has_select_and_nothing_else(self):
        """Check the account with which the other tests of this class run."""
        if self.server.name == 'MySQL':
            grants = [
                row[0].split(' TO ')[0].split(' ON ')
                for row in self.site.rows(
                    f"SHOW GRANTS FOR '{self.site.reader}'@'%'"
                )
            ]
            self.assertEqual(
                [
                    ['GRANT SELECT', f'`{self.site.database}`.*'],
                    ['GRANT USAGE', '*.*'],
                ],
                sorted(grants),
            )
            return
        rights = self.site.rows(
            'SELECT DISTINCT privilege_type FROM '
            'information_schema.role_table_grants WHERE grantee = '
            f"'{self.site.reader}'"
        )
        self.assertEqual([('SELECT',)], rights)
        self.assertEqual(
            [(False, False, False)],
            self.site.rows(
                'SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles '
                f"WHERE rolname = '{self.site.reader}'"
            ),
        )

    def test_the_server_counts_no_write(self):
        """The server's own statistics show no write."""
        if self.server.name == 'MySQL':
            self.check_user_statistics()
        else:
            self.check_table_statistics()

    def check_user_statistics(self):
        """Check MariaDB's general log and its statistics of an account."""
        if not self.site.rows("SHOW VARIABLES LIKE 'userstat'"):
            self.skipTest('the server keeps no statistics of an account')
        with _Globals(self.server, "log_output='TABLE'", 'general_log=ON'):
            self.whole_run('plan')
            log = self.site.rows(
                'SELECT command_type, CONVERT(argument USING utf8mb4) '
                'FROM mysql.general_log WHERE user_host LIKE '
                f"'{self.site.reader}[%'"
            )
        self.assertGreater(len(log), 40)
        commands = {command for command, _ in log}
        self.assertLessEqual(
            commands, {'Connect', 'Query', 'Quit', 'Ping', 'Close stmt'}
        )
        queries = [text for command, text in log if command == 'Query']
        self.assertEqual([], harmful(queries))
        # With the log off, since its own rows would be counted.
        with _Globals(self.server, 'userstat=ON'):
            self.site.rows('FLUSH USER_STATISTICS')
            self.whole_run('plan')
            # rows_updated is left out: it counts rows of the temporary tables
            # for COUNT(*) OVER; update_commands does not. Access is denied
            # to the transactions (INNODB_TRX) and the locks
            # (performance_schema) of others.
            statistics = self.site.rows(
                'SELECT rows_inserted, rows_deleted, '
                'update_commands, access_denied, select_commands > 20, '
                'rows_read > 100 FROM information_schema.user_statistics '
                f"WHERE user = '{self.site.reader}'"
            )
        self.assertEqual([(0, 0, 0, 2, 1, 1)], statistics)

    def check_table_statistics(self):
        sql = (
            'SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), '
            'sum(n_tup_hot_upd) FROM pg_stat_user_tables'
        )
        scans = 'SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM '
        scans += 'pg_stat_user_tables'
        # NOTE: a backend reports its statistics when it ends. Those that
        # filled the tables have ended.
        before, read = self.site.rows(sql), self.site.number(scans)
        self.whole_run('plan')
        self.assertGreater(self.site.number(scans), read)
        self.assertEqual(before, self.site.rows(sql))
        if self.site.rows(
            "SELECT 1 FROM pg_settings WHERE name = 'shared_preload_libraries'"
            " AND setting LIKE '%pg_stat_statements%'"
        ):
            self.check_statements()

    def check_statements(self):
        self.site.rows('CREATE EXTENSION IF NOT EXISTS pg_stat_statements')
        self.addCleanup(
            self.site.rows, 'DROP EXTENSION IF EXISTS pg_stat_statements'
        )
        self.whole_run('plan')
        statements = [
            row[0]
            for row in self.site.rows(
                'SELECT s.query FROM pg_stat_statements s JOIN pg_roles r '
                f"ON r.oid = s.userid WHERE r.rolname = '{self.site.reader}'"
            )
        ]
        self.assertGreater(len(statements), 20)
        self.assertEqual([], harmful(statements))


class _Globals:
    """A context manager that changes settings of a MariaDB server.

    A lock admits one test at a time, across processes. At the end the
    settings are restored, and the general log is emptied.
    """

    def __init__(self, server, *settings):
        self._server = server
        self._settings = settings

    def __enter__(self):
        self._connection = self._server.connect()
        self._cursor = self._connection.cursor()
        self._cursor.execute("SELECT GET_LOCK('rig_globals', 300)")
        if self._cursor.fetchall() != ((1,),):
            raise RuntimeError('another test has the settings of the server')
        self._before = []
        for setting in self._settings:
            name = setting.partition('=')[0]
            self._cursor.execute(f'SELECT @@global.{name}')
            value = self._cursor.fetchall()[0][0]
            self._before.append(f'{name}={value!r}')
            self._cursor.execute(f'SET GLOBAL {setting}')
        return self

    def __exit__(self, *exc_info):
        try:
            for setting in reversed(self._before):
                self._cursor.execute(f'SET GLOBAL {setting}')
                if setting == 'general_log=0':
                    self._cursor.execute('TRUNCATE TABLE mysql.general_log')
            self._cursor.execute("SELECT RELEASE_LOCK('rig_globals')")
        finally:
            self._connection.close()
