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

CHECK = 'in-flight-operations'
THEN = databases.LONG_AGO
SINCE = '2024-03-05 06:07'
HOST = 'one@a#p'

UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

GUIDE = (
    'https://docs.openstack.org/manila/latest/admin/'
    'shared-file-systems-upgrades.html'
)

INFO, WARNING, FAILURE = (
    model.Severity.INFO,
    model.Severity.WARNING,
    model.Severity.FAILURE,
)

# What each state weighs at plan and at stopped.
RESUMED = WAITS = (INFO, INFO)
UNSURE = (WARNING, WARNING)
STUCK = LOST = (WARNING, FAILURE)

CALL = 'runs inside one call of manila-share, and nothing resumes it'
AFTER = model.advice('Once the services of the target run:')
LET_IT = model.advice(
    'Let it finish before you stop the services. If it no longer makes '
    'progress:'
)
LOOK = model.advice(
    'Check its state on the storage system; then, if necessary:'
)


def instance(one, status, **values):
    return {
        'id': one,
        'share_id': f'share-{one}',
        'host': HOST,
        'status': status,
        'updated_at': THEN,
        **values,
    }


def row(one, status, **values):
    return {'id': one, 'status': status, 'updated_at': THEN, **values}


def found(kind, one, state, severity, words, todo, **data):
    """Return a finding; the words are those between its name and state."""
    noun, extra, fate, what = words
    values = {
        'state': state,
        'fate': fate,
        'owner': 'manila-share',
        'since': THEN.isoformat(),
        'host': HOST,
        'share_id': f'share-{one}',
        'snapshot_id': None,
        'progress': None,
    }
    values.update(data)
    return model.Finding(
        severity,
        model.Subject(kind, one, uuid=one),
        f'{noun} {one}{extra}: it {what}',
        tuple(todo),
        (GUIDE,),
        values,
        check_id=CHECK,
    )


def copied(one, status, **values):
    """Return a backup that a manila-data copies."""
    return row(
        one, status, **{'topic': 'manila-data', 'host': 'ctl', **values}
    )


# Statuses of share instances that are told without another table.
INSTANCES = {
    'creating': STUCK,
    'deleting': STUCK,
    'manage_starting': STUCK,
    'unmanage_starting': STUCK,
    'extending': STUCK,
    'shrinking': STUCK,
    'reverting': STUCK,
    'restoring': STUCK,
    'replication_change': STUCK,
    'creating_from_snapshot': RESUMED,
    'reverting_to_snapshot': RESUMED,
    'migrating': STUCK,
    'migrating_to': STUCK,
    'server_migrating': STUCK,
    'server_migrating_to': STUCK,
    'deferred_deleting': STUCK,
    'awaiting_transfer': STUCK,
    'backup_creating': STUCK,
    'backup_restoring': STUCK,
    'ensuring': UNSURE,
}

SNAPSHOTS = {
    'creating': STUCK,
    'deleting': STUCK,
    'manage_starting': STUCK,
    'unmanage_starting': STUCK,
    'restoring': STUCK,
    'migrating': STUCK,
    'migrating_to': STUCK,
    'server_migrating': STUCK,
    'server_migrating_to': STUCK,
    'deferred_deleting': STUCK,
}

SERVERS = {
    'creating': STUCK,
    'deleting': STUCK,
    'manage_starting': STUCK,
    'unmanage_starting': STUCK,
    'network_change': STUCK,
    'server_migrating': STUCK,
    'server_migrating_to': STUCK,
}

RULES = {
    'queued_to_apply': UNSURE,
    'queued_to_deny': UNSURE,
    'queued_to_update': UNSURE,
    'applying': STUCK,
    'denying': STUCK,
    'updating': STUCK,
}

SNAPSHOT_RULES = {
    'queued_to_apply': UNSURE,
    'queued_to_deny': UNSURE,
    'applying': UNSURE,
    'denying': UNSURE,
}

BACKUPS = {'creating': LOST, 'restoring': LOST, 'deleting': STUCK}
DRIVER_BACKUPS = {'creating': RESUMED, 'restoring': RESUMED, 'deleting': STUCK}
GROUPS = {'creating': STUCK, 'deleting': STUCK}

AT_REST = ('available', 'active', 'error', 'error_deleting', 'inactive')


@ddt.ddt
class Scenarios(databases.Scenarios):
    def stages(self, database, **site):
        """Return {kind, name: severities at plan and stopped}."""
        told = {}
        for stage in ('plan', 'stopped'):
            result = self.run_check(CHECK, database, stage=stage, **site)
            self.assertEqual('', result.reason)
            for finding in result.findings:
                key = (finding.subject.kind, finding.subject.name)
                told.setdefault(key, []).append(finding.severity)
        return {key: tuple(value) for key, value in told.items()}

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_nothing_is_under_way(self, release, target):
        database = self.database(release)
        for number, status in enumerate(AT_REST):
            one = f'r{number}'
            database.insert(
                'share_instances',
                instance(one, status, access_rules_status='active'),
                instance(f'{one}x', 'creating', deleted=f'{one}x'),
            )
            for table in (
                'share_snapshot_instances',
                'share_servers',
                'share_networks',
                'share_groups',
                'share_group_snapshots',
                'share_backups',
            ):
                database.insert(
                    table,
                    row(one, status),
                    row(f'{one}x', 'creating', deleted=f'{one}x'),
                )
        database.insert(
            'transfers',
            {'id': 'a', 'accepted': True, 'deleted': '1'},
            {'id': 'b', 'accepted': False, 'deleted': 'b'},
        )
        for table in (
            'share_instance_access_map',
            'share_snapshot_instance_access_map',
        ):
            database.insert(
                table,
                {'id': 'a', 'state': 'active'},
                {'id': 'b', 'state': 'error'},
                {'id': 'c', 'state': 'applying', 'deleted': 'c'},
            )
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual(
            (model.Outcome.PASSED, '', ()),
            (result.outcome, result.reason, result.findings),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_every_state_of_every_kind(self, release, target):
        database = self.database(release)
        expected = {}
        for table, kind, states, make in (
            ('share_instances', 'share_instance', INSTANCES, instance),
            (
                'share_snapshot_instances',
                'share_snapshot_instance',
                SNAPSHOTS,
                row,
            ),
            ('share_servers', 'share_server', SERVERS, row),
            (
                'share_networks',
                'share_network',
                {'network_change': STUCK},
                row,
            ),
            ('share_groups', 'share_group', GROUPS, row),
            ('share_group_snapshots', 'share_group_snapshot', GROUPS, row),
            ('share_backups', 'share_backup', BACKUPS, copied),
        ):
            for status, severities in states.items():
                database.insert(table, make(status, status))
                expected[kind, status] = severities
        for status, severities in DRIVER_BACKUPS.items():
            one = f'driver-{status}'
            database.insert(
                'share_backups', row(one, status, topic='manila-share')
            )
            expected['share_backup', one] = severities
            # The API died before it called anybody.
            database.insert('share_backups', row(f'no-{status}', status))
            expected['share_backup', f'no-{status}'] = STUCK
        for table, kind, states in (
            ('share_instance_access_map', 'access_rule', RULES),
            (
                'share_snapshot_instance_access_map',
                'snapshot_access_rule',
                SNAPSHOT_RULES,
            ),
        ):
            for state, severities in states.items():
                database.insert(table, {'id': state, 'state': state})
                expected[kind, state] = severities
        database.insert(
            'transfers',
            {'id': 't', 'resource_id': 'nobody', 'accepted': False},
        )
        expected['transfer', 't'] = WAITS
        self.assertEqual(expected, self.stages(database, target=target))

    def test_a_share_that_is_made(self):
        database = self.database('2025.1')
        database.insert('share_instances', instance('i', 'creating'))
        words = (
            'share instance',
            f' of share share-i on {HOST} is in creating since {SINCE}',
            'stuck',
            CALL,
        )
        reset = model.command('openstack share instance set --status error i')
        for stage, severity, todo in (
            ('plan', WARNING, [LET_IT, reset]),
            ('stopped', FAILURE, [AFTER, LOOK, reset]),
        ):
            self.assertEqual(
                (
                    found(
                        'share_instance',
                        'i',
                        'creating',
                        severity,
                        words,
                        todo,
                    ),
                ),
                self.run_check(
                    CHECK, database, target='2026.1', stage=stage
                ).findings,
            )

    def test_a_replica_that_is_promoted(self):
        database = self.database('2025.1')
        database.insert(
            'share_instances',
            instance('r', 'replication_change', replica_state='in_sync'),
            instance('s', 'available', replica_state='active'),
        )
        self.assertEqual(
            (
                found(
                    'share_instance',
                    'r',
                    'replication_change',
                    WARNING,
                    (
                        'replica',
                        f' of share share-r on {HOST} is in '
                        f'replication_change since {SINCE}',
                        'stuck',
                        'is a replica that one call of manila-share '
                        'promotes, and nothing resumes it',
                    ),
                    [
                        LET_IT,
                        model.command(
                            'openstack share replica set --status available r'
                        ),
                    ],
                ),
            ),
            self.run_check(CHECK, database, target='2026.1').findings,
        )

    def test_a_share_that_the_storage_makes(self):
        database = self.database('2025.1')
        database.insert(
            'share_instances',
            instance('c', 'creating_from_snapshot', progress='40%'),
        )
        self.assertEqual(
            (
                found(
                    'share_instance',
                    'c',
                    'creating_from_snapshot',
                    INFO,
                    (
                        'share instance',
                        f' of share share-c on {HOST} is in '
                        f'creating_from_snapshot (40%) since {SINCE}',
                        'resumed',
                        'is created by the storage system, which '
                        'manila-share polls again after it starts',
                    ),
                    [
                        AFTER,
                        model.advice(
                            'Let it finish. If it makes no progress once the '
                            'target runs:'
                        ),
                        model.command(
                            'openstack share instance set --status error c'
                        ),
                    ],
                    progress='40%',
                ),
            ),
            self.run_check(
                CHECK, database, target='2026.1', stage='stopped'
            ).findings,
        )

    def test_snapshots_on_replicas_are_resumed(self):
        database = self.database('2025.1')
        for replica_state in ('active', 'in_sync', 'out_of_sync'):
            database.insert(
                'share_instances',
                instance(
                    replica_state, 'available', replica_state=replica_state
                ),
            )
            database.insert(
                'share_snapshot_instances',
                row(
                    f's-{replica_state}',
                    'creating',
                    share_instance_id=replica_state,
                ),
                row(
                    f'm-{replica_state}',
                    'restoring',
                    share_instance_id=replica_state,
                ),
            )
        kind = 'share_snapshot_instance'
        self.assertEqual(
            {
                (kind, 's-active'): STUCK,
                (kind, 's-in_sync'): RESUMED,
                (kind, 's-out_of_sync'): RESUMED,
                (kind, 'm-active'): STUCK,
                (kind, 'm-in_sync'): STUCK,
                (kind, 'm-out_of_sync'): STUCK,
            },
            self.stages(database, target='2026.1'),
        )

    def test_a_migration_stands_for_all_that_it_holds(self):
        database = self.database('2025.1')
        database.insert(
            'shares', {'id': 's', 'task_state': 'migration_in_progress'}
        )
        database.insert(
            'share_servers',
            row(
                'from', 'server_migrating', task_state='migration_in_progress'
            ),
            row(
                'to',
                'server_migrating_to',
                task_state='migration_success',
                source_share_server_id='from',
            ),
        )
        database.insert(
            'share_instances',
            instance('a', 'migrating', share_id='s'),
            instance('b', 'migrating_to', share_id='s'),
            instance('c', 'server_migrating', share_server_id='from'),
        )
        database.insert(
            'share_snapshot_instances',
            row('x', 'migrating', share_instance_id='a'),
            row('y', 'server_migrating', share_instance_id='c'),
        )
        self.assertEqual({}, self.stages(database, target='2026.1'))

    @ddt.data(
        ('migrating', 'available', 'data_copying_error'),
        ('migrating_to', 'error', 'migration_error'),
        ('migrating', 'available', None),
    )
    @ddt.unpack
    def test_what_a_migration_left_behind(self, status, reset, task_state):
        database = self.database('2025.1')
        database.insert('shares', {'id': 's', 'task_state': task_state})
        database.insert('share_instances', instance('a', status, share_id='s'))
        self.assertEqual(
            (
                found(
                    'share_instance',
                    'a',
                    status,
                    WARNING,
                    (
                        'share instance',
                        f' of share s on {HOST} is in {status} since {SINCE}',
                        'stuck',
                        'belongs to a migration that has ended or never began',
                    ),
                    [
                        LET_IT,
                        model.command(
                            f'openstack share instance set --status {reset} a'
                        ),
                    ],
                    share_id='s',
                ),
            ),
            self.run_check(CHECK, database, target='2026.1').findings,
        )

    def test_a_backup_stands_for_its_share(self):
        database = self.database('2025.1')
        database.insert(
            'shares',
            {'id': 'made'},
            {'id': 'back', 'source_backup_id': 'r'},
            {'id': 'alone'},
        )
        database.insert(
            'share_instances',
            instance('m', 'backup_creating', share_id='made'),
            instance('b', 'backup_restoring', share_id='back'),
            instance('a', 'backup_restoring', share_id='alone'),
        )
        database.insert(
            'share_backups',
            row(
                'c',
                'creating',
                share_id='made',
                host='ctl',
                topic='manila-data',
                progress='30',
            ),
            copied('r', 'restoring', share_id='made'),
            copied('q', 'creating', share_id='made', host=None),
        )
        self.assertEqual(
            {
                ('share_backup', 'c'): LOST,
                ('share_backup', 'q'): STUCK,
                ('share_backup', 'r'): LOST,
                ('share_instance', 'a'): STUCK,
            },
            self.stages(database, target='2026.1'),
        )
        backup, *_ = (
            finding
            for finding in self.run_check(
                CHECK, database, target='2026.1'
            ).findings
            if finding.subject.name == 'c'
        )
        self.assertEqual(
            found(
                'share_backup',
                'c',
                'creating',
                WARNING,
                (
                    'share backup',
                    ' of share made on ctl is in creating (30%) since '
                    f'{SINCE}',
                    'lost',
                    'is copied by manila-data, which abandons the copy when '
                    'it starts: the backup becomes error, the share available',
                ),
                [
                    LET_IT,
                    model.command(
                        'openstack share backup set --status error c'
                    ),
                ],
                owner='manila-data',
                host='ctl',
                share_id='made',
                progress='30',
            ),
            backup,
        )

    def test_a_transfer_stands_for_its_share(self):
        database = self.database('2025.1')
        database.insert('share_instances', instance('i', 'awaiting_transfer'))
        database.insert(
            'transfers',
            {
                'id': 't',
                'resource_id': 'share-i',
                'accepted': False,
                'updated_at': THEN,
            },
        )
        self.assertEqual(
            (
                found(
                    'transfer',
                    't',
                    'open',
                    INFO,
                    (
                        'transfer',
                        f' of share share-i is open since {SINCE}',
                        'waits',
                        'waits to be accepted until it expires; the services '
                        'can be stopped',
                    ),
                    [
                        model.advice('If nobody is going to accept it:'),
                        model.command('openstack share transfer delete t'),
                    ],
                    owner=None,
                    host=None,
                    share_id='share-i',
                ),
            ),
            self.run_check(CHECK, database, target='2026.1').findings,
        )

    def test_a_rule_stands_for_its_share(self):
        database = self.database('2025.1')
        database.insert(
            'share_instances',
            instance('i', 'available', access_rules_status='syncing'),
            instance('j', 'available', access_rules_status='syncing'),
        )
        database.insert(
            'share_instance_access_map',
            {
                'id': 'm',
                'share_instance_id': 'i',
                'access_id': 'rule',
                'state': 'denying',
                'updated_at': THEN,
            },
        )
        listed = model.command('openstack share access list share-i')
        self.assertEqual(
            (
                found(
                    'access_rule',
                    'm',
                    'denying',
                    FAILURE,
                    (
                        'access rule',
                        f' of share share-i on {HOST} is in denying since '
                        f'{SINCE}',
                        'stuck',
                        'runs inside one call of manila-share and blocks '
                        'every other rule of the same share: manila-share '
                        'resets it at startup only if the driver ensures the '
                        'share',
                    ),
                    [
                        AFTER,
                        listed,
                        model.advice(
                            'If it makes no progress, remove it, then add it:'
                        ),
                        model.command(
                            'openstack share access delete share-i rule'
                        ),
                    ],
                    share_id='share-i',
                ),
                found(
                    'share_instance',
                    'j',
                    'syncing',
                    WARNING,
                    (
                        'share instance',
                        f' of share share-j on {HOST} is in syncing since '
                        f'{SINCE}',
                        'unsure',
                        'waits for access rules, but none is queued; the '
                        'next access rule of the share clears it',
                    ),
                    [
                        AFTER,
                        model.command('openstack share access list share-j'),
                    ],
                ),
            ),
            self.run_check(
                CHECK, database, target='2026.1', stage='stopped'
            ).findings,
        )

    def test_a_rule_of_a_snapshot(self):
        database = self.database('2025.1')
        database.insert('share_instances', instance('i', 'available'))
        database.insert(
            'share_snapshot_instances',
            row('n', 'available', share_instance_id='i', snapshot_id='snap'),
        )
        database.insert(
            'share_snapshot_instance_access_map',
            {
                'id': 'm',
                'share_snapshot_instance_id': 'n',
                'access_id': 'rule',
                'state': 'queued_to_apply',
                'updated_at': THEN,
            },
        )
        self.assertEqual(
            (
                found(
                    'snapshot_access_rule',
                    'm',
                    'queued_to_apply',
                    WARNING,
                    (
                        'snapshot access rule',
                        f' of share share-i on {HOST} is in queued_to_apply '
                        f'since {SINCE}',
                        'unsure',
                        'is applied when manila-share starts only if the '
                        'driver ensures the share, otherwise with the next '
                        'rule of the same snapshot',
                    ),
                    [
                        model.command(
                            'openstack share snapshot access list snap'
                        ),
                        model.advice(
                            'If it makes no progress, apply or deny it again:'
                        ),
                        model.command(
                            'openstack share snapshot access delete snap rule'
                        ),
                    ],
                    share_id='share-i',
                    snapshot_id='snap',
                ),
            ),
            self.run_check(CHECK, database, target='2026.1').findings,
        )

    def test_a_service_that_ensures_its_shares(self):
        database = self.database('2025.1')
        service = {'binary': 'manila-share', 'updated_at': THEN}
        database.insert(
            'services',
            {**service, 'host': 'one@a', 'ensuring': True},
            {**service, 'host': 'one@b', 'ensuring': False},
        )
        self.assertEqual(
            (
                model.Finding(
                    WARNING,
                    model.Subject('service', 'manila-share@one@a'),
                    'service manila-share@one@a is in ensuring since '
                    f'{SINCE}: it is ensuring its shares; the flag is '
                    'cleared when it has ensured them again, and until then '
                    'it rejects requests to ensure shares',
                    (
                        model.command(
                            'openstack share service list --host one@a '
                            '--binary manila-share'
                        ),
                    ),
                    (GUIDE,),
                    {
                        'state': 'ensuring',
                        'fate': 'unsure',
                        'owner': 'manila-share',
                        'since': THEN.isoformat(),
                        'host': 'one@a',
                        'share_id': None,
                        'snapshot_id': None,
                        'progress': None,
                    },
                    check_id=CHECK,
                ),
            ),
            self.run_check(CHECK, database, target='2026.1').findings,
        )

    def test_a_release_without_the_newer_tables(self):
        database = self.database('2023.1')
        database.insert('share_instances', instance('i', 'extending'))
        self.assertEqual(
            {('share_instance', 'i'): STUCK},
            self.stages(database, target='2024.1'),
        )

    def test_a_database_between_two_releases(self):
        database = self.database('2024.1')
        database.execute(
            "UPDATE alembic_version SET version_num = '99d328f0a3d2'"
        )
        database.insert('share_instances', instance('i', 'extending'))
        self.assertEqual(
            {('share_instance', 'i'): STUCK},
            self.stages(database, source='2025.1', target='2026.1'),
        )

    def test_a_table_that_is_missing_is_an_error(self):
        database = self.database('2025.1')
        database.execute('DROP TABLE transfers')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('transfers', result.reason)

    def test_the_total_is_exact_where_not_all_are_listed(self):
        database = self.database('2025.1')
        database.insert(
            'share_instances',
            *(instance(f'i{number}', 'creating') for number in range(5)),
            *(instance(f'j{number}', 'deleting') for number in range(2)),
        )
        result = self.run_check(
            CHECK,
            database,
            target='2026.1',
            stage='stopped',
            options={'max_listed': 2},
        )
        self.assertEqual(
            ['i0', 'i1', 'j0', 'j1'],
            [
                finding.subject.uuid
                for finding in result.findings
                if not finding.aspect
            ],
        )
        self.assertEqual(
            [
                model.Finding(
                    FAILURE,
                    model.Subject(
                        'share_instance', 'share instances in creating'
                    ),
                    'share instance in creating: 3 more than the 2 that '
                    'max_listed of [manila_precheck] allows, 5 in all; each '
                    f'{CALL}',
                    (model.advice('Raise max_listed to list each one.'),),
                    check_id=CHECK,
                    data={'state': 'creating', 'total': 5},
                    aspect='more',
                )
            ],
            [finding for finding in result.findings if finding.aspect],
        )

    def test_only_totals_where_none_is_to_be_listed(self):
        database = self.database('2025.1')
        database.insert(
            'share_backups',
            row('a', 'creating', topic='manila-share'),
            copied('b', 'creating'),
        )
        result = self.run_check(
            CHECK, database, target='2026.1', options={'max_listed': 0}
        )
        self.assertEqual(
            [
                'in-flight-operations[share backups in creating#more]',
                'in-flight-operations'
                '[share backups in creating (manila-share)#more]',
            ],
            [finding.key for finding in result.findings],
        )


class InFlightOperationsTest(Scenarios, databases.SQLiteTest):
    pass
