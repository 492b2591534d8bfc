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

import os
import textwrap
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing

FAILURE = model.Severity.FAILURE
INFO = model.Severity.INFO
WARNING = model.Severity.WARNING

# As manila 2025.1 ships it, with one pipeline and the shortest ones.
EPOXY = """\
[composite:osapi_share]
use = call:manila.api:root_app_factory
/: apiversions
/v1: v1
/v2: v2

[composite:v1]
use = call:manila.api.middleware.auth:pipeline_factory
keystone = cors authtoken api

[composite:v2]
use = call:manila.api.middleware.auth:pipeline_factory
keystone = cors authtoken apiv2

[pipeline:apiversions]
pipeline = cors versions

[app:api]
paste.app_factory = manila.api.v1.router:APIRouter.factory

[app:apiv2]
paste.app_factory = manila.api.v2.router:APIRouter.factory

[app:versions]
paste.app_factory = manila.api.versions:VersionsRouter.factory

[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""
# What 2025.2 added.
FLAMINGO = (
    EPOXY.replace('cors ', 'cors request_id ')
    + """
[filter:request_id]
paste.filter_factory = oslo_middleware.request_id:RequestId.factory
"""
)
# What 2026.1 took out.
GAZPACHO = (
    FLAMINGO.replace('/v1: v1\n', '')
    .replace(
        '[composite:v1]\n'
        'use = call:manila.api.middleware.auth:pipeline_factory\n'
        'keystone = cors request_id authtoken api\n\n',
        '',
    )
    .replace(
        '[app:api]\n'
        'paste.app_factory = manila.api.v1.router:APIRouter.factory\n\n',
        '',
    )
)
SHIPPED = {'2025.1': '20.0.3', '2026.1': '22.0.2', '2026.2': '23.0.1'}
V1 = 'manila.api.v1.router:APIRouter.factory'


@ddt.ddt
class ApiPasteTest(testtools.TestCase):
    def run_check(self, text, config='[DEFAULT]\n', **kwargs):
        files = {} if text is None else {'api-paste.ini': text}
        self.site = self.useFixture(
            testing.Site(
                config,
                **{
                    'files': files,
                    'source': '2025.1',
                    'target': '2026.1',
                    **kwargs,
                },
            )
        )
        self.path = self.site.file('api-paste.ini')
        return self.site.run('api-paste')

    def result(self, *findings, outcome=None, reason=''):
        return model.CheckResult(
            id='api-paste',
            title='Paste configuration of the API',
            outcome=outcome
            or (model.Outcome.FOUND if findings else model.Outcome.PASSED),
            reason=reason,
            findings=findings,
        )

    def finding(
        self,
        severity,
        title,
        line,
        message,
        *remediation,
        aspect,
        target='2026.1',
        references=False,
        **data,
    ):
        return model.Finding(
            severity,
            model.Subject('paste', title, self.path, line),
            message,
            remediation,
            (
                (f'manila {SHIPPED[target]} etc/manila/api-paste.ini',)
                if references
                else ()
            ),
            data,
            aspect,
            check_id='api-paste',
        )

    def lines(self, text):
        return model.config(f'# in {self.path}\n{text}')

    def take(self, word='Start', target='2026.1'):
        return model.advice(
            f'{word} from etc/manila/api-paste.ini of manila '
            f'{SHIPPED[target]}, and apply your own changes to it.'
        )

    def v1_is_gone(self, target='2026.1'):
        return self.finding(
            FAILURE,
            'app:api',
            19,
            f'[app:api] loads {V1}, which {target} does not have (2025.2 was '
            'the last to have it); manila-api does not start '
            '(ModuleNotFoundError: manila.api.v1)',
            self.lines(
                '[composite:osapi_share]\n'
                'use = call:manila.api:root_app_factory\n'
                '/: apiversions\n'
                '/v2: v2'
            ),
            model.advice(
                'Requests to /v1 then get 404; nothing uses [composite:v1], '
                '[app:api] any longer.'
            ),
            self.take('Or start', target),
            aspect='factory',
            target=target,
            references=True,
            factory=V1,
        )

    def request_id_is_lacking(self):
        return self.finding(
            INFO,
            'filter:request_id',
            None,
            'since 2025.2, the api-paste.ini of manila has '
            '[filter:request_id] '
            '(oslo_middleware.request_id:RequestId.factory); this file does '
            'not load it, and manila-api works without it',
            self.lines(
                '[filter:request_id]\n'
                'paste.filter_factory = '
                'oslo_middleware.request_id:RequestId.factory'
            ),
            self.lines(
                '[pipeline:apiversions]\npipeline = cors request_id versions'
            ),
            aspect='lacking',
            references=True,
            factory='oslo_middleware.request_id:RequestId.factory',
            since='2025.2',
        )

    # -- the API v1 ----------------------------------------------------------

    def test_kept_from_2025_1(self):
        result = self.run_check(EPOXY)
        self.assertEqual(
            self.result(self.v1_is_gone(), self.request_id_is_lacking()),
            # Without a line comes before the others, within a severity.
            result,
        )

    @ddt.data(
        # The last releases with v1, and the first ones without.
        ('2024.1', '2025.1', EPOXY, False),
        ('2025.1', '2025.2', FLAMINGO, False),
        ('2025.2', '2026.1', FLAMINGO, True),
        # Broken before the upgrade as well.
        ('2026.1', '2026.2', FLAMINGO, True),
        ('2025.2', '2026.1', GAZPACHO, False),
        ('2026.1', '2026.2', GAZPACHO, False),
    )
    @ddt.unpack
    def test_window(self, source, target, text, fires):
        result = self.run_check(text, source=source, target=target)
        expected = [self.v1_is_gone(target)] if fires else []
        self.assertEqual(self.result(*expected), result)

    def test_v1_that_nothing_leads_to(self):
        text = FLAMINGO.replace('/v1: v1\n', '# no v1 any\n')
        result = self.run_check(text)
        self.assertEqual(
            self.result(
                self.finding(
                    INFO,
                    'app:api',
                    19,
                    f'[app:api] names {V1}, which 2026.1 does not have '
                    '(2025.2 was the last to have it); manila-api does not '
                    'load the section',
                    model.advice('Remove [app:api] from the file.'),
                    aspect='factory',
                    references=True,
                    factory=V1,
                )
            ),
            result,
        )

    # -- code ----------------------------------------------------------------

    def with_filter(self, spec, text=GAZPACHO):
        return (
            text.replace('authtoken apiv2', 'authtoken limits apiv2')
            + f'\n[filter:limits]\npaste.filter_factory = {spec}\n'
        )

    def test_a_filter_of_manila_that_is_gone(self):
        spec = 'manila.api.v1.limits:RateLimitingMiddleware.factory'
        result = self.run_check(self.with_filter(spec))
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'filter:limits',
                    29,
                    f'[filter:limits] loads {spec}, which 2026.1 does not '
                    'have (2025.2 was the last to have it); manila-api does '
                    'not start (ModuleNotFoundError: manila.api.v1)',
                    self.lines(
                        '[composite:v2]\n'
                        'keystone = cors request_id authtoken apiv2'
                    ),
                    self.take('Or start'),
                    aspect='factory',
                    references=True,
                    factory=spec,
                )
            ),
            result,
        )

    @ddt.data(
        (
            'manila.api.v2.limits:RateLimitingMiddleware.factory',
            'it was added in 2026.1',
        ),
        (
            'manila.api.middleware.sizelimit:RequestBodySizeLimiter.factory',
            'no release since wallaby has it',
        ),
        (
            'manila.api.auth:pipeline_factory',
            'wallaby was the last to have it',
        ),
    )
    @ddt.unpack
    def test_what_is_said_of_other_code_of_manila(self, spec, words):
        result = self.run_check(
            self.with_filter(spec, EPOXY), source='2024.1', target='2025.1'
        )
        (found,) = result.findings
        self.assertEqual(
            (
                FAILURE,
                f'[filter:limits] loads {spec}, which 2025.1 does not have '
                f'({words}); manila-api does not start (it cannot be '
                'imported)',
            ),
            (found.severity, found.message),
        )

    @ddt.data(
        'manila.api.v2.limits:RateLimitingMiddleware.factory',
        'oslo_middleware.debug:Debug.factory',
        'keystonemiddleware.audit:filter_factory',
    )
    def test_code_that_the_target_brings(self, spec):
        self.assertEqual(self.result(), self.run_check(self.with_filter(spec)))

    def test_code_of_a_third_party(self):
        result = self.run_check(self.with_filter('acme.audit:factory'))
        self.assertEqual(
            self.result(
                self.finding(
                    WARNING,
                    'filter:limits',
                    29,
                    '[filter:limits] loads acme.audit:factory, which belongs '
                    'neither to manila nor to a package that 2026.1 '
                    'requires; manila-precheck does not know whether it will '
                    'be installed',
                    model.advice(
                        'Install a version of it that works with the '
                        'packages of the target; manila-api does not start '
                        'without it.'
                    ),
                    aspect='factory',
                    references=True,
                    factory='acme.audit:factory',
                )
            ),
            result,
        )

    @ddt.data(
        'config:more.ini',
        # Paste's own, which is there, but loads what it is told.
        'egg:Paste#cascade',
    )
    def test_what_is_loaded_is_decided_elsewhere(self, use):
        text = GAZPACHO.replace('call:manila.api:root_app_factory', use)
        result = self.run_check(
            text, files={'api-paste.ini': text, 'more.ini': ''}
        )
        self.assertEqual(
            self.result(
                self.finding(
                    WARNING,
                    'composite:osapi_share',
                    2,
                    '[composite:osapi_share] loads another file, or code '
                    'that manila-precheck does not know; what manila-api '
                    'loads through it was not checked',
                    model.advice(
                        'Before the upgrade, start the manila-api of the '
                        'target with this file on a test host.'
                    ),
                    aspect='elsewhere',
                )
            ),
            result,
        )

    @ddt.data('config:more.ini', 'config:{}#api')
    def test_what_is_loaded_is_not_there(self, use):
        folder = self.useFixture(fixtures.TempDir()).path
        use = use.format(os.path.join(folder, 'other.ini'))
        text = GAZPACHO.replace('call:manila.api:root_app_factory', use)
        result = self.run_check(text)
        path = use.partition(':')[2].partition('#')[0]
        path = os.path.join(os.path.dirname(self.path), path)
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:osapi_share',
                    2,
                    f'[composite:osapi_share] loads what {path} has, which '
                    'does not exist; manila-api does not start '
                    '(FileNotFoundError)',
                    model.advice(
                        'Start from etc/manila/api-paste.ini of manila '
                        '22.0.2, and apply your own changes to it.'
                    ),
                    aspect='elsewhere',
                )
            ),
            result,
        )

    # -- names ---------------------------------------------------------------

    def test_undefined_filter(self):
        text = GAZPACHO.replace('authtoken apiv2', 'audit authtoken apiv2')
        result = self.run_check(text)
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:v2',
                    8,
                    '[composite:v2] keystone: no section defines the filter '
                    'audit; manila-api does not start',
                    self.lines(
                        '[composite:v2]\n'
                        'keystone = cors request_id authtoken apiv2'
                    ),
                    aspect='audit',
                )
            ),
            result,
        )

    def test_undefined_filter_that_the_target_has(self):
        text = GAZPACHO.replace('[filter:cors]', '[filter:other]')
        result = self.run_check(text)
        cors = self.lines(
            '[filter:cors]\n'
            'oslo_config_project = manila\n'
            'paste.filter_factory = oslo_middleware.cors:filter_factory'
        )
        self.assertEqual(
            self.result(
                *(
                    self.finding(
                        FAILURE,
                        title,
                        line,
                        f'[{title}] {name}: no section defines the filter '
                        'cors; manila-api does not start',
                        cors,
                        aspect='cors',
                    )
                    for title, line, name in (
                        ('composite:v2', 8, 'keystone'),
                        ('pipeline:apiversions', 11, 'pipeline'),
                    )
                )
            ),
            result,
        )

    def test_undefined_application(self):
        text = GAZPACHO.replace('/v2: v2', '/v2: v2\n/more: more')
        result = self.run_check(text)
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:osapi_share',
                    5,
                    '[composite:osapi_share] /more: no section defines the '
                    'application more; manila-api does not start',
                    self.lines(
                        '[composite:osapi_share]\n'
                        'use = call:manila.api:root_app_factory\n'
                        '/: apiversions\n'
                        '/v2: v2'
                    ),
                    model.advice('Requests to /more then get 404.'),
                    self.take('Or start'),
                    aspect='more',
                )
            ),
            result,
        )

    def test_no_application_at_all(self):
        result = self.run_check('')
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:osapi_share',
                    None,
                    'no section defines the application osapi_share; '
                    'manila-api does not start',
                    self.take(),
                    aspect='section',
                )
            ),
            result,
        )

    def test_a_path_without_a_slash(self):
        found = [
            (one.severity, one.subject.name, one.message)
            for one in self.run_check(
                GAZPACHO.replace('\n/v2: ', '\nv2: ')
            ).findings
        ]
        self.assertEqual(
            [
                (
                    FAILURE,
                    'composite:osapi_share',
                    '[composite:osapi_share] v2: the path v2 does not begin '
                    'with a slash; manila-api does not start',
                )
            ],
            [one for one in found if one[0] is FAILURE],
        )

    def test_a_pipeline_that_is_not_selected_may_say_anything(self):
        text = GAZPACHO.replace('keystone =', 'noauth = nothing\nkeystone =')
        self.assertEqual(self.result(), self.run_check(text))

    def with_values(self, lines):
        """Give the filters that say it some lines."""
        text = GAZPACHO.replace(
            '= cors request_id', '= cors size proxy request_id'
        )
        return (
            text.replace(
                '[filter:authtoken]\n', f'[filter:authtoken]\n{lines}\n'
            ).replace('[filter:cors]\n', f'[filter:cors]\n{lines}\n')
            + '[filter:size]\nuse = egg:oslo.middleware#sizelimit\n'
            f'{lines}\n'
            '[filter:proxy]\npaste.filter_factory = '
            f'oslo_middleware:HTTPProxyToWSGI.factory\n{lines}\n'
        )

    @ddt.data(
        'allow_credentials = yes',
        'nobody_reads_this = maybe',
        'max_age = $nothing',
        'delay_auth_decision = 0',
        'max_request_body_size = 100',
        # Of a filter that is not loaded.
        'detailed = maybe',
    )
    def test_a_value_that_a_filter_takes(self, line):
        self.assertEqual(self.result(), self.run_check(self.with_values(line)))

    @ddt.data(
        (
            'max_age = long',
            'cors',
            'oslo_middleware.cors of 2026.1 rejects the value, and '
            'manila-api does not start',
            'an integer',
            'cors',
        ),
        (
            'delay_auth_decision = maybe',
            'authtoken',
            'keystonemiddleware.auth_token of 2026.1 rejects the value, and '
            'manila-api does not start',
            'true or false',
            'keystone_authtoken',
        ),
        (
            'max_request_body_size = x',
            'size',
            'oslo_middleware.sizelimit of 2026.1 rejects the value, and '
            'manila-api answers every request with 500',
            'an integer',
            'oslo_middleware',
        ),
        (
            'enable_proxy_headers_parsing = x',
            'proxy',
            'oslo_middleware.http_proxy_to_wsgi of 2026.1 rejects the value, '
            'and manila-api answers every request with 500',
            'true or false',
            'oslo_middleware',
        ),
    )
    @ddt.unpack
    def test_a_value_that_a_filter_rejects(
        self, line, name, why, admitted, section
    ):
        text = self.with_values(line)
        lines = text.split('\n')
        name, option = f'filter:{name}', line.partition(' ')[0]
        at = lines.index(line, lines.index(f'[{name}]')) + 1
        result = self.run_check(text)
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    name,
                    at,
                    f'[{name}] {line}: {why}',
                    model.advice(
                        f'Set it to {admitted}, or remove the line and set '
                        f'it in [{section}] of manila.conf.'
                    ),
                    aspect=f'value:{option}',
                    option=option,
                )
            ),
            result,
        )

    @ddt.data(
        ('10.0.0.0/8, fe80::/10', True),
        ('', True),
        ('10.0.0.1/8', False),
        ('10.0.0.0/8,office', False),
    )
    @ddt.unpack
    def test_networks_of_the_healthcheck(self, networks, taken):
        line = f'allowed_source_ranges = {networks}'
        text = GAZPACHO.replace('/v2: v2', '/v2: v2\n/hc: hc') + (
            '[app:hc]\npaste.app_factory = '
            f'oslo_middleware:Healthcheck.app_factory\n{line}\n'
        )
        result = self.run_check(text)
        rejected = self.finding(
            FAILURE,
            'app:hc',
            text.split('\n').index(line) + 1,
            f'[app:hc] {line}: oslo_middleware.healthcheck of 2026.1 rejects '
            'the value, and manila-api does not start',
            model.advice(
                'Set it to networks such as 10.0.0.0/8, with the bits of '
                'their hosts 0, or remove the line and set it in '
                '[healthcheck] of manila.conf.'
            ),
            aspect='value:allowed_source_ranges',
            option='allowed_source_ranges',
        )
        self.assertEqual(self.result(*[] if taken else [rejected]), result)

    @ddt.data(
        ('', 'name and stats_host'),
        ('name = manila\n', 'stats_host'),
        ('name = manila\nstats_host = 192.0.2.1\n', ''),
        ('name = manila\n[DEFAULT]\nstats_host = 192.0.2.1\n', ''),
    )
    @ddt.unpack
    def test_statistics_without_their_settings(self, lines, missing):
        text = GAZPACHO.replace(
            '= cors request_id', '= cors stats request_id'
        ) + (
            '[filter:stats]\npaste.filter_factory = '
            f'oslo_middleware.stats:StatsMiddleware.factory\n{lines}'
        )
        result = self.run_check(text)
        finding = self.finding(
            FAILURE,
            'filter:stats',
            text.split('\n').index('[filter:stats]') + 1,
            f'[filter:stats] does not set {missing}, which '
            'oslo_middleware.stats requires; manila-api does not start '
            '(AttributeError)',
            model.advice(
                'Set name to the prefix of the statistics and stats_host to '
                'the host of statsd, or take stats out of the pipelines.'
            ),
            aspect='lacking-settings',
        )
        self.assertEqual(self.result(*[finding] if missing else []), result)

    def test_auth_strategy_without_a_pipeline(self):
        result = self.run_check(GAZPACHO, '[DEFAULT]\nauth_strategy = acme\n')
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:v2',
                    6,
                    '[composite:v2] has no pipeline acme, which [DEFAULT] '
                    'auth_strategy selects; manila-api does not start',
                    model.advice(
                        'Set auth_strategy to a pipeline of [composite:v2] '
                        '(keystone), or give it one.'
                    ),
                    aspect='auth_strategy',
                    auth_strategy='acme',
                )
            ),
            result,
        )

    def test_an_empty_auth_strategy(self):
        result = self.run_check(
            EPOXY,
            '[DEFAULT]\nauth_strategy =\n',
            source='2024.1',
            target='2025.1',
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'[composite:{name}] has no pipeline for the empty '
                    'value of [DEFAULT] auth_strategy; manila-api does not '
                    'start',
                )
                for name in ('v1', 'v2')
            ],
            [(one.severity, one.message) for one in result.findings],
        )

    def test_auth_strategy_that_the_target_has(self):
        text = GAZPACHO.replace('v2]', 'openstack_share_api_v2]').replace(
            '/v2: v2', '/v2: openstack_share_api_v2'
        )
        result = self.run_check(text, '[DEFAULT]\nauth_strategy = noauth\n')
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'composite:openstack_share_api_v2',
                    6,
                    '[composite:openstack_share_api_v2] has no pipeline '
                    'noauth, which [DEFAULT] auth_strategy selects; '
                    'manila-api does not start',
                    self.lines(
                        '[composite:openstack_share_api_v2]\n'
                        'noauth = cors request_id faultwrap '
                        'http_proxy_to_wsgi sizelimit osprofiler noauth apiv2'
                    ),
                    aspect='auth_strategy',
                    auth_strategy='noauth',
                )
            ),
            result,
        )

    def test_the_pipeline_without_rate_limits(self):
        text = GAZPACHO.replace(
            'keystone =', 'keystone_nolimit = nothing\nkeystone ='
        )
        config = '[DEFAULT]\napi_rate_limit = {}\n'
        self.assertEqual(
            self.result(), self.run_check(text, config.format(True))
        )
        result = self.run_check(text, config.format(False))
        self.assertEqual(
            ['api-paste[composite:v2#nothing]'],
            [finding.key for finding in result.findings],
        )

    # -- the file ------------------------------------------------------------

    def test_malformed(self):
        result = self.run_check(GAZPACHO + 'a line with a secret\n')
        self.assertEqual(
            self.result(
                self.finding(
                    FAILURE,
                    'api-paste.ini',
                    27,
                    'the file cannot be parsed: the line is neither a '
                    'section nor a name with a value; manila-api does not '
                    'start',
                    self.take(),
                    aspect='syntax',
                )
            ),
            result,
        )

    def test_no_file_and_no_word_of_the_api(self):
        result = self.run_check(None)
        self.assertEqual(
            self.result(
                outcome=model.Outcome.NOT_APPLICABLE,
                reason=f'there is no api-paste.ini in {self.site.path}, and '
                'these files do not configure manila-api',
            ),
            result,
        )

    @ddt.data('[keystone_authtoken]\n', '[DEFAULT]\nauth_strategy = noauth\n')
    def test_no_file(self, conf):
        result = self.run_check(None, conf)
        self.assertEqual(
            self.result(
                outcome=model.Outcome.SKIPPED,
                reason=f'there is no api-paste.ini in {self.site.path}, and '
                '[DEFAULT] api_paste_config is not set',
            ),
            result,
        )

    def test_a_file_that_is_named_and_not_there(self):
        result = self.run_check(
            None, '[DEFAULT]\napi_paste_config = nowhere.ini\n'
        )
        self.assertEqual(
            self.result(
                outcome=model.Outcome.ERROR,
                reason='nowhere.ini: no such file '
                f'({self.site.file("manila.conf")}:2 [DEFAULT] '
                'api_paste_config)',
            ),
            result,
        )

    def test_a_file_that_cannot_be_read(self):
        result = self.run_check(None, files={'api-paste.ini/x': ''})
        self.assertEqual(
            self.result(
                outcome=model.Outcome.ERROR,
                reason=f'{self.path}: Is a directory',
            ),
            result,
        )

    def test_the_report_lists_the_file(self):
        self.run_check(GAZPACHO)
        ctx = self.site.context()
        self.site.run('api-paste', ctx)
        self.assertEqual(
            ['manila.conf', 'api-paste.ini'],
            [os.path.basename(read.path) for read in ctx.files],
        )

    def test_a_file_of_another_name(self):
        result = self.run_check(
            EPOXY,
            '[DEFAULT]\napi_paste_config = paste/api.ini\n',
            files={'paste/api.ini': textwrap.dedent(GAZPACHO)},
        )
        self.assertEqual(self.result(), result)

    def test_stopped_a_file_that_stops_the_api_passed(self):
        found, at_stopped = (
            [
                (one.key, one.severity, one.message)
                for one in self.run_check(EPOXY, stage=stage).findings
            ]
            for stage in ('plan', 'stopped')
        )
        self.assertEqual(model.Severity.FAILURE, found[0][1])
        self.assertEqual(found, at_stopped)

    def test_the_new_services_were_started(self):
        self.assertEqual(
            self.result(
                outcome=model.Outcome.NOT_APPLICABLE,
                reason='it does not run at stage upgraded',
            ),
            self.run_check(EPOXY, stage='upgraded'),
        )


_LOGIN = (
    'auth_url = http://192.0.2.1:5000/v3\n'
    'username = manila\n'
    'password = not-a-password\n'
    'user_domain_name = Default\n'
    'project_name = service\n'
    'project_domain_name = Default\n'
)
_HAS = ', and the pipeline of the API has [filter:authtoken]: '
_UNSERVED = (
    'manila-api starts, and no request with a token is served: it has no '
    'login to validate it with'
)
_DEAD = 'manila-api does not start'


@ddt.ddt
class LoginTest(testtools.TestCase):
    def found(self, conf, paste=GAZPACHO, target='2026.1'):
        self.site = self.useFixture(
            testing.Site(
                conf,
                {'api-paste.ini': paste},
                source='2025.1',
                target=target,
            )
        )
        found = self.site.run('api-paste').findings
        return [item for item in found if item.aspect == 'login']

    def told(self, conf, **kwargs):
        return [
            (item.severity, item.subject.name, item.subject.line, item.message)
            for item in self.found(conf, **kwargs)
        ]

    @ddt.data(
        f'[keystone_authtoken]\nauth_type = password\n{_LOGIN}',
        f'[keystone_authtoken]\nauth_plugin = password\n{_LOGIN}',
        f'[keystone_authtoken]\nauth_type = v3password\n{_LOGIN}',
        f'[keystone_authtoken]\nauth_section = a\n'
        f'[a]\nauth_type = password\n{_LOGIN}',
        '[keystone_authtoken]\nauth_type = v3applicationcredential\n'
        'auth_url = http://192.0.2.1\napplication_credential_id = a\n'
        'application_credential_secret = not-a-password\n',
        '[keystone_authtoken]\nauth_type = v3password\n'
        'auth_url = http://192.0.2.1\nuser_id = a\n'
        'password = not-a-password\nproject_id = b\n',
        # What keystonemiddleware makes a login of without a plugin.
        '[keystone_authtoken]\nadmin_user = a\nadmin_password = b\n',
        # Nothing asks for it.
        '[DEFAULT]\nauth_strategy = noauth\n[keystone_authtoken]\n'
        'auth_url = http://192.0.2.1\n',
        # Not the files of manila-api, or not all of them.
        '[DEFAULT]\nauth_strategy = keystone\n',
        '[database]\nconnection = sqlite://\n',
    )
    def test_silent(self, conf):
        paste = GAZPACHO.replace(
            'keystone = ', 'noauth = cors apiv2\nkeystone = '
        )
        self.assertEqual([], self.told(conf, paste=paste))

    @ddt.data(('2025.2', 1), ('2026.1', 0))
    @ddt.unpack
    def test_an_auth_strategy_that_the_target_refuses(self, target, count):
        conf = (
            '[DEFAULT]\nauth_strategy = keystone_nolimit\n'
            '[keystone_authtoken]\nauth_url = http://192.0.2.1\n'
        )
        paste = GAZPACHO.replace('keystone = ', 'keystone_nolimit = ')
        self.assertEqual(
            count, len(self.told(conf, paste=paste, target=target))
        )

    def test_no_auth_type(self):
        conf = (
            '[keystone_authtoken]\n'
            'application_credential_id = a\n'
            'application_credential_secret = not-a-password\n'
            'auth_url = http://192.0.2.1:5000/v3\n'
        )
        found = self.found(conf)
        self.assertEqual(
            [
                model.Finding(
                    FAILURE,
                    model.Subject(
                        'option',
                        'keystone_authtoken/auth_type',
                        self.site.file('manila.conf'),
                        2,
                    ),
                    f'[keystone_authtoken] sets no auth_type{_HAS}{_UNSERVED}',
                    (
                        model.Remediation(
                            'text',
                            'Name the plugin that reads the other lines of '
                            'the login, such as password or '
                            'v3applicationcredential:',
                        ),
                        model.Remediation(
                            'config',
                            '[keystone_authtoken]\nauth_type = password',
                        ),
                    ),
                    check_id='api-paste',
                    aspect='login',
                )
            ],
            found,
        )

    @ddt.data(
        # Nothing at all, in the files of an API.
        (
            '[DEFAULT]\nauth_strategy = keystone\n'
            '[database]\nconnection = sqlite://\n',
            'auth_type',
            None,
            '[keystone_authtoken] sets no auth_type',
            _UNSERVED,
        ),
        (
            f'[keystone_authtoken]\nauth_type =\n{_LOGIN}',
            'auth_type',
            2,
            '[keystone_authtoken] sets no auth_type',
            _UNSERVED,
        ),
        (
            f'[keystone_authtoken]\nauth_type = pasword\n{_LOGIN}',
            'auth_type',
            2,
            "[keystone_authtoken] auth_type is 'pasword', which is not a "
            'plugin of keystoneauth',
            _DEAD,
        ),
        (
            '[keystone_authtoken]\nauth_type = password\n'
            + _LOGIN.replace('auth_url', '# '),
            'auth_url',
            2,
            '[keystone_authtoken] does not set auth_url, which auth_type = '
            'password needs',
            _DEAD,
        ),
        # It is made, and asks nobody.
        (
            '[keystone_authtoken]\nauth_type = password\n'
            + _LOGIN.replace('= http://192.0.2.1:5000/v3', '='),
            'auth_url',
            2,
            '[keystone_authtoken] does not set auth_url, which auth_type = '
            'password needs',
            _UNSERVED,
        ),
        (
            '[keystone_authtoken]\nauth_type = password\n'
            + _LOGIN.replace('user_domain_name', '# '),
            'user_domain_name',
            2,
            '[keystone_authtoken] sets none of user_domain_name, '
            'user_domain_id, default_domain_name and default_domain_id, '
            'which auth_type = password needs',
            _UNSERVED,
        ),
        (
            '[keystone_authtoken]\nauth_type = v3password\n'
            + _LOGIN.replace('project_domain_name', '# '),
            'project_domain_name',
            2,
            '[keystone_authtoken] sets none of project_domain_name and '
            'project_domain_id, which auth_type = v3password needs',
            _DEAD,
        ),
        *(
            (
                f'[keystone_authtoken]\nauth_type = {plugin}\n'
                f'{name} = a\n{_LOGIN}',
                name,
                3,
                f'[keystone_authtoken] sets {name} and project_name, but a '
                'token has only one scope (AuthorizationFailure)',
                _UNSERVED,
            )
            for plugin in ('password', 'v3password')
            for name in ('trust_id', 'domain_name', 'system_scope')
        ),
        (
            '[keystone_authtoken]\nauth_type = password\n'
            + _LOGIN.replace('password = ', '# '),
            'password',
            2,
            '[keystone_authtoken] does not set password, which auth_type = '
            'password needs',
            _UNSERVED,
        ),
    )
    @ddt.unpack
    def test_lacking(self, conf, name, line, why, effect):
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'keystone_authtoken/{name}',
                    line,
                    f'{why}{_HAS}{effect}',
                )
            ],
            self.told(conf),
        )

    @ddt.data(
        ('[a]\nusername = b\n', '[a] sets no auth_type', 4),
        ('', 'no file has the section [a]', 2),
    )
    @ddt.unpack
    def test_a_section_that_is_no_login(self, more, why, line):
        # The middleware asks that section for the options of its own.
        self.assertEqual(
            [(FAILURE, 'a/auth_type', line, f'{why}{_HAS}{_DEAD}')],
            self.told(f'[keystone_authtoken]\nauth_section = a\n{more}'),
        )

    def test_the_login_stands_in_the_paste_file(self):
        more = 'auth_type = password\n' + _LOGIN
        self.assertEqual(
            [],
            self.told(
                '[keystone_authtoken]\nregion_name = a\n',
                paste=GAZPACHO.replace(
                    'auth_token:filter_factory\n',
                    f'auth_token:filter_factory\n{more}',
                ),
            ),
        )

    @ddt.data(
        ('v3kerberos', None, 'WARNING', 'requests_kerberos', _DEAD),
        ('v3kerberos', set(), 'FAILURE', 'requests_kerberos', _DEAD),
        ('v3oauth1', set(), 'FAILURE', 'oauthlib', _UNSERVED),
        ('v3kerberos', {'requests_kerberos'}, None, '', ''),
    )
    @ddt.unpack
    def test_the_library_of_a_login_was_not_looked_for(
        self, plugin, importable, severity, module, effect
    ):
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=importable,
        ):
            found = self.told(
                f'[keystone_authtoken]\nauth_type = {plugin}\n{_LOGIN}'
                'consumer_key = a\naccess_key = b\n'
                'consumer_secret = c\naccess_secret = d\n'
            )
        doubt = importable is None
        there = (
            'manila does not install it'
            if doubt
            else 'the build of the target does not have it'
        )
        self.assertEqual(
            [
                (
                    model.Severity[severity],
                    'keystone_authtoken/auth_type',
                    2,
                    f'[keystone_authtoken] auth_type is {plugin!r}, which '
                    f'needs the module {module}; {there}{_HAS}'
                    f'{"without it " if doubt else ""}{effect}',
                )
            ]
            if severity
            else [],
            found,
        )

    @ddt.data(
        ('memcache_security_strategy = MAC\n', '', True),
        ('memcache_security_strategy = MAC\n', 'memcache_secret_key=a', False),
        (
            'memcache_security_strategy = MAC\nmemcache_secret_key = a\n',
            '',
            False,
        ),
        (
            'memcache_security_strategy = None\n',
            'memcache_security_strategy = MAC',
            False,
        ),
    )
    @ddt.unpack
    def test_a_cache_in_the_paste_file_lacks_its_secret(
        self, more, conf, told
    ):
        self.found(
            f'[keystone_authtoken]\n{conf}\n',
            GAZPACHO.replace(
                'auth_token:filter_factory\n',
                f'auth_token:filter_factory\n{more}',
            ),
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    '[filter:authtoken] memcache_security_strategy = MAC '
                    'needs memcache_secret_key, which is not set: '
                    'manila-api does not start (ConfigurationError)',
                )
            ]
            if told
            else [],
            [
                (one.severity, one.message)
                for one in self.site.run('api-paste').findings
                if one.aspect == 'cache'
            ],
        )

    def test_what_2026_2_no_longer_makes_a_login_of(self):
        conf = '[keystone_authtoken]\nadmin_user = a\nadmin_password = b\n'
        self.assertEqual([], self.told(conf, target='2026.1'))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'keystone_authtoken/auth_type',
                    2,
                    f'[keystone_authtoken] sets no auth_type{_HAS}{_UNSERVED}',
                )
            ],
            self.told(conf, target='2026.2'),
        )
