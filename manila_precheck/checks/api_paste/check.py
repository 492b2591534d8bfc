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
from manila_precheck.checks.api_paste import judge
from manila_precheck.engine import check
from manila_precheck.engine import context


class ApiPaste(check.Check):
    """manila-api of the target does not start with the api-paste.ini here.

    manila-api makes its application from the file that [DEFAULT]
    ``api_paste_config`` names, by importing the code that stands in it.
    Packages and deployment tools keep a file that was changed by hand, so
    that the one of an old release meets the new code. The API v1 is gone
    from 2026.1: ``[app:api]``, which the file of every release up to 2025.2
    has (etc/manila/api-paste.ini), leads to a ModuleNotFoundError, while
    ``manila-status upgrade check`` says Success.

    It follows the file as PasteDeploy does, from ``osapi_share`` on, with
    the ``auth_strategy`` and ``api_rate_limit`` of manila.conf. Sections that
    nothing leads to are never imported and do no harm. What is
    compared are the files and modules of manila's packages in the catalog;
    code of packages that the target depends on is taken to be there.

    FAILURE: manila-api of the target does not start: code of manila that it
    does not have, a name that no section defines, no pipeline for the
    ``auth_strategy``, a file that cannot be parsed. INFO: such code in a
    section that is not loaded; code of a third party, or another file, of
    which nothing is known here; what a release has added to the file since
    and this one does not load (the filter ``request_id``, from 2025.2 on):
    the API works without it.

    Without ``api_paste_config`` the file is looked for beside the
    configuration files. When there is none the check is skipped, if
    [keystone_authtoken] or an option of the API says that manila-api runs
    here; else it does not apply. A file that the option names and that is not
    there is an error.

    Known false positives: a file that the packages of the target replace;
    a fork that adds code below ``manila.`` is judged as manila itself.
    """

    id = 'api-paste'
    title = 'Paste configuration of the API'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.PASTE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps manila-api from starting, and what it misses."""
        yield from judge.Judge(ctx).findings()
