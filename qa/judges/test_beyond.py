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

"""Run the command on a build of a release newer than all known ones.

The build is the newest manila with the version of the release after it, one
more option and one more migration. It has an environment of its own.
"""

import json
import pathlib
import re
import shutil
import subprocess

import fixtures
import testtools

from manila_precheck import releases
from qa.judges import test_out_of_tree
from qa.judges import test_reality

_NEWEST = releases.RELEASES[-1]
_BEYOND = releases.at(_NEWEST.major + 1)
_VERSION = f'{_BEYOND.major}.0.0.0rc1'
_MIGRATION = """
revision = 'aaaa00000001'
down_revision = '{head}'
def upgrade():
    pass
"""


class BeyondTest(testtools.TestCase):
    maxDiff = None

    def environment(self):
        """Make the environment of the build, and return its interpreter."""
        python = test_reality.environment(_NEWEST.major)
        script = 'import sysconfig; print(sysconfig.get_path("purelib"))'
        packages = pathlib.Path(
            subprocess.run(
                [python, '-I', '-c', script],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        )
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        ours = folder / 'packages'
        shutil.copytree(packages / 'manila', ours / 'manila')
        (theirs,) = packages.glob(f'manila-{_NEWEST.major}.*.dist-info')
        info = ours / f'manila-{_VERSION}.dist-info'
        shutil.copytree(theirs, info)
        metadata = info / 'METADATA'
        text, count = re.subn(
            r'(?m)^Version: .*$', f'Version: {_VERSION}', metadata.read_text()
        )
        self.assertEqual(1, count)
        metadata.write_text(text)
        head = test_reality.FACTS.head(_NEWEST)
        migrations = ours / 'manila/db/migrations/alembic/versions'
        (migrations / 'aaaa00000001_new.py').write_text(
            _MIGRATION.format(head=head)
        )
        with open(ours / 'manila/common/config.py', 'a') as stream:
            stream.write("CONF.register_opt(cfg.IntOpt('of_master'))\n")
        venv = folder / 'venv'
        subprocess.run(
            [python, '-m', 'venv', '--without-pip', venv], check=True
        )
        (place,) = venv.glob('lib/python*/site-packages')
        (place / 'more.pth').write_text(f'{ours}\n{packages}\n')
        return venv / 'bin' / 'python'

    def test_it_is_read_and_judged(self):
        folder = self.useFixture(fixtures.TempDir()).path
        path = f'{folder}/master.json'
        done = test_out_of_tree.command(
            *('catalog', 'build', '--python', str(self.environment())),
            *('-o', path),
        )
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertEqual(
            f'{path}: manila {_VERSION} ({_BEYOND})',
            done.stdout.splitlines()[0].rpartition(':')[0],
        )
        done = test_out_of_tree.command('catalog', 'diff', _NEWEST.name, path)
        self.assertEqual(
            [
                'Configuration options (1)',
                '  added  [DEFAULT] of_master',
                'Database migrations (1)',
                '  added  aaaa00000001',
            ],
            [line for line in done.stdout.splitlines()[1:] if line],
        )
        with open(f'{folder}/manila.conf', 'w') as stream:
            stream.write('[DEFAULT]\nof_master = x\n')
        done = test_out_of_tree.command(
            *('--config-file', f'{folder}/manila.conf', 'upgrade', 'check'),
            *('--format', 'json', '--source-release', _NEWEST.name),
            *('--target-catalog', path),
            *('--check', 'config-options', '--check', 'upgrade-path'),
        )
        self.assertEqual((2, ''), (done.returncode, done.stderr))
        self.assertEqual(
            {
                'config-options[DEFAULT/of_master#value]': 'failure: '
                f'[DEFAULT] of_master = x: {_BEYOND} rejects the value, and '
                'the service that reads it exits at startup; '
                f'{_NEWEST} does not read it',
                'upgrade-path[target#beyond]': f'warning: {_BEYOND} is newer '
                f'than {_NEWEST}, the last release that this manila-precheck '
                f'knows; the facts about it come from {path} (manila '
                f'{_VERSION}) alone; what these lack is taken from '
                f'{_NEWEST}',
            },
            {
                one['key']: f'{one["severity"]}: {one["message"]}'
                for check in json.loads(done.stdout)['checks']
                for one in check['findings']
            },
        )
