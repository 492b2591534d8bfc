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
"""Reports as upgrade rehearse writes them."""

import json

from manila_precheck import model
from manila_precheck.reporters import json_report

SHA256 = 'ab' * 32

PHASES = (
    model.PhaseTimes('restore', 3.0),
    model.PhaseTimes(
        'purge',
        40.0,
        (model.StatementTime('DELETE FROM shares', 'shares', 38.0, 9000, 90),),
    ),
    model.PhaseTimes(
        'sync',
        60.0,
        (model.StatementTime('ALTER TABLE shares', 'shares', 55.0, 1000000),),
    ),
)


def report(
    sha256=SHA256,
    source='2025.1',
    target='2026.1',
    phases=PHASES,
    created='2026-04-01T12:00:00+00:00',
    findings=(),
    **values,
):
    """Return the report of a rehearsal that ran to its end.

    :param findings: findings about the backup, if it did not.
    """
    return model.Report(
        tool=model.Tool('manila-precheck', '1.0.0', '20.0.3 22.0.2'),
        source_release=source,
        source_origin='database',
        target_release=target,
        target_origin='option',
        stage=model.Stage.PLAN,
        files=(),
        database=model.DatabaseRead(
            'mysql',
            '0d8c8f6d54a4',
            dump=model.DumpRead('/backup/manila.sql', 4711, sha256, None),
        ),
        checks=(
            model.CheckResult(
                'rehearse-backup',
                'Restore of the backup',
                model.Outcome.FOUND if findings else model.Outcome.PASSED,
                findings=findings,
            ),
            model.CheckResult(
                'rehearse-sync', 'db sync on the copy', model.Outcome.PASSED
            ),
        ),
        created=created,
        rehearsal=model.Rehearsal(
            **{
                'place': 'private',
                'server': '10.11.6-MariaDB',
                'phases': phases,
                'rows': 2000000,
                'proven': True,
                'live_revision': '0d8c8f6d54a4',
                'probe_seconds': 0.5,
                **values,
            }
        ),
    )


def text(*args, **kwargs):
    """Return such a report as --format json writes it."""
    return json.dumps(json_report.report_dict(report(*args, **kwargs)))
