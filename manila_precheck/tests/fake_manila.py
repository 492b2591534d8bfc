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

"""A fake manila that has only its start, and drivers that misbehave.

It has an environment of its own, with the libraries of this one. share_driver
and scheduler_driver name a function of manila.deeds, which the driver or the
scheduler calls.
"""

import os
import pathlib
import sys

import fixtures

_FILES = {
    'manila/__init__.py': '',
    'manila/cmd/__init__.py': '',
    'manila/common/__init__.py': '',
    'manila/common/config.py': 'from manila import options  # noqa\n',
    'manila/rpc.py': '',
    'manila/wsgi/__init__.py': '',
    'manila/exception.py': 'class NotFound(Exception):\n    pass\n',
    'manila/context.py': """\
def get_admin_context():
    return None


class RequestContext:
    def __init__(self, user, project, is_admin, roles):
        self.roles = roles
""",
    'manila/db.py': """\
from manila import exception


def service_get_by_args(context, host, binary):
    raise exception.NotFound
""",
    'manila/options.py': """\
from oslo_config import cfg

CONF = cfg.CONF
CONF.register_opts(
    [
        cfg.ListOpt('enabled_share_backends'),
        cfg.StrOpt('scheduler_driver', default='nothing'),
        cfg.StrOpt('data_driver', default='nothing'),
        cfg.StrOpt('api_driver', default='nothing'),
        cfg.StrOpt('policy_driver', default='nothing'),
        cfg.StrOpt('rule_driver', default='nothing'),
        cfg.IntOpt('report_interval', default=10),
        cfg.IntOpt('logged_interval', default=10),
        cfg.StrOpt('state_path'),
    ]
)
CONF.register_opt(cfg.StrOpt('connection'), group='database')
CONF.register_opt(cfg.StrOpt('backend_url'), group='coordination')
""",
    'manila/deeds.py': '''\
import ctypes.util
import os
import socket
import subprocess
import sys
import time

from manila.options import CONF


def nothing():
    pass


def raises():
    raise ValueError('no such mode\\npassword=hunter2')


def connects():
    socket.create_connection(('192.0.2.1', 443))


def connects_and_wraps():
    try:
        connects()
    except BaseException as exc:
        raise RuntimeError('the array does not answer') from exc


def connects_and_gives_up():
    try:
        connects()
    except BaseException:
        pass
    raise RuntimeError('no controller') from None


def looks_up():
    socket.getaddrinfo('array.example.org', 443)


def looks_up_itself():
    socket.getaddrinfo('127.0.0.1', 443)
    socket.getaddrinfo('localhost', 443)


def refused_in_c():
    raise OSError(111, 'Connection refused')


def asks_a_socket():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect('/run/production.sock')


def starts_a_program():
    subprocess.run(['/usr/bin/zpool', 'list'])


def starts_a_shell():
    os.system('true')


def forks():
    os.fork()


def asks_for_a_package():
    try:
        subprocess.run(['rpm', '-q', 'manila'])
    except FileNotFoundError:
        ctypes.util.find_library('c')


def writes():
    with open(os.path.join(CONF.state_path, 'written'), 'w'):
        pass


def writes_low():
    os.open(os.path.join(CONF.state_path, 'written'), os.O_CREAT)


def makes_a_directory():
    os.mkdir(os.path.join(CONF.state_path, 'made'))


def removes():
    os.remove(os.path.join(CONF.state_path, 'kept'))


def renames():
    os.rename(os.path.join(CONF.state_path, 'kept'), '/nonexistent/x')


def writes_nowhere():
    with open('/nonexistent/manila/state', 'w'):
        pass


def makes_what_is_there():
    os.makedirs(CONF.state_path, exist_ok=True)


def writes_a_temporary_file():
    import tempfile

    with tempfile.NamedTemporaryFile('w') as stream:
        stream.write('x')


def waits():
    for _ in range(100):
        time.sleep(600)


def waits_once():
    time.sleep(600)


def never_ends():
    while True:
        pass


def dies():
    os._exit(3)


def exits():
    sys.exit('a driver that exits')


def prints():
    for _ in range(100):
        print('x' * 65536)
        sys.stderr.write('x' * 65536)


def reads_the_environment():
    raise ValueError(CONF.state_path)


def reads_the_connection():
    raise ValueError(CONF.database.connection)


def recurses():
    recurses()
''',
    'manila/service.py': """\
import os

from manila import deeds
from manila.options import CONF
from oslo_config import cfg
from oslo_log import log as logging


class Driver:
    driver_handles_share_servers = False

    def __init__(self, section):
        group = CONF._get_group(section, autocreate=True)
        CONF.register_opts(
            [
                cfg.StrOpt(name, default='nothing')
                for name in ('share_driver', 'setup', 'check', 'capable')
            ],
            group=section,
        )
        self.section = CONF[section]
        getattr(deeds, self.section.share_driver)()

    def do_setup(self, context):
        getattr(deeds, self.section.setup)()

    def check_for_setup_error(self):
        getattr(deeds, self.section.check)()

    def get_share_stats(self, refresh):
        getattr(deeds, self.section.capable)()


class Manager:
    pass


class Service:
    def __init__(self, host, binary, service_name, coordination):
        self.host, self.binary = host, binary
        self.coordinator = coordination
        self.manager = Manager()
        if binary == 'manila-share':
            self.manager.driver = Driver(service_name)
        CONF.report_interval

    @classmethod
    def create(cls, host='h', binary='', service_name=None,
               coordination=False):
        return cls(host, binary, service_name, coordination)


def process_launcher():
    raise AssertionError('nothing is launched')


def serve(server, workers=None):
    raise AssertionError('nothing is served')


def wait():
    CONF.log_opt_values(None, 10)
""",
    'manila/cmd/share.py': """\
import sys

from manila import service
from manila.options import CONF


def main():
    CONF(sys.argv[1:], project='manila')
    launcher = service.process_launcher()
    for name in CONF.enabled_share_backends:
        launcher.launch_service(
            service.Service.create(
                host='h@' + name, service_name=name, binary='manila-share',
                coordination=True,
            )
        )
    launcher.wait()
""",
    'manila/cmd/scheduler.py': """\
import sys

from manila import deeds
from manila import service
from manila.options import CONF


def main():
    CONF(sys.argv[1:], project='manila')
    getattr(deeds, CONF.scheduler_driver)()
    service.serve(service.Service.create(binary='manila-scheduler'))
    service.wait()
""",
    'manila/cmd/data.py': """\
import sys

from manila import deeds
from manila import service
from manila.options import CONF


def main():
    CONF(sys.argv[1:], project='manila')
    getattr(deeds, CONF.data_driver)()
    service.serve(service.Service.create(binary='manila-data'))
    service.wait()
""",
    'manila/wsgi/wsgi.py': """\
import sys

from manila import deeds
from manila.options import CONF


def initialize_application():
    CONF(sys.argv[1:], project='manila')
    getattr(deeds, CONF.api_driver)()
    return CONF
""",
    'manila/coordination.py': """\
class Coordinator:
    def start(self):
        from manila.options import CONF

        path = CONF.coordination.backend_url.partition('//')[2]
        import os

        os.makedirs(path, exist_ok=True)


LOCK_COORDINATOR = Coordinator()
""",
    'manila/policy.py': """\
import logging

from manila import deeds
from manila.options import CONF


class Enforcer:
    registered_rules = {'share:create': None, 'share:get': None}

    def load_rules(self, force):
        getattr(deeds, CONF.policy_driver)()
        if CONF.policy_driver == 'waits_once':
            logging.getLogger('oslo_policy.policy').warning('a dangling rule')
            logging.getLogger('another').warning('nobody asks')

    def enforce(self, name, target, context):
        if name == 'share:get':
            getattr(deeds, CONF.rule_driver)()


_ENFORCER = None


def init():
    global _ENFORCER
    _ENFORCER = Enforcer()
""",
    'oslo_log/__init__.py': '',
    'oslo_log/log.py': 'def register_options(conf):\n    pass\n',
    'oslo_service/__init__.py': '',
    'oslo_service/_options.py': """\
from oslo_config import cfg

service_opts = [cfg.BoolOpt('log_options', default=True)]
""",
    'oslo_service/service.py': """\
class ProcessLauncher:
    def wait(self):
        self.conf.log_opt_values(None, 10)
""",
    'webob.py': """\
from manila import deeds


class Request:
    @classmethod
    def blank(cls, path):
        self = cls()
        self.path, self.headers = path, {}
        return self

    def get_response(self, app):
        failed = app.state_path == '/fails'
        self.status_int = 500 if failed else 200
        self.status = '500 Internal Server Error'
        self.body = b'{"computeFault": {}}'
        return self
""",
}


class FakeManila(fixtures.Fixture):
    """A virtual environment with a fake manila.

    ``python`` is its interpreter.
    """

    def _setUp(self):
        home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        packages = home.joinpath(
            'lib', 'python{}.{}'.format(*sys.version_info), 'site-packages'
        )
        for name, text in _FILES.items():
            path = packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        # The libraries come after the environment's own packages.
        packages.joinpath('libraries.pth').write_text(
            '\n'.join(path for path in sys.path if 'site-packages' in path),
            encoding='utf-8',
        )
        real = os.path.realpath(sys.executable)
        home.joinpath('pyvenv.cfg').write_text(
            f'home = {os.path.dirname(real)}\n', encoding='utf-8'
        )
        binary = home / 'bin'
        binary.mkdir()
        binary.joinpath('python').symlink_to(real)
        self.python = str(binary / 'python')
