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
"""What a real RabbitMQ answers; its account is the one it comes with."""

import contextlib
import socket

import fixtures
import testtools

from manila_precheck import testing

_BROKER = ('127.0.0.1', 5672)
_DEAD = 'the services start, but never become up and receive no requests'


class RabbitTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        with contextlib.suppress(OSError):
            socket.create_connection(_BROKER, 2).close()
            self.folder = self.useFixture(fixtures.TempDir()).path
            return
        self.skipTest('no RabbitMQ on 127.0.0.1')

    def told(self, login, vhost):
        conf = (
            '[DEFAULT]\n'
            f'state_path = {self.folder}\n'
            f'transport_url = rabbit://{login}@127.0.0.1:5672/{vhost}\n'
        )
        site = self.useFixture(
            testing.Site(
                conf, source='2025.1', target='2026.1', controller=True
            )
        )
        return [
            item.message for item in site.run('service-connections').findings
        ]

    def test_a_login(self):
        self.assertEqual([], self.told('guest:guest', ''))

    def test_a_wrong_password(self):
        self.assertEqual(
            [
                '[DEFAULT] transport_url, 127.0.0.1:5672: it refuses the '
                f'login of guest (ACCESS_REFUSED); {_DEAD}'
            ],
            self.told('guest:wrong', ''),
        )

    def test_no_such_virtual_host(self):
        self.assertEqual(
            [
                '[DEFAULT] transport_url, 127.0.0.1:5672: it has no virtual '
                f'host nobody-made-it; {_DEAD}'
            ],
            self.told('guest:guest', 'nobody-made-it'),
        )
