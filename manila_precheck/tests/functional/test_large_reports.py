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

"""Thirty thousand findings with hostile names, in every format."""

import functools
import io
import json
import pathlib
import time
from xml.etree import ElementTree

import ddt
import jsonschema
import testtools
import xmlschema

from manila_precheck import model
from manila_precheck.cmd import output
from manila_precheck.tests import reports

NUMBER = 30_000

#: Of the processor; it takes about a tenth of it.
SECONDS = 20

_EVIL = ']]>\x1b[2J\u202e<script>\x00 \ud800 -->"\'&amp;\u2028\ufffe'

_ROOT = pathlib.Path(reports.__file__).parents[1]


def _finding(number):
    name = f'share-{number} {_EVIL}'
    return model.Finding(
        check_id='many-findings',
        severity=model.Severity(2 - number * 3 // NUMBER),
        subject=model.Subject(
            'share', name, f'/etc/manila/{_EVIL}.conf', number + 1
        ),
        message=f'Share {name} waits for its migration to be completed.',
        remediation=(model.command(f'openstack share show {name}'),),
        references=(f'https://example.org/{number}', _EVIL),
        data={'age': number, 'name': name},
    )


@functools.lru_cache(maxsize=1)
def _report():
    return model.Report(
        tool=model.Tool('manila-precheck', '1.2.3', '20.0.3 22.0.2'),
        source_release='2025.1',
        source_origin='option',
        target_release='2026.1',
        target_origin='option',
        stage=model.Stage.PLAN,
        files=(model.FileRead(f'/etc/manila/{_EVIL}.conf', '0' * 64),),
        database=None,
        checks=(
            model.CheckResult(
                'many-findings',
                f'Many findings {_EVIL}',
                model.Outcome.FOUND,
                findings=tuple(map(_finding, range(NUMBER))),
            ),
        ),
        waiver_until='2027-01-01',
    )


@ddt.ddt
class LargeReportsTest(testtools.TestCase):
    def written(self, name):
        """Write the report; it is safe for a terminal and takes no age."""
        report = _report()
        stream = io.StringIO()
        started = time.process_time()
        output.reporter(name).write(report, stream, width=80, color=False)
        self.assertLess(time.process_time() - started, SECONDS)
        text = stream.getvalue()
        self.assertTrue(text.replace('\n', '').isprintable())
        return text

    def some(self, items):
        """Keep every hundredth: a validator takes minutes for all."""
        self.assertEqual(NUMBER, len(items))
        items[:] = items[::100]

    def validate(self, document, schema):
        schema = json.loads((_ROOT / schema).read_text(encoding='utf-8'))
        validator = jsonschema.validators.validator_for(schema)
        validator(schema).validate(document)

    def test_json(self):
        document = json.loads(self.written('json'))
        self.some(document['checks'][0]['findings'])
        self.validate(document, 'reporters/schema/report-1.json')

    def test_sarif(self):
        document = json.loads(self.written('sarif'))
        self.some(document['runs'][0]['results'])
        self.validate(document, 'tests/schemas/sarif-2.1.0.json')

    def test_json_of_oslo(self):
        ((check),) = json.loads(self.written('upgradecheck-json'))['checks']
        self.assertEqual(2, check['result'])
        self.assertLess(len(check['details']), 2000)
        self.some(check['findings'])

    def test_junit(self):
        text = self.written('junit')
        schema = xmlschema.XMLSchema(str(_ROOT / 'tests/schemas/junit-10.xsd'))
        schema.validate(text)
        # One of failures and one of warnings.
        failure, warning = ElementTree.fromstring(text).iter('failure')
        self.assertEqual(
            ['failure', 'warning'], [failure.get('type'), warning.get('type')]
        )
        self.assertIn(f'share-0 {_EVIL[:3]}', failure.text or '')

    @ddt.data(('html', 5_000_000), ('markdown', 60_000))
    @ddt.unpack
    def test_a_reader_gets_what_he_can_read(self, name, most):
        text = self.written(name)
        self.assertLess(len(text), most)
        self.assertRegex(text, r'And \d+ more|and \d+ more')
        if name == 'html':
            # In Markdown it may stand in a block of code.
            self.assertNotIn('<script>\\x00', text)

    def test_table(self):
        lines = self.written('table').splitlines()
        self.assertEqual(
            'DO NOT UPGRADE YET: 2025.1 (Epoxy) -> 2026.1 (Gazpacho)', lines[0]
        )
        self.assertEqual(
            'Code 2: resolve the failures, and run this again before you '
            'stop any service.',
            lines[-1],
        )
