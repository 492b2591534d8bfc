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

"""The code that api-paste.ini names, and the releases that have it."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import functools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader

# The results of loading code without settings that are not the name of an
# error (catalog/building/paste_factories.py).
LOADS = 'loads'
SETTINGS = 'settings'


def spec(text: str) -> str:
    """Return 'module:attribute' of the code that a section names."""
    scheme, _, rest = text.partition(':')
    return ''.join((rest if scheme == 'call' else text).split())


def of_manila(name: str) -> bool:
    """Say whether code belongs to manila itself."""
    return name.startswith(('manila.', 'manila:', 'egg:manila#'))


def of_sections(sections: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Return the code that sections of the catalog name."""
    return frozenset(
        spec(text)
        for keys in sections
        for name, text in keys.items()
        if name == 'use' or name.startswith('paste.')
    )


def of_file(file: paste.PasteFile) -> frozenset[str]:
    """Return the code that a file names."""
    return frozenset(
        spec(section.factory.text)
        for section in file.sections
        if section.factory is not None
    )


class KnownFactories:
    """What the catalog knows about the code that one release can load."""

    def __init__(
        self, facts: catalog.Catalog, release: releases.Release
    ) -> None:
        """Read the facts of a release.

        :raises CatalogError: when the catalog does not cover the release.
        """
        self._facts = facts.factories(release)
        self._installs = functools.partial(facts.installs, release)
        self._told = facts.importable(release) is not None
        self._needed = facts.requirements(release)

    def has(self, name: str) -> bool:
        """Say whether the release has some code, even if it does not load."""
        return paste_loader.as_in_catalog(name) in self._facts.ways

    def loads(self, name: str, way: str) -> bool:
        """Say whether code is known to load in a way.

        :param way: the key of the section: 'paste.filter_factory'.
        """
        known = paste_loader.as_in_catalog(name)
        return self._facts.ways.get(known, {}).get(way) == LOADS

    def error(self, name: str, ways: Sequence[str]) -> str:
        """Return the error that loading some code raises.

        :param name: 'module:attribute' or 'egg:package#name'.
        :param ways: the keys that may name it; the first for which a result is
            known counts.
        :returns: the name of the error, with the prefix 'request ' if it loads
            and every request raises the error; '' if it loads, or if nothing
            says that it does not.
        """
        known = self._facts.ways.get(paste_loader.as_in_catalog(name))
        if known is not None:
            found = [known[way] for way in ways if way in known]
            if not found and name.startswith('egg:'):
                return 'LookupError'
            good = not found or found[0] in (LOADS, SETTINGS)
            return '' if good else found[0]
        if name.startswith('egg:'):
            gone = self._told or _distribution(name) in self._facts.eggs
            return 'LookupError' if gone else ''
        return self._missing(*name.partition(':')[::2])

    def _missing(self, module: str, attribute: str) -> str:
        """Return the error for code that was not tried; '' if unknown."""
        modules = self._facts.modules
        parts = module.split('.')
        for count in range(1, len(parts) + 1):
            if modules.get('.'.join(parts[:count]), ()) is None:
                return ''
        names = modules.get(module)
        if names is not None:
            first, _, rest = attribute.partition('.')
            # Of the attributes of a class, the catalog has only factories.
            gone = first not in names or 'factory' in rest
            return 'AttributeError' if gone else ''
        gone = parts[0] in self._facts.packages
        gone |= self._installs(module) is False
        return 'ModuleNotFoundError' if gone else ''

    def comes_along(self, name: str) -> bool:
        """Say whether code belongs to the release or to its dependencies."""
        if name.startswith('config:'):
            return False
        if self._told:
            # error() has already reported what the build does not have.
            return True
        if name.startswith('egg:'):
            return _distribution(name) in self._needed
        module = name.partition(':')[0].partition('.')[0]
        return paste_loader.package_name(module) in self._needed


def _distribution(name: str) -> str:
    """Return the distribution in 'egg:package#name', by its name on PyPI."""
    known = paste_loader.as_in_catalog(name)
    return known.partition('#')[0][len('egg:') :]
