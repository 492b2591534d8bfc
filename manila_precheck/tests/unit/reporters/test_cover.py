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
import testtools

from manila_precheck import model
from manila_precheck.reporters import cover
from manila_precheck.tests import reports

RUN = reports.CLEAN._replace(
    stage=model.Stage.PLAN,
    created='2026-04-01T12:00:00+00:00',
    host='ctl1',
    site='Lab',
    region='west',
    author='Ops',
    window=model.Window(120.0, 3000.0, ('Back up',)),
)


def backup(outcome, reason='', *findings):
    return model.CheckResult(
        'database-backup', 'Backup', outcome, reason, findings
    )


def finding(severity, message='it is old', **changes):
    return model.Finding(
        severity,
        model.Subject('backup', 'b'),
        message,
        check_id='database-backup',
        **changes,
    )


@ddt.ddt
class FactsTest(testtools.TestCase):
    def test_all_of_them(self):
        self.assertEqual(
            [
                ('Site', 'Lab'),
                ('Region', 'west'),
                ('Host', 'ctl1'),
                ('Author', 'Ops'),
                ('Date', '2026-04-01 12:00 UTC'),
                ('From', '2025.1, as given'),
                ('To', '2026.1, as given'),
                (
                    'Window',
                    '2 min to 50 min for what can be computed, and 1 step to '
                    'be timed by hand ("upgrade plan" lists them)',
                ),
                (
                    'Backup',
                    'not checked yet: it is made in the window, and checked '
                    'at stage stopped',
                ),
                (
                    'Way back',
                    'before "manila-manage db sync", start the services of '
                    '2025.1 again; after it, only by restoring the backup of '
                    'the database',
                ),
            ],
            list(cover.facts(RUN)),
        )

    @ddt.data((False, 'not given', 'not recorded'), (True, 'hidden', 'hidden'))
    @ddt.unpack
    def test_what_nobody_gave(self, redacted, given, host):
        found = dict(
            cover.facts(
                RUN._replace(
                    site='',
                    region='',
                    author='',
                    host='',
                    created=None,
                    window=None,
                    redacted_names=redacted,
                )
            )
        )
        self.assertEqual(
            (given, given, given, host, 'not recorded', 'not known'),
            tuple(
                found[name]
                for name in (
                    'Site',
                    'Region',
                    'Author',
                    'Host',
                    'Date',
                    'Window',
                )
            ),
        )

    def test_several_hosts(self):
        hosts = tuple(
            model.HostRead('west', f'ctl{number}', 0) for number in range(15)
        )
        found = dict(cover.facts(RUN._replace(hosts=hosts, region='')))
        self.assertEqual('west', found['Region'])
        self.assertTrue(found['Hosts'].startswith('west/ctl0, west/ctl1, '))
        self.assertTrue(found['Hosts'].endswith('west/ctl11 and 3 more'))

    @ddt.data(
        (model.Window(0, 0), 'not known'),
        (model.Window(60, 90), '60 s to 90 s'),
        (model.Window(60, 9000), '60 s to 2.5 h'),
        (
            model.Window(0, 0, ('a', 'b')),
            'not known: 2 steps to be timed by hand ("upgrade plan" lists '
            'them)',
        ),
    )
    @ddt.unpack
    def test_window(self, window, text):
        self.assertEqual(text, cover.window(RUN._replace(window=window)))

    @ddt.data(
        (model.Stage.STOPPED, 'it has begun: the services are down'),
        (model.Stage.UPGRADED, 'it is over: the services were started'),
    )
    @ddt.unpack
    def test_window_of_a_later_stage(self, stage, text):
        self.assertEqual(text, cover.window(RUN._replace(stage=stage)))

    @ddt.data(
        (
            backup(model.Outcome.PASSED),
            'checked: complete, recent and of this database',
        ),
        (
            backup(model.Outcome.SKIPPED, 'no path'),
            'not checked: no path',
        ),
        (
            backup(model.Outcome.ERROR, 'it crashed'),
            'could not be checked: it crashed',
        ),
        (backup(model.Outcome.NOT_APPLICABLE, 'x'), 'not checked'),
        (
            backup(
                model.Outcome.FOUND,
                '',
                finding(model.Severity.FAILURE),
                finding(model.Severity.WARNING),
            ),
            'FAILURE: it is old (and 1 finding more)',
        ),
        (
            backup(
                model.Outcome.FOUND,
                '',
                finding(model.Severity.FAILURE, known=True),
            ),
            'FAILURE: it is old; in the baseline',
        ),
    )
    @ddt.unpack
    def test_backup(self, check, text):
        report = RUN._replace(stage=model.Stage.STOPPED, checks=(check,))
        self.assertEqual(text, cover.backup(report))


class WarningsTest(testtools.TestCase):
    def test_a_line_for_each_group(self):
        found = (
            finding(model.Severity.WARNING, 'b is old', cause='old'),
            finding(model.Severity.WARNING, 'c is old', cause='old'),
            finding(model.Severity.FAILURE, 'b is gone'),
            finding(model.Severity.WARNING, 'b is old, ' + 'very ' * 40),
        )
        check = backup(model.Outcome.FOUND, '', *found)
        lines = cover.warnings(RUN._replace(checks=(check,)))
        self.assertEqual([2, 1], [one.findings for one in lines])
        self.assertEqual('b and 1 more: b is old', lines[0].text)
        self.assertTrue(lines[1].text.endswith(' very ...'))
        self.assertLessEqual(
            len(check.title) + len(lines[1].text), cover.MAX_LINE + 4
        )

    def test_what_was_skipped_is_a_warning(self):
        check = backup(model.Outcome.SKIPPED, 'no path')
        self.assertEqual([check], cover.skipped(RUN._replace(checks=(check,))))
