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

import ddt
import testtools

from manila_precheck.cmd import answer

WHOLE = answer.Answer(
    code=2,
    stdout='größer \u2192 \ud800\n',
    files=(
        answer.OutputFile('json:a\udcff', 'a\udcff', b'{}\n'),
        answer.OutputFile('html:b', 'b', b''),
    ),
    error='report junit:c: "no"\n',
)


@ddt.ddt
class AnswerTest(testtools.TestCase):
    @ddt.data(WHOLE, answer.Answer(0), answer.Answer(255, error='no'))
    def test_there_and_back(self, whole):
        self.assertEqual(whole, answer.load(answer.dump(whole)))

    def test_a_part_was_taken_for_all(self):
        data = answer.dump(WHOLE)
        for size in range(len(data)):
            self.assertIsNone(answer.load(data[:size]), str(size))

    def test_what_else_was_written_was_a_part_of_it(self):
        data = answer.dump(WHOLE)
        for size in range(len(data) + 1):
            other = data[:size] + b'x' + data[size:]
            found = answer.load(other)
            self.assertIsNone(found, repr(other))

    @ddt.data(
        b'', b'{}', b'manila-precheck answer 1\n2\n{}\nend of the answer\n'
    )
    def test_nonsense(self, data):
        self.assertIsNone(answer.load(data))


class StdoutTest(testtools.TestCase):
    def test_it_tells_what_it_stands_for(self):
        real = io.TextIOWrapper(io.BytesIO(), 'latin-1')
        one = answer.Stdout(real)
        one.write('a')
        self.assertEqual(
            ('latin-1', False, 'a'),
            (one.encoding, one.isatty(), one.getvalue()),
        )
        self.assertIsNone(answer.Stdout(io.StringIO()).encoding)
