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
import sys
import sysconfig
import venv

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing

PROGRAM = '''
import json, os, sys, time

{body}
'''

ANSWERS = '''
print('a line of a library')
print(json.dumps({'checks': [
    {'check': 'Policy File', 'result': 2, 'details': 'it is JSON'},
    {'check': 'Placeholder', 'result': 0, 'details': None},
    {'check': 'Acme', 'result': 1, 'details': None},
]}))
sys.exit(2)
'''


@ddt.ddt
class ManilaStatusTest(testtools.TestCase):
    """A program in the place of manila's: what it prints is what counts."""

    def environment(self):
        """Let another Python run it; return where that has its packages."""
        root = self.useFixture(fixtures.TempDir()).path
        venv.create(root, with_pip=False)
        self.useFixture(
            fixtures.MonkeyPatch(
                'sys.executable', os.path.join(root, 'bin', 'python')
            )
        )
        return sysconfig.get_path(
            'purelib', 'posix_prefix', {'base': root, 'platbase': root}
        )

    def run_check(self, body, installed='20.0.3', **kwargs):
        path = self.environment()
        os.makedirs(os.path.join(path, 'manila', 'cmd'))
        for name, text in (
            ('__init__.py', ''),
            ('cmd/__init__.py', ''),
            ('cmd/status.py', PROGRAM.format(body=body)),
        ):
            with open(os.path.join(path, 'manila', name), 'w') as stream:
                stream.write(text)
        self.site = self.useFixture(
            testing.Site(installed=installed, **kwargs)
        )
        return self.site.run('manila-status')

    def result(self, outcome, *findings, reason=''):
        return model.CheckResult(
            id='manila-status',
            title='Checks of manila-status',
            outcome=outcome,
            reason=reason,
            findings=findings,
        )

    def finding(self, severity, name, message):
        return model.Finding(
            severity,
            model.Subject('check', name),
            message,
            (model.command('manila-status upgrade check'),),
            check_id='manila-status',
            data={'manila': '20.0.3'},
        )

    @ddt.data('plan', 'stopped', 'upgraded')
    def test_what_its_checks_say_is_passed_on(self, stage):
        self.assertEqual(
            self.result(
                model.Outcome.FOUND,
                self.finding(
                    model.Severity.FAILURE, 'Policy File', 'it is JSON'
                ),
                self.finding(
                    model.Severity.WARNING, 'Acme', 'Acme: no reason given'
                ),
            ),
            self.run_check(ANSWERS, stage=stage),
        )

    def test_all_is_well(self):
        self.assertEqual(
            self.result(model.Outcome.PASSED),
            self.run_check('print(json.dumps({"checks": []}))'),
        )

    def test_not_installed(self):
        self.assertEqual(
            self.result(
                model.Outcome.NOT_APPLICABLE,
                reason='manila is not installed in this environment',
            ),
            self.run_check('sys.exit(9)', installed=None),
        )

    @ddt.data(
        (
            'raise LookupError("mysql://u:geheim@h/ is down")',
            'manila-status ended with 1 and printed no result: LookupError: '
            'mysql://u:***@h/ is down',
        ),
        (
            'print("[]"); print("{}"); sys.exit(255)',
            'manila-status ended with 255 and printed no result',
        ),
        (
            'time.sleep(60)',
            'manila-status did not finish within 1.8 seconds',
        ),
    )
    @ddt.unpack
    def test_no_answer(self, body, reason):
        options = {'check_timeout_seconds': 2} if 'sleep' in body else {}
        result = self.run_check(body, options=options)
        self.assertEqual(
            self.result(model.Outcome.ERROR, reason=reason), result
        )

    def test_a_manila_of_the_caller_was_run(self):
        """Anybody can put one into /tmp, and wait for root to run it there."""
        path = self.environment()
        planted = self.useFixture(fixtures.TempDir()).path
        mark = os.path.join(planted, 'mark')
        os.makedirs(os.path.join(planted, 'manila', 'cmd'))
        for name in ('__init__.py', 'cmd/__init__.py', 'cmd/status.py'):
            with open(os.path.join(planted, 'manila', name), 'w') as stream:
                stream.write(f'open({mark!r}, "w")\n')
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(planted)
        for name in ('PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP'):
            self.useFixture(fixtures.EnvironmentVariable(name, planted))
        result = testing.Site(installed='20.0.3')
        result = self.useFixture(result).run('manila-status')
        self.assertEqual(
            self.result(
                model.Outcome.ERROR,
                reason=f'manila-status was not run: {sys.executable} finds '
                'manila through PYTHONPATH, the working directory or user '
                'packages, which are not used to run it',
            ),
            result,
        )
        self.assertFalse(os.path.exists(mark))
        self.assertEqual([], os.listdir(path))

    def test_it_gets_the_files_and_is_told_that_we_run_it(self):
        result = self.run_check(
            'print(json.dumps({"checks": [{"check": "words", "result": 1, '
            '"details": " ".join([*sys.argv[1:], '
            'os.environ["MANILA_PRECHECK_IN_MANILA_STATUS"]])}]}))'
        )
        self.assertEqual(
            self.result(
                model.Outcome.FOUND,
                self.finding(
                    model.Severity.WARNING,
                    'words',
                    f'--config-file {self.site.file("manila.conf")} '
                    'upgrade check --json 1',
                ),
            ),
            result,
        )
