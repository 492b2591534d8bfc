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

import io
import pathlib
from xml.etree import ElementTree

import ddt
import testtools
import xmlschema

from manila_precheck import model
from manila_precheck.reporters import junit
from manila_precheck.tests import golden
from manila_precheck.tests import reports

_SCHEMAS = pathlib.Path(reports.__file__).parent / 'schemas'

# What Ant's schema has on top of that of Jenkins: the elements of a suite in
# this order, these attributes, and at most one answer in a case.
_SUITE = ['properties', 'testcase', 'system-out', 'system-err']
_SUITE_ATTRIBUTES = {
    'name',
    'package',
    'id',
    'timestamp',
    'hostname',
    'tests',
    'failures',
    'errors',
    'time',
}


def _write(report):
    stream = io.StringIO()
    junit.JunitReporter().write(report, stream, width=40, color=True)
    return stream.getvalue()


def _suite(report):
    return ElementTree.fromstring(_write(report))[0]


def _of(*results, **changes):
    return reports.CLEAN._replace(checks=results, **changes)


def _result(outcome, severity=None, reason=''):
    findings = ()
    if severity is not None:
        findings = (
            model.Finding(
                severity,
                model.Subject('option', 'DEFAULT/a'),
                'It is wrong.',
                check_id='some-check',
            ),
        )
    return model.CheckResult(
        'some-check', 'Some check', outcome, reason, findings
    )


def _many(number):
    return model.CheckResult(
        'some-check',
        'Some check',
        model.Outcome.FOUND,
        findings=tuple(
            model.Finding(
                model.Severity.WARNING,
                model.Subject('service', f'h{one}'),
                'It is silent.',
                [model.command('do-it')],
                check_id='some-check',
            )
            for one in range(number)
        ),
    )


@ddt.ddt
class JunitReporterTest(testtools.TestCase):
    def test_golden(self):
        golden.check(self, 'junit.xml', _write(reports.REPORT))

    @ddt.data(reports.REPORT, reports.CLEAN, reports.MANY, _of())
    def test_the_schema_of_jenkins_takes_it(self, report):
        schema = xmlschema.XMLSchema(str(_SCHEMAS / 'junit-10.xsd'))
        schema.validate(_write(report))

    @ddt.data(reports.REPORT, reports.CLEAN, _of())
    def test_the_stricter_form_of_ant(self, report):
        suite = _suite(report)
        order = [_SUITE.index(child.tag) for child in suite]
        self.assertEqual(sorted(order), order)
        for tag in ('properties', 'system-out', 'system-err'):
            self.assertEqual(1, len(suite.findall(tag)), tag)
        self.assertEqual(set(), _SUITE_ATTRIBUTES - set(suite.keys()))
        self.assertEqual(19, len(suite.get('timestamp')))
        for case in suite.findall('testcase'):
            self.assertEqual({'name', 'classname', 'time'}, set(case.keys()))
            self.assertLess(len(case), 2)
            for answer in case:
                if answer.tag != 'skipped':
                    self.assertIsNotNone(answer.get('type'))

    def test_one_case_a_group(self):
        cases = list(_suite(reports.REPORT).iter('testcase'))
        names = [case.get('name') for case in cases]
        self.assertEqual(sorted(set(names)), sorted(names))
        by_check = {}
        for case in cases:
            check_id = case.get('classname').rpartition('.')[2]
            by_check.setdefault(check_id, []).append(case.get('name'))
        self.assertEqual(
            {
                'acme-pool-names': 1,
                'backend-drivers': 1,
                'config-options': 2,
                'database-backup': 1,
                'hostile-names': 1,
                'live-services': 1,
                'policy-rules': 1,
                'running-migrations': 1,
                'share-servers': 2,
                'soft-deleted-rows': 1,
            },
            {name: len(found) for name, found in by_check.items()},
        )
        self.assertEqual(
            ['backend-drivers[netapp1/share_driver]'],
            by_check['backend-drivers'],
        )
        self.assertRegex(
            by_check['running-migrations'][0],
            '^running-migrations~[0-9a-f]{12}: every share$',
        )

    def test_the_name_of_a_group_tells_no_number(self):
        names = [
            [
                case.get('name')
                for case in _suite(_of(_many(number))).iter('testcase')
            ]
            for number in (2, 50)
        ]
        self.assertEqual(names[0], names[1])

    def test_a_group_has_every_object_and_its_remedy_once(self):
        body = _suite(_of(_many(50))).findtext('testcase/failure')
        for number in range(50):
            self.assertIn(f'WARNING h{number}\n', body)
        self.assertEqual(1, body.count('do-it'))

    def test_checks_that_could_not_run_for_one_reason_are_one_error(self):
        grant = (model.command('grant it'),)
        suite = _suite(
            _of(
                *(
                    model.CheckResult(
                        name,
                        'T',
                        model.Outcome.ERROR,
                        'no table',
                        remediation=grant,
                    )
                    for name in ('a-check', 'b-check', 'c-check')
                )
            )
        )
        self.assertEqual(
            ('1', '2'), (suite.get('errors'), suite.get('skipped'))
        )
        self.assertEqual(
            'no table\nType:\n  grant it', suite.findtext('testcase/error')
        )
        self.assertEqual(
            'could not run, for the reason of a-check',
            suite.find("testcase[@name='c-check']/skipped").get('message'),
        )

    def test_what_is_waived_is_skipped_with_the_reason(self):
        case = _suite(reports.REPORT).find(
            "testcase[@name='share-servers[one]']"
        )
        self.assertEqual(
            'waived by Storage up to 2026-12-31: it is <gone> @all \\x1b for '
            'good',
            case.find('skipped').get('message'),
        )

    def test_many_causes_are_capped_and_counted(self):
        suite = _suite(reports.MANY)
        self.assertEqual('201', suite.get('failures'))
        self.assertEqual(
            '9800 more; see --format json',
            suite.find("testcase[@name='many-findings: more']/failure").get(
                'message'
            ),
        )

    @ddt.data(
        (model.Outcome.PASSED, None, 'warning', None),
        (model.Outcome.FOUND, model.Severity.INFO, 'warning', None),
        (model.Outcome.FOUND, model.Severity.WARNING, 'warning', 'failure'),
        (model.Outcome.FOUND, model.Severity.WARNING, 'failure', 'skipped'),
        (model.Outcome.FOUND, model.Severity.FAILURE, 'failure', 'failure'),
        (model.Outcome.FOUND, model.Severity.FAILURE, 'never', 'skipped'),
        (model.Outcome.SKIPPED, None, 'never', 'skipped'),
        (model.Outcome.NOT_APPLICABLE, None, 'warning', 'skipped'),
        (model.Outcome.ERROR, None, 'never', 'error'),
    )
    @ddt.unpack
    def test_outcomes(self, outcome, severity, fail_on, tag):
        report = _of(_result(outcome, severity, 'because'), fail_on=fail_on)
        suite = _suite(report)
        (case,) = suite.findall('testcase')
        self.assertEqual([tag] if tag else [], [a.tag for a in case])
        for name, attribute in (
            ('failure', 'failures'),
            ('error', 'errors'),
            ('skipped', 'skipped'),
        ):
            self.assertEqual(str(int(tag == name)), suite.get(attribute))

    def test_what_is_found_below_the_threshold_is_still_told(self):
        report = _of(
            _result(model.Outcome.FOUND, model.Severity.WARNING),
            fail_on='failure',
        )
        skipped = _suite(report).find('testcase/skipped')
        self.assertEqual(
            ('warning: Some check: It is wrong.', 'WARNING DEFAULT/a'),
            (skipped.get('message'), skipped.text.partition('\n')[0]),
        )

    def test_notes_stand_in_the_output_of_the_suite(self):
        report = _of(_result(model.Outcome.FOUND, model.Severity.INFO))
        self.assertEqual(
            'some-check: INFO\nINFO DEFAULT/a\n  It is wrong.',
            _suite(report).findtext('system-out'),
        )

    def test_hostile_text_comes_back_spelled_out(self):
        text = _suite(reports.REPORT).find(
            "testcase[@classname='manila-precheck.plan.hostile-names']"
        )
        body = text.findtext('failure')
        self.assertIn('evil\\x1b[2J\\x1b]0;owned\\x07\\nCode 0: READY', body)
        self.assertIn('<script>&]]>\\u202eexe.txt', body)

    def test_no_clock(self):
        self.assertEqual(
            '1970-01-01T00:00:00', _suite(reports.CLEAN).get('timestamp')
        )
