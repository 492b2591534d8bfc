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

"""A private RabbitMQ, on an address of this host that nobody uses."""

import contextlib
import os
import pathlib
import random
import socket

from manila_precheck.tests import server_programs
from qa.upgrade import processes

#: How long it may take until it answers.
START_SECONDS = 120


#: Where the management plugin listens, and where the command asks it.
_MANAGEMENT_PORT = 15672


def listens(port, address='127.0.0.1'):
    """Say whether something listens on a port of an address."""
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _free_address():
    """Return an address of this host whose management port is free.

    That port cannot be chosen, so several brokers differ by their addresses.
    """
    for number in random.sample(range(2, 255), 250):
        address = f'127.0.0.{number}'
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind((address, _MANAGEMENT_PORT))
            except OSError:
                continue
        return address
    raise processes.Broken(f'port {_MANAGEMENT_PORT} is in use everywhere')


class RabbitMQ:
    """A message broker, with its own port mapper."""

    needs = {('rabbitmq-server',): 'rabbitmq-server', ('epmd',): 'erlang-base'}

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = server_programs.free_port()
        self.address = _free_address()

    def start(self, started):
        """Start it; call wait() to wait until it is up."""
        self.folder.mkdir(parents=True)
        mapper = server_programs.free_port()
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('RABBITMQ_', 'ERL_'))
        }
        env.update(
            HOME=str(self.folder),
            ERL_EPMD_PORT=str(mapper),
            ERL_EPMD_ADDRESS='127.0.0.1',
            RABBITMQ_NODENAME=f'precheck{self.port}@localhost',
            RABBITMQ_MNESIA_BASE=f'{self.folder}/mnesia',
            RABBITMQ_LOG_BASE=f'{self.folder}/log',
            RABBITMQ_CONFIG_FILE=f'{self.folder}/rabbitmq.conf',
            RABBITMQ_CONF_ENV_FILE=f'{self.folder}/absent.conf',
            RABBITMQ_ENABLED_PLUGINS_FILE=f'{self.folder}/plugins',
            RABBITMQ_DIST_PORT=str(server_programs.free_port()),
            RABBITMQ_PID_FILE=f'{self.folder}/pid',
        )
        (self.folder / 'rabbitmq.conf').write_text(
            f'listeners.tcp.1 = {self.address}:{self.port}\n'
            f'management.tcp.ip = {self.address}\n'
            f'management.tcp.port = {_MANAGEMENT_PORT}\n',
            encoding='utf-8',
        )
        (self.folder / 'plugins').write_text(
            '[rabbitmq_management].\n', encoding='utf-8'
        )
        # Otherwise the broker starts a port mapper that outlives it.
        started.start(
            'epmd',
            [
                server_programs.program('epmd'),
                '-port',
                mapper,
                '-address',
                '127.0.0.1',
            ],
            env=env,
            cwd=self.folder,
        )
        processes.wait_for(lambda: listens(mapper), START_SECONDS)
        self._process = started.start(
            # Not Debian's script of that name, which uses the files of
            # another user.
            'rabbitmq',
            [self._script()],
            env=env,
            cwd=self.folder,
        )

    @staticmethod
    def _script():
        own = '/usr/lib/rabbitmq/bin/rabbitmq-server'
        return (
            own
            if os.path.exists(own)
            else server_programs.program('rabbitmq-server')
        )

    def wait(self):
        """Wait until it accepts connections."""

        def up():
            if self._process.code is not None:
                raise processes.Broken(
                    f'RabbitMQ ended:\n{self._process.output()[-3000:]}'
                )
            return listens(self.port, self.address) and listens(
                _MANAGEMENT_PORT, self.address
            )

        if not processes.wait_for(up, START_SECONDS):
            raise processes.Broken(
                f'RabbitMQ did not start:\n{self._process.output()[-3000:]}'
            )

    @property
    def url(self):
        """The value of transport_url."""
        return f'rabbit://guest:guest@{self.address}:{self.port}//'
