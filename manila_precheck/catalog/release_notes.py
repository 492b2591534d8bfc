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

"""A list of manila's release notes, and how this package covers each.

The file data/release_notes.json is written by hand. It has a row for every
section ``upgrade``, ``deprecations``, ``security`` and ``critical`` (and
``upgrades``, which some notes have although reno does not know it) that came
after 12.0.0, and for other sections from which an advisory was made::

    {
     "note": "NAME-UID",            the file in releasenotes/notes
     "section": "upgrade",
     "since": ["20.0.1", "21.0.0"], the first build of each series that has
                                    it, up to the first of a whole series
     "served_by": [...]
    }

A note is covered by one or more of::

    {"advisory": "ID"}                   an advisory, of either check
    {"check": "ID", "facts": ["..."]}    a check, because the catalog has these
                                         facts for the release and not for the
                                         one before
    {"reason": "..."}                    why no operator has to know it

The header lists the packages whose notes were read. tools/release_notes.py
compares the file with them.
"""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from manila_precheck import releases
from manila_precheck.catalog import history

FORMAT = 1

KIND = 'release_notes'

#: The sections that an operator has to read before an upgrade.
SECTIONS = ('critical', 'deprecations', 'security', 'upgrade', 'upgrades')


class Served(NamedTuple):
    """How a note is covered."""

    by: str
    """'advisory', 'check' or 'reason'."""

    name: str
    """The id of the advisory or the check, or the reason."""

    facts: tuple[str, ...] = ()
    """The facts that the check uses: 'SECTION/OPTION', 'OPTION' of a back
    end, a driver or plugin, a section of api-paste.ini, 'requires-python'."""


class Note(NamedTuple):
    """A section of a release note."""

    name: str
    """The name of its file, without '.yaml'."""

    section: str
    """'upgrade', 'security' and so on."""

    since: tuple[releases.Release, ...]
    """The first build of each series that has it, oldest first."""

    served_by: tuple[Served, ...]
    """How it is covered; at least one item."""

    @property
    def release(self) -> releases.Release:
        """Return the release or build from which on all have the note."""
        return self.since[-1]

    @property
    def backports(self) -> tuple[releases.Release, ...]:
        """Return the builds of earlier series that have it, too."""
        return self.since[:-1]


def load() -> tuple[Note, ...]:
    """Read the file of the package, sorted by note and section.

    :raises CatalogError: when it is missing, damaged or of another format.
    """
    return decode(history.read(KIND))


def decode(text: str) -> tuple[Note, ...]:
    """Return the notes in a file.

    :param text: the content of release_notes.json.
    :raises CatalogError: when it is damaged or of another format.
    """
    return history.decode(KIND, text, FORMAT, 'notes', _note)


def _note(row: Mapping[str, Any]) -> Note:
    return Note(
        row['note'],
        row['section'],
        tuple(map(_release, row['since'])),
        tuple(map(_served, row['served_by'])),
    )


def _release(version: str) -> releases.Release:
    """Return a release; with its build unless that is the series' first."""
    release = releases.parse(version)
    first = releases.final_versions(release)[0].version
    return release if version == first else release.of_build(version)


def _served(row: Mapping[str, Any]) -> Served:
    for by in ('advisory', 'check', 'reason'):
        if by in row:
            return Served(by, row[by], tuple(row.get('facts', ())))
    raise ValueError(f'nothing serves a note by {sorted(row)}')
