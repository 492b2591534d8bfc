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

"""Base class of the tests of contrib/."""

import os
import pathlib
import shutil
import subprocess
import sys

import fixtures
import testtools
import yaml

ROOT = pathlib.Path(__file__).parents[2]
CONTRIB = ROOT / 'contrib'

#: The directory that qa.contrib.fetch has filled; None when it is not set.
FETCHED = os.environ.get('MANILA_PRECHECK_CONTRIB')

#: The command, as an installed script would be.
COMMAND = f'''#!{sys.executable}
import sys
from manila_precheck.cmd import precheck
sys.exit(precheck.main())
'''

GOOD = '[DEFAULT]\nenabled_share_protocols = NFS\n'
#: An option that 2026.1 no longer reads.
WARN = '[oslo_policy]\nenforce_scope = false\n'
BAD = '[DEFAULT]\nenabled_share_protocols = NOSUCH\n'

#: (exit code of the command, whether the upgrade continues), including a
#: missing command (127).
CODES = [(0, True), (1, True), (2, False), (255, False), (127, False)]


class Case(testtools.TestCase):
    """Has a directory, a PATH with the command, and the programs needed.

    The releases and the only check that the command runs come from the
    environment, so that a run is short and its outcome is known. "tox -e
    contrib" sets MANILA_PRECHECK_CONTRIB, and installs every program except
    Puppet; a missing program is an error.
    """

    #: The programs without which the tests of the class cannot run.
    NEEDS: tuple = ()

    def setUp(self):
        super().setUp()
        if FETCHED is None:
            self.skipTest('only "tox -e contrib" runs it')
        self.assertEqual(
            [], [name for name in self.NEEDS if not shutil.which(name)]
        )
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.bin = self.path / 'bin'
        self.bin.mkdir()
        self.command = self.program('manila-precheck', COMMAND)
        self.environment = {
            **os.environ,
            'HOME': str(self.path),
            'PATH': f'{self.bin}{os.pathsep}{os.environ["PATH"]}',
            'OS_MANILA_PRECHECK__SOURCE_RELEASE': '2025.1',
            'OS_MANILA_PRECHECK__TARGET_RELEASE': '2026.1',
            'OS_MANILA_PRECHECK__CHECK': 'config-options',
        }

    def fetched(self, name):
        """Return the path of a file that qa.contrib.fetch has downloaded."""
        return pathlib.Path(FETCHED or '', name)

    def program(self, name, text):
        """Write a program to the PATH; return its path."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def ends_with(self, code):
        """Replace the command by a program that only exits with a code."""
        self.program(
            'manila-precheck', f'#!/bin/sh\necho was run\nexit {code}\n'
        )

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_words(self, *words, cwd=None, **environment):
        """Run a command; return the finished process with its output."""
        return subprocess.run(
            [str(word) for word in words],
            env={**self.environment, **environment},
            cwd=cwd or self.path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def succeeds(self, *words, **kwargs):
        """Run a command that has to exit with 0; return its output."""
        done = self.run_words(*words, **kwargs)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def validate(self, schema, path, *words):
        """Validate a file with a schema that check-jsonschema ships."""
        self.succeeds(
            'check-jsonschema', '--builtin-schema', schema, *words, path
        )


def documents(path):
    """Return the documents of a file in YAML."""
    return list(yaml.safe_load_all(path.read_text()))
