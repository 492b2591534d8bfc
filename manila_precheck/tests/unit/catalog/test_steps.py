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

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import steps

FACTS = catalog.Catalog()
Operation = steps.Operation


def of(revision, major=23):
    return FACTS.steps(releases.from_major(major))[revision]


@ddt.ddt
class TestSteps(testtools.TestCase):
    def test_rows_are_written_by_two_migrations_alone(self):
        found = [
            (revision, step.table)
            for revision, done in FACTS.steps(releases.from_major(23)).items()
            for step in done
            if step.operation is Operation.WRITE_ROWS
        ]
        self.assertEqual(
            [
                ('2d708a9a3ba9', 'share_backups'),
                (
                    'a87e0fb17dee',
                    'share_server_share_network_subnet_mappings',
                ),
                ('a87e0fb17dee', 'network_allocations'),
            ],
            found,
        )

    def test_a_column_that_comes_asks_nothing_of_the_rows(self):
        """Or pending-migrations has to look for the NULLs in its way."""
        newest = FACTS.releases[-1]
        tables = FACTS.tables(newest)
        found = [
            (revision, f'{step.table}.{step.column}')
            for revision, done in FACTS.steps(newest).items()
            for step in done
            if step.operation
            in (Operation.ADD_COLUMN, Operation.MODIFY_COLUMN)
            for column in tables[step.table].columns
            if column.name == step.column
            and not column.nullable
            and column.default is None
        ]
        self.assertEqual([], found)

    def test_the_steps_of_a_migration(self):
        self.assertEqual(
            (
                steps.MigrationStep(
                    Operation.ADD_COLUMN,
                    'share_backups',
                    'availability_zone_id',
                ),
                steps.MigrationStep(Operation.WRITE_ROWS, 'share_backups'),
                steps.MigrationStep(
                    Operation.DROP_COLUMN, 'share_backups', 'availability_zone'
                ),
                steps.MigrationStep(
                    Operation.ADD_FOREIGN_KEY,
                    'share_backups',
                    columns=('availability_zone_id',),
                    parent='availability_zones',
                    references=('id',),
                ),
            ),
            of('2d708a9a3ba9'),
        )

    def test_a_foreign_key_is_dropped_on_mysql_alone(self):
        (step,) = [
            s
            for s in of('a87e0fb17dee')
            if s.operation is Operation.DROP_FOREIGN_KEY
        ]
        self.assertEqual((True, False), (step.on('mysql'), step.on('sqlite')))
        self.assertFalse(step.on('postgresql'))

    def test_a_later_release_does_the_same(self):
        # But for 12: SQLAlchemy 1.3 adds a CHECK, and MariaDB rebuilds.
        for before, after in zip(FACTS.releases[1:], FACTS.releases[2:]):
            held = FACTS.steps(after)
            for revision, done in FACTS.steps(before).items():
                self.assertEqual(done, held[revision])


@ddt.ddt
class TestColumnsAt(testtools.TestCase):
    @ddt.data(*[release.major for release in FACTS.releases])
    def test_at_a_head(self, major):
        release = releases.from_major(major)
        self.assertEqual(
            FACTS.columns(release), FACTS.columns_at(FACTS.head(release))
        )

    @ddt.data(*[release.major for release in FACTS.releases[1:]])
    def test_undoing_a_release_gives_the_one_before(self, major):
        release = releases.from_major(major)
        before = FACTS.releases[FACTS.releases.index(release) - 1]
        chain = FACTS.chain(release)
        new = chain[len(FACTS.chain(before)) :]
        known = FACTS.steps(release)
        done = [step for name in new for step in known[name]]
        self.assertEqual(
            FACTS.columns(before),
            steps.undone(FACTS.columns(release), tuple(done)),
        )

    def test_in_the_middle_of_a_release(self):
        later = FACTS.columns(releases.from_major(22))
        known = FACTS.columns_at('eead2cb81845')
        assert known is not None
        self.assertEqual(
            {'share_instance_metadata'},
            {table for table, _ in later - known},
        )

    def test_a_column_that_came_and_went_in_one_release(self):
        columns = FACTS.columns_at('9afbe2df4945') or ()
        self.assertIn(('share_backups', 'availability_zone'), columns)

    @ddt.data('feedf00d', '162a3e673105', 'e6d88547b381')
    def test_what_is_not_known(self, revision):
        self.assertIsNone(FACTS.columns_at(revision))

    def test_the_last_of_11(self):
        columns = FACTS.columns_at('5aa813ae673d') or ()
        self.assertNotIn(('share_networks', 'status'), columns)
        self.assertIn(('share_networks', 'id'), columns)
