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
"""The upgrades that are tried with real releases, and their environments.

    python -m qa.hops

prints the major versions of manila that they need, those of the newest SLURP
releases first.
"""

from collections.abc import Sequence

from manila_precheck import releases


def among(
    known: Sequence[releases.Release],
) -> tuple[tuple[str, str], ...]:
    """Return the hops among some releases to try, oldest first.

    They are those from each SLURP release to the next one, to the newest SLURP
    release from the release just before it, and to the newest release of all,
    unless that is a SLURP release.

    :param known: the releases, oldest first.
    :returns: (source, target), by name.
    """
    slurp = [release for release in known if release.slurp]
    hops = list(zip(slurp, slurp[1:]))
    newest = known.index(slurp[-1])
    hops.append((known[newest - 1], known[newest]))
    hops.extend(zip(known[newest:], known[newest + 1 :]))
    return tuple((source.name, target.name) for source, target in hops)


HOPS = among(releases.RELEASES)

#: The SLURP releases and the newest, by name, oldest first.
RELEASES = tuple(
    release.name
    for release in releases.RELEASES
    if release.slurp or release == releases.RELEASES[-1]
)

#: The targets of the upgrades, by name, oldest first.
TARGETS = RELEASES[1:]

#: The most common upgrade: to the newest SLURP release.
MOST_COMMON = next(
    hop
    for hop in reversed(HOPS)
    if all(releases.parse(name).slurp for name in hop)
)


def majors() -> list[int]:
    """Return the major version of each release of a hop."""
    found = {releases.parse(name) for hop in HOPS for name in hop}
    return [
        release.major
        for release in sorted(
            found, key=lambda release: (not release.slurp, -release.major)
        )
    ]


if __name__ == '__main__':
    print(*majors(), sep='\n')
