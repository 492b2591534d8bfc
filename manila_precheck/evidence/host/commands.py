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

"""What a command line starts: which service of manila, and its arguments.

A program passes the words after its name to oslo.config. In a web server
oslo.config gets what the server leaves in sys.argv: uWSGI puts "uwsgi" and the
words of pyargv there, mod_wsgi only "mod_wsgi". The script manila-wsgi, when
it runs as a program, passes the words after "--" (manila 22.0.2 wsgi/wsgi.py
and cmd/*.py; uWSGI 2.0 plugins/python; pbr 6 packaging). By its first word
oslo.config decides which default files to read.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import enum
import os
import re
import shlex
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree

API = 'manila-api'
SHARE = 'manila-share'
MANAGE = 'manila-manage'

#: The services; each is also the name of a program.
SERVICES = (API, 'manila-scheduler', SHARE, 'manila-data')


class ServerKind(str, enum.Enum):
    """The kind of server that runs a service."""

    PROGRAM = 'program'
    """The service's own program; manila-api has a built-in server."""

    SCRIPT = 'script'
    """The script manila-wsgi, in a web server."""

    APPLICATION = 'application'
    """manila.wsgi.api:application, or a file of the site's own that loads
    it, in a web server."""


class ServiceCommand(NamedTuple):
    """A command line that starts a service of manila."""

    service: str
    """The name of its program: 'manila-share'."""

    kind: ServerKind

    prog: str
    """The name of the program for oslo.config: 'uwsgi'."""

    arguments: tuple[str, ...] = ()
    """The words that oslo.config parses."""

    files: tuple[str, ...] = ()
    """The files of a web server that it names; they may have more words."""


_MODULES = {
    'manila.cmd.api': API,
    'manila.cmd.scheduler': 'manila-scheduler',
    'manila.cmd.share': SHARE,
    'manila.cmd.data': 'manila-data',
}
_SERVERS = (
    'apache2',
    'gunicorn',
    'httpd',
    'pyuwsgi',
    'uwsgi',
    'waitress',
)
# Programs that run the program that a later word names.
_WRAPPERS = (
    'bash',
    'chpst',
    'dash',
    'dumb-init',
    'env',
    'ionice',
    'nice',
    'opentelemetry-instrument',
    'runuser',
    'setpriv',
    'sh',
    'start-stop-daemon',
    'strace',
    'su',
    'sudo',
    'taskset',
    'timeout',
    'tini',
)
# Options of the interpreter that take the next word.
_WITH_WORD = ('-W', '-X', '--check-hash-based-pycs')

_WORD = re.compile(r'[^\s=\'"\0]+')
_SCRIPT = re.compile(r'/manila-wsgi\b')
_MOST_IN_A_PATH = 1 << 12
_UWSGI_FILE = re.compile(r'--?(?:ini|yaml|yml|xml|json)(?:-paste)?=?')


def split(text: str) -> list[str]:
    """Split a command into words as a shell does."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def of_words(
    words: Sequence[str],
    site: tree.Tree = tree.HOST,
    wrapped: bool = False,
) -> Optional[ServiceCommand]:
    """Return the service that a command line starts; None: none of manila's.

    :param words: the words of the command line.
    :param site: the file system of the machine.
    :param wrapped: whether the line belongs to a unit or a container, where
        another program may start the service.
    """
    if not words:
        return None
    name = os.path.basename(words[0].split(' ')[0]).rstrip(':')
    if name in SERVICES:
        # uWSGI can be configured to show such a name for its processes.
        if 'uWSGI' in words[0]:
            return None
        return ServiceCommand(name, ServerKind.PROGRAM, name, tuple(words[1:]))
    if name.startswith('python'):
        found = _of_python(words)
        if found is not None:
            return found
    elif not name.startswith((*_SERVERS, 'manila-wsgi')):
        return _of_wrapper(name, words, site) if wrapped else None
    kind = of_line(' '.join(words), site)
    return None if kind is None else _served(name, kind, words)


def _of_python(words: Sequence[str]) -> Optional[ServiceCommand]:
    """Return the service that an interpreter runs; None: none of manila's."""
    rest = list(words[1:])
    while rest and rest[0].startswith('-') and rest[0] != '-m':
        rest = rest[2:] if rest[0] in _WITH_WORD else rest[1:]
    if len(rest) > 1 and rest[0] == '-m':
        service = _MODULES.get(rest[1])
        # sys.argv[0] is the path of the module.
        prog = rest[1].rpartition('.')[2]
        rest = rest[1:]
    else:
        prog = os.path.basename(rest[0]) if rest else ''
        service = prog if prog in SERVICES else None
    if service is None:
        return None
    return ServiceCommand(service, ServerKind.PROGRAM, prog, tuple(rest[1:]))


def _of_wrapper(
    name: str, words: Sequence[str], site: tree.Tree
) -> Optional[ServiceCommand]:
    if name not in _WRAPPERS:
        return None
    rest = list(words[1:])
    if '-c' in rest and name in ('bash', 'dash', 'sh', 'su', 'runuser'):
        text = ''.join(rest[rest.index('-c') + 1 :][:1])
        rest = split(re.split(r'&&|;|\|\|', text)[-1])
    for place, word in enumerate(rest):
        base = os.path.basename(word)
        if (
            base in SERVICES
            or base.startswith(('python', 'manila-wsgi', *_SERVERS))
        ) and not word.startswith('-'):
            return of_words(rest[place:], site)
    return None


def _served(
    name: str, kind: ServerKind, words: Sequence[str]
) -> ServiceCommand:
    """Return the command of manila-api in a web server."""
    rest = list(words[1:])
    if 'uwsgi' in name:
        arguments: list[str] = []
        files: list[str] = []
        for place, word in enumerate(rest):
            found = _UWSGI_FILE.match(word)
            if word == '--pyargv':
                arguments = ' '.join(rest[place + 1 : place + 2]).split()
            elif word.startswith('--pyargv='):
                arguments = word.partition('=')[2].split()
            elif found is not None:
                files += (
                    [word[found.end() :]]
                    if '=' in found[0]
                    else (rest[place + 1 : place + 2])
                )
            elif word.endswith(('.ini', '.yaml', '.yml', '.xml', '.json')):
                files.append(word)
        return ServiceCommand(
            API, kind, 'uwsgi', tuple(arguments), tuple(dict.fromkeys(files))
        )
    script = [
        place
        for place, word in enumerate(words)
        if os.path.basename(word) == 'manila-wsgi'
    ]
    if script and not name.startswith(('apache', 'httpd', 'gunicorn')):
        after = list(words[script[0] + 1 :])
        passed = after[after.index('--') + 1 :] if '--' in after else []
        return ServiceCommand(API, kind, 'manila-wsgi', tuple(passed))
    prog = 'mod_wsgi' if name.startswith(('apache', 'httpd')) else name
    return ServiceCommand(API, kind, prog)


def of_line(line: str, site: tree.Tree) -> Optional[ServerKind]:
    """Return what a line of a web server's file loads of manila-api."""
    # NOTE: word by word, because one pattern for the path would take
    # quadratic time for a line of slashes.
    words = _WORD.findall(line) if 'manila' in line else []
    for word in words:
        start = word.find('/')
        ends = [found.end() for found in _SCRIPT.finditer(word, start + 1)]
        if not ends or ends[-1] - start > _MOST_IN_A_PATH:
            continue
        # Resolve links: a link breaks when the package is removed, but a copy
        # of the script elsewhere stays.
        real = site.realpath(word[start : ends[-1]])
        if os.path.basename(os.path.dirname(real)) == 'bin':
            return ServerKind.SCRIPT
    if any('wsgi' in word.partition('manila')[2] for word in words):
        return ServerKind.APPLICATION
    return None


class Locations(NamedTuple):
    """The configuration files that the arguments of a service name."""

    given: tuple[str, ...]
    """The files and directories, in order."""

    files: bool
    """Whether the default files are not read."""

    directories: bool
    """Whether the default directories are not read."""


def locations(arguments: Sequence[str]) -> Locations:
    """Return the configuration files and directories that arguments name.

    With --config-file oslo.config omits its default files, and with
    --config-dir its default directories; the other defaults are still read,
    before those named (oslo.config 10.7 cfg.py, _parse_config_files). For
    this it looks for the complete option, while argparse accepts
    abbreviations, too.
    """
    found: list[str] = []
    exact = set()
    for flag, value, whole in _flags(arguments):
        found.append(value)
        if whole:
            exact.add(flag)
    return Locations(
        tuple(found), '--config-file' in exact, '--config-dir' in exact
    )


def _flags(arguments: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    words = iter(arguments)
    for word in words:
        if word == '--':
            return
        name, equals, value = word.partition('=')
        if not name.startswith('--config-'):
            continue
        for flag in ('--config-file', '--config-dir'):
            if flag.startswith(name) and name != '--config-':
                if not equals:
                    value = next(words, '')
                if value:
                    yield flag, value, name == flag
