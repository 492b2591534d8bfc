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
"""Which rows a purge skips, or takes along, because of foreign keys.

A row that another one refers to cannot be deleted: the purge says so in its
log, skips it and still exits with 0. What it skips keeps what that refers to
in turn. The other way round, what SQLAlchemy takes for a part of a deleted
row goes with it, or loses its reference (:mod:`manila_precheck.catalog.
purging` has the list).

Only the rows that stay are looked up: one statement for each table that
refers to others, which reads that table once.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import itertools
from typing import Any
from typing import NamedTuple

from manila_precheck.sources import purge

# More rows than any sound site has that keep others; beyond it the figure is
# a lower bound.
LIMIT = 20_000

# How many ids go into one statement.
_IDS = 500


class Kept(NamedTuple):
    """What foreign keys make of a purge of one table."""

    table: str
    """Its name."""

    kept: int = 0
    """The rows that the purge asks for and skips."""

    by: tuple[str, ...] = ()
    """What keeps them, sorted: 'share_instances.share_id'."""

    taken: int = 0
    """The rows that it does not ask for, but that go with another one."""

    detached: int = 0
    """The live rows that lose a reference, which becomes NULL."""

    columns: tuple[str, ...] = ()
    """The columns that become NULL, sorted."""

    unread: tuple[str, ...] = ()
    """The tables that were too large to be looked at, or whose rows may go
    before they keep anything, sorted; the figures are lower bounds then."""


class _Row(NamedTuple):
    """A row that refers to one that the purge asks for."""

    alive: bool
    asked: bool
    parents: tuple[Any, ...]


class _Follow:
    """The state while the tables are gone through, children first."""

    def __init__(
        self, wanted: purge.Filter, counted: Mapping[str, purge.Rows]
    ) -> None:
        self.wanted = wanted
        self.db = wanted.db
        self.counted = counted
        self.kept: dict[str, set[Any]] = {name: set() for name in counted}
        self.by: dict[str, set[str]] = {name: set() for name in counted}
        self.unread: dict[str, set[str]] = {name: set() for name in counted}
        self.loose: list[tuple[str, list[tuple[Any, Any]]]] = []
        self.torn: list[tuple[Any, Any]] = []
        self.dated: dict[str, int] = {}

        for ref in wanted.purge.references:
            if ref.parent in counted and ref.child not in counted:
                if (
                    wanted.db.has_table(ref.child)
                    and counted[ref.parent].asked
                ):
                    self.unread[ref.parent].add(ref.child)

    # Which references there are

    def references(self, child: str) -> list[Any]:
        """Return those of a table that a purge can meet."""
        return [
            ref
            for ref in self.wanted.purge.references
            if ref.child == child
            and ref.parent != child
            and ref.effect.name != 'TAKES_DATED'
            and self._matters(ref)
        ]

    def _matters(self, ref: Any) -> bool:
        if ref.child not in self.counted or ref.parent not in self.counted:
            return False
        stays = self.stays(ref.child, ref.early) or self.kept[ref.child]
        return bool(self.counted[ref.parent].asked and stays)

    def stays(self, child: str, early: bool) -> int:
        """Return how many rows of a table can keep what they refer to."""
        rows = self.counted[child]
        return rows.total if early else rows.total - rows.asked

    def cost(self, child: str) -> int:
        """Return how many rows the server reads for a table, at most."""
        references = self.references(child)
        if not references:
            return 0
        early = any(ref.early for ref in references)
        looked_up = self.stays(child, early) * len(references)
        return self.counted[child].total + looked_up if looked_up else 0

    # Reading

    def read(self, child: str) -> None:
        """Find what the rows of a table keep."""
        references = self.references(child)
        if not references:
            return
        where = list(self._in_lists(sorted(self.kept[child])))
        if self.cost(child):
            where.append(self._where(child, references))
        for condition in where:
            rows = self._select(child, references, condition)
            for row in itertools.islice(rows, LIMIT):
                self._apply(child, references, row)
            if len(rows) > LIMIT:
                self.skip(child)

    def skip(self, child: str) -> None:
        """Note that a table was not looked at, or not at all of it."""
        for ref in self.references(child):
            self.unread[ref.parent].add(child)
            if ref.effect.name.startswith('TAKES'):
                self.unread[child].add(child)

    def pass_on(self, child: str) -> None:
        """What is not known of a table is not known of its parents."""
        for ref in self.wanted.purge.references:
            if ref.child == child and ref.parent in self.counted:
                if self.counted[ref.parent].asked:
                    self.unread[ref.parent] |= self.unread.get(child, set())

    def _where(self, child: str, references: Sequence[Any]) -> str:
        stays = self.wanted.not_asked(child, 'c.')
        found = [
            f'p{number}.id IS NOT NULL'
            + ('' if ref.early else f' AND {stays}')
            for number, ref in enumerate(references)
        ]
        if any(ref.early for ref in references):
            return f'({" OR ".join(f"({one})" for one in found)})'
        plain = ' OR '.join(
            f'p{number}.id IS NOT NULL' for number in range(len(references))
        )
        return f'{stays} AND ({plain})'

    def _in_lists(self, ids: Sequence[Any]) -> Iterator[str]:
        for start in range(0, len(ids), _IDS):
            listed = ', '.join(
                self._literal(one) for one in ids[start : start + _IDS]
            )
            yield f'c.id IN ({listed})'

    def _literal(self, value: Any) -> str:
        """Return an id, which is the database's own, as SQL has it."""
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
            f'SELECT CASE WHEN c.deleted = {self.wanted.live(child)} THEN 1 '  # noqa: S608
            f'ELSE 0 END, CASE WHEN {self.wanted.asked(child, "c.")} THEN 1 '
            f'ELSE 0 END, {ids} FROM {self.db.quoted(child)} c{joins} '
            f'WHERE {where} LIMIT {LIMIT + 1}'
        )
        return [
            _Row(bool(row[0]), bool(row[1]), tuple(row[2:]))
            for row in self.db.rows(statement, f'table {child}')
        ]

    def _apply(self, child: str, references: Sequence[Any], row: _Row) -> None:
        loose = []
        # It may go with one parent before it could keep the other.
        may_go = not row.asked and any(
            parent is not None and ref.effect.name == 'TAKES_ALL'
            for ref, parent in zip(references, row.parents)
        )
        for ref, parent in zip(references, row.parents):
            if parent is None:
                continue
            effect = ref.effect.name
            if may_go and effect == 'BLOCKS':
                self.unread[ref.parent].add(child)
            if effect == 'TAKES_ALL':
                if not row.asked:
                    loose.append((ref.parent, parent))
            elif effect == 'BLOCKS' or not row.alive:
                self.kept[ref.parent].add(parent)
                self.by[ref.parent].add(f'{child}.{ref.column}')
            elif effect == 'TAKES_LIVE':
                loose.append((ref.parent, parent))
            else:
                self.torn.append((ref, parent))
        if loose:
            self.loose.append((child, loose))

    def read_self(self, table: str) -> None:
        """Find what rows of a table keep in the same table.

        The purge deletes them in the order in which the server finds them,
        so that one which is referred to by a later one is still kept.
        """
        rows = self.counted[table]
        for ref in self.wanted.purge.references:
            if ref.child != table or ref.parent != table or not rows.asked:
                continue
            order = {'postgresql': 'ctid', 'sqlite': 'rowid'}.get(
                self.db.dialect, 'id'
            )
            pairs = self.db.rows(
                f'SELECT c.id, p.id, CASE WHEN c.{order} > p.{order} OR '  # noqa: S608
                f'{self.wanted.not_asked(table, "c.")} THEN 1 ELSE 0 END '
                f'FROM {table} c JOIN {table} p ON p.id = c.{ref.column} '
                f'WHERE {self.wanted.asked(table, "p.")} LIMIT {LIMIT + 1}',
                f'table {table}',
            )
            if len(pairs) > LIMIT:
                self.unread[table].add(table)
            kept = self.kept[table]
            size = -1
            while size != len(kept):
                size = len(kept)
                for child, parent, stays in pairs:
                    if (stays or child in kept) and parent not in kept:
                        kept.add(parent)
                        self.by[table].add(f'{table}.{ref.column}')

    def read_dated(self) -> None:
        """Count what goes before all else, with either of its parents."""
        references = [
            ref
            for ref in self.wanted.purge.references
            if ref.effect.name == 'TAKES_DATED' and ref.child in self.counted
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

    # What came of it

    def result(self) -> Mapping[str, Kept]:
        """Return the figures of each table."""
        taken = dict.fromkeys(self.counted, 0)
        taken.update(self.dated)
        for child, parents in self.loose:
            if any(one not in self.kept[table] for table, one in parents):
                taken[child] += 1
        detached = dict.fromkeys(self.counted, 0)
        columns: dict[str, set[str]] = {name: set() for name in self.counted}
        for ref, parent in self.torn:
            if parent not in self.kept[ref.parent]:
                detached[ref.child] += 1
                columns[ref.child].add(ref.column)
        return {
            name: Kept(
                name,
                len(self.kept[name]),
                tuple(sorted(self.by[name])),
                taken[name],
                detached[name],
                tuple(sorted(columns[name])),
                tuple(sorted(self.unread[name])),
            )
            for name in self.counted
        }


def follow(
    wanted: purge.Filter,
    counted: Mapping[str, purge.Rows],
    budget: int,
) -> Mapping[str, Kept]:
    """Return what foreign keys make of a purge, by table.

    :param counted: what the tables hold, all of them read to the end.
    :param budget: how many rows the server may read for it; tables that do
        not fit are left out, the smallest first in.
    :raises StatementRefused: when the account may not read a table.
    :raises SourceUnusable: when the server does not answer in time.
    """
    state = _Follow(wanted, counted)
    order = [name for name in wanted.purge.tables if name in counted]
    affordable = _affordable(
        {name: state.cost(name) for name in order}, budget
    )
    state.read_dated()
    for name in order:
        state.read_self(name)
        if name in affordable:
            state.read(name)
        else:
            state.skip(name)
        state.pass_on(name)
    return state.result()


def _affordable(costs: Mapping[str, int], budget: int) -> Collection[str]:
    found = set()
    for name, cost in sorted(costs.items(), key=lambda item: item[1]):
        budget -= cost
        if budget < 0:
            break
        found.add(name)
    return found
