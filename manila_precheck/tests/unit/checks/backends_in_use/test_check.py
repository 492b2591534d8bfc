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
import datetime

import ddt

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'backends-in-use'
SECOND = datetime.timedelta(seconds=1)

UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

LVM = 'manila.share.drivers.lvm.LVMShareDriver'

CONFIG = f"""
[DEFAULT]
host = ctl
enabled_share_backends = alpha,beta
[alpha]
share_driver = {LVM}
driver_handles_share_servers = False
[beta]
share_driver = {LVM}
driver_handles_share_servers = False
"""

NOBODY = (
    'is not served: the files enable no such back end, and no manila-share '
    'reports under that name'
)
HOST_NAMES = 'which [DEFAULT] host names'
OTHER = model.advice(
    'If another controller serves it, add it to other_backends:'
)


def list_them(host):
    return model.command(f'openstack share list --all-projects --host {host}')


def say_so(host):
    return model.config(f'[manila_precheck]\nother_backends = {host}')


def enable(name):
    return (
        model.advice(
            f'If this controller should serve it, add a section [{name}] and '
            'name it in enabled_share_backends.'
        ),
    )


def found(host, words, todo, severity=model.Severity.WARNING, **figures):
    data = dict.fromkeys(
        (
            'shares',
            'projects',
            'share_instances',
            'replicas',
            'snapshots',
            'share_servers',
            'share_groups',
        ),
        0,
    )
    return model.Finding(
        severity,
        model.Subject('backend', host),
        f'{host} {words}',
        tuple(todo),
        check_id=CHECK,
        data={**data, **figures},
    )


def service(host, beat, **values):
    return {
        'binary': 'manila-share',
        'host': host,
        'updated_at': beat,
        'state': 'up',
        **values,
    }


@ddt.ddt
class Scenarios(databases.Scenarios):
    def check(self, database, config=CONFIG, **site):
        site.setdefault('target', '2026.1')
        result = self.run_check(CHECK, database, config=config, **site)
        self.assertEqual('', result.reason)
        return result.findings

    def share(self, database, one, *instances, project='p'):
        """Insert a share with instances: (host, further columns)."""
        database.insert('shares', {'id': one, 'project_id': project})
        database.insert(
            'share_instances',
            *(
                {'id': f'{one}-{n}', 'share_id': one, 'host': host, **values}
                for n, (host, values) in enumerate(instances)
            ),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_everything_is_served(self, release, target):
        database = self.database(release)
        now = database.now()
        self.share(database, 'a', ('ctl@alpha#pool', {}))
        self.share(database, 'b', ('ctl@beta', {}))
        # Of another controller, which is up.
        self.share(database, 'c', ('ctl2@gamma#pool', {}))
        # Of a third one, which the operator has named.
        self.share(database, 'd', ('ctl3@delta#pool', {}))
        # No host was found, or it is gone.
        self.share(database, 'e', (None, {}), ('', {}))
        self.share(database, 'f', ('ctl@old#pool', {'deleted': 'f-0'}))
        database.insert('share_servers', {'id': 's', 'host': 'ctl@alpha'})
        database.insert('share_groups', {'id': 'g', 'host': 'ctl@beta#pool'})
        database.insert('services', service('ctl2@gamma', now))
        self.assertEqual(
            (),
            self.check(
                database,
                target=target,
                options={'other_backends': ['ctl3@delta']},
            ),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_everything_that_lies_on_one(self, release, target):
        database = self.database(release)
        replica = {'replica_state': 'in_sync'}
        active = {'replica_state': 'active'}
        self.share(database, 'a', ('ctl@old#p1', {}))
        self.share(database, 'b', ('ctl@old#p2', {}))
        self.share(
            database,
            'c',
            ('ctl@old#p1', replica),
            ('ctl@old#p2', replica),
            ('ctl@alpha#p', active),
            project='q',
        )
        database.insert(
            'share_snapshot_instances',
            {'id': 'x', 'share_instance_id': 'a-0'},
            {'id': 'y', 'share_instance_id': 'a-0'},
            {'id': 'z', 'share_instance_id': 'a-0', 'deleted': 'z'},
            {'id': 'w', 'share_instance_id': 'c-2'},
        )
        database.insert(
            'share_servers',
            {'id': 's', 'host': 'ctl@old'},
            {'id': 't', 'host': 'ctl@old', 'deleted': 't'},
            {'id': 'u', 'host': 'ctl9@older'},
        )
        database.insert('share_groups', {'id': 'g', 'host': 'ctl@old#p1'})
        self.assertEqual(
            (
                found(
                    'ctl9@older',
                    f'{NOBODY}; it still holds 1 share server',
                    [
                        list_them('ctl9@older'),
                        OTHER,
                        say_so('ctl9@older'),
                        *enable('older'),
                    ],
                    share_servers=1,
                ),
                found(
                    'ctl@old',
                    f'{NOBODY}; it still holds 3 shares, 2 projects, 2 '
                    'replicas, 2 snapshots, 1 share server, 1 share group',
                    [
                        list_them('ctl@old'),
                        OTHER,
                        say_so('ctl@old'),
                        *enable('old'),
                    ],
                    shares=3,
                    projects=2,
                    share_instances=4,
                    replicas=2,
                    snapshots=2,
                    share_servers=1,
                    share_groups=1,
                ),
            ),
            self.check(database, target=target),
        )

    def renamed(self, old, new, whose, listed=True):
        """Return that a back end goes by another host from now on."""
        controller, _, name = old.partition('@')
        which = f'the back end {name}' if name else 'the back end'
        return found(
            old,
            f'is {which} of these files under another host: no service has '
            f'ever reported as {new.partition("@")[0]}, {whose}; from the '
            'next start on it is a back end of its own, and nothing serves '
            'the old one; it still holds 1 share, 1 project',
            [
                *([list_them(old)] if listed else []),
                model.advice(
                    'If these files are for the same storage, keep the name:'
                ),
                model.config(f'[DEFAULT]\nhost = {controller}'),
                model.advice(
                    'Or rename it while the services are down; every host '
                    'with this prefix is renamed:'
                ),
                model.command(
                    'manila-manage share update_host --currenthost '
                    f'{old} --newhost {new}'
                ),
                model.advice(
                    'If another controller goes on serving it, add it to '
                    'other_backends:'
                ),
                say_so(old),
            ],
            shares=1,
            projects=1,
            share_instances=1,
        )

    @ddt.data(('plan', 0), ('plan', 9999), ('stopped', 9999))
    @ddt.unpack
    def test_a_controller_that_was_renamed(self, stage, seconds):
        database = self.database('2025.1')
        self.share(database, 'a', ('old@alpha#pool', {}))
        beat = database.now() - seconds * SECOND
        database.insert('services', service('old@alpha', beat))
        self.assertEqual(
            (
                self.renamed(
                    'old@alpha',
                    'ctl@alpha',
                    HOST_NAMES,
                    listed=stage == 'plan',
                ),
            ),
            self.check(database, stage=stage),
        )

    def test_a_pod_whose_name_is_new(self):
        """Nothing sets host, and the machine is called otherwise."""
        database = self.database('2025.1')
        self.share(database, 'a', ('hostgroup@alpha#pool', {}))
        database.insert(
            'services',
            service('hostgroup@alpha', database.now()),
            service('hostgroup', database.now(), binary='manila-scheduler'),
        )
        config = CONFIG.replace('host = ctl', '')
        self.assertEqual(
            (
                self.renamed(
                    'hostgroup@alpha',
                    'newctl-0@alpha',
                    'the name of this machine, since host is not set',
                ),
            ),
            self.check(
                database, config, files={'root/etc/hostname': 'newctl-0\n'}
            ),
        )
        # What has reported is not new, be it another service.
        database.insert(
            'services',
            service('newctl-0', databases.LONG_AGO, binary='manila-data'),
        )
        self.assertEqual(
            (),
            self.check(
                database, config, files={'root/etc/hostname': 'newctl-0\n'}
            ),
        )

    def test_a_new_controller_with_back_ends_of_its_own(self):
        database = self.database('2025.1')
        self.share(database, 'a', ('old@gamma#pool', {}))
        database.insert('services', service('old@gamma', database.now()))
        self.assertEqual((), self.check(database))

    def test_a_new_controller_beside_several_that_are_alike(self):
        """As with LVM, where each serves the disks that it has."""
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl1@alpha#pool', {}))
        self.share(database, 'b', ('ctl2@alpha#pool', {}))
        for host in ('ctl1@alpha', 'ctl2@alpha'):
            database.insert('services', service(host, database.now()))
        self.assertEqual((), self.check(database))
        # But one that has got its domain, or lost it.
        config = CONFIG.replace('host = ctl', 'host = ctl2.example.org')
        self.assertEqual(
            (
                self.renamed(
                    'ctl2@alpha', 'ctl2.example.org@alpha', HOST_NAMES
                ),
            ),
            self.check(database, config),
        )

    def test_the_only_other_one_goes_on(self):
        database = self.database('2025.1')
        self.share(database, 'a', ('old@alpha#pool', {}))
        database.insert('services', service('old@alpha', database.now()))
        self.assertEqual(
            (),
            self.check(database, options={'other_backends': ['old@alpha']}),
        )

    def test_any_controller_may_serve_where_none_is_named(self):
        database = self.database('2025.1')
        self.share(database, 'a', ('one@alpha#pool', {}))
        self.share(database, 'b', ('two@beta', {}))
        self.share(database, 'c', ('one@gamma', {}))
        # The end of a name is not the name.
        self.share(database, 'd', ('one@notalpha', {}))
        self.assertEqual(
            ['one@gamma', 'one@notalpha'],
            [
                finding.subject.name
                for finding in self.check(
                    database, CONFIG.replace('host = ctl', '')
                )
            ],
        )

    def test_a_back_end_that_was_taken_out_but_still_runs(self):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl@old#pool', {}))
        database.insert('services', service('ctl@old', database.now()))
        self.assertEqual(
            (
                found(
                    'ctl@old',
                    'is still served, but the files do not enable it: '
                    'manila-share stops serving it at its next start; it '
                    'still holds 1 share, 1 project',
                    [
                        list_them('ctl@old'),
                        OTHER,
                        say_so('ctl@old'),
                        model.advice('If this controller should serve it:'),
                        model.config(
                            '[DEFAULT]\n'
                            'enabled_share_backends = alpha,beta,old'
                        ),
                    ],
                    shares=1,
                    projects=1,
                    share_instances=1,
                ),
            ),
            self.check(database, CONFIG + '[old]\n'),
        )

    @ddt.data(
        (
            CONFIG.replace(LVM, 'manila.share.drivers.gone.Driver', 1),
            'is enabled, but 2026.1 does not have its driver '
            'manila.share.drivers.gone.Driver',
        ),
        (
            CONFIG.replace('[alpha]', '[omega]'),
            'is enabled, but no file has a section [alpha]',
        ),
        (
            CONFIG.replace(
                LVM,
                'manila.share.drivers.dell_emc.driver.EMCShareDriver\n'
                'emc_share_backend = vmax2',
                1,
            ),
            'is enabled, but 2026.1 does not have the plugin of its '
            "emc_share_backend 'vmax2'",
        ),
    )
    @ddt.unpack
    def test_a_driver_that_the_target_does_not_have(self, config, words):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl@alpha#pool', {}))
        self.share(database, 'b', ('ctl@beta#pool', {}))
        database.insert('services', service('ctl@alpha', database.now()))
        self.assertEqual(
            (
                found(
                    'ctl@alpha',
                    f'{words}; it still holds 1 share, 1 project',
                    [
                        list_them('ctl@alpha'),
                        model.advice('See the findings of backend-drivers.'),
                    ],
                    shares=1,
                    projects=1,
                    share_instances=1,
                ),
            ),
            self.check(database, config),
        )

    def test_a_driver_of_a_third_party_is_not_judged(self):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl@alpha#pool', {}))
        config = CONFIG.replace(LVM, 'acme.Driver', 1)
        self.assertEqual((), self.check(database, config))

    @ddt.data(f'share_driver = {LVM}', 'driver_handles_share_servers = False')
    def test_a_single_back_end_without_a_name(self, line):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl#pool', {}))
        self.share(database, 'b', ('other#pool', {}))
        config = f'[DEFAULT]\n{line}\n'
        self.assertEqual((), self.check(database, config))
        (finding,) = self.check(database, config + 'host = new\n')[:1]
        self.assertEqual(
            ('ctl', model.Severity.WARNING),
            (finding.subject.name, finding.severity),
        )
        database.insert('services', service('ctl', databases.LONG_AGO))
        (finding,) = self.check(database, config + 'host = ctl\n')
        self.assertEqual(
            found(
                'other',
                f'{NOBODY}; it still holds 1 share, 1 project',
                [
                    list_them('other'),
                    OTHER,
                    say_so('other'),
                    model.advice(
                        'If this controller serves it under another name, '
                        'rename it; every host with this prefix is renamed:'
                    ),
                    model.command(
                        'manila-manage share update_host --currenthost other '
                        '--newhost ctl'
                    ),
                ],
                shares=1,
                projects=1,
                share_instances=1,
            ),
            finding,
        )

    @ddt.data(('up', 5, 0), ('stopped', 5, 1), ('up', 400, 1))
    @ddt.unpack
    def test_a_host_without_manila_share_goes_by_the_services(
        self, state, seconds, findings
    ):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl2@gamma#pool', {}))
        beat = database.now() - seconds * SECOND
        database.insert('services', service('ctl2@gamma', beat, state=state))
        self.assertEqual(
            findings, len(self.check(database, '[DEFAULT]\nhost = ctl\n'))
        )

    @ddt.data('stopped', 'down', 'up')
    def test_stopped_a_row_says_who_served_it(self, state):
        database = self.database('2025.1')
        self.share(database, 'a', ('ctl2@gamma#pool', {}))
        self.share(database, 'b', ('ctl@old', {}))
        self.share(database, 'c', ('ctl@alpha', {}))
        self.share(database, 'd', ('ctl4@delta', {}))
        for host in ('ctl2@gamma', 'ctl@old', 'ctl@alpha'):
            database.insert(
                'services', service(host, databases.LONG_AGO, state=state)
            )
        nobody = (
            'is not enabled in the files that were read, and no manila-share '
            'of another controller served it; it still holds 1 share, 1 '
            'project'
        )
        figures = {'shares': 1, 'projects': 1, 'share_instances': 1}
        self.assertEqual(
            (
                found(
                    'ctl4@delta',
                    nobody,
                    [OTHER, say_so('ctl4@delta'), *enable('delta')],
                    **figures,
                ),
                found(
                    'ctl@old',
                    nobody,
                    [OTHER, say_so('ctl@old'), *enable('old')],
                    **figures,
                ),
                found(
                    'ctl2@gamma',
                    'is not enabled in the files that were read; a '
                    'manila-share served it, but while the services are down '
                    'it is not known whether another controller enables it; '
                    'it still holds 1 share, 1 project',
                    [OTHER, say_so('ctl2@gamma'), *enable('gamma')],
                    severity=model.Severity.INFO,
                    **figures,
                ),
            ),
            self.check(database, stage='stopped'),
        )


class BackendsInUseTest(Scenarios, databases.SQLiteTest):
    pass
