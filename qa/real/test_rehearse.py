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
"""Compare upgrade rehearse with what real releases do to the database."""

import glob
import json
import os
import stat
from typing import ClassVar

import fixtures
from testtools import content

from qa.real import case
from qa.real import deployment
from qa.real import rehearsals
from qa.real import servers

_SOURCE, _TARGET = 20, 22


class _Rehearsals(case.RealCase):
    major = _SOURCE
    manage: ClassVar[deployment.Manage]

    #: A statement that keeps rows of messages, and the aspect that names it.
    obstacle: ClassVar[str] = ''
    kept_by: ClassVar[str] = ''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = deployment.why_not(_TARGET)
        if why:
            raise RuntimeError(why)
        cls.manage = deployment.Manage(_TARGET)
        cls.manage.setUp()
        cls.addClassCleanup(cls.manage.cleanUp)

    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path
        # The server of the copy runs as nobody.
        os.chmod(self.folder, 0o711)
        self.useFixture(fixtures.EnvironmentVariable('TMPDIR', self.folder))

    def dump(self, database):
        """Make a dump as an operator does; return its path."""
        path = os.path.join(self.folder, 'backup.sql')
        rehearsals.dump(self.server, database, path)
        return path

    def rehearse(self, database, *words, more=()):
        """Rehearse; return (exit code, report, standard error)."""
        url = deployment.quoted(self.server.url(database))
        conf = os.path.join(self.folder, 'staged.conf')
        with open(conf, 'w', encoding='utf-8') as stream:
            stream.write(
                f'[DEFAULT]\nlog_file = {self.folder}/production.log\n'
                f'[database]\nconnection = {url}\n'
                f'slave_connection = {url}\n'
            )
        done = deployment.command(
            '--config-file',
            conf,
            *more,
            'upgrade',
            'rehearse',
            '--backup',
            self.dump(database),
            '--target-python',
            deployment.program(_TARGET, 'python'),
            '--format',
            'json',
            '--database-only',
            *words,
            timeout_seconds=600,
        )
        self.addDetail('standard error', content.text_content(done.stderr))
        self.assertNotIn('Traceback', done.stderr)
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        report = json.loads(done.stdout)
        return done.returncode, report, done.stderr

    def copy(self, *statements):
        """Return a copy of the database, broken by statements."""
        database = self.server.new_name()
        self.addCleanup(self.server.drop, database)
        self.server.copy(self.site.database, database)
        for statement in statements:
            self.server.run(statement, database)
        return database

    def test_a_clean_database(self):
        # Set every option that could lead to production.
        database = self.copy()
        url = self.server.url(database)
        place = os.path.join(self.folder, 'conf.d')
        os.mkdir(place)
        with open(f'{place}/z.conf', 'w', encoding='utf-8') as stream:
            stream.write(
                '[DATABASE]\nsql_connection = {0}\n'
                '[database]\nconnection = {0}\nslave_connection = {0}\n'
                '[DEFAULT]\nsql_connection = {0}\nlog_dir = {1}\n'.format(
                    deployment.quoted(url), self.folder
                )
            )
        for name, value in (
            ('OS_DATABASE__CONNECTION', url),
            ('OS_DATABASE__SLAVE_CONNECTION', url),
            ('PYTHONPATH', '/nowhere'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        before = (
            self.server.contents(database),
            self.server.catalogue(database),
        )
        code, report, said = self.rehearse(
            database, more=('--config-dir', place)
        )
        self.assertEqual(
            before,
            (self.server.contents(database), self.server.catalogue(database)),
        )
        self.assertEqual(
            (0, 'REHEARSED'), (code, report['verdict']), report['checks']
        )
        self.assertEqual(
            {'rehearse-backup': 'passed', 'rehearse-sync': 'passed'},
            {
                one['id']: one['outcome']
                for one in report['checks']
                if one['id'].startswith('rehearse-')
            },
        )
        done = report['rehearsal']
        self.assertTrue(done['proven'])
        self.assertEqual(report['database']['revision'], done['live_revision'])
        self.assertEqual(
            sum(
                self.server.run(f'SELECT COUNT(*) FROM {table}', database)[0][
                    0
                ]
                for table in self.server.tables(database)
            ),
            done['rows'],
        )
        (sync,) = (p for p in done['phases'] if p['phase'] == 'sync')
        self.assertTrue(sync['whole'])
        self.assertIn('qos_types', {s['table'] for s in sync['statements']})
        self.assertFalse(glob.glob(f'{self.folder}/manila-precheck-*'))
        self.assertFalse(glob.glob(f'{self.folder}/*.log'))
        self.assertIn('is removed', said)

    def test_a_revision_that_no_release_has(self):
        database = self.copy(
            "UPDATE alembic_version SET version_num = 'deadbeef0000'"
        )
        code, report, _ = self.rehearse(database)
        self.assertEqual(2, code)
        self.assertEqual(
            [('rehearse-sync[db-sync]', 'schema-revision[alembic_version]')],
            [
                (finding['key'], finding['data']['foretold'])
                for one in report['checks']
                for finding in one['findings']
                if finding['severity'] == 'failure'
            ],
        )

    def test_a_table_that_is_in_the_way(self):
        database = self.copy('CREATE TABLE qos_types (id INTEGER)')
        code, report, _ = self.rehearse(database)
        found = [
            (one['id'], finding)
            for one in report['checks']
            for finding in one['findings']
            if finding['severity'] == 'failure'
        ]
        self.assertEqual(2, code)
        ((check_id, finding),) = found
        self.assertEqual('rehearse-sync', check_id)
        foretold = finding['data']['foretold']
        self.assertIn('pending-migrations', foretold)
        self.assertTrue(
            finding['message'].endswith(f'(rehearsed: {foretold} held)'),
            finding['message'],
        )
        self.assertIn('already exists', finding['message'])
        # The release fails on the database itself, too.
        code, output = self.manage.run(self.server.url(database), 'db', 'sync')
        self.assertNotEqual(0, code)
        self.assertIn(finding['data']['revision'], output)

    def test_a_purge_before_it(self):
        _, report, _ = self.rehearse(
            self.site.database,
            '--purge=0',
            f'--source-python={deployment.program(_SOURCE, "python")}',
        )
        phases = {p['phase']: p for p in report['rehearsal']['phases']}
        self.assertEqual({'restore', 'purge', 'sync'}, set(phases))
        self.assertTrue(phases['purge']['whole'])
        self.assertIn(
            'shares', {s['table'] for s in phases['purge']['statements']}
        )

    def test_a_purge_that_keeps_rows(self):
        database = self.copy(
            'INSERT INTO messages (id, project_id, action_id, message_level, '
            "deleted, deleted_at) VALUES ('kept', 'red', '001', 'ERROR', "
            "'kept', '2020-01-01 00:00:00')",
            self.obstacle,
        )
        _, report, _ = self.rehearse(
            database,
            '--purge=0',
            f'--source-python={deployment.program(_SOURCE, "python")}',
        )
        self.assertIn(
            ('rehearse-purge', f'rehearse-purge[messages#{self.kept_by}]'),
            [
                (one['id'], finding['key'])
                for one in report['checks']
                for finding in one['findings']
            ],
        )

    def test_a_copy_that_is_kept(self):
        _, report, said = self.rehearse(self.site.database, '--keep')
        kept = report['rehearsal']['kept']
        self.assertIn(f'The copy is kept in {kept},', said)
        self.assertEqual(0o700, stat.S_IMODE(os.stat(kept).st_mode))
        self.assertEqual([kept], glob.glob(f'{self.folder}/manila-precheck-*'))


class MySQLTest(_Rehearsals):
    server_class = servers.MySQL
    obstacle = (
        'CREATE TRIGGER kept BEFORE DELETE ON messages FOR EACH ROW '
        "SIGNAL SQLSTATE '45000'"
    )
    kept_by = 'trigger-kept'


class PostgreSQLTest(_Rehearsals):
    server_class = servers.PostgreSQL
    obstacle = 'CREATE RULE kept AS ON DELETE TO messages DO INSTEAD NOTHING'
    kept_by = 'rule-kept'


# Remove the base class, so that only classes with a server are run.
del _Rehearsals
