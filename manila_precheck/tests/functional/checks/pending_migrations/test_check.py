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
"""What only MySQL has: engines, collations, tables that are written anew."""

from unittest import mock
import uuid

import ddt
import fixtures
import sqlalchemy as sa
from testtools import matchers

from manila_precheck import model
from manila_precheck.checks.pending_migrations.sql import limits
from manila_precheck.checks.pending_migrations.sql import migrated_rows
from manila_precheck.evidence.database import scan
from manila_precheck.tests import databases
from manila_precheck.tests.unit.checks.pending_migrations import (
    test_check as unit,  # noqa: H301
)

CHECK = unit.CHECK
UTF8 = 'utf8mb3_general_ci'


def of_option(severity, message, aspect):
    return model.Finding(
        severity,
        model.Subject('option', 'database/connection'),
        message,
        (
            model.advice(
                'In [database] connection, replace mariadb+pymysql:// with '
                'mysql+pymysql://; keep the rest of the URL.'
            ),
        ),
        check_id=CHECK,
        aspect=aspect,
    )


def fails(revision, why, what):
    return model.Finding(
        model.Severity.FAILURE,
        model.Subject('revision', revision),
        f'"manila-manage db sync" fails at revision {revision}: {why}',
        (
            model.advice(
                'Allow the account to read it; or find out who dropped it, '
                'and restore it from a backup. See schema-revision.'
            ),
        ),
        check_id=CHECK,
        aspect=f'without-{what}',
    )


UNDER_ANOTHER_NAME = model.advice(
    'Drop it, and create it again under another name:'
)
BACK_TO_TEXT = model.advice(
    'Change share_instances.id, and the columns that refer to it, back to '
    'VARCHAR(36).'
)
DISABLE = model.advice('Disable it for the upgrade, as its owner:')
DROP_CHECK = model.advice(
    'Drop it for the upgrade, unless it is there to prevent one, or correct '
    'the rows:'
)
FOR_THE_UPGRADE = model.advice('For the upgrade:')
NO_LIMIT = model.advice('For the upgrade, set no limit:')


def may_fail(revision, why, aspect, *todo):
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('revision', revision),
        f'"manila-manage db sync" may fail at revision {revision}: {why}',
        todo,
        check_id=CHECK,
        aspect=aspect,
    )


def in_the_way(revision, why, aspect, *todo):
    return model.Finding(
        model.Severity.FAILURE,
        model.Subject('revision', revision),
        f'"manila-manage db sync" fails at revision {revision}: {why}',
        todo,
        check_id=CHECK,
        aspect=aspect,
    )


def setting(severity, name, message, *todo, **data):
    return model.Finding(
        severity,
        model.Subject('database', name),
        message,
        todo,
        check_id=CHECK,
        data=data,
    )


class Servers(unit.Scenarios):
    """What a server refuses, and SQLite would not."""

    def test_a_check_that_rejects_a_revision(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE alembic_version ADD CONSTRAINT frozen CHECK '
            "(version_num IN ('0d8c8f6d54a4', 'e975ea83b712'))",
            'ALTER TABLE alembic_version ADD CONSTRAINT text CHECK '
            '(length(version_num) = 12)',
        )
        client = {
            'mysql': 'mysql DATABASE -e',
            'postgresql': 'psql DATABASE -c',
        }
        self.assertEqual(
            (
                in_the_way(
                    'eead2cb81845',
                    'alembic_version has the CHECK constraint frozen, which '
                    'rejects the update that records the revision',
                    'check-frozen',
                    DROP_CHECK,
                    model.command(
                        f"{client[database.server]} 'ALTER TABLE "
                        "alembic_version DROP CONSTRAINT frozen;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_check_that_is_not_evaluated(self):
        """It may do anything, since whoever owns the table has written it."""
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE alembic_version ADD CONSTRAINT hash CHECK '
            "(md5(version_num) <> 'lower(')"
        )
        self.assertEqual(
            (self.can_reject(database, 'hash'),),
            self.check(database, target='2026.1'),
        )

    def can_reject(self, database, name):
        client = {
            'mysql': 'mysql DATABASE -e',
            'postgresql': 'psql DATABASE -c',
        }
        return may_fail(
            'e975ea83b712',
            f'alembic_version has the CHECK constraint {name}, which can '
            'reject the update that records the revision',
            f'check-{name}',
            DROP_CHECK,
            model.command(
                f"{client[database.server]} 'ALTER TABLE alembic_version "
                f"DROP CONSTRAINT {name};'"
            ),
        )

    def not_text(self, error=''):
        """Return what is reported if the id of share_instances is no text."""
        column = 'share_instance_id'
        return tuple(
            in_the_way(
                revision,
                f'{table}.{column} is VARCHAR and refers to '
                f'share_instances.id, which is not{error}',
                f'type-{table}.{column}',
                BACK_TO_TEXT,
            )
            for revision, table in (
                ('e975ea83b712', 'encryption_refs'),
                ('004e506e922e', 'share_instance_metadata'),
            )
        )

    def test_a_table_that_migrations_change_is_gone(self):
        database = self.database('2025.1')
        database.execute('DROP TABLE share_instances CASCADE')
        changes = 'table share_instances, which it changes, does not exist'
        self.assertEqual(
            (
                fails('e975ea83b712', changes, 'share_instances'),
                fails('eead2cb81845', changes, 'share_instances'),
                fails(
                    '004e506e922e',
                    'table share_instances, to which '
                    'share_instance_metadata.share_instance_id refers, does '
                    'not exist',
                    'share_instances',
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_column_that_a_migration_drops_is_gone(self):
        database = self.database('xena')
        # With it goes its foreign key, which MySQL drops by its name.
        if self.server == 'mysql':
            database.execute(
                'ALTER TABLE share_servers DROP FOREIGN KEY '
                'fk_share_servers_share_network_subnet_id_share_network_'
                'subnets'
            )
        database.execute(
            'ALTER TABLE share_servers DROP COLUMN share_network_subnet_id'
        )
        what = 'share_servers.share_network_subnet_id'
        self.assertIn(
            fails(
                'a87e0fb17dee',
                f'column {what}, which it changes, does not exist',
                what,
            ),
            self.check(database, target='yoga'),
        )

    def test_tables_that_no_pending_migration_needs_are_gone(self):
        database = self.database('2024.1')
        database.execute(
            'DROP TABLE share_instances CASCADE',
            'DROP TABLE network_allocations CASCADE',
            'DROP TABLE availability_zones CASCADE',
        )
        self.assertEqual((), self.check(database, target='2025.1'))


@ddt.ddt
class PendingMigrationsMySQLTest(Servers, databases.MySQLTest):
    def keys(self, database, **site):
        return [
            (finding.severity.name, finding.key)
            for finding in self.check(database, **site)
        ]

    def test_a_mariadb_url(self):
        database = self.database('xena')
        url = database.url.replace('mysql+', 'mariadb+')
        self.assertEqual(
            (
                of_option(
                    model.Severity.FAILURE,
                    '"manila-manage db sync" fails at revision a87e0fb17dee: '
                    '[database] connection is a mariadb:// URL, for which '
                    'the migration does not drop a foreign key before the '
                    'column (error 1553)',
                    'a87e0fb17dee',
                ),
                of_option(
                    model.Severity.WARNING,
                    '[database] connection is a mariadb:// URL: times in the '
                    'new tables (share_server_share_network_subnet_mappings) '
                    'are stored without fractional seconds',
                    'precision',
                ),
            ),
            self.check(url, target='yoga'),
        )

    def test_a_mariadb_url_later(self):
        database = self.database('2024.1')
        url = database.url.replace('mysql+', 'mariadb+')
        self.assertEqual((), self.check(url, target='2025.1'))

    def test_a_mariadb_url_on_a_first_install(self):
        url = self.database().url.replace('mysql+', 'mariadb+')
        (finding,) = self.check(url, target='2026.1')
        self.assertEqual(
            (
                model.Severity.FAILURE,
                'pending-migrations[database/connection#first-install]',
            ),
            (finding.severity, finding.key),
        )

    def converted(self, release, *tables):
        database = self.database(release)
        inspector = sa.inspect(database.engine)
        # A column that a foreign key needs is not converted.
        for table in inspector.get_table_names():
            for key in inspector.get_foreign_keys(table):
                database.execute(
                    f'ALTER TABLE {table} DROP FOREIGN KEY {key["name"]}'
                )
        for table in tables or inspector.get_table_names():
            database.execute(
                f'ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 '
                'COLLATE utf8mb4_general_ci'
            )
        return database

    def test_restored_as_utf8mb4(self):
        self.assertEqual(
            [
                (
                    'FAILURE',
                    'pending-migrations[e975ea83b712'
                    '#encryption_refs.share_instance_id]',
                ),
                (
                    'FAILURE',
                    'pending-migrations[e975ea83b712'
                    '#encryption_refs.share_server_id]',
                ),
                (
                    'FAILURE',
                    'pending-migrations[eead2cb81845'
                    '#share_instances.qos_type_id]',
                ),
                (
                    'FAILURE',
                    'pending-migrations[004e506e922e'
                    '#share_instance_metadata.share_instance_id]',
                ),
            ],
            self.keys(self.converted('2025.1'), target='2026.1'),
        )

    def test_one_table_of_another_collation(self):
        database = self.converted('2025.1', 'share_servers')
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('revision', 'e975ea83b712'),
                    '"manila-manage db sync" fails at revision e975ea83b712: '
                    'encryption_refs.share_server_id gets the collation '
                    f'{UTF8} and refers to share_servers, which has '
                    'utf8mb4_general_ci (error 1005, errno 150)',
                    (
                        model.advice(
                            'With the services stopped, dump the database '
                            'and load it into a new one with the collation '
                            'that the migrations need; characters that '
                            'utf8mb3 does not have are lost:'
                        ),
                        model.command(
                            "mysqldump --single-transaction DATABASE | sed -E "
                            "'/^CREATE TABLE/,/^\\) ENGINE/ { "
                            's/(CHARSET=|CHARACTER SET )[a-z0-9]+/'
                            '\\1utf8mb3/; s/(COLLATE[= ])[a-z0-9_]+/'
                            "\\1utf8mb3_general_ci/ }' | mysql NEW_DATABASE"
                        ),
                    ),
                    check_id=CHECK,
                    aspect='encryption_refs.share_server_id',
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_another_collation_that_stops_none_of_them(self):
        database = self.converted('2024.1', 'messages', 'share_types')
        (finding,) = self.check(database, target='2025.1')
        self.assertEqual(
            (
                model.Severity.WARNING,
                f'2 tables are not in {UTF8}, which new tables get: '
                'messages, share_types; a later migration that refers to one '
                'fails',
                {'tables': 2, 'collation': UTF8},
            ),
            (finding.severity, finding.message, finding.data),
        )

    def in_myisam(self, release, *tables):
        database = self.database(release)
        for table in tables:
            database.execute(
                'SET foreign_key_checks = 0',
                f'CREATE TABLE zz LIKE {table}',
                'ALTER TABLE zz ENGINE = MyISAM',
                f'DROP TABLE {table}',
                f'RENAME TABLE zz TO {table}',
            )
        return database

    @ddt.data(
        (
            '2025.1',
            'share_servers',
            '2026.1',
            'pending-migrations[e975ea83b712#encryption_refs.share_server_id]',
        ),
        (
            '2023.1',
            'availability_zones',
            '2024.1',
            'pending-migrations[2d708a9a3ba9'
            '#share_backups.availability_zone_id]',
        ),
    )
    @ddt.unpack
    def test_the_engine_of_a_table_that_is_referred_to(
        self, release, table, target, key
    ):
        database = self.in_myisam(release, table)
        (finding,) = self.check(database, target=target)
        self.assertEqual(
            (
                model.Severity.FAILURE,
                key,
                (model.sql('mysql', f'ALTER TABLE {table} ENGINE = InnoDB;'),),
            ),
            (finding.severity, finding.key, finding.remediation),
        )

    def test_another_index_does_for_a_foreign_key(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances ADD KEY (id), DROP PRIMARY KEY'
        )
        self.assertEqual((), self.check(database, target='2026.1'))

    def test_an_engine_that_stops_none_of_them(self):
        database = self.in_myisam('2025.1', 'messages')
        (finding,) = self.check(database, target='2026.1')
        self.assertEqual(
            (
                model.Severity.WARNING,
                '1 table is not in InnoDB: messages; a later migration that '
                'refers to one fails, and its foreign keys are not enforced',
            ),
            (finding.severity, finding.message),
        )

    def test_a_foreign_key_that_is_dropped_by_its_name(self):
        name = 'fk_share_servers_share_network_subnet_id_share_network_subnets'
        database = self.database('xena')
        database.execute(f'ALTER TABLE share_servers DROP FOREIGN KEY {name}')
        (finding,) = self.check(database, target='yoga')
        self.assertEqual(
            (
                model.Severity.FAILURE,
                '"manila-manage db sync" fails at revision a87e0fb17dee: it '
                f'drops the foreign key {name} of share_servers, which does '
                'not exist (error 1091)',
            ),
            (finding.severity, finding.message),
        )

    def test_a_key_on_a_column_that_goes(self):
        database = self.database('xena')
        database.execute(
            'ALTER TABLE share_servers ADD CONSTRAINT mine FOREIGN KEY '
            '(share_network_subnet_id) REFERENCES share_network_subnets (id)'
        )
        self.assertEqual(
            (
                in_the_way(
                    'a87e0fb17dee',
                    'it drops column share_servers.share_network_subnet_id, '
                    'which the foreign key mine of share_servers needs '
                    '(error 1553)',
                    'mine',
                    model.command(
                        'mysql DATABASE -e '
                        "'ALTER TABLE share_servers DROP FOREIGN KEY mine;'"
                    ),
                ),
            ),
            self.check(database, target='yoga'),
        )

    @ddt.data(
        ('2023.1', '2024.1', '9afbe2df4945', 'fk_backups_share_id_shares'),
        ('2025.1', '2026.1', 'e975ea83b712', 'encryption_refs_ibfk_2'),
    )
    @ddt.unpack
    def test_a_key_of_a_table_that_was_put_aside(
        self, release, target, revision, name
    ):
        database = self.database(release)
        database.execute(
            'CREATE TABLE aside (id VARCHAR(36), CONSTRAINT '
            f'{name} FOREIGN KEY (id) REFERENCES shares (id)) '
            'CHARACTER SET utf8'
        )
        table = {
            '9afbe2df4945': 'share_backups',
            'e975ea83b712': 'encryption_refs',
        }[revision]
        self.assertEqual(
            (
                in_the_way(
                    revision,
                    f'{table} gets a foreign key {name}, but a foreign key '
                    'of aside has that name already (error 1005, errno 121)',
                    name,
                    model.command(
                        'mysql DATABASE -e '
                        f"'ALTER TABLE aside DROP FOREIGN KEY {name};'"
                    ),
                ),
            ),
            self.check(database, target=target),
        )

    @ddt.data(
        ('ADD INDEX qt_id_fk (status)', 'INDEX', 'an index', 1061),
        ('ADD INDEX QT_ID_FK (status)', 'INDEX', 'an index', 1061),
        (
            "ADD CONSTRAINT qt_id_fk CHECK (status <> '')",
            'CONSTRAINT',
            'a CHECK constraint',
            1826,
        ),
    )
    @ddt.unpack
    def test_a_name_that_the_table_has_already(self, what, word, kind, error):
        database = self.database('2025.1')
        database.execute(f'ALTER TABLE share_instances {what}')
        name = what.split()[2]
        quoted = name if name.islower() else f'`{name}`'
        self.assertEqual(
            (
                in_the_way(
                    'eead2cb81845',
                    f'share_instances gets a foreign key {name}, but {kind} '
                    f'of the table has that name already (error {error})',
                    name,
                    UNDER_ANOTHER_NAME,
                    model.command(
                        'mysql DATABASE -e '
                        f"'ALTER TABLE share_instances DROP {word} {quoted};'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_name_that_another_table_has(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE shares ADD INDEX qt_id_fk (id), '
            "ADD CONSTRAINT qt_id_fk CHECK (id <> '')"
        )
        self.assertEqual((), self.check(database, target='2026.1'))

    def test_a_column_in_capitals(self):
        database = self.database('2025.1')
        database.execute('ALTER TABLE share_instances ADD QOS_TYPE_ID INT')
        (finding,) = self.check(database, target='2026.1')
        self.assertEqual(
            '"manila-manage db sync" fails at revision eead2cb81845: column '
            'share_instances.qos_type_id already exists',
            finding.message,
        )

    def test_an_id_that_is_not_text(self):
        database = self.database('2025.1')
        with database.engine.connect() as connection:
            keys = connection.exec_driver_sql(
                'SELECT table_name, constraint_name FROM '
                'information_schema.referential_constraints WHERE '
                'constraint_schema = DATABASE() AND referenced_table_name = '
                "'share_instances'"
            ).fetchall()
        database.execute(
            *(
                f'ALTER TABLE {table} DROP FOREIGN KEY {name}'
                for table, name in keys
            ),
            'ALTER TABLE share_instances MODIFY id VARBINARY(36) NOT NULL',
        )
        self.assertEqual(
            self.not_text(' (error 1005, errno 150)'),
            self.check(database, target='2026.1'),
        )

    def test_a_table_that_keeps_its_history(self):
        database = self.database('2025.1')
        database.execute('ALTER TABLE share_servers ADD SYSTEM VERSIONING')
        self.assertEqual(
            (
                in_the_way(
                    'e975ea83b712',
                    'it changes table share_servers, which is '
                    'system-versioned (error 4119)',
                    'versioned-share_servers',
                    model.advice(
                        'For the upgrade, let sessions alter such tables and '
                        'their history:'
                    ),
                    model.command(
                        "mysql DATABASE -e 'SET GLOBAL "
                        "system_versioning_alter_history = KEEP;'"
                    ),
                    model.advice('Or end it, which deletes the history:'),
                    model.command(
                        "mysql DATABASE -e 'ALTER TABLE share_servers DROP "
                        "SYSTEM VERSIONING;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_table_that_keeps_its_history_and_does_not_change(self):
        database = self.database('2025.1')
        database.execute('ALTER TABLE services ADD SYSTEM VERSIONING')
        self.assertEqual((), self.check(database, target='2026.1'))

    def test_a_trigger_that_rejects_the_revision(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE TRIGGER frozen BEFORE UPDATE ON alembic_version FOR EACH '
            "ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'frozen'"
        )
        self.assertEqual(
            (
                may_fail(
                    'e975ea83b712',
                    'alembic_version has the trigger frozen, which can '
                    'reject the update that records revision e975ea83b712',
                    'trigger-frozen',
                    model.advice(
                        'Read it, and drop it for the upgrade if it does:'
                    ),
                    model.command("mysql DATABASE -e 'DROP TRIGGER frozen;'"),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_triggers_that_reject_nothing(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE TABLE audit (id INT)',
            'CREATE TRIGGER a AFTER UPDATE ON alembic_version FOR EACH ROW '
            'INSERT INTO audit VALUES (1)',
            'CREATE TRIGGER b BEFORE INSERT ON alembic_version FOR EACH ROW '
            "SIGNAL SQLSTATE '45000'",
            'CREATE TRIGGER c BEFORE UPDATE ON shares FOR EACH ROW '
            "SIGNAL SQLSTATE '45000'",
        )
        self.assertEqual((), self.check(database, target='2026.1'))

    def test_rows_that_violate_a_check(self):
        database = self.database('2025.1')
        database.insert('share_instances', {'id': 'i', 'host': ''})
        database.execute(
            'SET check_constraint_checks = 0',
            'ALTER TABLE share_instances '
            "ADD CONSTRAINT named CHECK (host <> ''), "
            "ADD CONSTRAINT short CHECK (id <> 'long')",
            'SET check_constraint_checks = 1',
        )
        found = self.check(database, target='2026.1')
        self.assertEqual(
            (
                in_the_way(
                    'eead2cb81845',
                    'it copies table share_instances, in which a row '
                    'violates the CHECK constraint named (error 4025)',
                    'check-named',
                    DROP_CHECK,
                    model.command(
                        "mysql DATABASE -e 'ALTER TABLE share_instances "
                        "DROP CONSTRAINT named;'"
                    ),
                ),
            ),
            tuple(
                one for one in found if one.severity is not model.Severity.INFO
            ),
        )

    def test_rows_that_can_violate_a_check(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances '
            "ADD CONSTRAINT hash CHECK (md5(id) <> 'x')"
        )
        found = self.check(database, target='2026.1')
        self.assertEqual(
            (
                may_fail(
                    'eead2cb81845',
                    'it copies table share_instances, in which a row can '
                    'violate the CHECK constraint hash (error 4025)',
                    'check-hash',
                    DROP_CHECK,
                    model.command(
                        "mysql DATABASE -e 'ALTER TABLE share_instances "
                        "DROP CONSTRAINT hash;'"
                    ),
                ),
            ),
            tuple(
                one for one in found if one.severity is not model.Severity.INFO
            ),
        )

    def test_a_partitioned_table(self):
        database = self.database('2025.1')
        with database.engine.connect() as connection:
            keys = connection.exec_driver_sql(
                'SELECT table_name, constraint_name '
                'FROM information_schema.referential_constraints '
                'WHERE constraint_schema = DATABASE() '
                "AND 'share_servers' IN (table_name, referenced_table_name)"
            ).fetchall()
        database.execute(
            *(
                f'ALTER TABLE {one} DROP FOREIGN KEY {name}'
                for one, name in keys
            )
        )
        database.execute('ALTER TABLE share_servers PARTITION BY KEY (id)')
        self.assertEqual(
            (
                in_the_way(
                    'e975ea83b712',
                    'encryption_refs.share_server_id refers to '
                    'share_servers, but share_servers is partitioned, and has '
                    'no foreign keys (error 1005 or 1506)',
                    'encryption_refs.share_server_id',
                    model.command(
                        "mysql DATABASE -e 'ALTER TABLE share_servers REMOVE "
                        "PARTITIONING;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    @ddt.data(
        (
            '2025.1',
            {'alter_algorithm': 'NOCOPY'},
            'eead2cb81845: alter_algorithm is NOCOPY, but share_instances '
            'gets a foreign key, for which the server copies the table '
            '(error 1846)',
            'DEFAULT',
        ),
        (
            '2025.1',
            {'enforce_storage_engine': 'Aria'},
            'e975ea83b712: enforce_storage_engine is Aria, but it creates '
            'table encryption_refs in InnoDB (error 1290)',
            'NULL',
        ),
        ('2025.1', {'alter_algorithm': 'COPY'}, '', ''),
        ('2025.1', {'enforce_storage_engine': 'InnoDB'}, '', ''),
        # It only adds a column.
        ('2026.1', {'alter_algorithm': 'INSTANT'}, '', ''),
        ('2026.1', {'enforce_storage_engine': 'Aria'}, '', ''),
    )
    @ddt.unpack
    def test_a_setting_of_the_server(self, release, values, words, usual):
        database = self.database(release)
        target = {'2025.1': '2026.1', '2026.1': '2026.2'}[release]
        with mock.patch.object(
            limits, 'variables', autospec=True, return_value=values
        ):
            found = self.check(database, target=target)
        (name,) = values
        expected = ()
        if words:
            expected = (
                setting(
                    model.Severity.FAILURE,
                    name,
                    f'"manila-manage db sync" fails at revision {words}',
                    FOR_THE_UPGRADE,
                    model.command(
                        f"mysql DATABASE -e 'SET GLOBAL {name} = {usual};'"
                    ),
                ),
            )
        self.assertEqual(expected, found)

    @ddt.data(
        ('0.001', 0.0, model.Severity.FAILURE, '', 'takes longer'),
        ('0.05', 0.0, model.Severity.WARNING, '', 'takes up to 0.1 s'),
        ('0.1', 0.0, None, '', ''),
        ('0', 0.0, None, '', ''),
        ('4', 25e6, model.Severity.FAILURE, 'eead2cb81845', '12.5 to 50'),
        ('20', 25e6, model.Severity.WARNING, 'eead2cb81845', ''),
        ('60', 25e6, None, '', ''),
    )
    @ddt.unpack
    def test_a_limit_of_a_statement(self, limit, rate, severity, at, words):
        database = self.database('2025.1')
        database.insert('share_instances', {'id': 'i'})
        values = {'max_statement_time': limit}
        self.useFixture(
            fixtures.MockPatchObject(
                limits, 'variables', autospec=True, return_value=values
            )
        )
        found = [
            one
            for one in self.check(
                database,
                target='2026.1',
                check_options={CHECK: {'seconds_per_million_rows': rate}},
            )
            if one.subject.name == 'max_statement_time'
        ]
        self.assertEqual(
            [severity] if severity else [], [one.severity for one in found]
        )
        for one in found:
            self.assertIn(words, one.message)
            self.assertIn(at, one.message)
            self.assertEqual(
                (
                    NO_LIMIT,
                    model.command(
                        "mysql DATABASE -e 'SET GLOBAL max_statement_time = "
                        "0;'"
                    ),
                ),
                one.remediation,
            )

    def test_a_key_of_the_table_that_a_migration_has_made(self):
        database = self.database('2023.1')
        database.execute(
            'CREATE TABLE share_backups (id VARCHAR(36) PRIMARY KEY, '
            'share_id VARCHAR(36), CONSTRAINT fk_backups_share_id_shares '
            'FOREIGN KEY (share_id) REFERENCES shares (id)) '
            'CHARACTER SET utf8'
        )
        (finding,) = self.check(database, target='2024.1')
        self.assertEqual('half-applied', finding.aspect)

    def test_a_table_that_a_table_refers_to_that_is_read(self):
        """It is none that a migration changes, or refers to."""
        database = self.database('2023.1')
        database.execute('DROP TABLE share_servers')
        self.assertEqual(
            (
                fails(
                    '2d708a9a3ba9',
                    'table share_servers, to which '
                    'share_groups.share_server_id refers, does not exist',
                    'share_servers',
                ),
            ),
            self.check(database, target='2024.1'),
        )

    def test_a_view_in_place_of_a_table(self):
        """The check crashed: KeyError."""
        database = self.database('2024.1')
        database.execute(
            'RENAME TABLE services TO old_services',
            'CREATE VIEW services AS SELECT * FROM old_services',
        )
        self.assertEqual(
            (
                fails(
                    'cdefa6287df8',
                    'table services, which it changes, is a view',
                    'services',
                ),
            ),
            self.check(database, target='2025.1'),
        )

    def test_a_label_that_python_tells_from_admin(self):
        database = self.database('xena')
        database.insert(
            'network_allocations',
            {'id': 'n1', 'share_server_id': 'gone', 'label': 'Admin'},
        )
        self.assertEqual(
            [
                ('FAILURE', 'pending-migrations[network_allocations#orphans]'),
                (
                    'INFO',
                    'pending-migrations[network_allocations#a87e0fb17dee]',
                ),
            ],
            self.keys(database, target='yoga'),
        )

    def test_zones_that_python_tells_from_each_other(self):
        """The name that comes last takes the backups of both."""
        for first, last, aspects in (
            ('z1', 'False', []),
            ('False', 'z2', ['deleted-zone']),
        ):
            database = self.before_zones()
            database.insert(
                'availability_zones',
                {'id': 'z1', 'name': 'nova', 'deleted': first},
                {'id': 'z2', 'name': 'Nova', 'deleted': last},
            )
            database.execute(
                "INSERT INTO share_backups VALUES ('b1', 'False', 'nova')"
            )
            self.assertEqual(
                aspects,
                [finding.aspect for finding in self.backups_of(database)],
            )

    def with_dates(self, release, table, *dates, **values):
        """Return a database with a row for each date of deletion."""
        database = self.database(release)
        database.insert(
            table,
            *[{'id': f'x{n}', **values} for n in range(len(dates))],
        )
        database.execute(
            "SET sql_mode = ''",
            *[
                f"UPDATE {table} SET deleted_at = '{date}' "
                f"WHERE id = 'x{number}'"
                for number, date in enumerate(dates)
            ],
        )
        return database

    @ddt.data(
        ('2025.1', 'share_instances', '2026.1', 'eead2cb81845', {}),
        (
            'xena',
            'network_allocations',
            'yoga',
            'a87e0fb17dee',
            {'label': 'admin', 'share_server_id': 's1'},
        ),
        (
            'xena',
            'share_servers',
            'yoga',
            'a87e0fb17dee',
            {'share_network_subnet_id': 'n1'},
        ),
    )
    @ddt.unpack
    def test_dates_of_zero(self, release, table, target, revision, values):
        database = self.with_dates(
            release,
            table,
            '0000-00-00 00:00:00',
            '2024-00-01 00:00:00',
            '2024-01-01 00:00:00',
            **values,
        )
        database.insert('share_network_subnets', {'id': 'n1'})
        database.insert('share_servers', {'id': 's1'})
        self.assertEqual(
            [
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('table', table),
                    f'"manila-manage db sync" fails at revision {revision}: '
                    f'2 rows of {table} with a zero date in deleted_at, '
                    'which MySQL rejects when it rebuilds the table (error '
                    '1292)',
                    (
                        model.command(
                            f"mysql DATABASE -e 'UPDATE {table} SET "
                            'deleted_at = NULL WHERE MONTH(deleted_at) = 0 '
                            "OR DAYOFMONTH(deleted_at) = 0;'"
                        ),
                    ),
                    check_id=CHECK,
                    data={'rows': 2},
                    aspect='zero-deleted_at',
                )
            ],
            [
                finding
                for finding in self.check(database, target=target)
                if finding.severity is model.Severity.FAILURE
            ],
        )

    def test_dates_of_zero_in_pieces(self):
        made = self.database('2025.1')
        made.insert(
            'share_instances',
            *[{'id': f'{number:x}0'} for number in range(16)],
        )
        made.execute(
            "SET sql_mode = ''",
            "UPDATE share_instances SET deleted_at = '0000-00-00' "
            "WHERE id <> '00'",
            "UPDATE share_instances SET created_at = '2024-01-00' "
            "WHERE id = 'f0'",
        )
        found = self.connect(made)
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.database.scan.FIRST_ROWS', 2
            )
        )
        asked = []
        original = found.row

        def row(statement, about=''):
            asked.append(statement)
            return original(statement, about)

        self.useFixture(fixtures.MonkeyPatch('time.sleep', lambda _: None))
        with mock.patch.object(found, 'row', row):
            numbers = migrated_rows.zero_dates(
                found, 'share_instances', scan.Size(16)
            )
        self.assertEqual(
            (16, [('created_at', 1), ('deleted_at', 15)]), numbers
        )
        self.assertThat(len(asked), matchers.GreaterThan(2))

    @ddt.data(
        ('2024.1', 'share_instances', '2025.1', {}),
        ('xena', 'share_servers', 'yoga', {}),
    )
    @ddt.unpack
    def test_dates_of_zero_that_stop_none(
        self, release, table, target, values
    ):
        database = self.with_dates(
            release, table, '0000-00-00 00:00:00', **values
        )
        self.assertEqual((), self.check(database, target=target))

    @ddt.data(
        (10.0, 600, model.Severity.INFO, 'less than a second'),
        (
            4e5,
            600,
            model.Severity.INFO,
            'about 1 s (a second to 2 s)',
        ),
        (4e8, 600, model.Severity.WARNING, 'about 20 min (10 min to 40 min)'),
        (4e6, 13, model.Severity.INFO, 'about 12 s (6 s to 24 s)'),
        (4e6, 12, model.Severity.WARNING, 'about 12 s (6 s to 24 s)'),
    )
    @ddt.unpack
    def test_a_table_that_is_written_anew(self, rate, limit, severity, words):
        database = self.database('2025.1')
        database.insert(
            'share_instances', *[{'id': f'i{n}'} for n in range(3)]
        )
        (finding,) = self.check(
            database,
            target='2026.1',
            check_options={
                CHECK: {
                    'seconds_per_million_rows': rate,
                    'warning_seconds': limit,
                }
            },
        )
        self.assertEqual(
            (
                severity,
                'pending-migrations[share_instances#eead2cb81845]',
                'revision eead2cb81845 rebuilds table share_instances, '
                f'which has 3 rows: {words}, and 1 MB of additional disk '
                'space on the database server',
                ('eead2cb81845', 3),
            ),
            (
                finding.severity,
                finding.key,
                finding.message,
                (finding.data['revision'], finding.data['rows']),
            ),
        )


@ddt.ddt
class PendingMigrationsPostgreSQLTest(Servers, databases.PostgreSQLTest):
    def test_a_check_with_an_operator_of_its_own(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE FUNCTION ends(varchar, varchar) RETURNS boolean LANGUAGE '
            "plpgsql AS $$BEGIN RAISE 'it ran'; END$$",
            'CREATE OPERATOR === (FUNCTION = ends, LEFTARG = varchar, '
            'RIGHTARG = varchar)',
            'ALTER TABLE alembic_version ADD CONSTRAINT own CHECK '
            "(version_num === 'x') NOT VALID",
        )
        self.assertEqual(
            (self.can_reject(database, 'own'),),
            self.check(database, target='2026.1'),
        )

    @ddt.data(
        ('CREATE VIEW {} AS SELECT id FROM shares', 'view', 'qos_types'),
        ('CREATE SEQUENCE {}', 'sequence', 'qos_types'),
        ('CREATE INDEX {} ON shares (id)', 'index', 'qos_types'),
        ('CREATE TYPE {} AS (id INTEGER)', 'type', 'qos_types'),
        ("CREATE TYPE {} AS ENUM ('a')", 'type', 'qos_types'),
        ('CREATE INDEX {} ON shares (id)', 'index', 'uc_qos_type_name'),
    )
    @ddt.unpack
    def test_a_name_that_is_taken(self, statement, kind, name):
        database = self.database('2025.1')
        database.execute(statement.format(name))
        self.assertEqual(
            (
                in_the_way(
                    'eead2cb81845',
                    f'it creates table qos_types, but {kind} {name} exists, '
                    'and PostgreSQL uses one namespace for both',
                    name,
                    model.advice('Rename or drop it.'),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_name_that_the_table_has_already(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances ADD CONSTRAINT qt_id_fk CHECK '
            "(status <> '')",
            'ALTER TABLE shares ADD CONSTRAINT qt_id_fk CHECK '
            "(display_name <> '')",
        )
        self.assertEqual(
            (
                in_the_way(
                    'eead2cb81845',
                    'share_instances gets a foreign key qt_id_fk, but a '
                    'CHECK constraint of the table has that name already',
                    'qt_id_fk',
                    UNDER_ANOTHER_NAME,
                    model.command(
                        "psql DATABASE -c 'ALTER TABLE share_instances DROP "
                        "CONSTRAINT qt_id_fk;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_name_in_another_case(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances ADD CONSTRAINT "QT_ID_FK" CHECK '
            "(status <> ''), ADD \"QOS_TYPE_ID\" INTEGER"
        )
        self.assertEqual((), self.check(database, target='2026.1'))

    def test_an_id_that_is_not_text(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances DROP CONSTRAINT '
            'share_instances_pkey CASCADE',
            'ALTER TABLE share_instances ALTER id TYPE uuid USING id::uuid, '
            'ADD PRIMARY KEY (id)',
        )
        self.assertEqual(
            self.not_text(), self.check(database, target='2026.1')
        )

    @ddt.data(
        (
            'CREATE TRIGGER mine BEFORE UPDATE ON alembic_version FOR EACH '
            'ROW EXECUTE FUNCTION mine()',
            "BEGIN RAISE EXCEPTION 'frozen'; END",
        ),
        (
            'CREATE TRIGGER mine BEFORE UPDATE ON alembic_version FOR EACH '
            'ROW EXECUTE FUNCTION mine()',
            'BEGIN RETURN NULL; END',
        ),
    )
    @ddt.unpack
    def test_a_trigger_that_rejects_the_revision(self, statement, body):
        database = self.database('2025.1')
        database.execute(
            'CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS '
            f'$$ {body} $$',
            statement,
        )
        self.assertEqual(
            (
                may_fail(
                    'e975ea83b712',
                    'alembic_version has the trigger mine, which can reject '
                    'the update that records revision e975ea83b712',
                    'trigger-mine',
                    DISABLE,
                    model.command(
                        "psql DATABASE -c 'ALTER TABLE alembic_version "
                        "DISABLE TRIGGER mine;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    def test_a_rule_for_the_revision(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE RULE keep AS ON UPDATE TO alembic_version DO INSTEAD '
            'NOTHING'
        )
        self.assertEqual(
            (
                in_the_way(
                    'e975ea83b712',
                    'alembic_version has the rule keep: the update that '
                    'records revision e975ea83b712 changes no row',
                    'rule-keep',
                    DISABLE,
                    model.command(
                        "psql DATABASE -c 'ALTER TABLE alembic_version "
                        "DISABLE RULE keep;'"
                    ),
                ),
            ),
            self.check(database, target='2026.1'),
        )

    @ddt.data(
        ('statement_timeout', '1ms', model.Severity.FAILURE, 'longer'),
        ('statement_timeout', '20ms', model.Severity.WARNING, 'up to 0.1 s'),
        ('statement_timeout', '100ms', None, ''),
        (
            'idle_in_transaction_session_timeout',
            '50ms',
            model.Severity.WARNING,
            'up to 1 s',
        ),
        ('idle_in_transaction_session_timeout', '1min', None, ''),
    )
    @ddt.unpack
    def test_a_limit_of_time(self, name, value, severity, takes):
        database = self.database('2025.1')
        database.execute(
            f"ALTER DATABASE {database.name} SET {name} = '{value}'"
        )
        fails = 'may fail' if severity is model.Severity.WARNING else 'fails'
        seconds = int(value.removesuffix('ms').removesuffix('min')) / 1000
        expected = ()
        if severity:
            expected = (
                setting(
                    severity,
                    name,
                    f'"manila-manage db sync" {fails} at revision '
                    f'e975ea83b712: {name} is {seconds:g} s for the account '
                    'of [database] connection, and the migration takes '
                    f'{takes}',
                    NO_LIMIT,
                    model.command(
                        "psql DATABASE -c 'ALTER ROLE openstack_citest IN "
                        f"DATABASE {database.name} SET {name} = 0;'"
                    ),
                    seconds=seconds,
                ),
            )
        self.assertEqual(expected, self.check(database, target='2026.1'))

    @ddt.data('NOTICE', 'EXCEPTION')
    def test_triggers_of_events(self, level):
        database = self.database('2025.1')
        name = f'h{database.name}'
        database.execute(
            'CREATE FUNCTION mine() RETURNS event_trigger LANGUAGE plpgsql '
            f"AS $$ BEGIN IF false THEN RAISE {level} 'x'; END IF; END $$",
            f'CREATE EVENT TRIGGER {name} ON ddl_command_start '
            "WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION mine()",
            'CREATE FUNCTION other() RETURNS event_trigger LANGUAGE plpgsql '
            "AS $$ BEGIN RAISE 'never here'; END $$",
            f'CREATE EVENT TRIGGER {name}_o ON ddl_command_start '
            "WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION other()",
        )
        found = self.check(database, target='2026.1')
        if level == 'NOTICE':
            self.assertEqual((), found)
            return
        self.assertEqual(
            (
                may_fail(
                    'e975ea83b712',
                    f'the event trigger {name} can raise an exception, and '
                    'runs with the statements of revision e975ea83b712',
                    f'event-trigger-{name}',
                    DISABLE,
                    model.command(
                        "psql DATABASE -c 'ALTER EVENT TRIGGER "
                        f"{name} DISABLE;'"
                    ),
                ),
            ),
            found,
        )

    def test_a_name_in_another_schema(self):
        database = self.database('2025.1')
        database.execute(
            'CREATE SCHEMA elsewhere',
            'CREATE SEQUENCE elsewhere.qos_types',
        )
        self.assertEqual((), self.check(database, target='2026.1'))

    @ddt.data(
        ('CREATE VIEW {} AS SELECT * FROM share_servers', 'view report'),
        (
            'CREATE MATERIALIZED VIEW {} AS SELECT share_network_subnet_id '
            'FROM share_servers',
            'materialized view report',
        ),
    )
    @ddt.unpack
    def test_a_view_of_a_column_that_goes(self, statement, what):
        database = self.database('xena')
        database.execute(statement.format('report'))
        column = 'share_servers.share_network_subnet_id'
        self.assertEqual(
            (
                in_the_way(
                    'a87e0fb17dee',
                    f'it drops column {column}, on which {what} depends',
                    f'{column} {what}',
                    model.advice(
                        'Drop it, and create it again without the column '
                        'after the upgrade.'
                    ),
                ),
            ),
            self.check(database, target='yoga'),
        )

    def test_a_view_without_the_column_that_goes(self):
        database = self.database('xena')
        database.execute(
            'CREATE VIEW report AS SELECT id, host FROM share_servers'
        )
        self.assertEqual((), self.check(database, target='yoga'))

    def test_a_key_that_new_ones_refer_to_is_gone(self):
        database = self.database('2025.1')
        database.execute(
            'ALTER TABLE share_instances DROP CONSTRAINT '
            'share_instances_pkey CASCADE'
        )
        self.assertEqual(
            tuple(
                fails(
                    revision,
                    f'share_instances (id), to which {child} refers, is not '
                    'a key',
                    'share_instances (id)',
                )
                for revision, child in (
                    ('e975ea83b712', 'encryption_refs.share_instance_id'),
                    (
                        '004e506e922e',
                        'share_instance_metadata.share_instance_id',
                    ),
                )
            ),
            self.check(database, target='2026.1'),
        )

    def test_no_table_is_written_anew(self):
        database = self.database('2025.1')
        database.insert('share_instances', {'id': 'i1'})
        self.assertEqual((), self.check(database, target='2026.1'))


@ddt.ddt
class PrivilegesMySQLTest(databases.MySQLTest):
    """What manila's account may not do."""

    def findings(self, *grants, release='2025.1', target='2026.1'):
        """Return what an account with some grants meets."""
        database = self.database(release)
        self.db = database.name
        self.who, url = database.account(*grants)
        result = self.run_check(CHECK, url, target=target)
        self.assertEqual('', result.reason)
        return result.findings

    def found(self, revision, lacking, rights, todo):
        return (
            model.Finding(
                model.Severity.FAILURE,
                model.Subject('database', 'privileges'),
                f'"manila-manage db sync" fails at revision {revision}: '
                f'{self.who}, the account of [database] connection, lacks '
                f'{lacking} on {self.db} (error 1142), and what the migration '
                'has done before stays',
                tuple(todo),
                check_id=CHECK,
                aspect='privileges',
                data={'privileges': rights},
            ),
        )

    def grant(self, rights, pattern=None):
        pattern = pattern or self.db.replace('_', '\\_')
        return model.sql(
            'mysql', f'GRANT {rights} ON `{pattern}`.* TO {self.who}'
        )

    @ddt.data(
        ('GRANT ALL ON *.* TO {who}',),
        ('GRANT ALL ON {db}.* TO {who}',),
        ('GRANT SELECT, UPDATE, INSERT, CREATE, ALTER ON {db}.* TO {who}',),
        ('GRANT SELECT, UPDATE, CREATE, ALTER ON `openstack%`.* TO {who}',),
        # It only looks.
        ('GRANT SELECT ON {db}.* TO {who}',),
        (
            'GRANT SELECT ON {db}.* TO {who}',
            'GRANT CREATE, ALTER ON *.* TO {who}',
            'GRANT UPDATE ON {db}.alembic_version TO {who}',
        ),
        (
            'GRANT SELECT, CREATE, ALTER ON {db}.* TO {who}',
            'GRANT UPDATE (version_num) ON {db}.alembic_version TO {who}',
        ),
    )
    def test_what_is_enough(self, grants):
        self.assertEqual((), self.findings(*grants))

    def test_no_right_to_create(self):
        found = self.findings(
            'GRANT SELECT, INSERT, UPDATE, DELETE, ALTER ON {db}.* TO {who}'
        )
        self.assertEqual(
            self.found(
                'e975ea83b712',
                'CREATE (for encryption_refs)',
                'CREATE',
                [self.grant('CREATE', self.db)],
            ),
            found,
        )

    def test_no_right_to_alter_or_create(self):
        found = self.findings(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO {who}'
        )
        self.assertEqual(
            self.found(
                'e975ea83b712',
                'ALTER (for share_servers), CREATE (for encryption_refs)',
                'ALTER CREATE',
                [self.grant('ALTER, CREATE')],
            ),
            found,
        )

    def test_a_pattern_that_another_hides(self):
        found = self.findings(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.* TO {who}',
            'GRANT ALL ON `openstack%`.* TO {who}',
        )
        self.assertEqual(
            self.found(
                'e975ea83b712',
                'ALTER (for share_servers), CREATE (for encryption_refs)',
                'ALTER CREATE',
                [self.grant('ALTER, CREATE', self.db)],
            ),
            found,
        )

    def test_rights_on_other_databases(self):
        found = self.findings(
            'GRANT SELECT, INSERT, ALTER, CREATE ON {db}.* TO {who}',
            'GRANT UPDATE ON {db}.shares TO {who}',
            'GRANT ALL ON `openstack`.* TO {who}',
        )
        self.assertEqual(
            self.found(
                'e975ea83b712',
                'UPDATE (for alembic_version)',
                'UPDATE',
                [self.grant('UPDATE', self.db)],
            ),
            found,
        )

    def role(self):
        made = f'd_{uuid.uuid4().hex[:12]}'
        database = databases.Database(self.server)
        database.admin(f'CREATE ROLE {made}')
        self.addCleanup(database.admin, f'DROP ROLE {made}')
        return made

    def test_a_role_that_is_active(self):
        outer, inner = self.role(), self.role()
        self.assertEqual(
            (),
            self.findings(
                f'GRANT SELECT, UPDATE ON {{db}}.* TO {outer}',
                f'GRANT CREATE, ALTER ON {{db}}.* TO {inner}',
                f'GRANT {inner} TO {outer}',
                f'GRANT {outer} TO {{who}}',
                f'SET DEFAULT ROLE {outer} FOR {{who}}',
            ),
        )

    def test_a_role_that_is_not_active(self):
        role = self.role()
        found = self.findings(
            f'GRANT CREATE, ALTER ON {{db}}.* TO {role}',
            'GRANT SELECT, UPDATE ON {db}.* TO {who}',
            f'GRANT {role} TO {{who}}',
        )
        self.assertEqual(
            self.found(
                'e975ea83b712',
                'ALTER (for share_servers), CREATE (for encryption_refs)',
                'ALTER CREATE',
                [
                    self.grant('ALTER, CREATE', self.db),
                    model.advice(
                        f'{self.who} was granted the role {role}: if that '
                        'has them, make it the default role of the account '
                        '(SET DEFAULT ROLE), since manila sets none.'
                    ),
                ],
            ),
            found,
        )

    @ddt.data(
        ('MAX_STATEMENT_TIME 30', '', ''),
        ('MAX_UPDATES_PER_HOUR 500', '', ''),
        (
            'MAX_STATEMENT_TIME 0.001',
            'e975ea83b712: MAX_STATEMENT_TIME is 0.001 s for the account of '
            '[database] connection, and the migration takes longer',
            'For the upgrade, set no limit:',
        ),
        (
            'MAX_UPDATES_PER_HOUR 5',
            'eead2cb81845: MAX_UPDATES_PER_HOUR is 5 for {who}, the account '
            'of [database] connection (error 1226)',
            '',
        ),
    )
    @ddt.unpack
    def test_a_limit_of_the_account(self, limit, words, advice):
        found = self.findings(
            'GRANT ALL ON {db}.* TO {who}', f'ALTER USER {{who}} WITH {limit}'
        )
        if not words:
            self.assertEqual((), found)
            return
        name, value = limit.split()
        todo = [model.advice(advice)] if advice else []
        data = {'seconds': float(value)} if advice else {}
        self.assertEqual(
            (
                setting(
                    model.Severity.FAILURE,
                    name,
                    '"manila-manage db sync" fails at revision '
                    + words.format(who=self.who),
                    *todo,
                    model.sql(
                        'mysql', f'ALTER USER {self.who} WITH {name} 0;'
                    ),
                    **data,
                ),
            ),
            found,
        )

    def test_nothing_is_pending(self):
        grant = 'GRANT SELECT, UPDATE, INSERT, DELETE ON {db}.* TO {who}'
        self.assertEqual((), self.findings(grant, release='2026.1'))


TAKE_OVER = (
    "printf '%s \\\\gexec\\n' \"SELECT format('ALTER TABLE %I OWNER TO %I', "
    "tablename, '{0}') FROM pg_tables WHERE schemaname = 'public' AND "
    "tableowner <> '{0}'\" | psql DATABASE"
)


@ddt.ddt
class OwnersPostgreSQLTest(databases.PostgreSQLTest):
    """What manila's account may not change."""

    def setUp(self):
        super().setUp()
        self.role = f'precheck_{uuid.uuid4().hex[:12]}'

    def made(self, release, *grants):
        """Return a database, and its URL as the other account has it."""
        database = self.database(release)
        database.admin(f"CREATE ROLE {self.role} LOGIN PASSWORD 'secret'")
        self.addCleanup(database.admin, f'DROP ROLE {self.role}')
        self.addCleanup(database.execute, f'DROP OWNED BY {self.role}')
        database.execute(
            *(f'GRANT {grant} TO {self.role}' for grant in grants)
        )
        url = databases.url_of(
            'postgresql', database.name, self.role, 'secret'
        )
        return database, url

    def findings(self, url, target):
        result = self.run_check(
            CHECK, url, target=target, options={'max_listed': 3}
        )
        self.assertEqual('', result.reason)
        return result.findings

    def found(self, severity, words, tables):
        return model.Finding(
            severity,
            model.Subject('database', 'owner'),
            words,
            (model.command(TAKE_OVER.format(self.role)),),
            check_id=CHECK,
            data={'tables': tables},
        )

    def test_a_tablespace_that_takes_no_table(self):
        database, url = self.made('2025.1')
        self.make_owner(database)
        # Only the superuser may create in this one.
        database.admin(
            f"ALTER ROLE {self.role} SET default_tablespace = 'pg_global'"
        )
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('database', 'tablespace'),
                    '"manila-manage db sync" fails at revision e975ea83b712: '
                    f'{self.role}, the account of [database] connection, may '
                    'not create tables in the tablespace pg_global, which is '
                    'its default_tablespace, but has to create '
                    'encryption_refs',
                    (
                        model.command(
                            "psql DATABASE -c 'GRANT CREATE ON TABLESPACE "
                            f"pg_global TO {self.role};'"
                        ),
                    ),
                    check_id=CHECK,
                ),
            ),
            self.findings(url, '2026.1'),
        )

    @ddt.data(
        ('UPDATE', 'alembic_version'),
        ('REFERENCES', 'share_instances'),
    )
    @ddt.unpack
    def test_a_privilege_that_was_revoked_from_the_owner(
        self, privilege, table
    ):
        database, url = self.made('2025.1')
        self.make_owner(database)
        self.assertEqual((), self.findings(url, '2026.1'))
        database.execute(f'REVOKE {privilege} ON {table} FROM {self.role}')
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('table', table),
                    '"manila-manage db sync" fails at revision e975ea83b712: '
                    f'{self.role}, the account of [database] connection, owns '
                    f'{table}, but the privilege {privilege} was revoked from '
                    'it',
                    (
                        model.command(
                            f"psql DATABASE -c 'GRANT {privilege} ON {table} "
                            f"TO {self.role};'"
                        ),
                    ),
                    check_id=CHECK,
                ),
            ),
            self.findings(url, '2026.1'),
        )

    def make_owner(self, database):
        """Give all tables, and the schema, to the role."""
        database.execute(
            *(
                f'ALTER TABLE {name} OWNER TO {self.role}'
                for name in database.metadata.tables
            ),
            f'GRANT ALL ON SCHEMA public TO {self.role}',
        )

    @ddt.data(
        ('FOR SELECT USING (true)', True),
        ('FOR ALL USING (true)', None),
        ('FOR UPDATE TO pg_monitor USING (true)', True),
        ("FOR ALL USING (version_num = 'x')", False),
    )
    @ddt.unpack
    def test_row_level_security_of_the_revision(self, policy, certain):
        database, url = self.made('2025.1')
        self.make_owner(database)
        database.execute(
            'ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY',
            'ALTER TABLE alembic_version FORCE ROW LEVEL SECURITY',
            'CREATE POLICY seen ON alembic_version FOR SELECT USING (true)',
            f'CREATE POLICY p ON alembic_version {policy}',
        )
        wanted = in_the_way(
            'e975ea83b712',
            'alembic_version has row-level security without a policy for '
            'UPDATE: the update that records revision e975ea83b712 changes '
            'no row'
            if certain
            else 'alembic_version has row-level security, whose policies can '
            'hide its row: the update that records revision e975ea83b712 then '
            'changes no row',
            'policy-alembic_version',
            DISABLE,
            model.command(
                "psql DATABASE -c 'ALTER TABLE alembic_version DISABLE ROW "
                "LEVEL SECURITY;'"
            ),
        )
        if certain is False:
            wanted = wanted._replace(
                severity=model.Severity.WARNING,
                message=wanted.message.replace(' fails at ', ' may fail at '),
            )
        self.assertEqual(
            () if certain is None else (wanted,),
            self.findings(url, '2026.1'),
        )

    def test_tables_of_another_account(self):
        _, url = self.made(
            '2025.1',
            'ALL ON ALL TABLES IN SCHEMA public',
            'CREATE ON SCHEMA public',
        )
        (found,) = self.findings(url, '2026.1')
        tables = found.data['tables']
        self.assertEqual(
            self.found(
                model.Severity.FAILURE,
                f'{tables} tables are not owned by {self.role}, the account '
                f'of [database] connection, but by {databases.USER}: '
                'alembic_version, async_operation_data, availability_zones '
                f'and {tables - 3} more; "manila-manage db sync" fails at '
                'revision e975ea83b712, which changes share_servers or '
                'refers to it',
                tables,
            ),
            found,
        )

    def test_a_table_that_no_migration_changes(self):
        database, url = self.made(
            '2025.1',
            'ALL ON ALL TABLES IN SCHEMA public',
            'CREATE ON SCHEMA public',
        )
        tables = set(database.metadata.tables) - {'messages'}
        database.execute(
            *(
                f'ALTER TABLE {table} OWNER TO {self.role}'
                for table in sorted(tables)
            ),
            f'ALTER TABLE alembic_version OWNER TO {self.role}',
        )
        self.assertEqual(
            (
                self.found(
                    model.Severity.WARNING,
                    f'1 table is not owned by {self.role}, the account of '
                    f'[database] connection, but by {databases.USER}: '
                    'messages; a later migration that changes one fails',
                    1,
                ),
            ),
            self.findings(url, '2026.1'),
        )

    def test_a_revision_that_cannot_be_written(self):
        database, url = self.made(
            '2025.1',
            'SELECT ON ALL TABLES IN SCHEMA public',
            'CREATE ON SCHEMA public',
        )
        database.execute(
            *(
                f'ALTER TABLE {table} OWNER TO {self.role}'
                for table in sorted(database.metadata.tables)
                if table != 'alembic_version'
            )
        )
        self.assertEqual(
            (
                self.found(
                    model.Severity.FAILURE,
                    f'1 table is not owned by {self.role}, the account of '
                    f'[database] connection, but by {databases.USER}: '
                    'alembic_version; "manila-manage db sync" fails at '
                    'revision e975ea83b712, which changes alembic_version or '
                    'refers to it',
                    1,
                ),
            ),
            self.findings(url, '2026.1'),
        )

    def test_a_schema_that_takes_no_table(self):
        database, url = self.made('2025.1', 'USAGE ON SCHEMA public')
        for table in (*database.metadata.tables, 'alembic_version'):
            database.execute(f'ALTER TABLE {table} OWNER TO {self.role}')
        # What PostgreSQL has not from 15 on.
        database.execute('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('database', 'schema'),
                    '"manila-manage db sync" fails at revision '
                    f'e975ea83b712: {self.role}, the account of [database] '
                    'connection, may not create tables in the schema '
                    'public, but has to create encryption_refs',
                    (
                        model.command(
                            'psql DATABASE -c '
                            f"'GRANT CREATE ON SCHEMA public TO {self.role};'"
                        ),
                    ),
                    check_id=CHECK,
                ),
            ),
            self.findings(url, '2026.1'),
        )

    def test_an_account_that_only_reads_is_not_manilas(self):
        _, url = self.made('2025.1', 'SELECT ON ALL TABLES IN SCHEMA public')
        self.assertEqual((), self.findings(url, '2026.1'))
