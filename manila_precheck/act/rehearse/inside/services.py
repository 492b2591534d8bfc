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

"""The start of one service, stage by stage."""

import importlib
import logging
import os
import sys
import tempfile

from manila_precheck.act.rehearse.inside import confinement
from manila_precheck.act.rehearse.inside import errors
from manila_precheck.act.rehearse.inside import world

MOST_RULES = 50
MOST_READ = 40
MOST_STOPS = 10
MOST_LINES = 10
PROJECT_ID = 'a' * 32

SHARE = 'manila-share'
API = 'manila-api'
#: Tasks that are no programs: load the policies of manila-api, and read which
#: back ends manila-share has.
POLICIES = 'policies'
BACK_ENDS = 'back ends'


class Task:
    """The start of one service, stage by stage."""

    def __init__(self, request, task):
        self.request = request
        self.service = task['service']
        self.back_end = task.get('back_end', '')
        self.program = task.get('program', True)
        self.locations = task['locations']
        self.variables = task['variables']
        self.directory = request['directory']
        self.sockets = [
            str(request['place'][name])
            for name in ('unix_socket', 'host')
            if str(request['place'].get(name, '')).startswith('/')
        ]
        self.world = world.World(self.directory, self.sockets)
        self.reached = ''
        self.stopped = []
        self.beyond = []
        self.read = []
        self.passed = []
        self.asked = frozenset(request.get('asked', ()))
        self.accepted = set()
        self.servers = []
        self.found = {}
        self.tell = lambda words: None

    # -- its configuration

    def arguments(self):
        """Return the command line: the files of the service, and ours."""
        words = []
        for path in self.locations:
            kind = '--config-dir' if os.path.isdir(path) else '--config-file'
            words += [kind, path]
        # With a file and a directory named, oslo.config does not look for
        # the default ones.
        empty = os.path.join(self.directory, 'empty')
        os.makedirs(empty, exist_ok=True)
        ours = os.path.join(self.directory, 'rehearsal.conf')
        if not os.path.exists(ours):
            with open(ours, 'w', encoding='utf-8'):
                pass
        return [*words, '--config-dir', empty, '--config-file', ours]

    def before(self):
        """Return the operator's values of the options that are replaced."""
        from oslo_config import cfg

        conf = cfg.ConfigOpts()
        names = [
            ('database', 'connection', [('DEFAULT', 'sql_connection')]),
            ('coordination', 'backend_url', []),
            ('oslo_concurrency', 'lock_path', [('DEFAULT', 'lock_path')]),
            ('DEFAULT', 'state_path', []),
        ]
        for group, name, old in names:
            conf.register_opt(
                cfg.StrOpt(
                    name,
                    deprecated_opts=[
                        cfg.DeprecatedOpt(n, group=g) for g, n in old
                    ],
                ),
                group=None if group == 'DEFAULT' else group,
            )
        try:
            conf(
                self.arguments(),
                project='manila',
                default_config_files=[],
                default_config_dirs=[],
            )
            return {
                (group, name): (
                    conf[name] if group == 'DEFAULT' else conf[group][name]
                )
                for group, name, _ in names
            }
        except Exception:
            # The service itself will report the error.
            return {}

    def replace(self):
        """Point the options that lead elsewhere to the copy or the directory.

        A variable of the environment takes precedence over every file
        (oslo.config 9.1 to 10.7 cfg.py, _do_get).
        """
        for name in list(os.environ):
            if name.startswith(('OS_', 'OSLO_', 'MANILA_')):
                del os.environ[name]
        os.environ.update(self.variables)
        os.environ['TMPDIR'] = tempfile.tempdir = self.directory
        # stevedore writes a cache of the entry points here.
        os.environ['XDG_CACHE_HOME'] = self.directory
        theirs = self.before()
        self.connection = theirs.get(('database', 'connection')) or ''
        ours = {
            'OS_DATABASE__CONNECTION': self.request['connection'] or '',
            'OS_DATABASE__SLAVE_CONNECTION': '',
            'OS_DATABASE__CONNECTION_PARAMETERS': '',
            'OS_DATABASE__MAX_RETRIES': '1',
            # Otherwise a memcached would be asked before Keystone.
            'OS_KEYSTONE_AUTHTOKEN__MEMCACHED_SERVERS': '',
        }
        if theirs.get(('oslo_concurrency', 'lock_path')):
            ours['OS_OSLO_CONCURRENCY__LOCK_PATH'] = self.directory
        url = theirs.get(('coordination', 'backend_url'))
        if url is None or url.startswith('file:'):
            ours['OS_COORDINATION__BACKEND_URL'] = (
                'file://' + self.directory + '/coordination'
            )
        os.environ.update(ours)
        self.lead_middleware()

    def lead_middleware(self):
        """Make filters with oslo_config_project read the staged files.

        Such a filter reads the default files of that project by itself
        (oslo.middleware 4.5 to 7.0 base.py): here those of the host.
        """
        from oslo_config import cfg

        for name, wanted in (
            ('find_config_files', os.path.isfile),
            ('find_config_dirs', os.path.isdir),
        ):
            setattr(cfg, name, self.staged(getattr(cfg, name), wanted))

    def staged(self, real, wanted):
        """Return a function that finds the service's files or directories.

        :param real: the function of oslo.config, used for other projects.
        :param wanted: says whether a path is of the wanted kind.
        """

        def find(project=None, *args, **kwargs):
            if project != 'manila':
                return real(project, *args, **kwargs)
            return [path for path in self.locations if wanted(path)]

        return find

    # -- stages

    def stage(self, name, what):
        """Run one stage; return its result, and whether it completed."""
        self.reached = name
        self.tell(name)
        self.read = []
        self.world.waits = 0
        self.world.hasten()
        touched = len(self.world.touched)
        try:
            found = what()
            if name not in self.passed:
                self.passed.append(name)
            return found, True
        except world.OutsideOfRehearsal as exc:
            self.note_beyond(name, str(exc))
        except (Exception, SystemExit) as exc:
            door = errors.world_in(exc)
            if not door and len(self.world.touched) > touched:
                # The driver turned a refused access into an error of its own.
                door = self.world.touched[-1]
            if door:
                self.note_beyond(name, door, errors.text_of(exc))
            elif errors.is_ours(exc):
                self.note_beyond(
                    name,
                    'a step of the rehearsal',
                    errors.text_of(exc),
                    unknown=True,
                )
            else:
                self.note_stopped(name, exc)
        return None, False

    def note_beyond(self, stage, door, words='', unknown=False):
        """Note why the rehearsal of a service cannot go on.

        :param unknown: whether the cause is not a refused access.
        """
        one = {'at': stage, 'door': door, 'words': words, 'unknown': unknown}
        if one not in self.beyond:
            self.beyond.append(one)

    def note_stopped(self, stage, exc, rules=()):
        options, sections = errors.about(exc)
        self.stopped.append(
            {
                'at': stage,
                'error': type(exc).__name__,
                'words': errors.words_of(exc),
                'place': errors.place(exc),
                'options': options,
                'sections': sections,
                'read': list(dict.fromkeys(self.read))[-MOST_READ:],
                'rules': list(rules),
                'ends': True,
            }
        )

    def note_said(self, stage, words):
        """Note an error that the service logs before it goes on."""
        self.stopped.append(
            {
                'at': stage,
                'error': '',
                'words': words[: errors.MOST_CHARACTERS],
                'place': '',
                'options': [],
                'sections': [],
                'read': [],
                'rules': [],
                'ends': False,
            }
        )

    def outcome(self):
        return {
            'service': self.service,
            'back_end': self.back_end,
            'reached': self.reached,
            'stopped': self.stopped[:MOST_STOPS],
            'beyond': self.beyond[:MOST_STOPS],
            'passed': self.passed,
            'accepted': sorted(self.accepted),
            **self.found,
        }

    def run(self):
        self.replace()
        sys.argv = [self.service, *self.arguments()]
        logging.disable(logging.CRITICAL)
        keep_logs_away(self.directory)
        self.world.close()
        {
            API: self.run_api,
            POLICIES: self.run_policies,
            BACK_ENDS: self.run_back_ends,
        }.get(self.service, self.run_daemon)()

    def watch(self):
        """Note the options that are read, and refuse other databases.

        Call it after the program is imported, since that has eventlet patch
        the modules as they are then.
        """
        confinement.guard_connections(
            self.request['place'], self.request['settings']
        )
        from oslo_config import cfg

        real = cfg.ConfigOpts._get
        task = self

        def get(self, name, group=None, namespace=None):
            title = getattr(group, 'name', group) or 'DEFAULT'
            read = f'{title}/{name}'
            task.read.append(read)
            value = real(self, name, group, namespace)
            if read in task.asked:
                task.accepted.add(read)
            return value

        cfg.ConfigOpts._get = get

    # -- the daemons

    def run_daemon(self):
        name = self.service.rpartition('-')[2]
        module, done = self.stage(
            'import',
            lambda: importlib.import_module('manila.cmd.' + name),
        )
        if not done:
            return
        self.watch()
        self.stand_in()
        _, done = self.stage('start', module.main)
        if not done:
            return
        if not self.servers:
            self.note_beyond('start', 'it makes no service', unknown=True)
            return
        (server,) = self.servers[:1]
        self.stage('database', lambda: self.read_service(server))
        if self.service == SHARE:
            driver = server.manager.driver
            _, done = self.stage('setup', lambda: self.set_up(driver))
            if done:
                # The next step of ShareManager.init_host().
                self.stage(
                    'capabilities', lambda: driver.get_share_stats(True)
                )
        self.stage('coordination', lambda: self.coordinate(server))
        self.stage('options', self.log_options)

    def stand_in(self):
        """Collect the services that main() makes, without starting them."""
        from manila import service

        self.waits_so = {
            'wait': service.wait,
            'launcher': service.process_launcher,
        }
        task = self

        class Launcher:
            def launch_service(self, server, *args, **kwargs):
                if server is not None:
                    task.servers.append(server)

            def wait(self):
                pass

        service.process_launcher = lambda *args, **kwargs: Launcher()
        service.serve = lambda server, *args, **kwargs: task.servers.append(
            server
        )
        service.wait = lambda: None
        real = service.Service.create.__func__

        def create(cls, *args, **kwargs):
            wanted = kwargs.get('service_name') or ''
            if task.back_end and wanted != task.back_end:
                return None
            return real(cls, *args, **kwargs)

        service.Service.create = classmethod(create)

    def read_service(self, server):
        """Read the row of the service, as Service.start() does first."""
        if not self.sockets:
            self.world.turn_away('reads the database')
        from manila import context
        from manila import db
        from manila import exception

        try:
            db.service_get_by_args(
                context.get_admin_context(), server.host, server.binary
            )
        except exception.NotFound:
            pass

    def set_up(self, driver):
        """Set a driver up as ShareManager.init_host() does, once."""
        from manila import context

        driver.do_setup(context.get_admin_context())
        driver.check_for_setup_error()
        manager = getattr(driver, 'service_instance_manager', None)
        if driver.driver_handles_share_servers and manager is not None:
            manager.network_helper.setup_connectivity_with_service_instances()

    def coordinate(self, server):
        if server.coordinator:
            from manila import coordination

            coordination.LOCK_COORDINATOR.start()

    def log_options(self):
        """Read every option, if the service logs them all at startup."""
        from oslo_config import cfg

        if self.service in (SHARE, API):
            from oslo_service import service

            names = set()
            for cls in service.ProcessLauncher.__mro__:
                for value in vars(cls).values():
                    code = getattr(value, '__code__', None)
                    names |= set(code.co_names if code else ())
            # The launcher itself registers these options.
            options = importlib.import_module('oslo_service._options')
            cfg.CONF.register_opts(options.service_opts)
            module = sys.modules[service.ProcessLauncher.__module__]
            # In 2026.2, cotyledon logs the options for services with threads.
            logs = cfg.CONF.log_options and (
                'log_opt_values' in names
                or hasattr(module, 'oslo_config_glue')
            )
        else:
            logs = 'log_opt_values' in self.waits_so['wait'].__code__.co_names
        if logs:
            cfg.CONF.log_opt_values(logging.getLogger(), logging.DEBUG)

    # -- the API

    def run_api(self):
        app = self.load_program() if self.program else self.load_application()
        if app is None:
            return
        self.stage('database driver', self.database_driver)
        self.stage('requests', lambda: self.ask(app, '/'))
        # This request is checked against the policies, then reads the
        # database.
        path = f'/v2/{PROJECT_ID}/services'
        self.stage('requests', lambda: self.ask(app, path))

    def load_application(self):
        """Load the application that a web server loads."""
        module, done = self.stage(
            'import', lambda: importlib.import_module('manila.wsgi.wsgi')
        )
        if not done:
            return None
        self.watch()
        return self.stage('application', module.initialize_application)[0]

    def load_program(self):
        """Load the application that the program manila-api serves."""
        module, done = self.stage(
            'import', lambda: importlib.import_module('manila.cmd.api')
        )
        if not done:
            return None
        self.watch()
        self.stand_in()
        from oslo_service import wsgi

        class Server:
            def __init__(self, conf, name, app, *args, **kwargs):
                self.app = app
                if kwargs.get('use_ssl'):
                    sslutils = importlib.import_module('oslo_service.sslutils')
                    sslutils.is_enabled(conf)

        wsgi.Server = Server
        _, done = self.stage('application', module.main)
        if not done or not self.servers:
            return None
        self.stage('options', self.log_options)
        return self.servers[0].app

    def database_driver(self):
        """Import the database driver that the operator's connection names."""
        if self.connection:
            import sqlalchemy

            url = sqlalchemy.engine.make_url(self.connection)
            dialect = url.get_dialect()
            # SQLAlchemy 2.0 has renamed it.
            name = (
                'import_dbapi' if hasattr(dialect, 'import_dbapi') else 'dbapi'
            )
            getattr(dialect, name)()

    def ask(self, app, path):
        """Send the application a request, as an administrator of noauth."""
        import webob

        if path != '/' and not self.sockets:
            self.world.turn_away('reads the database')
        request = webob.Request.blank(path)
        request.headers['X-Auth-Token'] = 'admin:' + PROJECT_ID
        response = request.get_response(app)
        if response.status_int >= 500:
            words = response.body[: errors.MOST_CHARACTERS].decode(
                'utf-8', 'replace'
            )
            raise errors.Answered(
                f'GET {path} answers {response.status}: {words}'
            )

    # -- the policies

    def run_policies(self):
        _, done = self.stage('configuration', self.configure)
        if not done:
            return
        self.watch()
        messages = []
        catch = Catch(messages)
        for name in list(logging.root.manager.loggerDict):
            logging.getLogger(name).handlers[:] = []
        logging.root.handlers[:] = [catch]
        logging.getLogger('oslo_policy').setLevel(logging.WARNING)
        logging.disable(logging.NOTSET)
        loaded = self.stage('policies', self.load_policies)[1]
        logging.disable(logging.CRITICAL)
        for words in dict.fromkeys(messages):
            self.note_said('policies', words)
        if loaded:
            self.evaluate()

    def configure(self):
        from manila import rpc  # noqa: F401
        from manila.common import config
        from oslo_config import cfg
        from oslo_log import log

        log.register_options(cfg.CONF)
        cfg.CONF(sys.argv[1:], project='manila', version='')
        if hasattr(config, 'set_lib_defaults'):
            config.set_lib_defaults()

    def load_policies(self):
        from manila import policy

        policy.init()
        policy._ENFORCER.load_rules(True)

    def evaluate(self):
        """Evaluate each rule for each kind of caller; note which raise."""
        from manila import context
        from manila import policy

        self.reached = 'evaluation'
        failed = {}
        for roles in (['admin', 'member', 'reader'], ['member'], ['other']):
            caller = context.RequestContext(
                'user', PROJECT_ID, is_admin='admin' in roles, roles=roles
            )
            target = {'project_id': PROJECT_ID, 'user_id': 'user'}
            for name in sorted(policy._ENFORCER.registered_rules):
                try:
                    policy._ENFORCER.enforce(name, target, caller)
                except world.OutsideOfRehearsal as exc:
                    self.note_beyond('evaluation', str(exc))
                except Exception as exc:
                    if type(exc).__name__ == 'InvalidScope':
                        continue
                    door = errors.world_in(exc)
                    if door:
                        self.note_beyond('evaluation', door)
                        continue
                    known = failed.setdefault(errors.text_of(exc), (exc, []))
                    if name not in known[1]:
                        known[1].append(name)
        for error, rules in failed.values():
            self.note_stopped('evaluation', error, rules[:MOST_RULES])

    # -- the enabled back ends

    def run_back_ends(self):
        def look():
            self.configure()
            from oslo_config import cfg

            self.found['back_ends'] = list(
                cfg.CONF.enabled_share_backends or ()
            )

        self.stage('configuration', look)


class Catch(logging.Handler):
    """Collects the warnings of oslo.policy."""

    def __init__(self, messages):
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record):
        if (
            record.name.startswith('oslo_policy')
            and len(self.messages) < MOST_LINES
        ):
            self.messages.append(record.getMessage())


def keep_logs_away(directory):
    """Redirect log files to our directory, if their own directory exists.

    If it does not, opening the log file fails, as in the real service.
    """
    count = [0]
    real = logging.FileHandler._open

    def opened(self):
        if os.path.isdir(os.path.dirname(self.baseFilename)):
            count[0] += 1
            self.baseFilename = os.path.join(
                directory, f'{os.getpid()}-{count[0]}.log'
            )
        return real(self)

    logging.FileHandler._open = opened
