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

"""The facts for a runbook that are not in the report."""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.act.plan import managers
from manila_precheck.evidence import rehearsal_report
from manila_precheck.evidence.database import database_url


class Site(NamedTuple):
    """What is known about a site beside the report."""

    manager: managers.Manager
    services: Sequence[tuple[str, str]] = ()
    """The binary and the host of each row of the services table."""

    removed: Sequence[str] = ()
    """The service rows that a cleanup would remove now, in words."""

    dialect: str = ''
    """'mysql', 'postgresql', 'sqlite' or '' when no database was read."""

    mariadb: bool = False
    """Whether its server is MariaDB rather than MySQL."""

    address: database_url.Address = database_url.Address()
    """The address of the database; a field is '' when it is not known."""

    size_bytes: Optional[int] = None
    """The size of the tables on disk."""

    instances: Mapping[str, int] = {}
    """How many share instances each host@backend has."""

    backup_rate: Optional[float] = None
    """The rate of an earlier backup, in megabytes of tables per second."""

    ensure_rate: Optional[float] = None
    """Seconds per share instance that an earlier start took."""

    rehearsed: Optional[rehearsal_report.Rehearsed] = None
    """The times of a rehearsal."""

    probe_seconds: Optional[float] = None
    """The seconds that the probe of the rehearsal takes on the database; None
    when it was not run."""

    flags: Sequence[tuple[str, str]] = ()
    """The flags given to the command, such as ('--config-file', 'FILE')."""

    plan_flags: Sequence[str] = ()
    """The flags of "upgrade plan" that make this very runbook again."""

    drivers: Sequence[tuple[str, str]] = ()
    """The enabled back ends, each with its driver, '' for the default."""

    checks: Collection[str] = ()
    """The ids that --check takes."""

    stages: Mapping[str, Collection[model.Stage]] = {}
    """The stages at which a check runs, by its id."""

    def hosts(self, binary: str) -> tuple[str, ...]:
        """Return the hosts that run a service, sorted; empty: not known."""
        found = {
            service_host.parse(host).controller
            for name, host in self.services
            if name == binary
        }
        return tuple(sorted(found))

    def all_hosts(self) -> tuple[str, ...]:
        """Return every host that has a row, sorted."""
        found = {
            service_host.parse(host).controller for _, host in self.services
        }
        return tuple(sorted(found))
