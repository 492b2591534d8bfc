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
"""Objects of a PostgreSQL database other than manila's tables.

Tables, views, indexes, sequences and types share one namespace; a column on
which another object depends cannot be dropped.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import re

from manila_precheck.evidence.database import connection

# The names in the schema in which new tables are created. The type of a
# relation is left out, because the relation itself is listed; so are array
# types, which PostgreSQL renames if their name is needed.
_NAMES = (
    "SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'view' "
    "WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' "
    "WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'type' "
    "WHEN 'f' THEN 'foreign table' ELSE 'table' END "
    'FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace '
    "WHERE n.nspname = current_schema() AND c.relkind <> 't' "
    "UNION ALL SELECT t.typname, 'type' "
    'FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace '
    'WHERE n.nspname = current_schema() AND t.typrelid = 0 '
    'AND t.typelem = 0'
)

# Objects that PostgreSQL drops together with the column have another deptype.
_DEPENDENTS = (
    'SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) '
    'FROM pg_depend d JOIN pg_attribute a '
    'ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid '
    "WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n' "
    "AND d.refobjid = to_regclass('{table}') AND a.attname = '{column}' "
    'ORDER BY 1'
)

# pg_describe_object() describes a view as its rule.
_RULE = re.compile(r'rule "?_RETURN"? on (?=(materialized )?view )')


def names(db: connection.Database) -> Mapping[str, str]:
    """Return what each name stands for: {'report': 'view'}.

    :param db: a PostgreSQL database.
    """
    return {
        connection.text_of(name): connection.text_of(kind)
        for name, kind in db.rows(_NAMES, 'the names that are taken')
    }


def dependents(
    db: connection.Database, table: str, column: str
) -> Sequence[str]:
    """Return the objects that depend on a column: 'view report', sorted.

    :param db: a PostgreSQL database.
    :param table: a table of manila; if it does not exist, nothing is returned.
    """
    return [
        _RULE.sub('', connection.text_of(row[0]))
        for row in db.rows(
            _DEPENDENTS.format(table=table, column=column),
            f'what depends on {table}.{column}',
        )
    ]
