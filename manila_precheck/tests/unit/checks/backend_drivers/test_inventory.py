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

import ddt
import testtools

from manila_precheck import exceptions
from manila_precheck.checks.backend_drivers import inventory
from manila_precheck.evidence.files import yaml_file


def read(text):
    return inventory.read(yaml_file.parse(text, 'inventory.yaml'))


@ddt.ddt
class InventoryTest(testtools.TestCase):
    def test_what_is_declared(self):
        found = read(
            'backends:\n'
            '  one: {system: OneFS, version: 9.10}\n'
            '  two:\n'
            '  - system: Ceph\n'
            '    version: 19\n'
            '  - system: NFS-Ganesha\n'
            '    version: "5.7"\n'
            '    features: [b, a]\n'
        )
        self.assertEqual(
            inventory.Inventory(
                'inventory.yaml',
                {
                    'one': (
                        inventory.Declared('one', 'OneFS', '9.10', (), 2),
                    ),
                    'two': (
                        inventory.Declared('two', 'Ceph', '19', (), 4),
                        inventory.Declared(
                            'two', 'NFS-Ganesha', '5.7', ('a', 'b'), 6
                        ),
                    ),
                },
                {'one': 2, 'two': 3},
            ),
            found,
        )

    @ddt.data(
        ('[]', 1, 'the file must be a mapping'),
        ('text', 1, 'the file must be a mapping'),
        ('backend: {}', 1, "unknown key 'backend'; known keys: backends"),
        ('backends:', 1, 'backends must be a mapping'),
        ('backends: {}', 1, 'backends must be a mapping'),
        (
            'backends:\n  a: OneFS',
            2,
            'a needs a system and a version, or a list of them',
        ),
        (
            'backends:\n  a: []',
            2,
            'a needs a system and a version, or a list of them',
        ),
        (
            'backends:\n  a:\n    system: x\n    release: 1',
            4,
            "unknown key 'release'; known keys: features, system, version",
        ),
        (
            'backends:\n  a:\n    system: x',
            2,
            'version is missing or is not a string',
        ),
        (
            'backends:\n  a:\n    system: x\n    version: yes',
            4,
            'version is missing or is not a string',
        ),
        (
            'backends:\n  a:\n    system: " "\n    version: 1',
            3,
            'system is missing or is not a string',
        ),
        (
            'backends:\n  a:\n    system: x\n    version: 1\n    features: y',
            5,
            'features must be a list of strings',
        ),
        (
            'backends:\n  a:\n  - {system: x, version: 1}\n'
            '  - {system: X, version: 2}',
            4,
            'a lists X twice',
        ),
    )
    @ddt.unpack
    def test_what_is_refused(self, text, line, words):
        error = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertEqual(f'inventory.yaml:{line}: {words}', str(error))
