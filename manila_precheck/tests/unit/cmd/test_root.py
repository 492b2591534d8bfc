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

"""``--root``: the files of another machine."""

import base64
import json
import os
import re
import shutil
import textwrap
from typing import Any
from typing import ClassVar

import ddt
import fixtures

from manila_precheck.evidence.files import bundle
from manila_precheck.tests.unit.cmd import test_precheck

# A site with something for each check that reads a file.
CONF = """\
[DEFAULT]
enabled_share_backends = gold
transport_url = rabbit://manila:brokerpw@ctl1/
api_paste_config = api-paste.ini
host = ctl1
idle = 1

[gold]
share_driver = manila.share.drivers.netapp.common.NetAppDriver
driver_handles_share_servers = perhaps
share_backend_name = gold

[database]
connection = mysql+pymysql://manila:databasepw@db1/manila
idle_timeout = 5

[keystone_authtoken]
password = servicepw

[oslo_policy]
policy_file = policy.yaml
"""
POLICY = """\
"share:create": "role:member and not_there"
"share:no_such_rule": "role:admin"
"""
PASTE = """\
[composite:osapi_share]
use = call:manila.api:root_app_factory
/: apiversions

[app:apiversions]
paste.app_factory = manila.api.gone:Factory
"""
FILES = {
    'manila.conf': CONF,
    'policy.yaml': POLICY,
    'api-paste.ini': PASTE,
}

# Flags that stand behind the command.
_OF_CHECK = ('--redact-names', '--check=upgrade-path')

# What only says something about the machine that the command runs on.
_OF_HOST = (
    'installed-packages',
    'local-changes',
    'manila-status',
    'service-connections',
    'service-startup',
)


def secret(name, files, kind='Secret', part='data', indent=0):
    """Return a manifest, as kubectl prints it."""
    lines = ['apiVersion: v1', f'kind: {kind}', 'metadata:', f'  name: {name}']
    lines.append(f'{part}:')
    for key, text in files.items():
        if part == 'data' and kind == 'Secret':
            value = base64.b64encode(text.encode()).decode()
            lines.append(f'  {key}: {value}')
        else:
            lines.append(f'  {key}: |')
            lines.append(textwrap.indent(text, '    ').rstrip())
    return textwrap.indent('\n'.join([*lines, '']), ' ' * indent)


class Case(test_precheck.Case):
    def setUp(self):
        super().setUp()
        self.bundle = os.path.join(self.path, 'bundle')
        os.makedirs(self.bundle)

    def files(self, files, *folders):
        """Write files into each of some directories of the bundle."""
        for folder in folders:
            for name, text in files.items():
                self.write(os.path.join('bundle', folder, name), text)

    def run_json(self, *words):
        before = [word for word in words if word not in _OF_CHECK]
        code, stdout, stderr = self.main(
            *before,
            'upgrade',
            'check',
            *(word for word in words if word in _OF_CHECK),
            '--format=json',
            '--source-release=2024.1',
            '--target-release=2025.1',
            '--reproducible',
            '--no-database',
        )
        self.assertEqual('', stderr)
        report = json.loads(stdout)
        self.assertEqual(code, report['exit_code'], stdout[:1000])
        return report

    def of_root(self, *words, root=None):
        return self.run_json('--root', root or self.bundle, *words)

    def refused(self, words, *flags, root=None):
        code, stdout, stderr = self.main(
            '--root', root or self.bundle, 'upgrade', 'check', *flags
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(f'manila-precheck: error: {words}\n', stderr)

    def results(self, report, *places):
        """Return the results, with one name for some directories."""
        text = json.dumps(
            [one for one in report['checks'] if one['id'] not in _OF_HOST]
        )
        text = re.sub(
            'it needs the database[^"]*', 'it needs the database', text
        )
        for place in places:
            text = re.sub(re.escape(place) + r'(?![\w-])', '@', text)
        checks = json.loads(text)
        for one in checks:
            # Of a file that each service has, each line is told.
            findings = {json.dumps(f) for f in one['findings']}
            one['findings'] = sorted(findings)
        return checks


@ddt.ddt
class ShapeTest(Case):
    """The findings are those of the host with the same files."""

    # They name no directory of a test, so the first test asks for all.
    _asked_once: ClassVar[list[dict[str, Any]]] = []

    def setUp(self):
        super().setUp()
        if not self._asked_once:
            self._asked_once.extend(self._asked())
        self.on_host = self._asked_once

    def _asked(self):
        for name, text in FILES.items():
            self.write(os.path.join('host', name), text)
        here = os.path.join(self.path, 'host')
        results = self.results(
            self.run_json('--config-file', f'{here}/manila.conf'), here
        )
        self.assertNotIn(self.path, json.dumps(results))
        found = {one['id'] for one in results if one['findings']}
        self.assertLessEqual(
            {'api-paste', 'config-options', 'policy-rules'}, found
        )
        return results

    def assert_same(self, *places):
        report = self.of_root()
        found = self.results(report, *places)
        for here, there in zip(self.on_host, found):
            self.assertEqual(here, there)
        self.assertEqual(len(self.on_host), len(found))
        self.assertEqual(self.bundle, report.pop('root'))
        text = json.dumps(report)
        self.assertNotIn(self.path, text)
        for word in ('brokerpw', 'databasepw', 'servicepw'):
            self.assertNotIn(word, text)
        return [file['path'] for file in report['files']]

    def assert_alike(self):
        """Each service has a file of its own, and all say the same."""
        report = self.of_root()
        here, there = (
            {
                (finding['key'], finding['severity'])
                for one in results
                for finding in map(json.loads, one['findings'])
                # One for the file of a service that does not use it.
                if finding['data'].get('verdict') != 'ineffective'
            }
            for results in (self.on_host, self.results(report))
        )
        self.assertEqual(here, there)
        outcomes, found = (
            [(one['id'], one['outcome']) for one in results]
            for results in (self.on_host, self.results(report))
        )
        self.assertEqual(outcomes, found)
        return [file['path'] for file in report['files']]

    @ddt.data(
        'etc/manila',
        'sosreport-ctl1-2026-04-01-abcdefg/etc/manila',
        'must-gather/host/rootfs/etc/manila',
        'var/lib/lxc/infra1_manila_container-1a2b/rootfs/etc/manila',
        'x/var/lib/config-data/puppet-generated/manila/etc/manila',
        'manila',
        '.',
    )
    def test_files_of_a_machine(self, folder):
        self.files(FILES, folder)
        self.write('bundle/readme.txt', '')
        files = self.assert_same('/etc/manila')
        self.assertEqual(
            [f'/etc/manila/{name}' for name in sorted(FILES)], sorted(files)
        )

    @ddt.data('gztar', 'xztar', 'bztar', 'tar', 'zip')
    def test_an_archive(self, kind):
        self.files(FILES, 'sosreport-ctl1/etc/manila')
        self.files({'hostname': 'ctl1'}, 'sosreport-ctl1/etc')
        self.bundle = shutil.make_archive(
            os.path.join(self.path, 'packed'), kind, self.bundle
        )
        files = self.assert_same('/etc/manila')
        self.assertEqual(
            [f'/etc/manila/{name}' for name in sorted(FILES)], sorted(files)
        )

    @ddt.data('', 'etc/kolla', 'node1/etc/kolla')
    def test_kolla(self, folder):
        services = [f'manila-{s}' for s in ('api', 'data', 'share')]
        self.files(FILES, *(os.path.join(folder, s) for s in services))
        self.files({'config.json': '{}'}, os.path.join(folder, 'keystone'))
        files = self.assert_alike()
        for service in services:
            self.assertIn(f'/etc/kolla/{service}/manila.conf', files)

    @ddt.data(
        ('Secret', 'data'), ('Secret', 'stringData'), ('ConfigMap', 'data')
    )
    @ddt.unpack
    def test_openstack_helm(self, kind, part):
        text = secret('manila-etc', FILES, kind, part)
        other = secret('manila-bin', {'db-sync.sh': 'x'}, 'ConfigMap')
        self.write('bundle/rendered.yaml', f'{other}---\n{text}')
        files = self.assert_same('/etc/manila')
        self.assertIn('/etc/manila/manila.conf', files)

    def test_secrets_in_json(self):
        data = {
            name: base64.b64encode(text.encode()).decode()
            for name, text in FILES.items()
        }
        one = {
            'apiVersion': 'v1',
            'kind': 'Secret',
            'metadata': {'name': 'manila-etc'},
            'data': data,
        }
        self.write('bundle/all.json', json.dumps(one))
        self.assert_same('/etc/manila')

    def test_a_list_of_secrets(self):
        text = secret('manila-etc', FILES, indent=2)
        self.write(
            'bundle/all.yaml',
            f'kind: List\nitems:\n-{text[1:]}',
        )
        self.assert_same('/etc/manila')

    @ddt.data('', 'namespaces/openstack/secrets/manila/')
    def test_rhoso_secrets(self, folder):
        parts = CONF.partition('[gold]')
        snippets = {
            '00-config.conf': parts[0],
            # The line of each setting is that of one file.
            '03-config.conf': '\n' * parts[0].count('\n') + ''.join(parts[1:]),
            '10-manila_wsgi.conf': '<VirtualHost *:8786>\n',
            'policy.yaml': POLICY,
            'api-paste.ini': PASTE,
        }
        names = ['manila-api', 'manila-share-share0', 'manila-scheduler']
        for name in names:
            name += '-config-data'
            self.write(f'bundle/{folder}{name}.yaml', secret(name, snippets))
        # The umbrella's is for the job of "db sync".
        self.write(
            f'bundle/{folder}manila-config-data.yaml',
            secret('manila-config-data', {'00-config.conf': CONF}),
        )
        files = self.assert_alike()
        place = f'{folder[-7:]}manila-api-config-data.yaml/'
        for name in ('00-config.conf', '03-config.conf', 'policy.yaml'):
            self.assertIn(f'/{place}manila-api-config-data/{name}', files)

    def test_a_mounted_secret(self):
        self.files(
            {'00-config.conf': CONF, 'policy.yaml': POLICY}, '..2026_04_01'
        )
        self.files({'api-paste.ini': PASTE}, '..2026_04_01')
        os.symlink('..2026_04_01', f'{self.bundle}/..data')
        for name in ('00-config.conf', 'policy.yaml', 'api-paste.ini'):
            os.symlink(f'..data/{name}', f'{self.bundle}/{name}')
        self.on_host = json.loads(
            json.dumps(self.on_host).replace('manila.conf', '00-config.conf')
        )
        self.assert_same('/etc/manila/manila.conf.d')

    def test_values_of_openstack_helm(self):
        self.write(
            'bundle/values.yaml',
            textwrap.dedent(
                """\
                images: {tags: {manila_api: docker.io/manila}}
                conf:
                  policy:
                    "share:create": "role:member and not_there"
                    "share:no_such_rule": "role:admin"
                  paste:
                    composite:osapi_share:
                      use: call:manila.api:root_app_factory
                      /: apiversions
                    app:apiversions:
                      paste.app_factory: manila.api.gone:Factory
                  manila:
                    DEFAULT:
                      enabled_share_backends: [gold]
                      transport_url: rabbit://manila:brokerpw@ctl1/
                      api_paste_config: api-paste.ini
                      host: ctl1
                      idle: 1
                      debug: null
                    gold:
                      share_driver: manila.share.drivers.netapp.common.\
NetAppDriver
                      driver_handles_share_servers: perhaps
                      share_backend_name: gold
                    database:
                      connection: mysql+pymysql://manila:databasepw@db1/manila
                      idle_timeout: 5
                    keystone_authtoken:
                      password: servicepw
                    oslo_policy:
                      policy_file: policy.yaml
                """
            ),
        )
        report = self.of_root()
        found = self.results(report, '/etc/manila')
        # The chart leaves no empty lines.
        here, there = (
            re.sub(
                r'(line"?:? |:)\d+',
                r'\1N',
                json.dumps(sorted(self.messages(results))),
            )
            for results in (self.on_host, found)
        )
        self.assertEqual(here, there)

    def messages(self, results):
        return [
            json.loads(finding)['message']
            for one in results
            for finding in one['findings']
        ]


@ddt.ddt
class RootTest(Case):
    def test_custom_service_config(self):
        self.write(
            'bundle/crs/openstackcontrolplane.yaml',
            textwrap.dedent(
                """\
                apiVersion: core.openstack.org/v1beta1
                kind: OpenStackControlPlane
                metadata: {name: cp}
                spec:
                  manila:
                    template:
                      customServiceConfig: |
                        [DEFAULT]
                        no_such_option = 1
                      manilaAPI:
                        customServiceConfig: |
                          [DEFAULT]
                          enabled_share_protocols = nfs,cifs
                      manilaShares:
                        share0:
                          customServiceConfig: |
                            [DEFAULT]
                            enabled_share_backends = nfs
                            [nfs]
                            no_such_option_either = 1
                """
            ),
        )
        report = self.of_root()
        self.assertEqual(
            [
                '/openstackcontrolplane.yaml/cp/02-config.conf',
                '/openstackcontrolplane.yaml/cp/manilaAPI/03-config.conf',
                '/openstackcontrolplane.yaml/cp/manilaShares/share0/'
                '03-config.conf',
            ],
            [file['path'] for file in report['files']],
        )
        top = '/openstackcontrolplane.yaml/cp'
        self.assertEqual(
            [
                ('manila-api', f'{top}/manilaAPI', 2),
                ('manila-data', top, 1),
                ('manila-scheduler', top, 1),
                ('manila-share', f'{top}/manilaShares/share0', 2),
            ],
            sorted(
                (one['service'], one['file'], len(one['locations']))
                for one in report['services']
                if one['locations']
            ),
        )

    def test_what_it_does_not_hold_is_not_missing(self):
        self.files(
            {
                'manila.conf': '[DEFAULT]\n'
                'api_paste_config = /usr/share/manila/api-paste.ini\n'
                '[oslo_policy]\npolicy_file = /opt/policy.yaml\n'
            },
            'etc/kolla/manila-api',
        )
        where = '/etc/kolla/manila-api/manila.conf'
        found = {
            one['id']: (one['outcome'], one['reason'])
            for one in self.of_root()['checks']
        }
        self.assertEqual(
            (
                'skipped',
                '/usr/share/manila/api-paste.ini is not in the bundle '
                f'({where}:2 [DEFAULT] api_paste_config)',
            ),
            found['api-paste'],
        )
        self.assertEqual(
            (
                'skipped',
                f'/opt/policy.yaml is not in the bundle ({where}:4 '
                '[oslo_policy] policy_file)',
            ),
            found['policy-rules'],
        )

    def test_what_is_missing_beside_what_it_holds(self):
        self.files(
            {'manila.conf': '[oslo_policy]\npolicy_file = policy.yaml\n'},
            'etc/manila',
        )
        (found,) = (
            one
            for one in self.of_root()['checks']
            if one['id'] == 'policy-rules'
        )
        self.assertEqual('found', found['outcome'])

    def test_a_report_for_a_vendor_does_not_name_the_bundle(self):
        self.files({'manila.conf': '[DEFAULT]\n'}, 'etc/manila')
        report = self.of_root('--redact-names', '--check=upgrade-path')
        self.assertEqual('', report['root'])

    def test_the_readable_reports_name_the_bundle(self):
        self.files({'manila.conf': '[DEFAULT]\n'}, 'etc/manila')
        for form, words in (
            ('table', f'Bundle      {self.bundle}\n'),
            ('markdown', f'- bundle `{self.bundle}`\n'),
            ('html', '<dt>Bundle</dt>'),
        ):
            _, stdout, _ = self.main(
                '--root',
                self.bundle,
                'upgrade',
                'check',
                '--source-release=2024.1',
                '--check=upgrade-path',
                f'--format={form}',
            )
            self.assertIn(words, stdout)

    def test_links_stay_inside(self):
        self.write('outside.yaml', '"share:create": "@"\n')
        self.files({'manila.conf': '[DEFAULT]\n'}, 'etc/manila')
        os.symlink(
            os.path.join(self.path, 'outside.yaml'),
            f'{self.bundle}/etc/manila/policy.yaml',
        )
        report = self.of_root()
        self.assertEqual(
            ['/etc/manila/manila.conf'],
            [file['path'] for file in report['files']],
        )

    def test_the_options_of_a_bundle_have_no_effect(self):
        target = os.path.join(self.path, 'written.html')
        self.files(
            {
                'manila.conf': '[manila_precheck]\nstage = stopped\n'
                f'report = html:{target}\nno_such_option = 1\n'
                'target_release = 2026.1\n'
            },
            'etc/manila',
        )
        report = self.of_root()
        self.assertEqual('plan', report['stage'])
        self.assertEqual('2025.1', report['target_release'])
        self.assertFalse(os.path.exists(target))

    def test_nothing_of_this_machine(self):
        self.files({'manila.conf': '[DEFAULT]\n'}, 'etc/manila')
        self.write('bundle/etc/hostname', 'ctl7.example.org\n')
        for name, value in (
            ('OS_DEFAULT__HOST', 'here'),
            ('OS_DATABASE__CONNECTION', 'mysql+pymysql://a:b@127.0.0.1/x'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        code, stdout, stderr = self.main(
            '--root',
            self.bundle,
            'upgrade',
            'check',
            '--format=json',
            '--source-release=2024.1',
            '--target-release=2026.1',
        )
        report = json.loads(stdout)
        self.assertEqual(('', 'ctl7.example.org'), (stderr, report['host']))
        self.assertIsNone(report['database'])
        found = {one['id']: one for one in report['checks']}
        self.assertEqual([], found['config-options']['findings'])
        self.assertEqual('skipped', found['schema-revision']['outcome'])
        for name in _OF_HOST:
            self.assertEqual('not_applicable', found[name]['outcome'])
        self.assertNotIn('surroundings', found)

    def test_a_database_that_the_operator_names(self):
        self.files({'manila.conf': CONF}, 'etc/manila')
        code, stdout, stderr = self.main(
            '--root',
            self.bundle,
            'upgrade',
            'check',
            '--source-release=2024.1',
            '--format=json',
            '--check=schema-revision',
            '--database-connection',
            f'sqlite:///{self.path}/copy.db',
        )
        (one,) = json.loads(stdout)['checks']
        self.assertEqual(
            ('error', True),
            (
                one['outcome'],
                'copy.db does not exist ([manila_precheck] '
                'database_connection)' in one['reason'],
            ),
        )

    def test_root_in_the_file_of_the_operator(self):
        self.files({'manila.conf': CONF}, 'etc/manila')
        own = self.write(
            'own.conf',
            f'[manila_precheck]\nroot = {self.bundle}\nstage = stopped\n',
        )
        report = self.run_json('--config-file', own)
        self.assertEqual('stopped', report['stage'])
        self.assertEqual(
            ['/etc/manila/manila.conf'],
            [
                file['path']
                for file in report['files']
                if file['kind'] == 'config'
            ],
        )

    def test_root_in_a_variable(self):
        self.files({'manila.conf': CONF}, 'etc/manila')
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__ROOT', self.bundle
            )
        )
        self.assertIn(
            '/etc/manila/manila.conf',
            [file['path'] for file in self.run_json()['files']],
        )

    def test_files_named_in_it(self):
        self.files({'a.conf': CONF}, 'srv', 'etc')
        self.files({'b.conf': '[DEFAULT]\n'}, 'srv/d')
        report = self.of_root(
            '--config-file', '/srv/a.conf', '--config-dir', 'srv/d'
        )
        self.assertEqual(
            ['/srv/a.conf', '/srv/d/b.conf'],
            [file['path'] for file in report['files']],
        )
        for flag, path, words in (
            ('--config-file', '/srv', 'is a directory'),
            ('--config-dir', '/no', 'is not there'),
            ('--config-dir', '/srv/a.conf', 'is not a directory'),
        ):
            self.refused(f'{flag} {path} {words} in {self.bundle}', flag, path)

    def test_several_machines(self):
        self.files(FILES, 'ctl1/etc/manila', 'ctl2/etc/manila')
        self.refused(
            f'{self.bundle}: it holds the files of several machines; name '
            'one of them: /ctl1, /ctl2'
        )
        self.of_root(root=f'{self.bundle}/ctl2')

    def test_nothing_of_manila(self):
        self.files({'nova.conf': ''}, 'etc/nova')
        self.refused(
            f'{self.bundle}: no configuration of manila in it: no etc/manila/'
            'manila.conf, no directory of kolla, no Secret or resource of '
            'Kubernetes that holds one'
        )
        self.refused(
            f'{self.path}/no: No such file or directory',
            root=f'{self.path}/no',
        )
        self.refused(
            f'{self.conf}: neither a directory nor an archive that is read '
            'here',
            root=self.conf,
        )

    def test_a_secret_that_is_none(self):
        self.write(
            'bundle/secret.yaml',
            'kind: Secret\nmetadata: {name: manila-etc}\n'
            'data:\n  manila.conf: "*****"\n',
        )
        self.refused(
            '/secret.yaml: manila.conf of Secret manila-etc is not in base64'
        )
        self.write('bundle/secret.yaml', 'kind: Secret\nmanila: [\n')
        code, _, stderr = self.main('--root', self.bundle, 'upgrade', 'check')
        self.assertEqual(255, code)
        self.assertIn('error: /secret.yaml:', stderr)

    def test_a_must_gather_has_thousands_of_manifests(self):
        self.write('bundle/ns/manila.yaml', secret('manila-etc', FILES))
        for number in range(1500):
            self.write(f'bundle/pods/p{number}.yaml', 'kind: Pod\na: "\n')
        self.write('bundle/pods/large.yaml', 'kind: Secret\n' * 200_000)
        report = self.of_root('--check=upgrade-path')
        self.assertEqual(1, len(report['checks']))

    @ddt.data('_MAX_MANIFESTS', '_MAX_MANIFEST_BYTES', '_MAX_PARSED_BYTES')
    def test_more_manifests_than_are_read(self, limit):
        self.write('bundle/one.yaml', secret('manila-etc', FILES))
        self.patch(bundle, limit, 0)
        code, _, stderr = self.main('--root', self.bundle, 'upgrade', 'check')
        self.assertEqual(255, code)
        self.assertIn('more manifests than are read of a bundle', stderr)

    def test_no_report_into_it(self):
        self.files(FILES, 'etc/manila')
        path = f'{self.bundle}/etc/report.html'
        code, _, stderr = self.main(
            '--root', self.bundle, 'upgrade', 'check', f'--report=html:{path}'
        )
        self.assertEqual(255, code)
        self.assertIn(
            f'it would be written into {self.bundle}, which is read', stderr
        )
        self.assertFalse(os.path.exists(path))

    def test_sources_are_not_looked_up(self):
        self.files(
            {
                'manila.conf': '[DEFAULT]\nconfig_source = vault\n[vault]\n'
                'driver = remote_file\nuri = http://127.0.0.1:1/x\n'
            },
            'etc/manila',
        )
        text = json.dumps(self.of_root())
        self.assertIn('it is not looked up for the files of a bundle', text)
        self.assertNotIn('Connection refused', text)

    def test_the_running_files_of_a_bundle(self):
        self.files({'manila.conf': CONF}, 'etc/kolla/manila-share')
        staged = self.write('staged.conf', CONF.replace('ctl1\n', 'ctl2\n'))
        for words in (
            ('--running-root', f'{self.bundle}/etc/kolla'),
            (
                '--running-root',
                self.bundle,
                '--running-config-file',
                '/etc/kolla/manila-share/manila.conf',
            ),
        ):
            code, stdout, _ = self.main(
                '--config-file',
                staged,
                'upgrade',
                'check',
                '--source-release=2024.1',
                '--target-release=2026.1',
                '--check=running-config',
                '--no-database',
                '--format=json',
                *words,
            )
            report = json.loads(stdout)
            (one,) = (
                c for c in report['checks'] if c['id'] == 'running-config'
            )
            self.assertEqual(
                ['/etc/kolla/manila-share/manila.conf'],
                [
                    f['path']
                    for f in report['files']
                    if f['kind'] == 'running config'
                ],
            )
            self.assertIn(
                'DEFAULT/host',
                {f['subject']['name'] for f in one['findings']},
            )
