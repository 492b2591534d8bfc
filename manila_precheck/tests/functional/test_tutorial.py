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

"""The tutorial can be typed, and the command says what the page shows."""

import os
import re
import subprocess
import sys

import fixtures
import testtools

ROOT = os.path.abspath(
    os.path.join(os.path.dirname(__file__), '..', '..', '..')
)
PAGES = os.path.join(ROOT, 'doc', 'source', 'user')

# What is done already where a test runs.
INSTALL = 'python3 -m venv .venv\n. .venv/bin/activate\npip install .\n'

# What comes before the output of the next block.
MARK = '-- next --'

# A block of commands, or of what the last ones print.
BLOCK = re.compile(
    r'(?:(?P<shown>\.\. code-block:: text)|::)\n\n'
    r'(?P<body>(?:(?: {3,4}[^\n]*)?\n)+)'
)


def blocks(page):
    """Yield the commands of each block, and the lines shown below it.

    :param page: the name of a file of the user guide.
    """
    with open(os.path.join(PAGES, page), encoding='utf-8') as stream:
        text = stream.read()
    commands, shown = '', []
    for match in BLOCK.finditer(text):
        width = 3 if match['shown'] else 4
        body = ''.join(
            f'{line[width:]}\n' for line in match['body'].rstrip().split('\n')
        )
        if match['shown']:
            shown = body.splitlines()
            continue
        if commands:
            yield commands, shown
        commands, shown = body, []
    yield commands, shown


class TutorialTest(testtools.TestCase):
    def test_it_can_be_typed(self):
        site = self.useFixture(fixtures.TempDir()).join('site')
        found = list(blocks('tutorial.rst'))
        self.assertEqual(9, len(found))
        self.assertTrue(found[0][0].startswith(INSTALL), found[0][0])
        script = ''
        for commands, _shown in found:
            commands = commands.replace(INSTALL, '')
            script += f'{commands}\necho "{MARK}"\n'
        done = subprocess.run(
            ['bash', '-c', script.replace('/tmp/site', site)],
            cwd=ROOT,
            env={
                **os.environ,
                'PATH': f'{os.path.dirname(sys.executable)}:/usr/bin:/bin',
                'PYTHONPATH': '',
                'COLUMNS': '80',
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = done.stdout.split(f'{MARK}\n')
        self.assertEqual(len(found) + 1, len(printed), done.stdout)
        for (commands, shown), output in zip(found, printed):
            self.assertNotIn('Traceback', output)
            self.assertNotIn('error:', output)
            lines = output.splitlines()
            for line in shown:
                self.assertIn(line, lines, f'{commands}\n{output}')
        # What the page says of the one before the window.
        self.assertIn('Code 1: ', printed[5])
        with open(os.path.join(site, 'runbook.md')) as stream:
            self.assertIn('manila-manage db sync', stream.read())
