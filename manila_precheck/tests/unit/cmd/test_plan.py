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
"""The command upgrade plan: flags, what it reads, exit codes."""

import io
import os

import ddt
import fixtures
import sqlalchemy
import testtools

from manila_precheck import releases
from manila_precheck.cmd import precheck
from manila_precheck.testing import schema

_SITE = """\
[DEFAULT]
quota_shares = 2
[database]
connection = sqlite:///{path}/manila.sqlite
[neutron]
password = tops3cr3t
"""


@ddt.ddt
class PlanTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.path))
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.service_processes.look',
                lambda site: (),
            )
        )
        for name in list(os.environ):
            if name.startswith('OS_MANILA_PRECHECK'):
                self.useFixture(fixtures.EnvironmentVariable(name))
        before = os.getcwd()
        os.chdir(self.path)
        self.addCleanup(os.chdir, before)
        with open('manila.conf', 'w') as stream:
            stream.write(_SITE.format(path=self.path))

    def plan(self, *words):
        """Run the command: (exit code, standard output, standard error)."""
        data, stderr = io.BytesIO(), io.StringIO()
        stdout = io.TextIOWrapper(data, encoding='utf-8', write_through=True)
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            with fixtures.MonkeyPatch('sys.stderr', stderr):
                code = precheck.main(
                    [
                        '--config-file',
                        'manila.conf',
                        'upgrade',
                        'plan',
                        '--no-network',
                        *words,
                    ]
                )
        stdout.flush()
        return code, data.getvalue().decode(), stderr.getvalue()

    def without_database(self, *words):
        code, text, said = self.plan(
            '--no-database', '--source-release', '2025.1', *words
        )
        self.assertEqual(0, code, said)
        return text

    def test_files_alone(self):
        text = self.without_database('--target-release', '2026.1')
        self.assertIn('# manila: 2025\\.1 → 2026\\.1\n', text)
        # The way to the files is that of the command, from any directory.
        self.assertIn(
            f'manila-precheck --config-file {self.path}/manila.conf '
            'upgrade check --target-release 2026.1 --stage stopped',
            text,
        )
        self.assertIn('it needs the database', text)
        self.assertNotIn('tops3cr3t', text)

    def test_of_a_database(self):
        engine = sqlalchemy.create_engine(
            f'sqlite:///{self.path}/manila.sqlite'
        )
        metadata = schema.create_schema(engine, releases.parse('2025.1'))
        host = 'ctl1`id`; reboot'
        with engine.begin() as connection:
            connection.execute(
                metadata.tables['services'].insert(),
                {
                    'host': host,
                    'binary': 'manila-scheduler',
                    'deleted': 0,
                    'disabled': False,
                    'report_count': 1,
                },
            )
        engine.dispose()
        code, text, said = self.plan('--target-release', '2026.1')
        self.assertEqual(0, code, said)
        # Which unit it is depends on the machine of the test.
        self.assertIn(f'On ``{host}``:\n\n  ```\n  systemctl stop', text)
        self.assertIn(f'sqlite3 {self.path}/manila.sqlite ".backup', text)

    def test_patterns_of_secrets(self):
        engine = sqlalchemy.create_engine(
            f'sqlite:///{self.path}/manila.sqlite'
        )
        metadata = schema.create_schema(engine, releases.parse('2025.1'))
        with engine.begin() as connection:
            connection.execute(
                metadata.tables['services'].insert(),
                {
                    'host': 'hushhush1@a',
                    'binary': 'manila-share',
                    'deleted': 0,
                    'disabled': False,
                    'report_count': 1,
                },
            )
        engine.dispose()
        with open('manila.conf', 'a') as stream:
            stream.write('[manila_precheck]\nredact_pattern = hush\\w*\n')
        for name in ('markdown', 'html', 'json'):
            code, text, said = self.plan('--format', name)
            self.assertEqual(0, code, said)
            self.assertNotIn('hush', text)

    def test_an_upgrade_in_two_hops(self):
        code, text, said = self.plan(
            '--no-database',
            '--source-release',
            '2024.2',
            '--target-release',
            '2026.1',
        )
        self.assertEqual(0, code, said)
        self.assertIn('# Hop 1: 2024\\.2 → 2025\\.1\n', text)
        self.assertIn('# Hop 2: 2025\\.1 → 2026\\.1\n', text)
        self.assertIn('upgrade check --target-release 2025.1 --stage', text)

    @ddt.data('kolla', 'docker', 'podman', 'pacemaker')
    def test_services_of_the_deployment(self, manager):
        text = self.without_database('--services', manager)
        self.assertIn(f'Services: {manager}.', text)

    @ddt.data(
        ('markdown', '# manila: '), ('html', '<!DOCTYPE html>'), ('json', '{')
    )
    @ddt.unpack
    def test_formats(self, name, start):
        text = self.without_database('--format', name)
        self.assertEqual(start, text[: len(start)])
        self.assertNotIn('tops3cr3t', text)

    def test_options_of_a_file(self):
        with open('manila.conf', 'a') as stream:
            stream.write('[manila_precheck]\nplan_services = kolla\n')
        self.assertIn('Services: kolla.', self.without_database())

    def test_options_of_the_environment(self):
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__PLAN_SERVICES', 'podman'
            )
        )
        self.assertIn('Services: podman.', self.without_database())

    def test_names_are_needed(self):
        with open('manila.conf', 'a') as stream:
            stream.write('[manila_precheck]\nredact_names = true\n')
        code, text, said = self.plan('--no-database')
        self.assertEqual((255, ''), (code, text))
        self.assertIn('redact_names and "upgrade plan" contradict', said)

    def test_the_same_site_has_the_same_runbook(self):
        texts = {self.without_database('--reproducible') for _ in range(2)}
        self.assertEqual(1, len(texts))
