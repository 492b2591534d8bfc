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
"""The private file that is read last."""

import os
import stat

import ddt
import fixtures
from oslo_config import cfg
from oslo_db import options as oslo_db_options
from sqlalchemy import engine
import testtools

from manila_precheck import exceptions
from manila_precheck import testing
from manila_precheck.act.rehearse import staged

COPY = engine.URL.create(
    'mysql+pymysql',
    'precheck_reader',
    host='localhost',
    database='manila',
    query={'unix_socket': '/copy/socket', 'charset': 'utf8mb4'},
)
LIVE = 'mysql+pymysql://manila:p@db1/manila'


@ddt.ddt
class StagedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return path

    def read(self, *locations):
        """Return what oslo.config makes of the files and the private one."""
        conf = cfg.ConfigOpts()
        conf.register_opts(oslo_db_options.database_opts, 'database')
        conf.register_opts([cfg.StrOpt('log_dir'), cfg.StrOpt('state_path')])
        private = staged.write(self.folder, COPY)
        conf(
            list(staged.words(locations, [private])),
            project='manila',
            use_env=False,
        )
        return conf

    @ddt.data(
        '[database]\nconnection = {}\n',
        '[DATABASE]\nsql_connection = {}\n',
        '[DEFAULT]\nsql_connection = {}\n',
        '[sql]\nconnection = {}\n',
        '[database]\nslave_connection = {}\n',
        '[database]\nconnection = {}\nconnection_parameters = a=b\n',
    )
    def test_no_file_leads_to_production(self, text):
        one = self.file('manila.conf', text.format(LIVE))
        self.file('conf.d/z.conf', text.format(LIVE))
        conf = self.read(one, os.path.join(self.folder, 'conf.d'))
        self.assertEqual(
            (COPY.render_as_string(hide_password=False), '', ''),
            (
                conf.database.connection,
                conf.database.slave_connection,
                conf.database.connection_parameters,
            ),
        )

    def test_nothing_is_written_where_production_writes(self):
        one = self.file(
            'manila.conf',
            '[DEFAULT]\nlog_dir = /var/log/manila\nstate_path = /var/lib\n',
        )
        conf = self.read(one)
        self.assertEqual(
            ('', os.path.join(self.folder, 'state')),
            (conf.log_dir, conf.state_path),
        )

    def test_what_else_is_staged_stays(self):
        one = self.file('manila.conf', '[database]\nmysql_sql_mode = ANSI\n')
        self.assertEqual('ANSI', self.read(one).database.mysql_sql_mode)

    def test_nobody_else_may_read_it(self):
        path = staged.write(self.folder, COPY)
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))

    def test_a_dollar_sign(self):
        # A reference begins with it.
        path = staged.write(self.folder, COPY, {'DEFAULT': {'host': 'a$b'}})
        with open(path, encoding='utf-8') as stream:
            self.assertIn('\nhost = a$$b\n', stream.read())

    @ddt.data(
        (COPY, {'unix_socket': '/copy/socket', 'database': 'manila'}, True),
        (
            engine.make_url('postgresql+psycopg2://p@/manila?host=/copy'),
            {'host': '/copy', 'database': 'manila'},
            True,
        ),
        (
            engine.make_url('mysql+pymysql://a:b@127.0.0.1:3307/scratch'),
            {'host': '127.0.0.1', 'port': '3307', 'database': 'scratch'},
            False,
        ),
    )
    @ddt.unpack
    def test_place(self, url, place, local):
        self.assertEqual(
            (place, local), (staged.place(url), staged.is_local(url))
        )

    @ddt.data(
        (COPY, ['/copy/socket']),
        ('postgresql://x@/manila?host=/copy', ['/copy/.s.PGSQL.5432']),
        (
            'postgresql://x@/manila?host=/copy&port=5433',
            ['/copy/.s.PGSQL.5433'],
        ),
        ('mysql+pymysql://x@127.0.0.1/manila', []),
        ('postgresql://x@/manila?host=db1', []),
    )
    @ddt.unpack
    def test_the_sockets_of_the_copy(self, url, files):
        self.assertEqual(files, staged.sockets(engine.make_url(url)))

    @ddt.data(
        (LIVE, 'mysql+pymysql', None),
        (f'{LIVE}?charset=utf8', 'mysql+pymysql', 'utf8'),
        ('mariadb+pymysql://a:b@db1/manila', 'mariadb+pymysql', None),
        (None, 'mysql+pymysql', 'utf8mb4'),
    )
    @ddt.unpack
    def test_the_dialect_is_the_staged_one(self, text, driver, charset):
        site = self.useFixture(testing.Site(connection=text, source='2025.1'))
        found = staged.url_of(COPY, site.context().conf)
        self.assertEqual(
            (driver, charset, '/copy/socket'),
            (
                found.drivername,
                found.query.get('charset'),
                found.query['unix_socket'],
            ),
        )

    def test_a_backup_of_another_kind_of_server(self):
        site = self.useFixture(
            testing.Site(
                connection='postgresql://a:b@db1/manila', source='2025.1'
            )
        )
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            staged.url_of,
            COPY,
            site.context().conf,
        )
        self.assertEqual(
            'the backup is one of mysql, and [database] connection names '
            'postgresql',
            str(exc),
        )
