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
"""Base class of tests that rehearse a controller from files and backup."""

import json
import os
import pathlib
import subprocess
from typing import Any
from typing import ClassVar

import fixtures
from testtools import content

from qa.real import case
from qa.real import deployment
from qa.real import servers
from qa.upgrade import site as sites


def dump(server, database, path):
    """Write a dump of a database, as an operator makes it."""
    tool = ['mariadb-dump', f'--user={server.user}', '--single-transaction']
    if isinstance(server, servers.PostgreSQL):
        tool = ['pg_dump', f'--username={server.user}']
    with open(path, 'wb') as stream:
        subprocess.run(
            [
                *tool,
                f'--host={server.host}',
                f'--port={server.port}',
                database,
            ],
            env={
                **os.environ,
                'MYSQL_PWD': server.password,
                'PGPASSWORD': server.password,
            },
            check=True,
            stdout=stream,
        )


class RehearsalCase(case.RealCase):
    """Rehearses the upgrade of a controller on a filled database."""

    server_class: ClassVar[Any] = servers.MySQL
    #: The major version of the target.
    target_major: ClassVar[int]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = deployment.why_not(cls.target_major)
        if why:
            raise RuntimeError(why)

    def setUp(self):
        super().setUp()
        self.home = self.useFixture(fixtures.TempDir()).path
        # The server of the copy runs as nobody.
        os.chmod(self.home, 0o711)
        self.useFixture(fixtures.EnvironmentVariable('TMPDIR', self.home))
        state = pathlib.Path(self.home, 'state')
        state.mkdir()
        self.files = sites.make(
            pathlib.Path(self.home, 'home'),
            os.path.join(
                os.environ[deployment.VENVS],
                f'm{self.target_major}/etc/manila/api-paste.ini',
            ),
            state=state,
            connection=deployment.quoted(self.server.url(self.site.database)),
            transport_url='rabbit://guest@127.0.0.1:1/',
            api_port=8786,
            backup=self.home,
            # From 2026.2 on, manila-api needs a web server.
            api_server=sites.API_SERVER if self.target_major > 22 else '',
        )

    @property
    def python(self):
        """The interpreter of the target's environment."""
        return deployment.program(self.target_major, 'python')

    def dump(self, database):
        """Make a dump of a database as an operator does; return its path."""
        path = os.path.join(self.home, 'backup.sql')
        dump(self.server, database, path)
        return path

    def words(self, backup, *more):
        """Return the arguments of the command."""
        return [
            '--config-file',
            str(self.files.conf),
            'upgrade',
            'rehearse',
            f'--backup={backup}',
            f'--target-python={self.python}',
            '--no-database',
            '--format=json',
            *more,
        ]

    def rehearse(self, backup, *more):
        """Rehearse; return {phase: [its findings above INFO]}."""
        done = deployment.command(
            *self.words(backup, *more), timeout_seconds=900
        )
        self.addDetail('standard error', content.text_content(done.stderr))
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        return {
            one['id']: [
                finding
                for finding in one['findings']
                if finding['severity'] != 'info'
            ]
            for one in json.loads(done.stdout)['checks']
            if one['id'].startswith('rehearse-')
        }
