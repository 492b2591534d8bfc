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

"""The programs of the private servers that tests start."""

import contextlib
import glob
import os
import pwd
import random
import shutil
import socket

HOST = '127.0.0.1'

#: The range of ports to use. No server has its default port there, and Linux
#: assigns only higher ones by itself.
_PORTS = (20000, 25000)

#: Directories of Debian that are not on the PATH, with the programs of
#: PostgreSQL and some of RabbitMQ.
_FOLDERS = ('/usr/lib/postgresql/*/bin', '/usr/sbin', '/usr/lib/rabbitmq/bin')


def program(*names):
    """Return the path of a program, by the first name that exists.

    If PostgreSQL is installed in several versions, the newest one is used,
    since pg_dump cannot read a server newer than itself.
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
    """Return a port on which nothing listens.

    It is below the ports that the kernel assigns by itself. Another test
    could otherwise be given the same one before it is in use.
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
    """Return the user who runs PostgreSQL, never root; None for ourselves."""
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
    """Return the command that creates the files of a PostgreSQL.

    :param account: the name of its administrator.
    :param words: further arguments.
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
    """Return the command of a PostgreSQL whose data need not survive a crash.

    :param sockets: the directory of its socket; the path has to be short.
    :param settings: further settings of the server.
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

    :param needs: mappings {names of a program: package}.
    """
    return sorted(
        {
            package
            for some in needs
            for names, package in some.items()
            if not program(*names)
        }
    )
