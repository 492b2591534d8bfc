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
"""Helper functions for the templates of the HTML report."""

from collections.abc import Iterable
import re
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import words

#: How many findings of one check are shown; the rest are counted. With more, a
#: browser takes seconds to show the page.
MAX_FINDINGS = 500


# A name that does not fit on a line of a phone, and the places where it may
# break.
_LONG = re.compile(r'[^\s<>&"\']{25,}')
_JOINT = re.compile(r'(?<=\w)(?:[./_@#,]|:(?!\d))(?=\w)')

_URL = re.compile(r'https?://[\w./#?&=%+~:-]+')

_BADGES = {
    'ERROR': 'failure',
    'SKIPPED': 'warning',
    'N/A': 'na',
    'WAIVED': 'info',
    'IN BASELINE': 'info',
}


def badge_kind(word: str) -> str:
    """Return the CSS class for an outcome or a severity."""
    return _BADGES.get(word, word.lower())


def classes(check: model.CheckResult) -> str:
    """Return the CSS classes of a check, by which the page filters it."""
    severities = {f.severity.name.lower() for f in check.findings}
    if check.outcome is model.Outcome.ERROR:
        severities.add('failure')
    if check.outcome is model.Outcome.SKIPPED:
        severities.add('warning')
    return ' '.join(['check', *sorted(f'has-{s}' for s in severities)])


def actors(findings: Iterable[model.Finding]) -> list[str]:
    """Return who can carry out the steps of findings, each once."""
    return list(
        dict.fromkeys(one for f in findings for one in words.actors(f))
    )


def alike(group: grouping.Group) -> list[list[tuple[int, model.Finding]]]:
    """Return lists of similar findings of a group, each with its number."""
    # Identify findings by id(), because two of them may be equal.
    numbers = {
        id(finding): number
        for number, finding in zip(group.numbers, group.findings)
    }
    return [
        [(numbers[id(finding)], finding) for finding in same]
        for same in grouping.alike(group.findings)
    ]


def is_url(text: str) -> bool:
    """Say whether a reference is a URL that may be a link."""
    return _URL.fullmatch(text) is not None


def anchor(check: model.CheckResult, number: Optional[int] = None) -> str:
    """Return the id of a check, or of one of its findings, in the page."""
    # The id of a plugin's check may contain any character.
    name = re.sub(r'[^\w-]', '-', check.id, flags=re.ASCII)
    return f'check-{name}' if number is None else f'check-{name}-{number}'


def pieces(text: str) -> list[str]:
    """Split a text into pieces between which a line may break on a phone.

    Otherwise a browser would break a long name at any letter, not at its dots.
    """
    found = []
    end = 0
    for name in _LONG.finditer(text):
        for place in _JOINT.finditer(text, name.start(), name.end()):
            found.append(text[end : place.end()])
            end = place.end()
    return [*found, text[end:]]


def sentence(text: str) -> str:
    """Return a text with its first letter capitalized."""
    return f'{text[:1].upper()}{text[1:]}'
