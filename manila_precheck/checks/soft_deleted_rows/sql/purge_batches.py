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
"""A large purge, split into a sequence of smaller ones by age.

``manila-manage db purge`` loads the rows of a table and deletes them one by
one: about 200 rows a second were measured on MariaDB, and up to 2026.1 all
tables are one transaction, whose locks and memory grow with the rows. The runs
have decreasing ages, so each one deletes only the rows between two ages.
"""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import scan

#: Measured with manila's purge on MariaDB 10.11: 90,000 rows of 14 tables in
#: 430 seconds.
ROWS_PER_SECOND = 200

# The number of steps into which the time is divided; a run covers one or more
# of them.
_STEPS = 240

# How many rows of a table are sampled for this: one in 200, but within the
# limits below.
_SAMPLE_PART = 200
_SAMPLE_LEAST = 200
_SAMPLE_MOST = 2000

# A table with a smaller part of all rows is not sampled; its rows are assumed
# to be distributed like the others.
_SHARE = 0.05


class PurgeRun(NamedTuple):
    """One run of the purge."""

    age: int
    """The age to run it with, in days."""

    rows: int
    """The approximate number of rows that it deletes."""


def plan(
    wanted: counting.Filter,
    counted: Mapping[str, counting.RowCounts],
    sizes: Mapping[str, scan.Size],
    age: int,
    bound: int,
) -> tuple[PurgeRun, ...]:
    """Return the runs, with the oldest age first and ``age`` last.

    They are estimated from a sample of each large table.

    :param age: the age of the last run, in days.
    :param bound: how many rows one run may delete.
    :returns: none when there is nothing to purge.
    """
    total = sum(rows.asked for rows in counted.values())
    oldest = min(
        (
            rows.oldest
            for rows in counted.values()
            if rows.asked and rows.oldest is not None
        ),
        default=None,
    )
    if not total:
        return ()
    if oldest is None:
        # The values of deleted_at are not dates.
        return (PurgeRun(age, total),)
    span = max(1, (wanted.cutoff_time.date() - oldest).days)
    width = max(1, span // _STEPS)
    steps = _steps(wanted, counted, sizes, width)
    return _runs(age, width, steps, total, bound)


def _steps(
    wanted: counting.Filter,
    counted: Mapping[str, counting.RowCounts],
    sizes: Mapping[str, scan.Size],
    width: int,
) -> dict[int, float]:
    """Return which part of all rows was deleted in each step of time.

    :param width: the number of days in a step.
    :returns: by the number of the step, counted back from the cutoff.
    """
    total = sum(rows.asked for rows in counted.values())
    found: dict[int, float] = collections.defaultdict(float)
    weights = 0.0
    for table, rows in sorted(counted.items()):
        if rows.asked < total * _SHARE:
            continue
        size = sizes.get(table, scan.Size())
        enough = scan.part(size, _SAMPLE_PART, _SAMPLE_LEAST, _SAMPLE_MOST)
        pieces = scan.sample(wanted.db, table, size, enough)
        seen = _deleted_in(wanted, table, [one.where for one in pieces], width)
        if seen:
            weights += rows.asked
            weight = rows.asked / sum(seen.values())
            for step, count in seen.items():
                found[step] += weight * count
    return {step: part / weights for step, part in found.items()}


def _deleted_in(
    wanted: counting.Filter, table: str, pieces: Sequence[str], width: int
) -> Mapping[int, int]:
    """Return how many rows of pieces were deleted in each step of time."""
    db = wanted.db
    days = {
        'mysql': f'TIMESTAMPDIFF(DAY, deleted_at, {wanted.cutoff})',
        'postgresql': f'EXTRACT(DAY FROM {wanted.cutoff} - deleted_at)',
    }.get(
        db.dialect,
        f'CAST(JULIANDAY({wanted.cutoff}) - JULIANDAY(deleted_at) AS INTEGER)',
    )
    if db.dialect == 'sqlite':
        step = f'{days} / {width}'
    else:
        step = f'FLOOR({days} / {width})'
    dated = timestamps.is_time(db.dialect, 'deleted_at')
    # One statement for all pieces, whose rows the server adds up: most of the
    # time would be spent on round trips.
    parts = ' UNION ALL '.join(
        f'SELECT {step} AS step FROM {db.quoted(table)} '  # noqa: S608
        f'WHERE {where} AND {wanted.asked(table, "")} AND {dated}'
        for where in pieces
    )
    steps = f'SELECT step, COUNT(*) FROM ({parts}) parts GROUP BY step'  # noqa: S608
    return {
        int(number): count
        for number, count in db.rows(steps, f'table {table}')
    }


def _runs(
    age: int,
    width: int,
    steps: Mapping[int, float],
    total: int,
    bound: int,
) -> tuple[PurgeRun, ...]:
    """Join steps, from the oldest on, into runs within a bound."""
    found: list[PurgeRun] = []
    waiting = 0.0
    for step in sorted(steps, reverse=True):
        rows = steps[step] * total
        if waiting and waiting + rows > bound:
            # A run at this age deletes all rows that are older than this step.
            found.append(PurgeRun(age + (step + 1) * width, round(waiting)))
            waiting = 0.0
        waiting += rows
    found.append(PurgeRun(age, round(waiting)))
    return tuple(found)
