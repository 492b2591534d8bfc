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

"""What the catalog says of drivers, against facts known from elsewhere."""

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import drivers

FACTS = catalog.Catalog()
PREFIX = 'manila.share.drivers.'


def majors(name, kind=drivers.SHARE):
    return [r.major for r in FACTS.driver_releases(name, kind)]


def since(first):
    return [r.major for r in releases.RELEASES if r.major >= first]


def at(major):
    return releases.from_major(major)


@ddt.ddt
class TestShareDrivers(testtools.TestCase):
    @ddt.data(
        PREFIX + 'netapp.common.NetAppDriver',
        PREFIX + 'cephfs.driver.CephFSDriver',
        PREFIX + 'generic.GenericShareDriver',
        PREFIX + 'hitachi.hsp.driver.HitachiHSPDriver',
        PREFIX + 'nexenta.ns4.nexenta_nas.NexentaNasDriver',
        PREFIX + 'zfsonlinux.driver.ZFSonLinuxShareDriver',
        'manila.tests.share.drivers.dummy.DummyDriver',
    )
    def test_there_in_every_release(self, path):
        self.assertEqual([r.major for r in FACTS.releases], majors(path))

    @ddt.data(
        (PREFIX + 'purestorage.flashblade.FlashBladeShareDriver', 13),
        (PREFIX + 'macrosan.macrosan_nas.MacrosanNasDriver', 15),
        (PREFIX + 'vastdata.driver.VASTShareDriver', 19),
        (
            PREFIX + 'hpe.alletra_mp_b10000.hpe_alletra_driver.'
            'HPEAlletraMPB10000ShareDriver',
            22,
        ),
        (PREFIX + 'lustre.driver.LustreShareDriver', 23),
        (PREFIX + 'weka.driver.WekaShareDriver', 23),
    )
    @ddt.unpack
    def test_there_since(self, path, major):
        self.assertEqual(since(major), majors(path))

    def test_none_ever_goes(self):
        for before in FACTS.releases[:-1]:
            after = releases.following(before)
            assert after is not None
            self.assertEqual(
                set(), set(FACTS.drivers(before)) - set(FACTS.drivers(after))
            )

    def test_a_moved_path_leads_to_the_new_one(self):
        for release in FACTS.releases:
            found = FACTS.driver(
                release, PREFIX + 'cephfs.cephfs_native.CephFSNativeDriver'
            )
            self.assertEqual(drivers.SHARE_MOVED, found.kind)
            self.assertEqual(
                drivers.SHARE, FACTS.driver(release, str(found.target)).kind
            )
            moved = FACTS.plugins(release, drivers.SHARE_MOVED)
            self.assertEqual(6, len(moved))

    def test_a_driver_of_someone_else(self):
        self.assertIsNone(FACTS.driver(at(20), 'acme.AcmeDriver'))

    @ddt.data(
        ('cephfs.driver.CephFSDriver', (False,)),
        ('netapp.common.NetAppDriver', (False, True)),
        ('generic.GenericShareDriver', (False, True)),
        ('lvm.LVMShareDriver', (False,)),
        ('container.driver.ContainerShareDriver', (True,)),
        ('windows.windows_smb_driver.WindowsSMBDriver', (False, True)),
        ('dell_emc.driver.EMCShareDriver', ()),
    )
    @ddt.unpack
    def test_modes(self, path, modes):
        self.assertEqual(modes, FACTS.driver(at(20), PREFIX + path).modes)

    @ddt.data(
        ('glusterfs.GlusterfsShareDriver', 18),
        ('tegile.tegile.TegileShareDriver', 18),
        ('windows.windows_smb_driver.WindowsSMBDriver', 18),
    )
    @ddt.unpack
    def test_deprecated_since(self, path, major):
        self.assertFalse(FACTS.driver(at(major - 1), PREFIX + path).deprecated)
        self.assertTrue(FACTS.driver(at(major), PREFIX + path).deprecated)

    def test_not_everything_is_deprecated(self):
        deprecated = [
            d.name for d in FACTS.drivers(at(22)).values() if d.deprecated
        ]
        self.assertEqual(4, len(deprecated))

    def test_what_only_another_driver_builds_is_internal(self):
        internal = {
            d.name.rpartition('.')[2]
            for d in FACTS.drivers(at(20)).values()
            if d.internal
        }
        self.assertEqual(
            {
                'GlusterfsShareDriverBase',
                'NetAppCmodeMultiSvmShareDriver',
                'NetAppCmodeSingleSvmShareDriver',
            },
            internal,
        )


@ddt.ddt
class TestPlugins(testtools.TestCase):
    def test_isilon_becomes_powerscale_at_21(self):
        self.assertEqual(
            list(range(12, 21)), majors('isilon', drivers.EMC_PLUGIN)
        )
        self.assertEqual(since(21), majors('isilon', drivers.EMC_ALIAS))
        alias = FACTS.plugins(at(22), drivers.EMC_ALIAS)['isilon']
        self.assertEqual('powerscale', alias.target)

    def test_vmax_is_powermax_until_17(self):
        self.assertEqual(
            list(range(12, 18)), majors('vmax', drivers.EMC_ALIAS)
        )

    def test_modes_of_emc_plugins(self):
        found = FACTS.plugins(at(20), drivers.EMC_PLUGIN)
        self.assertEqual((True,), found['powermax'].modes)
        self.assertEqual((False,), found['powerstore'].modes)
        self.assertEqual((False, True), found['unity'].modes)
        self.assertTrue(found['vnx'].deprecated)

    @ddt.data(
        (drivers.FILTER, 'OnlyHostFilter', since(14)),
        (drivers.FILTER, 'AffinityFilter', since(13)),
        (drivers.WEIGHER, 'NetAppAIQWeigher', since(17)),
        (drivers.CONSOLE_SCRIPT, 'manila-all', list(range(12, 18))),
        (drivers.WSGI_SCRIPT, 'manila-wsgi', list(range(12, 21))),
        (drivers.API_MODULE, 'manila.api.v1', list(range(12, 22))),
        (
            drivers.BACKUP,
            'manila.data.drivers.nfs.NFSBackupDriver',
            since(17),
        ),
        (
            drivers.SCHEDULER,
            'manila.scheduler.drivers.filter.FilterScheduler',
            since(12),
        ),
        (
            drivers.NETWORK,
            'manila.network.neutron.neutron_network_plugin.'
            'NeutronBindNetworkPlugin',
            since(12),
        ),
    )
    @ddt.unpack
    def test_there_in(self, kind, name, expected):
        self.assertEqual(expected, majors(name, kind))

    def test_defaults_of_the_scheduler_are_plugins(self):
        for release in FACTS.releases:
            found = FACTS.options(release)
            for option, kind in (
                ('scheduler_default_filters', drivers.FILTER),
                ('scheduler_default_weighers', drivers.WEIGHER),
            ):
                names = found.find('DEFAULT', option).option.default
                self.assertLessEqual(
                    set(names), set(FACTS.plugins(release, kind))
                )

    def test_default_classes_are_known(self):
        for release in FACTS.releases:
            found = FACTS.options(release)
            self.assertIn(
                found.network('network_api_class').option.default,
                FACTS.plugins(release, drivers.NETWORK),
            )
            self.assertIn(
                found.backend('share_driver').option.default,
                FACTS.drivers(release),
            )
            self.assertIn(
                found.find('DEFAULT', 'scheduler_driver').option.default,
                FACTS.plugins(release, drivers.SCHEDULER),
            )

    @ddt.data(
        (drivers.TRANSPORT, 'amqp', list(range(12, 20))),
        (drivers.COORDINATION, 'zake', list(range(12, 22))),
        (drivers.COORDINATION, 'etcd3', list(range(12, 18))),
        (drivers.COORDINATION, 'consul', list(range(12, 23))),
        (drivers.COORDINATION, 'etcd3+http', since(12)),
        (drivers.COORDINATION, 'kubernetes', since(21)),
        (drivers.NOTIFICATION, 'messagingv2', since(12)),
        (drivers.DIALECT, 'postgres', [12]),
        (drivers.DIALECT, 'mysql+pymysql', since(12)),
        (drivers.CLASS, 'manila.quota.DbQuotaDriver', since(12)),
        (
            drivers.CLASS,
            PREFIX + 'windows.windows_smb_helper.WindowsSMBHelper',
            since(12),
        ),
    )
    @ddt.unpack
    def test_names_of_libraries_and_classes(self, kind, name, expected):
        self.assertEqual(expected, majors(name, kind))

    def test_every_default_that_is_a_path_is_known(self):
        for release in FACTS.releases:
            for option in FACTS.options(release):
                path = option.default
                if not isinstance(path, str) or not path.startswith('manila.'):
                    continue
                known = any(
                    path in FACTS.plugins(release, kind)
                    for kind in drivers.KINDS
                )
                self.assertTrue(known, f'{release} {option.name} {path}')

    def test_api_paste(self):
        self.assertEqual(
            'manila.api.v1.router:APIRouter.factory',
            FACTS.paste(at(20))['app:api']['paste.app_factory'],
        )
        self.assertNotIn('app:api', FACTS.paste(at(22)))
        self.assertNotIn('filter:request_id', FACTS.paste(at(20)))
        self.assertIn('filter:request_id', FACTS.paste(at(21)))

    @ddt.data(
        (12, '>=3.6'),
        (15, '>=3.8'),
        (20, '>=3.9'),
        (21, '>=3.10'),
    )
    @ddt.unpack
    def test_requires_python(self, major, expected):
        self.assertEqual(expected, FACTS.package(at(major)).requires_python)

    @ddt.data((12, '>=1.3.1'), (20, '>=1.3.17'), (21, '>=1.4.0'))
    @ddt.unpack
    def test_requirements(self, major, expected):
        self.assertIn(expected, FACTS.requirements(at(major))['sqlalchemy'])


@ddt.ddt
class TestNeeds(testtools.TestCase):
    @ddt.data(*(release.major for release in FACTS.releases))
    def test_needs_of_every_release(self, major):
        self.assertEqual(
            (drivers.DriverNeed(('service_instance_user',), 'init'),),
            FACTS.needs(at(major), PREFIX + 'generic.GenericShareDriver'),
        )

    @ddt.data(*(release.major for release in FACTS.releases))
    def test_what_is_needed_is_an_option_of_the_driver(self, major):
        release = at(major)
        options = FACTS.options(release)
        for driver in FACTS.drivers(release):
            for need in FACTS.needs(release, driver):
                for name in need.options:
                    found = options.backend(name, driver)
                    self.assertIsNotNone(found, f'{driver} {name}')
                    self.assertTrue(found.option.serves(driver), name)
                    self.assertIn(found.option.default, (None, '', [], {}))

    def test_one_of_two(self):
        found = FACTS.needs(
            at(22), PREFIX + 'infortrend.driver.InfortrendNASDriver'
        )
        self.assertIn(
            drivers.DriverNeed(
                ('infortrend_nas_password', 'infortrend_nas_ssh_key'), 'init'
            ),
            found,
        )

    def test_needs_of_one_mode(self):
        self.assertEqual(
            (drivers.DriverNeed(('unity_share_server',), 'setup', False),),
            FACTS.needs(
                at(22), PREFIX + 'dell_emc.driver.EMCShareDriver', 'unity'
            ),
        )

    def test_nothing_is_known_of_the_driver_of_someone_else(self):
        self.assertEqual((), FACTS.needs(at(22), 'acme.Driver'))
