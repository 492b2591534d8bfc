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

"""A file of facts of a release beyond those that are known."""

import io
import json

import ddt
import fixtures

from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.cmd import precheck
from manila_precheck.tests import databases
from manila_precheck.tests import known_releases
from manila_precheck.tests.unit.catalog import test_builds

_HEAD = 'afc3b5e1f406'


@ddt.ddt
class BeyondTest(databases.SQLiteTest):
    """2026.2 is the last release that is known, and master is 2027.1.

    It has the facts of 2026.2, an option and two migrations.
    """

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        self.path = self.useFixture(fixtures.TempDir()).path
        self.file = f'{self.path}/master.json'
        facts = test_builds.facts_of(releases.parse('2026.2'))
        facts['release']['version'] = '24.0.0.0rc1'
        facts['options'].append(
            {'name': 'of_master', 'in': ['[DEFAULT]'], 'type': 'integer'}
        )
        head = _HEAD
        for name in ('aaaa00000001', 'aaaa00000002'):
            facts['revisions'].append(
                {'revision': name, 'down': head, 'file': f'{name}_x.py'}
            )
            head = name
        self.write('master.json', json.dumps(facts))

    def without_migrations(self):
        """Leave it the database of the release before."""
        with open(self.file) as stream:
            facts = json.load(stream)
        del facts['revisions'][-2:]
        self.write('master.json', json.dumps(facts))

    def write(self, name, text):
        with open(f'{self.path}/{name}', 'w') as stream:
            stream.write(text)

    def main(self, *words):
        """Return (exit code, stdout, stderr)."""
        streams = [
            self.useFixture(fixtures.MonkeyPatch(f'sys.{name}', io.StringIO()))
            for name in ('stdout', 'stderr')
        ]
        code = precheck.main(list(words))
        return code, *(one.new_value.getvalue() for one in streams)

    def check(self, database, *words, checks=('upgrade-path',)):
        """Return {key: (severity, message)}, and the report."""
        self.write(
            'manila.conf',
            f'[DEFAULT]\nof_master = x\n[database]\nconnection = {database}\n',
        )
        code, stdout, stderr = self.main(
            '--config-file',
            f'{self.path}/manila.conf',
            'upgrade',
            'check',
            *('--format', 'json'),
            *(word for name in checks for word in ('--check', name)),
            *words,
        )
        self.assertEqual('', stderr)
        report = json.loads(stdout)
        found = {
            one['key']: (one['severity'], one['message'])
            for check in report['checks']
            for one in check['findings']
        }
        self.assertEqual(
            [], [one['id'] for one in report['checks'] if one['reason']]
        )
        return found, report

    def beyond(self, side='target'):
        return {
            f'upgrade-path[{side}#beyond]': (
                'warning',
                '2027.1 is newer than 2026.2, the last release that this '
                'manila-precheck knows; the facts about it come from '
                f'{self.file} (manila 24.0.0.0rc1) alone; what these lack is '
                'taken from 2026.2',
            )
        }

    def test_every_check(self):
        """What the file has is judged, and what it has not is named."""
        found, report = self.check(
            self.database('2026.2').url,
            '--target-catalog',
            self.file,
            checks=(
                'config-options',
                'pending-migrations',
                'schema-revision',
                'soft-deleted-rows',
                'upgrade-advisories',
                'upgrade-path',
            ),
        )
        self.assertEqual(
            {
                **self.beyond(),
                'config-options[DEFAULT/of_master#value]': (
                    'failure',
                    '[DEFAULT] of_master = x: 2027.1 rejects the value, and '
                    'the service that reads it exits at startup; 2026.2 does '
                    'not read it',
                ),
                'pending-migrations[aaaa00000001#unknown]': (
                    'warning',
                    'aaaa00000001 (aaaa00000001_x.py) is pending, and only '
                    'the build of 2027.1 has it: what it does is not known',
                ),
                'pending-migrations[aaaa00000002#unknown]': (
                    'warning',
                    'aaaa00000002 (aaaa00000002_x.py) is pending, and only '
                    'the build of 2027.1 has it: what it does is not known',
                ),
                'schema-revision[alembic_version#pending]': (
                    'info',
                    f'2 migrations are pending from {_HEAD} to 2027.1: '
                    'aaaa00000001, aaaa00000002',
                ),
            },
            found,
        )
        self.assertEqual(
            ('2026.2', '2027.1', '23.0.1 24.0.0.0rc1'),
            (
                report['source_release'],
                report['target_release'],
                report['tool']['catalog'],
            ),
        )

    def test_a_migration_of_a_fork(self):
        """Those beside it are judged as they are known."""
        facts = test_builds.facts_of(releases.parse('2026.1'))
        facts['release']['version'] = '22.0.2.dev7'
        facts['revisions'].append(
            {
                'revision': 'ffff00000001',
                'down': '004e506e922e',
                'file': 'fork.py',
            }
        )
        self.write('fork.json', json.dumps(facts))
        database = self.database('2025.1')
        database.execute('CREATE TABLE qos_types (id VARCHAR(36))')
        found, _ = self.check(
            database.url,
            *('--target-catalog', f'{self.path}/fork.json'),
            checks=('pending-migrations',),
        )
        self.assertEqual(
            (
                'warning',
                'ffff00000001 (fork.py) is pending, and only the build of '
                '2026.1 has it: what it does is not known',
            ),
            found.pop('pending-migrations[ffff00000001#unknown]'),
        )
        self.assertEqual(
            [('failure', True)],
            [
                (severity, 'table qos_types already exists' in message)
                for severity, message in found.values()
            ],
        )

    def test_a_migration_that_a_patch_has_changed(self):
        """One that no release has, by its hash; where none is, by its id."""
        facts = test_builds.facts_of(releases.parse('2026.1'))
        facts['release']['version'] = '22.0.2.dev7'
        (head,) = (
            row
            for row in facts['revisions']
            if row['revision'] == '004e506e922e'
        )
        database = self.database('2025.1')
        for digest, expected in (
            (
                'f' * 64,
                {
                    'pending-migrations[004e506e922e#unknown]': (
                        'warning',
                        '004e506e922e (004e506e922e_add_share_instance_'
                        'metadata.py) is pending, and the build of 2026.1 has '
                        'changed it: what it does is not known',
                    )
                },
            ),
            (head.pop('sha256'), {}),
            (None, {}),
        ):
            row = {**head, 'sha256': digest} if digest else head
            facts['revisions'] = [
                row if one['revision'] == head['revision'] else one
                for one in facts['revisions']
            ]
            self.write('patched.json', json.dumps(facts))
            found, _ = self.check(
                database.url,
                *('--target-catalog', f'{self.path}/patched.json'),
                checks=('pending-migrations',),
            )
            self.assertEqual(expected, found)

    @ddt.data('2027.1', '24', '24.0.0.0rc1')
    def test_it_is_named_as_well(self, name):
        found, _ = self.check(
            self.database('2026.2').url,
            *('--target-catalog', self.file, '--target-release', name),
        )
        self.assertEqual(self.beyond(), found)

    @ddt.data(
        ('24.0.0.0rc1', []),
        ('24.0.0.0b1', ['upgrade-path[target#build]']),
        ('25.0.0', ['upgrade-path[manila#installed]']),
    )
    @ddt.unpack
    def test_it_is_installed_as_well(self, installed, others):
        site = self.useFixture(
            testing.Site(
                source='2026.2',
                target=None,
                installed=installed,
                options={'target_catalog': self.file},
            )
        )
        context = site.context()
        context.take_builds()
        result = site.run('upgrade-path', context)
        self.assertEqual('', result.reason)
        self.assertEqual(
            sorted([*self.beyond(), *others]),
            sorted(one.key for one in result.findings),
        )

    @ddt.data((), ('--source-release', '2026.2'))
    def test_the_database_is_that_of_the_release_before(self, words):
        """It may be of either, and is upgraded all the same."""
        self.without_migrations()
        found, report = self.check(
            self.database('2026.2').url,
            *('--target-catalog', self.file),
            *words,
        )
        shared = () if words else ('upgrade-path[source#alike]',)
        self.assertEqual({*self.beyond(), *shared}, {*found})
        self.assertEqual(
            ('2026.2', '2027.1'),
            (report['source_release'], report['target_release']),
        )

    def test_the_database_is_that_of_the_release_before_upgraded(self):
        self.without_migrations()
        found, report = self.check(
            self.database('2026.2').url,
            *('--target-catalog', self.file, '--stage', 'upgraded'),
            *('--source-release', '2026.2'),
        )
        self.assertEqual({*self.beyond()}, {*found})
        self.assertEqual(
            ('2026.2', '2027.1'),
            (report['source_release'], report['target_release']),
        )

    def test_an_update_within_it(self):
        """From one build to another, each of which has a file."""
        with open(self.file) as stream:
            facts = json.load(stream)
        facts['release']['version'] = '24.0.0.0b1'
        self.write('older.json', json.dumps(facts))
        database = self.database('2026.2')
        database.execute(
            "UPDATE alembic_version SET version_num = 'aaaa00000002'"
        )
        found, report = self.check(
            database.url,
            *('--source-catalog', f'{self.path}/older.json'),
            *('--target-catalog', self.file),
        )
        self.assertEqual(
            ('24.0.0.0b1', '24.0.0.0rc1'),
            (report['source_facts']['build'], report['target_facts']['build']),
        )
        self.assertEqual(
            ['upgrade-path[source#beyond]', 'upgrade-path[target#beyond]'],
            sorted(found),
        )

    @ddt.data(('2026.1', True), ('2025.2', False), ('2025.1', False))
    @ddt.unpack
    def test_which_upgrades_are_supported(self, source, supported):
        """From a SLURP release to the next, which is the first of a year."""
        found, _ = self.check(
            self.database(source).url, '--target-catalog', self.file
        )
        others = {**found}
        for key in self.beyond():
            self.assertEqual('warning', others.pop(key)[0])
        self.assertEqual(
            [] if supported else ['upgrade-path[target]'], [*others]
        )

    def test_the_database_is_migrated(self):
        database = self.database('2026.2')
        database.execute(
            "UPDATE alembic_version SET version_num = 'aaaa00000002'"
        )
        found, _ = self.check(
            database.url,
            *('--target-catalog', self.file, '--stage', 'upgraded'),
            *('--source-release', '2026.2'),
            checks=('schema-revision', 'upgrade-path'),
        )
        self.assertEqual(self.beyond(), found)

    @ddt.data(
        ('--target-release', '2027.1'),
        ('--target-release', '24.0.0.0rc1'),
        ('--source-release', '24'),
    )
    def test_without_a_file(self, words):
        code, stdout, stderr = self.main('upgrade', 'check', *words)
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(1, len(stderr.splitlines()), stderr)

    def test_diff(self):
        code, stdout, stderr = self.main('catalog', 'diff', '23', self.file)
        self.assertEqual(
            (
                0,
                'What changes from 2026.2 (manila 23.0.1) to 2027.1 (manila '
                '24.0.0.0rc1)\n\n'
                'Configuration options (1)\n'
                '  added  [DEFAULT] of_master\n\n'
                'Database migrations (2)\n'
                '  added  aaaa00000001\n'
                '  added  aaaa00000002\n',
                '',
            ),
            (code, stdout, stderr),
        )
