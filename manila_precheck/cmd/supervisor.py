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

"""Run a command in a child process, and use its answer only if it is complete.

Checks, reporters and the modules that they import may be third-party code,
which can do what no exception handler notices: end the process, crash in C,
print, close descriptors, leave threads behind. So they run in a child process.
The parent runs none of that code, does not share its standard output with the
child, and accepts the child's answer only when all of it has arrived.
"""

import contextlib
import fcntl
import mmap
import os
import re
import select
import shutil
import signal
import sys
import time
from typing import Any
from typing import Callable
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.cmd import answer
from manila_precheck.evidence.host import programs as programs

# The signals that end the process; the child first has some time to end by
# itself.
ENDING = (signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 10.0

# A second Ctrl-C ends a child that did not react to the first one. Signals
# within _SAME_SECONDS count as one: programs such as timeout send a signal
# twice, to the process and to its group.
_SAME_SECONDS = 1.0
_INSISTED_SECONDS = 5.0

# The signal that the parent sends for an interrupt. It is not SIGINT, which a
# terminal sends to both processes.
_INTERRUPT = signal.SIGUSR1

# The maximum size of an answer, more than that of a million findings.
_MAX_BYTES = 2**31

# The id of the check that runs now, so that the parent can name it if there is
# no report. It is in shared memory, because a pipe could be full or closed by
# then. Code in the child can write anything there, so the parent shows it only
# if it has the form of an id.
_NOTE_BYTES = 64
_NOTE = re.compile(rb'([a-z][a-z0-9-]*)\0')
_note = mmap.mmap(-1, mmap.PAGESIZE)

# A plugin, which is loaded later, may replace os.write.
_write = os.write


def note(check_id: str) -> None:
    """Tell the parent which check runs now; '' for none."""
    text = check_id.encode('ascii', 'replace')[: _NOTE_BYTES - 1]
    _note[:_NOTE_BYTES] = text.ljust(_NOTE_BYTES, b'\0')


class EndedBySignal(Exception):
    """A signal ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__(f'ended by {signal.Signals(number).name}')
        self.code = 128 + number


def _nothing(number: int, frame: Any) -> None:
    """Handle a signal that is only written to the wakeup descriptor."""


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _handle(number: int, handler: Callable[[int, Any], None]) -> Any:
    """Set a handler, unless the signal is ignored, as under nohup.

    :returns: the previous handler.
    """
    before = signal.getsignal(number)
    if before is not signal.SIG_IGN:
        signal.signal(number, handler)
    return before


def ask(
    run: Callable[[], answer.Answer], ended: Callable[[int, Any], None]
) -> answer.Answer:
    """Run a function in a child process, and return its answer.

    It may be called only once in a process, before there are threads.

    :param run: the function; it must not raise an exception.
    :param ended: the child's handler of SIGTERM and SIGHUP, which must end
        the process.
    :raises EndedBySignal: when the parent received one of these signals.
    :raises KeyboardInterrupt: when the run was interrupted and there is no
        answer.
    :raises ProcessError: when there is no answer for another reason.
    """
    parent = os.getpid()
    reader, writer = os.pipe()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    # Block the signals until their handlers are set.
    noted = {signal.SIGCHLD, signal.SIGINT, *ENDING, _INTERRUPT}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, noted) - noted
    # If SIGCHLD were ignored, the kernel would reap the child itself.
    signal.signal(signal.SIGCHLD, _nothing)
    child = os.fork()
    if not child:
        streams = (sys.stdout, sys.stderr)
        try:
            for descriptor in (reader, woken, waker):
                os.close(descriptor)
            _begin(parent, writer, ended)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _send(writer, run)
        finally:
            # A check that did not return in time may still run a program.
            programs.end_all()
            # End without exit handlers, and without waiting for threads.
            for stream in streams:
                with contextlib.suppress(AttributeError, OSError, ValueError):
                    stream.flush()
            os._exit(0)
    os.close(writer)
    handlers = {
        number: _handle(number, _nothing)
        for number in (signal.SIGINT, *ENDING)
    }
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        return _Child(child, reader, woken).answer()
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for descriptor in (reader, woken, waker):
            os.close(descriptor)


class _Child:
    """The parent's view of its child."""

    def __init__(self, child: int, reader: int, woken: int) -> None:
        self._child = child
        self._reader = reader
        self._woken = woken
        self._data = bytearray()
        self._ended_by: Optional[int] = None
        self._interrupted = -_SAME_SECONDS
        self._interrupts = 0
        self._deadline: Optional[float] = None

    def answer(self) -> answer.Answer:
        """Wait for the child to end, and return its answer."""
        status = self._wait()
        if self._ended_by is not None:
            raise EndedBySignal(self._ended_by)
        found = answer.load(bytes(self._data))
        if found is not None:
            return found
        if self._interrupts:
            raise KeyboardInterrupt
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            what = f'{name} killed the process that ran the checks'
        else:
            what = (
                'the process that ran the checks ended with '
                f'{os.WEXITSTATUS(status)}'
            )
        noted = _NOTE.match(_note[:_NOTE_BYTES])
        if noted:
            what += f' while {noted[1].decode()} was running'
        raise exceptions.ProcessError(f'{what}; there is no report')

    def _wait(self) -> int:
        # Do not wait for the end of the pipe: a process that the child started
        # may keep it open for ever.
        reading = [self._reader, self._woken]
        while True:
            left = None
            if self._deadline is not None:
                left = max(0.0, self._deadline - time.monotonic())
            ready = select.select(reading, [], [], left)[0]
            if self._reader in ready and not self._read():
                reading.remove(self._reader)
            if self._woken in ready:
                for number in os.read(self._woken, 512):
                    self._see_to(number)
            if left == 0.0 or len(self._data) > _MAX_BYTES:
                os.kill(self._child, signal.SIGKILL)
                self._deadline = None
            ended, status = os.waitpid(self._child, os.WNOHANG | os.WUNTRACED)
            if ended and os.WIFSTOPPED(status):
                # A terminal stops this process too. If something stopped only
                # the child, continue it, so that the run can end.
                os.kill(self._child, signal.SIGCONT)
            elif ended:
                os.set_blocking(self._reader, False)
                with contextlib.suppress(BlockingIOError):
                    while self._read():
                        pass
                return status

    def _read(self) -> bool:
        chunk = os.read(self._reader, 2**20)
        if len(self._data) <= _MAX_BYTES:
            self._data += chunk
        return bool(chunk)

    def _see_to(self, number: int) -> None:
        """Pass a signal that this process received on to the child."""
        now = time.monotonic()
        if number in ENDING:
            self._ended_by = self._ended_by or number
            os.kill(self._child, number)
            self._deadline = self._deadline or now + _GRACE_SECONDS
        elif number == signal.SIGINT:
            if now - self._interrupted >= _SAME_SECONDS:
                os.kill(self._child, _INTERRUPT)
                self._interrupts += 1
            if self._interrupts > 1:
                self._deadline = self._deadline or now + _INSISTED_SECONDS
            self._interrupted = now


def _begin(
    parent: int, writer: int, ended: Callable[[int, Any], None]
) -> None:
    """Prepare the child for code that is not trusted."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if _handle(signal.SIGINT, _nothing) is not signal.SIG_IGN:
        signal.signal(_INTERRUPT, _interrupt)
    for number in ENDING:
        _handle(number, ended)
    # Ask the terminal for its width now: descriptor 1 is replaced below.
    columns = shutil.get_terminal_size((80, 24)).columns
    os.environ['COLUMNS'] = str(columns)
    # stevedore, by which oslo.config finds its drivers, keeps an index of
    # entry points there; whoever can write to it could choose what is loaded.
    os.environ['XDG_CACHE_HOME'] = os.devnull
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    # Whatever code prints must not get into the report.
    os.dup2(2, 1)

    def close() -> None:
        with contextlib.suppress(OSError):
            os.close(writer)

    # A fork of this process must not write to the pipe.
    os.register_at_fork(after_in_child=close)
    # If the parent is killed, the pipe has no reader any more. Have the kernel
    # send this signal then; otherwise nothing would end the child.
    fcntl.fcntl(writer, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(writer, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_WRONLY | os.O_ASYNC)
    if os.getppid() != parent:
        os._exit(0)


def _send(writer: int, run: Callable[[], answer.Answer]) -> None:
    """Run a function, and send its answer to the parent."""
    pipe, child = os.fstat(writer), os.getpid()
    data = memoryview(answer.dump(run()))
    signal.pthread_sigmask(signal.SIG_BLOCK, {_INTERRUPT})
    # The function may return twice, the second time in a fork of this process.
    # Also, the descriptor may be that of another file by now.
    if os.getpid() != child or not os.path.samestat(pipe, os.fstat(writer)):
        return
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_WRONLY)
    while data:
        data = data[_write(writer, data) :]
