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
"""The diff: patch takes it, and no secret is in it."""

import os
import random
import shutil
import subprocess

import ddt
import fixtures
import testtools

from manila_precheck.act import diff
from manila_precheck.redact import secrets

SECRET = 'tops3cr3t'


def _secrets():
    return diff.Secrets(
        secrets.Redactor([SECRET]), lambda name: name.endswith('password')
    )


def _diff(old, new, kind='config'):
    return diff.FileDiff(
        None if old is None else old.encode(), new.encode(), kind, _secrets()
    )


def _screen(old, new):
    return ''.join(
        f'{sign}{line}' if sign != '@' else f'{line}\n'
        for sign, line in _diff(old, new).for_screen()
    )


def _versions(draw, number):
    """Return versions of a file, each changed a little."""
    end, last = draw.choice(('\n', '\r\n')), draw.choice(('', '\n'))
    lines = [
        draw.choice(('a = 1', '', 'b_password = x', '# c', f'd = {i}'))
        for i in range(draw.randrange(40))
    ]
    found = []
    for _ in range(number):
        found.append('[a]' + end + end.join(lines) + (last and end))
        new = []
        for line in lines:
            kind = draw.random()
            if kind < 0.1:
                new.append(f'# {line}')
            elif kind < 0.15:
                new += [line, f'new = {draw.random()}']
            elif kind < 0.17:
                new += [line, 'new_password = 1']
            elif kind > 0.03 or not line:
                new.append(line)
        lines = new
    return found


@ddt.ddt
class DiffTest(testtools.TestCase):
    def test_the_context_ends_before_a_secret(self):
        old = '[a]\nx = 1\npassword = tops3cr3t\ny = 1\nz = 1\nw = 1\nv = 1\n'
        self.assertEqual(
            '@@ -4,3 +4,3 @@\n y = 1\n-z = 1\n+z = 2\n w = 1\n',
            _diff(old, old.replace('z = 1', 'z = 2')).for_patch(),
        )

    def test_a_change_of_a_secret_is_left_out(self):
        one = _diff(
            '[a]\nold_password = tops3cr3t\nb = 1\nc = 1\n',
            '[a]\n# old_password = tops3cr3t\nnew_password = tops3cr3t\n'
            'b = 1\nc = 2\n',
        )
        self.assertEqual((2,), one.left_out)
        self.assertEqual('@@ -4 +4 @@\n-c = 1\n+c = 2\n', one.for_patch())

    def test_on_a_screen_it_is_masked(self):
        self.assertEqual(
            '@@ -1,3 +1,4 @@\n'
            ' [a]\n'
            '-old_password = ***\n'
            '+# old_password = ***\n'
            '+new_password = ***\n'
            ' b = 1\n',
            _screen(
                '[a]\nold_password = tops3cr3t\nb = 1\n',
                '[a]\n# old_password = tops3cr3t\n'
                'new_password = tops3cr3t\nb = 1\n',
            ),
        )

    @ddt.data(
        'x_password = one two three\n',
        'x_password = short,\n   pw2,\n   pw3\n',
        '# x_password = one two three\n',
        '# x_password = short\n#   pw2\n',
        ';x_password: a b c\n',
        'url = rabbit://u:tops3cr3t@h/\n',
        '# PRECHECK: about tops3cr3t\n',
        'x_password = a\rx_password = b\n',
    )
    def test_secrets_of_every_shape(self, lines):
        shown = _screen(f'[a]\n{lines}b = 1\n', f'[a]\n{lines}b = 2\n')
        for word in (SECRET, 'two', 'three', 'short', 'pw2', 'pw3', ' c'):
            self.assertNotIn(word, shown)
        self.assertIn('+b = 2', shown)
        self.assertNotIn(
            SECRET, _diff(f'[a]\n{lines}', f'[b]\n{lines}').for_patch()
        )

    def test_nothing(self):
        one = _diff('[a]\n', '[a]\n')
        self.assertEqual(('', [], ()), (
            one.for_patch(), list(one.for_screen()), one.left_out
        ))  # fmt: skip

    def test_what_a_diff_before_has_left_out_is_no_context(self):
        before = '[a]\na = 1\nb_password = x\nc = 1\nd = 1\n'
        early = before.replace('b_password', '# why\n# b_password')
        after = early.replace('a = 1', 'a = 2').replace('c = 1', 'c = 2')
        first = _diff(before, early)
        self.assertEqual(('', (3,)), (first.for_patch(), first.left_out))
        second = diff.FileDiff(
            early.encode(), after.encode(), 'config', _secrets(), first
        )
        self.assertEqual(
            '@@ -2 +2 @@\n-a = 1\n+a = 2\n@@ -4 +4 @@\n-c = 1\n+c = 2\n',
            second.for_patch(),
        )

    @ddt.data(*range(60))
    def test_patch_takes_it(self, seed):
        draw = random.Random(seed)
        before, after = _versions(draw, 2)
        one = _diff(before, after)
        patched = self.patched(before, one)
        # What is missing is what was left out.
        rest = _diff(patched, after)
        self.assertEqual('', rest.for_patch())
        if not one.left_out:
            self.assertEqual(after, patched)

    @ddt.data(*range(100))
    def test_patch_takes_two_in_turn(self, seed):
        before, early, after = _versions(random.Random(seed), 3)
        first = _diff(before, early)
        second = diff.FileDiff(
            early.encode(), after.encode(), 'config', _secrets(), first
        )
        patched = self.patched(self.patched(before, first), second)
        if not (first.left_out or second.left_out):
            self.assertEqual(after, patched)

    def patched(self, before, one):
        """Return what patch makes of a text; without an offset."""
        if shutil.which('patch') is None:
            self.skipTest('there is no patch')
        text = one.for_patch()
        self.assertNotIn('password', text)
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 'f')
        with open(path, 'wb') as stream:
            stream.write(before.encode())
        if text:
            done = subprocess.run(
                ['patch', '-p0', '--fuzz=0', '--batch'],
                cwd=os.path.dirname(path),
                input=f'--- f\n+++ f\n{text}'.encode(),
                capture_output=True,
            )
            self.assertEqual(0, done.returncode, f'{done.stdout!r} {text}')
            self.assertNotIn(b'offset', done.stdout)
        with open(path, 'rb') as stream:
            return stream.read().decode()
