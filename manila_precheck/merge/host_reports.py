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

"""Check whether the reports of several hosts are complete and recent."""

import array
import collections
from collections.abc import Collection
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import datetime
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.evidence import timestamps
from manila_precheck.merge import wording

Severity = model.Severity
Outcome = model.Outcome

#: The id of the result about the reports themselves.
HOSTS = 'hosts'


class HostReports:
    """The upgrade, the age and the database of each report.

    :param hosts: the hosts, which it knows by their numbers.
    :param now: the time of merging, with a time zone.
    :param max_age_hours: how old a report may be; 0 for any age.
    :param checks: the ids of the checks that each report must contain.
    """

    def __init__(
        self,
        hosts: wording.Hosts,
        now: datetime.datetime,
        max_age_hours: int,
        checks: Collection[str],
    ) -> None:
        self._hosts = hosts
        self._now = now
        self._max_age_hours = max_age_hours
        self._checks = frozenset(checks)
        # By region and by report, without the parts that are specific to one
        # host: the numbers of the hosts.
        self._kinds: dict[str, dict[model.Report, array.array[int]]] = {}
        self._expired: dict[tuple[str, str, str], array.array[int]] = {}
        self._too_little: list[model.Finding] = []
        self._unknown: list[model.Finding] = []
        self._ages: list[model.Finding] = []
        self._copies: list[model.Finding] = []
        self._first: dict[int, str] = {}
        self._machines: dict[tuple[str, str], array.array[int]] = {}

    def add(self, host: int, report: model.Report) -> None:
        """Add the report of a host, without the waivers that have expired."""
        name = self._hosts.names[host]
        kind = report._replace(
            files=(),
            services=(),
            settings=(),
            checks=(),
            backends=(),
            created=None,
            host='',
            root='',
            rehearsal=None,
            author='',
            window=None,
        )
        region = self._hosts.region(host)
        kinds = self._kinds.setdefault(region, {})
        kinds.setdefault(kind, wording.none()).append(host)
        if report.host:
            # Regions may have hosts of the same name.
            key = region, report.host
            self._machines.setdefault(key, wording.none()).append(host)
        self._too_little += _too_little(name, report, self._checks)
        self._unknown += _unknown_upgrade(name, report)
        self._ages += _age(name, report, self._now, self._max_age_hours)
        self._copies += self._copy(name, report)

    def expired(self, host: int, waiver: model.Waiver) -> None:
        """Note that a waiver in the report of a host has expired."""
        key = waiver.key, waiver.owner, waiver.expires
        numbers = self._expired.setdefault(key, wording.none())
        if not numbers or numbers[-1] != host:
            numbers.append(host)

    def typical(self) -> model.Report:
        """Return the first report of the most common upgrade.

        :returns: without the parts that are specific to its host.
        """
        kinds: dict[model.Report, array.array[int]] = {}
        for of_region in self._kinds.values():
            for kind, numbers in of_region.items():
                kinds.setdefault(kind, wording.none()).extend(numbers)
        return _typical(kinds)

    def databases(self) -> set[model.DatabaseRead]:
        """Return the different databases that were read."""
        return {
            read
            for read in (_held(kind.database) for kind in self._all())
            if read is not None
        }

    @property
    def sampled(self) -> bool:
        """Say whether any report was made with --quick."""
        return any(kind.sampled for kind in self._all())

    @property
    def excluded(self) -> tuple[str, ...]:
        """Return the checks that were left out on any host, sorted."""
        return tuple(
            sorted({one for kind in self._all() for one in kind.excluded})
        )

    def _all(self) -> Iterator[model.Report]:
        for kinds in self._kinds.values():
            yield from kinds

    def findings(self, missing: Iterable[str]) -> Iterator[model.Finding]:
        """Yield the findings about the hosts and their reports.

        :param missing: the expected hosts that have no report, sorted.
        """
        for (key, owner, expires), numbers in sorted(self._expired.items()):
            yield model.Finding(
                Severity.WARNING,
                model.Subject('waiver', key),
                f'the waiver {key} of {owner}, in the reports of '
                f'{self._hosts.where(numbers)}, expired on {expires}: the '
                'findings that it waived count again',
                (model.advice('Review it, and set a new date.'),),
                check_id=HOSTS,
                data={'hosts': self._hosts.text(numbers)},
                aspect='expired',
            )
        for name in missing:
            yield _of_host(
                name,
                Severity.FAILURE,
                'missing',
                f'there is no report of {name}: nothing was checked there',
                f'Run the checks on {name}, then merge again.',
            )
        yield from self._differences()
        yield from self._too_little
        yield from self._unknown
        yield from self._ages
        yield from self._copies
        yield from self._of_one_machine()

    def _differences(self) -> Iterator[model.Finding]:
        """Yield the reports that differ from the others in their upgrade.

        A region has a database and a configuration of its own: a host is
        compared with the hosts of its region, and a region with the others.
        """
        overall = self.typical()
        for region, kinds in sorted(self._kinds.items()):
            typical = _typical(kinds)
            if _what(typical) != _what(overall):
                yield _of_host(
                    region,
                    Severity.FAILURE,
                    'upgrade',
                    f'the reports of {region} are {_upgrade(typical)}, most '
                    f'others are {_upgrade(overall)}',
                    f'Merge the reports of {region} separately, or run the '
                    'checks there as on the others.',
                    kind='region',
                )
            usual = self._hosts.names[kinds[typical][0]]
            for number, kind in sorted(
                (number, kind)
                for kind, numbers in kinds.items()
                if kind != typical
                for number in numbers
            ):
                yield from _differences(
                    self._hosts.names[number], kind, usual, typical
                )

    def _copy(
        self, name: str, report: model.Report
    ) -> Iterator[model.Finding]:
        """Yield a finding if the report is a copy of another host's.

        Two runs never take the same time, to the millisecond, for each of
        their checks. Reproducible reports have no times, so those of two
        hosts may be equal.
        """
        if report.created is None:
            return
        first = self._first.setdefault(hash(_said(report)), name)
        if first != name:
            yield _of_host(
                name,
                Severity.FAILURE,
                'copy',
                f'the report of {name} is the same as that of {first}: one '
                'of the two hosts was not checked',
                f'Run the checks on {name} and on {first}, each into a '
                'separate file.',
            )

    def _of_one_machine(self) -> Iterator[model.Finding]:
        """Yield a warning for each machine that several reports are from.

        It is only a warning because containers on two hosts may have the same
        name.
        """
        for (_region, machine), numbers in sorted(self._machines.items()):
            if len(numbers) > 1:
                yield model.Finding(
                    Severity.WARNING,
                    model.Subject('host', machine),
                    f'the reports of {self._hosts.where(numbers)} were all '
                    f'made on a machine named {machine}',
                    (
                        model.advice(
                            'Run the checks on each host itself, and give '
                            'each machine its own name.'
                        ),
                    ),
                    check_id=HOSTS,
                    data={'hosts': self._hosts.text(numbers)},
                    aspect='machine',
                )


def _said(report: model.Report) -> Hashable:
    """Return the parts that are equal if one report is a copy of another."""
    return (
        report._replace(checks=()),
        tuple(
            (
                check.id,
                check.outcome,
                check.reason,
                check.seconds,
                tuple(
                    (one.severity, one.subject, one.message)
                    for one in check.findings
                ),
            )
            for check in report.checks
        ),
    )


def _what(report: model.Report) -> tuple[str, str, str]:
    return report.source_release, report.target_release, report.stage.value


def _typical(
    kinds: Mapping[model.Report, 'array.array[int]'],
) -> model.Report:
    counts: collections.Counter[Hashable] = collections.Counter()
    for kind, numbers in kinds.items():
        counts[_what(kind)] += len(numbers)
    return min(
        kinds, key=lambda kind: (-counts[_what(kind)], min(kinds[kind]))
    )


def _upgrade(report: model.Report) -> str:
    source, target, stage = _what(report)
    return f'for {source} to {target} at stage {stage}'


def _differences(
    name: str, report: model.Report, usual_name: str, typical: model.Report
) -> Iterator[model.Finding]:
    """Yield how the report of a host differs from the typical report."""
    if _what(report) != _what(typical):
        yield _of_host(
            name,
            Severity.FAILURE,
            'upgrade',
            f'the report of {name} is {_upgrade(report)}, the others are '
            f'{_upgrade(typical)}',
            f'Run the checks on {name} as on the others.',
        )
    for side, build, usual in (
        ('source', report.source_build, typical.source_build),
        ('target', report.target_build, typical.target_build),
    ):
        if build and usual and build != usual:
            yield _of_host(
                name,
                Severity.WARNING,
                f'{side}-build',
                f'the {side} is manila {build} on {name}, but {usual} on '
                f'{usual_name}',
                'Install the same packages on every host, or merge the '
                'reports of each kind separately.',
            )
    if report.tool != typical.tool:
        yield _of_host(
            name,
            Severity.WARNING,
            'version',
            f'the report of {name} was made by {_tool(report)}, the '
            f'others by {_tool(typical)}',
            'Install the same version on every host.',
        )
    if (
        report.database
        and typical.database
        and _held(report.database) != _held(typical.database)
    ):
        yield _of_host(
            name,
            Severity.FAILURE,
            'database',
            f'{name} has {_database(report.database)}, the others have '
            f'{_database(typical.database)}',
            f'Compare [database] connection of {name} with that of the '
            'others.',
        )


def _tool(report: model.Report) -> str:
    catalog = report.tool.catalog
    facts = f' with the facts of manila {catalog}' if catalog else ''
    return f'{report.tool.name} {report.tool.version}{facts}'


def _held(read: Optional[model.DatabaseRead]) -> Optional[model.DatabaseRead]:
    """Return a database without the dump that it was restored from."""
    return None if read is None else read._replace(dump=None)


def _database(read: model.DatabaseRead) -> str:
    if read.revision is not None:
        state = f'at revision {read.revision}'
    else:
        state = 'that is empty' if read.empty else 'without a single revision'
    return f'a {read.dialect} database {state}'


def _of_host(
    name: str,
    severity: Severity,
    aspect: str,
    message: str,
    advice: str,
    kind: str = 'host',
) -> model.Finding:
    return model.Finding(
        severity,
        model.Subject(kind, name),
        message,
        (model.advice(advice),),
        check_id=HOSTS,
        aspect=aspect,
    )


def _too_little(
    name: str, report: model.Report, checks: Collection[str]
) -> Iterator[model.Finding]:
    """Yield a finding if a report lacks results of some checks."""
    lacking = sorted(set(checks) - {one.id for one in report.checks})
    none_applied = bool(checks) and all(
        one.outcome is Outcome.NOT_APPLICABLE
        for one in report.checks
        if one.id in checks
    )
    if not report.checks or (none_applied and not lacking):
        what = 'no check that applied' if report.checks else 'no checks'
        yield _of_host(
            name,
            Severity.FAILURE,
            'nothing',
            f'the report of {name} has {what}: nothing was checked there',
            f'Run all checks on {name}, then merge again.',
        )
    elif lacking:
        yield _of_host(
            name,
            Severity.WARNING,
            'checks',
            f'the report of {name} has no result of {wording.join(lacking)}: '
            'their findings there are not known',
            f'Run all checks on {name}, with the version that is '
            'installed here and without --check and --skip.',
        )


def _unknown_upgrade(
    name: str, report: model.Report
) -> Iterator[model.Finding]:
    """Yield a finding for an unknown release, or an unreported downgrade."""
    source, target = report.source_release, report.target_release
    try:
        before = _release(source, report.source_facts)
        back = _release(target, report.target_facts) < before
    except exceptions.UsageError:
        what = f'this manila-precheck knows {releases.known_range()}'
    else:
        if not back or report.code == Severity.FAILURE:
            return
        what = 'nothing in it says that this is a downgrade'
    yield _of_host(
        name,
        Severity.FAILURE,
        'unknown',
        f'the report of {name} is of {source!r} to {target!r}, and {what}',
        f'Run the checks on {name} with the version that is installed '
        'here, then merge again.',
    )


def _release(name: str, facts: Optional[model.Facts]) -> releases.Release:
    """Return the source or target release of a report.

    :param facts: where the facts about it come from. They identify a release
        newer than the known ones, and one whose name contains a file.
    :raises UsageError: when the name is not that of a release.
    """
    if facts is not None:
        if name.startswith(f'{facts.build} of '):
            # The report is of an update within a release, with facts of a
            # file.
            name = facts.build
        build = releases.build(facts.build)
        if build.too_new and releases.at(build.numbers[0]).name == name:
            return releases.at(build.numbers[0])
    return releases.parse(name)


def _age(
    name: str,
    report: model.Report,
    now: datetime.datetime,
    max_age_hours: int,
) -> Iterator[model.Finding]:
    """Yield a finding if a report is too old, in the future or undated."""
    limit = datetime.timedelta(hours=max_age_hours)
    if report.created is None:
        if limit:
            yield _of_host(
                name,
                Severity.WARNING,
                'age',
                f'the report of {name} has no date, so its age is not known',
                f'Run the checks on {name} without --reproducible, or '
                'merge with --max-age 0.',
            )
        return
    made = datetime.datetime.fromisoformat(report.created)
    if timestamps.is_ahead(made, now):
        yield _of_host(
            name,
            Severity.WARNING,
            'age',
            f'the report of {name} is from the future: it was made at '
            f'{report.created}, but it is '
            f'{now.isoformat(timespec="seconds")} here',
            f'Correct the clock of {name} or of this machine, and run '
            'the checks there again.',
        )
    elif limit and now - made > limit:
        yield _of_host(
            name,
            Severity.WARNING,
            'age',
            f'the report of {name} was made at {report.created}, more '
            f'than {max_age_hours} hours ago (--max-age)',
            f'Run the checks on {name} again, then merge again.',
        )
