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
"""Times that rows and files hold, and how they stand to a clock.

A column of times may hold what is none: MySQL and MariaDB keep 0000-00-00 and
2024-00-10, PostgreSQL infinity and years before Christ, SQLite any text. Of
these PyMySQL makes a text, mysqlclient None, psycopg2 the year 9999 or an
error. So such a column is read as text, and understood here.
"""

import datetime
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

#: How far ahead a time may be before somebody's clock is wrong.
CLOCK_SKEW = datetime.timedelta(minutes=5)

# ISO 8601 with a blank, as all servers and SQLAlchemy write it.
_TIME = re.compile(
    r'(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})'
    r'(?:[ T](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<part>[0-9]{1,9}))?)?'
)

# What MySQL appends to a date of zero.
_NO_PART = re.compile(r'\.0+\Z')

# What a message shows of a text that is no time.
_SHOWN = 40


class Timestamp(NamedTuple):
    """What a column holds that is not NULL."""

    text: str
    """As the server writes it; of what is no time, the beginning."""

    time: Optional[datetime.datetime]
    """The same: naive, UTC; None when it is no time."""

    def __str__(self) -> str:
        """Return it for a message: '2026-04-01 12:00', or what is none."""
        if self.time is None:
            return f'{self.text!r}, which is not a date'
        return f'{self.time:%Y-%m-%d %H:%M}'


def parse(value: Any) -> Optional[Timestamp]:
    """Return what a column holds; None for NULL.

    :param value: of a column that :func:`as_text` selected, or a time.
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
    """Return the SQL that gives a time as text.

    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    :param expression: a column, or what is made of columns.
    """
    # As text of unlimited length; MySQL has no CAST AS VARCHAR.
    kind = 'CHAR' if dialect == 'mysql' else 'VARCHAR'
    return f'CAST({expression} AS {kind})'


def is_time(dialect: str, column: str) -> str:
    """Return the SQL condition of a column that holds a time.

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
    """Say whether a time is in the future by more than clocks differ.

    :param now: with a time zone if the time has one, else without.
    """
    return time - now > CLOCK_SKEW


def since(found: Optional[Timestamp], now: datetime.datetime) -> str:
    """Return the part of a sentence that says since when something is so.

    :param found: when a row changed last; None when it does not say.
    :param now: the time of the database: naive, UTC.
    :returns: ' since 2026-04-01 12:00', or ''.
    """
    if found is None:
        return ''
    if found.time is not None and is_ahead(found.time, now):
        return f' since {found}, which is in the future'
    return f' since {found}'


def to_data(found: Optional[Timestamp]) -> Optional[str]:
    """Return it for the data of a finding, in ISO 8601 if it is a time."""
    if found is None:
        return None
    return found.text if found.time is None else found.time.isoformat()
