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
"""The rows that manila's migrations read one by one and cannot handle.

a87e0fb17dee (14.0.0) writes a row for the subnet of every share server,
including soft-deleted ones; a foreign key rejects the row if the subnet does
not exist. Then it looks up the share server of every row of
network_allocations, including soft-deleted ones, whose label is not 'admin',
and fails with AttributeError or TypeError if there is none. 2d708a9a3ba9
(17.0.0) replaces the name in share_backups.availability_zone with the id of
the
first row of availability_zones with that name, including soft-deleted ones; a
name that no row has becomes NULL (manila 17.4.0
db/migrations/alembic/versions).

MySQL keeps existing zero dates, and rejects them when it rebuilds the table in
the SQL mode that manila uses: error 1292 (oslo.db 12.3.3 oslo_db/options.py:
mysql_sql_mode = TRADITIONAL).
"""

from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import scan

#: The revision that reads network_allocations.
ALLOCATIONS = 'a87e0fb17dee'

#: The revision that reads share_backups and availability_zones.
ZONES = '2d708a9a3ba9'


class RowSample(NamedTuple):
    """Some rows: their number, and the first of them by id."""

    total: int
    """The exact number of all of them."""

    first: Sequence[tuple[str, str]]
    """(id, the value of the column at fault) of the first of them, by id."""


_ORPHANS = (
    'SELECT a.id, a.share_server_id, COUNT(*) OVER () '
    'FROM network_allocations a '
    'WHERE {label} AND NOT EXISTS '
    '(SELECT 1 FROM share_servers s WHERE s.id = a.share_server_id) '
    'ORDER BY a.id LIMIT {limit:d}'
)

# The migration compares the label in Python, with case; MySQL needs BINARY for
# that.
_LABELS = {
    'mysql': "(a.label IS NULL OR BINARY a.label <> 'admin')",
    'postgresql': "(a.label IS NULL OR a.label <> 'admin')",
    'sqlite': "(a.label IS NULL OR a.label <> 'admin')",
}

_NO_SUBNET = (
    'SELECT s.id, s.share_network_subnet_id, COUNT(*) OVER () '
    "FROM share_servers s WHERE s.share_network_subnet_id <> '' "
    'AND NOT EXISTS (SELECT 1 FROM share_network_subnets n '
    'WHERE n.id = s.share_network_subnet_id) '
    'ORDER BY s.id LIMIT {limit:d}'
)

# The whole date is zero, or only the month or the day.
_ZERO_DATE = 'MONTH({column}) = 0 OR DAYOFMONTH({column}) = 0'
_NO_DATES = 'UPDATE {table} SET {column} = NULL WHERE {where};'

_NO_ZONE = (
    'SELECT b.id, b.availability_zone, COUNT(*) OVER () '
    "FROM share_backups b WHERE b.deleted = 'False' "
    'AND b.availability_zone IS NOT NULL AND NOT EXISTS '
    '(SELECT 1 FROM availability_zones z WHERE z.name = b.availability_zone) '
    'ORDER BY b.id LIMIT {limit:d}'
)

# The first row of a name is the one that a SELECT without ORDER BY returns: in
# the order of the primary key on MySQL, in the order of writing elsewhere.
_DELETED_ZONE = (
    'SELECT b.id, b.availability_zone, COUNT(*) OVER () '
    'FROM share_backups b JOIN availability_zones z '
    'ON z.name = b.availability_zone '
    "WHERE b.deleted = 'False' AND z.deleted <> 'False' AND {taken} "
    'ORDER BY b.id LIMIT {limit:d}'
)
_FIRST = (
    'NOT EXISTS (SELECT 1 FROM availability_zones y '
    'WHERE {same} AND y.{place} < z.{place})'
)
# The migration distinguishes 'nova' from 'Nova'. For each of the two, MySQL
# updates the backups of both names, so the last update wins.
_LAST = (
    'NOT EXISTS (SELECT 1 FROM availability_zones w '
    'WHERE w.name = z.name AND w.id > z.id AND BINARY w.name <> z.name '
    'AND NOT EXISTS (SELECT 1 FROM availability_zones v '
    'WHERE BINARY v.name = w.name AND v.id < w.id))'
)
_SAME = 'y.name = z.name'
_TAKEN = {
    'mysql': ' AND '.join(
        (_FIRST.format(same=f'BINARY {_SAME}', place='id'), _LAST)
    ),
    'postgresql': _FIRST.format(same=_SAME, place='ctid'),
    'sqlite': _FIRST.format(same=_SAME, place='rowid'),
}


def orphans(db: connection.Database, limit: int) -> RowSample:
    """Return the network allocations without a share server.

    :param limit: how many to list.
    """
    if not _have(db, 'network_allocations', 'share_servers'):
        return RowSample(0, ())
    label = _LABELS[db.dialect]
    if not db.has_column('network_allocations', 'label'):
        label = '1 = 1'
    return _rows(db, _ORPHANS.format(label=label, limit=limit))


def servers_without_subnet(db: connection.Database, limit: int) -> RowSample:
    """Return the share servers whose share network subnet does not exist.

    After a87e0fb17dee there are none: the column no longer exists.
    """
    if not db.has_column(
        'share_servers', 'share_network_subnet_id'
    ) or not db.has_table('share_network_subnets'):
        return RowSample(0, ())
    return _rows(db, _NO_SUBNET.format(limit=limit))


def zero_dates(
    db: connection.Database,
    table: str,
    size: scan.Size,
    only: str = '1 = 1',
) -> tuple[int, Sequence[tuple[str, int]]]:
    """Return the number of rows of a table, and its columns with zero dates.

    The whole table is read, in pieces.

    :param db: a MySQL database.
    :param table: a table that exists.
    :param size: the size of the table according to the server.
    :param only: a condition for the rows whose dates count.
    :returns: the number of all rows; the columns that have zero dates, in
        order, with the number of such rows.
    """
    columns = [
        column
        for column, kind in db.shape[table].items()
        if kind is column_types.ColumnType.DATETIME
    ]
    figures = ', '.join(
        (
            'COUNT(*)',
            *(
                f'SUM(({_ZERO_DATE.format(column=db.quoted(column))}) '
                f'AND {only})'
                for column in columns
            ),
        )
    )
    total, found = 0, [0] * len(columns)
    for piece in scan.pieces(db, table, size):
        rows, *numbers = db.row(
            f'SELECT {figures} FROM {db.quoted(table)} '  # noqa: S608
            f'WHERE {piece.where}',
            f'table {table}',
        )
        piece.found(int(rows))
        total += int(rows)
        # SUM() is NULL for a piece without rows.
        found = [one + int(more or 0) for one, more in zip(found, numbers)]
    return total, [
        (column, number) for column, number in zip(columns, found) if number
    ]


def without_zero_dates(
    db: connection.Database, table: str, column: str
) -> str:
    """Return the statement that replaces the zero dates with NULL."""
    name = db.quoted(column)
    where = _ZERO_DATE.format(column=name)
    return _NO_DATES.format(table=db.quoted(table), column=name, where=where)


def backups_without_zone(db: connection.Database, limit: int) -> RowSample:
    """Return the live backups whose availability zone has no row."""
    if not _have(db, 'share_backups', 'availability_zones'):
        return RowSample(0, ())
    return _rows(db, _NO_ZONE.format(limit=limit))


def backups_of_deleted_zone(db: connection.Database, limit: int) -> RowSample:
    """Return the live backups that get the id of a soft-deleted zone."""
    if not _have(db, 'share_backups', 'availability_zones'):
        return RowSample(0, ())
    taken = _TAKEN[db.dialect]
    return _rows(db, _DELETED_ZONE.format(taken=taken, limit=limit))


def count(db: connection.Database, table: str) -> int:
    """Return the exact number of rows of a table."""
    statement = f'SELECT COUNT(*) FROM {db.quoted(table)}'  # noqa: S608
    return int(db.row(statement, f'table {table}')[0])


def _have(db: connection.Database, *tables: str) -> bool:
    """Say whether some tables exist.

    hazards reports a migration that fails because a table is missing.
    """
    return all(map(db.has_table, tables))


def _rows(db: connection.Database, statement: str) -> RowSample:
    found = db.rows(statement, 'rows that a migration reads')
    return RowSample(
        int(found[0][2]) if found else 0,
        [(str(row[0]), str(row[1])) for row in found],
    )
