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
"""SQL statements on the restored copy and the database of production."""

from collections.abc import Mapping
import time
from typing import Optional

from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import schema as schema_source

# A CPU-bound statement for MySQL and MariaDB, and one for PostgreSQL. Each
# takes about a second on an idle machine with two processors.
_PROBES = {
    'mysql': "SELECT BENCHMARK(2000000, MD5('manila'))",
    'postgresql': 'SELECT count(md5(n::text)) FROM '
    'generate_series(1, 1000000) n',
}
_TIMES = 3

# No server would have a smaller buffer pool.
_LEAST_POOL_BYTES = 64 << 20


def counted(
    db: connection.Database, schema: schema_source.Schema
) -> Mapping[str, int]:
    """Return how many rows each table has.

    :raises SourceUnusable: when the server does not answer.
    """
    found = {}
    for table in sorted(schema.tables):
        statement = f'SELECT COUNT(*) FROM {db.quoted(table)}'  # noqa: S608
        found[table] = int(db.row(statement, table)[0])
    return found


def orphans(db: connection.Database, key: schema_source.LiveForeignKey) -> int:
    """Return how many rows refer to a row that does not exist.

    :raises SourceUnusable: when the server does not answer.
    """
    pairs = [
        (db.quoted(mine), db.quoted(theirs))
        for mine, theirs in zip(key.columns, key.references)
    ]
    joined = ' AND '.join(f'c.{mine} = p.{theirs}' for mine, theirs in pairs)
    given = ' AND '.join(f'c.{mine} IS NOT NULL' for mine, _ in pairs)
    return int(
        db.row(
            f'SELECT COUNT(*) FROM {db.quoted(key.table)} c '  # noqa: S608
            f'LEFT JOIN {db.quoted(key.parent)} p ON {joined} '
            f'WHERE {given} AND p.{pairs[0][1]} IS NULL',
            key.table,
        )[0]
    )


def probe(db: connection.Database) -> Optional[float]:
    """Return how many seconds the server needs for a fixed amount of work.

    No table is read. The result is the least of three measurements, which
    the load of the machine has disturbed least.

    :returns: None for a dialect without such a statement.
    :raises SourceUnusable: when the server does not answer.
    """
    statement = _PROBES.get(db.dialect)
    if statement is None:
        return None
    taken = []
    for _ in range(_TIMES):
        started = time.monotonic()
        db.row(statement, 'the speed of the server')
        taken.append(time.monotonic() - started)
    return min(taken)


def server_settings(
    live: Optional[connection.Database], memory_bytes: int
) -> dict[str, int]:
    """Return the settings that make a MariaDB server as fast as another one.

    :param live: the other server; None when it cannot be asked.
    :param memory_bytes: the memory of this machine; the server may take half
        of it.
    :raises SourceUnusable: when the other server does not answer.
    """
    if live is None or live.dialect != 'mysql':
        return {}
    theirs = int(live.row('SELECT @@innodb_buffer_pool_size')[0])
    return {
        'innodb_buffer_pool_size': max(
            min(theirs, memory_bytes // 2), _LEAST_POOL_BYTES
        )
    }


def session_settings(
    copy: connection.Database, live: Optional[connection.Database]
) -> list[str]:
    """Return the statements that give a session the settings of production.

    The server of the copy is lenient, so that it accepts the rows of any dump.
    A migration has to run with production's innodb_strict_mode.

    :param live: the database of production; None when it cannot be asked.
    :raises SourceUnusable: when the database does not answer.
    """
    if copy.dialect != 'mysql':
        return []
    strict = True
    if live is not None and live.dialect == 'mysql':
        strict = bool(int(live.row('SELECT @@innodb_strict_mode')[0]))
    return [f'SET SESSION innodb_strict_mode = {int(strict)}']
