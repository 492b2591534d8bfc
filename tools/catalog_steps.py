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


"""Watch a manila release migrate a database, one revision at a time.

Run by tools/build_catalog.py with the Python of a virtual environment that
holds one manila release and nothing of this project; has to run with Python
3.8. The database is brought to the last revision before FIRST, every table
gets two rows, and each later revision is applied by manila's own code. Prints
as JSON what each of them did, in order: the statements that changed the
schema or rows, in a form that every server shares.
"""

import argparse
import json
import re

# What 11.0.0 has; no release that the catalog covers comes without it.
LAST_OF_11 = '5aa813ae673d'

_NAME = r'[`"]?(\w+)[`"]?'
_PATTERNS = (
    ('create_table', rf'CREATE TABLE {_NAME}', ('table',)),
    (
        'add_column',
        rf'ALTER TABLE {_NAME} ADD COLUMN {_NAME}',
        ('table', 'column'),
    ),
    (
        'drop_column',
        rf'ALTER TABLE {_NAME} DROP COLUMN {_NAME}',
        ('table', 'column'),
    ),
    (
        'modify_column',
        rf'ALTER TABLE {_NAME} (?:MODIFY|CHANGE) {_NAME}',
        ('table', 'column'),
    ),
    (
        'drop_foreign_key',
        rf'ALTER TABLE {_NAME} DROP FOREIGN KEY {_NAME}',
        ('table', 'name'),
    ),
    ('write_rows', rf'UPDATE {_NAME}', ('table',)),
    ('write_rows', rf'INSERT INTO {_NAME}', ('table',)),
    # An INSERT or UPDATE names no schema; these do not change anything.
    (None, r'(SELECT|SHOW|DESCRIBE|DESC|ROLLBACK|COMMIT|BEGIN|SET)\b', ()),
    # SQLAlchemy 1.3 made one for a boolean.
    (None, r'ALTER TABLE \S+ ADD CHECK', ()),
    # Seen in the foreign keys that the server has afterwards.
    (None, r'ALTER TABLE \S+ ADD (CONSTRAINT \S+ )?FOREIGN', ()),
)


def step_of(statement):
    """Return what a statement does; None when it changes nothing."""
    text = ' '.join(statement.replace('%%', '%').split())
    for do, pattern, names in _PATTERNS:
        found = re.match(pattern, text, re.IGNORECASE)
        if found is None:
            continue
        if do is None or found.group(1) == 'alembic_version':
            return None
        return {'do': do, **dict(zip(names, found.groups()))}
    raise SystemExit(f'a statement that is not known: {text[:200]}')


class Server:
    """What the server says of itself, beside what manila tells it."""

    def __init__(self, url):
        import sqlalchemy

        self.sa = sqlalchemy
        self.engine = sqlalchemy.create_engine(
            url, isolation_level='AUTOCOMMIT'
        )
        self.dialect = self.engine.dialect.name

    def foreign_keys(self):
        """Return (table, columns, parent, references): name."""
        inspector = self.sa.inspect(self.engine)
        found = {}
        for table in inspector.get_table_names():
            for key in inspector.get_foreign_keys(table):
                found[
                    table,
                    tuple(key['constrained_columns']),
                    key['referred_table'],
                    tuple(key['referred_columns']),
                ] = key['name']
        return found

    def fill(self):
        """Put two rows into every table, each with its parents."""
        made = self.sa.MetaData()
        with self.engine.connect() as connection:
            made.reflect(connection)
            connection.execute(
                self.sa.text(
                    'SET foreign_key_checks = 0'
                    if self.dialect == 'mysql'
                    else 'SET session_replication_role = replica'
                )
            )
            for table in made.sorted_tables:
                if table.name == 'alembic_version':
                    continue
                for number in (1, 2):
                    values = {
                        column.name: self._value(column, number)
                        for column in table.columns
                        if column.name != 'deleted_at'
                    }
                    connection.execute(table.insert().values(**values))

    def _value(self, column, number):
        kind = column.type
        if isinstance(kind, self.sa.DateTime):
            return '2024-03-05 06:07:08'
        if isinstance(kind, self.sa.Enum):
            return kind.enums[0]
        if isinstance(kind, self.sa.Boolean):
            return True
        if type(kind).__name__ == 'TINYINT':
            return 1
        if column.name == 'deleted':
            return 'False' if isinstance(kind, self.sa.String) else 0
        if isinstance(kind, self.sa.String):
            return str(number)
        return number


def watch(conf, url):
    """Return {revision: [step]} of every revision after LAST_OF_11."""
    from alembic import script
    from manila.db import migration
    from manila.db.migrations.alembic import migration as of_alembic
    from oslo_config import cfg
    from sqlalchemy import engine
    from sqlalchemy import event

    cfg.CONF(
        ['--config-file', conf],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    server = Server(url)
    migration.upgrade(LAST_OF_11)
    server.fill()
    directory = script.ScriptDirectory.from_config(
        of_alembic._alembic_config()
    )
    chain = []
    for item in directory.walk_revisions():
        if item.revision == LAST_OF_11:
            break
        chain.insert(0, item.revision)
    statements = []

    def note(conn, cursor, statement, parameters, context, executemany):
        if conn.engine is not server.engine:
            statements.append(statement)

    event.listen(engine.Engine, 'before_cursor_execute', note)
    found = {}
    for revision in chain:
        keys = server.foreign_keys()
        del statements[:]
        migration.upgrade(revision)
        steps = [step for step in map(step_of, list(statements)) if step]
        after = server.foreign_keys()
        for key in sorted(set(after) - set(keys)):
            table, columns, parent, references = key
            steps.append(
                {
                    'do': 'add_foreign_key',
                    'table': table,
                    'columns': list(columns),
                    'parent': parent,
                    'references': list(references),
                }
            )
        found[revision] = unique(steps)
    return found


def unique(steps):
    """Return each step once, in the order of its first time."""
    kept = []
    for step in steps:
        if step not in kept:
            kept.append(step)
    return kept


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('output')
    parser.add_argument('conf')
    parser.add_argument('url')
    args = parser.parse_args()
    with open(args.output, 'w', encoding='utf-8') as stream:
        json.dump(watch(args.conf, args.url), stream, indent=1)


if __name__ == '__main__':
    main()
