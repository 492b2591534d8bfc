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

"""How one release reads some configuration files, line by line.

The catalog knows which options a release registers in which kind of section,
and the configuration files tell the kind of each section. A check compares
the answers of two releases.
"""

from collections.abc import Callable
import enum
import functools
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import conditions
from manila_precheck.catalog import drivers
from manila_precheck.catalog import options
from manila_precheck.evidence.config import config_files

if TYPE_CHECKING:
    from manila_precheck.evidence.config import evaluation


def emc_plugin(
    named: str, facts: catalog.Catalog, release: releases.Release
) -> str:
    """Return the plugin that a release loads for an emc_share_backend.

    The case is kept, because the driver's comparison depends on it.
    """
    alias = facts.plugins(release, drivers.EMC_ALIAS).get(named)
    return alias.target or named if alias is not None else named


class Why(enum.Enum):
    """Why a release reads a line or does not."""

    # Something reads it.
    READ = 'read'
    # No option of that name is registered in that section.
    UNKNOWN = 'unknown'
    # Nothing reads the section at all.
    SECTION = 'section'
    # The option belongs to another driver than the section's, or to a driver
    # while no driver reads the section.
    DRIVER = 'driver'
    # Nothing reads it in this mode of driver_handles_share_servers: without
    # share servers no network plugin is loaded, and some drivers register
    # other options.
    MODE = 'mode'
    # The option belongs to a network plugin, and network_config_group names
    # another section, in which alone the plugin registers it.
    GROUP = 'group'
    # The option belongs to another GlusterFS layout than the section's.
    LAYOUT = 'layout'
    # The option belongs to hooks, and the section has none.
    HOOKS = 'hooks'
    # manila's sample file has it, but no service of this configuration loads
    # the code that reads it.
    IDLE = 'idle'
    # The option belongs to another network plugin than the section's.
    NETWORK = 'network'
    # The option belongs to another login plugin, or auth_section moved the
    # login elsewhere.
    LOGIN = 'login'
    # The section's driver or login plugin is not in the catalog.
    FOREIGN = 'foreign'
    # An option of this program.
    OWN = 'own'
    # It says where oslo.config gets more values.
    SOURCE = 'source'
    # It uses an old name in the environment or in a source of config_source;
    # there oslo.config looks only for the current name.
    OLD_NAME = 'old name'


class OptionLookup(NamedTuple):
    """How one release treats one line."""

    why: Why
    option: Optional[options.Option] = None
    """The option of that name; None when there is none."""

    group: str = ''
    """The section of the option."""

    old: bool = False
    """Whether the line uses a deprecated name or section."""

    @property
    def read(self) -> bool:
        """Say whether the release reads the line."""
        return self.why is Why.READ

    @property
    def names(self) -> tuple[config_files.Name, ...]:
        """Return all names of the option, the current one first."""
        if self.option is None:
            return ()
        return (
            (self.group, self.option.name),
            *(
                (old.group or self.group, old.name)
                for old in self.option.deprecated_names
            ),
        )


class Refused(ValueError):
    """A release rejects a value; the message does not contain it."""


class Reader:
    """One release, reading some configuration files.

    :param conf: the files.
    :param facts: the catalog.
    :param release: the release that reads them.
    """

    def __init__(
        self,
        conf: config_files.ConfigFiles,
        facts: catalog.Catalog,
        release: releases.Release,
    ) -> None:
        self.conf = conf
        self.release = release
        self.options = facts.options(release)
        self._catalog = facts
        self._known: dict[config_files.Name, OptionLookup] = {}

    # -- sections ------------------------------------------------------------

    def driver(self, group: str) -> Optional[str]:
        """Return the share driver that a section loads in this release.

        For an old path it is the one to which the share manager maps it. None
        when the release does not ship it, or an unreadable source may set it.
        """
        path = self.driver_path(group)
        if path is None:
            return None
        found = self._catalog.driver(self.release, path)
        if found is None:
            return None
        return found.target or found.name

    def driver_path(self, group: str) -> Optional[str]:
        """Return the share driver of a section as it is configured.

        :returns: the default if it is not set; None when an unreadable source
            may set it.
        """
        path = self.conf.value(group, 'share_driver')
        if path is None and not self.conf.may_hold(group, 'share_driver'):
            return conditions.DEFAULT_DRIVER
        return path

    def plugin(self, group: str) -> Optional[str]:
        """Return the EMC plugin of a section; None when it names none."""
        named = self.conf.value(group, 'emc_share_backend')
        if named is None:
            return None
        return emc_plugin(named, self._catalog, self.release)

    def has_plugin(self, group: str) -> bool:
        """Say whether the release has the EMC plugin that a section names."""
        known = self._catalog.plugins(self.release, drivers.EMC_PLUGIN)
        return self.plugin(group) in known

    def layout(self, group: str) -> Optional[str]:
        """Return the layout module of a back end of GlusterFS.

        :returns: 'layout_directory' or 'layout_volume'; None for another
            driver, or for a layout that the driver does not know.
        """
        known = self.layouts(group)
        if not known:
            return None
        named = self.conf.value(group, 'glusterfs_share_layout') or known[0]
        return named.partition('.')[0] if named in known else None

    def layouts(self, group: str) -> tuple[str, ...]:
        """Return the layouts that a back end's driver accepts.

        :returns: values of glusterfs_share_layout, the default first; empty
            if the driver is not one of GlusterFS.
        """
        name = (self.driver(group) or '').rpartition('.')[2]
        return conditions.LAYOUTS.get(name, ())

    def reads_section(self, group: str) -> bool:
        """Say whether anything in this release reads a section."""
        roles = self.conf.roles(group)
        if config_files.SectionRole.PEER in roles and self._opens_peers(group):
            return True
        return bool(
            roles - {config_files.SectionRole.PEER}
            or group == 'DEFAULT'
            or self._like(group) in self.options.groups
        )

    def _opens_peers(self, group: str) -> bool:
        """Say whether an enabled back end of the same kind opens a section."""
        path = self.conf.value(group, 'share_driver') or ''
        return any(
            mark in path
            and any(
                mark in (self.driver(backend.name) or '')
                for backend in self.conf.backends
            )
            for mark in conditions.OPENS_PEERS
        )

    def installs(self, name: str) -> Optional[bool]:
        """Say whether the build can import a name; None: nothing tells."""
        return self._catalog.installs(self.release, name)

    # -- lines ---------------------------------------------------------------

    def look_up(self, group: str, name: str) -> OptionLookup:
        """Return how the release treats a name in a section."""
        key = (config_files.normalize(group), name)
        if key not in self._known:
            self._known[key] = self._look_up(*key)
        return self._known[key]

    def of(self, setting: config_files.Setting) -> OptionLookup:
        """Return how the release treats a line."""
        found = self.look_up(setting.group, setting.name)
        if found.read and found.old and not setting.by_old_names:
            return found._replace(why=Why.OLD_NAME)
        return found

    def _look_up(self, group: str, name: str) -> OptionLookup:
        if group.startswith(config_files.OWN_GROUPS):
            return OptionLookup(Why.OWN)
        match = self.options.find(self._like(group), name)
        if match is not None:
            return self._fixed(group, match)
        if config_files.SectionRole.SOURCE in self.conf.roles(group):
            driver = self.conf.value(group, 'driver') or ''
            known = conditions.CONFIG_SOURCES.get(driver, ('driver',))
            if name in known:
                return OptionLookup(Why.SOURCE)
            if driver not in conditions.CONFIG_SOURCES:
                return OptionLookup(Why.FOREIGN)
        found = self._in_login(group, name)
        if found is not None:
            return found
        return self._in_roles(group, name)

    def _like(self, group: str) -> str:
        """Return the section whose options a longer name has, too."""
        if group.startswith('cors.') and behaviours.has(
            'cors-by-origin', self.release
        ):
            return 'cors'
        return group

    def _fixed(self, group: str, match: options.Match) -> OptionLookup:
        option = match.option
        why = Why.READ
        if (
            group == 'DEFAULT'
            and (option.drivers or option.plugins)
            and not self._serves_default(option, match.old)
        ):
            # Importing its driver registers it here, but no driver reads it.
            why = Why.DRIVER
        where = match.group or group
        if self._idle(where, option.name):
            other = self.options.named_too(where, option.name)
            if other is not None:
                # The code that reads the line by this name is loaded.
                return OptionLookup(
                    Why.READ, other.option, other.group or '', True
                )
            why = Why.IDLE
        return OptionLookup(why, option, where, match.old)

    def _idle(self, group: str, name: str) -> bool:
        """Say whether no service loads the code that reads an option."""
        reader = conditions.IDLE.get((group, name))
        if not reader:
            return reader is not None
        chosen = self.conf.value('DEFAULT', 'scheduler_driver') or ''
        return chosen.rpartition('.')[2] != reader

    def _serves_default(self, option: options.Option, old: bool) -> bool:
        """Say whether anything reads a driver's option in [DEFAULT]."""
        if option.read_in_default and self._serves_a_backend(option):
            return True
        if config_files.SectionRole.BACKEND not in self.conf.roles('DEFAULT'):
            return old
        if options.BACKEND not in option.kinds:
            return config_files.SectionRole.NETWORK in self.conf.roles(
                'DEFAULT'
            )
        return option.serves(self.driver('DEFAULT'), self.plugin('DEFAULT'))

    def _serves_a_backend(self, option: options.Option) -> bool:
        return any(
            option.serves(self.driver(item.name), self.plugin(item.name))
            for item in self.conf.backends
        )

    def is_logged(self, lookup: OptionLookup) -> bool:
        """Say whether manila-share reads a line just to log it.

        Importing a driver registers its options in [DEFAULT], too, and after
        the start of manila-share oslo.service logs all registered options: a
        value that the type rejects then ends the service (16.3.0, 18.3.0,
        20.0.3, 22.0.2 and 23.0.1 with LVMShareDriver and lvm_share_mirrors =
        x; not with log_options off).
        """
        return (
            lookup.why is Why.DRIVER
            and lookup.group == 'DEFAULT'
            and lookup.option is not None
            and self._serves_a_backend(lookup.option)
            and self.is_on('DEFAULT', 'log_options')
        )

    def _in_roles(self, group: str, name: str) -> OptionLookup:
        roles = self.conf.roles(group)
        backend = config_files.SectionRole.BACKEND in roles or (
            config_files.SectionRole.PEER in roles and self._opens_peers(group)
        )
        matches = [
            self._in_backend(group, name) if backend else None,
            self._in_network(group, name)
            if config_files.SectionRole.NETWORK in roles
            else None,
            *(
                self._match(group, look_up(name))
                for role, look_up in (
                    (
                        config_files.SectionRole.BINDING_PROFILE,
                        self.options.binding_profile,
                    ),
                    (
                        config_files.SectionRole.BACKUP_TYPE,
                        self.options.backup,
                    ),
                )
                if role in roles
            ),
        ]
        found = [match for match in matches if match is not None]
        for match in found:
            if match.read:
                return match
        if found:
            return found[0]
        if (
            config_files.SectionRole.BACKEND in roles
            and config_files.SectionRole.NETWORK not in roles
        ):
            plugin = self._match(group, self.options.network(name))
            if plugin is not None:
                without = self.conf.handles_share_servers(group) is False
                return plugin._replace(why=Why.MODE if without else Why.GROUP)
        if backend and self.driver(group) is None:
            return OptionLookup(Why.FOREIGN)
        return OptionLookup(
            Why.UNKNOWN if self.reads_section(group) else Why.SECTION
        )

    def _match(
        self, group: str, match: Optional[options.Match]
    ) -> Optional[OptionLookup]:
        if match is None:
            return None
        return OptionLookup(
            Why.READ, match.option, match.group or group, match.old
        )

    def _in_backend(self, group: str, name: str) -> Optional[OptionLookup]:
        driver, plugin = self.driver(group), self.plugin(group)
        found = self._match(group, self.options.backend(name, driver, plugin))
        if found is None or found.option is None:
            return None
        option = found.option
        if options.BACKEND not in option.kinds:
            # It belongs to a network plugin; the caller handles these.
            return None
        if option.serves(driver, plugin):
            mode = self.conf.handles_share_servers(group)
            if (
                mode is not None
                and conditions.ONE_MODE.get(name, mode) is not mode
            ):
                return found._replace(why=Why.MODE)
            layout = self.layout(group)
            if layout and conditions.ONE_LAYOUT.get(name, layout) != layout:
                return found._replace(why=Why.LAYOUT)
            if name in conditions.OF_HOOKS and not self.conf.value(
                group, 'hook_drivers'
            ):
                return found._replace(why=Why.HOOKS)
            return found
        if driver is None or self._plugin_unknown(option, plugin):
            return found._replace(why=Why.FOREIGN)
        return found._replace(why=Why.DRIVER)

    def _in_network(self, group: str, name: str) -> Optional[OptionLookup]:
        """Return how a name is treated in a section of a network."""
        named = self.conf.value(group, 'network_api_class')
        plugin = named or conditions.DEFAULT_NETWORK
        found = self._match(group, self.options.network(name, plugin))
        if found is None or found.option is None:
            return None
        known = self._catalog.plugins(self.release, drivers.NETWORK)
        if plugin not in known or found.option.serves(plugin):
            return found
        return found._replace(why=Why.NETWORK)

    def _plugin_unknown(
        self, option: options.Option, plugin: Optional[str]
    ) -> bool:
        if not option.plugins:
            return False
        known = self._catalog.plugins(self.release, drivers.EMC_PLUGIN)
        return plugin is not None and plugin not in known

    # -- logins --------------------------------------------------------------

    def _in_login(self, group: str, name: str) -> Optional[OptionLookup]:
        """Return how a name is treated in a section with a login."""
        users = self.conf.auth_users(group)
        if group not in self.options.auth_groups and not users:
            return None
        if users and group not in self.options.auth_groups:
            # keystoneauth registers these in the section to which
            # auth_section leads, but not auth_section itself: a section
            # cannot lead further.
            if name in ('auth_type', 'auth_plugin'):
                shared = self.options.find(users[0], name)
                if shared is not None:
                    return OptionLookup(
                        Why.READ, shared.option, group, shared.old
                    )
        elsewhere = self._of_any_plugin(name)
        if elsewhere is None:
            return None
        if self.conf.auth_section(group) != group and not users:
            return OptionLookup(
                Why.LOGIN, elsewhere.option, group, elsewhere.old
            )
        named = self.login(group)
        if named is None:
            return OptionLookup(
                Why.LOGIN, elsewhere.option, group, elsewhere.old
            )
        plugin = self.options.auth_plugin(named)
        if plugin is None or not plugin.known:
            # A third-party plugin may have any option.
            return OptionLookup(
                Why.READ, elsewhere.option, group, elsewhere.old
            )
        match = plugin.find(name)
        if match is None:
            return OptionLookup(
                Why.LOGIN, elsewhere.option, group, elsewhere.old
            )
        return OptionLookup(Why.READ, match.option, group, match.old)

    def login(self, group: str) -> Optional[str]:
        """Return the auth_type of a section; None when it has none.

        An empty value counts as none: keystoneauth loads no plugin for it.
        """
        settings = self.conf.effective(
            [(group, 'auth_type'), (group, 'auth_plugin')]
        )
        return (settings[0].value or None) if settings else None

    def _of_any_plugin(self, name: str) -> Optional[options.Match]:
        for plugin_name in self.options.auth_plugins:
            plugin = self.options.auth_plugin(plugin_name)
            match = plugin.find(name) if plugin is not None else None
            if match is not None:
                return match
        return None

    # -- values --------------------------------------------------------------

    def effective(
        self, setting: config_files.Setting
    ) -> tuple[config_files.Setting, ...]:
        """Return the lines from which the option of a line gets its value.

        If the line is not among them, another one overrides it.
        """
        lookup = self.look_up(setting.group, setting.name)
        option = lookup.option
        if option is None or not lookup.read:
            return self.conf.effective([(setting.group, setting.name)])
        return self.conf.effective(lookup.names, option.multi)

    def accepts(self, setting: config_files.Setting) -> bool:
        """Say whether the release accepts the value of a line.

        Also true when this is unknown: the value depends on the machine, or
        the rules of its type are code.

        :param setting: a line that the release reads.
        """
        try:
            if self.value(setting) is None and '$' in setting.value:
                self._answer(
                    setting.where,
                    lambda: self._sampled.converted(
                        setting.group, setting.name, setting.value
                    ),
                )
        except Refused:
            return False
        return True

    def value(self, setting: config_files.Setting) -> Any:
        """Return the value of a line that the release reads.

        :returns: as oslo.config; also None when the value is unknown.
        :raises Refused: when the release rejects the value.
        :raises Refused: when the release refuses the value.
        """
        return self._answer(
            setting.where,
            lambda: self._opts.converted(
                setting.group, setting.name, setting.value
            ),
        )

    def get(self, group: str, name: str) -> Any:
        """Return the value of an option, or its default.

        :returns: as oslo.config; also None when the value is unknown.
        :raises Refused: when the release rejects the value, or has no such
            option there.
        """
        return self._answer(
            f'[{group}] {name}', lambda: self._opts.value(group, name)
        )

    def text(self, group: str, name: str) -> str:
        """Return the value of an option as a text; '' when it has none.

        A value that the release rejects counts as none.
        """
        try:
            value = self.get(group, name)
        except Refused:
            return ''
        return '' if value is None else str(value)

    def is_on(self, group: str, name: str) -> bool:
        """Say whether an option is set to true."""
        try:
            return self.get(group, name) is True
        except Refused:
            return False

    def _answer(self, of: str, ask: Callable[[], Any]) -> Any:
        # Imported here so that listing the checks does not import oslo.config.
        from oslo_config import cfg

        from manila_precheck.evidence.config import evaluation

        try:
            return ask()
        except evaluation.NotJudged:
            return None
        except (ValueError, cfg.Error) as exc:
            raise Refused(f'{of} has a bad value, or none') from exc

    @functools.cached_property
    def _opts(self) -> 'evaluation.Opts':
        from manila_precheck.evidence.config import evaluation

        return evaluation.Opts(self)

    @functools.cached_property
    def _sampled(self) -> 'evaluation.Opts':
        from manila_precheck.evidence.config import evaluation

        return evaluation.Opts(self, evaluation.SAMPLES)
