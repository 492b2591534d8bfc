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
from manila_precheck.tests import known_releases

CHECK = 'schema-revision'

AT_18 = '2f27d904214c'
AT_20 = '0d8c8f6d54a4'
AT_22 = '004e506e922e'
TO_20 = ('cdefa6287df8', AT_20)
TO_22 = ('e975ea83b712', 'eead2cb81845', AT_22)

SYNC = model.command('manila-manage db sync')
RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed: MySQL does not roll back half of a migration.'
)
RESTORE_POSTGRESQL = model.advice(
    'Find out who changed it: on PostgreSQL a failed "manila-manage db sync" '
    'leaves nothing behind. Otherwise restore the backup that was made '
    'before it.'
)


INDEX = model.advice(
    'Create it as in a new database of this release; without it manila is '
    'slow or accepts duplicates.'
)
KEY = model.advice(
    'Find out who dropped it, or which storage engine ignored it, and create '
    'it again: a later migration may need it or drop it by name.'
)


def restore(server):
    return RESTORE_POSTGRESQL if server == 'postgresql' else RESTORE


def half(server, at, revision, words, present, missing, target='', last=''):
    """Return that some of a revision is there.

    :param last: the revision to stamp on PostgreSQL; '' for none.
    """
    todo = [restore(server)]
    if server == 'postgresql':
        what = 'PostgreSQL leaves nothing of a migration that fails'
        if not missing:
            what = 'it was applied, and the revision was set back'
        if last:
            todo = [
                model.advice(
                    f'Check that its tables and columns are as {target} '
                    'creates them; then record the migrations that were '
                    'applied with its manila-manage:'
                ),
                model.command(f'manila-manage db stamp {last}'),
            ]
    else:
        what = 'it failed half way'
        if not missing:
            what = 'it was not recorded, or failed in its last step'
    return model.Finding(
        model.Severity.FAILURE,
        model.Subject('revision', revision),
        f'the database is at revision {at}, but {words} of {revision}: '
        f'{what}, and "manila-manage db sync" fails on what already exists',
        tuple(todo),
        check_id=CHECK,
        data={'revision': at, 'present': present, 'missing': missing},
        aspect='half-applied',
    )


def found(severity, message, *todo, aspect='', **data):
    return model.Finding(
        severity,
        model.Subject('table', 'alembic_version'),
        message,
        todo,
        check_id=CHECK,
        data=data,
        aspect=aspect,
    )


def failure(message, *todo, aspect='', **data):
    return found(model.Severity.FAILURE, message, *todo, aspect=aspect, **data)


def pending(revision, target, revisions):
    return found(
        model.Severity.INFO,
        (
            '1 migration is'
            if len(revisions) == 1
            else f'{len(revisions)} migrations are'
        )
        + f' pending from {revision} to {target}: {", ".join(revisions)}',
        aspect='pending',
        revision=revision,
        pending=' '.join(revisions),
    )


@ddt.ddt
class Scenarios(databases.Scenarios):
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
                    f'{AT_22}: 3 migrations are left to run',
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
        self.assertEqual((restore(self.server),), finding.remediation)
        self.assertIn('no revision in alembic_version', finding.message)

    @ddt.data(
        'backends-in-use',
        'in-flight-operations',
        'live-services',
        'pending-migrations',
        'running-migrations',
        'soft-deleted-rows',
    )
    def test_the_database_of_something_else_passed(self, check_id):
        database = self.database()
        database.execute(
            'CREATE TABLE services (id INTEGER)',
            'CREATE TABLE instances (id INTEGER)',
        )
        result = self.run_check(check_id, database, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn(
            "has 2 tables, none of them manila's: it is not manila's database",
            result.reason,
        )

    def test_the_database_of_something_else(self):
        database = self.database()
        database.execute('CREATE TABLE wp_posts (id INTEGER)')
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(model.Severity.FAILURE, finding.severity)
        self.assertIn(
            "has 1 table, none of them manila's: it is not manila's database",
            finding.message,
        )

    def test_more_than_one_revision(self):
        database = self.database('2025.1')
        database.execute(f"INSERT INTO alembic_version VALUES ('{AT_18}')")
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            f'alembic_version holds 2 revisions ({AT_20}, {AT_18}) and must '
            'hold one',
            finding.message,
        )

    def test_an_unknown_revision_over_tables_of_no_release(self):
        database = self.database('2025.1')
        database.execute(
            "UPDATE alembic_version SET version_num = 'feedf00d'",
            'DROP TABLE messages',
        )
        (finding,) = self.run_check(
            CHECK, database, source='2025.1', target='2026.1'
        ).findings
        self.assertEqual({'revision': 'feedf00d'}, finding.data)

    def test_an_unknown_revision(self):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        database = self.database('2025.1')
        database.execute("UPDATE alembic_version SET version_num = 'feedf00d'")
        result = self.run_check(
            CHECK, database, source='2025.1', target='2026.1'
        )
        self.assertEqual(
            (
                failure(
                    "the database is at revision 'feedf00d', which belongs "
                    'to no release of manila from wallaby to 2026.2; its '
                    'tables and columns are those of 2025.1',
                    model.advice(
                        "Check that it is manila's database and belongs to a "
                        'release that manila-precheck knows.'
                    ),
                    revision='feedf00d',
                    tables_of='2025.1',
                ),
            ),
            result.findings,
        )

    def test_newer_than_the_target(self):
        result = self.run_check(
            CHECK, self.database('2026.1'), target='2025.1'
        )
        self.assertEqual(
            (
                failure(
                    f'the database is at revision {AT_22} of 2026.1, which '
                    'is newer than 2025.1: manila has no downgrade',
                    model.advice(
                        'Pass the intended --target-release. To return to '
                        '2025.1, restore a backup of it.'
                    ),
                    revision=AT_22,
                    release='2026.1',
                ),
            ),
            result.findings,
        )

    def test_between_two_releases(self):
        database = self.database('2026.1')
        database.execute(
            f"UPDATE alembic_version SET version_num = '{TO_22[1]}'",
            'DROP TABLE share_instance_metadata',
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
                    'did not finish',
                    SYNC,
                    aspect='between',
                ),
                pending(TO_22[1], '2026.1', TO_22[2:]),
            ),
            result.findings,
        )

    @ddt.data('5aa813ae673d', 'e6d88547b381')
    def test_from_before_the_oldest_release(self, revision):
        """No db sync was cut short: those are the heads of 11 and 10."""
        database = self.database('wallaby')
        database.execute(
            f"UPDATE alembic_version SET version_num = '{revision}'",
            'DROP TABLE async_operation_data',
            'ALTER TABLE share_networks DROP COLUMN status',
            'ALTER TABLE share_servers DROP COLUMN '
            'security_service_update_support',
        )
        result = self.run_check(CHECK, database, target='wallaby')
        self.assertEqual(
            found(
                model.Severity.WARNING,
                f'the database is at revision {revision}, from before '
                'wallaby, the oldest release that manila-precheck knows',
                model.advice('Upgrade to wallaby first, then run this again.'),
                aspect='before',
                revision=revision,
            ),
            result.findings[0],
        )
        self.assertEqual(2, len(result.findings))

    def test_a_migration_that_is_there_and_not_recorded(self):
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
                half(
                    self.server,
                    TO_22[1],
                    TO_22[2],
                    'has table share_instance_metadata',
                    1,
                    0,
                    '2026.1',
                    TO_22[2],
                ),
                pending(TO_22[1], '2026.1', TO_22[2:]),
            ),
            result.findings,
        )

    def test_half_of_a_pending_migration_is_there(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_servers ADD COLUMN encryption_key_ref '
            'VARCHAR(36)',
            'ALTER TABLE share_servers ADD COLUMN application_credential_id '
            'VARCHAR(36)',
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                half(
                    self.server,
                    AT_20,
                    TO_22[0],
                    'has column share_servers.encryption_key_ref, column '
                    'share_servers.application_credential_id and lacks '
                    'column share_instances.encryption_key_ref, table '
                    'encryption_refs',
                    2,
                    2,
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )

    def test_a_column_that_came_without_its_foreign_key(self):
        """What is left when the foreign key is refused."""
        database = self.database('2025.2')
        database.execute(
            'CREATE TABLE qos_types (id VARCHAR(36) NOT NULL PRIMARY KEY)',
            'CREATE TABLE qos_type_specs (id INTEGER NOT NULL PRIMARY KEY)',
            'ALTER TABLE share_instances ADD COLUMN qos_type_id VARCHAR(36)',
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                half(
                    self.server,
                    TO_22[0],
                    TO_22[1],
                    'has table qos_types, table qos_type_specs, column '
                    'share_instances.qos_type_id and lacks foreign key '
                    'share_instances (qos_type_id) to qos_types',
                    3,
                    1,
                ),
                pending(TO_22[0], '2026.1', TO_22[1:]),
            ),
            result.findings,
        )

    def test_a_revision_that_went_back(self):
        """Each revision that is there is told, one by one."""
        database = self.database('2025.1')
        database.execute(f"UPDATE alembic_version SET version_num = '{AT_18}'")
        result = self.run_check(CHECK, database, target='2025.1')
        self.assertEqual(
            (
                half(
                    self.server,
                    AT_18,
                    TO_20[0],
                    'has column services.ensuring',
                    1,
                    0,
                    '2025.1',
                    TO_20[1],
                ),
                half(
                    self.server,
                    AT_18,
                    TO_20[1],
                    'has column '
                    'share_servers.share_replicas_migration_support',
                    1,
                    0,
                    '2025.1',
                    TO_20[1],
                ),
                pending(AT_18, '2025.1', TO_20),
            ),
            result.findings,
        )

    def test_a_revision_that_is_there_without_the_one_before(self):
        """No revision says so: there is none to stamp."""
        database = self.database('2025.2')
        database.execute('CREATE TABLE share_instance_metadata (id INTEGER)')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                half(
                    self.server,
                    TO_22[0],
                    TO_22[2],
                    'has table share_instance_metadata',
                    1,
                    0,
                ),
                pending(TO_22[0], '2026.1', TO_22[1:]),
            ),
            result.findings,
        )

    @ddt.data(
        (('ensuring',), 'column services.ensuring'),
        (
            ('disabled_reason', 'ensuring', 'report_count'),
            'column services.disabled_reason, column services.ensuring '
            'and 1 more',
        ),
    )
    @ddt.unpack
    def test_columns_are_missing(self, columns, words):
        database = self.database('2025.1')
        for column in columns:
            database.execute(f'ALTER TABLE services DROP COLUMN {column}')
        result = self.run_check(
            CHECK, database, target='2026.1', options={'max_listed': 2}
        )
        self.assertEqual(
            (
                failure(
                    f'the database is at revision {AT_20} and lacks {words}, '
                    'or the account may not read them',
                    restore(self.server),
                    aspect='missing',
                    missing=len(columns),
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )

    def test_a_table_is_missing(self):
        database = self.database('2025.1')
        database.execute('DROP TABLE messages')
        (drift, _pending) = self.run_check(
            CHECK, database, target='2026.1'
        ).findings
        self.assertEqual(
            failure(
                f'the database is at revision {AT_20} and lacks table '
                'messages, or the account may not read them',
                restore(self.server),
                aspect='missing',
                missing=1,
            ),
            drift,
        )

    def test_a_column_is_missing_in_the_middle_of_a_release(self):
        database = self.database('2026.1')
        database.execute(
            f"UPDATE alembic_version SET version_num = '{TO_22[1]}'",
            'DROP TABLE share_instance_metadata',
            'ALTER TABLE services DROP COLUMN ensuring',
        )
        found = self.run_check(
            CHECK, database, source='2025.2', target='2026.1'
        ).findings
        self.assertEqual(
            [
                'schema-revision[alembic_version#missing]',
                'schema-revision[alembic_version#between]',
                'schema-revision[alembic_version#pending]',
            ],
            [finding.key for finding in found],
        )
        self.assertEqual(
            f'the database is at revision {TO_22[1]} and lacks column '
            'services.ensuring, or the account may not read them',
            found[0].message,
        )

    def test_an_index_is_missing(self):
        database = self.database('2025.1')
        name = 'reservations_deleted_expire_idx'
        of_table = ' ON reservations' if database.server == 'mysql' else ''
        database.execute(f'DROP INDEX {name}{of_table}')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                found(
                    model.Severity.WARNING,
                    f'the database is at revision {AT_20} and lacks the '
                    'index reservations (deleted, expire)',
                    INDEX,
                    aspect='indexes',
                    missing=1,
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )

    def test_tables_that_manila_does_not_have(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE TABLE zz_backup (id INTEGER)',
            'CREATE TABLE billing (id INTEGER)',
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                found(
                    model.Severity.INFO,
                    f'the database is at revision {AT_20} and has tables '
                    'that manila does not have: billing, zz_backup',
                    aspect='extra-tables',
                    tables=2,
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )


class ForeignKeyScenarios(databases.Scenarios):
    def test_a_foreign_key_is_missing(self):
        database = self.database('2025.1')
        what = 'FOREIGN KEY' if database.server == 'mysql' else 'CONSTRAINT'
        database.execute(
            f'ALTER TABLE share_instances DROP {what} si_share_fk'
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                found(
                    model.Severity.WARNING,
                    f'the database is at revision {AT_20} and lacks the '
                    'foreign key share_instances (share_id) to shares (id)',
                    KEY,
                    aspect='foreign-keys',
                    missing=1,
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )

    def test_a_primary_key_is_missing(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE messages DROP '
            + (
                'PRIMARY KEY'
                if database.server == 'mysql'
                else 'CONSTRAINT messages_pkey'
            )
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                found(
                    model.Severity.WARNING,
                    f'the database is at revision {AT_20} and lacks the '
                    'index unique messages (id)',
                    INDEX,
                    aspect='indexes',
                    missing=1,
                ),
                pending(AT_20, '2026.1', TO_22),
            ),
            result.findings,
        )


class SchemaRevisionTest(Scenarios, databases.SQLiteTest):
    pass
