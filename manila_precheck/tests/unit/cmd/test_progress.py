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

import io

import fixtures
import testtools

from manila_precheck.cmd import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class ProgressTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS', '80'))
        self.now = 0.0

    def lines(self, stderr):
        return stderr.getvalue().split('\r\x1b[K')

    def test_a_terminal(self):
        stderr = Terminal()
        with progress.shown(stderr, lambda: self.now) as shown:
            shown.check('soft-deleted-rows')
            for self.now, done in (
                (10.0, 0),
                # Too soon after the last one.
                (10.05, 10),
                (10.5, 100),
                (12.0, 400),
                (13.0, 1000),
            ):
                shown.rows(done, 1000)
        of = 'soft-deleted-rows ... {} of about 1000 rows'
        self.assertEqual(
            [
                '',
                'soft-deleted-rows ...',
                of.format(0),
                of.format(100),
                of.format(400) + ', about 3 s left',
                of.format(1000),
                '',
            ],
            self.lines(stderr),
        )

    def test_minutes_and_the_next_check(self):
        stderr = Terminal()
        with progress.shown(stderr, lambda: self.now) as shown:
            shown.check('one')
            shown.rows(0, 10_000)
            self.now = 10.0
            shown.rows(100, 10_000)
            shown.check('two')
            self.now = 20.0
            shown.rows(5, 10)
        self.assertEqual(
            [
                '',
                'one ...',
                'one ... 0 of about 10000 rows',
                'one ... 100 of about 10000 rows, about 16 min left',
                'two ...',
                # How fast the other one was says nothing of it.
                'two ... 5 of about 10 rows',
                '',
            ],
            self.lines(stderr),
        )

    def test_a_narrow_terminal(self):
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS', '12'))
        stderr = Terminal()
        with progress.shown(stderr) as shown:
            shown.check('soft-deleted-rows')
        self.assertEqual(['', 'soft-delete', ''], self.lines(stderr))

    def test_a_file(self):
        stderr = io.StringIO()
        with progress.shown(stderr) as shown:
            shown.check('one')
            shown.rows(1, 2)
        self.assertEqual('', stderr.getvalue())
