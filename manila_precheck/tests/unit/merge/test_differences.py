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
from manila_precheck import testing
from manila_precheck.merge import differences

Severity = model.Severity
Outcome = model.Outcome

WAIVER = model.Waiver('some-check[*]', 'why', 'me', '2026-12-31')


def finding(name='DEFAULT/foo', severity=Severity.WARNING, message='loose'):
    return model.Finding(
        severity,
        model.Subject('option', name, '/etc/manila/manila.conf', 3),
        message,
        (model.advice('Tie it.'),),
        check_id='some-check',
    )


def result(*findings, outcome=None, reason=''):
    return model.CheckResult(
        'some-check',
        'Some check',
        outcome or (Outcome.FOUND if findings else Outcome.PASSED),
        reason,
        findings,
    )


def difference(severity, kind, name, message, aspect, remedy='', **more):
    return model.Finding(
        severity,
        model.Subject(
            kind, name, more.pop('file', None), more.pop('line', None)
        ),
        message,
        (model.advice(remedy),) if remedy else (),
        check_id='report-diff',
        data=more,
        aspect=aspect,
    )


@ddt.ddt
class CompareTest(testtools.TestCase):
    def compared(self, old, new, was=None, now=None, **words):
        """Return the comparison of two results, and its differences."""
        report = differences.compare(
            testing.report_of(old)._replace(**was or {}),
            testing.report_of(*[new] if new else [])._replace(**now or {}),
            **words,
        )
        own = [one for one in report.checks if one.id == 'report-diff']
        self.assertEqual(
            model.CheckResult(
                'report-diff',
                'Differences',
                Outcome.FOUND if own[0].findings else Outcome.PASSED,
                findings=own[0].findings,
                waivable=False,
            ),
            own[0],
        )
        return report, list(own[0].findings)

    def test_what_is_still_there_does_not_count(self):
        old = result(finding(), finding('DEFAULT/bar'))
        report, found = self.compared(old, old)
        self.assertEqual([], found)
        self.assertEqual((0, 0), (report.code, report.exit_code))
        self.assertEqual(
            tuple(one._replace(known=True) for one in old.findings),
            report.checks[1].findings,
        )

    def test_what_is_new_counts(self):
        new = finding('DEFAULT/bar', Severity.FAILURE)
        report, found = self.compared(
            result(finding()), result(new, finding())
        )
        self.assertEqual([], found)
        self.assertEqual(
            (new, finding()._replace(known=True)), report.checks[1].findings
        )
        self.assertEqual(2, report.exit_code)

    @ddt.data(('warning', 1), ('failure', 0), ('never', 0))
    @ddt.unpack
    def test_the_threshold_is_that_of_the_comparison(self, fail_on, code):
        report, _found = self.compared(
            result(), result(finding()), fail_on=fail_on
        )
        self.assertEqual((1, code), (report.code, report.exit_code))

    @ddt.data(0, 1, 30)
    def test_what_is_gone(self, number):
        names = [f'DEFAULT/a{one:02}' for one in range(number)]
        report, found = self.compared(
            result(*(finding(name) for name in names)), result()
        )
        self.assertEqual(
            [
                difference(
                    Severity.INFO,
                    'option',
                    f'some-check[{name}]',
                    'gone: WARNING loose',
                    'gone',
                    was='warning',
                )
                for name in names
            ],
            found,
        )
        self.assertEqual(0, report.code)

    def changed(self, message):
        return [
            difference(
                Severity.INFO,
                'option',
                'some-check[DEFAULT/foo]',
                message,
                'changed',
                was='warning',
                file='/etc/manila/manila.conf',
                line=3,
            )
        ]

    @ddt.data(
        (finding(message='looser'), True, 0),
        (finding(severity=Severity.INFO), True, 0),
        (finding(severity=Severity.FAILURE), False, 2),
    )
    @ddt.unpack
    def test_what_has_changed(self, new, known, code):
        """What weighs more than before is new."""
        report, found = self.compared(result(finding()), result(new))
        self.assertEqual(self.changed('changed: it was WARNING: loose'), found)
        self.assertEqual(
            (new._replace(known=known),), report.checks[1].findings
        )
        self.assertEqual(code, report.code)

    def test_what_is_no_longer_waived_has_changed(self):
        waived = finding()._replace(waiver=WAIVER)
        _report, found = self.compared(result(waived), result(finding()))
        self.assertEqual(
            self.changed('changed: it was WARNING, waived by me: loose'), found
        )

    @ddt.data(
        (None, 'has no result', Severity.WARNING, 0),
        (
            result(outcome=Outcome.SKIPPED, reason='no database'),
            'is skipped (no database)',
            Severity.WARNING,
            1,
        ),
        (
            result(outcome=Outcome.ERROR, reason='down'),
            'is error (down)',
            Severity.WARNING,
            2,
        ),
        (
            result(outcome=Outcome.NOT_APPLICABLE, reason='at stage plan'),
            'is not applicable (at stage plan)',
            Severity.INFO,
            0,
        ),
    )
    @ddt.unpack
    def test_what_was_not_looked_at_is_not_gone(
        self, new, why, severity, code
    ):
        report, found = self.compared(
            result(finding(), finding('DEFAULT/bar')), new
        )
        title = 'Some check'
        self.assertEqual(
            [
                difference(
                    severity,
                    'check',
                    'some-check',
                    f'{title} {why} in this report: whether 2 findings of the '
                    'earlier one are gone is not known',
                    'not-looked',
                    'Run this check again.' if severity else '',
                    findings=2,
                )
            ],
            found,
        )
        self.assertEqual(max(code, severity), report.code)

    @ddt.data(
        (
            'upgrade',
            Severity.WARNING,
            {'source_release': '2024.1'},
            {},
            '2024.1 to 2026.1, this one of 2025.1 to 2026.1',
        ),
        (
            'host',
            Severity.WARNING,
            {'host': 'ctl1'},
            {'host': 'ctl2'},
            'ctl1, this one of ctl2',
        ),
        (
            'database',
            Severity.WARNING,
            {'database': model.DatabaseRead('sqlite', 'a')},
            {'database': model.DatabaseRead('mysql', 'a')},
            'a sqlite database, this one of a mysql database',
        ),
        (
            'stage',
            Severity.INFO,
            {},
            {'stage': model.Stage.STOPPED},
            'stage plan, this one of stage stopped',
        ),
        (
            'builds',
            Severity.INFO,
            {'target_build': '23.0.0'},
            {'source_build': '22.0.2', 'target_build': '23.0.1'},
            'manila 23.0.0, this one of manila 22.0.2 and manila 23.0.1',
        ),
        (
            'tool',
            Severity.INFO,
            {'tool': model.Tool('manila-precheck', '0.9.0', '')},
            {},
            'version 0.9.0, this one of version 1.0.0',
        ),
    )
    @ddt.unpack
    def test_other_conditions(self, aspect, severity, old, new, words):
        report, found = self.compared(result(), result(), was=old, now=new)
        self.assertEqual(
            [
                difference(
                    severity,
                    'report',
                    aspect,
                    f'the earlier report is of {words}',
                    '',
                    'Compare reports of one upgrade and one host.'
                    if severity
                    else '',
                )
            ],
            found,
        )
        self.assertEqual(severity, report.code)

    @ddt.data(('host', 'ctl1'), ('database', None))
    @ddt.unpack
    def test_a_report_that_does_not_say_is_no_other_one(self, name, value):
        read = model.DatabaseRead('mysql', 'a')
        _report, found = self.compared(
            result(),
            result(),
            was={'database': read, name: value},
            now={'database': read},
        )
        self.assertEqual([], found)

    def test_a_comparison_can_be_compared(self):
        """What it says of itself is no finding of the site."""
        first, _found = self.compared(result(finding()), result())
        self.assertEqual(1, len(first.checks[0].findings))
        again = differences.compare(first, first)
        self.assertEqual((), again.checks[0].findings)
        self.assertEqual(first.checks[1:], again.checks[1:])
