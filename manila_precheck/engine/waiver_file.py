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
"""Read the file of ``--waivers``.

It is YAML::

    waivers:
      - key: config-options[DEFAULT/auth_strategy#value]
        reason: the deployment tool replaces the line during the upgrade
        owner: storage team
        expires: 2026-12-31
"""

from collections.abc import Iterator
import datetime
import functools
import re
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import yaml_file

if TYPE_CHECKING:
    import yaml

#: The keys of an entry, all of which are required.
FIELDS = ('key', 'reason', 'owner', 'expires')

_KEY = re.compile(r'(?P<check>[a-z][a-z0-9@._-]*)\[.*\]', re.DOTALL)


class WaiverEntry(NamedTuple):
    """One entry of the file."""

    line: int
    """The line where it starts, counted from 1."""

    waiver: Optional[model.Waiver]
    """The waiver; None when the entry is invalid."""

    name: str
    """Its key, or 'entry 3' when it has none."""

    problem: str = ''
    """Why it is invalid; '' when it is valid."""

    @property
    def check_id(self) -> str:
        """Return the id of the check whose findings it is about."""
        return self.name.partition('[')[0]


class WaiverFile(NamedTuple):
    """The content of a file of waivers."""

    read: model.FileRead
    entries: tuple[WaiverEntry, ...]


def read(path: str) -> WaiverFile:
    """Read a file of waivers.

    :raises UsageError: when it cannot be read, is not YAML, or is not a list
        of waivers at all.
    """
    try:
        text, found = text_file.read_text(
            path, yaml_file.MAX_BYTES, 'utf-8-sig'
        )
        entries = tuple(_entries(yaml_file.compose(text)))
    except exceptions.SourceUnusable as exc:
        raise exceptions.UsageError(f'waivers {exc}') from exc
    except yaml_file.Malformed as exc:
        where = path if exc.line is None else f'{path}:{exc.line}'
        raise exceptions.UsageError(f'waivers {where}: {exc}') from exc
    except _NoList as exc:
        raise exceptions.UsageError(f'waivers {path}: {exc}') from exc
    return WaiverFile(found, entries)


class _NoList(Exception):
    """The file is YAML, but not a list of waivers."""


def _entries(root: 'Optional[yaml.Node]') -> Iterator[WaiverEntry]:
    import yaml

    if not isinstance(root, yaml.MappingNode):
        raise _NoList('it is not a mapping with the key waivers')
    names = [key.value for key, _value in root.value]
    if names != ['waivers']:
        raise _NoList(f'it has the keys {names!r} instead of only waivers')
    ((_key, items),) = root.value
    if isinstance(items, yaml.ScalarNode) and not items.value.strip('~'):
        return
    if not isinstance(items, yaml.SequenceNode):
        raise _NoList('waivers is not a list')
    for number, node in enumerate(items.value, 1):
        yield _entry(node, number)


def _entry(node: 'yaml.Node', number: int) -> WaiverEntry:
    import yaml

    line = node.start_mark.line + 1
    name = f'entry {number}'
    if not isinstance(node, yaml.MappingNode):
        return WaiverEntry(line, None, name, 'it is not a mapping')
    given = [str(key.value) for key, _value in node.value]
    if len(set(given)) < len(given):
        return WaiverEntry(line, None, name, 'it has a duplicate key')
    try:
        fields = yaml_file.construct(node)
    except yaml_file.Malformed as exc:
        return WaiverEntry(line, None, name, str(exc))
    key = fields.get('key')
    if isinstance(key, str) and key:
        name = key
    problem = _problem(fields)
    if problem:
        return WaiverEntry(line, None, name, problem)
    return WaiverEntry(
        line,
        model.Waiver(
            key=fields['key'],
            reason=' '.join(fields['reason'].split()),
            owner=' '.join(fields['owner'].split()),
            expires=_date(fields['expires']).isoformat(),
        ),
        name,
    )


def _problem(fields: dict[Any, Any]) -> str:
    """Return why an entry is invalid; '' when it is valid."""
    unknown = sorted(str(name) for name in fields if name not in FIELDS)
    if unknown:
        return f'it has the unknown key {unknown[0]!r}'
    for name in FIELDS[:3]:
        value = fields.get(name)
        if not isinstance(value, str) or not value.strip():
            return f'it has no {name}'
    if not _KEY.fullmatch(fields['key']):
        return (
            'its key is not CHECK[SUBJECT], with the id of one check before '
            'the bracket'
        )
    if 'expires' not in fields or fields['expires'] in (None, ''):
        return 'it has no expires'
    try:
        _date(fields['expires'])
    except ValueError:
        return f'its expires {fields["expires"]!r} is not a date (YYYY-MM-DD)'
    return ''


def _date(value: Any) -> datetime.date:
    """Return the last day on which a waiver is valid.

    :raises ValueError: when the value is not a date.
    """
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    return datetime.date.fromisoformat(str(value))


def matches(pattern: str, key: str) -> bool:
    """Say whether the key of a waiver covers that of a finding.

    '*' matches any text and '?' one character, unless a backslash precedes
    them. Brackets match themselves: every key has them.
    """
    return _compiled(pattern).fullmatch(key) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> 're.Pattern[str]':
    parts = ['']
    for piece in re.findall(r'\\[\\*?]|.', pattern, re.DOTALL):
        if piece == '*':
            parts.append('')
        else:
            parts[-1] += '.' if piece == '?' else re.escape(piece[-1])
    first, *between = parts
    if not between:
        return re.compile(first, re.DOTALL)
    last = between.pop()
    # Avoid backtracking, whose time would grow exponentially with the number
    # of '*': the lookahead finds the first match of the next part, and the
    # backreference consumes it without an alternative.
    taken = ''.join(
        rf'(?=(.*?{part}))\{number}' for number, part in enumerate(between, 1)
    )
    return re.compile(f'{first}{taken}.*{last}', re.DOTALL)


def escape(key: str) -> str:
    """Return the pattern that matches only this key."""
    return re.sub(r'([\\*?])', r'\\\1', key)
