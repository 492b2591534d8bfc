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
"""A statement ends on the server when nobody waits for its rows any more.

The statements wait for a table that another session has locked, for ten
minutes unless they are ended.
"""

import os
import signal
import subprocess
import sys
import time

import ddt
import fixtures

from manila_precheck import model
from manila_precheck.tests import databases

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

# Shorter than the limit of a statement, by far.
_PATIENCE = 60
_STATEMENT_SECONDS = 600

# Read before any check runs, and by a check.
_TABLES = ('alembic_version', 'shares')


@ddt.ddt
class Scenarios(databases.Scenarios):
    #: Statements of a server.
    locking: str
    waiting: str

    def setUp(self):
        super().setUp()
        self.made = self.database('2025.1')
        self.made.insert('shares', {'id': 'a'})

    def lock(self, table):
        """Lock a table until the test is over."""
        connection = self.made.engine.connect()
        self.addCleanup(connection.close)
        connection.exec_driver_sql(self.locking.format(table))

    def running(self):
        """Return the statements that wait for the table."""
        with self.made.engine.connect() as connection:
            rows = connection.exec_driver_sql(self.waiting).fetchall()
        return [row[0] for row in rows]

    def wait_for(self, what):
        ends = time.monotonic() + _PATIENCE
        while not what():
            if time.monotonic() > ends:
                self.fail('it did not come to pass')
            time.sleep(0.1)

    @ddt.data(
        *(
            (name, table)
            for name in ('SIGTERM', 'SIGHUP', 'SIGINT', 'SIGKILL')
            for table in _TABLES
        )
    )
    @ddt.unpack
    def test_a_statement_went_on_after_a_signal(self, name, table):
        self.lock(table)
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'manila.conf')
        with open(path, 'w') as stream:
            stream.write(
                f'[database]\nconnection = {self.made.url}\n'
                '[manila_precheck]\n'
                f'statement_timeout_seconds = {_STATEMENT_SECONDS}\n'
                f'check_timeout_seconds = {_STATEMENT_SECONDS}\n'
            )
        words = [sys.executable, '-c', _RUN, '--config-file', path]
        words += ['upgrade', 'check', '--target-release', '2026.1']
        process = subprocess.Popen(
            [*words, '--check', 'soft-deleted-rows'],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_for(self.running)
        process.send_signal(getattr(signal, name))
        code = process.wait(_PATIENCE)
        self.wait_for(lambda: not self.running())
        self.assertIn(
            code,
            {
                'SIGTERM': (143,),
                'SIGHUP': (129,),
                'SIGINT': (2, 255),
                'SIGKILL': (-9,),
            }[name],
        )

    def test_a_statement_went_on_after_its_check_was_given_up(self):
        self.lock('shares')
        result = self.run_check(
            'soft-deleted-rows',
            self.made,
            target='2026.1',
            options={
                'statement_timeout_seconds': _STATEMENT_SECONDS,
                'check_timeout_seconds': 3,
            },
        )
        self.assertEqual(
            (
                model.Outcome.ERROR,
                'it did not finish within 3 seconds ([manila_precheck] '
                'check_timeout_seconds)',
            ),
            (result.outcome, result.reason),
        )
        self.wait_for(lambda: not self.running())


class StatementsMySQLTest(Scenarios, databases.MySQLTest):
    locking = 'LOCK TABLES {} WRITE'
    waiting = (
        'SELECT info FROM information_schema.processlist WHERE '
        "db = DATABASE() AND state LIKE 'Waiting for%%lock'"
    )


class StatementsPostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    locking = 'LOCK TABLE {} IN ACCESS EXCLUSIVE MODE'
    waiting = (
        'SELECT query FROM pg_stat_activity WHERE datname = '
        "current_database() AND wait_event_type = 'Lock'"
    )
