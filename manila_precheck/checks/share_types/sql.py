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
"""Rows that depend on the configuration: types, servers, protocols."""

from typing import NamedTuple

from manila_precheck.evidence.database import connection

#: The most share types that are read.
MOST_TYPES = 5000


class ShareType(NamedTuple):
    """A share type that is not deleted, and its extra specs."""

    id: str
    name: str
    specs: dict[str, str]
    """Its extra specs, without the scope 'capabilities:'."""


def share_types(db: connection.Database) -> list[ShareType]:
    """Return the share types, by name."""
    import sqlalchemy

    kind = db.table('share_types', 'id', 'name', 'deleted')
    spec = db.table(
        'share_type_extra_specs',
        'share_type_id',
        'spec_key',
        'spec_value',
        'deleted',
    )
    statement = (
        sqlalchemy.select(kind.c.id, kind.c.name)
        .where(db.live(kind))
        .order_by(kind.c.name, kind.c.id)
        .limit(MOST_TYPES)
    )
    found = [
        ShareType(row.id, row.name or '', {})
        for row in db.rows(statement, 'table share_types')
    ]
    by_id = {one.id: one for one in found}
    specs = (
        sqlalchemy.select(
            spec.c.share_type_id, spec.c.spec_key, spec.c.spec_value
        )
        .where(
            db.live(spec),
            spec.c.spec_key.in_(
                [
                    scope + key
                    for key in ('share_backend_name', MODE, ZONES, REPLICATION)
                    for scope in ('', _SCOPE)
                ]
            ),
        )
        .order_by(spec.c.spec_key)
    )
    for row in db.rows(specs, 'table share_type_extra_specs'):
        if row.share_type_id in by_id:
            key = row.spec_key.rpartition(':')[2]
            by_id[row.share_type_id].specs[key] = row.spec_value or ''
    return found


_SCOPE = 'capabilities:'

#: The name of both an extra spec and an option of a back end.
MODE = 'driver_handles_share_servers'

#: Names of extra specs.
ZONES = 'availability_zones'
REPLICATION = 'replication_type'


def group_types(db: connection.Database) -> list[str]:
    """Return the names of the share group types that are not deleted."""
    import sqlalchemy

    kind = db.table('share_group_types', 'name', 'deleted')
    statement = (
        sqlalchemy.select(kind.c.name).where(db.live(kind)).limit(MOST_TYPES)
    )
    return [
        row.name or '' for row in db.rows(statement, 'table share_group_types')
    ]


def protocols(db: connection.Database) -> dict[str, int]:
    """Return the number of shares by protocol, in upper case."""
    import sqlalchemy

    share = db.table('shares', 'share_proto', 'deleted')
    statement = (
        sqlalchemy.select(share.c.share_proto, sqlalchemy.func.count())
        .where(db.live(share), share.c.share_proto.is_not(None))
        .group_by(share.c.share_proto)
    )
    found: dict[str, int] = {}
    for name, number in db.rows(statement, 'table shares'):
        found[name.upper()] = found.get(name.upper(), 0) + number
    return found


class Instances(NamedTuple):
    """Share instances that are not deleted, and have the same properties."""

    host: str
    """Their host, without its pool."""

    served: bool
    """Whether they have a share server."""

    type_id: str
    """Their share type; '' if they have none."""

    number: int


def instances(db: connection.Database) -> list[Instances]:
    """Return the share instances that have a host, ordered by host."""
    import sqlalchemy

    instance = db.table(
        'share_instances',
        'host',
        'share_server_id',
        'share_type_id',
        'deleted',
    )
    columns = (
        instance.c.host,
        instance.c.share_server_id.is_not(None).label('served'),
        instance.c.share_type_id,
    )
    statement = (
        sqlalchemy.select(*columns, sqlalchemy.func.count())
        .where(db.live(instance), instance.c.host.is_not(None))
        .group_by(*columns)
    )
    found: dict[tuple[str, bool, str], int] = {}
    for host, served, type_id, number in db.rows(
        statement, 'table share_instances'
    ):
        key = (host.partition('#')[0], bool(served), type_id or '')
        found[key] = found.get(key, 0) + number
    return [Instances(*key, number) for key, number in sorted(found.items())]
