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

"""What each migration of a release does to the database, step by step.

manila's own migrations were run one at a time on MariaDB and on PostgreSQL,
with rows in every table. The steps were read from the statements that they
sent, and from the foreign keys afterwards. The revisions from 12.0.0 on are
covered; no upgrade in the catalog includes an older one.
"""

import enum
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import history

#: The first revision after those of 11.0.0; older ones are not covered.
FIRST = '0c23aec99b74'


class Operation(str, enum.Enum):
    """The kinds of steps."""

    CREATE_TABLE = 'create_table'
    ADD_COLUMN = 'add_column'
    DROP_COLUMN = 'drop_column'
    # The type of a column changes.
    MODIFY_COLUMN = 'modify_column'
    # The columns of `table` refer to those of `parent` from then on.
    ADD_FOREIGN_KEY = 'add_foreign_key'
    DROP_FOREIGN_KEY = 'drop_foreign_key'
    # It inserts rows, or updates rows, whatever their number.
    WRITE_ROWS = 'write_rows'


class MigrationStep(NamedTuple):
    """One step of one migration."""

    operation: Operation
    """What it does."""

    table: str
    """The table that it changes."""

    column: Optional[str] = None
    """The column that is added, dropped or changed."""

    name: Optional[str] = None
    """The name of the foreign key that is dropped."""

    columns: tuple[str, ...] = ()
    """The columns of a foreign key, in order."""

    parent: Optional[str] = None
    """The table to which a foreign key refers."""

    references: tuple[str, ...] = ()
    """The columns of that table, in the same order."""

    dialects: tuple[str, ...] = ()
    """The dialects on which it runs; empty: all."""

    def on(self, dialect: str) -> bool:
        """Say whether it runs on a dialect: 'mysql', 'postgresql'."""
        return not self.dialects or dialect in self.dialects


def undone(
    columns: frozenset[tuple[str, str]], steps: tuple[MigrationStep, ...]
) -> frozenset[tuple[str, str]]:
    """Return the columns that existed before some steps.

    :param columns: (table, column) of every column after the steps.
    :param steps: the steps in the order of execution.
    """
    left = set(columns)
    for step in reversed(steps):
        if step.operation is Operation.CREATE_TABLE:
            left = {pair for pair in left if pair[0] != step.table}
        elif step.column and step.operation is Operation.ADD_COLUMN:
            left.discard((step.table, step.column))
        elif step.column and step.operation is Operation.DROP_COLUMN:
            left.add((step.table, step.column))
    return frozenset(left)


def read(
    by_name: dict[str, list[history.Row]],
) -> dict[str, tuple[MigrationStep, ...]]:
    """Return the steps in rows, by revision, in their order.

    :param by_name: the rows of steps.json of one release.
    """
    return {
        revision: tuple(
            _step(row)
            for row in sorted(rows, key=lambda row: int(row['position']))
        )
        for revision, rows in by_name.items()
    }


def _step(row: history.Row) -> MigrationStep:
    facts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in row.items()
        if key not in ('position', 'releases')
    }
    facts['operation'] = Operation(facts.pop('do'))
    return MigrationStep(**facts)
