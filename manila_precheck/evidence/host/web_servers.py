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

"""The lines of uWSGI's and Apache's files that load manila."""

from collections.abc import Iterator
import os
import re
from typing import NamedTuple

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import machine_files

# The paths of Debian, RHEL, SUSE, kolla, openstack-ansible and devstack.
_UWSGI = (
    '/etc/manila/*uwsgi*',
    '/etc/uwsgi/*.ini',
    '/etc/uwsgi/*/*.ini',
)
_APACHE = (
    '/etc/apache2/*-enabled/*.conf',
    '/etc/apache2/conf.d/*.conf',
    '/etc/apache2/vhosts.d/*.conf',
    '/etc/httpd/conf.d/*.conf',
    '/etc/httpd/conf/httpd.conf',
)


_UWSGI_LINE = re.compile(r'\s*-?\s*([\w-]+)\s*[=:]\s*(.*)')


class LoadingLine(NamedTuple):
    """A line that loads manila-api."""

    command: commands.ServiceCommand
    file: str
    line: int
    """Counted from 1."""

    path: str
    """The path by which the file can be opened."""


def loaded(site: tree.Tree) -> Iterator[LoadingLine]:
    """Yield every line that loads manila-api, by file.

    :param site: the file system of the machine.
    """
    for pattern in _APACHE:
        for path in site.glob(pattern):
            yield from _of_file(site, path, 'mod_wsgi')
    for pattern in _UWSGI:
        for path in site.glob(pattern):
            yield from _of_file(site, path, 'uwsgi')


def _of_file(site: tree.Tree, path: str, prog: str) -> Iterator[LoadingLine]:
    arguments: tuple[str, ...] = ()
    if prog == 'uwsgi':
        arguments = uwsgi_arguments(site, path)
    content = machine_files.text(site, path) or ''
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.partition('#')[0].partition(';')[0]
        name = text.partition('=')[0].strip()
        if prog == 'uwsgi' and name in ('pyargv', 'env', 'ini'):
            continue
        kind = commands.of_line(text, site)
        if kind is not None:
            yield LoadingLine(
                commands.ServiceCommand(commands.API, kind, prog, arguments),
                site.shown(path),
                number,
                path,
            )


def uwsgi_arguments(site: tree.Tree, path: str) -> tuple[str, ...]:
    """Return the words that a file of uWSGI puts into sys.argv.

    uWSGI splits them at blanks and does not know quotes; of several lines the
    last one counts (tried with 2.0.31).
    """
    found = [text for name, text in _uwsgi_lines(site, path, 'pyargv')]
    return tuple(found[-1].split()) if found else ()


def uwsgi_environment(site: tree.Tree, path: str) -> dict[str, str]:
    """Return the variables that a file of uWSGI sets; they may be secrets."""
    pairs = (
        text.partition('=') for _, text in _uwsgi_lines(site, path, 'env')
    )
    return {name.strip(): value for name, equals, value in pairs if equals}


def _uwsgi_lines(
    site: tree.Tree, path: str, wanted: str
) -> Iterator[tuple[str, str]]:
    """Yield the values of an option of an INI or YAML file."""
    for line in (machine_files.text(site, path) or '').splitlines():
        found = _UWSGI_LINE.match(line)
        if found is not None and found[1] == wanted:
            yield found[1], _placed(found[2].strip(), path)


def _placed(text: str, path: str) -> str:
    """Replace uWSGI's placeholders for the path of the file itself."""
    base = os.path.basename(path)
    for mark, value in (
        ('%p', path),
        ('%d', os.path.dirname(path) + '/'),
        ('%s', base),
        ('%n', base.rpartition('.')[0] or base),
    ):
        text = text.replace(mark, value)
    return text
