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

"""Find out the source and the target release of the upgrade."""

import importlib.machinery
import importlib.metadata
import os
import sys
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases


class Known(NamedTuple):
    """What is known before source and target are resolved."""

    stage: model.Stage
    source: Optional[releases.Build]
    """The value of the option source_release; None when it is not set."""

    target: Optional[releases.Build]
    """The value of the option target_release; None when it is not set."""

    installed: Optional[releases.Build]
    """The manila that is installed here; None for none. The release of an
    unknown version is None."""

    at_revision: tuple[releases.Release, ...]
    """The releases that have the revision of the database, oldest first."""

    empty: bool
    """Whether the database exists and is empty."""

    every: tuple[releases.Release, ...]
    """The releases that the catalog covers, oldest first."""

    vendor_path: Optional[releases.Upgrade] = None
    """The value of the option vendor_path; None when it is not set."""

    def leads(
        self, source: releases.Release, target: releases.Release
    ) -> bool:
        """Say whether an upgrade between the releases in one step is valid."""
        return (
            target in releases.next_hops(source)
            or releases.Upgrade(source, target) == self.vendor_path
        )


class Resolution(NamedTuple):
    """The source and the target of the upgrade, and how they are known."""

    upgrade: releases.Upgrade

    source_origin: str
    """'database', 'option', 'package' or 'assumed'."""

    target_origin: str
    """'option', 'package', 'database' or 'assumed'."""

    known: Known
    """The evidence for them."""

    @property
    def target_assumed(self) -> bool:
        """Say whether the target is only assumed."""
        return self.target_origin == 'assumed'

    @property
    def origins(self) -> tuple[str, str]:
        """How source and target are known, for the report.

        It is 'shared' instead of 'database' if several releases have the
        revision and nothing tells which of them it is.
        """
        source, target = self.source_origin, self.target_origin
        if self.alike:
            source, target = (
                'shared' if origin == 'database' else origin
                for origin in (source, target)
            )
        return source, target

    @property
    def first_install(self) -> bool:
        """Say whether there is nothing to upgrade from."""
        return _first_install(self.known)

    @property
    def installed_as(self) -> str:
        """What the installed manila is: 'source', 'target' or '' (neither)."""
        source, target = self.upgrade.source, self.upgrade.target
        release = _release(self.known.installed)
        if release == target and (
            source != target
            or self.first_install
            or self.known.stage is model.Stage.UPGRADED
            or _is_newer(self.known.installed, self.known.source)
        ):
            return 'target'
        return 'source' if release == source else ''

    @property
    def source_build(self) -> Optional[releases.Build]:
        """The build that runs now; None when only its release is known."""
        return self._build('source', self.known.source)

    @property
    def target_build(self) -> Optional[releases.Build]:
        """The target build; None when only its release is known."""
        return self._build('target', self.known.target)

    def _build(
        self, side: str, stated: Optional[releases.Build]
    ) -> Optional[releases.Build]:
        if stated is not None and stated.numbers:
            return stated
        return self.known.installed if self.installed_as == side else None

    @property
    def alike(self) -> tuple[releases.Release, ...]:
        """The releases that the database may be of, if there are several.

        They have the same revision, and nothing tells which of them it is.
        """
        known = self.known
        stated = {_release(known.installed)}
        if self.target_origin != 'database':
            stated.add(_release(known.source))
        if (
            'database' not in (self.source_origin, self.target_origin)
            or len(known.at_revision) < 2
            or stated.intersection(known.at_revision)
        ):
            return ()
        return known.at_revision


def installed() -> Optional[releases.Build]:
    """Return the manila that is installed here; None when there is none.

    It is found by the metadata of the package; manila itself is never
    imported. If the metadata is unusable, or there are two versions, the
    release of the build is None: it is not known which manila would run.
    """
    found: dict[str, None] = {}
    for package in importlib.metadata.distributions(name='manila'):
        try:
            versions = package.metadata.get_all('Version') or []
        except (AttributeError, KeyError, TypeError, ValueError, OSError):
            # The exception for damaged metadata depends on the version of
            # Python.
            versions = []
        place = os.path.realpath(str(package.locate_file('')))
        for version in versions or ['']:
            found[version or f'without a version in {place}'] = None
    if not found:
        # importlib.util.find_spec() would return what is in sys.modules.
        spec = importlib.machinery.PathFinder.find_spec('manila')
        if spec is None or spec.origin is None:
            return None
        found[f'without metadata at {spec.origin}'] = None
    if len(found) > 1:
        return releases.Build(' and '.join(sorted(found)), None)
    return releases.build(*found)


def running_python() -> tuple[int, int]:
    """Return the version of the Python that runs this: (3, 11)."""
    return sys.version_info[0], sys.version_info[1]


def resolve(known: Known) -> Resolution:
    """Resolve source and target.

    :raises UsageError: when the target is not known: the installed manila is
        of an unknown release, or the source is the newest known release.
    """
    stated = _release(known.target)
    installed = _release(known.installed)
    if known.installed is not None and installed is None and stated is None:
        raise exceptions.UsageError(
            f'manila {known.installed.text} is installed here, but this '
            f'manila-precheck knows only {releases.known_range()}; pass '
            '--target-release RELEASE, or upgrade manila-precheck'
        )
    if _first_install(known):
        target, target_origin = _first_known(
            (stated, 'option'),
            (installed, 'package'),
            (known.every[-1], 'assumed'),
        )
        return Resolution(
            releases.Upgrade(target, target),
            target_origin,
            target_origin,
            known,
        )
    source, source_origin = _source(known)
    migrated = known.stage is model.Stage.UPGRADED and known.at_revision
    newer = installed is not None and (
        source is None
        or installed > source
        or _is_newer(known.installed, known.source)
    )
    base = source or known.every[-2]
    target, target_origin = _first_known(
        (stated, 'option'),
        (
            _one_of(known.at_revision, installed) if migrated else None,
            'database',
        ),
        (installed if newer else None, 'package'),
        (releases.following(base), 'assumed'),
        # This is so in manila-status of the newest release, after db sync.
        (installed if installed == base else None, 'assumed'),
    )
    if source is None:
        source, source_origin = _assumed_source(known, target), 'assumed'
    return Resolution(
        releases.Upgrade(source, target), source_origin, target_origin, known
    )


def _release(
    build: Optional[releases.Build],
) -> Optional[releases.Release]:
    return None if build is None else build.release


def _is_newer(
    installed: Optional[releases.Build], stated: Optional[releases.Build]
) -> bool:
    """Say whether the installed build is later than one of an option.

    Both are of the same release: the installed build is then the target of an
    update within the release.
    """
    return (
        stated is not None
        and installed is not None
        and stated.release == installed.release
        and bool(stated.numbers)
        and installed.order > stated.order
    )


def _first_install(known: Known) -> bool:
    # An operator who names a source release has a database somewhere.
    return known.empty and known.source is None


def _one_of(
    at_revision: tuple[releases.Release, ...],
    *candidates: Optional[releases.Release],
) -> releases.Release:
    """Return one of the releases that have the revision of the database.

    :param candidates: from other evidence, the most certain first. If none of
        them has the revision, the newest release that has it is returned.
    """
    for release in candidates:
        if release is not None and release in at_revision:
            return release
    return at_revision[-1]


def _assumed_source(
    known: Known, target: releases.Release
) -> releases.Release:
    """Return the earliest release from which an upgrade to a target is valid.

    Such an upgrade crosses the most releases, so no problem is missed.
    """
    earlier = [
        release for release in known.every if known.leads(release, target)
    ]
    return earlier[0] if earlier else target


def _source(known: Known) -> tuple[Optional[releases.Release], str]:
    """Return the release that runs now and how that is known.

    The revision of the database takes precedence, but only until
    ``manila-manage db sync`` has run: then it is that of the target.
    """
    target, at_revision = _release(known.target), known.at_revision
    stated, installed = _release(known.source), _release(known.installed)
    upgraded = known.stage is model.Stage.UPGRADED
    migrated = (
        upgraded
        if target is None or not at_revision
        else target in at_revision
    )
    beyond = target is not None and releases.is_beyond(target)
    if beyond and stated != target and not upgraded:
        # Until its first migration is merged, master has the revision of the
        # previous release.
        before = tuple(one for one in at_revision if one != target)
        if before:
            return _one_of(before, stated, installed), 'database'
    if at_revision and not migrated:
        fitting = [
            release
            for release in at_revision
            if target is not None and known.leads(release, target)
        ]
        return (
            _one_of(at_revision, stated, installed, *fitting[-1:]),
            'database',
        )
    if stated is not None:
        return stated, 'option'
    if migrated and at_revision and not upgraded:
        assert target is not None
        earlier = installed in at_revision and installed < target
        return (installed if earlier else target), 'database'
    if (
        installed is not None
        and not upgraded
        and (target is None or installed < target)
    ):
        return installed, 'package'
    return None, 'assumed'


def _first_known(
    *candidates: tuple[Optional[releases.Release], str],
) -> tuple[releases.Release, str]:
    for release, origin in candidates:
        if release is not None:
            return release, origin
    raise exceptions.UsageError(
        'the target release is not known: this manila-precheck knows only '
        f'{releases.known_range()}; pass --target-release RELEASE, or '
        'upgrade manila-precheck'
    )
