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
"""What a terminal shows while the checks run: one line of text.

It is written here since no library for it is in the upper constraints of
every release that this project installs beside (rich is from 2025.1 on).
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import shutil
import threading
import time
from typing import Optional
from typing import TextIO

from manila_precheck.reporters import plain

_CLEAR = '\r\x1b[K'

# How often the line changes, and how long a check has to run before its
# speed says something.
_EVERY_SECONDS = 0.1
_KNOWN_SECONDS = 1.0


class Shown:
    """Nothing but notes: what reads standard error is not a terminal."""

    def __init__(
        self, stderr: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stderr = stderr
        self._clock = clock
        self._check = ''
        self._started: Optional[float] = None
        self._shown = 0.0
        # A check may read on several connections.
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Show a line in place of the last."""

    def note(self, text: str) -> None:
        """Show a line that stays, on a terminal or not."""
        # Who reads it may have gone; the report is elsewhere.
        with contextlib.suppress(OSError):
            self._stderr.write(f'{plain.one_line(text)}\n')
            self._stderr.flush()

    def check(self, check_id: str) -> None:
        """Say which check runs now."""
        self._check = check_id
        self._started = None
        self.line(f'{check_id} ...')

    def rows(self, done: int, expected: int) -> None:
        """Say how many rows it has counted, of about how many."""
        with self._lock:
            now = self._clock()
            if self._started is None:
                self._started = now
            elif now - self._shown < _EVERY_SECONDS:
                return
            self._shown = now
            text = f'{self._check} ... {done} of about {expected} rows'
            passed = now - self._started
            if passed >= _KNOWN_SECONDS and 0 < done < expected:
                left = passed / done * (expected - done)
                text += f', about {_duration(left)} left'
            self.line(text)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f'{round(seconds)} s'
    return f'{round(seconds / 60)} min'


class _Line(Shown):
    """The last line of a terminal, which the report takes the place of."""

    def note(self, text: str) -> None:
        self._stderr.write(_CLEAR)
        super().note(text)

    def line(self, text: str) -> None:
        room = shutil.get_terminal_size((80, 24)).columns - 1
        self._stderr.write(f'{_CLEAR}{plain.one_line(text)[:room]}')
        self._stderr.flush()


@contextlib.contextmanager
def shown(
    stderr: TextIO, clock: Callable[[], float] = time.monotonic
) -> Iterator[Shown]:
    """Show the progress on a terminal, until the checks are done."""
    if not stderr.isatty():
        yield Shown(stderr, clock)
        return
    try:
        yield _Line(stderr, clock)
    finally:
        stderr.write(_CLEAR)
        stderr.flush()
