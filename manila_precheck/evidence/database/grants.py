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
"""The privileges of the account on MySQL and MariaDB, by SHOW GRANTS.

For the account of the session it lists what is granted to the account, to the
roles that are active in the session (the next session of the account has the
same ones) and to PUBLIC. A role that is granted and not active has no effect.

Of the grants of one grantee on databases, the most specific one hides the
others: with DROP on `manila` and ALTER on `man%`, ALTER is denied. Tried on
MariaDB 10.11.19, with nested roles, default and not, and with PUBLIC.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.database import connection

_ACCOUNT = 'SELECT CURRENT_USER(), DATABASE()'

_NAME = r'`(?:[^`]|``)*`|"(?:[^"]|"")*"'

# Privileges on anything other than tables (PROCEDURE, PROXY) are ignored.
_GRANT = re.compile(
    r'(?P<verb>GRANT|REVOKE) (?P<rights>.+?) ON '
    rf'(?:(?P<all>\*\.\*)|(?P<database>{_NAME})\.'
    rf'(?:\*|(?P<table>{_NAME}))) (?:TO|FROM) (?P<grantee>\S+)'
)

# For the account itself, after its GRANT USAGE ON *.*.
_LIMIT = re.compile(r'\b(?P<name>MAX_\w+) (?P<value>[\d.]+)')

_ROLE = re.compile(rf'GRANT (?P<role>{_NAME})(?:@(?:{_NAME}))? TO ')

# The columns of a privilege; it counts as one on the whole table, because it
# usually lists all existing columns.
_COLUMNS = re.compile(r' \([^)]*\)')

ALL = 'ALL PRIVILEGES'

#: The privileges to change something; an account that only reads has none.
WRITING = frozenset({'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'ALTER', 'DROP'})


class _Grant(NamedTuple):
    """One line that grants or revokes privileges."""

    rights: frozenset[str]

    database: Optional[str]
    """The pattern of the database; None for all databases."""

    table: Optional[str]
    """None for all tables."""

    grantee: str
    revoked: bool


class Rights:
    """What the account may do in the database.

    :param lines: the output of SHOW GRANTS.
    :param database: the name of the database.
    """

    def __init__(self, lines: Iterable[str], database: str) -> None:
        grants = []
        roles = []
        for line in lines:
            role = _ROLE.match(line)
            if role:
                roles.append(role['role'])
            found = _GRANT.match(line)
            if found:
                grants.append(_grant(found))
        # An active role has at least GRANT USAGE ON *.* TO `role`.
        active = {grant.grantee for grant in grants}
        #: The roles that were granted to the account and are not active.
        self.roles = [_unquoted(one) for one in roles if one not in active]
        everywhere: set[str] = set()
        self._tables: dict[str, set[str]] = {}
        here: dict[str, list[_Grant]] = {}
        taken: set[str] = set()
        for grant in grants:
            if grant.revoked:
                if grant.database == database:
                    taken |= grant.rights
            elif grant.database is None:
                everywhere |= grant.rights
            elif grant.table is not None:
                if grant.database == database:
                    self._tables.setdefault(grant.table, set()).update(
                        grant.rights
                    )
            elif _matches(grant.database, database):
                here.setdefault(grant.grantee, []).append(grant)
        if ALL in everywhere and taken:
            # ALL minus the revoked privileges is left. Only the privileges
            # that migrations need are listed here.
            everywhere |= WRITING | {'SELECT', 'INDEX', 'REFERENCES'}
            everywhere.discard(ALL)
        self._database = everywhere - taken
        #: The database pattern, by grantee, to which another privilege can be
        #: granted without hiding an existing grant.
        self.patterns: dict[str, str] = {}
        for grantee, some in here.items():
            best = max(_precision(one.database or '') for one in some)
            for one in some:
                if _precision(one.database or '') == best:
                    self._database |= one.rights
                    self.patterns[grantee] = one.database or ''

    def may(self, right: str, table: str) -> bool:
        """Say whether it has a privilege on a table, existing or not."""
        return bool(
            {right, ALL}
            & (self._database | self._tables.get(table, frozenset()))
        )

    @property
    def writes(self) -> bool:
        """Whether it may change anything in the database."""
        some = self._database.union(*self._tables.values())
        return bool(some & (WRITING | {ALL}))


def _grant(found: 're.Match[str]') -> _Grant:
    rights = _COLUMNS.sub('', found['rights'])
    return _Grant(
        frozenset(one.strip() for one in rights.split(',')),
        None if found['all'] else _unquoted(found['database']),
        _unquoted(found['table']) if found['table'] else None,
        found['grantee'],
        found['verb'] == 'REVOKE',
    )


def _unquoted(name: str) -> str:
    quote = name[0]
    return name[1:-1].replace(quote * 2, quote)


def _matches(pattern: str, name: str) -> bool:
    r"""Say whether a pattern with '%', '_', '\%' and '\_' matches a name."""
    if pattern == name:
        return True
    expression = ''.join(
        re.escape(part[1])
        if len(part) == 2
        else {'%': '.*', '_': '.'}.get(part, re.escape(part))
        for part in re.findall(r'\\[%_\\]|.', pattern, re.DOTALL)
    )
    return re.fullmatch(expression, name, re.DOTALL) is not None


def _precision(pattern: str) -> tuple[bool, int, int]:
    """Return a sort key: the pattern with the greater one hides the other.

    Each pair of seven patterns was tried; with equal keys both grants count.
    """
    plain = re.sub(r'\\.', 'x', pattern)
    many = plain.count('%')
    return not many, len(plain) - many - plain.count('_'), len(plain)


class Grantee(NamedTuple):
    """The account and its privileges."""

    name: str
    """The account in the form of GRANT: 'manila'@'%', in quotes."""

    database: str
    rights: Rights
    grantee: str
    """The account in the form of SHOW GRANTS, in backticks."""

    limits: Mapping[str, float]
    """The limits of the account that MariaDB shows: MAX_STATEMENT_TIME."""

    def remedy(self, rights: Iterable[str]) -> list[model.Remediation]:
        """Return how to grant privileges to the account."""
        found = [model.sql('mysql', self._grant(rights))]
        if self.rights.roles:
            found.append(
                model.advice(
                    f'{self.name} was granted the role '
                    f'{", ".join(self.rights.roles)}: if that has them, make '
                    'it the default role of the account (SET DEFAULT ROLE), '
                    'since manila sets none.'
                )
            )
        return found

    def _grant(self, rights: Iterable[str]) -> str:
        """Return a GRANT that adds privileges and hides no existing grant."""
        pattern = self.rights.patterns.get(
            self.grantee, re.sub(r'([%_\\])', r'\\\1', self.database)
        )
        name = pattern.replace('`', '``')
        return f'GRANT {", ".join(rights)} ON `{name}`.* TO {self.name}'


def reads_all(db: connection.Database, database: str) -> bool:
    """Say whether the account may read every table of a database.

    :param database: the name of any database, existing or not.
    :raises SourceUnusable: when the server cannot be queried.
    """
    return Rights(_lines(db), database).may('SELECT', '')


def read(db: connection.Database) -> Grantee:
    """Return what the account may do.

    :raises SourceUnusable: when the server cannot be queried.
    """
    account, database = map(connection.text_of, db.row(_ACCOUNT))
    user, _, host = account.rpartition('@')
    lines = _lines(db)
    return Grantee(
        '{}@{}'.format(
            *(connection.text_literal(one) for one in (user, host))
        ),
        database,
        Rights(lines, database),
        '@'.join(
            '`{}`'.format(one.replace('`', '``')) for one in (user, host)
        ),
        {
            found['name']: float(found['value'])
            for line in lines
            for found in _LIMIT.finditer(line.rpartition(' WITH ')[2])
        },
    )


def _lines(db: connection.Database) -> list[str]:
    return [connection.text_of(row[0]) for row in db.rows('SHOW GRANTS')]
