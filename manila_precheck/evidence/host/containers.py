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

"""What kolla's containers of manila start, and the files that they read.

/etc/kolla/NAME of the host is /var/lib/kolla/config_files in the container of
that name. There config.json says what is copied where before the command is
run (kolla, docker/base/set_configs.py).
"""

from collections.abc import Iterator
import json
import os
import posixpath
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
# In a bundle that is /etc/kolla itself.
_TOP = '/manila*/config.json'
_INSIDE = '/var/lib/kolla/config_files'


class Container(NamedTuple):
    """One container, with the files that it is given."""

    command: commands.Command
    file: str
    """Its config.json."""

    line: int
    """The line of the command in it, counted from 1."""

    copied: tuple[tuple[str, str], ...]
    """(path in the container, path on the host), the last one first."""

    def on_host(self, path: str) -> Optional[str]:
        """Return where a file of the container lies on the host."""
        path = posixpath.normpath(path)
        for inside, outside in self.copied:
            if path == inside:
                return outside
            if path.startswith(f'{inside}/'):
                return outside + path[len(inside) :]
        return None


def of_kolla(site: tree.Tree) -> Iterator[Container]:
    """Yield the containers of manila's services, by name.

    :param site: the file system of the machine.
    """
    patterns = [*_PATTERNS, *([] if site.is_host else [_TOP])]
    done = set()
    for pattern in patterns:
        for path in site.glob(pattern):
            name = os.path.basename(os.path.dirname(path)).replace('_', '-')
            found = _read(site, path, name)
            if found is not None and name not in done:
                done.add(name)
                yield found


def _read(site: tree.Tree, path: str, name: str) -> Optional[Container]:
    content = machine_files.text(site, path) or ''
    try:
        held = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict) or not isinstance(held.get('command'), str):
        return None
    words = commands.split(held['command'])
    command = commands.of_words(words, site, wrapped=True)
    if command is None:
        if name not in commands.SERVICES:
            return None
        # Apache, or a script of the image that starts it.
        server = os.path.basename(words[0]) if words else ''
        prog = name if name != commands.API else 'mod_wsgi'
        if 'uwsgi' in server:
            prog = 'uwsgi'
        kind = commands.Kind.APPLICATION
        if name != commands.API:
            kind = commands.Kind.PROGRAM
        command = commands.Command(name, kind, prog)
    lines = content.splitlines()
    line = next(
        (n for n, text in enumerate(lines, 1) if '"command"' in text), 1
    )
    found = Container(
        command,
        site.shown(path),
        line,
        tuple(_copied(held, os.path.dirname(path))),
    )
    for named in command.files:
        outside = found.on_host(named)
        arguments = outside and web_servers.uwsgi_arguments(site, outside)
        if arguments:
            found = found._replace(
                command=command._replace(arguments=arguments)
            )
    return found


def _copied(held: dict[str, Any], here: str) -> Iterator[tuple[str, str]]:
    listed = held.get('config_files')
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
