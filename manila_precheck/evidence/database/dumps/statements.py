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
"""The statements of a dump, one at a time.

The output of mysqldump, mariadb-dump and pg_dump is split at the ends of its
statements. No client is used: a client would carry out its own commands in it
(``\\!``, ``system``, ``source``). This module does not judge a statement; if
it splits a text in the wrong place, the server refuses the statement.
"""

from collections.abc import Iterator
import re
from typing import NamedTuple
from typing import Optional

#: The longest statement. mysqldump writes 16 MiB at most, unless its
#: --net-buffer-length says more.
MAX_STATEMENT_BYTES = 64 << 20

_PIECE_BYTES = 1 << 18

# A line for the MySQL client, which the server does not know.
_DELIMITER = re.compile(rb'delimiter\s+(\S+)', re.IGNORECASE)

# Lines that are not statements: comments, and the line that disables the
# commands of the MariaDB client.
_NOTES = (b'--', b'#', b'/*M!999999\\-')

# What may precede a statement.
_BLANK = re.compile(rb'(?:\s+|--[^\n]*\n|/\*(?![!M]).*?\*/)*', re.DOTALL)

# The tokens of a text of pg_dump up to the end of a statement. The expression
# never backtracks: no two parts begin with the same characters.
_TOKENS = re.compile(
    rb"(?:[^'\"$\-/;eE\\]+"
    rb"|[eE]'[^'\\]*(?:\\.[^'\\]*)*'"
    rb"|[eE](?!')"
    rb"|'[^']*'"
    rb'|"[^"]*"'
    rb'|--[^\n]*\n'
    rb'|-(?=[^-])'
    rb'|/\*.*?\*/'
    rb'|/(?=[^*])'
    rb'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$'
    rb'|\$(?=\d)'
    rb'|\\)*',
    re.DOTALL,
)

_FROM_STDIN = re.compile(rb'COPY\b.*\bFROM stdin\Z', re.DOTALL | re.IGNORECASE)
_COPY_ENDS = b'\n\\.\n'


class TooLong(Exception):
    """A statement has no end within MAX_STATEMENT_BYTES."""


class Statement(NamedTuple):
    """A statement, without its terminator."""

    line: int
    """The number of its first line, from 1."""

    text: bytes

    rows: 'Optional[Rows]' = None
    """The rows after a COPY ... FROM stdin."""

    command: bool = False
    """Whether it is a command of the client: '\\connect', 'DELIMITER'."""


class _Text:
    """A text that arrives in pieces, and the position in it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.buffer = b''
        self.at = 0
        self.line = 1

    def more(self) -> bool:
        """Read one more piece; say whether there was one."""
        piece = next(self._chunks, b'')
        if piece:
            self.buffer = self.buffer[self.at :] + piece
            self.at = 0
        return bool(piece)

    def take(self, end: int) -> bytes:
        """Return the text up to an index, and move the position there."""
        taken = self.buffer[self.at : end]
        self.line += taken.count(b'\n')
        self.at = end
        return taken

    def require_room(self) -> None:
        if len(self.buffer) - self.at > MAX_STATEMENT_BYTES:
            raise TooLong


class Rows:
    """The rows of a COPY, as the file that a driver reads."""

    def __init__(self, text: _Text) -> None:
        #: How many rows have been read; each is a line.
        self.number = 0
        self._text = text
        self._first = True
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return some of the text; b'' at the end."""
        found = self._read(size)
        self.number += found.count(b'\n')
        return found

    def _read(self, size: int) -> bytes:
        text = self._text
        while not self._ended:
            if self._first:
                while len(text.buffer) - text.at < 3 and text.more():
                    pass
                self._first = False
                if text.buffer.startswith(b'\\.\n', text.at):
                    return self._end(text.at, 3)
            found = text.buffer.find(_COPY_ENDS, text.at)
            if found >= 0:
                if found + 1 - text.at > size > 0:
                    return text.take(text.at + size)
                rows = text.take(found + 1)
                self._end(text.at, 3)
                return rows
            # The end of what has arrived may be the start of the end mark.
            whole = len(text.buffer) - len(_COPY_ENDS) + 1
            if whole > text.at:
                end = whole if size <= 0 else min(whole, text.at + size)
                return text.take(end)
            if not text.more():
                self._ended = True
                return text.take(len(text.buffer))
        return b''

    def _end(self, at: int, length: int) -> bytes:
        self._text.take(at + length)
        self._ended = True
        return b''

    def skip(self) -> None:
        """Move behind the rows."""
        while self.read(_PIECE_BYTES):
            pass


def of_mysql(chunks: Iterator[bytes]) -> Iterator[Statement]:
    """Yield the statements of mysqldump or mariadb-dump.

    These tools end each statement at the end of a line, and write no line end
    into a value. Statements between two DELIMITER lines are yielded, too.

    :raises TooLong: when a statement is too long.
    """
    delimiter = b';'
    parts: list[bytes] = []
    began = size = 0
    for number, line in enumerate(_lines(chunks), 1):
        if not parts:
            stripped = line.strip()
            if not stripped or stripped.startswith(_NOTES):
                continue
            mark = _DELIMITER.match(stripped)
            if mark:
                delimiter = mark[1]
                yield Statement(number, stripped, command=True)
                continue
            if stripped.startswith(b'\\'):
                yield Statement(number, stripped, command=True)
                continue
            began = number
        parts.append(line)
        size += len(line)
        if size > MAX_STATEMENT_BYTES:
            raise TooLong
        ended = line.rstrip()
        if ended.endswith(delimiter):
            parts[-1] = ended[: -len(delimiter)]
            yield Statement(began, b''.join(parts))
            parts, size = [], 0
    if parts:
        yield Statement(began, b''.join(parts))


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b'\n')
        for line in whole:
            parts.append(line)
            parts.append(b'\n')
            yield b''.join(parts)
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > MAX_STATEMENT_BYTES:
            raise TooLong
    if any(parts):
        yield b''.join(parts)


def of_postgresql(chunks: Iterator[bytes]) -> Iterator[Statement]:
    """Yield the statements of pg_dump's plain format.

    The rows of a COPY have to be read or skipped before the next statement.

    :raises TooLong: when a statement is too long.
    """
    text = _Text(chunks)
    while _skip_blanks(text):
        line = text.line
        if text.buffer.startswith(b'\\', text.at):
            yield Statement(line, _line(text).strip(), command=True)
            continue
        end = _end_of_statement(text)
        statement = text.take(end)
        text.take(min(end + 1, len(text.buffer)))
        if _FROM_STDIN.match(statement):
            _line(text)
            rows = Rows(text)
            yield Statement(line, statement, rows)
            rows.skip()
        else:
            yield Statement(line, statement)


def _skip_blanks(text: _Text) -> bool:
    """Move to the start of a statement; say whether there is one."""
    while True:
        found = _BLANK.match(text.buffer, text.at)
        assert found is not None
        text.take(found.end())
        begins = text.buffer[text.at : text.at + 3]
        # Enough characters to know that this is not a comment.
        if len(begins) == 3 and begins[:2] not in (b'--', b'/*'):
            return True
        text.require_room()
        if not text.more():
            return text.at < len(text.buffer)


def _end_of_statement(text: _Text) -> int:
    """Return the index of the semicolon, or of the end of the text."""
    while True:
        found = _TOKENS.match(text.buffer, text.at)
        assert found is not None
        if text.buffer[found.end() : found.end() + 1] == b';':
            return found.end()
        text.require_room()
        if not text.more():
            return len(text.buffer)


def _line(text: _Text) -> bytes:
    """Return the rest of the line, and move behind it."""
    while True:
        end = text.buffer.find(b'\n', text.at)
        if end >= 0:
            return text.take(end + 1)
        text.require_room()
        if not text.more():
            return text.take(len(text.buffer))
