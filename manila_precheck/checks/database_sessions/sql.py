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
"""Who else is connected to the database, and what they hold there.

What a server shows depends on the account. To an account without PROCESS,
MySQL shows only its own sessions, and no transaction; the tables that a
transaction has locked are visible only if metadata_lock_info or
performance_schema is on. PostgreSQL shows every lock to every account, and
hides what the sessions of other accounts run. Tried on MariaDB 10.11.19 and
PostgreSQL 15.20.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection

# Each statement has a LIMIT. The beginning of the statement that a session
# runs is read to find out its kind; it is never reported.

_MYSQL_SESSIONS = (
    'SELECT ID, USER, HOST, DB, COMMAND, TIME, STATE, '
    'LEFT(INFO, 2000), CONNECTION_ID(), '
    "SUBSTRING_INDEX(USER(), '@', 1), DATABASE(), CURRENT_USER() "
    'FROM information_schema.PROCESSLIST ORDER BY ID LIMIT 5000'
)

_MYSQL_TRANSACTIONS = (
    'SELECT trx_mysql_thread_id, '
    'TIMESTAMPDIFF(SECOND, trx_started, NOW()), trx_id, trx_tables_locked '
    'FROM information_schema.INNODB_TRX LIMIT 5000'
)

# The table of MariaDB's plugin metadata_lock_info.
_MARIADB_LOCKS = (
    'SELECT THREAD_ID, LOCK_MODE, LOCK_TYPE, TABLE_NAME '
    'FROM information_schema.METADATA_LOCK_INFO '
    "WHERE TABLE_SCHEMA = DATABASE() OR LOCK_TYPE NOT LIKE 'Table%' "
    'LIMIT 5000'
)

# metadata_locks is empty while its instrument is off, which is the default in
# MariaDB.
_INSTRUMENT = (
    'SELECT COUNT(*) FROM performance_schema.setup_instruments '
    "WHERE NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES' "
    'AND @@performance_schema'
)

_MYSQL_LOCKS = (
    'SELECT t.PROCESSLIST_ID, l.LOCK_TYPE, l.OBJECT_TYPE, l.OBJECT_NAME '
    'FROM performance_schema.metadata_locks l '
    'LEFT JOIN performance_schema.threads t '
    'ON t.THREAD_ID = l.OWNER_THREAD_ID '
    "WHERE l.LOCK_STATUS = 'GRANTED' AND (l.OBJECT_SCHEMA = DATABASE() "
    "OR l.OBJECT_TYPE IN ('GLOBAL', 'BACKUP LOCK')) "
    'LIMIT 5000'
)

# The tables that LOCK TABLES and running statements use; every account sees
# them.
_MYSQL_IN_USE = 'SHOW OPEN TABLES WHERE In_use > 0'

_POSTGRESQL_SESSIONS = (
    'SELECT pid, usename, host(client_addr), application_name, state, '
    'EXTRACT(EPOCH FROM clock_timestamp() - state_change)::bigint, '
    'EXTRACT(EPOCH FROM clock_timestamp() - xact_start)::bigint, '
    'LEFT(query, 2000), pg_backend_pid(), session_user, current_database() '
    'FROM pg_stat_activity WHERE datname = current_database() '
    'ORDER BY pid LIMIT 5000'
)

_HIDDEN = '<insufficient privilege>'

_POSTGRESQL_LOCKS = (
    'SELECT l.pid, l.virtualtransaction, l.mode, c.relname '
    'FROM pg_locks l JOIN pg_class c ON c.oid = l.relation '
    'JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE l.locktype = 'relation' AND c.relkind IN ('r', 'p') AND "
    'l.database = (SELECT oid FROM pg_database '
    'WHERE datname = current_database()) AND '
    'n.nspname = ANY (current_schemas(false)) LIMIT 5000'
)

# pg_locks lists the locks of a prepared transaction under the virtual
# transaction that its session had, or, after a restart of the server, under
# another one.
_POSTGRESQL_PREPARED = (
    'SELECT p.gid, p.owner, (SELECT l.virtualtransaction FROM pg_locks l '
    "WHERE l.locktype = 'transactionid' AND l.pid IS NULL AND "
    'l.transactionid = p.transaction LIMIT 1), '
    'EXTRACT(EPOCH FROM clock_timestamp() - p.prepared)::bigint '
    'FROM pg_prepared_xacts p WHERE p.database = current_database() '
    'ORDER BY p.gid LIMIT 5000'
)

_OWNERS = (
    'SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c '
    'JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE c.relkind IN ('r', 'p') AND c.relname = 'share_instances' "
    'AND n.nspname = ANY (current_schemas(false))'
)


class Lock(NamedTuple):
    """A lock that a session or a prepared transaction holds."""

    table: str
    """The name of the table; '' for a lock on the whole server."""

    mode: str
    """As the server calls it: 'AccessShareLock', 'MDL_SHARED_READ'."""


class Session(NamedTuple):
    """One session that is not of this run."""

    id: int
    account: str

    host: str
    """Without the port; '' if it is not shown, or for a local socket."""

    database: Optional[str]
    """Its current database; None if it has none."""

    program: str
    """Its application_name, on PostgreSQL; mostly ''."""

    state: Optional[str]
    """'Sleep', 'idle in transaction'; None if it is not shown."""

    seconds: Optional[int]
    """How long it has been in that state."""

    statement: str
    """The statement that it runs or, on PostgreSQL, ran last; '' for none. It
    is never reported: it may contain anything."""

    transaction_seconds: Optional[int] = None
    """How long its transaction has been open; None if none is seen."""

    locks: frozenset[Lock] = frozenset()
    """The locks that it is known to hold."""

    @property
    def runs(self) -> bool:
        """Whether it runs a statement at this moment."""
        return self.state in ('active', 'fastpath function call') or (
            self.state is not None
            and bool(self.statement)
            and self.state in ('Query', 'Execute')
        )


class Prepared(NamedTuple):
    """A prepared transaction (two-phase commit), which has no session."""

    name: str
    """Quoted for SQL on PostgreSQL; on MySQL its id in InnoDB."""

    account: str
    """Its owner; '' if the server does not show it."""

    seconds: Optional[int]
    locks: frozenset[Lock] = frozenset()

    here: bool = True
    """Whether it is known to belong to this database."""


class SessionsSeen(NamedTuple):
    """What a server shows at one moment."""

    account: str
    """The account of this run."""

    manilas: frozenset[str]
    """The accounts that manila is known to use."""

    sessions: tuple[Session, ...]
    """The other sessions, in this database or in none."""

    prepared: tuple[Prepared, ...]

    in_use: frozenset[str]
    """The tables that a statement or LOCK TABLES of any session uses."""

    transactions_shown: bool
    locks_shown: bool

    grantee: str
    """The account of this run, as a GRANT names it."""

    nodes: int = 1
    """How many servers the cluster has; only one of them was queried."""


def look(db: connection.Database) -> SessionsSeen:
    """Return who is connected, and what they hold, at this moment.

    :raises SourceUnusable: when the server cannot be queried.
    """
    if db.dialect == 'postgresql':
        return _of_postgresql(db)
    return _of_mysql(db)


def _asked(db: connection.Database, statement: str) -> Optional[Any]:
    """Return rows; None if the account may not read them."""
    try:
        return db.rows(statement, 'the sessions')
    except exceptions.StatementRefused:
        return None


def _text(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, bytes):
        return value.decode('utf-8', 'replace')
    return str(value)


def _number(value: Any) -> Optional[int]:
    return None if value is None else max(0, int(value))


# MySQL and MariaDB


def _of_mysql(db: connection.Database) -> SessionsSeen:
    transactions = _asked(db, _MYSQL_TRANSACTIONS)
    locks = _mysql_locks(db)
    used = _asked(db, _MYSQL_IN_USE) or ()
    rows = db.rows(_MYSQL_SESSIONS, 'the sessions')
    own = db.sessions | {int(row[8]) for row in rows}
    account = _text(rows[0][9]) if rows else ''
    here = _text(rows[0][10]) if rows else ''
    since = {
        int(thread): _number(seconds)
        for thread, seconds, _, _ in transactions or ()
        if thread
    }
    sessions = []
    for row in rows:
        number, state = int(row[0]), _text(row[4])
        database = None if row[3] is None else _text(row[3])
        if (
            number in own
            or database not in (None, '', here)
            # The sessions of manila's services have its database.
            or not (database or number in since)
            or state in ('Daemon', 'Binlog Dump', 'Binlog Dump GTID')
            or _text(row[1]) in ('system user', 'event_scheduler')
        ):
            continue
        sessions.append(
            Session(
                number,
                _text(row[1]),
                _text(row[2]).rpartition(':')[0] or _text(row[2]),
                database or None,
                '',
                state,
                _number(row[5]),
                _text(row[7]),
                since.get(number),
                frozenset((locks or {}).get(number, ())),
            )
        )
    return SessionsSeen(
        account,
        frozenset({account}),
        tuple(sessions),
        tuple(_xa(transactions or ())),
        frozenset(_text(row[1]) for row in used if _text(row[0]) == here),
        transactions is not None,
        locks is not None,
        _grantee(_text(rows[0][11])) if rows else '',
        _nodes(db),
    )


def _mysql_locks(
    db: connection.Database,
) -> Optional[dict[int, set[Lock]]]:
    """Return the locks of each session; None if the server hides them."""
    rows = _asked(db, _MARIADB_LOCKS)
    if rows is None:
        enabled = _asked(db, _INSTRUMENT)
        if not enabled or not enabled[0][0]:
            return None
        rows = _asked(db, _MYSQL_LOCKS)
        if rows is None:
            return None
    found: dict[int, set[Lock]] = {}
    for thread, mode, kind, table in rows:
        whole = not _text(kind).lower().startswith('table')
        if thread is None or (whole and not _stops_all(_text(mode))):
            continue
        name = '' if whole else _text(table)
        found.setdefault(int(thread), set()).add(Lock(name, _text(mode)))
    return found


def _grantee(account: str) -> str:
    name, _, host = account.rpartition('@')
    return '{}@{}'.format(
        *("'{}'".format(one.replace("'", "''")) for one in (name, host))
    )


# The locks of FLUSH TABLES WITH READ LOCK, LOCK INSTANCE FOR BACKUP and BACKUP
# STAGE. Every statement that writes takes a lock of another mode while it
# runs.
def _stops_all(mode: str) -> bool:
    return mode in ('SHARED', 'MDL_SHARED', 'EXCLUSIVE') or mode.startswith(
        ('MDL_BACKUP_FTWRL', 'MDL_BACKUP_WAIT', 'MDL_BACKUP_BLOCK')
    )


def _xa(transactions: Iterable[Any]) -> Iterator[Prepared]:
    """Yield the transactions of no session that have locked a table.

    Only XA RECOVER shows their names. It is left to the operator, so that
    manila-precheck sends nothing but SELECT and SHOW.
    """
    for thread, seconds, number, locked in transactions:
        # Transactions of the server itself have no id, or end at once.
        if not thread and number and locked:
            yield Prepared(_text(number), '', _number(seconds), here=False)


def _nodes(db: connection.Database) -> int:
    rows = _asked(db, "SHOW STATUS LIKE 'wsrep_cluster_size'")
    text = _text(rows[0][1]) if rows else ''
    return int(text) if text.isdecimal() else 1


# PostgreSQL


def _of_postgresql(db: connection.Database) -> SessionsSeen:
    locks: dict[Any, set[Lock]] = {}
    for pid, virtual, mode, table in db.rows(_POSTGRESQL_LOCKS, 'the locks'):
        locks.setdefault(virtual if pid is None else int(pid), set()).add(
            Lock(_text(table), _text(mode))
        )
    rows = db.rows(_POSTGRESQL_SESSIONS, 'the sessions')
    own = db.sessions | {int(row[8]) for row in rows}
    account = _text(rows[0][9]) if rows else ''
    sessions = tuple(
        Session(
            int(row[0]),
            _text(row[1]),
            _text(row[2]),
            _text(row[10]),
            _text(row[3]),
            None if _text(row[7]) == _HIDDEN else _text(row[4]),
            _number(row[5]),
            '' if _text(row[7]) == _HIDDEN else _text(row[7]),
            _number(row[6]),
            frozenset(locks.get(int(row[0]), ())),
        )
        for row in rows
        # A session without an account belongs to the server itself, such as
        # autovacuum, which gives way to other sessions.
        if int(row[0]) not in own and row[1] is not None
    )
    prepared = tuple(
        Prepared(
            connection.text_literal(_text(name)),
            _text(owner),
            _number(seconds),
            frozenset(locks.get(virtual, ())),
        )
        for name, owner, virtual, seconds in db.rows(
            _POSTGRESQL_PREPARED, 'the prepared transactions'
        )
    )
    return SessionsSeen(
        account,
        frozenset({account} | {_text(row[0]) for row in db.rows(_OWNERS)}),
        sessions,
        prepared,
        frozenset(),
        True,
        True,
        db.quoted(account),
    )
