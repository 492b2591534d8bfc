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
"""Code shared by the programs that upgrade a real control plane."""

import argparse
import signal
import sys

from manila_precheck.tests import server_programs
from qa import hops
from qa.upgrade import broker
from qa.upgrade import processes


def parser(prog, description):
    """Return a parser for the paths, --keep and --table."""
    made = argparse.ArgumentParser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument('source', nargs='?', metavar='SOURCE')
    made.add_argument('target', nargs='?', metavar='TARGET')
    made.add_argument(
        '--all', action='store_true', help='every path, one after the other'
    )
    made.add_argument(
        '--keep', action='store_true', help='leave files and logs'
    )
    made.add_argument(
        '--table', metavar='FILE', help='write the results as reST'
    )
    return made


def paths(made, args):
    """Return the (source, target) of each path on the command line.

    :param made: the parser that parsed the arguments.
    """
    if bool(args.source) != bool(args.target) or (args.all and args.source):
        made.error('name a source and a target release, or --all')
    one = (args.source, args.target) if args.source else hops.MOST_COMMON
    return hops.HOPS if args.all else (one,)


def is_ready(servers):
    """Say whether all programs are installed; from now on, handle signals.

    :param servers: the database servers that the run will start.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    lacking = server_programs.missing(
        *(server.needs for server in servers), broker.RabbitMQ.needs
    )
    if lacking:
        sys.stderr.write(f'apt-get install {" ".join(lacking)}\n')
    return not lacking


def _end(number, _frame):
    # The threads stop waiting; the programs that were started are ended
    # when the exception leaves the run.
    processes.STOPPING.set()
    raise SystemExit(128 + number)
