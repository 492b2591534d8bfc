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
and the code of each release; an operator and the packages of vendors may add
rows (:mod:`manila_precheck.catalog.matrix_format`). A driver without a row
asks for nothing that its documentation names.
"""

from collections.abc import Sequence
import json
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import history
from manila_precheck.catalog import matrix_format
from manila_precheck.catalog.requirements import Support
from manila_precheck.catalog.requirements import System

KIND = 'support_matrix'


class MatrixPart(NamedTuple):
    """What one document says."""

    rows: tuple[Support, ...]
    systems: dict[str, System]


class Matrix:
    """Several documents as one.

    For a driver in a release the row of the first document that has one
    counts, whole: rows are not mixed.

    :param parts: the documents, the one that counts first in front.
    """

    def __init__(self, parts: Sequence[MatrixPart]) -> None:
        self._parts = tuple(parts)

    def find(
        self, driver: str, release: releases.Release
    ) -> Optional[Support]:
        """Return what a driver asks for in a release; None: nothing is known.

        :param driver: a class path, or 'emc:unity' for a plugin.
        """
        major = releases.nearest(release).major
        for row in self.of(driver):
            if major in row.majors:
                return row
        return None

    def of(self, driver: str) -> tuple[Support, ...]:
        """Return every row of a driver, those that count first in front."""
        return tuple(
            row
            for part in self._parts
            for row in part.rows
            if row.driver == driver
        )

    def system(self, name: str) -> System:
        """Return what is known of a storage system, whatever the case."""
        for part in self._parts:
            for known, system in part.systems.items():
                if known.lower() == name.lower():
                    return system
        return System(name, {})


def load() -> MatrixPart:
    """Read the matrix of the package, sorted by driver and release.

    :raises CatalogError: when the file is missing, damaged or of another
        format.
    """
    return read(history.read(KIND))


def read(text: str) -> MatrixPart:
    """Return what the file of the package says.

    :param text: the content of support_matrix.json.
    :raises CatalogError: when it is no such file of this format.
    """
    try:
        return MatrixPart(*matrix_format.decode(json.loads(text)))
    except (ValueError, matrix_format.NotAMatrix) as exc:
        raise exceptions.CatalogError(
            f'the catalog file of {KIND} is damaged ({exc}); reinstall '
            'manila-precheck'
        ) from exc
