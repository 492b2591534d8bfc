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
"""The findings about one table."""

import datetime
from typing import Any

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.checks.soft_deleted_rows import table_summary
from manila_precheck.checks.soft_deleted_rows.sql import other_tables

# With fewer soft-deleted rows, their percentage of a table means nothing.
PERCENT_MIN_ROWS = 1000

_BUG = 'https://bugs.launchpad.net/manila/+bug/2081827'


def found(
    table: table_summary.TableSummary,
    options: Any,
    todo: model.Remediation,
    today: datetime.date,
) -> model.Finding:
    """Return what a table holds and what a purge does to it."""
    rows = table.rows
    percent = 100 * rows.deleted // rows.total
    about = table.about(rows.deleted)
    much = about >= options.warning_rows or (
        about >= PERCENT_MIN_ROWS and percent >= options.warning_percent
    )
    age = options.purge_age_days
    return model.Finding(
        model.Severity.WARNING if much else model.Severity.INFO,
        model.Subject('table', table.name),
        f'table {table.name}: {table_summary.counted(table, today)}; '
        f'{table_summary.purged(table, age)}',
        [todo],
        data={
            'rows': rows.total,
            'live': rows.live,
            'soft_deleted': rows.deleted,
            'percent': percent,
            'purge_age_days': age,
            'purgeable': rows.purgeable,
            'purge_deletes': table.deletes,
            'purge_is_exact': table.exact,
            'deleted_since': rows.young,
            'without_deleted_at': rows.undated,
            'not_marked': rows.unmarked,
            'referred_to': table.key_effects.skipped,
            'referred_to_by': ', '.join(table.key_effects.by),
            'taken_along': table.key_effects.taken,
            'in_recycle_bin': rows.recycled,
            'oldest': table_summary.iso(rows.oldest),
            'newest': table_summary.iso(rows.newest),
            'bytes': table.bytes,
            'read_percent': round(100 * rows.read, 2),
            'about_rows': table.about(rows.total),
            'about_soft_deleted': about,
        },
    )


def restored(table: table_summary.TableSummary, age: int) -> model.Finding:
    """Return that a purge would delete live rows."""
    live = table.rows.live_but_purged
    marked = behaviours.load().first('purge-by-mark')
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('table', table.name),
        f'table {table.name}: a purge at {age} days would delete {live} live '
        'rows, because their deleted_at is set',
        [
            model.advice(
                'Do not run "manila-manage db purge" before their '
                f'deleted_at is NULL, or before {marked}, whose purge '
                'does not delete live rows.'
            )
        ],
        [_BUG],
        {
            'live': table.rows.live,
            'live_but_purged': live,
            'purge_deletes': table.deletes,
        },
        aspect='restored',
    )


def detached(table: table_summary.TableSummary, age: int) -> model.Finding:
    """Return that a purge would set references of live rows to NULL."""
    columns = ' and '.join(table.key_effects.columns)
    count = table.key_effects.detached
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('table', table.name),
        f'table {table.name}: a purge at {age} days would set {columns} to '
        f'NULL in {count} live rows, because the rows that they refer to are '
        'soft-deleted',
        [
            model.advice(
                'Do not run "manila-manage db purge" before you know why: '
                'live rows refer to rows that manila considers deleted.'
            )
        ],
        data={'live_but_detached': count, 'columns': columns},
        aspect='detached',
    )


def swept(swept: other_tables.Swept, age: int) -> model.Finding:
    """Return that a purge affects rows of a table that is not manila's."""
    what = 'delete' if swept.on_delete == 'CASCADE' else 'change'
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('table', swept.table),
        f'table {swept.table}, which is not one of manila: a purge at {age} '
        f'days would {what} up to {swept.rows} of its rows, because its '
        f'foreign key on {swept.parent} says ON DELETE {swept.on_delete}',
        [
            model.advice(
                'Keep a copy of those rows, or drop the foreign key, before '
                'a purge.'
            )
        ],
        data={'rows': swept.rows, 'parent': swept.parent},
        aspect=f'swept:{swept.parent}',
    )
