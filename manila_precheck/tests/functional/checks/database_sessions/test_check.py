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
"""Sessions, transactions and locks that are really there."""

import re
import signal

import sqlalchemy as sa

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.testing import schema
from manila_precheck.tests import databases
from manila_precheck.tests import kept_databases
from manila_precheck.tests import private_servers

CHECK = 'database-sessions'
Severity = model.Severity

ALTERED = 'share_instances, share_servers'
HALF = (
    ' ("Waiting for table metadata lock"); if db sync is ended meanwhile, '
    'its migration is half applied'
)
LET_END = model.advice(
    'Find out what the session does; then let it finish, or end it:'
)
AHEAD = model.advice('Make sure that it ends before db sync:')
STOP = model.advice(
    'Stop what is connected: manila-api and the web server that runs it, '
    'manila-manage, a script. What is left can be ended:'
)
SERVICE = (
    ': a service still runs there, such as manila-api, which has no row in '
    'services, or a tool; it reads and writes while the schema changes'
)
GRANT_FOR = model.advice('Grant it for the time of the upgrade:')


def _timeless(text):
    """Return a text without what a clock says."""
    return re.sub(r'\d+ seconds', 'N seconds', text)


class Sessions(databases.Scenarios):
    """What the tests of both kinds of servers share."""

    account = databases.USER

    def found(self, database, stage='stopped', target='2026.1', **site):
        """Return the findings, without their times."""
        result = self.run_check(
            CHECK, database, stage=stage, target=target, **site
        )
        self.assertIn(
            result.outcome, (model.Outcome.PASSED, model.Outcome.FOUND)
        )
        return tuple(
            finding._replace(
                message=_timeless(finding.message),
                data={
                    name: value
                    for name, value in finding.data.items()
                    if 'seconds' not in name
                },
            )
            for finding in result.findings
        )

    def session(self, database, *statements, url=None):
        """Return a session that has run statements, in a transaction."""
        engine = kept_databases.engine(
            url or database.url, poolclass=sa.NullPool
        )
        connection = engine.connect()
        self.addCleanup(self._end, connection)
        for statement in statements:
            connection.exec_driver_sql(statement)
        return connection

    def _end(self, connection):
        connection.invalidate()
        connection.close()

    def idle(self, database, url=None):
        """Return a session that has nothing open."""
        connection = self.session(database, url=url)
        connection.exec_driver_sql('SELECT 1')
        connection.rollback()
        return connection

    def number(self, connection):
        statement = {
            'mysql': 'SELECT CONNECTION_ID()',
            'postgresql': 'SELECT pg_backend_pid()',
        }[self.server]
        return connection.exec_driver_sql(statement).scalar()

    def end(self, number):
        return model.sql(
            self.server,
            f'KILL {number}'
            if self.server == 'mysql'
            else f'SELECT pg_terminate_backend({number})',
        )

    def holds(self, number, words, why, state, **names):
        """Return that a session holds something."""
        names = {
            'severity': Severity.FAILURE,
            'todo': LET_END,
            'account': self.account,
            'tables': '',
            'aspect': 'holds',
            'program': '',
            **names,
        }
        name = f'{names["account"]}@127.0.0.1'
        return model.Finding(
            names['severity'],
            model.Subject('session', name),
            f'session {number} of {name}{words} {why}',
            (names['todo'], self.end(number)),
            data={
                'id': number,
                'account': names['account'],
                'host': '127.0.0.1',
                'program': names['program'],
                'state': state,
                'tables': names['tables'],
            },
            aspect=names['aspect'],
            check_id=CHECK,
        )

    def connected(self, *numbers, more=''):
        """Return that manila's account has sessions."""
        several = len(numbers) > 1
        name = f'{self.account}@127.0.0.1'
        return model.Finding(
            Severity.WARNING,
            model.Subject('session', name),
            f'{len(numbers)} session{"s" if several else ""} of {name}, the '
            f'account of manila, {"are" if several else "is"} open, idle for '
            f'N seconds{SERVICE}{more}',
            (STOP, *map(self.end, numbers)),
            data={'sessions': len(numbers)},
            aspect='connected',
            check_id=CHECK,
        )

    def test_nobody_is_connected(self):
        database = self.database('2025.1')
        database.engine.dispose()
        for stage in ('plan', 'stopped'):
            self.assertEqual((), self.found(database, stage))

    def test_an_idle_session_of_manila(self):
        """As manila-api has some, which no row in services tells of."""
        database = self.database('2025.1')
        database.engine.dispose()
        numbers = []
        for _ in range(2):
            connection = self.idle(database)
            numbers.append(self.number(connection))
            connection.rollback()
        self.assertEqual((), self.found(database, 'plan'))
        self.assertEqual(
            (self.connected(*sorted(numbers)),), self.found(database)
        )

    def test_a_session_of_another_database(self):
        database, other = self.database('2025.1'), self.database('2025.1')
        database.engine.dispose()
        self.session(other, 'SELECT COUNT(*) FROM share_instances')
        self.assertEqual((), self.found(database))

    def test_a_transaction_where_nothing_is_pending(self):
        database = self.database('2026.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT COUNT(*) FROM share_instances')
        number = self.number(held)
        self.assertEqual(
            (self.connected(number),),
            self.found(database, source='2026.1', target='2026.1'),
        )


class DatabaseSessionsMySQLTest(Sessions, databases.MySQLTest):
    def open(self, number, **names):
        return self.holds(
            number,
            ', whose transaction has been open for N seconds,',
            'may have used a table that a pending migration changes: '
            '"manila-manage db sync" waits for it if it has used one of '
            f'{ALTERED}{HALF}',
            'Sleep',
            **names,
        )

    def test_a_transaction_that_is_left_open(self):
        database = self.database('2025.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT COUNT(*) FROM share_instances')
        number = self.number(held)
        self.assertEqual((self.open(number),), self.found(database))
        # Not for long yet.
        self.assertEqual((), self.found(database, 'plan'))

    def test_lock_tables(self):
        database = self.database('2025.1')
        database.engine.dispose()
        held = self.session(database)
        number = self.number(held)
        held.commit()
        held.exec_driver_sql('LOCK TABLES share_servers READ, messages READ')
        result = self.found(database)
        self.assertIn(
            model.Finding(
                Severity.FAILURE,
                model.Subject('table', 'share_servers'),
                'share_servers is in use, by LOCK TABLES or a statement: '
                f'"manila-manage db sync" waits until it is not{HALF}',
                (
                    model.advice(
                        'Find the session, and let it finish or end it:'
                    ),
                    model.sql('mysql', 'SHOW FULL PROCESSLIST'),
                ),
                aspect='in-use',
                check_id=CHECK,
            ),
            result,
        )
        self.assertIn(self.open(number), result)

    def test_an_account_without_process(self):
        database = self.database('2025.1')
        database.engine.dispose()
        who, url = database.account('GRANT ALL ON {db}.* TO {who}')
        self.account = name = who.split("'")[1]
        unseen = model.Finding(
            Severity.INFO,
            model.Subject('database', 'sessions'),
            f'{name}, the account of [database] connection, has no PROCESS '
            'privilege: the sessions of other accounts and the open '
            'transactions of all were not looked at, and one of them may '
            'hold up "manila-manage db sync"',
            (
                GRANT_FOR,
                model.sql('mysql', f"GRANT PROCESS ON *.* TO '{name}'@'%'"),
            ),
            aspect='not-shown',
            check_id=CHECK,
        )
        self.assertEqual((unseen,), self.found(url))
        self.assertEqual((unseen,), self.found(url, 'plan'))
        # It is of another account.
        self.session(database, 'SELECT COUNT(*) FROM share_instances')
        self.assertEqual((unseen,), self.found(url))
        held = self.session(
            database, 'SELECT COUNT(*) FROM share_instances', url=url
        )
        self.assertEqual(
            (
                self.connected(
                    self.number(held),
                    more='. Whether one has a transaction open is not shown '
                    'to this account: if so, and it has used one of '
                    f'{ALTERED}, "manila-manage db sync" waits for it{HALF}',
                ),
                unseen,
            ),
            self.found(url),
        )

    def test_an_account_with_process(self):
        database = self.database('2025.1')
        database.engine.dispose()
        _, url = database.account(
            'GRANT SELECT ON {db}.* TO {who}',
            'GRANT PROCESS ON *.* TO {who}',
        )
        held = self.session(database, 'SELECT COUNT(*) FROM share_instances')
        idle = self.idle(database)
        number = self.number(held)
        self.assertEqual(
            (
                self.open(number, account=databases.USER),
                model.Finding(
                    Severity.INFO,
                    model.Subject('database', 'sessions'),
                    '1 session of other accounts: openstack_citest@127.0.0.1;'
                    ' none is seen to hold a table that a pending migration '
                    'changes',
                    data={'sessions': 1},
                    aspect='others',
                    check_id=CHECK,
                ),
            ),
            self.found(url),
        )
        self.assertFalse(idle.closed)


class DatabaseSessionsPostgreSQLTest(Sessions, databases.PostgreSQLTest):
    def holding(self, number, table, revision, **names):
        return self.holds(
            number,
            ', whose transaction has been open for N seconds,',
            f'holds {table}: "manila-manage db sync" waits for it at '
            f'revision {revision}, which changes {table} or refers to it',
            'idle in transaction',
            tables=table,
            **names,
        )

    def test_a_transaction_that_is_left_open(self):
        database = self.database('2025.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT COUNT(*) FROM share_instances')
        number = held.connection.dbapi_connection.info.backend_pid
        self.assertEqual(
            (self.holding(number, 'share_instances', 'e975ea83b712'),),
            self.found(database),
        )

    def test_the_row_of_the_revision(self):
        """Each migration updates it; who only reads it is not in the way."""
        database = self.database('2025.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT * FROM alembic_version')
        number = held.connection.dbapi_connection.info.backend_pid
        self.assertEqual((self.connected(number),), self.found(database))
        held.exec_driver_sql('SELECT * FROM alembic_version FOR UPDATE')
        self.assertEqual(
            (self.holding(number, 'alembic_version', 'e975ea83b712'),),
            self.found(database),
        )

    def test_a_table_that_no_migration_changes(self):
        database = self.database('2025.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT COUNT(*) FROM share_types')
        number = held.connection.dbapi_connection.info.backend_pid
        self.assertEqual((self.connected(number),), self.found(database))

    def test_a_table_that_a_new_one_refers_to(self):
        """Who reads it is not in the way, who writes it is."""
        database = self.database('2023.1')
        database.engine.dispose()
        held = self.session(database, 'SELECT COUNT(*) FROM share_snapshots')
        self.session(database, 'SELECT COUNT(*) FROM availability_zones')
        # 2024.1 adds share_backups, which refers to availability_zones.
        result = self.found(database, target='2024.1')
        self.assertEqual(
            [(Severity.WARNING, 'connected')],
            [(one.severity, one.aspect) for one in result],
        )
        held.exec_driver_sql("DELETE FROM availability_zones WHERE id = 'x'")
        number = held.connection.dbapi_connection.info.backend_pid
        held = [
            one
            for one in self.found(database, target='2024.1')
            if one.aspect == 'holds'
        ]
        self.assertEqual(
            [
                (
                    Severity.FAILURE,
                    number,
                    'availability_zones share_snapshots',
                )
            ],
            [
                (one.severity, one.data['id'], one.data['tables'])
                for one in held
            ],
        )

    def test_a_session_that_is_not_shown(self):
        database = self.database('2025.1')
        database.engine.dispose()
        name = f'd_{database.name[-12:]}'
        database.admin(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        self.addCleanup(database.admin, f'DROP ROLE {name}')
        database.execute(
            f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}'
        )
        self.addCleanup(database.engine.dispose)
        self.addCleanup(database.execute, f'DROP OWNED BY {name}')
        url = databases.url_of('postgresql', database.name, name, 'x')
        database.engine.dispose()
        self.assertEqual((), self.found(url))
        held = self.session(
            database,
            "SET application_name = 'pg_dump'",
            'SELECT COUNT(*) FROM share_servers',
        )
        number = held.connection.dbapi_connection.info.backend_pid
        owner = f'{databases.USER}@localhost'
        self.assertEqual(
            (
                model.Finding(
                    Severity.FAILURE,
                    model.Subject('session', owner),
                    f'session {number} of {owner} (pg_dump) holds '
                    'share_servers: "manila-manage db sync" waits for it at '
                    'revision e975ea83b712, which changes share_servers or '
                    'refers to it',
                    (LET_END, self.end(number)),
                    data={
                        'id': number,
                        'account': databases.USER,
                        'host': '',
                        'program': 'pg_dump',
                        'state': None,
                        'tables': 'share_servers',
                    },
                    aspect='holds',
                    check_id=CHECK,
                ),
            ),
            self.found(url),
        )


class Private(databases.CheckTest):
    """Servers that tell more than they do by default."""

    def start(self, fixture):
        if fixture.why_not():
            self.skipTest(fixture.why_not())
        server = self.useFixture(fixture)
        engine = sa.create_engine(server.url, poolclass=sa.NullPool)
        try:
            schema.create_schema(engine, releases.parse('2025.1'))
        except sa.exc.OperationalError:
            # mariadbd 10.11.19 has been seen to crash at its first CREATE
            # TABLE: nothing that is tried here.
            if server.process.wait(10) != -signal.SIGSEGV:
                raise
            server.start()
            schema.create_schema(engine, releases.parse('2025.1'))
        self.engine = engine
        return server

    def begin(self, *statements):
        held = self.engine.raw_connection()
        self.addCleanup(held.close)
        for statement in statements:
            held.cursor().execute(statement)
        return held

    def found(self, server):
        result = self.run_check(
            CHECK,
            server.url,
            stage='stopped',
            source='2025.1',
            target='2026.1',
        )
        return [
            (
                one.severity.name,
                one.key,
                re.sub(r'session \d+', 'session N', _timeless(one.message)),
                *(todo.text for todo in one.remediation[1:]),
            )
            for one in result.findings
            if one.aspect != 'connected'
        ]


class MariaDB(private_servers.MariaDB):
    def words(self):
        return [
            *super().words(),
            '--plugin-load-add=metadata_lock_info',
        ]


class DatabaseSessionsMetadataLocksTest(Private):
    def require_holder(self, server, held, table):
        """Assert that a transaction holds a table that db sync needs."""
        number = held.dbapi_connection.thread_id()
        self.assertEqual(
            [
                (
                    'FAILURE',
                    f'{CHECK}[openstack_citest@localhost#holds]',
                    'session N of openstack_citest@localhost, whose '
                    'transaction has been open for N seconds, holds '
                    f'{table}: "manila-manage db sync" waits for it at '
                    f'revision e975ea83b712, which changes {table} or '
                    f'refers to it{HALF}',
                    f"mysql DATABASE -e 'KILL {number}'",
                )
            ],
            self.found(server),
        )

    def test_the_tables_of_a_transaction(self):
        server = self.start(MariaDB())
        held = self.begin('SELECT COUNT(*) FROM share_types')
        self.assertEqual([], self.found(server))
        held.cursor().execute('SELECT COUNT(*) FROM share_servers')
        self.require_holder(server, held, 'share_servers')

    def test_the_row_of_the_revision(self):
        server = self.start(MariaDB())
        held = self.begin('SELECT * FROM alembic_version')
        self.assertEqual([], self.found(server))
        held.cursor().execute('SELECT * FROM alembic_version FOR UPDATE')
        self.require_holder(server, held, 'alembic_version')

    def test_flush_tables_with_read_lock(self):
        """As a backup does that then takes a snapshot of the volume."""
        server = self.start(MariaDB())
        held = self.begin('FLUSH TABLES WITH READ LOCK')
        number = held.dbapi_connection.thread_id()
        self.assertEqual(
            [
                (
                    'FAILURE',
                    f'{CHECK}[openstack_citest@localhost#holds]',
                    'session N of openstack_citest@localhost holds a lock on '
                    'all tables: "manila-manage db sync" waits for it at '
                    'revision e975ea83b712, which changes share_servers or '
                    f'refers to it{HALF}',
                    f"mysql DATABASE -e 'KILL {number}'",
                )
            ],
            self.found(server),
        )

    def test_an_xa_transaction(self):
        server = self.start(MariaDB())
        held = self.begin(
            "XA START 'it\\'s'",
            "INSERT INTO share_servers (id) VALUES ('x')",
            "XA END 'it\\'s'",
            "XA PREPARE 'it\\'s'",
        )
        held.close()
        (got,) = self.found(server)
        number = got[1].partition('[')[2].rstrip(']')
        self.assertTrue(number.isdecimal(), number)
        self.assertEqual(
            (
                'WARNING',
                f'{CHECK}[{number}]',
                f'the transaction {number} is prepared for N seconds and no '
                'session holds it: the server does not say of which database '
                f'it is; if it has used one of {ALTERED}, "manila-manage db '
                f'sync" waits for it{HALF}',
                "mysql DATABASE -e 'XA RECOVER'",
                'Then XA COMMIT or XA ROLLBACK, with its name.',
            ),
            got,
        )
        server.admin("XA ROLLBACK 'it\\'s'")
        self.assertEqual([], self.found(server))


class PostgreSQL(private_servers.PostgreSQL):
    def words(self):
        return [*super().words(), '-c', 'max_prepared_transactions=2']


class DatabaseSessionsPreparedTest(Private):
    def test_a_prepared_transaction(self):
        server = self.start(PostgreSQL())
        held = self.begin(
            'SELECT COUNT(*) FROM share_types',
            "PREPARE TRANSACTION 'harmless'",
        )
        held.rollback()
        self.assertEqual([], self.found(server))
        held.cursor().execute('SELECT COUNT(*) FROM share_instances')
        held.cursor().execute("PREPARE TRANSACTION 'it''s'")
        held.rollback()
        self.assertEqual(
            [
                (
                    'FAILURE',
                    f"{CHECK}['it''s']",
                    "the transaction 'it''s' of openstack_citest is prepared "
                    'for N seconds and no session holds it: it has used '
                    'share_instances, and "manila-manage db sync" waits for '
                    'it at revision e975ea83b712',
                    "psql DATABASE -c \"COMMIT PREPARED 'it''s'\"",
                    "psql DATABASE -c \"ROLLBACK PREPARED 'it''s'\"",
                )
            ],
            self.found(server),
        )
