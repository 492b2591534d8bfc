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

"""Read the files of the catalog that are written by hand.

Each is an object with a ``format`` and a list of rows; the generated ones are
histories (:mod:`manila_precheck.catalog.history`).
"""

from collections.abc import Callable
from collections.abc import Mapping
import json
from typing import Any
from typing import TypeVar

from manila_precheck import exceptions

T = TypeVar('T')


def decode(
    kind: str,
    text: str,
    version: int,
    key: str,
    make: Callable[[Mapping[str, Any]], T],
) -> tuple[T, ...]:
    """Return the rows that a file holds.

    :param kind: the name of the file, without its ending.
    :param text: its content.
    :param version: the format that is understood.
    :param key: under which the rows are.
    :param make: turns one row into what it stands for.
    :raises CatalogError: when it is no such file of this format.
    """
    fix = 'reinstall manila-precheck'
    try:
        document = json.loads(text)
        found = document['format']
        rows = document[key] if found == version else []
        read = tuple(make(row) for row in rows)
    except (
        AttributeError,
        ValueError,
        KeyError,
        TypeError,
        exceptions.UsageError,
    ) as exc:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} is damaged ({exc}); {fix}'
        ) from exc
    if found != version:
        raise exceptions.CatalogError(
            f'the catalog file of {kind} has format {found!r}, this version '
            f'reads {version}; {fix}'
        )
    return read
