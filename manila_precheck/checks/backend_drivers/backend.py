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

"""One back end as it is configured, and the findings about it."""

from collections.abc import Sequence
import re
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import conditions
from manila_precheck.catalog import requirements
from manila_precheck.checks.backend_drivers import affected_shares
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader


class BackEnd:
    """A back end that manila-share is configured to start.

    :param ctx: the upgrade, the catalog and the configuration.
    :param configured: its name, its section and the line that enables it.
    :param behind: counts the share instances on the back ends.
    """

    def __init__(
        self,
        ctx: context.Context,
        configured: config_files.Backend,
        behind: affected_shares.AffectedShares,
    ) -> None:
        self.ctx = ctx
        self.name = configured.name
        #: Its section as written in the file; None if no file has one.
        self.section = configured.section
        #: The line of enabled_share_backends that names it; None if not set.
        self.enabled_by = configured.source
        self.source = ctx.upgrade.source
        self.target = ctx.upgrade.target
        #: The line that names its driver; None for the default.
        self.driver_line = self.line('share_driver')
        #: The driver, as it is configured.
        self.path = (
            self.driver_line.value
            if self.driver_line is not None
            else conditions.DEFAULT_DRIVER
        )
        self._behind = behind

    @property
    def _edits(self) -> config_edits.Edits:
        return config_edits.Edits(
            self.ctx.reader(self.source), self.ctx.reader(self.target)
        )

    def line(self, name: str) -> Optional[config_files.Setting]:
        """Return the line of its section that sets an option, if any."""
        found = self.ctx.config.effective([(self.name, name)])
        return found[0] if found else None

    def asks(self, option: str) -> bool:
        """Say whether the target reads an option as true; yes for ''."""
        if not option:
            return True
        reader = self.ctx.reader(self.target)
        if reader.look_up(self.name, option).why is config_reader.Why.FOREIGN:
            # A third party's option, whose type and default are not known.
            return self.ctx.config.boolean(self.name, option) is True
        try:
            return reader.get(self.name, option) is True
        except config_reader.Refused:
            # The target has no such option, or rejects the value.
            return False

    def lines(
        self, option: str, values: Sequence[str]
    ) -> list[model.Remediation]:
        """Return lines that set an option, to choose one from."""
        lines = [
            model.config('[{}]\n{} = {}', self.name, option, value)
            for value in values
        ]
        if len(lines) == 1:
            return [lines[0].with_edits(*self.set_to(option, values[0]))]
        return [
            model.advice(
                'Use one of these, whichever suits its shares:'
            ).with_edits(*self.choose(option, f'one of {", ".join(values)}')),
            *lines,
        ]

    def set_to(
        self, option: str, value: str, same: bool = False
    ) -> list[model.Edit]:
        """Return the change of a file that gives an option a value.

        :param same: whether the source reads the new value to the same effect.
        """
        line = self.line(option)
        if line is not None:
            return self._edits.replace(line, value, same)
        beside = self.driver_line
        if beside is None or beside.group != config_files.normalize(self.name):
            return []
        return self._edits.add(beside, beside.section, option, value)

    def choose(self, option: str, admitted: str) -> list[model.Edit]:
        """Return the change of a file whose value a person has to choose."""
        line = self.line(option)
        if line is not None:
            return self._edits.choose(line, admitted)
        beside = self.driver_line
        if beside is None or beside.group != config_files.normalize(self.name):
            return []
        return self._edits.choose_new(beside, beside.section, option, admitted)

    def or_without(self, first: str) -> list[model.Remediation]:
        """Return advice, and the line that disables the back end."""
        others = [
            other.name
            for other in self.ctx.config.backends
            if other.name != self.name
        ]
        line = self.driver_line or self.enabled_by
        edits = []
        if line is not None:
            edits = self._edits.choose(line, f'{first}, or disable it')
        if not others:
            return [model.advice(f'{first}.').with_edits(*edits)]
        return [
            model.advice(f'{first}, or disable the back end:').with_edits(
                *edits
            ),
            model.config(
                '[DEFAULT]\nenabled_share_backends = {}', ','.join(others)
            ),
        ]

    def fails(
        self,
        line: Optional[config_files.Setting],
        message: str,
        remediation: list[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
        references: tuple[str, ...] = (),
        alone: bool = False,
    ) -> model.Finding:
        """Return a finding about what ends manila-share, or a back end.

        :param alone: whether only this back end fails: manila-share retries it
            forever, and its other back ends work (manila 22.0.2
            share/manager.py init_host()).
        """
        counts: dict[str, model.Scalar]
        if alone:
            counts = {'share_instances': self._behind.count(self.name)}
            effect = 'the back end does not come up '
            effect += f'({self._behind.of_one(self.name)})'
        else:
            counts = {
                'enabled_backends': len(self.ctx.config.backends),
                'share_instances': self._behind.count(),
            }
            effect = 'manila-share exits with 1 and starts no back end '
            effect += f'({self._behind.of_all()})'
        return self.finding(
            model.Severity.FAILURE,
            line,
            f'{message}; {effect}',
            remediation,
            aspect,
            {**counts, **(data or {})},
            references,
        )

    def finding(
        self,
        severity: model.Severity,
        line: Optional[config_files.Setting],
        message: str,
        remediation: list[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
        references: tuple[str, ...] = (),
    ) -> model.Finding:
        """Return a finding of the check about this back end.

        :param line: the line at fault; None if there is none.
        """
        return model.Finding(
            severity,
            config_files.subject('backend', self.name, line),
            message,
            remediation,
            references,
            data={'driver': self.path, **(data or {})},
            aspect=aspect,
        )


def says(row: requirements.Support) -> str:
    """Return the origin of a row in words; '' for the built-in matrix."""
    return f' (according to {row.origin})' if row.origin else ''


def slug(text: str) -> str:
    """Return a text for use in a key: 'HPE 3PAR OS' is 'hpe-3par-os'."""
    return re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')
