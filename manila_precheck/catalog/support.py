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

"""The support matrix: what storage and which libraries a driver asks for.

The file data/support_matrix.json is written by hand, from the documentation
and the code of each release: a driver, or a plugin of EMCShareDriver
('emc:unity'), the releases of which it holds, what they name, and where. A
driver without a row asks for nothing that its documentation names.
"""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.catalog import handwritten
from manila_precheck.catalog import history

FORMAT = 1

KIND = 'support_matrix'


class Support(NamedTuple):
    """What one driver asks for in a range of releases."""

    driver: str
    """A class path, or 'emc:unity' for a plugin."""

    majors: frozenset[int]
    """The major versions of manila in which it holds."""

    sources: tuple[str, ...]
    """The files of manila that say so."""

    supports: str = ''
    """The storage and its version: 'OneFS 9.10 or newer'; '' none named."""

    modules: tuple[str, ...] = ()
    """The Python modules that manila does not bring along, sorted."""


def load() -> tuple[Support, ...]:
    """Read the matrix of the package, sorted by driver and release.

    :raises CatalogError: when the file is missing, damaged or of another
        format.
    """
    return decode(history.read(KIND))


def decode(text: str) -> tuple[Support, ...]:
    """Return the rows that a file holds.

    :param text: the content of support_matrix.json.
    :raises CatalogError: when it is no such file of this format.
    """
    return handwritten.decode(KIND, text, FORMAT, 'rows', _support)


def _support(row: Mapping[str, Any]) -> Support:
    return Support(
        row['driver'],
        history.majors(row['releases']),
        tuple(row['sources']),
        row.get('supports', ''),
        tuple(row.get('modules', ())),
    )


def find(
    rows: tuple[Support, ...], driver: str, release: releases.Release
) -> Optional[Support]:
    """Return what a driver asks for in a release; None: nothing is named.

    :param driver: a class path, or 'emc:unity' for a plugin.
    """
    for row in rows:
        if row.driver == driver and release.major in row.majors:
            return row
    return None
