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
import datetime
import hashlib
import os
import re

import ddt
import fixtures
import hypothesis
from hypothesis import strategies
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import waiver_file

_GOOD = {
    'key': 'some-check[*]',
    'reason': 'because',
    'owner': 'me',
    'expires': '2026-12-31',
}


@ddt.ddt
class ReadTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'waivers.yaml'
        )

    def read(self, text):
        with open(self.path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return waiver_file.read(self.path)

    def entry(self, **changes):
        """Return what becomes of one entry; None takes a field away."""
        fields = {**_GOOD, **changes}
        lines = [f'    {k}: {v}' for k, v in fields.items() if v is not None]
        text = 'waivers:\n  -\n' + '\n'.join(lines) + '\n'
        (entry,) = self.read(text).entries
        return entry

    def test_a_file(self):
        text = (
            '# ours\nwaivers:\n  - key: some-check[a/b#c]\n'
            '    reason: >\n      two\n      lines\n    owner: me\n'
            '    expires: 2026-12-31\n'
        )
        found = self.read(text)
        self.assertEqual(
            model.FileRead(
                self.path, hashlib.sha256(text.encode()).hexdigest()
            ),
            found.read,
        )
        self.assertEqual(
            (
                waiver_file.WaiverEntry(
                    3,
                    model.Waiver(
                        'some-check[a/b#c]', 'two lines', 'me', '2026-12-31'
                    ),
                    'some-check[a/b#c]',
                ),
            ),
            found.entries,
        )

    @ddt.data('waivers: []\n', 'waivers:\n', 'waivers: ~\n')
    def test_no_entries(self, text):
        self.assertEqual((), self.read(text).entries)

    @ddt.data('2026-12-31', '"2026-12-31"', '2026-12-31T10:00:00Z')
    def test_a_date_in_each_form(self, text):
        self.assertEqual('2026-12-31', self.entry(expires=text).waiver.expires)

    @ddt.data(
        ({'reason': None}, 'it has no reason'),
        ({'reason': '""'}, 'it has no reason'),
        ({'reason': '" "'}, 'it has no reason'),
        ({'owner': '7'}, 'it has no owner'),
        ({'expires': None}, 'it has no expires'),
        ({'expires': '""'}, 'it has no expires'),
        (
            {'expires': 'never'},
            "its expires 'never' is not a date (YYYY-MM-DD)",
        ),
        ({'expires': '2026-13-31'}, 'month must be in 1..12'),
        ({'note': 'x'}, "it has the unknown key 'note'"),
        ({'key': 'some-check'}, 'its key is not CHECK[SUBJECT]'),
        ({'key': '"*[*]"'}, 'its key is not CHECK[SUBJECT]'),
        ({'key': '"some-*[*]"'}, 'its key is not CHECK[SUBJECT]'),
    )
    @ddt.unpack
    def test_malformed(self, changes, words):
        entry = self.entry(**changes)
        self.assertIsNone(entry.waiver)
        self.assertIn(words, entry.problem)
        self.assertEqual(3, entry.line)

    def test_a_malformed_entry_spoils_no_other(self):
        found = self.read(
            'waivers:\n- nonsense\n- {key: "a[b]", key: "a[c]"}\n'
            '- {key: "abcd[*]", reason: r, owner: o, expires: 2026-01-01}\n'
        )
        self.assertEqual(
            [
                (2, 'entry 1', 'it is not a mapping'),
                (3, 'entry 2', 'it has a duplicate key'),
                (4, 'abcd[*]', ''),
            ],
            [(e.line, e.name, e.problem) for e in found.entries],
        )

    @ddt.data(
        ('waivers: [', 'waivers.yaml:1: '),
        ('- a\n', 'it is not a mapping with the key waivers'),
        ('', 'it is not a mapping with the key waivers'),
        ('waiver: []\n', "it has the keys ['waiver'] instead of only waivers"),
        ('waivers: 7\n', 'waivers is not a list'),
        ('waivers: \x00\n', 'waivers.yaml'),
        ('waivers: ' + '[' * 3000, 'waivers.yaml:1: it is nested too deeply'),
    )
    @ddt.unpack
    def test_no_file_of_waivers(self, text, words):
        raised = self.assertRaises(exceptions.UsageError, self.read, text)
        self.assertIn(words, str(raised))

    def test_no_file(self):
        raised = self.assertRaises(
            exceptions.UsageError, waiver_file.read, self.path
        )
        self.assertEqual(
            f'waivers {self.path}: No such file or directory', str(raised)
        )

    def test_nothing_of_a_tag_is_run(self):
        entry = self.entry(reason='!!python/object/apply:os.getcwd []')
        self.assertIsNone(entry.waiver)
        self.assertIn('could not determine a constructor', entry.problem)


@ddt.ddt
class MatchesTest(testtools.TestCase):
    @ddt.data(
        ('c[DEFAULT/a#b]', 'c[DEFAULT/a#b]', True),
        ('c[DEFAULT/*]', 'c[DEFAULT/a#b]', True),
        ('c[*]', 'c[a\nb]', True),
        ('c[?]', 'c[a]', True),
        ('c[?]', 'c[ab]', False),
        ('c[ab]', 'c[a]', False),
        ('c[a.c]', 'c[abc]', False),
        ('c[*]', 'd[a]', False),
        ('c[a]', 'C[a]', False),
        (r'c[\*]', 'c[*]', True),
        (r'c[\*]', 'c[a]', False),
        (r'c[\a]', r'c[\a]', True),
    )
    @ddt.unpack
    def test_patterns(self, pattern, key, expected):
        self.assertEqual(expected, waiver_file.matches(pattern, key))

    @hypothesis.given(strategies.text(), strategies.text())
    def test_an_escaped_key_matches_itself_and_no_other(self, key, other):
        pattern = waiver_file.escape(key)
        self.assertTrue(waiver_file.matches(pattern, key))
        self.assertEqual(key == other, waiver_file.matches(pattern, other))

    def test_a_day(self):
        self.assertEqual(
            datetime.date(2026, 1, 2), waiver_file._date('2026-01-02')
        )

    def test_stars_were_tried_with_each_other(self):
        # Forty stars are 3000**40 ways to fail.
        key = 'c[' + 'a' * 3000 + ']'
        self.assertFalse(waiver_file.matches('c[' + '*a' * 40 + 'b]', key))
        self.assertTrue(waiver_file.matches('c[' + '*a' * 40 + '*]', key))

    @hypothesis.given(
        strategies.text('ab*?\\', max_size=8),
        strategies.text('ab*', max_size=8),
    )
    def test_matching_is_that_of_a_plain_regular_expression(
        self, pattern, key
    ):
        wild = {'*': '.*', '?': '.'}
        plain = ''.join(
            wild.get(piece) or re.escape(piece[-1])
            for piece in re.findall(r'\\[\\*?]|.', pattern)
        )
        self.assertEqual(
            re.fullmatch(plain, key) is not None,
            waiver_file.matches(pattern, key),
        )

    def test_deep_nesting_ended_in_a_traceback(self):
        path = self.useFixture(fixtures.TempDir()).join('waivers.yaml')
        with open(path, 'w') as stream:
            stream.write('waivers: ' + '[' * 3000 + ']' * 3000)
        error = self.assertRaises(
            exceptions.UsageError, waiver_file.read, path
        )
        self.assertEqual(
            f'waivers {path}:1: it is nested too deeply', str(error)
        )
