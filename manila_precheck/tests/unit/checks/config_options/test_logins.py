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

GENERIC = 'manila.share.drivers.generic.GenericShareDriver'
NETAPP = 'manila.share.drivers.netapp.common.NetAppDriver'
LVM = 'manila.share.drivers.lvm.LVMShareDriver'
LOGIN = (
    'auth_type = password\n'
    'auth_url = http://192.0.2.1:5000/v3\n'
    'username = manila\n'
    'password = not-a-password\n'
    'user_domain_name = Default\n'
    'project_name = service\n'
    'project_domain_name = Default\n'
)
ELSEWHERE = ''.join(
    f'[{name}]\nauth_section = nova\n'
    for name in ('cinder', 'glance', 'neutron')
)
SIMPLE = 'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'


def back_end(driver, servers, *lines):
    return '\n'.join(
        (
            '[DEFAULT]',
            'enabled_share_backends = b',
            '[b]',
            f'share_driver = {driver}',
            f'driver_handles_share_servers = {servers}',
            *lines,
            '',
        )
    )


@ddt.ddt
class LoginsTest(testtools.TestCase):
    def told(self, conf, target='2025.1'):
        self.site = self.useFixture(testing.Site(conf, target=target))
        return [
            (item.severity, item.subject.name, item.message)
            for item in self.site.run('config-options').findings
            if item.aspect == 'login'
        ]

    @ddt.data(('v3kerberos', 'requests_kerberos'), ('v3oauth1', 'oauthlib'))
    @ddt.unpack
    def test_the_library_of_a_login_was_not_looked_for(self, plugin, module):
        conf = (
            back_end(GENERIC, True)
            + ELSEWHERE
            + f'[nova]\nauth_type = {plugin}\nauth_url = http://a\n'
            'consumer_key = a\naccess_key = b\n'
            'consumer_secret = c\naccess_secret = d\n'
        )
        self.assertIn(
            (
                WARNING,
                'nova/auth_type',
                f'[nova] auth_type is {plugin!r}, which needs the module '
                f'{module}; manila does not install it: without it requests '
                'of manila-share to nova fail, and the back end b needs them',
            ),
            self.told(conf),
        )

    @ddt.data(
        back_end(GENERIC, True)
        + ''.join(
            f'[{n}]\n{LOGIN}' for n in ('nova', 'neutron', 'cinder', 'glance')
        ),
        back_end(GENERIC, True) + f'[nova]\n{LOGIN}' + ELSEWHERE,
        # No back end asks it.
        back_end(LVM, False) + '[nova]\nauth_type = pasword\n',
        back_end(GENERIC, False)
        + '[neutron]\nauth_type = pasword\n'
        + f'[nova]\n{LOGIN}[cinder]\nauth_section = nova\n',
        back_end(NETAPP, True, f'network_api_class = {SIMPLE}')
        + '[neutron]\nauth_type = pasword\n',
        back_end(NETAPP, False) + '[neutron]\nusername = a\n',
        # No manila-share runs here.
        '[neutron]\nauth_type = pasword\n',
        # api-paste tells that.
        '[keystone_authtoken]\nauth_type = pasword\n',
        # A section that is not there, and that nothing here asks for.
        back_end(NETAPP, False),
        back_end(NETAPP, True, f'network_api_class = {SIMPLE}'),
        back_end(LVM, False),
        # A mode that the driver does not have: it does not start.
        back_end(LVM, True),
        back_end(GENERIC, 'maybe'),
        back_end(NETAPP, True).replace('enabled_share_backends = b', ''),
    )
    def test_silent(self, conf):
        self.assertEqual([], self.told(conf))

    @ddt.data(
        (
            back_end(NETAPP, True)
            + '[neutron]\n'
            + LOGIN.replace('auth_type = password\n', ''),
            'neutron/auth_type',
            '[neutron] sets no auth_type',
            'neutron',
        ),
        (
            back_end(
                NETAPP,
                True,
                f'network_api_class = {SIMPLE}',
                'admin_network_config_group = n',
            )
            + '[neutron]\nauth_type = pasword\n',
            'neutron/auth_type',
            "[neutron] auth_type is 'pasword', which is not a plugin of "
            'keystoneauth',
            'neutron',
        ),
        (
            back_end(GENERIC, False)
            + '[nova]\n'
            + LOGIN.replace('username', '# '),
            'nova/username',
            '[nova] sets none of username and user_id, which auth_type = '
            'password needs',
            'nova',
        ),
        (
            back_end(GENERIC, False) + f'[nova]\n{LOGIN}system_scope = all\n',
            'nova/system_scope',
            '[nova] sets system_scope and project_name, but a token has only '
            'one scope (AuthorizationFailure)',
            'nova',
        ),
        (
            back_end(GENERIC, False) + f'[nova]\n{LOGIN}',
            'cinder/auth_type',
            'no file has the section [cinder]',
            'cinder',
        ),
        (
            back_end(NETAPP, True),
            'neutron/auth_type',
            'no file has the section [neutron]',
            'neutron',
        ),
        (
            back_end(GENERIC, True)
            + '[glance]\nauth_section = nova\n[nova]\nregion_name = a\n',
            'nova/auth_type',
            '[nova] sets no auth_type',
            'glance',
        ),
    )
    @ddt.unpack
    def test_a_back_end_needs_it(self, conf, name, why, service):
        self.assertIn(
            (
                FAILURE,
                name,
                f'{why}: requests of manila-share to {service} fail, and the '
                'back end b needs them',
            ),
            self.told(conf),
        )

    def test_no_section_at_all(self):
        for servers, names in (
            (True, ['cinder', 'glance', 'neutron', 'nova']),
            (False, ['cinder', 'nova']),
        ):
            told = self.told(back_end(GENERIC, servers))
            self.assertEqual(
                [f'{name}/auth_type' for name in names],
                [name for _, name, _ in told],
            )
            self.assertEqual({FAILURE}, {severity for severity, *_ in told})

    def test_no_section_and_a_driver_that_is_not_known(self):
        self.assertEqual(
            [
                (
                    WARNING,
                    'neutron/auth_type',
                    'no file has the section [neutron]: requests of '
                    'manila-share to neutron fail, and it is not known '
                    'whether the back end b needs them',
                )
            ],
            self.told(back_end('acme.driver.AcmeShareDriver', True)),
        )

    def test_what_is_printed_is_a_login(self):
        conf = back_end(NETAPP, True)
        self.told(conf)
        (found,) = (
            item
            for item in self.site.run('config-options').findings
            if item.aspect == 'login'
        )
        added = found.remediation[-1].text.replace('<', '').replace('>', '')
        self.assertEqual([], self.told(f'{conf}{added}\n'))

    def test_keys_of_barbican(self):
        conf = back_end(LVM, False) + '[barbican]\nauth_type = pasword\n'
        # The release before keeps no keys.
        self.assertEqual([], self.told(conf, target='2025.1'))
        self.assertEqual(
            [
                (
                    WARNING,
                    'barbican/auth_type',
                    "[barbican] auth_type is 'pasword', which is not a "
                    'plugin of keystoneauth: shares with an encryption key '
                    'of their own cannot be created',
                )
            ],
            self.told(conf, target='2025.2'),
        )
