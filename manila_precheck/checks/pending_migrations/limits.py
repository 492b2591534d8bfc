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
"""The settings of the server and the account that stop a migration.

Tried with db sync on MariaDB 10.11 and PostgreSQL 15: manila 16.3.0 to 18.3.0,
20.0.3 to 22.0.2 and 22.0.2 to 23.0.1. And the settings that keep the services
from connecting: with manila 23.0.1, manila-scheduler, manila-data and two back
ends of manila-share keep one connection each; with CONNECTION LIMIT 4 all of
them report, with CONNECTION LIMIT 3 one back end never does.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import limits
from manila_precheck.evidence.database import grants
from manila_precheck.evidence.database import services

# No server creates a table in this time.
_NEVER_SECONDS = 0.001

# A statement may take this time if the server is busy, and so may manila
# between two statements of a migration.
_STATEMENT_SECONDS = 0.1
_IDLE_SECONDS = 1.0

# A migration on PostgreSQL takes this time; all of them are one transaction.
_MIGRATION_SECONDS = 1.0

# A foreign key may be part of the statement that creates the table, and no row
# may have to be written.
_NO_STATEMENT = (
    steps.Operation.ADD_FOREIGN_KEY,
    steps.Operation.WRITE_ROWS,
)

# One connection of a process of manila-api, and one of manila-manage.
_NOT_IN_SERVICES = 2

_IN_PLACE = ('INSTANT', 'NOCOPY', 'INPLACE')


class _Limit(NamedTuple):
    """A time limit that the sessions of manila have."""

    setting: str
    seconds: float
    todo: Sequence[model.Remediation]


class Limits(part.Part):
    """What the server does not let a migration do, or not for so long."""

    def findings(
        self, rebuilds: Sequence[model.Finding]
    ) -> Iterator[model.Finding]:
        """Yield the settings that stop a migration.

        :param rebuilds: the findings of the tables that MySQL rebuilds.
        """
        if not self._pending:
            return
        if self._ctx.database.dialect == 'postgresql':
            yield from self._postgresql()
        else:
            yield from self._mysql(rebuilds)

    def _postgresql(self) -> Iterator[model.Finding]:
        db = self._ctx.database
        account = limits.session(db)
        needed = {
            'statement_timeout': _STATEMENT_SECONDS,
            'idle_in_transaction_session_timeout': _IDLE_SECONDS,
            'transaction_timeout': _MIGRATION_SECONDS * len(self._pending),
        }
        for name, milliseconds in sorted(limits.variables(db).items()):
            limit = _Limit(
                name,
                int(milliseconds) / 1000,
                [
                    model.advice('For the upgrade, set no limit:'),
                    model.sql(
                        'postgresql',
                        f'ALTER ROLE {db.quoted(account.role)} IN DATABASE '
                        f'{db.quoted(account.database)} SET {name} = 0;',
                    ),
                ],
            )
            if 0 < limit.seconds < needed[name]:
                first = next(iter(self._pending))
                yield self._too_short(limit, first, needed[name], '')

        yield from self._connections(
            account.role,
            self._limited(),
            {
                'rolconnlimit': f'ALTER ROLE {db.quoted(account.role)} WITH '
                'CONNECTION LIMIT',
                'datconnlimit': f'ALTER DATABASE {db.quoted(account.database)}'
                ' WITH CONNECTION LIMIT',
            },
        )

    def _limited(self) -> Mapping[str, int]:
        db = self._ctx.database
        return limits.connections(db) if db.has_table('services') else {}

    def _connections(
        self,
        account: str,
        limited: Mapping[str, int],
        statements: Mapping[str, str],
    ) -> Iterator[model.Finding]:
        """Yield the limits that leave a service without a connection.

        :param limited: how many connections each limit allows.
        :param statements: what raises each limit, up to the number.
        """
        if not limited:
            return
        db = self._ctx.database
        number = len({(one.binary, one.host) for one in services.select(db)})
        needed = number + _NOT_IN_SERVICES
        for name, most in sorted(limited.items()):
            if most < needed:
                yield model.Finding(
                    model.Severity.WARNING,
                    model.Subject('database', name),
                    f'{name} is {most} for {account}, the account of '
                    f'[database] connection, and manila needs {needed} '
                    'connections or more: one for each of '
                    f'{wording.count(number, "row", "")} of services, one for '
                    'each process of manila-api, and one for manila-manage. '
                    'A service that gets none never reports',
                    [
                        model.advice(
                            'Allow as many as there are processes, and some '
                            'for requests that run at the same time:'
                        ),
                        model.sql(
                            db.dialect, f'{statements[name]} {2 * needed};'
                        ),
                    ],
                    data={'limit': most, 'needed': needed},
                )

    def _mysql(
        self, rebuilds: Sequence[model.Finding]
    ) -> Iterator[model.Finding]:
        account = grants.read(self._ctx.database)
        if not account.rights.writes:
            return
        variables = limits.variables(self._ctx.database)
        yield from self._time(account, variables, rebuilds)
        yield from self._updates(account)
        limited = self._limited()
        name = 'max_user_connections'
        raises = f'ALTER USER {account.name} WITH MAX_USER_CONNECTIONS'
        # Without a limit of the account, that of the server applies.
        if (
            limited.get(name) == int(variables.get(name, 0))
            and name.upper() not in account.limits
        ):
            raises = f'SET GLOBAL {name} ='
        yield from self._connections(account.name, limited, {name: raises})
        algorithm = variables.get('alter_algorithm', '')
        if algorithm in _IN_PLACE:
            step = hazards.not_in_place(self._pending)
            if step is not None:
                yield wording.fails(
                    step.revision,
                    f'alter_algorithm is {algorithm}, but {step.table} '
                    f'{step.why}, for which the server copies the table '
                    '(error 1846)',
                    [
                        model.advice('For the upgrade:'),
                        model.sql(
                            'mysql', 'SET GLOBAL alter_algorithm = DEFAULT;'
                        ),
                    ],
                    aspect='',
                    subject=model.Subject('database', 'alter_algorithm'),
                )
        engine = variables.get('enforce_storage_engine', '')
        made = self._made()
        if engine and engine.lower() != 'innodb' and made:
            revision, table = made
            yield wording.fails(
                revision,
                f'enforce_storage_engine is {engine}, but it creates table '
                f'{table} in InnoDB (error 1290)',
                [
                    model.advice('For the upgrade:'),
                    model.sql(
                        'mysql', 'SET GLOBAL enforce_storage_engine = NULL;'
                    ),
                ],
                aspect='',
                subject=model.Subject('database', 'enforce_storage_engine'),
            )

    def _time(
        self,
        account: grants.Grantee,
        variables: Mapping[str, str],
        rebuilds: Sequence[model.Finding],
    ) -> Iterator[model.Finding]:
        """Yield the limit of a statement; that of the account comes first."""
        own = account.limits.get('MAX_STATEMENT_TIME', 0.0)
        limit = _Limit(
            'MAX_STATEMENT_TIME' if own else 'max_statement_time',
            own or float(variables.get('max_statement_time', 0)),
            [
                model.advice('For the upgrade, set no limit:'),
                model.sql(
                    'mysql',
                    f'ALTER USER {account.name} WITH MAX_STATEMENT_TIME 0;'
                    if own
                    else 'SET GLOBAL max_statement_time = 0;',
                ),
            ],
        )
        if not limit.seconds:
            return
        for one in rebuilds:
            low, high = (
                float(one.data[key] or 0)
                for key in ('seconds_min', 'seconds_max')
            )
            if limit.seconds < high:
                yield self._too_short(
                    limit,
                    str(one.data['revision']),
                    high,
                    one.subject.name,
                    low,
                )
                return
        if limit.seconds < _STATEMENT_SECONDS:
            first = next(iter(self._pending))
            yield self._too_short(limit, first, _STATEMENT_SECONDS, '')

    def _too_short(
        self,
        limit: _Limit,
        revision: str,
        high: float,
        table: str,
        low: float = _NEVER_SECONDS,
    ) -> model.Finding:
        """Return that a limit ends a migration, or may end it.

        :param high: the seconds that are certainly enough.
        :param table: the table that is rebuilt; '' for any statement.
        :param low: the seconds that are certainly not enough.
        """
        certain = limit.seconds <= max(low, _NEVER_SECONDS)
        may = 'fails' if certain else 'may fail'
        takes = f'up to {high:g} s'
        if table:
            takes = f'{low:g} to {high:g} s, in which it rebuilds {table}'
        elif certain:
            takes = 'longer'
        return model.Finding(
            model.Severity.FAILURE if certain else model.Severity.WARNING,
            model.Subject('database', limit.setting),
            f'"manila-manage db sync" {may} at revision {revision}: '
            f'{limit.setting} is {limit.seconds:g} s for the account of '
            f'[database] connection, and the migration takes {takes}',
            limit.todo,
            data={'seconds': limit.seconds},
        )

    def _updates(self, account: grants.Grantee) -> Iterator[model.Finding]:
        """Yield the number of statements an hour, if it is too small."""
        most = account.limits.get('MAX_UPDATES_PER_HOUR', 0.0)
        sent = 0
        for revision, some in self._pending.items():
            # MySQL counts statements, and alembic records the revision.
            sent += 1 + sum(
                step.operation not in _NO_STATEMENT for step in some
            )
            if 0 < most < sent:
                yield wording.fails(
                    revision,
                    f'MAX_UPDATES_PER_HOUR is {most:g} for '
                    f'{account.name}, the account of [database] connection '
                    '(error 1226)',
                    [
                        model.sql(
                            'mysql',
                            f'ALTER USER {account.name} WITH '
                            'MAX_UPDATES_PER_HOUR 0;',
                        )
                    ],
                    aspect='',
                    subject=model.Subject('database', 'MAX_UPDATES_PER_HOUR'),
                )
                return
