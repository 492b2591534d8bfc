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

"""The database schema of a release, and the migrations to it."""

from collections.abc import Mapping
import types
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import history

MYSQL = 'mysql'
POSTGRESQL = 'postgresql'


class Column(NamedTuple):
    """One column of a table."""

    name: str
    """Its name."""

    type: str
    """boolean, integer, biginteger, smallinteger, float, numeric, datetime,
    enum, text or string."""

    nullable: bool
    """Whether it accepts NULL (on MySQL, if PostgreSQL differs)."""

    nullable_postgresql: Optional[bool] = None
    """Whether it accepts NULL on PostgreSQL; None: as on MySQL."""

    length: Optional[int] = None
    """The length of a string in characters."""

    mysql_length: Optional[int] = None
    """The length on MySQL if it differs; None: the same."""

    mysql: Optional[str] = None
    """The type on MySQL if it is a wider one: 'mediumtext'."""

    fsp: Optional[int] = None
    """The digits of fractional seconds of a datetime on MySQL; None: 0."""

    autoincrement: bool = False
    """Whether the server generates the value."""

    default: Any = None
    """The server's default as a value of JSON; None: it has none."""

    values: tuple[str, ...] = ()
    """The values of an enum."""

    enum: Optional[str] = None
    """The name of an enum's type on PostgreSQL."""


class Unique(NamedTuple):
    """A unique constraint."""

    columns: tuple[str, ...]
    """Its columns, in order."""

    name: Optional[str] = None
    """Its name; None when each server generates one."""


class Index(NamedTuple):
    """An index that does not belong to a constraint."""

    name: str
    """Its name."""

    columns: tuple[str, ...]
    """Its columns, in order."""

    unique: bool = False
    """Whether its keys are unique."""

    dialects: tuple[str, ...] = ()
    """The dialects that have it; empty: all."""


class ForeignKey(NamedTuple):
    """A foreign key."""

    columns: tuple[str, ...]
    """The columns of this table, in order."""

    table: str
    """The table to which they refer."""

    references: tuple[str, ...]
    """The columns of that table, in the same order."""

    name: Optional[str] = None
    """Its name; None when each server generates one."""

    options: Mapping[str, Any] = types.MappingProxyType({})
    """Options such as ondelete and onupdate, as SQLAlchemy reflects them."""


class Table(NamedTuple):
    """One table after the migrations of a release."""

    name: str
    """Its name."""

    columns: tuple[Column, ...]
    """Its columns in the order of the table on MySQL."""

    primary: tuple[str, ...]
    """The columns of the primary key on MySQL."""

    primary_postgresql: tuple[str, ...]
    """The columns of the primary key on PostgreSQL; may be empty."""

    uniques: tuple[Unique, ...]
    """Its unique constraints."""

    indexes: tuple[Index, ...]
    """Its indexes, without those of constraints."""

    foreign_keys: tuple[ForeignKey, ...]
    """Its foreign keys."""

    def column(self, name: str) -> Optional[Column]:
        """Return the column with this name; None when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        return None


class Revision(NamedTuple):
    """One migration of the alembic chain."""

    id: str
    """Its revision id, as in alembic_version."""

    down: Optional[str]
    """The revision before it; None for the first one."""

    file: str
    """Its file under manila/db/migrations/alembic/versions; the name of some
    files begins with another id."""

    sha256: str = ''
    """The hash of the file; '' when it is not known."""


def read_tables(by_name: dict[str, list[history.Row]]) -> dict[str, Table]:
    """Return the tables in rows, by name, sorted.

    :param by_name: the rows of schema.json of one release.
    """
    return {name: _table(name, rows) for name, rows in by_name.items()}


def _table(name: str, rows: list[history.Row]) -> Table:
    kinds: dict[str, list[history.Row]] = {}
    for row in rows:
        facts = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in row.items()
            if key not in ('kind', 'releases')
        }
        kinds.setdefault(row['kind'], []).append(facts)
    columns = sorted(kinds['column'], key=lambda row: int(row['position']))
    primary = {MYSQL: (), POSTGRESQL: ()}
    for row in kinds.get('primary', ()):
        for dialect in row.get('dialects', (MYSQL, POSTGRESQL)):
            primary[dialect] = row['columns']
    return Table(
        name=name,
        columns=tuple(
            Column(**{k: v for k, v in row.items() if k != 'position'})
            for row in columns
        ),
        primary=primary[MYSQL],
        primary_postgresql=primary[POSTGRESQL],
        uniques=tuple(Unique(**row) for row in kinds.get('unique', ())),
        indexes=tuple(Index(**row) for row in kinds.get('index', ())),
        foreign_keys=tuple(
            ForeignKey(**row) for row in kinds.get('foreign', ())
        ),
    )


def read_chain(by_name: dict[str, list[history.Row]]) -> tuple[Revision, ...]:
    """Return the migrations in rows, from the first to the head.

    :param by_name: the rows of revisions.json of one release.
    """
    after = {}
    for name, rows in by_name.items():
        row = rows[0]
        after[row.get('down')] = Revision(
            name, row.get('down'), row['file'], row.get('sha256', '')
        )
    chain = []
    step = after.get(None)
    while step is not None:
        chain.append(step)
        step = after.get(step.id)
    return tuple(chain)
