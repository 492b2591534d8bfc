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
"""What upgrade rehearse refuses before it begins."""

import io
import os

import ddt
import fixtures
from oslo_config import cfg
import testtools

from manila_precheck import exceptions
from manila_precheck import opts
from manila_precheck.cmd import precheck
from manila_precheck.cmd import rehearse
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.evidence.host import programs
from manila_precheck.tests import fake_target

_DUMP = """\
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB
-- Host: localhost    Database: manila
CREATE TABLE `shares` (
  `id` varchar(36)
);
CREATE TABLE `share_instances` (
  `id` varchar(36)
);
-- Dump completed
"""


# What the manila of the target may be called.
_NAMES = ('2026.1', '22', '22.0.2')


@ddt.ddt
class RefusedTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('TMPDIR', self.path))
        for name in list(os.environ):
            if name.startswith('OS_MANILA_PRECHECK'):
                self.useFixture(fixtures.EnvironmentVariable(name))
        with open(f'{self.path}/manila.conf', 'w') as stream:
            stream.write('[database]\nconnection = mysql://a:b@db1/manila\n')
        with open(f'{self.path}/dump.sql', 'w') as stream:
            stream.write(_DUMP)
        self.target = self.useFixture(fake_target.FakeTarget()).python

    def refused(self, *words, root=()):
        """Return what standard error says of a run that does not begin."""
        stderr = self.useFixture(
            fixtures.MonkeyPatch('sys.stderr', io.StringIO())
        ).new_value
        stdout = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', stdout))
        code = precheck.main(
            [
                *(root or ('--config-file', f'{self.path}/manila.conf')),
                'upgrade',
                'rehearse',
                *(
                    word.format(path=self.path, target=self.target)
                    for word in words
                ),
            ]
        )
        self.assertEqual(255, code)
        return (
            stderr.getvalue()
            .replace(self.path, 'PATH')
            .replace(self.target, 'TARGET')
        )

    @ddt.data(
        ((), 'missing --backup FILE, or --from-database'),
        (
            ('--backup={path}/dump.sql',),
            'missing --target-python PYTHON, or --target-image IMAGE',
        ),
        (
            ('--backup=a', '--from-database', '--target-python={target}'),
            '--backup and --from-database contradict each other',
        ),
        (
            ('--from-database', '--no-database', '--target-python={target}'),
            '--from-database and --no-database contradict each other',
        ),
        (
            (
                '--backup=a',
                '--server-url=a',
                '--server-image=b',
                '--target-python={target}',
            ),
            '--server-url and --server-image contradict each other',
        ),
        (
            ('--backup=a', '--purge=30', '--target-python={target}'),
            '--purge runs the manila that is installed now: pass '
            '--source-python PYTHON, or --source-image IMAGE',
        ),
        (
            ('--backup=a', '--target-python=bin/python'),
            '--target-python bin/python is not an absolute path',
        ),
        (
            ('--backup=a', '--target-python=/nowhere/bin/python'),
            '--target-python /nowhere/bin/python is not the interpreter of an '
            'environment, such as /opt/manila/bin/python',
        ),
        (
            (
                '--backup=a',
                '--target-python={target}',
                '--target-release=2025.1',
            ),
            '--target-python has manila 22.0.2 (2026.1), and --target-release '
            'is 2025.1',
        ),
    )
    @ddt.unpack
    def test_flags(self, words, said):
        self.assertEqual(
            f'manila-precheck: error: {said}\n', self.refused(*words)
        )

    def test_a_bundle(self):
        self.assertIn(
            '--root and "upgrade rehearse" contradict each other',
            self.refused(
                '--backup=a',
                '--target-python={target}',
                root=('--root', self.path, '--config-file', '/manila.conf'),
            ),
        )

    @ddt.data((), *((f'--target-release={name}',) for name in _NAMES))
    def test_no_database_server_is_installed(self, words):
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.programs.find',
                lambda name: None,
            )
        )
        said = self.refused(
            '--backup={path}/dump.sql',
            '--target-python={target}',
            '--no-database',
            *words,
        )
        self.assertEqual(
            'manila-precheck: error: a dump of MySQL or MariaDB needs MariaDB '
            'here to be read, and there is no mariadb-install-db and no '
            'mariadbd (package mariadb-server, or an image of a container '
            'that has it: --server-image)\n',
            said,
        )
        self.assertEqual([], self.left())

    def test_no_room(self):
        if programs.find('mariadbd') is None:
            self.skipTest('no MariaDB on this host')
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.database.dumps.private_server.'
                '_free_bytes',
                lambda path: 1 << 20,
            )
        )
        said = self.refused(
            '--backup={path}/dump.sql',
            '--target-python={target}',
            '--no-database',
        )
        self.assertEqual(
            'manila-precheck: error: restoring the dump needs about 321 MiB '
            'of disk space, but PATH has 1 MiB left: set TMPDIR to a '
            'directory with more\n',
            said,
        )
        self.assertEqual([], self.left())

    def test_no_time(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.database.dumps.restore.'
                '_BYTES_A_SECOND',
                {'mysql': 0.01},
            )
        )
        said = self.refused(
            '--backup={path}/dump.sql',
            '--target-python={target}',
            '--no-database',
        )
        self.assertEqual(
            'manila-precheck: error: restoring 1 MiB of text takes about '
            '342 min, and no more than 60 min are allowed '
            '(database_dump_seconds)\n',
            said,
        )
        self.assertEqual([], self.left())

    def left(self):
        private_server.end_all()
        return [
            name
            for name in os.listdir(self.path)
            if name.startswith('manila-precheck-')
        ]


class VersionTest(testtools.TestCase):
    def refused(self, python):
        """Return why the manila of an interpreter is not taken."""
        conf = cfg.ConfigOpts()
        opts.register(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override('rehearse_target_python', python, group=opts.GROUP)
        return str(
            self.assertRaises(
                exceptions.UsageError, rehearse._take_manilas, conf
            )
        )

    def test_a_release_that_is_not_known(self):
        made = self.useFixture(fake_target.FakeTarget('99.0.0'))
        self.assertEqual(
            '--target-python has manila 99.0.0, which this version does not '
            'know: pass --target-catalog FILE with its facts, which '
            f'"manila-precheck catalog build --python {made.python}" reads',
            self.refused(made.python),
        )

    def test_no_manila(self):
        made = self.useFixture(fake_target.FakeTarget())
        made.remove_manila()
        self.assertEqual(
            f'--target-python {made.python} has no manila installed',
            self.refused(made.python),
        )
