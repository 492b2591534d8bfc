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
"""The check ``running-migrations``."""

from collections.abc import Iterable
from collections.abc import Iterator
import datetime
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence import timestamps
from manila_precheck.evidence.database import migrations

Phase = migrations.MigrationPhase


_MIGRATION = {
    'share': 'openstack share migration',
    'share server': 'openstack share server migration',
}


class _Words(NamedTuple):
    """What a restart of the services does to a migration."""

    at_stopped: model.Severity
    plan: str
    stopped: str


_WORDS = {
    Phase.CALL: _Words(
        model.Severity.FAILURE,
        'runs inside a call of manila-share: if the service stops before the '
        'call returns, nothing resumes it',
        'was interrupted inside a call of manila-share, and nothing resumes '
        'it',
    ),
    Phase.COPY: _Words(
        model.Severity.FAILURE,
        'is being copied by manila-data: as soon as manila-data starts on '
        'any host, its state becomes data_copying_error',
        'was being copied by manila-data: as soon as manila-data starts on '
        'any host, its state becomes data_copying_error',
    ),
    Phase.DRIVER: _Words(
        model.Severity.WARNING,
        'is done by the storage system; manila-share resumes it after a '
        'restart if the driver of the target release supports that',
        'is done by the storage system; manila-share resumes it when it '
        'starts if the driver of the target release supports that',
    ),
    Phase.WAITING: _Words(
        model.Severity.WARNING,
        'waits for an operator to complete it',
        'waits for an operator to complete it, which needs the services; the '
        'upgrade does not change it',
    ),
}

# The states in which the API accepts migration-cancel while the services run
# (manila 22.0.0 share/api.py:2306 and 3458).
_CANCELLABLE = (
    'data_copying_in_progress',
    'data_copying_completed',
    'migration_driver_in_progress',
    'migration_driver_phase1_done',
)

_REFERENCE = (
    'https://docs.openstack.org/manila/latest/admin/'
    'shared-file-systems-upgrades.html'
)


class RunningMigrations(check.Check):
    """A share or a share server is in the middle of a migration.

    What happens to a migration when the services restart depends on its state
    (``task_state``), one of the same ten states in every release from 12 on:

    - waiting for ``migration complete`` (migration_driver_phase1_done,
      data_copying_completed): it keeps its state, and you can complete it
      after the upgrade;
    - done by the storage system (migration_driver_in_progress): manila-share
      resumes it, through a periodic task, when it starts;
    - copied by manila-data (data_copying_starting, _in_progress, _completing):
      when manila-data starts on any host, it sets all such migrations to
      data_copying_error, and the instances stay in the status migrating and
      migrating_to;
    - inside a call of manila-share (migration_starting, _in_progress,
      _completing, _driver_starting, and migration_cancel_in_progress of a
      share server): nothing resumes or resets it.

    The check ignores final states (success, error, cancelled); if such a
    migration left an instance in the status migrating,
    ``in-flight-operations`` reports it. The database does not contain the
    progress of a copy: the first command of each finding asks the service that
    works on it.

    At plan: WARNING, because the migration can still finish. At stopped:
    FAILURE for the last two kinds, which were interrupted, WARNING for the
    others.
    """

    id = 'running-migrations'
    title = 'Running migrations'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    drains = frozenset({model.Stage.PLAN})
    requires = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each migration, max_listed of each state."""
        limit = ctx.options.max_listed
        shares = migrations.shares(ctx.database, limit)
        yield from self._judge(ctx, 'share', shares)
        servers = migrations.share_servers(ctx.database, limit)
        yield from self._judge(ctx, 'share server', servers)

    def _judge(
        self, ctx: context.Context, kind: str, found: migrations.Found
    ) -> Iterator[model.Finding]:
        left = dict(found.states)
        now = ctx.database.now() if found.first else None
        for one in found.first:
            assert now is not None
            left[one.state] -= 1
            yield self._finding(ctx, kind, one, now)
        for state in sorted(left):
            if left[state]:
                total = found.states[state]
                yield model.Finding(
                    _severity(ctx.stage, state),
                    model.Subject(
                        kind.replace(' ', '_'), f'{kind}s in {state}'
                    ),
                    f'{kind} in {state}: {left[state]} more than the '
                    f'{total - left[state]} that max_listed of '
                    f'[manila_precheck] allows, {total} in all',
                    [model.advice('Raise max_listed to list each one.')],
                    data={'task_state': state, 'total': total},
                    aspect='more',
                )

    def _finding(
        self,
        ctx: context.Context,
        kind: str,
        one: migrations.Migration,
        now: datetime.datetime,
    ) -> model.Finding:
        words = _WORDS[migrations.STATES[one.state]]
        stopped = ctx.stage is model.Stage.STOPPED
        since = timestamps.since(one.since, now)
        way = ''
        if one.source.host:
            way += f', from {one.source.host}'
        if one.destination.host:
            way += f', to {one.destination.host}'
        return model.Finding(
            _severity(ctx.stage, one.state),
            model.Subject(kind.replace(' ', '_'), one.id, uuid=one.id),
            f'{kind} {one.id} is in {one.state}{since}{way}: the migration '
            + (words.stopped if stopped else words.plan),
            _remediation(kind, one, stopped),
            [_REFERENCE],
            {
                'task_state': one.state,
                'since': timestamps.to_data(one.since),
                'source_id': one.source.id,
                'source_host': one.source.host,
                'destination_id': one.destination.id,
                'destination_host': one.destination.host,
            },
        )


def _remediation(
    kind: str, one: migrations.Migration, stopped: bool
) -> list[model.Remediation]:
    """Return the commands for one migration, in the order to type them."""
    phase = migrations.STATES[one.state]
    migration = _MIGRATION[kind]
    todo = []
    if stopped:
        todo.append(model.advice('Once the services of the target run:'))
    if kind == 'share server' and not one.source.id:
        todo.append(
            model.advice('Its source is not being migrated; cancel it:')
        )
        todo.extend(_reset(kind, one))
        return todo
    if phase is Phase.WAITING:
        todo.append(model.command(migration + ' complete {}', one.id))
    elif not (stopped and phase is Phase.COPY):
        # manila-data has abandoned the copy by then, and manila refuses to
        # show its progress.
        todo.append(model.command(migration + ' show {}', one.id))
    if one.state in _CANCELLABLE and not (stopped and phase is Phase.COPY):
        todo.append(model.advice('Or cancel it:'))
        todo.append(model.command(migration + ' cancel {}', one.id))
    elif stopped or phase is Phase.CALL:
        todo.append(model.advice('If it no longer makes progress:'))
        todo.extend(_reset(kind, one))
    if phase is Phase.WAITING and not (one.source.id and one.destination.id):
        todo.append(
            model.advice(
                'If one end of the migration is missing, manila rejects both '
                'commands. In that case:'
            )
        )
        todo.extend(_reset(kind, one))
    return todo


def _reset(
    kind: str, one: migrations.Migration
) -> Iterator[model.Remediation]:
    """Yield how to reset a migration that nothing resumes."""
    if kind == 'share':
        yield model.command(
            'openstack share set --task-state migration_error {}', one.id
        )
        if one.source.id:
            yield model.command(
                'openstack share instance set --status available {}',
                one.source.id,
            )
        if one.destination.id:
            yield model.advice(
                'Find out which instance holds the data, then delete the '
                f'other: {one.destination.id} is the destination.'
            )
        return
    # Without --status the command sets it to active.
    for end, status in ((one.source, 'active'), (one.destination, 'error')):
        if end.id:
            yield model.command(
                'openstack share server set --status{=} '
                '--task-state migration_error {}',
                status,
                end.id,
            )


def _severity(stage: model.Stage, state: str) -> model.Severity:
    if stage is model.Stage.STOPPED:
        return _WORDS[migrations.STATES[state]].at_stopped
    return model.Severity.WARNING
