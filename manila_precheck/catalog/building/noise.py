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

"""What manila and its libraries print while they are read.

Warnings, log lines, complaints of objects that are deleted as Python ends:
none of it is about the facts.
"""

import contextlib
import os
import sys
import traceback

from manila_precheck.catalog import building


@contextlib.contextmanager
def kept(shown):
    """Keep what anything in this process prints, up to its end.

    When the block raises, the noise is shown and the traceback after it, and
    the process ends with 1.

    :param shown: whether all of it goes to standard error instead.
    :yields: standard output, as a text stream.
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
    # By descriptor: libraries in C and children print too. In memory: there
    # may be no place to write to.
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
