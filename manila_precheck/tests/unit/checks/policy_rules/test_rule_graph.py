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

import ddt
import testtools

from manila_precheck.checks.policy_rules import rule_graph


def chain(length):
    return {f'r{n}': [f'r{n + 1}'] for n in range(length)}


@ddt.ddt
class RuleGraphTest(testtools.TestCase):
    @ddt.data(
        ({}, ''),
        ({'a': 'bz', 'b': ''}, ''),
        ({'a': 'a', 'b': 'a'}, 'a'),
        ({'a': 'b', 'b': 'c', 'c': 'b', 'd': 'a'}, 'bc'),
        ({'a': 'bc', 'b': 'd', 'c': 'd', 'd': 'e', 'e': ''}, ''),
        (
            {'a': 'bc', 'b': 'd', 'c': 'd', 'd': 'a', 'e': 'f', 'f': 'e'},
            'abcdef',
        ),
    )
    @ddt.unpack
    def test_in_cycles(self, graph, expected):
        self.assertEqual(set(expected), rule_graph.in_cycles(graph))

    def test_components_come_after_those_that_they_name(self):
        graph = {'a': 'b', 'b': 'c', 'c': 'bd', 'd': '', 'e': 'a'}
        self.assertEqual(
            [['d'], ['b', 'c'], ['a'], ['e']],
            [sorted(found) for found in rule_graph.components(graph)],
        )

    def test_behind(self):
        graph = {'a': 'bc', 'b': 'cz', 'c': 'b', 'd': 'd', 'e': ''}
        own = {'a': 1, 'b': 2, 'c': 4, 'd': 8, 'e': 0}
        self.assertEqual(
            {'a': 7, 'b': 6, 'c': 6, 'd': 8, 'e': 0},
            rule_graph.behind(graph, own),
        )

    @ddt.data(500, 5000)
    def test_a_chain_took_the_square_of_its_length(self, length):
        seen = []

        class Names(list):
            def __iter__(self):
                seen.extend(self[:])
                return super().__iter__()

        graph = {name: Names(names) for name, names in chain(length).items()}
        self.assertEqual(
            [f'r{n}' for n in reversed(range(length))],
            [name for (name,) in rule_graph.components(graph)],
        )
        # Each reference is followed once.
        self.assertEqual(length, len(seen))

    @ddt.data(500, 5000)
    def test_a_cycle_took_the_square_of_its_length(self, length):
        graph = {**chain(length), f'r{length}': ['r0']}
        self.assertEqual(set(graph), rule_graph.in_cycles(graph))
        bits = rule_graph.behind(graph, {**dict.fromkeys(graph, 0), 'r7': 1})
        self.assertEqual({1}, set(bits.values()))
