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

"""What ``--complete`` offers in the place of the last word."""

import ddt

from manila_precheck import catalog
from manila_precheck.engine import registry
from manila_precheck.tests.unit.cmd import test_precheck

RELEASES = [release.name for release in catalog.Catalog().releases]
CHECKS = [entry.name for entry in registry.checks()]
REPORTERS = [entry.name for entry in registry.entries(registry.REPORTERS)]


@ddt.ddt
class CompletionTest(test_precheck.Case):
    def offered(self, *words):
        code, stdout, stderr = self.main('--complete', *words)
        self.assertEqual((0, ''), (code, stderr))
        return [line.partition('\t')[0] for line in stdout.splitlines()]

    @ddt.data(
        ([], ['upgrade', 'check', 'report', 'catalog']),
        ([''], ['upgrade', 'check', 'report', 'catalog']),
        (['re'], ['report']),
        (['frobnicate', 're'], ['report']),
        (['upgrade', ''], ['check', 'fix', 'plan', 'rehearse']),
        (['--debug', 'upgrade', 'r'], ['rehearse']),
        (['--config-file', 'upgrade', 'ca'], ['catalog']),
        (['--config-file', ''], []),
        (['upgrade', 'check', '--config-dir', ''], []),
        (['upgrade', 'check', '--wait', ''], []),
        (['upgrade', 'check', ''], []),
        (['upgrade', 'check', '--no-d'], ['--no-database']),
        (['upgrade', 'rehearse', '--target-p'], ['--target-python']),
        (['upgrade', 'check', '--nonsense', '--no-d'], ['--no-database']),
        (['upgrade', 'check', '--nonsense='], []),
        (['upgrade', 'check', '--debug='], []),
        (['report', 'merge', 'a.json', '--fail'], ['--fail-on']),
        (['report', 'merge', 'a.json', ''], []),
        (
            ['upgrade', 'check', '--stage', ''],
            ['plan', 'stopped', 'upgraded'],
        ),
        (['upgrade', 'check', '--stage=s'], ['--stage=stopped']),
        (['check', 'list', '--format', ''], ['text', 'json']),
        (['check', 'list', ''], []),
        (['catalog', 'diff', '2025.2', '2026'], ['2026.1', '2026.2']),
        (['catalog', 'diff', '2025.2', '2026.1', ''], []),
    )
    @ddt.unpack
    def test_words(self, words, expected):
        self.assertEqual(expected, self.offered(*words))

    def test_releases_checks_and_reporters(self):
        self.assertEqual(
            RELEASES, self.offered('upgrade', 'plan', '--target-release', '')
        )
        self.assertEqual(RELEASES, self.offered('catalog', 'diff', ''))
        for words in (
            ('upgrade', 'check', '--check'),
            ('upgrade', 'check', '--skip'),
            ('check', 'explain'),
        ):
            self.assertEqual(CHECKS, self.offered(*words, ''))
        self.assertEqual(
            REPORTERS, self.offered('report', 'merge', '--format', '')
        )
        self.assertEqual(
            [f'{name}:' for name in REPORTERS],
            self.offered('upgrade', 'check', '--report', ''),
        )
        self.assertEqual(
            [], self.offered('upgrade', 'check', '--report', 'json:/')
        )

    def test_each_flag_of_the_help(self):
        for words in (('upgrade', 'check'), ('catalog', 'build')):
            _, text, _ = self.main(*words, '--help')
            offered = self.offered(*words, '-')
            self.assertIn('--help', offered)
            for flag in offered:
                self.assertIn(flag, text)

    def test_what_it_is_stands_behind_a_tabulator(self):
        _, stdout, _ = self.main('--complete', 'check', 'explain', 'upgrade-p')
        self.assertEqual('upgrade-path\tUpgrade path\n', stdout)

    def test_it_is_no_flag_of_a_command(self):
        code, stdout, stderr = self.main('upgrade', 'check', '--complete')
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn("unknown argument '--complete'", stderr)
