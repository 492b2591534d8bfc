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

"""The files that the values of a configuration name, in any option."""

from collections.abc import Iterable
from collections.abc import Iterator
import glob
import os
import re
from typing import NamedTuple

from manila_precheck.evidence import paste
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import policy_files

# A path in a value: in a list, in a URL, or alone.
_ABSOLUTE = re.compile(r'/[^/\s,;?&#\'"][^\s,;?&#\'"]*')
# 'sqlite:////var/lib/manila.sqlite' is absolute; with three slashes a path is
# relative.
_SQLITE = re.compile(r'sqlite(?:\+\w+)?:///([^?#]+)')
# Suffixes of the files that SQLite writes beside a database.
_BESIDE = ('-journal', '-shm', '-wal')

# The files in this option are written, not read.
_REPORTS = ('manila_precheck', 'report')

# manila 22.0.2 common/config.py. The default connection of Debian's packages
# and of manila's own tests contains it.
_STATE_PATH = '/var/lib/manila'


class Named(NamedTuple):
    """The paths that a configuration names."""

    files: frozenset[str]
    """Paths, of which some may not exist."""

    patterns: frozenset[str]
    """Paths whose last part has wildcards: all matching files are read."""


def find(
    conf: config_files.ConfigFiles,
    locations: Iterable[str],
    more_values: Iterable[str] = (),
) -> Named:
    """Return all files that are read, or that an option may name.

    :param locations: the configuration files and directories.
    :param more_values: further values that may name files.
    """
    files = {read.path for read in conf.files}
    directories = set()
    for directory in conf.search_path:
        for name in (
            policy_files.DEFAULT_FILE,
            policy_files.OLD_DEFAULT_FILE,
            paste.DEFAULT_FILE,
        ):
            files.add(os.path.join(directory, name))
        directories.add(
            os.path.join(directory, policy_files.DEFAULT_DIRECTORY)
        )
    for group, name in dict.fromkeys(
        (setting.group, setting.name) for setting in conf.settings
    ):
        if (group, name) == _REPORTS:
            continue
        for path in _paths(conf.value(group, name) or ''):
            found = {os.path.join(d, path) for d in conf.search_path}
            files |= found
            if name == 'policy_dirs':
                directories |= found
    for value in more_values:
        files.update(_paths(value))
    absolute = {path for path in files if path.startswith('/')}
    return Named(
        frozenset(files),
        frozenset(
            {path for path in absolute if glob.has_magic(path)}
            | {os.path.join(directory, '*') for directory in directories}
            | {
                os.path.join(path, '*.conf')
                for path in locations
                if conf.site.isdir(path)
            }
        ),
    )


def _paths(value: str) -> Iterator[str]:
    value = value.replace('$state_path', _STATE_PATH)
    for item in (value, *value.split(','), *_ABSOLUTE.findall(value)):
        yield os.path.expanduser(item.strip())
    for path in _SQLITE.findall(value):
        path = os.path.abspath(path)
        yield path
        yield from (path + end for end in _BESIDE)
