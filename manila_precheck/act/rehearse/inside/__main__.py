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
"""Read a request, and run its job."""

import importlib
import json
import os
import sys
import threading

from manila_precheck.act.rehearse.inside import confinement

# How many characters of an error are sent.
_WORDS = 4000


def main(line, parent):
    """Carry out a request; never return.

    :param line: a JSON object: ``job``, the name of a module of this
        package; ``offline``, whether to leave the network; ``contained``,
        whether this is a container without one; and the arguments of the job.
    :param parent: the process that started this one.
    """
    events, lock = os.dup(1), threading.Lock()
    os.dup2(2, 1)
    os.set_inheritable(events, False)

    def say(what, **more):
        text = json.dumps({'what': what, **more}) + '\n'
        data = memoryview(text.encode())
        with lock:
            while data:
                data = data[os.write(events, data) :]

    request = json.loads(line)
    confinement.end_with(parent)
    if request.get('offline'):
        left = confinement.leave_network(request.get('contained', False))
        say('network', left=left)
    job = importlib.import_module(__package__ + '.' + request['job'])
    code = 255
    try:
        code = job.run(request, say)
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(bool(exc.code))
        if code:
            say('error', kind='SystemExit', words=str(exc.code)[:_WORDS])
    except BaseException as exc:
        import traceback

        traceback.print_exc()
        say('error', **described(exc))
        code = 1
    finally:
        say('end', code=code)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def described(exc):
    """Return the class and the message of an exception."""
    origin = getattr(exc, 'orig', None)
    words = str(exc)
    if origin is not None:
        # The error of the driver: without the statement, which is known
        # anyway, and without its values.
        words = str(origin)
    return {'kind': type(exc).__name__, 'words': words[:_WORDS]}
