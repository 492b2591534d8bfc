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
"""An empty database on a server that the operator names, to restore into.

It has to be empty, and is emptied again afterwards. Nothing watches over it:
when a run is killed its tables stay, and the next run refuses the database
because of them.
"""

import contextlib
from typing import Any
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database.dumps import private_server

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# The drivers that can send statements exactly as the dump has them.
_DRIVERS = {'mysql': 'mysql+pymysql', 'postgresql': 'postgresql+psycopg2'}

# More than any file system has: the disk belongs to another machine.
_ROOM_BYTES = 1 << 62

_TABLES = {
    'mysql': 'SELECT table_type, table_name FROM information_schema.tables '
    'WHERE table_schema = DATABASE()',
    'postgresql': "SELECT CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE "
    "'BASE TABLE' END, c.oid::regclass::text FROM pg_class c JOIN "
    'pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN '
    "('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', "
    "'information_schema', 'pg_toast')",
}
_TYPES = (
    'SELECT t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid '
    "= t.typnamespace WHERE t.typtype = 'e' AND n.nspname = 'public'"
)


class Scratch:
    """A database that was empty before this run.

    :param url: its URL, with the password.
    :param location: its description for messages.
    """

    #: As in private_server.Server; this run has started no server.
    account = None
    path = ''

    def __init__(self, url: 'URL', location: database_url.Location) -> None:
        self.url = url
        self.location = location
        self.dialect = url.get_backend_name()
        self.is_used = False
        private_server.watch(self)

    def require(self, dialect: str) -> None:
        """Make sure that it takes a dump of this kind of server.

        :raises SourceUnusable: when it does not.
        """
        if dialect != self.dialect:
            raise exceptions.SourceUnusable(
                f'{self.location.option} is a {self.dialect} server, and the '
                f'backup is one of {dialect}'
            )
        self.is_used = True

    def connect(self) -> Any:
        """Return a connection of the driver, which commits each statement.

        :raises SourceUnusable: when there is none.
        """
        import sqlalchemy
        from sqlalchemy import exc

        try:
            made = sqlalchemy.create_engine(
                self.url, poolclass=sqlalchemy.pool.NullPool
            )
            found = made.raw_connection()
            driver: Any = found.dbapi_connection
            # The caller closes it.
            found.detach()
        except (
            exc.SQLAlchemyError,
            ImportError,
            OSError,
            ValueError,
        ) as error:
            raise exceptions.SourceUnusable(
                f'{self.location.words} cannot be used '
                f'({self.location.option}): {self.location.clean(str(error))}'
            ) from None
        if self.dialect == 'mysql':
            driver.autocommit(True)
        else:
            driver.autocommit = True
        return driver

    def used_bytes(self) -> int:
        """Return 0: its disk belongs to another machine."""
        return 0

    def free_bytes(self) -> int:
        """Return that there is enough room."""
        return _ROOM_BYTES

    def end(self) -> None:
        """Drop what was restored into it."""
        if not private_server.unwatch(self) or not self.is_used:
            return
        with contextlib.suppress(exceptions.SourceUnusable):
            driver = self.connect()
            with contextlib.closing(driver):
                self._drop(driver)

    def keep(self) -> str:
        """Leave it as it is, and return its description."""
        private_server.unwatch(self)
        return self.location.words

    def _drop(self, driver: Any) -> None:
        cursor = driver.cursor()
        mysql = self.dialect == 'mysql'
        if mysql:
            cursor.execute('SET foreign_key_checks = 0')
        cursor.execute(_TABLES[self.dialect])
        for kind, name in cursor.fetchall():
            what = 'VIEW' if 'VIEW' in kind else 'TABLE'
            if mysql:
                quoted = '`{}`'.format(name.replace('`', '``'))
                cursor.execute(f'DROP {what} IF EXISTS {quoted}')
            else:
                cursor.execute(f'DROP {what} IF EXISTS {name} CASCADE')
        if not mysql:
            cursor.execute(_TYPES)
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP TYPE {name} CASCADE')


def find(
    text: str,
    option: str,
    configured: 'tuple[str, ...]',
    connect_timeout_seconds: int,
) -> Scratch:
    """Return an empty database.

    :param text: its URL.
    :param option: the option that has the URL, for messages.
    :param configured: the URLs of the production database.
    :raises SourceUnusable: when it is not empty, cannot be used, or is the
        production database.
    """
    from sqlalchemy import engine

    url, location = database_url.read(
        option, text, 60, connect_timeout_seconds
    )
    if url.get_backend_name() not in _DRIVERS:
        raise exceptions.SourceUnusable(
            f'{option} is no URL of MySQL, MariaDB or PostgreSQL'
        )
    for other in filter(None, configured):
        theirs, _ = database_url.read(option, other, 60, 10)
        if (theirs.host, theirs.port, theirs.database) == (
            url.host,
            url.port,
            url.database,
        ):
            raise exceptions.SourceUnusable(
                f'{option} is the database of [database] connection: name an '
                'empty one'
            )
    with contextlib.closing(
        connection.Database(url, location, 60, connect_timeout_seconds)
    ) as database:
        if database.shape:
            raise exceptions.SourceUnusable(
                f'{location.words} is not empty ({option}): name an empty '
                'database, or drop what an earlier rehearsal has left there'
            )
    # The URL as given, without the time limits for a reader.
    plain = engine.make_url(text).set(
        drivername=_DRIVERS[url.get_backend_name()]
    )
    return Scratch(plain, location)
