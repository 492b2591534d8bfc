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


@ddt.ddt
class MisspeltSectionsTest(testtools.TestCase):
    def told(self, conf, **more):
        site = self.useFixture(testing.Site(conf, **more))
        self.file = site.file('manila.conf')
        return [
            one
            for one in site.run('config-options').findings
            if one.aspect == 'section'
        ]

    @ddt.data(
        (
            '[DEFUALT]\nreport_interval = 5\nhost = a\n',
            WARNING,
            'DEFUALT',
            '2 of its 2 lines are options',
            'DEFAULT',
            '',
        ),
        (
            '[default]\ndebug = True\n',
            WARNING,
            'default',
            'its line is an option',
            'DEFAULT',
            '',
        ),
        (
            '[default]\ndebug = True\nenabled_share_backends = a\n[a]\n',
            FAILURE,
            'default',
            '2 of its 2 lines are options',
            'DEFAULT',
            ': manila-share exits with 1',
        ),
        (
            '[defaults]\ntransport_url = rabbit://h/\n',
            FAILURE,
            'defaults',
            'its line is an option',
            'DEFAULT',
            ': the services look for a broker on localhost',
        ),
        (
            '[databse]\nmax_retries = -1\nconnection = sqlite://\n',
            FAILURE,
            'databse',
            '2 of its 2 lines are options',
            'database',
            ': the services use a SQLite file in place of the database',
        ),
        (
            '[keystone_authtokens]\nauth_url = http://k\nx = 1\n'
            'memcached_servers = m:11211\n',
            WARNING,
            'keystone_authtokens',
            '2 of its 3 lines are options',
            'keystone_authtoken',
            '',
        ),
    )
    @ddt.unpack
    def test_told(self, conf, severity, section, count, meant, effect):
        told = self.told(conf)
        name = conf.split('\n')[1].partition(' ')[0]
        self.assertEqual(
            [
                model.Finding(
                    severity,
                    model.Subject(
                        'option', f'{section.lower()}/{name}', self.file, 2
                    ),
                    f'nothing reads the section [{section}], and {count} of '
                    f'[{meant}]{effect}',
                    (
                        model.advice(
                            f'Write [{meant}] in place of [{section}].'
                        ),
                    ),
                    check_id='config-options',
                    data={'verdict': 'unknown', 'section': meant},
                    aspect='section',
                )
            ],
            told,
        )

    @ddt.data(
        # Sections that are read.
        '[DEFAULT]\ndebug = True\n[Database]\nmax_retries = 5\n',
        '[DEFAULT]\nenabled_share_backends = database1\n'
        '[database1]\nmax_retries = 5\n',
        # What it says is said where it counts.
        '[databse]\nmax_retries = 5\n[database]\nmax_retries = 6\n',
        # It has mostly other lines.
        '[databse]\nmax_retries = 5\ntables = 6\n',
        # Nothing is near.
        '[backend_defaults]\nreport_interval = 5\n',
        # It was read once.
        '[oslo_messaging_amqp]\ncontainer_name = a\n',
        '[defaults]\n',
    )
    def test_silent(self, conf):
        self.assertEqual([], self.told(conf))

    def test_an_empty_value_is_no_loss(self):
        (told,) = self.told('[default]\nenabled_share_backends =\n')
        self.assertIs(WARNING, told.severity)

    @ddt.data(('2023.1', '2024.1'), ('2026.1', '2026.2'))
    @ddt.unpack
    def test_every_release(self, source, target):
        self.assertEqual(
            [WARNING],
            [
                one.severity
                for one in self.told(
                    '[DEFUALT]\nhost = a\n', source=source, target=target
                )
            ],
        )
