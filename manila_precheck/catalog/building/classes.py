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

"""Classes that other options may name, by path or by a short name.

For some kinds the base class is known. For other options, a default that is a
class path is such a class, and its base class determines similar classes.
"""

import importlib
import inspect
import re

from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import sources

# Further kinds of classes that options name: the modules that define them, and
# the module and name of their base class. Not all releases have backups.
KINDS = {
    'network': ('manila.network.', 'manila.network', 'NetworkBaseAPI'),
    'scheduler': (
        'manila.scheduler.drivers.',
        'manila.scheduler.drivers.base',
        'Scheduler',
    ),
    'backup': (
        'manila.data.drivers.',
        'manila.data.backup_driver',
        'BackupDriver',
    ),
    'private_data': (
        'manila.share.drivers_private_data',
        'manila.share.drivers_private_data',
        'StorageDriver',
    ),
    'hook': ('manila.share.hooks.', 'manila.share.hook', 'HookBase'),
}


def of_kind(modules, kind):
    """Return {path: class} of one of KINDS."""
    prefix, holder, base = KINDS[kind]
    if holder not in modules:
        return {}
    return sources.subclasses_in(
        modules, prefix, modules[holder].globals[base]
    )


def named_class_facts(modules):
    """Describe the classes of KINDS, and those of the scheduler by name."""
    rows = [
        {'kind': kind, 'name': path}
        for kind in KINDS
        for path in of_kind(modules, kind)
    ]
    for kind in ('filter', 'weigher'):
        rows.extend(
            {'kind': kind, 'name': name, 'target': target.replace(':', '.')}
            for name, target in libraries.named(
                f'manila.scheduler.{kind}s'
            ).items()
        )
    moved = sources.value_in(modules, 'manila.scheduler.manager', 'MAPPING')
    rows.extend(
        {'kind': 'scheduler_moved', 'name': old, 'target': new}
        for old, new in (moved or {}).items()
    )
    return rows


# Too general: classes derived from these are not of one kind.
GENERAL_BASES = (
    'manila.db.base',
    'manila.manager',
    'manila.share.driver',
    'manila.share.configuration',
)


def class_facts(modules, options, known):
    """Describe the classes that an option names by path, and similar ones.

    :param options: the rows of the options, whose defaults may be class paths.
    :param known: the names that have another kind already.
    """
    defaults = set()
    for row in options:
        defaults |= paths_in(row.get('default'))
    found = set()
    roots = []
    for path in sorted(defaults):
        holder, _, name = path.rpartition('.')
        if path in modules:
            found |= modules_like(modules, path)
        elif holder in modules and hasattr(
            importlib.import_module(holder), name
        ):
            found.add(path)
            value = getattr(importlib.import_module(holder), name)
            if inspect.isclass(value):
                roots.append(root_of(value))
    for module in modules.values():
        if module.name.startswith('manila.tests'):
            continue
        for name in module.nodes:
            value = module.globals.get(name)
            if (
                inspect.isclass(value)
                and value.__module__ == module.name
                and not name.startswith('_')
                and (
                    any(issubclass(value, root) for root in roots)
                    or (
                        sources.holds_drivers(module.name) and 'Helper' in name
                    )
                )
            ):
                found.add(sources.dotted(value))
    return [{'kind': 'class', 'name': name} for name in sorted(found - known)]


def modules_like(modules, path):
    """Return a module, and those below it that have all its functions."""
    functions = {
        name: {
            one
            for one, value in module.globals.items()
            if inspect.isfunction(value) and not one.startswith('_')
        }
        for name, module in modules.items()
        if f'{name}.'.startswith(f'{path}.')
    }
    wanted = functions[path]
    return {path} | {name for name in functions if wanted <= functions[name]}


def paths_in(default):
    """Return the dotted paths in a default."""
    if isinstance(default, dict):
        return {path for item in default.values() for path in paths_in(item)}
    if isinstance(default, list):
        return {path for item in default for path in paths_in(item)}
    if not isinstance(default, str):
        return set()
    path = default.rpartition('=')[2]
    return {path} if re.match(r'^[a-z]\w*(\.\w+)+$', path) else set()


def root_of(cls):
    """Return the most general base class of manila that is specific enough."""
    found = cls
    for base in cls.__mro__:
        if (
            sources.is_read(base.__module__)
            and base.__module__ not in GENERAL_BASES
        ):
            found = base
    return found
