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
"""The check ``service-startup``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.service_startup import backdoor
from manila_precheck.checks.service_startup import linked_files
from manila_precheck.checks.service_startup import listen
from manila_precheck.checks.service_startup import paths
from manila_precheck.checks.service_startup import server_numbers
from manila_precheck.checks.service_startup import tls
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.host import commands


class ServiceStartup(check.Check):
    """A file, port or permission on this host keeps a service from starting.

    On a host of the services the check examines what the services open when
    they start, as the account that runs them: the owner of their processes,
    else ``manila`` if that account exists. Processes, units and web servers
    show which services start here; if there are none, the check examines every
    service that the files configure.

    It examines the address, the port and the numbers of manila-api (such as
    ``tcp_keepidle``) if its built-in server is used; the ports of
    ``backdoor_port``, of which each process opens one; the certificate, key,
    CA file, version and ciphers of [ssl]; ``log_dir``, ``log_file`` and what
    logging rejects in the file of ``log_config_append``; the directories of
    ``lock_path``, ``state_path`` and the coordinator; the ``audit_map_file``
    of the pipeline, and the users of BasicAuthMiddleware in it; and every
    other option that names a file, a directory or a command, including those
    of the drivers that are enabled. It judges permissions by the mode of the
    path and of each directory above it. It does not read access control lists:
    a path that has one counts as usable.

    The check writes nothing and connects to nothing: it reads the listening
    sockets from ``/proc/net``. To find out whether an address belongs to this
    host, it binds a socket to the address with any free port, and closes it
    again.

    FAILURE: a service does not start or does not serve, or the driver of a
    back end does not start. WARNING: one feature does not work, the
    certificate expires within 14 days, or a path lies in the environment of a
    manila other than the target (a privsep helper that ``helper_command``
    names): it works until that environment is removed. The check looks for
    such paths at stage upgraded, and if the manila in its own environment is
    the target. At stopped: FAILURE if something listens where manila-api must
    listen. At upgraded: FAILURE if nothing listens there, WARNING if the files
    do not state where manila-api listens.

    The check does not apply if the files are those of another host, or if
    nothing shows that services run here. It does not examine paths inside a
    container.

    Known false positives: a directory that is created when the services start
    (``RuntimeDirectory=`` of a unit); an address that moves to this host
    later; a path that exists only in the namespace of a unit.
    """

    id = 'service-startup'
    title = 'What services need on this host'
    stages = model.ALL_STAGES
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.PASTE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps services from starting."""
        controller.require(ctx)
        services = controller.services(ctx)
        yield from paths.findings(ctx, services)
        yield from linked_files.coordination(ctx, services)
        yield from linked_files.log_config(ctx, services)
        yield from backdoor.findings(ctx, services)
        for service in services:
            if service.name == commands.API:
                yield from listen.findings(ctx, service)
                yield from tls.findings(ctx, service)
                yield from server_numbers.findings(ctx, service)
                yield from linked_files.of_filters(ctx, service)
