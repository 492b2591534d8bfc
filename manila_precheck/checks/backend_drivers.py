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

"""The check ``backend-drivers``."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import standing
from manila_precheck.catalog import drivers
from manila_precheck.sources import config

Severity = model.Severity


class BackendDrivers(check.Check):
    """A back end does not start in the target, and takes the others along.

    manila-share loads the ``share_driver`` of every back end that
    ``enabled_share_backends`` names, in one parent process. A class that
    cannot be imported, a section that does not exist and a
    ``driver_handles_share_servers`` that is not set, or that the driver does
    not take, end the whole service with exit code 1: no other back end
    starts either. ``manila-status upgrade check`` looks at none of this.

    A path that the share manager maps to a new one (MAPPING in
    manila/share/manager.py) still loads. For ``EMCShareDriver`` the plugin
    that ``emc_share_backend`` names is looked up as well, exactly as it is
    spelled: the driver compares it with case. Without
    ``enabled_share_backends`` manila-share starts one back end from
    [DEFAULT]; without ``share_driver`` that is the generic driver. A
    configuration that sets neither is one of a host without manila-share.

    FAILURE: manila-share of the target does not start. WARNING: the driver
    or plugin is deprecated, or is configured under an old path or name; or
    it is in neither release and not in the name space of manila: whether a
    third party's driver works with the target only its vendor can say.
    INFO: no back end is enabled.

    Known false positives: a fork of manila that adds drivers below
    ``manila.`` is judged as manila itself.

    What to do: write the line that the finding shows, or take the back end
    out of ``enabled_share_backends`` until its driver is there.
    """

    id = 'backend-drivers'
    title = 'Back ends and their drivers'
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps each enabled back end from starting."""
        conf = ctx.config
        if conf.backends[0].source is None and not (
            conf.find('DEFAULT', 'share_driver')
            or conf.find('DEFAULT', 'driver_handles_share_servers')
        ):
            yield self.finding(
                Severity.INFO,
                model.Subject('option', 'DEFAULT/enabled_share_backends'),
                'no back end is configured: enabled_share_backends is not '
                'set; if manila-share runs with these files, it loads '
                f'{standing.DEFAULT_DRIVER} from [DEFAULT]',
            )
            return
        for backend in conf.backends:
            yield from _Backend(self, ctx, backend).findings()


class _Backend:
    """One back end, before and after the upgrade."""

    def __init__(
        self,
        owner: BackendDrivers,
        ctx: context.Context,
        backend: config.Backend,
    ) -> None:
        self._owner = owner
        self._ctx = ctx
        self._backend = backend
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target
        self._driver_line = self._line('share_driver')
        self._path = (
            self._driver_line.value
            if self._driver_line is not None
            else standing.DEFAULT_DRIVER
        )

    def _line(self, name: str) -> Optional[config.Setting]:
        found = self._ctx.config.effective([(self._backend.name, name)])
        return found[0] if found else None

    def findings(self) -> Iterator[model.Finding]:
        name = self._backend.name
        if self._backend.section is None:
            yield self._fails(
                self._backend.source,
                f'enabled_share_backends names {name}, and no file has a '
                f'section [{name}]',
                self._or_without(
                    'Write the section, with share_driver and '
                    'driver_handles_share_servers'
                ),
                'section',
            )
            return
        driver = self._ctx.catalog.driver(self._target, self._path)
        if driver is None:
            yield self._absent()
            return
        if driver.kind == drivers.SHARE_MOVED:
            yield self._finding(
                Severity.WARNING,
                self._driver_line,
                f'[{name}] loads {self._path}, an old path that '
                f'{self._target} still maps to {driver.target}',
                [model.config(f'[{name}]\nshare_driver = {driver.target}')],
                'moved',
                {'moved_to': driver.target},
            )
            assert driver.target is not None
            driver = self._ctx.catalog.drivers(self._target)[driver.target]
        if driver.deprecated:
            yield self._deprecated(self._driver_line, driver.name)
        if driver.name == standing.EMC_DRIVER:
            yield from self._plugin()
        else:
            yield from self._mode(driver.modes, driver.name)

    # -- the class -----------------------------------------------------------

    def _absent(self) -> model.Finding:
        name = self._backend.name
        before = self._ctx.catalog.driver(self._source, self._path)
        if before is not None or self._path.startswith('manila.'):
            text = (
                f'{self._source} has it'
                if before is not None
                else f'{self._source} has none such either'
            )
            return self._fails(
                self._driver_line,
                f'[{name}] loads {self._path}, which {self._target} does not '
                f'have ({text})',
                self._or_without(f'Give it a driver that {self._target} has'),
                'driver',
            )
        return self._finding(
            Severity.WARNING,
            self._driver_line,
            f'[{name}] loads {self._path}, a third party\'s driver: whether '
            f'it works with {self._target} is not known here',
            [
                model.advice(
                    'Ask its vendor for the version that goes with '
                    f'{self._target}, and install it with the upgrade. If '
                    'the class cannot be imported, manila-share does not '
                    'start.'
                )
            ],
            'driver',
        )

    # -- the plugin of an EMC driver -----------------------------------------

    def _plugin(self) -> Iterator[model.Finding]:
        name = self._backend.name
        line = self._line('emc_share_backend')
        known = self._ctx.catalog.plugins(self._target, drivers.EMC_PLUGIN)
        if line is None:
            yield self._fails(
                self._driver_line,
                f'[{name}] does not say emc_share_backend, so that '
                'EMCShareDriver has no plugin to load',
                self._lines('emc_share_backend', sorted(known)),
                'plugin',
            )
            return
        new = standing.emc_plugin(line.value, self._ctx.catalog, self._target)
        plugin = known.get(new)
        if new != line.value:
            yield self._finding(
                Severity.WARNING,
                line,
                f'[{name}] emc_share_backend = {line.value} is an old name '
                f'that {self._target} still maps to {new}',
                [model.config(f'[{name}]\nemc_share_backend = {new}')],
                'plugin',
                {'moved_to': new},
            )
        if plugin is None:
            near = self._name_since(line.value)
            usable = [near] if near in known else sorted(known)
            yield self._fails(
                line,
                f'[{name}] emc_share_backend = {line.value} names no plugin '
                f'of {self._target}',
                self._lines('emc_share_backend', usable),
                'plugin',
            )
            return
        if plugin.deprecated:
            yield self._deprecated(line, f'plugin {plugin.name}')
        yield from self._mode(plugin.modes, f'plugin {plugin.name}')

    def _name_since(self, named: str) -> str:
        """Return what a plugin of an older release is called now."""
        facts = self._ctx.catalog
        for release in reversed(facts.releases):
            new = standing.emc_plugin(named, facts, release)
            if new != named:
                return new
        return named.lower()

    # -- driver_handles_share_servers ----------------------------------------

    def _mode(
        self, modes: tuple[bool, ...], what: str
    ) -> Iterator[model.Finding]:
        name = self._backend.name
        line = self._line('driver_handles_share_servers')
        usable = ' or '.join(str(mode) for mode in modes) or 'True or False'
        advice = self._lines(
            'driver_handles_share_servers',
            [str(mode) for mode in modes or (False, True)],
        )
        if line is None:
            yield self._fails(
                self._driver_line or self._backend.source,
                f'[{name}] does not set driver_handles_share_servers, which '
                'has no default',
                advice,
                'mode',
            )
            return
        reader = standing.Reader(
            self._ctx.config, self._ctx.catalog, self._target
        )
        try:
            value = reader.get(name, 'driver_handles_share_servers')
        except standing.Refused:
            yield self._fails(
                line,
                f'[{name}] driver_handles_share_servers = {line.value} is '
                'neither true nor false',
                advice,
                'mode',
            )
            return
        if modes and value not in modes:
            yield self._fails(
                line,
                f'[{name}] driver_handles_share_servers = {line.value} is '
                f'not a mode of {what} in {self._target}, which takes '
                f'{usable} alone',
                advice,
                'mode',
            )

    # -- what to write -------------------------------------------------------

    def _lines(
        self, option: str, values: Sequence[str]
    ) -> list[model.Remediation]:
        """Return the lines that set an option, one of which is to be taken."""
        lines = [
            model.config(f'[{self._backend.name}]\n{option} = {value}')
            for value in values
        ]
        if len(lines) == 1:
            return lines
        return [model.advice('One of these, as its shares need it:'), *lines]

    def _or_without(self, first: str) -> list[model.Remediation]:
        """Return advice, and the line that leaves the back end out."""
        others = [
            other.name
            for other in self._ctx.config.backends
            if other.name != self._backend.name
        ]
        if not others:
            return [model.advice(f'{first}.')]
        return [
            model.advice(f'{first}, or start without it:'),
            model.config(
                f'[DEFAULT]\nenabled_share_backends = {",".join(others)}'
            ),
        ]

    # -- findings ------------------------------------------------------------

    def _deprecated(
        self, line: Optional[config.Setting], what: str
    ) -> model.Finding:
        return self._finding(
            Severity.WARNING,
            line,
            f'[{self._backend.name}] uses {what}, which is deprecated in '
            f'{self._target}; a later release comes without it',
            [model.advice('Plan the move of its shares to another back end.')],
            'deprecated',
        )

    def _fails(
        self,
        line: Optional[config.Setting],
        message: str,
        remediation: list[model.Remediation],
        aspect: str,
    ) -> model.Finding:
        enabled = len(self._ctx.config.backends)
        return self._finding(
            Severity.FAILURE,
            line,
            f'{message}; manila-share exits with 1 and starts no back end '
            f'({enabled} enabled)',
            remediation,
            aspect,
            {'enabled_backends': enabled},
        )

    def _finding(
        self,
        severity: Severity,
        line: Optional[config.Setting],
        message: str,
        remediation: list[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self._owner.finding(
            severity,
            model.Subject(
                'backend',
                self._backend.name,
                line.file if line is not None else None,
                line.line if line is not None else None,
            ),
            message,
            remediation,
            data={'driver': self._path, **(data or {})},
            aspect=aspect,
        )
