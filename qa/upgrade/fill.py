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

"""Fill a cloud with objects through the API of the running release."""

from qa.upgrade import processes

#: The size of every share.
GIB = 1

#: The share type that requires a back end by its share_backend_name.
PINNED = 'pinned'


class Filler:
    """Creates one object of each kind that an upgrade can meet."""

    def __init__(self, client):
        self.client = client
        self.ids = {}

    def fill(self):
        """Create one object of every kind; wait until all are available."""
        self._types()
        self._network()
        shares = {
            'first': {'share_type': 'plain'},
            'second': {'share_type': 'plain'},
            'windows': {'share_type': 'plain', 'share_proto': 'CIFS'},
            'copied': {'share_type': 'copied'},
            'moving': {'share_type': 'plain'},
            'on beta': {'share_type': PINNED},
            'served': {
                'share_type': 'served',
                'share_network_id': self.ids['network'],
            },
            'deleted': {'share_type': 'plain'},
            'unmanaged': {'share_type': 'plain'},
        }
        for name, values in shares.items():
            self.share(name, **values)
        for name in shares:
            self.wait_share(name)
        self._children()
        self._deletions()
        return self.ids

    def share(self, name, **values):
        """Request a share, without waiting for it."""
        made = self.client.post(
            '/shares',
            share={
                'share_proto': 'NFS',
                'size': GIB,
                'name': name,
                'availability_zone': 'nova',
                **values,
            },
        )
        self.ids[name] = made['share']['id']

    def wait_share(self, name):
        """Wait until a share is available."""
        self.client.wait_status(
            f'/shares/{self.ids[name]}', 'share', 'available'
        )

    def type_of(self, name, handles, **specs):
        made = self.client.post(
            '/types',
            share_type={
                'name': name,
                'share_type_access:is_public': True,
                'extra_specs': {
                    'driver_handles_share_servers': handles,
                    **specs,
                },
            },
        )
        self.ids[f'type {name}'] = made['share_type']['id']

    def _types(self):
        able = {
            'snapshot_support': 'True',
            'create_share_from_snapshot_support': 'True',
        }
        self.type_of('plain', 'False', **able)
        self.type_of('copied', 'False', replication_type='readable')
        self.type_of('served', 'True')
        self.type_of(PINNED, 'False', share_backend_name='BETA')
        self.type_of('unused', 'False')
        self.client.delete(f'/types/{self.ids.pop("type unused")}')
        made = self.client.post(
            '/share-group-types',
            share_group_type={
                'name': 'grouped',
                'share_types': [self.ids['type plain']],
            },
        )
        self.ids['group type'] = made['share_group_type']['id']

    def _network(self):
        made = self.client.post('/share-networks', share_network={})
        self.ids['network'] = made['share_network']['id']
        made = self.client.post('/share-networks', share_network={})
        self.client.delete(f'/share-networks/{made["share_network"]["id"]}')

    def _children(self):
        """Create what belongs to a share, all together, and wait for it."""
        client, ids = self.client, self.ids
        waited = []
        for name in ('snapshot', 'deleted snapshot'):
            made = client.post(
                '/snapshots',
                snapshot={'share_id': ids['first'], 'name': name},
            )
            ids[name] = made['snapshot']['id']
            waited.append((f'/snapshots/{ids[name]}', 'snapshot'))
        made = client.post(
            '/share-replicas',
            share_replica={
                'share_id': ids['copied'],
                'availability_zone': 'nova',
            },
        )
        ids['replica'] = made['share_replica']['id']
        waited.append((f'/share-replicas/{ids["replica"]}', 'share_replica'))
        made = client.post(
            '/share-groups',
            share_group={
                'name': 'group',
                'share_group_type_id': ids['group type'],
                'share_types': [ids['type plain']],
            },
        )
        ids['group'] = made['share_group']['id']
        client.wait_status(
            f'/share-groups/{ids["group"]}', 'share_group', 'available'
        )
        self.share('grouped', share_type='plain', share_group_id=ids['group'])
        waited.append((f'/shares/{ids["grouped"]}', 'share'))
        for name, kind, to in (
            ('first', 'ip', '192.0.2.1'),
            ('first', 'ip', '192.0.2.2'),
            ('windows', 'user', 'somebody'),
        ):
            self._allow(name, kind, to)
        for path, key in waited:
            client.wait_status(path, key, 'available')

    def _allow(self, name, kind, to):
        made = self.client.post(
            f'/shares/{self.ids[name]}/action',
            allow_access={
                'access_type': kind,
                'access_to': to,
                'access_level': 'rw',
            },
        )
        access = made['access']['id']
        self.ids[f'rule {to}'] = access
        self._wait_rule(access, 'active')

    def _wait_rule(self, access, wanted):
        seen = None

        def there():
            nonlocal seen
            rules = self.client.get(
                f'/share-access-rules?share_id={self.ids["first"]}'
            )['access_list']
            rules += self.client.get(
                f'/share-access-rules?share_id={self.ids["windows"]}'
            )['access_list']
            seen = {rule['id']: rule['state'] for rule in rules}.get(
                access, 'gone'
            )
            return seen == wanted

        if not processes.wait_for(there, 60):
            raise processes.Broken(f'rule {access} is {seen}, not {wanted}')

    def _deletions(self):
        client, ids = self.client, self.ids
        rule = ids.pop('rule 192.0.2.2')
        client.post(
            f'/shares/{ids["first"]}/action',
            deny_access={'access_id': rule},
        )
        share = ids.pop('deleted')
        snapshot = ids.pop('deleted snapshot')
        client.delete(f'/shares/{share}')
        client.delete(f'/snapshots/{snapshot}')
        unmanaged = ids.pop('unmanaged')
        client.post(f'/shares/{unmanaged}/action', unmanage=None)
        self._wait_rule(rule, 'gone')
        for one in (share, unmanaged):
            client.wait_status(f'/shares/{one}', 'share', 'gone')
        client.wait_status(f'/snapshots/{snapshot}', 'snapshot', 'gone')

    def migrate(self, name):
        """Migrate a share to another back end, up to where it waits."""
        client, share = self.client, self.ids[name]
        host = client.get(f'/shares/{share}')['share']['host']
        to = 'beta' if '@alpha' in host else 'alpha'
        client.post(
            f'/shares/{share}/action',
            migration_start={
                'host': f'ctl1@{to}#fake_pool_for_{to.upper()}',
                'force_host_assisted_migration': False,
                'preserve_metadata': True,
                'preserve_snapshots': True,
                'writable': True,
                'nondisruptive': False,
            },
        )
        self.wait_task(name, 'migration_driver_phase1_done')

    def wait_task(self, name, wanted, seconds=90):
        """Wait for the state of a migration."""
        seen = None

        def there():
            nonlocal seen
            share = self.client.get(f'/shares/{self.ids[name]}')['share']
            seen = share['task_state']
            return seen == wanted

        if not processes.wait_for(there, seconds):
            raise processes.Broken(
                f'the migration of {name} is {seen}, not {wanted}'
            )


#: Path of the API -> the key of the list in its answer.
LISTS = {
    '/shares': 'shares',
    '/snapshots': 'snapshots',
    '/share-replicas': 'share_replicas',
    '/share-groups': 'share_groups',
    '/share-group-types': 'share_group_types',
    '/share-networks': 'share_networks',
    '/share-servers': 'share_servers',
    '/types': 'share_types',
}


def inventory(client):
    """Return every object that the API lists: {path: {id: status}}."""
    found = {}
    for path, key in LISTS.items():
        listed = client.get(path)[key]
        found[path] = {
            item['id']: client.status(
                f'{path}/{item["id"]}', key[: -1 if key != 'types' else None]
            )
            for item in listed
        }
    return found
