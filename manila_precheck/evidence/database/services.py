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
"""The services that report to the database, and the state of each."""

import collections
import datetime
import enum
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence import timestamps
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.database import connection

# manila 23.0.1 common/config.py.
DEFAULT_DOWN_TIME_SECONDS = 60

#: The default of report_interval. A report may be this far ahead of the
#: database's clock before one of the clocks counts as wrong.
REPORT_INTERVAL_SECONDS = 10

# The default of storage_availability_zone (manila 23.0.1
# common/config.py).
_DEFAULT_ZONE = 'nova'


class ServiceRow(NamedTuple):
    """One row of services; None where the release has no such column."""

    binary: str
    host: str
    disabled: bool
    state: Optional[str]
    disabled_reason: Optional[str]
    ensuring: Optional[bool]
    heartbeat: Optional[timestamps.Timestamp]
    reported: bool

    zone: Optional[str]
    """The name of its availability zone; None if that does not exist, or was
    deleted."""

    place: int
    """Its number among the rows of this binary and host, from 1."""


class Life(enum.Enum):
    """The state of a service by its row; the value is used in messages."""

    UP = 'is up'
    # manila considers it up; a service whose driver fails stays like this.
    NEW = 'is new and has not reported yet'
    # The service itself, or a scheduler, wrote 'down' a moment ago.
    STARTING = 'is starting, or manila-scheduler has just found it dead'
    STOPPED = 'was stopped'
    DEAD = 'does not report'
    # manila considers it dead, but no service reports from the future.
    AHEAD = 'reports from the future'
    # manila compares the date with the clock, and fails.
    UNKNOWN = 'has no date for its last report'


def select(db: connection.Database) -> list[ServiceRow]:
    """Return the services that were not deleted, by binary and host."""
    import sqlalchemy

    names = ['binary', 'host', 'disabled', 'created_at', 'updated_at']
    newer = [
        name
        # Added in manila 16, 18 and 19.
        for name in ('state', 'disabled_reason', 'ensuring')
        if db.has_column('services', name)
    ]
    table = db.table(
        'services', 'id', 'deleted', 'availability_zone_id', *names, *newer
    )
    zone = db.table('availability_zones', 'id', 'name', 'deleted')
    statement = (
        sqlalchemy.select(
            *(
                sqlalchemy.cast(column, sqlalchemy.String).label(column.name)
                if column.name in ('created_at', 'updated_at')
                else column
                for column in table.c
            ),
            zone.c.id.label('zone_id'),
            zone.c.name.label('zone'),
        )
        .select_from(
            table.outerjoin(
                zone,
                sqlalchemy.and_(
                    zone.c.id == table.c.availability_zone_id, db.live(zone)
                ),
            )
        )
        .where(db.live(table))
        .order_by(table.c.binary, table.c.host, table.c.id)
    )
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    found = []
    for row in db.rows(statement, about='table services'):
        name = (row.binary or '', row.host or '')
        seen[name] += 1
        found.append(
            ServiceRow(
                *name,
                bool(row.disabled),
                getattr(row, 'state', None),
                getattr(row, 'disabled_reason', None),
                getattr(row, 'ensuring', None),
                timestamps.parse(
                    row.created_at
                    if row.updated_at is None
                    else row.updated_at
                ),
                row.updated_at is not None,
                None if row.zone_id is None else row.zone or '',
                seen[name],
            )
        )
    return found


def zones(db: connection.Database) -> dict[str, int]:
    """Return the number of rows of each availability zone, by name.

    Deleted rows do not count.
    """
    import sqlalchemy

    table = db.table('availability_zones', 'name', 'deleted')
    statement = (
        sqlalchemy.select(table.c.name, sqlalchemy.func.count())
        .where(db.live(table))
        .group_by(table.c.name)
        .order_by(table.c.name)
    )
    return {
        name or '': number
        for name, number in db.rows(statement, 'table availability_zones')
    }


def zones_of(conf: config_files.ConfigFiles) -> tuple[str, ...]:
    """Return the zones that these files give to services, sorted."""
    found = {_own_zone(conf)}
    found.update(zone_of(conf, backend.name) for backend in conf.backends)
    return tuple(sorted(found))


def zone_of(conf: config_files.ConfigFiles, backend: str) -> str:
    """Return the zone that these files give to a back end.

    :param backend: its section.
    """
    return conf.value(backend, 'backend_availability_zone') or _own_zone(conf)


def _own_zone(conf: config_files.ConfigFiles) -> str:
    return conf.value('DEFAULT', 'storage_availability_zone') or _DEFAULT_ZONE


def down_time_seconds(conf: config_files.ConfigFiles) -> int:
    """Return service_down_time."""
    text = conf.value('DEFAULT', 'service_down_time') or ''
    # A value that is not a number keeps manila from starting;
    # config-options reports it.
    return int(text) if text.isdecimal() else DEFAULT_DOWN_TIME_SECONDS


def report_interval_seconds(conf: config_files.ConfigFiles) -> int:
    """Return report_interval; 0: the service never reports."""
    text = conf.value('DEFAULT', 'report_interval') or ''
    return int(text) if text.isdecimal() else REPORT_INTERVAL_SECONDS


def age_of(service: ServiceRow, now: datetime.datetime) -> Optional[float]:
    """Return the seconds since the heartbeat, negative in the future.

    :returns: None when there is no heartbeat, or it is not a time.
    """
    if service.heartbeat is None or service.heartbeat.time is None:
        return None
    return (now - service.heartbeat.time).total_seconds()


def _is_unknown(service: ServiceRow) -> bool:
    return service.heartbeat is not None and service.heartbeat.time is None


def is_cleaned_up(
    service: ServiceRow, age: Optional[float], limit: int
) -> bool:
    """Say whether ``manila-manage service cleanup`` removes a row.

    The command looks only at the heartbeat (manila 23.0.1 utils.py
    service_is_up), not at the state or at whether the service is disabled.
    It fails for a heartbeat that is not a time.
    """
    return not _is_unknown(service) and (age is None or abs(age) > limit)


def life_of(service: ServiceRow, age: Optional[float], limit: int) -> Life:
    """Return the state of a service.

    A state of 'stopped' comes first: after a clean stop the heartbeat looks
    alive for service_down_time. The same is true of 'down', which
    manila-scheduler of 2026.1 writes together with a new updated_at.
    :param age: seconds since the heartbeat, negative in the future.
    """
    if _is_unknown(service):
        return Life.UNKNOWN
    if service.state == 'stopped':
        return Life.STOPPED
    if age is None or age > limit:
        return Life.DEAD
    if age < -limit:
        return Life.AHEAD
    if service.state == 'down':
        return Life.STARTING
    return Life.UP if service.reported else Life.NEW


def share_hosts(db: connection.Database) -> frozenset[str]:
    """Return the hosts for which manila-share has a row."""
    return frozenset(
        service.host
        for service in select(db)
        if service.binary == 'manila-share'
    )


def reporting_hosts(db: connection.Database, limit: int) -> frozenset[str]:
    """Return the hosts for which manila-share reports.

    :param limit: service_down_time, in seconds.
    """
    now = db.now()
    return frozenset(
        service.host
        for service in select(db)
        if service.binary == 'manila-share'
        and life_of(service, age_of(service, now), limit)
        in (Life.UP, Life.NEW, Life.STARTING)
    )
