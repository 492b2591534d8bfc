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

"""Merge the reports of several controllers into one.

Reports are read one after the other, and none is kept: a finding that many
hosts have is stored once, so 10,000 reports take as much memory as a few.
"""

import array
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.merge import configuration_drift
from manila_precheck.merge import host_reports
from manila_precheck.merge import wording

Severity = model.Severity
Outcome = model.Outcome

#: How many messages for one key are listed. The numbers and times in a message
#: may be different on each of some hundred hosts.
MAX_WORDINGS = 3

#: How many earlier reports a report lists.
MAX_RUNS = 100

# How many messages for one key are kept, to find the most common one.
_MAX_KEPT = 32


class HostReport(NamedTuple):
    """The report of one host, to be merged."""

    region: str
    """The region of the host; '' to take the one in the report, if any."""

    name: str
    report: model.Report
    file: Optional[model.FileRead] = None
    """The file that it was read from."""


def merge(
    reports: Iterable[HostReport],
    now: datetime.datetime,
    expected: Iterable[str] = (),
    fail_on: str = 'warning',
    max_age_hours: int = 0,
    checks: Collection[str] = (),
) -> model.Report:
    """Return one report with the findings of several hosts.

    A finding of several hosts appears once; if not all hosts have it, the
    message and the data name those that do. If a check could not run on a
    host, this is a finding of that check. The result 'configuration-drift'
    lists the options and the files that differ. The result 'hosts' lists the
    hosts without a report, and the reports that are too old, for another
    upgrade, or without some of the checks. Waivers that have expired since
    are ignored.

    A region has a database and a configuration of its own: hosts are compared
    only with hosts of the same region.

    :param reports: in the order of their regions and names; at least one.
        The next one is requested when the previous one has been merged.
    :param now: the time of merging, with a time zone.
    :param expected: the hosts that must have a report: 'ctl1', or
        'west/ctl1' in a region.
    :param fail_on: as ``--fail-on``.
    :param max_age_hours: how old a report may be; 0 for any age.
    :param checks: the ids of the checks that each report must contain.
    :returns: a report without files, services and settings, which differ
        between hosts. Its date is that of the oldest report.
    """
    hosts = wording.Hosts()
    kinds = host_reports.HostReports(hosts, now, max_age_hours, checks)
    drifts: dict[str, configuration_drift.ConfigurationDrift] = {}
    results: dict[str, _Results] = {}
    dates: set[Optional[str]] = set()
    backends: set[str] = set()
    windows: set[model.Window] = set()
    read = []
    for given, name, as_written, file in reports:
        region = given or as_written.region
        host = hosts.add(name, region)
        report, expired = _without_expired(as_written, now.date())
        kinds.add(host, report)
        for waiver in expired:
            kinds.expired(host, waiver)
        if region not in drifts:
            drifts[region] = configuration_drift.ConfigurationDrift(hosts)
        drifts[region].add(host, report)
        read.append(
            model.HostRead(
                region,
                name,
                report.code,
                report.created,
                file and file.path,
                file and file.sha256,
            )
        )
        dates.add(report.created)
        backends.update(report.backends)
        windows.update(filter(None, [report.window]))
        for result in report.checks:
            if result.id not in results:
                results[result.id] = _Results(hosts, result)
            results[result.id].add(host, result)
    missing = sorted(set(expected) - set(hosts.names))
    merged = {check_id: one.merged() for check_id, one in results.items()}
    for own in (
        _own(host_reports.HOSTS, 'Hosts', kinds.findings(missing)),
        _own(
            configuration_drift.DRIFT,
            'Configuration drift',
            [
                finding
                for _region, one in sorted(drifts.items())
                for finding in one.findings()
            ],
        ),
    ):
        # If one of the reports is itself merged, it has results with these
        # ids already.
        before = merged.get(own.id)
        merged[own.id] = _own(
            own.id,
            own.title,
            (before.findings if before else ()) + own.findings,
        )
    databases = kinds.databases()
    regions = {one.region for one in read}
    return kinds.typical()._replace(
        region=regions.pop() if len(regions) == 1 else '',
        window=_longest(windows),
        fail_on=fail_on,
        created=None
        if None in dates
        else min(filter(None, dates), key=datetime.datetime.fromisoformat),
        backends=tuple(sorted(backends)),
        database=databases.pop() if len(databases) == 1 else None,
        checks=tuple(merged[check_id] for check_id in sorted(merged)),
        sampled=kinds.sampled,
        excluded=kinds.excluded,
        hosts=tuple(
            sorted(
                [
                    *read,
                    *(model.HostRead(*_split(one), None) for one in missing),
                ],
                key=lambda one: (one.region, one.name),
            )
        ),
    )


def _longest(windows: Iterable[model.Window]) -> Optional[model.Window]:
    """Return a window that is long enough for each host; None for none.

    The hosts of a region share one window, and each estimates it from its own
    probe. Regions may be upgraded in parallel or one by one.
    """
    found = list(windows)
    if not found:
        return None
    return model.Window(
        max(one.seconds_min for one in found),
        max(one.seconds_max for one in found),
        max((one.unknown for one in found), key=len),
    )


def _split(host: str) -> tuple[str, str]:
    region, _, name = host.rpartition('/')
    return region, name


def runs(earlier: model.Report) -> tuple[model.RunRead, ...]:
    """Return the runs that an earlier report lists, and its own."""
    return (*earlier.runs, earlier.run)[-MAX_RUNS:]


def _without_expired(
    report: model.Report, today: datetime.date
) -> tuple[model.Report, set[model.Waiver]]:
    """Return a report without its expired waivers, and these waivers."""
    expired = {
        finding.waiver
        for result in report.checks
        for finding in result.findings
        if finding.waiver is not None
        and datetime.date.fromisoformat(finding.waiver.expires) < today
    }
    if not expired:
        return report, expired
    checks = tuple(
        result._replace(
            findings=tuple(
                finding._replace(waiver=None)
                if finding.waiver in expired
                else finding
                for finding in result.findings
            )
        )
        for result in report.checks
    )
    return report._replace(checks=checks), expired


class _Wordings:
    """The different messages of one finding, each with its hosts."""

    __slots__ = ('_numbers', '_others', '_variants')

    def __init__(self) -> None:
        self._variants: dict[str, tuple[model.Finding, array.array[int]]] = {}
        # The hashes of further messages: ten thousand texts would take too
        # much memory.
        self._others: set[int] = set()
        self._numbers = wording.none()

    def add(self, host: int, finding: model.Finding) -> None:
        if not self._numbers or self._numbers[-1] != host:
            self._numbers.append(host)
        variant = self._variants.get(finding.message)
        if variant is not None:
            if variant[1][-1] != host:
                variant[1].append(host)
        elif len(self._variants) < _MAX_KEPT:
            self._variants[finding.message] = finding, array.array('I', [host])
        else:
            self._others.add(hash(finding.message))

    def merged(self) -> Iterator[tuple[model.Finding, 'array.array[int]']]:
        """Yield the findings to report, each with its hosts."""
        count = len(self._variants) + len(self._others)
        if count <= MAX_WORDINGS:
            yield from self._variants.values()
            return
        finding, _numbers = max(
            self._variants.values(),
            key=lambda item: (len(item[1]), item[0].message),
        )
        message = f'{finding.message} (and similar: {count} wordings)'
        yield finding._replace(message=message), self._numbers


class _Results:
    """The results of one check on all hosts that ran it."""

    def __init__(self, hosts: wording.Hosts, first: model.CheckResult) -> None:
        self._hosts = hosts
        self._first = first._replace(findings=())
        self._seconds = 0.0
        self._states: dict[tuple[Outcome, str], array.array[int]] = {}
        self._said: dict[Any, _Wordings] = {}

    def add(self, host: int, result: model.CheckResult) -> None:
        """Add the result of one host."""
        self._seconds = max(self._seconds, result.seconds)
        self._states.setdefault(
            (result.outcome, result.reason), wording.none()
        ).append(host)
        for finding in result.findings:
            # A finding may be waived on one host and count on another.
            key = finding.key, finding.severity, finding.waiver, finding.known
            wordings = self._said.get(key)
            if wordings is None:
                wordings = self._said[key] = _Wordings()
            wordings.add(host, finding)

    def merged(self) -> model.CheckResult:
        """Return the result of the check for all hosts."""
        findings = list(self._findings())
        if len(self._states) == 1:
            return self._first._replace(
                findings=_sorted(findings), seconds=self._seconds
            )
        findings += self._not_looked()
        outcomes = {outcome for outcome, _reason in self._states}
        if findings:
            outcome = Outcome.FOUND
        elif Outcome.PASSED in outcomes:
            outcome = Outcome.PASSED
        else:
            outcome = Outcome.NOT_APPLICABLE
        return self._first._replace(
            outcome=outcome,
            reason='',
            findings=_sorted(findings),
            seconds=self._seconds,
        )

    def _findings(self) -> Iterator[model.Finding]:
        total = len(self._hosts.names)
        for wordings in self._said.values():
            for finding, numbers in wordings.merged():
                message = finding.message
                if len(numbers) < total:
                    where = self._hosts.where(numbers, of_all=True)
                    message = f'{message} (on {where})'
                yield finding._replace(
                    message=message,
                    data={**finding.data, 'hosts': self._hosts.text(numbers)},
                )

    def _not_looked(self) -> Iterator[model.Finding]:
        """Yield a finding for each host on which the check could not run."""
        for number, outcome, reason in sorted(
            (number, outcome, reason)
            for (outcome, reason), numbers in self._states.items()
            if outcome in (Outcome.ERROR, Outcome.SKIPPED)
            for number in numbers
        ):
            name = self._hosts.names[number]
            failed = outcome is Outcome.ERROR
            yield model.Finding(
                Severity.FAILURE if failed else Severity.WARNING,
                model.Subject('host', name),
                f'{"error" if failed else "skipped"} on {name}: {reason}',
                check_id=self._first.id,
                data={'hosts': name},
                aspect=outcome.value,
            )


def _sorted(findings: Iterable[model.Finding]) -> tuple[model.Finding, ...]:
    return tuple(
        sorted(
            findings,
            key=lambda one: (
                -one.severity,
                one.subject.file or '',
                one.subject.line or 0,
            ),
        )
    )


def _own(
    check_id: str, title: str, findings: Iterable[model.Finding]
) -> model.CheckResult:
    found = _sorted(findings)
    return model.CheckResult(
        check_id,
        title,
        Outcome.FOUND if found else Outcome.PASSED,
        findings=found,
    )
