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
"""A target in an image, with a podman that does what a test says."""

import os
import socket
import sys
import time
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.act.rehearse import image
from manila_precheck.act.rehearse import target
from manila_precheck.act.rehearse.inside import contained
from manila_precheck.evidence.host import container_engine
from manila_precheck.evidence.host import programs
from manila_precheck.tests import fake_podman
from manila_precheck.tests import fake_target


class _ImageTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.podman = self.useFixture(fake_podman.FakePodman())
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.manila = self.useFixture(fake_target.FakeTarget())

    def find(self, name='manila:2026.1', mounts=()):
        return image.find(name, '--target-image', self.manila.python, mounts)

    def refused(self, *args, **kwargs):
        return str(
            self.assertRaises(
                exceptions.UsageError, self.find, *args, **kwargs
            )
        )


class FindTest(_ImageTest):
    def test_it_is_there(self):
        self.assertEqual(
            image.ManilaImage(
                container_engine.ContainerImage(
                    self.podman.path, 'manila:2026.1', fake_podman.ID
                ),
                self.manila.python,
                (
                    container_engine.Mount('/etc', '/etc'),
                    container_engine.Mount('/usr', '/opt'),
                ),
            ),
            self.find(mounts=['/etc', '/usr:/opt']),
        )

    def test_python3_of_its_path(self):
        found = image.find('manila:2026.1', '--source-image', None, ())
        self.assertEqual('python3', found.python)

    def test_it_is_not_there(self):
        self.podman.answers({'gone': [125, '', 'Error: gone: not known\n']})
        self.assertEqual(
            '--target-image gone: podman does not find it on this host '
            '(Error: gone: not known); an image has to be there ("podman '
            'pull")',
            self.refused('gone'),
        )

    def test_an_option(self):
        self.assertEqual(
            "--target-image: '--privileged' is not an image",
            self.refused('--privileged'),
        )

    def test_no_podman_and_no_docker(self):
        with mock.patch.object(programs, 'find', lambda name: None):
            self.assertEqual(
                '--target-image needs podman or docker on this host, and '
                'there is neither (package podman)',
                self.refused(),
            )

    def test_mounts_that_cannot_be(self):
        for text, said in (
            ('etc', "'etc' is not an absolute path"),
            ('/etc:opt', "'opt' is not an absolute path"),
            ('/nowhere', '/nowhere does not exist'),
            (
                '/etc:/a,readonly=false',
                'a path with a comma or a quote cannot be mounted',
            ),
        ):
            self.assertEqual(
                f'--image-mount {text}: {said}', self.refused(mounts=[text])
            )


class VersionTest(_ImageTest):
    def test_of_its_manila(self):
        self.assertEqual('22.0.2', self.find().version())
        ((words, names),) = self.podman.asked('run')
        self.assertIn('--network=none', words)
        self.assertIn('--pull=never', words)
        self.assertIn('--label=manila-precheck.rehearsal=', words)
        # Nothing of ours but where its images are.
        self.assertLessEqual(
            set(names),
            {'PATH', 'LANG', 'LC_ALL', *container_engine._VARIABLES},
        )

    def test_none(self):
        self.manila.remove_manila()
        self.assertIsNone(self.find().version())

    def test_no_python(self):
        found = self.find()
        self.podman.answers({'run': [127, '', 'Error: python3: not found\n']})
        exc = self.assertRaises(exceptions.SourceUnusable, found.version)
        self.assertEqual(
            'image manila:2026.1 ended with 127: Error: python3: not found',
            str(exc),
        )


@ddt.ddt
class RunTest(_ImageTest):
    """A job, in a container that is a process of this host."""

    def given(self, *locations):
        return self.find(mounts=['/usr:/opt']).given(
            self.folder, locations, ['/copy/socket']
        )

    def by(self, engine):
        made = self.given()
        return made._replace(image=made.image._replace(engine=engine))

    def run_job(self, job='start', offline=True, seconds=60.0, **request):
        events = []
        ended = target.run(
            self.given(),
            job,
            {'tasks': [], 'offline': offline, **request},
            seconds,
            events.append,
            {'HOME': '/home'},
        )
        return ended, events

    def test_how_it_is_run(self):
        ended, events = self.run_job()
        self.assertEqual((0, None), (ended.code, ended.error))
        # A process of this host has its network still, and says so.
        self.assertEqual(
            [
                {'what': 'up'},
                {'what': 'network', 'left': False},
                {'what': 'refused'},
            ],
            events,
        )
        ((words, _),) = self.podman.asked('run')
        name = words[4].partition('=')[2]
        self.assertRegex(name, '^manila-precheck-[0-9a-f]{16}$')
        self.assertEqual(
            [
                *fake_podman.run_words(
                    f'--name={name}', self.folder, '0:0', self.manila.python
                ),
                '--cap-add=DAC_OVERRIDE',
                f'--hostname={socket.gethostname()}',
                '--env=HOME=/home',
                *self.mounts(
                    ('/copy/socket', '/copy/socket,readonly'),
                    ('/usr', '/opt,readonly'),
                    (self.folder, self.folder),
                ),
                fake_podman.ID,
                '-I',
                '-B',
                '-c',
                image._SCRIPT,
                f'{self.folder}/inside.zip',
                f'{self.folder}/request.json',
            ],
            words,
        )
        # It may hold the password of a scratch database.
        self.assertEqual(
            0o600, os.stat(f'{self.folder}/request.json').st_mode & 0o777
        )

    @staticmethod
    def mounts(*pairs):
        return [
            word
            for source, target_and_more in pairs
            for word in (
                '--mount',
                f'type=bind,source={source},target={target_and_more}',
            )
        ]

    def test_with_the_network_of_the_host(self):
        _, events = self.run_job(offline=False)
        self.assertEqual([{'what': 'up'}, {'what': 'refused'}], events)
        ((words, _),) = self.podman.asked('run')
        self.assertIn('--network=host', words)
        self.assertEqual([], [w for w in words if w.startswith('--hostn')])

    def test_docker_by_the_account_of_the_command(self):
        made = self.by('/usr/bin/docker')
        self.assertIn(
            f'--user={os.geteuid()}:{os.getegid()}', made.run_words('name')
        )

    def test_what_of_the_configuration_is_mounted(self):
        conf = os.path.join(self.folder, 'staged')
        os.makedirs(f'{conf}/conf.d')
        for name in ('manila.conf', 'conf.d/a.conf'):
            with open(f'{conf}/{name}', 'w'):
                pass
        found = self.given(
            f'{conf}/manila.conf', f'{conf}/conf.d', '/etc/passwd'
        )
        self.assertEqual(
            [
                container_engine.Mount('/copy/socket', '/copy/socket'),
                # Not /etc, which would hide that of the image.
                container_engine.Mount('/etc/passwd', '/etc/passwd'),
                container_engine.Mount('/usr', '/opt'),
                container_engine.Mount(self.folder, self.folder, True),
                container_engine.Mount(conf, conf),
                container_engine.Mount(f'{conf}/conf.d', f'{conf}/conf.d'),
            ],
            list(found.mounts),
        )

    def test_the_job_raises(self):
        ended, _ = self.run_job('manage', words=['x'], place={}, settings=[])
        self.assertEqual(1, ended.code)
        self.assertEqual('ArgumentError', ended.error['kind'])
        self.assertEqual([], self.removed())

    def removed(self):
        return [words[-1] for words, _ in self.podman.asked('rm')]

    def test_it_takes_too_long(self):
        ended, _ = self.run_job(
            'manage', words=[], place={}, settings=[], seconds=0.01
        )
        self.assertIsNone(ended.code)
        (removed,) = self.removed()
        self.assertRegex(removed, '^manila-precheck-[0-9a-f]{16}$')

    @ddt.data(
        (125, 'Error: cannot set limits\nmore\n', 'Error: cannot set limits'),
        (127, '', 'it says nothing'),
    )
    @ddt.unpack
    def test_podman_cannot_run_it(self, code, said, shown):
        manila = self.given()
        self.podman.answers({'run': [code, '', said]})
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            target.run,
            manila,
            'start',
            {},
            60.0,
            print,
        )
        self.assertEqual(
            f'image manila:2026.1 cannot be run: {shown}', str(exc)
        )

    def test_there_is_no_podman_any_more(self):
        manila = self.by('/nowhere/podman')
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            target.run,
            manila,
            'start',
            {},
            60.0,
            print,
        )
        self.assertEqual(
            'image manila:2026.1 cannot be run: No such file or directory',
            str(exc),
        )


class LeftoversTest(_ImageTest):
    def test_those_of_runs_that_are_gone(self):
        self.podman.answers(
            {
                'manila:2026.1': [0, f'{fake_podman.ID}\n', ''],
                'ps': [0, 'gone\nruns\nasks\nasked\n', ''],
                'gone': [0, 'running /nowhere/manila-precheck-dump-1\n', ''],
                'runs': [0, f'running {self.folder}\n', ''],
                'asks': [0, 'running \n', ''],
                'asked': [0, 'exited \n', ''],
            }
        )
        self.find().remove_leftovers()
        self.assertEqual(
            [['rm', '--force', 'gone'], ['rm', '--force', 'asked']],
            [words for words, _ in self.podman.asked('rm')],
        )
        ((words, _),) = self.podman.asked('ps')
        self.assertIn('--filter=label=manila-precheck.rehearsal', words)


class ContainedTest(testtools.TestCase):
    """The first process of a container."""

    def setUp(self):
        super().setUp()
        self.read, self.held = os.pipe()
        self.addCleanup(os.close, self.read)
        self.said = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.act.rehearse.inside.contained.say',
                self.said.append,
            )
        )

    def child(self, *words):
        return os.posix_spawn(
            sys.executable, [sys.executable, '-IS', '-c', *words], os.environ
        )

    def test_the_job_ends(self):
        child = self.child('import sys; sys.exit(3)')
        self.assertEqual(3, contained.watch(child, self.read))
        self.assertEqual([], self.said)
        os.close(self.held)

    def test_the_job_is_killed(self):
        child = self.child('import os; os.kill(os.getpid(), 9)')
        self.assertEqual(137, contained.watch(child, self.read))
        self.assertEqual([{'what': 'end', 'code': -9}], self.said)
        os.close(self.held)

    def test_nobody_waits_any_more(self):
        child = self.child('import time; time.sleep(60)')
        os.close(self.held)
        began = time.monotonic()
        self.assertEqual(255, contained.watch(child, self.read))
        self.assertLess(time.monotonic() - began, 30)
        # In a container the kernel ends it now.
        os.kill(child, 9)
        os.waitpid(child, 0)
