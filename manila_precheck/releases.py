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

"""Manila releases, their order, and the releases that an upgrade crosses."""

from collections.abc import Iterable
from collections.abc import Iterator
import functools
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions


@functools.total_ordering
class Release:
    """One OpenStack release of manila.

    Two objects are equal when they are the same release, whatever the build.
    """

    def __init__(
        self,
        name: str,
        major: int,
        code_name: str,
        slurp: bool,
        build: str = '',
    ) -> None:
        #: The series: '2025.1'; before 2023.1 the code name: 'zed'. In an
        #: update between two builds of one release, the build: '20.0.1'.
        self.name = name
        #: Manila's major version: 20 for 2025.1.
        self.major = major
        #: The code name of the series: 'Epoxy'.
        self.code_name = code_name
        #: True when operators may skip from this release to the next SLURP.
        self.slurp = slurp
        #: The version of the build whose facts are used: '20.0.1', or
        #: '20.0.1 of FILE' when they come from a file; '' for the build that
        #: the catalog covers.
        self.build = build

    def of_build(self, build: str, name: str = '') -> 'Release':
        """Return the same release with a build.

        :param name: its new name; '' keeps the name.
        """
        return Release(
            name or self.name, self.major, self.code_name, self.slurp, build
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Release) and self.major == other.major

    def __hash__(self) -> int:
        return hash(self.major)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Release):
            return NotImplemented
        return self.major < other.major

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f'Release({self.name!r}, {self.major}, build={self.build!r})'


# Names and order: https://releases.openstack.org; majors: the tags of
# openstack/manila. 2023.1 was the first SLURP release; every second one since
# is one.
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

# The final versions of each release: the tags of openstack/manila that are on
# PyPI. Each line is complete up to its last version, which the catalog covers.
_FINAL_VERSIONS = """
12.0.0 12.1.0 12.1.1 12.1.2
13.0.0 13.0.1 13.0.2 13.0.3 13.0.4 13.1.0 13.2.0
14.0.0 14.0.1 14.1.0 14.1.1 14.2.0
15.0.0 15.1.0 15.2.0 15.3.0 15.4.0 15.4.1
16.0.0 16.1.0 16.2.0 16.2.1 16.3.0
17.0.0 17.1.0 17.2.0 17.3.0 17.3.1 17.4.0
18.0.0 18.0.1 18.1.0 18.2.0 18.2.1 18.3.0
19.0.0 19.0.1 19.1.0 19.1.1
20.0.0 20.0.1 20.0.2 20.0.3
21.0.0 21.0.1 21.0.2 21.0.3
22.0.0 22.0.1 22.0.2
23.0.0 23.0.1
"""

# The upstream release of each Red Hat OpenStack Platform, and of Red Hat
# OpenStack Services on OpenShift (https://access.redhat.com/support/policy/
# updates/openstack/platform). Their numbers differ from those of manila.
_RED_HAT = {
    '13': 'queens',
    '14': 'rocky',
    '15': 'stein',
    '16': 'train',
    '17': 'wallaby',
    '18': '2023.1',
}
_RED_HAT_NUMBER = re.compile(
    r'(?:rhos[op]?|osp)?[ _-]?(1[3-8])\.[0-9](?:\.[0-9]+)?', re.ASCII
)

# The version of a package: Python (20.0.3.dev5+g1a2b3c), Debian with an epoch
# and a revision (1:20.0.3-0ubuntu1~cloud0), or RPM (20.0.3-1.el9_4).
_VERSION = re.compile(
    r'(?P<epoch>[0-9]+[:!])?'
    r'(?P<numbers>[0-9]+(?:\.[0-9]+)*)'
    r'(?P<early>(?:[._~-]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)[0-9]*)*)'
    r'(?P<rest>(?:[.~+^_-]+[0-9a-z]+)*)',
    re.ASCII,
)
_BY_MAJOR = {release.major: release for release in RELEASES}
_BY_WORD = {
    word.lower(): release
    for release in RELEASES
    for word in (release.name, release.code_name)
}


class Build(NamedTuple):
    """A build of manila, read from the version of a package or an option."""

    text: str
    """The version as written: '1:22.0.2-0ubuntu1~cloud0'."""

    release: Optional[Release]
    """The release that it is a build of; None when that is not known."""

    numbers: tuple[int, ...] = ()
    """The numbers of the upstream version: (22, 0, 2); empty when the text
    names a whole release, or is not a version of manila."""

    early: str = ''
    """The suffix of a version that is not final: 'rc1', '.dev7'; mostly
    ''."""

    plain: bool = False
    """True when the text is just a final upstream version: without the
    revision of a distribution, without a local part."""

    @property
    def version(self) -> Optional[str]:
        """The upstream version: '22.0.2', '22.0.0.0rc1'; None for none."""
        numbers = '.'.join(map(str, self.numbers))
        return f'{numbers}{self.early}' if numbers else None

    @property
    def order(self) -> tuple[tuple[int, ...], bool]:
        """The sort key of builds: a version that is not final comes first.

        Suffixes of distributions are ignored.
        """
        numbers = self.numbers
        while numbers and not numbers[-1]:
            numbers = numbers[:-1]
        return numbers, not self.early

    @property
    def too_new(self) -> bool:
        """Whether its release is newer than all that this version knows."""
        return bool(self.numbers) and self.numbers[0] > RELEASES[-1].major

    def is_version(self, version: str) -> bool:
        """Say whether it is exactly the upstream build of a version."""
        return self.plain and self.order == build(version).order


@functools.lru_cache(maxsize=4096)
def build(text: str) -> Build:
    """Parse the version of a package of manila.

    :param text: '22.0.2', '22.0.0.0rc1', '22.1.0-18.20260801.el9ost'.
    :returns: the build; its release is None when the text is not a version,
        or that of an unknown release.
    """
    found = _VERSION.fullmatch(text.strip().lower())
    if found is None:
        return Build(text, None)
    numbers = tuple(map(int, found['numbers'].split('.')))
    if numbers[0] > 999:
        # A year or a date, not a version.
        return Build(text, None)
    more = found['epoch'] or found['early'] or found['rest']
    return Build(
        text,
        _BY_MAJOR.get(numbers[0]),
        numbers,
        re.sub('[._~-]', '', found['early']).replace('dev', '.dev'),
        not more,
    )


def known_range() -> str:
    """Return the range of the known releases, for a message."""
    first, last = RELEASES[0], RELEASES[-1]
    return f'manila {first.major} ({first}) to {last.major} ({last})'


def from_major(major: int) -> Release:
    """Return the release with this major version of manila.

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
    """Return the release that an operator named.

    :param text: as for :func:`named`.
    :raises UsageError: when it names no known release.
    """
    release = named(text).release
    assert release is not None
    return release


def named(text: str) -> Build:
    """Return the build or the release that an operator named.

    :param text: a series ('2025.1'), a code name in any case ('epoxy'), the
        major version of manila ('20') or the version of manila or of its
        package ('20.0.3', '1:20.0.3-0ubuntu1').
    :returns: the build; without numbers when the text names a whole release.
    :raises UsageError: when it names no known release, or is not a version
        that manila ever had, such as '17.1'.
    """
    word = text.strip().lower()
    if word in _BY_WORD:
        return Build(text, _BY_WORD[word])
    found = build(text)
    if found.release is None or not _was_released(found):
        raise _unknown(text, found)
    return found if len(found.numbers) > 1 else Build(text, found.release)


def _was_released(one: Build) -> bool:
    """Say whether manila may have released this version.

    Its versions have three numbers. Packages are also built between two
    versions, and newer ones than the known ones will be released.
    """
    if len(one.numbers) < 3:
        return len(one.numbers) == 1 and one.plain
    if not one.plain:
        return True
    assert one.release is not None
    finals = final_versions(one.release)
    return one.order > finals[-1].order or any(
        one.order == version.order for version in finals
    )


@functools.cache
def final_versions(release: Release) -> tuple[Build, ...]:
    """Return the final versions of a release, oldest first.

    :returns: from the first to the one that the catalog covers.
    """
    return tuple(
        version
        for version in map(build, _FINAL_VERSIONS.split())
        if version.release == release
    )


def _unknown(text: str, found: Build) -> exceptions.UsageError:
    """Return the error for a text that names no known release."""
    vendor = _RED_HAT_NUMBER.fullmatch(text.strip().lower())
    hint = ''
    if vendor is not None:
        hint = (
            '; as a number of Red Hat OpenStack it is '
            f'{_RED_HAT[vendor[1]]} upstream'
        )
    if len(found.numbers) > 2 and found.release is not None:
        why = f'manila {found.version} was never released{hint}'
    elif vendor is not None or found.release is not None:
        why = f'a version of manila has three numbers{hint}'
    elif found.numbers:
        which = 'newer' if found.too_new else 'older'
        why = f'it is {which} than what this manila-precheck knows'
        if found.too_new:
            why += '; upgrade manila-precheck'
    else:
        known = ', '.join(release.name for release in RELEASES)
        return exceptions.UnknownName(
            'release', text, _BY_WORD, f'known: {known}'
        )
    return exceptions.UsageError(
        f'unknown release {text!r}: {why}; known: {known_range()}'
    )


def at(major: int) -> Release:
    """Return the release of a major version, also of a future one.

    A future release is computed: there are two a year, the first is a SLURP
    release, and each has its own major version of manila.

    :param major: 12 or more; a release beyond RELEASES has no code name.
    """
    if major in _BY_MAJOR:
        return _BY_MAJOR[major]
    newest = RELEASES[-1]
    year, half = map(int, newest.name.split('.'))
    years, second = divmod(half - 1 + major - newest.major, 2)
    name = f'{year + years}.{second + 1}'
    return Release(name, major, name, not second)


def is_beyond(release: Release) -> bool:
    """Say whether a release is newer than those that this version knows."""
    return release > RELEASES[-1]


def nearest(release: Release) -> Release:
    """Return the release, or the newest known one if it is newer than that."""
    return RELEASES[-1] if is_beyond(release) else release


def known_by(release: Release, found: Build) -> Build:
    """Return a build with its release, if only a file of facts knows that.

    :param release: the release that the file of facts describes.
    :param found: any build; a build of another release is returned as it is.
    """
    if found.too_new and found.numbers[0] == release.major:
        return found._replace(release=at(release.major))
    return found


def following(release: Release) -> Optional[Release]:
    """Return the release after this one; None after the newest known."""
    return _BY_MAJOR.get(release.major + 1)


class Upgrade(NamedTuple):
    """An upgrade from a source release to a target release."""

    source: Release
    """The release that runs now."""

    target: Release
    """The release to upgrade to; equal to source on a first install, and in
    an update to another build of the same release."""

    def __str__(self) -> str:
        return f'{self.source} to {self.target}'

    @property
    def same(self) -> bool:
        """Say whether source and target are the same build."""
        return (
            self.source == self.target
            and self.source.build == self.target.build
        )

    def crosses(self, release: Release, *backports: Release) -> bool:
        """Say whether the upgrade brings a change that a release introduced.

        If a later build of a release introduced it and builds are not known,
        a source of that release lacks the change and a target has it: the
        facts about the target are those of its last build.

        :param release: the release that introduced the change; with a build,
            if it was not its first.
        :param backports: builds of earlier releases that have it too.
        """
        source, target = self._brought(release, backports)
        if self.same or _before(*target):
            return False
        known = self.source.build or not source[1].build
        return _before(*source) or (self.source == source[1] and not known)

    def loses(self, release: Release, *backports: Release) -> bool:
        """Say whether the source has a change that the target lacks.

        A late build of an earlier release may have a backport that an early
        build of a later release lacks. If the build of the source is not
        known, the answer is False.

        :param release: as for :meth:`crosses`.
        :param backports: as for :meth:`crosses`.
        """
        source, target = self._brought(release, backports)
        return (
            bool(self.source.build)
            and not _before(*source)
            and _before(*target)
        )

    def _brought(
        self, release: Release, backports: Iterable[Release]
    ) -> Iterator[tuple[Release, Release]]:
        """Yield source and target, each with the build that has the change.

        That is the backport of the same release, if there is one.
        """
        for side in self:
            yield (
                side,
                next((one for one in backports if one == side), release),
            )

    @property
    def steps(self) -> tuple[Release, ...]:
        """The releases after the source, up to the target, in order."""
        return tuple(
            map(at, range(self.source.major + 1, self.target.major + 1))
        )

    @property
    def supported(self) -> bool:
        """Say whether OpenStack supports this upgrade.

        It supports an upgrade to the next release, and from a SLURP release
        to the next SLURP release
        (https://governance.openstack.org/tc/resolutions/
        20220210-release-cadence-adjustment.html).
        """
        return self.target in next_hops(self.source)


def _before(side: Release, release: Release) -> bool:
    """Say whether a side of the upgrade is older than a release or build."""
    if side != release:
        return side < release
    if not (side.build and release.build):
        return False
    # The build may be '20.0.1 of FILE'.
    version = side.build.partition(' ')[0]
    return build(version).order < build(release.build).order


def next_hops(source: Release) -> tuple[Release, ...]:
    """Return the releases to which OpenStack supports an upgrade, in order.

    They include releases newer than the known ones, which a file of facts may
    describe.
    """
    hops = [at(source.major + 1)]
    if source.slurp:
        # Every other release is a SLURP release.
        hops.append(at(source.major + 2))
    return tuple(hops)
