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
from manila_precheck import releases


@ddt.ddt
class ParseTest(testtools.TestCase):
    @ddt.data(
        ('2025.1', 20),
        ('epoxy', 20),
        ('Epoxy', 20),
        (' 2024.1 ', 18),
        ('20', 20),
        ('20.0.3', 20),
        ('22.0.0.0rc1', 22),
        ('20.1.0.0rc1', 20),
        ('20.0.3.dev5', 20),
        ('20.0.3.dev5+g1a2b3c', 20),
        ('20.0.3+deb1', 20),
        ('1:20.0.3-0ubuntu1', 20),
        ('1:20.0.0~rc1-1~bpo12+1', 20),
        ('1:20.0.3-1.el9_4', 20),
        ('wallaby', 12),
        ('zed', 15),
    )
    @ddt.unpack
    def test_parse(self, text, major):
        self.assertEqual(major, releases.parse(text).major)

    @ddt.data(
        '',
        '2025',
        '2025.3',
        '11',
        '24',
        'juno',
        '-1',
        '20x',
        '20.',
        '20 .0',
        '20:0.3',
        ':20.0.3',
        '1:2:20.0.3',
        '20.0.3-',
        '\uff12\uff10',
    )
    def test_parse_unknown(self, text):
        self.assertRaises(exceptions.UsageError, releases.parse, text)

    def test_from_major_unknown(self):
        self.assertRaises(exceptions.UsageError, releases.from_major, 24)

    def test_versions_are_not_compared_as_text(self):
        zed, antelope = releases.parse('zed'), releases.parse('2023.1')
        self.assertLess(zed, antelope)
        self.assertEqual('zed', str(zed))


@ddt.ddt
class UpgradeTest(testtools.TestCase):
    def upgrade(self, source, target):
        return releases.Upgrade(releases.parse(source), releases.parse(target))

    @ddt.data(
        ('2024.1', '2025.1', '2024.1', False),
        ('2024.1', '2025.1', '2024.2', True),
        ('2024.1', '2025.1', '2025.1', True),
        ('2024.1', '2025.1', '2025.2', False),
        ('2024.1', '2024.1', '2024.1', False),
    )
    @ddt.unpack
    def test_crosses(self, source, target, release, crossed):
        upgrade = self.upgrade(source, target)
        self.assertEqual(crossed, upgrade.crosses(releases.parse(release)))

    @ddt.data(
        ('2024.1', '2024.2', True),
        ('2024.1', '2025.1', True),
        ('2024.1', '2025.2', False),
        ('2024.2', '2025.1', True),
        ('2024.2', '2025.2', False),
        ('2025.1', '2024.1', False),
        ('2025.1', '2025.1', False),
        ('zed', '2023.1', True),
        ('yoga', '2023.1', False),
        ('2023.1', '2024.1', True),
        ('2026.1', '2026.2', True),
    )
    @ddt.unpack
    def test_supported(self, source, target, supported):
        self.assertEqual(supported, self.upgrade(source, target).supported)

    def test_steps(self):
        self.assertEqual(
            ['2024.2', '2025.1'],
            [r.name for r in self.upgrade('2024.1', '2025.1').steps],
        )

    def test_next_hops_of_the_newest(self):
        self.assertEqual((), releases.next_hops(releases.RELEASES[-1]))
        self.assertIsNone(releases.following(releases.RELEASES[-1]))
