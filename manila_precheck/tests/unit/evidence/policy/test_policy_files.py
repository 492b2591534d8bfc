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

import os

import ddt
from oslo_config import cfg
from oslo_policy import opts
from oslo_policy import policy as oslo_policy

from manila_precheck import exceptions
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import policy_files
from manila_precheck.tests.unit.evidence.config import test_config_files


@ddt.ddt
class PolicyFilesTestCase(test_config_files.Files):
    def read(self, conf='[DEFAULT]\n', **files):
        """Read the policy files beside a manila.conf of a text."""
        main = self.write(conf)
        for name, text in files.items():
            self.write(
                text,
                name.replace('__', '/')
                .replace('_yaml', '.yaml')
                .replace('_json', '.json'),
            )
        return policy_files.read(config_files.read([main]))

    def path(self, name):
        return os.path.join(self.directory, name)

    def problem(self, text):
        (document,) = self.read(policy_yaml=text).documents
        self.assertEqual((), document.rules)
        return document.problem

    @ddt.data('[{},{}]', '{{k: {}, l: {}}}', '{{<<: [{}, {}]}}')
    def test_a_chain_of_aliases_took_all_memory(self, shape):
        lines = ['a0: &a0 {x: y}']
        for number in range(1, 60):
            alias = f'*a{number - 1}'
            value = shape.format(alias, alias)
            lines.append(f'a{number}: &a{number} {value}')
        self.assertEqual(
            policy_files.PolicyProblem(
                None, 'its aliases expand to more than 10000 values'
            ),
            self.problem('\n'.join(lines)),
        )

    def test_a_pipe_was_waited_for(self):
        os.mkfifo(self.path('policy.yaml'))
        with self.assertRaisesRegex(
            exceptions.SourceUnusable, r'policy\.yaml: a pipe, not a file'
        ):
            self.read()

    def test_a_few_aliases_are_fine(self):
        found = self.read(policy_yaml='a: &a "role:x"\nb: *a\nc: *a\n')
        self.assertEqual(
            ['role:x'] * 3,
            [rule.check for rule in found.documents[0].rules],
        )

    @ddt.data(
        'a: ' + '[' * 100_000 + ']' * 100_000,
        '{"a": ' + '[' * 100_000 + ']' * 100_000 + '}',
        '- ' * 100_000 + 'a',
    )
    def test_deep_nesting_ended_the_process(self, text):
        self.assertEqual(
            policy_files.PolicyProblem(1, 'it is nested too deeply'),
            self.problem(text),
        )

    def test_no_file_is_normal(self):
        self.assertEqual(policy_files.PolicyFiles(), self.read())

    def test_yaml_with_lines(self):
        found = self.read(
            policy_yaml="""\
                # comment
                "share:create": "rule:admin_api"

                share:delete: ""
                "share:create":
                  "!"
                """
        )
        self.assertEqual(
            {
                'share:create': policy_files.Rule(
                    'share:create', '!', self.path('policy.yaml'), 5
                ),
                'share:delete': policy_files.Rule(
                    'share:delete', '', self.path('policy.yaml'), 4
                ),
            },
            policy_files.effective(found.documents),
        )
        self.assertFalse(found.documents[0].is_json)
        self.assertEqual(
            [self.path('policy.yaml')], [f.path for f in found.files]
        )

    def test_json_is_a_fall_back(self):
        found = self.read(policy_json='{"a:b": "!",\n "c": [["role:x"]]}')
        self.assertEqual((), found.documents)
        self.assertEqual((), found.in_force(with_old_default=False))
        self.assertEqual(
            (
                policy_files.Rule('a:b', '!', self.path('policy.json'), 1),
                policy_files.Rule(
                    'c', [['role:x']], self.path('policy.json'), 2
                ),
            ),
            found.in_force(with_old_default=True)[0].rules,
        )
        self.assertTrue(found.old_default.is_json)
        self.assertIsNone(found.old_default.problem)
        self.assertEqual(
            [self.path('policy.json')], [f.path for f in found.files]
        )

    @ddt.named_data(
        ['policy_yaml_exists', '[DEFAULT]\n', {'policy_yaml': ''}],
        [
            'policy_file_is_set',
            '[oslo_policy]\npolicy_file = policy.yaml\n',
            {},
        ],
        ['old_group', '[DEFAULT]\npolicy_file = policy.yaml\n', {}],
    )
    @ddt.unpack
    def test_no_fall_back_when(self, conf, files):
        found = self.read(conf, policy_json='{"a": "!"}', **files)
        self.assertIsNone(found.old_default)

    def test_named_json_is_no_fall_back(self):
        found = self.read(
            '[oslo_policy]\npolicy_file = policy.json\n',
            policy_json='{"a": "!"}',
        )
        self.assertIsNone(found.old_default)
        self.assertEqual(
            [(self.path('policy.json'), True)],
            [(d.path, d.is_json) for d in found.documents],
        )

    def test_json_with_tabs_is_not_yaml(self):
        found = self.read(
            '[oslo_policy]\npolicy_file = policy.json\n',
            policy_json='{\n\t"x": "",\n\t"a": "!"\n}',
        )
        self.assertEqual(
            (
                policy_files.Rule('x', '', self.path('policy.json'), 2),
                policy_files.Rule('a', '!', self.path('policy.json'), 3),
            ),
            found.documents[0].rules,
        )
        self.assertEqual(
            policy_files.PolicyProblem(
                2, "found character '\\t' that cannot start any token"
            ),
            found.documents[0].problem,
        )

    def test_named_file_is_missing(self):
        found = self.read('[oslo_policy]\npolicy_file = gone.yaml\n')
        self.assertEqual((), found.documents)
        self.assertEqual(2, found.missing.line)

    def test_directories_override_the_file_in_order_of_names(self):
        found = self.read(
            """\
            [oslo_policy]
            policy_dirs = one
            policy_dirs = two
            policy_default_rule = closed
            """,
            policy_yaml='a: "!"\nb: "!"\nc: "!"\n',
            one__20_yaml='b: "role:20"\n',
            one__10_yaml='b: "role:10"\nc: "role:10"\n',
            two__01='c: "role:two"\n',
        )
        self.write('{', 'one/.hidden')
        self.write('{', 'one/below/x.yaml')
        self.assertEqual(
            {'a': '!', 'b': 'role:20', 'c': 'role:two'},
            {
                name: rule.check
                for name, rule in policy_files.effective(
                    found.documents
                ).items()
            },
        )
        self.assertEqual('closed', found.default_rule)

    @ddt.named_data(
        ['character', 'a: @\n', 1, "found character '@' that cannot start"],
        ['list', '\n- a\n', 2, 'it is not a mapping of rules'],
        ['word', 'a\n', 1, 'it is not a mapping of rules'],
        ['tag', 'b: ""\na: !role:x\n', 2, 'could not determine a constr'],
        ['colon', 'a: b: c\n', 1, 'mapping values are not allowed here'],
        ['two', 'a: b\n---\na: b\n', 2, 'but found another document'],
        ['bytes', b'a: "b"\nc: "\xff"\n', 2, 'it is not UTF-8 text'],
        ['control', 'a: \x07\n', None, 'unacceptable character'],
    )
    @ddt.unpack
    def test_malformed(self, text, line, problem):
        document = self.read(policy_yaml=text).documents[0]
        self.assertEqual((), document.rules)
        self.assertEqual(line, document.problem.line)
        self.assertIn(problem, document.problem.text)

    @ddt.named_data(['empty', ''], ['comments', '# a: b\n'], ['map', '{}'])
    def test_file_without_rules(self, text):
        document = self.read(policy_yaml=text).documents[0]
        self.assertEqual((), document.rules)
        self.assertIsNone(document.problem)

    def test_unquoted_exclamation_mark_is_nothing(self):
        document = self.read(policy_yaml='a: !\nb: "!"\n').documents[0]
        self.assertEqual([None, '!'], [r.check for r in document.rules])

    def test_unreadable(self):
        with self.assertRaisesRegex(
            exceptions.SourceUnusable, r'policy\.yaml: Is a directory'
        ):
            self.read(policy_yaml__x='')

    def test_same_rules_as_oslo_policy(self):
        main = self.write('[DEFAULT]\n')
        self.write('a: "role:a"\nb: !\nc: [["role:c"]]\n', 'policy.yaml')
        self.write('"a": "not rule:b"\n1: ""\n', 'policy.d/x.yaml')
        conf = cfg.ConfigOpts()
        conf(
            ['--config-file', main],
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
        )
        opts.set_defaults(conf, policy_file='policy.yaml')
        enforcer = oslo_policy.Enforcer(conf)
        enforcer.load_rules()
        found = policy_files.effective(
            policy_files.read(config_files.read([main])).documents
        )
        self.assertEqual(
            {str(k): str(v.check) for k, v in enforcer.file_rules.items()},
            {
                name: str(oslo_policy.RuleDefault(name, rule.check).check)
                for name, rule in found.items()
            },
        )
