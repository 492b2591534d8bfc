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

"""The owners of the tables on PostgreSQL: only the owner may alter a table.

If another account restores a dump without its owners, manila can read and
write the tables as far as that was granted, but no migration can alter them.
An owner, too, may lack a privilege that was revoked from it.
"""

from collections.abc import Collection
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import connection

_TABLES = (
    'SELECT c.relname, pg_get_userbyid(c.relowner), '
    "pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'UPDATE'), "
    "has_table_privilege(c.oid, 'REFERENCES') "
    'FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE c.relkind IN ('r', 'p') AND n.nspname = "
    'ANY (current_schemas(false)) AND pg_table_is_visible(c.oid) '
    'ORDER BY c.relname'
)

_SCHEMA = (
    'SELECT current_user, current_schema(), '
    "has_schema_privilege(current_schema(), 'CREATE')"
)

# The value that a new session of the account gets. A tablespace that does not
# exist is not used.
_TABLESPACE = (
    'SELECT t.spcname FROM pg_tablespace t JOIN pg_settings s '
    "ON s.name = 'default_tablespace' AND s.reset_val = t.spcname "
    "WHERE NOT has_tablespace_privilege(t.oid, 'CREATE') AND t.oid <> "
    '(SELECT dattablespace FROM pg_database '
    'WHERE datname = current_database())'
)


class OwnedTables(NamedTuple):
    """The tables of other accounts, and what the account may do."""

    account: str
    """The name of the account."""

    schema: str
    """The schema in which a new table is created."""

    creates: bool
    """Whether the account may create tables there."""

    others: dict[str, str]
    """The owners of the tables of other accounts, by table."""

    unwritten: frozenset[str]
    """The tables, its own ones too, whose rows the account may not change."""

    closed: frozenset[str]
    """Those to which no foreign key of the account may refer."""

    tablespace: str = ''
    """The tablespace of new tables, if the account may not use it."""


def read(
    db: connection.Database, known: Collection[str]
) -> Optional[OwnedTables]:
    """Return what the account may change; None if it is not manila's.

    An account that may not write to any table only reads for this check, so
    what it may not do says nothing about manila.

    :param known: the tables of manila.
    :raises SourceUnusable: when the server cannot be queried.
    """
    rows = [row for row in db.rows(_TABLES) if row[0] in known]
    if not any(updates for _, _, _, updates, _ in rows):
        return None
    others = {name: owner for name, owner, owns, _, _ in rows if not owns}
    account, schema, creates = db.row(_SCHEMA)
    return OwnedTables(
        account,
        schema,
        creates,
        others,
        frozenset(name for name, _, _, updates, _ in rows if not updates),
        frozenset(name for name, _, _, _, refers in rows if not refers),
        next((connection.text_of(row[0]) for row in db.rows(_TABLESPACE)), ''),
    )
