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

"""Text that is safe and fits on a terminal.

Names of shares, hosts and files come from tenants and from other programs;
an escape sequence or a right-to-left mark in one must not be able to repaint
the verdict.
"""

from collections.abc import Iterator
import re
from typing import Optional

_WORD = re.compile(r'\S+')

# A quoted span with its punctuation, which is kept in one piece: it mostly is
# a command or a value. An apostrophe inside a word opens none.
_QUOTED = re.compile(
    r"""[(\[]?(?P<quote>['"`])\S(?:.*?\S)?(?P=quote)(?!\w)\S*"""
)

# A span that fits on a line is no longer, whatever takes no column in it.
_CHARACTERS_A_COLUMN = 4


def neutralise(text: str) -> str:
    """Return the text with everything that does not print spelled out.

    Control characters (newline too), bidirectional and zero-width marks,
    lone surrogates, and every space but the common one become an escape
    such as ``\\x1b`` or ``\\u202e``.
    """
    if text.isprintable():
        return text
    return ''.join(
        char
        if char.isprintable()
        else char.encode('unicode_escape', 'surrogatepass').decode('ascii')
        for char in text
    )


def lines(text: str) -> list[str]:
    """Return the lines of a text, each neutralised; newlines split it."""
    return [
        neutralise(line.replace('\t', '    ')) for line in text.split('\n')
    ]


def one_line(text: str) -> str:
    """Return the text in one neutralised line, line breaks as spaces."""
    return ' '.join(part.strip() for part in lines(text) if part.strip())


def cells(text: str) -> int:
    """Return how many columns the neutralised text takes.

    An ideograph takes two, a combining accent none.
    """
    if text.isascii():
        return len(text)
    # Imported here because it costs more than all the rest of a report and
    # most reports are ASCII.
    import wcwidth

    return max(wcwidth.wcswidth(text), 0)


def pad(text: str, columns: int) -> str:
    """Return the text with spaces after it, up to so many columns."""
    return text + ' ' * (columns - cells(text))


def wrap(
    text: str, width: int, first: str = '', rest: Optional[str] = None
) -> Iterator[str]:
    """Yield the text in lines of at most so many columns.

    Line breaks and the indentation of a line are kept. Lines break at spaces
    only: a path, a URL or a hyphenated word is never split, nor a quoted
    command while it fits on a line; what is longer than a line overflows it.

    :param text: what to wrap; it is neutralised here.
    :param width: in columns, the prefixes included.
    :param first: what stands before the first line.
    :param rest: what stands before the others; as many spaces by default.
    """
    rest = ' ' * cells(first) if rest is None else rest
    prefix = first
    for line in lines(text):
        body = line.lstrip(' ')
        indent = ' ' * min(len(line) - len(body), width // 4)
        hang = '  ' if body.startswith(('- ', '* ')) else ''
        room = width - cells(rest) - len(indent)
        filled = ''
        for token in _tokens(body, room - len(hang)):
            candidate = f'{filled} {token}' if filled else token
            if filled and cells(candidate) > room:
                yield f'{prefix}{indent}{filled}'
                prefix, filled = rest, token
                indent += hang
                room -= len(hang)
                hang = ''
            else:
                filled = candidate
        yield f'{prefix}{indent}{filled}'.rstrip(' ')
        prefix = rest


def _tokens(text: str, room: int) -> Iterator[str]:
    position = 0
    window = max(room, 1) * _CHARACTERS_A_COLUMN
    while True:
        word = _WORD.search(text, position)
        if word is None:
            return
        start, position = word.span()
        # NOTE: not in all of the text, where each quote that is not closed
        # would be looked for to the end.
        quoted = _QUOTED.match(text, start, start + window)
        if quoted is not None and cells(quoted.group()) <= room:
            position = max(position, quoted.end())
        yield text[start:position]
