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

"""What bash and zsh make of a line when the tabulator is pressed."""

import os
import pty
import re
import select
import shutil
import sys
import time

import fixtures
import testtools

from manila_precheck.tests import tool_scripts

FILES = tool_scripts.DIRECTORY.parent / 'etc' / 'completion'

# It is shown when the shell has done all before it.
PROMPT = 'ready> '

# A shell ends a word with a space, and asks the terminal for more.
_CONTROL = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\r\x07]')

_SECONDS = 60


class Shell(fixtures.Fixture):
    """A shell at a terminal, whose command is that of this environment."""

    def __init__(self, *words):
        super().__init__()
        self.words = words

    def _setUp(self):
        home = self.useFixture(fixtures.TempDir()).path
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.chdir(home)
            path = f'{os.path.dirname(sys.executable)}:/usr/bin:/bin'
            env = {'PATH': path, 'HOME': home, 'TERM': 'dumb', 'LANG': 'C'}
            os.execvpe(self.words[0], self.words, env)
        self.addCleanup(os.waitpid, self.pid, 0)
        self.addCleanup(os.close, self.terminal)

    def type(self, text, until):
        """Type a text, and return what is shown until it has a pattern."""
        os.write(self.terminal, text.encode())
        shown = ''
        end = time.monotonic() + _SECONDS
        while not re.search(until, shown):
            left = end - time.monotonic()
            if left < 0 or not select.select([self.terminal], [], [], left)[0]:
                raise AssertionError(f'{until!r} is not in {shown!r}')
            shown += os.read(self.terminal, 65536).decode()
            shown = _CONTROL.sub('', shown)
        return shown


class CompletionTest(testtools.TestCase):
    def complete(self, shell, line, expected):
        """Press the tabulator, and drop the line."""
        shell.type(f'{line}\t', re.escape(expected))
        shell.type('\x15\n', re.escape(PROMPT))

    def try_all(self, shell):
        for line, expected in (
            ('manila-precheck upg', 'manila-precheck upgrade '),
            ('manila-precheck upgrade check --format=sa', '--format=sarif '),
            ('manila-precheck upgrade check --report ju', '--report junit:'),
            ('manila-precheck check explain upgrade-p', 'upgrade-path '),
            (
                'manila-precheck report diff --report json:/etc/passw',
                'json:/etc/passwd',
            ),
        ):
            self.complete(shell, line, expected)

    def test_bash(self):
        shell = self.useFixture(Shell('bash', '--norc', '--noprofile', '-i'))
        shell.type(
            f"PS1='{PROMPT[:3]}''{PROMPT[3:]}'; . {FILES}/manila-precheck; "
            "bind 'set show-all-if-ambiguous on'\n",
            PROMPT,
        )
        self.try_all(shell)

    @testtools.skipUnless(bool(shutil.which('zsh')), 'no zsh here')
    def test_zsh(self):
        shell = self.useFixture(Shell('zsh', '-f', '-i'))
        shell.type(
            f"PS1='{PROMPT[:3]}''{PROMPT[3:]}'; fpath=({FILES} $fpath); "
            'autoload -U compinit; compinit -u -D; LISTMAX=9999\n',
            PROMPT,
        )
        self.try_all(shell)
