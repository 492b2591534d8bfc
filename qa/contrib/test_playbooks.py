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

"""Test the tasks for openstack-ansible and the role for Zuul."""

import contextlib
import json
import pathlib
import sqlite3

import ddt

from qa.contrib import case
from qa.contrib import fetch
from qa.contrib import test_ansible

ZUUL = case.CONTRIB / 'zuul'
TASKS = case.CONTRIB / 'openstack-ansible/manila-precheck.yml'


@ddt.ddt
class OpenstackAnsibleTest(test_ansible.AnsibleCase):
    def upgrade(self, text=case.GOOD, serial=0, hosts=None, **variables):
        """Run the tasks for two controllers that share a file.

        :return: the process, how often the command ran, and the hosts that
            went on.
        """
        conf = self.path / 'manila.conf'
        if text is not None:
            conf.write_text(text)
        self.program(
            'counted',
            f'#!/bin/sh\necho >> {self.path}/runs\nexec {self.command} "$@"\n',
        ).rename(self.bin / 'real')
        (self.path / 'venv/bin').mkdir(parents=True)
        if not variables.pop('no_command', False):
            (self.bin / 'real').rename(self.path / 'venv/bin/manila-precheck')
        local = 'ansible_connection=local'
        lines = hosts or [f'ctl1 {local}', f'ctl2 {local}']
        self.inventory = self.write(
            'hosts',
            '\n'.join(
                [
                    '[manila_all]',
                    *lines,
                    '[manila_share]',
                    lines[0].split()[0],
                    '',
                ]
            ),
        )
        playbook = self.write(
            'play.yml',
            '- hosts: manila_all\n  gather_facts: false\n'
            f'  serial: {serial}\n  tasks:\n    - import_tasks: {TASKS}\n'
            '    - ansible.builtin.copy:\n        content: went on\n'
            f'        dest: {self.path}/after-{{{{ inventory_hostname }}}}\n',
        )
        done = self.play(
            playbook,
            **{
                'manila_precheck_install': False,
                'manila_precheck_venv': str(self.path / 'venv'),
                'manila_precheck_config': str(conf),
                'manila_precheck_target': '2026.1',
                **variables,
            },
        )
        runs = self.path / 'runs'
        return (
            done,
            len(runs.read_text().splitlines()) if runs.exists() else 0,
            sorted(path.name for path in self.path.glob('after-*')),
        )

    @ddt.data(0, 1)
    def test_it_runs_once(self, serial):
        done, runs, after = self.upgrade(serial=serial)
        self.assertEqual((0, 1), (done.returncode, runs), done.stdout)
        self.assertEqual(['after-ctl1', 'after-ctl2'], after)
        self.assertIn('Code 0: ', done.stdout)

    def test_a_first_install_continues(self):
        database = self.path / 'manila.sqlite'
        with contextlib.closing(sqlite3.connect(database)) as made:
            made.execute('VACUUM')
        del self.environment['OS_MANILA_PRECHECK__SOURCE_RELEASE']
        self.environment['OS_MANILA_PRECHECK__CHECK'] = 'upgrade-path'
        done, runs, after = self.upgrade(
            f'[database]\nconnection = sqlite:///{database}\n'
        )
        self.assertEqual((0, 1), (done.returncode, runs), done.stdout)
        self.assertEqual(['after-ctl1', 'after-ctl2'], after)
        self.assertIn('this is a first install of 2026.1', done.stdout)

    @ddt.named_data(
        ['a failure', {'text': case.BAD}],
        ['a failure in the first batch', {'text': case.BAD, 'serial': 1}],
        ['no file', {'text': None}],
        ['master', {'manila_precheck_target': 'master'}],
        ['no command', {'no_command': True}],
    )
    def test_stops(self, given):
        done, _runs, after = self.upgrade(**given)
        self.assertEqual((2, []), (done.returncode, after), done.stdout)

    def test_stops_every_host_when_the_first_is_unreachable(self):
        local = 'ansible_connection=local'
        done, runs, after = self.upgrade(
            hosts=[
                'ctl1 ansible_host=127.0.0.1 ansible_port=1',
                *(f'ctl{number} {local}' for number in range(2, 6)),
            ]
        )
        self.assertNotEqual(0, done.returncode)
        self.assertEqual((0, []), (runs, after), done.stdout)


@ddt.ddt
class ZuulTest(test_ansible.AnsibleCase):
    def job(self, text, **variables):
        """Run the playbook of the job as the executor does, with its vars."""
        (jobs,) = case.documents(ZUUL / 'zuul.yaml')
        (job,) = (one['job'] for one in jobs)
        source = 'src/opendev.org/openstack/site'
        if text is not None:
            self.write(f'{source}/etc/manila/manila.conf', text)
        self.write('zuul-output/logs/keep', '')
        self.inventory = self.write('hosts', 'node ansible_connection=local\n')
        self.environment['ANSIBLE_ROLES_PATH'] = str(ZUUL / 'roles')
        return self.play(
            ZUUL / job['run'],
            **{
                **job['vars'],
                'zuul': {'project': {'src_dir': str(self.path / source)}},
                'ansible_user_dir': str(self.path),
                'manila_precheck_install': False,
                'manila_precheck_venv': str(self.path),
                **variables,
            },
        )

    @ddt.data((case.GOOD, 0), (case.BAD, 2))
    @ddt.unpack
    def test_the_job(self, text, expected):
        done = self.job(text)
        self.assertEqual(expected, done.returncode, done.stdout)
        report = self.path / 'zuul-output/logs/manila-precheck.html'
        self.assertTrue(report.is_file())

    @ddt.named_data(
        ['no file', {'text': None}],
        ['no command', {'text': case.GOOD, 'manila_precheck_venv': '/no'}],
    )
    def test_stops(self, given):
        done = self.job(**given)
        self.assertEqual(2, done.returncode, done.stdout)

    def read_by_zuul(self, path):
        """Read a file of jobs with Zuul; return the process."""
        return self.run_words(
            self.fetched(fetch.ZUUL) / 'bin/python',
            pathlib.Path(__file__).with_name('zuul_jobs.py'),
            path,
        )

    def test_what_zuul_reads(self):
        (jobs,) = case.documents(ZUUL / 'zuul.yaml')
        (job,) = (one['job'] for one in jobs)
        done = self.read_by_zuul(ZUUL / 'zuul.yaml')
        self.assertEqual(
            [
                {
                    'name': 'manila-precheck',
                    'run': ['playbooks/run.yaml'],
                    'vars': job['vars'],
                }
            ],
            json.loads(done.stdout or 'null'),
            done.stderr,
        )

    def test_zuul_rejects_what_it_does_not_know(self):
        text = (ZUUL / 'zuul.yaml').read_text()
        for old, new in (('run:', 'runs:'), ('name:', 'names:')):
            path = self.write('zuul.yaml', text.replace(old, new, 1))
            done = self.read_by_zuul(path)
            self.assertEqual(1, done.returncode, done.stdout)
            self.assertIn(f"@ data['{new[:-1]}']", done.stderr)

    def test_the_playbook_and_the_role_are_there(self):
        (jobs,) = case.documents(ZUUL / 'zuul.yaml')
        self.assertTrue((ZUUL / jobs[0]['job']['run']).is_file())
        ((play,),) = case.documents(ZUUL / jobs[0]['job']['run'])
        for role in play['roles']:
            self.assertTrue(
                (ZUUL / 'roles' / role['role'] / 'README.rst').is_file()
            )
