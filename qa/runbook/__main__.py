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
"""Upgrade real manila control planes by following their runbooks.

    python -m qa.runbook
    python -m qa.runbook 2025.2 2026.1
    python -m qa.runbook --all --server postgresql --rows 1000000

Without releases it is the upgrade to the newest SLURP release from the one
before. The exit code is 1 when a runbook could not be followed, something was
lost, or a time was not as said; 2 when the harness could not do its work.
"""

import datetime
import pathlib
import sys

from manila_precheck import releases
from qa.runbook import follow
from qa.runbook import results
from qa.upgrade import command_line
from qa.upgrade import databases
from qa.upgrade import environments
from qa.upgrade import processes


def main(argv=None):
    """Follow the runbooks that the command line names."""
    parser = command_line.parser('tox -e runbook --', __doc__)
    parser.add_argument(
        '--server',
        choices=sorted(databases.SERVERS),
        action='append',
        help='of the database; may be given again (default: '
        f'{databases.MariaDB.dialect})',
    )
    parser.add_argument(
        '--rows',
        type=int,
        action='append',
        help='soft-deleted rows in shares, and as many in share_instances; '
        'may be given again (default: 100000)',
    )
    parser.add_argument(
        '--back',
        action='store_true',
        help='go the way back, too, after all of the upgrade',
    )
    args = parser.parse_args(argv)
    paths = command_line.paths(parser, args)
    servers = [
        databases.SERVERS[name]
        for name in args.server or [databases.MariaDB.dialect]
    ]
    if not command_line.is_ready(servers):
        return 2
    found, could_not = [], False
    for pair in paths:
        for server in servers:
            for rows in args.rows or [100_000]:
                try:
                    done = _one(pair, server, rows, args)
                except processes.Broken as exc:
                    sys.stderr.write(f'{" to ".join(pair)}: {exc}\n')
                    could_not = True
                    continue
                found += done
                for result in done:
                    sys.stdout.write(f'{results.terminal(result)}\n')
                sys.stdout.flush()
    if args.table:
        words = sys.argv[1:] if argv is None else argv
        kept = [word for word in words if word not in ('--table', args.table)]
        pathlib.Path(args.table).write_text(
            results.page(found, ' '.join(kept), datetime.date.today()),
            encoding='utf-8',
        )
    if could_not:
        return 2
    return 0 if all(result.passed for result in found) else 1


def _one(pair, server, rows, args):
    source, target = map(releases.parse, pair)
    made = environments.Environments()
    made.make([source, *follow.through(source, target)])
    with follow.Follow(made, source, target, server, keep=args.keep) as path:
        found = path.whole(rows, args.back)
        if args.keep:
            sys.stderr.write(f'kept: {path.scratch}\n')
    return found


if __name__ == '__main__':
    sys.exit(main())
