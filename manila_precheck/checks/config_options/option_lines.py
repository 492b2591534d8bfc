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

"""The effect of an upgrade on a line of the configuration."""

from collections.abc import Iterator
import functools
import os
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import losses
from manila_precheck.checks.config_options import advised
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import hints
from manila_precheck.checks.config_options import homes
from manila_precheck.checks.config_options import invalid_values
from manila_precheck.checks.config_options import middleware
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity
Why = config_reader.Why

_INEFFECTIVE = (
    Why.DRIVER,
    Why.HOOKS,
    Why.IDLE,
    Why.LAYOUT,
    Why.LOGIN,
    Why.GROUP,
    Why.MODE,
    Why.NETWORK,
    Why.OLD_NAME,
)


class Lines:
    """The findings about lines, by how the two releases read them."""

    def __init__(self, both: both_releases.Sides) -> None:
        self._sides = both
        self._source = both.source
        self._target = both.target
        self._hints = hints.Hints(both.conf, both.target, both.catalog)
        self._advised = advised.Advised(both)

    def findings(
        self, setting: config_files.Setting
    ) -> Iterator[model.Finding]:
        now = self._target.of(setting)
        if now.why in (Why.OWN, Why.SOURCE):
            return
        if not now.read:
            if self._target.is_logged(now) and not self._masked_by(setting):
                refused = tuple(
                    invalid_values.findings(self._sides, setting, now)
                )
                if refused:
                    yield from refused
                    return
            if not self._advised.speaks_of(setting):
                yield self._unread(setting, now)
            return
        unread = middleware.why_unread(self._sides, now)
        if unread is not None:
            yield self._ineffective(setting, unread)
            return
        masked_by = self._masked_by(setting)
        if now.old:
            yield self._renamed(setting, now, masked_by)
        elif self._is_deprecated(now):
            yield self._deprecated(setting, now, masked_by)
        if masked_by is None:
            refused = tuple(invalid_values.findings(self._sides, setting, now))
            yield from refused
            if not (refused or now.old or self._is_deprecated(now)):
                yield from homes.findings(self._sides, setting)
        elif not now.old and masked_by.rank == setting.rank:
            yield self._masked(setting, masked_by)

    def _is_deprecated(self, now: config_reader.OptionLookup) -> bool:
        return now.option is not None and now.option.deprecated_for_removal

    def is_read(self, setting: config_files.Setting) -> bool:
        """Say whether one of the releases reads a line."""
        now = self._target.of(setting)
        return (
            now.read
            or now.why in (Why.OWN, Why.SOURCE)
            or self._source.of(setting).read
        )

    def in_force(self, setting: config_files.Setting) -> bool:
        """Say whether the value of a line that is read is used."""
        if self._target.of(setting).read:
            return self._masked_by(setting) is None
        return setting in self._source.effective(setting)

    def _masked_by(
        self, setting: config_files.Setting
    ) -> Optional[config_files.Setting]:
        effective = self._target.effective(setting)
        return None if setting in effective else effective[-1]

    # -- lines that the target does not read ---------------------------------

    def _unread(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> model.Finding:
        target = self._target.release
        before = self._source.of(setting)
        name = f'[{setting.section}] {setting.name}'
        unjudged = self._why_not_judged(setting, now)
        if unjudged is not None and not before.read:
            return model.Finding(
                Severity.INFO,
                setting.subject,
                f'{name} was not checked: {unjudged}',
                data={'verdict': 'unjudged'},
            )
        if now.why is Why.FOREIGN:
            return model.Finding(
                Severity.INFO,
                setting.subject,
                f'{name} is in a section whose driver or plugin manila '
                f'{target} does not ship; the driver may read it, the '
                'catalog does not know',
                data={'verdict': 'unjudged'},
            )
        if now.why in _INEFFECTIVE and not (
            now.why is Why.OLD_NAME and before.read
        ):
            return self._ineffective(setting, self._reader_of(setting, now))
        if before.read:
            return self._removed(setting, now)
        reason = self._unknown(setting, now)
        hint = self._hints.hint(setting)
        return model.Finding(
            Severity.INFO,
            setting.subject,
            f'{name} is ignored: {reason}',
            [model.advice(hint)] if hint else [],
            data={'verdict': 'unknown'},
        )

    def _ineffective(
        self, setting: config_files.Setting, why: str
    ) -> model.Finding:
        return model.Finding(
            Severity.INFO,
            setting.subject,
            f'[{setting.section}] {setting.name} has no effect: {why}',
            data={'verdict': 'ineffective'},
        )

    def _why_not_judged(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> Optional[str]:
        """Return why it is not known what reads a section, if it is not."""
        roles = self._sides.conf.roles(setting.group)
        if config_files.SectionRole.SOURCE in roles:
            # The driver of this section is one of config_source.
            return None
        option = {
            Why.FOREIGN: (setting.group, 'share_driver'),
            Why.SECTION: config_files.ENABLED_BACKENDS,
        }.get(now.why)
        if option is None:
            return None
        return unread_sources.why_not_judged(self._sides.conf, *option)

    def _unknown(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> str:
        source, target = self._source.release, self._target.release
        section = now.why is Why.SECTION
        if self._sides.ctx.upgrade.same:
            return (
                f'nothing in {target} reads section [{setting.section}]'
                if section
                else f'{target} does not know it in this section'
            )
        if section:
            return (
                f'nothing in {source} or {target} reads section '
                f'[{setting.section}]'
            )
        return f'neither {source} nor {target} knows it in this section'

    def _removed(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> model.Finding:
        successor = self._successor(setting, self._source)
        if successor is not None:
            return self._renamed_away(setting, *successor)
        masked_by = self._source.effective(setting)
        masked = setting not in masked_by
        target = self._target.release
        text = (
            f'{self._sides.assigned(setting)} is read by '
            f'{self._source.release}, but '
        )
        lines = []
        if now.why is Why.OLD_NAME:
            text += f'ignored by {target}: {self._reader_of(setting, now)}'
            lines = self._instead(setting, now)
        else:
            text += f'{target} removed it and ignores the line'
        if masked:
            text += f'; {masked_by[-1].where} already overrides it'
        hint = '' if lines else self._hints.hint(setting, moved=True)
        before = self._source.of(setting)
        unused = middleware.why_unused(self._sides, before)
        if unused and not masked:
            text += f'; this has no effect: {unused}'
        severity = Severity.INFO if masked or unused else Severity.WARNING
        if severity is not Severity.INFO and before.option is not None:
            loss = self._loss(setting, before.group, before.option.name)
            if loss is not None:
                severity = _severity(loss)
                text += f': {loss.words}'
        return model.Finding(
            severity,
            setting.subject,
            text,
            [
                *lines,
                model.advice(
                    f'Remove {setting.place} with the upgrade. {hint}'.rstrip()
                ).with_edits(*self._sides.edits.comment(setting)),
            ],
            data={'verdict': 'removed'},
        )

    def _successor(
        self, setting: config_files.Setting, reader: config_reader.Reader
    ) -> Optional[config_files.Name]:
        """Return the target's option that a release also reads from a line."""
        found = reader.of(setting)
        if found.option is None:
            return None
        group, name = found.group, found.option.name
        if not found.old:
            other = reader.options.named_too(setting.group, setting.name)
            if other is None or other.group is None:
                return None
            group, name = other.group, other.option.name
        return (
            (group, name) if self._target.look_up(group, name).read else None
        )

    def _renamed_away(
        self, setting: config_files.Setting, group: str, name: str
    ) -> model.Finding:
        """Return a finding about an old name that the target lacks."""
        source, target = self._source.release, self._target.release
        text = (
            f'{self._sides.assigned(setting)} is a deprecated name of '
            f'[{group}] {name}: {source} reads it, but {target} does not and '
            'ignores the line'
        )
        masked_by = self._source.effective(setting)
        masked = setting not in masked_by
        # If the target reads another line, this one is no loss.
        set_by = [] if masked else self._target_sets(group, name)
        severity = Severity.WARNING
        lines: list[model.Remediation] = []
        if masked or set_by:
            other = set_by or masked_by
            text += f'; {other[-1].where} already sets it'
            severity = Severity.INFO
        else:
            loss = self._loss(setting, group, name)
            if loss is not None:
                severity = _severity(loss)
                text += f': {loss.words}'
            lines = [
                model.config(
                    '[{}]\n{} = {}', group, name, self._sides.shown(setting)
                ).with_edits(*self._sides.edits.move(setting, group, name)),
                model.advice(
                    f'{source} reads this line as well, so it can be changed '
                    'before the upgrade.'
                ),
            ]
        return model.Finding(
            severity,
            setting.subject,
            text,
            [
                *lines,
                model.advice(f'Remove {setting.place}.').with_edits(
                    *self._sides.edits.comment(setting)
                ),
            ],
            data={'verdict': 'removed', 'option': f'{group}/{name}'},
        )

    def _target_sets(
        self,
        group: str,
        name: str,
        but: Optional[config_files.Setting] = None,
    ) -> list[config_files.Setting]:
        """Return the lines from which the target may read an option."""
        names = set(self._target.look_up(group, name).names)
        return [
            one
            for one in self._sides.conf.settings
            if (one.group, one.name) in names and one != but
        ]

    def _loss(
        self, setting: config_files.Setting, group: str, name: str
    ) -> Optional[losses.Loss]:
        """Return what the target loses if it does not read a line."""
        loss = self._sides.loss(group, name, setting.value)
        if loss is None or self._is_default(group, name):
            return None
        if name in policy_files.PLACES and not self._holds_rules(setting):
            return None
        return loss

    def _is_default(self, group: str, name: str) -> bool:
        """Say whether the target has the same value without the line."""
        try:
            value = self._source.get(group, name)
            return bool(value == self._target.get(group, name))
        except config_reader.Refused:
            # The target no longer has the option.
            return False

    def _holds_rules(self, setting: config_files.Setting) -> bool:
        """Say whether rules of a policy file or directory are lost."""
        try:
            policy = self._sides.ctx.policy
        except exceptions.PrecheckError:
            return True
        place = self._sides.conf.find_file(setting.value)
        still_read = {one.path for one in policy.read_by(self._target.release)}
        return any(
            one.rules and place in (one.path, os.path.dirname(one.path))
            for one in policy.read_by(self._source.release)
            if one.path not in still_read
        )

    def _instead(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> list[model.Remediation]:
        """Return the lines that set the same under the current name."""
        assert now.option is not None
        value = self._sides.shown(setting)
        return [
            model.config(
                '[{}]\n{} = {}', now.group, now.option.name, value
            ).with_edits(
                *self._sides.edits.move(setting, now.group, now.option.name)
            )
        ]

    def _reader_of(
        self, setting: config_files.Setting, now: config_reader.OptionLookup
    ) -> str:
        section = setting.section
        if now.why is Why.LOGIN:
            moved = self._sides.conf.auth_section(setting.group)
            if moved != setting.group:
                return f'auth_section moves the login to section [{moved}]'
            named = self._target.login(setting.group)
            if named is None:
                return 'no auth_type names the plugin that would read it'
            return f'the plugin of auth_type = {named} does not read it'
        if now.why is Why.OLD_NAME:
            assert now.option is not None
            where = 'a config_source'
            if setting.in_environment:
                where = 'the environment'
            return (
                f'it is an old name of [{now.group}] {now.option.name}, and '
                f'oslo.config does not look for old names in {where}'
            )
        if now.why is Why.MODE:
            mode = self._sides.conf.handles_share_servers(setting.group)
            return (
                f'the back end does not read it with '
                f'driver_handles_share_servers = {mode}'
            )
        if now.why is Why.GROUP:
            named = self._sides.conf.value(
                setting.group, 'network_config_group'
            )
            return f'the back end reads it in [{named}] (network_config_group)'
        if now.why is Why.LAYOUT:
            return (
                'the back end does not read it with '
                f'{self._target.layout(setting.group)}, which '
                'glusterfs_share_layout or its default selects'
            )
        if now.why is Why.HOOKS:
            return 'the back end has no hooks: hook_drivers is not set'
        if now.why is Why.IDLE:
            return (
                'with this configuration no service loads the code that '
                'reads it'
            )
        if now.why is Why.NETWORK:
            return (
                f'section [{section}] uses another network plugin, which '
                'does not read it'
            )
        if section == 'DEFAULT' and config_files.SectionRole.BACKEND not in (
            self._sides.conf.roles(section)
        ):
            return (
                'it is a back-end option, and with enabled_share_backends '
                'set no back end reads [DEFAULT]'
            )
        assert now.option is not None
        owners = sorted(
            {name.rpartition('.')[2] for name in now.option.drivers}
            | {f'emc_share_backend {name}' for name in now.option.plugins}
        )
        return (
            f'it belongs to {", ".join(owners)}, not to the driver of '
            f'section [{section}]'
        )

    # -- lines that the target reads -----------------------------------------

    def _renamed(
        self,
        setting: config_files.Setting,
        now: config_reader.OptionLookup,
        masked_by: Optional[config_files.Setting],
    ) -> model.Finding:
        assert now.option is not None
        before = self._source.of(setting)
        text = (
            f'[{setting.section}] {setting.name} is a deprecated name of '
            f'[{now.group}] {now.option.name}'
        )
        lines = self._instead(setting, now)
        if masked_by is not None:
            text += f'; {masked_by.where} overrides it'
            lines = []
        elif before.option is None:
            text += f', which {self._source.release} does not know yet'
        return model.Finding(
            self._weight(setting, before.read and not before.old, masked_by),
            setting.subject,
            text,
            [
                *lines,
                model.advice(f'Remove {setting.place}.').with_edits(
                    *self._sides.edits.comment(setting)
                ),
            ],
            data={
                'verdict': 'renamed',
                'option': f'{now.group}/{now.option.name}',
            },
        )

    def _deprecated(
        self,
        setting: config_files.Setting,
        now: config_reader.OptionLookup,
        masked_by: Optional[config_files.Setting],
    ) -> model.Finding:
        assert now.option is not None
        before = self._source.of(setting)
        was = before.option is not None and (
            before.option.deprecated_for_removal
        )
        since = now.option.deprecated_since
        text = (
            f'{self._sides.assigned(setting)} is deprecated for removal '
            f'in {self._target.release}'
        )
        if since:
            text += f' (since {since})'
        new = before.read and not was
        lines: list[model.Remediation] = []
        advice = model.advice(
            f'Remove {setting.place} before an upgrade to a release that no '
            'longer reads it.'
        )
        successor = self._successor(setting, self._target)
        if masked_by is not None:
            text += f'; {masked_by.where} overrides it'
        elif successor is not None:
            group, name = successor
            text += f', and a name of [{group}] {name}'
            if not self._target_sets(group, name, setting):
                lines = [
                    model.config(
                        '[{}]\n{} = {}',
                        group,
                        name,
                        self._sides.shown(setting),
                    ).with_edits(*self._sides.edits.move(setting, group, name))
                ]
            advice = model.advice(f'Remove {setting.place}.').with_edits(
                *self._sides.edits.comment(setting)
            )
        elif behaviours.has(
            'deprecated-without-another',
            self._target.release,
            f'{setting.group} {setting.name}',
        ):
            new = False
            text += ', which reads it and has no other option for the same'
            advice = model.advice(f'Keep {setting.place}.')
        return model.Finding(
            self._weight(setting, new, masked_by),
            setting.subject,
            text,
            [*lines, advice],
            data={'verdict': 'deprecated'},
            aspect='deprecated',
        )

    def _weight(
        self,
        setting: config_files.Setting,
        new: bool,
        masked_by: Optional[config_files.Setting],
    ) -> Severity:
        if masked_by is not None:
            return Severity.INFO
        if self._fatal:
            return Severity.FAILURE
        after = self._sides.after
        goes = after is not None and not (
            after.look_up(setting.group, setting.name).read
        )
        return Severity.WARNING if new or goes else Severity.INFO

    @functools.cached_property
    def _fatal(self) -> bool:
        """Whether oslo.log raises an exception for each deprecation."""
        try:
            return self._target.get('DEFAULT', 'fatal_deprecations') is True
        except config_reader.Refused:
            return False

    def _masked(
        self, setting: config_files.Setting, masked_by: config_files.Setting
    ) -> model.Finding:
        value = ' '.join(self._sides.shown(masked_by).split()) or 'nothing'
        return model.Finding(
            Severity.INFO,
            setting.subject,
            f'{self._sides.assigned(setting)} has no effect: '
            f'{masked_by.where} sets it again to {value}',
            data={'verdict': 'masked', 'masked_by': masked_by.where},
            aspect='masked',
        )


def _severity(loss: losses.Loss) -> Severity:
    return Severity.WARNING if loss.partly else Severity.FAILURE
