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

"""The command on a machine whose services read several files.

The processes are real ones that are called like the services; the command
runs without flags, and sees no other process of this machine.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys

import fixtures
import testtools

_ALONE = ('unshare', '--pid', '--fork', '--mount-proc')
# A service: it says that it runs, and waits.
_SERVICE = """\
import os, sys, time
open(os.environ['STARTED'], 'w').close()
time.sleep(600)
"""
_COMMAND = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)
_DRIVER = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'


class ServicesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if os.getuid() or shutil.which(_ALONE[0]) is None:
            self.skipTest('it takes root, and unshare')
        if subprocess.run([*_ALONE, 'true']).returncode:
            self.skipTest('unshare is not permitted here')
        self.path = self.useFixture(fixtures.TempDir()).path
        self.main = self.write(
            'manila.conf',
            '[DEFAULT]\nenabled_share_backends = ps1\n'
            'transport_url = rabbit://u:p@127.0.0.1:5672/\n'
            f'[database]\nconnection = sqlite:///{self.path}/none.db\n',
        )
        self.backend = self.write(
            'backend.conf',
            f'[ps1]\nshare_driver = {_DRIVER}\n'
            'driver_handles_share_servers = False\n'
            'emc_share_backend = vmax\n'
            'emc_nas_server = 192.0.2.7\nemc_nas_login = a\n'
            'emc_nas_password = b\n',
        )

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return path

    def start(self, name, *files):
        """Return the line of a shell that starts a service."""
        script = self.write(f'bin/{name}', _SERVICE)
        started = os.path.join(self.path, f'{name}.{len(files)}.started')
        words = [sys.executable, script]
        for file in files:
            words += ['--config-file', file]
        return (
            f'STARTED={started} {shlex.join(words)} &\n'
            f'while ! test -e {started}; do sleep 0.1; done\n'
        )

    def run_beside(self, *services, flags=()):
        """Run the command where services run: (exit code, output, error)."""
        command = shlex.join(
            [
                *(sys.executable, '-c', _COMMAND, *flags),
                *('upgrade', 'check', '--source-release', '2023.1'),
                *('--target-release', '2024.1', '--no-database'),
                *('--format', 'json'),
            ]
        )
        done = subprocess.run(
            [*_ALONE, 'sh', '-c', f'{"".join(services)}{command}'],
            env={
                'HOME': self.path,
                'OS_MANILA_PRECHECK__NO_NETWORK': 'true',
                'PATH': os.environ['PATH'],
                'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
            },
            cwd='/',
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout, done.stderr

    def report(self, *services, flags=()):
        code, stdout, stderr = self.run_beside(*services, flags=flags)
        self.assertEqual(2, code, stderr)
        return json.loads(stdout)

    def failures(self, report):
        return sorted(
            finding['key']
            for check in report['checks']
            for finding in check['findings']
            if finding['severity'] == 'failure'
        )

    VMAX = ['backend-drivers[ps1#plugin]']

    def test_a_second_file_of_manila_share(self):
        report = self.report(
            self.start('manila-api', self.main),
            self.start('manila-share', self.main, self.backend),
        )
        self.assertEqual(self.VMAX, self.failures(report))
        self.assertEqual(
            [
                ('manila-api', [self.main], 'process'),
                ('manila-share', [self.main, self.backend], 'process'),
            ],
            [
                (one['service'], one['locations'], one['how'])
                for one in report['services']
                if one['how'] == 'process'
            ],
        )

    def test_the_file_of_manila_share_beside_the_one_given(self):
        report = self.report(
            self.start('manila-share', self.main, self.backend),
            flags=('--config-file', self.main),
        )
        (found,) = [c for c in report['checks'] if c['id'] == 'service-files']
        self.assertEqual(
            ['service-files[manila-share#besides]'],
            [one['key'] for one in found['findings']],
        )

    def test_two_clouds_on_one_machine(self):
        other = self.write('other/manila.conf', '[DEFAULT]\n')
        os.rename(self.main, os.path.join(self.path, 'main.conf'))
        main = os.path.join(self.path, 'main.conf')
        code, _, stderr = self.run_beside(
            self.start('manila-api', main),
            self.start('manila-share', other),
        )
        self.assertEqual(255, code)
        self.assertIn(
            'manila services of several configurations run here', stderr
        )

    def test_the_files_of_another_cloud(self):
        """manila.conf, where it stands by default, says which is meant."""
        other = self.write('other/manila.conf', '[DEFAULT]\n')
        self.write('.manila/manila.conf', '[DEFAULT]\n')
        code, stdout, stderr = self.run_beside(
            self.start('manila-share', other)
        )
        self.assertIn(code, (0, 1), stderr)
        self.assertNotIn(
            other, [file['path'] for file in json.loads(stdout)['files']]
        )
