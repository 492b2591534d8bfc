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

"""Names that the libraries of the release define.

The names of drivers, schemes and plugins are from entry points, and the
options of keystoneauth's plugins from the plugins. The libraries are those of
the release's upper constraints.
"""

import functools
import importlib
import importlib.metadata
import pkgutil

from manila_precheck.catalog import building
from manila_precheck.catalog.building import option


def points(group):
    """Return the entry points of a group from all distributions."""
    found = importlib.metadata.entry_points()
    if hasattr(found, 'select'):
        return list(found.select(group=group))
    return list(found.get(group, ()))


def named(group):
    """Return {name: value} of a group of entry points that manila loads."""
    return {point.name: point.value for point in points(group)}


# Libraries define the schemes of URLs and the drivers of notifications, so the
# names depend on the upper constraints of the release.
LIBRARY_POINTS = (
    ('transport', 'oslo.messaging.drivers'),
    ('notification', 'oslo.messaging.notify.drivers'),
    ('coordination', 'tooz.backends'),
)


def library_facts():
    """Describe the schemes and names that libraries define."""
    rows = [
        {'kind': kind, 'name': name}
        for kind, group in LIBRARY_POINTS
        for name in sorted({point.name for point in points(group)})
    ]
    rows.extend({'kind': 'dialect', 'name': name} for name in dialects())
    return rows


# Dialects without a package of their own; postgres up to SQLAlchemy 1.3.
DIALECT_HOMES = {'mariadb': 'mysql', 'postgres': 'postgresql'}


def dialects():
    """Return every dialect and dialect+driver that SQLAlchemy can load."""
    from sqlalchemy import dialects as package
    from sqlalchemy import exc

    found = set()
    names = {info.name for info in pkgutil.iter_modules(package.__path__)}
    for name in sorted(names | set(DIALECT_HOMES)):
        folder = DIALECT_HOMES.get(name, name)
        try:
            package.registry.load(name)
        except (exc.NoSuchModuleError, ImportError, AttributeError):
            continue
        found.add(name)
        holder = importlib.import_module(f'sqlalchemy.dialects.{folder}')
        for info in pkgutil.iter_modules(holder.__path__):
            try:
                package.registry.load(f'{name}.{info.name}')
            except (exc.NoSuchModuleError, ImportError, AttributeError):
                continue
            found.add(f'{name}+{info.name}')
    return sorted(found)


def auth_plugin_facts():
    """Describe the options of every keystoneauth plugin, by plugin."""
    from keystoneauth1 import loading

    rows = []
    names = sorted(point.name for point in points('keystoneauth1.plugin'))
    for name in dict.fromkeys(names):
        try:
            opts = loading.get_auth_plugin_conf_options(name)
        except Exception as exc:
            building.say(f'auth plugin {name}: {type(exc).__name__}: {exc}')
            rows.append({'plugin': name, 'options': None})
            continue
        options = []
        for opt in opts:
            facts = option.option_facts(opt, opt.default)
            facts['name'] = opt.dest
            options.append(facts)
        rows.append(
            {
                'plugin': name,
                'options': sorted(options, key=lambda facts: facts['name']),
            }
        )
    return rows


# Not functools.cache: releases up to 14 run with Python 3.8.
@functools.lru_cache(maxsize=None)  # noqa: UP033
def password_options():
    from keystoneauth1 import loading

    return {
        opt.dest for opt in loading.get_auth_plugin_conf_options('password')
    }
