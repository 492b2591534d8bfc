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

import contextlib
import io
import json
from unittest import mock

from oslo_upgradecheck import upgradecheck
import testtools

from manila_precheck.reporters import digest
from manila_precheck.reporters import json_report
from manila_precheck.reporters import upgradecheck_json
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _oslo_output():
    """Return what oslo's own class prints for the results of the report."""

    class Commands(upgradecheck.UpgradeCommands):
        _upgrade_checks = tuple(
            (
                result.title,
                lambda self, result=result: upgradecheck.Result(
                    upgradecheck.Code(int(result.severity)),
                    digest.digest(result),
                ),
            )
            for result in reports.REPORT.checks
        )

    stream = io.StringIO()
    conf = mock.Mock()
    conf.command.json = True
    with mock.patch.object(upgradecheck, 'CONF', conf):
        with contextlib.redirect_stdout(stream):
            code = Commands().check()
    return int(code), stream.getvalue()


class UpgradecheckJsonReporterTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        stream = io.StringIO()
        reporter = upgradecheck_json.UpgradecheckJsonReporter()
        reporter.write(reports.REPORT, stream)
        self.text = stream.getvalue()

    def test_golden(self):
        text = json.dumps(json.loads(self.text), indent=2)
        golden.check(self, 'upgradecheck.json', f'{text}\n')

    def test_it_is_one_line(self):
        self.assertEqual(1, self.text.count('\n'))

    def test_it_is_a_superset_of_what_oslo_prints(self):
        code, text = _oslo_output()
        theirs = json.loads(text)
        ours = json.loads(self.text)
        self.assertEqual(code, ours['code'])
        self.assertEqual({'name', 'checks'}, set(theirs))
        self.assertEqual(theirs['name'], ours['name'])
        self.assertEqual(
            theirs['checks'],
            [
                {name: check[name] for name in ('check', 'result', 'details')}
                for check in ours['checks']
            ],
        )

    def test_it_holds_the_full_report(self):
        ours = json.loads(self.text)
        full = json.loads(json.dumps(json_report.report_dict(reports.REPORT)))
        for name in set(full) - {'checks'}:
            self.assertEqual(full[name], ours[name])
        for check, expected in zip(ours['checks'], full['checks']):
            for name, value in expected.items():
                self.assertEqual(value, check[name])
