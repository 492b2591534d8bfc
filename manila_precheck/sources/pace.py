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
replace or delete meanwhile. Beside a service that writes, statements are
short; where nobody does, a longer one costs nobody anything, and a table
that is read in one is read in two thirds of the time.
"""

import threading
import time

from manila_precheck import exceptions
from manila_precheck.sources import database

#: What a statement may take beside others, in seconds.
BUSY_SECONDS = 0.05

#: What it may take at most.
LONGEST_SECONDS = 0.2

#: How many versions of rows it may keep, beyond what BUSY_SECONDS keeps.
VERSIONS = 10

# What happens in less time than that says little of a rate.
_LEAST_SECONDS = 0.02

# What leaves an old version of a row behind. Of all sessions: those of one
# say nothing of others.
_CHANGES = (
    'SHOW GLOBAL STATUS WHERE Variable_name IN '
    "('Handler_update', 'Handler_delete')"
)


class Pace:
    """How long a statement may take just now; for several threads."""

    def __init__(self, db: database.Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        # PostgreSQL's VACUUM looks at a table once a minute at most.
        self._asks = db.dialect == 'mysql'
        self._seconds = BUSY_SECONDS
        self._looked = 0.0
        self._changes = -1

    def seconds(self) -> float:
        """Return it, from what was changed since this was last asked.

        A server that does not say is a busy one.
        """
        with self._lock:
            now = time.monotonic()
            passed = now - self._looked
            if not self._asks or passed < _LEAST_SECONDS:
                return self._seconds
            try:
                changes = sum(int(row[1]) for row in self._db.rows(_CHANGES))
            except exceptions.SourceUnusable:
                self._asks = False
                self._seconds = BUSY_SECONDS
                return self._seconds
            if self._changes >= 0:
                rate = max(changes - self._changes, 0) / passed
                longest = VERSIONS / rate if rate else LONGEST_SECONDS
                self._seconds = min(
                    max(longest, BUSY_SECONDS), LONGEST_SECONDS
                )
            self._looked, self._changes = now, changes
            return self._seconds
