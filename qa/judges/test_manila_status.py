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

"""Run our checks in the real manila-status of each release.

The environment of the release gets this package and nothing else: the
requirements of the package have to be there already, in the versions with
which the release was made.
"""

import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
from typing import Any

import ddt
import fixtures
import testtools

import manila_precheck
from manila_precheck import releases
from manila_precheck.engine import registry
from manila_precheck.tests import databases
from manila_precheck.tests import venvs
from qa import hops

_ROOT = pathlib.Path(__file__).parents[2]

_PATCH = _ROOT / 'contrib' / 'manila' / 'manila-status-entry-points.patch'

# Run the manila-precheck command without its script.
_OURS = (
    '-c',
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())',
)

#: The title of the result for invalid waivers, which belongs to no check.
_LAST = 'Waivers and baseline'

_OWN = 'Policy File JSON to YAML Migration'


def _documented():
    """Return the lines of code that the README documents."""
    text = (_ROOT / 'README.rst').read_text()
    after = text.split('``cmd/status.py``::\n\n')[1]
    return [line[4:] for line in after.split('\n\n')[0].splitlines()]


def _status_with_our_checks(path):
    """Return the text of manila's cmd/status.py with those lines added."""
    lines = path.read_text().splitlines()
    (start,) = (n for n, line in enumerate(lines) if line[:9] == 'def main(')
    return '\n'.join([*lines[:start], *_documented(), '', *lines[start:], ''])


class _Release(fixtures.Fixture):
    """The environment of a release with this package added."""

    def __init__(self, release):
        super().__init__()
        self.major = releases.parse(release).major

    def _setUp(self):
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        venv = pathlib.Path(venvs.DIRECTORY, f'm{self.major}')
        self.python = venv / 'bin' / 'python'
        library = self.path / 'library'
        library.mkdir()
        package = pathlib.Path(manila_precheck.__file__).parent
        (library / package.name).symlink_to(package)
        distribution: Any = importlib.metadata.distribution('manila-precheck')
        info = pathlib.Path(distribution._path)
        (library / info.name).symlink_to(info)
        (found,) = venv.glob('lib/python3*/site-packages/manila/cmd/status.py')
        (self.path / 'patched.py').write_text(_status_with_our_checks(found))
        copy = self.path / 'manila' / 'cmd' / 'status.py'
        copy.parent.mkdir(parents=True)
        shutil.copy(found, copy)
        # Leave out the patch's tests and notes: a package has none.
        subprocess.run(
            ['git', 'apply', '--include=manila/cmd/status.py', _PATCH],
            cwd=self.path,
            check=True,
        )
        copy.rename(self.path / 'loading.py')
        shutil.rmtree(self.path / 'manila')

    def write(self, name, text):
        (self.path / name).write_text(text)

    def run(self, program, *words, conf='manila.conf', env=None):
        """Run a program of the environment on a file of this directory.

        :param program: the words that follow the interpreter.
        """
        files = ['--config-file', str(self.path / conf)] if conf else []
        return subprocess.run(
            [str(self.python), '-W', 'ignore', *program, *files, *words],
            env={
                **os.environ,
                'PYTHONPATH': str(self.path / 'library'),
                'PYTHONDONTWRITEBYTECODE': '1',
                **(env or {}),
            },
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def status(self, *words, program='patched.py', **kwargs):
        """Run manila-status with our checks."""
        return self.run([program], 'upgrade', 'check', *words, **kwargs)


@ddt.ddt
@testtools.skipUnless(bool(venvs.DIRECTORY), venvs.NOT_SET)
class ManilaStatusMySQLTest(databases.MySQLTest):
    def release(self, name):
        release = _Release(name)
        if not pathlib.Path(venvs.DIRECTORY, f'm{release.major}').exists():
            self.skipTest(f'no environment of {name}')
        return self.useFixture(release)

    def titles(self):
        return [
            registry.load_check(entry).title
            for entry in registry.checks()
            if entry.name != 'manila-status'
        ]

    def config(self, release, database, *lines):
        release.write(
            'manila.conf',
            '\n'.join(
                [
                    '[database]',
                    f'connection = {database.url}',
                    '[manila_precheck]',
                    *lines,
                    '',
                ]
            ),
        )

    @ddt.data(*hops.TARGETS)
    def test_on_the_database_of_the_release(self, name):
        release = self.release(name)
        self.config(release, self.database(name))
        done = release.status('--json')
        self.assertEqual(0, done.returncode, done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])['checks']
        self.assertEqual(
            [_OWN, *self.titles(), _LAST], [one['check'] for one in found]
        )
        self.assertEqual({0}, {one['result'] for one in found})

        counted = release.status(
            '--json',
            env={'OS_MANILA_PRECHECK__MANILA_STATUS_FAIL_ON': 'warning'},
        )
        found = json.loads(counted.stdout.splitlines()[-1])['checks']
        self.assertEqual(
            max(one['result'] for one in found), counted.returncode
        )
        self.assertEqual([], [one for one in found if one['result'] == 2])

        loaded = release.status('--json', program='loading.py')
        self.assertEqual(
            (0, done.stdout.splitlines()[-1]),
            (loaded.returncode, loaded.stdout.splitlines()[-1]),
        )

        table = release.status()
        self.assertEqual(0, table.returncode, table.stderr)
        for title in (*self.titles(), _LAST):
            self.assertIn(f'Check: {title}', table.stdout)

    def test_a_package_that_does_not_load(self):
        """Its check fails, and every other check runs."""
        release = self.release(hops.TARGETS[-1])
        self.config(release, self.database(hops.TARGETS[-1]))
        info = release.path / 'library' / 'acme-1.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text('Name: acme\nVersion: 1\n')
        (info / 'entry_points.txt').write_text(
            '[manila.status.upgrade.checks]\n'
            'acme = no_such_module:checks\n'
            'broken = json:loads\n'
        )
        done = release.status('--json', program='loading.py')
        found = json.loads(done.stdout.splitlines()[-1])['checks']
        self.assertEqual(
            [('acme', 2), ('broken', 2)],
            [
                (one['check'], one['result'])
                for one in found
                if one['check'] in ('acme', 'broken')
            ],
        )
        self.assertEqual(len(self.titles()) + 4, len(found))
        self.assertEqual(2, done.returncode)

    @ddt.data(*hops.TARGETS)
    def test_what_is_chosen_and_let_pass(self, name):
        """Files and variables can tune a command line that cannot change."""
        release = self.release(name)
        release.write(
            'waivers.yaml',
            'waivers:\n'
            '- {key: "config-options[DEFAULT/acme_1]", reason: ours, '
            'owner: me, expires: 2999-01-01}\n',
        )
        release.write(
            'manila.conf',
            '[DEFAULT]\nacme_1 = 1\nacme_2 = 2\n'
            f'[manila_precheck]\nsource_release = {name}\n'
            'manila_status_fail_on = warning\ncheck = config-options\n'
            f'waivers = {release.path}/waivers.yaml\n',
        )
        done = release.status('--json')
        found = {
            one['check']: (one['result'], one['details'])
            for one in json.loads(done.stdout.splitlines()[-1])['checks']
        }
        self.assertEqual(
            (0, 'left out by [manila_precheck] check or skip'),
            found['Policy overrides'],
        )
        self.assertEqual((0, None), found[_LAST])
        _, details = found['Configuration options']
        self.assertThat(
            details,
            testtools.matchers.StartsWith('[DEFAULT] acme_2 is ignored'),
        )
        self.assertIn('(waived by me up to 2999-01-01: ours)', details)
        skipped = release.status(
            '--json', env={'OS_MANILA_PRECHECK__SKIP': 'no-such-check'}
        )
        self.assertEqual(2, skipped.returncode)
        self.assertIn("unknown check 'no-such-check'", skipped.stdout)

    @ddt.data(*hops.TARGETS)
    def test_before_the_first_install(self, name):
        release = self.release(name)
        self.config(
            release, self.database(), 'manila_status_fail_on = warning'
        )
        done = release.status('--json')
        found = json.loads(done.stdout.splitlines()[-1])['checks']
        self.assertEqual(
            {'Schema revision': 0, 'Soft-deleted rows': 0, _OWN: 0},
            {
                one['check']: one['result']
                for one in found
                if one['check']
                in ('Schema revision', 'Soft-deleted rows', _OWN)
            },
        )
        self.assertEqual(0, done.returncode, done.stdout)

    @ddt.data(*hops.TARGETS)
    def test_without_configuration(self, name):
        release = self.release(name)
        done = release.status('--json', conf=None)
        self.assertEqual(0, done.returncode, done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])['checks']
        self.assertEqual(
            [_OWN, *self.titles(), _LAST], [one['check'] for one in found]
        )

    @ddt.data(*hops.TARGETS)
    def test_manilas_own_checks_inside_ours(self, name):
        release = self.release(name)
        release.write('policy.json', '{"share:create": "!"}')
        release.write(
            'manila.conf', '[oslo_policy]\npolicy_file = policy.json\n'
        )
        done = release.run(
            _OURS,
            'upgrade',
            'check',
            '--check',
            'manila-status',
            '--format',
            'json',
        )
        # The library is on PYTHONPATH, which the report mentions.
        result, noted = json.loads(done.stdout)['checks']
        self.assertEqual('surroundings', noted['id'])
        self.assertEqual(
            ('found', [('manila-status[' + _OWN + ']', 'failure')]),
            (
                result['outcome'],
                [(one['key'], one['severity']) for one in result['findings']],
            ),
        )
        self.assertEqual(2, done.returncode)
