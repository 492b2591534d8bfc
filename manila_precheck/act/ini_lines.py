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
"""Find the lines of an INI file, and change some of them.

oslo.config's parser and configparser keep neither comments nor spacing, and
ConfigUpdater, which does, reads by configparser's rules, not by oslo.config's:
it rejects a section that appears twice and an option that is set twice. So a
file is a list of lines here, each with its own line end; a line that is not
changed is written as it was read.
"""

from collections.abc import Iterator
import re
from typing import NamedTuple
from typing import Optional

# oslo.config reads with universal newlines: these end a line.
_LINE = re.compile(r'[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z')
_ENDS = '\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029'
# The patterns of configparser.
_HEADER = re.compile(r'\[(?P<title>.+)\]')
_ASSIGNMENT = re.compile(r'(?P<name>[^=:]*?)(?P<rest>\s*[=:].*)', re.DOTALL)


class IniEntry(NamedTuple):
    """An assignment with the lines that continue it."""

    section: int
    """The index of its section in :attr:`IniLines.sections`."""

    name: str
    begin: int
    """The index of its first line, from 0."""

    end: int
    """The index of the line after its last."""


class IniSection(NamedTuple):
    """A section header."""

    title: str
    line: int
    """The index of its line, from 0."""


def split(text: str, paste: bool) -> list[str]:
    """Return the lines of a text, each with its end.

    :param paste: whether to split as the reader of api-paste.ini does, not as
        oslo.config does.
    """
    if paste:
        return text.splitlines(keepends=True)
    return _LINE.findall(text)


def end_of(line: str) -> str:
    """Return the line break at the end of a line."""
    body = line.rstrip(_ENDS)
    return line[len(body) :]


class IniLines:
    """The sections and assignments of a file, with their lines.

    :param text: the text of a file that its parser accepts.
    :param paste: whether the file is api-paste.ini, which configparser reads.
    """

    def __init__(self, text: str, paste: bool) -> None:
        self.lines = split(text, paste)
        self.paste = paste
        self.sections: list[IniSection] = []
        self.entries: list[IniEntry] = []
        self._begun: Optional[int] = None
        self._end = 0
        self._indent = 0
        self._name = ''
        for number, line in enumerate(self.lines):
            if paste:
                self._read_paste(number, line)
            else:
                self._read_config(number, line)
        self._flush()
        self._at = {entry.begin: entry for entry in self.entries}

    def _flush(self) -> None:
        if self._begun is not None:
            self.entries.append(
                IniEntry(
                    len(self.sections) - 1, self._name, self._begun, self._end
                )
            )
        self._begun = None

    def _begin(self, number: int, text: str) -> None:
        self._flush()
        found = _ASSIGNMENT.match(text)
        self._name = (found['name'] if found else text).strip()
        self._begun, self._end = number, number + 1

    def _read_config(self, number: int, line: str) -> None:
        text = line.rstrip()
        if not text:
            self._flush()
        elif text[0] in ' \t':
            self._end = number + 1
        elif text[0] == '[':
            self._flush()
            self.sections.append(IniSection(text[1:-1], number))
        elif text[0] in '#;':
            self._flush()
        else:
            self._begin(number, text)

    def _read_paste(self, number: int, line: str) -> None:
        text = line.strip()
        if not text or text[0] in '#;':
            # Skipped even inside a value, which may continue after it.
            return
        indent = len(line) - len(line.lstrip())
        if self._begun is not None and indent > self._indent:
            self._end = number + 1
            return
        self._indent = indent
        found = _HEADER.match(text)
        if found:
            self._flush()
            self.sections.append(IniSection(found['title'], number))
        else:
            self._begin(number, text)

    def at(self, line: Optional[int]) -> Optional[IniEntry]:
        """Return the assignment that begins on a line, counted from 1."""
        return self._at.get(line - 1) if line else None

    def entry(self, line: Optional[int], name: str) -> Optional[IniEntry]:
        """Return the assignment that begins on a line.

        :param line: counted from 1.
        :returns: None when no assignment of that name begins there.
        """
        found = self.at(line)
        if found is None:
            return None
        same = found.name == name or (
            self.paste and found.name.lower() == name.lower()
        )
        return found if same else None

    def is_of(self, entry: IniEntry, title: str) -> bool:
        """Say whether an assignment is in a section with this title."""
        return entry.section >= 0 and self._same(
            self.sections[entry.section].title, title
        )

    def _same(self, one: str, other: str) -> bool:
        if self.paste or 'DEFAULT' in (one, other):
            return one == other
        return one.lower() == other.lower()

    def body(self, title: str) -> Optional[tuple[int, int]]:
        """Return where the last section with this title begins and ends.

        :returns: the index of its header and the index after its last
            assignment, from 0; None when there is no such section.
        """
        found = [
            place
            for place, section in enumerate(self.sections)
            if self._same(section.title, title)
        ]
        if not found:
            return None
        begin = self.sections[found[-1]].line
        ends = [e.end for e in self.entries if e.section == found[-1]]
        return begin, max([begin + 1, *ends])

    def extent(self, line: int) -> Optional[tuple[int, int]]:
        """Return where the section with its header on this line ends.

        :returns: the index of the header and the index after its last
            assignment, from 0; None when no header is there.
        """
        for place, section in enumerate(self.sections):
            if section.line == line:
                ends = [e.end for e in self.entries if e.section == place]
                return line, max([line + 1, *ends])
        return None

    def names(self, title: str) -> Iterator[str]:
        """Yield the names that sections with this title set."""
        for entry in self.entries:
            if self.is_of(entry, title):
                yield entry.name

    def renamed(self, entry: IniEntry, name: str) -> list[str]:
        """Return the lines of an assignment under another name.

        Its value, and the spacing before it, stay as they are.
        """
        first, *more = self.lines[entry.begin : entry.end]
        found = _ASSIGNMENT.match(first)
        assert found is not None
        indent = first[: len(first) - len(first.lstrip(' \t'))]
        return [f'{indent}{name}{found["rest"]}', *more]


def assignment(name: str, value: str, end: str) -> list[str]:
    """Return the lines that set a value.

    A value with line breaks continues on indented lines.

    :param end: the line break to write.
    """
    first, *more = re.split(r'[\r\n]+[ \t]*', value)
    if (
        not more
        and first
        and (first != first.strip() or first[0] == first[-1] in ('"', "'"))
    ):
        # The parser strips one pair of quotes.
        first = f'"{first}"'
    sign = ': ' if name.startswith('/') else ' = '
    return [
        f'{line.rstrip()}{end}'
        for line in (
            f'{name}{sign}{first}',
            *(f'    {line}' for line in more if line.strip()),
        )
    ]
