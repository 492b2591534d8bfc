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
from manila_precheck import testing

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO
LVM = (
    'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
    'driver_handles_share_servers = False\n'
    'lvm_share_export_ips = 192.0.2.1\n'
)
QUOBYTE = (
    'share_driver = manila.share.drivers.quobyte.quobyte'
    '.QuobyteShareDriver\ndriver_handles_share_servers = False\n'
    'quobyte_api_url = https://192.0.2.1\nquobyte_api_password = a\n'
    'quobyte_default_volume_user = a\nquobyte_default_volume_group = a\n'
)
NETAPP = (
    'share_driver = manila.share.drivers.netapp.common.NetAppDriver\n'
    'driver_handles_share_servers = False\n'
    'netapp_storage_family = ontap_cluster\nnetapp_server_hostname = a\n'
    'netapp_login = a\nnetapp_password = a\nnetapp_vserver = a\n'
)
ALONE = (
    'with enabled_share_backends set, manila-share reads it from the section '
    'of each back end alone'
)


@ddt.ddt
class HomesTest(testtools.TestCase):
    def found(self, conf, source='2024.1', target='2025.1', **kwargs):
        self.site = self.useFixture(
            testing.Site(conf, source=source, target=target, **kwargs)
        )
        return self.site.run('config-options').findings

    def finding(self, severity, name, line, message, steps, verdict):
        path = self.site.file('manila.conf')
        return model.Finding(
            severity,
            model.Subject('option', name, path, line),
            message,
            tuple(
                model.Remediation(
                    'config' if text[0] == '[' else 'text',
                    text.replace('{conf}', path),
                )
                for text in steps
            ),
            check_id='config-options',
            data={'verdict': verdict},
        )

    @ddt.data(
        ('admin_network_config_group', 'net'),
        ('automatic_share_server_cleanup', 'False'),
        ('backend_availability_zone', 'az1'),
        ('driver_handles_share_servers', 'True'),
        ('enable_periodic_hooks', 'True'),
        ('enable_post_hooks', 'True'),
        ('enable_pre_hooks', 'True'),
        ('hook_drivers', 'acme.Hook'),
        ('hook_drivers', 'manila.share.no.such.Hook'),
        ('max_share_server_size', '5'),
        ('max_shares_per_share_server', '5'),
        ('migration_ignore_files', 'a,b'),
        ('network_config_group', 'net'),
        ('num_shell_tries', '5'),
        ('protocol_access_mapping', 'ip:[nfs]'),
        ('replication_domain', 'd'),
        ('reserved_share_extend_percentage', '5'),
        ('reserved_share_from_snapshot_percentage', '5'),
        ('reserved_share_percentage', '5'),
        ('share_backend_name', 'gold'),
        ('share_driver', 'manila.share.drivers.lvm.LVMShareDriver'),
        ('share_mount_template', 'mount %(path)s'),
        ('share_unmount_template', 'umount %(path)s'),
        ('suppress_post_hooks_errors', 'True'),
        ('suppress_pre_hooks_errors', 'True'),
        ('unmanage_remove_access_rules', 'True'),
        ('unused_share_server_cleanup_interval', '20'),
    )
    @ddt.unpack
    def test_in_default(self, name, value):
        set_there = name in ('driver_handles_share_servers', 'share_driver')
        for source, target in (('2023.1', '2024.1'), ('2026.1', '2026.2')):
            found = self.found(
                f'[DEFAULT]\nenabled_share_backends = b\n{name} = {value}\n'
                f'[b]\n{LVM}',
                source,
                target,
            )
            steps = ['Remove line 3 of {conf}.']
            if not set_there:
                steps = [
                    'Write it in the section of each back end that is to have '
                    'it:',
                    f'[b]\n{name} = {value}',
                    *steps,
                ]
            self.assertEqual(
                (
                    self.finding(
                        INFO,
                        f'DEFAULT/{name}',
                        3,
                        f'[DEFAULT] {name} = {value} has no effect: {ALONE}'
                        + (', and each sets it' if set_there else ''),
                        steps,
                        'ineffective',
                    ),
                ),
                found,
            )

    @ddt.named_data(
        [
            'no_back_ends',
            '[DEFAULT]\nreserved_share_percentage = 5\n'
            f'replication_domain = a\n{LVM}',
        ],
        ['a_host_of_the_api', '[DEFAULT]\nreserved_share_percentage = 5\n'],
        [
            'the_fallback_of_the_driver',
            '[DEFAULT]\nenabled_share_backends = b\nfilter_function = a\n'
            f'goodness_function = a\n[b]\n{LVM}',
        ],
        [
            'the_fallback_of_the_scheduler',
            '[DEFAULT]\nenabled_share_backends = b\n'
            f'max_over_subscription_ratio = 2\n[b]\n{LVM}',
        ],
        [
            'the_fallback_of_quobyte',
            '[DEFAULT]\nenabled_share_backends = b,q\nshare_backend_name = a\n'
            f'[b]\n{LVM}[q]\n{QUOBYTE}',
        ],
        [
            'a_driver_that_is_not_of_manila',
            '[DEFAULT]\nenabled_share_backends = b\nshare_backend_name = a\n'
            '[b]\nshare_driver = acme.Driver\n',
        ],
        [
            'a_value_that_others_are_made_of',
            '[DEFAULT]\nenabled_share_backends = b\n'
            'reserved_share_percentage = 5\nreplication_domain = d\n'
            f'[b]\n{LVM}share_backend_name = $replication_domain\n'
            'reserved_share_extend_percentage = ${reserved_share_percentage}'
            '\n',
        ],
        [
            'in_its_section',
            '[DEFAULT]\nenabled_share_backends = b\n'
            f'[b]\n{LVM}reserved_share_percentage = 5\nhook_drivers = \n',
        ],
        [
            'of_the_service',
            '[DEFAULT]\nenabled_share_backends = b\n'
            'replica_state_update_interval = 5\n'
            f'delete_share_server_with_last_share = True\n[b]\n{LVM}',
        ],
        [
            'a_peer',
            '[DEFAULT]\nenabled_share_backends = n\n'
            f'[n]\n{NETAPP}[peer]\n{NETAPP}'
            'hook_drivers = manila.share.no.such.Hook\n'
            'drivers_private_storage_class = manila.share.no.such.Class\n',
        ],
    )
    def test_silent(self, conf):
        kept = [
            finding
            for finding in self.found(conf)
            if 'not ship' not in finding.message
        ]
        self.assertEqual([], kept)

    def test_several_back_ends(self):
        found = self.found(
            '[DEFAULT]\nenabled_share_backends = a,b,c\n'
            'reserved_share_percentage = 5\n'
            f'[a]\n{LVM}reserved_share_percentage = 6\n'
            f'[b]\n{LVM}[c]\n{LVM}'
        )
        self.assertEqual(
            (
                self.finding(
                    INFO,
                    'DEFAULT/reserved_share_percentage',
                    3,
                    '[DEFAULT] reserved_share_percentage = 5 has no effect: '
                    f'{ALONE}',
                    [
                        'Write it in the section of each back end that is to '
                        'have it (2 set none); of one:',
                        '[b]\nreserved_share_percentage = 5',
                        'Remove line 3 of {conf}.',
                    ],
                    'ineffective',
                ),
            ),
            found,
        )

    def test_old_home_of_an_option(self):
        # Wallaby registers hook_drivers with deprecated_group='DEFAULT'.
        conf = (
            '[DEFAULT]\nenabled_share_backends = b\nhook_drivers = acme.Hook\n'
            f'[b]\n{LVM}'
        )
        found = self.found(conf, 'wallaby', 'xena')
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    'DEFAULT/hook_drivers',
                    3,
                    '[DEFAULT] hook_drivers = acme.Hook is the value of every '
                    'back end that sets none in wallaby, and has no '
                    'effect in xena: manila-share reads it from the '
                    'section of each back end alone',
                    [
                        'Write it in the section of each back end that is to '
                        'have it:',
                        '[b]\nhook_drivers = acme.Hook',
                        'Remove line 3 of {conf}.',
                    ],
                    'removed',
                ),
            ),
            found,
        )

    def test_a_hook_that_a_back_end_loads(self):
        found = self.found(
            '[DEFAULT]\nenabled_share_backends = b\n'
            f'[b]\n{LVM}hook_drivers = manila.share.no.such.Hook\n'
        )
        self.assertEqual(
            [(FAILURE, 'b/hook_drivers', 'dangling')],
            [(f.severity, f.subject.name, f.data['verdict']) for f in found],
        )

    def test_a_value_that_no_service_takes(self):
        # It is read as the options are logged.
        found = self.found(
            '[DEFAULT]\nenabled_share_backends = b\n'
            f'reserved_share_percentage = much\n[b]\n{LVM}'
        )
        self.assertEqual(
            [(FAILURE, 'DEFAULT/reserved_share_percentage', 'invalid')],
            [(f.severity, f.subject.name, f.data['verdict']) for f in found],
        )

    @ddt.data(
        ('check_for_expired_shares_in_recycle_bin_interval', '5'),
        ('check_for_expired_transfers', '5'),
        ('delete_share_server_with_last_share', 'True'),
        ('driver_backup_continue_update_interval', '5'),
        ('driver_restore_continue_update_interval', '5'),
        ('enable_gathering_share_usage_size', 'True'),
        ('migration_driver_continue_update_interval', '5'),
        ('periodic_deferred_delete_interval', '5'),
        ('periodic_hooks_interval', '5'),
        ('replica_state_update_interval', '5'),
        ('server_migration_driver_continue_update_interval', '5'),
        ('server_migration_extend_neutron_network', 'True'),
        ('share_service_inithost_offload', 'True'),
        ('share_usage_size_update_interval', '5'),
    )
    @ddt.unpack
    def test_in_a_back_end(self, name, value):
        found = self.found(
            f'[DEFAULT]\nenabled_share_backends = b\n[b]\n{LVM}'
            f'{name} = {value}\n',
            '2025.1',
            '2026.1',
        )
        text = (
            f'[b] {name} = {value} has no effect: manila-share reads it from '
            '[DEFAULT] alone, for all back ends'
        )
        self.assertEqual(
            (
                self.finding(
                    INFO,
                    f'b/{name}',
                    7,
                    text,
                    [
                        'If all back ends are to have it:',
                        f'[DEFAULT]\n{name} = {value}',
                        'Remove line 7 of {conf}.',
                    ],
                    'ineffective',
                ),
            ),
            found,
        )
        found = self.found(
            f'[DEFAULT]\nenabled_share_backends = b\n{name} = {value}\n'
            f'[b]\n{LVM}{name} = {value}\n',
            '2025.1',
            '2026.1',
        )
        self.assertEqual(
            (
                self.finding(
                    INFO,
                    f'b/{name}',
                    8,
                    f'{text}, and {self.site.file("manila.conf")}:3 sets it '
                    'there',
                    ['Remove line 8 of {conf}.'],
                    'ineffective',
                ),
            ),
            found,
        )
