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

"""The grants in the documentation are enough, and no more than that."""

import json
import re
from typing import Any
import uuid

import sqlalchemy as sa

from manila_precheck.tests import databases
from manila_precheck.tests import tool_scripts
from manila_precheck.tests.unit.cmd import test_precheck

PAGE = tool_scripts.DIRECTORY.parent / 'doc' / 'source' / 'user'

# What it sees of others who are at the server differs from run to run.
_OF_THE_MOMENT = 'database-sessions'


class Scenarios(databases.Scenarios):
    conf: str
    main: Any

    def statements(self):
        """Return the statements of the page for this server."""
        text = (PAGE / 'account.rst').read_text()
        block = text.split(f'.. code-block:: {self.server}\n\n')[1]
        return re.findall(r'^ {3}(.+);$', block.split('\n\n')[0], re.M)

    def account(self, database):
        """Make the account of the page; return the URL with it."""
        name = f'precheck_{uuid.uuid4().hex[:8]}'
        quoted = f"'{name}'@'%'" if self.server == 'mysql' else name
        made = [
            re.sub(r'\bmanila\b', database.name, one)
            .replace("'manila_precheck'@'%'", quoted)
            .replace('manila_precheck', name)
            .replace('%', '%%')
            for one in self.statements()
        ]
        create, *grants = made
        if self.server == 'mysql':
            self.addCleanup(
                database.admin, f'DROP USER {quoted.replace("%", "%%")}'
            )
            database.admin(*made)
        else:
            self.addCleanup(database.admin, f'DROP ROLE {name}')
            database.admin(create)
            database.execute(*grants)
            self.addCleanup(database.execute, f'DROP OWNED BY {name}')
        return databases.url_of(self.server, database.name, name, 'PASSWORD')

    def report(self, url):
        """Return the checks of a report over a database, by their ids."""
        code, stdout, stderr = self.main(
            *('--config-file', self.conf, 'upgrade', 'check'),
            *('--target-release', '2026.1', '--stage', 'stopped'),
            *('--skip', 'installed-packages', '--skip', 'manila-status'),
            *('--no-network', '--format', 'json', '--reproducible'),
            *('--database-connection', url),
        )
        self.assertIn(code, (0, 1, 2), stderr)
        return {one['id']: one for one in json.loads(stdout)['checks']}

    def test_the_checks_see_what_manila_sees(self):
        database = self.database('2025.1')
        database.insert(
            'shares',
            {'id': 'a', 'deleted': 'a', 'deleted_at': databases.LONG_AGO},
        )
        database.insert(
            'services',
            {
                'host': 'ctl1@one',
                'binary': 'manila-share',
                'topic': 'manila-share',
                'updated_at': database.now(),
                'deleted': 0,
            },
        )
        url = self.account(database)
        expected, found = self.report(database.url), self.report(url)
        seen = found.pop(_OF_THE_MOMENT)
        del expected[_OF_THE_MOMENT]
        self.assertEqual(expected, found)
        self.assertIn('soft-deleted-rows', found)
        self.assertEqual('found', found['live-services']['outcome'])
        # Of the sessions nothing is hidden from it.
        self.assertNotIn('privilege', json.dumps(seen))
        self.assertNotIn('pg_read_all_stats', json.dumps(seen))

    def test_it_cannot_write(self):
        database = self.database('2025.1')
        engine = sa.create_engine(self.account(database))
        self.addCleanup(engine.dispose)
        for statement in (
            "UPDATE services SET host = 'x'",
            'DELETE FROM shares',
            'DROP TABLE shares',
            'CREATE TABLE own (id INT)',
        ):
            with engine.connect() as connection:
                self.assertRaises(
                    sa.exc.DBAPIError, connection.exec_driver_sql, statement
                )


class ReadOnlyAccountMySQLTest(
    Scenarios, test_precheck.Case, databases.MySQLTest
):
    pass


class ReadOnlyAccountPostgreSQLTest(
    Scenarios, test_precheck.Case, databases.PostgreSQLTest
):
    pass
