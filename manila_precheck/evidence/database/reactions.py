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
"""What the server does by itself when rows change: triggers, rules, policies.

A trigger can reject a statement. A trigger, a rule or a policy of PostgreSQL
can also make it change no row, without an error.
"""

from collections.abc import Collection
from collections.abc import Iterator
import re
from typing import Any
from typing import NamedTuple

from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import triggers

_SIGNALS = re.compile(r'\b(RE)?SIGNAL\b', re.IGNORECASE)

_RULES = (
    'SELECT c.relname, r.rulename FROM pg_rewrite r '
    'JOIN pg_class c ON c.oid = r.ev_class '
    "WHERE pg_table_is_visible(c.oid) AND r.ev_type = '{event}' "
    "AND r.is_instead AND r.ev_enabled IN ('O', 'A') "
    "AND c.relkind IN ('r', 'p') ORDER BY c.relname, r.rulename"
)
# An account that may not write is not that of manila. One permissive policy
# has to admit a row, and so has each restrictive one (PostgreSQL 15 doc
# ddl-rowsecurity).
_POLICIES = (
    'SELECT c.relname, bool_or(p.polpermissive), '
    "bool_or(p.polpermissive AND p.qual = 'true'), "
    "bool_or(NOT p.polpermissive AND p.qual <> 'true') "
    'FROM pg_class c LEFT JOIN (SELECT polrelid, polpermissive, '
    "COALESCE(pg_get_expr(polqual, polrelid), 'true') AS qual "
    "FROM pg_policy WHERE polcmd IN ('{command}', '*') "
    'AND EXISTS (SELECT FROM unnest(polroles) r '
    "WHERE r = 0 OR pg_has_role(r, 'USAGE'))) p ON p.polrelid = c.oid "
    'WHERE c.relrowsecurity AND pg_table_is_visible(c.oid) '
    "AND row_security_active(c.oid) AND has_table_privilege(c.oid, '{verb}') "
    'GROUP BY c.relname ORDER BY c.relname'
)

_WORDS = {
    'UPDATE': {'verb': 'UPDATE', 'event': 2, 'command': 'w'},
    'DELETE': {'verb': 'DELETE', 'event': 4, 'command': 'd'},
}

# RAISE without a level raises an exception.
_RAISES = re.compile(
    r'\bRAISE\b(?!\s+(DEBUG|LOG|INFO|NOTICE|WARNING)\b)', re.IGNORECASE
)
_RETURNS = re.compile(r'\bRETURN\s+(NULL|NEW|OLD)\b', re.IGNORECASE)

_OFF = {
    'trigger': 'ALTER TABLE {table} DISABLE TRIGGER {name};',
    'rule': 'ALTER TABLE {table} DISABLE RULE {name};',
    'policy': 'ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;',
    'event trigger': 'ALTER EVENT TRIGGER {name} DISABLE;',
}


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

    silent: bool = False
    """Whether the statement changes no row, instead of an error."""

    at_commit: bool = False
    """Whether the error comes at the end of the transaction."""

    def switched_off(self, db: connection.Database) -> str:
        """Return the statement that ends it.

        On PostgreSQL the same one with ENABLE brings it back.
        """
        name = db.quoted(self.name)
        if db.dialect == 'mysql':
            return f'DROP TRIGGER {name};'
        return _OFF[self.kind].format(table=db.quoted(self.table), name=name)


def to_rows(
    db: connection.Database, verb: str, tables: Collection[str]
) -> Iterator[Reaction]:
    """Yield what can stop a statement that changes rows of some tables.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :param verb: the statement: 'UPDATE' or 'DELETE'.
    """
    for one in triggers.read(db):
        if one.table in tables and verb in one.verbs:
            yield from _of_trigger(one, verb)
    if db.dialect == 'mysql':
        return
    for table, name in _rows(db, _RULES, verb):
        if table in tables:
            yield Reaction('rule', table, name, True, True)
    for table, permits, permits_all, restricts in _rows(db, _POLICIES, verb):
        if table in tables and (restricts or not permits_all):
            yield Reaction('policy', table, table, not permits, True)


def _of_trigger(one: triggers.Trigger, verb: str) -> Iterator[Reaction]:
    if one.dialect == 'mysql':
        rejects, keeps = _SIGNALS.search(one.body) is not None, False
    else:
        rejects = raises(one.body)
        keeps = one.before_row and _returns_no_row(one.body, verb)
    if rejects or keeps:
        yield Reaction(
            'trigger', one.table, one.name, False, not rejects, one.at_commit
        )


def raises(body: str) -> bool:
    """Say whether a function of PL/pgSQL can raise an exception."""
    return _RAISES.search(body) is not None


def _returns_no_row(body: str, verb: str) -> bool:
    """Say whether a trigger function can skip the row of a statement."""
    found = {one.upper() for one in _RETURNS.findall(body)}
    # In a trigger for DELETE the row NEW is NULL.
    return 'NULL' in found or (
        verb == 'DELETE' and 'NEW' in found and 'OLD' not in found
    )


def _rows(
    db: connection.Database, statement: str, verb: str
) -> list[list[Any]]:
    return [
        [
            connection.text_of(one) if isinstance(one, (str, bytes)) else one
            for one in row
        ]
        for row in db.rows(
            statement.format(**_WORDS[verb]), 'rules and policies'
        )
    ]
