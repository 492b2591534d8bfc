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

"""The whole command against plugins that misbehave in every way.

The plugins stand in a distribution of their own, as pip would install it.
"""

import json
import os
import subprocess
import sys
import textwrap

import ddt
import fixtures
import testtools

from manila_precheck.engine import registry

MODULE = '''
    import os
    import sys
    import time

    from manila_precheck.engine import check
    from manila_precheck import model


    class Base(check.Check):
        """A page."""

        title = 'A plugin'

        def run(self, ctx):
            return ()


    class Raises(Base):
        id = 'acme-raises'

        def run(self, ctx):
            raise RuntimeError('mysql://manila:hunter2x@db/ is down')


    class Exits(Base):
        id = 'acme-exits'

        def run(self, ctx):
            sys.exit(0)


    class Nonsense(Base):
        id = 'acme-nonsense'

        def run(self, ctx):
            yield 'nonsense'


    class Taken(Base):
        id = 'config-options'


    class Sleeps(Base):
        id = 'acme-sleeps'

        def run(self, ctx):
            while True:
                time.sleep(1)


    class Spins(Base):
        id = 'acme-spins'

        def run(self, ctx):
            while True:
                pass


    class Fine(Base):
        id = 'acme-fine'

        def run(self, ctx):
            yield model.Finding(
                model.Severity.INFO,
                model.Subject('thing', 'acme'),
                'the plugin ran',
            )
'''

ENTRY_POINTS = '''
    [manila_precheck.checks]
    acme-raises = acme_plugin:Raises
    acme-exits = acme_plugin:Exits
    acme-nonsense = acme_plugin:Nonsense
    acme-no-module = acme_missing:Missing
    acme-exits-early = acme_exits:Exits
    acme-sleeps = acme_plugin:Sleeps
    acme-spins = acme_plugin:Spins
    acme-fine = acme_plugin:Fine
    config-options = acme_plugin:Taken

    [manila_precheck.reporters]
    acme-breaks = acme_reporter:Breaks
'''

REPORTER = '''
    import sys

    from manila_precheck.reporters import base


    class Breaks(base.Reporter):
        name = 'acme-breaks'

        def write(self, report, stream, *, width=None, color=False):
            stream.write('half a report')
            sys.exit(0)
'''


# Writes what stevedore would, with one check of all.
FORGE = """
import json
import os
import sys
from stevedore import _cache

digest, values = _cache._hash_settings_for_path(tuple(sys.path))
os.makedirs(_cache._get_cache_dir())
point = ['upgrade-path', 'acme_plugin:Fine', 'manila_precheck.checks']
with open(os.path.join(_cache._get_cache_dir(), digest), 'w') as stream:
    json.dump(
        {
            'groups': {'manila_precheck.checks': [point]},
            'sys.executable': sys.executable,
            'sys.prefix': sys.prefix,
            'path_values': values,
        },
        stream,
    )
"""


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        info = 'acme_plugin-1.0.dist-info'
        os.mkdir(os.path.join(self.path, info))
        self.write(f'{info}/METADATA', 'Name: acme-plugin\nVersion: 1.0\n')
        self.write(f'{info}/entry_points.txt', ENTRY_POINTS)
        self.write('acme_plugin.py', MODULE)
        self.write('acme_exits.py', 'raise SystemExit(0)\n')
        self.write('acme_reporter.py', REPORTER)
        self.write('manila.conf', '[DEFAULT]\n')

    def write(self, name, text):
        with open(os.path.join(self.path, name), 'w') as stream:
            stream.write(textwrap.dedent(text))

    def run_command(self, *words, **environment):
        environment = {
            **os.environ,
            **environment,
            'PYTHONPATH': os.pathsep.join(
                [self.path, os.environ.get('PYTHONPATH', '')]
            ),
        }
        return subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                '--config-file',
                os.path.join(self.path, 'manila.conf'),
                *words,
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def check(self, *words, **environment):
        return self.run_command(
            'upgrade',
            'check',
            '--source-release',
            '2024.1',
            '--target-release',
            '2025.1',
            *words,
            **environment,
        )


@ddt.ddt
class MetadataTest(Case):
    """What says which plugins there are is forged, stale or damaged."""

    def results(self, *words, **environment):
        """Return id -> reason of what is listed and does not load."""
        done = self.run_command('check', 'list', **environment)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        rows = [line.split(None, 3) for line in done.stdout.splitlines()[1:]]
        found = {row[0]: row[3] for row in rows}
        self.assertEqual(
            set(), set(registry.BUILTIN[registry.CHECKS]) - set(found)
        )
        return {
            name: text
            for name, text in found.items()
            if 'it failed to load' in text
        }

    def test_a_forged_index_left_one_check_of_all(self):
        self.write('acme_plugin-1.0.dist-info/entry_points.txt', '')
        folders = {
            'HOME': f'{self.path}/home',
            'XDG_CACHE_HOME': f'{self.path}/cache',
        }
        for name in folders:
            environment = {'XDG_CACHE_HOME': '', name: folders[name]}
            subprocess.run(
                [sys.executable, '-c', FORGE],
                env={**os.environ, **environment, 'PYTHONPATH': self.path},
                check=True,
            )
            self.assertEqual({}, self.results(**environment), name)

    def test_no_index_is_written(self):
        cache = os.path.join(self.path, 'cache')
        self.check('--check', 'acme-fine', XDG_CACHE_HOME=cache)
        self.assertFalse(os.path.exists(cache))

    def test_another_version_of_this_package_beside_this_one(self):
        os.mkdir(os.path.join(self.path, 'manila_precheck-0.1.dist-info'))
        self.write('acme_plugin-1.0.dist-info/entry_points.txt', '')
        self.write(
            'manila_precheck-0.1.dist-info/METADATA',
            'Name: manila-precheck\nVersion: 0.1\n',
        )
        self.write(
            'manila_precheck-0.1.dist-info/entry_points.txt',
            """
            [manila_precheck.checks]
            upgrade-path = manila_precheck.checks.upgrade_path.check:UpgradePath
            api-paste = manila_precheck.checks.paste:Paste
            left-out = manila_precheck.checks.left_out:LeftOut
            """,  # noqa: E501
        )
        self.assertEqual(
            {
                'api-paste@manila_precheck.checks.paste': (
                    "it failed to load: the id 'api-paste' is already used "
                    'by manila_precheck.checks.api_paste.check:ApiPaste'
                ),
                'left-out': (
                    'it failed to load: ModuleNotFoundError: No module named '
                    "'manila_precheck.checks.left_out'"
                ),
            },
            self.results(),
        )

    @ddt.data(
        ('[manila_precheck.checks]\nacme-fine\n', "line 2 is 'acme-fine'"),
        ('[manila_precheck.checks]\n= a:B\n', "line 2 is '= a:B'"),
        (
            '[manila_precheck.checks]\nacme-fine = \xff:B\n',
            'they are not UTF-8',
        ),
    )
    @ddt.unpack
    def test_entry_points_that_are_damaged(self, text, reason):
        name = 'acme_plugin-1.0.dist-info/entry_points.txt'
        with open(os.path.join(self.path, name), 'wb') as stream:
            stream.write(text.encode('latin-1'))
        self.assertEqual(
            {
                'acme-plugin': 'it failed to load: the entry points of '
                f'package acme-plugin are damaged: {reason}'
            },
            self.results(),
        )

    def test_metadata_that_are_damaged(self):
        self.write(
            'acme_plugin-1.0.dist-info/entry_points.txt',
            '[manila_precheck.checks]\nacme-fine = :\nacme-other\n',
        )
        for text in ("", "\0", "Name\n\nName: x", None):
            path = os.path.join(self.path, 'acme_plugin-1.0.dist-info')
            if text is None:
                os.unlink(os.path.join(path, 'METADATA'))
            else:
                self.write('acme_plugin-1.0.dist-info/METADATA', text)
            found = self.results()
            self.assertEqual({'acme-fine', 'unnamed-package'}, set(found))

    def test_a_reporter_of_this_package_cannot_be_replaced(self):
        self.write(
            'acme_plugin-1.0.dist-info/entry_points.txt',
            '[manila_precheck.reporters]\njson = acme_reporter:Breaks\n',
        )
        done = self.check('--check', 'upgrade-path', '--format', 'json')
        self.assertEqual('', done.stderr)
        json.loads(done.stdout)


class PluginsTest(Case):
    def test_the_report_stays_whole(self):
        self.write(
            'manila.conf', '[manila_precheck]\ncheck_timeout_seconds = 1\n'
        )
        done = self.check('--format', 'json')
        self.assertEqual('', done.stderr)
        self.assertEqual(2, done.returncode)
        report = json.loads(done.stdout)
        late = (
            'it did not finish within 1 seconds ([manila_precheck] '
            'check_timeout_seconds)'
        )
        results = {
            c['id']: (c['outcome'], c['reason'])
            for c in report['checks']
            if 'acme' in c['id']
        }
        self.assertEqual(
            {
                'acme-raises': (
                    'error',
                    'it crashed: RuntimeError: mysql://manila:***@db/ is down',
                ),
                'acme-exits': ('error', 'it crashed: it called sys.exit(0)'),
                'acme-nonsense': (
                    'error',
                    "it yielded 'nonsense', which is not one of its findings",
                ),
                'acme-no-module': (
                    'error',
                    'it failed to load: ModuleNotFoundError: No module named '
                    "'acme_missing'",
                ),
                'acme-exits-early': (
                    'error',
                    'it failed to load: it called sys.exit(0)',
                ),
                'acme-sleeps': ('error', late),
                'acme-spins': ('error', late),
                'acme-fine': ('found', ''),
                'config-options@acme_plugin': (
                    'error',
                    "it failed to load: the id 'config-options' is already "
                    'used by '
                    'manila_precheck.checks.config_options.check:ConfigOptions',
                ),
            },
            results,
        )
        self.assertIn('config-options', {c['id'] for c in report['checks']})

    def test_a_reporter_that_breaks(self):
        done = self.check('--check', 'acme-fine', '--format', 'acme-breaks')
        self.assertEqual(
            (255, '', 'manila-precheck: error: it called sys.exit(0)\n'),
            (done.returncode, done.stdout, done.stderr),
        )

    def test_check_list_shows_what_does_not_load(self):
        done = self.run_command('check', 'list')
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        self.assertIn('No module named', lines['acme-no-module'])
        self.assertIn(
            'is already used by', lines['config-options@acme_plugin']
        )
        done = self.run_command('check', 'list', '--format', 'json')
        listed = {one['id']: one for one in json.loads(done.stdout)}
        self.assertFalse(listed['acme-no-module']['loads'])
        self.assertIn('No module named', listed['acme-no-module']['title'])
        self.assertTrue(listed['config-options']['loads'])

    def test_debug_shows_no_password(self):
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                '--debug',
                '--config-file',
                os.path.join(self.path, 'manila.conf'),
                'upgrade',
                'check',
                '--source-release',
                '2024.1',
                '--check',
                'acme-raises',
            ],
            env={**os.environ, 'PYTHONPATH': self.path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(2, done.returncode)
        self.assertIn('Traceback', done.stderr)
        self.assertNotIn('hunter2x', done.stderr + done.stdout)
