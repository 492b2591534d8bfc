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
"""Change a database as years of accidents do.

Rows made by manila are deleted without a date, restored with one, marked as no
release does, or pointed to other rows. These are all the cases that a purge
may meet. Every foreign key remains valid.
"""

import datetime
import random

import psycopg2
import pymysql

from qa.real import servers

DAY = datetime.timedelta(days=1)


class Tangle:
    """Changes rows of a database at random.

    :param deployment: a Deployment with rows.
    :param tables: the tables of the release, from the catalog.
    """

    def __init__(self, deployment, tables, seed):
        self.deployment = deployment
        self.tables = {
            name: table
            for name, table in tables.items()
            if table.column('deleted')
        }
        self.random = random.Random(seed)
        self.now = datetime.datetime.now(datetime.timezone.utc)

    def everything(self):
        """Change rows of every table; return how many changes succeeded."""
        return sum(
            self.repoint(table) + self.mark(table)
            for table in self.tables.values()
        )

    def execute(self, sql):
        """Run one change; return whether it succeeded."""
        connection = self.deployment.server.connect(self.deployment.database)
        try:
            servers.execute(connection, sql)
        except (pymysql.IntegrityError, psycopg2.IntegrityError):
            # For example, there would be two live rows of one name.
            return 0
        finally:
            connection.close()
        return 1

    def keys(self, table):
        """Return, for each row of a table, the condition that selects it."""
        columns = [_quoted(self, name) for name in table.primary]
        rows = self.deployment.rows(
            f'SELECT {", ".join(columns)} FROM {table.name}'
        )
        return sorted(
            ' AND '.join(
                f'{column} = {_literal(value)}'
                for column, value in zip(columns, row)
            )
            for row in rows
        )

    def repoint(self, table):
        """Make some rows refer to other rows."""
        done = 0
        # NOTE: with two live mappings of one server to one subnet, the purge
        # would fail (StaleDataError), and all of it would be rolled back.
        if table.name == 'share_server_share_network_subnet_mappings':
            return 0
        for key in table.foreign_keys:
            parents = sorted(
                row[0]
                for row in self.deployment.rows(f'SELECT id FROM {key.table}')
            )
            if not parents:
                continue
            for row in self.keys(table):
                if self.random.random() < 0.15:
                    parent = _literal(self.random.choice(parents))
                    done += self.execute(
                        f'UPDATE {table.name} SET {key.columns[0]} = {parent} '
                        f'WHERE {row}'
                    )
        return done

    def mark(self, table):
        """Mark some rows as deleted, as restored, or inconsistently."""
        text = table.column('deleted').type == 'string'
        live = "'False'" if text else '0'
        odd = "'1'" if text else '1'
        own = 'CAST(id AS CHAR(36))' if text else 'id'
        if not table.column('id'):
            own = odd
        done = 0
        for row in self.keys(table):
            chance = self.random.random()
            old, young = self.date(31, 900), self.date(1, 28)
            for limit, marker, date in (
                (0.20, own, old),
                (0.25, own, young),
                (0.29, own, 'NULL'),
                (0.33, odd, old),
                (0.37, live, old),
                (0.39, 'NULL', old),
                (0.50, live, 'NULL'),
            ):
                if chance < limit:
                    done += self.execute(
                        f'UPDATE {table.name} SET deleted = {marker}, '
                        f'deleted_at = {date} WHERE {row}'
                    )
                    break
        return done

    def date(self, low, high):
        days = self.random.randint(low, high) + 0.5
        moment = (self.now - days * DAY).replace(tzinfo=None)
        return f"'{moment.isoformat(' ', 'seconds')}'"


def _quoted(tangle, name):
    return f'`{name}`' if tangle.deployment.server.name == 'MySQL' else name


def _literal(value):
    return str(value) if isinstance(value, int) else f"'{value}'"
