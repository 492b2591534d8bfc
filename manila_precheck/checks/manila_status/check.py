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
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import manila_status

# The process must end before the runner's time limit for the check.
_SHARE_OF_TIME = 0.9


class ManilaStatus(check.Check):
    """A check of the installed manila-status fails or warns.

    manila provides ``manila-status upgrade check``. From 2023.1 to 2026.2 it
    has one check: that the policy file in use is not JSON. Packagers add
    others. This check runs them unchanged with ``python -m manila.cmd.status``
    in a separate process with the same configuration, and reports their
    results, so that one command is enough. It leaves out the checks of
    manila-precheck that are built into that manila-status, because they run
    already. The process is isolated (``python -I``) and runs in ``/``, without
    the environment of the caller except for the variables that set options
    (``OS_*__*``). A manila that is found only through PYTHONPATH, the working
    directory or user packages is not run.

    The checks apply to the installed manila, which is the source until the
    packages are upgraded. If manila is not installed in this environment, the
    check does not apply.

    FAILURE: one of manila's own checks fails. WARNING: one of them warns.
    INFO: never.

    Known false positives: those of manila's checks. A ``policy.json`` is
    reported twice, here and by ``policy-rules``, which knows how the target
    handles it.

    What to do: follow the text of the check; ``manila-status upgrade check``
    shows it too.
    """

    id = manila_status.CHECK_ID
    title = 'Checks of manila-status'
    stages = frozenset(model.Stage)
    uses = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield the results of manila's checks that warn or fail."""
        if not ctx.site.is_host:
            raise exceptions.SourceNotApplicable(
                'the files of a bundle are judged (--root), not the manila '
                'of this machine'
            )
        if ctx.installed is None:
            raise exceptions.SourceNotApplicable(
                'manila is not installed in this environment'
            )
        for answer in manila_status.ask(
            # manila-status reads the policy files, as manila-api does.
            ctx.seen_by(commands.API)[0].locations,
            ctx.options.check_timeout_seconds * _SHARE_OF_TIME,
        ):
            if answer.code == 0:
                continue
            yield model.Finding(
                model.Severity.WARNING
                if answer.code == 1
                else model.Severity.FAILURE,
                model.Subject('check', answer.name),
                answer.details or f'{answer.name}: no reason given',
                [model.command('manila-status upgrade check')],
                data={'manila': ctx.installed.text},
            )
