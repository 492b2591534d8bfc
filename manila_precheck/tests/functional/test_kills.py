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
"""The server, the connections and the process, killed at any moment.

What must hold whenever it happens: no traceback on standard output; an exit
code of 2 or more for a run that did not finish; each report file whole, the
new one or the one that was there; nothing left open on the server.
"""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any
from typing import ClassVar
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import fixtures
import sqlalchemy as sa
import testtools
from testtools import content

from manila_precheck import releases
from manila_precheck.testing import schema
from manila_precheck.tests import databases
from manila_precheck.tests import private_servers

#: How many kills on each server; 100 on two servers are the whole test.
KILLS = 'MANILA_PRECHECK_KILLS'

#: The seed of when they happen; a new one in each run when it is not set.
SEED = 'MANILA_PRECHECK_KILLS_SEED'

RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

# Enough for some tenths of a second of statements.
ROWS = 30_000

# A run that takes longer hangs.
PATIENCE = 120

KINDS = tuple(os.environ.get('MANILA_PRECHECK_KILLS_KINDS', '').split()) or (
    'server',
    'connections',
    'SIGKILL',
    'SIGTERM',
    'SIGINT',
)

BEFORE = 'as it was before\n'


# Kills are no tests, which a loader would run, before they have a server.
if TYPE_CHECKING:
    _Case = testtools.TestCase
else:
    _Case = object


class _Kills(_Case):
    server_class: ClassVar[Any] = None

    def setUp(self):
        super().setUp()
        if self.server_class.why_not():
            self.skipTest(self.server_class.why_not())
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.server = self.useFixture(self.server_class())
        self.fill()
        with open(f'{self.folder}/manila.conf', 'w') as stream:
            stream.write(f'[database]\nconnection = {self.server.url}\n')
        self.reports = {
            name: f'{self.folder}/report.{name}'
            for name in ('json', 'html', 'junit')
        }

    def fill(self):
        engine = sa.create_engine(self.server.url)
        made = schema.create_schema(engine, releases.parse('2026.1'))
        rows = [
            {
                'id': f'{number:032x}',
                'deleted': f'{number:032x}' if number % 10 else 'False',
                'deleted_at': databases.LONG_AGO if number % 10 else None,
            }
            for number in range(ROWS)
        ]
        with engine.begin() as connection:
            connection.execute(
                made.tables['availability_zones'].insert(),
                [{'id': 'z', 'name': 'nova', 'deleted': 'False'}],
            )
            connection.execute(made.tables['shares'].insert(), rows)
            connection.execute(
                made.tables['share_instances'].insert(),
                [
                    dict(row, share_id=row['id'], cast_rules_to_readonly=False)
                    for row in rows
                ],
            )
        engine.dispose()

    def begin(self):
        """Start a run over all checks that read the database."""
        for path in self.reports.values():
            with open(path, 'w') as stream:
                stream.write(BEFORE)
        words = [sys.executable, '-c', RUN]
        words += ['--config-file', f'{self.folder}/manila.conf']
        words += ['upgrade', 'check', '--target-release', '2026.2']
        for one in (
            'soft-deleted-rows',
            'running-migrations',
            'in-flight-operations',
            'pending-migrations',
            'schema-revision',
        ):
            words += ['--check', one]
        for name, path in self.reports.items():
            words += ['--report', f'{name}:{path}']
        return subprocess.Popen(
            words,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that puts the tests into the background has them
            # ignore it, and what they start too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith('OS_MANILA')
            },
        )

    def ended(self, process):
        """Wait for it to end, and return what it wrote."""
        self.addCleanup(process.kill)
        try:
            return process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.fail('the run did not end')

    def states(self):
        """Return what became of the report files: 'before' or 'new'.

        Each of them has to be whole.
        """
        found = {}
        for name, path in self.reports.items():
            with open(path) as stream:
                text = stream.read()
            found[name] = 'before' if text == BEFORE else 'new'
            if text == BEFORE:
                continue
            if name == 'json':
                json.loads(text)
            elif name == 'junit':
                ElementTree.fromstring(text)
            else:
                self.assertTrue(text.rstrip().endswith('</html>'), text)
        return found

    def finished(self):
        """Say whether there is a report, and each check of it has ended."""
        with open(self.reports['json']) as stream:
            text = stream.read()
        if text == BEFORE:
            return False
        return 'error' not in {
            one['outcome'] for one in json.loads(text)['checks']
        }

    def kill(self, kind, process):
        if kind == 'server':
            self.server.kill()
        elif kind == 'connections':
            # The next ones that there are: a run has none for half its time.
            while not self.server.cut() and process.poll() is None:
                time.sleep(0.01)
        elif process.poll() is None:
            process.send_signal(getattr(signal, kind))

    def require_nothing_open(self, kind):
        ends = time.monotonic() + 20
        while True:
            left = self.server.connections()
            if not left:
                return
            if time.monotonic() > ends:
                self.fail(f'{kind}: connections {left} are open')
            time.sleep(0.1)

    def test_kills(self):
        seed = int(os.environ.get(SEED) or random.randrange(10**6))
        self.addDetail('kills', content.text_content(f'{SEED}={seed}'))
        chance = random.Random(seed)
        started = time.monotonic()
        process = self.begin()
        stdout, stderr = self.ended(process)
        takes = time.monotonic() - started
        # Or an exit code would say nothing of a run that was killed.
        self.assertIn(process.returncode, (0, 1), stdout + stderr)
        self.assertTrue(self.finished())
        seen = collections.Counter()
        for number in range(int(os.environ.get(KILLS) or len(KINDS))):
            kind = KINDS[number % len(KINDS)]
            process = self.begin()
            after = chance.uniform(0, takes)
            time.sleep(after)
            self.kill(kind, process)
            stdout, stderr = self.ended(process)
            code, finished = process.returncode, self.finished()
            words = (
                f'kill {number}: {kind} after {after:.3f} s, code {code}\n'
                f'{stdout}\n{stderr}'
            )
            self.assertNotIn('Traceback', stdout, words)
            # Python says so there when it is interrupted before the first
            # line of ours, or after the last one, and may exit with 1 then.
            began = 'Fatal Python error' not in stderr
            if kind != 'SIGINT':
                self.assertNotIn('Traceback', stderr, words)
            states = self.states()
            if 0 <= code < 2 and began:
                self.assertTrue(finished, words)
                self.assertEqual({'new'}, set(states.values()), words)
            if kind == 'SIGINT' and code == 2:
                # It had begun, and says what it has.
                with open(self.reports['json']) as stream:
                    self.assertIn('this report is incomplete', stream.read())
            if kind in ('server', 'connections'):
                # It has something to say all the same.
                self.assertEqual({'new'}, set(states.values()), words)
                self.assertIn(code, (1, 2), words)
            if kind == 'server':
                self.server.start()
            self.require_nothing_open(words)
            seen[kind, 'finished' if finished else 'not', code] += 1
        self.addDetail(
            'seen',
            content.text_content(
                '\n'.join(f'{one}: {seen[one]}' for one in sorted(seen))
            ),
        )
        if os.environ.get(KILLS):
            for one in sorted(seen):
                print(self.server.kind, *one, seen[one], file=sys.stderr)


class KillsMariaDBTest(_Kills, testtools.TestCase):
    server_class = private_servers.MariaDB


class KillsPostgreSQLTest(_Kills, testtools.TestCase):
    server_class = private_servers.PostgreSQL
