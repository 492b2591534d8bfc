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

"""The check ``manila-status``."""

from collections.abc import Iterator

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.host import manila_status

# The process has to be ended before the runner gives up the check.
_SHARE_OF_TIME = 0.9


class ManilaStatus(check.Check):
    """The manila that is installed here has an objection of its own.

    manila brings ``manila-status upgrade check``. From 2023.1 to 2026.2 it
    holds one check: that the policy file in use is not JSON. Packagers add
    others. They are run as they are, by ``python -m manila.cmd.status`` in a
    process of its own, with the same configuration, and what they say is
    passed on, so that one command is enough. Checks of this program that are
    built into that manila-status are left out: they run already. It is run
    isolated (``python -I``), in ``/`` and without the variables of the caller
    but those that set options (``OS_*__*``); a manila that is found by
    PYTHONPATH, the working directory or a user's own packages is not run.

    They judge for the manila that is installed: before the packages are
    upgraded that is the source. Where manila is not installed in this
    environment, the check does not apply.

    FAILURE: one of manila's own checks fails. WARNING: one of them warns.
    INFO: never.

    Known false positives: manila's own. A ``policy.json`` is said twice, here
    and by policy-rules, which knows what the target does with it.

    What to do: what the text says; ``manila-status upgrade check`` shows it
    too.
    """

    id = manila_status.CHECK_ID
    title = 'Checks of manila-status'
    stages = frozenset(model.Stage)
    uses = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what each of manila's checks objects to."""
        if ctx.installed is None:
            raise exceptions.SourceNotApplicable(
                'manila is not installed in this environment'
            )
        for answer in manila_status.ask(
            ctx.locations, ctx.options.check_timeout_seconds * _SHARE_OF_TIME
        ):
            if answer.code == 0:
                continue
            yield model.Finding(
                model.Severity.WARNING
                if answer.code == 1
                else model.Severity.FAILURE,
                model.Subject('check', answer.name),
                answer.details or f'{answer.name}: it gives no reason',
                [model.command('manila-status upgrade check')],
                data={'manila': ctx.installed.text},
            )
