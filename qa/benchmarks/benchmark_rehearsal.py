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
"""What upgrade rehearse says of the time of a db sync, and what it takes.

On MariaDB and on PostgreSQL, it makes a database of the source release with
many rows in shares, and as many in share_instances. It dumps the database,
runs "upgrade rehearse" on the dump, then ``manila-manage db sync`` of the
target on the database itself, and times the statements as benchmark_sync does.
The memory is that of the process that rehearses, without the database server
and the target.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import sqlalchemy as sa

from qa.benchmarks import benchmark_sync

# By how much the time of a rehearsal may differ from the real one, in percent
# or in seconds: very short times do not matter.
PERCENT = 25
SECONDS = 0.5
MOST_MEGABYTES = 400

_DUMP = {
    'mysql': [
        'mariadb-dump',
        '--host=127.0.0.1',
        '--user=openstack_citest',
        '--single-transaction',
    ],
    'postgresql': [
        'pg_dump',
        '--host=127.0.0.1',
        '--username=openstack_citest',
    ],
}
_PASSWORDS = dict.fromkeys(('MYSQL_PWD', 'PGPASSWORD'), 'openstack_citest')

# Runs a command, and writes its peak memory, with children, to descriptor 2.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def main():
    """Try every size on every server; return 1 if a rehearsal is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--source', type=int, default=21)
    parser.add_argument('--target', type=int, default=22)
    parser.add_argument(
        '--rows', type=int, action='append', help='default: 10^5 and 10^6'
    )
    parser.add_argument('--server', action='append')
    args = parser.parse_args()
    off = 0
    for server in args.server or benchmark_sync.SERVERS:
        for rows in args.rows or (100_000, 1_000_000):
            with tempfile.TemporaryDirectory() as folder:
                off += tried(server, args, rows, folder)
    return 1 if off else 0


def tried(server, args, rows, folder):
    """Rehearse a db sync, then run it; return whether the time was off."""
    dialect = server.partition('+')[0]
    engine = sa.create_engine(
        server + ('postgres' if dialect == 'postgresql' else ''),
        isolation_level='AUTOCOMMIT',
    )
    extra = ' CHARACTER SET utf8' if dialect == 'mysql' else ''
    name = benchmark_sync.DATABASE
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS {name}')
        connection.exec_driver_sql(f'CREATE DATABASE {name}{extra}')
        try:
            benchmark_sync.fill(server + name, args.source, rows)
            said, restored, megabytes = rehearsed(
                server + name, dialect, args.target, folder
            )
            took = benchmark_sync.taken(server + name, args.target)
        finally:
            connection.exec_driver_sql(f'DROP DATABASE {name}')
    off = abs(said - took) > max(took * PERCENT / 100, SECONDS)
    print(
        f'{dialect}, {args.source} to {args.target}, {rows} rows in each: '
        f'restored in {restored:.1f} s, db sync {said:.2f} s on the copy and '
        f'{took:.2f} s on the database ({said / took - 1:+.0%}), '
        f'{megabytes} MB',
        flush=True,
    )
    return off or megabytes > MOST_MEGABYTES


def rehearsed(url, dialect, target, folder):
    """Rehearse; return (seconds of statements, of restore, megabytes)."""
    dump = os.path.join(folder, 'dump.sql')
    with open(dump, 'wb') as stream:
        subprocess.run(
            [*_DUMP[dialect], benchmark_sync.DATABASE],
            env={**os.environ, **_PASSWORDS},
            check=True,
            stdout=stream,
        )
    conf = os.path.join(folder, 'manila.conf')
    with open(conf, 'w', encoding='utf-8') as stream:
        stream.write(f'[database]\nconnection = {url}\n')
    python = os.path.join(benchmark_sync.VENVS, f'm{target}', 'bin', 'python')
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            _MEASURED,
            os.path.join(os.path.dirname(sys.executable), 'manila-precheck'),
            '--config-file',
            conf,
            'upgrade',
            'rehearse',
            f'--backup={dump}',
            f'--target-python={python}',
            '--format=json',
            '--database-only',
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    phases = {
        one['phase']: one
        for one in json.loads(done.stdout)['rehearsal']['phases']
    }
    return (
        sum(one['seconds'] for one in phases['sync']['statements']),
        phases['restore']['seconds'],
        int(done.stderr.splitlines()[-1]) // 1024,
    )


if __name__ == '__main__':
    sys.exit(main())
