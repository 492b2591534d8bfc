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

"""The numbers in the report as metrics, for Prometheus.

The text is valid in both exposition formats: it has only gauges, without units
and exemplars. It is OpenMetrics (openmetrics.io, 1.0: it ends with ``# EOF``),
and the textfile collector of node_exporter, which reads the older format,
treats that line as a comment.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import datetime
from typing import Optional
from typing import TextIO
from typing import Union

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import plain

_PREFIX = 'manila_precheck'

_Labels = Mapping[str, str]
_Sample = tuple[_Labels, Union[int, float]]


class OpenmetricsReporter(base.Reporter):
    """Counts by check and severity, codes, durations, the date, the window.

    Names of findings, files and hosts are not labels, since each new name
    would create a new time series.
    """

    name = 'openmetrics'
    wants_window = True

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the metrics in ASCII, so that no encoding changes them."""
        for name, text, samples in _metrics(report):
            family = f'{_PREFIX}_{name}'
            stream.write(f'# HELP {family} {text}\n# TYPE {family} gauge\n')
            for labels, value in samples:
                stream.write(f'{family}{_labels(labels)} {value}\n')
        stream.write('# EOF\n')


def _metrics(
    report: model.Report,
) -> Iterable[tuple[str, str, list[_Sample]]]:
    """Yield each metric: its name, its help text and its samples."""
    yield (
        'build_info',
        'What made the report, and of which upgrade; always 1.',
        [(_about(report), 1)],
    )
    yield (
        'code',
        'The code of the report: 0 success, 1 warnings, 2 failures.',
        [({}, report.code)],
    )
    yield (
        'exit_code',
        'The exit code: the code, or 0 where it is below --fail-on.',
        [({}, report.exit_code)],
    )
    if report.created is not None:
        created = datetime.datetime.fromisoformat(report.created)
        yield (
            'report_timestamp_seconds',
            'When the report was made, in seconds since 1970.',
            [({}, int(created.timestamp()))],
        )
    if report.window is not None:
        yield (
            'window_seconds',
            'How long the services will be down, as far as it is known.',
            [
                ({'bound': 'min'}, report.window.seconds_min),
                ({'bound': 'max'}, report.window.seconds_max),
            ],
        )
    if report.hosts:
        yield (
            'hosts',
            'The hosts of a merged report, by what their reports count for.',
            [
                ({'state': state}, sum(h.code == code for h in report.hosts))
                for state, code in (
                    ('ready', 0),
                    ('warning', 1),
                    ('failure', 2),
                    ('missing', None),
                )
            ],
        )
    yield (
        'check_severity',
        'What the result of a check counts for: 0, 1 or 2.',
        [({'check': one.id}, int(one.severity)) for one in report.checks],
    )
    yield (
        'check_outcome',
        'What became of a check: 1 for its outcome, 0 for each other one.',
        [
            (
                {'check': one.id, 'outcome': outcome.value},
                int(one.outcome is outcome),
            )
            for one in report.checks
            for outcome in model.Outcome
        ],
    )
    yield (
        'check_duration_seconds',
        'How long a check took.',
        [({'check': one.id}, round(one.seconds, 3)) for one in report.checks],
    )
    yield (
        'findings',
        'The findings of a check that count in the code.',
        _counts(report, counted=True),
    )
    yield (
        'findings_suppressed',
        'The findings of a check that are waived or in the baseline.',
        _counts(report, counted=False),
    )


def _about(report: model.Report) -> dict[str, str]:
    return {
        'version': report.tool.version,
        'catalog': report.tool.catalog,
        'source_release': report.source_release,
        'target_release': report.target_release,
        'source_build': report.source_build or '',
        'target_build': report.target_build or '',
        'site': report.site,
        'region': report.region,
        'stage': report.stage.value,
        'fail_on': report.fail_on,
        'whole': str(report.whole).lower(),
    }


def _counts(report: model.Report, *, counted: bool) -> list[_Sample]:
    """Return the number of findings by check and severity, even if it is 0."""
    return [
        (
            {'check': one.id, 'severity': severity.name.lower()},
            sum(
                finding.severity is severity and finding.counts is counted
                for finding in one.findings
            ),
        )
        for one in report.checks
        for severity in model.Severity
    ]


def _labels(labels: _Labels) -> str:
    if not labels:
        return ''
    words = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f'{{{",".join(words)}}}'


def _escaped(value: str) -> str:
    text = plain.one_line(value).encode('ascii', 'backslashreplace').decode()
    return text.replace('\\', '\\\\').replace('"', '\\"')
