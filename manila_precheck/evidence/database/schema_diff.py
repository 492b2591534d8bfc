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
"""The differences between a database and the schema of its revision.

Names of indexes and keys are not compared: servers make some of them up, and
a database that was upgraded many times has other names than a new one.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import schema as catalog_schema
from manila_precheck.catalog import steps as catalog_steps
from manila_precheck.evidence.database import column_types
from manila_precheck.evidence.database import schema as schema_source

Operation = catalog_steps.Operation


class Half(NamedTuple):
    """A revision that is not recorded, but some of whose changes are there."""

    revision: str

    present: tuple[str, ...]
    """What is there, in a few words: 'table encryption_refs'."""

    missing: tuple[str, ...]
    """What is not there; empty when the revision is complete."""


class SchemaDifference(NamedTuple):
    """What differs from the schema of the revision; each sorted."""

    columns: tuple[str, ...] = ()
    """Missing: 'table t' when the whole table is, else 'column t.c'."""

    indexes: tuple[str, ...] = ()
    """Missing: 't (a, b)'; 'unique t (a)'."""

    foreign_keys: tuple[str, ...] = ()
    """Missing: 't (a) to u (id)'."""

    tables: tuple[str, ...] = ()
    """Tables that no release has."""


def half_applied(
    facts: catalog.Catalog,
    pending: Sequence[str],
    shape: column_types.Shape,
    schema: schema_source.Schema,
    dialect: str,
) -> tuple[Half, ...]:
    """Return the pending revisions some of whose changes are there.

    A dropped column counts only together with something that was added: by
    itself it is just a missing column.

    :param pending: the revisions that have not run, in order.
    """
    release = facts.releases_with(pending[-1])[0] if pending else None
    if release is None:
        return ()
    found = []
    there = {
        # MySQL compares the names of columns without regard to case.
        table: {c.lower() for c in columns} if dialect == 'mysql' else columns
        for table, columns in shape.items()
    }
    known = facts.steps(release)
    for revision in pending:
        steps = [step for step in known.get(revision, ()) if step.on(dialect)]
        created = {
            s.table for s in steps if s.operation is Operation.CREATE_TABLE
        }
        described = [
            (
                _words(step),
                step.operation,
                _is_done(step, created, there, schema),
            )
            for step in steps
        ]
        if any(
            done and operation is not Operation.DROP_COLUMN
            for _, operation, done in described
        ):
            found.append(
                Half(
                    revision,
                    tuple(words for words, _, done in described if done),
                    tuple(
                        words for words, _, done in described if done is False
                    ),
                )
            )
    return tuple(found)


def whole_until(
    pending: Sequence[str], half: Sequence[Half]
) -> tuple[str, ...]:
    """Return the pending revisions that are complete, in order.

    Empty when one of them is incomplete, or when a later one is there without
    an earlier one: neither is a revision that could be recorded.

    :param pending: the revisions that have not run, in order.
    :param half: what :func:`half_applied` returned for them.
    """
    whole = tuple(one.revision for one in half if not one.missing)
    if len(whole) < len(half) or whole != tuple(pending[: len(whole)]):
        return ()
    return whole


def _is_done(
    step: catalog_steps.MigrationStep,
    created: set[str],
    there: Mapping[str, Collection[str]],
    schema: schema_source.Schema,
) -> Optional[bool]:
    """Say whether a step was done; None when the database does not show it."""
    table = there.get(step.table)
    if step.operation is Operation.CREATE_TABLE:
        return table is not None
    if table is None:
        return None if step.operation is not Operation.ADD_COLUMN else False
    if step.operation is Operation.ADD_COLUMN:
        return step.column in table
    if step.operation is Operation.DROP_COLUMN:
        return step.column not in table
    if (
        step.operation is Operation.ADD_FOREIGN_KEY
        and step.table not in created
    ):
        made = schema.tables.get(step.table)
        if made and made.engine in (None, schema_source.INNODB):
            key = schema.foreign_key(step.table, step.columns, step.parent)
            return key is not None
    return None


def _words(step: catalog_steps.MigrationStep) -> str:
    if step.operation is Operation.CREATE_TABLE:
        return f'table {step.table}'
    if step.operation is Operation.DROP_COLUMN:
        return f'{step.table} without column {step.column}'
    if step.column:
        return f'column {step.table}.{step.column}'
    columns = ', '.join(step.columns)
    return f'foreign key {step.table} ({columns}) to {step.parent}'


def alike(
    facts: catalog.Catalog, shape: column_types.Shape
) -> tuple[releases.Release, ...]:
    """Return the releases whose tables and columns a database has exactly."""
    present = {
        (table, column)
        for table, columns in shape.items()
        for column in columns
    }
    return tuple(
        release
        for release in facts.releases
        if facts.columns(release) == present
    )


def compare(
    facts: catalog.Catalog,
    revision: str,
    half: Iterable[Half],
    shape: column_types.Shape,
    schema: schema_source.Schema,
    dialect: str,
) -> SchemaDifference:
    """Return how a database differs from the schema of its revision.

    The changes of a migration that failed half way do not count.

    :param revision: one that a release has.
    :param half: what :func:`half_applied` returned.
    """
    expected = facts.columns_at(revision)
    if expected is None:
        return SchemaDifference()
    release = facts.releases_with(revision)[0]
    dropped, created = _of_pending(facts, half)
    wanted = expected - dropped
    known = {table for table, _ in wanted}
    tables = {
        name: table
        for name, table in facts.tables(release).items()
        if name in known and name in shape
    }
    missing = sorted(
        {
            f'column {table}.{column}' if table in shape else f'table {table}'
            for table, column in wanted
            if column not in shape.get(table, {})
        }
    )
    return SchemaDifference(
        tuple(missing),
        tuple(sorted(_missing_indexes(tables, shape, schema, dialect))),
        tuple(sorted(_missing_keys(tables, expected, shape, schema))),
        tuple(sorted(set(shape) - known - created)),
    )


def _of_pending(
    facts: catalog.Catalog, half: Iterable[Half]
) -> tuple[set[tuple[str, str]], set[str]]:
    """Return the columns that begun revisions drop, the tables they create."""
    dropped, created = set(), set()
    for one in half:
        release = facts.releases_with(one.revision)[0]
        for step in facts.steps(release)[one.revision]:
            if step.operation is Operation.DROP_COLUMN and step.column:
                dropped.add((step.table, step.column))
            elif step.operation is Operation.CREATE_TABLE:
                created.add(step.table)
    return dropped, created


def _missing_indexes(
    tables: dict[str, catalog_schema.Table],
    shape: column_types.Shape,
    schema: schema_source.Schema,
    dialect: str,
) -> Iterable[str]:
    present: dict[str, list[schema_source.LiveIndex]] = {}
    for index in schema.indexes:
        present.setdefault(index.table, []).append(index)
    for name, table in tables.items():
        wanted = [(unique.columns, True) for unique in table.uniques]
        if dialect != 'sqlite':
            # SQLite has no index for an integer primary key.
            primary = table.primary
            if dialect == 'postgresql':
                primary = table.primary_postgresql
            wanted += [(primary, True)] if primary else []
        wanted += [
            (index.columns, index.unique)
            for index in table.indexes
            if not index.dialects or dialect in index.dialects
        ]
        for columns, unique in wanted:
            if not all(column in shape[name] for column in columns):
                continue
            if not any(
                _serves(index, columns, unique)
                for index in present.get(name, ())
            ):
                words = f'{name} ({", ".join(columns)})'
                yield f'unique {words}' if unique else words


def _serves(
    index: schema_source.LiveIndex, columns: tuple[str, ...], unique: bool
) -> bool:
    if unique:
        # The order of the columns does not matter: it rejects the same rows.
        return index.unique and set(index.columns) == set(columns)
    return index.columns[: len(columns)] == columns


def _missing_keys(
    tables: dict[str, catalog_schema.Table],
    expected: frozenset[tuple[str, str]],
    shape: column_types.Shape,
    schema: schema_source.Schema,
) -> Iterable[str]:
    for name, table in tables.items():
        for key in table.foreign_keys:
            if key.table not in shape or not all(
                (name, column) in expected and column in shape[name]
                for column in key.columns
            ):
                continue
            if schema.foreign_key(name, key.columns, key.table) is None:
                references = ', '.join(key.references)
                yield (
                    f'{name} ({", ".join(key.columns)}) to {key.table} '
                    f'({references})'
                )


def listed(names: Sequence[str], limit: int) -> str:
    """Return names in one line, the first ones when there are many."""
    words = ', '.join(names[:limit])
    more = len(names) - limit
    if more <= 0:
        return words
    return f'{words} and {more} more' if words else f'{more} of them'
