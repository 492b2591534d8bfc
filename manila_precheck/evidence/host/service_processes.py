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

"""What starts manila's services on a machine: processes, units, containers.

A process counts only if its account can already decide what the services
read: root, the account that runs this program, manila's own, another system
account, or the owner of manila.conf. Any other user of the machine could name
a program manila-share.
"""

from collections.abc import Iterator
import enum
import os
import pwd
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import containers
from manila_precheck.evidence.host import machine_files
from manila_precheck.evidence.host import processes
from manila_precheck.evidence.host import units
from manila_precheck.evidence.host import web_servers


class How(str, enum.Enum):
    """How the command line of a service is known."""

    PROCESS = 'process'
    """A process has it."""

    CONTAINER = 'container'
    """A container has it, by the files of its engine or of kolla."""

    UNIT = 'unit'
    """A unit has it that starts with the machine."""

    WEB_SERVER = 'web server'
    """A file of uWSGI or Apache has it."""

    INSTALLED = 'installed unit'
    """A unit has it that does not start with the machine; Pacemaker, say,
    may start it."""

    DEFAULT = 'default'
    """Nothing has it: oslo.config looks for files by the program's name."""

    GIVEN = 'given'
    """It is not needed: this run got --config-file or --config-dir."""


class Environment(NamedTuple):
    """The variables of a service that oslo.config reads as options."""

    of: str = ''
    """What sets them, for messages: 'manila-share.service'."""

    variables: tuple[tuple[str, str], ...] = ()
    """Their names and values, sorted; they may hold secrets."""

    def __repr__(self) -> str:
        return f'<environment of {self.of}>'


class Started(NamedTuple):
    """Something that starts, or may start, a service."""

    command: commands.ServiceCommand
    how: How
    pid: Optional[int] = None
    file: Optional[str] = None
    line: Optional[int] = None
    """The line in the file, counted from 1."""

    directory: str = '/'
    """The working directory, which relative paths refer to."""

    home: Optional[str] = None
    """The home directory of its account; None when it is not known."""

    container: Optional[containers.Container] = None
    """The container that has its files."""

    variables: tuple[tuple[str, str], ...] = ()
    """Variables that are meant to name its configuration, but do not: manila
    reads none (12.0.0 to 23.0.1 wsgi/wsgi.py), while other projects have
    OS_NOVA_CONFIG_FILES and the like."""

    environment: Environment = Environment()
    """The options in its environment."""

    eventlet: bool = False
    """Whether its environment asks for eventlet, whatever the release does."""


# manila 22.0.2 and 23.0.1 monkey_patch.py: if empty, the release decides.
_THREADS = 'OS_MANILA_DISABLE_EVENTLET_PATCHING'


# oslo.config looks for OS_GROUP__OPTION, in upper case, before the files:
# manila's programs and the WSGI application leave use_env at its default
# (oslo.config 9.1 to 10.7 sources/_environment.py; manila 16.3 to 23.0.1
# cmd/share.py, wsgi/wsgi.py).
_OPTION = re.compile('OS_[^a-z]+?__[^a-z]+')

_VARIABLE = re.compile('OS_MANILA_(?:API_)?CONFIG_(?:FILES?|DIRS?)')

# How many different processes of manila are returned at most.
_MOST = 200

# Accounts with lower numbers are system accounts (login.defs, SYS_UID_MAX).
_FIRST_PERSON = 1000
_ACCOUNT = 'manila'

_LEAST_LIKELY = (
    How.PROCESS,
    How.CONTAINER,
    How.UNIT,
    How.WEB_SERVER,
    How.INSTALLED,
)


def look(site: tree.Tree = tree.HOST) -> tuple[Started, ...]:
    """Return all that starts a service, the most reliable first.

    :param site: the file system of the machine.
    """
    contained = tuple(containers.look(site))
    found = [
        *_running(site, contained),
        *(
            Started(
                one.command,
                How.CONTAINER,
                file=one.file,
                line=one.line,
                container=one,
                environment=_environment(
                    f'the container of {one.command.service}',
                    dict(one.environment),
                ),
                eventlet=_asks_for_eventlet(dict(one.environment)),
            )
            for one in contained
        ),
        *_units(site),
        *(
            Started(
                one.command,
                How.WEB_SERVER,
                file=one.file,
                line=one.line,
                variables=_variables(
                    web_servers.uwsgi_environment(site, one.path)
                ),
                environment=_environment(
                    one.file, web_servers.uwsgi_environment(site, one.path)
                ),
            )
            for one in web_servers.loaded(site)
        ),
    ]
    return tuple(sorted(found, key=lambda one: _LEAST_LIKELY.index(one.how)))


def _running(
    site: tree.Tree, contained: tuple[containers.Container, ...]
) -> Iterator[Started]:
    """Yield the processes; those with the same command line only once."""
    accounts = _Accounts(site)
    done: set[object] = set()
    for one in processes.running(site):
        command = commands.of_words(one.words, site)
        if command is None:
            continue
        container = None
        if one.contained:
            container = next(
                (c for c in contained if c.command.service == command.service),
                None,
            )
            if container is None:
                # Its configuration is in an image.
                continue
        elif not accounts.believed(one.uid):
            continue
        command = _with_files(command, site, one.directory or '/')
        environment = processes.environment(site, one.pid)
        options = _environment(
            f'{command.service} (process {one.pid})', environment
        )
        eventlet = _asks_for_eventlet(environment)
        key = (command, one.directory, container, options.variables, eventlet)
        if key in done:
            # Another process of the same service.
            continue
        if len(done) >= _MOST:
            return
        done.add(key)
        yield Started(
            command,
            How.PROCESS,
            pid=one.pid,
            directory=one.directory or '/',
            home=environment.get('HOME') or accounts.home(one.uid),
            container=container,
            variables=_variables(environment),
            environment=options,
            eventlet=eventlet,
        )


def _units(site: tree.Tree) -> Iterator[Started]:
    accounts = _Accounts(site)
    for one in units.commands(site, '*manila*.service'):
        command = commands.of_words(one.words, site, wrapped=True)
        environment = dict(one.environment)
        directory = one.directory.lstrip('-') or '/'
        container = None
        if command is None:
            container = containers.of_unit(
                site, one.words, environment, one.file, one.line
            )
            if container is None:
                continue
            command, directory = container.command, '/'
            environment = dict(container.environment)
        yield Started(
            _with_files(command, site, directory),
            How.UNIT if one.enabled else How.INSTALLED,
            file=one.file,
            line=one.line,
            directory=directory,
            home=accounts.home_of(one.user) if one.user else None,
            container=container,
            variables=_variables(environment),
            environment=_environment(one.unit, environment),
            eventlet=_asks_for_eventlet(environment),
        )


def unit_names(site: tree.Tree) -> dict[str, str]:
    """Return the systemd unit of each service, by service.

    A service that several units start is left out.

    :param site: the file system of the machine.
    """
    found: dict[str, set[str]] = {}
    for one in units.commands(site, '*manila*.service'):
        command = commands.of_words(one.words, site, wrapped=True)
        if command is not None:
            found.setdefault(command.service, set()).add(one.unit)
    return {
        service: names.pop()
        for service, names in found.items()
        if len(names) == 1
    }


def _variables(environment: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (name, value)
            for name, value in environment.items()
            if _VARIABLE.fullmatch(name)
        )
    )


def _asks_for_eventlet(environment: dict[str, str]) -> bool:
    value = environment.get(_THREADS, '').lower()
    return value not in ('', '1', 'true', 'yes')


def _environment(of: str, environment: dict[str, str]) -> Environment:
    found = sorted(
        (name, value)
        for name, value in environment.items()
        if _OPTION.fullmatch(name)
    )
    return Environment(of, tuple(found)) if found else Environment()


def _with_files(
    command: commands.ServiceCommand, site: tree.Tree, directory: str
) -> commands.ServiceCommand:
    """Return a command with the arguments in the files that it names."""
    for name in command.files:
        path = os.path.join(directory, name)
        arguments = web_servers.uwsgi_arguments(site, path)
        if arguments and not command.arguments:
            command = command._replace(arguments=arguments)
    return command


class _Accounts:
    """The accounts of a machine."""

    def __init__(self, site: tree.Tree) -> None:
        self._site = site
        self._known: dict[str, tuple[int, str]] = {}
        if not site.is_host:
            passwd = machine_files.text(site, '/etc/passwd') or ''
            for line in passwd.splitlines():
                parts = line.split(':')
                if len(parts) > 5 and parts[2].isdigit():
                    self._known[parts[0]] = (int(parts[2]), parts[5])
        self._trusted = {0, os.geteuid()}
        for path in ('/etc/manila/manila.conf', '/etc/manila'):
            try:
                owner = site.status(path).uid
            except OSError:
                continue
            if owner is not None:
                self._trusted.add(owner)
        found = self._find(_ACCOUNT)
        if found is not None:
            self._trusted.add(found[0])

    def _find(self, name: str) -> Optional[tuple[int, str]]:
        if not self._site.is_host:
            return self._known.get(name)
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        return found.pw_uid, found.pw_dir

    def believed(self, uid: Optional[int]) -> bool:
        """Say whether a process of an account may be one of the services."""
        return uid is None or uid < _FIRST_PERSON or uid in self._trusted

    def home_of(self, name: str) -> Optional[str]:
        """Return the home directory of an account; None: unknown."""
        found = self._find(name)
        return None if found is None else found[1]

    def home(self, uid: Optional[int]) -> Optional[str]:
        """Return the home directory of a UID; None: unknown."""
        if not self._site.is_host:
            for number, home in self._known.values():
                if number == uid:
                    return home
            return None
        if uid is None:
            return None
        try:
            return pwd.getpwuid(uid).pw_dir
        except KeyError:
            return None
