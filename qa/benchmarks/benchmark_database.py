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
"""What reading a large database costs, as ratios in one run.

    python qa/benchmarks/benchmark_database.py [--server URL]... [--rows N]

On each server it makes a database of 2026.1 with that many rows, nine in ten
of them soft-deleted (large_database.py). Then soft-deleted-rows runs
alternately with SELECT COUNT(*) on the same tables. The latter is made to read
the rows themselves, where MySQL would choose the smallest index. The shortest
of several times counts, since other load of the machine only adds to it.

It also prints how many rows the server has read, by the server's own counters,
so nobody else should use the server meanwhile. The last part runs under a load
of point reads, inserts, and updates that leave old versions of rows behind.

On a machine with other load, the times of one statement differ by half and
more. With --pid, the CPU time of the server is compared as well: give its
process id for each server, in the same order.

Exit code 1 when a goal is not reached.
"""

import argparse
import contextlib
import datetime
import itertools
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import large_database
import sqlalchemy as sa

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.checks.soft_deleted_rows.sql import counting as purge
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.evidence.database import connection as database_connection

ACCOUNT = 'openstack_citest:openstack_citest@127.0.0.1'
SERVERS = (f'mysql+pymysql://{ACCOUNT}/', f'postgresql+psycopg2://{ACCOUNT}/')
DATABASE = 'openstack_citest_rows'
# The age limit of the purge, and the check to measure.
AGE = datetime.timedelta(days=30)
CHECK = 'soft-deleted-rows'
SMALLEST = 'SELECT COUNT(*) FROM {}'
MAIN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

# The limits of the ratios: (on MySQL, on PostgreSQL).
GOALS = {
    'rows read / rows': (1.05, 1.05),
    'rows read by all checks / rows': (2.0, 2.0),
    'rows read by --quick / rows': (0.03, 0.03),
    'exact / COUNT(*)': (2.0, 2.0),
    'two connections / COUNT(*)': (1.1, 1.1),
    'in pieces / in one statement': (1.2, 1.2),
    'longest statement, s': (0.25, 0.25),
    'peak, MiB': (60, 60),
    'p99 beside it / p99 alone': (1.2, 1.8),
    'history beside it / alone': (1.3, None),
}


class Bench:
    """One server and its large database."""

    def __init__(self, server, rows, runs, keep, database=DATABASE, pid=None):
        self.server = server
        self.pid = pid
        self.runs = runs
        self.keep = keep
        self.database = database
        self.url = server + database
        self.engine = sa.create_engine(
            self.url, isolation_level='AUTOCOMMIT', pool_size=20
        )
        self.mysql = self.engine.dialect.name == 'mysql'
        self.rows = rows
        self.longest = 0.0

    @contextlib.contextmanager
    def made(self):
        """Make the database, or use one that was kept."""
        admin = sa.create_engine(
            self.server + ('' if self.mysql else 'postgres'),
            isolation_level='AUTOCOMMIT',
        )
        with admin.connect() as connection:
            try:
                self.value('SELECT COUNT(*) FROM shares')
            except sa.exc.SQLAlchemyError:
                connection.exec_driver_sql(
                    f'DROP DATABASE IF EXISTS {self.database}'
                )
                extra = ' CHARACTER SET utf8' if self.mysql else ''
                connection.exec_driver_sql(
                    f'CREATE DATABASE {self.database}{extra}'
                )
                print(f'making {self.rows} rows ...', flush=True)
                large_database.make(self.url, self.rows)
            try:
                yield
            finally:
                self.engine.dispose()
                if not self.keep:
                    connection.exec_driver_sql(
                        f'DROP DATABASE {self.database}'
                    )

    def value(self, statement):
        with self.engine.connect() as connection:
            return connection.exec_driver_sql(statement).scalar()

    @property
    def counting(self):
        """Return the statement that counts the rows of a table."""
        if self.mysql:
            return 'SELECT COUNT(*) FROM {} FORCE INDEX (PRIMARY)'
        return SMALLEST

    # Measurements

    def tables(self):
        found = catalog.Catalog().tables(
            releases.parse(large_database.RELEASE)
        )
        return [name for name, one in found.items() if one.column('deleted')]

    def count(self, form=None):
        """Run a statement for each table; return the seconds and the rows."""
        total, form = 0, form or self.counting
        started = time.monotonic()
        with self.engine.connect() as connection:
            if not self.mysql:
                connection.exec_driver_sql(
                    'SET max_parallel_workers_per_gather = 0'
                )
            for table in self.tables():
                total += (
                    connection.exec_driver_sql(form.format(table)).scalar()
                    or 0
                )
        return time.monotonic() - started, total

    def one_statement(self):
        """Return the seconds of the aggregate, one statement per table."""
        with testing.Site(connection=self.url, source=None) as site:
            db = site.context().database
            wanted = purge.Filter(
                db,
                catalog.Catalog().purge(
                    releases.parse(large_database.RELEASE), db.dialect
                ),
                db.now() - AGE,
            )
            started = time.monotonic()
            for table in purge.tables(db, wanted.purge):
                counting = purge._Counting(wanted, table, purge.Extra())
                counting.row(purge._PACKED, '1 = 1', counting.recycled)
            return time.monotonic() - started

    def run(self, check_id=CHECK, **options):
        """Return the seconds of one check, run as in the command."""
        site = testing.Site(
            connection=self.url, source=None, target='2026.2', options=options
        )
        with site, _statements(self):
            started = time.monotonic()
            result = site.run(check_id)
            seconds = time.monotonic() - started
        if result.outcome is model.Outcome.ERROR:
            raise SystemExit(f'{check_id}: {result.reason}')
        return seconds

    def processor(self):
        """Return the CPU seconds of the server's processes so far."""
        if self.pid is None:
            return 0.0
        # Wait, so that a session that is just ending is counted.
        time.sleep(0.5)
        ticks = sum(_stat(self.pid)[11:15])
        for name in os.listdir('/proc'):
            if name.isdigit():
                with contextlib.suppress(OSError):
                    found = _stat(name)
                    if found[1] == self.pid:
                        ticks += sum(found[11:13])
        return ticks / os.sysconf('SC_CLK_TCK')

    def rows_read(self):
        """Return how many rows the server has read so far."""
        if self.mysql:
            with self.engine.connect() as connection:
                return sum(
                    int(row[1])
                    for row in connection.exec_driver_sql(
                        "SHOW GLOBAL STATUS LIKE 'Handler_read%%'"
                    )
                )
        # A session reports its counts after a while, and when it ends.
        self.engine.dispose()
        time.sleep(2)
        return int(
            self.value(
                'SELECT SUM(COALESCE(seq_tup_read, 0) + '
                'COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables'
            )
        )

    def read_by(self, call):
        before = self.rows_read()
        call()
        return self.rows_read() - before

    def history(self):
        return int(
            self.value(
                'SELECT count FROM information_schema.innodb_metrics '
                "WHERE name = 'trx_rseg_history_len'"
            )
        )

    def peak(self):
        """Return the peak memory in MiB of the command with this check."""
        with tempfile.TemporaryDirectory() as folder:
            conf = os.path.join(folder, 'manila.conf')
            with open(conf, 'w') as stream:
                stream.write(
                    f'[DEFAULT]\n[database]\nconnection = {self.url}\n'
                )
            command = [sys.executable, '-c', MAIN, '--config-file', conf]
            command += ['upgrade', 'check', '--target-release', '2026.2']
            return _peak([*command, '--check', CHECK])

    # Measurements beside a load

    def beside(self, seconds, call=None):
        """Run a load; return its p99, the mean history, and its statements.

        The p99 is in ms; the history is InnoDB's history list length.
        """
        stop = multiprocessing.Event()
        pipe, other = multiprocessing.Pipe(False)
        clients = multiprocessing.Process(
            target=_load, args=(self.url, stop, other)
        )
        clients.start()
        time.sleep(1)
        start = self.history() if self.mysql else 0
        lengths = [start]
        ends = time.monotonic() + seconds
        worker = threading.Thread(target=_repeat, args=(call, ends))
        worker.start()
        while time.monotonic() < ends or worker.is_alive():
            time.sleep(0.1)
            if self.mysql:
                lengths.append(self.history())
        stop.set()
        times = sorted(pipe.recv())
        clients.join()
        return (
            times[int(len(times) * 0.99)] * 1000,
            # The mean, since a single sample would decide the maximum.
            sum(lengths) / len(lengths),
            len(times),
        )


def _stat(pid):
    """Return the numbers of /proc/PID/stat after the name."""
    with open(f'/proc/{pid}/stat') as stream:
        words = stream.read().rpartition(')')[2].split()
    return [int(word) if word.lstrip('-').isdigit() else 0 for word in words]


def _repeat(call, ends):
    while call is not None and time.monotonic() < ends:
        call()


def _load(url, stop, pipe):
    """Read, insert and update rows until told to stop."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')
    chance, times = random.Random(1), []
    with engine.connect() as connection:
        ids = [
            row[0]
            for row in connection.exec_driver_sql(
                'SELECT id FROM share_servers LIMIT 1000'
            )
        ]
        top = connection.exec_driver_sql(
            'SELECT MAX(id) FROM share_server_backend_details'
        ).scalar_one()
        names = 'id, share_server_id, '
        names += '`key`' if engine.dialect.name == 'mysql' else 'key'
        statements = [
            "SELECT * FROM share_servers WHERE id = '{id}'",
            f'INSERT INTO share_server_backend_details ({names}, value, '
            "deleted) VALUES ({top}, '{id}', 'k', 'v', 'False')",
            "UPDATE share_servers SET host = 'h{top}' WHERE id = '{id}'",
        ]
        while not stop.is_set():
            for statement in statements:
                top += 1
                text = statement.format(id=chance.choice(ids), top=top)
                started = time.monotonic()
                connection.exec_driver_sql(text)
                times.append(time.monotonic() - started)
            time.sleep(0.002)
        connection.exec_driver_sql(
            "DELETE FROM share_server_backend_details WHERE value = 'v'"
        )
    pipe.send(times)


@contextlib.contextmanager
def _statements(bench):
    """Note the longest statement of the program."""
    original = database_connection.Database._fetch

    def timed(self, execute, about):
        started = time.monotonic()
        try:
            return original(self, execute, about)
        finally:
            bench.longest = max(bench.longest, time.monotonic() - started)

    database_connection.Database._fetch = timed
    try:
        yield
    finally:
        database_connection.Database._fetch = original


def _peak(command):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        os.write(writer, str(used / 1024).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        found = float(stream.read())
    os.waitpid(child, 0)
    return found


def _database_checks():
    found = []
    for entry in registry.checks():
        loaded = registry.load_check(entry)
        if isinstance(loaded, check.Check):
            if model.Source.DATABASE in loaded.sources():
                found.append(entry.result_id)
    return found


def measure(bench, seconds):
    """Return name -> value of each goal; print the measurements."""
    bench.count()
    calls = {
        'COUNT(*)': lambda: bench.count()[0],
        'one column': lambda: bench.count('SELECT COUNT(deleted_at) FROM {}')[
            0
        ],
        'aggregate': bench.one_statement,
        'exact': bench.run,
        'two': lambda: bench.run(database_connections=2),
        'quick': lambda: bench.run(quick=True),
    }
    if bench.mysql:
        calls['smallest index'] = lambda: bench.count(SMALLEST)[0]
    times = {name: [] for name in calls}
    work = {name: [] for name in calls}
    rows = bench.count()[1]
    for _ in range(bench.runs):
        # In turn, so that other load of the machine affects all of them.
        for name, call in calls.items():
            before = bench.processor()
            times[name].append(call())
            work[name].append(bench.processor() - before)
    best = {name: min(found) for name, found in times.items()}
    least = {name: min(found) for name, found in work.items()}
    print(f'{rows} rows')
    for name, found in best.items():
        ratio = found / best['COUNT(*)']
        text = f'  {name:<20}{found:>9.2f} s {ratio:>8.2f}'
        if least['COUNT(*)']:
            ratio = least[name] / least['COUNT(*)']
            text += f'   processor {least[name]:>7.2f} s {ratio:>8.2f}'
        print(text, flush=True)
    read = bench.read_by(bench.run)
    every = sum(
        bench.read_by(lambda one=one: bench.run(one))
        for one in _database_checks()
    )
    quick = bench.read_by(lambda: bench.run(quick=True))
    print(f'  rows read: {read}, by all checks {every}, by --quick {quick}')
    bench.longest = 0.0
    bench.run()
    values = {
        'rows read / rows': read / rows,
        'rows read by all checks / rows': every / rows,
        'rows read by --quick / rows': quick / rows,
        'exact / COUNT(*)': best['exact'] / best['COUNT(*)'],
        'two connections / COUNT(*)': best['two'] / best['COUNT(*)'],
        'in pieces / in one statement': best['exact'] / best['aggregate'],
        'longest statement, s': bench.longest,
        'peak, MiB': bench.peak(),
    }
    if seconds:
        values.update(_beside(bench, seconds))
    return values


def _beside(bench, seconds):
    ratios = []
    for _ in range(bench.runs):
        alone, mean, number = bench.beside(seconds)
        busy, more, fewer = bench.beside(seconds, bench.run)
        print(f'  alone: p99 {alone:.2f} ms of {number}, history {mean:.1f}')
        print(f'  beside: p99 {busy:.2f} ms of {fewer}, history {more:.1f}')
        ratios.append((busy / alone, more / max(mean, 1)))
    p99, history = zip(*ratios)
    found = {'p99 beside it / p99 alone': statistics.median(p99)}
    if bench.mysql:
        found['history beside it / alone'] = statistics.median(history)
    return found


def main():
    """Measure on each server, print the ratios; return 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--server', action='append', help='URL, ending in /')
    parser.add_argument('--rows', type=int, default=1_000_000)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--load-seconds', type=float, default=20)
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--database', default=DATABASE, help='its name')
    parser.add_argument('--pid', action='append', type=int, default=[])
    args = parser.parse_args()
    reached = True
    servers = args.server or SERVERS
    for server, pid in itertools.zip_longest(servers, args.pid):
        bench = Bench(
            server, args.rows, args.runs, args.keep, args.database, pid
        )
        with bench.made():
            print(bench.engine.dialect.name, flush=True)
            values = measure(bench, args.load_seconds)
        for name, value in values.items():
            goal = GOALS[name][0 if bench.mysql else 1]
            word = '' if value <= goal else '  NOT REACHED'
            reached = reached and value <= goal
            print(f'  {name:<34}{value:>9.3f} (goal {goal}){word}')
    return 0 if reached else 1


if __name__ == '__main__':
    sys.exit(main())
