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

import ddt
import testtools

from manila_precheck.reporters import plain


@ddt.ddt
class PlainTest(testtools.TestCase):
    @ddt.data(
        ('plain \u5171\u6709', 'plain \u5171\u6709'),
        ('\x1b[31m', '\\x1b[31m'),
        ('a\nb\rc', 'a\\nb\\rc'),
        ('\u202e\u200f\u2066', '\\u202e\\u200f\\u2066'),
        ('\x9b2J', '\\x9b2J'),
        ('no\xa0break\u2028', 'no\\xa0break\\u2028'),
        ('\ud800', '\\ud800'),
        ('\U000e0041', '\\U000e0041'),
    )
    @ddt.unpack
    def test_neutralise(self, text, expected):
        self.assertEqual(expected, plain.neutralise(text))

    @ddt.data(('abc', 3), ('\u5171\u6709', 4), ('e\u0301', 1), ('', 0))
    @ddt.unpack
    def test_cells(self, text, expected):
        self.assertEqual(expected, plain.cells(text))

    @ddt.data(
        ('', ['']),
        ('one two three', ['one two', 'three']),
        ('one\n\ntwo', ['one', '', 'two']),
        ('/a/long/path/x', ['/a/long/path/x']),
        ('see https://a-b.c/d-e ok', ['see', 'https://a-b.c/d-e', 'ok']),
        ('x backwards-compatible', ['x', 'backwards-compatible']),
        ("run 'db syn'", ['run', "'db syn'"]),
        ("'a quote of many words'", ["'a quote", 'of many', "words'"]),
        ("it's the cat's own", ["it's the", "cat's own"]),
        ('- one two three', ['- one two', '  three']),
        ('  in one two', ['  in one', '  two']),
        (
            '\u5171\u6709 \u5171\u6709 \u5171',
            ['\u5171\u6709 \u5171\u6709', '\u5171'],
        ),
    )
    @ddt.unpack
    def test_wrap(self, text, expected):
        self.assertEqual(expected, list(plain.wrap(text, 9)))

    def test_each_open_quote_was_looked_for_to_the_end(self):
        self.assertEqual(
            ["'a 'a 'a"] * 70_000, list(plain.wrap("'a " * 210_000, 9))
        )

    def test_wrap_prefixes(self):
        self.assertEqual(
            ['* one', '  two', '  three'],
            list(plain.wrap('one two\nthree', 6, '* ')),
        )

    def test_one_line(self):
        self.assertEqual(
            'a b c\\x1b',
            plain.one_line('a\n\n  b\tc\x1b\n'.replace('\t', ' ')),
        )
