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
"""Which rows may keep what they refer to from a purge.

They are found while the tables are counted, by the same statements: each row
that stays is looked up in the table that it refers to, by its primary key.
On a sound site none is found, and :mod:`purge_blockers` has nothing to read. A
look-up takes as long as counting some ten rows, so they are bounded; what was
not looked up is known.
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

#: More rows than any sound site has that keep others.
LIMIT = 20_000

# Which part of the rows stays, before anything was counted.
_STAYS = 0.2

# So many rows say which part it is.
_KNOWN = 1000


class KeepingRows:
    """The rows of one table that may keep others."""

    def __init__(self) -> None:
        #: The ids of rows that refer to a row which the purge asks for.
        self.ids: set[Any] = set()
        #: Those of rows that refer to one of the same table.
        self.own: set[Any] = set()
        #: Whether all of the table was looked up.
        self.whole = True


class Candidates(counting.Extra):
    """The rows that may keep others, found while they are counted.

    :param budget: how many rows may be looked up.
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
        # Tables in which nothing can be looked up, as it seems.
        self._closed: set[str] = set()
        # Tables of which a part was counted without them.
        self._failed: set[str] = set()
        self._rows = 0
        self._stays = 0
        self._lock = threading.Lock()

    def of(self, table: str) -> Optional[KeepingRows]:
        """Return what was found in a table; None: it was not looked at."""
        return None if table in self._failed else self._tables.get(table)

    def counted(self, rows: counting.RowCounts) -> None:
        """Take what all of a table holds."""
        with self._lock:
            self._asked[rows.table] = rows.asked
            self._rows += rows.total
            self._stays += rows.total - rows.asked

    # While a table is counted

    def columns(self, table: str) -> Sequence[str]:
        """Return what finds the rows; nothing where that is too much."""
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
        """Look nothing up any more in the tables that this one refers to.

        Which of them it was that did not answer, nobody knows; to wait for
        each again takes long.
        """
        with self._lock:
            self._tables[table] = KeepingRows()
            self._tables[table].whole = False
            self._failed.add(table)
            self._closed.update(ref.parent for ref in self._references[table])

    def _begin(self, table: str) -> None:
        """Decide whether a table is looked up; held by the lock."""
        found = self._tables[table] = KeepingRows()
        # A row is kept only where the purge asks for it.
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
            rows * (1 if ref.early else stays) for ref in references
        )
        found.whole = not references or (
            expected <= max(self.budget, 0)
            and not self._closed & {ref.parent for ref in references}
        )

    def _ids(self, table: str) -> str:
        stays = self.wanted.not_asked(table, 'c.')
        early, later = (
            ' OR '.join(
                f'EXISTS (SELECT 1 FROM {self.db.quoted(ref.parent)} p '  # noqa: S608
                f'WHERE p.id = c.{ref.column} '
                f'AND {self.wanted.asked(ref.parent, "p.")})'
                for ref in self._references[table]
                if ref.early is when
            )
            for when in (True, False)
        )
        conditions = [f'({early})'] if early else []
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
        """Return the ids of the rows of a condition, as one text."""
        case = f'CASE WHEN {condition} THEN c.id END'
        if self.db.dialect == 'postgresql':
            return f"STRING_AGG(CAST({case} AS VARCHAR), ',')"
        return f'GROUP_CONCAT({case})'

    def found(self, part: counting.RowCounts, values: Sequence[Any]) -> None:
        """Take the ids of a part of a table."""
        table = part.table
        with self._lock:
            found = self._tables[table]
            for name, value in zip(self._columns[table], values):
                if value is not None:
                    getattr(found, name).update(self._split(table, value))
            if 'ids' in self._columns[table]:
                stays = part.total - part.asked
                self.budget -= sum(
                    part.total if ref.early else stays
                    for ref in self._references[table]
                )

    def _split(self, table: str, value: Any) -> Sequence[Any]:
        text = connection.text_of(value)
        kind = self.db.shape[table]['id']
        ids = text.split(',')
        if kind is column_types.ColumnType.INTEGER:
            # A server that cuts a long text may end it with a comma.
            return [int(one) for one in ids if one]
        return ids
