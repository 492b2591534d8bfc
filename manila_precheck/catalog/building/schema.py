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

"""The migrations of the release, and the schema that they create.

The chain of revisions is read from Alembic's scripts. The tables are reflected
from a database after `manila-manage db sync`.
"""

import hashlib
import os


def revision_facts():
    """Return the alembic chain from its root to its head."""
    from alembic import config as alembic_config
    from alembic import script
    import manila.db.migrations.alembic as here

    cfg = alembic_config.Config()
    cfg.set_main_option(
        'script_location',
        os.path.dirname(os.path.abspath(next(iter(here.__path__))))
        + '/alembic',
    )
    scripts = script.ScriptDirectory.from_config(cfg)
    chain = list(scripts.walk_revisions())
    chain.reverse()
    heads = scripts.get_heads()
    assert len(heads) == 1 and chain[-1].revision == heads[0], heads
    rows = []
    previous = None
    for item in chain:
        assert item.down_revision == previous, item.revision
        with open(item.path, 'rb') as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        rows.append(
            {
                'revision': item.revision,
                'down': previous,
                'file': os.path.basename(item.path),
                'sha256': digest,
            }
        )
        previous = item.revision
    return rows


def column_type(kind):
    """Describe a reflected type in terms that all dialects have."""
    import sqlalchemy

    names = [
        (sqlalchemy.Boolean, 'boolean'),
        (sqlalchemy.BigInteger, 'biginteger'),
        (sqlalchemy.SmallInteger, 'smallinteger'),
        (sqlalchemy.Integer, 'integer'),
        (sqlalchemy.Float, 'float'),
        (sqlalchemy.Numeric, 'numeric'),
        (sqlalchemy.DateTime, 'datetime'),
        (sqlalchemy.Enum, 'enum'),
        (sqlalchemy.Text, 'text'),
        (sqlalchemy.String, 'string'),
    ]
    word = next(word for cls, word in names if isinstance(kind, cls))
    if type(kind).__name__ == 'TINYINT':
        word = 'boolean'
    facts = {'type': word}
    if type(kind).__name__ in ('MEDIUMTEXT', 'LONGTEXT', 'DOUBLE'):
        facts['mysql'] = type(kind).__name__.lower()
    if word == 'string':
        facts['length'] = kind.length
    if word == 'datetime' and getattr(kind, 'fsp', None) is not None:
        facts['fsp'] = kind.fsp
    if word == 'enum':
        facts['values'] = list(kind.enums)
        facts['enum'] = kind.name
    return facts


def schema_facts(url):
    """Reflect every table of a database."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    tables = {}
    for table in sorted(inspector.get_table_names()):
        columns = []
        for column in inspector.get_columns(table):
            default = column.get('default')
            row = {
                'name': column['name'],
                'nullable': column['nullable'],
                **column_type(column['type']),
            }
            if column.get('autoincrement') is True:
                row['autoincrement'] = True
            if default is not None:
                if 'nextval(' in default:
                    row['autoincrement'] = True
                else:
                    row['default'] = default
            columns.append(row)
        primary = inspector.get_pk_constraint(table)
        tables[table] = {
            'columns': columns,
            'primary': primary['constrained_columns'],
            'uniques': sorted(
                [item['name'], item['column_names']]
                for item in inspector.get_unique_constraints(table)
            ),
            'indexes': sorted(
                (
                    [item['name'], item['column_names'], bool(item['unique'])]
                    for item in inspector.get_indexes(table)
                ),
                key=lambda item: str(item[0]),
            ),
            'foreign': sorted(
                (
                    [
                        item['name'],
                        item['constrained_columns'],
                        item['referred_table'],
                        item['referred_columns'],
                        {
                            key: value
                            for key, value in sorted(
                                item.get('options', {}).items()
                            )
                            if value
                        },
                    ]
                    for item in inspector.get_foreign_keys(table)
                ),
                key=lambda item: (item[1], item[0]),
            ),
        }
    return tables
