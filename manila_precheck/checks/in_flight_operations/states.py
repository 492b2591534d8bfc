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
"""What each state of an operation means when the services stop and start.

The states are those that manila, from 12 on, writes while it works on a
resource; a release that does not have a state yet ("new-state" among the
behaviours of the catalog) never writes it. How a restart handles each state
was
read in init_host and in the periodic tasks of share/manager.py and
data/manager.py of manila 18.3.0, 20.0.3, 22.0.2 and 23.0.1, which agree.

Running migrations are in migrations.py.
"""

import enum
from typing import NamedTuple
from typing import Optional


class AfterRestart(enum.Enum):
    """What happens to an operation that was interrupted by a stop."""

    # A periodic task, or the start of the service, resumes it.
    RESUMED = 'resumed'
    # No service waits for it or works on it; a user ends it.
    WAITS = 'waits'
    # The start of the service may resume it, or the next operation on the same
    # object.
    UNSURE = 'unsure'
    # It runs inside one call of a service: nothing resumes or resets it.
    STUCK = 'stuck'
    # The service abandons it when it starts, and writes an error state.
    LOST = 'lost'


class ResourceState(NamedTuple):
    """A state of one kind of resource."""

    value: str
    """The value in the column."""

    fate: AfterRestart
    """What happens to it after a stop."""

    words: str
    """The same in words, to follow 'it'."""

    reset: Optional[str] = None
    """The status to reset it to; None if no command resets it."""

    owner: str = 'manila-share'
    """The service that works on it; '' for none."""

    variant: str = ''
    """Distinguishes rows in the same state; sql.py has the expression."""


class ResourceKind(NamedTuple):
    """A kind of resource, and its states during an operation."""

    name: str
    """The kind in a subject: 'share_instance'."""

    table: str
    """Its table."""

    column: str
    """The column that has the state."""

    states: tuple[ResourceState, ...]
    """All states that an operation uses."""

    command: str = ''
    """The command that resets the status, with placeholders for the status and
    the id; '' if there is none."""

    @property
    def noun(self) -> str:
        """The name in words."""
        return self.name.replace('_', ' ')

    def state(self, value: str, variant: str = '') -> ResourceState:
        """Return one of the states.

        :raises KeyError: when the kind has no such state.
        """
        for state in self.states:
            if (state.value, state.variant) == (value, variant):
                return state
        raise KeyError((self.name, value, variant))


_CALL = 'runs inside one call of manila-share, and nothing resumes it'
_BOTH = 'belongs to a migration that has ended or never began'
_COPY = 'is copied by manila-data, which abandons the copy when it starts'


def _stuck(*values: str, reset: str) -> tuple[ResourceState, ...]:
    return tuple(
        ResourceState(value, AfterRestart.STUCK, _CALL, reset)
        for value in values
    )


_MIGRATING = (
    ResourceState('migrating', AfterRestart.STUCK, _BOTH, 'available'),
    ResourceState('migrating_to', AfterRestart.STUCK, _BOTH, 'error'),
    ResourceState('server_migrating', AfterRestart.STUCK, _BOTH, 'available'),
    ResourceState('server_migrating_to', AfterRestart.STUCK, _BOTH, 'error'),
)

SHARE_INSTANCE = ResourceKind(
    'share_instance',
    'share_instances',
    'status',
    (
        *_stuck(
            'creating',
            'deleting',
            'manage_starting',
            'unmanage_starting',
            reset='error',
        ),
        *_stuck('extending', 'shrinking', 'reverting', reset='available'),
        # While a share is reverted to a snapshot, the share is 'reverting' and
        # the snapshot 'restoring'; an operator may set a share to 'restoring'.
        *_stuck('restoring', reset='available'),
        # Promotion of a replica (share/api.py promote_share_replica).
        ResourceState(
            'replication_change',
            AfterRestart.STUCK,
            'is a replica that one call of manila-share promotes, and '
            'nothing resumes it',
            'available',
        ),
        # periodic_share_status_update polls the driver.
        ResourceState(
            'creating_from_snapshot',
            AfterRestart.RESUMED,
            'is created by the storage system, which manila-share polls '
            'again after it starts',
            'error',
        ),
        ResourceState(
            'reverting_to_snapshot',
            AfterRestart.RESUMED,
            'is reverted by the storage system, which manila-share polls '
            'again after it starts',
            'available',
        ),
        *_MIGRATING,
        # do_deferred_share_deletion handles error_deferred_deleting only.
        ResourceState(
            'deferred_deleting',
            AfterRestart.STUCK,
            _CALL
            + ': the periodic deletion handles only error_deferred_deleting',
            'error',
        ),
        ResourceState(
            'awaiting_transfer',
            AfterRestart.STUCK,
            'waits for a transfer that does not exist',
            'available',
            owner='',
        ),
        ResourceState(
            'backup_creating',
            AfterRestart.STUCK,
            'waits for a backup that is not being created',
            'available',
        ),
        ResourceState(
            'backup_restoring',
            AfterRestart.STUCK,
            'waits for a backup that is not being restored',
            'error',
        ),
        # ensure_driver_resources returns before it reads the shares if the
        # driver reports the same back end information as before.
        ResourceState(
            'ensuring',
            AfterRestart.UNSURE,
            'is ensured again when manila-share starts, unless the back end '
            'is unchanged since it was last recorded',
            'available',
        ),
        # The value of access_rules_status; queued rules have findings of their
        # own.
        ResourceState(
            'syncing',
            AfterRestart.UNSURE,
            'waits for access rules, but none is queued; the next access '
            'rule of the share clears it',
        ),
    ),
    'openstack share instance set --status{=} {}',
)

SNAPSHOT_INSTANCE = ResourceKind(
    'share_snapshot_instance',
    'share_snapshot_instances',
    'status',
    (
        *_stuck(
            'creating',
            'deleting',
            'manage_starting',
            'unmanage_starting',
            reset='error',
        ),
        *_stuck('restoring', reset='available'),
        # periodic_share_replica_snapshot_update polls the driver for the
        # snapshots of replicas that are not active.
        *(
            ResourceState(
                value,
                AfterRestart.RESUMED,
                'is on a replica that is not active; manila-share polls the '
                'storage system again after it starts',
                'error',
                variant='replica',
            )
            for value in ('creating', 'deleting')
        ),
        *_MIGRATING,
        ResourceState(
            'deferred_deleting',
            AfterRestart.STUCK,
            _CALL
            + ': the periodic deletion handles only error_deferred_deleting',
            'error',
        ),
    ),
    'openstack share snapshot instance set --status{=} {}',
)

SHARE_SERVER = ResourceKind(
    'share_server',
    'share_servers',
    'status',
    (
        # 16.3.0 to 23.0.1 share/manager.py, _create_share_server_in_backend.
        ResourceState(
            'creating',
            AfterRestart.STUCK,
            'is set up inside one call of manila-share, and only the next '
            'share that is created on its share network begins that again',
            'error',
        ),
        *_stuck(
            'deleting',
            'manage_starting',
            'unmanage_starting',
            reset='error',
        ),
        *_stuck('network_change', reset='active'),
        ResourceState('server_migrating', AfterRestart.STUCK, _BOTH, 'active'),
        ResourceState(
            'server_migrating_to', AfterRestart.STUCK, _BOTH, 'error'
        ),
    ),
    'openstack share server set --status{=} {}',
)

SHARE_NETWORK = ResourceKind(
    'share_network',
    'share_networks',
    'status',
    _stuck('network_change', reset='active'),
    'openstack share network set --status{=} {}',
)

SHARE_GROUP = ResourceKind(
    'share_group',
    'share_groups',
    'status',
    _stuck('creating', 'deleting', reset='error'),
    'openstack share group set --status{=} {}',
)

GROUP_SNAPSHOT = ResourceKind(
    'share_group_snapshot',
    'share_group_snapshots',
    'status',
    _stuck('creating', 'deleting', reset='error'),
    'openstack share group snapshot set --status{=} {}',
)

# The topic of a backup says which service creates it. manila-data keeps the
# state of a copy in memory only: after a start, create_backup_continue and
# restore_backup_continue on the host of the backup find no copy and write an
# error.
SHARE_BACKUP = ResourceKind(
    'share_backup',
    'share_backups',
    'status',
    (
        ResourceState(
            'creating',
            AfterRestart.LOST,
            _COPY + ': the backup becomes error, the share available',
            'error',
            owner='manila-data',
        ),
        ResourceState(
            'restoring',
            AfterRestart.LOST,
            _COPY + ': the share becomes backup_restoring_error, with part '
            'of its data',
            'available',
            owner='manila-data',
        ),
        ResourceState(
            'deleting',
            AfterRestart.STUCK,
            'runs inside one call of manila-data, and nothing resumes it',
            'error',
            owner='manila-data',
        ),
        *(
            ResourceState(
                value,
                AfterRestart.RESUMED,
                'is done by the storage system, which manila-share polls '
                'again after it starts',
                'error' if value == 'creating' else 'available',
                variant='manila-share',
            )
            for value in ('creating', 'restoring')
        ),
        ResourceState(
            'deleting',
            AfterRestart.STUCK,
            _CALL,
            'error',
            variant='manila-share',
        ),
        # create_backup of data/manager.py first writes its host into the row,
        # and create_backup_continue selects the backups of that host only.
        ResourceState(
            'creating',
            AfterRestart.STUCK,
            'is queued for manila-data; if the queue is lost, nothing '
            'resumes it',
            'error',
            owner='manila-data',
            variant='queued',
        ),
        # The API ended after it created the row and before it called a service
        # (share/api.py create_share_backup).
        *(
            ResourceState(
                value,
                AfterRestart.STUCK,
                'was not assigned to any service, and nothing resumes it',
                'available' if value == 'restoring' else 'error',
                owner='',
                variant='nobody',
            )
            for value in ('creating', 'restoring', 'deleting')
        ),
    ),
    'openstack share backup set --status{=} {}',
)

TRANSFER = ResourceKind(
    'transfer',
    'transfers',
    'accepted',
    (
        ResourceState(
            'open',
            AfterRestart.WAITS,
            'waits to be accepted until it expires; the services can be '
            'stopped',
            owner='',
        ),
    ),
)


_RULE_QUEUED = (
    'is queued: manila-share applies it at startup only if the driver '
    'ensures the share, otherwise with the next rule of the same share'
)

# AccessHelper.update_access_rules (share/access.py) does nothing while a
# rule of the instance is applying, denying or updating, and
# reset_rules_to_queueing_states leaves updating as it is.
ACCESS_RULE = ResourceKind(
    'access_rule',
    'share_instance_access_map',
    'state',
    (
        ResourceState('queued_to_apply', AfterRestart.UNSURE, _RULE_QUEUED),
        ResourceState('queued_to_deny', AfterRestart.UNSURE, _RULE_QUEUED),
        ResourceState('queued_to_update', AfterRestart.UNSURE, _RULE_QUEUED),
        *(
            ResourceState(
                value,
                AfterRestart.STUCK,
                'runs inside one call of manila-share and blocks every other '
                'rule of the same share: manila-share resets it at startup '
                'only if the driver ensures the share',
            )
            for value in ('applying', 'denying')
        ),
        ResourceState(
            'updating',
            AfterRestart.STUCK,
            'runs inside one call of manila-share and blocks every other '
            'rule of the same share; no restart resets it',
        ),
    ),
)

# update_access_rules of share/snapshot_access.py also processes again the
# rules that are applying or denying.
SNAPSHOT_ACCESS_RULE = ResourceKind(
    'snapshot_access_rule',
    'share_snapshot_instance_access_map',
    'state',
    tuple(
        ResourceState(
            value,
            AfterRestart.UNSURE,
            'is applied when manila-share starts only if the driver ensures '
            'the share, otherwise with the next rule of the same snapshot',
        )
        for value in (
            'queued_to_apply',
            'queued_to_deny',
            'applying',
            'denying',
        )
    ),
)

SERVICE = ResourceKind(
    'service',
    'services',
    'ensuring',
    (
        ResourceState(
            'ensuring',
            AfterRestart.UNSURE,
            'is ensuring its shares; the flag is cleared when it has ensured '
            'them again, and until then it rejects requests to ensure shares',
        ),
    ),
)

#: Every kind, in the order of a report.
KINDS = (
    SHARE_INSTANCE,
    SNAPSHOT_INSTANCE,
    SHARE_SERVER,
    SHARE_NETWORK,
    SHARE_GROUP,
    GROUP_SNAPSHOT,
    SHARE_BACKUP,
    TRANSFER,
    ACCESS_RULE,
    SNAPSHOT_ACCESS_RULE,
    SERVICE,
)
