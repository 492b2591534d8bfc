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
"""What keeps a purge from deleting rows, on the servers that have it."""

import uuid

import ddt

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'soft-deleted-rows'
DATED = {'deleted_at': databases.LONG_AGO}

#: A purge of 2026.1 is one transaction, that of 2026.2 one for each table.
RELEASES = ('2025.1', '2026.1', '2026.2')

LOGGED = 'although it logs them as deleted and exits with 0'
SKIPPED = 'it logs warnings, and exits with 0'
DISABLE = model.advice(
    'Find out what it is for. If the rows may go, disable it for the purge, '
    'as the owner of the table; afterwards, run the same with ENABLE:'
)


class _Obstacles(databases.DatabaseTest):
    """Four rows to purge, in the order reservations, messages, data."""

    def made(self, release):
        database = self.database(release)
        database.insert('reservations', {'id': 7, 'deleted': 7, **DATED})
        database.insert(
            'messages',
            *({'id': one, 'deleted': one, **DATED} for one in 'ab'),
            {'id': 'c'},
        )
        database.insert(
            'drivers_private_data', {'key': 'k', 'deleted': 1, **DATED}
        )
        return database

    def run_on(self, database, url=None):
        """Return what stays, and what is promised of each table."""
        result = self.run_check(
            CHECK, url or database, source=self.release, target=self.target
        )
        self.assertEqual('', result.reason)
        promised = {}
        stays = []
        for one in result.findings:
            if one.aspect:
                stays.append(one)
            else:
                promised[one.subject.name] = (
                    one.data['purge_deletes'],
                    one.data['purge_is_exact'],
                    one.remediation[0].text,
                )
        return stays, promised

    def use(self, release):
        self.release = release
        self.target = {'2025.1': '2026.1'}.get(release, '2026.2')
        return self.made(release)

    def stays(self, what, does, aspect, todo, **data):
        """Return a finding; a purge goes on, unless data say otherwise."""
        subject = data.pop('subject', model.Subject('table', 'messages'))
        facts = {
            'rows_that_stay': 2,
            'purge_deletes': 2,
            'certain': True,
            'exit_code': 0,
            **data,
        }
        return model.Finding(
            model.Severity.WARNING,
            subject,
            f'{what}: a purge at 30 days {does}',
            tuple(todo),
            check_id=CHECK,
            data=facts,
            aspect=f'stays:{aspect}',
        )

    def promised(self, key, certain=True, tables=('messages',)):
        """Return what is promised if the rows of some tables stay."""
        rows = {'reservations': 1, 'messages': 2, 'drivers_private_data': 1}
        after = f'Resolve the finding {CHECK}[{key}] first.'
        return {
            table: (
                0 if certain and table in tables else count,
                certain or table not in tables,
                after if table in tables else 'manila-manage db purge 30',
            )
            for table, count in rows.items()
        }

    def all_or_rest(self):
        """Return the rows that stay if a purge ends at table messages."""
        if self.release == '2026.2':
            return ('messages', 'drivers_private_data'), {
                'rows_that_stay': 3,
                'purge_deletes': 1,
                'exit_code': 1,
            }
        return ('reservations', 'messages', 'drivers_private_data'), {
            'rows_that_stay': 4,
            'purge_deletes': 0,
            'exit_code': 1,
        }

    def none(self, certain=True):
        """Return what a purge does that ends at table messages."""
        s = 's' if certain else ''
        if self.release == '2026.2':
            words = (
                f'leave{s} 3 of its 4 rows: those of messages, and of the '
                'tables that it purges later'
            )
        else:
            words = f'delete{s} none of its 4 rows'
        return f'{"" if certain else "may "}exit{s} with 1, and {words}'


@ddt.ddt
class ObstaclesMySQLTest(_Obstacles, databases.MySQLTest):
    """Each was tried with the purge of 20.0.3, 22.0.2 and 23.0.1."""

    @ddt.data(*RELEASES)
    def test_a_trigger_that_can_reject_it(self, release):
        database = self.use(release)
        database.execute(
            'CREATE TRIGGER keep BEFORE DELETE ON messages FOR EACH ROW '
            "SIGNAL SQLSTATE '45000'"
        )
        tables, data = self.all_or_rest()
        self.assertEqual(
            (
                [
                    self.stays(
                        'table messages has the trigger keep, which can '
                        'reject a DELETE',
                        self.none(certain=False),
                        'trigger-keep',
                        [
                            model.advice(
                                'Read it. If the rows may go, drop it for the '
                                'purge, and create it again:'
                            ),
                            model.sql('mysql', 'SHOW CREATE TRIGGER keep;'),
                            model.sql('mysql', 'DROP TRIGGER keep;'),
                        ],
                        certain=False,
                        **data,
                    )
                ],
                self.promised('messages#stays:trigger-keep', False, tables),
            ),
            self.run_on(database),
        )

    @ddt.data(
        # It rejects nothing.
        'BEFORE DELETE ON messages FOR EACH ROW SET @gone = OLD.id',
        # Not a DELETE.
        "BEFORE UPDATE ON messages FOR EACH ROW SIGNAL SQLSTATE '45000'",
        # Nothing is purged from these tables.
        "BEFORE DELETE ON shares FOR EACH ROW SIGNAL SQLSTATE '45000'",
        "BEFORE DELETE ON services FOR EACH ROW SIGNAL SQLSTATE '45000'",
    )
    def test_triggers_that_stop_no_purge(self, trigger):
        database = self.use('2026.1')
        database.insert('services', {'id': 1})
        database.execute(f'CREATE TRIGGER keep {trigger}')
        stays, promised = self.run_on(database)
        self.assertEqual([], stays)
        self.assertEqual(self.promised('', tables=()), promised)

    @ddt.data(*RELEASES)
    def test_a_key_to_a_table_that_is_gone(self, release):
        database = self.use(release)
        database.execute(
            'SET foreign_key_checks = 0',
            'CREATE TABLE acme (id INT, CONSTRAINT gone FOREIGN KEY (id) '
            'REFERENCES acme_gone (id))',
        )
        drop = 'ALTER TABLE acme DROP FOREIGN KEY gone;'
        self.assertEqual(
            (
                [
                    self.stays(
                        'the foreign key gone of table acme refers to '
                        'acme_gone, which does not exist, or which the '
                        'account may not see',
                        'exits with 1, and deletes none of its 4 rows',
                        'key-gone',
                        [
                            model.advice(
                                'Restore acme_gone, or drop the foreign key:'
                            ),
                            model.sql('mysql', drop),
                        ],
                        subject=model.Subject('table', 'acme'),
                        rows_that_stay=4,
                        purge_deletes=0,
                        exit_code=1,
                    )
                ],
                self.promised(
                    'acme#stays:key-gone',
                    tables=(
                        'reservations',
                        'messages',
                        'drivers_private_data',
                    ),
                ),
            ),
            self.run_on(database),
        )
        database.execute(drop)
        self.assertEqual(
            ([], self.promised('', tables=())), self.run_on(database)
        )

    @ddt.data(*RELEASES)
    def test_an_account_without_delete_on_a_table(self, release):
        database = self.use(release)
        most = 'GRANT SELECT, UPDATE, INSERT ON {db}.* TO {who}'
        who, url = database.account(
            most,
            *(
                f'GRANT DELETE ON {{db}}.{table} TO {{who}}'
                for table in ('reservations', 'drivers_private_data')
            ),
        )
        tables, data = self.all_or_rest()
        self.assertEqual(
            (
                [
                    self.stays(
                        f'{who}, the account of [database] connection, lacks '
                        'DELETE on messages',
                        self.none(),
                        'delete',
                        [
                            model.sql(
                                'mysql',
                                f'GRANT DELETE ON `{database.name}`.* TO '
                                f'{who}',
                            )
                        ],
                        subject=model.Subject('database', 'privileges'),
                        **data,
                    )
                ],
                self.promised('privileges#stays:delete', tables=tables),
            ),
            self.run_on(database, url),
        )

    @ddt.data(
        'GRANT SELECT ON {db}.* TO {who}',
        'GRANT ALL ON {db}.* TO {who}',
        'GRANT SELECT, UPDATE, DELETE ON {db}.* TO {who}',
    )
    def test_accounts_that_can_purge_or_only_read(self, grant):
        database = self.use('2026.1')
        _, url = database.account(grant)
        self.assertEqual(
            ([], self.promised('', tables=())), self.run_on(database, url)
        )

    @ddt.data(
        ('2026.1', 'UPDATES', 4, False),
        ('2026.1', 'UPDATES', 3, True),
        ('2026.2', 'UPDATES', 2, True),
        ('2026.1', 'QUERIES', 100000, False),
    )
    @ddt.unpack
    def test_statements_an_hour(self, release, what, most, stops):
        database = self.use(release)
        name = f'MAX_{what}_PER_HOUR'
        who, url = database.account(
            'GRANT ALL ON {db}.* TO {who}',
            f'ALTER USER {{who}} WITH {name} {most}',
        )
        certain = release != '2026.2'
        tables, data = self.all_or_rest()
        wanted = [
            self.stays(
                f'{name} is {most} for {who}, the account of [database] '
                'connection (error 1226)',
                self.none(certain),
                'limit',
                [model.sql('mysql', f'ALTER USER {who} WITH {name} 0;')],
                subject=model.Subject('database', name),
                certain=certain,
                **data,
            )
        ]
        self.assertEqual(
            (
                wanted if stops else [],
                self.promised(
                    f'{name}#stays:limit',
                    certain,
                    tables if stops else (),
                ),
            ),
            self.run_on(database, url),
        )


@ddt.ddt
class ObstaclesPostgreSQLTest(_Obstacles, databases.PostgreSQLTest):
    """Each was tried with the purge of 20.0.3, 22.0.2 and 23.0.1."""

    def trigger(self, body, when='BEFORE DELETE', table='messages'):
        kind = 'CONSTRAINT TRIGGER' if 'DEFERRED' in when else 'TRIGGER'
        event, _, deferred = when.partition(' DEFERRED')
        return (
            'CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS '
            f"$$BEGIN {body}; END$$",
            f'CREATE {kind} keep {event} ON {table} '
            + ('DEFERRABLE INITIALLY DEFERRED ' if kind[0] == 'C' else '')
            + 'FOR EACH ROW EXECUTE FUNCTION mine()',
        )

    def off(self, what):
        return [
            DISABLE,
            model.sql('postgresql', f'ALTER TABLE messages DISABLE {what};'),
        ]

    def account(self, database, *statements):
        """Return the URL of an account that owns all tables."""
        self.role = f'precheck_{uuid.uuid4().hex[:12]}'
        database.admin(f"CREATE ROLE {self.role} LOGIN PASSWORD 'secret'")
        self.addCleanup(database.admin, f'DROP ROLE {self.role}')
        self.addCleanup(
            database.execute,
            f'REASSIGN OWNED BY {self.role} TO {databases.USER}',
            f'DROP OWNED BY {self.role}',
        )
        database.execute(
            *(
                f'ALTER TABLE {name} OWNER TO {self.role}'
                for name in database.metadata.tables
            ),
            *(one.format(role=self.role) for one in statements),
        )
        return databases.url_of(
            'postgresql', database.name, self.role, 'secret'
        )

    @ddt.data(*RELEASES)
    def test_a_trigger_that_can_reject_it(self, release):
        database = self.use(release)
        database.execute(*self.trigger("RAISE EXCEPTION 'no'"))
        self.assertEqual(
            (
                [
                    self.stays(
                        'table messages has the trigger keep, which can '
                        'reject a DELETE',
                        f'may leave up to 2 rows; {SKIPPED}',
                        'trigger-keep',
                        self.off('TRIGGER keep'),
                        certain=False,
                    )
                ],
                self.promised('messages#stays:trigger-keep', False),
            ),
            self.run_on(database),
        )

    @ddt.data(*RELEASES)
    def test_a_trigger_that_rejects_the_commit(self, release):
        database = self.use(release)
        database.execute(
            *self.trigger("RAISE EXCEPTION 'no'", 'AFTER DELETE DEFERRED')
        )
        does, data = f'may leave up to 2 rows; {SKIPPED}', {}
        tables = ('messages',)
        if release != '2026.2':
            tables, data = self.all_or_rest()
            does = self.none(certain=False)
        self.assertEqual(
            (
                [
                    self.stays(
                        'table messages has the trigger keep, which can '
                        'reject a DELETE',
                        does,
                        'trigger-keep',
                        self.off('TRIGGER keep'),
                        certain=False,
                        **data,
                    )
                ],
                self.promised('messages#stays:trigger-keep', False, tables),
            ),
            self.run_on(database),
        )

    @ddt.data('RETURN NULL', 'RETURN NEW')
    def test_a_trigger_that_can_skip_a_row(self, body):
        database = self.use('2026.1')
        database.execute(*self.trigger(body))
        self.assertEqual(
            (
                [
                    self.stays(
                        'table messages has the trigger keep, which can skip '
                        'a row of a DELETE',
                        f'may leave up to 2 rows, {LOGGED}',
                        'trigger-keep',
                        self.off('TRIGGER keep'),
                        certain=False,
                    )
                ],
                self.promised('messages#stays:trigger-keep', False),
            ),
            self.run_on(database),
        )

    @ddt.data(
        ('RETURN OLD',),
        ("IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW",),
        ("RAISE NOTICE 'gone'; RETURN OLD",),
        ('RETURN NULL', 'AFTER DELETE'),
        ('RETURN NULL', 'BEFORE UPDATE'),
        ('RETURN NULL', 'BEFORE DELETE', 'shares'),
        ("RAISE EXCEPTION 'no'", 'BEFORE DELETE', 'services'),
    )
    def test_triggers_that_stop_no_purge(self, trigger):
        database = self.use('2026.1')
        database.insert('services', {'id': 1})
        database.execute(*self.trigger(*trigger))
        self.assertEqual(
            ([], self.promised('', tables=())), self.run_on(database)
        )

    @ddt.data(*RELEASES)
    def test_a_rule(self, release):
        database = self.use(release)
        database.execute(
            'CREATE RULE keep AS ON DELETE TO messages DO INSTEAD NOTHING',
            'CREATE RULE noted AS ON DELETE TO reservations DO ALSO NOTIFY x',
        )
        self.assertEqual(
            (
                [
                    self.stays(
                        'table messages has the rule keep, which replaces a '
                        'DELETE',
                        f'leaves 2 rows, {LOGGED}',
                        'rule-keep',
                        self.off('RULE keep'),
                    )
                ],
                self.promised('messages#stays:rule-keep'),
            ),
            self.run_on(database),
        )

    @ddt.data(
        # The tenant of no session.
        ("FOR ALL USING (project_id = 'x')", False),
        ('FOR DELETE USING (true)', None),
        ('FOR ALL USING (true)', None),
        ('FOR DELETE TO pg_monitor USING (true)', True),
        ('AS RESTRICTIVE FOR DELETE USING (false)', True),
    )
    @ddt.unpack
    def test_row_level_security(self, policy, certain):
        database = self.use('2026.1')
        database.execute("UPDATE messages SET project_id = 'x'")
        url = self.account(
            database,
            'ALTER TABLE messages ENABLE ROW LEVEL SECURITY',
            'ALTER TABLE messages FORCE ROW LEVEL SECURITY',
            'CREATE POLICY seen ON messages FOR SELECT USING (true)',
            f'CREATE POLICY p ON messages {policy}',
        )
        wanted = [
            self.stays(
                'table messages has row-level security without a policy for '
                'DELETE'
                if certain
                else 'table messages has row-level security, whose policies '
                'can hide rows from a DELETE',
                f'leaves 2 rows, {LOGGED}'
                if certain
                else f'may leave up to 2 rows, {LOGGED}',
                'policy',
                self.off('ROW LEVEL SECURITY'),
                certain=certain,
            )
        ]
        tables = () if certain is None else ('messages',)
        self.assertEqual(
            (
                wanted if tables else [],
                self.promised('messages#stays:policy', certain, tables),
            ),
            self.run_on(database, url),
        )
        # An account to which it does not apply.
        self.assertEqual(
            ([], self.promised('', tables=())), self.run_on(database)
        )

    @ddt.data(*RELEASES)
    def test_an_account_without_delete_on_a_table(self, release):
        database = self.use(release)
        url = self.account(database, 'REVOKE DELETE ON messages FROM {role}')
        self.assertEqual(
            (
                [
                    self.stays(
                        f'{self.role}, the account of [database] connection, '
                        'lacks DELETE on messages',
                        f'leaves 2 rows; {SKIPPED}',
                        'delete',
                        [
                            model.sql(
                                'postgresql',
                                'GRANT DELETE ON public.messages TO '
                                f'{self.role};',
                            )
                        ],
                        subject=model.Subject('database', 'privileges'),
                    )
                ],
                self.promised('privileges#stays:delete'),
            ),
            self.run_on(database, url),
        )

    @ddt.data(*RELEASES)
    def test_an_account_that_may_not_read_a_column(self, release):
        database = self.use(release)
        url = self.account(
            database,
            'REVOKE SELECT ON messages FROM {role}',
            'GRANT SELECT (id, deleted, deleted_at) ON messages TO {role}',
        )
        does, data = f'leaves 2 rows; {SKIPPED}', {}
        tables = ('messages',)
        if release != '2026.2':
            tables, data = self.all_or_rest()
            does = f'deletes none of its 4 rows, {LOGGED}'
        self.assertEqual(
            (
                [
                    self.stays(
                        f'{self.role}, the account of [database] connection, '
                        'lacks SELECT on messages',
                        does,
                        'select',
                        [
                            model.sql(
                                'postgresql',
                                'GRANT SELECT ON public.messages TO '
                                f'{self.role};',
                            )
                        ],
                        subject=model.Subject('database', 'privileges'),
                        **{**data, 'exit_code': 0},
                    )
                ],
                self.promised('privileges#stays:select', tables=tables),
            ),
            self.run_on(database, url),
        )

    def test_an_account_that_only_reads(self):
        database = self.use('2026.1')
        url = self.account(
            database,
            'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}',
            'GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}',
        )
        self.assertEqual(
            ([], self.promised('', tables=())), self.run_on(database, url)
        )

    def test_rows_to_which_others_refer(self):
        """What a row that stays refers to is no exact figure."""
        database = self.use('2026.1')
        database.insert('shares', {'id': 's', 'deleted': 's', **DATED})
        database.insert(
            'share_instances',
            {'id': 'i', 'deleted': 'i', 'share_id': 's', **DATED},
        )
        database.execute(
            'CREATE RULE keep AS ON DELETE TO share_instances DO INSTEAD '
            'NOTHING'
        )
        (stays,), promised = self.run_on(database)
        self.assertEqual(
            'table share_instances has the rule keep, which replaces a '
            f'DELETE: a purge at 30 days leaves 1 row, {LOGGED}; rows of '
            'shares to which they refer stay, too',
            stays.message,
        )
        self.assertEqual(
            (1, False, 'manila-manage db purge 30'), promised['shares']
        )
        self.assertEqual((0, True), promised['share_instances'][:2])


del _Obstacles
