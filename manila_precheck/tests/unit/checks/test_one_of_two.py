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

"""Two checks that know a fault of a line, of which one reports it."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import backend_drivers

EMC = backend_drivers.EMC
NETAPP = backend_drivers.NETAPP
ZFS = backend_drivers.DRIVERS + 'zfsonlinux.driver.ZFSonLinuxShareDriver'
ENDS = '; manila-share exits with 1 and starts no back end'
REFUSES = 'and the service that reads it exits at startup; so does 2024.1'


class OneOfTwo(testtools.TestCase):
    def found(self, *checks, config, **more):
        """Return what checks find, without what they say is not known."""
        site = self.useFixture(testing.Site(config, **more))
        ctx = site.context()
        return [
            (one.severity, one.key, one.subject.line, one.message)
            for check in checks
            for one in site.run(check, ctx).findings
            if one.aspect not in ('libraries', 'storage', 'missing')
        ]


@ddt.ddt
class ValueJudgesTest(OneOfTwo):
    """driver_handles_share_servers and emc_share_backend."""

    def judged(self, config, **more):
        return self.found(
            'backend-drivers', 'config-options', config=config, **more
        )

    def section(self, driver, *lines, mode='Maybe'):
        return backend_drivers.enabled(
            backend_drivers.section(
                'a',
                f'share_driver = {driver}',
                f'driver_handles_share_servers = {mode}',
                *lines,
            )
        )

    def mode_is_refused(self, name='a', line=5):
        return (
            model.Severity.FAILURE,
            f'config-options[{name}/driver_handles_share_servers#value]',
            line,
            f'[{name}] driver_handles_share_servers = Maybe: 2025.1 rejects '
            f'the value, {REFUSES}',
        )

    def mode_is_none(self, name='a', line=5):
        return (
            model.Severity.FAILURE,
            f'backend-drivers[{name}#mode]',
            line,
            f'[{name}] driver_handles_share_servers = Maybe is neither true '
            f'nor false{ENDS} (1 enabled, share instances not counted)',
        )

    @ddt.data(
        (ZFS, ()),
        (EMC, ('emc_share_backend = powermax',)),
    )
    @ddt.unpack
    def test_a_mode_was_counted_twice(self, driver, lines):
        self.assertEqual(
            [self.mode_is_none()], self.judged(self.section(driver, *lines))
        )

    def test_a_mode_in_default(self):
        self.assertEqual(
            [self.mode_is_none('DEFAULT', 3)],
            self.judged(
                f'[DEFAULT]\nshare_driver = {ZFS}\n'
                'driver_handles_share_servers = Maybe\n'
            ),
        )

    @ddt.data('vmax', 'no-such')
    def test_a_plugin_was_counted_twice(self, plugin):
        found = self.judged(
            self.section(EMC, f'emc_share_backend = {plugin}', mode=False)
        )
        self.assertEqual(
            [
                (
                    model.Severity.FAILURE,
                    'backend-drivers[a#plugin]',
                    6,
                    f'[a] emc_share_backend = {plugin} is not a plugin of '
                    f'2025.1{ENDS} (1 enabled, share instances not counted)',
                )
            ],
            found,
        )

    @ddt.data(
        (backend_drivers.DRIVERS + 'gone.GoneDriver', ()),
        ('acme.manila.AcmeDriver', ()),
        (EMC, ()),
        (EMC, ('emc_share_backend = vmax',)),
    )
    @ddt.unpack
    def test_a_mode_where_nothing_loads(self, driver, lines):
        found = self.judged(self.section(driver, *lines))
        self.assertEqual(
            [self.mode_is_refused()],
            [one for one in found if 'driver_handles' in one[3]],
        )

    def test_a_mode_of_a_driver_that_a_row_describes(self):
        rows = (
            'drivers:\n'
            '- driver: acme.manila.AcmeDriver\n'
            '  releases: "12-"\n'
            '  modes: [false]\n'
            '  sources: [acme]\n'
        )
        site = self.useFixture(testing.Site(files={'rows.yaml': rows}))
        found = self.judged(
            self.section('acme.manila.AcmeDriver'),
            check_options={
                'backend-drivers': {'support_matrix': site.file('rows.yaml')}
            },
        )
        self.assertEqual(
            [self.mode_is_refused()],
            [one for one in found if one[0] is model.Severity.FAILURE],
        )


@ddt.ddt
class AdvisedTest(OneOfTwo):
    """netapp_backup_share, which builds of 2024.1 read."""

    BACKUP = (
        '[DEFAULT]\nenabled_share_backends = a\n[a]\n'
        'share_driver = {}\ndriver_handles_share_servers = False\n'
        'netapp_enabled_backup_types = b\n[b]\nnetapp_backup_share = x\n'
    )

    def judged(self, driver, **more):
        return [
            (severity, key)
            for severity, key, line, _message in self.found(
                'config-options',
                'upgrade-advisories',
                config=self.BACKUP.format(driver),
                **more,
            )
            if line == 8
        ]

    @ddt.data(None, '18.1.0')
    def test_unknown_to_both_and_read_by_one(self, installed):
        self.assertEqual(
            [
                (
                    model.Severity.WARNING,
                    'upgrade-advisories[a#netapp-backup-share]',
                )
            ],
            self.judged(NETAPP, installed=installed),
        )

    @ddt.data(
        (NETAPP, '2023.1', '2024.1'),
        (NETAPP, '2025.1', '2026.1'),
        (ZFS, '2024.1', '2025.1'),
    )
    @ddt.unpack
    def test_unknown_where_no_advisory_speaks(self, driver, source, target):
        self.assertEqual(
            [
                (
                    model.Severity.INFO,
                    'config-options[b/netapp_backup_share]',
                )
            ],
            self.judged(driver, source=source, target=target),
        )
