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
"""Run the phases of a rehearsal in turn, and return their results."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import re
import time
from typing import Callable
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import target

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from manila_precheck.engine import context
    from manila_precheck.evidence.database import connection

# How many statements a report lists, slowest first, and how long their texts
# may be.
_MOST_STATEMENTS = 200
_LONGEST_STATEMENT = 300

_NAME = r'(?:[`"]?\w+[`"]?\.)?[`"]?(?P<table>\w+)[`"]?'
_TABLE = re.compile(
    r'\s*(?:ALTER TABLE(?: ONLY)?|CREATE TABLE(?: IF NOT EXISTS)?|'
    r'DROP TABLE(?: IF EXISTS)?|UPDATE|INSERT INTO|DELETE FROM|'
    r'(?:CREATE|DROP) (?:UNIQUE )?INDEX .*?\bON|SHOW CREATE TABLE|'
    r'SELECT .*?\bFROM|DESCRIBE)\s+' + _NAME,
    re.IGNORECASE | re.DOTALL,
)


class Stand(NamedTuple):
    """Everything that a phase needs."""

    ctx: 'context.Context'
    """The context of the staged configuration; its database is the copy, read
    only."""

    url: 'URL'
    """The URL of the copy, with an account that has the rights of manila's."""

    folder: str
    """A private directory that is removed after the run."""

    words: tuple[str, ...]
    """The arguments that name the staged configuration and then the file
    that leads to the copy: '--config-file', FILE, ..."""

    request: Mapping[str, object]
    """The part of the request that all jobs of :mod:`.inside` get: 'place',
    'settings', 'offline'."""

    target_manila: target.Manila
    """The manila of the target release."""

    source_manila: Optional[target.Manila]
    """The manila of the source release, if the operator names one."""

    predicted: tuple[model.CheckResult, ...]
    """The results of the checks on the copy."""

    show: Callable[[str], None]
    """Shows on one line what is being done."""

    seconds: float
    """How long each job may take."""

    live: 'Optional[connection.Database]'
    """The database of the staged configuration, read only; None when it is
    not to be used or cannot be reached."""

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables of a job."""
        return {'HOME': self.folder, 'TMPDIR': self.folder}


class StatementTimes:
    """The times of the statements of a job, taken from its events."""

    def __init__(self, phase: str, show: Callable[[str], None]) -> None:
        self._phase = phase
        self._show = show
        #: (statement, how often, seconds, rows), in the order of the events.
        self._done: list[tuple[str, int, float, int]] = []
        #: The current migration's revision; '' before the first one.
        self.revision = ''
        #: The statement that did not complete; '' when all did.
        self.stopped = ''
        #: The time of the job itself, without its imports.
        self.seconds = 0.0
        #: Whether the process could leave the network; None when it was not
        #: asked to.
        self.offline: Optional[bool] = None

    def heed(self, event: target.Event) -> None:
        """Take an event of the job."""
        what = event['what']
        if what == 'done':
            self._done.append(
                (
                    str(event['text']),
                    int(event['count']),
                    float(event['seconds']),
                    int(event['rows']),
                )
            )
        elif what == 'runs':
            self._show(f'{self._phase}: {_shown(str(event["text"]))}')
        elif what == 'revision':
            self.revision = str(event['id'])
            self._show(f'{self._phase}: revision {self.revision}')
        elif what == 'stopped':
            self.stopped = str(event['text'])
        elif what == 'took':
            self.seconds = float(event['seconds'])
        elif what == 'network':
            self.offline = bool(event['left'])

    def statements(
        self, counted: Mapping[str, int], clean: Callable[[str], str]
    ) -> tuple[model.StatementTime, ...]:
        """Return the statements that took longest, slowest first.

        :param counted: how many rows each table had before.
        """
        longest = sorted(self._done, key=lambda one: (-one[2], one[0]))
        return tuple(
            model.StatementTime(
                clean(_shown(text)),
                table_of(text),
                round(seconds, 3),
                rows or counted.get(table_of(text)),
                count,
            )
            for text, count, seconds, rows in longest[:_MOST_STATEMENTS]
        )


def table_of(statement: str) -> str:
    """Return the table of a statement; '' when it is unclear."""
    found = _TABLE.match(statement)
    return found['table'] if found else ''


def _shown(statement: str) -> str:
    text = ' '.join(statement.split())
    if len(text) > _LONGEST_STATEMENT:
        return f'{text[:_LONGEST_STATEMENT]}...'
    return text


class RehearsalPhase(NamedTuple):
    """One phase of a rehearsal."""

    id: str
    """The id of its result, such as 'rehearse-sync'."""

    title: str
    run: 'Callable[[Stand], Iterator[failures.Failure]]'
    """Runs the phase, and yields what does not work."""


def run(
    phases: Sequence[RehearsalPhase],
    stand: Stand,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[model.CheckResult, ...]:
    """Run the phases in turn.

    If one has a FAILURE or cannot be run, the later ones are skipped, since
    the copy is not in the state from which they start.
    """
    results: list[model.CheckResult] = []
    stopped = ''
    for phase in phases:
        if stopped:
            results.append(_left_out(phase, stopped))
            continue
        result = _result(phase, stand, clock)
        results.append(result)
        if result.severity is model.Severity.FAILURE:
            stopped = phase.id
    return tuple(results)


def failed(
    phases: Sequence[RehearsalPhase],
    failure: failures.Failure,
    clean: Callable[[str], str],
) -> tuple[model.CheckResult, ...]:
    """Return the results when there is no copy to run the phases on.

    :param failure: the reason, which the first phase reports.
    :param clean: takes the secrets out of a text.
    """
    first, *others = phases
    return (
        _found(first, failures.findings([failure], None, clean)),
        *(_left_out(phase, first.id) for phase in others),
    )


def _left_out(phase: RehearsalPhase, stopped: str) -> model.CheckResult:
    return model.CheckResult(
        phase.id,
        phase.title,
        model.Outcome.NOT_APPLICABLE,
        f'{stopped} did not succeed',
    )


def _found(
    phase: RehearsalPhase, findings: Iterable[model.Finding]
) -> model.CheckResult:
    found = [one._replace(check_id=phase.id) for one in findings]
    return model.CheckResult(
        phase.id,
        phase.title,
        model.Outcome.FOUND if found else model.Outcome.PASSED,
        findings=tuple(sorted(found, key=lambda one: -one.severity)),
    )


def _result(
    phase: RehearsalPhase, stand: Stand, clock: Callable[[], float]
) -> model.CheckResult:
    started = clock()
    clean = stand.ctx.redactor
    stand.show(f'{phase.title} ...')
    try:
        result = _found(
            phase,
            failures.findings(phase.run(stand), stand.predicted, clean),
        )
    except exceptions.PrecheckError as exc:
        return model.CheckResult(
            phase.id,
            phase.title,
            model.Outcome.ERROR,
            clean(str(exc)),
            seconds=clock() - started,
        )
    return result._replace(seconds=clock() - started)
