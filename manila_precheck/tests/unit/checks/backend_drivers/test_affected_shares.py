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

"""How much stands behind a back end that does not start, by database."""

import ddt

from manila_precheck import model
from manila_precheck.tests import backend_drivers
from manila_precheck.tests import databases
from manila_precheck.tests.backend_drivers import CEPHFS
from manila_precheck.tests.backend_drivers import enabled
from manila_precheck.tests.backend_drivers import GENERIC
from manila_precheck.tests.backend_drivers import GLUSTER
from manila_precheck.tests.backend_drivers import section

#: Back end a does not start, b does.
TWO = enabled(
    section('a', f'share_driver = {CEPHFS}'),
    section(
        'b',
        f'share_driver = {GENERIC}',
        'driver_handles_share_servers = True',
    ),
    names='a,b',
)


def instance(host, **values):
    return {'host': host, 'deleted': 'False', **values}


@ddt.ddt
class Scenarios(backend_drivers.BackendDrivers):
    def fails(self, database, conf=TWO, **kwargs):
        """Return what the failures say is behind, with their figures."""
        result = self.run_check(
            conf, connection=database.url if database else None, **kwargs
        )
        self.assertEqual(model.Outcome.FOUND, result.outcome)
        return [
            (
                f.message.rpartition('(')[2].rstrip(')'),
                f.data.get('enabled_backends'),
                f.data['share_instances'],
            )
            for f in result.findings
            if f.severity is model.Severity.FAILURE
        ]

    @ddt.data('2024.1', '2025.2')
    def test_live_instances_of_the_enabled_back_ends(self, release):
        db = self.database(release)
        db.insert(
            'share_instances',
            instance('ctl1@a#pool'),
            instance('ctl1@a#pool'),
            instance('ctl2@a'),
            instance('ctl1@b#pool#with@marks'),
            # Not enabled, of another name, deleted, not scheduled yet.
            instance('ctl1@c#pool'),
            instance('ctl1@ab#pool'),
            instance('ctl1#a'),
            instance('ctl1@a#pool', deleted='x'),
            instance(None),
        )
        self.assertEqual(
            [('2 enabled, 4 share instances on them', 2, 4)], self.fails(db)
        )

    def test_the_host_of_the_files_alone(self):
        db = self.database('2024.1')
        db.insert(
            'share_instances',
            instance('ctl1@a#pool'),
            instance('ctl2@a#pool'),
            instance('ctl2@b#pool'),
        )
        conf = TWO.replace('[DEFAULT]', '[DEFAULT]\nhost = ctl1')
        self.assertEqual(
            [('2 enabled, 1 share instance on them', 2, 1)],
            self.fails(db, conf),
        )

    def test_the_back_end_of_default(self):
        db = self.database('2024.1')
        db.insert(
            'share_instances',
            instance('ctl1#pool'),
            instance('ctl1@a#pool'),
        )
        conf = f'[DEFAULT]\nshare_driver = {CEPHFS}\n'
        self.assertEqual(
            [('1 enabled, 1 share instance on it', 1, 1)],
            self.fails(db, conf),
        )

    def test_no_row(self):
        self.assertEqual(
            [('2 enabled, 0 share instances on them', 2, 0)],
            self.fails(self.database('2024.1')),
        )

    def test_an_empty_database(self):
        self.assertEqual(
            [('2 enabled, 0 share instances on them', 2, 0)],
            self.fails(self.database()),
        )

    def test_a_database_that_lacks_the_table(self):
        db = self.database('2024.1')
        names = {'mysql': '`{}`'}.get(self.server, '"{}"')
        if self.server == 'mysql':
            db.execute('SET foreign_key_checks = 0')
        cascade = ' CASCADE' if self.server == 'postgresql' else ''
        db.execute(f'DROP TABLE {names.format("share_instances")}{cascade}')
        self.assertEqual(
            [('2 enabled, share instances not counted', 2, None)],
            self.fails(db),
        )

    def test_one_back_end_that_stays_down(self):
        db = self.database('2024.1')
        db.insert(
            'share_instances',
            instance('ctl1@a#pool'),
            instance('ctl1@b#pool'),
            instance('ctl1@b#pool'),
        )
        conf = enabled(
            section(
                'a',
                f'share_driver = {GENERIC}',
                'driver_handles_share_servers = True',
            ),
            section(
                'b',
                f'share_driver = {GLUSTER}',
                'driver_handles_share_servers = False',
            ),
            names='a,b',
        )
        path = self.write(
            'inventory.yaml',
            'backends: {b: {system: GlusterFS, version: 3.4}}\n',
        )
        self.assertEqual(
            [('2 share instances on it', None, 2)],
            self.fails(db, conf, own={'storage_inventory': path}),
        )


class RadiusTest(Scenarios, databases.SQLiteTest):
    def test_no_database(self):
        self.assertEqual(
            [('2 enabled, share instances not counted', 2, None)],
            self.fails(None),
        )

    def test_a_database_that_cannot_be_used(self):
        result = self.run_check(
            TWO, connection='mysql+pymysql://u:p@127.0.0.1:1/manila'
        )
        (found,) = [
            f for f in result.findings if f.severity is model.Severity.FAILURE
        ]
        self.assertEqual(model.Outcome.FOUND, result.outcome)
        self.assertIsNone(found.data['share_instances'])
