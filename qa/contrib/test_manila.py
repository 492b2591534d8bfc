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

"""Test the patch for manila on a released manila."""

import pathlib
import re

from manila_precheck.tests import venvs
from qa.contrib import case
from qa.contrib import fetch

PATCH = case.CONTRIB / 'manila/manila-status-entry-points.patch'

#: The functions of grenade and DevStack for upgrade.sh: each writes its name
#: to the file 'calls'.
FUNCTIONS = '''
for name in upgrade_project ensure_services_started; do
    eval "$name() { echo $name >> $CALLS; }"
done
die() { echo "die: $2"; exit 1; }
'''
PLUGIN = '''
for name in install_manila start_manila; do
    eval "$name() { echo $name >> $CALLS; }"
done
'''


class PatchTest(case.Case):
    NEEDS = ('git',)

    def setUp(self):
        super().setUp()
        self.tree = self.path / fetch.MANILA

    def apply(self, *directories):
        """Apply the patch unchanged: without fuzz, with its message.

        :param directories: directories of manila to copy as well, beside those
            that the patch changes.
        """
        changed = ('manila/cmd', 'manila/tests/cmd', 'devstack')
        changed += ('doc/source/cli',)
        self.succeeds(
            'tar',
            '--extract',
            '--no-same-owner',
            f'--file={self.fetched(fetch.MANILA + ".tar.gz")}',
            *(f'{fetch.MANILA}/{name}' for name in (*changed, *directories)),
        )
        self.environment.update(
            {
                f'GIT_{who}_{what}': value
                for who in ('AUTHOR', 'COMMITTER')
                for what, value in (('NAME', 'A'), ('EMAIL', 'a@example.org'))
            }
        )
        for words in (
            ('init', '--quiet'),
            ('add', '--force', *changed),
            ('commit', '--quiet', '--message', 'as released'),
            ('am', '--quiet', PATCH),
        ):
            self.succeeds('git', *words, cwd=self.tree)

    def test_the_patch_as_its_reviewers_get_it(self):
        self.apply()
        shown = self.succeeds('git', 'show', '--format=%B', cwd=self.tree)
        subject, _empty, *body = shown.split('\ndiff ')[0].splitlines()
        self.assertLess(len(subject), 73)
        self.assertEqual([], [line for line in body if len(line) > 72])
        added = re.findall(r'^\+(?!\+\+ )(.*)$', shown, re.MULTILINE)
        self.assertEqual([], [line for line in added if len(line) > 79])
        self.assertEqual([], [line for line in added if line != line.rstrip()])
        names = self.succeeds(
            'git', 'show', '--format=', '--name-only', cwd=self.tree
        )
        self.assertEqual(
            {
                'devstack/upgrade/upgrade.sh',
                'doc/source/cli/manila-status.rst',
                'manila/cmd/status.py',
                'manila/tests/cmd/test_status.py',
                'releasenotes/notes',
            },
            {
                re.sub('/manila-status-entry.*', '', name)
                for name in names.split()
            },
        )

    def test_manilas_own_tests(self):
        """Run manila's tests of manila-status, and those of the patch."""
        python = pathlib.Path(venvs.DIRECTORY, 'm23', 'bin', 'python')
        if not venvs.DIRECTORY or not python.exists():
            self.skipTest(f'no environment of 2026.2: {venvs.NOT_SET}')
        self.apply('manila')
        done = self.run_words(
            python,
            '-W',
            'ignore',
            '-m',
            'unittest',
            'manila.tests.cmd.test_status',
            cwd=self.tree,
            PYTHONPATH=str(self.fetched('libraries')),
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('Ran 9 tests', done.stderr)

    def test_the_upgrade_of_grenade(self):
        """The database is migrated after the check, if that allows it."""
        self.apply()
        for name, text in {
            'grenade/grenaderc': '',
            'grenade/functions': FUNCTIONS,
            'devstack/functions': '',
            'devstack/lib/tls': '',
            'devstack/stackrc': '',
            f'{fetch.MANILA}/devstack/settings': '',
            f'{fetch.MANILA}/devstack/plugin.sh': PLUGIN,
            'etc/manila.conf': case.GOOD,
            'save/etc.manila/manila.conf': case.GOOD,
        }.items():
            self.write(name, text)
        calls = self.path / 'calls'
        self.program('manila-manage', f'#!/bin/sh\necho "$@" >> {calls}\n')
        for code, continues in case.CODES:
            calls.write_text('')
            status = self.program(
                'manila-status',
                f'#!/bin/sh\necho "$@" >> {calls}\nexit {code}\n',
            )
            if code == 127:
                status.unlink()
            done = self.run_words(
                'bash',
                self.tree / 'devstack/upgrade/upgrade.sh',
                BASE_DEVSTACK_BRANCH='stable/2026.1',
                TARGET_DEVSTACK_BRANCH='stable/2026.2',
                CALLS=str(calls),
                GRENADE_DIR=str(self.path / 'grenade'),
                MANILA_BIN_DIR=str(self.bin),
                MANILA_CONF_DIR=str(self.path / 'etc'),
                SAVE_DIR=str(self.path / 'save'),
                TARGET_DEVSTACK_DIR=str(self.path / 'devstack'),
            )
            called = ['install_manila', 'upgrade_project']
            called += ['upgrade check'] if code != 127 else []
            if continues:
                called += ['db sync', 'start_manila']
                called += ['ensure_services_started']
            self.assertEqual(
                (called, continues, continues),
                (
                    calls.read_text().splitlines(),
                    done.returncode == 0,
                    'SUCCESS' in done.stdout,
                ),
                done.stdout + done.stderr,
            )
