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
"""Whether a server accepts writes from the account of manila.

A primary that became a replica after a failover, or a replica that somebody
configured in manila.conf for reading, answers every query of the checks.
"""

from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import connection

# The last two are names of one variable, whose global value new sessions get.
_VARIABLES = (
    'read_only',
    'super_read_only',
    'innodb_read_only',
    'transaction_read_only',
    'tx_read_only',
)

_MYSQL = 'SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})'.format(
    ', '.join(f"'{name}'" for name in _VARIABLES)
)

# With one of these privileges an account can write in spite of read_only:
# CONNECTION_ADMIN on MySQL 8, READ_ONLY ADMIN on MariaDB from 10.5 on, SUPER
# on earlier versions.
_ABOVE = ('ALL PRIVILEGES', 'SUPER', 'CONNECTION_ADMIN', 'READ_ONLY ADMIN')

# reset_val is the value that a new session of this account gets. The current
# session is always read-only.
_POSTGRESQL = (
    'SELECT pg_is_in_recovery(), (SELECT reset_val FROM pg_settings '
    "WHERE name = 'default_transaction_read_only'), "
    'CASE WHEN pg_is_in_recovery() THEN '
    'CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 '
    'ELSE EXTRACT(EPOCH FROM clock_timestamp() '
    '- pg_last_xact_replay_timestamp()) END END'
)


class Refusal(NamedTuple):
    """Why a server accepts no writes."""

    reason: str
    """The reason, to follow 'the server'."""

    setting: str
    """The variable or function: 'read_only', 'pg_is_in_recovery()'."""

    passed: bool = False
    """Whether the account may write in spite of it."""

    lag_seconds: Optional[float] = None
    """How far a replica is behind its primary, if it is known."""


def refusal(db: connection.Database) -> Optional[Refusal]:
    """Return why the server accepts no writes; None if it accepts them.

    :raises SourceUnusable: when the server cannot be queried.
    """
    if db.dialect == 'postgresql':
        return _of_postgresql(db)
    if db.dialect == 'mysql':
        return _of_mysql(db)
    return None


def _of_postgresql(db: connection.Database) -> Optional[Refusal]:
    replica, default, lag = db.row(_POSTGRESQL)
    if replica:
        words = 'is a standby'
        if lag is not None:
            words += f', {lag:.0f} s behind its primary'
        seconds = None if lag is None else float(lag)
        return Refusal(words, 'pg_is_in_recovery()', lag_seconds=seconds)
    if default == 'on':
        name = 'default_transaction_read_only'
        return Refusal(f'has {name} = on for this account', name)
    return None


def _of_mysql(db: connection.Database) -> Optional[Refusal]:
    values = {
        connection.text_of(name).lower(): connection.text_of(value)
        for name, value in db.rows(_MYSQL)
    }
    on = [name for name in _VARIABLES if values.get(name, 'OFF') != 'OFF']
    if not on:
        return None
    name = on[0]
    passed = False
    if on == ['read_only'] and values['read_only'] != 'NO_LOCK_NO_ADMIN':
        grants = [connection.text_of(row[0]) for row in db.rows('SHOW GRANTS')]
        passed = any(
            right in grant.partition(' ON ')[0] and ' ON *.* ' in grant
            for grant in grants
            for right in _ABOVE
        )
    return Refusal(f'has {name} = {values[name]}', name, passed)
