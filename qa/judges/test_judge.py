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
"""Compare the verdicts of config-options with those of real releases.

Needs MANILA_PRECHECK_VENVS: a directory with virtual environments m16, m18,
m20 and so on, each with that major version of manila; an upgrade is tried
when both of its releases are there.
"""

import unittest

import ddt
import testtools

from manila_precheck.tests import venvs
from qa import hops
from qa.judges import judge
from qa.judges import judge_inputs


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class JudgeTest(testtools.TestCase):
    maxDiff = None

    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_same_verdict_and_value_on_every_line(self, source, target):
        for release in (source, target):
            if not judge.python(release):
                self.skipTest(f'no virtual environment of {release}')
        lines = list(judge.compare(source, target))
        self.assertEqual([], judge.wrong(lines))
        # Otherwise a judge that cannot build drivers would pass.
        counted = [line for line in lines if not judge.judged_out(line)]
        self.assertGreater(len(counted), 0.6 * len(lines))
        for kind in judge.CLASSES:
            self.assertIn(kind, {line.real for line in counted})

    def test_every_driver_is_built_in_one_of_its_modes(self):
        for release in sorted({name for pair in hops.HOPS for name in pair}):
            if not judge.python(release):
                continue
            built, failed = judge.drivers_built(release)
            self.assertEqual(judge_inputs.NEVER_BUILT, failed - built, release)
