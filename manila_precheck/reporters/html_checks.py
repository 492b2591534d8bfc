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
"""Every check with what it found and what to do, to be filtered."""

import re

from manila_precheck import model
from manila_precheck.reporters import html_parts
from manila_precheck.reporters import markup
from manila_precheck.reporters import words

_tag = markup.tag

_FILTERS = (
    ('all', 'Everything'),
    ('failure', 'Failures'),
    ('warning', 'Warnings'),
    ('info', 'Notes'),
)


_URL = re.compile(r'https?://[\w./#?&=%+~:-]+')


def checks(report: model.Report) -> markup.Html:
    """Return the section of all checks."""
    return _tag(
        'section',
        _tag('h2', 'The checks'),
        _tag('p', f'{words.counts(report)}.'),
        [
            _tag(
                'input',
                type='radio',
                name='severity',
                id=f'show-{name}',
                checked=name == 'all',
                aria_label=f'Show: {label}',
                class_='show',
            )
            for name, label in _FILTERS
        ],
        _tag(
            'div',
            _tag('span', 'Show:', aria_hidden='true'),
            [
                _tag('label', label, for_=f'show-{name}', aria_hidden='true')
                for name, label in _FILTERS
            ],
            _tag(
                'span',
                _tag('label', 'Search', for_='search'),
                _tag('input', type='search', id='search'),
                _tag('output', id='matches', for_='search'),
                class_='search',
                hidden=True,
            ),
            class_='filters',
        ),
        [_check(check, report) for check in report.checks],
        id='checks',
    )


def _check(check: model.CheckResult, report: model.Report) -> markup.Html:
    weighs = check.severity > model.Severity.INFO
    shown = check.findings[: html_parts.MAX_FINDINGS]
    more = len(check.findings) - len(shown)
    severities = {f.severity.name.lower() for f in check.findings}
    if check.outcome is model.Outcome.ERROR:
        severities.add('failure')
    if check.outcome is model.Outcome.SKIPPED:
        severities.add('warning')
    return _tag(
        'details',
        _tag(
            'summary',
            html_parts.badge(words.word(check)),
            ' ',
            _tag('span', check.title, class_='title'),
            ' ',
            _tag('span', words.note(check), class_='note'),
        ),
        _tag('p', _tag('code', check.id), class_='meta'),
        _tag('p', html_parts.sentence(check.reason)) if check.reason else None,
        [
            _finding(check, finding, number, report)
            for number, finding in enumerate(shown)
        ],
        _tag('p', f'And {more} more; the JSON report lists all.')
        if more
        else None,
        _tag('p', 'It ran and found nothing.')
        if check.outcome is model.Outcome.PASSED
        else None,
        id=html_parts.anchor(check),
        class_=' '.join(['check', *sorted(f'has-{s}' for s in severities)]),
        open=weighs,
    )


def _finding(
    check: model.CheckResult,
    finding: model.Finding,
    number: int,
    report: model.Report,
) -> markup.Html:
    name, place = words.subject_of(finding.subject)
    actors = words.actors(finding)
    weighs = finding.counts and finding.severity is not model.Severity.INFO
    return _tag(
        'article',
        _tag(
            'h3',
            html_parts.badge(finding.severity.name),
            ' ',
            _tag('bdi', html_parts.breakable(name)),
            ' ',
            _tag('code', html_parts.breakable(place), class_='place')
            if place
            else None,
        ),
        _tag('p', html_parts.breakable(finding.message)),
        None
        if finding.counts
        else _tag(
            'p',
            html_parts.sentence(words.why_passed(finding)),
            class_='assumed',
        ),
        _tag('p', f'Who acts: {"; ".join(actors)}', class_='meta')
        if actors
        else None,
        [_step(step) for step in finding.remediation],
        [_reference(text) for text in finding.references],
        _tag('p', 'Key: ', _tag('code', finding.key), class_='meta'),
        _to_waive(words.waiver(finding, report))
        if weighs and check.waivable
        else None,
        id=html_parts.anchor(check, number),
        class_=f'finding {finding.severity.name.lower()}'
        + ('' if finding.counts else ' passed'),
    )


def _step(step: model.Remediation) -> markup.Html:
    label = words.REMEDY_LABELS.get(step.kind)
    if label is None:
        return _tag('p', step.text, class_='advice')
    return _tag(
        'div',
        _tag('p', label, class_='label'),
        _tag('pre', _tag('code', step.text), tabindex='0'),
        class_='copy',
    )


def _to_waive(text: str) -> markup.Html:
    return _tag(
        'details',
        _tag('summary', 'To waive it'),
        _tag(
            'p',
            'For the file of --waivers, a reason and an owner filled in:',
            class_='label',
        ),
        _tag(
            'div',
            _tag('pre', _tag('code', text), tabindex='0'),
            class_='copy',
        ),
        class_='to-waive',
    )


def _reference(text: str) -> markup.Html:
    if _URL.fullmatch(text):
        link = _tag('a', text, href=text, rel='noreferrer noopener')
        return _tag('p', 'See: ', link, class_='meta')
    return _tag('p', f'See: {text}', class_='meta')
