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
"""What keeps a purge from deleting the rows that it selects.

Tried with db purge of manila 20.0.3, 22.0.2 and 23.0.1, and in part of 18.3.0,
on MariaDB 10.11 and PostgreSQL 15, by account, trigger, rule and policy. The
purge skips a row only if oslo.db raises a DBError for it. On PostgreSQL that
is what a DELETE raises that the server rejects. On MariaDB PyMySQL raises an
OperationalError, which oslo.db leaves alone: the purge exits with 1. If a
DELETE changes no row, SQLAlchemy only warns, and the purge counts the row as
deleted.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
import enum
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import purging
from manila_precheck.checks.soft_deleted_rows import table_summary
from manila_precheck.checks.soft_deleted_rows.sql import purge_needs
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import reactions
from manila_precheck.evidence.database import schema_diff

# The limits of an account, and how many statements of that kind a purge sends
# for a row at least: SAVEPOINT, DELETE, RELEASE SAVEPOINT.
_LIMITS = {'MAX_UPDATES_PER_HOUR': 1, 'MAX_QUERIES_PER_HOUR': 3}


_LOGGED = 'although it logs them as deleted and exits with 0'


class _Ending(enum.Enum):
    """How a purge deals with what stops it at a table."""

    # It exits with 1, before or at the table.
    EXITS = 'exits'
    # It logs a warning for each row, goes on, and exits with 0.
    SKIPS = 'skips'
    # It logs the rows as deleted, and exits with 0.
    SILENT = 'silent'
    # It logs a warning for the table and the others as deleted, and exits
    # with 0; but PostgreSQL rolls back everything.
    ROLLED_BACK = 'rolled back'


class Obstacle(NamedTuple):
    """Something that keeps rows from being deleted."""

    tables: tuple[str, ...]
    """The tables whose rows stay, or may stay."""

    certain: bool
    """Whether all their rows stay."""

    finding: model.Finding


class Obstacles:
    """What stops a purge on one server.

    :param db: a database of MySQL, MariaDB or PostgreSQL.
    :param tables: the figures of the tables that were read.
    :param age: the age of the purge, in days.
    :param limit: how many names a message lists.
    """

    def __init__(
        self,
        db: connection.Database,
        purge: purging.Purge,
        tables: Sequence[table_summary.TableSummary],
        age: int,
        limit: int,
    ) -> None:
        self._db = db
        self._purge = purge
        self._age = age
        self._limit = limit
        self._existing = {
            table for table in purge.tables if db.has_table(table)
        }
        #: How many rows a purge deletes from each table that has some.
        self._rows = {
            table.name: table.about(table.deletable)
            for table in tables
            if table.deletable
        }
        # Whether that is known of every table.
        self._whole = {table.name for table in tables} >= self._existing
        # The purge sends a DELETE for these, even if a key keeps the rows.
        self._touched = {
            table.name
            for table in tables
            if table.rows.asked or table.key_effects.taken
        }

    def find(self) -> Iterator[Obstacle]:
        """Yield what stops it.

        :raises SourceUnusable: when the server cannot be queried.
        """
        # Without a row to delete, there is nothing to promise.
        if not self._rows:
            return
        if self._db.dialect == 'mysql':
            yield from self._gone_parents()
        yield from self._account()
        yield from self._reactions()

    # The account

    def _account(self) -> Iterator[Obstacle]:
        account = purge_needs.account(
            self._db, {'DELETE': self._touched, 'SELECT': self._existing}
        )
        if account is None:
            return
        for lacking in account.lacking:
            tables = [
                table for table in self._purge.order if table in lacking.tables
            ]
            on = schema_diff.listed(lacking.tables, self._limit)
            if len(lacking.tables) == len(self._touched) > 1:
                on = 'all tables with rows to purge'
            yield from self._obstacle(
                f'{account.name}, the account of [database] connection, '
                f'lacks {lacking.right} on {on}',
                tables,
                self._ending(tables[0], lacking.right),
                model.Subject('database', 'privileges'),
                lacking.right.lower(),
                lacking.remedy,
            )
        for name, statements in _LIMITS.items():
            most = account.limits.get(name, 0.0)
            first = self._at_row(most / statements)
            if most and first:
                yield from self._obstacle(
                    f'{name} is {most:g} for {account.name}, the account of '
                    '[database] connection (error 1226)',
                    [first],
                    _Ending.EXITS,
                    model.Subject('database', name),
                    'limit',
                    [
                        model.sql(
                            'mysql',
                            f'ALTER USER {account.name} WITH {name} 0;',
                        )
                    ],
                    certain=not self._purge.by_table,
                )

    def _at_row(self, most: float) -> Optional[str]:
        """Return the table in which the purge goes beyond a number of rows."""
        rows = 0
        for table in self._purge.order:
            rows += self._rows.get(table, 0)
            if rows > most:
                return table
        return None

    # The server

    def _gone_parents(self) -> Iterator[Obstacle]:
        for key in purge_needs.gone_parents(self._db):
            # The check has an error for a table of manila that is not there.
            if key.parent in self._purge.tables:
                continue
            drop = (
                f'ALTER TABLE {self._db.quoted(key.table)} DROP FOREIGN KEY '
                f'{self._db.quoted(key.name)};'
            )
            first = self._purge.first if self._purge.by_table else ()
            yield from self._obstacle(
                f'the foreign key {key.name} of table {key.table} refers to '
                f'{key.parent}, which does not exist, or which the account '
                'may not see',
                [one for one in self._purge.order if one not in first],
                _Ending.EXITS,
                model.Subject('table', key.table),
                f'key-{key.name}',
                [
                    model.advice(
                        f'Restore {key.parent}, or drop the foreign key:'
                    ),
                    model.sql('mysql', drop),
                ],
            )

    def _reactions(self) -> Iterator[Obstacle]:
        for one in reactions.to_rows(self._db, 'DELETE', self._touched):
            ending = self._ending(one.table, 'DELETE')
            if one.silent:
                ending = _Ending.SILENT
            elif one.at_commit and not self._purge.by_table:
                ending = _Ending.EXITS
            yield from self._obstacle(
                f'table {one.table} has {_words(one)}',
                [one.table],
                ending,
                model.Subject('table', one.table),
                one.kind if one.kind == 'policy' else f'{one.kind}-{one.name}',
                self._switched_off(one),
                one.certain,
            )

    def _switched_off(
        self, one: reactions.Reaction
    ) -> Sequence[model.Remediation]:
        statement = one.switched_off(self._db)
        if self._db.dialect == 'mysql':
            return [
                model.advice(
                    'Read it. If the rows may go, drop it for the purge, and '
                    'create it again:'
                ),
                model.sql(
                    'mysql',
                    f'SHOW CREATE TRIGGER {self._db.quoted(one.name)};',
                ),
                model.sql('mysql', statement),
            ]
        return [
            model.advice(
                'Find out what it is for. If the rows may go, disable it for '
                'the purge, as the owner of the table; afterwards, run the '
                'same with ENABLE:'
            ),
            model.sql('postgresql', statement),
        ]

    # What happens

    def _ending(self, table: str, right: str) -> _Ending:
        """Return what happens when the server rejects a statement."""
        if self._db.dialect == 'mysql':
            return _Ending.EXITS
        if table in self._purge.first:
            if right == 'SELECT' or not self._purge.by_table:
                return _Ending.EXITS
        if right == 'SELECT' and not self._purge.by_table:
            return _Ending.ROLLED_BACK
        return _Ending.SKIPS

    def _scope(self, tables: Sequence[str], ending: _Ending) -> list[str]:
        """Return the tables with rows that stay, in the order of the purge."""
        reached = list(tables)
        if ending in (_Ending.EXITS, _Ending.ROLLED_BACK):
            reached = list(self._purge.order)
            if self._purge.by_table:
                reached = reached[reached.index(tables[0]) :]
        return [one for one in reached if one in self._rows]

    def _obstacle(
        self,
        what: str,
        tables: Sequence[str],
        ending: _Ending,
        subject: model.Subject,
        aspect: str,
        todo: Sequence[model.Remediation],
        certain: bool = True,
    ) -> Iterator[Obstacle]:
        """Yield it, if a row that the purge deletes would stay.

        :param tables: where it stops the purge, in the order of the purge.
        """
        stay = self._scope(tables, ending)
        rows = sum(self._rows[table] for table in stay)
        if not rows:
            return
        total = sum(self._rows.values())
        yield Obstacle(
            tuple(stay),
            certain,
            model.Finding(
                model.Severity.WARNING,
                subject,
                f'{what}: a purge at {self._age} days '
                + self._outcome(stay, rows, ending, certain),
                todo,
                data={
                    'rows_that_stay': rows,
                    'purge_deletes': total - rows,
                    'certain': certain,
                    'exit_code': int(ending is _Ending.EXITS),
                },
                aspect=f'stays:{aspect}',
            ),
        )

    def _outcome(
        self, stay: Sequence[str], rows: int, ending: _Ending, certain: bool
    ) -> str:
        """Return what the purge does, in words after 'a purge'."""
        total = sum(self._rows.values())
        whole = f'its {_count(total)}' if self._whole else 'its rows'
        may = '' if certain else 'may '
        s = 's' if certain else ''
        all_rows = f'delete{s} none of {whole}'
        if ending is _Ending.EXITS:
            if rows < total:
                all_rows = (
                    f'leave{s} {rows} of {whole}: those of {stay[0]}, and of '
                    'the tables that it purges later'
                )
            return f'{may}exit{s} with 1, and {all_rows}'
        if ending is _Ending.ROLLED_BACK:
            return f'{all_rows}, {_LOGGED}'
        upto = '' if certain else 'up to '
        parents = sorted(
            {
                ref.parent
                for ref in self._purge.references
                if ref.child in stay
                and ref.parent not in stay
                and ref.parent in self._rows
            }
        )
        how = '; it logs warnings, and exits with 0'
        if ending is _Ending.SILENT:
            how = f', {_LOGGED}'
        more = ''
        if parents:
            more = (
                f'; rows of {schema_diff.listed(parents, self._limit)} to '
                'which they refer stay, too'
            )
        return f'{may}leave{s} {upto}{_count(rows)}{how}{more}'


def _words(one: reactions.Reaction) -> str:
    if one.kind == 'rule':
        return f'the rule {one.name}, which replaces a DELETE'
    if one.kind == 'policy':
        if one.certain:
            return 'row-level security without a policy for DELETE'
        return 'row-level security, whose policies can hide rows from a DELETE'
    if one.silent:
        return f'the trigger {one.name}, which can skip a row of a DELETE'
    return f'the trigger {one.name}, which can reject a DELETE'


def _count(rows: int) -> str:
    return f'{rows} row{"" if rows == 1 else "s"}'


def held(
    purge: purging.Purge,
    tables: Sequence[table_summary.TableSummary],
    obstacles: Sequence[Obstacle],
) -> Sequence[table_summary.TableSummary]:
    """Return the figures of the tables with what the obstacles change.

    A row to which a row that stays refers stays, too; these are not counted.
    """
    holds: dict[str, table_summary.Hold] = {}
    # What is certain comes first.
    for one in sorted(obstacles, key=lambda each: not each.certain):
        key = f'soft-deleted-rows{one.finding.key}'
        for table in one.tables:
            holds.setdefault(table, table_summary.Hold(key, one.certain))
    # Rows that are deleted along with others may stay with them.
    for ref in purge.references:
        if ref.effect in purging.TAKING and ref.parent in holds:
            if ref.effect is not purging.Effect.TAKES_DATED:
                holds.setdefault(
                    ref.child, holds[ref.parent]._replace(certain=False)
                )
    unsure: dict[str, set[str]] = {table: set() for table in purge.tables}
    for child in purge.tables:
        for ref in purge.references:
            if ref.child == child != ref.parent:
                unsure[ref.parent] |= unsure[child]
                if child in holds:
                    unsure[ref.parent].add(child)
    return [
        _with(table, holds.get(table.name), unsure[table.name])
        for table in tables
    ]


def _with(
    table: table_summary.TableSummary,
    hold: Optional[table_summary.Hold],
    unsure: Collection[str],
) -> table_summary.TableSummary:
    """Return the figures of a table with its hold."""
    if not table.deletable:
        return table
    if hold is None and unsure:
        effects = table.key_effects
        unread = tuple(sorted({*effects.unread, *unsure}))
        return table._replace(key_effects=effects._replace(unread=unread))
    return table._replace(hold=hold)
