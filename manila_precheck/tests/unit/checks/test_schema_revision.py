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

CHECK = 'schema-revision'

AT_18 = '2f27d904214c'
AT_20 = '0d8c8f6d54a4'
AT_22 = '004e506e922e'
TO_20 = ('cdefa6287df8', AT_20)
TO_22 = ('e975ea83b712', 'eead2cb81845', AT_22)

SYNC = model.command('manila-manage db sync')
RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed: MySQL does not take back half of a migration.'
)


def found(severity, message, *todo, aspect='', **data):
    return model.Finding(
        CHECK,
        severity,
        model.Subject('table', 'alembic_version'),
        message,
        todo,
        data=data,
        aspect=aspect,
    )


def failure(message, *todo, aspect='', **data):
    return found(model.Severity.FAILURE, message, *todo, aspect=aspect, **data)


def pending(revision, target, revisions):
    return found(
        model.Severity.INFO,
        f'{len(revisions)} migrations are pending from {revision} to '
        f'{target}: {", ".join(revisions)}',
        aspect='pending',
        revision=revision,
        pending=' '.join(revisions),
    )


@ddt.ddt
class Scenarios:
    @ddt.data(
        ('2024.1', '2025.1', AT_18, TO_20),
        ('2025.1', '2026.1', AT_20, TO_22),
        ('2024.1', '2026.1', AT_18, TO_20 + TO_22),
    )
    @ddt.unpack
    def test_pending_migrations_by_name(self, release, target, at, revisions):
        result = self.run_check(CHECK, self.database(release), target=target)
        self.assertEqual('', result.reason)
        self.assertEqual((pending(at, target, revisions),), result.findings)

    @ddt.data('2024.1', '2025.1', '2026.1')
    def test_upgraded_to_the_head(self, release):
        result = self.run_check(
            CHECK, self.database(release), target=release, stage='upgraded'
        )
        self.assertEqual(
            (model.Outcome.PASSED, ''), (result.outcome, result.reason)
        )

    def test_upgraded_without_a_sync(self):
        result = self.run_check(
            CHECK,
            self.database('2025.1'),
            source='2025.1',
            target='2026.1',
            stage='upgraded',
        )
        self.assertEqual(
            (
                failure(
                    f'the database is at revision {AT_20}, 2026.1 needs '
                    f'{AT_22}: 3 migrations did not run',
                    SYNC,
                    revision=AT_20,
                    pending=' '.join(TO_22),
                ),
            ),
            result.findings,
        )

    def test_an_empty_database_is_a_first_install(self):
        result = self.run_check(CHECK, self.database(), target='2026.1')
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'the database is empty: this is a first install',
            ),
            (result.outcome, result.reason),
        )

    def test_a_version_table_without_a_row_and_no_other_is_empty(self):
        database = self.database()
        database.execute(
            'CREATE TABLE alembic_version (version_num VARCHAR(32))'
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)

    def test_empty_after_the_upgrade(self):
        result = self.run_check(
            CHECK, self.database(), target='2026.1', stage='upgraded'
        )
        self.assertEqual(
            (failure('the database is empty', SYNC),), result.findings
        )

    @ddt.data('DELETE FROM alembic_version', 'DROP TABLE alembic_version')
    def test_tables_without_a_revision(self, statement):
        database = self.database('2025.1')
        database.execute(statement)
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(model.Severity.FAILURE, finding.severity)
        self.assertEqual((RESTORE,), finding.remediation)
        self.assertIn('no revision in alembic_version', finding.message)

    def test_the_database_of_something_else(self):
        database = self.database()
        database.execute('CREATE TABLE wp_posts (id INTEGER)')
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(model.Severity.FAILURE, finding.severity)
        self.assertIn("it is not manila's database", finding.message)

    def test_more_than_one_revision(self):
        database = self.database('2025.1')
        database.execute(f"INSERT INTO alembic_version VALUES ('{AT_18}')")
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            f'alembic_version holds 2 revisions ({AT_20}, {AT_18}) and must '
            'hold one',
            finding.message,
        )

    def test_an_unknown_revision(self):
        database = self.database('2025.1')
        database.execute("UPDATE alembic_version SET version_num = 'feedf00d'")
        result = self.run_check(
            CHECK, database, source='2025.1', target='2026.1'
        )
        (finding,) = result.findings
        self.assertEqual(model.Severity.FAILURE, finding.severity)
        self.assertEqual({'revision': 'feedf00d'}, finding.data)

    def test_newer_than_the_target(self):
        result = self.run_check(
            CHECK, self.database('2026.1'), target='2025.1'
        )
        self.assertEqual(
            (
                failure(
                    f'the database is at revision {AT_22} of 2026.1, which '
                    'is newer than 2025.1: there is no way back',
                    model.advice('Restore a backup of 2025.1, or go on.'),
                    revision=AT_22,
                    release='2026.1',
                ),
            ),
            result.findings,
        )

    def test_between_two_releases(self):
        database = self.database('2025.2')
        database.execute(
            f"UPDATE alembic_version SET version_num = '{TO_22[1]}'"
        )
        result = self.run_check(
            CHECK, database, source='2025.2', target='2026.1'
        )
        self.assertEqual(
            (
                found(
                    model.Severity.WARNING,
                    f'the database is at revision {TO_22[1]}, in the middle '
                    'of the migrations of 2026.1: a "manila-manage db sync" '
                    'did not come to its end',
                    SYNC,
                    aspect='between',
                ),
                pending(TO_22[1], '2026.1', TO_22[2:]),
            ),
            result.findings,
        )

    def test_between_two_releases_with_all_that_the_later_one_adds(self):
        """The last migration failed after its DDL, before its revision."""
        database = self.database('2026.1')
        database.execute(
            f"UPDATE alembic_version SET version_num = '{TO_22[1]}'"
        )
        result = self.run_check(
            CHECK, database, source='2025.2', target='2026.1'
        )
        self.assertEqual(
            (
                failure(
                    f'the database is at revision {TO_22[1]}, in the middle '
                    'of the migrations of 2026.1, and has every column that '
                    '2026.1 adds: the next migration failed half way, and '
                    'would fail again on what is there already',
                    RESTORE,
                    aspect='half-applied',
                    revision=TO_22[1],
                    next=TO_22[2],
                ),
                pending(TO_22[1], '2026.1', TO_22[2:]),
            ),
            result.findings,
        )

    def test_half_of_a_pending_migration_is_there(self):
        database = self.database('2024.1')
        database.execute(
            'ALTER TABLE services ADD COLUMN ensuring INTEGER DEFAULT 0'
        )
        result = self.run_check(CHECK, database, target='2025.1')
        self.assertEqual(
            (
                failure(
                    'the database is at the revision of 2024.1, but has '
                    'services.ensuring of a later migration, which failed '
                    'half way',
                    RESTORE,
                    aspect='half-applied',
                    columns=1,
                    next=TO_20[0],
                ),
                pending(AT_18, '2025.1', TO_20),
            ),
            result.findings,
        )

    def test_a_column_is_missing(self):
        database = self.database('2025.1')
        database.execute('ALTER TABLE services DROP COLUMN ensuring')
        (drift, _pending) = self.run_check(
            CHECK, database, target='2026.1'
        ).findings
        self.assertEqual(
            failure(
                'the database is at the revision of 2025.1 and lacks '
                'services.ensuring; or the account may not read them',
                RESTORE,
                aspect='missing',
                columns=1,
            ),
            drift,
        )


class SchemaRevisionTest(Scenarios, databases.SQLiteTest):
    pass
