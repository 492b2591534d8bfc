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
"""Rows for a database whose release is not installed."""

import sqlalchemy
from sqlalchemy import pool

_TIME = '2024-03-05 06:07:08'

_NO_FOREIGN_KEYS = {
    'mysql': 'SET foreign_key_checks = 0',
    'postgresql': 'SET session_replication_role = replica',
}


def fill(url):
    """Insert a live and a soft-deleted row into every table.

    Rows with the same number belong together: server 1 has allocation 1.
    """
    engine = sqlalchemy.create_engine(url, poolclass=pool.NullPool)
    made = sqlalchemy.MetaData()
    with engine.begin() as connection:
        made.reflect(connection)
        connection.execute(
            sqlalchemy.text(_NO_FOREIGN_KEYS[connection.dialect.name])
        )
        for table in sorted(made.tables.values(), key=lambda t: t.name):
            if table.name == 'alembic_version':
                continue
            for number in (1, 2):
                connection.execute(
                    table.insert().values(
                        {
                            column.name: _value(column, number)
                            for column in table.columns
                        }
                    )
                )


def _value(column, number):
    kind = column.type
    if isinstance(kind, sqlalchemy.DateTime):
        if column.name == 'deleted_at' and number == 1:
            return None
        return _TIME
    if isinstance(kind, sqlalchemy.Enum):
        return kind.enums[0]
    if isinstance(kind, sqlalchemy.Boolean):
        return True
    if type(kind).__name__ == 'TINYINT':
        return 1
    if column.name == 'deleted' and number == 1:
        return 'False' if isinstance(kind, sqlalchemy.String) else 0
    if isinstance(kind, sqlalchemy.String):
        return str(number)
    return number
