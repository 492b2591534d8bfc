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
"""Files and directories of a run that others may change are said."""

import os
import sys

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck.engine import surroundings
from manila_precheck.evidence.config import config_files

_OTHER = 48611


@ddt.ddt
class SurroundingsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.path, 0o755)
        self.file = os.path.join(self.path, 'manila.conf')
        with open(self.file, 'w'):
            pass

    def result(self, searched=False, locations=None, sources=()):
        return surroundings.result(
            [model.FileRead(self.file, 'f00')],
            [self.file] if locations is None else locations,
            searched,
            lambda text: text,
            sources,
        )

    def found(self, **kwargs):
        result = self.result(**kwargs)
        self.assertEqual(
            ('surroundings', model.Outcome.FOUND), (result.id, result.outcome)
        )
        return [
            (f.severity.name, f.key[len('surroundings') :], f.message)
            for f in result.findings
        ]

    def writable(self, weakness):
        return [
            (
                'WARNING',
                f'[{self.file}#writable]',
                f'{self.file} is read, but other users can change it: '
                f'{weakness}',
            )
        ]

    def test_nothing_to_say(self):
        self.assertIsNone(self.result())
        read = config_files.ValueSource(
            'far', 'remote_file', 'remote_file http://c'
        )
        self.assertIsNone(self.result(sources=[read]))

    def test_a_source_that_no_check_spoke_of_was_passed_over(self):
        unread = config_files.ValueSource(
            'far', 'remote_file', 'remote_file http://c', problem='refused'
        )
        self.assertEqual(
            [
                (
                    'WARNING',
                    '[far/driver#source]',
                    'config_source names [far], but remote_file http://c '
                    'cannot be read here: refused; the checks ran without '
                    'its values',
                )
            ],
            self.found(sources=[unread]),
        )

    @ddt.data(0o646, 0o666, 0o777)
    def test_a_file_that_all_may_write_to(self, mode):
        os.chmod(self.file, mode)
        self.assertEqual(
            self.writable(f'every user may write to {self.file}'), self.found()
        )

    def test_a_directory_that_all_may_write_to(self):
        os.chmod(self.path, 0o777)
        self.assertEqual(
            self.writable(f'every user may write to {self.path}'), self.found()
        )

    @testtools.skipIf(os.geteuid() != 0, 'only root gives files away')
    def test_a_file_of_another_account(self):
        os.chown(self.file, _OTHER, _OTHER)
        self.assertEqual(
            self.writable(f'{self.file} belongs to user {_OTHER}'),
            self.found(),
        )

    @testtools.skipIf(os.geteuid() != 0, 'only root gives files away')
    def test_a_file_of_the_account_of_the_services(self):
        os.chown(self.file, _OTHER, _OTHER)
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.engine.surroundings._account',
                lambda: frozenset([_OTHER]),
            )
        )
        self.assertIsNone(self.result())

    def test_a_directory_of_configuration_files(self):
        folder = os.path.join(self.path, 'manila.conf.d')
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        self.assertEqual(
            [
                (
                    'WARNING',
                    f'[{folder}#writable]',
                    f'{folder} is read, but other users can change it: every '
                    f'user may write to {folder}',
                )
            ],
            self.found(locations=[folder]),
        )

    @ddt.data('.manila', '')
    def test_a_file_that_was_found_at_home(self, folder):
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.path))
        path = os.path.join(self.path, folder, 'manila.conf')
        message = (
            f'{path} was found in the home directory of the user who runs '
            "this; manila's services have another home directory and do not "
            'read it'
        )
        self.assertEqual(
            [('WARNING', f'[{path}#home]', message)],
            self.found(searched=True, locations=[path]),
        )
        # Who names it means it.
        self.assertIsNone(self.result(locations=[path]))

    def test_a_home_that_holds_etc(self):
        self.useFixture(fixtures.EnvironmentVariable('HOME', '/'))
        self.assertIsNone(
            self.result(searched=True, locations=['/etc/manila/manila.conf'])
        )

    def test_modules_that_pythonpath_names(self):
        folder = os.path.join(self.path, 'modules')
        os.mkdir(folder)
        self.useFixture(fixtures.EnvironmentVariable('PYTHONPATH', folder))
        self.useFixture(fixtures.MonkeyPatch('sys.path', [folder, *sys.path]))
        self.assertEqual(
            [
                (
                    'INFO',
                    f'[{folder}#pythonpath]',
                    f'this run loads modules from {folder}, which PYTHONPATH '
                    'names',
                )
            ],
            self.found(),
        )

    @ddt.data('PYTHONPATH', 'cwd')
    def test_modules_where_all_may_write(self, how):
        folder = os.path.join(self.path, 'modules')
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        entry = folder
        if how == 'cwd':
            entry = ''
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(folder)
        self.useFixture(fixtures.MonkeyPatch('sys.path', [entry, *sys.path]))
        self.assertEqual(
            [
                (
                    'WARNING',
                    f'[{folder}#path]',
                    f'this run loads modules from {folder}, which other '
                    f'users can change: every user may write to {folder}',
                )
            ],
            self.found(),
        )
