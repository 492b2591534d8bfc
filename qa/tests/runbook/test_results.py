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
"""Tests of the comparison of a window with its estimate."""

import ddt
import testtools

from qa.runbook import results
from qa.runbook import typist


def _done(name, seconds, low=None, high=None, phase='window'):
    return typist.Done(phase, name, typist.Said(low, high), seconds, ())


def _result(*steps, lost=''):
    return results.Result('2025.1 to 2026.1', 10, steps, lost)


@ddt.ddt
class ResultTest(testtools.TestCase):
    @ddt.data(
        (40.0, True),
        (60.0, True),
        (61.0, False),
        (40.0 / 1.5 + 0.1, True),
        (26.0, False),
    )
    @ddt.unpack
    def test_within_a_factor_of_what_was_said(self, seconds, passed):
        one = _result(
            _done('backup', seconds, 20.0, 80.0),
            # These do not count: no estimate, or not in the window.
            _done('packages', 500.0),
            _done('announce', 0.0, 0.0, 0.0),
            _done('purge', 500.0, 1.0, 2.0, phase='before'),
        )
        self.assertEqual(((20.0, 80.0), seconds), (one.said, one.took))
        self.assertEqual(passed, one.passed)

    def test_what_went_wrong_counts(self):
        step = _done('backup', 40.0, 20.0, 80.0)
        self.assertTrue(_result(step).passed)
        self.assertFalse(_result(step, lost='db-sync: it failed').passed)

    def test_without_a_figure_nothing_was_shown(self):
        one = _result(_done('backup', 40.0))
        self.assertEqual((None, False), (one.ratio, one.passed))
