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
"""What the server reports about manila's tables, except their columns.

Engines, collations, indexes, foreign keys and sizes come from the catalogs
of the server; SELECT on the tables is enough to see them. No row of manila's
tables is read.
"""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import scan

INNODB = 'InnoDB'


class LiveTable(NamedTuple):
    """One table; a field is None where the server has no such property."""

    name: str
    """Its name."""

    engine: Optional[str] = None
    """Its storage engine, on MySQL: 'InnoDB'."""

    collation: Optional[str] = None
    """The collation that an added text column gets, on MySQL."""

    row_format: Optional[str] = None
    """How rows are stored, on MySQL: 'Dynamic'."""

    rows: Optional[int] = None
    """The server's estimate of the number of rows."""

    data_bytes: Optional[int] = None
    """The size of its rows on disk."""

    index_bytes: Optional[int] = None
    """The size of its indexes, without a clustered one."""

    versioned: bool = False
    """Whether MariaDB keeps the old versions of its rows in it."""

    partitioned: bool = False
    """Whether it is partitioned, on MySQL."""


class LiveIndex(NamedTuple):
    """An index, whether or not it belongs to a key or a constraint."""

    table: str
    name: str
    columns: tuple[str, ...]
    """Its columns, in order."""

    unique: bool


UNKNOWN = 'UNKNOWN'


class LiveForeignKey(NamedTuple):
    """A foreign key."""

    table: str
    name: str
    columns: tuple[str, ...]
    parent: str
    references: tuple[str, ...]

    on_delete: str = ''
    """What happens to a row whose parent is deleted: 'CASCADE', 'SET NULL',
    'SET DEFAULT'; '': the parent cannot be deleted; UNKNOWN: the server does
    not show it."""


class Schema(NamedTuple):
    """The tables of a database."""

    tables: Mapping[str, LiveTable]
    """Every table that the account can see, by name."""

    collations: Mapping[tuple[str, str], str]
    """The collation of each (table, column) of text, on MySQL."""

    indexes: tuple[LiveIndex, ...]
    foreign_keys: tuple[LiveForeignKey, ...]

    def foreign_key(
        self, table: str, columns: tuple[str, ...], parent: Optional[str]
    ) -> Optional[LiveForeignKey]:
        """Return the foreign key of some columns; None without one."""
        for key in self.foreign_keys:
            if (key.table, key.columns, key.parent) == (
                table,
                columns,
                parent,
            ):
                return key
        return None


_TABLES = {
    'mysql': (
        'SELECT table_name, engine, table_collation, row_format, '
        'table_rows, data_length, index_length, '
        "table_type = 'SYSTEM VERSIONED', "
        "create_options LIKE '%partitioned%' "
        'FROM information_schema.tables WHERE table_schema = DATABASE() '
        "AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
    ),
    'postgresql': (
        'SELECT c.relname, NULL, NULL, NULL, '
        'CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END, '
        # As in scan: asking for a size would wait for an ALTER of the table.
        'CASE WHEN {locked} THEN {seen} ELSE pg_table_size(c.oid) END, '
        'CASE WHEN NOT {locked} THEN pg_indexes_size(c.oid) END, false, false '
        'FROM pg_class c '
        "WHERE c.relkind IN ('r', 'p') AND {visible}"
    ),
    'sqlite': (
        'SELECT name, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 '
        "FROM sqlite_master WHERE type = 'table'"
    ),
}

_COLLATIONS = (
    'SELECT table_name, column_name, collation_name '
    'FROM information_schema.columns '
    'WHERE table_schema = DATABASE() AND collation_name IS NOT NULL'
)

# One row for each column, in the order of the index.
_INDEXES = {
    'mysql': (
        'SELECT table_name, index_name, non_unique = 0, column_name '
        'FROM information_schema.statistics '
        'WHERE table_schema = DATABASE() '
        'ORDER BY table_name, index_name, seq_in_index'
    ),
    # A partial index does not contain every row.
    'postgresql': (
        'SELECT c.relname, i.relname, x.indisunique, a.attname '
        'FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid '
        'JOIN pg_class i ON i.oid = x.indexrelid '
        'CROSS JOIN LATERAL unnest(x.indkey::int2[]) '
        'WITH ORDINALITY AS k(number, place) '
        'JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number '
        'WHERE x.indpred IS NULL AND x.indisvalid AND {visible} '
        'ORDER BY 1, 2, k.place'
    ),
    'sqlite': (
        'SELECT m.name, l.name, l."unique", i.name FROM sqlite_master m '
        'JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i '
        "WHERE m.type = 'table' AND NOT l.partial "
        'ORDER BY m.name, l.name, i.seqno'
    ),
}

_FOREIGN_KEYS = {
    'mysql': (
        'SELECT table_name, constraint_name, column_name, '
        'referenced_table_name, referenced_column_name, NULL '
        'FROM information_schema.key_column_usage '
        'WHERE table_schema = DATABASE() '
        'AND referenced_table_name IS NOT NULL '
        'ORDER BY table_name, constraint_name, ordinal_position'
    ),
    'postgresql': (
        'SELECT c.relname, f.conname, a.attname, p.relname, b.attname, '
        "CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' "
        "WHEN 'd' THEN 'SET DEFAULT' END "
        'FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid '
        'JOIN pg_class p ON p.oid = f.confrelid '
        'CROSS JOIN LATERAL unnest(f.conkey, f.confkey) '
        'WITH ORDINALITY AS k(mine, theirs, place) '
        'JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.mine '
        'JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = k.theirs '
        "WHERE f.contype = 'f' AND {visible} ORDER BY 1, 2, k.place"
    ),
    # SQLite keeps no names; a key without columns refers to the primary key.
    'sqlite': (
        'SELECT m.name, f.id, f."from", f."table", f."to", f.on_delete '
        'FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f '
        "WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq"
    ),
}

# A statement of its own: in a join MariaDB opens the tables and views of every
# database, and 10.11.19 crashed (SIGSEGV) when that was interrupted.
_DELETE_RULES = (
    'SELECT table_name, constraint_name, delete_rule '
    'FROM information_schema.referential_constraints '
    'WHERE constraint_schema = DATABASE()'
)

# The rules with which a row can (or may) be deleted that others refer to.
_ACTIONS = ('CASCADE', 'SET NULL', 'SET DEFAULT', UNKNOWN)

# Placeholders in the statements of PostgreSQL, and what replaces them.
_WORDS = (
    (
        '{visible}',
        'c.relnamespace IN (SELECT oid FROM pg_namespace '
        'WHERE nspname = ANY (current_schemas(false))) '
        'AND pg_table_is_visible(c.oid)',
    ),
    ('{locked}', scan.POSTGRESQL_LOCKED),
    ('{seen}', scan.POSTGRESQL_SEEN),
)


def read(db: connection.Database) -> Schema:
    """Return the schema, sorted; it takes three statements, on MySQL five.

    :raises SourceUnusable: when the server refuses one or does not answer.
    """

    def rows(statements: Mapping[str, str]) -> list[list[Any]]:
        statement = statements[db.dialect]
        for word, text in _WORDS:
            statement = statement.replace(word, text)
        return [
            [_text(value) for value in row]
            for row in db.rows(statement, 'the tables')
        ]

    tables = {}
    for name, engine, collation, row_format, *numbers, old, parts in rows(
        _TABLES
    ):
        if name in db.shape:
            count, data, index = (
                None if n is None else int(n) for n in numbers
            )
            tables[name] = LiveTable(
                name,
                engine,
                collation,
                row_format,
                count,
                data,
                index,
                bool(old),
                bool(parts),
            )
    collations = {}
    keys = rows(_FOREIGN_KEYS)
    if db.dialect == 'mysql':
        collations = {
            (table, column): collation
            for table, column, collation in rows({'mysql': _COLLATIONS})
        }
        rules = {
            (table, name): rule
            for table, name, rule in rows({'mysql': _DELETE_RULES})
        }
        # MariaDB shows no rules to an account that may only read.
        keys = [
            [*key[:-1], rules.get((key[0], key[1]), UNKNOWN)] for key in keys
        ]
    return Schema(
        dict(sorted(tables.items())),
        collations,
        _indexes(rows(_INDEXES)),
        _foreign_keys(keys),
    )


def text_collation(db: connection.Database) -> str:
    """Return the collation of a table that is created in utf8.

    manila's migrations create such tables. From MariaDB 11.5 on the collation
    is a different one (character_set_collations), and without UTF8_IS_UTF8MB3
    in old_mode it is one of utf8mb4.

    :param db: a MySQL or MariaDB server.
    """
    return connection.text_of(
        db.row("SELECT COLLATION(CONVERT('' USING utf8))")[0]
    )


def _indexes(rows: list[list[Any]]) -> tuple[LiveIndex, ...]:
    found: dict[tuple[str, str], LiveIndex] = {}
    for table, name, unique, column in rows:
        before = found.get((table, name))
        columns = (*before.columns, column) if before else (column,)
        found[table, name] = LiveIndex(table, name, columns, bool(unique))
    return tuple(sorted(found.values()))


def _foreign_keys(rows: list[list[Any]]) -> tuple[LiveForeignKey, ...]:
    found: dict[tuple[str, str], LiveForeignKey] = {}
    for table, name, column, parent, reference, rule in rows:
        key = table, str(name)
        before = found.get(key)
        if before is None:
            acts = rule if rule in _ACTIONS else ''
            before = LiveForeignKey(table, str(name), (), parent, (), acts)
        found[key] = before._replace(
            columns=(*before.columns, column),
            references=(*before.references, reference),
        )
    return tuple(sorted(found.values()))


def _text(value: Any) -> Any:
    # Some servers and drivers give names of the catalog as bytes.
    return value.decode() if isinstance(value, bytes) else value
