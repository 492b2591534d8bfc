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
"""Servers that say nothing, nonsense, or more than anybody wants to hear.

Each is the ERROR of the checks that read the database, in words that name it;
the others run, and the exit code is 2.
"""

import json
import os
import random
import subprocess
import sys
from typing import Any
from typing import ClassVar

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import databases
from manila_precheck.tests import rogue_servers

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

# How often a byte comes: far below the timeout of a read.
_DRIP_SECONDS = 0.3

# What a server may make the process grow by here.
_ANSWER_BYTES = 32 * 2**20

_HUGE = b'\xff\xff\xff'


def say(*words):
    """Return what says something and then closes the connection."""

    def misbehave(client, server):
        for word in words:
            client.sendall(word)

    return misbehave


def hold(*words):
    """Return what says something, and then nothing, and does not close."""

    def misbehave(client, server):
        say(*words)(client, server)
        server.wait()

    return misbehave


def drip(word):
    """Return what says something a byte at a time, again and again."""

    def misbehave(client, server):
        while True:
            for number in range(len(word)):
                client.sendall(word[number : number + 1])
                if server.over.wait(_DRIP_SECONDS):
                    return

    return misbehave


def endless(begin, number, payload):
    """Return what sends rows of MySQL without end."""

    def misbehave(client, server):
        client.sendall(begin)
        last = number
        while not server.over.is_set():
            client.sendall(
                b''.join(
                    rogue_servers.packet((last + i) % 256, payload)
                    for i in range(256)
                )
            )

    return misbehave


def endless_packet(client, server):
    """Send a packet that goes on in a next one, without end."""
    number = 0
    while not server.over.is_set():
        client.sendall(_HUGE + bytes([number]) + bytes(2**24 - 1))
        number = (number + 1) % 256


def endless_messages(begin, row):
    """Return what sends rows of PostgreSQL without end."""

    def misbehave(client, server):
        client.sendall(begin)
        while not server.over.is_set():
            client.sendall(row * 100)

    return misbehave


def sessions(client, server):
    """Ask for the file that LOAD DATA LOCAL names, and take it."""
    client.sendall(rogue_servers.packet(1, b'\xfb/etc/passwd'))
    while True:
        server.read(client, 1)


def switch(plugin, *words):
    """Return what asks for another way to log in, and listens."""

    def misbehave(client, server):
        client.sendall(
            rogue_servers.packet(2, b'\xfe' + plugin + b'\0' + b''.join(words))
        )
        while True:
            server.read(client, 1)

    return misbehave


def error(number, text):
    """Return an error packet of MySQL."""
    return rogue_servers.packet(number, b'\xff\x15\x04#28000' + text)


_NOISE = random.Random(13).randbytes(4096)
_BEGIN, _NEXT = rogue_servers.mysql_begin(b'a', b'b', b'c')
_ROW = rogue_servers.mysql_row(b'shares', b'id', b'varchar')
_PG_BEGIN = rogue_servers.postgresql_begin(b'a', b'b', b'c')
_PG_ROW = rogue_servers.postgresql_row(b'shares', b'id', b'varchar')
_HANDSHAKE = rogue_servers.mysql_handshake()

_MYSQL = {
    'nothing': ('start', hold(), 'timed out'),
    'a close': ('start', say(), 'Lost connection'),
    'an empty packet': ('start', say(b'\0\0\0\0'), 'the driver fails'),
    'noise': ('start', say(_NOISE), 'sequence number wrong'),
    'half a handshake': ('start', say(_HANDSHAKE[:20]), 'Lost connection'),
    'a short handshake': (
        'start',
        say(rogue_servers.packet(0, _HANDSHAKE[4:14])),
        'the driver fails',
    ),
    'an error that is no UTF-8': (
        'start',
        say(error(0, b'gr\xf6\xdfe')),
        'gr',
    ),
    'a version that is not a number': (
        'start',
        say(rogue_servers.mysql_handshake(b'eight')),
        "'eight'",
    ),
    'a handshake a byte at a time': (
        'start',
        drip(rogue_servers.packet(0, bytes(2**20))),
        'timed out: no session within 3 seconds',
    ),
    'a huge packet that does not come': (
        'start',
        hold(_HUGE + b'\0'),
        'timed out',
    ),
    'a packet without end': ('start', endless_packet, 'more than 32 MiB'),
    'noise at the login': ('login', say(_NOISE), 'sequence number wrong'),
    'an empty packet at the login': (
        'login',
        say(rogue_servers.packet(2, b'')),
        'cannot be reached',
    ),
    'a request for the password': (
        'login',
        switch(b'mysql_clear_password'),
        'requires the password in clear text',
    ),
    'a request for the password in a dialog': (
        'login',
        switch(b'dialog', b'\2Password: '),
        'requires the password in clear text',
    ),
    'a login that does not exist': (
        'login',
        switch(b'no_such_password'),
        'no_such_password',
    ),
    'a request for a file': (
        'statement',
        sessions,
        # As PyMySQL has it from 1.0 on; before, what it meets afterwards.
        'of its tables',
    ),
    'an empty packet as the answer': (
        'statement',
        say(rogue_servers.packet(1, b'')),
        'of its tables',
    ),
    'noise as the answer': ('statement', say(_NOISE), 'of its tables'),
    'a row that is no UTF-8': (
        'statement',
        say(
            _BEGIN,
            rogue_servers.packet(
                _NEXT, rogue_servers.mysql_row(b'gr\xf6', b'id', b'int')
            ),
            rogue_servers.packet(_NEXT + 1, rogue_servers.MYSQL_END),
        ),
        'of its tables',
    ),
    'a short row': (
        'statement',
        say(
            _BEGIN,
            rogue_servers.packet(_NEXT, _ROW[:9]),
            rogue_servers.packet(_NEXT + 1, rogue_servers.MYSQL_END),
        ),
        'of its tables',
    ),
    'an error as the answer': (
        'statement',
        say(error(1, b'\x1b[2Jgr\xf6')),
        'rejected a query',
    ),
    'rows a byte at a time': (
        'statement',
        drip(rogue_servers.packet(1, bytes(2**20))),
        'took more than 1 seconds',
    ),
    'rows without end': (
        'statement',
        endless(
            _BEGIN,
            _NEXT,
            rogue_servers.mysql_row(b'a', b'b', bytes(250)),
        ),
        'used more than 32 MiB of memory',
    ),
}

_POSTGRESQL = {
    'nothing': ('start', hold(), 'timeout'),
    'a close': ('start', say(), 'closed'),
    'noise': ('start', say(_NOISE), 'received invalid response'),
    'a login a byte at a time': (
        'login',
        drip(rogue_servers.message(b'R', b'\0\0\0\n' + b'x' * 1900)),
        'timeout expired',
    ),
    'noise at the login': (
        'login',
        say(b'\0' + _NOISE),
        'expected authentication',
    ),
    'an error that is no UTF-8': (
        'login',
        say(rogue_servers.message(b'E', b'SFATAL\0C28000\0Mgr\xf6\0\0')),
        'cannot be reached',
    ),
    'a way to log in that does not exist': (
        'login',
        say(rogue_servers.message(b'R', b'\0\0\0\x63')),
        'authentication method 99 not supported',
    ),
    'a close as the answer': ('statement', say(), 'was lost'),
    'noise as the answer': ('statement', say(b'\0' + _NOISE), 'was lost'),
    'a row that is no UTF-8': (
        'statement',
        say(
            _PG_BEGIN,
            rogue_servers.postgresql_row(b'gr\xf6', b'id', b'int4'),
            rogue_servers.message(b'C', b'SELECT 1\0'),
            rogue_servers.POSTGRESQL_READY,
        ),
        'UnicodeDecodeError',
    ),
    'too few columns': (
        'statement',
        say(
            rogue_servers.postgresql_begin(b'a'),
            rogue_servers.postgresql_row(b'shares'),
            rogue_servers.message(b'C', b'SELECT 1\0'),
            rogue_servers.POSTGRESQL_READY,
        ),
        'ValueError',
    ),
    'rows a byte at a time': (
        'statement',
        drip(rogue_servers.message(b'T', bytes(2**20))),
        'took more than 1 seconds',
    ),
    'rows without end': (
        'statement',
        endless_messages(_PG_BEGIN, _PG_ROW),
        'used more than 32 MiB of memory',
    ),
    'a row without end': (
        'statement',
        endless_messages(_PG_BEGIN + b'D\x7f\0\0\0\0\3', bytes(4096)),
        'MiB of memory',
    ),
}


class RogueTest(databases.CheckTest):
    """Base of the tests with such a server; not a test itself."""

    server_class: ClassVar[Any] = None

    def setUp(self):
        super().setUp()
        source = 'manila_precheck.evidence.database.connection'
        for name, value in (
            ('_GRACE_SECONDS', 0),
            ('ANSWER_BYTES', _ANSWER_BYTES),
        ):
            self.useFixture(fixtures.MonkeyPatch(f'{source}.{name}', value))

    def require_error(self, at, misbehave, words):
        server = self.useFixture(self.server_class(at, misbehave))
        # The one limit before the other.
        seconds = 60 if 'MiB' in words else 1
        site = self.useFixture(
            testing.Site(
                connection=server.url,
                source=None,
                options={
                    'connect_timeout_seconds': seconds,
                    'statement_timeout_seconds': seconds,
                },
            )
        )
        ctx = site.context()
        for check_id in ('schema-revision', 'soft-deleted-rows'):
            found = site.run(check_id, ctx)
            self.assertEqual(model.Outcome.ERROR, found.outcome, found.reason)
            self.assertIn(
                f'database m at 127.0.0.1:{server.port}', found.reason
            )
            self.assertIn(words, found.reason)
            self.assertNotIn('crashed', found.reason)
            self.assertNotIn('geheim', found.reason)
        self.assertEqual(
            model.Outcome.PASSED, site.run('config-options', ctx).outcome
        )
        self.assertNotIn(rogue_servers.SECRET.encode(), server.received)
        self.assertNotIn(b'root:', server.received)


@ddt.ddt
class MySQLTest(RogueTest):
    server_class = rogue_servers.MySQL

    @ddt.data(*sorted(_MYSQL))
    def test_a_server_that_was_a_crash(self, name):
        self.require_error(*_MYSQL[name])


@ddt.ddt
class PostgreSQLTest(RogueTest):
    server_class = rogue_servers.PostgreSQL

    @ddt.data(*sorted(_POSTGRESQL))
    def test_a_server_that_was_a_crash(self, name):
        self.require_error(*_POSTGRESQL[name])


@ddt.ddt
class CommandTest(testtools.TestCase):
    """The whole command, which opens the database before any check runs."""

    @ddt.data(
        (rogue_servers.MySQL, 'an empty packet'),
        (rogue_servers.MySQL, 'a request for a file'),
        (rogue_servers.PostgreSQL, 'a row that is no UTF-8'),
    )
    @ddt.unpack
    def test_the_run_ended_in_255(self, server_class, name):
        mysql = server_class is rogue_servers.MySQL
        at, misbehave, said = (_MYSQL if mysql else _POSTGRESQL)[name]
        server = self.useFixture(server_class(at, misbehave))
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'manila.conf')
        with open(path, 'w') as stream:
            stream.write(f'[database]\nconnection = {server.url}\n')
        words = [sys.executable, '-c', _RUN, '--config-file', path]
        words += ['upgrade', 'check', '--target-release', '2026.1']
        words += ['--check', 'config-options,schema-revision']
        words += ['--format', 'json']
        ran = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual(2, ran.returncode, ran.stderr)
        found = {
            one['id']: one['outcome']
            for one in json.loads(ran.stdout)['checks']
        }
        self.assertEqual(
            {'config-options': 'passed', 'schema-revision': 'error'}, found
        )
        self.assertIn(said, ran.stdout)
