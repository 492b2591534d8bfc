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

"""The configuration files that each service reads, in their order.

oslo.config gives each program files of its own: manila.conf and PROG.conf,
each from the first directory that has it, then manila.conf.d and PROG.conf.d
in the same way. --config-file on a command line replaces these files,
--config-dir replaces these directories, and the paths on the command line are
read last (oslo.config 8.8 and 10.7 cfg.py, find_config_files,
find_config_dirs, _parse_config_files). So a service of RDO, which has two
files on its command line, reads manila.conf.d before them.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import os
import posixpath
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import bundle
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import service_processes

How = service_processes.How

PROJECT = 'manila'

#: The files and directories, and the options in the environment.
Reads = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]

#: Every program that reads the configuration; last the one for "db sync".
PROGRAMS = (*commands.SERVICES, commands.MANAGE)

# Where all files are read as one list, the first of these services wins.
_FIRST = (commands.SHARE, *PROGRAMS)


class ServiceFiles(NamedTuple):
    """The files of one service."""

    service: str
    """The name of its program."""

    locations: tuple[str, ...]
    """Files and directories, in the order of reading."""

    how: How
    """How they are known."""

    pid: Optional[int] = None
    """The process with this command line."""

    file: Optional[str] = None
    """The file that says so: a unit, the configuration of a web server."""

    line: Optional[int] = None
    """The line in it, counted from 1."""

    missing: tuple[str, ...] = ()
    """The paths on its command line that do not exist."""

    prog: str = ''
    """The name of the program for oslo.config."""

    variables: tuple[tuple[str, str], ...] = ()
    """Variables that are meant to name files, but that manila ignores."""

    environment: service_processes.Environment = (
        service_processes.Environment()
    )
    """The options in its environment."""

    @property
    def reads(self) -> 'Reads':
        """Return everything from which its values come."""
        return self.locations, self.environment.variables


def defaults(
    prog: str,
    exists: Callable[[str], bool],
    home: str,
    environment: Mapping[str, str] = os.environ,
) -> tuple[list[str], list[str]]:
    """Return the default files and directories that oslo.config finds.

    :param prog: the name of the program.
    :param exists: says whether a path exists.
    :param home: the home directory of the account that runs it.
    :param environment: the variables of the program.
    """
    home = posixpath.normpath(home)
    directories = [
        posixpath.join(home, f'.{PROJECT}'),
        home,
        f'/etc/{PROJECT}',
        '/etc',
        *(
            posixpath.join(environment[name], 'etc', PROJECT)
            for name in ('SNAP_COMMON', 'SNAP')
            if environment.get(name)
        ),
    ]

    def first(name: str) -> list[str]:
        paths = (posixpath.join(d, name) for d in directories)
        return [path for path in paths if exists(path)][:1]

    if prog.endswith('.py'):
        prog = prog[:-3]
    names = (PROJECT, prog)
    return (
        [path for name in names for path in first(f'{name}.conf')],
        [path for name in names for path in first(f'{name}.conf.d')],
    )


class Machine:
    """The configuration files of a machine's services.

    :param site: the file system of the machine.
    :param environment: the variables by which files of snaps are found.
    """

    def __init__(
        self,
        site: tree.Tree = tree.HOST,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._site = site
        self._environment = environment

    @functools.cached_property
    def started(self) -> tuple[service_processes.Started, ...]:
        """What starts services, the most reliable first."""
        return service_processes.look(self._site)

    def of_started(self, one: service_processes.Started) -> ServiceFiles:
        """Return the files of a service that is started in this way."""
        located = commands.locations(one.command.arguments)
        files, directories = self._defaults(one)
        paths = [
            *([] if located.files else files),
            *([] if located.directories else directories),
        ]
        missing = []
        for path in located.given:
            here = self._here(one, path)
            if here is not None and self._site.exists(here):
                paths.append(here)
            else:
                missing.append(path if here is None else here)
        return ServiceFiles(
            one.command.service,
            tuple(dict.fromkeys(paths)),
            one.how,
            one.pid,
            one.file,
            one.line,
            tuple(missing),
            one.command.prog,
            one.variables,
            one.environment,
        )

    def of_program(self, prog: str) -> ServiceFiles:
        """Return the files of a program about which nothing is known."""
        files, directories = self.named_after(prog)
        return ServiceFiles(
            prog, (*files, *directories), How.DEFAULT, prog=prog
        )

    def named_after(self, prog: str) -> tuple[list[str], list[str]]:
        """Return the files and directories that have a program's name."""
        return defaults(
            prog, self._site.exists, self._home(None), self._environment
        )

    def is_among(self, path: str, locations: Iterable[str]) -> bool:
        """Say whether a path is among others, or in a directory of them."""
        real = self._real(path)
        others = set(map(self._real, locations))
        return real in others or posixpath.dirname(real) in others

    def _home(self, known: Optional[str]) -> str:
        """Return a home directory; if it is unknown, that of this run."""
        return known or self._site.expanduser('~')

    def _here(
        self, one: service_processes.Started, path: str
    ) -> Optional[str]:
        """Return where the file of a service is on this machine.

        :returns: None for a file that exists only in a container's image.
        """
        if path.startswith('~/') and one.home:
            path = posixpath.join(one.home, path[2:])
        path = posixpath.normpath(posixpath.join(one.directory, path))
        if one.container is not None:
            return one.container.on_host(path)
        return path

    def _defaults(
        self, one: service_processes.Started
    ) -> tuple[list[str], list[str]]:
        def exists(path: str) -> bool:
            here = self._here(one, path)
            return here is not None and self._site.exists(here)

        files, directories = defaults(
            one.command.prog, exists, self._home(one.home), self._environment
        )
        return (
            [str(self._here(one, path)) for path in files],
            [str(self._here(one, path)) for path in directories],
        )

    def shares(self, one: ServiceFiles, locations: Iterable[str]) -> bool:
        """Say whether a service reads any of some files and directories."""
        return bool(self._paths([one]) & set(map(self._real, locations)))

    def _paths(self, services: Iterable[ServiceFiles]) -> set[str]:
        return {
            self._real(path)
            for one in services
            for path in (*one.locations, *one.missing)
        }

    def _real(self, path: str) -> str:
        return self._site.realpath(self._site.expanduser(path))

    def _clouds(
        self, services: Iterable[ServiceFiles]
    ) -> list[list[ServiceFiles]]:
        """Group services: those with a file in common belong together."""
        clouds: list[list[ServiceFiles]] = []
        for one in services:
            paths = self._paths([one])
            mine = [cloud for cloud in clouds if self._paths(cloud) & paths]
            for cloud in mine:
                clouds.remove(cloud)
            joined = [other for cloud in mine for other in cloud]
            if one.locations:
                clouds.append([*joined, one])
        return sorted(clouds, key=lambda cloud: cloud[0].locations)

    def with_environments(
        self, services: Sequence[ServiceFiles]
    ) -> tuple[ServiceFiles, ...]:
        """Add environments to services whose files are given.

        A unit's environment counts whatever files its service reads; a
        process that reads none of the files belongs to another cloud.
        """
        found: dict[str, service_processes.Environment] = {}
        for started in self.started:
            one = self.of_started(started)
            if one.how is not How.PROCESS or self.shares(
                one, services[0].locations
            ):
                found.setdefault(one.service, one.environment)
        return tuple(
            one._replace(environment=found.get(one.service, one.environment))
            for one in services
        )

    # -- the services of one configuration -----------------------------------

    def find(self) -> tuple[ServiceFiles, ...]:
        """Return the files of each service of this machine.

        A process belongs to another cloud if it reads none of the files of
        the machine's units, containers and defaults. If there are no such
        files, those of the processes count, provided they are of one cloud.

        :returns: in the order of PROGRAMS; more than one for a service that
            runs more than once, with different files.
        :raises ConfigFileError: when processes of several clouds run, and
            nothing tells which one is meant.
        """
        found = [self.of_started(one) for one in self.started]
        known = [one for one in found if one.how is not How.PROCESS]
        ours = self._ours(found, known)
        services: list[ServiceFiles] = []
        for program in commands.SERVICES:
            services += self._of_service(program, ours)
        services.append(self._of_manage(services))
        return tuple(services)

    def _ours(
        self, found: Sequence[ServiceFiles], known: Sequence[ServiceFiles]
    ) -> list[ServiceFiles]:
        """Return the services of the one configuration of this machine."""
        running = [one for one in found if one.how is How.PROCESS]
        anchors = self._paths(
            [one for one in known if one.how is not How.WEB_SERVER]
        )
        for program in PROGRAMS:
            anchors |= self._paths([self.of_program(program)])
        if anchors:
            return [
                one
                for one in found
                if one.how is not How.PROCESS or self._paths([one]) & anchors
            ]
        clouds = self._clouds(running)
        if len(clouds) > 1:
            raise exceptions.ConfigFileError(
                'manila services of several configurations run here: '
                + '; '.join(', '.join(cloud[0].locations) for cloud in clouds)
                + '; pass --config-file FILE or --config-dir DIR'
            )
        return [*(clouds[0] if clouds else ()), *known]

    def _of_service(
        self, program: str, ours: Sequence[ServiceFiles]
    ) -> list[ServiceFiles]:
        mine = [one for one in ours if one.service == program]
        if not mine:
            return [self.of_program(program)]
        best = [one for one in mine if one.how is mine[0].how]
        return list({one.reads: one for one in reversed(best)}.values())[::-1]

    def _of_manage(self, services: Sequence[ServiceFiles]) -> ServiceFiles:
        """Return the files that "manila-manage db sync" reads.

        With containers it runs in the container of the API.
        """
        for one in self.started:
            if (
                one.container is not None
                and one.command.service == commands.API
                and any(found.file == one.file for found in services)
            ):
                command = commands.ServiceCommand(
                    commands.MANAGE,
                    commands.ServerKind.PROGRAM,
                    commands.MANAGE,
                )
                return self.of_started(one._replace(command=command))
        return self.of_program(commands.MANAGE)


def given(locations: Iterable[str]) -> tuple[ServiceFiles, ...]:
    """Return all services, each with the same list of files."""
    files = tuple(locations)
    return tuple(
        ServiceFiles(program, files, How.GIVEN, prog=program)
        for program in PROGRAMS
    )


def of_bundle(found: bundle.Contents) -> tuple[ServiceFiles, ...]:
    """Return the files of each service in a bundle.

    Its units and containers count as on a machine; for other services the
    files in the bundle decide.
    """
    services = Machine(found.files, {}).find()
    running = {program for program, _ in found.services}
    silent = {
        one.service
        for one in services
        if not one.locations and one.service in running
    }
    more = [
        ServiceFiles(
            program,
            paths,
            How.CONTAINER,
            # The directory that is mounted, or its manifest.
            file=posixpath.dirname(paths[-1]),
            prog=program,
        )
        for program, paths in found.services
        if program in silent
    ]
    return of_here(
        sorted(
            (*(one for one in services if one.service not in silent), *more),
            key=lambda one: PROGRAMS.index(one.service),
        )
    )


def of_here(services: Iterable[ServiceFiles]) -> tuple[ServiceFiles, ...]:
    """Return the services that have a file to read, if there are any.

    The others do not run there; and where the default files do not exist, an
    operator passes files to manila-manage.
    """
    found = tuple(services)
    return tuple(one for one in found if one.locations or one.missing) or found


def merged(services: Iterable[ServiceFiles]) -> tuple[str, ...]:
    """Return the files of all services, each once, in one order of reading.

    The files of a service keep their order as far as the others permit.
    Those of manila-share come last, so its values win where files differ.
    """
    found: list[str] = []
    ordered = sorted(services, key=lambda one: _FIRST.index(one.service))
    for one in ordered:
        place = 0
        for path in one.locations:
            if path in found:
                place = found.index(path) + 1
            else:
                found.insert(place, path)
                place += 1
    return tuple(found)


def agree(services: Iterable[ServiceFiles]) -> bool:
    """Say whether all services read the same files in the same order.

    Their environments must set the same options, too.
    """
    return len({one.reads for one in services}) < 2


def environments(
    services: Iterable[ServiceFiles],
) -> tuple[service_processes.Environment, ...]:
    """Return the environments of services that set options, each once.

    The environment of manila-share comes last, as its files do.
    """
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for one in sorted(services, key=lambda one: _FIRST.index(one.service)):
        if one.environment.variables:
            names = found.setdefault(one.environment.variables, [])
            if one.environment.of not in names:
                names.append(one.environment.of)
    return tuple(
        service_processes.Environment(', '.join(names), variables)
        for variables, names in reversed(found.items())
    )
