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

"""What an option is to the running services, and to the target's."""

from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import ini_lines


class ComparedValue(NamedTuple):
    """What one release makes of an option in some files."""

    value: Any
    """As oslo.config would return it, the text where that cannot be told;
    None when it is not set and has no default that is known here."""

    line: Optional[config_files.Setting]
    """Where it is set; None for a default."""

    known: bool = True
    """False when it may be set where this program does not look, or the
    release rejects it."""


class OptionChange(NamedTuple):
    """An option that the upgrade changes."""

    group: str
    name: str
    before: ComparedValue
    after: ComparedValue

    @property
    def subject(self) -> model.Subject:
        """Return what a finding about it is about."""
        return ini_lines.subject(
            'option', f'{self.group}/{self.name}', self.after.line
        )

    def says(self, before: str, after: str) -> str:
        """Return the change in words.

        :param before: the value of the running files, as it may be shown.
        :param after: that of the staged files.
        """
        return (
            f'[{self.group}] {self.name} changes from {before}'
            f'{_place(self.before)} to {after}{_place(self.after)}'
        )


def _place(value: ComparedValue) -> str:
    return f' ({value.line.where})' if value.line is not None else ''


class ComparedSides:
    """The source with the running files, the target with the staged ones.

    :param ctx: the run.
    :raises SourceNotApplicable: when nothing names the running files.
    :raises PrecheckError: when files of either side cannot be read.
    """

    def __init__(self, ctx: context.Context) -> None:
        self.ctx = ctx
        self.running = config_reader.Reader(
            ctx.running, ctx.catalog, ctx.upgrade.source
        )
        self.staged = ctx.reader(ctx.upgrade.target)

    def changes(
        self, group: str, *names: str, default: Any = None
    ) -> list[OptionChange]:
        """Return those of some options whose values differ.

        :param group: the section.
        :param default: what a release does that has no such option; None:
            the option is not compared.
        """
        found = [self._change(group, name, default) for name in names]
        return [change for change in found if change is not None]

    def _change(
        self, group: str, name: str, default: Any
    ) -> Optional[OptionChange]:
        before, after = self.values(group, name, default)
        if not (before.known and after.known) or before.value == after.value:
            return None
        return OptionChange(group, name, before, after)

    def values(
        self, group: str, name: str, default: Any = None
    ) -> tuple[ComparedValue, ComparedValue]:
        """Return what an option is now, and what it is to the target."""
        return (
            _value(self.running, group, name, default),
            _value(self.staged, group, name, default),
        )

    def shown(self, value: ComparedValue, unset: str = 'not set') -> str:
        """Return a value for a message, or what stands for a secret.

        :param unset: what stands for one that is not set.
        """
        if value.line is not None and (
            value.line.stored
            or self.ctx.config.is_secret(value.line.name)
            or value.line.name in self.ctx.catalog.secrets
        ):
            return 'another value'
        if value.value is None:
            return unset
        if isinstance(value.value, (list, tuple)):
            return ', '.join(map(str, value.value)) or 'an empty list'
        text = ' '.join(str(value.value).split()) or 'an empty value'
        return text if value.line is not None else f'the default {text}'

    def finding(
        self,
        change: OptionChange,
        severity: model.Severity,
        effect: str,
        *remediation: model.Remediation,
        unset: str = 'not set',
    ) -> model.Finding:
        """Return what an upgrade does with the change of one option."""
        before = self.shown(change.before, unset)
        after = self.shown(change.after, unset)
        return model.Finding(
            severity,
            change.subject,
            f'{change.says(before, after)}: {effect}',
            remediation or self.keep(change),
        )

    def keep(self, change: OptionChange) -> tuple[model.Remediation, ...]:
        """Return how the staged files keep what the running ones have."""
        value = self.shown(change.before)
        if change.before.value is None or value == 'another value':
            return (
                model.advice(
                    'Unless the change is intended, set the value of the '
                    'running files in the staged files.'
                ),
            )
        text = change.before.value
        if change.before.line is not None:
            text = change.before.line.value
        elif isinstance(text, (list, tuple)):
            text = ','.join(map(str, text))
        return (
            model.advice('Unless the change is intended, keep the value:'),
            model.config('[{}]\n{} = {}', change.group, change.name, text),
        )


def _value(
    reader: config_reader.Reader, group: str, name: str, default: Any
) -> ComparedValue:
    standing = reader.standing(group, name)
    if not standing.read or standing.option is None:
        return ComparedValue(default, None, known=default is not None)
    lines = reader.conf.effective(standing.names, standing.option.multi)
    line = lines[-1] if lines else None
    if line is None and _may_be_elsewhere(reader.conf, standing):
        return ComparedValue(None, None, known=False)
    try:
        value = reader.get(group, name)
    except config_reader.Refused:
        # config-options reports it, of the staged files.
        return ComparedValue(None, line, known=False)
    if value is None and line is not None:
        value = line.value
    return ComparedValue(value, line)


def _may_be_elsewhere(
    conf: config_files.ConfigFiles, standing: config_reader.Standing
) -> bool:
    """Say whether a source that is not read here may set an option.

    The sources that the running files name are not opened.
    """
    if conf.values('DEFAULT', 'config_source') and not conf.sources:
        return True
    return any(conf.may_hold(*name) for name in standing.names[:1])
