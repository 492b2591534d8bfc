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

"""Dumps of real servers, restored into a server of our own."""

import bz2
import datetime
import glob
import gzip
import hashlib
import lzma
import os
import subprocess

import ddt
import fixtures

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.tests import databases
from manila_precheck.tests import server_programs


def _packed(suffix, data):
    modules = {'gz': gzip, 'bz2': bz2, 'xz': lzma}
    return modules[suffix].compress(data)


class _DumpTest(databases.DatabaseTest):
    """Base of the tests that restore a dump."""

    def setUp(self):
        super().setUp()
        try:
            private_server._installed(self.server)
        except exceptions.SourceUnusable as exc:
            self.skipTest(str(exc))
        # A short path: that of a socket has 107 bytes.
        self.where = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.where, 0o711)
        self.useFixture(fixtures.EnvironmentVariable('TMPDIR', self.where))

    def file(self, data, name='dump.sql'):
        path = os.path.join(self.where, name)
        with open(path, 'wb') as stream:
            stream.write(data)
        return path

    def dumped(self, *words):
        tool = server_programs.program(words[0])
        if tool is None:
            self.skipTest(f'no {words[0]} on this host')
        return subprocess.run(
            [tool, *words[1:]],
            check=True,
            stdout=subprocess.PIPE,
            env={'PGPASSWORD': databases.USER},
        ).stdout

    def site(self, path, **options):
        return self.useFixture(
            testing.Site(
                connection='mysql+pymysql://manila@nowhere.invalid/manila',
                source=None,
                options={'database_dump': path, **options},
            )
        )

    def opened(self, path, **options):
        """Return the context over a dump."""
        return self.site(path, **options).context()

    def refused(self, data, **options):
        """Return why a dump is not read."""
        ctx = self.opened(self.file(data), **options)
        exc = self.assertRaises(
            exceptions.SourceUnusable, lambda: ctx.database
        )
        ctx.close()
        self.assertEqual([], self.left())
        return str(exc).replace(self.where, 'TMP')

    def left(self):
        return glob.glob(f'{self.where}/{private_server._PREFIX}*')


class _RoundTrip(_DumpTest):
    """The same findings, whether the database is read or its dump."""

    def make(self):
        made = self.database('2025.1')
        made.insert(
            'services',
            {
                'binary': 'manila-share',
                'host': 'ctl1@generic',
                'topic': 'manila-share',
                'updated_at': made.now() - datetime.timedelta(seconds=5),
            },
        )
        made.insert(
            'shares',
            {'id': 'live', 'display_name': "it's; a\n\\. \\'b\u00e9\t"},
            {
                'id': 'gone',
                'deleted': 'gone',
                'deleted_at': databases.LONG_AGO,
            },
        )
        made.insert(
            'share_instances',
            {'id': 'one', 'share_id': 'live', 'status': 'migrating'},
        )
        return made

    def results(self, ctx, site):
        return [
            site.run(name, ctx)
            for name in (
                'in-flight-operations',
                'live-services',
                'pending-migrations',
                'schema-revision',
                'soft-deleted-rows',
            )
        ]

    def compare(self, made, data, name='dump.sql'):
        direct = self.useFixture(
            testing.Site(connection=made.url, source=None)
        )
        ctx = direct.context()
        expected = self.results(ctx, direct)
        ctx.close()
        path = self.file(data, name)
        site = self.site(path)
        ctx = site.context()
        found = self.results(ctx, site)
        rows = ctx.database.rows('SELECT display_name FROM shares ORDER BY id')
        read, files = ctx.database_read, ctx.files
        ctx.close()
        self.assertEqual(expected, found)
        self.assertEqual("it's; a\n\\. \\'b\u00e9\t", rows[1][0])
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual((path, len(data), digest), tuple(read.dump[:3]))
        self.assertIn(model.FileRead(path, digest, 'database dump'), files)
        self.assertEqual([], self.left())
        return read.dump


@ddt.ddt
class MySQLDumpTest(_RoundTrip):
    server = 'mysql'

    def dump(self, made, tool, *words):
        return self.dumped(
            tool,
            f'--host={databases.HOST}',
            f'--user={databases.USER}',
            f'--password={databases.USER}',
            '--single-transaction',
            *words,
        )

    @ddt.data('mysqldump', 'mariadb-dump')
    def test_a_dump(self, tool):
        made = self.make()
        read = self.compare(made, self.dump(made, tool, made.name))
        self.assertEqual((), read.left_out)

    @ddt.data('gz', 'bz2', 'xz')
    def test_a_compressed_dump(self, suffix):
        made = self.make()
        data = self.dump(made, 'mysqldump', made.name)
        self.compare(made, _packed(suffix, data), f'dump.sql.{suffix}')

    def test_a_row_a_statement_and_databases(self):
        made = self.make()
        data = self.dump(
            made,
            'mysqldump',
            '--skip-extended-insert',
            '--complete-insert',
            '--databases',
            made.name,
        )
        self.compare(made, data)

    def test_what_is_left_out_is_told(self):
        made = self.make()
        made.execute(
            'CREATE VIEW seen AS SELECT id FROM shares',
            'CREATE TRIGGER noted BEFORE INSERT ON shares FOR EACH ROW '
            'BEGIN SET @a = 1; SET @b = 2; END',
        )
        data = self.dump(made, 'mysqldump', made.name)
        read = self.compare(made, data)
        self.assertEqual(('1 trigger', '1 view'), read.left_out)


@ddt.ddt
class PostgreSQLDumpTest(_RoundTrip):
    server = 'postgresql'

    def dump(self, made, *words):
        return self.dumped(
            'pg_dump',
            f'--host={databases.HOST}',
            f'--username={databases.USER}',
            *words,
            made.name,
        )

    @ddt.data(
        (),
        ('--format=custom',),
        ('--format=tar',),
        ('--inserts',),
        ('--create',),
    )
    def test_a_dump(self, words):
        made = self.make()
        read = self.compare(made, self.dump(made, *words))
        self.assertEqual((), read.left_out)

    @ddt.data('gz', 'bz2', 'xz')
    def test_a_compressed_dump(self, suffix):
        made = self.make()
        data = self.dump(made)
        self.compare(made, _packed(suffix, data), f'dump.sql.{suffix}')

    def test_what_is_left_out_is_told(self):
        made = self.make()
        made.execute(
            'CREATE VIEW seen AS SELECT id FROM shares',
            'CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS '
            "'BEGIN INSERT INTO shares (id) VALUES (1);\n RETURN NEW; END'",
            'CREATE TRIGGER noted BEFORE INSERT ON shares FOR EACH ROW '
            'EXECUTE FUNCTION noted()',
        )
        read = self.compare(made, self.dump(made))
        self.assertEqual(('1 function', '1 trigger'), read.left_out)
