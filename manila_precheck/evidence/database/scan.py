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
"""Large tables, read in pieces.

A long statement harms other sessions not by locks, but because it keeps
InnoDB's purge from removing old versions of rows, at any isolation level, for
as long as it runs. So a table is read in pieces, each in a statement of its
own, by ranges of the primary key on MySQL and MariaDB, of ctid on PostgreSQL
(14 and later: before, each such range reads the whole table) and of rowid on
SQLite::

    for piece in scan.pieces(db, 'shares', size):
        row = db.row(f'SELECT COUNT(*) FROM shares WHERE {piece.where}')
        piece.found(row[0])

The first two pieces are small: after them the caller knows what the rows are
like, and can simplify its statement. Each later piece is as wide as the
one before it suggests for a fraction of a second, whatever the server is
(:mod:`manila_precheck.evidence.database.throttle`).
"""

from collections.abc import Iterator
from collections.abc import Mapping
import time
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import throttle as paces

#: How many rows a piece may have, however fast the server is. Even if the
#: statistics are off by a seventh, a piece stays below the 2^20 rows that one
#: sum can count.
PIECE_ROWS = 900_000

#: How many rows each of the first two pieces aims at.
FIRST_ROWS = 10_000

# How many times as wide as the piece before it a piece may be; then the same
# for the last piece.
_GROWTH = 10.0
_LAST_GROWTH = 30.0

#: The size of a sample: one row in SAMPLE_PART, but at least SAMPLE_LEAST and
#: at most SAMPLE_MOST rows, taken from SAMPLE_PLACES places in the table.
SAMPLE_PART = 100
SAMPLE_LEAST = 200
SAMPLE_MOST = 10_000
SAMPLE_PLACES = 16

# Ranges are cut by the first eight hex digits of an id. Every textual id of
# manila is a UUID; an id that is none falls into one of the ranges, too.
_DIGITS = 8

# About what a row of manila takes, with its part of the indexes.
_ROW_BYTES = 300

_MYSQL_SIZES = (
    'SELECT table_name, table_rows, data_length + index_length '
    'FROM information_schema.tables WHERE table_schema = DATABASE()'
)

#: Whether table c of PostgreSQL is locked, or about to be: asking for its size
#: would wait for the session that alters it.
POSTGRESQL_LOCKED = (
    'EXISTS (SELECT 1 FROM pg_locks '
    "WHERE relation = c.oid AND mode = 'AccessExclusiveLock')"
)

#: The size of table c at its last VACUUM.
POSTGRESQL_SEEN = "c.relpages * current_setting('block_size')::bigint"

_POSTGRESQL_SIZES = (
    f'SELECT relname, reltuples, CASE WHEN {POSTGRESQL_LOCKED} '  # noqa: S608
    f'THEN {POSTGRESQL_SEEN} ELSE pg_total_relation_size(c.oid) END '
    'FROM pg_class c '
    "WHERE relkind = 'r' AND pg_table_is_visible(oid) "
    'AND relnamespace = ANY (SELECT oid FROM pg_namespace '
    'WHERE nspname = ANY (current_schemas(false)))'
)


class Size(NamedTuple):
    """The size of a table, as the server estimates it."""

    rows: Optional[int] = None
    """About how many rows it has, from statistics; None: no statistics."""

    bytes: Optional[int] = None
    """Its size on disk, indexes included; None: not known."""


def sizes(db: connection.Database) -> Mapping[str, Size]:
    """Return the sizes of all tables, from the server's statistics.

    InnoDB's statistics are off by a tenth and more; those of PostgreSQL are
    as old as the last ANALYZE. SQLite has none.
    """
    if db.dialect == 'sqlite':
        return {}
    statement = _MYSQL_SIZES if db.dialect == 'mysql' else _POSTGRESQL_SIZES
    found = {}
    for table, rows, size in db.rows(statement):
        name = connection.text_of(table)
        # PostgreSQL has -1 for a table that was never analyzed.
        known = int(rows) if rows is not None and rows >= 0 else None
        found[name] = Size(known, None if size is None else int(size))
    return found


def expected(size: Optional[Size]) -> int:
    """Return how many rows to expect; statistics may be missing or old."""
    if size is None:
        return 0
    by_bytes = (size.bytes or 0) // _ROW_BYTES
    if size.rows is None or (size.rows == 0 and by_bytes > FIRST_ROWS):
        return by_bytes
    return size.rows


class Piece:
    """A part of a table: the condition to read it by, and the result."""

    def __init__(self, where: str, read: float, last: bool) -> None:
        #: A condition for WHERE.
        self.where = where
        #: The part of the table that is read with it, up to 1.0.
        self.read = read
        #: Whether it is the last one.
        self.last = last
        self.rows = 0
        self.seconds = 0.0
        self._started = time.monotonic()

    def found(self, rows: int) -> None:
        """Say how many rows it had, once it is read."""
        self.rows = rows
        self.seconds = time.monotonic() - self._started


class _Line(NamedTuple):
    """The range of numbers along which a table is cut: [first, end)."""

    column: str
    first: int
    end: int
    form: str
    #: How many times as long a piece takes because each row is compared with
    #: its end: MariaDB counts the characters of a text for that, one by one.
    ending: float = 1.0

    def where(self, start: int, stop: int) -> str:
        """Return the condition of a range; open at the ends of the line."""
        parts = []
        if start > self.first:
            parts.append(f'{self.column} >= {self.form.format(start)}')
        if stop < self.end:
            parts.append(f'{self.column} < {self.form.format(stop)}')
        return ' AND '.join(parts) or '1 = 1'


def _line(db: connection.Database, table: str) -> Optional[_Line]:
    """Return how to cut a table; None when it cannot be cut or is empty."""
    name = db.quoted(table)
    if db.dialect == 'postgresql':
        if int(db.rows('SHOW server_version_num')[0][0]) < 140000:
            return None
        blocks = db.row(
            f"SELECT pg_relation_size('{name}') "
            "/ current_setting('block_size')::int"
        )[0]
        return _Line('ctid', 0, int(blocks), "'({},0)'") if blocks else None
    column = 'rowid' if db.dialect == 'sqlite' else 'id'
    if db.dialect == 'mysql' and not db.has_column(table, 'id'):
        return None
    if (
        db.dialect == 'mysql'
        and db.shape[table]['id'] is column_types.ColumnType.TEXT
    ):
        form = f"'{{:0{_DIGITS}x}}'"
        return _Line(column, 0, 16**_DIGITS, form, ending=1.25)
    first, last = db.row(f'SELECT MIN({column}), MAX({column}) FROM {name}')  # noqa: S608
    if first is None:
        return None
    return _Line(column, int(first), int(last) + 1, '{}')


def pieces(
    db: connection.Database,
    table: str,
    size: Size,
    rows: int = PIECE_ROWS,
    pace: Optional[paces.Pace] = None,
) -> Iterator[Piece]:
    """Yield the pieces of a table, which together cover all of it.

    :param size: what :func:`sizes` says of it; a small table is one piece.
    :param rows: how many rows a piece may have.
    :param pace: how long a piece may take.
    """
    line = None
    if expected(size) > min(rows, 2 * FIRST_ROWS):
        line = _line(db, table)
    if line is None:
        yield Piece('1 = 1', 1.0, True)
        return
    pace = pace or paces.Pace(db)
    length = line.end - line.first
    widest = max(1, length * rows // expected(size))
    width = reach = max(1, min(widest, length * FIRST_ROWS // expected(size)))
    start, last = line.first, False
    while start < line.end:
        more = line.end - reach - start
        if last or more <= 0:
            stop = line.end
        else:
            # Leave a last piece that is as wide as it may be.
            last = more < width
            stop = start + min(width, more)
        piece = Piece(
            line.where(start, stop),
            (stop - line.first) / length,
            stop == line.end,
        )
        yield piece
        widths = _next_widths(
            piece, width, min(widest, length), rows, pace, line.ending
        )
        time.sleep(pace.rest(piece.seconds))
        if start > line.first:
            width, reach = widths
        start = stop


def _next_widths(
    piece: Piece,
    width: int,
    widest: int,
    rows: int,
    pace: paces.Pace,
    ending: float,
) -> tuple[int, int]:
    """Return the greatest width of the next piece, and of the last one."""
    seconds = pace.seconds()

    def wide(factor: float, limit: float) -> int:
        if piece.rows:
            factor = min(factor, rows / piece.rows)
        if piece.seconds > 0:
            factor = min(factor, limit / piece.seconds)
        # A gap in the numbers must not lead to a piece that is far too large.
        return max(1, min(int(width * max(factor, 0.1)), widest))

    longer = min(seconds * 1.5, paces.LONGEST_SECONDS)
    return wide(_GROWTH, seconds), wide(_LAST_GROWTH, longer * ending)


def part(
    size: Size,
    one_in: int = SAMPLE_PART,
    least: int = SAMPLE_LEAST,
    most: int = SAMPLE_MOST,
) -> int:
    """Return how many rows the sample of a table should have."""
    return max(least, min(most, expected(size) // one_in))


def sample(
    db: connection.Database,
    table: str,
    size: Size,
    rows: Optional[int] = None,
) -> Iterator[Piece]:
    """Yield a few small pieces from all over a table.

    :param rows: how many rows all pieces together aim at; None: as
        :func:`part` returns.
    :returns: one piece with all of a small table.
    """
    rows = part(size) if rows is None else rows
    line = None
    if expected(size) > rows:
        line = _line(db, table)
    if line is None:
        yield Piece('1 = 1', 1.0, True)
        return
    length = line.end - line.first
    places = min(SAMPLE_PLACES, length)
    step = length // places
    width = max(1, min(step, step * rows // max(expected(size), rows * 2)))
    for place in range(places):
        # Both bounds, unlike _Line.where(): it is open at the line's ends.
        start = line.first + place * step + (step - width + 1) // 2
        stop = start + width
        where = (
            f'{line.column} >= {line.form.format(start)} '
            f'AND {line.column} < {line.form.format(stop)}'
        )
        yield Piece(where, (place + 1) * width / length, place + 1 == places)
