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

from manila_precheck import model
from manila_precheck.engine import grouping

UUID = '8f4e2a3c-5d2b-4c53-a3d1-6f6a2f0f7e1{}'


def finding(name='a', *remediation, **changes):
    return model.Finding(
        model.Severity.WARNING,
        changes.pop('subject', model.Subject('option', f'DEFAULT/{name}')),
        f'{name} is wrong',
        remediation,
        check_id='some-check',
    )._replace(**changes)


def edit(action, name):
    return model.Edit(action, 'config', 'manila.conf', 1, 'quota', name)


@ddt.ddt
class GroupsTest(testtools.TestCase):
    def sizes(self, *findings, **wanted):
        return [len(g.findings) for g in grouping.groups(findings, **wanted)]

    def test_none(self):
        self.assertEqual([], grouping.groups([]))

    def test_one(self):
        (group,) = grouping.groups([finding()])
        self.assertEqual((finding(),), group.findings)
        self.assertEqual((0,), group.numbers)
        self.assertRegex(group.id, '^some-check~[0-9a-f]{12}$')
        self.assertEqual([], group.steps)

    @ddt.data(
        # The object and its numbers differ, and nothing else.
        (
            finding('a', model.command('do-it a')),
            finding('b', model.command('do-it b')),
        ),
        (
            finding('a', model.advice('Remove line 7.')),
            finding('b', model.advice('Remove line 12.')),
        ),
        (
            finding(subject=model.Subject('share', UUID.format(1))),
            finding(subject=model.Subject('share', UUID.format(2))),
        ),
        (
            finding(
                'x',
                model.command('set ctl1@ceph manila-share'),
                subject=model.Subject('service', 'manila-share@ctl1@ceph'),
            ),
            finding(
                'y',
                model.command('set ctl2 manila-scheduler'),
                subject=model.Subject('service', 'manila-scheduler@ctl2'),
            ),
        ),
        (
            finding(
                'a', model.config('[q]\na = 1').with_edits(edit('move', 'a'))
            ),
            finding(
                'b', model.config('[q]\nc = 2').with_edits(edit('move', 'c'))
            ),
        ),
        # The check says so.
        (
            finding('a', model.command('one'), cause='gone'),
            finding('b', model.advice('Other.'), cause='gone', aspect='z'),
        ),
    )
    @ddt.unpack
    def test_one_cause(self, one, other):
        self.assertEqual([2], self.sizes(one, other))

    @ddt.data(
        (finding('a', model.command('do-it')), finding('b')),
        (
            finding('a', model.command('do-it')),
            finding('b', model.command('do-other')),
        ),
        (
            finding(
                'a', model.config('[q]\na = 1').with_edits(edit('set', 'a'))
            ),
            finding(
                'b', model.config('[q]\nc = x').with_edits(edit('set', 'c'))
            ),
        ),
        (finding('a'), finding('b', aspect='value')),
        (finding('a'), finding('b', severity=model.Severity.FAILURE)),
        (finding('a'), finding('b', subject=model.Subject('table', 'b'))),
        (finding('a'), finding('b', check_id='other-check')),
        (finding('a', cause='gone'), finding('b', cause='orphan')),
        (finding('a', cause='gone'), finding('b')),
    )
    @ddt.unpack
    def test_two_causes(self, one, other):
        self.assertEqual([1, 1], self.sizes(one, other))

    def test_they_stand_where_the_first_of_them_stands(self):
        found = [finding('a'), finding('b', aspect='x'), finding('c')]
        self.assertEqual(
            [(0, 2), (1,)],
            [group.numbers for group in grouping.groups(found)],
        )

    def test_what_counts_for_nothing_stands_by_itself(self):
        found = [finding('a', known=True), finding('b', known=True)]
        self.assertEqual([1, 1], self.sizes(*found))
        self.assertEqual([], self.sizes(*found, wanted=model.Severity.WARNING))

    def test_a_step_that_is_the_same_for_all_is_there_once(self):
        (group,) = grouping.groups(
            [
                finding(
                    name,
                    model.advice('Look first.'),
                    model.command(f'do-it {name}'),
                )
                for name in 'abc'
            ]
        )
        self.assertEqual(
            [
                grouping.RemedyStep('text', ['Look first.']),
                grouping.RemedyStep(
                    'command', ['do-it a', 'do-it b', 'do-it c']
                ),
            ],
            group.steps,
        )

    def test_prose_that_differs_says_of_which_object_it_is(self):
        (group,) = grouping.groups(
            [
                finding(name, model.advice(f'Remove line {line}.'))
                for name, line in (('a', 7), ('b', 12))
            ]
        )
        self.assertEqual(
            [
                grouping.RemedyStep(
                    'text',
                    [
                        'DEFAULT/a: Remove line 7.',
                        'DEFAULT/b: Remove line 12.',
                    ],
                )
            ],
            group.steps,
        )

    def test_lines_of_one_section_stand_below_one_heading(self):
        (group,) = grouping.groups(
            [
                finding(
                    name,
                    model.config(f'[{section}]\n{name} = 1').with_edits(
                        edit('move', name)
                    ),
                )
                for section, name in (('q', 'a'), ('r', 'b'), ('q', 'c'))
            ]
        )
        self.assertEqual(
            [
                grouping.RemedyStep(
                    'config', ['[q]\na = 1\nc = 1', '[r]\nb = 1']
                )
            ],
            group.steps,
        )

    def test_a_cause_may_have_remedies_of_several_kinds(self):
        (group,) = grouping.groups(
            [
                finding('a', model.command('one'), cause='gone'),
                finding('b', model.advice('Other.'), cause='gone'),
                finding('c', cause='gone'),
            ]
        )
        self.assertEqual(
            [
                grouping.RemedyStep('command', ['one']),
                grouping.RemedyStep('text', ['Other.']),
            ],
            group.steps,
        )

    def test_messages_that_differ_in_more_than_names_are_apart(self):
        found = [
            finding(name)._replace(message=f'{name} holds {number} {what}')
            for name, number, what in (
                ('a', 1, 'rows'),
                ('b', 22, 'rows'),
                ('c', 1, 'shares'),
            )
        ]
        self.assertEqual([2, 1], [len(same) for same in grouping.alike(found)])


class FailedTest(testtools.TestCase):
    def error(self, name, reason, *remediation):
        return model.CheckResult(
            name, name, model.Outcome.ERROR, reason, remediation=remediation
        )

    def test_one_reason_is_one_group(self):
        checks = [
            self.error('a', 'it is down'),
            model.CheckResult('b', 'b', model.Outcome.PASSED),
            self.error('c', 'it crashed'),
            self.error('d', 'it is down'),
        ]
        self.assertEqual(
            [('2 checks', (checks[0], checks[3])), ('c', (checks[2],))],
            [(one.name, one.checks) for one in grouping.failed(checks)],
        )

    def test_one_remedy_is_one_group_however_it_is_told(self):
        grant = model.command('grant it')
        (one,) = grouping.failed(
            [
                self.error('a', 'no table shares', grant),
                self.error('b', 'no table services', grant),
            ]
        )
        self.assertEqual(
            [grouping.RemedyStep('command', ['grant it'])], one.steps
        )
        self.assertRegex(one.id, '^error~[0-9a-f]{12}$')
