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
INFO = model.Severity.INFO

UNIT = 'root/etc/systemd/system/{0}.service'
WANTED = 'root/etc/systemd/system/multi-user.target.wants/{0}.service'


def unit(service, *lines):
    """Return the files of a unit that starts with the machine."""
    text = '\n'.join(
        ('[Service]', f'ExecStart=/usr/bin/{service}', *lines, '')
    )
    return {UNIT.format(service): text, WANTED.format(service): ''}


@ddt.ddt
class EnvironmentsTest(testtools.TestCase):
    """What the environment of a service sets is as good as a line."""

    def found(self, config, files, check='config-options', **more):
        more = {'controller': True, **more}
        self.site = self.useFixture(testing.Site(config, files, **more))
        return [
            (
                one.severity,
                one.subject.name,
                one.subject.file,
                one.message.replace(self.site.path, ''),
            )
            for one in self.site.run(check).findings
        ]

    def test_a_value_that_the_target_rejects(self):
        at = (
            'OS_DEFAULT__PERIODIC_INTERVAL in the environment of '
            'manila-share.service'
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/periodic_interval',
                    at,
                    '[DEFAULT] periodic_interval = soon: 2025.1 rejects the '
                    'value, and the service that reads it exits at startup; '
                    'so does 2024.1',
                )
            ],
            self.found(
                '[DEFAULT]\nperiodic_interval = 60\n',
                unit(
                    'manila-share',
                    'Environment=OS_DEFAULT__PERIODIC_INTERVAL=soon',
                ),
            ),
        )

    def test_a_bad_line_that_the_environment_overrides(self):
        files = {}
        for name in ('api', 'scheduler', 'share', 'data'):
            files.update(
                unit(
                    f'manila-{name}',
                    'Environment=OS_DEFAULT__PERIODIC_INTERVAL=60',
                )
            )
        # "manila-manage db sync" has no such environment.
        (told,) = self.found('[DEFAULT]\nperiodic_interval = soon\n', files)
        self.assertEqual((FAILURE, 'DEFAULT/periodic_interval'), told[:2])
        self.assertEqual([], self.found('[DEFAULT]\n', files))

    def test_an_old_name(self):
        self.assertEqual(
            [
                (
                    INFO,
                    'DEFAULT/quota_shares',
                    'OS_DEFAULT__QUOTA_SHARES in the environment of '
                    'manila-api.service',
                    '[DEFAULT] quota_shares has no effect: it is an old '
                    'name of [quota] shares, and '
                    'oslo.config does not look for old names in the '
                    'environment',
                )
            ],
            self.found(
                '[DEFAULT]\n',
                unit('manila-api', 'Environment=OS_DEFAULT__QUOTA_SHARES=60'),
                source='2023.1',
                target='2024.1',
            ),
        )

    def test_a_section_that_only_the_environment_has(self):
        files = unit(
            'manila-share',
            'Environment=OS_DEFAULT__ENABLED_SHARE_BACKENDS=gen',
            'Environment=OS_GEN__DRIVER_HANDLES_SHARE_SERVERS=False',
            'Environment=OS_GEN__SHARE_DRIVER='
            'manila.share.drivers.gone.GoneDriver',
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'gen',
                    'OS_GEN__SHARE_DRIVER in the environment of '
                    'manila-share.service',
                )
            ],
            [
                one[:3]
                for one in self.found('[DEFAULT]\n', files, 'backend-drivers')
            ],
        )

    def test_a_name_with_capitals(self):
        files = unit(
            'manila-api',
            'Environment=OS_DEFAULT__OSAPI_SHARE_BASE_URL=http://api',
        )
        self.assertEqual([], self.found('[DEFAULT]\n', files))
        (view,) = self.site.context().seen_by('manila-api')
        self.assertEqual(
            'http://api', view.config.value('DEFAULT', 'osapi_share_base_URL')
        )

    @ddt.data(
        # A file wins, wherever its line stands.
        (
            'EnvironmentFile=-/etc/default/m',
            'Environment=OS_DEFAULT__STORAGE_AVAILABILITY_ZONE=a',
        ),
        # An empty one takes back what stands before it.
        (
            'Environment=OS_DEFAULT__STORAGE_AVAILABILITY_ZONE=a '
            'OS_DEFAULT__DEBUG=x',
            'Environment=',
            'EnvironmentFile=/etc/default/m',
        ),
        ('Environment="OS_DEFAULT__STORAGE_AVAILABILITY_ZONE=b%%%p"',),
    )
    def test_what_a_unit_sets(self, lines):
        files = unit('manila-share', *lines)
        files['root/etc/default/m'] = (
            '# OS_DEFAULT__STORAGE_AVAILABILITY_ZONE=c\n'
            + ('OS_DEFAULT__STORAGE_AVAILABILITY_ZONE=b%manila-share\n')
        )
        self.assertEqual(
            [], self.found('[DEFAULT]\nstorage_availability_zone = f\n', files)
        )
        (view,) = self.site.context().seen_by('manila-share')
        self.assertEqual(
            'b%manila-share',
            view.config.value('DEFAULT', 'storage_availability_zone'),
        )
        self.assertIsNone(view.config.value('DEFAULT', 'debug'))

    def test_services_that_do_not_agree(self):
        files = unit(
            'manila-share',
            'Environment=OS_DATABASE__CONNECTION=mysql://u:hush@h/m',
        )
        config = '[database]\nconnection = mysql://u:p@g/n\n'
        found = self.found(config, files, 'service-files')
        self.assertEqual(
            [
                (
                    FAILURE,
                    'database/connection',
                    'the services have different values of [database] '
                    'connection: manila-api, manila-scheduler, manila-data, '
                    'manila-manage: mysql at g:3306, database n '
                    '(/manila.conf:2); manila-share: mysql at h:3306, '
                    'database m (OS_DATABASE__CONNECTION in '
                    'the environment of manila-share.service): they do not '
                    'share their rows, and db sync migrates only one of the '
                    'databases',
                )
            ],
            [(one[0], one[1], one[3]) for one in found],
        )
        # It says nothing of a host that the files are not for.
        self.assertEqual(
            [], self.found(config, files, 'service-files', controller=False)
        )

    def test_a_secret_is_not_shown(self):
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\n',
                unit(
                    'manila-share',
                    'Environment=OS_DATABASE__CONNECTION=my$ql://u:hush@h/m',
                    'Environment=OS_NEUTRON__PASSWORD=hushhush',
                ),
                controller=True,
            )
        )
        ctx = site.context()
        result = site.run('config-options', ctx)
        self.assertNotIn('hush', repr(result))
        self.assertNotIn('hush', repr(ctx.services))
        self.assertEqual('***', ctx.redactor('hushhush'))

    def test_no_remedy_edits_a_variable(self):
        config = '[DEFAULT]\nperiodic_interval = soon\n'
        site = self.useFixture(testing.Site(config, controller=True))
        self.assertNotEqual({}, site.edits('config-options'))
        files = unit(
            'manila-share', 'Environment=OS_DEFAULT__PERIODIC_INTERVAL=soon'
        )
        site = self.useFixture(
            testing.Site('[DEFAULT]\n', files, controller=True)
        )
        self.assertEqual({}, site.edits('config-options'))
