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
import shlex

import ddt

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'unusable-rows'
HOST = 'one@a'
GONE = {'deleted': 'gone'}

UPGRADES = (
    ('2023.1', '2024.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)

FAILURE, WARNING = model.Severity.FAILURE, model.Severity.WARNING

ENDS = '; it ends there with an error, and the back end is not served'
SHARE_READ = (
    'manila-share reads the share of each share instance of its back end when '
    'it starts'
)
SERVER_READ = (
    'manila-share reads the share server of each available share instance of '
    'its back end when it starts'
)
NOT_LISTED = (
    'manila-api fails to show the share, and to list any shares together with '
    'it'
)
LOST_SERVER = (
    'If the share server is still on the storage system, restore its row '
    'instead.'
)
DELETED = 'deleted = id, deleted_at = CURRENT_TIMESTAMP'
LOOK = (
    'Look on the storage system for data that is still needed, then mark the '
    'rows as deleted:'
)


def share(one, **values):
    return {'id': one, 'is_soft_deleted': False, **values}


def instance(one, status='available', **values):
    return {
        'id': one,
        'share_id': 'live',
        'host': f'{HOST}#p',
        'status': status,
        'access_rules_status': 'active',
        **values,
    }


# One row with each defect: the table, its aspect, the rows to insert, the
# weight, the host that the finding is about, and what it says and advises.
DEFECTS = (
    (
        'share_instances',
        'no-share',
        {'share_instances': [instance('bad', 'error', share_id='gone')]},
        FAILURE,
        HOST,
        'whose share is deleted or does not exist',
        SHARE_READ + ENDS,
        LOOK,
        DELETED,
    ),
    (
        'share_instances',
        'no-server',
        {'share_instances': [instance('bad', share_server_id='gone')]},
        FAILURE,
        HOST,
        'whose share server is deleted or does not exist',
        SERVER_READ + ENDS,
        f'{LOST_SERVER} Otherwise set the status error: manila-share then '
        'passes over them:',
        "status = 'error'",
    ),
    (
        'share_instances',
        'no-server-polled',
        {
            'share_instances': [
                instance(
                    'bad', 'creating_from_snapshot', share_server_id='gone'
                )
            ]
        },
        WARNING,
        HOST,
        'are created from a snapshot on a share server that is deleted or '
        'does not exist',
        'manila-share ends at the first of them each time it polls the '
        'storage system, and no share that is created from a snapshot on '
        'this back end becomes available',
        f'{LOST_SERVER} Otherwise stop the polling:',
        "status = 'error'",
    ),
    (
        'share_instances',
        'no-server-deferred',
        {
            'share_instances': [
                instance(
                    'bad', 'error_deferred_deleting', share_server_id='gone'
                )
            ]
        },
        WARNING,
        HOST,
        'wait to be deleted on a share server that is deleted or does not '
        'exist',
        'manila-share ends at the first of them each time it deletes what '
        'waits, and deletes no other share instance of this back end',
        f'{LOST_SERVER} Otherwise end the wait:',
        "status = 'error_deleting'",
    ),
    (
        'share_instances',
        'no-server-replica',
        {
            'share_instances': [
                instance(
                    'bad',
                    'error',
                    share_server_id='gone',
                    replica_state='out_of_sync',
                )
            ]
        },
        WARNING,
        HOST,
        'are replicas on a share server that is deleted or does not exist',
        'manila-share ends at the first of them each time it updates '
        'replicas, and updates no other replica of this back end',
        f'{LOST_SERVER} Otherwise mark the replicas as deleted:',
        DELETED,
    ),
    (
        'share_instances',
        'no-access-status',
        {'share_instances': [instance('bad', access_rules_status=None)]},
        FAILURE,
        '',
        'are available and have no access_rules_status',
        NOT_LISTED,
        'Set the status of a share instance whose access rules are applied:',
        "access_rules_status = 'active'",
    ),
    (
        'shares',
        'no-instance',
        {'shares': [share('bad')]},
        FAILURE,
        '',
        'have no share instance',
        NOT_LISTED,
        'Restore the share instance if its data is still on the storage '
        'system. Otherwise mark the share as deleted:',
        DELETED,
    ),
    *(
        (
            table,
            'no-state',
            {
                table: [{'id': 'bad', 'access_id': 'rule', 'state': None}],
                parent: [{'id': 'rule'}],
            },
            WARNING,
            '',
            'have no state',
            f'manila-api fails to list the access rules of the {what}',
            'Apply the rule again when the services run; first give it the '
            'state of a rule that failed:',
            "state = 'error'",
        )
        for table, parent, what in (
            ('share_instance_access_map', 'share_access_map', 'share'),
            (
                'share_snapshot_instance_access_map',
                'share_snapshot_access_map',
                'snapshot',
            ),
        )
    ),
    (
        'share_snapshot_instance_access_map',
        'no-rule',
        {
            'share_snapshot_instance_access_map': [
                {
                    'id': 'bad',
                    'access_id': 'gone',
                    'share_snapshot_instance_id': 'snap',
                    'state': 'active',
                }
            ],
            'share_snapshot_instances': [
                {'id': 'snap', 'share_instance_id': 'live-1'}
            ],
        },
        WARNING,
        '',
        'whose access rule is deleted or does not exist',
        'if the driver ensures all shares at once, manila-share reads these '
        'rules when it starts, and does not start on that back end',
        'Mark the rows as deleted:',
        DELETED,
    ),
    (
        'share_snapshot_instances',
        'no-server-deferred',
        {
            'share_snapshot_instances': [
                {
                    'id': 'bad',
                    'share_instance_id': 'old',
                    'status': 'error_deferred_deleting',
                }
            ],
            'share_instances': [
                instance('old', deleted='old', share_server_id='gone')
            ],
        },
        WARNING,
        '',
        'wait to be deleted on a share server that is deleted or does not '
        'exist',
        'every manila-share ends at the first of them each time it deletes '
        'what waits, and deletes no other snapshot',
        f'{LOST_SERVER} Otherwise end the wait:',
        "status = 'error_deleting'",
    ),
    (
        'transfers',
        'no-share',
        {'transfers': [{'id': 'bad', 'resource_id': 'gone'}]},
        WARNING,
        '',
        'are of a share that is deleted or does not exist',
        'once one of them has expired, every manila-share ends at it each '
        'time it deletes expired transfers, and deletes no other one',
        'Mark the transfers as deleted:',
        DELETED,
    ),
    (
        'share_backups',
        'no-share',
        {
            'share_backups': [
                {'id': 'bad', 'share_id': 'gone', 'status': 'creating'}
            ]
        },
        WARNING,
        '',
        'are being created from a share that is deleted or does not exist',
        'the service that creates them ends at the first of them each time '
        'it looks at its backups, and completes no other one',
        'End the backup:',
        "status = 'error'",
    ),
    (
        'reservations',
        'no-usage',
        {
            'reservations': [{'id': 7, 'usage_id': 9, 'delta': 1}],
            'quota_usages': [{'id': 9, 'deleted': 9}],
        },
        WARNING,
        '',
        'are of a quota usage that is deleted or does not exist',
        'once one of them has expired, manila-scheduler fails each time it '
        'ends expired reservations, and no reservation ends: their quota '
        'stays in use',
        'Mark the reservations as deleted:',
        DELETED,
    ),
    *(
        (
            table,
            'no-limit',
            {table: [{'id': 7, 'hard_limit': None, **more}]},
            FAILURE,
            '',
            'have no hard_limit',
            f'manila-api fails to create or extend anything {whose} that '
            'needs this quota',
            'Set the limit; -1 is no limit:',
            'hard_limit = -1',
        )
        for table, whose, more in (
            ('quotas', 'in the project', {}),
            ('project_user_quotas', 'for the user', {}),
            ('project_share_type_quotas', 'of the share type', {}),
            (
                'quota_classes',
                'in a project without a limit of its own',
                {'class_name': 'default'},
            ),
        )
    ),
)


@ddt.ddt
class Scenarios(databases.Scenarios):
    maxDiff = None

    def site(self, release):
        """Return the database of a site with rows of every kind."""
        database = self.database(release)
        database.insert(
            'services', {'binary': 'manila-share', 'host': HOST, 'id': 1}
        )
        database.insert(
            'shares',
            share('live'),
            share('bin', is_soft_deleted=True),
            share('busy', task_state='data_copying_in_progress'),
            share('gone', **GONE),
        )
        database.insert(
            'share_servers',
            {'id': 'server', 'host': HOST},
            {'id': 'gone', 'host': HOST, **GONE},
        )
        database.insert(
            'share_instances',
            instance('live-1', share_server_id='server'),
            instance('live-2', replica_state='in_sync'),
            instance('bin', share_id='bin', share_server_id='server'),
            # What a deletion, a failure and a migration leave for a while.
            instance('end', 'deleting', share_server_id='gone'),
            instance('failed', 'error', share_server_id='gone'),
            instance('moved', share_id='busy', share_server_id='gone'),
            # Never scheduled.
            instance('none', 'error', host=None, access_rules_status=None),
            instance('gone', share_id='gone', deleted='gone'),
        )
        database.insert(
            'share_snapshot_instances',
            {'id': 's', 'share_instance_id': 'live-1', 'status': 'available'},
            {'id': 't', 'share_instance_id': 'gone', 'deleted': 't'},
        )
        for table, column, parent in (
            ('share_access_map', 'share_instance_id', 'share_instance'),
            (
                'share_snapshot_access_map',
                'share_snapshot_instance_id',
                'share_snapshot_instance',
            ),
        ):
            database.insert(table, {'id': 'r'}, {'id': 'gone', **GONE})
            database.insert(
                f'{parent}_access_map',
                {'id': 'm', 'access_id': 'r', 'state': 'active', column: 's'},
                # The state of a rule that is deleted is not read.
                {'id': 'n', 'access_id': 'gone', 'state': None},
                {'id': 'o', 'access_id': 'gone', 'deleted': 'o'},
            )
        database.insert('transfers', {'id': 'a', 'resource_id': 'live'})
        database.insert(
            'transfers', {'id': 'b', 'resource_id': 'gone', 'deleted': '1'}
        )
        database.insert('quota_usages', {'id': 1}, {'id': 2, 'deleted': 2})
        database.insert(
            'reservations',
            {'id': 1, 'usage_id': 1, 'delta': 1},
            {'id': 2, 'usage_id': 2, 'delta': 1, 'deleted': 2},
            {'id': 3, 'usage_id': 2, 'delta': -1},
        )
        database.insert('quotas', {'id': 1, 'hard_limit': -1})
        database.insert('quotas', {'id': 2, 'hard_limit': None, 'deleted': 2})
        return database

    def found(self, database, target='2026.1', **site):
        result = self.run_check(CHECK, database, target=target, **site)
        self.assertEqual('', result.reason)
        return result.findings

    def finding(self, defect, ids=None, host=None, severity=None, then=''):
        """Return a finding; ``then`` is what follows its usual words."""
        table, aspect, rows, usual, usual_host, words, why, *_ = defect
        host = usual_host if host is None else host
        ids = ids or [str(rows[table][0]['id'])]
        number = f'{len(ids)} row{"" if len(ids) == 1 else "s"}'
        on = f' on {host}' if host else ''
        return model.Finding(
            usual if severity is None else severity,
            model.Subject('backend', host)
            if host
            else model.Subject('table', table),
            f'{number} of {table}{on} {words} ({", ".join(ids)}): {why}{then}',
            data={'table': table, 'rows': len(ids)},
            aspect=aspect,
            check_id=CHECK,
        )

    def without_remedy(self, findings):
        return [one._replace(remediation=()) for one in findings]

    def remedy(self, finding):
        """Return the advice and the statement of a finding."""
        advice, command = finding.remediation
        self.assertEqual(('text', 'command'), (advice.kind, command.kind))
        statement = next(
            word for word in shlex.split(command.text) if 'UPDATE' in word
        )
        return advice.text, statement

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_what_a_site_normally_has(self, release, target):
        database = self.site(release)
        for stage in ('plan', 'stopped'):
            result = self.run_check(
                CHECK, database, target=target, stage=stage
            )
            self.assertEqual(
                (model.Outcome.PASSED, '', ()),
                (result.outcome, result.reason, result.findings),
            )

    def test_an_empty_site(self):
        self.assertEqual((), self.found(self.database('2025.1')))

    @ddt.data(*DEFECTS)
    def test_a_row_with_a_defect_and_its_remedy(self, defect):
        database = self.site('2025.1')
        for table, rows in defect[2].items():
            database.insert(table, *rows)
        found = self.found(database)
        self.assertEqual([self.finding(defect)], self.without_remedy(found))
        advice, statement = self.remedy(found[0])
        self.assertEqual(defect[-2], advice)
        self.assertTrue(
            statement.startswith(
                f'UPDATE {defect[0]} SET {defect[-1]} WHERE '
            ),
            statement,
        )
        database.execute(statement.replace('%', '%%'))
        self.assertEqual((), self.found(database))

    @ddt.data(*DEFECTS)
    def test_the_same_row_when_it_is_deleted(self, defect):
        database = self.site('2025.1')
        for table, rows in defect[2].items():
            if table == defect[0]:
                text = isinstance(rows[0]['id'], str)
                gone = rows[0]['id'] if text else 1
                rows = [{**row, 'deleted': gone} for row in rows]
            database.insert(table, *rows)
        self.assertEqual((), self.found(database))

    def test_rows_of_several_back_ends_and_pools(self):
        database = self.site('2025.1')
        database.insert(
            'services', {'id': 2, 'binary': 'manila-share', 'host': 'b@c'}
        )
        database.insert(
            'share_instances',
            *(
                instance(one, 'error', share_id=parent, host=host)
                for one, parent, host in (
                    ('a', 'gone', 'one@a#p'),
                    ('b', None, 'one@a#q'),
                    ('c', 'gone', 'one@a'),
                    ('d', 'gone', 'b@c#p'),
                    ('e', 'gone', 'not@served#p'),
                    ('f', 'gone', None),
                )
            ),
        )
        no_share = DEFECTS[0]
        self.assertEqual(
            [
                self.finding(no_share, ['d'], host='b@c'),
                self.finding(no_share, ['a', 'b', 'c']),
                self.finding(
                    no_share,
                    ['e'],
                    host='not@served',
                    severity=WARNING,
                    then='; services has no row of a manila-share of this '
                    'back end',
                ),
            ],
            self.without_remedy(self.found(database)),
        )

    def test_more_rows_than_are_listed(self):
        database = self.site('2025.1')
        database.insert(
            'share_instances',
            *(
                instance(one, share_server_id='gone', host=f'{HOST}#{one}')
                for one in 'dbca'
            ),
        )
        for limit, words in ((2, ' (a, b and 2 more)'), (0, '')):
            (finding,) = self.found(database, options={'max_listed': limit})
            self.assertEqual(
                f'4 rows of share_instances on {HOST} whose share server is '
                f'deleted or does not exist{words}: {SERVER_READ}{ENDS}',
                finding.message,
            )
            self.assertEqual(4, finding.data['rows'])

    def test_a_driver_that_reports_about_its_back_end(self):
        database = self.site('2025.1')
        database.insert('backend_info', {'host': HOST, 'info_hash': 'x'})
        database.insert(
            'share_instances', instance('bad', share_server_id='gone')
        )
        self.assertEqual(
            [
                self.finding(
                    DEFECTS[1],
                    severity=WARNING,
                    then=', unless the driver reports the same information '
                    'about the back end as before',
                )
            ],
            self.without_remedy(self.found(database)),
        )

    @ddt.data(('2025.1', 0), ('2025.2', 1), ('2026.1', 1))
    @ddt.unpack
    def test_a_share_without_an_instance_by_target(self, target, number):
        database = self.site('2024.2')
        database.insert('shares', share('bad'))
        found = self.found(database, target=target)
        self.assertEqual(['no-instance'] * number, [x.aspect for x in found])

    def test_as_many_shares_without_an_instance_as_instances(self):
        database = self.site('2025.1')
        database.insert('shares', share('bad'))
        database.insert(
            'share_instances', instance('alone', share_id='nothing')
        )
        self.assertEqual(
            [('no-instance', 1), ('no-share', 1)],
            sorted(
                (one.aspect, one.data['rows']) for one in self.found(database)
            ),
        )

    def test_a_table_that_is_missing(self):
        database = self.site('2025.1')
        database.execute('DROP TABLE transfers')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('transfers', result.reason)


class UnusableRowsTest(Scenarios, databases.SQLiteTest):
    def test_no_database(self):
        result = self.run_check(CHECK, '', target='2026.1')
        self.assertEqual(model.Outcome.SKIPPED, result.outcome)
