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

The output uses the Markdown that GitHub and GitLab have in common; see
:mod:`manila_precheck.reporters.markdown_parts` for how names are escaped.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import base
from manila_precheck.reporters import blocking
from manila_precheck.reporters import cover
from manila_precheck.reporters import fleet
from manila_precheck.reporters import markdown_parts
from manila_precheck.reporters import words

#: How many groups of one check and severity are shown; the rest are counted. A
#: comment on GitHub may have 65536 characters.
MAX_FINDINGS = 20

#: How many objects of a group are named; the rest are counted.
MAX_NAMED = 50

#: How many commands of one step are shown; the rest are counted.
MAX_TEXTS = 20

_text, _code = markdown_parts.text, markdown_parts.code
_fenced = markdown_parts.fenced


class MarkdownReporter(base.Reporter):
    """The verdict, a table of the checks, and what to do, for reviewers."""

    name = 'markdown'
    wants_window = True

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the text; its lines are not wrapped."""
        for line in _lines(report, self.verbose, self.show_waivers):
            stream.write(f'{line}\n')


def _lines(
    report: model.Report, verbose: bool, show_waivers: bool
) -> Iterator[str]:
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
    yield from _cover(report)
    yield '| Outcome | Check | |'
    yield '| --- | --- | --- |'
    for row in words.check_rows(report):
        name = _code(row.name) if len(row.checks) == 1 else _text(row.name)
        yield f'| {words.word(row.check)} | {name} | {_text(row.note)} |'
    for severity, title, meaning in words.SECTIONS:
        yield from _section(report, severity, title, meaning, verbose)
    yield from _let_pass(report)
    if show_waivers:
        yield from _waivers(report)
    yield ''
    yield from _provenance(report)


def _cover(report: model.Report) -> Iterator[str]:
    """Yield what a change board needs to know for its decision."""
    yield '| The change | |'
    yield '| --- | --- |'
    for label, text in cover.facts(report):
        yield f'| {label} | {_text(text)} |'
    yield ''
    blockers = blocking.blocking(report)
    if blockers:
        number = sum(one.failures for one in blockers)
        yield f'**What blocks ({number}), and who acts:**'
        yield ''
    for one in blockers[:MAX_FINDINGS]:
        yield f'- {_blocker(one)}'
    more = sum(one.failures for one in blockers[MAX_FINDINGS:])
    if more:
        yield f'- and {more} more, below'
    if blockers:
        yield ''
    warnings, skipped = cover.warnings(report), cover.skipped(report)
    if warnings or skipped:
        number = sum(one.findings for one in warnings) + len(skipped)
        yield f'**Warnings ({number}):**'
        yield ''
    for warning in warnings[: cover.MAX_WARNINGS]:
        yield f'- {_text(f"{warning.check.title}: {warning.text}")}'
    for check in skipped:
        yield f'- {_text(f"{check.title}: skipped: {check.reason}")}'
    more = sum(one.findings for one in warnings[cover.MAX_WARNINGS :])
    if more:
        yield f'- and {more} more, below'
    if warnings or skipped:
        yield ''


def _blocker(one: blocking.Blocker) -> str:
    if one.group is None:
        name = one.failed.name if one.failed is not None else one.check.id
        return f'{_code(name)} could not run: {_text(one.check.reason)}'
    name, place = words.subject_of(one.group.first.subject)
    more = len(one.group.findings) - 1
    others = f' and {more} more' if more else ''
    where = f' {_code(place)}' if place else ''
    who = ', '.join(
        dict.fromkeys(
            actor
            for finding in one.group.findings
            for actor in words.actors(finding)
        )
    )
    return (
        f'{_text(one.check.title)}: {_code(name)}{others}{where} '
        f'({_text(who)})'
    )


def _section(
    report: model.Report,
    severity: model.Severity,
    title: str,
    meaning: str,
    verbose: bool,
) -> Iterator[str]:
    blocks = [
        (check, groups)
        for check in report.checks
        for groups in [grouping.groups(check.findings, severity)]
        if groups
    ]
    failed = (
        grouping.failed(report.checks)
        if severity is model.Severity.FAILURE
        else []
    )
    number = len(failed) + sum(
        len(group.findings) for _, groups in blocks for group in groups
    )
    if not number:
        return
    # Failures are expanded, the other sections collapsed.
    opened = ' open' if severity is model.Severity.FAILURE else ''
    yield ''
    yield f'<details{opened}><summary>{title} ({number})</summary>'
    yield ''
    if severity is not model.Severity.INFO:
        yield _text(f'{meaning}.'.capitalize())
    for one in failed:
        yield from _failed(one)
    for check, groups in blocks:
        yield ''
        yield f'### {_text(check.title)}'
        for group in groups[:MAX_FINDINGS]:
            yield from _group(group, verbose)
        more = sum(len(group.findings) for group in groups[MAX_FINDINGS:])
        if more:
            yield ''
            yield f'- and {more} more; `--format json` lists all'
    yield ''
    yield '</details>'


def _failed(one: grouping.Failed) -> Iterator[str]:
    check = one.first
    yield ''
    title = check.title if len(one.checks) == 1 else one.name
    yield f'### {_text(title)}'
    yield ''
    yield f'- could not run: {_text(check.reason)}'
    if len(one.checks) > 1:
        yield ''
        yield f'  {", ".join(_code(other.id) for other in one.checks)}'
    yield from _steps(one.steps)


def _group(group: grouping.Group, verbose: bool) -> Iterator[str]:
    """Yield a list item: the subjects, the messages and the remedy."""
    table = words.figures(group)
    if table:
        yield ''
        yield f'- {_text(words.objects(group))}'
        yield ''
        for number, row in enumerate(table[: MAX_NAMED + 1]):
            yield f'  | {" | ".join(map(_text, row))} |'
            if not number:
                yield f'  |{" --- |" * len(row)}'
        more = len(table) - MAX_NAMED - 1
        if more > 0:
            yield ''
            yield f'  and {more} more; `--format json` lists all'
    for same in [] if table else grouping.alike(group.findings):
        yield ''
        yield from _members(same)
    if group.severity is not model.Severity.INFO or verbose:
        yield from _steps(group.steps)
    else:
        for hint in filter(None, map(words.hint, group.findings)):
            yield ''
            yield f'  {_text(hint)}'


def _members(same: list[model.Finding]) -> Iterator[str]:
    name, place = words.subject_of(same[0].subject)
    where = f' {_code(place)}' if place else ''
    yield f'- {_code(name)}{where}: {_text(same[0].message)}'
    if len(same) == 1:
        return
    named = []
    for finding in same[1 : MAX_NAMED + 1]:
        name, place = words.subject_of(finding.subject)
        where = f' ({_code(place)})' if place else ''
        named.append(f'{_code(name)}{where}')
    more = len(same) - 1 - len(named)
    others = f' and {more} more' if more else ''
    yield ''
    yield f'  Likewise {len(same) - 1} more: {", ".join(named)}{others}'


def _steps(steps: Iterable[grouping.RemedyStep]) -> Iterator[str]:
    for step in steps:
        verbatim = step.kind in words.REMEDY_LABELS
        texts = step.texts[:MAX_TEXTS]
        more = len(step.texts) - len(texts)
        yield ''
        if verbatim:
            if more:
                texts = [*texts, f'# and {more} more']
            yield from _fenced('\n'.join(texts))
            continue
        for number, text in enumerate(texts):
            if number:
                yield ''
            yield f'  {_text(text)}'
        if more:
            yield ''
            yield f'  and {more} more; `--format json` lists all'


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
    if report.hosts:
        yield f'- {_text(fleet.summary(report))}'
        for name, state, made, path in fleet.host_rows(report):
            of = f' ({_code(path)})' if path else ''
            yield f'- {_code(name)}: {_text(state)}, made {_text(made)}{of}'
        more = len(report.hosts) - fleet.MAX_HOSTS
        if more > 0:
            yield f'- and {more} more; `--format json` lists all'
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
