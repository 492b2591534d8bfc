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
from manila_precheck.checks.pending_migrations import owners
from manila_precheck.checks.pending_migrations import privileges
from manila_precheck.checks.pending_migrations import rewrites
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

    Each revision between the one of the database and the one of the target
    is compared with the server: what it does is known from running it on a
    real server. On MySQL and MariaDB a migration that fails leaves half of its
    work behind; everything reported here can be corrected before.

    The check covers: whether the server is writable (it may be a replica, or
    the old primary after a failover); the dialect in ``[database] connection``
    (``mariadb+pymysql://`` makes a87e0fb17dee of yoga fail, and every first
    install); collations and engines with which a foreign key that a migration
    adds would be rejected (a database that was restored as utf8mb4 among
    utf8 tables, MyISAM); foreign keys that a migration drops and that do not
    exist; a table, a column or a key that it needs and that does not exist; a
    revision that is already applied in part; network allocations without a
    share server; share servers without their share network subnet; zero dates
    in a table that MySQL rebuilds; the availability zones of share
    backups; a name that a migration uses and that something else has, such
    as the foreign key of a table that was renamed; a column that it drops
    and that a view or another foreign key needs; on PostgreSQL,
    tables of another account (a dump that was restored without its owners),
    and a schema in which the account cannot create tables; on MySQL and
    MariaDB, a privilege that the account lacks, by ``SHOW GRANTS``, with the
    roles that are active in its sessions. An account that may not write to
    any table is not regarded as manila's.

    Tables that MySQL rebuilds are listed with their rows, the time and the
    disk space that this takes for the copy, in addition to the table. The
    actual time is between half and twice the estimate: the check measures how
    fast the server counts, and reads no row for that. Set
    ``seconds_per_million_rows`` if a migration was rehearsed. PostgreSQL
    rebuilds no table.

    FAILURE: ``manila-manage db sync`` stops there. WARNING: it succeeds,
    but a backup loses its availability zone, times lose their fractions, or
    a later migration will stop; a rebuild that takes ``warning_seconds`` or
    more; a migration that only the file of a build has
    (``--target-catalog``), or has changed: its effect is not known. INFO: a
    rebuild that takes less; network allocations without a share server that
    no pending migration reads; a server with read_only to which this account
    can still write.

    Not covered: the free disk space, which a server does not report; zero
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
                help='The time in seconds for rebuilding one table from '
                'which on the check warns.',
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
        if db.dialect == 'postgresql':
            yield from owners.Owners(ctx, pending).findings()
        if db.dialect == 'mysql':
            yield from privileges.Privileges(ctx, pending).findings()
            yield from rewrites.Rewrites(ctx, pending).findings(
                read.counted, ctx.options_of(self.id)
            )


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
