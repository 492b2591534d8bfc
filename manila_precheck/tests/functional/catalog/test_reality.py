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

"""The catalog against the releases themselves.

MANILA_PRECHECK_VENVS names a directory with one virtual environment a
release, m18, m20, ..., each with that manila, PyMySQL and psycopg2; a
release without one is skipped.
"""

import configparser
import json
import pathlib
import subprocess

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.tests import venvs

FACTS = catalog.Catalog()
PROBE = pathlib.Path(__file__).with_name('probe.py')
MAJORS = [release.major for release in FACTS.releases]
EMC = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
DUMMY = 'manila.tests.share.drivers.dummy.DummyDriver'

# What no driver is built without; each reads its own of them.
VALUES = {
    'netapp_storage_family': 'ontap_cluster',
    'service_instance_user': 'u',
    'service_instance_password': 'Passw0rd!Passw0rd!',
    'service_instance_name_or_id': 'i',
    'service_net_name_or_ip': '192.0.2.4',
    'tenant_net_name_or_ip': '192.0.2.4',
    'path_to_private_key': '/key',
    'network_api_class': (
        'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'
    ),
    'standalone_network_plugin_gateway': '192.0.2.1',
    'standalone_network_plugin_mask': '24',
    'standalone_network_plugin_network_type': 'flat',
    'lvm_share_export_ips': '127.0.0.1',
    'zfs_share_export_ip': '127.0.0.1',
    'zfs_service_ip': '127.0.0.1',
    'zfs_zpool_list': 'a',
    'glusterfs_servers': 'a',
    'glusterfs_target': 'h:/v',
    'glusterfs_volume_pattern': 'v#{size}',
    'hitachi_hnas_ip': '192.0.2.1',
    'hitachi_hnas_user': 'u',
    'hitachi_hnas_password': 'p',
    'hitachi_hnas_evs_id': '1',
    'hitachi_hnas_evs_ip': '192.0.2.1',
    'hitachi_hnas_file_system_name': 'f',
    'hitachi_hsp_host': 'h',
    'hitachi_hsp_username': 'u',
    'hitachi_hsp_password': 'p',
    'emc_nas_server': '192.0.2.1',
    'emc_nas_login': 'a',
    'emc_nas_password': 'b',
    'infortrend_nas_ip': '192.0.2.1',
    'infortrend_nas_password': 'p',
    'infortrend_share_pools': 'a',
    'infortrend_share_channels': '1',
    'as13000_nas_ip': '192.0.2.1',
    'as13000_nas_login': 'u',
    'as13000_nas_password': 'p',
    'as13000_share_pools': 'a',
    'instorage_nas_ip': '192.0.2.1',
    'instorage_nas_login': 'l',
    'instorage_nas_password': 'p',
    'instorage_nas_pools': 'x',
    'macrosan_nas_ip': '192.0.2.1',
    'macrosan_nas_password': 'p',
    'macrosan_share_pools': 'x',
    'qnap_management_url': 'http://192.0.2.1',
    'qnap_share_ip': '192.0.2.1',
    'qnap_nas_login': 'u',
    'qnap_nas_password': 'p',
    'qnap_poolname': 'p',
    'tegile_nas_server': 'a',
    'tegile_nas_login': 'u',
    'tegile_nas_password': 'p',
    'hdfs_namenode_ip': '192.0.2.1',
    'maprfs_clinode_ip': '192.0.2.1',
    'nexenta_rest_addresses': '192.0.2.1',
    'nexenta_nas_host': '192.0.2.1',
    'nexenta_user': 'u',
    'nexenta_password': 'p',
    'vast_mgmt_host': 'h',
    'vast_vippool_name': 'v',
    'vast_root_export': '/x',
    'zfssa_host': 'h',
    'zfssa_auth_user': 'u',
    'zfssa_auth_password': 'p',
    'hpealletra_wsapi_url': 'http://x',
    'hpealletra_username': 'u',
    'hpealletra_password': 'p',
    'unity_server_meta_pool': 'x',
    'vnx_server_container': 'x',
    'powermax_server_container': 'x',
}
# Registered later than when a driver is built: by the share manager for each
# of hook_drivers; by NetApp when it first backs a share up; by one layout of
# GlusterFS alone.
LATER = {
    'enable_periodic_hooks',
    'enable_post_hooks',
    'enable_pre_hooks',
    'periodic_hooks_interval',
    'suppress_post_hooks_errors',
    'suppress_pre_hooks_errors',
    'glusterfs_servers',
    'glusterfs_volume_pattern',
    'glusterfs_mount_point_base',
    'glusterfs_target',
    'netapp_backup_backend_section_name',
    'netapp_backup_share',
    'netapp_backup_volume',
    'netapp_backup_vserver',
    'netapp_enabled_backup_types',
    'netapp_snapmirror_job_timeout',
}

CONFIGS = {
    'cephfs-nfs': (
        """
[DEFAULT]
debug = true
enabled_share_backends = cephfsnfs
enabled_share_protocols = NFS,CEPHFS
transport_url = rabbit://u:p@127.0.0.1:5672/
auth_strategy = keystone
state_path = /var/lib/manila
rootwrap_config = /etc/manila/rootwrap.conf
api_paste_config = /etc/manila/api-paste.ini
default_share_type = default
quota_shares = 10
osapi_share_listen = 127.0.0.1
osapi_share_workers = 2
fatal_deprecations = false
nonsense = 1
[database]
connection = mysql+pymysql://u:p@127.0.0.1/manila
max_retries = -1
connection_recycle_time = 600
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:5000
auth_url = http://127.0.0.1:5000
auth_type = v3applicationcredential
application_credential_id = a
application_credential_secret = b
memcached_servers = 127.0.0.1:11211
service_token_roles_required = true
[oslo_messaging_rabbit]
heartbeat_timeout_threshold = 60
rabbit_quorum_queue = true
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = /var/lib/manila/tmp
[oslo_policy]
policy_file = policy.yaml
enforce_scope = true
[coordination]
backend_url = file:///var/lib/manila
[cephfsnfs]
driver_handles_share_servers = false
share_backend_name = CEPHFSNFS
share_driver = manila.share.drivers.cephfs.driver.CephFSDriver
cephfs_protocol_helper_type = NFS
cephfs_conf_path = /etc/ceph/ceph.conf
cephfs_auth_id = manila
cephfs_cluster_name = ceph
cephfs_filesystem_name = cephfs
cephfs_nfs_cluster_id = nfs
cephfs_ganesha_server_ip = 127.0.0.1
cephfs_ganesha_export_ips = 127.0.0.1
cephfs_volume_mode = 0775
cephfs_volume_path_prefix = /volumes
ganesha_rados_store_enable = true
ganesha_rados_store_pool_name = ganesha
backend_availability_zone = nova
max_over_subscription_ratio = 2.0
netapp_login = wrong
nonsense = 1
""",
        {'cephfsnfs': 'manila.share.drivers.cephfs.driver.CephFSDriver'},
    ),
    'netapp': (
        """
[DEFAULT]
enabled_share_backends = one,two
share_name_template = share-%s
scheduler_default_filters = AvailabilityZoneFilter,CapacityFilter
data_node_access_ips = 127.0.0.1
[one]
driver_handles_share_servers = true
share_backend_name = one
share_driver = manila.share.drivers.netapp.common.NetAppDriver
netapp_storage_family = ontap_cluster
netapp_server_hostname = 127.0.0.1
netapp_server_port = 443
netapp_transport_type = https
netapp_login = admin
netapp_password = p
netapp_root_volume_aggregate = aggr1
netapp_root_volume = root
netapp_aggregate_name_search_pattern = ^aggr
netapp_port_name_search_pattern = ^e0
netapp_trace_flags = api,method
netapp_snapmirror_last_transfer_size_limit = 1024
netapp_enable_flexgroup = true
replication_domain = d
network_api_class = manila.network.standalone_network_plugin.\
StandaloneNetworkPlugin
standalone_network_plugin_gateway = 192.0.2.1
standalone_network_plugin_mask = 24
standalone_network_plugin_network_type = vlan
admin_network_config_group = admin
netapp_mtu = 9000
[two]
driver_handles_share_servers = false
share_backend_name = two
share_driver = manila.share.drivers.netapp.common.NetAppDriver
netapp_storage_family = ontap_cluster
netapp_vserver = svm
netapp_server_hostname = 127.0.0.1
netapp_login = admin
netapp_password = p
[admin]
network_api_class = manila.network.standalone_network_plugin.\
StandaloneNetworkPlugin
standalone_network_plugin_gateway = 192.0.2.1
standalone_network_plugin_mask = 24
standalone_network_plugin_network_type = vlan
network_plugin_ipv4_enabled = true
""",
        {
            'one': 'manila.share.drivers.netapp.common.NetAppDriver',
            'two': 'manila.share.drivers.netapp.common.NetAppDriver',
        },
    ),
    'generic': (
        """
[DEFAULT]
enabled_share_backends = generic
log_dir = /var/log/manila
share_usage_audit_period = month
[nova]
auth_type = password
auth_url = http://127.0.0.1:5000
username = nova
password = p
project_name = service
tenant-name = service
user_domain_name = Default
project_domain_name = Default
region_name = R
endpoint_type = internalURL
cafile = /ca
insecure = false
[NEUTRON]
auth_type = v3password
url = http://127.0.0.1:9696
auth_url = http://127.0.0.1:5000
user_name = neutron
password = p
region_name = R
url_timeout = 30
[cinder]
auth_plugin = password
cross_az_attach = true
http_retries = 3
[glance]
auth_section = nova
[generic]
share_driver = manila.share.drivers.generic.GenericShareDriver
driver_handles_share_servers = true
share_backend_name = GENERIC
service_instance_user = u
service_instance_password = p
service_image_name = i
service_instance_flavor_id = 100
service_network_cidr = 10.254.0.0/16
service_network_division_mask = 28
connect_share_server_to_tenant_network = false
interface_driver = manila.network.linux.interface.OVSInterfaceDriver
path_to_private_key = /k
path_to_public_key = /k
max_time_to_build_instance = 600
share_mount_path = /shares
cinder_volume_type = t
network_api_class = manila.network.neutron.neutron_network_plugin.\
NeutronNetworkPlugin
share-backend-name = x
""",
        {'generic': 'manila.share.drivers.generic.GenericShareDriver'},
    ),
}


def ask(major, question):
    """Ask the release; skip the test when it has no environment."""
    if not venvs.DIRECTORY:
        raise testtools.TestCase.skipException(venvs.NOT_SET)
    python = pathlib.Path(venvs.DIRECTORY, f'm{major}', 'bin/python')
    if not python.exists():
        raise testtools.TestCase.skipException(
            f'{venvs.VARIABLE} names no environment of manila {major}'
        )
    done = subprocess.run(
        [str(python), str(PROBE)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(done.stderr[-4000:])
    return json.loads(done.stdout)


@ddt.ddt
class TestReality(testtools.TestCase):
    maxDiff = None

    @ddt.data(*MAJORS)
    def test_what_services_register_is_in_the_catalog(self, major):
        found = FACTS.options(releases.from_major(major))
        wrong = []
        for section, rows in ask(major, {'ask': 'groups'}).items():
            for name, real in rows.items():
                match = found.find(section, name)
                if match is None or match.old:
                    wrong.append((section, name, 'unknown'))
                    continue
                item = match.option
                facts = {
                    'default': item.default,
                    'choices': list(item.type.choices or ()),
                    'multi': item.multi,
                    'secret': item.secret,
                }
                if item.host_default:
                    facts['default'] = real['default']
                if item.type.kind != 'port':
                    facts['min'] = item.type.min
                    facts['max'] = item.type.max
                if item.type.kind == 'opaque':
                    continue
                for key, value in facts.items():
                    expected = real[key]
                    if key == 'choices':
                        expected = sorted(expected, key=str)
                        value = sorted(value, key=str)
                    if value != expected:
                        wrong.append((section, name, key, value, expected))
                olds = sorted(
                    [old.group or '', old.name]
                    for old in item.deprecated_names
                )
                expected = sorted(
                    {(group or '', old or name) for group, old in real['old']}
                )
                if olds != [list(pair) for pair in expected]:
                    wrong.append((section, name, olds, expected))
        self.assertEqual([], wrong)

    @ddt.data(*MAJORS)
    def test_what_the_catalog_has_is_registered_or_listed(self, major):
        real = {
            (section.lower(), name)
            for section, rows in ask(major, {'ask': 'groups'}).items()
            for name in rows
        }
        real |= {
            (section.lower(), name)
            for section, name in ask(major, {'ask': 'listed'})
        }
        wrong = [
            (group, item.name)
            for item in FACTS.options(releases.from_major(major))
            if not item.drivers and not item.plugins
            for group in item.groups
            if (group.lower(), item.name) not in real
        ]
        self.assertEqual([], wrong)

    @ddt.data(*MAJORS)
    def test_what_a_driver_registers(self, major):
        release = releases.from_major(major)
        found = FACTS.options(release)
        asked = {}
        for driver in FACTS.drivers(release).values():
            if driver.internal or driver.name in (EMC, DUMMY):
                continue
            for mode in driver.modes or (True, False):
                asked[f's{len(asked)}'] = (driver.name, None, mode)
        for plugin in FACTS.plugins(release, drivers.EMC_PLUGIN).values():
            for mode in plugin.modes or (True, False):
                asked[f's{len(asked)}'] = (EMC, plugin.name, mode)
        sections = {}
        for section, (path, plugin, mode) in asked.items():
            sections[section] = dict(
                VALUES, share_driver=path, driver_handles_share_servers=mode
            )
            if plugin:
                sections[section]['emc_share_backend'] = plugin
        answers = ask(major, {'ask': 'drivers', 'sections': sections})
        wrong = []
        registered = {}
        whole = {}
        for section, answer in answers.items():
            path, plugin, mode = asked[section]
            names = registered.setdefault((path, plugin), set())
            names.update(answer['backend'])
            whole.setdefault((path, plugin), []).append(not answer['error'])
            for name in answer['backend']:
                match = found.backend(name, path, plugin)
                if match is None or match.old:
                    wrong.append((path, name, 'unknown'))
                elif match.option.kinds != {'network'} and (
                    not match.option.serves(path, plugin)
                ):
                    wrong.append((path, plugin, name, 'of another driver'))
            for name in answer['default']:
                match = found.find('DEFAULT', name)
                if match is None or match.old:
                    wrong.append((path, name, 'unknown in DEFAULT'))
        for (path, plugin), names in registered.items():
            if not all(whole[path, plugin]):
                continue
            for item in found:
                if (
                    'backend' in item.kinds
                    and item.serves(path, plugin)
                    and item.name not in names
                    and item.name not in LATER
                ):
                    wrong.append((path, plugin, item.name, 'not registered'))
        self.assertEqual([], wrong)
        self.assertGreater(sum(map(all, whole.values())), len(whole) * 0.7)

    @ddt.data(*MAJORS)
    def test_policies(self, major):
        policies = FACTS.policies(releases.from_major(major))
        self.assertEqual(
            ask(major, {'ask': 'policies'}),
            {name: policy.check for name, policy in policies.items()},
        )

    @ddt.data(*[(major, name) for major in MAJORS for name in sorted(CONFIGS)])
    @ddt.unpack
    def test_lines_of_a_config(self, major, name):
        text, backends = CONFIGS[name]
        answer = ask(
            major, {'ask': 'config', 'text': text, 'backends': backends}
        )
        parser = configparser.RawConfigParser(
            strict=False, default_section='no default'
        )
        parser.optionxform = str
        parser.read_string(text)
        wrong = []
        for section, lines in answer['lines'].items():
            for line, real in lines.items():
                match = self._find(major, parser, section, line)
                if real is None and match is None:
                    continue
                if real is None and self._of_another(match, parser, section):
                    continue
                if None in (real, match):
                    # Of the drivers that cannot be built without their
                    # libraries, reality knows too little.
                    if match and answer['errors'].get(section):
                        continue
                    wrong.append((section, line, real, match))
                    continue
                if real[1] != match.option.name:
                    wrong.append((section, line, real, match))
        self.assertEqual([], wrong)

    def _find(self, major, parser, section, line):
        found = FACTS.options(releases.from_major(major))
        driver = parser.get(section, 'share_driver', fallback=None)
        if driver:
            return found.backend(line, driver)
        if section == 'admin':
            return found.network(line)
        match = found.find(section, line)
        plugin = parser.get(section, 'auth_type', fallback=None)
        if match is None and plugin:
            return found.auth_plugin(plugin).find(line)
        return match

    def _of_another(self, match, parser, section):
        """Say whether it is an option that this section's driver lacks."""
        if match is None:
            return True
        driver = parser.get(section, 'share_driver', fallback=None)
        if driver is None:
            return bool(match.option.drivers)
        return not match.option.serves(driver)
