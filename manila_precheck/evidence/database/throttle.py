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
"""How long one statement may take beside what others do.

As long as a statement runs, InnoDB keeps every version of a row that others
replace or delete meanwhile; and whoever reads all day keeps a processor from
them. Beside services that write, statements are short, and after each comes
a rest of twice its length; where nobody does, a longer one costs nobody
anything, and MySQL reads a table in one in two thirds of the time.
"""

import threading
import time

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection

#: What a statement may take beside others, in seconds.
BUSY_SECONDS = 0.05

#: What it may take at most.
LONGEST_SECONDS = 0.2

#: How many versions of rows it may keep, beyond what BUSY_SECONDS keeps.
VERSIONS = 10

#: So many changes in a second are others at work.
WORK = VERSIONS / LONGEST_SECONDS

#: How long to rest beside others, of the time of a statement.
REST = 2.0

# What happens in less time than that says little of a rate.
_LEAST_SECONDS = 0.02

_ASKED = {
    # What leaves an old version of a row behind. Of all sessions: those of
    # one say nothing of others.
    'mysql': 'SHOW GLOBAL STATUS WHERE Variable_name IN '
    "('Handler_update', 'Handler_delete')",
    # The transactions that wrote. Its statistics are a second late.
    'postgresql': 'SELECT txid_snapshot_xmax(txid_current_snapshot())',
}


class Pace:
    """How long a statement may take just now; for several threads."""

    def __init__(self, db: connection.Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._asked = _ASKED.get(db.dialect, '')
        # What PostgreSQL keeps is for VACUUM, which comes once a minute.
        self._longest = BUSY_SECONDS
        if db.dialect == 'mysql':
            self._longest = LONGEST_SECONDS
        self._seconds = BUSY_SECONDS
        self._rate = 0.0
        self._looked = 0.0
        self._changes = -1

    def seconds(self) -> float:
        """Return it, from what was changed since this was last asked.

        A server that does not say is a busy one.
        """
        with self._lock:
            now = time.monotonic()
            passed = now - self._looked
            if not self._asked or passed < _LEAST_SECONDS:
                return self._seconds
            try:
                changes = sum(
                    int(row[-1]) for row in self._db.rows(self._asked)
                )
            except exceptions.SourceUnusable:
                self._asked, self._seconds = '', BUSY_SECONDS
                return self._seconds
            if self._changes >= 0:
                self._rate = max(changes - self._changes, 0) / passed
                longest = VERSIONS / self._rate if self._rate else 1.0
                self._seconds = max(min(longest, self._longest), BUSY_SECONDS)
            self._looked, self._changes = now, changes
            return self._seconds

    def rest(self, seconds: float) -> float:
        """Return how long to leave the server to others.

        :param seconds: what the last statement took.
        """
        return seconds * REST if self._rate > WORK else 0.0
