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
"""A manila in a container image.

The container sees these files of this host, read only: the staged
configuration, the socket of the copy, and what the operator adds. It can write
into the private directory of the run and nowhere else. It ends with this
process, however that ends (:mod:`.inside.contained`).
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import json
import os
import socket
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.evidence.host import container_engine
from manila_precheck.evidence.host import interpreter
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    import subprocess

_SCRIPT = """\
import sys
sys.path.insert(0, sys.argv[1])
from manila_precheck.act.rehearse.inside import contained
contained.main(sys.argv[2])
"""


def mount(text: str, flag: str) -> container_engine.Mount:
    """Return the mount that ``PATH`` or ``PATH:PATH`` describes.

    :param flag: the flag of which this is the value.
    :raises UsageError: when the path cannot be mounted.
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
    return container_engine.Mount(
        os.path.normpath(source), os.path.normpath(target)
    )


class ManilaImage(NamedTuple):
    """A manila in a container image."""

    image: container_engine.ContainerImage

    python: str
    """The interpreter; a name without a slash is looked up in the image's
    PATH."""

    mounts: tuple[container_engine.Mount, ...] = ()

    folder: str = ''
    """The private directory of the run; '' before there is one."""

    @property
    def words(self) -> str:
        """Return its name for messages."""
        return self.image.words

    def given(
        self, folder: str, locations: Sequence[str], sockets: Sequence[str]
    ) -> 'ManilaImage':
        """Return a copy that mounts the files that a rehearsal needs.

        See :meth:`.target.Manila.given`.

        :raises UsageError: when a file cannot be mounted.
        """
        found = [
            *(mount(path, '--config-file') for path in _folders(locations)),
            # The mounts of the operator win over those of the configuration.
            *self.mounts,
            *(container_engine.Mount(path, path) for path in sockets),
            container_engine.Mount(folder, folder, writable=True),
        ]
        by_target = {one.target: one for one in found}
        return self._replace(
            folder=folder,
            mounts=tuple(sorted(by_target.values(), key=lambda o: o.target)),
        )

    def version(self) -> Optional[str]:
        """Return the version of its manila; None without manila.

        :raises SourceUnusable: when the interpreter in it cannot be run.
        """
        return interpreter.ask_by(
            [*self.run_words(container_engine.new_name()), '-I', '-B'],
            self.words,
            (),
            ('manila',),
            (),
            container_engine.variables(),
        ).versions['manila']

    def run_words(
        self,
        name: str,
        network: bool = False,
        variables: Optional[Mapping[str, str]] = None,
    ) -> list[str]:
        """Return the command, up to the arguments of the interpreter.

        :param name: the name of the container.
        :param network: whether the container uses the network of this host.
        :param variables: the variables of its environment.
        """
        # The only privilege of root that it gets lets it read the files of
        # the server's account (DAC_OVERRIDE).
        user = '0:0'
        if not self.image.by_podman:
            # Docker has no user namespace here, so it runs as this user, who
            # then owns the files that it writes.
            user = f'{os.geteuid()}:{os.getegid()}'
        options = ['--cap-add=DAC_OVERRIDE']
        if not network:
            # The services run under the host name of this machine.
            options.append(f'--hostname={socket.gethostname()}')
        for key, value in sorted((variables or {}).items()):
            options.append(f'--env={key}={value}')
        return self.image.run_words(
            name,
            self.folder,
            user,
            self.python,
            options,
            self.mounts,
            network,
        )

    def start(
        self,
        request: Mapping[str, Any],
        code: bytes,
        variables: Optional[Mapping[str, str]],
    ) -> 'Running':
        """Start a job; its request and code are files in the private folder.

        :param request: the request for :mod:`.inside`.
        :param code: the zip file of :mod:`.inside`.
        :param variables: the variables of its environment.
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
        name = container_engine.new_name()
        read, lifeline = os.pipe()
        try:
            process = programs.start(
                [
                    *self.run_words(name, network, variables),
                    '-I',
                    '-B',
                    '-c',
                    _SCRIPT,
                    *paths,
                ],
                container_engine.variables(),
                read,
                stderr=True,
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(read)
        return Running(self.image, name, process, lifeline)

    def _written(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), 'wb') as stream:
            stream.write(data)
        return path

    def remove_leftovers(self) -> None:
        """Remove the containers of runs that no longer exist.

        :raises SourceUnusable: when the engine does not answer.
        """
        self.image.remove_leftovers()


class Running(NamedTuple):
    """A job in a container."""

    image: container_engine.ContainerImage
    name: str
    process: 'subprocess.Popen[bytes]'
    lifeline: int
    """A file descriptor: the job runs until it is closed."""

    def end(self, by_itself: bool) -> None:
        """Remove what is left of the job.

        :param by_itself: whether it has ended by itself.
        """
        os.close(self.lifeline)
        if not by_itself:
            with contextlib.suppress(exceptions.SourceUnusable):
                self.image.remove(self.name)

    @staticmethod
    def never_ran(code: Optional[int]) -> bool:
        """Say whether an exit code comes from the engine, not from a job."""
        return code in container_engine.NOT_RUN


def find(
    name: str, flag: str, python: Optional[str], mounts: Sequence[str]
) -> ManilaImage:
    """Return the image of a name on this host.

    :param name: the name that the operator gives.
    :param flag: the flag of which this is the value.
    :param python: the interpreter in it; None for python3 of its PATH.
    :param mounts: the paths to mount from this host: 'PATH' or 'PATH:PATH'.
    :raises UsageError: when there is no such image, no engine to run it, or
        a path that cannot be mounted.
    """
    try:
        found = container_engine.find(name, flag)
    except exceptions.SourceUnusable as exc:
        raise exceptions.UsageError(str(exc)) from None
    return ManilaImage(
        found,
        python or 'python3',
        tuple(mount(text, '--image-mount') for text in mounts),
    )


def _folders(locations: Iterable[str]) -> Iterator[str]:
    """Yield the files and directories of the configuration to mount.

    For a file this is its directory, where policy.yaml and api-paste.ini lie
    as well; but only the file itself if that would be a directory of the root,
    such as /etc, which must not hide that of the image.
    """
    for location in locations:
        path = os.path.abspath(location)
        folder = os.path.dirname(path)
        if not os.path.isdir(path) and folder.count('/') > 1:
            yield folder
        else:
            yield path
