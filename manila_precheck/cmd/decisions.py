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
"""What the operator has decided before of what a run may find."""

from collections.abc import Sequence
import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import waiving
from manila_precheck.sources import waivers


class Decisions(NamedTuple):
    """The waivers and the baseline of a run."""

    waivers: Optional[waivers.WaiverFile]
    baseline: Optional[waiving.Baseline]

    known_ids: tuple[str, ...]
    """The id of every check that there is, not of this run alone."""

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """The files that they are from."""
        return tuple(
            item.read
            for item in (self.waivers, self.baseline)
            if item is not None
        )

    def require(self, target_release: str, stage: str) -> None:
        """Make sure that they are about this upgrade.

        :raises UsageError: when the baseline is about another one.
        """
        if self.baseline is not None:
            self.baseline.require(target_release, stage)

    def apply(
        self, results: tuple[model.CheckResult, ...], today: datetime.date
    ) -> tuple[model.CheckResult, ...]:
        """Return the results with what is waived and what is known."""
        if self.waivers is not None:
            results = waiving.waive(
                results, self.waivers, today, self.known_ids
            )
        if self.baseline is not None:
            results = self.baseline.compare(results)
        return results


def read(options: Any, known_ids: Sequence[str]) -> Decisions:
    """Read the waivers and the baseline that the options name.

    :raises UsageError: when one of them cannot be used.
    """
    return Decisions(
        waivers.read(options.waivers) if options.waivers else None,
        waiving.read_baseline(options.baseline) if options.baseline else None,
        tuple(known_ids),
    )
