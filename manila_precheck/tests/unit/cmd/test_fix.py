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
"""The command upgrade fix: flags, what it writes where, exit codes."""

import io
import os
import stat

import ddt
import fixtures
import testtools

from manila_precheck.cmd import precheck

_SITE = """\
[DEFAULT]
quota_shares = 2
[neutron]
password = tops3cr3t
"""


class _Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@ddt.ddt
class FixTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.path))
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.service_processes.look',
                lambda site: (),
            )
        )
        for name in list(os.environ):
            if name.startswith(('OS_MANILA_PRECHECK', 'NO_COLOR')):
                self.useFixture(fixtures.EnvironmentVariable(name))
        self.useFixture(fixtures.EnvironmentVariable('TERM', 'xterm'))
        before = os.getcwd()
        os.chdir(self.path)
        self.addCleanup(os.chdir, before)
        self.write('manila.conf', _SITE)

    def write(self, name, text):
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        with open(name, 'w', newline='') as stream:
            stream.write(text)

    def fix(self, *words, kind=io.TextIOWrapper):
        """Run the command: (exit code, standard output, standard error)."""
        data, stderr = io.BytesIO(), io.StringIO()
        stdout = kind(data, encoding='utf-8', write_through=True)
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            with fixtures.MonkeyPatch('sys.stderr', stderr):
                code = precheck.main(
                    [
                        '--config-file',
                        'manila.conf',
                        'upgrade',
                        'fix',
                        '--source-release',
                        '2025.1',
                        '--target-release',
                        '2026.1',
                        *words,
                    ]
                )
        stdout.flush()
        return code, data.getvalue().decode(), stderr.getvalue()

    def test_for_patch(self):
        code, diff, said = self.fix()
        self.assertEqual(0, code)
        # The password is no context.
        self.assertEqual(
            '# before the upgrade: 2025.1 reads the same from it as now\n'
            '--- manila.conf\n'
            '+++ manila.conf\n'
            '@@ -1,3 +1,4 @@\n'
            ' [DEFAULT]\n'
            '-quota_shares = 2\n'
            '+# PRECHECK: [DEFAULT] quota_shares is a deprecated name of '
            '[quota] shares\n'
            '+# quota_shares = 2\n'
            ' [neutron]\n'
            '@@ -4,0 +6,3 @@\n'
            '+\n'
            '+[quota]\n'
            '+shares = 2\n',
            diff,
        )
        self.assertEqual(
            'before the upgrade: 2025.1 reads the same from it as now: '
            '1 file\n'
            f'to apply the diff: cd {os.path.realpath(self.path)} && '
            'patch -p0 < FILE\n',
            said,
        )

    def test_a_file_that_is_no_text_stays_as_it_is(self):
        self.write('policy.yaml', '')
        with open('policy.yaml', 'wb') as stream:
            stream.write(b'# Gr\xf6\n"share:create": "!"\n')
        code, diff, said = self.fix('--output', 'out')
        self.assertEqual(2, code, said)
        self.assertIn('it is not UTF-8 text', said)
        self.assertIn('+shares = 2\n', diff)
        here = os.path.realpath(self.path).lstrip('/')
        with open(os.path.join('out', here, 'policy.yaml'), 'rb') as stream:
            self.assertEqual(b'# Gr\xf6\n"share:create": "!"\n', stream.read())

    def test_findings_that_are_alike_are_one_line(self):
        names = [f'b{n}' for n in range(100)]
        self.write(
            'manila.conf',
            f'[DEFAULT]\nenabled_share_backends = {",".join(names)}\n'
            + ''.join(
                f'[{name}]\ndriver_handles_share_servers = False\n'
                'share_driver = manila.share.drivers.netapp.common.'
                f'NetAppDriver\nnetapp_nas_password = tops3cr3t{name}\n'
                for name in names
            ),
        )
        _code, _diff, said = self.fix()
        self.assertIn('; likewise 99 more: ', said)
        self.assertLess(len(said.splitlines()), 20)

    def test_for_eyes(self):
        code, diff, _said = self.fix(kind=_Terminal)
        self.assertEqual(0, code)
        self.assertIn('\x1b[31m-quota_shares = 2\x1b[0m\n', diff)
        self.assertIn('\x1b[32m+shares = 2\x1b[0m\n', diff)
        self.assertIn(' password = ***\n', diff)
        self.assertNotIn('tops3cr3t', diff)

    def test_without_colours(self):
        self.useFixture(fixtures.EnvironmentVariable('NO_COLOR', '1'))
        _code, diff, _said = self.fix(kind=_Terminal)
        self.assertNotIn('\x1b', diff)
        self.assertIn('\n-quota_shares = 2\n', diff)

    def test_control_characters_do_not_reach_a_terminal(self):
        self.write('manila.conf', '[DEFAULT]\nquota_shares = 2\n# \x1b[2J\n')
        _code, diff, _said = self.fix(kind=_Terminal)
        self.assertNotIn('\x1b[2J', diff)
        self.assertIn(' # \\x1b[2J\n', diff)

    def test_files_in_a_directory(self):
        code, _diff, _said = self.fix('--output', 'out', '--remove')
        self.assertEqual(0, code)
        path = os.path.join('out', self.path.lstrip('/'), 'manila.conf')
        with open(path) as stream:
            self.assertEqual(
                '[DEFAULT]\n[neutron]\npassword = tops3cr3t\n\n[quota]\n'
                'shares = 2\n',
                stream.read(),
            )
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        self.assertEqual(0o700, stat.S_IMODE(os.stat('out').st_mode))

    @ddt.data(
        (['--output', 'gone/out'], 'there is no directory '),
        (['--output', '.'], 'the directory is not empty'),
        (['--output', 'manila.conf'], 'it would replace '),
        (['--check', 'upgrade-path'], "unknown check 'upgrade-path'"),
        (['--for', 'both'], "unknown --for 'both'"),
    )
    @ddt.unpack
    def test_what_is_refused(self, words, why):
        code, diff, said = self.fix(*words)
        self.assertEqual((255, ''), (code, diff))
        self.assertIn(why, said)
        with open('manila.conf') as stream:
            self.assertEqual(_SITE, stream.read())

    def test_a_link_to_a_directory_is_followed_no_further(self):
        os.mkdir('real')
        self.write('real/mine', 'x')
        os.symlink('real', 'link')
        code, _diff, said = self.fix('--output', 'link')
        self.assertEqual(255, code, said)
        self.assertEqual(['mine'], os.listdir('real'))

    def test_nothing_to_do(self):
        self.write('manila.conf', '[DEFAULT]\ndebug = true\n')
        self.assertEqual(
            (0, '', 'nothing to change in the files\n'), self.fix()
        )

    def test_a_file_that_is_missing_is_not_fine(self):
        self.write('manila.conf', '[keystone_authtoken]\n')
        code, diff, said = self.fix('--check', 'api-paste')
        self.assertEqual((1, ''), (code, diff))
        self.assertIn('left: api-paste: skipped: ', said)

    def test_whatever_the_stage(self):
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__STAGE', 'upgraded'
            )
        )
        _code, diff, _said = self.fix()
        self.assertIn('+shares = 2\n', diff)

    def test_a_key_that_is_not_there(self):
        code, diff, _said = self.fix('--key', 'config-options[quota/*]')
        self.assertEqual((0, ''), (code, diff))

    def test_a_person_has_to_choose(self):
        self.write(
            'manila.conf', '[DEFAULT]\n[oslo_policy]\npolicy_file = gone\n'
        )
        code, diff, said = self.fix()
        self.assertEqual(1, code)
        self.assertIn(
            '\n+# PRECHECK: choose policy_file [policy-rules['
            'oslo_policy/policy_file]]: the name of a file: ',
            diff,
        )
        self.assertIn('(marked "# PRECHECK: choose")', said)

    def test_a_diff_of_secrets_alone_is_empty(self):
        """Patch refuses one that is comments alone."""
        self.write(
            'manila.conf',
            '[a]\nmemcache_secret_key = tops3cr3t\n'
            '[oslo_messaging_rabbit]\n'
            'ssl_enforce_hostname_verification = tops3cr3t\n',
        )
        _code, diff, said = self.fix()
        self.assertEqual('', diff)
        self.assertNotIn('tops3cr3t', said)
        self.assertIn(
            'left out, since a secret stands there: manila.conf, line 4\n'
            '1 change holds a secret and cannot be in the diff: --output DIR '
            'has the whole files\n'
            'the diff is empty: --output DIR has every change\n',
            said,
        )

    def test_a_secret_that_moves_is_not_in_the_diff(self):
        self.write(
            'manila.conf',
            '[DEFAULT]\nquota_shares = 2\n\n\n\n'
            '[a]\nmemcache_secret_key = tops3cr3t\n'
            '[oslo_messaging_rabbit]\n'
            'ssl_enforce_hostname_verification = tops3cr3t\n',
        )
        _code, diff, said = self.fix()
        self.assertNotIn('tops3cr3t', diff)
        self.assertIn('left out, since a secret stands there: ', diff)
        self.assertIn('--output DIR has the whole files', said)
