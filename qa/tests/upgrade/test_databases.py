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

"""Tests of the database servers of the harness."""

import pathlib
import tempfile

import ddt
import testtools

from manila_precheck import releases
from manila_precheck.tests import server_programs
from qa.upgrade import databases
from qa.upgrade import run


def _path(server):
    etc = pathlib.Path('/etc')
    source, target = map(releases.parse, ('2025.1', '2026.1'))
    return run.Path(source, target, etc, etc, server)


@ddt.ddt
class DatabasesTest(testtools.TestCase):
    @ddt.named_data(
        ['mysql', databases.MariaDB, '2025.1 to 2026.1'],
        [
            'postgresql',
            databases.PostgreSQL,
            '2025.1 to 2026.1 on PostgreSQL',
        ],
    )
    def test_a_path_names_a_server_that_is_not_mariadb(self, server, title):
        self.assertEqual(title, str(_path(server)))

    @ddt.named_data(
        ['mysql', databases.MariaDB, None, 'mysql+pymysql'],
        ['mariadb', databases.MariaDB, 'mariadb', 'mariadb+pymysql'],
        ['postgresql', databases.PostgreSQL, None, 'postgresql+psycopg2'],
    )
    def test_a_url(self, server, dialect, begins):
        one = server('/nowhere')
        self.assertEqual(
            f'{begins}://manila:S3cr%2Ft%3Aw%40rd%25@127.0.0.1:{one.port}/d',
            one.url('d', dialect),
        )


class ServerProgramsTest(testtools.TestCase):
    def test_a_package_is_named_once(self):
        self.assertEqual(
            ['other', 'package'],
            server_programs.missing(
                {('no-such-a',): 'package', ('no-such-b', 'sh'): 'none'},
                {('no-such-c',): 'package', ('no-such-d',): 'other'},
            ),
        )

    def test_the_first_name_that_there_is_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'of-its-own')
            path.write_text('#!/bin/sh\n')
            path.chmod(0o755)
            self.assertEqual(
                str(path), server_programs.program('no-such', str(path))
            )
