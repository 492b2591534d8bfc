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
"""Tests of the choice of upgrades to try."""

import ddt
import testtools

from manila_precheck import releases
from qa import hops

_TO_2025_1 = (('2023.1', '2024.1'), ('2024.1', '2025.1'))


def up_to(name):
    """Return the releases that were known when this one was the newest."""
    newest = releases.parse(name)
    return [known for known in releases.RELEASES if known <= newest]


@ddt.ddt
class HopsTest(testtools.TestCase):
    @ddt.data(
        ('2025.1', (*_TO_2025_1, ('2024.2', '2025.1'))),
        (
            '2025.2',
            (*_TO_2025_1, ('2024.2', '2025.1'), ('2025.1', '2025.2')),
        ),
        (
            '2026.2',
            (
                *_TO_2025_1,
                ('2025.1', '2026.1'),
                ('2025.2', '2026.1'),
                ('2026.1', '2026.2'),
            ),
        ),
    )
    @ddt.unpack
    def test_among(self, newest, expected):
        self.assertEqual(expected, hops.among(up_to(newest)))

    def test_every_hop_is_supported_and_the_newest_is_gone_to(self):
        for source, target in hops.HOPS:
            upgrade = releases.Upgrade(
                releases.parse(source), releases.parse(target)
            )
            self.assertTrue(upgrade.supported, upgrade)
        self.assertEqual(
            set(hops.TARGETS), {target for _source, target in hops.HOPS}
        )
        self.assertEqual(releases.RELEASES[-1].name, hops.TARGETS[-1])

    def test_the_most_common_is_one_of_them(self):
        self.assertIn(hops.MOST_COMMON, hops.HOPS)
        source, target = map(releases.parse, hops.MOST_COMMON)
        self.assertEqual((True, True), (source.slurp, target.slurp))

    def test_the_environments_of_all_are_made(self):
        names = {releases.from_major(major).name for major in hops.majors()}
        self.assertEqual({name for hop in hops.HOPS for name in hop}, names)
        self.assertEqual(set(), set(hops.RELEASES) - names)
