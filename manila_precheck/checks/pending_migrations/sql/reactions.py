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
"""What the server does by itself when rows or tables change: triggers, rules.

After each migration alembic updates the one row of alembic_version, and fails
unless one row is changed (alembic 1.14 runtime/migration.py, _update_version).
A trigger or a constraint can reject that, and a rule or a policy of PostgreSQL
can make it change no row. An event trigger of PostgreSQL can reject the
migration itself.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
import re
from typing import Any
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck.evidence.database import connection

# MySQL shows the triggers only to an account with the privilege TRIGGER.
_MYSQL_TRIGGERS = (
    'SELECT event_object_table, trigger_name, action_statement '
    'FROM information_schema.triggers '
    "WHERE event_object_schema = DATABASE() AND event_manipulation = 'UPDATE'"
    ' ORDER BY event_object_table, trigger_name'
)
_SIGNALS = re.compile(r'\b(RE)?SIGNAL\b', re.IGNORECASE)

# The bits of tgtype: 1 for each row, 2 before, 16 on update.
_TRIGGERS = (
    'SELECT c.relname, t.tgname, p.prosrc, (t.tgtype & 3) = 3 '
    'FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid '
    'JOIN pg_class c ON c.oid = t.tgrelid '
    'WHERE pg_table_is_visible(c.oid) AND NOT t.tgisinternal '
    "AND t.tgenabled IN ('O', 'A') AND (t.tgtype & 16) <> 0 "
    'ORDER BY c.relname, t.tgname'
)
_RULES = (
    'SELECT c.relname, r.rulename FROM pg_rewrite r '
    'JOIN pg_class c ON c.oid = r.ev_class '
    "WHERE pg_table_is_visible(c.oid) AND r.ev_type = '2' "
    "AND r.is_instead AND r.ev_enabled IN ('O', 'A') "
    "AND c.relkind IN ('r', 'p') ORDER BY c.relname, r.rulename"
)
# An account that may not write is not that of manila.
_POLICIES = (
    'SELECT c.relname FROM pg_class c '
    'WHERE c.relrowsecurity AND pg_table_is_visible(c.oid) '
    "AND row_security_active(c.oid) AND has_table_privilege(c.oid, 'UPDATE') "
    'AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid '
    "AND p.polcmd IN ('w', '*')) ORDER BY c.relname"
)
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

# RAISE without a level raises an exception.
_RAISES = re.compile(
    r'\bRAISE\b(?!\s+(DEBUG|LOG|INFO|NOTICE|WARNING)\b)', re.IGNORECASE
)
_RETURNS_NULL = re.compile(r'\bRETURN\s+NULL\b', re.IGNORECASE)


class Reaction(NamedTuple):
    """Something that can reject a statement, or make it change nothing."""

    kind: str
    """'trigger', 'rule', 'policy', 'check' or 'event trigger'."""

    table: str
    """Its table; '' for an event trigger."""

    name: str
    """Its name; that of the table for a policy."""

    certain: bool
    """Whether it does so each time."""


def to_rows(
    db: connection.Database, tables: Collection[str]
) -> Iterator[Reaction]:
    """Yield what can stop an UPDATE in some tables.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    if db.dialect == 'mysql':
        for table, name, body in _rows(db, _MYSQL_TRIGGERS, {}):
            if table in tables and _SIGNALS.search(body):
                yield Reaction('trigger', table, name, False)
        return
    for table, name, body, before_row in _rows(db, _TRIGGERS, {}):
        if table in tables and (
            _RAISES.search(body) or (before_row and _RETURNS_NULL.search(body))
        ):
            yield Reaction('trigger', table, name, False)
    for table, name in _rows(db, _RULES, {}):
        if table in tables:
            yield Reaction('rule', table, name, True)
    for (table,) in _rows(db, _POLICIES, {}):
        if table in tables:
            yield Reaction('policy', table, table, True)


def rejected_revisions(
    db: connection.Database, revisions: Collection[str]
) -> Iterator[tuple[Reaction, str]]:
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
) -> Iterator[Reaction]:
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
) -> Iterator[tuple[Reaction, str]]:
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
            yield Reaction('check', table, name, harmless), clause


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
) -> Iterator[Reaction]:
    """Yield the event triggers that can stop some statements.

    :param db: a database of PostgreSQL.
    :param tags: the commands: 'CREATE TABLE', 'ALTER TABLE'.
    """
    for name, body, only in _rows(db, _EVENT_TRIGGERS, {}):
        if _RAISES.search(body) and (
            not only or tags.intersection(only.split(','))
        ):
            yield Reaction('event trigger', '', name, False)


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
