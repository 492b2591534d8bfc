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

"""The values of options for the running services and for the target."""

from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import ini_lines


class ComparedValue(NamedTuple):
    """The value that one release reads for an option from some files."""

    value: Any
    """The value that oslo.config returns, or the text if that is not known;
    None if the option is not set and has no known default."""

    line: Optional[config_files.Setting]
    """The line that sets it; None for a default."""

    known: bool = True
    """False if a source that manila-precheck does not read may set it, or if
    the release rejects it."""


class OptionChange(NamedTuple):
    """An option whose value the upgrade changes."""

    group: str
    name: str
    before: ComparedValue
    after: ComparedValue

    @property
    def subject(self) -> model.Subject:
        """The subject of a finding about the change."""
        return ini_lines.subject(
            'option', f'{self.group}/{self.name}', self.after.line
        )

    def says(self, before: str, after: str) -> str:
        """Return the change in words.

        :param before: the value of the running files, without secrets.
        :param after: the value of the staged files, without secrets.
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
    :raises SourceNotApplicable: when no running files were given.
    :raises PrecheckError: when the files of either side cannot be read.
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
        :param default: the behavior of a release that does not have the
            option, as a value; None: the option is then not compared.
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
        """Return the value of an option for the source and for the target."""
        return (
            _value(self.running, group, name, default),
            _value(self.staged, group, name, default),
        )

    def shown(self, value: ComparedValue, unset: str = 'not set') -> str:
        """Return a value for a message, without secrets.

        :param unset: the words for a value that is not set.
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
        """Return a finding about the change of one option."""
        before = self.shown(change.before, unset)
        after = self.shown(change.after, unset)
        return model.Finding(
            severity,
            change.subject,
            f'{change.says(before, after)}: {effect}',
            remediation or self.keep(change),
        )

    def keep(self, change: OptionChange) -> tuple[model.Remediation, ...]:
        """Return how to keep the value of the running files."""
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
    lookup = reader.look_up(group, name)
    if not lookup.read or lookup.option is None:
        return ComparedValue(default, None, known=default is not None)
    lines = reader.conf.effective(lookup.names, lookup.option.multi)
    line = lines[-1] if lines else None
    if line is None and _may_be_elsewhere(reader.conf, lookup):
        return ComparedValue(None, None, known=False)
    try:
        value = reader.get(group, name)
    except config_reader.Refused:
        # config-options reports rejected values of the staged files.
        return ComparedValue(None, line, known=False)
    if value is None and line is not None:
        value = line.value
    return ComparedValue(value, line)


def _may_be_elsewhere(
    conf: config_files.ConfigFiles, lookup: config_reader.OptionLookup
) -> bool:
    """Say whether a source that is not read here may set an option.

    The sources in config_source of the running files are not opened.
    """
    if conf.values('DEFAULT', 'config_source') and not conf.sources:
        return True
    return any(conf.may_hold(*name) for name in lookup.names[:1])
