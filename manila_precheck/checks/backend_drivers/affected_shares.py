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

"""How many share instances the back ends hold that do not start."""

from typing import Optional

from manila_precheck import exceptions
from manila_precheck import service_host
from manila_precheck.engine import context
from manila_precheck.evidence.database import row_counts


class AffectedShares:
    """Counts the live share instances of the enabled back ends.

    The database is queried when a finding first needs the count. If no
    database can be used, the findings say that nothing was counted; the checks
    that require a database report why. If [DEFAULT] host is set, the instances
    of other hosts do not count.

    :param ctx: the configuration and the database.
    """

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._backends = ctx.config.backends
        self._known: Optional[dict[str, int]] = None
        self._asked = False

    def count(self, name: Optional[str] = None) -> Optional[int]:
        """Return the number of instances; None if they were not counted.

        :param name: the back end; None for all that are enabled.
        """
        if not self._asked:
            self._asked = True
            try:
                self._known = self._by_backend()
            except exceptions.SourceNotApplicable:
                # An empty database.
                self._known = {}
            except (exceptions.SourceNotGiven, exceptions.SourceUnusable):
                self._known = None
        if self._known is None:
            return None
        return sum(
            self._known.get(one.name if one.source is not None else '', 0)
            for one in self._backends
            if name is None or one.name == name
        )

    def _by_backend(self) -> dict[str, int]:
        db = self._ctx.database
        wanted = self._ctx.config.value('DEFAULT', 'host')
        found: dict[str, int] = {}
        rows = row_counts.by_host(db, 'share_instances', host='host')
        for text, number in rows.items():
            host, backend = service_host.parse(text)
            if wanted is None or host == wanted:
                found[backend] = found.get(backend, 0) + number
        return found

    def of_all(self) -> str:
        """Return the number of enabled back ends and their instances."""
        enabled = len(self._backends)
        them = 'it' if enabled == 1 else 'them'
        return f'{enabled} enabled, {_words(self.count(), them)}'

    def of_one(self, name: str) -> str:
        """Return the number of instances on one back end."""
        return _words(self.count(name), 'it')


def _words(number: Optional[int], where: str) -> str:
    if number is None:
        return 'share instances not counted'
    return f'{number} share instance{"" if number == 1 else "s"} on {where}'
