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

"""What contrib/ ships, run as far as one machine allows.

The tasks and the role are run by ansible-core where it is installed:
``tox -e contrib`` does.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import textwrap

import ddt
import fixtures
import testtools
import yaml

CONTRIB = pathlib.Path(__file__).parents[3] / 'contrib'

# The command, as an installed script would be it.
COMMAND = f'''#!{sys.executable}
import sys
from manila_precheck.cmd import precheck
sys.exit(precheck.main())
'''

# Runs the command of a container on this host: the volumes are where they come
# from, and /etc/manila is a directory of the test.
KOLLA_CONTAINER = '''#!/usr/bin/python
import os
import shlex
import subprocess

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(
    {
        **dict.fromkeys(('action', 'command', 'image', 'name'), {}),
        **{'restart_policy': {}, 'detach': {'type': 'bool'}},
        **dict.fromkeys(
            ('common_options', 'environment', 'labels'), {'type': 'dict'}
        ),
        'volumes': {'type': 'list', 'elements': 'str'},
    }
)
place = os.path.dirname(module.params['image'])
if not os.path.exists(module.params['image']):
    module.fail_json(msg='no such image')
command = module.params['command'].replace('/etc/manila', place + '/etc')
for volume in module.params['volumes']:
    source, target = volume.split(':')[:2]
    command = command.replace(target.rstrip('/'), source.rstrip('/'))
with open(place + '/seen', 'a') as stream:
    stream.write(command + chr(10))
done = subprocess.run(
    shlex.split(command), capture_output=True, text=True,
    env={**os.environ, 'PATH': place + '/bin:' + os.environ['PATH'],
         **{k: v or '' for k, v in module.params['environment'].items()}},
)
result = dict(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)
if done.returncode:
    module.fail_json(msg='Container exited with non-zero', **result)
module.exit_json(changed=True, **result)
'''

GOOD = '[DEFAULT]\nenabled_share_protocols = NFS\n'
BAD = '[DEFAULT]\nenabled_share_protocols = NOSUCH\n'


class Base(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not CONTRIB.is_dir():
            self.skipTest('the package is installed without contrib/')
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.bin = self.path / 'bin'
        self.bin.mkdir()
        self.command = self.program('manila-precheck', COMMAND)
        self.environment = {
            **os.environ,
            'PATH': f'{self.bin}{os.pathsep}{os.environ["PATH"]}',
            'OS_MANILA_PRECHECK__SOURCE_RELEASE': '2025.1',
            'OS_MANILA_PRECHECK__TARGET_RELEASE': '2026.1',
            'OS_MANILA_PRECHECK__CHECK': 'config-options',
        }

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def ends_with(self, code):
        """Put a program in the place of the command."""
        self.program('manila-precheck', f'#!/bin/sh\nexit {code}\n')

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_words(self, *words, **environment):
        return subprocess.run(
            [str(word) for word in words],
            env={**self.environment, **environment},
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=300,
        )


@ddt.ddt
class ScriptsTest(Base):
    @ddt.data((0, 0), (1, 0), (2, 2), (255, 255), (137, 137))
    @ddt.unpack
    def test_exit_codes(self, code, expected):
        self.ends_with(code)
        for script in (
            'helm/manila-precheck.sh',
            'grenade/manila-precheck.sh',
        ):
            done = self.run_words('bash', CONTRIB / script)
            self.assertEqual(expected, done.returncode, script)

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_hook_of_helm(self, text, expected):
        conf = self.write('manila.conf', text)
        done = self.run_words(
            'bash', CONTRIB / 'helm/manila-precheck.sh', '--config-file', conf
        )
        self.assertEqual(expected, done.returncode, done.stdout)

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_step_of_grenade(self, text, expected):
        conf = self.write('manila.conf', text)
        done = self.run_words(
            'bash',
            CONTRIB / 'grenade/manila-precheck.sh',
            MANILA_CONF=str(conf),
        )
        self.assertEqual(expected, done.returncode, done.stdout)

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_job_of_kubernetes(self, text, expected):
        job = yaml.safe_load(
            (CONTRIB / 'kubernetes/manila-precheck-job.yaml').read_text()
        )
        (container,) = job['spec']['template']['spec']['containers']
        self.write('conf.d/10-manila.conf', text)
        (mount,) = container['volumeMounts']
        words = [
            str(self.path / 'conf.d') if word == mount['mountPath'] else word
            for word in container['command']
        ]
        self.assertIn(str(self.path / 'conf.d'), words)
        done = self.run_words(
            *words, **{one['name']: one['value'] for one in container['env']}
        )
        self.assertEqual(expected, done.returncode, done.stderr)
        self.assertEqual('2026.1', json.loads(done.stdout)['target_release'])

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_job_of_gitlab(self, text, expected):
        job = yaml.safe_load(
            (CONTRIB / 'gitlab/manila-precheck.gitlab-ci.yml').read_text()
        )['manila-precheck']
        conf = self.write('manila.conf', text)
        (script,) = job['script']
        done = self.run_words(
            'sh',
            '-ec',
            script,
            **{**job['variables'], 'MANILA_CONF': str(conf)},
        )
        self.assertEqual(expected, done.returncode, done.stderr)
        artifacts = job['artifacts']
        for name in (artifacts['reports']['junit'], *artifacts['paths']):
            self.assertTrue((self.path / name).is_file(), name)

    def test_the_exec_of_puppet(self):
        text = (CONTRIB / 'puppet/manila_precheck.pp').read_text()
        (words,) = re.findall(r'command +=> "(.*)"', text)
        (codes,) = re.findall(r'returns +=> \[(.*)\]', text)
        for outer, inner in (('{', '}'), ('(', ')'), ('[', ']')):
            self.assertEqual(text.count(outer), text.count(inner))
        self.assertEqual('0, 1', codes)
        words = words.replace('${command}', str(self.command))
        words = words.replace('${target}', '2026.1')
        conf = self.write('home/.manila/manila.conf', GOOD)
        done = self.run_words(*words.split(), HOME=str(conf.parents[1]))
        # A manila.conf below a home directory is a warning.
        self.assertEqual(1, done.returncode, done.stderr)


@testtools.skipUnless(
    shutil.which('ansible-playbook') is not None,
    'there is no ansible-playbook',
)
@ddt.ddt
class AnsibleTest(Base):
    def setUp(self):
        super().setUp()
        self.environment.update(
            ANSIBLE_LOCALHOST_WARNING='false',
            ANSIBLE_NOCOLOR='1',
            ANSIBLE_RETRY_FILES_ENABLED='false',
            ANSIBLE_ROLES_PATH=str(CONTRIB / 'ansible/roles'),
            ANSIBLE_TIMEOUT='5',
            HOME=str(self.path),
        )

    def play(self, playbook, **variables):
        return self.run_words(
            'ansible-playbook',
            '-i',
            self.inventory,
            playbook,
            '-e',
            json.dumps({'ansible_python_interpreter': sys.executable}),
            '-e',
            json.dumps(variables),
        )

    def tasks(self, name, **variables):
        self.inventory = 'localhost,'
        playbook = self.write(
            'play.yml',
            textwrap.dedent(
                f'''
                - hosts: localhost
                  connection: local
                  gather_facts: false
                  tasks:
                    - import_tasks: {CONTRIB / name}
                '''
            ),
        )
        return self.play(playbook, **variables)

    def kolla(self, api=GOOD, share=GOOD, image='image', **variables):
        """Run the tasks of kolla-ansible, for two hosts that are this one.

        :param api: what was rendered for manila-api; None: nothing was.
        :param share: the same for manila-share.
        """
        for name, text in (('manila-api', api), ('manila-share', share)):
            if text is not None:
                self.write(f'kolla/{name}/manila.conf', text)
        self.write('image', '')
        self.write('etc/keep', '')
        self.write('library/kolla_container.py', KOLLA_CONTAINER)
        self.program('sudo', '#!/bin/sh\nshift\nexec "$@"\n')
        self.program(
            'kolla_set_configs',
            f'#!/bin/sh\ncp {self.path}/kolla/manila-api/manila.conf '
            f'{self.path}/etc/manila.conf\n',
        )
        self.program('python3', f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        self.write('precheck.pyz', COMMAND)
        volume = f'{self.path}/kolla/manila-api/:/var/lib/kolla/config_files/'
        self.inventory = self.write(
            'hosts',
            '[manila-api]\nctl1\nctl2\n[manila-share]\nctl2\n'
            '[all:vars]\nansible_connection=local\nansible_become=false\n',
        )
        playbook = self.write(
            'play.yml',
            '- hosts: all\n  gather_facts: false\n  tasks:\n'
            f'    - import_tasks: {CONTRIB}/kolla-ansible/'
            'manila-precheck.yml\n'
            '    - copy:\n        content: went on\n'
            '        dest: "{{ playbook_dir }}/after"\n',
        )
        self.environment['ANSIBLE_LIBRARY'] = str(self.path / 'library')
        done = self.play(
            playbook,
            **{
                'manila_services': {
                    'manila-api': {
                        'group': 'manila-api',
                        'image': str(self.path / image),
                        'volumes': [volume, ''],
                    },
                    'manila-share': {'group': 'manila-share'},
                },
                'manila_precheck_file': str(self.path / 'precheck.pyz'),
                'node_config_directory': str(self.path / 'kolla'),
                'config_strategy': 'COPY_ALWAYS',
                'docker_common_options': {},
                **variables,
            },
        )
        seen = self.path / 'seen'
        self.assertFalse((self.path / 'kolla/manila-precheck').exists())
        self.assertEqual(
            done.returncode == 0, (self.path / 'after').exists(), done.stdout
        )
        runs = seen.read_text().splitlines() if seen.exists() else []
        return done, len(runs)

    @ddt.data((GOOD, GOOD, 0), (BAD, GOOD, 0), (GOOD, BAD, 2))
    @ddt.unpack
    def test_the_tasks_of_kolla_ansible(self, api, share, expected):
        """Once for both hosts; what manila-share has comes last."""
        done, runs = self.kolla(api, share)
        self.assertEqual((expected, 1), (done.returncode, runs), done.stdout)
        self.assertIn('Code ', done.stdout)

    @ddt.named_data(
        ['nothing rendered', {'api': None}],
        ['no back ends rendered', {'share': None}],
        ['no image', {'image': 'another'}],
        ['no command', {'manila_precheck_file': '/nowhere'}],
        ['a stage that is none', {'manila_precheck_stage': 'soon'}],
    )
    def test_kolla_ansible_stops(self, given):
        done, _runs = self.kolla(**given)
        self.assertEqual(2, done.returncode, done.stdout)

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_tasks_of_openstack_ansible(self, text, expected):
        conf = self.write('manila.conf', text)
        done = self.tasks(
            'openstack-ansible/manila-precheck.yml',
            manila_precheck_install=False,
            manila_precheck_venv=str(self.path),
            manila_precheck_config=str(conf),
            manila_precheck_target='2026.1',
        )
        self.assertEqual(expected, done.returncode, done.stdout)

    @ddt.data((GOOD, 0), (BAD, 2))
    @ddt.unpack
    def test_the_playbook_of_zuul(self, text, expected):
        conf = self.write('manila.conf', text)
        self.write('logs/zuul-output/logs/keep', '')
        self.inventory = self.write('hosts', 'node ansible_connection=local\n')
        done = self.play(
            CONTRIB / 'zuul/playbooks/manila-precheck.yaml',
            manila_precheck_install=False,
            manila_precheck_venv=str(self.path),
            manila_precheck_report=str(self.path / 'report.html'),
            manila_precheck_config=str(conf),
            manila_precheck_source='2025.1',
            manila_precheck_target='2026.1',
        )
        self.assertEqual(expected, done.returncode, done.stdout)
        self.assertTrue((self.path / 'report.html').is_file())

    def fleet(self, *hosts):
        """Run the role on hosts: (name, text of manila.conf or None)."""
        lines = ['[manila]']
        for name, text in hosts:
            line = (
                f'{name} ansible_connection=local '
                f'conf={self.path}/{name}/manila.conf'
            )
            if text is None:
                # Nothing listens on the port of tcpmux.
                line = (
                    f'{name} ansible_connection=ssh ansible_host=127.0.0.1 '
                    'ansible_port=1'
                )
            else:
                self.write(f'{name}/manila.conf', text)
            lines.append(line)
        self.inventory = self.write('hosts', '\n'.join([*lines, '']))
        shutil.copy(CONTRIB / 'ansible/precheck.yml', self.path)
        done = self.play(
            self.path / 'precheck.yml',
            manila_precheck_target='2026.1',
            manila_precheck_source='2025.1',
            manila_precheck_command=str(self.command),
            manila_precheck_merge_command=str(self.command),
            manila_precheck_config_files=['{{ conf }}'],
        )
        report = self.path / 'manila-precheck/merged/report.json'
        return done, json.loads(report.read_text())

    def keys(self, report):
        return {
            (finding['key'], finding['severity'])
            for one in report['checks']
            for finding in one['findings']
        }

    def test_a_fleet_that_may_go_on(self):
        done, report = self.fleet(
            *((f'ctl{number}', GOOD) for number in range(1, 6))
        )
        self.assertEqual(0, done.returncode, done.stdout)
        # All of them are this machine, and run one check.
        machine = socket.gethostname()
        self.assertEqual(
            {
                *((f'hosts[ctl{n}#checks]', 'warning') for n in range(1, 6)),
                (f'hosts[{machine}#machine]', 'warning'),
            },
            self.keys(report),
        )

    def test_one_unreachable_one_failing_and_one_that_differs(self):
        done, report = self.fleet(
            ('ctl1', GOOD),
            ('ctl2', BAD),
            ('ctl3', None),
            ('ctl4', GOOD.replace('NFS', 'NFS,CIFS')),
            ('ctl5', 'no configuration at all'),
        )
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(
            {
                (
                    'config-options[DEFAULT/enabled_share_protocols#value]',
                    'failure',
                ),
                (
                    'configuration-drift[DEFAULT/enabled_share_protocols]',
                    'warning',
                ),
                *((f'hosts[ctl{n}#checks]', 'warning') for n in (1, 2, 4)),
                (f'hosts[{socket.gethostname()}#machine]', 'warning'),
                ('hosts[ctl3#missing]', 'failure'),
                ('hosts[ctl5#missing]', 'failure'),
            },
            self.keys(report),
        )
        self.assertIn('manila-precheck ended with 2', done.stdout)
        self.assertIn('manila.conf:1', done.stdout)
