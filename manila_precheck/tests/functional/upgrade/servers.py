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

"""A MariaDB and a RabbitMQ of our own, on free ports of 127.0.0.1.

They live in the directory of the run and nobody else knows them, so there is
no account to ask for, nothing of others to break and nothing to clean up but
that directory. The database does not sync its files: nobody wants it back.
"""

import contextlib
import os
import pathlib
import shutil
import socket

import pymysql

from manila_precheck.tests.functional.upgrade import processes

#: How long a server may take to answer.
START_SECONDS = 120

_PASSWORD = 'S3cr/t:w@rd%'

#: As it stands in a URL in a file of oslo.config.
_QUOTED_PASSWORD = 'S3cr%2Ft%3Aw%40rd%25'


def free_port():
    """Return a port that nobody listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def listens(port):
    """Say whether somebody answers on a port of 127.0.0.1."""
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(('127.0.0.1', port)) == 0


def program(*names):
    """Return the path of a program, under the first name that there is."""
    path = os.pathsep.join(
        [os.environ.get('PATH', ''), '/usr/sbin', '/usr/lib/rabbitmq/bin']
    )
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


class MariaDB:
    """A database server."""

    #: What of the system is needed: a program, and Debian's package.
    needs = {
        ('mariadbd', 'mysqld'): 'mariadb-server',
        ('mariadb-install-db', 'mysql_install_db'): 'mariadb-server',
        ('mariadb-dump', 'mysqldump'): 'mariadb-client',
        ('mariadb', 'mysql'): 'mariadb-client',
    }

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self._count = 0

    def start(self, started):
        """Make the data directory and start; wait() says when it is up."""
        data = self.folder / 'data'
        self.folder.mkdir(parents=True)
        user = ['--user=root'] if os.geteuid() == 0 else []
        processes.must(
            [
                program('mariadb-install-db', 'mysql_install_db'),
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
                program('mariadbd', 'mysqld'),
                '--no-defaults',
                f'--datadir={data}',
                # A path of a socket has to be short.
                f'--socket={self.folder}/s',
                f'--pid-file={self.folder}/pid',
                '--bind-address=127.0.0.1',
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

    def wait(self):
        """Wait until it answers, and make manila's account."""
        if not processes.wait_for(self._answers, START_SECONDS):
            raise processes.Broken(
                f'MariaDB did not start:\n{self._process.output()[-3000:]}'
            )
        for host in ('localhost', '127.0.0.1'):
            self.run(
                f"CREATE USER 'manila'@'{host}' IDENTIFIED BY '{_PASSWORD}'"
            )
            self.run(f"GRANT ALL ON *.* TO 'manila'@'{host}'")

    def _answers(self):
        if self._process.code is not None:
            raise processes.Broken(
                f'MariaDB ended:\n{self._process.output()[-3000:]}'
            )
        try:
            self.connect().close()
        except pymysql.Error:
            return False
        return True

    def connect(self, database=None):
        """Return a connection of the administrator."""
        return pymysql.connect(
            unix_socket=f'{self.folder}/s',
            user='root',
            database=database,
            autocommit=True,
        )

    def run(self, sql, database=None):
        """Run one statement; return its rows."""
        with contextlib.closing(self.connect(database)) as connection:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []

    def create(self, charset='utf8'):
        """Create an empty database as manila's guide does; return its name."""
        self._count += 1
        name = f'manila_{self._count}'
        self.run(f'CREATE DATABASE {name} CHARACTER SET {charset}')
        return name

    def drop(self, name):
        """Drop a database."""
        self.run(f'DROP DATABASE {name}')

    def url(self, database, dialect='mysql'):
        """Return what [database] connection says."""
        return (
            f'{dialect}+pymysql://manila:{_QUOTED_PASSWORD}'
            f'@127.0.0.1:{self.port}/{database}'
        )

    def dump(self, database, path):
        """Write a dump of a database, as the operator's backup does."""
        processes.must(
            [
                program('mariadb-dump', 'mysqldump'),
                '--no-defaults',
                f'--socket={self.folder}/s',
                '--user=root',
                '--single-transaction',
                f'--result-file={path}',
                database,
            ]
        )

    def clone(self, database):
        """Copy a database as it is; return the name of the copy."""
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

        :param charset: what stands in the dump instead of utf8mb3.
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
                program('mariadb', 'mysql'),
                '--no-defaults',
                f'--socket={self.folder}/s',
                '--user=root',
                name,
            ],
            data=text,
        )


class RabbitMQ:
    """A message broker, with its own port mapper."""

    needs = {('rabbitmq-server',): 'rabbitmq-server', ('epmd',): 'erlang-base'}

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()

    def start(self, started):
        """Start it; wait() says when it is up."""
        self.folder.mkdir(parents=True)
        mapper = free_port()
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('RABBITMQ_', 'ERL_'))
        }
        env.update(
            HOME=str(self.folder),
            ERL_EPMD_PORT=str(mapper),
            ERL_EPMD_ADDRESS='127.0.0.1',
            RABBITMQ_NODENAME=f'precheck{self.port}@localhost',
            RABBITMQ_MNESIA_BASE=f'{self.folder}/mnesia',
            RABBITMQ_LOG_BASE=f'{self.folder}/log',
            RABBITMQ_CONFIG_FILE=f'{self.folder}/rabbitmq.conf',
            RABBITMQ_CONF_ENV_FILE=f'{self.folder}/absent.conf',
            RABBITMQ_ENABLED_PLUGINS_FILE=f'{self.folder}/plugins',
            RABBITMQ_DIST_PORT=str(free_port()),
            RABBITMQ_PID_FILE=f'{self.folder}/pid',
        )
        (self.folder / 'rabbitmq.conf').write_text(
            f'listeners.tcp.1 = 127.0.0.1:{self.port}\n', encoding='utf-8'
        )
        # Otherwise the broker starts one that stays when it goes.
        started.start(
            'epmd',
            [program('epmd'), '-port', mapper, '-address', '127.0.0.1'],
            env=env,
            cwd=self.folder,
        )
        processes.wait_for(lambda: listens(mapper), START_SECONDS)
        self._process = started.start(
            # Debian's own script of that name goes to another user's files.
            'rabbitmq',
            [self._script()],
            env=env,
            cwd=self.folder,
        )

    @staticmethod
    def _script():
        own = '/usr/lib/rabbitmq/bin/rabbitmq-server'
        return own if os.path.exists(own) else program('rabbitmq-server')

    def wait(self):
        """Wait until it takes connections."""

        def up():
            if self._process.code is not None:
                raise processes.Broken(
                    f'RabbitMQ ended:\n{self._process.output()[-3000:]}'
                )
            return listens(self.port)

        if not processes.wait_for(up, START_SECONDS):
            raise processes.Broken(
                f'RabbitMQ did not start:\n{self._process.output()[-3000:]}'
            )

    @property
    def url(self):
        """What transport_url says."""
        return f'rabbit://guest:guest@127.0.0.1:{self.port}//'


def missing():
    """Return the Debian packages that this machine lacks."""
    return sorted(
        {
            package
            for needs in (MariaDB.needs, RabbitMQ.needs)
            for names, package in needs.items()
            if not program(*names)
        }
    )
