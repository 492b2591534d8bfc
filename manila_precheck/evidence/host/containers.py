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

"""What the containers of manila start, and the files that they read.

/etc/kolla/NAME of the host is /var/lib/kolla/config_files in the container
NAME. config.json in it says what is copied where before the command runs
(kolla, docker/base/set_configs.py).

An engine keeps the definition of a container even while it is stopped: its
command, its variables and its mounts (Docker 20 to 28 config.v2.json; podman 3
to 5 userdata/config.json, in the format of the OCI runtime specification). A
container that a unit runs by "podman run" is defined in the unit.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import json
import os
import posixpath
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import machine_files
from manila_precheck.evidence.host import web_servers

_PATTERNS = (
    '/etc/kolla/manila*/config.json',
    '/var/lib/kolla/config_files/manila*/config.json',
)
# In a bundle whose top is /etc/kolla itself.
_TOP = '/manila*/config.json'
_INSIDE = '/var/lib/kolla/config_files'

# Where the engines keep definitions, unless a setting changes the directory.
_DOCKER = '/var/lib/docker'
_DOCKER_SETTINGS = '/etc/docker/daemon.json'
_PODMAN = '/var/lib/containers/storage'
_PODMAN_SETTINGS = '/etc/containers/storage.conf'
_GRAPHROOT = re.compile(r'^\s*graphroot\s*=\s*"([^"]+)"', re.MULTILINE)

_ENGINES = ('docker', 'nerdctl', 'podman')
_HOMES = ('/etc/manila', '/etc/manila/manila.conf')


class Container(NamedTuple):
    """One container, with the host's files that it gets."""

    command: commands.ServiceCommand
    file: str
    """The file that defines it, such as config.json."""

    line: int
    """The line of the command in the file, counted from 1."""

    copied: tuple[tuple[str, str], ...]
    """(path in the container, path on the host); the first match counts."""

    environment: tuple[tuple[str, str], ...] = ()
    """The variables that it is started with; they may hold secrets."""

    def on_host(self, path: str) -> Optional[str]:
        """Return the path on the host of a file of the container."""
        path = posixpath.normpath(path)
        for inside, outside in self.copied:
            if path == inside:
                return outside
            if path.startswith(f'{inside}/'):
                return outside + path[len(inside) :]
        return None


class _Kept(NamedTuple):
    """What an engine keeps about a container."""

    name: str
    file: str
    words: tuple[str, ...]
    environment: dict[str, str]
    mounted: tuple[tuple[str, str], ...]
    """(path in the container, path on the host)."""

    running: bool = False


def look(site: tree.Tree) -> Iterator[Container]:
    """Yield the containers of manila's services, those of kolla first.

    Others count only if their configuration is on the host.

    :param site: the file system of the machine.
    """
    configured = {
        one.name: one
        for one in sorted(
            (*_of_docker(site), *_of_podman(site)),
            key=lambda one: one.running,
        )
    }
    patterns = [*_PATTERNS, *([] if site.is_host else [_TOP])]
    done = set()
    for pattern in patterns:
        for path in site.glob(pattern):
            name = os.path.basename(os.path.dirname(path)).replace('_', '-')
            found = _read(site, path, name)
            if found is not None and name not in done:
                done.add(name)
                if name in configured:
                    variables = configured[name].environment
                    found = found._replace(
                        environment=tuple(sorted(variables.items()))
                    )
                yield found
    others = [
        (one, found)
        for name, one in configured.items()
        if name not in done
        for found in [_of_configured(site, one)]
        if found is not None
    ]
    running = {found.command.service for one, found in others if one.running}
    for one, found in others:
        # A stopped container may be an old version of the running one.
        if one.running or found.command.service not in running:
            yield found


def of_unit(
    site: tree.Tree,
    words: Sequence[str],
    environment: Mapping[str, str],
    file: str,
    line: int,
) -> Optional[Container]:
    """Return the container that a unit runs.

    :param words: the words of the unit's command.
    :param environment: the variables of the unit.
    :param file: the file that has the command; ``line`` is the line in it.
    :returns: None if it runs no service of manila, or its configuration is
        in the image.
    """
    if not words or os.path.basename(words[0]) not in _ENGINES:
        return None
    begun = [n for n, word in enumerate(words) if word in ('run', 'create')]
    if not begun:
        return None
    rest = words[begun[0] + 1 :]
    variables: dict[str, str] = {}
    mounted: list[tuple[str, str]] = []
    for place, word in enumerate(rest):
        option, equals, value = word.partition('=')
        if not equals:
            value = ''.join(rest[place + 1 : place + 2])
        if option in ('-e', '--env'):
            name, given, text = value.partition('=')
            variables[name] = text if given else environment.get(name, '')
        elif option == '--env-file':
            for text in (machine_files.text(site, value) or '').splitlines():
                name, given, one = text.strip().partition('=')
                if given and not name.startswith('#'):
                    variables[name] = one
        elif option in ('-v', '--volume'):
            outside, _, inside = value.partition(':')
            mounted.append((inside.partition(':')[0], outside))
        elif option == '--mount':
            parts = dict(part.partition('=')[::2] for part in value.split(','))
            outside = parts.get('source') or parts.get('src', '')
            inside = parts.get('target') or parts.get('destination', '')
            mounted.append((inside or parts.get('dst', ''), outside))
    command = next(
        (
            found
            # Search from the end: the name of the container may come before
            # the program and be the same.
            for place in reversed(range(len(rest)))
            if ' ' not in rest[place]
            for found in [commands.of_words(rest[place:], site, wrapped=True)]
            if found is not None
        ),
        None,
    )
    return _mounting(command, file, line, mounted, variables)


def _mounting(
    command: Optional[commands.ServiceCommand],
    file: str,
    line: int,
    mounted: Sequence[tuple[str, str]],
    environment: Mapping[str, str],
) -> Optional[Container]:
    """Return a container whose configuration is on the host, else None."""
    if command is None:
        return None
    pairs = [
        (posixpath.normpath(inside), outside)
        for inside, outside in mounted
        if inside.startswith('/') and outside.startswith('/')
    ]
    found = Container(
        command,
        file,
        line,
        # The deepest mount wins.
        tuple(sorted(pairs, key=lambda pair: len(pair[0]), reverse=True)),
        tuple(sorted(environment.items())),
    )
    located = commands.locations(command.arguments).given
    if not any(map(found.on_host, (*located, *_HOMES))):
        return None
    return found


def _of_configured(site: tree.Tree, one: _Kept) -> Optional[Container]:
    return _mounting(
        commands.of_words(one.words, site, wrapped=True),
        site.shown(one.file),
        1,
        one.mounted,
        one.environment,
    )


def _of_docker(site: tree.Tree) -> Iterator[_Kept]:
    settings = _object(machine_files.text(site, _DOCKER_SETTINGS))
    top = _text(settings.get('data-root')) or _DOCKER
    for path in site.glob(f'{tree.escape(top)}/containers/*/config.v2.json'):
        document = _object(machine_files.text(site, path))
        inner, state = document.get('Config'), document.get('State')
        points = document.get('MountPoints')
        if not isinstance(inner, dict):
            continue
        yield _Kept(
            _text(document.get('Name')).lstrip('/').replace('_', '-'),
            path,
            (_text(document.get('Path')), *_texts(document.get('Args'))),
            _variables(inner.get('Env')),
            tuple(
                (_text(one.get('Destination')), _text(one.get('Source')))
                for one in (
                    points if isinstance(points, dict) else {}
                ).values()
                if isinstance(one, dict)
            ),
            isinstance(state, dict) and state.get('Running') is True,
        )


def _of_podman(site: tree.Tree) -> Iterator[_Kept]:
    settings = machine_files.text(site, _PODMAN_SETTINGS) or ''
    named = _GRAPHROOT.search(settings)
    top = tree.escape(named[1] if named else _PODMAN)
    for listed in site.glob(f'{top}/*-containers/containers.json'):
        content = _json(machine_files.text(site, listed))
        for entry in content if isinstance(content, list) else []:
            if not isinstance(entry, dict):
                continue
            names = _texts(entry.get('names'))
            number = _text(entry.get('id'))
            if not names or not re.fullmatch('[0-9a-f]+', number):
                continue
            path = posixpath.join(
                posixpath.dirname(listed), number, 'userdata', 'config.json'
            )
            document = _object(machine_files.text(site, path))
            process, mounts = document.get('process'), document.get('mounts')
            if not isinstance(process, dict):
                # The container was never started.
                continue
            yield _Kept(
                names[0].replace('_', '-'),
                path,
                tuple(_texts(process.get('args'))),
                _variables(process.get('env')),
                tuple(
                    (_text(one.get('destination')), _text(one.get('source')))
                    for one in (mounts if isinstance(mounts, list) else [])
                    if isinstance(one, dict)
                ),
            )


def _json(content: Optional[str]) -> Any:
    try:
        return json.loads(content or '')
    except (ValueError, RecursionError):
        return None


def _object(content: Optional[str]) -> dict[str, Any]:
    document = _json(content)
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ''


def _texts(value: object) -> list[str]:
    return list(map(_text, value)) if isinstance(value, list) else []


def _variables(value: object) -> dict[str, str]:
    """Return the variables in a list of NAME=VALUE."""
    pairs = (text.partition('=') for text in _texts(value))
    return {name: text for name, equals, text in pairs if equals}


def _read(site: tree.Tree, path: str, name: str) -> Optional[Container]:
    content = machine_files.text(site, path) or ''
    document = _object(content)
    if not isinstance(document.get('command'), str):
        return None
    words = commands.split(document['command'])
    command = commands.of_words(words, site, wrapped=True)
    if command is None:
        if name not in commands.SERVICES:
            return None
        # Apache, or a script in the image that starts the service.
        server = os.path.basename(words[0]) if words else ''
        prog = name if name != commands.API else 'mod_wsgi'
        if 'uwsgi' in server:
            prog = 'uwsgi'
        kind = commands.ServerKind.APPLICATION
        if name != commands.API:
            kind = commands.ServerKind.PROGRAM
        command = commands.ServiceCommand(name, kind, prog)
    lines = content.splitlines()
    line = next(
        (n for n, text in enumerate(lines, 1) if '"command"' in text), 1
    )
    found = Container(
        command,
        site.shown(path),
        line,
        tuple(_copied(document, os.path.dirname(path))),
    )
    for named in command.files:
        outside = found.on_host(named)
        arguments = outside and web_servers.uwsgi_arguments(site, outside)
        if arguments:
            found = found._replace(
                command=command._replace(arguments=arguments)
            )
    return found


def _copied(document: dict[str, Any], here: str) -> Iterator[tuple[str, str]]:
    listed = document.get('config_files')
    for one in reversed(listed if isinstance(listed, list) else []):
        source = one.get('source') if isinstance(one, dict) else None
        inside = one.get('dest') if isinstance(one, dict) else None
        if not isinstance(source, str) or not isinstance(inside, str):
            continue
        if not source.startswith(f'{_INSIDE}/') or '..' in source:
            continue
        outside = here + source[len(_INSIDE) :].rstrip('/')
        if inside.endswith('/') and not source.endswith('/'):
            inside += posixpath.basename(source)
        yield posixpath.normpath(inside), outside
