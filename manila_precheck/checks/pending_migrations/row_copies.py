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
"""Triggers of PostgreSQL that copy whole rows of a table that changes.

"INSERT INTO audit SELECT NEW.*" names no column of the row: it gives one more
value for each column that a migration adds. Tried on PostgreSQL 15 with db
sync of manila 22.0.2 to 23.0.1 and share_create() of 23.0.1, which fails with
"INSERT has more expressions than target columns".
"""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations.sql import column_names
from manila_precheck.evidence.database import reactions
from manila_precheck.evidence.database import triggers

# What ends the expressions of a SELECT.
_ENDS = frozenset(
    '; EXCEPT FROM INTERSECT LIMIT ON RETURNING UNION WHERE'.split()
)


class _RowCopy(NamedTuple):
    """An INSERT with all columns of the row of a trigger."""

    target: triggers.TableName

    listed: tuple[str, ...]
    """The columns that it names; none for all of the target."""

    values: tuple[bool, ...]
    """Whether each of its expressions is the whole row."""


class _Change(NamedTuple):
    """A column that a pending migration adds or drops."""

    revision: str
    adds: bool
    column: str


class RowCopies(part.Part):
    """What copies the rows of tables whose columns change."""

    def findings(self) -> Iterator[model.Finding]:
        """Yield the triggers that fail, or may fail, after the upgrade."""
        changes = self._changes()
        if not changes:
            return
        for one in triggers.read(self._ctx.database):
            for copy in _copies(one) if one.table in changes else ():
                finding = self._finding(one, copy, changes[one.table])
                if finding is not None:
                    yield finding
                    break

    def _changes(self) -> dict[str, list[_Change]]:
        """Return what changes in each table."""
        found: dict[str, list[_Change]] = {}
        shape = self._ctx.database.shape
        for revision, some in self._pending.items():
            for step in some:
                adds = step.operation is steps.Operation.ADD_COLUMN
                if (
                    adds or step.operation is steps.Operation.DROP_COLUMN
                ) and step.table in shape:
                    # A migration that failed half way may have done it.
                    column = str(step.column)
                    if adds != (column in shape[step.table]):
                        found.setdefault(step.table, []).append(
                            _Change(revision, adds, column)
                        )
        return found

    def _finding(
        self,
        trigger: triggers.Trigger,
        copy: _RowCopy,
        changes: Sequence[_Change],
    ) -> Optional[model.Finding]:
        db = self._ctx.database
        row = column_names.read(db, triggers.TableName('', trigger.table))
        dropped = {one.column for one in changes if not one.adds}
        added = [one.column for one in changes if one.adds]
        row = [*(one for one in row if one not in dropped), *added]
        values = [
            name for whole in copy.values for name in (row if whole else [''])
        ]
        columns = list(copy.listed)
        if not columns and (copy.target.schema or not trigger.other_names):
            columns = column_names.read(db, copy.target)
        too_many = bool(columns) and len(values) > len(columns)
        if not (too_many or dropped) and all(
            columns[place : place + 1] == [name]
            for place, name in enumerate(values)
            if name in added
        ):
            # The target has the new columns already.
            return None
        verbs = ' or '.join(trigger.verbs)
        words = ', '.join(
            f'{one.revision} {"adds" if one.adds else "drops"} '
            f'{trigger.table}.{one.column}'
            for one in changes
        )
        ends = f'{verbs} of manila on {trigger.table} may fail, or store '
        ends += 'values in the wrong columns'
        if too_many:
            ends = (
                f'it then has {len(values)} values for {len(columns)} '
                f'columns, and {verbs} of manila on {trigger.table} fails '
                '(INSERT has more expressions than target columns)'
            )
        off = reactions.Reaction('trigger', trigger.table, trigger.name, True)
        return model.Finding(
            model.Severity.FAILURE if too_many else model.Severity.WARNING,
            model.Subject('revision', changes[0].revision),
            f'{words}, and the trigger {trigger.name} of {trigger.table} '
            f'inserts the whole row into {copy.target}: after '
            f'"manila-manage db sync" {ends}',
            [
                model.advice(
                    f'Name the columns in its function; or make {copy.target} '
                    'fit after the upgrade, and until then disable the '
                    'trigger, as the owner of the table:'
                ),
                model.sql('postgresql', off.switched_off(db)),
            ],
            data={'trigger': trigger.name, 'target': str(copy.target)},
            aspect=f'row-copy-{trigger.name}',
        )


def _copies(trigger: triggers.Trigger) -> Iterator[_RowCopy]:
    """Yield the INSERTs with NEW.* or OLD.* among their expressions."""
    for at, one in enumerate(trigger.tokens):
        if one.key != 'INTO' or trigger.token(at - 1).key != 'INSERT':
            continue
        target, at = trigger.name_at(at + 1)
        if target is None:
            continue
        listed: tuple[str, ...] = ()
        if trigger.token(at).key == '(':
            names, at = _items(trigger, at + 1)
            # A name is one token, unless it is a field or an element.
            listed = tuple(name[0].text if name else '' for name in names)
            at += 1
        verb = trigger.token(at).key
        if verb == 'SELECT' or (
            verb == 'VALUES' and trigger.token(at + 1).key == '('
        ):
            items, _ = _items(trigger, at + (1 if verb == 'SELECT' else 2))
            values = tuple(_is_row(one) for one in items)
            if any(values):
                yield _RowCopy(target, listed, values)


def _items(
    trigger: triggers.Trigger, at: int
) -> tuple[list[list[triggers.Token]], int]:
    """Return what commas separate from a place on, and where it ends."""
    items: list[list[triggers.Token]] = [[]]
    depth = 0
    while at < len(trigger.tokens):
        one = trigger.token(at)
        depth += {'(': 1, ')': -1}.get(one.key, 0)
        if depth < 0 or (depth == 0 and one.key in _ENDS):
            break
        if depth == 0 and one.key == ',':
            items.append([])
        else:
            items[-1].append(one)
        at += 1
    return items, at


def _is_row(item: Sequence[triggers.Token]) -> bool:
    """Say whether an expression is NEW.*, OLD.* or (NEW).*."""
    text = ''.join(one.key for one in item)
    return text in ('NEW.*', 'OLD.*', '(NEW).*', '(OLD).*')
