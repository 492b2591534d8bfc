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
"""Type the commands of a runbook, with no knowledge of anything else.

It reads the JSON of ``upgrade plan``, goes through the steps in order and
looks at exit codes. It fills in the blanks of the runbook with the answers of
an operator; a blank without an answer, or a command without a host, ends it.
"""

from typing import NamedTuple
from typing import Optional

#: The phases of a runbook that lead forward.
PHASES = ('before', 'window', 'after')


class Stuck(Exception):
    """The runbook cannot be followed any further."""


class Said(NamedTuple):
    """The estimate of a step, in seconds; None: the runbook has a blank."""

    low: Optional[float]
    high: Optional[float]


class Done(NamedTuple):
    """A step that has been done."""

    phase: str
    id: str
    said: Optional[Said]
    seconds: float
    typed: tuple
    """Its commands, each a :class:`qa.runbook.hosts.Typed`."""


class Operator(NamedTuple):
    """The answers of a person to the blanks of a runbook."""

    blanks: dict
    """The word of a blank -> the text to type, one or more words of bash, or a
    function that returns it, called with the blank and with the commands typed
    in the step so far."""

    api_hosts: tuple
    """The hosts of manila-api, for commands that name no host."""


class Typist:
    """Types commands on hosts.

    :param hosts: name -> :class:`qa.runbook.hosts.Host`.
    :param env: the environment of every shell.
    """

    def __init__(self, hosts, operator, env, show):
        self._hosts = hosts
        self._operator = operator
        self._env = env
        self._show = show

    def follow(self, document, phases=PHASES, only=None, done=(), hop=0):
        """Do the steps of a hop, and yield each when it is done.

        :param document: the JSON of the runbook.
        :param hop: the index of the hop, from 0.
        :param only: the id of the only step to do; None for all.
        :param done: the ids of steps that are done already.
        :raises Stuck: when a command fails, or something is not known.
        """
        for phase in document['hops'][hop]['phases']:
            if phase['id'] not in phases:
                continue
            for step in phase['steps']:
                if only in (None, step['id']) and step['id'] not in done:
                    yield self._step(phase['id'], step)

    def _step(self, phase, step):
        typed = []
        for command in step['commands']:
            text = self._filled(step, command['text'], typed)
            for host in self._where(step, command):
                done = self._hosts[host].type(text, self._env)
                typed.append(done)
                self._show(
                    f'{step["id"]}: {host}$ {text}: {done.code}, '
                    f'{done.seconds:.1f} s'
                )
                if done.code not in command['exit_codes']:
                    raise Stuck(
                        f'{step["id"]}: on {host}: {text}\n'
                        f'gave {done.code}:\n'
                        f'{done.stdout[-6000:]}{done.stderr[-3000:]}'
                    )
        duration = step['duration']
        said = None
        if duration is not None:
            said = Said(duration['seconds_min'], duration['seconds_max'])
        seconds = sum(done.seconds for done in typed)
        return Done(phase, step['id'], said, seconds, tuple(typed))

    def _filled(self, step, text, typed):
        for blank in step['blanks']:
            word = blank['word']
            if word not in text:
                continue
            if word not in self._operator.blanks:
                raise Stuck(f'{step["id"]}: nobody knows {word}')
            answer = self._operator.blanks[word]
            if callable(answer):
                answer = answer(blank, typed)
            text = text.replace(word, answer)
        return text

    def _where(self, step, command):
        if command['any_host']:
            return [next(iter(self._hosts))]
        hosts = command['hosts']
        if not hosts and step['id'].endswith('manila-api'):
            hosts = self._operator.api_hosts
        unknown = [host for host in hosts if host not in self._hosts]
        if unknown or not hosts:
            raise Stuck(f'{step["id"]}: no such host: {unknown}')
        return hosts
