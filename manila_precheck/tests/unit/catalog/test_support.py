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
from manila_precheck.catalog import requirements
from manila_precheck.catalog import support
from manila_precheck.catalog import versions


class TestMatrix(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.part = support.load()
        self.rows = self.part.rows
        self.matrix = support.Matrix([self.part])
        self.facts = catalog.Catalog()

    def test_a_row_is_a_line_of_sorted_keys(self):
        text = history.read(support.KIND)
        document = json.loads(text)
        rows = ',\n  '.join(
            json.dumps(row, sort_keys=True) for row in document['rows']
        )
        read = ',\n  '.join(
            f'{json.dumps(major)}: {json.dumps(version)}'
            for major, version in document['releases'].items()
        )
        systems = ',\n  '.join(
            f'{json.dumps(name)}: {json.dumps(facts, sort_keys=True)}'
            for name, facts in sorted(document['systems'].items())
        )
        self.assertEqual(
            f'{{\n "format": 2,\n "releases": {{\n  {read}\n }},\n'
            f' "rows": [\n  {rows}\n ],\n'
            f' "systems": {{\n  {systems}\n }}\n}}\n',
            text,
        )

    def test_the_header_lists_the_packages_of_the_catalog(self):
        document = json.loads(history.read(support.KIND))
        self.assertEqual(
            {
                str(release.major): self.facts.package(release).version
                for release in self.facts.releases
            },
            document['releases'],
        )

    def test_what_still_holds_has_an_open_range(self):
        document = json.loads(history.read(support.KIND))
        covered = frozenset(map(int, document['releases']))
        for row, made in zip(document['rows'], self.rows):
            self.assertEqual(
                history.ranges(made.majors, covered), row['releases']
            )

    def test_rows_are_sorted(self):
        keys = [(row.driver, min(row.majors)) for row in self.rows]
        self.assertEqual(sorted(keys), keys)

    def test_every_row_says_something(self):
        for row in self.rows:
            self.assertTrue(row.storage or row.libraries, row.driver)
            self.assertEqual(sorted(row.sources), list(row.sources))

    def test_each_source_names_a_file(self):
        for row in self.rows:
            for source in row.sources:
                self.assertRegex(
                    source,
                    r'manila (\d+\.\d+\.\d+ )?'
                    r'(doc/source/.+\.rst|manila/share/drivers/.+\.py)',
                )

    def test_every_version_is_compared_with_itself(self):
        for row in self.rows:
            for item in row.storage:
                names = self.matrix.system(item.system).names
                text = item.minimum or item.tested
                self.assertEqual(0, versions.compare(text, text, names))
                if item.refused_below:
                    order = versions.compare(text, item.refused_below, names)
                    self.assertIn(order, (0, 1), row.driver)

    def test_every_system_is_of_a_row(self):
        used = {item.system for row in self.rows for item in row.storage}
        self.assertEqual(set(), set(self.part.systems) - used)

    def test_the_options_that_ask_are_options_of_the_driver(self):
        for row in self.rows:
            asking = {item.option for item in row.storage}
            asking |= {item.option for item in row.libraries}
            for option in asking - {''}:
                for major in row.majors:
                    known = self.facts.options(releases.from_major(major))
                    found = known.backend(option, row.driver, None)
                    self.assertIsNotNone(found, f'{option} {major}')

    def test_drivers_are_there_in_each_release_of_a_row(self):
        for row in self.rows:
            for major in row.majors:
                release = releases.from_major(major)
                known = set(self.facts.drivers(release)) | {
                    f'emc:{name}'
                    for name in self.facts.plugins(release, drivers.EMC_PLUGIN)
                }
                self.assertIn(row.driver, known, release.name)

    def test_a_driver_is_covered_in_every_release_that_has_it(self):
        for row in self.rows:
            kind, name = drivers.SHARE, row.driver
            if name.startswith('emc:'):
                kind, name = drivers.EMC_PLUGIN, name[4:]
            has = self.facts.driver_releases(name, kind)
            for release in has:
                self.assertIsNotNone(
                    self.matrix.find(row.driver, release),
                    f'{row.driver} {release}',
                )

    def test_find(self):
        old, new = releases.parse('2025.1'), releases.parse('2025.2')
        self.assertEqual(
            ['OneFS 7.2 or newer', None, None, 'OneFS 9.10 or newer'],
            [
                found and found.storage[0].words
                for found in (
                    self.matrix.find('emc:isilon', old),
                    self.matrix.find('emc:isilon', new),
                    self.matrix.find('emc:powerscale', old),
                    self.matrix.find('emc:powerscale', new),
                )
            ],
        )

    def test_the_first_document_counts_and_rows_are_not_mixed(self):
        def part(origin, majors, **systems):
            row = requirements.Support(
                'acme.Driver', frozenset(majors), ('x',), origin=origin
            )
            return support.MatrixPart(
                (row,),
                {
                    name: requirements.System(name, {}, command)
                    for name, command in systems.items()
                },
            )

        matrix = support.Matrix(
            [part('one', {20}, A='a1'), part('two', {20, 21}, A='a2', B='b2')]
        )
        self.assertEqual(
            ['one', 'two', None],
            [
                found and found.origin
                for found in (
                    matrix.find('acme.Driver', releases.from_major(major))
                    for major in (20, 21, 22)
                )
            ],
        )
        self.assertEqual(
            ['a1', 'b2', ''],
            [matrix.system(name).command for name in ('a', 'B', 'C')],
        )

    def test_another_format_and_damage_are_refused(self):
        for text, words in (
            ('{"format": 1}', 'format: it is 1; this version reads 2'),
            ('', 'is damaged'),
            ('[]', 'it must be a mapping'),
            ('{"format": 2}', 'rows: it must be a list that is not empty'),
            (
                '{"format": 2, "rows": [{"driver": "x"}]}',
                'rows[0].releases: it must be a string',
            ),
        ):
            error = self.assertRaises(
                exceptions.CatalogError, support.read, text
            )
            self.assertIn(words, str(error))
            self.assertIn('reinstall manila-precheck', str(error))
