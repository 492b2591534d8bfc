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

"""The commands of the guides that ask the manila of the target."""

import pathlib

import testtools

from manila_precheck.catalog import builds
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import test_how_to

PYTHON = pathlib.Path(venvs.DIRECTORY or '', 'm22', 'bin', 'python')


@testtools.skipUnless(bool(venvs.DIRECTORY), venvs.NOT_SET)
class HowToTest(test_how_to.Case):
    def test_the_pages_can_be_typed(self):
        if not PYTHON.exists():
            self.skipTest('no environment of 2026.1')
        site = self.useFixture(test_how_to.Site(str(PYTHON)))
        printed = self.try_page('newer_target.rst', site)
        self.assertEqual(3, len(printed))
        # The second one is that of the tool.
        text = pathlib.Path(site.path, 'target.json').read_text()
        self.assertEqual('22.0.2', builds.parse(text, 'it').version)
        self.assertIn('Configuration options', printed[2])
