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
from manila_precheck.engine import report_reader
from manila_precheck.reporters import json_report
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

    @ddt.data(reports.REPORT, reports.FLEET)
    def test_what_is_written_is_read_again(self, report):
        text = self.text_of(report)
        found = report_reader.read(self.path_of(text))
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
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, path
        )
        self.assertEqual(f'{path}: {expected}', str(error))

    @ddt.data(
        ('{"schema_version": 1, "schema_version": 1}', 'is duplicated'),
        ('{"schema_version": NaN}', 'NaN is not a JSON number'),
        ('{"x": {"y": [-Infinity]}}', '-Infinity is not a JSON number'),
        ('{"x": 1e999999}', '1e999999 is not a JSON number'),
        ('{"schema_version": true}', 'not a report of version 1'),
        ('{"schema_version": 1.0}', 'not a report of version 1'),
        ('{"x":' * 100_000, 'it is not JSON'),
        ('1' * 100_000, 'not a report of version 1'),
    )
    @ddt.unpack
    def test_json_that_no_run_writes(self, text, words):
        path = self.path_of(text)
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, path
        )
        self.assertTrue(
            words in str(error) or 'it is not JSON' in str(error), error
        )

    def test_more_objects_than_are_read(self):
        path = self.path_of('[' + '[],' * 2_000_000 + '[]]')
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, path
        )
        self.assertEqual(
            f'{path}: more than 2000000 objects and lists, the limit for a '
            'report',
            str(error),
        )

    def test_a_key_was_counted_for_each_other(self):
        path = self.path_of('{' + '"a": 1,' * 100_000 + '"b": 1}')
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, path
        )
        self.assertEqual(
            f"{path}: the report is damaged (the key 'a' is duplicated)",
            str(error),
        )

    def test_every_cut_of_a_report_is_refused(self):
        text = self.text_of(reports.REPORT).rstrip()
        for end in range(0, len(text), 97):
            self.assertRaises(
                exceptions.SourceUnusable,
                report_reader.read,
                self.path_of(text[:end]),
            )

    @ddt.data(
        lambda held, _: held.update(code=0),
        lambda held, _: held.update(code=True),
        lambda held, _: held.update(exit_code=0),
        lambda held, _: held.update(created='yesterday'),
        lambda held, _: held.update(created='2026-04-01T12:00:00'),
        lambda held, _: held.update(waiver_until='soon'),
        lambda held, _: held['database'].update(revision=7),
        lambda held, _: held['checks'].append(held['checks'][0]),
        lambda held, found: found.update(severity='info'),
        lambda held, found: found.update(outcome='passed'),
        lambda held, found: found.update(outcome='skipped'),
        lambda held, found: found.update(findings=[]),
        lambda held, found: found.update(seconds=-1),
        lambda held, found: found.update(seconds=True),
        lambda held, found: found['findings'][0].update(severity='fatal'),
        lambda held, found: found['findings'][0].update(severity='info'),
        lambda held, found: found['findings'][0].update(counts=False),
        lambda held, found: found['findings'][0]['subject'].update(line=-1),
        lambda held, found: found['findings'][0]['subject'].update(line=True),
        lambda held, found: found['findings'][0].update(
            known=False,
            counts=False,
            waiver={'key': 'k', 'reason': 'r', 'owner': 'o', 'expires': 'x'},
        ),
        # Nobody may waive it.
        lambda held, found: (
            found.update(severity='info', waivable=False),
            [held.pop(key) for key in ('code', 'exit_code')],
            [
                one.update(
                    known=False,
                    counts=False,
                    waiver={
                        'key': 'k',
                        'reason': 'r',
                        'owner': 'o',
                        'expires': '2099-01-01',
                    },
                )
                for one in found['findings']
            ],
        ),
        lambda held, found: held.update(fail_on='weird', exit_code=0),
    )
    def test_a_report_that_was_changed_is_not_believed(self, change):
        held = json.loads(self.text_of(reports.REPORT))
        failed = next(
            one
            for one in held['checks']
            if one['outcome'] == 'found' and one['severity'] == 'failure'
        )
        change(held, failed)
        path = self.path_of(json.dumps(held))
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, path
        )
        self.assertIn('the report is damaged (', str(error))

    def test_keys_of_a_later_version_are_ignored(self):
        whole = json.loads(self.text_of(reports.REPORT))
        for path in [(), *_places(whole)]:
            held = json.loads(json.dumps(whole))
            place = held
            for step in path:
                place = place[step]
            if isinstance(place, dict) and path[-1:] != ('data',):
                place['a key of tomorrow'] = {'deep': [1]}
                self.assertEqual(
                    self.text_of(reports.REPORT),
                    self.text_of(
                        report_reader.read(self.path_of(json.dumps(held)))
                    ),
                    path,
                )

    def test_not_there(self):
        error = self.assertRaises(
            exceptions.SourceUnusable, report_reader.read, '/nowhere/ctl1.json'
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
                report_reader.read(self.path_of(json.dumps(held)))
            except exceptions.SourceUnusable as exc:
                self.assertIn('ctl1.json: ', str(exc))


def _places(held, path=()):
    """Yield the way to each value of JSON."""
    steps = held.items() if isinstance(held, dict) else enumerate(held)
    for step, value in steps:
        yield (*path, step)
        if isinstance(value, (dict, list)):
            yield from _places(value, (*path, step))
