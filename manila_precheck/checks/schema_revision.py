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
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.sources import database

_SYNC = model.command('manila-manage db sync')

_RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed: MySQL does not take back half of a migration.'
)


class SchemaRevision(check.Check):
    """The database is not at the revision that the upgrade starts or ends at.

    ``alembic_version`` holds one row: the last migration that was applied.
    It is compared with the migrations of the target release, and the tables
    and columns with those that its release has. MySQL cannot take back a
    migration that failed half way: its tables stay, the revision does not
    move, and the next ``manila-manage db sync`` fails on what is there
    already.

    An empty database is a first install: nothing to judge before
    ``manila-manage db sync``. On MySQL a table that the account may not read
    looks missing.

    At plan and stopped: INFO for the migrations that are pending, by name;
    WARNING when a ``db sync`` ended between two releases; FAILURE when the
    revision is unknown, missing, newer than the target or there more than
    once, when tables or columns are missing, and when some of a pending
    migration are there already. At upgraded also FAILURE when the database
    is empty or not at the target's head.
    """

    id = 'schema-revision'
    title = 'Schema revision'
    stages = model.ALL_STAGES
    # Not required: an empty database is judged here.
    uses = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield what is wrong with the revision, and what is pending."""
        db = ctx.database_as_found
        if db.state is database.State.EMPTY:
            yield self._empty(ctx)
        elif db.state is database.State.UNVERSIONED:
            yield self._unversioned(ctx, db)
        elif db.revision is None:
            yield self._failure(
                f'alembic_version holds {len(db.revisions)} revisions '
                f'({", ".join(db.revisions)}) and must hold one',
                [
                    model.advice(
                        'Find out which one is applied and delete the '
                        'others from alembic_version.'
                    )
                ],
            )
        else:
            yield from self._versioned(ctx, db, db.revision)

    def _failure(
        self,
        message: str,
        todo: Iterable[model.Remediation],
        aspect: str = '',
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self.finding(
            model.Severity.FAILURE,
            model.Subject('table', database.VERSION_TABLE),
            message,
            todo,
            data=data,
            aspect=aspect,
        )

    def _empty(self, ctx: context.Context) -> model.Finding:
        if ctx.stage is not model.Stage.UPGRADED:
            raise exceptions.SourceNotApplicable(
                'the database is empty: this is a first install'
            )
        return self._failure('the database is empty', [_SYNC])

    def _unversioned(
        self, ctx: context.Context, db: database.Database
    ) -> model.Finding:
        columns = ctx.catalog.columns(ctx.upgrade.source)
        known = {table for table, _column in columns} & set(db.shape)
        if known - {database.VERSION_TABLE}:
            return self._failure(
                f'{db.words} has tables of manila but no revision in '
                'alembic_version: "manila-manage db sync" would create them '
                'again and fail',
                [_RESTORE],
            )
        return self._failure(
            f'{db.words} has {len(db.shape)} tables and none of manila: it '
            "is not manila's database",
            [model.advice('Correct [database] connection.')],
        )

    def _versioned(
        self, ctx: context.Context, db: database.Database, revision: str
    ) -> Iterator[model.Finding]:
        target = ctx.upgrade.target
        chain = ctx.catalog.chain(target)
        within = ctx.catalog.releases_with(revision)
        if not within:
            yield self._failure(
                f'the database is at revision {revision}, which is of no '
                'release of manila from '
                f'{ctx.catalog.releases[0]} to {ctx.catalog.releases[-1]}',
                [
                    model.advice(
                        'See that it is the database of manila, and of a '
                        'release that this program knows.'
                    )
                ],
                data={'revision': revision},
            )
            return
        if revision not in chain:
            yield self._failure(
                f'the database is at revision {revision} of {within[0]}, '
                f'which is newer than {target}: there is no way back',
                [model.advice(f'Restore a backup of {target}, or go on.')],
                data={'revision': revision, 'release': within[0].name},
            )
            return
        at = ctx.catalog.releases_at(revision)
        pending = chain[chain.index(revision) + 1 :]
        half_way = False
        if at:
            yield from self._drift(ctx, db, at[-1], pending)
        else:
            half_way = self._has_all_of(ctx, db, within[0])
        if half_way:
            yield self._failure(
                f'the database is at revision {revision}, in the middle of '
                f'the migrations of {within[0]}, and has every column that '
                f'{within[0]} adds: the next migration failed half way, and '
                'would fail again on what is there already',
                [_RESTORE],
                aspect='half-applied',
                data={'revision': revision, 'next': pending[0]},
            )
        if not pending:
            return
        if ctx.stage is model.Stage.UPGRADED:
            yield self._failure(
                f'the database is at revision {revision}, {target} needs '
                f'{chain[-1]}: {len(pending)} migrations did not run',
                [_SYNC],
                data={'revision': revision, 'pending': ' '.join(pending)},
            )
            return
        if not at and not half_way:
            yield self.finding(
                model.Severity.WARNING,
                model.Subject('table', database.VERSION_TABLE),
                f'the database is at revision {revision}, in the middle of '
                f'the migrations of {within[0]}: a "manila-manage db sync" '
                'did not come to its end',
                [_SYNC],
                aspect='between',
            )
        yield self.finding(
            model.Severity.INFO,
            model.Subject('table', database.VERSION_TABLE),
            f'{len(pending)} migrations are pending from {revision} to '
            f'{target}: {", ".join(pending)}',
            data={'revision': revision, 'pending': ' '.join(pending)},
            aspect='pending',
        )

    def _has_all_of(
        self,
        ctx: context.Context,
        db: database.Database,
        release: releases.Release,
    ) -> bool:
        """Say whether the database has every column that a release adds."""
        earlier = [r for r in ctx.catalog.releases if r < release]
        added = ctx.catalog.columns(release)
        if earlier:
            added -= ctx.catalog.columns(earlier[-1])
        return bool(added) and all(db.has_column(*pair) for pair in added)

    def _drift(
        self,
        ctx: context.Context,
        db: database.Database,
        at: releases.Release,
        pending: tuple[str, ...],
    ) -> Iterator[model.Finding]:
        """Yield what the tables lack, and what they have too early."""
        expected = ctx.catalog.columns(at)
        present = {
            (table, column)
            for table, columns in db.shape.items()
            for column in columns
        }
        limit = ctx.options.max_findings
        missing = sorted(expected - present)
        if missing:
            yield self._failure(
                f'the database is at the revision of {at} and lacks '
                f'{_listed(missing, limit)}; or the account may not read '
                'them',
                [_RESTORE],
                aspect='missing',
                data={'columns': len(missing)},
            )
        early: frozenset[tuple[str, str]] = frozenset()
        if pending:
            early = (
                ctx.catalog.columns(ctx.upgrade.target) - expected
            ) & present
        if early:
            yield self._failure(
                f'the database is at the revision of {at}, but has '
                f'{_listed(sorted(early), limit)} of a later migration, '
                'which failed half way',
                [_RESTORE],
                aspect='half-applied',
                data={'columns': len(early), 'next': pending[0]},
            )


def _listed(columns: list[tuple[str, str]], limit: int) -> str:
    """Return the names of columns, the first ones when there are many."""
    words = ', '.join(f'{table}.{column}' for table, column in columns[:limit])
    more = len(columns) - limit
    return f'{words} and {more} more columns' if more > 0 else words
