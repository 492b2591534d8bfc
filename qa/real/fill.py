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

"""Fill a manila database through manila's own models and db API.

Run with the Python of an environment that holds one manila release, on a
database that its ``manila-manage db sync`` made: nothing of manila-precheck
is imported. What is deleted here is deleted by manila's own functions, so
``deleted`` and ``deleted_at`` hold what that release writes; the clock of
oslo.utils is turned back for that, so the rows are of the last three years.

Prints what was made as one JSON object. All of it follows from the seed.
"""

import argparse
import datetime
import json
import random
import uuid

from manila import context as manila_context
from manila.common import config  # noqa: F401  registers options
from manila.common import constants
from manila.db import api as db
from manila.db.sqlalchemy import api
from manila.db.sqlalchemy import models
from oslo_config import cfg
from oslo_utils import timeutils

DAY = datetime.timedelta(days=1)
HOSTS = ('ctl-1@alpha#pool', 'ctl-1@beta#pool', 'ctl-2@gamma#pool')

TASK_STATES = sorted(
    value
    for name, value in vars(constants).items()
    if name.startswith('TASK_STATE_') and isinstance(value, str)
)


class Filler:
    """Makes the rows of one site."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.admin = manila_context.get_admin_context()
        self.now = timeutils.utcnow()
        self.made = {}
        self.types = []
        self.networks = []
        self.servers = []
        self.shares = []

    def id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def several(self, low, high):
        return range(self.random.randint(low, high))

    def note(self, what, count=1):
        self.made[what] = self.made.get(what, 0) + count

    def at(self, days):
        """Turn the clock back by a number of days, give or take an hour."""
        timeutils.set_time_override(
            self.now
            - days * DAY
            + datetime.timedelta(seconds=self.random.randint(-3600, 3600))
        )

    def some_day(self):
        """Return an age in days: often small, sometimes years.

        It never is a whole multiple of ten, as the limits in tests are.
        """
        low, high = self.random.choice([(1, 9), (11, 89), (91, 1100)])
        days = self.random.randint(low, high)
        return days + 0.5

    def project(self):
        return self.random.choice(['red', 'green', 'blue']) * 4

    def fill(self):
        for step in (
            self.zones,
            self.share_types,
            self.group_types,
            self.share_networks,
            self.share_servers,
            self.server_migrations,
            self.plain_shares,
            self.share_migrations,
            self.recycle_bin,
            self.groups,
            self.operations,
            self.transfers,
            self.backups,
            self.locks,
            self.quotas,
            self.messages,
            self.driver_data,
            self.services,
            self.restored_rows,
            self.rows_without_time,
        ):
            self.at(self.some_day())
            step()
        timeutils.clear_time_override()
        return self.made

    # Types and networks

    def zones(self):
        """Make zones as manila does: by the first service in each."""
        for number, zone in ((901, 'nova'), (902, 'west')):
            self.service(number, 'manila-data', 'up', (0, 60), False, zone)
        self.zone = db.availability_zone_get(self.admin, 'nova')
        self.other_zone = db.availability_zone_get(self.admin, 'west')
        self.note('services up fresh', 2)

    def share_types(self):
        for number in self.several(3, 8):
            made = db.share_type_create(
                self.admin,
                {
                    'name': f'type-{number}',
                    'is_public': number % 2 == 0,
                    'extra_specs': {
                        'driver_handles_share_servers': 'True',
                        'snapshot_support': 'True',
                    },
                },
                projects=['redredredred'] if number % 2 else None,
            )
            self.types.append(made['id'])
            self.note('share types')
        for number in self.several(1, 5):
            made = db.share_type_create(
                self.admin,
                {'name': f'old-type-{number}', 'extra_specs': {'a': 'b'}},
                projects=['greengreengreengreen'],
            )
            self.at(self.some_day())
            db.share_type_destroy(self.admin, made['id'])
            self.note('share types deleted')

    def group_types(self):
        made = db.share_group_type_create(
            self.admin,
            {
                'name': 'groups',
                'is_public': False,
                'group_specs': {'consistent_snapshot_support': 'host'},
                'share_types': self.types[:2],
            },
            projects=['redredredred'],
        )
        self.group_type = made['id']
        for number in self.several(1, 3):
            made = db.share_group_type_create(
                self.admin,
                {'name': f'old-groups-{number}', 'group_specs': {'k': 'v'}},
            )
            self.at(self.some_day())
            db.share_group_type_destroy(self.admin, made['id'])
            self.note('group types deleted')

    def network(self):
        made = db.share_network_create(
            self.admin,
            {
                'project_id': self.project(),
                'user_id': 'user',
                'name': 'network',
                'status': 'active',
            },
        )
        subnet = db.share_network_subnet_create(
            self.admin,
            {
                'share_network_id': made['id'],
                'neutron_net_id': self.id(),
                'neutron_subnet_id': self.id(),
                'cidr': '10.0.0.0/24',
                'ip_version': 4,
                'availability_zone_id': self.zone['id'],
                'metadata': {'k': 'v'},
            },
        )
        security = db.security_service_create(
            self.admin,
            {
                'type': 'active_directory',
                'project_id': made['project_id'],
                'name': 'ad',
                'password': 'of-the-directory',
            },
        )
        db.share_network_add_security_service(
            self.admin, made['id'], security['id']
        )
        return made['id'], subnet['id'], security['id']

    def share_networks(self):
        for _ in self.several(2, 6):
            self.networks.append(self.network())
            self.note('share networks')
        for _ in self.several(1, 5):
            network, _, security = self.network()
            self.at(self.some_day())
            db.share_network_remove_security_service(
                self.admin, network, security
            )
            db.security_service_delete(self.admin, security)
            db.share_network_delete(self.admin, network)
            self.note('share networks deleted')

    def server(self, **values):
        network, subnet, _ = self.random.choice(self.networks)
        made = db.share_server_create(
            self.admin,
            {
                'host': self.random.choice(HOSTS).partition('#')[0],
                'status': constants.STATUS_ACTIVE,
                'share_network_subnets': [
                    db.share_network_subnet_get(self.admin, subnet)
                ],
                **values,
            },
        )
        db.share_server_backend_details_set(
            self.admin, made['id'], {'vserver_name': 'v', 'ports': '{}'}
        )
        db.network_allocation_create(
            self.admin,
            {
                'id': self.id(),
                'share_server_id': made['id'],
                'share_network_subnet_id': subnet,
                'ip_address': '10.0.0.5',
                'label': 'user',
            },
        )
        return made['id'], network

    def share_servers(self):
        for _ in self.several(2, 6):
            self.servers.append(self.server())
            self.note('share servers')
        for _ in self.several(1, 6):
            server, _ = self.server()
            self.at(self.some_day())
            for one in db.network_allocations_get_for_share_server(
                self.admin, server
            ):
                db.network_allocation_delete(self.admin, one['id'])
            db.share_server_delete(self.admin, server)
            self.note('share servers deleted')

    def server_migrations(self):
        for state in TASK_STATES:
            if state.startswith('data_copying'):
                continue
            for _ in self.several(1, 2):
                source, _ = self.server(
                    status=constants.STATUS_SERVER_MIGRATING,
                    task_state=state,
                )
                self.server(
                    status=constants.STATUS_SERVER_MIGRATING_TO,
                    task_state=state,
                    source_share_server_id=source,
                )
                self.note(f'share server pairs in {state}')
        # One that was deleted during its migration.
        source, _ = self.server(task_state='migration_in_progress')
        db.share_server_delete(self.admin, source)
        self.note('share servers deleted')

    # Shares

    def share(self, status=constants.STATUS_AVAILABLE, **values):
        made = db.share_create(
            self.admin,
            {
                'id': self.id(),
                'project_id': self.project(),
                'user_id': 'user',
                'size': self.random.randint(1, 500),
                'share_proto': self.random.choice(['NFS', 'CIFS']),
                'display_name': 'caf\u00e9',
                'host': self.random.choice(HOSTS),
                'status': status,
                'share_type_id': self.random.choice(self.types),
                'availability_zone_id': self.zone['id'],
                'metadata': {'team': 'a', 'tier': 'b'},
                **values,
            },
        )
        self.exports(made.instance['id'])
        return made['id'], made.instance['id']

    def exports(self, instance):
        with_metadata = self.random.random() < 0.2
        # The name of the function up to 17 (manila/db/api.py).
        update = getattr(db, 'share_export_locations_update', None)
        (update or db.export_locations_update)(
            self.admin,
            instance,
            [
                {
                    'path': f'10.0.0.{number}:/{instance}',
                    'is_admin_only': number == 1,
                    'metadata': {'preferred': 'True'} if with_metadata else {},
                }
                for number in self.several(1, 2)
            ],
            True,
        )

    def instance(self, share, status, **values):
        made = db.share_instance_create(
            self.admin,
            share,
            {
                'host': self.random.choice(HOSTS),
                'status': status,
                'share_type_id': self.random.choice(self.types),
                'availability_zone_id': self.other_zone['id'],
                **values,
            },
        )
        self.exports(made['id'])
        return made['id']

    def allow(self, share):
        made = db.share_access_create(
            self.admin,
            {
                'share_id': share,
                'access_type': 'ip',
                'access_to': f'10.1.0.{self.random.randint(1, 250)}',
                'access_level': 'rw',
                'metadata': {'why': 'backup'},
            },
        )
        return made['id']

    def deny(self, access, instance):
        found = db.share_instance_access_get(self.admin, access, instance)
        db.share_instance_access_delete(self.admin, found['id'])
        self.note('access rules deleted')

    def snapshot(self, share, instance):
        # manila/db/api.py of 16 does not pass on the last argument.
        made = api.share_snapshot_create(
            self.admin,
            {
                'id': self.id(),
                'share_id': share,
                'project_id': self.project(),
                'user_id': 'user',
                'size': 1,
                'share_size': 1,
                'share_proto': 'NFS',
                'metadata': {'kept': 'weekly'},
                'instances': [],
            },
            create_snapshot_instance=False,
        )
        one = db.share_snapshot_instance_create(
            self.admin,
            made['id'],
            {
                'status': constants.STATUS_AVAILABLE,
                'share_instance_id': instance,
            },
        )
        return made['id'], one['id']

    def plain_shares(self):
        for _ in self.several(8, 16):
            self.at(self.some_day())
            share, instance = self.share(
                status=self.random.choice(
                    ['available', 'available', 'error', 'creating']
                )
            )
            self.shares.append(share)
            rules = [self.allow(share) for _ in self.several(0, 3)]
            if rules and self.random.random() < 0.5:
                self.at(self.some_day())
                self.deny(rules[0], instance)
            for _ in self.several(0, 2):
                _, one = self.snapshot(share, instance)
                if self.random.random() < 0.5:
                    db.share_snapshot_instance_delete(self.admin, one)
                    self.note('snapshots deleted')
            if self.random.random() < 0.2:
                self.instance(share, 'available', replica_state='in_sync')
                self.note('replicas')
            self.note('shares')
        network, _, _ = self.networks[0]
        server, network = self.random.choice(self.servers)
        for _ in self.several(1, 4):
            self.share(share_network_id=network, share_server_id=server)
            self.note('shares')
        for _ in self.several(4, 9):
            self.at(self.some_day() + 30)
            share, instance = self.share()
            for access in [self.allow(share) for _ in self.several(0, 2)]:
                self.deny(access, instance)
            self.at(self.some_day())
            db.share_instance_delete(self.admin, instance)
            self.note('shares deleted')

    def share_migrations(self):
        for state in TASK_STATES:
            for _ in self.several(1, 2):
                self.at(self.some_day())
                over = state in (
                    'migration_success',
                    'migration_error',
                    'migration_cancelled',
                    'data_copying_error',
                    'data_copying_cancelled',
                )
                share, _ = self.share(
                    status='available' if over else 'migrating',
                )
                if not over:
                    self.instance(share, 'migrating_to')
                db.share_update(self.admin, share, {'task_state': state})
                self.note(f'shares in {state}')
        # One whose share was deleted during its migration.
        share, instance = self.share(status='migrating')
        db.share_update(
            self.admin, share, {'task_state': 'migration_in_progress'}
        )
        db.share_instance_delete(self.admin, instance)
        self.note('shares deleted')

    def recycle_bin(self):
        for _ in self.several(1, 5):
            self.at(self.random.randint(1, 6))
            share, _ = self.share()
            db.share_soft_delete(self.admin, share)
            self.note('shares in the recycle bin')

    def groups(self):
        for deleted in (False, True):
            for _ in self.several(1, 3):
                made = db.share_group_create(
                    self.admin,
                    {
                        'id': self.id(),
                        'project_id': self.project(),
                        'user_id': 'user',
                        'host': HOSTS[0],
                        'status': 'available',
                        'share_group_type_id': self.group_type,
                        'share_types': self.types[:1],
                    },
                )
                self.note('share groups')
                if deleted:
                    self.at(self.some_day())
                    db.share_group_destroy(self.admin, made['id'])
                    self.note('share groups deleted')

    def operations(self):
        """Leave an object of every kind in the middle of an operation."""
        for status in (
            *constants.TRANSITIONAL_STATUSES,
            constants.STATUS_CREATING_FROM_SNAPSHOT,
            constants.STATUS_REPLICATION_CHANGE,
            # From 18.0.0 on (manila/common/constants.py).
            getattr(constants, 'STATUS_DEFERRED_DELETING', 'deleting'),
        ):
            if status.startswith('server_'):
                continue
            for _ in self.several(1, 2):
                self.at(self.some_day())
                _, instance = self.share(status=status)
                db.share_instance_update(
                    self.admin, instance, {'status': status}
                )
                self.note(f'shares {status}')
        for status in ('creating', 'deleting', 'restoring'):
            for replica_state in (None, 'active', 'in_sync'):
                share, instance = self.share(replica_state=replica_state)
                _, snapshot = self.snapshot(share, instance)
                db.share_snapshot_instance_update(
                    self.admin, snapshot, {'status': status}
                )
                self.note(f'snapshots {status}')
        for status in ('creating', 'deleting', 'network_change'):
            self.server(status=status)
            self.note(f'share servers {status}')
        network, _, _ = self.network()
        db.share_network_update(
            self.admin, network, {'status': constants.STATUS_NETWORK_CHANGE}
        )
        self.note('share networks changing')
        for state in constants.ACCESS_RULES_STATES:
            share, instance = self.share()
            access = self.allow(share)
            db.share_instance_access_update(
                self.admin, access, instance, {'state': state}
            )
            db.share_instance_update(
                self.admin, instance, {'access_rules_status': 'syncing'}
            )
            self.note(f'access rules {state}')
        self.groups_under_way()

    def groups_under_way(self):
        for status in ('creating', 'deleting'):
            group = db.share_group_create(
                self.admin,
                {
                    'id': self.id(),
                    'project_id': self.project(),
                    'user_id': 'user',
                    'host': HOSTS[0],
                    'status': status,
                    'share_group_type_id': self.group_type,
                    'share_types': self.types[:1],
                },
            )
            db.share_group_snapshot_create(
                self.admin,
                {
                    'id': self.id(),
                    'project_id': self.project(),
                    'user_id': 'user',
                    'share_group_id': group['id'],
                    'status': status,
                },
            )
            self.note(f'share groups and their snapshots {status}')

    # What belongs to a share

    def transfers(self):
        for accepted in (False, True):
            for number in self.several(1, 3):
                self.at(self.some_day())
                share, _ = self.share()
                made = db.transfer_create(
                    self.admin,
                    {
                        'resource_type': 'share',
                        'resource_id': share,
                        'source_project_id': 'red',
                        'salt': 'salt',
                        'crypt_hash': 'hash',
                    },
                )
                if accepted:
                    db.transfer_accept(self.admin, made['id'], 'u', 'green')
                elif number:
                    # The first transfer stays open.
                    db.transfer_destroy(self.admin, made['id'])
                self.note('transfers accepted' if accepted else 'transfers')

    def backups(self):
        # Backups and locks exist from 17.0.0 on (manila/db/api.py).
        if not hasattr(db, 'share_backup_create'):
            return
        for status in ('available', 'creating', 'restoring', 'error'):
            for number in self.several(1, 2):
                made = db.share_backup_create(
                    self.admin,
                    self.random.choice(self.shares),
                    {
                        'project_id': self.project(),
                        'user_id': 'user',
                        'size': 1,
                        'host': 'ctl-1',
                        'topic': ('manila-data', 'manila-share')[number % 2],
                        'availability_zone': 'nova',
                        'status': status,
                    },
                )
                if status == 'error':
                    self.at(self.some_day())
                    db.share_backup_delete(self.admin, made['id'])
                self.note(f'backups {status}')

    def locks(self):
        if not hasattr(db, 'resource_lock_create'):
            return
        for number in self.several(2, 5):
            made = db.resource_lock_create(
                self.admin,
                {
                    'user_id': 'user',
                    'project_id': self.project(),
                    'lock_context': 'user',
                    'resource_id': self.random.choice(self.shares),
                    'resource_type': 'share',
                    'resource_action': 'delete',
                },
            )
            if number % 2:
                self.at(self.some_day())
                db.resource_lock_delete(self.admin, made['id'])
            self.note('locks')

    def quotas(self):
        user = 'user'
        for project in ('red', 'green', 'blue'):
            db.quota_create(self.admin, project, 'shares', 10)
            db.quota_create(self.admin, project, 'gigabytes', 10, user_id=user)
            db.quota_create(
                self.admin,
                project,
                'snapshots',
                10,
                share_type_id=self.types[0],
            )
        db.quota_class_create(self.admin, 'gold', 'shares', 50)
        for project in ('red', 'green', 'blue'):
            usage = db.quota_usage_create(
                self.admin, project, user, 'shares', 5, 0, None
            )
            for _ in self.several(5, 30):
                self.reserve(project, user, usage)
        self.at(0.5)
        db.reservation_expire(self.admin)
        for _ in self.several(1, 4):
            self.reserve('red', user, None, keep=True)
        self.at(self.some_day())
        db.quota_destroy_all_by_project(self.admin, 'blue')

    def reserve(self, project, user, usage, keep=False):
        """Make a reservation as quota_reserve does, then end it."""
        with api.context_manager.writer.using(self.admin) as session:
            if usage is None:
                usage = (
                    session.query(models.QuotaUsage)
                    .filter_by(project_id=project, deleted=0)
                    .first()
                )
            days = 0 if keep else self.some_day()
            self.at(days)
            made = models.Reservation()
            made.update(
                {
                    'uuid': self.id(),
                    'usage_id': usage['id'],
                    'project_id': project,
                    'user_id': user,
                    'resource': 'shares',
                    'delta': 1,
                    'expire': timeutils.utcnow() + DAY,
                }
            )
            made.save(session=session)
            name = made.uuid
        self.note('reservations')
        if keep:
            return
        end = self.random.choice(
            [db.reservation_commit, db.reservation_rollback, None]
        )
        if end:
            end(self.admin, [name], project_id=project, user_id=user)

    def messages(self):
        for _ in self.several(10, 40):
            self.at(self.some_day())
            made = db.message_create(
                self.admin,
                {
                    'project_id': self.project(),
                    'message_level': 'ERROR',
                    'resource_type': 'SHARE',
                    'resource_id': self.random.choice(self.shares),
                    'action_id': '001',
                    'detail_id': '002',
                    'expires_at': self.now + 30 * DAY,
                },
            )
            if self.random.random() < 0.5:
                self.at(self.some_day())
                db.message_destroy(self.admin, made)
                self.note('messages deleted')
            self.note('messages')

    def driver_data(self):
        for number, share in enumerate(self.shares[:8]):
            db.driver_private_data_update(
                self.admin, share, {'volume': 'v', 'pool': 'p'}
            )
            db.async_operation_data_update(self.admin, share, {'step': 'copy'})
            if number % 2:
                self.at(self.some_day())
                db.driver_private_data_delete(self.admin, share)
                db.async_operation_data_delete(self.admin, share)
                self.note('driver data deleted')
        for host in ('ctl-1@alpha', 'ctl-1@beta'):
            db.backend_info_update(self.admin, host, 'hash')

    # Services

    def services(self):
        """Make a service of every state at every age, some disabled."""
        minute = 60
        ages = {
            'fresh': (0, minute),
            'old': (40 * minute, 50 * minute),
            'ancient': (30 * 1440 * minute, 900 * 1440 * minute),
            'ahead': (-90 * minute, -60 * minute),
            'never': None,
        }
        topics = ('manila-share', 'manila-scheduler', 'manila-data')
        number = 0
        for state in ('up', 'down', 'stopped', None):
            for age, limits in ages.items():
                for _ in self.several(1, 2):
                    number += 1
                    topic = topics[number % 3]
                    self.service(number, topic, state, limits, number % 4 == 0)
                    self.note(f'services {state} {age}')
        for _ in self.several(1, 4):
            number += 1
            made = self.service(number, topics[0], 'up', (0, minute), False)
            db.service_destroy(self.admin, made)
            self.note('services deleted')

    def service(self, number, topic, state, limits, disabled, zone='nova'):
        seconds = 5 * 86400 if limits is None else self.random.randint(*limits)
        moment = self.now - datetime.timedelta(seconds=seconds)
        timeutils.set_time_override(moment - DAY if limits else moment)
        host = f'ctl-{number}'
        made = db.service_create(
            self.admin,
            {
                'host': f'{host}@alpha' if topic == 'manila-share' else host,
                'binary': topic,
                'topic': topic,
                'state': state,
                'report_count': 0,
                'disabled': disabled,
                'availability_zone': zone,
            },
        )
        if limits is not None:
            timeutils.set_time_override(moment)
            db.service_update(self.admin, made['id'], {'report_count': 9})
        return made['id']

    # Leftovers of years of use

    def update(self, model, count, live, **values):
        """Change rows directly in the database, as a restore by hand does."""
        column = model.id
        text = str(model.__table__.c.deleted.type).startswith('VARCHAR')
        marker = 'False' if text else 0
        with api.context_manager.writer.using(self.admin) as session:
            query = session.query(column)
            if live:
                query = query.filter(model.deleted == marker)
            else:
                query = query.filter(model.deleted != marker)
            ids = sorted(row[0] for row in query.all())
            chosen = self.random.sample(ids, min(count, len(ids)))
            session.query(model).filter(column.in_(chosen)).update(
                values, synchronize_session=False
            )
        return len(chosen)

    def restored_rows(self):
        """Make rows that are live again but still have a deleted_at."""
        for model in (models.Share, models.Message, models.QuotaUsage):
            count = self.update(
                model,
                self.random.randint(1, 2),
                live=True,
                deleted_at=self.now - 200 * DAY,
            )
            self.note(f'restored in {model.__tablename__}', count)

    def rows_without_time(self):
        """Make rows that were deleted by hand, without a deleted_at."""
        for model in (
            models.Reservation,
            models.ShareInstance,
            models.Message,
            models.ShareServer,
        ):
            count = self.update(
                model,
                self.random.randint(1, 3),
                live=False,
                deleted_at=None,
            )
            self.note(f'without time in {model.__tablename__}', count)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config-file', required=True)
    parser.add_argument('--seed', type=int, required=True)
    args = parser.parse_args()
    cfg.CONF(
        ['--config-file', args.config_file],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    print(json.dumps(Filler(args.seed).fill(), sort_keys=True))


if __name__ == '__main__':
    main()
