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

"""config-options on options that a driver cannot do without."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import logins

DRIVERS = 'manila.share.drivers.'
GLUSTERFS = DRIVERS + 'glusterfs.GlusterfsShareDriver'
GLUSTERFS_NATIVE = (
    DRIVERS + 'glusterfs.glusterfs_native.GlusterfsNativeShareDriver'
)
LAYOUT = 'glusterfs_share_layout = layout_volume.GlusterfsVolumeMappedLayout'
GENERIC = DRIVERS + 'generic.GenericShareDriver'
HNAS = DRIVERS + 'hitachi.hnas.driver.HitachiHNASDriver'
HSP = DRIVERS + 'hitachi.hsp.driver.HitachiHSPDriver'
NETAPP = DRIVERS + 'netapp.common.NetAppDriver'
INFORTREND = DRIVERS + 'infortrend.driver.InfortrendNASDriver'
GPFS = DRIVERS + 'ibm.gpfs.GPFSShareDriver'
ZFS = DRIVERS + 'zfsonlinux.driver.ZFSonLinuxShareDriver'
WINDOWS = DRIVERS + 'windows.windows_smb_driver.WindowsSMBDriver'
CONTAINER = DRIVERS + 'container.driver.ContainerShareDriver'
EMC = DRIVERS + 'dell_emc.driver.EMCShareDriver'
INIT = (
    'the driver cannot be created; manila-share exits with 1 and starts no '
    'back end'
)
SETUP = (
    'the driver does not start: manila-share runs, but the back end never '
    'reports'
)
REQUIRED = (
    'the driver marks it as required and has no fallback: manila-share runs, '
    'but the back end does not work'
)


def back_end(driver, *lines, servers=False):
    return '\n'.join(
        [
            '[DEFAULT]',
            'enabled_share_backends = b',
            '[b]',
            f'share_driver = {driver}',
            f'driver_handles_share_servers = {servers}',
            *lines,
            '',
        ]
    )


@ddt.ddt
class NeededTest(testtools.TestCase):
    def found(self, conf, source='2024.1', target='2025.1'):
        self.site = self.useFixture(
            testing.Site(conf, source=source, target=target)
        )
        return self.site.run('config-options').findings

    def finding(self, name, message, remediation, driver, at):
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('option', name, self.site.file('manila.conf'), 4),
            message,
            tuple(model.Remediation(*item) for item in remediation),
            check_id='config-options',
            data={'verdict': 'missing', 'driver': driver, 'at': at},
            aspect='missing',
        )

    @ddt.data(
        '[DEFAULT]\n',
        back_end(GENERIC, 'service_instance_user = a'),
        # A key for a password.
        back_end(
            HNAS,
            'hitachi_hnas_evs_id = 1',
            'hitachi_hnas_evs_ip = 192.0.2.1',
            'hitachi_hnas_ip = 192.0.2.1',
            'hitachi_hnas_user = a',
            'hitachi_hnas_ssh_private_key = /a',
        ),
        # Not enabled, no section, no driver of manila.
        f'[DEFAULT]\nenabled_share_backends = a\n[b]\nshare_driver = {HSP}\n',
        back_end('acme.Driver'),
        # Read with share servers alone.
        back_end(EMC, 'emc_share_backend = unity', 'unity_share_server = a'),
    )
    def test_silent(self, conf):
        self.assertEqual(
            [],
            [
                finding
                for finding in self.found(conf)
                if finding.aspect == 'missing'
            ],
        )

    def test_an_option_that_network_config_group_moves_away(self):
        conf = back_end(
            CONTAINER,
            'network_config_group = n',
            'network_api_class = manila.network.neutron.'
            'neutron_network_plugin.NeutronBindNetworkPlugin',
            servers=True,
        )
        found = self.found(f'{conf}[n]\nneutron_host_id = a\n')
        missing, line = (
            one for one in found if one.subject.name == 'b/network_api_class'
        )
        self.assertEqual(
            self.finding(
                'b/network_api_class',
                '[b] network_api_class has no effect beside '
                'network_config_group = n, and ContainerShareDriver of 2025.1 '
                f'requires it there: {SETUP}; 2024.1 requires it too',
                [
                    ('text', 'Write all options of [n] in [b], with:'),
                    (
                        'config',
                        '[b]\nnetwork_config_group = b\n'
                        'network_api_class = <text>',
                    ),
                ],
                CONTAINER,
                'setup',
            ),
            missing,
        )
        self.assertEqual(
            '[b] network_api_class has no effect: the back end reads it in '
            '[n] (network_config_group)',
            line.message,
        )

    @ddt.data(
        (('winrm_use_cert_based_auth = True',), ['user']),
        (
            ('winrm_use_cert_based_auth = True', 'service_instance_user = a'),
            [],
        ),
        (
            ('winrm_use_cert_based_auth = False', 'service_instance_user = a'),
            ['password'],
        ),
        (('service_instance_user = a',), ['password']),
        # The value is told.
        (
            (
                'winrm_use_cert_based_auth = perhaps',
                'service_instance_user = a',
            ),
            [],
        ),
        ((), ['password', 'user']),
    )
    @ddt.unpack
    def test_a_certificate_for_a_password(self, lines, lacking):
        for servers in (False, True):
            for source, target in (('2023.1', '2024.1'), ('2026.1', '2026.2')):
                found = self.found(
                    back_end(WINDOWS, *lines, servers=servers), source, target
                )
                expected = []
                for name in lacking:
                    option = f'service_instance_{name}'
                    expected.append(
                        self.finding(
                            f'b/{option}',
                            f'[b] does not set {option}, which '
                            f'WindowsSMBDriver of {target} requires: {INIT}; '
                            f'{source} requires it too',
                            [('config', f'[b]\n{option} = <text>')],
                            WINDOWS,
                            'init',
                        )
                    )
                self.assertEqual(
                    expected, [f for f in found if f.aspect == 'missing']
                )

    def test_driver_that_is_not_built(self):
        self.assertEqual(
            self.found(back_end(GENERIC) + logins.LOGINS),
            (
                self.finding(
                    'b/service_instance_user',
                    '[b] does not set service_instance_user, which '
                    f'GenericShareDriver of 2025.1 requires: {INIT}; 2024.1 '
                    'requires it too',
                    [('config', '[b]\nservice_instance_user = <text>')],
                    GENERIC,
                    'init',
                ),
            ),
        )

    @ddt.data(
        (GPFS, 'is_gpfs_node = True', []),
        (GPFS, 'is_gpfs_node = False', ['b/gpfs_share_export_ip']),
        (ZFS, 'zfs_use_ssh = True', ['b/zfs_service_ip']),
        (ZFS, 'zfs_use_ssh = False', []),
        # The value is told.
        (ZFS, 'zfs_use_ssh = perhaps', []),
    )
    @ddt.unpack
    def test_what_another_option_asks_for(self, driver, line, names):
        pool = 'zfs_zpool_list = a\nzfs_dataset_creation_options = a=b'
        conf = back_end(driver, line, *([pool] if driver == ZFS else []))
        for source, target in (('2023.1', '2024.1'), ('2026.1', '2026.2')):
            found = self.found(conf, source, target)
            self.assertEqual(
                names,
                [
                    one.subject.name
                    for one in found
                    if one.aspect == 'missing' and one.data['at'] == 'setup'
                ],
            )

    @ddt.data(
        (False, ['netapp_server_hostname', 'netapp_vserver']),
        (True, ['netapp_server_hostname']),
    )
    @ddt.unpack
    def test_what_is_asked_once_the_storage_answers(self, servers, names):
        lines = [f'{name} = a' for name in names]
        conf = back_end(NETAPP, servers=servers) + logins.LOGINS
        self.assertEqual(
            [f'b/{name}' for name in names],
            [
                one.subject.name
                for one in self.found(conf)
                if one.severity is model.Severity.FAILURE
            ],
        )
        conf = back_end(NETAPP, *lines, servers=servers) + logins.LOGINS
        self.assertEqual((), self.found(conf))

    def test_driver_that_does_not_come_up(self):
        found = self.found(
            back_end(
                EMC,
                'emc_share_backend = powerstore',
                'dell_nas_login = a',
                'dell_nas_password = b',
            )
        )
        self.assertEqual(
            (
                self.finding(
                    'b/dell_nas_backend_host',
                    '[b] does not set dell_nas_backend_host, which '
                    f'EMCShareDriver of 2025.1 requires: {SETUP}; 2024.1 '
                    'requires it too',
                    [('config', '[b]\ndell_nas_backend_host = <text>')],
                    EMC,
                    'setup',
                ),
            ),
            found,
        )

    def test_one_of_two_options(self):
        found = self.found(
            back_end(
                INFORTREND,
                'infortrend_nas_ip = 192.0.2.1',
                'infortrend_share_pools = a',
                'infortrend_share_channels = 1',
            )
        )
        self.assertEqual(
            (
                self.finding(
                    'b/infortrend_nas_password',
                    '[b] does not set infortrend_nas_password or '
                    'infortrend_nas_ssh_key, which InfortrendNASDriver of '
                    f'2025.1 requires: {INIT}; 2024.1 requires it too',
                    [
                        ('text', 'One of these:'),
                        ('config', '[b]\ninfortrend_nas_password = <text>'),
                        ('config', '[b]\ninfortrend_nas_ssh_key = <text>'),
                    ],
                    INFORTREND,
                    'init',
                ),
            ),
            found,
        )

    def test_option_that_the_driver_marks_as_required(self):
        found = self.found(
            back_end(
                HSP,
                'hitachi_hsp_host = 192.0.2.1',
                'hitachi_hsp_username = a',
                'hitachi_hsp_password =',
            )
        )
        self.assertEqual(
            (
                self.finding(
                    'b/hitachi_hsp_password',
                    '[b] does not set hitachi_hsp_password, which '
                    f'HitachiHSPDriver of 2025.1 requires: {REQUIRED}; '
                    '2024.1 requires it too',
                    [('config', '[b]\nhitachi_hsp_password = <text>')],
                    HSP,
                    'required',
                ),
            ),
            found,
        )

    def test_mode_decides(self):
        conf = back_end(
            EMC, 'emc_share_backend = unity', 'unity_share_server = a'
        )
        conf += logins.LOGINS
        with_servers = conf.replace('= False', '= True')
        self.assertEqual(
            ['b/unity_server_meta_pool'],
            [f.subject.name for f in self.found(with_servers)],
        )
        self.assertEqual((), self.found(conf))
        self.assertEqual(
            ['b/unity_share_server'],
            [
                f.subject.name
                for f in self.found(
                    conf.replace('unity_share_server = a\n', '')
                )
            ],
        )

    @ddt.data(
        (GLUSTERFS, '', ['b/glusterfs_target']),
        (GLUSTERFS, 'glusterfs_target = a:/b', []),
        (
            GLUSTERFS,
            LAYOUT,
            ['b/glusterfs_servers', 'b/glusterfs_volume_pattern'],
        ),
        (
            GLUSTERFS,
            f'{LAYOUT}\nglusterfs_target = a:/b\nglusterfs_servers = a\n'
            'glusterfs_volume_pattern = b',
            [],
        ),
        (
            GLUSTERFS_NATIVE,
            '',
            ['b/glusterfs_servers', 'b/glusterfs_volume_pattern'],
        ),
    )
    @ddt.unpack
    def test_layout_decides(self, driver, lines, missing):
        self.assertEqual(
            missing,
            [
                finding.subject.name
                for finding in self.found(back_end(driver, lines))
                if finding.aspect == 'missing'
            ],
        )

    @ddt.data(
        (f'share_driver = {GENERIC}', 2),
        # The driver is the default one.
        ('driver_handles_share_servers = False', None),
    )
    @ddt.unpack
    def test_a_back_end_in_default(self, text, line):
        (found,) = self.found(f'[DEFAULT]\n{text}\n{logins.LOGINS}')
        self.assertEqual(
            ('DEFAULT/service_instance_user', line),
            (found.subject.name, found.subject.line),
        )

    def test_every_back_end(self):
        found = self.found(
            '[DEFAULT]\nenabled_share_backends = a,b\n'
            f'[a]\nshare_driver = {GENERIC}\n'
            f'[b]\nshare_driver = {GENERIC}\n'
        )
        self.assertEqual(
            [('a/service_instance_user', 4), ('b/service_instance_user', 6)],
            [(f.subject.name, f.subject.line) for f in found],
        )
