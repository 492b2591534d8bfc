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
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import datetime
import math
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.soft_deleted_rows import findings
from manila_precheck.checks.soft_deleted_rows import obstacles
from manila_precheck.checks.soft_deleted_rows import plan
from manila_precheck.checks.soft_deleted_rows import table_summary
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import other_tables
from manila_precheck.checks.soft_deleted_rows.sql import purge_blockers
from manila_precheck.checks.soft_deleted_rows.sql import purge_references
from manila_precheck.checks.soft_deleted_rows.sql import survey
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.database import scan
from manila_precheck.evidence.database import schema

if TYPE_CHECKING:
    from oslo_config import cfg

# To follow foreign keys, up to SMALL_LOOK_UPS rows are looked up in a database
# of up to SMALL_ROWS rows, which takes a second; in a larger one, one for each
# ROWS_A_LOOK_UP of its rows. A look-up takes as long as counting about fifteen
# rows.
SMALL_ROWS = 2_000_000
SMALL_LOOK_UPS = 200_000
ROWS_A_LOOK_UP = 400


class SoftDeletedRows(check.Check):
    """A table holds rows that manila marked as deleted and never removed.

    manila does not delete rows: it marks them (``deleted``, ``deleted_at``),
    and they stay until ``manila-manage db purge`` runs. A migration that
    rebuilds a table copies them too, in about 25 microseconds a row on
    MariaDB, while the services are down. The purge takes far longer: it
    removes about 200 rows a second, up to 2026.1 in one transaction over all
    tables, whose locks and memory (hundreds of megabytes for a million rows)
    grow with the rows. Therefore run a large purge days before the upgrade;
    above ``purge_batch_rows`` the check proposes several runs with decreasing
    ages (``soft-deleted-rows[purge]``).

    For each table, the finding states what the purge of the running release
    deletes at ``purge_age_days``, which rows it leaves, and why: rows that
    were deleted later, rows without a deleted_at, rows whose ``deleted`` is
    not their own id (2026.2 requires that), and rows that a remaining row
    refers to. The purge skips those and still exits with 0. Some rows are
    deleted together with the rows that they belong to. Shares in the recycle
    bin are live data.

    The purge leaves tables that are not manila's alone, whatever columns they
    have, but their foreign keys count: a row that they refer to stays. With ON
    DELETE CASCADE or SET NULL, the row that refers to it is deleted or changed
    with it (``#swept:`` and the table of manila).

    Of what can keep a purge from deleting a row, the check covers: triggers;
    on PostgreSQL rules and row-level security; the privileges and the hourly
    limits of the account, if it may write to any table; and on MySQL and
    MariaDB a foreign key to a table that is gone (``#stays:``). It reports
    only what concerns a row that the purge would delete. On MySQL and MariaDB
    such a purge exits with 1: up to 2026.1 it then deletes no row at all,
    later no row of the tables that would follow. On PostgreSQL it usually
    exits with 0, and may log the rows as deleted. Not covered: a trigger that
    fails without SIGNAL or RAISE, for example because it writes to a table
    that is gone; on MySQL and MariaDB any trigger, if the account lacks the
    privilege TRIGGER; rows that row-level security hides from the account, and
    thus from manila.

    Up to 2026.1 a purge considers only deleted_at and also deletes live rows
    that have one. The check reports these separately (``#restored``), as well
    as live rows that refer to a soft-deleted row and may lose that reference,
    which becomes NULL (``#detached``). While either kind exists, it proposes
    no purge.

    The check reads the tables once, in pieces of a fraction of a second each;
    if services write meanwhile, it pauses after each piece for twice the time
    that the piece took. To follow the foreign keys, it looks up each remaining
    row in the tables that the row refers to. In a database of more than
    2000000 rows it makes one look-up for 400 rows, the smallest tables first,
    unless ``follow_all_references`` is set: a finding names what was left out
    and gives upper bounds. It reads tables that do not fit into
    ``database_time_seconds``, and with ``--quick`` every large table, in a few
    places: the finding states which part was read, how many rows it holds at
    least, and an estimate for the whole table.

    WARNING: ``warning_rows`` soft-deleted rows or more, or ``warning_percent``
    of the table or more; or a purge would delete or change live rows, or rows
    of tables that are not manila's; or something can stop it. INFO: fewer.
    Never FAILURE: the rows make an upgrade slow but do not stop it.
    """

    id = 'soft-deleted-rows'
    title = 'Soft-deleted rows'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the options: the thresholds and the age of the purge."""
        from oslo_config import cfg

        return (
            cfg.IntOpt(
                'warning_rows',
                default=10000,
                min=1,
                help='The check warns if one table has this number of '
                'soft-deleted rows or more. A purge of the default number '
                'takes about a minute.',
            ),
            cfg.IntOpt(
                'warning_percent',
                default=90,
                min=1,
                max=100,
                help='The check warns if this percentage or more of the rows '
                'of one table are soft-deleted. It applies only to tables '
                f'with at least {findings.PERCENT_MIN_ROWS} rows.',
            ),
            cfg.IntOpt(
                'purge_age_days',
                default=30,
                min=1,
                help='The age in days for the purge that the check proposes: '
                'the purge deletes rows that were soft-deleted longer ago.',
            ),
            cfg.IntOpt(
                'purge_batch_rows',
                default=50000,
                min=1,
                help='The number of rows that one run of the purge may '
                'delete before the check proposes several runs with '
                'decreasing ages. A run of the default number takes about '
                'four minutes.',
            ),
            cfg.BoolOpt(
                'follow_all_references',
                default=False,
                help='Look up references to soft-deleted rows in tables of '
                'any size. On a large site this takes several times as long.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each table with soft-deleted rows."""
        db, age = ctx.database, ctx.options_of(self.id).purge_age_days
        refused = [
            f'{db.words} shows no table {table}, which {ctx.upgrade.source} '
            'has: it is missing, or the account may not read it'
            for table in _expected(ctx)
            if not db.has_table(table)
        ]
        now = db.now()
        wanted = counting.Filter(
            db,
            ctx.catalog.purge(ctx.upgrade.source, db.dialect),
            now - datetime.timedelta(days=age),
        )
        found = purge_references.Candidates(wanted, self._look_ups(ctx))
        counted = survey.survey(
            wanted,
            counting.tables(db, wanted.purge),
            _limits(ctx),
            ctx.on_rows,
            ctx.interrupted,
            found,
        )
        refused.extend(counted.failures)
        others: tuple[schema.LiveForeignKey, ...] = ()
        try:
            others = other_tables.keys(
                db, wanted.purge, ctx.schema.foreign_keys
            )
        except exceptions.SourceUnusable as exc:
            refused.append(str(exc))
        followed = self._followed(ctx, wanted, counted, found, others, refused)
        tables: Sequence[table_summary.TableSummary] = [
            table_summary.TableSummary(
                rows, followed[name], counted.sizes[name].bytes
            )
            for name, rows in sorted(counted.rows.items())
        ]
        found_obstacles = self._obstacles(ctx, wanted, tables, refused)
        tables = obstacles.held(wanted.purge, tables, found_obstacles)
        yield from (one.finding for one in found_obstacles)
        yield from self._findings(ctx, tables, now.date())
        yield from self._swept(ctx, wanted, counted, others, refused)
        yield from plan.cut(
            ctx, ctx.options_of(self.id), wanted, counted, tables, refused
        )
        if refused:
            problem = exceptions.SourceUnusable('; '.join(refused))
            problem.remediation = db.missing_rights
            raise problem

    def _obstacles(
        self,
        ctx: context.Context,
        wanted: counting.Filter,
        tables: Sequence[table_summary.TableSummary],
        refused: list[str],
    ) -> Sequence[obstacles.Obstacle]:
        """Return what stops a purge, as far as it can be read."""
        # manila does not support SQLite as its database server.
        if ctx.database.dialect == 'sqlite' or ctx.interrupted.is_set():
            return ()
        try:
            return list(
                obstacles.Obstacles(
                    ctx.database,
                    wanted.purge,
                    tables,
                    ctx.options_of(self.id).purge_age_days,
                    ctx.options.max_listed,
                ).find()
            )
        except exceptions.SourceUnusable as exc:
            refused.append(str(exc))
            return ()

    def _look_ups(self, ctx: context.Context) -> float:
        """Return how many rows may be looked up to follow foreign keys."""
        if ctx.options_of(self.id).follow_all_references:
            return math.inf
        expected = sum(
            scan.expected(size) for size in scan.sizes(ctx.database).values()
        )
        if expected <= SMALL_ROWS:
            return SMALL_LOOK_UPS
        return expected // ROWS_A_LOOK_UP

    def _followed(
        self,
        ctx: context.Context,
        wanted: counting.Filter,
        counted: survey.Survey,
        found: purge_references.Candidates,
        others: tuple[schema.LiveForeignKey, ...],
        refused: list[str],
    ) -> Mapping[str, purge_blockers.KeyEffects]:
        """Return how foreign keys change the purge of each table.

        Only the tables that were read completely are followed.
        """
        whole = {
            name: rows
            for name, rows in counted.rows.items()
            if rows.read >= 1.0
        }
        followed: dict[str, purge_blockers.KeyEffects] = {}
        if not ctx.interrupted.is_set():
            try:
                followed.update(
                    purge_blockers.follow(wanted, whole, found, others)
                )
            except exceptions.SourceUnusable as exc:
                refused.append(str(exc))
        unread = ('all tables',)
        return {
            name: followed.get(
                name, purge_blockers.KeyEffects(name, unread=unread)
            )
            for name in counted.rows
        }

    def _swept(
        self,
        ctx: context.Context,
        wanted: counting.Filter,
        counted: survey.Survey,
        others: tuple[schema.LiveForeignKey, ...],
        refused: list[str],
    ) -> Iterator[model.Finding]:
        """Yield what a purge does to rows that are not manila's."""
        age = ctx.options_of(self.id).purge_age_days
        for key in others:
            rows = counted.rows.get(key.parent)
            if key.on_delete in ('', schema.UNKNOWN):
                continue
            if rows is None or not rows.asked:
                continue
            if ctx.interrupted.is_set():
                return
            if other_tables.is_large(key, scan.sizes(wanted.db)):
                continue
            try:
                swept = other_tables.swept(wanted, key)
            except exceptions.SourceUnusable as exc:
                refused.append(str(exc))
                continue
            if swept.rows:
                yield findings.swept(swept, age)

    def _findings(
        self,
        ctx: context.Context,
        tables: Iterable[table_summary.TableSummary],
        today: datetime.date,
    ) -> Iterator[model.Finding]:
        tables = list(tables)
        # A purge covers all tables: one unsafe table makes it unsafe.
        safe = not any(
            table.rows.live_but_purged or table.key_effects.detached
            for table in tables
        )
        options = ctx.options_of(self.id)
        large = (
            sum(table.about(table.deletes) for table in tables)
            > options.purge_batch_rows
        )
        for table in tables:
            if table.rows.live_but_purged:
                yield findings.restored(table, options.purge_age_days)
            if table.key_effects.detached:
                yield findings.detached(table, options.purge_age_days)
            rows, taken = table.rows, table.key_effects.taken
            if rows.deleted or rows.neither_but_purged or taken:
                todo = table_summary.todo(
                    table, options.purge_age_days, safe, large
                )
                yield findings.found(table, options, todo, today)


def _limits(ctx: context.Context) -> survey.Limits:
    options = ctx.options
    return survey.Limits(
        # The rest of the time limit is for the rest of the check.
        min(
            options.database_time_seconds,
            options.check_timeout_seconds * 0.7,
        ),
        options.quick,
        options.database_connections,
    )


def _expected(ctx: context.Context) -> list[str]:
    """Return the tables that must exist, as far as the catalog knows.

    MySQL does not show a table to an account that may not read it.
    """
    source = ctx.upgrade.source
    if source not in ctx.catalog.releases_at(ctx.database.revision or ''):
        return []
    return sorted({table for table, _ in ctx.catalog.columns(source)})
