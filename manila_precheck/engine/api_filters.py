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

"""The filters in front of the API that a release loads from api-paste.ini."""

from typing import Optional

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import middleware
from manila_precheck.engine import context
from manila_precheck.evidence import paste_loader
from manila_precheck.evidence.config import config_files

_TOKENS = middleware.AUTHTOKEN


def load(
    ctx: context.Context, release: releases.Release
) -> Optional[paste_loader.Loaded]:
    """Return what PasteDeploy loads for the API of a release.

    :returns: None if the file is not there or cannot be read.
    """
    try:
        file = ctx.paste
    except exceptions.PrecheckError:
        return None
    if file.problem is not None:
        return None
    reader = ctx.reader(release)
    strategy = reader.text('DEFAULT', 'auth_strategy')
    limited = reader.text('DEFAULT', 'api_rate_limit') != 'False'
    return paste_loader.load(file, strategy or 'keystone', limited)


def with_token_filter(
    ctx: context.Context, release: releases.Release
) -> context.Context:
    """Return the context of manila-api as its token filter reads the options.

    An option in the section of the filter has priority over the
    configuration files, whichever section they have it in (keystonemiddleware
    10.2 to 13.0 _common/config.py, Config.get).

    :returns: the same context if the section sets nothing, or if several
        sections load the filter.
    """
    loaded = load(ctx, release)
    found = [] if loaded is None else list(loaded.sections(_TOKENS.specs))
    if len(found) != 1:
        return ctx
    own = {
        value.name: value
        for value in found[0].values
        # What a reference stands for is not known.
        if value.name != 'use'
        and '.' not in value.name
        and not {'$', '%'} & set(value.text)
    }
    if not own:
        return ctx
    elsewhere = any(name in own for name in middleware.ELSEWHERE)
    login = own.get('auth_section')
    groups = {
        _TOKENS.section,
        login.text if login else ctx.config.auth_section(_TOKENS.section),
    }
    return ctx.overridden(
        [
            config_files.Setting(
                group, value.name, value.text, ctx.paste.path, value.line, 0
            )
            for group in sorted(groups)
            for value in own.values()
        ],
        _TOKENS.section if elsewhere else '',
    )
