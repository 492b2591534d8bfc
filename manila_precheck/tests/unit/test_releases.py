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

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.tests import known_releases


@ddt.ddt
class ParseTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(known_releases.KnownUpTo('2026.2'))

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

    @ddt.data(
        (
            '17.1',
            'a version of manila has three numbers; as a number of Red '
            'Hat OpenStack it is wallaby upstream',
        ),
        (
            '18.0',
            'a version of manila has three numbers; as a number of Red '
            'Hat OpenStack it is 2023.1 upstream',
        ),
        (
            'RHOSP 16.2',
            'a version of manila has three numbers; as a number '
            'of Red Hat OpenStack it is train upstream',
        ),
        (
            '17.1.3',
            'manila 17.1.3 was never released; as a number of Red Hat '
            'OpenStack it is wallaby upstream',
        ),
        (
            '18.0.10',
            'manila 18.0.10 was never released; as a number of Red '
            'Hat OpenStack it is 2023.1 upstream',
        ),
        ('19.0.2', 'manila 19.0.2 was never released'),
        ('22.0', 'a version of manila has three numbers'),
        ('20-1.el9', 'a version of manila has three numbers'),
        # Mirantis.
        (
            '25.1',
            'it is newer than what this manila-precheck knows; upgrade '
            'manila-precheck',
        ),
        (
            '24.0.0',
            'it is newer than what this manila-precheck knows; '
            'upgrade manila-precheck',
        ),
        # SUSE.
        ('9', 'it is older than what this manila-precheck knows'),
        ('0.0.0', 'it is older than what this manila-precheck knows'),
    )
    @ddt.unpack
    def test_a_number_of_something_else_is_no_release(self, text, why):
        raised = self.assertRaises(exceptions.UsageError, releases.parse, text)
        self.assertEqual(
            f'unknown release {text!r}: {why}; known: manila 12 (wallaby) to '
            '23 (2026.2)',
            str(raised),
        )

    @ddt.data(
        '22.0.2',
        '22.0.9',
        '22.1.0',
        '17.1.0',
        '16.2.1',
        '12.1.3-17.1.20230519201029.el9ost',
        '22.0.0.0rc3',
    )
    def test_a_version_may_be_newer_or_of_a_package(self, text):
        self.assertEqual(text, releases.named(text).text)
        self.assertNotEqual((), releases.named(text).numbers)

    @ddt.data('22', '2026.1', 'Gazpacho')
    def test_a_release_names_no_build(self, text):
        self.assertEqual(
            releases.Build(text, releases.from_major(22)),
            releases.named(text),
        )

    def test_from_major_unknown(self):
        self.assertRaises(exceptions.UsageError, releases.from_major, 24)

    def test_versions_are_not_compared_as_text(self):
        zed, antelope = releases.parse('zed'), releases.parse('2023.1')
        self.assertLess(zed, antelope)
        self.assertEqual('zed', str(zed))


@ddt.ddt
class BuildTest(testtools.TestCase):
    @ddt.data(
        ('22.0.2', 22, '22.0.2', True),
        ('22.0.2+patched', 22, '22.0.2', False),
        ('22.0.2.post1', 22, '22.0.2', False),
        ('22.0.2-1', 22, '22.0.2', False),
        ('22.0.0.0rc1', 22, '22.0.0.0rc1', False),
        ('22.0.0.0b3', 22, '22.0.0.0b3', False),
        ('23.1.0.dev7', 23, '23.1.0.dev7', False),
        ('23.1.0.dev7+gab12', 23, '23.1.0.dev7', False),
        ('1:22.0.2-0ubuntu1~cloud0', 22, '22.0.2', False),
        ('1:22.0.0~rc1-1~bpo12+1', 22, '22.0.0rc1', False),
        ('22.1.0-18.20260801.el9ost', 22, '22.1.0', False),
        ('22.0.2^20260801git1a2b', 22, '22.0.2', False),
        ('24.0.0.0rc1', None, '24.0.0.0rc1', False),
        ('0.0.0', None, '0.0.0', True),
        ('unknown', None, None, False),
        ('', None, None, False),
        # Neither a series nor a date is the version of a package.
        ('2026.1', None, None, False),
        ('gazpacho', None, None, False),
        ('20260801.0.0', None, None, False),
    )
    @ddt.unpack
    def test_build(self, text, major, version, plain):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        found = releases.build(text)
        self.assertEqual(
            (text, major, version, plain),
            (
                found.text,
                found.release and found.release.major,
                found.version,
                found.plain,
            ),
        )

    def test_order(self):
        words = ['22.0.10', '22.0.2', '22.0.0', '22.0.0.0rc1', '21.0.3']
        self.assertEqual(
            words[::-1],
            sorted(words, key=lambda text: releases.build(text).order),
        )

    def test_the_versions_that_were_released_end_with_the_catalog(self):
        facts = catalog.Catalog()
        for release in facts.releases:
            latest = facts.package(release).version
            numbers = latest.split('.')
            following = '.'.join([*numbers[:-1], str(int(numbers[-1]) + 1)])
            self.assertTrue(releases.named(latest).is_version(latest))
            self.assertEqual(release, releases.parse(following))


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

    @ddt.data(
        ('2026.1', ['2026.2', '2027.1']),
        ('2026.2', ['2027.1']),
    )
    @ddt.unpack
    def test_next_hops_beyond_the_newest(self, source, expected):
        """A file of facts can be of one; nothing else leads there."""
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        hops = releases.next_hops(releases.parse(source))
        self.assertEqual(expected, [one.name for one in hops])
        self.assertIsNone(releases.following(releases.RELEASES[-1]))

    @ddt.data(
        (23, '2026.2', False, False),
        (24, '2027.1', True, True),
        (25, '2027.2', False, True),
        (26, '2028.1', True, True),
        (99, '2064.2', False, True),
    )
    @ddt.unpack
    def test_the_cadence(self, major, name, slurp, beyond):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        found = releases.at(major)
        self.assertEqual(
            (name, major, slurp, beyond),
            (
                found.name,
                found.major,
                found.slurp,
                releases.is_beyond(found),
            ),
        )
        nearest = '2026.2' if beyond else name
        self.assertEqual(nearest, releases.nearest(found).name)

    def test_the_cadence_is_that_of_the_table(self):
        known = [one for one in releases.RELEASES if one.major >= 16]
        for newest, release in zip(known, known[1:]):
            with known_releases.KnownUpTo(newest.name):
                found = releases.at(release.major)
            self.assertEqual(
                (release.name, release.slurp), (found.name, found.slurp)
            )
