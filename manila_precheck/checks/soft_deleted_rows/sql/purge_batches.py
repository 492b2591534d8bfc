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
"""A large purge, cut into a sequence of smaller ones by age.

``manila-manage db purge`` loads the rows of a table and deletes them one by
one: about 200 rows a second were measured on MariaDB, and up to 2026.1 all
tables are one transaction, whose locks and memory grow with the rows. The
older ages first, each run has only what the last one left to a younger age.
"""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import scan

#: What manila's purge was measured to delete on MariaDB 10.11: 90,000 rows
#: of 14 tables in 430 seconds.
ROWS_PER_SECOND = 200

# How finely the time is divided; a run has one of the steps or more.
_STEPS = 240

# How many rows of a table are looked at for it: one in 200, of a small one
# a few more, and never more than suffice.
_SAMPLE_PART = 200
_SAMPLE_LEAST = 200
_SAMPLE_MOST = 2000

# What is less than this part of all rows is taken to be spread as the rest.
_SHARE = 0.05


class PurgeRun(NamedTuple):
    """One run of the purge."""

    age: int
    """The age to run it with, in days."""

    rows: int
    """About how many rows it deletes."""


def plan(
    wanted: counting.Filter,
    counted: Mapping[str, counting.RowCounts],
    sizes: Mapping[str, scan.Size],
    age: int,
    bound: int,
) -> tuple[PurgeRun, ...]:
    """Return the runs, the oldest age first; the last one is at the age.

    From a sample of each large table; nothing here is exact.

    :param age: at which age the purge is to end, in days.
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
        # Their deleted_at are no dates.
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

    :param width: how many days a step has.
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
    # One statement, not one for each, and its rows added up on the server:
    # what it takes is the way there and back.
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
    """Join steps, from the oldest on, to runs that stay within a bound."""
    found: list[PurgeRun] = []
    waiting = 0.0
    for step in sorted(steps, reverse=True):
        rows = steps[step] * total
        if waiting and waiting + rows > bound:
            # All that is older than this step.
            found.append(PurgeRun(age + (step + 1) * width, round(waiting)))
            waiting = 0.0
        waiting += rows
    found.append(PurgeRun(age, round(waiting)))
    return tuple(found)
