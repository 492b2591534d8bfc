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

"""Merge the findings of a check that ran over the files of several services.

A finding that is the same for all services appears once, even if each has its
own copy of the file. A finding of some services names them.
"""

from collections.abc import Callable
from collections.abc import Sequence
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.host import commands

_PLACE = re.compile(r'(?:\bline |:)\d+')


class ServiceRun(NamedTuple):
    """The findings in the files of some services."""

    services: tuple[str, ...]
    """The names of the programs of these services, which read the same
    files."""

    findings: list[model.Finding]


class _Statement(NamedTuple):
    """A finding, with the services and the places that have it."""

    finding: model.Finding
    services: set[str]
    places: list[str]
    concerned: set[str]


def merged(
    runs: Sequence[ServiceRun],
    concerned: Callable[[model.Finding], Optional[set[str]]] = lambda f: None,
) -> list[model.Finding]:
    """Return the findings of several runs of one check, each once.

    :param runs: one for each list of files.
    :param concerned: returns the services that could have a finding; None for
        all services of the runs.
    """
    files = {
        one.subject.file
        for run in runs
        for one in run.findings
        if one.subject.file
    }
    paths = re.compile(
        '|'.join(re.escape(path) for path in sorted(files, reverse=True))
        or '(?!)'
    )
    statements: dict[object, _Statement] = {}
    everyone = {name for run in runs for name in run.services}
    for run in runs:
        for one in run.findings:
            key = _likeness(one, paths)
            found = statements.setdefault(
                key, _Statement(one, set(), [], set())
            )
            found.services.update(run.services)
            may_be = concerned(one)
            found.concerned.update(everyone if may_be is None else may_be)
            place = _place(one)
            if place and place not in found.places:
                found.places.append(place)
    return [_told(one) for one in statements.values()]


def _likeness(finding: model.Finding, paths: 're.Pattern[str]') -> object:
    """Return a key that is equal for findings that differ only in the file."""

    def like(text: str) -> str:
        return _PLACE.sub('', paths.sub('', text))

    return (
        finding.severity,
        finding.key,
        like(finding.message),
        tuple((step.kind, like(step.text)) for step in finding.remediation),
    )


def _place(finding: model.Finding) -> str:
    subject = finding.subject
    if not subject.file:
        return ''
    line = f':{subject.line}' if subject.line else ''
    return f'{subject.file}{line}'


def _told(one: _Statement) -> model.Finding:
    text = one.finding.message
    if one.places[1:]:
        text += f'; likewise {", ".join(one.places[1:])}'
    # manila-manage, which people type by hand, is not worth a mention.
    if one.concerned - one.services - {commands.MANAGE}:
        named = [
            name
            for name in service_files.PROGRAMS
            if name in one.services and name != commands.MANAGE
        ]
        text += f' (as {", ".join(named or one.services)} reads it)'
    return one.finding._replace(message=text)
