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

import hashlib
import os

import ddt
import fixtures
from hypothesis import given
from hypothesis import strategies
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import yaml_file

# 300 bytes that stand for 10^9 values.
_BOMB = 'l0: &l0 [x]\n' + ''.join(
    f'l{n}: &l{n} [{",".join([f"*l{n - 1}"] * 10)}]\n' for n in range(1, 10)
)


@ddt.ddt
class DocumentTest(testtools.TestCase):
    def test_values_are_taken_as_they_are_written(self):
        found = yaml_file.parse(
            'a: 9.10\n'
            'b:\n'
            '- 7\n'
            '- "7"\n'
            '- 010\n'
            '- 0x1F\n'
            '- 1e3\n'
            'c: {d: yes, e: false, f: ~, g: 2013-01-02}\n'
            '9.10: x\n',
            'here',
        )
        self.assertEqual(
            {
                'a': '9.10',
                'b': [7, '7', '010', '0x1F', '1e3'],
                'c': {'d': True, 'e': False, 'f': None, 'g': '2013-01-02'},
                '9.10': 'x',
            },
            found.data,
        )
        self.assertEqual(
            {'a': 1, 'b': 2, 'c': 8, '9.10': 9},
            {path[0]: n for path, n in found.lines.items() if len(path) == 1},
        )
        self.assertEqual(4, found.line(('b', 1)))
        # What is not there is in what it stands in.
        self.assertEqual(8, found.line(('c', 'missing', 0)))
        self.assertEqual(
            'here:8: words', str(found.wrong(('c', 'missing'), 'words'))
        )

    def test_json_is_read_as_well(self):
        found = yaml_file.parse('{"a": [1, true, null],\n "b": "x"}', 'here')
        self.assertEqual({'a': [1, True, None], 'b': 'x'}, found.data)
        self.assertEqual(2, found.line(('b',)))

    @ddt.data(
        ('', 'here: it is empty'),
        ('# nothing\n', 'here: it is empty'),
        ('a: 1\n---\nb: 2\n', 'here:2: but found another document'),
        ('a: 1\nb: 2\na: 3\n', "here:3: the key 'a' is duplicated"),
        (
            'a: [\n',
            "here:2: expected the node content, but found '<stream end>'",
        ),
        ('? [a]\n: 1\n', 'here:1: a key must be a string'),
        ('a: &x\n  b: *x\n', 'here:1: it is nested too deeply'),
        ('[' * 30 + ']' * 30, 'here:1: it is nested too deeply'),
        # What took 37 s and 2.4 GB, and what takes the square of its length.
        (_BOMB, 'here: its aliases expand to more than 10000 values'),
        ('a: ' + '9' * 101, 'here:1: the number has more than 100 digits'),
        (
            'a:\n  - 1' + ':59' * 99,
            'here:2: the number has more than 100 digits',
        ),
        ('- ' * 3000 + 'a', 'here:1: it is nested too deeply'),
        ('a: \x01\n', None),
    )
    @ddt.unpack
    def test_what_is_refused(self, text, words):
        error = self.assertRaises(
            exceptions.SourceUnusable, yaml_file.parse, text, 'here'
        )
        if words is not None:
            self.assertEqual(words, str(error))

    @given(strategies.text(alphabet='ab:-[]{}&*!#\n \'"?|>%@`~1.'))
    def test_any_text_is_read_or_refused(self, text):
        try:
            yaml_file.parse(text, 'here')
        except exceptions.SourceUnusable as exc:
            self.assertTrue(str(exc).startswith('here'))


class FileTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).join('a.yaml')

    def read(self, content):
        with open(self.path, 'wb') as stream:
            stream.write(content)
        return yaml_file.read(self.path)

    def refused(self, path):
        return str(
            self.assertRaises(exceptions.SourceUnusable, yaml_file.read, path)
        )

    def test_it_says_what_was_read(self):
        found = self.read(b'\xef\xbb\xbfa: 1\n')
        self.assertEqual({'a': 1}, found.data)
        self.assertEqual(
            (
                self.path,
                hashlib.sha256(b'\xef\xbb\xbfa: 1\n').hexdigest(),
            ),
            (found.read.path, found.read.sha256),
        )

    def test_what_is_no_utf8_is_refused_by_line(self):
        error = self.assertRaises(
            text_file.NotUTF8, self.read, b'a: 1\nb: \xff\n'
        )
        self.assertEqual(
            f'{self.path}:2: the file is not UTF-8 text', str(error)
        )

    def test_what_is_no_file_is_refused(self):
        self.assertEqual(
            f'{self.path}: No such file or directory', self.refused(self.path)
        )
        os.mkfifo(self.path)
        self.assertEqual(
            f'{self.path}: a pipe, not a file', self.refused(self.path)
        )


def _chain(first, shape):
    """Return thirty lines of aliases, which stand for 2**30 values."""
    return f'a0: &a0 {first}\n' + ''.join(
        f'a{n}: &a{n} {shape.replace("X", f"*a{n - 1}")}\n'
        for n in range(1, 31)
    )


_ALIASED = 'its aliases expand to more than 10000 values'
_DEEP = 'it is nested too deeply'
_DIGITS = 'the number has more than 100 digits'
_TOO_MUCH = {
    'aliases': (_chain('[x, x]', '[X, X]'), _ALIASED, None),
    'merge keys': (_chain('{k: v}', '{<<: [X, X]}'), _ALIASED, None),
    'an alias to itself': ('a: &a\n  b: *a\n', _DEEP, 1),
    'a merge with itself': ('a: &a {<<: *a}\n', _DEEP, 1),
    'lists': ('[' * 3000 + ']' * 3000, _DEEP, 1),
    'objects': ('{"a":' * 3000 + '1' + '}' * 3000, _DEEP, 1),
    'dashes': ('- ' * 3000 + 'a', _DEEP, 1),
    'indentation': (''.join(' ' * n + 'a:\n' for n in range(400)), _DEEP, 100),
    'values': (
        '[' + 'a,' * 200_000 + ']',
        'it holds more than 100000 values',
        1,
    ),
    'digits': ('1' * 1_000_000, _DIGITS, 1),
    'hexadecimal digits': ('0x' + 'f' * 1_000_000, _DIGITS, 1),
    'base 60': (':'.join(['1'] * 100_000), _DIGITS, 1),
    'base 60 and a fraction': (':'.join(['1'] * 100_000) + '.5', _DIGITS, 1),
}


@ddt.ddt
class BoundsTest(testtools.TestCase):
    """Each of these took minutes, gigabytes, or ended in a traceback."""

    @ddt.data(*_TOO_MUCH)
    def test_too_much(self, name):
        text, words, line = _TOO_MUCH[name]
        error = self.assertRaises(yaml_file.Malformed, yaml_file.compose, text)
        self.assertEqual((words, line), (str(error), error.line))

    @ddt.data(
        '!!int ""',
        '!!float ""',
        '!!bool x',
        '!!timestamp x',
        '!!python/object/apply:os.getcwd []',
        '!!binary "\xf6"',
        '2026-13-31',
        '? {a: b}\n: c',
    )
    def test_what_stands_for_nothing_is_malformed(self, text):
        node = yaml_file.compose(text)
        self.assertRaises(yaml_file.Malformed, yaml_file.construct, node)

    def test_both_parsers_find_the_same(self):
        text = 'a: &a [1, 2.5, ~, yes]\nb: {<<: {c: *a}, d: "x"}\n'
        found = []
        for large in (text, '#' + ',' * 200_000 + '\n' + text):
            node = yaml_file.compose(large)
            assert node is not None
            found.append(yaml_file.construct(node))
        self.assertEqual(found[0], found[1])
