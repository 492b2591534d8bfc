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
"""Triggers, rules, policies and constraints that stop a migration."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import rewrites
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import rejections
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import reactions


class Reactions(part.Part):
    """What the server does by itself when a migration runs."""

    def findings(self) -> Iterator[model.Finding]:
        """Yield what stops the first pending migration."""
        db = self._ctx.database
        # A database without its revision is reported by schema-revision.
        if not self._pending or db.revision is None:
            return
        first = next(iter(self._pending))
        version = connection.VERSION_TABLE
        for one in reactions.to_rows(db, 'UPDATE', {version}):
            yield self._finding(one, first, self._of_update(one, first))
        for one, revision in rejections.rejected_revisions(
            db, list(self._pending)
        ):
            yield self._finding(
                one,
                revision,
                f'{version} has the CHECK constraint {one.name}, which '
                f'{"rejects" if one.certain else "can reject"} the update '
                'that records the revision',
            )
        if db.dialect == 'mysql':
            yield from self._violated()
        if db.dialect == 'postgresql':
            for one in rejections.to_statements(db, self._tags()):
                yield self._finding(
                    one,
                    first,
                    f'the event trigger {one.name} can raise an exception, '
                    f'and runs with the statements of revision {first}',
                )

    def _of_update(self, one: reactions.Reaction, revision: str) -> str:
        """Return what can happen to the update of alembic_version."""
        update = f'the update that records revision {revision}'
        if one.kind == 'trigger':
            return (
                f'{one.table} has the trigger {one.name}, which can reject '
                f'{update}'
            )
        what = f'the rule {one.name}'
        if one.kind == 'policy':
            what = 'row-level security without a policy for UPDATE'
            if not one.certain:
                what = 'row-level security, whose policies can hide its row'
        changes = 'changes' if one.certain else 'then changes'
        return f'{one.table} has {what}: {update} {changes} no row'

    def _violated(self) -> Iterator[model.Finding]:
        """Yield constraints that rows violate when MariaDB copies them."""
        tables = self._ctx.schema.tables
        copied = {
            table: revision
            for table, revision in hazards.copied(
                self._pending, self._ctx.schema
            ).items()
            if (tables[table].rows or 0) <= rewrites.COUNTED_ROWS
        }
        for one in rejections.violated_checks(self._ctx.database, copied):
            yield self._finding(
                one,
                copied[one.table],
                f'it copies table {one.table}, in which a row '
                f'{"violates" if one.certain else "can violate"} the CHECK '
                f'constraint {one.name} (error 4025)',
            )

    def _tags(self) -> frozenset[str]:
        """Return the commands that the pending migrations send."""
        return frozenset(
            'CREATE TABLE'
            if step.operation is steps.Operation.CREATE_TABLE
            else 'ALTER TABLE'
            for some in self._pending.values()
            for step in some
            if step.operation is not steps.Operation.WRITE_ROWS
        )

    def _finding(
        self, one: reactions.Reaction, revision: str, why: str
    ) -> model.Finding:
        db = self._ctx.database
        todo: list[model.Remediation] = []
        if one.kind == 'check':
            todo = [
                model.advice(
                    'Drop it for the upgrade, unless it is there to prevent '
                    'one, or correct the rows:'
                ),
                model.sql(
                    db.dialect,
                    f'ALTER TABLE {db.quoted(one.table)} DROP CONSTRAINT '
                    f'{db.quoted(one.name)};',
                ),
            ]
        elif db.dialect == 'postgresql':
            todo = [
                model.advice('Disable it for the upgrade, as its owner:'),
                model.sql(
                    'postgresql',
                    one.switched_off(db),
                ),
            ]
        else:
            todo = [
                model.advice(
                    'Read it, and drop it for the upgrade if it does:'
                ),
                model.sql('mysql', one.switched_off(db)),
            ]
        aspect = f'{one.kind.replace(" ", "-")}-{one.name}'
        if one.certain:
            return wording.fails(revision, why, todo, aspect)
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('revision', revision),
            f'"manila-manage db sync" may fail at revision {revision}: {why}',
            todo,
            aspect=aspect,
        )
