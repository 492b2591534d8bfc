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
"""Rows for the benchmark of the database: a site after five years.

The server generates them from numbers. Nine rows in ten are soft-deleted, over
five years. As manila leaves it, live rows refer to live rows, and the children
of deleted rows are deleted. Ids are UUIDs in random order. One row in 20011
has lost its deleted_at.
"""

import sqlalchemy as sa

from manila_precheck import releases
from manila_precheck.testing import schema

RELEASE = '2026.1'
BATCH = 100_000

# table -> its share of all rows, in thousandths. From 10^5 rows on, each count
# is a multiple of 1000, so that row n of a table and row n of its parent are
# both live or both deleted.
TABLES = {
    'quota_usages': 10,
    'shares': 80,
    'share_servers': 10,
    'share_instances': 80,
    'share_instance_export_locations': 200,
    'share_access_map': 60,
    'share_instance_access_map': 60,
    'share_metadata': 80,
    'share_snapshots': 60,
    'share_snapshot_instances': 60,
    'reservations': 120,
    'messages': 100,
    'network_allocations': 30,
    'share_server_backend_details': 40,
    'share_server_share_network_subnet_mappings': 10,
}

# table -> column -> the table to which it refers.
PARENTS = {
    'share_instances': {
        'share_id': 'shares',
        'share_server_id': 'share_servers',
    },
    'share_instance_export_locations': {
        'share_instance_id': 'share_instances'
    },
    'share_access_map': {'share_id': 'shares'},
    'share_instance_access_map': {
        'share_instance_id': 'share_instances',
        'access_id': 'share_access_map',
    },
    'share_metadata': {'share_id': 'shares'},
    'share_snapshots': {'share_id': 'shares'},
    'share_snapshot_instances': {
        'share_instance_id': 'share_instances',
        'snapshot_id': 'share_snapshots',
    },
    'reservations': {'usage_id': 'quota_usages'},
    'network_allocations': {'share_server_id': 'share_servers'},
    'share_server_backend_details': {'share_server_id': 'share_servers'},
    'share_server_share_network_subnet_mappings': {
        'share_server_id': 'share_servers'
    },
}

# Tables whose rows manila never deletes.
LIVE = ('quota_usages',)


def make(url, total):
    """Fill an empty database.

    :param url: the URL of the database.
    :param total: about how many rows to make, 10^5 or more.
    :returns: the number of rows by table.
    """
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')
    release = releases.parse(RELEASE)
    metadata = schema.create_schema(engine, release)
    counts = {
        name: total * share // 1_000_000 * 1000
        for name, share in TABLES.items()
    }
    sql = _SQL[engine.dialect.name]
    with engine.connect() as connection:
        connection.exec_driver_sql(sql['fast'])
        _network(connection, sql)
        for name, count in counts.items():
            columns = _columns(metadata.tables[name], counts, sql)
            for offset in range(0, count, BATCH):
                connection.exec_driver_sql(
                    _insert(name, columns, offset, min(BATCH, count - offset))
                )
        for name in metadata.tables:
            connection.exec_driver_sql(sql['analyze'] + name)
    engine.dispose()
    return counts


_SQL = {
    'mysql': {
        'fast': 'SET SESSION foreign_key_checks = 0, unique_checks = 0',
        'text': 'CAST({} AS CHAR)',
        'uuid': "INSERT(INSERT(INSERT(INSERT(MD5(CONCAT('{}', {})), 9, 0, "
        "'-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')",
        'at': 'UTC_TIMESTAMP() - INTERVAL {} DAY',
        'false': '0',
        'analyze': 'ANALYZE TABLE ',
    },
    'postgresql': {
        'fast': 'SET session_replication_role = replica',
        'text': 'CAST({} AS VARCHAR)',
        'uuid': "CAST(CAST(MD5('{}' || {}) AS UUID) AS VARCHAR)",
        'at': "(clock_timestamp() AT TIME ZONE 'UTC') - {} * INTERVAL '1 day'",
        'false': 'false',
        'analyze': 'VACUUM ANALYZE ',
    },
}

_DIGIT = '(' + ' UNION ALL '.join(f'SELECT {n} AS n' for n in range(10)) + ')'


def _insert(table, columns, offset, count):
    names = ', '.join(columns)
    numbers = ' + '.join(f'd{power}.n * {10**power}' for power in range(5))
    digits = ', '.join(f'{_DIGIT} d{power}' for power in range(5))
    return (
        f'INSERT INTO {table} ({names}) SELECT {", ".join(columns.values())} '
        f'FROM (SELECT {offset} + {numbers} AS n FROM {digits}) s '
        f'WHERE n < {offset + count}'
    )


def _network(connection, sql):
    """Make the network and the subnet to which all mappings refer."""
    for table, column in (
        ('share_networks', 'project_id, user_id'),
        ('share_network_subnets', 'share_network_id, neutron_net_id'),
    ):
        connection.exec_driver_sql(
            f'INSERT INTO {table} (id, deleted, {column}) '
            "VALUES ('one', 'False', 'one', 'one')"
        )


def _words(column):
    """Say whether a column accepts any text."""
    kind = column.type
    return (
        isinstance(kind, sa.String)
        and not isinstance(kind, sa.Enum)
        and not column.foreign_keys
        and (kind.length or 0) > 40
    )


def _columns(table, counts, sql):
    """Return column -> the SQL expression for its value in row n."""
    found = {}
    dead = table.name not in LIVE
    for column in table.columns:
        name = column.name
        text = isinstance(column.type, sa.String)
        parent = PARENTS.get(table.name, {}).get(name)
        if parent is not None:
            number = f'MOD(n, {counts[parent]})'
            found[name] = f'{number} + 1'
            if isinstance(table.columns[name].type, sa.String):
                found[name] = sql['uuid'].format(parent, number)
        elif name == 'id':
            found[name] = 'n + 1'
            if text:
                found[name] = sql['uuid'].format(table.name, 'n')
        elif name == 'uuid':
            found[name] = sql['uuid'].format(f'{table.name} uuid', 'n')
        elif name == 'share_network_subnet_id' and not column.nullable:
            found[name] = "'one'"
        elif name in ('created_at', 'updated_at', 'expire'):
            found[name] = sql['at'].format('1900')
        elif name not in ('deleted', 'deleted_at') and not column.nullable:
            made = f'{name[:6]}'
            found[name] = f"'{made}'" if text else '1'
            if isinstance(column.type, sa.Boolean):
                found[name] = sql['false']
        elif name not in ('deleted', 'deleted_at') and _words(column):
            found[name] = f"'{name} of a site'"
    own = found.get('id', 'n')
    if isinstance(table.columns['deleted'].type, sa.String):
        live = "'False'"
        if not isinstance(table.columns['id'].type, sa.String):
            own = sql['text'].format(f'({own})')
    else:
        live = '0'
    if dead:
        found['deleted'] = (
            f'CASE WHEN MOD(n, 10) = 0 THEN {live} ELSE {own} END'
        )
        age = sql['at'].format('MOD(MOD(n, 1000) * 7919, 1826)')
        found['deleted_at'] = (
            'CASE WHEN MOD(n, 10) = 0 OR MOD(n, 20011) = 1 THEN NULL '
            f'ELSE {age} END'
        )
    else:
        found['deleted'] = live
    if table.name in ('share_metadata', 'share_server_backend_details'):
        found = {
            ('`key`' if sql is _SQL['mysql'] else 'key')
            if name == 'key'
            else name: value
            for name, value in found.items()
        }
    return found
