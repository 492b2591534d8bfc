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
"""Findings for what failed in a rehearsal, matched with predictions."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import types
from typing import Callable
from typing import NamedTuple
from typing import Optional

from manila_precheck import model

#: The check that can foretell that a purge stops.
PURGE = 'soft-deleted-rows'

# How many characters of the target's own words a message quotes.
_LONGEST_WORDS = 500


class Failure(NamedTuple):
    """One thing that does not work."""

    subject: model.Subject
    """The thing that does not work: a revision, a service, an option. Its name
    is stable."""

    message: str
    """One clause that says what happened, without the target's own words."""

    words: str = ''
    """The target's own words, unchanged; '' for none."""

    names: tuple[str, ...] = ()
    """The names by which to recognize a finding that foretold it, most telling
    first: names of subjects ('DEFAULT/foo', 'shares'), or revisions."""

    checks: tuple[str, ...] = ()
    """The checks that can foretell it; () for every check."""

    severity: model.Severity = model.Severity.FAILURE
    remediation: Sequence[model.Remediation] = ()
    data: Mapping[str, model.Scalar] = types.MappingProxyType({})
    aspect: str = ''


def findings(
    found: Iterable[Failure],
    predicted: Optional[Sequence[model.CheckResult]],
    clean: Callable[[str], str],
) -> Iterator[model.Finding]:
    """Yield a finding for each failure, with the finding that foretold it.

    :param predicted: the results of the checks on the copy; None when there
        is no copy.
    :param clean: takes the secrets out of a text.
    """
    for one in found:
        before = foretold(one, predicted or ())
        message = one.message
        if one.words:
            words = clean(' '.join(one.words.split()))
            if len(words) > _LONGEST_WORDS:
                words = f'{words[:_LONGEST_WORDS]}...'
            message += f': {words}'
        data = dict(one.data)
        if one.severity is model.Severity.FAILURE and predicted is not None:
            data['foretold'] = None if before is None else before.key
            message += (
                ' (was not foretold)'
                if before is None
                else f' (rehearsed: {before.key} held)'
            )
        yield model.Finding(
            one.severity,
            one.subject,
            message,
            [*one.remediation, *(before.remediation if before else ())],
            data=data,
            aspect=one.aspect,
        )


def not_held(
    predicted: Sequence[model.CheckResult], checks: Sequence[str]
) -> Iterator[Failure]:
    """Yield what checks foretold for a phase that in fact succeeded."""
    for result in predicted:
        for finding in result.findings if result.id in checks else ():
            if finding.severity is model.Severity.FAILURE:
                yield did_not_happen(finding)


def _of_purge(
    predicted: Sequence[model.CheckResult],
) -> Iterator[model.Finding]:
    """Yield what can stop a purge."""
    for result in predicted:
        if result.id == PURGE:
            for finding in result.findings:
                if finding.aspect.startswith('stays:'):
                    yield finding


def did_not_happen(finding: model.Finding) -> Failure:
    """Return the failure of a prediction: its case was tried and went well."""
    return Failure(
        finding.subject,
        f'rehearsed: {finding.key} did not happen, and may be wrong: '
        f'{finding.message}',
        severity=model.Severity.INFO,
        data={'foretold': finding.key},
        aspect='not-held',
    )


def foretold(
    failure: Failure, predicted: Sequence[model.CheckResult]
) -> Optional[model.Finding]:
    """Return the finding that has foretold a failure; None when none has.

    Only a FAILURE can foretell it; of several, the one with the most telling
    name is returned. That a purge stops is no FAILURE: any finding that says
    so foretells it, and that of the table at which it stops comes first.
    """
    if failure.checks == (PURGE,):
        return min(
            (
                one
                for one in _of_purge(predicted)
                if one.data.get('exit_code') == 1
            ),
            key=lambda one: (one.subject.name not in failure.names, one.key),
            default=None,
        )
    found = [
        (failure.names.index(name), finding.key, finding)
        for result in predicted
        if not failure.checks or result.id in failure.checks
        for finding in result.findings
        if finding.severity is model.Severity.FAILURE
        for name in _names(finding)
        if name in failure.names
    ]
    return min(found, key=lambda one: one[:2])[2] if found else None


def _names(finding: model.Finding) -> Iterator[str]:
    """Yield the names by which a finding matches a failure."""
    yield finding.subject.name
    if finding.aspect:
        yield finding.aspect
    revision = finding.data.get('revision')
    if isinstance(revision, str):
        yield revision
