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

"""Small files of a machine, such as those of its services and web servers.

A file that may not be read counts as missing.
"""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import tree

_MOST_BYTES = 1 << 20


def text(site: tree.Tree, path: str) -> Optional[str]:
    """Return the first MiB of a file; None when it cannot be read."""
    try:
        with site.open(path) as stream:
            return (stream.read(_MOST_BYTES) or b'').decode(errors='replace')
    except (OSError, ValueError, exceptions.SourceUnusable):
        return None


def joined(content: str) -> Iterator[tuple[int, str]]:
    """Yield the logical lines of a file, each with its first line's number.

    A backslash at the end of a line continues it on the next one.
    """
    begun, line = 0, ''
    for number, piece in enumerate(content.splitlines(), start=1):
        if not begun:
            begun = number
        if piece.endswith('\\'):
            line += piece[:-1] + ' '
            continue
        yield begun, line + piece
        begun, line = 0, ''
    if line:
        yield begun, line
