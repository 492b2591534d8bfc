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

"""The environments of a run: one for each release, one for the clients.

The environments of the releases are those of ``tox -e real``, made by
``tools/manila_venv.py``; nothing is added to them. The manila-precheck command
is that of the environment in which this program runs.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from manila_precheck import releases
from manila_precheck.tests import tool_scripts
from manila_precheck.tests import venvs
from qa.upgrade import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: The packages that provide the openstack command.
CLIENTS = ('python-openstackclient', 'python-manilaclient')

# The web server for releases whose manila-api does not serve. It is pure
# Python, so one copy works with every interpreter.
_WSGI_SERVER = 'waitress'


def _cache():
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return pathlib.Path(base).expanduser() / 'manila-precheck'


class Environments:
    """Makes the environments, and knows the paths of their programs."""

    def __init__(self):
        self.cache = _cache()
        self.venvs = pathlib.Path(
            venvs.DIRECTORY or self.cache / 'venvs'
        ).expanduser()

    def make(self, wanted):
        """Make the missing environments, two at a time.

        :param wanted: the releases to make environments for.
        """
        self.venvs.mkdir(parents=True, exist_ok=True)
        maker = tool_scripts.load('manila_venv')
        work: list[tuple] = [
            (maker.create, release, self.home(release)) for release in wanted
        ]
        work += [(self._make_clients,), (self._make_wsgi_server,)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(*item) for item in work]:
                future.result()

    def home(self, release):
        """Return the directory of a release's environment."""
        return self.venvs / f'm{release.major}'

    def program(self, release, name):
        """Return the path of a program of a release."""
        return self.home(release) / 'bin' / name

    def has_api(self, release):
        """Say whether manila-api of a release serves by itself.

        From 2026.2 on, manila-api says that it needs an external WSGI server,
        and exits.
        """
        return release < releases.parse('2026.2')

    def etc(self, release):
        """Return the directory in which the package has api-paste.ini."""
        return self.home(release) / 'etc' / 'manila'

    def version(self, release):
        """Return the version of manila in the environment of a release."""
        done = processes.must(
            [
                self.program(release, 'python'),
                '-c',
                'import importlib.metadata as m; print(m.version("manila"))',
            ]
        )
        return done.stdout.strip()

    @property
    def clients(self):
        """The directory of the openstack command."""
        return self.cache / 'clients'

    @property
    def wsgi_server(self):
        """The directory that contains waitress."""
        return self.cache / 'wsgi-server'

    @property
    def command(self):
        """The path of manila-precheck."""
        path = pathlib.Path(sys.executable).parent / 'manila-precheck'
        if not path.exists():
            raise processes.Broken(f'no manila-precheck beside {path}')
        return path

    def _make_clients(self):
        inside = self.clients / 'bin' / 'python'
        if _is_whole(self.clients, CLIENTS):
            return
        shutil.rmtree(self.clients, ignore_errors=True)
        _pip(sys.executable, '-m', 'venv', self.clients)
        _pip(inside, '-m', 'pip', 'install', '--quiet', *CLIENTS)
        _stamp(self.clients, CLIENTS)

    def _make_wsgi_server(self):
        if _is_whole(self.wsgi_server, (_WSGI_SERVER,)):
            return
        shutil.rmtree(self.wsgi_server, ignore_errors=True)
        _pip(
            sys.executable,
            '-m',
            'pip',
            'install',
            '--quiet',
            '--target',
            self.wsgi_server,
            _WSGI_SERVER,
        )
        _stamp(self.wsgi_server, (_WSGI_SERVER,))


def _digest(names):
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _is_whole(home, names):
    try:
        text = (home / 'manila-precheck.stamp').read_text(encoding='utf-8')
    except OSError:
        return False
    return text == _digest(names)


def _stamp(home, names):
    (home / 'manila-precheck.stamp').write_text(
        _digest(names), encoding='utf-8'
    )


def _pip(*words):
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ('PYTHONPATH', 'PYTHONHOME', 'PIP_CONSTRAINT')
    }
    done = subprocess.run(
        [str(word) for word in words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise processes.Broken(
            f'{" ".join(str(word) for word in words)}:\n{done.stdout[-3000:]}'
        )
