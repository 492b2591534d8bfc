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
"""The broker: its hosts, the login, the virtual host and the queues."""

import base64
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import json
import re
import ssl
import struct
from typing import Any
from typing import NamedTuple
from typing import Optional
import urllib.parse

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.checks.service_connections import amqp
from manila_precheck.checks.service_connections import lines
from manila_precheck.checks.service_connections import rabbitmqctl
from manila_precheck.engine import broker_words
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import service_urls

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO

_RABBIT = service_urls.RABBIT
_PORT = 5672
_MANAGEMENT = 15672

_TOPICS = ('manila-data', 'manila-scheduler', 'manila-share')


class BrokerHost(NamedTuple):
    """One host of a transport URL."""

    name: str
    port: int
    login: amqp.Login

    @property
    def shown(self) -> str:
        """The host and the port for a message."""
        return f'{self.name}:{self.port}'


class ReachedBroker(NamedTuple):
    """The broker of one transport URL, and how to connect to it."""

    group: str
    line: Optional[config_files.Setting]
    hosts: tuple[BrokerHost, ...]
    tls: Optional[ssl.SSLContext]
    queues: tuple[str, ...]
    """The queues of the services there; empty if no service listens."""
    options: service_urls.RabbitOptions


class HostOutcome(NamedTuple):
    """The result of asking one host."""

    refused: str = ''
    """Why it cannot be used; '' if it can."""

    queues: tuple[str, ...] = ()
    """The queues that exist."""

    steps: tuple[model.Remediation, ...] = ()

    address: str = ''
    """The IP address that was reached."""


def hosts(url: str, mechanism: str) -> tuple[BrokerHost, ...]:
    """Return the hosts of a transport URL as oslo.messaging parses it."""
    scheme, mark, rest = url.partition('://')
    if not mark or scheme.partition('+')[0] not in ('rabbit', 'kombu'):
        return ()
    netloc, _, path = rest.partition('?')[0].partition('/')
    virtual_host = urllib.parse.unquote(path) or '/'
    found: list[BrokerHost] = []
    user, password = 'guest', 'guest'
    for one in netloc.split(','):
        login, at, place = one.rpartition('@')
        if at:
            user, _, password = login.partition(':')
            user = urllib.parse.unquote(user)
            password = urllib.parse.unquote(password)
        name, port = _place(place.strip())
        found.append(
            BrokerHost(
                name,
                port,
                amqp.Login(user, password, virtual_host, mechanism),
            )
        )
    return tuple(found)


def _place(text: str) -> tuple[str, int]:
    name, colon, port = text.rpartition(':')
    if text.endswith(']') or not colon:
        name, port = text, ''
    name = name.strip('[]') or 'localhost'
    return name, int(port) if port.isdigit() else _PORT


def brokers(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> tuple[ReachedBroker, ...]:
    """Return the brokers that the services use, each once."""
    found: dict[tuple[object, ...], ReachedBroker] = {}
    for service in services:
        reader = service.view.reader(ctx.upgrade.target)
        for group in ('DEFAULT', 'oslo_messaging_notifications'):
            lines_ = service.view.config.effective([(group, 'transport_url')])
            if not lines_ or '$' in lines_[-1].value:
                continue
            options = service_urls.RabbitOptions(reader, lines_[-1].value)
            listed = hosts(
                lines_[-1].value, options.text('rabbit_login_method')
            )
            key = (group, listed, options.is_on('ssl'))
            if not listed or key in found:
                continue
            found[key] = ReachedBroker(
                group,
                lines_[-1],
                listed,
                _tls(options, reader.release),
                _queues(ctx) if group == 'DEFAULT' else (),
                options,
            )
    return tuple(found.values())


def _tls(
    options: service_urls.RabbitOptions, release: releases.Release
) -> Optional[ssl.SSLContext]:
    """Return the TLS context of oslo.messaging; None without TLS."""
    if not options.is_on('ssl'):
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # check_hostname must be off before verification can be turned off.
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    authority = options.text('ssl_ca_file')
    cert, key = (options.text(f'ssl_{name}_file') for name in ('cert', 'key'))
    try:
        if authority:
            made.load_verify_locations(authority)
            made.verify_mode = ssl.CERT_REQUIRED
            made.check_hostname = options.is_on(
                'ssl_enforce_hostname_verification'
            ) or behaviours.has('broker-name-compared', release)
        if cert:
            made.load_cert_chain(cert, key or None, lambda: b'')
    except (OSError, ssl.SSLError, ValueError):
        # service-startup reports a missing file.
        pass
    version = {
        'tlsv1': ssl.TLSVersion.TLSv1,
        'tlsv1_1': ssl.TLSVersion.TLSv1_1,
        'tlsv1_2': ssl.TLSVersion.TLSv1_2,
    }.get(options.text('ssl_version').lower())
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


def _queues(ctx: context.Context) -> tuple[str, ...]:
    """Return the queues of the services, including those of this host."""
    found = list(_TOPICS)
    host = ctx.config.value('DEFAULT', 'host')
    if host and '$' not in host:
        found += [f'{topic}.{host}' for topic in _TOPICS[:2]]
        found += [
            f'manila-share.{host}@{backend.name}'
            for backend in ctx.config.backends
            if backend.source is not None
        ]
    return tuple(found)


# -- the queries -------------------------------------------------------------


def questions(
    broker: ReachedBroker,
) -> Iterable[Callable[[float], HostOutcome]]:
    """Return a function for each host that queries it."""
    return [_question(broker, host) for host in broker.hosts]


def _question(
    broker: ReachedBroker, host: BrokerHost
) -> Callable[[float], HostOutcome]:
    return lambda until: _ask(broker, host, until)


def _ask(broker: ReachedBroker, host: BrokerHost, until: float) -> HostOutcome:
    user, vhost = host.login.user, host.login.virtual_host
    try:
        line = lines.Line(host.name, host.port, until, broker.tls)
        try:
            address = line.address
            session = amqp.BrokerSession(line, host.login)
            there = [q for q in broker.queues if session.has_queue(q)]
            session.end()
        finally:
            line.close()
    except lines.NoAnswer as exc:
        return HostOutcome(str(exc), steps=_reachable(broker, host))
    except (struct.error, IndexError, UnicodeError):
        return HostOutcome(
            'it does not answer like RabbitMQ', steps=_reachable(broker, host)
        )
    except amqp.BrokerRefused as exc:
        if exc.code == 403 and 'vhost' not in str(exc):
            return HostOutcome(
                f'it refuses the login of {user} (ACCESS_REFUSED)',
                steps=(
                    model.command(
                        'rabbitmqctl authenticate_user {} <password>', user
                    ),
                ),
            )
        if 'not found' in str(exc):
            return HostOutcome(
                f'it has no virtual host {vhost}',
                steps=(model.command('rabbitmqctl add_vhost {}', vhost),),
            )
        return HostOutcome(
            f'it refuses {user} the virtual host {vhost} ({exc.code})',
            steps=(
                model.command(
                    "rabbitmqctl set_permissions -p {} {} '.*' '.*' '.*'",
                    vhost,
                    user,
                ),
            ),
        )
    return HostOutcome(queues=tuple(there), address=address)


def _reachable(
    broker: ReachedBroker, host: BrokerHost
) -> tuple[model.Remediation, ...]:
    del broker
    return (
        model.advice(
            'Make sure that RabbitMQ runs, and listens on the address and '
            'port of the URL, with the same TLS settings:'
        ),
        model.command('nc -vz {} {}', host.name, host.port),
    )


def findings(
    ctx: context.Context,
    broker: ReachedBroker,
    answers: list[Optional[HostOutcome]],
    until: float,
) -> Iterator[model.Finding]:
    """Yield findings about the answers of the hosts of a broker.

    :param until: the time at which rabbitmqctl must have finished.
    """
    seen = [
        one or HostOutcome('it does not answer in time') for one in answers
    ]
    bad = [(host, one) for host, one in zip(broker.hosts, seen) if one.refused]
    of_requests = broker.group == 'DEFAULT'
    for host, one in bad:
        if len(bad) == len(seen) and of_requests:
            severity = _FAILURE
            effect = (
                'the services start, but never become up and receive no '
                'requests'
            )
        elif of_requests:
            severity = _WARNING
            effect = 'the services use the other hosts of the URL'
        else:
            severity = _WARNING
            effect = 'no notifications are sent there'
        yield model.Finding(
            severity,
            config_files.subject(
                'option',
                f'{broker.group}/transport_url',
                broker.line,
            )._replace(name=f'{broker.group}/transport_url/{host.shown}'),
            f'[{broker.group}] transport_url, {host.shown}: {one.refused}; '
            f'{effect}',
            one.steps,
            aspect='broker',
        )
    good = [
        (host, one)
        for host, one in zip(broker.hosts, seen)
        if not one.refused and one.queues
    ]
    if good and of_requests:
        yield from _properties(ctx, broker, *good[0], until)
    if of_requests:
        for host, one in zip(broker.hosts, seen):
            if one.address and not one.refused:
                yield from _permissions(ctx, broker, host, one, until)
                break


# -- the permissions of the user ---------------------------------------------


def _permissions(
    ctx: context.Context,
    broker: ReachedBroker,
    host: BrokerHost,
    seen: HostOutcome,
    until: float,
) -> Iterator[model.Finding]:
    """Yield that the user may not use the exchanges and queues of manila.

    AMQP shows it only to those who declare something. The services declare,
    write to and read each of these.
    """
    user, vhost = host.login.user, host.login.virtual_host
    rows = rabbitmqctl.listed(
        seen.address, ['list_permissions', '-p', vhost], until
    )
    names = (
        ctx.reader(ctx.upgrade.target).text('DEFAULT', 'control_exchange'),
        'manila-scheduler',
        'manila-scheduler_fanout',
    )
    for row in rows or ():
        if not isinstance(row, dict) or row.get('user') != user:
            continue
        for what in ('configure', 'write', 'read'):
            # RabbitMQ takes an empty pattern for '^$'.
            pattern = str(row.get(what) or '^$')
            gone = [name for name in names if not _matches(pattern, name)]
            if not gone:
                continue
            if not rabbitmqctl.listens(seen.address, host.port, until):
                return
            yield model.Finding(
                _FAILURE,
                config_files.subject(
                    'option', f'{broker.group}/transport_url', broker.line
                )._replace(name=f'{broker.group}/transport_url/{host.shown}'),
                f'[{broker.group}] transport_url, {host.shown}: {user} has no '
                f'permission to {what} {gone[0]} in the virtual host {vhost} '
                f'(its pattern is {pattern!r}); the services start, but '
                'never become up and receive no requests (ACCESS_REFUSED)',
                (
                    model.command(
                        "rabbitmqctl set_permissions -p {} {} '.*' '.*' '.*'",
                        vhost,
                        user,
                    ),
                ),
                aspect='permissions',
            )
            return


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        # It is a pattern of Erlang, which may know more.
        return True


# -- the properties of queues ------------------------------------------------


class _Queue(NamedTuple):
    """The properties with which a queue was declared."""

    name: str
    kind: str
    durable: bool
    auto_delete: bool
    arguments: dict[str, Any]


_QUORUM = {
    'rabbit_quorum_delivery_limit': 'x-delivery-limit',
    'rabbit_quorum_max_memory_length': 'x-max-in-memory-length',
    'rabbit_quorum_max_memory_bytes': 'x-max-in-memory-bytes',
}


def _properties(
    ctx: context.Context,
    broker: ReachedBroker,
    host: BrokerHost,
    seen: HostOutcome,
    until: float,
) -> Iterator[model.Finding]:
    """Yield options that do not match the properties of existing queues."""
    reader = ctx.reader(ctx.upgrade.target)
    known = _known(broker, host, seen, until)
    if known is None:
        if any(
            line.value and reader.of(line).read
            for name in ('rabbit_quorum_queue', 'amqp_durable_queues')
            for line in ctx.config.effective([(_RABBIT, name)])
        ):
            yield model.Finding(
                _INFO,
                model.Subject('broker', host.shown),
                f'{", ".join(seen.queues)} are there in the virtual host '
                f'{host.login.virtual_host} of {host.shown}; AMQP does not '
                'tell of which type they are, and neither rabbitmqctl nor '
                'the management plugin could be asked: whether '
                'rabbit_quorum_queue and amqp_durable_queues match them was '
                'not checked',
                (
                    model.command(
                        'rabbitmqctl list_queues -p {} name type durable '
                        'auto_delete arguments',
                        host.login.virtual_host,
                    ),
                ),
                aspect='queues',
            )
        return
    for name, says, severity, queues in _differences(broker.options, known):
        lines_ = ctx.config.effective([(_RABBIT, name)])
        effect = (
            broker_words.PRECONDITION
            if severity is _FAILURE
            else broker_words.DURABLE_LATER
        )
        yield model.Finding(
            severity,
            config_files.subject(
                'option', f'{_RABBIT}/{name}', lines_[-1] if lines_ else None
            ),
            f'[{_RABBIT}] {name} {says} {", ".join(queues)} on {host.shown}, '
            f'virtual host {host.login.virtual_host}: {effect}',
            (
                model.advice(broker_words.REMEDY),
                *(
                    model.command(
                        'rabbitmqctl delete_queue -p {} {}',
                        host.login.virtual_host,
                        queue,
                    )
                    for queue in queues
                ),
            ),
            aspect='queues',
        )


def _differences(
    options: service_urls.RabbitOptions, known: list[_Queue]
) -> Iterator[tuple[str, str, model.Severity, list[str]]]:
    quorum = options.is_on('rabbit_quorum_queue')
    other = [q.name for q in known if (q.kind == 'quorum') != quorum]
    if other:
        is_one = 'quorum' if not quorum else 'classic'
        yield (
            'rabbit_quorum_queue',
            f'is {quorum}, and these are {is_one} queues:',
            _FAILURE,
            other,
        )
        return
    if quorum:
        for name, argument in _QUORUM.items():
            text = options.text(name)
            want = int(text) if text.isdigit() else 0
            differ = [
                q.name for q in known if q.arguments.get(argument, 0) != want
            ]
            if differ:
                yield (
                    name,
                    f'is {want}, and these have another {argument}:',
                    _FAILURE,
                    differ,
                )
        return
    for name, of in (
        ('amqp_durable_queues', 'durable'),
        ('amqp_auto_delete', 'auto_delete'),
    ):
        want = options.is_on(name)
        differ = [q.name for q in known if getattr(q, of) != want]
        if differ:
            # The services can go on using a queue that is not durable.
            lasts = of == 'durable' and want
            yield (
                name,
                f'is {want}, and these are {"" if not want else "not "}{of}:',
                _WARNING if lasts else _FAILURE,
                differ,
            )


def _known(
    broker: ReachedBroker, host: BrokerHost, seen: HostOutcome, until: float
) -> Optional[list[_Queue]]:
    """Return the properties of the queues; None if they are not known."""
    # Run in a thread, because resolving the name has no time limit.
    (rows,) = lines.Probes[Optional[list[Any]]]().ask(
        [lambda limit: _by_management(broker, host, limit)]
    )
    rows = rows or _by_command(host, seen.address, until)
    if rows is None:
        return None
    found = [
        _Queue(
            str(row.get('name')),
            str(row.get('type') or 'classic').rpartition('.')[2],
            row.get('durable') is True,
            row.get('auto_delete') is True,
            row['arguments'] if isinstance(row.get('arguments'), dict) else {},
        )
        for row in rows
        if isinstance(row, dict) and row.get('name') in seen.queues
    ]
    return found or None


def _by_management(
    broker: ReachedBroker, host: BrokerHost, until: float
) -> Optional[list[Any]]:
    """Return the queues from the management plugin; None if it fails."""
    login = host.login
    vhost = urllib.parse.quote(login.virtual_host, safe='')
    credentials = base64.b64encode(f'{login.user}:{login.password}'.encode())
    if broker.tls is not None:
        # The password would be sent to a port without TLS.
        return None
    try:
        status, body = lines.get(
            host.name,
            _MANAGEMENT,
            f'/api/queues/{vhost}'
            '?columns=name,type,durable,auto_delete,arguments',
            until,
            headers=f'Authorization: Basic {credentials.decode()}\r\n',
        )
        rows = json.loads(body) if status == 200 else None
    except (lines.NoAnswer, ValueError, RecursionError):
        return None
    return rows if isinstance(rows, list) else None


def _by_command(
    host: BrokerHost, address: str, until: float
) -> Optional[list[Any]]:
    """Return the queues from rabbitmqctl, if the broker runs on this host."""
    rows = rabbitmqctl.listed(
        address,
        [
            'list_queues',
            '-p',
            host.login.virtual_host,
            'name',
            'type',
            'durable',
            'auto_delete',
            'arguments',
        ],
        until,
    )
    for row in rows or ():
        if isinstance(row, dict) and isinstance(row.get('arguments'), list):
            # Older versions list each argument as [name, type, value].
            row['arguments'] = {
                one[0]: one[-1]
                for one in row['arguments']
                if isinstance(one, list) and one
            }
    return rows
