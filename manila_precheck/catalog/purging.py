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
"""What ``manila-manage db purge`` of a release deletes, and in which order.

The facts are from purge_deleted_records of manila/db/sqlalchemy/api.py, and
from the relationships of the models: when the purge deletes a row, SQLAlchemy
sets references to it to NULL, or deletes the rows that refer to it. The
differences between releases are behaviours of the catalog, with the files
that show them.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import enum
from typing import NamedTuple
from typing import TYPE_CHECKING

from manila_precheck.catalog import behaviours

if TYPE_CHECKING:
    from manila_precheck import releases
    from manila_precheck.catalog import schema


class Effect(enum.Enum):
    """What happens to a row that refers to one that the purge deletes."""

    # The foreign key prevents it; the purge skips the row referred to.
    BLOCKS = 'blocks'
    # The reference of a live row becomes NULL; any other row blocks.
    DETACHES = 'detaches'
    # A live row is deleted with it; any other row blocks.
    TAKES_LIVE = 'takes live'
    # The row is deleted with it.
    TAKES_ALL = 'takes all'
    # The row is deleted before, even if the row referred to stays.
    TAKES_DATED = 'takes dated'


#: The effects that delete the referring row.
TAKING = frozenset({Effect.TAKES_LIVE, Effect.TAKES_ALL, Effect.TAKES_DATED})


class Reference(NamedTuple):
    """A foreign key, and what a purge does about it."""

    child: str
    """The table with the foreign key."""

    column: str
    """The column with the reference."""

    parent: str
    """The table to whose id it refers."""

    effect: Effect
    """What happens to a row of the child."""

    parent_first: bool = False
    """Whether rows of the parent are deleted before those of the child."""


class Purge(NamedTuple):
    """The purge of one release."""

    tables: tuple[str, ...]
    """The tables from which it deletes, referring tables before those to
    which they refer."""

    references: tuple[Reference, ...]
    """The foreign keys between them, in the order of the children."""

    marked: bool
    """Whether ``deleted`` must also equal the id of the row, or 1 in a table
    without ids."""

    through_parents: frozenset[str]
    """The tables whose rows are deleted only with those they refer to."""

    by_table: bool
    """Whether each table is purged in a transaction of its own."""

    @property
    def first(self) -> tuple[str, ...]:
        """The tables that are purged before all others, in this order."""
        dated = [
            ref.child
            for ref in self.references
            if ref.effect is Effect.TAKES_DATED
        ]
        parents = [ref.parent for ref in self.references if ref.parent_first]
        return tuple(dict.fromkeys(dated + parents))

    @property
    def order(self) -> tuple[str, ...]:
        """All tables in the order in which they are purged.

        Of tables that do not depend on each other, the last name comes first
        (SQLAlchemy 2.0 sql/schema.py MetaData.sorted_tables, reversed).
        """
        return tuple(dict.fromkeys(self.first + self.tables))


def read(
    tables: Mapping[str, 'schema.Table'],
    release: 'releases.Release',
    dialect: str,
) -> Purge:
    """Return the purge of a release.

    :param tables: the tables of the release.
    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    :raises CatalogError: when the purge of the release was not read.
    """
    found = {
        name: table
        for name, table in tables.items()
        if table.column('deleted')
    }
    return Purge(
        tuple(_children_first(found)),
        tuple(_references(found, release, dialect)),
        marked=behaviours.has('purge-by-mark', release),
        through_parents=frozenset(
            behaviours.load().subjects('purge-through-parent', release)
        ),
        by_table=behaviours.has('purge-by-table', release),
    )


def _references(
    tables: Mapping[str, 'schema.Table'],
    release: 'releases.Release',
    dialect: str,
) -> Iterator[Reference]:
    for child in _children_first(tables):
        for key in tables[child].foreign_keys:
            (column,) = key.columns
            effect = _effect(child, key.table, release)
            if effect is Effect.DETACHES and not _nullable(
                tables[child], column, dialect
            ):
                effect = Effect.BLOCKS
            yield Reference(
                child,
                column,
                key.table,
                effect,
                parent_first=behaviours.has(
                    'purge-parent-first', release, key.table
                ),
            )


def _effect(child: str, parent: str, release: 'releases.Release') -> Effect:
    for name, subject, effect in (
        ('purge-takes-dated', child, Effect.TAKES_DATED),
        ('purge-takes-live', child, Effect.TAKES_LIVE),
        ('purge-takes-all', f'{child} {parent}', Effect.TAKES_ALL),
        ('purge-detaches', f'{child} {parent}', Effect.DETACHES),
    ):
        if behaviours.has(name, release, subject):
            return effect
    return Effect.BLOCKS


def _nullable(table: 'schema.Table', name: str, dialect: str) -> bool:
    column = table.column(name)
    if column is None:
        return False
    if dialect == 'postgresql' and column.nullable_postgresql is not None:
        return column.nullable_postgresql
    return column.nullable


def _children_first(tables: Mapping[str, 'schema.Table']) -> list[str]:
    """Return the names so that each table precedes those it refers to."""
    waiting = {
        name: {key.table for key in table.foreign_keys if key.table != name}
        for name, table in tables.items()
    }
    parents_first: list[str] = []
    while waiting:
        ready = sorted(
            name
            for name, parents in waiting.items()
            if not parents & set(waiting)
        )
        if not ready:
            # No release has a cycle; the purge itself would stop here, too.
            ready = sorted(waiting)
        parents_first.extend(ready)
        for name in ready:
            del waiting[name]
    return parents_first[::-1]
