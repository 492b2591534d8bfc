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
"""The columns of any table of PostgreSQL, in their order."""

from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import triggers

_COLUMNS = (
    'SELECT a.attname FROM pg_attribute a '
    'JOIN pg_class c ON c.oid = a.attrelid '
    'JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE c.relkind IN ('r', 'p', 'v', 'f') AND c.relname = {name} "
    'AND {schema} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum'
)


def read(db: connection.Database, table: triggers.TableName) -> list[str]:
    """Return the names of the columns; none if there is no such table.

    :param table: without a schema, the table that the search path finds.
    """
    schema = 'pg_table_is_visible(c.oid)'
    if table.schema:
        schema = f'n.nspname = {connection.text_literal(table.schema)}'
    statement = _COLUMNS.format(
        name=connection.text_literal(table.name), schema=schema
    )
    return [
        connection.text_of(row[0])
        for row in db.rows(statement, 'the columns of a table')
    ]
