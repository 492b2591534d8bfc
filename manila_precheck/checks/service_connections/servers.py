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
"""Keystone, memcached, the coordinator and the API itself."""

from collections.abc import Callable
from collections.abc import Iterator
import ipaddress
import socket
import ssl
import time
from typing import NamedTuple
from typing import Optional
import urllib.parse

from manila_precheck import model
from manila_precheck.catalog import middleware
from manila_precheck.checks.service_connections import lines
from manila_precheck.engine import api_filters
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import listeners

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING

LISTEN = 'listen'
STATISTICS = 'statistics'
#: A resolver that is slow now says nothing about the name.
RESOLVED = (LISTEN, STATISTICS)

_AUTHTOKEN = 'keystone_authtoken'
_COORDINATED = (commands.API, commands.SHARE, 'manila-scheduler')
# tooz 3.2.0 and 9.0.1 drivers/: the default ports of the drivers.
_PORTS = {
    'consul': 8500,
    'etcd3': 2379,
    'kazoo': 2181,
    'memcached': 11211,
    'mysql': 3306,
    'postgresql': 5432,
    'redis': 6379,
    'zookeeper': 2181,
}


class AskedServer(NamedTuple):
    """One server, how to query it, and what a failure means."""

    subject: model.Subject
    """The option or section that names it."""

    shown: str
    """The server in a message."""

    ask: Callable[[float], str]
    """Returns why the server cannot be used; '' if it can."""

    effect: str
    severity: model.Severity
    kind: str


def _option(name: str, line: Optional[config_files.Setting]) -> model.Subject:
    return config_files.subject('option', name, line)


def _server(text: str, port: int) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(text if '//' in text else f'//{text}')
    try:
        return parts.hostname or 'localhost', parts.port or port
    except ValueError:
        return parts.hostname or 'localhost', port


def _apis(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[tuple[config_reader.Reader, config_files.ConfigFiles]]:
    """Yield the target's reader and the files of each manila-api."""
    for service in services:
        if service.name == commands.API:
            yield service.view.reader(ctx.upgrade.target), service.view.config


# -- Keystone ----------------------------------------------------------------


def keystone(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the Keystone that validates tokens for each manila-api."""
    seen = set()
    for reader, conf in _apis(ctx, services):
        if reader.text('DEFAULT', 'auth_strategy') not in ('', 'keystone'):
            continue
        section = conf.auth_section(_AUTHTOKEN)
        found = conf.effective([(section, 'auth_url')])
        url = conf.value(section, 'auth_url') or ''
        if not found or not url or '$' in url or url in seen:
            continue
        seen.add(url)
        secured = _tls(reader, section)

        def ask(
            until: float,
            url: str = url,
            secured: Optional[ssl.SSLContext] = secured,
        ) -> str:
            return _discover(url, secured, until)

        yield AskedServer(
            _option(f'{section}/auth_url', found[-1]),
            f'[{section}] auth_url, {_without_login(url)}',
            ask,
            'manila-api cannot validate tokens, and every request fails',
            _FAILURE,
            'keystone',
        )


def _without_login(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    netloc = parts.netloc.rpartition('@')[2]
    return urllib.parse.urlunsplit((parts.scheme, netloc, parts.path, '', ''))


def _tls(
    reader: config_reader.Reader, section: str
) -> Optional[ssl.SSLContext]:
    """Return the TLS context for Keystone; None if a file is unusable."""
    if reader.is_on(section, 'insecure'):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made
    try:
        return ssl.create_default_context(
            cafile=reader.text(section, 'cafile') or None
        )
    except (OSError, ssl.SSLError):
        # service-startup reports the file.
        return None


def _discover(
    url: str, secured: Optional[ssl.SSLContext], until: float
) -> str:
    parts = urllib.parse.urlsplit(url)
    over_tls = parts.scheme == 'https'
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        return 'it is not an HTTP URL'
    if over_tls and secured is None:
        return ''
    host, port = _server(url, 443 if over_tls else 80)
    try:
        status, body = lines.get(
            host, port, parts.path, until, secured if over_tls else None
        )
    except lines.NoAnswer as exc:
        return str(exc)
    if status >= 500:
        return f'it answers {status}'
    if status not in (200, 300) or b'version' not in body:
        if status in (301, 302, 307, 308, 401, 403):
            # Keystone may be behind the redirect or the login.
            return ''
        return f'it answers {status}, but not with the versions of Keystone'
    return ''


# -- memcached ---------------------------------------------------------------


def memcached(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the servers that cache tokens."""
    seen = set()
    for reader, conf in _apis(ctx, services):
        try:
            servers = reader.get(_AUTHTOKEN, 'memcached_servers') or []
        except config_reader.Refused:
            continue
        if reader.is_on(_AUTHTOKEN, 'memcache_tls_enabled'):
            continue
        found = conf.effective(
            [
                (_AUTHTOKEN, 'memcached_servers'),
                (_AUTHTOKEN, 'memcache_servers'),
            ]
        )
        for one in map(str, servers):
            if one in seen or one.startswith('unix:'):
                continue
            seen.add(one)
            plain = one.removeprefix('inet:').removeprefix('inet6:')

            def ask(until: float, plain: str = plain) -> str:
                return _version(*_server(plain, 11211), until)

            yield AskedServer(
                _option(
                    f'{_AUTHTOKEN}/memcached_servers/{plain}',
                    found[-1] if found else None,
                ),
                f'[{_AUTHTOKEN}] memcached_servers, {plain}',
                ask,
                'tokens are not cached there, and requests wait until it '
                'times out',
                _WARNING,
                'memcached',
            )


def _version(
    host: str,
    port: int,
    until: float,
) -> str:
    try:
        line = lines.Line(host, port, until)
        try:
            line.send(b'version\r\n')
            found = line.exactly(8)
        finally:
            line.close()
    except lines.NoAnswer as exc:
        return str(exc)
    return '' if found == b'VERSION ' else 'it does not answer like memcached'


# -- the coordinator ---------------------------------------------------------


def coordinator(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the servers of the coordinator, which keeps the locks."""
    seen = set()
    for service in services:
        if service.name not in _COORDINATED:
            continue
        conf = service.view.config
        url = conf.value('coordination', 'backend_url') or ''
        found = conf.effective([('coordination', 'backend_url')])
        scheme = url.partition('://')[0].lower()
        port = _PORTS.get(scheme.partition('+')[0])
        if port is None or '$' in url or url in seen:
            continue
        seen.add(url)
        try:
            netloc = urllib.parse.urlsplit(url).netloc.rpartition('@')[2]
        except ValueError:
            # config-options reports it.
            continue
        for one in netloc.split(','):
            host, at = _server(one, port)

            def ask(
                until: float, url: str = url, host: str = host, at: int = at
            ) -> str:
                return _coordinates(url, host, at, until)

            alone = ',' not in netloc
            yield AskedServer(
                _option(f'coordination/backend_url/{host}:{at}', found[-1]),
                f'[coordination] backend_url, {scheme} at {host}:{at}',
                ask,
                'manila-api, manila-scheduler and manila-share do not start'
                if alone
                else 'the coordination cluster has one member fewer',
                _FAILURE if alone else _WARNING,
                'coordinator',
            )


def _coordinates(url: str, host: str, port: int, until: float) -> str:
    """Return why a coordinator cannot be used; '' if it answers."""
    parts = urllib.parse.urlsplit(url)
    given = {
        name: values[-1]
        for name, values in urllib.parse.parse_qs(parts.query).items()
    }
    driver = parts.scheme.lower()
    try:
        secured = _tls_of_coordinator(driver, given)
    except (OSError, ssl.SSLError):
        return 'its TLS files cannot be read'
    try:
        if driver.startswith('etcd3+'):
            status, _ = lines.get(host, port, '/version', until, secured)
            return f'it answers {status}' if status >= 500 else ''
        if driver == 'redis':
            return _pong(parts, host, port, until, secured)
        if driver == 'mysql':
            return _mysql(parts, given, port, until)
        if driver == 'postgresql':
            return _postgresql(parts, given, host, port, until)
        if driver == 'memcached' and 'use_ssl' not in given:
            return _version(host, port, until)
        lines.Line(host, port, until).close()
    except lines.NoAnswer as exc:
        return str(exc)
    return ''


# Options of tooz for TLS: the switch ('' if the scheme implies TLS), the CA
# file, the certificate and the key (tooz 3.2.0 to 9.0.1 drivers/redis.py,
# etcd3gw.py).
_TLS_OPTIONS = {
    'etcd3+https': ('', 'ca_cert', 'cert_cert', 'cert_key'),
    'redis': ('ssl', 'ssl_ca_certs', 'ssl_certfile', 'ssl_keyfile'),
}
_ON = ('1', 't', 'true', 'on', 'y', 'yes')


def _tls_of_coordinator(
    driver: str, given: dict[str, str]
) -> Optional[ssl.SSLContext]:
    """Return the TLS context of tooz for a server; None without TLS.

    Without an option for the CA, the trusted CAs depend on the libraries of
    the services; any certificate is accepted then.

    :raises OSError, ssl.SSLError: when a file cannot be used.
    """
    if driver not in _TLS_OPTIONS:
        return None
    switch, ca, certificate, key = _TLS_OPTIONS[driver]
    if driver == 'redis' and 'sentinel' in given:
        switch = 'sentinel_ssl'
    if switch and given.get(switch, '').strip().lower() not in _ON:
        return None
    made = ssl.create_default_context(cafile=given.get(ca))
    # Not every driver compares the host name.
    made.check_hostname = False
    if ca not in given:
        made.verify_mode = ssl.CERT_NONE
    if certificate in given:
        made.load_cert_chain(given[certificate], given.get(key))
    return made


def _pong(
    url: urllib.parse.SplitResult,
    host: str,
    port: int,
    until: float,
    secured: Optional[ssl.SSLContext],
) -> str:
    login: list[str] = []
    if url.password and 'sentinel=' not in url.query:
        # tooz passes both to redis-py as they are in the URL.
        login = [*filter(None, [url.username]), url.password]
    line = lines.Line(host, port, until, secured)
    try:
        line.send(_redis('AUTH', *login) if login else b'PING\r\n')
        found = line.some()
    finally:
        line.close()
    if not found.startswith((b'+', b'-')):
        return 'it does not answer like Redis'
    if login and found.startswith((b'-WRONGPASS', b'-ERR invalid password')):
        # redis-py ignores that the server wants no password.
        return 'it rejects the login'
    if found.startswith(b'-NOAUTH') and 'sentinel=' not in url.query:
        return 'it requires a password'
    return ''


def _redis(*words: str) -> bytes:
    """Return a command in the protocol of Redis."""
    parts = [b'*%d\r\n' % len(words)]
    for word in map(str.encode, words):
        parts.append(b'$%d\r\n%s\r\n' % (len(word), word))
    return b''.join(parts)


def _limit(until: float) -> float:
    return max(0.1, min(lines.CONNECT_SECONDS, until - time.monotonic()))


def _mysql(
    url: urllib.parse.SplitResult,
    given: dict[str, str],
    port: int,
    until: float,
) -> str:
    """Log in as tooz does (3.2.0 to 9.0.1 drivers/mysql.py), and leave."""
    import pymysql

    secured = {
        name: given[f'ssl_{name}']
        for name in ('ca', 'capath', 'cert', 'key', 'cipher', 'verify_mode')
        if given.get(f'ssl_{name}')
    }
    try:
        pymysql.connect(
            host=url.hostname,
            port=port,
            user=url.username,
            password=url.password or '',
            database=url.path[1:],
            unix_socket=given.get('unix_socket'),
            ssl=secured or None,
            connect_timeout=_limit(until),
            read_timeout=_limit(until),
            write_timeout=_limit(until),
            autocommit=None,
        ).close()
    except pymysql.MySQLError as exc:
        cause = getattr(exc, 'original_exception', None)
        if cause is not None:
            return lines.reason(cause)
        return _REFUSALS.get(
            exc.args[0] if exc.args else 0, 'it rejects the connection'
        )
    except RuntimeError:
        # The login needs a library that only the services may have.
        return ''
    return ''


# Errors of MySQL and MariaDB.
_REFUSALS = {
    1044: 'the account may not use its database, or there is none',
    1045: 'it rejects the login',
    1049: 'it has no such database',
    1698: 'it rejects the login',
    2013: 'it does not answer in time',
}


def _postgresql(
    url: urllib.parse.SplitResult,
    given: dict[str, str],
    host: str,
    port: int,
    until: float,
) -> str:
    """Log in as tooz does (3.2.0 to 9.0.1 drivers/pgsql.py), and leave."""
    import sqlalchemy

    other = given.get('port', '')
    login = sqlalchemy.engine.URL.create(
        'postgresql+psycopg2',
        url.username,
        url.password,
        given.get('host') or url.hostname,
        int(other) if other.isdigit() else port,
        given.get('dbname') or url.path[1:],
    )
    try:
        engine = sqlalchemy.create_engine(
            login,
            # libpq takes no fraction.
            connect_args={'connect_timeout': max(2, int(_limit(until)))},
        )
    except ImportError:
        lines.Line(host, port, until).close()
        return ''
    try:
        engine.connect().close()
    except sqlalchemy.exc.DBAPIError as exc:
        # Errors of a login have no code.
        if 'FATAL' not in str(exc.orig):
            lines.Line(host, port, until).close()
        return 'it rejects the login or the name of the database'
    finally:
        engine.dispose()
    return ''


# -- the API -----------------------------------------------------------------


def statistics(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the hosts of statsd, for the resolver.

    The client resolves the name when the filter is loaded, to an address of
    IPv4, and then sends without waiting for an answer (statsd 3.3.0 and 4.0.1
    client/udp.py).
    """
    if all(service.name != commands.API for service in services):
        return
    loaded = api_filters.load(ctx, ctx.upgrade.target)
    if loaded is None:
        return
    for section in loaded.sections(middleware.STATS.specs):
        for value in section.values:
            host = value.text.strip()
            if value.name != 'stats_host' or {'$', '%'} & set(host):
                continue

            def ask(until: float, host: str = host) -> str:
                return _has_address(host)

            yield AskedServer(
                model.Subject(
                    'paste', section.title, ctx.paste.path, value.line
                ),
                f'[{section.title}] stats_host, {host}',
                ask,
                'manila-api does not start (socket.gaierror)',
                _FAILURE,
                STATISTICS,
            )


def _has_address(name: str) -> str:
    """Return why a name has no address of IPv4; '' if it has one."""
    try:
        socket.getaddrinfo(name, 0, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return 'the name cannot be resolved to an address of IPv4'
    return ''


def listen(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the name on which manila-api listens, for the resolver.

    service-startup judges an address in numbers, and at stage upgraded api()
    connects to it.
    """
    if ctx.stage is model.Stage.UPGRADED or not controller.serves_itself(ctx):
        return
    for service in services:
        if service.name != commands.API:
            continue
        found = service.view.config.effective(
            [('DEFAULT', 'osapi_share_listen')]
        )
        name = service.view.reader(ctx.upgrade.target).text(
            'DEFAULT', 'osapi_share_listen'
        )
        if not found or not name or '$' in name or _is_address(name):
            continue

        def ask(until: float, name: str = name) -> str:
            return _resolves_here(name)

        yield AskedServer(
            _option('DEFAULT/osapi_share_listen', found[-1]),
            f'[DEFAULT] osapi_share_listen, {name}',
            ask,
            'manila-api exits with 1',
            _FAILURE,
            LISTEN,
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _resolves_here(name: str) -> str:
    """Return why a socket cannot be bound to a name; '' if it can."""
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return 'the name cannot be resolved'
    # A link-local address has a scope, which has_address() does not know.
    addresses = [str(one[4][0]).partition('%')[0] for one in found]
    if any(listeners.has_address(one) is not False for one in addresses):
        return ''
    return (
        f'the name resolves to {addresses[0]}, which is not an address of '
        'this host'
    )


def api(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[AskedServer]:
    """Yield the address and port of manila-api, if the files set them."""
    if ctx.stage is not model.Stage.UPGRADED:
        return
    if not controller.serves_itself(ctx):
        return
    for service in services:
        if service.name != commands.API:
            continue
        reader = service.view.reader(ctx.upgrade.target)
        found = [
            line
            for name in ('osapi_share_listen', 'osapi_share_listen_port')
            for line in service.view.config.effective([('DEFAULT', name)])
        ]
        port = reader.text('DEFAULT', 'osapi_share_listen_port')
        host = reader.text('DEFAULT', 'osapi_share_listen')
        if not found or not port.isdigit():
            continue
        host = {'0.0.0.0': '127.0.0.1', '::': '::1', '': '127.0.0.1'}.get(  # noqa: S104
            host, host
        )
        secured = None
        if reader.is_on('DEFAULT', 'osapi_share_use_ssl'):
            secured = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            secured.check_hostname = False
            secured.verify_mode = ssl.CERT_NONE

        def ask(
            until: float,
            host: str = host,
            port: int = int(port),
            secured: Optional[ssl.SSLContext] = secured,
        ) -> str:
            try:
                status, _ = lines.get(host, port, '/', until, secured)
            except lines.NoAnswer as exc:
                # service-startup reports that nothing listens.
                return '' if 'refused' in str(exc) else str(exc)
            return f'it answers {status}' if status >= 500 else ''

        yield AskedServer(
            _option('DEFAULT/osapi_share_listen', found[0]),
            f'manila-api, {host} port {port}',
            ask,
            'manila-api does not serve',
            _FAILURE,
            'api',
        )


_STEPS = {
    'keystone': 'Make sure that Keystone runs, and that auth_url is its URL '
    'from this host:',
    'memcached': 'Start memcached there, or take the server out of the list:',
    'coordinator': 'Make sure that the server runs, that the URL points to '
    'it, and that it accepts the login in the URL:',
    LISTEN: 'Set it to an address of this host, or to 0.0.0.0 for all of '
    'them:',
    STATISTICS: 'Set it to the host of statsd, or take the filter out of the '
    'pipelines:',
    'api': 'Look at the log of manila-api:',
}


def finding(target: AskedServer, why: str) -> model.Finding:
    """Return the finding about a server that cannot be used."""
    return model.Finding(
        target.severity,
        target.subject,
        f'{target.shown}: {why}; {target.effect}',
        (model.advice(_STEPS[target.kind].rstrip(':') + '.'),),
        aspect=target.kind,
    )
