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

"""A report without names, of a database that does not say all of them."""

import io
import json
import os
import uuid

import fixtures

from manila_precheck.cmd import precheck
from manila_precheck.tests import databases

_CONF = """\
[DEFAULT]
enabled_share_backends =
[database]
connection = {url}
"""


class RedactNamesPostgreSQLTest(databases.PostgreSQLTest):
    def report(self, url):
        path = self.useFixture(fixtures.TempDir()).path
        conf = os.path.join(path, 'manila.conf')
        with open(conf, 'w') as stream:
            stream.write(_CONF.format(url=url))
        stdout, stderr = io.StringIO(), io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            with fixtures.MonkeyPatch('sys.stderr', stderr):
                code = precheck.main(
                    [
                        '--config-file',
                        conf,
                        'upgrade',
                        'check',
                        '--target-release',
                        '2026.1',
                        '--redact-names',
                        '--format',
                        'json',
                    ]
                )
        self.assertEqual('', stderr.getvalue())
        self.assertEqual(2, code)
        return stdout.getvalue()

    def test_a_table_that_may_not_be_read_left_no_report(self):
        made = self.database('2025.1')
        made.insert('availability_zones', {'id': 'zone-1', 'name': 'nova'})
        made.insert(
            'services',
            {
                'host': 'controller-7@lvm',
                'binary': 'manila-share',
                'topic': 'manila-share',
                'availability_zone_id': 'zone-1',
                'state': 'up',
                'updated_at': made.now(),
            },
        )
        made.insert('shares', {'id': 'a' * 36, 'deleted': 'False'})
        made.insert(
            'share_instances',
            {
                'id': 'c' * 36,
                'share_id': 'a' * 36,
                'host': 'controller-7@lvm#pool',
                'status': 'extending',
            },
        )
        role = f'precheck_{uuid.uuid4().hex[:12]}'
        made.admin(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        self.addCleanup(made.admin, f'DROP ROLE {role}')
        self.addCleanup(made.execute, f'DROP OWNED BY {role}')
        made.execute(
            f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}',
            f'REVOKE SELECT ON share_groups FROM {role}',
        )
        text = self.report(
            databases.url_of('postgresql', made.name, role, 'secret')
        )
        self.assertNotIn('controller-7', text)
        self.assertRegex(text, 'host-[0-9]+@lvm')
        (one,) = [
            one
            for one in json.loads(text)['checks']
            if one['id'] == 'redact-names'
        ]
        self.assertEqual('error', one['outcome'])
        self.assertIn(
            'this report may still contain host names; they could not be '
            'read: ',
            one['reason'],
        )
        self.assertIn('table share_groups', one['reason'])
