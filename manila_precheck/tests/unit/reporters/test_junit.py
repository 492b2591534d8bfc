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

    def test_one_case_a_check(self):
        self.assertEqual(
            [check.id for check in reports.REPORT.checks],
            [
                case.get('name')
                for case in _suite(reports.REPORT).iter('testcase')
            ],
        )

    @ddt.data(
        (model.Outcome.PASSED, None, 'warning', None),
        (model.Outcome.FOUND, model.Severity.INFO, 'warning', None),
        (model.Outcome.FOUND, model.Severity.WARNING, 'warning', 'failure'),
        (model.Outcome.FOUND, model.Severity.WARNING, 'failure', None),
        (model.Outcome.FOUND, model.Severity.FAILURE, 'failure', 'failure'),
        (model.Outcome.FOUND, model.Severity.FAILURE, 'never', None),
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
        output = _suite(report).findtext('system-out')
        self.assertEqual(
            'some-check: WARNING\nWARNING DEFAULT/a\n  It is wrong.', output
        )

    def test_hostile_text_comes_back_spelled_out(self):
        text = _suite(reports.REPORT).find("testcase[@name='hostile-names']")
        body = text.findtext('failure')
        self.assertIn('evil\\x1b[2J\\x1b]0;owned\\x07\\nCode 0: READY', body)
        self.assertIn('<script>&]]>\\u202eexe.txt', body)

    def test_no_clock(self):
        self.assertEqual(
            '1970-01-01T00:00:00', _suite(reports.CLEAN).get('timestamp')
        )
