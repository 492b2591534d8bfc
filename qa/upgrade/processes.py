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

"""Start programs, none of which outlives this process.

Each program has a process group of its own, which is signalled as a whole. A
guard process ends the groups and removes the files as soon as this process
has ended, however it ended: it reads a pipe that only this process holds open.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

#: How often a condition is polled, in seconds.
STEP_SECONDS = 0.2

#: Set when the run is to end: everything that waits then gives up.
STOPPING = threading.Event()

_GUARD = """\
import os, shutil, sys, time
groups = {}
for line in sys.stdin:
    group, last = map(int, line.split())
    if last:
        groups[group] = last
    else:
        groups.pop(group, None)
for group, last in groups.items():
    try:
        os.killpg(group, last)
    except ProcessLookupError:
        pass
for path in sys.argv[1:]:
    for _ in range(50):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            break
        time.sleep(0.2)
"""


class Broken(Exception):
    """The harness itself failed; nothing was measured."""


class Process:
    """A program that runs in the background, and its output.

    :param user: the user who runs it; None for the current one.
    :param last: the signal that ends it and its children at once.
    """

    def __init__(
        self, name, words, log, env, cwd, user=None, last=signal.SIGKILL
    ):
        self.name = name
        self.last = last
        self.log = pathlib.Path(log)
        with open(self.log, 'ab') as stream:
            self._popen = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                user=user,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    @property
    def code(self):
        """The exit code; None while it runs."""
        return self._popen.poll()

    def output(self):
        """Return its output so far."""
        return self.log.read_text(encoding='utf-8', errors='replace')

    def signal(self, number):
        """Signal the process and all of its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def terminate(self):
        """Send SIGTERM to the process itself, as an init system does."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self):
        """End the process and its children at once."""
        self.signal(self.last)
        self._popen.wait()

    def wait_group(self, seconds):
        """Wait; return whether it and its children ended in time."""

        def gone():
            if self.code is None:
                return False
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return True
            return False

        return wait_for(gone, seconds)

    def wait(self, seconds):
        """Wait; return whether it ended in time."""
        return wait_for(lambda: self.code is not None, seconds)


class Processes:
    """All programs that were started; a context manager that ends them.

    :param scratch: a directory for their output, removed in the end.
    :param keep: whether to keep that directory.
    """

    def __init__(self, scratch, keep=False):
        self._scratch = pathlib.Path(scratch)
        self._keep = keep
        self._logs = self._scratch / 'logs'
        self._all = []
        self._count = 0

    def __enter__(self):
        STOPPING.clear()
        self._logs.mkdir(parents=True)
        removed = [] if self._keep else [str(self._scratch)]
        self._guard = subprocess.Popen(
            [sys.executable, '-c', _GUARD, *removed],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd='/',
        )
        return self

    def __exit__(self, *_exc):
        self.kill_all()
        self._guard.stdin.close()
        # The guard removes the files.
        self._guard.wait()

    def _tell_guard(self, group, last):
        self._guard.stdin.write(f'{group} {int(last)}\n')
        self._guard.stdin.flush()

    def kill_all(self):
        """End the programs that still run, the newest first."""
        for process in reversed(self._all):
            process.kill()
            self._tell_guard(process.pid, 0)
        self._all.clear()

    def start(self, name, words, env, cwd, **how):
        """Start a program; its output goes to a file of its own.

        :param how: the arguments user and last of :class:`Process`.
        """
        if STOPPING.is_set():
            raise Broken('the run was ended')
        self._count += 1
        log = self._logs / f'{self._count:03}-{name}.log'
        process = Process(name, words, log, env, cwd, **how)
        self._tell_guard(process.pid, process.last)
        self._all.append(process)
        return process


def wait_for(what, seconds):
    """Call a function until it returns a true value; return its last value."""
    end = time.monotonic() + seconds
    while True:
        if STOPPING.is_set():
            raise Broken('the run was ended')
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(STEP_SECONDS)


def run(words, env=None, cwd=None, seconds=300, data=None, user=None):
    """Run a program to its end, in its own group; return its result."""
    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=cwd,
        user=user,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(data, timeout=seconds)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def must(words, **kwargs):
    """Run a program that has to succeed; see :func:`run`."""
    done = run(words, **kwargs)
    if done.returncode:
        raise Broken(
            f'{" ".join(str(word) for word in words)} gave '
            f'{done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}'
        )
    return done
