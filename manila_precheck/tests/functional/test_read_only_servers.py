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
"""Servers that answer every reading and take no writes."""

import threading
import time

import ddt
import sqlalchemy as sa

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.testing import schema
from manila_precheck.tests import databases
from manila_precheck.tests import private_servers

_FAILS = (
    ': "manila-manage db sync" fails, and so does every service that starts'
)


def _said(result):
    return [
        (one.key, one.severity, one.message)
        for one in result.findings
        if one.aspect == 'read-only'
    ]


def _finding(words, severity=model.Severity.FAILURE):
    return (
        'pending-migrations[database/connection#read-only]',
        severity,
        f'The server of [database] connection {words}',
    )


class PrivateTest(databases.CheckTest):
    """Base of the tests with a server of their own; not a test itself."""

    def private(self, kind, *args):
        if kind.why_not():
            self.skipTest(kind.why_not())
        return self.useFixture(kind(*args))

    def create_schema(self, url, release='2025.1'):
        engine = sa.create_engine(url)
        schema.create_schema(engine, releases.parse(release))
        engine.dispose()


class MariaDBTest(PrivateTest):
    def setUp(self):
        super().setUp()
        self.server = self.private(private_servers.MariaDB)
        self.create_schema(self.server.url)
        name = private_servers.NAME
        self.server.admin(
            f"CREATE USER manila@'{databases.HOST}' IDENTIFIED BY 'm'"
        )
        self.server.admin(
            f"GRANT ALL ON {name}.* TO manila@'{databases.HOST}'"
        )
        self.manila = (
            f'mysql+pymysql://manila:m@{databases.HOST}:{self.server.port}/'
            f'{name}'
        )

    def said(self, url):
        return _said(
            self.run_check('pending-migrations', url, target='2026.1')
        )

    def test_read_only(self):
        self.assertEqual([], self.said(self.manila))
        self.server.admin('SET GLOBAL read_only = 1')
        self.assertEqual(
            [_finding('has read_only = ON' + _FAILS)], self.said(self.manila)
        )
        # GRANT ALL ON *.*
        self.assertEqual(
            [
                _finding(
                    'has read_only = ON: this account can still write, '
                    'others cannot',
                    model.Severity.INFO,
                )
            ],
            self.said(self.server.url),
        )

    def test_transactions_that_are_read_only(self):
        self.server.admin('SET GLOBAL tx_read_only = 1')
        wanted = [_finding('has tx_read_only = ON' + _FAILS)]
        for url in (self.manila, self.server.url):
            self.assertEqual(wanted, self.said(url))


class PostgreSQLTest(databases.PostgreSQLTest):
    def test_transactions_that_are_read_only(self):
        made = self.database('2025.1')
        found = self.run_check('pending-migrations', made, target='2026.1')
        self.assertEqual([], _said(found))
        made.admin(
            f'ALTER DATABASE {made.name} SET default_transaction_read_only '
            '= on'
        )
        found = self.run_check('pending-migrations', made, target='2026.1')
        self.assertEqual(
            [
                _finding(
                    'has default_transaction_read_only = on for this account'
                    + _FAILS
                )
            ],
            _said(found),
        )


@ddt.ddt
class StandbyTest(PrivateTest):
    def setUp(self):
        super().setUp()
        self.primary = self.private(private_servers.PostgreSQL)
        self.create_schema(self.primary.url)
        self.standby = self.private(private_servers.Standby, self.primary)

    def wait(self, what):
        ends = time.monotonic() + 30
        while not what():
            self.assertGreater(ends, time.monotonic())
            time.sleep(0.05)

    def test_how_far_it_is_behind(self):
        name = private_servers.NAME
        # It knows no time before it has followed a transaction.
        self.primary.admin('CREATE TABLE s (n integer)', name)
        self.wait(
            lambda: self.standby.admin("SELECT to_regclass('s')", name)[0][0]
        )
        (said,) = _said(
            self.run_check(
                'pending-migrations', self.standby.url, target='2026.1'
            )
        )
        self.assertEqual(
            _finding('is a standby, 0 s behind its primary' + _FAILS),
            said,
        )
        # What comes after is received, and not yet to be seen.
        self.standby.admin('SELECT pg_wal_replay_pause()')
        self.primary.admin('CREATE TABLE t (n integer)', name)
        self.wait(
            lambda: self.standby.admin(
                'SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()'
            )[0][0]
        )
        time.sleep(1)
        result = self.run_check(
            'pending-migrations', self.standby.url, target='2026.1'
        )
        (lag,) = [
            one.data['lag_seconds']
            for one in result.findings
            if one.aspect == 'read-only'
        ]
        self.assertGreater(lag, 0.5)

    @ddt.data('soft-deleted-rows', 'pending-migrations')
    def test_a_reading_that_is_in_the_way_of_its_primary(self, check_id):
        name = private_servers.NAME
        locked = threading.Event()
        over = threading.Event()
        # Replaying it on the standby ends whoever reads the table there.
        engine = sa.create_engine(self.primary.url)

        def lock():
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    'LOCK TABLE shares IN ACCESS EXCLUSIVE MODE'
                )
                connection.exec_driver_sql('SELECT pg_switch_wal()')
                locked.set()
                over.wait(60)

        thread = threading.Thread(target=lock)
        thread.start()
        self.addCleanup(engine.dispose)
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        self.assertTrue(locked.wait(30))
        held = (
            'SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation '
            "WHERE c.relname = 'shares' AND l.mode = 'AccessExclusiveLock'"
        )
        self.wait(lambda: self.standby.admin(held, name))
        result = self.run_check(
            check_id,
            self.standby.url,
            target='2026.1',
            options={'statement_timeout_seconds': 2},
        )
        if check_id == 'pending-migrations':
            # It asks the catalogs of the server, and no table waits for it.
            self.assertEqual(model.Outcome.FOUND, result.outcome)
            return
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('table shares', result.reason)
