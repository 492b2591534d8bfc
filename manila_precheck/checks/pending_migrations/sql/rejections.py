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
"""CHECK constraints and event triggers that reject a migration.

After each migration alembic updates the one row of alembic_version, and fails
unless one row is changed (alembic 1.14 runtime/migration.py, _update_version).
A constraint can reject that. An event trigger of PostgreSQL can reject the
migration itself.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
import re
from typing import Any

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import reactions

# Not on MySQL, whose check_constraints does not name the table.
_MARIADB_CHECKS = (
    'SELECT table_name, constraint_name, check_clause, 0 '
    'FROM information_schema.check_constraints '
    'WHERE constraint_schema = DATABASE() '
    'AND EXISTS (SELECT 1 FROM information_schema.global_variables '
    "WHERE variable_name = 'CHECK_CONSTRAINT_CHECKS' "
    "AND variable_value = 'ON') "
    'ORDER BY table_name, constraint_name'
)
# A function, an operator or a type that is not the server's own is what a
# constraint depends on, besides its table.
_CHECKS = (
    'SELECT c.relname, k.conname, pg_get_expr(k.conbin, k.conrelid), '
    'EXISTS (SELECT FROM pg_depend d '
    "WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid "
    "AND d.refclassid <> 'pg_class'::regclass) "
    'FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid '
    "WHERE k.contype = 'c' AND pg_table_is_visible(c.oid) "
    'ORDER BY c.relname, k.conname'
)
_REJECTED = (
    'SELECT version_num FROM ({revisions}) {table} WHERE NOT ({clause})'
)
# An expression of the database is evaluated only if it calls nothing else, and
# so can neither wait nor change anything.
_LITERAL = re.compile("'(?:[^']|'')*'")
_CALL = re.compile(r'([\w$"`\]]+)\s*\(')
_HARMLESS = frozenset(
    (
        'and any between btrim cast char_length coalesce concat in is length '
        'like lower not octet_length or trim upper xor'
    ).split()
)
_VIOLATED = 'SELECT 1 FROM {quoted} WHERE NOT ({clause}) LIMIT 1'

# An event trigger of an extension comes with it, and is left out.
_EVENT_TRIGGERS = (
    "SELECT e.evtname, p.prosrc, array_to_string(e.evttags, ',') "
    'FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid '
    "WHERE e.evtenabled IN ('O', 'A') "
    "AND e.evtevent IN ('ddl_command_start', 'ddl_command_end') "
    'AND NOT EXISTS (SELECT FROM pg_depend d '
    "WHERE d.classid = 'pg_event_trigger'::regclass "
    "AND d.objid = e.oid AND d.deptype = 'e') ORDER BY e.evtname"
)


def rejected_revisions(
    db: connection.Database, revisions: Collection[str]
) -> Iterator[tuple[reactions.Reaction, str]]:
    """Yield CHECK constraints of alembic_version, and what they reject first.

    One that is not evaluated can reject any revision.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :param revisions: the revisions in the order in which they are recorded.
    """
    values = ' UNION ALL '.join(
        f'SELECT {connection.text_literal(one)} AS version_num'
        for one in revisions
    )
    for check, clause in _checks(db, {connection.VERSION_TABLE}):
        if not check.certain:
            yield check, next(iter(revisions))
            continue
        found = _matches(
            db,
            _REJECTED,
            {'revisions': values, 'table': check.table, 'clause': clause},
        )
        for one in revisions:
            if one in found:
                yield check, one
                break


def violated_checks(
    db: connection.Database, tables: Collection[str]
) -> Iterator[reactions.Reaction]:
    """Yield the CHECK constraints that a row of a table violates.

    A constraint can be added without a look at the rows. One that is not
    evaluated is not certain.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    for check, clause in _checks(db, tables):
        words = {'quoted': db.quoted(check.table), 'clause': clause}
        if not check.certain or _matches(db, _VIOLATED, words):
            yield check


def _checks(
    db: connection.Database, tables: Collection[str]
) -> Iterator[tuple[reactions.Reaction, str]]:
    """Yield the CHECK constraints of some tables with their expressions."""
    if db.dialect == 'postgresql':
        statement = _CHECKS
    elif 'mariadb' in db.server_version.lower():
        statement = _MARIADB_CHECKS
    else:
        return
    for table, name, clause, foreign in _rows(db, statement, {}):
        if table in tables:
            harmless = not foreign and all(
                called.lower() in _HARMLESS
                for called in _CALL.findall(_LITERAL.sub("''", clause))
            )
            yield reactions.Reaction('check', table, name, harmless), clause


def _matches(
    db: connection.Database, statement: str, words: Mapping[str, str]
) -> set[Any]:
    try:
        return {row[0] for row in _rows(db, statement, words)}
    except exceptions.StatementRefused:
        # The expression may need a function that the account may not call.
        return set()


def to_statements(
    db: connection.Database, tags: frozenset[str]
) -> Iterator[reactions.Reaction]:
    """Yield the event triggers that can stop some statements.

    :param db: a database of PostgreSQL.
    :param tags: the commands: 'CREATE TABLE', 'ALTER TABLE'.
    """
    for name, body, only in _rows(db, _EVENT_TRIGGERS, {}):
        if reactions.raises(body) and (
            not only or tags.intersection(only.split(','))
        ):
            yield reactions.Reaction('event trigger', '', name, False)


def _rows(
    db: connection.Database, statement: str, words: Mapping[str, str]
) -> list[list[Any]]:
    for word, text in words.items():
        statement = statement.replace(f'{{{word}}}', text)
    return [
        [connection.text_of(one) if _is_text(one) else one for one in row]
        for row in db.rows(statement, 'triggers, rules and constraints')
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bytes))
