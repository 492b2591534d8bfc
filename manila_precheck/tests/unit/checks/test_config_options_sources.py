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


"""Values of config_source and of the environment."""

import textwrap

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import config_server

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

ABSENT = "the driver 'castellan' is not installed here"


class Case(testtools.TestCase):
    def site(self, text, remote=None, **kwargs):
        self.server = self.useFixture(config_server.Server())
        self.uri = f'{self.server.url}/manila.conf'
        if remote is not None:
            self.server.files['/manila.conf'] = textwrap.dedent(remote)
        found = testing.Site(
            textwrap.dedent(text).replace('URI', self.uri),
            **{'source': '2024.1', 'target': '2025.1', **kwargs},
        )
        self.useFixture(found)
        self.conf = found.file('manila.conf')
        return found

    def run_check(self, *args, **kwargs):
        return self.site(*args, **kwargs).run('config-options')

    def finding(self, severity, name, file, line, message, *advice, **more):
        aspect = more.pop('aspect', '')
        return model.Finding(
            severity,
            model.Subject('option', name, file, line),
            message,
            advice,
            check_id='config-options',
            data=more,
            aspect=aspect,
        )

    def assert_found(self, expected, result):
        self.assertEqual('', result.reason)
        self.assertEqual(tuple(expected), result.findings)


REMOTE = """\
[DEFAULT]
config_source = far
[far]
driver = remote_file
uri = URI
"""


@ddt.ddt
class RemoteFileTest(Case):
    def test_its_section_was_called_unknown(self):
        self.assert_found(
            [],
            self.run_check(f'{REMOTE}timeout = 3\n', '[DEFAULT]\n'),
        )

    def test_an_option_that_its_driver_does_not_have(self):
        result = self.run_check(f'{REMOTE}ca_paht = 3\n', '[DEFAULT]\n')
        self.assert_found(
            [
                self.finding(
                    INFO,
                    'far/ca_paht',
                    self.conf,
                    6,
                    '[far] ca_paht is ignored: neither 2024.1 nor 2025.1 '
                    'knows it in this section',
                    verdict='unknown',
                )
            ],
            result,
        )

    def test_what_it_sets_was_not_judged(self):
        result = self.run_check(
            REMOTE,
            """\
            [DEFAULT]
            debug = perhaps
            [nova]
            nova_api_microversion = 2.1
            [nothing]
            reads = it
            """,
            source='2023.1',
        )
        self.assertEqual(
            [
                (FAILURE, 'DEFAULT/debug', self.uri, 2),
                (INFO, 'nothing/reads', self.uri, 6),
            ],
            [
                (f.severity, f.subject.name, f.subject.file, f.subject.line)
                for f in result.findings
                if f.subject.name != 'nova/nova_api_microversion'
            ],
        )

    def test_a_file_wins_over_it(self):
        self.assert_found(
            [],
            self.run_check(
                REMOTE.replace('[far]', 'debug = true\n[far]'),
                '[DEFAULT]\ndebug = perhaps\n',
            ),
        )

    def test_an_old_name_is_looked_for_in_files_alone(self):
        """2025.2 has the names; they are old ones in 2026.1."""
        text = (
            '[cache]\nhashclient_retry_delay = 5\nredis_password = hunter2x\n'
        )
        lost = (
            'is read by 2025.2, but ignored by 2026.1: it is an old name of '
            '[cache] {}, and oslo.config does not look for old names in a '
            'config_source'
        )
        result = self.run_check(REMOTE, text, source='2025.2', target='2026.1')
        hidden = f'(the value in {self.uri}:3)'
        self.assert_found(
            [
                self.finding(
                    WARNING,
                    f'cache/{old}',
                    self.uri,
                    line,
                    f'[cache] {old} = {value} {lost.format(new)}',
                    model.config(f'[cache]\n{new} = {value}'),
                    model.advice(
                        f'Remove line {line} of {self.uri} with the upgrade.'
                    ),
                    verdict='removed',
                )
                for line, old, new, value in (
                    (
                        2,
                        'hashclient_retry_delay',
                        'hashclient_retry_timeout',
                        '5',
                    ),
                    (3, 'redis_password', 'password', hidden),
                )
            ],
            result,
        )
        files = self.site(text, source='2025.2', target='2026.1')
        self.assertEqual(
            ['renamed', 'renamed'],
            [
                finding.data['verdict']
                for finding in files.run('config-options').findings
            ],
        )

    def test_an_old_name_of_both_releases(self):
        result = self.run_check(REMOTE, '[DEFAULT]\nquota_shares = 5\n')
        self.assert_found(
            [
                self.finding(
                    INFO,
                    'DEFAULT/quota_shares',
                    self.uri,
                    2,
                    '[DEFAULT] quota_shares has no effect: it is an old name '
                    'of [quota] shares, and oslo.config does not look for '
                    'old names in a config_source',
                    verdict='ineffective',
                )
            ],
            result,
        )

    def test_backends_that_it_enables(self):
        result = self.run_check(
            REMOTE,
            """\
            [DEFAULT]
            enabled_share_backends = gold
            [gold]
            share_driver = manila.share.drivers.lvm.LVMShareDriver
            driver_handles_share_servers = false
            lvm_share_export_ips = 127.0.0.1
            """,
        )
        self.assert_found([], result)

    def test_secrets_of_it_are_masked(self):
        site = self.site(
            REMOTE,
            '[DEFAULT]\ntransport_url = rabbit://u:hunter2hunter2@h/\n',
        )
        ctx = site.context()
        self.assertEqual(1, len(ctx.config.sources))
        self.assertNotIn(
            'hunter2', ctx.redactor('x rabbit://u:hunter2hunter2@h/ y')
        )

    def unread(self, section, name, problem, what, line=4):
        driver = name.partition(' ')[0]
        return self.finding(
            WARNING,
            f'{section}/driver',
            self.conf,
            line,
            f'config_source names [{section}], but {name} cannot be read '
            f'here: {problem}; {what}',
            model.advice(
                'Run manila-precheck where the services run, with the '
                f'driver {driver!r} installed and the source reachable.'
            ),
            verdict='unjudged',
            driver=driver,
            aspect='source',
        )

    def test_a_server_that_does_not_have_it(self):
        result = self.run_check(REMOTE)
        self.assert_found(
            [
                self.unread(
                    'far',
                    f'remote_file {self.uri}',
                    'the server answers 404',
                    'its values are not checked',
                )
            ],
            result,
        )

    def test_what_a_driver_requires_may_be_in_it(self):
        result = self.run_check(
            """\
            [DEFAULT]
            config_source = far
            enabled_share_backends = b
            [far]
            driver = remote_file
            uri = URI
            [b]
            share_driver = manila.share.drivers.infortrend.driver.\
InfortrendNASDriver
            driver_handles_share_servers = false
            """,
        )
        self.assertEqual(
            [
                (WARNING, 'b/infortrend_nas_ip', 'unjudged'),
                (WARNING, 'b/infortrend_nas_password', 'unjudged'),
                (WARNING, 'b/infortrend_share_channels', 'unjudged'),
                (WARNING, 'b/infortrend_share_pools', 'unjudged'),
                (WARNING, 'far/driver', 'unjudged'),
            ],
            sorted(
                (f.severity, f.subject.name, f.data['verdict'])
                for f in result.findings
            ),
        )
        self.assertIn(
            f'; not checked: remote_file {self.uri}, which may set it, '
            'cannot be read here (the server answers 404)',
            min(f.message for f in result.findings),
        )

    def test_without_a_uri_no_service_starts(self):
        result = self.run_check(REMOTE.replace('uri = URI', ''))
        self.assert_found(
            [
                self.finding(
                    FAILURE,
                    'far/driver',
                    self.conf,
                    4,
                    'config_source names [far], whose driver remote_file '
                    'cannot work: no uri is set; every service exits at '
                    'startup',
                    model.advice(
                        'Complete section [far], or remove it from '
                        'config_source.'
                    ),
                    verdict='invalid',
                    driver='remote_file',
                    aspect='source',
                )
            ],
            result,
        )

    @ddt.data('backend-drivers', 'config-options')
    def test_a_section_of_a_backend_may_be_in_it(self, check_id):
        site = self.site(
            REMOTE.replace('[far]', 'enabled_share_backends = gold\n[far]')
        )
        result = site.run(check_id)
        self.assertEqual(
            {WARNING}, {finding.severity for finding in result.findings}
        )

    def said(self, check_id, text):
        """Return (severity, subject, message, verdict) of each finding."""
        result = self.site(text).run(check_id)
        self.assertEqual('', result.reason)
        return [
            (f.severity, f.subject.name, f.message, f.data.get('verdict'))
            for f in result.findings
        ]

    def why(self, name):
        return (
            f'remote_file {self.uri}, which may set {name}, cannot be read '
            'here (the server answers 404)'
        )

    @ddt.data('', 'share_driver = x.Driver\n')
    def test_no_back_end_was_configured(self, more):
        said = self.said(
            'backend-drivers', REMOTE.replace('[far]', more + '[far]')
        )
        self.assertEqual(
            [
                (
                    WARNING,
                    'DEFAULT/enabled_share_backends',
                    'the back ends that manila-share starts were not '
                    'checked: ' + self.why('enabled_share_backends'),
                    None,
                )
            ],
            said,
        )

    def test_the_generic_driver_was_assumed(self):
        said = self.said(
            'backend-drivers',
            REMOTE.replace(
                '[far]', 'enabled_share_backends = b\n[b]\nx = 1\n[far]'
            ),
        )
        why = self.why('share_driver')
        self.assertEqual(
            [
                (
                    WARNING,
                    'b',
                    f'the driver of [b] was not checked: {why}',
                    None,
                )
            ],
            said,
        )

    def test_the_plugin_may_be_in_it(self):
        ((severity, _, message, _),) = self.said(
            'backend-drivers',
            REMOTE.replace(
                '[far]',
                'enabled_share_backends = b\n[b]\nshare_driver = '
                'manila.share.drivers.dell_emc.driver.EMCShareDriver\n[far]',
            ),
        )
        self.assertEqual(WARNING, severity)
        self.assertTrue(
            message.endswith(f'; not checked: {self.why("it")}'),
            message,
        )

    def test_a_section_that_it_may_enable_was_ignored(self):
        said = self.said('config-options', f'{REMOTE}[b]\nnetapp_login = x\n')
        self.assertEqual(
            [
                (WARNING, 'far/driver', 'unjudged'),
                (INFO, 'b/netapp_login', 'unjudged'),
            ],
            [(weight, name, verdict) for weight, name, _, verdict in said],
        )
        self.assertEqual(
            '[b] netapp_login was not checked: '
            + self.why('enabled_share_backends'),
            said[1][2],
        )

    def test_an_option_of_a_driver_that_it_may_name(self):
        said = self.said(
            'config-options',
            REMOTE.replace('[far]', 'enabled_share_backends = b\n[far]')
            + '[b]\nnetapp_login = x\n',
        )
        self.assertEqual(
            [
                (
                    INFO,
                    'b/netapp_login',
                    '[b] netapp_login was not checked: '
                    + self.why('share_driver'),
                    'unjudged',
                )
            ],
            [one for one in said if one[1].startswith('b/')],
        )

    def test_a_line_of_a_source_is_none_of_a_back_end(self):
        said = self.said(
            'config-options',
            '[DEFAULT]\nconfig_source = far\n[far]\ndriver = other\nurl = x\n',
        )
        self.assertEqual(
            [
                (
                    INFO,
                    'far/url',
                    '[far] url is in a section whose driver or plugin manila '
                    '2025.1 does not ship; the driver may read it, the '
                    'catalog does not know',
                    'unjudged',
                )
            ],
            said[1:],
        )

    def test_a_source_without_a_section_had_no_name(self):
        ((_, _, message, _),) = self.said(
            'backend-drivers', '[DEFAULT]\nconfig_source = far\n'
        )
        self.assertEqual(
            'the back ends that manila-share starts were not checked: [far], '
            'which may set enabled_share_backends, cannot be read here (no '
            'driver is set)',
            message,
        )

    def test_a_section_that_is_gone_is_none_that_it_enables(self):
        site = self.site(
            f'{REMOTE}[oslo_messaging_amqp]\nidle_timeout = 1\n',
            source='2024.1',
            target='2025.1',
        )
        self.assertIn(
            ('oslo_messaging_amqp/idle_timeout', 'removed'),
            [
                (f.subject.name, f.data['verdict'])
                for f in site.run('config-options').findings
            ],
        )


class AdvisoriesTest(Case):
    BACKEND = (
        'enabled_share_backends = b\n[b]\n'
        'share_driver = manila.share.drivers.purestorage.flashblade.'
        'FlashBladeShareDriver\ndriver_handles_share_servers = false\n'
    )

    def advised(self, text):
        site = self.site(text, source='2026.1', target='2026.2')
        (finding,) = (
            finding
            for finding in site.run('upgrade-advisories').findings
            if finding.data['advisory'] == 'flashblade-certificate'
        )
        return finding

    def test_an_option_that_is_not_set_may_be_in_it(self):
        sure = self.advised(f'[DEFAULT]\n{self.BACKEND}')
        held = self.advised(REMOTE.replace('[far]', f'{self.BACKEND}[far]'))
        self.assertEqual(
            f'{sure.message}; not checked: remote_file {self.uri}, which may '
            'set it, cannot be read here (the server answers 404)',
            held.message,
        )
        self.assertEqual((WARNING, WARNING), (sure.severity, held.severity))

    def test_what_may_be_in_it_stayed_an_info(self):
        text = '[DEFAULT]\nconfig_source = far\n[keystone_authtoken]\n[far]\n'
        site = self.site(
            f'{text}driver = remote_file\nuri = URI\n',
            source='2026.1',
            target='2026.2',
        )
        found = {
            finding.aspect: finding
            for finding in site.run('upgrade-advisories').findings
        }['service-token-roles']
        self.assertEqual(WARNING, found.severity)
        self.assertIn(
            f'; not checked: remote_file {self.uri}, which may set it, '
            'cannot be read here (the server answers 404)',
            found.message,
        )


class CastellanTest(Case):
    """The driver is not installed where the tests run."""

    def castellan(self, text='', **kwargs):
        mapping = self.useFixture(fixtures.TempDir()).join('mapping.conf')
        with open(mapping, 'w') as stream:
            stream.write('[database]\nconnection = id\n[b]\nx = id\n')
        return self.site(
            '[DEFAULT]\nconfig_source = safe\n[safe]\ndriver = castellan\n'
            f'config_file = /x\nmapping_file = {mapping}\n{text}',
            **kwargs,
        )

    def test_what_its_mapping_names_is_not_judged(self):
        site = self.castellan()
        self.assertEqual(
            [
                'config_source names [safe], but castellan [safe] cannot be '
                f'read here: {ABSENT}; not checked: [b] x, [database] '
                'connection'
            ],
            [f.message for f in site.run('config-options').findings],
        )

    def test_no_database_was_configured(self):
        result = self.castellan().run('schema-revision')
        self.assertEqual(
            (
                model.Outcome.SKIPPED,
                'no database is configured: [database] connection is not set '
                'in the files that were read; castellan [safe], which may '
                f'set it, cannot be read: {ABSENT}',
            ),
            (result.outcome, result.reason),
        )


@ddt.ddt
class EnvironmentTest(Case):
    def run_with(self, variables, text='', **kwargs):
        for name, value in variables.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        return self.run_check(text, **kwargs)

    def expected(self, variable, option, wins=''):
        words = option.replace('DEFAULT/', '[DEFAULT] ')
        words = words.replace('quota/', '[quota] ')
        return model.Finding(
            WARNING,
            model.Subject('option', option),
            f'{variable} in the environment sets {words} for this '
            f'command{wins}; the services may not have it, and its value is '
            'not checked',
            (
                model.advice(
                    f'Unset {variable} for this command. If the services '
                    f'have it, set {words} in a configuration file instead.'
                ),
            ),
            check_id='config-options',
            data={'verdict': 'unjudged', 'variable': variable},
            aspect='environment',
        )

    def test_options_of_manila_were_taken_in_silence(self):
        result = self.run_with(
            {
                'OS_QUOTA__SHARES': 'perhaps',
                'OS_DEFAULT__OSAPI_SHARE_BASE_URL': 'x',
                'OS_DEFAULT__DEBUG': 'true',
            },
            '[DEFAULT]\ndebug = false\n',
        )
        self.assert_found(
            [
                self.expected(
                    'OS_DEFAULT__DEBUG',
                    'DEFAULT/debug',
                    f'; it overrides {self.conf}:2',
                ),
                self.expected(
                    'OS_DEFAULT__OSAPI_SHARE_BASE_URL',
                    'DEFAULT/osapi_share_base_URL',
                ),
                self.expected('OS_QUOTA__SHARES', 'quota/shares'),
            ],
            result,
        )

    @ddt.data(
        # An old name, which oslo.config looks for in files alone.
        'OS_DEFAULT__QUOTA_SHARES',
        'os_quota__shares',
        'OS_AUTH_URL',
        'OS_SOMEBODY__ELSE',
        'OS_MANILA_PRECHECK__REPRODUCIBLE',
    )
    def test_what_sets_no_option(self, variable):
        self.assert_found([], self.run_with({variable: '1'}))
