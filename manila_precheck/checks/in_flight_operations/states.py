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

The states are those that manila writes while it works on a resource, from 12
on; a release that does not have one yet ("new-state" among the behaviours of
the catalog) never writes it. What becomes of each was read in init_host and
in the periodic tasks of share/manager.py and data/manager.py of manila
18.3.0, 20.0.3, 22.0.2 and 23.0.1, which agree.

Migrations that are under way are told in migrations.py.
"""

import enum
from typing import NamedTuple
from typing import Optional


class Fate(enum.Enum):
    """What becomes of an operation that the services leave behind."""

    # A periodic task, or the start of the service, takes it up again.
    RESUMED = 'resumed'
    # No service waits for it or works on it; somebody else ends it.
    WAITS = 'waits'
    # The start may take it up, or the next operation on the same object.
    UNSURE = 'unsure'
    # It was one call of a service: nothing resumes it, nothing resets it.
    STUCK = 'stuck'
    # The service that starts gives it up and writes an error.
    LOST = 'lost'


class ResourceState(NamedTuple):
    """A state of one kind of resource."""

    value: str
    """As it stands in the column."""

    fate: Fate
    """What becomes of it."""

    words: str
    """The same as half a sentence, after 'it'."""

    reset: Optional[str] = None
    """The status that takes it out of the state; None: no command does."""

    owner: str = 'manila-share'
    """The service that works on it; '' for none."""

    variant: str = ''
    """Tells two rows of one state apart; the statement says by what."""


class ResourceKind(NamedTuple):
    """A kind of resource and the states in which it is not at rest."""

    name: str
    """For a subject: 'share_instance'."""

    table: str
    """Where it is."""

    column: str
    """What holds the state."""

    states: tuple[ResourceState, ...]
    """Every one."""

    command: str = ''
    """What resets one, by the status and the id; '' when nothing does."""

    @property
    def noun(self) -> str:
        """Return the name in words."""
        return self.name.replace('_', ' ')

    def state(self, value: str, variant: str = '') -> ResourceState:
        """Return one of the states.

        :raises KeyError: when there is none such.
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
        ResourceState(value, Fate.STUCK, _CALL, reset) for value in values
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
        # A share is restored from a snapshot as 'reverting'; 'restoring' is
        # its snapshot's, but a share may be set to it.
        *_stuck('restoring', reset='available'),
        # Promotion of a replica (share/api.py promote_share_replica).
        ResourceState(
            'replication_change',
            Fate.STUCK,
            'is a replica that one call of manila-share promotes, and '
            'nothing resumes it',
            'available',
        ),
        # periodic_share_status_update polls the driver.
        ResourceState(
            'creating_from_snapshot',
            Fate.RESUMED,
            'is created by the storage system, which manila-share polls '
            'again after it starts',
            'error',
        ),
        ResourceState(
            'reverting_to_snapshot',
            Fate.RESUMED,
            'is reverted by the storage system, which manila-share polls '
            'again after it starts',
            'available',
        ),
        ResourceState('migrating', Fate.STUCK, _BOTH, 'available'),
        ResourceState('migrating_to', Fate.STUCK, _BOTH, 'error'),
        ResourceState('server_migrating', Fate.STUCK, _BOTH, 'available'),
        ResourceState('server_migrating_to', Fate.STUCK, _BOTH, 'error'),
        # do_deferred_share_deletion picks error_deferred_deleting alone.
        ResourceState(
            'deferred_deleting',
            Fate.STUCK,
            _CALL
            + ': the periodic deletion handles only error_deferred_deleting',
            'error',
        ),
        ResourceState(
            'awaiting_transfer',
            Fate.STUCK,
            'waits for a transfer that does not exist',
            'available',
            owner='',
        ),
        ResourceState(
            'backup_creating',
            Fate.STUCK,
            'waits for a backup that is not being created',
            'available',
        ),
        ResourceState(
            'backup_restoring',
            Fate.STUCK,
            'waits for a backup that is not being restored',
            'error',
        ),
        # ensure_driver_resources returns before it looks at them when the
        # driver reports the back end that it reported before.
        ResourceState(
            'ensuring',
            Fate.UNSURE,
            'is ensured again when manila-share starts, unless the back end '
            'is unchanged since it was last recorded',
            'available',
        ),
        # access_rules_status; its rules themselves are told one by one.
        ResourceState(
            'syncing',
            Fate.UNSURE,
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
        # periodic_share_replica_snapshot_update polls the driver for those
        # of a replica that is not the active one.
        *(
            ResourceState(
                value,
                Fate.RESUMED,
                'is on a replica that is not active; manila-share polls the '
                'storage system again after it starts',
                'error',
                variant='replica',
            )
            for value in ('creating', 'deleting')
        ),
        ResourceState('migrating', Fate.STUCK, _BOTH, 'available'),
        ResourceState('migrating_to', Fate.STUCK, _BOTH, 'error'),
        ResourceState('server_migrating', Fate.STUCK, _BOTH, 'available'),
        ResourceState('server_migrating_to', Fate.STUCK, _BOTH, 'error'),
        ResourceState(
            'deferred_deleting',
            Fate.STUCK,
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
        *_stuck(
            'creating',
            'deleting',
            'manage_starting',
            'unmanage_starting',
            reset='error',
        ),
        *_stuck('network_change', reset='active'),
        ResourceState('server_migrating', Fate.STUCK, _BOTH, 'active'),
        ResourceState('server_migrating_to', Fate.STUCK, _BOTH, 'error'),
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

# The topic of a backup says who makes it. What manila-data copies is in its
# memory alone: create_backup_continue and restore_backup_continue, of the
# host that made it, find nothing after a start, and write an error.
SHARE_BACKUP = ResourceKind(
    'share_backup',
    'share_backups',
    'status',
    (
        ResourceState(
            'creating',
            Fate.LOST,
            _COPY + ': the backup becomes error, the share available',
            'error',
            owner='manila-data',
        ),
        ResourceState(
            'restoring',
            Fate.LOST,
            _COPY + ': the share becomes backup_restoring_error, with part '
            'of its data',
            'available',
            owner='manila-data',
        ),
        ResourceState(
            'deleting',
            Fate.STUCK,
            'runs inside one call of manila-data, and nothing resumes it',
            'error',
            owner='manila-data',
        ),
        *(
            ResourceState(
                value,
                Fate.RESUMED,
                'is done by the storage system, which manila-share polls '
                'again after it starts',
                'error' if value == 'creating' else 'available',
                variant='manila-share',
            )
            for value in ('creating', 'restoring')
        ),
        ResourceState(
            'deleting', Fate.STUCK, _CALL, 'error', variant='manila-share'
        ),
        # create_backup of data/manager.py notes its host first of all, and
        # create_backup_continue looks for that host alone.
        ResourceState(
            'creating',
            Fate.STUCK,
            'is queued for manila-data; if the queue is lost, nothing '
            'resumes it',
            'error',
            owner='manila-data',
            variant='queued',
        ),
        # The API died between the row and the call (share/api.py
        # create_share_backup).
        *(
            ResourceState(
                value,
                Fate.STUCK,
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
            Fate.WAITS,
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
        ResourceState('queued_to_apply', Fate.UNSURE, _RULE_QUEUED),
        ResourceState('queued_to_deny', Fate.UNSURE, _RULE_QUEUED),
        ResourceState('queued_to_update', Fate.UNSURE, _RULE_QUEUED),
        *(
            ResourceState(
                value,
                Fate.STUCK,
                'runs inside one call of manila-share and blocks every other '
                'rule of the same share: manila-share resets it at startup '
                'only if the driver ensures the share',
            )
            for value in ('applying', 'denying')
        ),
        ResourceState(
            'updating',
            Fate.STUCK,
            'runs inside one call of manila-share and blocks every other '
            'rule of the same share; no restart resets it',
        ),
    ),
)

# update_access_rules of share/snapshot_access.py does those again that it
# finds applying or denying.
SNAPSHOT_ACCESS_RULE = ResourceKind(
    'snapshot_access_rule',
    'share_snapshot_instance_access_map',
    'state',
    tuple(
        ResourceState(
            value,
            Fate.UNSURE,
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
            Fate.UNSURE,
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
