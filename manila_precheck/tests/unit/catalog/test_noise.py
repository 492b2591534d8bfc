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

"""What reaches the terminal while a manila is read."""

import subprocess
import sys
import textwrap

import ddt
import testtools

# Every way in which a library gets something onto the terminal.
_LIBRARY = """
import logging, os, sys, warnings
from manila_precheck.catalog import building
from manila_precheck.catalog.building import noise

class Left:
    def __del__(self):
        print('noise', file=sys.__stderr__)

left = Left()
with noise.kept({shown}) as stdout:
    print('noise')
    print('noise', file=sys.stderr)
    logging.warning('noise')
    warnings.warn('noise')
    os.system('echo noise; echo noise >&2')
    building.say('not importable: x')
    building.say('not importable: x')
    {end}
    stdout.write('facts')
"""
_SAID = 'not importable: x\n'


@ddt.ddt
class NoiseTest(testtools.TestCase):
    def run_library(self, end='pass', shown=False):
        return subprocess.run(
            [
                *(sys.executable, '-u', '-c'),
                textwrap.dedent(_LIBRARY).format(end=end, shown=shown),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_its_own_words_alone(self):
        done = self.run_library()
        self.assertEqual(
            (0, 'facts', _SAID), (done.returncode, done.stdout, done.stderr)
        )

    def test_all_of_it_if_asked_for(self):
        done = self.run_library(shown=True)
        self.assertEqual((0, 'facts'), (done.returncode, done.stdout))
        self.assertIn(_SAID, done.stderr)
        self.assertEqual(7, done.stderr.count('noise\n'), done.stderr)

    def test_what_led_to_a_failure(self):
        done = self.run_library('raise ValueError("no manila")')
        self.assertEqual((1, ''), (done.returncode, done.stdout))
        lines = done.stderr.splitlines()
        # Not what is said as Python ends.
        self.assertEqual('ValueError: no manila', lines[-1])
        self.assertEqual('not importable: x', lines[0])
        self.assertEqual(6, done.stderr.count('noise\n'), done.stderr)

    @ddt.data('sys.exit(3)', 'os._exit(3)')
    def test_an_exit_stays_one(self, end):
        done = self.run_library(end)
        self.assertEqual(
            (3, '', _SAID), (done.returncode, done.stdout, done.stderr)
        )
