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

"""What the catalog says of the database, and a database made from it."""

import ddt
import sqlalchemy as sa
import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.testing import schema

FACTS = catalog.Catalog()

# Position in the chain and head, computed from down_revision at each tag.
HEADS = (
    (12, 57, 'fbdfabcba377'),
    (13, 57, 'fbdfabcba377'),
    (14, 59, 'a87e0fb17dee'),
    (15, 60, 'bb5938d74b73'),
    (16, 64, 'aebe2a413e13'),
    (17, 67, '2d708a9a3ba9'),
    (18, 70, '2f27d904214c'),
    (19, 71, 'cdefa6287df8'),
    (20, 72, '0d8c8f6d54a4'),
    (21, 73, 'e975ea83b712'),
    (22, 75, '004e506e922e'),
    (23, 76, 'afc3b5e1f406'),
)


def since(first):
    return [r.major for r in releases.RELEASES if r.major >= first]


@ddt.ddt
class TestChain(testtools.TestCase):
    @ddt.data(*HEADS)
    @ddt.unpack
    def test_head(self, major, length, head):
        release = releases.from_major(major)
        chain = FACTS.chain(release)
        self.assertEqual(head, FACTS.head(release))
        self.assertEqual((length, head), (len(chain), chain[-1]))

    def test_a_chain_begins_with_the_one_before(self):
        for before, after in zip(FACTS.releases, FACTS.releases[1:]):
            chain = FACTS.chain(before)
            self.assertEqual(chain, FACTS.chain(after)[: len(chain)])

    def test_the_end_of_the_chain(self):
        newest = FACTS.chain(releases.from_major(23))
        self.assertEqual(
            (
                '0c23aec99b74',
                '478c445d8d3e',
                'fbdfabcba377',
                '1946cb97bb8d',
                'a87e0fb17dee',
                'bb5938d74b73',
                'c476aeb186ec',
                '1e2d600bf972',
                'ac0620cbe74d',
                'aebe2a413e13',
                '9afbe2df4945',
                'cb20f743ca7b',
                '2d708a9a3ba9',
                '99d328f0a3d2',
                '6e32091979e0',
                '2f27d904214c',
                'cdefa6287df8',
                '0d8c8f6d54a4',
                'e975ea83b712',
                'eead2cb81845',
                '004e506e922e',
                'afc3b5e1f406',
            ),
            newest[54:],
        )

    def test_12_and_13_share_a_head(self):
        self.assertEqual(
            [12, 13], [r.major for r in FACTS.releases_at('fbdfabcba377')]
        )
        self.assertEqual(
            [22], [r.major for r in FACTS.releases_at('004e506e922e')]
        )

    def test_a_revision_inside_a_release_is_no_head(self):
        self.assertEqual((), FACTS.releases_at('eead2cb81845'))
        self.assertEqual(
            since(22), [r.major for r in FACTS.releases_with('eead2cb81845')]
        )
        self.assertEqual((), FACTS.releases_with('0123456789ab'))

    def test_a_file_may_begin_with_another_id(self):
        found = {
            item.id: item.file
            for item in FACTS.revisions(releases.from_major(18))
        }
        self.assertTrue(found['6e32091979e0'].startswith('40d1f2374e89_'))


@ddt.ddt
class TestTables(testtools.TestCase):
    @ddt.data((12, 43), (14, 44), (20, 49), (23, 53))
    @ddt.unpack
    def test_count(self, major, count):
        self.assertEqual(count, len(FACTS.tables(releases.from_major(major))))

    @ddt.data(
        ('share_server_share_network_subnet_mappings', 14),
        ('share_snapshot_metadata', 15),
        ('transfers', 16),
        ('share_network_subnet_metadata', 16),
        ('share_backups', 17),
        ('resource_locks', 17),
        ('encryption_refs', 21),
        ('qos_types', 22),
        ('qos_type_specs', 22),
        ('share_instance_metadata', 22),
    )
    @ddt.unpack
    def test_a_table_comes(self, name, major):
        found = [r.major for r in FACTS.releases if name in FACTS.tables(r)]
        self.assertEqual(since(major), found)

    @ddt.data(
        ('services', 'state', 16),
        ('services', 'disabled_reason', 18),
        ('services', 'ensuring', 19),
        ('shares', 'is_soft_deleted', 14),
    )
    @ddt.unpack
    def test_a_column_comes(self, table, column, major):
        found = [
            r.major
            for r in FACTS.releases
            if FACTS.tables(r)[table].column(column)
        ]
        self.assertEqual(since(major), found)

    def test_every_table_is_soft_deleted(self):
        for release in FACTS.releases:
            for table in FACTS.tables(release).values():
                if table.name == 'alembic_version':
                    continue
                deleted = table.column('deleted')
                self.assertIn(deleted.type, ('integer', 'string'))
                self.assertTrue(deleted.nullable)
                self.assertIsNone(deleted.default)
                self.assertIsNotNone(table.column('deleted_at'))
                for index in table.indexes:
                    self.assertNotIn('deleted_at', index.columns)

    def test_kinds_of_deleted(self):
        tables = FACTS.tables(releases.from_major(23))
        strings = [
            t.name
            for t in tables.values()
            if t.column('deleted') and t.column('deleted').type == 'string'
        ]
        integers = [
            t.name
            for t in tables.values()
            if t.column('deleted') and t.column('deleted').type == 'integer'
        ]
        self.assertEqual((33, 19), (len(strings), len(integers)))
        self.assertIn('services', integers)
        self.assertEqual(36, tables['shares'].column('deleted').length)

    def test_differences_of_postgresql(self):
        tables = FACTS.tables(releases.from_major(20))
        private = tables['drivers_private_data']
        self.assertEqual(('entity_uuid', 'key'), private.primary)
        self.assertEqual((), private.primary_postgresql)
        column = tables['security_services'].column('project_id')
        self.assertEqual(
            (True, False), (column.nullable, column.nullable_postgresql)
        )

    def test_keys(self):
        table = FACTS.tables(releases.from_major(20))['share_instances']
        targets = {key.columns: key.table for key in table.foreign_keys}
        self.assertEqual('shares', targets[('share_id',)])
        zones = FACTS.tables(releases.from_major(20))['availability_zones']
        self.assertEqual(
            ('az_name_uc', ('name', 'deleted')),
            (zones.uniques[0].name, zones.uniques[0].columns),
        )


@ddt.ddt
class TestTestingSchema(testtools.TestCase):
    @ddt.data(*[major for major, _, _ in HEADS])
    def test_sqlite_has_what_the_catalog_says(self, major):
        release = releases.from_major(major)
        engine = sa.create_engine('sqlite://')
        schema.create_schema(engine, release)
        inspector = sa.inspect(engine)
        tables = FACTS.tables(release)
        self.assertEqual(sorted(tables), sorted(inspector.get_table_names()))
        for name, table in tables.items():
            columns = inspector.get_columns(name)
            self.assertEqual(
                [(c.name, c.nullable) for c in table.columns],
                [(c['name'], c['nullable']) for c in columns],
            )
            self.assertEqual(
                list(table.primary),
                inspector.get_pk_constraint(name)['constrained_columns'],
            )
            self.assertEqual(
                sorted(key.columns for key in table.foreign_keys),
                sorted(
                    tuple(key['constrained_columns'])
                    for key in inspector.get_foreign_keys(name)
                ),
            )
            self.assertEqual(
                sorted(u.columns for u in table.uniques),
                sorted(
                    tuple(u['column_names'])
                    for u in inspector.get_unique_constraints(name)
                ),
            )

    def test_the_head_is_stamped(self):
        engine = sa.create_engine('sqlite://')
        release = releases.parse('2025.1')
        schema.create_schema(engine, release)
        with engine.connect() as connection:
            rows = connection.execute(
                sa.text('SELECT version_num FROM alembic_version')
            ).fetchall()
        self.assertEqual([(FACTS.head(release),)], [tuple(r) for r in rows])

    def test_a_connection_keeps_its_transaction(self):
        engine = sa.create_engine('sqlite://')
        with engine.connect() as connection:
            with connection.begin():
                made = schema.create_schema(
                    connection, releases.parse('2024.1')
                )
                connection.execute(
                    made.tables['shares']
                    .insert()
                    .values(id='1', deleted='False', project_id='p')
                )
            rows = connection.execute(
                sa.text('SELECT count(*) FROM shares')
            ).scalar()
        self.assertEqual(1, rows)

    def test_server_defaults_work(self):
        engine = sa.create_engine('sqlite://')
        with engine.begin() as connection:
            made = schema.create_schema(connection, releases.parse('2025.1'))
            connection.execute(
                made.tables['services']
                .insert()
                .values(host='h', binary='b', topic='t', report_count=0)
            )
            row = connection.execute(
                sa.select(made.tables['services'].c.ensuring)
            ).scalar()
        self.assertIs(False, row)

    def test_a_release_that_does_not_exist(self):
        future = releases.Release('2199.1', 99, 'Zebra', False)
        error = self.assertRaises(
            exceptions.CatalogError, schema.metadata, future
        )
        self.assertIn('2199.1', str(error))
