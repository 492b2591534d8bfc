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

"""An audit hook that limits what a service may reach during a rehearsal."""

import errno
import os
import socket
import sys
import time

# How many calls of sleep a stage may make before it counts as waiting for
# something outside.
WAITS = 20

# Modules that may start programs: they only inquire about the system, and
# neither start a service nor write anything.
PROBES = ('ctypes.util', 'uuid', 'platform')
# Programs that tell which packages are installed. They are reported as
# missing, which drivers can handle.
QUERIES = frozenset(('dpkg', 'dpkg-query', 'lsb_release', 'rpm'))
# The sockets of logs. They are allowed, since nothing is logged here.
LOG_SOCKETS = ('/dev/log', '/run/systemd/journal/')
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class OutsideOfRehearsal(BaseException):
    """The service tried to reach something outside: the rehearsal ends here.

    A BaseException, so that the handlers of services do not catch it.
    """


class World:
    """Refuses what is outside, and notes each refusal in ``touched``."""

    def __init__(self, directory, sockets):
        self.directory = os.path.realpath(directory)
        self.sockets = frozenset(sockets)
        self.touched = []
        self.closed = False
        self.waits = 0

    def close(self):
        self.closed = True
        self.hasten()
        sys.addaudithook(self.audit)

    def hasten(self):
        """Make every sleep return at once, eventlet's as well."""
        if time.sleep != self.wait:
            self._sleep = time.sleep
            time.sleep = self.wait

    def wait(self, seconds=0):
        """Replace sleep; end a stage that sleeps again and again."""
        self.waits += 1
        if self.waits > WAITS:
            self.turn_away('waits again and again')
        self._sleep(0)

    def turn_away(self, what):
        self.touched.append(what)
        raise OutsideOfRehearsal(what)

    def audit(self, event, args):
        look = getattr(self, 'on_' + event.replace('.', '_'), None)
        if look is not None and self.closed:
            look(*args)

    # -- the network

    def on_socket_connect(self, sock, address):
        if sock.family == socket.AF_UNIX:
            path = os.fsdecode(address)
            if path not in self.sockets and not path.startswith(LOG_SOCKETS):
                self.turn_away('connects to ' + path)
        elif sock.type & socket.SOCK_STREAM and sock.family in (
            socket.AF_INET,
            socket.AF_INET6,
        ):
            self.turn_away('connects to {}:{}'.format(*tuple(address[:2])))

    def on_socket_getaddrinfo(self, host, *_):
        self._look_up(host)

    def on_socket_gethostbyname(self, host):
        self._look_up(host)

    def on_socket_gethostbyaddr(self, host):
        self._look_up(host)

    def _look_up(self, host):
        host = os.fsdecode(host) if isinstance(host, bytes) else host
        if not host or host in ('localhost', socket.gethostname()):
            return
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, host.partition('%')[0])
                return
            except (OSError, ValueError):
                pass
        self.turn_away('looks up the host ' + host)

    # -- other programs

    def on_subprocess_Popen(self, executable, args, *_):
        self._start(executable or args)

    def on_os_system(self, command):
        self._start(command)

    def on_os_exec(self, path, *_):
        self._start(path)

    def on_os_posix_spawn(self, path, *_):
        self._start(path)

    def on_os_fork(self):
        self._start('a process of its own')

    def on_os_forkpty(self):
        self._start('a process of its own')

    def _start(self, what):
        frame = sys._getframe()
        while frame is not None:
            if frame.f_globals.get('__name__') in PROBES:
                return
            frame = frame.f_back
        if isinstance(what, (list, tuple)):
            what = what[0] if what else ''
        name = os.fsdecode(what)
        if os.path.basename(name) in QUERIES:
            raise FileNotFoundError(errno.ENOENT, 'not started', name)
        self.turn_away('starts ' + name)

    # -- files

    def on_open(self, path, mode, flags):
        if isinstance(path, int) or path is None:
            return
        if (isinstance(flags, int) and flags & WRITING) or (
            isinstance(mode, str) and set(mode) & set('wax+')
        ):
            self._write(path)

    def on_os_mkdir(self, path, mode, dir_fd):
        # If the path exists, the call itself fails.
        if not os.path.lexists(path):
            self._write(path)

    def on_os_remove(self, path, dir_fd):
        self._change(path)

    def on_os_rmdir(self, path, dir_fd):
        self._change(path)

    def on_os_chmod(self, path, mode, dir_fd):
        self._change(path)

    def on_os_chown(self, path, uid, gid, dir_fd):
        self._change(path)

    def on_os_truncate(self, path, length):
        self._change(path)

    def on_os_utime(self, path, *_):
        self._change(path)

    def on_os_rename(self, path, other, *_):
        self._write(path)
        self._write(other)

    def on_os_link(self, path, other, *_):
        self._write(other)

    def on_os_symlink(self, path, other, *_):
        self._write(other)

    def on_os_mkfifo(self, path, *_):
        self._write(path)

    def on_os_mknod(self, path, *_):
        self._write(path)

    def on_os_kill(self, pid, number):
        if pid != os.getpid():
            self.turn_away(f'signals the process {pid}')

    def _change(self, path):
        if not isinstance(path, int) and os.path.lexists(path):
            self._write(path)

    def _write(self, path):
        if isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        folder = os.path.realpath(os.path.dirname(path))
        real = os.path.join(folder, os.path.basename(path))
        if real == '/dev/null' or folder == '/proc/self/fd':
            return
        inside = (folder + '/').startswith(self.directory + '/')
        if inside and not os.path.islink(real):
            return
        # Other writes fail by themselves, with the error of the system.
        if os.path.isdir(folder) and not os.path.isdir(real):
            self.turn_away('writes ' + path)


def is_cut_off(own_loopback=False):
    """Say whether the process has no network but a loopback that is down.

    :param own_loopback: whether the loopback interface is private, as in a
        container without a network; it may be up then.
    """
    if [name for _, name in socket.if_nameindex() if name != 'lo']:
        return False
    if own_loopback:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('127.0.0.1', 9))
        except OSError as exc:
            return exc.errno == errno.ENETUNREACH
    return False
