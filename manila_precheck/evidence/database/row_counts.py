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

"""Count the live rows of a table by the text of a column."""

from collections.abc import Mapping
from typing import Optional
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manila_precheck.evidence.database import connection

_NONE: Mapping[str, tuple[str, ...]] = {}


def by_host(
    db: 'connection.Database',
    table: str,
    where: Mapping[str, tuple[str, ...]] = _NONE,
    host: Optional[str] = None,
) -> dict[str, int]:
    """Count the live rows of a table by the text of the host column.

    :param where: for each column the texts that a counted row may have.
    :param host: the column; None: all rows are counted under ''.
    :raises SourceUnusable: when the database does not answer.
    """
    import sqlalchemy

    hosts = [host] if host is not None else []
    made = db.table(table, *dict.fromkeys(['deleted', *where, *hosts]))
    keys = [made.c[name] for name in hosts]
    statement = (
        sqlalchemy.select(sqlalchemy.func.count(), *keys)
        .select_from(made)
        .where(db.live(made))
    )
    for column, texts in where.items():
        statement = statement.where(made.c[column].in_(texts))
    if keys:
        statement = statement.group_by(*keys)
    counted: dict[str, int] = {}
    for row in db.rows(statement, table):
        name = str(row[1] or '') if keys else ''
        counted[name] = counted.get(name, 0) + row[0]
    return counted
