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
import datetime
from typing import Any

import ddt

from manila_precheck import model
from manila_precheck.tests import databases

CHECK = 'soft-deleted-rows'
OLD = databases.LONG_AGO
OLDER = OLD - datetime.timedelta(days=365)
DAY = datetime.timedelta(days=1)

# manila 18, 20 and 22, and where each of them goes.
UPGRADES = (
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2026.1', '2026.2'),
)


def found(table, severity, message, todo, **data):
    facts: dict[str, Any] = {
        'live': 0,
        'soft_deleted': 0,
        'percent': 100,
        'purge_age_days': 30,
        'purgeable': 0,
        'purge_is_exact': True,
        'deleted_since': 0,
        'without_deleted_at': 0,
        'not_marked': 0,
        'referred_to': 0,
        'referred_to_by': '',
        'taken_along': 0,
        'in_recycle_bin': 0,
        'oldest': None,
        'newest': None,
        'read_percent': 100.0,
    }
    facts.update(data)
    facts.setdefault('rows', facts['live'] + facts['soft_deleted'])
    facts.setdefault('about_rows', facts['rows'])
    facts.setdefault('about_soft_deleted', facts['soft_deleted'])
    facts.setdefault('purge_deletes', facts['purgeable'])
    return model.Finding(
        severity,
        model.Subject('table', table),
        f'table {table}: {message}',
        (todo,),
        check_id=CHECK,
        data=facts,
    )


PURGE = model.command('manila-manage db purge 30')
NOTHING = model.advice('At 30 days there is nothing to purge.')


def sizeless(findings):
    """Return findings without the bytes, which only a server knows."""
    return tuple(
        finding._replace(
            data={k: v for k, v in finding.data.items() if k != 'bytes'},
        )
        for finding in findings
    )


@ddt.ddt
class Scenarios(databases.Scenarios):
    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_no_row_at_all(self, release, target):
        result = self.run_check(CHECK, self.database(release), target=target)
        self.assertEqual(
            (model.Outcome.PASSED, '', ()),
            (result.outcome, result.reason, result.findings),
        )

    def of_others(self, database, on_delete=''):
        """Add a table that is not manila's, with rows that refer."""
        # manila's tables have the character set that is called utf8 there.
        mysql = database.engine.dialect.name == 'mysql'
        text = 'VARCHAR(36)' + (' CHARACTER SET utf8' if mysql else '')
        database.execute(
            'CREATE TABLE acme_hist (id INTEGER PRIMARY KEY, deleted INTEGER, '
            f'deleted_at TIMESTAMP NULL, type {text}, '
            f'FOREIGN KEY (type) REFERENCES share_types (id) {on_delete})'
        )
        database.insert(
            'share_types',
            *({'id': one, 'deleted': one, 'deleted_at': OLD} for one in 'abc'),
        )
        database.execute(
            "INSERT INTO acme_hist VALUES (1, 1, '2020-01-01', 'a'), "
            "(2, 2, '2020-01-01', 'a'), (3, 0, NULL, NULL)"
        )

    def of_types(self, deletes, leaves='', **data):
        day = OLD.date().isoformat()
        return found(
            'share_types',
            model.Severity.INFO,
            f'3 of 3 rows are soft-deleted ({day} to {day}); a purge at 30 '
            f'days deletes {deletes}{leaves}',
            PURGE,
            soft_deleted=3,
            purgeable=3,
            purge_deletes=deletes,
            oldest=day,
            newest=day,
            **data,
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_a_table_of_others_keeps_what_it_refers_to(self, release, target):
        database = self.database(release)
        self.of_others(database)
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual(
            (
                self.of_types(
                    2,
                    ', and leaves 1 that acme_hist.type refers to',
                    referred_to=1,
                    referred_to_by='acme_hist.type',
                ),
            ),
            sizeless(result.findings),
        )

    @ddt.data(('CASCADE', 'delete'), ('SET NULL', 'change'))
    @ddt.unpack
    def test_rows_of_others_that_go_with_those_of_manila(self, rule, what):
        database = self.database('2025.1')
        self.of_others(database, f'ON DELETE {rule}')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.WARNING,
                    model.Subject('table', 'acme_hist'),
                    'table acme_hist, which is not one of manila: a purge at '
                    f'30 days would {what} up to 2 of its rows, because its '
                    f'foreign key on share_types says ON DELETE {rule}',
                    (
                        model.advice(
                            'Keep a copy of those rows, or drop the foreign '
                            'key, before a purge.'
                        ),
                    ),
                    data={'rows': 2, 'parent': 'share_types'},
                    aspect='swept:share_types',
                    check_id=CHECK,
                ),
                self.of_types(3),
            ),
            sizeless(result.findings),
        )

    @ddt.data(*UPGRADES)
    @ddt.unpack
    def test_text_and_number_in_the_column_deleted(self, release, target):
        database = self.database(release)
        recent = database.now() - DAY
        database.insert(
            'shares',
            {'id': 'a'},
            {'id': 'b', 'deleted': 'b', 'deleted_at': OLD},
            {'id': 'c', 'deleted': 'c', 'deleted_at': OLDER},
            {'id': 'd', 'deleted': 'd', 'deleted_at': recent},
            {'id': 'e', 'deleted': 'e', 'deleted_at': None},
        )
        database.insert('quota_usages', {'id': 1}, {'id': 2, 'deleted': 0})
        database.insert(
            'reservations', {'id': 7, 'deleted': 7, 'deleted_at': OLD}
        )
        result = self.run_check(CHECK, database, target=target)
        self.assertEqual(
            (
                found(
                    'reservations',
                    model.Severity.INFO,
                    '1 of 1 rows are soft-deleted (2024-03-05 to '
                    '2024-03-05); a purge at 30 days deletes 1',
                    PURGE,
                    soft_deleted=1,
                    purgeable=1,
                    oldest=OLD.date().isoformat(),
                    newest=OLD.date().isoformat(),
                ),
                found(
                    'shares',
                    model.Severity.INFO,
                    '4 of 5 rows are soft-deleted (2023-03-06 to '
                    f'{recent:%Y-%m-%d}); a purge at 30 days deletes 2, and '
                    'leaves 1 deleted since, 1 without deleted_at',
                    PURGE,
                    live=1,
                    soft_deleted=4,
                    percent=80,
                    purgeable=2,
                    deleted_since=1,
                    without_deleted_at=1,
                    oldest=OLDER.date().isoformat(),
                    newest=recent.date().isoformat(),
                ),
            ),
            sizeless(result.findings),
        )

    def test_the_recycle_bin_is_live(self):
        database = self.database('2025.1')
        database.insert(
            'shares',
            {'id': 'a', 'is_soft_deleted': True},
            {'id': 'b', 'is_soft_deleted': True},
            {
                'id': 'c',
                'is_soft_deleted': True,
                'deleted': 'c',
                'deleted_at': OLD,
            },
        )
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            (2, 1, 2),
            (
                finding.data['live'],
                finding.data['soft_deleted'],
                finding.data['in_recycle_bin'],
            ),
        )

    @ddt.data((3, 3, 30), (4, 0, 30), (3, 3, 20000))
    @ddt.unpack
    def test_thresholds(self, warning_rows, warnings, age):
        database = self.database('2025.1')
        database.insert(
            'share_metadata',
            *({'id': n, 'deleted': n, 'deleted_at': OLD} for n in range(1, 4)),
        )
        result = self.run_check(
            CHECK,
            database,
            target='2026.1',
            check_options={
                CHECK: {'warning_rows': warning_rows, 'purge_age_days': age}
            },
        )
        severity = model.Severity.WARNING if warnings else model.Severity.INFO
        reached = 3 if age == 30 else 0
        self.assertEqual(
            (
                found(
                    'share_metadata',
                    severity,
                    '3 of 3 rows are soft-deleted (2024-03-05 to '
                    f'2024-03-05); a purge at {age} days deletes {reached}'
                    + ('' if reached else ', and leaves 3 deleted since'),
                    PURGE
                    if reached
                    else model.advice(
                        f'At {age} days there is nothing to purge.'
                    ),
                    soft_deleted=3,
                    purgeable=reached,
                    purge_age_days=age,
                    deleted_since=3 - reached,
                    oldest=OLD.date().isoformat(),
                    newest=OLD.date().isoformat(),
                ),
            ),
            sizeless(result.findings),
        )

    @ddt.data((999, 100, 'INFO'), (1000, 112, 'INFO'), (1000, 111, 'WARNING'))
    @ddt.unpack
    def test_share_of_a_table(self, dead, live, severity):
        database = self.database('2025.1')
        table = database.metadata.tables['messages']
        plain = {'action_id': '1', 'message_level': 'ERROR', 'project_id': 'p'}
        rows = [
            dict(plain, id=f'd{n}', deleted=f'd{n}', deleted_at=OLD)
            for n in range(dead)
        ] + [
            dict(plain, id=f'l{n}', deleted='False', deleted_at=None)
            for n in range(live)
        ]
        with database.engine.begin() as connection:
            connection.execute(table.insert(), rows)
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(severity, finding.severity.name)
        self.assertEqual(dead, finding.data['purgeable'])

    def test_a_purge_that_would_delete_live_rows_is_not_proposed(self):
        database = self.database('2025.1')
        database.insert(
            'share_types',
            {'id': 'a', 'name': 'a', 'deleted_at': OLD},
            {'id': 'b', 'name': 'b', 'deleted_at': database.now()},
        )
        database.insert(
            'messages', {'id': 'm', 'deleted': 'm', 'deleted_at': OLD}
        )
        restored = model.Finding(
            model.Severity.WARNING,
            model.Subject('table', 'share_types'),
            'table share_types: a purge at 30 days would delete 1 live rows, '
            'because their deleted_at is set',
            (
                model.advice(
                    'Do not run "manila-manage db purge" before their '
                    'deleted_at is NULL, or before 2026.2, whose purge does '
                    'not delete live rows.'
                ),
            ),
            ('https://bugs.launchpad.net/manila/+bug/2081827',),
            {'live': 2, 'live_but_purged': 1, 'purge_deletes': 1},
            'restored',
            check_id=CHECK,
        )
        messages = found(
            'messages',
            model.Severity.INFO,
            '1 of 1 rows are soft-deleted (2024-03-05 to 2024-03-05); a '
            'purge at 30 days deletes 1',
            model.advice(
                'Resolve the findings "#restored" and "#detached" first.'
            ),
            soft_deleted=1,
            purgeable=1,
            oldest=OLD.date().isoformat(),
            newest=OLD.date().isoformat(),
        )
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual((restored, messages), sizeless(result.findings))

    def test_rows_whose_deleted_is_null_are_neither(self):
        database = self.database('2025.1')
        database.insert(
            'shares',
            {'id': 'a'},
            {'id': 'b', 'deleted': None, 'deleted_at': OLD},
            {'id': 'c', 'deleted': 'c', 'deleted_at': OLDER},
            {'id': 'd', 'deleted': 'd'},
        )
        (finding,) = self.run_check(CHECK, database, target='2026.1').findings
        self.assertEqual(
            (1, 2, 1, 1, OLDER.date().isoformat()),
            tuple(
                finding.data[name]
                for name in (
                    'live',
                    'soft_deleted',
                    'purgeable',
                    'without_deleted_at',
                    'newest',
                )
            ),
        )

    def test_a_missing_table_is_no_pass(self):
        database = self.database('2025.1')
        database.execute('DROP TABLE share_backups')
        result = self.run_check(CHECK, database, target='2026.1')
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('shows no table share_backups', result.reason)

    def test_not_at_stage_upgraded(self):
        result = self.run_check(
            CHECK, self.database('2025.1'), target='2026.1', stage='upgraded'
        )
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)


class SoftDeletedRowsTest(Scenarios, databases.SQLiteTest):
    pass
