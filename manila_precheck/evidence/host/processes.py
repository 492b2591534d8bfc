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

"""The processes of a machine, as /proc shows them."""

from collections.abc import Iterator
import os
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import machine_files

_CONTAINED = re.compile(r'docker|libpod|kubepods|crio|containerd|lxc|machine')


class Process(NamedTuple):
    """One process, as far as this run may see it."""

    pid: int

    words: tuple[str, ...]
    """The words of its command line."""

    uid: Optional[int]
    """The account that runs it; None when that is not known."""

    directory: Optional[str]
    """Its working directory; None when this run may not see it."""

    contained: bool
    """Whether it runs in a container, with other files than the machine."""


def environment(site: tree.Tree, pid: int) -> dict[str, str]:
    """Return the variables of a process, which may hold secrets.

    :returns: nothing when this run may not see them.
    """
    environ = machine_files.text(site, f'/proc/{pid}/environ') or ''
    pairs = (one.partition('=') for one in environ.split('\0'))
    return {name: value for name, equals, value in pairs if equals}


def running(site: tree.Tree = tree.HOST) -> Iterator[Process]:
    """Yield every process that has a command line, by its number.

    :param site: the file system that holds proc.
    """
    for path in sorted(site.glob('/proc/[0-9]*/cmdline'), key=_pid):
        words = (machine_files.text(site, path) or '').rstrip('\0').split('\0')
        at = os.path.dirname(path)
        try:
            uid = site.status(at).uid
        except OSError:
            continue
        if words != ['']:
            yield Process(
                _pid(path),
                tuple(words),
                uid,
                _directory(site, at),
                _contained(site, at),
            )


def _pid(path: str) -> int:
    name = os.path.basename(os.path.dirname(path))
    return int(name) if name.isascii() and name.isdigit() else 0


def _directory(site: tree.Tree, at: str) -> Optional[str]:
    try:
        return site.readlink(f'{at}/cwd')
    except OSError:
        return None


def _contained(site: tree.Tree, at: str) -> bool:
    if site.is_host:
        # The text of the link is '/' in a container, too; its target differs.
        try:
            there, here = os.stat(f'{at}/root'), os.stat('/')
        except OSError:
            pass
        else:
            return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
    # A process of another account: its control group may still be readable.
    groups = machine_files.text(site, f'{at}/cgroup') or ''
    return _CONTAINED.search(groups) is not None
