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
"""Tests of the stand-ins for programs that act on a machine."""

import json
import pathlib
import socket
import types

import ddt
import fixtures
import testtools

from manila_precheck import releases
from qa.runbook import hosts

SOURCE, TARGET = map(releases.parse, ('2025.1', '2026.1'))


class _Plane:
    release = SOURCE

    def __init__(self):
        self.running = {}
        self.ended = []

    def start(self, service, port, wsgi):
        self.running[service] = types.SimpleNamespace(
            terminate=lambda: self.ended.append(service),
            wait_group=lambda seconds: True,
            kill=lambda: None,
        )


@ddt.ddt
class HostTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.plane = _Plane()
        self.host = hosts.Host(
            'ctl1',
            self.folder / 'h',
            self.plane,
            1,
            types.SimpleNamespace(home=lambda one: self.folder / one.name),
            False,
        )
        self.host.releases = (SOURCE, TARGET)
        self.addCleanup(self.host.listen())

    def ask(self, *words):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(f'{self.folder}/h/s')
            with asked.makefile('rw') as stream:
                stream.write(json.dumps(words) + '\n')
                stream.flush()
                return json.loads(stream.readline())

    def installed(self):
        return (self.folder / 'h' / 'release').resolve().parent.name

    def test_a_service(self):
        unit = 'manila-share.service'
        self.assertEqual([0, ''], self.ask('systemctl', 'start', unit))
        self.assertEqual({'manila-share'}, set(self.plane.running))
        self.assertEqual([0, ''], self.ask('systemctl', 'stop', unit))
        self.assertEqual(
            ({}, ['manila-share']), (self.plane.running, self.plane.ended)
        )

    @ddt.data(
        ('systemctl', 'stop', 'openstack-manila-share.service'),
        ('systemctl', 'stop', 'manila-share'),
        ('systemctl', 'disable', 'manila-share.service'),
        ('systemctl', 'stop'),
        ('apt-get', 'install', 'manila'),
        ('apt-get', 'install', 'manila=23.*'),
        ('apt-get', 'remove', 'manila=22.*'),
    )
    def test_what_there_is_not(self, *words):
        code, said = self.ask(*words[0])
        self.assertNotEqual((0, ''), (code, said))
        self.assertEqual('2025.1', self.installed())

    def test_packages(self):
        words = ('apt-get', 'install', 'manila=22.*')
        self.ask('systemctl', 'start', 'manila-data.service')
        self.assertEqual([100, 'E: manila-data runs\n'], self.ask(*words))
        self.ask('systemctl', 'stop', 'manila-data.service')
        self.assertEqual([0, ''], self.ask(*words))
        self.assertEqual(
            ('2026.1', TARGET), (self.installed(), self.plane.release)
        )
