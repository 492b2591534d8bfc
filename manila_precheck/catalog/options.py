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

"""The options of a release, and the sections in which they are registered."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.catalog import history

# Kinds of sections whose names the operator chooses. In the data they have no
# brackets, while sections with fixed names do.
BACKEND = 'backend'
NETWORK = 'network'
BINDING_PROFILE = 'binding_profile'
BACKUP = 'backup'
KINDS = (BACKEND, NETWORK, BINDING_PROFILE, BACKUP)
DEFAULT = 'DEFAULT'


def section_key(group: str) -> str:
    """Return a section name in the form in which oslo.config compares it.

    Every section except DEFAULT is looked up in lower case
    (oslo.config 9.6 oslo_config/cfg.py, _Namespace._normalized).
    """
    return group if group == DEFAULT else group.lower()


def place_key(place: str) -> str:
    """Return a place of the data ('[quota]', 'backend') for comparison."""
    return f'[{section_key(place[1:-1])}]' if place[0] == '[' else place


class ValueType(NamedTuple):
    """The constructor arguments of a type of oslo.config."""

    kind: str
    """string, boolean, integer, float, number, port, range, list, dict,
    ip_address, hostname, host_address, host_domain, uri, or opaque: a type
    whose rules are in manila's code (any value may be valid)."""

    item: Optional['ValueType'] = None
    """The type of the elements of a list or of the values of a dict."""

    choices: Optional[tuple[Any, ...]] = None
    """The accepted values, sorted; None: all of the type."""

    min: Optional[float] = None
    """The minimum; for a port or range only if narrower than usual."""

    max: Optional[float] = None
    """The maximum."""

    max_length: Optional[int] = None
    """The maximum length in characters."""

    regex: Optional[str] = None
    """The pattern for which oslo.config searches the value."""

    ignore_case: bool = False
    """Whether choices or the pattern are compared without case."""

    quotes: bool = False
    """Whether a string may be quoted."""

    bounds: bool = False
    """Whether a list has to be in [], a dict in {}."""

    inclusive: bool = False
    """Whether a range includes its upper end."""

    schemes: tuple[str, ...] = ()
    """The accepted URI schemes; empty: any."""

    version: Optional[int] = None
    """4 or 6 if only addresses of one family are accepted."""

    separator: str = ':'
    """The separator of a key and its value in a dict."""

    name: str = ''
    """The name of an opaque type in manila's code."""


class OldName(NamedTuple):
    """A deprecated name under which an option is still read."""

    group: Optional[str]
    """The section from which it is read; None: the option's own."""

    name: str
    """The name as in a file; a dash is a dash, not an underscore."""


class Option(NamedTuple):
    """One option of one release, with all that oslo.config knows about it."""

    name: str
    """Its dest: the name in files, with underscores."""

    type: ValueType
    """The type of its values."""

    groups: frozenset[str]
    """The sections with fixed names in which it is registered."""

    kinds: frozenset[str]
    """The kinds of other sections in which it is registered: see KINDS."""

    default: Any = None
    """The default as JSON; None also if it is None or unknown."""

    host_default: bool = False
    """The default depends on the machine, and is not recorded."""

    multi: bool = False
    """Whether the values of several lines are collected."""

    secret: bool = False
    """Whether its value must not be shown."""

    required: bool = False
    """Whether a service needs a value for it."""

    deprecated_for_removal: bool = False
    """Whether it will be removed; setting it logs a warning."""

    deprecated_since: Optional[str] = None
    """The release that deprecated it, as manila writes it; None: unknown."""

    deprecated_names: tuple[OldName, ...] = ()
    """Every old name that is still read, sorted."""

    drivers: frozenset[str] = frozenset()
    """The share drivers (for a network option: network plugins) that register
    it, by class path; if this and plugins are empty: any driver."""

    plugins: frozenset[str] = frozenset()
    """The values of emc_share_backend for which it is registered."""

    read_in_default: bool = False
    """A driver's option that some code reads as CONF.name, in [DEFAULT]."""

    def serves(
        self, driver: Optional[str], plugin: Optional[str] = None
    ) -> bool:
        """Say whether a section with this driver registers the option.

        :param driver: the class path in the section; None: unknown.
        :param plugin: the emc_share_backend of the section, if any.
        """
        if not self.drivers and not self.plugins:
            return True
        if plugin is not None and plugin.lower() in self.plugins:
            return True
        return driver in self.drivers


class Match(NamedTuple):
    """The option that a line of a file sets."""

    option: Option
    """The option."""

    group: Optional[str]
    """The section of the option; None: the section that was asked for."""

    old: bool
    """Whether the line uses a deprecated name or section."""


def value_type(facts: Any) -> ValueType:
    """Return the type in a row.

    :param facts: just a kind, or an object with a kind and its parameters.
    """
    if isinstance(facts, str):
        return ValueType(kind=facts)
    fields = dict(facts)
    if 'item' in fields:
        fields['item'] = value_type(fields['item'])
    for name in ('choices', 'schemes'):
        if name in fields:
            fields[name] = tuple(fields[name])
    return ValueType(**fields)


def option(name: str, row: history.Row) -> Option:
    """Return the option in a row.

    :param name: its dest.
    :param row: one row of options.json or auth_plugins.json.
    """
    fields = dict(row)
    fields.pop('releases', None)
    fields.pop('name', None)
    places = fields.pop('in', ())
    return Option(
        name=name,
        type=value_type(fields.pop('type')),
        groups=frozenset(p[1:-1] for p in places if p[0] == '['),
        kinds=frozenset(p for p in places if p[0] != '['),
        deprecated_names=tuple(
            OldName(group, old)
            for group, old in fields.pop('deprecated_names', ())
        ),
        drivers=frozenset(fields.pop('drivers', ())),
        plugins=frozenset(fields.pop('plugins', ())),
        **fields,
    )


def secret_names(rows: Iterable[tuple[str, history.Row]]) -> frozenset[str]:
    """Return the names, old ones too, of options marked as secret.

    :param rows: rows of options.json or auth_plugins.json, with their names.
    """
    found: set[str] = set()
    for name, row in rows:
        if row.get('secret'):
            found.add(row.get('name', name))
            found.update(old for _, old in row.get('deprecated_names', ()))
    return frozenset(found)


class AuthPlugin:
    """The options that a keystoneauth plugin adds to its section.

    The section is the one that auth_section names, else the one with
    auth_type. The options are from keystoneauth1 in the release's constraints.
    """

    def __init__(self, name: str, rows: list[history.Row]) -> None:
        #: The value of auth_type: 'v3password'.
        self.name = name
        #: False if the plugin needs a library that was not installed when the
        #: catalog was built: its options are unknown, not missing.
        self.known = not any(row.get('unloadable') for row in rows)
        #: The options by dest, sorted.
        self.options = {
            row['name']: option(row['name'], row)
            for row in rows
            if 'name' in row
        }

    def find(self, name: str) -> Optional[Match]:
        """Return the option with this name; None when there is none."""
        if name in self.options:
            return Match(self.options[name], None, False)
        for item in self.options.values():
            if any(old.name == name for old in item.deprecated_names):
                return Match(item, None, True)
        return None


class OptionSet:
    """Every option of one release, by section and name.

    A name is looked up as oslo.config reads a file: option names keep their
    case and spelling (no dash for an underscore), section names do not.
    """

    def __init__(
        self,
        release: releases.Release,
        by_name: dict[str, list[history.Row]],
        plugins: dict[str, list[history.Row]],
    ) -> None:
        #: The release of the options.
        self.release = release
        self._by_name = by_name
        self._plugins = plugins
        self._made: dict[int, Option] = {}
        self._auth: dict[str, AuthPlugin] = {}
        # (place, name) -> rows; a place is 'backend' or '[quota]'.
        self._places: dict[str, dict[str, list[history.Row]]] = {}
        # (place, old name) -> (new name, new place or None, row)
        self._old: dict[
            tuple[str, str], list[tuple[str, str, history.Row]]
        ] = {}
        for name, rows in by_name.items():
            for row in rows:
                self._index(name, row)

    def _index(self, name: str, row: history.Row) -> None:
        for place in row.get('in', ()):
            key = place_key(place)
            names = self._places.setdefault(key, {})
            names.setdefault(name, []).append(row)
            for group, old in row.get('deprecated_names', ()):
                home = key if group is None else place_key(f'[{group}]')
                self._old.setdefault((home, old), []).append(
                    (name, place, row)
                )

    @property
    def groups(self) -> tuple[str, ...]:
        """The sections with fixed names, sorted, in lower case."""
        return tuple(sorted(p[1:-1] for p in self._places if p[0] == '['))

    @property
    def auth_groups(self) -> tuple[str, ...]:
        """The sections in which auth_type names a plugin, sorted."""
        return tuple(
            sorted(
                place[1:-1]
                for place, names in self._places.items()
                if place[0] == '['
                and 'auth_type' in names
                and 'auth_section' in names
            )
        )

    def __iter__(self) -> Iterator[Option]:
        """Yield every option by name; one with several definitions each.

        The options of keystoneauth plugins are not included.
        """
        for name, rows in self._by_name.items():
            for row in rows:
                yield self._option(name, row)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._by_name.values())

    @property
    def names(self) -> Iterable[str]:
        """The dest of every option without keystoneauth's, unsorted."""
        return self._by_name.keys()

    def named(self, name: str) -> tuple[Option, ...]:
        """Return the options with this dest in all sections."""
        return tuple(
            self._option(name, row) for row in self._by_name.get(name, ())
        )

    def _option(self, name: str, row: history.Row) -> Option:
        key = id(row)
        if key not in self._made:
            self._made[key] = option(name, row)
        return self._made[key]

    def find(self, group: str, name: str) -> Optional[Match]:
        """Return what a line in a section with a fixed name sets.

        :param group: 'DEFAULT', 'quota', ...; compared as in oslo.config.
        :param name: the name before the '='.
        :returns: the option, and whether the name is an old one; None when it
            is not registered there. For auth plugins see auth_plugin.
        """
        return self._find(place_key(f'[{group}]'), name, None, None)

    def backend(
        self,
        name: str,
        driver: Optional[str] = None,
        plugin: Optional[str] = None,
    ) -> Optional[Match]:
        """Return what a line in a back end's section sets.

        :param name: the name before the '='.
        :param driver: the share driver of the section, to choose between
            options with the same name; see Option.serves.
        :param plugin: its emc_share_backend, if any.
        :returns: an option, possibly of another driver if no other has the
            name; None when no driver registers it. Options of network plugins
            are found, too: without network_config_group they are read from
            the back end's own section.
        """
        return self._find(BACKEND, name, driver, plugin) or self._find(
            NETWORK, name, None, None
        )

    def network(
        self, name: str, plugin: Optional[str] = None
    ) -> Optional[Match]:
        """Return what a line in a network_config_group's section sets.

        :param name: the name before the '='.
        :param plugin: the network_api_class of the section, if known.
        """
        return self._find(NETWORK, name, plugin, None)

    def binding_profile(self, name: str) -> Optional[Match]:
        """Return what a line in a neutron_binding_profiles section sets."""
        return self._find(BINDING_PROFILE, name, None, None)

    def backup(self, name: str) -> Optional[Match]:
        """Return what a line in a netapp_enabled_backup_types one sets."""
        return self._find(BACKUP, name, None, None)

    def _find(
        self,
        place: str,
        name: str,
        driver: Optional[str],
        plugin: Optional[str],
    ) -> Optional[Match]:
        rows = self._places.get(place, {}).get(name)
        if rows:
            options = [self._option(name, row) for row in rows]
            return Match(_best(options, driver, plugin), None, False)
        old = self._old.get((place, name))
        if not old:
            return None
        options = [self._option(new, row) for new, _, row in old]
        best = _best(options, driver, plugin)
        home = old[options.index(best)][1]
        group = home[1:-1] if home[0] == '[' else None
        return Match(best, group, True)

    def named_too(self, group: str, name: str) -> Optional[Match]:
        """Return the second option that a line sets, if there is one.

        The name of an option may be the deprecated name of another one.

        :param group: a section with a fixed name.
        :param name: the name of an option in this section.
        """
        key = place_key(f'[{group}]')
        for new, place, row in self._old.get((key, name), ()):
            if place[0] == '[' and (place_key(place), new) != (key, name):
                return Match(self._option(new, row), place[1:-1], True)
        return None

    def required(
        self, driver: str, plugin: Optional[str] = None
    ) -> tuple[Option, ...]:
        """Return the options that a back end requires to start.

        :param driver: the share driver of the section.
        :param plugin: its emc_share_backend, if any.
        :returns: required options without a default, by name.
        """
        found = []
        for name, rows in sorted(self._places.get(BACKEND, {}).items()):
            for row in rows:
                if not row.get('required') or 'default' in row:
                    continue
                item = self._option(name, row)
                if item.serves(driver, plugin):
                    found.append(item)
        return tuple(found)

    @property
    def auth_plugins(self) -> tuple[str, ...]:
        """The possible values of auth_type, sorted."""
        return tuple(sorted(self._plugins))

    def auth_plugin(self, name: str) -> Optional[AuthPlugin]:
        """Return the keystoneauth plugin with this name; None: no such."""
        if name not in self._plugins:
            return None
        if name not in self._auth:
            self._auth[name] = AuthPlugin(name, self._plugins[name])
        return self._auth[name]


def _best(
    options: list[Option], driver: Optional[str], plugin: Optional[str]
) -> Option:
    """Prefer an option of this driver, then one of any, then the first."""
    for item in options:
        if (item.drivers or item.plugins) and item.serves(driver, plugin):
            return item
    for item in options:
        if not item.drivers and not item.plugins:
            return item
    return options[0]
