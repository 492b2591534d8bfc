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
"""The check ``schema-revision``."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.schema_revision import statements
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import schema_diff

_SYNC = model.command('manila-manage db sync')

_INDEX = model.advice(
    'Create it as in a new database of this release; without it manila is '
    'slow or accepts duplicates.'
)

_KEY = model.advice(
    'Find out who dropped it, or which storage engine ignored it, and create '
    'it again: a later migration may need it or drop it by name.'
)

_RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed: MySQL does not roll back half of a migration.'
)

# On PostgreSQL all migrations run in one transaction (manila 16.0.0 to 23.0.1,
# db/migrations/alembic/env.py).
_RESTORE_POSTGRESQL = model.advice(
    'Find out who changed it: on PostgreSQL a failed "manila-manage db sync" '
    'leaves nothing behind. Otherwise restore the backup that was made '
    'before it.'
)


class SchemaRevision(check.Check):
    """The database is not at the revision that the upgrade starts or ends at.

    ``alembic_version`` holds one row: the last migration that was applied. The
    check compares it with the migrations of the target release, and the
    tables, columns, indexes and foreign keys with those of that revision.
    MySQL cannot roll back a migration that failed half way: its tables stay,
    the revision does not change, and the next ``manila-manage db sync`` fails
    on what already exists. PostgreSQL rolls it back as a whole; if parts of it
    exist there, the revision was set back, and the remedy is to stamp it
    again. A revision that is applied in part but not recorded is therefore a
    separate finding (``#half-applied``), which lists what exists and what does
    not.

    An empty database is a first install: there is nothing to check before
    ``manila-manage db sync``. On MySQL a table that the account may not read
    looks missing. The check compares neither types nor the names of indexes
    and keys, and does not report an additional index or column, except a
    column that is NOT NULL and has no default: each INSERT of manila into its
    table fails (on MySQL in the strict modes of ``mysql_sql_mode``). So does a
    statement that fires a trigger which uses a table that does not exist
    (pt-online-schema-change leaves such triggers behind if it is interrupted),
    and on PostgreSQL an INSERT that takes a value from a sequence that is
    behind its column (pgloader and restores of data alone leave it at 1). The
    services of the source release fail on these as well.

    MySQL shows triggers only to an account with the privilege TRIGGER. A
    trigger that builds its statement at run time, or handles the error, is not
    judged.

    At plan and stopped: INFO for the pending migrations, by name, for tables
    that manila does not have, and for parameters of the connection URL that
    the check ignores because they could write (``init_command``); WARNING if a
    ``db sync`` ended between two releases, if the revision is from before
    12.0.0, for missing indexes and foreign keys, and for columns, triggers and
    sequences that make statements of manila fail; FAILURE if the revision is
    unknown, missing or newer than the target, if ``alembic_version`` has
    several rows, if tables or columns are missing, and if parts of a pending
    migration exist already. At upgraded also FAILURE if the database is empty
    or not at the head revision of the target.
    """

    id = 'schema-revision'
    title = 'Schema revision'
    stages = model.ALL_STAGES
    # db sync would fail even if a finding were waived.
    waivable = False
    # Not in requires: the check also handles an empty database.
    uses = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield what is wrong with the revision, and what is pending."""
        upgraded = ctx.stage is model.Stage.UPGRADED
        db = ctx.database_as_found
        if not (upgraded or db.foreign):
            db = ctx.database
        if db.left_out and db.state is not connection.DatabaseState.EMPTY:
            yield self._left_out(db.left_out)
        if db.state is connection.DatabaseState.EMPTY:
            yield self._failure('the database is empty', [_SYNC])
        elif db.foreign:
            yield self._failure(
                db.foreign,
                [model.advice('Correct [database] connection.')],
            )
        elif db.state is connection.DatabaseState.UNVERSIONED:
            yield self._unversioned(db)
        elif db.revision is None:
            yield self._failure(
                f'alembic_version holds {len(db.revisions)} revisions '
                f'({", ".join(db.revisions)}) and must hold one',
                [
                    model.advice(
                        'Find out which one was applied, and delete the '
                        'others from alembic_version.'
                    )
                ],
            )
        else:
            yield from self._versioned(ctx, db, db.revision)

    def _left_out(self, names: Iterable[str]) -> model.Finding:
        listed = ', '.join(names)
        return model.Finding(
            model.Severity.INFO,
            model.Subject('option', 'database/connection'),
            f'the URL of the database has {listed}, which manila uses and '
            'manila-precheck ignores: its read-only session uses only the '
            'address of the server and the credentials from the URL',
            data={'parameters': listed},
            aspect='parameters',
        )

    def _failure(
        self,
        message: str,
        todo: Sequence[model.Remediation],
        aspect: str = '',
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('table', connection.VERSION_TABLE),
            message,
            todo,
            data=data or {},
            aspect=aspect,
        )

    def _unversioned(self, db: connection.Database) -> model.Finding:
        return self._failure(
            f'{db.words} has tables of manila but no revision in '
            'alembic_version: "manila-manage db sync" would create them '
            'again and fail',
            [_restore(db)],
        )

    def _versioned(
        self, ctx: context.Context, db: connection.Database, revision: str
    ) -> Iterator[model.Finding]:
        target = ctx.upgrade.target
        chain = ctx.catalog.chain(target)
        within = ctx.catalog.releases_with(revision)
        if not within:
            yield self._unknown(ctx, db, revision)
            return
        if revision not in chain:
            yield self._failure(
                f'the database is at revision {revision} of {within[0]}, '
                f'which is newer than {target}: manila has no downgrade',
                [
                    model.advice(
                        'Pass the intended --target-release. To return to '
                        f'{target}, restore a backup of it.'
                    )
                ],
                data={'revision': revision, 'release': within[0].name},
            )
            return
        at = ctx.catalog.releases_at(revision)
        pending = chain[chain.index(revision) + 1 :]
        half = schema_diff.half_applied(
            ctx.catalog, pending, db.shape, ctx.schema, db.dialect
        )
        whole = schema_diff.whole_until(pending, half)
        for one in half:
            yield self._half_applied(ctx, revision, one, whole)
        yield from self._drift(ctx, db, revision, half)
        yield from _statements(ctx, revision)
        if not pending:
            return
        if ctx.stage is model.Stage.UPGRADED:
            yield self._failure(
                f'the database is at revision {revision}, {target} needs '
                f'{chain[-1]}: {_migrations(pending)} left to run',
                [_SYNC],
                data={'revision': revision, 'pending': ' '.join(pending)},
            )
            return
        if chain.index(revision) < chain.index(steps.FIRST):
            yield self._before(ctx, revision)
        elif not at and not half:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('table', connection.VERSION_TABLE),
                f'the database is at revision {revision}, in the middle of '
                f'the migrations of {within[0]}: a "manila-manage db sync" '
                'did not finish',
                [_SYNC],
                aspect='between',
            )
        yield model.Finding(
            model.Severity.INFO,
            model.Subject('table', connection.VERSION_TABLE),
            f'{_migrations(pending)} pending from {revision} to {target}: '
            f'{", ".join(pending)}',
            data={'revision': revision, 'pending': ' '.join(pending)},
            aspect='pending',
        )

    def _unknown(
        self, ctx: context.Context, db: connection.Database, revision: str
    ) -> model.Finding:
        known = ctx.catalog.releases
        message = (
            f'the database is at revision {revision!r}, which belongs to no '
            f'release of manila from {known[0]} to {known[-1]}'
        )
        data: dict[str, model.Scalar] = {'revision': revision}
        like = schema_diff.alike(ctx.catalog, db.shape)
        if like:
            message += f'; its tables and columns are those of {like[-1]}'
            data['tables_of'] = like[-1].name
        return self._failure(
            message,
            [
                model.advice(
                    "Check that it is manila's database and belongs to a "
                    'release that manila-precheck knows.'
                )
            ],
            data=data,
        )

    def _before(self, ctx: context.Context, revision: str) -> model.Finding:
        oldest = ctx.catalog.releases[0]
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('table', connection.VERSION_TABLE),
            f'the database is at revision {revision}, from before {oldest}, '
            'the oldest release that manila-precheck knows',
            [model.advice(f'Upgrade to {oldest} first, then run this again.')],
            data={'revision': revision},
            aspect='before',
        )

    def _half_applied(
        self,
        ctx: context.Context,
        revision: str,
        half: schema_diff.Half,
        whole: Sequence[str],
    ) -> model.Finding:
        limit = ctx.options.max_listed
        on_postgresql = ctx.database.dialect == 'postgresql'
        todo = [_restore(ctx.database)]
        words = f'has {schema_diff.listed(half.present, limit)}'
        if half.missing:
            words += f' and lacks {schema_diff.listed(half.missing, limit)}'
            what = 'it failed half way'
            if on_postgresql:
                what = 'PostgreSQL leaves nothing of a migration that fails'
        else:
            what = 'it was not recorded, or failed in its last step'
            if on_postgresql:
                what = 'it was applied, and the revision was set back'
        if on_postgresql and half.revision in whole:
            todo = [
                model.advice(
                    'Check that its tables and columns are as '
                    f'{ctx.upgrade.target} creates them; then record the '
                    'migrations that were applied with its manila-manage:'
                ),
                model.command('manila-manage db stamp {}', whole[-1]),
            ]
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('revision', half.revision),
            f'the database is at revision {revision}, but {words} of '
            f'{half.revision}: {what}, and "manila-manage db sync" fails on '
            'what already exists',
            todo,
            data={
                'revision': revision,
                'present': len(half.present),
                'missing': len(half.missing),
            },
            aspect='half-applied',
        )

    def _drift(
        self,
        ctx: context.Context,
        db: connection.Database,
        revision: str,
        half: Sequence[schema_diff.Half],
    ) -> Iterator[model.Finding]:
        """Yield what the tables lack, and tables that no release has."""
        found = schema_diff.compare(
            ctx.catalog, revision, half, db.shape, ctx.schema, db.dialect
        )
        limit = ctx.options.max_listed
        at = f'the database is at revision {revision} and'
        if found.columns:
            yield self._failure(
                f'{at} lacks {schema_diff.listed(found.columns, limit)}, or '
                'the account may not read them',
                [_restore(db)],
                aspect='missing',
                data={'missing': len(found.columns)},
            )
        for names, what, aspect, todo in (
            (found.indexes, 'index', 'indexes', _INDEX),
            (found.foreign_keys, 'foreign key', 'foreign-keys', _KEY),
        ):
            if names:
                yield model.Finding(
                    model.Severity.WARNING,
                    model.Subject('table', connection.VERSION_TABLE),
                    f'{at} lacks the {what} '
                    f'{schema_diff.listed(names, limit)}',
                    [todo],
                    data={'missing': len(names)},
                    aspect=aspect,
                )
        if found.tables:
            yield model.Finding(
                model.Severity.INFO,
                model.Subject('table', connection.VERSION_TABLE),
                f'{at} has '
                + ('a table' if len(found.tables) == 1 else 'tables')
                + ' that manila does not have: '
                f'{schema_diff.listed(found.tables, limit)}',
                data={'tables': len(found.tables)},
                aspect='extra-tables',
            )


def _statements(
    ctx: context.Context, revision: str
) -> Iterator[model.Finding]:
    """Yield what makes the statements of the services fail."""
    columns = ctx.catalog.columns_at(revision)
    if columns is not None:
        yield from statements.Statements(
            ctx,
            {table for table, _ in columns},
            columns | ctx.catalog.columns(ctx.upgrade.target),
        ).findings()


def _restore(db: connection.Database) -> model.Remediation:
    return _RESTORE_POSTGRESQL if db.dialect == 'postgresql' else _RESTORE


def _migrations(pending: Sequence[str]) -> str:
    return (
        '1 migration is'
        if len(pending) == 1
        else (f'{len(pending)} migrations are')
    )
