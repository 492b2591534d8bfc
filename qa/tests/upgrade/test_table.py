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

"""Compare the tables in the documentation with the harness."""

import json
import pathlib
import re
import types

import testtools

from manila_precheck import releases
from manila_precheck.engine import registry
from qa import hops
from qa.upgrade import databases
from qa.upgrade import files
from qa.upgrade import rows
from qa.upgrade import score
from qa.upgrade import table

ROOT = pathlib.Path(__file__).parents[3]
TABLE = ROOT / 'doc' / 'source' / 'contributor' / 'upgrades_table.inc'
RECORDED = json.loads(TABLE.with_suffix('.json').read_text())


def _run(day='2026-11-29', **more):
    """Return the figures of a run, as they are kept."""
    return {
        'day': day,
        'scenarios': 2,
        'happened': 2,
        'foretold': 1,
        'findings': 4,
        'right': 4,
        'remedied': 1,
        'with_remedy': 1,
        'found_by': {},
        **more,
    }


# The names of scenarios with a part that only a run knows.
_FROM_A_RUN = re.compile(
    r'^nothing is wrong, at \w+$|^\[\w+\] \w+, which the target does not have$'
)
_SAID = re.compile(r'\b(?:INFO|WARNING|FAILURE) ([a-z-]+)\[')


def _paths():
    """Yield (path, its scenarios)."""
    for title, one in RECORDED.items():
        path, _, server = title.partition(' on ')
        source, target = path.split(' to ')
        yield (
            types.SimpleNamespace(
                source=releases.parse(source),
                target=releases.parse(target),
                server=databases.PostgreSQL if server else databases.MariaDB,
            ),
            one['scenarios'],
        )


class TableTest(testtools.TestCase):
    def test_it_is_written_from_what_is_recorded(self):
        self.assertEqual(table.page(RECORDED), TABLE.read_text())

    def test_each_scenario_of_each_path_it_is_for_was_run(self):
        lacking = []
        for path, scenarios in _paths():
            there = {name for name, *_ in scenarios}
            expected = {
                scenario.name
                for scenario in (*files.SCENARIOS, *rows.SCENARIOS)
                if (scenario.when is None or scenario.when(path))
                and getattr(scenario, 'server', None)
                in (None, path.server.dialect)
            }
            lacking += [
                (path.source.name, path.target.name, name)
                for name in expected - there
            ]
        self.assertEqual([], sorted(lacking))

    def test_each_row_is_a_scenario(self):
        code = ''.join(
            path.read_text() for path in (ROOT / 'qa' / 'upgrade').glob('*.py')
        )
        # A long name may be split over two strings.
        code = re.sub(r"'\n\s*'", '', code)
        self.assertEqual(
            set(),
            {
                name
                for _, scenarios in _paths()
                for name, *_ in scenarios
                if not _FROM_A_RUN.search(name) and name not in code
            },
        )

    def test_what_is_predicted_is_of_a_check(self):
        said = {
            check_id
            for _, scenarios in _paths()
            for _, predicted, *_ in scenarios
            for check_id in _SAID.findall(predicted)
        }
        self.assertNotEqual(set(), said)
        self.assertEqual(set(), said - set(registry.BUILTIN[registry.CHECKS]))

    def test_a_later_run_adds_its_scenarios(self):
        first, second = (
            [
                score.Result(
                    path='1 to 2',
                    scenario=name,
                    expected=(),
                    predicted={},
                    observed=score.Observed(score.Level.NOTHING, '-'),
                    left=None,
                    after=None,
                    how='',
                )
            ]
            for name in ('a', 'b')
        )
        known = table.record(first, '2026-11-29')
        both = table.record(second, '2026-11-30', known)
        self.assertEqual(['a', 'b'], [name for name, *_ in both['scenarios']])
        both['runs'][1] = _run('2026-11-30', found_by={'both': 2})
        self.assertIn(
            '     - 2026-11-29, 2026-11-30\n     - 3\n'
            '     - 50.0% (1 of 2)\n     - 100.0% (4 of 4)\n'
            '     - 1 of 1\n     - 2 by both\n',
            table.page({'1 to 2': both}),
        )
        self.assertRaises(ValueError, table.record, second, '2026-11-30', both)

    def test_of_other_paths_there_is_what_is_different(self):
        result = ['a', 'FAILURE x[a]', 'broken: exit 1', 'as printed', '-']
        other = ['b', 'WARNING x[1#a]; WARNING x[2]', 'changed: -', '-', '-']
        figures = {'runs': [_run()]}
        shown = table.page(
            {
                title: {**figures, 'scenarios': scenarios}
                for title, scenarios in (
                    (' to '.join(hops.MOST_COMMON), [result]),
                    # The same result, in the words of another release.
                    ('1 to 2', [['a', 'FAILURE x[b]', 'broken: 2', '', '-']]),
                    ('1 to 2 on PostgreSQL', [result, other]),
                    ('2 to 3', [['b', 'WARNING x[3]', 'changed: +', '', '-']]),
                )
            }
        )
        whole, _, different = shown.partition('What is different')
        self.assertEqual(1, whole.count('FAILURE x[a]'))
        self.assertEqual(
            ['   * - Path', '   * - 1 to 2 on PostgreSQL'],
            [line for line in different.split('\n') if '* -' in line],
        )
        self.assertNotIn('Rehearsed', different)
