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
"""Which locks the pending migrations take, and what blocks them.

MariaDB 10.11.19: ALTER TABLE waits for every transaction that has read or
written the table; adding a foreign key does not wait for transactions on the
referenced table. PostgreSQL 15.20: ALTER TABLE waits likewise; adding a
foreign
key waits for transactions that have written the referenced table, and dropping
it also for those that have read it. MySQL 8.0 locks the referenced table as
well (its manual, 8.11.4).
"""

from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import steps
from manila_precheck.checks.database_sessions import sql
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import pending as migrations
from manila_precheck.evidence.database import schema as schema_source

Operation = steps.Operation

# The lock modes that do not conflict with ShareRowExclusiveLock.
_READING = frozenset({'AccessShareLock', 'RowShareLock'})

# The lock modes of transactions that have only read alembic_version, whose row
# each migration updates. One that read the row FOR UPDATE has another mode.
_READING_ROWS = frozenset(
    {
        'AccessShareLock',
        'MDL_SHARED',
        'MDL_SHARED_HIGH_PRIO',
        'MDL_SHARED_READ',
        'SHARED',
        'SHARED_HIGH_PRIO',
        'SHARED_READ',
    }
)

_ALTERING = (
    Operation.ADD_COLUMN,
    Operation.DROP_COLUMN,
    Operation.MODIFY_COLUMN,
    Operation.DROP_FOREIGN_KEY,
)


class LockNeed(NamedTuple):
    """A lock that a migration takes."""

    revision: str
    table: str

    readers_pass: bool = False
    """Whether it waits only for transactions that have written the table."""

    def waits_for(self, lock: sql.Lock) -> bool:
        """Say whether it waits until a session releases ``lock``."""
        if not lock.table:
            return True
        if lock.table != self.table:
            return False
        if self.table == connection.VERSION_TABLE:
            return lock.mode not in _READING_ROWS
        return not (self.readers_pass and lock.mode in _READING)


class Needs:
    """The locks of all pending migrations, in order."""

    def __init__(
        self,
        pending: migrations.Steps,
        db: connection.Database,
        schema: schema_source.Schema,
    ) -> None:
        self._mariadb = (
            db.dialect == 'mysql' and 'mariadb' in db.server_version.lower()
        )
        self._postgresql = db.dialect == 'postgresql'
        self.needs = [
            need
            for revision, some in pending.items()
            for need in self._of_revision(revision, some, schema)
            if db.has_table(need.table)
        ]

    @property
    def tables(self) -> list[str]:
        """The tables that they change, without alembic_version, sorted."""
        names = {need.table for need in self.needs}
        return sorted(names - {connection.VERSION_TABLE})

    def _of_revision(
        self,
        revision: str,
        some: Sequence[steps.MigrationStep],
        schema: schema_source.Schema,
    ) -> list[LockNeed]:
        found = [
            need
            for step in some
            for need in self._of_step(revision, step, schema)
        ]
        return [*found, LockNeed(revision, connection.VERSION_TABLE)]

    def _of_step(
        self,
        revision: str,
        step: steps.MigrationStep,
        schema: schema_source.Schema,
    ) -> list[LockNeed]:
        found = []
        if step.operation in _ALTERING:
            found.append(LockNeed(revision, step.table))
        if step.operation is Operation.ADD_FOREIGN_KEY:
            found.append(LockNeed(revision, step.table, self._postgresql))
            if step.parent and not self._mariadb:
                found.append(LockNeed(revision, step.parent, self._postgresql))
        if step.operation is Operation.DROP_COLUMN and self._postgresql:
            found += [
                LockNeed(revision, key.parent)
                for key in schema.foreign_keys
                if key.table == step.table and step.column in key.columns
            ]
        return found

    def first(self, locks: frozenset[sql.Lock]) -> Optional[LockNeed]:
        """Return the first need that waits for one of ``locks``."""
        return next(
            (
                need
                for need in self.needs
                if any(need.waits_for(lock) for lock in locks)
            ),
            None,
        )
