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
"""A fake podman that does what a test says, and runs no container."""

import json
import os
import sys

import fixtures

from manila_precheck.evidence.host import programs

#: The id of its only image, manila:2026.1.
ID = 'sha256:feed'

# It notes each request, and answers from a file. "podman run" starts a process
# on this host, by the user that the command names.
_PODMAN = """\
#!{python} -I
import json, os, sys
os.chdir({folder!r})
words = sys.argv[1:]
with open('asked', 'a') as stream:
    stream.write(json.dumps([words, sorted(os.environ)]) + '\\n')
kind = words[0]
if kind in ('image', 'inspect'):
    kind = words[-1]
answers = json.load(open('answers'))
if kind in answers:
    code, stdout, stderr = answers[kind]
    sys.stdout.write(stdout)
    sys.stderr.write(stderr)
    sys.exit(code)
if kind == 'run':
    at = words.index({id!r})
    (python,) = [w[13:] for w in words if w.startswith('--entrypoint=')]
    (user,) = [w[7:] for w in words if w.startswith('--user=')]
    uid, gid = map(int, user.split(':'))
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.chdir('/')
    for word in words:
        if word.startswith('--env='):
            key, _, value = word[6:].partition('=')
            os.environ[key] = value
    os.execv(python, [python, *words[at + 1:]])
"""


def run_words(name, folder, user, entrypoint):
    """Return what podman is told of every container.

    :param name: the argument that names it.
    """
    return [
        'run',
        '--rm',
        '--interactive',
        '--pull=never',
        name,
        f'--label=manila-precheck.rehearsal={folder}',
        '--network=none',
        '--log-driver=none',
        '--read-only',
        '--cap-drop=all',
        '--security-opt=no-new-privileges',
        '--security-opt=label=disable',
        '--stop-timeout=0',
        f'--user={user}',
        '--workdir=/',
        f'--entrypoint={entrypoint}',
    ]


class FakePodman(fixtures.Fixture):
    """Puts a fake podman in place; other programs are found as before."""

    def _setUp(self):
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.path = os.path.join(self.folder, 'podman')
        with open(self.path, 'w', encoding='utf-8') as stream:
            stream.write(
                _PODMAN.format(
                    python=os.path.realpath(sys.executable),
                    folder=self.folder,
                    id=ID,
                )
            )
        os.chmod(self.path, 0o700)
        find = programs.find
        self.answers({'manila:2026.1': [0, f'{ID}\n', '']})
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.programs.find',
                lambda name: self.path if name == 'podman' else find(name),
            )
        )

    def answers(self, found):
        """Set its answers: {command: [exit code, stdout, stderr]}."""
        with open(f'{self.folder}/answers', 'w', encoding='utf-8') as stream:
            json.dump(found, stream)

    def asked(self, kind):
        """Return its requests: [(words, names of environment variables)]."""
        with open(f'{self.folder}/asked', encoding='utf-8') as stream:
            lines = [json.loads(line) for line in stream]
        return [line for line in lines if line[0][0] == kind]
