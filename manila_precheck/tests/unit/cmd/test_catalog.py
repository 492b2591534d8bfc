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
"""What ``catalog list`` and ``catalog diff`` write."""

import hashlib
import io
import json
import os
import subprocess
import sys

import ddt
import fixtures
import testtools

from manila_precheck import catalog as facts_
from manila_precheck import releases
from manila_precheck.catalog import builds
from manila_precheck.catalog import options
from manila_precheck.cmd import catalog
from manila_precheck.cmd import precheck
from manila_precheck.tests import known_releases
from manila_precheck.tests.unit.catalog import test_builds

FACTS = facts_.Catalog()
_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)


def between(source, target, of, *changes):
    """Return the rows of some changes of a kind, without of and change."""
    found = catalog.compare(catalog.side(source), catalog.side(target))
    return [one[2:] for one in found if one.of == of and one.change in changes]


@ddt.ddt
class CompareTest(testtools.TestCase):
    def test_options_that_go(self):
        self.assertEqual(
            [
                ('[DEFAULT] watch_log_file', '', ''),
                ('[healthcheck] path', '', ''),
                (
                    '[oslo_messaging_rabbit] '
                    'ssl_enforce_hostname_verification',
                    '',
                    '',
                ),
            ],
            between('2025.1', '2026.1', 'option', 'removed'),
        )

    def test_options_under_another_name(self):
        rows = between('wallaby', 'xena', 'option', 'renamed')
        self.assertIn(
            ('[DEFAULT] quota_shares', '', '[quota] shares'),
            rows,
        )
        # A new name is no new option.
        names = [name for name, *_ in between('12', '13', 'option', 'added')]
        self.assertNotIn('[quota] shares', names)

    def test_defaults(self):
        rows = between('wallaby', '2026.2', 'option', 'default')
        self.assertIn(
            (
                '[keystone_authtoken] service_token_roles_required',
                'False',
                'True',
            ),
            rows,
        )

    def test_values(self):
        self.assertIn(
            (
                '[DEFAULT] auth_strategy',
                'string',
                'string (keystone, noauth, noauthv2)',
            ),
            between('2025.1', '2026.1', 'option', 'type'),
        )

    def test_policies(self):
        self.assertIn(
            ('quota_set:update', 'rule:system-admin', 'rule:context_is_admin'),
            between('wallaby', '2026.2', 'policy', 'check'),
        )
        self.assertEqual([], between('2025.1', '2026.1', 'policy', 'check'))

    def test_plugins(self):
        self.assertEqual(
            [
                ('api module manila.api.v1', '', ''),
                ('coordination zake', '', ''),
                ('emc plugin isilon', '', ''),
            ],
            between('2025.1', '2026.1', 'plugin', 'removed'),
        )

    def test_commands(self):
        self.assertEqual(
            [('manila-wsgi', '', '')],
            between('2025.1', '2026.1', 'command', 'removed'),
        )

    def test_paste(self):
        self.assertIn(
            ('[app:api] paste.app_factory', '', ''),
            between('2025.1', '2026.1', 'paste', 'removed'),
        )
        self.assertIn(
            (
                '[pipeline:apiversions] pipeline',
                'cors faultwrap http_proxy_to_wsgi osshareversionapp',
                'cors request_id faultwrap http_proxy_to_wsgi '
                'osshareversionapp',
            ),
            between('2025.1', '2026.1', 'paste', 'value'),
        )

    def test_the_database(self):
        self.assertEqual(
            [
                ('encryption_refs', '', ''),
                ('qos_type_specs', '', ''),
                ('qos_types', '', ''),
                ('share_instance_metadata', '', ''),
            ],
            between('2025.1', '2026.1', 'table', 'added'),
        )
        self.assertEqual(
            3, len(between('2025.1', '2026.1', 'migration', 'added'))
        )

    def test_requirements(self):
        self.assertIn(
            ('python', '>=3.9', '>=3.10'),
            between('2025.1', '2026.1', 'requirement', 'version'),
        )

    @ddt.data(*zip(FACTS.releases, FACTS.releases[1:]))
    @ddt.unpack
    def test_every_hop_is_the_difference_of_the_facts(self, before, after):
        """Each option is gone, is new, or is in both, and in one row."""
        found = catalog.compare(
            catalog.side(before.name), catalog.side(after.name)
        )
        self.assertEqual(len(found), len(set(found)))

        def names(release):
            return {
                (options.place_key(place), one.name)
                for one in FACTS.options(release)
                for place in (*(f'[{g}]' for g in one.groups), *one.kinds)
            }

        gone = names(before) - names(after)
        told = [
            one.name
            for one in found
            if one.of == 'option' and one.change in ('removed', 'renamed')
        ]
        self.assertEqual(len(gone), len(told))
        policies = set(FACTS.policies(before)) ^ set(FACTS.policies(after))
        self.assertEqual(
            policies,
            {
                one.name
                for one in found
                if one.of == 'policy' and one.change in ('removed', 'added')
            },
        )

    def test_a_release_against_itself(self):
        one = catalog.side('2026.1')
        self.assertEqual([], catalog.compare(one, one))


@ddt.ddt
class CommandTest(testtools.TestCase):
    def main(self, *words):
        """Return (exit code, stdout, stderr)."""
        streams = [
            self.useFixture(fixtures.MonkeyPatch(f'sys.{name}', io.StringIO()))
            for name in ('stdout', 'stderr')
        ]
        code = precheck.main(['catalog', *words])
        return code, *(one.new_value.getvalue() for one in streams)

    def test_list(self):
        # The columns are as wide as the longest word.
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        code, stdout, stderr = self.main('list')
        lines = stdout.splitlines()
        self.assertEqual((0, ''), (code, stderr))
        self.assertEqual(
            'RELEASE  MANILA            SERIES     PYTHON  DATABASE      '
            'SLURP  CATALOG',
            lines[0],
        )
        built = FACTS.package(releases.parse('2025.1')).built
        self.assertIn(
            '2025.1   20.0.0 to 20.0.3  Epoxy      >=3.9   0d8c8f6d54a4  '
            f'yes    {built}',
            lines,
        )
        self.assertEqual(len(facts_.Catalog().releases), len(lines) - 1)

    @ddt.data('2024.1', '18', '18.3.0')
    def test_an_update_within_a_release(self, latest):
        self.assertEqual(
            (
                0,
                'What changes from 2024.1 (manila 18.0.1) to 2024.1 (manila '
                '18.3.0)\n'
                '\n'
                'Configuration options (8)\n'
                '  removed  [<back end>] netapp_backup_share\n'
                '  removed  [<backup type>] netapp_backup_share\n'
                '  removed  [DEFAULT] netapp_backup_share\n'
                '  type     [<back end>] dell_nas_backend_port: string -> '
                'integer\n'
                '  default  [<back end>] dell_nas_backend_port: none -> 443\n'
                '  added    [<back end>] netapp_backup_volume\n'
                '  added    [<backup type>] netapp_backup_volume\n'
                '  added    [DEFAULT] netapp_backup_volume\n'
                '\n'
                'Commands (1)\n'
                '  removed  manila-all\n',
                '',
            ),
            self.main('diff', '18.0.1', latest),
        )

    def test_text(self):
        code, stdout, stderr = self.main('diff', '2025.1', '2026.1')
        self.assertEqual((0, ''), (code, stderr))
        head = 'What changes from 2025.1 (manila 20.0.3) to 2026.1 (manila '
        self.assertTrue(stdout.startswith(head), stdout[:200])
        for line in (
            '  removed     [healthcheck] path',
            '  renamed     [cache] redis_password -> [cache] password',
            'Commands (1)',
            '  version  python: >=3.9 -> >=3.10',
        ):
            self.assertIn(line, stdout.splitlines())

    def test_json(self):
        code, stdout, _ = self.main(
            'diff', '2025.1', '2026.1', '--format', 'json'
        )
        document = json.loads(stdout)
        self.assertEqual(
            (0, {'release': '2025.1', 'manila': '20.0.3'}),
            (code, document['source']),
        )
        self.assertIn(
            {
                'of': 'requirement',
                'change': 'version',
                'name': 'python',
                'before': '>=3.9',
                'after': '>=3.10',
            },
            document['changes'],
        )

    def test_markdown(self):
        _, stdout, _ = self.main(
            'diff', '2025.1', '2026.1', '--format', 'markdown'
        )
        lines = stdout.splitlines()
        self.assertIn('## Requirements (10)', lines)
        self.assertIn('| version | `python` | `>=3.9` | `>=3.10` |', lines)

    @ddt.data(('a|b', '`a\\|b`'), ('a`b', '``a`b``'), ('', ''))
    @ddt.unpack
    def test_a_cell(self, text, cell):
        self.assertEqual(cell, catalog._code(text))

    @ddt.data(
        (
            ('2026.1', '2025.1'),
            '2025.1 (manila 20.0.3) is not newer than 2026.1 (manila '
            '22.0.2): an upgrade goes to a newer release',
        ),
        *(
            (
                words,
                '2026.1 (manila 22.0.2) is not newer than 2026.1 (manila '
                '22.0.2): an upgrade goes to a newer release',
            )
            for words in (('2026.1', '2026.1'), ('22.0.2', '22'))
        ),
        (
            ('22.0.2', '22.0.0'),
            '2026.1 (manila 22.0.0) is not newer than 2026.1 (manila '
            '22.0.2): an upgrade goes to a newer release',
        ),
        (
            ('22.0.9', '2026.2'),
            'the catalog has no facts of manila 22.0.9; pass a file that '
            '"manila-precheck catalog build" has made of it',
        ),
    )
    @ddt.unpack
    def test_no_upgrade(self, words, message):
        self.assertEqual(
            (255, '', f'manila-precheck: error: {message}\n'),
            self.main('diff', *words),
        )

    def test_a_release_that_is_none(self):
        code, stdout, stderr = self.main('diff', 'x', '2026.1')
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn("unknown release 'x'", stderr)

    def test_a_python_without_manila(self):
        path = f'{self.useFixture(fixtures.TempDir()).path}/build.json'
        self.assertEqual(
            (
                255,
                '',
                f'manila-precheck: error: {sys.executable} cannot read its '
                "manila: ModuleNotFoundError: No module named 'manila'\n",
            ),
            self.main('build', '--python', sys.executable, '-o', path),
        )
        self.assertFalse(os.path.exists(path))

    @ddt.data(
        ('/nonexistent/python', '/nonexistent/python cannot be run: '),
        ('/etc/passwd', '/etc/passwd cannot be run: Permission denied'),
    )
    @ddt.unpack
    def test_a_python_that_is_none(self, python, message):
        code, stdout, stderr = self.main(
            'build', '--python', python, '-o', '/nonexistent/build.json'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn(message, stderr)

    def test_the_tool(self):
        """On standard output, as bytes; not on a terminal."""
        path = f'{self.useFixture(fixtures.TempDir()).path}/catalog.pyz'
        words = [sys.executable, '-c', _RUN, 'catalog', 'tool']
        with open(path, 'wb') as stream:
            subprocess.run(words, stdout=stream, check=True)
        with open(path, 'rb') as stream:
            self.assertEqual(builds.tool(), stream.read())
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        done = subprocess.run(
            words, stdout=theirs, stderr=subprocess.PIPE, text=True
        )
        os.close(theirs)
        self.assertEqual(
            (
                255,
                'manila-precheck: error: the tool is a file for another '
                'Python: redirect standard output, manila-precheck catalog '
                'tool > catalog.pyz\n',
            ),
            (done.returncode, done.stderr),
        )


@ddt.ddt
class StandInTest(testtools.TestCase):
    """A file of facts stands for a release in ``upgrade check``."""

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.write(
            'manila.conf',
            '[DEFAULT]\nof_the_build = 1\nof_nobody = 1\n',
        )
        self.write('18.json', json.dumps(test_builds.SMALL))
        self.write('18-again.json', json.dumps(test_builds.SMALL))
        self.write('damaged.json', '{"kind": "manila-build"}')

    def write(self, name, text):
        with open(f'{self.path}/{name}', 'w') as stream:
            stream.write(text)

    def main(self, *words):
        """Return (exit code, report or None, stderr)."""
        streams = [
            self.useFixture(fixtures.MonkeyPatch(f'sys.{name}', io.StringIO()))
            for name in ('stdout', 'stderr')
        ]
        code = precheck.main(
            [
                '--config-file',
                f'{self.path}/manila.conf',
                'upgrade',
                'check',
                '--format',
                'json',
                '--check',
                'config-options',
                '--check',
                'upgrade-path',
                *(word.replace('DIR', self.path) for word in words),
            ]
        )
        stdout, stderr = (one.new_value.getvalue() for one in streams)
        return code, json.loads(stdout) if stdout else None, stderr

    def keys(self, report):
        return {
            one['key']: one['message']
            for check in report['checks']
            for one in check['findings']
        }

    def test_without_a_file(self):
        _, report, _ = self.main(
            '--source-release', '2024.1', '--target-release', '2025.1'
        )
        self.assertEqual(
            {
                f'config-options[DEFAULT/{name}]': f'[DEFAULT] {name} is '
                'ignored: neither 2024.1 nor 2025.1 knows it in this section'
                for name in ('of_the_build', 'of_nobody')
            },
            self.keys(report),
        )

    @ddt.data((), ('--source-release', '2024.1'), ('--source-release', '18'))
    def test_the_source(self, words):
        """It names its release, where nothing else does."""
        code, report, stderr = self.main(
            '--source-catalog',
            'DIR/18.json',
            '--target-release',
            '2025.1',
            *words,
        )
        self.assertEqual((1, ''), (code, stderr))
        found = self.keys(report)
        self.assertEqual(
            ['config-options[DEFAULT/of_nobody]'],
            [key for key in found if 'ignored: neither' in found[key]],
        )
        self.assertIn(
            '2025.1 removed it', found['config-options[DEFAULT/of_the_build]']
        )
        self.assertEqual(
            ('2024.1', '18.0.1 20.0.3'),
            (report['source_release'], report['tool']['catalog']),
        )
        (file,) = (
            one for one in report['files'] if one['kind'] == 'source catalog'
        )
        path = f'{self.path}/18.json'
        self.assertEqual(path, file['path'])
        self.assertEqual(
            {
                'origin': 'file',
                'build': '18.0.1',
                'made': '2026-11-28T12:00:00Z',
                'path': path,
                'sha256': file['sha256'],
            },
            report['source_facts'],
        )
        with open(path, 'rb') as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        self.assertEqual(digest, file['sha256'])
        package = FACTS.package(releases.parse('2025.1'))
        self.assertEqual(
            {
                'origin': 'shipped',
                'build': package.version,
                'made': package.built,
                'path': None,
                'sha256': None,
            },
            report['target_facts'],
        )

    def test_the_target(self):
        _, report, _ = self.main(
            '--target-catalog', 'DIR/18.json', '--source-release', '2023.1'
        )
        self.assertEqual(
            ('2024.1', '16.3.0 18.0.1'),
            (report['target_release'], report['tool']['catalog']),
        )
        self.assertNotIn(
            'config-options[DEFAULT/of_the_build]',
            [
                key
                for key, message in self.keys(report).items()
                if 'ignored' in message
            ],
        )

    def test_secrets_in_the_path(self):
        self.write('password=hunter2.json', json.dumps(test_builds.SMALL))
        _, report, _ = self.main(
            '--source-catalog',
            'DIR/password=hunter2.json',
            '--target-release',
            '2025.1',
        )
        self.assertEqual(
            report['files'][0]['path'], report['source_facts']['path']
        )
        self.assertNotIn('hunter2', json.dumps(report))
        _, report, _ = self.main(
            '--source-catalog',
            'DIR/password=hunter2.json',
            '--target-catalog',
            'DIR/18.json',
        )
        self.assertNotIn('hunter2', json.dumps(report))

    def update(self, *words):
        """Return (release of each side, the catalog, findings by key)."""
        code, report, stderr = self.main(*words)
        self.assertEqual((0, ''), (code, stderr))
        return (
            report['source_release'],
            report['target_release'],
            report['tool']['catalog'],
            self.keys(report),
        )

    def test_from_a_build_to_the_shipped_one(self):
        """An update within a release is what changes between its builds."""
        self.write(
            'manila.conf', '[DEFAULT]\nof_the_build = 1\nof_nobody = 1\n'
        )
        code, report, stderr = self.main(
            '--source-catalog', 'DIR/18.json', '--target-release', '18.3.0'
        )
        self.assertEqual((1, ''), (code, stderr))
        self.assertEqual(
            ('18.0.1', '18.3.0', '18.0.1 18.3.0'),
            (
                report['source_release'],
                report['target_release'],
                report['tool']['catalog'],
            ),
        )
        found = self.keys(report)
        self.assertEqual(
            '[DEFAULT] of_nobody is ignored: neither 18.0.1 nor 18.3.0 knows '
            'it in this section',
            found.pop('config-options[DEFAULT/of_nobody]'),
        )
        self.assertEqual(
            {
                'config-options[DEFAULT/of_the_build]': '[DEFAULT] '
                'of_the_build = 1 is read by 18.0.1, but 18.3.0 removed it '
                'and ignores the line'
            },
            found,
        )

    def test_from_one_build_to_another(self):
        """Files of one version are told apart by their paths."""
        changed = dict(test_builds.SMALL, options=[])
        self.write('18-again.json', json.dumps(changed))
        source, target, facts, found = self.update(
            '--source-catalog',
            'DIR/18-again.json',
            '--target-catalog',
            'DIR/18.json',
        )
        self.assertEqual(
            (
                f'18.0.1 of {self.path}/18-again.json',
                f'18.0.1 of {self.path}/18.json',
                '18.0.1',
            ),
            (source, target, facts),
        )
        self.assertEqual({'config-options[DEFAULT/of_nobody]'}, {*found})

    def test_one_file_for_both(self):
        *sides, _, found = self.update(
            '--source-catalog',
            'DIR/18.json',
            '--target-catalog',
            'DIR/18.json',
        )
        self.assertEqual(['2024.1', '2024.1'], sides)
        self.assertEqual(
            'there is nothing to upgrade: source and target are both 2024.1',
            found['upgrade-path[target#same]'],
        )

    @ddt.data(
        ('18.0.1', []),
        ('1:18.0.1-0ubuntu1~cloud0', []),
        ('18.1.0', ['upgrade-path[source#build]']),
        ('1:18.1.0-0ubuntu1~cloud0', ['upgrade-path[source#build]']),
    )
    @ddt.unpack
    def test_the_build_that_is_named(self, version, expected):
        """What the facts are of is not warned of."""
        _, report, _ = self.main(
            '--source-catalog',
            'DIR/18.json',
            '--source-release',
            version,
            '--target-release',
            '2025.1',
        )
        self.assertEqual(
            expected, [key for key in self.keys(report) if '#build' in key]
        )

    @ddt.data(
        (
            ('--source-catalog', 'DIR/18.json', '--source-release', '2024.2'),
            'DIR/18.json is of manila 18.0.1 (2024.1), and source_release is '
            '2024.2',
        ),
        (
            ('--target-catalog', 'DIR/damaged.json'),
            'DIR/damaged.json is damaged: format: is missing',
        ),
        (
            ('--target-catalog', 'DIR/none.json'),
            'DIR/none.json: No such file or directory',
        ),
    )
    @ddt.unpack
    def test_refused(self, words, message):
        message = message.replace('DIR', self.path)
        self.assertEqual(
            (255, None, f'manila-precheck: error: {message}\n'),
            self.main(*words),
        )

    def test_a_report_in_the_place_of_a_file(self):
        code, report, stderr = self.main(
            '--source-catalog',
            'DIR/18.json',
            '--target-release',
            '2025.1',
            '--report',
            'json:DIR/18.json',
        )
        self.assertEqual((255, None), (code, report))
        self.assertIn('it would replace', stderr)
