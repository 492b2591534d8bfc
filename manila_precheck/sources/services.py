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
"""The services that report to the database, and what their rows say."""

import datetime
import enum
from typing import NamedTuple
from typing import Optional

from manila_precheck.sources import database


class Service(NamedTuple):
    """One row of services; None where the release has no such column."""

    binary: str
    host: str
    disabled: bool
    state: Optional[str]
    disabled_reason: Optional[str]
    heartbeat: Optional[datetime.datetime]
    reported: bool


class Life(enum.Enum):
    """What a row says of its service; the value goes into a message."""

    UP = 'is up'
    # manila takes it for up; one whose driver fails never goes further.
    NEW = 'is new and has not reported yet'
    # It, or a scheduler, wrote 'down' a moment ago.
    STARTING = 'is starting, or was just found dead by manila-scheduler'
    STOPPED = 'was stopped'
    DEAD = 'does not report'
    # manila takes it for dead, but no service reports from the future.
    AHEAD = 'reports from the future'


def select(db: database.Database) -> list[Service]:
    """Return the services that were not deleted, by binary and host."""
    import sqlalchemy

    names = ['binary', 'host', 'disabled', 'created_at', 'updated_at']
    newer = [
        name
        # manila 16 and 18.
        for name in ('state', 'disabled_reason')
        if db.has_column('services', name)
    ]
    table = db.table('services', 'id', 'deleted', *names, *newer)
    statement = (
        sqlalchemy.select(*table.c)
        .where(db.live(table))
        .order_by(table.c.binary, table.c.host, table.c.id)
    )
    return [
        Service(
            row.binary or '',
            row.host or '',
            bool(row.disabled),
            getattr(row, 'state', None),
            getattr(row, 'disabled_reason', None),
            row.updated_at or row.created_at,
            row.updated_at is not None,
        )
        for row in db.rows(statement, about='table services')
    ]


def life_of(service: Service, age: Optional[float], limit: int) -> Life:
    """Return what is known of a service.

    A state of 'stopped' comes first: after a clean stop the heartbeat looks
    alive for service_down_time. So does 'down', which manila-scheduler of
    2026.1 writes together with a new updated_at.

    :param age: seconds since the heartbeat, negative in the future.
    """
    if service.state == 'stopped':
        return Life.STOPPED
    if age is None or age > limit:
        return Life.DEAD
    if age < -limit:
        return Life.AHEAD
    if service.state == 'down':
        return Life.STARTING
    return Life.UP if service.reported else Life.NEW
