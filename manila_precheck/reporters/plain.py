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

"""Make text safe for a terminal, and fit it into its width.

Names of shares, hosts and files come from tenants and from other programs. An
escape sequence or a right-to-left mark in a name must not change how the
verdict is displayed.
"""

from collections.abc import Iterator
import re
from typing import Optional

_WORD = re.compile(r'\S+')

# A quoted text with its punctuation. It usually is a command or a value, and
# stays on one line. An apostrophe inside a word does not begin one.
_QUOTED = re.compile(
    r"""[(\[]?(?P<quote>['"`])\S(?:.*?\S)?(?P=quote)(?!\w)\S*"""
)

# The limit for the characters of a quoted text, for each column of a line:
# some characters, such as combining accents, take no column.
_CHARACTERS_A_COLUMN = 4


def neutralise(text: str) -> str:
    """Return the text with escapes for all characters that do not print.

    Control characters (newlines too), bidirectional and zero-width marks,
    lone surrogates, and all spaces except U+0020 become an escape such as
    ``\\x1b`` or ``\\u202e``.
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
    """Split a text at newlines, and return its lines neutralised."""
    return [
        neutralise(line.replace('\t', '    ')) for line in text.split('\n')
    ]


def one_line(text: str) -> str:
    """Return the text neutralised, with spaces for line breaks."""
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
    """Return the text padded with spaces to a number of columns."""
    return text + ' ' * (columns - cells(text))


def wrap(
    text: str, width: int, first: str = '', rest: Optional[str] = None
) -> Iterator[str]:
    """Yield the text wrapped to a number of columns.

    Line breaks and the indentation of a line are kept. Lines break only at
    spaces: a path, a URL or a hyphenated word is never split, and a quoted
    command only if it is longer than a line. A longer word overflows its line.

    :param text: the text; it is neutralised here.
    :param width: the number of columns, including the prefixes.
    :param first: the prefix of the first line.
    :param rest: the prefix of the other lines; as many spaces by default.
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
        # NOTE: the window limits the search for the closing quote, which would
        # otherwise go to the end of the text for each unclosed quote.
        quoted = _QUOTED.match(text, start, start + window)
        if quoted is not None and cells(quoted.group()) <= room:
            position = max(position, quoted.end())
        yield text[start:position]
