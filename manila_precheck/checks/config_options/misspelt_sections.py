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
"""Sections that nothing reads, with lines for a section of a similar name.

oslo.config does not report [DEFUALT] or [keystone_authtokens]: all their lines
are lost. It ignores the case of a section, except that of [DEFAULT].
"""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

_DEFAULT = 'DEFAULT'
# The similarity, from 0 to 1: [defaults] and [oslo_messaging_rabit] reach it.
_NEAR = 0.8

# Without these options a service does not work, whatever the others are
# (manila 22.0.2 cmd/share.py; oslo.messaging 17.3 transport.py).
_LOST = {
    config_files.ENABLED_BACKENDS: 'manila-share exits with 1',
    (_DEFAULT, 'transport_url'): 'the services look for a broker on localhost',
}


def findings(both: both_releases.Sides) -> Iterator[model.Finding]:
    """Yield a finding for each section that is misspelt, by its first line."""
    lines: dict[str, list[config_files.Setting]] = {}
    for setting in both.conf.settings:
        lines.setdefault(setting.group, []).append(setting)
    for group, settings in lines.items():
        if both.conf.roles(group) or any(
            _is_known(both, one) for one in settings
        ):
            continue
        found = _meant(both, group, settings)
        if found is not None:
            yield _finding(both, *found, settings)


def _is_known(
    both: both_releases.Sides, setting: config_files.Setting
) -> bool:
    """Say whether any release reads or has read a line."""
    return (
        both.target.of(setting).read
        or both.source.of(setting).read
        or bool(both.catalog.option_releases(setting.name, setting.group))
    )


def _meant(
    both: both_releases.Sides, group: str, settings: list[config_files.Setting]
) -> Optional[tuple[str, list[config_files.Setting]]]:
    """Return the section that has most of the options, and their lines."""
    # Imported here because few files have a section that nothing reads.
    import difflib

    names = {
        name.lower(): name for name in (_DEFAULT, *both.target.options.groups)
    }
    for near in difflib.get_close_matches(group.lower(), names, 3, _NEAR):
        found = [
            one
            for one in settings
            if _would_count(both, names[near], one.name)
            and not both.conf.find(names[near], one.name)
        ]
        if 2 * len(found) > len(settings):
            return names[near], found
    return None


def _would_count(both: both_releases.Sides, group: str, name: str) -> bool:
    lookup = both.target.look_up(group, name)
    # The line that names the login plugin may be one of the lost lines.
    return lookup.read or lookup.why is config_reader.Why.LOGIN


def _finding(
    both: both_releases.Sides,
    meant: str,
    found: list[config_files.Setting],
    settings: list[config_files.Setting],
) -> model.Finding:
    first = settings[0]
    effects = [
        words
        for one in found
        for words in [_effect(both, meant, one)]
        if words is not None
    ]
    count = (
        'its line is an option'
        if len(settings) == 1
        else f'{len(found)} of its {len(settings)} lines are options'
    )
    effect = f': {effects[0]}' if effects else ''
    return model.Finding(
        model.Severity.FAILURE if effects else model.Severity.WARNING,
        first.subject,
        f'nothing reads the section [{first.section}], and {count} of '
        f'[{meant}]{effect}',
        [model.advice(f'Write [{meant}] in place of [{first.section}].')],
        data={'verdict': 'unknown', 'section': meant},
        aspect='section',
    )


def _effect(
    both: both_releases.Sides, meant: str, setting: config_files.Setting
) -> Optional[str]:
    """Return what stops working without a line; None if nothing does."""
    words = _LOST.get((meant, setting.name))
    if words is not None:
        return words if setting.value.strip() else None
    lost = both.loss(meant, setting.name, setting.value)
    return lost.words if lost is not None and not lost.partly else None
