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
"""The staged configuration with its database replaced by the copy.

In oslo.config the last file wins, even over files that set an option by one of
its deprecated names, and the target gets no environment variables. So one more
file replaces every option that leads to production.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.database import database_url

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy.engine import URL

_NAME = 'copy.conf'

# Options that would make a process of the target log or write elsewhere. A
# release ignores the options that it does not have.
_QUIET = {
    'DEFAULT': {
        'log_file': '',
        'log_dir': '',
        'log_config_append': '',
        'watch_log_file': 'false',
        'use_syslog': 'false',
        'use_journal': 'false',
        'use_stderr': 'true',
        'fatal_deprecations': 'false',
    },
    'profiler': {'enabled': 'false'},
}

# All options from which oslo.db makes a connection (18.0.0
# oslo_db/options.py), without those that it sets in a session.
_DATABASE = {
    'slave_connection': '',
    'asyncio_connection': '',
    'asyncio_slave_connection': '',
    'connection_parameters': '',
    'max_retries': '1',
}


def words(locations: Sequence[str], private: Sequence[str]) -> tuple[str, ...]:
    """Return the command-line arguments that name configuration files.

    :param locations: the staged files and directories, in order of reading.
    :param private: the files to read after them.
    """
    found: list[str] = []
    for path in (*locations, *private):
        flag = '--config-dir' if os.path.isdir(path) else '--config-file'
        found += [flag, os.path.abspath(path)]
    return tuple(found)


def write(
    folder: str,
    url: 'URL',
    more: Mapping[str, Mapping[str, str]] = {},
    name: str = _NAME,
) -> str:
    """Write the file that leads to the copy; return its path.

    :param folder: a private directory.
    :param url: the URL of the copy.
    :param more: further options, {section: {name: value}}; they win.
    :param name: the name of the file.
    :raises SourceUnusable: when it cannot be written.
    """
    state = os.path.join(folder, 'state')
    options: dict[str, dict[str, str]] = {
        'DEFAULT': {**_QUIET['DEFAULT'], 'state_path': state},
        'profiler': {**_QUIET['profiler']},
        'oslo_concurrency': {'lock_path': os.path.join(folder, 'locks')},
        'database': {
            'connection': url.render_as_string(hide_password=False),
            **_DATABASE,
        },
    }
    for section, values in more.items():
        options.setdefault(section, {}).update(values)
    lines: list[str] = []
    for section, values in options.items():
        lines.append(f'[{section}]')
        for option, value in values.items():
            # oslo.config takes a single $ for a reference to an option.
            lines.append(f'{option} = {value.replace("$", "$$")}')
    path = os.path.join(folder, name)
    try:
        os.makedirs(state, 0o700, exist_ok=True)
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        with open(descriptor, 'w', encoding='utf-8') as stream:
            stream.write('\n'.join(lines) + '\n')
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path} cannot be written: {exc.strerror}'
        ) from exc
    return path


def place(url: 'URL') -> dict[str, str]:
    """Return the arguments of a driver that lead to the copy.

    :mod:`.inside.confinement` compares them with those of each connection.
    """
    found = {
        name: url.query[name]
        for name in ('unix_socket', 'host')
        if name in url.query
    }
    if not found and url.host:
        found['host'] = url.host
        if url.port:
            found['port'] = str(url.port)
    found['database'] = url.database or ''
    return {name: str(value) for name, value in found.items()}


def sockets(url: 'URL') -> list[str]:
    """Return the paths of the sockets that lead to the copy."""
    found = []
    if 'unix_socket' in url.query:
        found.append(str(url.query['unix_socket']))
    folder = str(url.query.get('host', ''))
    if folder.startswith('/'):
        # The name that libpq gives a socket.
        port = url.query.get('port', url.port) or 5432
        found.append(os.path.join(folder, f'.s.PGSQL.{port}'))
    return found


def is_local(url: 'URL') -> bool:
    """Say whether the copy is reached through a Unix socket."""
    return 'unix_socket' in url.query or str(
        url.query.get('host', '')
    ).startswith('/')


def url_of(copy: 'URL', conf: 'cfg.ConfigOpts') -> 'URL':
    """Return the URL of the copy in the form of the staged configuration.

    The dialect, the driver and the character set are those of the staged
    URL, because some migrations tell 'mariadb' from 'mysql'.

    :param conf: the options of the staged configuration.
    :raises SourceUnusable: when they name another kind of server.
    """
    from sqlalchemy import engine
    from sqlalchemy import exc

    try:
        _, text = database_url.configured(conf)
        theirs = engine.make_url(text)
    except (exceptions.SourceNotGiven, exc.ArgumentError, ValueError):
        return copy
    families = {
        url.get_backend_name().replace('mariadb', 'mysql')
        for url in (copy, theirs)
    }
    if len(families) > 1:
        raise exceptions.SourceUnusable(
            f'the backup is one of {copy.get_backend_name()}, and [database] '
            f'connection names {theirs.get_backend_name()}'
        )
    found = copy.set(drivername=theirs.drivername)
    if families == {'mysql'}:
        found = found.difference_update_query(['charset'])
        if 'charset' in theirs.query:
            found = found.update_query_dict(
                {'charset': theirs.query['charset']}
            )
    return found
