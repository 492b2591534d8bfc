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
"""Private database servers, which a test may kill.

They use a temporary directory and a free port of this host, and need only the
programs of the server.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time

import fixtures
import sqlalchemy as sa

from manila_precheck.tests import databases
from manila_precheck.tests import kept_databases
from manila_precheck.tests import server_programs

#: How long a server may take to start, or to recover from being killed.
START_SECONDS = 120

NAME = 'manila'


class Server(fixtures.Fixture):
    """A server that runs until it is killed, and that starts again."""

    kind = ''

    def _setUp(self):
        # Not below the test's own directory, since the path of a socket has
        # to be short.
        self.folder = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.folder, 0o755)
        if self.user():
            shutil.chown(self.folder, self.user())
        self.data = os.path.join(self.folder, 'data')
        self.port = server_programs.free_port()
        self.process = None
        self.make()
        self.addCleanup(self.kill)
        self.start()
        self.fill()

    def fill(self):
        """Create the database that each test needs."""
        self.admin(f'CREATE DATABASE {NAME}{self.charset}')

    charset = ''

    def make(self):
        """Create the files of a server with nothing but its accounts."""
        raise NotImplementedError

    def words(self):
        """Return the command of the server."""
        raise NotImplementedError

    def user(self):
        """Return the user who runs it; None for that of this process."""

    @property
    def url(self):
        return self.url_of(NAME)

    def url_of(self, name):
        driver = {
            'mysql': 'mysql+pymysql',
            'postgresql': 'postgresql+psycopg2',
        }[self.kind]
        account = f'{databases.USER}:{databases.USER}'
        return f'{driver}://{account}@{databases.HOST}:{self.port}/{name}'

    def call(self, *words):
        subprocess.run(
            words,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **({'user': self.user()} if self.user() else {}),
        )

    def start(self):
        """Start it, and wait until it answers."""
        ends = time.monotonic() + START_SECONDS
        while True:
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(
                    self.words(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=self.folder,
                    start_new_session=True,
                    **({'user': self.user()} if self.user() else {}),
                )
            try:
                self.admin('SELECT 1')
                return
            except sa.exc.SQLAlchemyError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.1)

    signal = signal.SIGKILL

    def kill(self):
        """Stop it at once, whatever it is doing."""
        if self.process.poll() is None:
            self.process.send_signal(self.signal)
        self.process.wait(START_SECONDS)

    def admin(self, statement, name=None):
        """Run a statement as the account that may do everything."""
        engine = kept_databases.engine(
            self.url_of(name or self.maintenance),
            isolation_level='AUTOCOMMIT',
            poolclass=sa.pool.NullPool,
        )
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return result.fetchall() if result.returns_rows else []

    maintenance = ''
    #: Statements that select the numbers of all connections, and that end a
    #: connection.
    connected = ''
    cutting = ''

    def connections(self):
        """Return the number of each connection to the database."""
        return [row[0] for row in self.admin(self.connected)]

    def cut(self):
        """End all connections to the database; return how many there were."""
        found = self.connections()
        for number in found:
            try:
                self.admin(self.cutting.format(number))
            except sa.exc.SQLAlchemyError:
                # The connection has ended meanwhile.
                pass
        return len(found)


class MariaDB(Server):
    """A MariaDB."""

    kind = 'mysql'
    maintenance = 'mysql'
    charset = ' CHARACTER SET utf8'
    connected = (
        'SELECT id FROM information_schema.processlist '
        f"WHERE db = '{NAME}' AND id <> connection_id()"
    )
    cutting = 'KILL CONNECTION {}'

    @staticmethod
    def why_not():
        if server_programs.program('mariadbd') and server_programs.program(
            'mariadb-install-db'
        ):
            return ''
        return 'no mariadbd, or no mariadb-install-db, on this host'

    def make(self):
        self.first = os.path.join(self.folder, 'first.sql')
        with open(self.first, 'w') as stream:
            for host in ('localhost', databases.HOST):
                who = f"'{databases.USER}'@'{host}'"
                stream.write(
                    f'CREATE USER IF NOT EXISTS {who} '
                    f"IDENTIFIED BY '{databases.USER}';\n"
                    f'GRANT ALL ON *.* TO {who} WITH GRANT OPTION;\n'
                )
        self.call(
            server_programs.program('mariadb-install-db'),
            '--no-defaults',
            f'--datadir={self.data}',
            f'--user={pwd.getpwuid(os.getuid()).pw_name}',
            '--skip-test-db',
        )

    def words(self):
        return [
            server_programs.program('mariadbd'),
            '--no-defaults',
            f'--datadir={self.data}',
            f'--user={pwd.getpwuid(os.getuid()).pw_name}',
            f'--socket={self.folder}/s',
            f'--pid-file={self.folder}/pid',
            f'--bind-address={databases.HOST}',
            f'--port={self.port}',
            f'--init-file={self.first}',
            '--innodb-buffer-pool-size=64M',
            '--innodb-flush-log-at-trx-commit=0',
        ]


class PostgreSQL(Server):
    """A PostgreSQL, run by 'postgres' where root may not run it."""

    kind = 'postgresql'
    maintenance = 'postgres'
    connected = f"SELECT pid FROM pg_stat_activity WHERE datname = '{NAME}'"
    cutting = 'SELECT pg_terminate_backend({})'
    # Ends it and its children at once; SIGKILL would leave the children.
    signal = signal.SIGQUIT

    why_not = staticmethod(server_programs.why_not_postgresql)

    def user(self):
        return server_programs.postgresql_user()

    def make(self):
        self.call(
            *server_programs.initdb(self.data, databases.USER, '--auth=trust')
        )

    def words(self):
        return server_programs.postgres(self.data, self.port, self.folder)


class Standby(PostgreSQL):
    """A standby server that replicates another one.

    :param primary: a running PostgreSQL.
    """

    def __init__(self, primary):
        super().__init__()
        self.primary = primary

    @staticmethod
    def why_not():
        if not server_programs.program('pg_basebackup'):
            return 'no pg_basebackup on this host'
        return PostgreSQL.why_not()

    def make(self):
        self.call(
            server_programs.program('pg_basebackup'),
            '-d',
            f'host={databases.HOST} port={self.primary.port} '
            f'user={databases.USER}',
            '-D',
            self.data,
            '--checkpoint=fast',
            '--write-recovery-conf',
            '--no-sync',
        )

    def fill(self):
        """Create nothing: everything comes from the primary."""

    def words(self):
        return [
            *super().words(),
            '-c',
            # Replication cancels conflicting queries at once.
            'max_standby_streaming_delay=0',
        ]
