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
import contextlib

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.database import scan
from manila_precheck.tests import databases
from manila_precheck.tests.unit.checks.soft_deleted_rows import (
    test_check as unit,  # noqa: H301
)

CHECK = 'soft-deleted-rows'
DELETED = {'deleted': 'a', 'deleted_at': databases.LONG_AGO}


class _Troubles(databases.Scenarios):
    #: Statements of a server.
    lock: str
    unlock: str
    others: str
    cutting: str

    """One check fails, says what it could not read, and the rest goes on."""

    def run_two(self, made, trouble, **options):
        """Run the check in trouble, and another one after it."""
        site = self.useFixture(
            testing.Site(
                connection=made.url,
                source=None,
                target='2026.2',
                options=options,
            )
        )
        ctx = site.context()
        self.addCleanup(ctx.close)
        # It is connected before there is any trouble.
        self.assertIsNotNone(ctx.database.revision)
        with trouble():
            first = site.run(CHECK, ctx)
        second = site.run('schema-revision', ctx)
        self.assertEqual(
            (model.Outcome.FOUND, ''), (second.outcome, second.reason)
        )
        return first

    def filled(self):
        made = self.database('2026.1')
        made.insert('shares', dict(DELETED, id='a'))
        made.insert('messages', dict(DELETED, id='a'))
        return made

    def require_one_error(self, result, words):
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertRegex(result.reason, words)
        # The other tables are counted all the same.
        self.assertEqual(
            ['messages'], [one.subject.name for one in result.findings]
        )

    def test_a_table_that_somebody_locks(self):
        made = self.filled()
        connection = made.engine.connect()
        self.addCleanup(connection.close)

        @contextlib.contextmanager
        def locked():
            connection.exec_driver_sql(self.lock)
            yield
            connection.exec_driver_sql(self.unlock)

        self.require_one_error(
            self.run_two(made, locked, statement_timeout_seconds=1),
            '^a query of table shares on .* (took more than 1 seconds|waited '
            'more than 1 seconds for a lock)',
        )

    def test_the_schema_of_a_table_that_somebody_locks(self):
        """Nothing but its rows waits for whoever holds it."""
        made = self.filled()
        with made.engine.connect() as connection:
            connection.exec_driver_sql(self.lock)
            site = self.useFixture(
                testing.Site(
                    connection=made.url,
                    source='2026.1',
                    target='2026.2',
                    options={'statement_timeout_seconds': 1},
                )
            )
            ctx = site.context()
            size = scan.sizes(ctx.database)['shares']
            table = ctx.schema.tables['shares']
            connection.exec_driver_sql(self.unlock)
        self.assertEqual('shares', table.name)
        self.assertIsNotNone(size.bytes)

    def test_connections_that_are_cut(self):
        made = self.filled()

        @contextlib.contextmanager
        def cut():
            with made.engine.connect() as connection:
                for (number,) in connection.exec_driver_sql(
                    self.others
                ).fetchall():
                    connection.exec_driver_sql(self.cutting.format(number))
                connection.commit()
            yield

        result = self.run_two(made, cut)
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertRegex(result.reason, '^the connection to .* was lost: ')


class SoftDeletedRowsMySQLTest(unit.Scenarios, databases.MySQLTest):
    pass


class SoftDeletedRowsPostgreSQLTest(unit.Scenarios, databases.PostgreSQLTest):
    pass


class TroublesMySQLTest(_Troubles, databases.MySQLTest):
    lock = 'LOCK TABLES shares WRITE'
    unlock = 'UNLOCK TABLES'
    others = (
        'SELECT id FROM information_schema.processlist '
        'WHERE db = database() AND id <> connection_id()'
    )
    cutting = 'KILL CONNECTION {}'


class TroublesPostgreSQLTest(_Troubles, databases.PostgreSQLTest):
    lock = 'LOCK TABLE shares IN ACCESS EXCLUSIVE MODE'
    unlock = 'ROLLBACK'
    others = (
        'SELECT pid FROM pg_stat_activity '
        'WHERE datname = current_database() AND pid <> pg_backend_pid()'
    )
    cutting = 'SELECT pg_terminate_backend({})'


del _Troubles
