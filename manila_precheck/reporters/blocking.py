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
"""What blocks, and what is let pass: the sections of who decides."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.reporters import words

#: How many failures the list of what blocks names.
MAX_BLOCKING = 50

#: How many of each check are shown where there are more than that.
MAX_OF_A_CHECK = 5


class Group(NamedTuple):
    """What one check has that blocks."""

    check: model.CheckResult

    shown: Sequence[Optional[int]]
    """Numbers of its findings; None where the check could not look."""

    more: int
    """How many are not shown."""

    @property
    def failures(self) -> int:
        return len(self.shown) + self.more


def blocking(report: model.Report) -> Sequence[Group]:
    """Return what keeps the upgrade from going on, by check.

    It is all of it, or the first of each check: one check with thousands
    must not hide what another one has to say.
    """
    found = [
        (check, numbers)
        for check in report.checks
        for numbers in [list(_blocking_of(check))]
        if numbers
    ]
    several = sum(len(numbers) for _, numbers in found) > MAX_BLOCKING
    most = MAX_OF_A_CHECK if several else MAX_BLOCKING
    return [
        Group(check, numbers[:most], len(numbers[most:]))
        for check, numbers in found
    ]


def _blocking_of(check: model.CheckResult) -> Iterator[Optional[int]]:
    """Yield None for a check that could not look, then its failures."""
    if check.outcome is model.Outcome.ERROR:
        yield None
    for number, finding in enumerate(check.findings):
        if words.is_of(finding, model.Severity.FAILURE):
            yield number


def let_pass(
    report: model.Report,
) -> Sequence[tuple[model.CheckResult, int, model.Finding]]:
    """Return what somebody has answered for: each with its number."""
    return [
        (check, number, finding)
        for check in report.checks
        for number, finding in enumerate(check.findings)
        if not finding.counts and finding.severity is not model.Severity.INFO
    ]
