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
"""The editor of lines: what is not changed stays, to the byte."""

import random
import re

import ddt
import testtools

from manila_precheck import model
from manila_precheck.act import changes
from manila_precheck.act import ini_lines
from manila_precheck.act import policy_lines
from manila_precheck.evidence.config import ini_lines as raw_lines
from manila_precheck.evidence.files import text_file

SEEDS = range(200)


def edit(action, line, section='', name='', value=None, kind='config'):
    return model.Edit(action, kind, 'f', line, section, name, value)


def made(text, *edits, kind='config', remove=False, original=None):
    """Return a text with changes, each with its number as the key."""
    wanted = [
        changes.Change(one, f'key{number}', f'why {number}')
        for number, one in enumerate(edits)
    ]
    changed, done = changes.make(
        kind, text, wanted, remove, text if original is None else original
    )
    return changed, [one.key for one in done]


def settings_of(text):
    read = text_file.Text(text, model.FileRead('f', ''))
    parsed = raw_lines.parse(read)
    return [(s.group, s.name, s.value) for s in parsed.settings], parsed


@ddt.ddt
class ConfigTest(testtools.TestCase):
    def test_a_new_name_in_the_same_section(self):
        self.assertEqual(
            (
                '[DEFAULT]\r\n'
                '# PRECHECK: why 0\r\n'
                '# logdir  :  "/var/log"\r\n'
                'log_dir  :  "/var/log"\r\n'
                'debug = true\r\n',
                ['key0'],
            ),
            made(
                '[DEFAULT]\r\nlogdir  :  "/var/log"\r\ndebug = true\r\n',
                edit('move', 2, 'DEFAULT', 'log_dir'),
            ),
        )

    def test_a_new_name_in_another_section(self):
        self.assertEqual(
            (
                '[DEFAULT]\n'
                '# PRECHECK: why 0\n'
                '# quota_shares = 1,\n'
                '#   2\n'
                'x = 1\n'
                '[Quota]\n'
                '# nothing else\n'
                'gigabytes = 5\n'
                'shares = 1,\n'
                '  2\n'
                '\n'
                '# of the next one\n'
                '[other]\n',
                ['key0'],
            ),
            made(
                '[DEFAULT]\nquota_shares = 1,\n  2\nx = 1\n'
                '[Quota]\n# nothing else\ngigabytes = 5\n\n'
                '# of the next one\n[other]\n',
                edit('move', 2, 'quota', 'shares'),
            ),
        )

    def test_a_section_that_is_missing_at_the_end_of_the_file(self):
        self.assertEqual(
            (
                '[DEFAULT]\n'
                '# PRECHECK: why 0\n'
                '# a = 1\n'
                '# PRECHECK: why 1\n'
                '# b = 2\n'
                '\n'
                '[quota]\n'
                'c = 1\n'
                'd = 2\n',
                ['key0', 'key1'],
            ),
            made(
                '[DEFAULT]\na = 1\nb = 2',
                edit('move', 2, 'quota', 'c'),
                edit('move', 3, 'quota', 'd'),
            ),
        )

    def test_two_new_sections_by_turns(self):
        text, done = made(
            '[DEFAULT]\na = 1\nb = 2\nc = 3\n',
            edit('move', 2, 'x', 'a'),
            edit('move', 3, 'y', 'b'),
            edit('move', 4, 'x', 'c'),
        )
        self.assertEqual(
            [('x', 'a', '1'), ('y', 'b', '2'), ('x', 'c', '3')],
            settings_of(text)[0],
        )

    def test_old_lines_are_removed(self):
        self.assertEqual(
            ('[a]\nc = 2\n', ['key0', 'key1']),
            made(
                '[a]\nb = 1\n  2\nc = 1\n',
                edit('comment', 2, 'a', 'b'),
                edit('set', 4, 'a', 'c', '2'),
                remove=True,
            ),
        )

    def test_what_was_written_for_another_finding_leaves_no_trace(self):
        self.assertEqual(
            (
                '[a]\n# PRECHECK: why 0\nb = 2\n',
                ['key0'],
            ),
            made(
                '[a]\nb = 1\n',
                edit('set', 2, 'a', 'b', '2'),
                original='[a]\nb = 0\n',
            ),
        )

    def test_a_person_chooses(self):
        text = '[a]\nb = x\n'
        one = edit('choose', 2, 'a', 'b', 'one of y, z')
        new = edit('choose', None, 'a', 'c', 'text')
        changed, done = made(text, one, new)
        self.assertEqual(
            '[a]\n'
            '# PRECHECK: choose b [key0]: one of y, z: why 0\n'
            'b = x\n'
            '# PRECHECK: choose c [key1]: c = <text>: why 1\n',
            changed,
        )
        moved = one._replace(line=3)
        self.assertEqual((changed, []), made(changed, moved, new))

    @ddt.data(
        edit('set', 2, 'a', 'other', '1'),
        edit('set', 9, 'a', 'b', '1'),
        edit('set', 3, 'a', 'b', '1'),
        edit('add', None, 'a', 'b', '1'),
        edit('unheard of', 2, 'a', 'b', '1'),
    )
    def test_what_does_not_fit_the_file_changes_nothing(self, one):
        text = '[a]\nb = x\n  y\n'
        self.assertEqual((text, []), made(text, one))

    @ddt.data(
        'plain',
        ' spaces ',
        '"quoted"',
        "'",
        "''",
        '',
        'a\nb',
        'a\r\nb\n[c]\nd = 1',
        'x\n# y',
    )
    def test_a_value_is_read_as_it_is_meant(self, value):
        text, _done = made('[a]\nb = x\n', edit('set', 2, 'a', 'b', value))
        lines = [one.strip() for one in re.split('[\r\n]+', value)]
        expected = value if len(lines) == 1 else '\n'.join(lines)
        self.assertEqual([('a', 'b', expected)], settings_of(text)[0])

    def test_a_reason_cannot_end_its_comment(self):
        self.assertEqual(
            'a [DEFAULT] debug = true',
            changes.reason_of('a\r\n[DEFAULT]\x1b\x85\u2028debug = true'),
        )

    @ddt.data(*SEEDS)
    def test_random_files(self, seed):
        draw = random.Random(seed)
        text = _random_config(draw)
        before, parsed = settings_of(text)
        file = ini_lines.IniLines(text, paste=False)
        # The editor and the reader agree on what stands where.
        self.assertEqual(
            [(s.section, s.name, s.line) for s in parsed.settings],
            [
                (file.sections[e.section].title, e.name, e.begin + 1)
                for e in file.entries
            ],
        )
        self.assertEqual(text, ''.join(file.lines))
        chosen = [s for s in parsed.settings if draw.random() < 0.3]
        edits, expected = [], list(before)
        for setting in chosen:
            place = parsed.settings.index(setting)
            action = draw.choice(('comment', 'set', 'move', 'choose'))
            if action == 'move':
                edits.append(edit('move', setting.line, 'zz', 'moved'))
                expected[place] = None
                expected.append(('zz', 'moved', setting.value))
            elif action == 'comment':
                edits.append(edit(action, setting.line, '', setting.name))
                expected[place] = None
            elif action == 'set':
                edits.append(edit(action, setting.line, '', setting.name, 'v'))
                expected[place] = (setting.group, setting.name, 'v')
            else:
                edits.append(edit(action, setting.line, '', setting.name, 'v'))
        remove = draw.random() < 0.3
        changed, done = made(text, *edits, remove=remove)
        self.assertEqual(len(edits), len(done))
        self.assertEqual(
            [one for one in expected if one], settings_of(changed)[0]
        )
        touched = {
            number
            for one in edits
            if one.action != 'choose'
            for entry in file.entries
            if entry.begin + 1 == one.line
            for number in range(entry.begin, entry.end)
        }
        kept = [
            line
            for number, line in enumerate(file.lines)
            if number not in touched
        ]
        rest = iter(ini_lines.split(changed, paste=False))
        for line in kept:
            # The last one may have got an end.
            ends = (line, *(f'{line}{e}' for e in ('\n', '\r\n', '\r')))
            self.assertTrue(any(new in ends for new in rest), line)


def _random_config(draw):
    end = draw.choice(('\n', '\r\n', '\r'))
    lines = ['[DEFAULT]']
    for _ in range(draw.randrange(30)):
        lines.append(
            draw.choice(
                (
                    '',
                    '   ',
                    '# a comment = 1',
                    '; [not one]',
                    '[DEFAULT]',
                    '[s1]',
                    '[S1]',
                    '[two words]',
                    'a = 1',
                    'a=2',
                    'b:  "q"',
                    'long = x,\0  y,\0\tz',
                    'empty =',
                    "uni = \u00e9\u4e2d",
                    'url = http://u:p@h/?a=b',
                    'dollar = $a',
                )
            ).replace('\0', end)
        )
    return end.join(lines) + draw.choice(('', end))


@ddt.ddt
class PasteTest(testtools.TestCase):
    TEXT = (
        '[composite:osapi_share]\n'
        'use = call:x\n'
        '/: apiversions\n'
        '/v1: v1\n'
        '\n'
        '[pipeline:p]\n'
        'pipeline = a\n'
        '    b\n'
        '# within\n'
        '    c\n'
        '\n'
        '[app:v1]\n'
        'paste.app_factory = m:f\n'
    )

    def test_changes(self):
        self.assertEqual(
            (
                '[composite:osapi_share]\n'
                'use = call:x\n'
                '/: apiversions\n'
                '# PRECHECK: why 0\n'
                '# /v1: v1\n'
                '\n'
                '[pipeline:p]\n'
                '# PRECHECK: why 1\n'
                '# pipeline = a\n'
                '#     b\n'
                '# within\n'
                '#     c\n'
                'pipeline = a c\n'
                '\n'
                '# PRECHECK: why 2\n'
                '# [app:v1]\n'
                '# paste.app_factory = m:f\n'
                '\n'
                '[filter:f]\n'
                'k = 1\n'
                '/x: y\n',
                ['key0', 'key1', 'key2', 'key3', 'key4'],
            ),
            made(
                self.TEXT,
                edit('comment', 4, 'composite:osapi_share', '/v1'),
                edit('set', 7, 'pipeline:p', 'pipeline', 'a c'),
                edit('comment', 12, 'app:v1'),
                edit('add', None, 'filter:f', 'k', '1'),
                edit('add', None, 'filter:f', '/x', 'y'),
                kind='paste',
            ),
        )


@ddt.ddt
class PolicyTest(testtools.TestCase):
    def made(self, text, *edits, **more):
        return made(text, *edits, kind='policy', **more)

    def rule(self, action, name, value=None, line=1):
        return edit(action, line, name=name, value=value, kind='policy')

    def test_changes(self):
        self.assertEqual(
            (
                '# ours\n'
                '# PRECHECK: why 0\n'
                '# "a:b": "role:x"  # why\n'
                '"a:b": "role:\\"y\\""\n'
                '# PRECHECK: why 1\n'
                "# 'c': >-\n"
                '#   rule:x or\n'
                '#   rule:y\n'
                '\n'
                '# next\n'
                '# PRECHECK: choose d [key2]: x: why 2\n'
                'd: [["rule:q"]]\n',
                ['key0', 'key1', 'key2'],
            ),
            self.made(
                '# ours\n"a:b": "role:x"  # why\n'
                "'c': >-\n  rule:x or\n  rule:y\n\n"
                '# next\nd: [["rule:q"]]\n',
                self.rule('set', 'a:b', 'role:"y"'),
                self.rule('comment', 'c'),
                self.rule('choose', 'd', 'x'),
            ),
        )

    def test_json_one_rule_a_line(self):
        self.assertEqual(
            (
                '{\n'
                '# PRECHECK: why 0\n'
                '#   "a": "x",\n'
                '  "a": "y",\n'
                '# PRECHECK: why 1\n'
                '#   "b": "x"\n'
                '}\n',
                ['key0', 'key1'],
            ),
            self.made(
                '{\n  "a": "x",\n  "b": "x"\n}\n',
                self.rule('set', 'a', 'y'),
                self.rule('comment', 'b'),
            ),
        )

    @ddt.data(
        '{"a": "x", "b": "y"}\n',
        'a: &m x\nb: *m\n',
        '[a, b]\n',
        '\t- a: b\n',
        'a: "x\n',
    )
    def test_what_would_change_another_rule_is_not_done(self, text):
        self.assertEqual(
            (text, []), self.made(text, self.rule('comment', 'a'))
        )

    def test_a_repeated_rule_goes_as_a_whole(self):
        text, done = self.made(
            'a: x\nb: y\na: z\n', self.rule('comment', 'a', line=3)
        )
        self.assertEqual({'b': 'y'}, policy_lines.rules_of(text))

    def test_a_mark_of_the_byte_order_and_crlf_stay(self):
        self.assertEqual(
            (
                '\ufeff# PRECHECK: why 0\r\n# a: x\r\nb: y\r\n',
                ['key0'],
            ),
            self.made('\ufeffa: x\r\nb: y\r\n', self.rule('comment', 'a')),
        )

    def test_a_hostile_name_stays_in_its_line(self):
        text = '"a\\n\\"b\\": \\"c": "x"\n'
        changed, done = self.made(
            text, self.rule('set', 'a\n"b": "c', 'role:"\n"d": ""')
        )
        self.assertEqual(
            {'a\n"b": "c': 'role:"\n"d": ""'}, policy_lines.rules_of(changed)
        )
        self.assertEqual(3, changed.count('\n'))
