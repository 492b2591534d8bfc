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

# MySQL shows the triggers only to an account with the privilege TRIGGER.
_MYSQL_TRIGGERS = (
    'SELECT event_object_table, trigger_name, action_statement '
    'FROM information_schema.triggers '
    "WHERE event_object_schema = DATABASE() AND event_manipulation = '{verb}'"
    ' ORDER BY event_object_table, trigger_name'
)
_SIGNALS = re.compile(r'\b(RE)?SIGNAL\b', re.IGNORECASE)

# The bits of tgtype: 1 for each row, 2 before, 8 on delete, 16 on update.
_TRIGGERS = (
    'SELECT c.relname, t.tgname, p.prosrc, (t.tgtype & 3) = 3 '
    'FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid '
    'JOIN pg_class c ON c.oid = t.tgrelid '
    'WHERE pg_table_is_visible(c.oid) AND NOT t.tgisinternal '
    "AND t.tgenabled IN ('O', 'A') AND (t.tgtype & {bit}) <> 0 "
    'ORDER BY c.relname, t.tgname'
)
_RULES = (
    'SELECT c.relname, r.rulename FROM pg_rewrite r '
    'JOIN pg_class c ON c.oid = r.ev_class '
    "WHERE pg_table_is_visible(c.oid) AND r.ev_type = '{event}' "
    "AND r.is_instead AND r.ev_enabled IN ('O', 'A') "
    "AND c.relkind IN ('r', 'p') ORDER BY c.relname, r.rulename"
)
# An account that may not write is not that of manila.
_POLICIES = (
    'SELECT c.relname FROM pg_class c '
    'WHERE c.relrowsecurity AND pg_table_is_visible(c.oid) '
    "AND row_security_active(c.oid) AND has_table_privilege(c.oid, '{verb}') "
    'AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid '
    "AND p.polcmd IN ('{command}', '*')) ORDER BY c.relname"
)

_WORDS = {
    'UPDATE': {'verb': 'UPDATE', 'bit': 16, 'event': 2, 'command': 'w'},
    'DELETE': {'verb': 'DELETE', 'bit': 8, 'event': 4, 'command': 'd'},
}

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
    db: connection.Database, verb: str, tables: Collection[str]
) -> Iterator[Reaction]:
    """Yield what can stop a statement that changes rows of some tables.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :param verb: the statement: 'UPDATE' or 'DELETE'.
    """
    if db.dialect == 'mysql':
        for table, name, body in _rows(db, _MYSQL_TRIGGERS, verb):
            if table in tables and _SIGNALS.search(body):
                yield Reaction('trigger', table, name, False)
        return
    for table, name, body, before_row in _rows(db, _TRIGGERS, verb):
        if table in tables and (
            raises(body) or (before_row and _RETURNS_NULL.search(body))
        ):
            yield Reaction('trigger', table, name, False)
    for table, name in _rows(db, _RULES, verb):
        if table in tables:
            yield Reaction('rule', table, name, True)
    for (table,) in _rows(db, _POLICIES, verb):
        if table in tables:
            yield Reaction('policy', table, table, True)


def raises(body: str) -> bool:
    """Say whether a function of PL/pgSQL can raise an exception."""
    return _RAISES.search(body) is not None


def _rows(
    db: connection.Database, statement: str, verb: str
) -> list[list[Any]]:
    return [
        [
            connection.text_of(one) if isinstance(one, (str, bytes)) else one
            for one in row
        ]
        for row in db.rows(
            statement.format(**_WORDS[verb]), 'triggers, rules and policies'
        )
    ]
