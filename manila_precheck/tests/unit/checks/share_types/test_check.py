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
import ddt

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'share-types'
LVM = 'manila.share.drivers.lvm.LVMShareDriver'

CONFIG = f"""
[DEFAULT]
host = ctl
enabled_share_backends = alpha,beta
[alpha]
share_driver = {LVM}
driver_handles_share_servers = False
share_backend_name = Gold
[beta]
share_driver = {LVM}
driver_handles_share_servers = False
share_backend_name = silver
"""


def found(subject, message, todo, aspect, **data):
    return model.Finding(
        model.Severity.WARNING,
        subject,
        message,
        tuple(todo),
        check_id=CHECK,
        aspect=aspect,
        data=data,
    )


def unserved(name, key, there, value=None, though=''):
    what = f'a {key} that' if value is None else f'{key} = {value!r}, which'
    return found(
        model.Subject('share_type', name, uuid=f'id-{name}'),
        f'share type {name!r} requires {what} no back end of the files has '
        f'({there}){though}: the scheduler finds no host, and each new share '
        'of this type goes to error',
        [
            model.advice(
                'Correct the option of the back end, or the share type:'
            ),
            model.command(f'openstack share type show id-{name}'),
            model.advice(
                'If another controller has such a back end, name it in '
                '[manila_precheck] other_backends.'
            ),
        ],
        key,
        key=key,
        **({} if value is None else {'value': value}),
    )


@ddt.ddt
class Scenarios(databases.Scenarios):
    #: How many extra specs there are.
    specs = 0

    def check(self, database, config=CONFIG, **site):
        site.setdefault('target', '2026.1')
        result = self.run_check(CHECK, database, config=config, **site)
        self.assertEqual('', result.reason)
        return result.findings

    def kind(self, database, name, **specs):
        specs = {'driver_handles_share_servers': 'False', **specs}
        database.insert('share_types', {'id': f'id-{name}', 'name': name})
        for key, value in specs.items():
            if value is None:
                continue
            self.specs += 1
            database.insert(
                'share_type_extra_specs',
                {
                    'id': self.specs,
                    'share_type_id': f'id-{name}',
                    'spec_key': key.replace('__', ':'),
                    'spec_value': value,
                },
            )

    @ddt.data(
        ('2024.1', '2025.1', 'plan'),
        ('2025.1', '2026.1', 'plan'),
        ('2025.1', '2026.1', 'stopped'),
        ('2026.1', '2026.2', 'plan'),
    )
    @ddt.unpack
    def test_everything_is_there(self, release, target, stage):
        database = self.database(release)
        self.kind(database, 'a', share_backend_name='gold')
        self.kind(database, 'b', share_backend_name='s== SILVER')
        self.kind(database, 'c', share_backend_name='<or> lead <or> gold')
        self.kind(database, 'd', share_backend_name='<in> ol')
        self.kind(database, 'e', capabilities__share_backend_name='gold')
        self.kind(database, 'f', driver_handles_share_servers='<is> False')
        database.insert('shares', {'id': 's', 'share_proto': 'nfs'})
        database.insert(
            'share_instances', {'id': 'i', 'host': 'ctl@alpha#Gold'}
        )
        database.insert(
            'services', {'binary': 'manila-share', 'host': 'ctl@alpha'}
        )
        config = CONFIG.replace(
            'host = ctl', 'host = ctl\ndefault_share_type = a'
        )
        self.assertEqual(
            (), self.check(database, config, target=target, stage=stage)
        )

    def test_a_name_that_no_back_end_has(self):
        database = self.database('2025.1')
        self.kind(database, 'gone', share_backend_name='lead')
        self.kind(database, 'or', share_backend_name='<or> lead <or> tin')
        self.kind(database, 'scoped', capabilities__share_backend_name='tin')
        key = 'share_backend_name'
        there = 'Gold, silver'
        self.assertEqual(
            (
                unserved('gone', key, there),
                unserved('or', key, there),
                unserved('scoped', key, there),
            ),
            self.check(database),
        )
        # A back end whose name is that of its driver.
        config = CONFIG.replace('share_backend_name = silver', '')
        self.assertEqual((), self.check(database, config))
        # Another controller's may be called so.
        other = {'other_backends': ['ctl2@lead']}
        self.assertEqual((), self.check(database, options=other))
        database.insert(
            'services', {'binary': 'manila-share', 'host': 'ctl2@tin'}
        )
        self.assertEqual((), self.check(database))

    @ddt.data(
        (1, ', although the 1 share instance of this type is'),
        (3, ', although all 3 share instances of this type are'),
    )
    @ddt.unpack
    def test_a_name_that_a_back_end_has_lost(self, number, though):
        database = self.database('2025.1')
        key = 'share_backend_name'
        for name in ('held', 'nowhere'):
            self.kind(database, name, **{key: 'lead'})
        self.kind(database, 'there', **{key: 'gold'})
        self.kind(database, 'servers', driver_handles_share_servers='True')
        for name in ('held', 'there', 'servers'):
            database.insert(
                'share_instances',
                *(
                    {
                        'id': f'{name}{n}',
                        'host': f'ctl@alpha#p{n}',
                        'share_type_id': f'id-{name}',
                    }
                    for n in range(number)
                ),
            )
        database.insert(
            'share_instances',
            {
                'id': 'gone',
                'host': 'ctl2@lead#p',
                'share_type_id': 'id-held',
                'deleted': 'x',
            },
        )
        # Another controller's back ends, of which nothing else is known.
        site = {'options': {'other_backends': ['ctl2@lead']}}
        self.assertEqual(
            (
                unserved(
                    'held',
                    key,
                    'Gold, silver',
                    though=f'{though} on back ends of the files',
                ),
            ),
            self.check(database, **site),
        )
        # The name of the other back end is that of its driver.
        config = CONFIG.replace('share_backend_name = silver', '')
        self.assertEqual((), self.check(database, config, **site))
        database.insert(
            'share_instances',
            {
                'id': 'elsewhere',
                'host': 'ctl2@lead#p',
                'share_type_id': 'id-held',
            },
        )
        self.assertEqual((), self.check(database, **site))

    def test_a_mode_that_no_back_end_has(self):
        database = self.database('2025.1')
        key = 'driver_handles_share_servers'
        self.kind(database, 'servers', **{key: 'True'})
        self.assertEqual(
            (unserved('servers', key, 'False', 'True'),), self.check(database)
        )
        config = CONFIG.replace(f'{key} = False', f'{key} = True', 1)
        self.assertEqual((), self.check(database, config))

    @ddt.data(('False', 'server', 'a'), ('True', None, 'no'))
    @ddt.unpack
    def test_a_back_end_whose_mode_has_changed(self, mode, server, words):
        database = self.database('2025.1')
        key = 'driver_handles_share_servers'
        config = CONFIG.replace(f'{key} = False', f'{key} = {mode}')
        for number in range(2):
            database.insert(
                'share_instances',
                {
                    'id': f'i{number}',
                    'host': f'ctl@alpha#p{number}',
                    'share_server_id': server,
                },
                {
                    'id': f'other{number}',
                    'host': f'ctl2@alpha#p{number}',
                    'share_server_id': server,
                },
                {
                    'id': f'gone{number}',
                    'host': 'ctl@beta',
                    'share_server_id': server,
                    'deleted': 'x',
                },
            )
        self.assertEqual(
            (
                found(
                    model.Subject('backend', 'ctl@alpha'),
                    f'[alpha] {key} is {mode}, and 2 share instances on '
                    f'ctl@alpha have {words} share server: manila-share '
                    'starts, but can no longer manage them',
                    [
                        model.advice('Put back the mode of the back end:'),
                        model.config(f'[alpha]\n{key} = {server is not None}'),
                    ],
                    'mode',
                    share_instances=2,
                ),
            ),
            self.check(database, config),
        )

    def test_a_default_that_is_not_there(self):
        database = self.database('2025.1')
        self.kind(database, 'default')
        database.insert(
            'share_types', {'id': 'x', 'name': 'x', 'deleted': 'x'}
        )
        (got,) = self.check(
            database, CONFIG + '[DEFAULT]\ndefault_share_type = x\n'
        )
        self.assertEqual(
            found(
                got.subject,
                "default_share_type is 'x', and there is no share type of "
                'that name: a share that is created without a share type '
                'gets none',
                [
                    model.advice(
                        'Create it, or set the name of an existing share type:'
                    ),
                    model.command('openstack share type list --all'),
                ],
                'default',
            ),
            got,
        )
        self.assertEqual('DEFAULT/default_share_type', got.subject.name)

    @ddt.data(
        (None, True, True),
        ('maybe', True, True),
        ('', True, True),
        ('<is> true', False, True),
        ('TRUE', False, False),
        ('No', False, False),
    )
    @ddt.unpack
    def test_a_type_without_a_mode(self, value, fires, fires_as_default):
        database = self.database('2025.1')
        self.kind(database, 'odd', driver_handles_share_servers=value)
        config = CONFIG.replace(
            'driver_handles_share_servers = False',
            'driver_handles_share_servers = True',
            1,
        )

        def told(effect, mode=False):
            return found(
                model.Subject('share_type', 'odd', uuid='id-odd'),
                "share type 'odd' has no driver_handles_share_servers that is "
                f'true or false: {effect}',
                [
                    model.advice(
                        'Set the mode of its back ends, True or False:'
                    ),
                    model.command(
                        'openstack share type set id-odd --extra-specs '
                        f'driver_handles_share_servers={mode}'
                    ),
                ],
                'mode',
                key='driver_handles_share_servers',
            )

        if fires:
            # All back ends have one mode.
            both = CONFIG.replace('servers = False', 'servers = True')
            self.assertEqual(
                (told('no share can be managed or migrated into it', True),),
                self.check(database, both),
            )

        self.assertEqual(
            (told('no share can be managed or migrated into it'),)
            if fires
            else (),
            self.check(database, config),
        )
        self.assertEqual(
            (
                told(
                    'it is the default_share_type, which manila-api then '
                    'ignores: a share that is created without a share type '
                    'goes to error'
                ),
            )
            if fires_as_default
            else (),
            self.check(
                database, config + '[DEFAULT]\ndefault_share_type = odd\n'
            ),
        )

    @ddt.data(
        ('readable', '', 'none sets replication_domain'),
        ('readable', 'replication_domain = one', None),
        ('<or> dr <or> mirror', 'replication_domain = one', None),
        ('mirror', 'replication_domain = one', 'dr, readable, writable'),
        ('', '', None),
    )
    @ddt.unpack
    def test_replication(self, wanted, line, there):
        database = self.database('2025.1')
        key = 'replication_type'
        self.kind(database, 'copied', **{key: wanted})
        self.assertEqual(
            (unserved('copied', key, there),) if there else (),
            self.check(database, f'{CONFIG}{line}\n'),
        )
        # The back ends of another controller are not known.
        other = {'other_backends': ['ctl2@lead']}
        self.assertEqual((), self.check(database, options=other))

    @ddt.data(
        ('nova', '', None),
        ('nova, az1', 'storage_availability_zone = az1', None),
        ('nova', 'storage_availability_zone = az1', 'az1, other'),
        (
            'nova',
            'storage_availability_zone = az1\n[beta]\n'
            'backend_availability_zone = nova',
            None,
        ),
        ('other', '', None),
        ('', 'storage_availability_zone = az1', None),
    )
    @ddt.unpack
    def test_availability_zones(self, wanted, lines, there):
        database = self.database('2025.1')
        key = 'availability_zones'
        self.kind(database, 'zoned', **{key: wanted})
        database.insert(
            'availability_zones',
            {'id': 'z1', 'name': 'nova'},
            {'id': 'z2', 'name': 'other'},
        )
        database.insert(
            'services',
            *(
                {
                    'binary': binary,
                    'host': host,
                    'availability_zone_id': zone,
                }
                for binary, host, zone in (
                    # Until its next report, the zone is the old one.
                    ('manila-share', 'ctl@alpha', 'z1'),
                    ('manila-share', 'ctl@beta', 'z1'),
                    ('manila-share', 'ctl2@alpha', 'z2'),
                    ('manila-data', 'ctl2', 'z1'),
                )
            ),
        )
        self.assertEqual(
            (unserved('zoned', key, there),) if there else (),
            self.check(database, f'{CONFIG}[DEFAULT]\n{lines}\n'),
        )

    def test_a_group_type_that_is_not_there(self):
        database = self.database('2025.1')
        database.insert(
            'share_group_types',
            {'id': 'a', 'name': 'a'},
            {'id': 'x', 'name': 'x', 'deleted': 'x'},
        )
        line = '[DEFAULT]\ndefault_share_group_type = {}\n'
        self.assertEqual((), self.check(database, CONFIG + line.format('a')))
        (got,) = self.check(database, CONFIG + line.format('x'))
        self.assertEqual(
            found(
                got.subject,
                "default_share_group_type is 'x', and there is no share group "
                'type of that name: a share group cannot be created without '
                'naming a type (400)',
                [
                    model.advice(
                        'Create it, or set the name of an existing share '
                        'group type:'
                    ),
                    model.command('openstack share group type list --all'),
                ],
                'default',
            ),
            got,
        )
        self.assertEqual('DEFAULT/default_share_group_type', got.subject.name)

    @ddt.data((1, 'has', 'it'), (2, 'have', 'them'))
    @ddt.unpack
    def test_a_deleted_type_of_shares(self, number, verb, them):
        database = self.database('2025.1')
        self.kind(database, 'there')
        database.insert(
            'share_types', {'id': 'old', 'name': 'old', 'deleted': 'old'}
        )
        for one in range(number):
            database.insert(
                'share_instances',
                *(
                    {
                        'id': f'{kind}{one}',
                        'host': f'ctl@{backend}',
                        'share_type_id': kind,
                        **({'deleted': 'x'} if kind == 'gone' else {}),
                    }
                    for kind, backend in (
                        ('old', 'alpha' if one else 'beta'),
                        ('gone', 'alpha'),
                        ('id-there', 'alpha'),
                    )
                ),
            )
        s = 's' if number > 1 else ''
        self.assertEqual(
            (
                found(
                    model.Subject('share_type', 'old', uuid='old'),
                    f"share type 'old' is deleted, and {number} share "
                    f'instance{s} {verb} it: no replica of {them} can be '
                    'created (404)',
                    [
                        model.advice(
                            "Set deleted of its row to 'False' and "
                            'deleted_at to NULL, and deleted of its extra '
                            'specs to 0.'
                        )
                    ],
                    'deleted',
                    share_instances=number,
                ),
            ),
            self.check(database),
        )

    @ddt.data(
        ('', 'NFS,CIFS,CEPHFS', 'CEPHFS'),
        ('enabled_share_protocols = cephfs\n', 'cephfs,NFS', 'NFS'),
    )
    @ddt.unpack
    def test_a_protocol_that_shares_have(self, line, lines, name):
        database = self.database('2025.1')
        database.insert(
            'shares',
            {'id': 'a', 'share_proto': 'CEPHFS'},
            {'id': 'c', 'share_proto': 'MAPRFS', 'deleted': 'c'},
            *([{'id': 'b', 'share_proto': 'nfs'}] if line else []),
        )
        (got,) = self.check(database, CONFIG + '[DEFAULT]\n' + line)
        self.assertEqual(
            found(
                got.subject,
                f'enabled_share_protocols does not name {name}, which 1 share '
                'has: manila-api refuses to create more of them',
                [
                    model.config(
                        f'[DEFAULT]\nenabled_share_protocols = {lines}'
                    )
                ],
                f'protocol-{name}',
                shares=1,
            ),
            got,
        )

    def test_without_a_back_end(self):
        database = self.database('2025.1')
        self.kind(database, 'gone', share_backend_name='lead')
        self.assertEqual((), self.check(database, '[DEFAULT]\nhost = ctl\n'))


class ShareTypesTest(Scenarios, databases.SQLiteTest):
    def test_without_a_database(self):
        result = self.run_check(
            CHECK, 'sqlite:////nowhere/manila.sqlite', source='2025.1'
        )
        self.assertEqual(model.Outcome.ERROR, result.outcome)
