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

"""What rabbitmqctl lists, if the broker runs on this host."""

from collections.abc import Sequence
import json
import os
import time
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.host import listeners
from manila_precheck.evidence.host import programs

# The directory of the Erlang cookie that RabbitMQ's commands log in with.
_HOME = '/var/lib/rabbitmq'


def listens(address: str, port: int, until: float) -> bool:
    """Say whether the broker that the command asks listens on a port.

    There may be several brokers on a host.
    """
    found = _asked(address, ['status'], until)
    listeners_ = found.get('listeners') if isinstance(found, dict) else None
    return isinstance(listeners_, list) and any(
        isinstance(one, dict) and one.get('port') == port for one in listeners_
    )


def listed(
    address: str, words: Sequence[str], until: float
) -> Optional[list[Any]]:
    """Return the rows of a list; None if it cannot be run.

    :param address: the IP address of the broker; '' if it is not known.
    :param words: the command and its arguments.
    :param until: the time by which it must have finished.
    """
    found = _asked(address, words, until)
    return found if isinstance(found, list) else None


def _asked(address: str, words: Sequence[str], until: float) -> Any:
    """Return the answer to a command; None if it cannot be run."""
    if os.geteuid() or not os.path.exists(f'{_HOME}/.erlang.cookie'):
        # Without a cookie, Erlang would create one.
        return None
    if not (address and listeners.has_address(address)):
        return None
    try:
        program = programs.find('rabbitmqctl')
        if program is None:
            return None
        done = programs.run(
            [program, '-q', *words, '--formatter', 'json'],
            until - time.monotonic(),
            variables={'HOME': _HOME},
        )
        return json.loads(done.stdout) if not done.code else None
    except (exceptions.SourceUnusable, ValueError, RecursionError):
        return None
