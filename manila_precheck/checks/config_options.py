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

"""The check ``config-options``."""

from collections.abc import Iterator
import functools
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import standing
from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.sources import config

Severity = model.Severity
Why = standing.Why


class ConfigOptions(check.Check):
    """A line of the configuration means less, or nothing, in the target.

    Every assignment in the configuration files is looked up in the source
    and in the target release: names and deprecated names, in the sections
    that they are registered in, as oslo.config reads them. What manila reads
    a section for is followed: ``enabled_share_backends``, each back end's
    ``network_config_group`` and ``admin_network_config_group``,
    ``neutron_binding_profiles``, ``netapp_enabled_backup_types`` and
    ``auth_section``. Values are parsed by oslo.config's own types, with the
    bounds and choices of the target.

    The services of manila say nothing of an option that is gone: they ignore
    the line. A value that is refused ends the service that reads it with
    ConfigFileValueError, manila-share with all its back ends.

    FAILURE: the target refuses the value (whether the source does too is
    said), or a deprecated name is used while ``fatal_deprecations`` is on.
    WARNING: the source reads the line and the target does not; or the line
    uses a name, or an option, that the target deprecates and the source does
    not, or that the next release to upgrade to no longer reads. INFO: what
    changes nothing now: a name deprecated in both releases, a line that
    neither release reads (most deployed files hold some), one in a section
    that nothing reads, one that another driver or login plugin reads, one
    that a later line masks.

    Known false positives: an option of a fork or of a driver that is not in
    manila is unknown (INFO). An option that a driver registers in one of its
    modes only counts as read in both.

    What to do: write the lines that the finding shows and remove the old
    ones; the old release reads the new names too unless it is said that it
    does not. The ``verdict`` in the data of a finding is one of: removed,
    unknown, renamed, deprecated, invalid, ineffective, unjudged, masked.
    """

    id = 'config-options'
    title = 'Configuration options'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield a finding for each line that is not plainly read."""
        judge = _Judge(self, ctx)
        for setting in ctx.config.settings:
            yield from judge.findings(setting)


class _Judge:
    """What the two releases say of a line, put into words."""

    def __init__(self, owner: ConfigOptions, ctx: context.Context) -> None:
        self._owner = owner
        self._ctx = ctx
        upgrade = ctx.upgrade
        self._source = standing.Reader(ctx.config, ctx.catalog, upgrade.source)
        self._target = standing.Reader(ctx.config, ctx.catalog, upgrade.target)

    def findings(self, setting: config.Setting) -> Iterator[model.Finding]:
        now = self._target.standing(setting.group, setting.name)
        if now.why is Why.OWN:
            return
        if not now.read:
            yield self._unread(setting, now)
            return
        masked_by = self._masked_by(setting)
        if now.old:
            yield self._renamed(setting, now, masked_by)
        elif now.option and now.option.deprecated_for_removal:
            yield self._deprecated(setting, now, masked_by)
        if masked_by is None:
            yield from self._invalid(setting, now)
        elif not now.old and masked_by.rank == setting.rank:
            yield self._masked(setting, masked_by)

    def _masked_by(self, setting: config.Setting) -> Optional[config.Setting]:
        effective = self._target.effective(setting)
        return None if setting in effective else effective[-1]

    # -- lines that the target does not read ---------------------------------

    def _unread(
        self, setting: config.Setting, now: standing.Standing
    ) -> model.Finding:
        target = self._target.release
        before = self._source.standing(setting.group, setting.name)
        name = f'[{setting.section}] {setting.name}'
        if now.why is Why.FOREIGN:
            return self._finding(
                Severity.INFO,
                setting,
                'unjudged',
                f'{name} is in a section whose driver or plugin manila '
                f'{target} does not ship; whether that one reads it is not '
                'known',
            )
        if now.why in (Why.DRIVER, Why.LOGIN):
            return self._finding(
                Severity.INFO,
                setting,
                'ineffective',
                f'{name} has no effect: {self._reader_of(setting, now)}',
            )
        if before.read:
            return self._removed(setting, name)
        if now.why is Why.SECTION:
            reason = (
                f'nothing in {self._source.release} or {target} reads '
                f'section [{setting.section}]'
            )
        else:
            reason = (
                f'neither {self._source.release} nor {target} knows it in '
                'this section'
            )
        hint = self._hint(setting)
        return self._finding(
            Severity.INFO,
            setting,
            'unknown',
            f'{name} is ignored: {reason}',
            [model.advice(hint)] if hint else [],
        )

    def _removed(self, setting: config.Setting, name: str) -> model.Finding:
        masked_by = self._source.effective(setting)
        masked = setting not in masked_by
        text = (
            f'{name} is read by {self._source.release} and gone in '
            f'{self._target.release}, which ignores the line'
        )
        if masked:
            text += f'; {masked_by[-1].where} masks it already'
        return self._finding(
            Severity.INFO if masked else Severity.WARNING,
            setting,
            'removed',
            text,
            [
                model.advice(
                    f'Remove line {setting.line} of {setting.file} with the '
                    f'upgrade. {self._hint(setting)}'.rstrip()
                )
            ],
        )

    def _reader_of(
        self, setting: config.Setting, now: standing.Standing
    ) -> str:
        section = setting.section
        if now.why is Why.LOGIN:
            moved = self._ctx.config.auth_section(setting.group)
            if moved != setting.group:
                return f'auth_section moves the login to section [{moved}]'
            return (
                f'auth_type = {self._target.login(setting.group)} does not '
                'read it'
            )
        if section == 'DEFAULT':
            return (
                'it is an option of a back end, and with '
                'enabled_share_backends no back end reads [DEFAULT]'
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
        setting: config.Setting,
        now: standing.Standing,
        masked_by: Optional[config.Setting],
    ) -> model.Finding:
        assert now.option is not None
        before = self._source.standing(setting.group, setting.name)
        text = (
            f'[{setting.section}] {setting.name} is a deprecated name of '
            f'[{now.group}] {now.option.name}'
        )
        lines = [
            model.config(
                f'[{now.group}]\n{now.option.name} = {self._shown(setting)}'
            )
        ]
        if masked_by is not None:
            text += f'; {masked_by.where} masks it'
            lines = []
        elif before.option is None:
            text += f', which {self._source.release} does not know yet'
        return self._finding(
            self._weight(setting, before.read and not before.old, masked_by),
            setting,
            'renamed',
            text,
            [
                *lines,
                model.advice(f'Remove line {setting.line} of {setting.file}.'),
            ],
            {'option': f'{now.group}/{now.option.name}'},
        )

    def _deprecated(
        self,
        setting: config.Setting,
        now: standing.Standing,
        masked_by: Optional[config.Setting],
    ) -> model.Finding:
        assert now.option is not None
        before = self._source.standing(setting.group, setting.name)
        was = before.option is not None and (
            before.option.deprecated_for_removal
        )
        since = now.option.deprecated_since
        text = (
            f'[{setting.section}] {setting.name} is deprecated for removal '
            f'in {self._target.release}'
        )
        if since:
            text += f' (since {since})'
        if masked_by is not None:
            text += f'; {masked_by.where} masks it'
        return self._finding(
            self._weight(setting, before.read and not was, masked_by),
            setting,
            'deprecated',
            text,
            [
                model.advice(
                    f'Remove line {setting.line} of {setting.file} before an '
                    'upgrade to a release that no longer reads it.'
                )
            ],
            aspect='deprecated',
        )

    def _weight(
        self,
        setting: config.Setting,
        new: bool,
        masked_by: Optional[config.Setting],
    ) -> Severity:
        if masked_by is not None:
            return Severity.INFO
        if self._fatal:
            return Severity.FAILURE
        after = self._after
        goes = after is not None and not (
            after.standing(setting.group, setting.name).read
        )
        return Severity.WARNING if new or goes else Severity.INFO

    @functools.cached_property
    def _fatal(self) -> bool:
        """Whether oslo.log makes an exception of each deprecation."""
        try:
            return self._target.get('DEFAULT', 'fatal_deprecations') is True
        except standing.Refused:
            return False

    @functools.cached_property
    def _after(self) -> Optional[standing.Reader]:
        """The release that the operator goes to next, if it is known."""
        hops = [
            hop
            for hop in releases.next_hops(self._target.release)
            if self._ctx.catalog.covers(hop)
        ]
        if not hops:
            return None
        return standing.Reader(self._ctx.config, self._ctx.catalog, hops[-1])

    def _invalid(
        self, setting: config.Setting, now: standing.Standing
    ) -> Iterator[model.Finding]:
        if self._target.accepts(setting):
            return
        assert now.option is not None
        before = self._source.standing(setting.group, setting.name)
        if not before.read:
            already = f'{self._source.release} does not read it'
        elif self._source.accepts(setting):
            already = f'{self._source.release} takes it'
        else:
            already = f'so does {self._source.release}'
        admitted = values.admits(now.option.type)
        yield self._finding(
            Severity.FAILURE,
            setting,
            'invalid',
            f'[{setting.section}] {setting.name} = '
            f'{self._shown(setting)}: {self._target.release} refuses '
            f'the value and the service that reads it ends; {already}',
            _instead(setting, now.option, admitted),
            {'admits': admitted},
            aspect='value',
        )

    def _masked(
        self, setting: config.Setting, masked_by: config.Setting
    ) -> model.Finding:
        return self._finding(
            Severity.INFO,
            setting,
            'masked',
            f'[{setting.section}] {setting.name} has no effect: '
            f'{masked_by.where} sets it again',
            data={'masked_by': masked_by.where},
            aspect='masked',
        )

    # -- words ---------------------------------------------------------------

    def _shown(self, setting: config.Setting) -> str:
        """Return a value for a message, or what stands for a secret."""
        if setting.name in self._ctx.catalog.secrets:
            return f'(the value in {setting.where}, not shown)'
        return setting.value.replace('\n', '\n    ')

    def _hint(self, setting: config.Setting) -> str:
        """Say which line may have been meant, '' when nothing is near."""
        if config.Role.PEER in self._ctx.config.roles(setting.group):
            return f'enabled_share_backends does not name {setting.section}.'
        plain = setting.name.replace('-', '_').lower()
        if (
            plain != setting.name
            and self._target.standing(setting.group, plain).read
        ):
            return f'The option is spelled {plain}.'
        homes = self._homes(setting.name)
        if homes:
            return f'{setting.name} is read in {" and ".join(homes)}.'
        near = self._nearest(setting)
        return f'Did you mean {near}?' if near else ''

    def _homes(self, name: str) -> list[str]:
        groups: set[str] = set()
        kinds: set[str] = set()
        for option in self._target.options.named(name):
            groups |= option.groups
            kinds |= option.kinds
        return sorted(f'[{group}]' for group in groups) + [
            words for kind, words in _KINDS.items() if kind in kinds
        ]

    def _nearest(self, setting: config.Setting) -> str:
        # Here, since few runs look for a misspelling.
        import difflib

        # The head is mostly right, and the whole list takes milliseconds.
        head = setting.name[:2].lower()
        names = sorted(
            name
            for name in self._target.options.names
            if name.startswith(head)
        )
        for name in difflib.get_close_matches(setting.name, names, 3, 0.85):
            if self._target.standing(setting.group, name).read:
                return name
        return ''

    def _finding(
        self,
        severity: Severity,
        setting: config.Setting,
        verdict: str,
        message: str,
        remediation: Optional[list[model.Remediation]] = None,
        data: Optional[dict[str, model.Scalar]] = None,
        aspect: str = '',
    ) -> model.Finding:
        return self._owner.finding(
            severity,
            model.Subject(
                'option',
                f'{setting.group}/{setting.name}',
                setting.file,
                setting.line,
            ),
            message,
            remediation or [],
            data={'verdict': verdict, **(data or {})},
            aspect=aspect,
        )


_KINDS = {
    options.BACKEND: 'the section of a back end',
    options.NETWORK: 'the section that network_config_group names',
    options.BINDING_PROFILE: 'a section of neutron_binding_profiles',
    options.BACKUP: 'a section of netapp_enabled_backup_types',
}


def _instead(
    setting: config.Setting, option: options.Option, admitted: str
) -> list[model.Remediation]:
    """Return what to give an option whose value is refused."""
    words = f'Give it {admitted}'
    if '$' in setting.value:
        words += '; $$ stands for a dollar sign that begins no reference'
    default = option.default
    if isinstance(default, (list, tuple)):
        default = ','.join(str(item) for item in default)
    if default is None or option.secret or isinstance(default, dict):
        return [model.advice(f'{words}.')]
    return [
        model.advice(f'{words}. The default is:'),
        model.config(f'[{setting.section}]\n{setting.name} = {default}'),
    ]
