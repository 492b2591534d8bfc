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
"""The check ``pending-migrations``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from manila_precheck import model
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import limits
from manila_precheck.checks.pending_migrations import owners
from manila_precheck.checks.pending_migrations import privileges
from manila_precheck.checks.pending_migrations import reactions
from manila_precheck.checks.pending_migrations import rewrites
from manila_precheck.checks.pending_migrations import row_copies
from manila_precheck.checks.pending_migrations import rows
from manila_precheck.checks.pending_migrations import stops
from manila_precheck.checks.pending_migrations.sql import read_only_server
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import pending as migrations

if TYPE_CHECKING:
    from oslo_config import cfg


class PendingMigrations(check.Check):
    """A pending migration fails on a row, a table or a setting.

    The check compares the server with each revision between that of the
    database and that of the target. What a revision does is known from running
    it on a real server. On MySQL and MariaDB a migration that fails leaves
    half of its work behind; you can correct before the upgrade whatever this
    check reports.

    The check covers: whether the server is writable (it may be a replica, or
    the old primary after a failover); the dialect in ``[database] connection``
    (``mariadb+pymysql://`` makes a87e0fb17dee of yoga fail, and every first
    install); collations and engines that make the server reject a foreign key
    that a migration adds (a database that was restored as utf8mb4 among utf8
    tables, MyISAM); foreign keys that a migration drops but that do not exist;
    a table, a column or a key that a migration needs but that does not exist;
    a revision that is already applied in part; network allocations without a
    share server; share servers without their share network subnet; zero dates
    in a table that MySQL rebuilds; the availability zones of share backups; a
    name that a migration creates but that is taken, for example by the foreign
    key of a table that was renamed, or by an index or a CHECK constraint of
    the same table; a column that a migration drops but that a view or another
    foreign key needs; an id that is no longer text (UUID, VARBINARY);
    system-versioned and partitioned tables; rows that violate a CHECK
    constraint of a table that MariaDB copies; what rejects the update of
    ``alembic_version`` after a migration: a trigger, a CHECK constraint, and
    on PostgreSQL a rule or row-level security; settings that reject a
    statement or end it (``alter_algorithm``, ``enforce_storage_engine``,
    ``max_statement_time``, the MAX_STATEMENT_TIME and MAX_UPDATES_PER_HOUR of
    the account; on PostgreSQL ``statement_timeout``,
    ``idle_in_transaction_session_timeout`` and ``transaction_timeout``); on
    PostgreSQL, event triggers that raise an exception, tables that another
    account owns (a dump that was restored without its owners), a schema or a
    tablespace in which the account cannot create tables, and triggers that
    insert ``NEW.*`` or ``OLD.*`` of a table to which a migration adds a
    column, or from which it drops one; a limit of connections of the account
    or the database that is less than the services need; on MySQL and MariaDB,
    a privilege that the account lacks, by ``SHOW GRANTS``, with the roles that
    are active in its sessions. An account that may not write to any table is
    not regarded as manila's.

    The check lists each table that MySQL rebuilds, with its rows, the time
    that the rebuild takes, and the disk space that the copy needs in addition
    to the table. The actual time is between half and twice the estimate: the
    check measures how fast the server counts, without reading a row. If you
    rehearsed a migration, set ``seconds_per_million_rows``. PostgreSQL
    rebuilds no table.

    FAILURE: ``manila-manage db sync`` stops at this migration, or a trigger
    makes statements of manila fail after it. WARNING: it succeeds, but a
    backup loses its availability zone, times lose their fractions, or a later
    migration will stop. Or a trigger can raise an error, depending on
    conditions that the check does not judge. Or a limit of time is less than
    the longest estimate of a rebuild, or than 0.1 seconds for another
    statement, 1 second for the pause between two statements and 1 second for
    each migration. Or a service may find no connection left. Or a rebuild
    takes ``warning_seconds`` or more. Or the effect of a migration is not
    known, because only the file of a build (``--target-catalog``) has it, or
    because the build changed it. INFO: a rebuild takes less than
    ``warning_seconds``; network allocations without a share server exist, but
    no pending migration reads them; or a server has read_only on, but this
    account can still write to it.

    Not covered: the free disk space, which the server does not report; zero
    dates in a table of more than two million rows; the migrations before
    12.0.0.
    """

    id = 'pending-migrations'
    title = 'Pending migrations'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    # Not in requires: the check also handles an empty database.
    uses = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the options of the estimate: the rate and the threshold."""
        from oslo_config import cfg

        return (
            cfg.FloatOpt(
                'seconds_per_million_rows',
                min=0.0,
                help='The time in seconds that the database server takes to '
                'rebuild a table of a million rows, as measured in a '
                'rehearsal. Default: estimated from the size of the table '
                'and a probe that reads no rows.',
            ),
            cfg.IntOpt(
                'warning_seconds',
                default=600,
                min=1,
                help='The check warns if rebuilding one table takes this time '
                'in seconds or more.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield what stops a pending migration, and what takes long."""
        db = ctx.database_as_found
        refusal = read_only_server.refusal(db)
        if refusal is not None:
            yield stops.no_writes(refusal)
        mariadb = database_url.dialect_of_manila(ctx.conf) == 'mariadb'
        if db.state is connection.DatabaseState.EMPTY and mariadb:
            yield stops.first_install()
            return
        pending = migrations.pending(
            ctx.catalog, ctx.upgrade.target, ctx.database, mariadb
        )
        yield from _unknown(ctx, pending)
        yield from stops.Stops(ctx, pending).findings(mariadb)
        read = rows.RowHazards(ctx, pending)
        yield from read.findings()
        rebuilds: list[model.Finding] = []
        if db.dialect != 'sqlite':
            yield from reactions.Reactions(ctx, pending).findings()
        if db.dialect == 'postgresql':
            yield from owners.Owners(ctx, pending).findings()
            yield from row_copies.RowCopies(ctx, pending).findings()
        if db.dialect == 'mysql':
            yield from privileges.Privileges(ctx, pending).findings()
            rebuilds = list(
                rewrites.Rewrites(ctx, pending).findings(
                    read.counted, ctx.options_of(self.id)
                )
            )
            yield from rebuilds
        if db.dialect != 'sqlite':
            yield from limits.Limits(ctx, pending).findings(rebuilds)


def _unknown(
    ctx: context.Context, pending: hazards.Steps
) -> Iterable[model.Finding]:
    """Yield pending migrations whose effect the catalog does not know."""
    target = ctx.upgrade.target
    for one, changed in ctx.catalog.unknown_revisions(target):
        if one.id in pending:
            why = (
                f'the build of {target} has changed it'
                if changed
                else f'only the build of {target} has it'
            )
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('revision', one.id),
                f'{one.id} ({one.file}) is pending, and {why}: what it does '
                'is not known',
                [
                    model.advice(
                        'Read it in manila/db/migrations/alembic/versions of '
                        'the build, and rehearse "manila-manage db sync" on a '
                        'copy of the database.'
                    )
                ],
                data={'file': one.file},
                aspect='unknown',
            )
