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


def read(path: str) -> bytes:
    """Return what a file holds.

    A pipe would be waited for and a device may have no end; only the empty
    device is read, as what it is.

    :raises SourceUnusable: when it cannot be read, or is no file.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            raise exceptions.SourceUnusable(f'{path}: a pipe, no file')
        if stat.S_ISCHR(mode) and path != os.devnull:
            raise exceptions.SourceUnusable(f'{path}: a device, no file')
        with open(path, 'rb') as stream:
            return stream.read()
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{path}: {exc.strerror or "cannot be read"}'
        ) from exc
