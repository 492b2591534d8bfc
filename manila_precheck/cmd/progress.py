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
"""Show the progress of the checks in one line of a terminal.

No library is used, because none is in the upper constraints of every release
that this project can be installed with (rich is, from 2025.1 on).
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

# The minimum time between two changes of the line, and the time after which
# the speed of a check is used for an estimate.
_EVERY_SECONDS = 0.1
_KNOWN_SECONDS = 1.0


class Shown:
    """The progress when standard error is not a terminal: only notes."""

    def __init__(
        self, stderr: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stderr = stderr
        self._clock = clock
        self._check = ''
        self._started: Optional[float] = None
        self._shown = 0.0
        # A check may call rows() from several threads.
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Replace the progress line."""

    def note(self, text: str) -> None:
        """Write a line that stays, also when this is not a terminal."""
        # Ignore errors: the reader of standard error may have gone, but the
        # report is written elsewhere.
        with contextlib.suppress(OSError):
            self._stderr.write(f'{plain.one_line(text)}\n')
            self._stderr.flush()

    def check(self, check_id: str) -> None:
        """Show which check runs now."""
        self._check = check_id
        self._started = None
        self.line(f'{check_id} ...')

    def rows(self, done: int, expected: int) -> None:
        """Show how many of about how many rows the check has counted."""
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
    """The progress in the last line of a terminal, cleared at the end."""

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
