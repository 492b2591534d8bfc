#!/usr/bin/env python3
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
"""What starting costs: CPU time and peak memory, as ratios in one run.

    benchmark_startup.py [--server URL] [--manila-python PATH]

The commands run several times in turn, each in a process of its own. The
smallest sum of user and system time of each counts, since other load of the
machine only adds to it. They run like an installed package: in a directory
without a checkout, which would be imported instead, and with the bytecode that
the first run leaves. ``--server`` names a server, with an account that may
create databases. For the run a database with the schema of 2025.1 and no rows
is made there, so that the command is measured, not the server.
``--manila-python`` names the interpreter of an environment in which manila
and this package are installed.
"""

import argparse
import contextlib
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile

SERVER = 'mysql+pymysql://openstack_citest:openstack_citest@127.0.0.1/'
DATABASE = 'openstack_citest_startup'

# Without PYTHONDONTWRITEBYTECODE, which tox sets: with it, each child would
# compile what it imports.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name != 'PYTHONDONTWRITEBYTECODE'
}

MAIN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)
LIBRARIES = (
    'import oslo_config.cfg, stevedore, oslo_upgradecheck.upgradecheck, '
    'oslo_db.sqlalchemy.engines, pymysql'
)

IMPORT_CATALOG = (
    'from manila_precheck import catalog, releases; '
    'from manila_precheck.catalog import advisories, support; '
    'pair = [releases.parse(name) for name in ("2025.1", "2026.1")]; '
    'facts = catalog.Catalog(); '
)
# The facts that a run over two releases needs, from every file.
LOAD_CATALOG = IMPORT_CATALOG + (
    'asks = (facts.options, facts.drivers, facts.policies, facts.paste, '
    'facts.tables, facts.steps, facts.revisions, facts.package, '
    'facts.requirements); '
    '[ask(release) for ask in asks for release in pair]; facts.secrets; '
    'advisories.load(); support.load()'
)
CATALOG_SECONDS = 0.05


def cost(command):
    """Return (CPU seconds, peak MiB, exit code) of one run of a command."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        done = subprocess.run(
            command,
            cwd='/',
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(
            writer,
            f'{used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024} '
            f'{done.returncode}'.encode(),
        )
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        cpu, peak, code = stream.read().split()
    os.waitpid(child, 0)
    return float(cpu), float(peak), int(code)


def measure(commands, runs):
    """Return name -> (least CPU seconds, highest peak MiB, exit code)."""
    costs = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(cost(command))
    return {
        name: (
            min(c[0] for c in found),
            max(c[1] for c in found),
            found[0][2],
        )
        for name, found in costs.items()
    }


def _run_sql(server, fill):
    # Called in a process of its own. The measured children start as copies of
    # their parent, so its imports would count in the peak of each.
    import sqlalchemy

    from manila_precheck import releases
    from manila_precheck.testing import schema

    admin = sqlalchemy.create_engine(server)
    with admin.begin() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS {DATABASE}')
        if fill:
            connection.exec_driver_sql(f'CREATE DATABASE {DATABASE}')
    if fill:
        with sqlalchemy.create_engine(server + DATABASE).begin() as connection:
            schema.create_schema(connection, releases.parse('2025.1'))


def _in_a_process(server, fill):
    process = multiprocessing.Process(target=_run_sql, args=(server, fill))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f'{DATABASE} could not be made or dropped')


@contextlib.contextmanager
def small_database(server):
    """Make a database of manila 2025.1 on a server, and yield its URL."""
    _in_a_process(server, True)
    try:
        yield server + DATABASE
    finally:
        _in_a_process(server, False)


def main():
    """Measure, print a table and the ratios; return 1 above a limit."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--server', default=SERVER, help='URL, ending in /')
    parser.add_argument('--manila-python', help='interpreter with manila')
    parser.add_argument('--runs', type=int, default=15)
    args = parser.parse_args()
    with small_database(args.server) as database:
        return compare(args, database)


def compare(args, database):
    """Run every command, print the costs and the ratios."""
    python = [sys.executable, '-c']
    with tempfile.TemporaryDirectory() as folder:
        conf = os.path.join(folder, 'manila.conf')
        with open(conf, 'w') as stream:
            stream.write(f'[DEFAULT]\n[database]\nconnection = {database}\n')
        run = [MAIN, '--config-file', conf, 'upgrade', 'check']
        commands = {
            'nothing': [*python, 'pass'],
            'import sqlalchemy': [*python, 'import sqlalchemy'],
            'import the libraries': [*python, LIBRARIES],
            'import the catalog': [*python, IMPORT_CATALOG],
            'load the catalog': [*python, LOAD_CATALOG],
            'check list': [*python, MAIN, 'check', 'list'],
            'upgrade check': [*python, *run],
        }
        limits = [
            ('check list', 'import sqlalchemy', 0.75),
            ('upgrade check', 'import the libraries', 1.25),
        ]
        if args.manila_python:
            there = [args.manila_python, '-c']
            # Skip the check that runs the other side of the ratio.
            commands['upgrade check beside manila'] = [
                *there,
                *run,
                '--skip',
                'manila-status',
            ]
            commands['manila-status upgrade check'] = [
                *there,
                'import sys; from manila.cmd import status; '
                'sys.exit(status.main())',
                '--config-file',
                conf,
                'upgrade',
                'check',
            ]
            limits.append(
                (
                    'upgrade check beside manila',
                    'manila-status upgrade check',
                    1.4,
                )
            )
        costs = measure(commands, args.runs)
    print(f'{"command":<32}{"CPU s":>8}{"peak MiB":>10}{"code":>6}')
    for name, (cpu, peak, code) in costs.items():
        print(f'{name:<32}{cpu:>8.3f}{peak:>10.1f}{code:>6}')
    print()
    passed = True
    for name, base, limit in limits:
        ratio = costs[name][0] / costs[base][0]
        passed = passed and ratio <= limit
        print(f'{name} / {base}: {ratio:.2f} (limit {limit})')
    seconds = costs['load the catalog'][0] - costs['import the catalog'][0]
    passed = passed and seconds <= CATALOG_SECONDS
    print(
        f'facts of two releases: {seconds * 1000:.0f} ms of CPU '
        f'(limit {CATALOG_SECONDS * 1000:.0f})'
    )
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
