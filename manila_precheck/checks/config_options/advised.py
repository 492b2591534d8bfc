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

"""Lines that the target does not read and that an advisory covers.

The catalog describes the newest build of each release. An option that only an
earlier build read is in an advisory, with its replacement: upgrade-advisories
reports the line, with more details.
"""

from collections.abc import Iterator
import functools

from manila_precheck.catalog import advisories
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files


class Advised:
    """The advisories of an upgrade about options of back ends."""

    def __init__(self, both: both_releases.Sides) -> None:
        self._sides = both

    def speaks_of(self, setting: config_files.Setting) -> bool:
        """Say whether upgrade-advisories reports a line."""
        return (setting.group, setting.name) in self._told

    @functools.cached_property
    def _told(self) -> frozenset[config_files.Name]:
        return frozenset(
            (config_files.normalize(group), item.name)
            for advisory in advisories.of_check(advisories.CHECK)
            if self._sides.ctx.upgrade.crosses(
                advisory.release, *advisory.backports
            )
            for item in advisory.conditions
            if isinstance(item, advisories.OptionCondition)
            and item.word == 'option_set'
            and item.section is None
            for group in self._groups(advisory)
        )

    def _groups(self, advisory: advisories.Advisory) -> Iterator[str]:
        """Yield the sections of the back ends that an advisory is about."""
        conf, target = self._sides.conf, self._sides.target
        drivers = [
            item
            for item in advisory.conditions
            if isinstance(item, advisories.Drivers) and item.word == 'driver'
        ]
        if len(drivers) + 1 != len(advisory.conditions) or not conf.runs_share:
            # The advisory has other conditions, which are not known here.
            return
        for backend in conf.backends:
            if backend.section is not None and all(
                target.driver(backend.name) in item.names for item in drivers
            ):
                yield from (backend.name, *conf.backup_types(backend.name))
