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

"""The options that only one service uses, whatever files contain them.

Each service registers nearly every option and uses some of them. Listed are
those that surely have one user only, by the modules that read them (manila
16.3.0 and 22.0.2: api/, scheduler/, share/manager.py, data/;
keystonemiddleware, oslo.policy and oslo.middleware are only loaded by the
API's pipelines). Any other option counts for every service.
"""

from typing import Optional

from manila_precheck.catalog import middleware
from manila_precheck.evidence.host import commands

_SCHEDULER = 'manila-scheduler'
_DATA = 'manila-data'

_SECTIONS = dict.fromkeys(
    ('keystone_authtoken', 'oslo_policy', *middleware.SECTIONS), commands.API
)

_OPTIONS = {
    commands.API: (
        'api_paste_config',
        'api_rate_limit',
        'auth_strategy',
        'osapi_max_limit',
        'osapi_share_base_URL',
        'osapi_share_ext_list',
        'osapi_share_extension',
        'osapi_share_listen',
        'osapi_share_listen_port',
        'osapi_share_use_ssl',
        'osapi_share_workers',
        'use_forwarded_for',
    ),
    _SCHEDULER: (
        'capacity_weight_multiplier',
        'pool_weight_multiplier',
        'scheduler_default_extend_filters',
        'scheduler_default_filters',
        'scheduler_default_share_group_filters',
        'scheduler_default_weighers',
        'scheduler_driver',
        'scheduler_host_manager',
        'scheduler_json_config_location',
        'scheduler_max_attempts',
    ),
    commands.SHARE: ('enabled_share_backends',),
    _DATA: (
        'backup_driver',
        'backup_ignore_files',
        'backup_mount_export',
        'backup_mount_options',
        'backup_mount_proto',
        'backup_mount_template',
        'backup_mount_tmp_location',
        'backup_share_mount_template',
        'backup_share_unmount_template',
        'backup_unmount_template',
        'data_access_wait_access_rules_timeout',
        'data_node_access_admin_user',
        'data_node_access_cert',
        'data_node_access_ips',
        'data_node_mount_options',
        'mount_tmp_location',
    ),
}

_BY_OPTION = {
    name: service for service, names in _OPTIONS.items() for name in names
}


def only_user(group: str, name: str) -> Optional[str]:
    """Return the only service that uses an option; None: any may use it.

    :param group: the section, normalized.
    """
    if group == 'DEFAULT':
        return _BY_OPTION.get(name)
    return _SECTIONS.get(group)
