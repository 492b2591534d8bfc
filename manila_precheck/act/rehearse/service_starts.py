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

"""Start the services of the target, as far as they get without the network.

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

#: How long one service may take, in seconds; it usually takes five.
EACH_SECONDS = 120.0
#: The policies of manila-api, which are loaded as a task of their own:
#: manila-api itself loads them only at the first request.
POLICIES = 'policies'


class Stop(NamedTuple):
    """An error that stops a service, or that it logs before it goes on."""

    at: str
    """The stage: 'import', 'start', 'database', 'setup', 'capabilities',
    'coordination', 'options' of a daemon; 'import', 'application', 'options',
    'database driver', 'requests' of manila-api; 'configuration', 'policies',
    'evaluation' of the policies."""

    error: str
    """The class of the exception: 'ConfigFileValueError'; '' for a log."""

    words: str
    """The message of the error, unchanged: it may hold secrets."""

    place: str
    """The module and the line of manila: 'manila.rpc:53'; '' when unknown."""

    options: tuple[str, ...]
    """The options that raised it when read: 'DEFAULT/report_interval'."""

    sections: tuple[str, ...]
    """Sections of api-paste.ini, innermost first: 'filter:cors', 'cors'."""

    read: tuple[str, ...]
    """The options that this stage read before the error, in that order."""

    rules: tuple[str, ...]
    """The policy rules whose evaluation raises the error."""

    ends: bool
    """Whether the error ends the start; False: the service goes on."""


class Beyond(NamedTuple):
    """A point beyond which the rehearsal knows nothing about a service."""

    at: str
    """The stage."""

    door: str
    """What the service tried there: 'connects to 192.0.2.1:443'."""

    words: str
    """The error that the service made of it; '' for none."""

    unknown: bool
    """Whether the cause is not the confinement but a time limit, or a fault of
    the rehearsal."""


class StartOutcome(NamedTuple):
    """How far one service got, or manila-share with one back end."""

    service: str
    """Its program, or 'policies'."""

    back_end: str
    """Its section; '' for other services, and when no back end is enabled."""

    reached: str
    """The last stage that it began."""

    stopped: tuple[Stop, ...]
    beyond: tuple[Beyond, ...]

    passed: tuple[str, ...] = ()
    """The stages that it completed."""

    accepted: tuple[str, ...] = ()
    """Those of the asked options whose values it has read and accepted:
    'group/name'."""

    @property
    def name(self) -> str:
        """Return its name for messages: 'manila-share@alpha'."""
        name = commands.API if self.service == POLICIES else self.service
        return f'{name}@{self.back_end}' if self.back_end else name


class Starts(NamedTuple):
    """The outcomes of all services."""

    outcomes: tuple[StartOutcome, ...]
    """In the order of the services."""

    not_run: str = ''
    """Why some or all services were not started; '' when all were."""


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
    :param services: the files that each service reads; a service is started
        once for each list of files.
    :param request: the request common to all jobs (:class:`.rehearsal.Stand`).
    :param connection: SQLAlchemy's URL of the copy. A copy without a socket
        cannot be reached, so stages that read the database are not rehearsed.
    :param folder: a private directory for the files that the services write.
    :param seconds: how long all of them may take.
    :param built_in_server: whether the program manila-api serves the API, not
        a web server.
    :param show: shows on one line what is being done.
    :param each_seconds: how long one of them may take.
    :param asked: the options for which to note whether each service accepts
        their values.
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
