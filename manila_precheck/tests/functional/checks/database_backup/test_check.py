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
import gzip
import os
import shutil
import subprocess

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.checks.database_backup import check as database_backup
from manila_precheck.tests import databases

CHECK = 'database-backup'


class Scenarios(databases.Scenarios):
    """Backups that the server's own tool makes."""

    tool = ''

    def setUp(self):
        super().setUp()
        if shutil.which(self.tool) is None:
            self.skipTest(f'there is no {self.tool}')
        self.made = self.database('2025.1')
        self.insert_shares()
        self.site = self.useFixture(
            testing.Site(
                connection=self.made.url,
                source=None,
                target='2026.1',
                stage='stopped',
            )
        )
        self.path = self.site.file('backup')

    def insert_shares(self):
        self.made.insert(
            'shares', *({'id': f'share-{number}'} for number in range(50))
        )

    def dump(self, *words):
        raise NotImplementedError

    def found(self):
        """Return the aspects of what the check finds."""
        now = datetime.datetime.now(datetime.timezone.utc)
        when = (testing.NOW - datetime.timedelta(hours=1)).timestamp()
        for folder, _, names in os.walk(self.path):
            for name in names:
                os.utime(os.path.join(folder, name), (when, when))
        os.utime(self.path, (when, when))
        context = self.site.context()
        # The last line of a dump has the real time.
        context.now = now
        database_backup.DatabaseBackup().register(context.conf)
        group = 'manila_precheck_database_backup'
        context.conf.set_override('path', self.path, group=group)
        context.conf.set_override('max_age_hours', 10**6, group=group)
        result = self.site.run(CHECK, context)
        self.assertIn(
            result.outcome, (model.Outcome.PASSED, model.Outcome.FOUND)
        )
        return [one.aspect for one in result.findings]

    def assert_told_from_its_pieces(self):
        """No beginning of a dump is called a whole one."""
        with open(self.path, 'rb') as stream:
            whole = stream.read()
        self.assertEqual([], self.found())
        size = len(whole)
        for length in (size - 2, size - 20, size // 2, size // 4, 600, 30):
            with open(self.path, 'wb') as stream:
                stream.write(whole[:length])
            self.assertIn(
                self.found()[0], ('incomplete', 'unread'), str(length)
            )

    def test_plain(self):
        self.dump()
        self.assert_told_from_its_pieces()

    def test_packed(self):
        self.dump()
        with open(self.path, 'rb') as stream:
            data = stream.read()
        with gzip.open(self.path, 'wb') as stream:
            stream.write(data)
        self.assert_told_from_its_pieces()

    def test_from_before_a_migration(self):
        self.dump()
        self.made.execute(
            "UPDATE alembic_version SET version_num = '004e506e922e'"
        )
        self.assertEqual(['revision'], self.found())


class DatabaseBackupMySQLTest(Scenarios, databases.MySQLTest):
    tool = 'mysqldump'

    def dump(self, *words):
        subprocess.run(
            [
                self.tool,
                f'--host={databases.HOST}',
                f'--user={databases.USER}',
                f'--password={databases.USER}',
                f'--result-file={self.path}',
                *words,
                self.made.name,
            ],
            check=True,
            capture_output=True,
        )

    def test_of_several_databases(self):
        self.dump('--databases', databases.USER)
        self.assertEqual([], self.found())

    def test_without_a_table(self):
        self.dump('--ignore-table', f'{self.made.name}.shares')
        self.assertEqual(['tables'], self.found())

    def test_without_its_last_line_it_is_not_known_to_be_whole(self):
        self.dump('--skip-comments')
        self.assertIn(self.found()[0], ('incomplete', 'unread'))


class DatabaseBackupPostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    tool = 'pg_dump'

    def dump(self, *words):
        url = self.made.url.replace('postgresql+psycopg2', 'postgresql')
        subprocess.run(
            [self.tool, f'--file={self.path}', *words, url],
            check=True,
            capture_output=True,
        )

    def test_custom_format(self):
        self.dump('--format=custom')
        self.assert_told_from_its_pieces()

    def test_without_a_table(self):
        self.dump('--format=custom', '--exclude-table=shares')
        self.assertEqual(['tables'], self.found())

    def test_tar(self):
        self.dump('--format=tar')
        self.assert_told_from_its_pieces()

    def test_directory(self):
        self.dump('--format=directory')
        self.assertEqual([], self.found())
        largest = max(
            (os.path.join(self.path, name) for name in os.listdir(self.path)),
            key=os.path.getsize,
        )
        os.truncate(largest, os.path.getsize(largest) // 2)
        self.assertEqual('incomplete', self.found()[0])
