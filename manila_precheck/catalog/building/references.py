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

"""References between classes and modules, by the names in their source.

They lead from a driver to the classes that it creates, and so to the sites
that run when it is created; and from a module to those that it imports.
"""

import ast
import inspect
import re

from manila_precheck.catalog.building import sources


class References:
    """The classes of manila to which a class refers by names in its code."""

    def __init__(self, modules):
        self.modules = modules
        self.edges = {}

    def reach(self, starts):
        seen = set()
        todo = list(starts)
        while todo:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            todo.extend(self.out(item))
        return seen

    def out(self, item):
        if item not in self.edges:
            self.edges[item] = self._out(*item)
        return self.edges[item]

    def _out(self, module_name, name):
        module = self.modules.get(module_name)
        if module is None:
            return set()
        node = module.nodes.get(name)
        if node is None:
            value = module.globals.get(name)
            return self.strings(value, module)
        found = set()
        # The bases of a driver are found by their names, too.
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                found |= self.named(module, part.id)
            elif isinstance(part, ast.Attribute) and isinstance(
                part.value, (ast.Name, ast.Attribute)
            ):
                holder = module.evaluate(part.value)
                if inspect.ismodule(holder):
                    found |= self.target(holder.__name__, part.attr)
            elif isinstance(part, ast.Constant) and isinstance(
                part.value, str
            ):
                found |= self.strings(part.value, module)
        return found

    def named(self, module, name):
        if name in module.nodes:
            return {(module.name, name)}
        value = module.globals.get(name)
        if inspect.isclass(value) or inspect.isfunction(value):
            return self.target(value.__module__, value.__name__)
        if isinstance(value, (dict, list, tuple, str)):
            return {(module.name, name)}
        return set()

    def target(self, module_name, name):
        if not sources.holds_drivers(module_name):
            return set()
        module = self.modules.get(module_name)
        if module is None:
            return set()
        if name in module.nodes:
            return {(module_name, name)}
        value = module.globals.get(name)
        if inspect.isclass(value) and value.__module__ != module_name:
            return self.target(value.__module__, value.__name__)
        if isinstance(value, (dict, list, tuple, str)):
            return {(module_name, name)}
        return set()

    def strings(self, value, module):
        """Follow dotted class paths, absolute or relative to the package."""
        found = set()
        if hasattr(value, 'dest') and hasattr(value, 'default'):
            # An option whose default is a class to load. share_driver is
            # excluded, because it may name any driver.
            if value.dest != 'share_driver':
                found |= self.strings(value.default, module)
        elif isinstance(value, dict):
            for item in value.values():
                found |= self.strings(item, module)
        elif isinstance(value, (list, tuple)):
            for item in value:
                found |= self.strings(item, module)
        elif isinstance(value, str) and re.match(r'^[\w.=]+\.\w+$', value):
            path = value.split('=')[-1]
            package = (
                module.name
                if module.name + '.' in str(list(self.modules))
                else module.name.rpartition('.')[0]
            )
            for prefix in (
                '',
                package + '.',
                module.name.rpartition('.')[0] + '.',
            ):
                holder, _, name = (prefix + path).rpartition('.')
                if holder in self.modules:
                    found |= self.target(holder, name)
        return found


def sites_of_driver(cls, all_sites, references):
    """Return the sites that run when the driver is created."""
    chain = sources.bases_of(cls)
    starts = [item for item in chain if item[0] not in sources.SHARED_MODULES]
    reached = references.reach(starts) | set(chain)
    return [site for site in all_sites if (site.module, site.scope) in reached]


def import_closure(modules):
    """Return {module of drivers: the driver modules that it imports}."""
    direct = {}
    for module in modules.values():
        if not (
            sources.holds_drivers(module.name)
            or module.name.startswith(sources.TESTS)
        ):
            continue
        found = set()
        for part in ast.walk(module.tree):
            names = []
            if isinstance(part, ast.Import):
                names = [alias.name for alias in part.names]
            elif isinstance(part, ast.ImportFrom) and part.module:
                names = [part.module] + [
                    f'{part.module}.{alias.name}' for alias in part.names
                ]
            elif (
                isinstance(part, ast.Constant)
                and isinstance(part.value, str)
                and re.match(r'^[\w.]+\.\w+$', part.value)
            ):
                # A class to load, by its full path or within the package.
                package = module.globals.get('__package__') or ''
                names = [part.value, f'{package}.{part.value}']
            for name in names:
                while sources.holds_drivers(name + '.'):
                    if name in modules:
                        found.add(name)
                    name = name.rpartition('.')[0]
        name = module.name.rpartition('.')[0]
        while sources.holds_drivers(name):
            found.add(name)
            name = name.rpartition('.')[0]
        direct[module.name] = found
    closure = {}
    for name in direct:
        seen, todo = set(), [name]
        while todo:
            item = todo.pop()
            if item not in seen:
                seen.add(item)
                todo.extend(direct.get(item, ()))
        closure[name] = seen
    return closure
