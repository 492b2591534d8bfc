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

"""Type the commands of remediations as they are printed."""

from qa.upgrade import api
from qa.upgrade import processes


class Typist:
    """Types commands on a controller, and notes those that fail."""

    def __init__(self, environments, path, release, site, client):
        self._folders = [
            environments.home(release) / 'bin',
            environments.clients / 'bin',
            environments.command.parent,
        ]
        self._site = site
        self._client = client
        #: The output of the commands that failed.
        self.refused = []
        #: The commands that were typed.
        self.typed = []

    def env(self):
        """Return the environment of the operator's shell."""
        return {
            **self._site.env(*self._folders),
            # manila's noauth accepts user:project as a token.
            'OS_AUTH_TYPE': 'admin_token',
            'OS_TOKEN': f'{api.ADMIN}:{api.ADMIN}',
            'OS_ENDPOINT': (
                f'http://127.0.0.1:{self._client.port}/v2/{api.ADMIN}'
            ),
        }

    def type(self, text):
        """Type a command; a failure is noted, not raised."""
        self.typed.append(text)
        done = processes.run(
            ['bash', '-o', 'pipefail', '-c', text],
            env=self.env(),
            cwd=self._site.home,
            seconds=120,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            self.refused.append(
                f'{text} gave {done.returncode}: ' + (said[-1] if said else '')
            )
        return done
