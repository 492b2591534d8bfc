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
"""The check ``live-services``."""

from collections.abc import Iterable
import datetime
import enum
from typing import NamedTuple
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck.sources import database

# manila 22.0.0 common/config.py:111.
DEFAULT_SERVICE_DOWN_TIME = 60


class _Service(NamedTuple):
    """One row of services; None where the release has no such column."""

    binary: str
    host: str
    disabled: bool
    state: Optional[str]
    disabled_reason: Optional[str]
    heartbeat: Optional[datetime.datetime]
    reported: bool


class _Life(enum.Enum):
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


def _select_services(db: database.Database) -> list[_Service]:
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
        _Service(
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


def _life(service: _Service, age: Optional[float], limit: int) -> _Life:
    """Return what is known of a service.

    A state of 'stopped' comes first: after a clean stop the heartbeat looks
    alive for service_down_time. So does 'down', which manila-scheduler of
    2026.1 writes together with a new updated_at.

    :param age: seconds since the heartbeat, negative in the future.
    """
    if service.state == 'stopped':
        return _Life.STOPPED
    if age is None or age > limit:
        return _Life.DEAD
    if age < -limit:
        return _Life.AHEAD
    if service.state == 'down':
        return _Life.STARTING
    return _Life.UP if service.reported else _Life.NEW


class LiveServices(check.Check):
    """A service is dead or disabled, still alive, or did not come back.

    The rows of ``services`` are read as manila reads them (22.0.0
    utils.py:225): a service is up when its last heartbeat is at most
    ``service_down_time`` seconds away from now; here the clock is the
    database server's. Before that its ``state`` counts (2023.1 and later):
    a service that was stopped cleanly looks alive by its heartbeat for
    service_down_time, and manila-scheduler from 2025.2 on writes 'down' with
    a new heartbeat. Rows that a release before 2023.1 wrote have no state.
    manila-api has no row: it is not seen here.

    False positives: a service that was killed stays 'up' for
    service_down_time; a host that was taken away leaves its row, until
    ``manila-manage service cleanup`` removes it. That command removes the
    row of every service that does not report at that moment, disabled ones
    too, which then come back enabled: run it only while all others are up.

    At plan: WARNING for a service that is dead, stopped or disabled. At
    stopped: FAILURE for one that is up, as it writes while the schema
    changes; WARNING where it cannot be told yet. At upgraded: FAILURE for
    one that did not come back; WARNING for one that is disabled and did
    not, or that is starting; INFO for one that is up and disabled.
    """

    id = 'live-services'
    title = 'Live services'
    stages = model.ALL_STAGES
    requires = frozenset({model.Source.CONFIG, model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each service that is not as it should be."""
        services = _select_services(ctx.database)
        if not services and ctx.stage is model.Stage.UPGRADED:
            yield self.finding(
                model.Severity.FAILURE,
                model.Subject('service', 'services'),
                'no service has come back: the table services is empty',
                [model.advice('Start the services of manila.')],
            )
        if not services:
            return
        now, limit = ctx.database.now(), _service_down_time(ctx)
        judge = {
            model.Stage.PLAN: _at_plan,
            model.Stage.STOPPED: _at_stopped,
            model.Stage.UPGRADED: _at_upgraded,
        }[ctx.stage]
        for service in services:
            age = None
            if service.heartbeat is not None:
                age = (now - service.heartbeat).total_seconds()
            life = _life(service, age, limit)
            severity, todo = judge(life, service, limit)
            if severity is not None:
                yield self._finding(service, life, severity, todo)

    def _finding(
        self,
        service: _Service,
        life: _Life,
        severity: model.Severity,
        todo: str,
    ) -> model.Finding:
        beat = service.heartbeat
        words = f'{service.binary} on {service.host} {life.value}'
        if beat is None:
            words += '; it never did'
        elif life is not _Life.UP:
            words += f'; its last report is of {beat:%Y-%m-%d %H:%M:%S} UTC'
        if service.disabled:
            why = service.disabled_reason
            words += f'; it is disabled ({why})' if why else '; it is disabled'
        return self.finding(
            severity,
            model.Subject('service', f'{service.binary}@{service.host}'),
            words,
            [model.advice(todo)],
            data={
                'binary': service.binary,
                'host': service.host,
                'state': service.state,
                'disabled': service.disabled,
                'heartbeat': beat.isoformat() if beat else None,
            },
        )


_Verdict = tuple[Optional[model.Severity], str]

_NOTHING: _Verdict = (None, '')

_CLOCK = 'Set the clock of its host: manila takes the service for dead.'


def _at_plan(life: _Life, service: _Service, limit: int) -> _Verdict:
    if life is _Life.AHEAD:
        return model.Severity.WARNING, _CLOCK
    if life is _Life.STARTING:
        return model.Severity.WARNING, f'Look again in {limit} seconds.'
    if life in (_Life.UP, _Life.NEW):
        if not service.disabled:
            return _NOTHING
        return model.Severity.WARNING, (
            'Enable it, or note that it is meant to be disabled: "openstack '
            f'share service set --enable {service.host} {service.binary}".'
        )
    return model.Severity.WARNING, (
        'Start it, so that the upgrade finds it healthy. If its host is gone '
        'for good, "manila-manage service cleanup" removes its row, and that '
        'of every other service that does not report at that moment.'
    )


def _at_stopped(life: _Life, service: _Service, limit: int) -> _Verdict:
    if life is _Life.AHEAD:
        return model.Severity.WARNING, (
            'See on its host that it is stopped: the clock there is ahead, '
            'so its row does not tell.'
        )
    if life is _Life.STARTING:
        return model.Severity.WARNING, (
            'See on its host that it is stopped, or look again in '
            f'{limit} seconds.'
        )
    if life in (_Life.UP, _Life.NEW):
        return model.Severity.FAILURE, (
            f'Stop {service.binary} on {service.host.partition("@")[0]} '
            'before "manila-manage db sync". If it was killed, look again '
            f'{limit} seconds after that.'
        )
    return _NOTHING


def _at_upgraded(life: _Life, service: _Service, limit: int) -> _Verdict:
    if life is _Life.UP:
        if not service.disabled:
            return _NOTHING
        return model.Severity.INFO, (
            'Enable it when it is to take new shares: "openstack share '
            f'service set --enable {service.host} {service.binary}".'
        )
    if life in (_Life.STARTING, _Life.NEW):
        return model.Severity.WARNING, f'Look again in {limit} seconds.'
    if life is _Life.AHEAD:
        return model.Severity.FAILURE, _CLOCK
    severity = model.Severity.FAILURE
    if service.disabled:
        severity = model.Severity.WARNING
    return severity, (
        'Start it and read its log. If its host is gone for good, '
        '"manila-manage service cleanup", run while all others are up, '
        'removes its row.'
    )


def _service_down_time(ctx: context.Context) -> int:
    text = ctx.config.value('DEFAULT', 'service_down_time') or ''
    # A value that is no number keeps manila itself from starting, and
    # config-options says so.
    return int(text) if text.isdecimal() else DEFAULT_SERVICE_DOWN_TIME
