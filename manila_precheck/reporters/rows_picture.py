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
"""Draw how many rows of each database table are soft-deleted, as bars.

The numbers are in the data of the findings about tables.
"""

from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.reporters import figure
from manila_precheck.reporters import words

#: How many database tables the picture draws; the table below it has all.
MAX_BARS = 10


class _Rows(NamedTuple):
    """The numbers of rows in one database table."""

    table: str
    live: int
    purgeable: int
    kept: int

    @property
    def deleted(self) -> int:
        return self.purgeable + self.kept


def _rows(report: model.Report) -> list[_Rows]:
    found = []
    for result in report.checks:
        for finding in result.findings:
            data = finding.data
            live, deleted = data.get('live'), data.get('soft_deleted')
            purgeable = data.get('purgeable')
            if not (isinstance(live, int) and isinstance(deleted, int)):
                continue
            if finding.subject.kind != 'table':
                continue
            taken = purgeable if isinstance(purgeable, int) else 0
            found.append(
                _Rows(finding.subject.name, live, taken, deleted - taken)
            )
    return sorted(found, key=lambda row: (-row.deleted, row.table))


def draw(report: model.Report) -> Optional[figure.Figure]:
    """Return the picture of soft-deleted rows; None without such data."""
    rows = _rows(report)
    if not rows:
        return None
    drawn = rows[:MAX_BARS]
    deleted = sum(row.deleted for row in rows)
    purgeable = sum(row.purgeable for row in rows)
    summary = (
        f'{deleted:,} soft-deleted rows in '
        f'{words.plural(len(rows), "table")}; a purge deletes {purgeable:,} '
        'of them.'
    )
    most = max(row.live + row.deleted for row in drawn) or 1
    bars = [
        figure.bar(
            number,
            row.table,
            f'{row.deleted:,} of {row.live + row.deleted:,}',
            (
                ('purgeable', row.purgeable),
                ('kept', row.kept),
                ('live', row.live),
            ),
            most,
            1.5,
        )
        for number, row in enumerate(drawn)
    ]
    left = len(rows) - len(drawn)
    return figure.Figure(
        'soft-deleted',
        'Soft-deleted rows',
        summary,
        figure.WIDTH,
        len(drawn) * figure.BAR + 4,
        bars,
        [
            ('purgeable', 'soft-deleted, a purge deletes them'),
            ('kept', 'soft-deleted, a purge keeps them'),
            ('live', 'live'),
        ],
        ('Table', 'Live', 'Soft-deleted', 'A purge deletes'),
        [
            (
                row.table,
                f'{row.live:,}',
                f'{row.deleted:,}',
                f'{row.purgeable:,}',
            )
            for row in rows
        ],
        f'{left} more in the table below.' if left else '',
    )
