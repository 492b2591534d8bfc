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
"""Triggers of PostgreSQL that copy rows of a table whose columns change."""

import ddt

from manila_precheck import model
from manila_precheck.tests import databases
from manila_precheck.tests.unit.checks.pending_migrations import (
    test_check as unit,  # noqa: H301
)

CHECK = unit.CHECK
NEW = 'snapshot_inherit_share_access_support'
AFTER = (
    f'afc3b5e1f406 adds shares.{NEW}, and the trigger audit of shares inserts '
    'the whole row into {}: after "manila-manage db sync" {}'
)
WRONG = (
    'INSERT or DELETE of manila on shares may fail, or store values in the '
    'wrong columns'
)
COPY = 'CREATE TABLE {} AS SELECT {} FROM shares'


@ddt.ddt
class RowCopiesTest(databases.PostgreSQLTest):
    def findings(self, body, *statements, release='2026.1', target='2026.2'):
        database = self.database(release)
        database.execute(
            *statements,
            'CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ '
            f'BEGIN {body} RETURN NULL; END $$',
            'CREATE TRIGGER audit AFTER INSERT OR DELETE ON shares '
            'FOR EACH ROW EXECUTE FUNCTION audit()',
        )
        self.columns = len(database.metadata.tables['shares'].columns)
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual('', result.reason)
        return result.findings

    def found(self, severity, ends, target):
        return (
            model.Finding(
                severity,
                model.Subject('revision', 'afc3b5e1f406'),
                AFTER.format(target, ends),
                (
                    model.advice(
                        f'Name the columns in its function; or make {target} '
                        'fit after the upgrade, and until then disable the '
                        'trigger, as the owner of the table:'
                    ),
                    model.sql(
                        'postgresql',
                        'ALTER TABLE shares DISABLE TRIGGER audit;',
                    ),
                ),
                check_id=CHECK,
                data={'trigger': 'audit', 'target': target},
                aspect='row-copy-audit',
            ),
        )

    @ddt.data(
        ('INSERT INTO copy SELECT NEW.*;', '*', 0),
        ('INSERT INTO copy VALUES (NEW.*);', '*', 0),
        ('INSERT INTO public.copy SELECT (OLD).*;', '*', 0),
        (
            "INSERT INTO copy SELECT 'D', now(), OLD.*;",
            "'D', now() AS t, *",
            2,
        ),
        (
            "IF TG_OP = 'INSERT' THEN INSERT INTO copy VALUES (NEW.*, "
            'coalesce(NEW.size, 1)); END IF;',
            '*, 1 AS one',
            1,
        ),
    )
    @ddt.unpack
    def test_a_table_without_the_new_column(self, body, columns, more):
        found = self.findings(body, COPY.format('copy', columns))
        target = 'public.copy' if 'public' in body else 'copy'
        number = self.columns + more
        self.assertEqual(
            self.found(
                model.Severity.FAILURE,
                f'it then has {number + 1} values for {number} columns, and '
                'INSERT or DELETE of manila on shares fails (INSERT has more '
                'expressions than target columns)',
                target,
            ),
            found,
        )

    def test_columns_that_are_listed(self):
        database = self.database('2026.1')
        columns = ', '.join(database.metadata.tables['shares'].columns.keys())
        found = self.findings(
            f'INSERT INTO copy ({columns}) SELECT NEW.*;',
            COPY.format('copy', '*, 1 AS one'),
        )
        self.assertEqual(
            self.found(
                model.Severity.FAILURE,
                f'it then has {self.columns + 1} values for {self.columns} '
                'columns, and INSERT or DELETE of manila on shares fails '
                '(INSERT has more expressions than target columns)',
                'copy',
            ),
            found,
        )

    def test_a_column_in_the_place_of_the_new_one(self):
        self.assertEqual(
            self.found(model.Severity.WARNING, WRONG, 'copy'),
            self.findings(
                'INSERT INTO copy SELECT NEW.*;',
                COPY.format('copy', '*, now() AS changed_at'),
            ),
        )

    def test_a_table_that_does_not_exist(self):
        self.assertEqual(
            self.found(model.Severity.WARNING, WRONG, 'nowhere.copy'),
            self.findings('INSERT INTO nowhere.copy SELECT NEW.*;'),
        )

    @ddt.data(
        ('INSERT INTO copy SELECT NEW.*;', f'*, false AS {NEW}'),
        ('INSERT INTO copy SELECT 1, NEW.*;', f'1 AS one, *, false AS {NEW}'),
        ('INSERT INTO copy (id) VALUES (NEW.id);', '*'),
        ('INSERT INTO copy (id) SELECT row_to_json(NEW.*);', 'id'),
        ('INSERT INTO copy SELECT ROW(NEW.*)::text;', 'id'),
        ("EXECUTE 'INSERT INTO copy SELECT $1.*' USING NEW;", '*'),
        ('-- INSERT INTO copy SELECT NEW.*;\n', '*'),
        ('INSERT INTO copy (id) SELECT id FROM shares;', 'id'),
        ('IF NEW.* IS DISTINCT FROM OLD.* THEN NULL; END IF;', 'id'),
    )
    @ddt.unpack
    def test_what_does_not_break(self, body, columns):
        self.assertEqual((), self.findings(body, COPY.format('copy', columns)))

    @ddt.data(('2025.1', '2026.1'), ('2026.2', '2026.2'))
    @ddt.unpack
    def test_no_column_of_the_table_changes(self, release, target):
        self.assertEqual(
            (),
            self.findings(
                'INSERT INTO copy SELECT NEW.*;',
                COPY.format('copy', '*'),
                release=release,
                target=target,
            ),
        )

    def test_a_column_that_is_dropped(self):
        database = self.database('xena')
        database.execute(
            'CREATE TABLE copy AS SELECT *, 1 AS one, 2 AS two '
            'FROM share_servers',
            'CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ '
            'BEGIN INSERT INTO copy SELECT NEW.*; RETURN NULL; END $$',
            'CREATE TRIGGER audit AFTER UPDATE ON share_servers '
            'FOR EACH ROW EXECUTE FUNCTION audit()',
        )
        result = self.run_check(CHECK, database, target='yoga')
        self.assertEqual(
            [
                (
                    model.Severity.WARNING,
                    'a87e0fb17dee adds share_servers.'
                    'network_allocation_update_support, a87e0fb17dee drops '
                    'share_servers.share_network_subnet_id, and the trigger '
                    'audit of share_servers inserts the whole row into copy: '
                    'after "manila-manage db sync" UPDATE of manila on '
                    'share_servers may fail, or store values in the wrong '
                    'columns',
                )
            ],
            [
                (one.severity, one.message)
                for one in result.findings
                if one.aspect == 'row-copy-audit'
            ],
        )
