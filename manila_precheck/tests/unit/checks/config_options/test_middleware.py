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

from manila_precheck import testing

AUDIT = (
    '[filter:watch]\n'
    'paste.filter_factory = keystonemiddleware.audit:filter_factory\n'
)
PASTE = (
    '[composite:osapi_share]\nuse = call:manila.api:root_app_factory\n'
    '/v2: v2\n'
    '[composite:v2]\n'
    'use = call:manila.api.middleware.auth:pipeline_factory\n'
    'keystone = {} apiv2\n'
    '[app:apiv2]\npaste.app_factory = manila.api.v2.router:APIRouter.factory\n'
    '[filter:cors]\npaste.filter_factory = oslo_middleware.cors:'
    'filter_factory\noslo_config_project = manila\n'
    '[filter:size]\nuse = egg:oslo.middleware#sizelimit\n'
    f'max_request_body_size = 9\n{AUDIT}'
    '[filter:ours]\npaste.filter_factory = acme.filter:factory\n'
)
ALONE = ' has no effect: the API does not load {}, which alone reads it'


@ddt.ddt
class MiddlewareTest(testtools.TestCase):
    def found(self, conf, pipeline=None, paste=PASTE, **kwargs):
        files = {'manila.conf': conf}
        if pipeline is not None:
            files['api-paste.ini'] = paste.format(pipeline)
        self.site = self.useFixture(testing.Site(conf, files, **kwargs))
        return [
            (found.severity.name, found.message)
            for found in self.site.run('config-options').findings
        ]

    @ddt.data('cors', 'size cors')
    def test_nothing_reads_the_section_of_a_filter_that_is_not_loaded(
        self, pipeline
    ):
        self.assertEqual(
            [
                (
                    'INFO',
                    '[audit_middleware_notifications] use_oslo_messaging'
                    + ALONE.format('keystonemiddleware.audit'),
                ),
                (
                    'INFO',
                    '[healthcheck] detailed'
                    + ALONE.format('oslo_middleware.healthcheck'),
                ),
            ],
            self.found(
                '[audit_middleware_notifications]\nuse_oslo_messaging = x\n'
                '[healthcheck]\ndetailed = true\n[cors]\nmax_age = 9\n',
                pipeline,
            ),
        )

    def test_the_options_of_a_filter_that_is_loaded_are_judged(self):
        self.assertEqual(
            [
                (
                    'FAILURE',
                    '[audit_middleware_notifications] use_oslo_messaging = '
                    'perhaps: 2025.1 rejects the value, and the service that '
                    'reads it exits at startup; so does 2024.1',
                ),
                (
                    'FAILURE',
                    '[audit_middleware_notifications] transport_url names '
                    'nosuch, but 2025.1 has no such transport (nor does '
                    '2024.1); manila-api does not start',
                ),
                (
                    'INFO',
                    '[audit_middleware_notifications] colour is ignored: '
                    'neither 2024.1 nor 2025.1 knows it in this section',
                ),
            ],
            self.found(
                '[audit_middleware_notifications]\n'
                'use_oslo_messaging = perhaps\n'
                'transport_url = nosuch://a\ncolour = red\n',
                'watch',
            ),
        )

    def test_what_the_section_of_the_filter_sets_wins(self):
        found = self.found(
            '[oslo_middleware]\nmax_request_body_size = 1\n', 'size'
        )
        path = self.site.file('api-paste.ini')
        self.assertEqual(
            [
                (
                    'INFO',
                    '[oslo_middleware] max_request_body_size has no effect: '
                    f'[filter:size] of {path}:14 sets it for '
                    'oslo_middleware.sizelimit',
                )
            ],
            found,
        )

    @ddt.named_data(
        [
            'a header',
            'oslo_middleware',
            'secure_proxy_ssl_header = X-Proto',
            ('2023.1', '2024.1'),
            'https',
            'the API does not load oslo_middleware.ssl, which alone reads it',
        ],
        [
            'a path',
            'healthcheck',
            'path = /status',
            ('2025.1', '2026.1'),
            'health',
            'the API does not load oslo_middleware.healthcheck as a filter, '
            'which alone uses it',
        ],
        [
            'a login',
            'keystone_authtoken',
            'identity_uri = http://a',
            ('2026.1', '2026.2'),
            'cors',
            '2026.1 logs in with the plugin of auth_type, which does not read '
            'it',
        ],
    )
    @ddt.unpack
    def test_loss_of_an_option_that_the_source_does_not_use(
        self, section, line, upgrade, loading, why
    ):
        source, target = upgrade
        paste = (
            PASTE + '[filter:https]\nuse = egg:oslo.middleware#ssl\n'
            '[filter:health]\npaste.filter_factory = '
            'oslo_middleware:Healthcheck.factory\n'
        )
        login = {'keystone_authtoken': 'auth_type = none\n'}
        for pipeline, more, unused in (
            ('cors', login.get(section, ''), True),
            (loading, '', False),
        ):
            found = self.found(
                f'[{section}]\n{line}\n{more}',
                pipeline,
                paste,
                source=source,
                target=target,
            )
            self.assertEqual(
                (
                    'INFO' if unused else 'WARNING',
                    f'[{section}] {line} is read by {source}, but {target} '
                    'removed it and ignores the line'
                    + f'; this has no effect: {why}'
                    * unused,
                ),
                found[0],
            )

    @ddt.data(('cors', 'INFO'), ('tokens', 'FAILURE'), (None, 'FAILURE'))
    @ddt.unpack
    def test_a_rejected_value_that_no_token_filter_reads(
        self, pipeline, severity
    ):
        paste = PASTE + (
            '[filter:tokens]\npaste.filter_factory = '
            'keystonemiddleware.auth_token:filter_factory\n'
        )
        effect = (
            'the API does not load keystonemiddleware.auth_token, which alone '
            'uses it'
            if severity == 'INFO'
            else 'the service that reads it exits at startup'
        )
        self.assertEqual(
            [
                (
                    severity,
                    '[keystone_authtoken] delay_auth_decision = perhaps: '
                    f'2025.1 rejects the value, and {effect}; so does 2024.1',
                )
            ],
            self.found(
                '[keystone_authtoken]\ndelay_auth_decision = perhaps\n',
                pipeline,
                paste,
            ),
        )

    @ddt.data(None, 'ours', 'nosuch')
    def test_silent_where_it_is_not_known_what_is_loaded(self, pipeline):
        self.assertEqual([], self.found('[cors]\nmax_age = 9\n', pipeline))

    def test_silent_where_the_filter_reads_files_of_its_own(self):
        paste = PASTE.replace('= 9', '= 9\noslo_config_file = /x.conf')
        conf = '[oslo_middleware]\nmax_request_body_size = 1\n'
        self.assertEqual([], self.found(conf, 'size', paste))

    @ddt.data(
        ('2024.1', '2025.1', []),
        (
            '2025.1',
            '2026.1',
            [
                (
                    'WARNING',
                    '[cors.one] allowed_origin = https://a is read by '
                    '2025.1, but 2026.1 removed it and ignores the line',
                )
            ],
        ),
        (
            '2026.1',
            '2026.2',
            [
                (
                    'INFO',
                    '[cors.one] allowed_origin is ignored: nothing in 2026.1 '
                    'or 2026.2 reads section [cors.one]',
                )
            ],
        ),
    )
    @ddt.unpack
    def test_a_section_for_each_origin(self, source, target, expected):
        self.assertEqual(
            expected,
            self.found(
                '[cors.one]\nallowed_origin = https://a\n',
                'cors',
                source=source,
                target=target,
            ),
        )
