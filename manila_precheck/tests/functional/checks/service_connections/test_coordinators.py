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


from manila_precheck import model
from manila_precheck.tests import databases

FAILURE = model.Severity.FAILURE

_CONF = """\
[DEFAULT]
state_path = /
enabled_share_backends = b
[b]
share_driver = manila.share.drivers.lvm.LVMShareDriver
driver_handles_share_servers = False
[coordination]
backend_url = {}
"""


class Logins(databases.Scenarios):
    """The login at a coordinator that is a database."""

    port = 0
    rejected = missing = ''

    def told(self, user, name):
        url = f'{self.server}://{user}:{databases.USER}@{databases.HOST}'
        result = self.run_check(
            'service-connections',
            self.database(),
            config=_CONF.format(f'{url}/{name}'),
            source='2025.1',
            target='2026.1',
            controller=True,
        )
        return [
            (item.severity, item.subject.name, item.message)
            for item in result.findings
        ]

    def test_it_is_accepted(self):
        self.assertEqual([], self.told(databases.USER, self.database().name))

    def test_it_is_rejected(self):
        place = f'{databases.HOST}:{self.port}'
        for user, name, why in (
            ('nobody_of_manila', self.database().name, self.rejected),
            (databases.USER, 'no_such_database', self.missing),
        ):
            self.assertEqual(
                [
                    (
                        FAILURE,
                        f'coordination/backend_url/{place}',
                        f'[coordination] backend_url, {self.server} at '
                        f'{place}: {why}; manila-api, manila-scheduler and '
                        'manila-share do not start',
                    )
                ],
                self.told(user, name),
            )


class MySQLTest(Logins, databases.MySQLTest):
    port = 3306
    rejected = 'it rejects the login'
    missing = 'it has no such database'


class PostgreSQLTest(Logins, databases.PostgreSQLTest):
    port = 5432
    rejected = missing = 'it rejects the login or the name of the database'
