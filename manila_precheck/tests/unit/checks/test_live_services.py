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

CHECK = 'live-services'

UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

SECOND = datetime.timedelta(seconds=1)

LOOK_AGAIN = [model.advice('Look again in 60 seconds.')]
CLOCK = [
    model.advice(
        'Set the clock of its host: manila takes the service for dead.'
    )
]
CLEANUP = model.command('manila-manage service cleanup')
START = [
    model.advice(
        'Start it, so that the upgrade finds it healthy. If its host is gone '
        'for good, this removes its row, and that of every other service '
        'that does not report at that moment:'
    ),
    CLEANUP,
]
RESTART = [
    model.advice(
        'Start it and read its log. If its host is gone for good, this '
        'removes its row; run it while all others are up:'
    ),
    CLEANUP,
]
ENABLE = model.command('openstack share service set --enable off manila-share')


def service(host, beat, state, disabled=False, reason=None, created=None):
    return {
        'host': host,
        'binary': 'manila-share',
        'topic': 'manila-share',
        'created_at': created,
        'updated_at': beat,
        'state': state,
        'disabled': disabled,
        'disabled_reason': reason,
        'report_count': 1,
    }


def found(host, severity, words, todo, state, beat, disabled=False):
    return model.Finding(
        CHECK,
        severity,
        model.Subject('service', f'manila-share@{host}'),
        f'manila-share on {host} {words}',
        tuple(todo),
        data={
            'binary': 'manila-share',
            'host': host,
            'state': state,
            'disabled': disabled,
            'heartbeat': beat.isoformat() if beat else None,
        },
    )


def last(beat):
    return f'; its last report is of {beat:%Y-%m-%d %H:%M:%S} UTC'


@ddt.ddt
class Scenarios:
    def services(self, release='2025.1'):
        """Return a database with a row of every kind, and their times."""
        database = self.database(release)
        now = database.now()
        beat = {
            'up': now - 5 * SECOND,
            'new': None,
            'null': now - 5 * SECOND,
            'starting': now - 5 * SECOND,
            'clean': now - 5 * SECOND,
            'killed': now - 300 * SECOND,
            'marked': now - 400 * SECOND,
            'ahead': now + 500 * SECOND,
            'off': now - 5 * SECOND,
            'offdead': now - 300 * SECOND,
            'never': None,
        }
        state = dict.fromkeys(beat, 'up')
        state.update(null=None, starting='down', clean='stopped')
        state.update(marked='down')
        rows = []
        for host, time in beat.items():
            rows.append(
                service(
                    host,
                    time,
                    state[host],
                    host.startswith('off'),
                    'disk swap' if host == 'offdead' else None,
                    now - SECOND if host == 'new' else None,
                )
            )
        gone = service('gone', now, 'up')
        rows.append(dict(gone, deleted=99))
        database.insert('services', *rows)
        beat['new'] = now - SECOND
        return database, beat

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_at_plan(self, release, target):
        database, beat = self.services(release)
        warn = model.Severity.WARNING
        dead = 'does not report'
        expected = [
            found(
                'ahead',
                warn,
                'reports from the future' + last(beat['ahead']),
                CLOCK,
                'up',
                beat['ahead'],
            ),
            found(
                'clean',
                warn,
                'was stopped' + last(beat['clean']),
                START,
                'stopped',
                beat['clean'],
            ),
            found(
                'killed',
                warn,
                dead + last(beat['killed']),
                START,
                'up',
                beat['killed'],
            ),
            found(
                'marked',
                warn,
                dead + last(beat['marked']),
                START,
                'down',
                beat['marked'],
            ),
            found('never', warn, dead + '; it never did', START, 'up', None),
            found(
                'off',
                warn,
                'is up; it is disabled',
                [
                    model.advice('Unless it is meant to be disabled:'),
                    ENABLE,
                ],
                'up',
                beat['off'],
                True,
            ),
            found(
                'offdead',
                warn,
                dead + last(beat['offdead']) + '; it is disabled (disk swap)',
                START,
                'up',
                beat['offdead'],
                True,
            ),
            found(
                'starting',
                warn,
                'is starting, or was just found dead by manila-scheduler'
                + last(beat['starting']),
                LOOK_AGAIN,
                'down',
                beat['starting'],
            ),
        ]
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual(tuple(expected), result.findings)

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_at_stopped(self, release, target):
        database, beat = self.services(release)
        fail = model.Severity.FAILURE

        def alive(host, words, state, disabled=False):
            return found(
                host,
                fail,
                words,
                [
                    model.advice(
                        f'Stop manila-share on {host} before "manila-manage '
                        'db sync". If it was killed, look again 60 seconds '
                        'after that:'
                    ),
                    model.command(
                        'manila-precheck upgrade check --stage stopped'
                    ),
                ],
                state,
                beat[host],
                disabled,
            )

        expected = [
            alive(
                'new',
                'is new and has not reported yet' + last(beat['new']),
                'up',
            ),
            alive('null', 'is up', None),
            alive('off', 'is up; it is disabled', 'up', True),
            alive('up', 'is up', 'up'),
            found(
                'ahead',
                model.Severity.WARNING,
                'reports from the future' + last(beat['ahead']),
                [
                    model.advice(
                        'See on its host that it is stopped: the clock there '
                        'is ahead, so its row does not tell.'
                    )
                ],
                'up',
                beat['ahead'],
            ),
            found(
                'starting',
                model.Severity.WARNING,
                'is starting, or was just found dead by manila-scheduler'
                + last(beat['starting']),
                [
                    model.advice(
                        'See on its host that it is stopped, or look again '
                        'in 60 seconds.'
                    )
                ],
                'down',
                beat['starting'],
            ),
        ]
        result = self.run_check(
            CHECK, database, target=target, stage='stopped'
        )
        self.assertEqual(tuple(expected), result.findings)

    def test_at_upgraded(self):
        database, beat = self.services('2026.1')
        fail, warn = model.Severity.FAILURE, model.Severity.WARNING
        dead = 'does not report'
        expected = [
            found(
                'ahead',
                fail,
                'reports from the future' + last(beat['ahead']),
                CLOCK,
                'up',
                beat['ahead'],
            ),
            found(
                'clean',
                fail,
                'was stopped' + last(beat['clean']),
                RESTART,
                'stopped',
                beat['clean'],
            ),
            found(
                'killed',
                fail,
                dead + last(beat['killed']),
                RESTART,
                'up',
                beat['killed'],
            ),
            found(
                'marked',
                fail,
                dead + last(beat['marked']),
                RESTART,
                'down',
                beat['marked'],
            ),
            found('never', fail, dead + '; it never did', RESTART, 'up', None),
            found(
                'new',
                warn,
                'is new and has not reported yet' + last(beat['new']),
                LOOK_AGAIN,
                'up',
                beat['new'],
            ),
            found(
                'offdead',
                warn,
                dead + last(beat['offdead']) + '; it is disabled (disk swap)',
                RESTART,
                'up',
                beat['offdead'],
                True,
            ),
            found(
                'starting',
                warn,
                'is starting, or was just found dead by manila-scheduler'
                + last(beat['starting']),
                LOOK_AGAIN,
                'down',
                beat['starting'],
            ),
            found(
                'off',
                model.Severity.INFO,
                'is up; it is disabled',
                [model.advice('When it is to take new shares:'), ENABLE],
                'up',
                beat['off'],
                True,
            ),
        ]
        result = self.run_check(
            CHECK, database, source='2025.1', stage='upgraded'
        )
        self.assertEqual(tuple(expected), result.findings)

    def test_service_down_time_is_that_of_the_configuration(self):
        database = self.database('2025.1')
        database.insert(
            'services', service('h', database.now() - 300 * SECOND, 'up')
        )
        for seconds, findings in ((600, 0), (100, 1)):
            result = self.run_check(
                CHECK,
                database,
                target='2026.1',
                config=f'[DEFAULT]\nservice_down_time = {seconds}\n',
            )
            self.assertEqual(findings, len(result.findings))

    def test_a_release_without_state_goes_by_the_heartbeat(self):
        database = self.database('2025.1')
        now = database.now()
        database.insert(
            'services',
            service('fresh', now, 'stopped'),
            service('stale', now - 300 * SECOND, 'stopped'),
        )
        database.execute(
            'ALTER TABLE services DROP COLUMN state',
            'ALTER TABLE services DROP COLUMN disabled_reason',
        )
        result = self.run_check(
            CHECK, database, target='2026.1', stage='stopped'
        )
        self.assertEqual(
            ['manila-share@fresh'], [f.subject.name for f in result.findings]
        )

    @ddt.data(
        (
            'plan',
            [
                model.Finding(
                    CHECK,
                    model.Severity.INFO,
                    model.Subject('service', 'services'),
                    'no service has ever reported: the table services is '
                    'empty',
                )
            ],
        ),
        ('stopped', []),
        (
            'upgraded',
            [
                model.Finding(
                    CHECK,
                    model.Severity.FAILURE,
                    model.Subject('service', 'services'),
                    'no service has come back: the table services is empty',
                    (model.advice('Start the services of manila.'),),
                )
            ],
        ),
    )
    @ddt.unpack
    def test_no_service_at_all(self, stage, findings):
        result = self.run_check(
            CHECK,
            self.database('2026.1'),
            source='2025.1',
            target='2026.1',
            stage=stage,
        )
        self.assertEqual('', result.reason)
        self.assertEqual(tuple(findings), result.findings)


class LiveServicesTest(Scenarios, databases.SQLiteTest):
    pass
