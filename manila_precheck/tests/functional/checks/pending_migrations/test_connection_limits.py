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
"""Limits of connections that leave a service without one."""

from unittest import mock
import uuid

import ddt

from manila_precheck import model
from manila_precheck.checks.pending_migrations.sql import limits
from manila_precheck.tests import databases
from manila_precheck.tests.unit.checks.pending_migrations import (
    test_check as unit,  # noqa: H301
)

CHECK = unit.CHECK
SERVICES = (
    ('manila-data', 'ctl'),
    ('manila-scheduler', 'ctl'),
    ('manila-share', 'ctl@a'),
    ('manila-share', 'ctl@b'),
    # A second row of the same service.
    ('manila-share', 'ctl@b'),
)


class Scenarios(databases.Scenarios):
    limits = frozenset(
        {'rolconnlimit', 'datconnlimit', 'max_user_connections'}
    )

    def with_services(self, number, release='2025.1'):
        database = self.database(release)
        if number:
            database.insert(
                'services',
                *(
                    {'binary': binary, 'host': host}
                    for binary, host in SERVICES[:number]
                ),
            )
        return database

    def findings(self, url, target='2026.1'):
        result = self.run_check(CHECK, url, target=target)
        self.assertEqual('', result.reason)
        return tuple(
            one for one in result.findings if one.subject.name in self.limits
        )

    def found(self, name, limit, account, rows, statement):
        number = int(rows.split()[0])
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('database', name),
            f'{name} is {limit} for {account}, the account of [database] '
            f'connection, and manila needs {number + 2} connections or more: '
            f'one for each of {rows} of services, one for each process of '
            'manila-api, and one for manila-manage. A service that gets none '
            'never reports',
            (
                model.advice(
                    'Allow as many as there are processes, and some for '
                    'requests that run at the same time:'
                ),
                model.sql(self.server, statement),
            ),
            check_id=CHECK,
            data={'limit': limit, 'needed': number + 2},
        )


@ddt.ddt
class ConnectionLimitsMySQLTest(Scenarios, databases.MySQLTest):
    @ddt.data(
        (5, 5, '4 rows'),
        (5, 6, None),
        (4, 0, None),
        (1, 2, '1 row'),
        (0, 2, None),
    )
    @ddt.unpack
    def test_a_limit_of_the_account(self, services, limit, rows):
        who, url = self.with_services(services).account(
            'GRANT ALL ON {db}.* TO {who}',
            f'ALTER USER {{who}} WITH MAX_USER_CONNECTIONS {limit}',
        )
        expected = ()
        if rows:
            expected = (
                self.found(
                    'max_user_connections',
                    limit,
                    who,
                    rows,
                    f'ALTER USER {who} WITH MAX_USER_CONNECTIONS '
                    f'{2 * (int(rows[0]) + 2)};',
                ),
            )
        self.assertEqual(expected, self.findings(url))

    def test_an_account_that_only_reads(self):
        _, url = self.with_services(5).account(
            'GRANT SELECT ON {db}.* TO {who}',
            'ALTER USER {who} WITH MAX_USER_CONNECTIONS 3',
        )
        self.assertEqual((), self.findings(url))

    # The limit of the server that other tests use stays as it is.
    @mock.patch.object(limits, 'connections', autospec=True)
    @mock.patch.object(limits, 'variables', autospec=True)
    def test_a_limit_of_the_server(self, variables, connections):
        variables.return_value = {'max_user_connections': '3'}
        connections.return_value = {'max_user_connections': 3}
        who, url = self.with_services(4).account(
            'GRANT ALL ON {db}.* TO {who}'
        )
        self.assertEqual(
            (
                self.found(
                    'max_user_connections',
                    3,
                    who,
                    '4 rows',
                    'SET GLOBAL max_user_connections = 12;',
                ),
            ),
            self.findings(url),
        )


@ddt.ddt
class ConnectionLimitsPostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    def made(self, services, rights='ALL'):
        """Return a database, an account, and its URL."""
        database = self.with_services(services)
        # A name that a template would take for a place to fill.
        role = f'precheck{{0}}_{uuid.uuid4().hex[:12]}'
        database.admin(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'secret'")
        self.addCleanup(database.admin, f'DROP ROLE "{role}"')
        self.addCleanup(database.execute, f'DROP OWNED BY "{role}"')
        database.execute(
            f'GRANT {rights} ON ALL TABLES IN SCHEMA public TO "{role}"'
        )
        url = databases.url_of('postgresql', database.name, role, 'secret')
        return database, role, url

    @ddt.data(
        (5, 4, '4 rows'),
        (5, 5, '4 rows'),
        (5, 6, None),
        (5, -1, None),
        (1, 2, '1 row'),
        (0, 2, None),
    )
    @ddt.unpack
    def test_a_limit_of_the_account_or_the_database(
        self, services, limit, rows
    ):
        database, role, url = self.made(services)
        for name, alter in (
            ('rolconnlimit', f'ALTER ROLE "{role}" WITH CONNECTION LIMIT'),
            (
                'datconnlimit',
                f'ALTER DATABASE {database.name} WITH CONNECTION LIMIT',
            ),
        ):
            database.execute(f'{alter} {limit}')
            expected = ()
            if rows:
                expected = (
                    self.found(
                        name,
                        limit,
                        role,
                        rows,
                        f'{alter} {2 * (int(rows[0]) + 2)};',
                    ),
                )
            self.assertEqual(expected, self.findings(url))
            database.execute(f'{alter} -1')

    def test_accounts_that_a_limit_does_not_stop(self):
        database, role, url = self.made(5, 'SELECT')
        database.execute(f'ALTER ROLE "{role}" WITH CONNECTION LIMIT 3')
        # An account that only reads.
        self.assertEqual((), self.findings(url))
        database.execute(
            f'GRANT UPDATE ON services TO "{role}"',
            f'ALTER ROLE "{role}" SUPERUSER',
        )
        self.assertEqual((), self.findings(url))

    def test_no_migration_is_pending(self):
        database, role, url = self.made(5)
        database.execute(
            f'ALTER ROLE "{role}" WITH CONNECTION LIMIT 3',
        )
        self.assertEqual((), self.findings(url, target='2025.1'))
