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
"""Files of --report where others may write: by root, and by an account."""

import contextlib
import errno
import hashlib
import json
import os
import select
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from unittest import mock

import ddt
import fixtures
import testtools
from testtools import matchers

from manila_precheck import exceptions
from manila_precheck.cmd import report_file

# Two accounts that need no entry in /etc/passwd.
_ATTACKER, _OPERATOR = 48611, 48612

_NOTHING = report_file.InputFiles()


def _as(uid, call):
    """Return what a call returns, or says, in a process of an account."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            try:
                answer = call()
            except exceptions.OutputError as exc:
                answer = str(exc)
            except OSError as exc:
                answer = exc.strerror
            os.write(write, json.dumps(answer).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, 'rb') as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def _write(path, content=b'report\n', inputs=_NOTHING):
    """Write a report as the command does; return what a refusal says."""
    try:
        report_file.examine(path, inputs)
        report_file.stage(path, content, 'one')
        problems = [problem for _, problem in report_file.publish()]
    except exceptions.OutputError as exc:
        return str(exc)
    finally:
        report_file.discard_unfinished()
    return problems[0] if problems else None


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.path, 0o755)
        self.victim = self.make('victim', 'precious\n', 0o600)

    def make(self, name, text='', mode=0o644, uid=None):
        path = os.path.join(self.path, name)
        with open(path, 'w') as stream:
            stream.write(text)
        if uid is not None:
            os.chown(path, uid, uid)
        # After chown, which takes the bits away.
        os.chmod(path, mode)
        return path

    def directory(self, name, mode, uid=None):
        path = os.path.join(self.path, name)
        os.mkdir(path)
        os.chmod(path, mode)
        if uid is not None:
            os.chown(path, uid, uid)
        return path

    def link(self, target, name, uid=None):
        path = os.path.join(self.path, name)
        os.symlink(target, path)
        if uid is not None:
            os.lchown(path, uid, uid)
        return path

    def untouched(self):
        with open(self.victim) as stream:
            self.assertEqual('precious\n', stream.read())
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.victim).st_mode))

    def content(self, path):
        with open(path) as stream:
            return stream.read()

    def assertReport(self, path, text='report\n'):
        self.assertEqual(text, self.content(path))
        info = os.lstat(path)
        self.assertEqual(stat.S_IFREG | 0o644, info.st_mode)
        self.assertEqual(os.geteuid(), info.st_uid)


@testtools.skipIf(os.geteuid() != 0, 'only root has other accounts')
@ddt.ddt
class RootTest(Case):
    """An attacker has an account, and the report is written by root."""

    def setUp(self):
        super().setUp()
        mask = os.umask(0o022)
        self.addCleanup(os.umask, mask)

    def refusal(self, what, path, uid=_ATTACKER):
        return (
            f'{path} is a {what} of user {uid} in a directory that other '
            'users may write to'
        )

    @ddt.data(('t', 0o1777, None), ('t', 0o777, None), ('t', 0o755, _ATTACKER))
    @ddt.unpack
    def test_a_planted_setuid_file(self, name, mode, uid):
        """The report would be a root shell, which its owner could fill."""
        self.directory(name, mode, uid)
        path = self.make('t/report', 'x', 0o6777, _ATTACKER)
        self.assertEqual(self.refusal('file', path), _write(path))
        self.assertEqual('x', self.content(path))
        self.assertEqual(_ATTACKER, os.stat(path).st_uid)

    @ddt.data(('t', 0o1777, None), ('t', 0o777, None), ('t', 0o755, _ATTACKER))
    @ddt.unpack
    def test_a_planted_link(self, name, mode, uid):
        self.directory(name, mode, uid)
        path = self.link(self.victim, 't/report', _ATTACKER)
        self.assertEqual(self.refusal('symbolic link', path), _write(path))
        self.untouched()

    def test_a_planted_link_to_a_directory(self):
        self.directory('t', 0o1777)
        self.directory('etc', 0o755)
        link = self.link('../etc', 't/reports', _ATTACKER)
        self.assertEqual(
            self.refusal('symbolic link', link), _write(f'{link}/report')
        )
        self.assertEqual([], os.listdir(f'{self.path}/etc'))

    def test_a_link_behind_a_link(self):
        self.directory('t', 0o1777)
        link = self.link(self.victim, 't/second', _ATTACKER)
        first = self.link('t/second', 'first')
        self.assertEqual(self.refusal('symbolic link', link), _write(first))
        self.untouched()

    def test_a_planted_directory(self):
        self.directory('t', 0o1777)
        path = self.directory('t/reports', 0o755, _ATTACKER)
        self.assertEqual(
            self.refusal('directory', path), _write(f'{path}/report')
        )
        self.assertEqual([], os.listdir(path))

    def test_a_planted_pipe(self):
        self.directory('t', 0o1777)
        path = os.path.join(self.path, 't', 'report')
        os.mkfifo(path)
        os.chown(path, _ATTACKER, _ATTACKER)
        self.assertEqual(self.refusal('file', path), _write(path))

    def test_a_hard_link_is_not_written_through(self):
        self.directory('t', 0o1777)
        path = os.path.join(self.path, 't', 'report')
        os.link(self.victim, path)
        self.assertIsNone(_write(path))
        self.untouched()
        self.assertReport(path)

    def test_a_new_file_in_the_home_of_an_account(self):
        self.directory('home', 0o700, _ATTACKER)
        self.directory('home/reports', 0o700, _ATTACKER)
        path = os.path.join(self.path, 'home', 'reports', 'report')
        self.assertIsNone(_write(path))
        self.assertReport(path)
        # And again over our own.
        self.assertIsNone(_write(path, b'second\n'))
        self.assertReport(path, 'second\n')

    def test_links_of_root_where_nobody_else_writes(self):
        target = os.path.join(self.path, 'target')
        link = self.link('target', 'report')
        self.assertIsNone(_write(link))
        self.assertTrue(os.path.islink(link))
        self.assertReport(target)

    def test_a_group_that_may_write(self):
        path = self.directory('t', 0o775)
        os.chown(path, 0, _ATTACKER)
        link = self.link(self.victim, 't/report', _ATTACKER)
        self.assertEqual(self.refusal('symbolic link', link), _write(link))
        self.untouched()

    def test_links_that_are_exchanged_while_the_report_is_written(self):
        """An attacker has the directory, and exchanges what is in it."""
        home = self.directory('home', 0o755, _ATTACKER)
        inside = os.path.join(home, 'inside')
        report = os.path.join(inside, 'report')
        victim, etc = self.victim, self.directory('etc', 0o755)
        child = os.fork()
        if not child:
            try:
                os.setgid(_ATTACKER)
                os.setuid(_ATTACKER)
                os.mkdir(inside)
                os.symlink(etc, os.path.join(home, 'link'))
                while True:
                    _exchange(home, inside, report, victim)
            finally:
                os._exit(0)
        try:
            written = [_write_or_why(report) for _ in range(1500)]
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.untouched()
        self.assertEqual([], os.listdir(etc))
        self.assertIn(None, written)
        self.assertNotEqual({None}, set(written))
        for folder, _, names in os.walk(home):
            for name in names:
                mode = os.lstat(os.path.join(folder, name)).st_mode
                self.assertFalse(mode & (stat.S_ISUID | stat.S_ISGID), name)

    def test_an_account_refuses_the_files_of_another_one(self):
        self.directory('t', 0o1777)
        path = self.make('t/report', 'x', 0o666, _ATTACKER)
        self.assertEqual(
            self.refusal('file', path),
            _as(_OPERATOR, lambda: _write(path)),
        )

    def test_an_account_writes_in_its_own_directory(self):
        home = self.directory('home', 0o775, _OPERATOR)
        path = os.path.join(home, 'report')
        self.link('report', 'home/link', _OPERATOR)
        self.assertIsNone(
            _as(_OPERATOR, lambda: _write(os.path.join(home, 'link')))
        )
        self.assertEqual('report\n', self.content(path))
        self.assertEqual(_OPERATOR, os.stat(path).st_uid)
        self.assertEqual(0o100644, os.stat(path).st_mode)

    def test_an_account_that_may_not_write(self):
        path = os.path.join(self.path, 'report')
        self.assertEqual(
            f'no file can be created in {self.path}',
            _as(_OPERATOR, lambda: _write(path)),
        )

    def mount(self, *words):
        done = subprocess.run(
            ['mount', *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.skipTest(f'mount: {done.stderr.strip()}')
        self.addCleanup(subprocess.run, ['umount', words[-1]], check=True)

    def test_a_file_that_is_mounted(self):
        path = self.make('report', 'old\n')
        self.mount('--bind', self.make('other', 'old\n'), path)
        self.assertEqual(
            'it is a mount point, which no new file can replace', _write(path)
        )
        self.assertEqual('old\n', self.content(path))

    def test_a_file_system_that_is_read_only(self):
        path = self.directory('t', 0o755)
        self.mount('-t', 'tmpfs', '-o', 'ro', 'tmpfs', path)
        self.assertEqual(
            f'no file can be created in {path}', _write(f'{path}/report')
        )

    def test_a_file_system_that_is_full(self):
        path = self.directory('t', 0o755)
        self.mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path)
        self.assertEqual(
            'No space left on device',
            _write_or_why(f'{path}/report', b'x' * 1_000_000),
        )
        self.assertEqual([], os.listdir(path))


def _write_or_why(path, content=b'report\n'):
    try:
        return _write(path, content)
    except OSError as exc:
        return exc.strerror


def _exchange(home, inside, report, victim):
    link, kept = os.path.join(home, 'link'), os.path.join(home, 'kept')
    steps = (
        lambda: os.unlink(report),
        lambda: os.symlink(victim, report),
        lambda: os.unlink(report),
        lambda: os.rename(inside, kept),
        lambda: os.rename(link, inside),
        lambda: os.rename(inside, link),
        lambda: os.rename(kept, inside),
    )
    for step in steps:
        try:
            step()
        except OSError:
            pass
    for name in os.listdir(inside):
        if name.startswith('.manila'):
            try:
                os.unlink(os.path.join(inside, name))
                os.symlink(victim, os.path.join(inside, name))
            except OSError:
                pass


@ddt.ddt
class KindTest(Case):
    """What is no file."""

    def fifo(self):
        path = os.path.join(self.path, 'pipe')
        os.mkfifo(path)
        return path

    def test_a_pipe_without_a_reader(self):
        self.assertEqual('no process reads it', _write(self.fifo()))

    def test_a_pipe_with_a_reader(self):
        path = self.fifo()
        content = b'0123456789' * 100_000
        found = []

        def read():
            with open(path, 'rb') as stream:
                found.append(stream.read())

        reader = threading.Thread(target=read)
        reader.start()
        while _write(path, content) == 'no process reads it':
            select.select([], [], [], 0.01)
        reader.join()
        self.assertEqual([content], found)

    def test_a_pipe_whose_reader_goes(self):
        path = self.fifo()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        threading.Timer(0.2, os.close, [reader]).start()
        self.assertEqual('Broken pipe', _write_or_why(path, b'x' * 1_000_000))

    def test_a_pipe_whose_reader_takes_nothing(self):
        path = self.fifo()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.cmd.report_file._READER_SECONDS', 0.2
            )
        )
        self.assertEqual(
            'nothing is read from it for 0.2 seconds',
            _write(path, b'x' * 1_000_000),
        )

    def test_a_socket(self):
        path = os.path.join(self.path, 'socket')
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path)
            self.assertEqual('it is a socket', _write(path))

    def test_a_pipe_of_the_shell(self):
        """As in --report json:>(gzip >report.gz)."""
        read, write = os.pipe()
        with os.fdopen(read, 'rb') as stream:
            self.assertIsNone(_write(f'/dev/fd/{write}'))
            os.close(write)
            self.assertEqual(b'report\n', stream.read())

    def test_a_descriptor_of_a_file(self):
        with open(self.victim, 'r+') as stream:
            number = stream.fileno()
            self.assertEqual(
                f'it is file descriptor {number}, not a name',
                _write(f'/proc/self/fd/{number}'),
            )
        self.untouched()

    @ddt.data('self/exe', 'self/cwd/x', 'self/root/x', 'self/comm', 'sys/x')
    def test_the_program_that_runs_was_replaced(self, name):
        # Looked at, not written: what /proc/self/exe leads to runs this.
        raised = self.assertRaises(
            exceptions.OutputError,
            report_file.examine,
            f'/proc/{name}',
            _NOTHING,
        )
        self.assertThat(
            str(raised), matchers.MatchesRegex(r'/proc/[\w/]+ is in /proc$')
        )

    def test_a_process_that_was_killed_left_a_file_behind(self):
        child = os.fork()
        if not child:
            try:
                report_file.stage(f'{self.path}/report', b'report\n', 'one')
                os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        self.assertEqual(signal.SIGKILL, os.WTERMSIG(status))
        self.assertEqual(['victim'], os.listdir(self.path))

    def test_a_file_system_without_files_that_have_no_name(self):
        opened = os.open

        def refuse(path, flags, *args, **kwargs):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return opened(path, flags, *args, **kwargs)

        path = os.path.join(self.path, 'report')
        with mock.patch.object(os, 'open', autospec=True, side_effect=refuse):
            self.assertIsNone(_write(path))
        self.assertEqual('report\n', self.content(path))
        self.assertEqual(['report', 'victim'], sorted(os.listdir(self.path)))

    def test_an_input_that_was_found_during_the_run(self):
        self.assertEqual(
            f'it would replace {self.victim}, which is read or named in the '
            'configuration',
            _write(self.victim, inputs=report_file.InputFiles([self.victim])),
        )
        self.untouched()

    def test_links_without_end(self):
        os.symlink('b', os.path.join(self.path, 'a'))
        os.symlink('a', os.path.join(self.path, 'b'))
        self.assertEqual(
            f'{self.path}/a: Too many levels of symbolic links',
            _write_or_why(os.path.join(self.path, 'a')),
        )

    @ddt.data('{0}/..', '{0}/.', '{0}/', '{0}/t/..', '/', '//', '/proc/..')
    def test_a_directory_however_it_is_written(self, path):
        self.directory('t', 0o755)
        self.assertEqual('it is a directory', _write(path.format(self.path)))

    def test_a_file_for_a_directory(self):
        self.assertEqual(
            f'{self.victim}: Not a directory',
            _write_or_why(f'{self.victim}/report'),
        )

    def test_names_as_long_as_they_can_be(self):
        path = os.path.join(self.path, 'x' * 255)
        self.assertIsNone(_write(path))
        self.assertEqual('report\n', self.content(path))
        self.assertEqual('File name too long', _write_or_why(f'{path}x'))

    def test_a_relative_path(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.directory('t', 0o755))
        self.assertIsNone(_write('../t/./report'))
        self.assertEqual(['report'], os.listdir('.'))

    def test_a_link_that_leads_to_no_file_yet(self):
        link = self.link('./later', 'report')
        self.assertIsNone(_write(link))
        self.assertEqual(
            'report\n', self.content(os.path.join(self.path, 'later'))
        )


_COMMAND = 'import sys; from manila_precheck.cmd import precheck; ' + (
    'sys.exit(precheck.main())'
)


@ddt.ddt
class CommandTest(Case):
    """What no report replaces, told before anything runs."""

    def setUp(self):
        super().setUp()
        self.directory('manila', 0o755)
        self.database = os.path.join(self.path, 'manila.sqlite')
        self.config = self.make(
            'manila/manila.conf',
            '[DEFAULT]\napi_paste_config = paste.ini\n'
            f'[database]\nconnection = sqlite:///{self.database}\n'
            f'[oslo_policy]\npolicy_dirs = {self.path}/rules\n'
            f'[keystone_authtoken]\ncafile = {self.path}/ca.pem\n',
        )
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            db.execute('CREATE TABLE t (a)')
            db.commit()
        self.directory('rules', 0o755)
        self.directory('manila/policy.d', 0o755)
        self.directory('manila.conf.d', 0o755)
        for name in (
            'manila/paste.ini',
            'manila/policy.yaml',
            'rules/one.yaml',
            'ca.pem',
            'manila.conf.d/own.conf',
            'backup-1.sql',
        ):
            self.make(name, '# as it was\n')
        self.make('waivers.yaml', 'waivers: []\n')
        self.make('baseline.json', '{}')
        os.link(self.config, os.path.join(self.path, 'hard'))
        os.symlink(self.config, os.path.join(self.path, 'soft'))

    def run_check(self, *words, **kwargs):
        return subprocess.run(
            [
                sys.executable,
                '-c',
                _COMMAND,
                'upgrade',
                'check',
                '--config-file',
                self.config,
                '--config-dir',
                os.path.join(self.path, 'manila.conf.d'),
                '--check',
                'upgrade-path',
                '--source-release',
                '2024.1',
                '--target-release',
                '2025.1',
                *words,
            ],
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                'OS_MANILA_PRECHECK_DATABASE_BACKUP__PATH': (
                    f'{self.path}/backup-*.sql'
                ),
            },
            text=True,
            check=False,
            **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **kwargs},
        )

    def tree(self):
        found = {}
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                with open(path, 'rb') as stream:
                    found[path] = (
                        info.st_ino,
                        info.st_mode,
                        hashlib.sha256(stream.read()).hexdigest(),
                    )
        return found

    @ddt.data(
        ('manila/manila.conf', 'manila/manila.conf'),
        ('manila/../manila/./manila.conf', 'manila/manila.conf'),
        ('hard', 'manila/manila.conf'),
        ('soft', 'manila/manila.conf'),
        ('manila.conf.d/own.conf', 'manila.conf.d/own.conf'),
        ('manila/paste.ini', 'manila/paste.ini'),
        ('manila/policy.yaml', 'manila/policy.yaml'),
        ('manila/policy.json', 'manila/policy.json'),
        ('rules/one.yaml', 'rules/one.yaml'),
        ('ca.pem', 'ca.pem'),
        ('manila.sqlite', 'manila.sqlite'),
        ('manila.sqlite-wal', 'manila.sqlite-wal'),
        ('manila.sqlite-journal', 'manila.sqlite-journal'),
        ('manila.sqlite-shm', 'manila.sqlite-shm'),
        ('backup-1.sql', 'backup-1.sql'),
    )
    @ddt.unpack
    def test_an_input_is_not_replaced(self, name, named):
        before = self.tree()
        done = self.run_check('--report', f'json:{self.path}/{name}')
        self.assertEqual(before, self.tree())
        self.assertEqual(
            (
                255,
                '',
                f"manila-precheck: error: report 'json:{self.path}/{name}': "
                f'it would replace {self.path}/{named}, which is read or '
                'named in the configuration\n',
            ),
            (done.returncode, done.stdout, done.stderr),
        )

    @ddt.data(
        ('rules/two.yaml', 'rules/*'),
        ('manila/policy.d/x', 'manila/policy.d/*'),
        ('manila.conf.d/x.conf', 'manila.conf.d/*.conf'),
        ('backup-2.sql', 'backup-*.sql'),
    )
    @ddt.unpack
    def test_no_report_becomes_an_input(self, name, pattern):
        before = self.tree()
        done = self.run_check('--report', f'json:{self.path}/{name}')
        self.assertEqual(before, self.tree())
        self.assertEqual(
            (
                255,
                '',
                f"manila-precheck: error: report 'json:{self.path}/{name}': "
                'it would be read as one of the files '
                f'{self.path}/{pattern}\n',
            ),
            (done.returncode, done.stdout, done.stderr),
        )

    @ddt.data(
        ('--waivers', 'waivers.yaml', '{0}'),
        ('--baseline', 'baseline.json', '{0}'),
    )
    @ddt.unpack
    def test_what_a_flag_names_is_not_replaced(self, flag, name, path):
        first = os.path.join(self.path, 'baseline.json')
        done = self.run_check(
            '--report', f'json:{first}', '--fail-on', 'failure'
        )
        self.assertEqual(0, done.returncode)
        path = os.path.join(self.path, name)
        before = self.content(path)
        done = self.run_check(flag, path, '--report', f'json:{path}')
        self.assertEqual((255, ''), (done.returncode, done.stdout))
        self.assertIn(f'it would replace {path}, which is read', done.stderr)
        self.assertEqual(before, self.content(path))

    def test_a_merged_report_replaces_none_of_its_own(self):
        one = os.path.join(self.path, 'ctl1.json')
        self.run_check('--report', f'json:{one}')
        before = self.content(one)
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                _COMMAND,
                'report',
                'merge',
                one,
                '--report',
                f'json:{self.path}/./ctl1.json',
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((255, ''), (done.returncode, done.stdout))
        self.assertIn(f'it would replace {one}, which is read', done.stderr)
        self.assertEqual(before, self.content(one))

    @ddt.data('stdout', 'stderr')
    def test_a_stream_that_goes_to_the_same_file(self, stream):
        path = os.path.join(self.path, 'out')
        with open(path, 'w') as opened:
            done = self.run_check(
                '--report', f'json:{path}', **{stream: opened}
            )
        self.assertEqual(255, done.returncode)
        name = {'stdout': 'output', 'stderr': 'error'}[stream]
        self.assertEqual(
            f"manila-precheck: error: report 'json:{path}': standard {name} "
            'goes there\n',
            done.stderr or self.content(path),
        )

    @ddt.data('/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', '/dev/stderr')
    def test_a_stream_by_its_name(self, path):
        done = self.run_check('--report', f'json:{path}')
        self.assertEqual((255, ''), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, 'standard (output|error) goes there\n$')

    @ddt.data(('a', './a'), ('a', 'soft-a'), ('a', 'hard-a'), ('a', 'm/../a'))
    @ddt.unpack
    def test_two_reports_to_one_file(self, one, other):
        self.directory('m', 0o755)
        self.make('a')
        os.link(f'{self.path}/a', f'{self.path}/hard-a')
        os.symlink('a', f'{self.path}/soft-a')
        done = self.run_check(
            '--report',
            f'json:{self.path}/{one}',
            '--report',
            f'html:{self.path}/{other}',
        )
        self.assertEqual(
            (
                255,
                'manila-precheck: error: reports json and html go to the '
                f'same file, {self.path}/{other}\n',
            ),
            (done.returncode, done.stderr),
        )
        self.assertEqual('', self.content(f'{self.path}/a'))

    def test_a_report_is_written_beside_all_of_it(self):
        path = os.path.join(self.path, 'manila', 'report.json')
        for _ in range(2):
            done = self.run_check(
                '--report', f'json:{path}', '--fail-on', 'failure'
            )
            self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertEqual(0, json.loads(self.content(path))['exit_code'])
