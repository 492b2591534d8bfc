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

"""A private MariaDB or PostgreSQL, on a free port of 127.0.0.1.

Its files are in the directory of the run, and nobody else uses it: no account
has to be requested, no other data can break, and only that directory has to be
removed. It does not sync its files, since nobody needs them after a crash.
"""

from collections.abc import Mapping
import contextlib
import os
import pathlib
import shutil
import signal

import psycopg2
import pymysql

from manila_precheck.tests import server_programs
from qa.upgrade import processes

#: How long a server may take until it answers.
START_SECONDS = 120

_PASSWORD = 'S3cr/t:w@rd%'

#: The password as it is written in a URL in a file of oslo.config.
_QUOTED_PASSWORD = 'S3cr%2Ft%3Aw%40rd%25'

_program = server_programs.program


class Database:
    """Base class of both servers.

    :param folder: the directory for its files, which is created.
    """

    #: Its name in sentences.
    title = ''
    #: The first word of a URL.
    dialect = ''
    driver = ''
    #: The programs that it needs: program -> Debian package.
    needs = {}
    #: The server, once it is started.
    _process: processes.Process
    #: The base exception of its driver.
    error = Exception
    #: A query for the sessions of its database that wait for a table.
    waiting_sessions = ''

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = server_programs.free_port()
        self._count = 0

    def start(self, started):
        """Create the data directory and start; call wait() afterwards."""
        raise NotImplementedError

    def wait(self):
        """Wait until it answers, and create manila's account."""
        if not processes.wait_for(self._answers, START_SECONDS):
            raise processes.Broken(
                f'{self.title} did not start:\n'
                f'{self._process.output()[-3000:]}'
            )
        self._make_account()

    def _answers(self):
        if self._process.code is not None:
            raise processes.Broken(
                f'{self.title} ended:\n{self._process.output()[-3000:]}'
            )
        try:
            self.connect().close()
        except self.error:
            return False
        return True

    def _make_account(self):
        raise NotImplementedError

    def connect(self, database=None):
        """Return a connection of the administrator, in UTC.

        Each statement is committed at once.
        """
        raise NotImplementedError

    def run(self, sql, database=None):
        """Run one statement; return its rows."""
        with contextlib.closing(self.connect(database)) as connection:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []

    def _new_name(self):
        self._count += 1
        return f'manila_{self._count}'

    def create(self):
        """Create an empty database as manila's guide does; return its name."""
        raise NotImplementedError

    def schema(self, database):
        """Return what information_schema calls the schema of a database."""
        raise NotImplementedError

    def url(self, database, dialect=None, account='manila'):
        """Return the value of [database] connection."""
        return (
            f'{dialect or self.dialect}+{self.driver}://{account}:'
            f'{_QUOTED_PASSWORD}@{server_programs.HOST}:{self.port}/{database}'
        )

    def dump(self, database, path):
        """Write a dump of a database, as the operator's backup does."""
        raise NotImplementedError

    def clone(self, database):
        """Copy a database; return the name of the copy."""
        raise NotImplementedError

    def restore(self, path):
        """Read a dump into a new database; return its name."""
        raise NotImplementedError

    def password_files(self):
        """Return {name: text} of the files with a client's password."""
        raise NotImplementedError

    #: The environment variables of an operator who may restore a backup.
    may_restore: Mapping[str, str] = {}


class MariaDB(Database):
    """A MariaDB, or a MySQL."""

    title = 'MariaDB'
    dialect = 'mysql'
    driver = 'pymysql'
    needs = {
        ('mariadbd', 'mysqld'): 'mariadb-server',
        ('mariadb-install-db', 'mysql_install_db'): 'mariadb-server',
        ('mariadb-dump', 'mysqldump'): 'mariadb-client',
        ('mariadb', 'mysql'): 'mariadb-client',
    }
    error = pymysql.Error
    waiting_sessions = (
        'SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() '
        "AND state LIKE 'Waiting for table%'"
    )

    def start(self, started):
        """Create the data directory and start; call wait() afterwards."""
        data = self.folder / 'data'
        self.folder.mkdir(parents=True)
        user = ['--user=root'] if os.geteuid() == 0 else []
        processes.must(
            [
                _program('mariadb-install-db', 'mysql_install_db'),
                '--no-defaults',
                f'--datadir={data}',
                '--auth-root-authentication-method=normal',
                '--skip-test-db',
                *user,
            ],
            cwd=self.folder,
        )
        self._process = started.start(
            'mariadb',
            [
                _program('mariadbd', 'mysqld'),
                '--no-defaults',
                f'--datadir={data}',
                # The path of a socket has to be short.
                f'--socket={self.folder}/s',
                f'--pid-file={self.folder}/pid',
                f'--bind-address={server_programs.HOST}',
                f'--port={self.port}',
                '--innodb-flush-log-at-trx-commit=0',
                '--innodb-doublewrite=0',
                '--innodb-flush-method=nosync',
                '--skip-name-resolve',
                '--max-connections=500',
                *user,
            ],
            env=dict(os.environ),
            cwd=self.folder,
        )

    def _make_account(self):
        self.make_account('manila', 'ALL')

    def make_account(self, name, privileges):
        """Create an account with privileges on all databases."""
        for host in ('localhost', server_programs.HOST):
            self.run(
                f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{_PASSWORD}'"
            )
            self.run(f"GRANT {privileges} ON *.* TO '{name}'@'{host}'")

    def connect(self, database=None):
        """Return a connection of the administrator, in UTC."""
        return pymysql.connect(
            unix_socket=f'{self.folder}/s',
            user='root',
            database=database,
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
        )

    def create(self, charset='utf8'):
        """Create an empty database as manila's guide does; return its name."""
        name = self._new_name()
        self.run(f'CREATE DATABASE {name} CHARACTER SET {charset}')
        return name

    def schema(self, database):
        """Return what information_schema calls the schema of a database."""
        return database

    def dump(self, database, path):
        """Write a dump of a database, as the operator's backup does."""
        processes.must(
            [
                _program('mariadb-dump', 'mysqldump'),
                '--no-defaults',
                f'--socket={self.folder}/s',
                '--user=root',
                '--single-transaction',
                f'--result-file={path}',
                database,
            ]
        )

    def clone(self, database):
        """Copy a database; return the name of the copy."""
        path = self.folder / f'{database}.sql'
        self.dump(database, path)
        name = self.create(self._charset(database))
        self._load(name, path.read_text(encoding='utf-8'))
        return name

    def _charset(self, database):
        return self.run(
            'SELECT default_character_set_name FROM '
            f"information_schema.schemata WHERE schema_name = '{database}'"
        )[0][0]

    def restore(self, path, charset=None):
        """Read a dump into a new database; return its name.

        :param charset: the character set to replace utf8mb3 in the dump.
        """
        text = pathlib.Path(path).read_text(encoding='utf-8')
        if charset:
            text = text.replace('CHARSET=utf8mb3', f'CHARSET={charset}')
            text = text.replace('utf8mb3_general_ci', f'{charset}_general_ci')
        name = self.create(charset or 'utf8')
        self._load(name, text)
        return name

    def _load(self, name, text):
        processes.must(
            [
                _program('mariadb', 'mysql'),
                '--no-defaults',
                f'--socket={self.folder}/s',
                '--user=root',
                name,
            ],
            data=text,
        )

    def password_files(self):
        """Return {name: text} of the files with a client's password."""
        return {'.my.cnf': f'[client]\npassword="{_PASSWORD}"\n'}


class PostgreSQL(Database):
    """A PostgreSQL, run by 'postgres' where root may not run it."""

    title = 'PostgreSQL'
    dialect = 'postgresql'
    driver = 'psycopg2'
    needs = {
        ('initdb',): 'postgresql',
        ('postgres',): 'postgresql',
        ('pg_dump',): 'postgresql-client',
        ('psql',): 'postgresql-client',
    }
    error = psycopg2.Error
    waiting_sessions = (
        'SELECT 1 FROM pg_locks WHERE NOT granted AND relation IS NOT NULL '
        'AND database = (SELECT oid FROM pg_database WHERE datname = '
        'current_database())'
    )

    def start(self, started):
        """Create the data directory and start; call wait() afterwards."""
        data = self.folder / 'data'
        self.folder.mkdir(parents=True)
        user = server_programs.postgresql_user()
        if user:
            shutil.chown(self.folder, user)
            # The account may enter the directory, but not list it.
            self.folder.parent.chmod(0o711)
        processes.must(
            server_programs.initdb(
                data,
                'postgres',
                '--auth-local=trust',
                '--auth-host=scram-sha-256',
            ),
            cwd=self.folder,
            user=user,
        )
        self._process = started.start(
            'postgresql',
            server_programs.postgres(
                data,
                self.port,
                self.folder,
                # Users without access to the socket have to use a password.
                unix_socket_permissions='0700',
                full_page_writes='off',
                synchronous_commit='off',
                max_connections='300',
            ),
            env=dict(os.environ),
            cwd=self.folder,
            user=user,
            # A SIGKILL would leave its children, which have process groups of
            # their own.
            last=signal.SIGQUIT,
        )

    def _make_account(self):
        self.run(f"CREATE ROLE manila LOGIN PASSWORD '{_PASSWORD}'")
        self.run(f"ALTER ROLE postgres PASSWORD '{_PASSWORD}'")

    @property
    def env(self):
        """The environment of the programs of its administrator."""
        return {
            **os.environ,
            'PGHOST': str(self.folder),
            'PGPORT': str(self.port),
            'PGUSER': 'postgres',
        }

    def connect(self, database=None):
        """Return a connection of the administrator, in UTC."""
        connection = psycopg2.connect(
            host=str(self.folder),
            port=self.port,
            user='postgres',
            dbname=database or 'postgres',
            options='-c timezone=UTC',
        )
        connection.autocommit = True
        return connection

    def create(self):
        """Create an empty database of manila's; return its name."""
        name = self._new_name()
        self.run(f'CREATE DATABASE {name} OWNER manila')
        return name

    def schema(self, database):
        """Return what information_schema calls the schema of a database."""
        return 'public'

    def dump(self, database, path):
        """Write a dump of a database, as the operator's backup does."""
        processes.must(
            [_program('pg_dump'), f'--file={path}', database], env=self.env
        )

    def clone(self, database):
        """Copy a database; return the name of the copy."""
        name = self._new_name()
        self.run(f'CREATE DATABASE {name} OWNER manila TEMPLATE {database}')
        for (setting,) in self.run(
            'SELECT unnest(setconfig) FROM pg_db_role_setting JOIN '
            'pg_database ON setdatabase = pg_database.oid '
            f"WHERE datname = '{database}'"
        ):
            self.set(name, *setting.split('=', 1))
        return name

    def set(self, database, name, value):
        """Set a parameter for all sessions of a database."""
        self.run(f"ALTER DATABASE {database} SET {name} = '{value}'")

    def restore(self, path):
        """Read a dump into a new database; return its name."""
        name = self.create()
        processes.must(
            [
                _program('psql'),
                '--no-psqlrc',
                '--quiet',
                '--set=ON_ERROR_STOP=1',
                f'--file={path}',
                name,
            ],
            env=self.env,
        )
        return name

    def password_files(self):
        """Return {name: text} of the files with a client's password."""
        password = _PASSWORD.replace(':', '\\:')
        return {'.pgpass': f'*:{self.port}:*:*:{password}\n'}

    #: The environment variables of an operator who may restore a backup.
    may_restore: Mapping[str, str] = {'PGUSER': 'postgres'}


#: The servers, by their names on the command line.
SERVERS = {server.dialect: server for server in (MariaDB, PostgreSQL)}
