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
"""Two versions of a file as a unified diff that holds no secret.

A line in a diff for ``patch`` cannot be masked: it has to match the file. So
this module leaves out the change of a line that has a secret, and reports it
separately. Such a line is not used as context either: the context of a change
ends before it, on both sides at the same length, since patch takes a shorter
side for the end of the file. On a screen every change is shown, with the
secrets masked.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import difflib
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.act import ini_lines

_CONTEXT = 3

# A line that is commented out.
_COMMENT = re.compile(r'[ \t]*[#;]+ ?(?P<rest>.*)', re.DOTALL)

#: Returns a text without its secrets.
Mask = Callable[[str], str]


class Span(NamedTuple):
    """A changed range of lines, in the old and in the new version.

    The ends are exclusive.
    """

    begin: int
    end: int
    new_begin: int
    new_end: int


class Secrets:
    """Knows the lines that must not be shown.

    :param mask: takes the secrets out of a text.
    :param is_secret: says whether the option with this name holds a secret.
    """

    def __init__(self, mask: Mask, is_secret: Callable[[str], bool]) -> None:
        self._mask = mask
        self._is_secret = is_secret

    def lines(self, lines: Sequence[str], kind: str) -> list[Optional[str]]:
        """Return a masked text for each line; None: show the line itself."""
        text = ''.join(lines)
        found: list[Optional[str]] = [None] * len(lines)
        if kind != 'policy':
            file = ini_lines.IniLines(text, kind == 'paste')
            # The readers of the file know more line breaks than patch does:
            # translate their lines to lines of patch.
            places = [0]
            for line in file.lines:
                places.append(places[-1] + line.count('\n'))
            for entry in file.entries:
                if self._is_secret(entry.name):
                    first = places[entry.begin]
                    last = places[entry.end - 1]
                    for number in range(first, last + 1):
                        found[number] = _hidden(lines[number], number == first)
        self._in_comments(lines, found)
        for number, line in enumerate(lines):
            if found[number] is None:
                shown = self._mask(line)
                if shown != line:
                    found[number] = _one_line(shown, line)
        return found

    def _in_comments(
        self, lines: Sequence[str], found: list[Optional[str]]
    ) -> None:
        """Mask secrets in lines that are commented out."""
        within = False
        for number, line in enumerate(lines):
            comment = _COMMENT.fullmatch(line)
            if comment is None:
                within = False
                continue
            rest = comment['rest']
            if within and rest[:1] in (' ', '\t') and rest.strip():
                found[number] = _hidden(line, False)
                continue
            name, sign, value = _parted(rest)
            within = bool(sign) and self._is_secret(name)
            if within and value.strip():
                found[number] = _hidden(line, True)


def _parted(text: str) -> tuple[str, str, str]:
    places = [place for place in (text.find('='), text.find(':')) if place > 0]
    if not places:
        return text, '', ''
    place = min(places)
    return text[:place].strip().split(' ')[-1], text[place], text[place + 1 :]


def _hidden(line: str, first: bool) -> str:
    """Return a line with its value masked."""
    body = line.rstrip('\r\n')
    end = line[len(body) :]
    if first:
        found = re.match(r'[^=:]*[=:]\s*', body)
        head = found[0] if found else ''
    else:
        head = body[: len(body) - len(body.lstrip('#; \t'))]
    return f'{head}***{end}'


def _one_line(shown: str, line: str) -> str:
    body = line.rstrip('\r\n')
    return ' '.join(shown.split('\n')).rstrip('\r\n ') + line[len(body) :]


class FileDiff:
    """The changes from one version of a file to another.

    :param old: None when there is no file yet.
    :param kind: 'config', 'policy' or 'paste'.
    :param secrets: knows what must not be shown.
    :param before: the diff that leads to the old version. Changes that it
        leaves out for patch are missing in the file to which this diff is
        applied.
    """

    def __init__(
        self,
        old: Optional[bytes],
        new: Optional[bytes],
        kind: str,
        secrets: Secrets,
        before: 'Optional[FileDiff]' = None,
    ) -> None:
        self.is_new = old is None
        self.same = old == new
        # A file that does not change need not be text.
        self._old = [] if self.same else _lines(old)
        self._new = [] if self.same else _lines(new)
        self._shown_old: list[Optional[str]] = []
        self._shown_new: list[Optional[str]] = []
        self._spans: list[Span] = []
        if not self.same:
            self._shown_old = secrets.lines(self._old, kind)
            self._shown_new = secrets.lines(self._new, kind)
            self._spans = list(_spans(self._old, self._new))
        self._changed = {
            line
            for span in self._spans
            for line in range(span.begin, span.end)
        }
        self._gaps = {
            span.begin for span in self._spans if span.begin == span.end
        }
        self._missing: list[Span] = []
        if before is not None:
            self._missing = list(filter(before._is_secret, before._spans))
        self._not_there = {
            line
            for span in self._missing
            for line in range(span.new_begin, span.new_end)
        }
        # Where the file to be patched differs from the old version.
        self._borders = {
            place
            for span in self._missing
            for place in (span.new_begin, span.new_end)
        }

    def _is_secret(self, span: Span) -> bool:
        return not self._not_there.isdisjoint(
            range(span.begin, span.end)
        ) or any(
            shown is not None
            for shown in (
                *self._shown_old[span.begin : span.end],
                *self._shown_new[span.new_begin : span.new_end],
            )
        )

    @property
    def left_out(self) -> tuple[int, ...]:
        """The lines, from 1, whose change is left out of the patch."""
        return tuple(
            span.begin + 1 for span in self._spans if self._is_secret(span)
        )

    def for_patch(self) -> str:
        """Return hunks for patch, without a line that has a secret."""
        kept = [span for span in self._spans if not self._is_secret(span)]
        shift = 0
        text = []
        for group in self._grouped(kept):
            hunk, grown = self._hunk(group, shift)
            text.append(hunk)
            shift += grown
        return ''.join(text)

    def _grouped(self, spans: Sequence[Span]) -> Iterator[list[Span]]:
        """Yield the changes of each hunk."""
        group: list[Span] = []
        for span in spans:
            if group and self._are_apart(group[-1], span):
                yield group
                group = []
            group.append(span)
        if group:
            yield group

    def _are_apart(self, one: Span, other: Span) -> bool:
        """Say whether two changes belong to different hunks."""
        gap = range(one.end, other.begin)
        if len(gap) > 2 * _CONTEXT or any(
            self._shown_old[line] is not None for line in gap
        ):
            return True
        if not self._borders.isdisjoint(range(one.end, other.begin + 1)):
            return True
        # Between them is a change that is left out.
        return len(gap) != other.new_begin - one.new_end or (
            self._old[one.end : other.begin]
            != self._new[one.new_end : other.new_begin]
        )

    def _hunk(self, group: Sequence[Span], shift: int) -> tuple[str, int]:
        begin, end = group[0].begin, group[-1].end
        before = self._context(range(begin - 1, -1, -1))
        after = self._context(range(end, len(self._old)))
        cut = (len(before) < _CONTEXT and len(before) < begin) or (
            len(after) < _CONTEXT and end + len(after) < len(self._old)
        )
        if cut:
            least = min(len(before), len(after))
            before, after = before[:least], after[:least]
        lines: list[tuple[str, str]] = [
            (' ', self._old[line]) for line in reversed(before)
        ]
        grown = 0
        place = begin
        for span in group:
            lines += [(' ', line) for line in self._old[place : span.begin]]
            lines += [('-', line) for line in self._old[span.begin : span.end]]
            lines += [
                ('+', line)
                for line in self._new[span.new_begin : span.new_end]
            ]
            grown += (span.new_end - span.new_begin) - (span.end - span.begin)
            place = span.end
        lines += [(' ', self._old[line]) for line in after]
        first = begin - len(before)
        lacking = sum(
            (span.new_end - span.new_begin) - (span.end - span.begin)
            for span in self._missing
            if span.new_end <= first
        )
        size = end + len(after) - first
        head = (
            f'@@ -{_range(first - lacking, size)} '
            f'+{_range(first - lacking + shift, size + grown)} @@\n'
        )
        return head + ''.join(_line(*one) for one in lines), grown

    def _context(self, places: range) -> list[int]:
        found: list[int] = []
        for line in places:
            if (line + 1 if places.step < 0 else line) in self._borders:
                break
            if (
                len(found) == _CONTEXT
                or self._shown_old[line] is not None
                or line in self._changed
            ):
                break
            found.append(line)
            # A change that only adds lines ends the context as well.
            if (line if places.step < 0 else line + 1) in self._gaps:
                break
        return found

    def for_screen(self) -> Iterator[tuple[str, str]]:
        """Yield (sign, masked line); the sign of a hunk header is '@'."""
        matcher = difflib.SequenceMatcher(None, self._old, self._new)
        if self.same:
            return
        for group in matcher.get_grouped_opcodes(_CONTEXT):
            first, last = group[0], group[-1]
            old = _range(first[1], last[2] - first[1])
            new = _range(first[3], last[4] - first[3])
            yield '@', f'@@ -{old} +{new} @@'
            for tag, a, b, c, d in group:
                if tag == 'equal':
                    yield from ((' ', self._old_line(n)) for n in range(a, b))
                    continue
                yield from (('-', self._old_line(n)) for n in range(a, b))
                yield from (('+', self._new_line(n)) for n in range(c, d))

    def _old_line(self, number: int) -> str:
        shown = self._shown_old[number]
        return self._old[number] if shown is None else shown

    def _new_line(self, number: int) -> str:
        shown = self._shown_new[number]
        return self._new[number] if shown is None else shown


def _lines(data: Optional[bytes]) -> list[str]:
    # For patch only a line feed ends a line, unlike for the file's readers.
    text = (data or b'').decode()
    lines = text.split('\n')
    return [f'{line}\n' for line in lines[:-1]] + lines[-1:] * bool(lines[-1])


def _spans(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    matcher = difflib.SequenceMatcher(None, old, new)
    for tag, *places in matcher.get_opcodes():
        if tag != 'equal':
            yield Span(*places)


def _range(first: int, size: int) -> str:
    if size == 1:
        return str(first + 1)
    return f'{first + 1 if size else first},{size}'


def _line(sign: str, line: str) -> str:
    if line.endswith('\n'):
        return f'{sign}{line}'
    return f'{sign}{line}\n\\ No newline at end of file\n'
