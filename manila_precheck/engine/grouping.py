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

"""Group findings that have the same cause and the same remedy.

The findings of a group are of the same check and severity, and the check gives
them the same cause. If the check gives no cause, they have subjects of the
same kind, the same aspect, and remedies that differ only in the names, ids and
numbers of the subject. The group of a finding depends on nothing but the
finding, so it is the same in each run, on each host and in each reporter.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import hashlib
import itertools
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model

# The placeholder for a name or an id in a template.
_ANY = '\0'

# A word in a name, a path or a command.
_WORD = re.compile(r'\w(?:[\w.-]*\w)?')
_UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_NUMBER = re.compile(r'\d+')
# Several placeholders, as for 'host@backend#pool', become one.
_NAMES = re.compile(rf'{_ANY}(?:[@#/:.,]?{_ANY})+')

# Actions of edits that do not depend on the name and value of the line.
_ALIKE = frozenset({'comment', 'move'})

_HEADING = re.compile(r'\[[^\[\]\n]+\]')

# The number of hexadecimal digits in the id of a group. Among 10,000 groups,
# two have the same id with a probability of about 10^-7.
_DIGITS = 12


class Group(NamedTuple):
    """Findings of one check with one cause and one remedy."""

    id: str
    """The id of the check and a digest: 'live-services~0c1d5e9a4b7f'."""

    findings: tuple[model.Finding, ...]
    """At least one, in the order of the check."""

    numbers: tuple[int, ...]
    """The position of each among the findings of the check, from 0."""

    @property
    def first(self) -> model.Finding:
        """Return the finding that represents the group."""
        return self.findings[0]

    @property
    def severity(self) -> model.Severity:
        """Return the severity that they all have."""
        return self.first.severity

    @property
    def references(self) -> tuple[str, ...]:
        """Return where the facts come from, each once."""
        return tuple(
            dict.fromkeys(
                text for one in self.findings for text in one.references
            )
        )

    @property
    def steps(self) -> list['RemedyStep']:
        """Return the steps that resolve all of them, in order."""
        found = []
        for same in itertools.zip_longest(
            *(one.remediation for one in self.findings)
        ):
            by_kind: dict[str, list[tuple[str, model.Remediation]]] = {}
            for finding, step in zip(self.findings, same):
                if step is not None:
                    one = (finding.subject.name, step)
                    by_kind.setdefault(step.kind, []).append(one)
            found += [
                RemedyStep(kind, _together(kind, steps))
                for kind, steps in by_kind.items()
            ]
        return found


class RemedyStep(NamedTuple):
    """One step of the remedy of a group."""

    kind: str
    """As :attr:`manila_precheck.model.Remediation.kind`."""

    texts: list[str]
    """One text if it is the same for all findings, else several."""


def each_step(remediation: Iterable[model.Remediation]) -> list[RemedyStep]:
    """Return the remedies of a finding, or check, as steps of a group."""
    return [RemedyStep(one.kind, [one.text]) for one in remediation]


class Failed(NamedTuple):
    """Checks that could not run for the same reason."""

    id: str
    """'error~' and a digest."""

    checks: tuple[model.CheckResult, ...]

    @property
    def first(self) -> model.CheckResult:
        """Return the check that represents them."""
        return self.checks[0]

    @property
    def name(self) -> str:
        """Return the id of the check, or how many checks there are."""
        if len(self.checks) == 1:
            return self.first.id
        return f'{len(self.checks)} checks'

    @property
    def steps(self) -> list[RemedyStep]:
        """Return the steps that let them run."""
        return each_step(self.first.remediation)


def identify(finding: model.Finding) -> str:
    """Return the id of the group that a finding is in."""
    if finding.cause:
        return _id(finding.check_id, finding.severity.name, finding.cause)
    words = _words(finding.subject)
    return _id(
        finding.check_id,
        finding.severity.name,
        finding.subject.kind,
        _template(finding.aspect, words),
        *(
            part
            for step in finding.remediation
            for part in (step.kind, _what(step, finding.subject, words))
        ),
    )


def groups(
    findings: Iterable[model.Finding],
    wanted: Optional[model.Severity] = None,
) -> list[Group]:
    """Return the groups of findings of one check, in the order of the first.

    :param wanted: take only findings of this severity that count. None takes
        all findings; each that does not count is then a group of its own.
    """
    found: dict[tuple[str, Optional[int]], list[model.Finding]] = {}
    numbers: dict[tuple[str, Optional[int]], list[int]] = {}
    for number, finding in enumerate(findings):
        if wanted is not None and not (
            finding.counts and finding.severity is wanted
        ):
            continue
        key = (identify(finding), None if finding.counts else number)
        found.setdefault(key, []).append(finding)
        numbers.setdefault(key, []).append(number)
    return [
        Group(key[0], tuple(members), tuple(numbers[key]))
        for key, members in found.items()
    ]


def failed(checks: Iterable[model.CheckResult]) -> list[Failed]:
    """Return the checks that could not run, grouped by reason."""
    found: dict[str, list[model.CheckResult]] = {}
    for check in checks:
        if check.outcome is model.Outcome.ERROR:
            found.setdefault(identify_error(check), []).append(check)
    return [Failed(name, tuple(same)) for name, same in found.items()]


def identify_error(check: model.CheckResult) -> str:
    """Return the id of the group of a check that could not run.

    Checks with the same remedy are one group, even if their reasons differ:
    if the account may not read any table, each check names another table.
    """
    if check.remediation:
        return _id(
            'error', *(part for step in check.remediation for part in step[:2])
        )
    return _id('error', check.reason)


def alike(
    findings: Iterable[model.Finding],
) -> list[list[model.Finding]]:
    """Return lists of findings that differ only in names and numbers."""
    found: dict[str, list[model.Finding]] = {}
    for finding in findings:
        template = _template(finding.message, _words(finding.subject))
        found.setdefault(template, []).append(finding)
    return list(found.values())


def _id(name: str, *parts: str) -> str:
    text = '\1'.join((name, *parts)).encode('utf-8', 'surrogatepass')
    return f'{name}~{hashlib.sha256(text).hexdigest()[:_DIGITS]}'


def _words(subject: model.Subject) -> frozenset[str]:
    """Return the words that name an object."""
    return frozenset(_WORD.findall(f'{subject.name} {subject.uuid or ""}'))


def _what(
    step: model.Remediation, subject: model.Subject, words: frozenset[str]
) -> str:
    """Return a step without the names, ids and numbers of its object."""
    if step.kind in ('config', 'policy') and step.edits:
        actions = {edit.action for edit in step.edits}
        if actions <= _ALIKE:
            return ' '.join(sorted(actions))
    text = step.text
    if subject.file:
        text = text.replace(subject.file, _ANY)
    return _template(text, words)


def _template(text: str, words: frozenset[str]) -> str:
    """Return a text without the names, ids and numbers of one object."""

    def plain(found: 're.Match[str]') -> str:
        word = found.group()
        return _ANY if word in words else _NUMBER.sub('0', word)

    return _NAMES.sub(_ANY, _WORD.sub(plain, _UUID.sub(_ANY, text)))


def _together(
    kind: str, steps: Sequence[tuple[str, model.Remediation]]
) -> list[str]:
    """Return the texts of a step, each once.

    The lines for a file are merged. If a sentence is not the same for all
    objects, the name of the object precedes it.

    :param steps: each with the name of the object.
    """
    texts = list(dict.fromkeys(step.text for _, step in steps))
    if len(texts) > 1 and kind == 'config':
        return list(_sections(texts))
    if len(texts) > 1 and kind == 'policy':
        return ['\n'.join(texts)]
    if len(texts) > 1 and kind != 'command':
        return list(
            dict.fromkeys(f'{name}: {step.text}' for name, step in steps)
        )
    return texts


def _sections(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines of a configuration file, with each section once."""
    sections: dict[str, list[str]] = {}
    for text in texts:
        heading, _, rest = text.partition('\n')
        if not _HEADING.fullmatch(heading) or '\n[' in rest:
            # It has several sections, or does not begin with a section.
            yield text
            continue
        sections.setdefault(heading, []).append(rest)
    for heading, lines in sections.items():
        yield '\n'.join([heading, *dict.fromkeys(lines)])
