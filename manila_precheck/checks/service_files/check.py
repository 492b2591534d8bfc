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

"""The check ``service-files``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.service_files import agreement
from manila_precheck.checks.service_files import besides
from manila_precheck.engine import check
from manila_precheck.engine import context


class ServiceFiles(check.Check):
    """The services read different files, or not all files that they should.

    By default, oslo.config looks for separate files for each program; command
    lines, units, containers and web servers name others. The report lists what
    each service reads. This check reports the consequences of the differences:

    - the services and ``manila-manage db sync`` have different values of
      ``[database] connection``: the services work on another database than the
      one that is migrated. ``manila-manage`` reads no file that only the
      command line of a service names, and without a connection it migrates a
      database in memory, unless the environment of this command sets one;
    - the services have different values of ``transport_url``, exchange or
      topic: their requests do not reach each other; or of ``host``;
    - a command line names a file that does not exist: oslo.config exits with
      ConfigFilesNotFoundError;
    - a file has the name of a program that does not look for it: an API in
      uWSGI or mod_wsgi does not read ``manila-api.conf``;
    - ``OS_MANILA_CONFIG_FILES`` is in the environment of a service: no release
      of manila reads it;
    - with ``--config-file`` or ``--config-dir``: the services of this host
      read other files too. The check assumes that all services read the given
      files.

    FAILURE: services use different databases or brokers, or a service does not
    start. WARNING: different values may name the same server; no service reads
    a file; or a file with options was not checked. INFO: services read none of
    the given files, for example because these are staged; or their ``host``
    differs.

    Known false positives: a service that is not meant to run on this host, for
    which the check takes the files with its default names; waive the finding.

    What to do: give all services and ``manila-manage`` the same values,
    preferably in ``manila.conf``; pass every file that the services read.
    """

    id = 'service-files'
    title = 'Files of the services'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield options that differ, then files that are missing or unread."""
        yield from agreement.findings(ctx)
        yield from besides.missing(ctx)
        yield from besides.unread(ctx)
        yield from besides.variables(ctx)
        yield from besides.not_judged(ctx)
