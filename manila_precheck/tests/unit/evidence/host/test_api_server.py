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

import os

import ddt
import fixtures
import testtools

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import api_server
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import service_processes

PROGRAM = api_server.Kind.PROGRAM
SCRIPT = api_server.Kind.SCRIPT
APPLICATION = api_server.Kind.APPLICATION


def look(site):
    return api_server.look(service_processes.look(site))


def of_command(words):
    found = commands.of_words(words)
    if found is None or found.service != commands.API:
        return None
    return found.kind


class ApiServerCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = self.useFixture(fixtures.TempDir()).path
        self.site = tree.Directory(self.root)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return f'/{name}'


@ddt.ddt
class ApiServerTest(ApiServerCase):
    @ddt.data(
        # systemd, a virtual environment, a module, a title set by the program
        ('/usr/bin/python3 /usr/bin/manila-api --config-file x', PROGRAM),
        ('/opt/v/bin/python3.12 /opt/v/bin/manila-api', PROGRAM),
        ('python3 -m manila.cmd.api', PROGRAM),
        ('/usr/bin/manila-api', PROGRAM),
        ('manila-api: master process', PROGRAM),
        ('uwsgi --http :8786 --wsgi-file /usr/local/bin/manila-wsgi', SCRIPT),
        ('uwsgi --wsgi-file=/opt/v/bin/manila-wsgi', SCRIPT),
        ('/v/bin/python3 /v/bin/manila-wsgi --port 8786', SCRIPT),
        ('gunicorn manila.wsgi.api:application', APPLICATION),
        ('uwsgi --wsgi-file /var/www/cgi-bin/manila/manila-wsgi', APPLICATION),
        ('uwsgi --ini /etc/manila/manila-uwsgi.ini', APPLICATION),
        ('/usr/sbin/apache2 -k start', None),
        ('/usr/bin/python3 /usr/bin/manila-share', None),
        ('/usr/bin/python3', None),
        ('grep manila-api', None),
        ('vim /usr/bin/manila-wsgi', None),
        ('', None),
    )
    @ddt.unpack
    def test_command(self, line, kind):
        self.assertEqual(kind, of_command(line.split(' ')))

    def test_uwsgi_that_calls_itself_so(self):
        self.assertIsNone(of_command(['manila-api uWSGI worker 1', '']))

    def test_nothing(self):
        self.assertEqual((), look(self.site))

    @ddt.data(
        ('False', True),
        ('0', True),
        ('true', False),
        ('YES', False),
        ('', False),
    )
    @ddt.unpack
    def test_eventlet_that_the_environment_asks_for(self, value, eventlet):
        self.write('proc/7/cmdline', 'python3\0/usr/bin/manila-api\0')
        self.write(
            'proc/7/environ',
            f'OS_MANILA_DISABLE_EVENTLET_PATCHING={value}\0',
        )
        self.assertEqual(
            (api_server.ApiSign(PROGRAM, eventlet=eventlet),), look(self.site)
        )

    def test_processes_each_once(self):
        for number in (7, 8):
            self.write(
                f'proc/{number}/cmdline', 'python3\0/usr/bin/manila-api\0'
            )
        self.write('proc/9/cmdline', '')
        self.write('proc/self/cmdline', 'uwsgi\0manila.wsgi.api\0')
        self.assertEqual((api_server.ApiSign(PROGRAM),), look(self.site))

    @ddt.data(
        (
            'etc/apache2/sites-enabled/manila.conf',
            '<VirtualHost *:8786>\n# /usr/bin/manila-wsgi\n'
            '  WSGIScriptAlias / /usr/bin/manila-wsgi\n',
            SCRIPT,
            3,
        ),
        (
            'etc/httpd/conf.d/10-manila_wsgi.conf',
            'WSGIScriptAlias / "/var/www/cgi-bin/manila/manila-wsgi"\n',
            APPLICATION,
            1,
        ),
        (
            'etc/manila/manila-uwsgi.ini',
            '[uwsgi]\nmodule = manila.wsgi.api:application\n',
            APPLICATION,
            2,
        ),
        (
            'etc/uwsgi/apps-enabled/manila-api.ini',
            '[uwsgi]\n;wsgi-file = x\nwsgi-file = /os/v/bin/manila-wsgi\n',
            SCRIPT,
            3,
        ),
    )
    @ddt.unpack
    def test_web_server(self, name, text, kind, line):
        path = self.write(name, text)
        self.assertEqual(
            (api_server.ApiSign(kind, path, line),), look(self.site)
        )

    def test_a_pipe_was_waited_for(self):
        self.write('etc/httpd/conf.d/a.txt', '')
        os.mkfifo(os.path.join(self.root, 'etc/httpd/conf.d/a.conf'))
        self.assertEqual((), look(self.site))

    def test_a_link_is_what_it_leads_to(self):
        self.write('usr/bin/manila-wsgi', '')
        os.makedirs(os.path.join(self.root, 'var/www'))
        os.symlink(
            '/usr/bin/manila-wsgi',
            os.path.join(self.root, 'var/www/manila-wsgi'),
        )
        path = self.write(
            'etc/httpd/conf/httpd.conf',
            'WSGIScriptAlias / /var/www/manila-wsgi',
        )
        self.assertEqual(
            (api_server.ApiSign(SCRIPT, path, 1),), look(self.site)
        )

    def test_what_may_not_be_read(self):
        path = self.write('etc/httpd/conf.d/a.conf', '/usr/bin/manila-wsgi')
        path = f'{self.root}{path}'
        os.chmod(path, 0)
        if os.geteuid() == 0:
            # root reads it all the same.
            os.unlink(path)
            os.mkdir(path)
        self.assertEqual((), look(self.site))

    def test_a_line_that_took_quadratic_time(self):
        for line, kind in (
            ('/' * 2**20, None),
            ('manila' * 2**17, None),
            ('a/manila-wsgi' * 2**16, APPLICATION),
            # A byte that no path has.
            ('/a\0b/manila-wsgi', APPLICATION),
        ):
            self.assertEqual(kind, of_command(['uwsgi', line]))


@ddt.ddt
class UnitTest(ApiServerCase):
    """What systemd starts with the machine, while nothing of it runs."""

    NAME = 'openstack-manila-api.service'
    EXEC = 'ExecStart=/usr/bin/manila-api --config-file /etc/x\n'

    def unit(self, text, name=NAME):
        self.write(f'etc/systemd/system/multi-user.target.wants/{name}', '')
        return self.write(f'usr/lib/systemd/system/{name}', text)

    def look(self):
        return look(self.site)

    def test_a_service_of_its_own_was_not_seen(self):
        path = self.unit(f'[Service]\nType=simple\n{self.EXEC}')
        self.assertEqual((api_server.ApiSign(PROGRAM, path, 3),), self.look())

    @ddt.data(
        ('ExecStart=@-/opt/v/bin/python3 /opt/v/bin/manila-api\n', PROGRAM),
        ('ExecStart=/v/bin/uwsgi --wsgi-file /v/bin/manila-wsgi\n', SCRIPT),
        (
            'ExecStart = /v/bin/uwsgi --ini /etc/manila/uwsgi.ini\n',
            APPLICATION,
        ),
    )
    @ddt.unpack
    def test_what_it_starts(self, text, kind):
        path = self.unit(text)
        self.assertEqual((api_server.ApiSign(kind, path, 1),), self.look())

    @ddt.data(
        'ExecStart=/etc/init.d/manila-api systemd-start\n',
        'ExecStart=/usr/bin/manila-share\n',
        'ExecStart=/usr/bin/manila-api\nExecStart=\n',
        '# ExecStart=/usr/bin/manila-api\n',
        'ExecStart=-\n',
        'ExecStart=/usr/bin/manila-api\nExecStart=  \n',
        '',
    )
    def test_what_starts_something_else(self, text):
        self.unit(text)
        self.assertEqual((), self.look())

    def test_a_unit_that_is_not_enabled(self):
        self.write(f'usr/lib/systemd/system/{self.NAME}', self.EXEC)
        self.assertEqual((), self.look())

    def test_a_unit_that_is_masked(self):
        self.unit(self.EXEC)
        path = os.path.join(self.root, 'etc/systemd/system', self.NAME)
        os.symlink('/dev/null', path)
        self.assertEqual((), self.look())

    def test_a_unit_that_the_site_has_changed(self):
        self.unit(self.EXEC)
        path = self.write(
            f'etc/systemd/system/{self.NAME}.d/web.conf',
            '[Service]\nExecStart=\nExecStart=/bin/uwsgi manila.wsgi.api\n',
        )
        self.assertEqual(
            (api_server.ApiSign(APPLICATION, path, 3),), self.look()
        )

    def test_what_runs_tells_better(self):
        self.unit(self.EXEC)
        self.write('proc/7/cmdline', 'uwsgi\0manila.wsgi.api\0')
        self.assertEqual((api_server.ApiSign(APPLICATION),), self.look())
