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

"""The tables and columns of a database, read in one statement."""

from collections.abc import Iterable
from collections.abc import Mapping
import enum

_MYSQL = (
    'SELECT table_name, column_name, data_type '
    'FROM information_schema.columns WHERE table_schema = DATABASE()'
)

# Not information_schema: it omits what the account may not read.
_POSTGRESQL = (
    'SELECT c.relname, a.attname, t.typname FROM pg_class c '
    'JOIN pg_namespace n ON n.oid = c.relnamespace '
    'JOIN pg_attribute a ON a.attrelid = c.oid '
    'JOIN pg_type t ON t.oid = a.atttypid '
    "WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped "
    'AND n.nspname = ANY (current_schemas(false)) '
    'AND pg_table_is_visible(c.oid)'
)

_SQLITE = (
    'SELECT m.name, p.name, p.type FROM sqlite_master m '
    "JOIN pragma_table_info(m.name) p WHERE m.type = 'table' "
    "AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
)

#: Statements that return (table, column, name of its type), by dialect.
STATEMENTS = {'mysql': _MYSQL, 'postgresql': _POSTGRESQL, 'sqlite': _SQLITE}

#: Returns the schemas of PostgreSQL that have an alembic_version.
POSTGRESQL_ELSEWHERE = (
    'SELECT n.nspname FROM pg_class c JOIN pg_namespace n '
    "ON n.oid = c.relnamespace WHERE c.relname = 'alembic_version' "
    'ORDER BY n.nspname'
)


class ColumnType(str, enum.Enum):
    """The few kinds of columns that checks distinguish."""

    TEXT = 'text'
    INTEGER = 'integer'
    BOOLEAN = 'boolean'
    DATETIME = 'datetime'
    OTHER = 'other'


_TYPES = (
    ('bool', ColumnType.BOOLEAN),
    ('tinyint', ColumnType.BOOLEAN),
    ('int', ColumnType.INTEGER),
    ('serial', ColumnType.INTEGER),
    ('date', ColumnType.DATETIME),
    ('timestamp', ColumnType.DATETIME),
    ('char', ColumnType.TEXT),
    ('text', ColumnType.TEXT),
    ('enum', ColumnType.TEXT),
)


def column_type(name: str) -> ColumnType:
    """Return the kind of a column from the server's name of its type."""
    lower = name.lower()
    for part, kind in _TYPES:
        if part in lower:
            return kind
    return ColumnType.OTHER


#: The kind of each column, by table and column.
Shape = Mapping[str, Mapping[str, ColumnType]]


def made(rows: Iterable[Iterable[str]]) -> Shape:
    """Return the shape from the rows of one of the STATEMENTS."""
    shape: dict[str, dict[str, ColumnType]] = {}
    kinds: dict[str, ColumnType] = {}
    for table, column, name in rows:
        kind = kinds.get(name)
        if kind is None:
            kind = kinds[name] = column_type(name)
        shape.setdefault(table, {})[column] = kind
    return shape
