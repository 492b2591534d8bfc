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

"""Configuration files in the shape that deployment tools give them."""

_STANDALONE = (
    'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'
)
_FLASHBLADE = (
    'manila.share.drivers.purestorage.flashblade.FlashBladeShareDriver'
)

_COMMON = """\
[DEFAULT]
debug = False
log_dir = /var/log/kolla/manila
use_forwarded_for = true
my_ip = 10.0.0.11
osapi_share_workers = 5
osapi_share_listen = 10.0.0.11
osapi_share_listen_port = 8786
rootwrap_config = /etc/manila/rootwrap.conf
api_paste_config = /etc/manila/api-paste.ini
state_path = /var/lib/manila
auth_strategy = keystone
default_share_type = default_share_type
share_name_template = share-%s
transport_url = rabbit://openstack:secret1@10.0.0.11:5672//
quota_shares = 100
quota_gigabytes = 5000

[database]
connection = mysql+pymysql://manila:secret2@10.0.0.10:3306/manila
connection_recycle_time = 10
max_pool_size = 1
max_retries = -1

[keystone_authtoken]
service_type = sharev2
www_authenticate_uri = http://10.0.0.10:5000
auth_url = http://10.0.0.10:5000
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = service
username = manila
password = secret3
memcache_security_strategy = ENCRYPT
memcache_secret_key = secret4
memcached_servers = 10.0.0.11:11211

[oslo_messaging_notifications]
transport_url = rabbit://openstack:secret1@10.0.0.11:5672//
driver = noop

[oslo_messaging_rabbit]
heartbeat_in_pthread = false
rabbit_quorum_queue = true
amqp_durable_queues = true

[oslo_middleware]
enable_proxy_headers_parsing = True

[oslo_concurrency]
lock_path = /var/lib/manila/tmp

[oslo_policy]
enforce_scope = False
policy_file = policy.yaml
"""

_TEXTS = {
    'kolla_cephfs': _COMMON
    + """
[DEFAULT]
enabled_share_backends = cephfsnative1,cephfsnfs1
enabled_share_protocols = "NFS,CEPHFS"

[cephfsnative1]
driver_handles_share_servers = False
share_backend_name = CEPHFS1
share_driver = manila.share.drivers.cephfs.driver.CephFSDriver
cephfs_conf_path = /etc/ceph/ceph.conf
cephfs_auth_id = manila
cephfs_cluster_name = ceph
cephfs_enable_snapshots = False
cephfs_filesystem_name = cephfs
cephfs_volume_path_prefix = /volumes

[cephfsnfs1]
driver_handles_share_servers = False
share_backend_name = CEPHFSNFS1
share_driver = manila.share.drivers.cephfs.driver.CephFSDriver
cephfs_protocol_helper_type = NFS
cephfs_conf_path = /etc/ceph/ceph.conf
cephfs_auth_id = manila
cephfs_cluster_name = ceph
cephfs_filesystem_name = cephfs
cephfs_ganesha_server_is_remote = False
cephfs_ganesha_server_ip = 10.0.0.12
cephfs_nfs_cluster_id = cephfs
""",
    'operator_netapp': """
[DEFAULT]
enabled_share_backends=Ontap-A,ontap-b
enabled_share_protocols=nfs,cifs
host=hostgroup
storage_availability_zone=nova
default_share_type=default
scheduler_default_filters=OnlyHostFilter,AvailabilityZoneFilter,CapacityFilter

[DATABASE]
connection=mysql+pymysql://m:x@db/manila?read_default_file=/etc/my.cnf

[keystone_authtoken]
auth_type=v3applicationcredential
auth_url=https://keystone:5000
application_credential_id=1d7
application_credential_secret=secret5
username=manila
interface=internal

[nova]
auth_section=keystone_authtoken
interface=internal
endpoint_type=internalURL

[neutron]
auth_type=password
auth_url=https://keystone:5000
user_name=neutron
tenant_name=service
password=secret6
endpoint_type=internal_url

[glance]
auth_plugin=v3password
auth_url=https://keystone:5000
username=glance
password=secret7

[Ontap-A]
share_driver=manila.share.drivers.netapp.common.NetAppDriver
share_backend_name=ontap_a
driver_handles_share_servers=True
netapp_storage_family=ontap_cluster
netapp_server_hostname=10.1.1.1
netapp_server_port=443
netapp_transport_type=https
netapp_login=admin
netapp_password=secret8
netapp_root_volume_aggregate=aggr1
netapp_aggregate_name_search_pattern=^((?!aggr0).)*$
netapp_enabled_share_protocols=nfs3, nfs4.0
netapp_port_name_search_pattern=(a0b)
netapp_mtu=9000
netapp_enabled_backup_types=eng_backup
network_config_group=net_a
max_over_subscription_ratio=0.8
reserved_share_percentage=10

[ontap-b]
share_driver=manila.share.drivers.netapp.common.NetAppDriver
share_backend_name=ontap_b
driver_handles_share_servers=False
netapp_vserver=vs1
netapp_server_hostname=10.1.1.2
netapp_login=vsadmin
netapp_password=secret9
netapp_snapmirror_last_transfer_size_limit=2048
netapp_ssl_cert_path=certs/ca.pem
replication_domain=r1

[net_a]
network_api_class=manila.network.neutron.neutron_network_plugin.NeutronBindNetworkPlugin
neutron_binding_profiles=phys1
neutron_host_id=host1
neutron_vnic_type=baremetal

[phys1]
neutron_switch_id=sw1
neutron_port_id=e1
neutron_switch_info=switch_ip: 10.4.30.5

[eng_backup]
netapp_backup_backend_section_name=ontap-b
netapp_backup_vserver=backup_vs
netapp_backup_volume=vol1
""",
    'devstack_generic': """
[DEFAULT]
debug = True
enabled_share_backends = london,paris
enabled_share_protocols = NFS,CIFS
rpc_backend = rabbit
lock_path = /opt/stack/data/manila/locks
default_share_group_type = default
scheduler_driver = manila.scheduler.drivers.filter.FilterScheduler
report_interval = ten
periodic_interval = 60
wsgi_keep_alive = False
logging_user_identity_format = %(user)s %(tenant)s
unused_share_server_cleanup_interval = 720
migration_create_delete_share_timeout = 300
share-backend-name = nothing

[coordination]
backend_url = etcd3+http://127.0.0.1:2379?api_version=v3

[generic_network]
network_api_class = {standalone}
standalone_network_plugin_gateway = 10.0.0.1
standalone_network_plugin_mask = 24
standalone_network_plugin_network_type = flat

[london]
share_driver = manila.share.drivers.generic.GenericShareDriver
driver_handles_share_servers = True
share_backend_name = LONDON
network_config_group = generic_network
service_image_name = manila-service-image
service_instance_user = manila
service_instance_password = secret10
path_to_private_key = /home/stack/.ssh/id_rsa
path_to_public_key = /home/stack/.ssh/id_rsa.pub
share_mount_path = /shares
share_volume_fstype = ext3
interface_driver = manila.network.linux.interface.OVSInterfaceDriver
connect_share_server_to_tenant_network = maybe
share_helpers = CIFS=manila.share.drivers.helpers.CIFSHelperIPAccess

[paris]
share_driver = manila.share.drivers.generic.GenericShareDriver
driver_handles_share_servers = False
service_instance_name_or_id = server1
service_net_name_or_ip = private
tenant_net_name_or_ip = private

[cinder]
auth_url = http://10.0.0.10/identity
auth_type = password
username = cinder
password = secret11
cross_az_attach = False

[neutron]
auth_type = password
url_timeout = 30
region_name = RegionOne
""",
    'ansible_lvm': """
[DEFAULT]
use_stderr = False
fatal_deprecations = False
executor_thread_pool_size = 64
rpc_response_timeout = 60
nova_catalog_info = compute:nova:publicURL
enabled_share_backends = lvm
enabled_share_protocols = NFS,CIFS
osapi_share_base_URL = http://172.29.236.100:8786/
storage_availability_zone = nova

[lvm]
share_backend_name = LVM
share_driver = manila.share.drivers.lvm.LVMShareDriver
driver_handles_share_servers = off
lvm_share_volume_group = lvm-shares
lvm_share_export_ips = 127.0.0.1,10.0.0.1
lvm_share_mirrors = none
lvm_share_helpers = NFS:manila.share.drivers.helpers.NFSHelper
share_mount_path = $state_path/mnt
ssh_conn_timeout = 60

[lvm_old]
share_driver = manila.share.drivers.lvm.LVMShareDriver
lvm_share_volume_group = old

[keystone_authtoken]
insecure = False
auth_type = password
auth_url = http://172.29.236.100:5000
auth_uri = http://172.29.236.100:5000
project_name = service
username = manila
password = secret12
service_token_roles_required = True
service_token_roles = service
memcache_use_advanced_pool = True
token_cache_time = 300

[oslo_messaging_rabbit]
ssl = False
rpc_conn_pool_size = 30

[oslo_messaging_notifications]
driver = messagingv2
driver = log
topics = notifications

[profiler]
enabled = True
hmac_keys = secret13
""",
    'dell': """
[DEFAULT]
enabled_share_backends = max1, iso1, unity1, unity2, vnx1

[max1]
share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver
emc_share_backend = vmax
driver_handles_share_servers = True
emc_nas_server = 10.2.0.1
emc_nas_login = admin
emc_nas_password = secret14
powermax_server_container = server_2
powermax_share_data_pools = *
powermax_ethernet_ports = fxg-9-0

[iso1]
share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver
emc_share_backend = isilon
driver_handles_share_servers = False
emc_nas_server = 10.2.0.2
emc_nas_login = admin
emc_nas_password = secret15
emc_nas_root_dir = /ifs/manila

[unity1]
share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver
emc_share_backend = unity
driver_handles_share_servers = True
emc_nas_server = 10.2.0.3
emc_nas_login = admin
emc_nas_password = secret16
unity_server_meta_pool = pool_1
unity_share_data_pools = pool_*
unity_ethernet_ports = spa_eth2,spa_eth3

[unity2]
share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver
emc_share_backend = unity
emc_nas_server_port = 70000

[vnx1]
share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver
emc_share_backend = vnx
driver_handles_share_servers = True
emc_nas_server = 10.2.0.4
emc_nas_login = admin
emc_nas_password = secret17
vnx_server_container = server_2
vnx_share_data_pools = *
vnx_ethernet_ports = cge-1-0
emc_interface_ports = cge-1-0
""",
    'zfs_and_container': """
[DEFAULT]
enabled_share_backends = zfs,docker
enabled_share_protocols = NFS
cleanup_interval = 60
max_time_to_attach = 240

[zfs]
share_driver = manila.share.drivers.zfsonlinux.driver.ZFSonLinuxShareDriver
driver_handles_share_servers = False
replication_domain = ZFSonLinux
share_backend_name = ZFS
zfs_share_export_ip = 10.0.0.5
zfs_service_ip = 10.0.0.5
zfs_zpool_list = alpha,betta
zfs_share_helpers = NFS=manila.share.drivers.zfsonlinux.utils.NFSviaZFSHelper
zfs_ssh_username = manila
zfs_ssh_user_password = secret18
zfs_dataset_creation_options = compression=gzip
netapp_vserver = nothing

[docker]
share_driver = manila.share.drivers.container.driver.ContainerShareDriver
driver_handles_share_servers = True
network_api_class = {standalone}
standalone_network_plugin_gateway = 192.168.1.1
standalone_network_plugin_mask = 24
container_image_name = manila-docker-container
container_ovs_bridge_name = br-int
container_volume_group = manila_docker_volumes
""",
    'mixed_vendors': """
[DEFAULT]
enabled_share_backends = vast,fb,gpfs,hpe,glusternfs,infini

[vast]
share_driver = manila.share.drivers.vastdata.driver.VASTShareDriver
driver_handles_share_servers = False
snapshot_support = True
vast_mgmt_host = 10.3.0.1
vast_mgmt_port = 443
vast_mgmt_user = admin
vast_mgmt_password = secret19
vast_vippool_name = pool1
vast_root_export = manila

[fb]
share_driver = {flashblade}
driver_handles_share_servers = False
flashblade_mgmt_vip = 10.3.0.2
flashblade_data_vip = 10.3.0.3
flashblade_api = secret20
flashblade_eradicate = yes

[gpfs]
share_driver = manila.share.drivers.ibm.gpfs.GPFSShareDriver
driver_handles_share_servers = False
gpfs_share_export_ip = 10.3.0.4
gpfs_mount_point_base = $state_path/mnt
gpfs_nfs_server_type = CES
is_gpfs_node = True
gpfs_share_helpers = CES=manila.share.drivers.ibm.gpfs.CESHelper
gpfs_ssh_login = root

[hpe]
share_driver = manila.share.drivers.hpe.hpe_3par_driver.HPE3ParShareDriver
driver_handles_share_servers = False
hpe3par_api_url = https://10.3.0.5:8080/api/v1
hpe3par_username = 3paradm
hpe3par_password = secret21
hpe3par_san_ip = 10.3.0.6
hp3par_san_login = 3paradm
hpe3par_san_password = secret22
hpe3par_fpg = FPG1, 10.3.0.7

[glusternfs]
share_driver = manila.share.drivers.glusterfs.GlusterfsShareDriver
driver_handles_share_servers = False
glusterfs_target = root@10.3.0.8:/vol1
glusterfs_nfs_server_type = Gluster
glusterfs_share_layout = layout_directory.GlusterfsDirectoryMappedLayout

[infini]
share_driver = manila.share.drivers.infinidat.infinibox.InfiniboxShareDriver
driver_handles_share_servers = False
infinibox_hostname = box1
infinibox_login = admin
infinibox_password = secret23
infinidat_pool_name = pool1
infinidat_nas_network_space_name = nas
infinidat_thin_provision = true
""",
}

CONFIGS = {
    name: text.replace('{standalone}', _STANDALONE).replace(
        '{flashblade}', _FLASHBLADE
    )
    for name, text in _TEXTS.items()
}
