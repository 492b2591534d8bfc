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

"""The check ``backend-drivers``: a module for each part of a back end."""

from collections.abc import Iterator
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.catalog import conditions
from manila_precheck.checks.backend_drivers import affected_shares
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.checks.backend_drivers import comparison
from manila_precheck.checks.backend_drivers import environment
from manila_precheck.checks.backend_drivers import inputs
from manila_precheck.checks.backend_drivers import libraries
from manila_precheck.checks.backend_drivers import loading
from manila_precheck.checks.backend_drivers import standalone
from manila_precheck.checks.backend_drivers import storage
from manila_precheck.checks.backend_drivers import third_party
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import unread_sources
from manila_precheck.evidence import machine_names
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import services
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import interpreter

if TYPE_CHECKING:
    from oslo_config import cfg


_WITHIN_REACH = model.advice(
    'Run manila-precheck where the services run, with the source reachable.'
)


class BackendDrivers(check.Check):
    """A back end does not start in the target and may stop the others.

    manila-share loads the ``share_driver`` of every back end that
    ``enabled_share_backends`` names, in one parent process. A class that
    cannot be imported, a section that does not exist, and a
    ``driver_handles_share_servers`` that is not set or that the driver does
    not support make the whole service exit with code 1: no other back end
    starts either. ``manila-status upgrade check`` checks none of this.

    A path that the share manager maps to a new one (MAPPING in
    manila/share/manager.py) still loads. For ``EMCShareDriver``, the check
    also looks up the plugin that ``emc_share_backend`` names; the name is case
    sensitive. Without ``enabled_share_backends``, manila-share starts one back
    end from [DEFAULT]; without ``share_driver``, it uses the generic driver. A
    configuration that sets neither belongs to a host without manila-share.

    The support matrix lists the requirements of each driver: the oldest
    version of the storage system that the documentation or the code of each
    release names, and the Python modules that manila does not install. An
    operator (option ``support_matrix``) or the package of a vendor can add
    rows; they take precedence over the built-in rows, and the finding names
    their origin. The operator declares the version of the storage system in an
    inventory (option ``storage_inventory``); the check does not query the
    array, which would need credentials. The modules, and the class of a
    third-party driver, are looked up in the Python interpreter that the option
    ``python`` names; nothing is imported.

    FAILURE: manila-share of the target does not start, or a back end does not
    come up: ``enabled_share_backends`` has an empty item (``a,,b``), or is
    empty on a host that has served back ends; the standalone network plugin of
    a back end rejects its gateway, mask or ranges, or a plugin for a single
    Neutron network has no network; a module is missing; or the driver rejects
    the version of the storage system or of a library. With a database, each
    finding gives the number of share instances on the affected back ends.
    WARNING: the driver or plugin is deprecated or is configured under an old
    path or name. Or it is a third-party driver that is in no file of facts
    (``--target-catalog``), and no row states that it supports the target. Or
    the storage system or a library is older than documented, cannot be
    compared, or is not declared while the target requires more than the
    source. Or an out-of-tree driver imports a module that the environment of
    its build lacks, or it is unknown whether the target has the client library
    of a driver. Or the inventory names a back end that does not exist, or the
    Python that ``python`` names has another release of manila. Or a source of
    ``config_source`` that may name the back ends or their drivers cannot be
    read. INFO: no back end is enabled; or no version is declared, and the
    finding lists the documented ones.

    Known false positives: a fork of manila that adds drivers below
    ``manila.`` is treated as manila itself, unless a row of the matrix names
    the driver for the target.

    What to do: write the line that the finding shows, or remove the back end
    from ``enabled_share_backends`` until its driver is available.
    """

    id = 'backend-drivers'
    title = 'Back ends and their drivers'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    services = (commands.SHARE,)
    uses = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the files and the Python that an operator can name."""
        from oslo_config import cfg

        return (
            cfg.StrOpt(
                'python',
                metavar='PATH',
                help='The Python interpreter that the services of the target '
                'will use, such as /opt/manila/bin/python3. The check runs it '
                'isolated to find out which of the modules that the drivers '
                'need can be imported, but imports none of them. If not set, '
                'the report lists what to check by hand.',
            ),
            cfg.StrOpt(
                'storage_inventory',
                metavar='FILE',
                help='A YAML or JSON file that declares the storage system '
                'and version behind each back end. If not set, the '
                'report lists the versions that the target documents.',
            ),
            cfg.StrOpt(
                'support_matrix',
                metavar='FILE',
                help='A YAML or JSON file with rows of the support matrix. '
                'They take precedence over the rows of installed '
                'packages and over the built-in ones.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps each enabled back end from starting."""
        conf = ctx.config
        why = unread_sources.why_not_judged(
            conf, *config_files.ENABLED_BACKENDS
        )
        if why is not None:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('option', 'DEFAULT/enabled_share_backends'),
                'the back ends that manila-share starts were not checked: '
                f'{why}',
                [_WITHIN_REACH],
                aspect='unjudged',
            )
            return
        if not conf.runs_share:
            emptied = _emptied(ctx)
            if emptied is not None:
                yield emptied
                return
            yield _none_enabled(ctx)
            return
        unnamed = _unnamed(ctx)
        if unnamed is not None:
            yield unnamed
        options = ctx.options_of(self.id)
        given = inputs.gather(ctx, options)
        errors = list(given.errors)
        behind = affected_shares.AffectedShares(ctx)
        loads = []
        for configured in conf.backends:
            one = backend.BackEnd(ctx, configured, behind)
            loaded = yield from loading.judge(one, given.matrix)
            if loaded is not None:
                yield from standalone.findings(one)
                loads.append((one, loaded))
        yield from given.findings
        try:
            python = self._python(ctx, given, loads)
        except exceptions.SourceUnusable as exc:
            errors.append(f'python: {exc}')
            python = None
        if python is not None:
            yield from environment.judge(ctx, python)
        for one, loaded in loads:
            yield from self._behind(one, loaded, given, python)
        yield from inputs.not_enabled(ctx, given.inventory_file)
        if errors:
            # The findings that do not need these files were yielded above.
            raise exceptions.SourceUnusable('; '.join(errors))

    def _python(
        self,
        ctx: context.Context,
        given: inputs.Inputs,
        loads: list[tuple[backend.BackEnd, loading.BackendCode]],
    ) -> Optional[interpreter.Importable]:
        wanted = [
            item
            for one, loaded in loads
            for item in libraries.asked(
                one, given.matrix.find(loaded.now, one.target)
            )
        ]
        foreign = [loaded.now for _, loaded in loads if loaded.foreign]
        return environment.ask(ctx.options_of(self.id).python, wanted, foreign)

    def _behind(
        self,
        one: backend.BackEnd,
        loaded: loading.BackendCode,
        given: inputs.Inputs,
        python: Optional[interpreter.Importable],
    ) -> Iterator[model.Finding]:
        """Yield findings about the libraries and the storage of a driver."""
        if loaded.foreign:
            yield from third_party.judge(
                one, loaded.driver, given.matrix, python
            )
        asked = comparison.Asked(
            given.matrix.find(loaded.now, one.target),
            given.matrix.find(loaded.before, one.source),
            given.matrix,
        )
        yield from libraries.judge(one, asked.now, python)
        yield from storage.judge(one, asked, *given.declared(one.name))


def _emptied(ctx: context.Context) -> Optional[model.Finding]:
    """Return that an empty enabled_share_backends disables back ends.

    A template leaves an empty line when its variable is empty. manila-share
    then loads a driver from [DEFAULT], which does not set
    driver_handles_share_servers, and exits (tried on manila 20.0.3 and
    22.0.2).

    :returns: None if the line is not empty, or if it is not known that the
        manila-share of this host has served a back end.
    """
    line = ctx.config.effective([config_files.ENABLED_BACKENDS])
    if not line:
        return None
    try:
        known = services.share_hosts(ctx.database)
    except exceptions.PrecheckError:
        return None
    controller = ctx.config.value(
        'DEFAULT', 'host'
    ) or machine_names.host_name(ctx.machine)
    names = sorted(
        found.backend
        for found in map(service_host.parse, known)
        if found.controller == controller
    )
    if not names:
        return None
    return model.Finding(
        model.Severity.FAILURE,
        line[0].subject,
        'enabled_share_backends is empty, and manila-share has served '
        f'{", ".join(filter(None, names)) or "a back end"} as {controller}: '
        f'it now loads {conditions.DEFAULT_DRIVER} from [DEFAULT], where '
        'driver_handles_share_servers is not set, and exits with 1',
        [
            model.config(
                '[DEFAULT]\nenabled_share_backends = {}',
                ','.join(filter(None, names)) or 'BACKEND',
            )
        ],
        aspect='empty',
    )


def _none_enabled(ctx: context.Context) -> model.Finding:
    """Return that no back end is enabled, as on a host of only the API.

    An empty line is doubtful if sections have drivers and no database shows
    whether manila-share runs here.
    """
    conf = ctx.config
    line = conf.effective([config_files.ENABLED_BACKENDS])
    defined = sorted(
        {
            setting.section
            for setting in conf.settings
            if setting.name == 'share_driver' and setting.group != 'DEFAULT'
        }
    )
    loads = (
        f'if manila-share runs with these files, it loads '
        f'{conditions.DEFAULT_DRIVER} from [DEFAULT]'
    )
    if not (line and defined) or _has_database(ctx):
        return model.Finding(
            model.Severity.INFO,
            model.Subject('option', 'DEFAULT/enabled_share_backends'),
            'no back end is configured: enabled_share_backends is not set; '
            + loads,
        )
    return model.Finding(
        model.Severity.WARNING,
        line[0].subject,
        f'enabled_share_backends is empty, and {", ".join(defined)} '
        f'{"has" if len(defined) == 1 else "have"} a share_driver: {loads}, '
        'where driver_handles_share_servers is not set, and exits with 1',
        [
            model.advice('Where manila-share runs:'),
            model.config(
                '[DEFAULT]\nenabled_share_backends = {}', ','.join(defined)
            ),
        ],
        aspect='empty',
    )


def _has_database(ctx: context.Context) -> bool:
    try:
        services.share_hosts(ctx.database)
    except exceptions.PrecheckError:
        return False
    return True


def _unnamed(ctx: context.Context) -> Optional[model.Finding]:
    """Return that enabled_share_backends has an empty item; None if not.

    manila-share creates a service for each item; for an empty item this raises
    NoSuchOptError (tried on manila 16.3.0, 22.0.2 and 23.0.1).
    """
    reader = ctx.reader(ctx.upgrade.target)
    try:
        names = reader.get(*config_files.ENABLED_BACKENDS)
    except config_reader.Refused:
        return None
    line = ctx.config.effective([config_files.ENABLED_BACKENDS])
    if not line or names is None or '' not in names:
        return None
    usable = ','.join(dict.fromkeys(filter(None, names)))
    edits = config_edits.Edits(ctx.reader(ctx.upgrade.source), reader)
    return model.Finding(
        model.Severity.FAILURE,
        line[0].subject,
        f'enabled_share_backends = {line[0].value} has an empty item: '
        'manila-share cannot create a back end without a name, and exits '
        'with 1',
        [
            model.config(
                '[DEFAULT]\nenabled_share_backends = {}', usable
            ).with_edits(*edits.replace(line[0], usable))
        ],
        aspect='unnamed',
    )
