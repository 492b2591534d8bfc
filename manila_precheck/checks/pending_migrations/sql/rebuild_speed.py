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
"""How long a server takes to write a table anew, from a short probe.

Measured with manila 22.0.2 on MariaDB 10.11 (eead2cb81845: a foreign key on
share_instances, 10^5 and 10^6 rows), for each byte of rows and indexes: 13 and
19 nanoseconds on a machine at rest, where a million MD5() took 0.30 seconds;
40 to 60 where they took 0.45; 93 and 114 beside other work, a load of 24 on
two processors, where they took 1.8. So the one grows as the other does.
"""

import time
from typing import NamedTuple

from manila_precheck.evidence.database import connection

#: Seconds for each byte of rows and indexes, where ...
_SECONDS_A_BYTE = 30e-9

#: ... one MD5() takes so many seconds.
_SECONDS_A_DIGEST = 0.45e-6

#: No row is written in less, however short it is.
_SECONDS_A_ROW = 5e-6

#: How many digests are asked for at a time, and how often.
_DIGESTS = 80_000
_TIMES = 9

# No server of this age is further off.
_LEAST, _MOST = 0.3, 8.0

#: What is said may be this many times more or less.
MARGIN = 2.0


class Rate(NamedTuple):
    """What a rewrite takes on this server."""

    slowness: float
    """How many times as long it takes as on the server of the measurement."""

    measured: bool
    """False when nobody asked the server."""

    def seconds(self, rows: int, size_bytes: int) -> float:
        """Return what a table takes.

        :param rows: its rows.
        :param size_bytes: those of its rows and indexes on disk.
        """
        plain = max(rows * _SECONDS_A_ROW, size_bytes * _SECONDS_A_BYTE)
        return plain * self.slowness


#: Before the server is asked.
TYPICAL = Rate(1.0, False)


def measure(db: connection.Database) -> Rate:
    """Have the server count for a third of a second, and see how long it is.

    No table is read.

    :param db: a MySQL or MariaDB server.
    """
    taken = []
    for _ in range(_TIMES):
        started = time.monotonic()
        db.row(f"SELECT BENCHMARK({_DIGESTS}, MD5('manila'))", 'the clock')
        taken.append((time.monotonic() - started) / _DIGESTS)
    # The median: what somebody else does for a moment is not the server.
    slowness = sorted(taken)[_TIMES // 2] / _SECONDS_A_DIGEST
    return Rate(min(max(slowness, _LEAST), _MOST), True)
