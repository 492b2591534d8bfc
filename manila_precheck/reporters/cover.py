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


"""The first page: what a change board needs to know for its decision."""

from collections.abc import Iterator
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: How many warnings are listed; the rest are counted.
MAX_WARNINGS = 20

#: How many hosts are named; the rest are counted.
MAX_HOSTS = 12

#: The maximum length of the line of a warning, with the title of its check, in
#: characters: that of a line on a printed page.
MAX_LINE = 105

_BACKUP = 'database-backup'


class Warning(NamedTuple):
    """A group of warnings in one line."""

    check: model.CheckResult
    group: grouping.Group
    text: str

    @property
    def findings(self) -> int:
        """Return the number of findings in the group."""
        return len(self.group.findings)


def facts(report: model.Report) -> Iterator[tuple[str, str]]:
    """Yield (label, text) about the upgrade: site, hosts, window, backup."""
    given = 'hidden' if report.redacted_names else 'not given'
    yield 'Site', report.site or given
    yield 'Region', report.region or _regions(report) or given
    yield _hosts(report)
    yield 'Author', report.author or given
    yield 'Date', _date(report.created)
    yield 'From', words.source(report)
    yield 'To', words.target(report)
    yield 'Window', window(report)
    yield 'Backup', backup(report)
    yield 'Way back', _way_back(report)


def _regions(report: model.Report) -> str:
    return ', '.join(sorted({one.region for one in report.hosts} - {''}))


def _hosts(report: model.Report) -> tuple[str, str]:
    if report.hosts:
        names = [
            f'{one.region}/{one.name}' if one.region else one.name
            for one in report.hosts
        ]
        more = len(names) - MAX_HOSTS
        others = f' and {more} more' if more > 0 else ''
        return 'Hosts', f'{", ".join(names[:MAX_HOSTS])}{others}'
    if report.host:
        return 'Host', report.host
    return 'Host', 'hidden' if report.redacted_names else 'not recorded'


def _date(created: Optional[str]) -> str:
    if created is None:
        return 'not recorded'
    return f'{created[:16].replace("T", " ")} UTC'


def window(report: model.Report) -> str:
    """Return how long the services will be down, in words."""
    if report.stage is model.Stage.STOPPED:
        return 'it has begun: the services are down'
    if report.stage is model.Stage.UPGRADED:
        return 'it is over: the services were started'
    found = report.window
    if found is None:
        return 'not known'
    low = words.duration(found.seconds_min)
    high = words.duration(found.seconds_max)
    text = f'{low} to {high}' if found.seconds_max else ''
    steps = words.plural(len(found.unknown), 'step')
    if found.unknown and text:
        return (
            f'{text} for what can be computed, and {steps} to be timed by '
            'hand ("upgrade plan" lists them)'
        )
    if found.unknown:
        return (
            f'not known: {steps} to be timed by hand ("upgrade plan" lists '
            'them)'
        )
    return text or 'not known'


def backup(report: model.Report) -> str:
    """Return what is known about the backup of the database."""
    check = next((c for c in report.checks if c.id == _BACKUP), None)
    if check is None or check.outcome is model.Outcome.NOT_APPLICABLE:
        if report.stage is model.Stage.PLAN:
            return (
                'not checked yet: it is made in the window, and checked at '
                'stage stopped'
            )
        return 'not checked'
    if check.outcome is model.Outcome.PASSED:
        return 'checked: complete, recent and of this database'
    if check.outcome is model.Outcome.ERROR:
        return f'could not be checked: {check.reason}'
    if check.outcome is model.Outcome.SKIPPED:
        return f'not checked: {check.reason}'
    worst = check.findings[0]
    more = len(check.findings) - 1
    others = f' (and {words.plural(more, "finding")} more)' if more else ''
    let_pass = '' if worst.counts else f'; {words.why_passed(worst)}'
    return f'{worst.severity.name}: {worst.message}{others}{let_pass}'


def _way_back(report: model.Report) -> str:
    if report.stage is model.Stage.UPGRADED:
        return (
            'only by restoring the backup of the database: what was written '
            'since is lost'
        )
    return (
        'before "manila-manage db sync", start the services of '
        f'{report.source_release} again; after it, only by restoring the '
        'backup of the database'
    )


def warnings(report: model.Report) -> list[Warning]:
    """Return the warnings, a line for each group, in the order of checks."""
    return [
        Warning(check, group, _line(check, group))
        for check in report.checks
        for group in grouping.groups(check.findings, model.Severity.WARNING)
    ]


def _line(check: model.CheckResult, group: grouping.Group) -> str:
    first = group.first
    name, _place = words.subject_of(first.subject)
    more = len(group.findings) - 1
    start = '' if words.names_subject(first) and not more else name
    if more:
        start += f' and {more} more'
    text = plain.one_line(': '.join(filter(None, (start, first.message))))
    room = max(MAX_LINE - len(plain.one_line(check.title)), MAX_LINE // 2)
    if len(text) <= room:
        return text
    return f'{text[:room].rpartition(" ")[0] or text[:room]} ...'


def skipped(report: model.Report) -> list[model.CheckResult]:
    """Return the skipped checks, each of which counts as a warning."""
    return [
        check
        for check in report.checks
        if check.outcome is model.Outcome.SKIPPED
    ]
