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

Each hazard is planted by plain SQL on a copy of a database that a release
made. What comes of it is not written here: the release to go to tells.
"""

from typing import NamedTuple
from typing import Optional

MYSQL = 'MySQL'
POSTGRESQL = 'PostgreSQL'


class Hazard(NamedTuple):
    """One thing that is wrong, or only odd."""

    name: str
    """For the name of a test."""

    statements: tuple[str, ...] = ()
    """What is done to the copy."""

    edits: tuple[tuple[str, str, str], ...] = ()
    """(table or '', pattern, text): of the statements that make it."""

    filled: bool = False
    """Whether it has the rows that the release made."""

    url: tuple[str, str] = ('', '')
    """(text, other text) of the connection."""

    server: Optional[str] = None
    """The only server that has it; None: each."""

    sources: tuple[int, ...] = (18, 20, 21, 22)
    """The major versions of the releases that it is planted on."""


_NO_KEYS = 'SET foreign_key_checks = 0'
_NO_FOREIGN_KEYS = '', r',\n  CONSTRAINT `[^\n]*\) REFERENCES [^\n,]*', ''
_UTF8MB4 = 'utf8mb3', 'utf8mb4'
_INNODB = 'ENGINE=InnoDB'
_MYISAM = _INNODB, 'ENGINE=MyISAM'
_TO_2026_1 = 20, 21

_NEW_COLUMNS = {
    'services.ensuring': (18,),
    'share_servers.share_replicas_migration_support': (18,),
    'share_servers.encryption_key_ref': (20,),
    'share_instances.encryption_key_ref': (20,),
    'share_instances.qos_type_id': (20, 21),
    'shares.snapshot_inherit_share_access_support': (22,),
}
_NEW_TABLES = {
    'encryption_refs': (20,),
    'qos_types': (20, 21),
    'qos_type_specs': (20, 21),
    'share_instance_metadata': (20, 21),
}
_OLD_TABLES = 'services', 'share_servers', 'share_instances', 'shares'

ALL = (
    Hazard('nothing'),
    Hazard('rows_of_every_kind', filled=True),
    # How a database comes back.
    Hazard('all_in_utf8mb4', edits=(('', *_UTF8MB4),), server=MYSQL),
    Hazard(
        'all_in_utf8mb4_with_rows',
        edits=(('', *_UTF8MB4),),
        server=MYSQL,
        filled=True,
    ),
    # MariaDB lets no table have a collation of its own while keys hold it.
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
            sources=_TO_2026_1,
        )
        for table, collation in (
            ('share_servers', 'utf8mb4_general_ci'),
            ('share_instances', 'utf8mb4_general_ci'),
            ('share_instances', 'utf8mb3_unicode_ci'),
            ('messages', 'utf8mb4_general_ci'),
        )
    ),
    Hazard(
        'no_foreign_key',
        edits=(_NO_FOREIGN_KEYS,),
        server=MYSQL,
        sources=_TO_2026_1,
    ),
    Hazard(
        'the_database_in_utf8mb4_and_no_table',
        ('ALTER DATABASE CHARACTER SET utf8mb4',),
        server=MYSQL,
        sources=_TO_2026_1,
    ),
    *(
        Hazard(
            f'{table}_in_myisam',
            edits=((table, *_MYISAM),),
            server=MYSQL,
            sources=_TO_2026_1,
        )
        for table in ('share_servers', 'share_instances', 'messages')
    ),
    Hazard('all_in_myisam', edits=(('', *_MYISAM),), server=MYSQL),
    *(
        Hazard(
            f'rows_in_format_{name}',
            edits=(('', _INNODB, f'{_INNODB} ROW_FORMAT={name}'),),
            server=MYSQL,
            filled=True,
        )
        for name in ('compressed', 'redundant')
    ),
    # What a migration that failed has left.
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
            (18, '6e32091979e0'),
            (20, 'cdefa6287df8'),
            (21, '0d8c8f6d54a4'),
            (22, 'eead2cb81845'),
        )
    ),
    # What is recorded.
    Hazard('no_revision', ('DELETE FROM alembic_version',)),
    Hazard(
        'an_unknown_revision',
        ("UPDATE alembic_version SET version_num = '0123456789ab'",),
    ),
    Hazard(
        'two_revisions',
        ("INSERT INTO alembic_version VALUES ('fbdfabcba377')",),
    ),
    # What is gone.
    *(
        Hazard(
            f'{table}_is_gone',
            (_NO_KEYS, f'DROP TABLE {table}'),
            server=MYSQL,
        )
        for table in _OLD_TABLES
    ),
    *(
        Hazard(
            f'{table}_is_gone',
            (f'DROP TABLE {table} CASCADE',),
            server=POSTGRESQL,
        )
        for table in _OLD_TABLES
    ),
    *(
        Hazard(
            f'{table}_without_its_primary_key',
            (
                _NO_KEYS,
                f'ALTER TABLE {table} ADD KEY (id), DROP PRIMARY KEY',
            ),
            server=MYSQL,
            sources=_TO_2026_1,
        )
        for table in ('share_servers', 'share_instances')
    ),
    *(
        Hazard(
            f'{table}_without_its_primary_key',
            (f'ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE',),
            server=POSTGRESQL,
            sources=_TO_2026_1,
        )
        for table in ('share_servers', 'share_instances')
    ),
    Hazard(
        'a_database_that_takes_no_writes',
        (
            "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
            "' SET default_transaction_read_only = on'; END $$",
        ),
        server=POSTGRESQL,
    ),
    # What no migration of these minds.
    Hazard('a_mariadb_url', url=('mysql+', 'mariadb+'), server=MYSQL),
    Hazard(
        'allocations_without_a_share_server',
        (
            _NO_KEYS,
            'INSERT INTO network_allocations (id, share_server_id, deleted, '
            "label) VALUES ('a1', 'gone', 'False', 'user')",
        ),
        server=MYSQL,
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
