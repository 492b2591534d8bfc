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
"""What soft deletion left in a table, and what a purge would take away.

``manila-manage db purge`` of manila 12 to 22 deletes the rows whose
deleted_at is old enough, whatever ``deleted`` holds (manila 22.0.0
db/sqlalchemy/api.py:6636). From 23 on ``deleted`` must be the row's own id
too, or 1 in a table without ids (manila 23.0.1 db/sqlalchemy/api.py:6720).
"""

import datetime
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.sources import database

# One pass over a table for all of its figures, which compares ``deleted``
# once a row: a comparison of texts costs more than all the rest. It is exact
# where no live row has a deleted_at and no ``deleted`` is NULL.
_COUNT = (
    'SELECT COUNT(*), COUNT(deleted), '
    'COUNT(CASE WHEN deleted_at IS NULL AND deleted = {live} THEN 1 END), '
    'COUNT(CASE WHEN deleted_at IS NOT NULL AND deleted = {live} '
    'THEN 1 END), COUNT(deleted_at), '
    "COUNT(CASE WHEN deleted_at <= '{cutoff}'{own_id} THEN 1 END), "
    'COUNT(CASE WHEN {recycled} AND deleted = {live} THEN 1 END), '
    'MIN(deleted_at), MAX(deleted_at) FROM {table}'
)

# The same where it is not: rare, and twice as long.
_COUNT_EACH = (
    'SELECT COUNT(*), COUNT(CASE WHEN deleted = {live} THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} THEN 1 END), '
    'COUNT(CASE WHEN deleted <> {live} AND deleted_at IS NULL THEN 1 END), '
    "COUNT(CASE WHEN deleted <> {live} AND deleted_at <= '{cutoff}'{own_id} "
    'THEN 1 END), '
    "COUNT(CASE WHEN deleted = {live} AND deleted_at <= '{cutoff}' "
    'THEN 1 END), '
    'COUNT(CASE WHEN {recycled} AND deleted = {live} THEN 1 END), '
    'MIN(CASE WHEN deleted <> {live} THEN deleted_at END), '
    'MAX(CASE WHEN deleted <> {live} THEN deleted_at END) FROM {table}'
)


class Rows(NamedTuple):
    """What one table holds."""

    table: str
    """Its name."""

    total: int
    """All rows."""

    live: int
    """Those that manila sees, the recycle bin included."""

    deleted: int
    """Those that manila has marked as deleted."""

    undated: int
    """Marked as deleted without a deleted_at: no purge takes them."""

    purgeable: int
    """Marked as deleted, and a purge at the age would take them."""

    live_but_purged: int
    """Live, but a purge at the age would take them: deleted_at is set."""

    recycled: int
    """Live shares that their owner put into the recycle bin."""

    oldest: Optional[datetime.datetime]
    """The oldest deleted_at of the rows marked as deleted."""

    newest: Optional[datetime.datetime]
    """The newest deleted_at of them."""


def tables(db: database.Database) -> tuple[str, ...]:
    """Return the tables whose rows are soft-deleted, sorted."""
    return tuple(
        table
        for table in sorted(db.shape)
        if db.has_column(table, 'deleted')
        and db.has_column(table, 'deleted_at')
    )


def count(
    db: database.Database,
    table: str,
    cutoff: datetime.datetime,
    release: releases.Release,
) -> Rows:
    """Count the rows of a table, in one statement that reads it once.

    Where live rows have a deleted_at, which is rare, in two.

    :param cutoff: the purge takes what was deleted until then.
    :param release: the release whose purge it is.
    :raises StatementRefused: when the account may not read the table.
    :raises SourceUnusable: when the server does not answer in time.
    """
    live = db.live_value(table)
    own_id = ''
    if release.major >= 23:
        own_id = f' AND deleted = {_own_id(db, table, live)}'
    values = {
        'live': _literal(live),
        'cutoff': cutoff.isoformat(' ', 'microseconds'),
        'own_id': own_id,
        'recycled': 'is_soft_deleted'
        if db.has_column(table, 'is_soft_deleted')
        else '1 = 0',
        'table': db.quoted(table),
    }
    about = f'table {table}'
    total, known, live_rows, dated_live, dated, old, recycled, *ends = db.row(
        _COUNT.format(**values), about
    )
    if dated_live or known < total:
        *numbers, oldest, newest = db.row(_COUNT_EACH.format(**values), about)
    else:
        deleted = total - live_rows
        numbers = [total, live_rows, deleted, deleted - dated, old, 0]
        numbers.append(recycled)
        oldest, newest = ends
    found = Rows._make([table, *numbers, _time(oldest), _time(newest)])
    if release.major >= 23:
        found = found._replace(live_but_purged=0)
    return found


def _own_id(db: database.Database, table: str, live: Any) -> str:
    if not db.has_column(table, 'id'):
        return _literal('1' if isinstance(live, str) else 1)
    if not isinstance(live, str):
        return 'id'
    # In six tables ``deleted`` is a text and id a number, which PostgreSQL
    # does not compare.
    return f'CAST(id AS {"CHAR" if db.dialect == "mysql" else "VARCHAR"}(36))'


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _time(value: Any) -> Optional[datetime.datetime]:
    # SQLite has no type for a time.
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    found: Optional[datetime.datetime] = value
    return found
