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

"""Show the hosts of a merged report and the earlier runs.

There are pictures, tables and a summary in words.
"""

import collections
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional
from typing import Union

from manila_precheck import model
from manila_precheck.reporters import figure
from manila_precheck.reporters import words

#: How many hosts a page names; those that block come first.
MAX_HOSTS = 200

#: How many regions, and how many runs, a picture draws.
MAX_REGIONS = 30
MAX_RUNS = 24

_TALL = 120

# The code of a host's report (None without one), its CSS class and its text.
_STATES: tuple[tuple[Optional[int], str, str], ...] = (
    (2, 'failure', 'with failures'),
    (None, 'unknown', 'without a report'),
    (1, 'warning', 'with warnings'),
    (0, 'live', 'ready'),
)


class _Region(NamedTuple):
    """The hosts of one region, by the code of their reports."""

    name: str
    counts: collections.Counter[Optional[int]]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def _regions(report: model.Report) -> list[_Region]:
    found: dict[str, collections.Counter[Optional[int]]] = {}
    for host in report.hosts:
        found.setdefault(host.region, collections.Counter())[host.code] += 1
    return [
        _Region(name or 'all hosts' if len(found) == 1 else name or '-', one)
        for name, one in sorted(found.items())
    ]


def summary(report: model.Report) -> str:
    """Return '12 hosts in 2 regions: 3 with failures, 9 ready'.

    :returns: the words; '' for the report of one host.
    """
    if not report.hosts:
        return ''
    counts = collections.Counter(host.code for host in report.hosts)
    regions = {host.region for host in report.hosts}
    text = words.plural(len(report.hosts), 'host')
    if regions != {''}:
        text += f' in {words.plural(len(regions), "region")}'
    states = [
        f'{counts[code]} {noun}' for code, _, noun in _STATES if counts[code]
    ]
    return f'{text}: {", ".join(states)}'


def host_rows(report: model.Report) -> list[tuple[str, str, str, str]]:
    """Return (host, state, date, file) for the hosts, the worst first.

    :returns: not more than MAX_HOSTS.
    """
    ranks = {code: rank for rank, (code, _, _) in enumerate(_STATES)}
    nouns = {code: noun for code, _, noun in _STATES}
    worst = sorted(
        report.hosts, key=lambda one: (ranks[one.code], one.region, one.name)
    )
    return [
        (
            f'{one.region}/{one.name}' if one.region else one.name,
            nouns[one.code],
            _date(one.created),
            one.file or '',
        )
        for one in worst[:MAX_HOSTS]
    ]


def _date(created: Optional[str]) -> str:
    return 'no date' if created is None else created[:16].replace('T', ' ')


def draw_hosts(report: model.Report) -> Optional[figure.Figure]:
    """Return a picture of the ready hosts by region; None for one host."""
    regions = _regions(report)
    if not regions:
        return None
    drawn = sorted(
        regions,
        key=lambda one: tuple(-one.counts[code] for code, _, _ in _STATES[:3]),
    )[:MAX_REGIONS]
    most = max(one.total for one in drawn)
    left = len(regions) - len(drawn)
    return figure.Figure(
        'hosts',
        'Hosts',
        f'{summary(report)}.',
        figure.WIDTH,
        len(drawn) * figure.BAR + 4,
        [
            figure.bar(
                number,
                one.name,
                f'{one.counts[0]:,} of {one.total:,} ready',
                [(kind, one.counts[code]) for code, kind, _ in _STATES],
                most,
                2,
            )
            for number, one in enumerate(drawn)
        ],
        [(kind, noun) for _, kind, noun in _STATES],
        ('Region', *(noun.capitalize() for _, _, noun in _STATES)),
        [
            (one.name, *(f'{one.counts[code]:,}' for code, _, _ in _STATES))
            for one in regions
        ],
        f'{left} more regions in the table below.' if left else '',
    )


def draw_runs(report: model.Report) -> Optional[figure.Figure]:
    """Return a picture of failures and warnings by run; None for one run."""
    if not report.runs:
        return None
    runs = [*report.runs, report.run]
    drawn = runs[-MAX_RUNS:]
    first, last = runs[0], runs[-1]
    return figure.Figure(
        'runs',
        'Trend over runs',
        f'{words.plural(last.failures, "failure")} and '
        f'{words.plural(last.warnings, "warning")} now; '
        f'{first.failures} and {first.warnings} in the first of {len(runs)} '
        'runs.',
        figure.WIDTH,
        _TALL + 20,
        list(_columns(drawn)),
        [('failure', 'failures'), ('warning', 'warnings')],
        ('Made', 'Upgrade', 'Stage', 'Hosts', 'Failures', 'Warnings', 'Notes'),
        [
            (
                _date(one.created),
                f'{one.source_release} to {one.target_release}',
                one.stage.value,
                f'{one.hosts:,}',
                f'{one.failures:,}',
                f'{one.warnings:,}',
                f'{one.notes:,}',
            )
            for one in runs
        ],
        '',
    )


def _columns(
    runs: Sequence[model.RunRead],
) -> Iterator[list[Union[figure.Rect, figure.TextLine]]]:
    """Yield a column for each run, with failures below warnings."""
    most = max(max(one.failures + one.warnings for one in runs), 1)
    step = figure.WIDTH / max(len(runs), 6)
    for number, one in enumerate(runs):
        left, bottom = number * step, float(_TALL)
        parts: list[Union[figure.Rect, figure.TextLine]] = []
        for count, kind in (
            (one.failures, 'failure'),
            (one.warnings, 'warning'),
        ):
            height = count * (_TALL - 20) / most
            if count:
                parts.append(
                    figure.Rect(
                        left + 2, bottom - height, step - 6, height, kind
                    )
                )
            bottom -= height
        yield parts
    yield [
        figure.TextLine(0, _TALL + 14, _date(runs[0].created)[:10], 'name'),
        figure.TextLine(
            figure.WIDTH, _TALL + 14, _date(runs[-1].created)[:10], 'figure'
        ),
    ]
