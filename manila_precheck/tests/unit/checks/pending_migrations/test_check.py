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

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'pending-migrations'

# What a migration to 14, and to 17, reads; the source, then the target.
UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)
ORPHAN = model.advice(
    'Delete the row: the share server of the address no longer exists.'
)
ZONE = model.advice(
    'Set availability_zone to the name of an active zone, or note it and set '
    'availability_zone_id afterwards.'
)
SEE = model.advice('See schema-revision.')
SUBNET = model.advice(
    'Set share_network_subnet_id to a subnet of its share network, or to '
    'NULL if the share server is deleted.'
)
RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed.'
)


def orphans(severity, message, rows):
    return model.Finding(
        severity,
        model.Subject('table', 'network_allocations'),
        message,
        (ORPHAN,),
        check_id=CHECK,
        data={'rows': rows},
        aspect='orphans',
    )


def backups(message, rows, aspect):
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('table', 'share_backups'),
        message,
        (ZONE,),
        check_id=CHECK,
        data={'rows': rows},
        aspect=aspect,
    )


@ddt.ddt
class Scenarios(databases.Scenarios):
    def check(self, database, **site):
        result = self.run_check(CHECK, database, **site)
        self.assertEqual('', result.reason)
        return result.findings

    @ddt.data(('xena', 'yoga'), ('2023.1', '2024.1'), *UPGRADES)
    @ddt.unpack
    def test_nothing_to_say(self, release, target):
        result = self.run_check(CHECK, self.database(release), target=target)
        self.assertEqual(
            (model.Outcome.PASSED, '', ()),
            (result.outcome, result.reason, result.findings),
        )

    def test_an_empty_database(self):
        result = self.run_check(CHECK, self.database(), target='2026.1')
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'the database is empty: this is a first install',
            ),
            (result.outcome, result.reason),
        )

    def test_a_revision_that_is_not_on_the_way(self):
        database = self.database('2026.1')
        result = self.run_check(CHECK, database, target='2025.1')
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'no migration path leads from the revision of the database '
                'to 2025.1: see schema-revision',
            ),
            (result.outcome, result.reason),
        )

    def test_not_after_the_upgrade(self):
        result = self.run_check(
            CHECK, self.database('2026.1'), target='2026.1', stage='upgraded'
        )
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)

    @ddt.data(1, 3)
    def test_allocations_that_stop_a_migration(self, count):
        database = self.database('xena')
        database.insert(
            'network_allocations',
            *[
                {'id': f'n{n}', 'share_server_id': 'gone'}
                for n in range(count)
            ],
            # An admin one is not read; nor is one whose server is deleted.
            {'id': 'x1', 'share_server_id': 'gone', 'label': 'admin'},
            {'id': 'x2', 'share_server_id': 's1', 'label': 'user'},
        )
        database.insert('share_servers', {'id': 's1', 'deleted': 's1'})
        found = self.check(database, target='yoga', options={'max_listed': 2})
        words = {
            1: '1 row of network_allocations that name a share server that '
            'does not exist: n0 (gone)',
            3: '3 rows of network_allocations that name a share server that '
            'does not exist: n0 (gone), n1 (gone) and 1 more',
        }
        self.assertIn(
            orphans(
                model.Severity.FAILURE,
                '"manila-manage db sync" fails at revision a87e0fb17dee: '
                + words[count],
                count,
            ),
            found,
        )
        # On MySQL the table is written anew as well.
        self.assertEqual(2 if self.server == 'mysql' else 1, len(found), found)

    @ddt.data(1, 3)
    def test_share_servers_that_stop_a_migration(self, count):
        database = self.database('xena')
        database.insert('share_network_subnets', {'id': 'n1'})
        database.insert(
            'share_servers',
            *[
                {
                    'id': f's{n}',
                    'share_network_subnet_id': 'gone',
                    # It is copied whether deleted or not.
                    'deleted': f's{n}' if n else 'False',
                }
                for n in range(count)
            ],
            {'id': 'x1', 'share_network_subnet_id': 'n1'},
            {'id': 'x2', 'share_network_subnet_id': None},
        )
        words = {
            1: '1 row of share_servers that name a share network subnet that '
            'does not exist: s0 (gone)',
            3: '3 rows of share_servers that name a share network subnet '
            'that does not exist: s0 (gone), s1 (gone) and 1 more',
        }
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('table', 'share_servers'),
                    '"manila-manage db sync" fails at revision a87e0fb17dee: '
                    + words[count],
                    (SUBNET,),
                    check_id=CHECK,
                    data={'rows': count},
                    aspect='no-subnet',
                ),
            ),
            self.check(database, target='yoga', options={'max_listed': 2}),
        )

    def test_share_servers_that_stop_none(self):
        database = self.database('wallaby')
        database.insert(
            'share_servers', {'id': 's1', 'share_network_subnet_id': 'gone'}
        )
        self.assertEqual((), self.check(database, target='xena'))

    def test_a_revision_from_before_the_oldest_release(self):
        """It said that tables are missing which a migration makes."""
        database = self.database('wallaby')
        database.execute(
            "UPDATE alembic_version SET version_num = 'e6d88547b381'",
            'DROP TABLE backend_info',
        )
        result = self.run_check(CHECK, database, target='xena')
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'the effect of the migrations up to wallaby is not known: '
                'see schema-revision',
            ),
            (result.outcome, result.reason),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_allocations_that_stop_none(self, release, target):
        database = self.database(release)
        database.insert(
            'network_allocations', {'id': 'n1', 'share_server_id': 'gone'}
        )
        self.assertEqual(
            (
                orphans(
                    model.Severity.INFO,
                    '1 row of network_allocations that name a share server '
                    'that does not exist: n1 (gone); no pending migration '
                    'reads it',
                    1,
                ),
            ),
            self.check(database, target=target),
        )

    def before_zones(self):
        """Return a database at cb20f743ca7b, in the middle of 2023.2."""
        database = self.database('2023.1')
        database.execute(
            'CREATE TABLE share_backups (id VARCHAR(36) NOT NULL PRIMARY '
            'KEY, deleted VARCHAR(36), availability_zone VARCHAR(255))',
            'ALTER TABLE shares ADD COLUMN source_backup_id VARCHAR(36)',
            'CREATE TABLE resource_locks (id VARCHAR(36) PRIMARY KEY)',
            "UPDATE alembic_version SET version_num = 'cb20f743ca7b'",
        )
        return database

    def backups_of(self, database):
        return [
            finding
            for finding in self.check(
                database, source='2023.1', target='2023.2'
            )
            if finding.subject.name == 'share_backups'
            and finding.aspect.endswith('zone')
        ]

    def test_backups_whose_zone_has_no_row(self):
        database = self.before_zones()
        database.insert('availability_zones', {'id': 'z1', 'name': 'nova'})
        database.execute(
            "INSERT INTO share_backups VALUES ('b1', 'False', 'nova'), "
            "('b2', 'False', 'gone'), ('b3', 'b3', 'gone'), "
            "('b4', 'False', NULL)"
        )
        self.assertEqual(
            [
                backups(
                    '1 backup is will lose the availability zone at revision '
                    '2d708a9a3ba9, because no row of availability_zones has '
                    'that name, and the zone becomes NULL: b2 (gone)',
                    1,
                    'no-zone',
                )
            ],
            self.backups_of(database),
        )

    def test_backups_whose_first_zone_is_deleted(self):
        database = self.before_zones()
        database.insert(
            'availability_zones',
            {'id': 'a1', 'name': 'nova', 'deleted': 'a1'},
            {'id': 'b1', 'name': 'nova'},
            {'id': 'c1', 'name': 'north'},
            {'id': 'd1', 'name': 'north', 'deleted': 'd1'},
        )
        database.execute(
            "INSERT INTO share_backups VALUES ('b1', 'False', 'nova'), "
            "('b2', 'False', 'nova'), ('b3', 'False', 'north')"
        )
        self.assertEqual(
            [
                backups(
                    '2 backups are will lose the availability zone at '
                    'revision 2d708a9a3ba9, because the first row of that '
                    'name is soft-deleted, and its id is used: b1 (nova), b2 '
                    '(nova)',
                    2,
                    'deleted-zone',
                )
            ],
            self.backups_of(database),
        )

    def test_half_of_a_pending_migration(self):
        database = self.database('2024.1')
        database.execute(
            'ALTER TABLE services ADD COLUMN ensuring INTEGER DEFAULT 0'
        )
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('revision', 'cdefa6287df8'),
                    '"manila-manage db sync" fails at revision cdefa6287df8: '
                    'column services.ensuring already exists',
                    (SEE if self.server == 'postgresql' else RESTORE,),
                    check_id=CHECK,
                    aspect='half-applied',
                ),
            ),
            self.check(database, target='2025.1'),
        )


class PendingMigrationsTest(Scenarios, databases.SQLiteTest):
    pass
