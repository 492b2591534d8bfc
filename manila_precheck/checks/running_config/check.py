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

"""The check ``running-config``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.running_config import access
from manila_precheck.checks.running_config import comparison
from manila_precheck.checks.running_config import messaging
from manila_precheck.checks.running_config import names
from manila_precheck.checks.running_config import site
from manila_precheck.engine import check
from manila_precheck.engine import context

_COMPARED = (
    site.host,
    site.backends,
    site.sections,
    site.zone,
    site.database,
    site.broker,
    site.locks,
    messaging.queues,
    messaging.exchange,
    messaging.topics,
    access.credentials,
    access.strategy,
    access.flags,
    access.policies,
    access.pipelines,
    names.templates,
)


class RunningConfig(check.Check):
    """The staged files change what must stay as it is through the upgrade.

    The files that are judged (``--config-file``) are those of the target;
    ``--running-config-file`` and ``--running-config-dir`` name those that the
    services of the source read now. Without them the check does not apply.
    What the source makes of the running files is compared with what the
    target makes of the staged ones: values, not lines. A default that differs
    between the releases, or a line that one of them ignores (``[DEFAULT]
    sql_connection`` from 2024.1 on), is a change; an old name that both read,
    another login in a URL, or a name of the machine that neither side sets,
    is none.

    Compared are who the services are and what they share: ``host``, the back
    ends with their drivers, modes and names, the availability zones, the
    database, the broker with its virtual host, exchange, topics and the
    properties of queues, ``state_path``, locks and the coordinator, the users
    and projects of manila in other services, ``auth_strategy``, the
    templates of names, the flags and the overrides of policies, and the
    filters of api-paste.ini.

    FAILURE: shares lose their manager (another ``host``, a back end that is
    no longer enabled, another driver or mode); the target opens another
    database or broker; requests go where nothing listens; RabbitMQ rejects
    the queues (oslo.messaging declares them, and an existing classic queue
    is not made a quorum queue); a lock of several controllers becomes one of
    a single machine; a driver no longer finds what it made; access opens.
    WARNING: an availability zone, a directory, an exchange, a login or an
    override of a policy that is no longer what it was. INFO: a change without
    a consequence here.

    Where the database is read, ``backends-in-use`` reports whether a back end
    that is no longer enabled holds anything, and this check does not.

    Known false positives: a change that is meant, such as a database that
    moves with the upgrade, or another name for the same server; waive the
    finding. Sources that ``config_source`` in the running files names are not
    read; options that they may set are not compared.

    What to do: let the staged files keep the value, or do by hand what the
    finding lists.
    """

    id = 'running-config'
    title = 'Staged and running files'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.POLICY, model.Source.PASTE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what changes with the files."""
        sides = comparison.ComparedSides(ctx)
        for compare in _COMPARED:
            yield from compare(sides)
