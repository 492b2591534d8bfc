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
"""What soft deletion left in a table, and what a purge would take away.

``manila-manage db purge`` of manila 12 to 22 deletes the rows whose
deleted_at is old enough, whatever ``deleted`` holds (manila 22.0.0
db/sqlalchemy/api.py:6636). From 23 on ``deleted`` must be the row's own id
too, or 1 in a table without ids (manila 23.0.1 db/sqlalchemy/api.py:6720).
What foreign keys make of that is in :mod:`purge_blockers`.
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

# What a row is, as one number, so that one sum of them says it all: a
# comparison of two texts and an aggregate each cost as much as reading the
# row. A digit of the sum has 20 bits, and 13 are left for the last one: a
# double has 53.
_DIGIT = 1 << 20
_EXACT = float(1 << 53)
# A row that is none of the three: it is rare, and the piece is read again.
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

# Where the first and the last day are known: a minimum and a maximum take
# a quarter of the time of a piece. A row beyond them is an odd one too.
_BETWEEN = (
    'SELECT COUNT(*), SUM(CASE {old}'  # noqa: S608
    + _UNDATED
    + '{young}ELSE {odd} END)'
    '{more} FROM {table} c WHERE {where}'
)

# The same for any row at all: half as long again.
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
    """What one table, or a part of it, holds."""

    table: str
    """Its name."""

    total: int = 0
    """All rows."""

    live: int = 0
    """Those that manila sees, the recycle bin included."""

    deleted: int = 0
    """Those that manila has marked as deleted."""

    undated: int = 0
    """Marked as deleted without a deleted_at: no purge takes them."""

    purgeable: int = 0
    """Marked as deleted, and a purge at the age asks for them."""

    unmarked: int = 0
    """Marked as deleted and old enough, but not asked for, because
    ``deleted`` is not what the purge looks for."""

    live_but_purged: int = 0
    """Live, but a purge at the age asks for them: deleted_at is set."""

    neither_but_purged: int = 0
    """``deleted`` is NULL, and a purge at the age asks for them."""

    recycled: int = 0
    """Live shares that their owner put into the recycle bin."""

    no_date: int = 0
    """Marked as deleted, at what is no date ('0000-00-00 00:00:00'); counted
    in the pieces whose first or last deleted_at is one."""

    oldest: Optional[datetime.date] = None
    """The day of the oldest deleted_at of the rows marked as deleted."""

    newest: Optional[datetime.date] = None
    """The day of the newest deleted_at of them."""

    read: float = 1.0
    """The part of the table that this is about; 1.0: all of it."""

    @property
    def asked(self) -> int:
        """Return how many rows the purge asks for."""
        return self.purgeable + self.live_but_purged + self.neither_but_purged

    @property
    def young(self) -> int:
        """Return how many rows were deleted after the cutoff."""
        return self.deleted - self.undated - self.unmarked - self.purgeable

    def plus(self, other: 'RowCounts') -> 'RowCounts':
        """Return what two parts of the same table hold together."""
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
    """Return the tables whose rows are soft-deleted, sorted.

    One of somebody else may have the same columns, and no purge looks at it.
    """
    return tuple(
        table
        for table in sorted(purge.tables)
        if db.has_column(table, 'deleted')
        and db.has_column(table, 'deleted_at')
    )


def literal(db: connection.Database, moment: datetime.datetime) -> str:
    """Return a time as it stands in SQL; SQLite has no type for it."""
    text = f"'{moment.isoformat(' ', 'microseconds')}'"
    return text if db.dialect == 'sqlite' else f'TIMESTAMP {text}'


class Filter:
    """Which rows a purge asks for, in SQL.

    :param cutoff: the purge takes what was deleted until then.
    :param purge: of the release that runs now.
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
        """Say whether the purge asks for no row of a table at all."""
        if not self.purge.marked:
            return False
        if table in self.purge.through_parents:
            return True
        # NOTE: the purge of 2026.2 compares the two columns, which
        # PostgreSQL refuses ("operator does not exist: character varying =
        # integer"); the purge says so in its log, and leaves the table.
        return self.db.dialect == 'postgresql' and self._unequal(table)

    def _unequal(self, table: str) -> bool:
        shape = self.db.shape[table]
        return (
            'id' in shape
            and shape['deleted'] is column_types.ColumnType.TEXT
            and shape['id'] is column_types.ColumnType.INTEGER
        )

    def own(self, table: str, alias: str = '') -> str:
        """Return what the purge asks of ``deleted``; '' where nothing."""
        if not self.purge.marked:
            return ''
        if not self.db.has_column(table, 'id'):
            own = '1' if self.live(table) == '0' else "'1'"
        else:
            own = f'{alias}id'
        return f' AND {alias}deleted = {own}'

    def asked(self, table: str, alias: str) -> str:
        """Return the condition of a row that the purge asks for."""
        if self.nothing(table):
            return '1 = 0'
        return f'({alias}deleted_at <= {self.cutoff}{self.own(table, alias)})'

    def not_asked(self, table: str, alias: str) -> str:
        """Return the opposite, which is never NULL."""
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
    """More to find in the rows of a table while they are counted."""

    def columns(self, table: str) -> Sequence[str]:
        """Return aggregates in SQL; each row of the table is ``c`` there."""
        return ()

    def found(self, part: 'RowCounts', values: Sequence[Any]) -> None:
        """Take what the aggregates were for a part of a table.

        :param values: as many as there were columns; none when there were
            none.
        """

    def failed(self, table: str) -> None:
        """Take that the aggregates of a part could not be read."""


def count(
    wanted: Filter,
    table: str,
    pieces: Iterable[scan.Piece],
    extra: Optional[Extra] = None,
) -> Iterable[RowCounts]:
    """Count the rows of a table, piece by piece.

    Each piece is one statement, which reads it once; another one where
    something is new in it: a row older than all before, a live row with a
    deleted_at, a row whose ``deleted`` is NULL.

    :param extra: what to find besides.
    :returns: what the pieces hold that were read so far.
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
    """The pieces of one table, and how the next one is best read."""

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
        # The last piece had no row beyond those of the pieces before it.
        self.settled = False
        # It had rows that only the longest statement can count.
        self.odd = False

    def read(self, where: str) -> RowCounts:
        """Count one piece, and add it to what was found."""
        wanted = self.wanted
        columns = self.extra.columns(self.table)
        try:
            rows, values = self.part(where, columns)
        except exceptions.SourceUnusable:
            if not columns:
                raise
            # What the aggregates read of other tables may be the reason.
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
        """Read one piece by the cheapest statement that tells all of it."""
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
        """Return how many are in the recycle bin, and what is extra."""
        if self.recycled:
            return values[0], values[1:]
        return 0, values

    def between(
        self, where: str, more: str
    ) -> Optional[tuple[RowCounts, Sequence[Any]]]:
        """Read a piece that has nothing new, and see whether it is so."""
        days = self.found.oldest, self.found.newest
        total, packed, *rest = self.row(
            _BETWEEN, where, more, **_bounds(self.wanted, self.names, *days)
        )
        return self.unpacked(total, packed, days, rest)

    def packed(
        self, where: str, more: str
    ) -> Optional[tuple[RowCounts, Sequence[Any]]]:
        """Read a piece in which any row is live, undated or deleted."""
        total, packed, oldest, newest, *rest = self.row(_PACKED, where, more)
        days = _day(oldest), _day(newest)
        if (oldest, newest) != (None, None) and None in days:
            return None
        return self.unpacked(total, packed, days, rest)

    def plain(self, where: str, more: str) -> tuple[RowCounts, Sequence[Any]]:
        """Read a piece with any rows."""
        values = self.row(_PLAIN, where, more)
        total, live, deleted, undated, asked, old, *rest = values
        live_old, neither_old, no_date, oldest, newest, *rest = rest
        # As long as there are any, the next piece is read so at once.
        self.odd = bool(
            live_old
            or neither_old
            or no_date
            or old - asked
            or live + deleted < total
            # More than the digits of one sum hold.
            or total >= _DIGIT
            or undated * _DIGIT * _DIGIT >= _EXACT
        )
        if self.wanted.purge.marked:
            # It leaves them alone, and those without ``deleted`` too.
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
        """Return what the packed sum says; None when it does not say all."""
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
    # Of the type of a double, or the sum would be one of decimals.
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
    """Return the conditions of what was deleted on days that are known."""
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
