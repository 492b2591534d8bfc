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

"""What the catalog says of policies, against facts known from elsewhere."""

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases

FACTS = catalog.Catalog()


def of(major):
    return FACTS.policies(releases.from_major(major))


@ddt.ddt
class TestPolicies(testtools.TestCase):
    # Counted by hand with manila.policies.list_rules() at each tag.
    @ddt.data(
        (12, 172),
        (13, 173),
        (14, 177),
        (15, 177),
        (16, 186),
        (17, 206),
        (18, 208),
        (19, 213),
        (20, 216),
        (21, 216),
        (22, 230),
        (23, 230),
    )
    @ddt.unpack
    def test_count(self, major, count):
        self.assertEqual(count, len(of(major)))

    @ddt.data('system-admin', 'system-member', 'system-reader')
    def test_system_rules_go_at_15(self, name):
        self.assertEqual(
            [12, 13, 14],
            [r.major for r in FACTS.releases if FACTS.policy(r, name)],
        )
        self.assertIsNone(FACTS.policy(releases.parse('zed'), name))

    def test_nothing_else_ever_goes(self):
        for before in FACTS.releases[:-1]:
            after = releases.following(before)
            assert after is not None
            gone = set(FACTS.policies(before)) - set(FACTS.policies(after))
            expected = set()
            if after.major == 15:
                expected = {'system-admin', 'system-member', 'system-reader'}
            self.assertEqual(expected, gone)

    def test_scopes_change_at_15(self):
        self.assertIn('system', of(14)['share:create'].scope_types)
        self.assertEqual(('project',), of(15)['share:create'].scope_types)

    def test_a_rule_with_its_old_default(self):
        rule = of(20)['share:create']
        self.assertEqual(
            'rule:project-member',
            rule.check.strip('()').split(' or ')[-1].strip('()'),
        )
        self.assertEqual('', rule.deprecated_check)
        self.assertEqual('share:create', rule.deprecated_name)

    def test_base_rules(self):
        self.assertEqual('rule:admin_or_owner', of(20)['default'].check)
        self.assertEqual('role:admin', of(20)['context_is_admin'].check)
        self.assertIsNone(of(20)['default'].deprecated_check)

    def test_no_rule_was_renamed(self):
        for release in FACTS.releases:
            for rule in FACTS.policies(release).values():
                self.assertIn(rule.deprecated_name, (None, rule.name))
                self.assertFalse(rule.deprecated_for_removal)
