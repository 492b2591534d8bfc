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
"""Limits on the time and the memory of operations that wait for a server.

The timeout of a driver applies to each read: a server that sends a byte a
second never reaches it, and an endless result fills the memory while the
driver is still reading it, in C. A thread watches these operations and ends
them from outside.
"""

from collections.abc import Iterator
import contextlib
import os
import socket
import threading
import time
from typing import Callable
from typing import Optional

#: How often the thread looks. What a server sends in that time may exceed
#: the limit.
LOOK_SECONDS = 0.2

_PAGE_BYTES = os.sysconf('SC_PAGE_SIZE')


def resident_bytes() -> Optional[int]:
    """Return the memory of this process; None where there is no /proc."""
    try:
        with open('/proc/self/statm', 'rb') as stream:
            return int(stream.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


def open_sockets() -> dict[str, int]:
    """Return the sockets of this process: {'socket:[inode]': descriptor}.

    :returns: none where there is no /proc.
    """
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir('/proc/self/fd'):
            with contextlib.suppress(OSError):
                link = os.readlink(f'/proc/self/fd/{name}')
                if link.startswith('socket:'):
                    found[link] = int(name)
    return found


def shut(descriptor: int) -> None:
    """Shut down the connection of a socket, which its owner then notices.

    The descriptor stays open: its owner closes it.
    """
    with contextlib.suppress(OSError):
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


class Watch:
    """One operation that waits for a server."""

    def __init__(
        self,
        deadline: float,
        most_bytes: Optional[int],
        end: Callable[[], None],
    ) -> None:
        self._deadline = deadline
        self._most_bytes = most_bytes
        self._end = end
        #: Whether it was ended because it took too long.
        self.too_long = False
        #: Whether it was ended because it took too much memory.
        self.too_large = False

    def look(self, now: float, memory: Optional[int]) -> None:
        """End the operation when it has reached a limit; may be repeated."""
        if memory is not None and self._most_bytes is not None:
            self.too_large |= memory > self._most_bytes
        self.too_long |= now > self._deadline
        if self.too_long or self.too_large:
            self._end()


class Watchdog:
    """The thread that ends operations that exceed a limit.

    :param max_bytes: by how much the memory of the process may grow in one
        operation.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._watched: list[Watch] = []
        # The memory at the last look: to read it for each statement would
        # take a tenth of the time of a small one.
        self._memory: Optional[int] = None
        self._closed = False
        self._started = False

    @contextlib.contextmanager
    def watching(
        self, seconds: float, end: Callable[[], None]
    ) -> Iterator[Watch]:
        """Watch what is done in the block.

        :param seconds: how long it may take.
        :param end: makes the block return or raise; called in the thread of
            the watchdog, repeatedly until the block ends.
        :returns: the watch, which says whether the block was ended.
        """
        with self._lock:
            if not self._started:
                self._started = True
                self._memory = resident_bytes()
                threading.Thread(
                    target=self._run, name='watchdog', daemon=True
                ).start()
            most = self._memory and self._memory + self._max_bytes
            watch = Watch(time.monotonic() + seconds, most, end)
            self._watched.append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watched.remove(watch)

    def _run(self) -> None:
        while self._look():
            time.sleep(LOOK_SECONDS)

    def _look(self) -> bool:
        # With the lock held, so that no operation is ended after its block.
        with self._lock:
            self._memory = resident_bytes()
            for watch in self._watched:
                watch.look(time.monotonic(), self._memory)
            return bool(self._watched) or not self._closed

    def close(self) -> None:
        """Let the thread end, once nothing is watched any more."""
        self._closed = True
