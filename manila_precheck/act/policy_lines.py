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
"""Find the entries of a policy file, and change some of them.

ruamel.yaml keeps comments and quotes, but not every space and line end. The
marks of PyYAML say which lines an entry occupies; the other lines stay
untouched. The caller parses the result to verify it.
"""

import json
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.files import yaml_file
from manila_precheck.evidence.policy import policy_files

# A line as PyYAML splits a text.
_LINE = re.compile(
    '[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])'
    '|[^\r\n\x85\u2028\u2029]+\\Z'
)


class PolicyEntry(NamedTuple):
    """A rule with the lines that it occupies."""

    name: str
    begin: int
    """The index of its first line, from 0."""

    end: int
    """The index of the line after its last."""

    indent: str
    key: str
    """Its name as the file has it, with any quotes."""

    comma: bool
    """Whether a comma follows it."""


class PolicyLines:
    """The rules of a policy file, with their lines.

    :param text: the text of a YAML file.
    :raises yaml_file.Malformed: when the text is not YAML.
    """

    def __init__(self, text: str) -> None:
        self.lines: list[str] = _LINE.findall(text)
        self.entries: list[PolicyEntry] = []
        self._by_name: dict[str, list[PolicyEntry]] = {}
        node = yaml_file.compose(text)
        shared = set()
        for key, value in getattr(node, 'value', ()):
            entry = self._entry(key, value)
            if entry is None:
                shared.add(key.value)
                continue
            self.entries.append(entry)
            self._by_name.setdefault(entry.name, []).append(entry)
        for name in shared:
            self._by_name.pop(name, None)

    def _entry(self, key: Any, value: Any) -> Optional[PolicyEntry]:
        """Return a rule; None when it shares a line with something else."""
        begin = key.start_mark.line
        end, column = value.end_mark.line, value.end_mark.column
        if column or end == begin:
            end += 1
        while end - 1 > begin and self.lines[end - 1].lstrip(' \t')[:1] in (
            '#',
            '',
            '\r',
            '\n',
        ):
            end -= 1
        before = self.lines[begin][: key.start_mark.column].lstrip('\ufeff')
        after = ''
        if value.end_mark.line == end - 1:
            after = self.lines[end - 1][column:].strip()
        if before.strip() or not re.fullmatch(r',?\s*(#.*)?', after):
            return None
        written = self.lines[begin][key.start_mark.column :]
        if key.end_mark.line != begin:
            return None
        return PolicyEntry(
            key.value,
            begin,
            end,
            before,
            written[: key.end_mark.column - key.start_mark.column],
            after.startswith(','),
        )

    def all_of(self, name: str) -> list[PolicyEntry]:
        """Return every entry of a rule, of which the last one counts.

        Return none if one of them shares a line with something else.
        """
        return self._by_name.get(name, [])


def written(entry: PolicyEntry, value: str, end: str) -> str:
    """Return the line of a rule with a new check string."""
    text = model.rule(entry.name, value).text
    check = text[len(model.rule(entry.name, '').text) - 2 :]
    comma = ',' if entry.comma else ''
    return f'{entry.indent}{entry.key}: {check}{comma}{end}'


def rules_of(text: str) -> Optional[dict[str, Any]]:
    """Return the mapping in a YAML text; None when it is no mapping."""
    try:
        node = yaml_file.compose(text)
        found = yaml_file.construct(node) if node is not None else {}
    except yaml_file.Malformed:
        return None
    if found is None:
        return {}
    return found if isinstance(found, dict) else None


def rendered(document: policy_files.PolicyFile) -> str:
    """Return the rules of a file as YAML, one per line."""
    lines = []
    for rule in document.rules:
        if isinstance(rule.check, str):
            lines.append(model.rule(rule.name, rule.check).text)
        else:
            name = model.rule(rule.name, '').text[: -len('""')]
            lines.append(f'{name}{json.dumps(rule.check)}')
    return ''.join(f'{line}\n' for line in lines)
