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

"""Markdown, for a merge request or an issue.

What GitHub and GitLab have in common is used. A name in a report can be
anything, so nothing of it is left to be read as markup, as the mention of a
user or as the number of an issue.
"""

from collections.abc import Iterator
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import markdown_parts
from manila_precheck.reporters import words

#: How many findings of one check and severity are spelled out; the rest are
#: counted. A comment on GitHub has room for 65536 characters.
MAX_FINDINGS = 20

_text, _code = markdown_parts.text, markdown_parts.code
_fenced = markdown_parts.fenced


class MarkdownReporter(base.Reporter):
    """The verdict, a table of the checks, and what to do, for reviewers."""

    name = 'markdown'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the text; lines are as long as they are."""
        for line in _lines(report):
            stream.write(f'{line}\n')


def _lines(report: model.Report) -> Iterator[str]:
    verdict, todo = words.verdict(report)
    yield (
        f'## {verdict}: {words.release(report.source_release)} → '
        f'{words.release(report.target_release)}'
    )
    yield ''
    yield f'{_text(words.counts(report))}. {_text(todo.capitalize())}'
    yield ''
    let_pass = words.let_pass(report)
    if let_pass:
        yield f'Suppressed: {_text(let_pass)}.'
        yield ''
    yield '| Outcome | Check | |'
    yield '| --- | --- | --- |'
    for row in words.check_rows(report):
        name = _code(row.name) if len(row.checks) == 1 else _text(row.name)
        yield f'| {words.word(row.check)} | {name} | {_text(row.note)} |'
    for severity, title, meaning in words.SECTIONS:
        yield from _section(report, severity, title, meaning)
    yield from _let_pass(report)
    yield from _waivers(report)
    yield ''
    yield from _provenance(report)


def _section(
    report: model.Report, severity: model.Severity, title: str, meaning: str
) -> Iterator[str]:
    blocks = []
    for check in report.checks:
        found = [f for f in check.findings if words.is_of(f, severity)]
        crashed = (
            severity is model.Severity.FAILURE
            and check.outcome is model.Outcome.ERROR
        )
        if found or crashed:
            blocks.append((check, found, crashed))
    if not blocks:
        return
    number = sum(len(found) + crashed for _, found, crashed in blocks)
    # Failures stand open, the rest is one click away.
    opened = ' open' if severity is model.Severity.FAILURE else ''
    yield ''
    yield f'<details{opened}><summary>{title} ({number})</summary>'
    yield ''
    if severity is not model.Severity.INFO:
        yield _text(f'{meaning}.'.capitalize())
    for check, found, crashed in blocks:
        yield ''
        yield f'### {_text(check.title)}'
        if crashed:
            yield ''
            yield f'- could not run: {_text(check.reason)}'
        for finding in found[:MAX_FINDINGS]:
            yield from _finding(finding)
        more = len(found) - MAX_FINDINGS
        if more > 0:
            yield ''
            yield f'- and {more} more; `--format json` lists all'
    yield ''
    yield '</details>'


def _finding(finding: model.Finding) -> Iterator[str]:
    name, place = words.subject_of(finding.subject)
    where = f' {_code(place)}' if place else ''
    yield ''
    yield f'- {_code(name)}{where}: {_text(finding.message)}'
    if finding.severity is model.Severity.INFO:
        return
    for step in finding.remediation:
        yield ''
        if step.kind in words.REMEDY_LABELS:
            yield from _fenced(step.text)
        else:
            yield f'  {_text(step.text)}'


def _let_pass(report: model.Report) -> Iterator[str]:
    found = words.passed(report)
    if not found:
        return
    yield ''
    yield f'<details><summary>Suppressed ({len(found)})</summary>'
    yield ''
    for finding in found[:MAX_FINDINGS]:
        yield (
            f'- {finding.severity.name} {_code(finding.key)}: '
            f'{_text(finding.message)}; {_text(words.why_passed(finding))}'
        )
    if len(found) > MAX_FINDINGS:
        yield f'- and {len(found) - MAX_FINDINGS} more'
    yield ''
    yield '</details>'


def _waivers(report: model.Report) -> Iterator[str]:
    found = words.to_waive(report)
    if not found:
        return
    yield ''
    yield '<details><summary>To waive</summary>'
    yield ''
    yield (
        'Lines for the file of `--waivers`, below `waivers:`, with a reason '
        'and an owner to fill in:'
    )
    yield ''
    lines = [words.waiver(f, report) for f in found[:MAX_FINDINGS]]
    if len(found) > MAX_FINDINGS:
        lines.append(f'# and {len(found) - MAX_FINDINGS} more')
    yield from _fenced('\n'.join(lines))
    yield ''
    yield '</details>'


def _provenance(report: model.Report) -> Iterator[str]:
    tool = report.tool
    yield '<details><summary>What was checked</summary>'
    yield ''
    yield f'- from {_text(words.source(report))}'
    yield f'- to {_text(words.target(report))}'
    yield f'- stage {_text(words.STAGES[report.stage])}'
    if report.root:
        yield f'- bundle {_code(report.root)}'
    yield f'- database {_text(words.database(report.database))}'
    for label, text in words.rehearsal(report):
        yield f'- {_text(label)}: {_text(text)}'
    yield f'- {_text(tool.name)} {_code(tool.version)}'
    for release, facts in words.facts(report):
        of = f'of {_text(release)}: ' if release else ''
        yield f'- facts {of}{_text(facts)}'
    if report.created is not None:
        yield f'- made {_code(report.created)}'
    if report.excluded:
        left_out = ', '.join(_code(name) for name in report.excluded)
        yield f'- left out: {left_out}'
    for file in report.files:
        yield f'- {_code(file.path)} sha256 {_code(file.sha256)}'
    for names, paths in words.services(report):
        yield f'- {_text(names)} read {_text(paths)}'
    yield ''
    yield '</details>'
