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

import contextlib
import http.server
import json
import os
import socket
import ssl
import struct
import threading
import time
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.checks.service_connections import amqp
from manila_precheck.checks.service_connections import broker
from manila_precheck.checks.service_connections import check
from manila_precheck.checks.service_connections import lines
from manila_precheck.checks.service_connections import rabbitmqctl
from manila_precheck.evidence.host import listeners
from manila_precheck.evidence.host import programs
from manila_precheck.tests import key_pairs
from manila_precheck.tests import pipelines

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

DEAD = 'the services start, but never become up and receive no requests'


def frame(method, body):
    payload = struct.pack('>HH', *method) + body
    return struct.pack('>BHI', 1, 0, len(payload)) + payload + b'\xce'


def short(text):
    return bytes([len(text)]) + text.encode()


class Server(fixtures.Fixture):
    """Something that listens on 127.0.0.1, and talks as it is told."""

    def __init__(self, talk):
        super().__init__()
        self._talk = talk
        self.open = []
        self.heard = b''
        #: What was declared, each with its bits.
        self.declared = []

    def _setUp(self):
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self.addCleanup(self._end)
        threading.Thread(target=self._serve, daemon=True).start()

    def _end(self):
        self._listener.close()
        for one in self.open:
            one.close()

    def _serve(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self.open.append(one)
            threading.Thread(
                target=self._run, args=(one,), daemon=True
            ).start()

    def _run(self, one):
        with contextlib.suppress(OSError):
            self._talk(self, one)

    def hears(self, one, size=4096):
        found = one.recv(size)
        self.heard += found
        return found


def silent(server, one):
    while server.hears(one):
        pass


def slow(server, one):
    """Say one byte after another, for ever."""
    server.hears(one)
    for byte in b'HTTP/1.1 200 OK\r\n' + b'X-A: b\r\n' * 1000:
        one.sendall(bytes([byte]))
        time.sleep(0.3)


def over_tls(talk, cert, key):
    """Return one that talks over TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(cert, key)

    def wrapped(server, one):
        with made.wrap_socket(one, server_side=True) as line:
            talk(server, line)

    return wrapped


def rabbit(queues=(), answer=None):
    """Return a broker that logs everybody in, and says so in frames."""

    def method(server, one):
        # A frame may come in pieces.
        head = b''
        while len(head) < 7:
            head += server.hears(one, 7 - len(head))
        (size,) = struct.unpack_from('>I', head, 3)
        body = b''
        while len(body) < size + 1:
            body += server.hears(one, size + 1 - len(body))
        return struct.unpack_from('>HH', body), body[4:-1]

    def talk(server, one):
        server.hears(one, 8)
        one.sendall(
            frame(
                (10, 10),
                b'\0\x09'
                + struct.pack('>I', 0)
                + struct.pack('>I', 14)
                + b'PLAIN AMQPLAIN'
                + struct.pack('>I', 5)
                + b'en_US',
            )
        )
        method(server, one)
        if answer is not None:
            code, text = answer
            one.sendall(
                frame(
                    (10, 50),
                    struct.pack('>H', code)
                    + short(text)
                    + struct.pack('>HH', 0, 0),
                )
            )
            silent(server, one)
            return
        one.sendall(frame((10, 30), struct.pack('>HIH', 2047, 131072, 60)))
        while True:
            what, body = method(server, one)
            if what == (10, 40):
                one.sendall(frame((10, 41), b'\0'))
            elif what == (20, 10):
                one.sendall(frame((20, 11), b'\0\0\0\0'))
            elif what == (50, 10):
                name = body[3 : 3 + body[2]].decode()
                server.declared.append((name, body[3 + body[2]]))
                if name in queues:
                    one.sendall(frame((50, 11), short(name) + bytes(8)))
                else:
                    one.sendall(
                        frame(
                            (20, 40),
                            struct.pack('>H', 404)
                            + short('NOT_FOUND')
                            + bytes(4),
                        )
                    )
            elif what == (20, 40):
                one.sendall(frame((20, 41), b''))
            elif what == (10, 50):
                one.sendall(frame((10, 51), b''))
                return

    return talk


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path
        # What runs beside the tests is none of theirs.
        self.useFixture(
            fixtures.MockPatchObject(programs, 'find', lambda name: None)
        )
        self.useFixture(fixtures.MockPatchObject(broker, '_MANAGEMENT', 1))

    def server(self, talk):
        return self.useFixture(Server(talk))

    def closed_port(self):
        with socket.create_server(('127.0.0.1', 0)) as one:
            return one.getsockname()[1]

    def conf(self, url='', more=''):
        return (
            '[DEFAULT]\n'
            'enabled_share_backends = b\n'
            'host = ctl\n'
            f'state_path = {self.folder}\n'
            + (f'transport_url = {url}\n' if url else '')
            + '[b]\n'
            'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            f'{more}\n'
        )

    def run_check(self, conf, **kwargs):
        given = {'source': '2025.1', 'target': '2026.1', 'controller': True}
        self.site = self.useFixture(testing.Site(conf, **{**given, **kwargs}))
        return self.site.run('service-connections')

    def told(self, conf, **kwargs):
        return [
            (item.severity, item.subject.name, item.message)
            for item in self.run_check(conf, **kwargs).findings
        ]


@ddt.ddt
class BrokerTest(Case):
    def test_silent(self):
        server = self.server(rabbit())
        self.assertEqual(
            [], self.told(self.conf(f'rabbit://a:b@127.0.0.1:{server.port}/'))
        )
        # Nothing but passive declarations, each of a queue of the services.
        self.assertEqual(
            [
                ('manila-data', 1),
                ('manila-scheduler', 1),
                ('manila-share', 1),
                ('manila-data.ctl', 1),
                ('manila-scheduler.ctl', 1),
                ('manila-share.ctl@b', 1),
            ],
            server.declared,
        )
        self.assertEqual([b''], [one.recv(1) for one in server.open])

    @ddt.data(
        ('fake://', []),
        ('', []),
        ('kafka://a:b@127.0.0.1:1/', []),
    )
    @ddt.unpack
    def test_no_rabbit(self, url, expected):
        self.assertEqual(expected, self.told(self.conf(url)))

    def test_no_network(self):
        server = self.server(rabbit())
        result = self.run_check(
            self.conf(f'rabbit://a:b@127.0.0.1:{server.port}/'),
            options={'no_network': True},
        )
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'left out by --no-network',
                [],
            ),
            (result.outcome, result.reason, server.open),
        )

    def test_another_host(self):
        server = self.server(rabbit())
        result = self.run_check(
            self.conf(f'rabbit://a:b@127.0.0.1:{server.port}/'),
            controller=False,
        )
        self.assertEqual(
            (model.Outcome.NOT_APPLICABLE, []), (result.outcome, server.open)
        )

    def test_nothing_listens(self):
        port = self.closed_port()
        found = self.run_check(
            self.conf(f'rabbit://a:b@127.0.0.1:{port}/')
        ).findings
        self.assertEqual(
            (
                model.Finding(
                    FAILURE,
                    model.Subject(
                        'option',
                        f'DEFAULT/transport_url/127.0.0.1:{port}',
                        self.site.file('manila.conf'),
                        5,
                    ),
                    f'[DEFAULT] transport_url, 127.0.0.1:{port}: connection '
                    f'refused; {DEAD}',
                    (
                        model.Remediation(
                            'text',
                            'Make sure that RabbitMQ runs, and listens on the '
                            'address and port of the URL, with the same TLS '
                            'settings:',
                        ),
                        model.Remediation(
                            'command', f'nc -vz 127.0.0.1 {port}'
                        ),
                    ),
                    check_id='service-connections',
                    aspect='broker',
                ),
            ),
            found,
        )

    @ddt.data(
        (
            (403, 'ACCESS_REFUSED - Login was refused'),
            'it refuses the login of mani (ACCESS_REFUSED)',
        ),
        (
            (530, 'NOT_ALLOWED - vhost v not found'),
            'it has no virtual host v',
        ),
        (
            (530, "NOT_ALLOWED - access to vhost 'v' refused for user 'mani'"),
            'it refuses mani the virtual host v (530)',
        ),
    )
    @ddt.unpack
    def test_it_refuses(self, answer, why):
        port = self.server(rabbit(answer=answer)).port
        result = self.run_check(
            self.conf(f'rabbit://mani:not-a-password@127.0.0.1:{port}/v')
        )
        self.assertEqual(
            [f'[DEFAULT] transport_url, 127.0.0.1:{port}: {why}; {DEAD}'],
            [item.message for item in result.findings],
        )
        self.assertNotIn('not-a-password', repr(result))

    def test_one_host_of_two(self):
        good = self.server(rabbit()).port
        bad = self.closed_port()
        self.assertEqual(
            [
                (
                    WARNING,
                    f'DEFAULT/transport_url/127.0.0.1:{bad}',
                    f'[DEFAULT] transport_url, 127.0.0.1:{bad}: connection '
                    'refused; the services use the other hosts of the URL',
                )
            ],
            self.told(
                self.conf(
                    f'rabbit://a:b@127.0.0.1:{bad},a:b@127.0.0.1:{good}/'
                )
            ),
        )

    @ddt.data(
        (lambda server, one: one.sendall(b'HTTP/1.1 400 No\r\n\r\n'),
         'it does not answer like RabbitMQ'),
        (lambda server, one: one.sendall(b'AMQP\0\0\x09\x01'),
         'it speaks another version of AMQP'),
        (lambda server, one: one.sendall(frame((10, 10), b'')),
         'it does not answer like RabbitMQ'),
        (lambda server, one: one.shutdown(socket.SHUT_RDWR),
         'it closes the connection without an answer'),
    )  # fmt: skip
    @ddt.unpack
    def test_something_else_listens(self, talk, why):
        port = self.server(talk).port
        self.assertEqual(
            [f'[DEFAULT] transport_url, 127.0.0.1:{port}: {why}; {DEAD}'],
            [
                message
                for _, _, message in self.told(
                    self.conf(f'rabbit://a:b@127.0.0.1:{port}/')
                )
            ],
        )

    def test_tls_to_a_port_without(self):
        port = self.server(rabbit()).port
        ((severity, _, message),) = self.told(
            self.conf(
                f'rabbit://a:b@127.0.0.1:{port}/',
                '[oslo_messaging_rabbit]\nssl = True\n',
            )
        )
        self.assertIs(FAILURE, severity)
        self.assertIn(
            'the TLS handshake fails (wrong version number)', message
        )

    def test_the_query_of_the_url_overrides_the_section(self):
        port = self.server(rabbit()).port
        url = f'rabbit://a:b@127.0.0.1:{port}/?ssl='
        ((severity, _, message),) = self.told(self.conf(f'{url}true'))
        self.assertIs(FAILURE, severity)
        self.assertIn(
            'the TLS handshake fails (wrong version number)', message
        )
        self.assertEqual(
            [],
            self.told(
                self.conf(f'{url}0', '[oslo_messaging_rabbit]\nssl = True\n')
            ),
        )

    @ddt.data(
        # The option of 2025.1, what the target makes of it.
        ('2024.1', '2025.1', 'true', True),
        ('2024.1', '2025.1', 'false', False),
        ('2025.1', '2026.1', 'true', False),
        ('2026.1', '2026.2', 'false', True),
    )
    @ddt.unpack
    def test_certificate_of_another_host(self, source, target, on, refused):
        told = []
        for name in ('DNS:other.example', 'IP:127.0.0.1'):
            cert, key = key_pairs.pair(
                self.folder, name[:2], '-addext', f'subjectAltName={name}'
            )
            port = self.server(over_tls(rabbit(), cert, key)).port
            told += self.told(
                self.conf(
                    f'rabbit://a:b@127.0.0.1:{port}/',
                    f'[oslo_messaging_rabbit]\nssl = true\n'
                    f'ssl_ca_file = {cert}\n'
                    f'ssl_enforce_hostname_verification = {on}\n',
                ),
                source=source,
                target=target,
            )
        self.assertEqual(
            [
                (
                    FAILURE,
                    "its certificate cannot be verified (IP address mismatch, "
                    "certificate is not valid for '127.0.0.1'.); " + DEAD,
                )
            ]
            * refused,
            [
                (severity, message.partition(': ')[2])
                for severity, _, message in told
            ],
        )

    def test_queues_of_which_nobody_tells_the_type(self):
        url = f'rabbit://a:b@127.0.0.1:{self.server(rabbit(["manila-share"])).port}/'
        # Nothing in the files depends on it.
        self.assertEqual([], self.told(self.conf(url)))
        more = '[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n'
        self.assertEqual(
            [INFO], [one for one, _, _ in self.told(self.conf(url, more))]
        )

    @ddt.data(
        # (type, durable, auto_delete, arguments), lines, (option, severity)
        (('classic', False, False, {}), '', None),
        (('quorum', True, False, {}), 'rabbit_quorum_queue = True', None),
        (('classic', False, False, {}), 'rabbit_quorum_queue = True',
         ('rabbit_quorum_queue', FAILURE)),
        (('rabbit_classic_queue', False, False, {}),
         'rabbit_quorum_queue = True', ('rabbit_quorum_queue', FAILURE)),
        (('quorum', True, False, {}), '', ('rabbit_quorum_queue', FAILURE)),
        (('classic', True, False, {}), '', ('amqp_durable_queues', FAILURE)),
        (('classic', False, False, {}), 'amqp_durable_queues = True',
         ('amqp_durable_queues', WARNING)),
        (('classic', False, False, {}), 'amqp_auto_delete = True',
         ('amqp_auto_delete', FAILURE)),
        (('quorum', True, False, {'x-delivery-limit': 5}),
         'rabbit_quorum_queue = True',
         ('rabbit_quorum_delivery_limit', FAILURE)),
        (('quorum', True, False, {'x-delivery-limit': 5}),
         'rabbit_quorum_queue = True\nrabbit_quorum_delivery_limit = 5', None),
    )  # fmt: skip
    @ddt.unpack
    def test_properties(self, held, more, expected):
        kind, durable, auto_delete, arguments = held
        row = {
            'name': 'manila-share',
            'type': kind,
            'durable': durable,
            'auto_delete': auto_delete,
            'arguments': arguments,
        }
        body = json.dumps([row, {'name': 'other'}]).encode()
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        web = http.server.HTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        port = self.server(rabbit(['manila-share'])).port
        with mock.patch.object(broker, '_MANAGEMENT', web.server_port):
            found = self.told(
                self.conf(
                    f'rabbit://a:b@127.0.0.1:{port}/v%2F1',
                    f'[oslo_messaging_rabbit]\n{more}\n',
                )
            )
        self.assertEqual(
            [] if expected is None else [expected],
            [(name.rpartition('/')[2], one) for one, name, _ in found],
        )
        self.assertEqual(
            [
                '/api/queues/v%2F1'
                '?columns=name,type,durable,auto_delete,arguments'
            ],
            asked,
        )

    @ddt.data(
        ('AMQPLAIN', ''),
        ('PLAIN', ''),
        (
            'EXTERNAL',
            'it does not offer EXTERNAL, which rabbit_login_method selects',
        ),
    )
    @ddt.unpack
    def test_a_login_that_the_broker_does_not_offer(self, method, why):
        port = self.server(rabbit()).port
        found = self.told(
            self.conf(
                f'rabbit://a:b@127.0.0.1:{port}/',
                f'[oslo_messaging_rabbit]\nrabbit_login_method = {method}\n',
            )
        )
        shown = f'127.0.0.1:{port}'
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'DEFAULT/transport_url/{shown}',
                    f'[DEFAULT] transport_url, {shown}: {why}; {DEAD}',
                )
            ]
            if why
            else [],
            found,
        )

    @ddt.data(
        (('.*', '.*', '.*'), ''),
        (('^(openstack|manila)', '.*', 'manila|openstack'), ''),
        # A pattern of Erlang only.
        (('\\K(', '.*', '.*'), ''),
        (('', '.*', '.*'), "configure openstack|'^$'"),
        (('.*', '^openstack$', ''), "write manila-scheduler|'^openstack$'"),
        (('.*', '.*', '^manila-scheduler$'), 'read openstack|'
         "'^manila-scheduler$'"),
    )  # fmt: skip
    @ddt.unpack
    def test_permissions(self, patterns, lacks):
        port = self.server(rabbit()).port
        row = dict(zip(('configure', 'write', 'read'), patterns))
        asked = []

        def listed(address, words, until):
            asked.append((address, words))
            return [
                {'user': 'b', 'configure': '', 'write': '', 'read': ''},
                {'user': 'a', **row},
            ]

        def run(listens):
            with mock.patch.multiple(
                rabbitmqctl,
                listed=listed,
                listens=lambda address, asked_port, until: (
                    listens and (address, asked_port) == ('127.0.0.1', port)
                ),
            ):
                return self.run_check(
                    self.conf(f'rabbit://a:b@127.0.0.1:{port}/v')
                ).findings

        # The permissions at another broker of this host.
        self.assertEqual((), run(False))
        asked.clear()
        found = run(True)
        self.assertEqual(
            [('127.0.0.1', ['list_permissions', '-p', 'v'])], asked
        )
        what, _, pattern = lacks.partition('|')
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'DEFAULT/transport_url/127.0.0.1:{port}',
                    f'[DEFAULT] transport_url, 127.0.0.1:{port}: a has no '
                    f'permission to {what} in the virtual host v (its pattern '
                    f'is {pattern}); {DEAD} (ACCESS_REFUSED)',
                    (
                        model.command(
                            'rabbitmqctl set_permissions -p {} {} '
                            "'.*' '.*' '.*'",
                            'v',
                            'a',
                        ),
                    ),
                )
            ]
            if lacks
            else [],
            [
                (one.severity, one.subject.name, one.message, one.remediation)
                for one in found
            ],
        )

    def test_hosts_of_a_url(self):
        login = amqp.Login('a', 'b@', 'v', 'PLAIN')
        self.assertEqual(
            (
                broker.BrokerHost('one', 1, login),
                broker.BrokerHost('::1', 5672, login),
                broker.BrokerHost('two', 5672, login),
            ),
            broker.hosts('rabbit://a:b%40@one:1,[::1],a:b%40@two/v', 'PLAIN'),
        )


@ddt.ddt
class ServersTest(Case):
    def keystone(self, status, body):
        def talk(server, one):
            server.hears(one)
            one.sendall(
                f'HTTP/1.1 {status} A\r\nContent-Length: {len(body)}\r\n\r\n'
                f'{body}'.encode()
            )
            silent(server, one)

        return self.server(talk)

    def auth(self, port, more=''):
        return self.conf(
            more='[keystone_authtoken]\n'
            f'auth_url = http://127.0.0.1:{port}/v3\n{more}'
        )

    @ddt.data(
        (300, '{"versions": {}}', None),
        (200, '{"version": {}}', None),
        (401, '', None),
        (503, '', 'it answers 503'),
        (404, 'x', 'it answers 404, but not with the versions of Keystone'),
        (200, 'It works!',
         'it answers 200, but not with the versions of Keystone'),
    )  # fmt: skip
    @ddt.unpack
    def test_keystone(self, status, body, why):
        server = self.keystone(status, body)
        self.assertEqual(
            []
            if why is None
            else [
                (
                    FAILURE,
                    'keystone_authtoken/auth_url',
                    '[keystone_authtoken] auth_url, '
                    f'http://127.0.0.1:{server.port}/v3: {why}; manila-api '
                    'cannot validate tokens, and every request fails',
                )
            ],
            self.told(self.auth(server.port)),
        )
        self.assertTrue(server.heard.startswith(b'GET /v3 HTTP/1.1\r\n'))

    def test_nobody_asks_keystone(self):
        conf = self.auth(self.closed_port()).replace(
            'host = ctl', 'auth_strategy = noauth'
        )
        self.assertEqual([], self.told(conf))

    def test_the_token_filter_overrides_the_files(self):
        """Its options win, whichever section has them in the files."""
        good, bad = self.keystone(200, 'version').port, self.closed_port()
        url = 'http://127.0.0.1:{}/v3'

        def told(conf, own):
            return [
                (finding.subject.name, os.path.basename(finding.subject.file))
                for finding in self.run_check(
                    conf, files=pipelines.validating_tokens(own)
                ).findings
            ]

        name = 'keystone_authtoken/auth_url'
        self.assertEqual([(name, 'manila.conf')], told(self.auth(bad), ''))
        self.assertEqual(
            [], told(self.auth(bad), f'auth_url = {url.format(good)}\n')
        )
        self.assertEqual(
            [(name, 'api-paste.ini')],
            told(self.auth(good), f'auth_url = {url.format(bad)}\n'),
        )
        self.assertEqual(
            [('login/auth_url', 'api-paste.ini')],
            told(
                self.conf(
                    more='[keystone_authtoken]\nauth_section = login\n'
                    f'[login]\nauth_url = {url.format(good)}\n'
                ),
                f'auth_url = {url.format(bad)}\n',
            ),
        )
        # It then reads none of manila's files.
        self.assertEqual(
            [], told(self.auth(bad), 'oslo_config_project = other\n')
        )
        name = f'keystone_authtoken/memcached_servers/127.0.0.1:{bad}'
        self.assertEqual(
            [(name, 'api-paste.ini')],
            told(self.auth(good), f'memcache_servers = 127.0.0.1:{bad}\n'),
        )

    def test_memcached(self):
        def talk(server, one):
            server.hears(one)
            one.sendall(b'VERSION 1.6\r\n')

        good, bad = self.server(talk), self.closed_port()
        keystone = self.keystone(200, 'version')
        self.assertEqual(
            [
                (
                    WARNING,
                    f'keystone_authtoken/memcached_servers/127.0.0.1:{bad}',
                    '[keystone_authtoken] memcached_servers, '
                    f'127.0.0.1:{bad}: connection refused; tokens are not '
                    'cached there, and requests wait until it times out',
                )
            ],
            self.told(
                self.auth(
                    keystone.port,
                    f'memcached_servers = 127.0.0.1:{good.port},'
                    f'127.0.0.1:{bad}\n',
                )
            ),
        )
        self.assertEqual(b'version\r\n', good.heard)

    def test_the_coordinator(self):
        good, bad = self.keystone(200, '{}'), self.closed_port()
        url = '[coordination]\nbackend_url = etcd3+http://127.0.0.1:{}\n'
        self.assertEqual([], self.told(self.conf(more=url.format(good.port))))
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'coordination/backend_url/127.0.0.1:{bad}',
                    '[coordination] backend_url, etcd3+http at '
                    f'127.0.0.1:{bad}: connection refused; manila-api, '
                    'manila-scheduler and manila-share do not start',
                )
            ],
            self.told(self.conf(more=url.format(bad))),
        )
        # The check of the configuration reports it.
        self.assertEqual([], self.told(self.conf(more=url.format('[::1'))))

    @ddt.data(
        ('redis://u:p@{}', b'+OK\r\n', ''),
        ('redis://:p@{}', b'-WRONGPASS no\r\n', 'it rejects the login'),
        (
            'redis://:p@{}',
            b'-ERR invalid password\r\n',
            'it rejects the login',
        ),
        # redis-py goes on without one.
        ('redis://:p@{}', b'-ERR AUTH <password> called without\r\n', ''),
        ('redis://{}', b'-NOAUTH\r\n', 'it requires a password'),
        ('redis://{}?sentinel=m', b'-NOAUTH\r\n', ''),
        ('redis://{}', b'HTTP/1.1 400\r\n', 'it does not answer like Redis'),
        ('redis://{}?ssl=0', b'+PONG\r\n', ''),
        (
            'redis://{}?ssl=True',
            b'-ERR\r\n',
            'the TLS handshake fails (wrong version number)',
        ),
        (
            'redis://{}?ssl=1&ssl_ca_certs=/nope',
            b'',
            'its TLS files cannot be read',
        ),
        ('redis://{}?sentinel=m&ssl=1', b'+PONG\r\n', ''),
        ('etcd3+http://{}', b'HTTP/1.1 200 OK\r\n\r\n{}', ''),
        ('etcd3+http://{}', b'HTTP/1.1 503 No\r\n\r\n', 'it answers 503'),
        (
            'etcd3+https://{}',
            b'HTTP/1.1 400 No\r\n\r\n',
            'the TLS handshake fails (wrong version number)',
        ),
        ('memcached://{}', b'VERSION 1.6\r\n', ''),
        (
            'memcached://{}',
            b'ERROR\r\nxxx',
            'it does not answer like memcached',
        ),
        ('memcached://{}?use_ssl=1', b'', ''),
        ('zookeeper://{}', b'', ''),
    )
    @ddt.unpack
    def test_what_a_coordinator_answers(self, url, answer, why):
        def talk(server, one):
            server.hears(one)
            one.sendall(answer)

        port = self.server(talk).port
        url = url.format(f'127.0.0.1:{port}')
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'coordination/backend_url/127.0.0.1:{port}',
                    f'[coordination] backend_url, {url.partition(":")[0]} at '
                    f'127.0.0.1:{port}: {why}; manila-api, '
                    'manila-scheduler and manila-share do not start',
                )
            ]
            if why
            else [],
            self.told(
                self.conf(more=f'[coordination]\nbackend_url = {url}\n')
            ),
        )

    def test_the_login_at_redis(self):
        heard = []

        def talk(server, one):
            heard.append(server.hears(one))
            one.sendall(b'+OK\r\n')

        port = self.server(talk).port
        url = f'redis://manila:not-a-password@127.0.0.1:{port}'
        conf = self.conf(more=f'[coordination]\nbackend_url = {url}\n')
        self.assertEqual([], self.told(conf))
        self.assertEqual(
            [b'*3\r\n$4\r\nAUTH\r\n$6\r\nmanila\r\n$14\r\nnot-a-password\r\n'],
            heard,
        )

    @ddt.data(
        ([], 'the name cannot be resolved'),
        (
            ['192.0.2.9', '192.0.2.8'],
            'the name resolves to 192.0.2.9, which is not an address of this '
            'host',
        ),
        (['192.0.2.9', '127.0.0.1'], ''),
        (['fe80::1%lo', '::1'], ''),
    )
    @ddt.unpack
    def test_a_name_to_listen_on(self, addresses, why):
        def resolve(name, port, **words):
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, 'no such name')
            return [(0, 0, 0, '', (one, port)) for one in addresses]

        conf = self.conf().replace(
            'host = ctl', 'osapi_share_listen = api.example'
        )
        with (
            mock.patch.multiple('socket', getaddrinfo=resolve),
            mock.patch.object(
                listeners,
                'has_address',
                lambda one: one in ('127.0.0.1', '::1'),
            ),
        ):
            found = {
                stage: self.told(conf, stage=stage)
                for stage in ('plan', 'stopped')
            }
            # The program of that release serves nothing by itself.
            later = self.told(conf, source='2026.1', target='2026.2')
        expected = [
            (
                FAILURE,
                'DEFAULT/osapi_share_listen',
                f'[DEFAULT] osapi_share_listen, api.example: {why}; '
                'manila-api exits with 1',
            )
        ]
        self.assertEqual(
            dict.fromkeys(('plan', 'stopped'), expected if why else []), found
        )
        self.assertEqual([], later)

    @ddt.data(
        ('statsd.example', {}, True),
        ('statsd.example', {'statsd.example': '192.0.2.1'}, False),
        # The client asks for IPv4.
        ('::1', {'::1': '::1'}, True),
        ('%(where)s', {}, False),
        (None, {}, False),
    )
    @ddt.unpack
    def test_the_host_of_statistics(self, host, known, fires):
        def resolve(name, port, family=0, type=0):
            # As the client does (statsd 4.0.1 client/udp.py).
            self.assertEqual(
                (socket.AF_INET, socket.SOCK_DGRAM), (family, type)
            )
            if ':' in known.get(name, ':'):
                raise socket.gaierror(socket.EAI_NONAME, 'no such name')
            return [(family, type, 0, '', (known[name], port))]

        text = pipelines.VALIDATES_TOKENS.replace(
            'pipeline = authtoken', 'pipeline = authtoken stats'
        ) + (
            '[filter:stats]\npaste.filter_factory = '
            'oslo_middleware.stats:StatsMiddleware.factory\nname = manila\n'
        )
        if host is not None:
            text += f'stats_host = {host}\n'
        with mock.patch.object(socket, 'getaddrinfo', resolve):
            result = self.run_check(
                self.conf().replace('host = ctl', 'osapi_share_workers = 1'),
                files={'api-paste.ini': text},
            )
        found = model.Finding(
            FAILURE,
            model.Subject(
                'paste',
                'filter:stats',
                f'{self.site.path}/api-paste.ini',
                text.count('\n'),
            ),
            f'[filter:stats] stats_host, {host}: the name cannot be resolved '
            'to an address of IPv4; manila-api does not start '
            '(socket.gaierror)',
            (
                model.advice(
                    'Set it to the host of statsd, or take the filter out of '
                    'the pipelines.'
                ),
            ),
            check_id='service-connections',
            aspect='statistics',
        )
        self.assertEqual((found,) if fires else (), result.findings)

    @ddt.data(
        ('plan', 500, False), ('upgraded', 300, False), ('upgraded', 500, True)
    )
    @ddt.unpack
    def test_the_api(self, stage, status, fires):
        port = self.keystone(status, '').port
        conf = self.conf().replace(
            'host = ctl',
            'osapi_share_listen = 127.0.0.1\n'
            f'osapi_share_listen_port = {port}',
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/osapi_share_listen',
                    f'manila-api, 127.0.0.1 port {port}: it answers 500; '
                    'manila-api does not serve',
                )
            ]
            if fires
            else [],
            self.told(conf, stage=stage),
        )


class SlowTest(Case):
    def test_every_server_is_slow(self):
        self.useFixture(fixtures.MockPatchObject(lines, 'ANSWER_SECONDS', 1.0))
        self.useFixture(fixtures.MockPatchObject(lines, 'ALL_SECONDS', 2.0))
        ports = [self.server(slow).port for _ in range(6)]
        hosts = ','.join(f'a:b@127.0.0.1:{port}' for port in ports[:3])
        begun = time.monotonic()
        found = self.told(
            self.conf(
                f'rabbit://{hosts}/',
                '[keystone_authtoken]\n'
                f'auth_url = http://127.0.0.1:{ports[3]}/v3\n'
                f'memcached_servers = 127.0.0.1:{ports[4]}\n',
            )
        )
        self.assertLess(time.monotonic() - begun, 19)
        # RabbitMQ says its first word in the wrong language at once.
        self.assertEqual(
            {FAILURE: 4, WARNING: 1},
            {
                kind: sum(one is kind for one, _, _ in found)
                for kind in (FAILURE, WARNING)
            },
        )

    def test_the_management_plugin_is_slow(self):
        self.useFixture(fixtures.MockPatchObject(lines, 'ANSWER_SECONDS', 1.0))
        port = self.server(rabbit(['manila-share'])).port
        management = self.server(slow).port
        self.useFixture(
            fixtures.MockPatchObject(broker, '_MANAGEMENT', management)
        )
        begun = time.monotonic()
        more = '[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n'
        found = self.told(self.conf(f'rabbit://a:b@127.0.0.1:{port}/', more))
        self.assertEqual([INFO], [one for one, _, _ in found])
        self.assertLess(time.monotonic() - begun, 5)

    def test_the_limits_are_those_of_a_run(self):
        self.assertLess(lines.CONNECT_SECONDS, lines.ANSWER_SECONDS)
        self.assertLess(lines.ANSWER_SECONDS, lines.ALL_SECONDS)
        # The servers, then what is asked of queues; rabbitmqctl has the rest.
        self.assertLess(2 * lines.ALL_SECONDS, check._ALL_SECONDS)
        self.assertLess(check._ALL_SECONDS, 20)
