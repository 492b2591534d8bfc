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

"""Compare the findings of policy-rules with who passes in real releases.

Needs MANILA_PRECHECK_VENVS, as test_judge does.
"""

import functools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import rule_snapshots
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import policy_files
from manila_precheck.tests import venvs
from qa import hops

_VENVS = venvs.DIRECTORY
_JUDGE = pathlib.Path(__file__).parent / 'judge_policy.py'
_FACTS = catalog.Catalog()

_PRODUCTION = """\
# In the shape of a production chart: own base rules, overrides, leftovers.
"cloud_admin": "role:cloud_admin and project_domain_name:ccadmin"
"viewer": "role:share_viewer or rule:cloud_admin"
"context_is_admin": "rule:cloud_admin or role:admin"
"share:create": "rule:viewer and not role:frozen"
"share:delete": "rule:system-admin"
"share:get": "rule:project-reader"
"service:index": "rule:system-reader"
"share:craete": "!"
"qos_type:create": "rule:admin_api"
"share:get_all": "rule:context_is_admin or admin"
"share:extend": "not admin"
"share:shrink": !
"share_type:create": "rule:context_is_admin"
"leftover": "role:x"
"""

# In the form of openstack-ansible's policy overrides: only a few rules.
_OVERRIDES = """\
share_type:create: rule:admin_api
share_type:delete: rule:admin_api
share:migration_start: 'role:storage_admin or rule:admin_api'
share_replica:create: "rule:default"
share_server:index: 'rule:context_is_admin or role:auditor'
"""

# In the form of kolla's custom policies: a manager in addition to the member.
_MANAGER = """\
"project-manager": "role:manager and project_id:%(project_id)s"
"project-member": "role:member and project_id:%(project_id)s"
"share:delete": "rule:context_is_admin or rule:project-manager"
"share_network:delete": "rule:context_is_admin or rule:project-manager"
"share:create_public_share": "rule:admin_or_owner"
"share:access_get": "rule:share:get"
"share:access_get_all": "rule:share:get and not role:blind"
"""

_REQUEST = """\
"share:create": "project_id:abc or http://127.0.0.1:1/%(name)s"
"share:get": "domain_id:%(domain_id)s or user_id:zoe"
"share:delete": "True:%(share.public)s or rule:context_is_admin"
"share:update": "role:%(project_id)s"
"share:extend": "is_admin_project:True and role:member"
"share:shrink": "system_scope:all and role:admin"
"share:list_by_host": "user_id:%(user_id)s and not project_domain_id:d"
"""

_CYCLES = """\
"share:create": "rule:a"
"a": "role:x or rule:b"
"b": "rule:a"
"share:get": "not rule:b"
"share:delete": "rule:share:delete"
"share:update": "rule:context_is_admin or rule:share:update"
"default": "rule:gone"
"share:extend": "rule:nowhere"
"""

_LAX = '[oslo_policy]\nenforce_new_defaults = False\n'
_UNSCOPED = '[oslo_policy]\nenforce_scope = False\n'


def _copy(release, older=False):
    """Return the defaults of a release, like oslopolicy-sample-generator."""
    lines = []
    for name, facts in _FACTS.policies(releases.parse(release)).items():
        check = facts.check
        if older and facts.deprecated_check is not None:
            check = facts.deprecated_check
        lines.append((name, check))
    return ''.join(
        f'{json.dumps(name)}: {json.dumps(check)}\n' for name, check in lines
    )


def _as_json(text):
    return '{' + ',\n'.join(text.strip().split('\n')) + '}'


#: Name -> (the text of manila.conf, the other files).
SITES = {
    'errors': (
        '',
        {
            'policy.yaml': (
                '"share:create": "role:50%"\n'
                '"share:get": "class:x or role:admin"\n'
                '"share:update": "role:admin or 1a:b"\n'
                '"share:delete": ":"\n'
            )
        },
    ),
    'roles_of_a_token': (
        '',
        {
            'policy.yaml': (
                '"share:create": "role:admin or roles:member"\n'
                '"share:delete": "roles:auditor and not roles:frozen"\n'
                '"share:update": "not roles:reader"\n'
            )
        },
    ),
    'none': ('', {}),
    'lax': (_LAX, {}),
    'unscoped': (_UNSCOPED, {}),
    'strict': (
        '[oslo_policy]\nenforce_scope = True\nenforce_new_defaults = On\n',
        {},
    ),
    'production': ('', {'policy.yaml': _PRODUCTION}),
    'production_lax': (_LAX, {'policy.yaml': _PRODUCTION}),
    'overrides': ('', {'policy.yaml': _OVERRIDES}),
    'manager': ('', {'policy.d/manager.yaml': _MANAGER}),
    'request': ('', {'policy.yaml': _REQUEST}),
    'cycles': ('', {'policy.yaml': _CYCLES}),
    'copy_of_wallaby': ('', {'policy.yaml': _copy('wallaby')}),
    'copy_of_2023_1': ('', {'policy.yaml': _copy('2023.1')}),
    'copy_of_2023_1_unscoped': (_UNSCOPED, {'policy.yaml': _copy('2023.1')}),
    'copy_of_the_older': ('', {'policy.yaml': _copy('wallaby', True)}),
    'json_copy_of_the_older': (
        '',
        {'policy.json': _as_json(_copy('wallaby', True))},
    ),
    'json_named_copy': (
        '[oslo_policy]\npolicy_file = policy.json\n',
        {'policy.json': _as_json(_copy('2024.1'))},
    ),
    'renamed_admin': (
        '',
        {'policy.yaml': '"context_is_admin": "role:cloud_admin"\n'},
    ),
    'everybody_is_admin': ('', {'policy.yaml': '"context_is_admin": ""\n'}),
    'owner_is_closed': (
        '',
        {'policy.yaml': '"admin_or_owner": "!"\n"share:get": "rule:gone"\n'},
    ),
    'capitals': ('', {'policy.yaml': '"share:create": "role:Member"\n'}),
    'directory': (
        '',
        {
            'policy.yaml': '"share:create": "rule:gone"\n',
            'policy.d/10.yaml': '"share:create": "role:x"\n',
            'policy.d/20.yaml': '"share:delete": "rule:gone"\n',
        },
    ),
    'json_directory': (
        '[oslo_policy]\npolicy_dirs = own.d\n',
        {'own.d/a.json': '{"share:create": "!", "share:get": "rule:z"}'},
    ),
    'json': ('', {'policy.json': '{"share:create": "!", "y": "rule:z"}'}),
    'named_json': (
        '[oslo_policy]\npolicy_file = policy.json\n',
        {'policy.json': '{"share:create": "!", "y": "rule:z"}'},
    ),
    'json_with_tabs': (
        '[oslo_policy]\npolicy_file = policy.json\n',
        {'policy.json': '{\n\t"share:create": "!"\n}'},
    ),
    'old_lists': (
        '',
        {'policy.yaml': '"share:create": [["rule:gone"], ["role:x"]]\n'},
    ),
    'broken': ('', {'policy.yaml': '"share:create": @\n'}),
    'number': ('', {'policy.yaml': '"share:create": 5\n'}),
    'list': ('', {'policy.yaml': '- a\n'}),
    'closed': (
        '[oslo_policy]\npolicy_default_rule = closed\n',
        {'policy.yaml': '"closed": "!"\n"share:create": "rule:gone"\n'},
    ),
    'missing': ('[oslo_policy]\npolicy_file = gone.yaml\n', {}),
    'anchors': (
        '',
        {
            'policy.yaml': (
                'x-admin: &adm "role:admin or role:cloud_admin"\n'
                '"context_is_admin": *adm\n'
                '"share:create": *adm\n'
                '"share:delete": &no "!"\n'
                '"share:update": *no\n'
                '<<: {"share:get": "!", "share:extend": "@"}\n'
            ),
        },
    ),
    'nulls': (
        '',
        {
            'policy.yaml': (
                '"share:create": null\n'
                '"share:delete":\n'
                '"share:update": ~\n'
                '"share:get": []\n'
                '"share:extend": ""\n'
                '"share:shrink": "   "\n'
                '"share:get_all": {}\n'
                '"share:migration_start": false\n'
                '"share:manage": 0\n'
            ),
        },
    ),
    'lists': (
        '',
        {
            'policy.yaml': (
                '"share:create": [["role:a", "role:b"], '
                '["rule:admin_or_owner", "not role:c"]]\n'
                '"share:delete": ["role:a", "role:admin"]\n'
                '"share:update": [[]]\n'
                '"share:get": [["@"]]\n'
                '"share:extend": [["!"]]\n'
                '"share:shrink": [["rule:gone"], []]\n'
                '"share:get_all":\n'
                '  - - role:reader\n'
                '    - project_id:%(project_id)s\n'
                '  - rule:context_is_admin\n'
                '"service:index": ["rule:system-reader"]\n'
                '"share:manage": {"role:a": "role:b"}\n'
            ),
        },
    ),
    'json_lists': (
        '[oslo_policy]\npolicy_file = policy.json\n',
        {
            'policy.json': (
                '{\n'
                '    "context_is_admin": [["role:admin"]],\n'
                '    "admin_or_owner": [["is_admin:True"], '
                '["project_id:%(project_id)s"]],\n'
                '    "default": [["rule:admin_or_owner"]],\n'
                '    "admin_api": [["is_admin:True"]],\n'
                '    "share:create": [],\n'
                '    "share:get": [["rule:default"]],\n'
                '    "share:delete": "rule:default",\n'
                '    "share_server:index": [["rule:admin_api"]],\n'
                '    "share:access_get": "",\n'
                '    "share:migration_start": "rule:admin_api",\n'
                '    "share:get": "!"\n'
                '}\n'
            ),
        },
    ),
    'parentheses': (
        '',
        {
            'policy.yaml': (
                '"share:create": "(role:a and (role:b or not role:c)) or '
                'rule:admin_or_owner"\n'
                '"share:delete": "not (role:a or role:b)"\n'
                '"share:update": "((role:a))"\n'
                '"share:get": "( role:a ) and ( not ( role:member ) )"\n'
                '"share:extend": "not not role:a"\n'
                '"share:shrink": "role:a and not role:b or role:c"\n'
                '"share:get_all": "@ and role:reader"\n'
                '"share:manage": "! or role:reader"\n'
                '"share:unmanage": "not @"\n'
                '"share:migration_start": "not !"\n'
                '"share:list_by_host": "(role:reader or role:member) and '
                'project_id:%(project_id)s"\n'
                '"share:list_by_share_server_id": "not(role:member)"\n'
            ),
        },
    ),
    'malformed': (
        '',
        {
            'policy.yaml': (
                '"share:create": "role:a role:b"\n'
                '"share:delete": "((role:a)"\n'
                '"share:update": "role:a and"\n'
                '"share:get": "or role:a"\n'
                '"share:extend": "NOT role:a"\n'
                '"share:shrink": "role:a OR role:reader AND role:b"\n'
                '"share:get_all": "rule:"\n'
                '"share:manage": "role:"\n'
                '"share:unmanage": ":x"\n'
                '"share:migration_start": "x:"\n'
                '"share:migration_cancel": "foo"\n'
                '"share:migration_complete": "rule: admin_api"\n'
                '"share:list_by_host": "role :admin"\n'
                '"share:force_delete": "@@"\n'
                '"share:revert_to_snapshot": "()"\n'
                '"share:reset_status": "\'role:admin\'"\n'
                '"share:list_by_share_server_id": "and"\n'
                '"share_type:create": "("\n'
                '"share_type:update": "\'role:admin\' or role:admin"\n'
                '"share_type:delete": "not \'role:admin\'"\n'
                '"share_type:show": "rule:share:reset_status or role:admin"\n'
                '"share_type:index": "\'two words\'"\n'
                '"share_type:default": "\'(\'"\n'
            ),
        },
    ),
    'names': (
        '',
        {
            'policy.yaml': (
                '"share:create ": "!"\n'
                '" share:delete": "!"\n'
                '"SHARE:GET": "!"\n'
                '"share:get": "rule:My Rule"\n'
                '"My Rule": "role:reader"\n'
                '"share:update": "role:Größe or rule:größe"\n'
                '"größe": "role:member"\n'
                '"share:extend": "role:MEMBER"\n'
                '"share:shrink": "\\trole:member\\tor\\trole:a"\n'
                '5: "!"\n'
                'true: "!"\n'
                'null: "!"\n'
                '"share:manage": "role:two words"\n'
                '"share:create": "role:a-b.c_d or role:x@y"\n'
            ),
        },
    ),
    'duplicates': (
        '',
        {
            'policy.yaml': (
                '"share:create": "!"\n'
                '"share:delete": "@"\n'
                '"share:create": "rule:gone"\n'
                '"share:delete": "!"\n'
                '"share:delete": "role:member"\n'
            ),
        },
    ),
    'dirs': (
        '[oslo_policy]\npolicy_dirs = b.d\npolicy_dirs = a.d\n',
        {
            'policy.yaml': ('"share:create": "@"\n"share:get": "!"\n'),
            'a.d/2.yaml': (
                '"share:create": "role:reader"\n"share:delete": "!"\n'
            ),
            'a.d/10.yaml': (
                '"share:create": "!"\n"share:update": "rule:gone"\n'
            ),
            'a.d/.hidden.yaml': ('"share:extend": "!"\n'),
            'a.d/README': ('"share:shrink": "!"\n'),
            'a.d/x.json': ('{"share:manage": "!"}'),
            'b.d/1.yaml': ('"share:delete": "@"\n"share:update": "@"\n'),
            'b.d/sub/1.yaml': ('"share:get_all": "!"\n'),
        },
    ),
    'folded': (
        '',
        {
            'policy.yaml': (
                'share:create: >\n'
                '  role:a or\n'
                '  rule:admin_or_owner\n'
                'share:delete: |\n'
                '  role:a\n'
                '  or role:b\n'
                'share:get: role:reader or\n'
                '  role:member\n'
            ),
        },
    ),
}

# Callers that the check does not try; they show what its own callers miss.
_EXTRA: tuple[dict, ...] = (
    *(
        {'roles': roles, 'scope': scope, 'target': target}
        for roles in (
            [],
            ['admin'],
            ['ADMIN', 'frozen'],
            ['reader', 'share_viewer'],
            ['member', 'service', 'auditor'],
            ['manager', 'blind', 'x'],
        )
        for scope in callers.SCOPES
        for target in ('own', 'other')
    ),
    {
        'roles': ['member', 'reader'],
        'scope': 'project',
        'target': 'own',
        'token': {'project_id': 'abc'},
    },
    {
        'roles': [],
        'scope': 'project',
        'target': 'other',
        'token': {'user_id': 'zoe', 'project_domain_id': 'e'},
    },
    {
        'roles': ['reader'],
        'scope': 'domain',
        'target': 'own',
        'object': {'domain_id': 'd', 'share.public': True},
    },
    {
        'roles': ['reader'],
        'scope': 'project',
        'target': 'project',
        'object': {'domain_id': 'd', 'share.public': True},
    },
)


def _python(release):
    major = releases.parse(release).major
    return os.path.join(_VENVS, f'm{major}', 'bin', 'python')


@functools.cache
def _directory():
    """Write every site below a directory that is removed at exit."""
    made = tempfile.TemporaryDirectory()
    for name, (conf, files) in SITES.items():
        for file, text in {'manila.conf': conf, **files}.items():
            path = pathlib.Path(made.name, name, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return made


def _conf(name):
    return os.path.join(_directory().name, name, 'manila.conf')


@functools.cache
def _callers(name):
    return callers_of(_conf(name))


def callers_of(conf):
    """Return the callers that the check tries on a site, without answers.

    :param conf: the path of the manila.conf of the site.
    """
    files = policy_files.read(config_files.read([conf]))
    found = policy_files.effective(files.in_force(True))
    return callers.make({name: rule.check for name, rule in found.items()})


@functools.cache
def _ask(release):
    """Return the answers of a release about all sites (cached)."""
    return ask(release, {name: (_conf(name), _conf(name)) for name in SITES})


def ask(release, confs):
    """Return the answers of a release about sites.

    :param confs: name -> (path of the manila.conf to read, path of the
        manila.conf whose rules determine the callers to try).
    """
    sites = {
        name: {
            'path': path,
            'callers': [
                *(
                    {
                        'roles': sorted(one.roles),
                        'scope': one.scope,
                        'target': one.target,
                    }
                    for one in callers_of(of)
                ),
                *_EXTRA,
            ],
        }
        for name, (path, of) in confs.items()
    }
    done = subprocess.run(
        [_python(release), _JUDGE],
        input=json.dumps(sites),
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)


def _changes(name, source, target):
    """Return (rule, index of the caller, opened) where the releases differ."""
    return differences(_ask(source)[name], _ask(target)[name])


def differences(before, after):
    """Return the same for two answers about one site."""
    before, after = before['passes'], after['passes']
    return {
        (rule, index, there == '1')
        for rule in before
        if rule in after
        and (
            ':' in rule
            or rule in ('context_is_admin', 'context_is_host_admin')
        )
        for index, (here, there) in enumerate(zip(before[rule], after[rule]))
        if (here == '1') != (there == '1')
    }


def _least(changes, tried):
    """Return the changes without callers who merely have more roles.

    If a caller with fewer roles sees the same change, the check need not try
    the one with more.
    """
    alike = {}
    for rule, number, opened in changes:
        one = tried[number]
        key = (rule, opened, one.scope, one.target)
        alike.setdefault(key, set()).add(one.names)
    return {
        (*key, names)
        for key, found in alike.items()
        for names in found
        if not any(other < names for other in found)
    }


def said(findings):
    """Return (rule, opened) of every change that the findings report."""
    found = set()
    for finding in findings:
        if finding.data.get('verdict') in ('opened', 'lost'):
            opened = finding.data['verdict'] == 'opened'
            found.add((finding.subject.name, opened))
        for key, value in finding.data.items():
            if key in ('opened', 'lost') or key.startswith('lost_by_'):
                found.update((n, key == 'opened') for n in value.split())
    return found


@unittest.skipUnless(_VENVS, venvs.NOT_SET)
@ddt.ddt
class JudgePolicyTest(testtools.TestCase):
    def run_check(self, name, source, target):
        for release in (source, target):
            if not os.path.exists(_python(release)):
                self.skipTest(f'no virtual environment of {release}')
        conf, files = SITES[name]
        self.site = self.useFixture(
            testing.Site(conf, files=files, source=source, target=target)
        )
        return self.site.run('policy-rules').findings

    @ddt.data(*((name, *pair) for name in sorted(SITES) for pair in hops.HOPS))
    @ddt.unpack
    def test_site(self, name, source, target):
        findings = self.run_check(name, source, target)
        self.check_who_passes(findings, name, source, target)
        self.check_each_override(findings, name, source, target)

    def check_who_passes(self, findings, name, source, target):
        if 'broken' in _ask(source)[name] or 'broken' in _ask(target)[name]:
            # Every request fails; only the file itself has a finding.
            self.assertEqual(set(), said(findings))
            return
        real = _changes(name, source, target)
        tried = _callers(name)
        index = {caller: number for number, caller in enumerate(tried)}
        expected = {one for one in real if one[1] < len(tried)}
        found = {
            (one.rule, index[one.caller], one.opened)
            for one in rule_snapshots.RuleSnapshots(
                self.site.context()
            ).changes()
            if not one.caller.answers
        }
        self.assertEqual(set(), found - expected)
        self.assertEqual(_least(expected, tried), _least(found, tried))
        happened = {(rule, opened) for rule, _caller, opened in real}
        if name == 'request':
            # The check tries both answers to what only a request can tell; the
            # callers here are only some of those who make requests.
            self.assertEqual(set(), happened - said(findings))
            return
        self.assertEqual(happened, said(findings))

    def check_each_override(self, findings, name, source, target):
        judged = _ask(target)[name]
        failing = {
            finding.subject.name
            for finding in findings
            if finding.severity is model.Severity.FAILURE
        }
        if 'broken' in judged:
            self.assertNotEqual(set(), failing)
            return
        dropped = 'policy.json' in failing
        self.assertEqual(
            dropped,
            bool(_ask(source)[name].get('rules')) and not judged['rules'],
        )
        if dropped:
            # The findings also cover the rules as if the file were converted.
            return
        found = {}
        for finding in findings:
            if finding.subject.kind == 'policy':
                verdict = finding.data['verdict']
                found.setdefault(verdict, set()).add(finding.subject.name)
        rules = judged['rules']
        undefined = {n for n, r in rules.items() if r['undefined']}
        if 'default' in undefined:
            # "default" replaces any undefined rule, and therefore itself.
            self.assertIn('default', found.get('cycle', ()))
            undefined.remove('default')
        for word, expected in (
            ('dangling', undefined),
            (
                'redundant',
                {
                    n
                    for n, r in rules.items()
                    if r['redundant'] and not r['older']
                },
            ),
        ):
            self.assertEqual(expected, found.get(word, set()), word)
        unknown = {n for n, r in rules.items() if not r['known']}
        self.assertEqual(
            unknown - _used(name),
            found.get('unknown', set()) | found.get('removed', set()),
        )
        for rule in found.get('cycle', ()):
            if rules[rule]['known']:
                self.assertIn('x', judged['passes'][rule])
        self.check_what_opens(findings, judged)

    def check_what_opens(self, findings, judged):
        """Compare findings about an open check string with who passes."""
        member = {'roles': ['member', 'service', 'auditor']}
        number = next(
            index
            for index, one in enumerate(_EXTRA)
            if one['roles'] == member['roles'] and one['scope'] == 'project'
        )
        for finding in findings:
            verdict = finding.data.get('verdict')
            if verdict not in ('invalid', 'open'):
                continue
            passes = judged['passes'][finding.subject.name]
            if finding.data.get('effect') == 'fails':
                self.assertIn('x', passes)
                continue
            passed = passes[len(passes) - len(_EXTRA) + number]
            opens = (
                verdict == 'open' or finding.severity is model.Severity.FAILURE
            )
            if verdict == 'open' or opens:
                self.assertEqual('1', passed)


def _used(name):
    """Return the rules of a site to which its other rules refer."""
    conf, files = SITES[name]
    text = '\n'.join((conf, *files.values()))
    words = text.replace('"', ' ').replace('(', ' ').replace(')', ' ').split()
    named = {w[len('rule:') :] for w in words if w.startswith('rule:')}
    # The rule that replaces undefined ones.
    default = re.search(r'(?m)^policy_default_rule = (\S+)$', conf)
    return named | {default[1] if default else 'default'}
