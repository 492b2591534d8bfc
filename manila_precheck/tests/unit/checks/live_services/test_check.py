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
from typing import Optional

import ddt

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.tests import databases

CHECK = 'live-services'

UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

SECOND = datetime.timedelta(seconds=1)

ZONE = {'id': 'z', 'name': 'nova'}

LOOK_AGAIN = [model.advice('Run this again in 60 seconds.')]
CLOCK = [
    model.advice(
        'Correct the clock of its host: manila considers the service dead.'
    )
]
CLEANUP = model.command('manila-manage service cleanup')

# What a cleanup would remove of the rows of services().
REMOVED = ('ahead', 'killed', 'marked', 'never', 'offdead')


def also(host, removed=REMOVED):
    """Return which others a cleanup of one service would remove."""
    words = ', '.join(f'manila-share on {one}' for one in removed)
    if not removed or removed == (host,):
        return 'No other row would be removed now.'
    if host in removed:
        return f'The cleanup removes the rows of all {len(removed)}: {words}.'
    return f'The cleanup also removes the rows of: {words}.'


def start(host, removed=REMOVED):
    return [
        model.advice(
            'Start it, so that it runs before the upgrade. If its host is '
            'gone for good, remove its row while all other services are up. '
            f'{also(host, removed)}'
        ),
        CLEANUP,
    ]


def restart(host):
    return [
        model.advice(
            'Start it and read its log. If its host is gone for good, '
            f'remove its row while all other services are up. {also(host)}'
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
        'availability_zone_id': ZONE['id'],
    }


def found(
    host,
    severity,
    words,
    todo,
    state,
    beat,
    disabled=False,
    ensuring=False,
    orphan=False,
    aspect='',
):
    return model.Finding(
        severity,
        model.Subject('service', f'manila-share@{host}'),
        f'manila-share on {host} {words}',
        tuple(todo),
        check_id=CHECK,
        data={
            'binary': 'manila-share',
            'host': host,
            'state': state,
            'disabled': disabled,
            'ensuring': ensuring,
            'heartbeat': beat.isoformat() if beat else None,
            'orphan': orphan,
        },
        aspect=aspect,
        # Where all that is to be done is to remove the row.
        cause=('orphan' if orphan else 'gone')
        if list(todo)[1:] == [CLEANUP]
        else '',
    )


def last(beat):
    return f'; it last reported at {beat:%Y-%m-%d %H:%M:%S} UTC'


KILLED = [
    model.advice(
        'It was killed, or reported once more while it stopped. Make sure '
        'that nothing starts it again.'
    )
]
STOP = [
    model.advice(
        'Stop manila-share on rig before "manila-manage db sync". If it was '
        'killed, run this again 60 seconds later:'
    ),
    model.command('manila-precheck upgrade check --stage stopped'),
]

# The files of a machine called rig.
NAMED = {'root/etc/hostname': 'rig\n'}
KERNEL = {'root/proc/2/comm': 'kthreadd\n'}
INIT = {'root/proc/1/cmdline': '/sbin/init\0'}
UNIT = {
    f'root/etc/systemd/system/{place}manila-share.service': (
        '[Service]\nExecStart=/usr/bin/manila-share\n'
    )
    for place in ('', 'multi-user.target.wants/')
}
DISABLED = {
    'root/etc/systemd/system/manila-share.service': (
        '[Service]\nExecStart=/usr/bin/manila-share\n'
    )
}
RUNS = {
    'root/proc/4711/cmdline': 'python3\0/usr/bin/manila-share\0'
    '--config-file=/another/manila.conf\0'
}
OTHER_RUNS = {'root/proc/4711/cmdline': 'python3\0/usr/bin/manila-data\0'}


@ddt.ddt
class Scenarios(databases.Scenarios):
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
        state: dict[str, Optional[str]] = dict.fromkeys(beat, 'up')
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
        database.insert('availability_zones', ZONE)
        database.insert('services', *rows)
        beat['new'] = now - SECOND
        return database, beat

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_at_plan(self, release, target):
        database, beat = self.services(release)
        warn = model.Severity.WARNING

        def told(*args, **values):
            # manila 19 brought the column.
            ensuring = None if release == '2024.1' else False
            return found(*args, **{'ensuring': ensuring, **values})

        dead = 'does not report'
        expected = [
            told(
                'ahead',
                warn,
                'reports from the future' + last(beat['ahead']),
                CLOCK,
                'up',
                beat['ahead'],
            ),
            told(
                'clean',
                warn,
                'was stopped' + last(beat['clean']),
                start('clean'),
                'stopped',
                beat['clean'],
            ),
            told(
                'killed',
                warn,
                dead + last(beat['killed']),
                start('killed'),
                'up',
                beat['killed'],
            ),
            told(
                'marked',
                warn,
                dead + last(beat['marked']),
                start('marked'),
                'down',
                beat['marked'],
            ),
            told(
                'never',
                warn,
                dead + '; it has never reported',
                start('never'),
                'up',
                None,
            ),
            told(
                'off',
                warn,
                'is up; it is disabled',
                [
                    model.advice(
                        'Unless it is disabled on purpose, enable it:'
                    ),
                    ENABLE,
                ],
                'up',
                beat['off'],
                True,
            ),
            told(
                'offdead',
                warn,
                dead + last(beat['offdead']) + '; it is disabled (disk swap)',
                start('offdead'),
                'up',
                beat['offdead'],
                True,
            ),
            told(
                'starting',
                warn,
                'is starting, or manila-scheduler has just found it dead'
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

        def told(*args, **values):
            # manila 19 brought the column.
            ensuring = None if release == '2024.1' else False
            return found(*args, **{'ensuring': ensuring, **values})

        def alive(host, words, state, disabled=False):
            return told(
                host,
                fail,
                words,
                [
                    model.advice(
                        f'Stop manila-share on {host} before "manila-manage '
                        'db sync". If it was killed, run this again 60 '
                        'seconds later:'
                    ),
                    model.command(
                        'manila-precheck upgrade check --stage stopped'
                    ),
                ],
                state,
                beat[host],
                disabled,
            )

        def killed(host, words, state, disabled=False):
            found_dead = state == 'down'
            return told(
                host,
                model.Severity.INFO if found_dead else model.Severity.WARNING,
                f'does not report{words}',
                [
                    model.advice(
                        'Check on its host that it is stopped: it was '
                        'killed, it reported once more while stopping, or '
                        'its clock is behind.'
                    )
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
            told(
                'ahead',
                model.Severity.WARNING,
                'reports from the future' + last(beat['ahead']),
                [
                    model.advice(
                        'Check on its host that it is stopped: the clock '
                        'there is ahead, so its row is not reliable.'
                    )
                ],
                'up',
                beat['ahead'],
            ),
            killed('killed', last(beat['killed']), 'up'),
            killed('never', '; it has never reported', 'up'),
            killed(
                'offdead',
                last(beat['offdead']) + '; it is disabled (disk swap)',
                'up',
                True,
            ),
            told(
                'starting',
                model.Severity.WARNING,
                'is starting, or manila-scheduler has just found it dead'
                + last(beat['starting']),
                [
                    model.advice(
                        'Check on its host that it is stopped, or run this '
                        'again in 60 seconds.'
                    )
                ],
                'down',
                beat['starting'],
            ),
            killed('marked', last(beat['marked']), 'down'),
        ]
        result = self.run_check(
            CHECK, database, target=target, stage='stopped'
        )
        self.assertEqual(tuple(expected), result.findings)

    @ddt.data(
        # Outside containers all processes are shown; what would start the
        # service is known.
        ('rig', True, {**NAMED, **KERNEL, **UNIT, **OTHER_RUNS}, 'gone'),
        ('rig', True, {**NAMED, **KERNEL, **DISABLED}, 'gone'),
        # In a container, only those that its units start.
        ('rig', True, {**NAMED, **INIT, **UNIT}, 'gone'),
        ('rig', True, {**NAMED, **INIT, **DISABLED}, 'up'),
        # The account does not see the processes of others.
        ('rig', True, {**NAMED, **UNIT}, 'up'),
        # Nothing says what starts the service on this machine.
        ('rig', True, {**NAMED, **KERNEL}, 'up'),
        ('rig', True, {**NAMED, **KERNEL, **UNIT, **RUNS}, 'up'),
        # The files of another host are judged.
        ('rig', False, {**NAMED, **KERNEL, **UNIT}, 'up'),
        ('ctl1', True, {**NAMED, **KERNEL, **UNIT}, 'up'),
        # Another machine may serve the same host.
        (
            'rig',
            True,
            {**KERNEL, **UNIT, 'root/etc/hostname': 'ctl1\n'},
            'elsewhere',
        ),
    )
    @ddt.unpack
    def test_a_service_that_was_killed(self, host, controller, files, seen):
        release, target = UPGRADES[1]
        database = self.database(release)
        now = database.now()
        beats = {'alpha': now - 5 * SECOND, 'beta': now - 300 * SECOND}
        database.insert('availability_zones', ZONE)
        database.insert(
            'services',
            *(service(f'rig@{one}', beats[one], 'up') for one in beats),
            service('rig@gamma', beats['alpha'], 'stopped'),
        )
        name = (
            '' if host == 'rig' and seen != 'elsewhere' else f'host = {host}\n'
        )
        result = self.run_check(
            CHECK,
            database,
            target=target,
            stage='stopped',
            controller=controller,
            config='[DEFAULT]\nenabled_share_backends = alpha,beta,gamma\n'
            + name,
            files=files,
        )
        severity = model.Severity
        words = '' if seen == 'up' else '; no process of it runs on this host'
        up, dead = {
            'gone': ((severity.INFO, KILLED), (severity.INFO, KILLED)),
        }.get(
            seen,
            (
                (severity.FAILURE, STOP),
                (
                    severity.WARNING,
                    [
                        model.advice(
                            'Check on its host that it is stopped: it was '
                            'killed, it reported once more while stopping, '
                            'or its clock is behind.'
                        )
                    ],
                ),
            ),
        )
        self.assertEqual(
            (
                found(
                    'rig@alpha',
                    up[0],
                    f'is up{words}',
                    up[1],
                    'up',
                    beats['alpha'],
                ),
                found(
                    'rig@beta',
                    dead[0],
                    f'does not report{last(beats["beta"])}{words}',
                    dead[1],
                    'up',
                    beats['beta'],
                ),
            ),
            result.findings,
        )

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
                restart('clean'),
                'stopped',
                beat['clean'],
            ),
            found(
                'killed',
                fail,
                dead + last(beat['killed']),
                restart('killed'),
                'up',
                beat['killed'],
            ),
            found(
                'marked',
                fail,
                dead + last(beat['marked']),
                restart('marked'),
                'down',
                beat['marked'],
            ),
            found(
                'never',
                fail,
                dead + '; it has never reported',
                restart('never'),
                'up',
                None,
            ),
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
                restart('offdead'),
                'up',
                beat['offdead'],
                True,
            ),
            found(
                'starting',
                warn,
                'is starting, or manila-scheduler has just found it dead'
                + last(beat['starting']),
                LOOK_AGAIN,
                'down',
                beat['starting'],
            ),
            found(
                'off',
                model.Severity.INFO,
                'is up; it is disabled',
                [model.advice('If it should accept new shares:'), ENABLE],
                'up',
                beat['off'],
                True,
            ),
        ]
        result = self.run_check(
            CHECK, database, source='2025.1', stage='upgraded'
        )
        self.assertEqual(tuple(expected), result.findings)

    @ddt.data(
        ('report_interval = 60\nservice_down_time = 61\n', None),
        ('report_interval = 59\n', None),
        ('service_down_time = 11\n', None),
        ('report_interval = 60\n', (60, 60, model.Severity.WARNING)),
        ('report_interval = 90\n', (90, 60, model.Severity.FAILURE)),
        ('service_down_time = 5\n', (10, 5, model.Severity.FAILURE)),
        ('report_interval = 0\n', (0, 60, model.Severity.FAILURE)),
    )
    @ddt.unpack
    def test_the_interval_of_reports(self, lines, found):
        database = self.database('2025.1')
        for stage in ('plan', 'stopped', 'upgraded'):
            result = self.run_check(
                CHECK,
                database,
                config=f'[DEFAULT]\n{lines}',
                target='2026.1',
                stage=stage,
            )
            got = [one for one in result.findings if one.aspect == 'interval']
            if found is None or stage == 'upgraded':
                self.assertEqual([], got)
                continue
            interval, limit, severity = found
            words = (
                f'report_interval is {interval} and service_down_time '
                f'{limit}: between two reports of a service'
                if interval
                else 'report_interval is 0: no service reports, and from '
                f'{limit} seconds after its start on'
            )
            self.assertEqual(
                [
                    model.Finding(
                        severity,
                        got[0].subject,
                        f'{words} it counts as dead, and manila-scheduler '
                        'places no share on it',
                        (
                            model.advice(
                                'Allow for several reports that come late:'
                            ),
                            model.config(
                                '[DEFAULT]\nreport_interval = '
                                f'{interval or 10}\nservice_down_time = '
                                f'{max(60, interval * 6)}'
                            ),
                        ),
                        check_id=CHECK,
                        data={
                            'report_interval': interval,
                            'service_down_time': limit,
                        },
                        aspect='interval',
                    )
                ],
                got,
            )
            self.assertEqual(
                'DEFAULT/' + lines.partition(' ')[0], got[0].subject.name
            )

    def test_service_down_time_is_that_of_the_configuration(self):
        database = self.database('2025.1')
        database.insert('availability_zones', ZONE)
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
        database.insert('availability_zones', ZONE)
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

    def named(self, *rows, release='2025.1'):
        """Return a database with services, in a zone if they say no other."""
        database = self.database(release)
        database.insert('availability_zones', ZONE)
        database.insert('services', *rows)
        return database

    def findings(self, database, **site):
        site.setdefault('target', '2026.1')
        result = self.run_check(CHECK, database, **site)
        self.assertEqual('', result.reason)
        return result.findings

    def test_two_rows_of_one_service_have_two_keys(self):
        database = self.database('2025.1')
        now = database.now()
        database.insert('availability_zones', ZONE)
        beat = now - 300 * SECOND
        database.insert(
            'services',
            service('h', beat, 'up'),
            service('h', beat, 'up'),
            service('h', now, 'up'),
        )
        first, second = self.findings(database)
        self.assertEqual(
            [
                'live-services[manila-share@h]',
                'live-services[manila-share@h#row-2]',
            ],
            [first.key, second.key],
        )
        self.assertEqual(
            found(
                'h',
                model.Severity.WARNING,
                'does not report'
                + last(beat)
                + '; this is row 2 of that name',
                [
                    model.advice(
                        'Start it, so that it runs before the upgrade. If '
                        'its host is gone for good, remove its row while '
                        f"all other services are up. {also('h', ('h', 'h'))}"
                    ),
                    CLEANUP,
                ],
                'up',
                beat,
                aspect='row-2',
            ),
            second,
        )

    def test_silent_services_are_one_group_with_one_remedy(self):
        database = self.database('2025.1')
        beat = database.now() - 300 * SECOND
        database.insert('availability_zones', ZONE)
        database.insert(
            'services',
            *(service(f'h{number:02}', beat, 'up') for number in range(50)),
        )
        (group,) = grouping.groups(self.findings(database))
        self.assertEqual(50, len(group.findings))
        advice, command = group.steps
        self.assertEqual(('text', 1), (advice.kind, len(advice.texts)))
        self.assertEqual(
            grouping.RemedyStep('command', [CLEANUP.text]),
            command,
        )

    def test_a_service_that_ensures_its_shares(self):
        database = self.database('2025.1')
        beat = database.now() - 300 * SECOND
        database.insert('availability_zones', ZONE)
        database.insert(
            'services', {**service('h', beat, 'up'), 'ensuring': True}
        )
        self.assertEqual(
            (
                found(
                    'h',
                    model.Severity.WARNING,
                    'does not report'
                    + last(beat)
                    + '; it is ensuring its shares',
                    start('h', ()),
                    'up',
                    beat,
                    ensuring=True,
                ),
            ),
            self.findings(database),
        )

    @ddt.data(
        ('plan', 'host = ctl\n', 'WARNING'),
        ('plan', '', 'INFO'),
        ('plan', 'host = other\n', 'INFO'),
        ('upgraded', 'host = ctl\n', 'WARNING'),
        ('upgraded', '', 'INFO'),
    )
    @ddt.unpack
    def test_an_orphan_that_is_up(self, stage, host, severity):
        database = self.database('2025.1')
        beat = database.now()
        database.insert('availability_zones', ZONE)
        database.insert(
            'services',
            service('ctl@alpha', beat, 'up'),
            service('ctl@gone', beat, 'up'),
            # Of the others only manila-share has a back end.
            {**service('ctl', beat, 'up'), 'binary': 'manila-data'},
        )
        self.assertEqual(
            (
                found(
                    'ctl@gone',
                    model.Severity[severity],
                    'is up; the files that were read do not enable this back '
                    'end',
                    [
                        model.advice(
                            'If another controller enables it, add it to '
                            'other_backends; otherwise stop it, wait 60 '
                            'seconds, and remove its row. No other row would '
                            'be removed now.'
                        ),
                        model.config(
                            '[manila_precheck]\nother_backends = ctl@gone'
                        ),
                        CLEANUP,
                    ],
                    'up',
                    beat,
                    orphan=True,
                ),
            ),
            self.findings(
                database,
                stage=stage,
                source='2024.1' if stage == 'upgraded' else None,
                target='2025.1' if stage == 'upgraded' else '2026.1',
                config=f'[DEFAULT]\n{host}enabled_share_backends = alpha\n',
            ),
        )

    def test_an_orphan_that_the_operator_has_named(self):
        database = self.named()
        database.insert('services', service('ctl@gone', database.now(), 'up'))
        self.assertEqual(
            (),
            self.findings(
                database,
                config='[DEFAULT]\nhost = ctl\n'
                'enabled_share_backends = alpha\n',
                options={'other_backends': ['ctl@gone']},
            ),
        )

    @ddt.data(
        ('plan', 'host = ctl\n', 'WARNING'),
        ('upgraded', 'host = ctl\n', 'WARNING'),
        ('upgraded', 'host = other\n', 'FAILURE'),
    )
    @ddt.unpack
    def test_an_orphan_that_is_dead(self, stage, host, severity):
        database = self.database('2025.1')
        beat = database.now() - 500 * SECOND
        database.insert('availability_zones', ZONE)
        database.insert('services', service('ctl@gone', beat, 'down'))
        self.assertEqual(
            (
                found(
                    'ctl@gone',
                    model.Severity[severity],
                    'does not report'
                    + last(beat)
                    + '; the files that were read do not enable this back '
                    'end',
                    [
                        model.advice(
                            'If no other controller enables it, remove its '
                            'row. No other row would be removed now.'
                        ),
                        CLEANUP,
                    ],
                    'down',
                    beat,
                    orphan=True,
                ),
            ),
            self.findings(
                database,
                stage=stage,
                source='2024.1' if stage == 'upgraded' else None,
                target='2025.1' if stage == 'upgraded' else '2026.1',
                config=f'[DEFAULT]\n{host}enabled_share_backends = alpha\n',
            ),
        )

    def test_a_cleanup_names_no_more_than_max_listed(self):
        database = self.named()
        beat = database.now() - 500 * SECOND
        database.insert(
            'services',
            *(service(f'h{number}', beat, 'down') for number in range(4)),
        )
        for limit, words in (
            (
                2,
                'the rows of all 4: manila-share on h0, manila-share on h1 '
                'and 2 more',
            ),
            (0, '4 rows'),
        ):
            first, *_ = self.findings(database, options={'max_listed': limit})
            self.assertEqual(
                model.advice(
                    'Start it, so that it runs before the upgrade. If its '
                    'host is gone for good, remove its row while all other '
                    'services are up. The cleanup removes '
                    f'{words}.'
                ),
                first.remediation[0],
            )

    @ddt.data(('plan', 1), ('stopped', 0), ('upgraded', 1))
    @ddt.unpack
    def test_a_clock_that_is_a_little_ahead(self, stage, number):
        database = self.named()
        now = database.now()
        database.insert(
            'services',
            service('near', now + 5 * SECOND, 'stopped'),
            service('far', now + 45 * SECOND, 'up'),
        )
        told = [
            finding
            for finding in self.findings(
                database,
                stage=stage,
                source='2024.1' if stage == 'upgraded' else None,
                target='2025.1' if stage == 'upgraded' else '2026.1',
            )
            if finding.aspect == 'clock'
        ]
        self.assertEqual(number, len(told))
        for finding in told:
            seconds = finding.data['seconds_ahead']
            # The clock of the server goes on.
            self.assertIn(seconds, range(20, 46))
            self.assertEqual(
                model.Finding(
                    model.Severity.INFO,
                    model.Subject('service', 'manila-share@far'),
                    f'manila-share on far reports with a clock {seconds} '
                    'seconds ahead of the database; from 60 seconds on, '
                    'manila considers it dead',
                    (model.advice('Correct the clock of its host.'),),
                    check_id=CHECK,
                    data={'seconds_ahead': seconds},
                    aspect='clock',
                ),
                finding,
            )

    @ddt.data(None, 'of-no-row', 'gone')
    def test_a_service_without_a_zone(self, zone):
        database = self.named()
        now = database.now()
        database.insert(
            'availability_zones',
            {'id': 'gone', 'name': 'old', 'deleted': 'gone'},
        )
        database.insert(
            'services',
            {**service('h', now, 'up'), 'availability_zone_id': zone},
        )
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('service', 'manila-share@h'),
                    'manila-share on h has no availability zone: it starts, '
                    'but each of its status reports fails, as does '
                    '"manila-manage service list"',
                    (
                        model.advice(
                            'Stop it, wait 60 seconds, remove its row, and '
                            'start it again: it creates a new row. No other '
                            'row would be removed now.'
                        ),
                        CLEANUP,
                    ),
                    check_id=CHECK,
                    aspect='zone',
                ),
            ),
            self.findings(database),
        )

    def test_an_orphan_without_a_zone(self):
        database = self.named()
        database.insert(
            'services',
            {
                **service('ctl@gone', databases.LONG_AGO, 'stopped'),
                'availability_zone_id': None,
            },
        )
        (finding,) = self.findings(
            database,
            stage='stopped',
            config='[DEFAULT]\nhost = ctl\nenabled_share_backends = alpha\n',
        )
        self.assertEqual(
            ('live-services[manila-share@ctl@gone#zone]', 'WARNING'),
            (finding.key, finding.severity.name),
        )

    def test_a_zone_with_two_rows(self):
        database = self.database('2025.1')
        drop = {
            'sqlite': (),
            'mysql': ('ALTER TABLE availability_zones DROP INDEX az_name_uc',),
            'postgresql': (
                'ALTER TABLE availability_zones DROP CONSTRAINT az_name_uc',
            ),
        }[self.server]
        database.execute(*drop)
        if not drop:
            # SQLite cannot drop what its table was made with.
            database.execute(
                'CREATE TABLE zones AS SELECT * FROM availability_zones',
                'DROP TABLE availability_zones',
                'ALTER TABLE zones RENAME TO availability_zones',
            )
        database.insert(
            'availability_zones',
            ZONE,
            {'id': 'y', 'name': 'nova'},
            {'id': 'x', 'name': 'nova', 'deleted': 'x'},
            {'id': 'w', 'name': 'west'},
        )
        database.insert('services', service('h', database.now(), 'up'))
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.WARNING,
                    model.Subject('availability zone', 'nova'),
                    "availability zone 'nova' has 2 rows: manila uses "
                    'whichever it finds first, so shares and services of the '
                    'same zone can end up in different ones',
                    (
                        model.advice(
                            'Make the rows of all tables refer to one of '
                            'them, then mark the others as deleted.'
                        ),
                    ),
                    check_id=CHECK,
                    data={'rows': 2},
                    aspect='twice',
                ),
            ),
            self.findings(database),
        )

    @ddt.data(
        ('2023.1', '2024.1', ['north', 'south']),
        ('2024.1', '2024.2', ['north', 'south']),
        ('2024.1', '2025.1', []),
    )
    @ddt.unpack
    def test_a_zone_that_is_to_be_made(self, release, target, names):
        database = self.named(release=release)
        row = service('h', database.now(), 'up')
        if release == '2023.1':
            del row['disabled_reason']
        database.insert('services', row)
        self.assertEqual(
            tuple(
                model.Finding(
                    model.Severity.WARNING,
                    model.Subject('availability zone', name),
                    f'availability zone {name!r} of the configuration has no '
                    'row: if two services start together, both try to '
                    'create it and one exits',
                    (
                        model.advice(
                            'Start one service, check that it reports, then '
                            'start the others.'
                        ),
                    ),
                    ('https://bugs.launchpad.net/manila/+bug/2008813',),
                    check_id=CHECK,
                    aspect='new',
                )
                for name in names
            ),
            self.findings(
                database,
                target=target,
                config='[DEFAULT]\nstorage_availability_zone = south\n'
                'enabled_share_backends = h,i\n'
                '[h]\nbackend_availability_zone = nova\n'
                '[i]\nbackend_availability_zone = north\n'
                '[manila_precheck]\nother_backends = h\n',
            ),
        )

    @ddt.data(
        (
            'plan',
            [
                model.Finding(
                    model.Severity.INFO,
                    model.Subject('service', 'services'),
                    'no service has ever reported: the table services is '
                    'empty',
                    check_id=CHECK,
                )
            ],
        ),
        ('stopped', []),
        (
            'upgraded',
            [
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('service', 'services'),
                    'no service has come back: the table services is empty',
                    (model.advice('Start the services of manila.'),),
                    check_id=CHECK,
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
