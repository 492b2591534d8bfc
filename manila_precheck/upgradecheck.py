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

"""Run the checks through oslo.upgradecheck, also in ``manila-status``.

No other module imports ``oslo_upgradecheck``.
"""

import datetime
import os
import sys
from typing import Any
from typing import Callable
from typing import Optional

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import opts
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import grouping
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.engine import waivers
from manila_precheck.evidence.config import config_sources
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.host import manila_status
from manila_precheck.redact import secrets
from manila_precheck.reporters import digest

#: The title of the entry about errors in waivers, baseline, check and skip.
_LAST = 'Waivers and baseline'


class Result(upgradecheck.Result):
    """The oslo.upgradecheck result of one check.

    :param result: the result of the check.
    :param fail_on: the lowest severity that affects the code: 'warning',
        'failure' or 'never'. Below it the code is SUCCESS, and the details
        begin with the severity.
    :param same_as: the title of an earlier check that could not run for the
        same reason: the details name it instead of repeating the reason; ''
        for none.
    """

    def __init__(
        self,
        result: model.CheckResult,
        fail_on: str = 'warning',
        same_as: str = '',
    ) -> None:
        severity = result.severity
        details = digest.digest(result)
        if same_as:
            details = f'could not run, for the reason of: {same_as}'
        code = model.exit_code(int(severity), fail_on)
        if severity and not code:
            details = f'{severity.name}: {details}'
        super().__init__(upgradecheck.Code(code), _printable(details))
        #: The :class:`manila_precheck.model.CheckResult` behind it.
        self.result = result


def _printable(text: Optional[str]) -> Optional[str]:
    """Return the text, with escapes for what stdout cannot encode."""
    if text is None:
        return None
    encoding = getattr(sys.stdout, 'encoding', None) or 'utf-8'
    return text.encode(encoding, 'backslashreplace').decode(encoding)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class _Shared:
    """The state that the callables which manila-status runs share.

    The context is made when the first of them runs: the configuration is not
    parsed yet when the class that lists the checks is defined.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._context: Optional[context.Context] = None
        #: Why no check can run, and why the options that choose checks and
        #: waive findings cannot be used; '' while they can.
        self._broken = self._undecided = ''
        self._chosen: Optional[set[str]] = None
        self._decided: Optional[waivers.Decisions] = None
        self._results: list[model.CheckResult] = []
        #: The titles that oslo.upgradecheck shows, by the id of the result.
        self.titles: dict[str, str] = {waivers.CHECK_ID: _LAST}
        #: For each reason, the id of the first check that could not run.
        self._told: dict[str, str] = {}

    def break_off(self, reason: str) -> None:
        """Note why no check can run."""
        self._broken = reason

    def run(self, entry: registry.Plugin) -> Result:
        """Run one check."""
        return self._guarded(entry.result_id, lambda: self._run(entry))

    def judge(self) -> Result:
        """Return the result about the waivers, after every check has run."""
        return self._guarded(waivers.CHECK_ID, self._judge)

    def _guarded(self, result_id: str, call: Callable[[], Result]) -> Result:
        """Return what a call returns, or an ERROR result if it raises."""
        try:
            return runner.guarded(call)
        except exceptions.PrecheckError as exc:
            return self._result(
                model.CheckResult(
                    result_id,
                    result_id,
                    model.Outcome.ERROR,
                    secrets.scrub(str(exc)),
                )
            )

    def _run(self, entry: registry.Plugin) -> Result:
        ctx = self._prepared()
        if ctx is None:
            return self._outcome(entry, model.Outcome.ERROR, self._broken)
        if self._chosen is not None and entry.result_id not in self._chosen:
            return self._outcome(
                entry,
                model.Outcome.NOT_APPLICABLE,
                f'left out by [{opts.GROUP}] check or skip',
            )
        result = runner.run_one(entry, ctx)
        if ctx.interrupted.is_set():
            # Otherwise the command could be interrupted and still exit with 0.
            raise KeyboardInterrupt
        self._results.append(result)
        return self._result(self._let_pass((result,))[result.id])

    def _judge(self) -> Result:
        ctx = self._prepared()
        outcome, reason = model.Outcome.PASSED, ''
        if ctx is None or self._undecided:
            outcome = model.Outcome.ERROR
            reason = self._undecided or self._broken
        nothing = model.CheckResult(waivers.CHECK_ID, _LAST, outcome, reason)
        found = self._let_pass(tuple(self._results))
        if ctx is not None:
            ctx.close()
        return self._result(found.get(waivers.CHECK_ID, nothing))

    def _let_pass(
        self, results: tuple[model.CheckResult, ...]
    ) -> dict[str, model.CheckResult]:
        if self._decided is not None and self._context is not None:
            results = self._decided.apply(
                results, self._context.now.date(), self._context.redactor
            )
        return {result.id: result for result in results}

    def _outcome(
        self, entry: registry.Plugin, outcome: model.Outcome, reason: str
    ) -> Result:
        return self._result(
            model.CheckResult(entry.result_id, entry.name, outcome, reason)
        )

    def _result(self, result: model.CheckResult) -> Result:
        try:
            fail_on = runner.guarded(
                lambda: self._conf[opts.GROUP].manila_status_fail_on
            )
        except exceptions.PrecheckError:
            # The operator set the option, so findings are to count.
            fail_on = 'warning'
        same_as = ''
        if result.outcome is model.Outcome.ERROR and not result.findings:
            group = grouping.identify_error(result)
            first = self._told.setdefault(group, result.id)
            same_as = (
                '' if first == result.id else self.titles.get(first, first)
            )
        return Result(result, fail_on, same_as)

    def _prepared(self) -> Optional[context.Context]:
        """Return the context, made at the first call; None if that failed."""
        if self._context is None and not self._broken:
            try:
                self._context = runner.guarded(self._prepare)
            except exceptions.PrecheckError as exc:
                self._broken = secrets.scrub(str(exc))
            else:
                try:
                    runner.guarded(self._decide)
                except exceptions.PrecheckError as exc:
                    self._undecided = secrets.scrub(str(exc))
        return self._context

    def _prepare(self) -> context.Context:
        opts.register(self._conf)
        services = _services(self._conf)
        ctx = context.Context(
            self._conf,
            catalog.Catalog(),
            _now(),
            locations=_locations(self._conf, services),
            services=services,
            sources=lambda files, wanted: config_sources.listed(
                config_sources.open_all(self._conf, files, runner.isolated),
                wanted,
                runner.isolated,
            ),
        )
        # Read before oslo.config expands any option: it has no limit for
        # references between options, which could take all memory.
        ctx.config  # noqa: B018
        opts.settle(self._conf)
        if ctx.options.root:
            # Otherwise it would silently check this host instead.
            raise exceptions.UsageError(
                f'[{opts.GROUP}] root names {ctx.options.root}, which '
                'manila-status does not read; unset it, or run '
                'manila-precheck'
            )
        ctx.take_builds()
        ctx.redactor  # noqa: B018  A bad pattern is a usage error.
        return ctx

    def _decide(self) -> None:
        """Choose the checks, and read the waivers and the baseline.

        :raises UsageError: when any of them cannot be used; then every check
            runs and every finding counts.
        """
        ctx = self._context
        assert ctx is not None
        opts.require_known(
            self._conf, ctx.config.settings, os.environ, ctx.catalog
        )
        available = registry.checks()
        chosen = registry.select(
            available, ctx.options.check, ctx.options.skip, runner.aliases
        )
        decided = waivers.decisions(
            ctx.options, [entry.result_id for entry in available]
        )
        if decided.baseline is not None:
            decided.require(ctx.upgrade.target.name, ctx.stage.value)
        self._chosen = {entry.result_id for entry in chosen}
        ctx.chosen = frozenset(self._chosen)
        self._decided = decided


def _services(
    conf: cfg.ConfigOpts,
) -> Optional[tuple[service_files.ServiceFiles, ...]]:
    """Return the files that each service of this host reads.

    :returns: None where the command line names files: they are then those of
        every service.
    """
    # NOTE: oslo.config has no public way to ask whether it found the files
    # itself.
    words = getattr(conf, '_args', None)
    if words is None or any(word.startswith('--config-') for word in words):
        return None
    if not context.locations_of(conf):
        return None
    return service_files.of_here(service_files.Machine().find())


def _locations(
    conf: cfg.ConfigOpts,
    services: Optional[tuple[service_files.ServiceFiles, ...]],
) -> tuple[str, ...]:
    """Return the files of the services and those of the command itself."""
    own = context.locations_of(conf)
    if services is None:
        return tuple(own)
    return tuple(dict.fromkeys([*service_files.merged(services), *own]))


def upgrade_checks(
    conf: cfg.ConfigOpts,
) -> tuple[tuple[str, Callable[..., Result]], ...]:
    """Return every check in the form that oslo.upgradecheck runs.

    For a command such as manila-status::

        _upgrade_checks = (...) + upgradecheck.upgrade_checks(cfg.CONF)

    Deployment tools run ``manila-status upgrade check`` as a fixed command
    line and stop when it does not exit with 0. That one line in manila must
    not stop a deployment that passed before: every result has the code
    SUCCESS, and lists its findings in the details, until
    ``[manila_precheck] manila_status_fail_on`` is set to 'warning' or
    'failure'.

    The check ``manila-status`` is not among them, because it runs that
    command. The other options of ``[manila_precheck]`` apply as well:
    ``check`` and ``skip`` choose the checks, ``waivers`` and ``baseline``
    accept findings. The last entry reports errors in these options; if there
    are any, every check runs and every finding counts.

    :param conf: the configuration of that command, parsed or not; it is not
        read before the first check runs.
    :returns: (title, callable) of each check, sorted by id, and last the one
        about the waivers; empty when the check ``manila-status`` runs the
        command. The callables take the ``UpgradeCommands`` instance, return a
        :class:`Result` and raise nothing but KeyboardInterrupt.
    """
    if os.environ.get(manila_status.NESTED_VARIABLE):
        return ()
    shared = _Shared(conf)
    try:
        entries = runner.guarded(registry.checks)
    except exceptions.PrecheckError as exc:
        shared.break_off(secrets.scrub(str(exc)))
        entries = ()

    def bound(entry: registry.Plugin) -> Callable[..., Result]:
        def call(commands: Any = None) -> Result:
            return shared.run(entry)

        return call

    def last(commands: Any = None) -> Result:
        return shared.judge()

    found: list[tuple[str, Callable[..., Result]]] = []
    for entry in entries:
        if entry.name == manila_status.CHECK_ID:
            continue
        loaded = runner.load(entry)
        title = loaded.title if isinstance(loaded, check.Check) else entry.name
        shown = _printable(title) or entry.name
        shared.titles[entry.result_id] = shown
        found.append((shown, bound(entry)))
    return (*found, (_LAST, last))


class UpgradeCommands(upgradecheck.UpgradeCommands):
    """The oslo.upgradecheck commands of ``manila-precheck`` itself.

    :param make_report: runs the checks and returns the report.
    :param write: writes a report.
    """

    def __init__(
        self,
        make_report: Callable[[], model.Report],
        write: Callable[[model.Report], None],
    ) -> None:
        self._make_report = make_report
        self._write = write

    def check(self) -> upgradecheck.Code:
        """Run the checks, write the report and return the highest code."""
        report = self._make_report()
        self._write(report)
        return upgradecheck.Code(report.code)
