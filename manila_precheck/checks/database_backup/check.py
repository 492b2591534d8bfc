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
"""The check ``database-backup``."""

from collections.abc import Iterable
from collections.abc import Iterator
import datetime
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence import rehearsal_report
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import schema_diff
from manila_precheck.evidence.database.dumps import contents

if TYPE_CHECKING:
    from oslo_config import cfg

# A smaller table is mostly page headers: its size says nothing about its rows.
_TABLE_BYTES = 1_000_000

_MAKE = {
    'mysql': 'mysqldump --single-transaction --result-file=FILE DATABASE',
    'postgresql': 'pg_dump --file=FILE DATABASE',
    'sqlite': 'sqlite3 DATABASE ".backup FILE"',
}


class DatabaseBackup(check.Check):
    """The backup is missing, too old, incomplete or of another revision.

    A migration that fails on MySQL leaves half of its work behind, and no
    downgrade of manila restores the rows: the backup that was made after the
    services stopped is the only way back.

    The check reads the newest file that ``path`` names as a stream, once: a
    dump of mysqldump, mariadb-dump or pg_dump, plain or compressed with gzip,
    bzip2, xz, zstd or lz4 (the last two if the program or the Python module is
    installed); the custom formats of pg_dump through pg_restore. A program
    that another user could change is not run. The backup is complete if it
    ends with the line that the tool writes last; a dump made with
    --skip-comments or --compact has no such line and cannot be told from a
    truncated one. The age is computed from the time in that line, in the time
    zone of this host, or, if the line has no time, from the time of the file.
    A copy made by mariabackup or xtrabackup is recognized but not checked
    further; neither is a file archive.

    Only a restore can prove that a backup can be restored: ``manila-precheck
    upgrade rehearse`` restores it and counts its rows. Set ``rehearsal`` to
    its report (``--format json``). If the report is about exactly this file,
    by SHA-256, it is the proof, and the size is not checked.

    FAILURE: there is no backup, or it is not complete, lacks a table of manila
    that the database has, has another alembic revision than the database, or
    has failed its rehearsal. WARNING: the backup is older than
    ``max_age_hours``, dated in the future (by more than five minutes) or not
    dated at all, is much smaller than the tables, or could not be checked; or
    the report is about another backup.
    """

    id = 'database-backup'
    title = 'Backup of the database'
    stages = frozenset({model.Stage.STOPPED})
    requires = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the options: where the backup is, and its limits."""
        from oslo_config import cfg

        return (
            cfg.StrOpt(
                'path',
                help='The backup of the database: a file, a directory, or a '
                'pattern with wildcards (``/var/backups/manila-*.sql.gz``). '
                'The check uses the newest file.',
            ),
            cfg.FloatOpt(
                'max_age_hours',
                default=24.0,
                min=0.0,
                help='The maximum age of the backup in hours.',
            ),
            cfg.IntOpt(
                'min_size_percent',
                default=10,
                min=0,
                help='The minimum size of the uncompressed dump, in percent '
                'of the size of the tables on disk. Tables below 1 MB are '
                'ignored.',
            ),
            cfg.StrOpt(
                'rehearsal',
                help='The report of "manila-precheck upgrade rehearse '
                '--format json" that restored the backup.',
            ),
            cfg.FloatOpt(
                'read_seconds',
                default=240.0,
                min=0.1,
                help='The maximum time in seconds for reading the backup. A '
                'backup that takes longer cannot be verified as complete.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield what is wrong with the newest backup."""
        options = ctx.options_of(self.id)
        if not options.path:
            raise exceptions.SourceNotGiven(
                'no backup was given: [manila_precheck_database_backup] path '
                'is not set'
            )
        path = contents.newest(options.path)
        if path is None:
            yield self._found(
                ctx,
                model.Severity.FAILURE,
                f'there is no backup at {options.path}',
                'missing',
            )
            return
        rehearsed = None
        if options.rehearsal:
            rehearsed = rehearsal_report.read(options.rehearsal)
        name = database_url.name_of_manila(ctx.conf)
        found = contents.read(path, name, options.read_seconds)
        yield from self._whole(ctx, found)
        yield from self._age(ctx, found)
        yield from self._revision(ctx, ctx.database, found)
        yield from self._tables(ctx, ctx.database, found)
        proven = False
        if rehearsed is not None:
            proven = contents.digest(path)[0] == rehearsed.dump_sha256
            yield from self._rehearsed(ctx, path, rehearsed, proven)
        if not proven:
            yield from self._size(ctx, found)

    def _rehearsed(
        self,
        ctx: context.Context,
        path: str,
        report: rehearsal_report.Rehearsed,
        same: bool,
    ) -> Iterator[model.Finding]:
        if not same:
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {path} is not the one that was rehearsed '
                f'({report.path}): whether it can be restored is not known',
                'other-rehearsal',
                path=path,
                rehearsal=report.path,
            )
        elif not report.proven:
            yield self._found(
                ctx,
                model.Severity.FAILURE,
                f'the backup {path} has failed its rehearsal: see '
                f'rehearse-backup in {report.path}',
                'rehearsal',
                path=path,
                rehearsal=report.path,
            )

    def _found(
        self,
        ctx: context.Context,
        severity: model.Severity,
        message: str,
        aspect: str,
        **data: model.Scalar,
    ) -> model.Finding:
        return model.Finding(
            severity,
            model.Subject('backup', 'newest'),
            message,
            [
                model.advice(
                    'Create a new one while the services are stopped:'
                ),
                model.command(_MAKE[ctx.database.dialect]),
            ],
            data=data,
            aspect=aspect,
        )

    def _whole(
        self, ctx: context.Context, found: contents.Backup
    ) -> Iterator[model.Finding]:
        if found.whole is contents.Whole.NO:
            yield self._found(
                ctx,
                model.Severity.FAILURE,
                f'the backup {found.path} is not complete: {found.why}',
                'incomplete',
                path=found.path,
            )
        elif found.whole is contents.Whole.UNKNOWN:
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {found.path} was not checked for completeness '
                f'or for its revision: {found.why}',
                'unread',
                path=found.path,
            )

    def _age(
        self, ctx: context.Context, found: contents.Backup
    ) -> Iterator[model.Finding]:
        if found.made is None:
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {found.path} has no readable date: its age is '
                'not known',
                'age',
                path=found.path,
            )
            return
        if timestamps.is_ahead(found.made, ctx.now):
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {found.path} was made at '
                f'{found.made:%Y-%m-%d %H:%M} UTC, but the time here is '
                f'{ctx.now:%Y-%m-%d %H:%M} UTC: a clock or a time zone is '
                'wrong, and its age is not known',
                'age',
                path=found.path,
                made=found.made.isoformat(),
            )
            return
        age = ctx.now - found.made
        hours = age / datetime.timedelta(hours=1)
        limit = ctx.options_of(self.id).max_age_hours
        if hours > limit:
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {found.path} was made at '
                f'{found.made:%Y-%m-%d %H:%M} UTC, {hours:.0f} hours ago: it '
                'does not have what was written since',
                'age',
                path=found.path,
                hours=round(hours, 1),
                made=found.made.isoformat(),
            )

    def _revision(
        self,
        ctx: context.Context,
        db: connection.Database,
        found: contents.Backup,
    ) -> Iterator[model.Finding]:
        if found.whole is not contents.Whole.YES or found.revisions == (
            db.revisions
        ):
            return
        inside = ', '.join(found.revisions)
        yield self._found(
            ctx,
            model.Severity.FAILURE,
            f'the backup {found.path} is at revision {inside or "unknown"}, '
            f'but the database is at {", ".join(db.revisions) or "none"}: it '
            'was made at another time or from another database',
            'revision',
            path=found.path,
            revision=inside or None,
            database=', '.join(db.revisions) or None,
        )

    def _tables(
        self,
        ctx: context.Context,
        db: connection.Database,
        found: contents.Backup,
    ) -> Iterator[model.Finding]:
        if found.whole is not contents.Whole.YES:
            return
        # No release drops a table. A table that only a later release creates
        # may come from a migration that failed after the backup was made.
        at = ctx.catalog.releases_with(db.revision or '')
        known = set(ctx.catalog.tables((at or ctx.catalog.releases[-1:])[0]))
        missing = sorted(known & set(db.shape) - found.tables)
        if missing:
            yield self._found(
                ctx,
                model.Severity.FAILURE,
                f'the backup {found.path} does not have the table '
                f'{schema_diff.listed(missing, ctx.options.max_listed)} of '
                'the database',
                'tables',
                path=found.path,
                missing=len(missing),
            )

    def _size(
        self, ctx: context.Context, found: contents.Backup
    ) -> Iterator[model.Finding]:
        if found.whole is not contents.Whole.YES:
            return
        tables = sum(
            table.data_bytes or 0
            for table in ctx.schema.tables.values()
            if (table.data_bytes or 0) >= _TABLE_BYTES
        )
        percent = ctx.options_of(self.id).min_size_percent
        if found.size_bytes * 100 < tables * percent:
            yield self._found(
                ctx,
                model.Severity.WARNING,
                f'the backup {found.path} has {found.size_bytes} bytes '
                f'uncompressed, but the tables take {tables}: it may lack '
                'some of them',
                'size',
                path=found.path,
                size_bytes=found.size_bytes,
                table_bytes=tables,
            )
