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

"""The checks behind oslo.upgradecheck, in our command and in others'.

The only module that imports ``oslo_upgradecheck``.
"""

import datetime
import os
from typing import Any
from typing import Callable
from typing import Optional

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from manila_precheck import catalog
from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import registry
from manila_precheck import runner
from manila_precheck.reporters import digest
from manila_precheck.sources import manila_status


class Result(upgradecheck.Result):
    """What oslo.upgradecheck shows of one check, and what is behind it.

    :param result: what became of the check.
    :param fail_on: the lowest severity that shows in the code: 'warning',
        'failure' or 'never'. What is below stands in the details, first
        word, and the code is that of success.
    """

    def __init__(
        self, result: model.CheckResult, fail_on: str = 'warning'
    ) -> None:
        severity = result.severity
        details = digest.digest(result)
        code = model.exit_code(int(severity), fail_on)
        if severity and not code:
            details = f'{severity.name}: {details}'
        super().__init__(upgradecheck.Code(code), details)
        #: The :class:`manila_precheck.model.CheckResult`.
        self.result = result


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class _Shared:
    """One context for all the callables that manila-status runs.

    It is made when the first of them runs: the configuration is not parsed
    yet when the class that lists the checks is defined.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._context: Optional[context.Context] = None

    def run(self, entry: registry.Entry) -> Result:
        if self._context is None:
            opts.register(self._conf)
            self._context = context.Context(
                self._conf, catalog.Catalog(), _now()
            )
        return Result(
            runner.run_one(entry, self._context),
            self._context.options.manila_status_fail_on,
        )


def upgrade_checks(
    conf: cfg.ConfigOpts,
) -> tuple[tuple[str, Callable[..., Result]], ...]:
    """Return every check in the form that oslo.upgradecheck runs.

    For a command such as manila-status::

        _upgrade_checks = (...) + upgradecheck.upgrade_checks(cfg.CONF)

    Deployment tools run ``manila-status upgrade check`` as a fixed command
    line and stop when it does not end with 0. So that one line in manila
    stops no deployment that passed before, the results have the code of
    success, and what was found stands in their details, until
    ``[manila_precheck] manila_status_fail_on`` is set to 'warning' or
    'failure'.

    The check ``manila-status`` is not among them: it runs that command.

    :param conf: the configuration of that command, parsed or not yet; it is
        not looked at before the first check runs.
    :returns: (title, callable) of each check, sorted by id; none when
        :mod:`manila_precheck.sources.manila_status` runs the command. The
        callables take the ``UpgradeCommands`` instance, return a
        :class:`Result` and raise nothing.
    """
    if os.environ.get(manila_status.NESTED_VARIABLE):
        return ()
    shared = _Shared(conf)

    def bound(entry: registry.Entry) -> Callable[..., Result]:
        def call(commands: Any = None) -> Result:
            return shared.run(entry)

        return call

    found = []
    for entry in registry.checks():
        if entry.name == manila_status.CHECK_ID:
            continue
        loaded = runner.load(entry)
        title = loaded.title if isinstance(loaded, check.Check) else entry.name
        found.append((str(title), bound(entry)))
    return tuple(found)


class UpgradeCommands(upgradecheck.UpgradeCommands):
    """The upgrade check of our own command.

    :param make_report: runs the checks and returns the report.
    :param write: shows a report.
    """

    def __init__(
        self,
        make_report: Callable[[], model.Report],
        write: Callable[[model.Report], None],
    ) -> None:
        self._make_report = make_report
        self._write = write

    def check(self) -> upgradecheck.Code:
        """Run the checks, show the report, return the highest code."""
        report = self._make_report()
        self._write(report)
        return upgradecheck.Code(report.code)
