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
import re
from typing import Optional
from typing import TextIO

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.reporters import base
from manila_precheck.reporters import plain

#: What is assumed when the caller knows no terminal.
DEFAULT_WIDTH = 80
#: Narrower than this, lines overflow.
MIN_WIDTH = 40
#: Longer lines of prose are hard to read, however wide the terminal is.
MAX_WIDTH = 120
#: How many INFO findings of one check are shown; the rest are counted.
MAX_NOTES = 5

_Severity = model.Severity
_Outcome = model.Outcome

_ORIGINS = {
    'database': 'from the revision of the database',
    'option': 'as given',
    'package': 'from the installed manila',
    'assumed': 'assumed',
}

_STAGES = {
    model.Stage.PLAN: 'plan: the services run',
    model.Stage.STOPPED: 'stopped: the services are down, before db sync',
    model.Stage.UPGRADED: 'upgraded: after db sync and start',
}

# What the code means for the upgrade: a word, and what to do.
_VERDICTS = {
    (model.Stage.PLAN, 0): (
        'READY',
        'nothing that was looked at stands in the way of the upgrade.',
    ),
    (model.Stage.PLAN, 1): (
        'READ FIRST',
        'nothing that was looked at stops the upgrade; read the warnings and '
        'what was skipped, and decide on each before it.',
    ),
    (model.Stage.PLAN, 2): (
        'DO NOT UPGRADE YET',
        'clear the failures, and run this again before anything is stopped.',
    ),
    (model.Stage.STOPPED, 0): (
        'READY',
        "nothing that was looked at stands in the way of 'manila-manage db "
        "sync'.",
    ),
    (model.Stage.STOPPED, 1): (
        'READ FIRST',
        'nothing that was looked at stops the upgrade; read the warnings and '
        "what was skipped, and decide on each before 'manila-manage db sync'.",
    ),
    (model.Stage.STOPPED, 2): (
        'DO NOT SYNC YET',
        "clear the failures, and run this again before 'manila-manage db "
        "sync'.",
    ),
    (model.Stage.UPGRADED, 0): (
        'DONE',
        'everything that was looked at came back.',
    ),
    (model.Stage.UPGRADED, 1): (
        'READ FIRST',
        'nothing that was looked at is broken; read the warnings and what '
        'was skipped, and decide on each.',
    ),
    (model.Stage.UPGRADED, 2): (
        'NOT DONE',
        'clear the failures, and run this again.',
    ),
}

# A section of the findings: its severity, its title and what it means.
_SECTIONS = (
    (
        _Severity.FAILURE,
        'FAILURES',
        'a service will not start, the upgrade stops half way, data or work '
        'in flight is lost, access opens, or a check could not look',
    ),
    (
        _Severity.WARNING,
        'WARNINGS',
        'the services start, but a setting loses its effect, a default '
        'changes, or the release after this one breaks',
    ),
    (
        _Severity.INFO,
        'NOTES',
        'worth knowing; they change no exit code (remedies: --format json)',
    ),
)

_NOUNS = {
    _Severity.FAILURE: 'failure',
    _Severity.WARNING: 'warning',
    _Severity.INFO: 'note',
}

_REMEDY_LABELS = {
    'command': 'Type:',
    'config': 'Write in the configuration file:',
    'policy': 'Write in the policy file:',
}

_OUTCOME_WORDS = {
    _Outcome.PASSED: 'PASSED',
    _Outcome.SKIPPED: 'SKIPPED',
    _Outcome.ERROR: 'ERROR',
    _Outcome.NOT_APPLICABLE: 'N/A',
}

# What Select Graphic Rendition calls the colour of each outcome word.
_SGR = {
    'FAILURE': '1;31',
    'ERROR': '1;31',
    'WARNING': '33',
    'SKIPPED': '33',
    'PASSED': '32',
    'INFO': '36',
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
        for severity, title, meaning in _SECTIONS:
            yield from self._section(severity, title, meaning)
        yield ''
        yield from self._foot()

    def _paint(self, text: str, sgr: str) -> str:
        return f'\x1b[{sgr}m{text}\x1b[0m' if self._color else text

    def _verdict(self) -> tuple[str, str]:
        """Return a word and what to do, from the stage and the code."""
        if not any(
            check.outcome in (_Outcome.PASSED, _Outcome.FOUND)
            for check in self._report.checks
        ):
            if self._report.code < 2:
                return 'NOTHING JUDGED', 'no check had anything to look at.'
        return _VERDICTS[self._report.stage, self._report.code]

    def _head(self) -> Iterator[str]:
        report = self._report
        word, _todo = self._verdict()
        path = (
            f'{_release(report.source_release)} -> '
            f'{_release(report.target_release)}'
        )
        first, *others = plain.wrap(f'{word}: {path}', self._width, rest='  ')
        sgr = _SEVERITY_SGR[report.code]
        yield self._paint(first, sgr)
        for line in others:
            yield self._paint(line, sgr)
        yield ''
        for label, text in self._facts():
            yield from plain.wrap(text, self._width, f'{label:<10}')
        paths = [plain.neutralise(file.path) for file in report.files]
        for label, path in zip(
            itertools.chain(['Files'], itertools.repeat('')),
            paths or ['none was read'],
        ):
            yield f'{label:<10}{path}'

    def _facts(self) -> Iterator[tuple[str, str]]:
        report = self._report
        origin = _ORIGINS.get(report.source_origin, report.source_origin)
        yield 'From', f'{report.source_release}, {origin}'
        if report.target_assumed:
            origin = (
                'assumed: the next release (--target-release names another)'
            )
        else:
            origin = _ORIGINS.get(report.target_origin, report.target_origin)
        yield 'To', f'{report.target_release}, {origin}'
        yield 'Stage', _STAGES[report.stage]
        yield 'Database', _database(report.database)
        tool = report.tool
        yield 'Tool', f'{tool.name} {tool.version}'
        yield 'Catalog', f'manila {tool.catalog}'
        if report.excluded:
            yield 'Left out', ', '.join(report.excluded)

    def _summary(self) -> Iterator[str]:
        names = max(
            (plain.cells(plain.neutralise(c.id)) for c in self._report.checks),
            default=0,
        )
        for check in self._report.checks:
            word = _word(check)
            start = f'{word:<9}{plain.pad(plain.neutralise(check.id), names)}'
            rest = ' ' * (plain.cells(start) + 2)
            note = _note(check)
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
            found = [f for f in check.findings if f.severity is severity]
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
                    f'could not look: {check.reason}', self._width, '  * '
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
        name, place = _subject(finding.subject)
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
            label = _REMEDY_LABELS.get(kind, 'Do:')
            if above:
                label = f'{above}{label[0].lower()}{label[1:]}'
            if kind in _REMEDY_LABELS:
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
            name, place = _subject(finding.subject)
            start = place if _names(finding) else f'{name} {place}'.rstrip(' ')
            if start:
                start += ': '
            yield from plain.wrap(
                f'{start}{finding.message}', self._width, '  - '
            )
        more = len(found) - MAX_NOTES
        if more > 0:
            yield f'  - and {more} more (--format json lists all)'

    def _foot(self) -> Iterator[str]:
        # The code before any threshold: --fail-on may make the exit code 0,
        # which changes nothing about the upgrade.
        report = self._report
        yield from plain.wrap(_counts(report), self._width, rest='  ')
        _verdict_word, todo = self._verdict()
        first, *others = plain.wrap(
            f'Code {report.code}: {todo}', self._width, rest='  '
        )
        yield self._paint(first, _SEVERITY_SGR[report.code])
        for line in others:
            yield self._paint(line, _SEVERITY_SGR[report.code])


def _plural(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def _release(name: str) -> str:
    """Return a release with its code name, or as it stands if unknown."""
    try:
        return f'{name} ({releases.parse(name).code_name})'
    except exceptions.UsageError:
        return name


def _database(database: Optional[model.DatabaseRead]) -> str:
    if database is None:
        return 'was not read'
    if database.revision is None:
        return f'{database.dialect}, empty'
    return f'{database.dialect}, revision {database.revision}'


def _names(finding: model.Finding) -> bool:
    """Say whether the message names the subject itself, as most do."""
    parts = re.split(r'[/@]', finding.subject.name)
    return all(part in finding.message for part in parts)


def _subject(subject: model.Subject) -> tuple[str, str]:
    """Return what a finding is about, and its 'file:line' or uuid or ''."""
    name = plain.neutralise(subject.name)
    if subject.file is not None:
        line = '' if subject.line is None else f':{subject.line}'
        return name, f'{plain.neutralise(subject.file)}{line}'
    if subject.uuid is not None and subject.uuid != subject.name:
        return name, plain.neutralise(subject.uuid)
    return name, ''


def _word(check: model.CheckResult) -> str:
    if check.outcome is _Outcome.FOUND:
        return check.severity.name
    return _OUTCOME_WORDS[check.outcome]


def _note(check: model.CheckResult) -> str:
    """Return what stands beside a check in the summary."""
    parts = [
        _plural(number, noun)
        for severity, noun in _NOUNS.items()
        for number in [
            sum(1 for f in check.findings if f.severity is severity)
        ]
        if number
    ]
    if check.outcome is _Outcome.ERROR:
        parts.insert(0, 'could not look; see below')
    elif check.reason:
        parts.insert(0, check.reason)
    return ', '.join(parts)


def _counts(report: model.Report) -> str:
    """Return the closing line: how many checks, by what became of them."""
    words = [_word(check) for check in report.checks]
    order = (
        ('FAILURE', 'with failures'),
        ('ERROR', 'could not look (as a failure)'),
        ('WARNING', 'with warnings'),
        ('SKIPPED', 'skipped (as a warning)'),
        ('INFO', 'with notes only'),
        ('PASSED', 'passed'),
        ('N/A', 'not applicable'),
    )
    counts = ', '.join(
        f'{words.count(word)} {text}' for word, text in order if word in words
    )
    return f'{_plural(len(words), "check")}: {counts or "none ran"}'
