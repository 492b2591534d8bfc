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
"""What the tool that dumps the database is given."""

import os
import stat

import ddt
import fixtures
from sqlalchemy import engine
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.database.dumps import making


@ddt.ddt
class MakingTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def text(self, name):
        path = os.path.join(self.folder, name)
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        with open(path, encoding='utf-8') as stream:
            return stream.read()

    def test_mysql(self):
        url = engine.make_url(
            'mysql+pymysql://manila:S3c%22r%5Cet%23@db1:3307/manila'
            '?ssl_ca=/etc/ca.pem&ssl_verify_cert=true'
        )
        words = making._of_mysql(url, self.folder, '/f/dump.sql')
        self.assertEqual(f'--defaults-file={self.folder}/client.cnf', words[0])
        self.assertEqual(
            ['--result-file=/f/dump.sql', '--', 'manila'], words[-3:]
        )
        self.assertNotIn('S3c', ' '.join(words))
        self.assertEqual(
            '[client]\nloose-column-statistics=0\n'
            'loose-set-gtid-purged=OFF\nuser="manila"\n'
            'password="S3c"r\\\\et#"\nhost="db1"\nport="3307"\n'
            'ssl-ca="/etc/ca.pem"\nloose-ssl-verify-server-cert=1\n',
            self.text('client.cnf'),
        )

    def test_a_socket(self):
        url = engine.make_url(
            'mysql+pymysql://manila@/manila?unix_socket=/run/my.sock'
        )
        making._of_mysql(url, self.folder, '/f/dump.sql')
        self.assertIn('socket="/run/my.sock"\n', self.text('client.cnf'))

    def test_postgresql(self):
        url = engine.make_url(
            'postgresql+psycopg2://manila:S3c%3Ar%5Cet@db1:5433/manila'
            '?sslmode=verify-full'
        )
        words, variables = making._of_postgresql(
            url, self.folder, '/f/dump.sql'
        )
        self.assertEqual(
            [
                '--no-owner',
                '--no-privileges',
                '--no-password',
                '--file=/f/dump.sql',
            ],
            words,
        )
        self.assertEqual(
            {
                'PGPASSFILE': f'{self.folder}/pgpass',
                'PGHOST': 'db1',
                'PGPORT': '5433',
                'PGUSER': 'manila',
                'PGDATABASE': 'manila',
                'PGSSLMODE': 'verify-full',
            },
            variables,
        )
        self.assertEqual('*:*:*:*:S3c\\:r\\\\et\n', self.text('pgpass'))

    @ddt.data('mysql+pymysql', 'postgresql+psycopg2')
    def test_a_line_break(self, driver):
        url = engine.URL.create(
            driver, 'manila', 'a\nuser=root', 'db1', None, 'manila'
        )
        make = (
            making._of_mysql
            if driver.startswith('mysql')
            else making._of_postgresql
        )
        self.assertRaises(
            exceptions.SourceUnusable, make, url, self.folder, '/f'
        )
