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

"""What lets an account read the database, where the server refuses it.

Tried on MariaDB 10.11 and PostgreSQL 15: with each statement the account can
run all checks that only read tables.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import re
from typing import Any

from manila_precheck import model

# ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR and
# ER_COLUMNACCESS_DENIED_ERROR (MariaDB 10.11 sql/share/errmsg-utf8.txt).
_MYSQL_DENIED = frozenset({1044, 1142, 1143})

# ER_ACCESS_DENIED_ERROR and ER_ACCESS_DENIED_NO_PASSWORD_ERROR: of an account
# that is not there MariaDB pretends that it has the plugin of some other one,
# and of unix_socket it speaks so (20 of 300 unknown names, MariaDB 10.11).
_MYSQL_NO_LOGIN = frozenset({1045, 1698})

# insufficient_privilege (PostgreSQL 15 doc/src/sgml/errcodes).
_POSTGRESQL_DENIED = '42501'

# At the login libpq has words only.
_POSTGRESQL_NO_CONNECT = re.compile('permission denied for database "')
_POSTGRESQL_NO_LOGIN = re.compile(
    'password authentication failed|role ".*" does not exist'
)

# Of the account as the server has it, not of the client: 'manila'@'%'.
_MYSQL_ACCOUNT = re.compile(r"user '(.*)'@'([^']*)' to database")

_ADVICE = (
    'As an administrator of the database server, let the account of {option} '
    'read the database:'
)

#: Runs a statement and returns its rows.
Ask = Callable[[str], Sequence[Sequence[Any]]]


def login(
    dialect: str, error: BaseException, database: str, user: str, option: str
) -> tuple[model.Remediation, ...]:
    """Return what lets an account in that the server has turned away.

    :param error: what the driver raised.
    :param user: as the URL names it.
    :returns: none when the error is another one.
    """
    number, text = _number(error), str(error)
    if dialect == 'mysql' and number in _MYSQL_DENIED:
        account = _MYSQL_ACCOUNT.search(text)
        if account is not None:
            return _grants(
                dialect,
                database,
                [_mysql(database, *account.groups())],
                option,
            )
    if dialect == 'postgresql' and _POSTGRESQL_NO_CONNECT.search(text):
        return _grants(
            dialect,
            database,
            [
                f'GRANT CONNECT ON DATABASE {_name(database)} TO '
                f'{_name(user)}',
                *_postgresql('public', user),
            ],
            option,
        )
    if number in _MYSQL_NO_LOGIN or (
        dialect == 'postgresql' and _POSTGRESQL_NO_LOGIN.search(text)
    ):
        return (
            model.advice(
                f'Correct the user or the password in {option}, or create '
                'the account on the server.'
            ),
        )
    return ()


def denied(dialect: str, error: BaseException) -> bool:
    """Say whether a statement failed because the account may not read."""
    if dialect == 'mysql':
        return _number(error) in _MYSQL_DENIED
    return getattr(error, 'pgcode', None) == _POSTGRESQL_DENIED


def tables(
    dialect: str, ask: Ask, database: str, option: str
) -> tuple[model.Remediation, ...]:
    """Return what lets the account of a session read every table.

    :param ask: runs a statement in the session.
    """
    if dialect == 'mysql':
        user, _, host = _text(ask('SELECT CURRENT_USER()')[0][0]).rpartition(
            '@'
        )
        statements = [_mysql(database, user, host)]
    else:
        # The catalog of the server shows tables to everybody.
        found = ask(
            'SELECT CURRENT_USER, n.nspname FROM pg_catalog.pg_class c JOIN '
            'pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE '
            "c.relname = 'shares' AND c.relkind IN ('r', 'p') ORDER BY 2"
        )
        statements = [
            statement
            for user, schema in found
            for statement in _postgresql(_text(schema), _text(user))
        ]
    if not statements:
        return ()
    return _grants(dialect, database, statements, option)


def _grants(
    dialect: str, database: str, statements: Iterable[str], option: str
) -> tuple[model.Remediation, ...]:
    client = 'mysql {} -e {}' if dialect == 'mysql' else 'psql {} -c {}'
    return (
        model.advice(_ADVICE.format(option=option)),
        model.command(client, database, '; '.join(statements)),
    )


def _mysql(database: str, user: str, host: str) -> str:
    # '_' and '%' are wildcards in the name of the database alone.
    pattern = re.sub(r'([%_\\])', r'\\\1', database)
    quoted = [
        '`{}`'.format(one.replace('`', '``')) for one in (pattern, user, host)
    ]
    return 'GRANT SELECT ON {}.* TO {}@{}'.format(*quoted)


def _postgresql(schema: str, user: str) -> list[str]:
    return [
        f'GRANT USAGE ON SCHEMA {_name(schema)} TO {_name(user)}',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA {_name(schema)} TO '
        f'{_name(user)}',
    ]


def _name(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _text(value: Any) -> str:
    return value.decode('utf-8') if isinstance(value, bytes) else str(value)


def _number(error: BaseException) -> Any:
    args = error.args
    return args[0] if args and isinstance(args[0], int) else None
