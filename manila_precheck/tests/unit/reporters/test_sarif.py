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
import json
import pathlib

import ddt
import jsonschema
import testtools

from manila_precheck import model
from manila_precheck.reporters import sarif
from manila_precheck.tests import golden
from manila_precheck.tests import reports

_SCHEMA = pathlib.Path(reports.__file__).parent / 'schemas/sarif-2.1.0.json'


def _write(report):
    stream = io.StringIO()
    sarif.SarifReporter().write(report, stream, width=40, color=True)
    return stream.getvalue()


def _run(report):
    return json.loads(_write(report))['runs'][0]


@ddt.ddt
class SarifReporterTest(testtools.TestCase):
    def test_golden(self):
        text = json.dumps(json.loads(_write(reports.REPORT)), indent=2)
        golden.check(self, 'report.sarif', f'{text}\n')

    @ddt.data(reports.REPORT, reports.CLEAN)
    def test_the_schema_takes_it(self, report):
        schema = json.loads(_SCHEMA.read_text(encoding='utf-8'))
        validator = jsonschema.validators.validator_for(schema)
        validator(schema).validate(json.loads(_write(report)))

    def test_a_clean_run_has_an_empty_list_of_results(self):
        self.assertEqual([], _run(reports.CLEAN)['results'])

    def test_each_finding_and_each_check_that_did_not_look_is_a_result(self):
        expected = []
        for check in reports.REPORT.checks:
            if check.outcome.value in ('error', 'skipped'):
                expected.append(check.id)
            expected.extend(finding.key for finding in check.findings)
        self.assertEqual(
            expected,
            [
                result['partialFingerprints']['findingKey/v1']
                for result in _run(reports.REPORT)['results']
            ],
        )

    def test_a_finding_of_a_file_has_its_line(self):
        (result,) = (
            result
            for result in _run(reports.REPORT)['results']
            if result['ruleId'] == 'backend-drivers'
        )
        self.assertEqual('error', result['level'])
        self.assertEqual(
            {
                'artifactLocation': {'uri': 'file:///etc/manila/manila.conf'},
                'region': {'startLine': 48},
            },
            result['locations'][0]['physicalLocation'],
        )

    def test_every_result_has_a_file_because_code_hosts_want_one(self):
        for result in _run(reports.REPORT)['results']:
            (location,) = result['locations']
            self.assertIn(
                'uri', location['physicalLocation']['artifactLocation']
            )

    def test_without_files_there_is_only_the_object(self):
        report = reports.REPORT._replace(files=(), checks=(reports.HOSTILE,))
        (result,) = _run(report)['results']
        self.assertEqual(['logicalLocations'], list(result['locations'][0]))

    def test_rules_and_indices_agree(self):
        run = _run(reports.REPORT)
        rules = run['tool']['driver']['rules']
        for result in run['results']:
            self.assertEqual(
                result['ruleId'], rules[result['ruleIndex']]['id']
            )

    def test_each_rule_has_help(self):
        about = 'It <looks> for `this` | that.'
        (rule,) = _run(
            reports.REPORT._replace(
                checks=(reports.BACKEND_DRIVERS._replace(about=about),)
            )
        )['tool']['driver']['rules']
        explain = 'manila-precheck check explain backend-drivers'
        self.assertEqual(
            {
                'id': 'backend-drivers',
                'shortDescription': {'text': 'Back-end drivers'},
                'fullDescription': {'text': about},
                'help': {
                    'text': f'{about}\n\n{explain}',
                    'markdown': 'It &lt;looks&gt; for \\`this\\` \\| that.'
                    f'\n\n`{explain}`',
                },
                # Where what it found is from.
                'helpUri': 'https://docs.openstack.org/releasenotes/manila/'
                '2026.1.html#upgrade-notes',
            },
            rule,
        )

    def test_a_rule_without_references_leads_to_the_guide(self):
        (rule,) = _run(reports.CLEAN)['tool']['driver']['rules']
        self.assertEqual(
            ('Upgrade path', sarif._UPGRADES),
            (rule['fullDescription']['text'], rule['helpUri']),
        )

    def test_checks_that_could_not_look_for_one_reason_are_one_result(self):
        grant = (model.command('grant it'),)
        checks = tuple(
            model.CheckResult(
                name, 'T', model.Outcome.ERROR, 'no table', remediation=grant
            )
            for name in ('a-check', 'b-check')
        )
        run = _run(reports.CLEAN._replace(checks=checks))
        (result,) = run['results']
        self.assertEqual(
            'could not run: no table\n2 checks: a-check, b-check\ngrant it',
            result['message']['text'],
        )
        self.assertEqual(
            2,
            len(run['invocations'][0]['toolExecutionNotifications']),
        )

    def test_a_check_that_could_not_look_is_told(self):
        (invocation,) = _run(reports.REPORT)['invocations']
        self.assertFalse(invocation['executionSuccessful'])
        self.assertEqual(
            ['acme-pool-names', 'policy-rules'],
            [
                note['associatedRule']['id']
                for note in invocation['toolExecutionNotifications']
            ],
        )

    def test_odd_paths_are_quoted(self):
        (_, odd) = _run(reports.REPORT)['artifacts']
        self.assertEqual(
            'file:///etc/manila/manila.conf.d/99-%E5%85%B1%20%1B.conf',
            odd['location']['uri'],
        )

    def test_messages_are_safe_for_a_terminal(self):
        for result in _run(reports.REPORT)['results']:
            text = result['message']['text'].replace('\n', '')
            self.assertTrue(text.isprintable(), text)
