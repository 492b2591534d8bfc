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
"""What a probe makes of the speed of a server."""

from typing import Any

import ddt
import fixtures
import testtools

from manila_precheck.checks.pending_migrations.sql import rebuild_speed


class Server:
    """A server that takes given times for its answers, in order."""

    def __init__(self, *seconds):
        self.seconds = list(seconds)
        self.clock = 0.0

    def row(self, statement, about):
        """Answer, later or sooner."""
        self.clock += self.seconds.pop(0)
        return (0,)


# What the server of the measurement takes for one answer.
USUAL = 0.036


@ddt.ddt
class RatesTest(testtools.TestCase):
    def slowness(self, *seconds):
        server: Any = Server(*seconds)
        self.useFixture(
            fixtures.MonkeyPatch('time.monotonic', lambda: server.clock)
        )
        rate = rebuild_speed.measure(server)
        self.assertEqual((True, []), (rate.measured, server.seconds))
        return round(rate.slowness, 3)

    @ddt.data((1, 1.0), (4, 4.0), (0.68, 0.68), (100, 8.0), (0.01, 0.3))
    @ddt.unpack
    def test_it_is_as_slow_as_it_counts(self, times, expected):
        self.assertEqual(expected, self.slowness(*[USUAL * times] * 9))

    def test_what_somebody_else_does_for_a_moment_is_not_the_server(self):
        self.assertEqual(1.0, self.slowness(*[3.0] * 4, *[USUAL] * 5))

    @ddt.data((1000, 10, 0.005), (10, 10**9, 30.0), (0, 0, 0.0))
    @ddt.unpack
    def test_the_rows_count_where_they_are_short(self, rows, size, expected):
        self.assertAlmostEqual(
            expected, rebuild_speed.TYPICAL.seconds(rows, size)
        )
