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
histories (:mod:`manila_precheck.catalog.history`). Ranges of releases are
written as there, in the tables that stand in code too, whose header is READ.
"""

from collections.abc import Callable
from collections.abc import Mapping
import json
from typing import Any
from typing import TypeVar

from manila_precheck import exceptions
from manila_precheck import releases

T = TypeVar('T')

#: The packages of manila whose code the tables in code were read from, by
#: major: a range that is open ("12-") holds up to the newest of them.
READ = {
    12: '12.1.2',
    13: '13.2.0',
    14: '14.2.0',
    15: '15.4.1',
    16: '16.3.0',
    17: '17.4.0',
    18: '18.3.0',
    19: '19.1.1',
    20: '20.0.3',
    21: '21.0.3',
    22: '22.0.2',
    23: '23.0.1',
}


def check(release: releases.Release) -> None:
    """Raise CatalogError unless the code of a release has been read."""
    if release.major not in READ:
        raise exceptions.CatalogError(
            f'the tables written by hand do not cover manila {release.major} '
            f'({release.name}); upgrade manila-precheck'
        )


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
