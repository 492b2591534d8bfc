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

"""What an option of a release is, and in which sections it is registered."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.catalog import history

# Kinds of sections whose names the operator makes up; in the data they stand
# without brackets, where a section with a name of its own has them.
BACKEND = 'backend'
NETWORK = 'network'
BINDING_PROFILE = 'binding_profile'
BACKUP = 'backup'
KINDS = (BACKEND, NETWORK, BINDING_PROFILE, BACKUP)
DEFAULT = 'DEFAULT'


def section_key(group: str) -> str:
    """Return a section name as oslo.config compares it.

    Every section but DEFAULT is looked up in lower case
    (oslo.config 9.6 oslo_config/cfg.py, _Namespace._normalized).
    """
    return group if group == DEFAULT else group.lower()


def place_key(place: str) -> str:
    """Return a place of the data ('[quota]', 'backend') for comparison."""
    return f'[{section_key(place[1:-1])}]' if place[0] == '[' else place


class ValueType(NamedTuple):
    """What a type of oslo.config was constructed with."""

    kind: str
    """string, boolean, integer, float, number, port, range, list, dict,
    ip_address, hostname, host_address, host_domain, uri, or opaque: a type
    of manila's own, whose rules are in code (any value may be right)."""

    item: Optional['ValueType'] = None
    """The type of the elements of a list or of the values of a dict."""

    choices: Optional[tuple[Any, ...]] = None
    """The values that are accepted, sorted; None: all that the type takes."""

    min: Optional[float] = None
    """The least number; of a port or range only when narrower than usual."""

    max: Optional[float] = None
    """The greatest number."""

    max_length: Optional[int] = None
    """The greatest length in characters."""

    regex: Optional[str] = None
    """The pattern that oslo.config searches in the value."""

    ignore_case: bool = False
    """Choices or the pattern are compared without case."""

    quotes: bool = False
    """A string may be quoted."""

    bounds: bool = False
    """A list stands in [], a dict in {}."""

    inclusive: bool = False
    """A range holds its upper end."""

    schemes: tuple[str, ...] = ()
    """The URI schemes that are accepted; none: any."""

    version: Optional[int] = None
    """4 or 6 when an address of one family alone is accepted."""

    separator: str = ':'
    """What stands between a key and its value in a dict."""

    name: str = ''
    """The name of an opaque type in manila's code."""


class OldName(NamedTuple):
    """A deprecated name under which an option is still read."""

    group: Optional[str]
    """The section that it is read from; None: the option's own."""

    name: str
    """The name as it stands in a file; a dash in it is meant."""


class Option(NamedTuple):
    """One option of one release, with everything oslo.config knows of it."""

    name: str
    """Its dest: the name in a file, with underscores."""

    type: ValueType
    """What values it takes."""

    groups: frozenset[str]
    """The sections with names of their own that it is registered in."""

    kinds: frozenset[str]
    """The kinds of free sections that it is registered in: see KINDS."""

    default: Any = None
    """The default as JSON has it; None also when it is None or unknown."""

    host_default: bool = False
    """The default depends on the machine, and is not recorded."""

    multi: bool = False
    """Given several times, the values collect."""

    secret: bool = False
    """Its value must not be shown."""

    required: bool = False
    """A service cannot do without a value for it."""

    deprecated_for_removal: bool = False
    """It will go; setting it logs a warning."""

    deprecated_since: Optional[str] = None
    """The release that deprecated it, as manila writes it; None unknown."""

    deprecated_names: tuple[OldName, ...] = ()
    """Every old name that is still read, sorted."""

    drivers: frozenset[str] = frozenset()
    """The share drivers (of a network option: network plugins) that register
    it, by class path; empty with empty plugins: whatever the driver."""

    plugins: frozenset[str] = frozenset()
    """The values of emc_share_backend with which it is registered."""

    read_in_default: bool = False
    """A driver's option that some code reads as CONF.name: in [DEFAULT]."""

    def serves(
        self, driver: Optional[str], plugin: Optional[str] = None
    ) -> bool:
        """Say whether a section with this driver registers the option.

        :param driver: the class path in the section; None: not known.
        :param plugin: the emc_share_backend of the section, if any.
        """
        if not self.drivers and not self.plugins:
            return True
        if plugin is not None and plugin.lower() in self.plugins:
            return True
        return driver in self.drivers


class Match(NamedTuple):
    """An option that a line of a file sets, and by which name."""

    option: Option
    """What is set."""

    group: Optional[str]
    """The section that the option belongs in; None: the section asked for."""

    old: bool
    """True when the line uses a deprecated name or section."""


def value_type(facts: Any) -> ValueType:
    """Return the type that a row describes.

    :param facts: a kind alone, or an object with a kind and its parameters.
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
    """Return the option that a row describes.

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
    """Return the names, old ones too, of what rows mark as a secret.

    :param rows: of options.json or auth_plugins.json, with their entries.
    """
    found: set[str] = set()
    for name, row in rows:
        if row.get('secret'):
            found.add(row.get('name', name))
            found.update(old for _, old in row.get('deprecated_names', ()))
    return frozenset(found)


class AuthPlugin:
    """The options that a keystoneauth plugin adds to its section.

    Which section: the one that auth_section names, else the one with
    auth_type. Read from keystoneauth1 as the release's constraints have it.
    """

    def __init__(self, name: str, rows: list[history.Row]) -> None:
        #: What auth_type says: 'v3password'.
        self.name = name
        #: False when the plugin needs a library that the catalog was built
        #: without: its options are unknown, not none.
        self.known = not any(row.get('unloadable') for row in rows)
        #: The options by dest, sorted.
        self.options = {
            row['name']: option(row['name'], row)
            for row in rows
            if 'name' in row
        }

    def find(self, name: str) -> Optional[Match]:
        """Return the option that this name sets; None when none does."""
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
        held: dict[str, list[history.Row]],
        plugins: dict[str, list[history.Row]],
    ) -> None:
        #: The release that the options are of.
        self.release = release
        self._held = held
        self._plugins = plugins
        self._made: dict[int, Option] = {}
        self._auth: dict[str, AuthPlugin] = {}
        # (place, name) -> rows; a place is 'backend' or '[quota]'.
        self._places: dict[str, dict[str, list[history.Row]]] = {}
        # (place, old name) -> (new name, new place or None, row)
        self._old: dict[
            tuple[str, str], list[tuple[str, str, history.Row]]
        ] = {}
        for name, rows in held.items():
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
        """The sections with names of their own, sorted, in lower case."""
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
        """Yield every option, by name; one in several shapes several times.

        The options of keystoneauth plugins are not among them.
        """
        for name, rows in self._held.items():
            for row in rows:
                yield self._option(name, row)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._held.values())

    @property
    def names(self) -> Iterable[str]:
        """The dest of every option, but for keystoneauth's, unsorted."""
        return self._held.keys()

    def named(self, name: str) -> tuple[Option, ...]:
        """Return the options of this dest, wherever they belong."""
        return tuple(
            self._option(name, row) for row in self._held.get(name, ())
        )

    def _option(self, name: str, row: history.Row) -> Option:
        key = id(row)
        if key not in self._made:
            self._made[key] = option(name, row)
        return self._made[key]

    def find(self, group: str, name: str) -> Optional[Match]:
        """Return what a line of a section with a name of its own sets.

        :param group: 'DEFAULT', 'quota', ...: case as oslo.config has it.
        :param name: the name before the '='.
        :returns: the option, and whether by an old name; None when nothing
            registers it there. A section of an auth plugin: see auth_plugin.
        """
        return self._find(place_key(f'[{group}]'), name, None, None)

    def backend(
        self,
        name: str,
        driver: Optional[str] = None,
        plugin: Optional[str] = None,
    ) -> Optional[Match]:
        """Return what a line of a back end's section sets.

        :param name: the name before the '='.
        :param driver: the share driver of the section, to choose between
            options of one name; see Option.serves.
        :param plugin: its emc_share_backend, if any.
        :returns: an option, of another driver when no other has the name;
            None when no driver registers it. The options of network plugins
            are found as well: without network_config_group they are read
            from the back end's own section.
        """
        return self._find(BACKEND, name, driver, plugin) or self._find(
            NETWORK, name, None, None
        )

    def network(
        self, name: str, plugin: Optional[str] = None
    ) -> Optional[Match]:
        """Return what a line of a network_config_group's section sets.

        :param name: the name before the '='.
        :param plugin: the network_api_class of the section, if known.
        """
        return self._find(NETWORK, name, plugin, None)

    def binding_profile(self, name: str) -> Optional[Match]:
        """Return what a line of a neutron_binding_profiles section sets."""
        return self._find(BINDING_PROFILE, name, None, None)

    def backup(self, name: str) -> Optional[Match]:
        """Return what a line of a netapp_enabled_backup_types one sets."""
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
        """Return what a line sets besides the option of its own name.

        The line of an option may set another one as its deprecated name.

        :param group: a section with a name of its own.
        :param name: that of an option in this section.
        """
        key = place_key(f'[{group}]')
        for new, place, row in self._old.get((key, name), ()):
            if place[0] == '[' and (place_key(place), new) != (key, name):
                return Match(self._option(new, row), place[1:-1], True)
        return None

    def required(
        self, driver: str, plugin: Optional[str] = None
    ) -> tuple[Option, ...]:
        """Return the options without which a back end does not start.

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
        """The names that auth_type may have, sorted."""
        return tuple(sorted(self._plugins))

    def auth_plugin(self, name: str) -> Optional[AuthPlugin]:
        """Return the keystoneauth plugin of this name; None: no such."""
        if name not in self._plugins:
            return None
        if name not in self._auth:
            self._auth[name] = AuthPlugin(name, self._plugins[name])
        return self._auth[name]


def _best(
    options: list[Option], driver: Optional[str], plugin: Optional[str]
) -> Option:
    """Prefer what names this driver, then what names none, then the first."""
    for item in options:
        if (item.drivers or item.plugins) and item.serves(driver, plugin):
            return item
    for item in options:
        if not item.drivers and not item.plugins:
            return item
    return options[0]
