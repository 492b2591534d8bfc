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

"""The names of machines in a site's sources, so that reports can hide them.

A report for a vendor must not contain them. Only the sources have all the
names: the message of a check may contain one that its data do not.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import re
import socket
from urllib import parse

from manila_precheck import exceptions
from manila_precheck import service_host
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree

# Options that name a machine: host, my_ip, netapp_server_hostname,
# isilon_..._ip, memcached_servers, ..._endpoint, auth_url; but not
# driver_handles_share_servers.
_OPTION = re.compile(
    r'(^|(?<!handles_share)_)(hosts?|hostname|ips?|address|addresses|servers?|endpoints?|listen'
    r'|portal|vip|fqdn|url|uri|connection)$'
)
_WORD = re.compile(r'[^\s,;]+')
# What hostname(7) permits.
_NAME = re.compile(r'[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})')
_MAX_NAME_BYTES = 1024

_PORT = re.compile(r':\d+$')

# Names that do not identify a site.
_COMMON = frozenset({'localhost', '127.0.0.1', '::', '::1', 'manila', 'none'})

# Tables whose column host is HOST@BACKEND#POOL.
_TABLES = ('services', 'share_instances', 'share_servers', 'share_groups')


def of_machine(machine: tree.Tree = tree.HOST) -> set[str]:
    """Return the names of a machine."""
    if machine.is_host:
        return _sound({socket.gethostname(), socket.getfqdn()})
    return without_resolver(machine)


def without_resolver(machine: tree.Tree = tree.HOST) -> set[str]:
    """Return the names that a machine knows without asking a resolver."""
    name = host_name(machine)
    return _sound({name, name.partition('.')[0]})


def host_name(machine: tree.Tree) -> str:
    """Return the name of a machine; '' when its bundle does not have it."""
    if machine.is_host:
        return socket.gethostname()
    # The last one is sos's output of the command "hostname -f".
    for path in ('/etc/hostname', '/hostname', '/sos_commands/host/hostname'):
        try:
            data = text_file.read(path, _MAX_NAME_BYTES, site=machine)
        except exceptions.SourceUnusable:
            continue
        found = _NAME.fullmatch(data.decode('ascii', 'replace').strip())
        if found:
            return found[0]
    # The name of the host, when this is a container's file system.
    outer = getattr(machine, 'outer', None)
    return '' if outer is None else host_name(outer)


def of_config(files: config_files.ConfigFiles) -> set[str]:
    """Return the machines that a configuration names."""
    return of_settings(files.settings)


def of_settings(settings: Iterable[config_files.Setting]) -> set[str]:
    """Return the machines that these lines of a configuration name."""
    found: set[str] = set()
    for setting in settings:
        if _OPTION.search(setting.name.lower()):
            # Words such as 'rabbitmq' and 'keystone' do not identify a site,
            # and are part of every report.
            found.update(h for h in _hosts(setting.value) if not h.isalpha())
        if (setting.group, setting.name) == ('DEFAULT', 'host'):
            found.add(setting.value)
    return _sound(found)


def of_database(db: connection.Database) -> tuple[set[str], list[str]]:
    """Return the machines that own rows, and the errors of reading.

    :returns: names; and for each table that could not be read (completely),
        why.
    """
    import sqlalchemy

    found: set[str] = set()
    unread: list[str] = []
    for name in _TABLES:
        try:
            if not db.has_column(name, 'host'):
                continue
            column = db.table(name, 'host').c.host
            statement = sqlalchemy.select(column).distinct()
            for row in db.rows(statement, about=f'table {name}'):
                host = str(row.host or '')
                found.add(service_host.parse(host).controller)
        except exceptions.PrecheckError as exc:
            unread.append(str(exc))
    return _sound(found), unread


def _hosts(value: str) -> Iterator[str]:
    for word in _WORD.findall(value.replace("'", ' ').replace('"', ' ')):
        if '://' in word:
            # transport_url may hold several, which _WORD has split.
            word = word.partition('://')[2]
        word = word.rpartition('@')[2]
        word = re.split(r'[/?#]', word, maxsplit=1)[0]
        if word.startswith('['):
            yield word[1:].partition(']')[0]
        else:
            yield parse.unquote(_PORT.sub('', word))


def _sound(names: Iterable[str]) -> set[str]:
    """Drop texts that are not names, or do not identify a site."""
    return {
        name
        for name in names
        if len(name) > 1
        and name.lower() not in _COMMON
        and name.strip('0.')
        and not name.isdigit()
        and not name.startswith(('$', '%'))
    }
