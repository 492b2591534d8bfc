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
"""The results of following runbooks, as text for a terminal and the docs."""

from typing import NamedTuple
from typing import Optional

from qa.upgrade import table

#: By which factor a measured time may differ from the estimate.
FACTOR = 1.5


class Result(NamedTuple):
    """The result of one hop on one control plane."""

    path: str
    rows: int
    """How many soft-deleted rows shares has; share_instances has as many."""

    steps: tuple
    """The finished steps, each a :class:`qa.runbook.typist.Done`."""

    lost: str
    """Where the runbook failed, or what differs from before; '' for none."""

    @property
    def window(self):
        """The steps of the window."""
        return [step for step in self.steps if step.phase == 'window']

    @property
    def back(self):
        """The steps of the way back; empty when it was not taken."""
        return [step for step in self.steps if step.phase == 'back']

    @property
    def timed(self):
        """The steps of the window that have an estimate."""
        return [step for step in self.window if known(step)]

    @property
    def said(self):
        """The sums of their estimates (minimum, maximum), in seconds."""
        return (
            sum(step.said.low for step in self.timed),
            sum(step.said.high for step in self.timed),
        )

    @property
    def took(self):
        """How long these steps really took, in seconds."""
        return sum(step.seconds for step in self.timed)

    @property
    def ratio(self):
        """Their time, divided by the geometric mean of the estimates.

        None when no step has an estimate.
        """
        low, high = self.said
        return self.took / (low * high) ** 0.5 if low else None

    @property
    def passed(self):
        """Whether nothing differs, and the times fit the estimates."""
        ratio: Optional[float] = self.ratio
        return (
            not self.lost
            and ratio is not None
            and 1 / FACTOR <= ratio <= FACTOR
        )


def known(step):
    """Say whether a step has an estimate other than 0."""
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
    """Return a result as text for standard output."""
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
    """Return all results as a list-table for the documentation."""
    return (
        f'By ``tox -e runbook -- {words}`` on {day}.\n\n'
        + table.list_table([_HEADERS, *map(_row, found)])
    )
