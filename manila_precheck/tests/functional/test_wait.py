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

import io
import json
import threading
import time

import fixtures

from manila_precheck.cmd import precheck
from manila_precheck.cmd import waiting
from manila_precheck.tests import databases


class WaitTest(databases.SQLiteTest):
    """``--wait`` of the command, and a service that stops meanwhile."""

    def setUp(self):
        super().setUp()
        self.patch(waiting, 'POLL_SECONDS', 0.1)
        self.made = self.database('2025.1')
        self.made.insert('availability_zones', {'id': 'z', 'name': 'nova'})
        self.made.insert(
            'services',
            {
                'availability_zone_id': 'z',
                'host': 'ctl1',
                'binary': 'manila-data',
                'topic': 'manila-data',
                'state': 'up',
                'updated_at': self.made.now(),
            },
        )
        folder = self.useFixture(fixtures.TempDir()).path
        self.conf = f'{folder}/manila.conf'
        with open(self.conf, 'w') as stream:
            stream.write(f'[database]\nconnection = {self.made.url}\n')

    def main(self, *words, stage='stopped'):
        stdout = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            code = precheck.main(
                [
                    '--config-file',
                    self.conf,
                    'upgrade',
                    'check',
                    '--stage',
                    stage,
                    '--check',
                    'live-services',
                    '--fail-on',
                    'failure',
                    '--format',
                    'json',
                    *words,
                ]
            )
        (result,) = json.loads(stdout.getvalue())['checks']
        return code, [one['severity'] for one in result['findings']]

    def test_a_service_that_stops_meanwhile(self):
        def stop():
            time.sleep(0.5)
            self.made.execute(
                "UPDATE services SET state = 'stopped', "
                "updated_at = '2024-01-01 00:00:00'"
            )

        thread = threading.Thread(target=stop)
        thread.start()
        code, severities = self.main('--wait', '60')
        thread.join()
        self.assertEqual((0, []), (code, severities))

    def test_a_service_that_comes_back_meanwhile(self):
        """At stage upgraded it is the other way round."""
        self.made.execute(
            "UPDATE services SET state = 'stopped', "
            "updated_at = '2024-01-01 00:00:00'"
        )
        self.assertEqual(
            (2, ['failure']), self.main('--wait', '0.3', stage='upgraded')
        )

        def start():
            time.sleep(0.5)
            self.made.execute(
                "UPDATE services SET state = 'up', "
                f"updated_at = '{self.made.now()}'"
            )

        thread = threading.Thread(target=start)
        thread.start()
        code, severities = self.main('--wait', '60', stage='upgraded')
        thread.join()
        self.assertEqual((0, []), (code, severities))

    def test_one_that_does_not(self):
        self.assertEqual((2, ['failure']), self.main('--wait', '0.3'))

    def test_without_waiting(self):
        self.assertEqual((2, ['failure']), self.main())
