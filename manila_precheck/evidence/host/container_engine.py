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
"""podman or docker: run programs of an image of this host.

The container has a read-only root file system, only those capabilities that
are asked for, and of this host's files only those that are mounted. The image
has to be on this host: nothing is downloaded.

A container belongs to a private directory, which its label names. It ends with
the standard input of its first process, so when its client ends, and podman
removes it (``--rm``). If the machine went down or podman was killed, the next
run removes what is left.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import secrets
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.host import programs

#: The programs that run containers; the first one that is installed is used.
ENGINES = ('podman', 'docker')

#: The label whose value is the private directory of the run.
LABEL = 'manila-precheck.rehearsal'
_PREFIX = 'manila-precheck-'

# Variables that tell podman and docker where their storage and settings are.
# None of them points to another host: the files to mount are on this one.
_VARIABLES = (
    'HOME',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
    'XDG_DATA_HOME',
    'CONTAINERS_CONF',
    'CONTAINERS_STORAGE_CONF',
)

_SECONDS = 60.0

# Exit codes of podman and docker themselves: the engine failed, the program
# cannot be run, and the program does not exist.
NOT_RUN = (125, 126, 127)

_WHOSE = '{{.State.Status}} {{index .Config.Labels "' + LABEL + '"}}'


class Mount(NamedTuple):
    """A path of this host that is mounted in a container."""

    source: str
    target: str
    writable: bool = False

    @property
    def words(self) -> list[str]:
        """Return the arguments that mount it."""
        kind = '' if self.writable else ',readonly'
        return [
            '--mount',
            f'type=bind,source={self.source},target={self.target}{kind}',
        ]


class ContainerImage(NamedTuple):
    """An image of this host, and the engine that runs it."""

    engine: str
    """The absolute path of podman or docker."""

    name: str
    """The name that the operator gave."""

    id: str
    """The id that the engine has for it."""

    @property
    def words(self) -> str:
        """Return its description for messages."""
        return f'image {self.name}'

    @property
    def by_podman(self) -> bool:
        """Whether the engine is podman."""
        return os.path.basename(self.engine) == ENGINES[0]

    def run_words(
        self,
        name: str,
        folder: str,
        user: str,
        entrypoint: str,
        options: Sequence[str] = (),
        mounts: Iterable[Mount] = (),
        network: bool = False,
    ) -> list[str]:
        """Return the command, up to the arguments of the entry point.

        :param name: the name of the container, from :func:`new_name`.
        :param folder: the private directory that it belongs to; '' for none.
        :param user: 'UID:GID' in the container.
        :param options: further options of ``run``.
        :param network: whether it uses the network of this host.
        """
        words = [
            self.engine,
            'run',
            '--rm',
            '--interactive',
            '--pull=never',
            f'--name={name}',
            f'--label={LABEL}={folder}',
            f'--network={"host" if network else "none"}',
            # The output may hold a secret: do not log it.
            '--log-driver=none',
            '--read-only',
            '--cap-drop=all',
            '--security-opt=no-new-privileges',
            # Do not relabel the files of this host for SELinux.
            '--security-opt=label=disable',
            # Removing it does not wait for a clean stop.
            '--stop-timeout=0',
            f'--user={user}',
            '--workdir=/',
            f'--entrypoint={entrypoint}',
            *options,
        ]
        for one in mounts:
            words += one.words
        return [*words, self.id]

    def remove_leftovers(self) -> None:
        """Remove the containers of runs that have ended.

        :raises SourceUnusable: when the engine does not answer.
        """
        listed = self._asked(
            'ps', '--all', '--quiet', f'--filter=label={LABEL}'
        )
        for one in listed.stdout.split():
            found = self._asked('inspect', f'--format={_WHOSE}', one)
            status, _, folder = found.stdout.strip().partition(' ')
            # A running container without a folder belongs to a command that
            # only asks for a version: leave it.
            if status == 'exited' or (folder and not os.path.isdir(folder)):
                self.remove(one)

    def remove(self, name: str) -> None:
        """End and remove a container, if it exists.

        :raises SourceUnusable: when the engine does not answer.
        """
        self._asked('rm', '--force', name)

    def _asked(self, *words: str) -> programs.Done:
        return programs.run(
            [self.engine, *words], _SECONDS, variables=variables()
        )


def new_name() -> str:
    """Return a name that no container has yet."""
    return f'{_PREFIX}{secrets.token_hex(8)}'


def find(name: str, flag: str) -> ContainerImage:
    """Return an image of this host.

    :param name: the name that the operator gave.
    :param flag: the command-line flag with the name, for messages.
    :raises SourceUnusable: when there is no such image, or no engine.
    """
    if name.startswith('-'):
        raise exceptions.SourceUnusable(f'{flag}: {name!r} is not an image')
    found = ContainerImage(_engine(flag), name, name)
    done = found._asked('image', 'inspect', '--format={{.Id}}', name)
    lines = done.stdout.split()
    if done.code or not lines:
        reason = (done.stderr.strip() or 'it says nothing').splitlines()[0]
        program = os.path.basename(found.engine)
        raise exceptions.SourceUnusable(
            f'{flag} {name}: {program} does not find it on this host '
            f'({reason}); an image has to be there ("{program} pull")'
        )
    # Use the id: the tag may be given to another image meanwhile.
    return found._replace(id=lines[0])


def _engine(flag: str) -> str:
    """Return the path of podman, or of docker.

    :raises SourceUnusable: when neither exists, or others may change it.
    """
    for name in ENGINES:
        try:
            found: Optional[str] = programs.find(name)
        except exceptions.SourceUnusable as exc:
            raise exceptions.SourceUnusable(f'{flag}: {exc}') from None
        if found is not None:
            return found
    raise exceptions.SourceUnusable(
        f'{flag} needs podman or docker on this host, and there is neither '
        '(package podman)'
    )


def variables() -> Mapping[str, str]:
    """Return the variables of our environment that the engine gets."""
    found = {k: os.environ[k] for k in _VARIABLES if k in os.environ}
    host = os.environ.get('DOCKER_HOST', '')
    if host.startswith('unix:'):
        found['DOCKER_HOST'] = host
    return found
