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

"""The remedies for an account that may not log in or read the database.

Tried on MariaDB 10.11 and PostgreSQL 15: after each of these statements the
account can run all checks that only read tables.
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

# ER_ACCESS_DENIED_ERROR and ER_ACCESS_DENIED_NO_PASSWORD_ERROR: for an
# account that does not exist MariaDB pretends to use the authentication
# plugin of some other account, and with unix_socket it sends the latter error
# (20 of 300 unknown names, MariaDB 10.11).
_MYSQL_NO_LOGIN = frozenset({1045, 1698})

# insufficient_privilege (PostgreSQL 15 doc/src/sgml/errcodes).
_POSTGRESQL_DENIED = '42501'

# For a failed login libpq gives a text, but no error code.
_POSTGRESQL_NO_CONNECT = re.compile('permission denied for database "')
_POSTGRESQL_NO_LOGIN = re.compile(
    'password authentication failed|role ".*" does not exist'
)

# The account as the server knows it, not the client's host: 'manila'@'%'.
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
    """Return the remedy for a login that the server has refused.

    :param error: what the driver raised.
    :param user: the user in the URL.
    :returns: nothing when the error has another cause.
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
    """Return the grants with which a session's account reads every table.

    :param ask: runs a statement in the session.
    """
    if dialect == 'mysql':
        user, _, host = _text(ask('SELECT CURRENT_USER()')[0][0]).rpartition(
            '@'
        )
        statements = [_mysql(database, user, host)]
    else:
        # The catalog of the server shows all tables to everybody.
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
    # GRANT takes '_' and '%' for wildcards, but only in a database name.
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
