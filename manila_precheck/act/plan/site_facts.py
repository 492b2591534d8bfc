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

"""What a runbook is made of, beside the report."""

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
    """What is known beside the report."""

    manager: managers.Manager
    services: Sequence[tuple[str, str]] = ()
    """Binary and host of each row."""

    removed: Sequence[str] = ()
    """The rows that a cleanup would remove now, in words."""

    dialect: str = ''
    """'mysql', 'postgresql', 'sqlite' or '' when no database was read."""

    mariadb: bool = False
    """Its server is a MariaDB, not a MySQL."""

    address: database_url.Address = database_url.Address()
    """Where it is; a field is '' when it is not known."""

    size_bytes: Optional[int] = None
    """What the tables take on disk."""

    instances: Mapping[str, int] = {}
    """How many share instances each host@backend has."""

    backup_rate: Optional[float] = None
    """Megabytes of tables a second, as a backup took."""

    ensure_rate: Optional[float] = None
    """Seconds a share instance, as a start took."""

    rehearsed: Optional[rehearsal_report.Rehearsed] = None
    """What a rehearsal took."""

    probe_seconds: Optional[float] = None
    """What the probe of the rehearsal takes on the database; None: it was not
    asked."""

    flags: Sequence[tuple[str, str]] = ()
    """('--config-file', 'FILE') as the command was given them."""

    plan_flags: Sequence[str] = ()
    """Of "upgrade plan", as they make this runbook and not another one."""

    drivers: Sequence[tuple[str, str]] = ()
    """The enabled back ends, each with its driver, '' for the default."""

    checks: Collection[str] = ()
    """The ids that --check takes."""

    stages: Mapping[str, Collection[model.Stage]] = {}
    """Those at which a check looks, by its id."""

    def hosts(self, binary: str) -> tuple[str, ...]:
        """Return the hosts that run a service, sorted; none: not known."""
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
