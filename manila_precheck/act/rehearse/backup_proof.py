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
"""Prove the backup: it can be restored, is of the database, and is whole."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import rehearsal
from manila_precheck.act.rehearse import sql

if TYPE_CHECKING:
    from manila_precheck.evidence.database import schema
    from manila_precheck.evidence.database.dumps import restore

#: The id of the result of this phase.
ID = 'rehearse-backup'

_AGAIN = model.advice('Make a new backup, and rehearse with that one.')
_OTHER_SERVER = model.advice(
    'If the server of the database is of another kind or version, name an '
    'empty database on one like it with --server-url.'
)


def refused(error: 'restore.NotRestored') -> failures.Failure:
    """Return the failure of a backup that cannot be restored."""
    return failures.Failure(
        model.Subject('backup', 'restore'),
        f'the backup {error.file.path} cannot be restored: {error.why}',
        error.words,
        remediation=[_AGAIN, *([_OTHER_SERVER] if error.server else [])],
    )


class Proof:
    """Compares the restored copy with the backup and with the database.

    :param in_backup: how many rows of each table the backup holds.
    """

    def __init__(self, in_backup: Mapping[str, int]) -> None:
        self._in_backup = in_backup
        #: How many rows each table of the copy has; empty until counted.
        self.rows: Mapping[str, int] = {}

    @property
    def phase(self) -> rehearsal.RehearsalPhase:
        """Return the phase for :func:`.rehearsal.run`."""
        return rehearsal.RehearsalPhase(ID, 'Restore of the backup', self.run)

    def run(self, stand: rehearsal.Stand) -> Iterator[failures.Failure]:
        """Yield what is wrong with the backup.

        :raises SourceUnusable: when the copy does not answer.
        """
        ctx = stand.ctx
        self.rows = sql.counted(ctx.database, ctx.schema)
        yield from self._rows()
        yield from self._live(stand)
        for key in sorted(ctx.schema.foreign_keys):
            stand.show(f'foreign key {key.name} of {key.table} ...')
            if key.parent not in ctx.schema.tables:
                yield self._broken(
                    key, f'there is no table {key.parent}', parent=key.parent
                )
                continue
            number = sql.orphans(ctx.database, key)
            if number:
                rows = '1 row' if number == 1 else f'{number} rows'
                yield self._broken(
                    key,
                    f'{rows} of {key.table} refer to rows that {key.parent} '
                    'does not have',
                    rows=number,
                )

    def _rows(self) -> Iterator[failures.Failure]:
        """Yield the tables of the copy that differ from the backup."""
        for table, expected in sorted(self._in_backup.items()):
            found = self.rows.get(table, 0)
            if found != expected:
                yield failures.Failure(
                    model.Subject('table', table),
                    f'table {table} has {expected} rows in the backup and '
                    f'{found} once it is restored',
                    checks=('database-backup',),
                    names=('newest',),
                    remediation=[_AGAIN],
                    data={'backup': expected, 'restored': found},
                    aspect='rows',
                )

    def _live(self, stand: rehearsal.Stand) -> Iterator[failures.Failure]:
        live, copy = stand.live, stand.ctx.database
        if live is None:
            return
        if live.revisions != copy.revisions:
            yield failures.Failure(
                model.Subject('backup', 'revision'),
                f'the backup is at revision {_listed(copy.revisions)}, and '
                f'{live.words} at {_listed(live.revisions)}: it was made at '
                'another time or of another database',
                checks=('database-backup',),
                names=('newest',),
                remediation=[_AGAIN],
                data={
                    'backup': _listed(copy.revisions),
                    'database': _listed(live.revisions),
                },
            )
            return
        missing = sorted(set(live.shape) - set(copy.shape))
        # Only manila's own tables: a view, say, may be missing because it
        # needs something that only the whole server has.
        for table in missing:
            if table in stand.ctx.catalog.tables(stand.ctx.upgrade.source):
                yield failures.Failure(
                    model.Subject('table', table),
                    f'{live.words} has table {table}, and the backup has not',
                    checks=('database-backup',),
                    names=('newest',),
                    remediation=[_AGAIN],
                    aspect='missing',
                )

    @staticmethod
    def _broken(
        key: 'schema.LiveForeignKey', why: str, **data: model.Scalar
    ) -> failures.Failure:
        return failures.Failure(
            model.Subject('table', key.table),
            f'foreign key {key.name} does not hold: {why}',
            severity=model.Severity.WARNING,
            remediation=[
                model.advice(
                    'Find out whether it does in the database: MySQL does '
                    'not look at foreign keys while it restores a dump.'
                )
            ],
            data=data,
            aspect=key.name,
        )


def _listed(revisions: 'tuple[str, ...]') -> str:
    return ', '.join(revisions) or 'none'
