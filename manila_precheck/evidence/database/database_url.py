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

"""Where ``[database]`` says that manila's database is, and how to name it.

The connection string holds a password, and a driver's message about a failed
login may repeat it: every text about the database goes through
:meth:`Location.clean`.

The string may also run statements, load code and send files before the
session is read only. Of its parameters only those are used that say where
the server is and how to log in.
"""

import configparser
import contextlib
import importlib.util
import os
import re
import shlex
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING
from urllib import parse

from manila_precheck import exceptions
from manila_precheck.evidence.files import text_file
from manila_precheck.redact import secrets as redact_secrets

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy.engine import URL

_SECRET_QUERY = ('password', 'passwd', 'sslpassword', 'ssl_key_password')

# The only drivers that are used: for any other name SQLAlchemy searches the
# entry points of installed packages and runs what it finds.
_DRIVERS = {
    'mysql': ('pymysql', 'mysqldb'),
    'mariadb': ('pymysql', 'mysqldb'),
    'postgresql': ('psycopg2', 'psycopg'),
    'sqlite': ('pysqlite',),
}

# The parameters of a URL that are used, in addition to ssl*; see
# _without_more(). Other parameters of PyMySQL run statements (init_command,
# sql_mode, collation), send files (local_infile), change the results
# (use_unicode, conv) or name code (cursorclass, auth_plugin_map); "plugin" is
# SQLAlchemy's and loads an entry point.
_MYSQL_KEYS = frozenset(
    'bind_address charset connect_timeout database db host passwd password '
    'port read_timeout server_public_key unix_socket user '
    'write_timeout'.split()
)

# From an option file PyMySQL takes only the server and the login; mysqlclient
# also what to run and what to load.
_OPTION_FILE_KEYS = frozenset(('read_default_file', 'read_default_group'))

# Parameters of libpq ("Parameter Key Words"); options is filtered.
_POSTGRESQL_KEYS = frozenset(
    'application_name channel_binding client_encoding connect_timeout dbname '
    'fallback_application_name gssdelegation gssencmode gsslib host hostaddr '
    'keepalives keepalives_count keepalives_idle keepalives_interval '
    'krbsrvname load_balance_hosts options passfile password port '
    'require_auth requirepeer target_session_attrs tcp_user_timeout '
    'user'.split()
)

# Parameters that name a file, which may hold any other parameter.
_SERVICE_KEYS = frozenset(('service', 'servicefile'))

# What "options" may set: they decide which tables are seen.
_POSTGRESQL_SETTINGS = ('search_path', 'role')

_INSTALL = {
    'MySQLdb': 'use PyMySQL in the URL (mysql+pymysql://) or install '
    'mysqlclient',
    'psycopg2': 'install psycopg2-binary',
    'psycopg': 'use psycopg2 in the URL (postgresql+psycopg2://) or install '
    'psycopg',
    'pymysql': 'install PyMySQL',
}


# The account and the database in a URL that is unambiguous: a further '@' or
# '/' may be a part of the password.
_NAMES = re.compile(
    r'[\w+.-]+://([^:/@?#\s]+)(?::[^/@?#\s]*)?@[^/@?#\s]+/([^/@?#\s]*)'
    r'(?:\?[^@]*)?'
)


# What sosreport and similar tools leave of a URL, or of its password.
_MASKED = re.compile(r'\*{3,}|[^:/@]+://(?:[^:/@]*:)?\*{3,}@.*', re.DOTALL)


class Location(NamedTuple):
    """Where a database is, in words that hold no secret."""

    option: str
    """The option that named it: '[database] connection'."""

    words: str
    """For messages: 'the mysql database manila at 192.0.2.1:3306'."""

    secrets: frozenset[str]
    """What must not appear in a message."""

    names: frozenset[str] = frozenset()
    """The account and the database: a password that equals one of them is
    not masked where it is a name."""

    left_out: tuple[str, ...] = ()
    """The parameters of the URL that are not used, sorted."""

    torn: str = ''
    """The end of a password, when an unquoted '@' has put it into the host."""

    def clean(self, text: str) -> str:
        """Return a driver's text on one line, without the secrets."""
        line = ' '.join(text.split())
        if self.torn:
            line = line.replace(f'{self.torn}@', f'{redact_secrets.MASK}@')
        return redact_secrets.scrub(line, self.secrets, self.names)


def configured(conf: 'cfg.ConfigOpts') -> tuple[str, str]:
    """Return the option that names the database, and its value.

    slave_connection takes precedence: the program only reads.

    :param conf: options whose files were parsed; oslo.db's options are
        registered on it.
    :returns: ('[database] connection', the URL with its parameters).
    :raises SourceNotGiven: when neither option is set, or the URL has stars
        in place of the password, as in the bundle of a site.
    :raises SourceUnusable: when an option cannot be read.
    """
    from oslo_config import cfg
    from oslo_db import options

    named = _named(conf)
    if named:
        return '[manila_precheck] database_connection', named
    try:
        conf.register_opts(options.database_opts, group='database')
    except cfg.DuplicateOptError:
        # Another version of the same options; all have the names below.
        pass
    for name in ('slave_connection', 'connection'):
        value = _value(conf, name)
        if _MASKED.fullmatch(value):
            raise exceptions.SourceNotGiven(
                f'[database] {name} is masked in the files that were read'
            )
        if value:
            more = _value(conf, 'connection_parameters')
            if more:
                value += ('&' if '?' in value else '?') + more
            return f'[database] {name}', value
    raise exceptions.SourceNotGiven(
        'no database is configured: [database] connection is not set in the '
        'files that were read'
    )


def _value(conf: 'cfg.ConfigOpts', name: str) -> str:
    """Return an option of ``[database]``; '' when it is not set.

    :raises SourceUnusable: when it cannot be read.
    """
    from oslo_config import cfg

    named = _named(conf)
    if named:
        return named if name == 'connection' else ''
    try:
        return str(conf.database[name] or '')
    except RecursionError:
        why = 'it refers to itself'
    except (cfg.Error, ValueError) as exc:
        why = type(exc).__name__
    raise exceptions.SourceUnusable(f'[database] {name} cannot be read: {why}')


def _named(conf: 'cfg.ConfigOpts') -> str:
    """Return the URL that [manila_precheck] database_connection has."""
    options = conf.get('manila_precheck')
    return str((options and options.get('database_connection')) or '')


def connections(conf: 'cfg.ConfigOpts') -> tuple[str, ...]:
    """Return the URLs that :func:`configured` chooses from, if it was called.

    The environment can set them, too, even when no file is read.
    """
    found = []
    for name in ('slave_connection', 'connection'):
        with contextlib.suppress(exceptions.SourceUnusable):
            found.append(_value(conf, name))
    return tuple(found)


def names(text: str) -> frozenset[str]:
    """Return the names of the account and the database in a URL.

    :param text: the URL; a malformed one may have no names.
    """
    found = _NAMES.fullmatch(text)
    return frozenset(filter(None, found.groups())) if found else frozenset()


def dialect_of_manila(conf: 'cfg.ConfigOpts') -> str:
    """Return the dialect of the URL with which manila itself connects.

    To SQLAlchemy ``mariadb`` and ``mysql`` are two dialects, and to some
    migrations of manila, too.

    :param conf: options on which :func:`configured` was called.
    :returns: 'mysql', 'mariadb', ...; '' when connection is not set.
    :raises SourceUnusable: when it cannot be read.
    """
    connection = _value(conf, 'connection')
    return connection.partition(':')[0].partition('+')[0].lower()


class Address(NamedTuple):
    """Where manila's database is, in the terms of its server's clients."""

    database: str = ''
    """Its name, or the path of its file; '' when the URL names none."""

    host: str = ''
    port: str = ''
    user: str = ''
    socket: str = ''
    """The path of the socket, when the URL has one."""


def address_of_manila(conf: 'cfg.ConfigOpts') -> Address:
    """Return where the database is that manila itself connects to.

    :param conf: options on which :func:`configured` was called.
    :returns: an empty address when the URL cannot be parsed.
    :raises SourceUnusable: when an option cannot be read.
    """
    from sqlalchemy import engine
    from sqlalchemy import exc

    text = _value(conf, 'connection') or _value(conf, 'slave_connection')
    try:
        url = engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        return Address()
    return Address(
        url.database or '',
        url.host or '',
        str(url.port or ''),
        url.username or '',
        str(url.query.get('unix_socket', '')),
    )


def is_url(text: str) -> bool:
    """Say whether SQLAlchemy can parse a connection string."""
    from sqlalchemy import engine
    from sqlalchemy import exc

    try:
        engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        return False
    return True


def parameters(text: str) -> tuple[str, dict[str, str]]:
    """Return the driver of a connection string, and its parameters.

    :param text: a connection string that SQLAlchemy can parse.
    :returns: for a parameter that occurs twice, its last value.
    """
    from sqlalchemy import engine

    url = engine.make_url(text)
    return url.drivername, {
        name: value if isinstance(value, str) else value[-1]
        for name, value in url.query.items()
    }


def name_of_manila(conf: 'cfg.ConfigOpts') -> str:
    """Return the name of the database that manila itself connects to.

    As :func:`address_of_manila`; '' when the URL names none.
    """
    return address_of_manila(conf).database


def read(
    option: str, text: str, timeout_seconds: int, connect_timeout_seconds: int
) -> 'tuple[URL, Location]':
    """Return the URL to open read only, and its location for messages.

    :param option: the name of the option, for messages.
    :param text: the connection string.
    :param timeout_seconds: how long one statement may take.
    :param connect_timeout_seconds: how long to wait for a server.
    :raises SourceUnusable: when it is not a URL of a database that manila
        supports, or names a file that does not exist.
    """
    from sqlalchemy import engine
    from sqlalchemy import exc

    try:
        url = engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise exceptions.SourceUnusable(
            f'{option} is not a database URL: dialect+driver://host/database, '
            'with user and password before the host'
        ) from None
    backend, _, driver = url.drivername.partition('+')
    if backend not in _DRIVERS:
        raise exceptions.SourceUnusable(
            f'{option} names {backend!r}, which is not mysql, mariadb, '
            'postgresql or sqlite'
        )
    if driver and driver not in _DRIVERS[backend]:
        raise exceptions.SourceUnusable(
            f'{option} names the driver {driver!r}, which manila-precheck '
            f'does not use: use {" or ".join(_DRIVERS[backend])} '
            f'({backend}+{_DRIVERS[backend][0]}://)'
        )
    if backend == 'sqlite':
        return _sqlite(option, url)
    if not (
        backend == 'postgresql'
        or url.database
        or {'database', 'db', 'read_default_file'} & set(url.query)
    ):
        # The server would accept the login and show no table: the database
        # would pass for empty.
        raise exceptions.SourceUnusable(
            f'{option} names no database: its URL ends after the host'
        )
    if '@' in (url.database or ''):
        # The text before the '@' is the end of a password, and a part of the
        # password is taken for the host: do not send it to a name server.
        raise exceptions.SourceUnusable(
            f"{option} has an '@' after its host: write '@' in a password as "
            "%40 and '/' as %2F; manila cannot connect either"
        )
    location = _location(option, backend, url)
    if driver == 'psycopg' and not _has(
        'sqlalchemy.dialects.postgresql.psycopg'
    ):
        raise exceptions.SourceUnusable(
            f'{option} names the driver psycopg, which needs SQLAlchemy 2.0: '
            'use psycopg2 in the URL (postgresql+psycopg2://)'
        )
    url, left_out = _without_more(option, backend, driver, url)
    location = location._replace(left_out=left_out)
    if backend == 'mariadb':
        # SQLAlchemy's mariadb dialect refuses a MySQL server, and every test
        # of the dialect's name would need a second name.
        url = url.set(drivername='+'.join(filter(None, ('mysql', driver))))
        backend = 'mysql'
    if backend == 'postgresql' and not driver and _has('psycopg2'):
        # NOTE: a URL without a driver means this one to manila's SQLAlchemy;
        # from 2.1 on it means psycopg.
        driver = 'psycopg2'
        url = url.set(drivername='postgresql+psycopg2')
    _require_files(option, url)
    if url.drivername == 'mysql+pymysql':
        _require_charset(option, url)
        _require_option_file(option, url)
    defaults: dict[str, str] = {}
    if driver in ('', 'pymysql', 'mysqldb') and backend == 'mysql':
        defaults['connect_timeout'] = str(connect_timeout_seconds)
        # For a server that accepts the connection and does not answer; once
        # it has answered, Database sets the limit of a statement.
        defaults['read_timeout'] = str(
            connect_timeout_seconds
            if driver == 'pymysql'
            else timeout_seconds + 10
        )
    elif driver in ('', 'psycopg2', 'psycopg') and backend == 'postgresql':
        defaults['connect_timeout'] = str(connect_timeout_seconds)
        defaults['application_name'] = 'manila-precheck'
    return url.update_query_dict(
        {k: v for k, v in defaults.items() if k not in url.query}
    ), location


def _without_more(
    option: str, backend: str, driver: str, url: 'URL'
) -> 'tuple[URL, tuple[str, ...]]':
    """Return the URL with the parameters that are used, and the others.

    :raises SourceUnusable: when the server or the login is in a file that
        may also say what to run.
    """
    if backend == 'postgresql':
        used, files = _POSTGRESQL_KEYS, _SERVICE_KEYS
    elif driver == 'pymysql':
        used, files = _MYSQL_KEYS | _OPTION_FILE_KEYS, frozenset()
    else:
        used, files = _MYSQL_KEYS, _OPTION_FILE_KEYS
    files &= set(url.query)
    if files:
        raise exceptions.SourceUnusable(
            f'{option} has {" and ".join(sorted(files))}: such a file can '
            'also make a session run or load something and is not read; put '
            'the server, the account and the database in the URL'
        )
    query = {
        key: value
        for key, value in url.query.items()
        if key in used or key.startswith('ssl')
    }
    left_out = set(url.query) - set(query)
    if 'options' in query:
        texts = query['options']
        text = texts if isinstance(texts, str) else ' '.join(texts)
        allowed, refused = _settings(text)
        left_out |= {f'options={name}' for name in refused}
        if allowed:
            query['options'] = ' '.join(f'-c {word}' for word in allowed)
        else:
            del query['options']
    return url.set(query=query), tuple(sorted(left_out))


def _settings(options: str) -> tuple[list[str], list[str]]:
    """Split ``options`` into what it may set, and names of what it may not.

    :param options: the words of a command line of PostgreSQL:
        '-c search_path=cloud --work_mem=1GB'.
    :returns: (['search_path=cloud'], ['work_mem']).
    """
    allowed, refused = [], []
    # A backslash escapes a blank (PostgreSQL's pg_split_opts()).
    words = iter(re.findall(r'(?:\\.|[^\\\s])+', options))
    for word in words:
        if word == '-c':
            word = next(words, '')
        elif word.startswith(('-c', '--')):
            word = word[2:]
        name, equals, _value = word.partition('=')
        if equals and name.lower() in _POSTGRESQL_SETTINGS:
            allowed.append(word)
        else:
            refused.append(name)
    return allowed, refused


def _require_charset(option: str, url: 'URL') -> None:
    """Make sure that PyMySQL supports the character set of the URL.

    PyMySQL looks it up before it connects, and raises an AttributeError for
    an unknown one (1.2.0).

    :raises SourceUnusable: when it does not.
    """
    name = url.query.get('charset')
    if not name or not _has('pymysql'):
        return
    from pymysql import charset

    if not isinstance(name, str) or charset.charset_by_name(name) is None:
        raise exceptions.SourceUnusable(
            f'{option} names the character set {name!r}, which PyMySQL does '
            'not support; manila cannot connect with it either '
            '(charset=utf8mb4 is supported)'
        )


def _require_files(option: str, url: 'URL') -> None:
    """Make sure that no file of the URL is a pipe: a driver would wait for it.

    :raises SourceUnusable: when a file is neither a file nor a directory.
    """
    for key, value in sorted(url.query.items()):
        if not (key.startswith('ssl') or key == 'read_default_file'):
            continue
        for path in (value,) if isinstance(value, str) else value:
            path = os.path.expanduser(path)
            if os.path.exists(path) and not (
                os.path.isfile(path) or os.path.isdir(path)
            ):
                raise exceptions.SourceUnusable(
                    f'{option} has {key}={path}, which is not a file'
                )


def _require_option_file(option: str, url: 'URL') -> None:
    """Make sure that PyMySQL can read the option file that the URL names.

    PyMySQL catches no error of the parser, and the error holds the line that
    cannot be parsed. It takes a missing file for an empty one.

    :raises SourceUnusable: when it cannot parse the file.
    """
    path = url.query.get('read_default_file')
    if not isinstance(path, str) and 'read_default_group' in url.query:
        path = '/etc/my.cnf'
    if not isinstance(path, str) or not _has('pymysql'):
        return
    path = os.path.expanduser(path)
    if not os.path.exists(path):
        return
    from pymysql import optionfile

    text = text_file.read_text(path).text
    try:
        optionfile.Parser().read_string(text)
    except configparser.Error as exc:
        line = getattr(exc, 'lineno', None)
        where = f'{path}:{line}' if line else path
        raise exceptions.SourceUnusable(
            f'{option} names the option file {where}, which PyMySQL cannot '
            f'parse ({type(exc).__name__}); with it manila does not connect '
            'either'
        ) from None


def without_tls(url: 'URL') -> 'Optional[URL]':
    """Return the URL for a first try without TLS; None if TLS must be used.

    By default PyMySQL (1.2) loads every certificate of the host before it
    connects, and then verifies none: this takes a third of the time that a
    small database needs, and is of no use on the loopback interface.
    """
    host = url.host or ''
    local = host in ('localhost', '127.0.0.1', '::1')
    if (
        url.drivername != 'mysql+pymysql'
        or not (local or 'unix_socket' in url.query)
        or any(key.startswith('ssl') for key in url.query)
    ):
        return None
    return url.update_query_dict({'ssl_disabled': 'true'})


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _location(option: str, backend: str, url: 'URL') -> Location:
    # An unquoted '@' in a password puts the password's end into the host.
    host = (url.host or '').rpartition('@')[2]
    torn = (url.host or '').rpartition('@')[0]
    raw: list[Any] = [url.password, *(url.query.get(k) for k in _SECRET_QUERY)]
    if torn:
        raw += [torn, f'{url.password}@{torn}']
    secrets = {
        form
        for value in raw
        if value
        for form in redact_secrets.forms(str(value))
    }
    socket = url.query.get('unix_socket')
    if host:
        where = f' at {host}:{url.port}' if url.port else f' at {host}'
    else:
        where = f' at {socket}' if socket else ''
    return Location(
        option=option,
        words=f'the {backend} database {url.database or ""}'.rstrip() + where,
        secrets=frozenset(secrets),
        names=names(url.render_as_string(hide_password=False)),
        torn=torn,
    )


def _sqlite(option: str, url: 'URL') -> 'tuple[URL, Location]':
    path: Optional[str] = url.database
    if not path or path == ':memory:' or path.startswith('file:'):
        raise exceptions.SourceUnusable(
            f'{option} names no SQLite file: a database in memory is empty '
            'for any other process'
        )
    # Opening a missing file would create it, and opening a FIFO would wait
    # for a writer.
    if not os.path.isfile(path):
        what = 'is not a file' if os.path.exists(path) else 'does not exist'
        raise exceptions.SourceUnusable(
            f'the SQLite file {path} {what} ({option})'
        )
    location = Location(
        option=option,
        words=f'the SQLite database {path}',
        secrets=frozenset(),
    )
    # SQLite keeps the journal beside the file that a link leads to.
    real = os.path.realpath(path)
    query = {'mode': 'ro', 'uri': 'true', 'check_same_thread': 'false'}
    if _writes_ahead(location, real):
        query['immutable'] = '1'
    return url.set(database=f'file:{parse.quote(real)}', query=query), location


def _writes_ahead(location: Location, path: str) -> bool:
    """Say whether a file of SQLite is in WAL mode.

    Reading such a file creates or writes PATH-wal and PATH-shm, even with
    mode=ro; unless SQLite is told that nobody writes (immutable=1), and then
    it omits what is only in PATH-wal.

    :raises SourceUnusable: when PATH-wal is not empty.
    """
    try:
        with open(path, 'rb') as stream:
            # "The Database Header", offset 18: 2 is for WAL.
            if 2 not in stream.read(20)[18:]:
                return False
        ahead = os.path.exists(f'{path}-wal') and os.path.getsize(
            f'{path}-wal'
        )
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{location.words} cannot be read ({location.option}): '
            f'{exc.strerror}'
        ) from None
    if ahead:
        raise exceptions.SourceUnusable(
            f'{location.words} cannot be read without writing next to it '
            f'({location.option}): its last changes are in {path}-wal. Stop '
            f'what uses it and run: sqlite3 {shlex.quote(path)} "PRAGMA '
            'wal_checkpoint(TRUNCATE)"'
        )
    return True


def missing_driver(exc: ImportError) -> str:
    """Return what to do when the driver of the URL is not installed."""
    name = exc.name or str(exc)
    todo = _INSTALL.get(name, f'install the package that provides {name}')
    return f'its driver {name} is not installed: {todo}'
