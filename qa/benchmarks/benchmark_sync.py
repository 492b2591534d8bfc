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
"""What pending-migrations says of the time of a db sync, and what it takes.

On MariaDB or MySQL and on PostgreSQL, it makes a database of the source
release with many rows in shares, and as many in share_instances, nine in ten
of them soft-deleted. It runs the check, then ``manila-manage db sync`` of the
target, from the environments that qa/real-releases.sh makes. It times the
statements, and subtracts their time on a database without rows.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import sqlalchemy as sa

from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.testing import schema

ACCOUNT = 'openstack_citest:openstack_citest@127.0.0.1'
SERVERS = (f'mysql+pymysql://{ACCOUNT}/', f'postgresql+psycopg2://{ACCOUNT}/')
DATABASE = 'openstack_citest_sync'
CACHE = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
# The same directory as in qa/real-releases.sh.
VENVS = os.environ.get('MANILA_PRECHECK_VENVS') or os.path.join(
    CACHE, 'manila-precheck', 'venvs'
)
BATCH_ROWS = 1_000_000

# By which factor an estimate may differ from the measured time.
FACTOR = 2.0

_UUID = {
    'mysql': "INSERT(INSERT(INSERT(INSERT(MD5(CONCAT('{}', n)), 9, 0, '-'), "
    "14, 0, '-'), 19, 0, '-'), 24, 0, '-')",
    'postgresql': "CAST(CAST(MD5('{}' || n) AS UUID) AS VARCHAR)",
}
_NO_CHECKS = {
    'mysql': 'SET SESSION foreign_key_checks = 0, unique_checks = 0',
    'postgresql': 'SET session_replication_role = replica',
}
_ANALYZE = {'mysql': 'ANALYZE TABLE', 'postgresql': 'VACUUM ANALYZE'}
_DAY = '2026-04-01'
_DIGIT = '(' + ' UNION ALL '.join(f'SELECT {n} AS n' for n in range(10)) + ')'


def main():
    """Try every size on every server; return 1 if an estimate is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--source', type=int, default=21)
    parser.add_argument('--target', type=int, default=22)
    parser.add_argument(
        '--rows', type=int, action='append', help='default: 10^5 and 10^6'
    )
    parser.add_argument(
        '--server',
        action='append',
        help='the URL of a server without a database, by an account that may '
        'create one; default: those of tools/test-setup.sh',
    )
    args = parser.parse_args()
    off = 0
    for server in args.server or SERVERS:
        empty, _ = tried(server, args, 0)
        for rows in args.rows or (100_000, 1_000_000):
            seconds, said = tried(server, args, rows)
            took = max(seconds - empty, 0.0)
            dialect = server.partition('+')[0]
            line = (
                f'{dialect}, {args.source} to {args.target}, {rows} rows in '
                f'each: the statements take {seconds:.2f} s, {took:.2f} s '
                f'of it for the rows; said {said:.2f} s'
            )
            if said:
                right = said / FACTOR <= took <= said * FACTOR
                off += not right
                line += f', {took / said:.2f} times that'
            print(line, flush=True)
    return 1 if off else 0


def tried(server, args, rows):
    """Return (seconds of the db sync, seconds of the estimate)."""
    engine = sa.create_engine(
        server + ('postgres' if 'postgresql' in server else ''),
        isolation_level='AUTOCOMMIT',
    )
    extra = ' CHARACTER SET utf8' if engine.dialect.name == 'mysql' else ''
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS {DATABASE}')
        connection.exec_driver_sql(f'CREATE DATABASE {DATABASE}{extra}')
        try:
            fill(server + DATABASE, args.source, rows)
            said = foretold(server + DATABASE, args.target)
            return taken(server + DATABASE, args.target), said
        finally:
            connection.exec_driver_sql(f'DROP DATABASE {DATABASE}')


def fill(url, major, rows):
    """Create the tables of a release, and fill them with rows."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')
    made = schema.create_schema(engine, releases.from_major(major))
    add_shares(engine, made.tables, rows)
    engine.dispose()


def add_shares(engine, tables, rows, *, live_every=10, day=_DAY):
    """Add rows to shares, and as many to share_instances.

    :param engine: an engine with the isolation level AUTOCOMMIT.
    :param tables: name -> the table of SQLAlchemy.
    :param live_every: one row in so many is not soft-deleted; 0: none is.
    :param day: the date of all times in the rows.
    """
    dialect = engine.dialect.name
    share, instance = (
        _UUID[dialect].format(name) for name in ('share', 'instance')
    )
    lives = f'MOD(n, {live_every}) = 0' if live_every else '1 = 0'
    at = f"'{day} 12:00:00'"
    deleted_at = f'CASE WHEN {lives} THEN NULL ELSE {at} END'
    if dialect == 'postgresql':
        at, deleted_at = (
            f'CAST({text} AS TIMESTAMP)' for text in (at, deleted_at)
        )
    common = {
        'created_at': at,
        'updated_at': at,
        'deleted_at': deleted_at,
    }
    added = {
        'shares': {
            **common,
            'id': share,
            'deleted': f"CASE WHEN {lives} THEN 'False' ELSE {share} END",
            'user_id': "'5f0b3c7d9a1e4b6f8c2d4e6f80a1b2c3'",
            'project_id': "'9c1b3c7d9a1e4b6f8c2d4e6f80a1b2c3'",
            'size': '10',
            'share_proto': "'NFS'",
            'display_name': "'a share of some project'",
            'display_description': "'what it is for'",
        },
        'share_instances': {
            **common,
            'id': instance,
            'share_id': share,
            'deleted': f"CASE WHEN {lives} THEN 'False' ELSE {instance} END",
            'host': "'controller-1@netapp-ha-1#aggr_ssd_01'",
            'status': "'available'",
            'access_rules_status': "'active'",
        },
    }
    digits = ', '.join(f'{_DIGIT} d{power}' for power in range(6))
    numbers = ' + '.join(f'd{power}.n * {10**power}' for power in range(6))
    with engine.connect() as connection:
        connection.exec_driver_sql(_NO_CHECKS[dialect])
        for table, values in added.items():
            for column in tables[table].columns:
                if not column.nullable and column.server_default is None:
                    values.setdefault(column.name, _nothing(column.type))
            for offset in range(0, rows, BATCH_ROWS):
                last = min(offset + BATCH_ROWS, rows)
                connection.exec_driver_sql(
                    f'INSERT INTO {table} ({", ".join(values)}) '
                    f'SELECT {", ".join(values.values())} FROM '
                    f'(SELECT {offset} + {numbers} AS n FROM {digits}) made '
                    f'WHERE n < {last} ORDER BY {values["id"]}'
                )
            connection.exec_driver_sql(f'{_ANALYZE[dialect]} {table}')


def _nothing(kind):
    """Return a value for a column that must not be NULL."""
    if isinstance(kind, sa.Boolean):
        return 'false'
    # Also for the Booleans of MySQL, which are integers.
    return '0' if isinstance(kind, sa.Integer) else "'-'"


def foretold(url, major):
    """Return how many seconds the check estimates for the tables."""
    with testing.Site(
        connection=url,
        source=None,
        target=releases.from_major(major).name,
        stage='stopped',
    ) as site:
        result = site.run('pending-migrations')
        if result.reason:
            raise SystemExit(result.reason)
        return sum(
            finding.data.get('seconds', 0.0) for finding in result.findings
        )


# Runs manila-manage, and prints the seconds of its statements. It runs by the
# Python of a release.
_PROGRAM = """
import sys
import time

import sqlalchemy as sa
from manila.cmd import manage

seconds = [0.0]


def before(connection, cursor, statement, values, context, many):
    context.started = time.monotonic()


def after(connection, cursor, statement, values, context, many):
    seconds[0] += time.monotonic() - context.started


sa.event.listen(sa.engine.Engine, 'before_cursor_execute', before)
sa.event.listen(sa.engine.Engine, 'after_cursor_execute', after)
code = manage.main()
print(seconds[0])
sys.exit(code)
"""


def taken(url, major):
    """Run a db sync; return how many seconds its statements take."""
    python = os.path.join(VENVS, f'm{major}', 'bin', 'python')
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, 'manila.conf')
        with open(conf, 'w', encoding='utf-8') as stream:
            stream.write(
                f'[DEFAULT]\nstate_path = {folder}\n'
                f'[database]\nconnection = {url}\n'
            )
        done = subprocess.run(
            [python, '-c', _PROGRAM, '--config-file', conf, 'db', 'sync'],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return float(done.stdout.splitlines()[-1])


if __name__ == '__main__':
    sys.exit(main())
