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
"""The check ``database-sessions``."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import re
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.database_sessions import needs as lock_needs
from manila_precheck.checks.database_sessions import sql
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import pending as migrations
from manila_precheck.evidence.database import schema_diff

Severity = model.Severity

#: The time between two looks: a session that ends in it blocks nothing.
_LOOK_SECONDS = 1.2

#: The age from which an open transaction is reported while services run.
_LONG_SECONDS = 60

# The names in a statement.
_WORDS = re.compile(r'[A-Za-z0-9_]+')

_KINDS = (
    ('a backup', re.compile(r'/\*!40001 SQL_NO_CACHE \*/|^\s*(BACKUP|FLUSH)')),
    ('a backup', re.compile(r'^\s*COPY\b.*\bTO\b', re.IGNORECASE)),
    ('a deletion, such as a purge', re.compile(r'^\s*DELETE', re.I)),
    ('a change of the schema', re.compile(r'^\s*(ALTER|CREATE|DROP)', re.I)),
    ('a change of rows', re.compile(r'^\s*(UPDATE|INSERT|REPLACE)', re.I)),
)


class DatabaseSessions(check.Check):
    """Another client is connected to the database, or locks its tables.

    A migration that changes a table waits for every transaction that has used
    the table, even if the transaction only read it and is idle now.
    ``manila-manage db sync`` waits without a message ("Waiting for table
    metadata lock" in the process list). If it is killed meanwhile, MySQL and
    MariaDB leave the migration half applied, and the next run fails (error
    1060, Duplicate column).

    The check reads the sessions, open transactions and locks that the server
    shows: ``processlist``, ``innodb_trx``, ``metadata_lock_info`` or
    ``performance_schema.metadata_locks`` and ``SHOW OPEN TABLES`` on MySQL and
    MariaDB; ``pg_stat_activity``, ``pg_locks`` and ``pg_prepared_xacts`` on
    PostgreSQL. It looks twice, a second apart, and ignores the sessions of its
    own run, and whatever is gone at the second look. The catalog lists what
    each pending migration changes, as found by running it. Each migration also
    updates the row of ``alembic_version``.

    MySQL and MariaDB show an account without the PROCESS privilege only its
    own sessions, and no transactions. Without metadata_lock_info and
    performance_schema, they do not show which tables a transaction has used.
    The check then assumes that an open transaction in manila's database has
    used a table that changes.

    At stopped: FAILURE for a transaction, a lock or a statement on a table
    that a pending migration changes, including that of a backup that is still
    running; WARNING for any other session of manila's account (manila-api has
    no row in ``services``, so ``live-services`` cannot see it), and for an XA
    transaction on the server, which may belong to another database; INFO for
    idle sessions of other accounts. At plan: INFO for a transaction that has
    been open for a minute or more; the sessions of the services are normal
    then. At both: INFO for what the server does not show to the account.

    Known false positives: on MySQL and MariaDB, another manila-precheck that
    runs with the same account at the same time.

    Not covered: the sessions on other nodes of a Galera cluster.
    """

    id = 'database-sessions'
    title = 'Sessions of the database'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    drains = frozenset({model.Stage.STOPPED})
    requires = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield who holds what a migration needs, and who is connected."""
        if ctx.database.dialect == 'sqlite':
            raise exceptions.SourceNotApplicable('SQLite has no sessions')
        if ctx.database.is_dump:
            raise exceptions.SourceNotApplicable('a dump has no sessions')
        seen = sql.look(ctx.database)
        if ctx.stage is model.Stage.STOPPED and (
            seen.sessions or seen.prepared or seen.in_use
        ):
            ctx.interrupted.wait(_LOOK_SECONDS)
            seen = _still(seen, sql.look(ctx.database))
        yield from _Judge(ctx, seen).findings()

    def goes_away(self, finding: model.Finding) -> bool:
        """Say whether a finding is about a session, which can end."""
        return (
            finding.severity >= Severity.WARNING
            and finding.subject.kind != 'transaction'
        )


def _still(
    before: sql.SessionsSeen, now: sql.SessionsSeen
) -> sql.SessionsSeen:
    """Return the sessions, locks and transactions seen at both looks."""
    then = {one.id: one for one in before.sessions}
    sessions = []
    for one in now.sessions:
        first = then.get(one.id)
        if first is None:
            continue
        lasts = one.transaction_seconds or 0
        # The data of INNODB_TRX may be up to a tenth of a second old.
        goes_on = (
            lasts > 1
            or (lasts > 0 and not one.runs)
            or lasts > (first.transaction_seconds or lasts)
        )
        sessions.append(
            one._replace(
                transaction_seconds=(
                    one.transaction_seconds if goes_on else None
                ),
                locks=one.locks & first.locks,
                statement=(
                    one.statement if one.statement == first.statement else ''
                ),
            )
        )
    names = {one.name for one in before.prepared}
    return now._replace(
        sessions=tuple(sessions),
        prepared=tuple(one for one in now.prepared if one.name in names),
        in_use=now.in_use & before.in_use,
    )


class _Judge:
    """The findings about the sessions at one stage."""

    def __init__(self, ctx: context.Context, seen: sql.SessionsSeen) -> None:
        self._ctx = ctx
        self._seen = seen
        self._stopped = ctx.stage is model.Stage.STOPPED
        self._dialect = ctx.database.dialect
        self._limit = ctx.options.max_listed
        self._needs = lock_needs.Needs(_pending(ctx), ctx.database, ctx.schema)
        self._tables = self._needs.tables
        self._keys: dict[tuple[str, str], int] = {}

    def findings(self) -> Iterator[model.Finding]:
        """Yield what blocks a migration, and who else is connected."""
        rest = []
        explained: set[str] = set()
        for one in self._seen.sessions:
            finding = self._holding(one, explained)
            if finding is not None:
                yield finding
            else:
                rest.append(one)
        for prepared in self._seen.prepared:
            yield from self._prepared(prepared)
        if self._stopped:
            for table in sorted(self._seen.in_use - explained):
                yield from self._in_use(table)
            yield from self._connected(rest)
            yield from self._others(rest)
        yield from self._not_shown(rest)

    # What blocks a migration

    def _holding(
        self, one: sql.Session, explained: set[str]
    ) -> Optional[model.Finding]:
        """Return that a session blocks a migration; None if it does not."""
        if not self._needs.needs:
            return None
        known = self._needs.first(one.locks)
        named = set(_WORDS.findall(one.statement)) & set(self._tables)
        severity = Severity.FAILURE
        if known is not None:
            locked = sorted({lock.table for lock in one.locks if lock.table})
            relevant = [
                name
                for name in locked
                if name in self._tables or name == known.table
            ]
            explained.update(relevant)
            why = (
                f'holds {schema_diff.listed(relevant, self._limit)}'
                if relevant
                else 'holds a lock on all tables'
            )
            ends = f'waits for it at revision {known.revision}'
            if known.table:
                ends += f', which changes {known.table} or refers to it'
        elif self._seen.locks_shown or not self._tables:
            return None
        elif one.runs and named:
            explained.update(named)
            why = f'uses {schema_diff.listed(sorted(named), self._limit)}'
            ends = 'waits for it'
        elif one.transaction_seconds is not None:
            if one.database is None and not self._is_manilas(one):
                severity = Severity.WARNING
            why = 'may have used a table that a pending migration changes'
            ends = (
                'waits for it if it has used one of '
                f'{schema_diff.listed(self._tables, self._limit)}'
            )
        else:
            return None
        if not self._stopped:
            if (one.transaction_seconds or 0) < _LONG_SECONDS:
                return None
            severity = Severity.INFO
        return model.Finding(
            severity,
            model.Subject('session', _name(one)),
            f'{self._words(one)} {why}: "manila-manage db sync" {ends}'
            + self._half(),
            self._end(one),
            data={
                'id': one.id,
                'account': one.account,
                'host': one.host,
                'program': one.program,
                'state': one.state,
                'seconds': one.seconds,
                'transaction_seconds': one.transaction_seconds,
                'tables': ' '.join(
                    sorted({lock.table for lock in one.locks if lock.table})
                ),
            },
            aspect=self._aspect(_name(one), 'holds'),
        )

    def _words(self, one: sql.Session) -> str:
        words = f'session {one.id} of {_name(one)}'
        if one.program:
            words += f' ({one.program})'
        if one.transaction_seconds is not None:
            words += (
                ', whose transaction has been open for '
                f'{one.transaction_seconds} seconds,'
            )
        if one.runs:
            kind = next(
                (kind for kind, text in _KINDS if text.search(one.statement)),
                'a statement',
            )
            words += f' runs {kind} and'
        return words

    def _half(self) -> str:
        if self._dialect != 'mysql':
            return ''
        return (
            ' ("Waiting for table metadata lock"); if db sync is ended '
            'meanwhile, its migration is half applied'
        )

    def _end(self, one: sql.Session) -> list[model.Remediation]:
        when = (
            'Find out what the session does; then let it finish, or end it'
            if self._stopped
            else 'Make sure that it ends before db sync'
        )
        statement = (
            f'KILL {one.id:d}'
            if self._dialect == 'mysql'
            else f'SELECT pg_terminate_backend({one.id:d})'
        )
        return [
            model.advice(f'{when}:'),
            model.sql(self._dialect, statement),
        ]

    def _aspect(self, name: str, what: str) -> str:
        number = self._keys.get((name, what), 0) + 1
        self._keys[name, what] = number
        return what if number == 1 else f'{what}-{number}'

    def _prepared(self, one: sql.Prepared) -> Iterator[model.Finding]:
        """Yield that a prepared transaction blocks a migration."""
        if not self._needs.needs:
            return
        known = self._needs.first(one.locks)
        if known is None and (one.here or not self._tables):
            return
        whose = f' of {one.account}' if one.account else ''
        since = '' if one.seconds is None else f' for {one.seconds} seconds'
        words = (
            f'the transaction {one.name}{whose} is prepared{since} and no '
            'session holds it: '
        )
        if known is not None:
            words += (
                f'it has used {known.table}, and "manila-manage db sync" '
                f'waits for it at revision {known.revision}'
            )
            severity = Severity.FAILURE
        else:
            words += (
                'the server does not say of which database it is; if it has '
                'used one of '
                f'{schema_diff.listed(self._tables, self._limit)}, '
                f'"manila-manage db sync" waits for it{self._half()}'
            )
            severity = Severity.WARNING
        todo = [
            model.advice(
                'Ask whoever prepared it whether to commit it or to roll it '
                'back:'
            )
        ]
        if one.here:
            todo += [
                model.sql(self._dialect, f'{order} PREPARED {one.name}')
                for order in ('COMMIT', 'ROLLBACK')
            ]
        else:
            todo += [
                model.sql(self._dialect, 'XA RECOVER'),
                model.advice('Then XA COMMIT or XA ROLLBACK, with its name.'),
            ]
        yield model.Finding(
            severity if self._stopped else Severity.INFO,
            model.Subject('transaction', one.name),
            words,
            todo,
            data={'seconds': one.seconds},
        )

    def _in_use(self, table: str) -> Iterator[model.Finding]:
        """Yield that a table is in use by a session that is not known."""
        if table not in {need.table for need in self._needs.needs}:
            return
        yield model.Finding(
            Severity.FAILURE,
            model.Subject('table', table),
            f'{table} is in use, by LOCK TABLES or a statement: '
            f'"manila-manage db sync" waits until it is not{self._half()}',
            [
                model.advice('Find the session, and let it finish or end it:'),
                model.sql('mysql', 'SHOW FULL PROCESSLIST'),
            ],
            aspect='in-use',
        )

    # Who else is connected

    def _is_manilas(self, one: sql.Session) -> bool:
        return one.account in self._seen.manilas

    def _connected(
        self, rest: Sequence[sql.Session]
    ) -> Iterator[model.Finding]:
        """Yield the hosts from which manila's account is connected."""
        hosts: dict[str, list[sql.Session]] = {}
        for one in rest:
            if (
                self._is_manilas(one)
                and one.database is not None
                and one.program != connection.PROGRAM
            ):
                hosts.setdefault(_name(one), []).append(one)
        for name in sorted(hosts):
            some = hosts[name]
            number = len(some)
            several = number > 1
            times = [one.seconds for one in some if one.seconds is not None]
            words = (
                f'{number} session{"s" if several else ""} of {name}, the '
                f'account of manila, {"are" if several else "is"} open'
            )
            if times:
                low, high = min(times), max(times)
                words += (
                    f', idle for {low} seconds'
                    if low == high
                    else f', idle for {low} to {high} seconds'
                )
            words += (
                ': a service still runs there, such as manila-api, which '
                'has no row in services, or a tool; it reads and writes while '
                'the schema changes'
            )
            if not self._seen.transactions_shown and self._tables:
                words += (
                    '. Whether one has a transaction open is not shown to '
                    'this account: if so, and it has used one of '
                    f'{schema_diff.listed(self._tables, self._limit)}, '
                    f'"manila-manage db sync" waits for it{self._half()}'
                )
            yield model.Finding(
                Severity.WARNING,
                model.Subject('session', name),
                words,
                [
                    model.advice(
                        'Stop what is connected: manila-api and the web '
                        'server that runs it, manila-manage, a script. '
                        'What is left can be ended:'
                    ),
                    *(
                        self._end(one)[1]
                        for one in some[: max(1, self._limit)]
                    ),
                ],
                data={
                    'sessions': number,
                    'seconds': min(times) if times else None,
                },
                aspect='connected',
            )

    def _others(self, rest: Sequence[sql.Session]) -> Iterator[model.Finding]:
        """Yield which other accounts are connected."""
        found = [
            one
            for one in rest
            if one.database is not None and not self._is_manilas(one)
        ]
        if not found:
            return
        names = sorted({_name(one) for one in found})
        yield model.Finding(
            Severity.INFO,
            model.Subject('database', 'sessions'),
            f'{len(found)} session{"" if len(found) == 1 else "s"} of other '
            f'accounts: {schema_diff.listed(names, self._limit)}; none is '
            'seen to hold a table that a pending migration changes',
            data={'sessions': len(found)},
            aspect='others',
        )

    # What the account cannot see

    def _not_shown(
        self, rest: Sequence[sql.Session]
    ) -> Iterator[model.Finding]:
        """Yield what the account cannot see, and how to let it see that."""
        seen = self._seen
        if self._dialect == 'mysql' and not seen.transactions_shown:
            yield model.Finding(
                Severity.INFO,
                model.Subject('database', 'sessions'),
                f'{seen.account}, the account of [database] connection, has '
                'no PROCESS privilege: the sessions of other accounts and the '
                'open transactions of all were not looked at, and one of '
                'them may hold up "manila-manage db sync"',
                [
                    model.advice('Grant it for the time of the upgrade:'),
                    model.sql(
                        'mysql', f'GRANT PROCESS ON *.* TO {seen.grantee}'
                    ),
                ],
                aspect='not-shown',
            )
        hidden = [one for one in rest if one.state is None]
        if self._dialect == 'postgresql' and hidden and self._stopped:
            yield model.Finding(
                Severity.INFO,
                model.Subject('database', 'sessions'),
                f'{seen.account}, the account of [database] connection, is '
                f'not shown what {len(hidden)} '
                f'session{"" if len(hidden) == 1 else "s"} of other accounts '
                'do, and from where; the locks of all were looked at',
                [
                    model.advice('Grant it for the time of the upgrade:'),
                    model.sql(
                        'postgresql',
                        f'GRANT pg_read_all_stats TO {seen.grantee}',
                    ),
                ],
                aspect='not-shown',
            )
        if seen.nodes > 1:
            yield model.Finding(
                Severity.INFO,
                model.Subject('database', 'sessions'),
                f'the server is one of {seen.nodes} nodes of a cluster: the '
                'sessions on the others were not looked at',
                [
                    model.advice('On each of the other nodes:'),
                    model.sql('mysql', 'SHOW FULL PROCESSLIST'),
                ],
                data={'nodes': seen.nodes},
                aspect='nodes',
            )


def _name(one: sql.Session) -> str:
    return f'{one.account}@{one.host or "localhost"}'


def _pending(ctx: context.Context) -> migrations.Steps:
    """Return the pending steps; none if the database cannot be migrated."""
    mariadb = database_url.dialect_of_manila(ctx.conf) == 'mariadb'
    try:
        return migrations.pending(
            ctx.catalog, ctx.upgrade.target, ctx.database, mariadb
        )
    except exceptions.SourceNotApplicable:
        # schema-revision reports why.
        return {}
