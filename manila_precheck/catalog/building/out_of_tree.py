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

"""The packages of drivers and plugins that are installed beside manila.

Packages with entry points that manila loads, or that list options and policies
for it, are found automatically; others are named on the command line.
"""

import importlib.metadata
import importlib.util
import os
import pkgutil
import re

from manila_precheck.catalog import building

# Groups of entry points that all projects use: a package in them may belong to
# manila, or to a Nova on the same host.
SHARED_GROUPS = ('oslo.config.opts', 'oslo.policy.policies')
# This program registers no options in manila's services.
NOT_READ = ('manila', 'manila-precheck')
IMPORTS_MANILA = re.compile(rb'^\s*(?:from|import)\s+manila[\s.,]', re.M)


def importable():
    """Return the top-level names of all that can be imported here."""
    # Without directories that have no modules: they need not be packages.
    names = {info.name for info in pkgutil.iter_modules()}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            # A namespace package of several distributions has no module.
            if file.suffix in ('.py', '.so') and len(file.parts) > 1:
                names.add(file.parts[0])
    return sorted(name for name in names if name.isidentifier())


def module_of(point):
    """Return the module of an entry point."""
    return re.split(r'[:\s\[]', point.value, maxsplit=1)[0]


def announced():
    """Return the packages whose entry points show that they use manila."""
    found = set()
    for distribution in importlib.metadata.distributions():
        name = str(distribution.metadata['Name'] or '')
        if re.sub('[-_.]+', '-', name).lower() in NOT_READ:
            continue
        for point in distribution.entry_points:
            package = outermost(module_of(point))
            if package is None or package in found:
                continue
            if point.group.startswith('manila.') or (
                point.group in SHARED_GROUPS
                and (requires_manila(distribution) or imports_manila(package))
            ):
                found.add(package)
    return found


def outermost(module):
    """Return the outermost package of a module; None when there is none.

    A namespace package of several distributions does not count.
    """
    parts = module.split('.')
    for count in range(1, len(parts) + 1):
        name = '.'.join(parts[:count])
        spec = spec_of(name)
        if spec is None:
            return None
        if spec.origin is not None:
            return name
    return None


def spec_of(name):
    """Return the spec of a module; None if it is missing or fails."""
    try:
        return importlib.util.find_spec(name)
    except (Exception, SystemExit):
        return None


def requires_manila(distribution):
    return any(
        re.match(r'manila(?![\w.-])', line)
        for line in distribution.requires or ()
    )


def imports_manila(package):
    """Say whether the source of a package imports manila."""
    spec = spec_of(package)
    folders = spec.submodule_search_locations
    paths = (
        [spec.origin]
        if folders is None
        else (
            os.path.join(folder, name)
            for top in folders
            for folder, _, names in os.walk(top)
            for name in names
        )
    )
    for path in paths:
        if path.endswith('.py'):
            try:
                with open(path, 'rb') as stream:
                    if IMPORTS_MANILA.search(stream.read()):
                        return True
            except OSError:
                continue
    return False


def packages(words):
    """Return the names of the packages to be read beside manila, sorted.

    :param words: the packages of the command line, by import name or by
        distribution. A missing one is reported.
    """
    found = announced()
    for word in words:
        names = named(word)
        if not names:
            building.cannot_import(
                word, ModuleNotFoundError(f'No package named {word!r}')
            )
        found.update(names)
    found = {name for name in found if name.partition('.')[0] != 'manila'}
    # A package inside another one is read with it.
    return sorted(
        name
        for name in found
        if not any(name.startswith(other + '.') for other in found)
    )


def named(word):
    """Return the packages for an import name or a distribution."""
    if spec_of(word) is not None:
        return [word]
    try:
        distribution = importlib.metadata.distribution(word)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    # setuptools writes this file for editable installations, too; other tools
    # do not write it.
    tops = set((distribution.read_text('top_level.txt') or '').split()) or {
        str(file).replace(os.sep, '/').partition('/')[0].partition('.')[0]
        for file in distribution.files or ()
        if str(file).endswith('.py') and not str(file).startswith('.')
    }
    return sorted(name for name in tops if spec_of(name) is not None)
