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
"""Programs get nothing of the caller's surroundings."""

import os
import shutil
import subprocess
import sys

import testtools

from manila_precheck.evidence.host import listeners

_ASK = (
    'from manila_precheck.evidence.host import listeners\n'
    "print([listeners.has_address(a) for a in ('192.0.2.1', '::1')])"
)


class HasAddressTest(testtools.TestCase):
    def test_this_host(self):
        self.assertIs(True, listeners.has_address('127.0.0.1'))
        self.assertIs(False, listeners.has_address('192.0.2.1'))

    def test_a_namespace_without_interfaces_had_every_address(self):
        if os.geteuid() or not shutil.which('unshare'):
            self.skipTest('no network namespace can be made')
        done = subprocess.run(
            ['unshare', '--net', sys.executable, '-c', _ASK],
            capture_output=True,
            text=True,
        )
        if done.returncode and 'unshare' in done.stderr:
            self.skipTest('no network namespace can be made')
        self.assertEqual('[None, None]\n', done.stdout)
