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
"""Have the server's own tool make a dump of the configured database.

The dump uses the configured account. Its password goes into a private file,
never on a command line or into the environment.
"""

from collections.abc import Mapping
import os
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy.engine import URL

_NAME = 'dump.sql'

# The first one that is installed is used; mysqldump is MySQL's name, too.
_TOOLS = {
    'mysql': ('mariadb-dump', 'mysqldump'),
    'postgresql': ('pg_dump',),
}
_PACKAGES = {'mysql': 'mariadb-client', 'postgresql': 'postgresql-client'}

_MYSQL_WORDS = (
    '--single-transaction',
    '--skip-lock-tables',
    '--quick',
    # Neither tablespaces (which need PROCESS) nor triggers (which need
    # TRIGGER) are restored.
    '--no-tablespaces',
    '--skip-triggers',
    '--hex-blob',
    '--default-character-set=utf8mb4',
)

# Options that only some of these tools know.
_MYSQL_LOOSE = (
    'loose-column-statistics=0',
    'loose-set-gtid-purged=OFF',
)
_MYSQL_TLS = {
    f'ssl_{name}': f'ssl-{name}'
    for name in ('ca', 'capath', 'cert', 'key', 'cipher')
}
_MYSQL_VERIFY = (
    'ssl_verify_cert',
    'ssl_check_hostname',
    'ssl_verify_identity',
)

_POSTGRESQL_WORDS = ('--no-owner', '--no-privileges', '--no-password')
_POSTGRESQL_VARIABLES = {
    'sslmode': 'PGSSLMODE',
    'sslrootcert': 'PGSSLROOTCERT',
    'sslcert': 'PGSSLCERT',
    'sslkey': 'PGSSLKEY',
    'channel_binding': 'PGCHANNELBINDING',
}


def make(
    conf: 'cfg.ConfigOpts',
    folder: str,
    seconds: float,
    connect_timeout_seconds: int,
) -> str:
    """Make a dump, and return its file.

    :param conf: its ``[database]`` names the database; a slave_connection
        takes precedence.
    :param folder: a private directory.
    :param seconds: how long it may take.
    :raises SourceNotGiven: when no database is configured.
    :raises SourceUnusable: when no tool for it is installed, or it fails.
    """
    option, text = database_url.configured(conf)
    url, location = database_url.read(
        option, text, 60, connect_timeout_seconds
    )
    dialect = url.get_backend_name()
    if dialect not in _TOOLS:
        raise exceptions.SourceUnusable(
            f'no dump is made of {location.words}: pass a backup with '
            '--backup FILE'
        )
    found = [programs.find(name) for name in _TOOLS[dialect]]
    tools = [path for path in found if path is not None]
    if not tools:
        raise exceptions.SourceUnusable(
            f'a dump of {location.words} needs '
            f'{" or ".join(_TOOLS[dialect])}, and there is none here (package '
            f'{_PACKAGES[dialect]})'
        )
    path = os.path.join(folder, _NAME)
    variables: Mapping[str, str] = {}
    if dialect == 'mysql':
        words = _of_mysql(url, folder, path)
    else:
        words, variables = _of_postgresql(url, folder, path)
    done = programs.run([tools[0], *words], seconds, variables=variables)
    if done.code:
        last = (done.stderr.strip().splitlines() or ['it says nothing'])[-1]
        raise exceptions.SourceUnusable(
            f'{tools[0]} cannot dump {location.words} ({option}): '
            f'{location.clean(last)}'
        )
    return path


def _of_mysql(url: 'URL', folder: str, path: str) -> list[str]:
    query = {name: str(value) for name, value in url.query.items()}
    values = {
        'user': url.username or '',
        'password': str(url.password or ''),
        'host': url.host or '',
        'port': str(url.port or ''),
        'socket': query.get('unix_socket', ''),
        **{option: query.get(name, '') for name, option in _MYSQL_TLS.items()},
    }
    lines = ['[client]', *_MYSQL_LOOSE]
    lines += [
        # Backslashes would start an escape sequence; the quotes are removed.
        f'{name}="{_one_line(value).replace(chr(92), chr(92) * 2)}"'
        for name, value in values.items()
        if value
    ]
    verified = any(
        query.get(name, '').lower() in ('true', '1', 'yes')
        for name in _MYSQL_VERIFY
    )
    lines.append(f'loose-ssl-verify-server-cert={int(verified)}')
    private = _written(folder, 'client.cnf', lines)
    return [
        # It has to be the first word; no other file is read.
        f'--defaults-file={private}',
        *_MYSQL_WORDS,
        f'--result-file={path}',
        '--',
        url.database or query.get('database') or query.get('db') or '',
    ]


def _of_postgresql(
    url: 'URL', folder: str, path: str
) -> tuple[list[str], Mapping[str, str]]:
    query = {name: str(value) for name, value in url.query.items()}
    password = str(url.password or query.get('password') or '')
    escaped = password.replace('\\', '\\\\').replace(':', '\\:')
    private = _written(
        folder, 'pgpass', [f'*:*:*:*:{_one_line(escaped)}'] if password else []
    )
    variables = {
        'PGPASSFILE': private,
        'PGHOST': url.host or query.get('host', ''),
        'PGPORT': str(url.port or query.get('port', '')),
        'PGUSER': url.username or query.get('user', ''),
        'PGDATABASE': url.database or query.get('dbname', ''),
        **{
            variable: query.get(name, '')
            for name, variable in _POSTGRESQL_VARIABLES.items()
        },
    }
    return (
        [*_POSTGRESQL_WORDS, f'--file={path}'],
        {name: value for name, value in variables.items() if value},
    )


def _one_line(value: str) -> str:
    """Return a value, which has to fit on one line of a file.

    :raises SourceUnusable: when it has a line break.
    """
    if '\n' in value or '\r' in value:
        raise exceptions.SourceUnusable(
            'an option of the database has a line break, which the file for '
            'the tool that dumps it cannot hold'
        )
    return value


def _written(folder: str, name: str, lines: list[str]) -> str:
    """Write a file that nobody else may read; return its path."""
    path = os.path.join(folder, name)
    try:
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
        )
        with open(descriptor, 'w', encoding='utf-8') as stream:
            stream.write(''.join(f'{line}\n' for line in lines))
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path} cannot be written: {exc.strerror}'
        ) from exc
    return path
