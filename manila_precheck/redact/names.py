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

"""Mask the secrets in findings, and replace the names in a report.

All findings of all checks pass through :func:`redacted`. :class:`Names` is for
a report that goes to a vendor.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import re
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.redact import secrets

# The id that Keystone gives to a project.
_PROJECT = re.compile(r'(?<![0-9A-Za-z-])[0-9a-f]{32}(?![0-9A-Za-z-])')
_PROJECT_KEY = re.compile(r'(^|_)project(_id|_name)?$')
_HOST_KEY = re.compile(r'(^|_)host(s|name)?$')
_SHARE_KEY = re.compile(r'^(share_|display_)?name$')
_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')

#: A function from a text to the text that may be shown.
Change = Callable[[str], str]


def finding_with(finding: model.Finding, change: Change) -> model.Finding:
    """Return a finding with a function applied to every text in it."""
    subject = finding.subject
    return finding._replace(
        subject=model.Subject(
            kind=subject.kind,
            name=change(subject.name),
            file=None if subject.file is None else change(subject.file),
            line=subject.line,
            uuid=None if subject.uuid is None else change(subject.uuid),
        ),
        message=change(finding.message),
        remediation=tuple(
            model.Remediation(
                item.kind,
                change(item.text),
                tuple(_edit_with(edit, change) for edit in item.edits),
            )
            for item in finding.remediation
        ),
        references=tuple(change(text) for text in finding.references),
        data={
            name: change(value) if isinstance(value, str) else value
            for name, value in finding.data.items()
        },
        aspect=change(finding.aspect),
        waiver=None
        if finding.waiver is None
        else model.Waiver(
            key=change(finding.waiver.key),
            reason=change(finding.waiver.reason),
            owner=change(finding.waiver.owner),
            expires=finding.waiver.expires,
        ),
    )


def _edit_with(edit: model.Edit, change: Change) -> model.Edit:
    return edit._replace(
        file=change(edit.file),
        section=change(edit.section),
        name=change(edit.name),
        value=None if edit.value is None else change(edit.value),
    )


def redacted(finding: model.Finding, change: Change) -> model.Finding:
    """Return a finding with masked secrets, and no mask in its remedies.

    :param change: the function that masks secrets.
    """
    subject = finding.subject
    place = '(a value that is not shown)'
    if subject.file is not None and change(subject.file) == subject.file:
        line = '' if subject.line is None else f':{subject.line}'
        place = f'(the value in {subject.file}{line})'
    masked = finding_with(finding, change)
    return masked._replace(
        remediation=tuple(
            before._replace(
                text=after.text
                if before.text == after.text
                else secrets.pointed(after.text, place),
                # An edit with a mask would write the mask into the file.
                edits=tuple(
                    edit
                    for edit, changed in zip(before.edits, after.edits)
                    if edit == changed
                ),
            )
            for before, after in zip(finding.remediation, masked.remediation)
        ),
    )


class Names:
    """Pseudonyms for the hosts, projects and shares of one report.

    The same name has the same pseudonym everywhere in the report. Pseudonyms
    are numbered in the order of the names, so the same site gives the same
    ones.

    :param hosts: the names and addresses of machines in the sources.
    """

    def __init__(self, report: model.Report, hosts: Iterable[str]) -> None:
        found: dict[str, set[str]] = {'host': set(), 'project': set()}
        found['host'].update(hosts)
        shares: set[str] = set()
        for finding in _findings(report):
            found['host'].update(_hosts(finding))
            found['project'].update(_projects(finding))
            shares.update(_shares(finding))
        self._names = {
            name: f'{kind}-{number}'
            for kind, names in found.items()
            for number, name in enumerate(sorted(names - {''}), 1)
        }
        # A share may be called 'data' or 'share': its name is replaced in the
        # findings about it, not in every sentence.
        self._shares = {
            name: f'share-{number}'
            for number, name in enumerate(sorted(shares - {''}), 1)
        }
        self._pattern = _pattern(self._names)

    def hide(self, report: model.Report) -> model.Report:
        """Return the report with every name replaced."""
        change = self._change
        return report._replace(
            files=tuple(
                file._replace(path=change(file.path)) for file in report.files
            ),
            services=tuple(
                one._replace(
                    locations=tuple(map(change, one.locations)),
                    file=one.file and change(one.file),
                )
                for one in report.services
            ),
            redacted_names=True,
            host='',
            root='',
            site='',
            region='',
            author='',
            source_facts=self._facts(report.source_facts),
            target_facts=self._facts(report.target_facts),
            checks=tuple(
                result._replace(
                    reason=change(result.reason),
                    remediation=tuple(
                        step._replace(text=change(step.text))
                        for step in result.remediation
                    ),
                    findings=tuple(
                        finding_with(finding, self._change_in(finding))
                        for finding in result.findings
                    ),
                )
                for result in report.checks
            ),
        )

    def _facts(self, facts: Optional[model.Facts]) -> Optional[model.Facts]:
        if facts is None or facts.path is None:
            return facts
        return facts._replace(path=self._change(facts.path))

    def _change(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda m: self._names[m.group()], text)

    def _change_in(self, finding: model.Finding) -> Change:
        shares = {name: self._shares[name] for name in _shares(finding)}
        pattern = _pattern(shares)
        if pattern is None:
            return self._change

        def change(text: str) -> str:
            parts = re.split(f'({pattern.pattern})', text)
            return ''.join(
                shares[part] if number % 2 else self._change(part)
                for number, part in enumerate(parts)
            )

        return change


def _pattern(names: Iterable[str]) -> 'Optional[re.Pattern[str]]':
    """Return a pattern that matches the names as whole words."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    if not longest_first:
        return None
    words = '|'.join(re.escape(name) for name in longest_first)
    return re.compile(rf'(?<![\w-])(?:{words})(?![\w-])')


def _findings(report: model.Report) -> Iterator[model.Finding]:
    for result in report.checks:
        yield from result.findings


def _texts(finding: model.Finding) -> Iterator[str]:
    subject = finding.subject
    yield from (subject.name, subject.file or '', finding.message)
    yield from (item.text for item in finding.remediation)
    yield from (v for v in finding.data.values() if isinstance(v, str))


def _values(
    finding: model.Finding, pattern: 're.Pattern[str]'
) -> Iterator[str]:
    for name, value in finding.data.items():
        if isinstance(value, str) and pattern.search(name):
            yield value


def _hosts(finding: model.Finding) -> Iterator[str]:
    # Checks name a service BINARY@HOST@BACKEND.
    for value in _values(finding, _HOST_KEY):
        yield service_host.parse(value).controller
    if finding.subject.kind == 'service' and '@' in finding.subject.name:
        host = finding.subject.name.partition('@')[2]
        yield service_host.parse(host).controller
    if finding.subject.kind == 'host':
        yield service_host.parse(finding.subject.name).controller


def _projects(finding: model.Finding) -> Iterator[str]:
    yield from _values(finding, _PROJECT_KEY)
    if finding.subject.kind == 'project':
        yield finding.subject.name
    for text in _texts(finding):
        yield from _PROJECT.findall(text)


def _shares(finding: model.Finding) -> list[str]:
    """Return the names of the share, or share type etc., in a finding."""
    if not finding.subject.kind.startswith('share'):
        return []
    found = [finding.subject.name, *_values(finding, _SHARE_KEY)]
    return [
        name
        for name in found
        if name and not _UUID.search(name) and not _PROJECT.search(name)
    ]
