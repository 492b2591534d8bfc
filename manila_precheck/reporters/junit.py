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

"""JUnit XML, for systems that show the tests of a pipeline.

There is one test case for each group of findings, and one for each check
without findings. The document is valid in both schemas that are in use: that
of the xunit plugin of Jenkins (junit-10.xsd) and the stricter one of Ant. In
the latter, a suite has first its properties, then the cases, then its output,
and a case has at most one of failure, error and skipped.

GitLab (lib/gitlab/ci/parsers/test/junit.rb) does not show the output of a case
that passes, but does show that of a skipped one. Findings that do not affect
the exit code are therefore skipped cases.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import datetime
from typing import Optional
from typing import TextIO
from xml.etree import ElementTree

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import base
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

#: How many cases a check may have, and how many findings a case shows; the
#: rest are counted.
MAX_FINDINGS = 200

# Ant's schema requires a time; reproducible reports have this one.
_NO_TIME = '1970-01-01T00:00:00'


class JunitReporter(base.Reporter):
    """One test case for each group: SKIPPED is skipped, ERROR an error.

    A case fails when its findings affect the exit code. With ``--fail-on
    failure`` a warning is skipped, and so are findings that are waived or in
    the baseline. A note passes, and is in the output of the suite. If several
    checks could not run for the same reason, the first is an error and the
    others are skipped.
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
    cases = list(_cases(report))
    suite = ElementTree.Element(
        'testsuite',
        {
            'name': report.tool.name,
            'package': report.tool.name,
            'id': '0',
            'timestamp': _timestamp(report.created),
            # The schema requires a name; that of the host is not used.
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
            f'{result.id}: {words.word(result)}\n'
            + '\n'.join(map(_lines, notes))
            for result in report.checks
            for notes in [
                grouping.groups(result.findings, model.Severity.INFO)
            ]
            if notes
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


def _cases(report: model.Report) -> Iterator[ElementTree.Element]:
    """Yield the cases of each check, in the order of the checks."""
    causes = {
        check.id: failed.first.id
        for failed in grouping.failed(report.checks)
        for check in failed.checks
    }
    for result in report.checks:
        groups = grouping.groups(result.findings)
        seconds = result.seconds
        if result.outcome is not model.Outcome.FOUND:
            yield _of_check(result, report, causes)
            seconds = 0.0
        for group in groups[:MAX_FINDINGS]:
            yield _of_group(result, group, report, seconds)
            seconds = 0.0
        rest = [f for g in groups[MAX_FINDINGS:] for f in g.findings]
        if rest:
            worst = max(
                (f.severity for f in rest if f.counts),
                default=model.Severity.INFO,
            )
            text = f'{len(rest)} more; see --format json'
            case = _case(result, report, f'{result.id}: more', 0.0)
            _answer(case, worst, text, text, report)
            yield case


def _case(
    result: model.CheckResult, report: model.Report, name: str, seconds: float
) -> ElementTree.Element:
    return ElementTree.Element(
        'testcase',
        {
            'name': _attribute(name),
            # Jenkins treats all but the last part as the package.
            'classname': _attribute(
                f'{report.tool.name}.{report.stage.value}.{result.id}'
            ),
            'time': _seconds(seconds),
        },
    )


def _of_check(
    result: model.CheckResult,
    report: model.Report,
    causes: Mapping[str, str],
) -> ElementTree.Element:
    """Return the case of a check that did not run, or found nothing."""
    case = _case(result, report, result.id, result.seconds)
    if result.outcome is model.Outcome.PASSED:
        return case
    tag, summary, body = 'skipped', result.reason, ''
    if result.outcome is model.Outcome.NOT_APPLICABLE:
        summary = f'not applicable: {result.reason}'
    elif result.outcome is model.Outcome.ERROR:
        first = causes[result.id]
        if first == result.id:
            tag, summary = 'error', f'{result.title}: could not run'
            steps = grouping.each_step(result.remediation)
            body = '\n'.join([result.reason, *_steps(steps)])
        else:
            summary = f'could not run, for the reason of {first}'
    answer = ElementTree.SubElement(
        case, tag, {'message': _attribute(summary)}
    )
    if tag == 'error':
        answer.set('type', 'error')
    answer.text = _text(body)
    return case


def _of_group(
    result: model.CheckResult,
    group: grouping.Group,
    report: model.Report,
    seconds: float,
) -> ElementTree.Element:
    """Return the case of a group, with a name that is stable over runs."""
    name = group.first.key
    summary = group.first.message
    if len(group.findings) > 1:
        # The members of a group may change, so the name has only its id.
        kind = plain.one_line(group.first.subject.kind)
        name = f'{group.id}: every {kind}'
        summary = f'{words.objects(group)}, such as: {summary}'
    case = _case(result, report, name, seconds)
    if not group.first.counts:
        answer = ElementTree.SubElement(
            case,
            'skipped',
            {'message': _attribute(words.why_passed(group.first))},
        )
        answer.text = _text(_lines(group))
        return case
    summary = f'{result.title}: {summary}'
    _answer(case, group.severity, summary, _lines(group), report)
    return case


def _answer(
    case: ElementTree.Element,
    severity: model.Severity,
    summary: str,
    body: str,
    report: model.Report,
) -> None:
    """Mark a case as failed or skipped if its severity requires it."""
    if severity is model.Severity.INFO:
        return
    kind = severity.name.lower()
    if model.exit_code(int(severity), report.fail_on):
        tag, attributes = 'failure', {'type': kind}
    else:
        tag, attributes = 'skipped', {}
        summary = f'{kind}: {summary}'
    answer = ElementTree.SubElement(
        case, tag, {'message': _attribute(summary), **attributes}
    )
    answer.text = _text(body)


def _lines(group: grouping.Group) -> str:
    """Return the findings of a group and their remedy, in lines."""
    lines = []
    for finding in group.findings[:MAX_FINDINGS]:
        name, place = words.subject_of(finding.subject)
        lines.append(f'{finding.severity.name} {name} {place}'.rstrip(' '))
        lines.append(f'  {finding.message}')
        if not finding.counts:
            lines.append(f'  {words.why_passed(finding)}')
    more = len(group.findings) - MAX_FINDINGS
    if more > 0:
        lines.append(f'and {more} more; see --format json')
    if group.first.counts:
        lines.extend(f'  {line}' for line in _steps(group.steps))
    return '\n'.join(lines)


def _steps(steps: Iterable[grouping.RemedyStep]) -> Iterator[str]:
    """Yield the steps of a remedy, in lines."""
    for step in steps:
        yield words.REMEDY_LABELS.get(step.kind, 'Do:')
        for text in step.texts[:MAX_FINDINGS]:
            for line in text.split('\n'):
                yield f'  {line}'
        more = len(step.texts) - MAX_FINDINGS
        if more > 0:
            yield f'  and {more} more; see --format json'


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
    """Return a text whose characters are all valid in XML and printable."""
    return '\n'.join(plain.lines(text))


def _attribute(text: str) -> str:
    return plain.one_line(text)
