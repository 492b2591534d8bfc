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
"""Times in rows and files, and how they compare with a clock.

A time column may hold a value that is not a time: MySQL and MariaDB accept
0000-00-00 and 2024-00-10, PostgreSQL infinity and years BC, SQLite any text.
For these PyMySQL returns a text, mysqlclient None, psycopg2 the year 9999 or
an error. So such a column is read as text, which is parsed here.
"""

import datetime
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

#: How far a time may be in the future before a clock counts as wrong.
CLOCK_SKEW = datetime.timedelta(minutes=5)

# ISO 8601 with a blank, as all servers and SQLAlchemy write times.
_TIME = re.compile(
    r'(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})'
    r'(?:[ T](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<part>[0-9]{1,9}))?)?'
)

# What MySQL appends to a zero date.
_NO_PART = re.compile(r'\.0+\Z')

# How many characters of an invalid time a message shows.
_SHOWN = 40


class Timestamp(NamedTuple):
    """The value of a time column that is not NULL."""

    text: str
    """As the server writes it; the beginning if it is not a time."""

    time: Optional[datetime.datetime]
    """The same in UTC, without a time zone; None when it is not a time."""

    def __str__(self) -> str:
        """Return it for a message: '2026-04-01 12:00', or why it is none."""
        if self.time is None:
            return f'{self.text!r}, which is not a date'
        return f'{self.time:%Y-%m-%d %H:%M}'


def parse(value: Any) -> Optional[Timestamp]:
    """Return the value of a column; None for NULL.

    :param value: the value of an :func:`as_text` expression, or a time.
    """
    if value is None:
        return None
    text = str(value)
    match = _TIME.fullmatch(text)
    if match is not None:
        part = (match['part'] or '').ljust(6, '0')[:6]
        time = f'{match["date"]} {match["time"] or "00:00:00"}.{part}'
        try:
            return Timestamp(text, datetime.datetime.fromisoformat(time))
        except ValueError:
            # 2024-02-30, 0000-00-00
            pass
    return Timestamp(_NO_PART.sub('', text)[:_SHOWN], None)


def as_text(dialect: str, expression: str) -> str:
    """Return an SQL expression that converts a time to text.

    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    :param expression: a column, or an expression of columns.
    """
    # The length is unlimited; MySQL has no CAST AS VARCHAR.
    kind = 'CHAR' if dialect == 'mysql' else 'VARCHAR'
    return f'CAST({expression} AS {kind})'


def is_time(dialect: str, column: str) -> str:
    """Return an SQL condition that is true if a column holds a time.

    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    """
    if dialect == 'mysql':
        return f'(MONTH({column}) > 0 AND DAYOFMONTH({column}) > 0)'
    if dialect == 'postgresql':
        return (
            f"({column} BETWEEN TIMESTAMP '0001-01-01' "
            "AND TIMESTAMP '9999-12-31 23:59:59')"
        )
    return (
        f"({column} GLOB '[0-9][0-9][0-9][0-9]-*' "
        f'AND JULIANDAY({column}) IS NOT NULL)'
    )


def is_ahead(time: datetime.datetime, now: datetime.datetime) -> bool:
    """Say whether a time is further in the future than clocks may differ.

    :param now: with a time zone if the time has one, else without.
    """
    return time - now > CLOCK_SKEW


def since(found: Optional[Timestamp], now: datetime.datetime) -> str:
    """Return a phrase that says since when a row has been as it is.

    :param found: when the row was last changed; None when it is unknown.
    :param now: the time of the database: naive, UTC.
    :returns: ' since 2026-04-01 12:00', or ''.
    """
    if found is None:
        return ''
    if found.time is not None and is_ahead(found.time, now):
        return f' since {found}, which is in the future'
    return f' since {found}'


def to_data(found: Optional[Timestamp]) -> Optional[str]:
    """Return a time for a finding's data: in ISO 8601 if it is valid."""
    if found is None:
        return None
    return found.text if found.time is None else found.time.isoformat()
