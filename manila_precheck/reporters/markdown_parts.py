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

"""Texts in Markdown of which nothing is read as markup.

What GitHub and GitLab have in common is used. A name can be anything, so
nothing of it is left to be the mention of a user or the number of an issue.
"""

from collections.abc import Iterator
import html
import re

from manila_precheck.reporters import plain

# Punctuation that starts markup in a line; a backslash ends its meaning.
_MARKUP = re.compile(r'([\\`*_\[\]|~])')
# What makes a block when a line begins with it.
_BLOCK = re.compile(r'^(?=[-+#=])|^(\d+)(?=[.)])')
# A mention, an issue, a link: both hosts look for them in the finished text,
# where no backslash helps. A comment ends the word they look for.
_REFERENCE = re.compile(r'([@#!~%$^]|&amp;|://|www)(?=[\w"\'/.\\])')


def text(raw: str) -> str:
    """Return a text on one line in which nothing is markup."""
    escaped = html.escape(plain.one_line(raw), quote=False)
    escaped = _MARKUP.sub(r'\\\1', escaped)
    escaped = _BLOCK.sub(r'\1\\', escaped)
    return _REFERENCE.sub(r'\1<!-- -->', escaped)


def code(text: str) -> str:
    """Return a text on one line as code, where nothing is markup.

    A bar would end the cell of a table, in code too.
    """
    text = plain.one_line(text).replace('|', '\\x7c') or ' '
    longest = max((len(run) for run in re.findall('`+', text)), default=0)
    fence = '`' * (longest + 1)
    edge = ' ' if text[0] in '` ' or text[-1] in '` ' else ''
    return f'{fence}{edge}{text}{edge}{fence}'


def fenced(text: str) -> Iterator[str]:
    lines = plain.lines(text)
    runs = (len(run) for line in lines for run in re.findall('`+', line))
    fence = '`' * max(3, max(runs, default=0) + 1)
    yield f'  {fence}'
    for line in lines:
        yield f'  {line}'.rstrip(' ')
    yield f'  {fence}'
