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

"""The tables and the schema that the account may not change on PostgreSQL."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import pg_owners
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import schema_diff

_ACCOUNT = 'the account of [database] connection'

# psql's \gexec runs the statements that this one returns: no single statement
# changes the owner of several tables.
_TAKE_OVER = (
    "SELECT format('ALTER TABLE %I OWNER TO %I', tablename, {account}) "
    'FROM pg_tables WHERE schemaname = {schema} AND tableowner <> '
    '{account}'
)


class Owners(part.Part):
    """The tables of other accounts, and the schema for new tables."""

    def findings(self) -> Iterator[model.Finding]:
        """Yield what fails now or at a later upgrade."""
        found = pg_owners.read(self._ctx.database, self._known)
        if found is None:
            return
        if found.others:
            yield self._tables(found)
        yield from self._revoked(found)
        made = self._made()
        quoted = self._ctx.database.quoted
        if not found.creates and made:
            revision, table = made
            yield wording.fails(
                revision,
                f'{found.account}, {_ACCOUNT}, may not create tables in the '
                f'schema {found.schema}, but has to create {table}',
                [
                    model.sql(
                        'postgresql',
                        f'GRANT CREATE ON SCHEMA {quoted(found.schema)} TO '
                        f'{quoted(found.account)};',
                    )
                ],
                aspect='',
                subject=model.Subject('database', 'schema'),
            )
        if found.tablespace and made:
            revision, table = made
            yield wording.fails(
                revision,
                f'{found.account}, {_ACCOUNT}, may not create tables in the '
                f'tablespace {found.tablespace}, which is its '
                f'default_tablespace, but has to create {table}',
                [
                    model.sql(
                        'postgresql',
                        'GRANT CREATE ON TABLESPACE '
                        f'{quoted(found.tablespace)} TO '
                        f'{quoted(found.account)};',
                    )
                ],
                aspect='',
                subject=model.Subject('database', 'tablespace'),
            )

    def _tables(self, found: pg_owners.OwnedTables) -> model.Finding:
        whose = ', '.join(sorted(set(found.others.values())))
        limit = self._ctx.options.max_listed
        message = (
            f'{wording.count(len(found.others), "table")} not owned by '
            f'{found.account}, {_ACCOUNT}, but by {whose}: '
            f'{schema_diff.listed(sorted(found.others), limit)}; '
        )
        fails = self._refused(found)
        if fails:
            message += (
                f'"manila-manage db sync" fails at revision {fails[0]}, which '
                f'changes {fails[1]} or refers to it'
            )
        else:
            message += 'a later migration that changes one fails'
        take_over = _TAKE_OVER.format(
            account=connection.text_literal(found.account),
            schema=connection.text_literal(found.schema),
        )
        return model.Finding(
            model.Severity.FAILURE if fails else model.Severity.WARNING,
            model.Subject('database', 'owner'),
            message,
            [
                model.command(
                    "printf '%s \\\\gexec\\n' {} | psql DATABASE", take_over
                )
            ],
            data={'tables': len(found.others)},
        )

    def _revoked(
        self, found: pg_owners.OwnedTables
    ) -> Iterator[model.Finding]:
        """Yield what the account may not do with its own tables."""
        own = {
            'UPDATE': found.unwritten & {connection.VERSION_TABLE},
            'REFERENCES': found.closed,
        }
        for privilege, tables in own.items():
            refused = next(
                (
                    (revision, table)
                    for revision, some in self._pending.items()
                    for table in sorted(tables - set(found.others))
                    if privilege == 'UPDATE'
                    or any(step.parent == table for step in some)
                ),
                None,
            )
            if refused:
                revision, table = refused
                yield wording.fails(
                    revision,
                    f'{found.account}, {_ACCOUNT}, owns {table}, but the '
                    f'privilege {privilege} was revoked from it',
                    [
                        model.sql(
                            'postgresql',
                            f'GRANT {privilege} ON '
                            f'{self._ctx.database.quoted(table)} TO '
                            f'{self._ctx.database.quoted(found.account)};',
                        )
                    ],
                    aspect='',
                    subject=model.Subject('table', table),
                )

    def _refused(
        self, found: pg_owners.OwnedTables
    ) -> Optional[tuple[str, str]]:
        """Return the first revision that fails, and the table."""
        version = connection.VERSION_TABLE
        closed = found.closed & set(found.others)
        unwritten = found.unwritten & set(found.others)
        for revision, some in self._pending.items():
            for step in some:
                if step.table in found.others and step.operation not in (
                    steps.Operation.CREATE_TABLE,
                    steps.Operation.WRITE_ROWS,
                ):
                    return revision, step.table
                if step.parent in closed:
                    return revision, step.parent
            if version in unwritten:
                return revision, version
        return None
