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

"""What ``--root`` opens on the machine that the command runs on."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

import ddt
import fixtures
import testtools

import manila_precheck

_CONF = """\
[DEFAULT]
enabled_share_backends = gold
transport_url = rabbit://manila:secret@ctl1/
api_paste_config = /etc/manila/api-paste.ini
config_source = away

[gold]
share_driver = manila.share.drivers.generic.GenericShareDriver

[away]
driver = remote_file
uri = http://127.0.0.1:1/manila.conf

[database]
connection = mysql+pymysql://manila:secret@127.0.0.1/manila

[oslo_policy]
policy_file = ../../../../../../etc/passwd
policy_dirs = /etc/manila/policy.d
"""

# What Python and its libraries look at by themselves.
_OF_PYTHON = (
    '/dev/null',
    '/etc/ld.so.',
    '/etc/localtime',
    '/lib',
    '/proc/self',
    '/proc/sys/vm/overcommit_memory',
    '/usr/lib',
    '/usr/share/locale',
    '/usr/share/zoneinfo',
)
# A file that is opened, and was found: only looking is not enough.
_OPENED = re.compile(r'\bopen(?:at)?\((?:AT_FDCWD, )?"(/[^"]*)".* = \d')
_CONNECTED = re.compile(r'\bconnect\(.*sin')


@ddt.ddt
class OpenedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        strace = shutil.which('strace')
        if strace is None:
            self.skipTest('strace is not installed')
        self.strace: str = strace
        self.path = os.path.realpath(self.useFixture(fixtures.TempDir()).path)
        etc = os.path.join(self.path, 'site', 'sosreport', 'etc', 'manila')
        os.makedirs(etc)
        with open(os.path.join(etc, 'manila.conf'), 'w') as stream:
            stream.write(_CONF)
        for name, target in (
            ('api-paste.ini', '/etc/hostname'),
            ('policy.d', '/usr/share'),
            ('manila-share.conf', '/etc/passwd'),
            ('manila.conf.d', '../../../../..'),
        ):
            os.symlink(target, os.path.join(etc, name))

    @ddt.data('', 'gztar', 'xztar')
    def test_nothing_outside(self, kind):
        root = os.path.join(self.path, 'site')
        if kind:
            root = shutil.make_archive(
                os.path.join(self.path, 'packed'), kind, root
            )
        trace = os.path.join(self.path, 'trace')
        done = subprocess.run(
            [
                self.strace,
                '-f',
                '-qq',
                '-s4096',
                '-etrace=open,openat,connect',
                f'-o{trace}',
                sys.executable,
                '-m',
                'manila_precheck',
                '--root',
                root,
                'upgrade',
                'check',
                '--source-release=2024.1',
                '--target-release=2025.1',
            ],
            env={'PATH': os.environ['PATH'], 'HOME': '/nonexistent'},
            capture_output=True,
            text=True,
            timeout=300,
        )
        if 'PTRACE' in done.stderr or not os.path.exists(trace):
            self.skipTest('no process may be traced here')
        self.assertEqual((2, ''), (done.returncode, done.stderr))
        self.assertIn('/etc/manila/manila.conf', done.stdout)
        self.assertIn(f'Bundle      {root}', done.stdout)
        with open(trace, errors='surrogateescape') as stream:
            lines = stream.readlines()
        allowed = (
            *_OF_PYTHON,
            *{os.path.realpath(p) for p in sys.path if p},
            *{os.path.realpath(p) for p in sysconfig.get_paths().values()},
            os.path.dirname(os.path.realpath(sys.executable)),
            sys.prefix,
            sys.base_prefix,
            os.path.dirname(manila_precheck.__path__[0]),
            root,
        )
        opened = {
            found[1]
            for line in lines
            for found in [_OPENED.search(line)]
            if found
        }
        self.assertEqual(
            [],
            sorted(
                path
                for path in opened
                if path != '/' and not path.startswith(allowed)
            ),
        )
        self.assertTrue(any(path.startswith(root) for path in opened))
        self.assertEqual([], [x for x in lines if _CONNECTED.search(x)])
