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

"""Start the services of the target, as far as they get without the network.

Each service is the real program: its ``main()`` runs in a process of its own,
with the code that would fork and serve replaced. manila-share runs once for
each enabled back end. Any access beyond the process ends a stage: a
connection, a look-up of a name, another program, a file written outside of
the directory (:mod:`.world`).
"""

import json
import os
import resource
import select
import signal
import time

from manila_precheck.act.rehearse.inside import confinement
from manila_precheck.act.rehearse.inside import errors
from manila_precheck.act.rehearse.inside import services
from manila_precheck.act.rehearse.inside import world

# How long the answer of a child may be, and how much memory it may use, both
# in bytes.
MOST_BYTES = 1 << 20
MOST_MEMORY_BYTES = 4 << 30
MOST_FILE_BYTES = 64 << 20


def run(request, say):
    """Start each service, and send its outcome as an event.

    :param request: ``tasks``: for each service its program (``service``), its
        files and directories (``locations``), the options in its environment
        (``variables``: [[name, value]]), and whether the program manila-api
        serves the API (``program``). ``connection``: SQLAlchemy's URL of the
        copy; ``place`` and ``settings``, as
        :func:`.confinement.guard_connections` takes them. ``directory``: the
        one to which services may write. ``each``: how long a service may take,
        in seconds. ``asked``: the options for which to note whether their
        values are accepted. ``contained``: whether this is a container without
        a network.
    """
    if not world.is_cut_off(request.get('contained', False)):
        say('refused')
        return 0
    for outcome in outcomes_of(request):
        say('outcome', **outcome)
    return 0


def in_a_child(request, task):
    """Run a task in a process of its own; return its outcome."""
    read, write = os.pipe()
    itself = os.getpid()
    child = os.fork()
    if not child:
        confinement.end_with(itself)
        os.close(read)
        try:
            answer_of(request, task, write)
        finally:
            os._exit(1)
    os.close(write)
    text, late = collect(read, time.monotonic() + request['each'])
    os.close(read)
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _, status = os.waitpid(child, 0)
    try:
        return json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        pass
    lines = text.splitlines()
    if late:
        seconds = request['each']
        why = f'it did not come to an end within {seconds:g} seconds'
    elif len(text) > MOST_BYTES:
        why = f'it answers more than {MOST_BYTES} bytes'
    else:
        why = f'its process ended without an answer (status {status})'
    at = lines[-1].decode('utf-8', 'replace')[:40] if lines else ''
    return {
        'service': task['service'],
        'back_end': task.get('back_end', ''),
        'reached': at,
        'stopped': [],
        'beyond': [{'at': at, 'door': why, 'words': '', 'unknown': True}],
        'passed': [],
        'accepted': [],
    }


def collect(pipe, deadline):
    """Return the output of a child, and whether it exceeded its time."""
    found = b''
    while len(found) <= MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            return found, True
        if select.select([pipe], [], [], left)[0]:
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                break
            found += chunk
    return found, False


def answer_of(request, task, pipe):
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MOST_FILE_BYTES),
        (resource.RLIMIT_DATA, MOST_MEMORY_BYTES),
    ):
        resource.setrlimit(limit, (most, most))
    write = os.write

    def tell(words):
        text = words.encode() + b'\n'
        while text:
            text = text[write(pipe, text) :]

    one = services.Task(request, task)
    one.tell = tell
    try:
        one.run()
    except BaseException as exc:
        one.note_beyond(
            one.reached,
            'a step of the rehearsal',
            errors.text_of(exc),
            unknown=True,
        )
    tell(json.dumps(one.outcome()))
    os._exit(0)


def outcomes_of(request):
    """Yield the outcome of each service; of manila-share, one per back end."""
    for task in request['tasks']:
        if task['service'] != services.SHARE:
            yield in_a_child(request, task)
            continue
        found = in_a_child(request, {**task, 'service': services.BACK_ENDS})
        if 'back_ends' not in found:
            yield {**found, 'service': services.SHARE}
            continue
        for name in found['back_ends'] or ['']:
            yield in_a_child(request, {**task, 'back_end': name})
