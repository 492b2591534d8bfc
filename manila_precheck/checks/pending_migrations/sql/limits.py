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
"""Settings of the server or the account that end a statement of a migration.

A session of this program sets its own time limits, so what the sessions of
manila get is read from the global variables of MySQL and MariaDB, and from
the reset values of PostgreSQL, which include those of the role, the database
and the URL.
"""

from collections.abc import Mapping
from typing import NamedTuple

from manila_precheck.evidence.database import connection

_MYSQL = (
    'SHOW GLOBAL VARIABLES WHERE variable_name IN '
    "('max_statement_time', 'alter_algorithm', 'enforce_storage_engine', "
    "'max_user_connections')"
)

# In milliseconds; 0 is no limit. Not lock_timeout: the check of sessions
# reports locks.
_POSTGRESQL = (
    'SELECT name, reset_val FROM pg_settings WHERE name IN '
    "('statement_timeout', 'idle_in_transaction_session_timeout', "
    "'transaction_timeout')"
)

_SESSION = 'SELECT CURRENT_USER, current_database()'

# The value of a session is what the server applies to its account.
_MYSQL_CONNECTIONS = 'SELECT @@session.max_user_connections'

# The limits do not apply to a superuser. An account that may not write is not
# that of manila.
_POSTGRESQL_CONNECTIONS = (
    'SELECT r.rolconnlimit, d.datconnlimit FROM pg_roles r, pg_database d '
    'WHERE r.rolname = SESSION_USER AND d.datname = current_database() '
    "AND NOT r.rolsuper AND has_table_privilege('services', 'UPDATE')"
)


class Session(NamedTuple):
    """An account and its database on PostgreSQL."""

    role: str
    database: str


def variables(db: connection.Database) -> Mapping[str, str]:
    """Return the settings by name; without those that the server has not.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    statement = _POSTGRESQL if db.dialect == 'postgresql' else _MYSQL
    return {
        connection.text_of(name).lower(): connection.text_of(value)
        for name, value in db.rows(statement, 'the settings of the server')
        if value is not None
    }


def session(db: connection.Database) -> Session:
    """Return the account and the database of a session on PostgreSQL."""
    return Session(*map(connection.text_of, db.row(_SESSION)))


def connections(db: connection.Database) -> Mapping[str, int]:
    """Return how many connections may be open, by the name of the limit.

    :param db: a database of MySQL, MariaDB or PostgreSQL, with a table
        services.
    :returns: without the limits that are not set.
    """
    if db.dialect == 'mysql':
        found = {'max_user_connections': db.row(_MYSQL_CONNECTIONS)[0]}
    else:
        rows = db.rows(_POSTGRESQL_CONNECTIONS, 'the limits of the account')
        # NOTE: -1 stands for no limit, and 0 lets nobody in.
        found = {
            name: value
            for row in rows
            for name, value in zip(('rolconnlimit', 'datconnlimit'), row)
        }
    return {name: int(value) for name, value in found.items() if value > 0}
