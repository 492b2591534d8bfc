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

"""What catalog/building tries of drivers."""

import os
from unittest import mock
from urllib import request

import testtools

from manila_precheck.catalog.building import driver_needs


class BuildableTest(testtools.TestCase):
    def test_what_can_be_tried(self):
        emc = driver_needs.EMC_DRIVER
        rows = [
            {'kind': 'share', 'name': 'a.Driver', 'modes': [True]},
            {'kind': 'share', 'name': 'a.Base', 'internal': True},
            {'kind': 'share', 'name': 'manila.tests.Dummy'},
            {'kind': 'share', 'name': emc},
            {'kind': 'emc_plugin', 'name': 'p', 'modes': [False]},
            {'kind': 'filter', 'name': 'F'},
        ]
        self.assertEqual(
            [['a.Driver', None, [True]], [emc, 'p', [False]]],
            driver_needs.buildable(rows),
        )


class ForgetProxiesTest(testtools.TestCase):
    def test_no_library_finds_a_proxy(self):
        proxies = {'https_proxy': 'http://a', 'HTTP_PROXY': 'http://a'}
        with mock.patch.dict(os.environ, proxies):
            driver_needs.forget_proxies()
            found = request.getproxies_environment()
        self.assertEqual({}, found)
