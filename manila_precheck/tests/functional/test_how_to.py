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

"""The commands of the how-to guides can be typed.

They run on the site of the demo. The programs of others (ssh, docker, oc, tox)
are stand-ins that run on this host what they are told to run elsewhere, or
look for the files that they are given.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap

import fixtures
import testtools

from manila_precheck.tests import tool_scripts
from manila_precheck.tests.functional import test_tutorial

DEMO = tool_scripts.DIRECTORY / 'demo.py'

# The one file, which the gate builds and tries: qa/one_file.py.
PYZ = """\
import sys
from manila_precheck import cmd
if '--root' not in sys.argv:
    sys.argv[1:1] = ['--config-file', 'manila.conf',
                     '--config-dir', 'manila.conf.d']
sys.exit(cmd.main())
"""

PROGRAMS = {
    'manila-precheck': 'exec python3 -I dist/manila-precheck.pyz "$@"',
    'python3': f'exec {sys.executable} "$@"',
    'tox': '[ "$*" = "-e pyz" ] || [ "$*" = "-e bundle" ]',
    'scp': '[ "$2" = ctl1: ] && cp "$1" .',
    'apt': '[ "$1" = install ] && [ -f "$2" ] && [ $# = 2 ]',
    'dnf': '[ "$1" = install ] && [ -f "$2" ] && [ $# = 2 ]',
    'id': '[ "$*" = "-u manila" ] && echo 42429',
    'podman': """\
        case "$1" in
            build) [ -f "$3" ] && [ "$4" = -t ] && [ -f \\
                "${*: -1}/manila-precheck-bundle.tar.gz" ] ;;
            run)
                while [ "$1" != manila-precheck ]; do shift; done
                exec "$@" ;;
        esac""",
    'ssh': 'shift; exec "$@"',
    'docker': """\
        case "$1 $3" in
            cp*) [ "${3%%:*}" = manila_api ] && cp "$2" "${3#*:}" ;;
            exec*) shift 2; exec "$@" ;;
            *) shift 5; [ "$1 $2" = 'manila-api-new python3' ] && shift 2 \\
                && exec "$TARGET" "$@" ;;
        esac""",
    'oc': """\
        shift 2
        case $1 in
            cp) cp "$2" "${3#*:}" ;;
            exec) shift 5; exec "$@" ;;
            get) cat secret.yaml ;;
        esac""",
}

# What the two builds of packages leave on Debian and on EL 9.
PACKAGES = {
    'tools/build_deb.sh': 'manila-precheck_{0}-1_all.deb',
    'tools/build_rpm.sh': 'manila-precheck-{0}-1.el9.noarch.rpm',
}

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: manila-config-data
stringData:
  00-config.conf: |
"""


class Site(fixtures.Fixture):
    """The site of the demo, with the stand-ins and what the pages name.

    :param target: the Python of an environment with manila 2026.1.
    """

    def __init__(self, target=''):
        super().__init__()
        self.target = target

    def _setUp(self):
        self.path = self.useFixture(fixtures.TempDir()).join('site')
        subprocess.run(
            [
                *(sys.executable, DEMO, '--directory', self.path),
                *('--check', 'upgrade-path'),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for name, text in PROGRAMS.items():
            script = f'#!/bin/bash\n{textwrap.dedent(text)}\n'
            os.chmod(self.write(f'bin/{name}', script), 0o755)
        for name in ('', '-standalone'):
            self.write(f'dist/manila-precheck{name}.pyz', PYZ)
        # Where scp has put it.
        self.write('manila-precheck.pyz', PYZ)
        self.add_what_is_built()
        with open(os.path.join(self.path, 'manila.conf')) as stream:
            conf = stream.read()
        self.write('kolla/manila-api/manila.conf', conf)
        self.write('kolla/manila-share/manila.conf', conf)
        self.write('secret.yaml', SECRET + textwrap.indent(conf, '    '))
        os.mkdir(os.path.join(self.path, 'manifests'))
        os.mkdir(os.path.join(self.path, 'tmp'))

    def add_what_is_built(self):
        """Add the bundle, with no wheel in it, and the packages."""
        with open(os.path.join(test_tutorial.ROOT, 'setup.cfg')) as stream:
            (ours,) = re.findall('(?m)^version = (.+)$', stream.read())
        for script, name in PACKAGES.items():
            text = f'#!/bin/sh\n: > "$1/{name.format(ours)}"\n'
            os.chmod(self.write(script, text), 0o755)
        bundle = 'manila-precheck-bundle'
        script = tool_scripts.load('build_bundle')._INSTALL
        self.write(f'{bundle}/install.sh', script)
        version = '.'.join(map(str, sys.version_info[:2]))
        self.write(f'{bundle}/{version}.txt', '')
        place = os.path.join(self.path, bundle)
        archive = os.path.join(self.path, 'dist', f'{bundle}.tar.gz')
        with tarfile.open(archive, 'w:gz') as stream:
            stream.add(place, bundle)
        shutil.rmtree(place)
        os.symlink(
            os.path.join(test_tutorial.ROOT, 'contrib'),
            os.path.join(self.path, 'contrib'),
        )

    def add_bundle_of_a_site(self):
        """Add a sosreport, as a directory and as an archive."""
        name = 'sosreport-ctl1-2026-04-01'
        place = os.path.join(self.path, name, 'etc', 'manila')
        os.makedirs(place)
        for one in ('manila.conf', 'policy.yaml', 'api-paste.ini'):
            shutil.copy(os.path.join(self.path, one), place)
        archive = os.path.join(self.path, f'{name}.tar.xz')
        with tarfile.open(archive, 'w:xz') as stream:
            stream.add(os.path.join(self.path, name), name)

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return path

    def type(self, commands):
        """Run commands of a page; return what they print."""
        for old, new in (
            (':/tmp/', f':{self.path}/tmp/'),
            (' /tmp/', f' {self.path}/tmp/'),
            ('/opt/manila/bin/python ', 'python3 '),
            ('/var/lib/kolla/venv/bin/python ', 'python3 '),
            ('/opt/manila-new/bin/python ', f'{self.target} '),
            ('/mnt/', f'{self.path}/'),
            ('/opt/', f'{self.path}/opt/'),
            (' --root DIR ', ' --root sosreport-ctl1-2026-04-01 '),
            (
                'mysql+pymysql://me:secret@127.0.0.1/copy',
                f'sqlite:///{self.path}/manila.sqlite',
            ),
        ):
            commands = commands.replace(old, new)
        done = subprocess.run(
            ['bash', '-c', commands],
            cwd=self.path,
            env={
                'PATH': f'{self.path}/bin:/usr/bin:/bin',
                'HOME': self.path,
                'LC_ALL': 'C.UTF-8',
                'COLUMNS': '80',
                'TARGET': self.target,
                'OS_MANILA_PRECHECK__NO_NETWORK': 'true',
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            text=True,
        )
        return done.returncode, done.stdout


class Case(testtools.TestCase):
    def try_page(self, page, site, passed_over=()):
        """Type the commands of a page, and compare what it shows.

        :param passed_over: words of the blocks that cannot be run here.
        :returns: what was printed, by block.
        """
        printed = []
        for commands, shown in test_tutorial.blocks(page):
            if any(word in commands for word in passed_over):
                continue
            code, output = site.type(commands)
            # Of a check; the demo has failures. A shell has 126 and 127.
            self.assertIn(code, (0, 1, 2), f'{commands}\n{output}')
            for wrong in ('Traceback', 'error:', 'not found', 'No such'):
                self.assertNotIn(wrong, output, commands)
            lines = output.splitlines()
            for line in shown:
                self.assertIn(line, lines, f'{commands}\n{output}')
            reports = re.findall('^(?:READY|READ FIRST|DO NOT)', output, re.M)
            asked = re.sub(r'\\\n', '', commands).split('\n')
            self.assertEqual(
                sum('upgrade check' in one and '>' not in one for one in asked)
                + sum('report merge' in one for one in asked),
                len(reports),
                f'{commands}\n{output}',
            )
            printed.append(output)
        return printed


class HowToTest(Case):
    def test_the_pages_can_be_typed(self):
        # Making the site takes longer than a command, and none changes it.
        site = self.useFixture(Site())
        site.add_bundle_of_a_site()
        for page, passed_over in (
            ('air_gap.rst', ('/opt/manila-new', '--target-catalog')),
            ('kolla.rst', ()),
            ('rhoso.rst', ()),
            ('slurp.rst', ()),
            # The regions are those of other runs.
            ('controllers.rst', ('west/ctl1',)),
            ('bundle.rst', ()),
            # The gate does it with the package index, and with zsh.
            ('install.rst', ('pip install .', 'autoload')),
        ):
            with self.subTest(page):
                self.assertTrue(self.try_page(page, site, passed_over))
        for name in ('ctl1.html', 'manila.html', 'changes.txt'):
            path = os.path.join(site.path, name)
            self.assertGreater(os.stat(path).st_size, 1000, name)
