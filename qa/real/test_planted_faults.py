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
"""Rehearse twenty faults on three paths, and compare with what happens.

For a fault in the database, ``manila-manage db sync`` of the target really
runs on that database. A fault in the files has to end exactly the services
that :mod:`.faults` names, with the exceptions that :mod:`.test_service_starts`
sees in the programs themselves. A site without a fault must have no finding.
Each takes half a minute; the gate runs two of them.
"""

import contextlib
from typing import Callable
from typing import ClassVar

import ddt

from manila_precheck import catalog
from manila_precheck import releases
from qa.real import deployment
from qa.real import faults
from qa.real import rehearsals
from qa.real import servers

_FILES = (
    # manila.conf.
    'a number that is none',
    'a number below the least',
    'no such transport',
    'no file for log_config_append',
    'no such backup driver',
    # Drivers.
    'a driver whose module is gone',
    'no mode',
    'no section',
    'no mask for servers',
    # api-paste.ini.
    'a factory that is gone',
    'a filter that is gone',
    'no root',
    # Policies.
    'policies that are no YAML',
    'policies that are a list',
    'rules that refer to each other',
)


#: Statements that permit orphaned rows, on the two kinds of server.
_KEYS_OFF = 'SET foreign_key_checks = 0'
_KEYS_OFF_POSTGRESQL = 'SET session_replication_role = replica'


def _new_table(columns, before):
    table = min({t for t, _ in columns} - {t for t, _ in before}, default='')
    return [f'CREATE TABLE {table} (id INTEGER)'] if table else []


def _new_column(columns, before):
    tables = {table for table, _ in before}
    found = sorted(
        (table, column)
        for table, column in columns - before
        if table in tables
    )
    return [f'ALTER TABLE {t} ADD COLUMN {c} INTEGER' for t, c in found[:1]]


def _gone_table(columns, before):
    # Without these, a dump does not count as one of manila.
    tables = {table for table, _ in before} - {'shares', 'share_instances'}
    found = sorted({t for t, _ in columns - before if t in tables})
    return [
        _KEYS_OFF,
        *(f'DROP TABLE {table} CASCADE' for table in found[:1]),
    ]


def _unknown_revision(columns, before):
    return ["UPDATE alembic_version SET version_num = 'deadbeef'"]


def _orphans(columns, before):
    return [
        _KEYS_OFF,
        'INSERT INTO share_instances '
        '(id, share_id, deleted, cast_rules_to_readonly) '
        "VALUES ('orphan', 'gone', 'False', FALSE)",
    ]


#: The faults in the database. Each function is called with the sets of (table,
#: column) of the target and of the source, and returns the statements that
#: plant the fault; none when the path offers no such case.
_ROWS: 'dict[str, Callable]' = {
    'a table in the way': _new_table,
    'a column in the way': _new_column,
    'a table that is gone': _gone_table,
    'a revision that nobody knows': _unknown_revision,
    # No migration reads these rows.
    'rows that refer to none': _orphans,
}


@ddt.ddt
class _Planted(rehearsals.RehearsalCase):
    maxDiff = None
    manage: ClassVar[deployment.Manage]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manage = deployment.Manage(cls.target_major)
        cls.manage.setUp()
        cls.addClassCleanup(cls.manage.cleanUp)

    @property
    def is_mysql(self):
        """Whether the server is MySQL or MariaDB."""
        return self.server_class is servers.MySQL

    def failures(self, database):
        """Return {phase: [its failures]}, without phases that have none."""
        found = self.rehearse(self.dump(database))
        return {
            phase: failures
            for phase, findings in found.items()
            if (
                failures := [
                    one for one in findings if one['severity'] == 'failure'
                ]
            )
        }

    def test_nothing(self):
        found = self.rehearse(self.dump(self.site.database))
        self.assertEqual([], [one for each in found.values() for one in each])

    @ddt.data(*_FILES)
    def test_files(self, name):
        fault = faults.FAULTS[name]
        fault.change(self.files)
        found = self.failures(self.site.database)
        self.assertEqual({'rehearse-start'}, set(found))
        ends = fault.ends
        if callable(ends):
            ends = ends(self.target_major)
        self.assertEqual(
            ends,
            {
                service: one['data']['error']
                for one in found['rehearse-start']
                for service in one['data']['services'].split(', ')
            },
        )

    @ddt.data(*_ROWS)
    def test_rows(self, name):
        known = catalog.Catalog()
        statements = _ROWS[name](
            *(
                known.columns(releases.from_major(major))
                for major in (self.target_major, self.major)
            )
        )
        if not any(one.split()[0] != 'SET' for one in statements):
            self.skipTest('the migrations of this path have none of the kind')
        database = self.server.new_name()
        self.addCleanup(self.server.drop, database)
        self.server.copy(self.site.database, database)
        # One connection, since settings last only for their session.
        with contextlib.closing(self.server.connect(database)) as connection:
            for statement in statements:
                if statement == _KEYS_OFF and not self.is_mysql:
                    statement = _KEYS_OFF_POSTGRESQL
                servers.execute(connection, statement)
        url = self.server.url(database)
        found = self.failures(database)
        if _ROWS[name] is _orphans and not self.is_mysql:
            # PostgreSQL itself rejects such rows, so the backup is useless.
            ((failure,),) = found.values()
            self.assertEqual(
                ({'rehearse-backup'}, 'rehearse-backup[restore]'),
                (set(found), failure['key']),
            )
            self.assertIn(
                'violates foreign key constraint "si_share_fk"',
                failure['message'],
            )
            return
        code, output = self.manage.run(url, 'db', 'sync')
        self.assertEqual(
            {'rehearse-sync'} if code else set(), set(found), output[-2000:]
        )
        for one in found.get('rehearse-sync', ()):
            self.assertEqual(code, one['data']['exit_code'])
            self.assertIn(one['data']['revision'] or '', output)


class From2024To2025Test(_Planted):
    major = 18
    target_major = 20


class From2025To2026Test(_Planted):
    major = 20
    target_major = 22


class From2025To2026OnPostgreSQLTest(_Planted):
    server_class = servers.PostgreSQL
    major = 20
    target_major = 22


class From2026To2026Test(_Planted):
    major = 22
    target_major = 23


# Remove the base class, so that only classes with a path are run.
del _Planted
