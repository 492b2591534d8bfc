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

import json
import logging
import os

import ddt
import fixtures
import hypothesis
from hypothesis import strategies
from oslo_config import cfg
from oslo_policy import policy as oslo_policy
import testtools
import yaml

from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import enforcement
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

Rule = enforcement.EnforcedRule

_SETTINGS = hypothesis.settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


def caller(*names, scope='project', target='own', answers=()):
    return callers.Caller(
        frozenset(names),
        callers.token_roles(names),
        scope,
        target,
        frozenset(answers),
    )


def made(default_rule='default', enforce_scope=True, **rules):
    """Return what enforces some rules; each is a check or a Rule."""
    return enforcement.Enforcement(
        enforcement.EnforcedRules(
            {
                name: rule
                if isinstance(rule, enforcement.EnforcedRule)
                else Rule((rule,))
                for name, rule in rules.items()
            },
            default_rule,
            enforce_scope,
        )
    )


@ddt.ddt
class EnforcementTest(testtools.TestCase):
    @ddt.data(
        ('role:member', ('admin', 'member')),
        ('role:Member', ('admin', 'member')),
        ('roles:member', ('admin', 'member')),
        ('roles:admin and not roles:other', ('admin',)),
        ('role:a and role:b', ()),
        ('not role:member', ('reader', 'other')),
        ('rule:gone', ('reader',)),
        ('not rule:gone', ('admin', 'member', 'other')),
        ('rule:loop', ()),
        ('role:admin or rule:loop', ('admin',)),
        ('is_admin:True', ('admin',)),
        ('role:100%', ()),
        ('1x:2', ()),
        (5, ()),
        ([['role:admin'], ['role:reader', 'rule:default']], ()),
        ('', ('admin', 'member', 'reader', 'other')),
    )
    @ddt.unpack
    def test_allows(self, check, expected):
        enforced = made(
            a=check,
            loop='rule:loop',
            default='role:reader and not role:member',
            context_is_admin='role:admin',
        )
        expected = set(expected)
        if isinstance(check, list):
            expected = {'admin', 'reader'}
        self.assertEqual(
            expected,
            {
                name
                for name in ('admin', 'member', 'reader', 'other')
                if enforced.allows('a', caller(name))
            },
        )

    def test_each_rule_of_a_chain_doubled_the_time(self):
        rules = {
            f'r{n}': f'not rule:r{n - 1} or rule:r{n - 1}'
            for n in range(1, 60)
        }
        enforced = made(r0='role:admin', top='rule:r59 and rule:r0', **rules)
        self.assertTrue(enforced.allows('top', caller('admin')))
        self.assertFalse(enforced.allows('top', caller('member')))

    def test_references_through_hundreds_of_rules(self):
        rules = {f'r{n}': f'rule:r{n - 1}' for n in range(1, 120)}
        enforced = made(r0='role:admin', **rules)
        self.assertTrue(enforced.allows('r119', caller('admin')))
        self.assertFalse(enforced.allows('r119', caller('member')))
        rules = {f'r{n}': f'rule:r{n - 1}' for n in range(1, 3000)}
        # Deeper than Python calls: the request fails with 500.
        enforced = made(r0='role:admin', **rules)
        self.assertFalse(enforced.allows('r2999', caller('admin')))

    @ddt.data(
        '(' * 50_000 + 'role:admin' + ')' * 50_000,
        'not ' * 20_000 + 'role:admin',
        'project_id:' + '%(' * 200_000,
    )
    def test_a_text_that_was_never_done_with(self, check):
        enforced = made(a=check)
        self.assertFalse(enforced.allows('a', caller('member')))

    def test_a_rule_that_is_gone_and_no_default(self):
        enforced = made(default_rule='none', a='rule:gone', b='not rule:gone')
        self.assertFalse(enforced.allows('a', caller('admin')))
        self.assertTrue(enforced.allows('b', caller('admin')))

    def test_the_older_default_beside_the_new_one(self):
        enforced = made(a=Rule(('role:x', 'role:y')))
        self.assertTrue(enforced.allows('a', caller('x')))
        self.assertTrue(enforced.allows('a', caller('y')))
        self.assertFalse(enforced.allows('a', caller('z')))

    @ddt.data((True, False), (False, True))
    @ddt.unpack
    def test_scope(self, enforce_scope, passes):
        enforced = made(
            enforce_scope=enforce_scope,
            a=Rule(('role:x',), ('project',)),
            b=Rule(('rule:a',)),
        )
        self.assertTrue(enforced.allows('a', caller('x')))
        for scope in ('system', 'domain'):
            one = caller('x', scope=scope)
            self.assertEqual(passes, enforced.allows('a', one))
            # Only the scope of the rule that is asked for counts.
            self.assertTrue(enforced.allows('b', one))

    def test_is_admin_needs_the_scope_too(self):
        rules = {
            'a': 'is_admin:True',
            'context_is_admin': Rule(('role:x',), ('project',)),
        }
        one = caller('x', scope='system')
        self.assertFalse(made(**rules).allows('a', one))
        self.assertTrue(made(enforce_scope=False, **rules).allows('a', one))

    @ddt.data(
        ('project_id:%(project_id)s', ('own', 'project')),
        ('user_id:%(user_id)s', ('own',)),
        ('project_id:%(user_id)s', ()),
    )
    @ddt.unpack
    def test_target(self, check, expected):
        enforced = made(a=check)
        self.assertEqual(
            expected,
            tuple(
                target
                for target in callers.TARGETS
                if enforced.allows('a', caller('x', target=target))
            ),
        )

    @ddt.data(
        'http://h/%(name)s',
        'https://h/',
        'project_id:abc',
        'user_id:%(share.user)s',
        'role:%(share.role)s',
        'True:%(share.public)s',
    )
    def test_what_only_a_call_can_answer(self, check):
        enforced = made(a=f'role:x and not {check}')
        self.assertEqual({check}, enforced.answers)
        self.assertTrue(enforced.allows('a', caller('x')))
        self.assertFalse(enforced.allows('a', caller('x', answers=[check])))

    def test_a_domain_answers_for_a_token_of_a_domain_alone(self):
        enforced = made(a='domain_id:abc')
        for scope in callers.SCOPES:
            one = caller('x', scope=scope, answers=['domain_id:abc'])
            self.assertEqual(scope == 'domain', enforced.allows('a', one))

    def test_what_no_token_holds_is_no_question(self):
        enforced = made(a='project_domain_name:x', b='tenant:%(tenant)s')
        self.assertEqual(frozenset(), enforced.answers)
        self.assertFalse(enforced.allows('a', caller('admin')))

    def test_every_caller_was_tried_alone_with_hundreds_of_roles(self):
        enforced = made(a=' or '.join(f'role:x{n}' for n in range(300)))
        for n in range(300):
            self.assertTrue(enforced.allows('a', caller(f'x{n}')))
        steps = enforced.steps
        self.assertLess(steps, 300 * 303)
        for n in range(300):
            self.assertTrue(enforced.allows('a', caller(f'x{n}', 'z')))
        self.assertEqual(steps, enforced.steps)

    @ddt.data(500, 5000)
    def test_what_reaches_a_rule_through_thousands(self, length):
        rules = {
            f'r{n}': f'rule:r{n - 1} or not rule:r{n - 1}'
            for n in range(1, length)
        }
        enforced = made(r0='role:X and project_id:abc', **rules)
        for name in ('r0', f'r{length - 1}'):
            self.assertEqual(
                callers.Reach(frozenset({'x'}), frozenset({'project_id:abc'})),
                enforced.reach(name),
            )
        self.assertEqual(
            frozenset(),
            enforced.unlike(made(r0='role:X and project_id:abc', **rules)),
        )
        self.assertEqual(
            {'r0', *rules}, enforced.unlike(made(r0='role:y', **rules))
        )

    @ddt.data(
        ({}, ''),
        ({'b': 'role:y'}, 'ab'),
        ({'default': 'role:y'}, 'd default'),
        ({'gone': 'role:y'}, 'd'),
        ({'default_rule': 'c'}, 'd'),
        ({'context_is_admin': 'role:x'}, 'a b c d default context_is_admin'),
        ({'c': Rule(('role:x',), ('system',))}, 'c'),
        ({'enforce_scope': False}, 'c'),
    )
    @ddt.unpack
    def test_rules_that_may_be_decided_otherwise(self, changed, expected):
        rules = {
            'a': 'rule:b and role:x',
            'b': 'role:x',
            'c': Rule(('role:x',), ('project',)),
            'd': 'rule:gone',
            'default': '!',
            'context_is_admin': 'role:admin',
        }
        names = expected.split() if ' ' in expected else expected
        self.assertEqual(
            set(names), made(**rules).unlike(made(**{**rules, **changed}))
        )


_LEAVES = strategies.sampled_from(
    (
        '@',
        '!',
        'role:admin',
        'role:member',
        'role:Reader',
        'role:x',
        'rule:a',
        'rule:b',
        'rule:gone',
        'rule:default',
        'is_admin:True',
        'project_id:%(project_id)s',
        'user_id:%(user_id)s',
        'system_scope:all',
        'nonsense',
        'role:',
        ':x',
        "'quoted':%(user_id)s",
        'None:%(user_id)s',
    )
)
_CHECKS = strategies.recursive(
    _LEAVES,
    lambda inner: strategies.one_of(
        inner.map(lambda text: f'({text})'),
        inner.map(lambda text: f'not {text}'),
        inner.map(lambda text: f'( {text}'),
        strategies.tuples(
            inner,
            strategies.sampled_from((' or ', ' and ', ' AND ', ' ', '  or  ')),
            inner,
        ).map(''.join),
    ),
    max_leaves=8,
)
_ANY_CHECK = strategies.one_of(
    _CHECKS,
    strategies.lists(
        strategies.one_of(_LEAVES, strategies.lists(_LEAVES, max_size=3)),
        max_size=3,
    ),
    strategies.sampled_from((None, '', 5, True, {}, 'rule:a and')),
)
_FILES = strategies.dictionaries(
    strategies.sampled_from(
        ('a', 'b', 'default', 'context_is_admin', 'share:get', 'share:new')
    ),
    _ANY_CHECK,
    max_size=6,
)
_CALLERS = (
    caller('admin'),
    caller('admin', target='other'),
    caller('admin', scope='system'),
    caller('member', target='project'),
    caller('reader', target='other'),
    caller('reader', scope='domain'),
    caller('x'),
)


class AgainstOsloPolicyTest(testtools.TestCase):
    """What we make of random files against the enforcer of oslo.policy."""

    def setUp(self):
        super().setUp()
        # oslo.policy logs each word that it does not understand.
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.directory = self.useFixture(fixtures.TempDir()).path
        self.main = os.path.join(self.directory, 'manila.conf')
        self.path = os.path.join(self.directory, 'policy.yaml')
        with open(self.main, 'w') as stream:
            stream.write('[DEFAULT]\n')

    def enforcer(self):
        conf = cfg.ConfigOpts()
        conf(['--config-file', self.main], default_config_dirs=[])
        found = oslo_policy.Enforcer(conf, policy_file=self.path)
        found.register_defaults(
            [
                oslo_policy.RuleDefault('default', 'rule:a'),
                oslo_policy.RuleDefault('context_is_admin', 'role:admin'),
                oslo_policy.RuleDefault(
                    'share:get', 'rule:a or rule:b', scope_types=['project']
                ),
            ]
        )
        return found

    def ours(self):
        found = policy_files.read(config_files.read([self.main]))
        (document,) = found.documents
        rules = {
            'default': Rule(('rule:a',)),
            'context_is_admin': Rule(('role:admin',)),
            'share:get': Rule(('rule:a or rule:b',), ('project',)),
        }
        for name, rule in policy_files.effective((document,)).items():
            scopes = rules[name].scopes if name in rules else ()
            rules[name] = Rule((rule.check,), scopes)
        return document, rules

    def ask(self, enforcer, name, one):
        creds = {
            'user_id': 'u',
            'project_id': 'p' if one.scope == 'project' else None,
            'domain_id': 'd' if one.scope == 'domain' else None,
            'system_scope': 'all' if one.scope == 'system' else None,
            'roles': sorted(one.roles),
            'is_admin': None,
        }
        own = {'project_id': creds['project_id'], 'user_id': 'u'}
        target = {
            'project_id': 'q' if one.target == 'other' else own['project_id'],
            'user_id': 'u' if one.target == 'own' else 'v',
        }
        try:
            admin = enforcer.enforce('context_is_admin', own, dict(creds))
            creds['is_admin'] = bool(admin)
            return bool(enforcer.enforce(name, target, creds))
        except (RecursionError, SyntaxError, TypeError, ValueError):
            return False

    def compare(self, text):
        with open(self.path, 'w') as stream:
            stream.write(text)
        enforcer = self.enforcer()
        document, rules = self.ours()
        usable = document.problem is None and all(
            check_strings.parse(rule.check).usable for rule in document.rules
        )
        try:
            enforcer.load_rules()
        except (AttributeError, TypeError, ValueError):
            self.assertFalse(usable)
            return
        self.assertTrue(usable)
        self.assertEqual(
            {
                str(name): str(rule.check)
                for name, rule in enforcer.file_rules.items()
            },
            {
                rule.name: check_strings.parse(rule.check).canonical
                for rule in document.rules
            },
        )
        enforced = enforcement.Enforcement(
            enforcement.EnforcedRules(rules, 'default', True)
        )
        # NOTE: a name that is no text to YAML is one that nothing asks for.
        for name in set(rules) - {'1', 'None', 'True'}:
            for one in _CALLERS:
                self.assertEqual(
                    self.ask(enforcer, name, one),
                    enforced.allows(name, one),
                    f'{name} {one}',
                )

    @_SETTINGS
    @hypothesis.given(_FILES)
    def test_yaml(self, rules):
        self.compare(yaml.safe_dump(rules))

    @_SETTINGS
    @hypothesis.given(_FILES)
    def test_json(self, rules):
        self.compare(json.dumps(rules))

    @_SETTINGS
    @hypothesis.given(
        strategies.lists(
            strategies.sampled_from(
                (
                    '"a": "role:x"\n',
                    'a: role:x or rule:b\n',
                    '"b": !\n',
                    'b: "!"\n',
                    '"share:get": |\n  rule:a\n  or rule:b\n',
                    'share:get: [[rule:a], [role:x, "@"]]\n',
                    'default: @\n',
                    '\t"b": ""\n',
                    '# nothing\n',
                    '1: role:x\n',
                    'a: &x role:x\nb: *x\n',
                    '- a\n',
                    'a: role:x # or more\n',
                    '---\n',
                    '{a: role:x}\n',
                    '"b":\n',
                    '~: role:x\n',
                    'true: "@"\n',
                )
            ),
            max_size=5,
        )
    )
    def test_text(self, lines):
        self.compare(''.join(lines))
