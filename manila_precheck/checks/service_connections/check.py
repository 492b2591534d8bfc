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
"""The check ``service-connections``."""

from collections.abc import Callable
from collections.abc import Iterator
import time
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.service_connections import broker
from manila_precheck.checks.service_connections import lines
from manila_precheck.checks.service_connections import servers
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import controller

# The most time that the check takes, even if servers are slow.
_ALL_SECONDS = 19.0

_Answer = Union[broker.HostOutcome, str]


class ServiceConnections(check.Check):
    """A server that the services talk to refuses them, or does not answer.

    On a host of the services (see ``service-startup``) the check asks what
    they ask, as far as that is only reading:

    - each host of ``transport_url``: RabbitMQ accepts the connection, with
      TLS where [oslo_messaging_rabbit] ``ssl`` is on and with the names of
      the certificate where the target compares them, the login and the
      virtual host; the queues of manila are looked for by passive
      declaration, which makes none. AMQP tells nothing of their properties:
      they are read from the management plugin, or with ``rabbitmqctl
      list_queues`` where the broker is on this host and the command runs as
      root, and compared with ``rabbit_quorum_queue``,
      ``amqp_durable_queues`` and ``amqp_auto_delete``;
    - ``auth_url`` of [keystone_authtoken]: a GET, answered with the versions
      of Keystone;
    - ``memcached_servers``: the command ``version``;
    - the server of the coordinator's ``backend_url``: ``PING`` of Redis,
      ``version`` of etcd and memcached, of others a connection; with TLS where
      the URL asks for it;
    - at stage upgraded, the address and the port of manila-api: a GET.

    Nothing is declared, created, consumed or logged in to but the broker.
    All are asked at once; a server gets 3 seconds to accept a connection and
    6 to answer, however slowly it talks, and all of them together 20.
    ``--no-network`` has the check not apply.

    FAILURE: every host of ``transport_url`` is of no use, queues have other
    properties than the services declare, Keystone or the coordinator does not
    answer, manila-api does not serve. WARNING: one host of several, or a
    server of memcached; a broker of notifications alone. INFO: the queues
    are there, and their properties could not be read.

    Known false positives: a server that is down while the upgrade is
    prepared, and a firewall that lets the account of the services through and
    not that of this run.
    """

    id = 'service-connections'
    title = 'Servers that the services talk to'
    stages = model.ALL_STAGES
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield findings about the answers of the servers."""
        until = time.monotonic() + _ALL_SECONDS
        controller.require(ctx)
        if ctx.options.no_network:
            raise exceptions.SourceNotApplicable('left out by --no-network')
        services = controller.services(ctx)
        brokers = broker.brokers(ctx, services)
        targets = [
            target
            for find in (
                servers.keystone,
                servers.memcached,
                servers.coordinator,
                servers.api,
            )
            for target in find(ctx, services)
        ]
        questions: list[Callable[[float], _Answer]] = [
            *(one for item in brokers for one in broker.questions(item)),
            *(target.ask for target in targets),
        ]
        answers = lines.Probes[_Answer]().ask(questions)
        for item in brokers:
            mine, answers = (
                answers[: len(item.hosts)],
                answers[len(item.hosts) :],
            )
            yield from broker.findings(
                ctx,
                item,
                [
                    one if isinstance(one, broker.HostOutcome) else None
                    for one in mine
                ],
                until,
            )
        for target, answer in zip(targets, answers):
            why = 'it does not answer in time' if answer is None else answer
            if why:
                yield servers.finding(target, str(why))
