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
"""What is stored on the back ends that no service serves.

A host is written 'controller@back end', in share_instances and share_groups
with '#pool' appended. The controller is [DEFAULT] host; the back end is a
name of enabled_share_backends, and is missing where that is not set (manila
23.0.1 cmd/share.py, share/utils.py extract_host). A back end has no option
that changes its host.
"""

from collections.abc import Collection
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.database import connection


class EnabledBackends(NamedTuple):
    """The back ends that a set of configuration files enables."""

    controller: Optional[str]
    """[DEFAULT] host; None when it is not set: the name of the machine."""

    backends: tuple[str, ...]
    """Their names; '' for the one in [DEFAULT]. Empty: no manila-share."""

    def here(self, host: str) -> bool:
        """Say whether a host may belong to this controller."""
        return self.controller in (None, service_host.parse(host).controller)

    def host_of(self, name: str) -> str:
        """Return the host of a back end of this controller."""
        return host_of(f'{self.controller}', name)


def host_of(controller: str, name: str) -> str:
    """Return the host of a back end; a back end without a name has ''."""
    return f'{controller}@{name}' if name else controller


def other_backend(host: str) -> model.Remediation:
    """Return the setting by which another controller serves a host."""
    # A list of oslo.config splits at commas and strips blanks and quotes.
    if ',' in host or not host.isprintable() or host != host.strip(' \'"'):
        return model.advice(
            f'The name {host!r} cannot be written in a list of the '
            'configuration: waive the finding.'
        )
    return model.config(
        '[manila_precheck]\nother_backends = {}', host.replace('$', '$$')
    )


def enabled_backends(conf: config_files.ConfigFiles) -> EnabledBackends:
    """Return the back ends that manila-share starts with these files."""
    backends = conf.backends if conf.runs_share else ()
    return EnabledBackends(
        conf.value('DEFAULT', 'host'),
        tuple(
            '' if backend.source is None else backend.name
            for backend in backends
        ),
    )


class ServedBackends(NamedTuple):
    """The back ends that some service serves."""

    hosts: Collection[str]
    """As controller@backend."""

    backends: Collection[str] = ()
    """Names that any controller may serve; '' is a back end without one."""

    def has(self, host: str) -> bool:
        """Say whether the back end of a host is served."""
        name = service_host.parse(host).backend
        return host in self.hosts or name in self.backends


class Use(NamedTuple):
    """What is stored on one back end."""

    host: str
    """controller@backend."""

    shares: int = 0
    projects: int = 0
    """How many projects own the shares."""

    instances: int = 0
    """Instances of the shares, replicas included."""

    replicas: int = 0
    snapshots: int = 0
    """Instances of snapshots."""

    servers: int = 0
    groups: int = 0


def select(db: connection.Database, served: ServedBackends) -> list[Use]:
    """Return what is stored on every back end that is not served, by host.

    One statement reads share_instances and looks up the rows it finds in
    other tables; share_servers and share_groups take one statement each.
    """
    found: dict[str, Use] = {}
    for row in db.rows(_instances(db, served), 'table share_instances'):
        found[row[0]] = Use(*row)
    for table, field in (
        ('share_servers', 'servers'),
        ('share_groups', 'groups'),
    ):
        for host, number in db.rows(
            _counted(db, table, served), f'table {table}'
        ):
            use = found.get(host, Use(host))
            found[host] = use._replace(**{field: number})
    return [found[host] for host in sorted(found)]


def instances(db: connection.Database) -> dict[str, int]:
    """Return the number of share instances on each back end, by host."""
    statement = _counted(db, 'share_instances', ServedBackends(()))
    return dict(db.rows(statement, 'table share_instances'))


def _instances(db: connection.Database, served: ServedBackends) -> Any:
    import sqlalchemy as sa

    names = ('id', 'share_id', 'host', 'replica_state', 'deleted')
    instance = db.table('share_instances', *names)
    share = db.table('shares', 'id', 'project_id')
    snapshot = db.table(
        'share_snapshot_instances', 'id', 'share_instance_id', 'deleted'
    )
    host = _without_pool(db, instance.c.host)

    def number(column: Any) -> Any:
        return sa.func.count(sa.distinct(column))

    replica = sa.case(
        (instance.c.replica_state.is_not(None), instance.c.id), else_=None
    )
    return (
        sa.select(
            host,
            number(instance.c.share_id),
            number(share.c.project_id),
            number(instance.c.id),
            number(replica),
            number(snapshot.c.id),
        )
        .select_from(
            instance.outerjoin(
                share, share.c.id == instance.c.share_id
            ).outerjoin(
                snapshot,
                sa.and_(
                    snapshot.c.share_instance_id == instance.c.id,
                    db.live(snapshot),
                ),
            )
        )
        .where(db.live(instance), *_not_served(instance.c.host, host, served))
        .group_by(host)
    )


def _counted(
    db: connection.Database, table: str, served: ServedBackends
) -> Any:
    import sqlalchemy as sa

    rows = db.table(table, 'host', 'deleted')
    host = _without_pool(db, rows.c.host)
    return (
        sa.select(host, sa.func.count())
        .where(db.live(rows), *_not_served(rows.c.host, host, served))
        .group_by(host)
    )


def _without_pool(db: connection.Database, column: Any) -> Any:
    import sqlalchemy as sa

    # Literals, not parameters: PostgreSQL takes expressions with different
    # parameters for different ones and then misses the column in GROUP BY.
    pool: Any = sa.literal_column("'#'")
    first: Any = sa.literal_column('1')
    if db.dialect == 'mysql':
        return sa.func.substring_index(column, pool, first)
    if db.dialect == 'postgresql':
        return sa.func.split_part(column, pool, first)
    end = sa.func.instr(column.concat(pool), pool) - first
    return sa.func.substr(column, first, end)


def _not_served(column: Any, host: Any, served: ServedBackends) -> list[Any]:
    import sqlalchemy as sa

    conditions = [column.is_not(None), column != '']
    if served.hosts:
        conditions.append(host.not_in(sorted(served.hosts)))
    for name in sorted(served.backends):
        if name:
            suffix = host.endswith(f'@{name}', autoescape=True)
            conditions.append(sa.not_(suffix))
        else:
            conditions.append(host.contains('@'))
    return conditions
