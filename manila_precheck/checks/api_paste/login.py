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
"""The login with which manila-api validates the tokens of its callers."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import middleware
from manila_precheck.engine import context
from manila_precheck.engine import unread_sources
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import logins

GROUP = 'keystone_authtoken'
#: keystonemiddleware 10.2.0 to 13.0.0, entry_points.txt and auth_token.
AUTHTOKEN = (
    'keystonemiddleware.auth_token:filter_factory',
    'egg:keystonemiddleware#auth_token',
)

# As tried with keystonemiddleware of 2023.1, 2024.1, 2025.1, 2026.1 and
# 2026.2.
_DOES_NOT_LOAD = 'manila-api does not start'
_UNSERVED = (
    'manila-api starts, and no request with a token is served: it has no '
    'login to validate it with'
)


def findings(
    ctx: context.Context, loaded: paste_loader.Loaded
) -> Iterator[model.Finding]:
    """Yield what the login lacks if the pipeline validates tokens."""
    conf = ctx.config
    if GROUP not in conf.groups and not (
        conf.serves_api and conf.find('database', 'connection')
    ):
        # Only some of the files that manila-api reads, or those of another
        # service.
        return
    target = ctx.reader(ctx.upgrade.target)
    try:
        target.get('DEFAULT', 'auth_strategy')
    except config_reader.Refused:
        # config-options reports that no pipeline is loaded.
        return
    told: set[tuple[str, ...]] = set()
    for factory in loaded.factories:
        if factory.spec not in AUTHTOKEN or not factory.is_filter:
            continue
        more = _own(factory.place.section)
        if any(name in more for name in middleware.ELSEWHERE):
            continue
        for lacking in logins.lacking(target, GROUP, more):
            named = lacking.options or ('auth_type',)
            if named in told:
                continue
            told.add(named)
            finding = _finding(lacking, factory.place.section.title)
            yield unread_sources.weighed(
                ctx.config,
                [(lacking.section, name) for name in named],
                finding,
            )


def _finding(lacking: logins.Lacking, title: str) -> model.Finding:
    loads = lacking.loads
    if lacking.plugin is None:
        # With auth_section, the middleware reads from that section options
        # that are registered in keystone_authtoken only.
        loads = lacking.section == GROUP
    name = (lacking.options or ('auth_type',))[0]
    if lacking.options:
        steps = [
            model.config(
                '[{}]\n{} = <value>', lacking.section, lacking.options[0]
            )
        ]
    else:
        steps = [
            model.advice(
                'Name the plugin that reads the other lines of the login, '
                'such as password or v3applicationcredential:'
            ),
            model.config('[{}]\nauth_type = password', lacking.section),
        ]
    return model.Finding(
        model.Severity.FAILURE,
        config_files.subject(
            'option', f'{lacking.section}/{name}', lacking.line
        ),
        f'{lacking.why}, and the pipeline of the API has [{title}]: '
        + (_UNSERVED if loads else _DOES_NOT_LOAD),
        steps,
        aspect='login',
    )


def _own(section: paste.PasteSection) -> dict[str, str]:
    return {value.name: value.text for value in section.values}
