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
"""Mark the findings that waivers accept and that a baseline has.

Such a finding stays in the report but does not affect the exit code. A check
that could not run or was skipped has no findings that could be waived, so it
always affects the exit code.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import report_reader as report_source
from manila_precheck.engine import waiver_file as waivers_source
from manila_precheck.redact import names

#: The id of the result about invalid, expired and unused waivers.
CHECK_ID = 'waivers'

_LOOKED = (model.Outcome.PASSED, model.Outcome.FOUND)


def waive(
    results: Sequence[model.CheckResult],
    file: waivers_source.WaiverFile,
    today: datetime.date,
    known_ids: Iterable[str],
) -> tuple[model.CheckResult, ...]:
    """Return the results with their findings waived, and one more.

    :param results: the results of the checks.
    :param today: the current day; a waiver is still valid on the day on which
        it expires.
    :param known_ids: the ids of all registered checks.
    :returns: the results, and one with the id 'waivers' that has a finding
        for each waiver that is malformed, has expired or is not used.
    """
    by_check: dict[str, list[waivers_source.WaiverEntry]] = {}
    for entry in file.entries:
        by_check.setdefault(entry.check_id, []).append(entry)
    used: set[int] = set()
    waived = tuple(
        result._replace(
            findings=tuple(
                _waived(finding, result, by_check, today, used)
                for finding in result.findings
            ),
        )
        for result in results
    )
    ids = frozenset(known_ids)
    looked = {result.id: result for result in results}
    findings: dict[str, model.Finding] = {}
    for entry in file.entries:
        finding = _judged(entry, file, looked, ids, today, entry.line in used)
        if finding is not None:
            findings[f'{entry.line} {finding.key}'] = finding
    own = model.CheckResult(
        id=CHECK_ID,
        title='Waivers',
        outcome=model.Outcome.FOUND if findings else model.Outcome.PASSED,
        findings=tuple(
            sorted(
                findings.values(),
                key=lambda f: (-f.severity, f.subject.line or 0),
            )
        ),
        waivable=False,
    )
    return tuple(sorted((*waived, own), key=lambda result: result.id))


def _waived(
    finding: model.Finding,
    result: model.CheckResult,
    by_check: Mapping[str, Sequence[waivers_source.WaiverEntry]],
    today: datetime.date,
    used: set[int],
) -> model.Finding:
    """Return a finding with the first waiver that covers it, if any."""
    waiver = None
    for entry in by_check.get(finding.check_id, ()):
        if entry.waiver is None:
            continue
        if not waivers_source.matches(entry.waiver.key, finding.key):
            continue
        used.add(entry.line)
        if waiver is None and _holds(entry.waiver, today):
            waiver = entry.waiver
    if waiver is None or not result.waivable:
        return finding
    return finding._replace(waiver=waiver)


def _holds(waiver: model.Waiver, today: datetime.date) -> bool:
    return today <= datetime.date.fromisoformat(waiver.expires)


def _judged(
    entry: waivers_source.WaiverEntry,
    file: waivers_source.WaiverFile,
    looked: Mapping[str, model.CheckResult],
    known_ids: frozenset[str],
    today: datetime.date,
    used: bool,
) -> Optional[model.Finding]:
    """Return the finding about a waiver; None when all is well."""
    result = looked.get(entry.check_id)
    severity, remedy = model.Severity.WARNING, ''
    if entry.waiver is None:
        aspect = 'malformed'
        message = f'the waiver {entry.name} waives nothing: {entry.problem}'
    elif result is not None and not result.waivable:
        aspect = 'refused'
        message = (
            f'the waiver {entry.name} waives nothing: findings of '
            f'{result.id} cannot be waived'
        )
    elif result is None and entry.check_id not in known_ids:
        aspect = 'unknown'
        message = (
            f'the waiver {entry.name} waives nothing: there is no check '
            f'{entry.check_id!r}'
        )
    elif not _holds(entry.waiver, today):
        aspect = 'expired'
        message = (
            f'the waiver {entry.name} of {entry.waiver.owner} expired on '
            f'{entry.waiver.expires}: '
            + ('its findings count again' if used else 'nothing matches it')
        )
        remedy = 'Remove it, or review it and set a new date.'
    elif not used and result is not None and result.outcome in _LOOKED:
        severity, aspect = model.Severity.INFO, 'unused'
        message = f'the waiver {entry.name} is not used: nothing matches it'
        remedy = 'Remove it, unless another controller needs it.'
    else:
        return None
    return model.Finding(
        check_id=CHECK_ID,
        severity=severity,
        subject=model.Subject(
            'waiver', entry.name, file.read.path, entry.line
        ),
        message=message,
        remediation=(model.advice(remedy),) if remedy else (),
        aspect=aspect,
    )


class Baseline(NamedTuple):
    """The findings of an earlier report."""

    read: model.FileRead

    target_release: str
    stage: str

    severities: Mapping[str, model.Severity]
    """The severity of each finding, by key."""

    def require(self, target_release: str, stage: str) -> None:
        """Make sure that the baseline is for the same upgrade and stage.

        :raises UsageError: when it is for another one: its findings are then
            no evidence for this one.
        """
        if (self.target_release, self.stage) != (target_release, stage):
            raise exceptions.UsageError(
                f'baseline {self.read.path} is for {self.target_release} at '
                f'stage {self.stage}, but this run is for {target_release} '
                f'at stage {stage}'
            )


def baseline_severities(report: model.Report) -> dict[str, model.Severity]:
    """Return the highest severity in a report for each key."""
    severities: dict[str, model.Severity] = {}
    for result in report.checks:
        for finding in result.findings:
            before = severities.get(finding.key, finding.severity)
            severities[finding.key] = max(finding.severity, before)
    return severities


def mark_known(
    results: Iterable[model.CheckResult],
    severities: Mapping[str, model.Severity],
) -> tuple[model.CheckResult, ...]:
    """Return the results with findings of an earlier report marked as known.

    A finding that is more severe than in the earlier report is not known.

    :param severities: as baseline_severities() returns them.
    """

    def is_known(finding: model.Finding) -> bool:
        before = severities.get(finding.key)
        return before is not None and before >= finding.severity

    return tuple(
        result._replace(
            findings=tuple(
                finding._replace(known=is_known(finding))
                for finding in result.findings
            ),
        )
        for result in results
    )


def read_baseline(path: str) -> Baseline:
    """Read a report that --format json wrote.

    :raises UsageError: when it cannot be read, is not such a report, or has
        no real names, by which findings are compared.
    """
    try:
        report, file = report_source.load(path)
    except exceptions.SourceUnusable as exc:
        raise exceptions.UsageError(f'baseline {exc}') from exc
    if report.redacted_names:
        raise exceptions.UsageError(
            f'baseline {path}: it was written with --redact-names'
        )
    return Baseline(
        file,
        report.target_release,
        report.stage.value,
        baseline_severities(report),
    )


class Decisions(NamedTuple):
    """The waivers and the baseline of a run."""

    waivers: Optional[waivers_source.WaiverFile]
    baseline: Optional[Baseline]

    known_ids: tuple[str, ...]
    """The ids of all registered checks, not only of those in this run."""

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """The files that they were read from."""
        return tuple(
            item.read._replace(kind=kind)
            for kind, item in (
                ('waivers', self.waivers),
                ('baseline', self.baseline),
            )
            if item is not None
        )

    def require(self, target_release: str, stage: str) -> None:
        """Make sure that they are for this upgrade.

        :raises UsageError: when the baseline is for another one.
        """
        if self.baseline is not None:
            self.baseline.require(target_release, stage)

    def apply(
        self,
        results: tuple[model.CheckResult, ...],
        today: datetime.date,
        redactor: names.Change,
    ) -> tuple[model.CheckResult, ...]:
        """Return the results with findings marked as waived or as known.

        :param redactor: masks secrets, which the reason of a waiver may
            contain.
        """
        if self.waivers is not None:
            results = tuple(
                result._replace(
                    findings=tuple(
                        names.redacted(finding, redactor)
                        for finding in result.findings
                    ),
                )
                for result in waive(
                    results, self.waivers, today, self.known_ids
                )
            )
        if self.baseline is not None:
            results = mark_known(results, self.baseline.severities)
        return results


def decisions(options: Any, known_ids: Sequence[str]) -> Decisions:
    """Read the waivers and the baseline that the options name.

    :raises UsageError: when one of them is invalid.
    """
    return Decisions(
        waivers_source.read(options.waivers) if options.waivers else None,
        read_baseline(options.baseline) if options.baseline else None,
        tuple(known_ids),
    )
