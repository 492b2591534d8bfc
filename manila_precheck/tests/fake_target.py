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
"""An environment with a fake manila that does what a test says.

Its manila-manage reads the configuration with oslo.config, like the real one.
It carries out the steps of a file on the configured database, through
SQLAlchemy. Real releases are run in qa/real.
"""

import json
import os
import shutil
import site
import sys
import sysconfig

import fixtures

_MANAGE = '''
import json
import os
import socket
import sys
import time

from oslo_config import cfg
import sqlalchemy as sa

CONF = cfg.ConfigOpts()
CONF.register_opts(
    [cfg.StrOpt('connection'), cfg.StrOpt('slave_connection')], 'database'
)
CONF.register_opts([cfg.StrOpt('log_file'), cfg.StrOpt('state_path')])


def main():
    CONF(sys.argv[1:-2], project='manila', prog='manila-manage')
    if CONF.database.slave_connection or CONF.log_file:
        raise RuntimeError('the staged file wins')
    engine = sa.create_engine(CONF.database.connection)
    with open(os.path.join(os.path.dirname(__file__), 'steps.json')) as file:
        steps = json.load(file)
    for kind, text in steps:
        if kind == 'sql':
            with engine.begin() as connection:
                connection.exec_driver_sql(text)
        elif kind == 'elsewhere':
            with sa.create_engine(text).connect():
                pass
        elif kind == 'network':
            socket.create_connection(('127.0.0.1', int(text)), 5)
        elif kind == 'environment':
            raise RuntimeError(' '.join(sorted(os.environ)))
        elif kind == 'sleep':
            time.sleep(float(text))
        elif kind == 'raise':
            raise RuntimeError(text)
        elif kind == 'exit':
            sys.exit(text)
        elif kind == 'print':
            print(text * 1000000)
'''


class FakeTarget(fixtures.Fixture):
    """An environment with a fake manila.

    :param version: the version of its manila.
    """

    def __init__(self, version='22.0.2'):
        super().__init__()
        self._version = version

    def _setUp(self):
        #: The directory of the environment.
        self.path = self.useFixture(fixtures.TempDir()).path
        #: Its interpreter.
        self.python = os.path.join(self.path, 'bin', 'python')
        real = os.path.realpath(sys.executable)
        self._write('pyvenv.cfg', f'home = {os.path.dirname(real)}\n')
        os.mkdir(os.path.dirname(self.python))
        os.symlink(real, self.python)
        self._packages = os.path.join(
            'lib',
            f'python{sysconfig.get_python_version()}',
            'site-packages',
        )
        for name in ('manila', 'manila.cmd'):
            self._write_module(f'{name}.__init__', '')
        self._write_module('manila.cmd.manage', _MANAGE)
        self._write(
            f'{self._packages}/manila-{self._version}.dist-info/METADATA',
            f'Metadata-Version: 2.1\nName: manila\nVersion: {self._version}\n',
        )
        # SQLAlchemy, oslo.config and the database drivers come from the
        # environment of the tests.
        self._write(
            f'{self._packages}/tests.pth',
            ''.join(f'{path}\n' for path in site.getsitepackages()),
        )
        self.does()

    def remove_manila(self):
        """Remove manila from the environment."""
        shutil.rmtree(
            os.path.join(
                self.path,
                self._packages,
                f'manila-{self._version}.dist-info',
            )
        )

    def does(self, *steps):
        """Set the steps of its db sync: ('sql', 'ALTER TABLE ...')."""
        self._write(
            f'{self._packages}/manila/cmd/steps.json', json.dumps(steps)
        )

    def _write_module(self, name, text):
        self._write(f'{self._packages}/{name.replace(".", "/")}.py', text)

    def _write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
