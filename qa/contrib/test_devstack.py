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

"""Test the plugins for DevStack and grenade, whose functions are stubs."""

from qa.contrib import case

DEVSTACK = case.ROOT / 'devstack'

#: Each stub prints its name and its arguments.
FUNCTIONS = """
for name in define_plugin plugin_requires setup_install pip_uninstall \\
    echo_summary register_project_for_upgrade devstack_localrc; do
    eval "$name() { echo $name \\"\\$@\\"; }"
done
die() { echo "die: $2"; exit 1; }
DEST=/opt/stack
"""


class DevstackTest(case.Case):
    def setUp(self):
        super().setUp()
        self.write('grenade/grenaderc', '')
        self.functions = self.write('grenade/functions', FUNCTIONS)

    def plugin(self, *words):
        """Source settings and plugin.sh as DevStack does, in one phase."""
        return self.succeeds(
            'bash',
            '-euc',
            f'source {self.functions}; source {DEVSTACK}/settings; '
            f'source {DEVSTACK}/plugin.sh "$@"',
            'stack.sh',
            *words,
        ).splitlines()[2:]

    def test_the_phases(self):
        self.assertEqual(
            [
                'echo_summary Installing manila-precheck',
                'setup_install /opt/stack/manila-precheck',
            ],
            self.plugin('stack', 'install'),
        )
        self.assertEqual(
            ['pip_uninstall manila-precheck'], self.plugin('clean', '')
        )
        for words in (
            ('source', ''),
            ('stack', 'pre-install'),
            ('stack', 'post-config'),
            ('stack', 'extra'),
            ('stack', 'test-config'),
            ('unstack', ''),
        ):
            self.assertEqual([], self.plugin(*words), str(words))

    def test_the_settings_of_grenade(self):
        shown = self.succeeds(
            'bash',
            '-euc',
            f'source {self.functions}; source {DEVSTACK}/upgrade/settings',
        )
        self.assertEqual(
            'register_project_for_upgrade manila-precheck',
            shown.splitlines()[0],
        )

    def upgrade(self, branch='stable/2026.1'):
        return self.run_words(
            DEVSTACK / 'upgrade/upgrade.sh',
            GRENADE_DIR=str(self.path / 'grenade'),
            MANILA_CONF_DIR=str(self.path),
            TARGET_DEVSTACK_BRANCH=branch,
        )

    def test_exit_codes(self):
        for code, continues in case.CODES:
            self.ends_with(code)
            if code == 127:
                self.program('manila-precheck', '#!/no/such/interpreter\n')
            done = self.upgrade()
            self.assertEqual(continues, done.returncode == 0, done.stdout)
            self.assertEqual(continues, 'SUCCESS' in done.stdout)

    def test_the_command(self):
        del self.environment['OS_MANILA_PRECHECK__TARGET_RELEASE']
        self.assertIn(
            'stops the upgrade of manila: 255', self.upgrade().stdout
        )
        self.write('manila.conf', case.BAD)
        self.assertIn('stops the upgrade of manila: 2', self.upgrade().stdout)
        self.write('manila.conf', case.GOOD)
        for branch, target in (
            ('stable/2026.1', '2026.1, as given'),
            ('unmaintained/2025.2', '2025.2, as given'),
            ('master', '2025.2, assumed'),
        ):
            done = self.upgrade(branch)
            self.assertEqual(0, done.returncode, done.stdout)
            self.assertIn(f'To          {target}', done.stdout)
