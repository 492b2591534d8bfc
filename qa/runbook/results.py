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
"""What came of following a runbook, for a terminal and the documentation."""

from typing import NamedTuple
from typing import Optional

from qa.upgrade import table

#: How far a time may be from what was said.
FACTOR = 1.5


class Result(NamedTuple):
    """One control plane."""

    path: str
    rows: int
    """Soft-deleted ones in shares, and as many in share_instances."""

    steps: tuple
    """Of :class:`qa.runbook.typist.Done`."""

    lost: str
    """Where the runbook ended, or what is not as it was; '' for nothing."""

    @property
    def window(self):
        """The steps of the window."""
        return [step for step in self.steps if step.phase == 'window']

    @property
    def back(self):
        """The steps of the way back; none where it was not gone."""
        return [step for step in self.steps if step.phase == 'back']

    @property
    def timed(self):
        """Those whose time was said."""
        return [step for step in self.window if known(step)]

    @property
    def said(self):
        """(least, most) of them, in seconds."""
        return (
            sum(step.said.low for step in self.timed),
            sum(step.said.high for step in self.timed),
        )

    @property
    def took(self):
        """How long they took, in seconds."""
        return sum(step.seconds for step in self.timed)

    @property
    def ratio(self):
        """How long they took, in middles of what was said; None for none."""
        low, high = self.said
        return self.took / (low * high) ** 0.5 if low else None

    @property
    def passed(self):
        """Whether it went as it was said."""
        ratio: Optional[float] = self.ratio
        return (
            not self.lost
            and ratio is not None
            and 1 / FACTOR <= ratio <= FACTOR
        )


def known(step):
    """Say whether a step has a figure that is not 0."""
    return bool(step.said and step.said.high)


def _seconds(done):
    return sum(step.seconds for step in done)


def _row(result):
    low, high = result.said
    ratio = result.ratio
    return (
        result.path,
        f'{result.rows:,}',
        f'{len(result.steps)}',
        f'{low:.1f} to {high:.1f} s',
        f'{result.took:.1f} s',
        '-' if ratio is None else f'{ratio:.2f}',
        f'{_seconds(result.window):.0f} s',
        f'{_seconds(result.back):.0f} s' if result.back else '-',
        table.public(result.lost.partition('\n')[0])
        or ('nothing' if result.passed else 'the time'),
    )


_HEADERS = (
    'Path',
    'Rows',
    'Steps',
    'Said',
    'Took',
    'Ratio',
    'All of the window',
    'The way back',
    'Wrong',
)


def terminal(result):
    """Return the block of a control plane, for standard output."""
    mark = 'ok  ' if result.passed else 'FAIL'
    lines = [f'{mark} {", ".join(_row(result))}']
    for step in (*result.window, *result.back):
        said = ''
        if known(step):
            said = f', said {step.said.low:.1f} to {step.said.high:.1f} s'
        lines.append(f'       {step.id}: {step.seconds:.1f} s{said}')
    if result.lost:
        lines.append(result.lost)
    return '\n'.join(lines)


def page(found, words, day):
    """Return all of them as a list-table, for the documentation."""
    return (
        f'By ``tox -e runbook -- {words}`` on {day}.\n\n'
        + table.list_table([_HEADERS, *map(_row, found)])
    )
