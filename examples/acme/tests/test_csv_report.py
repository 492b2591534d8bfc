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

from acme_precheck import csv_report
import testtools

from manila_precheck import model
from manila_precheck import testing


class CsvReporterTest(testtools.TestCase):
    def test_every_outcome_has_a_line(self):
        found = model.CheckResult(
            'one',
            'One',
            model.Outcome.FOUND,
            findings=(
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('share', '=cmd()'),
                    '=HYPERLINK("x"), then\na second line',
                    check_id='one',
                ),
            ),
        )
        skipped = model.CheckResult(
            'two', 'Two', model.Outcome.SKIPPED, 'no database is configured'
        )
        passed = model.CheckResult('three', 'Three', model.Outcome.PASSED)
        stream = io.StringIO()
        csv_report.CsvReporter().write(
            testing.report_of(found, passed, skipped), stream
        )
        self.assertEqual(
            'check,outcome,severity,key,message\n'
            'one,found,FAILURE,one[=cmd()],'
            '"\'=HYPERLINK(""x""), then a second line"\n'
            'three,passed,INFO,,\n'
            'two,skipped,WARNING,,no database is configured\n',
            stream.getvalue(),
        )
