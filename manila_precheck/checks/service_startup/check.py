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
from manila_precheck.checks.service_startup import linked_files
from manila_precheck.checks.service_startup import listen
from manila_precheck.checks.service_startup import paths
from manila_precheck.checks.service_startup import tls
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.host import commands


class ServiceStartup(check.Check):
    """A service meets something on this host that it does not start with.

    On a host of the services the check looks at what they open when they
    start, as the account that runs them: the owner of their processes, else
    ``manila`` where there is such an account. Which services start here is
    told by processes, units and web servers; where nothing is known of any,
    each that the files configure is looked at.

    It looks at the address and the port of manila-api where the server that
    is built into it is used; at the certificate, key and CA file of [ssl]; at
    ``log_dir``, ``log_file`` and the file of ``log_config_append``; at the
    directories of ``lock_path``, ``state_path`` and the coordinator; at the
    ``audit_map_file`` of the pipeline, and the users of BasicAuthMiddleware
    in it; and at every other option that names a
    file, a directory or a command, those of the drivers that are enabled
    included. Permissions are judged by the bits of the path and of each
    directory above it; where a path has an access control list, that is not
    read, and the path is taken for usable.

    Nothing is written or connected to: sockets that listen are read from
    ``/proc/net``. To tell whether an address is one of this host, a socket is
    bound to it with any free port and closed again.

    FAILURE: a service does not start or does not serve, or the driver of a
    back end does not start. WARNING: one thing does not work, the
    certificate ends within 14 days, or a path lies in the environment of
    another manila than the target (a privsep helper that ``helper_command``
    names): it works until that is removed. Such paths are looked for where
    the command has the manila of the target beside it, and at stage
    upgraded. At stage stopped, something listens where manila-api has to:
    FAILURE. At stage upgraded, nothing does: FAILURE, and WARNING where the
    files do not say where it listens.

    The check does not apply where the files of another host are judged, or
    where nothing shows that services run here. Paths inside a container are
    not looked at.

    Known false positives: a directory that is made when the services start
    (``RuntimeDirectory=`` of a unit); an address that moves to this host
    later; a path that only the namespace of a unit has.
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
        for service in services:
            if service.name == commands.API:
                yield from listen.findings(ctx, service)
                yield from tls.findings(ctx, service)
                yield from linked_files.of_filters(ctx, service)
