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
"""Which rows a purge skips, or also deletes, because of foreign keys.

A row to which another one refers cannot be deleted: the purge logs this, skips
the row and still exits with 0. A skipped row in turn keeps the rows to which
it
refers. Conversely, SQLAlchemy deletes some rows together with the row to which
they refer, or sets their reference to NULL (:mod:`manila_precheck.catalog.
purging` has the list).

The rows that may keep others were found while the tables were counted
(:mod:`purge_references`); only these are read here, by their ids.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck.catalog import purging
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import other_tables
from manila_precheck.checks.soft_deleted_rows.sql import purge_references
from manila_precheck.evidence.database import scan
from manila_precheck.evidence.database import schema

Effect = purging.Effect

# The most ids in one statement.
_IDS = 500


class KeyEffects(NamedTuple):
    """How foreign keys change the purge of one table."""

    table: str
    """Its name."""

    skipped: int = 0
    """The number of rows that the purge selects and skips."""

    by: tuple[str, ...] = ()
    """The columns that keep them, sorted: 'share_instances.share_id'."""

    taken: int = 0
    """The number of rows that it does not select and deletes with others."""

    detached: int = 0
    """The number of live rows of which a reference becomes NULL."""

    columns: tuple[str, ...] = ()
    """The columns that become NULL, sorted."""

    unread: tuple[str, ...] = ()
    """The tables that were not looked up completely, or whose rows may be
    deleted before they keep others, sorted. If there are any, the figures are
    lower bounds."""


class _Row(NamedTuple):
    """A row that refers to rows that the purge selects."""

    id: Any
    alive: bool
    asked: bool
    parents: tuple[Any, ...]


class _Follow:
    """The state while the tables are processed, children first."""

    def __init__(
        self,
        wanted: counting.Filter,
        counted: Mapping[str, counting.RowCounts],
        found: purge_references.Candidates,
    ) -> None:
        self.wanted = wanted
        self.found = found
        self.db = wanted.db
        self.counted = counted
        self.skipped: dict[str, set[Any]] = {name: set() for name in counted}
        self.by: dict[str, set[str]] = {name: set() for name in counted}
        self.unread: dict[str, set[str]] = {name: set() for name in counted}
        self.loose: list[tuple[str, list[tuple[Any, Any]]]] = []
        # Rows that may be deleted with one parent before they can keep
        # another.
        self.blocked: list[tuple[tuple[str, Any], Any, Any]] = []
        self.torn: list[tuple[Any, Any]] = []
        self.dated: dict[str, int] = {}

        for ref in wanted.purge.references:
            if ref.parent in counted and ref.child not in counted:
                if (
                    wanted.db.has_table(ref.child)
                    and counted[ref.parent].asked
                ):
                    self.unread[ref.parent].add(ref.child)

    # The references

    def references(self, child: str) -> list[Any]:
        """Return the references of a table that can affect a purge."""
        return [
            ref
            for ref in self.wanted.purge.references
            if ref.child == child
            and ref.parent != child
            and ref.effect is not Effect.TAKES_DATED
            and self._matters(ref)
        ]

    def _matters(self, ref: Any) -> bool:
        if ref.child not in self.counted or ref.parent not in self.counted:
            return False
        stays = (
            self.stays(ref.child, ref.parent_first) or self.skipped[ref.child]
        )
        return bool(self.counted[ref.parent].asked and stays)

    def stays(self, child: str, parent_first: bool) -> int:
        """Return how many rows of a table can keep their parents."""
        rows = self.counted[child]
        return rows.total if parent_first else rows.total - rows.asked

    # Reading

    def read(self, child: str) -> None:
        """Find the rows that the rows of a table keep."""
        references = self.references(child)
        if not references:
            return
        stays = any(self.stays(child, ref.parent_first) for ref in references)
        found = self.found.of(child)
        ids = set(self.skipped[child])
        whole = not stays
        if stays and found is not None:
            ids |= found.ids
            whole = found.whole
        whole = whole and len(ids) <= purge_references.LIMIT
        rows = 0
        listed = sorted(ids)[: purge_references.LIMIT]
        for condition in self._in_lists(listed):
            for row in self._select(child, references, condition):
                rows += 1
                self._apply(child, references, row)
        # Fewer rows than ids: somebody is deleting rows at the moment.
        if not whole or rows < len(listed):
            self.skip(child)

    def skip(self, child: str) -> None:
        """Note that a table was not read, or not completely."""
        for ref in self.references(child):
            self.unread[ref.parent].add(child)
            if ref.effect in purging.TAKING:
                self.unread[child].add(child)

    def pass_on(self, child: str) -> None:
        """Note that what is unknown of a table is unknown of its parents."""
        for ref in self.wanted.purge.references:
            if ref.child == child and ref.parent in self.counted:
                if self.counted[ref.parent].asked:
                    self.unread[ref.parent] |= self.unread.get(child, set())

    def _in_lists(self, ids: Sequence[Any]) -> Iterator[str]:
        for start in range(0, len(ids), _IDS):
            listed = ', '.join(
                self._literal(one) for one in ids[start : start + _IDS]
            )
            yield f'c.id IN ({listed})'

    def _literal(self, value: Any) -> str:
        """Return the SQL literal of an id, which comes from the database."""
        if isinstance(value, int):
            return str(value)
        text = str(value).replace("'", "''")
        if self.db.dialect == 'mysql':
            text = text.replace('\\', '\\\\')
        return f"'{text}'"

    def _select(
        self, child: str, references: Sequence[Any], where: str
    ) -> Sequence[_Row]:
        joins = ''.join(
            f' LEFT JOIN {self.db.quoted(ref.parent)} p{number} ON '
            f'p{number}.id = c.{ref.column} AND '
            f'{self.wanted.asked(ref.parent, f"p{number}.")}'
            for number, ref in enumerate(references)
        )
        ids = ', '.join(f'p{number}.id' for number in range(len(references)))
        statement = (
            f'SELECT c.id, CASE WHEN c.deleted = {self.wanted.live(child)} '  # noqa: S608
            f'THEN 1 ELSE 0 END, CASE WHEN {self.wanted.asked(child, "c.")} '
            f'THEN 1 ELSE 0 END, {ids} FROM {self.db.quoted(child)} c{joins} '
            f'WHERE {where}'
        )
        return [
            _Row(row[0], bool(row[1]), bool(row[2]), tuple(row[3:]))
            for row in self.db.rows(statement, f'table {child}')
        ]

    def _apply(self, child: str, references: Sequence[Any], row: _Row) -> None:
        loose = []
        taker = None
        for ref, parent in zip(references, row.parents):
            if parent is not None and ref.effect is Effect.TAKES_ALL:
                taker = None if row.asked else (ref.parent, parent)
        for ref, parent in zip(references, row.parents):
            if parent is None:
                continue
            if (
                row.asked
                and not ref.parent_first
                and row.id not in self.skipped[child]
            ):
                # It is deleted before the row to which it refers.
                continue
            effect = ref.effect
            if effect is Effect.BLOCKS and taker:
                self.blocked.append((taker, ref, parent))
            elif effect is Effect.TAKES_ALL:
                if not row.asked:
                    loose.append((ref.parent, parent))
            elif effect is Effect.BLOCKS or not row.alive:
                self.skipped[ref.parent].add(parent)
                self.by[ref.parent].add(f'{child}.{ref.column}')
            elif effect is Effect.TAKES_LIVE:
                loose.append((ref.parent, parent))
            else:
                self.torn.append((ref, parent))
        if loose:
            self.loose.append((child, loose))

    def read_others(
        self,
        keys: Iterable[schema.LiveForeignKey],
        sizes: Mapping[str, scan.Size],
    ) -> None:
        """Find the rows that tables that are not manila's keep."""
        for key in keys:
            rows = self.counted.get(key.parent)
            unknown = key.on_delete == schema.UNKNOWN
            if rows is None or not rows.asked:
                continue
            if key.on_delete and not unknown:
                continue
            if unknown or other_tables.is_large(key, sizes):
                self.unread[key.parent].add(key.table)
                continue
            try:
                skipped = other_tables.skipped(self.wanted, key)
            except exceptions.StatementRefused:
                # The server checks the key without the rights of the account.
                self.unread[key.parent].add(key.table)
                continue
            if skipped:
                self.skipped[key.parent] |= skipped
                self.by[key.parent].add(f'{key.table}.{key.columns[0]}')
            if len(skipped) > purge_references.LIMIT:
                self.unread[key.parent].add(key.table)

    def settle(self, table: str, left: Collection[str]) -> None:
        """Decide which rows in ``blocked`` keep rows of a table.

        Such a row is deleted with its parent, unless the parent is kept; the
        purge deletes the parent before anything else (manila 23.0.1
        db/sqlalchemy/api.py _purge_share_access_map).

        :param left: the tables that were not processed yet.
        """
        for (taker, one), ref, parent in self.blocked:
            if ref.parent != table:
                continue
            if one in self.skipped[taker]:
                self.skipped[table].add(parent)
                self.by[table].add(f'{ref.child}.{ref.column}')
            elif self.unread[taker] or any(
                other.parent == taker and other.child in left
                for other in self.wanted.purge.references
            ):
                self.unread[table].add(ref.child)

    def read_self(self, table: str) -> None:
        """Find the rows that rows of the same table keep.

        The purge deletes the rows in the order in which the server returns
        them, so a row is kept if a row that comes later refers to it.
        """
        rows = self.counted[table]
        for ref in self.wanted.purge.references:
            if ref.child != table or ref.parent != table or not rows.asked:
                continue
            order = {'postgresql': 'ctid', 'sqlite': 'rowid'}.get(
                self.db.dialect, 'id'
            )
            found = self.found.of(table)
            ids = sorted(found.own)[: purge_references.LIMIT] if found else []
            pairs = [
                pair
                for condition in self._in_lists(ids)
                for pair in self.db.rows(
                    f'SELECT c.id, p.id, CASE WHEN c.{order} > p.{order} OR '  # noqa: S608
                    f'{self.wanted.not_asked(table, "c.")} THEN 1 ELSE 0 END '
                    f'FROM {table} c JOIN {table} p ON p.id = c.{ref.column} '
                    f'WHERE {self.wanted.asked(table, "p.")} AND {condition}',
                    f'table {table}',
                )
            ]
            if not found or len(found.own) > purge_references.LIMIT:
                self.unread[table].add(table)
            skipped = self.skipped[table]
            size = -1
            while size != len(skipped):
                size = len(skipped)
                for child, parent, stays in pairs:
                    if (stays or child in skipped) and parent not in skipped:
                        skipped.add(parent)
                        self.by[table].add(f'{table}.{ref.column}')

    def read_dated(self) -> None:
        """Count the rows that are deleted first, with any of their parents."""
        references = [
            ref
            for ref in self.wanted.purge.references
            if ref.effect is Effect.TAKES_DATED and ref.child in self.counted
        ]
        if not references or not self.counted[references[0].child].total:
            return
        child = references[0].child
        joins = ''.join(
            f' JOIN {ref.parent} p{number} ON p{number}.id = c.{ref.column}'
            for number, ref in enumerate(references)
        )
        old = ' OR '.join(
            f'p{number}.deleted_at <= {self.wanted.cutoff}'
            for number in range(len(references))
        )
        self.dated[child] = int(
            self.db.row(
                f'SELECT COUNT(*) FROM {child} c{joins} WHERE ({old}) AND '  # noqa: S608
                f'{self.wanted.not_asked(child, "c.")}',
                f'table {child}',
            )[0]
        )

    # The result

    def result(self) -> Mapping[str, KeyEffects]:
        """Return the figures of each table."""
        taken = dict.fromkeys(self.counted, 0)
        taken.update(self.dated)
        for child, parents in self.loose:
            if any(one not in self.skipped[table] for table, one in parents):
                taken[child] += 1
        detached = dict.fromkeys(self.counted, 0)
        columns: dict[str, set[str]] = {name: set() for name in self.counted}
        for ref, parent in self.torn:
            if parent not in self.skipped[ref.parent]:
                detached[ref.child] += 1
                columns[ref.child].add(ref.column)
        return {
            name: KeyEffects(
                name,
                len(self.skipped[name]),
                tuple(sorted(self.by[name])),
                taken[name],
                detached[name],
                tuple(sorted(columns[name])),
                tuple(sorted(self.unread[name])),
            )
            for name in self.counted
        }


def follow(
    wanted: counting.Filter,
    counted: Mapping[str, counting.RowCounts],
    found: purge_references.Candidates,
    others: Iterable[schema.LiveForeignKey] = (),
) -> Mapping[str, KeyEffects]:
    """Return how foreign keys change a purge, by table.

    :param counted: the counts of the tables, which were read completely.
    :param found: the rows that may keep others, found by the count.
    :param others: the foreign keys of tables that are not manila's.
    :raises StatementRefused: when the account may not read a table.
    :raises SourceUnusable: when the server does not answer in time.
    """
    state = _Follow(wanted, counted, found)
    state.read_others(others, found.sizes)
    state.read_dated()
    for place, name in enumerate(wanted.purge.tables):
        if name in counted:
            state.settle(name, wanted.purge.tables[place:])
            state.read_self(name)
            state.read(name)
            state.pass_on(name)
    return state.result()
