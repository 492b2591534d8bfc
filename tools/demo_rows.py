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

"""The rows of the demo's database: a region that has run for three years.

Everything comes from one seed and the time of the run, so two runs differ in
their dates alone. The hosts and back ends are those of the demo's
manila.conf.
"""

import collections
import datetime
import random
from typing import Any
from typing import NamedTuple
from typing import Optional
import uuid

import sqlalchemy as sa

SEED = 20260401
YEARS = 3

#: What the region lives with, and what it has left behind in three years.
LIVE_SHARES = 340
DELETED_SHARES = 2600
DELETED_RESERVATIONS = 14200
PROJECTS = 14

#: The host of manila.conf, on which every back end is served.
HOST = 'ctl1'

Row = dict[str, Any]


class Pool(NamedTuple):
    """A pool that shares are on."""

    backend: str
    name: str
    share_type: str
    protocols: tuple[str, ...]
    own_servers: bool
    weight: int

    @property
    def host(self) -> str:
        """Return it as share_instances.host has it."""
        return f'{HOST}@{self.backend}#{self.name}'


POOLS = (
    Pool('cephnfs1', 'cephfs', 'cephfs-nfs', ('NFS',), False, 10),
    Pool('netapp1', 'aggr1', 'ontap', ('NFS', 'CIFS'), True, 5),
    Pool('netapp1', 'aggr2', 'ontap', ('NFS', 'CIFS'), True, 4),
    Pool('generic1', 'GENERIC1', 'generic', ('NFS',), True, 2),
    Pool('isilon1', 'ISILON1', 'isilon', ('NFS', 'CIFS'), False, 3),
)

_NAMES = ('home', 'scratch', 'data', 'results', 'media', 'backup', 'web')
_RESOURCES = ('shares', 'gigabytes', 'snapshots', 'snapshot_gigabytes')
_LEVELS = ('rw', 'rw', 'rw', 'ro')


class Region:
    """The rows, table by table, until they are written."""

    def __init__(self, metadata: sa.MetaData, now: datetime.datetime) -> None:
        """Make all rows.

        :param metadata: the tables.
        :param now: the time of the run, in UTC, without a time zone.
        """
        self._metadata = metadata
        self._tables = metadata.tables
        self._now = now
        self._random = random.Random(SEED)
        self._rows: dict[str, list[Row]] = collections.defaultdict(list)
        self._zone = self._add('availability_zones', name='nova')
        self._projects = [
            (self._uuid().replace('-', ''), self._uuid().replace('-', ''))
            for _ in range(PROJECTS)
        ]
        self._servers: dict[tuple[str, str], Row] = {}
        self._instances: dict[str, list[Row]] = collections.defaultdict(list)
        self._share_types()
        self._services()
        for _ in range(LIVE_SHARES):
            self._share(self._pool())
        for _ in range(DELETED_SHARES):
            self._share(self._pool(), self._past())
        self._recycle_bin()
        self._waiting_migration()
        self._driver_migration()
        self._host_assisted_migration()
        self._quotas()
        self._messages()
        self._backups_and_transfers()
        self._operations()

    def write(self, engine: Any) -> dict[str, int]:
        """Insert everything, and return the number of rows by table."""
        with engine.begin() as connection:
            for table in self._metadata.sorted_tables:
                # An executemany names the columns of its first row.
                alike = collections.defaultdict(list)
                for row in self._rows.get(table.name, ()):
                    alike[tuple(row)].append(row)
                for rows in alike.values():
                    connection.execute(table.insert(), rows)
        return {name: len(rows) for name, rows in self._rows.items()}

    # How a row is made.

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _past(self) -> datetime.datetime:
        """Return a time in the last years, the later ones more often."""
        days = YEARS * 365 * (1 - self._random.random() ** 0.6)
        return self._now - datetime.timedelta(days=days, seconds=90)

    def _ago(self, **units: float) -> datetime.datetime:
        return self._now - datetime.timedelta(**units)

    def _add(
        self,
        name: str,
        /,
        deleted_at: Optional[datetime.datetime] = None,
        created_at: Optional[datetime.datetime] = None,
        **values: Any,
    ) -> Row:
        """Add a row to a table, soft-deleted when deleted_at is given.

        An id is given to it, a number or a text as its table has them.
        """
        table = self._tables[name]
        row: Row = dict(values)
        if 'id' in table.c and 'id' not in row:
            row['id'] = len(self._rows[name]) + 1
            if not isinstance(table.c.id.type, sa.Integer):
                row['id'] = self._uuid()
        gone = row.get('id', 1)
        if isinstance(table.c.deleted.type, sa.Integer):
            row['deleted'] = gone if deleted_at else 0
        else:
            row['deleted'] = str(gone) if deleted_at else 'False'
        if created_at is None:
            created_at = (deleted_at or self._past()) - datetime.timedelta(
                days=self._random.uniform(0, 120)
            )
        row['created_at'] = created_at
        row['deleted_at'] = deleted_at
        row.setdefault('updated_at', deleted_at or created_at)
        self._rows[name].append(row)
        return row

    def _pool(self) -> Pool:
        weights = [pool.weight for pool in POOLS]
        return self._random.choices(POOLS, weights)[0]

    def _address(self) -> str:
        return f'203.0.113.{self._random.randrange(1, 255)}'

    # What there is.

    def _share_types(self) -> None:
        self._types: dict[str, str] = {}
        for pool in POOLS:
            if pool.share_type in self._types:
                continue
            made = self._add(
                'share_types', name=pool.share_type, is_public=True
            )
            self._types[pool.share_type] = made['id']
            for key, value in (
                ('driver_handles_share_servers', str(pool.own_servers)),
                ('share_backend_name', pool.backend.upper()),
                ('snapshot_support', 'True'),
            ):
                self._add(
                    'share_type_extra_specs',
                    share_type_id=made['id'],
                    spec_key=key,
                    spec_value=value,
                )
        for name in ('test', 'gold', 'pilot-2024'):
            gone = self._add('share_types', self._past(), name=name)
            self._add(
                'share_type_extra_specs',
                gone['deleted_at'],
                share_type_id=gone['id'],
                spec_key='driver_handles_share_servers',
                spec_value='False',
            )

    def _services(self) -> None:
        """Add services that report, are stopped, died or are disabled."""
        seconds = datetime.timedelta(seconds=1)
        fresh = self._now - 3 * seconds
        died = self._ago(days=2, hours=5)
        stopped = self._ago(hours=19)
        replaced = self._ago(days=217)
        firmware = 'firmware of the array, back on Monday'
        for binary, host, state, updated_at, reason in (
            ('manila-scheduler', 'ctl1', 'up', fresh, None),
            ('manila-scheduler', 'ctl2', 'up', fresh - seconds, None),
            ('manila-scheduler', 'ctl3', 'stopped', stopped, None),
            ('manila-data', 'ctl1', 'up', fresh - 4 * seconds, None),
            ('manila-share', f'{HOST}@cephnfs1', 'up', fresh, None),
            ('manila-share', f'{HOST}@netapp1', 'up', fresh, None),
            ('manila-share', f'{HOST}@generic1', 'up', died, None),
            ('manila-share', f'{HOST}@isilon1', 'up', fresh, firmware),
            ('manila-share', f'{HOST}@archive1', 'up', fresh, None),
            ('manila-share', 'ctl0@lvm1', 'down', replaced, None),
        ):
            self._add(
                'services',
                created_at=self._ago(days=YEARS * 365),
                updated_at=updated_at,
                host=host,
                binary=binary,
                topic=binary.replace('-', '_'),
                report_count=self._random.randrange(10**4, 10**6),
                disabled=reason is not None,
                disabled_reason=reason,
                availability_zone_id=self._zone['id'],
                state=state,
                ensuring=False,
            )
        for host in ('ctl1@lvm1', 'ctl2@pilot'):
            self._add(
                'services',
                self._past(),
                host=host,
                binary='manila-share',
                topic='manila_share',
                report_count=0,
                disabled=False,
                state='stopped',
                availability_zone_id=self._zone['id'],
            )

    def _server(
        self, pool: Pool, project: str, gone: Optional[datetime.datetime]
    ) -> Row:
        """Return the share server of a project, and its network with it.

        :returns: its row, and its network under the key 'network'.
        """
        key = (pool.backend, project)
        if gone is None and key in self._servers:
            return self._servers[key]
        network = self._add(
            'share_networks',
            gone,
            project_id=project,
            name=f'{pool.backend}-net',
            status='active',
        )
        octet = self._random.randrange(256)
        subnet = self._add(
            'share_network_subnets',
            gone,
            neutron_net_id=self._uuid(),
            neutron_subnet_id=self._uuid(),
            network_type='vlan',
            segmentation_id=self._random.randrange(100, 4000),
            cidr=f'10.7.{octet}.0/24',
            gateway=f'10.7.{octet}.1',
            mtu=1500,
            ip_version=4,
            share_network_id=network['id'],
            availability_zone_id=self._zone['id'],
        )
        server = self._add(
            'share_servers',
            gone,
            host=f'{HOST}@{pool.backend}',
            status='active',
            is_auto_deletable=True,
            identifier=self._uuid(),
        )
        self._add(
            'share_server_share_network_subnet_mappings',
            gone,
            share_server_id=server['id'],
            share_network_subnet_id=subnet['id'],
        )
        for name in ('vserver_name', 'ports', 'lifs', 'router_id'):
            self._add(
                'share_server_backend_details',
                gone,
                share_server_id=server['id'],
                key=name,
                value=f'os_{server["id"]}',
            )
        for last in range(10, 12):
            self._add(
                'network_allocations',
                gone,
                ip_address=f'10.7.{octet}.{last}',
                mac_address=f'fa:16:3e:00:{octet:02x}:{last:02x}',
                share_server_id=server['id'],
                share_network_subnet_id=subnet['id'],
                label='user',
                network_type='vlan',
                ip_version=4,
                cidr=subnet['cidr'],
                mtu=1500,
            )
        made = {'id': server['id'], 'network': network['id']}
        if gone is None:
            self._servers[key] = made
        return made

    def _share(
        self,
        pool: Pool,
        gone: Optional[datetime.datetime] = None,
        **values: Any,
    ) -> Row:
        """Add a share with everything that hangs on it."""
        rng = self._random
        project, user = rng.choice(self._projects)
        share = self._add(
            'shares',
            gone,
            **{
                'user_id': user,
                'project_id': project,
                'size': rng.choice((1, 10, 50, 100, 500, 2000)),
                'display_name': f'{rng.choice(_NAMES)}-{rng.randrange(1000)}',
                'share_proto': rng.choice(pool.protocols),
                'is_public': False,
                'snapshot_support': True,
                **values,
            },
        )
        server: Row = {}
        if pool.own_servers:
            # Some servers went with their last share.
            server = self._server(pool, project, None)
            if gone and rng.random() < 0.1:
                server = self._server(pool, project, gone)
        self._instance(share, pool, gone, server=server)
        for _ in range(rng.randrange(3)):
            self._add(
                'share_metadata',
                gone,
                share_id=share['id'],
                key=rng.choice(('owner', 'ticket', 'group', 'tier')),
                value=str(rng.randrange(10**4)),
            )
        for _ in range(rng.randrange(4)):
            self._access(share, gone)
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._snapshot(share, gone)
        return share

    def _instance(
        self,
        share: Row,
        pool: Pool,
        gone: Optional[datetime.datetime],
        status: str = 'available',
        server: Optional[Row] = None,
    ) -> Row:
        made = self._add(
            'share_instances',
            gone,
            created_at=share['created_at'],
            share_id=share['id'],
            host=pool.host,
            status='deleting' if gone else status,
            launched_at=share['created_at'],
            terminated_at=gone,
            availability_zone_id=self._zone['id'],
            access_rules_status='active',
            share_type_id=self._types[pool.share_type],
            cast_rules_to_readonly=False,
            share_network_id=(server or {}).get('network'),
            share_server_id=(server or {}).get('id'),
        )
        self._instances[share['id']].append(made)
        for admin_only in (False, True):
            path = self._add(
                'share_instance_export_locations',
                gone,
                uuid=self._uuid(),
                path=f'{self._address()}:/shares/{made["id"]}',
                share_instance_id=made['id'],
                is_admin_only=admin_only,
            )
            self._add(
                'share_instance_export_locations_metadata',
                gone,
                export_location_id=path['id'],
                key='preferred',
                value=str(not admin_only),
            )
        return made

    def _access(self, share: Row, gone: Optional[datetime.datetime]) -> None:
        kind, to = 'ip', self._address()
        if share['share_proto'] == 'CIFS':
            kind, to = 'user', f'user{self._random.randrange(500)}'
        rule = self._add(
            'share_access_map',
            gone,
            share_id=share['id'],
            access_type=kind,
            access_to=to,
            access_level=self._random.choice(_LEVELS),
        )
        for instance in self._instances[share['id']]:
            self._add(
                'share_instance_access_map',
                gone,
                share_instance_id=instance['id'],
                access_id=rule['id'],
                state='active',
            )

    def _snapshot(self, share: Row, gone: Optional[datetime.datetime]) -> None:
        snapshot = self._add(
            'share_snapshots',
            gone,
            share_id=share['id'],
            user_id=share['user_id'],
            project_id=share['project_id'],
            size=share['size'],
            share_size=share['size'],
            share_proto=share['share_proto'],
            display_name='before-the-change',
        )
        self._add(
            'share_snapshot_instances',
            gone,
            snapshot_id=snapshot['id'],
            share_instance_id=self._instances[share['id']][0]['id'],
            status='available',
            progress='100%',
            user_id=share['user_id'],
            project_id=share['project_id'],
            size=share['size'],
            share_proto=share['share_proto'],
        )

    def _recycle_bin(self) -> None:
        for days in (1, 2, 5):
            self._share(
                POOLS[0],
                is_soft_deleted=True,
                scheduled_to_be_deleted_at=self._ago(days=-days),
            )

    # What is on its way.

    def _migration(
        self,
        source: Pool,
        destination: Pool,
        task_state: str,
        since: datetime.datetime,
    ) -> None:
        share = self._share(source, task_state=task_state, updated_at=since)
        first = self._instances[share['id']][0]
        first['status'] = 'migrating'
        server: Row = {}
        if destination.own_servers:
            server = self._server(destination, share['project_id'], None)
        self._instance(share, destination, None, 'migrating_to', server=server)

    def _waiting_migration(self) -> None:
        """The storage is done, and the operator has to complete it."""
        self._migration(
            POOLS[1],
            POOLS[2],
            'migration_driver_phase1_done',
            self._ago(days=3, hours=2),
        )

    def _driver_migration(self) -> None:
        self._migration(
            POOLS[2],
            POOLS[1],
            'migration_driver_in_progress',
            self._ago(minutes=50),
        )

    def _host_assisted_migration(self) -> None:
        """manila-data copies it, file by file."""
        self._migration(
            POOLS[3],
            POOLS[0],
            'data_copying_in_progress',
            self._ago(hours=6),
        )

    def _operations(self) -> None:
        """One that is cut off by a stop, one that waits, a lost back end."""
        hour_ago, last_year = self._ago(hours=1), self._ago(days=400)
        share = self._share(POOLS[0], created_at=hour_ago)
        (instance,) = self._instances[share['id']]
        instance.update(status='extending', updated_at=hour_ago)
        share = self._share(POOLS[0], created_at=hour_ago)
        self._instances[share['id']][0]['status'] = 'awaiting_transfer'
        self._add(
            'transfers',
            created_at=hour_ago,
            resource_id=share['id'],
            resource_type='share',
            display_name='to the new project',
            expires_at=self._ago(minutes=-5),
            source_project_id=share['project_id'],
            accepted=False,
        )
        # The controller went, its shares stayed.
        for _ in range(4):
            share = self._share(POOLS[0], created_at=last_year)
            self._instances[share['id']][0]['host'] = 'ctl0@lvm1#LVM1'

    # What piles up.

    def _quotas(self) -> None:
        usages = []
        for project, user in self._projects:
            self._add(
                'project_user_quotas',
                user_id=user,
                project_id=project,
                resource='gigabytes',
                hard_limit=20000,
            )
            for resource in _RESOURCES:
                usages.append(
                    self._add(
                        'quota_usages',
                        project_id=project,
                        user_id=user,
                        resource=resource,
                        in_use=self._random.randrange(400),
                        reserved=0,
                    )
                )
        for number in range(DELETED_RESERVATIONS + 3):
            usage = self._random.choice(usages)
            gone = self._past() if number < DELETED_RESERVATIONS else None
            made = gone or self._ago(seconds=20)
            row = self._add(
                'reservations',
                gone,
                created_at=made,
                uuid=self._uuid(),
                usage_id=usage['id'],
                project_id=usage['project_id'],
                user_id=usage['user_id'],
                resource=usage['resource'],
                delta=1,
                expire=made + datetime.timedelta(days=1),
            )
            # Left by statements that somebody typed: no purge takes them.
            if gone and number % 71 == 0:
                row['deleted_at'] = None

    def _messages(self) -> None:
        for number in range(420):
            project, _user = self._random.choice(self._projects)
            gone = self._past() if number % 3 == 0 else None
            self._add(
                'messages',
                gone,
                created_at=gone or self._ago(days=number % 30),
                project_id=project,
                request_id=f'req-{self._uuid()}',
                resource_type='SHARE',
                resource_id=self._uuid(),
                action_id='001',
                detail_id='002',
                message_level='ERROR',
                expires_at=self._ago(days=number % 30 - 30),
            )

    def _backups_and_transfers(self) -> None:
        shares = [r for r in self._rows['shares'] if not r['deleted_at']]
        for share in shares[:40]:
            gone = self._past() if self._random.random() < 0.5 else None
            self._add(
                'share_backups',
                gone,
                user_id=share['user_id'],
                project_id=share['project_id'],
                display_name='weekly',
                host=HOST,
                topic='manila-data',
                status='available',
                progress='100',
                size=share['size'],
                share_id=share['id'],
                availability_zone_id=self._zone['id'],
            )
        for share in shares[40:46]:
            gone = self._past()
            row = self._add(
                'transfers',
                gone,
                resource_id=share['id'],
                resource_type='share',
                display_name='to the other group',
                expires_at=gone,
                source_project_id=self._projects[0][0],
                destination_project_id=share['project_id'],
                accepted=True,
            )
            # What manila writes when a transfer is accepted.
            row['deleted'] = '1'
