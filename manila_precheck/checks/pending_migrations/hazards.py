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
"""Which migrations a server will reject, and which tables it rebuilds.

This follows from what each migration does (the catalog) and from the server's
information about the tables; no row is read for it.

InnoDB accepts a foreign key only between two columns of the same collation,
and only to a table of InnoDB: error 1005, errno 150. A new table gets the
default collation of the server for utf8 (manila 22.0.2
db/migrations/alembic/versions: mysql_charset='utf8'), a new column the
collation of its table. Tried with manila 16.3.0 to 23.0.1 on MariaDB 10.11.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import schema as catalog_schema
from manila_precheck.catalog import steps as catalog_steps
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import schema as schema_source

Operation = catalog_steps.Operation

#: The revision that drops a foreign key only if the dialect is called 'mysql'.
#: With any other dialect the foreign key still needs the column that the
#: revision drops next: error 1553 (manila 16.3.0
#: db/migrations/alembic/versions/
#: a87e0fb17dee_multiple_share_server_subnets.py).
NEEDS_MYSQL = 'a87e0fb17dee'

#: The kind of a name that an index has.
INDEX = 'an index'

Steps = Mapping[str, Sequence[catalog_steps.MigrationStep]]

Tables = Mapping[str, catalog_schema.Table]


class RefusedKey(NamedTuple):
    """A foreign key that the server will reject."""

    revision: str
    table: str
    column: str
    parent: str

    why: str
    """'collation', 'engine', 'type' or 'partitions'."""

    mine: str
    """The collation that the column gets; '' if why is another."""

    theirs: str
    """The collation of the referenced column, the parent's engine, or the
    name of the referenced column if why is 'type', of the partitioned table
    if it is 'partitions'."""


class Undroppable(NamedTuple):
    """A foreign key that a migration drops and that does not exist."""

    revision: str
    table: str
    name: str


class NeededColumn(NamedTuple):
    """A column that a migration drops, and that a foreign key needs."""

    revision: str
    table: str
    column: str
    key: schema_source.LiveForeignKey


class Taken(NamedTuple):
    """A name that a migration uses for a new object and that is taken."""

    revision: str
    name: str
    table: str
    """The table that gets the name, or that gets a key of that name."""

    by: str
    """The object that has the name, in words: 'view transfers'."""


class MissingPart(NamedTuple):
    """Something that a migration needs and that does not exist."""

    revision: str

    what: str
    """A table, a column or a key: 'shares', 'shares.id'."""

    why: str
    """Why the migration fails, as the end of a sentence."""


class CopiedTable(NamedTuple):
    """A table that InnoDB cannot alter in place."""

    revision: str
    table: str

    why: str
    """What the migration does, after the name of the table."""


class Rewrite(NamedTuple):
    """A table that MySQL rebuilds during a migration."""

    revision: str
    table: str

    times: int
    """How many times the revision rebuilds it."""


def refused(
    pending: Steps, schema: schema_source.Schema, utf8: str
) -> Iterator[RefusedKey]:
    """Yield the foreign keys that MySQL will reject, in order.

    :param pending: the steps of each revision that has not run, in order.
    :param utf8: the server's default collation for utf8.
    """
    created: set[str] = set()
    for revision, steps in pending.items():
        created |= {
            s.table for s in steps if s.operation is Operation.CREATE_TABLE
        }
        for step in steps:
            if (
                step.operation is not Operation.ADD_FOREIGN_KEY
                or not step.parent
            ):
                continue
            new = step.table in created
            table = schema.tables.get(step.table)
            if not new and (table is None or not _innodb(table)):
                # Another engine ignores it.
                continue
            column, reference = step.columns[0], step.references[0]
            parent = schema.tables.get(step.parent)
            parted = [
                one
                for one in (table, parent)
                if one is not None and one.partitioned
            ]
            if parted:
                yield RefusedKey(
                    revision,
                    step.table,
                    column,
                    step.parent,
                    'partitions',
                    '',
                    parted[0].name,
                )
                continue
            theirs = utf8
            if step.parent not in created:
                if parent is None:
                    continue
                if not _innodb(parent):
                    yield RefusedKey(
                        revision,
                        step.table,
                        column,
                        step.parent,
                        'engine',
                        '',
                        str(parent.engine),
                    )
                    continue
                theirs = schema.collations.get((step.parent, reference), utf8)
            mine = utf8
            if not new and table is not None and table.collation:
                mine = table.collation
            if mine != theirs:
                yield RefusedKey(
                    revision,
                    step.table,
                    column,
                    step.parent,
                    'collation',
                    mine,
                    theirs,
                )


def unlike(
    pending: Steps,
    shape: column_types.Shape,
    schema: schema_source.Schema,
    tables: Tables,
) -> Iterator[RefusedKey]:
    """Yield foreign keys of text whose referenced column is not text.

    manila uses VARCHAR for every id that is not a number. Somebody may have
    changed that to UUID or VARBINARY.

    :param tables: those of the release that the migrations lead to.
    """
    for revision, steps in pending.items():
        for step in steps:
            if (
                step.operation is not Operation.ADD_FOREIGN_KEY
                or not step.parent
                or step.table not in tables
                or step.parent not in schema.tables
                or not _innodb(schema.tables[step.parent])
            ):
                continue
            child = schema.tables.get(step.table)
            if child is not None and not _innodb(child):
                # Another engine ignores it.
                continue
            column, reference = step.columns[0], step.references[0]
            made = {one.name: one.type for one in tables[step.table].columns}
            theirs = shape[step.parent].get(reference)
            if (
                made.get(column) in ('string', 'text')
                and theirs is not None
                and theirs is not column_types.ColumnType.TEXT
            ):
                yield RefusedKey(
                    revision,
                    step.table,
                    column,
                    step.parent,
                    'type',
                    '',
                    reference,
                )


def undroppable(
    pending: Steps, schema: schema_source.Schema
) -> Iterator[Undroppable]:
    """Yield foreign keys that are dropped but do not exist: error 1091."""
    present = {(key.table, key.name) for key in schema.foreign_keys}
    for revision, steps in pending.items():
        for step in steps:
            if (
                step.operation is Operation.DROP_FOREIGN_KEY
                and step.name
                and step.table in schema.tables
                and (step.table, step.name) not in present
            ):
                yield Undroppable(revision, step.table, step.name)


def needed_columns(
    pending: Steps, schema: schema_source.Schema
) -> Iterator[NeededColumn]:
    """Yield columns that MySQL cannot drop, with the foreign key: error 1553.

    A foreign key of the table that the same migration drops is no obstacle.
    """
    for revision, steps in pending.items():
        dropped = {
            (step.table, step.name)
            for step in steps
            if step.operation is Operation.DROP_FOREIGN_KEY
        }
        for step in steps:
            if step.operation is not Operation.DROP_COLUMN or not step.column:
                continue
            for key in schema.foreign_keys:
                child = key.table == step.table and step.column in key.columns
                if (child and (key.table, key.name) not in dropped) or (
                    key.parent == step.table and step.column in key.references
                ):
                    yield NeededColumn(revision, step.table, step.column, key)


def taken_keys(
    pending: Steps, schema: schema_source.Schema, tables: Tables
) -> Iterator[Taken]:
    """Yield names of new foreign keys that MySQL rejects: errno 121.

    The name of a foreign key is unique in a database, and a table that
    somebody renamed keeps the explicit names of its foreign keys.

    :param tables: those of the release that the migrations lead to.
    """
    there = {key.name.lower(): key for key in schema.foreign_keys}
    created: set[str] = set()
    for revision, steps in pending.items():
        created |= {
            s.table for s in steps if s.operation is Operation.CREATE_TABLE
        }
        for step in steps:
            if (
                step.operation is not Operation.ADD_FOREIGN_KEY
                or step.table not in tables
            ):
                continue
            table = schema.tables.get(step.table)
            if step.table not in created and (
                table is None or not _innodb(table)
            ):
                # Another engine ignores it.
                continue
            name = _name_of(step, tables[step.table])
            other = there.get(name.lower())
            if other is not None:
                by = f'a foreign key of {other.table}'
                yield Taken(revision, name, step.table, by)


def versioned(
    pending: Steps, schema: schema_source.Schema
) -> Mapping[str, str]:
    """Return the system-versioned tables that a migration alters.

    :returns: the first revision that alters it, by table.
    """
    found: dict[str, str] = {}
    for revision, steps in pending.items():
        for step in steps:
            table = schema.tables.get(step.table)
            if (
                table is not None
                and table.versioned
                and step.operation is not Operation.WRITE_ROWS
            ):
                found.setdefault(step.table, revision)
    return found


def taken_constraints(
    pending: Steps,
    schema: schema_source.Schema,
    tables: Tables,
    constraints: Collection[tuple[str, str, str]],
) -> Iterator[Taken]:
    """Yield names of new foreign keys that their own table has already.

    MySQL makes an index of the name of the foreign key, unless the column has
    one.

    :param tables: those of the release that the migrations lead to.
    :param constraints: (table, name, its kind in words) of each constraint
        that shares its names with the foreign keys of its table.
    """
    for revision, steps in pending.items():
        for step in steps:
            table = schema.tables.get(step.table)
            if (
                step.operation is not Operation.ADD_FOREIGN_KEY
                or table is None
                or step.table not in tables
                or not _innodb(table)
            ):
                continue
            wanted = _name_of(step, tables[step.table], numbered=False)
            for name, kind in _names_in(step, schema, constraints):
                if name == wanted or (
                    # PostgreSQL takes case into account.
                    table.engine and name.lower() == wanted.lower()
                ):
                    yield Taken(revision, name, step.table, kind)


def _names_in(
    step: catalog_steps.MigrationStep,
    schema: schema_source.Schema,
    constraints: Collection[tuple[str, str, str]],
) -> Iterator[tuple[str, str]]:
    """Yield the names that a new foreign key of a table cannot have."""
    for table, name, kind in constraints:
        if table == step.table:
            yield name, kind
    for index in schema.indexes:
        if (
            index.table == step.table
            and schema.tables[step.table].engine
            and index.columns[:1] != step.columns[:1]
        ):
            yield index.name, INDEX


def _name_of(
    step: catalog_steps.MigrationStep,
    table: catalog_schema.Table,
    *,
    numbered: bool = True,
) -> str:
    """Return the name of a new foreign key; '' if it is not known.

    :param numbered: whether a name that MySQL makes up counts.
    """
    made_up = 0
    for key in table.foreign_keys:
        made_up += not key.name
        if (key.columns, key.table) == (step.columns, step.parent):
            # MySQL numbers the unnamed foreign keys of a new table from 1.
            made = f'{step.table}_ibfk_{made_up}' if numbered else ''
            return key.name or made
    return ''


def taken_names(
    pending: Steps, names: Mapping[str, str], tables: Tables
) -> Iterator[Taken]:
    """Yield the names of new tables that PostgreSQL rejects.

    Also the names of their indexes and unique constraints, if a migration
    gives them.

    :param tables: those of the release that the migrations lead to.
    """
    for revision, steps in pending.items():
        for step in steps:
            if step.operation is not Operation.CREATE_TABLE:
                continue
            wanted = [step.table]
            if step.table in tables:
                made = tables[step.table]
                wanted += [one.name for one in made.uniques if one.name]
                wanted += [one.name for one in made.indexes]
            for name in wanted:
                if name in names:
                    yield Taken(
                        revision, name, step.table, f'{names[name]} {name}'
                    )


def copied(pending: Steps, schema: schema_source.Schema) -> Mapping[str, str]:
    """Return the tables whose rows MySQL checks while it copies them.

    MySQL copies a table if the type of a column changes or a foreign key is
    added, and any table whose engine cannot add a column in place.

    Tried with manila 16.3.0 to 22.0.2 on MariaDB 10.11.

    :returns: the first revision that copies it, by table.
    """
    found: dict[str, str] = {}
    for revision, steps in pending.items():
        for step in steps:
            table = schema.tables.get(step.table)
            if table is None:
                continue
            copies = {Operation.MODIFY_COLUMN, Operation.ADD_FOREIGN_KEY}
            if not _innodb(table):
                copies |= {Operation.ADD_COLUMN, Operation.DROP_COLUMN}
            if step.operation in copies:
                found.setdefault(step.table, revision)
    return found


def not_in_place(pending: Steps) -> Optional[CopiedTable]:
    """Return the first table that InnoDB has to copy; None without one.

    A foreign key needs that unless the migration creates the table, since
    foreign_key_checks is on.
    """
    for revision, steps in pending.items():
        created = {
            s.table for s in steps if s.operation is Operation.CREATE_TABLE
        }
        for step in steps:
            if step.table in created:
                continue
            if step.operation is Operation.ADD_FOREIGN_KEY:
                return CopiedTable(revision, step.table, 'gets a foreign key')
            if step.operation is Operation.MODIFY_COLUMN:
                return CopiedTable(
                    revision, step.table, 'gets a column of another type'
                )
    return None


def lacking(
    pending: Steps, shape: column_types.Shape, schema: schema_source.Schema
) -> Iterator[MissingPart]:
    """Yield missing tables, columns and keys that a migration needs.

    Tried with manila 20.0.3 to 23.0.1 on MariaDB 10.11 and PostgreSQL 15.

    :param pending: the steps of each revision that has not run, in order.
    """
    there = {table: set(columns) for table, columns in shape.items()}
    created: set[str] = set()
    keys = {
        (key.table, key.columns[0], key.parent) for key in schema.foreign_keys
    }
    for revision, steps in pending.items():
        seen = set()
        keys |= {
            (step.table, step.columns[0], step.parent)
            for step in steps
            if step.operation is Operation.ADD_FOREIGN_KEY and step.parent
        }
        for step in steps:
            if step.operation is Operation.CREATE_TABLE:
                created.add(step.table)
            elif step.operation is Operation.ADD_COLUMN and step.column:
                there.get(step.table, set()).add(step.column)
            found = [*_needs(step, created, there, schema)]
            if step.operation is Operation.WRITE_ROWS:
                found += _reads(step.table, keys, created, schema)
            for what, why in found:
                if what not in seen:
                    seen.add(what)
                    yield MissingPart(revision, what, why)


def _needs(
    step: catalog_steps.MigrationStep,
    created: set[str],
    there: Mapping[str, set[str]],
    schema: schema_source.Schema,
) -> Iterator[tuple[str, str]]:
    """Yield what one step needs and does not find, and why it fails."""
    if (
        step.table not in created
        and step.operation is not Operation.CREATE_TABLE
    ):
        if step.table not in schema.tables:
            what = step.table
            # On MySQL the shape includes the columns of views.
            why = 'is a view' if what in there else 'does not exist'
            yield what, f'table {what}, which it changes, {why}'
            return
        if (
            step.operation in (Operation.DROP_COLUMN, Operation.MODIFY_COLUMN)
            and step.column not in there[step.table]
        ):
            what = f'{step.table}.{step.column}'
            yield what, f'column {what}, which it changes, does not exist'
        if not _innodb(schema.tables[step.table]):
            # Another engine ignores foreign keys.
            return
    parent = step.parent
    if (
        step.operation is not Operation.ADD_FOREIGN_KEY
        or not parent
        or parent in created
    ):
        return
    child = f'{step.table}.{step.columns[0]}'
    if parent not in schema.tables:
        yield (
            parent,
            (f'table {parent}, to which {child} refers, does not exist'),
        )
    elif _innodb(schema.tables[parent]) and not _has_key(
        schema, parent, step.references
    ):
        what = f'{parent} ({", ".join(step.references)})'
        yield what, f'{what}, to which {child} refers, is not a key'


def _reads(
    table: str,
    keys: Collection[tuple[str, str, str]],
    created: set[str],
    schema: schema_source.Schema,
) -> Iterator[tuple[str, str]]:
    """Yield the tables that SQLAlchemy reflects and does not find.

    A migration that writes rows reflects the table, and SQLAlchemy follows its
    foreign keys to other tables, and so on: NoSuchTableError (manila 18.3.0
    db/migrations/utils.py, load_table). MySQL keeps a foreign key to a table
    that is dropped while foreign_key_checks is off.

    :param keys: (table, column, parent) of each foreign key, including those
        that the migrations add before they write the rows.
    """
    seen, left = {table}, [table]
    while left:
        child = left.pop()
        for of, column, parent in sorted(keys):
            if of != child or parent in seen:
                continue
            seen.add(parent)
            left.append(parent)
            if parent not in schema.tables and parent not in created:
                yield (
                    parent,
                    f'table {parent}, to which {child}.{column} refers, does '
                    'not exist',
                )


def _has_key(
    schema: schema_source.Schema, table: str, columns: tuple[str, ...]
) -> bool:
    """Say whether a foreign key may refer to some columns.

    MySQL requires an index that starts with them, PostgreSQL a unique one with
    exactly these columns.
    """
    on_mysql = schema.tables[table].engine is not None
    return any(
        index.columns[: len(columns)] == columns
        if on_mysql
        else index.unique and set(index.columns) == set(columns)
        for index in schema.indexes
        if index.table == table
    )


def odd_collations(
    schema: schema_source.Schema, tables: Iterable[str], utf8: str
) -> tuple[str, ...]:
    """Return the tables to whose id a new table could not refer."""
    return tuple(
        table
        for table in sorted(tables)
        if schema.collations.get((table, 'id'), utf8) != utf8
    )


def odd_engines(
    schema: schema_source.Schema, tables: Iterable[str]
) -> tuple[str, ...]:
    """Return the tables whose engine has no foreign keys, sorted."""
    return tuple(
        name
        for name in sorted(tables)
        if name in schema.tables and not _innodb(schema.tables[name])
    )


def rewrites(
    pending: Steps, schema: schema_source.Schema, server_version: str
) -> Iterator[Rewrite]:
    """Yield the tables that MySQL rebuilds, in the order of the revisions.

    MariaDB from 10.3 and MySQL from 8.0.12 on can add a column without a
    rebuild, MariaDB from 10.4 and MySQL from 8.0.29 on also drop one.
    Compressed tables are always rebuilt.

    :param server_version: as the server writes it.
    """
    adds, drops = _instant(server_version)
    for revision, steps in pending.items():
        times: dict[str, int] = {}
        for step in steps:
            table = schema.tables.get(step.table)
            if table is None:
                continue
            quick = _innodb(table) and table.row_format != 'Compressed'
            if (
                (
                    step.operation is Operation.ADD_COLUMN
                    and not (adds and quick)
                )
                or (
                    step.operation is Operation.DROP_COLUMN
                    and not (drops and quick)
                )
                or step.operation is Operation.MODIFY_COLUMN
                or (
                    step.operation is Operation.ADD_FOREIGN_KEY
                    and _innodb(table)
                )
            ):
                times[step.table] = times.get(step.table, 0) + 1
        for name, count in sorted(times.items()):
            yield Rewrite(revision, name, count)


def _instant(version: str) -> tuple[bool, bool]:
    numbers = tuple(int(n) for n in re.findall(r'\d+', version)[:3])
    if 'mariadb' in version.lower():
        return numbers >= (10, 3), numbers >= (10, 4)
    return numbers >= (8, 0, 12), numbers >= (8, 0, 29)


def _innodb(table: schema_source.LiveTable) -> bool:
    return table.engine in (None, schema_source.INNODB)
