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

"""Compare what soft-deleted-rows predicts with what a purge deletes."""

from typing import ClassVar

from manila_precheck import catalog
from qa.real import case
from qa.real import deployment
from qa.real import servers
from qa.real import tangle

AGE = 30


class _Purges(case.RealCase):
    #: Statements that keep rows of messages, and the one that undoes them.
    obstacle: ClassVar[tuple[str, ...]] = ()
    undo: ClassVar[str] = ''

    def test_rows_that_something_keeps(self):
        """A purge deletes no row that the check says will stay."""
        self.site.rows(
            'INSERT INTO messages (id, project_id, action_id, message_level, '
            "deleted, deleted_at) VALUES ('kept', 'red', '001', 'ERROR', "
            "'kept', '2020-01-01 00:00:00')"
        )
        for statement in self.obstacle:
            self.site.rows(statement)
        stays, foretold = [], {}
        for finding in self.findings('soft-deleted-rows'):
            if '#stays:' in finding['key']:
                stays.append(finding['data'])
            elif '#' not in finding['key']:
                table = finding['subject']['name']
                foretold[table] = finding['data']['purge_deletes']
        before = self.totals(foretold)
        manage = self.useFixture(deployment.Manage(self.major))
        code, _ = manage.run(
            self.server.url(self.site.database), 'db', 'purge', str(AGE)
        )
        after = self.totals(foretold)
        self.site.rows(self.undo)
        self.assertEqual([code], [one['exit_code'] for one in stays])
        self.assertGreater(stays[0]['rows_that_stay'], 0)
        self.assertEqual(before['messages'], after['messages'])
        self.assertEqual(
            foretold,
            {table: before[table] - after[table] for table in foretold},
        )

    def tangled(self):
        """Tangle the rows; return the tables of the release."""
        tables = catalog.Catalog().tables(self.source)
        made = tangle.Tangle(self.site, tables, self.site.seed)
        self.assertGreater(made.everything(), 100)
        return {name for name, one in tables.items() if one.column('deleted')}

    def test_what_a_purge_deletes_of_each_table(self):
        tables = self.tangled()
        conf = self.site.conf(
            more='[manila_precheck_soft_deleted_rows]\n'
            f'purge_age_days = {AGE}\n'
        )
        found = self.findings('soft-deleted-rows', conf=conf)
        foretold = dict.fromkeys(tables, 0)
        torn, kept = {}, 0
        for finding in found:
            table, data = finding['subject']['name'], finding['data']
            if finding['key'].endswith('#detached]'):
                torn[table] = data['live_but_detached']
                continue
            foretold[table] = data['purge_deletes']
            self.assertIs(
                True, data.get('purge_is_exact', True), finding['message']
            )
            kept += data.get('referred_to', 0)
        before, nulls = self.totals(tables), self.nulls(tables)
        self.site.manage('db', 'purge', str(AGE))
        after, more = self.totals(tables), self.nulls(tables)
        gone = {table: before[table] - after[table] for table in tables}
        # Otherwise the comparison would prove nothing.
        self.assertGreater(sum(gone.values()), 50)
        self.assertGreater(kept, 5)
        self.assertEqual(foretold, gone)
        # Deleted rows may take NULLs along, so this is only a lower bound.
        grown = {t for t in tables if more[t] > nulls[t]}
        self.assertEqual(set(), grown - set(torn))

    def totals(self, tables):
        return {
            table: self.site.number(f'SELECT COUNT(*) FROM {table}')
            for table in sorted(tables)
        }

    def nulls(self, tables):
        """Return how many references of live rows are NULL, by table."""
        found = dict.fromkeys(tables, 0)
        for name in tables:
            table = catalog.Catalog().tables(self.source)[name]
            text = table.column('deleted').type == 'string'
            live = "'False'" if text else '0'
            for key in table.foreign_keys:
                found[name] += self.site.number(
                    f'SELECT COUNT(*) FROM {name} WHERE deleted = {live} AND '
                    f'deleted_at IS NULL AND {key.columns[0]} IS NULL'
                )
        return found


class _OnMySQL(_Purges):
    server_class = servers.MySQL
    obstacle = (
        'SET foreign_key_checks = 0',
        'CREATE TABLE acme (id INT, FOREIGN KEY (id) REFERENCES gone (id))',
    )
    undo = 'DROP TABLE acme'


class _OnPostgreSQL(_Purges):
    server_class = servers.PostgreSQL
    obstacle = (
        'CREATE RULE kept AS ON DELETE TO messages DO INSTEAD NOTHING',
    )
    undo = 'DROP RULE kept ON messages'


class Purge18MySQLTest(_OnMySQL):
    major = 18


class Purge20MySQLTest(_OnMySQL):
    major = 20


class Purge22MySQLTest(_OnMySQL):
    major = 22


class Purge23MySQLTest(_OnMySQL):
    major = 23


class Purge18PostgreSQLTest(_OnPostgreSQL):
    major = 18


class Purge20PostgreSQLTest(_OnPostgreSQL):
    major = 20


class Purge22PostgreSQLTest(_OnPostgreSQL):
    major = 22


class Purge23PostgreSQLTest(_OnPostgreSQL):
    major = 23


# Remove the base classes, so that only classes with a release are run.
del _OnMySQL, _OnPostgreSQL, _Purges
