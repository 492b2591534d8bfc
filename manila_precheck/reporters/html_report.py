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

It needs nothing from elsewhere: the style and the script are in it, named by
their digests in the Content-Security-Policy, so that nothing else would run.
The script is for comfort: searching, copying, printing what is folded.
"""

import base64
from collections.abc import Iterator
import hashlib
import importlib.resources
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.reporters import backends_picture
from manila_precheck.reporters import base
from manila_precheck.reporters import html_blocking
from manila_precheck.reporters import html_checks
from manila_precheck.reporters import html_parts
from manila_precheck.reporters import markup
from manila_precheck.reporters import rows_picture
from manila_precheck.reporters import words

_tag = markup.tag

_CODES = {0: 'ok', 1: 'warning', 2: 'failure'}


class HtmlReporter(base.Reporter):
    """A page that answers: may we upgrade, what blocks, who does what."""

    name = 'html'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the page, in ASCII, so that no encoding changes it."""
        page = f'<!DOCTYPE html>\n{_page(report)}\n'
        stream.write(page.encode('ascii', 'xmlcharrefreplace').decode('ascii'))


def _asset(name: str) -> str:
    folder = importlib.resources.files('manila_precheck.reporters')
    return (folder / 'html' / name).read_text(encoding='ascii')


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode('ascii')).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _page(report: model.Report) -> markup.Html:
    style, script = _asset('page.css'), _asset('page.js')
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    verdict, _todo = words.verdict(report)
    return _tag(
        'html',
        _tag(
            'head',
            _tag('meta', charset='utf-8'),
            _tag(
                'meta',
                http_equiv='Content-Security-Policy',
                content=markup.raw(policy),
            ),
            _tag(
                'meta',
                name='viewport',
                content='width=device-width, initial-scale=1',
            ),
            _tag('meta', name='color-scheme', content='light dark'),
            _tag('meta', name='robots', content='noindex'),
            _tag('title', f'{verdict}: {_path(report)}'),
            _tag('style', markup.raw(style)),
        ),
        _tag(
            'body',
            _tag('a', 'To the checks', href='#checks', class_='skip'),
            _banner(report),
            _tag(
                'main',
                html_blocking.blocking(report),
                html_blocking.let_pass(report),
                _pictures(report),
                html_checks.checks(report),
                _provenance(report),
            ),
            _tag('script', markup.raw(script)),
        ),
        lang='en',
    )


def _path(report: model.Report) -> str:
    return (
        f'{words.release(report.source_release)} → '
        f'{words.release(report.target_release)}'
    )


def _banner(report: model.Report) -> markup.Html:
    verdict, todo = words.verdict(report)
    return _tag(
        'header',
        _tag('p', 'manila upgrade check', class_='kicker'),
        _tag('h1', verdict),
        _tag('p', _path(report), class_='path'),
        _tag('p', html_parts.sentence(todo), class_='todo'),
        _tag(
            'ul',
            [_tag('li', text) for text in _tallies(report)],
            class_='tallies',
        ),
        _tag('p', '; '.join(_circumstances(report)), class_='facts'),
        _assumptions(report),
        class_=f'banner {_CODES[report.code]}',
    )


def _circumstances(report: model.Report) -> Iterator[str]:
    """Yield what the verdict is of: when, of which database."""
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


def _assumptions(report: model.Report) -> Optional[markup.Html]:
    """Return what a reader has to know before trusting the verdict."""
    found = []
    if report.target_assumed:
        found.append(
            f'No target was given: {report.target_release} is assumed.'
        )
    if report.source_origin == 'assumed':
        found.append(
            f'The running release is not known: {report.source_release} is '
            'assumed.'
        )
    if report.database is None:
        found.append('The database was not read.')
    let_pass = words.let_pass(report)
    if let_pass:
        found.append(f'Suppressed: {let_pass}.')
    if report.excluded:
        found.append(f'Left out: {", ".join(report.excluded)}.')
    if not found:
        return None
    return _tag('p', ' '.join(found), class_='assumed')


def _pictures(report: model.Report) -> Optional[markup.Html]:
    drawn = [backends_picture.draw(report), rows_picture.draw(report)]
    if not any(drawn):
        return None
    return _tag(
        'section',
        _tag('h2', 'At a glance'),
        _tag('div', drawn, class_='figures'),
    )


def _provenance(report: model.Report) -> markup.Html:
    return _tag(
        'section',
        _tag('h2', 'What this is based on'),
        _tag(
            'dl',
            [
                [_tag('dt', label), _tag('dd', text)]
                for label, text in _facts(report)
            ],
        ),
        _tag('h3', 'Files read'),
        _tag(
            'ul',
            [
                _tag(
                    'li',
                    _tag('code', file.path),
                    _tag('code', f'sha256 {file.sha256}', class_='digest'),
                )
                for file in report.files
            ],
            class_='files',
        )
        if report.files
        else _tag('p', 'None.'),
        id='provenance',
    )


def _facts(report: model.Report) -> Iterator[tuple[str, str]]:
    tool = report.tool
    yield 'From', words.source(report)
    yield 'To', words.target(report)
    yield 'Stage', words.STAGES[report.stage]
    yield 'Database', words.database(report.database)
    yield 'Tool', f'{tool.name} {tool.version}'
    yield 'Facts from', f'manila {tool.catalog}'
    if report.created is not None:
        yield 'Made', report.created
    yield 'Code', f'{report.code}; exit code {report.exit_code}'
