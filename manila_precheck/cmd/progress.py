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
"""What a terminal shows while the checks run: one line of text."""

from collections.abc import Iterator
import contextlib
import shutil
from typing import TextIO

from manila_precheck.reporters import plain

_CLEAR = '\r\x1b[K'


class Shown:
    """Nothing: what reads standard error is not a terminal."""

    def __init__(self) -> None:
        self._check = ''

    def line(self, text: str) -> None:
        """Show a line in place of the last."""

    def check(self, check_id: str) -> None:
        """Say which check runs now."""
        self._check = check_id
        self.line(f'{check_id} ...')

    def rows(self, done: int, expected: int) -> None:
        """Say how many rows it has counted, of about how many."""
        self.line(f'{self._check} ... {done} of about {expected} rows')


class _Line(Shown):
    """The last line of a terminal, which the report takes the place of."""

    def __init__(self, stderr: TextIO) -> None:
        super().__init__()
        self._stderr = stderr

    def line(self, text: str) -> None:
        room = shutil.get_terminal_size((80, 24)).columns - 1
        self._stderr.write(f'{_CLEAR}{plain.one_line(text)[:room]}')
        self._stderr.flush()


@contextlib.contextmanager
def shown(stderr: TextIO) -> Iterator[Shown]:
    """Show the progress on a terminal, until the checks are done."""
    if not stderr.isatty():
        yield Shown()
        return
    try:
        yield _Line(stderr)
    finally:
        stderr.write(_CLEAR)
        stderr.flush()
