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

The migration of a share has a state in ``shares.task_state``, and two
instances with the statuses migrating and migrating_to. In the migration of a
share server both servers have the state, and the destination names the
source. Only the service that works on a migration knows its progress.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import enum
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import connection


class End(NamedTuple):
    """One end of a migration; both None when there is no such row."""

    id: Optional[str] = None
    """Of the share instance, or of the share server."""

    host: Optional[str] = None
    """host@backend#pool."""


class Migration(NamedTuple):
    """The migration of a share or of a share server."""

    id: str
    """Of the share, or of the share server: the source, if it exists."""

    state: str
    """Its task_state."""

    since: Optional[timestamps.Timestamp]
    """When its row changed last; None when it has no such time."""

    source: End
    destination: End


class Found(NamedTuple):
    """The migrations of shares, or those of share servers."""

    states: Mapping[str, int]
    """How many are in each state: an exact count."""

    first: Sequence[Migration]
    """The first ones in each state, by the phase of the state, then by id."""


class MigrationPhase(enum.Enum):
    """What a restart of the services does to a migration, by urgency."""

    # One call in manila-share: nothing resumes or resets it.
    CALL = 'call'
    # manila-data copies it: DataManager.init_host sets the shares of every
    # host to data_copying_error (manila 23.0.1 data/manager.py:126).
    COPY = 'copy'
    # migration_driver_continue polls the driver of the source share, or of
    # the destination server (manila 23.0.1 share/manager.py:1532 and 6409).
    DRIVER = 'driver'
    # It waits for the operator.
    WAITING = 'waiting'


#: BUSY_TASK_STATES of manila 23.0.1 common/constants.py, the same since 12,
#: and one more state that only share servers have. All others are final.
STATES = {
    'migration_starting': MigrationPhase.CALL,
    'migration_in_progress': MigrationPhase.CALL,
    'migration_completing': MigrationPhase.CALL,
    'migration_driver_starting': MigrationPhase.CALL,
    'migration_cancel_in_progress': MigrationPhase.CALL,
    'data_copying_starting': MigrationPhase.COPY,
    'data_copying_in_progress': MigrationPhase.COPY,
    'data_copying_completing': MigrationPhase.COPY,
    'migration_driver_in_progress': MigrationPhase.DRIVER,
    'migration_driver_phase1_done': MigrationPhase.WAITING,
    'data_copying_completed': MigrationPhase.WAITING,
}

_BUSY = ', '.join(f"'{state}'" for state in sorted(STATES))

# One pass returns the number in each state and the first rows of each. In
# most runs it is the only statement; to build it with SQLAlchemy would take
# ten times as long as to run it, so it is plain SQL.
_SELECT = (
    'SELECT {names}, since, total FROM (SELECT {names}, {since} AS since, '
    'COUNT(*) OVER (PARTITION BY task_state) AS total, '
    'ROW_NUMBER() OVER (PARTITION BY task_state ORDER BY id) AS place '
    "FROM {table} t WHERE deleted = 'False' "
    'AND task_state IN ({busy}){only}) found WHERE place <= {limit}'
)

# Both servers of a migration have a state; count only the source.
_NOT_OF_ANOTHER = (
    ' AND NOT EXISTS (SELECT 1 FROM share_servers s '
    "WHERE s.id = t.source_share_server_id AND s.deleted = 'False' "
    'AND s.task_state IN ({busy}))'
)


def _select(
    db: connection.Database,
    table: str,
    limit: int,
    names: Sequence[str],
    only: str = '',
) -> tuple[dict[str, int], Sequence[Any]]:
    """Return how many rows are in each state, and the first of each."""
    names = ('id', 'task_state', *names)
    # Reports a missing column before any SQL runs.
    db.table(table, 'deleted', 'updated_at', *names)
    statement = _SELECT.format(
        table=db.quoted(table),
        names=', '.join(names),
        since=timestamps.as_text(db.dialect, 'updated_at'),
        busy=_BUSY,
        only=only.format(busy=_BUSY),
        limit=max(limit, 1),
    )
    rows = db.rows(statement, f'table {table}')
    order = list(MigrationPhase)
    return {row.task_state: row.total for row in rows}, sorted(
        rows if limit else (),
        key=lambda row: (order.index(STATES[row.task_state]), row.id),
    )


def shares(db: connection.Database, limit: int) -> Found:
    """Return the shares that are in a migration.

    :param limit: how many of each state to return one by one.
    """
    import sqlalchemy

    totals, first = _select(db, 'shares', limit, ())
    if not first:
        return Found(totals, ())
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
        totals,
        [
            Migration(
                row.id,
                row.task_state,
                timestamps.parse(row.since),
                ends.get((row.id, 'migrating'), End()),
                ends.get((row.id, 'migrating_to'), End()),
            )
            for row in first
        ],
    )


def share_servers(db: connection.Database, limit: int) -> Found:
    """Return the share servers that are in a migration.

    Both servers of a migration are in it; the source represents both. A
    destination whose source is not in a migration is returned by itself,
    without a source.

    :param limit: how many of each state to return one by one.
    """
    import sqlalchemy

    totals, first = _select(
        db,
        'share_servers',
        limit,
        ('host', 'status', 'source_share_server_id'),
        _NOT_OF_ANOTHER,
    )
    if not first:
        return Found(totals, ())
    table = db.table(
        'share_servers',
        'id',
        'host',
        'status',
        'deleted',
        'source_share_server_id',
    )
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
        since = timestamps.parse(row.since)
        found.append(Migration(row.id, row.task_state, since, *both))
    return Found(totals, found)
