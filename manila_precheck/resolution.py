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

"""Which upgrade a run is about, and how that is known."""

import dataclasses
import importlib.metadata
import sys
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases


@dataclasses.dataclass(frozen=True)
class Resolution:
    """Which upgrade it is, and how that is known."""

    upgrade: releases.Upgrade

    source_origin: str
    """'database', 'option', 'package' or 'assumed'."""

    target_origin: str
    """'option', 'package' or 'assumed'."""

    stated_source: Optional[releases.Release] = None
    """What the option source_release says; None when it is not set."""

    first_install: bool = False
    """True when the database is there and empty."""

    @property
    def target_assumed(self) -> bool:
        """Say whether nobody named the target."""
        return self.target_origin == 'assumed'


def installed_version() -> Optional[str]:
    """Return the version of the manila that is installed here.

    From the metadata of the package; manila itself is never imported.
    None when it is not installed.
    """
    try:
        return importlib.metadata.version('manila')
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_release() -> Optional[releases.Release]:
    """Return the release of the manila that is installed here.

    None when it is not installed, or of a release that is not known.
    """
    return release_of(installed_version())


def release_of(version: Optional[str]) -> Optional[releases.Release]:
    """Return the release that a version of manila is of.

    :param version: as the metadata of the package has it; None for none.
    :returns: None also when it is of a release that is not known.
    """
    try:
        return releases.parse(version) if version else None
    except exceptions.UsageError:
        return None


def running_python() -> tuple[int, int]:
    """Return the version of the Python that runs this: (3, 11)."""
    return sys.version_info[0], sys.version_info[1]


class Known(NamedTuple):
    """What there is to tell it by."""

    stage: model.Stage
    source: Optional[releases.Release]
    """What the option source_release says; None when it is not set."""

    target: Optional[releases.Release]
    """What the option target_release says; None when it is not set."""

    installed: Optional[releases.Release]
    """Of the manila that is installed here; None for none."""

    at_revision: tuple[releases.Release, ...]
    """Those that have the revision of the database, oldest first."""

    first_install: bool
    """The database is there and empty."""

    every: tuple[releases.Release, ...]
    """All that the catalog knows, oldest first."""


def resolve(known: Known) -> Resolution:
    """Return which upgrade it is."""
    if known.first_install:
        target, target_origin = _first_known(
            (known.target, 'option'),
            (known.installed, 'package'),
            (known.every[-1], 'assumed'),
        )
        return Resolution(
            releases.Upgrade(target, target),
            target_origin,
            target_origin,
            first_install=True,
        )
    source, source_origin = _source(known)
    migrated = known.stage is model.Stage.UPGRADED and known.at_revision
    newer = known.installed is not None and (
        source is None or known.installed > source
    )
    base = source or known.every[-2]
    target, target_origin = _first_known(
        (known.target, 'option'),
        (known.at_revision[-1] if migrated else None, 'database'),
        (known.installed if newer else None, 'package'),
        (releases.following(base) or base, 'assumed'),
    )
    if source is None:
        source, source_origin = _assumed_source(known.every, target), 'assumed'
    return Resolution(
        releases.Upgrade(source, target),
        source_origin,
        target_origin,
        known.source,
    )


def _assumed_source(
    every: tuple[releases.Release, ...], target: releases.Release
) -> releases.Release:
    """Return the earliest release from which one may go to a target.

    It crosses the most, so that nothing is left out for want of a word.
    """
    earlier = [
        release for release in every if target in releases.next_hops(release)
    ]
    return earlier[0] if earlier else target


def _source(known: Known) -> tuple[Optional[releases.Release], str]:
    """Return the release that runs now and how that is known.

    The revision of the database comes first, but it says where the upgrade
    came from only until ``manila-manage db sync`` has run.
    """
    target, at_revision = known.target, known.at_revision
    upgraded = known.stage is model.Stage.UPGRADED
    migrated = (
        upgraded
        if target is None or not at_revision
        else target in at_revision
    )
    if at_revision and not migrated:
        for one in (known.source, known.installed):
            if one in at_revision:
                return one, 'database'
        fitting = [
            release
            for release in at_revision
            if target in releases.next_hops(release)
        ]
        return (fitting or list(at_revision))[-1], 'database'
    if known.source is not None:
        return known.source, 'option'
    if migrated and at_revision and not upgraded:
        return at_revision[-1], 'database'
    if (
        known.installed is not None
        and not upgraded
        and (target is None or known.installed < target)
    ):
        return known.installed, 'package'
    return None, 'assumed'


def _first_known(
    *candidates: tuple[Optional[releases.Release], str],
) -> tuple[releases.Release, str]:
    return next((r, origin) for r, origin in candidates if r is not None)
