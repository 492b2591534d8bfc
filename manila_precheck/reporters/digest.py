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

"""Write one paragraph about a result, for oslo.upgradecheck's ``details``."""

from collections.abc import Sequence
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: How many groups are described; the findings of the rest are counted.
MAX_MESSAGES = 5

#: How many objects of a group are named.
MAX_NAMED = 3


def digest(result: model.CheckResult) -> Optional[str]:
    """Return a result in one paragraph; None without reason and findings.

    It is on one line, because oslo.upgradecheck flattens line breaks
    (upgradecheck.py of 2.8.0, ``_get_details``). The messages of the first
    five groups are joined by '; ', each with the first command that resolves
    it, or else the first sentence of the remedy; the other groups are
    counted. Instead of lines for a file, which do not fit into a paragraph,
    it has the command that shows them. Findings that do not count come last,
    with the reason.
    """
    groups = sorted(
        grouping.groups(result.findings), key=lambda one: not one.first.counts
    )
    parts = []
    if result.reason:
        steps = grouping.each_step(result.remediation)
        parts.append(f'{_part(result.reason)}{_todo(steps)}')
    parts += map(_words, groups[:MAX_MESSAGES])
    if not parts:
        return None
    more = sum(len(one.findings) for one in groups[MAX_MESSAGES:])
    if more:
        parts.append(f'and {more} more')
    if more or any(map(_has_more, groups)):
        parts.append(f'to see all: {_explain(result)}')
    return '; '.join(parts)


def _words(group: grouping.Group) -> str:
    text = _part(group.first.message)
    if not group.first.counts:
        return f'{text} ({words.why_passed(group.first)})'
    others = group.findings[1:]
    if others:
        named = [words.subject_of(one.subject)[0] for one in others]
        if len(named) > MAX_NAMED:
            named[MAX_NAMED:] = ['...']
        text += f' (and {len(others)} more: {", ".join(named)})'
    if group.severity is model.Severity.INFO:
        return text
    return f'{text}{_todo(group.steps)}'


def _todo(steps: Sequence[grouping.RemedyStep]) -> str:
    """Return the first command of the steps, else the first sentence."""
    for step in steps:
        if step.kind == 'command':
            return f' (type: {plain.one_line(step.texts[0])})'
    for step in steps:
        text = plain.one_line(step.texts[0])
        # A sentence that ends in a colon introduces lines of a file.
        if step.kind == 'text' and not text.endswith(':'):
            return f' ({text.rstrip(".")})'
    return ''


def _has_more(group: grouping.Group) -> bool:
    """Say whether the remedy has more than what _todo() shows."""
    if not group.first.counts or group.severity is model.Severity.INFO:
        return False
    texts = sum(len(step.texts) for step in group.steps)
    return texts > bool(_todo(group.steps))


def _explain(result: model.CheckResult) -> str:
    """Return the command that shows the result in full."""
    which = ''
    if words.is_check(result):
        which = f' --check {plain.one_line(result.id)}'
    return f'manila-precheck upgrade check{which} --verbose'


def _part(message: str) -> str:
    return plain.one_line(message).rstrip('.;')
