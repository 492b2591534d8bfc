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
"""Test upgrade rehearse with the target or the server in an image.

podman runs the images. The image of the target is empty: the Python and the
environment of the release are mounted from this host. The image of the server
has copies of programs of this host.
"""

import contextlib
import glob
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import ClassVar
from typing import TYPE_CHECKING

import fixtures

from qa import podman
from qa.real import case
from qa.real import deployment
from qa.real import rehearsals
from qa.real import servers
from qa.upgrade import site as sites

_NAME = 'localhost/manila-precheck-rehearsal'
# The mount points in the image, and the directories of every system.
_FOLDERS = ('usr', 'etc', 'proc', 'dev', 'sys', 'run', 'tmp', 'var/tmp')
# Programs that the scripts of a server use.
_TOOLS = (
    *(
        'sh',
        'cat',
        'chmod',
        'chown',
        'dirname',
        'basename',
        'grep',
        'hostname',
    ),
    *('ls', 'mkdir', 'mktemp', 'mv', 'rm', 'sed', 'sleep', 'touch', 'uname'),
    *('tr', 'cut', 'id', 'expr', 'env', 'locale'),
)
_PATIENCE_SECONDS = 300
# The variable that says how often to kill a rehearsal.
_KILLS = 'MANILA_PRECHECK_KILLS'


class _ContainerTest(rehearsals.RehearsalCase):
    major = 20
    target_major = 22
    store: ClassVar[fixtures.TempDir]
    #: Variables of the environment that lead podman to it.
    settings: ClassVar[dict]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = podman.lacks()
        if why:
            if case.required():
                raise RuntimeError(why)
            raise cls.skipException(why)
        cls.store = fixtures.TempDir()
        cls.store.setUp()
        cls.addClassCleanup(cls.store.cleanUp)
        home = pathlib.Path(cls.store.path)
        cls.settings = podman.settings(home)
        podman.make_root(home / 'root', _FOLDERS)
        cls.fill(home / 'root')
        podman.import_root(home / 'root', _NAME, **cls.settings)

    @classmethod
    def fill(cls, root):
        """Add files to the directory that becomes the image."""

    def setUp(self):
        super().setUp()
        for name, value in self.settings.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        self.backup = self.dump(self.site.database)

    def found(self):
        """Rehearse; return {phase: {key: message}}. Nothing is left behind."""
        found = self.rehearse(self.backup)
        self.assertEqual('', self.left())
        return {
            phase: {one['key']: one['message'] for one in findings}
            for phase, findings in found.items()
        }

    def listed(self, what):
        """Return a field of every existing container."""
        return podman.run(
            'ps', '--all', f'--format={what}', **self.settings
        ).strip()

    def left(self):
        """Return the containers and directories that still exist."""
        return self.listed('{{.ID}}') + ''.join(
            glob.glob(f'{self.home}/manila-precheck-*')
        )

    def started(self):
        """Start a rehearsal in a session of its own; return the process."""
        script = os.path.join(
            os.path.dirname(sys.executable), 'manila-precheck'
        )
        process = subprocess.Popen(
            [script, *self.words(self.backup)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def processes(self):
        """Return the pids of all processes that a rehearsal has started."""
        # conmon names the store on its command line, all others the
        # directory of the run.
        names = [name.encode() for name in (self.home, self.store.path)]
        found = set()
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                words = pathlib.Path(path).read_bytes()
                if any(name in words for name in names):
                    found.add(int(path.split('/')[2]))
        return found - {os.getpid()}

    def wait(self, true, words=''):
        ends = time.monotonic() + _PATIENCE_SECONDS
        while not true():
            if time.monotonic() > ends:
                self.fail(f'{words}: {self.left()}')
            time.sleep(0.2)


# A type checker sees a mixin as a case; at run time it is no test by itself.
if TYPE_CHECKING:
    _Mixin = _ContainerTest
else:
    _Mixin = object


class _Ends(_Mixin):
    """Nothing outlives a rehearsal with an image."""

    def test_what_is_left_of_everything_killed_goes_with_the_next_start(self):
        process = self.started()
        self.wait(lambda: self.home in self.listed('{{.Labels}}'))
        time.sleep(random.uniform(0, 10))
        while pids := self.processes():
            # Stop all of them first, so that none cleans up after another.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            process.poll()
            time.sleep(0.1)
        process.wait()
        self.assertNotEqual('', self.left())
        for path in glob.glob(f'{self.home}/manila-precheck-*'):
            os.utime(path, (0, 0))
        # found() also asserts that nothing is left.
        self.found()

    def test_killed_at_any_time(self):
        for number in range(int(os.environ.get(_KILLS, '2'))):
            process = self.started()
            if not number % 2:
                # Wait until it runs the target, first of all for db sync.
                self.wait(lambda: self.home in self.listed('{{.Labels}}'))
            seconds = random.uniform(0, 10)
            time.sleep(seconds)
            # Kill the command, its child, and its session.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.wait(lambda: not self.left(), f'killed after {seconds} s')


class TargetTest(_Ends, _ContainerTest):
    """The target is in a container."""

    def words(self, backup, *more):
        folder = os.path.dirname
        return super().words(
            backup,
            f'--target-image={_NAME}',
            *(
                f'--image-mount={path}'
                for path in (
                    '/usr',
                    folder(folder(self.python)),
                    # The interpreter on which the environment is based.
                    folder(folder(os.path.realpath(self.python))),
                )
            ),
            *more,
        )

    def test_a_clean_site(self):
        self.assertEqual(
            {'rehearse-backup': {}, 'rehearse-sync': {}, 'rehearse-start': {}},
            self.found(),
        )

    def test_a_driver_that_is_gone(self):
        self.files.edit(
            f'BETA\nshare_driver = {sites.DUMMY}',
            'BETA\nshare_driver = manila.share.drivers.gone.Gone',
        )
        ((key, message),) = self.found()['rehearse-start'].items()
        self.assertIn('manila-share@beta', key)
        self.assertIn(
            "ModuleNotFoundError: No module named 'manila.share.drivers.gone'",
            message,
        )


class _Server(_Ends):
    """The server of the copy is in a container."""

    #: The programs, scripts and directories of this host to copy.
    server_files: ClassVar[tuple[str, ...]]
    #: (a log file of the server, its end after an orderly shutdown).
    in_order: ClassVar[tuple[str, bytes]]

    @classmethod
    def fill(cls, root):
        podman.copy_programs(
            root,
            *map(shutil.which, _TOOLS),
            '/usr/share/zoneinfo',
            *cls.server_files,
        )

    def words(self, backup, *more):
        return super().words(
            backup, f'--server-image={_NAME}', '--database-only', *more
        )

    def test_a_clean_site(self):
        self.assertEqual(
            {'rehearse-backup': {}, 'rehearse-sync': {}}, self.found()
        )

    def test_it_is_kept(self):
        self.rehearse(self.backup, '--keep')
        self.assertEqual('', self.listed('{{.ID}}'))
        (kept,) = glob.glob(f'{self.home}/manila-precheck-*')
        name, said = self.in_order
        self.assertIn(said, pathlib.Path(kept, name).read_bytes())

    def test_it_has_no_server(self):
        podman.make_root(pathlib.Path(self.home, 'empty'), _FOLDERS)
        podman.copy_programs(
            os.path.join(self.home, 'empty'), *map(shutil.which, _TOOLS)
        )
        name = f'{_NAME}-without'
        podman.import_root(
            os.path.join(self.home, 'empty'), name, **self.settings
        )
        done = deployment.command(
            *self.words(self.backup, f'--server-image={name}')
        )
        self.assertEqual(255, done.returncode)
        self.assertRegex(
            done.stderr,
            f'the server of image {name} that was to hold the dump does not '
            'start: .*(mariadb-install-db|initdb): not found\n$',
        )
        self.assertEqual('', self.left())


class MariaDBImageTest(_Server, _ContainerTest):
    server_files = (
        *('/usr/bin/mariadb-install-db', '/usr/sbin/mariadbd'),
        *('/usr/bin/my_print_defaults', '/usr/bin/resolveip'),
        '/usr/share/mysql',
    )
    in_order = 'log', b'Shutdown complete'


class PostgreSQLImageTest(_Server, _ContainerTest):
    server_class = servers.PostgreSQL
    server_files = (
        *map(os.path.realpath, glob.glob('/usr/lib/postgresql/*/bin/initdb')),
        *glob.glob('/usr/lib/postgresql/*/bin/postgres'),
        *glob.glob('/usr/lib/postgresql/*/lib'),
        *glob.glob('/usr/share/postgresql/*'),
    )
    in_order = 'log', b'database system is shut down'
