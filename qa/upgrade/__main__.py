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

"""Upgrade real manila control planes, and score what was predicted.

    python -m qa.upgrade
    python -m qa.upgrade 2025.2 2026.1
    python -m qa.upgrade --all
    python -m qa.upgrade \\
        --server postgresql 2025.1 2026.1

Without releases it is the upgrade to the newest SLURP release from the one
before. It needs the programs of MariaDB, or PostgreSQL, and RabbitMQ, and
starts servers of its own.
The exit code is 1 when a scenario did not go as it should, 2 when the
harness itself could not do its work.
"""

import datetime
import json
import pathlib
import sys
import time

from manila_precheck import releases
from qa.upgrade import command_line
from qa.upgrade import databases
from qa.upgrade import environments
from qa.upgrade import processes
from qa.upgrade import run
from qa.upgrade import table


def main(argv=None):
    """Run the paths that the command line names."""
    parser = command_line.parser('tox -e upgrade --', __doc__)
    parser.add_argument(
        '--server',
        choices=sorted(databases.SERVERS),
        default=databases.MariaDB.dialect,
        help='of the database (default: %(default)s)',
    )
    parser.add_argument(
        '--only',
        action='append',
        default=[],
        metavar='TEXT',
        help='scenarios so called; --table adds them to those of the path',
    )
    parser.add_argument(
        '--rehearse',
        action='store_true',
        help='rehearse each scenario of files and of the database, too',
    )
    args = parser.parse_args(argv)
    paths = command_line.paths(parser, args)
    server = databases.SERVERS[args.server]
    if not command_line.is_ready([server]):
        return 2
    results, could_not = {}, False
    for pair in paths:
        try:
            title, found = _path(pair, server, args)
            results[title] = found
        except processes.Broken as exc:
            # Go on with the other paths.
            sys.stderr.write(f'{" to ".join(pair)}: {exc}\n')
            could_not = True
    if args.table:
        _write(pathlib.Path(args.table), results, bool(args.only))
    if could_not:
        return 2
    good = all(one.passed for found in results.values() for one in found)
    return 0 if good else 1


def _path(pair, server, args):
    began = time.monotonic()
    source, target = map(releases.parse, pair)
    made = environments.Environments()
    made.make([source, target])
    with run.Run(
        made, source, target, server, args.only, args.keep, args.rehearse
    ) as path:
        results = path.whole()
        if args.keep:
            sys.stderr.write(f'kept: {path.scratch}\n')
    sys.stdout.write(
        f'{table.terminal(results)}\n\n{table.summary(path.path, results)}, '
        f'{time.monotonic() - began:.0f} s\n\n'
    )
    for key in sorted({key for one in results for key in one.wrong}):
        sys.stdout.write(f'WRONG {key}: {path.messages.get(key)}\n\n')
    for one in results:
        for key in one.unforetold:
            sys.stdout.write(f'NOT FORETOLD {one.scenario}: {key}\n\n')
    sys.stdout.flush()
    return str(path.path), results


def _write(page, results, adds):
    """Write the tables, and next to them the records they are made from.

    The records of other paths are kept.

    :param adds: whether the results are added to the record of their path;
        otherwise they replace it.
    """
    day = datetime.date.today().isoformat()
    data = page.with_suffix('.json')
    recorded = {}
    if data.exists():
        recorded = json.loads(data.read_text(encoding='utf-8'))
    for title, found in results.items():
        known = recorded.get(title) if adds else None
        recorded[title] = table.record(found, day, known)
    text = json.dumps(recorded, indent=1, sort_keys=True)
    data.write_text(f'{text}\n', encoding='utf-8')
    page.write_text(table.page(recorded), encoding='utf-8')


if __name__ == '__main__':
    sys.exit(main())
