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


"""Have another Python collect the facts of the manila that it has."""

from collections.abc import Sequence

from manila_precheck import exceptions
from manila_precheck.catalog import builds
from manila_precheck.evidence.host import programs

# The tool is passed on standard input: no file of ours is left behind, and a
# read-only file system is no problem.
_SCRIPT = """\
import os, runpy, sys
tool = os.memfd_create('catalog.pyz')
os.write(tool, sys.stdin.buffer.read())
sys.argv[0] = 'catalog.pyz'
runpy.run_path('/proc/self/fd/%d' % tool, run_name='__main__')
"""


def read(
    python: str,
    seconds: float,
    also: Sequence[str] = (),
    try_drivers: bool = False,
) -> str:
    """Return the file of facts of the manila that a Python has installed.

    It imports every module of manila there: about 12 seconds of CPU time.

    :param python: the absolute path of the interpreter.
    :param seconds: how long it may take.
    :param also: packages of out-of-tree drivers, which are read, too.
    :param try_drivers: whether to instantiate and set up these drivers,
        isolated from the network, to find what they require.
    :raises SourceUnusable: when the interpreter cannot be run, or its manila
        cannot be read.
    """
    programs.require_trusted(python)
    # Isolated: neither the working directory nor PYTHONPATH is searched.
    words = [python, '-I', '-B', '-c', _SCRIPT, '-']
    words += [f'--also={package}' for package in also]
    words += ['--try-drivers'] if try_drivers else []
    done = programs.run(words, seconds, builds.tool())
    if done.code:
        reason = (done.stderr.strip().splitlines() or ['it says nothing'])[-1]
        raise exceptions.SourceUnusable(
            f'{python} cannot read its manila: {reason}'
        )
    return done.stdout
