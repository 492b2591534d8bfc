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

"""Hide what manila and its libraries print while they are read.

Warnings, log lines and errors of objects that are deleted when Python ends
are not about the facts.
"""

import contextlib
import os
import sys
import traceback

from manila_precheck.catalog import building


@contextlib.contextmanager
def kept(shown):
    """Capture all output of this process until it ends.

    When the block raises, the captured output is shown, followed by the
    traceback, and the process exits with 1.

    :param shown: whether all output goes to standard error instead.
    :yields: the real standard output, as a text stream.
    """
    stdout = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    if shown:
        os.dup2(2, 1)
        with stdout:
            yield stdout
        return
    terminal = building.terminal = os.fdopen(
        os.dup(2), 'w', buffering=1, encoding='utf-8', errors='replace'
    )
    # The descriptors are replaced, because C libraries and child processes
    # print, too. The output is kept in memory, because there may be no
    # writable file system.
    noise = os.memfd_create('noise')
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    try:
        with stdout:
            yield stdout
    except Exception:
        sys.stdout.flush()
        sys.stderr.flush()
        os.lseek(noise, 0, os.SEEK_SET)
        with os.fdopen(noise, encoding='utf-8', errors='replace') as stream:
            terminal.write(stream.read())
        traceback.print_exc(file=terminal)
        sys.exit(1)
