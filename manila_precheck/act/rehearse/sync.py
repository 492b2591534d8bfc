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
"""``manila-manage db sync`` of the target, and db purge of the source."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.act.rehearse import backup_proof
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import rehearsal
from manila_precheck.act.rehearse import target
from manila_precheck.evidence.database import reactions

# The checks that can foretell that a db sync stops.
_STOPS = ('pending-migrations',)
_CHECKS = ('pending-migrations', 'schema-revision', 'upgrade-path')


class Manage:
    """A phase that runs manila-manage and measures the time.

    :param kind: 'sync' or 'purge'.
    :param arguments: the arguments of manila-manage.
    :param proof: knows how many rows each table has before.
    """

    def __init__(
        self,
        kind: str,
        arguments: tuple[str, ...],
        proof: backup_proof.Proof,
    ) -> None:
        self._kind = kind
        self._arguments = arguments
        self._proof = proof
        #: The times that it took; None until it is done.
        self.times: Optional[model.PhaseTimes] = None

    @property
    def phase(self) -> rehearsal.RehearsalPhase:
        """Return the phase for :func:`.rehearsal.run`."""
        return rehearsal.RehearsalPhase(
            f'rehearse-{self._kind}',
            f'db {self._kind} on the copy',
            self.run,
        )

    def run(self, stand: rehearsal.Stand) -> Iterator[failures.Failure]:
        """Run the command, and yield a failure if it stops.

        :raises SourceUnusable: when it cannot be started.
        """
        manila = stand.target_manila
        if self._kind == 'purge':
            manila = stand.source_manila or manila
        heard = rehearsal.StatementTimes(f'db {self._kind}', stand.show)
        ended = target.run(
            manila,
            'manage',
            {**stand.request, 'words': [*stand.words, *self._arguments]},
            stand.seconds,
            heard.heed,
            stand.variables,
        )
        clean = stand.ctx.redactor
        self.times = model.PhaseTimes(
            self._kind,
            round(heard.seconds or ended.seconds, 3),
            heard.statements(self._proof.rows, clean),
            ended.code == 0,
            round(ended.seconds - heard.seconds, 3) if heard.seconds else None,
        )
        if heard.offline is False:
            yield failures.Failure(
                model.Subject('command', f'db-{self._kind}'),
                'the process of the target could not leave the network: '
                'this kernel, or container, does not let it. SQLAlchemy '
                'opened no session but on the copy',
                severity=model.Severity.INFO,
                aspect='network',
            )
        if ended.code != 0:
            yield self._failure(heard, ended, stand)
        elif self._kind == 'purge':
            yield from self._not_on_copy(stand)
        elif self._kind == 'sync':
            yield from failures.not_held(stand.predicted, _STOPS)

    def _not_on_copy(
        self, stand: rehearsal.Stand
    ) -> Iterator[failures.Failure]:
        """Yield what can keep rows from the purge of production.

        A restored copy has no triggers, rules and policies.
        """
        live = stand.live
        if live is None or live.dialect == 'sqlite':
            return
        tables = {table for table in self._proof.rows if live.has_table(table)}
        for one in reactions.to_rows(live, 'DELETE', tables):
            yield failures.Failure(
                model.Subject('table', one.table),
                f'production has a {one.kind} on table {one.table}, '
                f'{one.name}, which the copy has not: it can keep the purge '
                'from deleting rows',
                severity=model.Severity.WARNING,
                remediation=[
                    model.advice(
                        f'See the findings of {failures.PURGE} "#stays" in '
                        'the report of "upgrade check".'
                    )
                ],
                aspect=f'{one.kind}-{one.name}',
            )

    def _failure(
        self,
        heard: rehearsal.StatementTimes,
        ended: target.Ended,
        stand: rehearsal.Stand,
    ) -> failures.Failure:
        table = rehearsal.table_of(heard.stopped)
        command = f'"manila-manage {" ".join(self._arguments)}"'
        if heard.revision:
            subject = model.Subject('revision', heard.revision)
            where = f'stops at revision {heard.revision}'
        else:
            subject = model.Subject('command', f'db-{self._kind}')
            where = 'stops'
        if table:
            where += f', at table {table}'
        if ended.code is None:
            where = (
                f'did not end within {stand.seconds:g} s '
                '(rehearse_seconds) and was ended'
            )
        elif ended.code < 0:
            where = f'was killed by signal {-ended.code}'
        words = ''
        if ended.error is not None:
            words = f'{ended.error.get("kind")}: {ended.error.get("words")}'
        elif ended.code is not None:
            words = (ended.log.strip().splitlines() or [''])[-1]
        return failures.Failure(
            subject,
            f'{command} {where}',
            words,
            # Before the first statement of a migration, Alembic fails only
            # because of the revisions in alembic_version.
            tuple(filter(None, (heard.revision, table)))
            or ('alembic_version',),
            _CHECKS if self._kind == 'sync' else (failures.PURGE,),
            remediation=[
                model.advice(
                    'Correct it in the production database while the source '
                    'release runs, make a new backup, and rehearse again.'
                )
            ]
            if self._kind == 'sync' and ended.code is not None
            else (),
            data={
                'revision': heard.revision or None,
                'table': table or None,
                'statement': stand.ctx.redactor(
                    ' '.join(heard.stopped.split())[:300]
                )
                or None,
                'exit_code': ended.code,
            },
            aspect='' if ended.code is not None else 'time',
        )
