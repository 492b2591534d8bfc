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

"""Run catalog.pyz in environments that lack something.

These are a package as distributions make it, drivers without their libraries,
and a process that can neither write a file nor reach a network.
"""

import json
import os
import pathlib
import shutil
import subprocess

import ddt
import fixtures
import jsonschema
import testtools

from manila_precheck.catalog import builds
from manila_precheck.tests.unit.catalog import test_builds
from qa.judges import test_reality

_MAJORS = (12, 16, 18, 20, 22, 23)
_DUMMY = 'manila.tests.share.drivers.dummy'
# The import of each of these fails, or exits, at its first line.
_BROKEN = (
    'manila.network.neutron.neutron_network_plugin',
    'manila.scheduler.manager',
    'manila.share.drivers.dell_emc.driver',
    'manila.share.drivers.lvm',
    'manila.share.drivers.netapp.common',
    'manila.share.drivers.quobyte.quobyte',
)
# Run in a mount namespace and a network namespace of its own: files below
# /root stay readable, and nothing can be written.
_NOBODY = """
set -e
mount --rbind /root "$1"
if [ "$(stat -c %a /root)" = 700 ]; then
    mount -t tmpfs -o mode=755 none /root
    for name in .cache .pyenv .local; do
        [ -d "$1/$name" ] || continue
        mkdir "/root/$name"
        mount --rbind "$1/$name" "/root/$name"
    done
fi
mount -o remount,ro,bind /
if touch "$2" 2>/dev/null; then exit 99; fi
exec setpriv --reuid 65534 --regid 65534 --clear-groups \
    env -i PATH=/usr/bin:/bin "$3" -I "$4" -
"""


def without(document, *names):
    return {key: document[key] for key in document if key not in names}


@ddt.ddt
class ToolTest(testtools.TestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.tool = self.folder / 'catalog.pyz'
        self.tool.write_bytes(builds.tool())

    def read(self, python):
        """Return the facts that the tool reads in an environment."""
        return self.answer([python, '-I', '-B', self.tool, '-'])

    def answer(self, words, **kwargs):
        done = subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            **kwargs,
        )
        self.assertEqual(0, done.returncode, done.stderr[-3000:])
        document = json.loads(done.stdout)
        # Standard error has the tool's own words, and none of manila.
        self.assertEqual(
            ''.join(f'{text}\n' for text in document['said']), done.stderr
        )
        validator = jsonschema.Draft202012Validator(
            test_builds.closed(test_builds.schema())
        )
        validator.validate(document)
        builds.parse(done.stdout, 'build.json')
        return document

    def stripped(self, python):
        """Make an environment with a package as distributions make it.

        It has no tests, no api-paste.ini, and the metadata of an egg.

        :returns: its interpreter, and the directory of manila.
        """
        script = (
            'import sysconfig; print(sysconfig.get_path("purelib"))\n'
            'import importlib.metadata as m; print(m.version("manila"))'
        )
        packages, version = subprocess.run(
            [python, '-I', '-c', script],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        ours = self.folder / 'packages'
        shutil.copytree(
            f'{packages}/manila',
            ours / 'manila',
            ignore=lambda folder, names: (
                ['tests'] if folder == f'{packages}/manila' else []
            ),
        )
        theirs = pathlib.Path(packages, f'manila-{version}.dist-info')
        egg = ours / f'manila-{version}-py3.egg-info'
        egg.mkdir()
        shutil.copy(theirs / 'METADATA', egg / 'PKG-INFO')
        shutil.copy(theirs / 'entry_points.txt', egg)
        # It lists paths of the source, which are not installed.
        (egg / 'SOURCES.txt').write_text(
            'etc/manila/api-paste.ini\nmanila/__init__.py\n'
        )
        venv = self.folder / 'venv'
        subprocess.run(
            [python, '-m', 'venv', '--without-pip', venv], check=True
        )
        (place,) = venv.glob('lib/python*/site-packages')
        (place / 'more.pth').write_text(f'{ours}\n{packages}\n')
        return venv / 'bin' / 'python', ours

    @ddt.data(*_MAJORS)
    def test_a_package_of_a_distribution(self, major):
        """Without manila.tests only the dummy driver is missing."""
        python = test_reality.environment(major)
        whole = self.read(python)
        found = self.read(self.stripped(python)[0])
        self.assertEqual({_DUMMY}, {*found['unimportable']})
        self.assertEqual(
            whole['said'],
            [
                text
                for text in found['said']
                if _DUMMY not in text and text != 'no api-paste.ini is shipped'
            ],
        )
        driver = f'{_DUMMY}.DummyDriver'
        for row in whole['options']:
            if driver in row.get('drivers', ()):
                row['drivers'].remove(driver)
        whole['options'] = [
            row for row in whole['options'] if row.get('drivers') != []
        ]
        whole['drivers'] = [
            row
            for row in whole['drivers']
            if row['name'] != driver and row['kind'] != 'paste'
        ]
        differ = ('made', 'said', 'unimportable')
        self.assertEqual(without(whole, *differ), without(found, *differ))

    @ddt.data(*_MAJORS)
    def test_libraries_are_missing(self, major):
        """Everything else is read, and the missing libraries are named."""
        python, packages = self.stripped(test_reality.environment(major))
        whole = self.read(python)
        for name in _BROKEN:
            path = packages / f'{name.replace(".", "/")}.py'
            line = (
                'import nosuch\n' if name[-1] != 'm' else 'raise SystemExit\n'
            )
            path.write_text(line + path.read_text())
        found = self.read(python)
        self.assertEqual([], [*{*_BROKEN} - {*found['unimportable']}])
        self.assertIn(
            'not importable: manila.share.drivers.quobyte.quobyte: '
            "ModuleNotFoundError: No module named 'nosuch'",
            found['said'],
        )
        # Other modules import these.
        lost = tuple(
            f'{name}.'
            for name in {*found['unimportable']} - {*whole['unimportable']}
        )
        names = {
            (row['kind'], row['name'])
            for row in whole['drivers']
            if not row['name'].startswith(lost)
            and row['kind'] not in ('class', 'emc_alias', 'scheduler_moved')
        }
        self.assertEqual(
            [],
            sorted(
                names
                - {(row['kind'], row['name']) for row in found['drivers']}
            ),
        )
        self.assertEqual(whole['policies'], found['policies'])
        self.assertEqual(whole['revisions'], found['revisions'])

    @ddt.data(*_MAJORS)
    def test_nobody_without_a_network_or_a_place_to_write(self, major):
        python = test_reality.environment(major)
        if os.geteuid() or not shutil.which('unshare'):
            self.skipTest('it takes root to be less than that')
        self.folder.chmod(0o755)
        (self.folder / 'root').mkdir()
        found = self.answer(
            [
                *('unshare', '--mount', '--net', 'bash', '-c', _NOBODY, '-'),
                self.folder / 'root',
                self.folder / 'written',
                python,
                self.tool,
            ],
            cwd='/',
        )
        self.assertEqual(
            without(self.read(python), 'made'), without(found, 'made')
        )
