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

"""Find what blocks the upgrade, and what was waived, for those who decide."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import grouping

#: How many blockers are named; the rest are counted.
MAX_BLOCKING = 50


class Blocker(NamedTuple):
    """One cause that blocks: checks that could not run, or findings."""

    check: model.CheckResult
    """The check, or the first of several."""

    failed: Optional[grouping.Failed] = None
    """The checks that could not run; None for findings."""

    group: Optional[grouping.Group] = None
    """The findings; None for checks that could not run."""

    @property
    def failures(self) -> int:
        """Return the number of findings; 1 for checks that could not run."""
        return 1 if self.group is None else len(self.group.findings)

    @property
    def steps(self) -> list[grouping.RemedyStep]:
        """Return the steps that resolve it, in order."""
        if self.group is not None:
            return self.group.steps
        return self.failed.steps if self.failed is not None else []

    @property
    def first_step(self) -> Optional[grouping.RemedyStep]:
        """Return the first command, else the first step; None for none."""
        commands = [one for one in self.steps if one.kind == 'command']
        return next(iter((*commands, *self.steps)), None)


def blocking(report: model.Report) -> Sequence[Blocker]:
    """Return what blocks the upgrade, by cause.

    Checks that could not run come first, because what they would find is not
    known. The first cause of each check follows, so that a check with many
    causes does not hide other checks, and then all other causes.
    """
    found = [list(_blocking_of(check)) for check in report.checks]
    return [
        *failed(report),
        *(causes[0] for causes in found if causes),
        *(one for causes in found for one in causes[1:]),
    ]


def failed(report: model.Report) -> list[Blocker]:
    """Return the checks that could not run, by cause."""
    return [
        Blocker(one.first, failed=one)
        for one in grouping.failed(report.checks)
    ]


def _blocking_of(check: model.CheckResult) -> Iterator[Blocker]:
    for group in grouping.groups(check.findings, model.Severity.FAILURE):
        yield Blocker(check, group=group)


def let_pass(
    report: model.Report,
) -> Sequence[tuple[model.CheckResult, int, model.Finding]]:
    """Return the failures and warnings that are waived or known.

    :returns: (check, number, finding); the number is the position of the
        finding in the check, from 0.
    """
    return [
        (check, number, finding)
        for check in report.checks
        for number, finding in enumerate(check.findings)
        if not finding.counts and finding.severity is not model.Severity.INFO
    ]
