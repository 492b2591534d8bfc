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
"""The whole command against code that does what no exception handler sees.

The plugin stands in a distribution of its own, as pip would install it. What
must hold: a whole report with its exit code, or none and 255.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import ddt
from testtools import content

from manila_precheck.tests.functional import test_exit_codes

#: The seed of when the interrupts happen; a new one each time if not set.
SEED = 'MANILA_PRECHECK_KILLS_SEED'

_PLUGIN = """
    import atexit
    import ctypes
    import locale
    import logging
    import os
    import resource
    import signal
    import subprocess
    import sys
    import threading
    import time

    from manila_precheck.engine import check
    from manila_precheck import model
    from manila_precheck.reporters import base


    class Silent:
        def write(self, text):
            raise RuntimeError('nothing goes here')

        flush = isatty = fileno = write


    def fork_in_c(then):
        # Nothing of Python notices; the lock is held. Not while the other
        # thread asks for it: the copy would wait for a thread it has not.
        time.sleep(0.2)
        if not ctypes.PyDLL(None).fork():
            then()
            os._exit(0)


    def linger():
        with open(os.environ['MARK'], 'w') as stream:
            stream.write(str(os.getpid()))
        time.sleep(600)


    def endless():
        while True:
            time.sleep(1)


    def act(what):
        if what == 'prints':
            print('hello from', __name__)
            os.write(1, b'by number\\n')
            ctypes.CDLL(None).write(1, b'from C\\n', 7)
            subprocess.run(['echo', 'by a child'], check=True)
        elif what == 'exits':
            os._exit(0)
        elif what == 'aborts':
            os.abort()
        elif what == 'crashes':
            ctypes.string_at(0)
        elif what == 'is-killed':
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == 'exits-at-the-end':
            atexit.register(os._exit, 0)
        elif what == 'threads':
            threading.Thread(target=endless).start()
        elif what == 'closes':
            os.closerange(3, 256)
        elif what == 'takes-every-number':
            os.closerange(3, 256)
            while os.open(os.environ['MARK'], os.O_RDWR | os.O_CREAT) < 64:
                pass
        elif what == 'writes-everywhere':
            for number in range(3, 64):
                try:
                    os.write(number, b'{}')
                except OSError:
                    pass
        elif what == 'forks':
            os.fork()
        elif what == 'forks-in-c':
            fork_in_c(lambda: None)
        elif what == 'leaves-a-process':
            # With the channel, but not with what the test reads.
            fork_in_c(lambda: (os.closerange(0, 3), linger()))
        elif what == 'changes-everything':
            os.chdir('/')
            os.umask(0o777)
            os.environ.clear()
            locale.setlocale(locale.LC_ALL, 'C')
            for number in (1, 2, 10, 15, 17):
                try:
                    signal.signal(number, signal.SIG_DFL)
                except ValueError:
                    pass  # Only when it is imported in the main thread.
            sys.stdout = sys.stderr = sys.__stdout__ = Silent()
            logging.basicConfig(force=True, stream=sys.stdout, level=0)
            sys.setrecursionlimit(10**6)
        elif what == 'takes-all-memory':
            resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
            taken = []
            # To the last page, so that not even a thread fits.
            for size in (2**20, 2**14):
                try:
                    while True:
                        taken.append('x' * size)
                except MemoryError:
                    pass
            taken.append('x' * 2**20)
        elif what == 'stops-itself':
            for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTOU):
                os.kill(os.getpid(), number)
        elif what == 'writes-nothing':
            os.write = lambda number, data: 0
        elif what == 'asks':
            input('password: ')
        elif what == 'recurses':
            sys.setrecursionlimit(10**9)
            threading.stack_size(2**17)

            def deeper(*args):
                return deeper(*map(deeper, [args]))

            deeper()
        elif what == 'waits':
            linger()


    class Told(check.Check):
        'A page.'

        id = 'told-check'
        title = 'Told'

        def run(self, ctx):
            act(os.environ['TOLD'])
            yield model.Finding(
                model.Severity.FAILURE, model.Subject('share', 'a'), 'One.'
            )


    class Acts(base.Reporter):
        name = 'acts'

        def write(self, report, stream, *, width=None, color=False):
            act(os.environ['REPORTS'])
            stream.write('a report\\n')


    act(os.environ.get('IMPORTED'))
"""

_ENTRY_POINTS = """
    [manila_precheck.checks]
    told-check = told_plugin:Told

    [manila_precheck.reporters]
    acts = told_plugin:Acts
"""

_NO_REPORT = (
    'manila-precheck: error: {} killed the process that ran the checks; '
    'there is no report\n'
)
_ENDED = (
    'manila-precheck: error: the process that ran the checks ended with {}; '
    'there is no report\n'
)

#: What ends the process, and what is said of it.
_ENDINGS = {
    'exits': _ENDED.format(0),
    'aborts': _NO_REPORT.format('SIGABRT'),
    'crashes': _NO_REPORT.format('SIGSEGV'),
    'is-killed': _NO_REPORT.format('SIGKILL'),
}


def _in_check(said):
    """Return what is said when it ends while the check runs."""
    return said.replace('; there', ' while told-check was running; there')


class Case(test_exit_codes.Case):
    def setUp(self):
        super().setUp()
        self.write('told_plugin.py', _PLUGIN)
        self.write('told-1.0.dist-info/entry_points.txt', _ENTRY_POINTS)
        self.environment['MARK'] = self.mark

    def marked(self):
        """Return the process that has said that it waits; wait for it."""
        while not (os.path.exists(self.mark) and os.path.getsize(self.mark)):
            time.sleep(0.02)
        with open(self.mark) as stream:
            return int(stream.read())

    def files(self):
        return {
            name
            for name in os.listdir(self.path)
            if name.startswith(('a', '.'))
        }


@ddt.ddt
class ForeignCodeTest(Case):
    @ddt.data(*sorted(_ENDINGS))
    def test_no_report_is_no_success(self, told):
        """A plugin that called os._exit(0) ended the run with 0."""
        for place in ('TOLD', 'IMPORTED'):
            code, stdout, stderr = self.shell(
                f'{self.check} --report json:a --fail-on never',
                **{place: told},
            )
            said = _ENDINGS[told]
            if place == 'TOLD':
                said = _in_check(said)
            self.assertEqual((255, '', said), (code, stdout, stderr), place)
            self.assertEqual(set(), self.files())

    def test_a_reporter_ends_the_process(self):
        code, stdout, stderr = self.shell(
            f'{self.check} --report json:a --report acts:a2',
            REPORTS='exits',
        )
        self.assertEqual((255, '', _ENDINGS['exits']), (code, stdout, stderr))
        self.assertEqual(set(), self.files())

    @ddt.data('check list', 'check explain told-check')
    def test_the_other_commands(self, words):
        code, stdout, stderr = self.shell(words, IMPORTED='exits')
        self.assertEqual((255, '', _ENDINGS['exits']), (code, stdout, stderr))

    @ddt.data('TOLD', 'IMPORTED')
    def test_what_a_plugin_printed_was_a_part_of_the_report(self, place):
        code, stdout, stderr = self.shell(
            f'{self.check} --format json', **{place: 'prints'}
        )
        self.assertEqual(2, code)
        json.loads(stdout)
        self.assertEqual(
            ['by a child', 'by number', 'from C', 'hello from told_plugin'],
            sorted(stderr.splitlines()),
        )

    @ddt.data(
        'exits-at-the-end',
        'threads',
        'forks',
        'forks-in-c',
        'leaves-a-process',
        'stops-itself',
        'writes-nothing',
    )
    def test_what_it_leaves_behind_changes_nothing(self, told):
        code, stdout, stderr = self.shell(
            f'{self.check} --format json --report json:a', TOLD=told
        )
        if told == 'leaves-a-process':
            os.kill(self.marked(), signal.SIGKILL)
        self.assertEqual((2, ''), (code, stderr))
        with open(os.path.join(self.path, 'a')) as stream:
            self.assertEqual(stdout, stream.read())
        self.assertEqual(
            [('surroundings', 'found'), ('told-check', 'found')],
            [
                (one['id'], one['outcome'])
                for one in json.loads(stdout)['checks']
            ],
        )

    @ddt.data('closes', 'takes-every-number', 'writes-everywhere')
    def test_a_channel_that_is_broken(self, told):
        code, stdout, stderr = self.shell(
            f'{self.check} --report json:a --fail-on never', TOLD=told
        )
        self.assertEqual((255, ''), (code, stdout), stderr)
        # 143: the kernel says of the pipe what it says when it is closed.
        self.assertIn(
            stderr,
            [
                said
                for code in (0, 143)
                for said in (
                    _ENDED.format(code),
                    _in_check(_ENDED.format(code)),
                )
            ],
        )
        self.assertEqual(set(), self.files())
        if os.path.exists(self.mark):
            self.assertEqual(0, os.path.getsize(self.mark))

    @ddt.data('TOLD', 'IMPORTED')
    def test_what_it_changes(self, place):
        code, stdout, stderr = self.shell(
            f'{self.check} --format json --report json:a --check upgrade-path',
            **{place: 'changes-everything'},
        )
        self.assertEqual(2, code, stderr)
        path = os.path.join(self.path, 'a')
        with open(path) as stream:
            self.assertEqual(stdout, stream.read())
        self.assertEqual(0o644, os.stat(path).st_mode & 0o777)

    def test_it_asks(self):
        code, stdout, _ = self.shell(
            f'{self.check} --format json', '< /dev/zero', TOLD='asks'
        )
        self.assertEqual(2, code)
        said, one = json.loads(stdout)['checks']
        # Of PYTHONPATH.
        self.assertEqual('surroundings', said['id'])
        self.assertEqual(
            ('error', 'it crashed: EOFError: EOF when reading a line'),
            (one['outcome'], one['reason']),
        )

    def test_it_recurses(self):
        code, stdout, stderr = self.shell(self.check, TOLD='recurses')
        self.assertIn(code, (2, 255))
        self.assertEqual(code == 2, 'RecursionError' in stdout, stderr)

    def test_memory_runs_out(self):
        code, stdout, stderr = self.shell(
            f'{self.check} --format json', TOLD='takes-all-memory'
        )
        self.assertIn(code, (2, 255), stderr)
        self.assertEqual(code == 2, 'MemoryError' in stdout)


class SignalsTest(Case):
    def start(self, *words, **environment):
        return subprocess.Popen(
            [
                sys.executable,
                '-c',
                test_exit_codes._RUN,
                *self.check.split(),
                *words,
            ],
            cwd=self.path,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell that puts the tests into the background has them
            # ignore it, and what they start too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def waiting(self, *words):
        """Start a run, and return it when its check waits."""
        process = self.start(*words, TOLD='waits')
        self.addCleanup(process.kill)
        self.marked()
        return process

    def require_alone(self, process):
        """Make sure that nothing is left of a run."""
        ends = time.monotonic() + 20
        while True:
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            self.assertLess(time.monotonic(), ends, 'a process is left')
            time.sleep(0.05)

    def test_a_terminal_interrupts_both_once(self):
        process = self.waiting('--format', 'json', '--report', 'json:a')
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual((2, ''), (process.returncode, stderr))
        self.assertIn('this report is incomplete', stdout)
        self.assertEqual({'a'}, self.files())
        self.require_alone(process)

    def test_the_child_ended_by_itself(self):
        process = self.waiting('--report', 'json:a')
        os.kill(self.marked(), signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(
            (255, '', _in_check(_ENDED.format(143))),
            (process.returncode, stdout, stderr),
        )
        self.assertEqual(set(), self.files())

    def test_a_child_outlived_its_parent(self):
        process = self.waiting()
        process.kill()
        process.communicate(timeout=60)
        self.require_alone(process)

    def test_random_interrupts(self):
        seed = int(os.environ.get(SEED) or random.randrange(10**6))
        self.addDetail('seed', content.text_content(f'{SEED}={seed}'))
        chance = random.Random(seed)
        started = time.monotonic()
        process = self.start('--report', 'json:a')
        process.communicate(timeout=60)
        self.assertEqual(2, process.returncode)
        takes = time.monotonic() - started
        for number in range(20):
            kind = (signal.SIGINT, signal.SIGTERM)[number % 2]
            whole = chance.random() < 0.5
            for name in self.files():
                os.unlink(os.path.join(self.path, name))
            process = self.start('--report', 'json:a')
            time.sleep(chance.uniform(0, takes))
            if process.poll() is None:
                (os.killpg if whole else os.kill)(process.pid, kind)
            stdout, stderr = process.communicate(timeout=60)
            code = process.returncode
            words = f'{kind.name} {whole} {code}\n{stdout}\n{stderr}'
            self.require_alone(process)
            self.assertNotIn(code, (0, 1) if stdout else (0,), words)
            # Python itself ends so when it is interrupted at its start.
            if code in (1, -kind, 130):
                self.assertEqual(('', set()), (stdout, self.files()), words)
                continue
            self.assertIn(code, (2, 255, 128 + kind), words)
            if code == 2:
                self.assertEqual({'a'}, self.files(), words)
                with open(os.path.join(self.path, 'a')) as stream:
                    self.assertEqual(2, json.load(stream)['exit_code'], words)
            else:
                self.assertEqual(set(), self.files(), words)
                self.assertEqual(1, stderr.count('\n'), words)
