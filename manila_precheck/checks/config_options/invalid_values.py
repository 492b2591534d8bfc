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
from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import logins
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import value_judges


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
    if logins.is_idle(both, setting.group):
        effect = f'no enabled back end uses {setting.group}'
        severity = model.Severity.INFO
    yield model.Finding(
        severity,
        setting.subject,
        f'[{setting.section}] {setting.name} = {both.shown(setting)}: '
        f'{target.release} rejects the value, and {effect}; {already}',
        steps,
        data={'verdict': 'invalid', 'admits': admitted},
        aspect='value',
    )


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
