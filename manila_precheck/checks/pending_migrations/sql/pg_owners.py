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

"""Whose the tables of a PostgreSQL are: nobody else may change them.

A dump that somebody else restored, without the owners that it names, leaves
tables that manila reads and writes where that was granted, and that no
migration of its can alter.
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


class OwnedTables(NamedTuple):
    """What the account may change, and what not."""

    account: str
    """Its name."""

    schema: str
    """Where a new table goes."""

    creates: bool
    """Whether it may make one there."""

    others: dict[str, str]
    """The tables of others, by name, and whose they are."""

    written: frozenset[str]
    """Those of them whose rows it may change all the same."""

    referred: frozenset[str]
    """Those of them to which a foreign key may refer all the same."""


def read(
    db: connection.Database, known: Collection[str]
) -> Optional[OwnedTables]:
    """Return what the account may change; None where it is not manila's.

    One that may write to no table came to look, and nothing follows from
    what it may not do.

    :param known: the tables that count.
    :raises SourceUnusable: when the server does not say.
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
        frozenset(
            name
            for name, _, _, updates, _ in rows
            if updates and name in others
        ),
        frozenset(
            name for name, _, _, _, refers in rows if refers and name in others
        ),
    )
