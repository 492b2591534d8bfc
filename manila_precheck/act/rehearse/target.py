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
"""Run a job of :mod:`.inside` with the Python of a manila.

The process inherits nothing of our environment and no descriptor but its
standard streams. It has no network, unless the copy needs one. It is ended
when it takes too long, and when this process ends; its output is bounded. For
a container, :mod:`.image` ensures the same.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import io
import json
import os
import pkgutil
import select
import time
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Optional
from typing import Protocol
from typing import TYPE_CHECKING
import zipfile

from manila_precheck import exceptions
from manila_precheck.act.rehearse import inside
from manila_precheck.evidence.host import interpreter
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    import subprocess

#: A message from a job: ``{'what': 'done', 'seconds': 1.5, ...}``.
Event = Mapping[str, Any]

# The first line of standard input is the request, the rest is the code, so
# that neither is on the command line or in a file.
_SCRIPT = """\
import os, sys
line = sys.stdin.buffer.readline()
code = os.memfd_create('rehearsal.zip')
os.write(code, sys.stdin.buffer.read())
sys.path.insert(0, '/proc/self/fd/%d' % code)
from manila_precheck.act.rehearse.inside import __main__ as inside
inside.main(line, int(sys.argv[1]))
"""

_PACKAGES = (
    'manila_precheck',
    'manila_precheck/act',
    'manila_precheck/act/rehearse',
)

# Limits: of one line, of all lines, and of the kept end of what manila prints.
_LINE_BYTES = 1 << 16
_MOST_BYTES = 1 << 27
_LOG_BYTES = 1 << 16

_LOOK_SECONDS = 0.1
_CHUNK_BYTES = 1 << 16


class Ended(NamedTuple):
    """How a job ended."""

    code: Optional[int]
    """The exit code; negative for a signal; None when it took too long."""

    error: Optional[Event]
    """The exception that ended it, with 'kind' and 'words'; None for none."""

    log: str
    """The end of its output."""

    seconds: float


class Running(Protocol):
    """A job that has been started."""

    @property
    def process(self) -> 'subprocess.Popen[bytes]':
        """Return the process that sends events on its standard output."""

    def end(self, by_itself: bool) -> None:
        """Remove what is left of the job after its process has ended.

        :param by_itself: whether the process has ended by itself.
        """

    def never_ran(self, code: Optional[int]) -> bool:
        """Say whether this exit code means that no job has run."""


class Manila(Protocol):
    """An installed manila: an :class:`Interpreter`, or an image."""

    @property
    def words(self) -> str:
        """Return its name for messages."""

    def version(self) -> Optional[str]:
        """Return the version of the manila; None when there is no manila.

        No module of manila is imported.

        :raises SourceUnusable: when the version cannot be read.
        """

    def remove_leftovers(self) -> None:
        """Remove what killed runs have left behind, such as containers.

        :raises SourceUnusable: when that cannot be found out.
        """

    def given(
        self, folder: str, locations: Sequence[str], sockets: Sequence[str]
    ) -> 'Manila':
        """Return the manila with access to the files that a rehearsal needs.

        :param folder: the private directory of the run.
        :param locations: the files and directories of the configuration.
        :param sockets: the paths of the sockets of the copy.
        """

    def start(
        self,
        request: Mapping[str, Any],
        code: bytes,
        variables: Optional[Mapping[str, str]],
    ) -> Running:
        """Start a job.

        :param request: the request for :mod:`.inside`.
        :param code: the zip file of :mod:`.inside`.
        :param variables: the variables of its environment.
        :raises OSError: when it cannot be started.
        :raises ValueError: when an argument holds a null byte.
        """


class Interpreter(NamedTuple):
    """The Python of an environment on this host."""

    path: str

    @property
    def words(self) -> str:
        """Return its name for messages."""
        return self.path

    def version(self) -> Optional[str]:
        """Return the version of its manila; None when it has no manila.

        :raises SourceUnusable: when it cannot be run, or when another user
            may change it or the packages that it loads.
        """
        return interpreter.ask(self.path, (), ('manila',), ()).versions[
            'manila'
        ]

    def remove_leftovers(self) -> None:
        """Do nothing: its processes end with the process that started them."""

    def given(
        self, folder: str, locations: Sequence[str], sockets: Sequence[str]
    ) -> 'Interpreter':
        """Return itself: it can read every file of this host."""
        return self

    def start(
        self,
        request: Mapping[str, Any],
        code: bytes,
        variables: Optional[Mapping[str, str]],
    ) -> 'TargetProcess':
        """Start a job as a process of this host; see :class:`Manila`."""
        feed = os.memfd_create('request')
        try:
            with open(feed, 'wb', closefd=False) as stream:
                stream.write(json.dumps(request).encode() + b'\n')
                stream.write(code)
            os.lseek(feed, 0, os.SEEK_SET)
            # -I: neither the working directory nor PYTHONPATH is searched.
            words = [self.path, '-I', '-B', '-c', _SCRIPT, str(os.getpid())]
            return TargetProcess(
                programs.start(words, variables, feed, stderr=True)
            )
        finally:
            os.close(feed)


class TargetProcess(NamedTuple):
    """A job that is a process of this host, and ends with this process."""

    process: 'subprocess.Popen[bytes]'

    def end(self, by_itself: bool) -> None:
        """Do nothing: the whole session has ended with the process."""

    def never_ran(self, code: Optional[int]) -> bool:
        """Return False: if the job cannot run, there is no process either."""
        return False


def find(python: str, flag: str) -> Interpreter:
    """Return the interpreter of an environment.

    :param flag: the flag of which ``python`` is the value.
    :raises UsageError: when it is not an interpreter.
    """
    if not os.path.isabs(python):
        raise exceptions.UsageError(f'{flag} {python} is not an absolute path')
    if not (os.path.isfile(python) and os.access(python, os.X_OK)):
        raise exceptions.UsageError(
            f'{flag} {python} is not the interpreter of an environment, such '
            'as /opt/manila/bin/python'
        )
    return Interpreter(python)


def run(
    manila: Manila,
    job: str,
    request: Mapping[str, Any],
    seconds: float,
    heed: Callable[[Event], None],
    variables: Optional[Mapping[str, str]] = None,
) -> Ended:
    """Run a job to its end.

    :param manila: the manila that runs it.
    :param job: the name of a module of :mod:`.inside`.
    :param request: the arguments of the job, and ``offline``: whether it
        leaves the network. It may hold a secret.
    :param seconds: how long it may take.
    :param heed: called with each event as soon as the job sends it.
    :param variables: further variables of its environment.
    :raises SourceUnusable: when it cannot be started, or sends too much.
    """
    try:
        running = manila.start({'job': job, **request}, _code(), variables)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, 'strerror', None) or exc
        raise exceptions.SourceUnusable(
            f'{manila.words} cannot be run: {reason}'
        ) from exc
    process = running.process
    started = time.monotonic()
    reader = _Reader(process, started + seconds)
    error: Optional[Event] = None
    try:
        for event in reader.events():
            if event['what'] == 'error':
                error = event
            heed(event)
    finally:
        by_itself = programs.has_ended(process)
        code: Optional[int] = programs.end(process)
        running.end(by_itself)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if reader.too_much:
        raise exceptions.SourceUnusable(
            f'{manila.words} says more than {_MOST_BYTES >> 20} MB'
        )
    if running.never_ran(code) and not reader.spoke:
        lines = reader.log.decode('utf-8', 'replace').strip().splitlines()
        raise exceptions.SourceUnusable(
            f'{manila.words} cannot be run: '
            f'{(lines or ["it says nothing"])[0]}'
        )
    if reader.late:
        code = None
    elif reader.code is not None:
        # The job sent its exit code as its last event; programs.end() may
        # have killed it after that.
        code = reader.code
    return Ended(
        code,
        error,
        reader.log.decode('utf-8', 'replace'),
        time.monotonic() - started,
    )


class _Reader:
    """Reads the events of a process until it ends."""

    def __init__(
        self, process: 'subprocess.Popen[bytes]', deadline: float
    ) -> None:
        self._process = process
        self._deadline = deadline
        self.late = False
        self.too_much = False
        self.code: Optional[int] = None
        #: Whether the job has sent an event.
        self.spoke = False
        #: The end of its output.
        self.log = b''

    def events(self) -> Iterator[Event]:
        """Yield its events, but not the one with the exit code."""
        rest, total = b'', 0
        for chunk in self._chunks():
            total += len(chunk)
            *lines, rest = (rest + chunk).split(b'\n')
            if total > _MOST_BYTES or len(rest) > _LINE_BYTES:
                self.too_much = True
                return
            for line in lines:
                event = _event(line)
                if event is None:
                    continue
                self.spoke = True
                if event['what'] == 'end':
                    self.code = int(event.get('code') or 0)
                    continue
                yield event

    def _chunks(self) -> Iterator[bytes]:
        process = self._process
        assert process.stdout is not None and process.stderr is not None
        stdout, stderr = process.stdout.fileno(), process.stderr.fileno()
        ready = select.poll()
        for pipe in (stdout, stderr):
            ready.register(pipe, select.POLLIN)
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self.late = True
                return
            # A child that outlives the process may keep the pipes open for
            # ever.
            ended = programs.has_ended(process)
            found = ready.poll(0 if ended else min(left, _LOOK_SECONDS) * 1000)
            for pipe, _ in found:
                chunk = os.read(pipe, _CHUNK_BYTES)
                if not chunk:
                    ready.unregister(pipe)
                elif pipe == stderr:
                    self.log = (self.log + chunk)[-_LOG_BYTES:]
                else:
                    yield chunk
            if ended and not found:
                return


def _event(line: bytes) -> Optional[Event]:
    """Return the event in a line; None when the line is no event."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict) and isinstance(found.get('what'), str):
            return found
    return None


def _code() -> bytes:
    """Return a zip file of the package that runs there."""
    names: Sequence[str] = sorted(
        one.name for one in pkgutil.iter_modules(inside.__path__)
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for package in _PACKAGES:
            archive.writestr(f'{package}/__init__.py', b'')
        for name in ('__init__', *names):
            data = pkgutil.get_data(inside.__name__, f'{name}.py')
            assert data is not None
            archive.writestr(f'{_PACKAGES[-1]}/inside/{name}.py', data)
    return stream.getvalue()
