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

"""What the manila-status of the installed manila reports.

``manila-status upgrade check --json`` runs in a process of its own, with the
interpreter that runs this program and on the same configuration. Every manila
from 12 on supports ``--json`` (oslo.upgradecheck 1.3). A manila is not run if
it is only found through PYTHONPATH, the working directory or the user's own
packages.
"""

from collections.abc import Iterable
import json
import os
import sys
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.host import programs

#: The check that runs the command.
CHECK_ID = 'manila-status'

#: Set in the environment of the command: a manila-status that includes our
#: checks then leaves them out, because they run already.
NESTED_VARIABLE = 'MANILA_PRECHECK_IN_MANILA_STATUS'

# manila 12.1.2 to 23.0.1 setup.cfg: manila-status = manila.cmd.status:main;
# the module can be run, too.
_MODULE = 'manila.cmd.status'


class StatusResult(NamedTuple):
    """The result of one of manila's own checks."""

    name: str
    """Its title: 'Policy File JSON to YAML Migration'."""

    code: int
    """0 success, 1 warning, 2 failure: oslo.upgradecheck's Code."""

    details: str
    """The explanation; '' when there is none."""


def ask(
    locations: Iterable[str], timeout_seconds: float
) -> tuple[StatusResult, ...]:
    """Run manila-status and return the results of its checks, in order.

    :param locations: configuration files and directories, in order; empty:
        manila-status finds its own.
    :param timeout_seconds: how long it may take before it is ended.
    :raises SourceUnusable: when it prints no result.
    """
    # Isolated: neither the working directory nor PYTHONPATH is searched.
    words = [sys.executable, '-I', '-B', '-m', _MODULE]
    for path in locations:
        path = os.path.abspath(os.path.expanduser(path))
        flag = '--config-dir' if os.path.isdir(path) else '--config-file'
        words += [flag, path]
    done = programs.run(
        [*words, 'upgrade', 'check', '--json'],
        timeout_seconds,
        # The variables that oslo.config takes for options.
        variables={
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith('OS_') and '__' in name
            },
            NESTED_VARIABLE: '1',
        },
        name='manila-status',
    )
    if "No module named 'manila'" in done.stderr:
        raise exceptions.SourceUnusable(
            f'manila-status was not run: {sys.executable} finds manila '
            'through PYTHONPATH, the working directory or user packages, '
            'which are not used to run it'
        )
    found = _answers(done.stdout)
    if found is None:
        raise exceptions.SourceUnusable(
            f'manila-status ended with {done.code} and printed no '
            f'result{_last_line(done.stderr)}'
        )
    return found


def _answers(text: str) -> Optional[tuple[StatusResult, ...]]:
    """Return the results from the JSON in an output; None without JSON.

    The JSON is one line; libraries of manila may print other lines.
    """
    for line in reversed(text.splitlines()):
        try:
            return tuple(
                StatusResult(
                    str(item['check']),
                    int(item['result']),
                    str(item['details'] or ''),
                )
                for item in json.loads(line)['checks']
            )
        except (KeyError, TypeError, ValueError):
            continue
    return None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return f': {lines[-1].strip()}' if lines else ''
