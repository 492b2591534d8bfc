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
"""The hosts of a control plane, as the typist of a runbook sees them.

A host has a home directory, a shell, and programs on its PATH. The programs
that would act on the machine itself, ``systemctl`` and ``apt-get``, are
stand-ins that ask this process: it starts and stops the services, and switches
the installed release.
"""

from collections.abc import Callable
import json
import pathlib
import signal
import socketserver
import sys
import threading
import time

from manila_precheck.act.plan import runbook
from qa.upgrade import api
from qa.upgrade import processes

#: The exit code of a shell for a command that does not exist.
NOT_FOUND = 127

# The default of TimeoutStopSec in systemd.
_STOP_SECONDS = 90

_ASK = """\
#!{python}
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({path!r})
    with asked.makefile('rw') as stream:
        words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
        stream.write(json.dumps(words) + '\\n')
        stream.flush()
        code, text = json.loads(stream.readline())
sys.stderr.write(text)
sys.exit(code)
"""

#: The programs that have a stand-in.
_STAND_INS = ('systemctl', 'apt-get')


class Typed:
    """A command that was typed, with its result."""

    def __init__(self, host, text, done, seconds):
        self.host = host
        self.text = text
        self.code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        self.seconds = seconds


class Host:
    """One host.

    :param name: its name in the services table.
    :param folder: a directory of its own for the programs on its PATH.
    :param control: a :class:`qa.upgrade.plane.Plane` of the source.
    :param port: the port of its manila-api.
    :param wsgi: whether a web server serves its API.
    """

    def __init__(self, name, folder, control, port, environments, wsgi):
        self.name = name
        self.plane = control
        self._port = port
        self._wsgi = wsgi
        self._environments = environments
        self._folder = pathlib.Path(folder)
        self._folder.mkdir()
        self._here = self._folder / 'bin'
        self._here.mkdir()
        #: A link to the programs of the installed release.
        self._installed = self._folder / 'release'
        self.install(control.release)

    def install(self, release):
        """Replace the installed release by another one."""
        new = self._folder / 'release.new'
        new.symlink_to(self._environments.home(release) / 'bin')
        new.replace(self._installed)
        self.plane.release = release

    def listen(self):
        """Serve the stand-ins; return a function that stops it."""
        # The path of a socket has to be short.
        path = f'{self._folder}/s'
        server = _Server(path, _Handler)
        server.asked = self._answer
        for name in _STAND_INS:
            program = self._here / name
            program.write_text(
                _ASK.format(python=sys.executable, path=path),
                encoding='utf-8',
            )
            program.chmod(0o755)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        return server.shutdown

    def type(self, text, env, seconds=1800):
        """Type a command into the administrator's shell on this host."""
        began = time.monotonic()
        done = processes.run(
            ['bash', '-o', 'pipefail', '-c', text],
            env={**self._env(), **env},
            cwd=self.plane.site.home,
            seconds=seconds,
        )
        return Typed(self.name, text, done, time.monotonic() - began)

    def _env(self):
        return self.plane.site.env(
            self._here,
            self._installed,
            self._environments.clients / 'bin',
            self._environments.command.parent,
        )

    # -- the answers to the stand-ins ----------------------------------------

    def _answer(self, words):
        """Return the (exit code, output) of a stand-in's command."""
        program, *rest = words
        try:
            if program == 'apt-get':
                return self._package(rest)
            return self._unit(rest)
        except processes.Broken as exc:
            return 1, f'{exc}\n'

    def _package(self, words):
        wanted = [word for word in words if not word.startswith('-')]
        if len(wanted) != 2 or wanted[0] != 'install':
            return 100, f'E: Invalid operation {" ".join(words)}\n'
        name, _, major = wanted[1].partition('=')
        found = [
            release
            for release in self.releases
            if name == 'manila' and major == f'{release.major}.*'
        ]
        if not found:
            return 100, f'E: Unable to locate package {wanted[1]}\n'
        if self.plane.running:
            return 100, f'E: {", ".join(self.plane.running)} runs\n'
        self.install(found[0])
        return 0, ''

    #: The releases in the package repository.
    releases: tuple = ()

    def _unit(self, words):
        if len(words) != 2 or words[0] not in ('start', 'stop'):
            return 1, f'Unknown command verb {" ".join(words)}\n'
        verb, unit = words
        service = unit[: -len('.service')]
        if not unit.endswith('.service') or service not in runbook.SERVICES:
            return 5, f'Failed to {verb} {unit}: Unit {unit} not loaded.\n'
        running = self.plane.running
        if verb == 'start':
            if service not in running:
                self.plane.start(service, self._port, wsgi=self._wsgi or None)
            return 0, ''
        process = running.pop(service, None)
        if process is not None:
            process.terminate()
            if not process.wait_group(_STOP_SECONDS):
                process.signal(signal.SIGKILL)
            process.kill()
        return 0, ''


class _Handler(socketserver.StreamRequestHandler):
    server: '_Server'

    def handle(self):
        words = json.loads(self.rfile.readline())
        answer = self.server.asked(words)
        self.wfile.write(json.dumps(answer).encode() + b'\n')


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    #: Called with the words of a command; returns (exit code, output).
    asked: Callable[[list[str]], tuple[int, str]]


def environment(port):
    """Return the variables of an operator's shell beside PATH and HOME.

    :param port: the port of manila-api.
    """
    return {
        # manila's noauth accepts user:project as a token.
        'OS_AUTH_TYPE': 'admin_token',
        'OS_TOKEN': f'{api.ADMIN}:{api.ADMIN}',
        'OS_ENDPOINT': f'http://127.0.0.1:{port}/v2/{api.ADMIN}',
    }
