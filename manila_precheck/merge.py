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
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import Optional

from manila_precheck import model

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


def merge(
    reports: Reports,
    missing: Iterable[str] = (),
    fail_on: str = 'warning',
) -> model.Report:
    """Return one report that says what each of several says.

    What several hosts found is there once; where not all of them did, the
    message and the data say which. What a check could not look at on one host
    is a finding of that check. The result 'configuration-drift' has the
    options that have different values, the result 'hosts' the hosts without a
    report and the reports that are of another upgrade.

    :param reports: by the name of the host; at least one.
    :param missing: the hosts of which a report was expected.
    :param fail_on: as ``--fail-on``.
    :returns: a report without files and settings: they are the hosts' own.
    """
    names = sorted(reports)
    by_check: dict[str, dict[str, model.CheckResult]] = {}
    for name in names:
        for result in reports[name].checks:
            by_check.setdefault(result.id, {})[name] = result
    results = {
        check_id: _merged(of_hosts, names)
        for check_id, of_hosts in by_check.items()
    }
    for own in (_of_hosts(reports, sorted(missing)), _drift(reports)):
        # A report that was merged before has results of these names already.
        before = results.get(own.id)
        results[own.id] = _own(
            own.id,
            own.title,
            (before.findings if before else ()) + own.findings,
        )
    databases = {report.database for report in reports.values()} - {None}
    return dataclasses.replace(
        reports[_typical(reports)],
        files=(),
        settings=(),
        fail_on=fail_on,
        backends=tuple(
            sorted({one for name in names for one in reports[name].backends})
        ),
        database=databases.pop() if len(databases) == 1 else None,
        checks=tuple(results[check_id] for check_id in sorted(results)),
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
        return dataclasses.replace(
            first, findings=_sorted(findings), seconds=seconds
        )
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
    return dataclasses.replace(
        first,
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
        message = f'{finding.message} (or so: {len(wordings)} wordings)'
        yield _on(dataclasses.replace(finding, message=message), hosts, names)


def _on(
    finding: model.Finding, hosts: set[str], names: Sequence[str]
) -> model.Finding:
    found = sorted(hosts)
    message = finding.message
    if len(found) < len(names):
        message = f'{message} (on {_where(found, names)})'
    return dataclasses.replace(
        finding,
        message=message,
        data={**finding.data, 'hosts': ','.join(found)},
    )


def _did_not_look(name: str, one: model.CheckResult) -> model.Finding:
    failed = one.outcome is Outcome.ERROR
    return model.Finding(
        one.id,
        Severity.FAILURE if failed else Severity.WARNING,
        model.Subject('host', name),
        f'{"error" if failed else "skipped"} on {name}: {one.reason}',
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


def _of_hosts(reports: Reports, missing: Sequence[str]) -> model.CheckResult:
    return _own(HOSTS, 'Hosts', _host_findings(reports, missing))


def _host_findings(
    reports: Reports, missing: Sequence[str]
) -> Iterator[model.Finding]:
    for name in missing:
        yield model.Finding(
            HOSTS,
            Severity.FAILURE,
            model.Subject('host', name),
            f'there is no report of {name}: nothing was looked at there',
            (model.advice(f'Run the checks on {name}, then merge again.'),),
            aspect='missing',
        )
    typical = reports[_typical(reports)]
    for name, report in sorted(reports.items()):
        source, target, stage = _what(report)
        if _what(report) != _what(typical):
            yield model.Finding(
                HOSTS,
                Severity.FAILURE,
                model.Subject('host', name),
                f'the report of {name} is of {source} to {target} at stage '
                f'{stage}, the others are of {typical.source_release} to '
                f'{typical.target_release} at stage {typical.stage.value}',
                (model.advice(f'Run the checks on {name} as on the others.'),),
                aspect='upgrade',
            )
        if report.tool != typical.tool:
            yield model.Finding(
                HOSTS,
                Severity.WARNING,
                model.Subject('host', name),
                f'the report of {name} is of {report.tool.name} '
                f'{report.tool.version}, the others are of '
                f'{typical.tool.version}',
                (model.advice('Install the same version on every host.'),),
                aspect='version',
            )
        if None not in (report.database, typical.database) and (
            report.database != typical.database
        ):
            assert report.database and typical.database
            yield model.Finding(
                HOSTS,
                Severity.FAILURE,
                model.Subject('host', name),
                f'{name} has a database at revision '
                f'{report.database.revision}, the others have one at '
                f'{typical.database.revision}',
                (
                    model.advice(
                        f'Compare [database] connection of {name} with that '
                        'of the others.'
                    ),
                ),
                aspect='database',
            )


# -- the configuration -------------------------------------------------------


def _drift(reports: Reports) -> model.CheckResult:
    return _own(DRIFT, 'Configuration drift', _drift_findings(reports))


def _drift_findings(reports: Reports) -> Iterator[model.Finding]:
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
        DRIFT,
        Severity.INFO if option == _BACKENDS else Severity.WARNING,
        model.Subject('option', option, place.file, place.line),
        f'[{group}] {name} is {words}',
        (
            model.advice(
                'Give it one value on every host, unless the difference is '
                'meant.'
            ),
        ),
        data={'hosts': ','.join(odd)},
    )
