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

"""Who gains or loses access; what an override is, see test_policy_rules."""

import json

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

_OLDER = ('rule:default', 'rule:admin_or_owner', '')


def role_add(role):
    return model.command(
        f'openstack role add --project PROJECT --user USER {role}'
    )


def put_off(option):
    return model.config(f'[oslo_policy]\n{option} = False')


def lost_by_reader():
    """Return the rules that any role passed in 2024.1, and a member now."""
    facts = catalog.Catalog().policies(releases.parse('2024.1'))
    return sorted(
        name
        for name, rule in facts.items()
        if rule.deprecated_check in _OLDER and 'reader' not in rule.check
    )


@ddt.ddt
class PolicyAccessTest(testtools.TestCase):
    def run_check(
        self, files, source='2024.1', target='2025.1', conf='[DEFAULT]\n'
    ):
        if isinstance(files, str):
            files = {'policy.yaml': files}
        self.site = self.useFixture(
            testing.Site(conf, files=files, source=source, target=target)
        )
        return {
            finding.key: finding
            for finding in self.site.run('policy-rules').findings
        }

    def test_no_file_and_the_options_turn(self):
        found = self.run_check({})
        new = 'policy-rules[oslo_policy/enforce_new_defaults#'
        self.assertEqual(
            [
                'policy-rules[oslo_policy/enforce_scope#scope]',
                f'{new}service-lost]',
                f'{new}any-other-lost]',
                f'{new}reader-lost]',
                f'{new}member-lost-elsewhere]',
            ],
            sorted(found, key=list(found).index),
        )
        rules = lost_by_reader()
        self.assertEqual(
            model.Finding(
                WARNING,
                model.Subject('option', 'oslo_policy/enforce_new_defaults'),
                'role reader alone no longer passes 53 of 199 rules '
                '(message:delete, resource_lock:create, '
                'security_service:create and 50 more) on objects of its '
                'project: enforce_new_defaults is off by default in 2024.1 '
                'and on in 2025.1',
                (role_add('member'), put_off('enforce_new_defaults')),
                check_id='policy-rules',
                data={
                    'cause': 'enforce_new_defaults',
                    'role': 'reader',
                    'scope': 'project',
                    'rules': len(rules),
                    'lost': ' '.join(rules),
                },
                aspect='reader-lost',
            ),
            found[f'{new}reader-lost]'],
        )
        self.assertEqual(
            model.Finding(
                INFO,
                model.Subject('option', 'oslo_policy/enforce_new_defaults'),
                'role member alone no longer passes 1 of 199 rules '
                '(share:create) on objects of another project: '
                'enforce_new_defaults is off by default in 2024.1 and on in '
                '2025.1',
                check_id='policy-rules',
                data={
                    'cause': 'enforce_new_defaults',
                    'role': 'member',
                    'scope': 'project',
                    'rules': 1,
                    'lost': 'share:create',
                },
                aspect='member-lost-elsewhere',
            ),
            found[f'{new}member-lost-elsewhere]'],
        )

    @ddt.named_data(
        ['failed', '2025.2', '2026.1', 'opened'],
        ['still_fails', '2025.1', '2025.2', None],
        ['refuses', '2026.1', '2026.2', None],
    )
    @ddt.unpack
    def test_a_rule_behind_one_in_quotes(self, source, target, verdict):
        """Up to 2025.2 the request failed, for an administrator too."""
        found = self.run_check(
            '"share:get": "\'role:auditor\'"\n'
            '"share:create": "rule:share:get or role:admin"\n',
            source,
            target,
        )
        access = found.get('policy-rules[share:create#opened]')
        self.assertEqual(verdict, access and access.data['verdict'])

    @ddt.named_data(
        ['before', '2023.1', '2024.1', ''],
        ['after', '2024.2', '2025.1', ''],
        ['last', '2026.1', '2026.2', ''],
        [
            'put_off',
            '2024.1',
            '2025.1',
            'enforce_scope = no\nenforce_new_defaults = 0\n',
        ],
        [
            'anticipated',
            '2024.1',
            '2025.1',
            'enforce_scope = yes\nenforce_new_defaults = 1\n',
        ],
    )
    @ddt.unpack
    def test_no_change(self, source, target, lines):
        conf = f'[oslo_policy]\n{lines}'
        self.assertEqual({}, self.run_check({}, source, target, conf))

    def test_enforce_scope_is_no_option_any_more(self):
        found = self.run_check(
            {}, '2026.1', '2026.2', '[oslo_policy]\nenforce_scope = False\n'
        )
        (finding,) = found.values()
        facts = catalog.Catalog().policies(releases.parse('2026.1'))
        admin = sorted(
            name
            for name, rule in facts.items()
            if (':' in name or name.startswith('context_is'))
            and rule.scope_types == ('project',)
            and not rule.check.startswith('(rule:owner-user')
        )
        lost = finding.data['lost_by_domain_admin'].split()
        self.assertEqual(set(), set(admin) - set(lost))
        self.assertEqual(
            (
                WARNING,
                model.Subject(
                    'option',
                    'oslo_policy/enforce_scope',
                    self.site.file('manila.conf'),
                    2,
                ),
                'a token of system or domain scope no longer passes 216 of '
                '221 rules (availability_zone:index, context_is_admin, '
                'context_is_host_admin and 213 more): 2026.2 has no '
                'enforce_scope and always enforces scope',
                (role_add('admin'),),
            ),
            (
                finding.severity,
                finding.subject,
                finding.message,
                finding.remediation,
            ),
        )

    def test_override_loses_what_it_refers_to(self):
        found = self.run_check('"share:get": "rule:share:delete"\n')
        self.assertEqual(
            model.Finding(
                WARNING,
                model.Subject(
                    'policy',
                    'share:get',
                    self.site.file('policy.yaml'),
                    1,
                ),
                'share:get rejects role reader, role service and any other '
                'role, whom 2024.1 admits: enforce_new_defaults is on in '
                '2025.1',
                check_id='policy-rules',
                data={
                    'verdict': 'lost',
                    'cause': 'enforce_new_defaults',
                    'roles': 'reader, service, any other',
                },
                aspect='lost',
            ),
            found['policy-rules[share:get#lost]'],
        )

    def test_not_opens_what_the_older_default_closed(self):
        found = self.run_check('"share:get": "not rule:share:delete"\n')
        finding = found['policy-rules[share:get#opened]']
        self.assertEqual(FAILURE, finding.severity)
        self.assertIn('reader', finding.data['roles'].split(', '))
        self.assertNotIn('member', finding.data['roles'].split(', '))

    def test_the_role_of_a_file_is_named(self):
        found = self.run_check(
            '"share:show": "role:share_viewer"\n',
            conf='[oslo_policy]\nenforce_scope = True\n',
        )
        key = 'policy-rules[oslo_policy/enforce_new_defaults#'
        viewer = found[f'{key}share_viewer-lost]']
        self.assertEqual('share_viewer', viewer.data['role'])
        self.assertEqual((role_add('member'),), viewer.remediation[:1])
        # A member who has the role too loses nothing of that.
        self.assertNotIn(f'{key}member-and-share_viewer-lost]', found)

    def test_a_file_that_is_dropped_opens_what_it_does_not_name(self):
        found = self.run_check(
            {'policy.json': '{"context_is_admin": "role:cloud_admin"}'},
            '2025.1',
            '2026.1',
        )
        opened = found['policy-rules[admin#opened]']
        self.assertEqual(
            (FAILURE, 'release', model.Subject('role', 'admin')),
            (opened.severity, opened.data['cause'], opened.subject),
        )
        self.assertIn('share_type:create', opened.data['opened'].split())
        lost = found['policy-rules[cloud_admin#lost]']
        self.assertEqual(
            (WARNING, (role_add('admin'),)), (lost.severity, lost.remediation)
        )
        self.assertIn('share_type:create', lost.data['lost'].split())

    @ddt.data(
        ('"role:viewer or rule:mine"', True),
        # With that line everybody would get in: no such rule is there.
        ('"role:viewer or rule:system-reader"', False),
    )
    @ddt.unpack
    def test_a_line_that_opens_access_is_not_what_to_write(self, check, shown):
        found = self.run_check(
            {'policy.json': f'{{"service:index": {check}, "mine": "role:b"}}'},
            '2025.1',
            '2026.1',
        )
        lost = found['policy-rules[service:index#lost]']
        line = model.policy(f'"service:index": {check}')
        self.assertEqual((line,) if shown else (), lost.remediation)

    def test_what_only_a_request_can_answer_is_tried_both_ways(self):
        found = self.run_check(
            {'policy.json': '{"share:create": "project_id:abc"}'},
            '2025.1',
            '2026.1',
        )
        self.assertEqual(
            'any other where project_id:abc',
            found['policy-rules[share:create#lost]'].data['roles'],
        )
        self.assertEqual(
            'admin, member',
            found['policy-rules[share:create#opened]'].data['roles'],
        )

    @ddt.data('"share:get": @\n', '"share:get": 5\n')
    def test_a_file_that_breaks_everything_hides_the_rest(self, text):
        found = self.run_check(text)
        self.assertEqual(
            [FAILURE], [finding.severity for finding in found.values()]
        )

    def test_manila_itself_opens_a_rule(self):
        found = self.run_check({}, 'yoga', 'zed')
        finding = found['policy-rules[admin#opened-elsewhere]']
        self.assertEqual(
            (WARNING, 'share:force_extend share:restore share:soft_delete'),
            (finding.severity, finding.data['opened']),
        )

    def run_dropped(self, rules):
        """Run over a file that the target does not read: all changes."""
        self.site = self.useFixture(
            testing.Site(
                files={'policy.json': json.dumps(rules)},
                source='2025.1',
                target='2026.1',
            )
        )
        return self.site.run('policy-rules')

    @ddt.data(500, 5000)
    def test_thousands_of_rules_that_lead_to_one_another(self, count):
        last = f'rule:r{count - 1}'
        for check, first in (
            ('rule:r{0}', 'role:admin'),
            ('rule:r{0} or not rule:r{0}', 'role:admin'),
            ('rule:r{0}', last),
        ):
            rules = {f'r{n}': check.format(n - 1) for n in range(1, count)}
            found = self.run_dropped(
                {'r0': first, **rules, 'share:create': last}
            )
            self.assertEqual(model.Outcome.FOUND, found.outcome)
            cycles = [f for f in found.findings if f.aspect == 'cycle']
            self.assertEqual(count if first == last else 0, len(cycles))

    def test_a_rule_with_hundreds_of_roles(self):
        roles = [f'x{n}' for n in range(300)]
        checks = ' or '.join(f'role:{role}' for role in roles)
        found = self.run_dropped({'share:create': checks})
        (lost,) = (f for f in found.findings if f.aspect == 'lost')
        self.assertEqual(sorted(roles), sorted(lost.data['roles'].split(', ')))

    @ddt.data('project_id:{}', 'http://h/{}')
    def test_more_callers_than_are_tried(self, answer):
        checks = [f'role:x{n} or {answer.format(n)}' for n in range(100)]
        rules = {'share:create': ' or '.join(checks), 'share:gone': '@'}
        found = self.run_dropped(rules)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'{self.site.file("policy.json")}: who gains or loses access '
                'was not checked: there are more than 20000 callers to try',
            ),
            (found.outcome, found.reason),
        )
        # What is known of the files and the rules stays.
        self.assertEqual(
            ['policy.json', 'share:gone'],
            [finding.subject.name for finding in found.findings],
        )

    @ddt.data(
        ('MAX_STEPS', 'checks to try'), ('MAX_CHANGES', 'changes to report')
    )
    @ddt.unpack
    def test_more_than_is_tried(self, limit, what):
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.checks.policy_rules.rule_snapshots.' + limit,
                5000,
            )
        )
        names = [
            name
            for name in catalog.Catalog().policies(releases.parse('2025.1'))
            if ':' in name
        ]
        rules = {name: f'rule:r and role:x{n}' for n, name in enumerate(names)}
        rules['r'] = ' or '.join(f'role:x{n}' for n in range(200))
        found = self.run_dropped(rules)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'{self.site.file("policy.json")}: who gains or loses access '
                f'was not checked: there are more than 5000 {what}',
            ),
            (found.outcome, found.reason),
        )

    def test_callers_of_rules_that_stay_as_they_are_are_not_tried(self):
        checks = [f'role:x{n} or project_id:{n}' for n in range(1000)]
        self.assertEqual(
            {},
            self.run_check(
                f'"share:create": "{" or ".join(checks)}"\n',
                '2025.1',
                '2026.1',
            ),
        )
