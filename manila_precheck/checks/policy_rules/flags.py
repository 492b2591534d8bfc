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

"""Two options of ``[oslo_policy]`` that make enforcement stricter."""

from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.catalog import policies
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files


class Flag(NamedTuple):
    """One of these options in one release."""

    value: bool
    known: bool
    """Whether the release has the option; without it, it always enforces."""

    setting: Optional[config_files.Setting]
    """The line that sets it; None for the default."""


def enforce_scope(ctx: context.Context, release: releases.Release) -> Flag:
    """Return whether a token of a wrong scope is rejected.

    Off by default up to 2024.1, on from 2024.2 (oslo.policy 4.4.0 opts.py),
    and removed, always on, from 2026.2 (oslo.policy 6.0.0).
    """
    return _read(ctx, release, 'enforce_scope')


def enforce_new_defaults(
    ctx: context.Context, release: releases.Release
) -> Flag:
    """Return whether the older default of a rule no longer applies.

    Off by default up to 2024.1, on from 2024.2 (oslo.policy 4.4.0 opts.py).
    """
    return _read(ctx, release, 'enforce_new_defaults')


def has_older_default(
    ctx: context.Context, release: releases.Release, rule: policies.Policy
) -> bool:
    """Say whether an older default of a rule applies in addition.

    It admits more callers, as long as no file overrides the rule.
    """
    return len(rule.checks(enforce_new_defaults(ctx, release).value)) > 1


def _read(ctx: context.Context, release: releases.Release, name: str) -> Flag:
    match = ctx.catalog.options(release).find('oslo_policy', name)
    setting = next(iter(ctx.config.effective([('oslo_policy', name)])), None)
    if match is None:
        return Flag(True, False, setting)
    value = ctx.config.boolean('oslo_policy', name)
    if value is None:
        value = match.option.default is True
    return Flag(value, True, setting)
