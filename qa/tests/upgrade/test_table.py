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

"""The table of the documentation, against the harness that writes it."""

import pathlib
import re
import types

import testtools

from manila_precheck import releases
from manila_precheck.engine import registry
from qa.upgrade import databases
from qa.upgrade import files
from qa.upgrade import rows

ROOT = pathlib.Path(__file__).parents[3]
TABLE = ROOT / 'doc' / 'source' / 'contributor' / 'upgrades_table.inc'

_TITLE = re.compile(r'^(\S+) to (\S+?)( on PostgreSQL)?\n-+\n', re.MULTILINE)
_SUMMARY = re.compile(r'^.*: recall .*, (\d+) scenarios\.$', re.MULTILINE)
_CELLS = re.compile(r'^   \* - (.*)\n     - (.*)\n', re.MULTILINE)
# A name that ends or begins with what only a run knows.
_FROM_A_RUN = re.compile(
    r'^nothing is wrong, at \w+$|^\[\w+\] \w+, which the target does not have$'
)
_SAID = re.compile(r'\b(?:INFO|WARNING|FAILURE) ([a-z-]+)\[')


def _plain(text):
    return re.sub(r'\\(.)', r'\1', text)


def _sections():
    """Yield (path, what the section says of it)."""
    parts = _TITLE.split(TABLE.read_text())[1:]
    for source, target, other, text in zip(*[iter(parts)] * 4):
        yield (
            types.SimpleNamespace(
                source=releases.parse(source),
                target=releases.parse(target),
                server=databases.PostgreSQL if other else databases.MariaDB,
            ),
            text,
        )


class TableTest(testtools.TestCase):
    def test_each_scenario_is_in_the_section_of_each_path_it_is_for(self):
        lacking = []
        for path, text in _sections():
            there = {_plain(name) for name, _ in _CELLS.findall(text)}
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
        # A long name may be wrapped.
        code = re.sub(r"'\n\s*'", '', code)
        self.assertEqual(
            set(),
            {
                name
                for _, text in _sections()
                for name, _ in _CELLS.findall(text)
                if not _FROM_A_RUN.search(_plain(name))
                and _plain(name) not in code
            }
            - {'Scenario'},
        )

    def test_the_summary_counts_the_rows(self):
        for path, text in _sections():
            (count,) = _SUMMARY.findall(text)
            self.assertEqual(
                int(count),
                len(_CELLS.findall(text)) - len(('the header',)),
                f'{path.source} to {path.target}',
            )

    def test_what_is_predicted_is_of_a_check(self):
        said = {
            check_id
            for _, text in _sections()
            for _, predicted in _CELLS.findall(text)
            for check_id in _SAID.findall(_plain(predicted))
        }
        self.assertNotEqual(set(), said)
        self.assertEqual(set(), said - set(registry.BUILTIN[registry.CHECKS]))
