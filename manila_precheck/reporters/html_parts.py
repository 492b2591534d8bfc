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
"""What the sections of the HTML report have in common."""

import re
from typing import Optional

from manila_precheck import model
from manila_precheck.reporters import markup

_tag = markup.tag

#: How many findings of one check are shown; the rest are counted. A browser
#: takes seconds for more.
MAX_FINDINGS = 500


# A name that does not fit on a line of a phone, and where it may break.
_LONG = re.compile(r'[^\s<>&"\']{25,}')
_JOINT = re.compile(r'(?<=\w)(?:[./_@#,]|:(?!\d))(?=\w)')
_BREAK = markup.tag('wbr')

_BADGES = {
    'ERROR': 'failure',
    'SKIPPED': 'warning',
    'N/A': 'na',
    'WAIVED': 'info',
    'IN BASELINE': 'info',
}


def link(to: str, text: str) -> markup.Html:
    """Return a link to an element of the page, by its id."""
    return _tag('a', text, href=f'#{to}')


def badge(word: str) -> markup.Html:
    """Return the word for an outcome or a severity, as the style has it."""
    kind = _BADGES.get(word, word.lower())
    return _tag('span', word, class_=f'badge {kind}')


def anchor(check: model.CheckResult, number: Optional[int] = None) -> str:
    """Return the id of a check, or of one of its findings, in the page."""
    # The id of a plugin's check may hold anything.
    name = re.sub(r'[^\w-]', '-', check.id, flags=re.ASCII)
    return f'check-{name}' if number is None else f'check-{name}-{number}'


def breakable(text: str) -> markup.Content:
    """Return a text whose long names break at their dots on a phone.

    A browser would break them at any letter. What is copied has no break.
    """
    if not _LONG.search(text):
        return text
    found: list[markup.Content] = []
    end = 0
    for name in _LONG.finditer(text):
        for place in _JOINT.finditer(text, name.start(), name.end()):
            found += [text[end : place.end()], _BREAK]
            end = place.end()
    return [*found, text[end:]]


def sentence(text: str) -> str:
    """Return a text with a capital letter."""
    return f'{text[:1].upper()}{text[1:]}'
