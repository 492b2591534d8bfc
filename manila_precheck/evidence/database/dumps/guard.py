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
"""Watch over a database server that must not outlive its client.

Run by path, with Python alone: ``python -I -S guard.py WORDS``, where WORDS is
a JSON object. It starts each command of ``commands`` in the directory
``folder`` and leaves the last one running. Only the process that started the
guard holds the other end of its standard input: when the input ends, even
because that process was killed, the guard ends the server and removes the
directory. Without commands it only removes the directory.

A byte ``k`` on its standard input makes it shut down the server with the
signal ``stop`` and leave the directory.

Without ``stop`` the last command runs a container, which ends when its
standard input ends: at once, or after a clean shutdown if a line came before.

When a command fails, the guard writes a byte to its standard output.

Commands outside a container run under ``uid`` and ``gid`` where these
are given, cannot gain privileges, and end with the guard.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any
from typing import Optional

_LOOK_SECONDS = 0.1

# How long a server may take to write its files.
_STOP_SECONDS = 120.0

# How long a container may take to end.
_CONTAINER_SECONDS = 10.0

# How long others may continue to write.
_REMOVE_SECONDS = 60.0

# prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def _confine(prctl: Any) -> None:
    """Limit a child, between fork() and exec()."""
    # After the change of the user, which would reset it.
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)


def _start(words: list[str], order: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    if order['stop'] is None:
        found['stdin'] = subprocess.PIPE
    else:
        prctl = ctypes.CDLL(None).prctl
        found['stdin'] = subprocess.DEVNULL
        found['preexec_fn'] = lambda: _confine(prctl)
        if order['uid'] is not None:
            found['user'] = order['uid']
            found['group'] = order['gid']
            found['extra_groups'] = []
    with open(os.path.join(order['folder'], 'log'), 'ab') as log:
        return subprocess.Popen(  # noqa: S603
            words, stdout=log, stderr=log, cwd=order['folder'], **found
        )


def _watch(process: Any) -> bool:
    """Wait until a command or the standard input ends.

    :returns: whether the command has ended.
    """
    while process.poll() is None:
        if select.select([0], [], [], _LOOK_SECONDS)[0]:
            return False
    return True


def main() -> int:
    """Run the commands until the standard input says to stop or ends."""
    order = json.loads(sys.argv[1])
    # The lock shows runs that look for leftovers that this is in use.
    lock = os.open(order['folder'], os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    process = None
    keep = False
    try:
        for words in order['commands']:
            process = _start(words, order)
            if not _watch(process) or process.returncode:
                break
        # Wait for the other process; after a failure it reads the log first.
        with contextlib.suppress(OSError):
            if process is not None and process.returncode is not None:
                os.write(1, b'.')
            keep = os.read(0, 1) == b'k'
    finally:
        if process is not None and process.poll() is None:
            _end(process, order['stop'], keep)
        if not keep:
            remove(order['folder'])
    return 0


def remove(folder: str, seconds: float = _REMOVE_SECONDS) -> None:
    """Remove a directory in which other processes may still write.

    A program in a container ends a moment after the container's client.
    :param seconds: how long it may take.
    """
    for _ in range(max(int(seconds / _LOOK_SECONDS), 1)):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(_LOOK_SECONDS)


def _end(process: Any, stop: Optional[int], in_order: bool) -> None:
    """End a command.

    :param stop: the signal that ends it; None for a container.
    :param in_order: whether it may take the time to write its files.
    """
    if stop is None:
        with contextlib.suppress(OSError):
            if in_order:
                process.stdin.write(b'\n')
            process.stdin.close()
    elif in_order:
        process.send_signal(stop)
    if in_order or stop is None:
        seconds = _STOP_SECONDS if in_order else _CONTAINER_SECONDS
        for _ in range(int(seconds / _LOOK_SECONDS)):
            if process.poll() is not None:
                return
            time.sleep(_LOOK_SECONDS)
    process.kill()
    process.wait()


if __name__ == '__main__':
    sys.exit(main())
