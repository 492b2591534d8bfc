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
"""The soft-deleted rows of a table, and those that a purge deletes.

``manila-manage db purge`` of manila 12 to 22 deletes the rows whose
deleted_at is old enough, whatever the value of ``deleted`` (manila 22.0.0
db/sqlalchemy/api.py:6636). From 23 on ``deleted`` must also be the id of the
row, or 1 in a table without ids (manila 23.0.1 db/sqlalchemy/api.py:6720).
:mod:`purge_blockers` has the effects of foreign keys.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.catalog import purging
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import scan

# The state of a row is a number, so that one SUM() counts the rows in all
# states: each comparison of two texts and each aggregate costs as much as
# reading the row. The sum has "digits" of 20 bits, one for each state; 13 bits
# are left for the last one, because a double has 53.
_DIGIT = 1 << 20
_EXACT = float(1 << 53)
# A row in none of the three states. It is rare, and the piece is read again.
_ODD = 1e300

_UNDATED = (
    'WHEN deleted_at IS NULL THEN CASE WHEN deleted = {live} THEN '
    '{live_digit} WHEN deleted <> {live} THEN {undated_digit} ELSE {odd} END '
)

_PACKED = (
    'SELECT COUNT(*), SUM(CASE ' + _UNDATED + 'WHEN deleted <> {live} THEN '
    'CASE WHEN deleted_at <= {cutoff}{own} THEN {one}{unmarked} END '
    'ELSE {odd} END), {oldest}, {newest}{more} '
    'FROM {table} c WHERE {where}'
)

# For pieces after the first and the last day are known: MIN() and MAX() take a
# quarter of the time of a piece. A row outside these days counts as an odd
# row.
_BETWEEN = (
    'SELECT COUNT(*), SUM(CASE {old}'  # noqa: S608
    + _UNDATED
    + '{young}ELSE {odd} END)'
    '{more} FROM {table} c WHERE {where}'
)

# The same for rows in any state; it takes half as long again.
_PLAIN = (
    'SELECT COUNT(*), COUNT(CASE WHEN deleted = {live} THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} AND deleted_at IS NULL THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} AND deleted_at <= {cutoff}{own} '
    'THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} AND deleted_at <= {cutoff} '
    'THEN 1 END), '
    'COUNT(CASE WHEN deleted = {live} AND deleted_at <= {cutoff} '
    'THEN 1 END), '
    'COUNT(CASE WHEN deleted IS NULL AND deleted_at <= {cutoff} '
    'THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} AND deleted_at IS NOT NULL '
    'AND NOT {is_time} THEN 1 END), {oldest_time}, {newest_time}{more} '
    'FROM {table} c WHERE {where}'
)


class RowCounts(NamedTuple):
    """The counts of one table, or of a part of it."""

    table: str
    """Its name."""

    total: int = 0
    """All rows."""

    live: int = 0
    """The rows that manila sees, including the recycle bin."""

    deleted: int = 0
    """The rows that manila has marked as deleted."""

    undated: int = 0
    """Marked as deleted without a deleted_at: no purge deletes them."""

    purgeable: int = 0
    """Marked as deleted, and a purge at the age selects them."""

    unmarked: int = 0
    """Marked as deleted and old enough, but not selected, because ``deleted``
    does not have the value that the purge requires."""

    live_but_purged: int = 0
    """Live, but a purge at the age selects them: deleted_at is set."""

    neither_but_purged: int = 0
    """``deleted`` is NULL, and a purge at the age selects them."""

    recycled: int = 0
    """Live shares that their owner put into the recycle bin."""

    no_date: int = 0
    """Marked as deleted, with a deleted_at that is not a date ('0000-00-00
    00:00:00'); counted only in pieces whose first or last deleted_at is
    such."""

    oldest: Optional[datetime.date] = None
    """The day of the oldest deleted_at of the rows marked as deleted."""

    newest: Optional[datetime.date] = None
    """The day of the newest deleted_at of these rows."""

    read: float = 1.0
    """The part of the table that was read; 1.0 for all of it."""

    @property
    def asked(self) -> int:
        """How many rows the purge selects."""
        return self.purgeable + self.live_but_purged + self.neither_but_purged

    @property
    def young(self) -> int:
        """How many rows were soft-deleted after the cutoff."""
        return self.deleted - self.undated - self.unmarked - self.purgeable

    def plus(self, other: 'RowCounts') -> 'RowCounts':
        """Return the counts of two parts of the same table together."""
        sums: dict[str, Any] = {
            name: one + more
            for name, one, more in zip(
                self._fields[1:11], self[1:11], other[1:11]
            )
        }
        oldest = [t for t in (self.oldest, other.oldest) if t is not None]
        newest = [t for t in (self.newest, other.newest) if t is not None]
        return self._replace(
            **sums,
            oldest=min(oldest, default=None),
            newest=max(newest, default=None),
        )


def tables(db: connection.Database, purge: purging.Purge) -> tuple[str, ...]:
    """Return the tables of manila with soft deletion, sorted.

    A table that is not manila's may have the same columns; no purge reads it.
    """
    return tuple(
        table
        for table in sorted(purge.tables)
        if db.has_column(table, 'deleted')
        and db.has_column(table, 'deleted_at')
    )


def literal(db: connection.Database, moment: datetime.datetime) -> str:
    """Return the SQL literal of a time; SQLite has no type for times."""
    text = f"'{moment.isoformat(' ', 'microseconds')}'"
    return text if db.dialect == 'sqlite' else f'TIMESTAMP {text}'


class Filter:
    """The SQL conditions of the rows that a purge selects.

    :param cutoff: the purge selects rows that were deleted until then.
    :param purge: the purge of the running release.
    """

    def __init__(
        self,
        db: connection.Database,
        purge: 'purging.Purge',
        cutoff: datetime.datetime,
    ) -> None:
        self.db = db
        self.purge = purge
        self.cutoff_time = cutoff
        #: The literal of the cutoff.
        self.cutoff = literal(db, cutoff)

    def live(self, table: str) -> str:
        """Return the literal of ``deleted`` in a live row."""
        value = self.db.live_value(table)
        return f"'{value}'" if isinstance(value, str) else str(value)

    def nothing(self, table: str) -> bool:
        """Say whether the purge selects no row of a table at all."""
        if not self.purge.marked:
            return False
        if table in self.purge.through_parents:
            return True
        # NOTE: the purge of 2026.2 compares the two columns, which PostgreSQL
        # rejects ("operator does not exist: character varying = integer"); the
        # purge logs the error and skips the table.
        return self.db.dialect == 'postgresql' and self._unequal(table)

    def _unequal(self, table: str) -> bool:
        shape = self.db.shape[table]
        return (
            'id' in shape
            and shape['deleted'] is column_types.ColumnType.TEXT
            and shape['id'] is column_types.ColumnType.INTEGER
        )

    def own(self, table: str, alias: str = '') -> str:
        """Return the condition of the purge on ``deleted``; '' if none."""
        if not self.purge.marked:
            return ''
        if not self.db.has_column(table, 'id'):
            own = '1' if self.live(table) == '0' else "'1'"
        else:
            own = f'{alias}id'
        return f' AND {alias}deleted = {own}'

    def asked(self, table: str, alias: str) -> str:
        """Return the condition of the rows that the purge selects."""
        if self.nothing(table):
            return '1 = 0'
        return f'({alias}deleted_at <= {self.cutoff}{self.own(table, alias)})'

    def not_asked(self, table: str, alias: str) -> str:
        """Return the opposite of :meth:`asked`, which is never NULL."""
        if self.nothing(table):
            return '1 = 1'
        parts = [
            f'{alias}deleted_at IS NULL',
            f'{alias}deleted_at > {self.cutoff}',
        ]
        own = self.own(table, alias)
        if own:
            mark = own[len(' AND ') :]
            parts.append(f'{alias}deleted IS NULL')
            parts.append(mark.replace(' = ', ' <> ', 1))
        return f'({" OR ".join(parts)})'


class Extra:
    """Additional aggregates to read while the rows are counted."""

    def columns(self, table: str) -> Sequence[str]:
        """Return SQL aggregates; ``c`` is the alias of the table."""
        return ()

    def found(self, part: 'RowCounts', values: Sequence[Any]) -> None:
        """Process the values of the aggregates for a part of a table.

        :param values: one for each of the columns.
        """

    def failed(self, table: str) -> None:
        """Note that the aggregates of a part could not be read."""


def count(
    wanted: Filter,
    table: str,
    pieces: Iterable[scan.Piece],
    extra: Optional[Extra] = None,
) -> Iterable[RowCounts]:
    """Count the rows of a table, piece by piece.

    Each piece is read once, by one statement. It is read again if it has
    something new: a row that is older than all rows before, a live row with a
    deleted_at, a row whose ``deleted`` is NULL.

    :param extra: what else to read.
    :returns: after each piece, the counts of all pieces so far.
    :raises StatementRefused: when the account may not read the table.
    :raises SourceUnusable: when the server does not answer in time.
    """
    counting = _Counting(wanted, table, extra or Extra())
    for piece in pieces:
        part = counting.read(piece.where)
        piece.found(part.total)
        counting.found = counting.found._replace(read=piece.read)
        yield counting.found


class _Counting:
    """Reads the pieces of one table with the cheapest statement."""

    def __init__(self, wanted: Filter, table: str, extra: Extra) -> None:
        self.wanted = wanted
        self.db = wanted.db
        self.table = table
        self.extra = extra
        self.found = RowCounts(table, read=0.0)
        self.names = _names(wanted, table)
        self.recycled = ''
        if self.db.has_column(table, 'is_soft_deleted'):
            self.recycled = (
                ', COUNT(CASE WHEN is_soft_deleted AND deleted = '
                f'{wanted.live(table)} THEN 1 END)'
            )
        # Whether the days of the last piece were within those of the pieces
        # before it.
        self.settled = False
        # Whether it had rows that only _PLAIN can count.
        self.odd = False

    def read(self, where: str) -> RowCounts:
        """Count one piece, and add it to the counts so far."""
        wanted = self.wanted
        columns = self.extra.columns(self.table)
        try:
            rows, values = self.part(where, columns)
        except exceptions.SourceUnusable:
            if not columns:
                raise
            # The aggregates read other tables, which may be the reason.
            rows, values = self.part(where, ())
            self.extra.failed(self.table)
        if wanted.nothing(self.table):
            rows = rows._replace(
                unmarked=rows.unmarked + rows.purgeable, purgeable=0
            )
        before, self.found = self.found, self.found.plus(rows)
        self.settled = before[-3:-1] == self.found[-3:-1]
        self.extra.found(rows, values)
        return rows

    def part(
        self, where: str, columns: Sequence[str]
    ) -> tuple[RowCounts, Sequence[Any]]:
        """Read one piece with the cheapest statement that can count it."""
        more = self.recycled + ''.join(f', {one}' for one in columns)
        found = None
        if self.settled and not self.odd:
            found = self.between(where, more)
        if found is None and not self.odd:
            found = self.packed(where, more)
        return self.plain(where, more) if found is None else found

    def row(self, form: str, where: str, more: str, **names: str) -> Any:
        return self.db.row(
            form.format(where=where, more=more, **self.names, **names),
            f'table {self.table}',
        )

    def rest(self, values: Sequence[Any]) -> tuple[int, Sequence[Any]]:
        """Return the number in the recycle bin, and the extra values."""
        if self.recycled:
            return values[0], values[1:]
        return 0, values

    def between(
        self, where: str, more: str
    ) -> Optional[tuple[RowCounts, Sequence[Any]]]:
        """Read a piece within the known days; None if it has other rows."""
        days = self.found.oldest, self.found.newest
        total, packed, *rest = self.row(
            _BETWEEN, where, more, **_bounds(self.wanted, self.names, *days)
        )
        return self.unpacked(total, packed, days, rest)

    def packed(
        self, where: str, more: str
    ) -> Optional[tuple[RowCounts, Sequence[Any]]]:
        """Read a piece of live, undated and deleted rows; None if others."""
        total, packed, oldest, newest, *rest = self.row(_PACKED, where, more)
        days = _day(oldest), _day(newest)
        if (oldest, newest) != (None, None) and None in days:
            return None
        return self.unpacked(total, packed, days, rest)

    def plain(self, where: str, more: str) -> tuple[RowCounts, Sequence[Any]]:
        """Read a piece with rows in any state."""
        values = self.row(_PLAIN, where, more)
        total, live, deleted, undated, asked, old, *rest = values
        live_old, neither_old, no_date, oldest, newest, *rest = rest
        # If there are such rows, the next piece is read like this at once.
        self.odd = bool(
            live_old
            or neither_old
            or no_date
            or old - asked
            or live + deleted < total
            # One sum cannot hold such numbers.
            or total >= _DIGIT
            or undated * _DIGIT * _DIGIT >= _EXACT
        )
        if self.wanted.purge.marked:
            # Such a purge skips them, and also rows whose ``deleted`` is NULL.
            live_old = neither_old = 0
        recycled, rest = self.rest(rest)
        return RowCounts(
            self.table,
            total=total,
            live=live,
            deleted=deleted,
            undated=undated,
            purgeable=asked,
            unmarked=old - asked,
            live_but_purged=live_old,
            neither_but_purged=neither_old,
            recycled=recycled,
            no_date=no_date,
            oldest=_day(oldest),
            newest=_day(newest),
        ), rest

    def unpacked(
        self,
        total: int,
        packed: Optional[float],
        days: tuple[Optional[datetime.date], Optional[datetime.date]],
        rest: Sequence[Any],
    ) -> Optional[tuple[RowCounts, Sequence[Any]]]:
        """Return the counts in a packed sum; None if it is not exact."""
        number = packed or 0.0
        if total >= _DIGIT or number >= _EXACT:
            return None
        high, purgeable = divmod(int(number), _DIGIT)
        undated, live = divmod(high, _DIGIT)
        recycled, rest = self.rest(rest)
        return RowCounts(
            self.table,
            total=total,
            live=live,
            deleted=total - live,
            undated=undated,
            purgeable=purgeable,
            recycled=recycled,
            oldest=days[0],
            newest=days[1],
        ), rest


def _names(wanted: Filter, table: str) -> dict[str, str]:
    db = wanted.db
    own = '' if wanted.nothing(table) else wanted.own(table)
    # Literals of type double; otherwise the sum would be a decimal.
    form = "'{:.0f}'::float8" if db.dialect == 'postgresql' else '{:.0f}e0'
    odd = "'1e300'::float8" if db.dialect == 'postgresql' else '1e300'
    live = wanted.live(table)
    is_time = timestamps.is_time(db.dialect, 'deleted_at')
    times = f'CASE WHEN deleted <> {live} AND {is_time} THEN deleted_at END'
    return {
        'live': live,
        'is_time': is_time,
        'oldest': timestamps.as_text(db.dialect, 'MIN(deleted_at)'),
        'newest': timestamps.as_text(db.dialect, 'MAX(deleted_at)'),
        'oldest_time': timestamps.as_text(db.dialect, f'MIN({times})'),
        'newest_time': timestamps.as_text(db.dialect, f'MAX({times})'),
        'cutoff': wanted.cutoff,
        'own': own,
        'unmarked': (
            f' WHEN deleted_at <= {wanted.cutoff} THEN {odd}' if own else ''
        ),
        'zero': form.format(0),
        'one': form.format(1),
        'live_digit': form.format(_DIGIT),
        'undated_digit': form.format(_DIGIT * _DIGIT),
        'odd': odd,
        'table': db.quoted(table),
    }


def _bounds(
    wanted: Filter,
    names: Mapping[str, str],
    oldest: Optional[datetime.date],
    newest: Optional[datetime.date],
) -> dict[str, str]:
    """Return the conditions of rows deleted within the known days."""
    if oldest is None or newest is None:
        return {'old': '', 'young': ''}
    tick = datetime.timedelta(microseconds=1)
    first = datetime.datetime.combine(oldest, datetime.time.min)
    last = datetime.datetime.combine(newest, datetime.time.max)
    cutoff = wanted.cutoff_time
    form = 'WHEN deleted_at BETWEEN {} AND {} AND deleted <> {}{} THEN {} '
    found = {'old': '', 'young': ''}
    if first <= cutoff:
        found['old'] = form.format(
            literal(wanted.db, first),
            literal(wanted.db, min(last, cutoff)),
            names['live'],
            names['own'],
            names['one'],
        )
    if last > cutoff:
        found['young'] = form.format(
            literal(wanted.db, max(first, cutoff + tick)),
            literal(wanted.db, last),
            names['live'],
            '',
            names['zero'],
        )
    return found


def _day(value: Any) -> Optional[datetime.date]:
    found = timestamps.parse(value)
    return found.time.date() if found and found.time else None
