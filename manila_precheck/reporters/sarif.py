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

"""SARIF 2.1.0, for programs that show findings beside the lines of files.

The format is a standard of OASIS: docs.oasis-open.org/sarif/sarif/v2.1.0.
"""

from collections.abc import Iterator
import json
from typing import Any
from typing import Optional
from typing import TextIO
from urllib import parse

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import base
from manila_precheck.reporters import html_parts
from manila_precheck.reporters import json_report
from manila_precheck.reporters import markdown_parts
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json'

# The page about upgrades in manila's administrator guide.
_UPGRADES = (
    'https://docs.openstack.org/manila/latest/admin/'
    'shared-file-systems-upgrades.html'
)

_LEVELS = {
    model.Severity.INFO: 'note',
    model.Severity.WARNING: 'warning',
    model.Severity.FAILURE: 'error',
}


class SarifReporter(base.Reporter):
    """Every finding with its file and line, as a SARIF log.

    Viewers show only results, so checks that could not run for the same
    reason are a result as well, and so is each skipped check. Code hosts
    reject a log with a result that has no file: such a result has the first
    file that was read, without a line, and its subject is the logical
    location.
    """

    name = 'sarif'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the log on one line of ASCII.

        Writing 100,000 findings with indentation takes ten times as long. The
        results are written one by one, because together they would take half
        a gigabyte of memory.
        """
        log = {'$schema': SCHEMA, 'version': '2.1.0', 'runs': [_run(report)]}
        # This text cannot be inside a JSON string, where quotation marks are
        # escaped.
        before, results, after = json.dumps(log, allow_nan=False).partition(
            '"results": ['
        )
        stream.write(f'{before}{results}')
        separator = ''
        for index, check in enumerate(report.checks):
            for result in _results(check, index, report):
                stream.write(
                    f'{separator}{json.dumps(result, allow_nan=False)}'
                )
                separator = ', '
        stream.write(f'{after}\n')


def _run(report: model.Report) -> dict[str, Any]:
    tool = report.tool
    return {
        'tool': {
            'driver': {
                'name': tool.name,
                'version': tool.version,
                'informationUri': 'https://docs.openstack.org/manila/latest/',
                'rules': [_rule(result) for result in report.checks],
                'properties': {'catalog': tool.catalog},
            }
        },
        'automationDetails': {
            'id': f'{tool.name}/{report.stage.value}/'
            f'{report.source_release}-{report.target_release}/'
        },
        'invocations': [_invocation(report)],
        'artifacts': [
            {
                'location': {'uri': _uri(file.path)},
                'hashes': {'sha-256': file.sha256},
            }
            for file in report.files
        ],
        'columnKind': 'unicodeCodePoints',
        # write() inserts the results.
        'results': [],
        'properties': {
            'source_release': report.source_release,
            'target_release': report.target_release,
            'target_assumed': report.target_assumed,
            'source_build': report.source_build,
            'target_build': report.target_build,
            'verdict': words.verdict(report)[0],
            'whole': report.whole,
            'stage': report.stage.value,
            'code': report.code,
            'database': json_report.database_dict(report),
            'excluded': list(report.excluded),
        },
    }


def _rule(check: model.CheckResult) -> dict[str, Any]:
    title = _line(check.title)
    about = _line(check.about) or title
    explain = f'manila-precheck check explain {_line(check.id)}'
    return {
        'id': check.id,
        'shortDescription': {'text': title},
        'fullDescription': {'text': about},
        'help': {
            'text': f'{about}\n\n{explain}',
            'markdown': f'{markdown_parts.text(about)}\n\n'
            f'{markdown_parts.code(explain)}',
        },
        'helpUri': _help_uri(check),
    }


def _help_uri(check: model.CheckResult) -> str:
    """Return the first URL in a check's findings, else a default page."""
    return next(
        (
            text
            for finding in check.findings
            for text in finding.references
            if html_parts.is_url(text)
        ),
        _UPGRADES,
    )


def _invocation(report: model.Report) -> dict[str, Any]:
    found: dict[str, Any] = {
        'executionSuccessful': not any(
            check.outcome is model.Outcome.ERROR for check in report.checks
        ),
        'exitCode': report.exit_code,
    }
    if report.created is not None:
        found['endTimeUtc'] = report.created.replace('+00:00', 'Z')
    notifications = [
        {
            'associatedRule': {'id': check.id, 'index': index},
            'level': _LEVELS[check.severity],
            'message': {'text': f'{check.id}: {_why(check)}'},
        }
        for index, check in enumerate(report.checks)
        if check.outcome in (model.Outcome.ERROR, model.Outcome.SKIPPED)
    ]
    if notifications:
        found['toolExecutionNotifications'] = notifications
    return found


def _results(
    check: model.CheckResult, index: int, report: model.Report
) -> Iterator[dict[str, Any]]:
    failed = [
        one
        for one in grouping.failed(report.checks)
        if one.first.id == check.id
    ]
    for one in failed:
        yield {
            **_unlooked(check, index, report, _failure(one)),
            'properties': {'group': one.id},
        }
    if check.outcome is model.Outcome.SKIPPED:
        yield _unlooked(check, index, report, _why(check))
    for finding in check.findings:
        yield _result(finding, index, report)


def _unlooked(
    check: model.CheckResult, index: int, report: model.Report, text: str
) -> dict[str, Any]:
    return {
        'ruleId': check.id,
        'ruleIndex': index,
        'level': _LEVELS[check.severity],
        'message': {'text': text},
        'locations': [_location(model.Subject('check', check.id), report)],
        'partialFingerprints': {'findingKey/v1': check.id},
    }


def _failure(one: grouping.Failed) -> str:
    """Return why checks could not run, and the remedy, in lines."""
    parts = [_why(one.first)]
    if len(one.checks) > 1:
        ids = ', '.join(check.id for check in one.checks)
        parts.append(f'{one.name}: {_line(ids)}')
    parts += [text for step in one.steps for text in step.texts]
    return '\n'.join(line for part in parts for line in plain.lines(part))


def _result(
    finding: model.Finding, index: int, report: model.Report
) -> dict[str, Any]:
    whole = json_report.finding_dict(finding)
    found: dict[str, Any] = {}
    if finding.waiver is not None:
        found['suppressions'] = [
            {
                'kind': 'external',
                'status': 'accepted',
                'justification': _line(words.why_passed(finding)),
            }
        ]
    if finding.known:
        found['baselineState'] = 'unchanged'
    return {
        **found,
        'ruleId': finding.check_id,
        'ruleIndex': index,
        'level': _LEVELS[finding.severity],
        'message': {'text': _message(finding)},
        'locations': [_location(finding.subject, report)],
        'partialFingerprints': {'findingKey/v1': finding.key},
        'properties': {
            name: whole[name]
            for name in ('key', 'group', 'remediation', 'references', 'data')
        },
    }


def _message(finding: model.Finding) -> str:
    """Return the message and the remedy, each on lines of its own."""
    parts = [finding.message, *(step.text for step in finding.remediation)]
    return '\n'.join(line for part in parts for line in plain.lines(part))


def _why(check: model.CheckResult) -> str:
    if check.outcome is model.Outcome.ERROR:
        return f'could not run: {_line(check.reason)}'
    return f'skipped: {_line(check.reason)}'


def _location(subject: model.Subject, report: model.Report) -> dict[str, Any]:
    name, _place = words.subject_of(subject)
    found: dict[str, Any] = {
        'logicalLocations': [
            {
                'name': name,
                'fullyQualifiedName': f'{subject.kind}/{name}',
                'kind': subject.kind,
            }
        ]
    }
    path = subject.file
    if path is None and report.files:
        path = report.files[0].path
    if path is not None:
        physical: dict[str, Any] = {'artifactLocation': {'uri': _uri(path)}}
        if subject.file is not None and subject.line is not None:
            physical['region'] = {'startLine': subject.line}
        found['physicalLocation'] = physical
    return found


def _uri(path: str) -> str:
    if path.startswith(('http://', 'https://')):
        # A file that oslo.config fetches because config_source names it.
        return parse.quote(path, safe='/:?&=%#[]@', errors='surrogatepass')
    quoted = parse.quote(path, safe='/', errors='surrogatepass')
    return f'file://{quoted}' if path.startswith('/') else quoted


def _line(text: str) -> str:
    return plain.one_line(text)
