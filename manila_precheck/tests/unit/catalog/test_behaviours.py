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
import ast
import json
import pathlib

import ddt
import fixtures
import testtools

import manila_precheck
from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import history
from manila_precheck.catalog import purging

UNREAD = releases.Release('2099.1', 99, 'Unread', True)
STATE = 'access_rule updating'
PACKAGE = pathlib.Path(manila_precheck.__file__).parent
QA = PACKAGE.parent / 'qa'


def document(*rows, **changes):
    row = {'name': 'a-name', 'rows': rows, 'says': 'what', 'source': 'a file'}
    return json.dumps(
        {
            'format': 1,
            'behaviours': [{**row, **changes}],
            'releases': {'20': '20.0.3', '21': '21.0.3', '22': '22.0.2'},
        }
    )


def asked(path):
    """Return the strings of a module that look like names of behaviours."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


class TestFile(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.text = history.read(behaviours.KIND)
        self.document = json.loads(self.text)

    def test_the_header_lists_the_packages_of_the_catalog(self):
        facts = catalog.Catalog()
        self.assertEqual(
            {
                str(release.major): facts.package(release).version
                for release in facts.releases
            },
            self.document['releases'],
        )

    def test_a_row_is_a_line_of_sorted_keys(self):
        def items(pairs):
            return [f'{json.dumps(key)}: {value}' for key, value in pairs]

        found = []
        for one in self.document['behaviours']:
            rows = ',\n    '.join(
                json.dumps(row, sort_keys=True) for row in one['rows']
            )
            lines = items(
                (key, f'[\n    {rows}\n   ]')
                if key == 'rows'
                else (key, json.dumps(one[key]))
                for key in sorted(one)
            )
            found.append('  {\n   ' + ',\n   '.join(lines) + '\n  }')
        header = ',\n  '.join(
            items(
                (major, json.dumps(version))
                for major, version in self.document['releases'].items()
            )
        )
        self.assertEqual(
            '{\n "behaviours": [\n' + ',\n'.join(found) + '\n ],\n'
            f' "format": 1,\n "releases": {{\n  {header}\n }}\n}}\n',
            self.text,
        )

    def test_names_are_sorted_and_each_is_there_once(self):
        names = [one['name'] for one in self.document['behaviours']]
        self.assertEqual(sorted(set(names)), names)

    def test_each_says_what_it_is_and_where_that_is_written(self):
        for one in self.document['behaviours']:
            self.assertEqual({'name', 'rows', 'says', 'source'}, set(one))
            for row in one['rows']:
                self.assertEqual(
                    set(), set(row) - {'releases', 'source', 'subject'}
                )
            for row in behaviours.load().rows[one['name']]:
                self.assertRegex(row.source, r'^(manila|oslo\.\w+) \S')

    def test_every_range_names_releases_that_were_read(self):
        table = behaviours.load()
        for rows in table.rows.values():
            for row in rows:
                held = history.majors(row.releases, table.covered)
                self.assertEqual(
                    row.releases, history.ranges(held, table.covered)
                )

    def test_every_behaviour_is_asked_for(self):
        used = set()
        for path in (*PACKAGE.rglob('*.py'), *QA.rglob('*.py')):
            if 'tests' not in path.relative_to(PACKAGE.parent).parts:
                used |= asked(path)
        self.assertEqual(set(), set(behaviours.load().rows) - used)


@ddt.ddt
class TestBehaviours(testtools.TestCase):
    def test_the_rows_that_hold_in_a_release(self):
        table = behaviours.Behaviours(
            document(
                {'releases': '20-21', 'subject': 'b', 'source': 'its own'},
                {'releases': '21-', 'subject': 'a'},
            )
        )
        self.assertEqual(
            [('b',), ('b', 'a'), ('a',)],
            [
                table.subjects('a-name', releases.from_major(major))
                for major in (20, 21, 22)
            ],
        )
        self.assertEqual(
            ['its own', 'a file'], [row.source for row in table.rows['a-name']]
        )

    def test_the_first_release(self):
        table = behaviours.Behaviours(document({'releases': '21-'}))
        self.assertEqual(releases.from_major(21), table.first('a-name'))

    def test_a_release_beyond_those_that_are_known_is_as_the_newest(self):
        """Of which there is a file of facts, and nothing else."""
        self.assertTrue(behaviours.has('new-state', UNREAD, STATE))

    def test_an_open_range_says_nothing_of_a_release_not_read(self):
        newest = releases.from_major(max(behaviours.load().covered))
        self.assertTrue(behaviours.has('new-state', newest, STATE))
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.releases.RELEASES',
                (*releases.RELEASES, UNREAD),
            )
        )
        error = self.assertRaises(
            exceptions.CatalogError,
            behaviours.has,
            'new-state',
            UNREAD,
            STATE,
        )
        self.assertEqual(
            'the tables written by hand do not cover manila 99 (2099.1); '
            'upgrade manila-precheck',
            str(error),
        )
        self.assertRaises(
            exceptions.CatalogError, purging.read, {}, UNREAD, 'mysql'
        )

    @ddt.data(
        '',
        '[]',
        '{"format": 1}',
        document({'releases': '21-'}, name=None).replace('"rows"', '"row"'),
        document({'subject': 'no ranges'}),
        document({'releases': '21-'}).replace('"22"', '"2026.1"'),
    )
    def test_damage_is_refused(self, text):
        error = self.assertRaises(
            exceptions.CatalogError, behaviours.Behaviours, text
        )
        self.assertIn('the catalog file of behaviours is damaged', str(error))

    def test_another_format_is_refused_by_its_number(self):
        error = self.assertRaises(
            exceptions.CatalogError,
            behaviours.Behaviours,
            document().replace('"format": 1', '"format": 2'),
        )
        self.assertEqual(
            'the catalog file of behaviours has format 2, this version reads '
            '1; reinstall manila-precheck',
            str(error),
        )
