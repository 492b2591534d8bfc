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

"""Reading a file that a configuration or an operator names."""

import os
import stat

from manila_precheck import exceptions

#: What one file may hold, in bytes, when its reader says nothing else.
MAX_BYTES = 64 * 2**20


def read(path: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what a file holds.

    A pipe would be waited for and a device may have no end; only the empty
    device is read, as what it is.

    :param path: the file.
    :param max_bytes: how large it may be.
    :raises SourceUnusable: when it cannot be read, is no file, or is larger.
    """
    try:
        # A device may act when it is opened, so this comes first; and what
        # stands there may be another when it is.
        _require_file(path, os.stat(path).st_mode)
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, 'rb') as stream:
            _require_file(path, os.fstat(number).st_mode)
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path}: {exc.strerror or "cannot be read"}'
        ) from exc
    if len(data) > max_bytes:
        raise exceptions.SourceUnusable(
            f'{path}: larger than {max_bytes >> 20} MiB, which is more than '
            'is read of such a file'
        )
    return data


def _require_file(path: str, mode: int) -> None:
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise exceptions.SourceUnusable(f'{path}: a pipe, no file')
    if stat.S_ISCHR(mode) and path != os.devnull:
        raise exceptions.SourceUnusable(f'{path}: a device, no file')
