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

import textwrap

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import logins

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO
GLUSTERFS = 'manila.share.drivers.glusterfs.GlusterfsShareDriver'
NETAPP = 'manila.share.drivers.netapp.common.NetAppDriver'
EMC = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
DRIVERS = 'manila.share.drivers.'
REMOVE = 'Remove line {} of {{conf}}'


def sentence(text):
    return [('text', text)]


@ddt.ddt
class ConfigOptionsTest(testtools.TestCase):
    def run_check(self, conf, source='2024.1', target='2025.1', **kwargs):
        self.site = self.useFixture(
            testing.Site(
                textwrap.dedent(conf), source=source, target=target, **kwargs
            )
        )
        return self.site.run('config-options')

    def assert_found(self, result, *rows, conf='manila.conf'):
        """Compare whole findings, given as tuples of their parts."""
        path = self.site.file(conf)
        findings = tuple(
            model.Finding(
                severity,
                model.Subject('option', name, path, line),
                message.replace('{conf}', path),
                tuple(
                    model.Remediation(kind, text.replace('{conf}', path))
                    for kind, text in remediation
                ),
                check_id='config-options',
                data={
                    key: value.replace('{conf}', path)
                    for key, value in data.items()
                },
                aspect=aspect,
            )
            for severity, name, line, message, remediation, data, aspect in (
                rows
            )
        )
        self.assertEqual(
            model.CheckResult(
                id='config-options',
                title='Configuration options',
                outcome=(
                    model.Outcome.FOUND if findings else model.Outcome.PASSED
                ),
                findings=findings,
            ),
            result,
        )

    @ddt.named_data(
        ['nothing', ''],
        ['default_section', '[DEFAULT]\ndebug = true\n'],
        ['section_in_capitals', '[DATABASE]\nmax_retries = -1\n'],
        ['quoted', '[DEFAULT]\nenabled_share_protocols = "NFS,CIFS"\n'],
        ['reference', '[DEFAULT]\nrootwrap_config = $state_path/rootwrap\n'],
        ['host_default', '[DEFAULT]\nosapi_share_listen = $my_ip\n'],
        ['coordination', '[coordination]\nbackend_url = file:///tmp\n'],
        ['own', '[manila_precheck]\nwhatever = 1\n'],
        [
            'several_values',
            '[oslo_messaging_notifications]\ndriver = log\ndriver = noop\n',
        ],
        [
            'no_back_ends',
            '[DEFAULT]\ncephfs_auth_id = manila\n'
            'share_driver = manila.share.drivers.cephfs.driver.CephFSDriver\n',
        ],
        [
            'back_end_and_what_it_names',
            """\
            [DEFAULT]
            enabled_share_backends = B1
            [b1]
            share_driver = manila.share.drivers.netapp.common.NetAppDriver
            netapp_vserver = vs1
            netapp_server_hostname = a
            network_config_group = net
            admin_network_config_group = admin
            netapp_enabled_backup_types = backup
            [net]
            network_api_class = manila.network.neutron.neutron_network_plugin\
.NeutronBindNetworkPlugin
            neutron_binding_profiles = profile
            [admin]
            network_api_class = manila.network.standalone_network_plugin\
.StandaloneNetworkPlugin
            standalone_network_plugin_gateway = 10.0.0.1
            [profile]
            neutron_switch_id = a
            [backup]
            netapp_backup_vserver = b
            [peer]
            share_driver = manila.share.drivers.netapp.common.NetAppDriver
            netapp_vserver = vs2
            """,
        ],
        [
            'network_options_in_the_back_end',
            """\
            [DEFAULT]
            enabled_share_backends = b1
            [b1]
            share_driver = manila.share.drivers.generic.GenericShareDriver
            service_instance_user = manila
            network_api_class = manila.network.standalone_network_plugin\
.StandaloneNetworkPlugin
            standalone_network_plugin_gateway = 10.0.0.1
            """,
        ],
        [
            'login_of_another_plugin',
            """\
            [nova]
            auth_type = v3applicationcredential
            application_credential_id = a
            application_credential_secret = b
            """,
        ],
        [
            'login_elsewhere',
            """\
            [nova]
            auth_section = service_user
            [service_user]
            auth_type = password
            username = a
            password = b
            """,
        ],
        ['login_of_an_unknown_plugin', '[nova]\nauth_type = x\nusername=a\n'],
    )
    @ddt.unpack
    def test_silent(self, conf):
        self.assert_found(self.run_check(conf))

    @ddt.data(
        # before, across and after the release that drops the option
        ('2023.2', '2024.1', 0),
        ('2024.1', '2025.1', 1),
        ('2024.1', '2026.1', 1),
        ('2025.1', '2026.1', 1),
    )
    @ddt.unpack
    def test_option_gone_in_2025_1(self, source, target, findings):
        conf = (
            '[DEFAULT]\nenabled_share_backends = b1\n[b1]\n'
            'share_driver = manila.share.drivers.netapp.common.NetAppDriver\n'
            'netapp_snapmirror_last_transfer_size_limit = 2048\n'
            'netapp_server_hostname = a\n'
        )
        if source == '2023.2':
            source = target
        result = self.run_check(conf, source, target)
        name = 'netapp_snapmirror_last_transfer_size_limit'
        if not findings:
            self.assert_found(result)
        elif source == '2024.1':
            self.assert_found(
                result,
                (
                    WARNING,
                    f'b1/{name}',
                    5,
                    f'[b1] {name} = 2048 is read by 2024.1, but {target} '
                    'removed it and ignores the line',
                    sentence(REMOVE.format(5) + ' with the upgrade.'),
                    {'verdict': 'removed'},
                    '',
                ),
            )
        else:
            self.assert_found(
                result,
                (
                    INFO,
                    f'b1/{name}',
                    5,
                    f'[b1] {name} is ignored: neither 2025.1 nor 2026.1 '
                    'knows it in this section',
                    [],
                    {'verdict': 'unknown'},
                    '',
                ),
            )

    def forgotten(self, was, now, value, words='', at=2, source='2023.1'):
        """Return the finding of an old name that the target has forgotten."""
        target = {
            '2023.1': '2024.1',
            '2024.1': '2025.1',
            '2025.1': '2026.1',
            '2026.1': '2026.2',
        }[source]
        (group, name), (new_group, new_name) = was, now
        return (
            FAILURE if words else WARNING,
            f'{group}/{name}',
            at,
            f'[{group}] {name} = {value} is a deprecated name of '
            f'[{new_group}] {new_name}: {source} reads it, but {target} does '
            f'not and ignores the line{": " if words else ""}{words}',
            [
                ('config', f'[{new_group}]\n{new_name} = {value}'),
                (
                    'text',
                    f'{source} reads this line as well, so it can be changed '
                    'before the upgrade.',
                ),
                ('text', f'Remove line {at} of {{conf}}.'),
            ],
            {'verdict': 'removed', 'option': f'{new_group}/{new_name}'},
            '',
        )

    @ddt.named_data(
        [
            'database',
            'DEFAULT',
            'sql_connection',
            'database',
            'connection',
            '(the value in {conf}:2)',
            'the services use a SQLite file in place of the database',
        ],
        [
            'lock',
            'DEFAULT',
            'lock_path',
            'oslo_concurrency',
            'lock_path',
            '/var/lock/manila',
            'manila-share fails with RequiredOptError whenever it takes a '
            'file lock, as for each change of access rules',
        ],
        [
            'retries',
            'DEFAULT',
            'sql_max_retries',
            'database',
            'max_retries',
            '5',
            '',
        ],
    )
    @ddt.unpack
    def test_an_old_name_was_told_to_be_removed(
        self, group, name, new_group, new_name, value, words
    ):
        held = 'sqlite:///a' if name == 'sql_connection' else value
        result = self.run_check(
            f'[{group}]\n{name} = {held}\n', '2023.1', '2024.1'
        )
        self.assert_found(
            result,
            self.forgotten((group, name), (new_group, new_name), value, words),
        )
        # Neither release knows it, an upgrade later.
        result = self.run_check(
            f'[{group}]\n{name} = {held}\n', '2024.1', '2025.1'
        )
        self.assertEqual(
            ['unknown'], [one.data['verdict'] for one in result.findings]
        )

    @ddt.named_data(
        ['on', 'true', FAILURE, FAILURE],
        ['off', 'false', WARNING, WARNING],
    )
    @ddt.unpack
    def test_tls_of_the_broker_by_its_old_names(self, value, ssl, ca):
        result = self.run_check(
            f'[oslo_messaging_rabbit]\nrabbit_use_ssl = {value}\n'
            'kombu_ssl_ca_certs = /etc/ca.pem\n'
        )
        section = 'oslo_messaging_rabbit'
        on = value == 'true'
        self.assert_found(
            result,
            self.forgotten(
                (section, 'rabbit_use_ssl'),
                (section, 'ssl'),
                value,
                'the services connect to RabbitMQ without TLS, which a TLS '
                'port rejects'
                if on
                else '',
                source='2024.1',
            ),
            self.forgotten(
                (section, 'kombu_ssl_ca_certs'),
                (section, 'ssl_ca_file'),
                '/etc/ca.pem',
                'the certificate of RabbitMQ is not verified' if on else '',
                at=3,
                source='2024.1',
            ),
        )
        self.assertEqual([ssl, ca], [f.severity for f in result.findings])

    @ddt.named_data(
        ['own file', 'policy_file = own.yaml', {'own.yaml': '"a": "!"'}, True],
        ['default file', 'policy_file = policy.yaml', {}, False],
        ['empty file', 'policy_file = own.yaml', {'own.yaml': '# a'}, False],
        ['no file', 'policy_file = own.yaml', {}, False],
        [
            'found without the line',
            'policy_file = policy.json',
            {'policy.json': '{"a": "!"}'},
            False,
        ],
        ['default directory', 'policy_dirs = policy.d', {}, False],
        ['own directory', 'policy_dirs = p', {'p/a.yaml': '"a": "!"'}, True],
        ['no directory', 'policy_dirs = p', {}, False],
    )
    @ddt.unpack
    def test_rules_that_an_old_name_names(self, line, files, lost):
        name, value = line.split(' = ')
        what = {'policy_file': 'file', 'policy_dirs': 'directory'}[name]
        self.assert_found(
            self.run_check(f'[DEFAULT]\n{line}\n', files=files),
            self.forgotten(
                ('DEFAULT', name),
                ('oslo_policy', name),
                value,
                f'the API does not read this {what}, and its rules have no '
                'effect'
                if lost
                else '',
                source='2024.1',
            ),
        )

    @ddt.data(
        ('driver', 'messagingv2', 'no notifications are sent'),
        (
            'transport_url',
            '(the value in {conf}:2)',
            'notifications go to the broker of [DEFAULT] transport_url',
        ),
    )
    @ddt.unpack
    def test_notifications_by_their_old_names(self, name, value, words):
        old = f'notification_{name}'
        held = 'rabbit://a' if value.startswith('(') else value
        found = self.forgotten(
            ('DEFAULT', old),
            ('oslo_messaging_notifications', name),
            value,
            words,
            source='2024.1',
        )
        self.assert_found(
            self.run_check(f'[DEFAULT]\n{old} = {held}\n'),
            (WARNING, *found[1:]),
        )

    @ddt.named_data(
        ['no path', '', True],
        ['a path', '[oslo_concurrency]\nlock_path = /a\n', False],
    )
    @ddt.unpack
    def test_locks_that_were_off_need_a_path(self, more, ends):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\ndisable_process_locking = true\n' + more,
                '2023.1',
                '2024.1',
            ),
            self.forgotten(
                ('DEFAULT', 'disable_process_locking'),
                ('oslo_concurrency', 'disable_process_locking'),
                'true',
                'without a lock_path, manila-share fails with '
                'RequiredOptError whenever it takes a file lock, as for each '
                'change of access rules'
                if ends
                else '',
            ),
        )

    @ddt.named_data(
        ['quorum', 'true', '100', True],
        ['quorum without a limit', 'true', '0', False],
        ['no quorum', 'false', '100', False],
    )
    @ddt.unpack
    def test_limit_of_quorum_queues_by_its_old_name(self, on, limit, ends):
        section = 'oslo_messaging_rabbit'
        self.assert_found(
            self.run_check(
                f'[{section}]\nrabbit_quroum_max_memory_bytes = {limit}\n'
                f'rabbit_quorum_queue = {on}\n',
                '2025.1',
                '2026.1',
            ),
            self.forgotten(
                (section, 'rabbit_quroum_max_memory_bytes'),
                (section, 'rabbit_quorum_max_memory_bytes'),
                limit,
                'RabbitMQ rejects the quorum queues that exist with this '
                'limit (PRECONDITION_FAILED)'
                if ends
                else '',
                source='2025.1',
            ),
        )

    @ddt.named_data(
        ['compared', 'true', 'ssl_ca_file = /ca.pem', True],
        ['not compared', 'false', 'ssl_ca_file = /ca.pem', False],
        ['any certificate', 'true', 'ssl_ca_file =', False],
    )
    @ddt.unpack
    def test_name_of_the_broker_is_no_longer_compared(self, on, ca, told):
        name = 'ssl_enforce_hostname_verification'
        words = (
            ': a certificate for any other name, from the same CA, is '
            'accepted as that of RabbitMQ'
        )
        self.assert_found(
            self.run_check(
                f'[oslo_messaging_rabbit]\n{name} = {on}\nssl = true\n{ca}\n',
                '2025.1',
                '2026.1',
            ),
            (
                WARNING,
                f'oslo_messaging_rabbit/{name}',
                2,
                f'[oslo_messaging_rabbit] {name} = {on} is read by 2025.1, '
                'but 2026.1 removed it and ignores the line'
                f'{words if told else ""}',
                sentence(REMOVE.format(2) + ' with the upgrade.'),
                {'verdict': 'removed'},
                '',
            ),
        )

    def test_of_two_old_names_the_first_one_of_the_release_counts(self):
        # oslo.db 12.3.3 options.py: [DEFAULT] comes before [DATABASE].
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\nsql_connection = sqlite:///a\n'
                '[DATABASE]\nsql_connection = sqlite:///b\n',
                source='2023.1',
                target='2024.1',
            )
        )
        self.assertEqual(
            [(2, 'move'), (2, 'comment'), (4, 'comment')],
            [
                (edit.line, edit.action)
                for edits in site.edits('config-options').values()
                for edit in edits
            ],
        )

    def test_an_old_name_beside_the_new_one(self):
        result = self.run_check(
            '[oslo_messaging_rabbit]\nssl = true\nrabbit_use_ssl = true\n'
        )
        self.assert_found(
            result,
            (
                INFO,
                'oslo_messaging_rabbit/rabbit_use_ssl',
                3,
                '[oslo_messaging_rabbit] rabbit_use_ssl = true is a '
                'deprecated name of [oslo_messaging_rabbit] ssl: 2024.1 reads '
                'it, but 2025.1 does not and ignores the line; {conf}:2 '
                'already sets it',
                sentence('Remove line 3 of {conf}.'),
                {
                    'verdict': 'removed',
                    'option': 'oslo_messaging_rabbit/ssl',
                },
                '',
            ),
        )

    def test_an_option_that_is_a_name_of_another_one_too(self):
        # keystonemiddleware 12.0.0 auth_token/_opts.py: a line of auth_uri
        # sets www_authenticate_uri as well.
        section = 'keystone_authtoken'
        conf = f'[{section}]\nauth_uri = http://a\n'
        self.assert_found(
            self.run_check(conf, '2025.1', '2026.1'),
            (
                WARNING,
                f'{section}/auth_uri',
                2,
                f'[{section}] auth_uri = http://a is deprecated for removal '
                f'in 2026.1 (since Queens), and a name of [{section}] '
                'www_authenticate_uri',
                [
                    (
                        'config',
                        f'[{section}]\nwww_authenticate_uri = http://a',
                    ),
                    ('text', 'Remove line 2 of {conf}.'),
                ],
                {'verdict': 'deprecated'},
                'deprecated',
            ),
        )
        # Where the other name is there, it is enough to remove this one.
        (found,) = self.run_check(
            conf + 'www_authenticate_uri = http://b\n', '2025.1', '2026.1'
        ).findings
        self.assertEqual(['text'], [one.kind for one in found.remediation])
        self.assert_found(
            self.run_check(conf, '2026.1', '2026.2'),
            self.forgotten(
                (section, 'auth_uri'),
                (section, 'www_authenticate_uri'),
                'http://a',
                source='2026.1',
            ),
        )

    def test_a_size_that_moved_to_the_section_of_rabbit(self):
        self.assert_found(
            self.run_check('[DEFAULT]\nrpc_conn_pool_size = 3\n'),
            self.forgotten(
                ('DEFAULT', 'rpc_conn_pool_size'),
                ('oslo_messaging_rabbit', 'rpc_conn_pool_size'),
                '3',
                source='2024.1',
            ),
        )

    @ddt.named_data(
        ['logged', 'lvm_share_mirrors = x', True],
        ['a value', 'lvm_share_mirrors = 1', False],
        ['not logged', 'log_options = no\nlvm_share_mirrors = x', False],
        ['not loaded', 'zfs_use_ssh = x', False],
    )
    @ddt.unpack
    def test_what_importing_a_driver_registers_is_logged(self, line, ends):
        result = self.run_check(
            f'[DEFAULT]\nenabled_share_backends = b\n{line}\n[b]\n'
            'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
        )
        name = line.split('\n')[-1].split(' = ')[0]
        (found,) = result.findings
        if not ends:
            self.assertEqual(
                (INFO, f'DEFAULT/{name}', 'ineffective'),
                (found.severity, found.subject.name, found.data['verdict']),
            )
            return
        self.assert_found(
            result,
            (
                FAILURE,
                f'DEFAULT/{name}',
                3,
                f'[DEFAULT] {name} = x: 2025.1 rejects the value, and '
                'manila-share, which logs it, exits at startup; so does '
                '2024.1',
                [
                    ('text', 'Set it to an integer. The default is:'),
                    ('config', f'[DEFAULT]\n{name} = 0'),
                ],
                {'verdict': 'invalid', 'admits': 'an integer'},
                'value',
            ),
        )

    def test_logins_that_manila_does_not_make_through_castellan(self):
        result = self.run_check(
            '[key_manager]\nbackend = barbican\nauth_url = http://a\n'
            'username = a\npassword = b\n',
            '2025.2',
            '2026.1',
        )
        self.assertEqual(
            [
                ('auth_url', 'renamed'),
                ('password', 'ineffective'),
                ('username', 'ineffective'),
            ],
            sorted(
                (one.subject.name.partition('/')[2], one.data['verdict'])
                for one in result.findings
            ),
        )

    @ddt.data('[DEFAULT]\nmemcached_servers = a', '[neutron]\nauth_uri = a')
    def test_a_hint_pointed_to_another_option(self, text):
        result = self.run_check(text + '\n')
        (found,) = [
            one for one in result.findings if one.data['verdict'] == 'unknown'
        ]
        self.assertNotIn('auth_url', str(found.remediation))
        if 'memcached' in text:
            self.assertEqual((), found.remediation)

    def test_removed_line_that_is_masked(self):
        result = self.run_check(
            '[oslo_messaging_amqp]\nidle_timeout = 1\nidle_timeout = 2\n'
        )
        gone = (
            '[oslo_messaging_amqp] idle_timeout = {} is read by 2024.1, but '
            '2025.1 removed it and ignores the line'
        )
        self.assert_found(
            result,
            (
                WARNING,
                'oslo_messaging_amqp/idle_timeout',
                3,
                gone.format(2),
                sentence(REMOVE.format(3) + ' with the upgrade.'),
                {'verdict': 'removed'},
                '',
            ),
            (
                INFO,
                'oslo_messaging_amqp/idle_timeout',
                2,
                gone.format(1) + '; {conf}:3 already overrides it',
                sentence(REMOVE.format(2) + ' with the upgrade.'),
                {'verdict': 'removed'},
                '',
            ),
        )

    @ddt.named_data(
        ['fork', '[DEFAULT]\nsap_thing = 1\n', 'DEFAULT/sap_thing', ''],
        [
            'dashes',
            '[DEFAULT]\nstate-path = /x\n',
            'DEFAULT/state-path',
            'The option is spelled state_path.',
        ],
        [
            'case',
            '[DEFAULT]\nDebug = true\n',
            'DEFAULT/Debug',
            'The option is spelled debug.',
        ],
        [
            'misspelled',
            '[DEFAULT]\nenabled_share_backend = b1\n',
            'DEFAULT/enabled_share_backend',
            'Did you mean enabled_share_backends?',
        ],
        [
            'an_old_name',
            '[database]\nidle_timeout = 10\n',
            'database/idle_timeout',
            'It is an old name of [database] connection_recycle_time.',
        ],
        [
            'other_section',
            '[DEFAULT]\nlock_path = /x\n',
            'DEFAULT/lock_path',
            'It is an old name of [oslo_concurrency] lock_path.',
        ],
        [
            'listed_in_the_wrong_place',
            '[DEFAULT]\nbackend_url = etcd3://x\n',
            'DEFAULT/backend_url',
            'backend_url is read in [coordination].',
        ],
        [
            'a_name_of_several_options',
            '[coordination]\nbackend = x\n',
            'coordination/backend',
            '',
        ],
    )
    @ddt.unpack
    def test_unknown(self, conf, name, hint):
        section, option = name.split('/')
        self.assert_found(
            self.run_check(conf),
            (
                INFO,
                name,
                2,
                f'[{section}] {option} is ignored: neither 2024.1 nor 2025.1 '
                'knows it in this section',
                sentence(hint) if hint else [],
                {'verdict': 'unknown'},
                '',
            ),
        )

    def test_hints_beside_enabled_back_ends(self):
        found = self.run_check(
            '[DEFAULT]\nenabled_share_backends = a\nshare_driver = x\n'
            'sql_max_retries = 5\n[backend_defaults]\nshare_mount_path = x\n'
        ).findings
        self.assertEqual(
            {
                'DEFAULT/sql_max_retries': 'It is an old name of [database] '
                'max_retries.',
                'backend_defaults/share_mount_path': 'share_mount_path is '
                'read in the section of a back end.',
            },
            {
                one.subject.name: one.remediation[0].text
                for one in found
                if one.data['verdict'] == 'unknown'
            },
        )

    @ddt.named_data(
        ['stray', 'stray', 'debug', 'debug is read in [DEFAULT].'],
        [
            'that_has_the_name_of_a_program',
            'manila-api',
            'debug',
            'debug is read in [DEFAULT].',
        ],
        [
            'back_end_that_is_not_enabled',
            'lvm1',
            'share_driver',
            'enabled_share_backends does not name lvm1.',
        ],
        [
            'defaults_of_cinder',
            'backend_defaults',
            'share_mount_path',
            'share_mount_path is read in [DEFAULT] and the section of a '
            'back end.',
        ],
    )
    @ddt.unpack
    def test_section_that_nothing_reads(self, section, option, hint):
        self.assert_found(
            self.run_check(f'[{section}]\n{option} = x\n'),
            (
                INFO,
                f'{section}/{option}',
                2,
                f'[{section}] {option} is ignored: nothing in 2024.1 or '
                f'2025.1 reads section [{section}]',
                sentence(hint),
                {'verdict': 'unknown'},
                '',
            ),
        )

    @ddt.data(
        NETAPP,
        'manila.share.drivers.zfsonlinux.driver.ZFSonLinuxShareDriver',
        'manila.tests.share.drivers.dummy.DummyDriver',
    )
    def test_section_that_a_back_end_of_its_kind_opens(self, driver):
        peer = f'[peer]\nshare_driver = {driver}\nreplication_domain = a\n'
        needed = (
            'zfs_zpool_list = a\nzfs_share_export_ip = 192.0.2.1\n'
            'zfs_service_ip = 192.0.2.1\nzfs_dataset_creation_options = a=b\n'
            if 'zfs' in driver
            else 'netapp_server_hostname = a\n'
            if 'netapp' in driver
            else ''
        )
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nenabled_share_backends = a\n'
                f'[a]\nshare_driver = {driver}\n{needed}{peer}'
            )
        )

    def test_section_whose_kind_no_back_end_has(self):
        self.assert_found(
            self.run_check(
                f'[DEFAULT]\nenabled_share_backends = a\n[a]\n'
                f'share_driver = {NETAPP}\nnetapp_server_hostname = a\n[b]\n'
                'share_driver = manila.share.drivers.zfsonlinux.driver.'
                'ZFSonLinuxShareDriver\n'
            ),
            (
                INFO,
                'b/share_driver',
                7,
                '[b] share_driver is ignored: nothing in 2024.1 or 2025.1 '
                'reads section [b]',
                sentence('enabled_share_backends does not name b.'),
                {'verdict': 'unknown'},
                '',
            ),
        )

    @ddt.data('DEFAULT', 'database', 'a')
    def test_login_in_a_section_of_another_kind(self, section):
        self.assert_found(
            self.run_check(
                f'[DEFAULT]\nenabled_share_backends = a\n[a]\n'
                f'share_driver = {NETAPP}\nnetapp_server_hostname = a\n'
                f'[nova]\nauth_section = {section}\n'
                f'[{section}]\nauth_type = password\nusername = b\n'
            )
        )

    def test_login_in_a_section_of_a_free_name(self):
        self.assert_found(
            self.run_check(
                '[keystone_authtoken]\nauth_section = login\n[login]\n'
                'auth_plugin = password\nusername = a\nauth_section = b\n'
            ),
            (
                INFO,
                'login/auth_plugin',
                4,
                '[login] auth_plugin is a deprecated name of [login] '
                'auth_type',
                [
                    ('config', '[login]\nauth_type = password'),
                    ('text', REMOVE.format(4) + '.'),
                ],
                {'verdict': 'renamed', 'option': 'login/auth_type'},
                '',
            ),
            (
                INFO,
                'login/auth_section',
                6,
                '[login] auth_section is ignored: neither 2024.1 nor 2025.1 '
                'knows it in this section',
                sentence(
                    'auth_section is read in [cinder] and [glance] and '
                    '[keystone_authtoken] and [neutron] and [nova].'
                ),
                {'verdict': 'unknown'},
                '',
            ),
        )

    def test_deprecated_name(self):
        self.assert_found(
            self.run_check('[DEFAULT]\nquota_shares = 100\n'),
            (
                INFO,
                'DEFAULT/quota_shares',
                2,
                '[DEFAULT] quota_shares is a deprecated name of [quota] '
                'shares',
                [
                    ('config', '[quota]\nshares = 100'),
                    ('text', REMOVE.format(2) + '.'),
                ],
                {'verdict': 'renamed', 'option': 'quota/shares'},
                '',
            ),
        )

    def test_deprecated_name_of_a_login(self):
        self.assert_found(
            self.run_check(
                '[nova]\nauth_plugin = password\ntenant_name = service\n'
            ),
            (
                INFO,
                'nova/auth_plugin',
                2,
                '[nova] auth_plugin is a deprecated name of [nova] auth_type',
                [
                    ('config', '[nova]\nauth_type = password'),
                    ('text', REMOVE.format(2) + '.'),
                ],
                {'verdict': 'renamed', 'option': 'nova/auth_type'},
                '',
            ),
            (
                INFO,
                'nova/tenant_name',
                3,
                '[nova] tenant_name is a deprecated name of [nova] '
                'project_name',
                [
                    ('config', '[nova]\nproject_name = service'),
                    ('text', REMOVE.format(3) + '.'),
                ],
                {'verdict': 'renamed', 'option': 'nova/project_name'},
                '',
            ),
        )

    def test_deprecated_name_beside_the_new_one(self):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nquota_shares = 100\n[quota]\nshares = 50\n'
            ),
            (
                INFO,
                'DEFAULT/quota_shares',
                2,
                '[DEFAULT] quota_shares is a deprecated name of [quota] '
                'shares; {conf}:4 overrides it',
                sentence(REMOVE.format(2) + '.'),
                {'verdict': 'renamed', 'option': 'quota/shares'},
                '',
            ),
        )

    def test_fatal_deprecations(self):
        result = self.run_check(
            '[DEFAULT]\nfatal_deprecations = yes\nquota_shares = 1\n'
        )
        self.assertEqual(
            [(FAILURE, 'renamed')],
            [(f.severity, f.data['verdict']) for f in result.findings],
        )

    @ddt.data(
        # Deprecated by the upgrade, in both releases.
        ('2024.1', '2025.1', WARNING),
        ('2025.1', '2026.1', INFO),
    )
    @ddt.unpack
    def test_deprecated_for_removal(self, source, target, severity):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nenabled_share_backends = c\n[c]\n'
                'share_driver = manila.share.drivers.cephfs.driver'
                '.CephFSDriver\ncephfs_ganesha_server_is_remote = true\n',
                source,
                target,
            ),
            (
                severity,
                'c/cephfs_ganesha_server_is_remote',
                5,
                '[c] cephfs_ganesha_server_is_remote = true is deprecated for '
                f'removal in {target} (since 2025.1)',
                sentence(
                    REMOVE.format(5)
                    + ' before an upgrade to a release that no longer reads '
                    'it.'
                ),
                {'verdict': 'deprecated'},
                'deprecated',
            ),
        )

    @ddt.data(('2024.1', '2025.1'), ('2026.1', '2026.2'))
    @ddt.unpack
    def test_deprecated_without_another(self, source, target):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\napi_paste_config = paste.ini\n', source, target
            ),
            (
                INFO,
                'DEFAULT/api_paste_config',
                2,
                '[DEFAULT] api_paste_config = paste.ini is deprecated for '
                f'removal in {target}, which reads it and has no other option '
                'for the same',
                sentence('Keep line 2 of {conf}.'),
                {'verdict': 'deprecated'},
                'deprecated',
            ),
        )

    @ddt.named_data(
        [
            'type',
            '[DEFAULT]\nreport_interval = ten\n',
            'DEFAULT/report_interval',
            'ten',
            'an integer',
            'so does 2024.1',
            '10',
        ],
        [
            'bound',
            '[DEFAULT]\ncleanup_interval = 60\n',
            'DEFAULT/cleanup_interval',
            '60',
            'an integer of 300 at least',
            'so does 2024.1',
            '1800',
        ],
        [
            'new_choices',
            '[nova]\nendpoint_type = internal_url\n',
            'nova/endpoint_type',
            'internal_url',
            'one of admin, adminURL, internal, internalURL, public, publicURL',
            '2024.1 accepts it',
            'publicURL',
        ],
        [
            'reference_to_nothing',
            '[DEFAULT]\nstate_path = /x/$nothing\n',
            'DEFAULT/state_path',
            '/x/$nothing',
            'text',
            'so does 2024.1',
            '/var/lib/manila',
        ],
        [
            'reference_to_itself',
            '[DEFAULT]\nstate_path = $state_path\n',
            'DEFAULT/state_path',
            '$state_path',
            'text',
            'so does 2024.1',
            '/var/lib/manila',
        ],
    )
    @ddt.unpack
    def test_invalid(self, conf, name, value, admits, already, default):
        section, option = name.split('/')
        dollar = ''
        if '$' in value:
            dollar = '; write a literal dollar sign as $$'
        self.assert_found(
            self.run_check(conf),
            (
                FAILURE,
                name,
                2,
                f'[{section}] {option} = {value}: 2025.1 rejects the value, '
                f'and the service that reads it exits at startup; {already}',
                [
                    (
                        'text',
                        f'Set it to {admits}{dollar}. The default is:',
                    ),
                    ('config', f'[{section}]\n{option} = {default}'),
                ],
                {'verdict': 'invalid', 'admits': admits},
                'value',
            ),
        )

    @ddt.data(
        (
            f'{DRIVERS}lvm.LVMShareDriver',
            INFO,
            'no enabled back end uses nova',
        ),
        (
            f'{DRIVERS}generic.GenericShareDriver',
            FAILURE,
            'the service that reads it exits at startup',
        ),
        ('acme.Driver', FAILURE, 'the service that reads it exits at startup'),
    )
    @ddt.unpack
    def test_invalid_value_of_a_client(self, driver, severity, effect):
        result = self.run_check(
            '[DEFAULT]\nenabled_share_backends = a\n'
            f'[a]\nshare_driver = {driver}\n'
            'driver_handles_share_servers = False\n'
            '[nova]\nendpoint_type = inside\n'
        )
        (found,) = (one for one in result.findings if one.aspect == 'value')
        self.assertEqual(
            (
                severity,
                'nova/endpoint_type',
                '[nova] endpoint_type = inside: 2025.1 rejects the value, and '
                f'{effect}; 2024.1 accepts it',
            ),
            (found.severity, found.subject.name, found.message),
        )

    @ddt.data(
        (
            '[cache]\nexpiration_time = a\n',
            INFO,
            'no service of manila registers this section',
        ),
        (
            '[DEFAULT]\nenabled_share_backends = n\n[n]\nshare_driver = '
            'manila.share.drivers.netapp.common.NetAppDriver\n'
            '[manila_sys_admin]\nthread_pool_size = a\n',
            INFO,
            'no enabled back end uses manila_sys_admin',
        ),
        (
            '[DEFAULT]\nenabled_share_backends = l\n[l]\nshare_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            '[manila_sys_admin]\nthread_pool_size = a\n',
            FAILURE,
            'the service that reads it exits at startup',
        ),
        (
            '[oslo_messaging_kafka]\nkafka_max_fetch_bytes = a\n',
            INFO,
            'no transport_url names the driver that registers this section',
        ),
        (
            '[DEFAULT]\ntransport_url = kafka://a:b@k1:9092/\n'
            '[oslo_messaging_kafka]\nkafka_max_fetch_bytes = a\n',
            FAILURE,
            'the service that reads it exits at startup',
        ),
        (
            '[oslo_messaging_notifications]\ntransport_url = kafka://k1:9092/\n'
            '[oslo_messaging_kafka]\nkafka_max_fetch_bytes = a\n',
            FAILURE,
            'the service that reads it exits at startup',
        ),
        (
            '[DEFAULT]\ntransport_url = kafka://a:b@k1:9092/\n'
            '[oslo_messaging_rabbit]\nrabbit_qos_prefetch_count = a\n',
            INFO,
            'no transport_url names the driver that registers this section',
        ),
        (
            '[oslo_messaging_rabbit]\nrabbit_qos_prefetch_count = a\n',
            FAILURE,
            'the service that reads it exits at startup',
        ),
    )
    @ddt.unpack
    def test_invalid_value_that_no_service_reads(self, text, severity, effect):
        result = self.run_check(text)
        section, line = text.splitlines()[-2:]
        (found,) = (one for one in result.findings if one.aspect == 'value')
        self.assertEqual(
            (
                severity,
                f'{section} {line}: 2025.1 rejects the value, and {effect}; '
                'so does 2024.1',
            ),
            (found.severity, found.message),
        )

    def test_invalid_value_that_is_masked_is_not_read(self):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nreport_interval = ten\nreport_interval = 10\n'
            ),
            (
                INFO,
                'DEFAULT/report_interval',
                2,
                '[DEFAULT] report_interval = ten has no effect: {conf}:3 '
                'sets it again to 10',
                [],
                {'verdict': 'masked', 'masked_by': '{conf}:3'},
                'masked',
            ),
        )

    def test_secret_is_never_shown(self):
        conf = (
            '[DEFAULT]\n'
            'transport_url = rabbit://u:hunter22@$host/$nothing\n'
            'notification_transport_url = rabbit://u:hunter22@h/\n'
            '[nova]\nauth_type = password\npassword = $hunter22\n'
            '[database]\nsql_connection = mysql://u:hunter22@h/m\n'
        )
        result = self.run_check(conf)
        self.assertTrue(result.findings)
        self.assertNotIn('hunter22', repr(result))

    def test_value_that_was_marked_secret_late(self):
        # Wallaby and Xena do not mark emc_nas_password.
        result = self.run_check(
            '[DEFAULT]\nenabled_share_backends = e\n[e]\n'
            f'share_driver = {EMC}\nemc_share_backend = vnx\n'
            'emc_nas_server = 192.0.2.1\nemc_nas_login = a\n'
            'emc_nas_password = abc$nothing\n',
            'wallaby',
            'xena',
        )
        self.assertEqual(
            [(FAILURE, 'invalid')],
            [(f.severity, f.data['verdict']) for f in result.findings],
        )
        self.assertNotIn('abc$', repr(result))

    def test_option_of_another_driver(self):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nenabled_share_backends = z\n'
                'lvm_share_volume_group = a\n'
                '[z]\nshare_driver = manila.share.drivers.zfsonlinux.driver'
                '.ZFSonLinuxShareDriver\nnetapp_vserver = vs1\n'
                'zfs_zpool_list = a\nzfs_dataset_creation_options = b=c\n'
                'zfs_service_ip = 192.0.2.1\nzfs_share_export_ip = 192.0.2.1\n'
            ),
            (
                INFO,
                'DEFAULT/lvm_share_volume_group',
                3,
                '[DEFAULT] lvm_share_volume_group has no effect: it is a '
                'back-end option, and with enabled_share_backends set no '
                'back end reads [DEFAULT]',
                [],
                {'verdict': 'ineffective'},
                '',
            ),
            (
                INFO,
                'z/netapp_vserver',
                6,
                '[z] netapp_vserver has no effect: it belongs to '
                'NetAppDriver, not to the driver of section [z]',
                [],
                {'verdict': 'ineffective'},
                '',
            ),
        )

    @ddt.named_data(
        [
            'of_a_network_plugin_without_share_servers',
            '[DEFAULT]\nenabled_share_backends = z\n'
            '[z]\nservice_instance_user = m\n'
            'driver_handles_share_servers = False\n'
            'neutron_net_id = a\n' + logins.LOGINS,
            'z/neutron_net_id',
            'the back end does not read it with '
            'driver_handles_share_servers = False',
        ],
        [
            'of_the_other_mode_of_its_driver',
            '[DEFAULT]\nenabled_share_backends = z\n'
            '[z]\nservice_instance_user = m\n'
            'driver_handles_share_servers = on\n'
            'tenant_net_name_or_ip = a\n' + logins.LOGINS,
            'z/tenant_net_name_or_ip',
            'the back end does not read it with '
            'driver_handles_share_servers = True',
        ],
        [
            'of_another_network_plugin',
            '[DEFAULT]\nenabled_share_backends = z\n'
            '[z]\nservice_instance_user = m\n'
            'driver_handles_share_servers = True\n'
            'standalone_network_plugin_mtu = many\n' + logins.LOGINS,
            'z/standalone_network_plugin_mtu',
            'section [z] uses another network plugin, which does not read it',
        ],
        [
            'of_another_driver_than_the_one_in_default',
            '[DEFAULT]\n\n\nhitachi_hnas_evs_id = many\n',
            'DEFAULT/hitachi_hnas_evs_id',
            'it belongs to HitachiHNASDriver, not to the driver of section '
            '[DEFAULT]',
        ],
        [
            'of_a_login_that_no_auth_type_names',
            '[nova]\n\n\nusername = a\n',
            'nova/username',
            'no auth_type names the plugin that would read it',
        ],
        [
            'of_a_login_with_an_empty_auth_type',
            '[nova]\nauth_type =\n\nusername = a\n',
            'nova/username',
            'no auth_type names the plugin that would read it',
        ],
        [
            'of_a_scheduler_that_is_not_chosen',
            '[DEFAULT]\nmax_gigabytes = many\n',
            'DEFAULT/max_gigabytes',
            'with this configuration no service loads the code that reads it',
        ],
        [
            'of_code_that_no_service_loads',
            '[DEFAULT]\ntcp_keepalive = perhaps\n',
            'DEFAULT/tcp_keepalive',
            'with this configuration no service loads the code that reads it',
        ],
        [
            'of_hooks_that_there_are_not',
            '[DEFAULT]\nenabled_share_backends = z\n'
            '[z]\nshare_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            'suppress_pre_hooks_errors = maybe\n',
            'z/suppress_pre_hooks_errors',
            'the back end has no hooks: hook_drivers is not set',
        ],
        [
            'of_the_other_layout',
            '[DEFAULT]\nenabled_share_backends = z\n'
            f'[z]\nshare_driver = {GLUSTERFS}\n'
            'glusterfs_share_layout = '
            'layout_volume.GlusterfsVolumeMappedLayout\n'
            'glusterfs_servers = a\nglusterfs_volume_pattern = b\n'
            'glusterfs_mount_point_base = /mnt\n',
            'z/glusterfs_mount_point_base',
            'the back end does not read it with layout_volume, which '
            'glusterfs_share_layout or its default selects',
        ],
        [
            'of_another_layout_than_the_default_one',
            '[DEFAULT]\nenabled_share_backends = z\n'
            f'[z]\nshare_driver = {GLUSTERFS}\n'
            'glusterfs_target = a:/b\nglusterfs_servers = a\n',
            'z/glusterfs_servers',
            'the back end does not read it with layout_directory, which '
            'glusterfs_share_layout or its default selects',
        ],
    )
    @ddt.unpack
    def test_option_that_nothing_reads_here(self, conf, name, reason):
        section, _, option = name.partition('/')
        self.assert_found(
            self.run_check(conf),
            (
                INFO,
                name,
                conf[: conf.index(option)].count('\n') + 1,
                f'[{section}] {option} has no effect: {reason}',
                [],
                {'verdict': 'ineffective'},
                '',
            ),
        )

    @ddt.data(
        ('stray/debug', 'nothing in 2025.1 reads section [stray]'),
        ('oslo_policy/debug', '2025.1 does not know it in this section'),
    )
    @ddt.unpack
    def test_unknown_where_nothing_is_upgraded(self, name, reason):
        section, option = name.split('/')
        self.assert_found(
            self.run_check(f'[{section}]\n{option} = 1\n', source='2025.1'),
            (
                INFO,
                name,
                2,
                f'[{section}] {option} is ignored: {reason}',
                sentence('debug is read in [DEFAULT].'),
                {'verdict': 'unknown'},
                '',
            ),
        )

    def test_option_of_the_scheduler_that_is_chosen(self):
        result = self.run_check(
            '[DEFAULT]\nscheduler_driver = '
            'manila.scheduler.drivers.simple.SimpleScheduler\n'
            'max_gigabytes = many\n'
        )
        self.assertEqual(
            [(FAILURE, 'DEFAULT/max_gigabytes', 'invalid')],
            [
                (f.severity, f.subject.name, f.data['verdict'])
                for f in result.findings
            ],
        )

    def test_reference_into_default_by_name_is_refused(self):
        result = self.run_check(
            '[DEFAULT]\nstate_path = /srv\n'
            '[oslo_concurrency]\nlock_path = ${DEFAULT.state_path}/tmp\n'
        )
        self.assertEqual(
            [(FAILURE, 'oslo_concurrency/lock_path', 'invalid')],
            [
                (f.severity, f.subject.name, f.data['verdict'])
                for f in result.findings
            ],
        )

    def test_option_of_another_login(self):
        self.assert_found(
            self.run_check(
                '[nova]\nauth_type = v3applicationcredential\n'
                'tenant_id = a\n'
                '[cinder]\nauth_section = nova\nusername = b\n'
            ),
            (
                INFO,
                'nova/tenant_id',
                3,
                '[nova] tenant_id has no effect: the plugin of auth_type = '
                'v3applicationcredential does not read it',
                [],
                {'verdict': 'ineffective'},
                '',
            ),
            (
                INFO,
                'cinder/username',
                6,
                '[cinder] username has no effect: auth_section moves the '
                'login to section [nova]',
                [],
                {'verdict': 'ineffective'},
                '',
            ),
        )

    def test_driver_of_a_third_party(self):
        self.assert_found(
            self.run_check(
                '[DEFAULT]\nenabled_share_backends = a\n[a]\n'
                'share_driver = acme.Driver\nacme_pool = 1\n'
                'share_backend_name = x\n'
            ),
            (
                INFO,
                'a/acme_pool',
                5,
                '[a] acme_pool is in a section whose driver or plugin manila '
                '2025.1 does not ship; the driver may read it, the catalog '
                'does not know',
                [],
                {'verdict': 'unjudged'},
                '',
            ),
        )

    def test_stage_upgraded_is_too_late(self):
        result = self.run_check('[DEFAULT]\n', stage='upgraded')
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)

    def test_stage_stopped(self):
        self.assert_found(self.run_check('[DEFAULT]\n', stage='stopped'))
