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

import subprocess
import sys
import unittest

import ddt

from manila_precheck.evidence.policy import check_strings

CheckString = check_strings.CheckString


@ddt.ddt
class ParseTestCase(unittest.TestCase):
    @ddt.named_data(
        ['nothing', '', '@', ()],
        ['all', '@', '@', ()],
        ['nobody', '!', '!', ()],
        ['nobody_in_parentheses', '(!)', '!', ()],
        ['or', 'rule:a or role:b', '(rule:a or role:b)', ('a',)],
        ['not', 'not rule:a and rule:b', '(not rule:a and rule:b)', 'ab'],
        ['twice', 'rule:a or rule:a', '(rule:a or rule:a)', ('a',)],
        [
            'old',
            [['rule:a'], ['role:b', '!']],
            '(rule:a or (role:b and !))',
            ('a',),
        ],
        ['old_nobody', [[]], '!', ()],
        ['old_all', [], '@', ()],
        ['none', None, '@', ()],
    )
    @ddt.unpack
    def test_understood(self, check, canonical, references):
        self.assertEqual(
            CheckString(canonical, tuple(references), understood=True),
            check_strings.parse(check),
        )

    @ddt.named_data(
        ['word', 'admin', '!', ()],
        ['part', 'rule:a or admin', '(rule:a or !)', ('a',)],
        ['open', '(rule:a', '!', ()],
        ['trailing', 'rule:a and', '!', ()],
        ['juxtaposed', 'role:a role:b', '!', ()],
        ['space', 'rule: a', '!', ()],
        ['quoted', '"x"', '!', ()],
        ['beside_a_refusal', '! or admin', '(! or !)', ()],
    )
    @ddt.unpack
    def test_not_understood(self, check, canonical, references):
        with (
            self.assertNoLogs('oslo_policy')
            if hasattr(self, 'assertNoLogs')
            else self.subTest()
        ):
            found = check_strings.parse(check)
        self.assertEqual(
            CheckString(canonical, references, understood=False), found
        )

    @ddt.data(5, True)
    def test_unusable(self, check):
        self.assertFalse(check_strings.parse(check).usable)

    @ddt.data('"x"', "'role:a'", ' and ', 'NOT', '(', ')', '""', "'a)b'")
    def test_lone_token(self, check):
        self.assertTrue(check_strings.is_lone_token(check))
        self.assertFalse(check_strings.parse(check).understood)

    @ddt.data('x', "'x", "'a b'", "('x')", '@', '', "'", None, [], 5)
    def test_no_lone_token(self, check):
        self.assertFalse(check_strings.is_lone_token(check))

    def test_parsing_loads_no_plugin_that_enforces(self):
        """The plugin of http: checks imports requests."""
        code = (
            'import sys\n'
            'from manila_precheck.evidence.policy import check_strings\n'
            'print(check_strings.parse("http://h/%(name)s or rule:a"))\n'
            'print("requests" in sys.modules)\n'
        )
        done = subprocess.run(
            [sys.executable, '-c', code],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        expected = CheckString('(http://h/%(name)s or rule:a)', ('a',), True)
        self.assertEqual(f'{expected}\nFalse\n', done.stdout)
