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
"""What tools/next_release.py adds to a tree, and how it counts that."""

import pathlib
import subprocess
import sys

import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import history
from manila_precheck.catalog import release_notes
from manila_precheck.catalog import support
from manila_precheck.tests import tool_scripts

_PROGRAM = """
from manila_precheck import catalog, releases
from manila_precheck.catalog import behaviours
facts, (before, newest) = catalog.Catalog(), releases.RELEASES[-2:]
print(newest, facts.package(newest).version)
print(facts.head(newest) == facts.head(before))
print(facts.tables(newest) == facts.tables(before))
print(behaviours.has('purge-by-table', newest))
"""


class NextReleaseTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        before = list(sys.path)
        self.addCleanup(sys.path.__setitem__, slice(None), before)
        self.tool = tool_scripts.load('next_release')
        self.tree = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def test_the_release_after(self):
        for name, expected in (
            (
                '2026.1',
                releases.Release('2026.2', 23, 'After Gazpacho', False),
            ),
            ('2025.2', releases.Release('2026.1', 22, 'After Flamingo', True)),
        ):
            self.assertEqual(
                expected, self.tool.following(releases.parse(name))
            )

    def test_what_it_costs(self):
        newest = releases.RELEASES[-1]
        release = self.tool.following(newest)
        self.tool.copy_to(self.tree)
        self.tool.add(self.tree, newest, release)
        hand = (behaviours.KIND, release_notes.KIND, support.KIND)
        kinds = (*history.KINDS, 'points', *hand)
        data = {f'{self.tool.DATA}/{kind}.json': 2 for kind in kinds}
        code = {'manila_precheck/releases.py': 2, 'tools/manila_venv.py': 1}
        self.assertEqual(
            {**data, **code}, self.tool.changed(self.tool.ROOT, self.tree)
        )
        self.assertLessEqual(sum(data.values()), self.tool.MOST_ROWS)
        self.assertLessEqual(sum(code.values()), self.tool.MOST_LINES)
        _, _, point = catalog.Catalog().package(newest).version.partition('.')
        version = f'{release.major}.{point}'
        done = subprocess.run(
            [sys.executable, '-c', _PROGRAM],
            cwd=self.tree,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(
            [f'{release} {version}', 'True', 'True', 'True'],
            done.stdout.splitlines(),
        )

    def test_a_file_whose_header_ends_earlier(self):
        newest = releases.RELEASES[-1]
        text = '{\n "releases": {\n  "12": "12.1.2"\n }\n}\n'
        error = self.assertRaises(
            SystemExit,
            self.tool.with_row,
            text,
            newest,
            self.tool.following(newest),
        )
        self.assertEqual(f'no header of manila {newest.major}', str(error))

    def test_the_point_releases_are_those_of_the_newest(self):
        newest = releases.RELEASES[-1]
        release = self.tool.following(newest)
        start, end = '{\n "format": 1,\n "points": [\n', '\n ]\n}\n'
        rows = [
            f'  {{"filename": "m-{major}.0.0", "version": "{major}.0.0"}}'
            for major in (12, newest.major, release.major)
        ]
        self.assertEqual(
            start + ',\n'.join(rows) + end,
            self.tool.with_points(
                start + ',\n'.join(rows[:2]) + end, newest, release
            ),
        )

    def test_a_replaced_line_counts_once_and_so_does_a_new_one(self):
        before, after = self.tree / 'before', self.tree / 'after'
        for path, text in (
            (before / 'a', '1\n2\n'),
            (before / 'b', 'the same\n'),
            (after / 'a', '1\n2,\n3\n'),
            (after / 'b', 'the same\n'),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertEqual({'a': 2}, self.tool.changed(before, after))
