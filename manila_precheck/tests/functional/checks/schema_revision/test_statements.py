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
"""Columns, triggers and sequences that make statements of manila fail."""

import ddt

from manila_precheck import model
from manila_precheck.tests import databases
from manila_precheck.tests.unit.checks.schema_revision import (
    test_check as unit,  # noqa: H301
)

CHECK = unit.CHECK
BOTH = 'before the upgrade as well as after it'


def warning(table, message, *todo, aspect, **data):
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('table', table),
        message,
        todo,
        check_id=CHECK,
        data=data,
        aspect=aspect,
    )


def required(server, table, column, statement):
    what = 'Give it a default' if 'DEFAULT' in statement else 'Let it be NULL'
    error = ' (error 1364)' if server == 'mysql' else ''
    return warning(
        table,
        f'manila does not have the column {table}.{column}, which is NOT '
        f'NULL and has no default: each INSERT of manila into {table} '
        f'fails{error}, {BOTH}',
        model.advice(f'{what}; its values do not change:'),
        model.sql(server, statement),
        column=column,
        aspect=f'required-{column}',
    )


def trigger(server, table, name, verbs, missing):
    error = ' (error 1146)' if server == 'mysql' else ''
    on = f' ON {table}' if server == 'postgresql' else ''
    return warning(
        table,
        f'{table} has the trigger {name}, which uses the table {missing}, '
        f'but that does not exist: {verbs} of manila on {table} fails{error} '
        f'when the trigger gets there, {BOTH}',
        model.advice(
            'Restore the table, or drop the trigger that was left behind:'
        ),
        model.sql(server, f'DROP TRIGGER {name}{on};'),
        trigger=name,
        missing=missing,
        aspect=f'trigger-{name}',
    )


class Scenarios(databases.Scenarios):
    filled: tuple[str, ...] = ()

    def findings(self, database, release='2026.1', **site):
        """Return the findings about a database that needs no migration."""
        site.setdefault('stage', 'upgraded')
        result = self.run_check(CHECK, database, target=release, **site)
        self.assertEqual('', result.reason)
        return result.findings

    def test_a_column_without_a_default(self):
        database = self.database('2026.1')
        database.execute(
            'ALTER TABLE shares ADD COLUMN cost_centre VARCHAR(32) NOT NULL',
            'ALTER TABLE shares ADD COLUMN price NUMERIC(8, 2) NOT NULL',
            'ALTER TABLE quotas ADD COLUMN code VARCHAR(9) UNIQUE NOT NULL',
            'ALTER TABLE quotas ADD COLUMN day DATE NOT NULL',
        )
        quotas = {
            'mysql': 'ALTER TABLE quotas MODIFY COLUMN {} {} NULL;',
            'postgresql': 'ALTER TABLE quotas ALTER COLUMN {} DROP NOT NULL;',
        }[self.server]
        expected = [
            ('quotas', 'code', quotas.format('code', 'varchar(9)')),
            ('quotas', 'day', quotas.format('day', 'date')),
            (
                'shares',
                'cost_centre',
                "ALTER TABLE shares ALTER COLUMN cost_centre SET DEFAULT '';",
            ),
            (
                'shares',
                'price',
                'ALTER TABLE shares ALTER COLUMN price SET DEFAULT 0;',
            ),
        ]
        self.assertEqual(
            tuple(required(self.server, *one) for one in expected),
            self.findings(database),
        )
        database.execute(*(statement for _, _, statement in expected))
        self.assertEqual((), self.findings(database))

    def test_the_stages_before_the_upgrade(self):
        database = self.database('2025.1')
        database.execute('ALTER TABLE shares ADD COLUMN mine INT NOT NULL')
        for stage in ('plan', 'stopped'):
            self.assertEqual(
                [
                    required(
                        self.server,
                        'shares',
                        'mine',
                        'ALTER TABLE shares ALTER COLUMN mine SET DEFAULT 0;',
                    )
                ],
                [
                    one
                    for one in self.findings(database, stage=stage)
                    if one.severity > model.Severity.INFO
                ],
            )

    def test_columns_that_an_insert_need_not_name(self):
        database = self.database('2026.1')
        database.execute(
            'CREATE TABLE billing (id INTEGER NOT NULL)',
            "ALTER TABLE shares ADD COLUMN a VARCHAR(9) NOT NULL DEFAULT 'x'",
            'ALTER TABLE shares ADD COLUMN b VARCHAR(9)',
            'ALTER TABLE shares ADD COLUMN c VARCHAR(80) '
            "GENERATED ALWAYS AS (COALESCE(share_proto, '')) STORED",
            *self.filled,
        )
        self.assertEqual(
            [],
            [
                one
                for one in self.findings(database)
                if one.aspect.startswith('required')
            ],
        )


@ddt.ddt
class StatementsMySQLTest(Scenarios, databases.MySQLTest):
    filled = (
        'ALTER TABLE alembic_version ADD COLUMN d INTEGER NOT NULL',
        "ALTER TABLE quotas ADD COLUMN e ENUM('x', 'y') NOT NULL",
        'ALTER TABLE shares ADD COLUMN f INT NOT NULL AUTO_INCREMENT UNIQUE',
        'ALTER TABLE messages ADD COLUMN g VARCHAR(9) NOT NULL',
        'CREATE TRIGGER fill BEFORE INSERT ON messages FOR EACH ROW '
        "SET NEW.g = 'x'",
        # 'ROW START' and 'ROW END' are NOT NULL.
        'ALTER TABLE backend_info ADD COLUMN h TIMESTAMP(6) '
        'GENERATED ALWAYS AS ROW START, ADD COLUMN i TIMESTAMP(6) '
        'GENERATED ALWAYS AS ROW END, ADD PERIOD FOR SYSTEM_TIME(h, i), '
        'ADD SYSTEM VERSIONING',
    )

    @ddt.data(
        ('', True),
        ('strict_all_tables', True),
        ('NO_ENGINE_SUBSTITUTION', False),
    )
    @ddt.unpack
    def test_the_mode_of_the_sessions(self, mode, fires):
        database = self.database('2026.1')
        database.execute('ALTER TABLE shares ADD COLUMN mine INT NOT NULL')
        found = self.findings(
            database, config=f'[database]\nmysql_sql_mode = {mode}\n'
        )
        self.assertEqual(
            ['required-mine'] if fires else [], [one.aspect for one in found]
        )

    # The bodies that pt-online-schema-change 3.0 makes.
    def test_triggers_that_a_tool_has_left_behind(self):
        database = self.database('2026.1')
        copy = f'`{database.name}`.`_share_instances_new`'
        made = 'CREATE TRIGGER pt_osc_m_share_instances_'
        database.execute(
            f'{made}del AFTER DELETE ON share_instances FOR EACH ROW DELETE '
            f'IGNORE FROM {copy} WHERE {copy}.`id` <=> OLD.`id`',
            f'{made}ins AFTER INSERT ON share_instances FOR EACH ROW REPLACE '
            f'INTO {copy} (`id`) VALUES (NEW.`id`)',
            f'{made}upd AFTER UPDATE ON share_instances FOR EACH ROW BEGIN '
            f'DELETE IGNORE FROM {copy} WHERE !(OLD.`id` <=> NEW.`id`) AND '
            f'{copy}.`id` <=> OLD.`id`; REPLACE INTO {copy} (`id`) VALUES '
            '(NEW.`id`); END',
        )
        self.assertEqual(
            tuple(
                trigger(
                    self.server,
                    'share_instances',
                    f'pt_osc_m_share_instances_{what}',
                    verb,
                    f'{database.name}._share_instances_new',
                )
                for what, verb in (
                    ('del', 'DELETE'),
                    ('ins', 'INSERT'),
                    ('upd', 'UPDATE'),
                )
            ),
            self.findings(database),
        )
        database.execute('CREATE TABLE _share_instances_new (id CHAR(36))')
        self.assertEqual(
            (model.Severity.INFO,),
            tuple(one.severity for one in self.findings(database)),
        )

    @ddt.data(
        'UPDATE gone SET a = 1',
        'INSERT IGNORE INTO Gone (a) VALUES (1)',
        'BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM gone; END',
        "SET @n = (SELECT MAX(a) FROM shares s JOIN gone ON s.id = 'x')",
        'BEGIN IF NEW.size > 1 THEN DELETE FROM gone; END IF; END',
    )
    def test_a_statement_that_names_no_table(self, body):
        database = self.database('2026.1')
        database.execute(
            f'CREATE TRIGGER mine AFTER UPDATE ON shares FOR EACH ROW {body}'
        )
        name = 'Gone' if 'Gone' in body else 'gone'
        self.assertEqual(
            (trigger(self.server, 'shares', 'mine', 'UPDATE', name),),
            self.findings(database),
        )

    @ddt.data(
        'INSERT INTO quotas (project_id) SELECT project_id FROM Shares',
        "SET @a = 'INSERT INTO gone', @b = \"DELETE FROM gone\"",
        'BEGIN /* DELETE FROM gone; */ SET @a = 1; -- UPDATE gone\nEND',
        'BEGIN # DELETE FROM gone\nSET @a = 1; END',
        'SET @a = EXTRACT(YEAR FROM NEW.created_at), '
        "@b = TRIM('x' FROM NEW.id)",
        'INSERT INTO quotas (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 1',
        # A later pt-online-schema-change handles the error.
        'BEGIN DECLARE CONTINUE HANDLER FOR 1146 BEGIN END; '
        'REPLACE INTO gone (a) VALUES (1); END',
        'BEGIN CREATE TEMPORARY TABLE gone (a INT); '
        'INSERT INTO gone VALUES (1); END',
        'SET @a = (WITH gone AS (SELECT 1 AS b) SELECT b FROM gone)',
        'DELETE FROM gone USING quotas AS gone WHERE gone.id = 0',
        'SELECT 1 INTO @a FROM dual',
    )
    def test_statements_that_name_tables_or_something_else(self, body):
        database = self.database('2026.1')
        database.execute(
            f'CREATE TRIGGER mine AFTER UPDATE ON shares FOR EACH ROW {body}'
        )
        self.assertEqual((), self.findings(database))

    def test_a_trigger_of_another_table(self):
        database = self.database('2026.1')
        database.execute(
            'CREATE TABLE billing (id INTEGER)',
            'CREATE TRIGGER mine AFTER UPDATE ON billing FOR EACH ROW '
            'DELETE FROM gone',
        )
        self.assertEqual(
            [model.Severity.INFO],
            [one.severity for one in self.findings(database)],
        )

    @ddt.data(
        (('ALL ON {db}.*',), {'gone'}),
        (('ALL ON *.*',), {'gone', 'elsewhere.gone'}),
        # It cannot see the triggers, or not every table.
        (('SELECT ON {db}.*',), set()),
    )
    @ddt.unpack
    def test_what_the_account_can_see(self, grants, missing):
        database = self.database('2026.1')
        database.execute(
            'CREATE TRIGGER one AFTER UPDATE ON shares FOR EACH ROW '
            'DELETE FROM gone',
            'CREATE TRIGGER two AFTER UPDATE ON quotas FOR EACH ROW '
            'DELETE FROM elsewhere.gone',
        )
        _, url = database.account(
            *(f'GRANT {one} TO {{who}}' for one in grants)
        )
        self.assertEqual(
            missing,
            {one.data.get('missing') for one in self.findings(url)},
        )

    def test_a_table_that_the_account_may_not_see(self):
        database = self.database('2026.1')
        database.execute(
            'CREATE TABLE audit (id INTEGER)',
            'CREATE TRIGGER one AFTER UPDATE ON shares FOR EACH ROW '
            'DELETE FROM audit',
        )
        _, url = database.account(
            'GRANT TRIGGER ON {db}.* TO {who}',
            *(
                f'GRANT SELECT ON {{db}}.{table} TO {{who}}'
                for table in database.metadata.tables
            ),
        )
        self.assertEqual((), self.findings(url))


@ddt.ddt
class StatementsPostgreSQLTest(Scenarios, databases.PostgreSQLTest):
    filled = (
        'ALTER TABLE shares ADD COLUMN e INTEGER NOT NULL '
        'GENERATED BY DEFAULT AS IDENTITY',
        'ALTER TABLE shares ADD COLUMN f SERIAL NOT NULL',
        "CREATE DOMAIN mine AS VARCHAR(9) NOT NULL DEFAULT 'x'",
        'ALTER TABLE shares ADD COLUMN g mine',
        'ALTER TABLE messages ADD COLUMN h VARCHAR(9) NOT NULL',
        'CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS '
        "$$ BEGIN NEW.H := 'x'; RETURN NEW; END $$",
        'CREATE TRIGGER fill BEFORE INSERT ON messages FOR EACH ROW '
        'EXECUTE FUNCTION fill()',
    )

    def with_trigger(self, body, fires='INSERT OR UPDATE', declare='', **more):
        database = self.database('2026.1')
        database.execute(
            *more.get('before', ()),
            'CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql '
            f'{more.get("how", "")} AS $$ {declare} BEGIN {body} '
            'RETURN NEW; END $$',
            f'CREATE TRIGGER mine AFTER {fires} ON shares {more.get("of", "")}'
            f' FOR EACH {more.get("each", "ROW")} EXECUTE FUNCTION mine()',
        )
        return database

    @ddt.data(
        ('INSERT INTO audit_shares SELECT NEW.*;', 'audit_shares'),
        ('UPDATE Gone SET a = 1;', 'gone'),
        ('UPDATE ONLY "Gone" SET a = 1;', 'Gone'),
        ('INSERT INTO public.gone VALUES (1);', 'public.gone'),
        ('INSERT INTO nowhere.quotas VALUES (1);', 'nowhere.quotas'),
        ('PERFORM 1 FROM gone;', 'gone'),
        (
            "IF TG_OP = 'INSERT' THEN DELETE FROM gone; "
            "ELSE RAISE EXCEPTION 'no'; END IF;",
            'gone',
        ),
    )
    @ddt.unpack
    def test_a_statement_that_names_no_table(self, body, missing):
        self.assertEqual(
            (
                trigger(
                    self.server, 'shares', 'mine', 'INSERT or UPDATE', missing
                ),
            ),
            self.findings(self.with_trigger(body)),
        )

    @ddt.data(
        ('INSERT INTO quotas (id) SELECT 1 FROM generate_series(1, 2);', {}),
        ("EXECUTE 'INSERT INTO gone SELECT $1.*' USING NEW;", {}),
        ("PERFORM $a$ DELETE FROM gone; $a$, E'\\' DELETE FROM gone';", {}),
        ('-- DELETE FROM gone\n/* UPDATE gone */', {}),
        ('IF NEW.size IS DISTINCT FROM OLD.size THEN NULL; END IF;', {}),
        ('PERFORM 1 FROM quotas WHERE id IS NOT DISTINCT FROM NEW.size;', {}),
        ('PERFORM extract(year FROM NEW.created_at);', {}),
        ('INSERT INTO quotas (id) VALUES (1) ON CONFLICT DO NOTHING;', {}),
        (
            'INSERT INTO quotas (id) VALUES (1) ON CONFLICT (id) DO UPDATE '
            'SET id = 1;',
            {},
        ),
        ('PERFORM 1 FROM quotas FOR UPDATE OF quotas;', {}),
        ('PERFORM relname FROM pg_stat_activity, pg_class;', {}),
        (
            'BEGIN DELETE FROM gone; EXCEPTION WHEN undefined_table THEN '
            'NULL; END;',
            {},
        ),
        (
            "IF to_regclass('gone') IS NOT NULL THEN DELETE FROM gone; "
            'END IF;',
            {},
        ),
        ('CREATE TEMP TABLE gone (a INT); INSERT INTO gone VALUES (1);', {}),
        (
            'DELETE FROM gone;',
            {
                'how': 'SET search_path = audit',
                'before': (
                    'CREATE SCHEMA audit',
                    'CREATE TABLE audit.gone (a INTEGER)',
                ),
            },
        ),
        (
            'PERFORM 1 FROM made;',
            {
                'fires': 'INSERT',
                'of': 'REFERENCING NEW TABLE AS made',
                'each': 'STATEMENT',
            },
        ),
    )
    @ddt.unpack
    def test_statements_that_name_tables_or_something_else(self, body, more):
        self.assertEqual((), self.findings(self.with_trigger(body, **more)))

    def test_a_trigger_that_is_disabled(self):
        database = self.with_trigger('DELETE FROM gone;')
        database.execute('ALTER TABLE shares DISABLE TRIGGER mine')
        self.assertEqual((), self.findings(database))

    def behind(self, table, after, largest):
        name = f'public.{table}_id_seq'
        return warning(
            table,
            f'the sequence {name} gives {table}.id the value {after}, but '
            f'the table has values up to {largest}: an INSERT of manila '
            f'fails (UniqueViolation), {BOTH}',
            model.sql(
                'postgresql',
                f"SELECT setval('{name}', (SELECT MAX(id) FROM {table}));",
            ),
            next=after,
            largest=largest,
            aspect='sequence-id',
        )

    @ddt.data(
        # (the largest id, the arguments of setval, the next id if behind)
        (7, "1, false", 1),
        (7, '1, true', 2),
        (7, '6, true', 7),
        (7, '7, false', 7),
        (7, '7, true', None),
        (7, '8, false', None),
        (None, '1, false', None),
    )
    @ddt.unpack
    def test_a_sequence_and_its_column(self, largest, value, after):
        database = self.database('2026.1')
        if largest:
            database.insert('services', {'id': largest}, {'id': 3})
        database.execute(f"SELECT setval('services_id_seq', {value})")
        expected = (
            () if after is None else (self.behind('services', after, largest),)
        )
        self.assertEqual(expected, self.findings(database))
        if expected:
            database.execute(
                "SELECT setval('public.services_id_seq', "
                '(SELECT MAX(id) FROM services))'
            )
            self.assertEqual((), self.findings(database))

    def test_rows_that_were_loaded_without_the_sequences(self):
        database = self.database('2026.1')
        database.insert('services', {'id': 1}, {'id': 2})
        database.insert('quotas', {'id': 5})
        database.execute(
            'CREATE TABLE billing (id SERIAL PRIMARY KEY)',
            'INSERT INTO billing (id) VALUES (9)',
        )
        self.assertEqual(
            [self.behind('quotas', 1, 5), self.behind('services', 1, 2)],
            [
                one
                for one in self.findings(database)
                if one.severity > model.Severity.INFO
            ],
        )
