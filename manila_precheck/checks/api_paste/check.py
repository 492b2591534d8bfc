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
    never imported and do no harm. The catalog has what comes of loading each
    factory of manila, oslo.middleware, keystonemiddleware, osprofiler,
    ceilometermiddleware, Paste and PasteDeploy in the upper constraints of
    each release, as a filter and as an application, without settings:
    ``Healthcheck.factory`` of oslo.middleware is a filter up to 2025.2 and
    raises NotImplementedError in 2026.1. Code of a third party is looked for
    in the file of facts of the target, where there is one.

    FAILURE: manila-api of the target does not start: the file names code
    that the target does not have or does not load in this way, or a name that
    no section defines, has no pipeline for the ``auth_strategy``, or cannot
    be parsed; or it starts, and each request to a section ends in an error;
    or the section of a filter gives one of its options a value that the
    option does not take (``allow_credentials = maybe``).
    FAILURE as well, where the pipeline has the filter ``authtoken`` of
    keystonemiddleware: [keystone_authtoken], or the section that
    ``auth_section`` names, adds up to no login. Without ``auth_type``
    keystoneauth reads no other line of it, and no request with a token is
    served; with an ``auth_type`` that is no plugin, or without what the plugin
    needs (``auth_url``, the domain of the user), manila-api does not start.
    WARNING: code of a third party that the target may not have; another file,
    which is not followed. INFO: code that is gone, in a section that is not
    loaded; a filter that a release added to its own file and that this file
    does not load (``request_id``, from 2025.2 on): the API works without it.

    If ``api_paste_config`` is not set, the file is searched for next to the
    configuration files. If there is none, the check is skipped when
    [keystone_authtoken] or an option of the API shows that manila-api runs
    on this host; otherwise it does not apply. If the option names a file that
    does not exist, the check ends in an error.

    Known false positives: a file that the packages of the target replace;
    a fork that adds code below ``manila.`` is treated as manila itself; an
    ``auth_type`` of a third party's plugin is reported as missing.
    Known false negatives: a factory that fails without certain settings is
    not judged.
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
