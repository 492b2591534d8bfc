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
"""The tables that a migration rebuilds, and the time and space it takes."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.pending_migrations import hazards
from manila_precheck.checks.pending_migrations import part
from manila_precheck.checks.pending_migrations import wording
from manila_precheck.checks.pending_migrations.sql import migrated_rows
from manila_precheck.checks.pending_migrations.sql import rebuild_speed
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import schema as schema_source

#: The rows of a table that MySQL rebuilds are counted up to this number.
COUNTED_ROWS = 2_000_000

# The speed of the server is measured only if a rebuild takes this long.
_MEASURED_SECONDS = 0.5

# The migration sends a SELECT and an UPDATE for each allocation. Measured with
# manila 16.3.0 on MariaDB 10.11.
_SECONDS_AN_ALLOCATION = 0.9e-3


class Rewrites(part.Part):
    """The tables that MySQL rebuilds during the pending migrations."""

    def findings(
        self, known: Mapping[str, int], options: Any
    ) -> Iterator[model.Finding]:
        """Yield how long each takes, with its margin.

        :param known: the number of rows of the tables that were already read.
        :param options: the options of the check.
        """
        db = self._ctx.database
        counted = dict(known)
        rate: Optional[rebuild_speed.Rate] = None
        for one in hazards.rewrites(
            self._pending, self._ctx.schema, db.server_version
        ):
            table = self._ctx.schema.tables[one.table]
            if one.table not in counted:
                counted[one.table] = _rows_of(db, table)
            rows = counted[one.table]
            if not rows:
                continue
            size = _bytes_of(table, rows)
            if options.seconds_per_million_rows is not None:
                each = rows * options.seconds_per_million_rows / 1e6
            else:
                each = rebuild_speed.TYPICAL.seconds(rows, size)
                if rate is None and each >= _MEASURED_SECONDS:
                    rate = rebuild_speed.measure(db)
                each = (rate or rebuild_speed.TYPICAL).seconds(rows, size)
            seconds = each * one.times
            if one.revision == migrated_rows.ALLOCATIONS:
                seconds += rows * _SECONDS_AN_ALLOCATION
            yield self._rewrite(one, rows, size, seconds, options)

    def _rewrite(
        self,
        one: hazards.Rewrite,
        rows: int,
        size: int,
        seconds: float,
        options: object,
    ) -> model.Finding:
        low, high = (
            seconds / rebuild_speed.MARGIN,
            seconds * rebuild_speed.MARGIN,
        )
        takes = f'about {_time(seconds)} ({_time(low)} to {_time(high)})'
        if high < 1:
            takes = 'less than a second'
        long = seconds >= options.warning_seconds  # type: ignore[attr-defined]
        return model.Finding(
            model.Severity.WARNING if long else model.Severity.INFO,
            model.Subject('table', one.table),
            f'revision {one.revision} rebuilds table {one.table}, which has '
            f'{wording.count(rows, "row", "")}: {takes}, and {_size(size)} '
            'of additional disk space on the database server',
            data={
                'revision': one.revision,
                'rows': rows,
                'bytes': size,
                'seconds': round(seconds, 1),
                'seconds_min': round(low, 1),
                'seconds_max': round(high, 1),
            },
            aspect=one.revision,
        )


def _rows_of(db: connection.Database, table: schema_source.LiveTable) -> int:
    if table.rows is not None and table.rows > COUNTED_ROWS:
        return table.rows
    return migrated_rows.count(db, table.name)


def _bytes_of(table: schema_source.LiveTable, rows: int) -> int:
    """Return the size of a table, corrected if the server's figure is old."""
    size = (table.data_bytes or 0) + (table.index_bytes or 0)
    if table.rows and rows > 2 * table.rows:
        size = size * rows // table.rows
    return size


def _time(seconds: float) -> str:
    if seconds < 1:
        return 'a second'
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min'


def _size(size_bytes: int) -> str:
    megabytes = size_bytes / 1e6
    if megabytes < 1000:
        return f'{max(megabytes, 1):.0f} MB'
    return f'{megabytes / 1000:.1f} GB'
