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

import ddt
import testtools

from manila_precheck.evidence import timestamps

NOW = datetime.datetime(2026, 4, 1, 12)


@ddt.ddt
class TimestampsTest(testtools.TestCase):
    @ddt.data(
        # MySQL, PostgreSQL and SQLAlchemy on SQLite.
        ('2026-04-01 12:00:00', NOW),
        ('2026-04-01 12:00:00.5', NOW.replace(microsecond=500_000)),
        ('2026-04-01 12:00:00.000123', NOW.replace(microsecond=123)),
        ('2026-04-01T12:00:00', NOW),
        ('2026-04-01', NOW.replace(hour=0)),
        (NOW, NOW),
    )
    @ddt.unpack
    def test_a_time(self, value, time):
        self.assertEqual(time, timestamps.parse(value).time)

    @ddt.data(
        '0000-00-00 00:00:00',
        '0000-00-00',
        '2024-00-10 00:00:00',
        '2024-02-30 00:00:00',
        '2024-01-01 25:00:00',
        'infinity',
        '-infinity',
        '0044-03-15 00:00:00 BC',
        '294276-12-31 23:59:59',
        '',
        'now',
        '٢٠٢٤-٠١-٠١',
        '1711972800',
        1711972800,
        b'2026-04-01 12:00:00',
    )
    def test_what_is_no_time(self, value):
        found = timestamps.parse(value)
        self.assertEqual(timestamps.Timestamp(str(value), None), found)
        self.assertEqual(
            f' since {str(value)!r}, which is not a date',
            timestamps.since(found, NOW),
        )
        self.assertEqual(str(value), timestamps.to_data(found))

    def test_null(self):
        self.assertIsNone(timestamps.parse(None))
        self.assertEqual('', timestamps.since(None, NOW))
        self.assertIsNone(timestamps.to_data(None))

    def test_a_text_without_end_is_not_shown_whole(self):
        self.assertEqual('x' * 40, timestamps.parse('x' * 10_000).text)

    @ddt.data(
        (0, ' since 2026-04-01 12:00'),
        (5, ' since 2026-04-01 12:05'),
        (6, ' since 2026-04-01 12:06, which is in the future'),
    )
    @ddt.unpack
    def test_since(self, minutes, words):
        time = NOW + datetime.timedelta(minutes=minutes)
        self.assertEqual(words, timestamps.since(timestamps.parse(time), NOW))
