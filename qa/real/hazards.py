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
"""What may be wrong with a database before ``manila-manage db sync``.

Each hazard is planted by plain SQL in a copy of a database that a release
made. The expected outcome is not written here: the target release shows it.
"""

from typing import NamedTuple
from typing import Optional

MYSQL = 'MySQL'
POSTGRESQL = 'PostgreSQL'


class Hazard(NamedTuple):
    """One thing in a database that is wrong, or merely unusual."""

    name: str
    """A word for the name of the test."""

    statements: tuple[str, ...] = ()
    """The statements that plant it in the copy."""

    edits: tuple[tuple[str, str, str], ...] = ()
    """(table, or '' for all; pattern; text): replacements in the statements
    that create the copy."""

    filled: bool = False
    """Whether the copy has the rows that the release made."""

    url: tuple[str, str] = ('', '')
    """(text, its replacement) in the connection URL."""

    server: Optional[str] = None
    """The only server on which it is planted; None: on each."""

    sources: tuple[int, ...] = (12, 16, 18, 20, 21, 22)
    """The major versions of the releases that it is planted on."""


# Disables foreign keys for the other statements on the connection.
_NO_KEYS = 'SET foreign_key_checks = 0'
_UNCHECKED = {
    MYSQL: _NO_KEYS,
    POSTGRESQL: 'SET session_replication_role = replica',
}
_LENIENT = "SET sql_mode = ''"

# Removes all foreign keys, except the one that a87e0fb17dee drops by its name
# (manila 16.3.0 db/migrations/alembic/versions).
_DROPPED_KEY = 'fk_share_servers_share_network_subnet_id_share_network_subnets'
_NO_FOREIGN_KEYS = (
    '',
    rf',\n  CONSTRAINT `(?!{_DROPPED_KEY})[^\n]*\) REFERENCES [^\n,]*',
    '',
)
_UTF8MB4 = 'utf8mb3', 'utf8mb4'
_INNODB = 'ENGINE=InnoDB'
_MYISAM = _INNODB, 'ENGINE=MyISAM'
_TO_2026_1 = 20, 21

_NEW_COLUMNS = {
    'share_servers.security_service_update_support': (11,),
    'share_networks.status': (11,),
    'share_backups.availability_zone_id': (17,),
    'shares.is_soft_deleted': (12,),
    'network_allocations.share_network_subnet_id': (12,),
    'share_servers.network_allocation_update_support': (12,),
    'security_services.default_ad_site': (12,),
    'services.state': (12,),
    'shares.source_backup_id': (16,),
    'services.disabled_reason': (16,),
    'share_instances.mount_point_name': (16,),
    'services.ensuring': (18,),
    'share_servers.share_replicas_migration_support': (18,),
    'share_servers.encryption_key_ref': (20,),
    'share_instances.encryption_key_ref': (20,),
    'share_instances.qos_type_id': (20, 21),
    'shares.snapshot_inherit_share_access_support': (22,),
}
_NEW_TABLES = {
    'async_operation_data': (11,),
    'share_server_share_network_subnet_mappings': (12,),
    'share_snapshot_metadata': (12,),
    'transfers': (12,),
    'share_network_subnet_metadata': (12,),
    'share_backups': (16,),
    'resource_locks': (16,),
    'encryption_refs': (20,),
    'qos_types': (20, 21),
    'qos_type_specs': (20, 21),
    'share_instance_metadata': (20, 21),
}
_ALL = Hazard('').sources

# Two more sources: 11.0.0, with columns that fbdfabcba377 turns into
# datetime(6), and the middle of 17.0.0, where share_backups has rows that
# 2d708a9a3ba9 reads.
_AND_TWO_MORE = (11, 17, *_ALL)
_OLD_TABLES = {
    'services': _ALL,
    'share_servers': _ALL,
    'share_instances': _ALL,
    'shares': _ALL,
    'network_allocations': (12,),
    'share_network_subnets': (12,),
    'share_snapshots': (12,),
    'security_services': (12,),
    'availability_zones': (12, 16),
    # Only tables to which others refer have references to these.
    'share_networks': (12, 16),
    'share_groups': (12, 16),
    'share_types': (12, 16),
}
_REFERRED_TABLES = {
    'share_servers': (12, *_TO_2026_1),
    'share_network_subnets': (12,),
    'share_snapshots': (12,),
    'shares': (16,),
    'availability_zones': (16,),
    'share_instances': _TO_2026_1,
}


def _on_both(name, *statements, **kwargs):
    """Return a hazard for each kind of server, with foreign keys disabled."""
    return [
        Hazard(name, (first, *statements), server=server, **kwargs)
        for server, first in _UNCHECKED.items()
    ]


def _rows(table, columns, rows):
    """Return the statement that adds some rows."""
    values = ', '.join(f'({row})' for row in rows)
    return f'INSERT INTO {table} ({columns}) VALUES {values}'


def _subnets(*ids):
    return (
        _rows(
            'share_networks',
            'id, project_id, user_id, deleted, status',
            ["'n1', 'p', 'u', 'False', 'active'"],
        ),
        _rows(
            'share_network_subnets',
            'id, share_network_id, deleted',
            [f"'{one}', 'n1', 'False'" for one in ids],
        ),
    )


def _share_servers(*rows):
    return _rows(
        'share_servers', 'id, share_network_subnet_id, deleted, status', rows
    )


def _allocations(*rows):
    return _rows(
        'network_allocations', 'id, share_server_id, deleted, label', rows
    )


ALL = (
    Hazard('nothing', sources=_AND_TWO_MORE),
    Hazard('rows_of_every_kind', filled=True, sources=_AND_TWO_MORE),
    # How a restored database may differ.
    Hazard('all_in_utf8mb4', edits=(('', *_UTF8MB4),), server=MYSQL),
    Hazard(
        'all_in_utf8mb4_with_rows',
        edits=(('', *_UTF8MB4),),
        server=MYSQL,
        filled=True,
        sources=_AND_TWO_MORE,
    ),
    # MariaDB rejects a different collation for a table with foreign keys.
    *(
        Hazard(
            f'{table}_in_{collation}',
            edits=(
                _NO_FOREIGN_KEYS,
                (
                    table,
                    'utf8mb3 COLLATE=utf8mb3_general_ci',
                    f'{collation.partition("_")[0]} COLLATE={collation}',
                ),
            ),
            server=MYSQL,
            sources=sources,
        )
        for table, collation, sources in (
            ('share_servers', 'utf8mb4_general_ci', _TO_2026_1),
            ('share_instances', 'utf8mb4_general_ci', _TO_2026_1),
            ('share_instances', 'utf8mb3_unicode_ci', _TO_2026_1),
            ('messages', 'utf8mb4_general_ci', (12, 16, *_TO_2026_1)),
            ('network_allocations', 'utf8mb4_general_ci', (12,)),
            ('share_snapshots', 'utf8mb4_general_ci', (12,)),
            ('share_snapshots', 'utf8mb3_unicode_ci', (12,)),
            ('shares', 'utf8mb4_general_ci', (16,)),
            ('shares', 'utf8mb3_unicode_ci', (16,)),
            ('availability_zones', 'utf8mb4_general_ci', (16,)),
        )
    ),
    # A new column gets the collation of the table, not of its columns.
    *(
        Hazard(
            f'new_columns_of_{table}_in_utf8mb4',
            (f'ALTER TABLE {table} DEFAULT CHARACTER SET utf8mb4',),
            server=MYSQL,
            sources=sources,
        )
        for table, sources in {
            'network_allocations': (12,),
            **_REFERRED_TABLES,
        }.items()
    ),
    Hazard(
        'no_foreign_key',
        edits=(_NO_FOREIGN_KEYS,),
        server=MYSQL,
        sources=(12, 16, *_TO_2026_1),
    ),
    Hazard(
        'the_database_in_utf8mb4_and_no_table',
        ('ALTER DATABASE CHARACTER SET utf8mb4',),
        server=MYSQL,
        sources=(12, 16, *_TO_2026_1),
    ),
    *(
        Hazard(
            f'{table}_in_myisam',
            edits=((table, *_MYISAM),),
            server=MYSQL,
            sources=sources,
        )
        for table, sources in {
            'messages': (12, 16, *_TO_2026_1),
            'network_allocations': (12,),
            **_REFERRED_TABLES,
        }.items()
    ),
    Hazard(
        'all_in_myisam',
        edits=(('', *_MYISAM),),
        server=MYSQL,
        sources=_AND_TWO_MORE,
    ),
    *(
        Hazard(
            f'rows_in_format_{name}',
            edits=(('', _INNODB, f'{_INNODB} ROW_FORMAT={name}'),),
            server=MYSQL,
            filled=True,
            sources=_AND_TWO_MORE,
        )
        for name in ('compressed', 'redundant', 'compact')
    ),
    # What a failed migration leaves behind.
    *(
        Hazard(
            f'column_{column.replace(".", "_")}_is_there',
            (
                'ALTER TABLE {} ADD COLUMN {} VARCHAR(36)'.format(
                    *column.split('.')
                ),
            ),
            sources=sources,
        )
        for column, sources in _NEW_COLUMNS.items()
    ),
    *(
        Hazard(
            f'table_{table}_is_there',
            (f'CREATE TABLE {table} (id VARCHAR(36) PRIMARY KEY)',),
            sources=sources,
        )
        for table, sources in _NEW_TABLES.items()
    ),
    *(
        Hazard(
            f'the_last_revision_of_{source}_is_not_recorded',
            (f"UPDATE alembic_version SET version_num = '{revision}'",),
            sources=(source,),
        )
        for source, revision in (
            # This migration changes types again, which has no effect.
            (12, '478c445d8d3e'),
            (16, 'ac0620cbe74d'),
            (18, '6e32091979e0'),
            (20, 'cdefa6287df8'),
            (21, '0d8c8f6d54a4'),
            (22, 'eead2cb81845'),
        )
    ),
    # The recorded revision.
    Hazard('no_revision', ('DELETE FROM alembic_version',)),
    Hazard(
        'an_unknown_revision',
        ("UPDATE alembic_version SET version_num = '0123456789ab'",),
    ),
    Hazard(
        'two_revisions',
        ("INSERT INTO alembic_version VALUES ('478c445d8d3e')",),
    ),
    # Missing objects.
    *(
        Hazard(
            f'{table}_is_gone',
            (_NO_KEYS, f'DROP TABLE {table}'),
            server=MYSQL,
            sources=sources,
        )
        for table, sources in _OLD_TABLES.items()
    ),
    *(
        Hazard(
            f'{table}_is_gone',
            (f'DROP TABLE {table} CASCADE',),
            server=POSTGRESQL,
            sources=sources,
        )
        for table, sources in _OLD_TABLES.items()
    ),
    *(
        Hazard(
            f'{table}_without_its_primary_key',
            (
                _NO_KEYS,
                f'ALTER TABLE {table} ADD KEY (id), DROP PRIMARY KEY',
            ),
            server=MYSQL,
            sources=sources,
        )
        for table, sources in _REFERRED_TABLES.items()
    ),
    *(
        Hazard(
            f'{table}_without_its_primary_key',
            (f'ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE',),
            server=POSTGRESQL,
            sources=sources,
        )
        for table, sources in _REFERRED_TABLES.items()
    ),
    Hazard(
        'a_database_that_takes_no_writes',
        (
            "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
            "' SET default_transaction_read_only = on'; END $$",
        ),
        server=POSTGRESQL,
    ),
    # Problems for the migrations up to 14.0.0, but for no later one.
    Hazard(
        'a_mariadb_url',
        url=('mysql+', 'mariadb+'),
        server=MYSQL,
        sources=_AND_TWO_MORE,
    ),
    *(
        hazard
        for label, name, sources in (
            ("'user'", 'allocation', _ALL),
            ('NULL', 'allocation_without_label', (12,)),
            ("'admin'", 'admin_allocation', (12,)),
            # No release writes this label; to the database it equals 'admin'.
            ("'Admin'", 'Admin_allocation', (12,)),
        )
        for hazard in _on_both(
            f'{name}_without_a_share_server',
            _allocations(f"'a1', 'gone', 'False', {label}"),
            sources=sources,
        )
    ),
    *_on_both(
        'three_allocations_without_a_share_server',
        _allocations(
            *(
                f"'a{n}', 'gone', '{deleted}', 'user'"
                for n, deleted in ((1, 'False'), (2, 'a2'), (3, 'a3'))
            )
        ),
        sources=(12,),
    ),
    # Rows of share servers and their network allocations.
    *(
        Hazard(
            f'{count}_share_servers_with_allocations',
            (
                *_subnets('s1'),
                _share_servers(
                    *(f"'{n}', 's1', 'False', 'active'" for n in range(count))
                ),
                _allocations(
                    *(
                        f"'{n}', '{n // 2}', 'False', 'user'"
                        for n in range(2 * count)
                    )
                ),
            ),
            sources=(12,),
        )
        for count in (1, 100)
    ),
    Hazard(
        'share_servers_without_a_subnet',
        (
            _share_servers(
                "'s1', NULL, 'False', 'active'", "'s2', NULL, 's2', 'active'"
            ),
            _allocations(
                "'a1', 's1', 'False', 'user'", "'a2', 's2', 'a2', NULL"
            ),
        ),
        sources=(12,),
    ),
    Hazard(
        'share_servers_with_no_word_of_deletion',
        (
            *_subnets('s1'),
            _share_servers("'s1', 's1', NULL, 'active'"),
            _allocations("'a1', 's1', NULL, 'user'"),
        ),
        sources=(12,),
    ),
    *(
        hazard
        for count in (1, 3)
        for deleted in ('False', 'x')
        for hazard in _on_both(
            f'{count}_share_servers_whose_subnet_is_gone_'
            + ('live' if deleted == 'False' else 'deleted'),
            *_subnets('s1'),
            _share_servers(
                "'a', 's1', 'False', 'active'",
                *(
                    f"'{n}', 'gone', '{deleted}', 'active'"
                    for n in range(count)
                ),
            ),
            sources=(12,),
        )
    ),
    *_on_both(
        'an_allocation_whose_subnet_is_gone',
        _share_servers("'s1', 'gone', 'False', 'active'"),
        _allocations("'a1', 's1', 'False', 'user'"),
        sources=(12,),
    ),
    # Values that MySQL keeps but does not accept again.
    *(
        Hazard(
            f'a_zero_date_in_{table}',
            (
                _LENIENT,
                _NO_KEYS,
                f'INSERT INTO {table} ({columns}, created_at) VALUES '
                f"({values}, '0000-00-00 00:00:00')",
            ),
            server=MYSQL,
            sources=sources,
        )
        for table, columns, values, sources in (
            ('services', 'id', '999', (11, 12, 16, 18)),
            (
                'messages',
                'id, project_id, message_level',
                "'m1', 'p', 'ERROR'",
                (11,),
            ),
            (
                'drivers_private_data',
                'entity_uuid, `key`, value',
                "'e', 'k', 'v'",
                (11,),
            ),
            ('share_backups', 'id', "'b1'", (17,)),
            ('shares', 'id', "'s1'", (12, 16, 22)),
            (
                'share_instances',
                'id, share_id',
                "'i1', 's1'",
                (16, *_TO_2026_1),
            ),
            (
                'network_allocations',
                'id, share_server_id, label',
                "'a1', 's1', 'admin'",
                (12,),
            ),
            ('share_servers', 'id', "'s1'", (12,)),
            (
                'share_network_subnets',
                'id, share_network_id',
                "'s1', 'n1'",
                (12,),
            ),
        )
    ),
    *(
        Hazard(
            f'a_zero_date_in_share_instances_{name}',
            (
                _LENIENT,
                _NO_KEYS,
                'INSERT INTO share_instances (id, share_id, created_at) '
                "VALUES ('i1', 's1', '0000-00-00 00:00:00')",
            ),
            edits=(edit,),
            server=MYSQL,
            sources=(16, 20),
        )
        for name, edit in (
            ('compressed', ('', _INNODB, f'{_INNODB} ROW_FORMAT=COMPRESSED')),
            ('in_myisam', ('share_instances', *_MYISAM)),
        )
    ),
    *(
        Hazard(
            f'a_date_in_share_servers_with_a_subnet_{name}',
            (
                _LENIENT,
                *_subnets('s1'),
                _share_servers("'a', 's1', 'False', 'active'"),
                f"UPDATE share_servers SET updated_at = '{date}'",
            ),
            server=MYSQL,
            sources=(12,),
        )
        for name, date in (
            ('of_zero', '0000-00-00 00:00:00'),
            ('of_no_day', '2024-01-00 00:00:00'),
            ('of_no_year', '0000-01-01 00:00:00'),
        )
    ),
    Hazard(
        'a_zero_date_and_a_mariadb_url',
        (
            _LENIENT,
            "INSERT INTO services (id, created_at) VALUES (9, '0000-00-00')",
        ),
        url=('mysql+', 'mariadb+'),
        server=MYSQL,
        sources=(11,),
    ),
    # The availability zones of share backups.
    *(
        Hazard(
            f'backups_{name}',
            (
                *(
                    [_rows('availability_zones', 'id, name, deleted', zones)]
                    if zones
                    else []
                ),
                _rows('share_backups', 'id, deleted, availability_zone', rows),
            ),
            sources=(17,),
        )
        for name, zones, rows in (
            ('of_a_zone', ["'z1', 'nova', 'False'"], ["'1', 'False', 'nova'"]),
            ('of_no_zone', [], ["'1', 'False', NULL"]),
            ('of_an_unknown_zone', [], ["'1', 'False', 'gone'"]),
            (
                'of_an_empty_name',
                ["'z1', 'nova', 'False'"],
                ["'1', 'False', ''", "'2', '2', ''"],
            ),
            (
                'of_a_deleted_zone',
                ["'z1', 'nova', 'z1'"],
                ["'1', 'False', 'nova'", "'2', '2', 'nova'"],
            ),
            (
                'of_a_zone_that_was_deleted_and_made_again',
                ["'z1', 'nova', 'z1'", "'z2', 'nova', 'False'"],
                ["'1', 'False', 'nova'"],
            ),
            (
                'of_a_zone_with_a_deleted_one_after_it',
                ["'z1', 'nova', 'False'", "'z2', 'nova', 'z2'"],
                ["'1', 'False', 'nova'"],
            ),
            (
                'by_the_hundred',
                [
                    *(f"'z{n}', 'zone{n}', 'False'" for n in range(1, 9)),
                    *(f"'y{n}', 'zone{n}', 'y{n}'" for n in range(5, 12)),
                ],
                [f"'{n}', 'False', 'zone{n % 15}'" for n in range(200)],
            ),
            (
                'of_zones_that_differ_in_case',
                ["'z1', 'nova', 'False'", "'z2', 'Nova', 'z2'"],
                ["'1', 'False', 'nova'", "'2', 'False', 'Nova'"],
            ),
            (
                'of_zones_that_differ_in_case_the_first_deleted',
                [
                    "'z1', 'nova', 'z1'",
                    "'z2', 'Nova', 'False'",
                ],
                ["'1', 'False', 'nova'", "'2', 'False', 'Nova'"],
            ),
        )
    ),
    # Names that are already in use.
    Hazard(
        'a_second_key_beside_the_one_that_goes',
        (
            'ALTER TABLE share_servers ADD CONSTRAINT another FOREIGN KEY '
            '(share_network_subnet_id) REFERENCES share_network_subnets (id)',
        ),
        sources=(12,),
    ),
    *(
        Hazard(
            f'the_key_that_goes_{name}',
            (
                f'ALTER TABLE share_servers DROP {what} {_DROPPED_KEY}',
                *more,
            ),
            server=server,
            sources=(12,),
            url=url,
        )
        for server, what in (
            (MYSQL, 'FOREIGN KEY'),
            (POSTGRESQL, 'CONSTRAINT'),
        )
        for name, more, url in (
            ('is_gone', (), ('', '')),
            (
                'has_another_name',
                (
                    'ALTER TABLE share_servers ADD CONSTRAINT another '
                    'FOREIGN KEY (share_network_subnet_id) REFERENCES '
                    'share_network_subnets (id)',
                ),
                ('', ''),
            ),
            ('is_gone_and_a_mariadb_url', (), ('mysql+', 'mariadb+')),
        )
        if server == MYSQL or not url[0]
    ),
    *(
        Hazard(
            f'key_{name}_of_a_table_put_aside',
            (
                f'CREATE TABLE aside (id VARCHAR(36) PRIMARY KEY, other '
                f'VARCHAR(36), CONSTRAINT {name} FOREIGN KEY (other) '
                f'REFERENCES {parent} (id))',
            ),
            sources=sources,
        )
        for name, parent, sources in (
            (
                'fk_ss_sns_m_share_server_id_share_servers',
                'share_servers',
                (12,),
            ),
            (
                'fk_network_allocation_subnet_id_share_network_subnets',
                'share_network_subnets',
                (12,),
            ),
            ('fk_backups_share_id_shares', 'shares', (16,)),
            ('sb_az_id_fk', 'availability_zones', (16,)),
            ('qt_id_fk', 'shares', _TO_2026_1),
            ('qos_type_specs_ibfk_1', 'shares', _TO_2026_1),
            # Names that MySQL itself generates.
            ('encryption_refs_ibfk_1', 'shares', (20,)),
            ('encryption_refs_ibfk_2', 'shares', (20,)),
            ('encryption_refs_ibfk_3', 'shares', (20,)),
            ('share_snapshot_metadata_ibfk_1', 'shares', (12,)),
            ('share_snapshot_metadata_ibfk_2', 'shares', (12,)),
        )
    ),
    Hazard(
        'unique_key_uc_qos_type_name_of_a_table_put_aside',
        (
            'CREATE TABLE aside (id VARCHAR(36) PRIMARY KEY, name '
            'VARCHAR(36), CONSTRAINT uc_qos_type_name UNIQUE (name))',
        ),
        sources=_TO_2026_1,
    ),
    *(
        Hazard(
            f'a_view_{table}_is_there',
            (f'CREATE VIEW {table} AS SELECT id FROM shares',),
            sources=sources,
        )
        for table, sources in _NEW_TABLES.items()
        if table in ('transfers', 'share_backups', 'encryption_refs')
    ),
    *(
        Hazard(
            f'{kind}_{table}_is_there',
            (statement.format(table),),
            server=POSTGRESQL,
            sources=sources,
        )
        for table, sources in _NEW_TABLES.items()
        if table in ('transfers', 'share_backups', 'encryption_refs')
        for kind, statement in (
            ('a_sequence', 'CREATE SEQUENCE {}'),
            ('an_index', 'CREATE INDEX {} ON shares (id)'),
            ('a_type', 'CREATE TYPE {} AS (id INTEGER)'),
        )
    ),
    # Objects that others have added to the tables.
    *(
        Hazard(
            f'a_view_of_{table}',
            (f'CREATE VIEW report AS SELECT * FROM {table}',),
            sources=sources,
        )
        for table, sources in (
            ('share_servers', (12, 20)),
            ('services', (12, 16, 18)),
        )
    ),
    Hazard(
        'a_view_of_share_servers_without_the_subnet',
        ('CREATE VIEW report AS SELECT id, host FROM share_servers',),
        sources=(12,),
    ),
    Hazard(
        'a_view_in_place_of_services',
        (
            'ALTER TABLE services RENAME TO old_services',
            'CREATE VIEW services AS SELECT * FROM old_services',
        ),
        sources=(12, 16, 18),
    ),
    Hazard(
        'two_zones_of_one_name',
        (
            'INSERT INTO availability_zones (id, name, deleted) VALUES '
            "('z1', 'twice', 'False'), ('z2', 'twice', 'z2')",
        ),
    ),
    Hazard(
        'a_table_of_somebody_else',
        ('CREATE TABLE notes (id VARCHAR(36) PRIMARY KEY)',),
    ),
)
