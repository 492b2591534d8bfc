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

"""The JSON object of oslo.upgradecheck's ``--json``, with more keys."""

import json
from typing import Any
from typing import Optional
from typing import TextIO

from manila_precheck import model
from manila_precheck.reporters import base
from manila_precheck.reporters import digest
from manila_precheck.reporters import json_report

#: ``UpgradeCommands.display_title`` of oslo.upgradecheck.
TITLE = 'Upgrade Check Results'


class UpgradecheckJsonReporter(base.Reporter):
    """A superset of what ``<project>-status upgrade check --json`` prints.

    ``name`` and ``checks[].check``, ``result`` and ``details`` are what a
    parser of oslo.upgradecheck's output expects; all other keys are those of
    the full report.
    """

    name = 'upgradecheck-json'

    def write(
        self,
        report: model.Report,
        stream: TextIO,
        *,
        width: Optional[int] = None,
        color: bool = False,
    ) -> None:
        """Write the object on one line, as oslo.upgradecheck does."""
        json.dump(upgradecheck_dict(report), stream, allow_nan=False)
        stream.write('\n')


def upgradecheck_dict(report: model.Report) -> dict[str, Any]:
    """Return the report as oslo.upgradecheck's object with more keys."""
    return {
        **json_report.report_dict(report),
        'name': TITLE,
        'checks': [
            {
                'check': result.title,
                'result': int(result.severity),
                'details': digest.digest(result),
                **json_report.check_dict(result),
            }
            for result in report.checks
        ],
    }
