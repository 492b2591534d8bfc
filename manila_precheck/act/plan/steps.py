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
    """A value that only the operator knows."""

    word: str
    """The word that stands for it in a command, such as 'BACKUP_FILE'."""

    meaning: str
    """What to fill in."""


class Command(NamedTuple):
    """A command to type."""

    text: str
    """The command for bash, on one line, quoted."""

    hosts: tuple[str, ...] = ()
    """The hosts to run it on; when empty, unless any_host, the operator fills
    them in."""

    any_host: bool = False
    """Whether it runs on any one controller."""

    exit_codes: tuple[int, ...] = (0,)
    """The exit codes after which the operator may go on."""


class Duration(NamedTuple):
    """How long something takes, in seconds."""

    low: Optional[float]
    """None when it is not known: the operator fills it in."""

    high: Optional[float]
    basis: str
    """The source of the figures, or what has to be measured."""

    @property
    def known(self) -> bool:
        """Say whether there are figures."""
        return self.low is not None and self.high is not None


class Step(NamedTuple):
    """One thing to do."""

    id: str
    """A stable name, such as 'stop-manila-share'."""

    title: str
    owner: str = 'operator'
    text: Sequence[str] = ()
    """What to do; each item is one sentence or more."""

    commands: Sequence[Command] = ()
    before: Sequence[str] = ()
    """What must be true before the step."""

    after: Sequence[str] = ()
    """What must be true after the step."""

    back: str = ''
    """How to go back; '' when the step changes nothing."""

    undo: Sequence[Command] = ()
    """The commands that undo the step."""

    duration: Optional[Duration] = None
    """None when the plan gives no duration, and the operator fills it in."""

    blanks: Sequence[Blank] = ()
    findings: Sequence[model.Finding] = ()
    """The findings of the report that this step fixes."""

    no_return: bool = False
    """Whether, from here on, only a restore of the backup leads back."""


class Phase(NamedTuple):
    """A part of the upgrade procedure."""

    id: str
    """'before', 'window', 'after' or 'back'."""

    title: str
    steps: Sequence[Step]


class Hop(NamedTuple):
    """One upgrade from a release to the next one."""

    source: str
    target: str
    judged: bool
    """Whether the report covers this hop; later hops are judged when they are
    due."""

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
    """The titles of the steps whose duration is not known."""


class Plan(NamedTuple):
    """The runbook of a site."""

    tool: model.Tool
    source: str
    target: str
    verdict: str
    failures: int
    warnings: int
    manager: str
    """What stops and starts the services, such as 'systemd'."""

    hops: Sequence[Hop]
    created: Optional[str] = None


def total(hop: Hop) -> Total:
    """Return the sum of the known durations in the window of a hop."""
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
