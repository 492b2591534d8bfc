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

"""The code that api-paste.ini names, and which release has it."""

from collections.abc import Iterable
from collections.abc import Mapping

from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.evidence import paste


def spec(text: str) -> str:
    """Return 'module:attribute' of what a section names."""
    scheme, _, rest = text.partition(':')
    return ''.join((rest if scheme == 'call' else text).split())


def of_manila(name: str) -> bool:
    """Say whether code is of manila itself."""
    return name.startswith(('manila.', 'manila:', 'egg:manila#'))


def of_sections(sections: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Return the code that sections name, those of the catalog."""
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


def has(name: str, release: releases.Release) -> bool:
    """Say whether a release has code that no shipped file names.

    :raises CatalogError: when nobody has read the code of the release.
    """
    return behaviours.has('api-paste-factory', release, name)
