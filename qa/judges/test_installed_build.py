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
"""Read the facts of a manila that is installed beside the command.

The environment is that of a real release, but its manila has another version,
one more option and no tests, like the package of a distribution.
"""

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import fixtures
import testtools

import manila_precheck
from manila_precheck.tests import venvs

#: The installed version, which differs from that in the shipped catalog.
_VERSION = '22.0.1.dev7'
_OPTION = "\n\nCONF.register_opt(cfg.StrOpt('of_the_build'))\n"
_OURS = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)


class _Environment(fixtures.Fixture):
    """A copy of the environment of manila 22, with a different build."""

    def _setUp(self):
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        venv = pathlib.Path(venvs.DIRECTORY, 'm22')
        (packages,) = venv.glob('lib/python3*/site-packages')
        copy = self.path / packages.relative_to(venv)
        copy.mkdir(parents=True)
        shutil.copy(venv / 'pyvenv.cfg', self.path)
        (self.path / 'bin').mkdir()
        self.python = self.path / 'bin' / 'python'
        self.python.symlink_to((venv / 'bin' / 'python').resolve())
        for path in packages.iterdir():
            if path.name == 'manila':
                self.manila = copy / 'manila'
                shutil.copytree(
                    path,
                    self.manila,
                    ignore=shutil.ignore_patterns('tests', '__pycache__'),
                )
            elif re.fullmatch(r'manila-.*\.dist-info', path.name):
                info = copy / f'manila-{_VERSION}.dist-info'
                shutil.copytree(path, info)
                metadata = info / 'METADATA'
                text = re.sub(
                    '(?m)^Version: .*$',
                    f'Version: {_VERSION}',
                    metadata.read_text(),
                    count=1,
                )
                metadata.write_text(text)
            else:
                (copy / path.name).symlink_to(path)
        with open(self.manila / 'common' / 'config.py', 'a') as stream:
            stream.write(_OPTION)
        package = pathlib.Path(manila_precheck.__file__).parent
        (copy / package.name).symlink_to(package)
        distribution: Any = importlib.metadata.distribution('manila-precheck')
        info = pathlib.Path(distribution._path)
        (copy / info.name).symlink_to(info)
        (self.path / 'manila.conf').write_text(
            '[DEFAULT]\nof_the_build = 1\nof_nobody = 1\n'
        )

    def check(self, *words):
        """Return (exit code, report, standard error)."""
        done = subprocess.run(
            [
                str(self.python),
                '-W',
                'ignore',
                '-c',
                _OURS,
                '--config-file',
                str(self.path / 'manila.conf'),
                'upgrade',
                'check',
                '--format',
                'json',
                '--check',
                'config-options',
                '--check',
                'upgrade-path',
                *words,
            ],
            env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'},
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        report = json.loads(done.stdout) if done.stdout else None
        return done.returncode, report, done.stderr


def _messages(report):
    return {
        one['key']: one['message']
        for check in report['checks']
        for one in check['findings']
    }


@testtools.skipUnless(bool(venvs.DIRECTORY), venvs.NOT_SET)
class InstalledBuildTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not pathlib.Path(venvs.DIRECTORY, 'm22').exists():
            self.skipTest('no environment of manila 22')
        self.site = self.useFixture(_Environment())

    def assert_known(self, words, side):
        _, report, stderr = self.site.check(*words)
        self.assertEqual('', stderr)
        self.assertEqual(
            {
                'origin': 'environment',
                'build': _VERSION,
                'made': None,
                'path': None,
                'sha256': None,
            },
            report[f'{side}_facts'],
        )
        found = _messages(report)
        self.assertNotIn(f'upgrade-path[{side}#build]', found)
        return {key for key in found if key.startswith('config-options')}

    def test_the_target(self):
        self.assertEqual(
            {'config-options[DEFAULT/of_nobody]'},
            self.assert_known(
                ('--source-release', '2025.1', '--stage', 'stopped'), 'target'
            ),
        )

    def test_the_source(self):
        found = self.assert_known(('--target-release', '2026.2'), 'source')
        # 2026.2 does not have the option.
        self.assertEqual(
            {
                'config-options[DEFAULT/of_nobody]',
                'config-options[DEFAULT/of_the_build]',
            },
            found,
        )

    def assert_unknown(self, words, message):
        code, report, stderr = self.site.check(
            '--source-release', '2025.1', '--stage', 'stopped', *words
        )
        self.assertEqual((1, ''), (code, stderr))
        self.assertEqual('shipped', report['target_facts']['origin'])
        shipped = report['target_facts']['build']
        found = _messages(report)
        self.assertEqual(
            f'manila {_VERSION} is installed here, but this report describes '
            f'2026.1 as of manila {shipped}; differences between the two are '
            f'not checked{message}',
            found['upgrade-path[target#build]'],
        )
        self.assertIn('config-options[DEFAULT/of_the_build]', found)

    def test_the_shipped_catalog(self):
        self.assert_unknown(('--shipped-catalog',), '')

    def test_one_that_cannot_be_imported(self):
        (self.site.manila / 'common' / 'config.py').write_text('raise Left')
        self.assert_unknown(
            (),
            f'. Its own facts could not be read: {self.site.python} cannot '
            "read its manila: NameError: name 'Left' is not defined",
        )
