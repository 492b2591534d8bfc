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

"""What policy-rules says against what real releases make of the files.

Needs MANILA_PRECHECK_VENVS, as test_judge does.
"""

import json
import os
import pathlib
import subprocess
import unittest

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.tests import venvs

_VENVS = venvs.DIRECTORY
_JUDGE = pathlib.Path(__file__).parent / 'judge_policy.py'
_PAIRS = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2025.2', '2026.1'),
    ('2026.1', '2026.2'),
)

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

_SITES = {
    'none': ('', {}),
    'production': ('', {'policy.yaml': _PRODUCTION}),
    'directory': (
        '',
        {
            'policy.yaml': '"share:create": "rule:gone"\n',
            'policy.d/10.yaml': '"share:create": "role:x"\n',
            'policy.d/20.yaml': '"share:delete": "rule:gone"\n',
        },
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
}


def _python(release):
    major = releases.parse(release).major
    return os.path.join(_VENVS, f'm{major}', 'bin', 'python')


def _ask(path, release):
    done = subprocess.run(
        [_python(release), _JUDGE, path],
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)


@unittest.skipUnless(_VENVS, venvs.NOT_SET)
@ddt.ddt
class JudgePolicyTest(testtools.TestCase):
    @ddt.data(*((name, *pair) for name in sorted(_SITES) for pair in _PAIRS))
    @ddt.unpack
    def test_same_verdict_on_every_rule(self, name, source, target):
        if not os.path.exists(_python(target)):
            self.skipTest(f'no virtual environment of {target}')
        conf, files = _SITES[name]
        site = self.useFixture(
            testing.Site(
                conf or '[DEFAULT]\n',
                files=files,
                source=source,
                target=target,
            )
        )
        result = site.run('policy-rules')
        judged = _ask(site.file('manila.conf'), target)
        kinds = {f.subject.kind for f in result.findings}
        failing = {
            f.subject.kind
            for f in result.findings
            if f.severity is model.Severity.FAILURE
        }
        if 'broken' in judged:
            self.assertTrue(failing)
            return
        if name == 'json' and releases.parse(target).major >= 22:
            # The target reads nothing, and the finding says so.
            self.assertEqual({}, judged)
            self.assertIn('policy-file', kinds)
            return
        found = {}
        for finding in result.findings:
            if finding.subject.kind == 'policy':
                verdict = finding.data['verdict']
                found.setdefault(verdict, set()).add(finding.subject.name)
        unknown = found.get('unknown', set()) | found.get('removed', set())
        for rule, facts in judged.items():
            self.assertEqual(
                facts['undefined'], rule in found.get('dangling', ()), rule
            )
            self.assertEqual(
                facts['redundant'], rule in found.get('redundant', ()), rule
            )
            if facts['known']:
                self.assertNotIn(rule, unknown)
        used = {'cloud_admin', 'viewer', 'closed'}
        self.assertEqual(
            {r for r, facts in judged.items() if not facts['known']} - used,
            unknown,
        )
        for finding in result.findings:
            if finding.subject.kind != 'policy':
                continue
            verdict = finding.data['verdict']
            opens = verdict == 'open' or (
                verdict in ('dangling', 'invalid')
                and finding.severity is model.Severity.FAILURE
            )
            if opens:
                self.assertTrue(judged[finding.subject.name]['allowed'])
            elif verdict in ('dangling', 'invalid'):
                self.assertFalse(judged[finding.subject.name]['allowed'])
