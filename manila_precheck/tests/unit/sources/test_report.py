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
import os

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.reporters import json_report
from manila_precheck.sources import report
from manila_precheck.tests import reports


@ddt.ddt
class ReadTest(testtools.TestCase):
    def path_of(self, text):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'ctl1.json')
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return path

    def text_of(self, one):
        stream = io.StringIO()
        json_report.JsonReporter().write(one, stream)
        return stream.getvalue()

    def test_what_is_written_is_read_again(self):
        text = self.text_of(reports.REPORT)
        found = report.read(self.path_of(text))
        self.assertEqual(text, self.text_of(found))

    @ddt.data(
        ('[', 'it is not JSON'),
        ('[' * 100_000, 'it is not JSON'),
        (
            '[]',
            'not a report of version 1, which "--format json" writes',
        ),
        (
            '{"schema_version": 2}',
            'not a report of version 1, which "--format json" writes',
        ),
        (
            '{"schema_version": 1}',
            "the report is damaged (KeyError: 'database')",
        ),
    )
    @ddt.unpack
    def test_no_report(self, text, expected):
        path = self.path_of(text)
        error = self.assertRaises(exceptions.SourceUnusable, report.read, path)
        self.assertEqual(f'{path}: {expected}', str(error))

    def test_not_there(self):
        error = self.assertRaises(
            exceptions.SourceUnusable, report.read, '/nowhere/ctl1.json'
        )
        self.assertEqual(
            '/nowhere/ctl1.json: No such file or directory', str(error)
        )

    def test_no_part_of_it_may_be_of_another_type(self):
        whole = json.loads(self.text_of(reports.REPORT))
        for path in list(_places(whole)):
            held = json.loads(json.dumps(whole))
            place = held
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = [['nonsense']]
            # Some places may hold anything; the others are refused in words.
            try:
                report.read(self.path_of(json.dumps(held)))
            except exceptions.SourceUnusable as exc:
                self.assertIn('ctl1.json: ', str(exc))


def _places(held, path=()):
    """Yield the way to each value of JSON."""
    steps = held.items() if isinstance(held, dict) else enumerate(held)
    for step, value in steps:
        yield (*path, step)
        if isinstance(value, (dict, list)):
            yield from _places(value, (*path, step))
