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

"""A wire tap: a proxy for a database server that notes every statement.

It parses the packets of the client, so it misses no request, whatever the
server logs. Sessions are not encrypted.
"""

import contextlib
import socket
import struct
import threading

#: Commands of MySQL's protocol that have a statement, a name or no argument.
_MYSQL_COMMANDS = {
    0x01: 'QUIT',
    0x02: 'USE',
    0x03: '',
    0x0E: 'PING',
    0x16: 'PREPARE',
    0x17: 'EXECUTE',
    0x19: 'CLOSE',
    0x1B: 'SET OPTION',
    0x1F: 'RESET',
}

#: Messages of PostgreSQL's protocol that contain no statement by themselves:
#: a password, bind, execute, describe, sync, flush, close.
_POSTGRESQL_SILENT = frozenset(b'pBEDSHC')

_POSTGRESQL_SSL = 80877103
_POSTGRESQL_GSS = 80877104
_POSTGRESQL_CANCEL = 80877102


class Tap:
    """Listens on a port of its own, and forwards everything to a server.

    Use it as a context manager; ``statements`` has all statements, session
    by session.
    """

    def __init__(self, server):
        self._target = (server.host, server.port)
        self._read = (
            _read_mysql if server.default_port == 3306 else _read_postgresql
        )
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self.sessions = []
        self.errors = []

    @property
    def statements(self):
        """Return every statement, of all sessions."""
        return [text for session in self.sessions for text in session]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                session = []
                self.sessions.append(session)
                threading.Thread(
                    target=self._serve, args=(client, session), daemon=True
                ).start()

    def _serve(self, client, session):
        with client, socket.create_connection(self._target) as server:
            back = threading.Thread(
                target=_pump, args=(server, client), daemon=True
            )
            back.start()
            try:
                self._read(client, server, session)
            except (EOFError, OSError):
                pass
            except Exception as exc:
                self.errors.append(exc)
                raise
            finally:
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


def _exactly(source, count):
    parts = []
    while count:
        data = source.recv(count)
        if not data:
            raise EOFError
        parts.append(data)
        count -= len(data)
    return b''.join(parts)


def _read_mysql(client, server, statements):
    while True:
        head = _exactly(client, 4)
        body = _exactly(client, int.from_bytes(head[:3], 'little'))
        # Packet 0 begins a command; the others belong to the login.
        if head[3] == 0 and body:
            word = _MYSQL_COMMANDS.get(body[0], f'COMMAND {body[0]:#x}')
            text = body[1:].decode('utf-8', 'replace')
            statements.append(f'{word} {text}'.strip())
        server.sendall(head + body)


def _read_postgresql(client, server, statements):
    while True:
        head = _exactly(client, 8)
        length, code = struct.unpack('!ii', head)
        if code in (_POSTGRESQL_SSL, _POSTGRESQL_GSS):
            client.sendall(b'N')
            continue
        body = _exactly(client, length - 8)
        if code == _POSTGRESQL_CANCEL:
            statements.append('CANCEL')
        server.sendall(head + body)
        break
    while True:
        head = _exactly(client, 5)
        body = _exactly(client, struct.unpack('!i', head[1:])[0] - 4)
        kind = head[:1]
        if kind == b'Q':
            statements.append(body[:-1].decode('utf-8', 'replace'))
        elif kind == b'P':
            statements.append(body.split(b'\0')[1].decode())
        elif kind == b'X':
            statements.append('QUIT')
        elif head[0] not in _POSTGRESQL_SILENT:
            statements.append(f'MESSAGE {kind!r}')
        server.sendall(head + body)
