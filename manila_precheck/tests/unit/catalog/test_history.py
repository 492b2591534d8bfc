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

"""The history files themselves, and how they are read."""

import json
from unittest import mock

import ddt
import testtools

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import history

EPOXY = releases.parse('2025.1')


def document(**changes):
    made = {
        'format': history.FORMAT,
        'kind': 'options',
        'releases': {
            '18': {'count': 1},
            '20': {'count': 2},
        },
        'entries': {
            'b': [{'type': 'string', 'releases': '18,20-'}],
            'a': [{'type': 'integer', 'releases': '20-'}],
        },
    }
    made.update(changes)
    return made


@ddt.ddt
class TestFiles(testtools.TestCase):
    @ddt.data(*history.KINDS)
    def test_a_file_is_its_own_serialisation(self, kind):
        text = history.read(kind)
        self.assertEqual(text, history.dumps(json.loads(text)))

    @ddt.data(*history.KINDS)
    def test_the_header_tells_the_truth(self, kind):
        loaded = history.load(kind)
        others = history.load('releases')
        self.assertEqual(others.covered, loaded.covered)
        for major in sorted(loaded.covered):
            release = releases.from_major(major)
            rows = loaded.at(release).values()
            self.assertEqual(loaded.count(release), sum(map(len, rows)))
            package = others.package(release)
            built = package.built if kind == 'releases' else ''
            self.assertEqual(
                package._replace(built=built),
                loaded.package(release),
            )
            self.assertRegex(package.built, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
            self.assertEqual(
                str(major), loaded.package(release).version.split('.')[0]
            )
            self.assertRegex(loaded.package(release).sha256, '^[0-9a-f]{64}$')

    @ddt.data(*history.KINDS)
    def test_no_row_comes_twice_or_holds_what_is_not_covered(self, kind):
        loaded = json.loads(history.read(kind))
        covered = {int(major) for major in loaded['releases']}
        for name, rows in loaded['entries'].items():
            seen = set()
            for row in rows:
                facts = dict(row)
                holds = history.majors(facts.pop('releases'), covered)
                self.assertEqual(
                    history.ranges(holds, covered), row['releases'], name
                )
                text = json.dumps(facts, sort_keys=True)
                self.assertNotIn(text, seen, name)
                seen.add(text)

    @ddt.data('policies', 'revisions')
    def test_an_entry_has_one_row_a_release(self, kind):
        loaded = history.load(kind)
        for major in sorted(loaded.covered):
            held = loaded.at(releases.from_major(major))
            self.assertEqual(
                {}, {name: rows for name, rows in held.items() if rows[1:]}
            )

    @ddt.data(*history.KINDS)
    def test_no_trace_of_the_machine_or_of_prose(self, kind):
        text = history.read(kind)
        for word in (
            '/home/',
            '/root',
            'build-catalog',
            'site-packages',
            '-mark',
            '"help": ',
            '"reason": ',
        ):
            self.assertNotIn(word, text)
        self.assertTrue(text.isascii())


@ddt.ddt
class TestHistory(testtools.TestCase):
    @ddt.data(
        ('12', {12}),
        ('12-14', {12, 13, 14}),
        ('12-13,15,17-18', {12, 13, 15, 17, 18}),
        ('12-', {12, 13, 14, 15, 16, 17, 18, 19}),
        ('12-13,18-', {12, 13, 18, 19}),
        ('19-', {19}),
    )
    @ddt.unpack
    def test_ranges_name_the_majors(self, text, numbers):
        covered = range(12, 20)
        self.assertEqual(numbers, history.majors(text, covered))
        self.assertEqual(text, history.ranges(numbers, covered))

    def test_no_range_is_open_where_no_file_says_what_is_covered(self):
        self.assertEqual('12-13,15', history.ranges({12, 13, 15}))

    def test_an_open_range_names_no_release_that_is_not_covered(self):
        made = document(entries={'a': [{'type': 'x', 'releases': '18-'}]})
        loaded = history.History('options', json.dumps(made))
        (row,) = loaded.rows('a')
        self.assertEqual({18, 20}, loaded.majors(row))
        self.assertRaises(
            exceptions.CatalogError, loaded.at, releases.from_major(21)
        )

    def test_at_holds_the_rows_of_the_release(self):
        loaded = history.History('options', json.dumps(document()))
        self.assertEqual(
            {'b': [{'type': 'string', 'releases': '18,20-'}]},
            loaded.at(releases.from_major(18)),
        )
        self.assertEqual({'a', 'b'}, set(loaded.at(EPOXY)))

    def test_dumps_sorts_and_reads_back(self):
        text = history.dumps(document())
        self.assertEqual(document(), json.loads(text))
        self.assertLess(text.index('"a"'), text.index('"b"'))
        self.assertTrue(text.endswith('}\n'))

    def test_a_release_that_is_not_covered_is_named(self):
        loaded = history.History('options', json.dumps(document()))
        error = self.assertRaises(
            exceptions.CatalogError, loaded.at, releases.from_major(19)
        )
        self.assertEqual(
            'the catalog has no options of manila 19 (2024.2); '
            'it covers 2024.1, 2025.1',
            str(error),
        )

    @ddt.data(
        ('{', 'damaged'),
        ('[]', 'damaged'),
        ('{"kind": "options"}', 'damaged'),
        (json.dumps(document(format=1)), 'has format 1'),
        (json.dumps(document(kind='policies')), "holds 'policies'"),
    )
    @ddt.unpack
    def test_an_unusable_file_says_what_to_do(self, text, words):
        error = self.assertRaises(
            exceptions.CatalogError, history.History, 'options', text
        )
        self.assertIn(words, str(error))
        self.assertIn('reinstall', str(error))

    def test_a_missing_file_says_what_to_do(self):
        with mock.patch(
            'pkgutil.get_data', autospec=True, side_effect=FileNotFoundError
        ):
            error = self.assertRaises(
                exceptions.CatalogError, history.load, 'options'
            )
        self.assertEqual(
            'the catalog file of options is missing; '
            'reinstall manila-precheck',
            str(error),
        )

    def test_an_installation_without_files_says_what_to_do(self):
        with mock.patch('pkgutil.get_data', autospec=True, return_value=None):
            error = self.assertRaises(
                exceptions.CatalogError, history.load, 'options'
            )
        self.assertIn('install manila-precheck with pip', str(error))
