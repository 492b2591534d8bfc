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

"""The report that an operator reads at a prompt.

Prose is indented and wrapped; a command is indented and never wrapped; lines
of a configuration or policy file stand at the left margin, because oslo.config
reads an indented line as the continuation of the one before it.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import itertools
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import blocking
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: What is assumed when the caller knows no terminal.
DEFAULT_WIDTH = 80
#: Narrower than this, lines overflow.
MIN_WIDTH = 40
#: Longer lines of prose are hard to read, however wide the terminal is.
MAX_WIDTH = 120
#: How many INFO findings of one check are shown; the rest are counted.
MAX_NOTES = 5
#: How many ready-made waivers are shown; the rest are counted.
MAX_WAIVERS = 30

_Severity = model.Severity
_Outcome = model.Outcome

# What Select Graphic Rendition calls the colour of each outcome word.
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
        """Write the table; what the encoding lacks becomes an escape."""
        width = min(max(width or DEFAULT_WIDTH, MIN_WIDTH), MAX_WIDTH)
        encoding = getattr(stream, 'encoding', None) or 'utf-8'
        previous = ''
        for line in _Table(report, width, color).lines():
            if not line and not previous:
                continue
            previous = line
            safe = line.encode(encoding, 'backslashreplace').decode(encoding)
            stream.write(f'{safe}\n')


class _Table:
    """The lines of one report at one width."""

    def __init__(self, report: model.Report, width: int, color: bool) -> None:
        self._report = report
        self._width = width
        self._color = color

    def lines(self) -> Iterator[str]:
        yield from self._head()
        yield ''
        yield from self._summary()
        for severity, title, meaning in words.SECTIONS:
            yield from self._section(severity, title, meaning)
        yield from self._let_pass()
        yield from self._waivers()
        yield from self._blocking()
        yield ''
        yield from self._foot()

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
        paths = [plain.neutralise(file.path) for file in report.files]
        for label, path in zip(
            itertools.chain(['Files'], itertools.repeat('')),
            paths or ['none was read'],
        ):
            yield f'{label:<12}{path}'
        for label, (names, paths_of) in zip(
            itertools.chain(['Services'], itertools.repeat('')),
            words.services(report),
        ):
            yield from plain.wrap(
                f'{names}: {paths_of}', self._width, f'{label:<12}'
            )

    def _facts(self) -> Iterator[tuple[str, str]]:
        report = self._report
        yield 'From', words.source(report)
        target = words.target(report)
        if report.target_assumed:
            target += ' (--target-release names another)'
        yield 'To', target
        yield 'Stage', words.STAGES[report.stage]
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

    def _section(
        self, severity: model.Severity, title: str, meaning: str
    ) -> Iterator[str]:
        """Yield the checks that have something of this severity to say."""
        blocks = []
        count = 0
        for check in self._report.checks:
            found = [f for f in check.findings if words.is_of(f, severity)]
            crashed = (
                check.outcome is _Outcome.ERROR
                and severity is _Severity.FAILURE
            )
            if found or crashed:
                blocks.append((check, found, crashed))
                count += len(found) + crashed
        if not blocks:
            return
        yield ''
        heading = f'{title} ({count})'
        yield self._paint(heading, _SEVERITY_SGR[severity])
        yield from plain.wrap(meaning, self._width, '  ')
        for check, found, crashed in blocks:
            yield ''
            name = f' ({check.id})' if check.id != check.title else ''
            yield from plain.wrap(
                f'{check.title}{name}', self._width, '', '  '
            )
            if crashed:
                yield from plain.wrap(
                    f'could not run: {check.reason}', self._width, '  * '
                )
            if severity is _Severity.INFO:
                yield from self._notes(found)
            else:
                yield from self._findings(found)

    def _findings(self, found: Iterable[model.Finding]) -> Iterator[str]:
        """Yield findings; what is the same for neighbours comes once."""
        for references, cited in itertools.groupby(
            found, key=lambda finding: finding.references
        ):
            for remediation, group in itertools.groupby(
                cited, key=lambda finding: finding.remediation
            ):
                findings = list(group)
                for finding in findings:
                    yield from self._finding(finding)
                yield from self._remedies(remediation, len(findings))
            for reference in references:
                yield from plain.wrap(
                    f'See: {reference}', self._width, '    ', '      '
                )

    def _finding(self, finding: model.Finding) -> Iterator[str]:
        name, place = words.subject_of(finding.subject)
        start = f'  * {name}'
        together = f'{start}  {place}'.rstrip(' ')
        if plain.cells(together) <= self._width:
            yield together
        else:
            yield start
            if place:
                yield f'    {place}'
        yield from plain.wrap(finding.message, self._width, '    ')

    def _remedies(
        self, remediation: Sequence[model.Remediation], findings: int
    ) -> Iterator[str]:
        """Yield what to do: prose wrapped, commands and lines as they are."""
        above = f'For the {findings} above, ' if findings > 1 else ''
        before = ''
        for kind, group in itertools.groupby(
            remediation, key=lambda step: step.kind
        ):
            texts = [step.text for step in group]
            label = words.REMEDY_LABELS.get(kind, 'Do:')
            if above:
                label = f'{above}{label[0].lower()}{label[1:]}'
            if kind in words.REMEDY_LABELS:
                # Prose that ends in a colon is the label itself.
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

    def _verbatim(self, kind: str, texts: Iterable[str]) -> Iterator[str]:
        margin, gap = ('      ', []) if kind == 'command' else ('', [''])
        yield from gap
        for text in texts:
            for line in text.split('\n'):
                safe = plain.neutralise(line).rstrip(' ')
                yield f'{margin}{self._paint(safe, "1")}' if safe else ''
        yield from gap

    def _notes(self, found: list[model.Finding]) -> Iterator[str]:
        for finding in found[:MAX_NOTES]:
            name, place = words.subject_of(finding.subject)
            start = (
                place
                if words.names_subject(finding)
                else f'{name} {place}'.rstrip(' ')
            )
            if start:
                start += ': '
            yield from plain.wrap(
                f'{start}{finding.message}', self._width, '  - '
            )
        more = len(found) - MAX_NOTES
        if more > 0:
            yield f'  - and {more} more (--format json lists all)'

    def _let_pass(self) -> Iterator[str]:
        """Yield what is waived or known, and why."""
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
        """Yield the entries that would waive what is above."""
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

    def _blocking(self) -> Iterator[str]:
        """Yield the failures again, where a terminal or a log ends."""
        groups = blocking.blocking(self._report)
        if not groups:
            return
        yield ''
        failures = sum(group.failures for group in groups)
        heading = f'WHAT BLOCKS ({failures})'
        yield self._paint(heading, _SEVERITY_SGR[_Severity.FAILURE])
        for group in groups:
            check = group.check
            previous = None
            for number in group.shown:
                if number is None:
                    yield from plain.wrap(
                        f'ERROR {check.id}: {check.reason}',
                        self._width,
                        '  * ',
                    )
                    continue
                finding = check.findings[number]
                name, place = words.subject_of(finding.subject)
                if previous not in (None, finding.remediation):
                    yield from self._first_step(previous)
                previous = finding.remediation
                yield f'  * {check.id}: {name}  {place}'.rstrip(' ')
            yield from self._first_step(previous or ())
            if group.more:
                yield f'  * {check.id}: and {group.more} more (above)'

    def _first_step(
        self, remediation: Sequence[model.Remediation]
    ) -> Iterator[str]:
        """Yield the first command, or what is to be done where none is."""
        commands = [step for step in remediation if step.kind == 'command']
        for step in (*commands, *remediation)[:1]:
            if step.kind in words.REMEDY_LABELS:
                yield from self._verbatim(step.kind, [step.text])
            else:
                yield from plain.wrap(f'Do: {step.text}', self._width, '    ')

    def _foot(self) -> Iterator[str]:
        # The code before any threshold: --fail-on may make the exit code 0,
        # which changes nothing about the upgrade.
        report = self._report
        yield from plain.wrap(words.counts(report), self._width, rest='  ')
        _verdict_word, todo = words.verdict(self._report)
        first, *others = plain.wrap(
            f'Code {report.code}: {todo}', self._width, rest='  '
        )
        yield self._paint(first, _SEVERITY_SGR[report.code])
        for line in others:
            yield self._paint(line, _SEVERITY_SGR[report.code])
