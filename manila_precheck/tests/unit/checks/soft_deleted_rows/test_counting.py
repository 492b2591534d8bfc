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
import random
from unittest import mock

import ddt
import fixtures
from testtools import content

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.checks.soft_deleted_rows.sql import counting
from manila_precheck.evidence.database import scan
from manila_precheck.tests import databases

DAY = datetime.timedelta(days=1)
MODULE = 'manila_precheck.checks.soft_deleted_rows.sql.counting'
AGE = 30
TABLES = ('share_metadata', 'messages')


class Model:
    """What a table should be counted as, row by row."""

    def __init__(self, table, live, cutoff, marked):
        self.table, self.live, self.cutoff = table, live, cutoff
        self.marked = marked

    def count(self, rows):
        found = dict.fromkeys(counting.RowCounts._fields[1:10], 0)
        times = []
        for row in rows:
            at, deleted = row['deleted_at'], row['deleted']
            old = at is not None and at <= self.cutoff
            found['total'] += 1
            if deleted is None:
                found['neither_but_purged'] += old and not self.marked
            elif deleted == self.live:
                found['live'] += 1
                found['live_but_purged'] += old and not self.marked
            else:
                found['deleted'] += 1
                times.append(at)
                own = not self.marked or deleted == row['id']
                found['undated'] += at is None
                found['purgeable'] += old and own
                found['unmarked'] += old and not own
        times = [at.date() for at in times if at is not None]
        return counting.RowCounts(
            self.table,
            oldest=min(times, default=None),
            newest=max(times, default=None),
            **found,
        )


@ddt.ddt
class Scenarios(databases.Scenarios):
    def counted(self, release, made, table, rows, size):
        """Count a table in pieces of so many ids; return what was asked."""
        found = self.connect(made)
        cutoff = made.now() - AGE * DAY
        rules = catalog.Catalog().purge(releases.parse(release), found.dialect)
        wanted = counting.Filter(found, rules, cutoff)
        ids = sorted(row['id'] for row in rows)
        text = isinstance(ids[0], str)
        pieces = []
        for start in range(0, len(ids), size):
            ends = [f'id >= {ids[start]!r}'] if start else []
            if start + size < len(ids):
                ends.append(f'id < {ids[start + size]!r}')
            last = start + size >= len(ids)
            pieces.append(
                scan.Piece(
                    ' AND '.join(ends) or '1 = 1',
                    1.0 if last else start / len(ids),
                    last,
                )
            )
        asked = []
        original = found.row

        def row(statement, about=''):
            asked.append(statement)
            return original(statement, about)

        with mock.patch.object(found, 'row', row):
            *_, result = counting.count(wanted, table, pieces)
        # On PostgreSQL the purge of 2026.2 leaves such a table alone.
        expected = Model(
            table, 'False' if text else 0, cutoff, rules.marked
        ).count(rows)
        if wanted.nothing(table):
            expected = expected._replace(
                unmarked=expected.unmarked + expected.purgeable, purgeable=0
            )
        self.assertEqual(expected, result)
        return asked

    def rows(self, made, table, chance, count, odd=0.0, ordered=False):
        """Return rows over five years, most of them deleted."""
        now = made.now()
        found = []
        for number in range(1, count + 1):
            one = number if table == 'share_metadata' else f'{number:08x}'
            live = 0 if table == 'share_metadata' else 'False'
            days = (
                1800 * number // count
                if ordered
                else chance.choice([*range(60), *range(0, 1800, 30)])
            )
            row = {'id': one, 'deleted': one, 'deleted_at': now - days * DAY}
            kind = chance.random()
            if kind < 0.1:
                row.update(deleted=live, deleted_at=None)
            elif kind < 0.13:
                row.update(deleted_at=None)
            elif kind < 0.13 + odd:
                row.update(deleted=chance.choice([live, None]))
            elif kind < 0.13 + 2 * odd:
                other = 10**6 if table == 'share_metadata' else 'another'
                row.update(deleted=other)
            found.append(row)
        return found

    @ddt.data(
        ('2026.1', 0.0, False),
        ('2026.1', 0.0, True),
        ('2026.1', 0.05, False),
        ('2026.2', 0.0, False),
        ('2026.2', 0.05, True),
    )
    @ddt.unpack
    def test_any_rows_in_any_pieces(self, release, odd, ordered):
        made = self.database('2026.1')
        seed = random.randrange(10**6)
        self.addDetail('rows', content.text_content(f'seed {seed}'))
        chance = random.Random(seed)
        for table in TABLES:
            rows = self.rows(made, table, chance, 100, odd, ordered)
            made.insert(table, *rows)
            for size in (7, 30, 100):
                self.counted(release, made, table, rows, size)

    def test_a_piece_with_nothing_new_has_no_minimum(self):
        made = self.database('2026.1')
        now = made.now()
        rows = [
            {
                'id': number,
                'deleted': number,
                'deleted_at': now - (40 + number % 2) * DAY,
            }
            for number in range(1, 51)
        ]
        made.insert('share_metadata', *rows)
        asked = self.counted('2026.1', made, 'share_metadata', rows, 10)
        self.assertEqual(
            [True, True, False, False, False], ['MIN(' in one for one in asked]
        )

    def test_one_with_something_new_is_read_again(self):
        made = self.database('2026.1')
        now = made.now()
        rows = [
            {
                'id': number,
                'deleted': number,
                'deleted_at': now - (400 if number == 35 else 40) * DAY,
            }
            for number in range(1, 51)
        ]
        made.insert('share_metadata', *rows)
        asked = self.counted('2026.1', made, 'share_metadata', rows, 10)
        self.assertEqual(
            [True, True, False, False, True, True],
            ['MIN(' in one for one in asked],
        )

    @ddt.data(('_DIGIT', 8.0), ('_EXACT', 3 * 2.0**40))
    @ddt.unpack
    def test_more_than_the_digits_hold(self, name, most):
        """It is noticed once, and not again in each piece."""
        made = self.database('2026.1')
        day = made.now() - 40 * DAY
        rows = [
            {
                'id': number,
                'deleted': number,
                'deleted_at': None if number % 2 else day,
            }
            for number in range(1, 51)
        ]
        made.insert('share_metadata', *rows)
        self.useFixture(fixtures.MonkeyPatch(f'{MODULE}.{name}', most))
        asked = self.counted('2026.1', made, 'share_metadata', rows, 10)
        self.assertEqual(
            [False, True, True, True, True, True],
            ['COUNT(CASE' in one for one in asked],
        )

    def test_live_rows_alone(self):
        made = self.database('2026.1')
        rows = [
            {'id': number, 'deleted': 0, 'deleted_at': None}
            for number in range(1, 21)
        ]
        made.insert('share_metadata', *rows)
        asked = self.counted('2026.1', made, 'share_metadata', rows, 5)
        self.assertEqual(4, len(asked))


class PurgeTest(Scenarios, databases.SQLiteTest):
    pass
