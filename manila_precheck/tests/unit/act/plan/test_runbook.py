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
"""The runbook: which step stands where, and what is typed in it."""

import html.parser
import importlib.resources
import json
import os
import re
import shlex
import subprocess

import ddt
import fixtures
import jsonschema
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.act.plan import json_plan
from manila_precheck.act.plan import managers
from manila_precheck.act.plan import markdown
from manila_precheck.act.plan import page
from manila_precheck.act.plan import runbook
from manila_precheck.act.plan import site_facts
from manila_precheck.act.plan import steps
from manila_precheck.evidence import rehearsal_report
from manila_precheck.evidence.database import database_url
from manila_precheck.tests import rehearsals

Severity = model.Severity

HOSTILE = "c'tl; touch x`id`$(id)\n```\n# <b onclick=x>&amp;[l](u)|@all"

BACK = [
    'back-before-sync',
    'back-stop-manila-api',
    'back-stop-manila-scheduler',
    'back-stop-manila-share',
    'back-stop-manila-data',
    'back-restore',
    'back-packages',
    'back-files',
    'back-start-manila-scheduler',
    'back-start-manila-share',
    'back-start-manila-data',
    'back-start-manila-api',
    'back-gate',
]

LATER = (model.Stage.STOPPED, model.Stage.UPGRADED)

RPM = managers.Manager('systemd', ('rhel', 'fedora'))


def finding(check_id, *remediation, **values):
    values.setdefault('severity', Severity.WARNING)
    values.setdefault('subject', model.Subject('option', 'DEFAULT/a'))
    values.setdefault('message', 'a message')
    return model.Finding(check_id=check_id, remediation=remediation, **values)


def report(*findings, more=(), source='2025.1', target='2026.1'):
    checks = {}
    for one in findings:
        checks.setdefault(one.check_id, []).append(one)
    return model.Report(
        tool=model.Tool('manila-precheck', '1.0.0', '20.0.3 22.0.2'),
        source_release=source,
        source_origin='database',
        target_release=target,
        target_origin='option',
        stage=model.Stage.PLAN,
        files=(),
        database=None,
        checks=(
            *(
                model.CheckResult(
                    name,
                    f'Title of {name}',
                    model.Outcome.FOUND,
                    findings=tuple(found),
                )
                for name, found in checks.items()
            ),
            *more,
        ),
    )


def plan(*findings, site=None, target='2026.1', **values):
    return runbook.make(
        report(*findings, **values),
        releases.parse(target),
        site or site_facts.Site(RPM),
    )


def ids(made, hop=0):
    return {
        phase.id: [step.id for step in phase.steps]
        for phase in made.hops[hop].phases
    }


def step(made, name, hop=0):
    (found,) = (
        one
        for phase in made.hops[hop].phases
        for one in phase.steps
        if one.id == name
    )
    return found


def typed(made):
    """Return every command of a plan."""
    found = []
    for hop in made.hops:
        for phase in hop.phases:
            for one in phase.steps:
                found += [
                    todo.text
                    for f in one.findings
                    for todo in f.remediation
                    if todo.kind != 'text'
                ]
                found += [c.text for c in (*one.commands, *one.undo)]
    return found


def edit(**values):
    return model.Edit('move', 'config', 'manila.conf', 1, **values)


@ddt.ddt
class RunbookTest(testtools.TestCase):
    def test_steps_of_a_site_without_findings(self):
        self.assertEqual(
            {
                'before': [
                    'latest-point-release',
                    'storage-versions',
                    'files-both-read',
                    'rehearse-backup',
                    'gate-plan',
                ],
                'window': [
                    'announce',
                    'stop-manila-api',
                    'drain',
                    'stop-manila-scheduler',
                    'stop-manila-share',
                    'stop-manila-data',
                    'gate-down',
                    'backup',
                    'files-target-reads',
                    'gate-stopped',
                    'packages',
                    'db-sync',
                    'start-manila-scheduler',
                    'start-manila-share',
                    'start-manila-data',
                    'start-manila-api',
                    'gate-upgraded',
                    'service-cleanup',
                ],
                'after': ['watch', 'next-hop'],
                'back': BACK,
            },
            ids(plan()),
        )

    def test_the_storage_systems_of_the_site(self):
        made = plan(
            site=site_facts.Site(RPM, drivers=[('a', 'x.Driver'), ('b', '')])
        )
        self.assertEqual(
            (
                'a: x.Driver, version __________',
                'b: the default driver, version __________',
            ),
            step(made, 'storage-versions').text[1:],
        )
        self.assertEqual(
            ('No back end is known here: list those of each host.',),
            step(plan(), 'storage-versions').text[1:],
        )

    def test_one_point_of_no_return(self):
        self.assertEqual(
            ['db-sync'],
            [one.id for one in plan().hops[0].window if one.no_return],
        )

    def test_findings_stand_where_they_are_mended(self):
        early = finding(
            'config-options',
            model.config('a = 1').with_edits(edit(early=True)),
        )

        late = finding(
            'config-options', model.config('b = 1').with_edits(edit())
        )
        by_hand = finding(
            'live-services', model.command('manila-manage service cleanup')
        )
        choose = finding(
            'config-options',
            model.config('c = 1').with_edits(
                model.Edit('choose', 'config', 'manila.conf', 1)
            ),
        )
        library = finding('installed-packages', model.advice('Install it.'))
        old = finding(
            'config-options', model.advice('Replace it.'), aspect='deprecated'
        )
        made = plan(early, late, by_hand, choose, library, old)
        for name, found in (
            ('files-both-read', [early]),
            ('files-target-reads', [late]),
            ('mend-live-services', [by_hand]),
            ('mend-config-options', [choose]),
            ('packages', [library]),
            ('deprecated', [old]),
        ):
            self.expectThat(
                list(step(made, name).findings),
                testtools.matchers.Equals(found),
                name,
            )

    def test_what_does_not_count_is_no_step(self):
        waiver = model.Waiver('*', 'reason', 'owner', '2027-01-01')
        made = plan(
            finding('live-services', severity=Severity.INFO),
            finding('share-types', waiver=waiver),
        )
        self.assertEqual(ids(plan()), ids(made))

    def test_release_notes_are_read_before_the_window(self):
        note = finding('release-notes', severity=Severity.INFO)
        waiver = model.Waiver('*', 'reason', 'owner', '2027-01-01')
        lost = finding('release-notes', aspect='lost')
        made = plan(note, note._replace(waiver=waiver), lost)
        self.assertIn('read-release-notes', ids(made)['before'])
        self.assertEqual(
            [note], list(step(made, 'read-release-notes').findings)
        )
        self.assertEqual([lost], list(step(made, 'packages').findings))

    def test_checks_that_did_not_look(self):
        skipped = [
            model.CheckResult(name, name, model.Outcome.SKIPPED, 'no database')
            for name in ('live-services', 'share-types')
        ]
        made = plan(more=skipped)
        self.assertEqual(
            (
                'live-services, share-types: no database',
                'Write this runbook again then: it has no steps for what they '
                'find.',
            ),
            step(made, 'look-live-services').text,
        )

    def test_hosts_of_services(self):
        made = plan(
            site=site_facts.Site(
                RPM,
                [
                    ('manila-share', 'ctl2@a'),
                    ('manila-share', 'ctl1@a'),
                    ('manila-share', 'ctl1@b'),
                    ('manila-scheduler', 'ctl1'),
                ],
            )
        )
        self.assertEqual(
            [
                steps.Command(
                    'systemctl stop openstack-manila-share.service',
                    ('ctl1', 'ctl2'),
                )
            ],
            list(step(made, 'stop-manila-share').commands),
        )
        # It has no row.
        self.assertEqual((), step(made, 'stop-manila-api').commands[0].hosts)

    def test_purge(self):
        table = finding(
            'soft-deleted-rows',
            model.command('manila-manage db purge 30'),
            subject=model.Subject('table', 'shares'),
            data={'purge_deletes': 1000},
        )
        made = step(plan(table), 'purge')
        self.assertEqual(
            ['manila-manage db purge 30'], [c.text for c in made.commands]
        )
        # A start of manila-manage takes 1 to 4 s.
        self.assertEqual((2.5 + 1, 10.0 + 4), made.duration[:2])
        large = finding(
            'soft-deleted-rows',
            model.command('for age in {} {}; do x $age; done', 90, 30),
            subject=model.Subject('database', 'purge'),
            data={'purge_deletes': 200000, 'runs': 2},
        )
        made = step(plan(table, large), 'purge')
        self.assertEqual((500.0 + 2, 2000.0 + 8), made.duration[:2])
        self.assertEqual(
            ['for age in 90 30; do x $age; done'],
            [c.text for c in made.commands],
        )

    def test_a_purge_that_deletes_nothing_is_no_command(self):
        rows = finding(
            'soft-deleted-rows',
            model.advice('Resolve the finding x first.'),
            subject=model.Subject('table', 'messages'),
            data={'purge_deletes': 0},
        )
        stays = finding(
            'soft-deleted-rows',
            model.sql('postgresql', 'ALTER TABLE messages DISABLE RULE a;'),
            subject=model.Subject('table', 'messages'),
            data={'purge_deletes': 0, 'rows_that_stay': 2},
            aspect='stays:rule-a',
        )
        made = plan(rows, stays)
        purge = step(made, 'purge')
        self.assertEqual((), tuple(purge.commands))
        self.assertEqual(
            'No finding "#restored", "#detached" or "#stays" of '
            'soft-deleted-rows is left.',
            purge.before[0],
        )
        self.assertEqual([rows], list(purge.findings))
        by_hand = [
            one.id
            for phase in made.hops[0].phases
            for one in phase.steps
            if stays in one.findings
        ]
        order = ids(made)['before']
        self.assertEqual(1, len(by_hand))
        self.assertLess(order.index(by_hand[0]), order.index('purge'))

    def test_window(self):
        rebuild = finding(
            'pending-migrations',
            severity=Severity.INFO,
            data={'seconds_min': 30.0, 'seconds_max': 120.0},
        )
        looked = model.CheckResult('a', '', model.Outcome.PASSED, seconds=3.0)
        made = plan(
            rebuild,
            more=[looked, looked._replace(id='b')],
            site=site_facts.Site(
                RPM,
                services=[
                    ('manila-share', 'ctl1@a'),
                    ('manila-share', 'ctl2@a'),
                ],
                stages={
                    'a': [model.Stage.PLAN, *LATER],
                    'b': [model.Stage.STOPPED],
                },
                dialect='mysql',
                size_bytes=300_000_000,
                instances={'ctl1@a': 10, 'ctl2@a': 100},
                backup_rate=10.0,
                ensure_rate=0.5,
            ),
        )
        self.assertEqual(
            {
                'announce': (0, 0),
                'stop-manila-api': (0.5, 10),
                'drain': (None, None),
                'stop-manila-scheduler': (0.5, 10),
                # On two hosts.
                'stop-manila-share': (2, 120),
                'stop-manila-data': (0.5, 10),
                # The rows say that the services are down.
                'gate-down': (1, 4 + 15),
                'backup': (20, 45),
                'files-target-reads': None,
                # Checks that took 6 s, and the backup.
                'gate-stopped': (1 + 4 + 3, 4 + 9 + 30),
                'packages': None,
                # And two starts of manila-manage.
                'db-sync': (32 + 2, 130 + 8),
                'start-manila-scheduler': (0.1, 2),
                'start-manila-share': (0.2, 4 + 75),
                'start-manila-data': (0.1, 2),
                'start-manila-api': (0.1, 2),
                # The services report, and openstack starts.
                'gate-upgraded': (1 + 2 + 5 + 1, 4 + 4.5 + 30 + 4),
                'service-cleanup': (2, 8),
            },
            {
                one.id: one.duration and one.duration[:2]
                for one in made.hops[0].window
            },
        )
        found = steps.total(made.hops[0])
        self.assertEqual(
            [
                'Wait for what is in flight',
                'Apply what only 2026.1 reads',
                'Install the packages of 2026.1',
            ],
            list(found.unknown),
        )
        self.assertAlmostEqual(78.0, found.low)
        self.assertAlmostEqual(530.5, found.high)

    def test_a_window_of_which_nothing_is_known(self):
        made = plan()
        self.assertEqual(
            {
                'gate-stopped': 'the size of the database is not known',
                'gate-upgraded': 'how long the checks take was not measured',
            },
            {
                one.id: one.duration.basis
                for one in made.hops[0].window
                if one.id in ('gate-stopped', 'gate-upgraded')
            },
        )

    def test_a_service_that_does_not_end(self):
        ends = plan()
        self.assertEqual(60, step(ends, 'stop-manila-share').duration.high)
        # It is the one of the target that is stopped on the way back.
        for made, name in (
            (ends, 'back-stop-manila-share'),
            (
                plan(source='2026.1', target='2026.2'),
                'stop-manila-share',
            ),
        ):
            self.assertEqual(
                (
                    45.0,
                    90.0,
                    '1 host, 45 to 90 s each: that of '
                    '2026.1 mostly goes on after SIGTERM until systemd ends '
                    'it (TimeoutStopSec, 90 s by default)',
                ),
                step(made, name).duration,
            )

    def test_services_that_wait_without_an_end(self):
        made = plan(site=site_facts.Site(RPM._replace(grace_seconds=0)))
        self.assertEqual(
            (
                None,
                None,
                'graceful_shutdown_timeout is 0: as long as its work takes',
            ),
            step(made, 'stop-manila-share').duration,
        )

    @ddt.data(
        ('postgresql', {}, model.Outcome.FOUND),
        ('mysql', {'aspect': 'unknown'}, model.Outcome.FOUND),
        ('mysql', {}, model.Outcome.ERROR),
    )
    @ddt.unpack
    def test_migrations_whose_time_is_not_known(self, dialect, also, outcome):
        rebuild = finding(
            'pending-migrations',
            data={'seconds_min': 30.0, 'seconds_max': 120.0},
            **also,
        )
        check = model.CheckResult(
            'pending-migrations', '', outcome, 'why', (rebuild,)
        )
        made = plan(more=[check], site=site_facts.Site(RPM, dialect=dialect))
        self.assertFalse(step(made, 'db-sync').duration.known)

    def rehearsed(self, name='db-sync', probe=None, purge=(), **values):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'r.json')
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(rehearsals.text(**values))
        made = plan(
            *purge,
            site=site_facts.Site(
                RPM,
                rehearsed=rehearsal_report.read(path),
                probe_seconds=probe,
            ),
        )
        low, high, basis = step(made, name).duration
        return low, high, basis.replace(path, 'PATH')

    def test_db_sync_as_it_was_rehearsed(self):
        self.assertEqual(
            (
                32.0,
                128.0,
                '60.0 s in the rehearsal of 2026-04-01; how fast the database '
                'server is was not compared, so between half and twice of it; '
                '2 starts of manila-manage, 1 to 4 s each',
            ),
            self.rehearsed(),
        )

    def test_a_server_that_is_twice_as_fast_as_that_of_the_rehearsal(self):
        self.assertEqual(
            (
                22.0,
                53.0,
                '60.0 s in the rehearsal of 2026-04-01, on a server that did '
                'the same work in 2.00 times the time of the database; give '
                'or take half of it; 2 starts of manila-manage, 1 to 4 s each',
            ),
            self.rehearsed(probe=0.25),
        )

    def test_the_start_of_manila_manage_as_it_was_rehearsed(self):
        phases = [
            one._replace(start_seconds=3.0 if one.phase == 'sync' else None)
            for one in rehearsals.PHASES
        ]
        basis = (
            '2 starts of manila-manage, 3.0 s each in the rehearsal, give or '
            'take half of it'
        )
        self.assertEqual(
            (4.0, 9.0, basis),
            self.rehearsed('service-cleanup', phases=phases),
        )
        low, high, words = self.rehearsed(phases=phases)
        self.assertEqual((34.0, 129.0), (low, high))
        self.assertEqual(basis, words.rpartition('; ')[2])

    def test_a_rehearsal_that_stopped(self):
        phases = [
            one._replace(whole=one.phase != 'sync')
            for one in rehearsals.PHASES
        ]
        self.assertEqual(
            (
                None,
                None,
                'db sync did not complete in the rehearsal (PATH)',
            ),
            self.rehearsed(phases=phases),
        )

    def test_a_rehearsal_that_could_not_restore_the_backup(self):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'r.json')
        found = finding(
            'rehearse-backup',
            severity=Severity.FAILURE,
            subject=model.Subject('backup', 'restore'),
            message='the backup b.sql cannot be restored: MariaDB rejects it',
        )
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(
                rehearsals.text(findings=[found], phases=(), proven=False)
            )
        made = plan(
            site=site_facts.Site(RPM, rehearsed=rehearsal_report.read(path))
        )
        self.assertEqual(
            f'There is no window yet: the rehearsal in {path} has failed. '
            'Resolve this, and rehearse again: the backup b.sql cannot be '
            'restored: MariaDB rejects it.',
            step(made, 'rehearse-backup').text[0],
        )
        self.assertEqual(
            f'db sync did not complete in the rehearsal ({path})',
            step(made, 'db-sync').duration.basis,
        )

    def test_a_rehearsal_of_another_upgrade(self):
        self.assertEqual(
            (None, None, 'the rehearsal in PATH is of 2025.1 to 2025.2'),
            self.rehearsed(target='2025.2'),
        )

    def test_the_purge_as_it_was_rehearsed(self):
        found = finding(
            'soft-deleted-rows',
            model.command('manila-manage db purge 90'),
            subject=model.Subject('database', 'purge'),
            data={'purge_deletes': 200000},
        )
        self.assertEqual(
            (21.0, 84.0), self.rehearsed('purge', purge=[found])[:2]
        )
        self.assertEqual(
            (501.0, 2004.0),
            self.rehearsed(
                'purge', purge=[found], phases=rehearsals.PHASES[2:]
            )[:2],
        )

    def test_what_is_not_known_is_a_blank(self):
        made = plan(site=site_facts.Site(RPM, dialect='mysql', size_bytes=10))
        backup = step(made, 'backup')
        self.assertEqual(
            (
                None,
                None,
                '0.0 MB of tables; the rate was not given (--backup-rate)',
            ),
            backup.duration,
        )
        self.assertEqual(
            ['BACKUP_FILE', 'DATABASE'], [b.word for b in backup.blanks]
        )

    @ddt.data(
        (
            'mysql',
            False,
            ('manila', 'db1', '3307', 'm'),
            'mysqldump --host db1 --port 3307 --user m --single-transaction '
            '--no-tablespaces --add-drop-database --result-file=BACKUP_FILE '
            '--databases manila',
            'mysql --host db1 --port 3307 --user m < BACKUP_FILE',
        ),
        (
            'mysql',
            True,
            ('manila', 'db1', '', '-m', '/run/my sql.sock'),
            "mariadb-dump --socket '/run/my sql.sock' --user=-m "
            '--single-transaction --no-tablespaces --add-drop-database '
            '--result-file=BACKUP_FILE --databases manila',
            "mariadb --socket '/run/my sql.sock' --user=-m < BACKUP_FILE",
        ),
        (
            'postgresql',
            False,
            ('manila', 'db1', '', 'm'),
            'pg_dump --host db1 --username m --format=custom '
            '--file=BACKUP_FILE manila',
            # manila's account may not create databases.
            'pg_restore --host db1 --clean --create --dbname=postgres '
            'BACKUP_FILE',
        ),
        (
            'sqlite',
            False,
            ('/var/lib/manila/manila.sqlite',),
            'sqlite3 /var/lib/manila/manila.sqlite ".backup BACKUP_FILE"',
            'cp BACKUP_FILE /var/lib/manila/manila.sqlite',
        ),
    )
    @ddt.unpack
    def test_the_clients_of_the_server(
        self, dialect, mariadb, words, backup, restore
    ):
        made = plan(
            site=site_facts.Site(
                RPM,
                dialect=dialect,
                mariadb=mariadb,
                address=database_url.Address(*words),
            )
        )
        self.assertEqual(
            (backup, backup, restore),
            tuple(
                step(made, name).commands[0].text
                for name in ('rehearse-backup', 'backup', 'back-restore')
            ),
        )

    def test_a_gate_can_be_passed_before_what_is_mended_after_it(self):
        """Else no window ever begins."""
        late = model.advice('Comment it out.').with_edits(edit(name='a'))
        made = plan(
            finding('api-paste', late, severity=Severity.FAILURE),
            finding('api-paste', subject=model.Subject('option', 'b')),
            finding('config-options', late),
            finding('installed-packages', severity=Severity.FAILURE),
            finding('live-services', severity=Severity.FAILURE),
            finding('surroundings'),
            site=site_facts.Site(RPM, checks=['api-paste', 'live-services']),
        )
        check = 'manila-precheck upgrade check --target-release 2026.1'
        self.assertEqual(
            {
                'mend-api-paste': (f'{check} --check api-paste', (0, 1, 2)),
                'mend-live-services': (
                    f'{check} --check live-services',
                    (0, 1),
                ),
                'mend-surroundings': (
                    f'{check} --skip api-paste --skip installed-packages',
                    (0, 1),
                ),
                'gate-plan': (
                    f'{check} --skip api-paste --skip installed-packages',
                    (0, 1),
                ),
                'gate-stopped': (
                    'OS_MANILA_PRECHECK_DATABASE_BACKUP__PATH=BACKUP_FILE '
                    f'{check} --stage stopped --skip installed-packages',
                    (0, 1),
                ),
                'gate-upgraded': (
                    f'{check} --stage upgraded --wait 300',
                    (0, 1),
                ),
            },
            {
                one.id: (one.commands[0].text, one.commands[0].exit_codes)
                for phase in made.hops[0].phases
                for one in phase.steps
                if one.id.startswith(('mend-', 'gate-'))
                and one.id != 'gate-down'
            },
        )
        self.assertIn(
            'Left out: api-paste, installed-packages. What fails there is '
            'corrected later in this runbook, and checked again then.',
            step(made, 'gate-plan').text,
        )

    def test_with_which_exit_codes_one_goes_on(self):
        """Warnings are accepted by a person, and end nothing."""
        made = plan(site=site_facts.Site(RPM, dialect='mysql'))
        for hop in made.hops:
            for phase in hop.phases:
                for one in phase.steps:
                    for command in one.commands:
                        judges = re.search(
                            'upgrade (check|fix|rehearse)', command.text
                        )
                        self.assertEqual(
                            (0, 1) if judges else (0,),
                            command.exit_codes,
                            command.text,
                        )

    def test_the_rehearsal_leads_to_a_runbook_with_its_times(self):
        made = plan(
            site=site_facts.Site(
                RPM,
                dialect='mysql',
                size_bytes=1_234_000_000,
                plan_flags=['--services kolla'],
            )
        )
        rehearsal = step(made, 'rehearse-backup')
        self.assertEqual(
            [
                'manila-precheck upgrade rehearse --target-release 2026.1 '
                '--backup BACKUP_FILE --target-python TARGET_PYTHON '
                '--database-only --format json > ~/manila-rehearsal.json',
                'manila-precheck upgrade plan --target-release 2026.1 '
                '--rehearsal ~/manila-rehearsal.json '
                '--backup-rate MEGABYTES_A_SECOND --services kolla',
            ],
            [command.text for command in rehearsal.commands[1:]],
        )
        self.assertEqual(
            '1234.0, the megabytes of tables, divided by the seconds that '
            'the backup took',
            rehearsal.blanks[-1].meaning,
        )

    @ddt.data(
        (
            'systemd',
            ('ubuntu', 'debian'),
            'systemctl stop manila-share.service',
        ),
        ('systemd', (), 'systemctl stop UNIT_OF_MANILA_SHARE'),
        ('kolla', (), 'systemctl stop kolla-manila_share-container.service'),
        ('docker', (), 'docker stop -t 90 CONTAINER_OF_MANILA_SHARE'),
        ('podman', (), 'podman stop -t 90 CONTAINER_OF_MANILA_SHARE'),
        (
            'pacemaker',
            (),
            'pcs resource disable openstack-manila-share --wait',
        ),
    )
    @ddt.unpack
    def test_managers(self, name, distribution, text):
        manager = managers.Manager(name, distribution)
        command, blanks = manager.stop('manila-share', ('ctl1',))
        self.assertEqual(text, command.text)
        # What is in capitals is named.
        self.assertEqual(
            re.findall('[A-Z]{4}[A-Z_]+', text), [b.word for b in blanks]
        )

    def test_the_units_of_the_host(self):
        manager = RPM._replace(units={'manila-share': 'share`id`@a.service'})
        made = plan(site=site_facts.Site(manager))
        self.assertEqual(
            [
                "systemctl stop 'share`id`@a.service'",
                'systemctl stop openstack-manila-data.service',
            ],
            [
                step(made, f'stop-manila-{name}').commands[0].text
                for name in ('share', 'data')
            ],
        )

    def test_containers_do_not_wait_without_an_end(self):
        manager = managers.Manager('docker', grace_seconds=0)
        command, blanks = manager.stop('manila-data', ())
        self.assertEqual(
            'docker stop -t SECONDS CONTAINER_OF_MANILA_DATA', command.text
        )
        self.assertEqual(
            ['CONTAINER_OF_MANILA_DATA', 'SECONDS'], [b.word for b in blanks]
        )

    def test_in_containers(self):
        made = plan(site=site_facts.Site(managers.Manager('podman')))
        sync = step(made, 'db-sync')
        self.assertEqual(
            'RUN_IN_CONTAINER manila-manage db sync', sync.commands[0].text
        )
        self.assertEqual(['RUN_IN_CONTAINER'], [b.word for b in sync.blanks])

    def test_two_hops(self):
        made = plan(source='2024.2', target='2026.1')
        self.assertEqual(1, len(made.hops))
        made = runbook.make(
            report(source='2024.2', target='2025.1'),
            releases.parse('2026.1'),
            site_facts.Site(RPM),
        )
        self.assertEqual(
            [('2024.2', '2025.1', True), ('2025.1', '2026.1', False)],
            [hop[:3] for hop in made.hops],
        )
        self.assertEqual(('2024.2', '2026.1'), (made.source, made.target))
        self.assertEqual('judge', ids(made, 1)['before'][0])
        self.assertIn(
            'manila-precheck upgrade plan --target-release 2026.1',
            [c.text for c in step(made, 'judge', 1).commands],
        )
        self.assertFalse(step(made, 'db-sync', 1).duration.known)

    def test_what_is_typed_on_the_way_back(self):
        made = plan(
            site=site_facts.Site(
                RPM,
                services=[('manila-share', 'ctl1@a')],
                dialect='mysql',
                address=database_url.Address(database='manila'),
            )
        )
        self.assertEqual(
            {
                'back-stop-manila-share': [
                    'systemctl stop openstack-manila-share.service'
                ],
                'back-restore': ['mysql < BACKUP_FILE'],
                'back-packages': ['COMMAND_OF_THE_OLD_PACKAGES'],
                'back-files': [
                    'cd / && patch -R -p0 < ~/manila-window-2026.1.diff'
                ],
                'back-start-manila-share': [
                    'systemctl start openstack-manila-share.service'
                ],
                'back-gate': [
                    'manila-manage db version',
                    'openstack share service list',
                    'manila-precheck upgrade check --target-release 2026.1',
                ],
            },
            {
                name: [c.text for c in step(made, name).commands]
                for name in BACK
                if 'share' in name or name.count('-') == 1
            },
        )
        self.assertEqual(
            (None, None, 'what the restore took in the rehearsal'),
            step(made, 'back-restore').duration,
        )

    def test_the_restore_as_it_was_rehearsed(self):
        self.assertEqual((1.5, 6.0), self.rehearsed('back-restore')[:2])

    def test_each_hop_has_a_way_back_of_its_own(self):
        made = runbook.make(
            report(source='2024.2', target='2025.1'),
            releases.parse('2026.1'),
            site_facts.Site(RPM),
        )
        texts = [
            {
                c.text
                for phase in hop.phases
                for one in phase.steps
                for c in (*one.commands, *one.undo)
                if '.diff' in c.text
            }
            for hop in made.hops
        ]
        # What one hop writes the other one does not overwrite.
        self.assertEqual(set(), texts[0] & texts[1])
        self.assertEqual(BACK, ids(made)['back'])
        self.assertEqual([*BACK, 'back-further'], ids(made, 1)['back'])
        self.assertEqual(
            ['cd / && patch -R -p0 < ~/manila-before-2026.1.diff'],
            [c.text for c in step(made, 'back-further', 1).commands],
        )

    def test_thousands_of_findings(self):
        found = [
            model.Finding(
                model.Severity.WARNING,
                model.Subject(
                    'option', f'b{n}/old{n % 90}', 'manila.conf', n + 1
                ),
                f'[b{n}] old{n % 90} = {n} is gone',
                [model.config('[{}]\n{} = {}', f'b{n}', f'new{n % 90}', n)],
                data={'host': 'ctl1'} if n % 3 else {},
            )._replace(check_id='config-options')
            for n in range(3000)
        ]
        found += [
            model.Finding(
                model.Severity.WARNING,
                model.Subject('share', f's{n}'),
                'abcdefgh'[n % 8] * (n % 60 + 2) + ' is stuck',
                [model.advice('abcdefgh'[n % 8] * (n % 60 + 2) + ' by hand')],
            )._replace(check_id='in-flight-operations')
            for n in range(300)
        ]
        made = plan(*found)
        text = markdown.render(made)
        self.assertLess(len(text.splitlines()), 1500)
        self.assertIn('Likewise 1999 more: ', text)
        self.assertRegex(text, r'And \d+ findings more: "upgrade plan')
        self.assertLess(len(page.render(made)), 400_000)
        kept = json.loads(json_plan.render(made))
        self.assertEqual(
            3300,
            sum(
                len(one['findings'])
                for phase in kept['hops'][0]['phases']
                for one in phase['steps']
            ),
        )

    def test_commands_parse(self):
        # What a release takes of them qa/upgrade asks the release.
        made = plan(site=site_facts.Site(RPM, dialect='postgresql'))
        for program in ('manila-manage', 'openstack'):
            for text in typed(made):
                if shlex.split(text)[0] == program:
                    self.assertIn(text, runbook.COMMANDS)


class _Page(html.parser.HTMLParser):
    """What is in the blocks of a page, and which elements it has."""

    def __init__(self, text):
        super().__init__()
        self.blocks = []
        self.tags = set()
        self.attributes = set()
        self._within = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == 'pre':
            self._within = True
            self.blocks.append('')

    def handle_endtag(self, tag):
        if tag == 'pre':
            self._within = False

    def handle_data(self, data):
        if self._within:
            self.blocks[-1] += data


def hostile_plan(name):
    """Return a plan with a name in every place that a site can fill."""
    return plan(
        finding(
            'live-services',
            model.command('openstack share service set {}', name),
            model.advice(f'See {name}.'),
            subject=model.Subject('service', name),
            message=f'{name} is down',
            data={'host': name, 'project': name},
        ),
        # One that is like it stands beside it.
        finding(
            'live-services',
            model.command('openstack share service set {}', f'{name}2'),
            model.advice(f'See {name}2.'),
            subject=model.Subject('service', f'{name}2'),
            message=f'{name}2 is down',
            data={'host': name, 'project': name},
        ),
        more=[
            model.CheckResult('share-types', name, model.Outcome.ERROR, name)
        ],
        site=site_facts.Site(
            RPM,
            [('manila-share', name)],
            drivers=[(name, name)],
            removed=[name],
            dialect='mysql',
            address=database_url.Address(name, name, '1', name),
            size_bytes=1,
            instances={name: 1},
            flags=[('--config-file', f'/etc/{name}')],
        ),
    )


def commands_in(name, text):
    """Return what a reader of a format takes for commands, one a line."""
    if name == 'html':
        return [
            line for block in _Page(text).blocks for line in block.split('\n')
        ]
    if name == 'markdown':
        return [
            line.strip()
            for _, block in re.findall(
                r'^  (`{3,})\n(.*?)\n  \1$', text, re.DOTALL | re.MULTILINE
            )
            for line in block.split('\n')
        ]
    return [
        command
        for hop in json.loads(text)['hops']
        for phase in hop['phases']
        for one in phase['steps']
        for command in (
            *(
                todo['text']
                for f in one['findings']
                for todo in f['remediation']
                if todo['kind'] != 'text'
            ),
            *(c['text'] for c in (*one['commands'], *one['undo'])),
        )
    ]


# What bash runs of commands, with no program to be found: each word that it
# takes for one, on a line of its own.
_NOTHING_FOUND = """\
set -o pipefail
PATH=/nowhere
command_not_found_handle() { printf '%s\\n' "$1" >&3; }
exec 3>&1 > /dev/null
"""

# Those of the plan; the restore finds no backup.
_PROGRAMS = {
    'COMMAND_OF_THE_OLD_PACKAGES',
    'COMMAND_OF_THE_PACKAGES',
    'manila-manage',
    'manila-precheck',
    'mysqldump',
    'openstack',
    'patch',
    'systemctl',
}

# In any place of a name.
_CODE = (
    '$(touch x)',
    '`touch x`',
    '; touch x;',
    '& touch x &',
    '| touch x',
    '|| touch x',
    '\ntouch x\n',
    '\r\ntouch x\r\n',
    "'; touch x; '",
    '"; touch x; "',
    "'$(touch x)'",
    '"$(touch x)"',
    "\\'; touch x #",
    '\\"; touch x #',
    '<(touch x)',
    '> x',
    '${HOME:-$(touch x)}',
    '$((a[$(touch x)]))',
    '{touch,x}',
    '!touch',
    '# ',
    ' -- $(touch x)',
    '\x1b[2J\x1b]0;x\x07$(touch x)',
    '\u202e$(touch x)',
    '\udcff$(touch x)',
    '\n```\n\ntouch x\n\n```\n',
    '</pre><pre>touch x</pre><pre>',
    '","commands":[{"text":"touch x"}],"a":"',
)


class HostileTest(testtools.TestCase):
    """No name gets out of its place."""

    def setUp(self):
        super().setUp()
        self.plan = hostile_plan(HOSTILE)

    def test_words_of_commands(self):
        for text in typed(self.plan):
            self.assertEqual(1, len(text.splitlines()), text)
        self.assertEqual(
            model.quoted(HOSTILE),
            step(self.plan, 'backup')
            .commands[0]
            .text.split('--databases ')[1],
        )

    def test_markdown(self):
        text = markdown.render(self.plan)
        # What stands in a block is a command of the plan, and all of them do.
        self.assertEqual(typed(self.plan), commands_in('markdown', text))
        outside = re.sub(
            r'^  (`{3,})\n.*?\n  \1$', '', text, flags=re.DOTALL | re.MULTILINE
        )
        # Of what is left nothing is code: all of it could be markup.
        outside = re.sub(
            r'(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)', '', outside.replace('\\`', '')
        )
        self.assertNotIn('<b ', outside)
        self.assertNotIn('](u)', outside.replace('\\](u)', ''))
        self.assertNotIn('\n```', outside)
        self.assertNotIn('\n# <', outside)

    def test_html(self):
        text = page.render(self.plan)
        self.assertEqual(typed(self.plan), commands_in('html', text))
        found = _Page(text)
        self.assertEqual(set(), found.tags & {'b', 'script', 'img', 'a'})
        self.assertEqual(
            set(), {a for a in found.attributes if a.startswith('on')}
        )

    def test_json(self):
        text = json_plan.render(self.plan)
        folder = importlib.resources.files('manila_precheck.act.plan')
        schema = json.loads((folder / 'schema' / 'plan-1.json').read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        self.assertEqual(typed(self.plan), commands_in('json', text))

    def test_nothing_else_is_run(self):
        rendered = {
            'json': json_plan.render,
            'markdown': markdown.render,
            'html': page.render,
        }
        for code in _CODE:
            made = hostile_plan(f'ctl{code}1')
            for name, render in rendered.items():
                self.assertEqual(
                    typed(made),
                    commands_in(name, render(made)),
                    f'{name} {code!r}',
                )
            self.assertEqual(
                _PROGRAMS, self.run_by_bash(typed(made)), repr(code)
            )

    def run_by_bash(self, texts):
        """Return what bash takes for programs, none of which is run."""
        home = self.useFixture(fixtures.TempDir()).path
        done = subprocess.run(
            ['bash'],
            input=''.join(
                [_NOTHING_FOUND, *(f'(\n{text}\n)\n' for text in texts)]
            ).encode('utf-8', 'surrogateescape'),
            env={'HOME': home},
            cwd=home,
            capture_output=True,
            check=False,
        )
        return set(done.stdout.decode('utf-8', 'replace').split('\n')) - {''}
