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

"""The runbook in Markdown, to print and to tick."""

from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck.act.plan import steps
from manila_precheck.act.plan import wording
from manila_precheck.reporters import markdown_parts
from manila_precheck.reporters import words

_text, _code = markdown_parts.text, markdown_parts.code


def render(plan: steps.Plan) -> str:
    """Return the runbook as Markdown."""
    return '\n'.join(_lines(plan)) + '\n'


def _lines(plan: steps.Plan) -> Iterator[str]:
    yield f'# manila: {_text(plan.source)} → {_text(plan.target)}'
    yield ''
    yield _text(wording.verdict(plan))
    yield ''
    for hop in plan.hops:
        yield from _window(hop, len(plan.hops) > 1)
    yield _text(wording.HOW_TO_READ)
    for number, hop in enumerate(plan.hops, 1):
        if len(plan.hops) > 1:
            yield ''
            yield (
                f'# Hop {number}: {_text(hop.source)} → {_text(hop.target)}'
            )
            if not hop.judged:
                yield ''
                yield f'**{_text(wording.not_judged(hop))}**'
        yield from _hop(hop)
    yield ''
    tool = plan.tool
    made = f', {plan.created}' if plan.created else ''
    yield _text(f'{tool.name} {tool.version}{made}')


def _window(hop: steps.Hop, several: bool) -> Iterator[str]:
    """Yield the length of the window, and the durations it consists of."""
    of = f' to {hop.target}' if several else ''
    yield f'**{_text(wording.total(hop, of))}**'
    yield ''
    yield '| Step | From | To | Basis |'
    yield '| --- | --- | --- | --- |'
    for step in wording.timed(hop):
        low, high, basis = wording.figures(step)
        yield (
            f'| {_text(step.title)} | {_text(low)} | {_text(high)} | '
            f'{_text(basis)} |'
        )
    yield ''


def _hop(hop: steps.Hop) -> Iterator[str]:
    number = 0
    for phase in hop.phases:
        yield ''
        yield f'## {_text(phase.title)}'
        for step in phase.steps:
            number += 1
            yield from _step(number, step)


def _step(number: int, step: steps.Step) -> Iterator[str]:
    if step.no_return:
        yield ''
        yield f'**{_text(wording.NO_RETURN)}**'
    yield ''
    yield f'### ☐ {number}. {_text(step.title)}'
    yield ''
    yield (
        f'Owner: {_text(step.owner)}. Person: {_text(wording.BLANK)} '
        f'Time: {_text(wording.duration(step.duration))}'
    )
    yield from _list('Before', step.before)
    for text in step.text:
        yield ''
        yield _text(text)
    items, left = wording.items(step)
    for item in items:
        yield from _item(item)
    if left:
        yield ''
        yield _text(left)
    yield from _commands(step.commands)
    for blank in step.blanks:
        yield ''
        yield (
            f'- {_code(blank.word)} is {_text(blank.meaning)}: '
            f'{_text(wording.BLANK)}'
        )
    yield from _list('After', step.after)
    if step.back:
        yield ''
        yield f'Back: {_text(step.back)}'
    yield from _commands(step.undo)


def _commands(commands: Sequence[steps.Command]) -> Iterator[str]:
    for command in commands:
        yield ''
        yield f'On {_hosts(command)}:'
        yield ''
        yield from markdown_parts.fenced(command.text)


def _hosts(command: steps.Command) -> str:
    if command.any_host:
        return wording.ANY_HOST
    if not command.hosts:
        return _text(f'{wording.BLANK} ({wording.NO_HOST})')
    return ', '.join(_code(host) for host in command.hosts)


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ''
        yield f'{title}:'
        yield ''
        for item in items:
            yield f'- ☐ {_text(item)}'


def _item(item: wording.Item) -> Iterator[str]:
    finding = item.first
    name, place = words.subject_of(finding.subject)
    where = f' {_code(place)}' if place else ''
    yield ''
    yield (
        f'- ☐ {finding.severity.name} {_code(name)}{where}: '
        f'{_text(finding.message)} (owner: {_text(wording.owner(finding))}; '
        f'person: {_text(wording.BLANK)})'
    )
    if item.others:
        yield ''
        yield f'  {_text(item.others)}'
    for kind, text in item.remedies:
        yield ''
        if kind in words.REMEDY_LABELS:
            yield from markdown_parts.fenced(text)
        else:
            yield f'  {_text(text)}'
