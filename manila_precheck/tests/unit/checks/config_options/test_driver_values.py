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

"""config-options on values that a driver refuses after their type."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import logins

DRIVERS = 'manila.share.drivers.'
CEPHFS = DRIVERS + 'cephfs.driver.CephFSDriver'
GLUSTERFS = DRIVERS + 'glusterfs.GlusterfsShareDriver'
NETAPP = DRIVERS + 'netapp.common.NetAppDriver'
WINDOWS = DRIVERS + 'windows.windows_smb_driver.WindowsSMBDriver'
ZFS = DRIVERS + 'zfsonlinux.driver.ZFSonLinuxShareDriver'
CONTAINER = DRIVERS + 'container.driver.ContainerShareDriver'
NEUTRON = 'manila.network.neutron.neutron_network_plugin.'
BINDS = f'network_api_class = {NEUTRON}NeutronBindNetworkPlugin'
OTHER = 'network_config_group = n'
SIMPLE = 'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'
QNAP = DRIVERS + 'qnap.qnap.QnapShareDriver'
LVM = DRIVERS + 'lvm.LVMShareDriver'
NATIVE = DRIVERS + 'glusterfs.glusterfs_native.GlusterfsNativeShareDriver'
INIT = 'manila-share exits with 1 and starts no back end'
SETUP = 'manila-share runs, but the back end never reports'

CASES = {
    'netapp_storage_family': (
        NETAPP,
        ('ontap_cluster', 'ONTAP_Cluster'),
        ('ontap_7mode', 'eseries', ''),
        'ontap_cluster',
    ),
    'netapp_aggregate_name_search_pattern': (
        NETAPP,
        ('(.*)', '^aggr[0-9]+$', ''),
        ('aggr[', '*', '(aggr'),
        'a regular expression of Python',
    ),
    'zfs_share_helpers': (
        ZFS,
        ('NFS=manila.share.drivers.zfsonlinux.utils.NFSviaZFSHelper',),
        ('',),
        'at least one helper',
    ),
    'netapp_api_trace_pattern': (
        NETAPP,
        ('(.*)', '^(?!(perf)).*$'),
        ('([', '+'),
        'a regular expression of Python',
    ),
    'cephfs_volume_mode': (
        CEPHFS,
        ('755', '0755', '0o755', '7_5'),
        ('999', 'rwx', '', '75 5'),
        'an octal number',
    ),
    'glusterfs_nfs_server_type': (
        GLUSTERFS,
        ('Gluster', 'Ganesha'),
        ('gluster', 'Kernel'),
        'Gluster or Ganesha',
    ),
    'glusterfs_volume_pattern': (
        NATIVE,
        (r'manila-\d+$', r'manila-#{size}G-\d+$', '##', ''),
        ('*x', '(', 'manila-#{gone}', '#', '#{size}#{size}'),
        'a regular expression of Python, with #{size} at most once',
    ),
    'service_instance_password': (
        WINDOWS,
        ('Passw0rd', 'Pass0r', ''),
        ('Pas0r', 'password1', 'PASSWORD1', 'Password'),
        'at least 6 characters, with a lower case letter, an upper case '
        'letter and a digit',
    ),
    'glusterfs_target': (
        GLUSTERFS,
        ('a:/b', 'root@192.0.2.1:/b/c/d', ''),
        ('a', 'a:b', 'a/b', 'gluster://a/b', 'a:/'),
        'the form server:/volume or server:/volume/path',
    ),
    'qnap_management_url': (
        QNAP,
        ('http://192.0.2.1:8080', 'https://nas.example.com:443/', ''),
        ('http://192.0.2.1', 'ftp://192.0.2.1:21', '192.0.2.1:8080'),
        'a URL with http or https and a port',
    ),
    'zfs_zpool_list': (
        ZFS,
        ('a', 'a/b,b/b'),
        ('a/b,a/c', 'a,b,a'),
        'one dataset of each pool',
    ),
    'zfs_share_export_ip': (
        ZFS,
        ('192.0.2.1',),
        ('zfs.example.com', '2001:db8::1'),
        'an IPv4 address',
    ),
}

LATE = (
    'glusterfs_target',
    'netapp_aggregate_name_search_pattern',
    'netapp_api_trace_pattern',
    'qnap_management_url',
    'zfs_share_export_ip',
    'zfs_share_helpers',
)


def back_end(driver, *lines, names='b'):
    return '\n'.join(
        [
            '[DEFAULT]',
            f'enabled_share_backends = {names}',
            '[b]',
            f'share_driver = {driver}',
            'driver_handles_share_servers = False',
            *lines,
            '',
        ]
    )


@ddt.ddt
class DriverValuesTest(testtools.TestCase):
    def found(self, config, **more):
        self.site = self.useFixture(testing.Site(config, **more))
        return tuple(
            one
            for one in self.site.run('config-options').findings
            if one.data['verdict'] == 'invalid'
        )

    @ddt.data(*CASES)
    def test_what_a_driver_takes(self, option):
        driver, taken, _refused, _words = CASES[option]
        for value in taken:
            config = back_end(driver, f'{option} = {value}')
            self.assertEqual((), self.found(config), value)

    @ddt.data(*CASES)
    def test_what_a_driver_refuses(self, option):
        driver, _taken, refused, words = CASES[option]
        for value in refused:
            found = self.found(back_end(driver, f'{option} = {value}'))
            self.assertEqual(
                (self.refused(option, value, driver, words),), found, value
            )

    def refused(self, option, value, driver, words):
        path = self.site.file('manila.conf')
        shown = f'[b] {option} = {value}'.rstrip()
        good = {
            'cephfs_volume_mode': '755',
            'glusterfs_nfs_server_type': 'Gluster',
            'zfs_share_helpers': 'NFS=manila.share.drivers.zfsonlinux.'
            'utils.NFSviaZFSHelper',
            'netapp_aggregate_name_search_pattern': '(.*)',
            'netapp_api_trace_pattern': '(.*)',
            'netapp_storage_family': 'ontap_cluster',
        }.get(option)
        if option == 'service_instance_password':
            shown = f'[b] {option} = (the value in {path}:6)'
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('option', f'b/{option}', path, 6),
            f'{shown}: {driver.rpartition(".")[2]} of 2025.1 takes {words} '
            f'only; {SETUP if option in LATE else INIT}',
            (
                model.advice(f'Set it to {words}.'),
                *(
                    [model.config('[b]\n{} = {}', option, good)]
                    if good
                    else []
                ),
            ),
            check_id='config-options',
            data={'verdict': 'invalid'},
            aspect='names',
        )

    @ddt.data(('2023.1', '2024.1'), ('2026.1', '2026.2'))
    @ddt.unpack
    def test_the_first_and_the_last_release(self, source, target):
        found = self.found(
            back_end(NETAPP, 'netapp_storage_family = ontap_7mode'),
            source=source,
            target=target,
        )
        self.assertEqual(
            ['config-options[b/netapp_storage_family#names]'],
            [one.key for one in found],
        )

    @ddt.data(
        back_end(NETAPP, 'cephfs_volume_mode = 999'),
        back_end(NETAPP, 'netapp_storage_family = x', names='c'),
        back_end(
            WINDOWS,
            'service_instance_password = weak',
            'winrm_use_cert_based_auth = True',
        ),
        back_end(
            NETAPP,
            'netapp_storage_family = x',
            'netapp_storage_family = ontap_cluster',
        ),
    )
    def test_lines_that_no_driver_looks_at(self, config):
        self.assertEqual((), self.found(config))

    def test_a_list_of_servers(self):
        layout = 'layout_volume.GlusterfsVolumeMappedLayout'
        for value, count in (('a,root@b', 0), ('a,b:/c', 1)):
            found = self.found(
                back_end(
                    GLUSTERFS,
                    f'glusterfs_share_layout = {layout}',
                    f'glusterfs_servers = {value}',
                )
            )
            self.assertEqual(count, len(found), value)

    @ddt.data((ZFS, 1), (LVM, 0))
    @ddt.unpack
    def test_a_ratio_that_the_code_refuses(self, driver, count):
        """From 2024.2 on the type refuses it, whatever the driver."""
        config = back_end(driver, 'max_over_subscription_ratio = 0.5')
        found = self.found(config, source='2023.1', target='2024.1')
        self.assertEqual(count, len(found))
        for one in found:
            self.assertEqual(model.Severity.FAILURE, one.severity)
            self.assertTrue(one.message.endswith(SETUP), one.message)
        self.assertEqual(
            1, len(self.found(config, source='2024.1', target='2025.1'))
        )
        config = config.replace('0.5', '1')
        self.assertEqual(
            (), self.found(config, source='2023.1', target='2024.1')
        )

    @ddt.data(
        ('', ['missing']),
        (OTHER, ['missing']),
        (f'network_api_class = {NEUTRON}NeutronNetworkPlugin', ['invalid']),
        (BINDS, []),
        (f'network_api_class = {SIMPLE}', []),
        (f'{BINDS}\n{OTHER}', ['missing']),
        (f'network_config_group = b\n{BINDS}', []),
        (f'{BINDS}\n{OTHER}\nadmin_network_config_group = b', []),
    )
    @ddt.unpack
    def test_a_driver_that_needs_the_host_in_neutron(self, line, verdicts):
        config = back_end(CONTAINER, line).replace('= False', '= True')
        config += f'{logins.LOGINS}[n]\nnetwork_api_class = {SIMPLE}\n'
        site = self.useFixture(testing.Site(config))
        found = [
            one
            for one in site.run('config-options').findings
            if one.severity is model.Severity.FAILURE
        ]
        self.assertEqual(verdicts, [one.data['verdict'] for one in found])
        for one in found:
            self.assertEqual('b/network_api_class', one.subject.name)
