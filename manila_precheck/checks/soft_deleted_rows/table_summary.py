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
"""The figures of one table, and their words in a finding."""

import datetime
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import purge_blockers


class Hold(NamedTuple):
    """Why the rows of a table stay, apart from what they refer to."""

    key: str
    """The key of the finding that says it."""

    certain: bool
    """Whether all of them stay; False if some may be deleted."""


class TableSummary(NamedTuple):
    """The figures of one table."""

    rows: counting.RowCounts
    key_effects: purge_blockers.KeyEffects
    bytes: Optional[int]
    hold: Optional[Hold] = None

    @property
    def name(self) -> str:
        return self.rows.table

    @property
    def whole(self) -> bool:
        """Whether the whole table was read."""
        return self.rows.read >= 1.0

    def about(self, count: int) -> int:
        """Return a figure for the table, estimated from the part read."""
        return round(count / self.rows.read) if self.rows.read else count

    @property
    def deletable(self) -> int:
        """How many rows the purge deletes from it unless something stops it.

        A foreign key that keeps a row is no such thing.
        """
        return (
            self.rows.asked - self.key_effects.skipped + self.key_effects.taken
        )

    @property
    def deletes(self) -> int:
        """How many rows the purge deletes from it."""
        return 0 if self.hold and self.hold.certain else self.deletable

    @property
    def exact(self) -> bool:
        """Whether that number is exact."""
        return (
            self.whole
            and not self.key_effects.unread
            and (self.hold is None or self.hold.certain)
        )


def todo(
    table: TableSummary, age: int, safe: bool, large: bool
) -> model.Remediation:
    """Return what to do about the table.

    :param age: the age of the purge, in days.
    :param safe: whether a purge leaves all live rows unchanged.
    :param large: whether the finding about the purge splits it into runs.
    """
    if not table.deletable:
        return model.advice(f'At {age} days there is nothing to purge.')
    if not safe:
        return model.advice(
            'Resolve the findings "#restored" and "#detached" first.'
        )
    if table.hold:
        return model.advice(f'Resolve the finding {table.hold.key} first.')
    if large:
        return model.advice('See the finding soft-deleted-rows[purge].')
    return model.command('manila-manage db purge {}', age)


def counted(table: TableSummary, today: datetime.date) -> str:
    """Return what the table holds, in words."""
    rows = table.rows
    words = f'{rows.deleted} of {rows.total} rows are soft-deleted'
    if not table.whole:
        words = (
            f'at least {rows.deleted} rows are soft-deleted, about '
            f'{table.about(rows.deleted)} of about '
            f'{table.about(rows.total)} by the {100 * rows.read:.2g} % that '
            'was read'
        )
    if rows.oldest is not None and rows.newest is not None:
        words += f' ({rows.oldest:%Y-%m-%d} to {rows.newest:%Y-%m-%d}'
        # The date may be a day ahead on another server.
        if rows.newest > today + datetime.timedelta(days=1):
            words += (
                ', which is in the future: no purge deletes them before then'
            )
        words += ')'
    if rows.no_date:
        words += (
            f', {rows.no_date} of them with a deleted_at that is not a date, '
            'such as 0000-00-00'
        )
    return words


def purged(table: TableSummary, age: int) -> str:
    """Return what a purge does to the table, in words."""
    rows, effects = table.rows, table.key_effects
    see = ''
    if table.hold:
        see = f' (see {table.hold.key})'
        if table.hold.certain:
            return (
                f'a purge at {age} days deletes none of '
                f'{table.about(table.deletable)}{see}'
            )
    if not table.whole:
        return (
            f'a purge at {age} days deletes up to about '
            f'{table.about(table.deletes)}{see}'
        )
    up_to = 'up to ' if see else ''
    words = f'a purge at {age} days deletes {up_to}{table.deletes}{see}'
    if effects.unread:
        words = (
            f'a purge at {age} days deletes up to {table.deletes}{see}, less '
            f'the rows that rows of {", ".join(effects.unread)} refer to (not '
            'looked up)'
        )
    if effects.taken:
        words += f', {effects.taken} of them along with others'
    reasons = (
        (rows.young, 'deleted since'),
        (rows.undated, 'without deleted_at'),
        (rows.unmarked, 'whose value of deleted it does not match'),
        (effects.skipped, f'that {" and ".join(effects.by)} refers to'),
    )
    left = [f'{count} {why}' for count, why in reasons if count]
    return words + (f', and leaves {", ".join(left)}' if left else '')


def iso(day: Optional[datetime.date]) -> Optional[str]:
    """Return a date in the format of the report."""
    return day.isoformat() if day else None
