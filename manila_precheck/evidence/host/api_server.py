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

"""What serves manila's API on this machine.

manila.conf does not tell. The running processes do, and so do the files that
tell uWSGI and Apache what to load. While nothing runs, the units that systemd
starts at boot tell, and kolla's containers. The program manila-api is a server
of its own; the script manila-wsgi and the module manila.wsgi.api are loaded
by a web server. manila has the script up to 20.0.3 (entry_points.txt) and the
module from 20.0.0 on (manila/wsgi/api.py); the program of 23.0.1 exits at
once.
"""

from collections.abc import Callable
from collections.abc import Iterable
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import service_processes

Kind = commands.ServerKind
How = service_processes.How


class ApiSign(NamedTuple):
    """One sign of which kind of server serves the API."""

    kind: Kind

    file: Optional[str] = None
    """The file of a web server or unit that starts it; None: a process."""

    line: Optional[int] = None
    """The line in the file, counted from 1."""

    eventlet: bool = False
    """Whether its environment asks for eventlet."""


def look(
    started: Iterable[service_processes.Started],
    counts: Callable[[service_processes.Started], bool] = lambda one: True,
) -> tuple[ApiSign, ...]:
    """Return all signs, each once.

    :param started: what starts services on the machine.
    :param counts: says whether a process belongs to the configuration that is
        checked; another cloud may run on the same machine.
    """
    ours = [one for one in started if one.command.service == commands.API]
    running = [
        ApiSign(one.command.kind, eventlet=one.eventlet)
        for one in ours
        if one.how is How.PROCESS and counts(one)
    ]
    hows = [How.WEB_SERVER]
    if not running:
        hows += [How.UNIT, How.CONTAINER]
    return tuple(
        dict.fromkeys(
            [
                *running,
                *(
                    ApiSign(one.command.kind, one.file, one.line, one.eventlet)
                    for how in hows
                    for one in ours
                    if one.how is how
                ),
            ]
        )
    )
