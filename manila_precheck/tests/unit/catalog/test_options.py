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

"""What the catalog says of options, against facts known from elsewhere."""

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import options

FACTS = catalog.Catalog()
NETAPP = 'manila.share.drivers.netapp.common.NetAppDriver'
CEPHFS = 'manila.share.drivers.cephfs.driver.CephFSDriver'
EMC = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
LVM = 'manila.share.drivers.lvm.LVMShareDriver'
GENERIC = 'manila.share.drivers.generic.GenericShareDriver'
CONTAINER = 'manila.share.drivers.container.driver.ContainerShareDriver'


def of(major):
    return FACTS.options(releases.from_major(major))


def since(first):
    return [r.major for r in releases.RELEASES if r.major >= first]


def majors(found):
    return [release.major for release in found]


@ddt.ddt
class TestSections(testtools.TestCase):
    def test_netapp_vserver_is_of_a_back_end_and_nowhere_else(self):
        for release in FACTS.releases:
            found = FACTS.options(release)
            match = found.backend('netapp_vserver', NETAPP)
            self.assertFalse(match.old)
            self.assertEqual({NETAPP}, match.option.drivers)
            self.assertIsNone(found.find('DEFAULT', 'netapp_vserver'))

    def test_backend_url_is_of_coordination_whatever_samples_show(self):
        found = of(20)
        self.assertTrue(
            found.find('coordination', 'backend_url').option.secret
        )
        self.assertIsNone(found.find('DEFAULT', 'backend_url'))

    def test_an_option_that_samples_dump_into_default_is_not_read_there(self):
        self.assertIsNone(of(22).find('DEFAULT', 'container_image_name'))

    def test_a_driver_option_registered_at_import_is_in_both(self):
        item = of(20).find('DEFAULT', 'cephfs_conf_path').option
        self.assertEqual({'DEFAULT'}, item.groups)
        self.assertEqual({'backend'}, item.kinds)
        self.assertEqual({CEPHFS}, item.drivers)
        self.assertEqual('', item.default)

    def test_an_option_of_every_back_end_names_no_driver(self):
        item = of(20).backend('share_backend_name').option
        self.assertEqual(frozenset(), item.drivers)
        self.assertTrue(item.serves('acme.Driver'))

    def test_an_option_of_another_driver_is_found_but_does_not_serve(self):
        item = of(20).backend('netapp_login', LVM).option
        self.assertFalse(item.serves(LVM))
        self.assertTrue(item.serves(NETAPP))

    def test_an_emc_option_serves_its_plugin(self):
        item = of(20).backend('unity_server_meta_pool', EMC, 'unity').option
        self.assertTrue(item.serves(EMC, 'unity'))
        self.assertTrue(item.serves(EMC, 'Unity'))
        self.assertFalse(item.serves(EMC, 'powermax'))

    def test_a_driver_with_options_of_another_has_them(self):
        found = of(22)
        self.assertTrue(
            found.backend('share_volume_fstype', LVM).option.serves(LVM)
        )
        self.assertFalse(
            found.backend('service_instance_user', LVM).option.serves(LVM)
        )
        self.assertTrue(
            found.backend('service_instance_user', GENERIC).option.serves(
                GENERIC
            )
        )
        self.assertTrue(
            found.backend('container_volume_group', CONTAINER).option.serves(
                CONTAINER
            )
        )

    @ddt.data('network', 'backend')
    def test_a_network_option_is_found(self, kind):
        name = 'standalone_network_plugin_gateway'
        match = getattr(of(20), kind)(name)
        self.assertEqual({'network'}, match.option.kinds)
        self.assertEqual(
            {
                'manila.network.standalone_network_plugin.'
                'StandaloneNetworkPlugin'
            },
            match.option.drivers,
        )

    def test_binding_profiles_and_backup_types_have_their_own(self):
        found = of(20)
        self.assertIsNotNone(found.binding_profile('neutron_switch_id'))
        self.assertIsNone(found.find('DEFAULT', 'neutron_switch_id'))
        self.assertIsNotNone(found.backup('netapp_backup_vserver'))
        self.assertIsNone(of(17).backup('netapp_backup_vserver'))

    def test_sections_but_default_have_no_case(self):
        found = of(20)
        self.assertEqual(
            found.find('database', 'connection'),
            found.find('DATABASE', 'connection'),
        )
        self.assertIsNone(found.find('default', 'debug'))

    def test_option_names_have_case_and_no_dashes(self):
        found = of(20)
        self.assertIsNotNone(found.backend('share_backend_name'))
        self.assertIsNone(found.backend('share-backend-name'))
        self.assertIsNone(found.find('DEFAULT', 'Debug'))

    def test_groups_are_the_sections_with_names_of_their_own(self):
        self.assertIn('quota', of(18).groups)
        self.assertIn('oslo_messaging_rabbit', of(18).groups)
        self.assertNotIn('barbican', of(20).groups)
        self.assertIn('barbican', of(21).groups)
        self.assertIn('manila_sys_admin', of(22).groups)


@ddt.ddt
class TestNames(testtools.TestCase):
    def test_quota_shares_moved_to_quota(self):
        match = of(20).find('DEFAULT', 'quota_shares')
        self.assertTrue(match.old)
        self.assertEqual(('quota', 'shares'), (match.group, match.option.name))
        match = of(20).find('quota', 'shares')
        self.assertFalse(match.old)
        self.assertEqual(50, match.option.default)
        self.assertFalse(of(12).find('DEFAULT', 'quota_shares').old)

    def test_a_group_alone_may_be_old(self):
        match = of(20).find('DEFAULT', 'reservation_expire')
        self.assertTrue(match.old)
        self.assertEqual('quota', match.group)

    def test_an_old_name_in_the_own_section(self):
        match = of(20).find('nova', 'auth_plugin')
        self.assertTrue(match.old)
        self.assertEqual('auth_type', match.option.name)
        self.assertIn(match.group, (None, 'nova'))

    def test_an_old_name_in_a_back_end_until_12(self):
        match = of(12).backend('hds_hnas_ip')
        self.assertTrue(match.old)
        self.assertEqual('hitachi_hnas_ip', match.option.name)
        self.assertIsNone(match.group)
        self.assertIsNone(of(13).backend('hds_hnas_ip'))

    @ddt.data(
        (
            'netapp_snapmirror_last_transfer_size_limit',
            'backend',
            list(range(15, 20)),
        ),
        ('netapp_backup_volume', 'backend', since(18)),
        ('cephfs_volume_path_prefix', 'backend', list(range(12, 23))),
        ('enforce_scope', 'oslo_policy', list(range(12, 23))),
        ('auth_uri', 'keystone_authtoken', list(range(12, 23))),
        ('share_usage_audit_period', 'DEFAULT', [12]),
        ('update_shares_status_on_ensure', 'DEFAULT', since(19)),
        ('netapp_ssl_cert_verify', 'backend', since(23)),
        ('endpoint_type', 'barbican', since(21)),
    )
    @ddt.unpack
    def test_an_option_comes_and_goes(self, name, place, expected):
        self.assertEqual(expected, majors(FACTS.option_releases(name, place)))

    @ddt.data('DEFAULT', 'backend', 'nowhere')
    def test_a_name_that_no_release_knows(self, place):
        self.assertEqual((), FACTS.option_releases('netapp_mtu', place))


@ddt.ddt
class TestFacts(testtools.TestCase):
    def choices(self, major):
        found = of(major).backend('emc_share_backend', EMC).option
        self.assertTrue(found.type.ignore_case)
        return set(found.type.choices)

    def test_emc_share_backend_loses_vmax_at_18(self):
        self.assertIn('vmax', self.choices(17))
        self.assertNotIn('vmax', self.choices(18))
        self.assertEqual(
            {'isilon', 'vnx', 'unity', 'powermax', 'powerstore', 'powerflex'},
            self.choices(20),
        )
        self.assertIn('powerscale', self.choices(21))
        self.assertIn('isilon', self.choices(23))

    def test_helpers_become_a_dict_at_22(self):
        for name in ('share_helpers', 'lvm_share_helpers'):
            self.assertEqual(
                'list', of(21).backend(name, LVM).option.type.kind
            )
            self.assertEqual(
                'dict', of(22).backend(name, LVM).option.type.kind
            )

    def test_choices_of_endpoint_type_at_20(self):
        for group in ('nova', 'cinder', 'glance', 'neutron'):
            old = of(19).find(group, 'endpoint_type').option
            self.assertIsNone(old.type.choices)
            new = of(20).find(group, 'endpoint_type').option
            self.assertIn('internalURL', new.type.choices)

    def test_elements_of_enabled_share_protocols_at_22(self):
        old = of(21).find('DEFAULT', 'enabled_share_protocols').option
        self.assertIsNone(old.type.item.choices)
        new = of(22).find('DEFAULT', 'enabled_share_protocols').option
        self.assertIn('NFS', new.type.item.choices)

    def test_bounds(self):
        cleanup = of(20).find('DEFAULT', 'cleanup_interval').option.type
        self.assertEqual(300, cleanup.min)
        name = 'unused_share_server_cleanup_interval'
        self.assertEqual(60, of(19).backend(name).option.type.max)
        self.assertEqual(720, of(20).backend(name).option.type.max)
        name = 'max_over_subscription_ratio'
        self.assertIsNone(of(18).backend(name).option.type.min)
        self.assertEqual(1.0, of(19).backend(name).option.type.min)

    def test_defaults_that_change(self):
        name = 'netapp_transport_type'
        self.assertEqual('http', of(22).backend(name, NETAPP).option.default)
        self.assertEqual('https', of(23).backend(name, NETAPP).option.default)
        for major, default in ((18, False), (19, True), (22, True)):
            item = of(major).find('oslo_policy', 'enforce_scope').option
            self.assertIs(default, item.default)

    @ddt.data('host', 'my_ip')
    def test_a_default_of_the_machine_is_not_recorded(self, name):
        for release in FACTS.releases:
            item = FACTS.options(release).find('DEFAULT', name).option
            self.assertTrue(item.host_default)
            self.assertIsNone(item.default)

    def test_a_required_option_of_a_driver(self):
        driver = 'manila.share.drivers.qnap.qnap.QnapShareDriver'
        self.assertIn(
            'qnap_management_url',
            [item.name for item in of(20).required(driver)],
        )
        self.assertEqual((), of(20).required(CEPHFS))

    def test_multi_valued(self):
        item = of(22).find('oslo_messaging_notifications', 'driver').option
        self.assertTrue(item.multi)

    @ddt.data(
        'connection',
        'transport_url',
        'netapp_password',
        'password',
        'application_credential_secret',
        'emc_nas_password',
        'backend_url',
        'service_instance_password',
        'memcache_secret_key',
    )
    def test_secrets_are_known(self, name):
        self.assertIn(name, FACTS.secrets)

    @ddt.data('debug', 'username', 'netapp_login', 'host', 'auth_url')
    def test_what_is_no_secret(self, name):
        self.assertNotIn(name, FACTS.secrets)

    def test_what_list_opts_misses_is_there(self):
        for name in (
            'netapp_cluster_name',
            'netapp_trace_flags',
            'zadara_vpsa_host',
            'va_server_ip',
            'unity_server_meta_pool',
            'vnx_server_container',
        ):
            self.assertIsNotNone(of(18).backend(name), name)
        self.assertIsNotNone(of(18).backend('cephfs_nfs_cluster_id'))
        for name in (
            'migration_wait_access_rules_timeout',
            'project_id_regex',
            'share_transfer_key_length',
        ):
            self.assertIsNotNone(of(18).find('DEFAULT', name), name)
        self.assertIsNotNone(of(18).find('netapp_active_iq', 'aiq_hostname'))


class TestAuth(testtools.TestCase):
    def test_sections_that_take_a_plugin(self):
        self.assertEqual(
            ('cinder', 'glance', 'keystone_authtoken', 'neutron', 'nova'),
            of(20).auth_groups,
        )
        self.assertIn('barbican', of(21).auth_groups)

    def test_a_plugin_brings_its_options(self):
        plugin = of(20).auth_plugin('v3applicationcredential')
        found = plugin.find('application_credential_secret')
        self.assertTrue(found.option.secret)
        self.assertIsNone(plugin.find('tenant_name'))
        self.assertIsNone(of(20).auth_plugin('v4password'))

    def test_old_names_are_read_verbatim(self):
        plugin = of(20).auth_plugin('password')
        for name in ('user-name', 'user_name'):
            self.assertEqual('username', plugin.find(name).option.name)
            self.assertTrue(plugin.find(name).old)
        self.assertEqual(
            'project_name', plugin.find('tenant_name').option.name
        )
        self.assertIsNone(plugin.find('auth-url'))

    def test_plugin_options_are_in_no_section_by_themselves(self):
        self.assertIsNone(of(20).find('nova', 'username'))
        self.assertIsNotNone(of(20).find('nova', 'region_name'))
        self.assertIsNotNone(of(20).find('nova', 'cafile'))


class TestShape(testtools.TestCase):
    def test_every_row_of_every_release_makes_an_option(self):
        kinds = set()
        for release in FACTS.releases:
            found = FACTS.options(release)
            self.assertEqual(len(found), len(list(found)))
            for item in found:
                self.assertTrue(item.groups or item.kinds, item.name)
                self.assertLessEqual(item.kinds, set(options.KINDS))
                kinds.add(item.type.kind)
            for name in found.auth_plugins:
                self.assertIsNotNone(found.auth_plugin(name))
        self.assertLessEqual(
            kinds,
            {
                'string',
                'boolean',
                'integer',
                'float',
                'port',
                'list',
                'dict',
                'ip_address',
                'hostname',
                'host_address',
                'host_domain',
                'uri',
                'opaque',
                'range',
                'number',
            },
        )
