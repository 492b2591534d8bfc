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

"""The support matrix is sound, whatever it says."""

import json

import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import support


class TestMatrix(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = support.load()
        self.facts = catalog.Catalog()

    def test_a_row_is_a_line_of_sorted_keys(self):
        text = history.read(support.KIND)
        rows = json.loads(text)['rows']
        lines = [json.dumps(row, sort_keys=True) for row in rows]
        middle = ',\n  '.join(lines)
        self.assertEqual(
            f'{{\n "format": 1,\n "rows": [\n  {middle}\n ]\n}}\n', text
        )

    def test_rows_are_sorted_and_do_not_overlap(self):
        keys = [(row.driver, min(row.majors)) for row in self.rows]
        self.assertEqual(sorted(keys), keys)
        claimed = [(row.driver, m) for row in self.rows for m in row.majors]
        self.assertEqual(len(set(claimed)), len(claimed))

    def test_every_row_says_something_and_has_a_source(self):
        for row in self.rows:
            self.assertTrue(row.supports or row.modules, row.driver)
            self.assertTrue(row.sources, row.driver)
            self.assertEqual(sorted(row.modules), list(row.modules))

    def test_drivers_are_there_in_each_release_of_a_row(self):
        for row in self.rows:
            for major in row.majors:
                release = releases.from_major(major)
                known = set(self.facts.drivers(release)) | {
                    f'emc:{name}'
                    for name in self.facts.plugins(release, drivers.EMC_PLUGIN)
                }
                self.assertIn(row.driver, known, release)

    def test_a_driver_is_covered_in_every_release_that_has_it(self):
        for row in self.rows:
            kind, name = drivers.SHARE, row.driver
            if name.startswith('emc:'):
                kind, name = drivers.EMC_PLUGIN, name[4:]
            has = self.facts.driver_releases(name, kind)
            for release in has:
                self.assertIsNotNone(
                    support.find(self.rows, row.driver, release),
                    (row.driver, release),
                )

    def test_find(self):
        old, new = releases.parse('2025.1'), releases.parse('2025.2')
        self.assertEqual(
            ['OneFS 7.2 or newer', None, None, 'OneFS 9.10 or newer'],
            [
                found and found.supports
                for found in (
                    support.find(self.rows, 'emc:isilon', old),
                    support.find(self.rows, 'emc:isilon', new),
                    support.find(self.rows, 'emc:powerscale', old),
                    support.find(self.rows, 'emc:powerscale', new),
                )
            ],
        )

    def test_another_format_and_damage_are_refused(self):
        for text, words in (
            ('{"format": 2}', 'has format 2, this version reads 1'),
            ('', 'is damaged'),
            ('[]', 'is damaged'),
            ('{"format": 1}', 'is damaged'),
            ('{"format": 1, "rows": [{"driver": "x"}]}', 'is damaged'),
        ):
            error = self.assertRaises(
                exceptions.CatalogError, support.decode, text
            )
            self.assertIn(words, str(error))
