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

"""The programs of servers that tests start for themselves."""

import contextlib
import glob
import os
import pwd
import random
import shutil
import socket

HOST = '127.0.0.1'

#: Where no server has its default port, and below what Linux hands out.
_PORTS = (20000, 25000)

#: Debian has those of PostgreSQL, and some of RabbitMQ, nowhere on the path.
_FOLDERS = ('/usr/lib/postgresql/*/bin', '/usr/sbin', '/usr/lib/rabbitmq/bin')


def program(*names):
    """Return the path of a program, under the first name that there is.

    What PostgreSQL has in a folder of a version is taken from the newest:
    pg_dump reads no server that is newer than itself.
    """
    first, *last = _FOLDERS
    path = os.pathsep.join(
        [
            *sorted(glob.glob(first), key=_version, reverse=True),
            os.environ.get('PATH', ''),
            *last,
        ]
    )
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


def _version(folder):
    return [int(part) for part in folder.split('/') if part.isdigit()]


def free_port():
    """Return a port that nobody listens on, and that nobody is given.

    It lies below those that the kernel hands out of itself, of which another
    test may get the same one before this port is in use.
    """
    while True:
        port = random.randrange(*_PORTS)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def postgresql_user():
    """Return whom PostgreSQL runs as, which root may not: None for us."""
    return 'postgres' if os.geteuid() == 0 else None


def why_not_postgresql():
    """Return why PostgreSQL cannot be started here; '' when it can."""
    if not (program('initdb') and program('postgres')):
        return 'no initdb, or no postgres, on this host'
    if postgresql_user():
        try:
            pwd.getpwnam(postgresql_user())
        except KeyError:
            return 'root may not run PostgreSQL, and there is no postgres'
    return ''


def initdb(data, account, *words):
    """Return the command that makes the files of a PostgreSQL.

    :param account: of its administrator.
    :param words: what else it is told.
    """
    return [
        program('initdb'),
        f'--username={account}',
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
        *words,
        str(data),
    ]


def postgres(data, port, sockets, **settings):
    """Return the command of a PostgreSQL that nobody wants back.

    :param sockets: the folder of its socket; the path has to be short.
    :param settings: of the server, beside these.
    """
    words = [program('postgres'), '-D', str(data), '-p', str(port)]
    for name, value in {
        'listen_addresses': HOST,
        'unix_socket_directories': sockets,
        'fsync': 'off',
        **settings,
    }.items():
        words += ['-c', f'{name}={value}']
    return words


def missing(*needs):
    """Return the Debian packages that this machine lacks.

    :param needs: {names of a program: package}, each.
    """
    return sorted(
        {
            package
            for some in needs
            for names, package in some.items()
            if not program(*names)
        }
    )
