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
"""What a server says of what others do."""

import time

from manila_precheck.evidence.database import throttle
from manila_precheck.tests import databases


class Scenarios(databases.Scenarios):
    doublings: int
    times: int

    def test_what_another_session_changes(self):
        """Other tests can only make it shorter."""
        made = self.database()
        made.execute('CREATE TABLE counted (n INT)')
        made.execute(
            'INSERT INTO counted VALUES (0)',
            # Twice as many each time.
            *['INSERT INTO counted SELECT n FROM counted'] * self.doublings,
        )
        pacing = throttle.Pace(self.connect(made))
        pacing.seconds()
        # As if nobody did anything.
        pacing._seconds = throttle.LONGEST_SECONDS
        for _ in range(self.times):
            made.execute('UPDATE counted SET n = n + 1')
        time.sleep(0.05)
        self.assertEqual(throttle.BUSY_SECONDS, pacing.seconds())
        self.assertEqual(0.06, pacing.rest(0.03))


class PaceMySQLTest(Scenarios, databases.MySQLTest):
    # Each of 1024 rows.
    doublings = 10
    times = 10


class PacePostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    # Each a transaction.
    doublings = 0
    times = 300
