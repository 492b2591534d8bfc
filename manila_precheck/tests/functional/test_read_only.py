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
"""What the servers are sent by a whole run, from their own logs."""

import os
import re
import subprocess
import sys
from urllib import parse

import fixtures
import sqlalchemy as sa
import testtools

from manila_precheck import releases
from manila_precheck.testing import schema
from manila_precheck.tests import private_servers

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

_CONF = """\
[database]
connection = {url}
connection_parameters = {parameters}
mysql_sql_mode = ANSI
mysql_wsrep_sync_wait = 7
connection_trace = True
"""


class ReadOnlyTest(testtools.TestCase):
    """Base of the tests with a server of their own; not a test itself."""

    def private(self, kind):
        if kind.why_not():
            self.skipTest(kind.why_not())
        server = self.useFixture(kind())
        engine = sa.create_engine(server.url)
        schema.create_schema(engine, releases.parse('2025.1'))
        engine.dispose()
        return server

    def run_all(self, url, parameters, **environment):
        """Run every check over a database, and return the report."""
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'manila.conf')
        with open(path, 'w') as stream:
            stream.write(_CONF.format(url=url, parameters=parameters))
        words = [sys.executable, '-c', _RUN, '--config-file', path]
        words += ['upgrade', 'check', '--target-release', '2026.1']
        ran = subprocess.run(
            [*words, '--format', 'json'],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )
        self.assertEqual('', ran.stderr)
        self.assertNotIn('"error"', ran.stdout)
        return ran.stdout


class MariaDBTest(ReadOnlyTest):
    def test_the_url_ran_a_statement(self):
        server = self.private(private_servers.MariaDB)
        server.admin("SET GLOBAL log_output = 'TABLE'")
        server.admin('SET GLOBAL general_log = 1')
        order = parse.quote('CREATE TABLE manila.evil (i INTEGER)')
        report = self.run_all(
            f'{server.url}?init_command={order}',
            'sql_mode=ANSI&local_infile=1&charset=utf8&'
            f'collation={parse.quote("utf8_bin, GLOBAL max_connections = 9")}',
            MYSQL_PWD='wrong',
        )
        server.admin('SET GLOBAL general_log = 0')
        self.assertIn(
            'collation, init_command, local_infile, sql_mode', report
        )
        self.assertEqual(
            [],
            server.admin(
                'SELECT table_name FROM information_schema.tables WHERE '
                "table_name = 'evil'"
            ),
        )
        rows = server.admin(
            'SELECT thread_id, command_type, CONVERT(argument USING utf8) '
            'FROM mysql.general_log ORDER BY event_time, thread_id'
        )
        sessions = {
            thread: []
            for thread, kind, text in rows
            if kind == 'Connect' and f' on {private_servers.NAME} ' in text
        }
        for thread, kind, text in rows:
            if kind == 'Query' and thread in sessions:
                sessions[thread].append(' '.join(text.split()))
        self.assertNotEqual({}, sessions)
        for statements in sessions.values():
            position = statements.index(
                'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, '
                'READ ONLY'
            )
            # What PyMySQL says of the session that it makes.
            for text in statements[:position]:
                self.assertRegex(text, '^SET (NAMES utf8|AUTOCOMMIT = [01])$')
            for text in statements[position + 1 :]:
                self.assertRegex(
                    text,
                    '^(SELECT |SHOW |SET SESSION max_statement_time|'
                    'SET (NAMES utf8|AUTOCOMMIT = [01])$|ROLLBACK$)',
                )


class PostgreSQLTest(ReadOnlyTest):
    def test_the_environment_set_the_session(self):
        server = self.private(private_servers.PostgreSQL)
        for order in (
            "SET log_statement = 'all'",
            "SET log_destination = 'stderr'",
            'SET logging_collector = on',
            "SET log_directory = 'log'",
            "SET log_line_prefix = '<%%p> '",
        ):
            server.admin(f'ALTER SYSTEM {order}')
        server.kill()
        server.start()
        options = parse.quote('-c work_mem=99MB -c search_path=public')
        report = self.run_all(
            f'{server.url}?options={options}',
            'replication=database',
            PGOPTIONS='-c statement_timeout=1 -c search_path=nowhere',
            PGSERVICE='nowhere',
            PGHOST='192.0.2.1',
        )
        self.assertIn('options=work_mem, replication', report)
        folder = os.path.join(server.data, 'log')
        text = ''
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as stream:
                text += stream.read()
        sessions = {}
        for line in re.findall(r'<(\d+)> LOG:  statement: (.*)', text):
            sessions.setdefault(line[0], []).append(line[1])
        begins = 'SET default_transaction_read_only = on; '
        ours = [
            said
            for said in sessions.values()
            if any(one.startswith(begins) for one in said)
        ]
        self.assertNotEqual([], ours)
        for said in ours:
            self.assertTrue(said[0].startswith(begins), said)
            for one in said[1:]:
                self.assertRegex(one, '(?i)^(SELECT|SHOW|WITH) ')
