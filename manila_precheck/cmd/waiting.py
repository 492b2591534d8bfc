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

"""``--wait``: wait until findings that go away by themselves are gone."""

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

#: The pause between two runs of the checks.
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
    """Run checks repeatedly until there is nothing more to wait for.

    It also waits if a check could not run, since a server may be restarting.
    The report that follows shows the findings that are left.

    :param make_context: returns a new context, with the current time.
    :param waited: the checks, as :func:`draining` returned them.
    :param seconds: the maximum time to wait.
    :param show: called before each pause with one line about what it waits
        for.
    :param clock: returns a time in seconds.
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
