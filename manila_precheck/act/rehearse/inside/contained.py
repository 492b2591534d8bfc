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
"""Be the first process of a container, and end when its starter ends.

The kernel ends everything in a container with its first process. That process
exits when its standard input is closed, which happens when the process that
started it ends, even if that was killed.
"""

import json
import os
import select

from manila_precheck.act.rehearse.inside import __main__ as inside

_LOOK_MILLISECONDS = 100


def main(path):
    """Run a job in a child; never return.

    :param path: the file of the request.
    """
    with open(path, 'rb') as stream:
        line = stream.read()
    say({'what': 'up'})
    itself = os.getpid()
    child = os.fork()
    if not child:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        inside.main(line, itself)
    os._exit(watch(child, 0))


def watch(child, lifeline):
    """Wait for a child, until it ends or nobody wants its result any more.

    :param lifeline: a descriptor that is at its end when nobody does.
    :returns: the exit code of the child; the number of a signal that ended it
        is also sent as an event.
    """
    ready = select.poll()
    ready.register(lifeline, select.POLLIN | select.POLLHUP)
    while True:
        if ready.poll(_LOOK_MILLISECONDS) and not os.read(lifeline, 1 << 16):
            return 255
        # Any child: the orphans of services are children of this process.
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            break
    if os.WIFSIGNALED(status):
        say({'what': 'end', 'code': -os.WTERMSIG(status)})
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def say(event):
    os.write(1, json.dumps(event).encode() + b'\n')
