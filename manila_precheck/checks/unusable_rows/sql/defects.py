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
"""Which rows the services of manila cannot use, and what comes of it.

Read in share/manager.py, data/manager.py, scheduler/manager.py and db/ of
manila 16.3.0, 18.3.0, 20.0.3, 21.0.3, 22.0.2 and 23.0.1: the rows that the
start of a service, a periodic task or a list of the API reads through another
row, or whose value it computes with. Each defect below was planted in MariaDB
10.11 and tried with the managers and the API of 16.3.0 and 22.0.2, some of
them also of 20.0.3 and 23.0.1: 16.3.0 has no deferred deletion and no backups,
all else fails alike, except where ``since`` says so. manila-share was started
with two back ends at the first two: 22.0.2 logs the error and leaves the one,
23.0.1 starts it again without end; both serve the other.
"""

import enum
from typing import NamedTuple

from manila_precheck.evidence.database import migrations


class Effect(enum.Enum):
    """What a row that cannot be used brings to an end."""

    # The start of manila-share on one back end, in each release.
    START = 'start'
    # The same, but only where the driver ensures all shares at once.
    ENSURE = 'ensure'
    # A periodic task: it ends at the row each time, and never gets further.
    TASK = 'task'
    # Requests to the API that are about other rows, too.
    REQUESTS = 'requests'
    # Requests to the API that are about the resource of the row.
    ITS_REQUESTS = 'its requests'


class RowDefect(NamedTuple):
    """A kind of row that the services cannot use."""

    aspect: str
    """Its name in a key: 'no-share'."""

    table: str
    """The table that has the row; its rows have an id."""

    where: str
    """The condition of such a row, which is not deleted: SQL that every server
    knows, in which columns are named by their table."""

    reads: tuple[str, ...]
    """The columns that the condition reads, as table.column."""

    words: str
    """What such a row is, to follow a number of rows."""

    effect: Effect
    """What it brings to an end."""

    then: str
    """What happens, to follow 'so' or a colon."""

    check: str
    """What the operator looks at before the row is changed."""

    change: str
    """The columns to change, as they follow SET."""

    host: str = ''
    """The column with the host that reads the row; '' where any does."""

    joined: str = ''
    """A join that the condition needs; it adds no row."""

    matched: bool = False
    """Whether no row has it if the live share instances are of just the live
    shares."""

    since: str = ''
    """A subject of 'row-defect' among the behaviours of the catalog: the
    releases that have the defect; '' for all of them."""


_SOFT_DELETE = 'deleted = id, deleted_at = CURRENT_TIMESTAMP'

_BUSY = ', '.join(f"'{state}'" for state in sorted(migrations.STATES))


def _all(*conditions: str) -> str:
    return ' AND '.join(conditions)


def _exists(
    column: str, parent: str, live: str = "'False'", idle: bool = False
) -> str:
    """Return the condition of a column that refers to a live row.

    :param live: what ``deleted`` of the live row holds, as SQL.
    :param idle: the row has no task_state of a running migration.
    """
    more = f" AND COALESCE(p.task_state, '') NOT IN ({_BUSY})" if idle else ''
    return (
        f'EXISTS (SELECT 1 FROM {parent} p '  # noqa: S608
        f'WHERE p.id = {column} AND p.deleted = {live}{more})'
    )


def _no_server(table: str) -> str:
    column = f'{table}.share_server_id'
    return f'{column} IS NOT NULL AND NOT ' + _exists(column, 'share_servers')


_SERVER = (
    'share_instances.share_server_id',
    'share_servers.id',
    'share_servers.deleted',
)
_SHARE = ('shares.id', 'shares.deleted')
_LOST_SERVER = (
    'If the share server is still on the storage system, restore its row '
    'instead.'
)

#: Every kind, by table.
DEFECTS = (
    # ensure_driver_resources reads the share of each instance of its host,
    # whatever the status of the instance, before anything else.
    RowDefect(
        'no-share',
        'share_instances',
        f"NOT {_exists('share_instances.share_id', 'shares')}",
        ('share_instances.share_id', 'share_instances.host', *_SHARE),
        'whose share is deleted or does not exist',
        Effect.START,
        'manila-share reads the share of each share instance of its back end '
        'when it starts',
        'Look on the storage system for data that is still needed, then mark '
        'the rows as deleted:',
        _SOFT_DELETE,
        host='share_instances.host',
        matched=True,
    ),
    # The same function then reads the share server of each instance that is
    # available or, from 19 on, ensuring, if its share is in no migration.
    RowDefect(
        'no-server',
        'share_instances',
        _all(
            "share_instances.status IN ('available', 'ensuring')",
            _no_server('share_instances'),
            _exists('share_instances.share_id', 'shares', idle=True),
        ),
        (
            'share_instances.status',
            'share_instances.share_id',
            'share_instances.host',
            'shares.task_state',
            *_SERVER,
            *_SHARE,
        ),
        'whose share server is deleted or does not exist',
        Effect.START,
        'manila-share reads the share server of each available share '
        'instance of its back end when it starts',
        f'{_LOST_SERVER} Otherwise set the status error: manila-share then '
        'passes over them:',
        "status = 'error'",
        host='share_instances.host',
    ),
    # periodic_share_status_update.
    RowDefect(
        'no-server-polled',
        'share_instances',
        "share_instances.status = 'creating_from_snapshot' AND "
        + _no_server('share_instances'),
        ('share_instances.status', 'share_instances.host', *_SERVER),
        'are created from a snapshot on a share server that is deleted or '
        'does not exist',
        Effect.TASK,
        'manila-share ends at the first of them each time it polls the '
        'storage system, and no share that is created from a snapshot on '
        'this back end becomes available',
        f'{_LOST_SERVER} Otherwise stop the polling:',
        "status = 'error'",
        host='share_instances.host',
    ),
    # do_deferred_share_deletion.
    RowDefect(
        'no-server-deferred',
        'share_instances',
        "share_instances.status = 'error_deferred_deleting' AND "
        + _no_server('share_instances'),
        ('share_instances.status', 'share_instances.host', *_SERVER),
        'wait to be deleted on a share server that is deleted or does not '
        'exist',
        Effect.TASK,
        'manila-share ends at the first of them each time it deletes what '
        'waits, and deletes no other share instance of this back end',
        f'{_LOST_SERVER} Otherwise end the wait:',
        "status = 'error_deleting'",
        host='share_instances.host',
    ),
    # periodic_share_replica_update; one that is available is no-server.
    RowDefect(
        'no-server-replica',
        'share_instances',
        "share_instances.status = 'error' "
        "AND share_instances.replica_state <> 'active' AND "
        + _no_server('share_instances'),
        (
            'share_instances.status',
            'share_instances.replica_state',
            'share_instances.host',
            *_SERVER,
        ),
        'are replicas on a share server that is deleted or does not exist',
        Effect.TASK,
        'manila-share ends at the first of them each time it updates '
        'replicas, and updates no other replica of this back end',
        f'{_LOST_SERVER} Otherwise mark the replicas as deleted:',
        _SOFT_DELETE,
        host='share_instances.host',
    ),
    # get_access_rules_status (db/sqlalchemy/models.py) compares priorities.
    RowDefect(
        'no-access-status',
        'share_instances',
        "share_instances.status = 'available' "
        'AND share_instances.access_rules_status IS NULL',
        ('share_instances.status', 'share_instances.access_rules_status'),
        'are available and have no access_rules_status',
        Effect.REQUESTS,
        'manila-api fails to show the share, and to list any shares together '
        'with it',
        'Set the status of a share instance whose access rules are applied:',
        "access_rules_status = 'active'",
    ),
    # add_encryption_key_ref_field (api/views/shares.py).
    RowDefect(
        'no-instance',
        'shares',
        'p.id IS NULL',
        (
            'shares.id',
            'share_instances.id',
            'share_instances.share_id',
            'share_instances.deleted',
        ),
        'have no share instance',
        Effect.REQUESTS,
        'manila-api fails to show the share, and to list any shares together '
        'with it',
        'Restore the share instance if its data is still on the storage '
        'system. Otherwise mark the share as deleted:',
        _SOFT_DELETE,
        matched=True,
        since='no-instance',
        # Not NOT EXISTS: MariaDB would write all share instances to a table,
        # which took ten times as long on 10^6 rows.
        joined="LEFT JOIN share_instances p ON p.share_id = shares.id "
        "AND p.deleted = 'False'",
    ),
    # get_aggregated_access_rules_state (db/sqlalchemy/models.py) looks the
    # state up in a list.
    *(
        RowDefect(
            'no-state',
            table,
            f'{table}.state IS NULL AND '
            + _exists(f'{table}.access_id', parent),
            (
                f'{table}.state',
                f'{table}.access_id',
                f'{parent}.id',
                f'{parent}.deleted',
            ),
            'have no state',
            Effect.ITS_REQUESTS,
            f'manila-api fails to list the access rules of the {what}',
            'Apply the rule again when the services run; first give it the '
            'state of a rule that failed:',
            "state = 'error'",
        )
        for table, parent, what in (
            ('share_instance_access_map', 'share_access_map', 'share'),
            (
                'share_snapshot_instance_access_map',
                'share_snapshot_access_map',
                'snapshot',
            ),
        )
    ),
    # ensure_driver_resources reads the rules of the snapshots of each share
    # instance that the driver's ensure_shares returned.
    RowDefect(
        'no-rule',
        'share_snapshot_instance_access_map',
        _all(
            'NOT '
            + _exists(
                'share_snapshot_instance_access_map.access_id',
                'share_snapshot_access_map',
            ),
            'EXISTS (SELECT 1 FROM share_snapshot_instances n '
            'JOIN share_instances i ON i.id = n.share_instance_id '
            'WHERE n.id = '
            'share_snapshot_instance_access_map.share_snapshot_instance_id '
            "AND n.deleted = 'False' AND i.deleted = 'False' "
            "AND i.status IN ('available', 'ensuring'))",
        ),
        (
            'share_snapshot_instance_access_map.access_id',
            'share_snapshot_instance_access_map.share_snapshot_instance_id',
            'share_snapshot_access_map.id',
            'share_snapshot_access_map.deleted',
            'share_snapshot_instances.id',
            'share_snapshot_instances.share_instance_id',
            'share_snapshot_instances.deleted',
            'share_instances.id',
            'share_instances.status',
            'share_instances.deleted',
        ),
        'whose access rule is deleted or does not exist',
        Effect.ENSURE,
        'if the driver ensures all shares at once, manila-share reads these '
        'rules when it starts, and does not start on that back end',
        'Mark the rows as deleted:',
        _SOFT_DELETE,
    ),
    # do_deferred_snapshot_deletion reads those of all back ends.
    RowDefect(
        'no-server-deferred',
        'share_snapshot_instances',
        _all(
            "share_snapshot_instances.status = 'error_deferred_deleting'",
            'EXISTS (SELECT 1 FROM share_instances i '
            'WHERE i.id = share_snapshot_instances.share_instance_id',
            _no_server('i') + ')',
        ),
        (
            'share_snapshot_instances.status',
            'share_snapshot_instances.share_instance_id',
            'share_instances.id',
            *_SERVER,
        ),
        'wait to be deleted on a share server that is deleted or does not '
        'exist',
        Effect.TASK,
        'every manila-share ends at the first of them each time it deletes '
        'what waits, and deletes no other snapshot',
        f'{_LOST_SERVER} Otherwise end the wait:',
        "status = 'error_deleting'",
    ),
    # transfer/api.py delete, which delete_expired_transfers calls.
    RowDefect(
        'no-share',
        'transfers',
        f"NOT {_exists('transfers.resource_id', 'shares')}",
        ('transfers.resource_id', *_SHARE),
        'are of a share that is deleted or does not exist',
        Effect.TASK,
        'once one of them has expired, every manila-share ends at it each '
        'time it deletes expired transfers, and deletes no other one',
        'Mark the transfers as deleted:',
        _SOFT_DELETE,
    ),
    # create_backup_continue of share/manager.py and of data/manager.py.
    RowDefect(
        'no-share',
        'share_backups',
        "share_backups.status = 'creating' AND NOT "
        + _exists('share_backups.share_id', 'shares'),
        ('share_backups.status', 'share_backups.share_id', *_SHARE),
        'are being created from a share that is deleted or does not exist',
        Effect.TASK,
        'the service that creates them ends at the first of them each time '
        'it looks at its backups, and completes no other one',
        'End the backup:',
        "status = 'error'",
    ),
    # reservation_expire (db/sqlalchemy/api.py), which the scheduler calls.
    RowDefect(
        'no-usage',
        'reservations',
        'reservations.delta >= 0 AND NOT '
        + _exists('reservations.usage_id', 'quota_usages', '0'),
        (
            'reservations.delta',
            'reservations.usage_id',
            'quota_usages.id',
            'quota_usages.deleted',
        ),
        'are of a quota usage that is deleted or does not exist',
        Effect.TASK,
        'once one of them has expired, manila-scheduler fails each time it '
        'ends expired reservations, and no reservation ends: their quota '
        'stays in use',
        'Mark the reservations as deleted:',
        _SOFT_DELETE,
    ),
    # quota_reserve (db/sqlalchemy/api.py) compares the limit.
    *(
        RowDefect(
            'no-limit',
            table,
            f'{table}.hard_limit IS NULL{more}',
            (f'{table}.hard_limit', f'{table}.deleted'),
            'have no hard_limit',
            Effect.REQUESTS,
            f'manila-api fails to create or extend anything {whose} that '
            'needs this quota',
            'Set the limit; -1 is no limit:',
            'hard_limit = -1',
        )
        for table, whose, more in (
            ('quotas', 'in the project', ''),
            ('project_user_quotas', 'for the user', ''),
            ('project_share_type_quotas', 'of the share type', ''),
            (
                'quota_classes',
                'in a project without a limit of its own',
                # No request has another class.
                " AND quota_classes.class_name = 'default'",
            ),
        )
    ),
)
