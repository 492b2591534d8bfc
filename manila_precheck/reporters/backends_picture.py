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
"""Draw a matrix of back ends and checks.

The back end of a finding is in its subject, or in a host in its data.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import re
from typing import Optional
from typing import Union

from manila_precheck import model
from manila_precheck.reporters import figure
from manila_precheck.reporters import words

_CELL = 40
_HEAD = 118
_NAMES = 116

# A host in manila's database is HOST@BACKEND#POOL.
_HOSTED = re.compile(r'@([^@#]+)(?:#|$)')

# The kinds of cells, each with its letter and its text in the legend.
_KINDS = {
    'failure': ('F', 'F: failures'),
    'warning': ('W', 'W: warnings'),
    'info': ('i', 'i: notes'),
    'passed': ('S', 'S: suppressed'),
    'unknown': ('?', '?: could not run'),
    'nothing': ('\u00b7', 'nothing found'),
}

#: The findings of one check about one back end, by (check, back end).
_Cells = Mapping[tuple[str, str], Sequence[model.Finding]]


def draw(report: model.Report) -> Optional[figure.Figure]:
    """Return the picture; None when no back end is known."""
    names = sorted(set(report.backends))
    if not names:
        return None
    cells = _cells(report)
    checks = [
        check
        for check in report.checks
        if any(check.id == key[0] for key in cells)
    ]
    kinds = {
        (check.id, name): _kind(check, cells.get((check.id, name), ()))
        for check in checks
        for name in names
    }
    marked = [
        name
        for name in names
        if {kinds[check.id, name] for check in checks} & {'failure', 'warning'}
    ]
    shown = set(kinds.values())
    return figure.Figure(
        'backends',
        'Back ends',
        f'{len(marked)} of {words.plural(len(names), "enabled back end")} '
        'with failures or warnings that count.',
        max(_NAMES + len(checks) * _CELL + 60, figure.WIDTH),
        _HEAD + len(names) * _CELL,
        [_matrix(names, [check.id for check in checks], kinds)],
        [(kind, text) for kind, (_, text) in _KINDS.items() if kind in shown],
        ('Back end', *(check.id for check in checks)),
        [
            (
                name,
                *(
                    _words(
                        kinds[check.id, name],
                        cells.get((check.id, name), ()),
                    )
                    for check in checks
                ),
            )
            for name in names
        ],
        'For each back end: the results of the checks that report on back '
        'ends.',
    )


def _cells(report: model.Report) -> _Cells:
    known = frozenset(report.backends)
    found: dict[tuple[str, str], list[model.Finding]] = {}
    for check in report.checks:
        for finding in check.findings:
            for name in _backends_of(finding, known):
                found.setdefault((check.id, name), []).append(finding)
    return found


def _backends_of(
    finding: model.Finding, known: frozenset[str]
) -> Iterator[str]:
    """Yield the back ends that a finding names."""
    subject = finding.subject
    named = []
    if subject.kind in ('backend', 'option'):
        named.append(subject.name.partition('/')[0])
    for text in (subject.name, *finding.data.values()):
        if isinstance(text, str) and '@' in text:
            named += _HOSTED.findall(text)
    yield from known & set(named)


def _kind(check: model.CheckResult, found: Sequence[model.Finding]) -> str:
    """Return the kind of a cell: that of the highest severity."""
    counted = [one.severity for one in found if one.counts]
    if counted:
        return max(counted).name.lower()
    if found:
        return 'passed'
    if check.outcome is model.Outcome.ERROR:
        return 'unknown'
    return 'nothing'


def _matrix(
    names: Sequence[str],
    checks: Sequence[str],
    kinds: Mapping[tuple[str, str], str],
) -> list[Union[figure.Rect, figure.TextLine]]:
    parts: list[Union[figure.Rect, figure.TextLine]] = []
    for column, check in enumerate(checks):
        x = _NAMES + column * _CELL + _CELL // 2
        parts.append(figure.TextLine(x, _HEAD - 8, check, 'name', turned=True))
    for number, name in enumerate(names):
        top = _HEAD + number * _CELL
        short = name if len(name) <= 16 else f'{name[:15]}\u2026'
        parts.append(figure.TextLine(0, top + 24, short, 'name'))
        for column, check in enumerate(checks):
            kind = kinds[check, name]
            left = _NAMES + column * _CELL
            parts.append(
                figure.Rect(left + 2, top + 2, _CELL - 4, _CELL - 4, kind)
            )
            parts.append(
                figure.TextLine(
                    left + _CELL // 2,
                    top + 25,
                    _KINDS[kind][0],
                    f'letter on-{kind}',
                )
            )
    return parts


def _words(kind: str, found: Sequence[model.Finding]) -> str:
    """Return the text of a cell for the table."""
    parts = [
        words.plural(number, noun)
        for severity, noun in words.NOUNS.items()
        for number in [sum(words.is_of(one, severity) for one in found)]
        if number
    ]
    passed = sum(not one.counts for one in found)
    if passed:
        parts.append(f'{passed} suppressed')
    if kind == 'unknown':
        parts.append('could not run')
    return ', '.join(parts) or 'nothing found'
