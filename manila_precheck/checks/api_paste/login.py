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
    seen: set[tuple[str, ...]] = set()
    for factory in loaded.factories:
        if (
            factory.spec not in middleware.AUTHTOKEN.specs
            or not factory.is_filter
        ):
            continue
        more = _own(factory.place.section)
        if any(name in more for name in middleware.ELSEWHERE):
            continue
        yield from _cache(ctx, factory.place.section, more)
        for lacking in logins.lacking(target, GROUP, more):
            named = lacking.options or ('auth_type',)
            if named in seen:
                continue
            seen.add(named)
            finding = _finding(lacking, factory.place.section.title)
            yield unread_sources.weighed(
                ctx.config,
                [(lacking.section, name) for name in named],
                finding,
            )


def _cache(
    ctx: context.Context, section: paste.PasteSection, more: dict[str, str]
) -> Iterator[model.Finding]:
    """Yield that a strategy of the token cache in the file lacks its secret.

    config-options judges a strategy in the configuration.
    """
    name = 'memcache_security_strategy'
    if (
        more.get(name, '').lower() not in ('mac', 'encrypt')
        or more.get('memcache_secret_key')
        or ctx.config.value(GROUP, 'memcache_secret_key')
    ):
        return
    line = next(one.line for one in section.values if one.name == name)
    yield model.Finding(
        model.Severity.FAILURE,
        model.Subject('paste', section.title, ctx.paste.path, line),
        f'[{section.title}] {name} = {more[name]} needs memcache_secret_key, '
        f'which is not set: {_DOES_NOT_LOAD} (ConfigurationError)',
        [model.config('[keystone_authtoken]\nmemcache_secret_key = <text>')],
        aspect='cache',
    )


def _finding(lacking: logins.Lacking, title: str) -> model.Finding:
    loads = lacking.loads
    if lacking.plugin is None:
        # With auth_section, the middleware reads from that section options
        # that are registered in keystone_authtoken only.
        loads = lacking.section == GROUP
    name = (lacking.options or ('auth_type',))[0]
    if lacking.advice:
        steps = [model.advice(lacking.advice)]
    elif lacking.options:
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
        lacking.severity,
        config_files.subject(
            'option', f'{lacking.section}/{name}', lacking.line
        ),
        f'{lacking.why}, and the pipeline of the API has [{title}]: '
        + lacking.condition
        + (_UNSERVED if loads else _DOES_NOT_LOAD),
        steps,
        aspect='login',
    )


def _own(section: paste.PasteSection) -> dict[str, str]:
    return {value.name: value.text for value in section.values}
