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

"""What serves manila's API on this machine.

manila.conf does not say it; the processes that run do, and the files in which
uWSGI and Apache are told what to load. While nothing runs, the units that
systemd starts by itself tell. The program manila-api serves by
itself; the script manila-wsgi and the module manila.wsgi.api are loaded by a
web server. manila has the script up to 20.0.3 (entry_points.txt), and the
module from 20.0.0 on (manila/wsgi/api.py); the program of 23.0.1 ends at once.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import enum
import os
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import tree


class Kind(str, enum.Enum):
    """What it is."""

    PROGRAM = 'program'
    """manila-api, with the server that is built into it."""

    SCRIPT = 'script'
    """The script manila-wsgi, in a web server."""

    APPLICATION = 'application'
    """manila.wsgi.api:application, or a file of the site's own that loads
    it, in a web server."""


class Served(NamedTuple):
    """One sign of what serves the API."""

    kind: Kind

    file: Optional[str] = None
    """The configuration of a web server, or a unit; None: it runs."""

    line: Optional[int] = None
    """The line in it, counted from 1."""


# Where Debian, RHEL, SUSE, kolla, openstack-ansible and devstack put them.
_FILES = (
    '/etc/apache2/*-enabled/*.conf',
    '/etc/apache2/conf.d/*.conf',
    '/etc/apache2/vhosts.d/*.conf',
    '/etc/httpd/conf.d/*.conf',
    '/etc/httpd/conf/httpd.conf',
    '/etc/manila/*uwsgi*',
    '/etc/uwsgi/*.ini',
    '/etc/uwsgi/*/*.ini',
)
# Where systemd looks for a unit, in this order.
_UNITS = (
    '/etc/systemd/system',
    '/run/systemd/system',
    '/usr/local/lib/systemd/system',
    '/usr/lib/systemd/system',
    '/lib/systemd/system',
)
_EXEC_START = re.compile(r'\s*ExecStart\s*=\s*[-@:+!|]*(.*)')

_MOST_BYTES = 1 << 20
_MOST_IN_A_PATH = 1 << 12

_WORD = re.compile(r'[^\s=\'"\0]+')
_SCRIPT = re.compile(r'/manila-wsgi\b')

_PROGRAM = 'manila-api'
_MODULES = ('manila.cmd.api',)
_SERVERS = (
    'apache2',
    'gunicorn',
    'httpd',
    'python',
    'pyuwsgi',
    'uwsgi',
    'waitress',
)


def look(site: tree.Tree = tree.HOST) -> tuple[Served, ...]:
    """Return every sign that there is, each once.

    What may not be read is no sign.

    :param site: the file system that holds proc and etc.
    """
    running = tuple(_running(site))
    units = () if running else _enabled(site)
    return tuple(dict.fromkeys((*running, *_configured(site), *units)))


def _running(site: tree.Tree) -> Iterator[Served]:
    for path in site.glob('/proc/[0-9]*/cmdline'):
        words = (_read(site, path) or '').rstrip('\0').split('\0')
        kind = of_command(words, site)
        if kind is not None:
            yield Served(kind)


def of_command(
    words: Sequence[str], site: tree.Tree = tree.HOST
) -> Optional[Kind]:
    """Return what a process serves the API as; None: it does not.

    :param words: of its command line.
    :param site: as for :func:`look`.
    """
    name = os.path.basename(words[0].split(' ')[0])
    if name.rstrip(':') == _PROGRAM:
        # uWSGI can be told to call itself so.
        return None if 'uWSGI' in words[0] else Kind.PROGRAM
    if not name.startswith((*_SERVERS, 'manila-wsgi')):
        return None
    rest = words[1:4]
    if name.startswith('python') and (
        any(word in _MODULES for word in rest)
        or os.path.basename(rest[0] if rest else '') == _PROGRAM
    ):
        return Kind.PROGRAM
    return _of_line(' '.join(words), site)


def _configured(site: tree.Tree) -> Iterator[Served]:
    for pattern in _FILES:
        for path in site.glob(pattern):
            for number, line in enumerate(
                (_read(site, path) or '').splitlines(), start=1
            ):
                told = line.partition('#')[0].partition(';')[0]
                kind = _of_line(told, site)
                if kind is not None:
                    yield Served(kind, site.shown(path), number)


def _enabled(site: tree.Tree) -> Iterator[Served]:
    """Yield the units that start with the machine and serve the API."""
    wanted = site.glob(f'{_UNITS[0]}/*.wants/*.service')
    for name in sorted({os.path.basename(path) for path in wanted}):
        commands: list[tuple[str, int, list[str]]] = []
        for path in _unit_files(site, name):
            lines = (_read(site, path) or '').splitlines()
            for number, line in enumerate(lines, start=1):
                found = _EXEC_START.match(line)
                if found is None:
                    continue
                words = found[1].split()
                if words:
                    commands.append((path, number, words))
                else:
                    # It takes back what stands before it.
                    commands.clear()
        for path, number, words in commands:
            # An init script may start anything.
            if '/init.d/' in words[0]:
                continue
            kind = of_command(words, site)
            if kind is not None:
                yield Served(kind, site.shown(path), number)


def _unit_files(site: tree.Tree, name: str) -> Iterator[str]:
    """Yield the file of a unit, then what is dropped in."""
    for directory in _UNITS:
        path = os.path.join(directory, name)
        if site.lexists(path):
            yield path
            if site.islink(path) and site.readlink(path) == os.devnull:
                # It is masked.
                return
            break
    yield from site.glob(
        os.path.join(_UNITS[0], tree.escape(f'{name}.d'), '*.conf')
    )


def _of_line(line: str, site: tree.Tree) -> Optional[Kind]:
    # NOTE: word by word, since one pattern for the path takes quadratic time
    # on a line of slashes.
    words = _WORD.findall(line) if 'manila' in line else []
    for word in words:
        start = word.find('/')
        ends = [found.end() for found in _SCRIPT.finditer(word, start + 1)]
        if not ends or ends[-1] - start > _MOST_IN_A_PATH:
            continue
        # A copy elsewhere stays when the package goes; a link does not help.
        real = site.realpath(word[start : ends[-1]])
        if os.path.basename(os.path.dirname(real)) == 'bin':
            return Kind.SCRIPT
    if any('wsgi' in word.partition('manila')[2] for word in words):
        return Kind.APPLICATION
    return None


def _read(site: tree.Tree, path: str) -> Optional[str]:
    try:
        with site.open(path) as stream:
            return stream.read(_MOST_BYTES).decode(errors='replace')
    except (OSError, exceptions.SourceUnusable):
        return None
