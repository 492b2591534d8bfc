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

"""Compare the figures of soft-deleted-rows with SQL written by hand."""

from manila_precheck import testing
from qa.real import case

# Tables in which ``deleted`` is a number, 0 for live rows. In all others it is
# a string, 'False' for live rows.
NUMBERED = frozenset(
    {
        'async_operation_data',
        'backend_info',
        'drivers_private_data',
        'project_share_type_quotas',
        'project_user_quotas',
        'quota_classes',
        'quota_usages',
        'quotas',
        'reservations',
        'services',
        'share_group_type_projects',
        'share_group_type_specs',
        'share_instance_export_locations',
        'share_instance_export_locations_metadata',
        'share_metadata',
        'share_network_security_service_association',
        'share_server_share_network_subnet_mappings',
        'share_type_extra_specs',
        'share_type_projects',
    }
)

AGO = {
    'MySQL': 'UTC_TIMESTAMP() - INTERVAL {} DAY',
    'PostgreSQL': "(now() AT TIME ZONE 'utc') - INTERVAL '{} days'",
}


class CountsMixin(case.Scenarios):
    """Check every figure of soft-deleted-rows against SQL by hand."""

    def expected(self, age):
        """Return (findings by table, restored rows by table)."""
        ago = AGO[self.server.name].format(age)
        found, restored = {}, {}
        for table in sorted(self.site.server.tables(self.site.database)):
            if table == 'alembic_version':
                continue
            live = '0' if table in NUMBERED else "'False'"
            count = f'SELECT COUNT(*) FROM {table} WHERE '
            number = self.site.number
            back = number(f'{count} deleted = {live} AND deleted_at <= {ago}')
            if back:
                restored[table] = back
            deleted = number(f'{count} deleted <> {live}')
            if not deleted:
                continue
            oldest, newest = self.site.rows(
                f'SELECT MIN(deleted_at), MAX(deleted_at) FROM {table} '
                f'WHERE deleted <> {live}'
            )[0]
            found[table] = {
                'live': number(f'{count} deleted = {live}'),
                'soft_deleted': deleted,
                'purgeable': number(
                    f'{count} deleted <> {live} AND deleted_at <= {ago}'
                ),
                'without_deleted_at': number(
                    f'{count} deleted <> {live} AND deleted_at IS NULL'
                ),
                'in_recycle_bin': (
                    number(
                        f"{count} deleted = 'False' AND "
                        f'is_soft_deleted = {self.true}'
                    )
                    if table == 'shares'
                    else 0
                ),
                'oldest': oldest and oldest.date().isoformat(),
                'newest': newest and newest.date().isoformat(),
            }
        return found, restored

    @property
    def true(self):
        return '1' if self.server.name == 'MySQL' else 'true'

    def split(self, findings):
        """Return the findings in the same form as :meth:`expected`."""
        found, restored = {}, {}
        for finding in findings:
            table, data = finding['subject']['name'], finding['data']
            if finding['key'].endswith('#restored]'):
                restored[table] = data['live_but_purged']
            else:
                found[table] = {
                    key: data[key]
                    for key in (
                        'live',
                        'soft_deleted',
                        'purgeable',
                        'without_deleted_at',
                        'in_recycle_bin',
                        'oldest',
                        'newest',
                    )
                }
        return found, restored

    def age_conf(self, age):
        return self.site.conf(
            more='[manila_precheck_soft_deleted_rows]\n'
            f'purge_age_days = {age}\n'
        )

    def check_counts(self, age, stage='plan'):
        expected = self.expected(age)
        # Otherwise the comparison would prove nothing.
        self.assertGreater(len(expected[0]), 15)
        for name in ('soft_deleted', 'without_deleted_at', 'purgeable'):
            self.assertTrue(any(row[name] for row in expected[0].values()))
        found = self.findings(
            'soft-deleted-rows', '--stage', stage, conf=self.age_conf(age)
        )
        self.assertEqual(expected, self.split(found))

    def test_counts_of_rows_older_than_ten_days(self):
        self.check_counts(10)

    def test_counts_of_rows_older_than_thirty_days(self):
        self.check_counts(30)

    def test_counts_of_rows_older_than_ninety_days(self):
        self.check_counts(90, 'stopped')

    def test_counts_through_the_runner(self):
        site = self.useFixture(
            testing.Site(
                connection=self.site.url(),
                source=self.source.name,
                target=self.target.name,
            )
        )
        result = site.run('soft-deleted-rows')
        found = {
            finding.subject.name: finding.data['soft_deleted']
            for finding in result.findings
            if not finding.aspect
        }
        self.assertEqual(
            {
                table: row['soft_deleted']
                for table, row in self.expected(30)[0].items()
            },
            found,
        )

    def test_what_a_purge_really_takes(self):
        """``manila-manage db purge`` deletes what the check has predicted.

        A purge skips a row to which another one refers, so the comparison is
        exact only for tables to which no table refers.
        """
        age = 30
        expected, restored = self.split(
            self.findings('soft-deleted-rows', conf=self.age_conf(age))
        )
        tables = set(self.server.tables(self.site.database)) - {
            'alembic_version'
        }
        before = self.totals(tables)
        self.site.manage('db', 'purge', str(age))
        after = self.totals(tables)
        foretold = {
            table: expected.get(table, {}).get('purgeable', 0)
            + restored.get(table, 0)
            for table in tables
        }
        gone = {table: before[table] - after[table] for table in tables}
        referred = {row[0] for row in self.site.rows(self.referred_sql())}
        self.assertGreater(sum(gone.values()), 20)
        self.assertEqual(
            {t: foretold[t] for t in tables - referred},
            {t: gone[t] for t in tables - referred},
        )
        self.assertEqual(
            {},
            {
                t: (foretold[t], gone[t])
                for t in referred
                if gone[t] > foretold[t]
            },
        )

    def totals(self, tables):
        return {
            table: self.site.number(f'SELECT COUNT(*) FROM {table}')
            for table in sorted(tables)
        }

    def referred_sql(self):
        if self.server.name == 'MySQL':
            return (
                'SELECT DISTINCT referenced_table_name FROM '
                'information_schema.referential_constraints WHERE '
                f"constraint_schema = '{self.site.database}'"
            )
        return (
            'SELECT DISTINCT confrelid::regclass::text FROM pg_constraint '
            "WHERE contype = 'f'"
        )
