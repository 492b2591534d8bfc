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

from manila_precheck.checks.policy_rules import callers


def named(made, *names):
    return {one for one in made if one.names == set(names)}


@ddt.ddt
class CallersTest(testtools.TestCase):
    def test_the_roles_of_the_defaults_and_one_that_no_rule_names(self):
        self.assertEqual(
            [['admin'], ['any other'], ['member'], ['reader'], ['service']],
            sorted(sorted(n) for n in {one.names for one in callers.make({})}),
        )

    def test_every_scope_and_target(self):
        self.assertEqual(
            {
                ('project', 'own'),
                ('project', 'project'),
                ('project', 'other'),
                ('system', 'own'),
                ('system', 'other'),
                ('domain', 'own'),
                ('domain', 'other'),
            },
            {
                (one.scope, one.target)
                for one in named(callers.make({}), 'reader')
            },
        )

    def test_roles_that_imply_others(self):
        roles = {
            tuple(sorted(one.names)): sorted(one.roles)
            for one in callers.make({'a': 'role:manager'})
        }
        self.assertEqual(
            {
                ('admin',): ['admin', 'manager', 'member', 'reader'],
                ('manager',): ['manager', 'member', 'reader'],
                ('manager', 'member'): ['manager', 'member', 'reader'],
                ('member',): ['member', 'reader'],
                ('reader',): ['reader'],
                ('service',): ['service'],
                ('any other',): ['manila-precheck-role-of-no-rule'],
            },
            roles,
        )

    def test_roles_of_the_files_alone_together_and_with_member(self):
        made = callers.make(
            {
                'a': 'role:X and rule:b',
                'b': 'role:y or rule:a or rule:gone or role:%(z)s',
                'c': 5,
            }
        )
        own = {
            tuple(sorted(one.names))
            for one in made
            if one.names & {'x', 'y', 'X'}
        }
        self.assertEqual(
            {
                ('x',),
                ('y',),
                ('x', 'y'),
                ('member', 'x'),
                ('member', 'y'),
                ('member', 'x', 'y'),
            },
            own,
        )

    def test_answers_alone_and_all_at_once(self):
        found = {
            tuple(sorted(one.answers)) for one in callers.make({}, ['b', 'a'])
        }
        self.assertEqual({(), ('a',), ('b',), ('a', 'b')}, found)

    def test_who_has_an_answer_and_no_role_has_nothing_else(self):
        other, reader = (
            callers.Caller(
                frozenset({name}), frozenset(), answers=frozenset({'x:y'})
            )
            for name in (callers.OTHER, 'reader')
        )
        self.assertEqual({'x:y'}, other.parts)
        self.assertEqual({'reader', 'x:y'}, reader.parts)

    def test_who_is_nobody_else_to_any_rule_is_left_out(self):
        reaches = [
            callers.Reach(frozenset({'x', 'y', 'admin'}), frozenset({'a'})),
            callers.Reach(frozenset({'z', 'member'}), frozenset()),
        ]
        checks = {'r': 'role:x and role:y', 's': 'role:z', 't': 'role:w'}
        found = {
            (' '.join(sorted(one.names)), ' '.join(sorted(one.answers)))
            for one in callers.make(checks, ['a', 'b'], reaches)
            if one.names & set('wxyz')
        }
        self.assertEqual(
            {
                ('x', ''),
                ('x', 'a'),
                ('y', ''),
                ('y', 'a'),
                ('x y', ''),
                ('x y', 'a'),
                ('z', ''),
                ('member z', ''),
                ('w', ''),
            },
            found,
        )

    def test_the_usual_ones_are_never_left_out(self):
        self.assertEqual(
            callers.make({}, ['a', 'b']), callers.make({}, ['a', 'b'], [])
        )

    def test_all_answers_at_once_for_a_rule_that_has_several(self):
        reach = callers.Reach(frozenset({'x'}), frozenset({'a', 'b'}))
        made = callers.make({'r': 'role:x'}, ['a', 'b', 'c'], [reach])
        self.assertEqual(
            {(), ('a',), ('b',), ('a', 'b', 'c')},
            {tuple(sorted(one.answers)) for one in named(made, 'x')},
        )

    @ddt.data(
        ({'r': ' or '.join(f'role:x{n}' for n in range(3000))}, ()),
        ({f'r{n}': f'role:x{n}' for n in range(3000)}, ()),
        ({}, [f'project_id:{n}' for n in range(600)]),
        (
            {f'r{n}': f'role:x{n}' for n in range(100)},
            [f'project_id:{n}' for n in range(100)],
        ),
        (
            {
                f'r{n}': f'role:x{n % 1000} or role:y{n % 997}'
                for n in range(5000)
            },
            (),
        ),
    )
    @ddt.unpack
    def test_more_callers_than_are_tried(self, checks, answers):
        self.assertRaises(callers.TooManyError, callers.make, checks, answers)

    def test_a_hundred_roles_and_answers_of_different_rules(self):
        names, texts = (
            frozenset(f'{kind}{n}' for n in range(100))
            for kind in ('x', 'project_id:')
        )
        made = callers.make(
            {name: f'role:{name}' for name in names},
            texts,
            [
                callers.Reach(names, frozenset()),
                callers.Reach(frozenset(), texts),
            ],
        )
        # Each role once; each usual one without and with each answer and all.
        self.assertEqual(7 * (100 + 5 * 102), len(made))
