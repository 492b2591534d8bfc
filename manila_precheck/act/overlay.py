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
"""The file system of the site, with changed content for some files."""

import io
import os
import posixpath
import stat
from typing import IO

from manila_precheck.evidence.files import tree

_NEW = 0o600


class Overlay(tree.Tree):
    """A file system in which some files have other content.

    :param below: the file system that has all other files.
    :param contents: the new content of files, by path with links resolved.
    """

    def __init__(self, below: tree.Tree, contents: 'dict[str, bytes]') -> None:
        self._below = below
        self._contents = contents
        self.name = below.name
        self.is_host = below.is_host

    def shown(self, path: str) -> str:
        """Return a path as reports show it."""
        return self._below.shown(path)

    def expanduser(self, path: str) -> str:
        """Return a path with '~' replaced by the home directory."""
        return self._below.expanduser(path)

    def abspath(self, path: str) -> str:
        """Return a path that starts at the root, '..' resolved by name."""
        return self._below.abspath(path)

    def realpath(self, path: str) -> str:
        """Return a path with all symbolic links resolved."""
        folder, name = posixpath.split(self._below.abspath(path))
        direct = posixpath.join(self._below.realpath(folder), name)
        if direct in self._contents:
            return direct
        return self._below.realpath(path)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        return self._below.readlink(path)

    def status(self, path: str, follow: bool = True) -> tree.Status:
        """Return the status of a file."""
        content = None
        if follow or not self._below.islink(path):
            content = self._contents.get(self.realpath(path))
        if content is None:
            return self._below.status(path, follow)
        try:
            found = self._below.status(path, follow)
        except OSError:
            return tree.Status(stat.S_IFREG | _NEW, len(content))
        return found._replace(size=len(content))

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        folder = self._below.realpath(path)
        return sorted(
            {
                *self._below.listdir(path),
                *(
                    os.path.basename(one)
                    for one in self._contents
                    if os.path.dirname(one) == folder
                ),
            }
        )

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        content = self._contents.get(self.realpath(path))
        if content is None:
            return self._below.open(path)
        return io.BytesIO(content)
