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
"""A directory goes, though others write in it for a moment."""

import os
import shutil

import fixtures
import testtools

from manila_precheck.evidence.database.dumps import guard


class RemoveTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'folder'
        )
        os.mkdir(self.path)
        #: How often it is filled anew once it was emptied.
        self.times = 0
        real = shutil.rmtree

        def rmtree(path, ignore_errors):
            real(path, ignore_errors=ignore_errors)
            if self.times:
                self.times -= 1
                os.makedirs(f'{path}/state')

        self.useFixture(fixtures.MonkeyPatch('shutil.rmtree', rmtree))

    def test_at_once(self):
        guard.remove(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_after_somebody_has_written(self):
        self.times = 2
        guard.remove(self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_one_that_stays_is_left(self):
        self.times = 100
        guard.remove(self.path, 0.2)
        self.assertTrue(os.path.exists(self.path))
