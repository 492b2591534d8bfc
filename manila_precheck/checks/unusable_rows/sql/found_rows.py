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
"""The rows that the services cannot use, listed and counted.

One statement looks for all defects: each table is read once for each of its
defects, and a row without one is not returned.
"""

from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck.checks.unusable_rows.sql import defects
from manila_precheck.evidence.database import connection

# MySQL looks up each row of the other table by its key. In the random order of
# the keys, that took a minute for 10^6 shares, which did not fit into the
# buffer pool. This reads both tables once, in their own order (3 s): it
# compares two sets by their sizes and by 60 bits of the hashes of their
# members.
_HASH = 'CAST(CONV(LEFT(MD5({}), 15), 16, 10) AS UNSIGNED)'
_SETS = (
    'SELECT COUNT(*), BIT_XOR(hash) FROM (SELECT DISTINCT '  # noqa: S608
    f"{_HASH.format('share_id')} AS hash FROM share_instances "
    "WHERE deleted = 'False') instances UNION ALL "
    f"SELECT COUNT(*), BIT_XOR({_HASH.format('id')}) FROM shares "
    "WHERE deleted = 'False'"
)


class Rows(NamedTuple):
    """Rows with the same defect and the same host."""

    defect: defects.RowDefect
    """What is wrong with them."""

    host: str
    """The host, with its pool; '' if the defect has none."""

    ids: Sequence[str]
    """The ids of the first of them, in order."""

    total: int
    """The exact number of all of them."""


def select(
    db: connection.Database, some: Sequence[defects.RowDefect], limit: int
) -> list[Rows]:
    """Return the rows that have one of several defects, in their order.

    :param limit: how many rows to return of each defect and host; at least one
        is returned, because it has the total.
    :raises SchemaMismatch: when a table or a column is missing; no statement
        was sent then.
    """
    each = [_one(db, number, defect) for number, defect in enumerate(some)]
    if db.dialect == 'mysql' and _instances_are_of_shares(db):
        each = [one for one, defect in zip(each, some) if not defect.matched]
    statement = (
        'SELECT defect, host, id, total FROM ('  # noqa: S608
        + ' UNION ALL '.join(each)
        + f') found WHERE place <= {max(limit, 1):d}'
    )
    ids: dict[tuple[int, str, int], list[str]] = {}
    for number, host, row, total in db.rows(statement, 'unusable rows'):
        # PostgreSQL pads what it casts to CHAR.
        key = (number, host.rstrip(' '), total)
        ids.setdefault(key, []).append(row.rstrip(' '))
    # Sorted here, because the collations of servers differ.
    return [
        Rows(some[key[0]], key[1], sorted(ids[key]), key[2])
        for key in sorted(ids)
    ]


def _instances_are_of_shares(db: connection.Database) -> bool:
    """Say whether the live share instances are of just the live shares."""
    instances, shares = db.rows(_SETS, 'shares and share_instances')
    return tuple(instances) == tuple(shares)


def _one(
    db: connection.Database, number: int, defect: defects.RowDefect
) -> str:
    for name in defect.reads:
        db.table(*name.split('.'))
    table, host = defect.table, defect.host or "''"
    only = f' AND {host} IS NOT NULL' if defect.host else ''
    # Cast, because the ids have two types, and the tables of a server may have
    # several collations.
    return (
        f'SELECT {number:d} AS defect, CAST({host} AS CHAR(255)) AS host, '  # noqa: S608
        f'CAST({table}.id AS CHAR(36)) AS id, '
        f'COUNT(*) OVER (PARTITION BY {host}) AS total, '
        f'ROW_NUMBER() OVER (PARTITION BY {host} ORDER BY {table}.id) '
        f'AS place FROM {table} {defect.joined} '
        f'WHERE {_where(db, defect)}{only}'
    )


def _where(db: connection.Database, defect: defects.RowDefect) -> str:
    """Return the condition of the rows with a defect."""
    live = db.live_value(defect.table)
    return f'{defect.table}.deleted = {live!r} AND {defect.where}'


def repair(db: connection.Database, defect: defects.RowDefect) -> str:
    """Return the statement that changes all rows with a defect.

    MySQL changes no table that the statement also reads, except through a
    temporary table.
    """
    table = defect.table
    where = _where(db, defect)
    if defect.joined:
        found = f'SELECT DISTINCT {table}.id FROM {table} {defect.joined} '  # noqa: S608
        where = f'id IN (SELECT id FROM ({found}WHERE {where}) found)'  # noqa: S608
    return f'UPDATE {table} SET {defect.change} WHERE {where};'  # noqa: S608


def recorded_hosts(db: connection.Database) -> frozenset[str]:
    """Return the hosts whose driver reports information about its back end.

    ensure_driver_resources records what it reported, and reads no share at the
    next start if it reports the same again (manila 23.0.1 share/manager.py).
    """
    table = db.table('backend_info', 'host', 'deleted')
    live = db.live_value(table.name)
    return frozenset(
        row.host
        for row in db.rows(
            f'SELECT host FROM backend_info WHERE deleted = {live!r}',  # noqa: S608
            'table backend_info',
        )
    )
