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

"""Compare findings on a database and on its copy in SQLite.

The copy has the tables that the catalog knows.
"""

import sqlalchemy

from manila_precheck.testing import schema
from qa.real import case


class SQLiteMixin(case.Scenarios):
    """Checks have the same findings on a database and its SQLite copy."""

    def copy(self):
        """Copy every row to a SQLite file and return its URL."""
        url = f'sqlite:///{self.site.file("manila.sqlite")}'
        engine = sqlalchemy.create_engine(url)
        self.addCleanup(self.site.remove, 'manila.sqlite')
        self.addCleanup(engine.dispose)
        made = schema.create_schema(engine, self.source)
        names = set(self.server.tables(self.site.database))
        self.assertEqual(names, set(made.tables))
        with engine.begin() as connection:
            for name in sorted(names - {'alembic_version'}):
                columns = list(made.tables[name].columns)
                quoted = ', '.join(f'`{column.name}`' for column in columns)
                rows = [
                    {
                        column.name: plain(column, value)
                        for column, value in zip(columns, row)
                    }
                    for row in self.site.rows(f'SELECT {quoted} FROM {name}')
                ]
                if rows:
                    connection.execute(made.tables[name].insert(), rows)
        return url

    def test_a_copy_in_sqlite_gives_the_same_findings(self):
        url = self.copy()
        for stage in ('plan', 'stopped'):
            reports = [
                self.check('--stage', stage, conf=self.site.conf(where))[1]
                for where in (None, url)
            ]
            self.assertEqual(
                ['mysql', 'sqlite'],
                [report['database']['dialect'] for report in reports],
            )
            of_server, of_copy = [
                {
                    one['id']: (
                        one['outcome'],
                        [
                            (
                                finding['key'],
                                finding['severity'],
                                without_bytes(finding['data']),
                            )
                            for finding in one['findings']
                        ],
                    )
                    for one in report['checks']
                }
                for report in reports
            ]
            self.assertGreater(len(of_server['soft-deleted-rows'][1]), 15)
            # Only MySQL rebuilds tables in a migration.
            _, rewritten = of_server.pop('pending-migrations')
            self.assertEqual(
                [], [key for key, _, data in rewritten if 'rows' not in data]
            )
            self.assertEqual(('passed', []), of_copy.pop('pending-migrations'))
            # A file has no sessions.
            self.assertEqual(
                ('not_applicable', []), of_copy.pop('database-sessions')
            )
            _, sessions = of_server.pop('database-sessions')
            self.assertEqual(
                ['database-sessions[sessions#not-shown]'],
                [key for key, _, _ in sessions],
            )
            self.assertEqual(of_server, of_copy)

    def test_a_copy_in_sqlite_is_not_written_to(self):
        url = self.copy()
        with open(self.site.file('manila.sqlite'), 'rb') as stream:
            before = stream.read()
        self.check(conf=self.site.conf(url))
        with open(self.site.file('manila.sqlite'), 'rb') as stream:
            self.assertEqual(before, stream.read())


def without_bytes(data):
    """Return figures without sizes on disk, which depend on the server."""
    return {
        name: value
        for name, value in data.items()
        if not name.endswith('bytes')
    }


def plain(column, value):
    """Return a value of the server's driver as SQLite expects it."""
    if isinstance(column.type, sqlalchemy.Boolean) and value is not None:
        return bool(value)
    return value
