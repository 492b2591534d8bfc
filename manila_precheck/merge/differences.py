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

"""Compare a report with an earlier one.

The earlier report is the baseline: a finding that it has with at least the
same severity does not count. The result also lists the findings that are gone
and those that have changed.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import waivers
from manila_precheck.merge import merge

Severity = model.Severity
Outcome = model.Outcome

#: The id of the result that lists the differences.
CHECK_ID = 'report-diff'

_Findings = Mapping[str, list[model.Finding]]


def compare(
    old: model.Report, new: model.Report, fail_on: str = 'warning'
) -> model.Report:
    """Return the newer of two reports, in which only new findings count.

    A finding that the older report has with at least the same severity is
    marked as known and does not count. The result 'report-diff' has a note
    for each finding that is gone and for each that has changed, and a warning
    where the reports cannot be compared: they are for different upgrades or
    hosts, or a check that found something did not run again. A check that
    could not run counts, whatever its earlier result was.

    :param fail_on: as ``--fail-on``.
    :returns: the newer report with its findings marked, and the result
        'report-diff'.
    """
    before, after = _by_key(old), _by_key(new)
    looked = {
        one.id
        for one in new.checks
        if one.outcome in (Outcome.PASSED, Outcome.FOUND)
    }
    titles = {one.id: one.title for one in old.checks}
    findings = [
        *_conditions(old, new),
        *_not_looked(before, titles, looked, new),
        *_gone(before, after, looked),
        *_changed(before, after),
    ]
    known = waivers.baseline_severities(old)
    results = waivers.mark_known(
        (one for one in new.checks if one.id != CHECK_ID), known
    )
    own = model.CheckResult(
        CHECK_ID,
        'Differences',
        Outcome.FOUND if findings else Outcome.PASSED,
        findings=tuple(sorted(findings, key=lambda one: -one.severity)),
        waivable=False,
    )
    return new._replace(
        checks=tuple(sorted((*results, own), key=lambda one: one.id)),
        fail_on=fail_on,
        runs=merge.runs(old),
    )


def _by_key(report: model.Report) -> _Findings:
    found: dict[str, list[model.Finding]] = {}
    for result in report.checks:
        if result.id != CHECK_ID:
            for finding in result.findings:
                found.setdefault(finding.key, []).append(finding)
    return found


def _finding(
    severity: Severity,
    subject: model.Subject,
    message: str,
    aspect: str,
    remedy: str = '',
    **data: model.Scalar,
) -> model.Finding:
    return model.Finding(
        severity,
        subject,
        message,
        (model.advice(remedy),) if remedy else (),
        check_id=CHECK_ID,
        data=data,
        aspect=aspect,
    )


def _conditions(
    old: model.Report, new: model.Report
) -> Iterator[model.Finding]:
    """Yield where the two runs differ: in upgrade, host, stage and so on."""
    for aspect, severity, value_of in (
        ('upgrade', Severity.WARNING, _upgrade),
        ('host', Severity.WARNING, lambda one: one.host or None),
        ('database', Severity.WARNING, _dialect),
        ('stage', Severity.INFO, lambda one: f'stage {one.stage.value}'),
        ('builds', Severity.INFO, _builds),
        ('tool', Severity.INFO, lambda one: f'version {one.tool.version}'),
    ):
        was, is_ = value_of(old), value_of(new)
        if was is None or is_ is None or was == is_:
            continue
        yield _finding(
            severity,
            model.Subject('report', aspect),
            f'the earlier report is of {was}, this one of {is_}',
            '',
            'Compare reports of one upgrade and one host.'
            if severity is Severity.WARNING
            else '',
        )


def _upgrade(report: model.Report) -> str:
    return f'{report.source_release} to {report.target_release}'


def _dialect(report: model.Report) -> Optional[str]:
    read = report.database
    return None if read is None else f'a {read.dialect} database'


def _builds(report: model.Report) -> Optional[str]:
    builds = report.source_build, report.target_build
    if builds == (None, None):
        return None
    return ' and '.join(f'manila {one}' for one in builds if one)


def _not_looked(
    before: _Findings,
    titles: Mapping[str, str],
    looked: set[str],
    new: model.Report,
) -> Iterator[model.Finding]:
    """Yield the checks that did not run again, so findings may remain."""
    now = {one.id: one for one in new.checks}
    counts: dict[str, int] = {}
    for findings in before.values():
        check_id = findings[0].check_id
        if check_id not in looked:
            counts[check_id] = counts.get(check_id, 0) + 1
    for check_id, count in sorted(counts.items()):
        result = now.get(check_id)
        if result is None:
            why = 'has no result'
        else:
            word = result.outcome.value.replace('_', ' ')
            why = f'is {word}' + (
                f' ({result.reason})' if result.reason else ''
            )
        # A check for an earlier stage cannot run any more, which is fine.
        past = result is not None and result.outcome is Outcome.NOT_APPLICABLE
        yield _finding(
            Severity.INFO if past else Severity.WARNING,
            model.Subject('check', check_id),
            f'{titles.get(check_id, check_id)} {why} in this report: whether '
            f'{count} findings of the earlier one are gone is not known',
            'not-looked',
            '' if past else 'Run this check again.',
            findings=count,
        )


def _gone(
    before: _Findings,
    after: _Findings,
    looked: set[str],
) -> Iterator[model.Finding]:
    for key, findings in sorted(before.items()):
        worst = _worst(findings)
        if key not in after and worst.check_id in looked:
            yield _finding(
                Severity.INFO,
                model.Subject(worst.subject.kind, key),
                f'gone: {worst.severity.name} {worst.message}',
                'gone',
                was=worst.severity.name.lower(),
            )


def _changed(before: _Findings, after: _Findings) -> Iterator[model.Finding]:
    for key, findings in sorted(after.items()):
        earlier = before.get(key)
        if earlier is None or _said(earlier) == _said(findings):
            continue
        worst = _worst(earlier)
        waived = f', waived by {worst.waiver.owner}' if worst.waiver else ''
        yield _finding(
            Severity.INFO,
            findings[0].subject._replace(name=key),
            f'changed: it was {worst.severity.name}{waived}: {worst.message}',
            'changed',
            was=worst.severity.name.lower(),
        )


def _worst(findings: Iterable[model.Finding]) -> model.Finding:
    return max(findings, key=lambda one: one.severity)


def _said(
    findings: Iterable[model.Finding],
) -> set[tuple[Severity, str, bool]]:
    return {
        (one.severity, one.message, one.waiver is not None) for one in findings
    }
