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

"""What the libraries of a release load of an api-paste.ini."""

import json

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests.unit.catalog import test_builds

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING

# What every release since wallaby loads; the section under test is on
# line 19.
FILE = """\
[composite:osapi_share]
use = call:manila.api:root_app_factory
/: apiversions
/v2: v2

[composite:v2]
use = call:manila.api.middleware.auth:pipeline_factory
keystone = request_id mine authtoken apiv2

[pipeline:apiversions]
pipeline = request_id versions

[app:apiv2]
paste.app_factory = manila.api.v2.router:APIRouter.factory

[app:versions]
paste.app_factory = manila.api.versions:VersionsRouter.factory

[filter:mine]
{}

[filter:request_id]
paste.filter_factory = oslo_middleware.request_id:RequestId.factory

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""
HEALTHCHECK = 'oslo_middleware:Healthcheck.factory'
# The file with which the target has an environment, and what is in it.
WITH = json.loads(test_builds.changed('release', version='22.0.2.dev1'))
WITH['importable'] = ['acme', 'keystonemiddleware', 'manila']
WITH['drivers'] += [
    {
        'kind': 'paste_factory',
        'name': 'egg:acme#audit',
        'ways': {'paste.filter_factory': 'loads'},
    },
    {'kind': 'paste_module', 'name': 'acme', 'names': ['Audit']},
    {'kind': 'paste_module', 'name': 'acme.other', 'unread': True},
    {
        'kind': 'paste_factory',
        'name': 'acme:Audit.factory',
        'ways': {'paste.filter_factory': 'loads'},
    },
]


@ddt.ddt
class FactoriesTest(testtools.TestCase):
    def run_check(self, lines, source='2025.1', target='2026.1', facts=None):
        self.site = self.useFixture(
            testing.Site(
                source=source,
                target=None if facts else target,
                files={
                    'api-paste.ini': FILE.format(lines),
                    'facts.json': json.dumps(facts),
                },
            )
        )
        self.path = self.site.file('api-paste.ini')
        ctx = self.site.context()
        if facts:
            ctx.conf.set_override(
                'target_catalog',
                self.site.file('facts.json'),
                group='manila_precheck',
            )
            ctx.take_builds()
        result = self.site.run('api-paste', ctx)
        return [f for f in result.findings if f.subject.name == 'filter:mine']

    def said(self, *args, **kwargs):
        return [
            (one.severity, one.message)
            for one in self.run_check(*args, **kwargs)
        ]

    def test_a_filter_that_has_become_an_application(self):
        found = self.run_check(
            f'paste.filter_factory = {HEALTHCHECK}\n'
            'path = /alive\nbackends = disable_by_file'
        )
        self.assertEqual(
            [
                model.Finding(
                    FAILURE,
                    model.Subject('paste', 'filter:mine', self.path, 20),
                    f'[filter:mine] loads {HEALTHCHECK} as a filter, which '
                    'fails in 2026.1 (2025.2 was the last that loads it); '
                    'manila-api does not start (NotImplementedError)',
                    (
                        model.config(
                            f'# in {self.path}\n[composite:v2]\n'
                            'keystone = request_id authtoken apiv2'
                        ),
                        model.config(
                            f'# in {self.path}\n[app:mine]\n'
                            'paste.app_factory = '
                            'oslo_middleware:Healthcheck.app_factory\n'
                            'backends = disable_by_file'
                        ),
                        model.config(
                            f'# in {self.path}\n[composite:osapi_share]\n'
                            'use = call:manila.api:root_app_factory\n'
                            '/: apiversions\n/v2: v2\n/alive: mine'
                        ),
                    ),
                    ('manila 22.0.2 etc/manila/api-paste.ini',),
                    {'factory': HEALTHCHECK, 'error': 'NotImplementedError'},
                    'factory',
                    check_id='api-paste',
                )
            ],
            found,
        )

    @ddt.data(
        'oslo_middleware.cors:CORS',
        'manila.api.middleware.fault:FaultWrapper',
        'osprofiler.web:WsgiMiddleware',
    )
    def test_a_class_instead_of_its_factory(self, name):
        found = self.run_check(
            f'paste.filter_factory = {name}', '2024.1', '2025.1'
        )
        self.assertEqual(
            [
                model.Finding(
                    FAILURE,
                    model.Subject('paste', 'filter:mine', self.path, 20),
                    f'[filter:mine] loads {name}, which is no factory: it is '
                    'called with the options of the file, and what it returns '
                    'then with the application; manila-api does not start '
                    '(AttributeError)',
                    (
                        model.config(
                            f'# in {self.path}\n[filter:mine]\n'
                            f'paste.filter_factory = {name}.factory'
                        ),
                    ),
                    ('manila 20.0.3 etc/manila/api-paste.ini',),
                    data={'factory': name},
                    aspect='factory',
                    check_id='api-paste',
                )
            ],
            found,
        )

    @ddt.data(('2024.1', '2025.1'), ('2025.1', '2025.2'))
    @ddt.unpack
    def test_a_filter_that_still_loads(self, source, target):
        lines = f'paste.filter_factory = {HEALTHCHECK}'
        self.assertEqual([], self.said(lines, source, target))

    @ddt.data(
        (
            'paste.filter_factory = oslo_middleware.ssl:SSLMiddleware.factory',
            'oslo_middleware.ssl:SSLMiddleware.factory',
            'ModuleNotFoundError',
            '2024.1',
            '2025.1',
            '2023.2',
        ),
        (
            'use = egg:oslo.middleware#ssl',
            'egg:oslo.middleware#ssl',
            'LookupError',
            '2024.1',
            '2025.1',
            '2023.2',
        ),
        (
            'use = egg:keystonemiddleware#s3_token',
            'egg:keystonemiddleware#s3_token',
            'LookupError',
            '2025.1',
            '2026.1',
            '2025.2',
        ),
        (
            'paste.filter_factory = '
            'keystonemiddleware.ec2_token:filter_factory',
            'keystonemiddleware.ec2_token:filter_factory',
            'ModuleNotFoundError',
            '2025.1',
            '2026.1',
            '2025.2',
        ),
    )
    @ddt.unpack
    def test_what_a_library_no_longer_has(
        self, lines, spec, error, source, target, last
    ):
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'[filter:mine] loads {spec}, which {target} does not '
                    f'have ({last} was the last to have it); manila-api does '
                    f'not start ({error})',
                )
            ],
            self.said(lines, source, target),
        )

    @ddt.data('2023.1', '2023.2')
    def test_what_a_library_still_has(self, target):
        spec = 'oslo_middleware.ssl:SSLMiddleware.factory'
        lines = f'paste.filter_factory = {spec}'
        self.assertEqual([], self.said(lines, 'zed', target))

    @ddt.data(
        'use = egg:oslo.middleware#request_id',
        'use = egg:Oslo_Middleware#request_id',
        'use = egg:osprofiler',
        'use = egg:Paste#translogger',
        'use = call:keystonemiddleware.audit:filter_factory',
        'paste.filter_factory = osprofiler.web:WsgiMiddleware.factory',
        # What it takes is not known: only factories are tried.
        'paste.filter_app_factory = osprofiler.web:WsgiMiddleware',
        # It may need settings.
        'paste.filter_factory = oslo_middleware.cors:CORS.factory',
        'paste.filter_factory = oslo_middleware.basic_auth:'
        'BasicAuthMiddleware.factory',
        # Not gone through.
        'paste.filter_factory = oslo_middleware.tests:factory',
        'paste.filter_factory = webob.acme:factory',
    )
    def test_what_loads(self, lines):
        expected = []
        if lines == 'use = egg:osprofiler':
            # There is no entry point main.
            expected = [
                (
                    FAILURE,
                    '[filter:mine] loads egg:osprofiler#main, which 2026.1 '
                    'does not have (no release since wallaby has it); '
                    'manila-api does not start (LookupError)',
                )
            ]
        self.assertEqual(expected, self.said(lines))

    def test_a_name_with_a_dot_after_call(self):
        spec = 'oslo_middleware.debug:Debug.factory'
        (found,) = self.run_check(f'use = call:{spec}\nlevel = 1')
        self.assertEqual(
            (
                FAILURE,
                f'[filter:mine] loads {spec} with "use = call:", which does '
                'not look up a name with a dot in it; manila-api does not '
                'start (AttributeError)',
                (
                    model.config(
                        f'# in {self.path}\n[filter:mine]\n'
                        f'paste.filter_factory = {spec}\nlevel = 1'
                    ),
                ),
            ),
            (found.severity, found.message, found.remediation),
        )

    def test_another_key(self):
        spec = 'keystonemiddleware.audit:filter_factory'
        (found,) = self.run_check(f'paste.filter_app_factory = {spec}')
        self.assertEqual(
            (
                FAILURE,
                f'[filter:mine] loads {spec} as a filter, which fails in '
                '2026.1 (no release since wallaby loads it so); manila-api '
                'does not start (TypeError)',
                (
                    model.config(
                        f'# in {self.path}\n[filter:mine]\n'
                        f'paste.filter_factory = {spec}'
                    ),
                ),
            ),
            (found.severity, found.message, found.remediation),
        )

    def test_a_filter_for_an_application(self):
        spec = 'keystonemiddleware.audit:filter_factory'
        site = self.useFixture(
            testing.Site(
                source='2025.1',
                target='2026.1',
                files={
                    'api-paste.ini': FILE.replace('mine authtoken', '')
                    .replace('/v2: v2', '/v2: v2\n/mine: mine')
                    .replace('[filter:mine]', '[app:mine]')
                    .format(f'paste.app_factory = {spec}')
                },
            )
        )
        found = site.run('api-paste').findings
        self.assertEqual(
            (
                FAILURE,
                f'[app:mine] loads {spec} as an application, which it is not '
                '(no release since wallaby loads it so); manila-api of '
                '2026.1 starts, and every request that gets there ends in '
                'status 500 (TypeError)',
            ),
            next(
                (one.severity, one.message)
                for one in found
                if one.subject.name == 'app:mine'
            ),
        )

    @ddt.data(
        'paste.filter_factory = acme:Audit.factory', 'use = egg:acme#audit'
    )
    def test_a_third_party(self, lines):
        spec = lines.partition(' = ')[2]
        unknown = [
            (
                WARNING,
                f'[filter:mine] loads {spec}, which belongs neither to '
                'manila nor to a package that 2026.1 requires; '
                'manila-precheck does not know whether it will be installed',
            )
        ]
        self.assertEqual(unknown, self.said(lines))
        self.assertEqual([], self.said(lines, facts=WITH))

    @ddt.data(
        ('acme.other:factory', ''),
        ('acme:Audit.missing_factory', 'AttributeError'),
        ('acme:Other.factory', 'AttributeError'),
        ('acme.gone:factory', 'ModuleNotFoundError'),
        ('corp.audit:factory', 'ModuleNotFoundError'),
        ('egg:acme#other', 'LookupError'),
        ('egg:corp#audit', 'LookupError'),
        # There, and not gone through.
        ('keystonemiddleware.audit:filter_factory', ''),
    )
    @ddt.unpack
    def test_a_third_party_and_the_environment(self, spec, error):
        key = 'use' if spec.startswith('egg:') else 'paste.filter_factory'
        found = self.run_check(f'{key} = {spec}', facts=WITH)
        if not error:
            self.assertEqual([], found)
            return
        (one,) = found
        self.assertEqual(FAILURE, one.severity)
        self.assertThat(
            one.message,
            testtools.matchers.EndsWith(
                f'does not have (no release since wallaby has it); '
                f'manila-api does not start ({error})'
            ),
        )
