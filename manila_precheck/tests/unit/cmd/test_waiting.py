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

import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.cmd import waiting
from manila_precheck.engine import check

Severity = model.Severity


class Drains(check.Check):
    """A page."""

    id = 'sample-drains'
    title = 'Sample'
    drains = frozenset({model.Stage.PLAN})
    left: list = []

    def run(self, ctx):
        for severity, message in self.left.pop(0):
            if severity is None:
                raise exceptions.SourceUnusable(message)
            yield model.Finding(
                severity, model.Subject('share', message), message
            )


class Stays(check.Check):
    """A page."""

    id = 'sample-stays'
    title = 'Sample'

    def run(self, ctx):
        return ()


class DrainingTest(testtools.TestCase):
    def test_those_that_say_so_at_the_stage(self):
        entries = [testing.entry_of(Stays), testing.entry_of(Drains)]
        self.assertEqual(
            (entries[1],),
            waiting.draining(entries, model.Stage.PLAN),
        )

    def test_none(self):
        error = self.assertRaises(
            exceptions.UsageError,
            waiting.draining,
            [testing.entry_of(Drains)],
            model.Stage.STOPPED,
        )
        self.assertEqual(
            'no check of this run finds anything at stage stopped that '
            'waiting can resolve',
            str(error),
        )


class WaitTest(testtools.TestCase):
    def wait(self, seconds, *left):
        """Wait, and return (what was shown, seconds that were slept)."""
        self.patch(Drains, 'left', list(left))
        site = self.useFixture(testing.Site())
        shown, slept = [], []
        waiting.wait(
            site.context,
            [testing.entry_of(Drains)],
            seconds,
            shown.append,
            clock=lambda: sum(slept),
            sleep=slept.append,
        )
        return shown, slept

    def test_nothing_is_there(self):
        self.assertEqual(([], []), self.wait(60, []))

    def test_what_weighs_less_is_not_waited_for(self):
        self.assertEqual(([], []), self.wait(60, [(Severity.INFO, 'a')]))

    def test_until_it_is_gone(self):
        self.assertEqual(
            (
                [
                    '60 s left; waiting for: share b and 1 more',
                    '55 s left; waiting for: share b',
                ],
                [5.0, 5.0],
            ),
            self.wait(
                60,
                [(Severity.WARNING, 'share a'), (Severity.FAILURE, 'share b')],
                [(Severity.FAILURE, 'share b')],
                [],
            ),
        )

    def test_until_the_time_is_over(self):
        left = [(Severity.WARNING, 'share a')]
        shown, slept = self.wait(7, left, left, left)
        self.assertEqual(
            (
                [
                    '7 s left; waiting for: share a',
                    '2 s left; waiting for: share a',
                ],
                [5.0, 2.0],
            ),
            (shown, slept),
        )

    def test_what_cannot_look_may_come_back(self):
        self.assertEqual(
            (['60 s left; waiting for: sample-drains: it is down'], [5.0]),
            self.wait(60, [(None, 'it is down')], []),
        )
