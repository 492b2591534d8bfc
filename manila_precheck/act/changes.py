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
"""Make the changes that findings ask for in the text of a file."""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
import re
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.act import ini_lines
from manila_precheck.act import policy_lines

#: Every comment that this program writes begins with it.
PREFIX = '# PRECHECK: '

# The longest reason in a comment, in characters.
_MAX_REASON = 400


class Change(NamedTuple):
    """A change and its reason."""

    edit: model.Edit
    key: str
    """The key of the finding."""

    reason: str
    """The reason to write as a comment, without secrets."""


def reason_of(text: str) -> str:
    """Return a text as one line for a comment, cut if it is too long."""
    words = ' '.join(
        ''.join(one if one.isprintable() else ' ' for one in text).split()
    )
    return words if len(words) <= _MAX_REASON else words[:_MAX_REASON] + '...'


def _mark(change: Change) -> str:
    """Return the beginning of the comment that asks for a choice."""
    words = reason_of(f'choose {change.edit.name} [{change.key}]')
    return f'{PREFIX}{words}'


class _Slots:
    """The lines of a file, with replacements and insertions.

    :param lines: the lines, each with its line break.
    :param remove: whether old lines are removed instead of commented out.
    :param original_lines: the lines of the original file. Any other line was
        written for another finding; it is removed, never commented out.
    """

    def __init__(
        self,
        lines: Sequence[str],
        remove: bool,
        original_lines: Collection[str],
    ) -> None:
        self.lines = lines
        self._original_lines = original_lines
        self._remove = remove
        self._instead: dict[int, list[str]] = {}
        self._before: dict[int, list[str]] = {}
        self._ends: dict[int, list[str]] = {}
        self._tail: list[str] = []
        self._touched: set[int] = set()

    def end_at(self, line: int) -> str:
        """Return the line break used around a line."""
        for one in (*self.lines[line : line + 1], *self.lines[:1]):
            found = ini_lines.end_of(one)
            if found:
                return found
        return '\n'

    def is_free(self, begin: int, end: int) -> bool:
        """Say whether no change has touched these lines yet."""
        return not self._touched.intersection(range(begin, end))

    def mark(self, line: int, text: str) -> None:
        """Insert a comment above a line."""
        found = self._before.setdefault(line, [])
        found.append(f'{text}{self.end_at(line)}')

    def replace(
        self, begin: int, end: int, reason: str, new: Sequence[str]
    ) -> None:
        """Comment out or remove lines, and insert new ones after them."""
        self._touched.update(range(begin, end))
        eol = self.end_at(begin)
        for number in range(begin, end):
            self._instead[number] = []
        old = [
            number
            for number in range(begin, end)
            if self.lines[number].strip('\r\n') in self._original_lines
        ]
        if not self._remove and (old or new):
            self._instead[begin].append(f'{PREFIX}{reason}{eol}')
            for number in old:
                line = self.lines[number]
                body = line.strip()
                if body and body[0] not in '#;':
                    line = f'# {line}'
                self._instead[number].append(line)
        self._instead[end - 1].extend(new)

    def insert(self, line: int, new: Iterable[str]) -> None:
        """Insert lines before a line, above any comment that marks it."""
        self._ends.setdefault(line, []).extend(new)

    def append(self, new: Iterable[str]) -> None:
        """Append lines to the file."""
        self._tail.extend(new)

    def text(self) -> str:
        """Return the text of the file with all changes."""
        out: list[str] = []

        def put(new: Iterable[str]) -> None:
            for line in new:
                if out and not ini_lines.end_of(out[-1]):
                    out[-1] += self.end_at(0)
                out.append(line)

        for number, line in enumerate(self.lines):
            put(self._ends.get(number, ()))
            put(self._before.get(number, ()))
            instead = self._instead.get(number)
            put([line] if instead is None else instead)
        put(self._ends.get(len(self.lines), ()))
        put(self._tail)
        return ''.join(out)


class _Ini:
    """The changes of one INI file.

    :param text: the text of the file.
    :param paste: whether the file is api-paste.ini.
    :param remove: whether old lines are removed instead of commented out.
    :param original_lines: the lines of the original file.
    """

    def __init__(
        self,
        text: str,
        paste: bool,
        remove: bool,
        original_lines: Collection[str],
    ) -> None:
        self._text = text
        self._file = ini_lines.IniLines(text, paste)
        self._slots = _Slots(self._file.lines, remove, original_lines)
        self._made: dict[str, str] = {}
        self._added: set[tuple[str, str]] = set()

    def make(self, change: Change) -> bool:
        """Make one change; say whether it was made."""
        edit = change.edit
        if edit.action == 'choose':
            return self._choose(change)
        if edit.action == 'add':
            return self._add(edit)
        if not edit.name:
            return self._drop_section(change)
        entry = self._file.entry(edit.line, edit.name)
        if edit.action == 'move':
            # edit.name is the new name, so look up the line alone.
            entry = self._file.at(edit.line)
        if entry is None or not self._slots.is_free(entry.begin, entry.end):
            return False
        eol = self._slots.end_at(entry.begin)
        new: list[str] = []
        if edit.action == 'set':
            new = ini_lines.assignment(entry.name, edit.value or '', eol)
        elif edit.action == 'move':
            new = (
                self._file.renamed(entry, edit.name)
                if edit.value is None
                else ini_lines.assignment(edit.name, edit.value, eol)
            )
            if not ini_lines.end_of(new[-1]):
                new[-1] += eol
            if not self._file.is_of(entry, edit.section):
                self._put(edit.section, new, eol)
                new = []
        elif edit.action != 'comment':
            return False
        self._slots.replace(entry.begin, entry.end, change.reason, new)
        return True

    def _choose(self, change: Change) -> bool:
        edit, mark = change.edit, _mark(change)
        if mark in self._text:
            return False
        admitted = reason_of(edit.value or '')
        if edit.line is None:
            eol = self._slots.end_at(0)
            words = f'{mark}: {edit.name} = <{admitted}>: {change.reason}'
            self._put(edit.section, [f'{words}{eol}'], eol)
            return True
        if not 0 < edit.line <= len(self._file.lines):
            return False
        self._slots.mark(edit.line - 1, f'{mark}: {admitted}: {change.reason}')
        return True

    def _add(self, edit: model.Edit) -> bool:
        what = (edit.section, edit.name)
        if what in self._added or edit.name in self._file.names(edit.section):
            return False
        self._added.add(what)
        eol = self._slots.end_at(0)
        new = ini_lines.assignment(edit.name, edit.value or '', eol)
        self._put(edit.section, new, eol)
        return True

    def _put(self, section: str, new: Sequence[str], eol: str) -> None:
        """Add lines at the end of a section; create it if it is missing."""
        body = self._file.body(section)
        if body is not None:
            self._slots.insert(body[1], new)
            return
        if section not in self._made:
            self._made[section] = section
            lines = self._file.lines
            blank = [] if not lines or not lines[-1].strip() else [eol]
            if len(self._made) > 1:
                blank = [eol]
            self._slots.append([*blank, f'[{section}]{eol}'])
            self._last = section
        elif self._last != section:
            # Another section was appended since, so repeat the header: to
            # oslo.config it is the same section. This never happens in
            # api-paste.ini.
            self._slots.append([eol, f'[{section}]{eol}'])
            self._last = section
        self._slots.append(new)

    _last = ''

    def _drop_section(self, change: Change) -> bool:
        line = change.edit.line
        found = self._file.extent(line - 1) if line else None
        if (
            change.edit.action != 'comment'
            or found is None
            or not self._slots.is_free(*found)
        ):
            return False
        self._slots.replace(*found, change.reason, [])
        return True

    def text(self) -> str:
        return self._slots.text()


class _Policy:
    """The changes of one policy file.

    :param text: the text of the file.
    :param remove: whether old lines are removed instead of commented out.
    :param original_lines: the lines of the original file.
    """

    def __init__(
        self, text: str, remove: bool, original_lines: Collection[str]
    ) -> None:
        self._text = text
        self._file = policy_lines.PolicyLines(text)
        self._slots = _Slots(self._file.lines, remove, original_lines)

    def make(self, change: Change) -> bool:
        edit = change.edit
        if edit.action == 'choose':
            mark = _mark(change)
            if mark in self._text:
                return False
            entries = self._file.all_of(edit.name)
            if not entries:
                return False
            entry = entries[-1]
            admitted = reason_of(edit.value or '')
            self._slots.mark(
                entry.begin, f'{mark}: {admitted}: {change.reason}'
            )
            return True
        found = self._file.all_of(edit.name)
        if not found or any(
            not self._slots.is_free(one.begin, one.end) for one in found
        ):
            return False
        eol = self._slots.end_at(found[-1].begin)
        for entry in found[:-1]:
            self._slots.replace(entry.begin, entry.end, change.reason, [])
        entry, new = found[-1], []
        if edit.action == 'set':
            new = [policy_lines.written(entry, edit.value or '', eol)]
        elif edit.action != 'comment':
            return False
        self._slots.replace(entry.begin, entry.end, change.reason, new)
        return True

    def text(self) -> str:
        return self._slots.text()


def make(
    kind: str,
    text: str,
    changes: Iterable[Change],
    remove: bool,
    original: str,
) -> tuple[str, list[Change]]:
    """Return the changed text, and the changes that were made.

    :param kind: how the file is read: 'config', 'policy' or 'paste'.
    :param changes: at most one per line.
    :param remove: whether old lines are removed instead of commented out.
    :param original: the text of the file on the site.
    """
    original_lines = frozenset(re.split(r'[\r\n\ufeff]+', original))
    if kind != 'policy':
        ini = _Ini(text, kind == 'paste', remove, original_lines)
        made = [one for one in changes if ini.make(one)]
        return (ini.text() if made else text), made
    return _policy_with(text, list(changes), remove, original_lines)


def _policy_with(
    text: str,
    wanted: list[Change],
    remove: bool,
    original_lines: Collection[str],
) -> tuple[str, list[Change]]:
    """Return the changed policy file, and the changes that were made.

    All other rules must stay as they were. If one does not, each half of the
    changes is tried by itself, until the change at fault is found and left
    out: parsing the file after every single change would take too long.
    """
    mark = '\ufeff' if text.startswith('\ufeff') else ''
    before = policy_lines.rules_of(text[len(mark) :])
    if before is None or not wanted:
        return text, []
    file = _Policy(text[len(mark) :], remove, original_lines)
    expected = dict(before)
    made = []
    for change in wanted:
        edit = change.edit
        if not file.make(change):
            continue
        made.append(change)
        if edit.action == 'comment':
            expected.pop(edit.name, None)
        elif edit.action == 'set':
            expected[edit.name] = edit.value
    changed = file.text()
    if policy_lines.rules_of(changed) == expected:
        return mark + changed if made else text, made
    if len(wanted) == 1:
        return text, []
    half = len(wanted) // 2
    # The second half first: it does not move the lines of the first half.
    text, after = _policy_with(text, wanted[half:], remove, original_lines)
    text, first = _policy_with(text, wanted[:half], remove, original_lines)
    return text, [*first, *after]
