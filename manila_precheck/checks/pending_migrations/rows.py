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
"""The rows on which a migration fails, or from which it loses data."""

from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import rewrites
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import migrated_rows
from manila_precheck.engine import context
from manila_precheck.evidence.database import scan


class RowHazards(part.Part):
    """The rows that the pending migrations read."""

    def __init__(
        self,
        ctx: context.Context,
        pending: hazards.Steps,
    ) -> None:
        super().__init__(ctx, pending)
        #: The number of rows of each table that was read completely.
        self.counted: dict[str, int] = {}

    def findings(self) -> Iterator[model.Finding]:
        """Yield what fails because of rows, and rows that lose data."""
        yield from self._servers()
        yield from self._allocations()
        yield from self._backups()
        if self._ctx.database.dialect == 'mysql':
            yield from self._dates()

    def _servers(self) -> Iterator[model.Finding]:
        if migrated_rows.ALLOCATIONS not in self._pending:
            return
        rows = migrated_rows.servers_without_subnet(
            self._ctx.database, self._ctx.options.max_listed
        )
        if rows.total:
            yield self._fails(
                migrated_rows.ALLOCATIONS,
                'share_servers',
                f'{wording.count(rows.total, "row", "")} of share_servers '
                'that name a share network subnet that does not exist: '
                f'{_named(rows)}',
                [
                    model.advice(
                        'Set share_network_subnet_id to a subnet of its '
                        'share network, or to NULL if the share server is '
                        'deleted.'
                    )
                ],
                rows.total,
                'no-subnet',
            )

    def _allocations(self) -> Iterator[model.Finding]:
        rows = migrated_rows.orphans(
            self._ctx.database, self._ctx.options.max_listed
        )
        if not rows.total:
            return
        message = (
            f'{wording.count(rows.total, "row", "")} of network_allocations '
            f'that name a share server that does not exist: {_named(rows)}'
        )
        todo = [
            model.advice(
                'Delete the row: the share server of the address no longer '
                'exists.'
            )
        ]
        if migrated_rows.ALLOCATIONS in self._pending:
            yield self._fails(
                migrated_rows.ALLOCATIONS,
                'network_allocations',
                message,
                todo,
                rows.total,
                'orphans',
            )
            return
        yield model.Finding(
            model.Severity.INFO,
            model.Subject('table', 'network_allocations'),
            f'{message}; no pending migration reads it',
            todo,
            data={'rows': rows.total},
            aspect='orphans',
        )

    def _fails(
        self,
        revision: str,
        table: str,
        why: str,
        todo: Sequence[model.Remediation],
        rows: int,
        aspect: str,
    ) -> model.Finding:
        return wording.fails(
            revision,
            why,
            todo,
            aspect,
            {'rows': rows},
            model.Subject('table', table),
        )

    def _dates(self) -> Iterator[model.Finding]:
        """Yield the zero dates that MySQL rejects when it rebuilds a table.

        Tables that are too large to be counted are not read.
        """
        db, schema = self._ctx.database, self._ctx.schema
        reads = {
            table: (revision, '1 = 1')
            for table, revision in hazards.copied(
                self._pending, schema
            ).items()
        }
        # It copies the times of the share servers that have a subnet.
        if migrated_rows.ALLOCATIONS in self._pending and db.has_column(
            'share_servers', 'share_network_subnet_id'
        ):
            reads.setdefault(
                'share_servers',
                (migrated_rows.ALLOCATIONS, "share_network_subnet_id <> ''"),
            )
        for table, (revision, only) in sorted(reads.items()):
            size = scan.Size(
                schema.tables[table].rows, schema.tables[table].data_bytes
            )
            if scan.expected(size) > rewrites.COUNTED_ROWS:
                continue
            self.counted[table], columns = migrated_rows.zero_dates(
                db, table, size, only
            )
            for column, number in columns:
                yield self._fails(
                    revision,
                    table,
                    f'{wording.count(number, "row", "")} of {table} with a '
                    f'zero date in {column}, which MySQL rejects when it '
                    'rebuilds the table (error 1292)',
                    [
                        model.sql(
                            'mysql',
                            migrated_rows.without_zero_dates(
                                db, table, column
                            ),
                        )
                    ],
                    number,
                    f'zero-{column}',
                )

    def _backups(self) -> Iterator[model.Finding]:
        db, limit = self._ctx.database, self._ctx.options.max_listed
        if migrated_rows.ZONES not in self._pending or not db.has_column(
            'share_backups', 'availability_zone'
        ):
            return
        for rows, what, aspect in (
            (
                migrated_rows.backups_without_zone(db, limit),
                'no row of availability_zones has that name, and the zone '
                'becomes NULL',
                'no-zone',
            ),
            (
                migrated_rows.backups_of_deleted_zone(db, limit),
                'the first row of that name is soft-deleted, and its id is '
                'used',
                'deleted-zone',
            ),
        ):
            if rows.total:
                yield model.Finding(
                    model.Severity.WARNING,
                    model.Subject('table', 'share_backups'),
                    f'{wording.count(rows.total, "backup")} will lose the '
                    f'availability zone at revision {migrated_rows.ZONES}, '
                    f'because {what}: {_named(rows)}',
                    [
                        model.advice(
                            'Set availability_zone to the name of an active '
                            'zone, or note it and set availability_zone_id '
                            'afterwards.'
                        )
                    ],
                    data={'rows': rows.total},
                    aspect=aspect,
                )


def _named(rows: migrated_rows.RowSample) -> str:
    words = ', '.join(f'{one} ({of})' for one, of in rows.first)
    more = rows.total - len(rows.first)
    return f'{words} and {more} more' if more > 0 else words
