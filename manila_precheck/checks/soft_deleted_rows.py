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
"""The check ``soft-deleted-rows``."""

from collections.abc import Iterable
import datetime
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import check
from manila_precheck import context
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.sources import purge

if TYPE_CHECKING:
    from oslo_config import cfg

# Below this many soft-deleted rows their share of a table says nothing.
PERCENT_MIN_ROWS = 1000

_BUG = 'https://bugs.launchpad.net/manila/+bug/2081827'


class SoftDeletedRows(check.Check):
    """A table holds rows that manila marked as deleted and never removed.

    manila deletes nothing: it marks rows (``deleted``, ``deleted_at``), and
    they stay until ``manila-manage db purge`` runs. A migration that
    rebuilds a table copies them too, at about 25 microseconds a row on
    MariaDB, while the services are down. The purge takes far longer: it
    removes about 200 rows a second, up to 2026.1 in one transaction over all
    tables, so a large one belongs days before the upgrade.

    Each table is counted in one pass: live rows, soft-deleted rows, those
    that a purge of the release that runs now takes at ``purge_age_days``,
    and those that no purge takes because they have no deleted_at. A purge
    also skips rows that other rows refer to, and still exits with 0; they
    are not told apart. Shares in the recycle bin are live data.

    Up to 2026.1 a purge looks at deleted_at alone and deletes live rows that
    have one: they are a finding of their own (``#restored``), and no purge
    is proposed while there are any.

    WARNING: ``warning_rows`` soft-deleted rows or more, or
    ``warning_percent`` of the table or more; live rows that a purge would
    delete. INFO: fewer. Never FAILURE: volume makes an upgrade slow, it
    stops none.
    """

    id = 'soft-deleted-rows'
    title = 'Soft-deleted rows'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the thresholds and the age that is proposed."""
        from oslo_config import cfg

        return (
            cfg.IntOpt(
                'warning_rows',
                default=10000,
                min=1,
                help='How many soft-deleted rows in one table are a warning. '
                'A purge takes about a minute for the default.',
            ),
            cfg.IntOpt(
                'warning_percent',
                default=90,
                min=1,
                max=100,
                help='Which share of a table, in percent, is a warning when '
                'it is soft-deleted. It counts only where at least '
                f'{PERCENT_MIN_ROWS} rows are.',
            ),
            cfg.IntOpt(
                'purge_age_days',
                default=30,
                min=1,
                help='How many days ago rows must have been deleted for the '
                'proposed purge to take them.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each table with soft-deleted rows."""
        db, age = ctx.database, ctx.options_of(self.id).purge_age_days
        cutoff = db.now() - datetime.timedelta(days=age)
        counted = []
        refused = [
            f'{db.words} shows no table {table}, which {ctx.upgrade.source} '
            'has: the account may not read it, or it is missing'
            for table in _expected(ctx)
            if not db.has_table(table)
        ]
        for table in purge.tables(db):
            try:
                counted.append(
                    purge.count(db, table, cutoff, ctx.upgrade.source)
                )
            except exceptions.StatementRefused as exc:
                refused.append(str(exc))
        # A purge goes over all tables: one unsafe table makes it unsafe.
        safe = not any(rows.live_but_purged for rows in counted)
        for rows in counted:
            if rows.live_but_purged:
                yield self._unsafe(rows, age)
            if rows.deleted:
                yield self._found(ctx, rows, age, safe)
        if refused:
            raise exceptions.SourceUnusable('; '.join(refused))

    def _found(
        self, ctx: context.Context, rows: purge.Rows, age: int, safe: bool
    ) -> model.Finding:
        options = ctx.options_of(self.id)
        percent = 100 * rows.deleted // rows.total
        much = rows.deleted >= options.warning_rows or (
            rows.deleted >= PERCENT_MIN_ROWS
            and percent >= options.warning_percent
        )
        words = f'{rows.deleted} of {rows.total} rows are soft-deleted'
        if rows.oldest is not None and rows.newest is not None:
            words += f' ({rows.oldest:%Y-%m-%d} to {rows.newest:%Y-%m-%d})'
        words += f'; a purge at {age} days takes up to {rows.purgeable}'
        if rows.undated:
            words += f', no purge takes the {rows.undated} without deleted_at'
        if not rows.purgeable:
            todo = [model.advice(f'At {age} days there is nothing to purge.')]
        elif safe:
            todo = [model.command(f'manila-manage db purge {age}')]
        else:
            todo = [model.advice('See the findings "#restored" first.')]
        return self.finding(
            model.Severity.WARNING if much else model.Severity.INFO,
            model.Subject('table', rows.table),
            f'table {rows.table}: {words}',
            todo,
            data={
                'live': rows.live,
                'soft_deleted': rows.deleted,
                'percent': percent,
                'purge_age_days': age,
                'purgeable': rows.purgeable,
                'without_deleted_at': rows.undated,
                'in_recycle_bin': rows.recycled,
                'oldest': _iso(rows.oldest),
                'newest': _iso(rows.newest),
            },
        )

    def _unsafe(self, rows: purge.Rows, age: int) -> model.Finding:
        return self.finding(
            model.Severity.WARNING,
            model.Subject('table', rows.table),
            f'table {rows.table}: a purge at {age} days would delete '
            f'{rows.live_but_purged} live rows, whose deleted_at is set',
            [
                model.advice(
                    'Do not run "manila-manage db purge" before their '
                    'deleted_at is NULL, or before 2026.2, whose purge '
                    'leaves live rows alone.'
                )
            ],
            [_BUG],
            {'live': rows.live, 'live_but_purged': rows.live_but_purged},
            aspect='restored',
        )


def _expected(ctx: context.Context) -> list[str]:
    """Return the tables that there must be, as far as that is known.

    MySQL does not show a table to an account that may not read it.
    """
    source = ctx.upgrade.source
    if source not in ctx.catalog.releases_at(ctx.database.revision or ''):
        return []
    return sorted({table for table, _ in ctx.catalog.columns(source)})


def _iso(time: Optional[datetime.datetime]) -> Optional[str]:
    return time.isoformat() if time else None
