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

"""Test that no started program outlives the run, however that ends."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap

import ddt
import testtools

from qa.upgrade import processes

_SCRIPT = textwrap.dedent(
    """\
    import os, sys
    from qa.upgrade import processes
    with processes.Processes(sys.argv[1]) as started:
        # A child of its own, which does not end with its parent.
        started.start(
            'one', ['sh', '-c', {program!r}], dict(os.environ), '/', **{how})
        log, = started._logs.iterdir()
        while not log.read_text().endswith('\\n'):
            pass
        print(log.read_text(), flush=True)
        {end}
    """
)

_IN_THE_GROUP = 'sleep 600 & echo $!; wait'

# Like the children of PostgreSQL, which end on a signal to their parent, but
# not when it is killed.
_ON_ITS_OWN = (
    'trap "kill \\$!; exit" QUIT; '
    'setsid sh -c "echo \\$\\$; exec sleep 600" & wait'
)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is dead too.
    status = pathlib.Path(f'/proc/{pid}/stat')
    return not status.exists() or ') Z ' not in status.read_text()


@ddt.ddt
class ProcessesTest(testtools.TestCase):
    @ddt.named_data(
        ['well', 'pass'],
        ['by_an_error', 'raise ValueError'],
        ['by_a_kill', 'os.kill(os.getpid(), 9)'],
    )
    def test_ends(self, end):
        self._ends(end, _IN_THE_GROUP, {})

    @ddt.named_data(
        ['well', 'pass'],
        ['by_a_kill', 'os.kill(os.getpid(), 9)'],
    )
    def test_ends_by_a_signal_of_its_own(self, end):
        self._ends(end, _ON_ITS_OWN, {'last': int(signal.SIGQUIT)})

    def _ends(self, end, program, how):
        folder = pathlib.Path(tempfile.mkdtemp())
        script = _SCRIPT.format(end=end, program=program, how=how)
        done = subprocess.run(
            [sys.executable, '-c', script, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        child = int(done.stdout)
        self.assertTrue(
            processes.wait_for(
                lambda: not _is_alive(child) and not folder.exists(), 60
            )
        )

    def test_whoever_waits_gives_up_when_the_run_ends(self):
        self.addCleanup(processes.STOPPING.clear)
        processes.STOPPING.set()
        self.assertRaises(
            processes.Broken, processes.wait_for, lambda: False, 60
        )
