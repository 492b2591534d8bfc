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

"""Test the collection for Ansible: build it, install it and run it."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import ddt
import yaml

from qa.contrib import case

COLLECTION = case.CONTRIB / 'ansible'

#: The sanity tests of ansible-test that install nothing.
SANITY = (
    'action-plugin-docs',
    'ansible-doc',
    'compile',
    'empty-init',
    'ignores',
    'line-endings',
    'no-illegal-filenames',
    'no-smart-quotes',
    'shebang',
    'symlinks',
)


class AnsibleCase(case.Case):
    NEEDS = ('ansible-playbook',)

    #: The inventory file.
    inventory: pathlib.Path

    def setUp(self):
        super().setUp()
        self.environment.update(
            ANSIBLE_LOCALHOST_WARNING='false',
            ANSIBLE_NOCOLOR='1',
            ANSIBLE_PIPELINING='true',
            ANSIBLE_RETRY_FILES_ENABLED='false',
            ANSIBLE_TIMEOUT='5',
        )

    def play(self, playbook, *words, **variables):
        return self.run_words(
            'ansible-playbook',
            '-i',
            self.inventory,
            playbook,
            '-e',
            json.dumps({'ansible_python_interpreter': sys.executable}),
            '-e',
            json.dumps(variables),
            *words,
        )


@ddt.ddt
class CollectionTest(AnsibleCase):
    #: The directory of the built and installed collection.
    installed: str

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if case.FETCHED is None:
            return
        cls.installed = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.installed)
        for words in (
            ('build', COLLECTION, '--output-path', cls.installed),
            ('install', '--offline', f'{cls.installed}/{cls.archive()}'),
        ):
            subprocess.run(
                ['ansible-galaxy', 'collection', *words],
                env={**os.environ, 'ANSIBLE_COLLECTIONS_PATH': cls.installed},
                check=True,
                capture_output=True,
            )

    @staticmethod
    def archive():
        facts = yaml.safe_load((COLLECTION / 'galaxy.yml').read_text())
        return '{namespace}-{name}-{version}.tar.gz'.format(**facts)

    def setUp(self):
        super().setUp()
        self.environment['ANSIBLE_COLLECTIONS_PATH'] = self.installed
        #: Further variables of a host in the inventory, by host.
        self.facts = {}

    def fleet(self, texts, playbook=None, **variables):
        """Run the role on hosts.

        :param texts: host -> the text of its manila.conf; None when the host
            cannot be reached.
        :return: the process, and the merged report.
        """
        lines = ['[manila]']
        for name, text in texts.items():
            if text is None:
                # Nothing listens on the port of tcpmux.
                line = 'ansible_host=127.0.0.1 ansible_port=1'
            else:
                conf = self.write(f'{name}/manila.conf', text)
                line = f'ansible_connection=local conf={conf}'
            lines.append(f'{name} {line} {self.facts.get(name, "")}')
        # As group variables: given with -e they would override those of hosts.
        lines += [
            '[manila:vars]',
            'manila_precheck_target="2026.1"',
            f'manila_precheck_command={self.command}',
        ]
        self.inventory = self.write('hosts', '\n'.join([*lines, '']))
        done = self.play(
            playbook or 'openstack.manila_precheck.precheck',
            **{
                'manila_precheck_source': '2025.1',
                'manila_precheck_merge_command': str(self.command),
                'manila_precheck_config_files': ['{{ conf }}'],
                'manila_precheck_become': False,
                'manila_precheck_reports': str(self.path / 'reports'),
                **variables,
            },
        )
        report = self.path / 'reports/merged/report.json'
        return done, json.loads(report.read_text()) if report.exists() else {}

    def keys(self, report):
        return {
            (finding['key'], finding['severity'])
            for one in report['checks']
            for finding in one['findings']
        }

    def of_one_machine(self, *hosts):
        """Return the warnings of hosts that are one machine and run one check.

        :param hosts: the hosts with a report.
        """
        return {
            *((f'hosts[{name}#checks]', 'warning') for name in hosts),
            (f'hosts[{socket.gethostname()}#machine]', 'warning'),
        }

    def then(self, serial):
        """Return a playbook with a fake upgrade, a file, after the role."""
        return self.write(
            'play.yml',
            yaml.safe_dump(
                [
                    {
                        'hosts': 'manila',
                        'gather_facts': False,
                        'serial': serial,
                        'roles': ['openstack.manila_precheck.manila_precheck'],
                        'tasks': [
                            {
                                'ansible.builtin.copy': {
                                    'content': 'upgraded',
                                    'dest': '{{ conf }}.upgraded',
                                }
                            }
                        ],
                    }
                ]
            ),
        )

    def upgraded(self):
        return sorted(
            path.parent.name
            for path in self.path.glob('*/manila.conf.upgraded')
        )

    def test_a_fleet_that_may_go_on(self):
        """Two hosts get the command as a single file, which is removed."""
        names = ['ctl1', 'ctl2', 'ctl3']
        file = self.write('here/precheck.pyz', case.COMMAND)
        # A private directory, since other tests may use the common one.
        copies = self.path / 'tmp'
        copies.mkdir()
        self.environment['TMPDIR'] = str(copies)
        self.facts.update(
            dict.fromkeys(
                names[:2],
                f'manila_precheck_file={file} manila_precheck_command=/no '
                f'manila_precheck_python={sys.executable}',
            )
        )
        done, report = self.fleet(dict.fromkeys(names, case.GOOD))
        self.assertEqual(0, done.returncode, done.stdout)
        # All hosts are this machine, and run only one check.
        self.assertEqual(self.of_one_machine(*names), self.keys(report))
        # The report is also printed as text, and written to a file.
        text = (self.path / 'reports/merged/report.txt').read_text()
        self.assertIn('Code 1: ', text)
        for line in text.splitlines():
            self.assertIn(json.dumps(line), done.stdout)
        self.assertEqual([], list(copies.glob('*precheck')))

    def test_one_host_of_each_kind_that_stops(self):
        """The other hosts still have their reports."""
        self.facts.update(
            command='manila_precheck_command=/nowhere',
            file='manila_precheck_file=/nowhere',
            master='manila_precheck_target=master',
        )
        done, report = self.fleet(
            {
                'good': case.GOOD,
                'bad': case.BAD,
                'unreachable': None,
                'differs': case.GOOD.replace('NFS', 'NFS,CIFS'),
                'garbage': 'no configuration at all',
                'command': case.GOOD,
                'file': case.GOOD,
                'master': case.GOOD,
            }
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
                *self.of_one_machine('good', 'bad', 'differs'),
                ('hosts[unreachable#missing]', 'failure'),
                ('hosts[garbage#missing]', 'failure'),
                ('hosts[command#missing]', 'failure'),
                ('hosts[file#missing]', 'failure'),
                ('hosts[master#missing]', 'failure'),
            },
            self.keys(report),
        )
        self.assertIn('manila-precheck ended with 2', done.stdout)
        self.assertIn("unknown release 'master'", done.stdout)
        self.assertIn('manila.conf:1', done.stdout)

    def test_serial(self):
        """The last batch has the report of all hosts."""
        names = ('ctl1', 'ctl2')
        # A report of an earlier run.
        self.write('reports/ctl9.json', '{}')
        done, report = self.fleet(
            dict.fromkeys(names, case.GOOD), self.then(1)
        )
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(self.of_one_machine(*names), self.keys(report))
        self.assertEqual(sorted(names), self.upgraded())
        self.assertFalse((self.path / 'reports/ctl9.json').exists())

    @ddt.data(case.BAD, None)
    def test_serial_stops(self, text):
        """A host that fails or is missing stops all hosts after it."""
        done, _report = self.fleet(
            {'ctl1': case.GOOD, 'ctl2': text, 'ctl3': case.GOOD}, self.then(1)
        )
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(['ctl1'], self.upgraded())

    def test_an_unreachable_host_stops_the_others_of_its_batch(self):
        done, report = self.fleet(
            {'ctl1': case.GOOD, 'ctl2': None, 'ctl3': case.GOOD}, self.then(2)
        )
        self.assertNotEqual(0, done.returncode)
        self.assertEqual([], self.upgraded())
        # Hosts of later batches do not count as missing.
        self.assertEqual(
            ['hosts[ctl2#missing]'],
            [key for key, _ in self.keys(report) if '#missing' in key],
        )

    @ddt.named_data(
        ['no target', {'manila_precheck_target': ''}],
        ['no command to merge', {'manila_precheck_merge_command': '/nowhere'}],
        ['no stage', {'manila_precheck_stage': 'soon'}],
        ['warnings, if so', {'manila_precheck_fail_on': 'warning'}],
    )
    def test_stops(self, variables):
        done, _report = self.fleet({'ctl1': case.GOOD}, **variables)
        self.assertEqual(2, done.returncode, done.stdout)

    def test_the_files_of_the_collection(self):
        """ansible-test runs in the tree that ansible-galaxy installs."""
        tree = self.path / 'ansible_collections/openstack/manila_precheck'
        shutil.copytree(COLLECTION, tree)
        self.succeeds('git', 'init', '--quiet', cwd=tree)
        self.succeeds('git', 'add', '.', cwd=tree)
        self.succeeds(
            'ansible-test',
            'sanity',
            '--python',
            '{}.{}'.format(*sys.version_info),
            *(word for name in SANITY for word in ('--test', name)),
            cwd=tree,
        )

    def test_the_version_of_the_collection_is_that_of_the_package(self):
        facts = yaml.safe_load((COLLECTION / 'galaxy.yml').read_text())
        self.assertIn(
            f'version = {facts["version"]}\n',
            (case.ROOT / 'setup.cfg').read_text(),
        )

    def test_the_role_says_of_each_variable_what_it_is(self):
        role = COLLECTION / 'roles/manila_precheck'
        defaults = yaml.safe_load((role / 'defaults/main.yml').read_text())
        options = yaml.safe_load(
            (role / 'meta/argument_specs.yml').read_text()
        )['argument_specs']['main']['options']
        self.assertEqual(set(defaults), set(options))
        for name, option in options.items():
            if 'default' in option:
                self.assertEqual(defaults[name], option['default'], name)
