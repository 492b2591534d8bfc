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

"""Escape texts for Markdown.

The output uses the Markdown that GitHub and GitLab have in common. A name can
be any text, so it must not be read as markup, or as the mention of a user or
the number of an issue.
"""

from collections.abc import Iterator
import html
import re

from manila_precheck.reporters import plain

# Punctuation that begins markup within a line; a backslash escapes it.
_MARKUP = re.compile(r'([\\`*_\[\]|~])')
# The beginning of a line that makes it a block.
_BLOCK = re.compile(r'^(?=[-+#=])|^(\d+)(?=[.)])')
# A mention, an issue or a link. Both hosts look for them in the rendered text,
# where a backslash does not help; an HTML comment splits the word.
_REFERENCE = re.compile(r'([@#!~%$^]|&amp;|://|www)(?=[\w"\'/.\\])')


def text(raw: str) -> str:
    """Return a text on one line, escaped."""
    escaped = html.escape(plain.one_line(raw), quote=False)
    escaped = _MARKUP.sub(r'\\\1', escaped)
    escaped = _BLOCK.sub(r'\1\\', escaped)
    return _REFERENCE.sub(r'\1<!-- -->', escaped)


def code(text: str) -> str:
    """Return a text on one line as code.

    A bar is replaced, because it would end the cell of a table even in code.
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
