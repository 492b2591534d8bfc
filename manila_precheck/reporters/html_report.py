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

"""One HTML file for those who decide on the upgrade and those who do it.

The file is self-contained: it includes the style and the script, whose digests
are in the Content-Security-Policy, so that a browser runs nothing else. The
page is rendered from the templates in ``html``, which escape every text. The
page also works without the script, which adds searching, copying, and printing
of collapsed parts.
"""

import base64
from collections.abc import Iterator
import hashlib
import importlib.resources
from typing import Optional
from typing import TextIO

import jinja2

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import backends_picture
from manila_precheck.reporters import base
from manila_precheck.reporters import blocking
from manila_precheck.reporters import cover
from manila_precheck.reporters import fleet
from manila_precheck.reporters import html_parts
from manila_precheck.reporters import plain
from manila_precheck.reporters import rows_picture
from manila_precheck.reporters import words

_CODES = {0: 'ok', 1: 'warning', 2: 'failure'}


class HtmlReporter(base.Reporter):
    """A page that answers: may we upgrade, what blocks, who does what."""

    name = 'html'
    wants_window = True

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the page in ASCII, so that no encoding changes it."""
        page = _page(report, self.show_waivers)
        stream.write(page.encode('ascii', 'xmlcharrefreplace').decode('ascii'))


def asset(name: str) -> str:
    """Return the text of a file in the folder of templates."""
    folder = importlib.resources.files('manila_precheck.reporters')
    return (folder / 'html' / name).read_text(encoding='ascii')


def _template(name: str) -> str:
    """Return a template without indentation and line breaks."""
    return ''.join(line.strip() for line in asset(name).splitlines())


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode('ascii')).digest()
    return base64.b64encode(digest).decode('ascii')


def _neutralised(value: object) -> object:
    """Return the value of an expression, neutralised if it is a text.

    None becomes ''. A value that is HTML already is not changed.
    """
    if value is None:
        return ''
    if isinstance(value, str) and not hasattr(value, '__html__'):
        return '\n'.join(plain.lines(value))
    return value


def environment() -> jinja2.Environment:
    """Return the environment of the templates, which escapes every text.

    An undefined name in a template raises jinja2.UndefinedError.
    """
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_neutralised,
        keep_trailing_newline=True,
    )
    made.filters.update(
        actors=html_parts.actors,
        alike=html_parts.alike,
        anchor=html_parts.anchor,
        groups=grouping.groups,
        badge_kind=html_parts.badge_kind,
        pieces=html_parts.pieces,
        remedies=grouping.each_step,
        classes=html_parts.classes,
        digest=_digest,
        sentence=html_parts.sentence,
    )
    made.tests['url'] = html_parts.is_url
    return made


def _page(report: model.Report, show_waivers: bool) -> str:
    verdict, todo = words.verdict(report)
    drawn = [
        fleet.draw_hosts(report),
        fleet.draw_runs(report),
        backends_picture.draw(report),
        rows_picture.draw(report),
    ]
    return (
        environment()
        .get_template('page.html')
        .render(
            report=report,
            words=words,
            info=model.Severity.INFO,
            passed=model.Outcome.PASSED,
            max_findings=html_parts.MAX_FINDINGS,
            max_blocking=blocking.MAX_BLOCKING,
            show_waivers=show_waivers,
            filters=list(_filters(report)),
            cover=list(cover.facts(report)),
            warnings=cover.warnings(report),
            skipped=cover.skipped(report),
            max_warnings=cover.MAX_WARNINGS,
            style=asset('page.css'),
            script=asset('page.js'),
            verdict=verdict,
            todo=todo,
            path=_path(report),
            code=_CODES[report.code],
            tallies=list(_tallies(report)),
            circumstances=list(_circumstances(report)),
            assumptions=list(_assumptions(report)),
            blocking=blocking.blocking(report),
            let_pass=blocking.let_pass(report),
            figures=[figure for figure in drawn if figure is not None],
            facts=list(_facts(report)),
            hosts=fleet.host_rows(report),
        )
    )


def _path(report: model.Report) -> str:
    return (
        f'{words.release(report.source_release)} → '
        f'{words.release(report.target_release)}'
    )


def _filters(report: model.Report) -> Iterator[tuple[str, str]]:
    """Yield (name, label) of the filters that match at least one check."""
    yield 'all', 'Everything'
    there = {
        name
        for check in report.checks
        for name in html_parts.classes(check).split()
    }
    for name, label in (
        ('failure', 'Failures'),
        ('warning', 'Warnings'),
        ('info', 'Notes'),
    ):
        if f'has-{name}' in there:
            yield name, label


def _circumstances(report: model.Report) -> Iterator[str]:
    """Yield the stage, the database and the date that the verdict is for."""
    yield f'Stage {words.STAGES[report.stage]}'
    if report.database is not None:
        yield f'database {words.database(report.database)}'
    if report.created is not None:
        yield f'made {report.created[:16].replace("T", " ")} UTC'


def _tallies(report: model.Report) -> Iterator[str]:
    found = [f for check in report.checks for f in check.findings]
    for severity, noun in words.NOUNS.items():
        number = sum(1 for f in found if words.is_of(f, severity))
        yield words.plural(number, noun)
    let_pass = len(words.passed(report))
    if let_pass:
        yield f'{let_pass} suppressed'
    for outcome, text in (
        (model.Outcome.ERROR, 'could not run'),
        (model.Outcome.SKIPPED, 'skipped'),
    ):
        number = sum(1 for c in report.checks if c.outcome is outcome)
        if number:
            yield f'{words.plural(number, "check")} {text}'


def _assumptions(report: model.Report) -> Iterator[str]:
    """Yield what limits the verdict: assumptions and omissions."""
    if report.target_assumed:
        yield f'No target was given: {report.target_release} is assumed.'
    if report.source_origin == 'assumed':
        yield (
            f'The running release is not known: {report.source_release} is '
            'assumed.'
        )
    if report.database is None:
        yield 'The database was not read.'
    let_pass = words.let_pass(report)
    if let_pass:
        yield f'Suppressed: {let_pass}.'
    if report.excluded:
        yield f'Left out: {", ".join(report.excluded)}.'


def _facts(report: model.Report) -> Iterator[tuple[str, str]]:
    tool = report.tool
    yield 'From', words.source(report)
    yield 'To', words.target(report)
    yield 'Stage', words.STAGES[report.stage]
    if report.hosts:
        yield 'Hosts', fleet.summary(report)
    if report.root:
        yield 'Bundle', report.root
    yield 'Database', words.database(report.database)
    yield from words.rehearsal(report)
    yield 'Tool', f'{tool.name} {tool.version}'
    for release, facts in words.facts(report):
        yield f'Facts of {release}' if release else 'Facts from', facts
    if report.created is not None:
        yield 'Made', report.created
    yield 'Code', f'{report.code}; exit code {report.exit_code}'
