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
import hypothesis
from hypothesis import strategies
import testtools

from manila_precheck.catalog import versions

# How fast examples are made depends on what else the machine does.
_SETTINGS = hypothesis.settings(
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)

CEPH = {'Quincy': '17', 'Reef': '18', 'Squid': '19'}


@ddt.ddt
class CompareTest(testtools.TestCase):
    @ddt.data(
        # Ways of writing, by the systems that use them.
        ('9.10.1', '9.10', 1),
        ('9.9.0.0', '9.10', -1),
        ('9.10.0.0', '9.10', 0),
        ('9.10', '9.10.0.0', 0),
        ('73.1.0-4', '73.1.0-4', 0),
        ('v73.1.0-3', '73.1.0-4', -1),
        ('73.1.0-12', '73.1.0-4', 1),
        ('V300R003C00', 'V300R003C00', 0),
        ('V300R002C10', 'V300R003C00', -1),
        ('v500r007c61', 'V300R003C00', 1),
        ('3.2.1 MU3', '3.2.1 MU3', 0),
        ('3.2.1 MU2', '3.2.1 MU3', -1),
        ('3.2.1 (MU5)', '3.2.1 MU3', 1),
        ('3.2.2', '3.2.1 MU3', 1),
        ('3.1.3 MU1', '3.2.1 MU3', -1),
        ('2013.1.1.9', '2013.1.2.0', -1),
        ('2013.1.2', '2013.1.2.0', 0),
        ('20.12-sp1', '20.12', 1),
        ('9.8P4', '9.8', 1),
        ('2.16.0_ddn12', '2.16', 1),
        ('4.1.x', '4.1', 0),
        ('v4.5', '4', 1),
        ('2.02.66', '2.2.66', 0),
        # Before a release.
        ('9.10rc1', '9.10', -1),
        ('9.10.0-beta2', '9.10', -1),
        # Names.
        ('Reef', '18', 0),
        ('reef', 'Squid', -1),
        ('18.2.4', 'Reef', 1),
        ('Reef 18.2.4', '18.2.4', 0),
        ('Tentacle', '18', None),
        # What cannot be told.
        ('9', '9.10', None),
        ('3.2.1', '3.2.1 MU3', None),
        ('3.2.1.46', '3.2.1 MU3', None),
        ('9.8P4', '9.8.4', None),
        ('139A23', '73.1.0-4', None),
        ('3.2.1 P3', '3.2.1 MU3', None),
        ('1:9.10', '9.10', None),
        ('newest', '9.10', None),
        ('', '9.10', None),
        ('9.10', '', None),
        ('9.\u0661', '9.10', None),
    )
    @ddt.unpack
    def test_compare(self, one, other, expected):
        self.assertEqual(expected, versions.compare(one, other, CEPH))
        if expected is not None:
            # What has less than the other is not told from it.
            mirrored = versions.compare(other, one, CEPH)
            self.assertIn(mirrored, (None, -expected))

    @ddt.data(
        ('18.2.4', 'Reef', True),
        ('Reef', '18', True),
        ('19.0', 'Reef', False),
        ('4.5.2', '4', True),
        ('40.1', '4', False),
        ('', '4', False),
        ('4', '', False),
    )
    @ddt.unpack
    def test_within(self, one, series, expected):
        self.assertIs(expected, versions.within(one, series, CEPH))

    @_SETTINGS
    @hypothesis.given(strategies.lists(strategies.integers(0, 99), min_size=1))
    def test_a_version_is_itself(self, numbers):
        text = '.'.join(str(number) for number in numbers)
        self.assertEqual(0, versions.compare(text, text))

    @_SETTINGS
    @hypothesis.given(
        *[strategies.lists(strategies.integers(0, 9), min_size=3, max_size=3)]
        * 2
    )
    def test_numbers_compare_as_numbers(self, left, right):
        expected = (left > right) - (left < right)
        self.assertEqual(
            expected,
            versions.compare(
                '.'.join(map(str, left)), '.'.join(map(str, right))
            ),
        )

    @_SETTINGS
    @hypothesis.given(strategies.text(), strategies.text())
    def test_any_text_is_answered(self, one, other):
        self.assertIn(versions.compare(one, other), (None, -1, 0, 1))
