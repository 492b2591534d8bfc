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

import os
import pathlib
import subprocess
import sys
from unittest import mock

import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.tests import tool_scripts


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.module = tool_scripts.load('manila_venv')
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)


class InterpreterTest(Case):
    """Tests with made-up interpreters."""

    def machine(self, on_path=(), pyenv=(), own='3.7', no_venv=()):
        """Make these the only interpreters on the machine.

        :param on_path: {name: version}; '' for a shim that does not start.
        :param pyenv: versions such as '3.9.18'.
        :param own: the version that runs this.
        :param no_venv: versions that cannot make an environment.
        """
        self.versions = {}
        for name, version in dict(on_path).items():
            self.versions[f'/bin/{name}'] = version
        for version in pyenv:
            path = self.path / 'versions' / version / 'bin' / 'python'
            path.parent.mkdir(parents=True)
            path.touch()
            self.versions[str(path)] = version.rpartition('.')[0]
        self.versions['/own/python'] = own

        def run(path, *words):
            version = self.versions[path]
            good = version and not ('venv' in words[-1] and version in no_venv)
            return subprocess.CompletedProcess(
                words, 0 if good else 1, stdout=f'{version}\n'
            )

        def which(name):
            path = f'/bin/{name}'
            return path if path in self.versions else None

        minor = int(own.partition('.')[2])
        for name, value in {
            '_run_python': run,
            'shutil.which': which,
            'sys.executable': '/own/python',
            'sys.version_info': (3, minor, 0),
        }.items():
            home, _, attribute = name.rpartition('.')
            target = getattr(self.module, home) if home else self.module
            patch = mock.patch.object(target, attribute, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.useFixture(
            fixtures.EnvironmentVariable('PYENV_ROOT', str(self.path))
        )

    def test_the_newest_that_the_release_was_tested_with(self):
        self.machine(
            {'python3.9': '3.9', 'python3.12': '3.12', 'python3.13': '3.13'}
        )
        self.assertEqual('/bin/python3.12', self.module.interpreter(20))
        self.assertEqual('/bin/python3.13', self.module.interpreter(22))
        self.assertEqual('/bin/python3.9', self.module.interpreter(12))

    def test_python3_counts_under_the_version_that_it_is(self):
        self.machine({'python3': '3.11', 'python3.10': '3.10'})
        self.assertEqual('/bin/python3', self.module.interpreter(22))

    def test_a_shim_that_does_not_start_is_passed_over(self):
        self.machine({'python3.13': ''}, pyenv=['3.12.1'])
        self.assertEqual(
            str(self.path / 'versions/3.12.1/bin/python'),
            self.module.interpreter(22),
        )

    def test_one_without_venv_is_passed_over(self):
        self.machine(
            {'python3.13': '3.13', 'python3.10': '3.10'}, no_venv=['3.13']
        )
        self.assertEqual('/bin/python3.10', self.module.interpreter(22))

    def test_the_one_that_runs_this_counts(self):
        self.machine(own='3.11')
        self.assertEqual('/own/python', self.module.interpreter(18))

    def test_versions_are_numbers_not_texts(self):
        self.machine({'python3.9': '3.9', 'python3.10': '3.10'})
        self.assertEqual('/bin/python3.10', self.module.interpreter(18))

    def test_the_versions_are_named_when_none_fits(self):
        self.machine({'python3.9': '3.9', 'python3.14': '3.14'})
        problem = self.assertRaises(SystemExit, self.module.interpreter, 22)
        self.assertEqual(
            'manila 22 needs Python 3.10 to 3.13, with venv and ensurepip, '
            'and this machine has none (looked for on PATH and in pyenv); '
            'install one, or name it with --python',
            str(problem),
        )

    def test_every_release_of_the_catalog_has_a_python(self):
        covered = {release.major for release in catalog.Catalog().releases}
        self.assertEqual(set(), covered - set(self.module.PYTHONS))

    def test_no_python_without_the_metadata_of_packages(self):
        self.assertLessEqual(
            8, min(oldest for oldest, _ in self.module.PYTHONS.values())
        )


class RequirementTest(Case):
    def test_the_latest_point_release(self):
        # pip takes the newest that fits, and no release candidate.
        self.assertEqual('manila>=22.0.0,<23', self.module.requirement(22))


class ConstraintsTest(Case):
    def setUp(self):
        super().setUp()
        self.release = releases.parse('2026.1')
        self.useFixture(
            fixtures.EnvironmentVariable('MANILA_PRECHECK_CONSTRAINTS')
        )

    def write(self, name, text):
        path = self.path / name
        path.write_text(text)
        return str(path)

    def test_what_is_installed_on_purpose_is_not_pinned(self):
        given = self.write(
            'c.txt',
            'manila===22.0.0\nmanila-ui===1\npip===1\nPip===1\nwheel===1\n'
            'setuptools===1\nsetuptools-scm===1\npipdeptree===1\npbr===1\n',
        )
        self.assertEqual(
            'manila-ui===1\nsetuptools-scm===1\npipdeptree===1\npbr===1\n',
            self.module.constraints(self.release, given),
        )

    def test_the_file_that_is_given_wins(self):
        self.write('22.txt', 'a===1\n')
        given = self.write('c.txt', 'b===1\n')
        with mock.patch.dict(
            os.environ, MANILA_PRECHECK_CONSTRAINTS=str(self.path)
        ):
            self.assertEqual('a===1\n', self.module.constraints(self.release))
            self.assertEqual(
                'b===1\n', self.module.constraints(self.release, given)
            )


class CreateTest(Case):
    def test_one_that_somebody_made_is_used_as_it_is(self):
        home = self.path / 'made'
        (home / 'bin').mkdir(parents=True)
        with mock.patch.object(self.module, '_manila', lambda _: '22.0.1'):
            with mock.patch.object(self.module, 'constraints', lambda *_: ''):
                self.assertEqual(
                    home / 'bin' / 'python',
                    self.module.create(releases.parse('2026.1'), home),
                )
                problem = self.assertRaises(
                    SystemExit,
                    self.module.create,
                    releases.parse('2025.1'),
                    home,
                )
        self.assertIn(f'{home} is there and holds no', str(problem))


class MainTest(Case):
    def test_the_directory_holds_one_for_each_release(self):
        made = []
        with mock.patch.object(
            self.module, 'create', lambda *args: made.append(args)
        ):
            with mock.patch.object(sys, 'stdout', autospec=True):
                self.module.main(['gazpacho', '--dir', str(self.path)])
        self.assertEqual(
            [(releases.parse('22'), self.path / 'm22', None, None)], made
        )

    def made_with(self, pins, **kwargs):
        """Make one, and return whether it was installed anew."""
        home = self.path / 'ours'
        calls = []
        with mock.patch.multiple(
            self.module,
            _manila=lambda _: '22.0.2',
            _install=lambda *words: calls.append(words),
            constraints=lambda *_: pins,
            interpreter=lambda _: '/bin/python3',
        ):
            self.module.create(releases.parse('2026.1'), home, **kwargs)
        return bool(calls)

    def test_one_that_is_there_is_kept_when_no_constraints_can_be_had(self):
        self.assertTrue(self.made_with('a===1\n'))
        self.assertFalse(self.made_with('a===1\n'))
        self.assertFalse(self.made_with(''))
        self.assertTrue(self.made_with('a===2\n'))

    def test_none_is_installed_without_constraints_where_they_are_a_must(self):
        problem = self.assertRaises(
            SystemExit, self.made_with, '', constrained=True
        )
        home = self.path / 'ours'
        self.assertEqual(
            f'{home.resolve()}: not installed: the options of the newest '
            'libraries are not those of 2026.1',
            str(problem),
        )
        self.assertFalse(home.exists())
        self.assertTrue(self.made_with('a===1\n', constrained=True))
        self.assertFalse(self.made_with('', constrained=True))
