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

"""The reports of several controllers, made into one."""

import collections
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import datetime
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.evidence import timestamps

Severity = model.Severity
Outcome = model.Outcome
Reports = Mapping[str, model.Report]

#: The id of the result that says which reports there are.
HOSTS = 'hosts'

#: The id of the result that says where configurations differ.
DRIFT = 'configuration-drift'

#: How many hosts a message names.
MAX_NAMED = 6

#: How many ways of saying one thing are told apart: figures and times may be
#: other ones on each of some hundred hosts.
MAX_WORDINGS = 3

# What is of one host alone, by its nature (manila 22.0.2 common/config.py,
# service.py, share/configuration.py; oslo.log _options.py).
_OF_A_HOST = frozenset(
    (
        'backend_host',
        'bindir',
        'host',
        'log_dir',
        'log_file',
        'my_ip',
        'neutron_host_id',
        'osapi_share_listen',
    )
)

# A deployment may have its back ends on different hosts.
_BACKENDS = 'DEFAULT/enabled_share_backends'

# The files of manila-api, and what they are: each API server answers by its
# own copy.
_OF_THE_API = ('policy', 'paste')


def merge(
    reports: Reports,
    now: datetime.datetime,
    missing: Iterable[str] = (),
    fail_on: str = 'warning',
    max_age_hours: int = 0,
    checks: Collection[str] = (),
) -> model.Report:
    """Return one report that says what each of several says.

    What several hosts found is there once; where not all of them did, the
    message and the data say which. What a check could not look at on one host
    is a finding of that check. The result 'configuration-drift' has the
    options and the files that differ, the result 'hosts' the hosts without a
    report and the reports that say too little: of another upgrade, too old,
    without some of the checks. A waiver that has expired since holds no more.

    :param reports: by the name of the host; at least one.
    :param now: the time of merging, with a time zone.
    :param missing: the hosts of which a report was expected.
    :param fail_on: as ``--fail-on``.
    :param max_age_hours: how old a report may be; 0 for any age.
    :param checks: the ids that each report has to have a result of.
    :returns: a report without files, services and settings: they are the
            hosts' own.
        It is as old as the oldest one.
    """
    names = sorted(reports)
    as_written, reports = reports, _without_expired(reports, now.date())
    by_check: dict[str, dict[str, model.CheckResult]] = {}
    for name in names:
        for result in reports[name].checks:
            by_check.setdefault(result.id, {})[name] = result
    results = {
        check_id: _merged(of_hosts, names)
        for check_id, of_hosts in by_check.items()
    }
    of_hosts = (
        *_expired(as_written, now.date()),
        *_host_findings(reports, sorted(missing)),
        *_too_little(reports, checks),
        *_unknown_upgrades(reports),
        *_ages(reports, now, max_age_hours),
        *_copies(reports),
        *_of_one_machine(reports),
    )
    for own in (
        _own(HOSTS, 'Hosts', of_hosts),
        _own(
            DRIFT,
            'Configuration drift',
            (*_option_drift(reports), *_file_drift(reports)),
        ),
    ):
        # A report that was merged before has results of these names already.
        before = results.get(own.id)
        results[own.id] = _own(
            own.id,
            own.title,
            (before.findings if before else ()) + own.findings,
        )
    databases = {_held(report.database) for report in reports.values()} - {
        None
    }
    dates = [report.created for report in reports.values()]
    return reports[_typical(reports)]._replace(
        files=(),
        services=(),
        settings=(),
        host='',
        fail_on=fail_on,
        created=min(
            (date for date in dates if date is not None),
            key=datetime.datetime.fromisoformat,
        )
        if None not in dates
        else None,
        backends=tuple(
            sorted({one for name in names for one in reports[name].backends})
        ),
        database=databases.pop() if len(databases) == 1 else None,
        checks=tuple(results[check_id] for check_id in sorted(results)),
        sampled=any(report.sampled for report in reports.values()),
        excluded=tuple(
            sorted({one for name in names for one in reports[name].excluded})
        ),
    )


def _join(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f'{", ".join(names[:-1])} and {names[-1]}'


def _where(hosts: Sequence[str], total: Optional[Sequence[str]] = None) -> str:
    """Return which hosts, in words that a reader gets to the end of.

    :param hosts: sorted; the data of a finding has all of them.
    :param total: the hosts that there are, to name those that are not among
        them where they are few.
    """
    if len(hosts) <= MAX_NAMED:
        return _join(hosts)
    some = _join(hosts[:3])
    if total is None:
        return f'{len(hosts)} hosts, such as {some}'
    others = [name for name in total if name not in hosts]
    if len(others) <= MAX_NAMED:
        return f'all {len(total)} hosts but {_join(others)}'
    return f'{len(hosts)} of {len(total)} hosts, such as {some}'


# -- the results of one check ------------------------------------------------


def _merged(
    results: Mapping[str, model.CheckResult], names: Sequence[str]
) -> model.CheckResult:
    """Return what a check says on all of the hosts.

    :param results: by host; a host that left the check out has none.
    """
    first = next(iter(results.values()))
    states = {(one.outcome, one.reason) for one in results.values()}
    findings = list(_findings(results, names))
    seconds = max(one.seconds for one in results.values())
    if len(states) == 1:
        return first._replace(findings=_sorted(findings), seconds=seconds)
    for name, one in results.items():
        if one.outcome in (Outcome.ERROR, Outcome.SKIPPED):
            findings.append(_did_not_look(name, one))
    outcomes = {one.outcome for one in results.values()}
    if findings:
        outcome = Outcome.FOUND
    elif Outcome.PASSED in outcomes:
        outcome = Outcome.PASSED
    else:
        outcome = Outcome.NOT_APPLICABLE
    return first._replace(
        outcome=outcome,
        reason='',
        findings=_sorted(findings),
        seconds=seconds,
    )


def _findings(
    results: Mapping[str, model.CheckResult], names: Sequence[str]
) -> Iterator[model.Finding]:
    seen: dict[Any, dict[str, tuple[model.Finding, set[str]]]] = {}
    for name, one in results.items():
        for finding in one.findings:
            # What is waived on one host counts on another.
            key = finding.key, finding.severity, finding.waiver, finding.known
            wordings = seen.setdefault(key, {})
            wordings.setdefault(finding.message, (finding, set()))[1].add(name)
    for wordings in seen.values():
        if len(wordings) <= MAX_WORDINGS:
            for finding, hosts in wordings.values():
                yield _on(finding, hosts, names)
            continue
        finding, _hosts = max(
            wordings.values(), key=lambda item: (len(item[1]), item[0].message)
        )
        hosts = set().union(*(found for _, found in wordings.values()))
        message = f'{finding.message} (and similar: {len(wordings)} wordings)'
        yield _on(finding._replace(message=message), hosts, names)


def _on(
    finding: model.Finding, hosts: set[str], names: Sequence[str]
) -> model.Finding:
    found = sorted(hosts)
    message = finding.message
    if len(found) < len(names):
        message = f'{message} (on {_where(found, names)})'
    return finding._replace(
        message=message,
        data={**finding.data, 'hosts': ','.join(found)},
    )


def _did_not_look(name: str, one: model.CheckResult) -> model.Finding:
    failed = one.outcome is Outcome.ERROR
    return model.Finding(
        Severity.FAILURE if failed else Severity.WARNING,
        model.Subject('host', name),
        f'{"error" if failed else "skipped"} on {name}: {one.reason}',
        check_id=one.id,
        data={'hosts': name},
        aspect=one.outcome.value,
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


# -- the hosts ---------------------------------------------------------------


def _what(report: model.Report) -> tuple[str, str, str]:
    return report.source_release, report.target_release, report.stage.value


def _typical(reports: Reports) -> str:
    """Return a host whose report is of the upgrade that most are of."""
    counts = collections.Counter(_what(one) for one in reports.values())
    return min(reports, key=lambda name: (-counts[_what(reports[name])], name))


def _host_findings(
    reports: Reports, missing: Sequence[str]
) -> Iterator[model.Finding]:
    for name in missing:
        yield _of_host(
            name,
            Severity.FAILURE,
            'missing',
            f'there is no report of {name}: nothing was checked there',
            f'Run the checks on {name}, then merge again.',
        )
    typical = reports[_typical(reports)]
    for name, report in sorted(reports.items()):
        source, target, stage = _what(report)
        if _what(report) != _what(typical):
            yield _of_host(
                name,
                Severity.FAILURE,
                'upgrade',
                f'the report of {name} is for {source} to {target} at stage '
                f'{stage}, the others are for {typical.source_release} to '
                f'{typical.target_release} at stage {typical.stage.value}',
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
                    f'{_typical(reports)}',
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
    """Return what a database holds, wherever it was read from."""
    return None if read is None else read._replace(dump=None)


def _database(read: model.DatabaseRead) -> str:
    if read.revision is not None:
        held = f'at revision {read.revision}'
    else:
        held = 'that is empty' if read.empty else 'without a single revision'
    return f'a {read.dialect} database {held}'


def _of_host(
    name: str,
    severity: Severity,
    aspect: str,
    message: str,
    advice: str,
) -> model.Finding:
    return model.Finding(
        severity,
        model.Subject('host', name),
        message,
        (model.advice(advice),),
        check_id=HOSTS,
        aspect=aspect,
    )


def _too_little(
    reports: Reports, checks: Collection[str]
) -> Iterator[model.Finding]:
    """Yield the reports that do not have what the merged one speaks of."""
    for name, report in sorted(reports.items()):
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
                f'the report of {name} has no result of {_join(lacking)}: '
                'their findings there are not known',
                f'Run all checks on {name}, with the version that is '
                'installed here and without --check and --skip.',
            )


def _unknown_upgrades(reports: Reports) -> Iterator[model.Finding]:
    """Yield the reports of an upgrade that nobody here can have judged."""
    for name, report in sorted(reports.items()):
        source, target = report.source_release, report.target_release
        try:
            before = _release(source, report.source_facts)
            back = _release(target, report.target_facts) < before
        except exceptions.UsageError:
            what = f'this manila-precheck knows {releases.known_range()}'
        else:
            if not back or report.code == Severity.FAILURE:
                continue
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
    """Return the release of one side of a report.

    :param facts: what tells of a release beyond those that are known, and
        of one that has the name of a file.
    :raises UsageError: when it is none.
    """
    if facts is not None:
        if name.startswith(f'{facts.build} of '):
            # In an update within a release, from a file or to one.
            name = facts.build
        build = releases.build(facts.build)
        if build.too_new and releases.at(build.numbers[0]).name == name:
            return releases.at(build.numbers[0])
    return releases.parse(name)


def _ages(
    reports: Reports, now: datetime.datetime, max_age_hours: int
) -> Iterator[model.Finding]:
    """Yield the reports that are too old, of the future or without a date."""
    limit = datetime.timedelta(hours=max_age_hours)
    for name, report in sorted(reports.items()):
        if report.created is None:
            if limit:
                yield _of_host(
                    name,
                    Severity.WARNING,
                    'age',
                    f'the report of {name} has no date, so its age is not '
                    'known',
                    f'Run the checks on {name} without --reproducible, or '
                    'merge with --max-age 0.',
                )
            continue
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


def _copies(reports: Reports) -> Iterator[model.Finding]:
    """Yield the reports that are copies of another host's.

    Two runs do not take the same milliseconds for each of their checks;
    reproducible reports have no times, and those of two hosts may be equal.
    """
    first: list[str] = []
    for name, report in sorted(reports.items()):
        if report.created is None:
            continue
        for other in first:
            if reports[other] == report:
                yield _of_host(
                    name,
                    Severity.FAILURE,
                    'copy',
                    f'the report of {name} is the same as that of {other}: '
                    'one of the two hosts was not checked',
                    f'Run the checks on {name} and on {other}, each into a '
                    'separate file.',
                )
                break
        else:
            first.append(name)


def _of_one_machine(reports: Reports) -> Iterator[model.Finding]:
    """Yield the machines that several reports are from.

    A warning: containers on two hosts may have one name.
    """
    found: dict[str, list[str]] = {}
    for name, report in sorted(reports.items()):
        if report.host:
            found.setdefault(report.host, []).append(name)
    for machine, names in sorted(found.items()):
        if len(names) > 1:
            yield model.Finding(
                Severity.WARNING,
                model.Subject('host', machine),
                f'the reports of {_where(names)} were all made on a machine '
                f'named {machine}',
                (
                    model.advice(
                        'Run the checks on each host itself, and give each '
                        'machine its own name.'
                    ),
                ),
                check_id=HOSTS,
                data={'hosts': ','.join(names)},
                aspect='machine',
            )


# -- waivers that have expired -----------------------------------------------


def _has_expired(waiver: model.Waiver, today: datetime.date) -> bool:
    return datetime.date.fromisoformat(waiver.expires) < today


def _without_expired(
    reports: Reports, today: datetime.date
) -> dict[str, model.Report]:
    """Return the reports without the waivers that hold no more."""

    def judged(finding: model.Finding) -> model.Finding:
        if finding.waiver is None or not _has_expired(finding.waiver, today):
            return finding
        return finding._replace(waiver=None)

    return {
        name: report._replace(
            checks=tuple(
                one._replace(findings=tuple(judged(f) for f in one.findings))
                for one in report.checks
            ),
        )
        for name, report in reports.items()
    }


def _expired(
    reports: Reports, today: datetime.date
) -> Iterator[model.Finding]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, report in sorted(reports.items()):
        for waiver in {
            finding.waiver
            for one in report.checks
            for finding in one.findings
            if finding.waiver is not None
        }:
            if _has_expired(waiver, today):
                found.setdefault(
                    (waiver.key, waiver.owner, waiver.expires), []
                ).append(name)
    for (key, owner, expires), hosts in sorted(found.items()):
        yield model.Finding(
            Severity.WARNING,
            model.Subject('waiver', key),
            f'the waiver {key} of {owner}, in the reports of '
            f'{_where(hosts)}, expired on {expires}: the findings that it '
            'waived count again',
            (model.advice('Review it, and set a new date.'),),
            check_id=HOSTS,
            data={'hosts': ','.join(hosts)},
            aspect='expired',
        )


# -- the configuration -------------------------------------------------------


def _option_drift(reports: Reports) -> Iterator[model.Finding]:
    found: dict[str, dict[str, model.SettingRead]] = {}
    for name, report in sorted(reports.items()):
        for setting in report.settings:
            found.setdefault(setting.option, {})[name] = setting
    for option, settings in sorted(found.items()):
        if option.rpartition('/')[2] in _OF_A_HOST:
            continue
        finding = _difference(option, settings)
        if finding is not None:
            yield finding


def _difference(
    option: str, settings: Mapping[str, model.SettingRead]
) -> Optional[model.Finding]:
    values: dict[str, list[str]] = {}
    for name, setting in settings.items():
        values.setdefault(setting.value, []).append(name)
    if len(values) < 2:
        return None
    usual = max(values, key=lambda value: (len(values[value]), value))
    odd = sorted(
        name for value in values if value != usual for name in values[value]
    )
    group, _, name = option.rpartition('/')
    words = '; '.join(
        f'{value!r} on {_where(hosts)}'
        for value, hosts in sorted(
            values.items(), key=lambda item: (-len(item[1]), item[0])
        )
    )
    place = settings[odd[0]]
    return model.Finding(
        Severity.INFO if option == _BACKENDS else Severity.WARNING,
        model.Subject('option', option, place.file, place.line),
        f'[{group}] {name} is {words}',
        (
            model.advice(
                'Set it to one value on every host, unless the difference is '
                'intended.'
            ),
        ),
        check_id=DRIFT,
        data={'hosts': ','.join(odd)},
    )


def _file_drift(reports: Reports) -> Iterator[model.Finding]:
    """Yield the files that are not the same on each host that reads them.

    A configuration file may well have a host's own address or back ends in
    it, and its options are compared by themselves. The files of the API may
    not: and a host that has one of them lacks the other where it has none.
    """
    found: dict[str, dict[str, str]] = {}
    kinds: dict[str, str] = {}
    with_api = set()
    for name, report in sorted(reports.items()):
        for file in report.files:
            kind = file.kind or _kind(file.path)
            if kind in _OF_THE_API:
                kinds[file.path] = kind
            else:
                kinds.setdefault(file.path, kind)
            found.setdefault(file.path, {})[name] = file.sha256
            if kind in _OF_THE_API:
                with_api.add(name)
    for path, digests in sorted(found.items()):
        of_api = kinds[path] in _OF_THE_API
        for name in with_api if of_api else ():
            digests.setdefault(name, '')
        if len(set(digests.values())) > 1:
            yield _different(path, digests, of_api)


def _kind(path: str) -> str:
    """Return what a file is read as, in a report that does not say."""
    name = path.rpartition('/')[2]
    for kind in _OF_THE_API:
        if kind in name:
            return kind
    return 'config'


def _different(
    path: str, digests: Mapping[str, str], of_api: bool
) -> model.Finding:
    """Return what is to say of a file that differs.

    :param digests: by host; '' where there is no such file.
    """
    hosts: dict[str, list[str]] = {}
    for name, digest in sorted(digests.items()):
        hosts.setdefault(digest, []).append(name)
    without = hosts.pop('', [])
    groups = sorted(hosts.values(), key=lambda names: (-len(names), names))
    parts = []
    if len(groups) > MAX_WORDINGS:
        having = sorted(digests.keys() - set(without))
        parts.append(f'{len(groups)} different ones on {_where(having)}')
    else:
        parts += [
            f'{"another" if number else "one"} on {_where(names)}'
            for number, names in enumerate(groups)
        ]
    if without:
        parts.append(f'none on {_where(without)}')
    message = f'{path} differs: {", ".join(parts)}'
    if of_api:
        message += '; each manila-api uses its own file'
        remedy = f'Install the same {path} on every host with manila-api.'
    else:
        message += (
            '; secret options and lines that are not read are compared only '
            'in this way'
        )
        remedy = f'Compare {path} of these hosts.'
    odd = sorted(digests.keys() - set(groups[0]))
    return model.Finding(
        Severity.WARNING if of_api else Severity.INFO,
        model.Subject('file', path, path),
        message,
        (model.advice(remedy),),
        check_id=DRIFT,
        data={'hosts': ','.join(odd)},
    )
