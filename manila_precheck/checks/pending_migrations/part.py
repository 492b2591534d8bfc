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
"""The base class of the parts of the check."""

from typing import Optional

from manila_precheck.catalog import steps
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.engine import context


class Part:
    """One kind of hazard of the pending migrations."""

    def __init__(
        self,
        ctx: context.Context,
        pending: hazards.Steps,
    ) -> None:
        self._ctx = ctx
        self._pending = pending

    @property
    def _known(self) -> set[str]:
        """Return the tables that the source has."""
        columns = self._ctx.catalog.columns(self._ctx.upgrade.source)
        return {table for table, _ in columns}

    def _made(self) -> Optional[tuple[str, str]]:
        """Return the first revision that creates a table, and the table."""
        return next(
            (
                (revision, step.table)
                for revision, some in self._pending.items()
                for step in some
                if step.operation is steps.Operation.CREATE_TABLE
            ),
            None,
        )
