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

"""Options that middleware of the API reads, if api-paste.ini loads it."""

from typing import Optional

from manila_precheck.catalog import middleware
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_reader


def sets_elsewhere(both: both_releases.Sides, name: str) -> bool:
    """Say whether api-paste.ini sets an option of each token filter."""
    loaded = both.api
    if loaded is None:
        return False
    sections = [
        {value.name for value in one.values}
        for one in loaded.sections(middleware.AUTHTOKEN.specs)
    ]
    return bool(sections) and all(name in names for names in sections)


def why_unread(
    both: both_releases.Sides,
    now: config_reader.OptionLookup,
    before: bool = False,
) -> Optional[str]:
    """Return why the API does not read an option.

    :param now: the look-up of an option that the release has.
    :param before: whether the release is the source, not the target.
    :returns: None if the API reads it, or if that is not known: the file is
        not known, or it names code that the catalog does not know.
    """
    if now.option is None:
        return None
    reader = middleware.reading(now.group, now.option.name)
    if reader is None:
        return None
    loaded = both.api_before if before else both.api
    if loaded is None:
        return None
    sections = list(loaded.sections(reader.specs))
    if not sections:
        if not reader.alone:
            return None
        return f'the API does not load {reader.name}, which alone reads it'
    overriding = []
    for section in sections:
        own = {value.name: value for value in section.values}
        if any(name in own for name in middleware.ELSEWHERE[:2]):
            return None
        if now.option.name not in own or not reader.asks_paste:
            return None
        overriding.append(
            f'[{section.title}] of {both.ctx.paste.path}:'
            f'{own[now.option.name].line}'
        )
    return f'{" and ".join(overriding)} sets it for {reader.name}'


def loads_token_filter(both: both_releases.Sides) -> bool:
    """Say whether the API of the target may load the filter authtoken."""
    loaded = both.api
    return loaded is None or any(loaded.sections(middleware.AUTHTOKEN.specs))


def why_unused(
    both: both_releases.Sides, before: config_reader.OptionLookup
) -> Optional[str]:
    """Return why an option that only the source has is of no use there."""
    reader = both.source
    if (
        before.group == middleware.AUTHTOKEN.section
        and before.option is not None
        and before.option.name in middleware.WITHOUT_PLUGIN
        and reader.login(both.conf.auth_section(before.group))
    ):
        return (
            f'{reader.release} logs in with the plugin of auth_type, which '
            'does not read it'
        )
    path = middleware.HEALTHCHECK_PATH
    loaded = both.api_before
    if (
        loaded is not None
        and (before.group, before.option and before.option.name)
        == (path.section, path.option)
        and not any(loaded.sections(path.specs))
    ):
        return f'the API does not load {path.name}, which alone uses it'
    return why_unread(both, before, before=True)
