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
"""What the server reports about columns and names besides the schema."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import grants
from manila_precheck.evidence.database import triggers

# An ENUM gets its first value (MariaDB 10.11, MySQL 8.0 manual 11.6). MariaDB
# reports the default NULL of other columns as a text.
_MYSQL_REQUIRED = (
    'SELECT table_name, column_name, data_type, column_type '
    'FROM information_schema.columns WHERE table_schema = DATABASE() '
    "AND is_nullable = 'NO' AND column_default IS NULL "
    "AND data_type <> 'enum' AND extra NOT LIKE '%auto_increment%' "
    "AND extra NOT LIKE '%GENERATED%' ORDER BY table_name, column_name"
)

# A generated column has its expression in place of a default; a domain can
# have a default of its own.
_POSTGRESQL_REQUIRED = (
    'SELECT c.relname, a.attname, t.typname, t.typname '
    'FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid '
    'JOIN pg_type t ON t.oid = a.atttypid '
    "WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) "
    'AND c.relnamespace IN (SELECT oid FROM pg_namespace '
    'WHERE nspname = ANY (current_schemas(false))) '
    'AND a.attnum > 0 AND NOT a.attisdropped '
    'AND (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef '
    "AND a.attidentity = '' AND t.typdefault IS NULL "
    'ORDER BY c.relname, a.attname'
)

_MYSQL_TABLES = (
    'SELECT table_name FROM information_schema.tables '
    'WHERE table_schema = {schema}'
)
_POSTGRESQL_TABLES = (
    'SELECT n.nspname, c.relname, n.nspname = ANY (current_schemas(true)) '
    'FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
)

# The sequences from which an insert takes the value of a column that is unique
# by itself: that of the default, or of an identity column.
_SEQUENCES = (
    'SELECT c.relname, a.attname, n.nspname, s.relname, q.seqincrement '
    'FROM (SELECT f.adrelid AS adrelid, f.adnum AS adnum, '
    'd.refobjid AS sequence FROM pg_attrdef f JOIN pg_depend d '
    "ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid "
    "AND d.refclassid = 'pg_class'::regclass UNION "
    'SELECT d.refobjid, d.refobjsubid, d.objid FROM pg_depend d '
    "WHERE d.classid = 'pg_class'::regclass "
    "AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i') o "
    'JOIN pg_class s ON s.oid = o.sequence '
    'JOIN pg_sequence q ON q.seqrelid = s.oid '
    'JOIN pg_namespace n ON n.oid = s.relnamespace '
    'JOIN pg_class c ON c.oid = o.adrelid '
    'JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.adnum '
    'WHERE pg_table_is_visible(c.oid) AND q.seqincrement > 0 '
    "AND has_schema_privilege(n.oid, 'USAGE') "
    # The server may evaluate this first, and for every table.
    "AND CASE WHEN s.relkind = 'S' THEN has_sequence_privilege(s.oid, "
    "'SELECT') ELSE false END "
    "AND has_table_privilege(c.oid, 'SELECT') "
    'AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid '
    'AND x.indisunique AND x.indisvalid AND x.indpred IS NULL '
    'AND x.indnatts = 1 AND x.indkey[0] = a.attnum) '
    'ORDER BY c.relname, a.attname'
)
_NEXT_AND_LAST = (
    'SELECT {place}, s.last_value + CASE WHEN s.is_called THEN {step} ELSE 0 '
    'END, (SELECT MAX({column}) FROM {table}) FROM {sequence} s'
)


class RequiredColumn(NamedTuple):
    """A column that gets no value unless a statement gives it one."""

    table: str
    name: str

    type_name: str
    """The server's name of its type, without its length."""

    declared: str
    """The type as a statement declares it: 'varchar(32)'."""


class _Source(NamedTuple):
    """A sequence and the column that takes its values from it."""

    step: int
    table: str
    column: str
    schema: str
    name: str


class Sequence(NamedTuple):
    """A sequence from which a column gets its values."""

    table: str
    column: str

    name: str
    """Its name with its schema, quoted for SQL."""

    next_value: int

    largest: int
    """The largest value of the column."""


def required_columns(db: connection.Database) -> list[RequiredColumn]:
    """Return the columns that are NOT NULL without a default, sorted.

    Without those that the server fills: generated, identity and serial ones.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    statement = _MYSQL_REQUIRED
    if db.dialect == 'postgresql':
        statement = _POSTGRESQL_REQUIRED
    return [
        RequiredColumn(*map(connection.text_of, row))
        for row in db.rows(statement, 'the columns')
    ]


def missing_tables(
    db: connection.Database, names: Iterable[triggers.TableName]
) -> frozenset[triggers.TableName]:
    """Return those tables that certainly do not exist.

    On MySQL an account sees a table only if it has a privilege on it.
    """
    wanted = sorted(set(names))
    if not wanted:
        return frozenset()
    if db.dialect == 'postgresql':
        found = set()
        for schema, name, searched in db.rows(_POSTGRESQL_TABLES, 'tables'):
            found.add((connection.text_of(schema), connection.text_of(name)))
            if searched:
                found.add(('', connection.text_of(name)))
        return frozenset(one for one in wanted if tuple(one) not in found)
    account = grants.read(db)
    missing: set[triggers.TableName] = set()
    shown: dict[str, Optional[set[str]]] = {}
    for one in wanted:
        schema = one.schema or account.database
        if schema not in shown:
            shown[schema] = None
            if grants.reads_all(db, schema):
                statement = _MYSQL_TABLES.format(
                    schema=connection.text_literal(schema)
                )
                shown[schema] = {
                    # Not every server tells capitals apart.
                    connection.text_of(row[0]).lower()
                    for row in db.rows(statement, 'tables')
                }
        tables = shown[schema]
        if tables is not None and one.name.lower() not in tables:
            missing.add(one)
    return frozenset(missing)


def sequences_behind(
    db: connection.Database, shape: Mapping[str, object]
) -> list[Sequence]:
    """Return the sequences whose next value is not above the column's.

    :param db: a database of PostgreSQL.
    :param shape: the tables to look at.
    """
    some = [
        _Source(int(step), *map(connection.text_of, names))
        for *names, step in db.rows(_SEQUENCES, 'the sequences')
    ]
    some = [one for one in some if one.table in shape]
    if not some:
        return []
    named = [f'{db.quoted(one.schema)}.{db.quoted(one.name)}' for one in some]
    statement = ' UNION ALL '.join(
        _NEXT_AND_LAST.format(
            place=place,
            step=one.step,
            column=db.quoted(one.column),
            table=db.quoted(one.table),
            sequence=named[place],
        )
        for place, one in enumerate(some)
    )
    return [
        Sequence(
            some[place].table, some[place].column, named[place], after, largest
        )
        for place, after, largest in sorted(
            tuple(row) for row in db.rows(statement, 'the sequences')
        )
        if largest is not None and after <= largest
    ]
