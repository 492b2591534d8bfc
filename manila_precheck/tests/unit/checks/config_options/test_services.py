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

CHECK = 'config-options'
FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

MAIN = '[DEFAULT]\nenabled_share_backends = ps1\n'
VMAX = (
    '[ps1]\n'
    'share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver\n'
    'driver_handles_share_servers = False\n'
    'emc_share_backend = vmax\n'
    'emc_nas_server = 192.0.2.7\n'
    'emc_nas_login = a\n'
    'emc_nas_password = b\n'
)
SHARE = {'manila-share': ('manila.conf', 'manila-share.conf')}


class ServicesTest(testtools.TestCase):
    """What is said of lines that not every service reads."""

    def found(self, config, files, services, check=CHECK, **more):
        self.site = self.useFixture(
            testing.Site(config, files, services=services, **more)
        )
        return [
            (
                one.severity,
                one.subject.name,
                one.subject.file and one.subject.file[len(self.site.path) :],
                one.subject.line,
                one.message.replace(self.site.path, ''),
            )
            for one in self.site.run(check).findings
        ]

    def test_a_section_of_manila_share_conf_was_missing(self):
        files = {'manila-share.conf': VMAX}
        hop = {'source': '2023.1', 'target': '2024.1'}
        self.assertEqual([], self.found(MAIN, files, SHARE, **hop))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'ps1',
                    '/manila-share.conf',
                    4,
                    '[ps1] emc_share_backend = vmax is not a plugin of '
                    '2024.1; manila-share exits with 1 and starts no back '
                    'end (1 enabled, share instances not counted)',
                )
            ],
            self.found(MAIN, files, SHARE, check='backend-drivers', **hop),
        )

    def test_a_section_that_no_file_of_manila_share_has(self):
        found = self.found(
            MAIN,
            {'manila-api.conf': VMAX},
            {'manila-api': ('manila.conf', 'manila-api.conf')},
            check='backend-drivers',
        )
        self.assertEqual(
            [(FAILURE, 'ps1', '/manila.conf', 2)], [one[:4] for one in found]
        )

    def test_a_copy_for_each_service_is_said_once(self):
        copies = {
            f'manila-{name}/manila.conf': '[oslo_messaging_amqp]\n'
            'idle_timeout = 5\n'
            for name in ('api', 'scheduler', 'share', 'data')
        }
        services = {path.partition('/')[0]: (path,) for path in sorted(copies)}
        services['manila-manage'] = ('manila-api/manila.conf',)
        self.assertEqual(
            [
                (
                    WARNING,
                    'oslo_messaging_amqp/idle_timeout',
                    '/manila-api/manila.conf',
                    2,
                    '[oslo_messaging_amqp] idle_timeout = 5 is read by '
                    '2024.1, but 2025.1 removed it and ignores the line; '
                    'likewise /manila-scheduler/manila.conf:2, '
                    '/manila-share/manila.conf:2, '
                    '/manila-data/manila.conf:2',
                )
            ],
            self.found('', copies, services),
        )

    def test_an_option_that_another_service_alone_uses(self):
        self.assertEqual(
            [
                (
                    INFO,
                    'DEFAULT/osapi_share_workers',
                    '/manila-share.conf',
                    2,
                    '[DEFAULT] osapi_share_workers has no effect: only '
                    'manila-api uses it, and manila-api does not read '
                    '/manila-share.conf',
                )
            ],
            self.found(
                '[DEFAULT]\n',
                {'manila-share.conf': '[DEFAULT]\nosapi_share_workers = 2\n'},
                SHARE,
            ),
        )

    def test_a_copy_of_such_an_option(self):
        copies = {
            f'manila-{name}/manila.conf': '[DEFAULT]\n'
            f'osapi_share_workers = {number}\n'
            for number, name in enumerate(('api', 'scheduler', 'share'), 1)
        }
        services = {path.partition('/')[0]: (path,) for path in copies}
        self.assertEqual([], self.found('', copies, services))

    def test_a_value_that_another_service_alone_refuses(self):
        """What manila.conf sets counts where no later file sets it again."""
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/report_interval',
                    '/manila.conf',
                    2,
                    '[DEFAULT] report_interval = ten: 2025.1 rejects the '
                    'value, and the service that reads it exits at startup; '
                    'so does 2024.1 (as manila-api, manila-scheduler, '
                    'manila-data reads it)',
                )
            ],
            self.found(
                '[DEFAULT]\nreport_interval = ten\n',
                {'manila-share.conf': '[DEFAULT]\nreport_interval = 10\n'},
                SHARE,
            ),
        )

    def test_services_that_read_the_same(self):
        self.assertEqual(
            self.found('[DEFAULT]\nreport_interval = ten\n', {}, None),
            self.found('[DEFAULT]\nreport_interval = ten\n', {}, {}),
        )
