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

"""The runbook of a site, all immutable: hops, phases, steps, commands."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model


class Blank(NamedTuple):
    """What nobody but the operator knows."""

    word: str
    """What stands for it in a command: 'BACKUP_FILE'."""

    meaning: str
    """What to fill in."""


class Command(NamedTuple):
    """What to type."""

    text: str
    """For bash, on one line, quoted."""

    hosts: tuple[str, ...] = ()
    """Where; none: to be filled in."""

    any_host: bool = False
    """On any one controller."""

    exit_codes: tuple[int, ...] = (0,)
    """With which one may go on."""


class Duration(NamedTuple):
    """How long something takes, in seconds."""

    low: Optional[float]
    """None with no number: to be filled in."""

    high: Optional[float]
    basis: str
    """Where the figures come from, or what has to be measured."""

    @property
    def known(self) -> bool:
        """Say whether there are figures."""
        return self.low is not None and self.high is not None


class Step(NamedTuple):
    """One thing to do."""

    id: str
    """Stable: 'stop-manila-share'."""

    title: str
    owner: str = 'operator'
    text: Sequence[str] = ()
    """What to do, one sentence or more each."""

    commands: Sequence[Command] = ()
    before: Sequence[str] = ()
    """What must hold before."""

    after: Sequence[str] = ()
    """What must hold after."""

    back: str = ''
    """How to go back; '' when the step changes nothing."""

    undo: Sequence[Command] = ()
    """What takes it back."""

    duration: Optional[Duration] = None
    """None: the plan says nothing of it, and a person fills it in."""

    blanks: Sequence[Blank] = ()
    findings: Sequence[model.Finding] = ()
    """Of the report, that are mended here."""

    no_return: bool = False
    """From here on only the restore of the backup leads back."""


class Phase(NamedTuple):
    """A part of the procedure."""

    id: str
    """'before', 'window', 'after' or 'back'."""

    title: str
    steps: Sequence[Step]


class Hop(NamedTuple):
    """One upgrade from a release to the next one."""

    source: str
    target: str
    judged: bool
    """Whether the report is of it; the others are judged when they are due."""

    phases: Sequence[Phase]

    @property
    def window(self) -> Iterator[Step]:
        """Yield the steps of the window."""
        for phase in self.phases:
            if phase.id == 'window':
                yield from phase.steps


class Total(NamedTuple):
    """The steps of a window, added up."""

    low: float
    high: float
    unknown: tuple[str, ...]
    """The titles of the steps that are to be filled in."""


class Plan(NamedTuple):
    """The runbook of a site."""

    tool: model.Tool
    source: str
    target: str
    verdict: str
    failures: int
    warnings: int
    manager: str
    """How services are stopped and started: 'systemd'."""

    hops: Sequence[Hop]
    created: Optional[str] = None


def total(hop: Hop) -> Total:
    """Return how long the window of a hop is, as far as that is known."""
    low = high = 0.0
    unknown = []
    for step in hop.window:
        duration = step.duration
        if duration is None or duration.low is None or duration.high is None:
            unknown.append(step.title)
        else:
            low += duration.low
            high += duration.high
    return Total(low, high, tuple(unknown))
