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

"""Run other programs. Every process of this package is started here.

The command runs as root, in any directory and environment. The programs get
neither of them: a program starts in '/', with a few variables, without
descriptors other than its standard streams, and in a session of its own, which
is ended with everything that it has started. It is named by an absolute path,
and is not run if another user could have replaced it.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import glob
import json
import os
import re
import select
import signal
import time
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.files import path_trust

if TYPE_CHECKING:
    import subprocess

# Where programs are looked for; also the PATH that they get.
_PATH = (
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
)
# Where RHEL and Debian install PostgreSQL's clients of several versions.
_MORE = ('/usr/pgsql-*/bin', '/usr/lib/postgresql/*/bin')

# An answer is a few hundred kilobytes at most; a matrix is the largest.
_MOST_BYTES = 1 << 25
_CHUNK_BYTES = 1 << 16
_LOOK_SECONDS = 0.05


class Done(NamedTuple):
    """The result of a program that ended by itself."""

    code: int
    stdout: str
    stderr: str


def find(name: str) -> Optional[str]:
    """Return the path of a program; None when there is none.

    The directories in the caller's PATH are searched last, relative ones not
    at all.

    :raises SourceUnusable: when others may change each one that was found.
    """
    weakness = ''
    # The newest first: pg_restore cannot read an archive of a newer pg_dump.
    more = [f for p in _MORE for f in glob.glob(p)]
    folders = [*_PATH, *sorted(more, key=_version, reverse=True)]
    for folder in dict.fromkeys([*folders, *os.get_exec_path()]):
        path = os.path.join(folder, name)
        if not (
            os.path.isabs(folder)
            and os.path.isfile(path)
            and os.access(path, os.X_OK)
        ):
            continue
        try:
            require_trusted(path)
        except exceptions.SourceUnusable as exc:
            weakness = weakness or str(exc)
            continue
        return path
    if weakness:
        raise exceptions.SourceUnusable(weakness)
    return None


def _version(folder: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall('[0-9]+', folder)], folder


def require_trusted(path: str) -> None:
    """Make sure that no other user may change a program.

    :param path: the program; an interpreter in its first line is tested, too.
    :raises SourceUnusable: when one may, or when the path is relative.
    """
    if not os.path.isabs(path):
        raise exceptions.SourceUnusable(
            f'{path} was not run: it is not an absolute path'
        )
    weakness = path_trust.weakness(path)
    if not weakness:
        with contextlib.suppress(OSError):
            with open(path, 'rb') as stream:
                words = stream.readline(_CHUNK_BYTES).split()
            if words and words[0].startswith(b'#!'):
                named = [words[0][2:], *words[1:]]
                weakness = path_trust.weakness(
                    os.fsdecode(named[0] or b''.join(named[1:2]) or b'/')
                )
    if weakness:
        raise exceptions.SourceUnusable(f'{path} was not run: {weakness}')


_running: 'set[subprocess.Popen[bytes]]' = set()


def start(
    words: Sequence[str],
    variables: Optional[Mapping[str, str]] = None,
    stdin: Optional[int] = None,
    stderr: bool = False,
) -> 'subprocess.Popen[bytes]':
    """Start a program; its standard output is a pipe.

    :param words: the absolute path of the program, and its arguments.
    :param variables: more variables than those that every program gets.
    :param stdin: a descriptor; None for an empty standard input.
    :param stderr: whether its standard error is a pipe; else it is discarded.
    :raises OSError: when it cannot be started.
    :raises ValueError: when an argument holds a null byte.
    """
    # Imported here because few runs need it.
    import subprocess

    process = subprocess.Popen(  # noqa: S603
        words,
        env={
            'PATH': ':'.join(_PATH),
            'LANG': 'C.UTF-8',
            'LC_ALL': 'C.UTF-8',
            **(variables or {}),
        },
        cwd='/',
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr else subprocess.DEVNULL,
        start_new_session=True,
    )
    _running.add(process)
    return process


def end(process: 'subprocess.Popen[bytes]') -> int:
    """End a program and what it has started; return its exit code."""
    # After wait() another process may have its number.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    _running.discard(process)
    return code


def end_all() -> None:
    """Kill all running programs; called before this process ends."""
    for process in tuple(_running):
        if process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


def run(
    words: Sequence[str],
    seconds: float,
    question: bytes = b'',
    variables: Optional[Mapping[str, str]] = None,
    name: str = '',
) -> Done:
    """Run a program to its end and return its output.

    :param words: as for :func:`start`.
    :param name: its name in messages; '' for its path.
    :param seconds: how long it may take.
    :param question: what it reads on its standard input.
    :param variables: as for :func:`start`.
    :raises SourceUnusable: when it cannot be run, does not end, or prints
        too much.
    """
    program = name or words[0]
    feed = os.memfd_create('question')
    try:
        with open(feed, 'wb', closefd=False) as stream:
            stream.write(question)
        os.lseek(feed, 0, os.SEEK_SET)
        process = start(words, variables, feed, stderr=True)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, 'strerror', None) or exc
        raise exceptions.SourceUnusable(
            f'{program} cannot be run: {reason}'
        ) from exc
    finally:
        os.close(feed)
    try:
        printed = _read(process, time.monotonic() + seconds)
    finally:
        code = end(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if printed is None:
        raise exceptions.SourceUnusable(
            f'{program} did not finish within {seconds:g} seconds'
        )
    if any(len(text) > _MOST_BYTES for text in printed):
        raise exceptions.SourceUnusable(
            f'{program} prints more than {_MOST_BYTES >> 20} MB'
        )
    stdout, stderr = (text.decode('utf-8', 'replace') for text in printed)
    return Done(code, stdout, stderr)


def _read(
    process: 'subprocess.Popen[bytes]', deadline: float
) -> Optional[tuple[bytearray, bytearray]]:
    """Return a program's output after its end; None when time is over."""
    assert process.stdout is not None and process.stderr is not None
    printed = (bytearray(), bytearray())
    pipes = dict(
        zip((process.stdout.fileno(), process.stderr.fileno()), printed)
    )
    ready = select.poll()
    for pipe in pipes:
        ready.register(pipe, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        # Do not wait for the end of the pipes: a process that it has left
        # behind may hold them open forever.
        ended = has_ended(process)
        found = ready.poll(0 if ended else min(left, _LOOK_SECONDS) * 1000)
        for pipe, _ in found:
            chunk = os.read(pipe, _CHUNK_BYTES)
            pipes[pipe] += chunk
            if not chunk:
                ready.unregister(pipe)
        if (ended and not found) or any(
            len(text) > _MOST_BYTES for text in printed
        ):
            return printed


def has_ended(process: 'subprocess.Popen[bytes]') -> bool:
    """Say whether a program has ended; :func:`end` has still to be called."""
    # WNOWAIT: its number stays reserved until end() has killed its session.
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def ask(
    words: Sequence[str],
    script: str,
    question: Any,
    seconds: float,
    variables: Optional[Mapping[str, str]] = None,
    name: str = '',
) -> Any:
    """Return the answer of a script on its standard output.

    :param words: the interpreter and its options.
    :param script: Python code that reads one JSON value and writes one.
    :param question: the value that it reads.
    :param seconds: how long it may take.
    :param variables: as for :func:`start`.
    :param name: its name in messages; '' for the path of the interpreter.
    :raises SourceUnusable: when it cannot be run, or does not answer.
    """
    python = name or words[0]
    done = run(
        [*words, '-c', script],
        seconds,
        json.dumps(question).encode(),
        variables,
        name,
    )
    if done.code:
        last = (done.stderr.strip() or 'it printed nothing').splitlines()[-1]
        raise exceptions.SourceUnusable(
            f'{python} ended with {done.code}: {last}'
        )
    try:
        return json.loads(done.stdout)
    except (ValueError, RecursionError):
        raise exceptions.SourceUnusable(
            f'{python} did not answer like a Python interpreter'
        ) from None
