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

"""The report for a terminal.

Prose is indented and wrapped. A command is indented and never wrapped. Lines
for a configuration or policy file begin at the left margin, because
oslo.config reads an indented line as the continuation of the one before it.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import itertools
from typing import NamedTuple
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import base
from manila_precheck.reporters import blocking
from manila_precheck.reporters import fleet
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: The width when the caller does not know a terminal.
DEFAULT_WIDTH = 80
#: On a narrower terminal, lines overflow.
MIN_WIDTH = 40
#: The maximum width: longer lines of prose are hard to read.
MAX_WIDTH = 120
#: How many lines a report may have before notes and warnings are shortened.
MAX_LINES = 120
#: How many lines the end of a report may have: what blocks, and the verdict.
MAX_CLOSING_LINES = 25
#: How many INFO findings of one check are shown; the rest are counted.
MAX_NOTES = 5
#: How many objects of a group are named; the rest are counted.
MAX_NAMED = 500
#: How many commands of one step are shown; the rest are counted.
MAX_TEXTS = 20
#: How many ready-made waivers are shown; the rest are counted.
MAX_WAIVERS = 30
_Severity = model.Severity
_Outcome = model.Outcome

# The parameters of Select Graphic Rendition (ANSI colours) for each outcome.
_SGR = {
    'FAILURE': '1;31',
    'ERROR': '1;31',
    'WARNING': '33',
    'SKIPPED': '33',
    'PASSED': '32',
    'INFO': '36',
    'WAIVED': '36',
    'IN BASELINE': '36',
    'N/A': '2',
}

_SEVERITY_SGR = ('1;32', '1;33', '1;31')


class _Detail(NamedTuple):
    """The level of detail for what does not block the upgrade."""

    every: bool = False
    """Whether to show each finding by itself, with its references, instead of
    groups and counts."""

    notes: bool = True
    """Whether to list the notes, instead of only counting them."""

    cut: int = 0
    """The number of lines of a warning; 0 to show it in full, with its
    remedy."""


_EVERYTHING = _Detail(every=True)

# The first level whose output fits into MAX_LINES is used, else the last one.
_LEVELS = (
    _Detail(),
    _Detail(notes=False),
    _Detail(notes=False, cut=2),
    _Detail(notes=False, cut=1),
)


class TableReporter(base.Reporter):
    """The verdict, a line for each check, and what to do, in plain text."""

    name = 'table'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the table, with escapes for what the encoding lacks."""
        width = min(max(width or DEFAULT_WIDTH, MIN_WIDTH), MAX_WIDTH)
        encoding = getattr(stream, 'encoding', None) or 'utf-8'
        for line in self._lines(report, width, color):
            safe = line.encode(encoding, 'backslashreplace').decode(encoding)
            stream.write(f'{safe}\n')

    def _lines(
        self, report: model.Report, width: int, color: bool
    ) -> Iterator[str]:
        """Return the lines with as much detail as fits."""

        def made(detail: _Detail) -> Iterator[str]:
            table = _Table(report, width, color, detail, self.show_waivers)
            return _without_empty(table.lines())

        if self.verbose:
            return made(_EVERYTHING)
        for detail in _LEVELS[:-1]:
            lines = list(itertools.islice(made(detail), MAX_LINES + 1))
            if len(lines) <= MAX_LINES:
                return iter(lines)
        return made(_LEVELS[-1])


def _without_empty(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, with several consecutive empty ones as one."""
    previous = ''
    for line in lines:
        if line or previous:
            yield line
        previous = line


class _Table:
    """The lines of one report at one width."""

    def __init__(
        self,
        report: model.Report,
        width: int,
        color: bool,
        detail: _Detail,
        show_waivers: bool,
    ) -> None:
        self._report = report
        self._width = width
        self._color = color
        self._detail = detail
        self._show_waivers = show_waivers

    def lines(self) -> Iterator[str]:
        yield from self._head()
        yield ''
        yield from self._summary()
        for severity, title, meaning in words.SECTIONS:
            yield from self._section(severity, title, meaning)
        yield from self._let_pass()
        if self._show_waivers:
            yield from self._waivers()
        yield ''
        foot = list(self._foot())
        yield from self._blocking(MAX_CLOSING_LINES - len(foot) - 1)
        yield ''
        yield from foot

    def _paint(self, text: str, sgr: str) -> str:
        return f'\x1b[{sgr}m{text}\x1b[0m' if self._color else text

    def _head(self) -> Iterator[str]:
        report = self._report
        word, _todo = words.verdict(self._report)
        path = (
            f'{words.release(report.source_release)} -> '
            f'{words.release(report.target_release)}'
        )
        first, *others = plain.wrap(f'{word}: {path}', self._width, rest='  ')
        sgr = _SEVERITY_SGR[report.code]
        yield self._paint(first, sgr)
        for line in others:
            yield self._paint(line, sgr)
        yield ''
        for label, text in self._facts():
            yield from plain.wrap(text, self._width, f'{label:<12}')
        yield from self._files()
        for label, (names, paths_of) in zip(
            itertools.chain(['Services'], itertools.repeat('')),
            words.services(report),
        ):
            yield from plain.wrap(
                f'{names}: {paths_of}', self._width, f'{label:<12}'
            )

    def _files(self) -> Iterator[str]:
        paths = [plain.neutralise(file.path) for file in self._report.files]
        if not self._detail.every and paths:
            # Lines break only between paths.
            joined = ', '.join(paths)
            yield from plain.wrap(joined, self._width, f'{"Files":<12}')
            return
        for label, path in zip(
            itertools.chain(['Files'], itertools.repeat('')),
            # A merged report has no files: they differ between hosts.
            paths or ([] if self._report.hosts else ['none was read']),
        ):
            yield f'{label:<12}{path}'

    def _facts(self) -> Iterator[tuple[str, str]]:
        report = self._report
        yield 'From', words.source(report)
        target = words.target(report)
        if report.target_assumed:
            target += ' (--target-release names another)'
        yield 'To', target
        yield 'Stage', words.STAGES[report.stage]
        if report.hosts:
            yield 'Hosts', fleet.summary(report)
        if report.root:
            yield 'Bundle', report.root
        yield 'Database', words.database(report.database)
        yield from words.rehearsal(report)
        tool = report.tool
        yield 'Tool', f'{tool.name} {tool.version}'
        for label, (release, facts) in zip(
            itertools.chain(['Catalog'], itertools.repeat('')),
            words.facts(report),
        ):
            yield label, f'{release}: {facts}' if release else facts
        let_pass = words.let_pass(report)
        if let_pass:
            yield 'Suppressed', let_pass
        if report.excluded:
            yield 'Left out', ', '.join(report.excluded)

    def _summary(self) -> Iterator[str]:
        rows = words.check_rows(self._report)
        short = {} if self._detail.every else dict(self._short(rows))
        rows = [row for row in rows if row.check.outcome not in short]
        names = max(
            (plain.cells(plain.neutralise(row.name)) for row in rows),
            default=0,
        )
        for row in rows:
            word = words.word(row.check)
            start = f'{word:<9}{plain.pad(plain.neutralise(row.name), names)}'
            rest = ' ' * (plain.cells(start) + 2)
            note = row.note
            painted = self._paint(word, _SGR[word]) + start[len(word) :]
            if self._width - len(rest) < 24 and note:
                yield painted.rstrip(' ')
                yield from plain.wrap(note, self._width, ' ' * 9)
                continue
            for line in plain.wrap(note, self._width, rest):
                yield (painted + line[len(rest) - 2 :]).rstrip(' ')
                painted = ' ' * (len(rest) - 2)
        for outcome, text in short.items():
            word = words.OUTCOME_WORDS[outcome]
            first, *others = plain.wrap(text, self._width, f'{word:<9}')
            yield self._paint(word, _SGR[word]) + first[len(word) :]
            yield from others

    def _short(
        self, rows: Sequence[words.SummaryRow]
    ) -> Iterator[tuple[model.Outcome, str]]:
        """Yield the outcomes whose checks share one line, with its text.

        These are PASSED and, if notes are only counted, N/A.
        """
        outcomes = [_Outcome.PASSED]
        if not self._detail.notes:
            outcomes.append(_Outcome.NOT_APPLICABLE)
        for outcome in outcomes:
            checks = [
                check
                for row in rows
                for check in row.checks
                if check.outcome is outcome
            ]
            if len(checks) > 1:
                text = words.plural(len(checks), 'check')
                if outcome is _Outcome.PASSED:
                    text += f': {", ".join(check.id for check in checks)}'
                else:
                    text += ' (--verbose names them, and why)'
                yield outcome, text

    def _section(
        self, severity: model.Severity, title: str, meaning: str
    ) -> Iterator[str]:
        """Yield the section of the findings of a severity."""
        blocks = [
            (check, groups)
            for check in self._report.checks
            for groups in [grouping.groups(check.findings, severity)]
            if groups
        ]
        failed = (
            grouping.failed(self._report.checks)
            if severity is _Severity.FAILURE
            else []
        )
        count = len(failed) + sum(
            len(group.findings) for _, groups in blocks for group in groups
        )
        if not count:
            return
        yield ''
        heading = self._paint(f'{title} ({count})', _SEVERITY_SGR[severity])
        if severity is _Severity.INFO and not self._detail.notes:
            yield f'{heading}: --verbose lists them'
            return
        if severity is _Severity.WARNING and self._detail.cut:
            yield f'{heading}: --verbose has each with what to do'
            for check, groups in blocks:
                for group in groups:
                    yield from self._shortened(check, group)
            return
        yield heading
        if self._detail.every:
            yield from plain.wrap(meaning, self._width, '  ')
        if self._detail.cut:
            # Instead of a heading, the id of the check precedes the subject.
            for one in failed:
                yield from self._failed(one)
            for check, groups in blocks:
                yield from self._groups(groups, f'{check.id}: ')
            return
        for one in failed:
            yield ''
            yield from self._failed(one)
        for check, groups in blocks:
            yield ''
            name = f' ({check.id})' if check.id != check.title else ''
            yield from plain.wrap(
                f'{check.title}{name}', self._width, '', '  '
            )
            if severity is _Severity.INFO:
                yield from self._notes(groups)
            else:
                yield from self._groups(groups)

    def _failed(self, one: grouping.Failed) -> Iterator[str]:
        """Yield the checks that could not run for the same reason."""
        check = one.first
        name = f' ({check.id})' if check.id != check.title else ''
        title = f'{check.title}{name}'
        if len(one.checks) > 1:
            title = one.name
        yield from plain.wrap(title, self._width, '', '  ')
        yield from plain.wrap(
            f'could not run: {check.reason}', self._width, '  * '
        )
        if len(one.checks) > 1:
            yield from plain.wrap(
                ', '.join(other.id for other in one.checks),
                self._width,
                '    ',
            )
        yield from self._remedies(one.steps, 1)

    def _groups(
        self, groups: Iterable[grouping.Group], title: str = ''
    ) -> Iterator[str]:
        """Yield groups of findings; what is the same in a group comes once.

        :param title: a prefix for the name of each subject.
        """
        for references, cited in itertools.groupby(
            groups, key=lambda group: group.references
        ):
            for group in cited:
                if self._detail.every:
                    for finding in group.findings:
                        yield from self._finding(finding)
                else:
                    yield from self._members(group, title)
                yield from self._remedies(group.steps, len(group.findings))
            for reference in () if self._detail.cut else references:
                yield from plain.wrap(
                    f'See: {reference}', self._width, '    ', '      '
                )

    def _members(self, group: grouping.Group, title: str) -> Iterator[str]:
        """Yield the subjects and messages of a group."""
        table = words.figures(group)
        if table:
            yield f'  * {title}{words.objects(group)}'
            yield from self._figures(table)
            return
        for same in grouping.alike(group.findings):
            yield from self._finding(same[0], title)
            if len(same) > 1:
                named = words.members(same[1:], MAX_NAMED)
                yield from plain.wrap(
                    f'Likewise {len(same) - 1} more: {named}',
                    self._width,
                    '    ',
                )

    def _figures(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """Yield the lines of a table with a name and numbers in each row."""
        columns = list(zip(*rows))
        widths = [max(map(plain.cells, column)) for column in columns]
        # Leave out columns that do not fit.
        while len(widths) > 2 and 2 + sum(widths) + 2 * len(widths) > (
            self._width
        ):
            widths.pop()
        for row in rows[: MAX_NAMED + 1]:
            numbers = (
                ' ' * (width - plain.cells(text)) + text
                for text, width in zip(row[1:], widths[1:])
            )
            yield '  '.join(['   ', plain.pad(row[0], widths[0]), *numbers])
        more = len(rows) - MAX_NAMED - 1
        if more > 0:
            yield f'    and {more} more (--format json lists all)'

    def _finding(
        self, finding: model.Finding, title: str = ''
    ) -> Iterator[str]:
        name, place = words.subject_of(finding.subject)
        start = f'  * {title}{name}'
        together = f'{start}  {place}'.rstrip(' ')
        if plain.cells(together) <= self._width:
            yield together
        else:
            yield start
            if place:
                yield f'    {place}'
        yield from plain.wrap(finding.message, self._width, '    ')

    def _remedies(
        self, steps: Sequence[grouping.RemedyStep], findings: int
    ) -> Iterator[str]:
        """Yield the steps; prose is wrapped, commands and lines are not."""
        above = f'For the {findings} above, ' if findings > 1 else ''
        before = ''
        for kind, group in itertools.groupby(
            steps, key=lambda step: step.kind
        ):
            texts = [text for step in group for text in self._most(step)]
            label = words.REMEDY_LABELS.get(kind, 'Do:')
            if above:
                label = f'{above}{label[0].lower()}{label[1:]}'
            if kind in words.REMEDY_LABELS:
                # Prose that ends in a colon replaces the label.
                if not before.endswith(':'):
                    yield f'    {label}'
                yield from self._verbatim(kind, texts)
            else:
                for text in texts:
                    start = f'{label} ' if not before else ''
                    yield from plain.wrap(
                        f'{start}{text}', self._width, '    '
                    )
                    before = text
            above, before = '', texts[-1]

    def _most(self, step: grouping.RemedyStep) -> list[str]:
        """Return the texts of a step; after MAX_TEXTS of them, a count."""
        more = len(step.texts) - MAX_TEXTS
        if self._detail.every or more <= 0:
            return step.texts
        # Among commands and lines for a file, the count is a comment.
        mark = '# ' if step.kind in words.REMEDY_LABELS else ''
        return [
            *step.texts[:MAX_TEXTS],
            f'{mark}and {more} more (--format json lists all)',
        ]

    def _verbatim(self, kind: str, texts: Iterable[str]) -> Iterator[str]:
        margin, gap = ('      ', []) if kind == 'command' else ('', [''])
        if self._detail.cut:
            # Lines at the left margin need no empty lines around them.
            gap = []
        yield from gap
        for text in texts:
            for line in text.split('\n'):
                safe = plain.neutralise(line).rstrip(' ')
                yield f'{margin}{self._paint(safe, "1")}' if safe else ''
        yield from gap

    def _shortened(
        self, check: model.CheckResult, group: grouping.Group
    ) -> Iterator[str]:
        """Yield the first lines of a group's message, and all its names."""
        first, *others = group.findings
        name, place = words.subject_of(first.subject)
        if not place and not words.names_subject(first):
            place = name
        text = ': '.join(filter(None, (check.id, place, first.message)))
        yield from self._first_lines(text, self._detail.cut)
        if others:
            named = words.members(others, MAX_NAMED)
            yield from plain.wrap(
                f'and {len(others)} more: {named}', self._width, '    '
            )

    def _first_lines(self, text: str, number: int) -> Iterator[str]:
        """Yield at most some lines of an item, with '...' if there is more."""
        lines = list(plain.wrap(plain.one_line(text), self._width, '  * '))
        yield from lines[: number - 1]
        last = lines[number - 1 : number]
        for line in last if len(lines) <= number else ():
            yield line
        for line in last if len(lines) > number else ():
            while plain.cells(line) + 4 > self._width and ' ' in line[4:]:
                line = line.rpartition(' ')[0]
            yield f'{line} ...'

    def _notes(self, groups: Sequence[grouping.Group]) -> Iterator[str]:
        shown = 0
        for group in groups:
            table = () if self._detail.every else words.figures(group)
            if table:
                yield f'  - {words.objects(group)}'
                yield from self._figures(table)
                shown += len(group.findings)
                continue
            for finding in group.findings:
                if shown >= MAX_NOTES and not self._detail.every:
                    break
                yield from self._note(finding)
                shown += 1
        more = sum(len(group.findings) for group in groups) - shown
        if more > 0:
            yield f'  - and {more} more (--verbose lists all)'

    def _note(self, finding: model.Finding) -> Iterator[str]:
        name, place = words.subject_of(finding.subject)
        start = (
            place
            if words.names_subject(finding)
            else f'{name} {place}'.rstrip(' ')
        )
        if start:
            start += ': '
        hint = words.hint(finding)
        text = f'{start}{finding.message}'
        if hint and not self._detail.every:
            text += f'. {hint}'
        yield from plain.wrap(text, self._width, '  - ')
        if self._detail.every:
            yield from self._remedies(
                grouping.each_step(finding.remediation),
                1,
            )

    def _let_pass(self) -> Iterator[str]:
        """Yield the waived and known findings, with the reasons."""
        found = words.passed(self._report)
        if not found:
            return
        yield ''
        yield f'SUPPRESSED ({len(found)})'
        yield from plain.wrap(
            'they do not affect the exit code (remedies: --format json)',
            self._width,
            '  ',
        )
        yield ''
        for finding in found:
            yield from plain.wrap(
                f'{finding.severity.name} {finding.key}', self._width, '  * '
            )
            yield from plain.wrap(finding.message, self._width, '    ')
            yield from plain.wrap(
                words.why_passed(finding), self._width, '    '
            )

    def _waivers(self) -> Iterator[str]:
        """Yield the entries that would waive the findings above."""
        found = words.to_waive(self._report)
        if not found:
            return
        yield ''
        yield 'TO WAIVE'
        yield from plain.wrap(
            "add a line below 'waivers:' in a file for --waivers, with a "
            'reason and an owner',
            self._width,
            '  ',
        )
        yield ''
        for finding in found[:MAX_WAIVERS]:
            yield plain.neutralise(words.waiver(finding, self._report))
        more = len(found) - MAX_WAIVERS
        if more > 0:
            yield f'and {more} more (--format json lists all)'

    def _blocking(self, room: int) -> Iterator[str]:
        """Yield what blocks, again, at the end of a terminal's or log's text.

        :param room: the number of lines. Each cause has one line, and the
            first ones also their first step; the rest are counted.
        """
        blockers = blocking.blocking(self._report)
        if not blockers:
            return
        failures = sum(one.failures for one in blockers)
        heading = f'WHAT BLOCKS ({failures})'
        yield self._paint(heading, _SEVERITY_SGR[_Severity.FAILURE])
        room -= 1
        # Each has at least one line, so no more than these fit.
        near = blockers[: max(room, 2)]
        first = [list(self._blocker(one)) for one in near]
        steps = [list(self._first_step(one.first_step)) for one in near]
        # The first blocker always has its step; the others only if it fits.
        room -= len(steps[0])
        shown = len(first)
        while shown > 1 and sum(map(len, first[:shown])) + (
            shown < len(blockers)
        ) > max(room, 2):
            shown -= 1
        room -= sum(map(len, first[:shown])) + (shown < len(blockers))
        for number in range(shown):
            yield from first[number]
            if number == 0:
                yield from steps[0]
            elif len(steps[number]) <= room:
                room -= len(steps[number])
                yield from steps[number]
        more = sum(one.failures for one in blockers[shown:])
        if more:
            yield f'  * and {more} more (above)'

    def _blocker(self, one: blocking.Blocker) -> Iterator[str]:
        if one.group is None:
            assert one.failed is not None
            text = f'ERROR {one.failed.name}: {one.check.reason}'
            yield from self._first_lines(text, 3)
            return
        name, place = words.subject_of(one.group.first.subject)
        more = len(one.group.findings) - 1
        others = f' and {more} more' if more else ''
        yield f'  * {one.check.id}: {name}{others}  {place}'.rstrip(' ')

    def _first_step(
        self, step: Optional[grouping.RemedyStep]
    ) -> Iterator[str]:
        """Yield a step: a command or lines as they are, or a sentence."""
        if step is None:
            return
        if step.kind in words.REMEDY_LABELS:
            lines = self._verbatim(step.kind, step.texts[:1])
            yield from (line for line in lines if line)
        else:
            text = step.texts[0]
            if text.endswith(':'):
                # The lines that follow the colon are shown only above.
                sentence = text.rpartition('. ')[0] or text[:-1]
                text = f'{sentence.removesuffix(", such as")}.'
            yield from plain.wrap(f'Do: {text}', self._width, '    ')

    def _foot(self) -> Iterator[str]:
        # The code before any threshold: --fail-on may make the exit code 0,
        # but the upgrade is not safer for that.
        report = self._report
        yield from plain.wrap(words.counts(report), self._width, rest='  ')
        _verdict_word, todo = words.verdict(self._report)
        first, *others = plain.wrap(
            f'Code {report.code}: {todo}', self._width, rest='  '
        )
        yield self._paint(first, _SEVERITY_SGR[report.code])
        for line in others:
            yield self._paint(line, _SEVERITY_SGR[report.code])
