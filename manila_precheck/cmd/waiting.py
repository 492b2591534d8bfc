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

"""``--wait``: let what goes away by itself go away first."""

from collections.abc import Iterator
from collections.abc import Sequence
import time
from typing import Callable

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import registry
from manila_precheck.engine import runner

#: How often the database is looked at.
POLL_SECONDS = 5.0


def draining(
    chosen: Sequence[registry.Plugin], stage: model.Stage
) -> tuple[registry.Plugin, ...]:
    """Return the checks whose findings go away by themselves at a stage.

    :param chosen: the checks of the run.
    :raises UsageError: when there is none.
    """
    found = [
        entry
        for entry in chosen
        for loaded in [runner.load(entry)]
        if isinstance(loaded, check.Check) and stage in loaded.drains
    ]
    if not found:
        raise exceptions.UsageError(
            f'no check of this run finds anything at stage {stage.value} '
            'that waiting can resolve'
        )
    return tuple(found)


def wait(
    make_context: Callable[[], context.Context],
    waited: Sequence[registry.Plugin],
    seconds: float,
    show: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run checks again and again until they find nothing to wait for.

    What a check could not look at may come back, a server that is restarted
    say, and is waited for as well. The report that follows says what is left.

    :param make_context: returns a new context, with a time of its own.
    :param waited: what :func:`draining` returned.
    :param seconds: how long to wait at most.
    :param show: called with what is waited for, one line, before each pause.
    :param clock: returns seconds.
    """
    end = clock() + seconds
    while True:
        ctx = make_context()
        try:
            left = list(_left(ctx, waited))
        finally:
            ctx.close()
        rest = end - clock()
        if not left or rest <= 0:
            return
        more = f' and {len(left) - 1} more' if len(left) > 1 else ''
        show(f'{rest:.0f} s left; waiting for: {left[0]}{more}')
        sleep(min(POLL_SECONDS, rest))


def _left(
    ctx: context.Context, waited: Sequence[registry.Plugin]
) -> Iterator[str]:
    for entry in waited:
        loaded = runner.load(entry)
        result = runner.run_one(entry, ctx)
        if result.outcome is model.Outcome.ERROR:
            yield f'{result.id}: {result.reason}'
        for finding in result.findings:
            if isinstance(loaded, check.Check) and loaded.goes_away(finding):
                yield finding.message
