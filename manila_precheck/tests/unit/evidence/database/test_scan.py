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
"""How a table is cut into pieces, and how long one may take."""

from typing import Any

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import scan
from manila_precheck.evidence.database import throttle


class Server:
    """One whose rows lie evenly in a table, and take their time.

    :param dialect: of it.
    :param kind: of the keys of the table.
    :param rows: how many the table has.
    :param nanoseconds: what one takes, with an end of the range and without.
    :param changes: how many rows others change in a second.
    """

    def __init__(
        self,
        dialect='mysql',
        kind=column_types.ColumnType.TEXT,
        rows=0,
        nanoseconds=(325, 235),
        changes=0,
    ):
        self.dialect = dialect
        self.shape = {'shares': {'id': kind}}
        self.rows_there = rows
        self.nanoseconds = nanoseconds
        self.changes = changes
        self.clock = 1000.0
        self.asked = []
        self.slept = 0.0

    def has_column(self, table, column):
        return column in self.shape[table]

    def quoted(self, table):
        return table

    def row(self, statement, about=''):
        return (1, self.rows_there)

    def sleep(self, seconds):
        self.clock += seconds
        self.slept += seconds

    def rows(self, statement, about=''):
        self.asked.append(statement)
        done = int(self.clock * self.changes)
        return [('Handler_delete', '0'), ('Handler_update', str(done))]

    def pieces(self, expected, **names):
        """Read the table; return (rows, seconds, where) of the pieces."""
        found = []
        size = scan.Size(expected)
        server: Any = self
        for piece in scan.pieces(server, 'shares', size, **names):
            start, stop = self.ends(piece.where)
            rows = round((stop - start) * self.rows_there)
            cost = self.nanoseconds['<' not in piece.where]
            seconds = 0.0003 + rows * cost / 1e9
            self.clock += seconds
            piece.found(rows)
            found.append((rows, seconds, piece.where))
            last = piece
        assert last.last and last.read == 1.0, vars(last)
        return found

    def ends(self, where):
        """Return which part of the table a condition is about."""
        length, base = 16**8, 16
        if self.shape['shares']['id'] is column_types.ColumnType.INTEGER:
            length, base = self.rows_there + 1, 10
        start, stop = 0.0, 1.0
        for condition in where.split(' AND '):
            words = condition.split()
            value = int(words[2].strip("'"), base) / length
            if words[1] == '>=':
                start = value
            elif words[1] == '<':
                stop = value
        return start, stop


@ddt.ddt
class PiecesTest(testtools.TestCase):
    def server(self, **names):
        server = Server(**names)
        self.useFixture(
            fixtures.MonkeyPatch('time.monotonic', lambda: server.clock)
        )
        self.useFixture(fixtures.MonkeyPatch('time.sleep', server.sleep))
        return server

    def assert_whole(self, server, found):
        """Each row of the table is in one of the pieces."""
        at = 0.0
        for _, _, where in found:
            start, stop = server.ends(where)
            self.assertAlmostEqual(at, start)
            at = stop
        self.assertEqual(1.0, at)
        total = sum(rows for rows, _, _ in found)
        self.assertLess(abs(total - server.rows_there), len(found))

    @ddt.data(1, 20_000)
    def test_a_small_table_is_one(self, rows):
        server = self.server(rows=rows)
        self.assertEqual(['1 = 1'], [one[2] for one in server.pieces(rows)])

    @ddt.data(
        # Where nobody writes, the last one is nearly all.
        (300_000, 0, [10_000, 10_000, 280_000]),
        (600_000, 0, [10_000, 10_000, 100_000, 480_000]),
        (800_000, 0, [10_000, 10_000, 100_000, 680_000]),
        # Three milliseconds say nothing yet of what others do.
        (90_000, 0, [10_000, 10_000, 70_000]),
    )
    @ddt.unpack
    def test_where_nobody_writes(self, rows, changes, expected):
        server = self.server(rows=rows, changes=changes)
        pacing = throttle.Pace(server)
        pacing.seconds()
        server.clock += 1
        found = server.pieces(rows, pace=pacing)
        self.assert_whole(server, found)
        self.assertEqual(expected, [round(one[0], -3) for one in found])
        self.assertLess(max(one[1] for one in found), 0.25)
        self.assertEqual(0.0, server.slept)

    @ddt.data(
        (3_000_000, (325, 235), 0.26),
        (3_000_000, (110, 110), 0.26),
        (3_000_000, (20, 10), 0.26),
        (3_000_000, (5000, 5000), 0.26),
        (30_000_000, (110, 110), 0.26),
    )
    @ddt.unpack
    def test_no_statement_is_long(self, rows, cost, longest):
        server = self.server(rows=rows, nanoseconds=cost)
        found = server.pieces(rows)
        self.assert_whole(server, found)
        self.assertLess(max(one[1] for one in found), longest)
        self.assertLessEqual(max(one[0] for one in found), scan.PIECE_ROWS)

    @ddt.data((325, 235), (110, 110), (5000, 5000))
    def test_short_beside_others(self, cost):
        server = self.server(
            rows=1_000_000,
            nanoseconds=cost,
            changes=10 * throttle.VERSIONS * 20,
        )
        found = server.pieces(1_000_000)
        self.assert_whole(server, found)
        self.assertLess(max(one[1] for one in found), 0.11)
        # Twice what the statements took, but for those before the first look.
        taken = sum(one[1] for one in found) * throttle.REST
        self.assertAlmostEqual(taken, server.slept, delta=taken / 5)

    @ddt.data(
        ('mysql', column_types.ColumnType.INTEGER),
        ('mysql', column_types.ColumnType.TEXT),
    )
    @ddt.unpack
    def test_statistics_that_are_off(self, dialect, kind):
        for expected in (50_000, 700_000, 900_000, 1_500_000, 5_000_000):
            server = self.server(
                dialect=dialect, kind=kind, rows=800_000, changes=1
            )
            found = server.pieces(expected)
            self.assert_whole(server, found)
            self.assertLess(max(one[1] for one in found), 0.3)
            # Each is a look at the server.
            self.assertLess(len(found), 12)


@ddt.ddt
class PaceTest(testtools.TestCase):
    def pacing(self, **names):
        server: Any = Server(**names)
        self.db = server
        self.useFixture(
            fixtures.MonkeyPatch('time.monotonic', lambda: self.db.clock)
        )
        return throttle.Pace(server)

    @ddt.data(
        (0, throttle.LONGEST_SECONDS),
        (50, throttle.LONGEST_SECONDS),
        (100, 0.1),
        (200, throttle.BUSY_SECONDS),
        (100_000, throttle.BUSY_SECONDS),
    )
    @ddt.unpack
    def test_what_others_change_makes_it_short(self, changes, expected):
        pacing = self.pacing(changes=changes)
        # Once is no rate.
        self.assertEqual(throttle.BUSY_SECONDS, pacing.seconds())
        self.db.clock += 1
        self.assertEqual(expected, pacing.seconds())
        # A moment later it is the same, and nobody was asked.
        self.db.clock += 0.01
        self.db.changes = 50 if changes > 100 else 100_000
        self.assertEqual(expected, pacing.seconds())
        self.assertEqual(2, len(self.db.asked))

    def test_it_changes_with_what_others_do(self):
        pacing = self.pacing()
        found = []
        for done in (0, 0, 1000, 1000, 1001):
            self.db.rows = lambda statement, done=done: [('n', str(done))]
            self.db.clock += 1
            found.append(pacing.seconds())
        idle, busy = throttle.LONGEST_SECONDS, throttle.BUSY_SECONDS
        self.assertEqual([busy, idle, busy, idle, idle], found)

    def test_a_server_that_was_restarted_counts_anew(self):
        pacing = self.pacing()
        for done in (1000, 3):
            self.db.rows = lambda statement, done=done: [('n', str(done))]
            self.db.clock += 1
            last = pacing.seconds()
        self.assertEqual(throttle.LONGEST_SECONDS, last)

    def test_sqlite_is_not_asked(self):
        pacing = self.pacing(dialect='sqlite')
        self.db.clock += 1
        self.assertEqual(
            (throttle.BUSY_SECONDS, []), (pacing.seconds(), self.db.asked)
        )

    @ddt.data((0, 0.0), (50, 0.0), (60, 0.14), (1000, 0.14))
    @ddt.unpack
    def test_a_rest_beside_others(self, changes, expected):
        for dialect in ('mysql', 'postgresql'):
            pacing = self.pacing(dialect=dialect, changes=changes)
            pacing.seconds()
            self.assertEqual(0.0, pacing.rest(0.07))
            self.db.clock += 1
            pacing.seconds()
            self.assertEqual(expected, pacing.rest(0.07))

    def test_postgresql_is_read_in_short_statements_always(self):
        pacing = self.pacing(dialect='postgresql')
        pacing.seconds()
        self.db.clock += 1
        self.assertEqual(throttle.BUSY_SECONDS, pacing.seconds())

    def test_a_server_that_does_not_say_is_busy(self):
        pacing = self.pacing()
        pacing.seconds()
        self.db.clock += 1
        self.assertEqual(throttle.LONGEST_SECONDS, pacing.seconds())
        calls = []

        def refuse(statement):
            calls.append(statement)
            raise exceptions.SourceUnusable('no')

        self.db.rows = refuse
        for _ in range(2):
            self.db.clock += 1
            self.assertEqual(throttle.BUSY_SECONDS, pacing.seconds())
        self.assertEqual(1, len(calls))

    @ddt.data(
        (
            'mysql',
            'SHOW GLOBAL STATUS WHERE Variable_name IN '
            "('Handler_update', 'Handler_delete')",
        ),
        (
            'postgresql',
            'SELECT txid_snapshot_xmax(txid_current_snapshot())',
        ),
    )
    @ddt.unpack
    def test_what_is_asked(self, dialect, statement):
        pacing = self.pacing(dialect=dialect)
        pacing.seconds()
        self.assertEqual([statement], self.db.asked)

    def test_the_text_of_a_server(self):
        """MySQL's connectors give numbers as text, or as bytes."""
        pacing = self.pacing()
        self.db.rows = lambda statement: [(b'n', b'10')]
        pacing.seconds()
        self.db.clock += 1
        self.assertEqual(throttle.LONGEST_SECONDS, pacing.seconds())
