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
"""Connections with a deadline that slow servers cannot extend.

A server that sends one byte a second would never run into a timeout for each
read. All reads of a connection therefore share one deadline.
"""

from collections.abc import Callable
from collections.abc import Iterable
import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import Generic
from typing import Optional
from typing import TypeVar

T = TypeVar('T')

#: The time that a server has to accept a connection, and to answer in total.
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 6.0
#: The time that all of them have together.
ALL_SECONDS = 8.0

_MOST_BYTES = 1 << 18

# Errors that a defect of this program raises. A thread would hide them, so
# they are raised again by the caller.
_CRASHES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class NoAnswer(Exception):
    """A server does not answer; the text says why, as a clause."""


class Line:
    """One connection and its deadline."""

    def __init__(
        self,
        host: str,
        port: int,
        until: float,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        """Connect.

        :param until: the deadline, by the monotonic clock.
        :param context: for TLS; None without TLS.
        :raises NoAnswer: when no connection is made.
        """
        self._until = until
        self._socket: Optional[socket.socket] = None
        try:
            limit = min(CONNECT_SECONDS, self._left())
            self._socket = socket.create_connection((host, port), limit)
            if context is not None:
                self._socket.settimeout(min(CONNECT_SECONDS, self._left()))
                self._socket = context.wrap_socket(
                    self._socket, server_hostname=host
                )
        except (OSError, ValueError) as exc:
            self.close()
            raise NoAnswer(reason(exc)) from exc

    @property
    def address(self) -> str:
        """The IP address of the server."""
        assert self._socket is not None
        try:
            return str(self._socket.getpeername()[0])
        except OSError:
            return ''

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NoAnswer('it does not answer in time')
        return left

    def send(self, data: bytes) -> None:
        """Send bytes."""
        assert self._socket is not None
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as exc:
            raise NoAnswer(reason(exc)) from exc

    def some(self) -> bytes:
        """Return the next bytes; empty if the server closed the connection."""
        assert self._socket is not None
        try:
            self._socket.settimeout(self._left())
            return self._socket.recv(1 << 14)
        except OSError as exc:
            raise NoAnswer(reason(exc)) from exc

    def exactly(self, size: int) -> bytes:
        """Return exactly ``size`` bytes.

        :raises NoAnswer: when the server closes the connection before, or when
            ``size`` is too large.
        """
        if size > _MOST_BYTES:
            raise NoAnswer('its answer is too long')
        assert self._socket is not None
        found = b''
        while len(found) < size:
            try:
                self._socket.settimeout(self._left())
                more = self._socket.recv(size - len(found))
            except OSError as exc:
                raise NoAnswer(reason(exc)) from exc
            if not more:
                raise NoAnswer('it closes the connection without an answer')
            found += more
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()


def reason(exc: Exception) -> str:
    """Return the reason of an error, without text of the server."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f'its certificate cannot be verified ({exc.verify_message})'
    if isinstance(exc, ssl.SSLError):
        reason = (exc.reason or 'no TLS').replace('_', ' ').lower()
        return f'the TLS handshake fails ({reason})'
    if isinstance(exc, socket.gaierror):
        return 'its name cannot be resolved'
    if isinstance(exc, socket.timeout):
        return 'it does not answer in time'
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror[0].lower() + exc.strerror[1:]
    return type(exc).__name__


def get(
    host: str,
    port: int,
    path: str,
    until: float,
    context: Optional[ssl.SSLContext] = None,
    headers: str = '',
) -> tuple[int, bytes]:
    """Return the status and the body of the answer to a GET.

    :raises NoAnswer: when there is no answer, or it is not HTTP.
    """
    line = Line(host, port, until, context)
    try:
        name = f'[{host}]' if ':' in host else host
        line.send(
            f'GET {path or "/"} HTTP/1.1\r\n'
            f'Host: {name}:{port}\r\n'
            'Accept: application/json\r\n'
            'User-Agent: manila-precheck\r\n'
            f'{headers}'
            'Connection: close\r\n\r\n'.encode('latin-1', 'replace')
        )
        found = b''
        while len(found) < _MOST_BYTES:
            try:
                more = line.some()
            except NoAnswer:
                if b'\r\n\r\n' in found:
                    # The server keeps the connection open.
                    break
                raise
            if not more:
                break
            found += more
            if _is_whole(found):
                break
    finally:
        line.close()
    words = found.split(b'\r\n', 1)[0].split(None, 2)
    if not (
        len(words) > 1
        and words[0].startswith(b'HTTP/')
        and len(words[1]) == 3
        and words[1].isdigit()
    ):
        raise NoAnswer(
            'it does not answer with HTTP'
            if found
            else 'it closes the connection without an answer'
        )
    return int(words[1]), found.partition(b'\r\n\r\n')[2]


def _is_whole(found: bytes) -> bool:
    head, mark, body = found.partition(b'\r\n\r\n')
    if not mark:
        return False
    for field in head.lower().split(b'\r\n'):
        name, _, value = field.partition(b':')
        if name == b'content-length' and value.strip().isdigit():
            return len(body) >= int(value)
    return False


class Probes(Generic[T]):
    """Queries of servers, sent in parallel with a common deadline."""

    def __init__(self) -> None:
        self.until = time.monotonic() + ANSWER_SECONDS

    def ask(
        self, questions: Iterable[Callable[[float], T]]
    ) -> list[Optional[T]]:
        """Return the answers in the order of the questions.

        :param questions: functions that are called with the deadline.
        :returns: None for a question that does not return in time; its thread
            goes on, because the resolver has its own time limits.
        """
        asked = list(questions)
        found: list[Optional[T]] = [None] * len(asked)
        errors: list[Exception] = []
        ends = time.monotonic() + ALL_SECONDS

        def one(place: int, question: Callable[[float], T]) -> None:
            try:
                found[place] = question(self.until)
            except _CRASHES as exc:
                errors.append(exc)

        threads = [
            threading.Thread(target=one, args=(place, question), daemon=True)
            for place, question in enumerate(asked)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
        if errors:
            raise errors[0]
        return list(found)
