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

"""A file of facts that has out-of-tree drivers, in ``upgrade check``."""

import io
import json

import ddt
import fixtures
import testtools

from manila_precheck import releases
from manila_precheck.cmd import precheck
from manila_precheck.tests.unit.catalog import test_builds

_DRIVER = 'acme_manila.driver.AcmeDriver'
_MISSING = "ModuleNotFoundError: No module named 'acme_sdk'"
_CONFIG = """\
[DEFAULT]
enabled_share_backends = acme
enabled_share_protocols = NFS
scheduler_default_filters = CapacityFilter,AcmeFilter
[acme]
"""
_NO_START = (
    'manila-share exits with 1 and starts no back end (1 enabled, share '
    'instances not counted)'
)


@ddt.ddt
class OutOfTreeTest(testtools.TestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.target = f'{self.path}/20.json'
        facts = test_builds.facts_of(releases.parse('2025.1'))
        of_driver = {'in': ['backend'], 'drivers': [_DRIVER]}
        facts['options'] += [
            {
                'name': 'acme_url',
                'type': 'string',
                'required': True,
                **of_driver,
            },
            {
                'name': 'acme_retries',
                'type': {'kind': 'integer', 'min': 1},
                'default': 3,
                **of_driver,
            },
            {
                'name': 'acme_pin',
                'type': 'string',
                'secret': True,
                'deprecated_names': [[None, 'acme_code']],
                **of_driver,
            },
        ]
        facts['drivers'] += [
            {
                'kind': 'share',
                'name': _DRIVER,
                'modes': [False],
                'lacks': ['acme_rest'],
            },
            {'kind': 'filter', 'name': 'AcmeFilter', 'target': 'acme.F'},
        ]
        facts['out_of_tree'] = ['acme_manila']
        facts['unimportable'] = {'acme_manila.broken': _MISSING}
        self.write('20.json', json.dumps(facts))

    def write(self, name, text):
        with open(f'{self.path}/{name}', 'w') as stream:
            stream.write(text)

    def report(self, config, *words):
        """Return the report on a back end, as text."""
        self.write('manila.conf', _CONFIG + config)
        streams = [
            self.useFixture(fixtures.MonkeyPatch(f'sys.{name}', io.StringIO()))
            for name in ('stdout', 'stderr')
        ]
        precheck.main(
            [
                '--config-file',
                f'{self.path}/manila.conf',
                'upgrade',
                'check',
                '--format',
                'json',
                '--check',
                'backend-drivers',
                '--check',
                'config-options',
                '--source-release',
                '2024.1',
                *words,
            ]
        )
        stdout, stderr = (one.new_value.getvalue() for one in streams)
        self.assertEqual('', stderr)
        return stdout

    def findings(self, config, *words):
        """Return {key: (severity, message)}."""
        words = words or ('--target-catalog', self.target)
        return {
            one['key']: (one['severity'], one['message'])
            for check in json.loads(self.report(config, *words))['checks']
            for one in check['findings']
        }

    def test_a_driver_of_the_file(self):
        """Its modes, its options, what it requires and what it imports."""
        self.assertEqual(
            {
                'backend-drivers[acme#mode]': (
                    'failure',
                    '[acme] driver_handles_share_servers = True is not '
                    f'supported by {_DRIVER} in 2025.1, which accepts only '
                    f'False; {_NO_START}',
                ),
                'backend-drivers[acme#libraries]': (
                    'warning',
                    f'[acme]: {_DRIVER} imports acme_rest, which the '
                    f'environment of {self.target} does not have',
                ),
                'config-options[acme/acme_url#missing]': (
                    'failure',
                    '[acme] does not set acme_url, which AcmeDriver of '
                    '2025.1 requires: the driver marks it as required and '
                    'has no fallback: manila-share runs, but the back end '
                    'does not work; 2024.1 does not require it',
                ),
                'config-options[acme/acme_retries#value]': (
                    'failure',
                    '[acme] acme_retries = 0: 2025.1 rejects the value, and '
                    'the service that reads it exits at startup; 2024.1 does '
                    'not read it',
                ),
                'config-options[acme/acme_typo]': (
                    'info',
                    '[acme] acme_typo is ignored: neither 2024.1 nor 2025.1 '
                    'knows it in this section',
                ),
            },
            self.findings(
                f'share_driver = {_DRIVER}\n'
                'driver_handles_share_servers = True\n'
                'acme_retries = 0\nacme_pin = 47114711\nacme_typo = 1\n'
            ),
        )

    def test_nothing_is_wrong_with_it(self):
        found = self.findings(
            f'share_driver = {_DRIVER}\ndriver_handles_share_servers = False\n'
            'acme_url = https://acme\n'
        )
        self.assertEqual({'backend-drivers[acme#libraries]'}, {*found})

    @ddt.data(
        (
            'acme_manila.broken.Driver',
            f'its build cannot import it: {_MISSING}',
        ),
        (
            'acme_manila.driver.Gone',
            'its build has the package, and no such class',
        ),
    )
    @ddt.unpack
    def test_a_class_that_does_not_load(self, path, why):
        found = self.findings(
            f'share_driver = {path}\ndriver_handles_share_servers = False\n'
        )
        self.assertEqual(
            {
                'backend-drivers[acme#driver]': (
                    'failure',
                    f'[acme] loads {path}, which 2025.1 does not have '
                    f'({why}); {_NO_START}',
                )
            },
            found,
        )

    @ddt.data(
        # The file was made without its package.
        ('other.Driver', '--target-catalog', '20.json'),
        # There is no file of the target.
        (_DRIVER, '--target-release', '2025.1'),
    )
    @ddt.unpack
    def test_a_driver_of_no_file(self, path, flag, value):
        value = value.replace('20.json', self.target)
        found = self.findings(
            f'share_driver = {path}\ndriver_handles_share_servers = False\n',
            flag,
            value,
        )
        self.assertEqual(
            (
                'warning',
                f'[acme] loads {path}, a third-party driver: manila-precheck '
                'does not know whether it works with 2025.1',
            ),
            found['backend-drivers[acme#driver]'],
        )

    def test_a_driver_of_the_source_alone_is_not_gone(self):
        with open(self.target) as stream:
            facts = json.load(stream)
        facts['release']['version'] = '18.3.0'
        self.write('18.json', json.dumps(facts))
        found = self.findings(
            f'share_driver = {_DRIVER}\ndriver_handles_share_servers = False\n'
            'acme_url = https://acme\n',
            '--source-catalog',
            f'{self.path}/18.json',
            '--target-release',
            '2025.1',
        )
        self.assertEqual(
            (
                'warning',
                f'[acme] loads {_DRIVER}, a third-party driver: '
                'manila-precheck does not know whether it works with 2025.1',
            ),
            found['backend-drivers[acme#driver]'],
        )

    @ddt.data('acme_pin', 'acme_code')
    def test_a_secret_of_the_file_is_not_shown(self, name):
        """Whatever its name is, and wherever its value stands."""
        report = self.report(
            f'share_driver = {_DRIVER}\ndriver_handles_share_servers = False\n'
            f'{name} = mellon4711\nacme_retries = mellon4711\n',
            '--target-catalog',
            self.target,
        )
        self.assertNotIn('mellon4711', report)
        self.assertIn('[acme] acme_retries = ***: 2025.1 rejects', report)
