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
from collections.abc import Sequence
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck.sources import services

Life = services.Life

# manila 22.0.0 common/config.py:111.
DEFAULT_SERVICE_DOWN_TIME = 60


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
    not, or that is starting; INFO for one that is up and disabled, and at
    plan when there is no service at all.
    """

    id = 'live-services'
    title = 'Live services'
    stages = model.ALL_STAGES
    requires = frozenset({model.Source.CONFIG, model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each service that is not as it should be."""
        rows = services.select(ctx.database)
        if not rows and ctx.stage is model.Stage.UPGRADED:
            yield self.finding(
                model.Severity.FAILURE,
                model.Subject('service', 'services'),
                'no service has come back: the table services is empty',
                [model.advice('Start the services of manila.')],
            )
        if not rows and ctx.stage is model.Stage.PLAN:
            yield self.finding(
                model.Severity.INFO,
                model.Subject('service', 'services'),
                'no service has ever reported: the table services is empty',
            )
        if not rows:
            return
        now, limit = ctx.database.now(), _service_down_time(ctx)
        judge = {
            model.Stage.PLAN: _at_plan,
            model.Stage.STOPPED: _at_stopped,
            model.Stage.UPGRADED: _at_upgraded,
        }[ctx.stage]
        for service in rows:
            age = None
            if service.heartbeat is not None:
                age = (now - service.heartbeat).total_seconds()
            life = services.life_of(service, age, limit)
            severity, todo = judge(life, service, limit)
            if severity is not None:
                yield self._finding(service, life, severity, todo)

    def _finding(
        self,
        service: services.Service,
        life: Life,
        severity: model.Severity,
        todo: Sequence[model.Remediation],
    ) -> model.Finding:
        beat = service.heartbeat
        words = f'{service.binary} on {service.host} {life.value}'
        if beat is None:
            words += '; it never did'
        elif life is not Life.UP:
            words += f'; its last report is of {beat:%Y-%m-%d %H:%M:%S} UTC'
        if service.disabled:
            why = service.disabled_reason
            words += f'; it is disabled ({why})' if why else '; it is disabled'
        return self.finding(
            severity,
            model.Subject('service', f'{service.binary}@{service.host}'),
            words,
            todo,
            data={
                'binary': service.binary,
                'host': service.host,
                'state': service.state,
                'disabled': service.disabled,
                'heartbeat': beat.isoformat() if beat else None,
            },
        )


_Verdict = tuple[Optional[model.Severity], Sequence[model.Remediation]]

_NOTHING: _Verdict = (None, ())

_CLOCK = model.advice(
    'Set the clock of its host: manila takes the service for dead.'
)


def _look_again(limit: int) -> model.Remediation:
    return model.advice(f'Look again in {limit} seconds.')


def _enable(service: services.Service) -> model.Remediation:
    return model.command(
        f'openstack share service set --enable {service.host} {service.binary}'
    )


_CLEANUP = model.command('manila-manage service cleanup')


def _at_plan(life: Life, service: services.Service, limit: int) -> _Verdict:
    if life is Life.AHEAD:
        return model.Severity.WARNING, [_CLOCK]
    if life is Life.STARTING:
        return model.Severity.WARNING, [_look_again(limit)]
    if life in (Life.UP, Life.NEW):
        if not service.disabled:
            return _NOTHING
        return model.Severity.WARNING, [
            model.advice('Unless it is meant to be disabled:'),
            _enable(service),
        ]
    return model.Severity.WARNING, [
        model.advice(
            'Start it, so that the upgrade finds it healthy. If its host is '
            'gone for good, this removes its row, and that of every other '
            'service that does not report at that moment:'
        ),
        _CLEANUP,
    ]


def _at_stopped(life: Life, service: services.Service, limit: int) -> _Verdict:
    if life is Life.AHEAD:
        return model.Severity.WARNING, [
            model.advice(
                'See on its host that it is stopped: the clock there is '
                'ahead, so its row does not tell.'
            )
        ]
    if life is Life.STARTING:
        return model.Severity.WARNING, [
            model.advice(
                'See on its host that it is stopped, or look again in '
                f'{limit} seconds.'
            )
        ]
    if life in (Life.UP, Life.NEW):
        return model.Severity.FAILURE, [
            model.advice(
                f'Stop {service.binary} on {service.host.partition("@")[0]} '
                'before "manila-manage db sync". If it was killed, look '
                f'again {limit} seconds after that:'
            ),
            model.command('manila-precheck upgrade check --stage stopped'),
        ]
    return _NOTHING


def _at_upgraded(
    life: Life, service: services.Service, limit: int
) -> _Verdict:
    if life is Life.UP:
        if not service.disabled:
            return _NOTHING
        return model.Severity.INFO, [
            model.advice('When it is to take new shares:'),
            _enable(service),
        ]
    if life in (Life.STARTING, Life.NEW):
        return model.Severity.WARNING, [_look_again(limit)]
    if life is Life.AHEAD:
        return model.Severity.FAILURE, [_CLOCK]
    severity = model.Severity.FAILURE
    if service.disabled:
        severity = model.Severity.WARNING
    return severity, [
        model.advice(
            'Start it and read its log. If its host is gone for good, this '
            'removes its row; run it while all others are up:'
        ),
        _CLEANUP,
    ]


def _service_down_time(ctx: context.Context) -> int:
    text = ctx.config.value('DEFAULT', 'service_down_time') or ''
    # A value that is no number keeps manila itself from starting, and
    # config-options says so.
    return int(text) if text.isdecimal() else DEFAULT_SERVICE_DOWN_TIME
