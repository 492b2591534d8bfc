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
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.catalog import policies
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import rules

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

CREATE = '(rule:context_is_admin) or (rule:project-member)'
CONVERT = (
    'oslopolicy-convert-json-to-yaml --namespace manila --policy-file '
    '{dir}/policy.json --output-file {dir}/'
)
WRITE_ANEW = [
    (
        'text',
        'Write it as a check string of oslo.policy, or have the default of '
        '2026.1:',
    ),
    ('policy', f'"share:create": "{CREATE}"'),
]
REMOVE = [('text', 'Remove the rule from the file.')]


@ddt.ddt
class PolicyRulesTest(testtools.TestCase):
    def run_check(
        self,
        files,
        source='2025.1',
        target='2026.1',
        conf='[DEFAULT]\n',
        **kwargs,
    ):
        if isinstance(files, str):
            files = {'policy.yaml': files}
        self.site = self.useFixture(
            testing.Site(
                conf, files=files, source=source, target=target, **kwargs
            )
        )
        return self.site.run('policy-rules')

    def assert_found(self, result, *rows):
        """Compare whole findings, given as tuples of their parts."""
        findings = tuple(
            model.Finding(
                severity,
                model.Subject(kind, name, self.site.file(file), line),
                message.replace('{dir}', self.site.path),
                tuple(
                    model.Remediation(k, text.replace('{dir}', self.site.path))
                    for k, text in remediation
                ),
                check_id='policy-rules',
                data=data,
                aspect=aspect,
            )
            for (
                severity,
                kind,
                name,
                file,
                line,
                message,
                remediation,
                data,
                aspect,
            ) in rows
        )
        self.assertEqual(
            model.CheckResult(
                id='policy-rules',
                title='Policy overrides',
                outcome=(
                    model.Outcome.FOUND if findings else model.Outcome.PASSED
                ),
                findings=findings,
            ),
            result,
        )

    def assert_rule(
        self,
        text,
        severity,
        message,
        remediation=(),
        data=None,
        aspect='',
        name='share:create',
        line=1,
        **kwargs,
    ):
        self.assert_found(
            self.run_check(text, **kwargs),
            (
                severity,
                'policy',
                name,
                'policy.yaml',
                line,
                message,
                remediation,
                data,
                aspect,
            ),
        )

    @ddt.data(
        ('policy_file', 'own.yaml', 'own.yaml'),
        ('policy_dirs', 'own.d', 'own.d/a.yaml'),
    )
    @ddt.unpack
    def test_option_of_default_that_2025_1_does_not_read(
        self, option, value, file
    ):
        files = {file: '"share:create": "!"\n'}
        conf = f'[DEFAULT]\n{option} = {value}\n'
        for source, target in (
            ('2023.1', '2024.1'),
            ('2025.1', '2026.1'),
        ):
            result = self.run_check(files, source, target, conf)
            self.assertNotIn('opened', [f.aspect for f in result.findings])
        result = self.run_check(files, '2024.1', '2025.1', conf)
        opened = [
            f
            for f in result.findings
            if f.key == 'policy-rules[share:create#opened]'
        ]
        self.assertEqual([FAILURE], [f.severity for f in opened])

    def test_option_of_default_beside_that_of_oslo_policy(self):
        result = self.run_check(
            {
                'a.yaml': '"share:create": "!"\n',
                'b.yaml': '"share:get": "!"\n',
            },
            '2024.1',
            '2025.1',
            '[DEFAULT]\npolicy_file = a.yaml\n'
            '[oslo_policy]\npolicy_file = b.yaml\n'
            'enforce_scope = false\nenforce_new_defaults = false\n',
        )
        self.assertEqual((), result.findings)

    @ddt.named_data(
        ['no_file', {}],
        ['empty_file', ''],
        ['override', '"share:create": "role:x"\n'],
        ['forbidden', '"share:create": "!"\n'],
        ['allowed_on_purpose', '"share:create": ""\n'],
        [
            'own_base_rule',
            '"mine": "role:x"\n"yours": "not rule:mine"\n'
            '"share:create": "rule:yours or rule:project-reader"\n',
        ],
        [
            'directory_alone',
            {'policy.d/mine.yaml': '"share:create": "role:x"\n'},
        ],
        [
            'overridden_in_a_later_file',
            {
                'policy.yaml': '"share:create": "rule:gone"\n',
                'policy.d/mine.yaml': '"share:create": "role:x"\n',
            },
        ],
        [
            'json_beside_yaml',
            {'policy.yaml': '', 'policy.json': '{"share:create": "!"}'},
        ],
    )
    @ddt.unpack
    def test_silent(self, files):
        self.assert_found(self.run_check(files, '2025.1', '2026.1'))

    def test_own_default_rule(self):
        self.assert_found(
            self.run_check(
                '"closed": "!"\n',
                conf='[oslo_policy]\npolicy_default_rule = closed\n',
            )
        )

    # -- files ---------------------------------------------------------------

    @ddt.data(
        # before, across and after the release that ignores it
        (
            '2024.2',
            '2025.1',
            WARNING,
            'is read because there is no policy.yaml; 2026.1 ignores it',
            [('command', CONVERT + 'policy.yaml')],
            {},
        ),
        (
            '2025.1',
            '2026.1',
            FAILURE,
            'is enforced by 2025.1 and silently ignored by 2026.1: its '
            'overrides are lost',
            [('command', CONVERT + 'policy.yaml')],
            {'rules': 1},
        ),
        (
            '2026.1',
            '2026.1',
            INFO,
            'is ignored: no option names it, and neither 2026.1 nor 2026.1 '
            'reads it by default',
            [('text', 'Remove it.')],
            {},
        ),
    )
    @ddt.unpack
    def test_json_that_nothing_names(
        self, source, target, severity, message, remediation, data
    ):
        result = self.run_check(
            {'policy.json': '{"share:create": "!"}'}, source, target
        )
        rows: list[tuple] = [
            (
                severity,
                'policy-file',
                'policy.json',
                'policy.json',
                None,
                '{dir}/policy.json ' + message,
                remediation,
                data,
                '',
            )
        ]
        if severity is FAILURE:
            rows.append(
                (
                    FAILURE,
                    'policy',
                    'share:create',
                    'policy.json',
                    1,
                    'share:create admits role admin on every project; role '
                    'member, whom 2025.1 rejects: 2026.1 does not read '
                    '{dir}/policy.json',
                    [('policy', '"share:create": "!"')],
                    {
                        'verdict': 'opened',
                        'cause': 'release',
                        'roles': 'admin, member',
                    },
                    'opened',
                )
            )
        self.assert_found(result, *rows)

    def test_json_without_rules_loses_none(self):
        result = self.run_check({'policy.json': '{}'}, '2025.1', '2026.1')
        self.assertEqual([INFO], [f.severity for f in result.findings])

    def test_json_that_is_named(self):
        result = self.run_check(
            {'policy.json': '{"share:create": "!"}'},
            '2025.1',
            '2026.1',
            '[oslo_policy]\npolicy_file = policy.json\n',
        )
        self.assert_found(
            result,
            (
                WARNING,
                'policy-file',
                'policy.json',
                'policy.json',
                None,
                '{dir}/policy.json is JSON, which oslo.policy has deprecated',
                [('command', CONVERT + 'policy.json.yaml')],
                {},
                '',
            ),
        )

    @ddt.data(('2024.1', '2025.1', WARNING), ('2025.1', '2026.1', FAILURE))
    @ddt.unpack
    def test_json_with_tabs(self, source, target, severity):
        result = self.run_check(
            {'policy.json': '{\n\t"share:create": "!"\n}'},
            source,
            target,
            '[oslo_policy]\npolicy_file = policy.json\n',
        )
        self.assertEqual(
            [(severity, 2 if severity is FAILURE else None)],
            [
                (f.severity, f.subject.line)
                for f in result.findings
                if f.subject.kind == 'policy-file'
            ],
        )

    def test_malformed(self):
        self.assert_found(
            self.run_check('"share:create": "!"\n"share:get": @\n'),
            (
                FAILURE,
                'policy-file',
                'policy.yaml',
                'policy.yaml',
                2,
                "{dir}/policy.yaml cannot be parsed (found character '@' "
                'that cannot start any token): with 2026.1 every request '
                'fails with 500',
                [('text', 'Correct the file.')],
                {},
                '',
            ),
        )

    def test_named_file_is_missing(self):
        self.assert_found(
            self.run_check(
                {}, conf='[oslo_policy]\npolicy_file = gone.yaml\n'
            ),
            (
                WARNING,
                'option',
                'oslo_policy/policy_file',
                'manila.conf',
                2,
                'policy_file = gone.yaml does not exist: manila runs with '
                'its default policies only',
                [('text', 'Create the file, or remove the line.')],
                {},
                '',
            ),
        )

    # -- rules ---------------------------------------------------------------

    def test_unknown_rule(self):
        self.assert_rule(
            '# x\n"share:craete": "!"\n',
            INFO,
            'share:craete has no effect: neither 2025.1 nor 2026.1 has such '
            'a rule, and no rule refers to it',
            [('text', 'Did you mean share:create?')],
            {'verdict': 'unknown'},
            name='share:craete',
            line=2,
        )

    def patch_source(self, **changes):
        """Give 2025.1 other policies than it had; names with ':' for '__'."""
        real = catalog.Catalog.policies

        def patched(facts, release):
            found = dict(real(facts, release))
            if release.major == 20:
                for name, values in changes.items():
                    name = name.replace('__', ':')
                    known = found.get(name, policies.Policy(name, '@'))
                    found[name] = known._replace(**values)
            return found

        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.catalog.Catalog.policies', patched
            )
        )

    def test_thousands_of_unknown_rules(self):
        count = rules.MAX_GUESSES
        text = ''.join(f'"x{n}": "@"\n' for n in range(count))
        found = self.run_check(text + '"share:cretae": "@"\n').findings
        self.assertEqual(count + 1, len(found))
        # Only so many are looked up among the known ones.
        self.assertEqual(
            REMOVE, [(r.kind, r.text) for r in found[-1].remediation]
        )

    def test_rule_that_is_gone(self):
        # No release since Zed takes a rule away.
        self.patch_source(share__vanish={})
        self.assert_rule(
            '"share:vanish": "!"\n',
            WARNING,
            'share:vanish was removed in 2026.1: the override no longer has '
            'an effect',
            REMOVE,
            {'verdict': 'removed'},
            name='share:vanish',
        )

    @ddt.named_data(
        [
            'opened',
            '!',
            '@',
            FAILURE,
            'opens',
            'everybody passes; in 2024.1: nobody',
        ],
        [
            'closed',
            '@',
            '!',
            WARNING,
            'denies',
            'nobody passes; in 2024.1: role admin, role member, role '
            'reader, role service and any other role on every project',
        ],
    )
    @ddt.unpack
    def test_an_undefined_rule_and_its_change_were_two_findings(
        self, before, after, severity, effect, message
    ):
        verdict = 'opened' if after == '@' else 'lost'
        result = self.run_check(
            f'"now": "{before}"\n"default": "{after}"\n'
            '"share:get_all": "rule:gone"\n',
            '2024.1',
            '2025.1',
            '[DEFAULT]\npolicy_default_rule = now\n',
        )
        (found,) = [
            one
            for one in result.findings
            if one.subject.name == 'share:get_all'
        ]
        self.assertEqual(
            (
                severity,
                "share:get_all refers to rule 'gone', which 2025.1 does not "
                "have (nor does 2024.1): rule 'default' applies instead, and "
                + message,
                {
                    'verdict': 'dangling',
                    'reference': 'gone',
                    'stands_in': 'default',
                    'effect': effect,
                    verdict: 'share:get_all',
                },
                'reference-gone',
            ),
            (found.severity, found.message, dict(found.data), found.aspect),
        )

    def assert_refers(
        self, text, severity, effect, message, name='share:create', **kwargs
    ):
        """Compare the one finding about a reference to rule 'gone'."""
        self.assert_rule(
            text,
            severity,
            f"{name} refers to rule 'gone', which 2026.1 does not have (nor "
            f'does 2025.1): {message}',
            [
                ('policy', f'"{name}": "{CREATE}"')
                if name == 'share:create'
                else ('text', "Define rule 'gone' in the file.")
            ],
            {
                'verdict': 'dangling',
                'reference': 'gone',
                'stands_in': 'default',
                'effect': effect,
                **kwargs.pop('data', {}),
            },
            'reference-gone',
            name=name,
            line=1 + text.split(f'"{name}":')[0].count('\n'),
            **kwargs,
        )

    @ddt.named_data(
        [
            'plain',
            '"share:create": "rule:gone"\n',
            'it admits role reader, role service and any other role, whom '
            'the default of 2026.1 rejects, in 2025.1 too',
        ],
        [
            'behind_not',
            '"share:create": "role:x and not rule:gone"\n',
            'it admits role x on other projects, whom the default of 2026.1 '
            'rejects, in 2025.1 too',
        ],
        [
            'within',
            '"share:create": "role:x or (role:y and rule:gone)"\n',
            'it admits role y, whom the default of 2026.1 rejects, in 2025.1 '
            'too',
        ],
        [
            'everybody_behind_not',
            '"default": "!"\n"share:create": "not rule:gone"\n',
            'everybody passes, in 2025.1 too',
        ],
        [
            'everybody_behind_not_twice',
            '"default": "@"\n"share:create": "not (not rule:gone)"\n',
            'everybody passes, in 2025.1 too',
        ],
    )
    @ddt.unpack
    def test_reference_that_opens(self, text, message):
        self.assert_refers(
            text,
            FAILURE,
            'opens',
            f"rule 'default' applies instead, and {message}",
        )

    def test_reference_that_opens_in_another_rule(self):
        self.assert_refers(
            '"ours": "rule:gone"\n"share:create": "rule:ours or role:x"\n',
            FAILURE,
            'opens',
            "rule 'default' applies instead, and share:create admits role "
            'reader, role service and any other role, whom the default of '
            '2026.1 rejects, in 2025.1 too',
            name='ours',
        )

    def test_reference_that_opens_many_rules(self):
        result = self.run_check('"context_is_admin": "rule:gone"\n')
        self.assertEqual(
            [
                (
                    FAILURE,
                    "context_is_admin refers to rule 'gone', which 2026.1 "
                    "does not have (nor does 2025.1): rule 'default' applies "
                    'instead, and everybody passes availability_zone:index, '
                    'context_is_admin, message:delete and 210 more, in '
                    '2025.1 too',
                )
            ],
            [(f.severity, f.message) for f in result.findings],
        )

    def test_reference_that_the_upgrade_opens(self):
        self.patch_source(gone={'check': 'role:x'})
        result = self.run_check('"share:create": "rule:gone"\n')
        self.assertEqual(
            (
                FAILURE,
                "share:create refers to rule 'gone', which 2026.1 does not "
                "have (2025.1 has it): rule 'default' applies instead, and it "
                'admits role reader, role service and any other role, whom '
                'the default of 2026.1 rejects; in 2025.1: nobody',
            ),
            (result.findings[0].severity, result.findings[0].message),
        )

    @ddt.named_data(
        [
            'the_admin',
            '"default": "rule:context_is_admin"\n'
            '"share:create": "rule:gone"\n',
            INFO,
            'none',
            'it admits only role admin on every project, in 2025.1 too',
        ],
        [
            'an_admin_of_the_operator',
            '"context_is_admin": "role:storage"\n'
            '"default": "rule:context_is_admin"\n'
            '"share:create": "rule:gone"\n',
            INFO,
            'none',
            'it admits only role storage on every project, in 2025.1 too',
        ],
        [
            'whom_the_rest_of_the_rule_admits',
            '"default": "!"\n"share:create": "role:x or rule:gone"\n',
            INFO,
            'none',
            'it admits only role x on every project, in 2025.1 too',
        ],
        [
            'everybody_without_it',
            '"share:create": "@ or rule:gone"\n',
            INFO,
            'none',
            'everybody passes, whatever it says, in 2025.1 too',
        ],
        [
            'nobody',
            '"default": "!"\n"share:create": "rule:gone"\n',
            WARNING,
            'denies',
            'nobody passes, in 2025.1 too',
        ],
        [
            'nobody_behind_not',
            '"default": "@"\n"share:create": "not rule:gone"\n',
            WARNING,
            'denies',
            'nobody passes, in 2025.1 too',
        ],
    )
    @ddt.unpack
    def test_reference_that_opens_nothing(
        self, text, severity, effect, message
    ):
        self.assert_refers(
            text,
            severity,
            effect,
            f"rule 'default' applies instead, and {message}",
        )

    @ddt.data(
        (
            'rule:gone',
            WARNING,
            'denies',
            'nobody passes, in 2025.1 too',
        ),
        (
            'not rule:gone',
            FAILURE,
            'opens',
            'everybody passes, in 2025.1 too',
        ),
    )
    @ddt.unpack
    def test_reference_without_a_default_rule(
        self, check, severity, effect, message
    ):
        self.assert_refers(
            f'"share:create": "{check}"\n',
            severity,
            effect,
            f"there is no rule 'none_such' to apply instead, and {message}",
            conf='[oslo_policy]\npolicy_default_rule = none_such\n',
            data={'stands_in': 'none_such'},
        )

    def test_reference_of_a_rule_that_nothing_needs(self):
        result = self.run_check('"ours": "rule:gone"\n')
        self.assertEqual(
            (
                INFO,
                "ours refers to rule 'gone', which 2026.1 does not have (nor "
                'does 2025.1): no rule that 2026.1 enforces needs ours',
            ),
            (result.findings[0].severity, result.findings[0].message),
        )

    def test_reference_with_too_many_roles_to_try(self):
        self.patch(callers, 'MAX_CALLERS', 1)
        result = self.run_check('"share:create": "rule:gone"\n')
        self.assertEqual(
            (
                FAILURE,
                "share:create refers to rule 'gone', which 2026.1 does not "
                "have (nor does 2025.1): rule 'default' applies instead, and "
                'who passes was not checked: there are too many roles to try',
            ),
            (result.findings[0].severity, result.findings[0].message),
        )

    @ddt.data('not (role:admin', 'role:admin or', '')
    def test_syntax_of_a_rule_that_nothing_uses(self, check):
        value = f'"{check}"' if check else '!'
        (found,) = self.run_check(
            f'"mine": {value}\n', '2025.1', '2026.1'
        ).findings
        self.assertEqual(
            (INFO, 'unknown'), (found.severity, found.data['verdict'])
        )

    @ddt.data(
        (
            'admin',
            WARNING,
            "'admin' cannot be parsed; a check that cannot be parsed allows "
            'nobody',
        ),
        (
            'not admin',
            FAILURE,
            '\'not admin\' cannot be parsed; behind "not", a check that '
            'cannot be parsed allows everyone',
        ),
    )
    @ddt.unpack
    def test_syntax(self, check, severity, message):
        self.assert_rule(
            f'"share:create": "{check}"\n',
            severity,
            f'share:create: {message}',
            WRITE_ANEW,
            data={'verdict': 'invalid'},
            aspect='syntax',
        )

    @ddt.data(
        (':', ''),
        ('role:50%', ''),
        ('class:x or role:admin', ''),
        (
            'role:admin or 1a:b',
            ' for role member, role reader, role service and any other role '
            'on every project',
        ),
        ('project_id:%(project_id or role:admin', ''),
    )
    @ddt.unpack
    def test_a_part_that_raises(self, check, callers):
        part = next(one for one in check.split(' or ') if one != 'role:admin')
        self.assert_rule(
            f'"share:create": "{check}"\n',
            FAILURE,
            f'share:create: {part!r} raises an error when it is evaluated: a '
            f'request that needs share:create fails with 400 or 500{callers}, '
            'in 2025.1 too',
            WRITE_ANEW,
            data={'verdict': 'invalid', 'effect': 'fails'},
            aspect='syntax',
        )

    @ddt.data(
        'project_id:%(project_id)s',
        'True:%(is_public)s',
        "'x':%(user_id)s",
        'user.name:x',
        '5:5',
    )
    def test_a_part_that_does_not_raise(self, check):
        result = self.run_check(f'"share:create": "{check}"\n')
        self.assertEqual(
            [], [f for f in result.findings if f.aspect == 'syntax']
        )

    @ddt.data('admin', 'rule:system-reader')
    def test_remedy_where_an_older_default_counts(self, check):
        """A file cannot have the older default beside the new one."""
        result = self.run_check(
            f'"share:create": "{check}"\n', '2023.1', '2024.1'
        )
        remedies = [
            finding.remediation[-1]
            for finding in result.findings
            if finding.data['verdict'] in ('invalid', 'dangling')
        ]
        path = self.site.file('policy.yaml')
        self.assertEqual(
            [model.advice(f'Remove share:create from {path}.')], remedies
        )

    def test_quotes_inside(self):
        self.assert_rule(
            '"share:create": "\'rule:admin_api\'"\n',
            WARNING,
            'share:create: "\'rule:admin_api\'" cannot be parsed; a check '
            'that cannot be parsed allows nobody',
            [
                ('text', 'Write it without the quotes inside:'),
                ('policy', '"share:create": "rule:admin_api"'),
            ],
            data={'verdict': 'invalid'},
            aspect='syntax',
        )

    def test_quotes_inside_are_kept_until_the_window(self):
        self.run_check('"share:create": "\'rule:admin_api\'"\n')
        self.assertEqual(
            [('set', False)],
            [
                (edit.action, edit.early)
                for edits in self.site.edits('policy-rules').values()
                for edit in edits
            ],
        )

    def test_syntax_of_a_rule_that_the_target_does_not_have(self):
        result = self.run_check(
            '"ours": "admin"\n"share:create": "rule:ours or role:x"\n'
        )
        found = [f for f in result.findings if f.subject.name == 'ours']
        self.assertEqual(
            [[('text', 'Write it as a check string of oslo.policy.')]],
            [[(r.kind, r.text) for r in f.remediation] for f in found],
        )

    def test_no_check_string(self):
        self.assert_rule(
            '"share:create": 5\n',
            FAILURE,
            'share:create: 5 is not a check string; every request fails with '
            '500',
            WRITE_ANEW,
            data={'verdict': 'invalid'},
            aspect='syntax',
        )

    def test_unquoted_exclamation_mark(self):
        self.assert_rule(
            '"share:create": !\n',
            FAILURE,
            'share:create is empty: everyone is allowed (YAML reads an '
            'unquoted ! as empty)',
            [('policy', '"share:create": "!"')],
            {'verdict': 'open'},
            'empty',
        )

    def test_copy_of_the_default(self):
        self.assert_rule(
            f'"share:create": "{CREATE}"\n',
            INFO,
            'share:create is the same as the default of 2026.1',
            REMOVE,
            {'verdict': 'redundant'},
            'copy',
        )

    def test_copy_that_shuts_out_the_older_default(self):
        self.assert_found(
            self.run_check(
                f'"share:create": "{CREATE}"\n',
                conf='[oslo_policy]\nenforce_new_defaults = False\n',
            )
        )

    def test_copy_of_a_default_that_changes(self):
        self.patch_source(share__create={'check': 'role:old'})
        self.assert_rule(
            '"share:create": "role:old"\n',
            WARNING,
            'share:create is a copy of the default of 2025.1, but 2026.1 '
            f'changes that default to {CREATE!r}; the copy keeps the old one',
            [
                (
                    'text',
                    'Remove the rule, unless you want to keep the old '
                    'default.',
                )
            ],
            {'verdict': 'changed', 'default': CREATE},
            'copy',
        )

    def test_override_of_a_default_that_changes(self):
        self.patch_source(share__create={'check': 'role:old'})
        self.assert_rule(
            '"share:create": "role:mine"\n',
            INFO,
            'share:create overrides a default that 2026.1 changes to '
            f'{CREATE!r}',
            [('text', 'Compare the override with the new default.')],
            {'verdict': 'changed', 'default': CREATE},
            'default',
        )

    @ddt.data(
        ('', 'any other is rejected'),
        (
            '[oslo_policy]\nenforce_scope = off\n',
            'any other is rejected once enforce_scope is on',
        ),
    )
    @ddt.unpack
    def test_override_of_a_rule_whose_scope_changes(self, conf, effect):
        # Nobody passes before or after, so that nothing else is said.
        self.patch_source(share__create={'scope_types': ('project', 'system')})
        self.assert_rule(
            '"share:create": "!"\n',
            WARNING,
            'share:create accepted tokens of project and system scope in '
            '2025.1 and accepts those of project scope in 2026.1, whatever '
            'the override says; ' + effect,
            (),
            {
                'verdict': 'scope',
                'before': 'project and system',
                'after': 'project',
            },
            'scope',
            conf=conf or '[DEFAULT]\n',
        )

    @ddt.named_data(
        [
            'itself',
            {'share:create': 'rule:share:create'},
            ('share:create',),
            'a request that needs share:create fails with 400 or 500, in '
            '2025.1 too',
        ],
        [
            'another',
            {'share:create': 'rule:a', 'a': 'role:x or rule:share:create'},
            ('share:create', 'a'),
            'a request that needs share:create fails with 400 or 500 for '
            'role admin, role member, role reader, role service and any '
            'other role on every project, in 2025.1 too',
        ],
        [
            'default',
            {'share:create': 'not rule:gone', 'default': 'rule:share:create'},
            ('share:create', 'default'),
            'a request that needs share:create fails with 400 or 500, in '
            '2025.1 too',
        ],
        [
            'administrator',
            {
                'admin_api': 'rule:context_is_admin',
                'context_is_admin': 'rule:admin_api',
            },
            ('admin_api', 'context_is_admin'),
            'every request fails with 400 or 500, in 2025.1 too',
        ],
    )
    @ddt.unpack
    def test_rule_that_needs_itself(self, texts, names, message):
        self.assert_cycles(texts, names, FAILURE, 'fails', message)

    @ddt.data(
        ({'share:create': '@ or rule:share:create'}, ('share:create',)),
        ({'a': 'rule:a'}, ('a',)),
    )
    @ddt.unpack
    def test_rule_that_needs_itself_and_is_not_asked(self, texts, names):
        self.assert_cycles(
            texts,
            names,
            INFO,
            'none',
            'no request evaluates it in 2026.1',
        )

    def assert_cycles(self, texts, names, severity, effect, message):
        text = ''.join(f'"{n}": "{check}"\n' for n, check in texts.items())
        self.assert_found(
            self.run_check(text),
            *(
                (
                    severity,
                    'policy',
                    name,
                    'policy.yaml',
                    1 + list(texts).index(name),
                    f'{name} refers to itself, or to a rule that refers to '
                    f'it: {message}',
                    [('text', 'Remove the reference from one of the rules.')],
                    {'verdict': 'cycle', 'effect': effect},
                    'cycle',
                )
                for name in names
            ),
        )

    @ddt.data('plan', 'stopped')
    def test_stages(self, stage):
        self.assert_found(self.run_check('', stage=stage))

    def test_stage_upgraded_is_too_late(self):
        result = self.run_check('', stage='upgraded')
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)
