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
"""Rows whose dates are none, or are in the future, in every check."""

import datetime

from manila_precheck import model
from manila_precheck.tests import databases

WARNING, FAILURE = model.Severity.WARNING, model.Severity.FAILURE

# What each server keeps in a column of times, and how it writes it.
NO_DATES = {
    'sqlite': ('', 'yesterday', '0000-00-00 00:00:00', '2024-13-01 00:00:00'),
    'mysql': ('0000-00-00 00:00:00', '2024-00-10 00:00:00'),
    'postgresql': ('infinity', '-infinity', '0044-03-15 00:00:00 BC'),
}

FUTURE = datetime.datetime(2999, 1, 2, 3, 4, 5)


class Scenarios(databases.Scenarios):
    def dated(self, table, value, column='updated_at'):
        """Return a database with a date in a column of a table's rows."""
        made = self.database('2025.1')
        made.insert('availability_zones', {'id': 'z', 'name': 'nova'})
        made.insert(
            'services',
            {
                'binary': 'manila-share',
                'host': 'ctl@a',
                'state': 'up',
                'availability_zone_id': 'z',
                'updated_at': made.now(),
            },
        )
        made.insert(
            'shares', {'id': 's', 'task_state': 'migration_in_progress'}
        )
        made.insert(
            'share_instances',
            {
                'id': 'i',
                'share_id': 't',
                'host': 'ctl@a',
                'status': 'creating',
            },
        )
        made.insert(
            'share_networks',
            {'id': 'n', 'deleted': 'n', 'deleted_at': databases.LONG_AGO},
            {'id': 'm', 'deleted': 'm', 'deleted_at': databases.LONG_AGO},
        )
        live = "AND id = 'n'" if column == 'deleted_at' else ''
        made.execute(
            *(["SET SESSION sql_mode = ''"] if self.server == 'mysql' else []),
            f"UPDATE {table} SET {column} = '{value}' WHERE 1 = 1 {live}",
        )
        return made

    def messages(self, check_id, database, severity=None, **site):
        result = self.run_check(check_id, database, target='2026.1', **site)
        self.assertEqual('', result.reason)
        return [
            (one.severity, one.message)
            for one in result.findings
            if severity is None or one.severity >= severity
        ]

    def test_a_heartbeat_of_no_date_crashed_live_services(self):
        for value in NO_DATES[self.server]:
            database = self.dated('services', value)
            message = (
                'manila-share on ctl@a has no date for its last report '
                f'({value!r}): depending on the database driver, manila '
                'considers it dead or fails when it reads the row'
            )
            for stage, severity in (
                ('plan', WARNING),
                ('stopped', WARNING),
                ('upgraded', FAILURE),
            ):
                self.assertEqual(
                    [(severity, message)],
                    self.messages('live-services', database, stage=stage),
                )

    def test_a_heartbeat_of_no_date_crashed_backends_in_use(self):
        for value in NO_DATES[self.server]:
            database = self.dated('services', value)
            self.assertEqual(
                [
                    (
                        WARNING,
                        'ctl@a is not served: the files enable no such back '
                        'end, and no manila-share reports under that name; '
                        'it still holds 1 share',
                    )
                ],
                self.messages('backends-in-use', database),
            )

    def test_a_heartbeat_from_the_future_is_no_life(self):
        database = self.dated('services', FUTURE)
        self.assertEqual(
            [
                (
                    WARNING,
                    'manila-share on ctl@a reports from the future; it last '
                    'reported at 2999-01-02 03:04:05 UTC',
                )
            ],
            self.messages('live-services', database),
        )
        self.assertEqual(
            1, len(self.messages('backends-in-use', database, WARNING))
        )

    def test_a_change_of_no_date_crashed_running_migrations(self):
        for value in NO_DATES[self.server]:
            ((_, message),) = self.messages(
                'running-migrations', self.dated('shares', value)
            )
            self.assertStartsWith(
                message,
                f'share s is in migration_in_progress since {value!r}, which '
                'is not a date: ',
            )

    def test_a_migration_from_the_future_looked_like_any(self):
        ((_, message),) = self.messages(
            'running-migrations', self.dated('shares', FUTURE)
        )
        self.assertStartsWith(
            message,
            'share s is in migration_in_progress since 2999-01-02 03:04, '
            'which is in the future: ',
        )

    def test_a_change_of_no_date_crashed_in_flight_operations(self):
        for value in NO_DATES[self.server]:
            ((_, message),) = self.messages(
                'in-flight-operations', self.dated('share_instances', value)
            )
            self.assertStartsWith(
                message,
                'share instance i of share t on ctl@a is in creating since '
                f'{value!r}, which is not a date: ',
            )

    def test_an_operation_from_the_future_looked_like_any(self):
        ((_, message),) = self.messages(
            'in-flight-operations', self.dated('share_instances', FUTURE)
        )
        self.assertStartsWith(
            message,
            'share instance i of share t on ctl@a is in creating since '
            '2999-01-02 03:04, which is in the future: ',
        )

    def test_a_deleted_at_of_no_date_crashed_soft_deleted_rows(self):
        for value in NO_DATES[self.server]:
            database = self.dated('share_networks', value, 'deleted_at')
            ((_, message),) = self.messages('soft-deleted-rows', database)
            said = message.partition(';')[0]
            if value.startswith('2024-'):
                # A part of it is one, and what is first or last is, too.
                self.assertStartsWith(
                    said, 'table share_networks: 2 of 2 rows are soft-deleted'
                )
                continue
            self.assertEqual(
                'table share_networks: 2 of 2 rows are soft-deleted '
                '(2024-03-05 to 2024-03-05), 1 of them with a deleted_at '
                'that is not a date, such as 0000-00-00',
                said,
            )

    def test_a_purge_in_runs_of_rows_without_dates(self):
        for value in NO_DATES[self.server]:
            database = self.dated('share_networks', value, 'deleted_at')
            result = self.run_check(
                'soft-deleted-rows',
                database,
                target='2026.1',
                check_options={'soft-deleted-rows': {'purge_batch_rows': 1}},
            )
            self.assertEqual('', result.reason)

    def test_rows_deleted_in_the_future_looked_young(self):
        database = self.dated('share_networks', FUTURE, 'deleted_at')
        self.assertEqual(
            [
                (
                    model.Severity.INFO,
                    'table share_networks: 2 of 2 rows are soft-deleted '
                    '(2024-03-05 to 2999-01-02, which is in the future: no '
                    'purge deletes them before then); a purge at 30 days '
                    'deletes 1, and leaves 1 deleted since',
                )
            ],
            self.messages('soft-deleted-rows', database),
        )

    def assertStartsWith(self, text, start):
        self.assertEqual(start, text[: len(start)])


class DatesTest(Scenarios, databases.SQLiteTest):
    pass
