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
"""Programs get nothing of the caller's surroundings."""

import json
import os
import stat
import sys
import time

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.host import interpreter
from manila_precheck.evidence.host import programs

_OTHER = 48611

_SURROUNDINGS = '''
import json, os, sys
json.dump({
    'cwd': os.getcwd(),
    'path': sys.path,
    'variables': dict(os.environ),
    'descriptors': sorted(map(int, os.listdir('/proc/self/fd'))),
    'session': os.getsid(0) == os.getpid(),
    'stdin': sys.stdin.read(),
}, sys.stdout)
'''


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.path, 0o755)

    def program(self, name, text='#!/bin/sh\necho it ran\n', mode=0o755):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        os.chmod(path, mode)
        return path

    def run_python(self, script, seconds=30.0, **kwargs):
        return programs.run(
            [sys.executable, '-I', '-c', script], seconds, **kwargs
        )


class RunTest(Case):
    def test_what_a_program_sees(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.path)
        for name in ('PYTHONPATH', 'LD_LIBRARY_PATH', 'BASH_ENV', 'HOME'):
            self.useFixture(fixtures.EnvironmentVariable(name, self.path))
        descriptor = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        os.set_inheritable(descriptor, True)
        done = self.run_python(
            _SURROUNDINGS, question=b'asked', variables={'OS_A__B': 'c'}
        )
        self.assertEqual((0, ''), (done.code, done.stderr))
        found = json.loads(done.stdout)
        self.assertNotIn(self.path, found.pop('path'))
        # Python adds LC_CTYPE of its own (PEP 538) where it is not UTF-8.
        self.assertEqual(
            {
                'cwd': '/',
                'variables': {
                    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:'
                    '/usr/bin:/sbin:/bin',
                    'LANG': 'C.UTF-8',
                    'LC_ALL': 'C.UTF-8',
                    'OS_A__B': 'c',
                },
                # The last one is of the directory that is listed.
                'descriptors': [0, 1, 2, 3],
                'session': True,
                'stdin': 'asked',
            },
            found,
        )

    def test_what_it_has_started_ends_with_it(self):
        mark = os.path.join(self.path, 'pid')
        script = (
            'import os, time\n'
            'if not os.fork():\n'
            f'    open({mark!r}, "w").write(str(os.getpid()))\n'
            '    time.sleep(600)\n'
            f'while not (os.path.exists({mark!r}) and '
            f'open({mark!r}).read()):\n'
            '    time.sleep(0.01)\n'
        )
        for more, words in (('', None), ('time.sleep(600)', 'did not finish')):
            if words is None:
                self.assertEqual(0, self.run_python(script).code)
            else:
                raised = self.assertRaises(
                    exceptions.SourceUnusable,
                    self.run_python,
                    script + more,
                    seconds=3.0,
                )
                self.assertIn(words, str(raised))
            with open(mark) as stream:
                number = int(stream.read())
            os.unlink(mark)
            while _runs(number):
                time.sleep(0.01)

    def test_output_without_end(self):
        raised = self.assertRaises(
            exceptions.SourceUnusable,
            self.run_python,
            'import sys\nwhile True: sys.stderr.write("x" * 100_000)',
            name='it',
        )
        self.assertEqual('it prints more than 32 MB', str(raised))

    def test_one_that_is_not_there(self):
        raised = self.assertRaises(
            exceptions.SourceUnusable, programs.run, ['/no/such'], 1.0
        )
        self.assertEqual(
            '/no/such cannot be run: No such file or directory', str(raised)
        )

    def test_a_code_of_its_own(self):
        done = self.run_python('print("a"); raise SystemExit("b")')
        self.assertEqual(programs.Done(1, 'a\n', 'b\n'), done)


def _runs(number):
    try:
        with open(f'/proc/{number}/stat') as stream:
            return stream.read().rpartition(') ')[2][0] != 'Z'
    except OSError:
        return False


@ddt.ddt
class TrustTest(Case):
    def refusal(self, path):
        try:
            programs.require_trusted(path)
        except exceptions.SourceUnusable as exc:
            prefix = f'{path} was not run: '
            self.assertTrue(str(exc).startswith(prefix), exc)
            return str(exc)[len(prefix) :]
        return None

    def test_one_that_only_we_may_change(self):
        self.assertIsNone(self.refusal(self.program('bin/it')))

    def test_a_relative_path(self):
        self.assertEqual('it is not an absolute path', self.refusal('bin/it'))

    def test_a_program_that_others_may_change(self):
        path = self.program('it', mode=0o777)
        self.assertEqual(f'every user may write to {path}', self.refusal(path))

    def test_a_directory_that_others_may_write_to(self):
        path = self.program('a/b/it')
        os.chmod(f'{self.path}/a', 0o777)
        self.assertEqual(
            f'every user may write to {self.path}/a', self.refusal(path)
        )
        # Our own in one like /tmp is ours.
        os.chmod(f'{self.path}/a', 0o1777)
        self.assertIsNone(self.refusal(path))

    def test_a_link_to_what_others_may_change(self):
        path = self.program('it', mode=0o777)
        link = os.path.join(self.path, 'link')
        os.symlink(path, link)
        self.assertEqual(f'every user may write to {path}', self.refusal(link))

    @ddt.data('#!{0}/sh\n', '#! {0}/sh -e\n')
    def test_the_interpreter_of_a_script(self, text):
        shell = self.program('sh', mode=0o757)
        path = self.program('it', text.format(self.path))
        self.assertEqual(
            f'every user may write to {shell}', self.refusal(path)
        )

    @testtools.skipIf(os.geteuid() != 0, 'only root gives files away')
    def test_of_another_user(self):
        path = self.program('it')
        os.chown(path, _OTHER, _OTHER)
        self.assertEqual(
            f'{path} belongs to user {_OTHER}', self.refusal(path)
        )
        os.chown(path, 0, _OTHER)
        os.chmod(path, 0o775)
        self.assertEqual(
            f'group {_OTHER} may write to {path}', self.refusal(path)
        )

    def test_what_a_python_loads_at_start(self):
        """A .pth file holds code, for an isolated Python, too."""
        python = self.program('env/bin/python', '#!/bin/sh\n>$0.ran\n')
        pth = self.program('env/lib/python3.9/site-packages/a.pth', '', 0o646)
        raised = self.assertRaises(
            exceptions.SourceUnusable, interpreter.ask, python, (), (), ()
        )
        self.assertEqual(
            f'{python} was not run: every user may write to {pth}', str(raised)
        )
        self.assertFalse(os.path.exists(f'{python}.ran'))


class FindTest(Case):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.programs._PATH', ()
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.programs._MORE', ()
            )
        )

    def look(self, *folders):
        self.useFixture(
            fixtures.EnvironmentVariable('PATH', os.pathsep.join(folders))
        )
        return programs.find('unpack')

    def test_directories_of_the_caller(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(os.path.dirname(self.program('cwd/unpack')))
        self.assertIsNone(self.look('', '.', '../cwd'))
        good = self.program('good/unpack')
        open_ = self.program('open/unpack', mode=0o777)
        self.assertEqual(
            good, self.look('.', os.path.dirname(open_), f'{self.path}/good')
        )

    def test_the_only_one_may_be_changed_by_others(self):
        path = self.program('open/unpack', mode=0o777)
        raised = self.assertRaises(
            exceptions.SourceUnusable, self.look, os.path.dirname(path)
        )
        self.assertEqual(
            f'{path} was not run: every user may write to {path}', str(raised)
        )

    def test_what_cannot_be_run(self):
        self.program('a/unpack', mode=0o644)
        os.makedirs(f'{self.path}/b/unpack')
        self.assertIsNone(self.look(f'{self.path}/a', f'{self.path}/b'))
        self.assertTrue(stat.S_ISDIR(os.stat(f'{self.path}/b/unpack').st_mode))
