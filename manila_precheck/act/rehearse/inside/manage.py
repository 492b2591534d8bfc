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
"""Run manila-manage, and time every statement."""

import logging
import sys
import threading
import time

from manila_precheck.act.rehearse.inside import confinement

# How many characters of a statement are sent.
_LONGEST = 2000

# Shorter statements are added up by their text, up to so many texts.
_SHORT_SECONDS = 0.005
_MOST_TEXTS = 2000

_LOOK_SECONDS = 0.5


def run(request, say):
    """Run manila-manage.

    :param request: ``words``: the arguments; ``place`` and ``settings``, as
        :func:`.confinement.guard_connections` takes them.
    """
    confinement.guard_connections(request['place'], request['settings'])
    statements = _follow_statements(say)
    _follow_revisions(say)
    from manila.cmd import manage

    sys.argv = ['manila-manage', *request['words']]
    say('begin', job='manila-manage')
    started = time.monotonic()
    try:
        return manage.main() or 0
    finally:
        statements.end()
        say('took', seconds=time.monotonic() - started)


class _Statements:
    """The statements of a process: the running one, and the times of all."""

    def __init__(self, say):
        self._say = say
        # (statement, when it began); None when none runs.
        self._running = None
        # Text -> [how often, seconds, rows], for the short ones.
        self._short = {}

    def before(self, connection, cursor, statement, values, context, many):
        self._running = (statement, time.monotonic())

    def after(self, connection, cursor, statement, values, context, many):
        _, started = self._running or (statement, time.monotonic())
        self._running = None
        seconds, rows = time.monotonic() - started, max(cursor.rowcount, 0)
        if seconds < _SHORT_SECONDS and (
            statement in self._short or len(self._short) < _MOST_TEXTS
        ):
            totals = self._short.setdefault(statement, [0, 0.0, 0])
            totals[0] += 1
            totals[1] += seconds
            totals[2] += rows
            return
        self._done(statement, 1, seconds, rows)

    def follow(self):
        """Report a long statement while it is still running."""
        reported = None
        while True:
            time.sleep(_LOOK_SECONDS)
            running = self._running
            if running and running is not reported:
                reported = running
                self._say('runs', text=running[0][:_LONGEST])

    def end(self):
        """Report the short statements, and one that did not complete."""
        for statement, totals in self._short.items():
            self._done(statement, *totals)
        if self._running:
            text, started = self._running
            self._say(
                'stopped',
                text=text[:_LONGEST],
                seconds=time.monotonic() - started,
            )

    def _done(self, statement, count, seconds, rows):
        self._say(
            'done',
            text=statement[:_LONGEST],
            count=count,
            seconds=seconds,
            rows=rows,
        )


def _follow_statements(say):
    import sqlalchemy as sa

    found = _Statements(say)
    sa.event.listen(sa.engine.Engine, 'before_cursor_execute', found.before)
    sa.event.listen(sa.engine.Engine, 'after_cursor_execute', found.after)
    threading.Thread(target=found.follow, daemon=True).start()
    return found


class _Revisions(logging.Handler):
    """Reads from alembic's log which revision it migrates to."""

    def __init__(self, say):
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record):
        words = record.getMessage().split()
        # "Running upgrade a -> b, what it does".
        if words[:2] == ['Running', 'upgrade'] and '->' in words:
            found = words[words.index('->') + 1]
            self._say('revision', id=found.rstrip(','))


def _follow_revisions(say):
    logger = logging.getLogger('alembic.runtime.migration')
    logger.setLevel(logging.INFO)
    logger.addHandler(_Revisions(say))
