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
"""What a service reads in one kind of site only, found in manila by hand.

What a release registers is in the files of the catalog; that a driver of one
mode, one layout or no service at all looks at an option is in its code.
"""

#: manila 22.0.0 share/manager.py share_manager_opts.
DEFAULT_DRIVER = 'manila.share.drivers.generic.GenericShareDriver'

#: manila 22.0.2 network/__init__.py network_opts.
DEFAULT_NETWORK = (
    'manila.network.neutron.neutron_network_plugin.NeutronNetworkPlugin'
)

#: The driver whose plugin emc_share_backend names.
EMC_DRIVER = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'

#: Drivers that open sections of other back ends by name: NetApp in
#: dataontap/cluster_mode/data_motion.py, ZFSonLinux in driver.py, the dummy
#: in manila/tests/share/drivers/dummy.py get_backend_configuration() (manila
#: 22.0.0).
OPENS_PEERS = ('.netapp.', '.zfsonlinux.', '.dummy.')

#: The options of the drivers of config_source, by driver (oslo.config 8.8 and
#: 10.7 sources/_uri.py and _environment.py, castellan 5.8 _config_driver.py).
CONFIG_SOURCES = {
    'castellan': ('driver', 'config_file', 'mapping_file'),
    'environment': ('driver',),
    'remote_file': (
        'driver',
        'ca_path',
        'client_cert',
        'client_key',
        'timeout',
        'uri',
    ),
}

#: Options that a driver registers in one of its modes: with
#: driver_handles_share_servers as said (manila 22.0.2 share/drivers/
#: service_instance.py).
ONE_MODE = {
    **dict.fromkeys(
        (
            'service_instance_name_or_id',
            'service_net_name_or_ip',
            'tenant_net_name_or_ip',
        ),
        False,
    ),
    **dict.fromkeys(
        (
            'admin_network_id',
            'admin_subnet_id',
            'connect_share_server_to_tenant_network',
            'interface_driver',
            'manila_service_keypair_name',
            'path_to_public_key',
            'service_image_name',
            'service_instance_base_boot_volume_id',
            'service_instance_boot_from_volume',
            'service_instance_boot_volume_delete_on_termination',
            'service_instance_boot_volume_name_template',
            'service_instance_boot_volume_size',
            'service_instance_boot_volume_type',
            'service_instance_flavor_id',
            'service_instance_name_template',
            'service_instance_security_group',
            'service_network_cidr',
            'service_network_division_mask',
            'service_network_host',
            'service_network_name',
        ),
        True,
    ),
}

#: Options that one layout of GlusterFS registers, glusterfs_share_layout says
#: which (manila 22.0.2 share/drivers/glusterfs/layout_*.py).
ONE_LAYOUT = {
    'glusterfs_mount_point_base': 'layout_directory',
    'glusterfs_servers': 'layout_volume',
    'glusterfs_target': 'layout_directory',
    'glusterfs_volume_pattern': 'layout_volume',
}

#: supported_layouts in share/drivers/glusterfs/__init__.py and
#: glusterfs_native.py (manila 22.0.2); the first one is the default.
LAYOUTS = {
    'GlusterfsShareDriver': (
        'layout_directory.GlusterfsDirectoryMappedLayout',
        'layout_volume.GlusterfsVolumeMappedLayout',
    ),
    'GlusterfsNativeShareDriver': (
        'layout_volume.GlusterfsVolumeMappedLayout',
    ),
}

#: Options that manila's generator lists, or its libraries do, in sections
#: where no service registers them: with the class named in scheduler_driver
#: that does, '' when there is none. manila 22.0.2 scheduler/drivers/simple.py;
#: wsgi/eventlet_server.py, which opts.py alone imports. oslo.db 12.3.3
#: concurrency.py, for those who wrap their calls in its pool of threads.
#: castellan 5.6.0 common/utils.py, for logins that manila does not make.
IDLE = {
    ('DEFAULT', 'max_gigabytes'): 'SimpleScheduler',
    ('DEFAULT', 'tcp_keepalive'): '',
    ('database', 'use_tpool'): '',
    ('key_manager', 'auth_type'): '',
    ('key_manager', 'token'): '',
}
