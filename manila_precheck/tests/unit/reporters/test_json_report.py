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

import copy
import importlib.resources
import io
import json

import ddt
import jsonschema
import testtools

from manila_precheck import model
from manila_precheck.reporters import json_report
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _write(report):
    stream = io.StringIO()
    json_report.JsonReporter().write(report, stream, width=40, color=True)
    return stream.getvalue()


def _schema():
    folder = importlib.resources.files('manila_precheck.reporters')
    name = f'report-{json_report.SCHEMA_VERSION}.json'
    return json.loads((folder / 'schema' / name).read_text())


def _close(node):
    """Make a schema refuse every key that it does not describe."""
    if isinstance(node, dict):
        if 'properties' in node:
            node['additionalProperties'] = False
            node['required'] = sorted(node['properties'])
        for value in node.values():
            _close(value)
    return node


@ddt.ddt
class JsonReporterTest(testtools.TestCase):
    def test_golden(self):
        golden.check(self, 'report.json', _write(reports.REPORT))

    @ddt.data(reports.REPORT, reports.CLEAN, reports.FLEET)
    def test_it_is_what_the_schema_says(self, report):
        schema = _schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        validator.validate(json.loads(_write(report)))

    @ddt.data(reports.REPORT, reports.CLEAN, reports.FLEET)
    def test_the_schema_describes_every_key(self, report):
        schema = _close(copy.deepcopy(_schema()))
        validator = jsonschema.Draft202012Validator(schema)
        validator.validate(json.loads(_write(report)))

    def test_the_schema_knows_every_word_of_the_model(self):
        schema = _schema()
        self.assertEqual(
            [stage.value for stage in model.Stage],
            schema['properties']['stage']['enum'],
        )
        self.assertEqual(
            [outcome.value for outcome in model.Outcome],
            schema['$defs']['check']['properties']['outcome']['enum'],
        )
        self.assertEqual(
            [severity.name.lower() for severity in model.Severity],
            schema['$defs']['severity']['enum'],
        )

    def test_it_is_ascii(self):
        self.assertTrue(_write(reports.REPORT).isascii())

    def test_hostile_text_comes_back_as_it_was(self):
        report = json.loads(_write(reports.REPORT))
        (finding,) = report['checks'][4]['findings']
        (original,) = reports.HOSTILE.findings
        self.assertEqual(original.message, finding['message'])
        self.assertEqual(original.subject.name, finding['subject']['name'])
        self.assertEqual('inf', finding['data']['huge'])
