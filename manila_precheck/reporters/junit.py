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

"""JUnit XML, for whatever draws a pipeline's tests.

One test case a check. It follows both schemas that are in use: that of the
xunit plugin of Jenkins (junit-10.xsd) and the stricter one of Ant, where a
suite has its properties first, then the cases, then its output.
"""

import datetime
from typing import Optional
from typing import TextIO
from xml.etree import ElementTree

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: How many findings of one case are spelled out; the rest are counted.
MAX_FINDINGS = 200

# Ant's schema wants a time; a report without a clock has this one.
_NO_TIME = '1970-01-01T00:00:00'


class JunitReporter(base.Reporter):
    """One test case a check: SKIPPED is skipped, ERROR is an error.

    A check fails when what it found shows in the exit code: with
    ``--fail-on failure`` one with warnings only passes, and the warnings
    stand in the output of the suite.
    """

    name = 'junit'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the document in ASCII, so that no encoding changes it."""
        root = ElementTree.Element('testsuites')
        root.append(_suite(report))
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding='us-ascii')
        stream.write(text.decode('ascii'))
        stream.write('\n')


def _suite(report: model.Report) -> ElementTree.Element:
    cases = [_case(result, report) for result in report.checks]
    suite = ElementTree.Element(
        'testsuite',
        {
            'name': report.tool.name,
            'package': report.tool.name,
            'id': '0',
            'timestamp': _timestamp(report.created),
            # A report says nothing of where it was made.
            'hostname': 'localhost',
            'tests': str(len(cases)),
            'failures': _count(cases, 'failure'),
            'errors': _count(cases, 'error'),
            'skipped': _count(cases, 'skipped'),
            'time': _seconds(sum(r.seconds for r in report.checks)),
        },
    )
    properties = ElementTree.SubElement(suite, 'properties')
    for name, value in _properties(report):
        ElementTree.SubElement(
            properties,
            'property',
            {'name': _attribute(name), 'value': _attribute(value)},
        )
    suite.extend(cases)
    output = ElementTree.SubElement(suite, 'system-out')
    output.text = _text(
        '\n\n'.join(
            f'{result.id}: {words.word(result)}\n{_findings(result)}'
            for result, case in zip(report.checks, cases)
            if result.findings and case.find('failure') is None
        )
    )
    ElementTree.SubElement(suite, 'system-err')
    return suite


def _properties(report: model.Report) -> list[tuple[str, str]]:
    verdict, _todo = words.verdict(report)
    return [
        ('verdict', verdict),
        ('code', str(report.code)),
        ('source_release', report.source_release),
        ('target_release', report.target_release),
        *(
            (name, build)
            for name, build in (
                ('source_build', report.source_build),
                ('target_build', report.target_build),
            )
            if build is not None
        ),
        ('stage', report.stage.value),
        ('database', words.database(report.database)),
        *words.rehearsal(report),
        ('tool', report.tool.version),
        ('catalog', report.tool.catalog),
        *((f'file:{file.path}', file.sha256) for file in report.files),
    ]


def _case(
    result: model.CheckResult, report: model.Report
) -> ElementTree.Element:
    case = ElementTree.Element(
        'testcase',
        {
            'name': _attribute(result.id),
            'classname': f'{report.tool.name}.{report.stage.value}',
            'time': _seconds(result.seconds),
        },
    )
    summary = f'{result.title}: {words.note(result)}'
    if result.outcome is model.Outcome.ERROR:
        tag, kind, summary = (
            'error',
            'error',
            f'{result.title}: could not run',
        )
    elif result.outcome in (
        model.Outcome.SKIPPED,
        model.Outcome.NOT_APPLICABLE,
    ):
        tag, kind = 'skipped', ''
        if result.outcome is model.Outcome.NOT_APPLICABLE:
            summary = f'not applicable: {result.reason}'
        else:
            summary = result.reason
    elif model.exit_code(int(result.severity), report.fail_on):
        tag, kind = 'failure', result.severity.name.lower()
    else:
        return case
    answer = ElementTree.SubElement(
        case, tag, {'message': _attribute(summary)}
    )
    if kind:
        answer.set('type', kind)
    body = _findings(result)
    if tag == 'error':
        body = f'{result.reason}\n{body}'
    answer.text = _text(body)
    return case


def _findings(result: model.CheckResult) -> str:
    """Return what a check found, and what to do, in lines."""
    lines = []
    for finding in result.findings[:MAX_FINDINGS]:
        name, place = words.subject_of(finding.subject)
        lines.append(f'{finding.severity.name} {name} {place}'.rstrip(' '))
        lines.append(f'  {finding.message}')
        if not finding.counts:
            lines.append(f'  {words.why_passed(finding)}')
            continue
        for step in finding.remediation:
            label = words.REMEDY_LABELS.get(step.kind, 'Do:')
            lines.append(f'  {label}')
            lines.extend(f'    {line}' for line in step.text.split('\n'))
    more = len(result.findings) - MAX_FINDINGS
    if more > 0:
        lines.append(f'and {more} more; see --format json')
    return '\n'.join(lines)


def _count(cases: list[ElementTree.Element], tag: str) -> str:
    return str(sum(1 for case in cases if case.find(tag) is not None))


def _seconds(seconds: float) -> str:
    return f'{seconds:.3f}'


def _timestamp(created: Optional[str]) -> str:
    if created is None:
        return _NO_TIME
    moment = datetime.datetime.fromisoformat(created)
    utc = moment.astimezone(datetime.timezone.utc)
    return utc.strftime('%Y-%m-%dT%H:%M:%S')


def _text(text: str) -> str:
    """Return lines of which XML can take, and a terminal, each character."""
    return '\n'.join(plain.lines(text))


def _attribute(text: str) -> str:
    return plain.one_line(text)
