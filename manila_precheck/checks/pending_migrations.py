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
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import check
from manila_precheck import context
from manila_precheck import drift
from manila_precheck import exceptions
from manila_precheck import forecast
from manila_precheck import model
from manila_precheck.catalog import steps as catalog_steps
from manila_precheck.sources import database
from manila_precheck.sources import database_url
from manila_precheck.sources import migrated_rows
from manila_precheck.sources import rates
from manila_precheck.sources import schema as schema_source

if TYPE_CHECKING:
    from oslo_config import cfg

Do = catalog_steps.Do

# Up to here the rows of a table that is written anew are counted.
_COUNTED_ROWS = 2_000_000

# Below this no server is asked how fast it is.
_MEASURED_SECONDS = 0.5

# Each allocation is a SELECT and an UPDATE of its own, as seen with manila
# 16.3.0 on MariaDB 10.11.
_SECONDS_AN_ALLOCATION = 0.9e-3

_RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed.'
)
_MISSING = model.advice(
    'Let the account read it; or find out who dropped it, and take it from a '
    'backup. See schema-revision.'
)
_DIALECT = model.advice(
    'In [database] connection write mysql+pymysql:// in place of '
    'mariadb+pymysql://; nothing else of the URL changes.'
)


class PendingMigrations(check.Check):
    """A migration that is still to run fails on a row, a table or a setting.

    Each revision between the one that the database has and the target's is
    held against the server: what it does is known from running it on a real
    server. On MySQL and MariaDB a migration that fails leaves half of its
    work behind; all of this can be put right before.

    Looked at are: the dialect in ``[database] connection``
    (``mariadb+pymysql://`` makes a87e0fb17dee of yoga fail, and every first
    install); collations and engines, where a foreign key that a migration
    adds would be refused (a database that was restored as utf8mb4 among
    utf8 tables, MyISAM); foreign keys that it drops and that are gone; a
    table, a column or a key that it needs and that is gone; a revision of
    which something is there already; network allocations without a share
    server; the availability zones of share backups.

    Tables that MySQL writes anew are listed with their rows, the time and
    the disk space that this takes: for the copy, beside the table. The time
    is half to twice what is said: the server is asked how fast it counts,
    and reads no row for that. Write ``seconds_per_million_rows`` where a
    migration was rehearsed. PostgreSQL writes no table anew.

    FAILURE: ``manila-manage db sync`` stops there. WARNING: it goes through,
    but a backup loses its availability zone, times lose their fractions, or
    a later migration will stop; a rewrite that takes ``warning_seconds`` or
    more. INFO: a rewrite that takes less; network allocations without a
    share server that no pending migration reads.

    Not looked at: whether the account may alter tables, and how much disk
    space there is, which a server does not say.
    """

    id = 'pending-migrations'
    title = 'Pending migrations'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    # Not required: an empty database is judged here.
    uses = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the rate and the threshold of the estimate."""
        from oslo_config import cfg

        return (
            cfg.FloatOpt(
                'seconds_per_million_rows',
                min=0.0,
                help='How many seconds the database server takes to write '
                'a million rows of a table anew, from a rehearsal. Default: '
                'estimated from the size of the table and a probe that '
                'reads no row.',
            ),
            cfg.IntOpt(
                'warning_seconds',
                default=600,
                min=1,
                help='From how many seconds on the rewrite of one table is '
                'a warning.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield what stops a pending migration, and what takes long."""
        db = ctx.database_as_found
        mariadb = database_url.dialect_of_manila(ctx.conf) == 'mariadb'
        if db.state is database.State.EMPTY and mariadb:
            yield self._first_install()
            return
        pending = _pending(ctx, ctx.database)
        half = drift.half_applied(
            ctx.catalog, list(pending), db.shape, ctx.schema, db.dialect
        )
        yield from self._half_applied(ctx, half)
        begun = {one.revision for one in half}
        yield from self._lacking(ctx, pending, begun)
        if db.dialect == 'mysql':
            if mariadb:
                yield from self._mariadb(ctx, pending)
            yield from self._refused(ctx, pending, mariadb)
        yield from self._allocations(ctx, pending)
        yield from self._backups(ctx, pending)
        if db.dialect == 'mysql':
            yield from self._rewrites(ctx, pending)

    def _of_option(
        self, severity: model.Severity, message: str, aspect: str
    ) -> model.Finding:
        return self.finding(
            severity,
            model.Subject('option', 'database/connection'),
            message,
            [_DIALECT],
            aspect=aspect,
        )

    def _first_install(self) -> model.Finding:
        return self._of_option(
            model.Severity.FAILURE,
            '[database] connection is a mariadb:// URL: the migrations of '
            'manila take the server for another one than MySQL, and '
            '"manila-manage db sync" of an empty database fails',
            'first-install',
        )

    def _half_applied(
        self, ctx: context.Context, found: Iterable[drift.Half]
    ) -> Iterator[model.Finding]:
        for half in found:
            there = drift.listed(half.present, ctx.options.max_listed)
            yield self._fails(
                half.revision,
                f'{there} is there already',
                [_RESTORE],
                aspect='half-applied',
            )

    def _lacking(
        self, ctx: context.Context, pending: forecast.Steps, begun: set[str]
    ) -> Iterator[model.Finding]:
        # SQLite is no server of manila's.
        if ctx.database.dialect == 'sqlite':
            return
        for one in forecast.lacking(pending, ctx.database.shape, ctx.schema):
            if one.revision not in begun:
                yield self._fails(
                    one.revision, one.why, [_MISSING], f'without-{one.what}'
                )

    def _fails(
        self,
        revision: str,
        why: str,
        todo: Iterable[model.Remediation],
        aspect: str,
        data: Optional[Mapping[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self.finding(
            model.Severity.FAILURE,
            model.Subject('revision', revision),
            f'"manila-manage db sync" fails at revision {revision}: {why}',
            todo,
            data=data,
            aspect=aspect,
        )

    def _mariadb(
        self, ctx: context.Context, pending: forecast.Steps
    ) -> Iterator[model.Finding]:
        name = forecast.NEEDS_MYSQL
        only = {name: pending[name]} if name in pending else {}
        if only and not list(forecast.undroppable(only, ctx.schema)):
            yield self._of_option(
                model.Severity.FAILURE,
                f'"manila-manage db sync" fails at revision {name}: [database]'
                ' connection is a mariadb:// URL, for which it does not drop '
                'a foreign key before the column (error 1553)',
                name,
            )
        tables = ctx.catalog.tables(ctx.upgrade.target)
        coarse = sorted(
            step.table
            for steps in pending.values()
            for step in steps
            if step.do is Do.CREATE_TABLE
            and any(c.fsp for c in tables[step.table].columns)
        )
        if coarse:
            yield self._of_option(
                model.Severity.WARNING,
                '[database] connection is a mariadb:// URL: times in the '
                f'new tables ({", ".join(coarse)}) are kept without '
                'fractions of a second',
                'precision',
            )

    def _refused(
        self, ctx: context.Context, pending: forecast.Steps, mariadb: bool
    ) -> Iterator[model.Finding]:
        utf8 = schema_source.text_collation(ctx.database)
        seen = set()
        for key in forecast.refused(pending, ctx.schema, utf8):
            seen.add(key.why)
            what = f'{key.table}.{key.column}'
            if key.why == 'engine':
                why = (
                    f'{what} refers to {key.parent}, whose engine is '
                    f'{key.theirs} (error 1005, errno 150)'
                )
                todo = _to_innodb([key.parent])
            else:
                why = (
                    f'{what} gets the collation {key.mine} and refers to '
                    f'{key.parent}, which has {key.theirs} (error 1005, '
                    'errno 150)'
                )
                todo = _to_collation(utf8)
            yield self._fails(key.revision, why, todo, what)
        if not mariadb:
            for gone in forecast.undroppable(pending, ctx.schema):
                yield self._fails(
                    gone.revision,
                    f'it drops the foreign key {gone.name} of {gone.table}, '
                    'which is not there (error 1091)',
                    [model.advice('Create it again.')],
                    gone.name,
                )
        yield from self._odd(ctx, utf8, seen)

    def _odd(
        self, ctx: context.Context, utf8: str, seen: set[str]
    ) -> Iterator[model.Finding]:
        """Yield what stops none of these migrations, but a later one."""
        known = {table for table, _ in ctx.catalog.columns(ctx.upgrade.source)}
        known -= {database.VERSION_TABLE}
        limit = ctx.options.max_listed
        engines = forecast.odd_engines(ctx.schema, known)
        if engines and 'engine' not in seen:
            yield self.finding(
                model.Severity.WARNING,
                model.Subject('database', 'engine'),
                f'{_count(len(engines), "table")} not in InnoDB: '
                f'{drift.listed(engines, limit)}; a later migration that '
                'refers to one fails, and until then nothing checks its '
                'references',
                _to_innodb(engines[:limit]),
                data={'tables': len(engines)},
                aspect='other',
            )
        odd = forecast.odd_collations(ctx.schema, known, utf8)
        if odd and 'collation' not in seen:
            yield self.finding(
                model.Severity.WARNING,
                model.Subject('database', 'collation'),
                f'{_count(len(odd), "table")} not in {utf8}, which '
                f'new tables get: {drift.listed(odd, limit)}; a later '
                'migration that refers to one fails',
                _to_collation(utf8),
                data={'tables': len(odd), 'collation': utf8},
                aspect='other',
            )

    def _allocations(
        self, ctx: context.Context, pending: forecast.Steps
    ) -> Iterator[model.Finding]:
        rows = migrated_rows.orphans(ctx.database, ctx.options.max_listed)
        if not rows.total:
            return
        message = (
            f'{_count(rows.total, "row", "")} of network_allocations without '
            f'the share server that is named: {_named(rows)}'
        )
        fails = migrated_rows.ALLOCATIONS in pending
        if fails:
            message = (
                f'"manila-manage db sync" fails at revision '
                f'{migrated_rows.ALLOCATIONS}: {message}'
            )
        else:
            message += '; no pending migration reads it'
        yield self.finding(
            model.Severity.FAILURE if fails else model.Severity.INFO,
            model.Subject('table', 'network_allocations'),
            message,
            [
                model.advice(
                    'Delete the row: the share server that the address was '
                    'for is gone.'
                )
            ],
            data={'rows': rows.total},
            aspect='orphans',
        )

    def _backups(
        self, ctx: context.Context, pending: forecast.Steps
    ) -> Iterator[model.Finding]:
        db, limit = ctx.database, ctx.options.max_listed
        if migrated_rows.ZONES not in pending or not db.has_column(
            'share_backups', 'availability_zone'
        ):
            return
        for rows, what, aspect in (
            (
                migrated_rows.backups_without_zone(db, limit),
                'no row of availability_zones has the name, and it becomes '
                'NULL',
                'no-zone',
            ),
            (
                migrated_rows.backups_of_deleted_zone(db, limit),
                'the first row of that name is soft-deleted, and its id is '
                'taken',
                'deleted-zone',
            ),
        ):
            if rows.total:
                yield self.finding(
                    model.Severity.WARNING,
                    model.Subject('table', 'share_backups'),
                    f'{_count(rows.total, "backup")} to lose the '
                    f'availability zone at revision {migrated_rows.ZONES}, '
                    f'since {what}: {_named(rows)}',
                    [
                        model.advice(
                            'Set availability_zone to the name of a zone '
                            'that is in use, or note it and set '
                            'availability_zone_id afterwards.'
                        )
                    ],
                    data={'rows': rows.total},
                    aspect=aspect,
                )

    def _rewrites(
        self, ctx: context.Context, pending: forecast.Steps
    ) -> Iterator[model.Finding]:
        db, options = ctx.database, ctx.options_of(self.id)
        counted: dict[str, int] = {}
        rate: Optional[rates.Rate] = None
        for one in forecast.rewrites(pending, ctx.schema, db.server_version):
            table = ctx.schema.tables[one.table]
            if one.table not in counted:
                counted[one.table] = _rows_of(db, table)
            rows = counted[one.table]
            if not rows:
                continue
            size = _bytes_of(table, rows)
            if options.seconds_per_million_rows is not None:
                each = rows * options.seconds_per_million_rows / 1e6
            else:
                each = rates.TYPICAL.seconds(rows, size)
                if rate is None and each >= _MEASURED_SECONDS:
                    rate = rates.measure(db)
                each = (rate or rates.TYPICAL).seconds(rows, size)
            seconds = each * one.times
            if one.revision == migrated_rows.ALLOCATIONS:
                seconds += rows * _SECONDS_AN_ALLOCATION
            yield self._rewrite(one, rows, size, seconds, options)

    def _rewrite(
        self,
        one: forecast.Rewrite,
        rows: int,
        size: int,
        seconds: float,
        options: object,
    ) -> model.Finding:
        low, high = seconds / rates.MARGIN, seconds * rates.MARGIN
        long = seconds >= options.warning_seconds  # type: ignore[attr-defined]
        return self.finding(
            model.Severity.WARNING if long else model.Severity.INFO,
            model.Subject('table', one.table),
            f'revision {one.revision} writes table {one.table} anew, with '
            f'{_count(rows, "row", "")}: about {_time(seconds)} '
            f'({_time(low)} to {_time(high)}), and {_size(size)} of disk '
            'space on the database server beside the table',
            data={
                'revision': one.revision,
                'rows': rows,
                'bytes': size,
                'seconds': round(seconds, 1),
                'seconds_min': round(low, 1),
                'seconds_max': round(high, 1),
            },
            aspect=one.revision,
        )


def _pending(ctx: context.Context, db: database.Database) -> forecast.Steps:
    """Return the steps of the revisions that are to run, in order.

    :raises SourceNotApplicable: when that cannot be told.
    """
    target = ctx.upgrade.target
    chain = ctx.catalog.chain(target)
    if db.revision not in chain:
        raise exceptions.SourceNotApplicable(
            f'no migration leads from the revision of the database to '
            f'{target}: see schema-revision'
        )
    known = ctx.catalog.steps(target)
    later = chain[chain.index(db.revision) + 1 :]
    return {
        name: [s for s in known.get(name, ()) if s.on(db.dialect)]
        for name in later
    }


def _rows_of(db: database.Database, table: schema_source.Table) -> int:
    if table.rows is not None and table.rows > _COUNTED_ROWS:
        return table.rows
    return migrated_rows.count(db, table.name)


def _bytes_of(table: schema_source.Table, rows: int) -> int:
    """Return the size of a table, where the server's figures are old too."""
    size = (table.data_bytes or 0) + (table.index_bytes or 0)
    if table.rows and rows > 2 * table.rows:
        size = size * rows // table.rows
    return size


def _to_innodb(tables: Sequence[str]) -> list[model.Remediation]:
    return [
        model.command(f'ALTER TABLE {table} ENGINE = InnoDB;')
        for table in tables
    ]


def _to_collation(utf8: str) -> list[model.Remediation]:
    # ALTER TABLE ... CONVERT TO is refused where a foreign key is (1833).
    charset = utf8.partition('_')[0]
    return [
        model.advice(
            'With the services stopped, dump the database and load it into '
            'a new one with the collation that the migrations ask for; a '
            f'character that {charset} does not have is lost:'
        ),
        model.command(
            'mysqldump --single-transaction DATABASE | sed -E '
            "'/^CREATE TABLE/,/^\\) ENGINE/ { "
            f's/(CHARSET=|CHARACTER SET )[a-z0-9]+/\\1{charset}/; '
            f"s/(COLLATE[= ])[a-z0-9_]+/\\1{utf8}/ }}' | mysql NEW_DATABASE"
        ),
    ]


def _named(rows: migrated_rows.Rows) -> str:
    words = ', '.join(f'{one} ({of})' for one, of in rows.first)
    more = rows.total - len(rows.first)
    return f'{words} and {more} more' if more > 0 else words


def _count(number: int, what: str, verb: Optional[str] = None) -> str:
    if verb is None:
        verb = ' is' if number == 1 else ' are'
    return f'{number} {what}{"" if number == 1 else "s"}{verb}'


def _time(seconds: float) -> str:
    if seconds < 1:
        return 'a second'
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min'


def _size(size_bytes: int) -> str:
    megabytes = size_bytes / 1e6
    if megabytes < 1000:
        return f'{max(megabytes, 1):.0f} MB'
    return f'{megabytes / 1000:.1f} GB'
