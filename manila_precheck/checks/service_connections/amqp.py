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
"""The part of AMQP 0-9-1 that queries a broker and changes nothing.

It logs in, opens a virtual host, and sends passive declarations, which show
whether a queue exists. No library is used, so that it is certain what is sent
and when the session ends.
"""

import struct
from typing import NamedTuple
from typing import Optional

from manila_precheck.checks.service_connections import lines

_HEADER = b'AMQP\x00\x00\x09\x01'
_METHOD, _HEARTBEAT, _END = 1, 8, 0xCE

_START, _START_OK = (10, 10), (10, 11)
_SECURE = (10, 20)
_TUNE, _TUNE_OK = (10, 30), (10, 31)
_OPEN, _OPEN_OK = (10, 40), (10, 41)
_CLOSE, _CLOSE_OK = (10, 50), (10, 51)
_CHANNEL_OPEN, _CHANNEL_OPEN_OK = (20, 10), (20, 11)
_CHANNEL_CLOSE, _CHANNEL_CLOSE_OK = (20, 40), (20, 41)
_DECLARE, _DECLARE_OK = (50, 10), (50, 11)
_PASSIVE = 1

Method = tuple[int, int]


class BrokerRefused(Exception):
    """The broker closed the connection with a code and a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Login(NamedTuple):
    """The credentials and the virtual host of a login."""

    user: str
    password: str
    virtual_host: str
    mechanism: str = 'AMQPLAIN'

    def __repr__(self) -> str:
        return f'<{self.user} at {self.virtual_host}>'


class BrokerSession:
    """A connection to a broker after the login."""

    def __init__(self, line: lines.Line, login: Login) -> None:
        """Log in.

        :raises BrokerRefused: when the broker rejects the login or the virtual
            host.
        :raises lines.NoAnswer: when the server does not answer like a broker.
        """
        self._line = line
        line.send(_HEADER)
        _, body = self._wait(_START)
        self._send(
            0,
            _START_OK,
            _table(_PROPERTIES)
            + _short(self._mechanism(body, login))
            + _long(self._response)
            + _short('en_US'),
        )
        try:
            method, body = self._wait(_TUNE, _SECURE)
        except lines.NoAnswer as exc:
            # RabbitMQ before 3.2 closes the connection if a login fails.
            if 'without an answer' in str(exc):
                raise BrokerRefused(403, 'ACCESS_REFUSED') from exc
            raise
        if method == _SECURE:
            raise lines.NoAnswer('it offers no login by password')
        channels, size = struct.unpack_from('>HI', body)
        self._send(0, _TUNE_OK, struct.pack('>HIH', channels, size, 0))
        self._send(0, _OPEN, _short(login.virtual_host) + b'\x00\x00')
        self._wait(_OPEN_OK)

    def _mechanism(self, body: bytes, login: Login) -> str:
        # Two octets of the version, then the table of server properties.
        (size,) = struct.unpack_from('>I', body, 2)
        (length,) = struct.unpack_from('>I', body, 6 + size)
        known = body[10 + size : 10 + size + length].split()
        user, password = login.user, login.password
        # py-amqp offers the one that rabbit_login_method names (5.1 to 5.3
        # connection.py).
        if login.mechanism.encode() not in known:
            raise lines.NoAnswer(
                f'it does not offer {login.mechanism}, which '
                'rabbit_login_method selects'
            )
        if login.mechanism == 'EXTERNAL':
            self._response = b''
        elif login.mechanism == 'PLAIN':
            self._response = f'\0{user}\0{password}'.encode()
        elif login.mechanism == 'AMQPLAIN':
            table = _table({'LOGIN': user, 'PASSWORD': password})
            # The encoding of a table without its length.
            self._response = table[4:]
        else:
            raise lines.NoAnswer(f'py-amqp has no login by {login.mechanism}')
        return login.mechanism

    def has_queue(self, name: str) -> Optional[bool]:
        """Say whether a queue exists; None if the user may not know."""
        self._send(1, _CHANNEL_OPEN, b'\x00')
        self._wait(_CHANNEL_OPEN_OK)
        self._send(
            1,
            _DECLARE,
            struct.pack('>H', 0)
            + _short(name)
            + bytes([_PASSIVE])
            + _table({}),
        )
        method, body = self._wait(_DECLARE_OK, _CHANNEL_CLOSE)
        if method == _DECLARE_OK:
            self._send(
                1,
                _CHANNEL_CLOSE,
                struct.pack('>H', 200) + _short('') + struct.pack('>HH', 0, 0),
            )
            self._wait(_CHANNEL_CLOSE_OK)
            return True
        self._send(1, _CHANNEL_CLOSE_OK, b'')
        (code,) = struct.unpack_from('>H', body)
        # 404: there is no such queue; 405: another connection owns it
        # exclusively.
        return {404: False, 405: True}.get(code)

    def end(self) -> None:
        """Close the session."""
        self._send(
            0,
            _CLOSE,
            struct.pack('>H', 200) + _short('') + struct.pack('>HH', 0, 0),
        )
        self._wait(_CLOSE_OK)

    # -- frames --------------------------------------------------------------

    def _send(self, channel: int, method: Method, body: bytes) -> None:
        payload = struct.pack('>HH', *method) + body
        self._line.send(
            struct.pack('>BHI', _METHOD, channel, len(payload))
            + payload
            + bytes([_END])
        )

    def _wait(self, *wanted: Method) -> tuple[Method, bytes]:
        while True:
            head = self._line.exactly(7)
            if head.startswith(b'AMQP'):
                raise lines.NoAnswer('it speaks another version of AMQP')
            kind, _, size = struct.unpack('>BHI', head)
            if kind not in (_METHOD, _HEARTBEAT) or size > 1 << 17:
                raise lines.NoAnswer('it does not answer like RabbitMQ')
            payload = self._line.exactly(size + 1)
            if payload[-1] != _END:
                raise lines.NoAnswer('it does not answer like RabbitMQ')
            if kind == _HEARTBEAT:
                continue
            method = struct.unpack_from('>HH', payload)
            body = payload[4:-1]
            if method in wanted:
                return (method[0], method[1]), body
            if method == _CLOSE:
                (code,) = struct.unpack_from('>H', body)
                text = body[3 : 3 + body[2]].decode('utf-8', 'replace')
                self._send(0, _CLOSE_OK, b'')
                raise BrokerRefused(code, text)
            # Other methods, such as Connection.Blocked, are ignored: nothing
            # is published here.


def _short(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 255:
        raise lines.NoAnswer('a name is longer than AMQP allows')
    return bytes([len(encoded)]) + encoded


def _long(data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + data


def _table(fields: 'dict[str, object]') -> bytes:
    body = b''
    for name, value in fields.items():
        body += _short(name)
        if isinstance(value, bool):
            body += b't' + bytes([value])
        elif isinstance(value, dict):
            body += b'F' + _table(value)
        else:
            body += b'S' + _long(str(value).encode())
    return _long(body)


_PROPERTIES: 'dict[str, object]' = {
    'product': 'manila-precheck',
    # Without it the broker closes the connection without an error if a login
    # fails.
    'capabilities': {'authentication_failure_close': True},
}
