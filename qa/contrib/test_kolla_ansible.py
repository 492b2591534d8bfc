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

"""Test the tasks for kolla-ansible with its module, with a fake Docker.

A module of this test replaces Docker: it runs the command of a container on
this host. qa.contrib.test_kolla_podman tests with a real podman.
"""

import os
import sys
import zipfile

import ddt

from qa.contrib import case
from qa.contrib import fetch
from qa.contrib import test_ansible

TASKS = case.CONTRIB / 'kolla-ansible/manila-precheck.yml'

#: The name of the image, by its tag.
IMAGE = 'quay.io/openstack.kolla/manila-api:{}-rocky-10'

#: The part of docker-py that kolla_container uses. Each container is an entry
#: in containers.json. If it has a command, that runs on this host, with the
#: directories of its volumes in place of those in the container.
DOCKER = '''
import json
import os
import pathlib
import shlex
import subprocess
import types

PLACE = pathlib.Path(os.environ['FAKE_DOCKER'])
STATE = PLACE / 'containers.json'

errors = types.SimpleNamespace(APIError=RuntimeError)


class APIClient:
    def __init__(self, **kwargs):
        self.all = json.loads(STATE.read_text()) if STATE.exists() else {}

    def save(self):
        STATE.write_text(json.dumps(self.all))

    def images(self, **kwargs):
        return [{'RepoTags': (PLACE / 'images').read_text().split()}]

    def pull(self, repository, tag, stream):
        return [b'{"error": "manifest for it not found"}']

    def volumes(self):
        return {'Volumes': []}

    def create_volume(self, **kwargs):
        pass

    def containers(self, all):
        return [
            {'Names': ['/' + name], 'Status': 'Created'}
            for name in self.all
        ]

    def inspect_container(self, name):
        return {}

    def create_host_config(self, **kwargs):
        return kwargs

    def create_container(self, name, **kwargs):
        self.all[name] = kwargs
        self.save()

    def start(self, container):
        one = self.all[container]
        with open(PLACE / 'started', 'a') as stream:
            stream.write(container + ' ' + one['image'] + chr(10))
        command = (one['command'] or 'true').replace(
            '/etc/manila', str(PLACE / 'etc')
        )
        for source, bind in one['host_config']['binds'].items():
            if source.startswith('/') and 'localtime' not in source:
                command = command.replace(
                    bind['bind'].rstrip('/'), source.rstrip('/')
                )
        pairs = one['environment']
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True,
            env={**os.environ, 'PATH': str(PLACE) + ':' + os.environ['PATH'],
                 **{name: value or '' for name, value in pairs.items()}},
        )
        one.update(rc=done.returncode, out=done.stdout, err=done.stderr)
        self.save()

    def wait(self, name):
        return {'StatusCode': self.all[name]['rc']}

    def logs(self, name, stdout, stderr):
        return self.all[name]['out' if stdout else 'err'].encode()

    def stop(self, name, timeout=None):
        pass

    def remove_container(self, container, force=False):
        del self.all[container]
        self.save()
'''

#: A stub: systemd is not asked about containers that run once.
DBUS = '''
class SystemBus:
    def get_object(self, *words):
        return None


def Interface(*words):
    return None
'''

#: A task after the role's: it shows which hosts go on.
AFTER = '''
- name: Go on
  ansible.builtin.copy:
    content: went on
    dest: "{{ precheck_place }}/after-{{ inventory_hostname }}"
'''


class KollaCase(test_ansible.AnsibleCase):
    """Runs the roles of kolla-ansible for hosts that are all this host."""

    #: Further volumes of manila-api.
    volumes: tuple = ()

    def setUp(self):
        super().setUp()
        self.kolla = self.path / 'kolla-ansible'
        with zipfile.ZipFile(
            self.fetched(f'{fetch.KOLLA_ANSIBLE}-py3-none-any.whl')
        ) as wheel:
            data = f'{fetch.KOLLA_ANSIBLE}.data/data/share/kolla-ansible/'
            roles = ('manila', 'service-uwsgi-config')
            wheel.extractall(
                self.kolla,
                [
                    name
                    for name in wheel.namelist()
                    if name.startswith(
                        ('kolla_ansible/', f'{fetch.KOLLA_ANSIBLE}.dist')
                    )
                    or (
                        name.startswith(data)
                        and (
                            '/roles/' not in name
                            or name.split('/roles/')[1].startswith(roles)
                        )
                    )
                ],
            )
        self.share = self.kolla / data
        self.write('library/dbus.py', DBUS)
        self.environment.update(
            PYTHONPATH=os.pathsep.join(
                map(str, (self.path / 'library', self.kolla))
            ),
        )
        self.inventory = self.write(
            'hosts',
            '[manila-api]\nctl1\nctl2\n[manila-share]\nctl2\n'
            '[manila-data]\nctl2\n[manila-scheduler]\nctl1\n'
            # Groups that the templates of the role need.
            '[memcached]\n[rabbitmq]\n[mariadb]\n'
            '[all:vars]\nansible_connection=local\nansible_become=false\n',
        )

    def upgrade(self, tasks, *words, serial=0, **variables):
        """Run tasks for the hosts of manila.

        :return: the process, and what :meth:`started` returns.
        """
        playbook = self.share / 'ansible/precheck.yml'
        playbook.write_text(
            '- hosts: [manila-api, manila-data, manila-share, '
            'manila-scheduler]\n'
            f'  gather_facts: false\n  serial: {serial}\n'
            # The same setting as in site.yml of kolla-ansible.
            f'  max_fail_percentage: 100\n{tasks}'
        )
        done = self.play(
            playbook,
            *words,
            **{
                'precheck_place': str(self.path),
                'manila_precheck_file': str(self.path / 'precheck.pyz'),
                'node_config': str(self.path / 'etc'),
                'node_config_directory': str(self.path / 'etc'),
                **variables,
            },
        )
        self.assertFalse((self.path / 'etc/manila-precheck').exists())
        return done, self.started()

    def started(self):
        """Return 'CONTAINER IMAGE' for each container that was started."""
        raise NotImplementedError

    def went_on(self):
        return sorted(
            path.name.removeprefix('after-')
            for path in self.path.glob('after-*')
        )

    def rendered(self, api=case.GOOD, share=case.GOOD, image=None, **kwargs):
        """Run only the tasks, on files that were rendered before.

        :param api: the file rendered for manila-api; None for no file.
        :param share: the same for manila-share.
        """
        for name, text in (('manila-api', api), ('manila-share', share)):
            if text is not None:
                self.write(f'etc/{name}/manila.conf', text)
        self.write('after.yml', AFTER)
        return self.upgrade(
            f'  tasks:\n    - import_tasks: {TASKS}\n'
            f'    - import_tasks: {self.path}/after.yml\n',
            **{
                'manila_services': {
                    'manila-api': {
                        'group': 'manila-api',
                        'image': image or IMAGE.format('2026.1'),
                        'volumes': [
                            f'{self.path}/etc/manila-api/:'
                            '/var/lib/kolla/config_files/:ro',
                            '',
                            'kolla_logs:/var/log/kolla/',
                            *self.volumes,
                        ],
                    },
                    'manila-share': {'group': 'manila-share'},
                },
                'config_strategy': 'COPY_ALWAYS',
                'docker_common_options': {},
                **kwargs,
            },
        )


@ddt.ddt
class KollaAnsibleTest(KollaCase):
    def setUp(self):
        super().setUp()
        self.place = self.path / 'docker'
        for name, text in {
            'library/docker.py': DOCKER,
            'docker/images': IMAGE.format('2026.1'),
            # The programs in the image: a Python, and kolla's scripts.
            'docker/python3': f'#!/bin/sh\nexec {sys.executable} "$@"\n',
            'docker/sudo': '#!/bin/sh\nshift\nexec "$@"\n',
            'docker/kolla_set_configs': '#!/bin/sh\n'
            f'cp {self.path}/etc/manila-api/manila.conf {self.place}/etc/\n',
            'docker/etc/keep': '',
            'precheck.pyz': case.COMMAND,
        }.items():
            path = self.write(name, text)
            path.chmod(0o755)
        self.environment['FAKE_DOCKER'] = str(self.place)

    def started(self):
        started = self.place / 'started'
        return started.read_text().splitlines() if started.exists() else []

    def test_what_manila_share_has_comes_last(self):
        done, started = self.rendered(api=case.BAD)
        self.assertEqual(
            [f'manila_precheck {IMAGE.format("2026.1")}'],
            started,
            done.stdout + done.stderr,
        )
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(['ctl1', 'ctl2'], self.went_on())

    def test_serial(self):
        """The check runs in the first batch, and in no other."""
        done, started = self.rendered(serial=1)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(1, len(started))
        self.assertEqual(['ctl1', 'ctl2'], self.went_on())

    def test_serial_stops(self):
        done, _started = self.rendered(share=case.BAD, serial=1)
        self.assertEqual(2, done.returncode, done.stdout)
        self.assertEqual([], self.went_on())

    @ddt.named_data(
        ['nothing rendered', {'api': None}],
        ['no back ends rendered', {'share': None}],
        ['no image', {'image': IMAGE.format('2026.2')}],
        ['no command', {'manila_precheck_file': '/nowhere'}],
    )
    def test_stops(self, given):
        done, _started = self.rendered(**given)
        self.assertEqual(2, done.returncode, done.stdout)
        self.assertEqual([], self.went_on())

    def test_stops_every_host_when_the_first_is_unreachable(self):
        text = self.inventory.read_text()
        self.inventory.write_text(
            text.replace(
                'ctl1\nctl2',
                'ctl1 ansible_connection=ssh ansible_host=127.0.0.1 '
                'ansible_port=1\nctl2\nctl3\nctl4\nctl5',
                1,
            )
        )
        done, started = self.rendered()
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(([], []), (started, self.went_on()), done.stdout)
