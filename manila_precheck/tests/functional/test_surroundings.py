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

"""The same site gives the same report, wherever the command runs.

The command runs in a process of its own: in other locales and time zones, on
a host whose clock is wrong, as an account that may write nothing, on a file
system that nobody can write to, without a home, without a terminal.
"""

import datetime
import json
import os
import shutil
import subprocess
import sys
import textwrap
import unicodedata

import fixtures

from manila_precheck.tests import databases

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

_CONF = """\
[DEFAULT]
enabled_share_backends = größe
auth_strategy = keystone_nolimit
[größe]
driver_handles_share_servers = False
share_driver = manila.share.drivers.lvm.LVMShareDriver
share_backend_name = größe
[database]
connection = {url}
# Another API of manila may come and go on this machine meanwhile.
[manila_precheck_upgrade_advisories]
api_server = application
"""

_POLICY = '"share:create": "role:prüfer"\n'

# Loaded by Python before anything else, when its directory is on the path.
_CLOCK = """
    import datetime
    import os
    import time

    _OFF = float(os.environ['CLOCK_OFF_SECONDS'])
    _time = time.time
    time.time = lambda: _time() + _OFF


    class _Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(_time() + _OFF, tz)

        @classmethod
        def utcnow(cls):
            return cls.now(datetime.timezone.utc).replace(tzinfo=None)


    datetime.datetime = _Wrong
"""

_HOURS = 3600


class Scenarios(databases.Scenarios):
    """Run the command in surroundings, and compare with a plain run."""

    def setUp(self):
        super().setUp()
        self.made = self.database('2025.1')
        now = self.made.now()
        self.made.insert(
            'availability_zones', {'id': 'zone-1', 'name': 'nova'}
        )
        self.made.insert(
            'services',
            {
                'host': 'rechner-ü@größe',
                'binary': 'manila-share',
                'topic': 'manila-share',
                'availability_zone_id': 'zone-1',
                'state': 'up',
                'updated_at': now,
                'created_at': now,
            },
        )
        self.made.insert(
            'shares',
            {'id': 'a' * 36, 'display_name': 'größe', 'deleted': 'False'},
            {
                'id': 'b' * 36,
                'deleted': 'b' * 36,
                'deleted_at': now - datetime.timedelta(days=50),
            },
        )
        self.made.insert(
            'share_instances',
            {
                'id': 'c' * 36,
                'share_id': 'a' * 36,
                'host': 'rechner-ü@größe#pool',
                'status': 'extending',
            },
        )
        self.path = self.useFixture(fixtures.TempDir()).path
        # Other accounts come here too.
        os.chmod(self.path, 0o755)
        self.write('manila.conf', _CONF.format(url=self.made.url))
        self.write('policy.yaml', _POLICY)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('OS_MANILA', 'LC_', 'PYTHON'))
            and name not in ('LANG', 'LANGUAGE', 'TZ', 'COLUMNS')
        }

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(textwrap.dedent(text))
        return path

    def started(self, *words, before=(), without=(), **environment):
        """Run the command in a process of its own.

        :param before: what starts Python.
        :param without: variables that are not there.
        """
        everything = {**self.environment, **environment}
        for name in without:
            everything.pop(name, None)
        return subprocess.run(
            [
                *before,
                sys.executable,
                '-B',
                '-c',
                _RUN,
                '--config-file',
                os.path.join(self.path, 'manila.conf'),
                'upgrade',
                'check',
                '--target-release',
                '2026.1',
                *words,
            ],
            env=everything,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
        )

    def run_command(self, *words, **surroundings):
        """Return what the command prints, as bytes."""
        done = self.started(*words, **surroundings)
        self.assertNotIn(b'Traceback', done.stdout + done.stderr)
        self.assertEqual(2, done.returncode, done.stderr)
        return done.stdout

    def report(self, **kwargs):
        """Return the report, as the object that its JSON is."""
        return json.loads(
            self.run_command('--format', 'json', '--reproducible', **kwargs)
        )

    def test_time_zones_and_clocks_change_nothing(self):
        clock = os.path.dirname(self.write('clock/sitecustomize.py', _CLOCK))
        # The report names what PYTHONPATH has, so it is there each time.
        right = {'PYTHONPATH': clock, 'CLOCK_OFF_SECONDS': '0'}
        plain = self.report(**right)
        for surroundings in (
            {'TZ': 'Asia/Kolkata'},
            {'TZ': 'America/St_Johns'},
            {'TZ': 'Nowhere/Else'},
            {'CLOCK_OFF_SECONDS': str(-5 * _HOURS)},
            {'CLOCK_OFF_SECONDS': str(5 * _HOURS)},
        ):
            self.assertEqual(
                (surroundings, plain),
                (surroundings, self.report(**{**right, **surroundings})),
            )


class SurroundingsTest(Scenarios, databases.SQLiteTest):
    def test_the_environment_changes_nothing(self):
        plain = self.report()
        for surroundings in (
            {'LC_ALL': 'C', 'PYTHONCOERCECLOCALE': '0'},
            {'LC_ALL': 'C.UTF-8'},
            {'HOME': '/nonexistent'},
            {'without': ('HOME',)},
            {'TERM': 'dumb', 'NO_COLOR': '1'},
        ):
            self.assertEqual(
                (surroundings, plain),
                (surroundings, self.report(**surroundings)),
            )

    def test_a_locale_that_cannot_read_the_file(self):
        # Nor can manila: oslo.config reads in the encoding of the locale.
        done = self.started(
            LC_ALL='C', PYTHONCOERCECLOCALE='0', PYTHONUTF8='0'
        )
        self.assertEqual(
            (
                255,
                b'',
                b'manila-precheck: error: a configuration file has characters '
                b'that ascii, the encoding of this locale, cannot represent; '
                b'set LC_ALL=C.UTF-8 to read it\n',
            ),
            (done.returncode, done.stdout, done.stderr),
        )

    def test_a_locale_that_cannot_show_a_name(self):
        # What is read is written in the encoding of the locale where it can
        # be, and shown by its number where it cannot.
        self.write(
            'manila.conf',
            _CONF.format(url=self.made.url).replace('größe', 'size'),
        )
        shown = self.run_command(
            LC_ALL='C', PYTHONCOERCECLOCALE='0', PYTHONUTF8='0'
        )
        self.assertIn(b'keystone_nolimit', shown)

    def test_forty_columns(self):
        shown = self.run_command('--format', 'table', COLUMNS='40')
        wide = [
            line
            for line in shown.decode().splitlines()
            if sum(map(_cells, line)) > 40 and ' ' in line.strip()
        ]
        # What is to be typed or written stays in one line.
        self.assertEqual(
            [],
            [line for line in wide if line.startswith('    ' * 2)],
        )

    def test_an_account_that_may_write_nothing(self):
        # It may read what the tests are made of, wherever that is.
        capability = '-all,+dac_read_search'
        before = [
            'setpriv',
            '--reuid=65534',
            '--regid=65534',
            '--clear-groups',
            f'--inh-caps={capability}',
            f'--ambient-caps={capability}',
            f'--bounding-set={capability}',
        ]
        self.need_root(before)
        # It says what the account that runs it may write.
        skip = {'OS_MANILA_PRECHECK__SKIP': 'service-startup'}
        self.assertEqual(
            self.report(**skip),
            self.report(before=before, without=('HOME',), **skip),
        )

    def test_a_file_system_that_is_read_only(self):
        before = [
            'unshare',
            '--mount',
            'sh',
            '-c',
            'mount -o remount,bind,ro / && ! touch /x 2> /dev/null '
            '&& exec "$@"',
            'sh',
        ]
        self.need_root(before)
        self.assertEqual(self.report(), self.report(before=before))

    def need_root(self, before):
        """Skip where this account cannot make such surroundings."""
        if shutil.which(before[0]) is None or os.getuid() != 0:
            self.skipTest(f'only root, with {before[0]}')
        done = subprocess.run([*before, 'true'], capture_output=True)
        if done.returncode:
            self.skipTest(f'{before[0]}: {done.stderr.decode()}')


class SurroundingsMySQLTest(Scenarios, databases.MySQLTest):
    pass


class SurroundingsPostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    pass


def _cells(character):
    return 2 if unicodedata.east_asian_width(character) in 'WF' else 1
