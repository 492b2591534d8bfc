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

"""Scenarios that break the database, each on a copy of its own.

The copy is a restore of the backup that was made while the services were down.
It is broken, and then checked at the stage of the operator: stopped. What
really happens is shown by ``manila-manage db sync`` of the target.
"""

import contextlib
import dataclasses
import re
from typing import Callable
from typing import Optional

from qa.upgrade import observe
from qa.upgrade import processes
from qa.upgrade import score

Level = score.Level
Observed = score.Observed

_TABLES = (
    'SELECT table_name FROM information_schema.tables WHERE '
    "table_schema = '{}'"
)

# Time columns without fractions of a second, in tables that are new.
_COARSE = (
    "SELECT CONCAT(table_name, '.', column_name) FROM "
    "information_schema.columns WHERE table_schema = '{}' AND data_type IN "
    "('datetime', 'timestamp without time zone') AND datetime_precision = 0 "
    'AND table_name NOT IN ({})'
)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One way to break a database."""

    name: str
    #: ((severity, pattern of keys), ...).
    expects: tuple
    #: Breaks the database; called with the copy.
    breaks: Callable = lambda copy: None
    #: What another session does meanwhile; called with the copy, returns a
    #: context manager.
    beside: Callable = lambda copy: contextlib.nullcontext()
    when: Optional[Callable] = None
    #: The only server on which it occurs: 'mysql', 'postgresql'.
    server: Optional[str] = None
    charset: Optional[str] = None
    #: How the URL begins, when it is wrong.
    dialect: Optional[str] = None
    #: The account in the URL.
    account: str = 'manila'
    #: Migrates the database; called with the copy, returns what was observed.
    looks: Callable = lambda copy: copy.sync()
    #: Applies the remedies; called with the copy and the report, returns how.
    mends: Optional[Callable] = None
    #: The findings that remain after the remedies.
    stays: tuple = ()


class Copy:
    """A copy of the source's database, and files that name it."""

    def __init__(self, run, dump, number, scenario):
        self.run = run
        self.dump = dump
        self.database = run.database
        self.scenario = scenario
        #: The report of the command about it.
        self.said = None
        how = {'charset': scenario.charset} if scenario.charset else {}
        self.name = run.database.restore(dump, **how)
        self.site = run.staged.copy(run.scratch / f'rows-{number}')
        self.point(self.name, scenario.dialect)

    def point(self, name, dialect=None):
        """Make the files name a database."""
        text = self.site.read('manila.conf')
        lines = [
            'connection = '
            + self.database.url(name, dialect, self.scenario.account)
            if line.startswith('connection = ')
            else line
            for line in text.splitlines()
        ]
        self.site.write('manila.conf', '\n'.join(lines) + '\n')
        self.name = name

    def sql(self, statement):
        """Run a statement as the administrator."""
        return self.database.run(statement, self.name)

    def first(self, table, where):
        """Return the lowest id of the rows that match a condition."""
        return self.sql(f'SELECT MIN(id) FROM {table} WHERE {where}')[0][0]

    def _asked(self, name, statement, *words):
        """Return the answer of information_schema about a database."""
        schema = self.database.schema(name)
        rows = self.database.run(statement.format(schema, *words), name)
        return {row[0] for row in rows}

    def tables(self):
        """Return the names of the tables."""
        return sorted(self._asked(self.name, _TABLES))

    def restore(self):
        """Restore the backup into a new database, and use that one."""
        self.point(self.database.restore(self.dump))

    def sync(self):
        """Migrate the database to the target; return what was observed."""
        before = self.tables()
        done = self.run.target.plane(self.site).manage('db', 'sync')
        if done.returncode:
            return Observed(
                Level.BROKEN,
                f'db sync gives {done.returncode}: '
                + observe.why(done.stderr + done.stdout),
            )
        listed = ', '.join(f"'{name}'" for name in before)
        # Some of them come from the migrations themselves, so compare with
        # the clean database.
        coarse, clean = (
            self._asked(name, _COARSE, listed)
            for name in (self.name, self.run.name)
        )
        if coarse - clean:
            return Observed(
                Level.CHANGED,
                f'db sync passes, {len(coarse - clean)} columns of new tables '
                'keep no fractions of a second',
            )
        return Observed(Level.NOTHING, 'db sync passes')


def _crosses(*releases):
    return lambda path: any(
        path.source.major < release <= path.target.major
        for release in releases
    )


def _migrated_unrecorded(copy):
    """Leave the database as a db sync that is killed before its last step."""
    head = copy.sql('SELECT version_num FROM alembic_version')[0][0]
    copy.run.target.plane(copy.site).manage('db', 'sync')
    copy.sql(f"UPDATE alembic_version SET version_num = '{head}'")


# The other sessions of the database.
_OTHERS = (
    'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND '
    'pid <> pg_backend_pid()'
)


def _killed_sync(copy):
    """Kill a db sync after its first migration, before that is recorded."""
    with contextlib.closing(copy.database.connect(copy.name)) as holder:
        holder.autocommit = False
        # The lock allows reading the revision, but not writing it.
        holder.cursor().execute('LOCK TABLE alembic_version IN SHARE MODE')
        process = copy.run.target.plane(copy.site).begin('db', 'sync')
        waits = processes.wait_for(
            lambda: (
                process.code is not None
                or copy.sql(copy.database.waiting_sessions)
            ),
            observe.PATIENCE_SECONDS,
        )
        killed = waits and process.code is None
        process.kill()
    gone = processes.wait_for(
        lambda: not copy.sql(_OTHERS), observe.PATIENCE_SECONDS
    )
    if not killed or not gone:
        raise processes.Broken(f'no db sync was killed: {process.output()}')


def _stamped_back(copy):
    """Migrate the database, then stamp it with its old revision."""
    services = copy.run.target.plane(copy.site)
    head = copy.sql('SELECT version_num FROM alembic_version')[0][0]
    for words in (('sync',), ('stamp', head)):
        done = services.manage('db', *words)
        if done.returncode:
            raise processes.Broken(f'db {words[0]}: {done.stderr}')


def _without_keys(copy):
    """Restore a backup that was cut off: it has the tables, but no key."""
    text = copy.dump.read_text(encoding='utf-8')
    # pg_dump writes the keys last, just before what refers to them.
    end = re.search(r'^--\n-- Name: .*; Type: CONSTRAINT;', text, re.MULTILINE)
    path = copy.site.path('cut.sql')
    path.write_text(text[: end.start()], encoding='utf-8')
    copy.point(copy.database.restore(path))
    path.unlink()


def _of_another(copy):
    """Leave the owners and grants of a restore by another account."""
    for (table,) in copy.sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ):
        copy.sql(f'ALTER TABLE {table} OWNER TO postgres')
    for what in ('TABLES', 'SEQUENCES'):
        copy.sql(f'GRANT ALL ON ALL {what} IN SCHEMA public TO manila')


def _typed_sql(copy, report):
    """Run the statements that are printed for psql, as the administrator."""
    names = ('PGHOST', 'PGPORT', 'PGUSER')
    env = ' '.join(f'{name}={copy.database.env[name]}' for name in names)
    command = _command(report).replace('DATABASE', copy.name)
    typist = copy.run.typist(copy.site, copy.run.path.source)
    typist.type(f'export {env}; {command}')
    return 'as printed'


_LIMITED = 'limited'


def _may_not_create(copy):
    copy.database.make_account(
        _LIMITED, 'SELECT, INSERT, UPDATE, DELETE, ALTER, INDEX, DROP'
    )


def _granted(copy, report):
    return _typed_by_root(copy, _command(report))


_READ_ONLY = 'default_transaction_read_only'


def _read_only(copy):
    copy.database.set(copy.name, _READ_ONLY, 'on')


def _writes(copy, report):
    copy.database.set(copy.name, _READ_ONLY, 'off')
    return 'by hand: the setting is off'


def _nothing(copy, report):
    return 'nothing to do'


def _restore(copy, report):
    copy.restore()
    return 'by hand: the backup is restored'


def _command(report):
    """Return the first command in a report."""
    return next(
        item['text']
        for key in report.loud
        for item in report.findings[key]['remediation']
        if item['kind'] == 'command'
    )


def _stamped(copy, report):
    """Stamp the database as the report says, which outdates the backup."""
    folder = copy.site.home / 'backup'
    folder.mkdir()
    copy.run.typist(copy.site, copy.run.path.target).type(_command(report))
    copy.database.dump(copy.name, folder / 'manila.sql')
    copy.site.edit(f'path = {copy.run.backup}/*', f'path = {folder}/*')
    return 'as printed, and by hand: a new backup'


def _typed_conversion(copy, report):
    """Type the dump, the conversion and the load as they are printed."""
    new = copy.database.create()
    how = _typed_by_root(copy, _command(report).replace('NEW_DATABASE', new))
    copy.point(new)
    return how


def _typed_by_root(copy, command):
    """Type a command for mysql, as the administrator."""
    copy.site.home.joinpath('.my.cnf').write_text(
        f'[client]\nsocket={copy.database.folder}/s\nuser=root\n',
        encoding='utf-8',
    )
    copy.run.typist(copy.site, copy.run.path.source).type(
        command.replace('DATABASE', copy.name)
    )
    return 'as printed'


def _pymysql(copy, report):
    copy.point(copy.name)
    return 'as printed'


def _delete_other(copy, report):
    copy.sql("DELETE FROM alembic_version WHERE version_num = 'fbdfabcba377'")
    return 'by hand: the other one is deleted'


_SPECS = 'share_type_extra_specs'


def _restored_row(copy):
    """Leave a live row like one that was deleted and then restored."""
    row = copy.first(_SPECS, 'deleted = 0')
    copy.sql(f"UPDATE {_SPECS} SET deleted_at = '2020-01-01' WHERE id = {row}")


def _is_not_deleted(copy, report):
    copy.sql(f'UPDATE {_SPECS} SET deleted_at = NULL WHERE deleted = 0')
    return 'by hand: its deleted_at is NULL'


def _purge(copy):
    done = copy.run.source.plane(copy.site).manage('db', 'purge', '30')
    if done.returncode:
        return f'db purge gives {done.returncode}'
    return None


def _purged_live(copy):
    """Purge, and count how many live rows are lost."""
    count = f'SELECT COUNT(*) FROM {_SPECS} WHERE deleted = 0'
    before = copy.sql(count)[0][0]
    wrong = _purge(copy)
    lost = before - copy.sql(count)[0][0]
    if wrong or lost:
        return Observed(
            Level.CHANGED, wrong or f'db purge 30 deletes {lost} live row'
        )
    return Observed(Level.NOTHING, 'db purge 30 deletes no live row')


def _old_rows(copy):
    """Make deleted rows years old; two of them cannot be purged."""
    for table, live in (
        ('reservations', '0'),
        ('share_instance_export_locations', '0'),
        ('share_instances', "'False'"),
        ('shares', "'False'"),
        ('share_access_map', "'False'"),
        ('share_instance_access_map', "'False'"),
        ('share_snapshots', "'False'"),
        ('share_snapshot_instances', "'False'"),
        ('share_types', "'False'"),
        ('share_type_extra_specs', '0'),
    ):
        copy.sql(
            f"UPDATE {table} SET deleted_at = '2020-01-01' "
            f'WHERE deleted <> {live}'
        )
    row = copy.first('reservations', 'deleted <> 0')
    copy.sql(f'UPDATE reservations SET deleted_at = NULL WHERE id = {row}')
    # Rows that refer to this one were deleted only now.
    row = copy.first('share_instances', "deleted <> 'False'")
    copy.sql(
        'UPDATE share_instances SET deleted_at = LOCALTIMESTAMP WHERE id = '
        f"'{row}'"
    )


def _zero_time(copy):
    """Leave a deleted row whose time is none, as old versions of MySQL do."""
    _old_rows(copy)
    row = copy.first('share_types', "deleted <> 'False'")
    copy.sql(
        f"UPDATE share_types SET deleted_at = '0000-00-00' WHERE id = '{row}'"
    )


def _tables_of_operator(copy):
    """Add a table that looks like manila's, and one that refers to a row."""
    _old_rows(copy)
    for statement in (
        'CREATE TABLE acme_history (id INTEGER PRIMARY KEY, deleted_at '
        'TIMESTAMP NULL)',
        "INSERT INTO acme_history VALUES (1, '2020-01-01'), (2, NULL)",
        'CREATE TABLE acme_prices (share_type_id VARCHAR(36), FOREIGN KEY '
        '(share_type_id) REFERENCES share_types (id))',
        'INSERT INTO acme_prices SELECT MIN(id) FROM share_types WHERE '
        "deleted <> 'False'",
    ):
        copy.sql(statement)
    if copy.database.dialect == 'postgresql':
        # Otherwise the check can only say that it may not read the table.
        copy.sql('ALTER TABLE acme_prices OWNER TO manila')


def _purged_as_said(copy):
    """Purge, and compare each table with the figure in the report."""
    said = {
        finding['subject']['name']: finding['data']['purge_deletes']
        for key, finding in copy.said.findings.items()
        if key.startswith('soft-deleted-rows[') and '#' not in key
    }
    before = {table: _count(copy, table) for table in said}
    wrong = _purge(copy)
    if wrong:
        return Observed(Level.BROKEN, wrong)
    gone = {table: before[table] - _count(copy, table) for table in said}
    differ = [
        f'{table} loses {gone[table]}, not {said[table]}'
        for table in sorted(said)
        if gone[table] != said[table]
    ]
    if differ or not sum(said.values()):
        return Observed(
            Level.CHANGED, ', '.join(differ) or 'nothing is purged'
        )
    return Observed(
        Level.NOTHING,
        f'db purge 30 deletes the {sum(said.values())} rows of {len(said)} '
        'tables that were named, and leaves the others',
    )


def _count(copy, table):
    return copy.sql(f'SELECT COUNT(*) FROM {table}')[0][0]


def _service_without_zone(copy):
    """Start the service whose row has no zone, on the migrated database."""
    done = copy.sync()
    if done.level is Level.BROKEN:
        return done
    return copy.run.target.service(copy.site, 'manila-data', 1)


@contextlib.contextmanager
def _open_transaction(copy):
    """Read every table in a transaction, as a backup that still runs does."""
    with contextlib.closing(copy.database.connect(copy.name)) as session:
        cursor = session.cursor()
        cursor.execute('BEGIN')
        for table in copy.tables():
            cursor.execute(f'SELECT 1 FROM {table} LIMIT 1')
            cursor.fetchall()
        yield


def _synced_or_waits(copy):
    """Begin a db sync; say whether it ends, or waits for another session."""
    process = copy.run.target.plane(copy.site).begin('db', 'sync')
    processes.wait_for(
        lambda: (
            process.code is not None
            or copy.sql(copy.database.waiting_sessions)
        ),
        observe.PATIENCE_SECONDS,
    )
    code = process.code
    process.kill()
    if code is None:
        return Observed(Level.BROKEN, 'db sync waits for another session')
    if code:
        return Observed(
            Level.BROKEN,
            f'db sync gives {code}: {observe.why(process.output())}',
        )
    return Observed(Level.NOTHING, 'db sync passes')


# The backup then has another revision, and the source release is a guess.
_OF_NO_RELEASE = (
    ('failure', 'schema-revision[[]alembic_version]'),
    ('failure', 'database-backup[[]newest#revision]'),
    ('warning', 'upgrade-path[[]source#assumed]'),
)

SCENARIOS = (
    Scenario(
        'a database in utf8mb4',
        (('failure', 'pending-migrations[[]*'),),
        server='mysql',
        charset='utf8mb4',
        when=_crosses(17, 22),
        mends=_typed_conversion,
    ),
    Scenario(
        'a mariadb:// URL',
        (
            (
                'warning',
                'pending-migrations[[]database/connection#precision]',
            ),
        ),
        server='mysql',
        dialect='mariadb',
        when=_crosses(17, 21, 22),
        mends=_pymysql,
    ),
    Scenario(
        'a migration that was cut off',
        (
            ('failure', 'schema-revision[[]*#half-applied]'),
            ('failure', 'pending-migrations[[]*#half-applied]'),
        ),
        # PostgreSQL rolls back all migrations.
        server='mysql',
        breaks=_migrated_unrecorded,
        mends=_restore,
    ),
    Scenario(
        'a db sync that is killed',
        (),
        # MySQL keeps the migrations done until then: see above.
        server='postgresql',
        breaks=_killed_sync,
        mends=_nothing,
    ),
    Scenario(
        'a database that is stamped with an older revision',
        (
            ('failure', 'schema-revision[[]*#half-applied]'),
            ('failure', 'pending-migrations[[]*#half-applied]'),
        ),
        server='postgresql',
        breaks=_stamped_back,
        mends=_stamped,
    ),
    Scenario(
        'a backup that was restored without its end',
        (
            ('failure', 'pending-migrations[[]*#without-*'),
            ('warning', 'schema-revision[[]alembic_version#indexes]'),
            ('warning', 'schema-revision[[]alembic_version#foreign-keys]'),
        ),
        server='postgresql',
        breaks=_without_keys,
        mends=_restore,
        when=_crosses(22),
    ),
    Scenario(
        'tables of another account',
        (('failure', 'pending-migrations[[]owner]'),),
        server='postgresql',
        breaks=_of_another,
        mends=_typed_sql,
    ),
    Scenario(
        'an account that may not create tables',
        (('failure', 'pending-migrations[[]privileges#privileges]'),),
        server='mysql',
        account=_LIMITED,
        breaks=_may_not_create,
        mends=_granted,
        when=_crosses(18, 21, 22),
    ),
    Scenario(
        'a database that takes no writes',
        (('failure', 'pending-migrations[[]database/connection#read-only]'),),
        # MySQL has such a setting only for the whole server.
        server='postgresql',
        breaks=_read_only,
        mends=_writes,
    ),
    Scenario(
        'a backup that still runs',
        (('failure', 'database-sessions[[]*'),),
        beside=_open_transaction,
        looks=_synced_or_waits,
        mends=lambda copy, report: 'by hand: it has ended',
    ),
    Scenario(
        'two revisions in alembic_version',
        _OF_NO_RELEASE,
        breaks=lambda copy: copy.sql(
            "INSERT INTO alembic_version VALUES ('fbdfabcba377')"
        ),
        mends=_delete_other,
    ),
    Scenario(
        'a revision that no release has',
        _OF_NO_RELEASE,
        breaks=lambda copy: copy.sql(
            "UPDATE alembic_version SET version_num = 'deadbeef0000'"
        ),
        mends=_restore,
    ),
    Scenario(
        'a live row that a purge deletes',
        (('warning', f'soft-deleted-rows[[]{_SPECS}#restored]'),),
        breaks=_restored_row,
        looks=_purged_live,
        mends=_is_not_deleted,
        when=lambda path: path.source.major < 23,
    ),
    Scenario(
        'a purge that skips rows',
        (),
        breaks=_old_rows,
        looks=_purged_as_said,
        mends=_nothing,
    ),
    Scenario(
        'a purge of a row with a zero time',
        (),
        # PostgreSQL has no such time.
        server='mysql',
        breaks=_zero_time,
        looks=_purged_as_said,
        mends=_nothing,
    ),
    Scenario(
        'a purge beside tables of the operator',
        (),
        breaks=_tables_of_operator,
        looks=_purged_as_said,
        mends=_nothing,
    ),
    Scenario(
        'a table that is gone',
        (
            ('failure', 'schema-revision[[]alembic_version*'),
            # The check cannot count rows of a missing table.
            ('failure', 'soft-deleted-rows#error'),
        ),
        # No other table refers to this one.
        breaks=lambda copy: copy.sql('DROP TABLE backend_info'),
        looks=lambda copy: _share_starts(copy),
        mends=_restore,
    ),
    Scenario(
        'a service without an availability zone',
        (('failure', 'live-services[[]manila-data*'),),
        breaks=lambda copy: copy.sql(
            'UPDATE services SET availability_zone_id = NULL WHERE '
            "services.binary = 'manila-data'"
        ),
        looks=_service_without_zone,
        mends=_restore,
    ),
)


def _share_starts(copy):
    done = copy.sync()
    if done.level is Level.BROKEN:
        return done
    return copy.run.target.service(copy.site, 'manila-share', 3)
