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

import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.cmd import settings

CONF = '''[DEFAULT]
enabled_share_backends = lvm1
quota_shares = 5
quota_shares = 6
nonsense = geheim1
transport_url = rabbit://u:geheim2@h/
[database]
connection = mysql+pymysql://u:geheim3@h/manila
[lvm1]
share_driver = manila.share.drivers.lvm.LVMShareDriver
driver_handles_share_servers = False
lvm_share_export_ips = 192.0.2.1
netapp_password = geheim4
netapp_login = admin
[oslo_messaging_notifications]
driver = messagingv2
driver = log
[keystone_authtoken]
auth_type = password
auth_url = http://u:geheim5@keystone/
password = geheim6
[cinder]
auth_section = keystone_authtoken
'''


class EffectiveTest(testtools.TestCase):
    def test_what_is_read_and_no_secret(self):
        site = self.useFixture(testing.Site(CONF))
        path = site.file('manila.conf')

        def read(option, value, line):
            return model.SettingRead(option, value, path, line)

        self.assertEqual(
            (
                read('DEFAULT/enabled_share_backends', 'lvm1', 2),
                read('cinder/auth_section', 'keystone_authtoken', 23),
                read('keystone_authtoken/auth_type', 'password', 19),
                read(
                    'keystone_authtoken/auth_url',
                    'http://u:***@keystone/',
                    20,
                ),
                read('lvm1/driver_handles_share_servers', 'False', 11),
                read('lvm1/lvm_share_export_ips', '192.0.2.1', 12),
                read(
                    'lvm1/share_driver',
                    'manila.share.drivers.lvm.LVMShareDriver',
                    10,
                ),
                read(
                    'oslo_messaging_notifications/driver',
                    'messagingv2\nlog',
                    17,
                ),
                read('quota/shares', '6', 4),
            ),
            settings.effective(site.context()),
        )
