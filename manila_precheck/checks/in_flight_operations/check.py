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
"""The check ``in-flight-operations``."""

from collections.abc import Iterable
from collections.abc import Iterator
import datetime

from manila_precheck import model
from manila_precheck.checks.in_flight_operations import sql
from manila_precheck.checks.in_flight_operations import states
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence import timestamps

AfterRestart = states.AfterRestart
Severity = model.Severity

# The severities at plan and at stopped.
_SEVERITIES = {
    AfterRestart.RESUMED: (Severity.INFO, Severity.INFO),
    AfterRestart.WAITS: (Severity.INFO, Severity.INFO),
    AfterRestart.UNSURE: (Severity.WARNING, Severity.WARNING),
    AfterRestart.STUCK: (Severity.WARNING, Severity.FAILURE),
    AfterRestart.LOST: (Severity.WARNING, Severity.FAILURE),
}

_REFERENCE = (
    'https://docs.openstack.org/manila/latest/admin/'
    'shared-file-systems-upgrades.html'
)

_AFTER = model.advice('Once the services of the target run:')


class InFlightOperations(check.Check):
    """A resource is in the middle of an operation.

    manila keeps the current operation in the status of the resource. Most
    operations run inside one call of manila-share. A service that is stopped
    cleanly finishes its running calls within ``graceful_shutdown_timeout`` (60
    seconds); an interrupted call leaves the status as it is, in every release
    from 12 on, until an operator resets it. The check covers share instances
    (including replicas), snapshot instances, share servers and networks,
    groups and their snapshots, backups, transfers, access rules of shares and
    of snapshots, and services that ensure their shares. ``running-migrations``
    reports migrations with all their resources; this check reports an instance
    that a finished migration left behind.

    - Resumed: work that the storage system does by itself
      (creating_from_snapshot, backups by a driver, snapshots on replicas);
      manila-share polls it.
    - Waiting: a transfer; no service works on it.
    - Uncertain: queued access rules. manila-share applies them at startup only
      if the driver implements ensure_shares and its back end changed,
      otherwise with the next rule of the same share. The same holds for a
      share that is being ensured.
    - Stuck: everything inside a call. A rule in applying, denying or updating
      also blocks all other rules of its share.
    - Lost: a backup that manila-data copies. Its status becomes error when
      manila-data starts, and that of a share that was being restored becomes
      backup_restoring_error.

    Known false positives: an operation that got stuck long ago looks like one
    that was interrupted now. To tell them apart, see the time in the finding:
    it is the last change of the row, which for a backup moves with its
    progress.

    At plan: WARNING, because the operation can still finish, but INFO for
    resumed and waiting operations. At stopped: FAILURE for stuck and lost
    operations, WARNING for uncertain ones, INFO for the rest.

    What to do: wait until the operation has finished before you stop the
    services. After a stop, check its state on the storage system, then reset
    the status.
    """

    id = 'in-flight-operations'
    title = 'Operations in flight'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    drains = frozenset({model.Stage.PLAN})
    requires = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each operation, max_listed of each state."""
        db, limit = ctx.database, ctx.options.max_listed
        for kind in states.KINDS:
            if not (
                db.has_column(kind.table, kind.column) or _is_due(ctx, kind)
            ):
                continue
            found = sql.select(db, kind, limit)
            listed: dict[states.ResourceState, list[sql.Operation]] = {}
            for one in found:
                listed.setdefault(one.state, []).append(one)
            for some in listed.values():
                yield from self._judge(ctx, some, limit)

    def _judge(
        self,
        ctx: context.Context,
        some: list[sql.Operation],
        limit: int,
    ) -> Iterator[model.Finding]:
        """Yield the findings of one state of one kind."""
        now = ctx.database.now()
        for one in some[:limit]:
            yield self._finding(ctx, one, now)
        total, one = some[0].total, some[0]
        shown = min(total, limit)
        if shown < total:
            name = f'{one.kind.noun}s in {_name_of(one.state)}'
            yield model.Finding(
                _severity(ctx, one.state),
                model.Subject(one.kind.name, name),
                f'{one.kind.noun} in {_name_of(one.state)}: {total - shown} '
                f'more than the {shown} that max_listed of [manila_precheck] '
                f'allows, {total} in all; each {one.state.words}',
                [model.advice('Raise max_listed to list each one.')],
                data={'state': one.state.value, 'total': total},
                aspect='more',
            )

    def _finding(
        self,
        ctx: context.Context,
        one: sql.Operation,
        now: datetime.datetime,
    ) -> model.Finding:
        name, uuid = one.id, one.id
        if one.kind is states.SERVICE:
            name, uuid = f'{one.id}@{one.host}', ''
        noun = 'replica' if one.replica else one.kind.noun
        words = f'{noun} {name}'
        if one.share_id:
            words += f' of share {one.share_id}'
        if one.host and one.kind is not states.SERVICE:
            words += f' on {one.host}'
        inside = '' if one.kind is states.TRANSFER else 'in '
        words += f' is {inside}{one.state.value}'
        if one.progress:
            words += f' ({one.progress.rstrip("%")}%)'
        words += timestamps.since(one.since, now)
        return model.Finding(
            _severity(ctx, one.state),
            model.Subject(one.kind.name, name, uuid=uuid or None),
            f'{words}: it {one.state.words}',
            _remediation(ctx, one),
            [_REFERENCE],
            {
                'state': one.state.value,
                'fate': one.state.fate.value,
                'owner': one.state.owner or None,
                'since': timestamps.to_data(one.since),
                'host': one.host,
                'share_id': one.share_id,
                'snapshot_id': one.snapshot_id,
                'progress': one.progress,
            },
        )


def _is_due(ctx: context.Context, kind: states.ResourceKind) -> bool:
    """Say whether the database must have the table and column of a kind.

    A database that a failed migration left between two releases may lack them.
    """
    source = ctx.upgrade.source
    at_revision = ctx.catalog.releases_at(ctx.database.revision or '')
    return source in at_revision and (
        (kind.table, kind.column) in ctx.catalog.columns(source)
    )


def _name_of(state: states.ResourceState) -> str:
    return f'{state.value} ({state.variant})' if state.variant else state.value


def _severity(ctx: context.Context, state: states.ResourceState) -> Severity:
    plan, stopped = _SEVERITIES[state.fate]
    return stopped if ctx.stage is model.Stage.STOPPED else plan


def _remediation(
    ctx: context.Context, one: sql.Operation
) -> list[model.Remediation]:
    """Return what to do about one operation, in the order to do it."""
    stopped = ctx.stage is model.Stage.STOPPED
    state, kind = one.state, one.kind
    todo = [_AFTER] if stopped else []
    if kind is states.TRANSFER:
        return [
            *todo,
            model.advice('If nobody is going to accept it:'),
            model.command('openstack share transfer delete {}', one.id),
        ]
    if kind is states.SERVICE:
        return [
            *todo,
            model.command(
                'openstack share service list --host{=} --binary{=}',
                one.host,
                one.id,
            ),
        ]
    if one.access_id:
        return [*todo, *_of_a_rule(one)]
    if state.reset is None:
        return [
            *todo,
            model.command('openstack share access list {}', one.share_id),
        ]
    if state.fate is AfterRestart.RESUMED:
        first = 'Let it finish. If it makes no progress once the target runs:'
    elif stopped:
        first = 'Check its state on the storage system; then, if necessary:'
    else:
        first = (
            'Let it finish before you stop the services. If it no longer '
            'makes progress:'
        )
    command = kind.command
    if one.replica:
        command = 'openstack share replica set --status{=} {}'
    reset = model.command(command, state.reset, one.id)
    return [*todo, model.advice(first), reset]


def _of_a_rule(one: sql.Operation) -> Iterator[model.Remediation]:
    if one.kind is states.SNAPSHOT_ACCESS_RULE:
        yield model.command(
            'openstack share snapshot access list {}', one.snapshot_id
        )
        yield model.advice('If it makes no progress, apply or deny it again:')
        yield model.command(
            'openstack share snapshot access delete {} {}',
            one.snapshot_id,
            one.access_id,
        )
        return
    yield model.command('openstack share access list {}', one.share_id)
    if one.state.fate is AfterRestart.UNSURE:
        yield model.advice('If it makes no progress, apply or deny it again:')
    else:
        yield model.advice('If it makes no progress, remove it, then add it:')
    yield model.command(
        'openstack share access delete {} {}', one.share_id, one.access_id
    )
