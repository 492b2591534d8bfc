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
"""What the server does by itself when a migration runs: triggers, rules.

After each migration alembic updates the one row of alembic_version, and fails
unless one row is changed (alembic 1.14 runtime/migration.py, _update_version).
A trigger can reject that, and a rule or a policy of PostgreSQL can make it
change no row. An event trigger of PostgreSQL can reject the migration itself.
"""

from collections.abc import Iterator
import re
from typing import Any
from typing import NamedTuple

from manila_precheck.evidence.database import connection

# MySQL shows the triggers only to an account with the privilege TRIGGER.
_MYSQL_TRIGGERS = (
    'SELECT trigger_name, action_statement '
    'FROM information_schema.triggers '
    'WHERE event_object_schema = DATABASE() '
    "AND event_object_table = '{table}' AND event_manipulation = 'UPDATE' "
    'ORDER BY trigger_name'
)
_SIGNALS = re.compile(r'\b(RE)?SIGNAL\b', re.IGNORECASE)

# The bits of tgtype: 1 for each row, 2 before, 16 on update.
_TRIGGERS = (
    'SELECT t.tgname, p.prosrc, (t.tgtype & 3) = 3 '
    'FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid '
    "WHERE t.tgrelid = to_regclass('{table}') AND NOT t.tgisinternal "
    "AND t.tgenabled IN ('O', 'A') AND (t.tgtype & 16) <> 0 "
    'ORDER BY t.tgname'
)
_RULES = (
    'SELECT rulename FROM pg_rewrite '
    "WHERE ev_class = to_regclass('{table}') AND ev_type = '2' "
    "AND is_instead AND ev_enabled IN ('O', 'A') ORDER BY rulename"
)
_POLICIES = (
    "SELECT row_security_active('{table}'), EXISTS (SELECT FROM pg_policy "
    "WHERE polrelid = to_regclass('{table}') AND polcmd IN ('w', '*')), "
    "has_table_privilege('{table}', 'UPDATE')"
)

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
    """Something that can stop a migration."""

    kind: str
    """'trigger', 'rule', 'policy' or 'event trigger'."""

    name: str
    """Its name; that of the table for a policy."""

    certain: bool
    """Whether it does so each time."""


def to_the_revision(db: connection.Database) -> Iterator[Reaction]:
    """Yield what can stop the update of alembic_version.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    """
    if db.dialect == 'mysql':
        for name, body in _rows(db, _MYSQL_TRIGGERS):
            if _SIGNALS.search(body):
                yield Reaction('trigger', name, False)
        return
    for name, body, before_row in _rows(db, _TRIGGERS):
        if _RAISES.search(body) or (before_row and _RETURNS_NULL.search(body)):
            yield Reaction('trigger', name, False)
    for (name,) in _rows(db, _RULES):
        yield Reaction('rule', name, True)
    active, updates, writes = _rows(db, _POLICIES)[0]
    # An account that may not write is not that of manila.
    if active and writes and not updates:
        yield Reaction('policy', connection.VERSION_TABLE, True)


def to_statements(
    db: connection.Database, tags: frozenset[str]
) -> Iterator[Reaction]:
    """Yield the event triggers that can stop some statements.

    :param db: a database of PostgreSQL.
    :param tags: the commands: 'CREATE TABLE', 'ALTER TABLE'.
    """
    for name, body, only in _rows(db, _EVENT_TRIGGERS):
        if _RAISES.search(body) and (
            not only or tags.intersection(only.split(','))
        ):
            yield Reaction('event trigger', name, False)


def _rows(db: connection.Database, statement: str) -> list[list[Any]]:
    return [
        [connection.text_of(one) if _is_text(one) else one for one in row]
        for row in db.rows(
            statement.replace('{table}', connection.VERSION_TABLE),
            'triggers and rules',
        )
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bytes))
