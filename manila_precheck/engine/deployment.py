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

"""Evaluate the conditions of advisories for one deployment."""

from collections.abc import Iterator
import functools
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import service_host
from manila_precheck.catalog import advisories
from manila_precheck.catalog import conditions
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import option_users
from manila_precheck.evidence.database import row_counts
from manila_precheck.evidence.host import api_server
from manila_precheck.evidence.host import commands


def users(advisory: advisories.Advisory) -> tuple[str, ...]:
    """Return the services whose files decide whether an advisory applies."""
    if advisory.per_backend:
        return (commands.SHARE,)
    readers = set()
    for item in advisory.conditions:
        if isinstance(
            item, (advisories.ServiceCondition, advisories.ServedBy)
        ):
            return (commands.API,)
        if isinstance(item, advisories.OptionCondition):
            readers.add(option_users.only_user(str(item.section), item.name))
    readers.discard(None)
    if len(readers) == 1:
        return (str(readers.pop()),)
    return commands.SERVICES


def section(
    condition: advisories.OptionCondition,
    backend: Optional[config_files.Backend],
) -> str:
    """Return the section in which the option of a condition is looked up."""
    if condition.section is not None:
        return condition.section
    assert backend is not None
    return backend.name


class Deployment:
    """Evaluates conditions, and reads each source when it is first needed.

    :param ctx: the context over the files of some services.
    :param stated: the kind of server that serves the API, as the operator
        stated it: 'program', 'script', 'application' or 'unknown'; None to
        find it out.
    """

    def __init__(
        self, ctx: context.Context, stated: Optional[str] = None
    ) -> None:
        self._ctx = ctx
        self._stated = stated
        self._conf = ctx.config
        self._counts: dict[advisories.LiveRows, dict[str, int]] = {}

    @functools.cached_property
    def _target(self) -> config_reader.Reader:
        return self._ctx.reader(self._ctx.upgrade.target)

    @functools.cached_property
    def _backends(self) -> tuple[config_files.Backend, ...]:
        """Return the back ends that manila-share starts with these files.

        A back end without a section does not start. Without manila-share on
        the host there are none.
        """
        conf = self._conf
        if not conf.runs_share:
            return ()
        return tuple(one for one in conf.backends if one.section is not None)

    def touched(
        self, advisory: advisories.Advisory
    ) -> Iterator[tuple[Optional[config_files.Backend], int]]:
        """Yield the back ends for which all conditions of an advisory hold.

        :returns: (back end, rows): None for an advisory that is not about
            back ends, 0 for one that does not count rows.
        :raises SourceNotGiven: when the answer depends on the database, and
            none is configured.
        """
        where = self._backends if advisory.per_backend else (None,)
        for backend in where:
            if not all(
                self._holds(item, backend)
                for item in advisory.conditions
                if not isinstance(item, advisories.LiveRows)
            ):
                continue
            rows = 0
            if advisory.rows is not None:
                rows = self._count(advisory.rows, backend)
                if not rows:
                    continue
            yield backend, rows

    def _holds(
        self,
        condition: advisories.Condition,
        backend: Optional[config_files.Backend],
    ) -> bool:
        if isinstance(condition, advisories.Drivers):
            assert backend is not None
            used = self._used(backend.name)
            found = bool(used & condition.names)
            return found is (condition.word == 'driver')
        if isinstance(condition, advisories.ServiceCondition):
            return self._conf.serves_api
        if isinstance(condition, advisories.ServedBy):
            return not self.served or bool(self.signs(condition))
        assert isinstance(condition, advisories.OptionCondition)
        return self._option_holds(condition, section(condition, backend))

    def _used(self, name: str) -> frozenset[str]:
        """Return the names of a back end's driver and of its plugin."""
        driver = self._target.driver(name)
        if driver is None:
            driver = self._conf.value(name, 'share_driver') or ''
        plugin = self._target.plugin(name)
        if plugin is None or driver != conditions.EMC_DRIVER:
            return frozenset({driver})
        return frozenset({driver, f'{advisories.EMC_PREFIX}{plugin}'})

    @functools.cached_property
    def served(self) -> tuple[api_server.ApiSign, ...]:
        """Return the signs of what serves the API; empty if not known."""
        stated = self._stated
        if stated == 'unknown':
            return ()
        if stated is not None:
            return (api_server.ApiSign(api_server.Kind(stated)),)
        return self._ctx.api_server

    def signs(
        self, condition: advisories.ServedBy
    ) -> tuple[api_server.ApiSign, ...]:
        """Return the signs that the API is served as a condition says."""
        if condition.kind == 'threads':
            return tuple(
                sign
                for sign in self.served
                if sign.kind == 'program' and not sign.eventlet
            )
        return tuple(
            sign for sign in self.served if sign.kind == condition.kind
        )

    def _option_holds(
        self, condition: advisories.OptionCondition, group: str
    ) -> bool:
        if condition.word in ('option_set', 'option_unset'):
            lines = self.lines(group, condition.name)
            return bool(lines) is (condition.word == 'option_set')
        values = self._values(group, condition.name)
        if condition.word == 'option_value':
            lowered = {value.lower() for value in values or ()}
            return any(text.lower() in lowered for text in condition.values)
        return values is not None and not set(condition.values) <= values

    def lines(self, group: str, name: str) -> tuple[config_files.Setting, ...]:
        """Return the effective lines that set an option, by any name."""
        found: tuple[config_files.Setting, ...] = ()
        for home in (group, *self._conf.backup_types(group)):
            names = self._target.look_up(home, name).names
            found += self._conf.effective(names or [(home, name)])
        return found

    def _values(self, group: str, name: str) -> Optional[set[str]]:
        """Return the value, or the items of a list; None if not known."""
        try:
            value: Any = self._target.get(group, name)
        except config_reader.Refused:
            # The target rejects the value, or no longer has the option: the
            # check config-options reports both.
            return None
        if value is None:
            return None
        items = value if isinstance(value, (list, tuple)) else [value]
        return {str(item) for item in items}

    # -- rows ----------------------------------------------------------------

    def _count(
        self,
        condition: advisories.LiveRows,
        backend: Optional[config_files.Backend],
    ) -> int:
        if condition not in self._counts:
            try:
                self._counts[condition] = row_counts.by_host(
                    self._ctx.database,
                    condition.table,
                    dict(condition.where),
                    condition.host,
                )
            except exceptions.SourceNotApplicable:
                # The database is empty.
                self._counts[condition] = {}
        counts = self._counts[condition]
        if condition.host is None:
            return sum(counts.values())
        assert backend is not None
        name = backend.name if backend.source is not None else ''
        return sum(
            count
            for host, count in counts.items()
            if service_host.parse(host).backend == name
        )
