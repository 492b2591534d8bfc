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
    """A server that the services talk to rejects them, or does not answer.

    On a host of the services (see ``service-startup``) the check sends the
    servers the requests that the services send, as long as these only read:

    - each host of ``transport_url``: RabbitMQ must accept the connection (with
      TLS if [oslo_messaging_rabbit] ``ssl`` is on, and with the names of the
      certificate if the target compares them), the login and the virtual host.
      The check looks for the queues of manila by passive declaration, which
      creates none. AMQP does not show the properties of queues: the check
      reads them from the management plugin or, if the broker is on this host
      and the command runs as root, with ``rabbitmqctl list_queues``, and
      compares them with ``rabbit_quorum_queue``, ``amqp_durable_queues`` and
      ``amqp_auto_delete``. With ``rabbitmqctl list_permissions`` it looks at
      the permissions of the user in the same case;
    - ``auth_url`` of [keystone_authtoken]: a GET, which Keystone must answer
      with its versions;
    - ``memcached_servers`` there: the command ``version``. The check reads
      both options as the token filter does, whose section of api-paste.ini
      overrides the configuration files;
    - the server of the coordinator's ``backend_url``: a login for MySQL,
      PostgreSQL and, if the URL has a password, Redis; else ``PING`` for
      Redis, ``version`` for etcd and memcached, only a connection for others;
      with TLS if the URL asks for it;
    - the resolver, if ``osapi_share_listen`` is a name: it must be that of an
      address of this host. Likewise for ``stats_host`` of StatsMiddleware,
      which must have an address;
    - at stage upgraded, the address and the port of manila-api: a GET.

    The check logs in to the broker and the coordinator only, and declares,
    creates, locks and consumes nothing. It asks all servers at once: a server
    has 3 seconds to accept a connection and 6 to answer, however slowly it
    talks, and all of them together have 20. With ``--no-network`` the check
    does not apply.

    FAILURE: no host of ``transport_url`` can be used; the user may not declare
    or use the queues of manila; queues have other properties than the services
    declare; Keystone or the coordinator does not answer, or the coordinator
    rejects the login; manila-api cannot listen, or does not serve. WARNING:
    one of several hosts, a memcached server, or a broker that only
    notifications use cannot be used.
    INFO: the queues exist, but their properties could not be read.

    Known false positives: a server is down while the upgrade is prepared; a
    firewall admits the account of the services but not the account of this
    run.
    """

    id = 'service-connections'
    title = 'Servers that the services talk to'
    stages = model.ALL_STAGES
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.PASTE})

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
                servers.statistics,
                servers.listen,
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
            if answer is None and target.kind in servers.RESOLVED:
                continue
            why = 'it does not answer in time' if answer is None else answer
            if why:
                yield servers.finding(target, str(why))
