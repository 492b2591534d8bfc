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
import shlex
import threading
import time
import uuid

import ddt
import sqlalchemy as sa

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.evidence.database import schema
from manila_precheck.tests import databases
from manila_precheck.tests.unit.evidence.database import (
    test_connection as unit,  # noqa: H301
)

SECRET = 'geheim-99-x'


@ddt.ddt
class OnServers(databases.Scenarios):
    """What only a server with accounts can be tried on."""

    #: What a table that may not be read is called.
    refusal: str
    #: Statements: the number of this connection, the end of one, a slow one.
    who: str
    killing: str
    slow: str

    def creation(self, name):
        """Return the statement that creates an account."""
        raise NotImplementedError

    def removal(self, name):
        """Return the statement that drops it."""
        raise NotImplementedError

    def grant(self, table, name):
        """Return the statement that lets it read a table."""
        raise NotImplementedError

    def writes(self, made):
        """Return the count of what was written to a database."""
        raise NotImplementedError

    def connections(self, made):
        """Return the number of connections to a database."""
        raise NotImplementedError

    def account(self, made, tables):
        """Return the URL for an account that may only SELECT these tables."""
        name = f'precheck_{uuid.uuid4().hex[:12]}'
        made.admin(self.creation(name))
        self.addCleanup(made.admin, self.removal(name))
        if tables:
            made.execute(*(self.grant(table, name) for table in tables))
            if self.server == 'postgresql':
                self.addCleanup(made.execute, f'DROP OWNED BY {name}')
        return databases.url_of(self.server, made.name, name, SECRET)

    def test_an_account_that_may_only_select(self):
        made = self.database('2025.1')
        made.insert(
            'shares',
            {'id': 'a'},
            {'id': 'b', 'deleted': 'b', 'deleted_at': databases.LONG_AGO},
        )
        url = self.account(made, made.metadata.tables)
        for check_id, findings in (
            ('soft-deleted-rows', 1),
            ('running-migrations', 0),
            ('live-services', 1),
            ('schema-revision', 1),
        ):
            result = self.run_check(check_id, url, target='2026.1')
            self.assertEqual(
                ('', findings), (result.reason, len(result.findings))
            )

    def test_a_table_that_another_session_locks(self):
        """A statement waits for the lock for a few seconds only."""
        made = self.database('2025.1')
        found = self.connect(made, statement_timeout_seconds=600)
        lock = {
            'mysql': 'LOCK TABLES shares WRITE',
            'postgresql': 'LOCK TABLE shares IN ACCESS EXCLUSIVE MODE',
        }[self.server]
        with made.engine.connect() as other:
            other.exec_driver_sql(lock)
            raised = self.assertRaises(
                exceptions.SourceUnusable,
                found.rows,
                'SELECT COUNT(*) FROM shares',
                about='table shares',
            )
        self.assertEqual(
            f'a query of table shares on {found.words} waited more than 5 '
            'seconds for a lock that another session holds, and was aborted',
            str(raised),
        )
        self.assertEqual(1, found.row('SELECT 1')[0])

    def test_a_table_that_the_account_may_not_read_is_no_pass(self):
        made = self.database('2025.1')
        made.insert(
            'messages',
            {'id': 'm', 'deleted': 'm', 'deleted_at': databases.LONG_AGO},
        )
        url = self.account(made, set(made.metadata.tables) - {'shares'})
        result = self.run_check('soft-deleted-rows', url, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertRegex(result.reason, self.refusal)
        self.assertEqual(
            ['messages'], [f.subject.name for f in result.findings]
        )
        result = self.run_check('running-migrations', url, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('shares', result.reason)

    @ddt.data((), ('alembic_version',), ('services', 'alembic_version'))
    def test_what_an_account_is_to_be_granted_lets_it_read(self, tables):
        made = self.database('2025.1')
        url = self.account(made, tables)
        if self.server == 'postgresql':
            name = sa.engine.make_url(url).username
            self.addCleanup(made.execute, f'DROP OWNED BY {name}')
        checks = ('soft-deleted-rows', 'running-migrations', 'live-services')
        refused = [
            self.run_check(check_id, url, target='2026.1')
            for check_id in checks
        ]
        self.assertEqual({model.Outcome.ERROR}, {r.outcome for r in refused})
        # However each of them says it, it is one problem.
        (group,) = grouping.failed(refused)
        _advice, command = group.first.remediation
        *_client, statements = shlex.split(command.text)
        made.execute(*(s.replace('%', '%%') for s in statements.split('; ')))
        for check_id in checks:
            result = self.run_check(check_id, url, target='2026.1')
            self.assertEqual('', result.reason)

    @ddt.data('an unknown account', 'a database that is not there')
    def test_a_login_that_is_refused(self, why):
        made = self.database()
        url = self.account(made, ())
        if why == 'an unknown account':
            url = url.replace('precheck_', 'nobody_')
        else:
            url += 'x'
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, url
        )
        self.assertIn('cannot be reached ([database] connection)', str(raised))
        self.assertNotIn('geheim', str(raised))
        if why == 'an unknown account':
            self.assertEqual(
                [
                    model.advice(
                        'Correct the user or the password in [database] '
                        'connection, or create the account on the server.'
                    )
                ],
                list(raised.remediation),
            )

    def test_unknown_accounts_that_seem_to_have_any_plugin(self):
        made = self.database()
        url = self.account(made, ())
        for number in range(40):
            raised = self.assertRaises(
                exceptions.SourceUnusable,
                self.connect,
                url.replace('precheck_', f'nobody{number}_'),
            )
            self.assertEqual(1, len(raised.remediation), str(raised))

    def test_a_connection_that_is_killed(self):
        made = self.database('2025.1')
        found = self.connect(made)
        self.kill(made, found)
        raised = self.assertRaises(
            exceptions.SourceUnusable, found.rows, 'SELECT 1'
        )
        self.assertNotIsInstance(raised, exceptions.StatementRefused)
        self.assertIn(f'the connection to {found.words} was lost', str(raised))
        self.assertEqual(1, found.row('SELECT 1')[0])

    def test_a_connection_that_is_killed_while_it_reads(self):
        made = self.database('2025.1')
        found = self.connect(made)
        errors = []

        def read():
            try:
                found.rows(self.slow)
            except exceptions.SourceUnusable as exc:
                errors.append(str(exc))

        thread = threading.Thread(target=read)
        me = found.row(self.who)[0]
        thread.start()
        time.sleep(0.5)
        self.kill(made, found, me)
        thread.join(30)
        self.assertIn('was lost', ''.join(errors))

    def kill(self, made, found, me=None):
        made.admin(self.killing.format(me or found.row(self.who)[0]))

    def test_nothing_is_written(self):
        made = self.database('2025.1')
        made.insert('shares', {'id': 'a', 'task_state': 'migration_starting'})
        before = self.writes(made)
        for check_id in (
            'soft-deleted-rows',
            'running-migrations',
            'live-services',
            'schema-revision',
        ):
            self.run_check(check_id, made, target='2026.1')
        self.assertEqual(before, self.writes(made))

    def test_no_connection_is_left(self):
        made = self.database('2025.1')
        made.engine.dispose()
        self.run_check('soft-deleted-rows', made, target='2026.1')
        for _ in range(50):
            left = self.connections(made)
            if not left:
                break
            time.sleep(0.1)
        self.assertEqual(0, left)

    def value(self, made, statement):
        with made.engine.connect() as connection:
            return connection.exec_driver_sql(statement).scalar()


class DatabaseMySQLTest(OnServers, unit.Scenarios, databases.MySQLTest):
    refusal = 'shows no table shares, which 2025.1 has'
    who = 'SELECT CONNECTION_ID()'
    killing = 'KILL {}'
    slow = 'SELECT SLEEP(20)'

    def creation(self, name):
        return f"CREATE USER '{name}'@'%%' IDENTIFIED BY '{SECRET}'"

    def removal(self, name):
        return f"DROP USER '{name}'@'%%'"

    def grant(self, table, name):
        return f"GRANT SELECT ON {table} TO '{name}'@'%%'"

    def test_the_schema_is_read_of_one_database(self):
        """A join in information_schema opened the tables of all of them."""
        made = self.database('2025.1')
        if '-MariaDB' not in self.value(made, 'SELECT VERSION()'):
            self.skipTest('only MariaDB tells how many it looks into')
        db, said = self.connect(made), []
        read = db.rows

        def rows(statement, about=''):
            said.append(statement)
            return read(statement, about)

        db.rows = rows
        self.assertEqual(
            {''}, {key.on_delete for key in schema.read(db).foreign_keys}
        )
        for statement in said:
            plan = [str(row[-1]) for row in read(f'EXPLAIN {statement}')]
            self.assertEqual(1, len(plan), statement)
            self.assertIn('Scanned 1 database', plan[0], statement)

    def writes(self, made):
        # What storage engines did to rows, and DDL, of this database alone.
        return self.value(
            made,
            'SELECT GROUP_CONCAT(CONCAT(table_name, update_time) ORDER BY '
            'table_name) FROM information_schema.tables WHERE table_schema '
            '= DATABASE()',
        )

    def connections(self, made):
        with made.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                'SELECT COUNT(*) FROM information_schema.processlist WHERE '
                'db = DATABASE() AND id <> CONNECTION_ID()'
            ).scalar()
        return rows

    def test_the_session_counts_no_write(self):
        made = self.database('2025.1')
        found = self.connect(made)
        found.rows('SELECT COUNT(*) FROM shares')
        counters = dict(
            tuple(row)
            for row in found.rows(
                "SHOW SESSION STATUS WHERE Variable_name REGEXP "
                "'^Com_(insert|update|delete|replace|load|create_table|"
                "alter_table|drop_table|lock_tables)$' OR Variable_name "
                "REGEXP '^Handler_(write|update|delete)$'"
            )
        )
        written = {
            name: value
            for name, value in counters.items()
            # information_schema is answered from temporary tables.
            if value != '0' and name not in ('Handler_write',)
        }
        self.assertEqual({}, written)

    def test_the_session_is_as_it_should_be(self):
        found = self.connect(
            self.database('2025.1'), statement_timeout_seconds=7
        )
        names = ('tx_read_only', 'tx_isolation', 'autocommit')
        self.assertEqual(
            (1, 'READ-COMMITTED', 1, 7, 5),
            tuple(
                found.row(
                    'SELECT '
                    + ', '.join(f'@@{name}' for name in names)
                    + ', CAST(@@max_statement_time AS INTEGER), '
                    '@@lock_wait_timeout'
                )
            ),
        )

    def test_an_account_that_sees_no_table_met_a_first_install(self):
        made = self.database('2025.1')
        url = self.account(made, ())
        name = url.partition('://')[2].partition(':')[0]
        # Enough to enter the database.
        made.admin(
            self.grant('shares', name)
            .replace('SELECT', 'EXECUTE')
            .replace('shares', f'{made.name}.*')
        )
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, url
        )
        self.assertRegex(str(raised), 'shows no table .*SELECT command denied')


class DatabasePostgreSQLTest(
    OnServers, unit.Scenarios, databases.PostgreSQLTest
):
    refusal = 'rejected a query of table shares: permission denied for'
    who = 'SELECT pg_backend_pid()'
    killing = 'SELECT pg_terminate_backend({})'
    slow = 'SELECT pg_sleep(20)'

    def creation(self, name):
        return f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'"

    def removal(self, name):
        return f'DROP ROLE {name}'

    def grant(self, table, name):
        return f'GRANT SELECT ON {table} TO {name}'

    def writes(self, made):
        return self.value(
            made,
            "SELECT string_agg(relname || ' ' || n_tup_ins || ' ' || "
            "n_tup_upd || ' ' || n_tup_del, ' ' ORDER BY relname) FROM "
            'pg_stat_user_tables',
        )

    def connections(self, made):
        return self.value(
            made,
            'SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '
            'current_database() AND pid <> pg_backend_pid()',
        )

    def test_the_session_is_as_it_should_be(self):
        found = self.connect(
            self.database('2025.1'), statement_timeout_seconds=7
        )
        names = (
            'transaction_read_only',
            'transaction_isolation',
            'statement_timeout',
            'max_parallel_workers_per_gather',
        )
        self.assertEqual(
            ['on', 'read committed', '7s', '0'],
            [found.row(f'SHOW {name}')[0] for name in names],
        )

    def test_a_revision_that_is_no_utf_8_was_a_crash(self):
        made = self.database()
        made.admin(
            f'DROP DATABASE {made.name}',
            f"CREATE DATABASE {made.name} ENCODING 'SQL_ASCII' TEMPLATE "
            "template0 LC_COLLATE 'C' LC_CTYPE 'C'",
        )
        made.engine.dispose()
        made.execute(
            'CREATE TABLE alembic_version (version_num TEXT)',
            "INSERT INTO alembic_version VALUES (E'\\xf6')",
        )
        result = self.run_check('schema-revision', made, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertRegex(
            result.reason,
            f'^the answer of the postgresql database {made.name} at .* to a '
            'query of alembic_version is not valid: .*UnicodeDecodeError',
        )

    def test_a_schema_that_is_not_on_the_search_path(self):
        made = self.database('2025.1')
        made.execute('ALTER SCHEMA public RENAME TO cloud')
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.connect, made
        )
        self.assertIn('manila is in schema cloud', str(raised))
        found = self.connect(made.url + '?options=-csearch_path%3Dcloud')
        self.assertEqual(unit.AT_20, found.revision)
