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

"""Test the Puppet class, with anchors like those of puppet-manila."""

from qa.contrib import case

PATH = case.CONTRIB / 'puppet/manila_precheck.pp'

#: The relevant parts of puppet-manila and puppetlabs-stdlib: the order of the
#: anchors, and the exec of the db sync.
MANILA = """
define manila_anchor() {{
  notify {{ "${{title}}": }}
}}
class manila::deps {{
  anchor {{ 'manila::install::end': }}
  ~> anchor {{ 'manila::config::end': }}
  ~> anchor {{ 'manila::dbsync::begin': }}
  -> anchor {{ 'manila::dbsync::end': }}
  ~> anchor {{ 'manila::service::end': }}
}}
include manila::deps
file {{ '{place}/manila.conf':
  content => '{content}',
  notify  => Anchor['manila::config::end'],
}}
exec {{ 'manila-manage db_sync':
  command     => '/usr/bin/touch {place}/synced',
  refreshonly => true,
  subscribe   => [
    Anchor['manila::install::end'],
    Anchor['manila::config::end'],
    Anchor['manila::dbsync::begin'],
  ],
  notify      => Anchor['manila::dbsync::end'],
}}
class {{ 'manila_precheck':
  target  => '2026.1',
  command => '{command}',
}}
"""

#: The type of puppetlabs-stdlib, which propagates a refresh.
ANCHOR = """
Puppet::Type.newtype(:anchor) do
  newparam(:name, namevar: true)
  def refresh; end
end
"""


class PuppetTest(case.Case):
    NEEDS = ('puppet', 'puppet-lint')

    def setUp(self):
        super().setUp()
        self.write('modules/stdlib/lib/puppet/type/anchor.rb', ANCHOR)
        self.write(
            'modules/manila_precheck/manifests/init.pp', PATH.read_text()
        )

    def apply(self, content, command=None):
        """Apply the manifest; return whether the database was migrated.

        :param content: the content of a configuration file.
        """
        manifest = self.write(
            'site.pp',
            MANILA.format(
                place=self.path,
                content=content,
                command=command or self.command,
            ),
        )
        synced = self.path / 'synced'
        synced.unlink(missing_ok=True)
        done = self.run_words(
            'puppet',
            'apply',
            '--detailed-exitcodes',
            '--color=false',
            '--modulepath',
            self.path / 'modules',
            *(
                word
                for name in ('confdir', 'vardir', 'logdir', 'rundir')
                for word in (f'--{name}', self.path / name)
            ),
            manifest,
        )
        # Errors of facter do not matter: a container hides files from it.
        self.output = '\n'.join(
            line
            for line in (done.stdout + done.stderr).splitlines()
            if 'Facter: ' not in line
        )
        # With --detailed-exitcodes: 0 no change, 2 changes, 4 and 6 failures.
        self.assertEqual(
            done.returncode in (0, 2),
            'Error: ' not in self.output,
            self.output,
        )
        return done.returncode, synced.exists()

    def test_lint(self):
        self.succeeds('puppet', 'parser', 'validate', PATH)
        self.assertEqual(
            '',
            self.succeeds(
                'puppet-lint',
                '--fail-on-warnings',
                '--no-autoloader_layout-check',
                PATH,
            ),
        )

    def test_exit_codes(self):
        """The command runs after each change of the configuration only."""
        for number, (code, continues) in enumerate(case.CODES):
            self.ends_with(code)
            if code == 127:
                self.command.unlink()
            self.assertEqual(
                (2, True) if continues else (6, False),
                self.apply(f'change {number}'),
                self.output,
            )
        self.ends_with(2)
        self.assertEqual(
            (0, False), self.apply(f'change {number}'), self.output
        )
        self.assertNotIn('manila-precheck', self.output)

    def test_the_command(self):
        """The words of the exec are accepted by the command."""
        self.write('.manila/manila.conf', case.BAD)
        # Puppet runs commands without HOME.
        command = self.program(
            'precheck',
            f'#!/bin/sh\nHOME={self.path} exec {self.command} "$@"\n',
        )
        self.assertEqual((6, False), self.apply('a change', command))
        self.assertIn('Code 2', self.output)
