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
"""A manila in an image of a container, and how podman or docker runs it.

The container has no network, none of the rights of root but that of reading
files, and of this host's files only those that are mounted, read only: the
staged configuration, the socket of the copy, and what the operator adds. It
can write into the private directory of the run and nowhere else. The image
has to be there: nothing is downloaded.

It ends with this process, whatever that ends by (:mod:`.inside.contained`),
and podman removes it (``--rm``). What is left of a machine that went down, or
of a podman that was killed, has a label that says whose it was, and is removed
by the next run.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import json
import os
import secrets
import socket
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.host import interpreter
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    import subprocess

#: What runs containers, the first that there is.
ENGINES = ('podman', 'docker')

#: Its value is the private directory of the run.
_LABEL = 'manila-precheck.rehearsal'
_PREFIX = 'manila-precheck-'

# Where they are told of their storage and settings; none of these leads to
# another host, which has other files than this one.
_VARIABLES = (
    'HOME',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
    'XDG_DATA_HOME',
    'CONTAINERS_CONF',
    'CONTAINERS_STORAGE_CONF',
)

_SECONDS = 60.0

# Exit codes of podman and docker themselves: of the engine, of a program that
# cannot be run, and of one that is not there.
_NOT_RUN = (125, 126, 127)

_SCRIPT = """\
import sys
sys.path.insert(0, sys.argv[1])
from manila_precheck.act.rehearse.inside import contained
contained.main(sys.argv[2])
"""

_WHOSE = '{{.State.Status}} {{index .Config.Labels "' + _LABEL + '"}}'


class Mount(NamedTuple):
    """A path of this host that a container has."""

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


def mount(text: str, flag: str) -> Mount:
    """Return what ``PATH`` or ``PATH:PATH`` names.

    :param flag: the flag that names it.
    :raises UsageError: when that cannot be mounted.
    """
    source, _, target = text.partition(':')
    target = target or source
    for path in (source, target):
        if not os.path.isabs(path):
            raise exceptions.UsageError(
                f'{flag} {text}: {path!r} is not an absolute path'
            )
    if not os.path.exists(source):
        raise exceptions.UsageError(f'{flag} {text}: {source} does not exist')
    if set(',"') & set(text):
        raise exceptions.UsageError(
            f'{flag} {text}: a path with a comma or a quote cannot be mounted'
        )
    return Mount(os.path.normpath(source), os.path.normpath(target))


def _engine(flag: str) -> str:
    """Return the path of podman, or of docker.

    :raises UsageError: when there is neither, or others may change it.
    """
    for name in ENGINES:
        try:
            found = programs.find(name)
        except exceptions.SourceUnusable as exc:
            raise exceptions.UsageError(f'{flag}: {exc}') from None
        if found is not None:
            return found
    raise exceptions.UsageError(
        f'{flag} needs podman or docker on this host, and there is neither '
        '(package podman)'
    )


class Image(NamedTuple):
    """A manila in an image."""

    engine: str
    """The absolute path of podman or docker."""

    name: str
    """What the operator calls it."""

    id: str
    """What podman or docker calls it."""

    python: str
    """Its interpreter; without a slash it is looked up in the image's
    PATH."""

    mounts: tuple[Mount, ...] = ()

    folder: str = ''
    """The private directory of the run; '' before there is one."""

    @property
    def words(self) -> str:
        """Return what messages call it."""
        return f'image {self.name}'

    def given(
        self, folder: str, locations: Sequence[str], sockets: Sequence[str]
    ) -> 'Image':
        """Return it with the files that a rehearsal needs.

        As :meth:`.target.Manila.given`.

        :raises UsageError: when one cannot be mounted.
        """
        found = [
            *(mount(path, '--config-file') for path in _folders(locations)),
            # What the operator says wins.
            *self.mounts,
            *(Mount(path, path) for path in sockets),
            Mount(folder, folder, writable=True),
        ]
        by_target = {one.target: one for one in found}
        return self._replace(
            folder=folder,
            mounts=tuple(sorted(by_target.values(), key=lambda o: o.target)),
        )

    def version(self) -> Optional[str]:
        """Return the version of its manila; None when it has none.

        :raises SourceUnusable: when it cannot be asked.
        """
        return interpreter.ask_by(
            [*self.run_words(self.new_name()), self.id, '-I', '-B'],
            self.words,
            (),
            ('manila',),
            (),
            _variables(),
        ).versions['manila']

    @staticmethod
    def new_name() -> str:
        """Return the name of a container that there is not yet."""
        return f'{_PREFIX}{secrets.token_hex(8)}'

    def run_words(
        self,
        name: str,
        network: bool = False,
        variables: Optional[Mapping[str, str]] = None,
    ) -> list[str]:
        """Return the command, up to the name of the image.

        :param name: of the container.
        :param network: whether it has that of this host.
        :param variables: of its environment.
        """
        # Of root, only what reads the files of the server's account.
        user = '0:0'
        if os.path.basename(self.engine) != ENGINES[0]:
            # Without user namespaces it is the owner of what it writes.
            user = f'{os.geteuid()}:{os.getegid()}'
        words = [
            self.engine,
            'run',
            '--rm',
            '--interactive',
            '--pull=never',
            f'--name={name}',
            f'--label={_LABEL}={self.folder}',
            f'--network={"host" if network else "none"}',
            # What a job says may hold a secret.
            '--log-driver=none',
            '--read-only',
            '--cap-drop=all',
            '--cap-add=DAC_OVERRIDE',
            '--security-opt=no-new-privileges',
            # The files of this host are not to be relabelled.
            '--security-opt=label=disable',
            f'--user={user}',
            '--workdir=/',
            f'--entrypoint={self.python}',
        ]
        if not network:
            # The host of the services is that of this machine.
            words.append(f'--hostname={socket.gethostname()}')
        for key, value in sorted((variables or {}).items()):
            words.append(f'--env={key}={value}')
        for one in self.mounts:
            words += one.words
        return words

    def start(
        self,
        request: Mapping[str, Any],
        code: bytes,
        variables: Optional[Mapping[str, str]],
    ) -> 'Running':
        """Start a job; what is asked and what runs lie in the private folder.

        :param request: what :mod:`.inside` takes.
        :param code: the zip file of :mod:`.inside`.
        :param variables: of its environment.
        :raises OSError: when it cannot be started.
        """
        network = not request.get('offline')
        paths = [
            self._written('inside.zip', code),
            self._written(
                'request.json',
                json.dumps({**request, 'contained': not network}).encode(),
            ),
        ]
        name = self.new_name()
        read, held = os.pipe()
        try:
            process = programs.start(
                [
                    *self.run_words(name, network, variables),
                    self.id,
                    '-I',
                    '-B',
                    '-c',
                    _SCRIPT,
                    *paths,
                ],
                _variables(),
                read,
                stderr=True,
            )
        except BaseException:
            os.close(held)
            raise
        finally:
            os.close(read)
        return Running(self, name, process, held)

    def _written(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), 'wb') as stream:
            stream.write(data)
        return path

    def remove_leftovers(self) -> None:
        """Remove the containers of runs that are gone.

        :raises SourceUnusable: when the engine does not answer.
        """
        listed = self._asked(
            'ps', '--all', '--quiet', f'--filter=label={_LABEL}'
        )
        for one in listed.stdout.split():
            found = self._asked('inspect', f'--format={_WHOSE}', one)
            status, _, folder = found.stdout.strip().partition(' ')
            # Of one that is running, whose command has asked for a version.
            if status == 'exited' or (folder and not os.path.isdir(folder)):
                self.remove(one)

    def remove(self, name: str) -> None:
        """End and remove a container; nothing when there is none.

        :raises SourceUnusable: when the engine does not answer.
        """
        self._asked('rm', '--force', name)

    def _asked(self, *words: str) -> programs.Done:
        return programs.run(
            [self.engine, *words], _SECONDS, variables=_variables()
        )


class Running(NamedTuple):
    """A job in a container."""

    image: Image
    name: str
    process: 'subprocess.Popen[bytes]'
    held: int
    """It runs until this descriptor is closed."""

    def end(self, by_itself: bool) -> None:
        """Leave nothing of it.

        :param by_itself: whether it has ended before.
        """
        os.close(self.held)
        if not by_itself:
            with contextlib.suppress(exceptions.SourceUnusable):
                self.image.remove(self.name)

    @staticmethod
    def never_ran(code: Optional[int]) -> bool:
        """Say whether an exit code is that of the engine, not of a job."""
        return code in _NOT_RUN


def find(
    name: str, flag: str, python: Optional[str], mounts: Sequence[str]
) -> Image:
    """Return an image of this host.

    :param name: what the operator calls it.
    :param flag: the flag that names it.
    :param python: the interpreter in it; None for python3 of its PATH.
    :param mounts: what it is to have of this host: 'PATH' or 'PATH:PATH'.
    :raises UsageError: when there is none, nothing to run it, or a path
        cannot be mounted.
    """
    if name.startswith('-'):
        raise exceptions.UsageError(f'{flag}: {name!r} is not an image')
    found = Image(
        _engine(flag),
        name,
        name,
        python or 'python3',
        tuple(mount(text, '--image-mount') for text in mounts),
    )
    done = found._asked('image', 'inspect', '--format={{.Id}}', name)
    lines = done.stdout.split()
    if done.code or not lines:
        reason = (done.stderr.strip() or 'it says nothing').splitlines()[0]
        program = os.path.basename(found.engine)
        raise exceptions.UsageError(
            f'{flag} {name}: {program} does not find it on this host '
            f'({reason}); an image has to be there ("{program} pull")'
        )
    # A tag can be given to another image meanwhile.
    return found._replace(id=lines[0])


def _folders(locations: Iterable[str]) -> Iterator[str]:
    """Yield what of the configuration is mounted.

    What the options of a file name lies beside it: policy.yaml, api-paste.ini.
    But a directory as large as /etc is not mounted over that of the image.
    """
    for location in locations:
        path = os.path.abspath(location)
        folder = os.path.dirname(path)
        if not os.path.isdir(path) and folder.count('/') > 1:
            yield folder
        else:
            yield path


def _variables() -> dict[str, str]:
    """Return what the engine gets of our environment."""
    found = {k: os.environ[k] for k in _VARIABLES if k in os.environ}
    host = os.environ.get('DOCKER_HOST', '')
    if host.startswith('unix:'):
        found['DOCKER_HOST'] = host
    return found
