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
"""Counts the tables of a database within a time limit.

A table is read completely if the time suffices, by its size according to the
server and the speed so far. A table that does not fit is read in a few places
only, and a table that has been begun is left when the time ends; in both cases
the result has the part that was read.
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

# The assumed speed before a server has been measured.
_ROWS_PER_SECOND = 500_000

# After this many failures in sequence, no other table is read.
_FAILURES = 3


class Limits(NamedTuple):
    """How much of a database may be read."""

    seconds: float = 120.0
    """The time limit; what does not fit is not read completely."""

    quick: bool = False
    """Whether large tables are read in a few places only."""

    connections: int = 1
    """How many tables are read at a time, each on its own connection."""

    piece_rows: int = scan.PIECE_ROWS
    """The approximate number of rows in a piece, which is one statement."""


class Survey(NamedTuple):
    """The counts of the tables."""

    rows: Mapping[str, counting.RowCounts]
    """By table; without tables that could not be read at all."""

    sizes: Mapping[str, scan.Size]
    """The sizes according to the server's statistics, by table."""

    failures: tuple[str, ...]
    """What the server refused or did not answer, each as a sentence."""


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
        """Say whether a table can be read completely in the time left."""
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
        """Count one table; a failure does not affect the others."""
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
        # If only a part of a table is read, the rows in it that keep others
        # say nothing about the rest.
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
    """Count the rows of tables; a failure of one does not end the others.

    :param progress: called by the reading threads with the number of rows read
        so far and the approximate number of all rows.
    :param interrupted: when set, reading ends after the current piece.
    :param candidates: finds the rows that may keep others at the same time.
    :raises SourceUnusable: when not even the sizes can be read.
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
        # The largest table first, so that it is not the last one, for which
        # all other connections wait.
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
