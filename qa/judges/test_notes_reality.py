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
"""Compare the ledger of release notes with the packages of the releases.

The source packages from PyPI are read, since the installed releases have no
notes.
"""

import testtools

from manila_precheck.tests import tool_scripts
from manila_precheck.tests import venvs


class ReleaseNotesTest(testtools.TestCase):
    def test_every_note_has_a_row(self):
        if not venvs.DIRECTORY:
            self.skipTest(venvs.NOT_SET)
        tool = tool_scripts.load('release_notes')
        self.assertEqual([], tool.compare(tool.cache()))
