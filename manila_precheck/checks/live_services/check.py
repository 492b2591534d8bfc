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
from collections.abc import Iterator
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.checks.live_services import severities
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import services

Life = services.Life
Severity = model.Severity
Stage = model.Stage

_ZONE_BUG = 'https://bugs.launchpad.net/manila/+bug/2008813'


# service_down_time is this many times report_interval by default.
_REPORTS = 6


class LiveServices(check.Check):
    """A service is dead or disabled, is still running, or did not come back.

    The check judges the rows of ``services`` as manila does (22.0.0
    utils.py:225): a service is up if its last heartbeat is at most
    ``service_down_time`` seconds away from now, by the clock of the database
    server. The ``state`` of the row takes precedence (2023.1 and later): a
    service that was stopped cleanly looks alive by its heartbeat for
    service_down_time, and manila-scheduler from 2025.2 on writes 'down' with a
    new heartbeat. Rows that a release before 2023.1 wrote have no state.
    manila-api has no row, so this check does not cover it.

    A heartbeat shows that the clock of a host is ahead, but not that it is
    behind by more than service_down_time: the service then looks dead while it
    runs. Therefore, at stage stopped, the check reports every row that is not
    marked as stopped, however old it is. On a controller it also looks at the
    processes: a service of the controller that has none was killed, whatever
    its row says. If ``[DEFAULT] host`` is not the name of the machine, another
    machine may serve the same host, so only the message tells that.

    A heartbeat that is not a date (0000-00-00 on MySQL) does not show whether
    the service is up; with PyMySQL, manila fails when it compares such a
    heartbeat with the clock.

    The manila-share of a back end that the files do not enable is an orphan if
    it belongs to this controller (``[DEFAULT] host``). If it belongs to
    another controller, the check does not know whether that controller enables
    it, unless ``[manila_precheck] other_backends`` names it.

    A service whose row has no availability zone starts, but each of its status
    reports fails, so it never comes up. The first service that starts in a
    zone without a row creates the row. In releases before 2025.1, if two
    services start together, one exits.

    ``report_interval`` must be well below ``service_down_time``. Otherwise a
    service counts as dead between two of its reports; manila does not compare
    the two options.

    Known false positives: the row of a service that was killed on another
    controller stays 'up' for service_down_time; a host that was removed leaves
    its row until ``manila-manage service cleanup`` removes it. That command
    removes the row of every service that does not report at that moment,
    including disabled services, which then come back enabled: run it only
    while all other services are up. A finding that proposes the command lists
    the other rows that it would remove now.

    At plan: WARNING for a service that is dead, stopped or disabled, for a
    heartbeat that is in the future or not a date, and for an orphan; INFO for
    a service of another controller that is up although the files do not enable
    its back end, and if there is no service at all. At stopped: FAILURE for a
    service that is up, because it writes while the schema changes; WARNING if
    that is not certain yet, and for a service that is not marked as stopped:
    it was killed, or reported once more while it stopped; INFO for a service
    that another service found dead, or that has no process on its host. At
    upgraded: FAILURE for a service that did not come back; WARNING if that
    service is disabled or an orphan, and for a service that is starting; INFO
    for a service that is up but disabled.
    At any stage: FAILURE for a service without a zone, WARNING if it is an
    orphan. At plan and upgraded: INFO for a clock that is ahead by less than
    service_down_time.
    """

    id = 'live-services'
    title = 'Live services'
    stages = model.ALL_STAGES
    drains = frozenset({Stage.STOPPED, Stage.UPGRADED})
    requires = frozenset({model.Source.CONFIG, model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each service that is not as it should be."""
        if ctx.stage is not Stage.UPGRADED:
            yield from self._interval(ctx)
        rows = services.select(ctx.database)
        if not rows:
            yield from self._empty(ctx.stage)
            return
        site = severities.Services(ctx, rows)
        for service in rows:
            life = site.life(service)
            severity, todo = site.judge(life, service)
            if severity is not None:
                yield self._finding(site, service, life, severity, todo)
            yield from self._of_its_row(site, service)
        if ctx.stage is not Stage.UPGRADED:
            yield from self._zones(ctx)

    def _interval(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield that report_interval is not below service_down_time."""
        interval = services.report_interval_seconds(ctx.config)
        limit = services.down_time_seconds(ctx.config)
        if 0 < interval < limit:
            return
        line = ctx.config.effective(
            [('DEFAULT', 'report_interval')]
        ) or ctx.config.effective([('DEFAULT', 'service_down_time')])
        if not interval:
            words = 'report_interval is 0: no service reports, and '
            words += f'from {limit} seconds after its start on'
        else:
            words = (
                f'report_interval is {interval} and service_down_time '
                f'{limit}: between two reports of a service'
            )
        yield model.Finding(
            Severity.WARNING if interval == limit else Severity.FAILURE,
            line[0].subject,
            f'{words} it counts as dead, and manila-scheduler places no share '
            'on it',
            [
                model.advice('Allow for several reports that come late:'),
                model.config(
                    '[DEFAULT]\nreport_interval = {}\nservice_down_time = {}',
                    interval or services.REPORT_INTERVAL_SECONDS,
                    max(
                        services.DEFAULT_DOWN_TIME_SECONDS,
                        interval * _REPORTS,
                    ),
                ),
            ],
            data={'report_interval': interval, 'service_down_time': limit},
            aspect='interval',
        )

    def goes_away(self, finding: model.Finding) -> bool:
        """Say whether a finding may disappear by itself.

        Before the migration this is a service that is still up, after it a
        service that is not up yet.
        """
        return (
            finding.severity is Severity.FAILURE
            and 'heartbeat' in finding.data
        )

    def _empty(self, stage: Stage) -> Iterator[model.Finding]:
        subject = model.Subject('service', 'services')
        if stage is Stage.UPGRADED:
            yield model.Finding(
                Severity.FAILURE,
                subject,
                'no service has come back: the table services is empty',
                [model.advice('Start the services of manila.')],
            )
        elif stage is Stage.PLAN:
            yield model.Finding(
                Severity.INFO,
                subject,
                'no service has ever reported: the table services is empty',
            )

    def _finding(
        self,
        site: severities.Services,
        service: services.ServiceRow,
        life: Life,
        severity: Severity,
        todo: Sequence[model.Remediation],
    ) -> model.Finding:
        beat = service.heartbeat
        words = f'{service.binary} on {service.host} {life.value}'
        if beat is None:
            words += '; it has never reported'
        elif beat.time is None:
            words += (
                f' ({beat.text!r}): depending on the database driver, manila '
                'considers it dead or fails when it reads the row'
            )
        elif life is not Life.UP:
            words += f'; it last reported at {beat.time:%Y-%m-%d %H:%M:%S} UTC'
        if service.disabled:
            why = service.disabled_reason
            words += f'; it is disabled ({why})' if why else '; it is disabled'
        if service.ensuring:
            words += '; it is ensuring its shares'
        if site.is_orphan(service):
            words += '; the files that were read do not enable this back end'
        if life is not Life.STOPPED and site.has_no_process(service):
            words += '; no process of it runs on this host'
        if service.place > 1:
            words += f'; this is row {service.place} of that name'
        return model.Finding(
            severity,
            _subject(service),
            words,
            todo,
            data={
                'binary': service.binary,
                'host': service.host,
                'state': service.state,
                'disabled': service.disabled,
                'ensuring': service.ensuring,
                'heartbeat': timestamps.to_data(beat),
                'orphan': site.is_orphan(service),
            },
            aspect=f'row-{service.place}' if service.place > 1 else '',
            cause=site.cause(service, todo),
        )

    def _of_its_row(
        self, site: severities.Services, service: services.ServiceRow
    ) -> Iterator[model.Finding]:
        """Yield what is wrong with a row, whether its service is up or not."""
        row = f'-{service.place}' if service.place > 1 else ''
        if service.zone is None:
            # Tried on manila 18.3.0 and 23.0.1: Service.report_state and
            # ServiceCommands.list raise TypeError; after a cleanup, a running
            # service creates a new row.
            yield model.Finding(
                Severity.WARNING
                if site.is_surely_orphan(service)
                else Severity.FAILURE,
                _subject(service),
                f'{service.binary} on {service.host} has no availability '
                'zone: it starts, but each of its status reports fails, as '
                'does "manila-manage service list"',
                [
                    model.advice(
                        f'Stop it, wait {site.limit} seconds, remove its '
                        'row, and start it again: it creates a new row. '
                        + site.also_removed(service)
                    ),
                    severities.CLEANUP,
                ],
                aspect=f'zone{row}',
            )
        ahead = site.seconds_ahead(service)
        if ahead is not None and site.stage is not Stage.STOPPED:
            yield model.Finding(
                Severity.INFO,
                _subject(service),
                f'{service.binary} on {service.host} reports with a clock '
                f'{ahead} seconds ahead of the database; from {site.limit} '
                'seconds on, manila considers it dead',
                [model.advice('Correct the clock of its host.')],
                data={'seconds_ahead': ahead},
                aspect=f'clock{row}',
            )

    def _zones(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield zones with more than one row, and zones without a row."""
        there = services.zones(ctx.database)
        for name, number in there.items():
            if number > 1:
                yield model.Finding(
                    Severity.WARNING,
                    model.Subject('availability zone', name),
                    f'availability zone {name!r} has {number} rows: manila '
                    'uses whichever it finds first, so shares and services '
                    'of the same zone can end up in different ones',
                    [
                        model.advice(
                            'Make the rows of all tables refer to one of '
                            'them, then mark the others as deleted.'
                        )
                    ],
                    data={'rows': number},
                    aspect='twice',
                )
        if behaviours.has('availability-zone-made-once', ctx.upgrade.target):
            return
        known = set(there)
        if ctx.database.dialect == 'mysql':
            known |= {name.lower() for name in there}
        for name in services.zones_of(ctx.config_of('manila-share')):
            if name not in known and name.lower() not in known:
                yield model.Finding(
                    Severity.WARNING,
                    model.Subject('availability zone', name),
                    f'availability zone {name!r} of the configuration has no '
                    'row: if two services start together, both try to '
                    'create it and one exits',
                    [
                        model.advice(
                            'Start one service, check that it reports, then '
                            'start the others.'
                        )
                    ],
                    [_ZONE_BUG],
                    aspect='new',
                )


def _subject(service: services.ServiceRow) -> model.Subject:
    return model.Subject('service', f'{service.binary}@{service.host}')
