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
"""Migrations of shares and share servers that have not ended.

A share's migration has a state in ``shares.task_state``, and two instances
with status migrating and migrating_to; a share server's has the same state
in both servers, and the destination names the source.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.sources import database


class End(NamedTuple):
    """One end of a migration; both None when there is no such row."""

    id: Optional[str] = None
    """Of the share instance, or of the share server."""

    host: Optional[str] = None
    """host@backend#pool."""


class Migration(NamedTuple):
    """A share or a share server on its way."""

    id: str
    """Of the share, or of the share server that is left."""

    state: str
    """Its task_state."""

    since: Optional[datetime.datetime]
    """When its row changed last."""

    source: End
    destination: End


class Found(NamedTuple):
    """The migrations of one kind."""

    states: Mapping[str, int]
    """How many are in each state: exact."""

    first: Sequence[Migration]
    """The first of them, by rank of their state, then by id."""


# Nearly every run ends with these two; building them costs ten times what
# running them does, so they are plain SQL.
_STATES = (
    "SELECT task_state, COUNT(*) FROM {table} t WHERE deleted = 'False' "
    'AND task_state IN ({states}){only} GROUP BY task_state'
)

# The two servers of a migration are both in a state; counted once.
_NOT_OF_ANOTHER = (
    ' AND NOT EXISTS (SELECT 1 FROM share_servers s '
    "WHERE s.id = t.source_share_server_id AND s.deleted = 'False' "
    'AND s.task_state IN ({states}))'
)


def _states(
    db: database.Database, table: str, ranks: Mapping[str, int], only: str = ''
) -> dict[str, int]:
    """Return how many live rows of a table are in each state."""
    states = ', '.join(f"'{state}'" for state in sorted(ranks))
    statement = _STATES.format(
        table=db.quoted(table), states=states, only=only.format(states=states)
    )
    return dict(tuple(row) for row in db.rows(statement, f'table {table}'))


def _first(
    db: database.Database,
    table: Any,
    condition: Any,
    ranks: Mapping[str, int],
    limit: int,
) -> Sequence[Any]:
    """Return the first rows that meet a condition, by rank, then by id."""
    import sqlalchemy

    rank = sqlalchemy.case(dict(ranks), value=table.c.task_state)
    return db.rows(
        sqlalchemy.select(*table.c)
        .where(condition)
        .order_by(rank, table.c.id)
        .limit(limit)
    )


def shares(
    db: database.Database, ranks: Mapping[str, int], limit: int
) -> Found:
    """Return the shares that are in one of some states.

    :param ranks: the states, each with its place in the order.
    :param limit: how many to return one by one.
    """
    import sqlalchemy

    table = db.table('shares', 'id', 'task_state', 'updated_at', 'deleted')
    states = _states(db, 'shares', ranks)
    if not states:
        return Found({}, ())
    condition = db.live(table) & table.c.task_state.in_(sorted(ranks))
    first = _first(db, table, condition, ranks, limit)
    instance = db.table(
        'share_instances', 'id', 'share_id', 'status', 'host', 'deleted'
    )
    ends: dict[tuple[str, str], End] = {}
    for row in db.rows(
        sqlalchemy.select(*instance.c)
        .where(
            db.live(instance),
            instance.c.share_id.in_([share.id for share in first]),
            instance.c.status.in_(['migrating', 'migrating_to']),
        )
        .order_by(instance.c.id)
    ):
        ends.setdefault((row.share_id, row.status), End(row.id, row.host))
    return Found(
        states,
        [
            Migration(
                row.id,
                row.task_state,
                row.updated_at,
                ends.get((row.id, 'migrating'), End()),
                ends.get((row.id, 'migrating_to'), End()),
            )
            for row in first
        ],
    )


def share_servers(
    db: database.Database, ranks: Mapping[str, int], limit: int
) -> Found:
    """Return the share servers that are in one of some states.

    Both servers of a migration are; the source stands for the two of them.
    A destination without such a source stands for itself, with no source.

    :param ranks: the states, each with its place in the order.
    :param limit: how many to return one by one.
    """
    import sqlalchemy

    names = ('id', 'host', 'status', 'task_state', 'updated_at', 'deleted')
    table = db.table('share_servers', *names, 'source_share_server_id')
    states = _states(db, 'share_servers', ranks, _NOT_OF_ANOTHER)
    if not states:
        return Found({}, ())
    other = table.alias()
    live = db.live_value('share_servers')
    has_source = (
        sqlalchemy.select(other.c.id)
        .where(
            other.c.id == table.c.source_share_server_id,
            other.c.deleted == live,
            other.c.task_state.in_(sorted(ranks)),
        )
        .exists()
    )
    condition = (
        db.live(table) & table.c.task_state.in_(sorted(ranks)) & ~has_source
    )
    first = _first(db, table, condition, ranks, limit)
    destinations: dict[str, End] = {}
    for row in db.rows(
        sqlalchemy.select(*table.c)
        .where(
            db.live(table),
            table.c.status == 'server_migrating_to',
            table.c.source_share_server_id.in_([one.id for one in first]),
        )
        .order_by(table.c.id)
    ):
        end = End(row.id, row.host)
        destinations.setdefault(row.source_share_server_id, end)
    found = []
    for row in first:
        end = End(row.id, row.host)
        both = end, destinations.get(row.id, End())
        if row.status == 'server_migrating_to':
            both = End(), end
        found.append(Migration(row.id, row.task_state, row.updated_at, *both))
    return Found(states, found)
