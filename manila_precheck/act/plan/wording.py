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

"""The wording that all formats of the runbook share."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.act.plan import steps
from manila_precheck.engine import grouping
from manila_precheck.reporters import words

Finding = model.Finding

#: A blank that is filled in by hand.
BLANK = '__________'

#: How many items of findings a step shows, how many objects each item names,
#: and how many sentences and lines of remedies it has; the rest is counted.
MAX_ITEMS, MAX_NAMED, MAX_TEXTS, MAX_LINES = 40, 20, 10, 40

ANY_HOST = 'any one controller'
NO_HOST = 'the host is not known: fill it in'

NO_RETURN = (
    'POINT OF NO RETURN: from the next step on, restoring the backup is the '
    'only way back.'
)

HOW_TO_READ = (
    f'Go through the steps in this order. {BLANK} is not known to this '
    'program: fill it in before the window. A word in capitals in a command '
    'stands for what the step names.'
)


def verdict(plan: steps.Plan) -> str:
    """Return the verdict of the checks as a sentence."""
    return (
        f'Verdict of the checks: {plan.verdict} '
        f'({words.plural(plan.failures, "failure")}, '
        f'{words.plural(plan.warnings, "warning")}). '
        f'Services: {plan.manager}.'
    )


def not_judged(hop: steps.Hop) -> str:
    """Return the sentence that says that a hop is not judged."""
    return (
        f'Not judged: nothing can be said of the upgrade to {hop.target} '
        f'before {hop.source} runs here. Write its runbook then.'
    )


def total(hop: steps.Hop, of: str = '') -> str:
    """Return the length of the window, as far as it is known."""
    found = steps.total(hop)
    low, high = words.duration(found.low), words.duration(found.high)
    text = f'The window{of}: {low} to {high}'
    if found.unknown:
        if not found.high:
            text = f'The window{of}: not known'
        text += (
            f', and {words.plural(len(found.unknown), "step")} whose time is '
            'not known'
        )
    return f'{text}.'


def timed(hop: steps.Hop) -> Iterator[steps.Step]:
    """Yield, in order, the steps that have a duration or ask for one."""
    for phase in hop.phases:
        if phase.id in ('before', 'window'):
            for step in phase.steps:
                if step.duration is not None and step.duration.high != 0:
                    yield step


def figures(step: steps.Step) -> tuple[str, str, str]:
    """Return the minimum, the maximum and the basis of a duration."""
    duration = step.duration
    if duration is None or duration.low is None or duration.high is None:
        return BLANK, BLANK, duration.basis if duration is not None else ''
    return (
        words.duration(duration.low),
        words.duration(duration.high),
        duration.basis,
    )


def duration(one: Optional[steps.Duration]) -> str:
    """Return a duration with its basis."""
    if one is None:
        return BLANK
    if one.low is None or one.high is None:
        return f'{BLANK} ({one.basis})'
    low, high = words.duration(one.low), words.duration(one.high)
    return f'{low} to {high} ({one.basis})'


def owner(finding: model.Finding) -> str:
    """Return who has to act: a back end, a host, a project, an operator."""
    data, subject = finding.data, finding.subject
    for name in ('project', 'project_id', 'host'):
        if isinstance(data.get(name), str) and data[name]:
            return f'{name.partition("_")[0]} {data[name]}'
    if subject.kind == 'backend':
        return f'back end {subject.name}'
    return ', '.join(words.actors(finding)) or 'operator'


class Item(NamedTuple):
    """Findings with one cause, one remedy and one owner."""

    first: Finding
    """The finding that represents all."""

    others: str
    """The objects of the other findings; '' when there are none."""

    remedies: Sequence[tuple[str, str]]
    """The kind and the text of each step."""


def items(step: steps.Step) -> tuple[list[Item], str]:
    """Return the items to fix in a step, and a note on those left out.

    :returns: at most MAX_ITEMS items, and a sentence, '' when these are all.
    """
    alike = [
        group._replace(findings=tuple(same))
        for group in grouping.groups(step.findings)
        for members in _by_owner(group.findings)
        for same in grouping.alike(members)
    ]
    left = sum(len(group.findings) for group in alike[MAX_ITEMS:])
    return [_item(group) for group in alike[:MAX_ITEMS]], (
        f'And {words.plural(left, "finding")} more: "upgrade plan --format '
        'json" has all of them.'
        if left
        else ''
    )


def _by_owner(findings: Sequence[Finding]) -> list[list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(owner(finding), []).append(finding)
    return list(found.values())


def _item(group: grouping.Group) -> Item:
    rest = group.findings[1:]
    others = ''
    if rest:
        others = f'Likewise {len(rest)} more: {words.members(rest, MAX_NAMED)}'
    remedies = []
    for one in group.steps:
        texts, most, sign = one.texts, MAX_TEXTS, ''
        if one.kind in words.REMEDY_LABELS:
            texts, most, sign = '\n'.join(texts).split('\n'), MAX_LINES, '# '
        more = len(texts) - most
        if more > 0:
            noun = ' lines' if sign else ''
            texts = [*texts[:most], f'{sign}and {more} more{noun}']
        if sign:
            texts = ['\n'.join(texts)]
        remedies += [(one.kind, text) for text in texts]
    return Item(group.first, others, remedies)
