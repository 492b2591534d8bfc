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
"""A database server of our own, for the duration of a run.

It listens only on a socket in a directory of its own, runs under an account
that owns nothing, keeps nothing, and ends with the process that started it,
however that ends: :mod:`.guard` ensures this. The server is installed on this
host or is in a container image. If the machine went down, the next run
removes the leftovers.
"""

from collections.abc import Sequence
import contextlib
import fcntl
import glob
import json
import os
import pwd
import shlex
import shutil
import signal
import stat
import sys
import tempfile
import time
from typing import Callable
from typing import Optional
from typing import Protocol
from typing import TYPE_CHECKING
from typing import TypeVar

from manila_precheck import exceptions
from manila_precheck.evidence.database.dumps import guard
from manila_precheck.evidence.host import container_engine
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    import subprocess

T = TypeVar('T')

_PREFIX = 'manila-precheck-dump-'

# The prefix of a directory that the operator wants to keep.
_KEPT = 'manila-precheck-kept-'

# The program that initializes a server, and the server itself.
_PROGRAMS = {
    'mysql': ('mariadb-install-db', 'mariadbd'),
    'postgresql': ('initdb', 'postgres'),
}

# The signal that makes it write its files and end.
_STOP = {'mysql': signal.SIGTERM, 'postgresql': signal.SIGINT}
_STOP_SECONDS = 150.0

# The path of a socket is limited to 107 bytes; PostgreSQL appends 14.
_LONGEST_FOLDER = 90

# For creating the system tables and for starting.
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.1

# A directory that changed within this time is not taken for a leftover.
_FRESH_SECONDS = 10.0

#: The superuser of a PostgreSQL server, by initdb.
ADMIN = 'precheck_admin'

# The account that runs the server when this process is root. It is not the
# account of an installed server, because it could change that server's files.
_ACCOUNT = 'nobody'

# The flag that names an image with a server.
_IMAGE_FLAG = '--server-image'

# The first process of the container: it initializes a server ({make}), runs
# it ({run}) and ends with it. It also ends with its standard input, which the
# client of the container holds. A line there asks it to shut down cleanly.
_CONTAINED = """\
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    PATH=$PATH:$folder
done
PATH=$PATH:/usr/sbin:/usr/libexec
{make} </dev/null || exit
exec 3<&0
{run} </dev/null 3<&- &
server=$!
if read -r line; then kill -{stop} $server; else kill -KILL $server; fi <&3 &
wait $server
"""

_LOG_BYTES = 4096

# Less than the time that the caller waits for a command to end.
_REMOVE_SECONDS = 5.0

_MARIADB_SETTINGS = (
    '--skip-networking',
    '--skip-name-resolve',
    '--skip-log-bin',
    '--skip-external-locking',
    '--skip-symbolic-links',
    '--skip-slave-start',
    '--local-infile=0',
    '--performance-schema=0',
    '--character-set-server=utf8mb4',
    '--sql-mode=NO_AUTO_VALUE_ON_ZERO,NO_DIR_IN_CREATE,NO_ENGINE_SUBSTITUTION',
    '--max-connections=20',
    '--max-allowed-packet=128M',
    '--default-time-zone=+00:00',
    # Allocated when needed; a dump of a million rows needs this much.
    '--innodb-buffer-pool-size=512M',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-strict-mode=0',
    '--innodb-use-native-aio=0',
    '--log-warnings=1',
)

_POSTGRESQL_SETTINGS = {
    'listen_addresses': '',
    'unix_socket_permissions': '0700',
    'max_connections': '20',
    'shared_buffers': '64MB',
    'max_wal_size': '256MB',
    'wal_level': 'minimal',
    'max_wal_senders': '0',
    'autovacuum': 'off',
    'jit': 'off',
    'logging_collector': 'off',
    'timezone': 'UTC',
}


class Folder:
    """A private directory that is removed when this process ends.

    :param process: the guard.
    :param lifeline: descriptors of the lock, and of the guard's standard
        input.
    """

    def __init__(
        self,
        path: str,
        process: 'subprocess.Popen[bytes]',
        lifeline: tuple[int, int],
    ) -> None:
        self.path = path
        self._process = process
        self._lock, self._lifeline = lifeline
        watch(self)

    def end(self) -> None:
        """End what runs in it, and remove it."""
        if not unwatch(self):
            return
        self._end_process()
        self._close()
        guard.remove(self.path, _REMOVE_SECONDS)

    def keep(self) -> str:
        """Shut down what runs in it, and return its new path.

        :raises SourceUnusable: when it is gone.
        """
        if unwatch(self):
            with contextlib.suppress(OSError):
                os.write(self._lifeline, b'k')
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if programs.has_ended(self._process):
                    break
                time.sleep(_LOOK_SECONDS)
            self._end_process()
            new_path = os.path.join(
                os.path.dirname(self.path),
                os.path.basename(self.path).replace(_PREFIX, _KEPT),
            )
            try:
                os.rename(self.path, new_path)
            except OSError as exc:
                raise exceptions.SourceUnusable(
                    f'{self.path} cannot be kept: {exc.strerror}'
                ) from exc
            finally:
                self._close()
            return new_path
        raise exceptions.SourceUnusable(f'{self.path} is gone')

    def _end_process(self) -> None:
        programs.end(self._process)

    def _close(self) -> None:
        for descriptor in (self._lock, self._lifeline):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self._process.stdout is not None:
            self._process.stdout.close()


class Server(Folder):
    """A server that this run has started."""

    #: Its socket: a file for MariaDB, a directory for PostgreSQL.
    socket = ''

    #: The account that runs it; None: the account of this process.
    account: Optional[str] = None

    #: The image that it is in, and the name of its container.
    container: Optional[tuple[container_engine.ContainerImage, str]] = None

    def _end_process(self) -> None:
        super()._end_process()
        if self.container is not None:
            image, name = self.container
            with contextlib.suppress(exceptions.SourceUnusable):
                image.remove(name)

    def wait(self, connect: Callable[[], T], errors: type[BaseException]) -> T:
        """Return a connection, as soon as the server accepts one.

        :param errors: what ``connect`` raises until then.
        :raises SourceUnusable: when the server does not start.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            reason = 'it does not listen'
            # If they cannot connect, some drivers leave a socket open.
            if glob.glob(f'{self.path}/*socket') or glob.glob(
                f'{self.path}/.s.PGSQL.*[0-9]'
            ):
                try:
                    return connect()
                except errors as error:
                    reason = str(error)
            if self._has_ended():
                reason = _why_ended(os.path.join(self.path, 'log'))
            elif time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
                continue
            what = 'the server'
            if self.container is not None:
                what += f' of {self.container[0].words}'
            raise exceptions.SourceUnusable(
                f'{what} that was to hold the dump does not start: '
                f'{" ".join(reason.split())}'
            )

    def _has_ended(self) -> bool:
        import select

        if self._process.poll() is not None:
            return True
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def free_bytes(self) -> int:
        """Return the free space of its file system."""
        return _free_bytes(self.path)

    def used_bytes(self) -> int:
        """Return the size of the files it has written so far."""
        found = 0
        for where, _, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(OSError):
                    status = os.lstat(os.path.join(where, name))
                    found += status.st_blocks * 512
        return found


class Ends(Protocol):
    """Something that must end before this process does."""

    def end(self) -> None:
        """Leave nothing behind."""


_live: list[Ends] = []


def watch(one: Ends) -> None:
    """Register something that must end before this process does."""
    _live.append(one)


def unwatch(one: Ends) -> bool:
    """Unregister it; say whether the caller has to end it."""
    try:
        _live.remove(one)
    except ValueError:
        # Another thread ends it.
        return False
    return True


def end_all() -> None:
    """End everything registered; called before this process ends."""
    for one in tuple(_live):
        one.end()


def directory() -> str:
    """Return where servers keep their files: $TMPDIR, or /var/tmp."""
    found = os.environ.get('TMPDIR') or '/var/tmp'  # noqa: S108
    return os.path.abspath(found)


def require_room(needed_bytes: int) -> None:
    """Make sure that there is room for what a server writes.

    :raises SourceUnusable: when there is less.
    """
    where = directory()
    free = _free_bytes(where)
    if free < needed_bytes:
        raise exceptions.SourceUnusable(
            f'restoring the dump needs about {_mebibytes(needed_bytes)} of '
            f'disk space, but {where} has {_mebibytes(free)} left: set '
            'TMPDIR to a directory with more'
        )


def make_folder() -> Folder:
    """Make a directory that only this account can read, mode 0700.

    :raises SourceUnusable: when it cannot be made.
    """
    where = _prepared()
    path = _made(where)
    return Folder(path, *_guarded(path, [], None))


def require_installed(dialect: str) -> None:
    """Make sure that a server can be started.

    :raises SourceUnusable: when none is installed here.
    """
    _installed(dialect)


def start(dialect: str, lasting: bool = False, image: str = '') -> Server:
    """Start an empty server, and return while it may still be starting.

    :param dialect: 'mysql' or 'postgresql'.
    :param lasting: whether it writes like a server whose files have to
        survive a crash, which takes longer.
    :param image: an image of this host that has the server, for podman or
        docker; '' for the installed server.
    :raises SourceUnusable: when there is no such server.
    """
    found = container_engine.find(image, _IMAGE_FLAG) if image else None
    made_by = _PROGRAMS[dialect] if image else _installed(dialect)
    where = directory()
    if len(where) > _LONGEST_FOLDER - len(_PREFIX) - 8:
        raise exceptions.SourceUnusable(
            f'{where} is too long a path for the socket of a server: set '
            'TMPDIR to a shorter one'
        )
    _prepared()
    account = None
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(_ACCOUNT)
        except KeyError:
            raise exceptions.SourceUnusable(
                f'there is no account {_ACCOUNT} to run a server as: run '
                'this as a user other than root'
            ) from None
    container = None
    if found is not None:
        found.remove_leftovers()
        container = found, container_engine.new_name()
    folder = _made(where)
    make, run, socket = {'mysql': _mariadb, 'postgresql': _postgresql}[
        dialect
    ](folder, *made_by)
    if dialect == 'mysql' and not lasting:
        run.append('--innodb-doublewrite=0')
    commands = [make, run]
    if container is not None:
        commands = [
            _contained(*container, folder, account, make, run, _STOP[dialect])
        ]
    server = Server(
        folder,
        *_guarded(
            folder,
            commands,
            account,
            None if container else _STOP[dialect],
        ),
    )
    server.socket = socket
    server.account = None if account is None else account.pw_name
    server.container = container
    return server


def _contained(
    image: container_engine.ContainerImage,
    name: str,
    folder: str,
    account: 'Optional[pwd.struct_passwd]',
    make: Sequence[str],
    run: Sequence[str],
    stop: signal.Signals,
) -> list[str]:
    """Return the command that makes and runs a server in a container.

    :param account: the owner of the directory; None: this process's.
    """
    uid, gid = os.geteuid(), os.getegid()
    # The folder is the only directory that the server can write to.
    options = [f'--env=TMPDIR={folder}', f'--env=HOME={folder}']
    if account is not None:
        uid, gid = account.pw_uid, account.pw_gid
    elif image.by_podman:
        # So the files that it writes belong to us on the host, too.
        options.append('--userns=keep-id')
    # initdb needs a name for the account.
    accounts = os.path.join(folder, 'passwd')
    with open(accounts, 'w', encoding='ascii') as stream:
        stream.write(f'precheck:x:{uid}:{gid}::/:/bin/sh\n')
    os.chmod(accounts, 0o644)
    script = _CONTAINED.format(
        make=shlex.join(make),
        run=shlex.join(run),
        stop=stop.name[len('SIG') :],
    )
    return [
        *image.run_words(
            name,
            folder,
            f'{uid}:{gid}',
            '/bin/sh',
            options,
            [
                container_engine.Mount(folder, folder, writable=True),
                container_engine.Mount(accounts, '/etc/passwd'),
            ],
        ),
        '-c',
        script,
    ]


def _prepared() -> str:
    """Return the parent of private directories; remove leftovers there.

    :raises SourceUnusable: when no guard can be started.
    """
    if not sys.executable:
        raise exceptions.SourceUnusable(
            'no Python is known that could watch over the server'
        )
    where = directory()
    _remove_leftovers(where)
    return where


def _made(where: str) -> str:
    try:
        return tempfile.mkdtemp(prefix=_PREFIX, dir=where)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{where}, which is to hold the restored dump: {exc.strerror}'
        ) from exc


def _guarded(
    folder: str,
    commands: list[list[str]],
    account: 'Optional[pwd.struct_passwd]',
    stop: Optional[signal.Signals] = None,
) -> 'tuple[subprocess.Popen[bytes], tuple[int, int]]':
    """Start the guard of a directory; return it, and the descriptors for it.

    :param commands: the commands that it starts there.
    :param account: runs the commands and owns the directory.
    :param stop: the signal that ends the last command; None for one that runs
        in a container.
    :raises SourceUnusable: when the guard cannot be started.
    """
    # Only this process has the write end of the pipe.
    watched, lifeline = os.pipe()
    lock = None
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        # Held until the guard has locked the directory itself.
        fcntl.flock(lock, fcntl.LOCK_SH)
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        order = {
            'folder': folder,
            'commands': commands,
            'uid': None if account is None else account.pw_uid,
            'gid': None if account is None else account.pw_gid,
            'stop': None if stop is None else int(stop),
        }
        process = programs.start(
            [sys.executable, '-I', '-S', guard.__file__, json.dumps(order)],
            {'TMPDIR': folder, 'HOME': folder}
            if stop or not commands
            else container_engine.variables(),
            stdin=watched,
        )
    except OSError as exc:
        os.close(lifeline)
        if lock is not None:
            os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)
        raise exceptions.SourceUnusable(
            f'no server can be started in {folder}: {exc.strerror}'
        ) from exc
    finally:
        os.close(watched)
    return process, (lock, lifeline)


def _installed(dialect: str) -> tuple[str, str]:
    """Return the program that initializes a server, and the server.

    :raises SourceUnusable: when one of them is not installed.
    """
    names = _PROGRAMS[dialect]
    if dialect == 'mysql':
        package = 'mariadb-server'
        what = 'of MySQL or MariaDB needs MariaDB'
    else:
        package = 'postgresql'
        what = 'of PostgreSQL needs its server'
    first = programs.find(names[0])
    second = programs.find(names[1])
    if first is not None and dialect == 'postgresql':
        # The server of the same version: the first path may be a link.
        beside = os.path.join(
            os.path.dirname(os.path.realpath(first)), names[1]
        )
        if os.path.isfile(beside):
            programs.require_trusted(beside)
            second = beside
    found = [first, second]
    missing = [name for name, path in zip(names, found) if path is None]
    if missing:
        raise exceptions.SourceUnusable(
            f'a dump {what} here to be read, and there is no '
            f'{" and no ".join(missing)} (package {package}, or an image of '
            f'a container that has it: {_IMAGE_FLAG})'
        )
    assert first is not None and second is not None
    return first, second


def _mariadb(
    folder: str, install: str, server: str
) -> tuple[list[str], list[str], str]:
    data, socket = os.path.join(folder, 'data'), os.path.join(folder, 'socket')
    plugins = os.path.join(folder, 'plugins')
    os.mkdir(plugins, 0o755)
    return (
        [
            install,
            '--no-defaults',
            f'--datadir={data}',
            '--auth-root-authentication-method=normal',
            '--skip-test-db',
            '--skip-name-resolve',
            '--innodb-flush-log-at-trx-commit=0',
        ],
        [
            server,
            '--no-defaults',
            f'--datadir={data}',
            f'--socket={socket}',
            f'--pid-file={folder}/pid',
            f'--tmpdir={folder}',
            f'--secure-file-priv={plugins}',
            # An empty directory, so that no plugin can be loaded.
            f'--plugin-dir={plugins}',
            *_MARIADB_SETTINGS,
        ],
        socket,
    )


def _postgresql(
    folder: str, install: str, server: str
) -> tuple[list[str], list[str], str]:
    data = os.path.join(folder, 'data')
    settings = {**_POSTGRESQL_SETTINGS, 'unix_socket_directories': folder}
    return (
        [
            install,
            '--pgdata',
            data,
            f'--username={ADMIN}',
            '--auth=trust',
            '--encoding=UTF8',
            '--no-locale',
            '--no-sync',
        ],
        [
            server,
            '-D',
            data,
            *(f'--{name}={value}' for name, value in settings.items()),
        ],
        folder,
    )


def _remove_leftovers(where: str) -> None:
    """Remove the directories of runs that were killed.

    A directory in use is locked by its guard and by the process that made it.
    """
    for folder in sorted(glob.glob(os.path.join(where, f'{_PREFIX}*'))):
        with contextlib.suppress(OSError):
            found = os.lstat(folder)
            mine = {os.geteuid()}
            if os.geteuid() == 0:
                with contextlib.suppress(KeyError):
                    mine.add(pwd.getpwnam(_ACCOUNT).pw_uid)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in mine:
                continue
            # Another run may have made it just now.
            if time.time() - found.st_mtime < _FRESH_SECONDS:
                continue
            lock = os.open(
                folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _why_ended(path: str) -> str:
    """Return the line of a log that says why a server has ended."""
    try:
        with open(path, 'rb') as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - _LOG_BYTES, 0))
            lines = stream.read().decode('utf-8', 'replace').splitlines()
    except OSError:
        lines = []
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if 'error' in line.lower()]
    # Errors after the first one only say that it gives up.
    return (errors[:1] or lines or ['it says nothing'])[-1]


def _free_bytes(path: str) -> int:
    try:
        found = os.statvfs(path)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path}, which is to hold the restored dump: {exc.strerror}'
        ) from exc
    return found.f_bavail * found.f_frsize


def _mebibytes(number: int) -> str:
    return f'{-(-number // 2**20)} MiB'
