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

"""The demo says what its page promises, and leaves nothing behind.

The real command runs on the real site; nothing is replaced.
"""

import functools
import json
import os
import shutil
import subprocess
import sys

import fixtures
import testtools

from manila_precheck.tests import golden

ROOT = os.path.abspath(
    os.path.join(os.path.dirname(__file__), '..', '..', '..')
)
DEMO = os.path.join(ROOT, 'tools', 'demo.py')
SITE = os.path.join(ROOT, 'etc', 'manila-precheck', 'demo')

#: What every password of the site is.
PASSWORD = 'not-a-password'

README = os.path.join(ROOT, 'README.rst')
MARK = '.. What "tox -e demo" shows; the test of the demo keeps it true.'

FAILURES = {
    'api-paste': ['app:apiv1#factory'],
    'backend-drivers': ['archive1#driver'],
    'config-options': ['DEFAULT/auth_strategy#value'],
    'policy-rules': ['service:index#reference-system-reader'],
}

WARNINGS = {
    'backend-drivers': [
        'cephnfs1#libraries',
        'isilon1#plugin',
        'isilon1#storage',
    ],
    'backends-in-use': ['ctl0@lvm1'],
    'config-options': [
        'cephnfs1/cephfs_volume_path_prefix#deprecated',
        'oslo_messaging_rabbit/ssl_enforce_hostname_verification',
    ],
    'in-flight-operations': ['4ab78b15-407c-430f-8c50-874490cb2d36'],
    'live-services': [
        'manila-scheduler@ctl3',
        'manila-share@ctl0@lvm1',
        'manila-share@ctl1@generic1',
        'manila-share@ctl1@isilon1',
    ],
    'running-migrations': [
        # By the storage, by manila-data, waiting.
        '847cef3e-2adb-454c-9c48-ea9804e0b452',
        'd0fd4ab4-abd0-433d-804f-bcfc93f96541',
        'f437247e-34a6-4cbb-9bca-483938e9d4a3',
    ],
    'soft-deleted-rows': ['reservations'],
    'upgrade-advisories': [
        'isilon1#powerscale-certificate',
        'manila-api#wsgi-script-removed',
    ],
}


def _content(directory):
    """Return what each file of a directory holds."""
    found = {}
    for path, _directories, names in os.walk(directory):
        for name in names:
            full = os.path.join(path, name)
            with open(full, 'rb') as stream:
                found[os.path.relpath(full, directory)] = stream.read()
    return found


@functools.cache
def _alone():
    """Return what runs a command without sight of other processes.

    An API of manila that runs on this machine for another test is not one of
    the made-up site.
    """
    words = ['unshare', '--pid', '--fork', '--mount-proc']
    if os.getuid() or shutil.which(words[0]) is None:
        return []
    return [] if subprocess.run([*words, 'true']).returncode else words


class DemoTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not os.path.isfile(DEMO):
            self.skipTest('the demo is in the source tree only')
        self.temporary = self.useFixture(fixtures.TempDir()).path
        self.site = _content(SITE)

    def run_demo(self, *words, code=0):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith('OS_MANILA')
        }
        environment.update(TMPDIR=self.temporary, COLUMNS='80')
        done = subprocess.run(
            [*_alone(), sys.executable, DEMO, *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(code, done.returncode, done.stderr)
        self.assertEqual([], os.listdir(self.temporary))
        self.assertEqual(self.site, _content(SITE))
        self.assertIn(PASSWORD.encode(), self.site['manila.conf'])
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return done

    def report(self, *words):
        done = self.run_demo(*words, '--format', 'json')
        self.assertIn('# The command exits with 2 (failures).', done.stderr)
        report = json.loads(done.stdout)
        outcomes = {
            check['id']: check['outcome'] for check in report['checks']
        }
        self.assertNotIn('error', outcomes.values(), str(outcomes))
        return report

    def keys(self, report, severity):
        return {
            check['id']: sorted(
                finding['key'].partition('[')[2][:-1]
                for finding in check['findings']
                if finding['severity'] == severity
            )
            for check in report['checks']
            if any(f['severity'] == severity for f in check['findings'])
        }

    def test_the_planted_problems_are_found_and_no_others(self):
        report = self.report()
        self.assertEqual(
            ('2025.1', '2026.1', False),
            (
                report['source_release'],
                report['target_release'],
                report['target_assumed'],
            ),
        )
        self.assertEqual('plan', report['stage'])
        self.assertEqual(FAILURES, self.keys(report, 'failure'))
        self.assertEqual(WARNINGS, self.keys(report, 'warning'))

    def test_every_outcome_but_error_is_there(self):
        """Both runs of the demo, as it makes them without arguments."""
        done = self.run_demo()
        words = {line.split(' ')[0] for line in done.stdout.splitlines()}
        wanted = {'PASSED', 'FAILURE', 'WARNING', 'INFO', 'SKIPPED', 'N/A'}
        self.assertEqual(wanted, words & (wanted | {'ERROR'}))
        self.assertEqual('', done.stderr)
        said = [s for s in done.stdout.splitlines() if s[:2] in ('# ', '$ ')]
        self.assertEqual(
            [
                '# The command exits with 2 (failures).',
                '# The command exits with 1 (warnings).',
            ],
            [line for line in said if 'exits' in line],
        )
        self.assertIn('upgrade check --target-release 2026.1', said[2])

    def test_the_readme_shows_what_the_demo_says(self):
        """The head of the report, all of its failures, and its end."""
        said = self.run_demo().stdout.split('\n')
        start = next(i for i, s in enumerate(said) if 'NOT UPGRADE' in s)
        end = next(i for i, s in enumerate(said) if s.startswith('WARNINGS'))
        # The version of the tool is another with every commit.
        shown = [
            line for line in said[start:end] if not line.startswith('Tool ')
        ]
        # The end, but for the number of the checks, which grows.
        last = next(i for i, s in enumerate(said) if s.startswith('WHAT BLO'))
        blocks = said[last : said.index('', last)]
        code = next(s for s in said if s.startswith('Code '))
        block = '\n'.join(
            f'    {line}'.rstrip()
            for line in [
                '$ manila-precheck upgrade check --target-release 2026.1',
                *shown,
                '...',
                '',
                *blocks,
                '',
                '...',
                code,
            ]
        )
        with open(README, encoding='utf-8') as stream:
            text = stream.read()
        head, rest = text.split(f'{MARK}\n', 1)
        old, tail = rest.split('\nTry it\n', 1)
        if os.environ.get(golden.REGENERATE):
            with open(README, 'w', encoding='utf-8') as stream:
                stream.write(
                    f'{head}{MARK}\n\n::\n\n{block}\n\nTry it\n{tail}'
                )
            return
        # Each line, in this order; a check that was added since may have
        # more to say.
        rest = iter(block.split('\n'))
        for line in old.split('\n')[3:-1]:
            self.assertIn(line, rest)

    def test_the_table_fits_and_loses_no_failure_and_no_warning(self):
        said = self.run_demo().stdout
        table = said[
            said.index('DO NOT UPGRADE') : said.index('# The command')
        ]
        self.assertLessEqual(table.count('\n'), 120)
        report = self.report()
        flat = ' '.join(table.split())
        for check in report['checks']:
            for finding in check['findings']:
                if finding['severity'] != 'info':
                    subject = finding['subject']
                    name = subject['name'].rpartition('/')[2]
                    place = f'{subject["file"]}:{subject["line"]}'
                    self.assertTrue(
                        name in flat
                        or place in flat
                        or all(part in flat for part in name.split('@')),
                        finding['key'],
                    )

    def test_names_are_hidden_in_every_format(self):
        hosts = ('ctl0', 'ctl1', 'ctl3', 'storage.example.org', '192.0.2.11')
        plain = self.run_demo('--format', 'json').stdout
        self.assertIn(hosts[1], plain)
        folder = self.useFixture(fixtures.TempDir())
        words = ['--redact-names']
        for name in ('html', 'json', 'junit', 'markdown', 'sarif'):
            words += ['--report', f'{name}:{folder.join(name)}']
        written = {'table': self.run_demo(*words).stdout}
        for name in os.listdir(folder.path):
            with open(folder.join(name), encoding='utf-8') as stream:
                written[name] = stream.read()
        self.assertEqual(6, len(written))
        for name, hidden in written.items():
            self.assertIn('host-', hidden)
            for host in hosts:
                self.assertNotIn(host, hidden, name)

    def test_no_check_fails_after_the_services_were_stopped(self):
        report = self.report('--stage', 'stopped')
        self.assertEqual('stopped', report['stage'])

    def test_no_check_fails_after_the_upgrade(self):
        report = self.report('--stage', 'upgraded')
        self.assertEqual('upgraded', report['stage'])

    def test_the_directory_is_kept_when_asked_for(self):
        place = self.useFixture(fixtures.TempDir()).join('site')
        done = self.run_demo('--directory', place)
        self.assertIn(f'$ cd {place}\n', done.stdout)
        self.assertEqual(
            sorted(
                [*self.site, 'manila.sqlite', 'manila.conf.d/00-database.conf']
            ),
            sorted(_content(place)),
        )
        # It is not empty any more.
        again = self.run_demo('--directory', place, code=1)
        self.assertIn('is not empty', again.stderr)
        self.assertEqual('', again.stdout)

    def test_a_command_that_cannot_run_fails_the_demo(self):
        done = self.run_demo('--stage', 'never', code=1)
        self.assertIn('# The command exits with 255 (no report).', done.stdout)
