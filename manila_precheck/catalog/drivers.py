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

"""The values that share_driver, scheduler_driver and similar may have."""

from collections.abc import Mapping
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import history

SHARE = 'share'
SHARE_MOVED = 'share_moved'
EMC_PLUGIN = 'emc_plugin'
EMC_ALIAS = 'emc_alias'
NETWORK = 'network'
SCHEDULER = 'scheduler'
SCHEDULER_MOVED = 'scheduler_moved'
FILTER = 'filter'
WEIGHER = 'weigher'
BACKUP = 'backup'
PRIVATE_DATA = 'private_data'
HOOK = 'hook'
CONSOLE_SCRIPT = 'console_script'
WSGI_SCRIPT = 'wsgi_script'
WSGI_MODULE = 'wsgi_module'
API_MODULE = 'api_module'
# Names that libraries define; those of a release are from the upper
# constraints of its series (oslo.messaging, tooz, SQLAlchemy).
TRANSPORT = 'transport'
NOTIFICATION = 'notification'
COORDINATION = 'coordination'
DIALECT = 'dialect'
# A class that an option names by its path, and that has no other kind.
CLASS = 'class'
PASTE = 'paste'
NEED = 'need'
# What an api-paste.ini may name, from manila and from libraries; and the
# modules of libraries that were searched.
PASTE_FACTORY = 'paste_factory'
PASTE_MODULE = 'paste_module'
FACTORY_KINDS = (PASTE_FACTORY, PASTE_MODULE)
_APART = (PASTE, NEED, *FACTORY_KINDS)
KINDS = (
    SHARE,
    SHARE_MOVED,
    EMC_PLUGIN,
    EMC_ALIAS,
    NETWORK,
    SCHEDULER,
    SCHEDULER_MOVED,
    FILTER,
    WEIGHER,
    BACKUP,
    PRIVATE_DATA,
    HOOK,
    CONSOLE_SCRIPT,
    WSGI_SCRIPT,
    WSGI_MODULE,
    API_MODULE,
    TRANSPORT,
    NOTIFICATION,
    COORDINATION,
    DIALECT,
    CLASS,
)


class Driver(NamedTuple):
    """A class, plugin or script that the configuration may name."""

    name: str
    """The class path, or the name of the plugin or script."""

    kind: str
    """One of KINDS."""

    target: Optional[str] = None
    """What the name refers to: the new path of a moved class, the class of a
    plugin, the function of a script; None: the class itself."""

    modes: tuple[bool, ...] = ()
    """The values of driver_handles_share_servers that it supports; empty:
    the code does not tell (for an EMC driver its plugin does)."""

    deprecated: bool = False
    """Whether its code logs that it is deprecated."""

    internal: bool = False
    """Whether it is a base class, or only another driver can create it."""

    lacks: tuple[str, ...] = ()
    """The Python modules that an out-of-tree driver imports and that the
    environment of the build does not have, sorted."""


class DriverNeed(NamedTuple):
    """Options of which a driver requires at least one."""

    options: tuple[str, ...]
    """Their names, sorted."""

    at: str
    """Where the driver fails without: 'init' (manila-share exits) or 'setup'
    (manila-share runs, and the back end never reports)."""

    mode: Optional[bool] = None
    """The driver_handles_share_servers for which it holds; None: both."""

    unless: tuple[tuple[str, str], ...] = ()
    """It does not hold with one of these (option, value) pairs:
    ('use_cert', 'True')."""

    when: tuple[tuple[str, str], ...] = ()
    """It only holds with all of these (option, value) pairs; empty: always."""


def read_needs(
    by_name: dict[str, list[history.Row]], driver: str, plugin: Optional[str]
) -> tuple[DriverNeed, ...]:
    """Return what a driver requires, by the names of the options.

    building/driver_needs.py found it by creating and setting up the driver.

    :param by_name: the rows of drivers.json of one release.
    :param driver: the class path.
    :param plugin: its emc_share_backend, if any.
    """
    rows = by_name.get(f'emc:{plugin}' if plugin else driver, ())
    return tuple(
        DriverNeed(
            tuple(row['options']),
            row['at'],
            row.get('mode'),
            tuple(
                (name, value)
                for name, those in sorted(row.get('unless', {}).items())
                for value in those
            ),
            tuple(sorted(row.get('when', {}).items())),
        )
        for row in rows
        if row['kind'] == NEED
    )


def read(
    by_name: dict[str, list[history.Row]],
) -> dict[str, dict[str, Driver]]:
    """Return the drivers in rows, by kind and name, sorted.

    :param by_name: the rows of drivers.json of one release.
    """
    found: dict[str, dict[str, Driver]] = {kind: {} for kind in KINDS}
    for name, rows in by_name.items():
        for row in rows:
            if row['kind'] not in _APART:
                found.setdefault(row['kind'], {})[name] = Driver(
                    name=name,
                    kind=row['kind'],
                    target=row.get('target'),
                    modes=tuple(row.get('modes', ())),
                    deprecated=row.get('deprecated', False),
                    internal=row.get('internal', False),
                    lacks=tuple(row.get('lacks', ())),
                )
    return found


def read_paste(
    by_name: dict[str, list[history.Row]],
) -> Mapping[str, Mapping[str, str]]:
    """Return the sections of the api-paste.ini that a release ships.

    :param by_name: the rows of drivers.json of one release.
    :returns: {'app:apiv2': {'paste.app_factory': 'module:factory'}}.
    """
    return {
        name: dict(row['keys'])
        for name, rows in by_name.items()
        for row in rows
        if row['kind'] == PASTE
    }


class Factories(NamedTuple):
    """The factories that an api-paste.ini may name.

    building/paste_factories.py loaded each of them.
    """

    ways: Mapping[str, Mapping[str, str]]
    """{'module:attribute' or 'egg:package#name': {the key that names it:
    'loads'; 'settings' when this depends on settings; the name of an error;
    or 'request' and the error that each request meets}}."""

    modules: Mapping[str, Optional[frozenset[str]]]
    """The callable names in modules of libraries, by module; None: it was not
    imported."""

    @property
    def packages(self) -> frozenset[str]:
        """Return the libraries that were searched, by their import names."""
        return frozenset(name for name in self.modules if '.' not in name)

    @property
    def eggs(self) -> frozenset[str]:
        """Return the distributions with entry points of PasteDeploy."""
        return frozenset(
            spec.partition('#')[0][len('egg:') :]
            for spec in self.ways
            if spec.startswith('egg:')
        )


def read_factories(by_name: dict[str, list[history.Row]]) -> Factories:
    """Return the factories that an api-paste.ini of a release may name.

    :param by_name: the rows of drivers.json of one release.
    """
    ways: dict[str, Mapping[str, str]] = {}
    modules: dict[str, Optional[frozenset[str]]] = {}
    for name, rows in by_name.items():
        for row in rows:
            if row['kind'] == PASTE_FACTORY:
                ways[name] = row.get('ways', {})
            elif row['kind'] == PASTE_MODULE:
                names = None if row.get('unread') else row.get('names', ())
                modules[name] = None if names is None else frozenset(names)
    return Factories(ways, modules)
