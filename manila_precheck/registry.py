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

"""Which checks and reporters there are, and which of them a run takes.

Finding an entry point imports nothing: a check's module is imported when the
check is about to run (:func:`manila_precheck.runner.load`), so what a run
does not use costs it nothing and cannot break it.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import importlib.metadata
from typing import Any
from typing import Callable
from typing import Optional

from manila_precheck import check
from manila_precheck import exceptions

CHECKS = 'manila_precheck.checks'
REPORTERS = 'manila_precheck.reporters'

_OWN_MODULES = ('manila_precheck.checks.', 'manila_precheck.reporters.')


@dataclasses.dataclass(frozen=True)
class Entry:
    """One registered plugin, not imported yet."""

    name: str
    """The name of the entry point: the id of the check."""

    origin: str
    """'module:attribute' that it points to."""

    load: Callable[[], Any] = dataclasses.field(compare=False)
    """Imports and returns it; may raise anything, or never return."""

    conflict: str = ''
    """The origin of the plugin that has the name already; '' when none."""

    @property
    def builtin(self) -> bool:
        """Say whether it is part of this package."""
        return self.origin.startswith(_OWN_MODULES)

    @property
    def result_id(self) -> str:
        """Return the id that its result has in a report.

        The name; where the name is taken, with the package behind it, so
        that every id of a report is there once.
        """
        if not self.conflict:
            return self.name
        return f'{self.name}@{self.origin.partition(":")[0]}'


def _entry_points(namespace: str) -> list[importlib.metadata.EntryPoint]:
    # Imported here so that the command can say what is wrong with it: an
    # import that fails above ends Python with 1, which means warnings.
    from stevedore import _cache
    from stevedore import named

    # NOTE: a run writes no file but the reports asked for; stevedore would
    # write its index of entry points to ~/.cache. One that is there is read.
    cache = getattr(_cache, '_c', None)
    if cache is not None:
        cache._disable_caching = True
    # A manager that is asked for no name lists all and loads none.
    manager: Any = named.NamedExtensionManager(namespace, names=[])
    return list(manager.list_entry_points())


def entries(namespace: str) -> tuple[Entry, ...]:
    """Return the plugins of a namespace, sorted by name.

    Where two have one name, the one of this package has it, else the first
    by origin; the other is returned with its ``conflict`` set.
    """
    found = sorted(
        (
            Entry(name=point.name, origin=point.value, load=point.load)
            for point in _entry_points(namespace)
        ),
        key=lambda entry: (entry.name, not entry.builtin, entry.origin),
    )
    owners: dict[str, str] = {}
    result = []
    for entry in found:
        owner = owners.setdefault(entry.name, entry.origin)
        if owner == entry.origin:
            result.append(entry)
        else:
            result.append(dataclasses.replace(entry, conflict=owner))
    return tuple(result)


def checks() -> tuple[Entry, ...]:
    """Return every registered check, sorted by id."""
    return entries(CHECKS)


def select(
    available: Sequence[Entry],
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    aliases: Optional[Callable[[Entry], Sequence[str]]] = None,
) -> tuple[Entry, ...]:
    """Return the checks of a run.

    :param available: what :func:`checks` returned.
    :param only: ids to take; empty means all of them.
    :param skip: ids to leave out.
    :param aliases: returns the earlier ids of an entry; asked only when an
        id names no entry.
    :raises UsageError: when an id is unknown, or nothing is left.
    """
    names = {entry.result_id for entry in available}
    earlier: dict[str, str] = {}

    def resolve(ids: Iterable[str]) -> set[str]:
        wanted = {check_id.strip() for check_id in ids} - {''}
        if wanted - names and aliases is not None and not earlier:
            for entry in available:
                for alias in aliases(entry):
                    earlier.setdefault(alias, entry.result_id)
        wanted = {
            name if name in names else earlier.get(name, name)
            for name in wanted
        }
        unknown = sorted(wanted - names)
        if unknown:
            raise exceptions.UnknownName(
                'check',
                unknown[0],
                sorted(names),
                '"manila-precheck check list" shows them all',
            )
        return wanted

    taken = resolve(only) or names
    left_out = resolve(skip)
    chosen = tuple(
        entry
        for entry in available
        if entry.result_id in taken and entry.result_id not in left_out
    )
    if not chosen:
        raise exceptions.UsageError('no check is left to run')
    return chosen


def load_check(entry: Entry) -> check.Check:
    """Import a check and return an instance of it.

    :raises PluginError: when its name is taken, or it is no usable check.
    :raises Exception: whatever importing the module raises.
    """
    if entry.conflict:
        raise exceptions.PluginError(
            f'the id {entry.name!r} is taken by {entry.conflict}'
        )
    return check.validate(entry.name, entry.load())()
