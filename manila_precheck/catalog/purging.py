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

From purge_deleted_records of manila/db/sqlalchemy/api.py, and from the
relationships of its models, whose unit of work sets to NULL, or deletes, what
refers to a row that the purge deletes. Which release does what is among the
behaviours of the catalog, with the files that say so.
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
    """What becomes of a row that refers to one that the purge deletes."""

    # The foreign key refuses; the purge skips the row that it refers to.
    BLOCKS = 'blocks'
    # A live one gets NULL for its reference; any other one blocks.
    DETACHES = 'detaches'
    # A live one is deleted with it; any other one blocks.
    TAKES_LIVE = 'takes live'
    # It is deleted with it.
    TAKES_ALL = 'takes all'
    # It is deleted before, whatever becomes of the row that it refers to.
    TAKES_DATED = 'takes dated'


#: Those that delete the row that refers.
TAKING = frozenset({Effect.TAKES_LIVE, Effect.TAKES_ALL, Effect.TAKES_DATED})


class Reference(NamedTuple):
    """A foreign key, as a purge meets it."""

    child: str
    """The table that has it."""

    column: str
    """Its column there."""

    parent: str
    """The table that it refers to, by column id."""

    effect: Effect
    """What becomes of a row of the child."""

    early: bool = False
    """The rows of the parent go before those of the child."""


class Purge(NamedTuple):
    """The purge of one release."""

    tables: tuple[str, ...]
    """The tables that it deletes from, those that refer before those that
    are referred to."""

    references: tuple[Reference, ...]
    """The foreign keys between them, in the order of the child."""

    marked: bool
    """Whether ``deleted`` must be the id of the row too, or 1 in a table
    without ids."""

    through_parents: frozenset[str]
    """The tables whose rows go only with what they refer to."""

    by_table: bool
    """Whether each table is a transaction of its own, not all of them one."""


def read(
    tables: Mapping[str, 'schema.Table'],
    release: 'releases.Release',
    dialect: str,
) -> Purge:
    """Return the purge of a release.

    :param tables: what the release has.
    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    :raises CatalogError: when nobody has read the purge of the release.
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
                early=behaviours.has('purge-parent-first', release, key.table),
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
    """Return names so that each comes before what it refers to."""
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
            # No release has a circle; the purge would stop here as well.
            ready = sorted(waiting)
        parents_first.extend(ready)
        for name in ready:
            del waiting[name]
    return parents_first[::-1]
