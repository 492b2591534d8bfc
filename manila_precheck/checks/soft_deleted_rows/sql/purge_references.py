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
"""The rows that may keep the rows to which they refer from being purged.

They are found while the tables are counted, by the same statements: for each
row that the purge leaves, the row to which it refers is looked up by its
primary key. A sound site has no such rows, and :mod:`purge_blockers` has
nothing to read. A look-up takes as long as counting about ten rows, so their
number is limited; tables that were not looked up are noted.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import threading
from typing import Any
from typing import Optional

from manila_precheck.catalog import purging
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import scan

#: The most ids that are kept for a table; no sound site has so many such rows.
LIMIT = 20_000

# The part of the rows that a purge leaves, assumed before anything was
# counted.
_STAYS = 0.2

# The counted part is used after this many rows.
_KNOWN = 1000


class KeepingRows:
    """The rows of one table that may keep others."""

    def __init__(self) -> None:
        #: The ids of rows that refer to a row that the purge selects.
        self.ids: set[Any] = set()
        #: The ids of rows that refer to a row of the same table.
        self.own: set[Any] = set()
        #: Whether the whole table was looked up.
        self.whole = True


class Candidates(counting.Extra):
    """The rows that may keep others, found while they are counted.

    :param budget: how many rows may be looked up in all tables.
    """

    def __init__(self, wanted: counting.Filter, budget: float) -> None:
        self.wanted = wanted
        self.db = wanted.db
        self.budget = budget
        self.sizes: Mapping[str, scan.Size] = {}
        self._tables: dict[str, KeepingRows] = {}
        self._references: dict[str, Sequence[purging.Reference]] = {}
        self._columns: dict[str, list[str]] = {}
        self._asked: dict[str, int] = {}
        # Tables in which look-ups may have failed; they get no more.
        self._closed: set[str] = set()
        # Tables of which a part was counted without look-ups.
        self._failed: set[str] = set()
        self._rows = 0
        self._stays = 0
        self._lock = threading.Lock()

    def of(self, table: str) -> Optional[KeepingRows]:
        """Return the rows of a table; None if it was not looked up."""
        return None if table in self._failed else self._tables.get(table)

    def counted(self, rows: counting.RowCounts) -> None:
        """Note the counts of a whole table."""
        with self._lock:
            self._asked[rows.table] = rows.asked
            self._rows += rows.total
            self._stays += rows.total - rows.asked

    # While a table is counted

    def columns(self, table: str) -> Sequence[str]:
        """Return aggregates that find the rows; none if too expensive."""
        with self._lock:
            if table not in self._tables:
                self._begin(table)
            found = self._tables[table]
            if found.whole and (self.budget < 0 or len(found.ids) > LIMIT):
                found.whole = False
            self._columns[table] = names = []
            result = []
            if self._references[table] and found.whole:
                names.append('ids')
                result.append(self._ids(table))
            own = self._own(table)
            if own and table not in self._failed:
                names.append('own')
                result.append(own)
            return result

    def failed(self, table: str) -> None:
        """Look up nothing any more in the tables to which this one refers.

        It is not known which of them did not answer, and waiting for each of
        them again takes too long.
        """
        with self._lock:
            self._tables[table] = KeepingRows()
            self._tables[table].whole = False
            self._failed.add(table)
            self._closed.update(ref.parent for ref in self._references[table])

    def _begin(self, table: str) -> None:
        """Decide whether a table is looked up; the caller has the lock."""
        found = self._tables[table] = KeepingRows()
        # Only a row that the purge selects can be kept.
        references = [
            ref
            for ref in self.wanted.purge.references
            if ref.child == table
            and ref.parent != table
            and ref.effect is not purging.Effect.TAKES_DATED
            and self._asked.get(ref.parent, 1)
            and self.db.has_column(ref.parent, 'deleted_at')
            and self.db.has_column(table, ref.column)
        ]
        self._references[table] = references
        stays = _STAYS
        if self._rows >= _KNOWN:
            stays = self._stays / self._rows
        rows = scan.expected(self.sizes.get(table))
        expected = sum(
            rows * (1 if ref.parent_first else stays) for ref in references
        )
        found.whole = not references or (
            expected <= max(self.budget, 0)
            and not self._closed & {ref.parent for ref in references}
        )

    def _ids(self, table: str) -> str:
        stays = self.wanted.not_asked(table, 'c.')
        parent_first, later = (
            ' OR '.join(
                f'EXISTS (SELECT 1 FROM {self.db.quoted(ref.parent)} p '  # noqa: S608
                f'WHERE p.id = c.{ref.column} '
                f'AND {self.wanted.asked(ref.parent, "p.")})'
                for ref in self._references[table]
                if ref.parent_first is when
            )
            for when in (True, False)
        )
        conditions = [f'({parent_first})'] if parent_first else []
        if later:
            conditions.append(f'({stays} AND ({later}))')
        return self._joined(' OR '.join(conditions))

    def _own(self, table: str) -> str:
        columns = [
            f'c.{ref.column} IS NOT NULL'
            for ref in self.wanted.purge.references
            if ref.child == table == ref.parent
            and self.db.has_column(table, ref.column)
        ]
        return self._joined(' OR '.join(columns)) if columns else ''

    def _joined(self, condition: str) -> str:
        """Return an aggregate: the ids of some rows as one string."""
        case = f'CASE WHEN {condition} THEN c.id END'
        if self.db.dialect == 'postgresql':
            return f"STRING_AGG(CAST({case} AS VARCHAR), ',')"
        return f'GROUP_CONCAT({case})'

    def found(self, part: counting.RowCounts, values: Sequence[Any]) -> None:
        """Note the ids of a part of a table."""
        table = part.table
        with self._lock:
            found = self._tables[table]
            for name, value in zip(self._columns[table], values):
                if value is not None:
                    getattr(found, name).update(self._split(table, value))
            if 'ids' in self._columns[table]:
                stays = part.total - part.asked
                self.budget -= sum(
                    part.total if ref.parent_first else stays
                    for ref in self._references[table]
                )

    def _split(self, table: str, value: Any) -> Sequence[Any]:
        text = connection.text_of(value)
        kind = self.db.shape[table]['id']
        ids = text.split(',')
        if kind is column_types.ColumnType.INTEGER:
            # A server that truncates a long string may leave a comma at the
            # end.
            return [int(one) for one in ids if one]
        return ids
