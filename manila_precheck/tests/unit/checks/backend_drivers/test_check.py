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

from manila_precheck import model
from manila_precheck.tests import backend_drivers
from manila_precheck.tests.backend_drivers import CEPHFS
from manila_precheck.tests.backend_drivers import DRIVERS
from manila_precheck.tests.backend_drivers import EMC
from manila_precheck.tests.backend_drivers import enabled
from manila_precheck.tests.backend_drivers import GENERIC
from manila_precheck.tests.backend_drivers import GLUSTER
from manila_precheck.tests.backend_drivers import INFO
from manila_precheck.tests.backend_drivers import section
from manila_precheck.tests.backend_drivers import WARNING

OLD_EMC = DRIVERS + 'emc.driver.EMCShareDriver'
HPE = DRIVERS + 'hpe.alletra_mp_b10000.hpe_alletra_driver'
HPE += '.HPEAlletraMPB10000ShareDriver'


@ddt.ddt
class BackendDriversTest(backend_drivers.BackendDrivers, testtools.TestCase):
    @ddt.named_data(
        [
            'one',
            enabled(
                section(
                    'a',
                    f'share_driver = {CEPHFS}',
                    'driver_handles_share_servers = no',
                )
            ),
        ],
        [
            'case_of_the_section',
            enabled(
                section(
                    'A',
                    f'share_driver = {GENERIC}',
                    'driver_handles_share_servers = $$x',
                    'driver_handles_share_servers = True',
                )
            ),
        ],
        [
            'default_driver',
            enabled(section('a', 'driver_handles_share_servers = True')),
        ],
        [
            'from_default',
            section(
                'DEFAULT',
                f'share_driver = {CEPHFS}',
                'driver_handles_share_servers = no',
            ),
        ],
        [
            'plugin',
            enabled(
                section(
                    'a',
                    f'share_driver = {EMC}',
                    'driver_handles_share_servers = True',
                    'emc_share_backend = powermax',
                )
            ),
        ],
    )
    @ddt.unpack
    def test_silent(self, conf):
        self.assert_found(self.run_without_storage(conf))

    def test_no_back_end(self):
        self.assert_found(
            self.run_without_storage('[DEFAULT]\n'),
            model.Finding(
                INFO,
                model.Subject('option', 'DEFAULT/enabled_share_backends'),
                'no back end is configured: enabled_share_backends is not '
                'set; if manila-share runs with these files, it loads '
                f'{GENERIC} from [DEFAULT]',
                check_id='backend-drivers',
            ),
        )

    @ddt.data('a, ,', ',a', 'a,,a')
    def test_a_back_end_without_a_name(self, names):
        result = self.run_without_storage(
            enabled(
                section(
                    'a',
                    f'share_driver = {GENERIC}',
                    'driver_handles_share_servers = True',
                ),
                names=names,
            )
        )
        self.assert_found(
            result,
            model.Finding(
                model.Severity.FAILURE,
                model.Subject(
                    'option',
                    'DEFAULT/enabled_share_backends',
                    self.site.file('manila.conf'),
                    2,
                ),
                f'enabled_share_backends = {names} has an empty item: '
                'manila-share cannot create a back end without a name, and '
                'exits with 1',
                (model.config('[DEFAULT]\nenabled_share_backends = a'),),
                check_id='backend-drivers',
                aspect='unnamed',
            ),
        )

    def test_a_comma_at_the_end(self):
        result = self.run_without_storage(
            enabled(
                section(
                    'a',
                    f'share_driver = {GENERIC}',
                    'driver_handles_share_servers = True',
                ),
                names='a,',
            )
        )
        self.assert_found(result)

    def test_section_is_missing(self):
        result = self.run_without_storage(
            enabled(
                section('b', 'driver_handles_share_servers = yes'),
                names='a,b',
            )
        )
        self.assert_found(
            result,
            self.ends(
                2,
                'enabled_share_backends names a, but no file has a section '
                '[a]',
                [
                    'Add the section, with share_driver and '
                    'driver_handles_share_servers, or disable the back end:',
                    '[DEFAULT]\nenabled_share_backends = b',
                ],
                GENERIC,
                'section',
                count=2,
            ),
        )

    @ddt.data(
        (
            None,
            3,
            'does not set driver_handles_share_servers, which has no default',
        ),
        (
            'maybe',
            5,
            'driver_handles_share_servers = maybe is neither true nor false',
        ),
        (
            'True',
            5,
            'driver_handles_share_servers = True is not supported by '
            f'{CEPHFS} in 2025.1, which accepts only False',
        ),
    )
    @ddt.unpack
    def test_mode(self, value, line, message):
        lines = [f'share_driver = {CEPHFS}']
        if value is not None:
            lines.append(f'driver_handles_share_servers = {value}')
        result = self.run_without_storage(enabled(section('a', *lines)))
        self.assert_found(
            result,
            self.ends(
                4 if value is None else line,
                f'[a] {message}',
                '[a]\ndriver_handles_share_servers = False',
                CEPHFS,
                'mode',
                **({'verdict': 'invalid'} if value == 'maybe' else {}),
            ),
        )

    @ddt.data(
        # before, at and after the release that brings the driver
        ('2024.1', '2025.1', 'nor does 2024.1'),
        ('2026.1', '2025.1', '2026.1 has it'),
        ('2025.1', '2026.1', None),
    )
    @ddt.unpack
    def test_driver_that_2026_1_brings(self, source, target, known):
        result = self.run_without_storage(
            enabled(
                section(
                    'a',
                    f'share_driver = {HPE}',
                    'driver_handles_share_servers = False',
                )
            ),
            source,
            target,
        )
        if known is None:
            self.assert_found(result)
            return
        self.assert_found(
            result,
            self.ends(
                4,
                f'[a] loads {HPE}, which 2025.1 does not have ({known})',
                'Set share_driver to a driver that 2025.1 has.',
                HPE,
                'driver',
            ),
        )

    @ddt.data('', ' LVM', ' acme.', ' .Driver', ' acme..Driver')
    def test_no_path_of_a_class(self, path):
        # importutils.import_object of 2023.1 and of 2026.2 raises for each.
        result = self.run_without_storage(
            enabled(section('a', f'share_driver ={path}'))
        )
        self.assert_found(
            result,
            self.ends(
                4,
                f'[a] has share_driver ={path}, which is not the path of a '
                'class, such as '
                'manila.share.drivers.generic.GenericShareDriver',
                'Set share_driver to the path of a driver.',
                path.strip(),
                'driver',
            ),
        )

    def test_driver_of_a_third_party(self):
        result = self.run_without_storage(
            enabled(section('a', 'share_driver = acme.Driver'))
        )
        self.assert_found(
            result,
            self.finding(
                WARNING,
                4,
                '[a] loads acme.Driver, a third-party driver: '
                'manila-precheck does not know whether it works with 2025.1',
                'Ask the vendor for the version that supports 2025.1, and '
                'install it during the upgrade. manila-share does not start '
                'if the class cannot be imported.',
                'acme.Driver',
                'driver',
            ),
        )

    def test_deprecated_driver(self):
        result = self.run_without_storage(
            enabled(
                section(
                    'a',
                    f'share_driver = {GLUSTER}',
                    'driver_handles_share_servers = no',
                )
            )
        )
        self.assert_found(
            result,
            self.finding(
                WARNING,
                4,
                f'[a] uses {GLUSTER}, which is deprecated in 2025.1; a later '
                'release removes it',
                'Plan the move of its shares to another back end.',
                GLUSTER,
                'deprecated',
            ),
        )

    def test_old_path(self):
        result = self.run_without_storage(
            enabled(
                section(
                    'a',
                    f'share_driver = {OLD_EMC}',
                    'driver_handles_share_servers = False',
                    'emc_share_backend = powerflex',
                )
            )
        )
        self.assert_found(
            result,
            self.finding(
                WARNING,
                4,
                f'[a] loads {OLD_EMC}, an old path that 2025.1 still maps to '
                f'{EMC}',
                f'[a]\nshare_driver = {EMC}',
                OLD_EMC,
                'moved',
                moved_to=EMC,
            ),
        )

    def emc(self, *lines):
        return enabled(
            section(
                'a',
                f'share_driver = {EMC}',
                'driver_handles_share_servers = False',
                *lines,
            )
        )

    @ddt.data(('vmax', 'powermax'), ('PowerStore', 'powerstore'))
    @ddt.unpack
    def test_plugin_that_is_none(self, name, new):
        result = self.run_without_storage(
            self.emc(f'emc_share_backend = {name}')
        )
        self.assert_found(
            result,
            self.ends(
                6,
                f'[a] emc_share_backend = {name} is not a plugin of 2025.1',
                f'[a]\nemc_share_backend = {new}',
                EMC,
                'plugin',
                verdict='invalid',
            ),
        )

    def test_plugin_is_not_set(self):
        result = self.run_without_storage(self.emc())
        self.assert_found(
            result,
            self.ends(
                4,
                '[a] does not set emc_share_backend; EMCShareDriver has no '
                'plugin to load',
                [
                    'Use one of these, whichever suits its shares:',
                    '[a]\nemc_share_backend = isilon',
                    '[a]\nemc_share_backend = powerflex',
                    '[a]\nemc_share_backend = powermax',
                    '[a]\nemc_share_backend = powerstore',
                    '[a]\nemc_share_backend = unity',
                    '[a]\nemc_share_backend = vnx',
                ],
                EMC,
                'plugin',
            ),
        )

    @ddt.data(('2024.1', '2025.1', False), ('2025.1', '2026.1', True))
    @ddt.unpack
    def test_plugin_that_2025_2_renames(self, source, target, renamed):
        result = self.run_without_storage(
            self.emc('emc_share_backend = isilon'), source, target
        )
        findings = []
        if renamed:
            findings.append(
                self.finding(
                    WARNING,
                    6,
                    '[a] emc_share_backend = isilon is an old name that '
                    f'{target} still maps to powerscale',
                    '[a]\nemc_share_backend = powerscale',
                    EMC,
                    'plugin',
                    moved_to='powerscale',
                )
            )
        self.assert_found(result, *findings)

    def test_the_new_services_were_started(self):
        result = self.run_without_storage('[DEFAULT]\n', stage='upgraded')
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)
