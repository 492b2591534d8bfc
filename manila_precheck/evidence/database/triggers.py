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
"""The triggers of a database, and what their statements name.

Only the words of a body are looked at; nothing of it is evaluated. A name is
returned only if it is certainly that of a table: not of a variable, a
function, a common table expression or a table that the body creates, and not
from a text that the body executes.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.database import connection

# MySQL shows the triggers only to an account with the privilege TRIGGER.
_MYSQL = (
    'SELECT event_object_table, trigger_name, event_manipulation, '
    "action_statement, action_timing = 'BEFORE', 0, 0, 1 "
    'FROM information_schema.triggers '
    'WHERE event_object_schema = DATABASE() '
    'ORDER BY event_object_table, trigger_name'
)

# The bits of tgtype: 1 for each row, 2 before, 4 on insert, 8 on delete, 16 on
# update. A function with a search_path of its own, or that of its owner, finds
# other tables by the same name.
_POSTGRESQL = (
    'SELECT c.relname, t.tgname, '
    "concat_ws(' ', CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END, "
    "CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END, "
    "CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' END), "
    'p.prosrc, (t.tgtype & 3) = 3, '
    'CASE WHEN p.prosecdef OR p.proconfig IS NOT NULL OR '
    't.tgnewtable IS NOT NULL OR t.tgoldtable IS NOT NULL THEN 1 ELSE 0 END, '
    "t.tginitdeferred, l.lanname = 'plpgsql' "
    'FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid '
    'JOIN pg_language l ON l.oid = p.prolang '
    'JOIN pg_class c ON c.oid = t.tgrelid '
    'WHERE pg_table_is_visible(c.oid) AND NOT t.tgisinternal '
    "AND t.tgenabled IN ('O', 'A') "
    'ORDER BY c.relname, t.tgname'
)

_COMMON = (
    r'(?P<space>\s+|--[^\n]*|/\*.*?\*/{hash})'
    r'|(?P<literal>{literal})|(?P<quoted>{quoted})'
    r'|(?P<word>[^\W\d][\w$]*)|(?P<sign>.)'
)
_TOKENS = {
    'mysql': re.compile(
        _COMMON.format(
            hash=r'|\#[^\n]*',
            literal=r"'(?:[^'\\]|''|\\.)*'" + r'|"(?:[^"\\]|""|\\.)*"',
            quoted='`(?:[^`]|``)+`',
        ),
        re.DOTALL,
    ),
    'postgresql': re.compile(
        _COMMON.format(
            hash='',
            literal=r"[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'"
            r'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$',
            quoted='"(?:[^"]|"")+"',
        ),
        re.DOTALL,
    ),
}

# With one of these words a body may create the table, test whether it exists,
# handle the error that it does not, or give another thing its name.
_UNSURE = frozenset(
    (
        'CREATE HANDLER INFORMATION_SCHEMA PG_CLASS PG_TABLES TO_REGCLASS WITH'
    ).split()
)
_MODIFIERS = frozenset(
    'DELAYED HIGH_PRIORITY IGNORE LOW_PRIORITY QUICK'.split()
)
_NO_NAMES = frozenset('DUAL LATERAL ROWS SELECT VALUES'.split())

# What comes before a statement.
_STARTS = frozenset(['', ';', 'BEGIN', 'THEN', 'ELSE', 'LOOP'])


class Token(NamedTuple):
    """A word, a quoted name, a literal or a sign of a body."""

    kind: str
    """'word', 'quoted', 'literal' or 'sign'."""

    text: str
    """As in the body; of a quoted name without its quotes."""

    @property
    def key(self) -> str:
        """The keyword or the sign; '' for anything else."""
        if self.kind == 'word':
            return self.text.upper()
        return self.text if self.kind == 'sign' else ''


_NOTHING = Token('sign', '')


class TableName(NamedTuple):
    """The name of a table in a body."""

    schema: str
    """The schema, on MySQL the database; '' without one."""

    name: str

    def __str__(self) -> str:
        """Return the name as in a body, without quotes."""
        return f'{self.schema}.{self.name}' if self.schema else self.name


class Trigger(NamedTuple):
    """A trigger of a table; on PostgreSQL one that is enabled."""

    table: str
    name: str

    verbs: tuple[str, ...]
    """The statements that fire it: 'INSERT', 'DELETE', 'UPDATE'."""

    body: str
    """What it does, on PostgreSQL the source of its function."""

    tokens: Sequence[Token]
    """The tokens of the body; none if that is not in PL/pgSQL or SQL."""

    before_row: bool
    """Whether it runs before a row is written."""

    other_names: bool
    """Whether a name without a schema may be that of something else."""

    at_commit: bool
    """Whether it runs at the end of the transaction."""

    dialect: str

    def sets(self, column: str) -> bool:
        """Say whether it may give a column of the new row its value."""
        folded = column.lower()
        return self.before_row and any(
            one.key == 'NEW'
            and self.token(at + 1).text == '.'
            and self.token(at + 2).text.lower() == folded
            for at, one in enumerate(self.tokens)
        )

    def tables(self) -> tuple[TableName, ...]:
        """Return the tables that its statements certainly name, sorted."""
        words = {one.key for one in self.tokens}
        if words & _UNSURE or any(
            one.key == 'EXCEPTION' and self.token(at - 1).key != 'RAISE'
            for at, one in enumerate(self.tokens)
        ):
            return ()
        return tuple(sorted(set(self._named())))

    def token(self, at: int) -> Token:
        """Return a token of the body; one of nothing outside of it."""
        return self.tokens[at] if 0 <= at < len(self.tokens) else _NOTHING

    def name_at(self, at: int) -> tuple[Optional[TableName], int]:
        """Return the name at a place, None without one, and what follows."""
        parts: list[str] = []
        while True:
            one = self.token(at)
            if one.kind not in ('word', 'quoted') or one.key in _NO_NAMES:
                return None, at
            folds = self.dialect == 'postgresql' and one.kind == 'word'
            parts.append(one.text.lower() if folds else one.text)
            at += 1
            if self.token(at).key != '.':
                break
            at += 1
        if len(parts) > 2:
            return None, at
        return TableName(parts[0] if len(parts) == 2 else '', parts[-1]), at

    def _named(self) -> Iterator[TableName]:
        # Whether a SELECT has begun in each open parenthesis.
        selects = [False]
        for at, one in enumerate(self.tokens):
            verb = self._before(at)
            if one.key == '(':
                selects.append(False)
            elif one.key == ')' and len(selects) > 1:
                selects.pop()
            elif one.key == ';':
                selects = [False]
            elif one.key in ('SELECT', 'PERFORM'):
                selects[-1] = True
            elif one.key == 'FROM' and verb != 'DISTINCT':
                if verb == 'DELETE' and not self._has_using(at):
                    yield from self._name_after(at)
                elif selects[-1]:
                    selects[-1] = False
                    yield from self._name_after(at, functions=True)
            elif one.key == 'JOIN':
                yield from self._name_after(at, functions=True)
            elif (one.key == 'INTO' and verb in ('INSERT', 'REPLACE')) or (
                one.key == 'UPDATE' and self.token(at - 1).key in _STARTS
            ):
                yield from self._name_after(at)

    def _before(self, at: int) -> str:
        """Return the keyword before a place, without its modifiers."""
        at -= 1
        while self.token(at).key in _MODIFIERS:
            at -= 1
        return self.token(at).key

    def _has_using(self, at: int) -> bool:
        """Say whether aliases may follow a DELETE FROM."""
        for one in self.tokens[at:]:
            if one.key == ';':
                break
            if one.key == 'USING':
                return True
        return False

    def _name_after(
        self, at: int, functions: bool = False
    ) -> Iterator[TableName]:
        at += 1
        while self.token(at).key in (*_MODIFIERS, 'ONLY'):
            at += 1
        found, end = self.name_at(at)
        if found is None or (functions and self.token(end).key == '('):
            return
        if found.schema or not self.other_names:
            yield found


def read(db: connection.Database) -> tuple[Trigger, ...]:
    """Return the triggers that the account can see, by table and name.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :raises SourceUnusable: when the server cannot be queried.
    """
    statement = _POSTGRESQL if db.dialect == 'postgresql' else _MYSQL
    found = []
    for row in db.rows(statement, 'the triggers'):
        table, name, verbs, body = map(connection.text_of, row[:4])
        before_row, other_names, at_commit, known = map(bool, row[4:])
        found.append(
            Trigger(
                table,
                name,
                tuple(verbs.split()),
                body,
                tuple(_tokens(body, db.dialect)) if known else (),
                before_row,
                other_names,
                at_commit,
                db.dialect,
            )
        )
    return tuple(found)


def _tokens(body: str, dialect: str) -> Iterator[Token]:
    for found in _TOKENS[dialect].finditer(body):
        kind = str(found.lastgroup)
        text = found[0]
        if kind == 'quoted':
            quote = text[0]
            text = text[1:-1].replace(quote * 2, quote)
        if kind != 'space':
            yield Token(kind, text)
