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

"""The services of one release on one controller."""

from qa.upgrade import api
from qa.upgrade import processes

#: How long a service may take from its start to its first report.
START_SECONDS = 120

#: How long a service may take to stop. manila-share of 2026.1 mostly outlives
#: SIGTERM; its row says "stopped" long before the process is gone.
STOP_SECONDS = 30

#: The services, in the order in which manila's upgrade guide stops them.
SERVICES = ('manila-api', 'manila-scheduler', 'manila-share', 'manila-data')

_SERVE = """\
import sys
import waitress
sys.argv[1:] = []
from manila.wsgi import api
waitress.serve(api.application, host='127.0.0.1', port=%d, threads=4)
"""


class Plane:
    """Starts and stops the services of a release on a site."""

    def __init__(self, environments, release, site, started, database):
        self.environments = environments
        self.release = release
        self.site = site
        self.database = database
        self._started = started
        self.running = {}

    def env(self):
        """Return the environment of this release's programs."""
        return self.site.env(self.environments.home(self.release) / 'bin')

    def manage(self, *words):
        """Run manila-manage; return its result, even if it failed."""
        return processes.run(
            [self.environments.program(self.release, 'manila-manage'), *words],
            env=self.env(),
            cwd=self.site.home,
            seconds=300,
        )

    def begin(self, *words):
        """Start manila-manage in the background."""
        return self._started.start(
            f'{self.release}-manila-manage',
            [self.environments.program(self.release, 'manila-manage'), *words],
            self.env(),
            self.site.home,
        )

    def start(self, name, port=None, itself=False, wsgi=False):
        """Start one service, without waiting until it is up.

        :param itself: start manila-api by its own program, even if the release
            does not support that.
        :param wsgi: serve the API by a web server, even if the release does
            not require that.
        """
        program = self.environments.program(self.release, name)
        env = self.env()
        words = [program]
        if (
            name == 'manila-api'
            and not itself
            and (wsgi or not self.environments.has_api(self.release))
        ):
            env['PYTHONPATH'] = str(self.environments.wsgi_server)
            words = [
                self.environments.program(self.release, 'python'),
                '-c',
                _SERVE % port,
            ]
        process = self._started.start(
            f'{self.release}-{name}', words, env, self.site.home
        )
        self.running[name] = process
        return process

    def start_all(self, port, since):
        """Start the services, the scheduler first, and wait for each.

        On an empty database, services that start together race to create the
        availability zone, and one of them dies.

        :param since: the time of the database before the start.
        """
        self.start('manila-scheduler')
        self.start('manila-api', port)
        self.wait_up('manila-scheduler', 1, since)
        self.start('manila-share')
        self.start('manila-data')
        self.wait_up('manila-share', 3, since)
        self.wait_up('manila-data', 1, since)
        self.wait_api(port)

    def wait_api(self, port):
        """Wait until the API answers."""
        client = api.Client(port)
        self._wait('manila-api', client.alive)

    def wait_up(self, name, count, since, host=None):
        """Wait until this many rows of a service have a new report."""

        def up():
            return self.reporting(name, since, host) >= count

        self._wait(name, up)

    def reporting(self, name, since, host=None):
        """Return how many rows of a service are up, reported after a time."""
        where = f" AND host LIKE '{host}%'" if host else ''
        rows = self.database.run(
            'SELECT COUNT(*) FROM services WHERE deleted = 0 AND '
            f"services.binary = '{name}' AND state = 'up' AND "
            f"updated_at > '{since}'" + where,
            self.database_name,
        )
        return rows[0][0]

    @property
    def database_name(self):
        """The name of the database in manila.conf."""
        for line in self.site.read('manila.conf').splitlines():
            if line.startswith('connection = '):
                return line.rpartition('/')[2]
        raise processes.Broken('no connection in manila.conf')

    def _wait(self, name, what):
        process = self.running[name]

        def there():
            if process.code is not None:
                raise processes.Broken(
                    f'{name} of {self.release} ended with {process.code}:\n'
                    f'{process.output()[-3000:]}'
                )
            return what()

        if not processes.wait_for(there, START_SECONDS):
            raise processes.Broken(
                f'{name} of {self.release} is not up after {START_SECONDS} '
                f's:\n{process.output()[-3000:]}'
            )

    def states(self, name, host):
        """Return the state in each row of a service on a host."""
        return [
            state
            for (state,) in self.database.run(
                'SELECT state FROM services WHERE services.binary = '
                f"'{name}' AND deleted = 0 AND host LIKE '{host}%'",
                self.database_name,
            )
        ]

    def stop(self, name):
        """Stop a service as an init system does."""
        process = self.running.pop(name)
        process.terminate()
        self._reap(process)

    def _reap(self, process):
        # Wait for its children too: up to 2025.1 the parent of manila-share
        # exits before they have marked their rows as stopped.
        process.wait_group(STOP_SECONDS)
        process.kill()

    def stop_all(self):
        """Stop all services at once; idle services need no order."""
        stopped = [
            self.running.pop(name) for name in SERVICES if name in self.running
        ]
        for process in stopped:
            process.terminate()
        for process in stopped:
            self._reap(process)

    def kill(self, name):
        """Kill a service and its children, like a power cut."""
        self.running.pop(name).kill()

    def kill_all(self):
        """Kill all services, when it no longer matters how they end."""
        for name in list(self.running):
            self.kill(name)
