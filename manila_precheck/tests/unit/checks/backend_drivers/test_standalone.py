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
"""The standalone network plugin, and a host whose back ends are gone."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck.checks.backend_drivers import standalone
from manila_precheck.tests import backend_drivers
from manila_precheck.tests import databases

SET = 'standalone_network_plugin_'


def conf(*lines, mode='True', plugin=standalone.PLUGIN):
    return backend_drivers.enabled(
        backend_drivers.section(
            'a',
            f'share_driver = {backend_drivers.GENERIC}',
            f'driver_handles_share_servers = {mode}',
            'network_config_group = net',
        ),
        backend_drivers.section(
            'net', f'network_api_class = {plugin}', *lines
        ),
    )


GATEWAY = f'{SET}gateway = 10.0.0.1'
MASK = f'{SET}mask = 24'
RANGES = f'{SET}allowed_ip_ranges = '
SIX = 'network_plugin_ipv6_enabled = True'


@ddt.ddt
class StandaloneTest(backend_drivers.BackendDrivers, testtools.TestCase):
    def found(self, text, target='2026.1', source='2025.1'):
        return [
            one
            for one in self.run_check(
                text, source=source, target=target
            ).findings
            if one.aspect.startswith('network-')
        ]

    @ddt.data(
        (GATEWAY, MASK),
        (GATEWAY, f'{SET}mask = 255.255.255.0'),
        (GATEWAY, f'{SET}mask = 0.0.0.255'),
        (GATEWAY, MASK, f'{RANGES}10.0.0.5,10.0.0.7-10.0.0.9'),
        (GATEWAY, MASK, f'{RANGES}10.0.0.7-10.0.0.9', SIX),
        (f'{SET}gateway = fd00::1', f'{SET}mask = 64', SIX),
    )
    def test_what_the_plugin_takes(self, lines):
        self.assertEqual([], self.found(conf(*lines)))

    @ddt.data(
        ((), 'gateway', f'{SET}gateway is not set', '192.0.2.1'),
        ((GATEWAY,), 'mask', f'{SET}mask is not set', '24'),
        (
            (GATEWAY, f'{SET}mask = 255.0.255.0'),
            'mask',
            f"{SET}gateway '10.0.0.1' and {SET}mask '255.0.255.0' are no "
            'network',
            '24',
        ),
        (
            (f'{SET}gateway = 10.0.0.300', MASK),
            'gateway',
            f"{SET}gateway '10.0.0.300' and {SET}mask '24' are no network",
            '192.0.2.1',
        ),
        (
            (GATEWAY, MASK, f'{RANGES}10.0.0.250-10.0.1.4'),
            'allowed_ip_ranges',
            f"'10.0.0.250-10.0.1.4' in {SET}allowed_ip_ranges is not within "
            '10.0.0.0/24',
            '10.0.0.1-10.0.0.255',
        ),
        (
            (GATEWAY, MASK, f'{RANGES}10.0.0.5, 10.0.0.9-10.0.0.7'),
            'allowed_ip_ranges',
            f"'10.0.0.9-10.0.0.7' in {SET}allowed_ip_ranges ends before it "
            'begins',
            '10.0.0.1-10.0.0.255',
        ),
        (
            (GATEWAY, MASK, f'{RANGES}10.0.0.5 - 10.0.0.9'),
            'allowed_ip_ranges',
            f"'10.0.0.5 - 10.0.0.9' in {SET}allowed_ip_ranges has "
            "'10.0.0.5 ', which is no address",
            '10.0.0.1-10.0.0.255',
        ),
        (
            (GATEWAY, MASK, f'{RANGES}10.0.0.0/25'),
            'allowed_ip_ranges',
            f"'10.0.0.0/25' in {SET}allowed_ip_ranges is neither an address "
            'of IP version 4 nor a range',
            '10.0.0.1-10.0.0.255',
        ),
    )
    @ddt.unpack
    def test_what_the_plugin_refuses(self, lines, name, why, example):
        (got,) = self.found(conf(*lines))
        self.assertEqual(
            (
                model.Severity.FAILURE,
                'a',
                f'[net], the network of back end a: {why}; manila-share '
                'exits with 1 and starts no back end (1 enabled, share '
                'instances not counted)',
                (model.config(f'[net]\n{SET}{name} = {example}'),),
            ),
            (
                got.severity,
                got.subject.name,
                got.message,
                tuple(got.remediation),
            ),
        )

    def test_the_version_of_ip(self):
        (got,) = self.found(conf(GATEWAY, MASK, SIX))
        self.assertEqual(
            (model.config('[net]\nnetwork_plugin_ipv6_enabled = False'),),
            tuple(got.remediation),
        )
        off = 'network_plugin_ipv4_enabled = False'
        (got,) = self.found(conf(GATEWAY, MASK, off))
        self.assertEqual(
            (model.config('[net]\nnetwork_plugin_ipv4_enabled = True'),),
            tuple(got.remediation),
        )

    @ddt.data(('2023.1', '2024.1', 0), ('2024.1', '2025.1', 1))
    @ddt.unpack
    def test_blanks_beside_the_dash(self, source, target, number):
        """netaddr of 2024.1 takes them."""
        text = conf(GATEWAY, MASK, f'{RANGES}10.0.0.5 - 10.0.0.9')
        self.assertEqual(number, len(self.found(text, target, source)))

    def test_where_no_plugin_is_made(self):
        self.assertEqual([], self.found(conf(mode='False')))
        neutron = (
            'manila.network.neutron.neutron_network_plugin.'
            'NeutronNetworkPlugin'
        )
        self.assertEqual([], self.found(conf(plugin=neutron)))

    @ddt.data(
        ('enabled_share_backends =\n', 'share_driver', True),
        ('enabled_share_backends =\n', 'share_backend_name', False),
        ('', 'share_driver', False),
    )
    @ddt.unpack
    def test_none_enabled_beside_sections(self, line, name, doubt):
        (found,) = self.run_check(
            f'[DEFAULT]\n{line}[b]\n{name} = x\n'
        ).findings
        loads = (
            'if manila-share runs with these files, it loads '
            f'{backend_drivers.GENERIC} from [DEFAULT]'
        )
        self.assertEqual(
            (
                model.Severity.WARNING,
                'empty',
                'enabled_share_backends is empty, and b has a share_driver: '
                f'{loads}, where driver_handles_share_servers is not set, '
                'and exits with 1',
                (
                    model.advice('Where manila-share runs:'),
                    model.config('[DEFAULT]\nenabled_share_backends = b'),
                ),
            )
            if doubt
            else (
                model.Severity.INFO,
                '',
                'no back end is configured: enabled_share_backends is not '
                f'set; {loads}',
                (),
            ),
            (
                found.severity,
                found.aspect,
                found.message,
                found.remediation,
            ),
        )

    @ddt.data('Single', 'BindSingle')
    def test_a_network_of_neutron(self, kind):
        plugin = (
            'manila.network.neutron.neutron_network_plugin.'
            f'Neutron{kind}NetworkPlugin'
        )
        net, subnet = 'neutron_net_id = a', 'neutron_subnet_id = b'
        self.assertEqual([], self.found(conf(net, subnet, plugin=plugin)))
        self.assertEqual([], self.found(conf(mode='False', plugin=plugin)))
        for lines, name in (
            ((), 'neutron_net_id'),
            ((subnet,), 'neutron_net_id'),
            ((net, 'neutron_subnet_id ='), 'neutron_subnet_id'),
        ):
            (found,) = self.found(conf(*lines, plugin=plugin))
            self.assertEqual(
                (
                    model.Severity.FAILURE,
                    f'[net], the network of back end a: {name} is not set; '
                    'manila-share exits with 1 and starts no back end (1 '
                    'enabled, share instances not counted)',
                    (model.Remediation('config', f'[net]\n{name} = <ID>'),),
                    name,
                ),
                (
                    found.severity,
                    found.message,
                    found.remediation,
                    found.data['option'],
                ),
            )


class EmptyTest(databases.SQLiteTest):
    CONFIG = '[DEFAULT]\nhost = ctl\nenabled_share_backends =\n'

    def found(self, database, config=CONFIG, **site):
        return [
            one._replace(subject=model.Subject('option', one.subject.name))
            for one in self.run_check(
                'backend-drivers',
                database,
                config=config,
                target='2026.1',
                **site,
            ).findings
        ]

    def test_a_host_that_has_served_back_ends(self):
        database = self.database('2025.1')
        database.insert(
            'services',
            {'binary': 'manila-share', 'host': 'ctl@beta'},
            {'binary': 'manila-share', 'host': 'ctl@alpha'},
            {'binary': 'manila-share', 'host': 'ctl2@gamma'},
        )
        empty = model.Finding(
            model.Severity.FAILURE,
            model.Subject('option', 'DEFAULT/enabled_share_backends'),
            'enabled_share_backends is empty, and manila-share has served '
            'alpha, beta as ctl: it now loads '
            f'{backend_drivers.GENERIC} from [DEFAULT], where '
            'driver_handles_share_servers is not set, and exits with 1',
            (model.config('[DEFAULT]\nenabled_share_backends = alpha,beta'),),
            check_id='backend-drivers',
            aspect='empty',
        )
        for stage in ('plan', 'stopped'):
            self.assertEqual([empty], self.found(database, stage=stage))
        # The name of the machine, where host is not set.
        self.assertEqual(
            [empty],
            self.found(
                database,
                self.CONFIG.replace('host = ctl\n', ''),
                files={'root/etc/hostname': 'ctl\n'},
            ),
        )

    def test_a_host_that_has_served_none(self):
        database = self.database('2025.1')
        database.insert(
            'services',
            {'binary': 'manila-scheduler', 'host': 'ctl'},
            {'binary': 'manila-share', 'host': 'ctl2@gamma'},
        )
        (got,) = self.found(database)
        self.assertEqual((model.Severity.INFO, ''), (got.severity, got.aspect))
