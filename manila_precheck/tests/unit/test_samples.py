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

"""The sample files that operators start from, and the page about them."""

import pathlib
import re

import testtools

from manila_precheck import releases
from manila_precheck.catalog import matrix_format
from manila_precheck.catalog import support
from manila_precheck.checks.backend_drivers import inventory
from manila_precheck.evidence.files import yaml_file

ROOT = pathlib.Path(__file__).parents[3]
SAMPLES = ROOT / 'etc' / 'manila-precheck'


class SamplesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not SAMPLES.is_dir():
            self.skipTest('the samples are in the source tree only')

    def test_the_inventory(self):
        path = str(SAMPLES / 'storage-inventory.yaml.sample')
        found = inventory.read(yaml_file.read(path))
        self.assertEqual(
            {
                'onefs1': [('OneFS', '9.10.0.1', ())],
                'netapp1': [
                    (
                        'ONTAP',
                        '9.14.1P2',
                        ('several replicas of a FlexGroup share',),
                    )
                ],
                'ceph1': [('Ceph', 'Squid', ()), ('NFS-Ganesha', '5.7', ())],
            },
            {
                name: [(d.system, d.version, d.features) for d in declared]
                for name, declared in found.backends.items()
            },
        )

    def test_the_inventory_speaks_as_the_matrix_does(self):
        path = str(SAMPLES / 'storage-inventory.yaml.sample')
        declared = inventory.read(yaml_file.read(path)).backends.values()
        items = [item for row in support.load().rows for item in row.storage]
        systems = {item.system for item in items}
        features = {item.feature for item in items}
        for one in declared:
            for item in one:
                self.assertIn(item.system, systems)
                self.assertEqual(set(), set(item.features) - features)

    def test_the_matrix(self):
        path = str(SAMPLES / 'support-matrix.yaml.sample')
        found = yaml_file.read(path)
        part = support.MatrixPart(*matrix_format.decode(found.data, path))
        self.assertEqual({'Elm': '7'}, part.systems['ExampleOS'].names)
        matrix = support.Matrix([part, support.load()])
        release = releases.parse('2026.1')
        self.assertEqual(
            [
                'ExampleOS 7.2 or newer',
                'ExampleOS 7.4 or newer for deduplication',
            ],
            [
                item.words
                for item in matrix.find(
                    'manila.share.drivers.examplestore.driver.'
                    'ExampleStoreShareDriver',
                    release,
                ).storage
            ],
        )
        self.assertEqual(path, matrix.find('emc:powerscale', release).origin)

    def test_the_page_names_the_commands_of_the_matrix(self):
        page = ROOT / 'doc' / 'source' / 'user' / 'storage.rst'
        text = page.read_text(encoding='utf-8')
        for system in support.load().systems.values():
            self.assertTrue(
                re.search(
                    rf'^{re.escape(system.name)} +``'
                    rf'{re.escape(system.command)}``',
                    text,
                    re.MULTILINE,
                ),
                system.name,
            )
