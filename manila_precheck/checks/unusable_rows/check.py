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
"""The check ``unusable-rows``."""

from collections.abc import Iterator
import functools

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.checks.unusable_rows.sql import defects
from manila_precheck.checks.unusable_rows.sql import found_rows
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.database import services

Effect = defects.Effect
Severity = model.Severity

_ENDS = 'it ends there with an error, and the back end is not served'


class UnusableRows(check.Check):
    """A row that is not deleted refers to one that is, or lacks a value.

    manila deletes a row by marking it, and marks the rows that refer to it
    first. Rows that were restored from a backup, deleted by hand or left by an
    interrupted operation break that order, and a service that follows such a
    reference fails:

    - manila-share reads the share, and mostly the share server, of each share
      instance of a back end when it starts. If one of them is deleted, the
      service of that back end ends there (2026.2 starts it again without end,
      earlier releases leave it); the other back ends are served.
    - A periodic task reads rows one after the other and ends at such a row,
      each time it runs: all rows behind it are never handled.
    - A request to the API fails if it shows or lists such a row.

    A service that runs has passed its start, so such rows often show only when
    the upgraded services start.

    manila-share does not read its share instances at a start at which the
    driver reports the same information about the back end as before.
    ``backend_info`` has a row for each back end whose driver reports any;
    whether it changes cannot be foreseen.

    The number of rows is exact.

    FAILURE: manila-share does not start on a back end; no list of shares that
    has the row can be read; or no request that needs a quota is accepted.
    WARNING: manila-share may start after all, because the driver reports
    information about the back end or because no manila-share has a row for it
    in ``services``; a periodic task fails; or only requests about this row
    fail.

    What to do: look at the storage system whether the resource still exists,
    then correct the rows. Back up the database first.
    """

    id = 'unusable-rows'
    title = 'Rows that services cannot use'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield a finding for each defect, on each back end if it has any."""
        some = [one for one in defects.DEFECTS if _has(ctx, one)]
        found = found_rows.select(ctx.database, some, ctx.options.max_listed)
        yield from _Report(ctx).findings(found)


def _has(ctx: context.Context, defect: defects.RowDefect) -> bool:
    """Say whether the target fails at rows with a defect, if there are any.

    A database older than the table has none, and a database that lacks a table
    of its release cannot be judged.
    """
    if defect.since and not behaviours.has(
        'row-defect', ctx.upgrade.target, defect.since
    ):
        return False
    return ctx.database.has_table(defect.table) or any(
        table == defect.table
        for table, _ in ctx.catalog.columns(ctx.upgrade.source)
    )


def _listed(ids: list[str], total: int) -> str:
    if not ids:
        return ''
    more = f' and {total - len(ids)} more' if total > len(ids) else ''
    return f' ({", ".join(ids)}{more})'


class _Report:
    """Makes the findings."""

    def __init__(self, ctx: context.Context) -> None:
        self._db = ctx.database
        self._limit = ctx.options.max_listed

    @functools.cached_property
    def _recorded(self) -> frozenset[str]:
        return found_rows.recorded_hosts(self._db)

    @functools.cached_property
    def _served(self) -> frozenset[str]:
        return services.share_hosts(self._db)

    def findings(
        self, found: list[found_rows.Rows]
    ) -> Iterator[model.Finding]:
        """Yield a finding for each defect and back end."""
        by_host: dict[
            tuple[defects.RowDefect, str], list[found_rows.Rows]
        ] = {}
        for rows in found:
            key = (rows.defect, rows.host.partition('#')[0])
            by_host.setdefault(key, []).append(rows)
        for (defect, host), pools in by_host.items():
            total = sum(rows.total for rows in pools)
            ids = sorted(one for rows in pools for one in rows.ids)
            ids = ids[: self._limit]
            severity, then = self._weigh(defect, host)
            subject = model.Subject('table', defect.table)
            if host:
                subject = model.Subject('backend', host)
            yield model.Finding(
                severity,
                subject,
                f'{total} row{"" if total == 1 else "s"} of {defect.table}'
                f'{f" on {host}" if host else ""} {defect.words}'
                f'{_listed(ids, total)}: {then}',
                [
                    model.advice(defect.check),
                    model.sql(
                        self._db.dialect, found_rows.repair(self._db, defect)
                    ),
                ],
                data={'table': defect.table, 'rows': total},
                aspect=defect.aspect,
            )

    def _weigh(
        self, defect: defects.RowDefect, host: str
    ) -> tuple[Severity, str]:
        """Return the severity of a defect, and what comes of it in words."""
        if defect.effect is Effect.REQUESTS:
            return Severity.FAILURE, defect.then
        if defect.effect is not Effect.START:
            return Severity.WARNING, defect.then
        then = f'{defect.then}; {_ENDS}'
        if host in self._recorded:
            return Severity.WARNING, (
                f'{then}, unless the driver reports the same information '
                'about the back end as before'
            )
        if host not in self._served:
            return Severity.WARNING, (
                f'{then}; services has no row of a manila-share of this back '
                'end'
            )
        return Severity.FAILURE, then
