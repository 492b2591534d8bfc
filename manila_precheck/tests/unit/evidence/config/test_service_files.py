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


import json
import os
import subprocess
import sys

import ddt
import fixtures
from oslo_config import cfg
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import service_processes

How = service_files.How
PROGRAMS = service_files.PROGRAMS


class MachineCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = self.useFixture(fixtures.TempDir()).path
        self.site = tree.Directory(self.root)

    def write(self, name, text='[DEFAULT]\n'):
        path = os.path.join(self.root, name.lstrip('/'))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return name

    def files(self, *names):
        return tuple(self.write(name) for name in names)

    def found(self):
        """Return what each service reads, and how that is known."""
        return [
            (one.service, one.locations, one.how)
            for one in service_files.Machine(self.site, {}).find()
        ]

    def of(self, service):
        (found,) = [one for one in self.found() if one[0] == service]
        return found[1:]


@ddt.ddt
class DefaultsTest(testtools.TestCase):
    """What oslo.config itself finds for a program."""

    NAMES = (
        'manila.conf',
        'manila-api.conf',
        'manila-share.conf',
        'uwsgi.conf',
        'manila.conf.d/a.conf',
        'manila-share.conf.d/a.conf',
    )

    @ddt.data(*PROGRAMS, 'uwsgi', 'mod_wsgi', 'share.py')
    def test_the_same_as_oslo_config(self, prog):
        base = self.useFixture(fixtures.TempDir()).path
        homes = {
            'HOME': ('home/.manila', 'home'),
            'SNAP_COMMON': ('common/etc/manila',),
            'SNAP': ('snap/etc/manila',),
        }
        for name in homes:
            value = os.path.join(base, homes[name][0].partition('/')[0])
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        places = [place for group in homes.values() for place in group]
        # Each file in the last directory, then before it, and so on.
        for place in reversed(places):
            for name in self.NAMES:
                path = os.path.join(base, place, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                open(path, 'w').close()
                found = service_files.defaults(
                    prog, os.path.exists, os.environ['HOME']
                )
                theirs = (
                    cfg.find_config_files('manila', prog.replace('.py', '')),
                    cfg.find_config_dirs('manila', prog.replace('.py', '')),
                )
                self.assertEqual(theirs, found)

    @ddt.data(
        [],
        ['--config-file', 'x.conf'],
        ['--config-file=x.conf', '--config-dir', 'x.d'],
        ['--config-dir=x.d'],
        ['--config-dir', 'x.d', '--config-file', 'x.conf'],
        ['--config-fi', 'x.conf'],
        ['--config-d=x.d', '--config-file', 'x.conf'],
    )
    def test_what_a_command_line_leaves_of_them(self, words):
        """oslo.config is run with it, and tells which value it took."""
        base = self.useFixture(fixtures.TempDir()).path
        for number, name in enumerate(
            (
                'home/manila.conf',
                'home/manila-share.conf',
                'home/manila.conf.d/a.conf',
                'home/manila-share.conf.d/a.conf',
                'x.conf',
                'x.d/a.conf',
            )
        ):
            path = os.path.join(base, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as stream:
                stream.write(f'[DEFAULT]\nseen = {number}\n')
        script = (
            'import sys\nfrom oslo_config import cfg\n'
            'conf = cfg.ConfigOpts()\n'
            'conf.register_opt(cfg.MultiStrOpt("seen"))\n'
            'conf(sys.argv[1:], project="manila", prog="manila-share")\n'
            'print(*conf.seen)\n'
        )
        shown = subprocess.run(
            [sys.executable, '-c', script, *words],
            cwd=base,
            env={'HOME': os.path.join(base, 'home'), 'PATH': os.defpath},
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        root = self.useFixture(fixtures.TempDir()).path
        os.makedirs(os.path.join(root, 'proc/7'))
        with open(os.path.join(root, 'proc/7/cmdline'), 'w') as stream:
            stream.write('\0'.join(['/usr/bin/manila-share', *words, '']))
        with open(os.path.join(root, 'proc/7/environ'), 'w') as stream:
            stream.write('HOME=/home\0')
        os.symlink('/', os.path.join(root, 'proc/7/cwd'))
        for name in os.listdir(base):
            os.rename(os.path.join(base, name), os.path.join(root, name))
        site = tree.Directory(root)
        machine = service_files.Machine(site, {})
        (started,) = machine.started
        values = []
        for path in machine.of_started(started).locations:
            if site.isdir(path):
                path += '/a.conf'
            with site.open(path) as stream:
                values.append(stream.read().decode().split()[-1])
        self.assertEqual(shown.stdout.decode().split(), values)


@ddt.ddt
class MachineTest(MachineCase):
    def test_defaults_by_the_name_of_the_program(self):
        common = '/etc/manila/manila.conf'
        api = '/etc/manila/manila-api.conf'
        drop = '/etc/manila-share.conf.d'
        self.files(common, api, f'{drop}/a.conf')
        self.assertEqual(
            [
                ('manila-api', (common, api), How.DEFAULT),
                ('manila-scheduler', (common,), How.DEFAULT),
                ('manila-share', (common, drop), How.DEFAULT),
                ('manila-data', (common,), How.DEFAULT),
                ('manila-manage', (common,), How.DEFAULT),
            ],
            self.found(),
        )

    def test_nothing(self):
        self.assertEqual(
            [(name, (), How.DEFAULT) for name in PROGRAMS], self.found()
        )

    def test_units_of_rdo(self):
        dist, main = self.files(
            '/usr/share/manila/manila-dist.conf', '/etc/manila/manila.conf'
        )
        drop = '/etc/manila/manila.conf.d'
        self.write(f'{drop}/a.conf')
        for name in ('api', 'scheduler', 'share', 'data'):
            unit = f'openstack-manila-{name}.service'
            self.write(
                f'/usr/lib/systemd/system/{unit}',
                f'[Service]\nExecStart=/usr/bin/manila-{name} --config-file '
                f'{dist} \\\n  --config-file {main} --logfile /var/log/x\n',
            )
            if name != 'share':
                self.write(
                    f'/etc/systemd/system/multi-user.target.wants/{unit}', ''
                )
        # Pacemaker starts manila-share.
        self.assertEqual(
            [
                ('manila-api', (drop, dist, main), How.UNIT),
                ('manila-scheduler', (drop, dist, main), How.UNIT),
                ('manila-share', (drop, dist, main), How.INSTALLED),
                ('manila-data', (drop, dist, main), How.UNIT),
                ('manila-manage', (main, drop), How.DEFAULT),
            ],
            self.found(),
        )

    @ddt.data(
        ('ExecStart=/v/manila-share --config-file %h/x.conf\n', None),
        (
            'Environment="ARGS=--config-file /etc/b.conf"\n'
            'ExecStart=/v/manila-share $ARGS\n',
            '/etc/b.conf',
        ),
        (
            'EnvironmentFile=-/etc/default/manila\n'
            'ExecStart=/v/manila-share --config-file ${FILE}\n',
            '/etc/b.conf',
        ),
        (
            'ExecStart=/bin/sh -c "exec /v/manila-share --config-file '
            '/etc/b.conf"\n',
            '/etc/b.conf',
        ),
        (
            'WorkingDirectory=/etc\nExecStart=/v/bin/python3 -s '
            '/v/bin/manila-share --config-file=b.conf\n',
            '/etc/b.conf',
        ),
        (
            'User=manila\nExecStart=/v/manila-share --config-file ~/b.conf\n',
            '/var/lib/manila/b.conf',
        ),
    )
    @ddt.unpack
    def test_what_a_unit_says(self, text, expected):
        self.files('/etc/b.conf', '/var/lib/manila/b.conf')
        self.write(
            '/etc/passwd', 'manila:x:42:42::/var/lib/manila:/sbin/nologin\n'
        )
        self.write('/etc/default/manila', '# x\nFILE="/etc/b.conf"\n')
        self.write('/lib/systemd/system/manila-share.service', text)
        found = (expected,) if expected else ()
        self.assertEqual((found, How.INSTALLED), self.of('manila-share'))

    def test_the_names_of_units(self):
        for unit, program in (
            ('openstack-manila-share', 'manila-share'),
            ('manila-scheduler-1', 'manila-scheduler'),
            ('manila-scheduler-2', 'manila-scheduler'),
        ):
            self.write(
                f'/etc/systemd/system/{unit}.service',
                f'[Service]\nExecStart=/usr/bin/{program}\n',
            )
        self.assertEqual(
            {'manila-share': 'openstack-manila-share.service'},
            service_processes.unit_names(self.site),
        )

    def test_a_template_with_two_instances(self):
        one, two = self.files('/etc/manila/a.conf', '/etc/manila/b.conf')
        self.write(
            '/lib/systemd/system/manila-share@.service',
            'ExecStart=/v/manila-share --config-file /etc/manila/%i.conf\n',
        )
        for name in 'ab':
            self.write(
                '/etc/systemd/system/multi-user.target.wants/'
                f'manila-share@{name}.service',
                '',
            )
        self.assertEqual(
            [(one,), (two,)],
            [f[1] for f in self.found() if f[0] == 'manila-share'],
        )

    def test_a_uwsgi_file_of_the_api(self):
        common, own, never = self.files(
            '/etc/manila/manila.conf',
            '/etc/manila/api.conf',
            '/etc/manila/manila-api.conf',
        )
        self.write(
            '/etc/uwsgi/apps-enabled/share.ini',
            '[uwsgi]\nmodule = manila.wsgi.api:application\n'
            f'pyargv = --config-file {common} --config-file={own}\n',
        )
        self.assertEqual(
            ((common, own), How.WEB_SERVER), self.of('manila-api')
        )

    def test_a_uwsgi_file_in_yaml(self):
        """Of two lines the last one counts; quotes are a part of a word."""
        one, two = self.files('/etc/a.conf', '/etc/b.conf')
        self.write(
            '/etc/manila/uwsgi.yaml',
            'uwsgi:\n  module: manila.wsgi.api:application\n'
            f'  pyargv: --config-file={one}\n'
            f'  pyargv: --config-file {two} "--config-file={one}"\n',
        )
        self.assertEqual(((two,), How.WEB_SERVER), self.of('manila-api'))

    def test_what_a_web_server_does_not_read(self):
        """Its name is not that of the program."""
        common, _, own = self.files(
            '/etc/manila/manila.conf',
            '/etc/manila/manila-api.conf',
            '/etc/manila/mod_wsgi.conf',
        )
        self.write(
            '/etc/apache2/sites-enabled/manila.conf',
            'WSGIScriptAlias / /usr/bin/manila-wsgi\n',
        )
        self.assertEqual(
            ((common, own), How.WEB_SERVER), self.of('manila-api')
        )

    def test_a_uwsgi_file_that_a_unit_names(self):
        (own,) = self.files('/etc/manila/api.conf')
        self.write('/srv/api.ini', f'[uwsgi]\npyargv=--config-file {own}\n')
        self.write(
            '/lib/systemd/system/manila-api.service',
            'ExecStart=/v/bin/uwsgi --ini /srv/api.ini '
            '--wsgi-file /v/bin/manila-wsgi\n',
        )
        self.assertEqual(((own,), How.INSTALLED), self.of('manila-api'))

    def test_the_containers_of_kolla(self):
        for name in ('manila-api', 'manila-share'):
            self.write(f'/etc/kolla/{name}/manila.conf')
            command = f'{name} --config-file /etc/manila/manila.conf'
            if name == 'manila-api':
                command = '/usr/sbin/httpd -DFOREGROUND'
            self.write(
                f'/etc/kolla/{name}/config.json',
                json.dumps(
                    {
                        'command': command,
                        'config_files': [
                            {
                                'source': '/var/lib/kolla/config_files/'
                                'manila.conf',
                                'dest': '/etc/manila/manila.conf',
                            }
                        ],
                    }
                ),
            )
        # What lies there is no container's.
        self.files('/etc/manila/manila.conf')
        api = '/etc/kolla/manila-api/manila.conf'
        share = '/etc/kolla/manila-share/manila.conf'
        found = self.found()
        self.assertIn(('manila-api', (api,), How.CONTAINER), found)
        self.assertIn(('manila-share', (share,), How.CONTAINER), found)
        self.assertIn(('manila-manage', (api,), How.CONTAINER), found)

    def service(self, name):
        (found,) = [
            one
            for one in service_files.Machine(self.site, {}).find()
            if one.service == name
        ]
        return found

    @ddt.data(
        ({'Config': {'Env': ['OS_DEFAULT__DEBUG=true', 'PATH=/bin', 'x']}},),
        # What is no list of texts says nothing.
        ({'Config': {'Env': {'OS_DEFAULT__DEBUG': 'true'}}}, ()),
        ({'Config': {'Env': [7, None]}}, ()),
        ({'Config': 7}, ()),
        (7, ()),
        # It is of another container.
        ({'Name': '/cinder_volume'}, ()),
    )
    def test_the_variables_of_a_container_of_kolla(self, given):
        more, *rest = given
        variables = rest[0] if rest else (('OS_DEFAULT__DEBUG', 'true'),)
        self.write('/etc/kolla/manila-share/manila.conf')
        self.write(
            '/etc/kolla/manila-share/config.json',
            '{"command": "manila-share --config-file /etc/manila/manila.conf",'
            ' "config_files": [{"source":'
            ' "/var/lib/kolla/config_files/manila.conf",'
            ' "dest": "/etc/manila/manila.conf"}]}',
        )
        held = {'Name': '/manila_share', 'Path': 'kolla_start', 'Args': []}
        if isinstance(more, dict):
            held = {**held, **more}
            if 'Name' in more:
                held['Config'] = {'Env': ['OS_DEFAULT__DEBUG=true']}
        else:
            held = more
        self.write(
            '/var/lib/docker/containers/0a/config.v2.json', json.dumps(held)
        )
        found = self.service('manila-share')
        self.assertEqual(variables, found.environment.variables)
        self.assertEqual(
            'the container of manila-share' if variables else '',
            found.environment.of,
        )
        self.assertEqual(
            ('/etc/kolla/manila-share/manila.conf',), found.locations
        )

    def docker(self, number, top='/var/lib/docker', **more):
        """Write what Docker keeps of a container; return the file."""
        return self.write(
            f'{top}/containers/{number}/config.v2.json',
            json.dumps(
                {
                    'Name': f'/{number}',
                    'Path': 'dumb-init',
                    'Args': ['manila-share'],
                    'State': {'Running': False},
                    'Config': {'Env': ['OS_DEFAULT__DEBUG=true']},
                    'MountPoints': {
                        '/etc/manila': {
                            'Destination': '/etc/manila',
                            'Source': f'/srv/{number}',
                        }
                    },
                    **more,
                }
            ),
        )

    def assert_contained(self, location, how, file, line, of, variable):
        """Assert all that is known of manila-share in a container."""
        self.assertEqual(
            service_files.ServiceFiles(
                'manila-share',
                (location,),
                how,
                file=file,
                line=line,
                prog='manila-share',
                environment=service_processes.Environment(of, (variable,)),
            ),
            self.service('manila-share'),
        )

    @ddt.data('/var/lib/docker', '/data/[docker]')
    def test_a_stopped_container_of_docker(self, top):
        if top != '/var/lib/docker':
            self.write(
                '/etc/docker/daemon.json', json.dumps({'data-root': top})
            )
        file = self.docker('0a', top)
        self.files('/etc/manila/manila.conf', '/srv/0a/manila.conf')
        self.assert_contained(
            '/srv/0a/manila.conf',
            How.CONTAINER,
            file,
            1,
            'the container of manila-share',
            ('OS_DEFAULT__DEBUG', 'true'),
        )

    def test_one_that_was_replaced(self):
        self.docker('0a')
        self.docker('0b', State={'Running': True})
        self.files('/srv/0a/manila.conf', '/srv/0b/manila.conf')
        self.assertEqual(
            (('/srv/0b/manila.conf',), How.CONTAINER), self.of('manila-share')
        )

    @ddt.data(
        {'MountPoints': {}},
        {'MountPoints': {'/srv': {'Destination': '/srv', 'Source': '/srv'}}},
        {'MountPoints': None},
        {'Args': ['sleep', '9']},
        {'Path': None, 'Args': None},
    )
    def test_one_that_says_nothing(self, more):
        self.docker('0a', **more)
        common, _ = self.files(
            '/etc/manila/manila.conf', '/srv/0a/manila.conf'
        )
        self.assertEqual(((common,), How.DEFAULT), self.of('manila-share'))

    def test_a_container_of_podman(self):
        top = '/data/storage'
        self.write(
            '/etc/containers/storage.conf',
            f'[storage]\ndriver = "overlay"\ngraphroot = "{top}"\n',
        )
        self.write(
            f'{top}/overlay-containers/containers.json',
            json.dumps(
                [
                    7,
                    {'id': '../x', 'names': ['manila_share']},
                    {'id': '1b', 'names': ['never_started']},
                    {'id': '2c', 'names': ['manila_share']},
                ]
            ),
        )
        file = self.write(
            f'{top}/overlay-containers/2c/userdata/config.json',
            json.dumps(
                {
                    'process': {
                        'args': ['manila-share', '--config-file', '/m.conf'],
                        'env': ['OS_DATABASE__CONNECTION=sqlite:///a=b'],
                    },
                    'mounts': [
                        {'destination': '/proc', 'type': 'proc'},
                        {
                            'destination': '/m.conf',
                            'type': 'bind',
                            'source': '/srv/m.conf',
                        },
                    ],
                }
            ),
        )
        self.files('/srv/m.conf')
        self.assert_contained(
            '/srv/m.conf',
            How.CONTAINER,
            file,
            1,
            'the container of manila-share',
            ('OS_DATABASE__CONNECTION', 'sqlite:///a=b'),
        )

    @ddt.data(
        '/usr/bin/podman run --rm --name manila-share -v /srv/a:/etc/manila:ro'
        ' --env OS_DEFAULT__DEBUG=true localhost/manila-share',
        '/usr/bin/docker run -e OS_DEFAULT__DEBUG --mount'
        ' type=bind,src=/srv/a,dst=/etc/manila img manila-share',
        '/usr/bin/podman --log-level=info run --volume=/srv/a:/etc/manila'
        ' --env-file=/srv/env img bash -c "x && exec manila-share"'
        ' manila-share',
    )
    def test_a_container_that_a_unit_runs(self, line):
        self.files('/etc/manila/manila.conf', '/srv/a/manila.conf')
        self.write('/srv/env', '# a = b\n\nOS_DEFAULT__DEBUG=true\n')
        folder = '/run/systemd/generator'
        unit = self.write(
            f'{folder}/manila-share.service',
            f'[Service]\nEnvironment=OS_DEFAULT__DEBUG=true\nExecStart={line}\n',
        )
        wants = os.path.join(self.root, folder[1:], 'multi-user.target.wants')
        os.makedirs(wants)
        os.symlink(
            '../manila-share.service',
            os.path.join(wants, 'manila-share.service'),
        )
        self.assert_contained(
            '/srv/a/manila.conf',
            How.UNIT,
            unit,
            3,
            'manila-share.service',
            ('OS_DEFAULT__DEBUG', 'true'),
        )

    @ddt.data(
        '/usr/bin/podman run --name manila-share img',
        '/usr/bin/podman start -a manila-share',
        '/usr/bin/podman run -v /srv/a:/etc/manila img sleep 9',
        '/usr/bin/podman',
    )
    def test_a_unit_that_says_nothing_of_a_container(self, line):
        common, _ = self.files('/etc/manila/manila.conf', '/srv/a/manila.conf')
        self.write(
            '/etc/systemd/system/manila-share.service', f'ExecStart={line}\n'
        )
        self.assertEqual(((common,), How.DEFAULT), self.of('manila-share'))

    def process(self, number, *words):
        self.write(f'/proc/{number}/cmdline', '\0'.join([*words, '']))

    def test_processes(self):
        common, more = self.files('/etc/manila/manila.conf', '/etc/b.conf')
        self.process(
            7,
            '/v/python3',
            '/v/manila-share',
            '--config-file',
            common,
            '--config-file',
            more,
        )
        # A worker of the same.
        self.process(
            8,
            '/v/python3',
            '/v/manila-share',
            '--config-file',
            common,
            '--config-file',
            more,
        )
        (found,) = [
            one
            for one in service_files.Machine(self.site, {}).find()
            if one.service == 'manila-share'
        ]
        self.assertEqual(
            service_files.ServiceFiles(
                'manila-share',
                (common, more),
                How.PROCESS,
                pid=7,
                prog='manila-share',
            ),
            found,
        )

    def test_the_processes_of_another_cloud(self):
        common, _ = self.files('/etc/manila/manila.conf', '/srv/manila.conf')
        self.process(7, '/v/manila-share', '--config-file', '/srv/manila.conf')
        self.assertEqual(((common,), How.DEFAULT), self.of('manila-share'))

    def test_where_only_processes_tell(self):
        one, two = self.files('/srv/manila.conf', '/srv/b.conf')
        self.process(7, '/v/manila-api', '--config-file', one)
        self.process(
            8, '/v/manila-share', '--config-file', one, '--config-file', two
        )
        self.assertEqual(((one,), How.PROCESS), self.of('manila-api'))
        self.assertEqual(((one, two), How.PROCESS), self.of('manila-share'))

    def test_where_processes_of_two_clouds_tell(self):
        one, two = self.files('/srv/a.conf', '/srv/b.conf')
        self.process(7, '/v/manila-api', '--config-file', one)
        self.process(8, '/v/manila-share', '--config-file', two)
        error = self.assertRaises(exceptions.ConfigFileError, self.found)
        self.assertEqual(
            'manila services of several configurations run here: '
            '/srv/a.conf; /srv/b.conf; pass --config-file FILE or '
            '--config-dir DIR',
            str(error),
        )

    def test_a_file_that_is_not_there(self):
        (common,) = self.files('/etc/manila/manila.conf')
        self.write(
            '/lib/systemd/system/manila-share.service',
            f'ExecStart=/v/manila-share --config-file {common} '
            '--config-file /etc/gone.conf\n',
        )
        (found,) = [
            one
            for one in service_files.Machine(self.site, {}).find()
            if one.service == 'manila-share'
        ]
        self.assertEqual((common,), found.locations)
        self.assertEqual(('/etc/gone.conf',), found.missing)


class RealProcessTest(MachineCase):
    """A process of this machine that is called manila-share."""

    def test_a_process(self):
        script = os.path.join(self.root, 'manila-share')
        with open(script, 'w') as stream:
            stream.write('import sys, time\nprint()\nsys.stdout.flush()\n')
            stream.write('time.sleep(600)\n')
        (conf,) = self.files('b.conf')
        process = subprocess.Popen(
            [sys.executable, script, '--config-file', conf],
            cwd=self.root,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        machine = service_files.Machine()
        (found,) = [
            machine.of_started(one)
            for one in machine.started
            if one.pid == process.pid
        ]
        self.assertEqual('manila-share', found.service)
        self.assertIn(os.path.join(self.root, 'b.conf'), found.locations)


class MergedTest(testtools.TestCase):
    def of(self, **locations):
        return service_files.merged(
            service_files.ServiceFiles(
                name.replace('_', '-'), tuple(paths), How.DEFAULT
            )
            for name, paths in locations.items()
        )

    def test_the_same(self):
        self.assertEqual(
            ('a', 'b'), self.of(manila_api='ab', manila_share='ab')
        )

    def test_each_keeps_its_order(self):
        self.assertEqual(
            ('d', 'm', 'a', 'b'),
            self.of(manila_api='dma', manila_share='dmb', manila_manage='m'),
        )
