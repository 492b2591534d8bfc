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
"""What makes a migration fail: the schema, and settings of the server."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import taken_names
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import read_only_server
from manila_precheck.checks.pending_migrations.sql import system_versioning
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import schema as schema_source
from manila_precheck.evidence.database import schema_diff

_RESTORE = model.advice(
    'Restore the backup that was made before the "manila-manage db sync" '
    'that failed.'
)
_SEE = model.advice('See schema-revision.')
_MISSING = model.advice(
    'Allow the account to read it; or find out who dropped it, and restore '
    'it from a backup. See schema-revision.'
)
_DIALECT = model.advice(
    'In [database] connection, replace mariadb+pymysql:// with '
    'mysql+pymysql://; keep the rest of the URL.'
)


def _to_innodb(
    db: connection.Database, tables: Sequence[str]
) -> list[model.Remediation]:
    return [
        model.sql('mysql', f'ALTER TABLE {db.quoted(table)} ENGINE = InnoDB;')
        for table in tables
    ]


def _to_collation(utf8: str) -> list[model.Remediation]:
    # ALTER TABLE ... CONVERT TO fails if a foreign key uses the column (1833).
    charset = utf8.partition('_')[0]
    return [
        model.advice(
            'With the services stopped, dump the database and load it into '
            'a new one with the collation that the migrations need; '
            f'characters that {charset} does not have are lost:'
        ),
        model.command(
            'mysqldump --single-transaction DATABASE | sed -E {} | '
            'mysql NEW_DATABASE',
            '/^CREATE TABLE/,/^\\) ENGINE/ { '
            f's/(CHARSET=|CHARACTER SET )[a-z0-9]+/\\1{charset}/; '
            f's/(COLLATE[= ])[a-z0-9_]+/\\1{utf8}/ }}',
        ),
    ]


def _of_option(
    severity: model.Severity, message: str, aspect: str
) -> model.Finding:
    return model.Finding(
        severity,
        model.Subject('option', 'database/connection'),
        message,
        [_DIALECT],
        aspect=aspect,
    )


def first_install() -> model.Finding:
    """Return that db sync of an empty database fails with this URL."""
    return _of_option(
        model.Severity.FAILURE,
        "[database] connection is a mariadb:// URL: manila's migrations do "
        'not recognize the server as MySQL, and "manila-manage db sync" of '
        'an empty database fails',
        'first-install',
    )


def no_writes(refusal: read_only_server.Refusal) -> model.Finding:
    """Return that nothing can be migrated on this server."""
    words = f'The server of [database] connection {refusal.reason}: '
    severity = model.Severity.FAILURE
    if refusal.passed:
        severity = model.Severity.INFO
        words += 'this account can still write, others cannot'
    else:
        words += (
            '"manila-manage db sync" fails, and so does every service that '
            'starts'
        )
    return model.Finding(
        severity,
        model.Subject('option', 'database/connection'),
        words,
        [
            model.advice(
                'Point connection at a writable server, or turn read-only '
                'mode off if this server should be the primary. If a proxy '
                'sends reads to a replica, or the check reads from a replica '
                'on purpose, waive this finding; its rows may be older.'
            )
        ],
        data={
            'setting': refusal.setting,
            'lag_seconds': refusal.lag_seconds,
        },
        aspect='read-only',
    )


class Stops(part.Part):
    """Failures of the pending migrations that do not depend on rows."""

    def findings(self, mariadb: bool) -> Iterator[model.Finding]:
        """Yield what fails.

        :param mariadb: whether manila's [database] connection is mariadb://.
        """
        db = self._ctx.database
        half = schema_diff.half_applied(
            self._ctx.catalog,
            list(self._pending),
            db.shape,
            self._ctx.schema,
            db.dialect,
        )
        begun = {one.revision for one in half}
        yield from self._half_applied(half)
        yield from self._lacking(begun)
        yield from taken_names.TakenNames(self._ctx, self._pending).findings(
            begun
        )
        if db.dialect != 'sqlite':
            yield from self._unlike()
        if db.dialect == 'mysql':
            if mariadb:
                yield from self._mariadb()
            yield from self._refused(mariadb)
            yield from self._versioned()

    def _unlike(self) -> Iterator[model.Finding]:
        """Yield the foreign keys between columns of unlike types."""
        for key in hazards.unlike(
            self._pending,
            self._ctx.database.shape,
            self._ctx.schema,
            self._ctx.catalog.tables(self._ctx.upgrade.target),
        ):
            what = f'{key.table}.{key.column}'
            theirs = f'{key.parent}.{key.theirs}'
            number = ''
            if self._ctx.database.dialect == 'mysql':
                number = ' (error 1005, errno 150)'
            yield wording.fails(
                key.revision,
                f'{what} is VARCHAR and refers to {theirs}, which is '
                f'not{number}',
                [
                    model.advice(
                        f'Change {theirs}, and the columns that refer to it, '
                        'back to VARCHAR(36).'
                    )
                ],
                f'type-{what}',
            )

    def _versioned(self) -> Iterator[model.Finding]:
        """Yield the tables that MariaDB does not alter: error 4119."""
        quoted = self._ctx.database.quoted
        found = hazards.versioned(self._pending, self._ctx.schema)
        if not found or system_versioning.may_alter(self._ctx.database):
            return
        for table, revision in found.items():
            yield wording.fails(
                revision,
                f'it changes table {table}, which is system-versioned (error '
                '4119)',
                [
                    model.advice(
                        'For the upgrade, let sessions alter such tables and '
                        'their history:'
                    ),
                    model.sql(
                        'mysql',
                        'SET GLOBAL system_versioning_alter_history = KEEP;',
                    ),
                    model.advice('Or end it, which deletes the history:'),
                    model.sql(
                        'mysql',
                        f'ALTER TABLE {quoted(table)} DROP SYSTEM VERSIONING;',
                    ),
                ],
                f'versioned-{table}',
            )

    def _half_applied(
        self, found: Iterable[schema_diff.Half]
    ) -> Iterator[model.Finding]:
        # PostgreSQL rolls back a migration that fails.
        on_postgresql = self._ctx.database.dialect == 'postgresql'
        for half in found:
            there = schema_diff.listed(
                half.present, self._ctx.options.max_listed
            )
            yield wording.fails(
                half.revision,
                f'{there} already exists',
                [_SEE if on_postgresql else _RESTORE],
                aspect='half-applied',
            )

    def _lacking(self, begun: set[str]) -> Iterator[model.Finding]:
        # manila does not support SQLite as its database server.
        if self._ctx.database.dialect == 'sqlite':
            return
        for one in hazards.lacking(
            self._pending, self._ctx.database.shape, self._ctx.schema
        ):
            if one.revision not in begun:
                yield wording.fails(
                    one.revision,
                    one.why,
                    [_MISSING],
                    f'without-{one.what}',
                )

    def _mariadb(self) -> Iterator[model.Finding]:
        name = hazards.NEEDS_MYSQL
        only = {name: self._pending[name]} if name in self._pending else {}
        if only and not list(hazards.undroppable(only, self._ctx.schema)):
            yield _of_option(
                model.Severity.FAILURE,
                f'"manila-manage db sync" fails at revision {name}: '
                '[database] connection is a mariadb:// URL, for which the '
                'migration does not drop a foreign key before the column '
                '(error 1553)',
                name,
            )
        tables = self._ctx.catalog.tables(self._ctx.upgrade.target)
        coarse = sorted(
            step.table
            for some in self._pending.values()
            for step in some
            if step.operation is steps.Operation.CREATE_TABLE
            and any(c.fsp for c in tables[step.table].columns)
        )
        if coarse:
            yield _of_option(
                model.Severity.WARNING,
                '[database] connection is a mariadb:// URL: times in the '
                f'new tables ({", ".join(coarse)}) are stored without '
                'fractional seconds',
                'precision',
            )

    def _refused(self, mariadb: bool) -> Iterator[model.Finding]:
        utf8 = schema_source.text_collation(self._ctx.database)
        seen = set()
        for key in hazards.refused(self._pending, self._ctx.schema, utf8):
            seen.add(key.why)
            what = f'{key.table}.{key.column}'
            if key.why == 'engine':
                why = (
                    f'{what} refers to {key.parent}, whose engine is '
                    f'{key.theirs} (error 1005, errno 150)'
                )
                todo = _to_innodb(self._ctx.database, [key.parent])
            elif key.why == 'partitions':
                why = (
                    f'{what} refers to {key.parent}, but {key.theirs} is '
                    'partitioned, and has no foreign keys (error 1005 or '
                    '1506)'
                )
                quoted = self._ctx.database.quoted(key.theirs)
                todo = [
                    model.sql(
                        'mysql', f'ALTER TABLE {quoted} REMOVE PARTITIONING;'
                    )
                ]
            else:
                why = (
                    f'{what} gets the collation {key.mine} and refers to '
                    f'{key.parent}, which has {key.theirs} (error 1005, '
                    'errno 150)'
                )
                todo = _to_collation(utf8)
            yield wording.fails(key.revision, why, todo, what)
        if not mariadb:
            for gone in hazards.undroppable(self._pending, self._ctx.schema):
                yield wording.fails(
                    gone.revision,
                    f'it drops the foreign key {gone.name} of {gone.table}, '
                    'which does not exist (error 1091)',
                    [model.advice('Create it again.')],
                    gone.name,
                )
        yield from self._odd(utf8, seen)

    def _odd(self, utf8: str, seen: set[str]) -> Iterator[model.Finding]:
        """Yield what makes no pending migration fail, but a later one."""
        known = self._known - {connection.VERSION_TABLE}
        limit = self._ctx.options.max_listed
        engines = hazards.odd_engines(self._ctx.schema, known)
        if engines and 'engine' not in seen:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('database', 'engine'),
                f'{wording.count(len(engines), "table")} not in InnoDB: '
                f'{schema_diff.listed(engines, limit)}; a later migration '
                'that refers to one fails, and its foreign keys are not '
                'enforced',
                _to_innodb(self._ctx.database, engines[:limit]),
                data={'tables': len(engines)},
                aspect='other',
            )
        odd = hazards.odd_collations(self._ctx.schema, known, utf8)
        if odd and 'collation' not in seen:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('database', 'collation'),
                f'{wording.count(len(odd), "table")} not in {utf8}, which '
                f'new tables get: {schema_diff.listed(odd, limit)}; a later '
                'migration that refers to one fails',
                _to_collation(utf8),
                data={'tables': len(odd), 'collation': utf8},
                aspect='other',
            )
