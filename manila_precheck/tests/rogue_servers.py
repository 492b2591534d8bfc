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
"""Database servers that violate their protocol.

Each implements enough of the protocol for a driver to log in and for
SQLAlchemy to begin, up to the point at which it has to misbehave.
"""

import contextlib
import socket
import struct
import threading

import fixtures

from manila_precheck.tests import databases

#: The password in the URL of each server.
SECRET = 'geheim-99'


class Server(fixtures.Fixture):
    """A server on a port of this host.

    :param at: where it misbehaves: 'start', 'login', or 'statement', which is
        the first statement that lists the tables.
    :param misbehave: called with the socket and the server; the connection
        is closed when it returns.
    """

    scheme = ''

    def __init__(self, at, misbehave):
        super().__init__()
        self.at = at
        self.misbehave = misbehave
        #: All data that clients have sent.
        self.received = b''
        #: Set when the test is over.
        self.over = threading.Event()

    def _setUp(self):
        self._listener = socket.create_server((databases.HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f'{self.scheme}://u:{SECRET}@{databases.HOST}:{self.port}/m'
        self.addCleanup(self._end)
        threading.Thread(target=self._accept, daemon=True).start()

    def _end(self):
        self.over.set()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(client,), daemon=True
            ).start()

    def _serve(self, client):
        # Ignore clients that have gone.
        with client, contextlib.suppress(OSError, EOFError):
            if self.at == 'start':
                self.misbehave(client, self)
                return
            self.speak(client)

    def read(self, client, number):
        """Read exactly this number of bytes."""
        found = b''
        while len(found) < number:
            more = client.recv(number - len(found))
            if not more:
                raise EOFError
            found += more
        self.received += found
        return found

    def wait(self):
        """Send nothing until the test is over."""
        self.over.wait(60)

    def speak(self, client):
        raise NotImplementedError


def packet(number, payload):
    """Return a packet of MySQL's protocol."""
    return struct.pack('<I', len(payload))[:3] + bytes([number]) + payload


def mysql_handshake(version=b'8.0.30'):
    """Return the greeting of a MySQL server without TLS."""
    able = 0x00088209
    return packet(
        0,
        b'\x0a'
        + version
        + b'\0\1\0\0\0'
        + b'12345678\0'
        + struct.pack('<HBHH', able & 0xFFFF, 33, 2, able >> 16)
        + b'\x15'
        + bytes(10)
        + b'123456789012\0mysql_native_password\0',
    )


MYSQL_OK = b'\0\0\0\2\0\0\0'
MYSQL_END = b'\xfe\0\0\2\0'


def mysql_column(name):
    """Return the description of a text column."""
    words = [b'def', b'', b'', b'', name, b'']
    return (
        b''.join(bytes([len(word)]) + word for word in words)
        + b'\x0c'
        + struct.pack('<HIBHB', 33, 255, 0xFD, 0, 0)
        + b'\0\0'
    )


def mysql_begin(*names):
    """Return the packets before the rows, and the next packet's number."""
    payloads = [bytes([len(names)]), *map(mysql_column, names), MYSQL_END]
    made = [packet(1 + n, payload) for n, payload in enumerate(payloads)]
    return b''.join(made), len(made) + 1


def mysql_row(*values):
    """Return the payload of a packet with a row."""
    return b''.join(bytes([len(value)]) + value for value in values)


class MySQL(Server):
    """Almost a MySQL 8."""

    scheme = 'mysql+pymysql'

    def read_packet(self, client):
        """Return the payload of the next packet."""
        head = self.read(client, 4)
        return self.read(client, struct.unpack('<I', head[:3] + b'\0')[0])

    def speak(self, client):
        client.sendall(mysql_handshake())
        self.read_packet(client)
        if self.at == 'login':
            self.misbehave(client, self)
            return
        client.sendall(packet(2, MYSQL_OK))
        while True:
            said = self.read_packet(client)
            if said[1:4].upper() in (b'SET', b'COM', b'ROL'):
                client.sendall(packet(1, MYSQL_OK))
            elif b'information_schema' in said:
                self.misbehave(client, self)
                return
            elif said[:1] == b'\3':
                begin, number = mysql_begin(b'n')
                version = b'VERSION' in said.upper()
                client.sendall(
                    begin
                    + packet(number, mysql_row(b'8.0.30' if version else b'0'))
                    + packet(number + 1, MYSQL_END)
                )
            else:
                return


def message(kind, payload=b''):
    """Return a message of PostgreSQL's protocol."""
    return kind + struct.pack('>I', len(payload) + 4) + payload


POSTGRESQL_READY = message(b'Z', b'I')


def postgresql_begin(*names):
    """Return the description of text columns."""
    return message(
        b'T',
        struct.pack('>H', len(names))
        + b''.join(
            name + b'\0' + struct.pack('>IHIhiH', 0, 0, 25, -1, -1, 0)
            for name in names
        ),
    )


def postgresql_row(*values):
    """Return the message with a row."""
    return message(
        b'D',
        struct.pack('>H', len(values))
        + b''.join(struct.pack('>I', len(v)) + v for v in values),
    )


class PostgreSQL(Server):
    """Almost a PostgreSQL 15."""

    scheme = 'postgresql+psycopg2'

    def read_startup(self, client):
        """Read the startup message; decline TLS and the like before it."""
        while True:
            (length,) = struct.unpack('>I', self.read(client, 4))
            said = self.read(client, length - 4)
            if said[:2] != b'\x04\xd2':
                return
            client.sendall(b'N')

    def speak(self, client):
        self.read_startup(client)
        if self.at == 'login':
            self.misbehave(client, self)
            return
        client.sendall(
            message(b'R', bytes(4))
            + b''.join(
                message(b'S', name + b'\0' + value + b'\0')
                for name, value in (
                    (b'client_encoding', b'UTF8'),
                    (b'DateStyle', b'ISO, MDY'),
                    (b'server_version', b'15.0'),
                    (b'standard_conforming_strings', b'on'),
                )
            )
            + message(b'K', bytes(8))
            + POSTGRESQL_READY
        )
        while True:
            kind = self.read(client, 1)
            (length,) = struct.unpack('>I', self.read(client, 4))
            said = self.read(client, length - 4)
            if kind != b'Q':
                return
            if said.startswith(b'SET'):
                client.sendall(message(b'C', b'SET\0') + POSTGRESQL_READY)
            elif b'pg_attribute' in said:
                self.misbehave(client, self)
                return
            else:
                client.sendall(
                    postgresql_begin(b'n')
                    + postgresql_row(b'PostgreSQL 15.0 on')
                    + message(b'C', b'SELECT 1\0')
                    + POSTGRESQL_READY
                )
