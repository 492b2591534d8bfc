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
"""How long one statement may take without a cost to other sessions.

As long as a statement runs, InnoDB keeps every version of a row that other
sessions replace or delete meanwhile; and a program that reads all day takes
processor time from them. While other sessions write, statements are
therefore short, and each is followed by a rest of twice its length. While
nobody writes, a longer statement costs nobody anything, and MySQL reads a
table in one statement in two thirds of the time.
"""

import threading
import time

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection

#: How long a statement may take while other sessions write, in seconds.
BUSY_SECONDS = 0.05

#: How long a statement may take at most, in seconds.
LONGEST_SECONDS = 0.2

#: How many old versions of rows a statement may keep; one that takes no longer
#: than BUSY_SECONDS may keep more.
VERSIONS = 10

#: Above this number of changes a second, other sessions count as writing.
WORK = VERSIONS / LONGEST_SECONDS

#: How long to rest while other sessions write, in times of the statement.
REST = 2.0

# A rate that is measured over less time than this says little.
_LEAST_SECONDS = 0.02

_ASKED = {
    # The operations that leave an old version of a row behind. GLOBAL: the
    # counters of a session do not include those of others.
    'mysql': 'SHOW GLOBAL STATUS WHERE Variable_name IN '
    "('Handler_update', 'Handler_delete')",
    # Counts the transactions that wrote. PostgreSQL's statistics would be a
    # second late.
    'postgresql': 'SELECT txid_snapshot_xmax(txid_current_snapshot())',
}


class Pace:
    """How long a statement may take at the moment; safe for threads."""

    def __init__(self, db: connection.Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._asked = _ASKED.get(db.dialect, '')
        # Old rows of PostgreSQL wait for VACUUM, which runs once a minute.
        self._longest = BUSY_SECONDS
        if db.dialect == 'mysql':
            self._longest = LONGEST_SECONDS
        self._seconds = BUSY_SECONDS
        self._rate = 0.0
        self._looked = 0.0
        self._changes = -1

    def seconds(self) -> float:
        """Return the limit, by the changes since the last call.

        A server that does not report its changes counts as busy.
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
        """Return how many seconds to leave the server to others.

        :param seconds: how long the last statement took.
        """
        return seconds * REST if self._rate > WORK else 0.0
