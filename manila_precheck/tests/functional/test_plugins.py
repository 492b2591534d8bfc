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

"""The whole command against plugins that misbehave in every way.

The plugins stand in a distribution of their own, as pip would install it.
"""

import json
import os
import subprocess
import sys
import textwrap

import fixtures
import testtools

MODULE = '''
    import os
    import sys
    import time

    from manila_precheck import check
    from manila_precheck import model


    class Base(check.Check):
        """A page."""

        title = 'A plugin'

        def run(self, ctx):
            return ()


    class Raises(Base):
        id = 'acme-raises'

        def run(self, ctx):
            raise RuntimeError('mysql://manila:hunter2x@db/ is down')


    class Exits(Base):
        id = 'acme-exits'

        def run(self, ctx):
            sys.exit(0)


    class Nonsense(Base):
        id = 'acme-nonsense'

        def run(self, ctx):
            yield 'nonsense'


    class Taken(Base):
        id = 'config-options'


    class Sleeps(Base):
        id = 'acme-sleeps'

        def run(self, ctx):
            while True:
                time.sleep(1)


    class Spins(Base):
        id = 'acme-spins'

        def run(self, ctx):
            while True:
                pass


    class Fine(Base):
        id = 'acme-fine'

        def run(self, ctx):
            yield self.finding(
                model.Severity.INFO,
                model.Subject('thing', 'acme'),
                'the plugin ran',
            )
'''

ENTRY_POINTS = '''
    [manila_precheck.checks]
    acme-raises = acme_plugin:Raises
    acme-exits = acme_plugin:Exits
    acme-nonsense = acme_plugin:Nonsense
    acme-no-module = acme_missing:Missing
    acme-exits-early = acme_exits:Exits
    acme-sleeps = acme_plugin:Sleeps
    acme-spins = acme_plugin:Spins
    acme-fine = acme_plugin:Fine
    config-options = acme_plugin:Taken

    [manila_precheck.reporters]
    acme-breaks = acme_reporter:Breaks
'''

REPORTER = '''
    import sys

    from manila_precheck.reporters import base


    class Breaks(base.Reporter):
        name = 'acme-breaks'

        def write(self, report, stream, *, width=None, color=False):
            stream.write('half a report')
            sys.exit(0)
'''


class PluginsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        info = 'acme_plugin-1.0.dist-info'
        os.mkdir(os.path.join(self.path, info))
        self.write(f'{info}/METADATA', 'Name: acme-plugin\nVersion: 1.0\n')
        self.write(f'{info}/entry_points.txt', ENTRY_POINTS)
        self.write('acme_plugin.py', MODULE)
        self.write('acme_exits.py', 'raise SystemExit(0)\n')
        self.write('acme_reporter.py', REPORTER)
        self.write('manila.conf', '[DEFAULT]\n')

    def write(self, name, text):
        with open(os.path.join(self.path, name), 'w') as stream:
            stream.write(textwrap.dedent(text))

    def run_command(self, *words):
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(
                [self.path, os.environ.get('PYTHONPATH', '')]
            ),
        }
        return subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                '--config-file',
                os.path.join(self.path, 'manila.conf'),
                *words,
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def check(self, *words):
        return self.run_command(
            'upgrade',
            'check',
            '--source-release',
            '2024.1',
            '--target-release',
            '2025.1',
            *words,
        )

    def test_the_report_stays_whole(self):
        self.write(
            'manila.conf', '[manila_precheck]\ncheck_timeout_seconds = 1\n'
        )
        done = self.check('--format', 'json')
        self.assertEqual('', done.stderr)
        self.assertEqual(2, done.returncode)
        report = json.loads(done.stdout)
        late = (
            'it did not end within 1 seconds '
            '([manila_precheck] check_timeout_seconds)'
        )
        results = {
            c['id']: (c['outcome'], c['reason'])
            for c in report['checks']
            if 'acme' in c['id']
        }
        self.assertEqual(
            {
                'acme-raises': (
                    'error',
                    'it crashed: RuntimeError: mysql://manila:***@db/ is down',
                ),
                'acme-exits': ('error', 'it crashed: it called sys.exit(0)'),
                'acme-nonsense': (
                    'error',
                    "it yielded 'nonsense', which is not a finding of its own",
                ),
                'acme-no-module': (
                    'error',
                    'it does not load: ModuleNotFoundError: No module named '
                    "'acme_missing'",
                ),
                'acme-exits-early': (
                    'error',
                    'it does not load: it called sys.exit(0)',
                ),
                'acme-sleeps': ('error', late),
                'acme-spins': ('error', late),
                'acme-fine': ('found', ''),
                'config-options@acme_plugin': (
                    'error',
                    "it does not load: the id 'config-options' is taken by "
                    'manila_precheck.checks.config_options:ConfigOptions',
                ),
            },
            results,
        )
        self.assertIn('config-options', {c['id'] for c in report['checks']})

    def test_a_reporter_that_breaks(self):
        done = self.check('--check', 'acme-fine', '--format', 'acme-breaks')
        self.assertEqual(
            (255, '', 'manila-precheck: error: it called sys.exit(0)\n'),
            (done.returncode, done.stdout, done.stderr),
        )

    def test_check_list_shows_what_does_not_load(self):
        done = self.run_command('check', 'list')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        self.assertIn('No module named', lines['acme-no-module'])
        self.assertIn('is taken by', lines['config-options@acme_plugin'])

    def test_debug_shows_no_password(self):
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                '--debug',
                '--config-file',
                os.path.join(self.path, 'manila.conf'),
                'upgrade',
                'check',
                '--source-release',
                '2024.1',
                '--check',
                'acme-raises',
            ],
            env={**os.environ, 'PYTHONPATH': self.path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(2, done.returncode)
        self.assertIn('Traceback', done.stderr)
        self.assertNotIn('hunter2x', done.stderr + done.stdout)
