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

"""The parts of a host of manila."""

import ddt
import testtools

from manila_precheck import service_host


@ddt.ddt
class ServiceHostTest(testtools.TestCase):
    @ddt.data(
        ('ctl1@generic1#pool', ('ctl1', 'generic1')),
        ('ctl1@generic1', ('ctl1', 'generic1')),
        ('ctl1#pool', ('ctl1', '')),
        ('ctl1', ('ctl1', '')),
        ('ctl1@generic1#a@b#c', ('ctl1', 'generic1')),
        ('', ('', '')),
    )
    @ddt.unpack
    def test_the_pool_is_left_out(self, text, parts):
        self.assertEqual(parts, service_host.parse(text))
