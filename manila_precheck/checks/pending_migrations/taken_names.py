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
"""Objects that are not manila's and make a migration fail."""

from collections.abc import Collection
from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import constraint_names
from manila_precheck.checks.pending_migrations.sql import pg_objects


class TakenNames(part.Part):
    """Names that are taken, and columns on which something depends."""

    def findings(self, begun: Collection[str]) -> Iterator[model.Finding]:
        """Yield the migrations that fail because of such an object.

        :param begun: the revisions that are already applied in part; the names
            that they use are their own.
        """
        dialect = self._ctx.database.dialect
        if dialect == 'mysql':
            yield from self._taken_keys(begun)
            yield from self._taken_constraints(begun)
            yield from self._needed_columns()
        elif dialect == 'postgresql':
            yield from self._taken_constraints(begun)
            yield from self._taken_names(begun)
            yield from self._dependents()

    def _taken_keys(self, begun: Collection[str]) -> Iterator[model.Finding]:
        tables = self._ctx.catalog.tables(self._ctx.upgrade.target)
        quoted = self._ctx.database.quoted
        for one in hazards.taken_keys(self._pending, self._ctx.schema, tables):
            if one.revision in begun:
                continue
            other = one.by.removeprefix('a foreign key of ')
            yield wording.fails(
                one.revision,
                f'{one.table} gets a foreign key {one.name}, but {one.by} '
                'has that name already (error 1005, errno 121)',
                [
                    model.sql(
                        'mysql',
                        f'ALTER TABLE {quoted(other)} DROP FOREIGN KEY '
                        f'{quoted(one.name)};',
                    )
                ],
                one.name,
            )

    def _taken_constraints(
        self, begun: Collection[str]
    ) -> Iterator[model.Finding]:
        db = self._ctx.database
        for one in hazards.taken_constraints(
            self._pending,
            self._ctx.schema,
            self._ctx.catalog.tables(self._ctx.upgrade.target),
            constraint_names.read(db),
        ):
            if one.revision in begun:
                continue
            kind = 'INDEX' if one.by == hazards.INDEX else 'CONSTRAINT'
            number = ''
            if db.dialect == 'mysql':
                error = 1061 if kind == 'INDEX' else 1826
                number = f' (error {error})'
            yield wording.fails(
                one.revision,
                f'{one.table} gets a foreign key {one.name}, but {one.by} '
                f'of the table has that name already{number}',
                [
                    model.advice(
                        'Drop it, and create it again under another name:'
                    ),
                    model.sql(
                        db.dialect,
                        f'ALTER TABLE {db.quoted(one.table)} DROP {kind} '
                        f'{db.quoted(one.name)};',
                    ),
                ],
                one.name,
            )

    def _needed_columns(self) -> Iterator[model.Finding]:
        quoted = self._ctx.database.quoted
        for one in hazards.needed_columns(self._pending, self._ctx.schema):
            yield wording.fails(
                one.revision,
                f'it drops column {one.table}.{one.column}, which the '
                f'foreign key {one.key.name} of {one.key.table} needs (error '
                '1553)',
                [
                    model.sql(
                        'mysql',
                        f'ALTER TABLE {quoted(one.key.table)} DROP FOREIGN '
                        f'KEY {quoted(one.key.name)};',
                    )
                ],
                one.key.name,
            )

    def _taken_names(self, begun: Collection[str]) -> Iterator[model.Finding]:
        if not any(
            step.operation is steps.Operation.CREATE_TABLE
            for some in self._pending.values()
            for step in some
        ):
            return
        for one in hazards.taken_names(
            self._pending,
            pg_objects.names(self._ctx.database),
            self._ctx.catalog.tables(self._ctx.upgrade.target),
        ):
            if one.revision in begun:
                continue
            yield wording.fails(
                one.revision,
                f'it creates table {one.table}, but {one.by} exists, and '
                'PostgreSQL uses one namespace for both',
                [model.advice('Rename or drop it.')],
                one.name,
            )

    def _dependents(self) -> Iterator[model.Finding]:
        for revision, some in self._pending.items():
            for step in some:
                if (
                    step.operation is not steps.Operation.DROP_COLUMN
                    or not step.column
                ):
                    continue
                for what in pg_objects.dependents(
                    self._ctx.database, step.table, step.column
                ):
                    yield wording.fails(
                        revision,
                        f'it drops column {step.table}.{step.column}, on '
                        f'which {what} depends',
                        [
                            model.advice(
                                'Drop it, and create it again without the '
                                'column after the upgrade.'
                            )
                        ],
                        f'{step.table}.{step.column} {what}',
                    )
