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
"""Limit the known releases for a test."""

import fixtures

from manila_precheck import releases


class KnownUpTo(fixtures.Fixture):
    """Make a release the newest one that is known.

    It is for tests of the behaviour for the newest release and for later ones:
    they remain valid when a release is added.

    :param newest: the name of the release.
    """

    def __init__(self, newest: str) -> None:
        super().__init__()
        self._newest = releases.parse(newest)

    def _setUp(self) -> None:
        for name, known in (
            (
                'RELEASES',
                tuple(r for r in releases.RELEASES if r <= self._newest),
            ),
            ('_BY_MAJOR', self._without_later(releases._BY_MAJOR)),
            ('_BY_WORD', self._without_later(releases._BY_WORD)),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(f'manila_precheck.releases.{name}', known)
            )

    def _without_later(self, known):
        return {
            word: release
            for word, release in known.items()
            if release <= self._newest
        }
