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

"""Read a file that a configuration or an operator names."""

from typing import IO
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import tree

#: The maximum size of a file in bytes, unless the caller sets another one.
MAX_BYTES = 64 * 2**20

#: How many files a directory may add to the configuration or the policies.
MAX_FILES = 1000


class Text(NamedTuple):
    """The text of one file."""

    text: str
    read: model.FileRead
    """Its path and the SHA-256 of its bytes."""


class NotUTF8(exceptions.SourceUnusable):
    """The file is not text in UTF-8."""

    def __init__(self, read: model.FileRead, line: int) -> None:
        super().__init__(f'{read.path}:{line}: the file is not UTF-8 text')
        #: The file that was read.
        self.read = read
        #: The line of the first byte that is not UTF-8, from 1.
        self.line = line


def read_text(
    path: str,
    max_bytes: int = MAX_BYTES,
    encoding: str = 'utf-8',
    site: tree.Tree = tree.HOST,
) -> Text:
    """Return the text of a file.

    :param path: the file.
    :param max_bytes: how large it may be.
    :param encoding: 'utf-8', or 'utf-8-sig' to remove a byte order mark.
    :param site: the file system that holds it.
    :raises NotUTF8: when it is not text.
    :raises SourceUnusable: as :func:`read` does.
    """
    # Imported here: it loads OpenSSL (2 ms); listing the checks needs none.
    import hashlib

    data = read(path, max_bytes, site)
    found = model.FileRead(site.shown(path), hashlib.sha256(data).hexdigest())
    try:
        return Text(data.decode(encoding), found)
    except UnicodeDecodeError as exc:
        line = data.count(b'\n', 0, exc.start) + 1
        raise NotUTF8(found, line) from None


def read(
    path: str, max_bytes: int = MAX_BYTES, site: tree.Tree = tree.HOST
) -> bytes:
    """Return the contents of a file.

    Pipes and devices are refused: reading a pipe would block, and a device
    may have no end. Only /dev/null can be read; it is empty.

    :param path: the file.
    :param max_bytes: how large it may be.
    :param site: the file system that holds it.
    :raises SourceUnusable: when it cannot be read, is no file, or is larger.
    """
    try:
        with site.open(path) as stream:
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path}: {exc.strerror or "cannot be read"}'
        ) from exc
    if data is None:
        # For example /proc/kmsg.
        raise exceptions.SourceUnusable(
            f'{path}: it is not a regular file: reading it blocks'
        )
    if len(data) > max_bytes:
        raise exceptions.SourceUnusable(
            f'{path}: larger than {max_bytes >> 20} MiB, the limit '
            'for such a file'
        )
    return data


def require_few(directory: str, names: list[str]) -> None:
    """Make sure that a directory has no more than MAX_FILES files.

    :raises SourceUnusable: when it does.
    """
    if len(names) > MAX_FILES:
        raise exceptions.SourceUnusable(
            f'{directory}: {len(names)} files, more than the limit of '
            f'{MAX_FILES} for one directory'
        )


def open_file(path: str) -> IO[bytes]:
    """Open a file of this host for reading, without blocking.

    :raises OSError: when it cannot be opened.
    :raises SourceUnusable: when it is not a file.
    """
    return tree.HOST.open(path)
