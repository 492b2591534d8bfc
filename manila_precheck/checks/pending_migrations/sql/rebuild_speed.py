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
"""How long a server takes to rebuild a table, estimated by a short probe.

Measured with manila 22.0.2 on MariaDB 10.11 (eead2cb81845: a foreign key on
share_instances, 10^5 and 10^6 rows), for each byte of rows and indexes: 13 and
19 nanoseconds on an idle machine, where a million MD5() took 0.30 seconds;
40 to 60 where they took 0.45; 93 and 114 on a busy machine, with a load of 24
on two processors, where they took 1.8. So the two times grow together.
"""

import time
from typing import NamedTuple

from manila_precheck.evidence.database import connection

#: Seconds for each byte of rows and indexes on a server ...
_SECONDS_A_BYTE = 30e-9

#: ... on which one MD5() takes this many seconds.
_SECONDS_A_DIGEST = 0.45e-6

#: The least time for a row, however short it is.
_SECONDS_A_ROW = 5e-6

#: How many digests one statement computes, and how often it is sent.
_DIGESTS = 80_000
_TIMES = 9

# The limits of slowness: current servers are within them.
_LEAST, _MOST = 0.3, 8.0

#: The actual time may be this many times longer or shorter.
MARGIN = 2.0


class Rate(NamedTuple):
    """The speed at which this server rebuilds a table."""

    slowness: float
    """How many times longer it takes than on the server of the constants."""

    measured: bool
    """Whether the server was measured."""

    def seconds(self, rows: int, size_bytes: int) -> float:
        """Return the time to rebuild a table.

        :param rows: the number of its rows.
        :param size_bytes: the size of its rows and indexes on disk.
        """
        plain = max(rows * _SECONDS_A_ROW, size_bytes * _SECONDS_A_BYTE)
        return plain * self.slowness


#: Used before the server is measured.
TYPICAL = Rate(1.0, False)


def measure(db: connection.Database) -> Rate:
    """Measure how long the server takes to compute some digests.

    It takes about a third of a second, and no table is read.

    :param db: a MySQL or MariaDB server.
    """
    taken = []
    for _ in range(_TIMES):
        started = time.monotonic()
        db.row(f"SELECT BENCHMARK({_DIGESTS}, MD5('manila'))", 'the clock')
        taken.append((time.monotonic() - started) / _DIGESTS)
    # The median is not affected by short bursts of other load.
    slowness = sorted(taken)[_TIMES // 2] / _SECONDS_A_DIGEST
    return Rate(min(max(slowness, _LEAST), _MOST), True)
