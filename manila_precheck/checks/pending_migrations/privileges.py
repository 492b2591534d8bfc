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
"""The privileges that the account lacks on MySQL and MariaDB.

MySQL commits each step of a migration: if one is denied (error 1142), the
steps before it remain applied, and the next db sync fails at them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import grants

Operation = steps.Operation

# The privilege that a step needs on its table. Tried with db sync by revoking
# each privilege from the account: 16.3.0 to 18.3.0, 20.0.3 to 22.0.2, 22.0.2
# to 23.0.1.
_OF_STEP = {
    Operation.CREATE_TABLE: 'CREATE',
    Operation.ADD_COLUMN: 'ALTER',
    Operation.DROP_COLUMN: 'ALTER',
    Operation.MODIFY_COLUMN: 'ALTER',
    Operation.DROP_FOREIGN_KEY: 'ALTER',
}


class _Need(NamedTuple):
    revision: str
    right: str
    table: str


class Privileges(part.Part):
    """The privileges that the pending migrations need."""

    def findings(self) -> Iterator[model.Finding]:
        """Yield the missing privileges and the first revision that fails."""
        if not self._pending:
            return
        account = grants.read(self._ctx.database)
        if not account.rights.writes:
            return
        missing: dict[str, _Need] = {}
        for need in self._needs():
            if not account.rights.may(need.right, need.table):
                missing.setdefault(need.right, need)
        if not missing:
            return
        first = next(iter(missing.values()))
        words = ', '.join(
            f'{need.right} (for {need.table})' for need in missing.values()
        )
        yield wording.fails(
            first.revision,
            f'{account.name}, the account of [database] connection, lacks '
            f'{words} on {account.database} (error 1142), and what the '
            'migration has done before stays',
            account.remedy(sorted(missing)),
            aspect='privileges',
            data={'privileges': ' '.join(sorted(missing))},
            subject=model.Subject('database', 'privileges'),
        )

    def _needs(self) -> Iterator[_Need]:
        """Yield the privileges, in the order in which they are needed."""
        version = connection.VERSION_TABLE
        mariadb = 'mariadb' in self._ctx.database.server_version.lower()
        for revision, some in self._pending.items():
            yield _Need(revision, 'SELECT', version)
            created = set()
            for step in some:
                if step.operation is Operation.CREATE_TABLE:
                    created.add(step.table)
                if step.operation in _OF_STEP:
                    yield _Need(revision, _OF_STEP[step.operation], step.table)
                elif step.operation is Operation.ADD_FOREIGN_KEY:
                    if step.table not in created:
                        yield _Need(revision, 'ALTER', step.table)
                    if step.parent and not mariadb:
                        yield _Need(revision, 'REFERENCES', step.parent)
                elif step.operation is Operation.WRITE_ROWS:
                    new = step.table in created
                    yield _Need(
                        revision, 'INSERT' if new else 'UPDATE', step.table
                    )
            yield _Need(revision, 'UPDATE', version)
