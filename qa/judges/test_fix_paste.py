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

"""Test that manila-api starts with the api-paste.ini of upgrade fix.

Needs MANILA_PRECHECK_VENVS, as test_judge.py does.
"""

import os
import pathlib
import unittest

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck.tests import venvs
from qa import hops
from qa.judges import judge_inputs
from qa.judges import test_fix as judge_fix
from qa.judges import test_judge_paste


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class FixPasteTest(testtools.TestCase):
    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_what_loads(self, source, target):
        """It is the file of the source, edited in many ways."""
        for release in (source, target):
            if not test_judge_paste.is_there(release):
                self.skipTest(f'no virtual environment of {release}')
        home = self.useFixture(fixtures.TempDir()).path
        texts = test_judge_paste.texts(source)
        made = {
            name: judge_fix.Fixed(
                judge_inputs.Site(
                    {'manila.conf': '[DEFAULT]\n', 'api-paste.ini': text}
                ),
                source,
                target,
                os.path.join(home, name),
                ('manila.conf',),
            )
            for name, text in texts.items()
        }
        before = test_judge_paste.ask(source, texts)
        early, after = (
            test_judge_paste.ask(
                release,
                {
                    name: _paste(getattr(one, which))
                    for name, one in made.items()
                },
            )
            for release, which in ((source, 'early'), (target, 'after'))
        )
        wrong = []
        for name, one in sorted(made.items()):
            wrong += [(name, *problem) for problem in one.problems]
            if early[name] and not before[name]:
                wrong.append((name, 'early', early[name]))
            if after[name] and not _is_failing(one):
                wrong.append((name, 'after', after[name]))
        self.assertEqual([], wrong)
        # The unedited file of the source always loads afterwards.
        self.assertIsNone(after['as-shipped'])


def _paste(root):
    return pathlib.Path(root, 'api-paste.ini').read_text(encoding='utf-8')


def _is_failing(made):
    """Say whether the file still has a failure, for a person to fix."""
    return any(
        finding.severity is model.Severity.FAILURE
        for result in made.results_left
        for finding in result.findings
        if finding.check_id == 'api-paste'
    )
