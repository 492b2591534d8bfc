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

"""Values that the target rejects."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import middleware as readers
from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import logins
from manila_precheck.checks.config_options import middleware
from manila_precheck.checks.config_options import transport_urls
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import value_judges

_TOKENS = readers.AUTHTOKEN


def findings(
    both: both_releases.Sides,
    setting: config_files.Setting,
    now: config_reader.OptionLookup,
) -> Iterator[model.Finding]:
    """Yield a finding if the target rejects the value of a line."""
    target = both.target
    if target.accepts(setting) or value_judges.is_loading(target, setting):
        return
    assert now.option is not None
    before = both.source.of(setting)
    if not (before.read or both.source.is_logged(before)):
        already = f'{both.source.release} does not read it'
    elif both.source.accepts(setting):
        already = f'{both.source.release} accepts it'
    else:
        already = f'so does {both.source.release}'
    admitted = values.admits(now.option.type)
    steps = _instead(both.edits, setting, now.option, admitted)
    reader = (
        'the service that reads it'
        if now.read
        else 'manila-share, which logs it,'
    )
    effect = f'{reader} exits at startup'
    severity = model.Severity.FAILURE
    unused = _unused(both, setting.group)
    if unused:
        effect, severity = unused, model.Severity.INFO
    yield model.Finding(
        severity,
        setting.subject,
        f'[{setting.section}] {setting.name} = {both.shown(setting)}: '
        f'{target.release} rejects the value, and {effect}; {already}',
        steps,
        data={'verdict': 'invalid', 'admits': admitted},
        aspect='value',
    )


def _unused(both: both_releases.Sides, group: str) -> str:
    """Return why no service of the target reads a section; '' if one may.

    With a value that their types reject in [cache], or in the section of a
    transport that no URL names, all services of 16.3.0 to 23.0.1 start: none
    has registered the options.
    """
    if logins.is_idle(both, group):
        return f'no enabled back end uses {group}'
    if group == 'cache':
        return 'no service of manila registers this section'
    if group == _TOKENS.section and not middleware.loads_token_filter(both):
        return f'the API does not load {_TOKENS.name}, which alone uses it'
    if group in transport_urls.GROUPS.values() and not transport_urls.loads(
        both, group
    ):
        return 'no transport_url names the driver that registers this section'
    return ''


def _instead(
    edits: config_edits.Edits,
    setting: config_files.Setting,
    option: options.Option,
    admitted: str,
) -> list[model.Remediation]:
    """Return which value to set instead of one that is rejected."""
    words = f'Set it to {admitted}'
    if '$' in setting.value:
        words += '; write a literal dollar sign as $$'
    default = option.default
    if isinstance(default, (list, tuple)):
        default = ','.join(str(item) for item in default)
    if default is None or option.secret or isinstance(default, dict):
        return [
            model.advice(f'{words}.').with_edits(
                *edits.choose(setting, admitted)
            )
        ]
    return [
        model.advice(f'{words}. The default is:'),
        model.config(
            '[{}]\n{} = {}', setting.section, setting.name, default
        ).with_edits(
            # The dollar sign may be intended as a literal, so ask for a value.
            *edits.choose(setting, admitted)
            if '$' in setting.value
            else edits.replace(setting, str(default))
        ),
    ]
