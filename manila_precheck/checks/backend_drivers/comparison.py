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

"""Whether a back end's storage meets the requirements of the matrix."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import enum
from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import requirements
from manila_precheck.catalog import support
from manila_precheck.catalog import versions
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.checks.backend_drivers import inventory


class VersionResult(enum.IntEnum):
    """How a declared version compares with a documented one, worst last."""

    MET = 0
    NEWER = 1
    NOT_COMPARED = 2
    OLDER = 3
    REFUSED = 4


class Asked(NamedTuple):
    """The rows of the matrix for the driver of one back end."""

    now: Optional[requirements.Support]
    """The row for the target; None if there is none."""

    before: Optional[requirements.Support]
    """The row for the source."""

    matrix: support.Matrix

    @property
    def storage(self) -> tuple[requirements.Storage, ...]:
        """Return the storage requirements of the target."""
        return self.now.storage if self.now is not None else ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the sources of the target's row."""
        return self.now.sources if self.now is not None else ()

    def names(self, item: requirements.Storage) -> Mapping[str, str]:
        """Return the named versions of the storage system."""
        return self.matrix.system(item.system).names

    def systems(
        self, items: Iterable[requirements.Storage]
    ) -> list[requirements.System]:
        """Return the storage systems of some requirements, each once."""
        names = dict.fromkeys(item.system for item in items)
        return [self.matrix.system(name) for name in names]

    def was(
        self, item: requirements.Storage
    ) -> Optional[requirements.Storage]:
        """Return the source's requirement on the same system, if any."""
        for other in self.before.storage if self.before is not None else ():
            if (other.system, other.feature) == (item.system, item.feature):
                return other
        return None

    def rises(self, item: requirements.Storage) -> bool:
        """Say whether the target requires a newer version than the source."""
        was = self.was(item)
        if was is None or not was.minimum or not item.minimum:
            return False
        order = versions.compare(item.minimum, was.minimum, self.names(item))
        return order == 1

    def says(
        self, one: backend.BackEnd, items: Sequence[requirements.Storage]
    ) -> str:
        """Return, in brackets, what the source required, and the origin."""
        before = [self.was(item) for item in items]
        changed = [
            was.words
            for was, item in zip(before, items)
            if was is not None and was.words != item.words
        ]
        text = f' ({one.source}: {" and ".join(changed)})' if changed else ''
        assert self.now is not None
        return text + backend.says(self.now)


class Compared(NamedTuple):
    """One requirement, and how a declared version compares with it."""

    item: requirements.Storage
    result: VersionResult


def worst(
    one: backend.BackEnd, asked: Asked, declared: inventory.Declared
) -> Optional[Compared]:
    """Return the requirement with the worst result; None if all are met."""
    items = [
        item
        for item in asked.storage
        if item.system.lower() == declared.system.lower()
    ]
    features = {name.lower() for name in declared.features}
    # If all requirements on a system are for features, declaring the system
    # means that its features are used.
    always = all(item.feature for item in items)
    compared = [
        Compared(item, _compare(item, declared.version, asked.names(item)))
        for item in items
        if always
        or not item.feature
        or item.feature.lower() in features
        or (item.option and one.asks(item.option))
    ]
    found = max(compared, key=lambda each: each.result)
    return found if found.result is not VersionResult.MET else None


def _compare(
    item: requirements.Storage, version: str, names: Mapping[str, str]
) -> VersionResult:
    if item.refused_below:
        order = versions.compare(version, item.refused_below, names)
        if order is not None and order < 0:
            return VersionResult.REFUSED
    if item.tested and versions.within(version, item.tested, names):
        return VersionResult.MET
    order = versions.compare(version, item.minimum or item.tested, names)
    if order is None:
        return VersionResult.NOT_COMPARED
    if order < 0:
        return VersionResult.OLDER
    return (
        VersionResult.NEWER if item.tested and order > 0 else VersionResult.MET
    )
