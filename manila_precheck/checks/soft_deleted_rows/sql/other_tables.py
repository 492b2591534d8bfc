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

"""Tables that are not manila's and whose foreign keys refer to its rows.

The purge does not read these tables (manila 16.3.0 to 23.0.1 db/sqlalchemy/
api.py purge_deleted_records goes through its own models), but the server
enforces their foreign keys: the purge skips a row to which one of them refers,
unless ON DELETE says what happens to the referring row.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from manila_precheck.catalog import purging
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.checks.soft_deleted_rows.sql import purge_references
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import scan
from manila_precheck.evidence.database import schema


class Swept(NamedTuple):
    """The effect of a purge on the rows of a table that is not manila's."""

    table: str
    parent: str
    """The table of manila to which it refers."""

    rows: int
    """How many rows are affected, at most."""

    on_delete: str
    """The action of the key: 'CASCADE', 'SET NULL', 'SET DEFAULT'."""


def keys(
    db: connection.Database,
    purge: purging.Purge,
    found: Iterable[schema.LiveForeignKey],
) -> tuple[schema.LiveForeignKey, ...]:
    """Return the foreign keys of other tables to rows that a purge deletes.

    :param found: all foreign keys of the database.
    """
    return tuple(
        key
        for key in found
        if key.table not in purge.tables
        and key.parent in purge.tables
        and key.parent != key.table
        and len(key.columns) == len(key.references) == 1
        and db.has_table(key.table)
        and db.has_column(key.parent, 'deleted_at')
        and db.has_column(key.parent, 'id')
    )


def is_large(
    key: schema.LiveForeignKey, sizes: Mapping[str, scan.Size]
) -> bool:
    """Say whether reading a table would take too long."""
    return scan.expected(sizes.get(key.table)) > 50 * purge_references.LIMIT


def skipped(wanted: counting.Filter, key: schema.LiveForeignKey) -> set[Any]:
    """Return the ids of the rows that a purge skips because of a key.

    :returns: at most purge_references.LIMIT + 1 ids.
    """
    limit = purge_references.LIMIT + 1
    rows = wanted.db.rows(
        f'SELECT DISTINCT p.id {_joined(wanted, key)} LIMIT {limit}',
        f'table {key.table}',
    )
    return {row[0] for row in rows}


def swept(wanted: counting.Filter, key: schema.LiveForeignKey) -> Swept:
    """Return the effect of a purge on the rows that refer by a key."""
    count = int(
        wanted.db.row(
            f'SELECT COUNT(*) {_joined(wanted, key)}', f'table {key.table}'
        )[0]
    )
    return Swept(key.table, key.parent, count, key.on_delete)


def _joined(wanted: counting.Filter, key: schema.LiveForeignKey) -> str:
    quoted = wanted.db.quoted
    return (
        f'FROM {quoted(key.table)} c JOIN {quoted(key.parent)} p '
        f'ON p.{quoted(key.references[0])} = c.{quoted(key.columns[0])} '
        f'WHERE {wanted.asked(key.parent, "p.")}'
    )
