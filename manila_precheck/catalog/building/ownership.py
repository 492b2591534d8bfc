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

"""The drivers and plugins to which an option belongs.

They are found from the site that registers the option, or from the module
that does so when it is imported.
"""

from manila_precheck.catalog import building
from manila_precheck.catalog.building import classes
from manila_precheck.catalog.building import references
from manila_precheck.catalog.building import share_drivers
from manila_precheck.catalog.building import sources


class OptionOwners:
    """Finds the drivers and plugins to which registrations belong."""

    def __init__(self, modules, all_sites):
        self.modules = modules
        self.classes, _bases = share_drivers.find(modules)
        self.plugins = share_drivers.emc_plugins()
        self.networks = classes.of_kind(modules, 'network')
        graph = references.References(modules)
        self.owned = {}
        for kind, named in (
            ('drivers', self.classes),
            ('plugins', self.plugins),
        ):
            for name, cls in named.items():
                for site in references.sites_of_driver(cls, all_sites, graph):
                    self.owned.setdefault(id(site), []).append((kind, name))

    def of_module(self, module):
        """Return the owner of options that importing a module registers.

        :returns: None, or the module of a driver; resolve() replaces it.
        """
        if not (
            sources.holds_drivers(module) or module.startswith(sources.TESTS)
        ):
            return None
        return 'drivers', f'@{module}'

    def of_site(self, site):
        """Return the owners of a site's options; [None] for any driver."""
        owned = self.owned.get(id(site), [None])
        if not site.where.startswith('<'):
            return owned
        if site.where == '<network>' and site.module != 'manila.network':
            return [
                ('drivers', path)
                for path, cls in self.networks.items()
                if (site.module, site.scope) in sources.bases_of(cls)
            ]
        if site.where in ('<network>', '<backup>', '<binding_profile>'):
            return [None]
        if (
            site.module in sources.SHARED_MODULES
            and site.scope == 'ShareDriver'
        ):
            return [None]
        if id(site) not in self.owned and sources.holds_drivers(site.module):
            building.say(f'no driver leads to {site.module}:{site.scope}')
        return owned

    def resolve(self, rows):
        """Replace '@module' owners by the drivers that import the module."""
        closure = references.import_closure(self.modules)
        by_module = {}
        for path, cls in self.classes.items():
            for base in {cls.__module__} | {
                m for m, _ in sources.bases_of(cls)
            }:
                for name in closure.get(base, ()):
                    by_module.setdefault(name, set()).add(('drivers', path))
        for plugin, cls in self.plugins.items():
            for name in closure.get(cls.__module__, ()):
                by_module.setdefault(name, set()).add(('plugins', plugin))
        for row in rows:
            for owners in row['places'].values():
                for item in sorted(owners['drivers']):
                    if not item.startswith('@'):
                        continue
                    owners['drivers'].discard(item)
                    found = by_module.get(item[1:], ())
                    if not found:
                        owners['any'] = True
                    for kind, name in found:
                        owners[kind].add(name)
