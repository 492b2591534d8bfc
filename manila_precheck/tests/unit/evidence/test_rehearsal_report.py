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
"""Reading the report of a rehearsal."""

import json
import os

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence import rehearsal_report
from manila_precheck.reporters import json_report
from manila_precheck.tests import rehearsals


@ddt.ddt
class RehearsalReportTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.path = os.path.join(folder, 'rehearsal.json')

    def read(self, text):
        with open(self.path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return rehearsal_report.read(self.path)

    def test_all_of_it(self):
        self.assertEqual(
            rehearsal_report.Rehearsed(
                self.path,
                '2025.1',
                '2026.1',
                '2026-04-01T12:00:00+00:00',
                rehearsals.SHA256,
                True,
                (),
                'mysql',
                0.5,
                (
                    model.PhaseTimes('restore', 3.0),
                    model.PhaseTimes('purge', 40.0),
                    model.PhaseTimes('sync', 60.0),
                ),
            ),
            self.read(rehearsals.text()),
        )

    def test_a_reproducible_one(self):
        found = self.read(rehearsals.text(created=None, probe_seconds=None))
        self.assertEqual((None, None), (found.created, found.probe_seconds))

    def test_a_backup_that_cannot_be_restored(self):
        found = self.read(
            rehearsals.text(
                findings=[
                    model.Finding(
                        severity,
                        model.Subject('backup', name),
                        f'the {name}',
                        check_id='rehearse-backup',
                        waiver=waiver,
                    )
                    for severity, name, waiver in (
                        (model.Severity.FAILURE, 'restore', None),
                        (model.Severity.WARNING, 'key', None),
                        (
                            model.Severity.FAILURE,
                            'revision',
                            model.Waiver('*', 'old', 'me', '2026-12-31'),
                        ),
                    )
                ],
                proven=False,
            )
        )
        self.assertEqual(
            (False, ('the restore',)), (found.proven, found.problems)
        )

    def test_a_phase(self):
        found = self.read(rehearsals.text(phases=rehearsals.PHASES[:1]))
        self.assertEqual(3.0, found.phase('restore').seconds)
        self.assertIsNone(found.phase('sync'))

    def test_of_another_command(self):
        report = rehearsals.report()._replace(rehearsal=None)
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            self.read,
            json.dumps(json_report.report_dict(report)),
        )
        self.assertEqual(
            f'{self.path} is no report of "upgrade rehearse": it is a report '
            'of another command',
            str(exc),
        )

    @ddt.data(
        '',
        '{}',
        '[]',
        'null',
        '{"rehearsal": {}}',
        '{"rehearsal": 3, "database": {"dump": null}}',
        rehearsals.text().replace('60.0', '"60.0"'),
        rehearsals.text().replace('60.0', 'NaN'),
        rehearsals.text().replace('60.0', '-1'),
        rehearsals.text().replace('"2025.1"', '5'),
        rehearsals.text()[:-1],
    )
    def test_none_at_all(self, text):
        exc = self.assertRaises(exceptions.SourceUnusable, self.read, text)
        self.assertEqual(
            f'{self.path} is no report of "upgrade rehearse": it is no report '
            'of --format json',
            str(exc),
        )

    def test_too_deep(self):
        exc = self.assertRaises(
            exceptions.SourceUnusable, self.read, '[' * 200000
        )
        self.assertIn('is no report of "upgrade rehearse"', str(exc))
