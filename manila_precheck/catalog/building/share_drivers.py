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

"""The values of share_driver and emc_share_backend, and the modes of each.

Drivers are found by their base class, Dell EMC's plugins by their entry
points. Modes, deprecations and replacements are read from the source.
"""

import ast
import importlib
import re

from manila_precheck.catalog import building
from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import sources

EMC = 'manila.share.drivers.dell_emc.driver'
EMC_PLUGINS = 'manila.share.drivers.dell_emc.plugins'
NETAPP = 'manila.share.drivers.netapp.common'


def find(modules):
    """Return every class that share_driver may name, and their bases."""
    base = importlib.import_module('manila.share.driver').ShareDriver
    found = sources.subclasses_in(
        modules, (sources.DRIVERS, sources.TESTS), base
    )
    bases = {
        sources.dotted(base)
        for cls in found.values()
        for base in cls.__mro__[1:]
    }
    unified = sources.value_in(modules, NETAPP, 'NetAppDriver')
    if unified is not None:
        found[sources.dotted(unified)] = unified
    return found, bases


def modes_of_class(cls, modules):
    """Return the modes that a driver passes to ShareDriver.__init__()."""
    for base in cls.__mro__:
        module = modules.get(base.__module__)
        if module is None or base.__module__ in sources.SHARED_MODULES:
            return None
        node = module.nodes.get(base.__name__)
        if node is None:
            continue
        init = [
            item
            for item in node.body
            if isinstance(item, ast.FunctionDef) and item.name == '__init__'
        ]
        if not init:
            continue
        for call in ast.walk(init[0]):
            if (
                isinstance(call, ast.Call)
                and getattr(call.func, 'attr', '') == '__init__'
            ):
                candidates = list(call.args[:2]) + [
                    keyword.value
                    for keyword in call.keywords
                    if keyword.arg == 'driver_handles_share_servers'
                ]
                for node in candidates:
                    modes = literal_modes(node)
                    if modes:
                        return modes
    return None


def literal_modes(node):
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError):
        return None
    if isinstance(value, bool):
        return [value]
    if (
        isinstance(value, (list, tuple, set))
        and value
        and all(isinstance(item, bool) for item in value)
    ):
        return sorted(value)
    return None


def emc_plugins():
    """Return {name: class} of the values of emc_share_backend."""
    plugins = {}
    for name, target in libraries.named(EMC_PLUGINS).items():
        module, _, attr = target.partition(':')
        try:
            plugins[name] = getattr(importlib.import_module(module), attr)
        except Exception as exc:
            building.say(f'plugin {name}: {type(exc).__name__}: {exc}')
    return plugins


def plugin_modes(cls, modules):
    """Return driver_handles_share_servers of a Dell EMC plugin."""
    for base in cls.__mro__:
        module = modules.get(base.__module__)
        node = module and module.nodes.get(base.__name__)
        if not node:
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Assign) and any(
                getattr(target, 'attr', '') == 'driver_handles_share_servers'
                for target in part.targets
            ):
                modes = literal_modes(part.value)
                if modes:
                    return modes
    return None


def says_deprecated(module, scope):
    """Say whether the code logs that the driver itself is deprecated."""
    node = module.nodes[scope]
    choices = {
        id(call)
        for part in ast.walk(node)
        if isinstance(part, ast.If) and isinstance(part.test, ast.Compare)
        for call in ast.walk(part)
    }
    for call in ast.walk(node):
        if id(call) in choices:
            continue
        if isinstance(call, ast.Call) and getattr(call.func, 'attr', '') in (
            'warning',
            'warn',
            'report_deprecated_feature',
        ):
            text = ' '.join(
                part.value
                for part in ast.walk(call)
                if isinstance(part, ast.Constant)
                and isinstance(part.value, str)
            )
            if re.search(r'driver (has been|is) deprecated', text):
                return True
    return False


def netapp_families(modules):
    """Return the drivers of NetAppDriver: {mode: path} of each family."""
    name = 'NETAPP_UNIFIED_DRIVER_REGISTRY'
    return (sources.value_in(modules, NETAPP, name) or {}).values()


def netapp_built(modules):
    """Return the classes that only NetAppDriver itself creates."""
    return {path for one in netapp_families(modules) for path in one.values()}


def netapp_modes(modules):
    servers = sources.value_in(modules, NETAPP, 'MULTI_SVM')
    return sorted(
        {mode == servers for one in netapp_families(modules) for mode in one}
    )


def emc_code(modules):
    """Yield every node of the driver that loads Dell EMC's plugins."""
    return ast.walk(modules[EMC].tree) if EMC in modules else ()


def plugin_deprecated(name, modules):
    """Say whether the EMC driver logs that this plugin is deprecated."""
    for part in emc_code(modules):
        if not (
            isinstance(part, ast.If) and isinstance(part.test, ast.Compare)
        ):
            continue
        words = [
            item.value
            for item in ast.walk(part.test)
            if isinstance(item, ast.Constant)
        ]
        text = ' '.join(
            item.value
            for statement in part.body
            for item in ast.walk(statement)
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
        if name in words and 'deprecated' in text:
            return True
    return False


def emc_aliases(modules):
    """Return the values of emc_share_backend that the driver replaces."""
    found = {}
    for part in emc_code(modules):
        if not (
            isinstance(part, ast.If)
            and isinstance(part.test, ast.Compare)
            and getattr(part.test.left, 'attr', '') == 'backend_name'
        ):
            continue
        (old,) = [
            item.value
            for item in ast.walk(part.test)
            if isinstance(item, ast.Constant)
        ]
        for statement in part.body:
            if (
                isinstance(statement, ast.Assign)
                and getattr(statement.targets[0], 'attr', '') == 'backend_name'
                and isinstance(statement.value, ast.Constant)
            ):
                found[old] = statement.value.value
    return found


def share_driver_facts(modules):
    """Describe the values of share_driver and emc_share_backend."""
    rows = []

    def add(kind, name, **facts):
        row = {'kind': kind, 'name': name}
        row.update(
            {
                key: value
                for key, value in facts.items()
                if value not in (None, [], {}, False)
            }
        )
        rows.append(row)

    classes, bases = find(modules)
    built = netapp_built(modules)
    for path, cls in classes.items():
        modes = modes_of_class(cls, modules)
        internal = path in built or (path in bases and modes is None)
        if path.endswith('.netapp.common.NetAppDriver'):
            modes = netapp_modes(modules)
        add(
            'share',
            path,
            modes=modes,
            internal=internal,
            deprecated=says_deprecated(modules[cls.__module__], cls.__name__),
        )
    moved = sources.value_in(modules, 'manila.share.manager', 'MAPPING')
    for old, new in (moved or {}).items():
        add('share_moved', old, target=new)
    targets = libraries.named(EMC_PLUGINS)
    for name, cls in emc_plugins().items():
        add(
            'emc_plugin',
            name,
            target=targets[name].replace(':', '.'),
            modes=plugin_modes(cls, modules),
            deprecated=plugin_deprecated(name, modules),
        )
    for old, new in emc_aliases(modules).items():
        add('emc_alias', old, target=new, deprecated=True)
    return rows
