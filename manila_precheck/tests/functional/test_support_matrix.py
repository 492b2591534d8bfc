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

"""The whole command with support matrices that vendors' packages bring.

Each stands in a distribution of its own, as pip would install it.
"""

import json
import os
import subprocess
import sys

import ddt
import testtools

from manila_precheck.tests import backend_drivers
from manila_precheck.tests.backend_drivers import enabled
from manila_precheck.tests.backend_drivers import section

PATH = 'acme.driver.Driver'

MATRIX = """\
format: 2
rows:
- driver: acme.driver.Driver
  releases: 2025.1-2026.1
  sources: [https://acme.example/matrix]
  modes: [false]
  storage:
  - {system: AcmeOS, minimum: 7.10}
  libraries:
  - {module: acmesdk, package: acme-sdk, moment: load}
"""

DATA_INIT = 'acme_data/__init__.py'
DATA = 'acme_data/support_matrix.yaml'

CONF = enabled(
    section('a', f'share_driver = {PATH}', 'driver_handles_share_servers = no')
)


@ddt.ddt
class SupportMatrixTest(backend_drivers.BackendDrivers, testtools.TestCase):
    def install(self, value, files, name='acme-manila', point='acme'):
        """Install a package with an entry point."""
        info = f'{name.replace("-", "_")}-1.0.dist-info'
        self.write(
            f'site/{info}/METADATA',
            f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n',
        )
        self.write(
            f'site/{info}/entry_points.txt',
            f'[manila_precheck.support_matrix]\n{point} = {value}\n',
        )
        for path, text in files.items():
            self.write(f'site/{path}', text)

    def check(self, conf=CONF, target='2025.1'):
        """Return the result of the check, from the command's own report."""
        path = self.write('manila.conf', conf)
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                '--config-file',
                path,
                'upgrade',
                'check',
                '--source-release',
                '2024.1',
                '--target-release',
                target,
                '--check',
                'backend-drivers',
                '--format',
                'json',
            ],
            env={
                **os.environ,
                'PYTHONPATH': os.pathsep.join(
                    [
                        os.path.join(self.path, 'site'),
                        os.environ.get('PYTHONPATH', ''),
                    ]
                ),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual('', done.stderr)
        # PYTHONPATH is said too.
        result, said = json.loads(done.stdout)['checks']
        self.assertEqual('surroundings', said['id'])
        return result

    def said(self, result):
        self.assertEqual('', result['reason'])
        return [
            (f['severity'], f['key'].partition('[')[2][:-1], f['message'])
            for f in result['findings']
        ]

    @ddt.named_data(
        ['text', 'acme_matrix:MATRIX'],
        ['function', 'acme_matrix:matrix'],
        ['module', 'acme_data'],
    )
    @ddt.unpack
    def test_a_driver_with_a_row_is_known(self, value):
        self.install(
            value,
            {
                'acme_matrix.py': (
                    f'MATRIX = {MATRIX!r}\n'
                    'print("loading")\n'
                    'def matrix():\n    print("asked")\n    return MATRIX\n'
                ),
                DATA_INIT: '',
                DATA: MATRIX,
            },
        )
        result = self.check()
        self.assertEqual(
            [
                (
                    'warning',
                    'a#libraries',
                    '[a]: manila-share imports acmesdk, which manila does '
                    'not install (according to acme-manila 1.0); '
                    'manila-precheck does not know whether the target has it',
                ),
                (
                    'info',
                    'a#driver',
                    f'[a] loads {PATH}, a third-party driver, which supports '
                    '2025.1 according to acme-manila 1.0',
                ),
                (
                    'info',
                    'a#storage',
                    '[a] 2025.1 documents AcmeOS 7.10 or newer (according to '
                    'acme-manila 1.0); the version in use is not known',
                ),
            ],
            self.said(result),
        )
        self.assertEqual('found', result['outcome'])

    def test_its_modes_are_judged(self):
        self.install('acme_data', {DATA_INIT: '', DATA: MATRIX})
        result = self.check(CONF.replace('= no', '= yes'))
        self.assertEqual(
            (
                'failure',
                'a#mode',
                '[a] driver_handles_share_servers = yes is not supported by '
                f'{PATH} in 2025.1, which accepts only False; manila-share '
                'exits with 1 and starts no back end (1 enabled, share '
                'instances not counted)',
            ),
            self.said(result)[0],
        )

    def test_a_row_of_other_releases(self):
        self.install('acme_data', {DATA_INIT: '', DATA: MATRIX})
        self.assertEqual(
            [
                (
                    'warning',
                    'a#driver',
                    f'[a] loads {PATH}, a third-party driver, which supports '
                    'manila 20-22 according to acme-manila 1.0, not 2024.2',
                )
            ],
            self.said(self.check(target='2024.2')),
        )

    def test_the_first_package_counts(self):
        self.install('acme_data', {DATA_INIT: '', DATA: MATRIX})
        self.install(
            'zeta_data',
            {
                'zeta_data/__init__.py': '',
                'zeta_data/support_matrix.json': json.dumps(
                    {
                        'format': 2,
                        'rows': [
                            {
                                'driver': PATH,
                                'releases': '20',
                                'sources': ['x'],
                            }
                        ],
                    }
                ),
            },
            'zeta-manila',
        )
        (first, *_rest) = self.said(self.check())
        self.assertIn('according to acme-manila 1.0', first[2])

    @ddt.named_data(
        ['no_module', 'acme_missing:X', "No module named 'acme_missing'"],
        ['exits', 'acme_exits:X', 'ended with 3: it printed nothing'],
        ['raises', 'acme_raises:X', 'ended with 1: ValueError: no such thing'],
        ['no_text', 'acme_number:X', 'it gives int, not a text'],
        [
            'no_resource',
            'acme_number',
            'it holds no support_matrix.yaml or support_matrix.json',
        ],
        [
            'no_yaml',
            'acme_text:X',
            'acme-manila 1.0:1: rows: it must be a list that is not empty',
        ],
    )
    @ddt.unpack
    def test_one_that_does_not_load_leaves_the_rest(self, value, words):
        self.install(
            value,
            {
                'acme_exits.py': 'raise SystemExit(3)\n',
                'acme_raises.py': 'raise ValueError("no such thing")\n',
                'acme_number.py': 'X = 1\n',
                'acme_text.py': 'X = "format: 2"\n',
                'acme_space/any.py': '',
            },
        )
        found = self.said(self.check())
        self.assertEqual(
            [('warning', 'a#driver'), ('warning', 'acme-manila#matrix-acme')],
            sorted(each[:2] for each in found),
        )
        (message,) = [m for _, key, m in found if key != 'a#driver']
        start, _, end = message.partition(': ')
        self.assertEqual(
            'the support matrix acme of acme-manila 1.0 cannot be used and '
            'was ignored',
            start,
        )
        self.assertTrue(end.endswith(words), end)
