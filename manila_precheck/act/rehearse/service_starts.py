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

"""Have the services of the target start, as far as they come without a world.

:mod:`.inside.start` does it, in a process that has left all networks. It reads
the operator's own files, as each service does, with the database replaced by
the copy.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import os
from typing import Any
from typing import Callable
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck.act.rehearse import target
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.host import commands

#: How long one service may take, in seconds; it takes five.
EACH_SECONDS = 120.0
#: Its policies are loaded beside manila-api: nobody asks for them before the
#: first request.
POLICIES = 'policies'


class Stop(NamedTuple):
    """What a service does not come past, or what it logs and goes on."""

    at: str
    """The stage: 'import', 'start', 'database', 'setup', 'capabilities',
    'coordination', 'options' of a daemon; 'import', 'application', 'options',
    'database driver', 'requests' of manila-api; 'configuration', 'policies',
    'evaluation' of the policies."""

    error: str
    """The name of the exception: 'ConfigFileValueError'; '' of a log line."""

    words: str
    """What it says, as it says it: it may hold secrets."""

    place: str
    """The module and the line of manila: 'manila.rpc:53'; '' none."""

    options: tuple[str, ...]
    """The options whose reading ended in it: 'DEFAULT/report_interval'."""

    sections: tuple[str, ...]
    """Of api-paste.ini, the innermost first: 'filter:cors', 'cors'."""

    read: tuple[str, ...]
    """The options read in this stage before, the last one last."""

    rules: tuple[str, ...]
    """The policy rules whose evaluation ends so."""

    ends: bool
    """Whether it ends what is started; False: the service goes on."""


class Beyond(NamedTuple):
    """Where the rehearsal ended without an answer."""

    at: str
    """The stage."""

    door: str
    """What was in the way: 'connects to 192.0.2.1:443'."""

    words: str
    """What the service made of it; '' nothing."""

    unknown: bool
    """It was not the world: a time limit, or a fault of the rehearsal."""


class StartOutcome(NamedTuple):
    """How far one service came, or manila-share with one back end."""

    service: str
    """Its program, or 'policies'."""

    back_end: str
    """The section; '' for other services, and where none is enabled."""

    reached: str
    """The last stage that was begun."""

    stopped: tuple[Stop, ...]
    beyond: tuple[Beyond, ...]

    passed: tuple[str, ...] = ()
    """The stages that it came through."""

    accepted: tuple[str, ...] = ()
    """Of the options that were asked about, those whose values it has read
    and taken: 'group/name'."""

    @property
    def name(self) -> str:
        """Return what it is called: 'manila-share@alpha'."""
        name = commands.API if self.service == POLICIES else self.service
        return f'{name}@{self.back_end}' if self.back_end else name


class Starts(NamedTuple):
    """What became of all of them."""

    outcomes: tuple[StartOutcome, ...]
    """In the order of the services."""

    not_run: str = ''
    """Why none was started, or not all; '' when they were."""


def start(
    manila: target.Manila,
    services: Iterable[service_files.ServiceFiles],
    request: Mapping[str, object],
    connection: str,
    folder: str,
    seconds: float,
    built_in_server: bool = False,
    show: Callable[[str], None] = lambda words: None,
    each_seconds: float = EACH_SECONDS,
    asked: Iterable[str] = (),
) -> Starts:
    """Start each service of the target on the operator's files.

    :param manila: the target.
    :param services: what each reads; each list of files once.
    :param request: what every job is asked (:class:`.rehearsal.Stand`).
    :param connection: SQLAlchemy's URL of the copy. One without a socket
        cannot be reached, and what reads it is not looked at.
    :param folder: a private directory: what the services write goes there.
    :param seconds: how long all of them may take.
    :param built_in_server: whether manila-api serves by its own program, not
        in a web server.
    :param show: shows what is being done, on one line.
    :param each_seconds: how long one of them may take.
    :param asked: options; whether each service takes their values is noted.
    :raises SourceUnusable: when the interpreter cannot be run, or does not
        answer.
    """
    outcomes: list[StartOutcome] = []
    refused: list[bool] = []

    def heed(event: target.Event) -> None:
        if event['what'] == 'refused':
            refused.append(True)
        elif event['what'] == 'outcome':
            outcomes.append(_outcome(event, manila.words))
            show(f'{outcomes[-1].name} was started')

    ended = target.run(
        manila,
        'start',
        {
            **request,
            'offline': True,
            'tasks': list(_tasks(services, built_in_server)),
            'connection': connection,
            'directory': folder,
            'each': each_seconds,
            'asked': list(asked),
        },
        seconds,
        heed,
        {'HOME': os.path.expanduser('~'), 'TMPDIR': folder},
    )
    if refused:
        return Starts(
            (),
            'this host does not permit a network namespace, and without one '
            'they would not be cut off from the network; run it as root, or '
            'let users have namespaces (user.max_user_namespaces)',
        )
    if ended.code is None:
        return Starts(
            tuple(outcomes),
            f'it did not come to an end within {seconds:g} seconds',
        )
    if ended.code:
        words = ended.error['words'] if ended.error else ended.log[-500:]
        raise exceptions.SourceUnusable(
            f'{manila.words} cannot start its services: '
            f'{words or "it says nothing"}'
        )
    return Starts(tuple(outcomes))


def _tasks(
    services: Iterable[service_files.ServiceFiles], built_in_server: bool
) -> 'Iterable[dict[str, Any]]':
    found: dict[tuple[str, service_files.Reads], dict[str, Any]] = {}
    for one in services:
        if one.service not in commands.SERVICES or not one.locations:
            continue
        names = [one.service]
        if one.service == commands.API:
            names.append(POLICIES)
        for name in names:
            found.setdefault(
                (name, one.reads),
                {
                    'service': name,
                    'program': built_in_server,
                    'locations': [
                        os.path.abspath(os.path.expanduser(path))
                        for path in one.locations
                    ],
                    'variables': [list(v) for v in one.environment.variables],
                },
            )
    return found.values()


def _outcome(event: target.Event, words: str) -> StartOutcome:
    try:
        return StartOutcome(
            str(event['service']),
            str(event['back_end']),
            str(event['reached']),
            tuple(map(_stop, event['stopped'])),
            tuple(Beyond(**beyond) for beyond in event['beyond']),
            tuple(map(str, event['passed'])),
            tuple(map(str, event['accepted'])),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise exceptions.SourceUnusable(
            f'{words} did not answer what became of its services'
        ) from None


def _stop(one: dict[str, Any]) -> Stop:
    lists = {
        name: tuple(map(str, one[name]))
        for name in ('options', 'sections', 'read', 'rules')
    }
    return Stop(**{**one, **lists})
