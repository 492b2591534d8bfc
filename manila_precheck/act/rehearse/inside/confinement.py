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
"""Keep imported code from reaching anything but the copy."""

import ctypes
import os
import signal
import socket

# Constants of prctl(2) and unshare(2).
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


class Elsewhere(RuntimeError):
    """Some code was about to open a database other than the copy."""


def end_with(parent):
    """End this process when the one that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(255)


def leave_network(contained=False):
    """Leave every network; return whether that was possible.

    Unix sockets can still be used.

    :param contained: whether this is a container without a network.
    """
    if contained:
        return {name for _, name in socket.if_nameindex()} <= {'lo'}
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if not unshare(_CLONE_NEWNET):
        return True
    # A new user namespace lets a user other than root leave the network.
    return not unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def guard_connections(place, settings):
    """Let SQLAlchemy open sessions on the copy and nowhere else.

    :param place: the arguments that the driver must get, by name:
        {'unix_socket': PATH, 'database': 'manila'}.
    :param settings: the statements with which each new session begins.
    """
    import sqlalchemy as sa

    def before(dialect, record, words, arguments):
        wrong = wrong_place(place, words, arguments)
        if wrong:
            raise Elsewhere(
                'a session on another database than the copy was refused: '
                f'{" and ".join(wrong)} is not that of the copy'
            )

    def after(connection, record):
        cursor = connection.cursor()
        for statement in settings:
            cursor.execute(statement)
        cursor.close()

    sa.event.listen(sa.engine.Engine, 'do_connect', before)
    if settings:
        sa.event.listen(sa.pool.Pool, 'connect', after)


# Other argument names that drivers use for the name of the database.
_DATABASE = ('db', 'dbname')

# Arguments that may lead to another server than the compared ones say.
_MORE = ('hostaddr', 'service', 'read_default_file')


def wrong_place(place, words, arguments):
    """Return which arguments of a driver do not lead to the copy, sorted.

    :param place: as :func:`guard_connections` takes it.
    :param words: the first arguments; psycopg2 has one text for all.
    :param arguments: the others, by name.
    """
    found = {}
    for text in words:
        found.update(part.partition('=')[::2] for part in str(text).split())
    found.update(arguments)
    for name in _DATABASE:
        if name in found:
            found['database'] = found[name]
    return sorted(
        [
            name
            for name, value in place.items()
            if str(found.get(name)) != str(value)
        ]
        + [name for name in _MORE if found.get(name)]
    )
