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

"""What the manila that is installed here says of itself.

``manila-status upgrade check --json`` is run in a process of its own, with
the interpreter that runs this, on the same configuration. Every manila from
12 on understands ``--json`` (oslo.upgradecheck 1.3). A manila that only
PYTHONPATH, the working directory or the user's own packages hold is not run.
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

#: Set in the environment of the command, so that a manila-status with our
#: checks in it leaves them out: they run already.
NESTED_VARIABLE = 'MANILA_PRECHECK_IN_MANILA_STATUS'

# manila 12.1.2 to 23.0.1 setup.cfg: manila-status = manila.cmd.status:main;
# the module is a program too.
_MODULE = 'manila.cmd.status'


class StatusResult(NamedTuple):
    """What one of manila's own checks says."""

    name: str
    """Its title: 'Policy File JSON to YAML Migration'."""

    code: int
    """0 success, 1 warning, 2 failure: oslo.upgradecheck's Code."""

    details: str
    """In words; '' when it has none."""


def ask(
    locations: Iterable[str], timeout_seconds: float
) -> tuple[StatusResult, ...]:
    """Run manila-status and return what its checks say, in their order.

    :param locations: configuration files and directories, in order; none:
        it finds its own.
    :param timeout_seconds: how long it may take; it is ended then.
    :raises SourceUnusable: when it does not answer.
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
        # What oslo.config takes for values of options.
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
    """Return what the JSON in an output says; None when there is none.

    It is one line; libraries of manila may print others about themselves.
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
