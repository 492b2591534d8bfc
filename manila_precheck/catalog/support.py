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

"""The support matrix: the storage and the libraries that a driver requires.

The file data/support_matrix.json is written by hand, from the documentation
and the code of each release; an operator and the packages of vendors may add
rows (:mod:`manila_precheck.catalog.matrix_format`). If a driver has no row,
its documentation names no requirements.
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
    """The contents of one document."""

    rows: tuple[Support, ...]
    systems: dict[str, System]


class Matrix:
    """Several documents as one.

    For a driver in a release only the row of the first document that has one
    counts; rows are not merged.

    :param parts: the documents in order of precedence.
    """

    def __init__(self, parts: Sequence[MatrixPart]) -> None:
        self._parts = tuple(parts)

    def find(
        self, driver: str, release: releases.Release
    ) -> Optional[Support]:
        """Return a driver's requirements in a release; None: none are known.

        :param driver: a class path, or 'emc:unity' for a plugin.
        """
        major = releases.nearest(release).major
        for row in self.of(driver):
            if major in row.majors:
                return row
        return None

    def of(self, driver: str) -> tuple[Support, ...]:
        """Return every row of a driver, in order of precedence."""
        return tuple(
            row
            for part in self._parts
            for row in part.rows
            if row.driver == driver
        )

    def system(self, name: str) -> System:
        """Return a storage system; its name is compared without case."""
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
    """Return the contents of the package's file.

    :param text: the content of support_matrix.json.
    :raises CatalogError: when it is damaged or of another format.
    """
    try:
        return MatrixPart(*matrix_format.decode(json.loads(text)))
    except (ValueError, matrix_format.NotAMatrix) as exc:
        raise exceptions.CatalogError(
            f'the catalog file of {KIND} is damaged ({exc}); reinstall '
            'manila-precheck'
        ) from exc
