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

"""Make and fill databases by a real manila release, and run the command."""

import json
import os
import random
import subprocess
import sys

import fixtures
from testtools import content

from manila_precheck.tests import venvs
from qa.real import plain_rows
from qa.real import servers

#: The variable that names the directory with an environment for each release:
#: m18, m20, m22.
VENVS = 'MANILA_PRECHECK_VENVS'

#: The variable with the seed of the rows; each run has a new one by default.
SEED = 'MANILA_PRECHECK_REAL_SEED'

#: A password that needs quoting in a URL. No output may contain it.
PASSWORD = 'S3cr/t:w@rd%'

#: The limit for the rows of services; see fill.py for their ages.
SERVICE_DOWN_TIME_SECONDS = 1800

_FILL = os.path.join(os.path.dirname(__file__), 'fill.py')

_MANAGE = os.path.join(os.path.dirname(__file__), 'manage.py')


def why_not(major):
    """Return why a release cannot be used; None when it can."""
    folder = os.environ.get(VENVS)
    if not folder:
        return venvs.NOT_SET
    if not os.path.exists(program(major, 'manila-manage')):
        return f'{VENVS} ({folder}) has no manila {major} in m{major}'
    return None


def program(major, name):
    """Return the path of a program, such as 'python', of a release."""
    return os.path.join(os.environ[VENVS], f'm{major}', 'bin', name)


def _environment():
    """Return the environment of a program of a release."""
    return {
        **os.environ,
        'OS_MANILA_DISABLE_EVENTLET_PATCHING': '1',
        'PYTHONPATH': '',
    }


class Manage(fixtures.Fixture):
    """manila-manage of one release, which can run any number of times."""

    def __init__(self, major):
        super().__init__()
        self._major = major

    def _setUp(self):
        self._path = self.useFixture(fixtures.TempDir()).path
        self._process = subprocess.Popen(
            [program(self._major, 'python'), _MANAGE],
            env=_environment(),
            cwd=self._path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The releases print warnings when they are imported.
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self._end)

    def _end(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=300)

    def run(self, url, *words):
        """Run a command on a database; return (exit code, its output)."""
        conf = os.path.join(self._path, 'manila.conf')
        output = os.path.join(self._path, 'output')
        with open(conf, 'w', encoding='utf-8') as stream:
            stream.write(
                f'[DEFAULT]\nstate_path = {self._path}\n'
                f'[database]\nconnection = {quoted(url)}\n'
            )
        line = json.dumps([output, '--config-file', conf, *words])
        self._process.stdin.write(line + '\n')
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        with open(output, encoding='utf-8', errors='replace') as stream:
            return code, stream.read()


class Deployment(fixtures.Fixture):
    """A database of one release on one server, with an account to read it.

    :param server: the server on which it is made.
    :param major: manila's major version.
    :param migrate: False leaves the database empty.
    :param fill: False leaves the tables empty.
    :param make: a function that makes the database, called with its name;
        None for an empty database.
    :param revision: the revision at which the migrations end; None for the
        last one. The models of the release do not fit an earlier one: every
        table then gets two plain rows.
    """

    def __init__(
        self,
        server,
        major,
        migrate=True,
        fill=True,
        make=None,
        revision=None,
    ):
        super().__init__()
        self.server = server
        self.major = major
        self._revision = revision
        self._make = make or server.create
        self._migrate = migrate
        self._fill = fill and migrate

    def _setUp(self):
        self._connection = None
        self.path = self.useFixture(fixtures.TempDir()).path
        self.database = self.server.new_name()
        self.reader = self.server.new_name()
        self._make(self.database)
        self.addCleanup(self.server.drop, self.database)
        self.write(
            'manila.conf',
            f'[DEFAULT]\nstate_path = {self.path}\n'
            f'log_file = {self.path}/manila.log\n'
            '[database]\nconnection = '
            + quoted(self.server.url(self.database))
            + '\n',
        )
        if self._migrate:
            self.manage('db', 'sync', *filter(None, [self._revision]))
        if self._fill and self._revision:
            plain_rows.fill(self.server.url(self.database))
        elif self._fill:
            self.fill()
        self.server.create_reader(self.database, self.reader, PASSWORD)
        self.addCleanup(self.server.drop_account, self.database, self.reader)

    def fill(self):
        """Make rows of every kind by the release."""
        seed = int(os.environ.get(SEED) or random.randrange(10**6))
        done = self._run('python', _FILL, '--seed', str(seed))
        made = json.loads(done.stdout.splitlines()[-1])
        words = ', '.join(f'{count} {what}' for what, count in made.items())
        text = f'manila {self.major} on {self.server.name}, {SEED}={seed}'
        self.made = made
        #: All random choices of a test follow from this.
        self.seed = seed
        self.addDetail('rows', content.text_content(text))
        # Print this for each database, even if the tests pass.
        sys.stderr.write(f'{text}: {words}\n')

    def grant(self):
        """Grant the reader access to tables that were made since."""
        self.server.grant(self.database, self.reader)

    def manage(self, *words):
        """Run manila-manage of the release."""
        return self._run('manila-manage', *words)

    def _run(self, name, *words):
        conf = ['--config-file', self.file('manila.conf')]
        first = list(words[:1]) if name == 'python' else []
        done = subprocess.run(
            [
                program(self.major, name),
                *first,
                *conf,
                *words[len(first) :],
            ],
            env=_environment(),
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if done.returncode:
            raise RuntimeError(
                f'manila {self.major}: {" ".join(words)} gave '
                f'{done.returncode}\n{done.stdout[-2000:]}'
                f'{done.stderr[-4000:]}'
            )
        return done

    def file(self, name):
        """Return the path of a file of the deployment."""
        return os.path.join(self.path, name)

    def write(self, name, text):
        """Write a file and return its path."""
        with open(self.file(name), 'w', encoding='utf-8') as stream:
            stream.write(text)
        return self.file(name)

    def remove(self, name):
        """Remove a file."""
        os.remove(self.file(name))

    def rows(self, sql):
        """Run a statement as the administrator, always on one connection."""
        if self._connection is None:
            self._connection = self.server.connect(self.database)
            self.addCleanup(self._connection.close)
        return servers.execute(self._connection, sql)

    def number(self, sql):
        """Return the number that a statement selects."""
        return int(self.rows(sql)[0][0])

    def url(self, **kwargs):
        """Return the URL by which the reader reaches the database."""
        kwargs = {'user': self.reader, 'password': PASSWORD, **kwargs}
        return self.server.url(self.database, **kwargs)

    def conf(self, url=None, more=''):
        """Write the configuration of a run and return its path.

        :param url: the connection; None for the reader's URL, '' for none.
        :param more: further lines.
        """
        if url is None:
            url = self.url()
        return self.write(
            'precheck.conf',
            f'[DEFAULT]\nservice_down_time = {SERVICE_DOWN_TIME_SECONDS}\n'
            + (f'[database]\nconnection = {quoted(url)}\n' if url else '')
            + '[manila_precheck]\nmax_listed = 100000\n'
            + more,
        )


def quoted(value):
    """Return a value as it is written in a file of oslo.config."""
    return value.replace('$', '$$')


def command(*words, timeout_seconds=120):
    """Run manila-precheck as an operator does."""
    script = os.path.join(os.path.dirname(sys.executable), 'manila-precheck')
    if os.path.exists(script):
        start = [script]
    else:
        start = [
            sys.executable,
            '-c',
            'import sys; from manila_precheck.cmd import precheck; '
            'sys.exit(precheck.main())',
        ]
    return subprocess.run(
        [*start, *words],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
    )
