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
"""The resources in the middle of an operation, listed and counted.

Each table is read once: one statement counts the rows in each state and
returns the first of them. Other tables are joined for those rows only.
"""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.checks.in_flight_operations import states
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import migrations


class Operation(NamedTuple):
    """One resource that is in the middle of an operation."""

    kind: states.ResourceKind
    """The kind of the resource."""

    state: states.ResourceState
    """Its state."""

    id: str
    """The id of the row; for a service, its binary."""

    since: Optional[timestamps.Timestamp]
    """When the row was last changed."""

    host: Optional[str]
    """host@backend#pool; None if it has none."""

    share_id: Optional[str]
    """The id of its share."""

    snapshot_id: Optional[str]
    """The id of its snapshot."""

    access_id: Optional[str]
    """The id of an access rule in the API."""

    progress: Optional[str]
    """In percent, if the table has it."""

    replica: bool
    """Whether it is a replica of a share."""

    total: int
    """The exact number of rows of the table in this state."""


class _Query(NamedTuple):
    """The SQL that finds the rows of one kind; ``t`` is its table."""

    state: str = ''
    """The expression of the state; '' for the column of the kind."""

    condition: str = ''
    """The condition for these rows; '' for the states of the kind."""

    joined: str = ''
    """The joins that the conditions and columns need."""

    left_out: tuple[str, ...] = ()
    """Conditions of rows that another finding covers; none may be NULL."""

    columns: Mapping[str, str] = {}
    """The expressions of the columns that differ from ``_COLUMNS``."""

    beside: str = ''
    """Joins, by found.owner, that only the returned rows need."""

    outer: Mapping[str, str] = {}
    """The columns that come from these joins."""


# The columns of a row, unless its kind has another expression for them.
_COLUMNS = {
    'variant': "''",
    'id': 't.id',
    'owner': 'NULL',
    'host': 'NULL',
    'share_id': 'NULL',
    'snapshot_id': 'NULL',
    'access_id': 'NULL',
    'progress': 'NULL',
    'replica': '0',
}

_INSTANCE = (
    ' LEFT JOIN shares s ON s.id = i.share_id '
    'LEFT JOIN share_servers v ON v.id = i.share_server_id'
)


def _in(values: Any) -> str:
    return '(' + ', '.join(f"'{value}'" for value in sorted(values)) + ')'


_BUSY = _in(migrations.STATES)


# The resources of a running migration: running-migrations reports it.
_OF_A_MIGRATION = (
    "(COALESCE(t.status, '') IN ('migrating', 'migrating_to') AND "
    f"COALESCE(s.task_state, '') IN {_BUSY})",
    "(COALESCE(t.status, '') IN ('server_migrating', 'server_migrating_to') "
    f"AND COALESCE(v.task_state, '') IN {_BUSY})",
)


# Rows that another row represents. IN with a list, not EXISTS: PostgreSQL has
# no index on these columns and would read the other table once for each row.
_RULES = (
    "(COALESCE(t.status, '') NOT IN {statuses} AND t.id IN "
    '(SELECT m.share_instance_id FROM share_instance_access_map m '
    "WHERE m.deleted = 'False' AND m.state IN {queued} "
    'AND m.share_instance_id IS NOT NULL))'
)
_TRANSFERS = (
    "(COALESCE(t.status, '') = 'awaiting_transfer' "
    "AND COALESCE(t.share_id, '') IN (SELECT o.resource_id FROM transfers o "
    "WHERE o.deleted = 'False' AND o.resource_id IS NOT NULL))"
)
_BACKUPS = (
    "(COALESCE(t.status, '') IN ('backup_creating', 'backup_restoring') "
    "AND (COALESCE(t.share_id, '') IN (SELECT b.share_id "
    "FROM share_backups b WHERE b.deleted = 'False' "
    "AND b.status IN ('creating', 'restoring') AND b.share_id IS NOT NULL) "
    "OR COALESCE(s.source_backup_id, '') IN (SELECT b.id "
    "FROM share_backups b WHERE b.deleted = 'False' "
    "AND b.status = 'restoring')))"
)


def _share_instances(db: connection.Database) -> _Query:
    statuses = _in(
        state.value
        for state in states.SHARE_INSTANCE.states
        if state.value != 'syncing'
    )
    queued = _in(state.value for state in states.ACCESS_RULE.states)
    left_out = [
        *_OF_A_MIGRATION,
        _RULES.format(statuses=statuses, queued=queued),
    ]
    if db.has_table('transfers'):
        left_out.append(_TRANSFERS)
    if db.has_table('share_backups'):
        left_out.append(_BACKUPS)
    return _Query(
        f"CASE WHEN t.status IN {statuses} THEN t.status ELSE 'syncing' END",
        f"(t.status IN {statuses} OR t.access_rules_status = 'syncing')",
        _INSTANCE.replace('i.', 't.'),
        tuple(left_out),
        {
            'host': 't.host',
            'share_id': 't.share_id',
            'progress': 't.progress',
            'replica': 'CASE WHEN t.replica_state IS NULL THEN 0 ELSE 1 END',
        },
    )


def _query(db: connection.Database, kind: states.ResourceKind) -> _Query:
    instance = (
        ' LEFT JOIN share_instances i ON i.id = t.share_instance_id'
        + _INSTANCE
    )
    if kind is states.SHARE_INSTANCE:
        return _share_instances(db)
    if kind is states.SNAPSHOT_INSTANCE:
        return _Query(
            joined=instance,
            left_out=_OF_A_MIGRATION,
            columns={
                'variant': "CASE WHEN t.status IN ('creating', 'deleting') "
                "AND COALESCE(i.replica_state, 'active') <> 'active' "
                "THEN 'replica' ELSE '' END",
                'host': 'i.host',
                'share_id': 'i.share_id',
                'snapshot_id': 't.snapshot_id',
                'progress': 't.progress',
            },
        )
    if kind is states.SHARE_SERVER:
        return _Query(
            joined=' LEFT JOIN share_servers v '
            "ON v.id = t.source_share_server_id AND v.deleted = 'False'",
            left_out=(
                "(t.status IN ('server_migrating', 'server_migrating_to') "
                f"AND (COALESCE(t.task_state, '') IN {_BUSY} "
                f"OR COALESCE(v.task_state, '') IN {_BUSY}))",
            ),
            columns={'host': 't.host'},
        )
    return _PLAIN.get(kind, _Query())


_PLAIN = {
    states.SHARE_GROUP: _Query(columns={'host': 't.host'}),
    states.SHARE_BACKUP: _Query(
        columns={
            'variant': "CASE WHEN t.topic = 'manila-share' "
            "THEN 'manila-share' WHEN t.topic IS NULL THEN 'nobody' "
            "WHEN t.status = 'creating' AND t.host IS NULL THEN 'queued' "
            "ELSE '' END",
            'host': 't.host',
            'share_id': 't.share_id',
            'progress': "CASE WHEN t.status = 'restoring' "
            'THEN t.restore_progress ELSE t.progress END',
        }
    ),
    states.TRANSFER: _Query(
        "'open'",
        '(t.accepted IS NULL OR NOT t.accepted)',
        columns={'share_id': 't.resource_id'},
    ),
    states.ACCESS_RULE: _Query(
        columns={
            'owner': 't.share_instance_id',
            'access_id': 't.access_id',
        },
        beside=' LEFT JOIN share_instances i ON i.id = found.owner',
        outer={'host': 'i.host', 'share_id': 'i.share_id'},
    ),
    states.SNAPSHOT_ACCESS_RULE: _Query(
        columns={
            'owner': 't.share_snapshot_instance_id',
            'access_id': 't.access_id',
        },
        beside=' LEFT JOIN share_snapshot_instances n '
        'ON n.id = found.owner '
        'LEFT JOIN share_instances i ON i.id = n.share_instance_id',
        outer={
            'host': 'i.host',
            'share_id': 'i.share_id',
            'snapshot_id': 'n.snapshot_id',
        },
    ),
    states.SERVICE: _Query(
        "'ensuring'",
        't.ensuring',
        columns={
            'id': 't.binary',
            'host': 't.host',
        },
    ),
}


def select(
    db: connection.Database, kind: states.ResourceKind, limit: int
) -> list[Operation]:
    """Return the resources of a kind that are in the middle of an operation.

    The resources of a running migration are left out: its share or share
    server represents them. So are the shares of a transfer or of a backup that
    is being created or restored, and those whose access rules are reported.

    :param limit: how many to return of each state, in the order of their ids;
        at least one is returned, because it has the total.
    """
    query = _query(db, kind)
    state = query.state or f't.{kind.column}'
    where = query.condition
    if not where:
        where = f'{state} IN {_in(one.value for one in kind.states)}'
    for one in query.left_out:
        where += f' AND NOT {one}'
    columns = {'state': state, **_COLUMNS, **query.columns}
    columns['since'] = timestamps.as_text(
        db.dialect, 'COALESCE(t.updated_at, t.created_at)'
    )
    inner = ', '.join(f'{value} AS {name}' for name, value in columns.items())
    outer = ', '.join(
        f'{query.outer.get(name, f"found.{name}")} AS {name}'
        for name in columns
    )
    one_state = f'PARTITION BY {state}, {columns["variant"]}'
    live = db.live_value(kind.table)
    # The inner SELECT counts the rows in each state and numbers them in one
    # pass. The outer SELECT joins the other tables for the returned rows only.
    statement = (
        f'SELECT {outer}, found.total FROM (SELECT {inner}, '  # noqa: S608
        f'COUNT(*) OVER ({one_state}) AS total, ROW_NUMBER() OVER '
        f'({one_state} ORDER BY {columns["id"]}, t.id) AS place '
        f'FROM {db.quoted(kind.table)} t{query.joined} '
        f'WHERE t.deleted = {live!r} AND {where}) found{query.beside} '
        f'WHERE found.place <= {max(limit, 1)}'
    )
    found = [
        Operation(
            kind,
            kind.state(row.state, row.variant),
            str(row.id),
            timestamps.parse(row.since),
            row.host,
            row.share_id,
            row.snapshot_id,
            row.access_id,
            row.progress,
            bool(row.replica),
            row.total,
        )
        for row in db.rows(statement, f'table {kind.table}')
    ]
    # Sorted here, because the collations of servers differ.
    return sorted(
        found,
        key=lambda one: (
            one.state.value,
            one.state.variant,
            one.id,
            one.host or '',
        ),
    )
