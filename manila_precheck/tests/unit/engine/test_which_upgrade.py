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
import sys

import ddt
import fixtures
import testtools

from manila_precheck import releases
from manila_precheck.engine import which_upgrade


@ddt.ddt
class InstalledTest(testtools.TestCase):
    """What is installed, by the directories of metadata on the path."""

    def setUp(self):
        super().setUp()
        self.folders = []

    def folder(self, **files):
        """Put a directory with these files on the path."""
        path = self.useFixture(fixtures.TempDir()).path
        for name, text in files.items():
            name = os.path.join(path, name)
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, 'wb') as stream:
                stream.write(text.encode('utf-8', 'surrogateescape'))
        self.folders.append(path)
        return path

    def installed(self):
        path = [*self.folders, *sys.path]
        with fixtures.MonkeyPatch('sys.path', path):
            return which_upgrade.installed()

    def dist_info(self, version, text=None):
        if text is None:
            text = f'Metadata-Version: 2.1\nName: manila\nVersion: {version}\n'
        return self.folder(**{f'manila-{version}.dist-info/METADATA': text})

    def test_not_installed(self):
        self.folder(
            **{
                'manila_ui-9.0.0.dist-info/METADATA': 'Name: manila-ui\n'
                'Version: 9.0.0\n',
                # A directory that happens to be called so.
                'manila/notes.txt': '',
            }
        )
        self.assertIsNone(self.installed())

    @ddt.data(
        '22.0.2', '22.0.2+patched', '24.0.0.0rc1', '23.1.0.dev7', '0.0.0'
    )
    def test_installed(self, version):
        self.dist_info(version)
        self.assertEqual(releases.build(version), self.installed())

    def test_by_the_metadata_of_an_egg(self):
        self.folder(
            **{
                'manila.egg-info/PKG-INFO': 'Metadata-Version: 1.1\n'
                'Name: manila\nVersion: 22.0.2\n'
            }
        )
        self.assertEqual(releases.build('22.0.2'), self.installed())

    def test_the_same_one_twice(self):
        self.dist_info('22.0.2')
        self.dist_info('22.0.2')
        self.assertEqual(releases.build('22.0.2'), self.installed())

    def test_two_versions(self):
        self.dist_info('22.0.2')
        self.dist_info('20.0.3')
        self.assertEqual(
            releases.Build('20.0.3 and 22.0.2', None), self.installed()
        )

    def test_two_versions_in_one_file(self):
        self.dist_info(
            '22.0.2', 'Name: manila\nVersion: 22.0.2\nVersion: 23.0.1\n'
        )
        self.assertEqual(
            releases.Build('22.0.2 and 23.0.1', None), self.installed()
        )

    def test_metadata_that_cannot_be_read_ended_the_run(self):
        path = self.folder(**{'manila-22.0.2.dist-info/RECORD': ''})
        loop = os.path.join(path, 'manila-22.0.2.dist-info', 'METADATA')
        os.symlink('METADATA', loop)
        self.assertEqual(
            releases.Build(f'without a version in {path}', None),
            self.installed(),
        )

    @ddt.data('', 'Name: manila\n', 'Name: manila\nVersion:\n', '\udcff')
    def test_metadata_without_a_version(self, text):
        path = self.dist_info('22.0.2', text)
        self.assertEqual(
            releases.Build(f'without a version in {path}', None),
            self.installed(),
        )

    def test_a_directory_without_metadata(self):
        path = self.folder(**{'manila-22.0.2.dist-info/RECORD': ''})
        self.assertEqual(
            releases.Build(f'without a version in {path}', None),
            self.installed(),
        )

    def test_code_without_metadata(self):
        path = self.folder(**{'manila/__init__.py': 'raise SystemExit'})
        self.assertEqual(
            releases.Build(
                f'without metadata at {path}/manila/__init__.py', None
            ),
            self.installed(),
        )
