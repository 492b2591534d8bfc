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
"""Predictions about the start of services that did not come true.

A prediction is only refuted by what was really tried: a service has read the
value, built the driver, loaded the application or the policies. If a start did
not get that far, nothing is known.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import service_starts
from manila_precheck.evidence.host import commands

_SHARE = 'manila-share'

# The aspects of api-paste findings that say that something cannot be loaded.
# Its other findings are about who gets access.
_LOADING = ('syntax', 'section', 'factory')


def option_values(predicted: Sequence[model.CheckResult]) -> list[str]:
    """Return the options whose values a service is said to reject, sorted.

    :returns: 'group/name'.
    """
    return sorted(
        {
            finding.subject.name
            for finding in _failures(predicted)
            if _is_value(finding)
        }
    )


def findings(
    starts: service_starts.Starts, predicted: Sequence[model.CheckResult]
) -> Iterator[failures.Failure]:
    """Yield the predictions that did not come true."""
    for finding in _failures(predicted):
        if any(_tried(finding, one) for one in starts.outcomes) and not any(
            _speaks_of(one, finding) for one in starts.outcomes
        ):
            yield failures.did_not_happen(finding)


def _failures(
    predicted: Sequence[model.CheckResult],
) -> Iterator[model.Finding]:
    for result in predicted:
        for finding in result.findings:
            if finding.severity is model.Severity.FAILURE:
                yield finding


def _is_value(finding: model.Finding) -> bool:
    """Say whether a finding says that oslo.config rejects a value."""
    return (
        finding.check_id == 'config-options'
        and finding.aspect == 'value'
        and finding.data.get('verdict') == 'invalid'
    )


def _tried(finding: model.Finding, one: service_starts.StartOutcome) -> bool:
    """Say whether a service got past the point of the predicted failure."""
    if _is_value(finding):
        return finding.subject.name in one.accepted
    judge: dict[str, Callable[[], bool]] = {
        'backend-drivers': lambda: _built(finding, one),
        'api-paste': lambda: (
            one.service == commands.API
            and finding.aspect in _LOADING
            and 'application' in one.passed
        ),
        'policy-rules': lambda: (
            one.service == service_starts.POLICIES
            and 'policies' in one.passed
            and (
                finding.subject.kind == 'policy-file'
                or 'every request fails' in finding.message
            )
        ),
    }
    return finding.check_id in judge and judge[finding.check_id]()


def _built(finding: model.Finding, one: service_starts.StartOutcome) -> bool:
    """Say whether a back end's driver got past the predicted failure."""
    if one.service != _SHARE or finding.subject.name != one.back_end:
        return False
    if 'enabled_backends' in finding.data:
        # The finding says that manila-share exits: main() builds the driver.
        return 'start' in one.passed
    # The finding says that the back end stays down, so it is refuted once the
    # back end reports its capabilities.
    return {'setup', 'capabilities'} <= set(one.passed)


def _speaks_of(
    one: service_starts.StartOutcome, finding: model.Finding
) -> bool:
    """Say whether the same option or back end failed in another way."""
    return any(
        finding.subject.name in stop.options
        or finding.subject.name == one.back_end
        for stop in one.stopped
        if stop.ends
    )
