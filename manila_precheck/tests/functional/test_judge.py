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

"""What config-options says against what real releases say.

Needs MANILA_PRECHECK_VENVS: a directory with virtual environments m16, m18,
m20 and so on, each holding that major version of manila; an upgrade is tried
when both of its releases are there.
"""

import functools
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import ddt
import testtools

from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import judge_inputs

_VENVS = venvs.DIRECTORY
_JUDGE = pathlib.Path(__file__).parent / 'judge_config.py'
_PAIRS = (
    ('2023.1', '2024.1'),
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2025.2', '2026.1'),
    ('2026.1', '2026.2'),
)

# What a finding's verdict is when only the target is asked.
_AS_THE_JUDGE_SAYS = {
    'removed': 'unknown',
    'ineffective': 'unknown',
    'renamed': 'old name',
    'deprecated': 'for removal',
}


@functools.cache
def _ask(name, release):
    """Return the verdicts of a release on one of the configurations."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'manila.conf')
        pathlib.Path(path).write_text(judge_inputs.CONFIGS[name])
        return _ask_about(path, release)


def _python(release):
    major = releases.parse(release).major
    return os.path.join(_VENVS, f'm{major}', 'bin', 'python')


def _ask_about(path, release):
    done = subprocess.run(
        [_python(release), str(_JUDGE), path],
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    rows = json.loads(done.stdout)
    return {(section, name): verdict for section, name, verdict in rows}


@unittest.skipUnless(_VENVS, venvs.NOT_SET)
@ddt.ddt
class JudgeTest(testtools.TestCase):
    @ddt.data(
        *(
            (name, source, target)
            for name in sorted(judge_inputs.CONFIGS)
            for source, target in _PAIRS
        )
    )
    @ddt.unpack
    def test_same_verdict_on_every_line(self, name, source, target):
        for release in (source, target):
            if not os.path.exists(_python(release)):
                self.skipTest(f'no virtual environment of {release}')
        site = self.useFixture(
            testing.Site(
                judge_inputs.CONFIGS[name], source=source, target=target
            )
        )
        ctx = site.context()
        result = site.run('config-options', ctx)
        before, after = _ask(name, source), _ask(name, target)
        ours = {}
        for finding in result.findings:
            verdict = finding.data['verdict']
            if verdict == 'masked':
                continue
            line = (finding.subject.file, finding.subject.line)
            # An invalid value weighs more than a deprecated option.
            if ours.get(line) != 'invalid':
                ours[line] = verdict
        wrong = []
        for setting in ctx.config.settings:
            verdict = ours.get((setting.file, setting.line), 'known')
            key = (setting.section, setting.name)
            if verdict == 'unjudged':
                # The judge stops at the driver that the release lacks.
                continue
            expected = after[key]
            if _AS_THE_JUDGE_SAYS.get(verdict, verdict) != expected:
                wrong.append((setting.line, *key, verdict, expected))
            if expected == 'unknown' and verdict in ('removed', 'unknown'):
                removed = before[key] != 'unknown'
                if removed != (verdict == 'removed'):
                    wrong.append((setting.line, *key, verdict, before[key]))
        self.assertEqual([], wrong)
