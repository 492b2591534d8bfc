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

"""The reporter ``acme-csv``."""

import csv
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import plain


class CsvReporter(base.Reporter):
    """A line a finding, for a spreadsheet."""

    name = 'acme-csv'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the report, ending in a newline."""
        lines = csv.writer(stream, lineterminator='\n')
        lines.writerow(['check', 'outcome', 'severity', 'key', 'message'])
        for result in report.checks:
            if not result.findings:
                # A check that could not run must not look like a good one.
                lines.writerow(
                    [
                        result.id,
                        result.outcome.value,
                        result.severity.name,
                        '',
                        _cell(result.reason),
                    ]
                )
            for finding in result.findings:
                lines.writerow(
                    [
                        result.id,
                        result.outcome.value,
                        finding.severity.name,
                        _cell(finding.key),
                        _cell(finding.message),
                    ]
                )


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    text = plain.one_line(text)
    return f"'{text}" if text[:1] in ('=', '+', '-', '@') else text
