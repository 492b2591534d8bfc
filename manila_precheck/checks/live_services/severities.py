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
"""The severity and the remedies of each service at each stage."""

from collections.abc import Sequence
import datetime
import functools
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.engine import context
from manila_precheck.evidence import machine_names
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.database import hosts
from manila_precheck.evidence.database import services
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import machine_files
from manila_precheck.evidence.host import processes

Life = services.Life
Severity = model.Severity
Stage = model.Stage

#: The causes of findings whose remedy is to remove rows: one cleanup removes
#: the rows of all of them.
GONE = 'gone'
ORPHAN = 'orphan'

#: The severity, None for no finding, and what to do.
Verdict = tuple[Optional[Severity], Sequence[model.Remediation]]

_NOTHING: Verdict = (None, ())

CLEANUP = model.command('manila-manage service cleanup')

_CLOCK = model.advice(
    'Correct the clock of its host: manila considers the service dead.'
)

_SEE_STOPPED = model.advice('Check on its host that it is stopped.')

_NO_DATE = model.advice(
    'Set updated_at of its row to NULL: a running service sets it again with '
    'its next report.'
)


class Services:
    """All services at one moment."""

    def __init__(
        self, ctx: context.Context, rows: Sequence[services.ServiceRow]
    ) -> None:
        self.stage = ctx.stage
        self.limit = services.down_time_seconds(
            ctx.config_of('manila-scheduler')
        )
        self._now: datetime.datetime = ctx.database.now()
        self._enabled = hosts.enabled_backends(ctx.config_of('manila-share'))
        self._others = frozenset(ctx.options.other_backends)
        self._listed = ctx.options.max_listed
        self._machine = _Machine(ctx, self._enabled.controller)
        self._removed = [
            service
            for service in rows
            if services.is_cleaned_up(service, self._age(service), self.limit)
        ]

    def _age(self, service: services.ServiceRow) -> Optional[float]:
        return services.age_of(service, self._now)

    def life(self, service: services.ServiceRow) -> Life:
        """Return whether a service is up, as far as its row shows."""
        return services.life_of(service, self._age(service), self.limit)

    def seconds_ahead(self, service: services.ServiceRow) -> Optional[int]:
        """Return by how much a clock is ahead; None outside the limits."""
        age = self._age(service)
        least = services.REPORT_INTERVAL_SECONDS
        if age is None or not -self.limit <= age < -least:
            return None
        return round(-age)

    def is_orphan(self, service: services.ServiceRow) -> bool:
        """Say whether it serves a back end that the files do not enable."""
        host, ours = service.host, self._enabled
        return (
            service.binary == 'manila-share'
            and bool(ours.backends)
            and host not in self._others
            and service_host.parse(host).backend not in ours.backends
        )

    def is_surely_orphan(self, service: services.ServiceRow) -> bool:
        """Say whether it is an orphan that no other controller enables."""
        ours = self._enabled
        return (
            self.is_orphan(service)
            and ours.controller is not None
            and ours.here(service.host)
        )

    def has_no_process(self, service: services.ServiceRow) -> bool:
        """Say whether a service of this controller surely does not run here.

        Another controller may serve the same ``host``.
        """
        return self.stage is Stage.STOPPED and self._machine.lacks(service)

    def also_removed(self, service: services.ServiceRow) -> str:
        """Return a sentence that names the rows that a cleanup also removes.

        If the row of the service is one of several, each of these services
        gets the same sentence, so that a report prints it once.
        """
        if service in self._removed and len(self._removed) > 1:
            number = len(self._removed)
            if not self._listed:
                return f'The cleanup removes {number} rows.'
            return (
                f'The cleanup removes the rows of all {number}: '
                f'{self._listing(self._removed)}.'
            )
        others = [other for other in self._removed if other is not service]
        if not others:
            return 'No other row would be removed now.'
        return (
            f'The cleanup also removes the rows of: {self._listing(others)}.'
        )

    def _listing(self, rows: Sequence[services.ServiceRow]) -> str:
        listed = ', '.join(
            f'{one.binary} on {one.host}' for one in rows[: self._listed]
        )
        more = len(rows) - self._listed
        if more <= 0:
            return listed
        return f'{listed} and {more} more' if listed else f'{more} more'

    def cause(
        self, service: services.ServiceRow, todo: Sequence[model.Remediation]
    ) -> str:
        """Return the cause that groups findings; '' to group by the remedy."""
        if CLEANUP not in todo or hosts.other_backend(service.host) in todo:
            return ''
        return ORPHAN if self.is_orphan(service) else GONE

    def judge(self, life: Life, service: services.ServiceRow) -> Verdict:
        """Return the severity of a service at this stage, and what to do."""
        if life is Life.UNKNOWN:
            upgraded = self.stage is Stage.UPGRADED
            return Severity.FAILURE if upgraded else Severity.WARNING, [
                *([_SEE_STOPPED] if self.stage is Stage.STOPPED else []),
                _NO_DATE,
            ]
        return {
            Stage.PLAN: self._at_plan,
            Stage.STOPPED: self._at_stopped,
            Stage.UPGRADED: self._at_upgraded,
        }[self.stage](life, service)

    def _look_again(self) -> model.Remediation:
        return model.advice(f'Run this again in {self.limit} seconds.')

    def _gone(
        self, service: services.ServiceRow, start: str
    ) -> Sequence[model.Remediation]:
        also = self.also_removed(service)
        if self.is_orphan(service):
            return [
                model.advice(
                    'If no other controller enables it, remove its row. '
                    f'{also}'
                ),
                CLEANUP,
            ]
        return [
            model.advice(
                f'{start} If its host is gone for good, remove its row while '
                f'all other services are up. {also}'
            ),
            CLEANUP,
        ]

    def _up_orphan(self, service: services.ServiceRow) -> Verdict:
        certain = self.is_surely_orphan(service)
        return Severity.WARNING if certain else Severity.INFO, [
            model.advice(
                'If another controller enables it, add it to '
                f'other_backends; otherwise stop it, wait {self.limit} '
                'seconds, and remove its row. ' + self.also_removed(service)
            ),
            hosts.other_backend(service.host),
            CLEANUP,
        ]

    def _at_plan(self, life: Life, service: services.ServiceRow) -> Verdict:
        if life is Life.AHEAD:
            return Severity.WARNING, [_CLOCK]
        if life is Life.STARTING:
            return Severity.WARNING, [self._look_again()]
        if life in (Life.UP, Life.NEW):
            if service.disabled:
                return Severity.WARNING, [
                    model.advice(
                        'Unless it is disabled on purpose, enable it:'
                    ),
                    _enable(service),
                ]
            if self.is_orphan(service):
                return self._up_orphan(service)
            return _NOTHING
        return Severity.WARNING, self._gone(
            service, 'Start it, so that it runs before the upgrade.'
        )

    def _at_stopped(self, life: Life, service: services.ServiceRow) -> Verdict:
        see = 'Check on its host that it is stopped'
        if (
            life is not Life.STOPPED
            and self.has_no_process(service)
            and self._machine.is_named(service)
        ):
            return Severity.INFO, [
                model.advice(
                    'It was killed, or reported once more while it stopped. '
                    'Make sure that nothing starts it again.'
                )
            ]
        if life is Life.AHEAD:
            return Severity.WARNING, [
                model.advice(
                    f'{see}: the clock there is ahead, so its row is not '
                    'reliable.'
                )
            ]
        if life is Life.STARTING:
            return Severity.WARNING, [
                model.advice(
                    f'{see}, or run this again in {self.limit} seconds.'
                )
            ]
        if life in (Life.UP, Life.NEW):
            host = service_host.parse(service.host).controller
            return Severity.FAILURE, [
                model.advice(
                    f'Stop {service.binary} on {host} before "manila-manage '
                    'db sync". If it was killed, run this again '
                    f'{self.limit} seconds later:'
                ),
                model.command('manila-precheck upgrade check --stage stopped'),
            ]
        if life is Life.DEAD and service.state in ('up', 'down'):
            # manila-scheduler, or the service itself, wrote 'down' while it
            # was running.
            found_dead = service.state == 'down'
            return Severity.INFO if found_dead else Severity.WARNING, [
                model.advice(
                    f'{see}: it was killed, it reported once more while '
                    'stopping, or its clock is behind.'
                )
            ]
        return _NOTHING

    def _at_upgraded(
        self, life: Life, service: services.ServiceRow
    ) -> Verdict:
        if life is Life.UP:
            if service.disabled:
                return Severity.INFO, [
                    model.advice('If it should accept new shares:'),
                    _enable(service),
                ]
            if self.is_orphan(service):
                return self._up_orphan(service)
            return _NOTHING
        if life in (Life.STARTING, Life.NEW):
            return Severity.WARNING, [self._look_again()]
        if life is Life.AHEAD:
            return Severity.FAILURE, [_CLOCK]
        severity = Severity.FAILURE
        if service.disabled or self.is_surely_orphan(service):
            severity = Severity.WARNING
        return severity, self._gone(service, 'Start it and read its log.')


class _Machine:
    """The processes of manila on the machine of this run.

    :param controller: [DEFAULT] host; None for the name of the machine.
    """

    def __init__(
        self, ctx: context.Context, controller: Optional[str]
    ) -> None:
        self._ctx = ctx
        self._controller = controller

    def is_named(self, service: services.ServiceRow) -> bool:
        """Say whether the host of a service is the name of this machine."""
        return service_host.parse(service.host).controller in self._names

    def lacks(self, service: services.ServiceRow) -> bool:
        """Say whether a service of this controller has no process here."""
        if not self._ctx.on_controller:
            return False
        ours = (
            self.is_named(service)
            if self._controller is None
            else service_host.parse(service.host).controller
            == self._controller
        )
        return (
            ours
            and service.binary in self._seen
            and service.binary not in self._running
        )

    @functools.cached_property
    def _names(self) -> set[str]:
        return machine_names.without_resolver(self._ctx.machine)

    @functools.cached_property
    def _seen(self) -> frozenset[str]:
        """The services whose processes /proc would show.

        Something on this machine has to start such a service by a command
        line that is known. Outside containers /proc shows the processes of the
        kernel, and then those of all containers, too (pid_namespaces(7));
        within one, at least those that its units start. An account that may
        see only its own processes sees neither the kernel's nor the first one
        (proc(5), hidepid).
        """
        all_shown = self._text('/proc/2/comm') == 'kthreadd'
        if not all_shown and not self._text('/proc/1/cmdline'):
            return frozenset()
        return frozenset(
            one.command.service
            for one in self._ctx.started
            if all_shown
            or (one.container is None and one.how is service_files.How.UNIT)
        )

    @functools.cached_property
    def _running(self) -> frozenset[str]:
        machine = self._ctx.machine
        found = (
            commands.of_words(process.words, machine)
            for process in processes.running(machine)
        )
        return frozenset(one.service for one in found if one is not None)

    def _text(self, path: str) -> str:
        return (machine_files.text(self._ctx.machine, path) or '').strip()


def _enable(service: services.ServiceRow) -> model.Remediation:
    return model.command(
        'openstack share service set --enable {} {}',
        service.host,
        service.binary,
    )
