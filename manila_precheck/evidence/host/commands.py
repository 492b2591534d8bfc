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

The programs call oslo.config with the words that follow their names. In a web
server it is called with what that server leaves in sys.argv: uWSGI puts
"uwsgi" and the words of pyargv there, mod_wsgi "mod_wsgi" alone, and the
script manila-wsgi, when it is run by itself, what stands behind "--" (manila
22.0.2 wsgi/wsgi.py and cmd/*.py; uWSGI 2.0 plugins/python; pbr 6 packaging).
The name in front decides which files are looked for.
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

#: The services, by the programs that have their names.
SERVICES = (API, 'manila-scheduler', SHARE, 'manila-data')


class ServerKind(str, enum.Enum):
    """What runs a service."""

    PROGRAM = 'program'
    """Its own program; for manila-api, with the server that is built in."""

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
    """What oslo.config takes for the name of the program: 'uwsgi'."""

    arguments: tuple[str, ...] = ()
    """The words that oslo.config is given."""

    files: tuple[str, ...] = ()
    """The files of a web server that it names, which may say more."""


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
# These run what a later word names.
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
# Options of the interpreter with a word of their own.
_WITH_WORD = ('-W', '-X', '--check-hash-based-pycs')

_WORD = re.compile(r'[^\s=\'"\0]+')
_SCRIPT = re.compile(r'/manila-wsgi\b')
_MOST_IN_A_PATH = 1 << 12
_UWSGI_FILE = re.compile(r'--?(?:ini|yaml|yml|xml|json)(?:-paste)?=?')


def split(text: str) -> list[str]:
    """Return the words of a command, as a shell takes them apart."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def of_words(
    words: Sequence[str],
    site: tree.Tree = tree.HOST,
    wrapped: bool = False,
) -> Optional[ServiceCommand]:
    """Return what a command line starts; None: no service of manila.

    :param words: of the command line.
    :param site: the file system of the machine.
    :param wrapped: the line is that of a unit or a container, where another
        program may start the service.
    """
    if not words:
        return None
    name = os.path.basename(words[0].split(' ')[0]).rstrip(':')
    if name in SERVICES:
        # uWSGI can be told to call itself so.
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
    """Return what an interpreter runs."""
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
    """Return manila-api in a web server."""
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
    """Return what of manila-api a line of a web server's loads."""
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
            return ServerKind.SCRIPT
    if any('wsgi' in word.partition('manila')[2] for word in words):
        return ServerKind.APPLICATION
    return None


class Locations(NamedTuple):
    """What the arguments of a service say of its configuration."""

    given: tuple[str, ...]
    """The files and directories, in order."""

    files: bool
    """The default files are not read."""

    directories: bool
    """The default directories are not read."""


def locations(arguments: Sequence[str]) -> Locations:
    """Return which files and directories arguments name.

    oslo.config leaves out its default files where it sees --config-file, and
    its default directories where it sees --config-dir; the other default is
    read still, before what is named (oslo.config 10.7 cfg.py,
    _parse_config_files). It looks for the whole word, while argparse takes
    the beginning of one too.
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
