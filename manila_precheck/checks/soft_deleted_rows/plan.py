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
"""The finding about a large purge as a whole."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.soft_deleted_rows import table_summary
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import purge_batches
from manila_precheck.checks.soft_deleted_rows.sql import survey
from manila_precheck.engine import context


def cut(
    ctx: context.Context,
    options: Any,
    wanted: counting.Filter,
    counted: survey.Survey,
    tables: Iterable[table_summary.TableSummary],
    refused: list[str],
) -> Iterator[model.Finding]:
    """Yield how long a large purge takes, and how to split it."""
    tables = list(tables)
    age, bound = options.purge_age_days, options.purge_batch_rows
    total = sum(table.about(table.deletes) for table in tables)
    if total <= bound or ctx.interrupted.is_set():
        return
    try:
        runs = purge_batches.plan(
            wanted, counted.rows, counted.sizes, age, bound
        )
    except exceptions.SourceUnusable as exc:
        refused.append(str(exc))
        return
    seconds = total // purge_batches.ROWS_PER_SECOND
    largest = max((run.rows for run in runs), default=0)
    scope = 'each table is' if wanted.purge.by_table else 'all tables are'
    yield model.Finding(
        model.Severity.WARNING,
        model.Subject('database', 'purge'),
        f'a purge at {age} days deletes about {total} rows, which takes '
        f'about {_duration(seconds)} at {purge_batches.ROWS_PER_SECOND} rows '
        f'a second, as measured on MariaDB; {scope} one transaction, so '
        f'{len(runs)} runs of about {largest} rows, '
        f'{_duration(largest // purge_batches.ROWS_PER_SECOND)} each at '
        'most, hold their locks for a shorter time',
        [
            model.advice(
                'Resolve findings "#restored" and "#detached" first.'
            ),
            *(
                model.advice(f'Resolve the finding {key} first.')
                for key in sorted(
                    {table.hold.key for table in tables if table.hold}
                )
            ),
            model.command(
                'for age in '
                + ' '.join('{}' for _ in runs)
                + '; do manila-manage db purge $age; done',
                *(run.age for run in runs),
            ),
        ],
        data={
            'purge_deletes': total,
            'purge_is_exact': all(table.exact for table in tables),
            'seconds': seconds,
            'runs': len(runs),
            'largest_run_rows': largest,
        },
    )


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f'{seconds} seconds'
    if seconds < 7200:
        return f'{round(seconds / 60)} minutes'
    return f'{round(seconds / 3600)} hours'
