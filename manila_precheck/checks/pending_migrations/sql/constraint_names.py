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
"""The names of constraints that a new foreign key of the table cannot have.

MariaDB gives the CHECK constraints and the foreign keys of a table one
namespace (error 1826, tried on 10.11), MySQL does not. PostgreSQL has one for
all constraints of a table.
"""

from collections.abc import Collection

from manila_precheck.evidence.database import connection

_MARIADB = (
    "SELECT table_name, constraint_name, 'c' "
    'FROM information_schema.table_constraints '
    "WHERE table_schema = DATABASE() AND constraint_type = 'CHECK'"
)

_POSTGRESQL = (
    'SELECT c.relname, t.conname, t.contype '
    'FROM pg_constraint t JOIN pg_class c ON c.oid = t.conrelid '
    'WHERE pg_table_is_visible(c.oid) AND c.relnamespace IN '
    '(SELECT oid FROM pg_namespace '
    'WHERE nspname = ANY (current_schemas(false)))'
)

_KINDS = {
    'c': 'a CHECK constraint',
    'f': 'a foreign key',
    'p': 'the primary key',
    'u': 'a unique constraint',
    'x': 'an exclusion constraint',
    't': 'a constraint trigger',
}


def read(db: connection.Database) -> Collection[tuple[str, str, str]]:
    """Return (table, name, kind in words) of each constraint, sorted.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    if db.dialect == 'postgresql':
        statement = _POSTGRESQL
    elif 'mariadb' in db.server_version.lower():
        statement = _MARIADB
    else:
        return ()
    return sorted(
        (
            connection.text_of(table),
            connection.text_of(name),
            _KINDS.get(connection.text_of(kind), 'a constraint'),
        )
        for table, name, kind in db.rows(statement, 'the constraints')
    )
