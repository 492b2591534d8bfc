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

"""Find the registered checks and reporters, and select those of a run.

Finding an entry point imports nothing: the module of a check is imported when
the check is about to run (:func:`runner.load`), so a plugin that a run does
not use costs no time and cannot break it.

The checks and reporters of this package are listed here, so that damaged or
forged metadata cannot hide one. Those of other packages are read from the
metadata of the installed packages. No cache is used: that of stevedore is in a
directory that other users may write to.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import importlib.metadata
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import NoReturn
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.engine import check

CHECKS = 'manila_precheck.checks'
REPORTERS = 'manila_precheck.reporters'

#: The entry points of this package, as setup.cfg has them.
BUILTIN = {
    CHECKS: {
        check_id: 'manila_precheck.checks.{}.check:{}'.format(
            check_id.replace('-', '_'),
            ''.join(word.capitalize() for word in check_id.split('-')),
        )
        for check_id in (
            'api-paste',
            'backend-drivers',
            'backends-in-use',
            'config-options',
            'database-backup',
            'database-sessions',
            'in-flight-operations',
            'installed-packages',
            'live-services',
            'local-changes',
            'manila-status',
            'pending-migrations',
            'policy-rules',
            'release-notes',
            'running-config',
            'running-migrations',
            'schema-revision',
            'service-connections',
            'service-files',
            'service-startup',
            'share-types',
            'soft-deleted-rows',
            'unusable-rows',
            'upgrade-advisories',
            'upgrade-path',
        )
    },
    REPORTERS: {
        name: f'manila_precheck.reporters.{target}'
        for name, target in (
            ('html', 'html_report:HtmlReporter'),
            ('json', 'json_report:JsonReporter'),
            ('junit', 'junit:JunitReporter'),
            ('markdown', 'markdown:MarkdownReporter'),
            ('openmetrics', 'openmetrics:OpenmetricsReporter'),
            ('sarif', 'sarif:SarifReporter'),
            ('table', 'table:TableReporter'),
            (
                'upgradecheck-json',
                'upgradecheck_json:UpgradecheckJsonReporter',
            ),
        )
    },
}

# The beginning of the names of both namespaces.
_NAMESPACES = 'manila_precheck.'

# The exceptions that importlib.metadata raises for damaged metadata, which
# differ between versions of Python, or for a package that is being removed.
_DAMAGED = (OSError, ValueError, LookupError, AttributeError, TypeError)


class Plugin(NamedTuple):
    """One registered plugin, which is not imported yet."""

    name: str
    """The name of the entry point: the id of the check."""

    origin: str
    """The object that it refers to: 'module:attribute'."""

    load: Callable[[], Any]
    """Imports and returns it; may raise anything, or never return."""

    conflict: str = ''
    """The origin of another plugin that already has the name; '' for none."""

    builtin: bool = False
    """Whether it is part of this package."""

    @property
    def result_id(self) -> str:
        """Return the id that its result has in a report.

        It is the name; if another plugin has the name, the module follows, so
        that ids are unique in a report.
        """
        if not self.conflict:
            return self.name
        return f'{self.name}@{self.origin.partition(":")[0]}'


def _point(namespace: str, name: str, origin: str) -> Plugin:
    def load() -> Any:
        return importlib.metadata.EntryPoint(name, origin, namespace).load()

    builtin = BUILTIN.get(namespace, {}).get(name) == origin
    return Plugin(name, origin, load, builtin=builtin)


def _damaged(package: str, reason: str) -> Plugin:
    """Return an entry for a package whose entry points cannot be read."""

    def load() -> NoReturn:
        raise exceptions.PluginError(
            f'the entry points of package {package} are damaged: {reason}'
        )

    return Plugin(package, f'{package}:entry_points.txt', load)


def _package(distribution: importlib.metadata.Distribution) -> str:
    try:
        return distribution.metadata['Name'] or 'unnamed-package'
    except _DAMAGED:
        return 'unnamed-package'


def _of_distribution(
    namespace: str, distribution: importlib.metadata.Distribution
) -> Iterator[Plugin]:
    try:
        text = distribution.read_text('entry_points.txt') or ''
    except UnicodeDecodeError as exc:
        if _NAMESPACES.encode() in exc.object:
            yield _damaged(_package(distribution), 'they are not UTF-8')
        return
    except _DAMAGED:
        # It is not known whether the unreadable package has any plugin.
        return
    if _NAMESPACES not in text:
        return
    section = ''
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith('[') and line.endswith(']'):
            section = line[1:-1].strip()
        if section != namespace or not line or line[0] in '[#;':
            continue
        name, _, origin = (part.strip() for part in line.partition('='))
        if name and origin:
            yield _point(namespace, name, origin)
        else:
            yield _damaged(
                _package(distribution), f'line {number} is {line!r}'
            )


def _found(namespace: str) -> Iterator[Plugin]:
    for name, origin in BUILTIN.get(namespace, {}).items():
        yield _point(namespace, name, origin)
    for distribution in importlib.metadata.distributions():
        yield from _of_distribution(namespace, distribution)


def entries(namespace: str) -> tuple[Plugin, ...]:
    """Return the plugins of a namespace, sorted by name.

    If two have the same name, it belongs to the one of this package, else to
    the first by origin; the other has its ``conflict`` set. A package with
    damaged metadata gives one entry, named after the package, that does not
    load.
    """
    found = sorted(
        _found(namespace),
        key=lambda entry: (entry.name, not entry.builtin, entry.origin),
    )
    owners: dict[str, str] = {}
    result: dict[tuple[str, str], Plugin] = {}
    for entry in found:
        owner = owners.setdefault(entry.name, entry.origin)
        if owner != entry.origin:
            entry = entry._replace(conflict=owner)
        # A package may be found several times, by different entries of
        # sys.path.
        result.setdefault((entry.name, entry.origin), entry)
    return tuple(result.values())


def checks() -> tuple[Plugin, ...]:
    """Return every registered check, sorted by id."""
    return entries(CHECKS)


def select(
    available: Sequence[Plugin],
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    aliases: Optional[Callable[[Plugin], Sequence[str]]] = None,
) -> tuple[Plugin, ...]:
    """Return the checks of a run.

    :param available: what :func:`checks` returned.
    :param only: the ids to take; empty means all of them.
    :param skip: the ids to leave out.
    :param aliases: returns the earlier ids of an entry; called only when an
        id is not that of an entry.
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


def load_check(entry: Plugin) -> check.Check:
    """Import a check and return an instance of it.

    :raises PluginError: when another check has its name, or it is not a valid
        check.
    :raises Exception: whatever importing the module raises.
    """
    if entry.conflict:
        raise exceptions.PluginError(
            f'the id {entry.name!r} is already used by {entry.conflict}'
        )
    return check.validate(entry.name, entry.load())()
