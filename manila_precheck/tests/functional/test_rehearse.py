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
"""upgrade rehearse with a manila that does what a test says."""

import contextlib
import glob
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import ddt
import fixtures
from testtools import content

from manila_precheck import exceptions
from manila_precheck.cmd import precheck
from manila_precheck.evidence import rehearsal_report
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.tests import databases
from manila_precheck.tests import fake_target
from manila_precheck.tests import server_programs

COMMAND = (
    sys.executable,
    '-c',
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())',
)
PATIENCE = 120.0

_DUMP = {
    'mysql': ('mariadb-dump', '--single-transaction'),
    'postgresql': ('pg_dump', f'--username={databases.USER}'),
}


class _Rehearsal(databases.DatabaseTest):
    #: The URL of a database that takes the copy; '' for a server of the run.
    scratch = ''

    def setUp(self):
        super().setUp()
        try:
            private_server.require_installed(self.server)
        except exceptions.SourceUnusable as exc:
            self.skipTest(str(exc))
        self.folder = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.folder, 0o711)
        self.target = self.useFixture(fake_target.FakeTarget())
        self.made = self.database('2025.1')
        self.made.insert('shares', {'id': 'one'}, {'id': "two's; (3)"})
        self.backup = os.path.join(self.folder, 'backup.sql')
        self.dump()

    def dump(self):
        name, *words = _DUMP[self.server]
        tool = server_programs.program(name)
        if tool is None:
            self.skipTest(f'no {name} on this host')
        if self.server == 'mysql':
            words += [
                f'--user={databases.USER}',
                f'--password={databases.USER}',
            ]
        with open(self.backup, 'wb') as stream:
            subprocess.run(
                [tool, f'--host={databases.HOST}', *words, self.made.name],
                check=True,
                stdout=stream,
                env={'PGPASSWORD': databases.USER},
            )

    def edit(self, pattern, text):
        """Change the backup."""
        with open(self.backup, encoding='utf-8') as stream:
            found, number = re.subn(pattern, text, stream.read())
        self.assertTrue(number)
        with open(self.backup, 'w', encoding='utf-8') as stream:
            stream.write(found)

    def words(self, *more):
        conf = os.path.join(self.folder, 'manila.conf')
        with open(conf, 'w', encoding='utf-8') as stream:
            stream.write(
                '[DEFAULT]\nlog_file = /nowhere/manila.log\n'
                f'[database]\nconnection = {self.made.url}\n'
                f'slave_connection = {self.made.url}\n'
            )
        return [
            *COMMAND,
            '--config-file',
            conf,
            'upgrade',
            'rehearse',
            f'--backup={self.backup}' if self.backup else '--from-database',
            f'--target-python={self.target.python}',
            '--format=json',
            '--database-only',
            *more,
        ]

    def environment(self, **more):
        return {
            **os.environ,
            'TMPDIR': self.folder,
            'OS_DATABASE__CONNECTION': 'mysql+pymysql://a:b@192.0.2.1/c',
            'PYTHONSTARTUP': '/nowhere',
            **(
                {'OS_MANILA_PRECHECK__REHEARSE_SERVER_URL': self.scratch}
                if self.scratch
                else {}
            ),
            **more,
        }

    def rehearse(self, *more):
        """Return (exit code, report); the copy is gone."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.ExitStack() as stack:
            for name, value in self.environment().items():
                if os.environ.get(name) != value:
                    stack.enter_context(
                        fixtures.EnvironmentVariable(name, value)
                    )
            stack.enter_context(fixtures.MonkeyPatch('sys.stdout', stdout))
            stack.enter_context(fixtures.MonkeyPatch('sys.stderr', stderr))
            code = precheck.main(self.words(*more)[len(COMMAND) :])
        self.said = stderr.getvalue()
        self.addDetail('stderr', content.text_content(self.said))
        self.assertNotIn('Traceback', self.said)
        self.assertEqual([], self.left())
        if code == 255:
            return 255, None
        return code, json.loads(stdout.getvalue())

    def left(self):
        return glob.glob(f'{self.folder}/manila-precheck-*')

    def failure(self, *steps, more=()):
        """Return the one failure of a db sync that does something."""
        self.target.does(*steps)
        code, report = self.rehearse(*more)
        ((check_id, found),) = [
            (one['id'], finding)
            for one in report['checks']
            for finding in one['findings']
            if finding['severity'] == 'failure'
        ]
        self.assertEqual((2, 'rehearse-sync'), (code, check_id))
        return found


class _Scenarios(_Rehearsal):
    def test_it_runs_through(self):
        self.target.does(
            ('sql', 'ALTER TABLE shares ADD COLUMN rehearsed INTEGER'),
            ('sql', 'UPDATE shares SET rehearsed = 1'),
        )
        code, report = self.rehearse()
        self.assertEqual(
            (0, 'REHEARSED', True),
            (code, report['verdict'], report['rehearsal']['proven']),
        )
        self.assertEqual(
            [('rehearse-backup', 'passed'), ('rehearse-sync', 'passed')],
            [
                (one['id'], one['outcome'])
                for one in report['checks']
                if one['id'].startswith('rehearse-')
            ],
        )
        (sync,) = [
            phase
            for phase in report['rehearsal']['phases']
            if phase['phase'] == 'sync'
        ]
        self.assertEqual(
            {
                ('ALTER TABLE shares ADD COLUMN rehearsed INTEGER', 2),
                ('UPDATE shares SET rehearsed = 1', 2),
            },
            {
                (one['statement'], one['rows'])
                for one in sync['statements']
                if one['table'] == 'shares'
            },
        )
        self.assertFalse(
            self.connect(self.made).has_column('shares', 'rehearsed')
        )

    def test_of_the_database_itself(self):
        self.backup = None
        code, report = self.rehearse()
        self.assertEqual((0, 'REHEARSED'), (code, report['verdict']))
        self.assertEqual(2, report['rehearsal']['rows'] - self.made_rows())

    def made_rows(self):
        """Return how many rows there are beside those of shares."""
        db = self.connect(self.made)
        return sum(
            db.row(f'SELECT COUNT(*) FROM {db.quoted(table)}')[0]
            for table in db.shape
            if table != 'shares'
        )

    def test_a_scratch_database(self):
        scratch = self.database()
        self.scratch = scratch.url
        self.target.does(
            ('sql', 'ALTER TABLE shares ADD COLUMN rehearsed INTEGER'),
        )
        code, report = self.rehearse()
        self.assertEqual((0, 'scratch'), (code, report['rehearsal']['place']))
        self.assertEqual({}, self.connect(scratch).shape)

    def test_a_scratch_database_after_a_failure(self):
        scratch = self.database()
        self.scratch = scratch.url
        self.failure(('raise', 'no'))
        self.assertEqual({}, self.connect(scratch).shape)

    def test_a_scratch_database_that_is_not_empty(self):
        other = self.database('2025.1')
        before = self.connect(other).shape
        for url, said in (
            (other.url, 'is not empty (--server-url)'),
            (self.made.url, '--server-url is the database of [database]'),
        ):
            self.scratch = url
            self.assertEqual((255, None), self.rehearse())
            self.assertIn(said, self.said)
        self.assertEqual(before, self.connect(other).shape)
        self.assertEqual(before, self.connect(self.made).shape)

    def test_a_failure_is_not_foretold(self):
        found = self.failure(('sql', 'ALTER TABLE no_table ADD COLUMN x INT'))
        self.assertEqual(
            ('rehearse-sync[db-sync]', None, 'no_table'),
            (
                found['key'],
                found['data']['foretold'],
                found['data']['table'],
            ),
        )
        self.assertIn(
            '"manila-manage db sync" stops, at table no_table:',
            found['message'],
        )
        self.assertTrue(found['message'].endswith('(was not foretold)'))

    def test_production_cannot_be_reached(self):
        found = self.failure(('elsewhere', self.made.url))
        self.assertIn(
            'a session on another database than the copy was refused',
            found['message'],
        )


class MySQLRehearsalTest(_Scenarios):
    server = 'mysql'


class PostgreSQLRehearsalTest(_Scenarios):
    server = 'postgresql'


@ddt.ddt
class ProcessTest(_Rehearsal):
    """What the process of the target gets, and how it ends."""

    server = 'mysql'

    def test_nothing_of_the_environment_is_passed_on(self):
        found = self.failure(('environment', ''))
        names = found['message'].partition('RuntimeError: ')[2].split()
        self.assertEqual(
            ['HOME', 'LANG', 'LC_ALL', 'PATH', 'TMPDIR'], names[:5]
        )
        self.assertEqual(['(was', 'not', 'foretold)'], names[5:])

    def test_no_secret_of_its_words_is_shown(self):
        found = self.failure(('raise', 'cannot use x://manila:S3cret@db1/m'))
        self.assertNotIn('S3cret', json.dumps(found))

    def test_it_exits_with_words(self):
        found = self.failure(('exit', 'no such option'))
        self.assertIn('SystemExit: no such option', found['message'])

    def test_it_prints_without_end(self):
        self.target.does(('print', 'x' * 100))
        self.assertEqual(0, self.rehearse()[0])

    def test_it_takes_too_long(self):
        found = self.failure(('sleep', '600'), more=['--seconds=2'])
        self.assertEqual('rehearse-sync[db-sync#time]', found['key'])

    def test_it_has_no_network(self):
        if os.geteuid():
            self.skipTest('not every kernel lets an account leave it')
        found = self.failure(('network', '3306'))
        self.assertIn('Network is unreachable', found['message'])

    @ddt.data(signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
    def test_the_copy_goes_with_the_command(self, number):
        self.target.does(('sleep', '600'))
        process = self.started()
        os.kill(process.pid, number)
        process.communicate(timeout=PATIENCE)
        self.wait(lambda: not self.left() and not self.processes())

    def test_what_is_left_of_everything_killed_goes_with_the_next_start(self):
        self.target.does(('sleep', '600'))
        process = self.started()
        for pid in [process.pid, *self.processes()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate(timeout=PATIENCE)
        self.wait(lambda: not self.processes())
        self.assertNotEqual([], self.left())
        for path in self.left():
            os.utime(path, (0, 0))
        self.target.does()
        # Which looks that nothing is left.
        self.assertEqual(0, self.rehearse()[0])

    def started(self):
        """Start a rehearsal, and wait until its db sync runs."""
        process = subprocess.Popen(
            self.words(),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait(
            lambda: any(
                self.target.python in words and 'rehearsal.zip' in words
                for words in self.processes().values()
            )
        )
        return process

    def processes(self):
        """Return {pid: its words} of all that a rehearsal has started."""
        found = {}
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            try:
                with open(path, 'rb') as stream:
                    words = stream.read().decode('utf-8', 'replace')
            except OSError:
                continue
            pid = int(path.split('/')[2])
            if self.folder in words and pid != os.getpid():
                found[pid] = words
            elif self.target.python in words:
                found[pid] = words
        return found

    def wait(self, true):
        ends = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > ends:
                self.fail(f'left: {self.left()} {self.processes()}')
            time.sleep(0.1)


class BackupTest(_Rehearsal):
    """What is no proof."""

    server = 'mysql'

    def outcome(self, code, report):
        return code, {
            one['id']: [finding['key'] for finding in one['findings']]
            for one in report['checks']
            if one['id'].startswith('rehearse-')
        }

    def test_of_another_revision(self):
        self.made.execute("UPDATE alembic_version SET version_num = 'other'")
        self.assertEqual(
            (
                2,
                {
                    'rehearse-backup': ['rehearse-backup[revision]'],
                    'rehearse-sync': [],
                },
            ),
            self.outcome(*self.rehearse()),
        )

    def test_the_database_is_not_looked_at(self):
        self.made.execute("UPDATE alembic_version SET version_num = 'other'")
        code, report = self.rehearse('--no-database')
        self.assertEqual(0, code)
        self.assertIsNone(report['rehearsal']['live_revision'])

    def test_rows_that_refer_to_none(self):
        self.made.execute(
            'SET foreign_key_checks = 0',
        )
        self.made.insert('share_instances', {'id': 'i', 'share_id': 'gone'})
        self.dump()
        code, found = self.outcome(*self.rehearse())
        self.assertEqual(1, code)
        ((key,)) = found['rehearse-backup']
        self.assertTrue(key.startswith('rehearse-backup[share_instances#'))

    def test_a_foreign_key_to_no_table(self):
        self.made.execute(
            'SET foreign_key_checks = 0', 'DROP TABLE share_servers'
        )
        self.dump()
        code, report = self.rehearse()
        found = {
            finding['message']
            for one in report['checks']
            for finding in one['findings']
            if finding['severity'] == 'warning'
        }
        self.assertEqual(1, code)
        self.assertIn(
            'foreign key si_share_server_fk does not hold: there is no table '
            'share_servers',
            found,
        )
        # The upgrade is rehearsed nevertheless; this target needs no table.
        self.assertIn(
            'rehearsed: pending-migrations[e975ea83b712#without-share_servers]'
            ' did not happen',
            ' '.join(
                finding['message']
                for one in report['checks']
                for finding in one['findings']
                if one['id'] == 'rehearse-sync'
            ),
        )

    def test_a_row_that_the_server_leaves_out(self):
        # Of two with one key, which IGNORE takes as one.
        self.edit(
            '(-- Dump completed)',
            r"INSERT IGNORE INTO `shares` (`id`) VALUES ('one'),('x(');\n\1",
        )
        code, found = self.outcome(*self.rehearse())
        self.assertEqual(2, code)
        self.assertEqual(
            ['rehearse-backup[shares#rows]'], found['rehearse-backup']
        )

    def test_what_no_tool_writes_tells_nothing_of_the_backup(self):
        self.edit('(-- Dump completed)', r'DO SLEEP(1);\n\1')
        self.assertEqual((255, None), self.rehearse())
        self.assertIn("is nothing that mysqldump writes: 'DO SLEEP", self.said)

    def test_what_this_server_lacks_tells_nothing_of_the_backup(self):
        self.edit('ENGINE=InnoDB', 'ENGINE=ndbcluster')
        self.assertEqual((255, None), self.rehearse())
        self.assertIn("Unknown storage engine 'ndbcluster'", self.said)


class _NotRestored(_Rehearsal):
    """A backup that cannot be restored is what a rehearsal has to say."""

    end = ''
    #: What drops share_instances.
    drop: tuple[str, ...] = ()
    #: A pattern and the text that give the backup a row twice.
    twice = ('', '')
    #: The statement that the server rejects for it, and its words.
    rejected = ''
    why_rejected = ''

    def refused(self, *more):
        """Return (its failure, report), of a rehearsal that has no copy."""
        code, report = self.rehearse(*more)
        ours = {
            one['id']: one
            for one in report['checks']
            if one['id'].startswith('rehearse-')
        }
        self.assertEqual(
            (2, 'REHEARSAL FAILED', ['rehearse-backup', 'rehearse-sync']),
            (code, report['verdict'], sorted(ours)),
        )
        self.assertEqual(
            ('not_applicable', 'rehearse-backup did not succeed'),
            (
                ours['rehearse-sync']['outcome'],
                ours['rehearse-sync']['reason'],
            ),
        )
        self.assertEqual(
            (False, 0, []),
            tuple(
                report['rehearsal'][name]
                for name in ('proven', 'rows', 'phases')
            ),
        )
        with open(self.backup, 'rb') as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        self.assertEqual(digest, report['database']['dump']['sha256'])
        (found,) = ours['rehearse-backup']['findings']
        return (
            (
                found['severity'],
                found['key'],
                found['message'].replace(self.backup, 'FILE'),
                [one['text'] for one in found['remediation']],
            ),
            report,
        )

    def failure(self, why, *more):
        """Return what is found then."""
        return (
            'failure',
            'rehearse-backup[restore]',
            f'the backup FILE cannot be restored: {why}',
            ['Make a new backup, and rehearse with that one.', *more],
        )

    def test_it_is_cut_off(self):
        os.truncate(self.backup, os.stat(self.backup).st_size - 100)
        found, report = self.refused()
        self.assertEqual(
            self.failure(f'it has no "{self.end}" at its end'), found
        )
        self.assertEqual('', report['rehearsal']['server'])

    def test_a_table_is_missing(self):
        self.made.execute(*self.drop)
        self.dump()
        found, _ = self.refused()
        self.assertEqual(
            self.failure(
                'it does not have both shares and share_instances: it is not '
                "of manila's database"
            ),
            found,
        )

    def test_the_server_rejects_a_row(self):
        self.edit(*self.twice)
        scratch = self.database()
        for url in ('', scratch.url):
            self.scratch = url
            found, report = self.refused()
            with open(self.backup, encoding='utf-8') as stream:
                line = 1 + stream.read().split('\n').index(self.rejected)
            self.assertEqual(
                self.failure(
                    f'{report["rehearsal"]["server"]} rejects line {line}: '
                    f'{self.why_rejected}',
                    'If the server of the database is of another kind or '
                    'version, name an empty database on one like it with '
                    '--server-url.',
                ),
                found,
            )
            self.assertEqual(
                (self.server, '2025.1', 'database'),
                (
                    report['database']['dialect'],
                    report['source_release'],
                    report['source_origin'],
                ),
            )
        self.assertEqual({}, self.connect(scratch).shape)

    def test_the_report_is_no_proof(self):
        self.edit(*self.twice)
        _, report = self.refused('--no-database')
        path = os.path.join(self.folder, 'report.json')
        with open(path, 'w', encoding='utf-8') as stream:
            json.dump(report, stream)
        found = rehearsal_report.read(path)
        self.assertFalse(found.proven)
        self.assertEqual(1, len(found.problems))
        self.assertEqual('2025.1', found.source)


class MySQLNotRestoredTest(_NotRestored):
    server = 'mysql'
    end = '-- Dump completed'
    drop = ('SET foreign_key_checks = 0', 'DROP TABLE share_instances')
    rejected = "INSERT INTO `shares` (`id`) VALUES ('one');"
    twice = ('(-- Dump completed)', rf'{rejected}\n\1')
    why_rejected = "Duplicate entry 'one' for key 'PRIMARY'"


class PostgreSQLNotRestoredTest(_NotRestored):
    server = 'postgresql'
    end = '-- PostgreSQL database dump complete'
    drop = ('DROP TABLE share_instances CASCADE',)
    rejected = 'ALTER TABLE ONLY public.shares'
    twice = (r'(COPY public\.shares .*\n)(.*\n)', r'\1\2\2')
    why_rejected = (
        'could not create unique index "shares_pkey". Key (id)=(one) is '
        'duplicated.'
    )


del _NotRestored, _Scenarios, _Rehearsal
