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

"""Manila releases, their order, and what an upgrade between two crosses."""

import dataclasses
import functools
import re
from typing import Optional

from manila_precheck import exceptions


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Release:
    """One OpenStack release, as manila knows it."""

    name: str
    """The series: '2025.1'; before 2023.1 the code name: 'zed'."""

    major: int
    """Manila's major version: 20 for 2025.1."""

    code_name: str
    """The word that goes with the series: 'Epoxy'."""

    slurp: bool
    """True when operators may skip from this release to the next SLURP."""

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Release):
            return NotImplemented
        return self.major < other.major

    def __str__(self) -> str:
        return self.name


# Names and order: https://releases.openstack.org; majors: the tags of
# openstack/manila. 2023.1 was the first SLURP release, then every other one.
RELEASES = (
    Release('wallaby', 12, 'Wallaby', False),
    Release('xena', 13, 'Xena', False),
    Release('yoga', 14, 'Yoga', False),
    Release('zed', 15, 'Zed', False),
    Release('2023.1', 16, 'Antelope', True),
    Release('2023.2', 17, 'Bobcat', False),
    Release('2024.1', 18, 'Caracal', True),
    Release('2024.2', 19, 'Dalmatian', False),
    Release('2025.1', 20, 'Epoxy', True),
    Release('2025.2', 21, 'Flamingo', False),
    Release('2026.1', 22, 'Gazpacho', True),
    Release('2026.2', 23, 'Hibiscus', False),
)

# A version of a package: of Python (20.0.3.dev5+g1a2b3c), of Debian with an
# epoch and a revision (1:20.0.3-0ubuntu1~cloud0), of RPM (20.0.3-1.el9_4).
_VERSION = re.compile(r'(?:[0-9]+:)?([0-9]+)(?:[.~+-][0-9a-z_]+)*')
_BY_MAJOR = {release.major: release for release in RELEASES}
_BY_WORD = {
    word.lower(): release
    for release in RELEASES
    for word in (release.name, release.code_name)
}


def from_major(major: int) -> Release:
    """Return the release that has this major version of manila.

    :param major: 12 to 23.
    :raises UsageError: when no known release has it.
    """
    try:
        return _BY_MAJOR[major]
    except KeyError:
        raise exceptions.UsageError(
            f'manila {major} is not a release that this version knows '
            f'({RELEASES[0].major} to {RELEASES[-1].major})'
        ) from None


def parse(text: str) -> Release:
    """Return the release that an operator means.

    :param text: a series ('2025.1'), a code name in any case ('epoxy') or
        a version of manila or of its package ('20', '20.0.3',
        '1:20.0.3-0ubuntu1').
    :raises UsageError: when it names no known release.
    """
    word = text.strip().lower()
    if word in _BY_WORD:
        return _BY_WORD[word]
    version = _VERSION.fullmatch(word)
    if version and int(version.group(1)) in _BY_MAJOR:
        return _BY_MAJOR[int(version.group(1))]
    known = ', '.join(release.name for release in RELEASES)
    raise exceptions.UnknownName('release', text, _BY_WORD, f'known: {known}')


def following(release: Release) -> Optional[Release]:
    """Return the release after this one; None after the newest known."""
    return _BY_MAJOR.get(release.major + 1)


@dataclasses.dataclass(frozen=True)
class Upgrade:
    """From the release that runs to the release it is going to."""

    source: Release
    """What the operator runs now."""

    target: Release
    """What the operator is going to; equal to source on a first install."""

    def crosses(self, release: Release) -> bool:
        """Say whether the upgrade brings what this release introduced."""
        return self.source < release <= self.target

    @property
    def steps(self) -> tuple[Release, ...]:
        """Every release that the upgrade brings, in order."""
        return tuple(r for r in RELEASES if self.crosses(r))

    @property
    def supported(self) -> bool:
        """Say whether OpenStack supports this hop.

        To the next release, or from a SLURP release to the next SLURP
        (https://governance.openstack.org/tc/resolutions/
        20220210-release-cadence-adjustment.html).
        """
        return self.target in next_hops(self.source)


def next_hops(source: Release) -> tuple[Release, ...]:
    """Return the releases that an operator may upgrade to, nearest first."""
    hops = []
    following_one = following(source)
    if following_one is not None:
        hops.append(following_one)
    if source.slurp:
        hops.extend(
            [r for r in RELEASES if r.slurp and r > source][:1],
        )
    return tuple(hops)
