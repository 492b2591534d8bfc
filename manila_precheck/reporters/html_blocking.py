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
"""What blocks, and what is let pass: the sections of who decides."""

from collections.abc import Iterator
from collections.abc import Sequence
import itertools
from typing import Optional

from manila_precheck import model
from manila_precheck.reporters import html_parts
from manila_precheck.reporters import markup
from manila_precheck.reporters import words

_tag = markup.tag

#: How many failures the list of what blocks names.
MAX_BLOCKING = 50

#: How many of each check are shown where there are more than that.
MAX_OF_A_CHECK = 5


def blocking(report: model.Report) -> markup.Html:
    """Return what keeps the upgrade from going on, and who acts."""
    found = [
        (check, number)
        for check in report.checks
        for number in _blocking_of(check)
    ]
    if not found:
        return _tag(
            'section',
            _tag('h2', 'What blocks'),
            _tag('p', 'Nothing that was checked.'),
        )
    return _tag(
        'section',
        _tag('h2', f'What blocks ({len(found)})'),
        _tag('ol', _items(found), class_='blocking'),
        id='blocking',
    )


def _items(
    found: Sequence[tuple[model.CheckResult, Optional[int]]],
) -> Iterator[markup.Html]:
    """Yield what blocks: all of it, or the first of each check.

    One check with thousands must not hide what another one has to say.
    """
    most = MAX_BLOCKING if len(found) <= MAX_BLOCKING else MAX_OF_A_CHECK
    for check, items in itertools.groupby(found, key=lambda item: item[0]):
        numbers = [number for _, number in items]
        for number in numbers[:most]:
            yield (
                _could_not_look(check)
                if number is None
                else _block(check, check.findings[number], number)
            )
        more = len(numbers) - most
        if more > 0:
            yield _tag(
                'li',
                html_parts.badge('FAILURE'),
                ' ',
                _tag('strong', f'{check.title}: {more} more. '),
                html_parts.link(html_parts.anchor(check), 'The check'),
            )


def _blocking_of(check: model.CheckResult) -> Iterator[Optional[int]]:
    """Yield None for a check that could not look, then its failures."""
    if check.outcome is model.Outcome.ERROR:
        yield None
    for number, finding in enumerate(check.findings):
        if words.is_of(finding, model.Severity.FAILURE):
            yield number


def let_pass(report: model.Report) -> Optional[markup.Html]:
    """Return what somebody has answered for, and who."""
    found = [
        (check, number, finding)
        for check in report.checks
        for number, finding in enumerate(check.findings)
        if not finding.counts and finding.severity is not model.Severity.INFO
    ]
    if not found:
        return None
    more = len(found) - MAX_BLOCKING
    return _tag(
        'section',
        _tag('h2', f'Suppressed findings ({len(found)})'),
        _tag(
            'ul',
            [
                _tag(
                    'li',
                    html_parts.badge(finding.severity.name),
                    ' ',
                    _tag(
                        'strong',
                        check.title,
                        ': ',
                        html_parts.breakable(finding.subject.name),
                    ),
                    _tag('p', html_parts.breakable(finding.message)),
                    _tag('p', html_parts.sentence(words.why_passed(finding))),
                    html_parts.link(html_parts.anchor(check, number), 'More')
                    if number < html_parts.MAX_FINDINGS
                    else None,
                )
                for check, number, finding in found[:MAX_BLOCKING]
            ],
            class_='blocking',
        ),
        _tag('p', f'And {more} more, below.') if more > 0 else None,
        id='let-pass',
    )


def _could_not_look(check: model.CheckResult) -> markup.Html:
    return _tag(
        'li',
        html_parts.badge('ERROR'),
        ' ',
        _tag('strong', check.title),
        _tag('p', 'Could not run: ', html_parts.breakable(check.reason)),
        _tag(
            'p',
            html_parts.link(html_parts.anchor(check), 'The check'),
            class_='meta',
        ),
    )


def _block(
    check: model.CheckResult, finding: model.Finding, number: int
) -> markup.Html:
    name, _place = words.subject_of(finding.subject)
    link = None
    if number < html_parts.MAX_FINDINGS:
        link = html_parts.link(html_parts.anchor(check, number), 'What to do')
    return _tag(
        'li',
        html_parts.badge('FAILURE'),
        ' ',
        _tag(
            'strong',
            check.title,
            ': ',
            _tag('bdi', html_parts.breakable(name)),
        ),
        _tag('p', html_parts.breakable(finding.message)),
        _tag(
            'p',
            f'Who acts: {"; ".join(words.actors(finding))}. ',
            link,
            class_='meta',
        ),
    )
