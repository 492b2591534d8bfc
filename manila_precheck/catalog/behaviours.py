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
"""Facts about manila's behaviour that its package does not list.

The file data/behaviours.json is written by hand. It is the only place where
the number of a release decides what manila does without a generated fact::

    {
     "behaviours": [
      {
       "name": "purge-detaches",
       "rows": [
        {"releases": "21-", "subject": "encryption_refs share_servers"}
       ],
       "says": "what a release with it does",
       "source": "manila 22.0.2 manila/db/sqlalchemy/models.py"
      }
     ],
     "format": 1,
     "releases": {"22": "22.0.2"}
    }

Ranges are those of :mod:`manila_precheck.catalog.history`: "21-" holds in
every release that the header lists, from 21 on. The header has the packages
whose sources were read; a row may have a source of its own. The subject tells
the rows of a behaviour apart.
"""

from collections.abc import Mapping
import functools
from typing import Any
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import history

KIND = 'behaviours'
FORMAT = 1


class Behaviour(NamedTuple):
    """A row of a behaviour: its subject and the releases that have it."""

    releases: str
    """As ranges: '12-13', '22-'."""

    subject: str
    """A table or a name; '' for a behaviour with only one row."""

    source: str
    """The file of a release, or the version of a library."""


class Behaviours:
    """The decoded file."""

    def __init__(self, text: str) -> None:
        """Decode the file.

        :param text: its content.
        :raises CatalogError: when it is damaged or of another format.
        """
        self.covered = frozenset(
            history.decode(KIND, text, FORMAT, 'releases', int)
        )
        self.rows: Mapping[str, tuple[Behaviour, ...]] = dict(
            history.decode(KIND, text, FORMAT, 'behaviours', _behaviour)
        )

    def subjects(
        self, name: str, release: releases.Release
    ) -> tuple[str, ...]:
        """Return the subjects of a behaviour in a release.

        A release beyond the known ones has the behaviours of the newest.

        :returns: in the order of the file; empty when the release does not
            have the behaviour.
        :raises CatalogError: when the code of the release was not read.
        """
        release = releases.nearest(release)
        if release.major not in self.covered:
            raise exceptions.CatalogError(
                'the tables written by hand do not cover manila '
                f'{release.major} ({release.name}); upgrade manila-precheck'
            )
        return tuple(
            row.subject
            for row in self.rows[name]
            if history.holds(row.releases, release.major)
        )

    def first(self, name: str) -> releases.Release:
        """Return the first release that has a behaviour."""
        return next(
            release
            for release in releases.RELEASES
            if release.major in self.covered and self.subjects(name, release)
        )


@functools.cache
def load() -> Behaviours:
    """Read the file of the package, once.

    :raises CatalogError: when it is missing, damaged or of another format.
    """
    return Behaviours(history.read(KIND))


def has(name: str, release: releases.Release, subject: str = '') -> bool:
    """Say whether a release has a behaviour.

    :param name: the name in the file: 'purge-by-table'.
    :param subject: the subject of a row; '' for a behaviour with one row.
    :raises CatalogError: when the code of the release was not read, or the
        file cannot be read.
    """
    return subject in load().subjects(name, release)


def _behaviour(row: Mapping[str, Any]) -> tuple[str, tuple[Behaviour, ...]]:
    return row['name'], tuple(
        Behaviour(
            one['releases'],
            one.get('subject', ''),
            one.get('source', row['source']),
        )
        for one in row['rows']
    )
