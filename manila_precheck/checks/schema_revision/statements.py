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
"""Objects of the site that make the statements of manila fail.

Each was planted on MariaDB 10.11 and PostgreSQL 15 under manila 22.0.2 and
23.0.1: share_create() and service_create() of db/sqlalchemy/api.py failed with
the error that is named, and succeeded after the remedy.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.checks.schema_revision import sql
from manila_precheck.engine import context
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import triggers

# The types whose default can be written down on each server.
_DEFAULTS = {
    "''": ('bpchar', 'char', 'text', 'varchar'),
    '0': (
        *('bigint', 'decimal', 'double', 'float', 'float4', 'float8'),
        *('int', 'int2', 'int4', 'int8', 'mediumint', 'numeric', 'smallint'),
        'tinyint',
    ),
}


class Statements:
    """What the services of manila, of any release, cannot do.

    :param tables: manila's tables.
    :param columns: (table, column) of all columns that manila has, or will
        have after the upgrade.
    """

    def __init__(
        self,
        ctx: context.Context,
        tables: Collection[str],
        columns: Collection[tuple[str, str]],
    ) -> None:
        self._ctx = ctx
        self._db = ctx.database
        self._tables = tables
        self._columns = columns

    def findings(self) -> Iterator[model.Finding]:
        """Yield the columns, triggers and sequences that fail a statement."""
        db = self._db
        if db.dialect == 'sqlite':
            return
        some = [one for one in triggers.read(db) if one.table in self._tables]
        for column in sql.required_columns(db) if self._is_strict() else ():
            if (
                column.table in self._tables
                and column.table != connection.VERSION_TABLE
                and (column.table, column.name) not in self._columns
                and not any(
                    one.table == column.table
                    and 'INSERT' in one.verbs
                    and one.sets(column.name)
                    for one in some
                )
            ):
                yield self._required(column)
        yield from self._triggers(some)
        # A dump of some tables does not contain their sequences.
        if db.dialect == 'postgresql' and not db.is_dump:
            for one in sql.sequences_behind(db, db.shape):
                if one.table in self._tables:
                    yield self._behind(one)

    def _is_strict(self) -> bool:
        """Say whether the server rejects an INSERT without a value.

        oslo.db sets mysql_sql_mode in each session, by default to
        TRADITIONAL; if it is empty, the mode of the server applies.
        """
        mode = self._ctx.config.value('database', 'mysql_sql_mode') or ''
        return (
            self._db.dialect == 'postgresql'
            or not mode.strip()
            or 'TRADITIONAL' in mode.upper()
            or 'STRICT_' in mode.upper()
        )

    def _required(self, column: sql.RequiredColumn) -> model.Finding:
        db = self._db
        named = f'{column.table}.{column.name}'
        error = '' if db.dialect == 'postgresql' else ' (error 1364)'
        alter = f'ALTER TABLE {db.quoted(column.table)}'
        name = db.quoted(column.name)
        default = next(
            (
                value
                for value, types in _DEFAULTS.items()
                if column.type_name in types
                and not (db.dialect == 'mysql' and column.type_name == 'text')
            ),
            '',
        )
        if any(
            index.unique
            and index.table == column.table
            and index.columns == (column.name,)
            for index in self._ctx.schema.indexes
        ):
            default = ''
        if default:
            statement = f'{alter} ALTER COLUMN {name} SET DEFAULT {default};'
        elif db.dialect == 'postgresql':
            statement = f'{alter} ALTER COLUMN {name} DROP NOT NULL;'
        else:
            statement = f'{alter} MODIFY COLUMN {name} {column.declared} NULL;'
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('table', column.table),
            f'manila does not have the column {named}, which is NOT NULL and '
            'has no default: each INSERT of manila into '
            f'{column.table} fails{error}, before the upgrade as well as '
            'after it',
            [
                model.advice(
                    'Give it a default; its values do not change:'
                    if default
                    else 'Let it be NULL; its values do not change:'
                ),
                model.sql(db.dialect, statement),
            ],
            data={'column': column.name},
            aspect=f'required-{column.name}',
        )

    def _triggers(
        self, some: Sequence[triggers.Trigger]
    ) -> Iterator[model.Finding]:
        """Yield the triggers that use a table that does not exist."""
        db = self._db
        named = {(one.table, one.name): one.tables() for one in some}
        missing = sql.missing_tables(
            db, (name for names in named.values() for name in names)
        )
        error = '' if db.dialect == 'postgresql' else ' (error 1146)'
        for one in some:
            for name in named[one.table, one.name]:
                if name not in missing:
                    continue
                drop = f'DROP TRIGGER {db.quoted(one.name)}'
                if db.dialect == 'postgresql':
                    drop += f' ON {db.quoted(one.table)}'
                yield model.Finding(
                    model.Severity.WARNING,
                    model.Subject('table', one.table),
                    f'{one.table} has the trigger {one.name}, which uses the '
                    f'table {name}, but that does not exist: '
                    f'{" or ".join(one.verbs)} of manila on {one.table} '
                    f'fails{error} when the trigger gets there, before the '
                    'upgrade as well as after it',
                    [
                        model.advice(
                            'Restore the table, or drop the trigger that was '
                            'left behind:'
                        ),
                        model.sql(db.dialect, f'{drop};'),
                    ],
                    data={'trigger': one.name, 'missing': str(name)},
                    aspect=f'trigger-{one.name}',
                )
                break

    def _behind(self, one: sql.Sequence) -> model.Finding:
        db = self._db
        column, table = db.quoted(one.column), db.quoted(one.table)
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('table', one.table),
            f'the sequence {one.name} gives {one.table}.{one.column} the '
            f'value {one.next_value}, but the table has values up to '
            f'{one.largest}: an INSERT of manila fails (UniqueViolation), '
            'before the upgrade as well as after it',
            [
                model.sql(
                    'postgresql',
                    f'SELECT setval({connection.text_literal(one.name)}, '  # noqa: S608
                    f'(SELECT MAX({column}) FROM {table}));',
                )
            ],
            data={'next': one.next_value, 'largest': one.largest},
            aspect=f'sequence-{one.column}',
        )
