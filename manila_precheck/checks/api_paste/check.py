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

"""The check ``api-paste``."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.api_paste import filter_values
from manila_precheck.checks.api_paste import judge
from manila_precheck.checks.api_paste import login
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.host import commands


class ApiPaste(check.Check):
    """manila-api of the target does not start with this api-paste.ini.

    manila-api builds its application from the file that [DEFAULT]
    ``api_paste_config`` names and imports the code that the file refers to.
    Packages and deployment tools keep a file that was changed by hand, so
    the file of an old release can meet the code of a new one. 2026.1 removed
    the v1 API: ``[app:api]``, which is in the file of every release up to
    2025.2 (etc/manila/api-paste.ini), causes a ModuleNotFoundError, while
    ``manila-status upgrade check`` reports Success.

    The check follows the file as PasteDeploy does, starting at
    ``osapi_share``, with the values of ``auth_strategy`` and
    ``api_rate_limit`` from manila.conf. Sections that nothing refers to are
    never imported and do no harm. The catalog records what happens when each
    factory of manila, oslo.middleware, keystonemiddleware, osprofiler,
    ceilometermiddleware, Paste and PasteDeploy is loaded, with the upper
    constraints of each release, as a filter and as an application, without
    settings: ``Healthcheck.factory`` of oslo.middleware is a filter up to
    2025.2 and raises NotImplementedError in 2026.1. Third-party code is looked
    up in the target's file of facts (``--target-catalog``), if one is given.

    FAILURE: manila-api of the target does not start: the file names code that
    the target does not have or cannot load in this way, names a section that
    does not exist, has no pipeline for the ``auth_strategy``, or cannot be
    parsed. Or manila-api starts, but every request that reaches one of the
    sections ends in an error. Or the section of a filter sets an option to a
    value that the option rejects (``allow_credentials = maybe``), or lacks
    what its code requires (``stats_host`` of StatsMiddleware).
    FAILURE as well, if the pipeline has the filter ``authtoken`` of
    keystonemiddleware: [keystone_authtoken], or the section that
    ``auth_section`` names, does not contain a complete login. Without
    ``auth_type`` keystoneauth reads no other line of the section, and no
    request with a token is served. Nor is one if the section sets two scopes
    (``project_name`` and ``trust_id``). If ``auth_type`` is not a plugin, or
    the section lacks what the plugin needs (``auth_url``, the domain of the
    user), manila-api does not start.
    WARNING: the file names third-party code that the target may not have, or
    another file, which the check does not follow. INFO: a section that is not
    loaded names code that was removed; or this file does not load a filter
    that a release added to its own file (``request_id``, from 2025.2 on): the
    API works without it.

    If ``api_paste_config`` is not set, the file is searched for next to the
    configuration files. If there is none, the check is skipped when
    [keystone_authtoken] or an option of the API shows that manila-api runs
    on this host; otherwise it does not apply. If the option names a file that
    does not exist, the check ends in an error.

    Known false positives: the packages of the target replace the file; a fork
    that adds code below ``manila.`` is treated as manila itself; an
    ``auth_type`` of a third-party plugin is reported as missing.
    Known false negatives: of the factories that fail without certain settings
    only the login and StatsMiddleware are judged.
    """

    id = 'api-paste'
    title = 'Paste configuration of the API'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.PASTE})
    services = (commands.API,)

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps manila-api from starting, and what it misses."""
        judged = judge.Judge(ctx)
        yield from judged.findings()
        yield from login.findings(ctx, judged.loaded)
        yield from filter_values.findings(ctx, judged.loaded)
        yield from filter_values.lacking(ctx, judged.loaded)
