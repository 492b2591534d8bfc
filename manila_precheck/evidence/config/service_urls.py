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

"""The server that a URL of a database or a broker names, without the login."""

from typing import NamedTuple
from typing import Optional
import urllib.parse

from manila_precheck.evidence.config import config_reader

#: The section of the options of the RabbitMQ driver.
RABBIT = 'oslo_messaging_rabbit'

# RabbitMQ's default port (oslo.messaging 17.3.0 _drivers/impl_rabbit.py).
_PORT = '5672'
_PORTS = {'mysql': 3306, 'postgresql': 5432}


def database(text: object) -> Optional[str]:
    """Return the server and the database of a URL of SQLAlchemy.

    :returns: 'mysql at db1:3306, database manila'; None if it is not a URL.
    """
    from sqlalchemy import engine
    from sqlalchemy import exc

    try:
        url = engine.make_url(str(text))
    except (exc.ArgumentError, ValueError):
        return None
    kind = url.drivername.partition('+')[0].replace('mariadb', 'mysql')
    if kind == 'sqlite':
        return f'sqlite, {url.database or "in memory"}'
    query = url.query
    host = (
        (url.host or '').lower()
        or query.get('unix_socket')
        or query.get('host')
    )
    port = url.port or _PORTS.get(kind)
    where = f'{host or "localhost"}:{port}' if port else f'{host}'
    return f'{kind} at {where}, database {url.database or "without a name"}'


class Broker(NamedTuple):
    """The servers that a transport URL names."""

    scheme: str
    hosts: frozenset[str]
    """For example 'rabbit1:5672'."""
    virtual_host: str

    @property
    def names(self) -> frozenset[str]:
        """Return the hosts without their ports."""
        return frozenset(host.rpartition(':')[0] for host in self.hosts)

    def __str__(self) -> str:
        hosts = ', '.join(sorted(self.hosts))
        return f'{self.scheme} at {hosts}, virtual host {self.virtual_host}'


def broker(text: object) -> Broker:
    """Return the servers of a transport URL, as oslo.messaging reads it.

    :param text: 'rabbit://user:password@rabbit1,user:password@rabbit2/vhost'.
    """
    scheme, _, rest = str(text).partition('://')
    netloc, _, path = rest.partition('?')[0].partition('/')
    hosts = []
    for one in netloc.split(','):
        host = one.rpartition('@')[2].strip().lower() or 'localhost'
        bare = host.rpartition(']')[2]
        hosts.append(host if ':' in bare else f'{host}:{_PORT}')
    return Broker(
        scheme.partition('+')[0],
        frozenset(hosts),
        urllib.parse.unquote(path) or '/',
    )


def query_options(url: str) -> dict[str, str]:
    """Return the options in the query of a transport URL, by name."""
    query = url.partition('#')[0].partition('?')[2]
    return {
        name: ','.join(values)
        for name, values in urllib.parse.parse_qs(query).items()
    }


class RabbitOptions:
    """The options with which the RabbitMQ driver uses a transport URL.

    The query of the URL overrides the options of [oslo_messaging_rabbit]
    (oslo.messaging 14.0.0 to 17.3.0 _drivers/common.py, ConfigOptsProxy).

    :param reader: the configuration, as a release reads it.
    :param url: the value of transport_url.
    """

    def __init__(self, reader: config_reader.Reader, url: str) -> None:
        self._reader = reader
        self.in_query = query_options(url)
        """The options that the URL sets."""

    def text(self, name: str) -> str:
        """Return the value of an option; '' when it has none."""
        return self.in_query.get(name) or self._reader.text(RABBIT, name)

    def is_on(self, name: str) -> bool:
        """Say whether an option is true."""
        return self.text(name).lower() in ('true', '1', 'yes', 'on')
