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
"""What services read only under some conditions, found in manila by hand.

The catalog has the options that a release registers. Only manila's code tells
that an option is read in one mode or layout of a driver, or not at all.
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

#: Options that a driver registers only in one mode: with this value of
#: driver_handles_share_servers (manila 22.0.2 share/drivers/
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

#: Options of a back end that its hooks register, if hook_drivers is set
#: (manila 16.3.0 to 23.0.1 share/hook.py, HookBase.__init__).
OF_HOOKS = frozenset(
    {
        'enable_periodic_hooks',
        'enable_post_hooks',
        'enable_pre_hooks',
        'suppress_post_hooks_errors',
        'suppress_pre_hooks_errors',
    }
)

#: Options that only one layout of GlusterFS registers, according to
#: glusterfs_share_layout (manila 22.0.2 share/drivers/glusterfs/layout_*.py).
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

#: Options that the generators of manila or its libraries list in sections
#: where no service registers them; the value is the class in scheduler_driver
#: that does, '' when there is none. manila 22.0.2 scheduler/drivers/simple.py;
#: wsgi/eventlet_server.py, which only opts.py imports. oslo.db 12.3.3
#: concurrency.py, for programs that wrap their calls in its thread pool.
#: castellan 5.6.0 common/utils.py, for logins that manila does not use.
IDLE = {
    ('DEFAULT', 'max_gigabytes'): 'SimpleScheduler',
    ('DEFAULT', 'tcp_keepalive'): '',
    ('DEFAULT', 'tcp_keepalive_count'): '',
    ('DEFAULT', 'tcp_keepalive_interval'): '',
    ('database', 'use_tpool'): '',
    **{
        ('key_manager', name): ''
        for name in (
            'auth_type',
            'auth_url',
            'domain_id',
            'domain_name',
            'password',
            'project_domain_id',
            'project_domain_name',
            'project_id',
            'project_name',
            'reauthenticate',
            'token',
            'trust_id',
            'user_domain_id',
            'user_domain_name',
            'user_id',
            'username',
        )
    },
}

#: Options of every back end that are registered in [DEFAULT], too, because
#: importing manila/share/manager.py, driver.py and hook.py does so, but that
#: manila-share reads only from the section of the back end once
#: enabled_share_backends is set: Configuration in share/configuration.py only
#: looks in that section. In 16.3.0, 18.3.0, 20.0.3, 21.0.3, 22.0.2 and 23.0.1
#: a value in [DEFAULT] reached no section, and only the branch for a driver
#: without a configuration uses CONF.name. filter_function and
#: goodness_function are not among them, because driver.py falls back to
#: [DEFAULT], nor is max_over_subscription_ratio, because the scheduler does
#: (scheduler/host_manager.py).
BACK_END_ALONE = frozenset(
    {
        'admin_network_config_group',
        'automatic_share_server_cleanup',
        'backend_availability_zone',
        'driver_handles_share_servers',
        'enable_periodic_hooks',
        'enable_post_hooks',
        'enable_pre_hooks',
        'hook_drivers',
        'max_share_server_size',
        'max_shares_per_share_server',
        'migration_ignore_files',
        'network_config_group',
        'num_shell_tries',
        'protocol_access_mapping',
        'replication_domain',
        'reserved_share_extend_percentage',
        'reserved_share_from_snapshot_percentage',
        'reserved_share_percentage',
        'share_backend_name',
        'share_driver',
        'share_mount_template',
        'share_unmount_template',
        'suppress_post_hooks_errors',
        'suppress_pre_hooks_errors',
        'unmanage_remove_access_rules',
        'unused_share_server_cleanup_interval',
    }
)

#: The drivers that read one of these options as CONF.name nevertheless
#: (share/drivers/quobyte/quobyte.py and tegile/tegile.py of these releases).
FALL_BACK = {'share_backend_name': ('QuobyteShareDriver', 'TegileShareDriver')}

#: Options that are registered in the section of a back end, but that
#: manila-share only reads from [DEFAULT]: share/manager.py of the same
#: releases uses CONF.name, and nothing reads them from the section.
DEFAULT_ALONE = frozenset(
    {
        'check_for_expired_shares_in_recycle_bin_interval',
        'check_for_expired_transfers',
        'delete_share_server_with_last_share',
        'driver_backup_continue_update_interval',
        'driver_restore_continue_update_interval',
        'enable_gathering_share_usage_size',
        'migration_driver_continue_update_interval',
        'periodic_deferred_delete_interval',
        'periodic_hooks_interval',
        'replica_state_update_interval',
        'server_migration_driver_continue_update_interval',
        'server_migration_extend_neutron_network',
        'share_service_inithost_offload',
        'share_usage_size_update_interval',
    }
)

#: Options that a driver needs only after its storage has answered, so that
#: building/driver_needs.py does not find them: (driver, options,
#: driver_handles_share_servers) (manila 12.1.2 to 23.0.1
#: share/drivers/netapp/dataontap/cluster_mode/lib_single_svm.py,
#: check_for_setup_error).
ASKED_LATER = (('NetAppDriver', ('netapp_vserver',), False),)
