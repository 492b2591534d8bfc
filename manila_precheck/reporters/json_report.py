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

"""The full report for programs, described by a JSON Schema.

The schema is package data: ``reporters/schema/report-1.json``. Keys may be
added within a schema version; none is renamed, removed or retyped.
"""

import json
import math
from typing import Any
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.engine import grouping
from manila_precheck.reporters import base
from manila_precheck.reporters import words

SCHEMA_VERSION = 1


class JsonReporter(base.Reporter):
    """Every finding with all its data, as one JSON object."""

    name = 'json'
    wants_settings = True
    wants_window = True

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the object in ASCII, so that it is the same in any locale."""
        json.dump(report_dict(report), stream, indent=2, allow_nan=False)
        stream.write('\n')


def report_dict(report: model.Report) -> dict[str, Any]:
    """Return the whole report as JSON types."""
    return {
        'schema_version': SCHEMA_VERSION,
        'tool': {
            'name': report.tool.name,
            'version': report.tool.version,
            'catalog': report.tool.catalog,
        },
        'source_release': report.source_release,
        'source_origin': report.source_origin,
        'target_release': report.target_release,
        'target_origin': report.target_origin,
        'target_assumed': report.target_assumed,
        'source_build': report.source_build,
        'target_build': report.target_build,
        'source_facts': facts_dict(report.source_facts),
        'target_facts': facts_dict(report.target_facts),
        'verdict': words.verdict(report)[0],
        'whole': report.whole,
        'sampled': report.sampled,
        'stage': report.stage.value,
        'code': report.code,
        'fail_on': report.fail_on,
        'exit_code': report.exit_code,
        'created': report.created,
        'files': [
            {'path': file.path, 'sha256': file.sha256, 'kind': file.kind}
            for file in report.files
        ],
        'services': [
            {
                'service': one.service,
                'locations': list(one.locations),
                'how': one.how,
                'pid': one.pid,
                'file': one.file,
                'line': one.line,
            }
            for one in report.services
        ],
        'hosts': [one._asdict() for one in report.hosts],
        'runs': [
            {**one._asdict(), 'stage': one.stage.value} for one in report.runs
        ],
        'database': database_dict(report),
        'checks': [check_dict(check) for check in report.checks],
        'excluded': list(report.excluded),
        'backends': list(report.backends),
        'settings': [
            {
                'option': setting.option,
                'value': setting.value,
                'file': setting.file,
                'line': setting.line,
            }
            for setting in report.settings
        ],
        'rehearsal': rehearsal_dict(report.rehearsal),
        'redacted_names': report.redacted_names,
        'host': report.host,
        'site': report.site,
        'region': report.region,
        'author': report.author,
        'window': _window_dict(report.window),
        'root': report.root,
        'waiver_until': report.waiver_until,
        'waivers': [
            {'key': finding.key, 'text': words.waiver(finding, report)}
            for finding in words.to_waive(report)
        ],
    }


def facts_dict(facts: Optional[model.Facts]) -> Optional[dict[str, Any]]:
    """Return the origin of facts as JSON types."""
    return None if facts is None else facts._asdict()


def database_dict(report: model.Report) -> Optional[dict[str, Any]]:
    """Return the database that was read as JSON types."""
    database = report.database
    if database is None:
        return None
    return {
        'dialect': database.dialect,
        'revision': database.revision,
        'empty': database.empty,
        'dump': _dump_dict(database.dump),
    }


def rehearsal_dict(
    done: Optional[model.Rehearsal],
) -> Optional[dict[str, Any]]:
    """Return a rehearsal as JSON types."""
    if done is None:
        return None
    return {
        **done._asdict(),
        'phases': [
            {
                **phase._asdict(),
                'statements': [one._asdict() for one in phase.statements],
            }
            for phase in done.phases
        ],
    }


def _dump_dict(dump: Optional[model.DumpRead]) -> Optional[dict[str, Any]]:
    if dump is None:
        return None
    return {**dump._asdict(), 'left_out': list(dump.left_out)}


def check_dict(result: model.CheckResult) -> dict[str, Any]:
    """Return the result of one check as JSON types."""
    return {
        'id': result.id,
        'title': result.title,
        'outcome': result.outcome.value,
        'severity': result.severity.name.lower(),
        'reason': result.reason,
        'seconds': round(result.seconds, 3),
        'about': result.about,
        'waivable': result.waivable,
        'group': grouping.identify_error(result)
        if result.outcome is model.Outcome.ERROR
        else None,
        'remediation': list(map(_remediation_dict, result.remediation)),
        'findings': [finding_dict(finding) for finding in result.findings],
    }


def _window_dict(window: Optional[model.Window]) -> Optional[dict[str, Any]]:
    if window is None:
        return None
    return {**window._asdict(), 'unknown': list(window.unknown)}


def _remediation_dict(step: model.Remediation) -> dict[str, Any]:
    return {
        'kind': step.kind,
        'text': step.text,
        'edits': [edit._asdict() for edit in step.edits],
    }


def finding_dict(finding: model.Finding) -> dict[str, Any]:
    """Return one finding as JSON types."""
    subject = finding.subject
    waiver = finding.waiver
    return {
        'key': finding.key,
        'severity': finding.severity.name.lower(),
        'subject': {
            'kind': subject.kind,
            'name': subject.name,
            'file': subject.file,
            'line': subject.line,
            'uuid': subject.uuid,
        },
        'message': finding.message,
        'group': grouping.identify(finding),
        'cause': finding.cause,
        'remediation': list(map(_remediation_dict, finding.remediation)),
        'references': list(finding.references),
        'data': {
            name: _finite(value)
            for name, value in sorted(finding.data.items())
        },
        'counts': finding.counts,
        'known': finding.known,
        'waiver': None
        if waiver is None
        else {
            'key': waiver.key,
            'reason': waiver.reason,
            'owner': waiver.owner,
            'expires': waiver.expires,
        },
    }


def _finite(value: model.Scalar) -> model.Scalar:
    # JSON cannot represent NaN and infinity.
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
