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

CHECK = 'running-migrations'
THEN = databases.LONG_AGO

UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

GUIDE = (
    'https://docs.openstack.org/manila/latest/admin/'
    'shared-file-systems-upgrades.html'
)

IN_PLAN = {
    'waiting': 'waits for an operator to complete it',
    'driver': 'is done by the storage system; manila-share resumes it after '
    'a restart if the driver of the target release supports that',
    'copy': 'is being copied by manila-data: as soon as manila-data starts '
    'on any host, its state becomes data_copying_error',
    'rpc': 'runs inside a call of manila-share: if the service stops before '
    'the call returns, nothing resumes it',
}

AFTER = model.advice('Once the services of the target run:')
STUCK = model.advice('If it no longer makes progress:')
OR_CANCEL = model.advice('Or cancel it:')


def share(share_id, state):
    return {'id': share_id, 'task_state': state, 'updated_at': THEN}


def instance(share_id, status, host):
    return {
        'id': f'{share_id}-{status[-3:]}',
        'share_id': share_id,
        'status': status,
        'host': host,
    }


def ends(share_id):
    return (
        instance(share_id, 'migrating', 'one@a#p'),
        instance(share_id, 'migrating_to', 'two@b#p'),
        instance(share_id, 'available', 'three@c#p'),
    )


def found(kind, one, state, severity, words, todo, source, destination):
    return model.Finding(
        severity,
        model.Subject(kind.replace(' ', '_'), one, uuid=one),
        f'{kind} {one} is in {state} since 2024-03-05 06:07, from '
        f'{source[1]}, to {destination[1]}: the migration {words}',
        tuple(todo),
        (GUIDE,),
        {
            'task_state': state,
            'since': THEN.isoformat(),
            'source_id': source[0],
            'source_host': source[1],
            'destination_id': destination[0],
            'destination_host': destination[1],
        },
        check_id=CHECK,
    )


def reset_of_share(one):
    return (
        STUCK,
        model.command(
            f'openstack share set --task-state migration_error {one}'
        ),
        model.command(
            f'openstack share instance set --status available {one}-ing'
        ),
        model.advice(
            'Find out which instance holds the data, then delete the other: '
            f'{one}-_to is the destination.'
        ),
    )


@ddt.ddt
class Scenarios(databases.Scenarios):
    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_nothing_is_on_its_way(self, release, target):
        database = self.database(release)
        database.insert(
            'shares',
            share('a', None),
            share('b', 'migration_success'),
            share('c', 'migration_error'),
            share('d', 'migration_cancelled'),
            share('e', 'data_copying_error'),
            dict(share('f', 'migration_starting'), deleted='f'),
        )
        database.insert(
            'share_servers', {'id': 's', 'task_state': 'migration_success'}
        )
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual(
            (model.Outcome.PASSED, '', ()),
            (result.outcome, result.reason, result.findings),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_shares_at_plan(self, release, target):
        database = self.database(release)
        states = {
            'a': ('migration_driver_phase1_done', 'waiting'),
            'b': ('data_copying_completed', 'waiting'),
            'c': ('migration_driver_in_progress', 'driver'),
            'd': ('data_copying_in_progress', 'copy'),
            'e': ('data_copying_starting', 'copy'),
            'f': ('migration_completing', 'rpc'),
        }
        for one, (state, _phase) in states.items():
            database.insert('shares', share(one, state))
            database.insert('share_instances', *ends(one))
        cancel = {
            one: (
                OR_CANCEL,
                model.command(f'openstack share migration cancel {one}'),
            )
            for one in states
        }
        todo = {
            one: [
                model.command(
                    'openstack share migration '
                    f'{"complete" if one in "ab" else "show"} {one}'
                ),
                *(cancel[one] if one in 'abcd' else ()),
                *(reset_of_share(one) if one == 'f' else ()),
            ]
            for one in states
        }
        self.assertEqual(
            tuple(
                found(
                    'share',
                    one,
                    state,
                    model.Severity.WARNING,
                    IN_PLAN[phase],
                    todo[one],
                    (f'{one}-ing', 'one@a#p'),
                    (f'{one}-_to', 'two@b#p'),
                )
                # What is most at risk comes first.
                for one in 'fdecab'
                for state, phase in [states[one]]
            ),
            self.run_check(CHECK, database, target=target).findings,
        )

    def test_shares_at_stopped(self):
        database = self.database('2025.1')
        for one, state in (
            ('a', 'migration_driver_phase1_done'),
            ('d', 'data_copying_in_progress'),
            ('f', 'migration_starting'),
        ):
            database.insert('shares', share(one, state))
            database.insert('share_instances', *ends(one))
        show = 'openstack share migration show'
        expected = []
        for one, state, severity, words, todo in (
            (
                'f',
                'migration_starting',
                model.Severity.FAILURE,
                'was interrupted inside a call of manila-share, and nothing '
                'resumes it',
                [AFTER, model.command(f'{show} f'), *reset_of_share('f')],
            ),
            (
                'd',
                'data_copying_in_progress',
                model.Severity.FAILURE,
                'was being copied by manila-data: as soon as manila-data '
                'starts on any host, its state becomes data_copying_error',
                [AFTER, *reset_of_share('d')],
            ),
            (
                'a',
                'migration_driver_phase1_done',
                model.Severity.WARNING,
                'waits for an operator to complete it, which needs the '
                'services; the upgrade does not change it',
                [
                    AFTER,
                    model.command('openstack share migration complete a'),
                    OR_CANCEL,
                    model.command('openstack share migration cancel a'),
                ],
            ),
        ):
            expected.append(
                found(
                    'share',
                    one,
                    state,
                    severity,
                    words,
                    todo,
                    (f'{one}-ing', 'one@a#p'),
                    (f'{one}-_to', 'two@b#p'),
                )
            )
        result = self.run_check(
            CHECK, database, target='2026.1', stage='stopped'
        )
        self.assertEqual(tuple(expected), result.findings)

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_a_share_server_is_found_once(self, release, target):
        database = self.database(release)
        database.insert(
            'share_servers',
            {
                'id': 'from',
                'host': 'one@a',
                'status': 'server_migrating',
                'task_state': 'migration_driver_phase1_done',
                'updated_at': THEN,
            },
            {
                'id': 'to',
                'host': 'two@b',
                'status': 'server_migrating_to',
                'task_state': 'migration_driver_phase1_done',
                'source_share_server_id': 'from',
            },
            {
                'id': 'old',
                'host': 'one@a',
                'status': 'active',
                'task_state': None,
            },
        )
        self.assertEqual(
            (
                found(
                    'share server',
                    'from',
                    'migration_driver_phase1_done',
                    model.Severity.WARNING,
                    IN_PLAN['waiting'],
                    [
                        model.command(
                            'openstack share server migration complete from'
                        ),
                        OR_CANCEL,
                        model.command(
                            'openstack share server migration cancel from'
                        ),
                    ],
                    ('from', 'one@a'),
                    ('to', 'two@b'),
                ),
            ),
            self.run_check(CHECK, database, target=target).findings,
        )

    def test_a_share_server_that_was_cut_off(self):
        database = self.database('2026.1')
        database.insert(
            'share_servers',
            {
                'id': 'from',
                'host': 'one@a',
                'status': 'server_migrating',
                'task_state': 'migration_cancel_in_progress',
                'updated_at': THEN,
            },
            {
                'id': 'to',
                'host': 'two@b',
                'status': 'server_migrating_to',
                'task_state': 'migration_cancel_in_progress',
                'source_share_server_id': 'from',
            },
        )
        result = self.run_check(
            CHECK, database, target='2026.2', stage='stopped'
        )
        self.assertEqual(
            (
                found(
                    'share server',
                    'from',
                    'migration_cancel_in_progress',
                    model.Severity.FAILURE,
                    'was interrupted inside a call of manila-share, and '
                    'nothing resumes it',
                    [
                        AFTER,
                        model.command(
                            'openstack share server migration show from'
                        ),
                        STUCK,
                        model.command(
                            'openstack share server set --status active '
                            '--task-state migration_error from'
                        ),
                        model.command(
                            'openstack share server set --status error '
                            '--task-state migration_error to'
                        ),
                    ],
                    ('from', 'one@a'),
                    ('to', 'two@b'),
                ),
            ),
            result.findings,
        )

    def test_a_destination_without_its_source(self):
        database = self.database('2025.1')
        database.insert(
            'share_servers',
            {'id': 'from', 'status': 'active', 'task_state': None},
            {
                'id': 'to',
                'host': 'two@b',
                'status': 'server_migrating_to',
                'task_state': 'migration_in_progress',
                'source_share_server_id': 'from',
            },
        )
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            (
                model.advice('Its source is not being migrated; cancel it:'),
                model.command(
                    'openstack share server set --status error '
                    '--task-state migration_error to'
                ),
            ),
            finding.remediation,
        )

    def test_a_share_that_waits_without_instances(self):
        database = self.database('2025.1')
        database.insert('shares', share('a', 'data_copying_completed'))
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            [
                'openstack share migration complete a',
                'openstack share migration cancel a',
                'openstack share set --task-state migration_error a',
            ],
            [r.text for r in finding.remediation if r.kind == 'command'],
        )

    def test_the_total_is_exact_where_not_all_are_listed(self):
        database = self.database('2025.1')
        database.insert(
            'shares',
            *(share(f's{n}', 'migration_starting') for n in range(3)),
            *(share(f't{n}', 'data_copying_completed') for n in range(4)),
        )
        result = self.run_check(
            CHECK,
            database,
            target='2026.1',
            stage='stopped',
            options={'max_listed': 2},
        )
        self.assertEqual(
            ['s0', 's1', 't0', 't1'],
            [f.subject.uuid for f in result.findings if not f.aspect],
        )
        self.assertEqual(
            [
                model.Finding(
                    severity,
                    model.Subject('share', f'shares in {state}'),
                    f'share in {state}: {more} more than the 2 that '
                    f'max_listed of [manila_precheck] allows, {more + 2} in '
                    'all',
                    (model.advice('Raise max_listed to list each one.'),),
                    check_id=CHECK,
                    data={'task_state': state, 'total': more + 2},
                    aspect='more',
                )
                for state, more, severity in (
                    ('migration_starting', 1, model.Severity.FAILURE),
                    ('data_copying_completed', 2, model.Severity.WARNING),
                )
            ],
            [finding for finding in result.findings if finding.aspect],
        )

    def test_only_totals_where_none_is_to_be_listed(self):
        database = self.database('2025.1')
        database.insert('shares', share('a', 'migration_starting'))
        (finding,) = self.run_check(
            CHECK, database, target='2026.1', options={'max_listed': 0}
        ).findings
        self.assertEqual(
            model.Finding(
                model.Severity.WARNING,
                model.Subject('share', 'shares in migration_starting'),
                'share in migration_starting: 1 more than the 0 that '
                'max_listed of [manila_precheck] allows, 1 in all',
                (model.advice('Raise max_listed to list each one.'),),
                check_id=CHECK,
                data={'task_state': 'migration_starting', 'total': 1},
                aspect='more',
            ),
            finding,
        )


class RunningMigrationsTest(Scenarios, databases.SQLiteTest):
    pass
