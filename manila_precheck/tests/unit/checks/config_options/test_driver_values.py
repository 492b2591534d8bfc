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

DRIVERS = 'manila.share.drivers.'
CEPHFS = DRIVERS + 'cephfs.driver.CephFSDriver'
GLUSTERFS = DRIVERS + 'glusterfs.GlusterfsShareDriver'
NETAPP = DRIVERS + 'netapp.common.NetAppDriver'
WINDOWS = DRIVERS + 'windows.windows_smb_driver.WindowsSMBDriver'

CASES = {
    'netapp_storage_family': (
        NETAPP,
        ('ontap_cluster', 'ONTAP_Cluster'),
        ('ontap_7mode', 'eseries', ''),
        'ontap_cluster',
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
    'service_instance_password': (
        WINDOWS,
        ('Passw0rd', 'Pass0r', ''),
        ('Pas0r', 'password1', 'PASSWORD1', 'Password'),
        'at least 6 characters, with a lower case letter, an upper case '
        'letter and a digit',
    ),
}


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
            'netapp_storage_family': 'ontap_cluster',
        }.get(option)
        if option == 'service_instance_password':
            shown = f'[b] {option} = (the value in {path}:6)'
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('option', f'b/{option}', path, 6),
            f'{shown}: {driver.rpartition(".")[2]} of 2025.1 takes {words} '
            'only; manila-share exits with 1 and starts no back end',
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
