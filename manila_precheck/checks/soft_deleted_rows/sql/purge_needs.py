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
"""What a purge needs of the server: privileges, and the tables of all keys.

Before anything else a purge reflects all tables of the database (manila 16.3.0
to 23.0.1 db/sqlalchemy/api.py purge_deleted_records), and SQLAlchemy raises
NoSuchTableError if a foreign key names a table that is not there. MariaDB and
MySQL keep such a key if the table was dropped without foreign_key_checks.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import grants

# Whoever may read all columns one by one can read the table.
_RIGHTS = (
    'SELECT c.relname, n.nspname, current_user, '
    "has_table_privilege(c.oid, 'UPDATE'), "
    "has_table_privilege(c.oid, 'DELETE'), "
    "has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS ("
    'SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 '
    'AND NOT a.attisdropped '
    "AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) "
    'FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) "
    'AND n.nspname = ANY (current_schemas(false)) ORDER BY c.relname'
)

_KEYS = (
    'SELECT DISTINCT table_name, constraint_name, referenced_table_name '
    'FROM information_schema.key_column_usage '
    'WHERE table_schema = DATABASE() '
    'AND referenced_table_schema = DATABASE() ORDER BY 1, 2'
)


class Lacking(NamedTuple):
    """A privilege that the account of manila lacks."""

    right: str
    """'SELECT' or 'DELETE'."""

    tables: tuple[str, ...]
    """The tables on which it lacks it, sorted."""

    remedy: Sequence[model.Remediation]


class Account(NamedTuple):
    """What the account of manila may not do."""

    name: str
    """The account, as the server writes it."""

    lacking: tuple[Lacking, ...]

    limits: Mapping[str, float]
    """The limits of the account that MySQL and MariaDB show."""


class GoneParent(NamedTuple):
    """A foreign key to a table that the account does not see."""

    table: str
    name: str
    parent: str


def account(
    db: connection.Database, needs: Mapping[str, Collection[str]]
) -> Optional[Account]:
    """Return what the account may not do; None if it is not manila's.

    An account that may not write to any table only reads for this check, so
    what it may not do says nothing about manila.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :param needs: the tables, by the privilege that a purge needs on them.
    :raises SourceUnusable: when the server cannot be queried.
    """
    if db.dialect == 'mysql':
        return _of_mysql(db, needs)
    return _of_postgresql(db, needs)


def _of_mysql(
    db: connection.Database, needs: Mapping[str, Collection[str]]
) -> Optional[Account]:
    found = grants.read(db)
    if not found.rights.writes:
        return None
    lacking = []
    for right, tables in sorted(needs.items()):
        denied = [
            table
            for table in sorted(tables)
            if not found.rights.may(right, table)
        ]
        if denied:
            lacking.append(
                Lacking(right, tuple(denied), found.remedy([right]))
            )
    return Account(found.name, tuple(lacking), found.limits)


def _of_postgresql(
    db: connection.Database, needs: Mapping[str, Collection[str]]
) -> Optional[Account]:
    rows = [
        [connection.text_of(one) for one in row[:3]] + list(row[3:])
        for row in db.rows(_RIGHTS, 'the privileges of the account')
        if any(row[0] in tables for tables in needs.values())
    ]
    if not any(updates for _, _, _, updates, _, _ in rows):
        return None
    name = str(rows[0][2])
    lacking = []
    for right, place in (('DELETE', 4), ('SELECT', 5)):
        denied = {
            str(row[0]): str(row[1])
            for row in rows
            if row[0] in needs[right] and not row[place]
        }
        if denied:
            tables = ', '.join(
                f'{db.quoted(schema)}.{db.quoted(table)}'
                for table, schema in denied.items()
            )
            lacking.append(
                Lacking(
                    right,
                    tuple(sorted(denied)),
                    [
                        model.sql(
                            'postgresql',
                            f'GRANT {right} ON {tables} TO {db.quoted(name)};',
                        )
                    ],
                )
            )
    return Account(name, tuple(lacking), {})


def gone_parents(db: connection.Database) -> Iterator[GoneParent]:
    """Yield the foreign keys to tables that the account does not see.

    :param db: a database of MySQL or MariaDB; PostgreSQL drops such a key
        with the table.
    """
    for row in db.rows(_KEYS, 'the foreign keys'):
        found = GoneParent(*map(connection.text_of, row))
        if not db.has_table(found.parent):
            yield found
