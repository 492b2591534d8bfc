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
"""The tables of a database, counted within a time.

Tables are read to the end as long as the time suffices, by what the server
says of their size and by how fast the reading was so far. One that does not
fit is read in a few places only, and one that was begun is left where the
time ends; either says which part of it was read.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent import futures
import threading
import time
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import (
    purge_references as candidate_rows,  # noqa: H301
)
from manila_precheck.evidence.database import scan
from manila_precheck.evidence.database import throttle

# Before anything is known of how fast a server is.
_ROWS_PER_SECOND = 500_000

# A server that is gone is not asked for every table.
_FAILURES = 3


class Limits(NamedTuple):
    """How much of a database may be read."""

    seconds: float = 120.0
    """How long it may take; what does not fit is not read to the end."""

    quick: bool = False
    """Read no more than a few places of each table."""

    connections: int = 1
    """How many tables are read at a time, each on its own connection."""

    piece_rows: int = scan.PIECE_ROWS
    """How many rows a statement aims at."""


class Survey(NamedTuple):
    """What was counted."""

    rows: Mapping[str, counting.RowCounts]
    """By table; those that could not be read at all are not there."""

    sizes: Mapping[str, scan.Size]
    """What the server's statistics say, by table."""

    failures: tuple[str, ...]
    """What the server refused, or did not answer, a sentence each."""


class _Surveyor:
    def __init__(
        self,
        wanted: counting.Filter,
        sizes: Mapping[str, scan.Size],
        limits: Limits,
        progress: Callable[[int, int], None],
        interrupted: threading.Event,
        candidates: Optional[candidate_rows.Candidates],
    ) -> None:
        self.wanted = wanted
        self.sizes = sizes
        self.limits = limits
        self.progress = progress
        self.interrupted = interrupted
        self.candidates = candidates
        self.pace = throttle.Pace(wanted.db)
        self.started = time.monotonic()
        self.found: dict[str, counting.RowCounts] = {}
        self.failures: dict[str, str] = {}
        self.lost = 0
        self.done = 0
        self.expected = sum(scan.expected(size) for size in sizes.values())
        self._lock = threading.Lock()

    def left(self) -> float:
        return self.limits.seconds - (time.monotonic() - self.started)

    def fits(self, size: scan.Size) -> bool:
        """Say whether a table can be read to the end in the time left."""
        if self.limits.quick:
            return False
        passed = time.monotonic() - self.started
        speed = float(_ROWS_PER_SECOND)
        if self.done > _ROWS_PER_SECOND // 10 and passed > 0:
            speed = self.done / passed * self.limits.connections
        return scan.expected(size) / speed <= self.left()

    def pieces(
        self, table: str, size: scan.Size, whole: bool
    ) -> Iterator[scan.Piece]:
        db, rows = self.wanted.db, self.limits.piece_rows
        if not whole:
            return scan.sample(db, table, size)
        return scan.pieces(db, table, size, rows, self.pace)

    def read(self, table: str) -> None:
        """Count one table; its failure is its own."""
        if self.interrupted.is_set():
            return
        if self.lost >= _FAILURES:
            self.failures[table] = (
                f'table {table} was not read: the server did not answer'
            )
            return
        size = self.sizes.get(table, scan.Size())
        try:
            for rows in self.parts(table, size):
                self.found[table] = rows
            self.lost = 0
            if self.candidates and self.found[table].read >= 1.0:
                self.candidates.counted(self.found[table])
        except exceptions.StatementRefused as exc:
            self.failures[table] = str(exc)
        except exceptions.SourceUnusable as exc:
            self.failures[table] = str(exc)
            self.lost += 1

    def parts(
        self, table: str, size: scan.Size
    ) -> Iterator[counting.RowCounts]:
        before = 0
        # What keeps others in a part of a table says nothing of the rest.
        small = scan.expected(size) <= scan.part(size)
        whole = small or self.fits(size)
        for rows in counting.count(
            self.wanted,
            table,
            self.pieces(table, size, whole),
            self.candidates if whole else None,
        ):
            with self._lock:
                self.done += rows.total - before
                before = rows.total
                self.progress(self.done, max(self.expected, self.done))
            yield rows
            if self.interrupted.is_set():
                return
            if self.left() <= 0 and not self.limits.quick:
                return


def survey(
    wanted: counting.Filter,
    names: Iterable[str],
    limits: Limits,
    progress: Callable[[int, int], None] = lambda done, expected: None,
    interrupted: Optional[threading.Event] = None,
    candidates: Optional[candidate_rows.Candidates] = None,
) -> Survey:
    """Count the rows of tables, those that a failure spares.

    :param progress: called with the rows read so far and about how many
        there are, from the threads that read.
    :param interrupted: ends it after the piece that is being read.
    :param candidates: finds the rows that may keep others, at the same time.
    :raises SourceUnusable: when not even the sizes can be asked for.
    """
    known = scan.sizes(wanted.db)
    ordered = sorted(
        names, key=lambda name: (scan.expected(known.get(name)), name)
    )
    surveyor = _Surveyor(
        wanted,
        {name: known.get(name, scan.Size()) for name in ordered},
        limits,
        progress,
        interrupted or threading.Event(),
        candidates,
    )
    if candidates:
        candidates.sizes = known
    if limits.connections > 1:
        # The largest first, so that no connection is left with it at last.
        with futures.ThreadPoolExecutor(limits.connections) as pool:
            list(pool.map(surveyor.read, reversed(ordered)))
    else:
        for name in ordered:
            surveyor.read(name)
    return Survey(
        surveyor.found,
        surveyor.sizes,
        tuple(text for _, text in sorted(surveyor.failures.items())),
    )
